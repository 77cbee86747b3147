"""What the adapters ask of a bench: which arch some decisions make, and what its training gives.

An optimiser sees val accuracies, unless split="test" is asked for. Test accuracies are for the final
judgement and have a name of their own, `test_accuracy`. In imported tasks of another metric an accuracy is
that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np

from nbzero.errors import NothingFoundError, UsageError
from nbzero.release.opened import Seed, Split, one_seed
from nbzero.search.answers import PredictedAccuracy, Unmeasured
from nbzero.search.clock import ClockName
from nbzero.search.moves import Condition
from nbzero.spaces.decisions import arch_of, decisions_of, vector_of
from nbzero.spaces.macro import CHOICES, MAX_MACS, MAX_PARAMS, Arch, as_arch
from nbzero.spaces.published import space_with

if TYPE_CHECKING:
    import numpy.typing as npt

    from nbzero.bench import Bench


class Answered(TypedDict, total=False):
    """How any training is answered: keyword arguments of `Trainings`."""

    unmeasured: Unmeasured | None
    clock: ClockName | None
    seconds: float | None
    split: Split


class How(Answered, total=False):
    """All keyword arguments of `Trainings`."""

    where: str | None
    seed: Seed


class Training(NamedTuple):
    """What is known of one training.

    Attributes:
        accuracy: of the split that is searched, a fraction; a `PredictedAccuracy` where no network was
            trained; None where there is none.
        curve: val accuracy after each epoch; empty where there is none, as of what was predicted.
        seconds: by the clock.
        source: "measured", "predicted", or None.
        reason: why there is no accuracy.
    """

    arch: str
    accuracy: float | None
    curve: tuple[float, ...]
    seconds: float
    source: str | None
    reason: str | None


class Trainings:
    """The trainings of a space, as an optimiser asks for them.

    Decisions make an arch of the grid where the others are predicted (`unmeasured="predict"`). Else they make
    the nearest of the archs that were measured: the one itself where it was.

    Args:
        bench, space, dataset, recipe: as `Bench.simulate`.
        unmeasured: of what was not trained: "predict", "refuse" or "none"; None as `Bench.simulate`.
        clock: of the seconds; None as `Bench.simulate`: "modelled" where it was fitted, else "none".
        where: a condition on columns of the archs table. Decisions that make an arch outside of it have no
            accuracy, with that as the reason.
        seconds: what every training is charged, instead of a clock: where a release gives no times.
        seed: of the runs; None is 0.
        split: "val"; "test" is for benchmarks that have no val accuracies, as nbmacro. It has no curves.

    Attributes:
        simulation: the search that answers. It has no limits, and its own clock is not used.
        bench: as given.
        decisions: what is decided.

    Raises:
        UsageError, UnknownNameError, NothingFoundError: as `Bench.simulate`; seconds that are no positive
            number, or given with a clock.
    """

    def __init__(
        self,
        bench: Bench,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        unmeasured: Unmeasured | None = None,
        clock: ClockName | None = None,
        where: str | None = None,
        seconds: float | None = None,
        seed: Seed = None,
        split: Split = "val",
    ) -> None:
        check_seconds(seconds, clock)
        self.seed = one_seed(seed)
        if seconds is not None:
            clock = "none"
        self.simulation = bench.simulate(
            space, dataset, recipe, unmeasured=unmeasured, clock=clock, where=where, split=split
        )
        self.space, self.dataset, self.recipe = space, dataset, self.simulation.recipe
        self.decisions = decisions_of(space)
        self.seconds = seconds
        self.bench = bench
        self._condition = Condition(bench.release.space(space), where)
        self._searched = space_with(space, self.simulation.archs)

    @property
    def has_clock(self) -> bool:
        """Whether a training takes time."""
        return self.seconds is not None or self.simulation.clock != "none"

    def arch_of(self, values: Mapping[str, Any]) -> str:
        """The arch that some decisions make.

        Raises:
            UnknownNameError, UsageError: as `nbzero.spaces.decisions.arch_of`.
        """
        if self.simulation.unmeasured == "predict":
            return arch_of(self.space, values)
        vector = vector_of(self.space, values)
        distances: npt.NDArray[Any] = self._searched.vectors != vector
        if self.space in CHOICES:  # their numbers have an order
            distances = np.abs(self._searched.vectors - vector)
        return self._searched[int(distances.sum(axis=1).argmin())]

    def train(self, arch: str | Arch, seed: Seed = None) -> Training:
        """What one training gives.

        Args:
            seed: of the run; None is the one that was given to all.

        Raises:
            NothingFoundError: the arch was not measured, with `unmeasured="refuse"`.
            UsageError: no arch of this space.
        """
        text, seed = str(arch), self.seed if seed is None else one_seed(seed)
        barred = self._barred(text)
        if barred is not None:
            return Training(text, None, (), 0.0, None, barred)
        accuracy = self.simulation.train(text, seed)
        seconds = self.seconds_of(text, seed)
        if isinstance(accuracy, PredictedAccuracy):
            return Training(text, accuracy, (), seconds, "predicted", None)
        curve = self._curve(text, seed)
        source = "measured" if curve or accuracy is not None else None
        return Training(text, accuracy, curve, seconds, source, self.simulation.reason)

    def seconds_of(self, arch: str, seed: Seed = None) -> float:
        """What a training is charged; 0 without a clock."""
        if self.seconds is not None:
            return self.seconds
        return self.simulation.seconds(arch, seed=seed)

    def _barred(self, arch: str) -> str | None:
        """Why an arch is not trained here, or None."""
        if arch in self._searched:
            return None
        self._searched.encode(arch)  # raises for no arch of this space, and says why
        if not self._condition.is_met(arch):
            return f"{arch} does not meet where={self._condition.where!r}"
        if self.space not in CHOICES:
            return None
        parsed = as_arch(arch)
        if parsed.macs > MAX_MACS or parsed.params > MAX_PARAMS:
            most = f"{MAX_MACS:,} macs and {MAX_PARAMS:,} params"
            return f"{arch} has more than {most}, the limits of {self.space}"
        return None

    def _curve(self, arch: str, seed: int) -> tuple[float, ...]:
        """Val accuracy by epoch, where the release has it."""
        if arch not in self._searched or self.simulation.split == "test":
            return ()
        run = self.bench.query(arch).run(self.dataset, self.recipe, seed)
        return () if run is None else tuple(run.curve)

    def num_epochs(self) -> int:
        """The epochs that every training has a curve of; 1 where one can be asked for that has none.

        A run that diverged may have a shorter one.
        """
        if self.simulation.unmeasured == "predict":
            return 1
        lengths = [len(self._curve(arch, self.seed)) for arch in self.simulation.archs]
        return max(lengths) if min(lengths) else 1

    def test_accuracy(self, arch: str | Arch) -> float:
        """The test accuracy of one training, for the final judgement only.

        Raises:
            NothingFoundError: there is none, with the reason.
            NotAMemberError: an arch of the grid that no table has.
        """
        record = self.bench.query(arch if isinstance(arch, Arch) else str(arch))
        of, seed = (self.dataset, self.recipe), self.seed
        accuracy = record.accuracy(*of, split="test", seed=seed)
        if accuracy is None:
            reason = record.accuracy_reason(*of, split="test", seed=seed)
            raise NothingFoundError(f"no test accuracy of {arch}: {reason}")
        return accuracy


def check_seconds(seconds: float | None, clock: ClockName | None) -> None:
    """UsageError for seconds that are no positive number, or beside a clock."""
    if seconds is None:
        return
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not (is_number and 0 < seconds < math.inf):
        raise UsageError(f"seconds {seconds!r}; it is a positive number that every training is charged")
    if clock is not None:
        raise UsageError(f"seconds {seconds:g} and clock {clock!r}; give one of them")


def check_budget(budget_s: float | None, trainings: Trainings) -> None:
    """UsageError for a budget that is no positive number, or without a clock that would use it up."""
    if budget_s is None:
        return
    is_number = isinstance(budget_s, (int, float)) and not isinstance(budget_s, bool)
    if not (is_number and 0 < budget_s < math.inf):
        raise UsageError(f"budget_s {budget_s!r}; it is a positive number of seconds, or None for no limit")
    check_clock(trainings, f"budget_s {budget_s:g}")


def check_clock(trainings: Trainings, asked_by: str) -> None:
    """UsageError where trainings take no time."""
    if not trainings.has_clock:
        of = f"{trainings.space} with recipe {trainings.recipe}"
        raise UsageError(
            f"{asked_by} of {of}, whose clock is 'none' and charges no seconds; take clock='recorded' where "
            "the release has times, or seconds=60, which every training is then charged"
        )
