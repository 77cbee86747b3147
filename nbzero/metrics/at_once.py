"""Metrics on many resamples at once, the same values as one by one.

What depends on the archs alone is worked out first. Then a function of `counts` (R, N), how often each resample holds each arch, gives (R,)
values. The arrays are those that the metric itself accepts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.metrics.arrays import Floats, Ints, codes, stable_order
from nbzero.metrics.correlations import kendall_tau, pearson, spearman_rho
from nbzero.metrics.top import best_rank_at_k, precision_at_top_k

MAX_PAIRWISE = 1024  # archs of whose resamples Kendall's tau is counted from all pairs: some 60 times as fast at 70 archs, 4 times at 1,000
BLOCK = 1 << 17  # numbers of an array with a row per resample: 1 MB, which a core's cache holds
Judge = Callable[[Ints], Floats]


def _places(code: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """(R, N) for each arch how many of a resample are below it, and how many are not above it; `code` (N,) as of `codes`."""
    sizes = np.bincount(code)
    ends = np.cumsum(sizes)
    upto = np.zeros((len(counts), len(code) + 1), np.int64)
    np.cumsum(np.take(counts, stable_order(code), axis=1), axis=1, out=upto[:, 1:])
    return np.take(upto, (ends - sizes)[code], axis=1), np.take(upto, ends[code], axis=1)


def _pearson_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Judge:
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


def _spearman_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Judge:
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


def _kendall_of(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Judge:
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


def _best_rank_of(scores: npt.NDArray[Any], accuracy: npt.NDArray[Any], k: int) -> Judge:
    num, best_first = len(scores), stable_order(codes(accuracy))[::-1]
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


def _precision_of(scores: npt.NDArray[Any], accuracy: npt.NDArray[Any], fraction: float) -> Judge:
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


AT_ONCE: dict[Callable[..., float], Callable[..., Judge]] = {
    pearson: _pearson_of,
    spearman_rho: _spearman_of,
    kendall_tau: _kendall_of,
    best_rank_at_k: _best_rank_of,
    precision_at_top_k: _precision_of,
}
