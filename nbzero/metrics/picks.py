"""What a score picks under a series of budgets, and how good that is: mBR, the mean best ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, count_of
from nbzero.metrics.arrays import Floats, Ints, codes, refuse_nan, vectors

SPACINGS = ("even", "quantile")
NORMALISATIONS = ("total", "pool")
MAX_LIMITS = 10_000  # a larger number is a limit that was meant
_BUDGETS = "it is a number of limits from 1, or a list of limits"


def mbr(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    cost: npt.ArrayLike,
    budgets: int | Sequence[float] = 5,
    normalise: str = "total",
    spacing: str = "quantile",
) -> float:
    """Mean best ranking: the true rank of what a score picks under a series of budgets. 0 is the oracle.

        mBR = 1/M sum_i r_i / N            normalise="total", the paper's
        mBR = 1/M sum_i r_i / N_i          normalise="pool"

    Under limit i of M the pool is every arch with cost <= limit: N_i archs. The pick is its best-scoring
    arch, and r_i that arch's true rank in that pool. Of several tied winners it is the mean of their ranks.
    So scores that are all equal, or all NaN, give a random pick's mBR.

    Args:
        scores, accuracy, cost: (N,); accuracy and cost without NaN.
        budgets: how many limits (`budget_limits`), or the limits themselves.
        spacing: "quantile" or, as in the paper, "even"; of a number of budgets.

    Raises:
        NothingFoundError: a limit below every cost.
        UsageError: no archs, wrong lengths, NaN in accuracy or cost, another `normalise`, `spacing` or
            `budgets`.

    Source: NAS-Bench-Zero, OpenReview hP-SILoczR.

    The picks here are the best of one, then the worst of three: ranks 0 and 2.

    >>> mbr([3, 2, 1], [0.7, 0.9, 0.8], [30, 20, 10], budgets=[10, 30])
    0.3333333333333333
    """
    scores, accuracy, cost = vectors(scores=scores, accuracy=accuracy, cost=cost)
    refuse_nan(accuracy=accuracy)
    order, sizes = within(cost, budget_limits(cost, budgets, spacing))
    found = picks(scores[None], accuracy, order, sizes)
    return float(mean_rank(found, len(scores), normalise)[0])


def budget_limits(
    cost: npt.ArrayLike, budgets: int | Sequence[float] = 5, spacing: str = "quantile"
) -> Floats:
    """The limits (B,) on a cost, ascending. An arch is within a limit where cost <= limit.

    A number M of limits is laid by its spacing. The last is the largest cost.

        quantile    the k-th is the smallest that admits k/M of the archs, more where costs tie
        even        the k-th is min + k/M (max - min), as in the paper of `mbr`

    Args:
        cost: (N,) without NaN.
        budgets: a number M of limits, or limits, which are returned sorted.
        spacing: of a number of limits.

    Raises:
        UsageError: no archs, NaN in cost, no limit, a limit that is NaN, another spacing.

    >>> budget_limits([0, 10, 20, 100], 2).tolist()
    [10.0, 100.0]
    >>> budget_limits([0, 10, 20, 100], 2, "even").tolist()
    [50.0, 100.0]
    """
    (values,) = vectors(cost=cost)
    values = np.asarray(values, np.float64)
    refuse_nan(cost=values)
    if spacing not in SPACINGS:
        allowed = f"{', '.join(SPACINGS)}, and limits of your own go in budgets=[..]"
        raise UsageError(f"spacing {spacing!r}; it is one of {allowed}")
    if not is_number_of_limits(budgets):
        return np.array(given_limits(budgets))
    num = int(budgets)  # type: ignore[arg-type]
    if spacing == "quantile":
        places = np.array(quantile_counts(len(values), num)) - 1
        by_rank: Floats = np.sort(values)[places]
        return by_rank
    low, high = values.min(), values.max()
    return np.append(low + np.arange(1, num) / num * (high - low), high)


def quantile_counts(num_archs: int, num_limits: int) -> list[int]:
    """How many archs each of M quantile limits admits where no costs tie: the k-th k/M of them, rounded up.

    >>> quantile_counts(10, 4)
    [3, 5, 8, 10]
    """
    return [-(-k * num_archs // num_limits) for k in range(1, num_limits + 1)]


def is_number_of_limits(budgets: Any) -> bool:
    """Whether budgets are a number, and not limits.

    Raises:
        UsageError: a number below 1, or one so large that a limit must be meant.
    """
    if not hasattr(budgets, "__index__") or isinstance(budgets, (bool, np.ndarray)):
        return False
    if int(budgets) < 1:
        raise UsageError(f"budgets {budgets!r}; {_BUDGETS}")
    if int(budgets) > MAX_LIMITS:
        instead = f"a single limit is a list or a decimal: {float(budgets):g}"
        raise UsageError(f"budgets {budgets!r} is a number of limits, at most {MAX_LIMITS:,}; {instead}")
    return True


def given_limits(budgets: Any) -> tuple[float, ...]:
    """Limits of the caller's, ascending; UsageError where they are no list of numbers, or one is NaN."""
    if isinstance(budgets, (bool, str, float, Mapping)) or not isinstance(budgets, Iterable):
        raise UsageError(f"budgets {budgets!r}; {_BUDGETS}")
    listed = list(budgets)
    if not listed or not all(map(_is_limit, listed)):
        raise UsageError(f"budgets {listed}; give at least one limit, none of them NaN")
    return tuple(sorted(map(float, listed)))


