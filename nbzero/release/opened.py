"""An opened release: its spaces, and of which recipes, protocols and seeds it has rows.

Look-ups read a memory-mapped index. Nothing here imports numpy, pyarrow or pandas, which take longer to
import than a query to answer.
"""

from __future__ import annotations

import math
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from nbzero.errors import NothingFoundError, ReleaseError, UnknownNameError, UsageError, unknown_name
from nbzero.files import cache_folder, write_cached
from nbzero.release.index import Index, build_index, index_path, sort_keys
from nbzero.release.manifest import Release
from nbzero.release.schema import (
    DATASETS,
    PROTOCOLS,
    RECIPES,
    STANDARD_DATASET,
    STANDARD_RECIPE,
    TABLES,
    WITHOUT_DATASET,
    Table,
    parse_path,
    path_of,
)
from nbzero.spaces.choices import import_command
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED, PUBLISHED_PROTOCOL, how_to_have, space_with, standard_protocol
from nbzero.spaces.space import Space

if TYPE_CHECKING:
    import pyarrow as pa

Split = Literal["val", "test"]
Accuracy = Literal["measured", "predicted"]
Seed = int | Literal["mean"] | None
Seeds = Seed | Literal["all"]  # a table can have a row for each
Kind = Literal["runs", "scores"]
Derived = Literal["predictions", "surrogates"]
COSTS = ("macs", "params", "depth")
SPLITS = {"val_acc": "val", "test_acc": "test"}
RUN_NUMBERS = ("val_acc", "test_acc", "train_loss", "train_time_s")


def one_seed(seed: Seeds) -> int:
    """The seed meant by None or a number; UsageError for anything else."""
    if seed is None:
        return 0
    if isinstance(seed, (bool, str)) or not hasattr(seed, "__index__") or seed < 0:
        allowed = "None (seed 0) or a whole number from 0"
        others = "'mean' where one number is asked for, or 'all' of a table"
        raise UsageError(f"seed {seed!r}; it is {allowed}, and {others}")
    return int(seed)


def one_seed_or_mean(seed: Seeds) -> int | Literal["mean"]:
    """The seed meant by None, a number or "mean"; UsageError for anything else."""
    return "mean" if seed == "mean" else one_seed(seed)


def split_column(split: str) -> str:
    """The column of a runs table that has the accuracies of a split; UsageError for what is no split."""
    if split not in ("val", "test"):
        raise UsageError(f"split {split!r}; it is 'val', or 'test' for the final judgement")
    return f"{split}_acc"


