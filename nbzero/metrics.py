"""Metrics: arrays in, one number out. How well a score orders archs by accuracy, and what it picks under a budget.

Everywhere a higher score is better (the caller applies each proxy's direction), N archs, P proxies, B budgets. The true rank of an arch in a
pool is the number of archs of the pool that are strictly more accurate, so 0 is best. A score of NaN (absent) ranks below every number; -inf is
a number. Where scores tie, the result is the mean over the ways to break the tie, so that the order of the archs never matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, count_of, whole

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SPACINGS = ("even", "quantile")
MAX_LIMITS = 10_000  # a larger number is a limit that was meant
MAX_PAIRWISE = 1024  # archs of whose resamples Kendall's tau is counted from all pairs: some 60 times as fast at 70 archs, 4 times at 1,000
BLOCK = 1 << 17  # numbers of an array with a row per resample: 1 MB, which a core's cache holds
NORMALISATIONS = ("total", "pool")


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Pearson's linear correlation, in [-1, 1].

        r = sum (x - mean x)(y - mean y) / sqrt(sum (x - mean x)^2 sum (y - mean y)^2)

    Args:
        x, y: (N,); each is scaled by its largest magnitude first, so that 1e300 neither overflows nor 1e-300 vanishes.

    Returns:
        nan where it is undefined: fewer than two usable pairs, or x or y constant over them. A pair with a NaN or an infinity is left out,
        since neither has a distance to the others; `kendall_tau` and `spearman_rho` rank them.

    Raises:
        UsageError: no archs, or arrays that are not (N,) of one length.
    """
    x, y = _vectors(x=x, y=y)
    usable = np.isfinite(x) & np.isfinite(y)
    return _pearson(x[usable], y[usable])


