"""Columns of many archs: the table that `Bench.table` returns, and how its columns are selected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbzero.bench import COSTS, RUN_NUMBERS, Bench, Kind, OpenedSpace, Seed, one_seed
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError, count_of, needs, unknown_name
from nbzero.proxies.facts import PROXIES
from nbzero.release import conditions
from nbzero.release.schema import TABLES, Table, arrow_schema, columns_of
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_TABLE_COLUMNS: dict[Table, tuple[str, ...]] = {"runs": ("status", *RUN_NUMBERS), "scores": tuple(PROXIES)}


class TableView:
    """Columns of many archs, in build order. `view["macs"]` is a numpy array, read-only, a view of the mapped file where no row was left out.

    Null is NaN in numeric columns and None in text columns; `.to_arrow()`, `.to_pandas()` and `.to_polars()` give true nulls (pandas: NaN).

    Attributes:
        space: the space's name.
        columns: their names, in order.
        arch_ids: (rows,) position of each row in the build order, read-only.
        dataset, recipe, protocol, seed: what was selected; None where nothing of it is in the table.
    """

    def __init__(
        self, space: str, arch_ids: npt.NDArray[Any], columns: dict[str, Any], selected: dict[str, Any]
    ) -> None:
        self.space = space
        self.arch_ids = arch_ids
        self._columns = columns
        self.dataset: str | None = selected.get("dataset")
        self.recipe: str | None = selected.get("recipe")
        self.protocol: str | None = selected.get("protocol")
        self.seed: Seed = selected.get("seed")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def __len__(self) -> int:
        return len(self.arch_ids)

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        if column not in self._columns:
            raise unknown_name("column", column, self._columns)
        values: npt.NDArray[Any] = self._columns[column]
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __contains__(self, column: object) -> bool:
        return column in self._columns

    def __repr__(self) -> str:
        said = ", ".join(
            f"{k}={v!r}"
            for k in ("dataset", "recipe", "protocol", "seed")
            if (v := getattr(self, k)) is not None
        )
        return f"TableView({self.space!r}, {count_of(len(self), 'row')}, {said + ', ' if said else ''}columns={list(self.columns)})"

    def to_arrow(self) -> pa.Table:
        """A pyarrow.Table with the release's types, units and true nulls; ImportError without pyarrow."""
        pa = needs("to_arrow", "pyarrow")
        known: dict[str, Any] = {}
        for table in TABLES:
            for arrow_field in arrow_schema(table, self.space):
                known.setdefault(arrow_field.name, arrow_field)
                known[f"{table}.{arrow_field.name}"] = arrow_field.with_name(f"{table}.{arrow_field.name}")
        fields = [known[name].with_nullable(True) for name in self.columns]
        arrays = [pa.array(self[f.name], f.type, from_pandas=True) for f in fields]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def to_pandas(self) -> pd.DataFrame:
        """A pandas.DataFrame; ImportError without pandas (nbzero[analysis])."""
        frame: pd.DataFrame = needs("to_pandas", "pandas").DataFrame(
            {name: self[name] for name in self.columns}
        )
        return frame

    def to_polars(self) -> pl.DataFrame:
        """A polars.DataFrame, from `to_arrow`; ImportError without polars."""
        frame: pl.DataFrame = needs("to_polars", "polars").from_arrow(self.to_arrow())
        return frame


def select(
    bench: Bench,
    opened: OpenedSpace,
    columns: Iterable[str] | None,
    dataset: str | None,
    recipe: str | None,
    protocol: str | None,
    seed: Seed,
    where: str | None,
    score_seed: Seed = None,
) -> TableView:
    """What `Bench.table` returns; its docstring says what the arguments mean. A score_seed is of the scores where it is another one."""
    space = opened.name
    chosen: dict[Kind, str | None] = {"runs": None, "scores": None}
    given: dict[Kind, str | None] = {"runs": recipe, "scores": protocol}
    if isinstance(columns, str):
        raise UsageError(f"columns is {columns!r}; it is a list of names: [{columns!r}]")
    if dataset is not None:
        bench._check_dataset(dataset)
    elif recipe is not None or protocol is not None:
        raise UsageError(f"recipe and protocol go with a dataset: say which, dataset={bench.datasets(space)}")
    if seed != "mean":
        seed = one_seed(seed)
    seeds: dict[Kind, Seed] = {"runs": seed, "scores": seed if score_seed is None else score_seed}
    if seeds["scores"] != "mean":
        seeds["scores"] = one_seed(seeds["scores"])
    names = list(columns) if columns is not None else _default_columns(opened, dataset, seed)
    wanted = {
        name: _resolved(name, space)
        for name in [*names, *(conditions.names_in(where) if where is not None else [])]
    }
    kinds: tuple[Kind, ...] = ("runs", "scores")
    for kind in kinds:
        needed = next((name for name, (table, _) in wanted.items() if table == kind), None)
        if needed and dataset is None:
            raise UsageError(
                f"column {needed!r} is of the {kind} tables: say which, dataset={bench.datasets(space)}"
            )
        if dataset is not None and (needed or given[kind] is not None):
            chosen[kind] = bench._named(kind, opened, dataset, given[kind])

    def values(name: str) -> npt.NDArray[Any]:
        table, column = wanted[name]
        if table == "archs":
            return _archs_column(opened, column)
        return _column(opened, table, column, str(dataset), chosen[table], seeds[table])

    mask = conditions.mask(where, values, len(opened.archs)) if where is not None else None
    ids = _archs_column(opened, "arch_id")
    data = {name: values(name) if mask is None else values(name)[mask] for name in dict.fromkeys(names)}
    ids = ids if mask is None else ids[mask]
    for one in (ids, *data.values()):
        one.flags.writeable = False
    selected: dict[str, Any] = {"dataset": dataset, "recipe": chosen["runs"], "protocol": chosen["scores"]}
    if any(chosen.values()):
        selected["seed"] = seed
    return TableView(space, ids, data, selected)


