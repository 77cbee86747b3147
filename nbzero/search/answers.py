"""What a simulated search is answered: from the tables, or by the surrogate where they have nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from nbzero.errors import NothingFoundError, UsageError
from nbzero.release.opened import Opened, OpenedSpace, Split, split_column
from nbzero.release.record import Record
from nbzero.release.table import Wanted, numbers_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from nbzero.surrogate import Surrogate

Unmeasured = Literal["predict", "refuse", "none"]
UNMEASURED: tuple[Unmeasured, ...] = ("predict", "refuse", "none")


class PredictedAccuracy(float):
    """A number that the surrogate gave: the mean of its posterior. No network was trained for it.

    It is used like any float. A measured accuracy is a plain float.

    Attributes:
        sd_mean: how uncertain the mean is.
        sd_run: sd of one training around it.
    """

    sd_mean: float
    sd_run: float

    def __new__(cls, mean: float, sd_mean: float, sd_run: float) -> PredictedAccuracy:
        made = super().__new__(cls, mean)
        made.sd_mean, made.sd_run = sd_mean, sd_run
        return made

    def __getnewargs__(self) -> tuple[float, float, float]:  # type: ignore[override]
        return float(self), self.sd_mean, self.sd_run

    def __repr__(self) -> str:
        return f"PredictedAccuracy({float(self):.4f}, sd_run={self.sd_run:.4f})"


class Answer(NamedTuple):
    """An answer, before it is charged.

    Attributes:
        source: "measured", also of what was measured and failed; "predicted"; None of what is neither.
        reason: why there is no value.
    """

    value: float | None
    source: str | None
    reason: str | None


@dataclass(frozen=True)
class Searched:
    """What is searched: one space, data set and recipe of a release, and of which split and protocol."""

    release: Opened
    opened: OpenedSpace
    dataset: str
    recipe: str
    split: Split
    protocol: str | None

    def is_measured(self) -> npt.NDArray[np.bool_]:
        """(members,) whether an arch has a run, of seed 0 or else of the first seed that there is.

        A diverged run is one too. In an imported space it needs an accuracy of the split.
        """
        seed = min(self.opened.seeds("runs", self.dataset, self.recipe))
        is_there = np.zeros(len(self.opened.archs), bool)
        group = self.opened.groups(f"runs/{self.dataset}")[self.recipe, seed]
        is_there[np.asarray(group.ids)] = True
        if self.opened.published is not None:
            wanted = Wanted(self.dataset, self.recipe, seed=seed)
            accuracy = numbers_of(self.release, self.opened, "runs", split_column(self.split), wanted)
            is_there &= ~np.isnan(accuracy)
        return is_there

    def surrogate(self) -> Surrogate:
        """The surrogate that predicts the others.

        Raises:
            UsageError: the test split, or an imported space.
            NothingFoundError: too few runs for one, or none was fitted.
        """
        if self.split != "val":
            raise UsageError("the surrogate predicts val accuracies; with split='test' refuse the unmeasured")
        from nbzero.surrogate import surrogate_of

        try:
            return surrogate_of(self.release, self.opened.name, self.dataset, self.recipe)
        except NothingFoundError as error:
            instead = "or simulate with unmeasured='refuse' or 'none', which need no surrogate"
            raise NothingFoundError(f"{error}; {instead}") from error


class Answers:
    """Answers the queries of a search.

    Args:
        searched: what is searched.
        surrogate: predicts the accuracies that were not measured; None: there are none.
    """

    def __init__(self, searched: Searched, surrogate: Surrogate | None) -> None:
        self._searched, self._surrogate = searched, surrogate
        self._predicted: dict[str, PredictedAccuracy] = {}

    def accuracy(self, arch: str, seed: int) -> Answer:
        """Of one training: measured, or else predicted."""
        found = self._measured_accuracy(arch, seed)
        if found.source is not None or self._surrogate is None:
            return found
        if arch not in self._predicted:
            self._predicted[arch] = PredictedAccuracy(*self._surrogate.predict_one(arch))
        return Answer(self._predicted[arch], "predicted", None)

    def _measured_accuracy(self, arch: str, seed: int) -> Answer:
        of = self._searched
        record = self._record(arch)
        if record is None:
            return self._no_member(arch)
        value = record.accuracy(of.dataset, of.recipe, of.split, seed)
        if value is not None:
            return Answer(value, "measured", None)
        reason = record.accuracy_reason(of.dataset, of.recipe, of.split, seed)
        has_diverged = of.opened.published is None and record.run(of.dataset, of.recipe, seed) is not None
        return Answer(None, "measured" if has_diverged else None, reason)

    def score(self, arch: str, proxy: str, seed: int) -> Answer:
        """Of a proxy. Scores are never predicted."""
        of = self._searched
        record = self._record(arch)
        if record is None:
            return self._no_member(arch)
        value = record.score(proxy, of.dataset, of.protocol, seed)
        if value is not None:
            return Answer(value, "measured", None)
        reason = record.score_reason(proxy, of.dataset, of.protocol, seed)
        scores = record.scores(of.dataset, of.protocol, seed)
        has_failed = scores is not None and proxy in scores.failures
        return Answer(None, "measured" if has_failed else None, reason)

    def predict(self, archs: Iterable[str]) -> None:
        """Predict at once those archs that have no prediction yet."""
        new = [arch for arch in archs if arch not in self._predicted]
        if self._surrogate is None or not new:
            return
        found = self._surrogate.predict(new)
        numbers = zip(found.mean.tolist(), found.sd_mean.tolist(), found.sd_run.tolist(), strict=True)
        for arch, (mean, sd_mean, sd_run) in zip(new, numbers, strict=True):
            self._predicted[arch] = PredictedAccuracy(mean, sd_mean, sd_run)

    def _record(self, arch: str) -> Record | None:
        opened = self._searched.opened
        arch_id = opened.ids.get(arch)
        return None if arch_id is None else Record(self._searched.release, opened, arch_id)

    def _no_member(self, arch: str) -> Answer:
        return Answer(None, None, f"{arch} is no member of {self._searched.opened.name}, so no table has it")
