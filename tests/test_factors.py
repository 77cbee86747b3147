"""Factors and bias: planted causes are found, what does not fit says so, and slow versions by hand give the same numbers."""

import itertools
import math
import sys

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr

from nbzero import Bench, factors
from nbzero.errors import UnknownNameError
from nbzero.factors import FOLDS, PARAMETERS, ROUNDS, Sample, as_sample, bias, sample_of
from nbzero.pool import pool_of


@pytest.fixture(scope="module")
def r1():
    """The first 1,500 archs of r1, without targets."""
    sample = sample_of(Bench(), "r1", "cifar10", ["macs"])
    return taken(sample, np.arange(1500), {})


def taken(sample, rows, targets=None):
    """Some rows of a sample, in that order."""
    parts = (sample.features, sample.costs, sample.targets if targets is None else targets)
    features, costs, there = ({name: values[rows] for name, values in part.items()} for part in parts)
    return Sample(sample.name, tuple(np.array(sample.archs, object)[rows]), features, costs, there)


def by_factor(frame, target, column):
    rows = frame.only(frame["target"] == target)
    return dict(zip(rows["factor"].tolist(), rows[column].tolist(), strict=True))


def same(first, second):
    assert first.columns == second.columns
    for column in first.columns:
        np.testing.assert_array_equal(first[column], second[column], err_msg=column)


def test_planted_factors_are_found_and_noise_is_marked(r1):
    rng = np.random.default_rng(0)
    planted = 3 * r1.features["s2_depth"] + np.log2(r1.features["s3_out"])
    sample = r1.with_target("planted", planted).with_target("noise", rng.normal(size=len(r1)))
    frame = factors.factors(sample)
    for column in ("gain", "gain_unique", "permutation"):
        found = by_factor(frame, "planted", column)
        first, second, *rest = sorted(
            (name for name in found if not math.isnan(found[name])), key=found.get, reverse=True
        )
        assert (first, second) == ("s2_depth", "s3_out"), column
        assert all(found[name] < 0.05 for name in rest if column == "permutation")
    planted, noise = (frame.only(frame["target"] == name) for name in ("planted", "noise"))
    assert (
        planted["fits"].all() and (planted["r2"] > 0.95).all() and (planted["rank_correlation"] > 0.95).all()
    )
    assert (
        not noise["fits"].any()
        and (noise["r2"] <= 0.02).all()
        and (abs(noise["rank_correlation"]) < 0.15).all()
    )
    share = {column: np.nansum(noise[column]) for column in ("gain", "gain_unique")}
    assert share == pytest.approx(
        {"gain": 1, "gain_unique": 1}
    )  # gain looks as sure of noise as of anything: only r2 tells
    assert any("Do not read" in note and "noise (" in note and "planted" not in note for note in frame.notes)
    assert factors.factors(sample, ["planted"], min_r2=1.0)["fits"].tolist() == [False] * len(planted)


def test_of_equal_inputs_one_takes_the_gain_and_permutation_does_not_care(r1):
    """Which of s1_out and s2_in has the gain is decided by the order of the columns; grouped permutation and gain_unique stay."""
    sample = r1.with_target(
        "planted", np.log2(r1.features["s1_out"]) + 0.5 * r1.features["s4_depth"].clip(0).astype(bool)
    )
    turned = Sample(
        sample.name, sample.archs, dict(reversed(sample.features.items())), sample.costs, sample.targets
    )
    found = {}
    for name, one in (("given", sample), ("turned", turned)):
        frame = factors.factors(one)
        found[name] = {
            column: by_factor(frame, "planted", column)
            for column in ("gain", "gain_unique", "permutation", "same_as")
        }
    assert found["given"]["gain"]["s2_in"] == 0 < found["given"]["gain"]["s1_out"]
    assert found["turned"]["gain"]["s1_out"] == 0 < found["turned"]["gain"]["s2_in"]
    for column in ("gain_unique", "permutation"):
        assert (
            max(found["given"][column], key=lambda name: np.nan_to_num(found["given"][column][name]))
            == "s1_out"
        )
        assert found["given"][column]["s1_out"] == pytest.approx(found["turned"][column]["s1_out"], rel=0.05)
        assert math.isnan(found["given"][column]["s2_in"])
    copies = {name: source for name, source in found["given"]["same_as"].items() if source}
    assert copies == {"s1_in": "stem", "s2_in": "s1_out", "s3_in": "s2_out", "s4_in": "s3_out"}


