"""What NAS-Bench-Zero claims of proxies (OpenReview hP-SILoczR), looked at on public data.

Its own spaces were never published. Cells are NAS-Bench-201; spaces of stages are the mini spaces of the
release that ships with nbzero, NAS-Bench-Macro and TransNAS-Bench-101's macro space.

1   Rankings of proxies on cells do not carry over.
2   A proxy with a higher correlation can pick worse under budgets.
3   Proxies do not beat FLOPs and params by correlation.
4   Proxies and FLOPs complement each other.

Its hybrids are looked at too: the best pair and the best four on cells are judged on the other spaces.
Everywhere an arch without a score ranks below those that have one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, spearman_row
from builders.reproductions.scoring import Setting
from builders.reproductions.wrcor import TRAINED, column
from nbzero.bench import Bench
from nbzero.metrics.arrays import ranks
from nbzero.metrics.correlations import spearman_rho
from nbzero.metrics.picks import mbr
from nbzero.proxies.facts import PROXIES

TABLE, PROTOCOL = "nbzero", "std-32"
MINIS = ("r1-mini", "r2-mini", "mb-mini")
TRANSNAS, TASK = "transnas-macro", "class_scene"
COSTS = ("macs", "params")
NOT_SCORED = (*COSTS, "depth", "dyniso")  # costs, and what takes minutes an arch
SCORED = tuple(name for name in PROXIES if name not in NOT_SCORED)
RESAMPLES = 200
HYBRIDS = ("pair", "four")
_FEWEST = 4  # proxies and costs that two orders are compared by, and that hybrids are made of
_FEWEST_SCORED = 0.9  # of the archs; what fewer have a score of has rows of its own, and is in no claim


@dataclass(frozen=True)
class Judged:
    """The archs of one space: accuracies, and scores in the direction of the registry.

    Attributes:
        scores: proxies and costs, (N,) each.
        costs: the names among them that are costs.
    """

    name: str
    accuracy: np.ndarray
    scores: Mapping[str, np.ndarray]
    costs: tuple[str, ...]
    protocol: str

    def drawn(self, rows: np.ndarray) -> Judged:
        """Some archs, maybe repeated."""
        scores = {name: values[rows] for name, values in self.scores.items()}
        return replace(self, accuracy=self.accuracy[rows], scores=scores)

    @property
    def proxies(self) -> list[str]:
        """The names of `ordering` that are no costs."""
        return [name for name in self.ordering if name not in self.costs]

    @property
    def ordering(self) -> list[str]:
        """The names whose scores are there for most archs, and not all equal."""
        return [name for name, values in self.scores.items() if _orders(values)]

    def correlations(self, names: Sequence[str]) -> np.ndarray:
        """Spearman of each."""
        return np.array([spearman_rho(self.scores[name], self.accuracy) for name in names])

    def mbr(self, names: Sequence[str]) -> float:
        """Of some scores, their ranks added, under five limits of macs."""
        scores = [self.scores[name] for name in names]
        added = ranks(scores).sum(0) if len(scores) > 1 else scores[0]
        return mbr(added, self.accuracy, self.scores["macs"])


def _orders(values: np.ndarray) -> bool:
    there = values[~np.isnan(values)]
    return len(there) >= _FEWEST_SCORED * len(values) and len(np.unique(there)) > 1


def _scored_space(context: Context, space: str, default: int, proxies: Sequence[str], recipe: str) -> Judged:
    """A published benchmark whose networks are scored here."""
    archs = context.archs(space, default)
    setting = Setting(space, "cifar10", PROTOCOL, context.images, context.asked(proxies))
    scored = context.filled(setting, archs)
    archs = list(scored)
    proxies = [name for name in proxies if name in scored[archs[0]]]
    pool = context.benchmarks.pool(space, "cifar10", recipe, proxies=[], split="test")
    place = {arch: row for row, arch in enumerate(pool.archs)}
    rows = [place[arch] for arch in archs]
    scores = {name: column(scored, archs, name) * PROXIES[name].direction for name in proxies}
    costs = {name: values[rows] for name, values in pool.costs.items() if name in COSTS}
    return Judged(space, pool.accuracy[rows], scores | costs, tuple(costs), PROTOCOL)


def _released(bench: Bench, space: str, dataset: str) -> Judged:
    """A space with the scores that its release has."""
    pool = bench.pool(space, dataset)
    costs = {name: values for name, values in pool.costs.items() if name in COSTS}
    return Judged(space, pool.accuracy, {**pool.scores, **costs}, tuple(costs), pool.protocol)


def claims(context: Context) -> list[Result]:
    """NAS-Bench-Zero's four claims on public spaces."""
    cells = _scored_space(context, SPACE, 1000, SCORED, TRAINED)
    others = [_scored_space(context, "nbmacro", 1000, SCORED, "macro-50")]
    shipped = Bench()
    others += [_released(shipped, space, "cifar10") for space in MINIS]
    others.append(_released(context.benchmarks, TRANSNAS, TASK))
    rows: list[Result] = []
    for judged in (cells, *others):
        rows += of_space(judged)
    chosen = best_hybrids(cells)
    for judged in others:
        rows += carried_over(cells, judged)
        rows += transferred(cells, judged, chosen)
    return rows


