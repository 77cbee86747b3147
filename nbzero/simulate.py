"""Simulated search: answers from the tables, and a clock that advances by what each training and scoring really took."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.bench import _split_column, one_seed, runs_there
from nbzero.errors import (
    NotAMemberError,
    NothingFoundError,
    OutOfBudgetError,
    UsageError,
    count_of,
    unknown_name,
)
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.macro import Arch

if TYPE_CHECKING:
    from nbzero.bench import Bench, Record, Seed, Split
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


class Simulation:
    """One simulated search on one space, data set and recipe. `Bench.simulate` makes it; several never share their clocks.

    A training charges the run's `train_time_s`, a diverged one too. A score charges the seconds of the pass that computes it, once for an
    arch and seed however many proxies share the pass (`Proxy.timed_as`), also where the proxy failed. What the release does not hold, such as a grid
    arch that is no member, an arch that was not trained, or an unknown duration, is answered by None and charges nothing; `reason` says why.

    Args:
        space, dataset, recipe, protocol: as in `Bench.query`'s records.
        budget_s: seconds that the search may take; None: no limit.
        charge_repeats: an identical query charges again, as for a search that keeps nothing; False: it is remembered and free.
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
        bench: Bench,
        space: str,
        dataset: str,
        recipe: str | None = None,
        budget_s: float | None = None,
        charge_repeats: bool = False,
        split: Split = "val",
        protocol: str | None = None,
    ) -> None:
        _split_column(split)
        if budget_s is not None and (isinstance(budget_s, (bool, str)) or not 0 < budget_s < math.inf):
            raise UsageError(
                f"budget_s {budget_s!r}; it is a positive number of seconds, or None for no limit"
            )
        opened = bench._space(space)
        self._bench, self.space, self.dataset, self.split = bench, space, dataset, split
        self.recipe = bench._named("runs", opened, dataset, recipe)
        if not (self.recipe and opened.seeds("runs", dataset, self.recipe)):
            with_recipe = f" with recipe {recipe}" if recipe else ""
            raise NothingFoundError(
                f"no runs of {space} on {dataset}{with_recipe} to simulate a search by: {runs_there(bench, space)}"
            )
        self.protocol = bench._named("scores", opened, dataset, protocol)
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
            OutOfBudgetError: the training takes longer than what is left; nothing was charged or written down.
            UsageError: a malformed arch, one of another space, another seed.
        """
        seed, record = one_seed(seed), self._record(arch)
        if record is None:
            return self._answer("train", str(arch), None, seed, None, 0.0, self.reason)
        accuracy = record.accuracy(self.dataset, self.recipe, self.split, seed)
        reason = record.accuracy_reason(self.dataset, self.recipe, self.split, seed)
        run = record.run(self.dataset, self.recipe, seed)
        took = run.train_time_s if run else None
        if run and took is None:
            accuracy, reason = None, "the release does not say how long this training took"
        return self._charge("train", record.arch, None, seed, accuracy, took, "train", reason)

    def score(self, arch: str | Arch, proxy: str, seed: Seed = None) -> float | None:
        """A proxy's score as computed, sign and scale untouched; the clock advances by the seconds of its pass, if not paid yet.

        Returns:
            None where the proxy failed on this arch (charged) or the release has no score or no seconds of it (not charged); `reason` says which.

        Raises:
            UnknownNameError: a proxy that does not exist.
            OutOfBudgetError: the pass takes longer than what is left; nothing was charged or written down.
            UsageError: a malformed arch, one of another space, another seed.
        """
        if proxy not in PROXIES:
            raise unknown_name("proxy", proxy, PROXIES)
        seed, record = one_seed(seed), self._record(arch)
        if record is None:
            return self._answer("score", str(arch), proxy, seed, None, 0.0, self.reason)
        scores = record.scores(self.dataset, self.protocol, seed)
        value = record.score(proxy, self.dataset, self.protocol, seed)
        reason = record.score_reason(proxy, self.dataset, self.protocol, seed)
        made_by = PROXIES[proxy].timed_as
        took = (
            scores.seconds.get(made_by)
            if scores and (value is not None or proxy in scores.failures)
            else None
        )
        if value is not None and took is None:
            value, reason = None, f"the release does not say how long the {made_by} pass took"
        return self._charge("score", record.arch, proxy, seed, value, took, made_by, reason)

    @property
    def best(self) -> tuple[str, float] | None:
        """The most accurate arch trained so far and its accuracy, the first of equal ones; None before any."""
        trained = [step for step in self._steps if step.kind == "train" and step.value is not None]
        found = max(trained, key=lambda step: step.value or 0.0, default=None)
        return (found.arch, found.value) if found and found.value is not None else None

    @property
    def history(self) -> Frame:
        """A row per answered query.

        Columns step, kind (train, score), arch, proxy, seed, value, charged_s, clock_s (after it), best_accuracy (so far), reason.
        """
        from nbzero.frame import Frame

        columns: dict[str, list[Any]] = {"step": list(range(1, len(self._steps) + 1))}
        columns |= {name: [getattr(step, name) for step in self._steps] for name in _Step._fields[:-1]}
        best: list[float | None] = []
        for step in self._steps:
            so_far = best[-1] if best else None
            better = (
                step.kind == "train" and step.value is not None and (so_far is None or step.value > so_far)
            )
            best.append(step.value if better else so_far)
        columns |= {"best_accuracy": best, "reason": [step.reason for step in self._steps]}
        budget = "no limit" if self.budget_s is None else f"{self.budget_s:g} s"
        return Frame(
            columns,
            f"Simulated search: {self.space}, {self.dataset}, {self.recipe}, {self.split}, budget {budget}",
        )

    def __repr__(self) -> str:
        limit = "" if self.budget_s is None else f" of {self.budget_s:g}"
        asked = count_of(len(self._steps), "query", "queries")
        return f"Simulation({self.space!r}, {self.dataset!r}, {self.recipe!r}, {asked}, {self.clock_s:.1f}{limit} s)"

    def _record(self, arch: str | Arch) -> Record | None:
        """The arch's record; None, with the reason, for an arch of the grid that is no member."""
        try:
            return self._bench.query((self.space, self._bench.space(self.space).arch_id(arch)))
        except NotAMemberError as error:
            self.reason = str(error)
            return None

    def _charge(
        self,
        kind: str,
        arch: str,
        proxy: str | None,
        seed: int,
        value: float | None,
        took: float | None,
        made_by: str,
        reason: str | None,
    ) -> float | None:
        """Answer, after paying what is not paid yet; `took` is None where the release has nothing to charge for."""
        paid, asked = (arch, made_by, seed), (arch, proxy or "train", seed)
        charged = 0.0
        if took is not None:
            due = paid not in self._paid or (self.charge_repeats and asked in self._asked)
            charged = took if due else 0.0
            if charged > self.left_s:
                what = "training" if kind == "train" else f"{proxy} by the {made_by} pass"
                raise OutOfBudgetError(
                    f"{what} of {arch} takes {charged:.2f} s and {self.left_s:.2f} of {self.budget_s:g} s are left; nothing was charged; "
                    "choose what takes less, or reset() with a larger budget_s"
                )
            self._paid.add(paid)
            self._asked.add(asked)
        return self._answer(kind, arch, proxy, seed, value, charged, reason)

    def _answer(
        self, kind: str, arch: str, proxy: str | None, seed: int, value: float | None, charged: float, reason: str | None
    ) -> float | None:  # fmt: skip
        self.clock_s += charged
        self.reason = reason
        self._steps.append(_Step(kind, arch, proxy, seed, value, charged, self.clock_s, reason))
        return value
