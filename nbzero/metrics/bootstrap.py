"""Metrics on archs that are drawn again with replacement, and on pairs of seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, count_of, whole
from nbzero.metrics import at_once
from nbzero.metrics.arrays import Floats, Ints, codes, refuse_nan, small_codes, vectors
from nbzero.metrics.correlations import kendall_tau
from nbzero.metrics.picks import NORMALISATIONS, budget_limits, is_number_of_limits, picked_in_order, within


class Interval(NamedTuple):
    """A bootstrap interval."""

    low: float
    high: float


def interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The quantiles (1 - level)/2 and (1 + level)/2 of a metric's values on resamples; NaN ones are left out, nan, nan where all are."""
    there = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    if not len(there):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def bootstrap(
    metric: Callable[..., float],
    *arrays: npt.ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    **options: Any,
) -> Interval:
    """The percentile interval of a metric when archs are drawn again with replacement.

    Args:
        metric: called as metric(*arrays, **options) with every array resampled alike, for instance `kendall_tau`.
        arrays: each (N,).
        resamples, seed: the draws are `numpy.random.default_rng(seed).integers(0, N, N)`, one after the other.
        level: the share of resamples inside, in (0, 1).

    Returns:
        nan, nan where the metric is undefined on every resample; resamples on which it is undefined are left out otherwise.

    Raises:
        UsageError: no archs, wrong lengths, another number of resamples or level; and what the metric raises.
    """
    check_bootstrap(resamples, level, seed)
    return interval(resampled(metric, *arrays, resamples=resamples, seed=seed, **options), level)


def resampled(
    metric: Callable[..., float], *arrays: npt.ArrayLike, resamples: int = 1000, seed: int = 0, **options: Any
) -> Floats:
    """(resamples,) a metric on each resample of `bootstrap`, NaN where it is undefined; arguments and errors as there.

    The correlations and top-k metrics of this module, `functools.partial` of them too, are counted for many resamples at once; any other metric,
    and `kendall_tau` of more than 1,024 archs, is called resample by resample.
    """
    given = vectors(**{f"array {i}": array for i, array in enumerate(arrays)})
    check_bootstrap(resamples, 0.5, seed)
    if isinstance(metric, partial) and not metric.args:
        options = {**metric.keywords, **options}
        metric = metric.func
    rng, num = np.random.default_rng(seed), len(given[0])
    if metric not in at_once.AT_ONCE or (metric is kendall_tau and num > at_once.MAX_PAIRWISE):
        drawn = (rng.integers(0, num, num) for _ in range(resamples))
        return np.array([metric(*(vector[rows] for vector in given), **options) for rows in drawn])
    metric(*given, **options)  # for its errors
    judge = at_once.AT_ONCE[metric](*given, **options)
    values, size = np.empty(resamples), max(1, at_once.BLOCK // num)
    for start in range(0, resamples, size):
        rows = rng.integers(0, num, (min(size, resamples - start), num))  # the same numbers as row by row
        counts = np.bincount(
            (rows + num * np.arange(len(rows))[:, None]).ravel(), minlength=rows.size
        ).reshape(rows.shape)
        with np.errstate(all="ignore"):  # 0 / 0 where it is undefined
            values[start : start + size] = judge(counts)
    return values


def bootstrap_mbr(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    normalise: str = "total",
    spacing: str = "even",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Interval]:
    """The intervals of many proxies' `mbr`, the same as `bootstrap(mbr, ...)` proxy by proxy, at a fraction of its time.

    Args:
        scores: (P, N) or (N,); the rest as in `mbr` and `bootstrap`.

    Returns:
        One interval per proxy.

    Raises:
        UsageError: as `resampled_mbr`; another level.
    """
    check_bootstrap(resamples, level, seed)
    return [
        interval(one, level)
        for one in resampled_mbr(scores, accuracy, cost, budgets, normalise, spacing, resamples, seed).T
    ]


def resampled_mbr(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    normalise: str = "total",
    spacing: str = "even",
    resamples: int = 1000,
    seed: int = 0,
) -> Floats:
    """(resamples, P) every proxy's `mbr` on each resample of `bootstrap`; the same seed draws the same archs whatever the cost.

    A number of budgets is laid between the lowest and highest cost of each resample; NaN where a limit of the caller's is below all its costs.

    Raises:
        UsageError: as `mbr`; another number of resamples.
    """
    (values,) = vectors(cost=cost)
    refuse_nan(cost=values)
    if normalise not in NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(NORMALISATIONS)}")
    within(values, budget_limits(values, budgets, spacing))  # for its errors
    return resampled_picks(scores, accuracy, values, budgets, spacing, resamples, seed).mbr(normalise)


class Resampled(NamedTuple):
    """What P proxies pick in B nested pools of R resamples; NaN where a pool is empty.

    Attributes:
        rank, accuracy: (R, P, B) as in `Picks`.
        pool_size: (R, B).
        num_archs: N.
    """

    rank: Floats
    accuracy: Floats
    pool_size: Ints
    num_archs: int

    def mbr(self, normalise: str = "total") -> Floats:
        """(R, P) the mean over budgets of the rank, over all N ("total") or over the pool's own size ("pool")."""
        over = self.pool_size[:, None, :] if normalise == "pool" else self.num_archs
        return np.asarray((self.rank / over).mean(axis=2), np.float64)


