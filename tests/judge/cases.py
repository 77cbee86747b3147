"""Small pools and how rows are found in tables, for the tests of judgements. No test itself."""

import math

import numpy as np
from hypothesis import strategies as st

from tests.pools import make_pool

# score, accuracy, macs, params
ROWS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 4), st.just(math.nan)),
        st.integers(0, 9),
        st.integers(1, 6),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=20,
)


def pool_from(rows, **changed):
    """A pool of rows like those of ROWS; every third arch lacks the feature width."""
    score, accuracy, macs, params = (np.array(column, float) for column in zip(*rows, strict=True))
    ids = np.arange(len(rows))
    width = np.where(ids % 3 == 0, np.nan, ids)
    changed = {"accuracy": accuracy / 10, **changed}
    return make_pool(
        costs={"macs": macs, "params": params}, scores={"zen": score}, features={"width": width}, **changed
    )


SIX = pool_from([(1, 3, 1, 6), (5, 2, 2, 5), (5, 4, 3, 4), (2, 9, 4, 3), (math.nan, 8, 5, 2), (4, 1, 6, 1)])


def row_of(frame, **wanted):
    """The one row of a frame that has these values."""
    found = [row for row in frame if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]
