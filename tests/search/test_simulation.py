"""The simulated search: its clock is the sum of what was charged, it ends, and nothing is half-done."""

import itertools
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import PROXIES, Arch, Bench
from nbzero.errors import NothingFoundError, OutOfBudgetError, UnknownNameError, UsageError
from nbzero.search import PredictedAccuracy
from tests.importers.made import imported

EMBEDDED = Bench()
SPACE, DATASET, RECIPE = "r1-mini", "cifar10", "cpu-16px-4"
TABLES = {"unmeasured": "none", "clock": "recorded"}  # what the tables hold, and nothing else
QUERIES = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["train", "zen", "zen_no_shortcut", "synflow", "params"]),
        st.integers(0, 1),
    ),
    max_size=15,
)


def simulate(**settings):
    return EMBEDDED.simulate(SPACE, DATASET, RECIPE, **settings)


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


def stranger():
    """A grid arch that is no member."""
    space = EMBEDDED.space(SPACE)
    return next(str(arch) for arch in Arch.parse(space[0]).edits() if arch not in space)


@given(QUERIES, st.booleans())
def test_the_clock_is_the_sum_of_what_was_paid(queries, again):
    sim = simulate(charge_repeats=again, **TABLES)
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
    assert set(history["clock"]) <= {"recorded"} and set(history["source"]) <= {"measured"}
    trained = [query for query in queries if query[1] == "train"]
    accuracies = [
        EMBEDDED.query((SPACE, arch)).accuracy(DATASET, RECIPE, seed=seed) for arch, _, seed in trained
    ]
    assert (sim.best[1] if sim.best else None) == max(accuracies, default=None)
    sim.reset()
    assert sim.clock_s == 0 and len(sim.history) == 0 and sim.best is None


@pytest.mark.parametrize("clock", ["modelled", "recorded"])
@given(queries=QUERIES, budget=st.floats(0.01, 200))
def test_a_search_ends_exactly_at_its_budget(clock, queries, budget):
    sim = simulate(clock=clock, unmeasured="none", budget_s=budget)
    queries = [*queries, (0, "train", 0)]
    rounds = 0
    while not sim.done:
        query = queries[rounds % len(queries)]
        answer = asked(sim, query)
        rounds += 1
        assert sim.clock_s <= budget
        if not sim.done:
            assert answer is not None
    assert sim.clock_s == budget and sim.left_s == 0
    history = sim.history
    assert history["charged_s"].sum() == pytest.approx(budget)
    if sim.reason is not None:
        assert "cut off:" in sim.reason and history["reason"][-1] == sim.reason
    before = sim.history.to_json(), sim.best
    for query in queries:
        with pytest.raises(OutOfBudgetError, match=f"done after {rounds} quer.*nothing was charged; reset"):
            asked(sim, query)
    assert (sim.history.to_json(), sim.best) == before


def test_what_is_cut_off_says_what_it_takes():
    sim = simulate(budget_s=1, **TABLES)
    assert not sim.done and sim.train(EMBEDDED.space(SPACE)[0]) is None and sim.done
    said = r"cut off: training of r1-mini-s4-.* takes 49\.\d+ s and 1.00 s were left"
    (row,) = sim.history
    assert row["charged_s"] == 1 and row["source"] is None and sim.best is None
    assert re.fullmatch(said, sim.reason)


def test_unmeasured_and_repeated_queries_end_a_search_too():
    for settings in ({"unmeasured": "none"}, TABLES):
        sim = simulate(budget_s=100, **settings)
        while not sim.done:
            sim.train(stranger())
        assert 1 < len(sim.history) < 20 and sim.clock_s == 100
    sim = simulate(unmeasured="none", charge_repeats=False, budget_s=100, max_queries=7)
    while not sim.done:
        sim.train(stranger())
    assert len(sim.history) == 7 and sim.clock_s == sim.seconds(stranger()) < 100


def test_the_number_of_queries_ends_a_search():
    sim = simulate(max_queries=3, **TABLES)
    rng = np.random.default_rng(0)
    while not sim.done:
        sim.train(sim.random_arch(rng))
    assert len(sim.history) == 3
    with pytest.raises(OutOfBudgetError, match="done after 3 queries and"):
        sim.score(sim.random_arch(rng), "zen")