def test_permuting_one_of_two_equal_inputs_alone_would_hide_their_quantity(r1):
    """What grouping is for: trees that may use either share the quantity, and exchanging only one loses less than exchanging both."""
    inputs = tuple(r1.features)
    table = np.column_stack([values.astype(np.float32) for values in r1.features.values()])
    target = np.log2(r1.features["s1_out"])
    model = xgboost.train(
        {**PARAMETERS, "colsample_bytree": 0.5}, xgboost.DMatrix(table, target, nthread=1), ROUNDS
    )
    both = factors._permuted(
        inputs, table, factors._copies(inputs, table), "s1_out", np.random.default_rng(0)
    )
    changed = {
        inputs[f] for f in range(len(inputs)) if not np.array_equal(both[:, f], table[:, f], equal_nan=True)
    }
    assert changed == {"s1_out", "s2_in"}
    lost = {}
    for name in ("s1_out", "s2_in", "both"):
        one = both if name == "both" else table.copy()
        if name != "both":
            one[:, inputs.index(name)] = both[:, inputs.index(name)]
        lost[name] = float(((model.inplace_predict(one) - target) ** 2).mean())
    assert lost["both"] > 1.3 * max(lost["s1_out"], lost["s2_in"])


def test_a_permuted_quantity_keeps_archs_whole(r1):
    inputs = tuple(r1.features)
    table = np.column_stack([values.astype(np.float32) for values in r1.features.values()])
    copies, rng = factors._copies(inputs, table), np.random.default_rng(1)
    for quantity in [*(name for name in inputs if name not in copies), *factors._blocks(inputs, table)]:
        new = dict(zip(inputs, factors._permuted(inputs, table, copies, quantity, rng).T, strict=True))
        assert (
            (new["s1_in"] == new["stem"]).all()
            and (new["s2_in"] == new["s1_out"]).all()
            and (new["s3_in"] == new["s2_out"]).all()
        )
        missing = [np.isnan(new[f"s4_{part}"]) for part in ("in", "out", "depth", "stride")]
        assert (
            all((one == missing[0]).all() for one in missing)
            and (new["s4_in"] == new["s3_out"])[~missing[0]].all()
        )
        assert (missing[0] == np.isnan(table[:, -1])).all() == (quantity != "s4")
        own = (
            [name for name in inputs if name.startswith("s4_") and name != "s4_in"]
            if quantity == "s4"
            else [quantity]
        )
        for name in own:
            np.testing.assert_array_equal(np.sort(new[name]), np.sort(r1.features[name]))
        for name in set(inputs) - set(own) - set(copies):
            np.testing.assert_array_equal(new[name], r1.features[name])


def test_fit_quality_and_gain_by_a_slow_version(r1):
    sample = taken(r1, np.arange(200)).with_target(
        "mine", np.log(r1.costs["macs"][:200]) + np.random.default_rng(2).normal(size=200)
    )
    frame = factors.factors(sample, transform="raw")
    order, codes = factors._shuffled(sample.archs, 0)
    assert (np.bincount(codes) == 1).all() and (np.diff(codes) > 0).all()
    table = np.column_stack([values[order] for values in sample.features.values()])
    target = sample.targets["mine"][order]
    target = (target - target.mean()) / target.std()
    predicted = np.empty(200)
    for k in range(FOLDS):
        out = np.arange(200) % FOLDS == k
        model = xgboost.train(
            dict(PARAMETERS),
            xgboost.QuantileDMatrix(table[~out], target[~out], nthread=1, max_bin=64),
            ROUNDS,
        )
        predicted[out] = model.predict(xgboost.DMatrix(table[out], nthread=1))
    assert frame["r2"][0] == pytest.approx(
        1 - ((target - predicted) ** 2).sum() / (target**2).sum(), abs=1e-6
    )
    draws = np.random.default_rng(3).integers(0, 200, (2000, 200))
    resampled = [1 - ((target[i] - predicted[i]) ** 2).mean() / target[i].var() for i in draws]
    assert frame["r2_se"][0] == pytest.approx(np.std(resampled), rel=0.1)
    assert frame["rank_correlation"][0] == pytest.approx(spearmanr(predicted, target).statistic, abs=1e-6)
    settings_of_sklearn = {
        key: value for key, value in PARAMETERS.items() if key not in ("eta", "nthread", "seed", "objective")
    }
    model = xgboost.XGBRegressor(
        n_estimators=ROUNDS, learning_rate=PARAMETERS["eta"], n_jobs=1, **settings_of_sklearn
    ).fit(table, target)
    np.testing.assert_allclose(frame["gain"][: len(sample.features)], model.feature_importances_, atol=1e-5)


