"""A run: what it asks and keeps, how it goes on, and everything that it refuses."""

import json
import math

import numpy as np
import pytest

from nbzero import Arch, Bench
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.search import STRATEGIES, Ground, History, Objective, evolution, random, run

BENCH = Bench()
NASWOT = BENCH.objective("r1-mini", "naswot", "cifar10")
ACCURACY = BENCH.objective("r1-mini", "accuracy", "cifar10")


def depth(arch):
    return Arch.parse(arch).depth


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_history_holds_what_the_objective_says_and_its_best(name):
    history = run("r1-mini", NASWOT, name, 150, {"macs": 5e6}, seed=3)
    assert len(history) == 150 and history.ended == "150 evaluations"
    assert history.scores == [NASWOT(arch) for arch in history.archs]
    assert all(Arch.parse(arch).macs <= 5e6 for arch in history.archs)
    arch, score = history.best
    assert score == max(history.scores) == NASWOT(arch)
    assert history.archs.index(arch) == history.scores.index(score)  # the first of equal ones
    again = run("r1-mini", NASWOT, name, 150, {"macs": 5e6}, seed=3)
    assert again == history


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_history_goes_on_as_if_it_had_never_stopped(name, tmp_path):
    whole = run("r1-mini", NASWOT, name, 200, seed=1)
    calls = []

    def counted(arch):
        calls.append(arch)
        return NASWOT(arch)

    ground = Ground("r1-mini", NASWOT.archs)
    first = run(ground, counted, name, 120, seed=1)
    calls.clear()
    both = run(ground, counted, name, 200, seed=1, history=first)
    assert both.archs == whole.archs and both.scores == whole.scores
    assert set(calls).isdisjoint(first.archs)  # none is scored again
    path = tmp_path / "search.json"
    run("r1-mini", NASWOT, name, 120, seed=1, out=path)
    assert run("r1-mini", NASWOT, name, 200, seed=1, out=path) == whole == History.load(path)


def test_archs_that_are_asked_for_at_once_are_scored_at_once_and_answered_in_order():
    asked = []

    def many(archs):
        asked.append(list(archs))
        return [float(depth(arch)) for arch in archs]

    objective = Objective("depth", "r1", "made", None, depth, None, many)
    heard = []

    def pairs(ground, rng):
        while True:
            a, b = ground.random_arch(rng), ground.random_arch(rng)
            heard.append(((a, b, a), (yield (a, b, a))))

    history = run("r1", objective, pairs, 8)
    assert len(history) == 8 and history.scores == [depth(arch) for arch in history.archs]
    assert all(scores == tuple(map(depth, archs)) for archs, scores in heard) and len(heard) == 2
    assert asked == [list(archs[:2]) for archs, _ in heard] + [history.archs[6:]]


def test_an_arch_that_comes_again_is_scored_and_charged_once():
    calls = []

    def counted(arch):
        calls.append(arch)
        return depth(arch)

    history = run(Ground("r1-mini", NASWOT.archs[:100]), counted, evolution, 300)
    assert len(calls) == len(set(calls)) == len(set(history.archs)) < 100
    charged = run("r1-mini", ACCURACY, "evolution", 300)
    first = [charged.archs.index(arch) for arch in charged.archs]
    for place, seconds in enumerate(charged.seconds):
        expected = ACCURACY.seconds(charged.archs[place]) if first[place] == place else 0
        assert seconds == expected


def test_a_run_ends_when_every_arch_came():
    history = run("r1-mini", ACCURACY, "random", 1000)
    assert len(history) == len(ACCURACY.archs) and history.ended == f"every arch came, {len(history)}"
    assert history.best[1] == max(map(ACCURACY, ACCURACY.archs))


def test_two_archs_that_alternate_are_evaluations_like_any():
    def alternating(ground, rng):
        while True:
            yield ground.archs[0]
            yield ground.archs[1]

    calls = []
    history = run(Ground("r1-mini", NASWOT.archs), lambda arch: calls.append(arch), alternating, 300)
    assert len(history) == 300 and history.ended == "300 evaluations"
    assert calls == list(NASWOT.archs[:2])


