"""mBR and picks: their definition, one limit and one arch at a time; then cases known by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import metrics
from nbzero.metrics import mbr
from tests.metrics.made import POOLS, columns, slow_mbr


@given(POOLS, st.integers(1, 6), st.sampled_from(["total", "pool"]), st.sampled_from(["even", "quantile"]))
def test_mbr_is_its_definition(rows, budgets, normalise, spacing):
    scores, accuracy, cost = columns(rows)
    limits = metrics.budget_limits(cost, budgets, spacing)
    value = mbr(scores, accuracy, cost, budgets, normalise, spacing)
    assert value == pytest.approx(slow_mbr(scores, accuracy, cost, limits, normalise), abs=1e-12)
    assert mbr(scores, accuracy, cost, limits.tolist(), normalise) == value
    assert 0 <= value < 1
    assert mbr(accuracy, accuracy, cost, budgets, normalise, spacing) == 0
    table = np.array([scores, accuracy])
    pools = metrics.within(cost, limits)
    found = metrics.picks(table, accuracy, *pools)
    coded = metrics.picks(metrics.small_codes(table), accuracy, *pools)
    assert all(np.array_equal(one, other) for one, other in zip(found, coded, strict=True))
    for b, limit in enumerate(limits):
        inside = np.flatnonzero(cost <= limit)
        highest = np.fmax.reduce(scores[inside])
        winners = [i for i in inside if np.array_equal(scores[i], highest, equal_nan=True)]
        assert found.arch[0, b] == winners[0]
        assert found.num_tied[0, b] == len(winners)
        assert found.pool_size[b] == len(inside)
        assert found.accuracy[0, b] == pytest.approx(accuracy[winners].mean())
        assert found.best[b] == inside[np.argmax(accuracy[inside])]


@given(POOLS, st.randoms(use_true_random=False))
def test_mbr_does_not_depend_on_the_order_of_the_archs(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert mbr(*columns(rows)) == pytest.approx(mbr(*columns(shuffled)), abs=1e-12)


def test_mbr_by_hand():
    scores, accuracy, cost = [5, 9, 1, 7], [0.9, 0.6, 0.7, 0.8], [10, 20, 30, 40]
    # limits 20, 40: picks arch 1 of two (rank 1), then arch 1 of four (rank 3)
    assert metrics.budget_limits(cost, 2).tolist() == [20, 40]
    assert metrics.budget_limits(cost, 2, "even").tolist() == [25, 40]
    assert mbr(scores, accuracy, cost, 2) == (1 + 3) / (2 * 4)
    assert mbr(scores, accuracy, cost, 2, normalise="pool") == (1 / 2 + 3 / 4) / 2
    random = (0 + 3 + 2 + 1) / 4 / 4
    assert mbr([1, 1, 1, 1], accuracy, cost, [40]) == random
    assert mbr([math.nan] * 4, accuracy, cost, [40]) == random
    # -inf is a number, and beats what is missing
    assert mbr([-math.inf, math.nan], [0.1, 0.9], [1, 1], 1) == 0.5
    assert mbr([1.0], [0.5], [7]) == 0


def test_limits_are_quantiles_unless_even_ones_are_asked_for():
    scores, accuracy, cost = [5, 9, 1, 7], [0.9, 0.6, 0.7, 0.8], [10, 20, 30, 100]
    # limits 20, 100: arch 1 of two (rank 1); limits 55, 100: arch 1 of three (rank 2)
    assert mbr(scores, accuracy, cost, 2) == mbr(scores, accuracy, cost, 2, spacing="quantile") == (1 + 3) / 8
    assert mbr(scores, accuracy, cost, 2, spacing="even") == (2 + 3) / 8


@pytest.mark.parametrize("spacing", metrics.SPACINGS)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 8))
def test_limits_ascend_to_the_largest_cost(spacing, cost, budgets):
    limits = metrics.budget_limits(cost, budgets, spacing)
    assert len(limits) == budgets and limits[-1] == max(cost)
    assert (np.diff(limits) >= 0).all()
    if spacing == "even":
        steps = np.arange(1, budgets + 1) / budgets
        assert limits == pytest.approx(min(cost) + steps * (max(cost) - min(cost)))
        return
    for k, limit in enumerate(limits, 1):
        within, below = sum(c <= limit for c in cost), sum(c < limit for c in cost)
        assert within * budgets >= k * len(cost) > below * budgets


ONE = ([1.0, 2.0], [0.5, 0.6], [1.0, 2.0])
BAD = [
    (lambda: mbr([], [], []), "no archs: scores, accuracy, cost are empty"),
    (lambda: mbr([1], [0.5, 0.6], [1, 2]), "all of one length"),
    (lambda: mbr([[1]], [[0.5]], [[1]]), r"they are \(N,\)"),
    (
        lambda: mbr([1, 2], [0.5, math.nan], [1, 2]),
        "accuracy: 1 of 2 are NaN, first in row 1; leave those archs out",
    ),
    (lambda: mbr([1, 2], [0.5, 0.6], [math.nan, 2]), "cost: 1 of 2 are NaN, first in row 0"),
    (
        lambda: mbr(*ONE, budgets=[0.5, 2]),
        "1 of 2 limits admit no arch: 0.5; the smallest cost is 1, of row 0; raise the limit",
    ),
    (lambda: mbr(*ONE, budgets=0), "budgets 0; it is a number of limits from 1, or a list of limits"),
    (lambda: mbr(*ONE, budgets=2.5), "budgets 2.5; it is a number of limits"),
    (lambda: mbr(*ONE, budgets=True), "budgets True; it is a number of limits"),
    (lambda: mbr(*ONE, budgets=[]), r"budgets \[\]; give at least one limit"),
    (lambda: mbr(*ONE, budgets=[math.nan]), "none of them NaN"),
    (lambda: mbr(*ONE, spacing="log"), "spacing 'log'; it is one of even, quantile"),
    (lambda: mbr(*ONE, normalise="n"), "normalise 'n'; it is one of total, pool"),
    (lambda: metrics.picks(np.ones(2), *ONE[1:], np.array([1])), r"scores of shape \(2,\) with 2 accuracies"),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("budgets", [2.5, "5", None, True, {"macs": 1}, [], ["a"], [math.nan], [True], 0, -1])
def test_budgets_that_are_none(budgets):
    wanted = "it is a number of limits from 1, or a list of limits|give at least one limit, none of them NaN"
    with pytest.raises(ValueError, match=rf"budgets .*; ({wanted})"):
        metrics.budget_limits([1.0, 2.0], budgets)
    with pytest.raises(ValueError, match=rf"budgets .*; ({wanted})"):
        mbr([1, 2], [1, 2], [1.0, 2.0], budgets)


def test_limits_as_an_array():
    assert metrics.budget_limits([1.0, 2.0, 9.0], np.array([9.0, 2.0])).tolist() == [2, 9]
    assert metrics.is_number_of_limits(np.int64(3)) and not metrics.is_number_of_limits(np.array([3]))


def test_a_limit_that_was_taken_for_a_number_of_limits():
    assert len(metrics.budget_limits([1.0, 2.0], 10_000)) == 10_000
    said = r"at most 10,000; a single limit is a list or a decimal: 5e\+06"
    with pytest.raises(ValueError, match=f"budgets 5000000 is a number of limits, {said}"):
        metrics.budget_limits([1.0, 2.0], 5_000_000)
