"""What NAS-Bench-Zero claims of proxies (OpenReview hP-SILoczR), looked at on public data.

Its own spaces were never published. Cells are NAS-Bench-201; spaces of stages are the mini spaces of the
release that ships with nbzero, NAS-Bench-Macro and TransNAS-Bench-101's macro space.

1   Rankings of proxies on cells do not carry over.
2   A proxy with a higher correlation can pick worse under budgets.
3   Proxies do not beat FLOPs and params by correlation.
4   Proxies and FLOPs complement each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, spearman_row
from builders.reproductions.scoring import Setting
from builders.reproductions.wrcor import QUICK, TRAINED, column
from nbzero.bench import Bench
from nbzero.metrics.arrays import ranks
from nbzero.metrics.correlations import spearman_rho
from nbzero.metrics.picks import mbr
from nbzero.proxies.facts import PROXIES

TABLE, PROTOCOL = "nbzero", "std-32"
MINIS = ("r1-mini", "r2-mini", "mb-mini")
CELL_PROXIES = (*QUICK, "grasp", "phi_bn", "zen", "naswot", "acor", "rcor", "wrcor", "barlow_twins")
RESAMPLES = 200
_FEWEST = 4  # proxies that two orders are compared by


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
        """The names that are no costs."""
        return [name for name in self.scores if name not in self.costs]

    def correlations(self, names: Sequence[str]) -> np.ndarray:
        """Spearman of each."""
        return np.array([spearman_rho(self.scores[name], self.accuracy) for name in names])

    def mbr(self, scores: np.ndarray) -> float:
        """Under five limits of macs."""
        return mbr(scores, self.accuracy, self.scores["macs"])


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
    costs = {name: values[rows] for name, values in pool.costs.items() if name in ("macs", "params")}
    return Judged(space, pool.accuracy[rows], scores | costs, tuple(costs), PROTOCOL)


def _released(bench: Bench, space: str, dataset: str) -> Judged:
    """A space with the scores that its release has."""
    pool = bench.pool(space, dataset)
    costs = {name: values for name, values in pool.costs.items() if name in ("macs", "params")}
    return Judged(space, pool.accuracy, {**pool.scores, **costs}, tuple(costs), pool.protocol)


def claims(context: Context) -> list[Result]:
    """NAS-Bench-Zero's four claims on public spaces."""
    cells = _scored_space(context, SPACE, 1000, CELL_PROXIES, TRAINED)
    others = [_scored_space(context, "nbmacro", 100, CELL_PROXIES, "macro-50")]
    shipped = Bench()
    others += [_released(shipped, space, "cifar10") for space in MINIS]
    others.append(_released(context.benchmarks, "transnas-macro", "class_scene"))
    rows: list[Result] = []
    for judged in (cells, *others):
        rows += _of_space(judged)
    for judged in others:
        rows += _carried_over(cells, judged)
    return rows


def _of_space(judged: Judged) -> list[Result]:
    """Each proxy's correlation and mBR, and the claims that are of one space."""
    rows, protocol = [], judged.protocol
    num = len(judged.accuracy)
    for name, values in judged.scores.items():
        rows.append(spearman_row(TABLE, f"{judged.name}, {name}", None, values, judged.accuracy, protocol))
    if "macs" not in judged.costs:  # the source of TransNAS-Bench-101 gives none
        return rows
    rows.append(_best_against_costs(judged))
    found = {name: judged.mbr(values) for name, values in judged.scores.items()}
    for name, value in found.items():
        note = "five limits of macs; 0 is the oracle"
        rows.append(Result(TABLE, f"{judged.name}, mBR of {name}", None, value, num, 1, None, protocol, note))
    rows.append(_worse_picks(judged, found))
    for name in ("synflow", "zen"):
        if name in judged.scores:
            rows.append(_with_macs(judged, name, found))
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

    def gain(drawn: Judged) -> float:
        best = np.nanmax(drawn.correlations(drawn.proxies))
        return float(best - np.nanmax(drawn.correlations(drawn.costs)))

    values = [gain(drawn) for drawn in _resampled(judged, 0)]
    best = judged.proxies[int(np.nanargmax(judged.correlations(judged.proxies)))]
    note = f"Spearman of the best proxy, {best}, less that of the best of {', '.join(judged.costs)}"
    return _with_interval(f"{judged.name}, claim 3", judged, gain(judged), values, note)


def _worse_picks(judged: Judged, found: Mapping[str, float]) -> Result:
    """Claim 2: the share of pairs of proxies of which the better by correlation picks worse."""
    correlation = dict(zip(judged.proxies, judged.correlations(judged.proxies), strict=True))
    worse = pairs = 0
    for one, other in itertools.combinations(judged.proxies, 2):
        apart = (correlation[one] - correlation[other]) * (found[one] - found[other])
        pairs += apart != 0
        worse += apart > 0
    share = worse / pairs if pairs else None
    note = f"share of {pairs} pairs of proxies whose better by Spearman has the worse mBR"
    num = len(judged.accuracy)
    return Result(TABLE, f"{judged.name}, claim 2", None, share, num, 1, None, judged.protocol, note)


def _with_macs(judged: Judged, name: str, found: Mapping[str, float]) -> Result:
    """Claim 4: ranks of a proxy and of macs added, against the better of the two."""

    def gain(drawn: Judged) -> float:
        both = ranks([drawn.scores[name], drawn.scores["macs"]]).sum(0)
        alone = min(drawn.mbr(drawn.scores[name]), drawn.mbr(drawn.scores["macs"]))
        return drawn.mbr(both) - alone

    values = [gain(drawn) for drawn in _resampled(judged, 1)]
    note = f"mBR of {name} and macs by the sum of ranks less the better of the two; below 0 they complement"
    row = f"{judged.name}, claim 4, {name}"
    return _with_interval(row, judged, gain(judged), values, note)


def _carried_over(cells: Judged, other: Judged) -> list[Result]:
    """Claim 1: how alike two spaces order the proxies and costs that both have."""
    shared = [name for name in cells.scores if name in other.scores]
    if len(shared) < _FEWEST:
        return []
    pairs = zip(_resampled(cells, 2), _resampled(other, 3), strict=True)
    values = [spearman_rho(one.correlations(shared), two.correlations(shared)) for one, two in pairs]
    ours = spearman_rho(cells.correlations(shared), other.correlations(shared))
    note = f"Spearman between the two orders of {len(shared)} proxies and costs"
    return [_with_interval(f"{cells.name} to {other.name}, claim 1", other, ours, values, note)]


TABLES = {TABLE: claims}