def test_a_strategy_may_end():
    def three(ground, rng):
        for _ in range(3):
            yield ground.random_arch(rng)

    assert run("r1", depth, three).ended == "the strategy ended after 3 evaluations"


def test_archs_without_a_score_rank_lowest_and_the_strategy_hears_so():
    heard = []

    def listening(ground, rng):
        for arch in ground.archs:
            heard.append((yield arch))

    archs = NASWOT.archs[:4]
    scores = dict(zip(archs, (None, -math.inf, np.float64(2.5), 1), strict=True))
    history = run(Ground("r1-mini", archs), scores.get, listening)
    assert heard == [-math.inf, -math.inf, 2.5]  # every arch came after the fourth
    assert history.scores == [None, -math.inf, 2.5, 1.0] and history.best == (archs[2], 2.5)
    assert history.picks() == [None, archs[1], archs[2], archs[2]]
    assert history.table()["best_score"].tolist()[1:] == [-math.inf, 2.5, 2.5]
    assert history.improvements()["evaluation"].tolist() == [3]
    assert "1 evaluation without a score, which rank lowest." in history.notes()


def test_members_alone_are_searched_where_a_space_is_given():
    history = run(BENCH.space("r1-mini"), depth, "evolution", 200)
    assert history.settings["num_archs"] == 1000
    assert set(history.archs) <= set(BENCH.space("r1-mini"))
    grid = run("r1-mini", depth, "evolution", 200)
    assert grid.settings["num_archs"] is None and set(grid.archs) - set(BENCH.space("r1-mini"))


def test_an_objective_of_a_table_narrows_a_ground():
    narrowed = run(Ground("r1-mini", budget={"macs": 5e6}), NASWOT, "evolution", 80)
    assert narrowed == run("r1-mini", NASWOT, "evolution", 80, {"macs": 5e6})
    some = Ground("r1-mini", NASWOT.archs[:30])
    assert set(run(some, NASWOT, "random").archs) == set(NASWOT.archs[:30])


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_tight_budget_of_a_grid_is_searched(name):
    history = run("r1-mini", depth, name, 100, {"macs": 300_000})
    assert len(history) == 100 and history.settings["num_archs"] is None
    assert max(Arch.parse(arch).macs for arch in history.archs) <= 300_000
    tighter = run("r1-mini", depth, name, 100, {"macs": 250_000})
    assert tighter.settings["num_archs"] == 55
    assert max(Arch.parse(arch).macs for arch in tighter.archs) <= 250_000


def test_a_limit_may_be_a_number_of_numpy():
    limits = {"macs": np.int64(5_000_000), "params": np.float32(1e5)}
    of_numpy = run("r1-mini", NASWOT, "random", 20, limits)
    assert of_numpy == run("r1-mini", NASWOT, "random", 20, {"macs": 5e6, "params": 1e5})


def test_the_table_of_a_history():
    history = run("r1-mini", ACCURACY, "random", 30)
    table = history.table()
    assert table.columns == ("evaluation", "arch", "score", "best_score", "seconds", "clock_s")
    assert table["best_score"].tolist() == np.maximum.accumulate(history.scores).tolist()
    assert table["clock_s"].tolist() == pytest.approx(np.cumsum(history.seconds))
    better = history.improvements()
    assert (np.diff(better["score"]) > 0).all() and better["score"][-1] == history.best[1]
    assert history.title == (
        f"Search of r1-mini, {len(ACCURACY.archs)} archs for val accuracy, cifar10, cpu-16px-4, seed 0: "
        "random, seed 0, 30 evaluations"
    )
    assert np.isnan(run("r1", depth, "random", 3).clock()).all()  # of a function no clock knows


def test_progress_is_said(capsys):
    run("r1-mini", NASWOT, "random", 20, show_progress=True)
    assert "random 20/20 evaluations of r1-mini" in capsys.readouterr().err


# What a file holds


