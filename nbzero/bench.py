"""Bench: looks up one architecture or selects many, from a release on disk or at a URL.

A query reads a memory-mapped index and imports neither pyarrow nor pandas; a table's columns are views of the same memory. Whatever is
absent is None (NaN in numeric columns), and its reason can be asked for. A Bench pickles as the address of its release, so that it and
its records can be handed to other processes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nbzero import where as conditions
from nbzero.errors import ReleaseError, UnknownNameError, unknown_name
from nbzero.index import Index, build_index, index_path, sort_keys
from nbzero.proxies import PROXIES
from nbzero.release import Release, cache_folder, write_cached
from nbzero.schema import DATASETS, PROTOCOLS, RECIPES, TABLES, Table, arrow_schema, parse_path, path_of, standard_protocol
from nbzero.spaces import CHOICES, Arch, Space, Stage, as_arch

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Split = Literal["val", "test"]
Seed = int | Literal["mean"] | None
Kind = Literal["runs", "scores"]
_RUN_NUMBERS = ("val_acc", "test_acc", "train_loss", "train_time_s")
_TABLE_COLUMNS: dict[Table, tuple[str, ...]] = {"runs": ("status", *_RUN_NUMBERS), "scores": tuple(PROXIES)}


@dataclass(frozen=True, slots=True)
class Run:
    """One training run: a row of a runs table; units and meanings are in `nbzero.schema`."""

    arch: str
    dataset: str
    recipe: str
    seed: int
    status: str
    val_acc: float | None
    test_acc: float | None
    train_loss: float | None
    curve: tuple[float, ...]
    train_time_s: float
    device: str
    engine: str
    software: str
    builder_commit: str


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one initialisation: a row of a scores table. `values[proxy]` is None where `failures` gives the reason."""

    arch: str
    dataset: str
    protocol: str
    seed: int
    values: Mapping[str, float | None]
    seconds: Mapping[str, float | None]
    failures: Mapping[str, str]
    device: str
    software: str
    builder_commit: str


class _Group:
    """The rows of one recipe or protocol and one seed, sorted by arch_id."""

    __slots__ = ("ids", "is_prefix", "num_rows", "start", "stop")

    def __init__(self, ids: npt.NDArray[np.int32], start: int, stop: int) -> None:
        self.start, self.stop, self.ids = start, stop, ids[start:stop]
        self.num_rows = stop - start
        self.is_prefix = bool(self.ids[0] == 0 and self.ids[-1] == self.num_rows - 1)  # the first of the build order, as usual

    def row(self, arch_id: int) -> int | None:
        if self.is_prefix:
            return self.start + arch_id if arch_id < self.num_rows else None
        i = int(self.ids.searchsorted(arch_id))
        return self.start + i if i < self.num_rows and self.ids[i] == arch_id else None


class _Space:
    """The opened index of one space, its look-ups and groups."""

    def __init__(self, name: str, index: Index) -> None:
        self.name, self.index = name, index
        self.archs = index.lines("archs", "arch")
        self.ids = {arch: arch_id for arch_id, arch in enumerate(self.archs)}
        self.macs, self.params = index.numbers("archs", "macs"), index.numbers("archs", "params")
        self.depth = index.numbers("archs", "depth")
        self.parts: dict[tuple[Kind, str, str, str | None, int], tuple[_Group, npt.NDArray[Any]] | None] = {}  # of `Record._one`
        self._numbers: dict[tuple[str, str], npt.NDArray[Any]] = {}
        self._groups: dict[str, dict[tuple[str, int], _Group]] = {}

    @cached_property
    def space(self) -> Space:
        return Space(self.name, tuple(self.archs))

    @cached_property
    def arch_column(self) -> npt.NDArray[Any]:
        column = np.array(self.archs, object)
        column.flags.writeable = False
        return column

    def has(self, table: str, column: str) -> bool:
        return column in self.index.tables[table]["columns"]

    def numbers(self, table: str, column: str) -> npt.NDArray[Any]:
        """A number column, (rows,); all NaN where the release is older than the column."""
        key = (table, column)
        if key not in self._numbers:
            there = self.has(table, column)
            self._numbers[key] = self.index.numbers(table, column) if there else np.full(self.index.tables[table]["rows"], np.nan)
        return self._numbers[key]

    def groups(self, table: str) -> dict[tuple[str, int], _Group]:
        """By (recipe or protocol, seed); empty where the release has no such table."""
        if table not in self._groups:
            described = self.index.tables.get(table)
            ids = self.numbers(table, "arch_id") if described else np.zeros(0, np.int32)
            listed = described["groups"] if described else []
            self._groups[table] = {(name, seed): _Group(ids, start, stop) for name, seed, start, stop in listed}
        return self._groups[table]

    def text(self, table: str, column: str, row: int) -> str | None:
        texts, codes = self.index.texts(table, column)
        return texts[codes[row]] if codes[row] >= 0 else None

    def datasets(self, kind: Kind) -> list[str]:
        return sorted(name.split("/")[1] for name in self.index.tables if name.startswith(kind + "/"))

    def named(self, kind: Kind, dataset: str) -> list[str]:
        """The recipes or protocols of a dataset's table."""
        return list(dict.fromkeys(name for name, _ in self.groups(f"{kind}/{dataset}")))  # rows are sorted by them

    def seeds(self, kind: Kind, dataset: str, name: str) -> list[int]:
        return [seed for other, seed in self.groups(f"{kind}/{dataset}") if other == name]


