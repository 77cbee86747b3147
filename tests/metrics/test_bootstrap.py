"""The bootstrap against slow ones, and the noise ceiling against pairs of seeds."""

import math

import numpy as np
import pytest

from nbzero import UsageError, metrics
from nbzero.metrics import kendall_tau, mbr
from tests.metrics.made import slow_mbr


@pytest.mark.parametrize("spacing", metrics.SPACINGS)
@pytest.mark.parametrize("normalise", metrics.NORMALISATIONS)
def test_fast_bootstrap_is_the_slow_one(spacing, normalise):
    rng = np.random.default_rng(1)
    scores = np.round(rng.normal(size=(4, 60)), 1)
    accuracy = rng.integers(0, 30, 60) / 30
    cost = rng.integers(1, 12, 60)
    scores[1, ::3], scores[2], scores[3, 5] = np.nan, 1.0, -np.inf
    options = {"budgets": 4, "normalise": normalise, "spacing": spacing}
    options |= {"resamples": 40, "seed": 3, "level": 0.8}
    fast = metrics.bootstrap_mbr(scores, accuracy, cost, **options)
    for row, interval in zip(scores, fast, strict=True):
        assert interval == pytest.approx(metrics.bootstrap(mbr, row, accuracy, cost, **options), abs=1e-12)
    drawn = np.random.default_rng(3)
    values = []
    for _ in range(40):
        rows = drawn.integers(0, 60, 60)
        limits = metrics.budget_limits(cost[rows], 4, spacing)
        values.append(slow_mbr(scores[0][rows], accuracy[rows], cost[rows], limits, normalise))
    assert fast[0] == pytest.approx(tuple(np.quantile(values, [0.1, 0.9])), abs=1e-12)


RESAMPLING = [metrics.bootstrap_mbr, metrics.resampled_mbr, metrics.resampled_picks]


@pytest.mark.parametrize("function", RESAMPLING, ids=lambda function: function.__name__)
def test_limits_are_quantiles_unless_even_ones_are_asked_for(function):
    arrays = [5, 9, 1, 7], [0.9, 0.6, 0.7, 0.8], [10, 20, 30, 100]
    default, quantile, even = (
        function(*arrays, 2, resamples=20, **spacing)
        for spacing in ({}, {"spacing": "quantile"}, {"spacing": "even"})
    )
    np.testing.assert_equal(default, quantile)
    assert repr(default) != repr(even)


def test_bootstrap_is_seeded_and_covers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    y = x + rng.normal(size=100)
    first = metrics.bootstrap(kendall_tau, x, y, resamples=200)
    assert first == metrics.bootstrap(kendall_tau, x, y, resamples=200)
    assert first != metrics.bootstrap(kendall_tau, x, y, resamples=200, seed=1)
    narrow = metrics.bootstrap(kendall_tau, x, y, resamples=200, level=0.5)
    assert first.low < narrow.low < kendall_tau(x, y) < narrow.high < first.high
    assert all(map(math.isnan, metrics.bootstrap(kendall_tau, [1, 1], [1, 2], resamples=5)))
    assert metrics.interval([1, math.nan, 1]) == (1, 1)


def test_noise_ceiling_is_the_mean_over_pairs_of_seeds():
    accuracies = np.array(
        [[0.1, 0.2, 0.3, math.nan, 0.5], [0.2, 0.1, 0.3, 0.4, 0.5], [0.3, math.nan, 0.1, 0.2, math.nan]]
    )
    cost = np.arange(5.0)
    pairs = [([0, 1, 2, 4], 0, 1), ([0, 2], 0, 2), ([0, 2, 3], 1, 2)]
    wanted = np.mean([kendall_tau(accuracies[a][rows], accuracies[b][rows]) for rows, a, b in pairs])
    assert metrics.noise_ceiling(kendall_tau, accuracies) == pytest.approx(wanted)
    both = [
        mbr(accuracies[p][rows], accuracies[q][rows], cost[rows])
        for rows, a, b in pairs
        for p, q in ((a, b), (b, a))
    ]
    ceiling = metrics.noise_ceiling(mbr, accuracies, cost)
    assert ceiling == pytest.approx(np.mean(both))
    assert metrics.noise_ceiling(mbr, accuracies, cost, budgets=2) != ceiling
    assert math.isnan(metrics.noise_ceiling(kendall_tau, [[0.1, math.nan], [math.nan, 0.2]]))


ONE = ([1.0, 2.0], [0.5, 0.6], [1.0, 2.0])
BAD = [
    (lambda: metrics.bootstrap(mbr, *ONE, resamples=0), "resamples 0; it is a whole number from 1"),
    (lambda: metrics.bootstrap(mbr, *ONE, level=95), "level 95; it is between 0 and 1"),
    (lambda: metrics.bootstrap_mbr(*ONE, level=0), "level 0; it is between 0 and 1"),
    (lambda: metrics.bootstrap_mbr([1], *ONE[1:]), r"scores of shape \(1, 1\) with 2 costs"),
    (lambda: metrics.bootstrap_mbr(*ONE, normalise="n"), "normalise 'n'"),
    (
        lambda: metrics.noise_ceiling(mbr, [[0.1, 0.2]], [1, 2]),
        r"accuracies of shape \(1, 2\); they are \(S, N\), a row for each of at least two",
    ),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "seed -1; it is"),
        ({"level": None}, "level None; it is"),
        ({"seed": 0.5}, "seed 0.5; it is"),
    ],
)
def test_how_a_bootstrap_cannot_be_made(options, said):
    with pytest.raises(ValueError, match=said):
        metrics.bootstrap(kendall_tau, [1, 2], [1, 2], resamples=3, **options)


def test_redrawn_is_one_draw_after_the_other():
    rng = np.random.default_rng(5)
    scores = np.round(rng.normal(size=(5, 40)), 1)
    scores[1, ::3], scores[2], scores[3, 5], scores[4] = np.nan, 1.0, -np.inf, np.nan
    draws = rng.normal(size=(130, 40))
    cost = rng.integers(1, 12, 40)
    order, sizes = metrics.within(cost, metrics.budget_limits(cost, 4))
    found = metrics.redrawn_picks(scores, draws, order, sizes)
    for row, accuracy in enumerate(draws):
        alone = metrics.picks(scores, accuracy, order, sizes)
        np.testing.assert_allclose(found.rank[row], alone.rank, atol=1e-9)
        np.testing.assert_allclose(found.accuracy[row], alone.accuracy, atol=1e-12)
        assert (found.pool_size[row] == alone.pool_size).all()
    assert found.mbr().shape == (130, 5) and found.num_archs == 40
    taus = metrics.redrawn(kendall_tau, scores[0], draws)
    assert taus.tolist() == [kendall_tau(scores[0], accuracy) for accuracy in draws]
    with pytest.raises(UsageError, match=r"they are \(R, 40\)"):
        metrics.redrawn(kendall_tau, scores[0], draws[:, :5])
