"""The simulated search: its clock is the sum of what was charged, and nothing is half-done."""

import math

import pytest
from hypothesis import given, strategies as st

from nbzero import PROXIES, Arch, Bench
from nbzero.errors import NothingFoundError, OutOfBudgetError, UnknownNameError

EMBEDDED = Bench()
SPACE, DATASET, RECIPE = "r1-mini", "cifar10", "cpu-16px-4"
QUERIES = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["train", "zen", "zen_no_shortcut", "synflow", "params"]),
        st.integers(0, 1),
    ),
    max_size=15,
)


def asked(sim, query):
    arch, what, seed = query
    arch = EMBEDDED.space(SPACE).members[arch]
    return sim.train(arch, seed) if what == "train" else sim.score(arch, what, seed)


def cost(query):
    arch, what, seed = query
    record = EMBEDDED.query((SPACE, arch))
    return (
        record.run(DATASET, RECIPE, seed).train_time_s
        if what == "train"
        else record.scores(DATASET, seed=seed).seconds[PROXIES[what].timed_as]
    )


@given(QUERIES, st.booleans())
def test_the_clock_is_the_sum_of_what_was_paid(queries, again):
    sim = EMBEDDED.simulate(SPACE, DATASET, RECIPE, charge_repeats=again)
    paid, known, total = set(), set(), 0.0
    for query in queries:
        arch, what, seed = query
        record = EMBEDDED.query((SPACE, arch))
        assert asked(sim, query) == (
            record.accuracy(DATASET, RECIPE, seed=seed)
            if what == "train"
            else record.score(what, DATASET, seed=seed)
        )
        made_by = what if what == "train" else PROXIES[what].timed_as
        if (arch, made_by, seed) not in paid or (again and query in known):
            total += cost(query)
        paid.add((arch, made_by, seed))
        known.add(query)
        assert sim.clock_s == pytest.approx(total) and sim.reason is None and sim.left_s == math.inf
    history = sim.history
    assert len(history) == len(queries) and history["charged_s"].sum() == pytest.approx(total)
    trained = [query for query in queries if query[1] == "train"]
    accuracies = [
        EMBEDDED.query((SPACE, arch)).accuracy(DATASET, RECIPE, seed=seed) for arch, _, seed in trained
    ]
    assert (sim.best[1] if sim.best else None) == max(accuracies, default=None)
    sim.reset()
    assert sim.clock_s == 0 and len(sim.history) == 0 and sim.best is None


@given(QUERIES, st.floats(1, 200))
def test_out_of_budget_changes_nothing(queries, budget):
    sim = EMBEDDED.simulate(SPACE, DATASET, RECIPE, budget_s=budget)
    for query in queries:
        before = sim.clock_s, sim.history.to_json(), sim.reason
        try:
            asked(sim, query)
        except OutOfBudgetError:
            assert before == (sim.clock_s, sim.history.to_json(), sim.reason) and cost(query) > sim.left_s
        assert sim.clock_s <= budget


def test_out_of_budget_says_what_it_takes():
    sim = EMBEDDED.simulate(SPACE, DATASET, RECIPE, budget_s=1)
    with pytest.raises(
        OutOfBudgetError,
        match=r"training of r1-mini-s4-.* takes [\d.]+ s and 1.00 of 1 s are left; nothing was charged",
    ):
        sim.train(EMBEDDED.space(SPACE)[0])


def test_simulations_are_independent():
    one, other = (EMBEDDED.simulate(SPACE, DATASET, RECIPE, budget_s=200) for _ in range(2))
    one.train(EMBEDDED.space(SPACE)[0])
    assert one.clock_s > 0 == other.clock_s and len(other.history) == 0
    assert repr(one).startswith("Simulation('r1-mini', 'cifar10', 'cpu-16px-4', 1 query, 49.1 of 200 s)")


def test_what_the_release_lacks_is_none_with_a_reason_and_free(bench, made):
    sim = bench.simulate(SPACE, DATASET, made.short)
    members = bench.space(SPACE).members
    stranger = next(str(arch) for arch in Arch.parse(members[0]).edits() if arch not in bench.space(SPACE))
    for answer, said in [
        (lambda: sim.train(members[200]), "this arch has no run on cifar10"),
        (lambda: sim.train(members[30], seed=1), "and seed 1"),
        (lambda: sim.train(stranger), "is no member"),
        (lambda: sim.score(stranger, "zen"), "is no member"),
        (lambda: sim.score(members[6], "zen"), "not computed by the job"),
        (lambda: sim.score(members[60], "zen", seed=1), "this arch has no scores on cifar10"),
    ]:
        assert answer() is None and said in sim.reason and sim.clock_s == 0
    assert [row["reason"] is not None for row in sim.history] == [True] * 6


def test_failures_cost_what_they_took(bench, made):
    sim = bench.simulate(SPACE, DATASET, made.short)
    members = bench.space(SPACE).members
    assert sim.train(members[7]) is None and "diverged" in sim.reason
    diverged = bench.query(members[7]).run(DATASET, made.short).train_time_s
    assert sim.clock_s == diverged > 0
    assert sim.score(members[4], "naswot") is None and "no ReLU layer" in sim.reason
    assert sim.clock_s == diverged + bench.query(members[4]).scores(DATASET).seconds["trace"]
    assert sim.score(members[8], "naswot") == -math.inf and sim.reason is None


def test_test_accuracies_only_where_asked_for(bench, made):
    arch = bench.space(SPACE)[0]
    record = bench.query(arch)
    assert bench.simulate(SPACE, DATASET, made.short).train(arch) == record.accuracy(DATASET, made.short)
    assert bench.simulate(SPACE, DATASET, made.short, split="test").train(arch) == record.accuracy(
        DATASET, made.short, split="test"
    )


def test_without_runs_there_is_nothing_to_simulate(bench, made):
    for ask, said in [
        (
            lambda: EMBEDDED.simulate("r1", "cifar10"),
            "no runs of r1 on cifar10 to simulate .*: the release has no runs of r1; it has runs of "
            "r1-mini, ",
        ),
        (
            lambda: bench.simulate(SPACE, "cifar10", "paper-360"),
            "with recipe paper-360 .*: measured are cifar10 with cpu-16px-12, cpu-16px-4; digits",
        ),
        (
            lambda: bench.simulate("mb-mini", "digits"),
            "no runs of mb-mini on digits .*: measured are cifar10 with cpu-16px-4",
        ),
    ]:
        with pytest.raises(NothingFoundError, match=said):
            ask()


def test_bad_input(bench, made):
    with pytest.raises(ValueError, match="several recipes"):
        bench.simulate(SPACE, DATASET)
    for budget in (0, -1, math.inf, math.nan, True, "10"):
        with pytest.raises(ValueError, match="it is a positive number of seconds, or None"):
            bench.simulate(SPACE, DATASET, made.short, budget_s=budget)
    with pytest.raises(ValueError, match="split 'train'"):
        bench.simulate(SPACE, DATASET, made.short, split="train")
    with pytest.raises(UnknownNameError, match="no space named 'r1-min'"):
        bench.simulate("r1-min", DATASET)
    sim = bench.simulate(SPACE, DATASET, made.short)
    with pytest.raises(UnknownNameError, match="no proxy named 'zne'; did you mean 'zen'"):
        sim.score(bench.space(SPACE)[0], "zne")
    with pytest.raises(ValueError, match="r1-mini"):
        sim.train("r1-mini-what")
    with pytest.raises(ValueError, match="seed 'mean'"):
        sim.train(bench.space(SPACE)[0], seed="mean")
    assert len(sim.history) == 0 and sim.clock_s == 0