class Record:
    """One arch of a release: immutable, typed, read from the mapped index when asked. `Bench.query` makes it.

    Attributes:
        space, arch, arch_id: the space's name, the canonical string, the position in the build order.
        macs, params, depth: at 3x32x32 with 100 classes; flops = 2 * macs.
        stem, stages: the choices.

    Two records are equal where their arch and the manifest of their release are.
    """

    __slots__ = ("_bench", "_space", "arch_id")
    arch_id: int
    _bench: Bench
    _space: _Space

    def __init__(self, bench: Bench, space: _Space, arch_id: int) -> None:
        object.__setattr__(self, "_bench", bench)
        object.__setattr__(self, "_space", space)
        object.__setattr__(self, "arch_id", arch_id)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a record cannot be changed ({name}): released rows are never edited")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a record cannot be changed ({name}): released rows are never edited")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.arch == other.arch and self._bench.sha256 == other._bench.sha256

    def __hash__(self) -> int:
        return hash(self.arch)

    def __reduce__(self) -> tuple[Any, ...]:
        return Bench.query, (self._bench, (self.space, self.arch_id))

    def __repr__(self) -> str:
        return f"Record({self.arch!r}, arch_id={self.arch_id}, macs={self.macs}, params={self.params}, depth={self.depth})"

    @property
    def space(self) -> str:
        return self._space.name

    @property
    def arch(self) -> str:
        return self._space.archs[self.arch_id]

    @property
    def macs(self) -> int:
        return int(self._space.macs[self.arch_id])

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def params(self) -> int:
        return int(self._space.params[self.arch_id])

    @property
    def depth(self) -> int:
        return int(self._space.depth[self.arch_id])

    @property
    def stem(self) -> int:
        return Arch.parse(self.arch).stem

    @property
    def stages(self) -> tuple[Stage, ...]:
        return Arch.parse(self.arch).stages

    def accuracy(self, dataset: str, recipe: str | None = None, split: Split = "val", seed: Seed = None) -> float | None:
        """Accuracy after the last epoch, a fraction in [0, 1].

        Args:
            recipe: may be left out where the release has only one for this space and dataset.
            split: "val", or "test", which is for the final judgement only.
            seed: None is seed 0; a number; or "mean" over the seeds that finished.

        Returns:
            None where there is no such run or it diverged; `accuracy_reason`, with the same arguments, says which.

        Raises:
            UnknownNameError: a dataset or recipe that does not exist.
            ValueError: another split or seed, or no recipe named where there are several.
        """
        return self._value("runs", _split_column(split), dataset, recipe, seed)

    def accuracy_reason(self, dataset: str, recipe: str | None = None, split: Split = "val", seed: Seed = None) -> str | None:
        """Why `accuracy` with the same arguments is None; None where it is a number."""
        return self._reason("runs", _split_column(split), dataset, recipe, seed)

    def score(self, proxy: str, dataset: str, protocol: str | None = None, seed: Seed = None) -> float | None:
        """A proxy's score as computed, sign and scale untouched.

        Args:
            protocol: None is the space's standard one.
            seed: None is seed 0; a number; or "mean" over the seeds that have a score.

        Returns:
            None where it was not or could not be computed; `score_reason`, with the same arguments, says which.

        Raises:
            UnknownNameError: a proxy, dataset or protocol that does not exist.
            ValueError: another seed.
        """
        return self._value("scores", _proxy_column(proxy), dataset, protocol, seed)

    def score_reason(self, proxy: str, dataset: str, protocol: str | None = None, seed: Seed = None) -> str | None:
        """Why `score` with the same arguments is None; None where it is a number."""
        return self._reason("scores", _proxy_column(proxy), dataset, protocol, seed)

    def run(self, dataset: str, recipe: str | None = None, seed: int = 0) -> Run | None:
        """The whole row of one training run, with its curve and where it was made; None where there is none."""
        seed, recipe = _one_seed(seed), self._bench._named("runs", self._space, dataset, recipe)
        row = self._row("runs", dataset, recipe, seed)
        if row is None or recipe is None:
            return None
        text, table = self._space.text, f"runs/{dataset}"
        values = {name: _or_none(self._space.numbers(table, name).item(row)) for name in _RUN_NUMBERS}
        texts = {name: text(table, name, row) for name in ("status", "device", "engine", "software", "builder_commit")}
        curve = self._space.index.list_at(table, "curve", row)
        return Run(self.arch, dataset, recipe, seed, curve=curve, **values, **texts)  # type: ignore[arg-type]

    def scores(self, dataset: str, protocol: str | None = None, seed: int = 0) -> Scores | None:
        """The whole row of one scored initialisation; None where there is none."""
        seed, protocol = _one_seed(seed), self._bench._named("scores", self._space, dataset, protocol)
        row = self._row("scores", dataset, protocol, seed)
        if row is None or protocol is None:
            return None
        text, table = self._space.text, f"scores/{dataset}"
        values = {name: _or_none(self._space.numbers(table, name).item(row)) for name in PROXIES}
        timed = [c.name for c in TABLES["scores"] if c.unit == "s"]
        seconds = {name.removesuffix("_s"): _or_none(self._space.numbers(table, name).item(row)) for name in timed}
        failures = json.loads(text(table, "failures", row) or "{}")
        made = {name: text(table, name, row) for name in ("device", "software", "builder_commit")}
        return Scores(self.arch, dataset, protocol, seed, values, seconds, failures, **made)  # type: ignore[arg-type]

    def _row(self, kind: Kind, dataset: str, name: str | None, seed: int) -> int | None:
        group = self._space.groups(f"{kind}/{dataset}").get((name, seed)) if name is not None else None
        return group.row(self.arch_id) if group else None

    def _value(self, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed) -> float | None:
        if seed != "mean":
            return self._one(kind, column, dataset, name, _one_seed(seed))
        named = self._bench._named(kind, self._space, dataset, name)
        seeds = self._space.seeds(kind, dataset, named) if named is not None else []
        values = [self._one(kind, column, dataset, named, one) for one in seeds]
        there = [value for value in values if value is not None]
        return sum(there) / len(there) if there else None

    def _one(self, kind: Kind, column: str, dataset: str, name: str | None, seed: int) -> float | None:
        """One number; where it lies is found once for all archs, so that a look-up takes about a microsecond."""
        key, parts = (kind, column, dataset, name, seed), self._space.parts
        if key not in parts:
            named, table = self._bench._named(kind, self._space, dataset, name), f"{kind}/{dataset}"
            group = self._space.groups(table).get((named, seed)) if named is not None else None
            parts[key] = (group, self._space.numbers(table, column)) if group else None
        part = parts[key]
        row = part[0].row(self.arch_id) if part else None
        return _or_none(part[1].item(row)) if part and row is not None else None

    def _reason(self, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed) -> str | None:
        if self._value(kind, column, dataset, name, seed) is not None:
            return None
        name = self._bench._named(kind, self._space, dataset, name)
        word, key = ("run", "recipe") if kind == "runs" else ("scores", "protocol")
        seeds = self._space.seeds(kind, dataset, name) if name is not None else []
        if not seeds:
            return f"the release has no {kind} of {self.space} on {dataset}" + (f" with {key} {name}" if name is not None else "")
        asked = seeds if seed == "mean" else [_one_seed(seed)]
        row = next((row for row in (self._row(kind, dataset, name, one) for one in asked) if row is not None), None)
        if row is None:
            return f"this arch has no {word} on {dataset} with {key} {name} and seed {', '.join(map(str, asked))}"
        if kind == "runs":
            return "the run diverged: its loss or a logit stopped being finite"
        if not self._space.has(f"scores/{dataset}", column):
            return f"the release is older than the proxy {column}"
        failures = json.loads(self._space.text(f"scores/{dataset}", "failures", row) or "{}")
        return str(failures.get(column, "not computed by the job that scored this arch"))


