"""Codes and ranks: scipy's, and what is absent below every number."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st

from nbzero import metrics
from nbzero.metrics import kendall_tau, ranks, true_ranks
from tests.metrics.made import VALUES


@given(st.lists(VALUES, min_size=1, max_size=40))
def test_ranks_are_scipys(values):
    assert ranks(values).tolist() == scipy.stats.rankdata(values).tolist()
    assert true_ranks(values).tolist() == (scipy.stats.rankdata(-np.array(values), method="min") - 1).tolist()


def test_missing_values_rank_below_minus_infinity():
    assert ranks([math.nan, -math.inf, 3, math.nan]).tolist() == [1.5, 3, 4, 1.5]
    assert ranks([[1, 2], [2, 1]]).tolist() == [[1, 2], [2, 1]]
    assert metrics.codes([]).tolist() == [] and metrics.codes([7, -2, 7]).tolist() == [1, 0, 1]


def test_whole_numbers_beyond_what_a_float_holds_are_told_apart():
    x = np.array([2**53, 2**53 + 1, 2**53 + 2])
    assert kendall_tau(x, [1, 2, 3]) == 1 and metrics.codes(x).tolist() == [0, 1, 2]


BAD = [
    (lambda: true_ranks([]), "no archs: accuracy is empty"),
    (lambda: ranks([]), r"values of shape \(0,\)"),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()
