"""What a score picks under a series of budgets, and how good that is: mBR."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, count_of
from nbzero.metrics.arrays import Floats, Ints, codes, refuse_nan, vectors

SPACINGS = ("even", "quantile")
NORMALISATIONS = ("total", "pool")
MAX_LIMITS = 10_000  # a larger number is a limit that was meant


def mbr(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    normalise: str = "total",
    spacing: str = "even",
) -> float:
    """Mean best ranking: the true rank of what a score picks under a series of budgets; 0 is the oracle.

        mBR = 1/M sum_i r_i / N            normalise="total", the paper's
        mBR = 1/M sum_i r_i / N_i          normalise="pool"

    Under limit i of M the pool is every arch with cost <= limit (N_i archs), the pick is its best-scoring arch and r_i that arch's true rank
    in that pool; of several tied winners, the mean of their ranks. Scores that are all equal, or all NaN, give a random pick's mBR.

    Args:
        scores, accuracy, cost: (N,); accuracy and cost without NaN.
        budgets: how many limits (`budget_limits`), or the limits themselves.
        spacing: "even" or "quantile", of a number of budgets.

    Raises:
        NothingFoundError: a limit below every cost.
        UsageError: no archs, wrong lengths, NaN in accuracy or cost, another `normalise`, `spacing` or `budgets`.

    Source: NAS-Bench-Zero, OpenReview hP-SILoczR.

    >>> mbr([3, 2, 1], [0.7, 0.9, 0.8], [30, 20, 10], budgets=[10, 30])  # picks the best of one, then the worst of three: ranks 0 and 2
    0.3333333333333333
    """
    scores, accuracy, cost = vectors(scores=scores, accuracy=accuracy, cost=cost)
    refuse_nan(accuracy=accuracy)
    found = picks(scores[None], accuracy, *within(cost, budget_limits(cost, budgets, spacing)))
    return float(mean_rank(found, len(scores), normalise)[0])


def budget_limits(cost: npt.ArrayLike, budgets: int | Sequence[float] = 5, spacing: str = "even") -> Floats:
    """The limits (B,) on a cost, ascending; an arch is within a limit where cost <= limit.

    Args:
        cost: (N,) without NaN.
        budgets: a number M of limits, or limits, which are returned sorted.
        spacing: of a number of limits. "even": the k-th is min + k/M (max - min), the last exactly max. "quantile": the k-th is the
            smallest that admits k/M of the archs (more where costs tie), so the last is max too.

    Raises:
        UsageError: no archs, NaN in cost, no limit, a limit that is NaN, another spacing.

    >>> budget_limits([0, 10, 20, 100], 2).tolist(), budget_limits([0, 10, 20, 100], 2, "quantile").tolist()
    ([50.0, 100.0], [10.0, 100.0])
    """
    values = np.asarray(vectors(cost=cost)[0], np.float64)
    refuse_nan(cost=values)
    if spacing not in SPACINGS:
        raise UsageError(
            f"spacing {spacing!r}; it is one of {', '.join(SPACINGS)}, and limits of your own go in budgets=[..]"
        )
    if not is_number_of_limits(budgets):
        return np.array(given_limits(budgets))
    num = int(budgets)  # type: ignore[arg-type]
    if spacing == "quantile":
        return np.sort(values)[[-(-k * len(values) // num) - 1 for k in range(1, num + 1)]]
    low, high = values.min(), values.max()
    return np.append(low + np.arange(1, num) / num * (high - low), high)


def is_number_of_limits(budgets: Any) -> bool:
    """Whether budgets are a number, and not limits; UsageError where the number is below 1, or so large that a limit must be meant."""
    number = hasattr(budgets, "__index__") and not isinstance(budgets, (bool, np.ndarray))
    if number and int(budgets) < 1:
        raise UsageError(f"budgets {budgets!r}; it is a number of limits from 1, or a list of limits")
    if number and int(budgets) > MAX_LIMITS:
        raise UsageError(
            f"budgets {budgets!r} is a number of limits, at most {MAX_LIMITS:,}; a single limit is a list or a decimal: {float(budgets):g}"
        )
    return number


def given_limits(budgets: Any) -> tuple[float, ...]:
    """Limits of the caller's, ascending; UsageError where they are no list of numbers, or one of them is NaN."""
    if isinstance(budgets, (bool, str, float, Mapping)) or not isinstance(budgets, Iterable):
        raise UsageError(f"budgets {budgets!r}; it is a number of limits from 1, or a list of limits")
    listed = list(budgets)
    if not listed or any(
        isinstance(limit, (bool, str)) or not hasattr(limit, "__float__") or math.isnan(limit)
        for limit in listed
    ):
        raise UsageError(f"budgets {listed}; give at least one limit, none of them NaN")
    return tuple(sorted(map(float, listed)))


