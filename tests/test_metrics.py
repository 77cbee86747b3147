"""Metrics: what holds for every ranking, then scipy and brute force, then cases known by hand."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st

from nbzero import metrics
from nbzero.metrics import (
    best_rank_at_k,
    kendall_tau,
    mbr,
    pearson,
    precision_at_top_k,
    ranks,
    spearman_rho,
    true_ranks,
)

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


def ways(values, k):
    """Every set of k archs with the highest values, one for each way to break ties at the edge."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    edge = values[order[k - 1]]
    sure = [i for i in order if values[i] > edge]
    tied = [i for i in order if values[i] == edge]
    return [{*sure, *rest} for rest in itertools.combinations(tied, k - len(sure))]


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


@given(PAIRS, st.floats(0.1, 10))
def test_correlations_are_symmetric_and_see_order_only(rows, factor):
    x, y = columns(rows)
    for metric in (kendall_tau, spearman_rho, pearson):
        value = metric(x, y)
        assert math.isnan(value) or -1 <= value <= 1
        assert metric(y, x) == pytest.approx(value, abs=1e-9, nan_ok=True)
        assert metric(-x, y) == pytest.approx(-value, abs=1e-9, nan_ok=True)
    for metric in (kendall_tau, spearman_rho):
        assert metric(metrics.codes(x), metrics.codes(y)) == pytest.approx(
            metric(x, y), abs=1e-12, nan_ok=True
        )


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
    assert pearson((x + shift) * x_scale, y * y_scale) == pytest.approx(
        wanted, abs=1e-3 if x_scale < 1e-310 else 1e-9
    )


def test_pearson_leaves_out_what_is_no_number_and_the_others_rank_it():
    x, y = np.array([1, 2, 3, 4, -math.inf, math.nan, math.nan]), np.array([1, 2, 3, 5, 9, 0.0, 4])
    assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x[:4], y[:4]).statistic)
    lowest = np.array([1, 2, 3, 4, -5, -6, -6])
    assert (
        kendall_tau(x, y) == kendall_tau(y, x) == pytest.approx(scipy.stats.kendalltau(lowest, y).statistic)
    )
    assert (
        spearman_rho(x, y) == spearman_rho(y, x) == pytest.approx(scipy.stats.spearmanr(lowest, y).statistic)
    )
    assert math.isnan(kendall_tau([math.nan] * 3, [1, 2, 3])) and math.isnan(
        spearman_rho([math.nan] * 3, [1, 2, 3])
    )


def test_a_proxy_that_scores_only_its_favourites_gains_nothing():
    accuracy = np.arange(10.0)
    some = np.where(accuracy < 5, accuracy, math.nan)  # right about the worst half, silent on the best
    assert kendall_tau(some, accuracy) < 0 < kendall_tau(accuracy[:5], accuracy[:5])


def test_whole_numbers_beyond_what_a_float_holds_are_told_apart():
    x = np.array([2**53, 2**53 + 1, 2**53 + 2])
    assert kendall_tau(x, [1, 2, 3]) == 1 and metrics.codes(x).tolist() == [0, 1, 2]


@pytest.mark.parametrize("metric", [pearson, kendall_tau, spearman_rho])
def test_undefined_correlations_are_nan_and_no_archs_are_an_error(metric):
    assert (
        math.isnan(metric([1], [2]))
        and math.isnan(metric([1, 1, 1], [1, 2, 3]))
        and math.isnan(metric([math.nan] * 3, [1, 2, 3]))
    )
    with pytest.raises(ValueError, match="no archs: x, y are empty; a pool has at least one arch"):
        metric([], [])
    with pytest.raises(
        ValueError,
        match=r"arrays of shapes \{'x': \(2,\), 'y': \(3,\)\}; they are \(N,\), an entry per arch, all of one length",
    ):
        metric([1, 2], [1, 2, 3])


@given(POOLS, st.integers(1, 6), st.sampled_from(["total", "pool"]), st.sampled_from(["even", "quantile"]))
def test_mbr_is_its_definition(rows, budgets, normalise, spacing):
    scores, accuracy, cost = columns(rows)
    limits = metrics.budget_limits(cost, budgets, spacing)
    value = mbr(scores, accuracy, cost, budgets, normalise, spacing)
    assert value == pytest.approx(slow_mbr(scores, accuracy, cost, limits, normalise), abs=1e-12)
    assert mbr(scores, accuracy, cost, limits.tolist(), normalise) == value
    assert 0 <= value < 1 and mbr(accuracy, accuracy, cost, budgets, normalise, spacing) == 0
    found = metrics.picks(np.array([scores, accuracy]), accuracy, *metrics.within(cost, limits))
    coded = metrics.picks(
        metrics.small_codes(np.array([scores, accuracy])), accuracy, *metrics.within(cost, limits)
    )
    assert all(np.array_equal(one, other) for one, other in zip(found, coded, strict=True))
    for b, limit in enumerate(limits):
        inside = np.flatnonzero(cost <= limit)
        winners = [
            i for i in inside if np.array_equal(scores[i], np.fmax.reduce(scores[inside]), equal_nan=True)
        ]
        assert (
            found.arch[0, b] == winners[0]
            and found.num_tied[0, b] == len(winners)
            and found.pool_size[b] == len(inside)
        )
        assert found.accuracy[0, b] == pytest.approx(accuracy[winners].mean())
        assert found.best[b] == inside[np.argmax(accuracy[inside])]


