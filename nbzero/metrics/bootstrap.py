"""Metrics on archs that are drawn again with replacement, and of one seed's accuracy for another's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, count_of, whole
from nbzero.metrics.arrays import Floats, Ints, codes, refuse_nan, small_codes, vectors
from nbzero.metrics.at_once import is_counted_at_once, resampled_at_once
from nbzero.metrics.picks import (
    budget_limits,
    check_normalisation,
    is_number_of_limits,
    picks_in_order,
    quantile_counts,
    within,
)

DRAWS = 64  # ranked at once


class Interval(NamedTuple):
    """A bootstrap interval."""

    low: float
    high: float


def interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The quantiles (1 - level)/2 and (1 + level)/2 of a metric's values on resamples.

    NaN values are left out. Where all are NaN, so are the two.
    """
    there = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    if not len(there):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def check_bootstrap(resamples: int, level: float, seed: int, least: int = 1) -> None:
    """UsageError unless there are at least so many resamples, a level between 0 and 1, and a seed from 0."""
    whole("resamples", resamples, least)
    if isinstance(level, (bool, str)) or not hasattr(level, "__float__") or not 0 < level < 1:
        raise UsageError(f"level {level!r}; it is between 0 and 1: 0.95 for a 95 % interval")
    whole("seed", seed)


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
        metric: called as metric(*arrays, **options) with every array resampled alike; such as `kendall_tau`.
        arrays: each (N,).
        resamples, seed: the draws are `numpy.random.default_rng(seed).integers(0, N, N)`, one by one.
        level: the share of resamples inside, in (0, 1).

    Returns:
        The interval over the resamples on which the metric is defined; nan, nan where there are none.

    Raises:
        UsageError: no archs, wrong lengths, another number of resamples or level; and what the metric raises.
    """
    check_bootstrap(resamples, level, seed)
    return interval(resampled(metric, *arrays, resamples=resamples, seed=seed, **options), level)


def resampled(
    metric: Callable[..., float], *arrays: npt.ArrayLike, resamples: int = 1000, seed: int = 0, **options: Any
) -> Floats:
    """(resamples,) a metric on each resample of `bootstrap`, NaN where it is undefined.

    Arguments and errors are those of `bootstrap`. The correlations and top-k metrics are counted for many
    resamples at once, and so is a `functools.partial` of them. Any other metric is called resample by
    resample, and so is `kendall_tau` of more than 1,024 archs.
    """
    given = vectors(**{f"array {i}": array for i, array in enumerate(arrays)})
    check_bootstrap(resamples, 0.5, seed)
    if isinstance(metric, partial) and not metric.args:
        options = {**metric.keywords, **options}
        metric = metric.func
    rng = np.random.default_rng(seed)
    num = len(given[0])
    if is_counted_at_once(metric, num):
        return resampled_at_once(metric, given, options, resamples, rng)
    values = []
    for _ in range(resamples):
        rows = rng.integers(0, num, num)
        values.append(metric(*(vector[rows] for vector in given), **options))
    return np.array(values)


def bootstrap_mbr(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    normalise: str = "total",
    spacing: str = "quantile",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Interval]:
    """The intervals of many proxies' `mbr`.

    They are those of `bootstrap(mbr, ...)` proxy by proxy, at a fraction of its time.

    Args:
        scores: (P, N) or (N,); the rest as in `mbr` and `bootstrap`.

    Returns:
        One interval per proxy.

    Raises:
        UsageError: as `resampled_mbr`; another level.
    """
    check_bootstrap(resamples, level, seed)
    values = resampled_mbr(scores, accuracy, cost, budgets, normalise, spacing, resamples, seed)
    return [interval(one, level) for one in values.T]


def resampled_mbr(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    normalise: str = "total",
    spacing: str = "quantile",
    resamples: int = 1000,
    seed: int = 0,
) -> Floats:
    """(resamples, P) every proxy's `mbr` on each resample of `bootstrap`.

    The same seed draws the same archs whatever the cost. A number of budgets is laid anew by the costs of
    each resample. NaN where a limit of the caller's is below all its costs.

    Raises:
        UsageError: as `mbr`; another number of resamples.
    """
    (values,) = vectors(cost=cost)
    refuse_nan(cost=values)
    check_normalisation(normalise)
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
        """(R, P) the mean over budgets of the rank, over all N ("total") or the pool's own size ("pool")."""
        over = self.pool_size[:, None, :] if normalise == "pool" else self.num_archs
        return np.asarray((self.rank / over).mean(axis=2), np.float64)