def test_a_history_comes_back_from_its_file(tmp_path):
    scores = iter([1.5, -math.inf, None, math.inf])
    history = run("r1-mini", lambda arch: next(scores), "random", 4, {"macs": 1e7})
    history.save(tmp_path / "h.json")
    assert History.load(tmp_path / "h.json") == history
    assert json.loads(history.to_json())["scores"] == [1.5, "-inf", None, "inf"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, 'its format is not "nbzero search 1"'),
        ({"budget": 3}, "its budget is 3"),
        ({"budget": {"macs": "5e6"}}, "its budget is {'macs': '5e6'}"),
        ({"num_archs": "all"}, "its num_archs is 'all'"),
        ({"space": 3}, "its space is 3"),
        ({"seed": -1}, "its seed is -1"),
        ({"ended": 5}, "its ended is 5"),
        ({"archs": ["a"]}, "not lists of one length"),
        ({"scores": [1.0, "high", 2.0]}, "entry 1 of scores is 'high'"),
        ({"archs": ["a", 2, "c"]}, "entry 1 of archs is 2"),
        ({"seconds": [0.0, True, 0.0]}, "entry 1 of seconds is True"),
        ({"seed": None, "drop": "seed"}, "it lacks seed"),
    ],
)
def test_files_that_are_no_histories(change, said, tmp_path):
    held = json.loads(run("r1-mini", NASWOT, "random", 3).to_json())
    dropped = change.pop("drop", None)
    held |= change
    if dropped:
        del held[dropped]
    path = tmp_path / "h.json"
    path.write_text(json.dumps(held))
    with pytest.raises(UsageError, match="is no history of a search: .*" + said):
        History.load(path)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "h.json").write_bytes(b"\x80{")
    for name in ("h.json", "absent.json"):
        with pytest.raises(UsageError, match="cannot be read as a history of a search"):
            History.load(tmp_path / name)


# What is refused


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"evaluations": 0}, UsageError, "evaluations 0; it is a whole number from 1"),
        ({"seed": -1}, UsageError, "seed -1; it is a whole number from 0"),
        ({"strategy": "evolutoin"}, UnknownNameError, "did you mean 'evolution'"),
        ({"strategy": "top_k"}, UsageError, r"give search.top_k\(b.objective\(..\)\)"),
        ({"strategy": ["evolution"]}, UnknownNameError, r"no strategy named \['evolution'\]"),
        ({"history": "h.json"}, UsageError, "history is 'h.json'; it is a History.*`History.load` reads"),
        ({"budget": {"macs": math.inf}}, UsageError, "budget macs inf; it is a positive, finite number"),
        ({"space": Ground("r2-mini")}, UsageError, "space r2-mini with an objective of r1-mini"),
        (
            {"space": Ground("r1-mini", ["r1-mini-s16-d2w4s2-d1w8s2-d1w12s1-d4w24s2"])},
            NothingFoundError,
            "naswot, cifar10, std-16, seed 0 answers for none of r1-mini, 1 arch",
        ),
        ({"objective": 3}, UsageError, "objective is 3; it is a function of an arch"),
        ({"space": None}, UsageError, "space is None; it is a name, or a Space such as"),
        ({"space": 3, "objective": depth}, UsageError, "space is 3; it is a name, or a Space such as"),
        ({"space": "r2-mini"}, UsageError, "space r2-mini with an objective of r1-mini"),
        ({"budget": {"macs": 1}}, NothingFoundError, "none of 1,000 archs of r1-mini is within macs <= 1;"),
        ({"space": Ground("r1-mini"), "budget": {"macs": 1e7}}, UsageError, "a Ground has its budget"),
    ],
)
def test_bad_arguments(change, error, said):
    given = {"space": "r1-mini", "objective": NASWOT} | change
    with pytest.raises(error, match=said):
        run(**given)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (math.nan, "objective given gave nan"),
        (np.float32("nan"), "gave np.float32"),
        ("7", "gave '7'"),
        (True, "gave True"),
        ([1.0], r"gave \[1.0\]"),
        (10**400, r"gave 1000.* \.\.\. 0"),
    ],
)
def test_an_objective_that_gives_no_number(found, said):
    def given(arch):
        return found

    with pytest.raises(
        UsageError, match=said + r".*\(evaluation 1, r1-mini-.*or None where an arch has no score"
    ):
        run("r1-mini", given)


