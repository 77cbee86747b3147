"""How good the archs with the highest scores are: BR@K and P@topK."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, count_of
from nbzero.metrics.arrays import Floats, Ints, codes, scores_and_accuracy, true_ranks


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
    scores, accuracy = scores_and_accuracy(scores, accuracy)
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
    scores, accuracy = scores_and_accuracy(scores, accuracy)
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


def _top(values: Floats, k: int) -> tuple[Ints, Ints, int]:
    """Positions surely among the k highest, those tied for the last places, and how many places they share."""
    code = codes(values)
    above = len(code) - np.cumsum(np.bincount(code))  # by code: values that are higher
    last = int(np.argmax(above < k))  # the lowest code of which some are among the k
    return np.flatnonzero(code > last), np.flatnonzero(code == last), k - int(above[last])
