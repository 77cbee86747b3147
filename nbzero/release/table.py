"""Columns of many archs: how the table that `Bench.table` returns is selected.

A row is an arch, or an arch and a seed (`nbzero.release.every_seed`), of one space or of several.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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
from nbzero.release.every_seed import EverySeed
from nbzero.release.opened import (
    COSTS,
    RUN_NUMBERS,
    Kind,
    Opened,
    OpenedSpace,
    Seed,
    Seeds,
    one_seed_or_mean,
)
from nbzero.release.schema import TABLES, Table, arrow_schema, columns_of
from nbzero.release.values import archs_column, of_all_archs
from nbzero.spaces.published import IMPORTED, doubt_notes, doubtful_in

if TYPE_CHECKING:
    import pyarrow as pa

# Of a record: what gives the columns of a table that are not offered in tables of ours.
_METHODS = {
    "scores": "scores()",
    "predictions": "predicted()",
    "surrogates": "predicted()",
    "latencies": "timing()",
}
_IN_ALL = ("status", *RUN_NUMBERS)  # the columns of runs in a table that names none
_OFFERED: dict[Table, tuple[str, ...]] = {"runs": (*_IN_ALL, "curve"), "scores": tuple(PROXIES)}
_KEYS = ("space", "seed")  # what a row is of; columns where several are in one table


@dataclass(frozen=True)
class Wanted:
    """Which runs and scores a table is of.

    Attributes:
        dataset: needed for columns of runs and scores.
        recipe, protocol: None is the only recipe, the standard protocol.
        seed: of the runs; "all" is a row for each, of runs and scores.
        score_seed: of the scores; None is the seed of the runs.
    """

    dataset: str | None = None
    recipe: str | None = None
    protocol: str | None = None
    seed: Seeds = None
    score_seed: Seed = None

    def seed_of(self, kind: Kind) -> Seeds:
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
    """What `Bench.table` returns of one space; its docstring says what the arguments mean."""
    listed = _listed(release, [space], columns, wanted)
    part = _part(release, space, listed, wanted, where)
    return _framed(space.name, {space.name: part}, listed, wanted, where)


def select_of_spaces(
    release: Opened,
    spaces: Sequence[OpenedSpace],
    columns: Iterable[str] | None,
    wanted: Wanted,
    where: str | None = None,
) -> Frame:
    """What `Bench.table` returns of several spaces: the rows of each, one space after the other."""
    if not spaces:
        there = ", ".join(release.spaces)
        raise UsageError(f"space is an empty list; name one or more of {there}")
    listed = _led_by("space", _listed(release, spaces, columns, wanted))
    in_condition = [] if where is None else conditions.names_in(where)
    lacking = _lacking(spaces, [*listed, *in_condition])
    parts: dict[str, _Part] = {}
    for space in spaces:
        parts[space.name] = _part(release, space, listed, wanted, where, lacking[space.name])
    _check_one_recipe(parts)
    return _framed(list(parts), parts, listed, wanted, where)


def _listed(
    release: Opened, spaces: Sequence[OpenedSpace], columns: Iterable[str] | None, wanted: Wanted
) -> list[str]:
    """The columns of a table, checked as far as they can be without their homes."""
    default: list[str] = []
    for space in spaces:
        _check(release, space, wanted)
        if columns is None:
            default += _default_columns(space, wanted)
    listed = names_of("columns", columns, default)
    if not listed:
        there = ", ".join(column.name for column in columns_of("archs", spaces[0].name))
        raise UsageError(f"columns names nothing; name one or more of {there}, or leave it out for all")
    if wanted.seed == "all":
        return _led_by("seed", listed)
    return listed


class _Part(NamedTuple):
    """The rows of one space.

    Attributes:
        columns: by name, read-only.
        ids: arch_id of each row.
        chosen: the recipe and protocol of its columns; None of a table that no column is of.
        doubtful: the proxies among its columns that are not to be trusted there.
        notes: on archs that have no row.
    """

    columns: dict[str, npt.NDArray[Any]]
    ids: npt.NDArray[Any]
    chosen: dict[str, str | None]
    doubtful: list[str]
    notes: Sequence[str]


class _OneSeed:
    """A row per arch, in build order: its runs and scores of one seed, or their mean over the seeds.

    Attributes:
        ids: arch_id of each row.
        notes: none.
    """

    notes: Sequence[str] = ()

    def __init__(self, space: OpenedSpace, wanted: Wanted, chosen: Mapping[str, str | None]) -> None:
        self._space, self._dataset, self._chosen = space, str(wanted.dataset), chosen
        self._seeds = _checked_seeds(wanted)
        self.ids = archs_column(space, "arch_id")

    def of_archs(self, column: str) -> npt.NDArray[Any]:
        return archs_column(self._space, column)

    def measured(self, kind: Kind, column: str) -> npt.NDArray[Any]:
        name, seed = self._chosen[kind], self._seeds[kind]
        return of_all_archs(self._space, kind, column, self._dataset, name, seed)


class _Values(NamedTuple):
    """The columns of some rows of one space, by name.

    Attributes:
        rows: which.
        homes: the table and column of each name that is no key.
        lacks: names that the space does not have: null.
    """

    space: OpenedSpace
    rows: _OneSeed | EverySeed
    homes: Mapping[str, tuple[Table, str]]
    lacks: Collection[str]

    def of(self, name: str) -> npt.NDArray[Any]:
        """(R,) one column; UnknownNameError for `seed` where a row is of no seed."""
        if name in self.lacks:
            return np.full(len(self.rows.ids), np.nan)
        if name == "space":
            return np.full(len(self.rows.ids), self.space.name, object)
        if name == "seed":
            return self._seeds()
        table, column = self.homes[name]
        if table == "archs":
            return self.rows.of_archs(column)
        kind: Any = table  # runs or scores: of no other table is a column offered
        return self.rows.measured(kind, column)

    def _seeds(self) -> npt.NDArray[Any]:
        if isinstance(self.rows, EverySeed):
            return self.rows.seeds
        one = "a row per arch is of one seed, or of their mean"
        instead = "seed='all' gives a row per arch and seed, and the column"
        raise UnknownNameError(f"column 'seed': {one}; {instead}")


def _part(
    release: Opened,
    space: OpenedSpace,
    listed: Sequence[str],
    wanted: Wanted,
    where: str | None,
    lacks: Collection[str] = (),
) -> _Part:
    """The rows of one space; columns that it `lacks` are null."""
    in_condition = [] if where is None else conditions.names_in(where)
    homes = {}
    for name in (*listed, *in_condition):
        if name not in _KEYS and name not in lacks:
            homes[name] = resolved(name, space.name)
    _check_condition(where, in_condition, wanted, homes)
    chosen = _chosen(release, space, homes, wanted)
    rows: _OneSeed | EverySeed
    if wanted.seed == "all":
        kinds = _measured_kinds(space, homes)
        rows = EverySeed(space, str(wanted.dataset), {kind: chosen[kind] for kind in kinds})
    else:
        rows = _OneSeed(space, wanted, chosen)
    values = _Values(space, rows, homes, lacks)
    ids = rows.ids
    made = {name: values.of(name) for name in listed}
    if where is not None:
        mask = conditions.mask(where, values.of, len(ids))
        ids = ids[mask]
        made = {name: column[mask] for name, column in made.items()}
    for one in (ids, *made.values()):
        one.flags.writeable = False
    scores = [column for table, column in homes.values() if table == "scores"]
    return _Part(made, ids, chosen, doubtful_in(space.name, scores, wanted.dataset or ""), rows.notes)


def _framed(
    space: str | list[str],
    parts: Mapping[str, _Part],
    listed: Sequence[str],
    wanted: Wanted,
    where: str | None,
) -> Frame:
    """The rows of one space or of several as a Frame; `space` is what was asked for."""
    made = {name: _joined([part.columns[name] for part in parts.values()]) for name in listed}
    chosen = {kind: _one_or_each(parts, kind) for kind in ("runs", "scores")}
    selected = _selected(space, wanted, chosen)
    notes: list[str] = []
    doubtful: list[str] = []
    for name, part in parts.items():
        of_space = "" if isinstance(space, str) else f"{name}: "
        notes += [f"{of_space}{note}" for note in part.notes]
        notes += doubt_notes(name, part.doubtful, wanted.dataset or "")
        doubtful += part.doubtful
    return Frame(
        made,
        _title(selected, where),
        notes,
        arch_ids=_joined([part.ids for part in parts.values()]),
        selected=selected,
        schema=_schema(list(parts), listed),
        doubtful=doubtful,
    )


def _led_by(key: str, listed: Sequence[str]) -> list[str]:
    """A key in front, unless it is named."""
    if key in listed:
        return list(listed)
    return [key, *listed]


def _lacking(spaces: Sequence[OpenedSpace], listed: Iterable[str]) -> dict[str, set[str]]:
    """For each space the names that it lacks, where another one has them.

    Raises:
        UnknownNameError: a name that no space has.
    """
    lacking: dict[str, set[str]] = {space.name: set() for space in spaces}
    for name in listed:
        if name in _KEYS:
            continue
        unknown: list[UnknownNameError] = []
        for space in spaces:
            try:
                resolved(name, space.name)
            except UnknownNameError as error:
                unknown.append(error)
                lacking[space.name].add(name)
        if len(unknown) == len(spaces):
            raise unknown[0]
    return lacking


def _check_one_recipe(parts: Mapping[str, _Part]) -> None:
    """UsageError where the runs of several spaces are of several recipes."""
    used = {name: part.chosen["runs"] for name, part in parts.items() if part.chosen["runs"] is not None}
    if len(set(used.values())) > 1:
        listed = ", ".join(f"{recipe} of {name}" for name, recipe in used.items())
        raise UsageError(f"runs of several recipes, which are never mixed: {listed}; name one with recipe=")


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One column of one space, as it is, or of several, read-only."""
    if len(parts) == 1:
        return parts[0]
    joined = np.concatenate(parts)
    joined.flags.writeable = False
    return joined


