"""Records: what a release holds of one arch, read from the mapped index when asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nbzero.errors import UnknownNameError, unknown_name
from nbzero.proxies.facts import PROXIES
from nbzero.release.latencies import MEASURE, TABLE, Timing, timing_of
from nbzero.release.opened import (
    RUN_NUMBERS,
    SPLITS,
    Group,
    Kind,
    Opened,
    OpenedSpace,
    Seed,
    Split,
    one_seed,
    split_column,
)
from nbzero.release.schema import TABLES
from nbzero.spaces.macro import Arch, Stage


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
    """A run of an imported space.

    It also says what val_acc and test_acc are (higher is better), and over which runs they are means.
    """

    train_time_s: float | None  # type: ignore[assignment]
    metric: str
    averaged: str


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one initialisation: a row of a scores table.

    `values[proxy]` is None where `failures` gives the reason.
    """

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


class Prediction(NamedTuple):
    """What the surrogate of a release says of one arch. It is no measurement.

    Attributes:
        mean: predicted val accuracy, on average over seeds.
        sd_mean: how uncertain this mean is.
        sd_run: sd of one training around the mean: 95 % of trainings lie within 1.96 of it.
        num_archs: networks that it was fitted on.
        version: data version of the release that had their runs.
    """

    mean: float
    sd_mean: float
    sd_run: float
    num_archs: int
    version: str


