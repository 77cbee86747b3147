"""Votes and aggregates of proxies, as they were published: plain functions of arrays.

The votes of the WRCor paper, AZ-NAS's rank aggregate and regularised SWAP. Scores are arrays (P, A) in which
higher is better: P proxies, A archs. Apply the registry's directions first. What combines the proxies of a
pool is in `nbzero.judge.hybrids`.

An absent score (NaN) is below every number, as in `nbzero.metrics`; -inf is a number. Two absent ones tie.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError
from nbzero.metrics.arrays import ranks, small_codes

Floats = npt.NDArray[np.float64]
BLOCK = 512  # archs that are compared with all others at a time

EXPERTS = {
    "zerocost": ("synflow", "jacob_cov", "snip"),
    "sjw": ("synflow", "jacob_cov", "wrcor"),
    "spw": ("synflow", "pnorm", "wrcor"),
}


def majority(scores: npt.ArrayLike, archs: slice = slice(None)) -> npt.NDArray[np.int8]:
    """Which of two archs more than half of the proxies score strictly higher.

    Args:
        scores: (P, A), NaN below every number. A tie of one proxy counts for nobody.
        archs: the rows wanted. All of them take A^2 bytes.

    Returns:
        int8 (rows, A): 1 where the row's arch beats the column's, -1 where it is beaten, 0 where neither has
        more than half. The relation need not be transitive.

    Source: Abdelfattah et al., ICLR 2021, arXiv:2101.08134. SJW and SPW of Jing et al., arXiv:2507.08841, see
        `EXPERTS`.
    """
    return _majority(small_codes(np.asarray(scores)), archs)


def _majority(codes: npt.NDArray[Any], archs: slice) -> npt.NDArray[np.int8]:
    """`majority` of the codes of the scores (P, A), which have no NaN."""
    half = len(codes) / 2
    first = codes[:, archs]
    wins = (first[:, :, None] > codes[:, None, :]).sum(0)
    losses = (first[:, :, None] < codes[:, None, :]).sum(0)
    ahead: npt.NDArray[np.int8] = (wins > half).astype(np.int8) - (losses > half).astype(np.int8)
    return ahead


def copeland(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Wins minus losses of every arch (A,) against all others by `majority`.

    This order does not depend on that of the archs.

    >>> copeland([[1, 2, 3], [1, 3, 2], [2, 1, 3]]).tolist()
    [-2, 0, 2]
    """
    codes = small_codes(np.asarray(scores))
    num_archs = codes.shape[1]
    found = np.zeros(num_archs, np.int64)
    for start in range(0, num_archs, BLOCK):
        archs = slice(start, start + BLOCK)
        found[archs] = _majority(codes, archs).sum(1, dtype=np.int64)
    return found


def vote_positions(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The published code's order: each arch's place (A,) when they are sorted by `majority`. The worst has 0.

    The relation can have cycles. Then the places depend on the order of the archs, so use that of `arch_id`.
    `copeland` does not depend on it.
    """
    rows = list(small_codes(np.asarray(scores)).T)

    def compare(one: int, other: int) -> int:
        return _vote(rows[one], rows[other])

    order = sorted(range(len(rows)), key=functools.cmp_to_key(compare))
    positions = np.empty(len(order), np.int64)
    positions[order] = np.arange(len(order))
    return positions


def running_best(scores: npt.ArrayLike) -> int:
    """The arch with which a search ends that keeps the better of two by `majority`, in order of arrival.

    Where neither wins it keeps the later.
    """
    rows = list(small_codes(np.asarray(scores)).T)
    best = 0
    for arch in range(1, len(rows)):
        if _vote(rows[arch], rows[best]) >= 0:
            best = arch
    return best


def _vote(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> int:
    """1, -1 or 0: which of two archs, given by their codes (P,), has more than half of the proxies."""
    half = len(one) / 2
    return int((one > other).sum() > half) - int((one < other).sum() > half)


def mean_zscore(scores: npt.ArrayLike) -> Floats:
    """Mean over proxies of (score - mean) / standard deviation over the archs.

    Mean and deviation are of the proxy's finite scores. Where these are all equal, the proxy says nothing
    about anyone and adds 0. An arch that some proxy gives no score (NaN) or -inf gets -inf.

    Source: the WRCor authors' first soft vote, for finite scores.

    >>> mean_zscore([[1, 3, float("nan")], [5, 5, 5]]).tolist()
    [-0.5, 0.5, -inf]
    """
    return _mean_scaled(scores, lambda finite: (finite.mean(), finite.std()))


def mean_minmax(scores: npt.ArrayLike) -> Floats:
    """Mean over proxies of (score - min) / (max - min) over the archs.

    Min and max are of the proxy's finite scores. Otherwise as `mean_zscore`.

    Source: the WRCor authors' second soft vote, for finite scores.

    >>> mean_minmax([[1, 3, float("nan")], [5, 5, 5]]).tolist()
    [0.0, 0.5, -inf]
    """
    return _mean_scaled(scores, lambda finite: (finite.min(), np.ptp(finite)))


def _mean_scaled(scores: npt.ArrayLike, scale_of: Callable[[Floats], tuple[float, float]]) -> Floats:
    """(A,) mean over proxies of (score - origin) / unit, where `scale_of` finite scores gives the two."""
    table = np.asarray(scores, np.float64)
    total = np.zeros(table.shape[1])
    for row in table:
        finite = np.isfinite(row)
        there = row[finite]
        scaled = np.where(np.isposinf(row), np.inf, 0)
        if len(there) and there.min() < there.max():
            origin, unit = scale_of(there)
            scaled[finite] = (there - origin) / unit
        total += scaled
    absent = np.isnan(table) | np.isneginf(table)
    total[absent.any(axis=0)] = -np.inf
    return total / len(table)


def log_rank_sum(scores: npt.ArrayLike) -> Floats:
    """Sum over proxies of log(rank / A), of AZ-NAS; its four are az_* and macs.

    Rank 1 is the worst. Ties share their mean rank. Absent scores (NaN) share the lowest ranks.

    Source: Lee and Ham, CVPR 2024, arXiv:2403.19232.
    """
    table = np.asarray(scores, np.float64)
    return np.asarray(np.log(ranks(table) / table.shape[1]).sum(0), np.float64)


def swap_regularised(
    swap: npt.ArrayLike,
    params: npt.ArrayLike,
    mu: float | None = None,
    sigma: float | None = None,
    log: bool = False,
) -> npt.NDArray[Any]:
    """SWAP with a preference for a model size.

        score = swap * exp(-(P - mu)^2 / sigma)

    P is the parameters in thousands. Sigma is in thousands squared and is not squared again.

    Args:
        swap, params: (A,) stored scores; params in numbers.
        mu: thousands of parameters. Default: the mean of P over the archs given.
        sigma: thousands of parameters squared. Default: the variance of P over the archs given. The paper's
            standard deviation makes the score of most archs 0.
        log: the logarithm of the score instead. It never underflows, and ranks are the same.

    Raises:
        UsageError: a sigma that is not positive, as of archs of one size.

    Source: Peng et al., ICLR 2024, arXiv:2403.04161.
    """
    thousands = np.asarray(params, np.float64) / 1000
    if mu is None:
        mu = float(thousands.mean())
    if sigma is None:
        sigma = float(thousands.var())
    if not sigma > 0:
        raise UsageError(f"sigma is {sigma}; it is above 0: give one, or archs of more than one size")
    value, exponent = np.asarray(swap, np.float64), -((thousands - mu) ** 2) / sigma
    if log:
        return np.log(value) + exponent
    return value * np.exp(exponent)
