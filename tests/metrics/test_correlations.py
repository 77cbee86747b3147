"""Correlations: what holds for every ranking, then scipy, then cases known by hand."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given

from nbzero import metrics
from nbzero.metrics import kendall_tau, pearson, spearman_rho
from tests.metrics.made import PAIRS, columns


@given(PAIRS)
def test_correlations_are_scipys(rows):
    x, y = columns(rows)
    if len(x) < 2 or len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(kendall_tau(x, y)) and math.isnan(spearman_rho(x, y))
    else:
        assert kendall_tau(x, y) == pytest.approx(scipy.stats.kendalltau(x, y).statistic, abs=1e-12)
        ranked = scipy.stats.rankdata(x), scipy.stats.rankdata(y)
        assert spearman_rho(x, y) == pytest.approx(scipy.stats.pearsonr(*ranked).statistic, abs=1e-12)
    finite = np.isfinite(x) & np.isfinite(y)
    if finite.sum() < 2 or len(set(x[finite])) == 1 or len(set(y[finite])) == 1:
        assert math.isnan(pearson(x, y))


@given(PAIRS)
def test_correlations_are_symmetric_and_see_order_only(rows):
    x, y = columns(rows)
    for metric in (kendall_tau, spearman_rho, pearson):
        value = metric(x, y)
        assert math.isnan(value) or -1 <= value <= 1
        assert metric(y, x) == pytest.approx(value, abs=1e-9, nan_ok=True)
        assert metric(-x, y) == pytest.approx(-value, abs=1e-9, nan_ok=True)
    for metric in (kendall_tau, spearman_rho):
        coded = metric(metrics.codes(x), metrics.codes(y))
        assert coded == pytest.approx(metric(x, y), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("size", [2, 3, 63, 64, 65, 127, 128, 129, 1000, 4097, 70_000])
def test_kendall_of_every_size(size):
    rng = np.random.default_rng(size)
    x, y = rng.normal(size=size), rng.integers(0, max(2, size // 3), size)
    assert kendall_tau(x, y) == pytest.approx(scipy.stats.kendalltau(x, y).statistic, abs=1e-12, nan_ok=True)
    assert kendall_tau(x, x) == 1 and kendall_tau(x, -x) == -1


@pytest.mark.parametrize(
    ("x_scale", "y_scale", "shift"),
    [(1, 1, 0), (1e300, 1e-300, 0), (1e64, 1, 0), (5e-320, 1e307, 0), (1, 1, 1e6)],
)
def test_pearson_does_not_depend_on_scale(x_scale, y_scale, shift):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = x + rng.normal(size=200)
    wanted = scipy.stats.pearsonr(x, y).statistic
    few_digits = x_scale < 1e-310
    found = pearson((x + shift) * x_scale, y * y_scale)
    assert found == pytest.approx(wanted, abs=1e-3 if few_digits else 1e-9)


def test_pearson_leaves_out_what_is_no_number_and_the_others_rank_it():
    x, y = np.array([1, 2, 3, 4, -math.inf, math.nan, math.nan]), np.array([1, 2, 3, 5, 9, 0.0, 4])
    assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x[:4], y[:4]).statistic)
    lowest = np.array([1, 2, 3, 4, -5, -6, -6])
    tau, rho = scipy.stats.kendalltau(lowest, y).statistic, scipy.stats.spearmanr(lowest, y).statistic
    assert kendall_tau(x, y) == kendall_tau(y, x) == pytest.approx(tau)
    assert spearman_rho(x, y) == spearman_rho(y, x) == pytest.approx(rho)
    assert math.isnan(kendall_tau([math.nan] * 3, [1, 2, 3]))
    assert math.isnan(spearman_rho([math.nan] * 3, [1, 2, 3]))


def test_a_proxy_that_scores_only_its_favourites_gains_nothing():
    accuracy = np.arange(10.0)
    some = np.where(accuracy < 5, accuracy, math.nan)  # right about the worst half, silent on the best
    assert kendall_tau(some, accuracy) < 0 < kendall_tau(accuracy[:5], accuracy[:5])


@pytest.mark.parametrize("metric", [pearson, kendall_tau, spearman_rho])
def test_undefined_correlations_are_nan_and_no_archs_are_an_error(metric):
    assert math.isnan(metric([1], [2]))
    assert math.isnan(metric([1, 1, 1], [1, 2, 3]))
    assert math.isnan(metric([math.nan] * 3, [1, 2, 3]))
    with pytest.raises(ValueError, match="no archs: x, y are empty; a pool has at least one arch"):
        metric([], [])
    shapes = r"arrays of shapes \{'x': \(2,\), 'y': \(3,\)\}"
    with pytest.raises(ValueError, match=rf"{shapes}; they are \(N,\), an entry per arch, all of one length"):
        metric([1, 2], [1, 2, 3])
