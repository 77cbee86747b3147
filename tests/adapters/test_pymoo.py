"""pymoo: the problem's numbers, the front by a slow version, hypervolume and regret of known cases."""

import itertools
import sys

import numpy as np
import pytest

pytest.importorskip("pymoo")

from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize

from nbzero.adapters import Objectives
from nbzero.errors import MissingPackageError, UnknownNameError, UsageError
from nbzero.spaces.macro import as_arch

R1 = ("r1-mini", "cifar10", "cpu-16px-4")


@pytest.fixture(scope="module")
def trained(bench):
    return Objectives(bench, *R1, unmeasured="refuse")


def random_places(objectives, number, seed=0):
    rng = np.random.default_rng(seed)
    sizes = [len(one.options) for one in objectives.trainings.decisions]
    return rng.integers(sizes, size=(number, len(sizes)))


def slow_front(rows):
    """The rows that no other is at least as good as in all and better in one, each once."""
    kept = set()
    for row in map(tuple, rows):
        others = (other for other in map(tuple, rows) if other != row)
        if not any(all(a <= b for a, b in zip(other, row, strict=True)) for other in others):
            kept.add(row)
    return sorted(kept)


def test_the_problem_gives_error_and_costs(bench, trained):
    places = random_places(trained, 20)
    found = trained.problem().evaluate(places, return_values_of=["F", "G"])
    for row, violation, arch in zip(*found, map(trained.arch_of, places), strict=True):
        record = bench.query(arch)
        assert row.tolist() == [1 - record.accuracy(*R1[1:]), record.macs, record.params]
        assert violation.tolist() == [0]


def test_a_search_finds_archs_and_its_regret_falls(bench, trained):
    regrets = []
    for evaluations in (40, 600):
        problem = trained.problem()
        result = minimize(problem, NSGA2(20, **trained.operators()), ("n_eval", evaluations), seed=0)
        archs = trained.archs_of(result.X)
        assert archs and len(set(archs)) == len(archs)
        for arch in archs:
            assert bench.query(arch).accuracy(*R1[1:]) is not None
        regrets.append(trained.regret(result.F))
    assert 0 <= regrets[1] < regrets[0]
    best = trained.archs_of(result.X)[0]
    assert trained.test_accuracy(best) == bench.query(best).accuracy(*R1[1:], split="test")


def test_the_front_is_that_of_a_slow_version(trained, tables):
    for objectives in (trained, Objectives(tables, "nb201", "cifar10", "nb201-12", costs=["params"])):
        assert list(map(tuple, objectives.front())) == slow_front(objectives.all)
        assert np.array_equal(objectives.problem().pareto_front(), objectives.front())
        assert objectives.regret(objectives.front()) == 0
        assert objectives.regret(objectives.all) == pytest.approx(0, abs=1e-12)


def test_the_hypervolume_of_one_network_is_the_box_that_it_dominates(trained):
    low, high = trained.all.min(axis=0), trained.all.max(axis=0)
    for row in trained.all[:5]:
        scaled = (row - low) / (high - low)
        assert trained.hypervolume(row) == pytest.approx(np.prod(1 - scaled))
    assert trained.hypervolume(low) == pytest.approx(1)
    assert trained.hypervolume(high) == 0
    two = trained.all[:2]
    both = np.prod(1 - (two - low) / (high - low), axis=1).sum()
    shared = np.prod(1 - (two.max(axis=0) - low) / (high - low))
    assert trained.hypervolume(two) == pytest.approx(both - shared)


def test_nothing_found_is_the_whole_regret(trained):
    whole = trained.hypervolume(trained.front())
    assert 0 < whole < 1
    assert trained.regret(None) == trained.regret(np.empty((0, 3))) == whole


def test_the_grid_is_searched_where_others_are_predicted(bench):
    objectives = Objectives(bench, *R1, where="macs < 3e6")
    places = random_places(objectives, 60)
    objective, violation = objectives.problem().evaluate(places, return_values_of=["F", "G"])
    archs = [objectives.arch_of(row) for row in places]
    is_met = np.array([as_arch(arch).macs < 3e6 for arch in archs])
    assert 0 < is_met.sum() < 60 and (violation[:, 0] == ~is_met).all()
    assert (objective[~is_met, 0] == 1).all() and (objective[is_met, 0] < 1).all()
    assert not set(archs) <= set(bench.space("r1-mini"))
    front = objectives.front()
    assert (front[:, 1] < 3e6).all() and (np.diff(front[:, 0]) >= 0).all()


def test_costs_are_those_that_the_space_has(transnas, tables, bench):
    deep = Objectives(transnas, "transnas-macro", "class_scene", costs=["depth"])
    assert deep.all.shape[1] == 2 and set(deep.all[:, 1]) <= {8, 10, 12}
    with pytest.raises(UnknownNameError, match="no cost of nb201 named 'depth'; Known: macs, params"):
        Objectives(tables, "nb201", "cifar10", "nb201-200-mean", costs=["depth"])
    with pytest.raises(UnknownNameError, match="no cost of r1-mini named 'flops'"):
        Objectives(bench, *R1, costs=["flops"])
    with pytest.raises(UsageError, match="costs is 'macs'; it is a list of names"):
        Objectives(bench, *R1, costs="macs")
    with pytest.raises(UsageError, match="costs is empty; name one or two of macs, params, depth"):
        Objectives(bench, *R1, costs=[])


def test_the_same_places_are_asked_for_once(bench):
    objectives = Objectives(bench, *R1, unmeasured="refuse")
    problem, places = objectives.problem(), random_places(objectives, 3)
    for _ in range(4):
        problem.evaluate(places)
    assert len(objectives.trainings.simulation.history) == 3


def test_places_that_are_none(trained):
    for wrong in ([1, 2], [0] * 11, 3):
        with pytest.raises(UsageError, match="places of options of shape"):
            trained.arch_of(wrong)
    for place, wrong in itertools.product((0, 9), (-1, 40)):
        places = [0] * 10
        places[place] = wrong
        with pytest.raises(UsageError, match=f"place {wrong} of .*; its options have the places 0 to"):
            trained.arch_of(places)
    with pytest.raises(
        UsageError, match=r"objectives of shape \(4, 2\); they are \(N, 3\): 1 - val accuracy, macs"
    ):
        trained.hypervolume(np.ones((4, 2)))


def test_without_pymoo(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo", None)
    with pytest.raises(MissingPackageError, match=r"needs pymoo, .* pip install pymoo$"):
        Objectives(bench, *R1)