def test_a_search_without_limit_is_never_done():
    with pytest.raises(UsageError, match="no limit, so it is never done; give budget_s or max_queries"):
        simulate(**TABLES).done  # noqa: B018


def test_simulations_are_independent():
    one, other = (simulate(budget_s=200, **TABLES) for _ in range(2))
    one.train(EMBEDDED.space(SPACE)[0])
    assert one.clock_s > 0 == other.clock_s and len(other.history) == 0
    assert repr(one).startswith("Simulation('r1-mini', 'cifar10', 'cpu-16px-4', 1 query, 49.1 of 200 s)")


def test_what_the_release_lacks_is_none_with_a_reason_and_charged(bench, made):
    sim = bench.simulate(SPACE, DATASET, made.short, **TABLES)
    members = bench.space(SPACE).members
    times = [row["train_time_s"] for row in made.rows["runs", SPACE, DATASET] if row["recipe"] == made.short]
    scored = [row["zen_s"] for row in made.rows["scores", SPACE, DATASET] if row["protocol"] == "std-16"]
    clock_s = 0.0
    for answer, said, charged in [
        (lambda: sim.train(members[200]), "this arch has no run on cifar10", np.median(times)),
        (lambda: sim.train(members[30], seed=1), "and seed 1", np.median(times)),
        (lambda: sim.train(stranger()), "is no member", np.median(times)),
        (lambda: sim.score(stranger(), "zen"), "is no member", np.median(scored)),
        (lambda: sim.score(members[60], "zen", seed=1), "this arch has no scores", np.median(scored)),
    ]:
        assert answer() is None and said in sim.reason
        clock_s += charged
        assert sim.clock_s == pytest.approx(clock_s)
    assert sim.score(members[6], "zen") is None and "not computed by the job" in sim.reason
    assert [row["reason"] is not None for row in sim.history] == [True] * 6
    assert sim.history["clock"].tolist() == ["median"] * 5 + ["recorded"]


def test_failures_cost_what_they_took(bench, made):
    sim = bench.simulate(SPACE, DATASET, made.short, **TABLES)
    members = bench.space(SPACE).members
    assert sim.train(members[7]) is None and "diverged" in sim.reason
    diverged = bench.query(members[7]).run(DATASET, made.short).train_time_s
    assert sim.clock_s == diverged > 0
    assert sim.score(members[4], "naswot") is None and "no ReLU layer" in sim.reason
    assert sim.clock_s == diverged + bench.query(members[4]).scores(DATASET).seconds["trace"]
    assert sim.score(members[8], "naswot") == -math.inf and sim.reason is None


def test_a_refusal_names_what_was_measured_and_charges_nothing(bench, made):
    sim = bench.simulate(SPACE, DATASET, made.short, unmeasured="refuse")
    members = bench.space(SPACE).members
    measured = bench.simulate(SPACE, DATASET, made.short, unmeasured="none").measured
    assert measured == list(members[:60])
    for ask, said in [
        (lambda: sim.train(members[200]), "this arch has no run on cifar10"),
        (lambda: sim.train(stranger()), "is no member of r1-mini, so no table has it"),
        (lambda: sim.score(stranger(), "zen"), "is no member"),
        (lambda: sim.score(members[6], "zen"), "not computed by the job"),
    ]:
        with pytest.raises(
            NothingFoundError, match=f"{said}.*nearest that were measured: r1-mini-"
        ) as refused:
            ask()
        near = re.findall(r"r1-mini-[a-z0-9-]+", str(refused.value).partition("measured:")[2])
        assert len(near) == 3 and set(near) <= set(measured)
        assert "unmeasured='predict' answers for all" in str(refused.value)
    assert sim.clock_s == 0 and len(sim.history) == 0
    assert sim.train(members[7]) is None and "diverged" in sim.reason  # that was measured
    assert sim.train(near[0]) is not None


