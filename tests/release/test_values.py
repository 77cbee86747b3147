"""Values at rows of a table: of every kind of column, and null where there is no row."""

import numpy as np
import pytest

from nbzero import Bench
from nbzero.release.values import at_rows

ROWS = np.array([2, -1, 0])


@pytest.mark.parametrize("column", ["val_acc", "status", "curve"])
def test_a_row_of_minus_one_is_null(bench: Bench, column: str) -> None:
    """Compared with the Parquet file, whose rows are in the same order."""
    space = bench.release.space("mb-mini")
    stored = bench.arrow("runs", "mb-mini", "cifar10").column(column).to_pylist()
    first, absent, last = at_rows(space, "runs/cifar10", column, ROWS)
    assert absent is None or np.isnan(absent)
    assert np.array_equal(first, stored[2]) and np.array_equal(last, stored[0])


def test_no_rows_at_all_need_no_table(bench: Bench) -> None:
    space = bench.release.space("r2-mini")
    nowhere = np.full(3, -1)
    assert np.isnan(at_rows(space, "runs/cifar10", "val_acc", nowhere)).all()
    assert at_rows(space, "runs/cifar10", "curve", nowhere).tolist() == [None] * 3