def _one_or_each(parts: Mapping[str, _Part], kind: str) -> Any:
    """The recipe or protocol of all spaces, or by space where they differ."""
    by_space = {name: part.chosen[kind] for name, part in parts.items()}
    there = set(by_space.values()).difference([None])
    if len(there) > 1:
        return by_space
    return there.pop() if there else None


def _selected(space: Any, wanted: Wanted, chosen: Mapping[str, Any]) -> dict[str, Any]:
    seed = None
    if any(chosen.values()):
        seed = _checked_seeds(wanted)["runs"]
    selected = {"space": space, "dataset": wanted.dataset}
    return selected | {"recipe": chosen["runs"], "protocol": chosen["scores"], "seed": seed}


def _checked_seeds(wanted: Wanted) -> dict[str, Any]:
    """The seeds meant, of runs and of scores; UsageError for anything else."""
    if wanted.seed == "all":
        return {"runs": "all", "scores": "all"}
    return {
        "runs": one_seed_or_mean(wanted.seed_of("runs")),
        "scores": one_seed_or_mean(wanted.seed_of("scores")),
    }


def _measured_kinds(space: OpenedSpace, homes: Mapping[str, tuple[Table, str]]) -> list[Kind]:
    """Which of runs and scores some columns are of; UsageError where none is."""
    tables = {table for table, _ in homes.values()}
    kinds: tuple[Kind, ...] = ("runs", "scores")
    there = [kind for kind in kinds if kind in tables]
    if not there:
        no_column = "seed='all' is a row for each seed of runs and scores, and no column is of them"
        advice = f"name one, with its dataset={space.datasets()}, or leave seed out"
        raise UsageError(f"{no_column}; {advice}")
    return there


