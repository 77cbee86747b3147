"""What a pool is made of, and what it refuses."""

import math

import numpy as np
import pytest

from builders.work.commit import commit_release
from nbzero import Bench
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.judge.hybrids import Hybrid
from nbzero.spaces.published import categories_of
from tests.pools import make_pool


def abc(**changed):
    """Three archs, a, b and c."""
    own = {"archs": ("a", "b", "c"), "costs": {"macs": np.array([1.0, 2, 3])}}
    own |= {"accuracy": np.array([0.1, 0.2, 0.3]), "arch_ids": np.arange(3)}
    own |= {"scores": {"zen": np.array([3.0, 1, math.nan])}, "features": {"s1_depth": np.array([1.0, 2, 2])}}
    return make_pool(**(own | changed))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accuracy": np.zeros(0)}, "a pool of made without archs"),
        (
            {"accuracy": np.array([0.1, 0.2])},
            "a pool of 2 accuracies with columns of other lengths: arch_ids 3, archs 3, macs 3, zen 3, "
            "s1_depth 3",
        ),
        (
            {"accuracy": np.array([0.1, math.nan, 0.3])},
            "1 of 3 accuracies are NaN; leave archs without an accuracy out",
        ),
        ({"arch_ids": np.array([4, 7, 4])}, "1 arch of the pool is there twice, like arch_id 4"),
        ({"archs": ("a", "b", "b")}, "1 arch of the pool is there twice, like arch 'b'"),
    ],
)
def test_a_pool_that_no_ranking_can_be_taken_of(change, said):
    with pytest.raises(ValueError, match=said):
        abc(**change)


def test_no_archs_left():
    with pytest.raises(ValueError, match="a pool of made without archs"):
        abc().only(np.zeros(3, bool))
    assert abc().only(np.array([2, 0])).archs == ("c", "a")


def test_costs_are_also_stage_features():
    assert abc().cost("s1_depth").tolist() == [1, 2, 2]
    with pytest.raises(UnknownNameError, match="no cost of made named 's1_dept'; did you mean 's1_depth'"):
        abc().cost("s1_dept")


def test_its_name_says_where_accuracies_and_scores_come_from():
    assert abc().name == "made, digits, short, val, seed 0, std, N = 3"
    assert abc(score_seed=2).name == "made, digits, short, val, seed 0, std seed 2, N = 3"
    assert abc(seed=1, score_seed=1).name == "made, digits, short, val, seed 1, std, N = 3"
    assert (
        abc(scores={}, metric="negative loss").name == "made, digits, short, val negative loss, seed 0, N = 3"
    )


def test_a_pool_carries_the_accuracies_of_all_its_seeds(bench: Bench, made):
    pool = bench.pool("r1-mini", "cifar10", made.short)
    assert pool.accuracies.shape == (2, len(pool)) and pool.num_shared == 18
    assert pool.accuracies[0].tolist() == pool.accuracy.tolist()
    second = [bench.query(arch).accuracy("cifar10", made.short, seed=1) for arch in pool.archs]
    assert [None if math.isnan(one) else one for one in pool.accuracies[1]] == second
    assert pool.only(np.array([5, 2])).accuracies[1].tolist() == [second[5], second[2]]
    assert bench.pool("mb-mini", "cifar10").accuracies is None
    with pytest.raises(
        UsageError, match=r"accuracies of shape \(1, 3\) .*; they are \(S, 3\), a row for each"
    ):
        abc(accuracies=np.ones((1, 3)))


def test_the_seed_of_the_scores(bench: Bench, made):
    asked = ("r1-mini", "cifar10", made.short)
    same = bench.pool(*asked, seed=1)  # scores with seed 1 are there
    assert same.score_seed is None and same.scores["zen"][0] == bench.query(same.archs[0]).score(
        "zen", "cifar10", seed=1
    )
    one = bench.pool(*asked, seed=1, score_seed=0)
    assert one.score_seed == 0 and one.accuracy.tolist() == same.accuracy.tolist()
    assert (
        one.scores["zen"][0] == bench.query(one.archs[0]).score("zen", "cifar10", seed=0)
        and "std-16 seed 0" in one.name
    )
    other = bench.pool(*asked, protocol="std-32", seed=1)  # of this protocol there is seed 0 alone
    assert other.score_seed == 0 and not np.isnan(other.scores["zen"]).all()
    with pytest.raises(
        ValueError,
        match="score_seed 7: the release has no scores of r1-mini on cifar10 with it; seeds with scores: 0, "
        "1, 2",
    ):
        bench.pool(*asked, score_seed=7)


