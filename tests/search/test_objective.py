"""Objectives: each is what the tables, the surrogate or the definition say, and nothing else."""

import numpy as np
import pytest

from nbzero import Arch
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.judge import Hybrid
from nbzero.judge.votes import copeland, log_rank_sum
from nbzero.proxies.facts import PROXIES
from nbzero.search import PredictedAccuracy, run
from tests.importers.made import imported

ON = ("r1-mini", "cifar10", "cpu-16px-4")


@pytest.fixture(scope="module")
def shipped():
    from nbzero import Bench

    return Bench()


@pytest.fixture(scope="module")
def objective(bench):
    """Of the made release."""

    def make(of, **more):
        return bench.objective("r1-mini", of, "cifar10", **more)

    return make


@pytest.mark.parametrize("proxy", ["zen", "ntk"])  # higher and lower is better
def test_a_proxy_is_its_stored_score_in_its_direction(bench, objective, proxy):
    found = objective(proxy)
    assert found.kind == "score" and found.name == f"{proxy}, cifar10, std-16, seed 0"
    assert list(found.archs) == list(bench.space("r1-mini"))
    for arch in found.archs[10:30]:
        assert found(arch) == PROXIES[proxy].direction * bench.query(arch).score(proxy, "cifar10")


def test_a_score_that_failed_is_none_and_minus_infinity_a_number(bench, objective):
    naswot = objective("naswot")
    archs = bench.space("r1-mini")
    assert naswot(archs[4]) is None and naswot(archs[8]) == -np.inf


def test_archs_that_were_not_scored_are_not_searched(bench, objective):
    assert list(objective("zen", score_seed=1).archs) == list(bench.space("r1-mini")[:50])
    by_hand = [bench.space("r1-mini")[arch_id] for arch_id in (0, 1, 2, 500)]
    assert list(objective("zen", protocol="std-32").archs) == by_hand
    assert objective("zen", protocol="std-32").name == "zen, cifar10, std-32, seed 0"


def test_votes_and_ranks_are_taken_over_all_scored_archs(bench, objective):
    def columns(*names):
        rows = []
        for name in names:
            values = bench.table("r1-mini", [name], "cifar10")[name]
            rows.append(values * PROXIES[name].direction if name in PROXIES else values)
        return np.array(rows)

    sjw = objective("sjw")
    assert sjw.kind == "hybrid" and sjw.name == "sjw, cifar10, std-16, seed 0"
    expected = copeland(columns("synflow", "jacob_cov", "wrcor"))
    assert [sjw(arch) for arch in sjw.archs] == expected.tolist()
    az_nas = objective("az_nas")
    names = ("az_expressivity", "az_progressivity", "az_trainability", "macs")
    expected = log_rank_sum(columns(*names))
    np.testing.assert_allclose([az_nas(arch) for arch in az_nas.archs], expected, atol=1e-9)
    added = objective(["zen", "ntk"])
    ranks = np.argsort(np.argsort(columns("zen", "ntk"), axis=1), axis=1)
    order = np.argsort([added(arch) for arch in added.archs], kind="stable")
    assert ranks.sum(0)[order].tolist() == sorted(ranks.sum(0)) or np.isnan(columns("zen")).any()
    given = objective(Hybrid(("zen", "ntk"), "majority"))
    assert given.name.startswith("majority(zen + ntk), cifar10")


def test_an_accuracy_is_that_of_the_runs(bench, objective):
    found = objective("accuracy", recipe=ON[2])
    assert found.kind == "measured accuracy" and found.name == "val accuracy, cifar10, cpu-16px-4, seed 0"
    assert len(found.archs) == 59  # of 60 one diverged
    for arch in found.archs[:5]:
        assert found(arch) == bench.query(arch).accuracy("cifar10", ON[2])
    test = objective("accuracy", recipe=ON[2], split="test", seed=1)
    assert test.name == "test accuracy, cifar10, cpu-16px-4, seed 1"
    assert test(test.archs[0]) == bench.query(test.archs[0]).accuracy("cifar10", ON[2], "test", 1)


