"""Pools of predicted accuracies: which archs they hold, that they say so, and where intervals come from."""

import numpy as np
import pytest

from nbzero import Bench, NothingFoundError, UsageError, judge, metrics
from nbzero.judge.hybrids import hybrid

SPACE = ("r2-mini", "cifar10")


@pytest.fixture(scope="module")
def shipped() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def pool(shipped):
    return shipped.pool(*SPACE, accuracy="predicted")


def test_it_holds_every_member_that_has_scores(shipped, pool):
    surrogate = shipped.surrogate(*SPACE)
    assert pool.archs == tuple(shipped.space("r2-mini").members) and len(pool) == 1000
    np.testing.assert_allclose(pool.accuracy, surrogate.predict(pool.archs).mean, atol=1e-8)
    measured = shipped.pool(*SPACE)
    assert len(measured) == 100 and measured.surrogate is None
    for proxy in ("zen", "synflow"):
        assert (pool.scores[proxy][measured.arch_ids] == measured.scores[proxy]).all()
    few = shipped.pool(*SPACE, accuracy="predicted", where="macs < 1e6", score_seed=1)
    assert len(few) < len(pool) and few.surrogate is surrogate
    assert "where macs < 1e6" in few.name and "std-16 seed 1" in few.name
    assert len(shipped.pool(*SPACE, accuracy="predicted", proxies=[])) == 1000


def test_a_space_of_which_a_part_is_scored(bench_with_few_scores):
    pool = bench_with_few_scores.pool("r1-mini", "cifar10", accuracy="predicted")
    assert len(pool) == 30 and pool.arch_ids.tolist() == list(range(0, 300, 10))
    assert len(bench_with_few_scores.pool("r1-mini", "cifar10", accuracy="predicted", proxies=[])) == 1000


@pytest.fixture
def bench_with_few_scores(shipped, made, tmp_path):
    """The shipped r1-mini with scores of every tenth of its first 300 archs."""
    from builders.work.commit import commit_release

    tables = {key: table for key, table in shipped.release.files.tables().items() if key[1] == "r1-mini"}
    rows = {("scores", "r1-mini", "cifar10"): [made.score_row(arch_id) for arch_id in range(0, 300, 10)]}
    commit_release(tmp_path / "few", tables | made.as_tables(rows, ["r1-mini"]), "0.9.0")
    return Bench(tmp_path / "few")


def test_every_title_says_predicted(shipped, pool):
    assert "val predicted accuracy, from 100 trained networks" in pool.name
    assert pool.split == "val" and pool.seed == "predicted" and pool.metric == "predicted accuracy"
    frames = {
        "mbr": judge.mbr_table(pool),
        "correlations": judge.correlations(pool),
        "constrained": judge.constrained(pool),
        "bias": shipped.bias(*SPACE, targets=["zen"], accuracy="predicted"),
    }
    report = shipped.evaluate(pool.scores["zen"], *SPACE, name="mine", accuracy="predicted", resamples=20)
    frames |= {"metrics": report.metrics, "picks": report.picks, "intervals": report.intervals}
    for name, frame in frames.items():
        assert "predicted accuracy, from 100 trained networks" in frame.title, name
    assert "20 draws of the accuracies" in report.intervals.title
    for name in ("mbr", "correlations", "constrained"):
        notes = " ".join(frames[name].notes)
        assert "Accuracies are predicted, from 200 runs of 100 networks" in notes, name
        assert "another seed" not in frames[name]["proxy"].tolist(), name
    assert "predicted" in judge.mbr_lead(pool, "zen", "macs", resamples=10).pool
    assert "predicted" in repr(report)


