"""A search: a strategy asks for archs, an objective scores them, and a history keeps both."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nbzero.errors import NothingFoundError, UsageError, count_of, quoted, unknown_name, whole
from nbzero.progress import progress
from nbzero.release.latencies import is_latency
from nbzero.search.asked import score_of
from nbzero.search.controller import reinforcement
from nbzero.search.evolution import evolution
from nbzero.search.ground import Ground, space_name
from nbzero.search.history import History
from nbzero.search.objective import Objective
from nbzero.search.sampling import Asking, Strategy, random, said_name
from nbzero.search.swap_nas import swap_nas, swap_nas_sized
from nbzero.spaces.published import space_with
from nbzero.spaces.space import Space

STRATEGIES: dict[str, Strategy] = {
    "random": random,
    "evolution": evolution,
    "reinforcement": reinforcement,
    "swap_nas": swap_nas,
    "swap_nas_sized": swap_nas_sized,
}
REPEATS = 100  # evaluations of one arch and of no other, before a strategy is taken to loop
EVERY = 1.0  # seconds between two lines of progress


def run(
    space: str | Space | Ground,
    objective: Callable[[str], float | None],
    strategy: str | Strategy = "evolution",
    evaluations: int = 1000,
    budget: Mapping[str, float] | None = None,
    seed: int = 0,
    *,
    history: History | None = None,
    out: str | os.PathLike[str] | None = None,
    show_progress: bool = False,
) -> History:
    """Search a space for the arch with the highest score.

        history = run("r1-mini", bench.objective("r1-mini", "naswot", "cifar10"), budget={"macs": 5e6})
        history.best, history.table(), history.save("search.json")

    The same arguments give the same history. An arch that comes again counts as an evaluation. It is not
    scored again, and charged no seconds.

    Args:
        space: a name, ours or a published benchmark's; a `Space` like `bench.space(name)`, whose members
            alone are then searched; or a `Ground`. An objective of a table (`Objective.archs`) narrows it to
            the archs that it answers for.
        objective: arch -> score, higher is better; None where an arch has no score, which ranks lowest.
            `Bench.objective` makes those of stored scores, votes, accuracies and predictions.
        strategy: a name of STRATEGIES, or a function of (ground, rng) that is a generator: it yields an arch
            of the ground and is sent its score, -inf where it has none; or it yields a tuple of archs and is
            sent a tuple. `functools.partial(evolution, population=20)` changes a number, `top_k(guide)` makes
            one.
        evaluations: how many archs it may ask for, at least 1.
        budget: cost -> the most that an arch may have, like {"macs": 5e6, "params": 1e5}. Where the objective
            is of `Bench.objective`, "latency" and "latency:SETUP" are costs too, and the archs those that
            were timed. The history names the setup. A tight one makes a grid a table of what it leaves
            (`nbzero.search.ground`).
        seed: of all that the strategy draws.
        history: an earlier part of the same search. The strategy is sent its scores again, and goes on.
        out: a file for the history. Where it is there, the search goes on from it, or from `history` where
            that is longer. It is written at the end, also where the objective fails or Ctrl-C ends it.
        show_progress: a bar, or lines, on stderr.

    Returns:
        The history. `ended` says why it has fewer evaluations: every arch came, or the strategy ended.

    Raises:
        UsageError: evaluations below 1; an objective that raises, or gives what is no number; a strategy that
            yields nothing, no arch of the ground, or one arch for ever; a history of another
            search; a file that holds none; a space or budget that `Ground` does not take.
        UnknownNameError: a space, strategy or cost that does not exist.
        NothingFoundError: a budget below every arch; a strategy with moves, and one arch.
        OutputError: a file that cannot be written.
    """
    evaluations, seed = whole("evaluations", evaluations, least=1), whole("seed", seed)
    if not callable(objective):
        raise UsageError(f"objective is {quoted(objective)}; it is a function of an arch that gives a number")
    chosen = _strategy_of(strategy)
    ground = _ground_of(space, objective, budget)
    settings = {
        "space": ground.space,
        "num_archs": None if ground.archs is None else len(ground.archs),
        "budget": ground.budget,
        "objective": said_name(objective),
        "strategy": said_name(chosen),
        "seed": seed,
    }
    earlier = _earlier(history, out, settings, evaluations)
    search = _Search(ground, objective, settings, earlier)
    asking = chosen(ground, np.random.default_rng(seed))
    if not isinstance(asking, Generator):
        raise UsageError(
            f"strategy {settings['strategy']} gave {quoted(asking)}; it is a generator, which yields archs"
        )
    try:
        with _told(settings, evaluations, show_progress) as tell:
            search.go(asking, evaluations, tell)
    finally:
        asking.close()
        if out is not None and len(search.history) >= len(earlier):
            search.history.save(out)
    return search.history


class _Search:
    """A search under way.

    Args:
        ground, objective, settings: of `run`.
        earlier: evaluations that are sent again.

    Attributes:
        history: of what was done so far.
    """

    def __init__(
        self,
        ground: Ground,
        objective: Callable[[str], float | None],
        settings: Mapping[str, Any],
        earlier: History,
    ) -> None:
        self.history = History(settings)
        self._ground, self._objective, self._earlier = ground, objective, earlier
        self._name, self._of = settings["strategy"], f"objective {settings['objective']}"
        self._scores: dict[str, float | None] = {}
        self._seconds = objective.seconds if isinstance(objective, Objective) else _unknown_seconds

    def go(self, asking: Asking, evaluations: int, tell: Callable[[int], None]) -> None:
        """Answer what a strategy asks for until an end; `history.ended` says which."""
        try:
            wanted = next(asking)
        except StopIteration:
            raise UsageError(
                f"strategy {self._name} yielded no arch; it yields one for every evaluation, and is sent its "
                "score"
            ) from None
        while True:
            archs = _as_archs(wanted, self._name)
            self._answer(archs[: evaluations - len(self.history)])
            tell(len(self.history))
            ended = self._ended(evaluations)
            if ended:
                self.history.ended = ended
                return
            heard = [self._heard(arch) for arch in archs]
            try:
                wanted = asking.send(heard[0] if isinstance(wanted, str) else tuple(heard))
            except StopIteration:
                self.history.ended = f"the strategy ended after {count_of(len(self.history), 'evaluation')}"
                return

    def _ended(self, evaluations: int) -> str:
        """Why the search is over, in words; "" where it is not.

        Raises:
            UsageError: the strategy asks for one arch alone.
        """
        if len(self.history) == evaluations:
            return count_of(evaluations, "evaluation")
        if self._ground.archs is not None and len(self._scores) == len(self._ground.archs):
            return f"every arch came, {len(self._scores):,}"
        if len(self._scores) <= 1 and len(self.history) > REPEATS:
            times = f"{self.history.archs[0]} {len(self.history)} times and no other arch"
            raise UsageError(f"strategy {self._name} yielded {times}; it has to yield new ones, or to end")
        return ""

    def _heard(self, arch: str) -> float:
        """What the strategy is sent."""
        score = self._scores[arch]
        return -math.inf if score is None else score

    def _answer(self, archs: Sequence[str]) -> None:
        """Score some archs that are asked for at once; the history then has them."""
        first = len(self.history)
        for place, arch in enumerate(archs):
            if arch not in self._scores and arch not in self._ground:
                what = f"{quoted(arch)}, which is no arch of {self._ground.words}"
                can = "draw and change archs by the ground that it is given"
                raise UsageError(f"strategy {self._name} yielded {what}; {can}")
            self._check_same(first + place, arch)
        known: dict[str, tuple[float | None, float | None]] = {}
        for number in range(first, min(first + len(archs), len(self._earlier))):
            arch = self._earlier.archs[number]
            known.setdefault(arch, (self._earlier.scores[number], self._earlier.seconds[number]))
        new = [arch for arch in dict.fromkeys(archs) if arch not in self._scores and arch not in known]
        scores = self._asked(new)
        for arch in archs:
            if arch in self._scores:
                self.history.add(arch, self._scores[arch], 0.0)
                continue
            score, seconds = known[arch] if arch in known else (scores[arch], self._seconds(arch))
            self._scores[arch] = score
            self.history.add(arch, score, seconds)

    def _check_same(self, number: int, arch: str) -> None:
        """UsageError where an earlier history asked for another arch here."""
        if number < len(self._earlier) and self._earlier.archs[number] != arch:
            before = f"{self._earlier.archs[number]} as number {number + 1}"
            raise UsageError(
                f"the history asked for {before}, and this search asks for {arch}: it is of another space, "
                "strategy or version; begin without it"
            )

    def _asked(self, archs: Sequence[str]) -> dict[str, float | None]:
        """What the objective gives.

        Raises:
            UsageError: it raised something, or gave what is no number.
        """
        if isinstance(self._objective, Objective) and self._objective.many is not None:
            return dict(zip(archs, self._objective.many(archs), strict=True))
        found = {}
        for place, arch in enumerate(archs):
            when = f"evaluation {len(self.history) + place + 1}, {arch}"
            found[arch] = score_of(self._objective, arch, self._of, when)
        return found


def _as_archs(wanted: Any, strategy: str) -> tuple[str, ...]:
    """What a strategy yielded, as archs; UsageError for what is neither an arch nor a tuple of some."""
    if isinstance(wanted, str):
        return (wanted,)
    if not isinstance(wanted, tuple) or not wanted:
        raise UsageError(
            f"strategy {strategy} yielded {quoted(wanted)}; it yields an arch, or a tuple of at least one"
        )
    return wanted


def _unknown_seconds(arch: str) -> float | None:
    return None


def _strategy_of(given: str | Strategy) -> Strategy:
    if callable(given):
        return given
    if given == "top_k":
        raise UsageError("strategy 'top_k' orders by another score: give search.top_k(b.objective(..))")
    if not isinstance(given, str) or given not in STRATEGIES:
        raise unknown_name("strategy", given, STRATEGIES)
    return STRATEGIES[given]


def _ground_of(space: str | Space | Ground, objective: object, budget: Mapping[str, float] | None) -> Ground:
    if isinstance(space, Ground):
        if budget is not None:
            raise UsageError("a Ground has its budget: Ground(space, archs, budget)")
        return space if not isinstance(objective, Objective) else _answered(space, objective)
    if not isinstance(objective, Objective):
        return Ground(space, budget=budget)
    named = space if isinstance(space, str) else space_name(space)
    _check_one_space(named, objective)
    budget, measured = _with_measured(objective, budget)
    archs = objective.archs
    if measured:
        archs = _measured_archs(archs, measured)
    if archs is None:
        return Ground(space, budget=budget)
    if not isinstance(space, str):
        archs = [arch for arch in archs if arch in space]
    return Ground(space_with(named, archs), budget=budget, measured=measured)


def _check_one_space(space: str, objective: Objective) -> None:
    if space != objective.space:
        raise UsageError(f"space {space} with an objective of {objective.space}; they are of one space")


def _answered(ground: Ground, objective: Objective) -> Ground:
    """The archs of a ground that an objective answers for."""
    _check_one_space(ground.space, objective)
    if objective.archs is None or (ground.archs is not None and set(ground.archs) <= set(objective.archs)):
        return ground
    archs = [arch for arch in objective.archs if arch in ground]
    if not archs:
        raise NothingFoundError(f"{objective.name} answers for none of {ground.words}; search other archs")
    return ground.only(archs)


def _with_measured(
    objective: Objective, budget: Mapping[str, float] | None
) -> tuple[Mapping[str, float] | None, dict[str, dict[str, float]]]:
    """A budget in which every latency has its setup in its name, and these latencies by arch."""
    measured: dict[str, dict[str, float]] = {}
    if not isinstance(budget, Mapping) or objective.measured_costs is None:
        return budget, measured
    named = {}
    for name, limit in budget.items():
        if not is_latency(name):
            named[name] = limit
            continue
        full_name, by_arch = objective.measured_costs(name)
        named[full_name] = limit
        measured[full_name] = by_arch
    return named, measured


def _measured_archs(archs: Sequence[str] | None, measured: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The archs, of None all, that have every measured cost."""
    first, *others = measured.values()
    there = list(first) if archs is None else [arch for arch in archs if arch in first]
    return [arch for arch in there if all(arch in by_arch for by_arch in others)]