def resampled_picks(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    spacing: str = "even",
    resamples: int = 1000,
    seed: int = 0,
) -> Resampled:
    """`picks` on each resample of `bootstrap`. An arch that is drawn twice counts twice in ranks and sizes.

    Args:
        scores: (P, N) or (N,).
        cost: (N,); an arch whose cost is NaN is drawn too, and within no limit.
        budgets, spacing: as in `mbr`; a number of limits is laid anew between the costs of each resample.
        resamples, seed: as in `bootstrap`.

    Raises:
        UsageError: no archs, wrong lengths, NaN in accuracy, no cost, another `spacing`, `budgets` or number of resamples.
    """
    table = np.atleast_2d(np.asarray(scores, np.float64))
    accuracy, cost = vectors(accuracy=accuracy, cost=cost)
    if table.ndim != 2 or table.shape[1] != len(cost):
        raise UsageError(
            f"scores of shape {table.shape} with {count_of(len(cost), 'cost')}; they are (P, N) and (N,)"
        )
    refuse_nan(accuracy=accuracy)
    check_bootstrap(resamples, 0.5, seed)
    num, num_costs = len(cost), int((~np.isnan(cost)).sum())
    order = np.argsort(cost)[:num_costs]  # numpy sorts NaN last
    if not num_costs:
        raise UsageError(f"cost: all {num} are NaN, so no arch is within a limit")
    num_budgets = len(budget_limits(cost[order], budgets, spacing))
    cost, accuracy, code = cost[order], accuracy[order], codes(accuracy)[order]
    score_codes = small_codes(table)[:, order]
    rng = np.random.default_rng(seed)
    rank, picked = np.full((2, resamples, len(table), num_budgets), np.nan)
    pool_size = np.zeros((resamples, num_budgets), np.int64)
    for resample in range(resamples):
        copies = np.bincount(rng.integers(0, num, num), minlength=num)[order]
        there = np.flatnonzero(copies)
        if not len(there):
            continue
        copies, costs = copies[there], cost[there]
        if is_number_of_limits(budgets) and spacing == "quantile":
            upto = np.cumsum(copies)
            limits = costs[
                np.searchsorted(
                    upto, [-(-k * int(upto[-1]) // num_budgets) for k in range(1, num_budgets + 1)]
                )
            ]
        else:
            limits = budget_limits(costs, budgets, spacing)
        sizes = np.searchsorted(costs, limits, side="right")
        filled = sizes > 0
        if not filled.any():
            continue
        found = picked_in_order(
            np.take(score_codes, there, axis=1), code[there], accuracy[there], there, sizes[filled], copies
        )
        rank[resample][:, filled], picked[resample][:, filled], pool_size[resample, filled] = (
            found.rank,
            found.accuracy,
            found.pool_size,
        )
    return Resampled(rank, picked, pool_size, num)


def noise_ceiling(
    metric: Callable[..., float], accuracies: npt.ArrayLike, *arrays: npt.ArrayLike, **options: Any
) -> float:
    """What one seed's accuracy scores as a proxy for another seed's: no proxy can be told from perfect above it.

    Args:
        metric: called as metric(one seed's accuracy, another's, *arrays, **options), on the archs that have both; such as `kendall_tau`, or
            `mbr` with the cost in `arrays`.
        accuracies: (S, N), one row per seed, NaN where an arch was not trained with it; S >= 2.
        arrays: each (N,).

    Returns:
        The mean over ordered pairs of seeds; nan where no two seeds share an arch, or the metric is undefined for one of the pairs.

    Raises:
        UsageError: fewer than two seeds, wrong lengths; and what the metric raises.
    """
    table = np.asarray(accuracies, np.float64)
    if table.ndim != 2 or len(table) < 2 or not table.shape[1]:
        raise UsageError(
            f"accuracies of shape {table.shape}; they are (S, N), a row for each of at least two seeds"
        )
    given = vectors(accuracies=table[0], **{f"array {i}": array for i, array in enumerate(arrays)})[1:]
    found = []
    for one in range(len(table)):
        for other in range(len(table)):
            both = ~np.isnan(table[one]) & ~np.isnan(table[other])
            if one != other and both.any():
                found.append(
                    metric(
                        table[one][both], table[other][both], *(vector[both] for vector in given), **options
                    )
                )
    return float(np.mean(found)) if found else math.nan


def check_bootstrap(resamples: int, level: float, seed: int, least: int = 1) -> None:
    """UsageError unless there are at least so many resamples, a level between 0 and 1, and a seed from 0."""
    whole("resamples", resamples, least)
    if isinstance(level, (bool, str)) or not hasattr(level, "__float__") or not 0 < level < 1:
        raise UsageError(f"level {level!r}; it is between 0 and 1: 0.95 for a 95 % interval")
    whole("seed", seed)