def _or_none(number: float) -> float | None:
    return number if number == number else None


def _one_seed(seed: Seed) -> int:
    """The seed meant by None or a number; ValueError for anything else."""
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed {seed!r}; it is None (seed 0) or a whole number from 0, and 'mean' where one number is asked for")
    return int(seed)


def _split_column(split: str) -> str:
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r}; it is 'val', or 'test' for the final judgement")
    return f"{split}_acc"


def _proxy_column(name: str) -> str:
    if name not in PROXIES:
        raise unknown_name("proxy", name, PROXIES)
    return name


class TableView:
    """Columns of many archs, in build order. `view["macs"]` is a numpy array, read-only, a view of the mapped file where no row was left out.

    Null is NaN in numeric columns and None in text columns; `.to_arrow()`, `.to_pandas()` and `.to_polars()` give true nulls (pandas: NaN).

    Attributes:
        space: the space's name.
        columns: their names, in order.
        arch_ids: (rows,) position of each row in the build order, read-only.
        dataset, recipe, protocol, seed: what was selected; None where nothing of it is in the table.
    """

    def __init__(self, space: str, arch_ids: npt.NDArray[Any], columns: dict[str, Any], selected: dict[str, Any]) -> None:
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
        said = ", ".join(f"{k}={v!r}" for k in ("dataset", "recipe", "protocol", "seed") if (v := getattr(self, k)) is not None)
        return f"TableView({self.space!r}, {len(self)} rows, {said + ', ' if said else ''}columns={list(self.columns)})"

    def to_arrow(self) -> pa.Table:
        """A pyarrow.Table with the release's types, units and true nulls."""
        import pyarrow as pa

        known: dict[str, pa.Field] = {}
        for table in TABLES:
            for arrow_field in arrow_schema(table):
                known.setdefault(arrow_field.name, arrow_field)
                known[f"{table}.{arrow_field.name}"] = arrow_field.with_name(f"{table}.{arrow_field.name}")
        fields = [known[name].with_nullable(True) for name in self.columns]
        arrays = [pa.array(self[f.name], f.type, from_pandas=True) for f in fields]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def to_pandas(self) -> pd.DataFrame:
        """A pandas.DataFrame; needs nbzero[analysis]."""
        import pandas as pd

        return pd.DataFrame({name: self[name] for name in self.columns})

    def to_polars(self) -> pl.DataFrame:
        """A polars.DataFrame, from `to_arrow`; needs polars."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame


class Bench:
    """A release, opened read-only.

    Args:
        path_or_url: a directory or fsspec URL with a manifest.json; None: the release that ships with nbzero.

    Raises:
        ReleaseError: nothing there, or something that its manifest does not promise. Files are checked when they are first read.

    >>> b = Bench()
    >>> b.query("r1-s32-d4w32s1-d1w256s2-d2w256s2-d5w256s2").macs
    498983936
    """

    def __init__(self, path_or_url: str | os.PathLike[str] | None = None) -> None:
        self._release = Release.open(path_or_url)
        self._opened: dict[str, _Space] = {}
        named = [parse_path(path) for path in self._release.manifest.files if path.endswith(".parquet")]
        self._tables = sorted(named, key=lambda table: (table[1], table[0], table[2] or ""))
        self.spaces: tuple[str, ...] = tuple(_in_known_order({space for table, space, _ in named if table == "archs"}))

    def __reduce__(self) -> tuple[Any, ...]:
        return Bench, (self._release.url,)

    @property
    def version(self) -> str:
        """The data version, like "0.1.0"."""
        return self._release.manifest.data_version

    @property
    def sha256(self) -> str:
        """SHA-256 of the manifest: it fixes every byte of the release."""
        return self._release.sha256

    def __repr__(self) -> str:
        return f"Bench({self._release.url!r}, version={self.version!r}, sha256={self.sha256[:12]!r}, spaces={list(self.spaces)})"

    def space(self, name: str) -> Space:
        """A space with its members from this release: `sample`, `neighbours`, `mutate`, `crossover`, `encode`, `decode`, len, iteration, in."""
        return self._space(name).space

    def datasets(self, space: str) -> list[str]:
        """The data sets on which the release has runs or scores of a space."""
        opened = self._space(space)
        return sorted({*opened.datasets("runs"), *opened.datasets("scores")})

    def recipes(self, space: str, dataset: str) -> list[str]:
        """The recipes of which the release has runs of a space on a data set."""
        return self._space(space).named("runs", self._dataset(dataset))

    def protocols(self, space: str, dataset: str) -> list[str]:
        """The protocols under which the release has scores of a space on a data set."""
        return self._space(space).named("scores", self._dataset(dataset))

    def seeds(self, space: str, dataset: str, recipe: str | None = None) -> list[int]:
        """The seeds of which the release has runs."""
        opened = self._space(space)
        named = self._named("runs", opened, dataset, recipe)
        return opened.seeds("runs", dataset, named) if named else []

    def query(self, arch: str | Arch | tuple[str, int]) -> Record:
        """The record of one arch.

        Args:
            arch: its string, an Arch, or (space, arch_id).

        Raises:
            ValueError: a string that is malformed or out of its space's grid, saying what is wrong, or another kind of tuple.
            NotAMemberError: a grid arch that is no member; names its nearest members.
            UnknownNameError: a space that the release does not have.
            IndexError: an arch_id beyond the space.
        """
        if isinstance(arch, str):
            for opened in self._opened.values():
                arch_id = opened.ids.get(arch)
                if arch_id is not None:
                    return Record(self, opened, arch_id)
        if isinstance(arch, tuple):
            return self._query_id(arch)
        parsed = as_arch(arch)
        opened = self._space(parsed.space)
        arch_id = opened.ids.get(str(parsed))
        return Record(self, opened, opened.space.arch_id(parsed) if arch_id is None else arch_id)

    def _query_id(self, key: tuple[str, int]) -> Record:
        if len(key) != 2 or isinstance(key[1], bool) or not isinstance(key[1], (int, np.integer)):
            raise ValueError(f"{key!r} names no arch; a tuple is (space, arch_id), like ('r1', 0)")
        space, arch_id = key
        opened = self._space(space)
        if not 0 <= arch_id < len(opened.archs):
            raise IndexError(f"arch_id {arch_id}; {space} has 0 to {len(opened.archs) - 1}")
        return Record(self, opened, int(arch_id))

    def table(
        self,
        space: str,
        columns: Iterable[str] | None = None,
        dataset: str | None = None,
        recipe: str | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        where: str | None = None,
    ) -> TableView:
        """Columns of all archs of a space in build order, or of those for which `where` holds.

        Args:
            columns: names, also qualified where two tables share one ("archs.macs", "scores.macs": the plain name is the first of archs,
                runs, scores). None: every column of archs; with a dataset also those of its runs (status, val_acc, test_acc, train_loss,
                train_time_s) and scores (one per proxy) that do not share a name. What else the files hold (curves, devices, seconds,
                failures) is given by `run` and `scores` of a record, and by `arrow`.
            dataset: needed for columns of runs and scores.
            recipe: may be left out where the release has only one for this space and dataset.
            protocol: None is the space's standard one.
            seed: of runs and scores; None is 0. "mean" is over all seeds and needs the same ones for every arch that has any, because
                averaging more seeds for some archs than for others biases a ranking; for the same reason it is null where one
                of them is. It leaves `status` out.
            where: for instance "macs < 1e8 and s1_depth >= 2"; null is neither true nor false. See `nbzero.where`.

        Raises:
            UnknownNameError: a space, dataset, recipe, protocol or column that does not exist.
            ValueError: a column of runs or scores, a recipe or a protocol without a dataset, several recipes and none named, another seed,
                a mean over different seeds, or a condition that cannot be read.
        """
        opened = self._space(space)
        chosen: dict[Kind, str | None] = {"runs": None, "scores": None}
        given: dict[Kind, str | None] = {"runs": recipe, "scores": protocol}
        if isinstance(columns, str):
            raise ValueError(f"columns is {columns!r}; it is a list of names: [{columns!r}]")
        if dataset is not None:
            self._dataset(dataset)
        elif recipe is not None or protocol is not None:
            raise ValueError(f"recipe and protocol go with a dataset: say which, dataset={self.datasets(space)}")
        if seed != "mean":
            seed = _one_seed(seed)
        names = list(columns) if columns is not None else _default_columns(dataset, seed)
        wanted = {name: _resolved(name) for name in [*names, *(conditions.names_in(where) if where is not None else [])]}
        kinds: tuple[Kind, ...] = ("runs", "scores")
        for kind in kinds:
            needed = next((name for name, (table, _) in wanted.items() if table == kind), None)
            if needed and dataset is None:
                raise ValueError(f"column {needed!r} is of the {kind} tables: say which, dataset={self.datasets(space)}")
            if dataset is not None and (needed or given[kind] is not None):
                chosen[kind] = self._named(kind, opened, dataset, given[kind])

        def values(name: str) -> npt.NDArray[Any]:
            table, column = wanted[name]
            if table == "archs":
                return _archs_column(opened, column)
            return self._column(opened, table, column, str(dataset), chosen[table], seed)

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

    def arrow(self, table: Table, space: str, dataset: str | None = None) -> pa.Table:
        """A whole Parquet table as it is stored, every column, recipe and seed, checked against the manifest.

        Raises:
            UnknownNameError: a table, space or dataset that does not exist.
            ValueError: runs or scores without a dataset, or archs with one.
            ReleaseError: the release has no such table, or its file is not what the manifest promises.
        """
        if table not in TABLES:
            raise unknown_name("table", table, TABLES)
        if space not in self.spaces:
            raise unknown_name("space", space, self.spaces)
        if (dataset is None) != (table == "archs"):
            raise ValueError(f"dataset {dataset!r} with the {table} table; archs are of no data set, runs and scores of one: {self.datasets(space)}")
        if dataset is not None:
            self._dataset(dataset)
        return self._release.table(path_of(table, space, dataset))

    def _column(self, opened: _Space, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed) -> npt.NDArray[Any]:
        """One column of runs or scores over all archs of the space."""
        table, size = f"{kind}/{dataset}", len(opened.archs)
        groups = opened.groups(table)
        seeds = [one for other, one in groups if other == name and seed in (one, "mean")]
        found = [groups[name, one] for one in seeds if name is not None]
        if any(group.ids.tobytes() != found[0].ids.tobytes() for group in found):
            counts = ", ".join(f"seed {one}: {len(group.ids)} archs" for one, group in zip(seeds, found, strict=True))
            raise ValueError(f"seed='mean' needs the same seeds for every arch of {opened.name} on {dataset}, but there are {counts}; name one")
        if column == "status":
            if len(seeds) > 1:
                raise ValueError("status has no mean; name a seed")
            texts, codes = opened.index.texts(table, column) if found else ([], np.zeros(0, np.int32))
            spread: npt.NDArray[Any] = np.full(size, None, object)
            for group in found:
                spread[group.ids] = np.array([*texts, None], object)[codes[group.start : group.stop]]
            return spread
        parts = []
        for group in found:
            part = opened.numbers(table, column)[group.start : group.stop]
            if len(part) < size:
                spread = np.full(size, np.nan)
                spread[group.ids] = part
                part = spread
            parts.append(part)
        if not parts:
            return np.full(size, np.nan)
        return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)

    def _named(self, kind: Kind, opened: _Space, dataset: str, name: str | None) -> str | None:
        """The recipe or protocol meant; None where none was named and the release has none for this space and dataset."""
        self._dataset(dataset)
        there = opened.named(kind, dataset)
        if name is None:
            if kind == "scores":
                return standard_protocol(opened.name)
            if len(there) > 1:
                raise ValueError(f"{opened.name} on {dataset} has runs of several recipes, which are never mixed; name one: {', '.join(there)}")
            return there[0] if there else None
        known = RECIPES if kind == "runs" else PROTOCOLS
        if name not in there and name not in known:
            everywhere = {n for space in self.spaces for d in self.datasets(space) for n in self._space(space).named(kind, d)}
            if name not in everywhere:
                raise unknown_name("recipe" if kind == "runs" else "protocol", name, {*known, *everywhere})
        return name

    def _dataset(self, name: str) -> str:
        if name not in DATASETS:
            known = {*DATASETS, *(dataset for _, _, dataset in self._tables if dataset)}
            if name not in known:
                raise unknown_name("dataset", name, known)
        return name

    def _space(self, name: str) -> _Space:
        if name not in self._opened:
            if name not in self.spaces:
                raise unknown_name("space", name, self.spaces)
            self._opened[name] = _Space(name, self._index(name))
        return self._opened[name]

    def _index(self, space: str) -> Index:
        """The released index; where there is none, one rebuilt from the Parquet files into the user's cache."""
        sources = {path: file.sha256 for path, file in self._release.manifest.files.items() if _is_of(path, space)}
        if index_path(space) in self._release.manifest.files:
            index = Index(self._release.path(index_path(space)))
        else:
            path = cache_folder() / "index" / self.sha256 / f"{space}.nbzidx"
            if not path.exists():
                write_cached(path, build_index(space, self._sorted_tables(space), sources))
            index = Index(path)
        if index.sources != sources:
            raise ReleaseError(f"{index.path} was made from other Parquet files than its release has; run builders.merge_shards again")
        return index

    def _sorted_tables(self, space: str) -> dict[str, Any]:
        tables = {}
        for table, of_space, dataset in self._tables:
            if of_space == space:
                name = f"{table}/{dataset}" if dataset else table
                whole = self._release.table(path_of(table, space, dataset))
                tables[name] = whole.sort_by([(key, "ascending") for key in sort_keys(table)])
        return tables