def test_permutation_importance_by_its_definition_where_the_model_is_known(monkeypatch):
    """With a model that returns its one useful input, what is lost is the mean squared difference of two archs: 2 var(y), so 2."""
    rng = np.random.default_rng(3)
    features = {"a": rng.integers(0, 50, 4000).astype(float), "b": rng.integers(0, 50, 4000).astype(float)}
    sample = Sample("made", tuple(f"arch-{i}" for i in range(4000)), features, {}, {"a": features["a"]})

    class Known:
        def inplace_predict(self, table):
            return (table[:, 0] - features["a"].mean()) / features["a"].std()

        def get_score(self, importance_type):
            return {}

    monkeypatch.setattr(factors, "_trained", lambda matrix, target: Known())
    frame = factors.factors(sample, transform="raw")
    a, b = frame
    assert a["r2"] == pytest.approx(1) and a["rank_correlation"] == pytest.approx(1)
    assert abs(a["permutation"] - 2) < 4 * a["permutation_se"] and 0.02 < a["permutation_se"] < 0.06
    assert b["permutation"] == b["permutation_se"] == 0 and (a["gain"], b["gain"]) == (0, 0)


def test_results_do_not_depend_on_the_order_of_archs_nor_on_other_targets_and_repeat(r1):
    sample = taken(r1, np.arange(300))
    noisy = np.log(sample.costs["macs"]) + np.random.default_rng(4).normal(size=300)
    noisy[::7] = np.nan
    sample = sample.with_target("noisy", noisy).with_target("params", sample.costs["params"])
    frame = factors.factors(sample)
    same(frame, factors.factors(sample))
    turned = taken(sample, np.random.default_rng(5).permutation(300))
    same(frame, factors.factors(turned))
    same(frame.only(frame["target"] == "noisy"), factors.factors(sample, ["noisy"]))
    assert frame["num_archs"].min() == 257 and frame["num_absent"].max() == 43
    same(bias(sample), bias(sample))
    for column in ("mean", "mean_se", "q25", "median", "q75", "difference", "difference_se"):
        np.testing.assert_allclose(bias(sample)[column], bias(turned)[column], err_msg=column)
    other = factors.factors(sample, ["noisy"], shuffle_seed=1)
    assert other["r2"][0] != frame["r2"][0]
    np.testing.assert_array_equal(frame.only(frame["target"] == "noisy")["num_archs"], other["num_archs"])


def test_ranks_are_blind_to_monotone_scales_and_raw_survives_any(r1):
    sample = taken(r1, np.arange(300))
    depth = sample.costs["depth"] + np.random.default_rng(6).normal(size=300)
    wild = 10 ** (depth * 2.5)  # as synflow, beyond float32
    assert wild.max() > 1e40
    sample = sample.with_target("plain", depth).with_target("wild", wild).with_target("huge", depth * 1e300)
    ranked, raw = factors.factors(sample), factors.factors(sample, transform="raw")
    for column in ("gain", "permutation", "r2", "rank_correlation"):
        first, second, third = (
            ranked.only(ranked["target"] == name)[column] for name in ("plain", "wild", "huge")
        )
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, third)
        np.testing.assert_allclose(
            *(raw.only(raw["target"] == name)[column] for name in ("plain", "huge")), atol=1e-4
        )
    assert np.isfinite(raw["r2"]).all()
    r2 = {name: raw.only(raw["target"] == name)["r2"][0] for name in ("plain", "wild")}
    assert (
        r2["plain"] > 0.5 > r2["wild"]
    )  # a few archs hold all the variance, and the frame says that the model does not fit
    assert (
        any("wild (" in note for note in raw.notes if note.startswith("Do not read")) and ranked["fits"].all()
    )


def test_nulls_are_left_out_and_counted_and_minus_infinity_is_a_rank(r1):
    sample = taken(r1, np.arange(200))
    score = sample.costs["params"].copy()
    score[:10], score[10:30] = np.nan, -np.inf
    sample = sample.with_target("mine", score)
    ranked, raw = factors.factors(sample), factors.factors(sample, transform="raw")
    assert (ranked["num_archs"][0], ranked["num_absent"][0], ranked["num_infinite"][0]) == (190, 10, 0)
    assert (raw["num_archs"][0], raw["num_absent"][0], raw["num_infinite"][0]) == (170, 10, 20)
    assert "Left out as infinite: mine (20)" in raw.notes
    lowest = sample.with_target("lowest", np.where(np.isneginf(score), -1.0, score))
    frame = factors.factors(lowest, ["mine", "lowest"])
    half = len(frame) // 2
    np.testing.assert_array_equal(frame["gain"][:half], frame["gain"][half:])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(-3, 3).map(float), st.just(-np.inf), st.just(np.nan), st.just(1e64)),
        max_size=30,
    )
)
def test_rank_targets(values):
    values = np.array(values, float)
    there, target, said = factors._target(values, "rank")
    assert (
        said == {"num_absent": int(np.isnan(values).sum()), "num_infinite": 0} and len(target) == there.sum()
    )
    for (x, a), (y, b) in itertools.combinations(zip(values[there], target, strict=True), 2):
        assert (x > y) == (a > b) and (x < y) == (a < b)
    assert not len(target) or (target.mean() == pytest.approx(0.5) and 0 < target.min() <= target.max() < 1)


