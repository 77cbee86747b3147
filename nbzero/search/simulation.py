"""Simulated search: answers from the tables, predictions where they have none, and a clock."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from nbzero.errors import (
    NothingFoundError,
    OutOfBudgetError,
    UsageError,
    count_of,
    unknown_name,
    whole,
)
from nbzero.frame import Frame
from nbzero.proxies.facts import PROXIES
from nbzero.release.opened import Opened, OpenedSpace, Seed, Split, one_seed, split_column
from nbzero.release.record import Record
from nbzero.release.table import Wanted, numbers_of
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
from nbzero.search.moves import Condition, GridMoves, TableMoves
from nbzero.spaces.macro import CHOICES, Arch

if TYPE_CHECKING:
    import numpy.typing as npt

    from nbzero.surrogate import Surrogate

Unmeasured = Literal["predict", "refuse", "none"]
UNMEASURED: tuple[Unmeasured, ...] = ("predict", "refuse", "none")
NAMED = 3  # measured archs that a refusal names


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


class _Answer(NamedTuple):
    """What is answered, before it is charged.

    Attributes:
        source: "measured" or "predicted"; None where there is no value.
        reason: why there is none.
    """

    value: float | None
    source: str | None
    reason: str | None


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
        charge_repeats: an identical query charges again. False: it is free, and only counted. Then give
            max_queries too: a search that repeats itself advances no clock.
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
        UsageError: several recipes and none named, another option or number than is allowed, a clock that
            does not know this space, or a budget_s without a clock.
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
        column = split_column(split)
        _check_limits(budget_s, max_queries)
        _check_choice("clock", clock, CLOCKS)
        _check_choice("unmeasured", unmeasured, UNMEASURED)
        opened = release.space(space)
        named = _recipe_with_runs(release, opened, dataset, recipe)
        self._release, self._opened = release, opened
        self.space, self.dataset, self.recipe, self.split = space, dataset, named, split
        self.protocol = release.named("scores", opened, dataset, protocol)
        self.max_queries, self.budget_s, self.charge_repeats = max_queries, budget_s, charge_repeats
        self.unmeasured = unmeasured or _default_unmeasured(space, split)
        self.clock: ClockName = clock or ("modelled" if is_modelled(space, named) else "none")
        self._clock = self._clock_of(self.clock)
        self._surrogate = self._surrogate_of()
        self._predictions: dict[str, PredictedAccuracy] = {}
        self._condition = Condition(opened, where)
        self.measured = self._measured(column)
        self._moves = self._moves_of()
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
        answer = self._accuracy(query.arch, query.seed)
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
        answer = self._score(query.arch, proxy, query.seed)
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
        archs = self._moves.archs
        return archs[int(rng.integers(len(archs)))]

    def mutate(self, arch: str | Arch, rng: np.random.Generator) -> str:
        """An arch near another one that meets `where`.

        Where predictions are allowed it is one choice away (`Arch.edits`), a member or not. Else it is one of
        the 8 nearest that were measured, or in a published space one that differs in one choice.

        Raises:
            NothingFoundError: there is none.
        """
        return self._moves.mutate(str(arch), rng)

    def crossover(self, a: str | Arch, b: str | Arch, rng: np.random.Generator) -> str:
        """A mix of two archs that meets `where`.

        Where predictions are allowed it is any grid arch: the strides of one parent, and the depth and width
        of each stage of either, widths sorted. Else it is the nearest one that was measured.
        """
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
        self._predict(self._moves.archs)
        for arch in self._moves.archs:
            value = self._accuracy(arch, 0).value
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

    def _clock_of(self, name: ClockName) -> Clock:
        if name == "modelled":
            return ModelledClock(self.space, self.dataset, self.recipe, self.protocol)
        if name == "recorded":
            return RecordedClock(self._release, self._opened, self.dataset, self.recipe, self.protocol)
        if self.budget_s is not None:
            of = f"{self.space} with recipe {self.recipe}"
            raise UsageError(
                f"budget_s {self.budget_s:g} of {of} with clock 'none', which charges no seconds; limit "
                "max_queries instead, or take clock='recorded' where the release has times"
            )
        return NoClock()

    def _surrogate_of(self) -> Surrogate | None:
        if self.unmeasured != "predict":
            return None
        if self.split != "val":
            raise UsageError("the surrogate predicts val accuracies; with split='test' refuse the unmeasured")
        from nbzero.surrogate import surrogate_of

        try:
            return surrogate_of(self._release, self.space, self.dataset, self.recipe)
        except NothingFoundError as error:
            instead = "or simulate with unmeasured='refuse' or 'none', which need no surrogate"
            raise NothingFoundError(f"{error}; {instead}") from error

    def _measured(self, column: str) -> list[str]:
        """Archs with a row, of seed 0 or else of the first seed that there is, that meet the condition."""
        opened = self._opened
        seed = min(opened.seeds("runs", self.dataset, self.recipe))
        is_there = np.zeros(len(opened.archs), bool)
        is_there[np.asarray(opened.groups(f"runs/{self.dataset}")[self.recipe, seed].ids)] = True
        if opened.published is not None:
            wanted = Wanted(self.dataset, self.recipe, seed=seed)
            is_there &= ~np.isnan(numbers_of(self._release, opened, "runs", column, wanted))
        ids = np.flatnonzero(is_there & self._condition.members).tolist()
        if not ids and self.unmeasured != "predict":
            raise NothingFoundError(self._none_measured(int(is_there.sum())))
        return [opened.archs[arch_id] for arch_id in ids]

    def _none_measured(self, number: int) -> str:
        """In words that nothing is left to search among.

        Args:
            number: archs with an accuracy, whether they meet the condition or not.
        """
        of = f"of {self.space} with a {self.split} accuracy on {self.dataset} with {self.recipe}"
        if number:
            have = count_of(number, "arch has", "archs have")
            return f"no arch {of} meets where={self._condition.where!r}, and {have} one; loosen it"
        other = "test" if self.split == "val" else "val"
        return f"there is no arch {of}; its source gives none of this split, so try split={other!r}"

    def _moves_of(self) -> GridMoves | TableMoves:
        if self.unmeasured != "predict":
            return TableMoves(self.space, self.measured)
        ids = np.flatnonzero(self._condition.members).tolist()
        if not ids:
            number = count_of(len(self._opened.archs), "member")
            raise NothingFoundError(
                f"none of the {number} of {self.space} meets where={self._condition.where!r}; loosen it"
            )
        return GridMoves([self._opened.archs[arch_id] for arch_id in ids], self._condition)

    # How a query is answered

    def _own(self, arch: str | Arch) -> str:
        """The string of an arch of this space that meets the condition."""
        text = str(arch)
        if text not in self._opened.ids:
            self._opened.space.encode(text)  # raises, and says why
        if not self._condition.is_met(text):
            raise UsageError(f"{text} does not meet where={self._condition.where!r} of this search")
        return text

    def _accuracy(self, arch: str, seed: int) -> _Answer:
        arch_id = self._opened.ids.get(arch)
        reason: str | None = f"{arch} is no member of {self.space}, so no table has it"
        if arch_id is not None:
            record = Record(self._release, self._opened, arch_id)
            which = (self.dataset, self.recipe, self.split, seed)
            value = record.accuracy(*which)
            if value is not None:
                return _Answer(value, "measured", None)
            reason = record.accuracy_reason(*which)
            if self._opened.published is None and record.run(self.dataset, self.recipe, seed) is not None:
                return _Answer(None, None, reason)  # it diverged, which was measured
        if self.unmeasured == "predict":
            self._predict([arch])
            return _Answer(self._predictions[arch], "predicted", None)
        return self._unanswered(arch, f"{reason}")

    def _score(self, arch: str, proxy: str, seed: int) -> _Answer:
        arch_id = self._opened.ids.get(arch)
        if arch_id is None:
            return self._unanswered(arch, f"{arch} is no member of {self.space}, so no table has it")
        record = Record(self._release, self._opened, arch_id)
        value = record.score(proxy, self.dataset, self.protocol, seed)
        if value is not None:
            return _Answer(value, "measured", None)
        reason = record.score_reason(proxy, self.dataset, self.protocol, seed)
        scores = record.scores(self.dataset, self.protocol, seed)
        if scores is not None and proxy in scores.failures:
            return _Answer(None, None, reason)
        return self._unanswered(arch, f"{reason}")

    def _unanswered(self, arch: str, reason: str) -> _Answer:
        if isinstance(self._moves, TableMoves) and self.unmeasured == "refuse":
            nearest = ", ".join(self._moves.nearest(arch, NAMED)) or "none"
            raise NothingFoundError(
                f"{reason}; nearest that were measured: {nearest}. random_arch, mutate and crossover keep to "
                "these; where it can, unmeasured='predict' answers for all"
            )
        return _Answer(None, None, reason)

    def _predict(self, archs: Iterable[str]) -> None:
        """Predictions of archs that have none yet."""
        if self._surrogate is None:
            return
        new = [arch for arch in archs if arch not in self._predictions]
        if not new:
            return
        found = self._surrogate.predict(new)
        numbers = zip(found.mean.tolist(), found.sd_mean.tolist(), found.sd_run.tolist(), strict=True)
        for arch, (mean, sd_mean, sd_run) in zip(new, numbers, strict=True):
            self._predictions[arch] = PredictedAccuracy(mean, sd_mean, sd_run)

    # How it is charged

    def _check_open(self) -> None:
        if self._is_over():
            queries = count_of(len(self._steps), "query", "queries")
            after = f"after {queries} and {self.clock_s:g} s"
            raise OutOfBudgetError(f"the search is done {after}; nothing was charged; reset() begins anew")

    def _charge(self, query: _Query, answer: _Answer, charge: Charge) -> float | None:
        """Answer, after paying what is not paid yet. What there is no time left for is cut off."""
        paid = (query.arch, query.made_by, query.seed)
        asked = (query.arch, query.proxy or "train", query.seed)
        is_repeat = self.charge_repeats and asked in self._asked
        charged = charge.seconds if is_repeat or paid not in self._paid else 0.0
        self._paid.add(paid)
        self._asked.add(asked)
        ends = charged >= self.left_s
        if charged > self.left_s:
            takes = f"{query.words} takes {charged:.2f} s and {self.left_s:.2f} s were left"
            answer = _Answer(None, None, f"cut off: {takes}")
            charged = self.left_s
        self.clock_s = self._limit_s if ends else self.clock_s + charged
        self.reason = answer.reason
        value, source, reason = answer
        key = (query.kind, query.arch, query.proxy, query.seed)
        self._steps.append(_Step(*key, value, source, charged, self.clock_s, charge.by, reason))
        return value


def _check_limits(budget_s: float | None, max_queries: int | None) -> None:
    is_number = not isinstance(budget_s, (bool, str))
    if budget_s is not None and not (is_number and 0 < budget_s < math.inf):
        raise UsageError(f"budget_s {budget_s!r}; it is a positive number of seconds, or None for no limit")
    if max_queries is not None:
        whole("max_queries", max_queries, least=1)


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
