"""How alike two arrays order the archs: Pearson, Kendall and Spearman."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nbzero.metrics.arrays import Floats, Ints, average_ranks, codes, stable_order, vectors


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Pearson's linear correlation, in [-1, 1].

        r = sum (x - mean x)(y - mean y) / sqrt(sum (x - mean x)^2 sum (y - mean y)^2)

    A pair with a NaN or an infinity is left out: neither has a distance to the others. `kendall_tau` and
    `spearman_rho` rank them.

    Args:
        x, y: (N,); each is scaled by its largest magnitude first. So 1e300 does not overflow, and 1e-300 does
            not vanish.

    Returns:
        nan where it is undefined: fewer than two usable pairs, or x or y constant over them.

    Raises:
        UsageError: no archs, or arrays that are not (N,) of one length.
    """
    x, y = vectors(x=x, y=y)
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
    x, y = vectors(x=x, y=y)
    num = len(x)
    if num < 2:
        return math.nan
    x_code, y_code = codes(x), codes(y)
    by_y = stable_order(y_code)
    by_both = by_y[stable_order(x_code[by_y])]  # by x, then by y: pairs tied in x are in order
    x_code, y_code = x_code[by_both], y_code[by_both]
    # By y, then by place: pairs tied in y are in order. An order has as many inversions as its inverse.
    places = stable_order(y_code)
    x_ties = _tied_pairs(np.bincount(x_code))
    y_ties = _tied_pairs(np.bincount(y_code))
    ends = np.flatnonzero((x_code[1:] != x_code[:-1]) | (y_code[1:] != y_code[:-1]))
    both_ties = _tied_pairs(np.diff(ends, prepend=-1, append=num - 1))
    pairs = num * (num - 1) // 2
    if pairs in (x_ties, y_ties):
        return math.nan
    difference = pairs - x_ties - y_ties + both_ties - 2 * _inversions(places)
    tau = difference / math.sqrt((pairs - x_ties) * (pairs - y_ties))
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
    x, y = vectors(x=x, y=y)
    return _pearson(average_ranks(x), average_ranks(y))


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
    correlation = float((parts[0] * parts[1]).sum())  # no @: BLAS may start threads
    return max(-1.0, min(1.0, correlation))


def _tied_pairs(counts: Ints) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _inversions(order: Ints) -> int:
    """Pairs of a permutation of 0 .. n-1 that stand in the wrong order.

    Radix sort from the highest 6 bits down. A part is the values that share the bits done so far. It is
    padded to a power of two, so that it is as long as the values its other bits can make. A pass puts right
    those pairs of a part that are in different buckets. They are counted:

        within chunks of 64     one by one
        between chunks          by cumulated histograms

    A pass compares 32 N bytes. There are log N / 6 passes.
    """
    bits = (len(order) - 1).bit_length()
    values = np.concatenate([order, np.arange(len(order), 1 << bits)])
    found = 0
    while bits:
        low = max(0, bits - 6)
        size, num_buckets = 1 << min(bits, 6), 1 << (bits - low)
        bucket = (values >> low) & (num_buckets - 1)
        places = np.ascontiguousarray(bucket.astype(np.uint8).reshape(-1, size).T)  # a column per chunk
        for apart in range(1, size):
            found += int(np.count_nonzero(places[:-apart] > places[apart:]))
        if not low:
            break
        num_chunks = places.shape[1]
        cell = np.repeat(np.arange(num_chunks), size) * num_buckets + bucket
        counts = np.bincount(cell, minlength=num_chunks * num_buckets)
        counts = counts.reshape(-1, 1 << low, num_buckets)  # (parts, chunks of the part, buckets)
        earlier = counts.cumsum(axis=1) - counts
        higher = earlier.sum(axis=2, keepdims=True) - earlier.cumsum(axis=2)
        found += int((counts * higher).sum())
        values = values[stable_order(values >> low)]
        bits = low
    return found
