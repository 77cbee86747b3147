"""Bias: a slow version by hand gives the same numbers, ties share, and what cannot be judged says so."""

import math

import numpy as np
import pytest

from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.bias import bias
from tests.judge.samples import celled, first_of_r1, make_sample, same, taken


@pytest.fixture(scope="module")
def r1():
    return first_of_r1()


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
    """Standard errors of a liked group's mean and of two differences match their spread over new samples."""
    rng = np.random.default_rng(9)
    numbers = []
    archs = tuple(f"arch-{i}" for i in range(200))
    columns = ("mean", "mean_se", "difference", "difference_se", "best_difference", "best_difference_se")
    for _ in range(400):
        x, kind = rng.normal(size=200), rng.integers(0, 4, 200)
        # Two groups of about 100 that overlap by half.
        targets = {"mine": (kind % 2).astype(float), "accuracy": (kind // 2).astype(float)}
        (row,) = bias(make_sample("made", archs, {"x": x}, {}, targets), ["mine"], top=0.5)
        numbers.append([row[column] for column in columns])
    made = np.array(numbers)
    for value, error in ((0, 1), (2, 3), (4, 5)):
        assert made[:, value].std() == pytest.approx(made[:, error].mean(), rel=0.12)


def test_ties_at_the_limit_share_the_places():
    features = {"a": np.arange(40.0)}
    score = np.where(np.arange(40) < 30, 1.0, 2.0)
    sample = make_sample(
        "made", tuple(f"arch-{i}" for i in range(40)), features, {}, {"mine": score, "flat": np.ones(40)}
    )
    mine, flat = bias(sample, min_top=15)
    assert (mine["num_top"], mine["num_tied"]) == (15, 30)  # ten above, thirty for five places
    assert mine["mean"] == pytest.approx((np.arange(30, 40).sum() + 5 * np.arange(30).mean()) / 15)
    assert flat["mean"] == flat["pool_mean"] == 19.5 and flat["difference"] == 0 and flat["num_tied"] == 40
    assert flat["difference_se"] < 0.05
    low = bias(
        make_sample("made", sample.archs, features, {}, {"mine": np.where(np.arange(40) < 35, -np.inf, 1.0)})
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


def test_bias_repeats_whatever_the_order_of_the_archs(r1):
    sample = taken(r1, np.arange(300))
    noisy = np.log(sample.costs["macs"]) + np.random.default_rng(4).normal(size=300)
    noisy[::7] = np.nan
    sample = sample.with_target("noisy", noisy).with_target("params", sample.costs["params"])
    turned = taken(sample, np.random.default_rng(5).permutation(300))
    same(bias(sample), bias(sample))
    for column in ("mean", "mean_se", "q25", "median", "q75", "difference", "difference_se"):
        np.testing.assert_allclose(bias(sample)[column], bias(turned)[column], err_msg=column)


def test_what_is_refused(r1):
    sample = r1.with_target("mine", r1.costs["macs"])
    with pytest.raises(UnknownNameError, match="no target named 'mien'; did you mean 'mine'"):
        bias(sample, ["mien"])
    for top in (0, 0.6, float("nan")):
        with pytest.raises(
            UsageError, match=f"top is {top}; it is a share of the archs above 0 and at most 0.5"
        ):
            bias(sample, top=top)
    with pytest.raises(UsageError, match="min_top is 1; it is a number of archs, at least 2"):
        bias(sample, min_top=1)


def test_bias_of_a_release(bench):
    frame = bench.bias("r1-mini", "cifar10", "cpu-16px-4", targets=["zen", "macs"], where="depth < 13")
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