def _check_condition(
    where: str | None, in_condition: Iterable[str], wanted: Wanted, homes: Mapping[str, tuple[Table, str]]
) -> None:
    for name in in_condition:
        if name in homes and homes[name] == ("runs", "curve"):
            listed = f"{name} in {where!r} is a list of numbers in each row"
            raise UsageError(f"{listed}; conditions compare single ones: val_acc is the last of an ok run")


def numbers_of(
    release: Opened, space: OpenedSpace, kind: Kind, column: str, wanted: Wanted
) -> npt.NDArray[Any]:
    """(archs,) one number column of runs or scores over all archs of a space; NaN where there is none."""
    name = release.named(kind, space, str(wanted.dataset), wanted.name_of(kind))
    seed = _checked_seeds(wanted)[kind]
    values = of_all_archs(space, kind, column, str(wanted.dataset), name, seed)
    return np.asarray(values, np.float64)


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


def _title(selected: Mapping[str, Any], where: str | None) -> str:
    parts = []
    for name in ("space", "dataset", "recipe", "protocol"):
        if selected[name] is not None:
            parts.append(selected_said(selected[name]))
    if selected["seed"] == "all":
        parts.append("all seeds")
    elif selected["seed"] is not None:
        parts.append(f"seed {selected['seed']}")
    if where is not None:
        parts.append(f"where {where}")
    return ", ".join(parts)


def selected_said(value: Any) -> str:
    """One name; several, joined; or what each space has."""
    if isinstance(value, list):
        return " + ".join(value)
    if isinstance(value, dict):
        return " and ".join(f"{name} of {space}" for space, name in value.items() if name is not None)
    return str(value)


def _schema(spaces: Sequence[str], columns: Sequence[str]) -> Callable[[], pa.Schema]:
    """Makes the Arrow schema of some columns, with the release's types and units."""

    def make() -> pa.Schema:
        import pyarrow as pa

        known: dict[str, pa.Field] = {"space": pa.field("space", pa.string())}
        for space in spaces:
            for table in TABLES:
                for field in arrow_schema(table, space):
                    qualified = f"{table}.{field.name}"
                    known.setdefault(field.name, field)
                    known.setdefault(qualified, field.with_name(qualified))
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


def _default_columns(space: OpenedSpace, wanted: Wanted) -> list[str]:
    names = [column.name for column in columns_of("archs", space.name)]
    if wanted.dataset is not None:
        offered = [*_IN_ALL, *_proxies_there(space, wanted.dataset)]
        names += [name for name in offered if name not in names]
    if wanted.seed == "mean":
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
            elsewhere = f"a record's {_METHODS.get(table, 'run()')} has it, and Bench.arrow({table!r}, ...)"
            raise UnknownNameError(f"column {name!r} of {table} is not offered here; {elsewhere}")
    qualifier, _, column = name.rpartition(".")
    if qualifier and qualifier not in offered:
        raise unknown_name("table", qualifier, offered)
    known: set[str] = set()
    for table, columns in offered.items():
        if qualifier in ("", table):
            known.update(columns)
    raise unknown_name(f"column of {qualifier}" if qualifier else "column", column, known)
