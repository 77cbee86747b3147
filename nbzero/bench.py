"""Bench: looks up one architecture or selects many, from a release on disk or at a URL.

A query reads a memory-mapped index and imports neither numpy, pyarrow nor pandas, which take longer to import than it to answer. Whatever is
absent is None (NaN in numeric columns), and its reason can be asked for. A Bench pickles as the address of its release, so that it and
its records can be handed to other processes.
"""

from __future__ import annotations

import json
import math
import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from nbzero.errors import NoSuchArchIdError, ReleaseError, UnknownNameError, UsageError, unknown_name
from nbzero.files import cache_folder, write_cached
from nbzero.proxies.facts import PROXIES
from nbzero.release.index import Index, build_index, index_path, sort_keys
from nbzero.release.manifest import Release
from nbzero.release.schema import DATASETS, PROTOCOLS, RECIPES, TABLES, Table, parse_path, path_of
from nbzero.spaces import Space
from nbzero.spaces.macro import CHOICES, Arch, Stage, as_arch
from nbzero.spaces.published import IMPORTED, space_of, space_with, standard_protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from nbzero.constrained import Budgets, Lead, Report
    from nbzero.frame import Frame
    from nbzero.hybrid import HybridSearch, Rule
    from nbzero.judge.designs import Transform
    from nbzero.simulate import Simulation
    from nbzero.table import TableView

Split = Literal["val", "test"]
Seed = int | Literal["mean"] | None
Kind = Literal["runs", "scores"]
COSTS = ("macs", "params", "depth")
_SPLITS = {"val_acc": "val", "test_acc": "test"}
RUN_NUMBERS = ("val_acc", "test_acc", "train_loss", "train_time_s")


@dataclass(frozen=True, slots=True)
class Run:
    """One training run: a row of a runs table; units and meanings are in `nbzero.release.schema`."""

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
class ImportedRun(Run):
    """A run of an imported space: also what val_acc and test_acc are (higher is better), and over which runs they are means."""

    train_time_s: float | None  # type: ignore[assignment]
    metric: str
    averaged: str


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

    def __init__(self, ids: memoryview, start: int, stop: int) -> None:
        self.start, self.stop, self.ids = start, stop, ids[start:stop]
        self.num_rows = stop - start
        self.is_prefix = (
            self.ids[0] == 0 and self.ids[-1] == self.num_rows - 1
        )  # the first of the build order, as usual

    def row(self, arch_id: int) -> int | None:
        if self.is_prefix:
            return self.start + arch_id if arch_id < self.num_rows else None
        i = bisect_left(self.ids, arch_id)
        return self.start + i if i < self.num_rows and self.ids[i] == arch_id else None


class OpenedSpace:
    """The opened index of one space, its look-ups and groups."""

    def __init__(self, name: str, index: Index) -> None:
        self.name, self.index = name, index
        self.archs = index.lines("archs", "arch")
        self.ids = {arch: arch_id for arch_id, arch in enumerate(self.archs)}
        self.costs = {cost: index.numbers("archs", cost) for cost in COSTS if self.has("archs", cost)}
        self.parts: dict[
            tuple[Kind, str, str, str | None, int], tuple[_Group, memoryview] | None
        ] = {}  # of `Record._one`
        self._numbers: dict[tuple[str, str], memoryview] = {}
        self._groups: dict[str, dict[tuple[str, int], _Group]] = {}

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
        return self.index.texts(f"runs/{dataset}", "metric")[0][0] if self.name in IMPORTED else "accuracy"

    def has(self, table: str, column: str) -> bool:
        return column in self.index.tables[table]["columns"]

    def numbers(self, table: str, column: str) -> memoryview:
        """A number column, (rows,); all NaN where the release is older than the column."""
        key = (table, column)
        if key not in self._numbers:
            nulls = array("d", [math.nan]) * (
                0 if self.has(table, column) else self.index.tables[table]["rows"]
            )
            self._numbers[key] = (
                self.index.numbers(table, column) if self.has(table, column) else memoryview(nulls)
            )
        return self._numbers[key]

    def groups(self, table: str) -> dict[tuple[str, int], _Group]:
        """By (recipe or protocol, seed); empty where the release has no such table."""
        if table not in self._groups:
            described = self.index.tables.get(table)
            listed = described["groups"] if described else []
            ids = self.numbers(table, "arch_id") if listed else memoryview(b"")
            self._groups[table] = {
                (name, seed): _Group(ids, start, stop) for name, seed, start, stop in listed
            }
        return self._groups[table]

    def text(self, table: str, column: str, row: int) -> str | None:
        texts, codes = self.index.texts(table, column)
        return texts[codes[row]] if codes[row] >= 0 else None

    def datasets(self, kind: Kind) -> list[str]:
        return sorted(name.split("/")[1] for name in self.index.tables if name.startswith(kind + "/"))

    def named(self, kind: Kind, dataset: str) -> list[str]:
        """The recipes or protocols of a dataset's table."""
        return list(
            dict.fromkeys(name for name, _ in self.groups(f"{kind}/{dataset}"))
        )  # rows are sorted by them

    def seeds(self, kind: Kind, dataset: str, name: str) -> list[int]:
        return [seed for other, seed in self.groups(f"{kind}/{dataset}") if other == name]