def of_space(judged: Judged) -> list[Result]:
    """Each proxy's correlation and mBR, and the claims that are of one space."""
    rows, protocol = [], judged.protocol
    for name, values in judged.scores.items():
        row = f"{judged.name}, {name}"
        rows.append(spearman_row(TABLE, row, None, values, judged.accuracy, protocol, absent="last"))
    if judged.proxies:
        rows.append(_best_against_costs(judged))
    drawn = _resampled(judged, 4)
    found = {name: judged.mbr([name]) for name in judged.scores}
    on_draws = [{name: one.mbr([name]) for name in judged.scores} for one in drawn]
    for name, value in found.items():
        note = "five limits of macs; 0 is the oracle"
        others = [of_draw[name] for of_draw in on_draws]
        rows.append(_with_interval(f"{judged.name}, mBR of {name}", judged, value, others, note))
    rows.append(_worse_picks(judged, found, drawn, on_draws))
    rows += [_with_macs(judged, name) for name in ("synflow", "zen") if name in judged.scores]
    return rows


def _resampled(judged: Judged, seed: int) -> list[Judged]:
    rng, num = np.random.default_rng(seed), len(judged.accuracy)
    return [judged.drawn(rng.integers(0, num, num)) for _ in range(RESAMPLES)]


def _with_interval(row: str, judged: Judged, ours: float, values: Sequence[float], note: str) -> Result:
    low, high = np.nanquantile(values, [0.025, 0.975])
    said = f"{note}; 95 % interval {low:+.3f} to {high:+.3f}"
    se = float(np.nanstd(values, ddof=1))
    return Result(TABLE, row, None, ours, len(judged.accuracy), 1, se, judged.protocol, said)


def _best_against_costs(judged: Judged) -> Result:
    """Claim 3. The best is chosen again on every resample."""
    proxies = judged.proxies

    def gain(drawn: Judged) -> float:
        best = np.nanmax(drawn.correlations(proxies))
        return float(best - np.nanmax(drawn.correlations(drawn.costs)))

    values = [gain(drawn) for drawn in _resampled(judged, 0)]
    best = proxies[int(np.nanargmax(judged.correlations(proxies)))]
    note = f"Spearman of the best proxy, {best}, less that of the best of {', '.join(judged.costs)}"
    return _with_interval(f"{judged.name}, claim 3", judged, gain(judged), values, note)


def _worse_picks(
    judged: Judged,
    found: Mapping[str, float],
    drawn: Sequence[Judged],
    on_draws: Sequence[Mapping[str, float]],
) -> Result:
    """Claim 2: the share of pairs of proxies of which the better by correlation picks worse."""
    share, pairs = share_of_worse(judged, judged.proxies, found)
    values = []
    for one, of_one in zip(drawn, on_draws, strict=True):
        values.append(share_of_worse(one, judged.proxies, of_one)[0])
    note = f"share of {pairs} pairs of proxies whose better by Spearman has the worse mBR"
    return _with_interval(f"{judged.name}, claim 2", judged, share, values, note)