def test_a_prediction_is_the_surrogates_mean_and_says_what_it_is():
    sim = simulate(max_queries=10)
    assert (sim.unmeasured, sim.clock) == ("predict", "modelled")
    members = EMBEDDED.space(SPACE).members
    unmeasured = [members[999], stranger()]
    expected = EMBEDDED.surrogate(SPACE, DATASET, RECIPE).predict(unmeasured)
    for i, arch in enumerate(unmeasured):
        answer = sim.train(arch)
        assert type(answer) is PredictedAccuracy and sim.reason is None
        assert answer == pytest.approx(expected.mean[i]) and 0.2 < answer < 0.8
        assert answer.sd_mean == pytest.approx(expected.sd_mean[i])
        assert answer.sd_run == pytest.approx(expected.sd_run[i])
        assert repr(answer) == f"PredictedAccuracy({float(answer):.4f}, sd_run={answer.sd_run:.4f})"
        again = pickle.loads(pickle.dumps(answer))
        assert type(again) is PredictedAccuracy and (again, again.sd_run) == (answer, answer.sd_run)
    measured = sim.train(members[0])
    assert type(measured) is float and measured == EMBEDDED.query(members[0]).accuracy(DATASET, RECIPE)
    assert sim.score(stranger(), "zen") is None and "no member" in sim.reason
    assert isinstance(sim.train(members[0], seed=7), PredictedAccuracy)  # no run of that seed
    history = sim.history
    assert history["source"].tolist() == ["predicted", "predicted", "measured", None, "predicted"]
    assert set(history["clock"]) == {"modelled"} and (history["charged_s"] > 0).all()
    assert "unmeasured: predict" in history.title and "modelled clock" in history.title


def test_where_predictions_are_allowed_moves_go_through_the_whole_grid():
    sim = simulate(where="macs <= 6e6", max_queries=80)
    assert set(sim.measured) < set(sim.archs) < set(EMBEDDED.space(SPACE))
    rng = np.random.default_rng(0)
    arch = other = sim.random_arch(rng)
    while not sim.done:
        sim.train(arch)
        other, arch = arch, sim.crossover(sim.mutate(arch, rng), other, rng)
    visited = set(sim.history["arch"])
    assert max(Arch.parse(arch).macs for arch in visited) <= 6e6
    assert len(visited - set(EMBEDDED.space(SPACE))) > 30
    best, accuracy = sim.oracle()
    runs = EMBEDDED.table(SPACE, ["val_acc"], dataset=DATASET, recipe=RECIPE, where="macs <= 6e6")["val_acc"]
    assert best in sim.archs and accuracy >= np.nanmax(runs)


def test_a_prediction_needs_a_surrogate(bench, made):
    for ask, said in [
        (lambda: bench.simulate("mb-mini", DATASET, made.short), "a surrogate needs runs of 20"),
        (lambda: bench.simulate(SPACE, DATASET, made.short), "this release has no surrogate"),
    ]:
        with pytest.raises(
            NothingFoundError, match=f"{said}.*or simulate with unmeasured='refuse' or 'none'"
        ):
            ask()


def test_moves_keep_to_what_is_answered_for(bench, made):
    for unmeasured in ("refuse", "none"):
        sim = bench.simulate(SPACE, DATASET, made.short, unmeasured=unmeasured, max_queries=60)
        rng = np.random.default_rng(1)
        arch = other = sim.random_arch(rng)
        while not sim.done:
            sim.train(arch)
            other, arch = arch, sim.crossover(sim.mutate(arch, rng), other, rng)
        assert set(sim.history["arch"]) <= set(sim.measured) == set(sim.archs)
        assert sim.history["reason"].tolist().count(None) >= 58  # one diverged


def test_a_condition_holds_for_moves_and_queries(bench, made):
    sim = bench.simulate(
        SPACE, DATASET, made.short, unmeasured="refuse", where="macs <= 8e6 and s1_depth >= 2", max_queries=50
    )
    rng = np.random.default_rng(0)
    arch = sim.random_arch(rng)
    while not sim.done:
        sim.train(arch)
        arch = sim.mutate(arch, rng)
    rows = [bench.query(arch) for arch in {*sim.archs, *sim.history["arch"]}]
    assert rows and all(row.macs <= 8e6 and row.stages[0].depth >= 2 for row in rows)
    large = next(arch for arch in bench.space(SPACE) if bench.query(arch).macs > 8e6)
    with pytest.raises(
        UsageError, match="does not meet where='macs <= 8e6 and s1_depth >= 2' of this search"
    ):
        sim.seconds(large)


def test_the_same_seed_gives_the_same_search(bench, made):
    def search(seed):
        sim = bench.simulate(SPACE, DATASET, made.short, unmeasured="refuse", budget_s=600)
        rng = np.random.default_rng(seed)
        arch = sim.random_arch(rng)
        while not sim.done:
            sim.train(arch)
            arch = sim.mutate(arch, rng)
        return sim.history.to_json()

    assert search(3) == search(3) != search(4)