def _is_of(path: str, space: str) -> bool:
    return path.endswith(".parquet") and parse_path(path)[1] == space


def _in_known_order(names: set[str]) -> list[str]:
    """The spaces in the order of their definition, others after them."""
    return sorted(names, key=lambda name: (list(CHOICES).index(name) if name in CHOICES else len(CHOICES), name))


def _archs_column(opened: _Space, column: str) -> npt.NDArray[Any]:
    return opened.arch_column if column == "arch" else opened.numbers("archs", column)


def _default_columns(dataset: str | None, seed: Seed) -> list[str]:
    names = [c.name for c in TABLES["archs"]]
    if dataset is not None:
        names += [name for columns in _TABLE_COLUMNS.values() for name in columns if name not in names]
    return [name for name in names if name != "status" or seed != "mean"]


def _resolved(name: str) -> tuple[Table, str]:
    """The table and the column that a plain or qualified name means."""
    offered: dict[Table, tuple[str, ...]] = {"archs": tuple(c.name for c in TABLES["archs"]), **_TABLE_COLUMNS}
    for table, columns in offered.items():
        for column in columns:
            if name in (column, f"{table}.{column}"):
                return table, column
    if not isinstance(name, str):
        raise ValueError(f"columns holds {name!r}; it is a list of names")
    for table in TABLES:
        if name.removeprefix(f"{table}.") in {c.name for c in TABLES[table]}:
            raise UnknownNameError(
                f"column {name!r} of {table} is not offered here; a record's run() and scores() have it, and Bench.arrow({table!r}, ...)"
            )
    qualifier, _, column = name.rpartition(".")
    if qualifier and qualifier not in offered:
        raise unknown_name("table", qualifier, offered)
    known = {c for table, columns in offered.items() if qualifier in ("", table) for c in columns}
    raise unknown_name(f"column of {qualifier}" if qualifier else "column", column, known)