def test_duplicated_archs_stay_in_one_fold(r1):
    """A noise target whose every arch comes twice would be predicted perfectly if one copy were learned and the other held out."""
    rows = np.repeat(np.arange(150), 2)
    sample = taken(r1, rows).with_target("noise", np.repeat(np.random.default_rng(7).normal(size=150), 2))
    assert factors.factors(sample)["r2"][0] < 0.1


def test_targets_without_a_model_say_why(r1):
    sample = taken(r1, np.arange(60))
    few = np.where(np.arange(60) < 9, np.arange(60.0), np.nan)
    sample = (
        sample.with_target("few", few)
        .with_target("constant", np.ones(60))
        .with_target("absent", np.full(60, np.nan))
    )
    sample = sample.with_target("rounding", 0.1 + np.arange(60) * 1e-17)
    for transform in ("rank", "raw"):
        frame = factors.factors(sample, transform=transform)
        reasons = dict(zip(frame["target"].tolist(), frame["reason"].tolist(), strict=True))
        assert reasons["few"] == "9 archs with a value, a model needs 10"
        assert (
            reasons["constant"] == "the same value for every arch"
            and reasons["absent"] == "0 archs with a value, a model needs 10"
        )
        assert reasons["rounding"] == "values that are equal but for rounding"
        for column in (
            "gain",
            "gain_unique",
            "permutation",
            "permutation_se",
            "r2",
            "r2_se",
            "rank_correlation",
        ):
            assert np.isnan(frame[column]).all()
        assert not frame["fits"].any() and frame.notes[-1].startswith("No model: few (9 archs")
    one = factors.factors(taken(sample, np.arange(1)), ["macs"])
    assert one["reason"][0] == "1 arch with a value, a model needs 10"
    assert factors.factors(taken(sample, np.arange(10)), ["macs"])["reason"][0] is None


def test_what_is_refused(r1):
    sample = r1.with_target("mine", r1.costs["macs"])
    with pytest.raises(UnknownNameError, match="no target named 'mien'; did you mean 'mine'"):
        factors.factors(sample, ["mien"])
    with pytest.raises(UnknownNameError, match="no target named 'mien'; did you mean 'mine'"):
        bias(sample, ["mien"])
    with pytest.raises(ValueError, match=r"targets is 'mine'; it is a list of names: \['mine'\]"):
        factors.factors(sample, "mine")
    with pytest.raises(ValueError, match="transform 'log'; it is 'rank' or 'raw'"):
        factors.factors(sample, transform="log")
    with pytest.raises(ValueError, match="shuffle_seed -1; it is a whole number from 0"):
        factors.factors(sample, shuffle_seed=-1)
    with pytest.raises(
        ValueError, match="has 1,500 archs and 0 targets were asked for; give at least one of each"
    ):
        factors.factors(r1)
    with pytest.raises(ValueError, match="has 0 archs and 1 target was asked for"):
        factors.factors(taken(sample, np.arange(0)))
    with pytest.raises(ValueError, match="no stage features to explain anything by"):
        factors.factors(Sample("bare", sample.archs, {}, {}, sample.targets))
    with pytest.raises(ValueError, match="already has a target 'mine'"):
        sample.with_target("mine", [1.0])
    with pytest.raises(ValueError, match=r"scores of shape \(3,\) for 'yours' and 1,500 archs"):
        sample.with_target("yours", [1, 2, 3])
    with pytest.raises(
        ValueError, match=r"1 of 2 scores are for archs not in r1, .*first 'r1-none'; leave them out"
    ):
        sample.with_target("yours", {"r1-none": 1.0, sample.archs[0]: 2.0})
    for top in (0, 0.6, float("nan")):
        with pytest.raises(
            ValueError, match=f"top is {top}; it is a share of the archs above 0 and at most 0.5"
        ):
            bias(sample, top=top)
    with pytest.raises(ValueError, match="min_top is 1; it is a number of archs, at least 2"):
        bias(sample, min_top=1)


def test_without_xgboost_the_error_says_what_to_install(r1, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ImportError, match=r"pip install 'nbzero\[factors\]'"):
        factors.factors(r1.with_target("mine", r1.costs["macs"]))
    assert len(bias(r1, ["macs"]))  # needs none


# From a release