class Group:
    """The rows of one recipe or protocol and one seed, sorted by arch_id.

    Attributes:
        ids: the arch_id of each row.
        start, stop: its rows in the table.
    """

    __slots__ = ("ids", "is_prefix", "num_rows", "start", "stop")

    def __init__(self, ids: memoryview, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self.ids = ids[start:stop]
        self.num_rows = stop - start
        # Usually they are the first of the build order.
        self.is_prefix = self.ids[0] == 0 and self.ids[-1] == self.num_rows - 1

    def row(self, arch_id: int) -> int | None:
        """Where in the table an arch is; None where it is not in the group."""
        if self.is_prefix:
            return self.start + arch_id if arch_id < self.num_rows else None
        i = bisect_left(self.ids, arch_id)
        if i < self.num_rows and self.ids[i] == arch_id:
            return self.start + i
        return None


class OpenedSpace:
    """The opened index of one space, its look-ups and groups.

    Attributes:
        name: of the space.
        archs, ids: its arch strings in build order, and their positions.
        costs: of macs, params and depth those that its archs table has.
        published: its definition where it is an imported space; None for ours.
        parts: what `Record` looks numbers up in, by what was asked for.
        kept: what others make of it and keep with it.
    """

    def __init__(self, name: str, index: Index) -> None:
        self.name, self.index = name, index
        self.archs = index.lines("archs", "arch")
        self.ids = index.places("archs", "arch")
        self.costs = {cost: index.numbers("archs", cost) for cost in COSTS if self.has("archs", cost)}
        self.published = IMPORTED.get(name)
        self.parts: dict[tuple[Kind, str, str, str | None, int], tuple[Group, memoryview] | None] = {}
        self.kept: dict[Any, Any] = {}
        self._numbers: dict[tuple[str, str], memoryview] = {}
        self._groups: dict[str, dict[tuple[str, int], Group]] = {}

    @cached_property
    def space(self) -> Space:
        return space_with(self.name, self.archs)

    def cost(self, name: str, arch_id: int) -> int:
        if name not in self.costs:
            raise unknown_name(f"cost of {self.name}", name, self.costs)
        cost: int = self.costs[name][arch_id]
        return cost

    def metric(self, dataset: str) -> str:
        """What the accuracies on a dataset are; an imported task has one metric."""
        if self.published is None:
            return "accuracy"
        return self.index.text(f"runs/{dataset}", "metric", 0) or "accuracy"

    def standard_recipe(self, dataset: str) -> str | None:
        """The recipe meant where none is named.

        It is the only one of which there are runs. Of several in a space of ours it is cpu-16px-4. None
        where one has to be named, and where there are no runs.
        """
        there = self.named("runs", dataset)
        if len(there) == 1:
            return there[0]
        return STANDARD_RECIPE if self.published is None and STANDARD_RECIPE in there else None

    @property
    def how_to_import(self) -> str:
        """What to add to an error where a published benchmark has no accuracies here; "" else."""
        if self.published is None or self.datasets("runs"):
            return ""
        joins = "joins them with the scores that are here"
        return f"; the authors of {self.published.title} publish them: {import_command(self.name)} {joins}"

    def has(self, table: str, column: str) -> bool:
        return column in self.index.tables[table]["columns"]

    def numbers(self, table: str, column: str) -> memoryview:
        """A number column, (rows,); all NaN where the release is older than the column."""
        key = (table, column)
        if key not in self._numbers:
            if self.has(table, column):
                self._numbers[key] = self.index.numbers(table, column)
            else:
                nulls = array("d", [math.nan]) * self.index.tables[table]["rows"]
                self._numbers[key] = memoryview(nulls)
        return self._numbers[key]

    def groups(self, table: str) -> dict[tuple[str, int], Group]:
        """By (recipe, protocol or setup, seed); empty where the release has no such table."""
        if table not in self._groups:
            described = self.index.tables.get(table)
            listed = described["groups"] if described else []
            ids = self.numbers(table, "arch_id") if listed else memoryview(b"")
            if listed and not 0 <= min(ids) <= max(ids) < len(self.archs):
                raise self.index.damaged(f"{table} has an arch_id beyond the {len(self.archs)} archs")
            made = {(name, seed): Group(ids, start, stop) for name, seed, start, stop in listed}
            self._groups[table] = made
        return self._groups[table]

    def text(self, table: str, column: str, row: int) -> str | None:
        return self.index.text(table, column, row)

    def datasets(self, kind: Kind | None = None) -> list[str]:
        """The data sets of which there are runs, or scores; None: either."""
        tables = [name.partition("/") for name in self.index.tables if "/" in name]
        return sorted({dataset for table, _, dataset in tables if kind in (None, table)})

    def named(self, kind: Kind | Derived, dataset: str) -> list[str]:
        """The recipes or protocols of a dataset's table."""
        groups = self.groups(f"{kind}/{dataset}")  # rows are sorted by them
        return list(dict.fromkeys(name for name, _ in groups))

    @cached_property
    def setups(self) -> dict[str, int]:
        """How many of its networks were timed under each setup."""
        return {setup: group.num_rows for (setup, _), group in self.groups("latencies").items()}

    def seeds(self, kind: Kind, dataset: str, name: str | None) -> list[int]:
        """The seeds of a recipe or protocol."""
        return [seed for other, seed in self.groups(f"{kind}/{dataset}") if other == name]


class Opened:
    """A release, opened read-only. It pickles as its address.

    Args:
        path_or_url: a directory or fsspec URL with a manifest.json; None: the release that ships with nbzero.

    Attributes:
        files: its checked files.
        spaces: the names of its spaces.

    Raises:
        ReleaseError: nothing there, or something that its manifest does not promise. Files are checked when
            they are first read.
    """

    def __init__(self, path_or_url: str | os.PathLike[str] | None = None) -> None:
        self.files = Release.open(path_or_url)
        named = [parse_path(path) for path in self.files.manifest.files if path.endswith(".parquet")]
        self._tables = sorted(named, key=lambda table: (table[1], table[0], table[2] or ""))
        self.spaces = tuple(_in_known_order({space for table, space, _ in named if table == "archs"}))
        self.there: dict[str, OpenedSpace] = {}
        self._usual: dict[str, float] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Opened, (self.files.url,)

    @property
    def version(self) -> str:
        """The data version, like "0.1.0"."""
        return self.files.manifest.data_version

    def space(self, name: str) -> OpenedSpace:
        """One space; UnknownNameError where the release does not have it."""
        _check_name("space", name)
        if name not in self.there:
            if name not in self.spaces:
                raise self._no_space(name)
            self.there[name] = OpenedSpace(name, self._index(name))
        return self.there[name]

    def _no_space(self, name: str) -> UnknownNameError:
        error = unknown_name("space", name, self.spaces)
        if name not in IMPORTED:
            return error
        return UnknownNameError(
            f"{error}; {name} is a published space, which this release lacks; {how_to_have(name)}"
        )

    def check_dataset(self, name: str) -> str:
        """The name itself; UnknownNameError where there is no such data set."""
        _check_name("dataset", name)
        if name not in DATASETS:
            known = {*DATASETS, *(dataset for _, _, dataset in self._tables if dataset)}
            if name not in known:
                raise unknown_name("dataset", name, known)
        return name

    def named(self, kind: Kind, space: OpenedSpace, dataset: str, name: str | None) -> str | None:
        """The recipe or protocol meant.

        Args:
            name: None is the space's standard protocol, or what `standard_recipe` says. Of a published
                space it is std-32 where there are scores by it, else the one of the benchmark's own scores.

        Returns:
            None where none was named and the release has none for this space and dataset.

        Raises:
            UnknownNameError: a dataset, recipe or protocol that does not exist.
            UsageError: several recipes, none of them standard, and none named.
        """
        self.check_dataset(dataset)
        there = space.named(kind, dataset)
        if name is None:
            if kind == "runs":
                return self._recipe_meant(space, dataset)
            if space.published is not None and PUBLISHED_PROTOCOL in there:
                return PUBLISHED_PROTOCOL
            return standard_protocol(space.name) or None
        word, known = ("recipe", RECIPES) if kind == "runs" else ("protocol", PROTOCOLS)
        _check_name(word, name)
        if name not in there and name not in known:
            everywhere = self._named_anywhere(kind)
            if name not in everywhere:
                raise unknown_name(word, name, {*known, *everywhere})
        return name

    def _recipe_meant(self, space: OpenedSpace, dataset: str) -> str | None:
        meant, there = space.standard_recipe(dataset), space.named("runs", dataset)
        if meant is None and there:
            several = f"{space.name} on {dataset} has runs of several recipes, which are never mixed"
            raise UsageError(f"{several}; name one: {', '.join(there)}")
        return meant

    def _named_anywhere(self, kind: Kind) -> set[str]:
        found: set[str] = set()
        for name in self.spaces:
            opened = self.space(name)
            for dataset in opened.datasets():
                found.update(opened.named(kind, dataset))
        return found

    @cached_property
    def setups(self) -> dict[str, int]:
        """How many networks were timed under each setup; the first, of most, is meant where none is named."""
        counts: dict[str, int] = {}
        for table, space, _ in self._tables:
            if table == "latencies":
                for setup, number in self.space(space).setups.items():
                    counts[setup] = counts.get(setup, 0) + number
        return dict(sorted(counts.items(), key=lambda counted: (-counted[1], counted[0])))

    def setup(self, name: str | None) -> str | None:
        """The setup meant; None where none was named and the release has none.

        Raises:
            UnknownNameError: a setup that the release does not have.
        """
        if name is None:
            return next(iter(self.setups), None)
        _check_name("setup", name)
        if name not in self.setups:
            raise unknown_name("setup", name, self.setups)
        return name

    def usual_reference_ms(self, setup: str) -> float:
        """Milliseconds that the reference of a setup usually takes: the median over its rows of all spaces.

        A machine is not always equally fast. What a network took beside a slow reference it took in a slow
        moment.
        """
        if setup not in self._usual:
            taken: list[float] = []
            for space in map(self.space, self.spaces):
                group = space.groups("latencies").get((setup, 0))
                if group is not None:
                    taken += space.numbers("latencies", "reference_ms")[group.start : group.stop]
            taken.sort()
            self._usual[setup] = (taken[(len(taken) - 1) // 2] + taken[len(taken) // 2]) / 2
        return self._usual[setup]

    def runs(self, spaces: Iterable[str]) -> list[tuple[str, str, str]]:
        """The space, data set and recipe of all runs of some spaces."""
        found = []
        for name in spaces:
            opened = self.space(name)
            for dataset in opened.datasets():
                found += [(name, dataset, recipe) for recipe in opened.named("runs", dataset)]
        return found

    def runs_there(self, space: str) -> str:
        """In words the data sets and recipes that a space has runs of.

        Where it has none: the spaces that have some.
        """
        opened = self.space(space)
        named = {dataset: opened.named("runs", dataset) for dataset in opened.datasets()}
        measured = [f"{dataset} with {', '.join(recipes)}" for dataset, recipes in named.items() if recipes]
        return f"measured are {'; '.join(measured)}" if measured else self.none_there(space, "runs")

    def none_there(self, space: str, kind: Kind) -> str:
        """In words that there are no runs (or scores) of a space, and the spaces that have some."""
        having = [name for name in self.spaces if self.space(name).datasets(kind)]
        listed = ", ".join(having) or "no space"
        said = f"the release has no {kind} of {space}; it has {kind} of {listed}"
        return said + self.space(space).how_to_import if kind == "runs" else said

    def only_dataset(self, space: str, kind: Kind = "runs", by: str = "dataset", preferred: str = "") -> str:
        """The data set meant where none is named: the only one of which there are runs (or scores).

        Of several it is the preferred one, where that is among them. Else it is in a space of ours the
        standard one, CIFAR-10.

        Raises:
            NothingFoundError: there is none.
            UsageError: there are several and none of these; one is named by the argument `by`.
        """
        there = self.space(space).datasets(kind)
        if not there:
            raise NothingFoundError(self.none_there(space, kind))
        if preferred in there:
            return preferred
        if self.space(space).published is None and STANDARD_DATASET in there:
            return STANDARD_DATASET
        if len(there) > 1:
            listed = ", ".join(there)
            raise UsageError(f"{space} has {kind} on several data sets; name one with {by}: {listed}")
        return there[0]

    def arrow(self, table: Table, space: str, dataset: str | None = None) -> pa.Table:
        """A whole Parquet table as it is stored, every column, recipe and seed, checked against the manifest.

        Raises:
            UnknownNameError: a table, space or dataset that does not exist.
            UsageError: runs or scores without a dataset, or archs or latencies with one.
            ReleaseError: the release has no such table, or its file is not what the manifest promises.
        """
        if table not in TABLES:
            raise unknown_name("table", table, TABLES)
        if space not in self.spaces:
            raise unknown_name("space", space, self.spaces)
        if (dataset is None) != (table in WITHOUT_DATASET):
            there = self.space(space).datasets()
            rule = f"{' and '.join(WITHOUT_DATASET)} are of no data set, runs and scores of one: {there}"
            raise UsageError(f"dataset {dataset!r} with the {table} table; {rule}")
        if dataset is not None:
            self.check_dataset(dataset)
        return self.files.table(path_of(table, space, dataset))

    def _index(self, space: str) -> Index:
        """The released index.

        Where there is none, one is rebuilt from the Parquet files into the user's cache.
        """
        listed = self.files.manifest.files
        sources = {path: file.sha256 for path, file in listed.items() if _is_of(path, space)}
        if index_path(space) in listed:
            name = index_path(space)
            index = Index(f"{self.files.url}/{name}", self.files.file(name))
        else:
            path = cache_folder() / "index" / self.files.sha256 / f"{space}.nbzidx"
            if not path.exists():
                write_cached(path, build_index(space, self._sorted_tables(space), sources))
            index = Index(path)
        if index.sources != sources:
            wrong = f"{index.path} was made from other Parquet files than its release has"
            raise ReleaseError(f"{wrong}; run builders.merge_shards again")
        return index

    def _sorted_tables(self, space: str) -> dict[str, pa.Table]:
        tables = {}
        for table, of_space, dataset in self._tables:
            if of_space == space:
                name = f"{table}/{dataset}" if dataset else table
                order = [(key, "ascending") for key in sort_keys(table)]
                tables[name] = self.files.table(path_of(table, space, dataset)).sort_by(order)
        return tables


def _is_of(path: str, space: str) -> bool:
    return path.endswith(".parquet") and parse_path(path)[1] == space


def _in_known_order(names: set[str]) -> list[str]:
    """The spaces in the order of their definition, others after them."""
    ours = [name for name in CHOICES if name in names]
    return [*ours, *sorted(names.difference(CHOICES))]


def _check_name(what: str, given: Any) -> None:
    """UsageError where a name was wanted and something else was given, like a list in another's place."""
    if not isinstance(given, str):
        raise UsageError(f"{what} is {given!r}; it is one name. What comes after it is given by keyword")
