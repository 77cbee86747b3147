"""Objectives that a release answers: stored scores, votes, accuracies, predictions and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, check_known, quoted, unknown_name
from nbzero.judge.hybrids import HYBRIDS, Hybrid, combined, ranked_columns
from nbzero.judge.pool import pool_of, sample_of, seed_of_scores
from nbzero.proxies.facts import PROXIES
from nbzero.release.latencies import LATENCY, is_latency, latency_names, no_latency
from nbzero.release.opened import COSTS, Opened, OpenedSpace, Seed, Split
from nbzero.release.table import Wanted
from nbzero.release.values import latencies_of
from nbzero.search.answers import PredictedAccuracy
from nbzero.search.clock import PROTOCOLS, ModelledClock, is_modelled
from nbzero.search.codes import codes_of
from nbzero.spaces.macro import CHOICES
from nbzero.surrogate import surrogate_of

ACCURACY, PREDICTED = "accuracy", "predicted"
SCORING_RECIPE = "cpu-16px-4"  # a scoring pass takes the same time whatever the recipe
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """What a search maximises: an arch -> its score, higher is better. `Bench.objective` makes it.

    Attributes:
        name: in words, with all that fixes it, like "naswot, cifar10, std-16, seed 0".
        space: of whose archs.
        kind: "score", "hybrid", "cost", "measured accuracy" or "predicted accuracy".
        archs: those that it answers for; None: every arch of the grid.
        answer: arch -> score, or None where it has none.
        charge: arch -> seconds that it takes by the modelled clock; None where no clock knows it.
        many: archs -> their scores, where several at once are faster than one by one.
        measured_costs: costs that no definition fixes but a release has measured, like "latency", which a
            budget may limit: its name -> that of its setup, and the cost by arch.
    """

    name: str
    space: str
    kind: str
    archs: Sequence[str] | None
    answer: Callable[[str], float | None] = field(repr=False)
    charge: Callable[[str], float] | None = field(default=None, repr=False)
    many: Callable[[Sequence[str]], list[float | None]] | None = field(default=None, repr=False)
    measured_costs: Callable[[str], tuple[str, dict[str, float]]] | None = field(default=None, repr=False)

    def __call__(self, arch: str) -> float | None:
        return self.answer(arch)

    def seconds(self, arch: str) -> float | None:
        """Seconds that one evaluation is charged."""
        return None if self.charge is None else self.charge(arch)


def objective_of(
    release: Opened,
    space: str,
    of: str | Hybrid | Iterable[str],
    dataset: str,
    recipe: str | None = None,
    *,
    protocol: str | None = None,
    seed: Seed = None,
    score_seed: Seed = None,
    split: Split = "val",
) -> Objective:
    """What a search of a space maximises.

    Args:
        of: what it is:
            a proxy       its stored score, in the direction by which higher is better
            a hybrid      a name of HYBRIDS (sjw, spw, zerocost, az_nas), a `Hybrid`, or a list of proxies
                          and costs, whose ranks are added. Ranks and votes are taken over all archs that
                          were scored, before the search.
            "accuracy"    that of the runs
            "predicted"   what the surrogate says, of every arch of the grid, as a `PredictedAccuracy`. No
                          network was trained for it.
            macs, params, depth    what the definition of the space fixes, of every arch of the grid
        dataset, recipe, protocol, seed, score_seed, split: as in `Bench.pool`. "test" is for benchmarks
            without val accuracies, and for the final judgement.

    Returns:
        The objective. Seconds are of the modelled clock, where it knows the space: a training also of what is
        predicted, as `Bench.simulate` charges it; of scores the passes that compute them.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol, proxy or hybrid that does not exist.
        NothingFoundError: no scores or runs of it; no surrogate.
        UsageError: no recipe where one has to be named; a prediction of the test split.
    """
    opened = release.space(space)
    release.check_dataset(dataset)
    if of == ACCURACY:
        found = _of_runs(release, space, dataset, recipe, seed, split)
    elif of == PREDICTED:
        found = _of_predictions(release, space, dataset, recipe, split)
    elif isinstance(of, str) and of in COSTS:
        found = _of_costs(space, of)
    else:
        name, hybrid = _hybrid_of(of)
        wanted = Wanted(dataset, recipe, protocol, seed, score_seed)
        found = _of_scores(release, opened, wanted, name, hybrid)
    return replace(found, measured_costs=partial(_latencies, release, opened))


def _latencies(release: Opened, opened: OpenedSpace, name: str) -> tuple[str, dict[str, float]]:
    """A latency by its name as a cost: its name with the setup, and the milliseconds of each timed arch.

    Raises:
        UnknownNameError: a setup that the space does not have.
        NothingFoundError: the space has no latencies.
    """
    names = latency_names(release, opened)
    if name not in names:
        raise no_latency(opened.name, name, names)
    setup = names[name]
    latencies = latencies_of(release, opened, setup)
    timed = np.flatnonzero(~np.isnan(latencies)).tolist()
    return f"{LATENCY}:{setup}", {opened.archs[arch_id]: float(latencies[arch_id]) for arch_id in timed}


def _hybrid_of(of: Any) -> tuple[str, Hybrid]:
    """What is combined, and what it is called; a proxy alone is a hybrid of one."""
    if isinstance(of, Hybrid):
        return of.name, of
    if not isinstance(of, (str, Iterable)):
        raise UsageError(f"objective {quoted(of)}; it is a name, a Hybrid, or a list of names")
    if not isinstance(of, str):
        hybrid = Hybrid(tuple(of))
        return hybrid.name, hybrid
    if of in HYBRIDS:
        return of, HYBRIDS[of]
    if is_latency(of):
        raise UsageError(
            f"objective {quoted(of)}: what is sought is the highest, and a latency is best when it is low; "
            "limit it by a budget, as latency=2.5"
        )
    if of not in PROXIES:
        raise unknown_name("objective", of, [ACCURACY, PREDICTED, *COSTS, *HYBRIDS, *PROXIES])
    return of, Hybrid((of,))


def _of_costs(space: str, cost: str) -> Objective:
    codes = codes_of(space)
    check_known(f"cost of {space} that its definition fixes", [cost], codes.fixed)

    def answer(arch: str) -> float:
        return codes.costs(arch)[cost]

    return Objective(cost, space, "cost", None, answer)


def _of_runs(
    release: Opened, space: str, dataset: str, recipe: str | None, seed: Seed, split: Split
) -> Objective:
    pool = pool_of(release, space, dataset, recipe, proxies=[], seed=seed, split=split)
    name = f"{split} {pool.metric}, {dataset}, {pool.recipe}, seed {pool.seed}"
    answer = dict(zip(pool.archs, pool.accuracy.tolist(), strict=True))
    charge = _training_time(space, dataset, pool.recipe)
    return Objective(name, space, "measured accuracy", pool.archs, answer.__getitem__, charge)


def _of_predictions(release: Opened, space: str, dataset: str, recipe: str | None, split: Split) -> Objective:
    if split != "val":
        raise UsageError(f"split {quoted(split)} of predictions; the surrogate predicts val accuracies alone")
    surrogate = surrogate_of(release, space, dataset, recipe)

    def answer(arch: str) -> PredictedAccuracy:
        return PredictedAccuracy(*surrogate.predict_one(arch))

    name = f"predicted accuracy, {dataset}, {surrogate.recipe}, from {surrogate.num_archs} trained networks"
    charge = _training_time(space, dataset, surrogate.recipe)
    return Objective(name, space, "predicted accuracy", None, answer, charge)


def _of_scores(release: Opened, opened: OpenedSpace, wanted: Wanted, name: str, hybrid: Hybrid) -> Objective:
    space, dataset = opened.name, str(wanted.dataset)
    seed = seed_of_scores(release, opened, wanted)
    protocol = release.named("scores", opened, dataset, wanted.name_of("scores"))
    which: Any = {"protocol": protocol, "seed": wanted.seed, "score_seed": wanted.score_seed}
    sample = sample_of(release, space, dataset, targets=hybrid.members, **which)
    lacking = [one for one in hybrid.members if np.isnan(sample.targets[one]).all()]
    if lacking:
        raise NothingFoundError(
            f"no arch of {space} has a score of {', '.join(lacking)} on {dataset} ({protocol})"
        )
    scored = _scored(opened, dataset, protocol, seed)
    values_PN = np.array([sample.targets[one][scored] for one in hybrid.members])
    archs = [sample.archs[place] for place in scored.tolist()]
    is_hybrid = len(hybrid.members) > 1
    scores = combined(ranked_columns(values_PN, hybrid.rule), hybrid.rule) if is_hybrid else values_PN[0]
    found = [None if score != score else score for score in scores.tolist()]
    answer: Mapping[str, float | None] = dict(zip(archs, found, strict=True))
    said = f"{name}, {dataset}, {protocol}, seed {seed}"
    charge = _scoring_time(space, dataset, protocol, hybrid.members)
    return Objective(said, space, "hybrid" if is_hybrid else "score", archs, answer.__getitem__, charge)


def _scored(
    opened: OpenedSpace, dataset: str, protocol: str | None, seed: int | str
) -> npt.NDArray[np.int64]:
    """The places of archs that were scored with a seed, failed or not; with every seed where it is "mean"."""
    there = np.ones(len(opened.archs), bool)
    for (name, number), group in opened.groups(f"scores/{dataset}").items():
        if name == protocol and seed in (number, "mean"):
            ids = np.zeros(len(opened.archs), bool)
            ids[np.asarray(group.ids)] = True
            there &= ids
    return np.flatnonzero(there)


def _training_time(space: str, dataset: str, recipe: str) -> Callable[[str], float] | None:
    if not is_modelled(space, recipe):
        return None
    clock = ModelledClock(space, dataset, recipe, "std-32")
    return lambda arch: clock.training(arch, 0).seconds


def _scoring_time(
    space: str, dataset: str, protocol: str | None, members: Iterable[str]
) -> Callable[[str], float] | None:
    """Of the passes that compute some proxies. Costs take none."""
    if space not in CHOICES or protocol not in PROTOCOLS:
        return None
    clock = ModelledClock(space, dataset, SCORING_RECIPE, protocol)
    passes = sorted({PROXIES[name].timed_as for name in members if name not in COSTS})
    return lambda arch: sum(clock.scoring(arch, made_by, 0).seconds for made_by in passes)
