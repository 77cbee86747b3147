"""Votes, aggregates and combinations of stored scores: properties, brute force over all subsets, cases by hand, and what published code gives."""

import itertools
import json
import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from nbzero import _subsets, hybrid, metrics
from nbzero.errors import NothingFoundError, UnknownNameError
from nbzero.pool import Pool, pool_of
from nbzero.proxies.facts import PROXIES
from tests.places import GOLDEN

needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the reference scores are not part of the repository"
)


@pytest.fixture
def scores():
    return np.random.default_rng(0).normal(size=(3, 40)).round(1)


def test_the_experts_are_proxies():
    assert {name for experts in hybrid.EXPERTS.values() for name in experts} <= PROXIES.keys()


def test_majority_is_antisymmetric_and_counts_strict_wins(scores):
    relation = hybrid.majority(scores)
    assert (relation == -relation.T).all() and (relation.diagonal() == 0).all()
    for a, b in itertools.combinations(range(10), 2):
        wins, losses = (scores[:, a] > scores[:, b]).sum(), (scores[:, a] < scores[:, b]).sum()
        assert relation[a, b] == int(wins >= 2) - int(losses >= 2)
    assert hybrid.majority([[1, 2], [1, 3]]).tolist() == [[0, -1], [1, 0]]
    assert hybrid.majority([[1, 2], [4, 3]]).tolist() == [[0, 0], [0, 0]]  # half is no majority
    assert hybrid.majority([[1, 2], [1, 2], [np.nan, 1]]).tolist() == [[0, -1], [1, 0]]


def test_orders_do_not_depend_on_the_order_of_the_archs_nor_on_monotone_scales(scores):
    turned = np.random.default_rng(1).permutation(scores.shape[1])
    for aggregate in (hybrid.copeland, hybrid.log_rank_sum, hybrid.mean_zscore, hybrid.mean_minmax):
        np.testing.assert_allclose(aggregate(scores[:, turned]), aggregate(scores)[turned])
    for aggregate in (hybrid.copeland, hybrid.log_rank_sum):
        np.testing.assert_allclose(aggregate(np.exp(scores)), aggregate(scores))
    assert (hybrid.copeland(scores) == hybrid.majority(scores).sum(1)).all()


def test_log_rank_sum_by_hand():
    expected = np.log([1.5 / 4, 1.5 / 4, 3 / 4, 4 / 4])
    np.testing.assert_allclose(hybrid.log_rank_sum([[5, 5, 6, 7]]), expected)
    np.testing.assert_allclose(hybrid.log_rank_sum([[np.nan, -1, 0, 1]]), np.log(np.arange(1, 5) / 4))


def test_swap_regularised_prefers_the_size_asked_for():
    swap, params = np.array([100.0, 100.0, 100.0]), np.array([1000, 2000, 4000])
    np.testing.assert_allclose(
        hybrid.swap_regularised(swap, params, mu=2, sigma=4), 100 * np.exp([-1 / 4, 0, -1])
    )
    logs = hybrid.swap_regularised(swap, params, mu=2, sigma=1e-9, log=True)
    assert logs.argmax() == 1 and np.isfinite(logs).all()
    adaptive = hybrid.swap_regularised(swap, params)
    np.testing.assert_allclose(
        adaptive, hybrid.swap_regularised(swap, params, mu=7 / 3, sigma=np.var([1, 2, 4]))
    )
    with pytest.raises(ValueError, match=r"sigma is 0.0; it is above 0: give one"):
        hybrid.swap_regularised([1.0], [1000])


@needs_golden
@pytest.mark.parametrize("case", ["clean", "noisy_ties"])
def test_reference_votes(case):
    votes = json.loads((GOLDEN / "golden.json").read_text())["votes"][case]
    for name, vote in votes["votes"].items():
        assert set(hybrid.EXPERTS[name.lower()]) == set(vote["experts"])
        table = [votes["scores"][expert] for expert in vote["experts"]]
        assert hybrid.vote_positions(table).tolist() == vote["rank_position"]
        assert hybrid.running_best(table) == vote["running_best_index"]
        assert hybrid.copeland(table).tolist() == vote["copeland"]
    four = [votes["scores"][name] for name in ("synflow", "jacob_cov", "snip", "pnorm")]
    np.testing.assert_allclose(hybrid.log_rank_sum(four), votes["log_rank_sum_synflow_jacob_snip_pnorm"])
    three = [votes["scores"][name] for name in hybrid.EXPERTS["sjw"]]
    np.testing.assert_allclose(hybrid.mean_zscore(three), votes["SJW_soft_zscore"], atol=1e-9)
    np.testing.assert_allclose(hybrid.mean_minmax(three), votes["SJW_soft_minmax"], atol=1e-9)


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_reference_regularised_swap(case):
    values = json.loads((GOLDEN / "golden.json").read_text())["nets"][case]["values"]
    reference = values["swap_regularised"]
    params = reference["params_thousands"] * 1000
    score = hybrid.swap_regularised([values["swap"]["value"]], [params], reference["mu"], reference["sigma"])
    assert score[0] == pytest.approx(reference["value"], rel=2e-5)


