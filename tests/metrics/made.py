"""Made rankings, and a slow mBR, for the tests of the metrics. No test itself."""

import math

import numpy as np
from hypothesis import strategies as st

VALUES = st.one_of(
    st.integers(-3, 3).map(float), st.sampled_from([-math.inf, 1e64, -1e64]), st.floats(-1e3, 1e3)
)


PAIRS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=60)


SCORES = st.one_of(st.integers(0, 4).map(float), st.just(math.nan), st.just(-math.inf))


POOLS = st.lists(st.tuples(SCORES, st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=25)


def columns(rows):
    return [np.array(column, float) for column in zip(*rows, strict=True)]


def slow_mbr(scores, accuracy, cost, limits, normalise="total"):
    """The definition, one limit and one arch at a time."""
    total = 0.0
    for limit in limits:
        inside = [i for i in range(len(cost)) if cost[i] <= limit]
        key = {i: (0, 0.0) if math.isnan(scores[i]) else (1, scores[i]) for i in inside}
        winners = [i for i in inside if key[i] == max(key.values())]
        rank = sum(sum(accuracy[j] > accuracy[i] for j in inside) for i in winners) / len(winners)
        total += rank / (len(inside) if normalise == "pool" else len(cost))
    return total / len(limits)