def test_every_target_is_explained_on_all_archs_that_have_it(bench):
    frame = bench.factors("r1-mini", "cifar10", ["naswot", "zen", "accuracy", "macs"], "cpu-16px-4")
    sizes = dict(zip(frame["target"].tolist(), frame["num_archs"].tolist(), strict=True))
    assert sizes == {"naswot": 999, "zen": 999, "accuracy": 59, "macs": 1000}
    by_macs = frame.only(frame["target"] == "macs")
    assert (
        by_macs["fits"].all() and not frame.only(frame["target"] == "zen")["fits"].any()
    )  # the made scores are noise
    assert (
        len(by_macs) == 18
        and by_macs["factor"].tolist()[-1] == "s4"
        and "N = 59 to 1,000 archs by target" in frame.notes[0]
    )
    assert frame.title == "factors of 4 targets: r1-mini, cifar10, cpu-16px-4, val, seed 0"
    assert bench.factors("r1-mini", "cifar10", ["zen"], where="arch_id < 40")["num_archs"][0] == 39
    assert set(sample_of(bench, "mb-mini", "cifar10").targets) == {"accuracy", "macs", "params", "depth"}


def test_samples_of_a_release(bench):
    sample = sample_of(bench, "r1-mini", "cifar10", ["ntk", "accuracy", "params"], "cpu-16px-4", split="test")
    table = bench.table("r1-mini", ["scores.ntk", "runs.test_acc", "archs.params"], "cifar10", "cpu-16px-4")
    for name, column, sign in (
        ("ntk", "scores.ntk", -1),
        ("accuracy", "runs.test_acc", 1),
        ("params", "archs.params", 1),
    ):
        np.testing.assert_array_equal(sample.targets[name], sign * np.asarray(table[column], float))
    other = sample_of(
        bench, "r1-mini", "cifar10", ["ntk", "accuracy"], "cpu-16px-4", "std-32", 1, where="val_acc > 0"
    )
    assert (
        other.name == "r1-mini, cifar10, cpu-16px-4, val, std-32, seed 1, scores seed 0, where val_acc > 0"
        and not np.isnan(other.targets["accuracy"]).any()
    )
    raw = sample_of(bench, "r1-mini", "cifar10", ["ntk"], orient=False)
    assert (
        raw.name == "r1-mini, cifar10, seed 0, raw signs"
        and sample.name == "r1-mini, cifar10, cpu-16px-4, test, seed 0"
    )
    np.testing.assert_array_equal(raw.targets["ntk"], -sample.targets["ntk"])
    pool = pool_of(bench, "r1-mini", "cifar10", "cpu-16px-4", proxies=["ntk"])
    same_archs = as_sample(pool)
    assert (
        len(same_archs) == len(pool)
        and same_archs.name == "r1-mini, cifar10, cpu-16px-4, val, seed 0, std-16"
    )
    np.testing.assert_array_equal(same_archs.targets["accuracy"], pool.accuracy)
    assert factors.factors(pool, ["ntk"])["num_archs"][0] == len(pool) == bias(pool, ["ntk"])["num_both"][0]
    mine = sample.with_target("mine", {sample.archs[3]: 0.5})
    assert mine.targets["mine"][3] == 0.5 and np.isnan(mine.targets["mine"]).sum() == len(mine) - 1
    with pytest.raises(UnknownNameError, match="no target named 'zem'; did you mean 'zen'"):
        bench.factors("r1-mini", "cifar10", ["zem"])
    with pytest.raises(UnknownNameError, match="no target named 'acuracy'; did you mean 'accuracy'"):
        bench.bias("r1-mini", "cifar10", ["acuracy"])
    with pytest.raises(
        ValueError,
        match="no arch meets 'macs < 1': of the 1,000 archs of r1-mini none does; there macs is 259872 to 121362688",
    ):
        bench.factors("r1-mini", "cifar10", ["zen"], where="macs < 1")
    with pytest.raises(
        ValueError,
        match="neither scores nor val accuracies of r2-mini on cifar10; it has no data set of r2-mini",
    ):
        bench.factors("r2-mini", "cifar10")
    with pytest.raises(ValueError, match="runs of several recipes"):
        bench.factors("r1-mini", "cifar10")
    with pytest.raises(ValueError, match="targets is 'zen'"):
        bench.factors("r1-mini", "cifar10", "zen")


# Bias