def none_meets(
    bench: Bench,
    space: str,
    where: str,
    ids: npt.NDArray[Any],
    counted: str,
    dataset: str | None = None,
    recipe: str | None = None,
    protocol: str | None = None,
    seed: Seed = None,
    score_seed: Seed = None,
) -> NothingFoundError:
    """The error for a condition that none of some archs meets: how many there were before it, and what its columns hold there.

    Args:
        ids: (rows,) arch_ids of these archs.
        counted: what they are, in words, after their number.
    """
    opened = bench._space(space)
    whole = select(
        bench, opened, conditions.names_in(where), dataset, recipe, protocol, seed, None, score_seed
    )
    met = len(select(bench, opened, ["arch_id"], dataset, recipe, protocol, seed, where, score_seed))
    held = []
    for name in whole.columns:
        values = whole[name][ids]
        if values.dtype != object:
            there = np.asarray(values, np.float64)
            there = there[~np.isnan(there)]
            held.append(
                f"{name} is {there.min():.10g} to {there.max():.10g}" if len(there) else f"{name} is null"
            )
    elsewhere = (
        f" (of all {count_of(len(whole), 'arch')} of {space} {met} do)" if len(ids) < len(whole) else ""
    )
    return NothingFoundError(
        f"no arch meets {where!r}: of the {len(ids):,} {counted} none does{elsewhere}"
        + (f"; there {', '.join(held)}" if held else "") + "; widen the condition, or leave it out"
    )  # fmt: skip


def _column(
    opened: OpenedSpace, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed
) -> npt.NDArray[Any]:
    """One column of runs or scores over all archs of the space."""
    table, size = f"{kind}/{dataset}", len(opened.archs)
    groups = opened.groups(table)
    seeds = [one for other, one in groups if other == name and seed in (one, "mean")]
    found = [groups[name, one] for one in seeds if name is not None]
    if any(group.ids.tobytes() != found[0].ids.tobytes() for group in found):
        counts = ", ".join(
            f"seed {one}: {count_of(len(group.ids), 'arch')}" for one, group in zip(seeds, found, strict=True)
        )
        raise UsageError(
            f"seed='mean' needs the same seeds for every arch of {opened.name} on {dataset}, but there are {counts}; name one"
        )
    if column == "status":
        if len(seeds) > 1:
            raise UsageError("status has no mean; name a seed")
        texts, codes = opened.index.texts(table, column) if found else ([], memoryview(b""))
        spread: npt.NDArray[Any] = np.full(size, None, object)
        for group in found:
            spread[np.asarray(group.ids)] = np.array([*texts, None], object)[
                np.asarray(codes[group.start : group.stop])
            ]
        return spread
    parts = []
    for group in found:
        part = np.asarray(opened.numbers(table, column))[group.start : group.stop]
        if len(part) < size:
            spread = np.full(size, np.nan)
            spread[np.asarray(group.ids)] = part
            part = spread
        parts.append(part)
    if not parts:
        return np.full(size, np.nan)
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)


def _archs_column(opened: OpenedSpace, column: str) -> npt.NDArray[Any]:
    return np.array(opened.archs, object) if column == "arch" else np.asarray(opened.numbers("archs", column))


def _default_columns(opened: OpenedSpace, dataset: str | None, seed: Seed) -> list[str]:
    names = [c.name for c in columns_of("archs", opened.name)]
    if dataset is not None:
        offered = dict(_TABLE_COLUMNS)
        if opened.name in IMPORTED:  # most proxies are none that its source gives
            scores = f"scores/{dataset}"
            offered["scores"] = tuple(
                name for name in PROXIES if scores in opened.index.tables and opened.has(scores, name)
            )
        names += [name for columns in offered.values() for name in columns if name not in names]
    return [name for name in names if name != "status" or seed != "mean"]


def _resolved(name: str, space: str) -> tuple[Table, str]:
    """The table and the column that a plain or qualified name means."""
    offered: dict[Table, tuple[str, ...]] = {
        "archs": tuple(c.name for c in columns_of("archs", space)),
        **_TABLE_COLUMNS,
    }
    if (
        space in IMPORTED and name in COSTS and name not in offered["archs"]
    ):  # not the proxy of that name, which its scores do not have either
        raise unknown_name(f"cost of {space}", name, (cost for cost in COSTS if cost in offered["archs"]))
    for table, columns in offered.items():
        for column in columns:
            if name in (column, f"{table}.{column}"):
                return table, column
    if not isinstance(name, str):
        raise UsageError(f"columns holds {name!r}; it is a list of names")
    for table in TABLES:
        if name.removeprefix(f"{table}.") in {c.name for c in columns_of(table, space)}:
            raise UnknownNameError(
                f"column {name!r} of {table} is not offered here; a record's run() and scores() have it, and Bench.arrow({table!r}, ...)"
            )
    qualifier, _, column = name.rpartition(".")
    if qualifier and qualifier not in offered:
        raise unknown_name("table", qualifier, offered)
    known = {c for table, columns in offered.items() if qualifier in ("", table) for c in columns}
    raise unknown_name(f"column of {qualifier}" if qualifier else "column", column, known)