def share_of_worse(judged: Judged, names: Sequence[str], found: Mapping[str, float]) -> tuple[float, int]:
    """The share of pairs of names whose better by Spearman has the worse mBR, and the number of pairs.

    Pairs that are equal by one of the two do not count. NaN where there are no pairs.
    """
    correlation = dict(zip(names, judged.correlations(names), strict=True))
    worse = pairs = 0
    for one, other in itertools.combinations(correlation, 2):
        apart = (correlation[one] - correlation[other]) * (found[one] - found[other])
        pairs += apart != 0
        worse += apart > 0
    return (worse / pairs if pairs else math.nan), pairs


def _with_macs(judged: Judged, name: str) -> Result:
    """Claim 4: ranks of a proxy and of macs added, against the better of the two."""

    def gain(drawn: Judged) -> float:
        return drawn.mbr([name, "macs"]) - min(drawn.mbr([name]), drawn.mbr(["macs"]))

    values = [gain(drawn) for drawn in _resampled(judged, 1)]
    note = f"mBR of {name} and macs by the sum of ranks less the better of the two; below 0 they complement"
    row = f"{judged.name}, claim 4, {name}"
    return _with_interval(row, judged, gain(judged), values, note)


# From cells to other spaces


def carried_over(cells: Judged, other: Judged) -> list[Result]:
    """Claim 1: how alike two spaces order the proxies and costs that both have."""
    shared = [name for name in cells.ordering if name in other.ordering]
    if len(shared) < _FEWEST:
        return []
    pairs = zip(_resampled(cells, 2), _resampled(other, 3), strict=True)
    values = [spearman_rho(one.correlations(shared), two.correlations(shared)) for one, two in pairs]
    ours = spearman_rho(cells.correlations(shared), other.correlations(shared))
    note = f"Spearman between the two orders of {len(shared)} proxies and costs"
    return [_with_interval(f"{cells.name} to {other.name}, claim 1", other, ours, values, note)]


def best_hybrids(cells: Judged) -> dict[str, tuple[str, ...]]:
    """The best single score, the best pair, and the best four that two more make of that pair.

    By mBR on cells. Of equal ones the first in the registry's order. None where there are fewer than four.
    """
    names = cells.ordering
    if len(names) < _FEWEST:
        return {}
    chosen = {
        "single": min(itertools.combinations(names, 1), key=cells.mbr),
        "pair": min(itertools.combinations(names, 2), key=cells.mbr),
    }
    pair = chosen["pair"]
    more = itertools.combinations([name for name in names if name not in pair], 2)
    chosen["four"] = min(((*pair, *two) for two in more), key=cells.mbr)
    return chosen


def transferred(cells: Judged, other: Judged, chosen: Mapping[str, tuple[str, ...]]) -> list[Result]:
    """What hybrids that were chosen on cells gain over the single score that was chosen there, elsewhere."""
    rows = []
    for called in HYBRIDS:
        if not chosen or not {*chosen[called], *chosen["single"]} <= set(other.scores):
            continue
        members = chosen[called]

        def gain(drawn: Judged, members: tuple[str, ...] = members) -> float:
            return drawn.mbr(members) - drawn.mbr(chosen["single"])

        values = [gain(drawn) for drawn in _resampled(other, 5)]
        note = (
            f"mBR of the {called} chosen by mBR on {cells.name}, {', '.join(members)}, "
            f"less that of the single score chosen there, {chosen['single'][0]}; below 0 it is better"
        )
        row = f"{cells.name} to {other.name}, hybrid of {len(members)}"
        rows.append(_with_interval(row, other, gain(other), values, note))
    return rows


TABLES = {TABLE: claims}