@given(POOLS, st.randoms(use_true_random=False))
def test_mbr_does_not_depend_on_the_order_of_the_archs(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert mbr(*columns(rows)) == pytest.approx(mbr(*columns(shuffled)), abs=1e-12)


def test_mbr_by_hand():
    scores, accuracy, cost = [5, 9, 1, 7], [0.9, 0.6, 0.7, 0.8], [10, 20, 30, 40]
    # limits 20, 40: picks arch 1 of two (rank 1), then arch 1 of four (rank 3)
    assert metrics.budget_limits(cost, 2, "quantile").tolist() == [20, 40]
    assert metrics.budget_limits(cost, 2).tolist() == [25, 40]
    assert mbr(scores, accuracy, cost, 2) == (1 + 3) / (2 * 4)
    assert mbr(scores, accuracy, cost, 2, normalise="pool") == (1 / 2 + 3 / 4) / 2
    assert (
        mbr([1, 1, 1, 1], accuracy, cost, [40])
        == mbr([math.nan] * 4, accuracy, cost, [40])
        == (0 + 3 + 2 + 1) / 4 / 4
    )
    assert (
        mbr([-math.inf, math.nan], [0.1, 0.9], [1, 1], 1) == 0.5
    )  # -inf is a number, and beats what is missing
    assert mbr([1.0], [0.5], [7]) == 0


@pytest.mark.parametrize("spacing", metrics.SPACINGS)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 8))
def test_limits_ascend_to_the_largest_cost(spacing, cost, budgets):
    limits = metrics.budget_limits(cost, budgets, spacing)
    assert len(limits) == budgets and (np.diff(limits) >= 0).all() and limits[-1] == max(cost)
    if spacing == "quantile":
        for k, limit in enumerate(limits, 1):
            assert (
                sum(c <= limit for c in cost) * budgets
                >= k * len(cost)
                > sum(c < limit for c in cost) * budgets
            )
    else:
        assert limits == pytest.approx(
            [min(cost) + k / budgets * (max(cost) - min(cost)) for k in range(1, budgets + 1)]
        )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=9), st.data())
def test_top_k_metrics_are_means_over_the_ways_to_break_ties(rows, data):
    scores, accuracy = columns(rows)
    k = data.draw(st.integers(1, len(rows)))
    true = true_ranks(accuracy)
    wanted = np.mean([min(true[i] for i in top) for top in ways(scores, k)]) / len(rows)
    assert best_rank_at_k(scores, accuracy, k) == pytest.approx(wanted, abs=1e-12)
    shares = [len(a & b) / k for a in ways(scores, k) for b in ways(accuracy, k)]
    assert precision_at_top_k(scores, accuracy, k / len(rows)) == pytest.approx(np.mean(shares), abs=1e-12)


@given(st.lists(VALUES, min_size=1, max_size=40))
def test_ranks_are_scipys(values):
    assert ranks(values).tolist() == scipy.stats.rankdata(values).tolist()
    assert true_ranks(values).tolist() == (scipy.stats.rankdata(-np.array(values), method="min") - 1).tolist()


def test_missing_values_rank_below_minus_infinity():
    assert ranks([math.nan, -math.inf, 3, math.nan]).tolist() == [1.5, 3, 4, 1.5]
    assert ranks([[1, 2], [2, 1]]).tolist() == [[1, 2], [2, 1]]
    assert metrics.codes([]).tolist() == [] and metrics.codes([7, -2, 7]).tolist() == [1, 0, 1]
    assert (
        best_rank_at_k([math.nan, -math.inf], [0.9, 0.1], 1) == 0.5
        and precision_at_top_k([math.nan, -math.inf], [0.9, 0.1], 0.5) == 0
    )


@pytest.mark.parametrize("spacing", metrics.SPACINGS)
@pytest.mark.parametrize("normalise", metrics.NORMALISATIONS)
def test_fast_bootstrap_is_the_slow_one(spacing, normalise):
    rng = np.random.default_rng(1)
    scores, accuracy, cost = (
        np.round(rng.normal(size=(4, 60)), 1),
        rng.integers(0, 30, 60) / 30,
        rng.integers(1, 12, 60),
    )
    scores[1, ::3], scores[2], scores[3, 5] = np.nan, 1.0, -np.inf
    options = {
        "budgets": 4,
        "normalise": normalise,
        "spacing": spacing,
        "resamples": 40,
        "seed": 3,
        "level": 0.8,
    }
    fast = metrics.bootstrap_mbr(scores, accuracy, cost, **options)
    for row, interval in zip(scores, fast, strict=True):
        assert interval == pytest.approx(metrics.bootstrap(mbr, row, accuracy, cost, **options), abs=1e-12)
    drawn = np.random.default_rng(3)
    picks = [drawn.integers(0, 60, 60) for _ in range(40)]
    values = [
        slow_mbr(scores[0][i], accuracy[i], cost[i], metrics.budget_limits(cost[i], 4, spacing), normalise)
        for i in picks
    ]
    assert fast[0] == pytest.approx(tuple(np.quantile(values, [0.1, 0.9])), abs=1e-12)


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
    monkeypatch.setattr(metrics, "BLOCK", 7 * num)  # 30 resamples are four blocks of 7, and 2
    for x, y in itertools.product((plain, tied, odd, far, whole, np.zeros(num)), (plain, tied, -far)):
        wanted = one_by_one(metric, x, y, 30, 3, **options)
        found = metrics.resampled(metric, x, y, resamples=30, seed=3, **options)
        assert same_values(metric, found, wanted), (found, wanted)
        assert metrics.bootstrap(partial(metric, **options), x, y, resamples=30, seed=3) == metrics.interval(
            found
        )