def test_incumbents_are_the_improvements_by_time(bench, made):
    sim = bench.simulate(SPACE, DATASET, made.short, max_queries=30, **TABLES)
    for arch in sim.archs:
        if not sim.done:
            sim.score(arch, "zen")
            sim.train(arch)
    history, curve = sim.history, sim.incumbent
    accuracy = curve["accuracy"]
    assert (np.diff(accuracy) > 0).all() and accuracy[-1] == sim.best[1] == history["best_accuracy"][-1]
    assert curve["arch"][-1] == sim.best[0]
    assert curve["clock_s"].tolist() == [history["clock_s"][step - 1] for step in curve["step"]]
    times = [0, *history["clock_s"], 1e9]
    expected = [math.nan, *history["best_accuracy"], sim.best[1]]
    np.testing.assert_array_equal(sim.accuracy_at(times), np.array(expected, float))
    accuracies = [bench.query(arch).accuracy(DATASET, made.short) or 0 for arch in sim.archs]
    assert sim.oracle() == (sim.archs[int(np.argmax(accuracies))], max(accuracies))
    assert len(sim.history) == 30


def test_before_the_first_answer_there_is_no_incumbent():
    sim = simulate(**TABLES)
    assert len(sim.incumbent) == 0 and sim.best is None and np.isnan(sim.accuracy_at([0, 5])).all()
    assert sim.history.columns == (
        *("step", "kind", "arch", "proxy", "seed", "value", "source", "charged_s", "clock_s", "clock"),
        *("best_accuracy", "reason"),
    )


def test_test_accuracies_only_where_asked_for(bench, made):
    arch = bench.space(SPACE)[0]
    record = bench.query(arch)
    sim = bench.simulate(SPACE, DATASET, made.short, **TABLES)
    assert sim.train(arch) == record.accuracy(DATASET, made.short)
    sim = bench.simulate(SPACE, DATASET, made.short, split="test")
    assert sim.unmeasured == "refuse" and sim.train(arch) == record.accuracy(
        DATASET, made.short, split="test"
    )
    with pytest.raises(UsageError, match="the surrogate predicts val accuracies"):
        bench.simulate(SPACE, DATASET, made.short, split="test", unmeasured="predict")


def test_without_runs_there_is_nothing_to_simulate(bench, made):
    known = ", ".join(EMBEDDED.recipes("r2-mini", "cifar10"))
    for ask, said in [
        (
            lambda: EMBEDDED.simulate("r2-mini", "cifar100"),
            f"no runs of r2-mini on cifar100 to simulate .*: measured are cifar10 with {known}$",
        ),
        (
            lambda: bench.simulate(SPACE, "cifar10", "paper-360"),
            "with recipe paper-360 .*: measured are cifar10 with cpu-16px-12, cpu-16px-4; digits",
        ),
        (
            lambda: bench.simulate("mb-mini", "digits"),
            "no runs of mb-mini on digits .*: measured are cifar10 with cpu-16px-4",
        ),
        (
            lambda: bench.simulate("r2-mini", "cifar10"),
            "no runs of r2-mini on cifar10 .*: the release has no runs of r2-mini; it has runs of r1-mini, ",
        ),
        (
            lambda: bench.simulate("mb-mini", "cifar10", unmeasured="none", where="macs < 10"),
            "no arch of mb-mini with a val accuracy on .* meets where='macs < 10', and 10 archs have one",
        ),
    ]:
        with pytest.raises(NothingFoundError, match=said):
            ask()


