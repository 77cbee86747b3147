"""BR@K and P@topK: the mean over the ways to break ties, and what is refused."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero.metrics import best_rank_at_k, precision_at_top_k, true_ranks
from tests.metrics.made import columns


def ways(values, k):
    """Every set of k archs with the highest values, one for each way to break ties at the edge."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    edge = values[order[k - 1]]
    sure = [i for i in order if values[i] > edge]
    tied = [i for i in order if values[i] == edge]
    return [{*sure, *rest} for rest in itertools.combinations(tied, k - len(sure))]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=9), st.data())
def test_top_k_metrics_are_means_over_the_ways_to_break_ties(rows, data):
    scores, accuracy = columns(rows)
    k = data.draw(st.integers(1, len(rows)))
    true = true_ranks(accuracy)
    wanted = np.mean([min(true[i] for i in top) for top in ways(scores, k)]) / len(rows)
    assert best_rank_at_k(scores, accuracy, k) == pytest.approx(wanted, abs=1e-12)
    shares = [len(a & b) / k for a in ways(scores, k) for b in ways(accuracy, k)]
    assert precision_at_top_k(scores, accuracy, k / len(rows)) == pytest.approx(np.mean(shares), abs=1e-12)


def test_missing_scores_are_below_minus_infinity():
    assert best_rank_at_k([math.nan, -math.inf], [0.9, 0.1], 1) == 0.5
    assert precision_at_top_k([math.nan, -math.inf], [0.9, 0.1], 0.5) == 0


ONE = ([1.0, 2.0], [0.5, 0.6])
BAD = [
    (lambda: best_rank_at_k(*ONE, 0), "k 0; it is a whole number from 1 to the 2 archs of the pool"),
    (lambda: best_rank_at_k(*ONE, 3), "k 3; it is"),
    (lambda: best_rank_at_k(*ONE, 1.0), "k 1.0; it is"),
    (lambda: precision_at_top_k(*ONE, 0), "fraction 0; it is above 0 and at most 1"),
    (lambda: precision_at_top_k(*ONE, 1.1), "fraction 1.1; it is"),
    (lambda: precision_at_top_k(*ONE, math.nan), "fraction nan; it is"),
    (lambda: precision_at_top_k(*ONE, None), "fraction None; it is above 0"),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()