def kendall_tau(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Kendall's rank correlation tau-b, in [-1, 1], in O(N log N).

        tau_b = (concordant - discordant pairs) / sqrt((pairs not tied in x)(pairs not tied in y))

    Args:
        x, y: (N,); a NaN ranks below every number, tied with every other NaN; infinities are numbers.

    Returns:
        nan where it is undefined: fewer than two archs, or x or y constant.

    Raises:
        UsageError: no archs, or arrays that are not (N,) of one length.

    Source: the count of Knight, J. Am. Stat. Assoc. 61 (1966), with a radix instead of a merge sort.

    >>> kendall_tau([1, 2, 3, 4], [1, 2, 4, 3])
    0.6666666666666666
    """
    x, y = _vectors(x=x, y=y)
    num = len(x)
    if num < 2:
        return math.nan
    x_code, y_code = codes(x), codes(y)
    by_y = _stable_order(y_code)
    by_both = by_y[_stable_order(x_code[by_y])]  # by x, then by y: pairs tied in x are in order
    x_code, y_code = x_code[by_both], y_code[by_both]
    places = _stable_order(
        y_code
    )  # by y, then by place: pairs tied in y are in order. An order has as many inversions as its inverse
    x_ties, y_ties = _tied_pairs(np.bincount(x_code)), _tied_pairs(np.bincount(y_code))
    ends = np.flatnonzero((x_code[1:] != x_code[:-1]) | (y_code[1:] != y_code[:-1]))
    both_ties = _tied_pairs(np.diff(ends, prepend=-1, append=num - 1))
    pairs = num * (num - 1) // 2
    if pairs in (x_ties, y_ties):
        return math.nan
    tau = (pairs - x_ties - y_ties + both_ties - 2 * _inversions(places)) / math.sqrt(
        (pairs - x_ties) * (pairs - y_ties)
    )
    return max(-1.0, min(1.0, tau))


def spearman_rho(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Spearman's rank correlation, in [-1, 1]: Pearson's of the `ranks`.

    Args:
        x, y: (N,); a NaN ranks below every number, tied with every other NaN; infinities are numbers.

    Returns:
        nan where it is undefined: fewer than two archs, or x or y constant.

    Raises:
        UsageError: no archs, or arrays that are not (N,) of one length.
    """
    x, y = _vectors(x=x, y=y)
    return _pearson(_average_ranks(x), _average_ranks(y))


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
    scores, accuracy, cost = _vectors(scores=scores, accuracy=accuracy, cost=cost)
    _no_nan(accuracy=accuracy)
    found = picks(scores[None], accuracy, *within(cost, budget_limits(cost, budgets, spacing)))
    return float(mean_rank(found, len(scores), normalise)[0])


def best_rank_at_k(scores: npt.ArrayLike, accuracy: npt.ArrayLike, k: int) -> float:
    """BR@K: the smallest true rank among the k archs with the highest scores, over N. 0 where they hold the most accurate arch.

    Where scores tie for the last places, it is the mean over all ways to fill them.

    Args:
        scores, accuracy: (N,); accuracy without NaN.
        k: from 1 to N.

    Raises:
        UsageError: no archs, wrong lengths, NaN in accuracy, another k.

    >>> best_rank_at_k([3, 2, 1, 0], [0.7, 0.8, 0.9, 0.6], k=2)
    0.25
    """
    scores, accuracy = _judged(scores, accuracy)
    num = len(scores)
    if isinstance(k, bool) or not hasattr(k, "__index__") or not 1 <= k <= num:
        raise UsageError(f"k {k!r}; it is a whole number from 1 to the {count_of(num, 'arch')} of the pool")
    ranks_N = true_ranks(accuracy)
    sure, tied, places = _top(scores, int(k))
    best_sure = int(ranks_N[sure].min()) if len(sure) else num
    ordered = np.minimum(np.sort(ranks_N[tied]), best_sure)
    # chance that the i-th best of t tied archs is the best one of `places` drawn: places/t, then times (t - i - places + 1)/(t - i), ..
    i = np.arange(1, len(ordered))
    chance = np.cumprod(
        np.concatenate(
            [[places / len(ordered)], np.maximum(len(ordered) - i - places + 1, 0) / (len(ordered) - i)]
        )
    )
    return float((chance * ordered).sum()) / num


def precision_at_top_k(scores: npt.ArrayLike, accuracy: npt.ArrayLike, fraction: float) -> float:
    """P@topK: the share of the most accurate archs that are among the best-scoring ones, in [0, 1].

        P = |top(scores, K) & top(accuracy, K)| / K,   K = the nearest whole number to fraction * N, at least 1

    Where scores or accuracies tie for the last places, it is the mean over all ways to fill them.

    Args:
        scores, accuracy: (N,); accuracy without NaN.
        fraction: in (0, 1]; 0.05 is the top 5 %.

    Raises:
        UsageError: no archs, wrong lengths, NaN in accuracy, another fraction.

    >>> precision_at_top_k([4, 3, 2, 1], [0.9, 0.6, 0.8, 0.7], fraction=0.5)
    0.5
    """
    scores, accuracy = _judged(scores, accuracy)
    if isinstance(fraction, (bool, str)) or not hasattr(fraction, "__float__") or not 0 < fraction <= 1:
        raise UsageError(f"fraction {fraction!r}; it is above 0 and at most 1: 0.05 is the top 5 %")
    k = max(1, math.floor(fraction * len(scores) + 0.5))
    chances = []
    for values in (scores, accuracy):
        sure, tied, places = _top(values, k)
        chance = np.zeros(len(values))
        chance[sure], chance[tied] = 1, places / len(tied)
        chances.append(chance)
    return float((chances[0] * chances[1]).sum()) / k


def true_ranks(accuracy: npt.ArrayLike) -> Ints:
    """(N,) for each arch the number of archs that are strictly more accurate: 0 = best, ties share the best of their places.

    >>> true_ranks([0.7, 0.9, 0.9, 0.8]).tolist()
    [3, 0, 0, 2]
    """
    (values,) = _vectors(accuracy=accuracy)
    _no_nan(accuracy=values)
    code = codes(values)
    upto = np.cumsum(np.bincount(code))
    ranked: Ints = len(values) - upto[code]
    return ranked


def codes(values: npt.ArrayLike) -> Ints:
    """(N,) whole numbers from 0 without gaps that order the archs as the values do, equal for equal values; NaN lowest.

    Every metric here but `pearson` gives the same for `codes(scores)` as for the scores, and is faster.

    >>> codes([0.5, float("nan"), 0.1, 0.5]).tolist()
    [2, 0, 1, 2]
    """
    array = np.asarray(values)
    if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() < 4 * len(array):
        there = np.bincount(array) > 0
        counted: Ints = np.asarray(array, np.int64) if there.all() else (np.cumsum(there) - 1)[array]
        return counted
    array = array if array.dtype.kind in "iu" else np.asarray(array, np.float64)
    order = np.argsort(array)
    absent = int(np.isnan(array).sum())
    order = np.roll(order, absent)  # numpy sorts them last
    ordered = array[order]
    step = ordered[1:] != ordered[:-1]
    step[: max(absent - 1, 0)] = False
    code = np.empty(len(array), np.int64)
    code[order] = np.concatenate([np.zeros(min(1, len(array)), np.int64), np.cumsum(step)])
    return code


def small_codes(scores: Floats) -> npt.NDArray[Any]:
    """(P, N) the `codes` of each row, in 16 bits where N fits, which `picks` reads four times as fast as float64."""
    return np.array([codes(row) for row in scores]).astype(
        np.int16 if scores.shape[1] < 1 << 15 else np.int32
    )


def ranks(values: npt.ArrayLike) -> Floats:
    """Ranks from 1 for the lowest value, ties sharing the mean of their places; NaN values share the lowest places. (N,), or (P, N) row by row.

    >>> ranks([0.5, 0.1, 0.5]).tolist()
    [2.5, 1.0, 2.5]
    """
    table = np.asarray(values, np.float64)
    if table.ndim not in (1, 2) or not table.size:
        raise UsageError(f"values of shape {table.shape}; they are (N,) or (P, N) with at least one arch")
    return _average_ranks(table) if table.ndim == 1 else np.array([_average_ranks(row) for row in table])


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
    values = np.asarray(_vectors(cost=cost)[0], np.float64)
    _no_nan(cost=values)
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
    (cost,) = _vectors(cost=cost)
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
    return _picked(np.take(table, order, axis=1), code, accuracy[order], order, sizes, None)._replace(
        best=best
    )


def mean_rank(found: Picks, num_archs: int, normalise: str = "total") -> Floats:
    """(P,) mBR of `picks`: the mean over budgets of the rank, over all `num_archs` candidates ("total") or over the pool's own size ("pool")."""
    if normalise not in NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(NORMALISATIONS)}")
    over = found.pool_size if normalise == "pool" else num_archs
    return np.asarray((found.rank / over).mean(axis=1), np.float64)


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
    vectors = _vectors(**{f"array {i}": array for i, array in enumerate(arrays)})
    check_bootstrap(resamples, 0.5, seed)
    if isinstance(metric, partial) and not metric.args:
        options = {**metric.keywords, **options}
        metric = metric.func
    rng, num = np.random.default_rng(seed), len(vectors[0])
    if metric not in _AT_ONCE or (metric is kendall_tau and num > MAX_PAIRWISE):
        drawn = (rng.integers(0, num, num) for _ in range(resamples))
        return np.array([metric(*(vector[rows] for vector in vectors), **options) for rows in drawn])
    metric(*vectors, **options)  # for its errors
    judge = _AT_ONCE[metric](*vectors, **options)
    values, size = np.empty(resamples), max(1, BLOCK // num)
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
    (values,) = _vectors(cost=cost)
    _no_nan(cost=values)
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
    accuracy, cost = _vectors(accuracy=accuracy, cost=cost)
    if table.ndim != 2 or table.shape[1] != len(cost):
        raise UsageError(
            f"scores of shape {table.shape} with {count_of(len(cost), 'cost')}; they are (P, N) and (N,)"
        )
    _no_nan(accuracy=accuracy)
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
        found = _picked(
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
    vectors = _vectors(accuracies=table[0], **{f"array {i}": array for i, array in enumerate(arrays)})[1:]
    found = []
    for one in range(len(table)):
        for other in range(len(table)):
            both = ~np.isnan(table[one]) & ~np.isnan(table[other])
            if one != other and both.any():
                found.append(
                    metric(
                        table[one][both], table[other][both], *(vector[both] for vector in vectors), **options
                    )
                )
    return float(np.mean(found)) if found else math.nan


def _picked(
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


def is_rounding(values: npt.ArrayLike) -> bool:
    """Whether finite values differ, but by no more than float64 rounds: 1e-12 of the largest. Their ranks mean nothing.

    >>> is_rounding([0.3, 0.1 + 0.2]), is_rounding([0.3, 0.3]), is_rounding([0.3, 0.31])
    (True, False, False)
    """
    array = np.asarray(values, np.float64)
    finite = array[np.isfinite(array)]
    largest = float(np.abs(finite).max(initial=0.0))
    return largest > 0 and 0 < float(np.ptp(finite / largest)) <= 1e-12


def _vectors(**arrays: npt.ArrayLike) -> list[npt.NDArray[Any]]:
    """The arrays as int64 where they are whole numbers, else float64; UsageError unless they are (N,) of one length N >= 1."""
    vectors = {name: _numbers(array) for name, array in arrays.items()}
    shapes = {name: vector.shape for name, vector in vectors.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1:
        raise UsageError(f"arrays of shapes {shapes}; they are (N,), an entry per arch, all of one length")
    if next(iter(shapes.values())) == (0,):
        raise UsageError(
            f"no archs: {', '.join(shapes)} {'is' if len(shapes) == 1 else 'are'} empty; a pool has at least one arch"
        )
    return list(vectors.values())


def _numbers(array: npt.ArrayLike) -> npt.NDArray[Any]:
    given = np.asarray(array)
    return np.asarray(given, np.int64 if given.dtype.kind == "i" else np.float64)


def _no_nan(**arrays: Floats) -> None:
    for name, values in arrays.items():
        absent = np.isnan(values)
        if absent.any():
            raise UsageError(
                f"{name}: {int(absent.sum())} of {len(values)} are NaN, first in row {int(absent.argmax())}; leave those archs out first"
            )


def _judged(scores: npt.ArrayLike, accuracy: npt.ArrayLike) -> tuple[Floats, Floats]:
    scores, accuracy = _vectors(scores=scores, accuracy=accuracy)
    _no_nan(accuracy=accuracy)
    return scores, accuracy


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2:
        return math.nan
    parts = []
    for values in (x, y):
        if values.min() == values.max():
            return math.nan
        scaled = values / np.abs(values).max()
        centred = scaled - scaled.mean()
        centred /= np.abs(centred).max()
        parts.append(centred / math.sqrt((centred * centred).sum()))
    return max(-1.0, min(1.0, float((parts[0] * parts[1]).sum())))  # no @: BLAS may start threads


def _average_ranks(values: Floats) -> Floats:
    if not len(values):
        return np.zeros(0)
    code = codes(values)
    counts = np.bincount(code)
    mean_place: Floats = np.cumsum(counts) - (counts - 1) / 2
    return mean_place[code]


def _tied_pairs(counts: Ints) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _stable_order(code: Ints) -> Ints:
    """The positions by ascending code, equal ones in their order; 16 bits where they do, which numpy sorts by radix, ten times as fast."""
    return np.argsort(code.astype(np.uint16) if code.max() < 1 << 16 else code, kind="stable")


def _inversions(order: Ints) -> int:
    """Pairs of a permutation of 0 .. n-1 that stand in the wrong order.

    Radix sort from the highest 6 bits down. A part is the values that share the bits done so far, and, padded to a power of two, always as
    long as the values its other bits can make. In each part the pairs that a pass puts right are those in different buckets: counted one by
    one within chunks of 64, and by cumulated histograms between chunks. 32 N comparisons of bytes a pass, log N / 6 passes.
    """
    bits = (len(order) - 1).bit_length()
    values = np.concatenate([order, np.arange(len(order), 1 << bits)])
    found = 0
    while bits:
        low = max(0, bits - 6)
        size, num_buckets = 1 << min(bits, 6), 1 << (bits - low)
        bucket = (values >> low) & (num_buckets - 1)
        places = np.ascontiguousarray(bucket.astype(np.uint8).reshape(-1, size).T)  # a column per chunk
        found += sum(int(np.count_nonzero(places[:-apart] > places[apart:])) for apart in range(1, size))
        if not low:
            break
        num_chunks = places.shape[1]
        counts = np.bincount(
            np.repeat(np.arange(num_chunks), size) * num_buckets + bucket, minlength=num_chunks * num_buckets
        )
        counts = counts.reshape(-1, 1 << low, num_buckets)  # (parts, chunks of the part, buckets)
        earlier = counts.cumsum(axis=1) - counts
        higher = earlier.sum(axis=2, keepdims=True) - earlier.cumsum(axis=2)
        found += int((counts * higher).sum())
        values, bits = values[_stable_order(values >> low)], low
    return found


def _top(values: Floats, k: int) -> tuple[Ints, Ints, int]:
    """Positions surely among the k highest, those tied for the last places, and how many places they share."""
    code = codes(values)
    above = len(code) - np.cumsum(np.bincount(code))  # by code: values that are higher
    last = int(np.argmax(above < k))  # the lowest code of which some are among the k
    return np.flatnonzero(code > last), np.flatnonzero(code == last), k - int(above[last])


def check_bootstrap(resamples: int, level: float, seed: int, least: int = 1) -> None:
    """UsageError unless there are at least so many resamples, a level between 0 and 1, and a seed from 0."""
    whole("resamples", resamples, least)
    if isinstance(level, (bool, str)) or not hasattr(level, "__float__") or not 0 < level < 1:
        raise UsageError(f"level {level!r}; it is between 0 and 1: 0.95 for a 95 % interval")
    whole("seed", seed)


# The metrics on many resamples at once, of arrays that the metric itself accepts: what depends on the archs alone is worked out first, then a
# function of `counts` (R, N), how often each resample holds each arch, gives (R,) values.


def _places(code: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """(R, N) for each arch how many of a resample are below it, and how many are not above it; `code` (N,) as of `codes`."""
    sizes = np.bincount(code)
    ends = np.cumsum(sizes)
    upto = np.zeros((len(counts), len(code) + 1), np.int64)
    np.cumsum(np.take(counts, _stable_order(code), axis=1), axis=1, out=upto[:, 1:])
    return np.take(upto, (ends - sizes)[code], axis=1), np.take(upto, ends[code], axis=1)


def _pearson_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> _Judge:
    usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    vectors = x[usable], y[usable]

    def judge(counts: Ints) -> Floats:
        counts = np.take(counts, usable, axis=1)
        there, num = counts > 0, counts.sum(axis=1, keepdims=True)
        parts, differ = [], np.ones(len(counts), bool)
        for values in vectors:
            low = np.where(there, values, np.inf).min(axis=1, keepdims=True, initial=np.inf)
            high = np.where(there, values, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
            largest = np.maximum(-low, high)
            scaled = np.where(there, values / largest, 0)
            mean = (counts * scaled).sum(axis=1, keepdims=True) / num
            centred = np.where(there, scaled - mean, 0) / np.maximum(
                mean - low / largest, high / largest - mean
            )
            parts.append(centred / np.sqrt((counts * centred * centred).sum(axis=1, keepdims=True)))
            differ &= (low < high)[:, 0]
        correlation: Floats = (counts * parts[0] * parts[1]).sum(axis=1)  # no @: BLAS may start threads
        return np.where(differ, np.clip(correlation, -1, 1), np.nan)

    return judge


def _spearman_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> _Judge:
    x_code, y_code = codes(x), codes(y)

    def judge(counts: Ints) -> Floats:
        one, other = (
            sum(_places(code, counts)) - len(code) for code in (x_code, y_code)
        )  # twice the ranks, centred
        both, of_one, of_other = (
            (counts * a * b).sum(axis=1).astype(np.float64)
            for a, b in ((one, other), (one, one), (other, other))
        )
        correlation: Floats = both / np.sqrt(of_one * of_other)
        return np.clip(correlation, -1, 1)

    return judge


def _kendall_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> _Judge:
    """Sums over pairs of archs, which are whole numbers that float32 (N at most) and float64 (N^2) hold, so the same to the last digit."""
    x_code, y_code = codes(x), codes(y)
    above, right = (np.sign(code[:, None] - code).astype(np.float32) for code in (x_code, y_code))
    agree = above * right

    def judge(counts: Ints) -> Floats:
        ahead = ((counts.astype(np.float32) @ agree).astype(np.float64) * counts).sum(axis=1)
        untied = []
        for code in (x_code, y_code):
            below, upto = _places(code, counts)
            untied.append((counts * (len(code) - upto + below)).sum(axis=1).astype(np.float64))
        correlation: Floats = ahead / np.sqrt(untied[0] * untied[1])
        return np.clip(correlation, -1, 1)

    return judge


def _best_rank_of(scores: npt.NDArray[Any], accuracy: npt.NDArray[Any], k: int) -> _Judge:
    num, best_first = len(scores), _stable_order(codes(accuracy))[::-1]
    code, true = codes(scores)[best_first], codes(accuracy)[best_first]

    def judge(counts: Ints) -> Floats:
        counts = np.take(counts, best_first, axis=1)
        below, upto = _places(code, counts)
        above, rank = num - upto, num - _places(true, counts)[1]
        sure, tied = num - below <= k, (above < k) & (k < num - below)  # tied: for the last of the k places
        best_sure = np.where(sure & (counts > 0), rank, num).min(axis=1, keepdims=True)
        better = np.cumsum(
            counts * tied, axis=1
        )  # the tied ones down to each arch, of `num_tied`, for so many places
        num_tied, places = better[:, -1:], np.where(tied, k - above, 0).max(axis=1, keepdims=True)
        # chance that none of the first i of t tied ones gets one of p places: (t - p)/t, then times (t - p - 1)/(t - 1), ..
        i = np.arange(num_tied.max())
        none = np.cumprod(np.maximum(num_tied - places - i, 0) / np.maximum(num_tied - i, 1), axis=1)
        none = np.take_along_axis(np.insert(none, 0, 1.0, axis=1), better, axis=1)
        first = (
            np.insert(none, 0, 1.0, axis=1)[:, :-1] - none
        )  # chance that an arch is the best of those that get one
        best: Floats = (first * np.minimum(rank, best_sure)).sum(axis=1) + none[:, -1] * best_sure[:, 0]
        return best / num

    return judge


def _precision_of(scores: npt.NDArray[Any], accuracy: npt.NDArray[Any], fraction: float) -> _Judge:
    num = len(scores)
    k = max(1, math.floor(fraction * num + 0.5))
    ordered = codes(scores), codes(accuracy)

    def judge(counts: Ints) -> Floats:
        shared: Floats = counts.astype(np.float64)
        for code in ordered:
            below, upto = _places(code, counts)
            shared *= np.clip(
                (k - num + upto) / np.maximum(upto - below, 1), 0, 1
            )  # the share of the tied ones that are in the top
        found: Floats = shared.sum(axis=1) / k
        return found

    return judge


_Judge = Callable[[Ints], Floats]
_AT_ONCE: dict[Callable[..., float], Callable[..., _Judge]] = {
    pearson: _pearson_of,
    spearman_rho: _spearman_of,
    kendall_tau: _kendall_of,
    best_rank_at_k: _best_rank_of,
    precision_at_top_k: _precision_of,
}
