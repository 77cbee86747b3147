"""Values of runs and scores at given rows of their tables, as numpy arrays, null where there is no row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.release.opened import OpenedSpace

NO_MEAN = ("status", "curve")  # columns that hold no number, or several


def at_rows(space: OpenedSpace, table: str, column: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """(R,) one column at some rows.

    Args:
        table: of the index, like "runs/cifar10".
        rows: (R,) rows of that table; -1 where there is none.

    Returns:
        Of numbers float64, NaN for null. Of status objects, str or None. Of curve objects, each a read-only
        float64 array of its own length, or None.
    """
    there = rows >= 0
    found = _nulls(column, len(rows))
    if not there.any():
        return found
    if column == "status":
        texts, codes = space.index.texts(table, column)
        found[there] = np.array([*texts, None], object)[np.asarray(codes)[rows[there]]]
    elif column == "curve":
        ends, values = map(np.asarray, space.index.lists(table, column))
        starts = np.concatenate([[0], ends[:-1]])
        for place, row in zip(np.flatnonzero(there), rows[there], strict=True):
            found[place] = values[starts[row] : ends[row]]
    else:
        found[there] = np.asarray(space.numbers(table, column))[rows[there]]
    return found


def _nulls(column: str, num_rows: int) -> npt.NDArray[Any]:
    if column in NO_MEAN:
        return np.full(num_rows, None, object)
    return np.full(num_rows, np.nan)