def pool(accuracy, macs, scores, **named):
    """A pool by hand: N archs of a made space."""
    n = len(accuracy)
    where = {
        "space": "made",
        "dataset": "cifar10",
        "recipe": "cpu-16px-4",
        "protocol": "std-16",
        "seed": 0,
        "split": "val",
    } | named
    ids = np.asarray(where.pop("arch_ids", np.arange(n)), np.int64)
    costs = {"macs": np.asarray(macs, np.float64), "params": np.asarray(macs, np.float64)[::-1].copy()}
    scores = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    return Pool(
        **where,
        arch_ids=ids,
        archs=tuple(map(str, ids)),
        accuracy=np.asarray(accuracy, np.float64),
        costs=costs,
        scores=scores,
    )


def made_pool(rng, num_archs, num_proxies, levels, **named):
    """Scores and accuracies with many ties, some NaN and -inf, sometimes a column that is constant."""
    table = rng.integers(0, levels, (num_proxies, num_archs)).astype(np.float64)
    table[rng.random(table.shape) < 0.1] = np.nan
    table[rng.random(table.shape) < 0.1] = -np.inf
    if rng.random() < 0.3:
        table[rng.integers(num_proxies)] = rng.choice([1.0, np.nan, -np.inf])
    table[np.isnan(table).all(axis=1)] = 1.0  # what no arch has a score of cannot be a member
    accuracy, macs = rng.integers(0, 20, num_archs) / 20, rng.integers(0, 30, num_archs)
    return pool(accuracy, macs, {f"p{p}": row for p, row in enumerate(table)}, **named)


def plain_mbr(p, members, rule, cost, budgets, spacing, normalise):
    """The definition, written down: ranks over the whole pool, NaN lowest; then the mean true rank of the winners under each limit."""
    key = [[(0, 0) if np.isnan(v) else (1, v) for v in p.score(name).tolist()] for name in members]
    doubled = [[2 * sum(b < a for b in row) + sum(b == a for b in row) + 1 for a in row] for row in key]
    n = len(p)
    if rule == "rank_sum":
        scores = [sum(row[a] for row in doubled) for a in range(n)]
    elif rule == "log_rank":
        scores = [sum(round(np.log(row[a]) * 2**36) for row in doubled) for a in range(n)]
    else:
        wins = [
            [sum(row[a] > row[b] for row in doubled) > len(members) / 2 for b in range(n)] for a in range(n)
        ]
        scores = [sum(wins[a]) - sum(wins[b][a] for b in range(n)) for a in range(n)]
    values = p.cost(cost)
    if spacing == "even":
        limits = [values.min() + k / budgets * (values.max() - values.min()) for k in range(1, budgets)] + [
            values.max()
        ]
    else:
        limits = [np.sort(values)[int(np.ceil(k * n / budgets)) - 1] for k in range(1, budgets + 1)]
    total = 0.0
    for limit in limits:
        inside = [a for a in range(n) if values[a] <= limit]
        best = max(scores[a] for a in inside)
        tied = [a for a in inside if scores[a] == best]
        ranks = [sum(p.accuracy[b] > p.accuracy[a] for b in inside) for a in tied]
        total += sum(ranks) / len(ranks) / (len(inside) if normalise == "pool" else n)
    return total / budgets


def subsets(names):
    return [chosen for size in range(1, len(names) + 1) for chosen in itertools.combinations(names, size)]