def test_a_prediction_is_named_so_and_answers_for_the_grid(shipped):
    found = shipped.objective("r1-mini", "predicted", "cifar10")
    assert found.kind == "predicted accuracy" and found.archs is None
    assert found.name.startswith("predicted accuracy, cifar10, cpu-16px-4, from ")
    arch = "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2"
    assert arch not in shipped.space("r1-mini")
    mean, _, sd_run = shipped.surrogate("r1-mini", "cifar10").predict_one(arch)
    assert isinstance(found(arch), PredictedAccuracy)
    assert found(arch) == mean and found(arch).sd_run == sd_run
    history = run("r1-mini", found, "evolution", 80, {"macs": 5e6})
    assert isinstance(history.best[1], PredictedAccuracy) and "for predicted accuracy" in history.title


def test_a_cost_answers_for_the_grid(objective):
    found = objective("macs")
    assert found.kind == "cost" and found.archs is None
    arch = "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2"
    assert found(arch) == Arch.parse(arch).macs


def test_seconds_are_those_of_a_simulated_search(shipped):
    simulation = shipped.simulate(*ON)
    arch = shipped.space("r1-mini")[3]
    of = {
        "accuracy": simulation.seconds(arch),
        "predicted": simulation.seconds(arch),
        "zen": simulation.seconds(arch, "zen"),
        "macs": None,
    }
    for name, seconds in of.items():
        assert shipped.objective(*ON[:1], name, *ON[1:]).seconds(arch) == seconds
    shared = shipped.objective("r1-mini", ["snip", "grad_norm", "macs"], "cifar10")  # one pass, and no pass
    assert shared.seconds(arch) == simulation.seconds(arch, "snip")


def test_published_benchmarks(tmp_path, few_archs):
    for name in ("nb201", "nbmacro"):
        (tmp_path / name).mkdir()
    nb201 = imported(tmp_path / "nb201", "nb201")
    synflow = nb201.objective("nb201", "synflow", "cifar10")
    assert synflow.seconds(synflow.archs[0]) is None  # no clock knows it
    history = run("nb201", synflow, "evolution", 300)
    scores = nb201.table("nb201", ["synflow"], "cifar10")["synflow"]
    assert history.best[1] == np.nanmax(scores) and "every arch came" in history.ended
    nbmacro = imported(tmp_path / "nbmacro", "nbmacro")
    with pytest.raises(NothingFoundError, match="no arch of nbmacro has a val accuracy"):
        nbmacro.objective("nbmacro", "accuracy", "cifar10")
    assert nbmacro.objective("nbmacro", "accuracy", "cifar10", split="test").name.startswith("test accuracy")


@pytest.mark.parametrize(
    ("of", "more", "error", "said"),
    [
        ("latency", {}, UsageError, "a latency is best when it is low; limit it by a budget, as latency=2.5"),
        ("naswoot", {}, UnknownNameError, "no objective named 'naswoot'; did you mean 'naswot'"),
        ("zen", {"score_seed": 9}, NothingFoundError, "score_seed 9"),
        ("zen", {"protocol": "std-64"}, UnknownNameError, "no protocol named 'std-64'"),
        ("zen", {"score_seed": "mean"}, UsageError, "seed='mean' needs the same seeds for every arch"),
        ("predicted", {"recipe": "cpu-16px-12"}, NothingFoundError, "surrogate"),
        ("predicted", {"split": "test"}, UsageError, "split 'test' of predictions"),
        ([], {}, UsageError, "members none"),
        (3, {}, UsageError, "objective 3; it is a name, a Hybrid, or a list of names"),
        ("depht", {}, UnknownNameError, "best_four, bndlent, depth, dyniso"),
        (["zen", "zenn"], {}, UnknownNameError, "no target named 'zenn'"),
    ],
)
def test_bad_objectives(objective, of, more, error, said):
    with pytest.raises(error, match=said):
        objective(of, **more)


def test_a_cost_that_the_definition_does_not_fix(tmp_path, few_archs):
    darts = imported(tmp_path, "darts")
    with pytest.raises(UnknownNameError, match="no cost of darts that its definition fixes named 'macs'"):
        darts.objective("darts", "macs", "cifar10")


def test_another_space_or_data_set(bench):
    with pytest.raises(UnknownNameError, match="no space named 'r9'"):
        bench.objective("r9", "zen", "cifar10")
    with pytest.raises(UnknownNameError, match="no dataset named 'cifar'"):
        bench.objective("r1-mini", "macs", "cifar")
    with pytest.raises(NothingFoundError, match="no arch of r2-mini has a score of zen on cifar10"):
        bench.objective("r2-mini", "zen", "cifar10")