def test_bias_by_a_slow_version(r1):
    rng = np.random.default_rng(8)
    accuracy = r1.costs["macs"] * rng.uniform(0.2, 1, len(r1))
    accuracy[::3] = np.nan
    score = np.where(rng.random(len(r1)) < 0.1, np.nan, r1.costs["params"])
    sample = r1.with_target("mine", score).with_target("accuracy", accuracy)
    frame = bias(sample, top=0.1)
    there = np.flatnonzero(~np.isnan(score))
    best = there[np.argsort(-score[there], kind="stable")][: math.ceil(0.1 * len(there))]
    both = np.flatnonzero(~np.isnan(score) & ~np.isnan(accuracy))
    size = math.ceil(0.1 * len(both))
    for row in frame.only(frame["target"] == "mine"):
        x = {**r1.features, **r1.costs, "num_stages": 3.0 + ~np.isnan(r1.features["s4_out"])}[row["property"]]
        ours = x[best][~np.isnan(x[best])]
        assert (row["num_archs"], row["num_absent"], row["num_top"], row["num_both"]) == (
            len(there),
            1500 - len(there),
            len(best),
            len(both),
        )
        assert row["mean"] == pytest.approx(ours.mean()) and row["mean_se"] == pytest.approx(
            ours.std(ddof=1) / math.sqrt(len(ours))
        )
        quartiles = [float(np.quantile(ours, q, method="inverted_cdf")) for q in (0.25, 0.5, 0.75)]
        assert [row["q25"], row["median"], row["q75"]] == quartiles
        pool = x[there][~np.isnan(x[there])]
        assert row["pool_mean"] == pytest.approx(pool.mean())
        assert row["difference"] == pytest.approx((ours.mean() - pool.mean()) / pool.std())
        liked, truly = (
            x[both[np.argsort(-column[both], kind="stable")][:size]] for column in (score, accuracy)
        )
        assert row["best_mean"] == pytest.approx(np.nanmean(truly))
        assert row["best_difference"] == pytest.approx(
            (np.nanmean(liked) - np.nanmean(truly)) / np.nanstd(x[both])
        )
    truth = frame.only((frame["target"] == "accuracy") & (frame["property"] != "s4_out"))
    np.testing.assert_allclose(truth["best_difference"], 0, atol=1e-12)
    np.testing.assert_allclose(truth["best_difference_se"], 0, atol=1e-12)


def test_standard_errors_match_draws_of_other_archs():
    """The standard errors of a liked group's mean and of two differences, against their spread over 400 fresh samples."""
    rng = np.random.default_rng(9)
    numbers = []
    for _ in range(400):
        x, kind = rng.normal(size=200), rng.integers(0, 4, 200)
        score, accuracy = (
            (kind % 2).astype(float),
            (kind // 2).astype(float),
        )  # two groups of about 100 that overlap by half
        weights = [score, accuracy]
        pool, best = factors._against_pool(x, weights[0]), factors._against_best(x, weights)
        numbers.append(
            [
                pool["mean"],
                pool["mean_se"],
                pool["difference"],
                pool["difference_se"],
                best["best_difference"],
                best["best_difference_se"],
            ]
        )
    made = np.array(numbers)
    for value, error in ((0, 1), (2, 3), (4, 5)):
        assert made[:, value].std() == pytest.approx(made[:, error].mean(), rel=0.12)


def test_ties_at_the_limit_share_the_places():
    features = {"a": np.arange(40.0)}
    score = np.where(np.arange(40) < 30, 1.0, 2.0)
    sample = Sample(
        "made", tuple(f"arch-{i}" for i in range(40)), features, {}, {"mine": score, "flat": np.ones(40)}
    )
    mine, flat = bias(sample, min_top=15)
    assert (mine["num_top"], mine["num_tied"]) == (15, 30)  # ten above, thirty for five places
    assert mine["mean"] == pytest.approx((np.arange(30, 40).sum() + 5 * np.arange(30).mean()) / 15)
    assert flat["mean"] == flat["pool_mean"] == 19.5 and flat["difference"] == 0 and flat["num_tied"] == 40
    assert flat["difference_se"] < 0.05
    low = bias(
        Sample("made", sample.archs, features, {}, {"mine": np.where(np.arange(40) < 35, -np.inf, 1.0)})
    )
    assert low["num_tied"][0] == 35 and low["num_archs"][0] == 40


def test_bias_with_too_few_archs_says_so(r1):
    sample = taken(r1, np.arange(30))
    accuracy = np.where(np.arange(30) < 12, np.arange(30.0), np.nan)
    sample = sample.with_target("mine", np.arange(30.0)).with_target("accuracy", accuracy)
    frame = bias(sample, ["mine", "accuracy"])
    mine, truth = (frame.only(frame["target"] == name) for name in ("mine", "accuracy"))
    assert set(mine["reason"]) == {"12 archs with an accuracy too, a best 10 needs 20"}
    assert np.isfinite(mine["mean"]).all() and np.isnan(mine["best_mean"]).all()
    assert (
        set(truth["reason"]) == {"12 archs with a score, a top of 10 needs 20"}
        and np.isnan(truth["mean"]).all()
        and (truth["num_top"] == 0).all()
    )
    assert frame.notes[1].startswith("Without all numbers: mine (12 archs")
    assert set(bias(taken(sample, np.arange(1)), ["macs"])["reason"]) == {
        "1 arch with a score, a top of 10 needs 20"
    }


def test_bias_of_a_release(bench):
    frame = bench.bias("r1-mini", "cifar10", ["zen", "macs"], "cpu-16px-4", where="depth < 13")
    macs = frame.only((frame["target"] == "macs") & (frame["property"] == "macs"))
    archs = bench.table("r1-mini", where="depth < 13")
    top = np.sort(np.asarray(archs["macs"], float))[-math.ceil(0.05 * len(archs)) :]
    assert (
        macs["mean"][0] == pytest.approx(top.mean())
        and macs["difference"][0] > 1
        and macs["num_archs"][0] == len(archs)
    )
    assert (
        set(frame["target"]) == {"zen", "macs"}
        and 40 < macs["num_both"][0] <= 59
        and not math.isnan(macs["best_mean"][0])
    )


# Choices without an order


def celled(seed=0, num=600):
    """Archs of made cells with three edges of four operations each, and a module that some lack: numbers without an order."""
    rng = np.random.default_rng(seed)
    edges = {f"edge_{name}": rng.integers(0, 4, num).astype(float) for name in ("01", "02", "12")}
    module = np.where(rng.random(num) < 0.3, np.nan, rng.integers(1, 4, num))
    categories = dict.fromkeys(edges, ("none", "skip", "conv 1x1", "conv 3x3")) | {
        "module_5": ("no module", "plain", "wide", "half")
    }
    features = {**edges, "width": rng.integers(1, 9, num).astype(float), "module_5": module}
    return Sample("made", tuple(f"cell-{i}" for i in range(num)), features, {}, {}, categories)


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(4)))
def test_names_may_be_numbered_in_any_way(order):
    """What a categorical input says does not depend on the numbers of its categories; read as amounts, they would."""
    sample = celled()
    effect = (
        np.array([0.0, 3.0, 1.0, 2.0])[sample.features["edge_02"].astype(int)]
        + 0.2 * sample.features["width"]
    )
    sample = sample.with_target("mine", effect + np.random.default_rng(1).normal(0, 0.3, 600))
    turned = Sample(sample.name, sample.archs, {**sample.features, "edge_02": np.array(order, float)[sample.features["edge_02"].astype(int)]}, {},
                    sample.targets, sample.categories)  # fmt: skip
    first, second = factors.factors(sample), factors.factors(turned)
    for column in ("gain", "permutation", "r2"):  # equal splits may be met in another order
        np.testing.assert_allclose(first[column], second[column], atol=0.02, err_msg=column)
    assert (
        max(by_factor(first, "mine", "permutation").items(), key=lambda pair: np.nan_to_num(pair[1]))[0]
        == "edge_02"
    )