@pytest.mark.parametrize("seed", range(24))
def test_every_subset_has_the_mbr_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    p = made_pool(rng, int(rng.integers(1, 25)), int(rng.integers(1, 6)), int(rng.choice([1, 2, 3, 30])))
    rule, cost = hybrid.RULES[seed % 3], ("macs", "params")[seed % 2]
    spacing, normalise, budgets = (
        ("even", "quantile")[seed // 2 % 2],
        ("total", "pool")[seed // 4 % 2],
        1 + seed % 5,
    )
    found = hybrid.best_hybrids(p, list(p.scores), rule, cost, budgets, spacing, normalise, draws=0)
    for members in subsets(list(p.scores)):
        plain = plain_mbr(p, members, rule, cost, budgets, spacing, normalise)
        assert found.value(members) == pytest.approx(plain, abs=1e-12), members
        assert hybrid.Hybrid(members, rule).mbr(p, cost, budgets, spacing, normalise) == pytest.approx(
            plain, abs=1e-12
        ), members


def brute_picks(columns, inside):
    """The winners of every subset, mask by mask."""
    sums = [
        columns[[p for p in range(len(columns)) if mask >> p & 1]].sum(0)
        for mask in range(1, 1 << len(columns))
    ]
    return [frozenset(np.flatnonzero(inside & (row == row[inside].max())).tolist()) for row in sums]


def as_sets(found, limit):
    n, tied = found.num_archs, found.tied[limit]
    return [
        frozenset([code]) if code < n else frozenset(tied[code - n].tolist())
        for code in found.codes[limit, 1:].tolist()
    ]


@pytest.mark.parametrize("table", [1, 64, _subsets.TABLE])
@pytest.mark.parametrize("levels", [2, 5, 1000, 10**10])
def test_picks_are_those_of_brute_force(monkeypatch, table, levels):
    monkeypatch.setattr(_subsets, "TABLE", table)
    for seed in range(6):
        rng = np.random.default_rng([levels, seed])
        columns = rng.integers(0, levels, (int(rng.integers(1, 10)), int(rng.integers(1, 80))))
        if seed % 3 == 0:
            columns[0] = 1
        everyone = np.ones(columns.shape[1], bool)
        half = rng.random(columns.shape[1]) < 0.5
        half[0] = True
        pools = [half, everyone, half, ~half if not half.all() else everyone]
        found = _subsets.picks(columns, pools, "numpy")
        assert (found.codes[:, 0] == -1).all()
        for limit, inside in enumerate(pools):
            assert as_sets(found, limit) == brute_picks(columns, inside)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_loop_for_numba_gives_the_same(monkeypatch, compiled):
    if compiled:
        pytest.importorskip("numba", reason="the compiled search needs numba (the extra nbzero[fast])")
    else:
        monkeypatch.setattr(_subsets, "_compiled", lambda: _subsets._loop)  # the same source, interpreted
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shape = (int(rng.integers(11, 14)) if compiled else int(rng.integers(1, 7)), int(rng.integers(1, 60)))
        columns = rng.integers(0, [3, 50, 10**10][seed % 3], shape)
        pools = [rng.permutation(np.arange(shape[1])) <= shape[1] // 2, np.ones(shape[1], bool)]
        by_loop, by_numpy = _subsets.picks(columns, pools, "numba"), _subsets.picks(columns, pools, "numpy")
        for limit in range(2):
            assert as_sets(by_loop, limit) == as_sets(by_numpy, limit)
            worth = rng.random(shape[1])
            np.testing.assert_array_equal(by_loop.worth(limit, worth), by_numpy.worth(limit, worth))


@pytest.mark.parametrize("engine", _subsets.ENGINES[1:])
@pytest.mark.parametrize("levels", [2, 12, 1000, 2**31, 2**51])
def test_limits_that_contain_each_other_pick_as_each_alone(monkeypatch, engine, levels):
    monkeypatch.setattr(_subsets, "_compiled", lambda: _subsets._loop)
    for seed in range(6):
        rng = np.random.default_rng([levels, seed])
        monkeypatch.setattr(_subsets, "TABLE", int(rng.choice([8, 64, 1 << 19])))
        columns = rng.integers(0, levels, (int(rng.integers(1, 8)), int(rng.integers(2, 60))))
        columns[:, rng.integers(columns.shape[1], size=3)] = columns[
            :, :1
        ]  # ties of archs that enter at different limits
        limits = np.sort(rng.integers(0, columns.shape[1], 6))
        cost = rng.permutation(columns.shape[1])
        columns[rng.integers(len(columns)), cost <= limits[rng.integers(3)]] = (
            1  # one that varies from a later limit on
        )
        pools = [cost <= limit for limit in limits]
        together = _subsets.picks(columns, pools, engine)
        worth = rng.random(columns.shape[1])
        for limit, inside in enumerate(pools):
            assert as_sets(together, limit) == brute_picks(columns, inside)
            np.testing.assert_array_equal(
                together.worth(limit, worth), _subsets.picks(columns, [inside], engine).worth(0, worth)
            )


@pytest.mark.parametrize("engine", _subsets.ENGINES[1:])
def test_an_arch_is_only_dropped_by_one_that_entered_no_later(monkeypatch, engine):
    monkeypatch.setattr(_subsets, "_compiled", lambda: _subsets._loop)
    columns = np.array(
        [[1, 2, 3, 3, 0], [1, 2, 3, 3, 9]]
    )  # each beats the one before; then one equal to the best, and one that is best alone
    found = _subsets.picks(columns, [np.arange(5) <= limit for limit in range(5)], engine)
    picked = [as_sets(found, limit) for limit in range(5)]
    assert picked == [[{0}] * 3, [{1}] * 3, [{2}] * 3, [{2, 3}] * 3, [{2, 3}, {4}, {4}]]


@pytest.mark.parametrize("engine", _subsets.ENGINES[1:])
def test_ties_are_exact_where_float64_is_not(monkeypatch, engine):
    monkeypatch.setattr(_subsets, "_compiled", lambda: _subsets._loop)
    columns = np.array([[2**53, 2**53, 2**53 - 1, 0], [2**53, 2**53, 2**53, 0], [0, 0, 0, 1]])
    picked = [{0, 1}, {0, 1, 2}, {0, 1}, {3}, {0, 1}, {0, 1, 2}, {0, 1}]
    assert as_sets(_subsets.picks(columns, [np.ones(4, bool)], engine), 0) == picked


def test_engines_give_the_same_search_to_the_last_digit():
    pytest.importorskip("numba", reason="the compiled search needs numba (the extra nbzero[fast])")
    p = made_pool(np.random.default_rng(5), 300, 12, 100)
    for rule in ("rank_sum", "log_rank"):
        one, other = (
            hybrid.best_hybrids(
                p, list(p.scores), rule=rule, costs=("macs", "params"), engine=engine, draws=2
            )
            for engine in ("numpy", "numba")
        )
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.chance, other.chance)
        assert (
            one.best() == other.best()
            and one.num_different == other.num_different
            and repr(one.table()) == repr(other.table())
        )


@pytest.mark.parametrize("rule", hybrid.RULES)
def test_neither_the_order_of_archs_and_members_nor_monotone_scales_matter(rule):
    rng = np.random.default_rng(3)
    p = made_pool(rng, 40, 5, 8)
    values = {members: hybrid.Hybrid(members, rule).mbr(p) for members in subsets(list(p.scores))}
    turned = rng.permutation(40)
    scaled = pool(
        p.accuracy[turned] ** 2,
        p.costs["macs"][turned],
        {name: np.exp(row[turned] / 3) for name, row in p.scores.items()},
    )
    scaled.scores["p0"][np.isneginf(p.scores["p0"][turned])] = -np.inf
    found = hybrid.best_hybrids(scaled, list(p.scores)[::-1], rule)
    for members, value in values.items():
        assert found.value(members) == pytest.approx(value, abs=1e-12)
        assert found.value(members[::-1]) == found.value(members)


def test_the_best_is_the_smallest_and_never_worse_than_the_best_member():
    p = made_pool(np.random.default_rng(8), 60, 6, 20)
    found = hybrid.best_hybrids(p, list(p.scores))
    assert (
        found.best().chosen.value
        == found.chosen.value
        == np.nanmin(found.values)
        <= found.best(1).chosen.value
    )
    values = [found.best(place=place).chosen.value for place in range(1, 64)]
    assert values == sorted(values) and len({found.best(place=place).members for place in range(1, 64)}) == 63
    table = found.table(top=4)
    assert table["tried"].tolist() == [6] * 4 + [15] * 4 + [20] * 4 + [15] * 4 + [6] * 4 + [1]
    for row in table:
        best = found.best(row["size"], row["place"])
        assert row["members"] == " + ".join(best.members) and row["mbr"] == best.chosen.value == found.value(
            best.members
        )
        assert row["equal"] == sum(
            found.value(members) == row["mbr"]
            for members in itertools.combinations(found.members, row["size"])
        )
    picked = {
        tuple(
            np.flatnonzero(
                (p.costs["macs"] <= limit) & (scores == scores[p.costs["macs"] <= limit].max())
            ).tobytes()
            for limit in limits
        )
        for limits in [metrics.budget_limits(p.costs["macs"], spacing="even")]
        for scores in (hybrid.Hybrid(members).scores(p) for members in subsets(list(p.scores)))
    }
    assert found.num_different == len(picked) and "63 combinations were tried" in repr(table)


def test_a_case_by_hand():
    # archs by accuracy: a best, then b, c, d. x puts b first, y puts c first; together a leads with 3 + 3, before b with 4 + 1 and c with 1 + 4
    p = pool([0.9, 0.8, 0.7, 0.6], [4, 3, 2, 1], {"x": [3, 4, 1, 2], "y": [3, 1, 4, 2]})
    found = hybrid.best_hybrids(p, ["x", "y"], budgets=[2, 4])
    # within 2 macs are c and d: x picks d (rank 1), y picks c (0), x + y: c with 5 before d with 4. All four: ranks 1, 2 and 0
    assert [found.value(members) for members in ("x", "y", ["x", "y"])] == [(1 + 1) / 8, (0 + 2) / 8, 0]
    assert hybrid.Hybrid(("x", "y")).scores(p).tolist() == [6, 5, 5, 4]
    np.testing.assert_allclose(
        hybrid.Hybrid(("x", "y"), "log_rank").scores(p), np.log(np.array([9, 4, 4, 4]) / 16), atol=1e-9
    )
    assert hybrid.Hybrid(("x", "macs")).scores(p).tolist() == [
        7,
        7,
        3,
        3,
    ]  # a cost is a member like any other
    with_ties = pool([0.9, 0.8, 0.7], [1, 1, 1], {"x": [np.nan, -np.inf, 0], "y": [0, 0, 0]})
    assert hybrid.Hybrid(("x", "y")).scores(with_ties).tolist() == [3, 4, 5]


def test_log_rank_is_az_nas_to_its_rounding():
    p = made_pool(np.random.default_rng(2), 50, 4, 30)
    finite = replace(
        p, scores={name: np.nan_to_num(row, nan=-1, neginf=-2) for name, row in p.scores.items()}
    )
    table = np.array(list(finite.scores.values()))
    np.testing.assert_allclose(
        hybrid.Hybrid(tuple(p.scores), "log_rank").scores(finite), hybrid.log_rank_sum(table), atol=1e-9
    )


def test_a_report_names_where_the_hybrid_was_chosen_and_marks_what_is_in_sample():
    rng = np.random.default_rng(4)
    chosen_on = made_pool(rng, 40, 4, 30)
    found = hybrid.best_hybrids(chosen_on, list(chosen_on.scores)).best(2)
    others = {
        "in-sample": chosen_on.only(np.arange(10)),
        "same runs": replace(chosen_on, split="test"),
        "same archs": replace(chosen_on, dataset="digits"),
        "same space": replace(chosen_on, arch_ids=chosen_on.arch_ids + 40),
        "other space": replace(chosen_on, space="other"),
    }
    assert [found.chosen.relation(replace(chosen_on, seed=seed)) for seed in (0, 1, "mean")] == [
        "in-sample",
        "same archs",
        "in-sample",
    ]
    mean = replace(chosen_on, recipe=f"{chosen_on.recipe}-mean", seed=1)  # an imported mean over seeds
    assert (
        found.chosen.relation(mean) == "in-sample"
        and found.chosen.relation(replace(mean, split="test")) == "same runs"
    )
    assert replace(found.chosen, recipe=mean.recipe).relation(replace(chosen_on, seed=2)) == "in-sample"
    assert found.chosen.relation(replace(mean, recipe="other-mean")) == "same archs"
    report = found.report([chosen_on, *others.values()])
    kinds = report["kind"].tolist()
    assert kinds == ["hybrid", "member", "member", "cost", "random"] * 6
    assert report["shares"][::5].tolist() == ["in-sample", *others]
    assert report["mbr"][0] == pytest.approx(found.chosen.value) and found.chosen.tried == 6
    assert (
        "Chosen on made, cifar10, cpu-16px-4, val, seed 0, std-16, N = 40, the best of 6 combinations there by mBR by macs"
        in report.notes[0]
    )
    marked = [note for note in report.notes if note.startswith("In-sample")]
    assert (
        len(marked) == 2
        and "N = 40. The hybrid was chosen by 40 of these" in marked[0]
        and "chosen by 10 of these" in marked[1]
    )
    assert [note.split(":")[0] for note in report.notes[3:]] == ["Same runs, other split", "Same archs"]
    absent = np.isnan([chosen_on.score(name) for name in found.members]).any(0).sum()
    assert report["no_score"][0] == absent > 0
    assert report["mbr"][4] == pytest.approx(
        metrics.mbr(np.zeros(40), chosen_on.accuracy, chosen_on.costs["macs"], spacing="even")
    )
    given = hybrid.Hybrid(found.members).report(chosen_on)
    assert {row["shares"] for row in given} == {None} and "Given" in given.notes[0]


def test_judging_keeps_the_choice_and_changes_the_pool():
    rng = np.random.default_rng(6)
    chosen_on, other = made_pool(rng, 40, 4, 30), made_pool(rng, 30, 4, 30, space="other")
    found = hybrid.best_hybrids(chosen_on, list(chosen_on.scores), normalise="pool", budgets=3)
    judged = found.judge([chosen_on, other])
    assert judged["shares"].tolist() == ["in-sample"] * 4 + ["other space"] * 4
    np.testing.assert_allclose(judged["mbr"][:4], judged["chosen_mbr"][:4])
    for row in list(judged)[4:]:
        best = hybrid.Hybrid(tuple(row["members"].split(" + ")))
        assert (
            row["mbr"] == best.mbr(other, budgets=3, normalise="pool")
            and row["best_single"] == judged["mbr"][4]
        )
    assert any(note.startswith("In-sample") for note in judged.notes)
    on_test = hybrid.best_hybrids(replace(chosen_on, split="test"), list(chosen_on.scores))
    assert "Chosen on the test split, which then judges nothing." in on_test.table().notes


def test_chance_is_the_best_of_shuffled_accuracies_and_seeded():
    p = made_pool(np.random.default_rng(9), 30, 4, 30)
    found, again, other = (hybrid.best_hybrids(p, list(p.scores), draws=1, seed=seed) for seed in (0, 0, 1))
    shuffled = replace(p, accuracy=np.random.default_rng(0).permutation(p.accuracy))
    by_hand = hybrid.best_hybrids(shuffled, list(shuffled.scores), draws=0)
    assert (
        found.chance.tolist()
        == again.chance.tolist()
        == [by_hand.best(size).chosen.value for size in range(1, 5)]
        != other.chance.tolist()
    )
    assert (
        found.chance_of_all == by_hand.chosen.value
        and np.isnan(by_hand.chance_of_all)
        and np.isnan(by_hand.table()["chance"]).all()
    )


def test_named_hybrids_use_proxies_that_exist(bench, made):
    assert {name for one in hybrid.HYBRIDS.values() for name in one.members} <= PROXIES.keys()
    p = pool_of(bench, "r1-mini", "cifar10", made.short)
    for name in hybrid.HYBRIDS:
        one = hybrid.hybrid(name)
        assert one.source and one.chosen is None and one.scores(p).shape == (len(p),)
    np.testing.assert_array_equal(
        hybrid.hybrid("sjw").scores(p), hybrid.copeland([p.score(name) for name in hybrid.EXPERTS["sjw"]])
    )
    with pytest.raises(UnknownNameError, match="no hybrid named 'sjv'; did you mean 'sjw'"):
        hybrid.hybrid("sjv")


def test_bench_searches_on_val(bench, made):
    recipe = made.short
    found = bench.hybrid(
        "r1-mini", "cifar10", ["zen", "naswot", "macs"], recipe=recipe, budgets=3, where="macs < 1e8"
    )
    p = pool_of(bench, "r1-mini", "cifar10", recipe, where="macs < 1e8")
    assert (
        found.chosen.split == "val"
        and found.best() == hybrid.best_hybrids(p, ["zen", "naswot", "macs"], budgets=3).best()
    )
    assert (
        found.judge(pool_of(bench, "r1-mini", "cifar10", recipe, split="test"))["shares"].tolist()
        == ["same runs"] * 3
    )
    assert found.no_score == {
        name: count for name in found.members if (count := int(np.isnan(p.score(name)).sum()))
    }


def test_degenerate_pools_are_defined():
    one = pool([0.5], [3], {"x": [1], "y": [-np.inf]})
    assert hybrid.best_hybrids(one, list(one.scores)).values[1:].tolist() == [0, 0, 0]
    constant = pool([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], {"x": [7] * 4, "y": [2] * 4, "z": [-np.inf] * 4})
    random = metrics.mbr(np.zeros(4), constant.accuracy, constant.costs["macs"], spacing="even")
    for rule in hybrid.RULES:
        found = hybrid.best_hybrids(constant, list(constant.scores), rule=rule)
        np.testing.assert_allclose(found.values[1:], random)
        assert found.num_different == 1 and found.best().members == ("x",)
    lacking = pool([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], {"x": [7, np.nan, np.nan, 7]})
    found = hybrid.best_hybrids(lacking, ["x"])
    assert (
        found.no_score == {"x": 2} and "x: 2 of 4 archs have no score and rank lowest." in found.table().notes
    )


def test_bad_input_says_what_to_do():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    many = replace(p, scores={f"p{i}": np.arange(20.0) for i in range(25)})
    large = pool(np.arange(3000), np.arange(3000), {f"p{i}": np.arange(3000) for i in range(12)})
    lacking = replace(p, features={"s4_depth": np.array([math.nan] * 5 + [2.0] * 15)})
    for call, text in [
        (
            lambda: hybrid.best_hybrids(lacking, costs="s4_depth"),
            r'5 of 20 archs have no s4_depth; .* where="s4_depth > 0"',
        ),
        (
            lambda: hybrid.best_hybrids(many, list(many.scores)),
            r"25 members have 2\^25 subsets; name at most 24 \(16,777,215 subsets\)",
        ),
        (lambda: hybrid.best_hybrids(p, []), "members none; name one or more, each once"),
        (lambda: hybrid.best_hybrids(p, ["p0", "p1", "p0"]), "members p0, p1, p0 with p0 twice"),
        (lambda: hybrid.Hybrid(("p0", "p0")), "with p0 twice"),
        (lambda: hybrid.Hybrid(()), "members none"),
        (
            lambda: hybrid.best_hybrids(large, list(large.scores), "majority"),
            "12 members compares 3,000 archs pairwise.*name fewer members",
        ),
        (lambda: hybrid.best_hybrids(p, costs=()), "no costs; name one or more"),
        (
            lambda: hybrid.best_hybrids(p, budgets=[-5]),
            "1 of 1 budget admits no arch, .* macs <= -5; the cheapest arch, 2, has macs 0 .*; raise the budget",
        ),
        (
            lambda: hybrid.best_hybrids(p, costs=("macs", "params"), budgets=[5]),
            r"limits of your own with 2 costs \(macs, params\)",
        ),
        (
            lambda: hybrid.Hybrid(("p0",)).mbr(p, budgets={"macs": 5}),
            "budgets {'macs': 5}; it is a number of limits from 1, or a list of limits",
        ),
        (
            lambda: hybrid.Hybrid(("p0",)).report(p, budgets={"macs": 5}),
            "budgets {'macs': 5}; it is a number of limits from 1, or",
        ),
        (
            lambda: hybrid.best_hybrids(p, budgets={"macs": 5}),
            "budgets {'macs': 5}; it is a number of limits",
        ),
        (lambda: hybrid.best_hybrids(p, spacing="log"), "spacing 'log'; it is one of even, quantile"),
        (lambda: hybrid.best_hybrids(p, normalise="none"), "normalise 'none'; it is one of total, pool"),
        (lambda: hybrid.best_hybrids(p, draws=-1), "draws -1; it is a whole number from 0"),
        (lambda: hybrid.best_hybrids(p, engine="gpu"), "engine 'gpu'; it is one of auto, numpy, numba"),
        (lambda: hybrid.best_hybrids(p, list(p.scores)).best(4), "size 4; 3 members have subsets of 1 to 3"),
        (
            lambda: hybrid.best_hybrids(p, list(p.scores)).best(place=8),
            "place 8; it is from 1 to 7, the number of subsets",
        ),
        (lambda: hybrid.best_hybrids(p).table(top=0), "top 0; it is a whole number from 1"),
        (lambda: hybrid.Hybrid(("p0",)).report([]), "no pools to report on"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
    for call, text in [
        (lambda: hybrid.best_hybrids(p, ["p0", "p9"]), "no proxy named 'p9'; did you mean"),
        (lambda: hybrid.best_hybrids(p, costs="flops"), "no cost of made named 'flops'"),
        (
            lambda: hybrid.best_hybrids(p, rule="borda"),
            "no rule named 'borda'; Known: log_rank, majority, rank_sum",
        ),
        (lambda: hybrid.Hybrid(("p0",), "mean"), "no rule named 'mean'"),
        (lambda: hybrid.Hybrid(("zen",)).scores(p), "no proxy named 'zen'"),
        (lambda: hybrid.best_hybrids(p, list(p.scores)).value(["p7"]), "no member named 'p7'"),
    ]:
        with pytest.raises(UnknownNameError, match=text):
            call()


def test_without_numba_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    _subsets._compiled.cache_clear()
    with pytest.raises(ImportError, match=r"engine 'numba' needs numba, .*: pip install 'nbzero\[fast\]'"):
        hybrid.best_hybrids(made_pool(np.random.default_rng(1), 20, 3, 9), engine="numba")


def test_without_names_a_pool_of_too_many_proxies_takes_the_papers(tmp_path):
    rng = np.random.default_rng(5)
    few = made_pool(rng, 30, 3, 4)
    assert set(hybrid.best_hybrids(few, draws=0).best(size=3).members) == set(few.scores)
    many = replace(few, scores={name: rng.normal(size=30) for name in PROXIES if name not in ("ntk", "macs")})
    found = hybrid.best_hybrids(many, draws=0)
    members = set(found.best(size=hybrid.PAPER.index("ntk")).members)
    there = {name for name in hybrid.PAPER if name in many.scores or name in many.costs}
    assert members <= there and "ntk" not in there and len(found.values) == 1 << len(there)


def test_without_names_the_costs_are_searched_too_and_a_pool_of_neither_says_so():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    assert hybrid.best_hybrids(p, draws=0).members == (*p.scores, "macs", "params")
    with pytest.raises(
        ValueError, match=r"made, .* has neither scores nor macs and params, so there is nothing to combine"
    ):
        hybrid.best_hybrids(replace(p, scores={}, costs={"depth": p.costs["macs"]}))


def test_what_no_arch_has_a_score_of_is_in_no_hybrid():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    for lacking, why in (
        (replace(p, unscored={"ntk": "singular"}), r"ntk \(the first arch: singular\)"),
        (replace(p, scores={**p.scores, "ntk": np.full(20, math.nan)}), "ntk"),
    ):
        found = hybrid.best_hybrids(lacking, draws=0)
        assert found.members == (*p.scores, "macs", "params")
        np.testing.assert_array_equal(found.values, hybrid.best_hybrids(p, draws=0).values)
        assert any(
            re.match(
                f"0 of 20 archs have a score of {why}: its values are null. It is in no combination", one
            )
            for one in found.table().notes
        )
        for call in (lambda pool: hybrid.best_hybrids(pool, ["p0", "ntk"]), hybrid.Hybrid(("p0", "ntk")).mbr):
            with pytest.raises(
                NothingFoundError, match=f"no arch of made, .* has a score of {why}, so it picks nothing"
            ):
                call(lacking)
        elsewhere = replace(p, scores={**p.scores, "ntk": p.scores["p1"]})
        search = hybrid.best_hybrids(elsewhere, ["p0", "ntk"], draws=0)
        judged = search.judge([elsewhere, lacking])
        for row in list(judged)[2:]:
            assert (row["mbr"] is None) == ("ntk" in row["members"]) and row["no_score"] == (
                20 if row["mbr"] is None else np.isnan(p.scores["p0"]).sum()
            )
        assert any(
            re.search(f"N = 20: 0 of 20 archs have a score of {why}: its values are null", note)
            for note in judged.notes
        )
        report = hybrid.Hybrid(("p0", "ntk")).report([lacking])
        told = {row["proxy"]: (row["mbr"], row["accuracy"], row["no_score"]) for row in report}
        assert (
            told["p0 + ntk"] == told["ntk"] == (None, None, 20)
            and None not in told["p0"]
            and None not in told["random pick"]
        )


def test_budgets_below_every_arch_are_left_out_of_tables_and_told():
    p = made_pool(np.random.default_rng(2), 30, 3, 30)
    other = replace(p, costs={**p.costs, "macs": p.costs["macs"] + 50}, space="other")
    low, high = p.costs["macs"].min() - 1, p.costs["macs"].max() - 3
    found, wanted = (
        hybrid.best_hybrids(p, list(p.scores), budgets=budgets, draws=3) for budgets in ([low, high], [high])
    )
    np.testing.assert_array_equal(found.values, wanted.values)
    np.testing.assert_array_equal(found.chance, wanted.chance)
    note = f"1 of 2 budgets admit no arch, so nothing is picked: macs <= {low:g}; the cheapest arch, "
    assert any(
        one.startswith(note) and one.endswith(f"has macs {p.costs['macs'].min():g}.")
        for one in found.table().notes
    )
    judged = found.judge([p, other])
    np.testing.assert_array_equal(judged["mbr"][:3], wanted.judge(p)["mbr"])
    assert {row["mbr"] for row in list(judged)[3:]} == {row["random"] for row in list(judged)[3:]} == {None}
    assert any("other, cifar10" in one and "2 of 2 budgets admit no arch" in one for one in judged.notes)
    best = found.best()
    assert best.report(p, budgets=[low, high])["mbr"][0] == best.mbr(p, budgets=[high]) == found.chosen.value
    with pytest.raises(
        NothingFoundError, match=rf"{note}.* .of made, .*; raise the budget, or take `report`"
    ):
        best.mbr(p, budgets=[low, high])
    for call in (
        best.mbr,
        best.report,
        lambda pool, costs, budgets: hybrid.best_hybrids(pool, costs=costs, budgets=budgets),
    ):
        with pytest.raises(ValueError, match=r"limits of your own with 2 costs \(macs, params\)"):
            call(p, costs=("macs", "params"), budgets=[5])


def test_the_repr_of_a_search_is_its_best_of_every_size():
    p = made_pool(np.random.default_rng(2), 30, 3, 30)
    found = hybrid.best_hybrids(p, list(p.scores), draws=2)
    lines = repr(found).splitlines()
    assert (
        lines[0] == "HybridSearch of 7 combinations of 3 members"
        and p.name in lines[1]
        and lines[-1].startswith("In-sample: ")
    )
    assert [line.split()[0] for line in lines[3:6]] == ["1", "2", "3"] and len(lines) == 7
    for size, line in enumerate(lines[3:6], 1):
        assert " + ".join(found.best(size).members) in line and f"{found.best(size).chosen.value:.4g}" in line


def test_a_hybrid_names_the_seed_of_the_scores_and_the_condition_it_was_chosen_by():
    p = replace(made_pool(np.random.default_rng(1), 20, 3, 9), score_seed=2, where="macs < 9")
    assert str(hybrid.best_hybrids(p, draws=0).chosen) == p.name and "std-16 seed 2, where macs < 9" in p.name


def test_judging_counts_the_archs_without_a_score():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    lacking = replace(
        p, split="test", scores={**p.scores, "p0": np.where(np.arange(20) < 5, math.nan, p.scores["p0"])}
    )
    found = hybrid.best_hybrids(p, ["p0"], draws=0).judge([p, lacking])
    assert found["no_score"].tolist() == [
        int(np.isnan(p.scores["p0"]).sum()),
        int(np.isnan(lacking.scores["p0"]).sum()),
    ]


@pytest.mark.parametrize("budgets", [2.5, "5", None, ["a"]])
def test_budgets_of_a_hybrid(budgets):
    with pytest.raises(ValueError, match=r"budgets .*; (it is a number of limits|give at least one limit)"):
        hybrid.best_hybrids(made_pool(np.random.default_rng(1), 20, 3, 9), budgets=budgets)