def resampled_picks(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    spacing: str = "quantile",
    resamples: int = 1000,
    seed: int = 0,
) -> Resampled:
    """`picks` on each resample of `bootstrap`. An arch that is drawn twice counts twice in ranks and sizes.

    Args:
        scores: (P, N) or (N,).
        cost: (N,); an arch whose cost is NaN is drawn too, and within no limit.
        budgets, spacing: as in `mbr`; a number of limits is laid anew by the costs of each resample.
        resamples, seed: as in `bootstrap`.

    Raises:
        UsageError: no archs, wrong lengths, NaN in accuracy, no cost, another `spacing`, `budgets` or number
            of resamples.
    """
    table = np.atleast_2d(np.asarray(scores, np.float64))
    accuracy, cost = vectors(accuracy=accuracy, cost=cost)
    num = len(cost)
    if table.ndim != 2 or table.shape[1] != num:
        given = count_of(num, "cost")
        raise UsageError(f"scores of shape {table.shape} with {given}; they are (P, N) and (N,)")
    refuse_nan(accuracy=accuracy)
    check_bootstrap(resamples, 0.5, seed)
    order = np.argsort(cost)[: num - int(np.isnan(cost).sum())]  # numpy sorts NaN last
    if not len(order):
        raise UsageError(f"cost: all {num} are NaN, so no arch is within a limit")
    num_budgets = len(budget_limits(cost[order], budgets, spacing))
    cost, accuracy, code = cost[order], accuracy[order], codes(accuracy)[order]
    score_codes = small_codes(table)[:, order]
    rank, mean_accuracy = np.full((2, resamples, len(table), num_budgets), np.nan)
    pool_size = np.zeros((resamples, num_budgets), np.int64)
    rng = np.random.default_rng(seed)
    for resample in range(resamples):
        copies = np.bincount(rng.integers(0, num, num), minlength=num)[order]
        drawn = np.flatnonzero(copies)
        if not len(drawn):
            continue
        copies, costs = copies[drawn], cost[drawn]
        sizes = np.searchsorted(costs, _limits_of(costs, copies, budgets, spacing), side="right")
        filled = sizes > 0
        if not filled.any():
            continue
        part = np.take(score_codes, drawn, axis=1)
        found = picks_in_order(part, code[drawn], accuracy[drawn], drawn, sizes[filled], copies)
        rank[resample][:, filled] = found.rank
        mean_accuracy[resample][:, filled] = found.accuracy
        pool_size[resample, filled] = found.pool_size
    return Resampled(rank, mean_accuracy, pool_size, num)


def _limits_of(costs: Floats, copies: Ints, budgets: int | Sequence[float], spacing: str) -> Floats:
    """(B,) the limits of one resample, which holds each of the ascending `costs` so many times."""
    if spacing != "quantile" or not is_number_of_limits(budgets):
        return budget_limits(costs, budgets, spacing)
    upto = np.cumsum(copies)
    wanted = quantile_counts(int(upto[-1]), int(budgets))  # type: ignore[arg-type]
    return costs[np.searchsorted(upto, wanted)]


