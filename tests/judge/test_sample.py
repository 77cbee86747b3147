"""Samples: what a release has of a space, and targets and categories that do not fit."""

import numpy as np
import pytest

from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.bias import bias
from nbzero.judge.factors import factors
from nbzero.judge.pool import as_sample
from tests.judge.samples import first_of_r1, make_sample


def test_samples_of_a_release(bench):
    sample = bench.sample(
        "r1-mini", "cifar10", "cpu-16px-4", targets=["ntk", "accuracy", "params"], split="test"
    )
    table = bench.table("r1-mini", ["scores.ntk", "runs.test_acc", "archs.params"], "cifar10", "cpu-16px-4")
    for name, column, sign in (
        ("ntk", "scores.ntk", -1),
        ("accuracy", "runs.test_acc", 1),
        ("params", "archs.params", 1),
    ):
        np.testing.assert_array_equal(sample.targets[name], sign * np.asarray(table[column], float))
    other = bench.sample(
        "r1-mini",
        "cifar10",
        "cpu-16px-4",
        targets=["ntk", "accuracy"],
        protocol="std-32",
        seed=1,
        where="val_acc > 0",
    )
    assert (
        other.name == "r1-mini, cifar10, cpu-16px-4, val, std-32, seed 1, scores seed 0, where val_acc > 0"
        and not np.isnan(other.targets["accuracy"]).any()
    )
    raw = bench.sample("r1-mini", "cifar10", targets=["ntk"], orient=False)
    assert (
        raw.name == "r1-mini, cifar10, seed 0, raw signs"
        and sample.name == "r1-mini, cifar10, cpu-16px-4, test, seed 0"
    )
    np.testing.assert_array_equal(raw.targets["ntk"], -sample.targets["ntk"])
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4", proxies=["ntk"])
    same_archs = as_sample(pool)
    assert (
        len(same_archs) == len(pool)
        and same_archs.name == "r1-mini, cifar10, cpu-16px-4, val, seed 0, std-16"
    )
    np.testing.assert_array_equal(same_archs.targets["accuracy"], pool.accuracy)
    assert factors(pool, ["ntk"])["num_archs"][0] == len(pool) == bias(pool, ["ntk"])["num_both"][0]
    mine = sample.with_target("mine", {sample.archs[3]: 0.5})
    assert mine.targets["mine"][3] == 0.5 and np.isnan(mine.targets["mine"]).sum() == len(mine) - 1
    with pytest.raises(UnknownNameError, match="no target named 'zem'; did you mean 'zen'"):
        bench.factors("r1-mini", "cifar10", targets=["zem"])
    with pytest.raises(UnknownNameError, match="no target named 'acuracy'; did you mean 'accuracy'"):
        bench.bias("r1-mini", "cifar10", targets=["acuracy"])
    with pytest.raises(
        ValueError,
        match="no arch meets 'macs < 1': of the 1,000 archs of r1-mini none does; there macs is 259872 to",
    ):
        bench.factors("r1-mini", "cifar10", targets=["zen"], where="macs < 1")
    with pytest.raises(
        ValueError,
        match="neither scores nor val accuracies of r2-mini on cifar10; it has no data set of r2-mini",
    ):
        bench.factors("r2-mini", "cifar10")
    with pytest.raises(ValueError, match="targets is 'zen'"):
        bench.factors("r1-mini", "cifar10", targets="zen")


def test_targets_of_your_own_that_do_not_fit_are_refused():
    r1 = first_of_r1()
    sample = r1.with_target("mine", r1.costs["macs"])
    with pytest.raises(UsageError, match="already has a target 'mine'"):
        sample.with_target("mine", [1.0])
    with pytest.raises(UsageError, match=r"scores of shape \(3,\) for 'yours' and 1,500 archs"):
        sample.with_target("yours", [1, 2, 3])
    with pytest.raises(
        UsageError, match=r"1 of 2 scores are for archs not in r1, .*first 'r1-none'; leave them out"
    ):
        sample.with_target("yours", {"r1-none": 1.0, sample.archs[0]: 2.0})


def test_categories_that_do_not_fit_the_features_are_refused():
    with pytest.raises(
        ValueError, match="categories of 'edge_13', which is no feature of made; its features are edge_01"
    ):
        make_sample("made", ("a",), {"edge_01": np.zeros(1)}, {}, {}, {"edge_13": ("none",)})
    for value in (2.0, 0.5, -1.0, np.inf):
        with pytest.raises(
            ValueError, match=rf"edge_01 is {value:g} in made; it is one of 2 categories, 0 to 1, or NaN"
        ):
            make_sample("made", ("a",), {"edge_01": np.array([value])}, {}, {}, {"edge_01": ("none", "skip")})
