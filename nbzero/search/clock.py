"""Simulated search: answers from the tables, and a clock.

It advances by what each training and scoring really took.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.errors import (
    NotAMemberError,
    NothingFoundError,
    OutOfBudgetError,
    UsageError,
    count_of,
    unknown_name,
)
from nbzero.proxies.facts import PROXIES
from nbzero.release.opened import Opened, Seed, Split, one_seed, split_column
from nbzero.release.record import Record
from nbzero.spaces.macro import Arch

if TYPE_CHECKING:
    from nbzero.frame import Frame


class _Step(NamedTuple):
    kind: str
    arch: str
    proxy: str | None
    seed: int
    value: float | None
    charged_s: float
    clock_s: float
    reason: str | None


class _Due(NamedTuple):
    """What a query asks for, and what it costs.

    Attributes:
        made_by: the pass that is paid for; several proxies share one.
        took: its seconds; None where the release has nothing to charge for.
    """

    kind: str
    arch: str
    proxy: str | None
    seed: int
    made_by: str
    took: float | None

    @property
    def words(self) -> str:
        if self.kind == "train":
            return f"training of {self.arch}"
        return f"{self.proxy} by the {self.made_by} pass of {self.arch}"


class Simulation:
    """One simulated search on one space, data set and recipe.

    `Bench.simulate` makes it. Several never share their clocks.

    A training charges the run's `train_time_s`, a diverged one too. A score charges the seconds of the pass
    that computes it, once for an arch and seed however many proxies share the pass (`Proxy.timed_as`), also
    where the proxy failed. What the release does not hold, such as a grid arch that is no member, an arch
    that was not trained, or an unknown duration, is answered by None and charges nothing; `reason` says why.

    Args:
        release, space, dataset, recipe, protocol: as in `Bench.query`'s records.
        budget_s: seconds that the search may take; None: no limit.
        charge_repeats: an identical query charges again, as for a search that keeps nothing; False: it is
            remembered and free.
        split: of the accuracies; "test" is for the final judgement only.

    Attributes:
        clock_s: seconds charged so far.
        reason: why the last answer was None; None where it was a number.

    Raises:
        UnknownNameError: a space, dataset, recipe or protocol that does not exist.
        NothingFoundError: the release has no runs of the space on the dataset with the recipe.
        UsageError: several recipes and none named, another split, a budget that is no positive number.
    """

    def __init__(
        self,
        release: Opened,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        budget_s: float | None = None,
        charge_repeats: bool = False,
        split: Split = "val",
        protocol: str | None = None,
    ) -> None:
        split_column(split)
        is_number = not isinstance(budget_s, (bool, str))
        if budget_s is not None and not (is_number and 0 < budget_s < math.inf):
            raise UsageError(
                f"budget_s {budget_s!r}; it is a positive number of seconds, or None for no limit"
            )
        opened = release.space(space)
        named = release.named("runs", opened, dataset, recipe)
        if not opened.seeds("runs", dataset, named):
            with_recipe = f" with recipe {recipe}" if recipe else ""
            lacking = f"no runs of {space} on {dataset}{with_recipe} to simulate a search by"
            raise NothingFoundError(f"{lacking}: {release.runs_there(space)}")
        self._release, self._opened = release, opened
        self.space, self.dataset, self.recipe, self.split = space, dataset, named, split
        self.protocol = release.named("scores", opened, dataset, protocol)
        self.budget_s, self.charge_repeats = budget_s, charge_repeats
        self.reset()

    def reset(self) -> None:
        """Back to a clock of 0 and an empty history."""
        self.clock_s = 0.0
        self.reason: str | None = None
        self._steps: list[_Step] = []
        self._paid: set[tuple[str, str, int]] = set()
        self._asked: set[tuple[str, str, int]] = set()

    @property
    def left_s(self) -> float:
        """Seconds left of the budget; inf without one."""
        return math.inf if self.budget_s is None else self.budget_s - self.clock_s

    def train(self, arch: str | Arch, seed: Seed = None) -> float | None:
        """The accuracy of one training, a fraction in [0, 1]; the clock advances by its `train_time_s`.

        Returns:
            None where the run diverged (charged) or the release has none (not charged); `reason` says which.

        Raises:
            OutOfBudgetError: the training takes longer than what is left; nothing was charged or written
                down.
            UsageError: a malformed arch, one of another space, another seed.
        """
        number = one_seed(seed)
        record = self._record(arch)
        if record is None:
            return self._answer(_Due("train", str(arch), None, number, "train", None), None, 0.0, self.reason)
        accuracy = record.accuracy(self.dataset, self.recipe, self.split, number)
        reason = record.accuracy_reason(self.dataset, self.recipe, self.split, number)
        run = record.run(self.dataset, self.recipe, number)
        took = run.train_time_s if run else None
        if run and took is None:
            accuracy, reason = None, "the release does not say how long this training took"
        return self._charge(_Due("train", record.arch, None, number, "train", took), accuracy, reason)

    def score(self, arch: str | Arch, proxy: str, seed: Seed = None) -> float | None:
        """A proxy's score as computed; the clock advances by the seconds of its pass, if not paid yet.

        Returns:
            None where the proxy failed on this arch (charged) or the release has no score or no seconds of it
            (not charged); `reason` says which.

        Raises:
            UnknownNameError: a proxy that does not exist.
            OutOfBudgetError: the pass takes longer than what is left; nothing was charged or written down.
            UsageError: a malformed arch, one of another space, another seed.
        """
        if proxy not in PROXIES:
            raise unknown_name("proxy", proxy, PROXIES)
        number = one_seed(seed)
        record = self._record(arch)
        made_by = PROXIES[proxy].timed_as
        if record is None:
            return self._answer(
                _Due("score", str(arch), proxy, number, made_by, None), None, 0.0, self.reason
            )
        scores = record.scores(self.dataset, self.protocol, number)
        value = record.score(proxy, self.dataset, self.protocol, number)
        reason = record.score_reason(proxy, self.dataset, self.protocol, number)
        computed = scores is not None and (value is not None or proxy in scores.failures)
        took = scores.seconds.get(made_by) if scores is not None and computed else None
        if value is not None and took is None:
            value, reason = None, f"the release does not say how long the {made_by} pass took"
        return self._charge(_Due("score", record.arch, proxy, number, made_by, took), value, reason)

    @property
    def best(self) -> tuple[str, float] | None:
        """The most accurate arch trained so far and its accuracy, the first of equal ones.

        None before any.
        """
        best: tuple[str, float] | None = None
        for step in self._steps:
            is_accuracy = step.kind == "train" and step.value is not None
            if is_accuracy and (best is None or step.value > best[1]):  # type: ignore[operator]
                best = (step.arch, step.value)  # type: ignore[assignment]
        return best

    @property
    def history(self) -> Frame:
        """A row per answered query.

        Columns step, kind (train, score), arch, proxy, seed, value, charged_s, clock_s (after it),
        best_accuracy (so far), reason.
        """
        from nbzero.frame import Frame

        rows = []
        best: float | None = None
        for number, step in enumerate(self._steps, 1):
            row: dict[str, Any] = {"step": number, **step._asdict()}
            reason = row.pop("reason")
            if step.kind == "train" and step.value is not None:
                best = step.value if best is None else max(best, step.value)
            rows.append(row | {"best_accuracy": best, "reason": reason})
        budget = "no limit" if self.budget_s is None else f"{self.budget_s:g} s"
        title = (
            f"Simulated search: {self.space}, {self.dataset}, {self.recipe}, {self.split}, budget {budget}"
        )
        columns = ("step", *_Step._fields[:-1], "best_accuracy", "reason")
        return Frame.of(rows, title, columns=columns)

    def __repr__(self) -> str:
        limit = "" if self.budget_s is None else f" of {self.budget_s:g}"
        asked = count_of(len(self._steps), "query", "queries")
        which = f"{self.space!r}, {self.dataset!r}, {self.recipe!r}"
        return f"Simulation({which}, {asked}, {self.clock_s:.1f}{limit} s)"

    def _record(self, arch: str | Arch) -> Record | None:
        """The arch's record; None, with the reason, for an arch of the grid that is no member."""
        try:
            return Record(self._release, self._opened, self._opened.space.arch_id(arch))
        except NotAMemberError as error:
            self.reason = str(error)
            return None

    def _charge(self, due: _Due, value: float | None, reason: str | None) -> float | None:
        """Answer, after paying what is not paid yet."""
        if due.took is None:
            return self._answer(due, value, 0.0, reason)
        paid = (due.arch, due.made_by, due.seed)
        asked = (due.arch, due.proxy or "train", due.seed)
        is_repeat = self.charge_repeats and asked in self._asked
        charged = due.took if is_repeat or paid not in self._paid else 0.0
        if charged > self.left_s:
            takes = f"{due.words} takes {charged:.2f} s and {self.left_s:.2f} of {self.budget_s:g} s are left"
            instead = "choose what takes less, or reset() with a larger budget_s"
            raise OutOfBudgetError(f"{takes}; nothing was charged; {instead}")
        self._paid.add(paid)
        self._asked.add(asked)
        return self._answer(due, value, charged, reason)

    def _answer(self, due: _Due, value: float | None, charged: float, reason: str | None) -> float | None:
        self.clock_s += charged
        self.reason = reason
        step = _Step(due.kind, due.arch, due.proxy, due.seed, value, charged, self.clock_s, reason)
        self._steps.append(step)
        return value