def redrawn(
    metric: Callable[..., float], scores: npt.ArrayLike, draws: npt.ArrayLike, **options: Any
) -> Floats:
    """(R,) a metric on each draw of the accuracies, NaN where it is undefined; the archs stay.

    Args:
        metric: called as metric(scores, one draw, **options).
        scores: (N,).
        draws: (R, N) accuracies, such as those of a surrogate's posterior.

    Raises:
        UsageError: draws of another length; and what the metric raises.
    """
    (values,) = vectors(scores=scores)
    table = _draws_of(draws, len(values))
    return np.array([metric(values, one, **options) for one in table])


def redrawn_picks(scores: npt.ArrayLike, draws: npt.ArrayLike, order: Ints, sizes: Ints) -> Resampled:
    """`picks` by each draw of the accuracies: the archs and what is picked stay, what it is worth does not.

    Args:
        scores: (P, N).
        draws: (R, N) accuracies.
        order, sizes: (N,) and (B,) nested pools, as in `picks`; no size is 0.

    Raises:
        UsageError: draws of another length.
    """
    table = small_codes(np.asarray(scores, np.float64))
    accuracies = _draws_of(draws, table.shape[1])
    rank, accuracy = np.empty((2, len(accuracies), len(table), len(sizes)))
    for b, size in enumerate(np.asarray(sizes).tolist()):
        inside = np.sort(np.asarray(order)[:size])
        part = table[:, inside]
        chosen = part == part.max(axis=1, keepdims=True)
        share = chosen / chosen.sum(axis=1, keepdims=True)
        for start in range(0, len(accuracies), DRAWS):
            rows = slice(start, start + DRAWS)
            there = accuracies[rows][:, inside]
            rank[rows, :, b] = _ranks_within(there) @ share.T
            accuracy[rows, :, b] = there @ share.T
    pool_size = np.tile(np.asarray(sizes, np.int64), (len(accuracies), 1))
    return Resampled(rank, accuracy, pool_size, table.shape[1])


def _draws_of(draws: npt.ArrayLike, num_archs: int) -> Floats:
    table = np.asarray(draws, np.float64)
    if table.ndim != 2 or table.shape[1] != num_archs:
        raise UsageError(f"draws of shape {table.shape}; they are (R, {num_archs}), a row for each draw")
    return table


def _ranks_within(accuracies: Floats) -> Floats:
    """(R, N) how many archs of each draw are more accurate; no two of a draw are equal."""
    ranks = np.empty_like(accuracies)
    best_first = np.argsort(-accuracies, axis=1)
    np.put_along_axis(ranks, best_first, np.arange(accuracies.shape[1], dtype=np.float64)[None], axis=1)
    return ranks


def noise_ceiling(
    metric: Callable[..., float], accuracies: npt.ArrayLike, *arrays: npt.ArrayLike, **options: Any
) -> float:
    """What one seed's accuracy scores as a proxy for another seed's.

    No proxy can be told from perfect above it.

    Args:
        metric: called as metric(one seed's accuracy, another's, *arrays, **options) on the archs that have
            both. For instance `kendall_tau`, or `mbr` with the cost in `arrays`.
        accuracies: (S, N), one row per seed, NaN where an arch was not trained with it; S >= 2.
        arrays: each (N,).

    Returns:
        The mean over ordered pairs of seeds; nan where no two seeds share an arch, or the metric is undefined
        for one of the pairs.

    Raises:
        UsageError: fewer than two seeds, wrong lengths; and what the metric raises.
    """
    table = np.asarray(accuracies, np.float64)
    if table.ndim != 2 or len(table) < 2 or not table.shape[1]:
        wanted = "they are (S, N), a row for each of at least two seeds"
        raise UsageError(f"accuracies of shape {table.shape}; {wanted}")
    others = {f"array {i}": array for i, array in enumerate(arrays)}
    _, *given = vectors(accuracies=table[0], **others)
    found = []
    for one, other in itertools.permutations(table, 2):
        both = ~np.isnan(one) & ~np.isnan(other)
        if both.any():
            found.append(metric(one[both], other[both], *(vector[both] for vector in given), **options))
    return float(np.mean(found)) if found else math.nan