def test_an_objective_that_raises_keeps_what_was_there_before(tmp_path):
    whole = run("r1-mini", NASWOT, "evolution", 50)
    calls = []

    def failing(arch):
        calls.append(arch)
        if len(calls) == 31:
            raise ZeroDivisionError("of the reader")
        return NASWOT(arch)

    failing.name = NASWOT.name
    ground, path = Ground("r1-mini", NASWOT.archs), tmp_path / "h.json"
    said = r"failed \(evaluation \d+, r1-mini-.*\): ZeroDivisionError: of the reader"
    with pytest.raises(UsageError, match=said) as raised:
        run(ground, failing, "evolution", 50, out=path)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert len(set(History.load(path).archs)) == 30
    assert run(ground, failing, "evolution", 50, out=path).archs == whole.archs


def stuck(ground, rng):
    while True:
        yield ground.archs[0]


def empty(ground, rng):
    return
    yield


def nothing_at_once(ground, rng):
    while True:
        yield ()


def foreign(ground, rng):
    yield "r1-mini-s4-d1w4s2-d1w4s2-d1w8s3"


def listed(ground, rng):
    return list(ground.archs)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (stuck, "strategy stuck yielded r1-mini-.* 101 times and no other arch; it has to yield new ones"),
        (empty, "strategy empty yielded no arch"),
        (nothing_at_once, r"strategy nothing_at_once yielded \(\); it yields an arch, or a tuple"),
        (foreign, "strategy foreign yielded 'r1-mini-s4-d1w4s2-d1w4s2-d1w8s3', which is no arch of r1-mini"),
        (listed, r"strategy listed gave \['r1-mini.*it is a generator"),
    ],
)
def test_strategies_that_cannot_search(strategy, said):
    with pytest.raises(UsageError, match=said):
        run("r1-mini", NASWOT, strategy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "a history of seed 0 for a search of seed 1"),
        ({"strategy": "random"}, "a history of strategy 'evolution' for a search of strategy 'random'"),
        ({"budget": {"macs": 5e6}}, "a history of num_archs 1000 for a search of num_archs 506"),
        ({"objective": ACCURACY}, "a history of num_archs 1000 for a search of num_archs "),
        ({"evaluations": 10}, "a history of 40 evaluations for a search of 10; ask for as many at least"),
    ],
)
def test_a_history_of_another_search(change, said, tmp_path):
    path = tmp_path / "h.json"
    history = run("r1-mini", NASWOT, "evolution", 40, out=path)
    kept = path.read_bytes()
    given = {"space": "r1-mini", "objective": NASWOT, "strategy": "evolution", "evaluations": 60} | change
    for where in ({"history": history}, {"out": path}):
        with pytest.raises(UsageError, match=said):
            run(**given, **where)
    assert path.read_bytes() == kept


def test_a_file_of_another_search_is_not_written_over_by_a_history(tmp_path):
    path = tmp_path / "h.json"
    run("r1-mini", NASWOT, "evolution", 40, seed=5, out=path)
    kept = path.read_bytes()
    history = run("r1-mini", NASWOT, "evolution", 30)
    with pytest.raises(UsageError, match="a history of seed 5 for a search of seed 0"):
        run("r1-mini", NASWOT, "evolution", 60, history=history, out=path)
    assert path.read_bytes() == kept
    other = tmp_path / "other.json"
    longer = run("r1-mini", NASWOT, "evolution", 50, out=other)
    assert run("r1-mini", NASWOT, "evolution", 50, history=history, out=other) == longer


def test_a_history_of_another_space_and_of_other_archs(tmp_path):
    history = run("r1-mini", depth, "random", 20)
    with pytest.raises(UsageError, match="a history of space 'r1-mini' for a search of space 'r2-mini'"):
        run("r2-mini", depth, "random", 40, history=history)
    path = tmp_path / "h.json"
    run(Ground("r1-mini", NASWOT.archs[:50]), depth, random, 20, out=path)
    kept = path.read_bytes()
    with pytest.raises(
        UsageError, match=r"asked for r1-mini-.* as number 1, and this search asks for r1-mini-"
    ):
        run(Ground("r1-mini", NASWOT.archs[50:100]), depth, random, 40, out=path)
    assert path.read_bytes() == kept