def _is_limit(value: Any) -> bool:
    is_number = hasattr(value, "__float__") and not isinstance(value, (bool, str))
    return is_number and not math.isnan(value)


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
    """Nested pools for `picks`.

    Returns:
        The archs by ascending cost (N,), and how many of them are within each ascending limit (B,).

    Raises:
        NothingFoundError: a limit below every cost, whose pool is empty.
    """
    (cost,) = vectors(cost=cost)
    limits = np.asarray(limits, np.float64)
    order = np.argsort(cost)
    sizes = np.searchsorted(cost[order], limits, side="right").astype(np.int64)
    empty = limits[sizes == 0]
    if len(empty):
        below = ", ".join(f"{limit:.10g}" for limit in empty)
        admit = count_of(len(sizes), "limit admits", "limits admit")
        smallest = f"the smallest cost is {cost.min():.10g}, of row {order[0]}"
        raise NothingFoundError(
            f"{len(empty)} of {admit} no arch: {below}; {smallest}; raise the limit, or leave it out"
        )
    return order, sizes


def picks(scores: npt.ArrayLike, accuracy: npt.ArrayLike, order: Ints, sizes: Ints) -> Picks:
    """What each proxy picks in nested pools, and how good it is there.

    Args:
        scores: (P, N), NaN below every number; or their `codes`.
        accuracy: (N,) without NaN.
        order, sizes: the b-th pool is the archs order[:sizes[b]]; sizes ascend from at least 1 (`within`).

    Raises:
        UsageError: arrays that do not fit each other.
    """
    table, accuracy = np.asarray(scores), np.asarray(accuracy, np.float64)
    if table.dtype.kind != "i":
        table = np.asarray(table, np.float64)
    if table.ndim != 2 or table.shape[1:] != accuracy.shape:
        given = count_of(len(accuracy), "accuracy", "accuracies")
        raise UsageError(f"scores of shape {table.shape} with {given}; they are (P, N) and (N,)")
    order = order[: sizes[-1]]
    code = codes(accuracy)[order]
    found = picks_in_order(np.take(table, order, axis=1), code, accuracy[order], order, sizes)
    return found._replace(best=_most_accurate(code, order, sizes))


def _most_accurate(code: Ints, order: Ints, sizes: Ints) -> Ints:
    """`Picks.best` of archs in the pools' order.

    Args:
        code: (n,) accuracy as whole numbers that are ordered alike.
        order: (n,) the archs' positions.
    """
    best = np.empty(len(sizes), np.int64)
    leader = -1
    for b, (start, stop) in enumerate(_segments(sizes)):
        if stop > start:
            part = code[start:stop]
            top = start + np.flatnonzero(part == part.max())
            first = int(top[np.argmin(order[top])])
            if leader < 0 or (code[first], -order[first]) > (code[leader], -order[leader]):
                leader = first
        best[b] = order[leader]
    return best


def mean_rank(found: Picks, num_archs: int, normalise: str = "total") -> Floats:
    """(P,) mBR of `picks`: the mean over budgets of the rank.

    Args:
        num_archs: of the candidates.
        normalise: what a rank is divided by: all candidates ("total") or the pool's own size ("pool").

    Raises:
        UsageError: another `normalise`.
    """
    check_normalisation(normalise)
    over = found.pool_size if normalise == "pool" else num_archs
    return np.asarray((found.rank / over).mean(axis=1), np.float64)