def test_resamples_at_once_call_the_metric_once_for_its_errors(monkeypatch):
    called = []
    slow = metrics._AT_ONCE[pearson]

    def counted(x, y):
        called.append(len(x))
        return slow(x, y)

    monkeypatch.setitem(metrics._AT_ONCE, pearson, counted)
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


def test_bootstrap_is_seeded_and_covers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    y = x + rng.normal(size=100)
    first = metrics.bootstrap(kendall_tau, x, y, resamples=200)
    assert (
        first
        == metrics.bootstrap(kendall_tau, x, y, resamples=200)
        != metrics.bootstrap(kendall_tau, x, y, resamples=200, seed=1)
    )
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
    assert metrics.noise_ceiling(mbr, accuracies, cost) == pytest.approx(np.mean(both))
    assert metrics.noise_ceiling(mbr, accuracies, cost, budgets=2) != metrics.noise_ceiling(
        mbr, accuracies, cost
    )
    assert math.isnan(metrics.noise_ceiling(kendall_tau, [[0.1, math.nan], [math.nan, 0.2]]))


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
    (lambda: best_rank_at_k(*ONE[:2], 0), "k 0; it is a whole number from 1 to the 2 archs of the pool"),
    (lambda: best_rank_at_k(*ONE[:2], 3), "k 3; it is"),
    (lambda: best_rank_at_k(*ONE[:2], 1.0), "k 1.0; it is"),
    (lambda: precision_at_top_k(*ONE[:2], 0), "fraction 0; it is above 0 and at most 1"),
    (lambda: precision_at_top_k(*ONE[:2], 1.1), "fraction 1.1; it is"),
    (lambda: precision_at_top_k(*ONE[:2], math.nan), "fraction nan; it is"),
    (lambda: true_ranks([]), "no archs: accuracy is empty"),
    (lambda: ranks([]), r"values of shape \(0,\)"),
    (lambda: metrics.bootstrap(mbr, *ONE, resamples=0), "resamples 0; it is a whole number from 1"),
    (lambda: metrics.bootstrap(mbr, *ONE, level=95), "level 95; it is between 0 and 1"),
    (lambda: metrics.bootstrap_mbr(*ONE, level=0), "level 0; it is between 0 and 1"),
    (lambda: metrics.bootstrap_mbr([1], *ONE[1:]), r"scores of shape \(1, 1\) with 2 costs"),
    (lambda: metrics.bootstrap_mbr(*ONE, normalise="n"), "normalise 'n'"),
    (lambda: metrics.picks(np.ones(2), *ONE[1:], np.array([1])), r"scores of shape \(2,\) with 2 accuracies"),
    (
        lambda: metrics.noise_ceiling(mbr, [[0.1, 0.2]], [1, 2]),
        r"accuracies of shape \(1, 2\); they are \(S, N\), a row for each of at least two",
    ),
]


@pytest.mark.parametrize(("call", "said"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("budgets", [2.5, "5", None, True, {"macs": 1}, [], ["a"], [math.nan], [True], 0, -1])
def test_budgets_that_are_none(budgets):
    for call in (metrics.budget_limits, lambda cost, given: mbr([1, 2], [1, 2], cost, given)):
        with pytest.raises(
            ValueError,
            match=r"budgets .*; (it is a number of limits from 1, or a list of limits|give at least one limit, none of them NaN)",
        ):
            call([1.0, 2.0], budgets)


def test_limits_as_an_array():
    assert metrics.budget_limits([1.0, 2.0, 9.0], np.array([9.0, 2.0])).tolist() == [2, 9]
    assert metrics.is_number_of_limits(np.int64(3)) and not metrics.is_number_of_limits(np.array([3]))


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
    with pytest.raises(ValueError, match="fraction None; it is above 0"):
        precision_at_top_k([1, 2], [1, 2], None)


def test_a_limit_that_was_taken_for_a_number_of_limits():
    assert len(metrics.budget_limits([1.0, 2.0], 10_000)) == 10_000
    with pytest.raises(
        ValueError,
        match=r"budgets 5000000 is a number of limits, at most 10,000; a single limit is a list or a decimal: 5e\+06",
    ):
        metrics.budget_limits([1.0, 2.0], 5_000_000)
