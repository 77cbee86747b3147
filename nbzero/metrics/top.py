"""How good the archs with the highest scores are: BR@K and P@topK."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, count_of
from nbzero.metrics.arrays import Floats, Ints, codes, refuse_nan, true_ranks, vectors


def best_rank_at_k(scores: npt.ArrayLike, accuracy: npt.ArrayLike, k: int) -> float:
    """BR@K: the smallest true rank among the k archs with the highest scores, over N.

    It is 0 where they hold the most accurate arch. Where scores tie for the last places, it is the mean over
    all ways to fill them.

    Args:
        scores, accuracy: (N,); accuracy without NaN.
        k: from 1 to N.

    Raises:
        UsageError: no archs, wrong lengths, NaN in accuracy, another k.

    >>> best_rank_at_k([3, 2, 1, 0], [0.7, 0.8, 0.9, 0.6], k=2)
    0.25
    """
    scores, accuracy = _scores_and_accuracy(scores, accuracy)
    num = len(scores)
    if isinstance(k, bool) or not hasattr(k, "__index__") or not 1 <= k <= num:
        raise UsageError(f"k {k!r}; it is a whole number from 1 to the {count_of(num, 'arch')} of the pool")
    ranks_N = true_ranks(accuracy)
    sure, tied, places = _top(scores, int(k))
    best_sure = int(ranks_N[sure].min(initial=num))
    ordered = np.minimum(np.sort(ranks_N[tied]), best_sure)
    # Chance that the i-th best of t tied archs is the best of those that get one of p places:
    # p/t, then times (t - i - p + 1)/(t - i), ..
    num_tied = len(ordered)
    i = np.arange(1, num_tied)
    factors = np.maximum(num_tied - i - places + 1, 0) / (num_tied - i)
    chance = np.cumprod(np.concatenate([[places / num_tied], factors]))
    return float((chance * ordered).sum()) / num


def precision_at_top_k(scores: npt.ArrayLike, accuracy: npt.ArrayLike, fraction: float) -> float:
    """P@topK: the share of the most accurate archs that are among the best-scoring ones, in [0, 1].

        P = |top(scores, K) & top(accuracy, K)| / K

    K is the whole number nearest to fraction * N, at least 1.
    Where scores or accuracies tie for the last places, it is the mean over all ways to fill them.

    Args:
        scores, accuracy: (N,); accuracy without NaN.
        fraction: in (0, 1]; 0.05 is the top 5 %.

    Raises:
        UsageError: no archs, wrong lengths, NaN in accuracy, another fraction.

    >>> precision_at_top_k([4, 3, 2, 1], [0.9, 0.6, 0.8, 0.7], fraction=0.5)
    0.5
    """
    scores, accuracy = _scores_and_accuracy(scores, accuracy)
    if isinstance(fraction, (bool, str)) or not hasattr(fraction, "__float__") or not 0 < fraction <= 1:
        raise UsageError(f"fraction {fraction!r}; it is above 0 and at most 1: 0.05 is the top 5 %")
    k = nearest_count(fraction, len(scores))
    both = _chance_of_top(scores, k) * _chance_of_top(accuracy, k)
    return float(both.sum()) / k


def nearest_count(fraction: float, num: int) -> int:
    """The whole number nearest to a fraction of `num` archs, at least 1."""
    return max(1, math.floor(fraction * num + 0.5))


def _scores_and_accuracy(scores: npt.ArrayLike, accuracy: npt.ArrayLike) -> tuple[Floats, Floats]:
    scores, accuracy = vectors(scores=scores, accuracy=accuracy)
    refuse_nan(accuracy=accuracy)
    return scores, accuracy


def _chance_of_top(values: Floats, k: int) -> Floats:
    """(N,) the chance that each arch is among the k highest, ties broken at random."""
    sure, tied, places = _top(values, k)
    chance = np.zeros(len(values))
    chance[sure] = 1
    chance[tied] = places / len(tied)
    return chance


def _top(values: Floats, k: int) -> tuple[Ints, Ints, int]:
    """Positions surely among the k highest, those tied for the last places, and the places left for these."""
    code = codes(values)
    above = len(code) - np.cumsum(np.bincount(code))  # by code: values that are higher
    last = int(np.argmax(above < k))  # the lowest code of which some are among the k
    return np.flatnonzero(code > last), np.flatnonzero(code == last), k - int(above[last])