def test_intervals_are_of_draws_of_the_posterior(pool):
    drawn = pool.draws(20, 7)
    wanted = [
        metrics.mbr(pool.scores["zen"], one, pool.costs["macs"], spacing="quantile", budgets=5)
        for one in drawn
    ]
    table = judge.mbr_table(pool, "macs", resamples=20, bootstrap_seed=7)
    row = table["proxy"].tolist().index("zen")
    found = (table["mbr_macs_low"][row], table["mbr_macs_high"][row])
    assert found == pytest.approx(metrics.interval(wanted), abs=1e-12)
    oracle = table["proxy"].tolist().index("oracle")
    assert table["mbr_macs"][oracle] == 0 < table["mbr_macs_high"][oracle] < 0.05
    taus = judge.correlations(pool, resamples=20, bootstrap_seed=7)
    row = taus["proxy"].tolist().index("macs")
    wanted = [metrics.kendall_tau(pool.costs["macs"], one) for one in drawn]
    found = (taus["kendall_low"][row], taus["kendall_high"][row])
    assert found == pytest.approx(metrics.interval(wanted), abs=1e-12)
    assert "20 draws of the accuracies from the posterior" in " ".join(taus.notes)
    lead = judge.mbr_lead(pool, "zen", "macs", resamples=20)
    assert lead.low <= lead.high and lead.num_archs == 1000


def test_a_part_of_the_pool_draws_its_own_archs(pool):
    part = pool.only(np.arange(20))
    assert part.draws(30, 0).shape == (30, 20)
    sd = part.surrogate.predict(part.archs).sd_mean
    assert np.abs(part.draws(4000, 0).std(axis=0) / sd - 1).max() < 0.1


def test_measured_accuracies_have_no_draws(shipped):
    with pytest.raises(UsageError, match="is measured; draws are of a pool with accuracy='predicted'"):
        shipped.pool(*SPACE).draws(3, 0)


WRONG = [
    ({"split": "test"}, UsageError, "split 'test' with accuracy='predicted': val alone is predicted"),
    ({"seed": 0}, UsageError, "seed 0 with accuracy='predicted'"),
    ({"seed": "mean"}, UsageError, "seed 'mean' with accuracy='predicted'"),
    ({"where": "macs < 0"}, NothingFoundError, "of the 1,000 archs of r2-mini with scores on cifar10"),
    ({"accuracy": "guessed"}, UsageError, "accuracy 'guessed'; it is 'measured' or 'predicted'"),
]


@pytest.mark.parametrize("which, kind, said", WRONG)
def test_what_is_refused(shipped, which, kind, said):
    for ask in (shipped.pool, shipped.mbr_table):
        with pytest.raises(kind, match=said):
            ask(*SPACE, **{"accuracy": "predicted", **which})
    if "where" not in which:
        with pytest.raises(kind, match=said):
            shipped.factors(*SPACE, **{"accuracy": "predicted", **which})


def test_a_space_without_surrogate(shipped, bench):
    with pytest.raises(NothingFoundError, match="a surrogate needs runs of 20"):
        shipped.pool("r2", "cifar100", accuracy="predicted")
    with pytest.raises(NothingFoundError, match="no predictions of r1-mini"):
        bench.pools(["r1-mini"], accuracy="predicted")


def test_pools_samples_and_transfer(shipped):
    found = shipped.pools(["r1-mini", "r2-mini"], proxies=["zen", "snip"], accuracy="predicted")
    pools = [pool for pool in found if (pool.dataset, pool.recipe) == ("cifar10", "cpu-16px-4")]
    assert [len(pool) for pool in pools] == [1000, 1000]
    assert {(pool.space, pool.dataset, pool.recipe) for pool in found} == {
        (space, dataset, recipe)
        for space in ("r1-mini", "r2-mini")
        for dataset in shipped.datasets(space)
        for recipe in shipped.recipes(space, dataset)
    }
    measured = shipped.pool(*SPACE, proxies=["zen", "snip"])
    pairs = judge.transfer([measured, pools[1]]).pairs
    assert pairs["across"].tolist() == ["seed"] and "same runs" in str(list(pairs))
    with pytest.raises(UsageError, match="resamples 10 with predicted accuracies"):
        judge.transfer(pools, resamples=10)
    sample = shipped.sample(*SPACE, targets=["zen", "accuracy"], accuracy="predicted")
    assert "val predicted accuracy, from 100 trained networks" in sample.name
    assert not np.isnan(sample.targets["accuracy"]).any() and len(sample) == 1000


def test_a_hybrid_chosen_on_measured_runs_saw_what_predictions_are_made_of(shipped, pool):
    search = shipped.hybrid(*SPACE, proxies=["zen", "snip", "macs"], draws=0)
    assert search.chosen.relation(pool) == "in-sample"
    assert hybrid("sjw").mbr(pool) >= 0