def check_normalisation(normalise: str) -> None:
    """UsageError unless it is one of NORMALISATIONS."""
    if normalise not in NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(NORMALISATIONS)}")


def picks_in_order(
    table: npt.NDArray[Any],
    code: Ints,
    accuracy: Floats,
    names: Ints,
    sizes: Ints,
    copies: Ints | None = None,
) -> Picks:
    """`picks` of arrays that are in the pools' order already: the b-th pool is the first sizes[b] columns.

    Args:
        table: (P, n) scores, or codes that are ordered alike.
        code: (n,) accuracy as whole numbers that are ordered alike.
        names: (n,) the positions to give back.
        copies: (n,) how often each arch is in the pool; None: once.

    `best` is left empty.
    """
    num_proxies, num_pools = len(table), len(sizes)
    rows, columns, segments, highest_PB = _winners(table, sizes)
    values = table[rows, columns]
    weights = np.ones(len(rows)) if copies is None else copies[columns].astype(np.float64)
    upto_BC = _counts_upto(code, sizes, copies)
    pool_size = upto_BC[:, -1]
    above_BC = pool_size[:, None] - upto_BC  # archs of the pool that are strictly more accurate
    rank, mean_accuracy = np.empty((2, num_proxies, num_pools))
    num_tied, arch = np.empty((2, num_proxies, num_pools), np.int64)
    for b in range(num_pools):
        highest = highest_PB[rows, b]
        wins = (segments <= b) & ((values == highest) | (highest != highest))
        row, column, weight = rows[wins], columns[wins], weights[wins]
        count = np.bincount(row, weight, num_proxies)
        rank[:, b] = np.bincount(row, weight * above_BC[b, code[column]], num_proxies) / count
        mean_accuracy[:, b] = np.bincount(row, weight * accuracy[column], num_proxies) / count
        num_tied[:, b] = count
        first = np.full(num_proxies, np.iinfo(np.int64).max)
        np.minimum.at(first, row, names[column])
        arch[:, b] = first
    return Picks(rank, mean_accuracy, arch, num_tied, pool_size.astype(np.int64), np.empty(0, np.int64))


def _segments(sizes: Ints) -> Iterator[tuple[int, int]]:
    """Where each pool's archs begin that the pool before it lacks, and where they end."""
    ends = sizes.tolist()
    return zip([0, *ends[:-1]], ends, strict=True)


def _winners(table: npt.NDArray[Any], sizes: Ints) -> tuple[Ints, Ints, Ints, npt.NDArray[Any]]:
    """The best archs of every segment, and the highest score (P, B) of every pool.

    Only a segment's best archs can win in a pool, so every score is read twice however many pools there are.
    They are given by row of the table, by column and by segment.
    """
    rows_of, columns_of, segment_of = [], [], []
    highest_PB = np.empty((len(table), len(sizes)), table.dtype)
    for b, (start, stop) in enumerate(_segments(sizes)):
        if stop == start:
            highest_PB[:, b] = highest_PB[:, b - 1]
            continue
        part = table[:, start:stop]
        highest = np.fmax.reduce(part, axis=1)
        won = part == highest[:, None]
        lost = highest != highest  # nothing but NaN: all of them tie
        if lost.any():
            won[lost] = True
        rows, columns = np.divmod(np.flatnonzero(won), stop - start)
        rows_of.append(rows)
        columns_of.append(columns + start)
        segment_of.append(np.full(len(rows), b))
        highest_PB[:, b] = np.fmax(highest_PB[:, b - 1], highest) if b else highest
    return np.concatenate(rows_of), np.concatenate(columns_of), np.concatenate(segment_of), highest_PB


def _counts_upto(code: Ints, sizes: Ints, copies: Ints | None) -> Floats:
    """(B, codes) how many archs of each pool are not more accurate than each code."""
    num_codes = int(code.max()) + 1
    counts = np.empty((len(sizes), num_codes))
    for b, (start, stop) in enumerate(_segments(sizes)):
        weights = None if copies is None else copies[start:stop]
        counts[b] = np.bincount(code[start:stop], weights, num_codes)
    np.cumsum(counts, axis=0, out=counts)
    return np.cumsum(counts, axis=1)