class Record:
    """One arch of a release: immutable, typed, read from the mapped index when asked. `Bench.query` makes it.

    Attributes:
        space, arch, arch_id: the space's name, the canonical string, the position in the build order.
        macs, params, depth: at 3x32x32 with 100 classes; flops = 2 * macs. In an imported space those it has, as its archs columns say.
        stem, stages: the choices; those of an imported space are columns of its archs table.

    Two records are equal where their arch and the manifest of their release are.
    """

    __slots__ = ("_bench", "_space", "arch_id")
    arch_id: int
    _bench: Bench
    _space: OpenedSpace

    def __init__(self, bench: Bench, space: OpenedSpace, arch_id: int) -> None:
        object.__setattr__(self, "_bench", bench)
        object.__setattr__(self, "_space", space)
        object.__setattr__(self, "arch_id", arch_id)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a record cannot be changed ({name}): released rows are never edited")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a record cannot be changed ({name}): released rows are never edited")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Record)
            and self.arch == other.arch
            and self._bench.sha256 == other._bench.sha256
        )

    def __hash__(self) -> int:
        return hash(self.arch)

    def __reduce__(self) -> tuple[Any, ...]:
        return Bench.query, (self._bench, (self.space, self.arch_id))

    def __repr__(self) -> str:
        costs = "".join(f", {name}={numbers[self.arch_id]}" for name, numbers in self._space.costs.items())
        return f"Record({self.arch!r}, arch_id={self.arch_id}{costs})"

    @property
    def space(self) -> str:
        return self._space.name

    @property
    def arch(self) -> str:
        return self._space.archs[self.arch_id]

    @property
    def macs(self) -> int:
        return self._space.cost("macs", self.arch_id)

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def params(self) -> int:
        return self._space.cost("params", self.arch_id)

    @property
    def depth(self) -> int:
        return self._space.cost("depth", self.arch_id)

    @property
    def stem(self) -> int:
        return self._staged("stem").stem

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self._staged("stages").stages

    def _staged(self, name: str) -> Arch:
        if self.space in IMPORTED:
            columns = ", ".join(choice.column for choice in IMPORTED[self.space].choices)
            raise UnknownNameError(
                f"an arch of {self.space} has no {name}; its choices are columns of the archs table: {columns}"
            )
        return Arch.parse(self.arch)

    def accuracy(
        self, dataset: str, recipe: str | None = None, split: Split = "val", seed: Seed = None
    ) -> float | None:
        """Accuracy after the last epoch, a fraction in [0, 1]; in an imported space what the source gives, of the metric that `run` names.

        Args:
            recipe: may be left out where the release has only one for this space and dataset.
            split: "val", or "test", which is for the final judgement only.
            seed: None is seed 0; a number; or "mean" over the seeds that finished.

        Returns:
            None where there is no such run or it diverged; `accuracy_reason`, with the same arguments, says which.

        Raises:
            UnknownNameError: a dataset or recipe that does not exist.
            UsageError: another split or seed, or no recipe named where there are several.
        """
        return self._value("runs", _split_column(split), dataset, recipe, seed)

    def accuracy_reason(
        self, dataset: str, recipe: str | None = None, split: Split = "val", seed: Seed = None
    ) -> str | None:
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
            UsageError: another seed.
        """
        return self._value("scores", _proxy_column(proxy), dataset, protocol, seed)

    def score_reason(
        self, proxy: str, dataset: str, protocol: str | None = None, seed: Seed = None
    ) -> str | None:
        """Why `score` with the same arguments is None; None where it is a number."""
        return self._reason("scores", _proxy_column(proxy), dataset, protocol, seed)

    def run(self, dataset: str, recipe: str | None = None, seed: int = 0) -> Run | None:
        """The whole row of one training run, with its curve and where it was made; None where there is none."""
        seed, recipe = one_seed(seed), self._bench._named("runs", self._space, dataset, recipe)
        row = self._row("runs", dataset, recipe, seed)
        if row is None or recipe is None:
            return None
        text, table = self._space.text, f"runs/{dataset}"
        values = {name: _or_none(self._space.numbers(table, name)[row]) for name in RUN_NUMBERS}
        more = ("metric", "averaged") if self.space in IMPORTED else ()
        texts = {
            name: text(table, name, row)
            for name in ("status", "device", "engine", "software", "builder_commit", *more)
        }
        curve = self._space.index.list_at(table, "curve", row)
        kind = ImportedRun if more else Run
        return kind(self.arch, dataset, recipe, seed, curve=curve, **values, **texts)  # type: ignore[arg-type]

    def scores(self, dataset: str, protocol: str | None = None, seed: int = 0) -> Scores | None:
        """The whole row of one scored initialisation; None where there is none."""
        seed, protocol = one_seed(seed), self._bench._named("scores", self._space, dataset, protocol)
        row = self._row("scores", dataset, protocol, seed)
        if row is None or protocol is None:
            return None
        text, table = self._space.text, f"scores/{dataset}"
        values = {name: _or_none(self._space.numbers(table, name)[row]) for name in PROXIES}
        timed = [c.name for c in TABLES["scores"] if c.unit == "s"]
        seconds = {name.removesuffix("_s"): _or_none(self._space.numbers(table, name)[row]) for name in timed}
        failures = json.loads(text(table, "failures", row) or "{}")
        made = {name: text(table, name, row) for name in ("device", "software", "builder_commit")}
        return Scores(self.arch, dataset, protocol, seed, values, seconds, failures, **made)  # type: ignore[arg-type]

    def _row(self, kind: Kind, dataset: str, name: str | None, seed: int) -> int | None:
        group = self._space.groups(f"{kind}/{dataset}").get((name, seed)) if name is not None else None
        return group.row(self.arch_id) if group else None

    def _value(self, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed) -> float | None:
        if seed != "mean":
            return self._one(kind, column, dataset, name, one_seed(seed))
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
        return _or_none(part[1][row]) if part and row is not None else None

    def _reason(self, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed) -> str | None:
        if self._value(kind, column, dataset, name, seed) is not None:
            return None
        name = self._bench._named(kind, self._space, dataset, name)
        word, key = ("run", "recipe") if kind == "runs" else ("scores", "protocol")
        seeds = self._space.seeds(kind, dataset, name) if name is not None else []
        if not seeds:
            return f"the release has no {kind} of {self.space} on {dataset}" + (
                f" with {key} {name}" if name is not None else ""
            )
        asked = seeds if seed == "mean" else [one_seed(seed)]
        row = next(
            (row for row in (self._row(kind, dataset, name, one) for one in asked) if row is not None), None
        )
        if row is None:
            return f"this arch has no {word} on {dataset} with {key} {name} and seed {', '.join(map(str, asked))}"
        if kind == "runs" and self.space in IMPORTED:
            there = "test" if column == "val_acc" else "val"
            return f"the source of {self.space} gives no {_SPLITS[column]} accuracy with recipe {name} on {dataset}; split={there!r} is what there is"
        if kind == "runs":
            return "the run diverged: its loss or a logit stopped being finite"
        if not self._space.has(f"scores/{dataset}", column):
            return (
                f"the source of {self.space} gives no {column}"
                if self.space in IMPORTED
                else f"the release is older than the proxy {column}"
            )
        failures = json.loads(self._space.text(f"scores/{dataset}", "failures", row) or "{}")
        return str(failures.get(column, "not computed by the job that scored this arch"))


def _or_none(number: float) -> float | None:
    return number if number == number else None


def one_seed(seed: Seed) -> int:
    """The seed meant by None or a number; UsageError for anything else."""
    if seed is None:
        return 0
    if isinstance(seed, (bool, str)) or not hasattr(seed, "__index__") or seed < 0:
        raise UsageError(
            f"seed {seed!r}; it is None (seed 0) or a whole number from 0, and 'mean' where one number is asked for"
        )
    return int(seed)


def runs_there(bench: Bench, space: str) -> str:
    """In words what a release has runs of: the data sets and recipes of a space, or, where it has none, the spaces that have some."""
    named = {dataset: bench.recipes(space, dataset) for dataset in bench.datasets(space)}
    measured = [f"{dataset} with {', '.join(recipes)}" for dataset, recipes in named.items() if recipes]
    return f"measured are {'; '.join(measured)}" if measured else none_there(bench, space, "runs")


def none_there(bench: Bench, space: str, kind: Kind) -> str:
    """In words that a release has no runs (or scores) of a space, and the spaces that have some."""
    named = bench.recipes if kind == "runs" else bench.protocols
    having = [one for one in bench.spaces if any(named(one, dataset) for dataset in bench.datasets(one))]
    return f"the release has no {kind} of {space}; it has {kind} of {', '.join(having) or 'no space'}"


def _split_column(split: str) -> str:
    if split not in ("val", "test"):
        raise UsageError(f"split {split!r}; it is 'val', or 'test' for the final judgement")
    return f"{split}_acc"


def _proxy_column(name: str) -> str:
    if name not in PROXIES:
        raise unknown_name("proxy", name, PROXIES)
    return name


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
        self._opened: dict[str, OpenedSpace] = {}
        named = [parse_path(path) for path in self._release.manifest.files if path.endswith(".parquet")]
        self._tables = sorted(named, key=lambda table: (table[1], table[0], table[2] or ""))
        self.spaces: tuple[str, ...] = tuple(
            _in_known_order({space for table, space, _ in named if table == "archs"})
        )

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
        """A space with its members from this release: `sample`, `neighbours`, `mutate`, `crossover`, `encode`, `decode`, len, iteration, in.

        An imported space is a `nbzero.spaces.ImportedSpace`, whose archs are strings.
        """
        return self._space(name).space

    def datasets(self, space: str) -> list[str]:
        """The data sets on which the release has runs or scores of a space."""
        opened = self._space(space)
        return sorted({*opened.datasets("runs"), *opened.datasets("scores")})

    def recipes(self, space: str, dataset: str) -> list[str]:
        """The recipes of which the release has runs of a space on a data set."""
        return self._space(space).named("runs", self._check_dataset(dataset))

    def protocols(self, space: str, dataset: str) -> list[str]:
        """The protocols under which the release has scores of a space on a data set."""
        return self._space(space).named("scores", self._check_dataset(dataset))

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
            UsageError: a string that is malformed or out of its space's grid, saying what is wrong, or another kind of tuple.
            NotAMemberError: a grid arch that is no member; names its nearest members.
            UnknownNameError: a space that the release does not have, also an imported one.
            NoSuchArchIdError: an arch_id beyond the space.
        """
        if isinstance(arch, str):
            for opened in self._opened.values():
                arch_id = opened.ids.get(arch)
                if arch_id is not None:
                    return Record(self, opened, arch_id)
            name = space_of(arch)
            if name is not None:
                return Record(self, opened := self._imported(name, arch), opened.space.arch_id(arch))
        if isinstance(arch, tuple):
            return self._query_id(arch)
        numbered = re.fullmatch(r"(.+):(\d+)", arch) if isinstance(arch, str) else None
        if numbered and numbered[1] in self.spaces:
            raise UsageError(
                f"{arch!r} is no arch string; an arch by its number is a tuple: query(({numbered[1]!r}, {numbered[2]}))"
            )
        parsed = as_arch(arch)
        opened = self._space(parsed.space)
        arch_id = opened.ids.get(str(parsed))
        return Record(self, opened, opened.space.arch_id(parsed) if arch_id is None else arch_id)

    def _imported(self, name: str, arch: str) -> OpenedSpace:
        if name not in self.spaces:
            raise UnknownNameError(
                f"{arch!r} looks like an arch of {name}, which this release does not have (its spaces: {', '.join(self.spaces)}); "
                f"make one that has it: python -m builders.import_bench {name} --source FILE --out DIR"
            )
        return self._space(name)

    def _query_id(self, key: tuple[str, int]) -> Record:
        if len(key) != 2 or isinstance(key[1], bool) or not hasattr(key[1], "__index__"):
            raise UsageError(f"{key!r} names no arch; a tuple is (space, arch_id), like ('r1', 0)")
        space, arch_id = key
        opened = self._space(space)
        if not 0 <= arch_id < len(opened.archs):
            raise NoSuchArchIdError(f"arch_id {arch_id}; {space} has 0 to {len(opened.archs) - 1}")
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
            where: for instance "macs < 1e8 and s1_depth >= 2"; null is neither true nor false. See `nbzero.release.conditions`.

        Raises:
            UnknownNameError: a space, dataset, recipe, protocol or column that does not exist.
            UsageError: a column of runs or scores, a recipe or a protocol without a dataset, several recipes and none named, another seed,
                a mean over different seeds, or a condition that cannot be read.
        """
        from nbzero.table import select

        return select(self, self._space(space), columns, dataset, recipe, protocol, seed, where)

    def mbr(
        self,
        space: str,
        proxy: str,
        dataset: str,
        recipe: str | None = None,
        cost: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "even",
        normalise: str = "total",
        split: Split = "val",
        protocol: str | None = None,
        seed: Seed = None,
        orient: bool = True,
        where: str | None = None,
        score_seed: Seed = None,
    ) -> float:
        """Mean best ranking of one proxy, 0 is the oracle; `constrained.mbr` of a pool.

        Args:
            proxy: a proxy, or a cost as one.
            recipe, protocol, seed, split, orient, where, score_seed: which archs, accuracies and scores: `pool.pool_of`.
            cost: macs (also None), params, depth or a stage feature; several: the mean over the union of their budgets.
            budgets, spacing, normalise: as in `metrics.mbr`; or budgets {"macs": 1e8, "params": 1e6}, one on both, without cost.

        Raises:
            UnknownNameError: a name that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`, none has a score of the proxy, or a budget is below every arch.
            UsageError: wrong options.
        """
        from nbzero import constrained, pool

        made = pool.pool_of(
            self, space, dataset, recipe, protocol, seed, split, [proxy], orient, where, score_seed
        )
        return constrained.mbr(made, proxy, cost, budgets, spacing, normalise)

    def mbr_lead(
        self,
        space: str,
        one: Any,
        other: Any,
        dataset: str,
        recipe: str | None = None,
        cost: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "even",
        normalise: str = "total",
        split: Split = "val",
        protocol: str | None = None,
        seed: Seed = None,
        where: str | None = None,
        resamples: int = 1000,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        score_seed: Seed = None,
    ) -> Lead:
        """mBR(one) - mBR(other) with the interval of the difference, settled where it does not hold 0: `constrained.mbr_lead` of a pool.

        Args:
            one, other: a proxy or cost; or scores of your own, as `evaluate` takes them.
            recipe, protocol, seed, split, where, score_seed: which archs, accuracies and scores: `pool.pool_of`.
            cost, budgets, spacing, normalise, resamples, level: as in `constrained.mbr_lead`; its seed is `bootstrap_seed`.

        Raises:
            UnknownNameError: a name that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`, none has a score of a proxy, or a budget is below every arch.
            UsageError: wrong options.
        """
        from nbzero import constrained, pool

        names = [given for given in (one, other) if isinstance(given, str)]
        made = pool.pool_of(
            self, space, dataset, recipe, protocol, seed, split, names, where=where, score_seed=score_seed
        )
        first, second = (
            given if isinstance(given, str) else constrained.aligned(self.space(space), given)[made.arch_ids]
            for given in (one, other)
        )
        return constrained.mbr_lead(
            made, first, second, cost, budgets, spacing, normalise, resamples, bootstrap_seed, level
        )

    def mbr_table(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        costs: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "even",
        split: Split = "val",
        proxies: Iterable[str] | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        orient: bool = True,
        where: str | None = None,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        score_seed: Seed = None,
    ) -> Frame:
        """mBR of every stored proxy, for each cost and over their union: `constrained.mbr_table` of a pool.

        Args:
            costs, budgets, spacing: as in `constrained.constrained`.
            recipe, protocol, seed, split, proxies, orient, where, score_seed: which archs, accuracies and scores: `pool.pool_of`.
            resamples, bootstrap_seed, level: of bootstrap intervals; 0 resamples makes none.

        Raises:
            UnknownNameError: a name that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`.
            UsageError: wrong options.
        """
        from nbzero import constrained, pool

        made = pool.pool_of(
            self, space, dataset, recipe, protocol, seed, split, proxies, orient, where, score_seed
        )
        return constrained.mbr_table(
            made,
            costs,
            budgets,
            spacing,
            constrained.seed_accuracies(self, made),
            resamples,
            bootstrap_seed,
            level,
        )

    def correlations(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        k: int | None = None,
        fraction: float = 0.05,
        split: Split = "val",
        proxies: Iterable[str] | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        orient: bool = True,
        where: str | None = None,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        score_seed: Seed = None,
    ) -> Frame:
        """How well each stored proxy orders the measured archs: `constrained.correlations` of a pool.

        Args:
            k, fraction: of BR@K and P@topK.
            recipe, protocol, seed, split, proxies, orient, where, score_seed: which archs, accuracies and scores: `pool.pool_of`.
            resamples, bootstrap_seed, level: of bootstrap intervals; 0 resamples makes none.

        Raises:
            UnknownNameError: a name that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`.
            UsageError: wrong options.
        """
        from nbzero import constrained, pool

        made = pool.pool_of(
            self, space, dataset, recipe, protocol, seed, split, proxies, orient, where, score_seed
        )
        return constrained.correlations(
            made, k, fraction, constrained.seed_accuracies(self, made), resamples, bootstrap_seed, level
        )

    def constrained(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        costs: str | Iterable[str] | None = None,
        budgets: Budgets = 5,
        spacing: str = "even",
        split: Split = "val",
        proxies: Iterable[str] | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        orient: bool = True,
        where: str | None = None,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        score_seed: Seed = None,
    ) -> Frame:
        """What each stored proxy picks under each budget, with its accuracy and true rank: `constrained.constrained` of a pool.

        Args:
            costs: macs, params, depth or stage features; None: every one of the first three that the space has.
            budgets: how many limits a cost, the limits, or {"macs": 1e8, "params": 1e6} for one budget on both.
            spacing: "even" or "quantile", of a number of limits.
            recipe, protocol, seed, split, proxies, orient, where, score_seed: which archs, accuracies and scores: `pool.pool_of`.
            resamples, bootstrap_seed, level: of bootstrap intervals; 0 resamples makes none.

        Raises:
            UnknownNameError: a name that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`.
            UsageError: wrong options.
        """
        from nbzero import constrained, pool

        made = pool.pool_of(
            self, space, dataset, recipe, protocol, seed, split, proxies, orient, where, score_seed
        )
        return constrained.constrained(made, costs, budgets, spacing, resamples, bootstrap_seed, level)

    def evaluate(
        self,
        scores: Any,
        space: str,
        dataset: str,
        recipe: str | None = None,
        name: str = "yours",
        direction: int = 1,
        k: int | None = None,
        fraction: float = 0.05,
        budgets: int = 5,
        split: Split = "val",
        protocol: str | None = None,
        seed: Seed = None,
        where: str | None = None,
        resamples: int = 0,
        bootstrap_seed: int = 0,
        level: float = 0.95,
        score_seed: Seed = None,
    ) -> Report:
        """The whole report of a proxy of your own beside all stored ones: `constrained.evaluate` of a pool.

        Args:
            scores: by arch, a dict or a pandas Series; or an array with one for every member of the space in build order. NaN and None where there
                is none.
            name: what the report calls it.
            direction: +1 where higher scores are better, -1 where lower ones are.
            k, fraction, budgets: of BR@K, P@topK and mBR.
            recipe, protocol, seed, split, where, score_seed: which archs, accuracies and stored scores: `pool.pool_of`.
            resamples, bootstrap_seed, level: of bootstrap intervals; 0 resamples makes none.

        Raises:
            UnknownNameError: a name that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`.
            UsageError: scores of archs that are no members, twice of one arch, or of no measured arch; wrong options.
        """
        from nbzero import constrained, pool

        values = constrained.aligned(self.space(space), scores)
        made = pool.pool_of(
            self, space, dataset, recipe, protocol, seed, split, where=where, score_seed=score_seed
        )
        seeds = constrained.seed_accuracies(self, made)
        return constrained.evaluate(
            made,
            values[made.arch_ids],
            name,
            direction,
            k,
            fraction,
            budgets,
            seeds,
            resamples,
            bootstrap_seed,
            level,
        )

    def simulate(
        self,
        space: str,
        dataset: str,
        recipe: str | None = None,
        budget_s: float | None = None,
        charge_repeats: bool = False,
        split: Split = "val",
        protocol: str | None = None,
    ) -> Simulation:
        """A search with a clock that charges what each training and scoring really took: see `simulate.Simulation`.

        Raises:
            NothingFoundError: the release has no such runs. Others as `Simulation`.
        """
        from nbzero.simulate import Simulation

        return Simulation(self, space, dataset, recipe, budget_s, charge_repeats, split, protocol)

    def arrow(self, table: Table, space: str, dataset: str | None = None) -> pa.Table:
        """A whole Parquet table as it is stored, every column, recipe and seed, checked against the manifest.

        Raises:
            UnknownNameError: a table, space or dataset that does not exist.
            UsageError: runs or scores without a dataset, or archs with one.
            ReleaseError: the release has no such table, or its file is not what the manifest promises.
        """
        if table not in TABLES:
            raise unknown_name("table", table, TABLES)
        if space not in self.spaces:
            raise unknown_name("space", space, self.spaces)
        if (dataset is None) != (table == "archs"):
            raise UsageError(
                f"dataset {dataset!r} with the {table} table; archs are of no data set, runs and scores of one: {self.datasets(space)}"
            )
        if dataset is not None:
            self._check_dataset(dataset)
        return self._release.table(path_of(table, space, dataset))

    def factors(
        self,
        space: str,
        dataset: str,
        targets: Iterable[str] | None = None,
        recipe: str | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        split: Split = "val",
        where: str | None = None,
        transform: Transform = "rank",
        score_seed: Seed = None,
    ) -> Frame:
        """How much each stage feature says about each proxy and the accuracy: importances beside how well their model fits; needs xgboost.

        Every target is explained on all archs that have it, so N differs by target. `nbzero.judge.factors.factors` says what the columns are
        and takes a proxy of your own; arguments and errors as `nbzero.factors.sample_of` and it.
        """
        from nbzero.factors import sample_of
        from nbzero.judge.factors import factors

        return factors(
            sample_of(
                self,
                space,
                dataset,
                targets,
                recipe,
                protocol,
                seed,
                split,
                where=where,
                score_seed=score_seed,
            ),
            transform=transform,
        )

    def bias(
        self,
        space: str,
        dataset: str,
        targets: Iterable[str] | None = None,
        recipe: str | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        split: Split = "val",
        where: str | None = None,
        top: float = 0.05,
        score_seed: Seed = None,
    ) -> Frame:
        """Widths, depths, macs and params of the archs that each proxy likes best, against all archs and the truly best ones.

        `nbzero.judge.bias.bias` says what the columns are; arguments and errors as `nbzero.factors.sample_of` and it.
        """
        from nbzero.factors import sample_of
        from nbzero.judge.bias import bias

        if isinstance(targets, str):
            raise UsageError(f"targets is {targets!r}; it is a list of names: [{targets!r}]")
        names = None if targets is None else list(targets)
        sample = sample_of(
            self,
            space,
            dataset,
            None if names is None else [*names, "accuracy"],
            recipe,
            protocol,
            seed,
            split,
            where=where,
            score_seed=score_seed,
        )
        return bias(sample, names, top=top)

    def hybrid(
        self,
        space: str,
        dataset: str,
        proxies: Iterable[str] | None = None,
        rule: Rule = "rank_sum",
        costs: str | Iterable[str] = "macs",
        budgets: int | Sequence[float] = 5,
        spacing: str = "even",
        normalise: str = "total",
        recipe: str | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        where: str | None = None,
        score_seed: Seed = None,
        split: Split = "val",
        draws: int = 20,
        draw_seed: int = 0,
        engine: str = "auto",
    ) -> HybridSearch:
        """Every combination of up to 24 proxies or costs, judged by mBR: `nbzero.hybrid.best_hybrids` of a pool of this release.

        Args:
            proxies, rule, costs, budgets, spacing, normalise, draws, engine: as in `best_hybrids`, whose seed is `draw_seed`.
            recipe, protocol, seed, where, score_seed: which archs, accuracies and scores: `pool.pool_of`.
            split: "val"; "test" where a benchmark has no other, and then nothing is left to judge on.

        Judge what it finds on other pools, `judge(pool_of(bench, space, dataset, split="test"))`, or on other data sets and spaces.

        Raises:
            UnknownNameError: a space, dataset, recipe, protocol, proxy, cost or rule that does not exist.
            NothingFoundError: no arch has an accuracy there or meets `where`, none has a score of a proxy, or every budget is below every arch.
            UsageError: several recipes and none named, or as `best_hybrids`.
        """
        from nbzero.hybrid import best_hybrids
        from nbzero.pool import pool_of

        pool = pool_of(
            self, space, dataset, recipe, protocol, seed, split, where=where, score_seed=score_seed
        )
        return best_hybrids(pool, proxies, rule, costs, budgets, spacing, normalise, draws, draw_seed, engine)

    def _named(self, kind: Kind, opened: OpenedSpace, dataset: str, name: str | None) -> str | None:
        """The recipe or protocol meant; None where none was named and the release has none for this space and dataset."""
        self._check_dataset(dataset)
        there = opened.named(kind, dataset)
        if name is None:
            if kind == "scores":
                return standard_protocol(opened.name) or None
            if len(there) > 1:
                raise UsageError(
                    f"{opened.name} on {dataset} has runs of several recipes, which are never mixed; name one: {', '.join(there)}"
                )
            return there[0] if there else None
        known = RECIPES if kind == "runs" else PROTOCOLS
        if name not in there and name not in known:
            everywhere = {
                n
                for space in self.spaces
                for d in self.datasets(space)
                for n in self._space(space).named(kind, d)
            }
            if name not in everywhere:
                raise unknown_name("recipe" if kind == "runs" else "protocol", name, {*known, *everywhere})
        return name

    def _check_dataset(self, name: str) -> str:
        if name not in DATASETS:
            known = {*DATASETS, *(dataset for _, _, dataset in self._tables if dataset)}
            if name not in known:
                raise unknown_name("dataset", name, known)
        return name

    def _space(self, name: str) -> OpenedSpace:
        if name not in self._opened:
            if name not in self.spaces:
                raise unknown_name("space", name, self.spaces)
            self._opened[name] = OpenedSpace(name, self._index(name))
        return self._opened[name]

    def _index(self, space: str) -> Index:
        """The released index; where there is none, one rebuilt from the Parquet files into the user's cache."""
        sources = {
            path: file.sha256 for path, file in self._release.manifest.files.items() if _is_of(path, space)
        }
        if index_path(space) in self._release.manifest.files:
            index = Index(self._release.path(index_path(space)))
        else:
            path = cache_folder() / "index" / self.sha256 / f"{space}.nbzidx"
            if not path.exists():
                write_cached(path, build_index(space, self._sorted_tables(space), sources))
            index = Index(path)
        if index.sources != sources:
            raise ReleaseError(
                f"{index.path} was made from other Parquet files than its release has; run builders.merge_shards again"
            )
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
    return sorted(
        names, key=lambda name: (list(CHOICES).index(name) if name in CHOICES else len(CHOICES), name)
    )
