"""Columns of many archs: how the table that `Bench.table` returns is selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import (
    NothingFoundError,
    UnknownNameError,
    UsageError,
    count_of,
    names as names_of,
    unknown_name,
)
from nbzero.frame import Frame
from nbzero.proxies.facts import PROXIES
from nbzero.release import conditions
from nbzero.release.opened import (
    COSTS,
    RUN_NUMBERS,
    Group,
    Kind,
    Opened,
    OpenedSpace,
    Seed,
    one_seed_or_mean,
)
from nbzero.release.schema import TABLES, Table, arrow_schema, columns_of
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

_OFFERED: dict[Table, tuple[str, ...]] = {"runs": ("status", *RUN_NUMBERS), "scores": tuple(PROXIES)}


@dataclass(frozen=True)
class Wanted:
    """Which runs and scores a table is of.

    Attributes:
        dataset: needed for columns of runs and scores.
        recipe, protocol: None is the only recipe, the standard protocol.
        seed: of the runs.
        score_seed: of the scores; None is the seed of the runs.
    """

    dataset: str | None = None
    recipe: str | None = None
    protocol: str | None = None
    seed: Seed = None
    score_seed: Seed = None

    def seed_of(self, kind: Kind) -> Seed:
        """The seed as it was given, of runs or scores."""
        if kind == "scores" and self.score_seed is not None:
            return self.score_seed
        return self.seed

    def name_of(self, kind: Kind) -> str | None:
        return self.recipe if kind == "runs" else self.protocol


def select(
    release: Opened,
    space: OpenedSpace,
    columns: Iterable[str] | None,
    wanted: Wanted,
    where: str | None = None,
) -> Frame:
    """What `Bench.table` returns; its docstring says what the arguments mean."""
    _check(release, space, wanted)
    columns = None if columns is None else _checked_columns(space, columns)
    seeds = {kind: one_seed_or_mean(wanted.seed_of(kind)) for kind in ("runs", "scores")}
    listed = names_of("columns", columns, _default_columns(space, wanted.dataset, seeds["runs"]))
    in_condition = [] if where is None else conditions.names_in(where)
    homes = {name: resolved(name, space.name) for name in [*listed, *in_condition]}
    chosen = _chosen(release, space, homes, wanted)

    def values(name: str) -> npt.NDArray[Any]:
        table, column = homes[name]
        if table == "archs":
            return archs_column(space, column)
        return _column(space, table, column, str(wanted.dataset), chosen[table], seeds[table])

    ids = archs_column(space, "arch_id")
    made = {name: values(name) for name in listed}
    if where is not None:
        mask = conditions.mask(where, values, len(space.archs))
        ids = ids[mask]
        made = {name: column[mask] for name, column in made.items()}
    for one in (ids, *made.values()):
        one.flags.writeable = False
    selected: dict[str, Any] = {"space": space.name, "dataset": wanted.dataset, "recipe": chosen["runs"]}
    selected |= {"protocol": chosen["scores"], "seed": seeds["runs"] if any(chosen.values()) else None}
    return Frame(
        made, _title(selected, where), arch_ids=ids, selected=selected, schema=_schema(space.name, listed)
    )


def archs_column(space: OpenedSpace, column: str) -> npt.NDArray[Any]:
    """A column of the archs table, over all archs."""
    if column == "arch":
        return np.array(space.archs, object)
    return np.asarray(space.numbers("archs", column))


def numbers_of(
    release: Opened, space: OpenedSpace, kind: Kind, column: str, wanted: Wanted
) -> npt.NDArray[Any]:
    """(archs,) one number column of runs or scores over all archs of a space; NaN where there is none."""
    name = release.named(kind, space, str(wanted.dataset), wanted.name_of(kind))
    seed = one_seed_or_mean(wanted.seed_of(kind))
    values = _column(space, kind, column, str(wanted.dataset), name, seed)
    return np.asarray(values, np.float64)


def _checked_columns(space: OpenedSpace, columns: Iterable[str]) -> list[str]:
    listed = names_of("columns", columns)
    if not listed:
        there = ", ".join(column.name for column in columns_of("archs", space.name))
        raise UsageError(f"columns names nothing; name one or more of {there}, or leave it out for all")
    return listed


def _check(release: Opened, space: OpenedSpace, wanted: Wanted) -> None:
    if wanted.dataset is not None:
        release.check_dataset(wanted.dataset)
    elif wanted.recipe is not None or wanted.protocol is not None:
        there = space.datasets()
        raise UsageError(f"recipe and protocol go with a dataset: say which, dataset={there}")


def _chosen(
    release: Opened, space: OpenedSpace, homes: dict[str, tuple[Table, str]], wanted: Wanted
) -> dict[str, str | None]:
    """The recipe and the protocol of the columns; None of a table that no column is of."""
    chosen: dict[str, str | None] = {"runs": None, "scores": None}
    kinds: tuple[Kind, ...] = ("runs", "scores")
    for kind in kinds:
        given = wanted.name_of(kind)
        needed = next((name for name, (table, _) in homes.items() if table == kind), None)
        if needed and wanted.dataset is None:
            there = space.datasets()
            raise UsageError(f"column {needed!r} is of the {kind} tables: say which, dataset={there}")
        if wanted.dataset is not None and (needed or given is not None):
            chosen[kind] = release.named(kind, space, wanted.dataset, given)
    return chosen


def _title(selected: dict[str, Any], where: str | None) -> str:
    parts = [str(value) for name, value in selected.items() if value is not None and name != "seed"]
    if selected["seed"] is not None:
        parts.append(f"seed {selected['seed']}")
    if where is not None:
        parts.append(f"where {where}")
    return ", ".join(parts)


def _schema(space: str, columns: list[str]) -> Callable[[], pa.Schema]:
    """Makes the Arrow schema of some columns, with the release's types and units."""

    def make() -> pa.Schema:
        import pyarrow as pa

        known: dict[str, pa.Field] = {}
        for table in TABLES:
            for field in arrow_schema(table, space):
                known.setdefault(field.name, field)
                qualified = f"{table}.{field.name}"
                known[qualified] = field.with_name(qualified)
        return pa.schema([known[name].with_nullable(True) for name in columns])

    return make