def test_a_condition_on_scores_is_of_the_seed_of_the_scores(bench: Bench, made):
    asked = ("r1-mini", "cifar10", made.short)
    whole = bench.pool(*asked, score_seed=2)
    middle = np.nanmedian(whole.scores["zen"])
    some = bench.pool(*asked, score_seed=2, where=f"zen > {middle}")
    assert some.archs == tuple(
        arch for arch, zen in zip(whole.archs, whole.scores["zen"], strict=True) if zen > middle
    )
    assert some.where == f"zen > {middle}" and some.name.endswith(
        f"std-16 seed 2, where zen > {middle}, N = {len(some)}"
    )
    sample = bench.sample("r1-mini", "cifar10", targets=["zen"], score_seed=2, where=f"zen > {middle}")
    assert (sample.targets["zen"] > middle).all()
    far = bench.pool(
        *asked, protocol="std-32", seed=1, where="zen < 99"
    )  # scores of seed 0, to which the condition is put too
    assert len(far) and far.score_seed == 0


def test_the_test_split_does_not_choose_a_pool_of_val(bench: Bench, made):
    for where in ("test_acc > 0.4", "macs > 1e6 and runs.test_acc < 1"):
        with pytest.raises(ValueError, match="chooses archs by the test split in a pool of val"):
            bench.pool("r1-mini", "cifar10", made.short, where=where)
    assert len(bench.pool("r1-mini", "cifar10", made.short, split="test", where="test_acc > 0.4"))


def test_a_cost_has_one_meaning(bench: Bench, made):
    """As a proxy too it is that of the archs table, whatever a scores table has under its name."""
    assert abc(scores={"macs": np.array([5.0, math.nan, 7])}).score("macs").tolist() == [1, 2, 3]
    pool = bench.pool("r1-mini", "cifar10", made.short)
    assert not {"macs", "params", "depth"} & set(pool.scores)
    for name in ("macs", "params", "depth"):
        assert pool.score(name)[0] == getattr(bench.query(pool.archs[0]), name)
        assert pool.score(name)[0] != bench.query(pool.archs[0]).score(name, "cifar10")


def test_a_score_that_no_arch_has_leaves_the_cost_of_that_name():
    pool = abc(scores={"macs": np.full(3, math.nan), "zen": np.array([1.0, 2, 3])})
    assert pool.score("macs").tolist() == [1, 2, 3] and list(pool.scores_and_costs) == ["zen", "macs"]
    assert Hybrid(("macs", "zen")).scores(pool).tolist() == [2, 4, 6]


def test_what_no_arch_has_a_score_of_is_kept_with_the_reason(bench: Bench, made):
    asked = ("r1-mini", "cifar10", made.short)
    assert not bench.pool(*asked).unscored
    for where, name in (("arch_id == 4", "naswot"), ("arch_id == 6", "zen")):
        for proxies in (None, [name, "snip"]):
            pool = bench.pool(*asked, where=where, proxies=proxies)
            assert (
                dict(pool.unscored) == {name: bench.query(pool.archs[0]).score_reason(name, "cifar10")}
                and name not in pool.scores
            )
            assert pool.without_scores == [name] and "snip" in pool.scores and "std-16" in pool.name
            with pytest.raises(
                NothingFoundError,
                match=rf"no arch of r1-mini, .* has a score of {name} \(the first arch: (naswot counts|not "
                rf"computed)",
            ):
                pool.score(name)
        sample = bench.sample("r1-mini", "cifar10", recipe=made.short, where=where)
        assert sample.unscored == pool.unscored and np.isnan(sample.targets[name]).all() and len(sample) == 1
    assert "naswot" in bench.pool(*asked, where="arch_id == 4 or arch_id == 5").scores
    digits = bench.pool(
        "r1-mini", "digits", made.short
    )  # never scored: no proxy was looked for, so none is missing
    assert not digits.scores and not digits.unscored
    named = bench.pool("r1-mini", "digits", made.short, proxies=["zen"])
    assert dict(named.unscored) == {
        "zen": "the release has no scores of r1-mini on digits with protocol std-16"
    }