class Picks(NamedTuple):
    """What P proxies pick in B nested pools.

    Attributes:
        rank: (P, B) true rank in the pool, the mean over tied winners.
        accuracy: (P, B) the mean over tied winners.
        arch: (P, B) position of the winner; of tied ones the first.
        num_tied: (P, B) winners with the highest score; 1 where there is no tie.
        pool_size: (B,).
        best: (B,) position of the pool's most accurate arch, the first of equal ones.
    """

    rank: Floats
    accuracy: Floats
    arch: Ints
    num_tied: Ints
    pool_size: Ints
    best: Ints


def within(cost: npt.ArrayLike, limits: npt.ArrayLike) -> tuple[Ints, Ints]:
    """The archs by ascending cost (N,), and how many of them are within each ascending limit (B,): nested pools for `picks`.

    Raises:
        NothingFoundError: a limit below every cost, whose pool is empty.
    """
    (cost,) = vectors(cost=cost)
    limits = np.asarray(limits, np.float64)
    order = np.argsort(cost)
    sizes = np.searchsorted(cost[order], limits, side="right").astype(np.int64)
    if not sizes.all():
        below = ", ".join(f"{limit:.10g}" for limit in limits[sizes == 0])
        raise NothingFoundError(
            f"{int((sizes == 0).sum())} of {count_of(len(sizes), 'limit admits', 'limits admit')} no arch: {below}; the smallest cost is "
            f"{cost.min():.10g}, of row {order[0]}; raise the limit, or leave it out"
        )
    return order, sizes


def picks(scores: npt.ArrayLike, accuracy: npt.ArrayLike, order: Ints, sizes: Ints) -> Picks:
    """What each proxy picks in nested pools, and how good it is there.

    Args:
        scores: (P, N), NaN below every number; or their `codes`.
        accuracy: (N,) without NaN.
        order, sizes: the b-th pool is the archs order[:sizes[b]]; sizes ascend from at least 1 (`within`).
    """
    table, accuracy = np.asarray(scores), np.asarray(accuracy, np.float64)
    table = table if table.dtype.kind == "i" else np.asarray(table, np.float64)
    if table.ndim != 2 or table.shape[1:] != accuracy.shape:
        raise UsageError(
            f"scores of shape {table.shape} with {count_of(len(accuracy), 'accuracy', 'accuracies')}; they are (P, N) and (N,)"
        )
    order = order[: sizes[-1]]
    code = codes(accuracy)[order]
    best = np.empty(len(sizes), np.int64)
    leader, start = -1, 0
    for b, size in enumerate(sizes):
        if size > start:
            top = np.flatnonzero(code[start:size] == code[start:size].max()) + start
            ahead = leader < 0 or code[top[0]] > code[leader]
            rivals = (
                top
                if ahead
                else np.append(top, leader)
                if code[top[0]] == code[leader]
                else np.array([leader])
            )
            leader, start = int(rivals[np.argmin(order[rivals])]), int(size)
        best[b] = order[leader]
    return picked_in_order(np.take(table, order, axis=1), code, accuracy[order], order, sizes, None)._replace(
        best=best
    )


