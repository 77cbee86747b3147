"""Factors: planted causes are found, what does not fit says so, slow versions give the same numbers."""

import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr

from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.bias import bias
from nbzero.judge.designs import shuffled
from nbzero.judge.factors import FOLDS, PARAMETERS, ROUNDS, factors
from tests.judge.samples import celled, first_of_r1, make_sample, same, taken


@pytest.fixture(scope="module")
def r1():
    return first_of_r1()


def by_factor(frame, target, column):
    rows = frame.only(frame["target"] == target)
    return dict(zip(rows["factor"].tolist(), rows[column].tolist(), strict=True))


def test_planted_factors_are_found_and_noise_is_marked(r1):
    rng = np.random.default_rng(0)
    planted = 3 * r1.features["s2_depth"] + np.log2(r1.features["s3_out"])
    sample = r1.with_target("planted", planted).with_target("noise", rng.normal(size=len(r1)))
    frame = factors(sample)
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
    # Gain looks as sure of noise as of anything: only r2 tells.
    assert share == pytest.approx({"gain": 1, "gain_unique": 1})
    assert any("Do not read" in note and "noise (" in note and "planted" not in note for note in frame.notes)
    assert factors(sample, ["planted"], min_r2=1.0)["fits"].tolist() == [False] * len(planted)


def test_of_equal_inputs_one_takes_the_gain_and_permutation_does_not_care(r1):
    """Which of s1_out and s2_in has the gain is decided by the order of the columns. The other two stay."""
    sample = r1.with_target(
        "planted", np.log2(r1.features["s1_out"]) + 0.5 * r1.features["s4_depth"].clip(0).astype(bool)
    )
    turned = make_sample(
        sample.name, sample.archs, dict(reversed(sample.features.items())), sample.costs, sample.targets
    )
    found = {}
    for name, one in (("given", sample), ("turned", turned)):
        frame = factors(one)
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


def test_fit_quality_and_gain_by_a_slow_version(r1):
    sample = taken(r1, np.arange(200)).with_target(
        "mine", np.log(r1.costs["macs"][:200]) + np.random.default_rng(2).normal(size=200)
    )
    frame = factors(sample, transform="raw")
    order, codes = shuffled(sample.archs, 0)
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


def stand_in(predict, gains):
    """An xgboost whose every model is known: what it predicts of a table, and its gains by column."""

    class Matrix:
        def __init__(self, table, max_bin, nthread):
            pass

        def set_label(self, target):
            pass

    class Known:
        def __init__(self, parameters, matrices):
            pass

        def update(self, matrix, number):
            pass

        def inplace_predict(self, table):
            return predict(table)

        def get_score(self, importance_type):
            return gains

    return SimpleNamespace(QuantileDMatrix=Matrix, Booster=Known)


def test_permutation_importance_by_its_definition_where_the_model_is_known(monkeypatch):
    """A model that returns its one useful input loses the mean squared difference of two archs: 2 var(y)."""
    rng = np.random.default_rng(3)
    features = {"a": rng.integers(0, 50, 4000).astype(float), "b": rng.integers(0, 50, 4000).astype(float)}
    sample = make_sample("made", tuple(f"arch-{i}" for i in range(4000)), features, {}, {"a": features["a"]})

    def predict(table):
        return (table[:, 0] - features["a"].mean()) / features["a"].std()

    monkeypatch.setitem(sys.modules, "xgboost", stand_in(predict, {}))
    frame = factors(sample, transform="raw")
    a, b = frame
    assert a["r2"] == pytest.approx(1) and a["rank_correlation"] == pytest.approx(1)
    assert abs(a["permutation"] - 2) < 4 * a["permutation_se"] and 0.02 < a["permutation_se"] < 0.06
    assert b["permutation"] == b["permutation_se"] == 0 and (a["gain"], b["gain"]) == (0, 0)