def test_categories_are_told_apart_by_one_split():
    """Category 1 of a nominal edge, alone, against all the others: of one-hot columns only its own is split on, and the model is exact."""
    sample = celled()
    sample = sample.with_target("mine", (sample.features["edge_12"] == 1).astype(float))
    frame = factors.factors(sample)
    gain = by_factor(frame, "mine", "gain")
    assert gain["edge_12"] == pytest.approx(1, abs=1e-6) and frame["r2"][0] > 0.999
    assert by_factor(frame, "mine", "permutation")["edge_12"] > 1 and set(gain) == set(
        sample.features
    )  # importances of choices, not of columns
    assert [note for note in frame.notes if "one-hot" in note] == [
        "edge_01, edge_02, edge_12, module_5: categories without an order, one-hot in the models (a column per category, 15 in all); the gain of "
        "each is the sum over its columns, its permutation exchanges them together"
    ]
    amounts = Sample(sample.name, sample.archs, sample.features, {}, sample.targets)
    assert not any("one-hot" in note for note in factors.factors(amounts).notes)


def test_one_hot_columns_by_hand():
    table = np.array([[3, 7, np.nan], [0, 8, 2], [3, 9, 1]], np.float32)
    encoding = factors._Encoding(("edge", "width", "module"), ("edge", "module"), table)
    nan = np.nan
    np.testing.assert_array_equal(
        encoding.encoded(table), [[0, 1, 7, nan, nan], [1, 0, 8, 0, 1], [0, 1, 9, 1, 0]]
    )
    np.testing.assert_array_equal(encoding.input_of_column, [0, 0, 1, 2, 2])
    np.testing.assert_array_equal(
        encoding.encoded(table[:1]), [[0, 1, 7, nan, nan]]
    )  # of some archs: the same columns
    assert encoding.summed(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 2, 4])).tolist() == pytest.approx(
        [0.3, 0.3, 0.4]
    )
    plain = factors._Encoding(("edge", "width", "module"), (), table)
    np.testing.assert_array_equal(plain.encoded(table), table)
    empty = factors._Encoding(("edge",), ("edge",), np.full((2, 1), np.nan, np.float32))
    assert np.isnan(empty.encoded(np.full((2, 1), np.nan, np.float32))).all()