def none_meets(
    release: Opened, space: OpenedSpace, where: str, ids: npt.NDArray[Any], counted: str, wanted: Wanted
) -> NothingFoundError:
    """The error for a condition that none of some archs meets.

    It says how many there were, and what the condition's columns hold there.

    Args:
        ids: (rows,) arch_ids of these archs.
        counted: what they are, in words, after their number.
    """
    whole = select(release, space, conditions.names_in(where), wanted)
    held = []
    for name in whole.columns:
        values = whole[name][ids]
        if values.dtype != object:
            held.append(_range_of(name, np.asarray(values, np.float64)))
    said = f"no arch meets {where!r}: of the {len(ids):,} {counted} none does"
    if len(ids) < len(whole):
        met = len(select(release, space, ["arch_id"], wanted, where))
        said += f" (of all {count_of(len(whole), 'arch')} of {space.name} {met} do)"
    if held:
        said += f"; there {', '.join(held)}"
    return NothingFoundError(f"{said}; widen the condition, or leave it out")


def _range_of(name: str, values: npt.NDArray[Any]) -> str:
    there = values[~np.isnan(values)]
    if not len(there):
        return f"{name} is null"
    return f"{name} is {there.min():.10g} to {there.max():.10g}"


def _column(
    space: OpenedSpace, kind: str, column: str, dataset: str, name: str | None, seed: Seed
) -> npt.NDArray[Any]:
    """One column of runs or scores over all archs of the space."""
    table = f"{kind}/{dataset}"
    groups = {one: group for (other, one), group in space.groups(table).items() if other == name}
    found = {one: group for one, group in groups.items() if seed in (one, "mean")}
    _check_same_archs(space.name, dataset, found)
    if column == "status":
        return _status(space, table, found)
    parts = [_spread(space, table, column, group) for group in found.values()]
    if not parts:
        return np.full(len(space.archs), np.nan)
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)