def test_results_do_not_depend_on_the_order_of_archs_nor_on_other_targets_and_repeat(r1):
    sample = taken(r1, np.arange(300))
    noisy = np.log(sample.costs["macs"]) + np.random.default_rng(4).normal(size=300)
    noisy[::7] = np.nan
    sample = sample.with_target("noisy", noisy).with_target("params", sample.costs["params"])
    frame = factors(sample)
    same(frame, factors(sample))
    turned = taken(sample, np.random.default_rng(5).permutation(300))
    same(frame, factors(turned))
    same(frame.only(frame["target"] == "noisy"), factors(sample, ["noisy"]))
    assert frame["num_archs"].min() == 257 and frame["num_absent"].max() == 43
    other = factors(sample, ["noisy"], shuffle_seed=1)
    assert other["r2"][0] != frame["r2"][0]
    np.testing.assert_array_equal(frame.only(frame["target"] == "noisy")["num_archs"], other["num_archs"])


def test_ranks_are_blind_to_monotone_scales_and_raw_survives_any(r1):
    sample = taken(r1, np.arange(300))
    depth = sample.costs["depth"] + np.random.default_rng(6).normal(size=300)
    wild = 10 ** (depth * 2.5)  # as synflow, beyond float32
    assert wild.max() > 1e40
    sample = sample.with_target("plain", depth).with_target("wild", wild).with_target("huge", depth * 1e300)
    ranked, raw = factors(sample), factors(sample, transform="raw")
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
    ranked, raw = factors(sample), factors(sample, transform="raw")
    assert (ranked["num_archs"][0], ranked["num_absent"][0], ranked["num_infinite"][0]) == (190, 10, 0)
    assert (raw["num_archs"][0], raw["num_absent"][0], raw["num_infinite"][0]) == (170, 10, 20)
    assert "Left out as infinite: mine (20)" in raw.notes
    lowest = sample.with_target("lowest", np.where(np.isneginf(score), -1.0, score))
    frame = factors(lowest, ["mine", "lowest"])
    half = len(frame) // 2
    np.testing.assert_array_equal(frame["gain"][:half], frame["gain"][half:])


def test_duplicated_archs_stay_in_one_fold(r1):
    """Noise of archs that come twice would be predicted if one copy were learned and the other held out."""
    rows = np.repeat(np.arange(150), 2)
    sample = taken(r1, rows).with_target("noise", np.repeat(np.random.default_rng(7).normal(size=150), 2))
    assert factors(sample)["r2"][0] < 0.1


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
        frame = factors(sample, transform=transform)
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
    one = factors(taken(sample, np.arange(1)), ["macs"])
    assert one["reason"][0] == "1 arch with a value, a model needs 10"
    assert factors(taken(sample, np.arange(10)), ["macs"])["reason"][0] is None


def test_what_is_refused(r1):
    sample = r1.with_target("mine", r1.costs["macs"])
    with pytest.raises(UnknownNameError, match="no target named 'mien'; did you mean 'mine'"):
        factors(sample, ["mien"])
    with pytest.raises(UsageError, match=r"targets is 'mine'; it is a list of names: \['mine'\]"):
        factors(sample, "mine")
    with pytest.raises(UsageError, match="transform 'log'; it is 'rank' or 'raw'"):
        factors(sample, transform="log")
    with pytest.raises(UsageError, match="shuffle_seed -1; it is a whole number from 0"):
        factors(sample, shuffle_seed=-1)
    with pytest.raises(
        UsageError, match="has 1,500 archs and 0 targets were asked for; give at least one of each"
    ):
        factors(r1)
    with pytest.raises(UsageError, match="has 0 archs and 1 target was asked for"):
        factors(taken(sample, np.arange(0)))
    with pytest.raises(UsageError, match="no stage features to explain anything by"):
        factors(make_sample("bare", sample.archs, {}, {}, sample.targets))


