"""Many resamples at once against the metric of each one's archs."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import metrics
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
    return [
        metric(x[rows], y[rows], **options)
        for rows in (rng.integers(0, len(x), len(x)) for _ in range(resamples))
    ]


def same_values(metric, found, wanted):
    """Whether as many are equal: Kendall's tau to the last digit, which whole numbers have; the others to rounding."""
    return found.shape == (len(wanted),) and np.allclose(
        found, wanted, rtol=0, atol=0 if metric is kendall_tau else 1e-12, equal_nan=True
    )


@pytest.mark.parametrize(("metric", "options"), RESAMPLED, ids=lambda value: getattr(value, "__name__", ""))
@given(rows=PAIRS, absent=st.sets(st.integers(0, 60)), endless=st.sets(st.integers(0, 60)), data=st.data())
def test_resamples_at_once_are_those_one_by_one(metric, options, rows, absent, endless, data):
    x, y = (
        np.round(column, 3) for column in columns(rows)
    )  # values that differ by rounding alone have a Pearson correlation of rounding alone
    x[[row for row in absent if row < len(x)]], x[[row for row in endless if row < len(x)]] = np.nan, np.inf
    if "k" in options:
        options = {"k": data.draw(st.integers(1, len(x)))}
    if "fraction" in options:
        options = {"fraction": data.draw(st.floats(0.01, 1))}
    found, wanted = (
        metrics.resampled(metric, x, y, resamples=12, seed=2, **options),
        one_by_one(metric, x, y, 12, 2, **options),
    )
    assert same_values(metric, found, wanted), (found, wanted)


@pytest.mark.parametrize(("metric", "options"), RESAMPLED, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("num", [1, 2, 3, 100, 1100])
def test_resamples_at_once_of_scores_of_every_kind(metric, options, num, monkeypatch):
    rng = np.random.default_rng(num)
    plain, tied, odd, far, whole = (
        rng.normal(size=num),
        rng.integers(0, 3, num),
        rng.normal(size=num),
        10 ** rng.normal(0, 60, num),
        np.arange(num),
    )
    odd[::3], odd[1::5], odd[2::7] = np.nan, -np.inf, np.inf
    options = {"k": max(1, num // 5)} if "k" in options else options
    monkeypatch.setattr(at_once, "BLOCK", 7 * num)  # 30 resamples are four blocks of 7, and 2
    for x, y in itertools.product((plain, tied, odd, far, whole, np.zeros(num)), (plain, tied, -far)):
        wanted = one_by_one(metric, x, y, 30, 3, **options)
        found = metrics.resampled(metric, x, y, resamples=30, seed=3, **options)
        assert same_values(metric, found, wanted), (found, wanted)
        assert metrics.bootstrap(partial(metric, **options), x, y, resamples=30, seed=3) == metrics.interval(
            found
        )


def test_resamples_at_once_call_the_metric_once_for_its_errors(monkeypatch):
    called = []
    slow = at_once.AT_ONCE[pearson]

    def counted(x, y):
        called.append(len(x))
        return slow(x, y)

    monkeypatch.setitem(at_once.AT_ONCE, pearson, counted)
    metrics.bootstrap(pearson, [1, 2, 4], [1, 2, 3], resamples=50)
    assert called == [3]
    for metric, options, said in (
        (best_rank_at_k, {"k": 4}, "k 4; it is a whole number from 1 to the 3 archs of the pool"),
        (partial(precision_at_top_k, fraction=2), {}, "fraction 2; it is above 0 and at most 1"),
        (best_rank_at_k, {"k": 1}, "accuracy: 1 of 3 are NaN"),
    ):
        accuracy = [1, 2, math.nan if options == {"k": 1} else 3]
        with pytest.raises(ValueError, match=said):
            metrics.resampled(metric, [1, 2, 3], accuracy, resamples=2, **options)