def mean_rank(found: Picks, num_archs: int, normalise: str = "total") -> Floats:
    """(P,) mBR of `picks`: the mean over budgets of the rank, over all `num_archs` candidates ("total") or over the pool's own size ("pool")."""
    if normalise not in NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(NORMALISATIONS)}")
    over = found.pool_size if normalise == "pool" else num_archs
    return np.asarray((found.rank / over).mean(axis=1), np.float64)


def picked_in_order(
    table: npt.NDArray[Any], code: Ints, accuracy: Floats, names: Ints, sizes: Ints, copies: npt.NDArray[np.int64] | None
) -> Picks:  # fmt: skip
    """`picks` of arrays that are in the pools' order already: the b-th pool is the first sizes[b] columns.

    Args:
        table: (P, n) scores, or codes that are ordered alike.
        code: (n,) accuracy as whole numbers that are ordered alike.
        names: (n,) the positions to give back.
        copies: (n,) how often each arch is in the pool; None: once.

    `best` is left empty. Only a segment's best archs, between one pool's end and the next, can win in a pool, so every score is read twice
    however many pools there are.
    """
    num_proxies, num_pools = len(table), len(sizes)
    starts = [0, *sizes[:-1].tolist()]
    num_codes = int(code.max()) + 1
    rows_of, columns_of, segment_of = [], [], []
    best_PB = np.empty((num_proxies, num_pools), table.dtype)
    above = np.zeros((num_pools, num_codes))
    for b, (start, stop) in enumerate(zip(starts, sizes.tolist(), strict=True)):
        if b:
            best_PB[:, b], above[b] = best_PB[:, b - 1], above[b - 1]
        if stop == start:
            continue
        part = table[:, start:stop]
        high = np.fmax.reduce(part, axis=1)
        won = part == high[:, None]
        lost = high != high  # nothing but NaN: all of them tie
        if lost.any():
            won[lost] = True
        rows, columns = np.divmod(np.flatnonzero(won), stop - start)
        rows_of.append(rows)
        columns_of.append(columns + start)
        segment_of.append(np.full(len(rows), b))
        best_PB[:, b] = np.fmax(best_PB[:, b], high) if b else high
        above[b] += np.bincount(code[start:stop], None if copies is None else copies[start:stop], num_codes)
    ends = above.sum(axis=1)
    above = ends[:, None] - np.cumsum(above, axis=1)  # (B, codes): archs of the pool strictly more accurate
    rows, columns, segments = np.concatenate(rows_of), np.concatenate(columns_of), np.concatenate(segment_of)
    values, weights = (
        table[rows, columns],
        np.ones(len(rows)) if copies is None else copies[columns].astype(np.float64),
    )
    rank, mean_accuracy = np.empty((num_proxies, num_pools)), np.empty((num_proxies, num_pools))
    num_tied, arch = (
        np.empty((num_proxies, num_pools), np.int64),
        np.empty((num_proxies, num_pools), np.int64),
    )
    for b in range(num_pools):
        best = best_PB[rows, b]
        wins = (segments <= b) & ((values == best) | (best != best))
        row, column, weight = rows[wins], columns[wins], weights[wins]
        count = np.bincount(row, weight, num_proxies)
        rank[:, b] = np.bincount(row, weight * above[b, code[column]], num_proxies) / count
        mean_accuracy[:, b] = np.bincount(row, weight * accuracy[column], num_proxies) / count
        num_tied[:, b] = count
        first = np.full(num_proxies, np.iinfo(np.int64).max)
        np.minimum.at(first, row, names[column])
        arch[:, b] = first
    return Picks(rank, mean_accuracy, arch, num_tied, ends.astype(np.int64), np.empty(0, np.int64))
