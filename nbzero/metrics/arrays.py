"""What a metric does with its arrays: checks them, and numbers their values in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def true_ranks(accuracy: npt.ArrayLike) -> Ints:
    """(N,) for each arch the number of archs that are strictly more accurate.

    0 is the best. Ties share the best of their places.

    Raises:
        UsageError: no archs, or NaN in accuracy.

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
    """(N,) whole numbers from 0 without gaps that order the archs as the values do.

    Equal values have equal numbers. NaN is lowest. Every metric but `pearson` gives the same for
    `codes(scores)` as for the scores, and is faster.

    >>> codes([0.5, float("nan"), 0.1, 0.5]).tolist()
    [2, 0, 1, 2]
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        array = np.asarray(array, np.float64)
    elif array.size and array.min() >= 0 and array.max() < 4 * len(array):
        return _codes_by_counting(array)
    num_absent = int(np.isnan(array).sum())
    order = np.roll(np.argsort(array), num_absent)  # numpy sorts NaN last
    ordered = array[order]
    rises = ordered[1:] != ordered[:-1]
    rises[: max(num_absent - 1, 0)] = False
    code = np.zeros(len(array), np.int64)
    code[order[1:]] = np.cumsum(rises)
    return code


def _codes_by_counting(array: npt.NDArray[Any]) -> Ints:
    """`codes` of small whole numbers, without a sort."""
    there = np.bincount(array) > 0
    if there.all():
        return np.asarray(array, np.int64)
    code: Ints = (np.cumsum(there) - 1)[array]
    return code


def small_codes(scores: Floats) -> npt.NDArray[Any]:
    """(P, N) the `codes` of each row, in 16 bits where N fits.

    `picks` reads them four times as fast as float64.
    """
    fits = scores.shape[1] < 1 << 15
    return np.array([codes(row) for row in scores]).astype(np.int16 if fits else np.int32)


def ranks(values: npt.ArrayLike) -> Floats:
    """Ranks from 1 for the lowest value. Ties share the mean of their places, NaN values the lowest places.

    Args:
        values: (N,), or (P, N) to be ranked row by row.

    Raises:
        UsageError: another shape, or no archs.

    >>> ranks([0.5, 0.1, 0.5]).tolist()
    [2.5, 1.0, 2.5]
    """
    table = np.asarray(values, np.float64)
    if table.ndim not in (1, 2) or not table.size:
        raise UsageError(f"values of shape {table.shape}; they are (N,) or (P, N) with at least one arch")
    if table.ndim == 1:
        return average_ranks(table)
    return np.array([average_ranks(row) for row in table])


def average_ranks(values: npt.NDArray[Any]) -> Floats:
    """`ranks` of one row, which may be empty or of whole numbers."""
    if not len(values):
        return np.zeros(0)
    code = codes(values)
    counts = np.bincount(code)
    mean_place: Floats = np.cumsum(counts) - (counts - 1) / 2
    return mean_place[code]


def is_rounding(values: npt.ArrayLike) -> bool:
    """Whether finite values differ, but by no more than float64 rounds: 1e-12 of the largest.

    The ranks of such values mean nothing.

    >>> is_rounding([0.3, 0.1 + 0.2]), is_rounding([0.3, 0.3]), is_rounding([0.3, 0.31])
    (True, False, False)
    """
    array = np.asarray(values, np.float64)
    finite = array[np.isfinite(array)]
    largest = float(np.abs(finite).max(initial=0.0))
    return largest > 0 and 0 < float(np.ptp(finite / largest)) <= 1e-12


def vectors(**arrays: npt.ArrayLike) -> list[npt.NDArray[Any]]:
    """The arrays, as int64 where they are whole numbers, else as float64.

    Raises:
        UsageError: they are not (N,) of one length N, or N is 0.
    """
    found = {name: _numbers(array) for name, array in arrays.items()}
    shapes = {name: vector.shape for name, vector in found.items()}
    shape = next(iter(shapes.values()))
    if len(shape) != 1 or len(set(shapes.values())) > 1:
        raise UsageError(f"arrays of shapes {shapes}; they are (N,), an entry per arch, all of one length")
    if shape == (0,):
        be = "is" if len(shapes) == 1 else "are"
        raise UsageError(f"no archs: {', '.join(shapes)} {be} empty; a pool has at least one arch")
    return list(found.values())


def _numbers(array: npt.ArrayLike) -> npt.NDArray[Any]:
    given = np.asarray(array)
    return np.asarray(given, np.int64 if given.dtype.kind == "i" else np.float64)


def refuse_nan(**arrays: Floats) -> None:
    """UsageError for the first array with a NaN, by its name."""
    for name, values in arrays.items():
        absent = np.isnan(values)
        if absent.any():
            share = f"{int(absent.sum())} of {len(values)}"
            first = int(absent.argmax())
            raise UsageError(f"{name}: {share} are NaN, first in row {first}; leave those archs out first")


def stable_order(code: Ints) -> Ints:
    """The positions by ascending code, equal ones in their order.

    In 16 bits where the codes fit: numpy sorts those by radix, ten times as fast.
    """
    if code.max() < 1 << 16:
        return np.argsort(code.astype(np.uint16), kind="stable")
    return np.argsort(code, kind="stable")
