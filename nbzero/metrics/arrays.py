"""What a metric does with its arrays: checks them, and numbers their values in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def true_ranks(accuracy: npt.ArrayLike) -> Ints:
    """(N,) for each arch the number of archs that are strictly more accurate: 0 = best, ties share the best of their places.

    >>> true_ranks([0.7, 0.9, 0.9, 0.8]).tolist()
    [3, 0, 0, 2]
    """
    (values,) = vectors(accuracy=accuracy)
    refuse_nan(accuracy=values)
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
    return average_ranks(table) if table.ndim == 1 else np.array([average_ranks(row) for row in table])


def is_rounding(values: npt.ArrayLike) -> bool:
    """Whether finite values differ, but by no more than float64 rounds: 1e-12 of the largest. Their ranks mean nothing.

    >>> is_rounding([0.3, 0.1 + 0.2]), is_rounding([0.3, 0.3]), is_rounding([0.3, 0.31])
    (True, False, False)
    """
    array = np.asarray(values, np.float64)
    finite = array[np.isfinite(array)]
    largest = float(np.abs(finite).max(initial=0.0))
    return largest > 0 and 0 < float(np.ptp(finite / largest)) <= 1e-12


def vectors(**arrays: npt.ArrayLike) -> list[npt.NDArray[Any]]:
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


def refuse_nan(**arrays: Floats) -> None:
    for name, values in arrays.items():
        absent = np.isnan(values)
        if absent.any():
            raise UsageError(
                f"{name}: {int(absent.sum())} of {len(values)} are NaN, first in row {int(absent.argmax())}; leave those archs out first"
            )


def scores_and_accuracy(scores: npt.ArrayLike, accuracy: npt.ArrayLike) -> tuple[Floats, Floats]:
    scores, accuracy = vectors(scores=scores, accuracy=accuracy)
    refuse_nan(accuracy=accuracy)
    return scores, accuracy


def average_ranks(values: Floats) -> Floats:
    if not len(values):
        return np.zeros(0)
    code = codes(values)
    counts = np.bincount(code)
    mean_place: Floats = np.cumsum(counts) - (counts - 1) / 2
    return mean_place[code]


def stable_order(code: Ints) -> Ints:
    """The positions by ascending code, equal ones in their order; 16 bits where they do, which numpy sorts by radix, ten times as fast."""
    return np.argsort(code.astype(np.uint16) if code.max() < 1 << 16 else code, kind="stable")
