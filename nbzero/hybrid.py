"""Proxies combined by the reader from stored scores: votes of the WRCor paper, AZ-NAS's rank aggregate, regularised SWAP.

Scores are arrays in which higher is better (apply the registry's directions first): P proxies x A archs. Nothing here is stored in a release.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EXPERTS = {
    "zerocost": ("synflow", "jacob_cov", "snip"),
    "sjw": ("synflow", "jacob_cov", "wrcor"),
    "spw": ("synflow", "pnorm", "wrcor"),
}


def majority(scores: npt.ArrayLike, archs: slice = slice(None)) -> npt.NDArray[np.int8]:
    """Which of two archs more than half of the proxies score strictly higher.

    Args:
        scores: (P, A). A tie of one proxy, or a NaN, counts for nobody.
        archs: the rows wanted; all of them take A^2 bytes.

    Returns:
        int8 (rows, A): 1 where the row's arch beats the column's, -1 where it is beaten, 0 where neither has more than half. The relation
        need not be transitive.

    Source: Abdelfattah et al., ICLR 2021, arXiv:2101.08134; SJW and SPW of Jing et al., arXiv:2507.08841, see `EXPERTS`.
    """
    import numpy as np

    table = np.asarray(scores, np.float64)
    half = len(table) / 2
    first = table[:, archs]
    wins = (first[:, :, None] > table[:, None, :]).sum(0)
    losses = (first[:, :, None] < table[:, None, :]).sum(0)
    ahead: npt.NDArray[np.int8] = (wins > half).astype(np.int8) - (losses > half).astype(np.int8)
    return ahead


def copeland(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Wins minus losses of every arch against all others by `majority`: an order that does not depend on that of the rows.

    >>> copeland([[1, 2, 3], [1, 3, 2], [2, 1, 3]]).tolist()
    [-2, 0, 2]
    """
    import numpy as np

    table = np.asarray(scores, np.float64)
    blocks = [majority(table, slice(start, start + 512)).sum(1, dtype=np.int64) for start in range(0, table.shape[1], 512)]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int64)


def vote_positions(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The published code's order: each arch's place, from the worst (0), when the archs are sorted by `majority`.

    Where the relation has cycles the places depend on the order of the archs (use that of `arch_id`); `copeland` does not.
    """
    import numpy as np

    table = np.asarray(scores, np.float64)
    rows = list(table.T)

    def compare(a: int, b: int) -> int:
        return _beats(rows[a], rows[b])

    order = sorted(range(len(rows)), key=functools.cmp_to_key(compare))
    positions = np.empty(len(order), np.int64)
    positions[order] = np.arange(len(order))
    return positions


def running_best(scores: npt.ArrayLike) -> int:
    """The arch that a search ends with which keeps the better of two, by `majority`, in order of arrival; the later where neither wins."""
    import numpy as np

    table = np.asarray(scores, np.float64)
    best = 0
    for arch in range(1, table.shape[1]):
        if _beats(table[:, arch], table[:, best]) >= 0:
            best = arch
    return best


def _beats(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> int:
    half = len(a) / 2
    return int((a > b).sum() > half) - int((a < b).sum() > half)


def mean_zscore(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean over proxies of (score - mean) / standard deviation over the archs; the WRCor authors' first soft vote."""
    import numpy as np

    table = np.asarray(scores, np.float64)
    mean: npt.NDArray[np.float64] = ((table - table.mean(1, keepdims=True)) / table.std(1, keepdims=True)).mean(0)
    return mean


def mean_minmax(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean over proxies of (score - min) / (max - min) over the archs; the WRCor authors' second soft vote."""
    import numpy as np

    table = np.asarray(scores, np.float64)
    low, high = table.min(1, keepdims=True), table.max(1, keepdims=True)
    mean: npt.NDArray[np.float64] = ((table - low) / (high - low)).mean(0)
    return mean


def log_rank_sum(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Sum over proxies of log(rank / A), rank 1 = the worst, ties their mean rank (AZ-NAS; its four: az_* and macs).

    Source: Lee and Ham, CVPR 2024, arXiv:2403.19232.
    """
    import numpy as np

    table = np.asarray(scores, np.float64)
    total: npt.NDArray[np.float64] = np.log(np.stack([_ranks(row) for row in table]) / table.shape[1]).sum(0)
    return total


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 for the lowest; equal values share their mean rank; NaN below everything."""
    import numpy as np

    lowered = np.where(np.isnan(values), -np.inf, values)
    _, inverse, counts = np.unique(lowered, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: npt.NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks


def swap_regularised(
    swap: npt.ArrayLike, params: npt.ArrayLike, mu: float | None = None, sigma: float | None = None, log: bool = False
) -> npt.NDArray[Any]:
    """SWAP with a preference for a model size.

        score = swap * exp(-(P - mu)^2 / sigma),   P parameters in thousands; sigma, in thousands squared, is not squared

    Args:
        swap, params: (A,) stored scores; params in numbers.
        mu: thousands of parameters; default: the mean of P over the archs given.
        sigma: thousands of parameters squared; default: the variance of P over the archs given (the paper's standard deviation makes the
            score of most archs 0).
        log: the logarithm of the score instead, which never underflows; ranks are the same.

    Raises:
        ValueError: a sigma that is not positive, as of archs of one size.

    Source: Peng et al., ICLR 2024, arXiv:2403.04161.
    """
    import numpy as np

    thousands = np.asarray(params, np.float64) / 1000
    mu = float(thousands.mean()) if mu is None else mu
    sigma = float(thousands.var()) if sigma is None else sigma
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; it is above 0: give one, or archs of more than one size")
    exponent = -((thousands - mu) ** 2) / sigma
    value = np.asarray(swap, np.float64)
    return np.log(value) + exponent if log else value * np.exp(exponent)