def test_without_xgboost_the_error_says_what_to_install(r1, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ImportError, match=r"pip install '.\[factors\]'"):
        factors(r1.with_target("mine", r1.costs["macs"]))
    assert len(bias(r1, ["macs"]))  # needs none


# From a release


def test_every_target_is_explained_on_all_archs_that_have_it(bench):
    frame = bench.factors("r1-mini", "cifar10", "cpu-16px-4", targets=["naswot", "zen", "accuracy", "macs"])
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
    assert bench.factors("r1-mini", "cifar10", targets=["zen"], where="arch_id < 40")["num_archs"][0] == 39
    assert set(bench.sample("mb-mini", "cifar10").targets) == {"accuracy", "macs", "params", "depth"}


# Choices without an order


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(4)))
def test_names_may_be_numbered_in_any_way(order):
    """What a categorical input says does not depend on the numbers of its categories; as amounts it would."""
    sample = celled()
    effect = (
        np.array([0.0, 3.0, 1.0, 2.0])[sample.features["edge_02"].astype(int)]
        + 0.2 * sample.features["width"]
    )
    sample = sample.with_target("mine", effect + np.random.default_rng(1).normal(0, 0.3, 600))
    renumbered = np.array(order, float)[sample.features["edge_02"].astype(int)]
    turned = replace(sample, features={**sample.features, "edge_02": renumbered})
    first, second = factors(sample), factors(turned)
    for column in ("gain", "permutation", "r2"):  # equal splits may be met in another order
        np.testing.assert_allclose(first[column], second[column], atol=0.02, err_msg=column)
    assert (
        max(by_factor(first, "mine", "permutation").items(), key=lambda pair: np.nan_to_num(pair[1]))[0]
        == "edge_02"
    )


def test_categories_are_told_apart_by_one_split():
    """Category 1 of an edge against all others: only its own column is split on, and the model is exact."""
    sample = celled()
    sample = sample.with_target("mine", (sample.features["edge_12"] == 1).astype(float))
    frame = factors(sample)
    gain = by_factor(frame, "mine", "gain")
    assert gain["edge_12"] == pytest.approx(1, abs=1e-6) and frame["r2"][0] > 0.999
    assert by_factor(frame, "mine", "permutation")["edge_12"] > 1 and set(gain) == set(
        sample.features
    )  # importances of choices, not of columns
    assert [note for note in frame.notes if "one-hot" in note] == [
        "edge_01, edge_02, edge_12, module_5: categories without an order, one-hot in the models (a column "
        "per category, 15 in all); the gain of each is the sum over its columns, its permutation exchanges "
        "them together"
    ]
    amounts = make_sample(sample.name, sample.archs, sample.features, {}, sample.targets)
    assert not any("one-hot" in note for note in factors(amounts).notes)


def test_one_hot_gain_and_fit_by_a_slow_version():
    sample = celled(3, 200)
    target = (
        sample.features["edge_01"] % 3
        + np.nan_to_num(sample.features["module_5"])
        + np.random.default_rng(2).normal(size=200)
    )
    frame = factors(sample.with_target("mine", target), transform="raw")
    order, _ = shuffled(sample.archs, 0)
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
    """A model that reads the number off four columns loses 2 var(y) by their exchange; one by one, 3.1."""
    edge = np.arange(4000) % 4.0
    archs = tuple(f"arch-{i}" for i in range(4000))
    sample = make_sample("made", archs, {"edge": edge}, {}, {"edge": edge}, {"edge": tuple("abcd")})

    def predict(table):
        assert table.shape[1] == 4 and (table.sum(1) == 1).all()
        return (table @ np.arange(4) - edge.mean()) / edge.std()

    monkeypatch.setitem(sys.modules, "xgboost", stand_in(predict, {"f1": 3.0, "f3": 1.0}))
    (row,) = factors(sample, transform="raw")
    assert row["r2"] == pytest.approx(1) and abs(row["permutation"] - 2) < 4 * row["permutation_se"] < 0.4
    assert row["gain"] == row["gain_unique"] == 1