def test_an_imported_space_is_searched_by_queries(few_archs, tmp_path):
    released = imported(tmp_path, "nb201")
    sim = released.simulate("nb201", "cifar10", "nb201-12", max_queries=40)
    assert (sim.unmeasured, sim.clock) == ("refuse", "none")
    rng = np.random.default_rng(0)
    arch = sim.random_arch(rng)
    while not sim.done:
        assert sim.train(arch) == released.query(arch).accuracy("cifar10", "nb201-12")
        arch = sim.mutate(arch, rng)
    assert sim.clock_s == 0 and set(sim.history["clock"]) == {"none"} and sim.best[1] <= sim.oracle()[1]
    grid = itertools.product(range(5), repeat=6)
    absent = (released.space("nb201").decode(values) for values in grid)
    arch = next(arch for arch in absent if arch not in released.space("nb201"))
    with pytest.raises(NothingFoundError, match=r"is no member of nb201.*nearest that were measured: \|"):
        released.simulate("nb201", "cifar10", "nb201-12").train(arch)
    for settings, error, said in [
        ({"budget_s": 10}, UsageError, "with clock 'none', which charges no seconds; limit max_queries"),
        ({"clock": "recorded"}, NothingFoundError, "no train_time_s of nb201 on cifar10 with nb201-12"),
        ({"clock": "modelled"}, UsageError, "no modelled clock for nb201 with recipe nb201-12"),
        ({"unmeasured": "predict"}, UsageError, "nb201 is a published benchmark; surrogates are of"),
    ]:
        with pytest.raises(error, match=said):
            released.simulate("nb201", "cifar10", "nb201-12", **settings)


def test_a_split_that_the_source_lacks_is_named(few_archs, tmp_path):
    released = imported(tmp_path, "nbmacro")
    with pytest.raises(NothingFoundError, match="gives none of this split, so try split='test'"):
        released.simulate("nbmacro", "cifar10")
    sim = released.simulate("nbmacro", "cifar10", split="test")
    assert sim.train(sim.archs[0]) is not None


def test_bad_input(bench, made):
    for budget in (0, -1, math.inf, math.nan, True, "10"):
        with pytest.raises(ValueError, match="it is a positive number of seconds, or None"):
            bench.simulate(SPACE, DATASET, made.short, budget_s=budget)
    for number in (0, -1, 1.5, True, "10"):
        with pytest.raises(UsageError, match=r"max_queries .*; it is a whole number from 1"):
            bench.simulate(SPACE, DATASET, made.short, max_queries=number)
    with pytest.raises(
        UsageError, match="a search that repeats itself would never use up its budget_s; give"
    ):
        bench.simulate(SPACE, DATASET, made.short, budget_s=10, charge_repeats=False)
    with pytest.raises(ValueError, match="split 'train'"):
        bench.simulate(SPACE, DATASET, made.short, split="train")
    with pytest.raises(UsageError, match="clock 'real'; it is one of 'modelled', 'recorded', 'none'"):
        bench.simulate(SPACE, DATASET, made.short, clock="real")
    with pytest.raises(UsageError, match="unmeasured 'guess'; it is one of 'predict', 'refuse', 'none'"):
        bench.simulate(SPACE, DATASET, made.short, unmeasured="guess")
    with pytest.raises(UsageError, match=r"budget_s 10 .* with clock 'none', which charges no seconds"):
        bench.simulate(SPACE, DATASET, made.short, unmeasured="none", clock="none", budget_s=10)
    with pytest.raises(UnknownNameError, match="no column named 'mac'; did you mean 'macs'"):
        bench.simulate(SPACE, DATASET, made.short, unmeasured="none", where="mac < 10")
    with pytest.raises(UsageError, match="column 'zen' in 'zen < 10' is of scores; a search is limited by"):
        bench.simulate(SPACE, DATASET, made.short, unmeasured="none", where="zen < 10")
    with pytest.raises(UnknownNameError, match="no space named 'r1-min'"):
        bench.simulate("r1-min", DATASET)
    sim = bench.simulate(SPACE, DATASET, made.short, **TABLES)
    with pytest.raises(UnknownNameError, match="no proxy named 'zne'; did you mean 'zen'"):
        sim.score(bench.space(SPACE)[0], "zne")
    for arch, fault in [
        ("r1-mini-what", "after 'r1-mini' comes the stem, not 'what'"),
        ("r1-mini-s5-d4w4s2-d2w8s2-d1w12s2", "stem 5; the stems of r1-mini are 4 8 16"),
        ("mb-mini-s8-d4w4s2-d2w8s2-d1w12s2", "is an arch of mb-mini, not of r1-mini"),
        (5, "an arch begins with its space"),
    ]:
        for ask in (sim.train, sim.seconds):
            with pytest.raises(UsageError, match=fault):
                ask(arch)
    with pytest.raises(ValueError, match="seed 'mean'"):
        sim.train(bench.space(SPACE)[0], seed="mean")
    assert len(sim.history) == 0 and sim.clock_s == 0
