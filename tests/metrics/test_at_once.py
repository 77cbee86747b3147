"""Many resamples at once against the metric of each one's archs."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import metrics
from nbzero.errors import UsageError
from nbzero.metrics import at_once, best_rank_at_k, kendall_tau, pearson, precision_at_top_k, spearman_rho
from tests.metrics.made import PAIRS, columns

RESAMPLED = [
    (pearson, {}),
    (spearman_rho, {}),
    (kendall_tau, {}),
    (best_rank_at_k, {"k": 0.2}),
    (precision_at_top_k, {"fraction": 0.2}),
]


def one_by_one(metric, x, y, resamples, seed, **options):
    """A metric of the archs that each resample drew, as a list of archs."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        rows = rng.integers(0, len(x), len(x))
        values.append(metric(x[rows], y[rows], **options))
    return values


def check_same(metric, found, wanted):
    """As many, and equal: Kendall's tau, of whole numbers, to the last digit; the others to rounding."""
    assert found.shape == (len(wanted),)
    atol = 0 if metric is kendall_tau else 1e-12
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol, equal_nan=True)


@pytest.mark.parametrize(("metric", "options"), RESAMPLED, ids=lambda value: getattr(value, "__name__", ""))
@given(rows=PAIRS, absent=st.sets(st.integers(0, 60)), endless=st.sets(st.integers(0, 60)), data=st.data())
def test_resamples_at_once_are_those_one_by_one(metric, options, rows, absent, endless, data):
    # Values that differ by rounding alone have a Pearson correlation of rounding alone.
    x, y = np.round(columns(rows), 3)
    x[[row for row in absent if row < len(x)]] = np.nan
    x[[row for row in endless if row < len(x)]] = np.inf
    if "k" in options:
        options = {"k": data.draw(st.integers(1, len(x)))}
    if "fraction" in options:
        options = {"fraction": data.draw(st.floats(0.01, 1))}
    found = metrics.resampled(metric, x, y, resamples=12, seed=2, **options)
    check_same(metric, found, one_by_one(metric, x, y, 12, 2, **options))


@pytest.mark.parametrize(("metric", "options"), RESAMPLED, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("num", [1, 2, 3, 100, 1100])
def test_resamples_at_once_of_scores_of_every_kind(metric, options, num, monkeypatch):
    rng = np.random.default_rng(num)
    plain = rng.normal(size=num)
    tied = rng.integers(0, 3, num)
    odd = rng.normal(size=num)
    far = 10 ** rng.normal(0, 60, num)
    odd[::3], odd[1::5], odd[2::7] = np.nan, -np.inf, np.inf
    scores = (plain, tied, odd, far, np.arange(num), np.zeros(num))
    if "k" in options:
        options = {"k": max(1, num // 5)}
    judge = partial(metric, **options)
    monkeypatch.setattr(at_once, "BLOCK", 7 * num)  # 30 resamples are four blocks of 7, and 2
    for x, y in itertools.product(scores, (plain, tied, -far)):
        found = metrics.resampled(metric, x, y, resamples=30, seed=3, **options)
        check_same(metric, found, one_by_one(metric, x, y, 30, 3, **options))
        assert metrics.bootstrap(judge, x, y, resamples=30, seed=3) == metrics.interval(found)


def test_resamples_at_once_call_the_metric_once_for_its_errors(monkeypatch):
    called = []
    slow = at_once.AT_ONCE[pearson]

    def counted(x, y):
        called.append(len(x))
        return slow(x, y)

    monkeypatch.setitem(at_once.AT_ONCE, pearson, counted)
    metrics.bootstrap(pearson, [1, 2, 4], [1, 2, 3], resamples=50)
    assert called == [3]


@pytest.mark.parametrize(
    ("metric", "last", "said"),
    [
        (partial(best_rank_at_k, k=4), 3, "k 4; it is a whole number from 1 to the 3 archs of the pool"),
        (partial(precision_at_top_k, fraction=2), 3, "fraction 2; it is above 0 and at most 1"),
        (partial(best_rank_at_k, k=1), math.nan, "accuracy: 1 of 3 are NaN"),
    ],
)
def test_resamples_at_once_refuse_what_the_metric_refuses(metric, last, said):
    with pytest.raises(UsageError, match=said):
        metrics.resampled(metric, [1, 2, 3], [1, 2, last], resamples=2)
    with pytest.raises(UsageError, match=said):
        metrics.resampled(metric.func, [1, 2, 3], [1, 2, last], resamples=2, **metric.keywords)
