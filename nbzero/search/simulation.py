"""Simulated search: answers from the tables, predictions where they have none, and a clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbzero.errors import (
    NothingFoundError,
    OutOfBudgetError,
    UsageError,
    count_of,
    is_number,
    quoted,
    unknown_name,
    whole,
)
from nbzero.frame import Frame
from nbzero.proxies.facts import PROXIES
from nbzero.release.opened import Opened, OpenedSpace, Seed, Split, one_seed, split_column
from nbzero.search.answers import UNMEASURED, Answer, Answers, Searched, Unmeasured
from nbzero.search.clock import (
    CLOCKS,
    Charge,
    Clock,
    ClockName,
    ModelledClock,
    NoClock,
    RecordedClock,
    is_modelled,
)
from nbzero.search.moves import Condition, GridMoves, TableMoves, check_generator
from nbzero.spaces.macro import CHOICES, Arch

if TYPE_CHECKING:
    import numpy.typing as npt

NAMED = 3  # measured archs that a refusal names


class _Query(NamedTuple):
    """What is asked for.

    Attributes:
        kind: "train" or "score".
        made_by: the pass that is paid for; several proxies share one.
    """

    kind: str
    arch: str
    proxy: str | None
    seed: int
    made_by: str

    @property
    def words(self) -> str:
        if self.kind == "train":
            return f"training of {self.arch}"
        return f"{self.proxy} by the {self.made_by} pass of {self.arch}"


class _Step(NamedTuple):
    kind: str
    arch: str
    proxy: str | None
    seed: int
    value: float | None
    source: str | None
    charged_s: float
    clock_s: float
    clock: str
    reason: str | None


class Simulation:
    """One simulated search on one space, data set and recipe. `Bench.simulate` makes it.

        s = b.simulate("r1-mini", "cifar10", where="macs <= 5e6", budget_s=3600)
        while not s.done:
            s.train(s.random_arch(rng))
        s.best, s.history, s.incumbent

    Every query is charged, whatever is answered: trained archs and others, failures, repeats. So a budget
    always ends. A training is charged its time, a score the time of the pass that computes it, once for an
    arch and seed however many proxies share the pass (`Proxy.timed_as`).

    The query that the budget has no time left for is cut off. It is answered by None and charged what was
    left, so that the search ends exactly at its budget. After the end a query raises OutOfBudgetError.

    Archs that were not trained, in the grid or members, are answered as `unmeasured` says:

        "predict"   by the surrogate's posterior mean, as a `PredictedAccuracy`. Scores are not predicted, but
                    None.
        "refuse"    not at all: NothingFoundError, which names the nearest archs that were trained. Nothing is
                    charged.
        "none"      by None.

    Args:
        release, space, dataset, recipe, protocol: as in `Bench.query`'s records.
        unmeasured: None is "predict" where the surrogate can: in our spaces, on the val split. Else it is
            "refuse".
        clock: "modelled", "recorded" or "none", see `nbzero.search.clock`. None is "modelled" where it was
            fitted, else "none".
        where: a condition on columns of the archs table, like "macs <= 5e6". All moves keep to it, and no
            other arch is answered for.
        max_queries: queries that the search may make, scores and repeats too; None: no limit.
        budget_s: seconds that it may take by its clock; None: no limit.
        charge_repeats: an identical query charges again. False: it is free, and only counted. A budget_s then
            needs max_queries too, because a search that repeats itself advances no clock.
        split: of the accuracies; "test" is for the final judgement only.

    Attributes:
        clock_s: seconds charged so far.
        reason: why the last answer was None; None where it was a number.
        unmeasured, clock: as they were chosen.
        measured: the archs with a run (of seed 0), that meet `where`, in build order.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol or column that does not exist.
        NothingFoundError: no runs of the space on the dataset with the recipe; no arch that meets `where`;
            "predict" with fewer runs than a surrogate needs.
        UsageError: no recipe where one has to be named, another option or number than is allowed, a clock
            that does not know this space, or a budget_s without a clock.
    """

    def __init__(
        self,
        release: Opened,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        unmeasured: Unmeasured | None = None,
        clock: ClockName | None = None,
        where: str | None = None,
        max_queries: int | None = None,
        budget_s: float | None = None,
        charge_repeats: bool = True,
        split: Split = "val",
        protocol: str | None = None,
    ) -> None:
        split_column(split)
        _check_limits(budget_s, max_queries, charge_repeats)
        _check_choice("clock", clock, CLOCKS)
        _check_choice("unmeasured", unmeasured, UNMEASURED)
        opened = release.space(space)
        named = _recipe_with_runs(release, opened, dataset, recipe)
        self.space, self.dataset, self.recipe, self.split = space, dataset, named, split
        self.protocol = release.named("scores", opened, dataset, protocol)
        self.max_queries, self.budget_s, self.charge_repeats = max_queries, budget_s, charge_repeats
        self.unmeasured = unmeasured or _default_unmeasured(space, split)
        self.clock: ClockName = clock or ("modelled" if is_modelled(space, named) else "none")
        searched = Searched(release, opened, dataset, named, split, self.protocol)
        self._opened = opened
        self._clock = self._clock_of(searched)
        self._condition = Condition(opened, where)
        is_measured = searched.is_measured()
        self.measured = _some(opened.archs, is_measured & self._condition.members)
        self._answers = Answers(searched, searched.surrogate() if self.unmeasured == "predict" else None)
        self._moves = self._moves_of(int(is_measured.sum()))
        self.reset()

    def reset(self) -> None:
        """Back to a clock of 0 and an empty history."""
        self.clock_s = 0.0
        self.reason: str | None = None
        self._steps: list[_Step] = []
        self._paid: set[tuple[str, str, int]] = set()
        self._asked: set[tuple[str, str, int]] = set()

    # Limits

    @property
    def left_s(self) -> float:
        """Seconds left of the budget; inf without one."""
        return self._limit_s - self.clock_s

    @property
    def _limit_s(self) -> float:
        return math.inf if self.budget_s is None else self.budget_s

    @property
    def done(self) -> bool:
        """Whether the budget or the number of queries is used up.

        Raises:
            UsageError: the search has neither, so that it would never be done.
        """
        if self.budget_s is None and self.max_queries is None:
            raise UsageError("this search has no limit, so it is never done; give budget_s or max_queries")
        return self._is_over()

    def _is_over(self) -> bool:
        is_full = self.max_queries is not None and len(self._steps) >= self.max_queries
        return is_full or self.left_s <= 0

    # Queries

    def train(self, arch: str | Arch, seed: Seed = None) -> float | None:
        """The accuracy of one training, a fraction in [0, 1]; the clock advances by its time.

        Returns:
            A float where it was measured, a `PredictedAccuracy` where it was predicted. None where the run
            diverged, was not measured (`unmeasured="none"`), or was cut off; `reason` says which.

        Raises:
            OutOfBudgetError: the search is done.
            NothingFoundError: the arch was not measured, with `unmeasured="refuse"`. Nothing was charged.
            UsageError: a malformed arch, one of another space or that does not meet `where`, another seed.
        """
        self._check_open()
        query = _Query("train", self._own(arch), None, one_seed(seed), "train")
        answer = self._answers.accuracy(query.arch, query.seed)
        return self._charge(query, answer, self._clock.training(query.arch, query.seed))

    def score(self, arch: str | Arch, proxy: str, seed: Seed = None) -> float | None:
        """A proxy's score as computed; the clock advances by the time of its pass, if not paid yet.

        Returns:
            None where the proxy failed on this arch, the release has no score of it, or it was cut off;
            `reason` says which.

        Raises:
            UnknownNameError: a proxy that does not exist.
            OutOfBudgetError: the search is done.
            NothingFoundError: the release has no score, with `unmeasured="refuse"`. Nothing was charged.
            UsageError: as `train`.
        """
        if proxy not in PROXIES:
            raise unknown_name("proxy", proxy, PROXIES)
        self._check_open()
        query = _Query("score", self._own(arch), proxy, one_seed(seed), PROXIES[proxy].timed_as)
        answer = self._answers.score(query.arch, proxy, query.seed)
        return self._charge(query, answer, self._clock.scoring(query.arch, query.made_by, query.seed))

    def seconds(self, arch: str | Arch, proxy: str | None = None, seed: Seed = None) -> float:
        """What a training is charged, or with a proxy its pass. Nothing is charged for asking."""
        text, number = self._own(arch), one_seed(seed)
        if proxy is None:
            return self._clock.training(text, number).seconds
        if proxy not in PROXIES:
            raise unknown_name("proxy", proxy, PROXIES)
        return self._clock.scoring(text, PROXIES[proxy].timed_as, number).seconds

    # Moves

    @property
    def archs(self) -> tuple[str, ...]:
        """What `random_arch` draws from.

        All members that meet `where`, where predictions are allowed; else those that were measured.
        """
        return tuple(self._moves.archs)

    def random_arch(self, rng: np.random.Generator) -> str:
        """One of `archs`, drawn evenly. Members are an unbiased sample of the grid."""
        check_generator(rng)
        archs = self._moves.archs
        return archs[int(rng.integers(len(archs)))]

    def mutate(self, arch: str | Arch, rng: np.random.Generator) -> str:
        """An arch near another one that meets `where`.

        Where predictions are allowed it is one choice away (`Arch.edits`), a member or not. Else it is one of
        the 8 nearest that were measured, or in a published space one that differs in one choice.

        Raises:
            NothingFoundError: there is none.
        """
        check_generator(rng)
        return self._moves.mutate(str(arch), rng)

    def crossover(self, a: str | Arch, b: str | Arch, rng: np.random.Generator) -> str:
        """A mix of two archs that meets `where`.

        Where predictions are allowed it is any grid arch: the strides of one parent, and the depth and width
        of each stage of either, widths sorted. Else it is the nearest one that was measured.
        """
        check_generator(rng)
        return self._moves.crossover(str(a), str(b), rng)

    # What was found

    @property
    def best(self) -> tuple[str, float] | None:
        """The most accurate arch so far and its accuracy, the first of equal ones; None before any."""
        found = self._improvements()
        if not found:
            return None
        last = found[-1]
        return last["arch"], last["accuracy"]

    def oracle(self) -> tuple[str, float]:
        """The best that a search could find among `archs`: the arch of the highest answer, and that answer.

        It looks at all of them and charges nothing. A search that mutates in the whole grid can pass it.

        Raises:
            NothingFoundError: no arch has an accuracy.
        """
        best: tuple[str, float] | None = None
        self._answers.predict(self._moves.archs)
        for arch in self._moves.archs:
            value = self._answers.accuracy(arch, 0).value
            if value is not None and (best is None or value > best[1]):
                best = (arch, value)
        if best is None:
            raise NothingFoundError(f"none of {count_of(len(self._moves.archs), 'arch')} has an accuracy")
        return best

    @property
    def history(self) -> Frame:
        """A row per answered query.

        Columns step, kind (train, score), arch, proxy, seed, value, source (measured, predicted), charged_s,
        clock_s (after it), clock (modelled, recorded, median, none), best_accuracy (so far), reason.
        """
        rows = []
        best: float | None = None
        for number, step in enumerate(self._steps, 1):
            row: dict[str, Any] = {"step": number, **step._asdict()}
            reason = row.pop("reason")
            if step.kind == "train" and step.value is not None:
                best = step.value if best is None else max(best, step.value)
            rows.append(row | {"best_accuracy": best, "reason": reason})
        columns = ("step", *_Step._fields[:-1], "best_accuracy", "reason")
        texts = ("kind", "arch", "proxy", "source", "clock", "reason")
        return Frame.of(rows, f"Simulated search: {self._words}", columns=columns, texts=texts)

    @property
    def incumbent(self) -> Frame:
        """The curve of a search: a row for every training that was better than all before it.

        Columns clock_s (when it was there), step, arch, accuracy, source.
        """
        columns = ("clock_s", "step", "arch", "accuracy", "source")
        title = f"Incumbents: {self._words}"
        return Frame.of(self._improvements(), title, columns=columns, texts=("arch", "source"))

    def accuracy_at(self, seconds: Iterable[float]) -> npt.NDArray[np.float64]:
        """(times,) the best accuracy that was there at each of some times; NaN before the first."""
        found = self._improvements()
        known = np.array([math.nan, *(row["accuracy"] for row in found)], np.float64)
        when = np.array([row["clock_s"] for row in found])
        return known[np.searchsorted(when, np.asarray(list(seconds), np.float64), side="right")]

    def _improvements(self) -> list[dict[str, Any]]:
        rows = []
        best = -math.inf
        for number, step in enumerate(self._steps, 1):
            if step.kind == "train" and step.value is not None and step.value > best:
                best = step.value
                row = {"clock_s": step.clock_s, "step": number, "arch": step.arch}
                rows.append(row | {"accuracy": step.value, "source": step.source})
        return rows

    @property
    def _words(self) -> str:
        limits = ["budget no limit" if self.budget_s is None else f"budget {self.budget_s:g} s"]
        if self.max_queries is not None:
            limits.append(count_of(self.max_queries, "query", "queries"))
        which = [self.space, self.dataset, self.recipe, self.split, *limits, f"{self.clock} clock"]
        return ", ".join([*which, f"unmeasured: {self.unmeasured}"])

    def __repr__(self) -> str:
        limit = "" if self.budget_s is None else f" of {self.budget_s:g}"
        asked = count_of(len(self._steps), "query", "queries")
        which = f"{self.space!r}, {self.dataset!r}, {self.recipe!r}"
        return f"Simulation({which}, {asked}, {self.clock_s:.1f}{limit} s)"

    # How it is set up

    def _clock_of(self, searched: Searched) -> Clock:
        if self.clock == "modelled":
            return ModelledClock(self.space, self.dataset, self.recipe, self.protocol)
        if self.clock == "recorded":
            return RecordedClock(searched.release, searched.opened, self.dataset, self.recipe, self.protocol)
        if self.budget_s is not None:
            of = f"{self.space} with recipe {self.recipe}"
            raise UsageError(
                f"budget_s {self.budget_s:g} of {of} with clock 'none', which charges no seconds; limit "
                "max_queries instead, or take clock='recorded' where the release has times"
            )
        return NoClock()

    def _moves_of(self, num_measured: int) -> GridMoves | TableMoves:
        """Moves through all that is answered for.

        Args:
            num_measured: archs that were, whether they meet the condition or not.
        """
        where = f"meets where={self._condition.where!r}"
        if self.unmeasured == "predict":
            archs = _some(self._opened.archs, self._condition.members)
            if not archs:
                members = count_of(len(self._opened.archs), "member")
                raise NothingFoundError(f"none of the {members} of {self.space} {where}; loosen it")
            return GridMoves(archs, self._condition)
        if self.measured:
            return TableMoves(self.space, self.measured)
        of = f"of {self.space} with a {self.split} accuracy on {self.dataset} with {self.recipe}"
        if num_measured:
            have = count_of(num_measured, "arch has", "archs have")
            raise NothingFoundError(f"no arch {of} {where}, and {have} one; loosen it")
        other = "test" if self.split == "val" else "val"
        lacks = "its source gives none of this split"
        raise NothingFoundError(f"there is no arch {of}; {lacks}, so try split={other!r}")

    # How a query is answered and charged

    def _own(self, arch: str | Arch) -> str:
        """The string of an arch of this space that meets the condition."""
        text = str(arch)
        if text not in self._opened.ids:
            self._opened.space.encode(text)  # raises, and says why
        if not self._condition.is_met(text):
            raise UsageError(f"{text} does not meet where={self._condition.where!r} of this search")
        return text

    def _check_open(self) -> None:
        if self._is_over():
            queries = count_of(len(self._steps), "query", "queries")
            after = f"after {queries} and {self.clock_s:g} s"
            raise OutOfBudgetError(f"the search is done {after}; nothing was charged; reset() begins anew")

    def _refusal(self, query: _Query, answer: Answer) -> NothingFoundError:
        nearest = ", ".join(TableMoves(self.space, self.measured).nearest(query.arch, NAMED)) or "none"
        return NothingFoundError(
            f"{answer.reason}; nearest that were measured: {nearest}. random_arch, mutate and crossover keep "
            "to these; where it can, unmeasured='predict' answers for all"
        )

    def _charge(self, query: _Query, answer: Answer, charge: Charge) -> float | None:
        """Answer, after paying what is not paid yet. What there is no time left for is cut off."""
        if self.unmeasured == "refuse" and answer.source is None:
            raise self._refusal(query, answer)
        paid = (query.arch, query.made_by, query.seed)
        asked = (query.arch, query.proxy or "train", query.seed)
        is_repeat = self.charge_repeats and asked in self._asked
        charged = charge.seconds if is_repeat or paid not in self._paid else 0.0
        self._paid.add(paid)
        self._asked.add(asked)
        ends = charged >= self.left_s
        if charged > self.left_s:
            takes = f"{query.words} takes {charged:.2f} s and {self.left_s:.2f} s were left"
            answer = Answer(None, None, f"cut off: {takes}")
            charged = self.left_s
        self.clock_s = self._limit_s if ends else self.clock_s + charged
        self.reason = answer.reason
        value, source, reason = answer
        key = (query.kind, query.arch, query.proxy, query.seed)
        self._steps.append(_Step(*key, value, source, charged, self.clock_s, charge.by, reason))
        return value


def _some(archs: Sequence[str], chosen: npt.NDArray[np.bool_]) -> list[str]:
    return [archs[arch_id] for arch_id in np.flatnonzero(chosen).tolist()]


def _check_limits(budget_s: float | None, max_queries: int | None, charge_repeats: bool) -> None:
    if budget_s is not None and not (is_number(budget_s) and 0 < budget_s < math.inf):
        allowed = "it is a positive number of seconds, or None for no limit"
        raise UsageError(f"budget_s {quoted(budget_s)}; {allowed}")
    if max_queries is not None:
        whole("max_queries", max_queries, least=1)
    elif budget_s is not None and not charge_repeats:
        endless = "a search that repeats itself would never use up its budget_s"
        raise UsageError(f"charge_repeats=False without max_queries: {endless}; give max_queries too")


def _check_choice(name: str, given: str | None, allowed: tuple[str, ...]) -> None:
    if given is not None and given not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise UsageError(f"{name} {given!r}; it is one of {listed}")


def _recipe_with_runs(release: Opened, opened: OpenedSpace, dataset: str, recipe: str | None) -> str:
    """The recipe meant, of which there are runs."""
    named = release.named("runs", opened, dataset, recipe)
    if named is not None and opened.seeds("runs", dataset, named):
        return named
    with_recipe = f" with recipe {recipe}" if recipe else ""
    lacking = f"no runs of {opened.name} on {dataset}{with_recipe} to simulate a search by"
    raise NothingFoundError(f"{lacking}: {release.runs_there(opened.name)}")


def _default_unmeasured(space: str, split: str) -> Unmeasured:
    """ "predict" where the surrogate can."""
    return "predict" if space in CHOICES and split == "val" else "refuse"