class Record:
    """One arch of a release: immutable, typed, read from the mapped index when asked. `Bench.query` makes it.

    Two records are equal where their arch and the manifest of their release are.

    Attributes:
        space, arch, arch_id: the space's name, the canonical string, the position in the build order.
        macs, params, depth: at 3x32x32 with 100 classes; flops = 2 * macs. In an imported space those it has,
            as its archs columns say.
        stem, stages: the choices; those of an imported space are columns of its archs table.
    """

    __slots__ = ("_release", "_space", "arch_id")
    arch_id: int
    _release: Opened
    _space: OpenedSpace

    def __init__(self, release: Opened, space: OpenedSpace, arch_id: int) -> None:
        object.__setattr__(self, "_release", release)
        object.__setattr__(self, "_space", space)
        object.__setattr__(self, "arch_id", arch_id)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a record cannot be changed ({name}): released rows are never edited")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a record cannot be changed ({name}): released rows are never edited")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return False
        return self.arch == other.arch and self._release.files.sha256 == other._release.files.sha256

    def __hash__(self) -> int:
        return hash(self.arch)

    def __reduce__(self) -> tuple[Any, ...]:
        return _record_at, (self._release, self.space, self.arch_id)

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
        published = self._space.published
        if published is not None:
            columns = ", ".join(choice.column for choice in published.choices)
            choices = f"its choices are columns of the archs table: {columns}"
            raise UnknownNameError(f"an arch of {self.space} has no {name}; {choices}")
        return Arch.parse(self.arch)

    def accuracy(
        self, dataset: str, recipe: str | None = None, split: Split = "val", seed: Seed = None
    ) -> float | None:
        """Accuracy after the last epoch, a fraction in [0, 1].

        In an imported space it is what the source gives, of the metric that `run` names.

        Args:
            recipe: None is the only one that has runs; of several in r1 to mb-mini it is cpu-16px-4.
            split: "val", or "test", which is for the final judgement only.
            seed: None is seed 0; a number; or "mean" over the seeds that finished.

        Returns:
            None where there is no such run or it diverged; `accuracy_reason`, with the same arguments, says
            which.

        Raises:
            UnknownNameError: a dataset or recipe that does not exist.
            UsageError: another split or seed, or no recipe named where there are several.
        """
        return self._value("runs", split_column(split), dataset, recipe, seed)

    def accuracy_reason(
        self, dataset: str, recipe: str | None = None, split: Split = "val", seed: Seed = None
    ) -> str | None:
        """Why `accuracy` with the same arguments is None; None where it is a number."""
        column = split_column(split)
        if self._value("runs", column, dataset, recipe, seed) is not None:
            return None
        recipe = self._release.named("runs", self._space, dataset, recipe)
        _, absent = self._first_row("runs", dataset, recipe, seed)
        if absent:
            return absent + self._space.how_to_import
        if self._space.published is None:
            return "the run diverged: its loss or a logit stopped being finite"
        there = "test" if column == "val_acc" else "val"
        gives_none = f"the source of {self.space} gives no {SPLITS[column]} accuracy"
        return f"{gives_none} with recipe {recipe} on {dataset}; split={there!r} is what there is"

    def score(self, proxy: str, dataset: str, protocol: str | None = None, seed: Seed = None) -> float | None:
        """A proxy's score as computed, sign and scale untouched.

        Args:
            protocol: None is the space's standard one; of a published space std-32 where there are scores by
                it, else that of the benchmark's own scores.
            seed: None is seed 0; a number; or "mean" over the seeds that have a score.

        Returns:
            None where it was not or could not be computed; `score_reason`, with the same arguments, says
            which.

        Raises:
            UnknownNameError: a proxy, dataset or protocol that does not exist.
            UsageError: another seed.
        """
        return self._value("scores", _proxy_column(proxy), dataset, protocol, seed)

    def score_reason(
        self, proxy: str, dataset: str, protocol: str | None = None, seed: Seed = None
    ) -> str | None:
        """Why `score` with the same arguments is None; None where it is a number."""
        column, table = _proxy_column(proxy), f"scores/{dataset}"
        if self._value("scores", column, dataset, protocol, seed) is not None:
            return None
        protocol = self._release.named("scores", self._space, dataset, protocol)
        row, absent = self._first_row("scores", dataset, protocol, seed)
        if absent:
            return absent
        if not self._space.has(table, column):
            if self._space.published is None:
                return f"the release is older than the proxy {column}"
            return f"the source of {self.space} gives no {column}"
        failures = json.loads(self._space.text(table, "failures", row) or "{}")
        return str(failures.get(column, "not computed by the job that scored this arch"))

    def run(self, dataset: str, recipe: str | None = None, seed: int = 0) -> Run | None:
        """The whole row of one training run, with its curve and where it was made.

        None where there is none.
        """
        seed = one_seed(seed)
        recipe = self._release.named("runs", self._space, dataset, recipe)
        row = self._row("runs", dataset, recipe, seed)
        if row is None or recipe is None:
            return None
        space, table = self._space, f"runs/{dataset}"
        more = () if space.published is None else ("metric", "averaged")
        names = ("status", "device", "engine", "software", "builder_commit", *more)
        texts: dict[str, Any] = {name: space.text(table, name, row) for name in names}
        numbers = {name: _or_none(space.numbers(table, name)[row]) for name in RUN_NUMBERS}
        curve = space.index.list_at(table, "curve", row)
        kind = ImportedRun if more else Run
        measured: dict[str, Any] = numbers | texts
        return kind(self.arch, dataset, recipe, seed, curve=curve, **measured)

    def scores(self, dataset: str, protocol: str | None = None, seed: int = 0) -> Scores | None:
        """The whole row of one scored initialisation; None where there is none."""
        seed = one_seed(seed)
        protocol = self._release.named("scores", self._space, dataset, protocol)
        row = self._row("scores", dataset, protocol, seed)
        if row is None or protocol is None:
            return None
        space, table = self._space, f"scores/{dataset}"
        values = {name: _or_none(space.numbers(table, name)[row]) for name in PROXIES}
        timed = [column.name for column in TABLES["scores"] if column.unit == "s"]
        seconds = {name.removesuffix("_s"): _or_none(space.numbers(table, name)[row]) for name in timed}
        failures = json.loads(space.text(table, "failures", row) or "{}")
        made_by: Any = {
            name: space.text(table, name, row) for name in ("device", "software", "builder_commit")
        }
        return Scores(self.arch, dataset, protocol, seed, values, seconds, failures, **made_by)

    def predicted(self, dataset: str, recipe: str | None = None) -> Prediction | None:
        """What the surrogate of the space predicts of the val accuracy, measured or not.

        Args:
            recipe: may be left out where the release has runs of only one for this space and dataset.

        Returns:
            None where the release has no predictions; `predicted_reason`, with the same arguments, says why.

        Raises:
            UnknownNameError: a dataset or recipe that does not exist.
            UsageError: no recipe named where there are several.
        """
        key = ("predicted", dataset, recipe)
        if key not in self._space.kept:
            self._space.kept[key] = self._predictions(dataset, recipe)
        found = self._space.kept[key]
        if found is None:
            return None
        group, mean, sd_mean, sd_run, num_archs, version = found
        row = group.row(self.arch_id)
        return Prediction(mean[row], sd_mean[row], sd_run[row], num_archs, version)

    def _predictions(self, dataset: str, recipe: str | None) -> tuple[Any, ...] | None:
        """What the predictions of all members have in common; None where there are none."""
        named = self._release.named("runs", self._space, dataset, recipe)
        table = f"predictions/{dataset}"
        group = self._space.groups(table).get((str(named), 0))
        if group is None:
            return None
        numbers = [self._space.numbers(table, name) for name in ("mean", "sd_mean", "sd_run")]
        num_archs = self._space.numbers(table, "num_archs")[group.start]
        return group, *numbers, num_archs, self._space.text(table, "version", group.start)

    def predicted_reason(self, dataset: str, recipe: str | None = None) -> str | None:
        """Why `predicted` with the same arguments is None; None where it is a prediction."""
        from nbzero.release.derived import why_no_surrogate

        if self.predicted(dataset, recipe) is not None:
            return None
        return why_no_surrogate(self._release, self._space, dataset, recipe)

    def latency(self, setup: str | None = None) -> float | None:
        """Milliseconds that one pass of a batch takes on one machine, at its usual speed.

            latency_ms * (median of reference_ms over the setup's rows in the release) / reference_ms

        A machine that others use too is faster at one time than at another. The reference is timed in turns
        with the network, so that this cancels out. `timing` has what was measured. More rows in a later
        release may change the median: that scales all latencies of a setup alike.

        Args:
            setup: like "cpu-1:amd-epyc-9b14"; None is that under which the release timed most networks.
                `Bench.setups` lists them.

        Returns:
            None where the arch was not timed so; `latency_reason`, with the same argument, says why.

        Raises:
            UnknownNameError: a setup that the release does not have.
        """
        key = ("latency", setup)
        if key not in self._space.kept:
            self._space.kept[key] = self._latencies(setup)
        found = self._space.kept[key]
        if found is None:
            return None
        group, taken, reference, usual = found
        row = group.row(self.arch_id)
        return None if row is None else float(taken[row] * (usual / reference[row]))

    def _latencies(self, setup: str | None) -> tuple[Group, memoryview, memoryview, float] | None:
        """The rows of a setup, what networks and references took, and what the reference usually takes.

        None where the space has none under it.
        """
        named = str(self._release.setup(setup))
        group = self._space.groups(TABLE).get((named, 0))
        if group is None:
            return None
        taken, reference = (self._space.numbers(TABLE, name) for name in ("latency_ms", "reference_ms"))
        return group, taken, reference, self._release.usual_reference_ms(named)

    def latency_reason(self, setup: str | None = None) -> str | None:
        """Why `latency` with the same argument is None; None where it is a number."""
        if self.latency(setup) is not None:
            return None
        there = ", ".join(self._space.setups)
        if not there:
            return f"the release has no latencies of {self.space}; {MEASURE} measures them"
        named = self._release.setup(setup)
        if named not in self._space.setups:
            return f"the release has no latencies of {self.space} under {named}; it has those of {there}"
        return f"this arch was not timed under {named}"

    def timing(self, setup: str | None = None) -> Timing | None:
        """The whole row of `latency`: quartiles, repeats, the reference beside it, the machine.

        None where there is none.
        """
        named = self._release.setup(setup)
        return None if named is None else timing_of(self._space, self.arch_id, named)

    def _row(self, kind: Kind, dataset: str, name: str | None, seed: int) -> int | None:
        if name is None:
            return None
        group = self._space.groups(f"{kind}/{dataset}").get((name, seed))
        return group.row(self.arch_id) if group else None

    def _value(self, kind: Kind, column: str, dataset: str, name: str | None, seed: Seed) -> float | None:
        if seed != "mean":
            return self._one(kind, column, dataset, name, one_seed(seed))
        name = self._release.named(kind, self._space, dataset, name)
        values = []
        for one in self._space.seeds(kind, dataset, name):
            value = self._one(kind, column, dataset, name, one)
            if value is not None:
                values.append(value)
        return sum(values) / len(values) if values else None

    def _one(self, kind: Kind, column: str, dataset: str, name: str | None, seed: int) -> float | None:
        """One number.

        Where it lies is found once for all archs, so that a look-up takes about a microsecond.
        """
        key = (kind, column, dataset, name, seed)
        parts = self._space.parts
        if key not in parts:
            table = f"{kind}/{dataset}"
            named = self._release.named(kind, self._space, dataset, name)
            group = None if named is None else self._space.groups(table).get((named, seed))
            parts[key] = (group, self._space.numbers(table, column)) if group else None
        part = parts[key]
        if part is None:
            return None
        row = part[0].row(self.arch_id)
        return None if row is None else _or_none(part[1][row])

    def _first_row(self, kind: Kind, dataset: str, name: str | None, seed: Seed) -> tuple[int, str | None]:
        """Of the seeds asked for the first row that this arch has; or, with -1, why it has none."""
        word, key = ("run", "recipe") if kind == "runs" else ("scores", "protocol")
        seeds = self._space.seeds(kind, dataset, name)
        if not seeds:
            with_name = "" if name is None else f" with {key} {name}"
            return -1, f"the release has no {kind} of {self.space} on {dataset}{with_name}"
        asked = seeds if seed == "mean" else [one_seed(seed)]
        for one in asked:
            row = self._row(kind, dataset, name, one)
            if row is not None:
                return row, None
        listed = ", ".join(map(str, asked))
        return -1, f"this arch has no {word} on {dataset} with {key} {name} and seed {listed}"


def _record_at(release: Opened, space: str, arch_id: int) -> Record:
    return Record(release, release.space(space), arch_id)


def _or_none(number: float) -> float | None:
    return number if number == number else None


def _proxy_column(name: str) -> str:
    if name not in PROXIES:
        raise unknown_name("proxy", name, PROXIES)
    return name