def test_one_hot_gain_and_fit_by_a_slow_version():
    sample = celled(3, 200)
    target = (
        sample.features["edge_01"] % 3
        + np.nan_to_num(sample.features["module_5"])
        + np.random.default_rng(2).normal(size=200)
    )
    frame = factors.factors(sample.with_target("mine", target), transform="raw")
    order, _ = factors._shuffled(sample.archs, 0)
    columns, owner = [], []
    for name, values in sample.features.items():
        for category in [None] if name == "width" else sorted(set(values[~np.isnan(values)])):
            columns.append(
                values
                if category is None
                else [np.nan if math.isnan(value) else float(value == category) for value in values]
            )
            owner.append(name)
    table, target = np.array(columns, np.float32).T[order], target[order]
    target = (target - target.mean()) / target.std()
    model = xgboost.train(
        dict(PARAMETERS), xgboost.QuantileDMatrix(table, target, nthread=1, max_bin=64), ROUNDS
    )
    gains = model.get_score(importance_type="gain")
    share = {
        name: sum(gains.get(f"f{c}", 0.0) for c, one in enumerate(owner) if one == name) / sum(gains.values())
        for name in sample.features
    }
    assert by_factor(frame, "mine", "gain") == pytest.approx(share, abs=1e-5)
    predicted = np.empty(200)
    for k in range(FOLDS):
        out = np.arange(200) % FOLDS == k
        part = xgboost.train(
            dict(PARAMETERS),
            xgboost.QuantileDMatrix(table[~out], target[~out], nthread=1, max_bin=64),
            ROUNDS,
        )
        predicted[out] = part.predict(xgboost.DMatrix(table[out], nthread=1))
    assert frame["r2"][0] == pytest.approx(
        1 - ((target - predicted) ** 2).sum() / (target**2).sum(), abs=1e-6
    )


def test_the_columns_of_a_choice_are_exchanged_together(monkeypatch):
    """With a model that reads the number off the four columns, exchanging them together loses 2 var(y); one by one, it would lose 3.1."""
    edge = np.arange(4000) % 4.0
    sample = Sample(
        "made",
        tuple(f"arch-{i}" for i in range(4000)),
        {"edge": edge},
        {},
        {"edge": edge},
        {"edge": tuple("abcd")},
    )

    class Known:
        def inplace_predict(self, table):
            assert table.shape[1] == 4 and (table.sum(1) == 1).all()
            return (table @ np.arange(4) - edge.mean()) / edge.std()

        def get_score(self, importance_type):
            return {"f1": 3.0, "f3": 1.0}

    monkeypatch.setattr(factors, "_trained", lambda matrix, target: Known())
    (row,) = factors.factors(sample, transform="raw")
    assert row["r2"] == pytest.approx(1) and abs(row["permutation"] - 2) < 4 * row["permutation_se"] < 0.4
    assert row["gain"] == row["gain_unique"] == 1


def test_bias_of_categories_is_in_shares():
    sample = celled()
    score = (sample.features["edge_01"] == 2) + 0.001 * np.arange(600)
    frame = bias(sample.with_target("mine", score), top=0.1)
    rows = {row["property"]: row for row in frame}
    assert (
        rows["edge_01 = conv 1x1"]["mean"] == 1.0
        and rows["edge_01 = none"]["mean"] == 0.0
        and "edge_01" not in rows
        and "width" in rows
    )
    assert rows["edge_01 = skip"]["pool_mean"] == pytest.approx((sample.features["edge_01"] == 1).mean())
    there = ~np.isnan(sample.features["module_5"])
    assert rows["module_5 = wide"]["pool_mean"] == pytest.approx(
        (sample.features["module_5"][there] == 2).mean()
    )
    assert "module_5 = no module" not in rows
    assert sum(
        rows[f"edge_02 = {name}"]["mean"] for name in ("none", "skip", "conv 1x1", "conv 3x3")
    ) == pytest.approx(1)


def test_categories_that_do_not_fit_the_features_are_refused():
    with pytest.raises(
        ValueError, match="categories of 'edge_13', which is no feature of made; its features are edge_01"
    ):
        Sample("made", ("a",), {"edge_01": np.zeros(1)}, {}, {}, {"edge_13": ("none",)})
    for value in (2.0, 0.5, -1.0, np.inf):
        with pytest.raises(
            ValueError, match=rf"edge_01 is {value:g} in made; it is one of 2 categories, 0 to 1, or NaN"
        ):
            Sample("made", ("a",), {"edge_01": np.array([value])}, {}, {}, {"edge_01": ("none", "skip")})