def test_a_mean_that_no_arch_has(made, tmp_path):
    scores = [
        made.score_row(arch_id, seed=seed, failed={"zen": "no zen"} if seed == arch_id else {})
        for arch_id in (0, 1)
        for seed in (0, 1)
    ]
    rows = {
        ("runs", "r1-mini", "cifar10"): [made.run_row(0), made.run_row(1)],
        ("scores", "r1-mini", "cifar10"): scores,
    }
    commit_release(tmp_path / "means", made.as_tables(rows, ["r1-mini"]), "0.1.0")
    bench = Bench(tmp_path / "means")
    assert not bench.pool("r1-mini", "cifar10").unscored  # one of them has it with seed 0
    assert dict(bench.pool("r1-mini", "cifar10", score_seed="mean").unscored) == {
        "zen": "it has no score with one of the seeds"
    }


def test_a_part_of_a_pool_knows_what_it_has_no_score_of():
    part = abc(unscored={"ntk": "singular"}).only(np.array([2]))
    assert (
        part.without_scores == ["zen", "ntk"] and part.why_unscored("ntk") == "ntk (the first arch: singular)"
    )
    for name, why in (("zen", "zen"), ("ntk", r"ntk \(the first arch: singular\)")):
        with pytest.raises(
            NothingFoundError, match=f"no arch of made, .* has a score of {why}, so it picks nothing"
        ):
            part.check_scored(["macs", name])
    assert abc(scores={"macs": np.full(3, math.nan)}).without_scores == []  # the cost stands there


def test_the_cheapest_arch_in_words():
    pool = abc(
        costs={"macs": np.array([3.0, 1234567, 1]), "params": np.array([1.0, 2, 5])},
        features={"s4_depth": np.array([math.nan, 2, math.nan])},
    )
    assert pool.cheapest(["macs"]) == "the cheapest arch, c, has macs 1"
    assert (
        pool.cheapest(["macs", "s4_depth"])
        == "the cheapest arch by macs, c, has macs 1, the cheapest arch by s4_depth, b, has macs 1234567 "
        "and s4_depth 2"
    )
    assert abc(features={"s4_depth": np.full(3, math.nan)}).cheapest(["s4_depth"]) == "no arch has s4_depth"


def test_a_condition_that_nothing_meets_is_told_apart_from_a_pool_without_runs(bench: Bench, made):
    with pytest.raises(
        NothingFoundError,
        match=r"no arch meets 'naswot > 1e9': of the 59 archs of r1-mini with a val accuracy .* there "
        r"naswot is -inf to",
    ):
        bench.pool("r1-mini", "cifar10", made.short, where="naswot > 1e9")
    with pytest.raises(
        NothingFoundError,
        match=r"no arch of r2-mini has a val accuracy on cifar10; the release has no runs of r2-mini; it "
        r"has runs of r1-mini",
    ):
        bench.pool("r2-mini", "cifar10", where="macs < 1")
    with pytest.raises(
        NothingFoundError, match=r"'status == \"lost\"': of the 59 archs .* 0 do\); widen"
    ):  # a text has no range
        bench.pool("r1-mini", "cifar10", made.short, where='status == "lost"')


def test_a_condition_on_runs_and_scores(bench: Bench, made):
    asked = ("r1-mini", "cifar10", made.short)
    whole = bench.pool(*asked)
    some = bench.pool(*asked, where="val_acc > 0.4 and zen > 0 and macs < 1e9")
    assert some.archs == tuple(
        arch
        for arch, accuracy, zen in zip(whole.archs, whole.accuracy, whole.scores["zen"], strict=True)
        if accuracy > 0.4 and zen > 0
    )
    assert 0 < len(some) < len(whole)
    with pytest.raises(
        ValueError,
        match="no arch of r1-mini has a val accuracy on cifar10 with recipe cpu-16px-4 and seed 5, of seeds "
        "0, 1; measured are",
    ):
        bench.pool(*asked, seed=5)


def test_the_choices_of_an_imported_space_are_no_costs():
    pool = abc(
        space="nbmacro",
        costs={},
        features={"layer_1": np.array([0.0, 1, 2])},
        categories=categories_of("nbmacro"),
    )
    with pytest.raises(UnknownNameError, match="no cost of nbmacro named 'layer_1'; Known: none"):
        pool.cost("layer_1")