def _check_same_archs(space: str, dataset: str, groups: dict[int, Group]) -> None:
    """UsageError where a mean would be over more seeds of some archs than of others."""
    ids = [group.ids.tobytes() for group in groups.values()]
    if any(one != ids[0] for one in ids):
        counts = ", ".join(
            f"seed {seed}: {count_of(group.num_rows, 'arch')}" for seed, group in groups.items()
        )
        same = f"seed='mean' needs the same seeds for every arch of {space} on {dataset}"
        raise UsageError(f"{same}, but there are {counts}; name one")


def _status(space: OpenedSpace, table: str, groups: dict[int, Group]) -> npt.NDArray[Any]:
    if len(groups) > 1:
        raise UsageError("status has no mean; name a seed")
    spread: npt.NDArray[Any] = np.full(len(space.archs), None, object)
    for group in groups.values():
        texts, codes = space.index.texts(table, "status")
        codes_A = np.asarray(codes[group.start : group.stop])
        if not (codes_A.min() >= -1 and codes_A.max() < len(texts)):
            raise space.index.damaged(f"status of {table} has a code beyond its {len(texts)} texts")
        spread[np.asarray(group.ids)] = np.array([*texts, None], object)[codes_A]
    return spread


def _spread(space: OpenedSpace, table: str, column: str, group: Group) -> npt.NDArray[Any]:
    """A number column of one group over all archs, NaN where an arch is not in it; no copy where all are."""
    part = np.asarray(space.numbers(table, column))[group.start : group.stop]
    if len(part) == len(space.archs):
        return part
    spread = np.full(len(space.archs), np.nan)
    spread[np.asarray(group.ids)] = part
    return spread


def _default_columns(space: OpenedSpace, dataset: str | None, seed: Seed) -> list[str]:
    names = [column.name for column in columns_of("archs", space.name)]
    if dataset is not None:
        offered = [*_OFFERED["runs"], *_proxies_there(space, dataset)]
        names += [name for name in offered if name not in names]
    if seed == "mean":
        names = [name for name in names if name != "status"]
    return names


def _proxies_there(space: OpenedSpace, dataset: str) -> list[str]:
    """Of an imported space the proxies that its source gives: most are none of them."""
    if space.published is None:
        return list(PROXIES)
    table = f"scores/{dataset}"
    if table not in space.index.tables:
        return []
    return [name for name in PROXIES if space.has(table, name)]


def resolved(name: str, space: str) -> tuple[Table, str]:
    """The table and the column that a plain or qualified name means.

    Raises:
        UnknownNameError: no such column, or one that is not offered here.
        UsageError: no string.
    """
    if not isinstance(name, str):
        raise UsageError(f"columns holds {name!r}; it is a list of names")
    of_archs = tuple(column.name for column in columns_of("archs", space))
    if space in IMPORTED and name in COSTS and name not in of_archs:
        # Not the proxy of that name, which its scores do not have either.
        raise unknown_name(f"cost of {space}", name, [cost for cost in COSTS if cost in of_archs])
    offered: dict[Table, tuple[str, ...]] = {"archs": of_archs, **_OFFERED}
    for table, columns in offered.items():
        column = name.removeprefix(f"{table}.")
        if column in columns:
            return table, column
    for table in TABLES:
        if name.removeprefix(f"{table}.") in {column.name for column in columns_of(table, space)}:
            elsewhere = f"a record's run() and scores() have it, and Bench.arrow({table!r}, ...)"
            raise UnknownNameError(f"column {name!r} of {table} is not offered here; {elsewhere}")
    qualifier, _, column = name.rpartition(".")
    if qualifier and qualifier not in offered:
        raise unknown_name("table", qualifier, offered)
    known: set[str] = set()
    for table, columns in offered.items():
        if qualifier in ("", table):
            known.update(columns)
    raise unknown_name(f"column of {qualifier}" if qualifier else "column", column, known)