def _earlier(
    history: History | None,
    out: str | os.PathLike[str] | None,
    settings: Mapping[str, Any],
    evaluations: int,
) -> History:
    """What was done before: the longer of a history and what the file has."""
    if history is not None and not isinstance(history, History):
        raise UsageError(
            f"history is {quoted(history)}; it is a History, as `run` gives it: `History.load` reads a file"
        )
    there = [] if history is None else [_checked(history, settings, evaluations)]
    if out is not None and Path(out).exists():
        there.append(_checked(History.load(out), settings, evaluations))
    return max(there, key=len, default=History(settings))


def _checked(history: History, settings: Mapping[str, Any], evaluations: int) -> History:
    """The history; UsageError where it is of another search."""
    for name, value in settings.items():
        given = history.settings[name]
        if given != value:
            other = f"a history of {name} {quoted(given)} for a search of {name} {quoted(value)}"
            raise UsageError(
                f"{other}; it goes on with the same settings alone: begin without it, or name another file"
            )
    if len(history) > evaluations:
        has = count_of(len(history), "evaluation")
        raise UsageError(f"a history of {has} for a search of {evaluations:,}; ask for as many at least")
    return history


@contextmanager
def _told(settings: Mapping[str, Any], evaluations: int, show: bool) -> Iterator[Callable[[int], None]]:
    """Says how many evaluations were made."""
    if not show:
        yield lambda number: None
        return
    said = 0
    with progress(settings["strategy"], evaluations, every=EVERY) as report:

        def tell(number: int) -> None:
            nonlocal said
            while said < number:
                said += 1
                report(f"evaluations of {settings['space']}")

        yield tell
