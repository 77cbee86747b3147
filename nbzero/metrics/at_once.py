"""Metrics on many resamples at once: the same values as one by one.

What depends on the archs alone is worked out first, from arrays that the metric itself accepts. Then a
function of `counts` (R, N), how often each resample holds each arch, gives (R,) values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.metrics.arrays import Floats, Ints, codes, stable_order
from nbzero.metrics.correlations import kendall_tau, pearson, spearman_rho
from nbzero.metrics.top import best_rank_at_k, nearest_count, precision_at_top_k

# Archs up to which Kendall's tau of resamples is counted from all pairs. That is some 60 times as fast at 70
# archs, and 4 times at 1,000.
MAX_PAIRWISE = 1024
# Numbers of an array with a row per resample: 1 MB, which a core's cache holds.
BLOCK = 1 << 17

Judge = Callable[[Ints], Floats]


def is_counted_at_once(metric: Callable[..., float], num_archs: int) -> bool:
    """Whether `resampled_at_once` knows a metric and is faster than calling it resample by resample."""
    return metric in AT_ONCE and (metric is not kendall_tau or num_archs <= MAX_PAIRWISE)


def resampled_at_once(
    metric: Callable[..., float],
    arrays: Sequence[npt.NDArray[Any]],
    options: Mapping[str, Any],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """(resamples,) a metric of AT_ONCE on each resample, NaN where it is undefined; errors as the metric.

    The resamples are those that `rng` draws one after the other.
    """
    metric(*arrays, **options)  # for its errors
    judge = AT_ONCE[metric](*arrays, **options)
    num = len(arrays[0])
    size = max(1, BLOCK // num)
    values = np.empty(resamples)
    for start in range(0, resamples, size):
        rows = rng.integers(0, num, (min(size, resamples - start), num))  # the same numbers as row by row
        numbered = rows + num * np.arange(len(rows))[:, None]
        counts = np.bincount(numbered.ravel(), minlength=rows.size).reshape(rows.shape)
        with np.errstate(all="ignore"):  # 0 / 0 where it is undefined
            values[start : start + size] = judge(counts)
    return values


def _places(code: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """(R, N) for each arch how many of a resample are below it, and how many are not above it.

    `code` (N,) is as of `codes`.
    """
    sizes = np.bincount(code)
    ends = np.cumsum(sizes)
    upto = np.zeros((len(counts), len(code) + 1), np.int64)
    np.cumsum(np.take(counts, stable_order(code), axis=1), axis=1, out=upto[:, 1:])
    return np.take(upto, (ends - sizes)[code], axis=1), np.take(upto, ends[code], axis=1)


def _pearson_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Judge:
    usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    x, y = x[usable], y[usable]

    def judge(counts: Ints) -> Floats:
        counts = np.take(counts, usable, axis=1)
        x_part, x_differs = _standardised(x, counts)
        y_part, y_differs = _standardised(y, counts)
        correlation: Floats = (counts * x_part * y_part).sum(axis=1)  # no @: BLAS may start threads
        return np.where(x_differs & y_differs, np.clip(correlation, -1, 1), np.nan)

    return judge


def _standardised(values: npt.NDArray[Any], counts: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(R, N) the values about their mean, of length 1, and whether they differ (R,): over each resample."""
    there = counts > 0
    num = counts.sum(axis=1, keepdims=True)
    low = np.where(there, values, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(there, values, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    largest = np.maximum(-low, high)
    scaled = np.where(there, values / largest, 0)
    mean = (counts * scaled).sum(axis=1, keepdims=True) / num
    farthest = np.maximum(mean - low / largest, high / largest - mean)
    centred = np.where(there, scaled - mean, 0) / farthest
    length = np.sqrt((counts * centred * centred).sum(axis=1, keepdims=True))
    return centred / length, (low < high)[:, 0]


def _spearman_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Judge:
    x_code, y_code = codes(x), codes(y)

    def judge(counts: Ints) -> Floats:
        x_ranks, y_ranks = _centred_ranks(x_code, counts), _centred_ranks(y_code, counts)
        # Sums of whole numbers, so exact.
        both = (counts * x_ranks * y_ranks).sum(axis=1).astype(np.float64)
        of_x = (counts * x_ranks * x_ranks).sum(axis=1).astype(np.float64)
        of_y = (counts * y_ranks * y_ranks).sum(axis=1).astype(np.float64)
        correlation: Floats = both / np.sqrt(of_x * of_y)
        return np.clip(correlation, -1, 1)

    return judge


def _centred_ranks(code: Ints, counts: Ints) -> Ints:
    """(R, N) twice the mean ranks in each resample, less their mean."""
    below, upto = _places(code, counts)
    return below + upto - len(code)


def _kendall_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Judge:
    """Sums over pairs of archs, the same to the last digit.

    They are whole numbers that float32 (N at most) and float64 (N^2) hold.
    """
    x_code, y_code = codes(x), codes(y)
    above = np.sign(x_code[:, None] - x_code).astype(np.float32)
    right = np.sign(y_code[:, None] - y_code).astype(np.float32)
    agree = above * right

    def judge(counts: Ints) -> Floats:
        ahead = ((counts.astype(np.float32) @ agree).astype(np.float64) * counts).sum(axis=1)
        correlation: Floats = ahead / np.sqrt(_untied_pairs(x_code, counts) * _untied_pairs(y_code, counts))
        return np.clip(correlation, -1, 1)

    return judge


def _untied_pairs(code: Ints, counts: Ints) -> Floats:
    """(R,) ordered pairs of a resample's archs whose codes differ."""
    below, upto = _places(code, counts)
    untied: Ints = (counts * (len(code) - upto + below)).sum(axis=1)
    return untied.astype(np.float64)


def _best_rank_of(scores: npt.NDArray[Any], accuracy: npt.NDArray[Any], k: int) -> Judge:
    num = len(scores)
    best_first = stable_order(codes(accuracy))[::-1]
    score_code, true_code = codes(scores)[best_first], codes(accuracy)[best_first]

    def judge(counts: Ints) -> Floats:
        counts = np.take(counts, best_first, axis=1)
        below, upto = _places(score_code, counts)
        above = num - upto
        true_rank = num - _places(true_code, counts)[1]
        sure = num - below <= k
        tied = (above < k) & ~sure  # for the last of the k places
        best_sure = np.where(sure & (counts > 0), true_rank, num).min(axis=1, keepdims=True)
        tied_upto = np.cumsum(counts * tied, axis=1)  # the tied ones down to each arch
        places = np.where(tied, k - above, 0).max(axis=1, keepdims=True)
        none = _chance_of_none(tied_upto, places)
        first = np.insert(none, 0, 1.0, axis=1)[:, :-1] - none  # an arch is the best of those with a place
        best: Floats = (first * np.minimum(true_rank, best_sure)).sum(axis=1) + none[:, -1] * best_sure[:, 0]
        return best / num

    return judge


def _chance_of_none(upto: Ints, places: Ints) -> Floats:
    """(R, N) the chance that none of the first upto (R, N) tied archs gets one of so many places (R, 1).

    Of the first i of t tied ones none gets one of p places with (t - p)/t, then times (t - p - 1)/(t - 1), ..
    """
    num_tied = upto[:, -1:]
    i = np.arange(num_tied.max())
    factors = np.maximum(num_tied - places - i, 0) / np.maximum(num_tied - i, 1)
    none = np.insert(np.cumprod(factors, axis=1), 0, 1.0, axis=1)
    chance: Floats = np.take_along_axis(none, upto, axis=1)
    return chance


def _precision_of(scores: npt.NDArray[Any], accuracy: npt.NDArray[Any], fraction: float) -> Judge:
    num = len(scores)
    k = nearest_count(fraction, num)
    ordered = codes(scores), codes(accuracy)

    def judge(counts: Ints) -> Floats:
        shared: Floats = counts.astype(np.float64)
        for code in ordered:
            below, upto = _places(code, counts)
            in_top = (k - num + upto) / np.maximum(upto - below, 1)  # the share of the tied ones
            shared *= np.clip(in_top, 0, 1)
        found: Floats = shared.sum(axis=1) / k
        return found

    return judge


AT_ONCE: dict[Callable[..., float], Callable[..., Judge]] = {
    pearson: _pearson_of,
    spearman_rho: _spearman_of,
    kendall_tau: _kendall_of,
    best_rank_at_k: _best_rank_of,
    precision_at_top_k: _precision_of,
}
