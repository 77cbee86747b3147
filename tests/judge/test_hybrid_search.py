"""The search for hybrids: the definition by brute force, cases by hand, and what it says of its choice."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from nbzero import metrics
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.judge.hybrids import PAPER, RULES, Hybrid
from nbzero.proxies.facts import PROXIES
from tests.judge.made_pools import all_subsets, made_pool, plain_mbr, pool


@pytest.mark.parametrize("seed", range(24))
def test_every_subset_has_the_mbr_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    p = made_pool(rng, int(rng.integers(1, 25)), int(rng.integers(1, 6)), int(rng.choice([1, 2, 3, 30])))
    rule, cost = RULES[seed % 3], ("macs", "params")[seed % 2]
    spacing, normalise, budgets = (
        ("even", "quantile")[seed // 2 % 2],
        ("total", "pool")[seed // 4 % 2],
        1 + seed % 5,
    )
    found = best_hybrids(p, list(p.scores), rule, cost, budgets, spacing, normalise=normalise, draws=0)
    for members in all_subsets(list(p.scores)):
        plain = plain_mbr(p, members, rule, cost, budgets, spacing, normalise)
        assert found.value(members) == pytest.approx(plain, abs=1e-12), members
        assert Hybrid(members, rule).mbr(p, cost, budgets, spacing, normalise=normalise) == pytest.approx(
            plain, abs=1e-12
        ), members


def test_engines_give_the_same_search_to_the_last_digit():
    pytest.importorskip("numba", reason="the compiled search needs numba (the extra nbzero[fast])")
    p = made_pool(np.random.default_rng(5), 300, 12, 100)
    for rule in ("rank_sum", "log_rank"):
        one, other = (
            best_hybrids(p, list(p.scores), rule=rule, costs=("macs", "params"), engine=engine, draws=2)
            for engine in ("numpy", "numba")
        )
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.chance, other.chance)
        assert (
            one.best() == other.best()
            and one.num_different == other.num_different
            and repr(one.table()) == repr(other.table())
        )


@pytest.mark.parametrize("rule", RULES)
def test_neither_the_order_of_archs_and_members_nor_monotone_scales_matter(rule):
    rng = np.random.default_rng(3)
    p = made_pool(rng, 40, 5, 8)
    values = {members: Hybrid(members, rule).mbr(p) for members in all_subsets(list(p.scores))}
    turned = rng.permutation(40)
    scaled = pool(
        p.accuracy[turned] ** 2,
        p.costs["macs"][turned],
        {name: np.exp(row[turned] / 3) for name, row in p.scores.items()},
    )
    scaled.scores["p0"][np.isneginf(p.scores["p0"][turned])] = -np.inf
    found = best_hybrids(scaled, list(p.scores)[::-1], rule)
    for members, value in values.items():
        assert found.value(members) == pytest.approx(value, abs=1e-12)
        assert found.value(members[::-1]) == found.value(members)


def test_the_best_is_the_smallest_and_never_worse_than_the_best_member():
    p = made_pool(np.random.default_rng(8), 60, 6, 20)
    found = best_hybrids(p, list(p.scores))
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
        assert row["members"] == " + ".join(best.members)
        assert row["mbr"] == best.chosen.value == found.value(best.members)
        values = [found.value(members) for members in itertools.combinations(found.members, row["size"])]
        assert row["equal"] == values.count(row["mbr"])
    macs = p.costs["macs"]
    picked = set()
    for members in all_subsets(list(p.scores)):
        scores = Hybrid(members).scores(p)
        inside = [macs <= limit for limit in metrics.budget_limits(macs, 5, "quantile")]
        picked.add(tuple((here & (scores == scores[here].max())).tobytes() for here in inside))
    assert found.num_different == len(picked) and "63 combinations were tried" in repr(table)


@pytest.mark.parametrize("rule", RULES)
def test_even_limits_stand_beside_quantile_ones(rule):
    rng = np.random.default_rng(7)
    p, other = made_pool(rng, 40, 4, 30), made_pool(rng, 30, 4, 30, space="other")
    asked = {"costs": ("macs", "params"), "budgets": 3, "normalise": "pool"}
    found = best_hybrids(p, list(p.scores), rule, draws=0, **asked)
    table = found.table(2)
    assert table.columns[3:5] == ("mbr", "even_mbr")
    for row in table:
        one = Hybrid(tuple(row["members"].split(" + ")), rule)
        assert row["mbr"] == pytest.approx(one.mbr(p, spacing="quantile", **asked))
        assert row["even_mbr"] == one.mbr(p, spacing="even", **asked)
    assert (table["mbr"] != table["even_mbr"]).any()
    lacking = replace(other, scores={**other.scores, "p0": np.full(30, math.nan)})
    judged = found.judge([other, lacking])
    for row in list(judged)[:4]:
        one = Hybrid(tuple(row["members"].split(" + ")), rule)
        assert row["mbr"] == one.mbr(other, **asked)
        assert row["even_mbr"] == one.mbr(other, spacing="even", **asked)
    for row in list(judged)[4:]:
        assert (row["mbr"] is None) == (row["even_mbr"] is None) == ("p0" in row["members"])
    for others in ({"spacing": "even"}, {"budgets": [10, 20], "costs": "macs"}):
        search = best_hybrids(p, list(p.scores), rule, draws=0, **asked | others)
        assert "even_mbr" not in search.table() and "even_mbr" not in search.judge(other)


def test_judging_keeps_the_choice_and_changes_the_pool():
    rng = np.random.default_rng(6)
    chosen_on, other = made_pool(rng, 40, 4, 30), made_pool(rng, 30, 4, 30, space="other")
    found = best_hybrids(chosen_on, list(chosen_on.scores), normalise="pool", budgets=3)
    judged = found.judge([chosen_on, other])
    assert judged["shares"].tolist() == ["in-sample"] * 4 + ["other space"] * 4
    np.testing.assert_allclose(judged["mbr"][:4], judged["chosen_mbr"][:4])
    for row in list(judged)[4:]:
        best = Hybrid(tuple(row["members"].split(" + ")))
        assert (
            row["mbr"] == best.mbr(other, budgets=3, normalise="pool")
            and row["best_single"] == judged["mbr"][4]
        )
    assert any(note.startswith("In-sample") for note in judged.notes)
    on_test = best_hybrids(replace(chosen_on, split="test"), list(chosen_on.scores))
    assert "Chosen on the test split, which then judges nothing." in on_test.table().notes


def test_chance_is_the_best_of_shuffled_accuracies_and_seeded():
    p = made_pool(np.random.default_rng(9), 30, 4, 30)
    found, again, other = (best_hybrids(p, list(p.scores), draws=1, draw_seed=seed) for seed in (0, 0, 1))
    shuffled = replace(p, accuracy=np.random.default_rng(0).permutation(p.accuracy))
    by_hand = best_hybrids(shuffled, list(shuffled.scores), draws=0)
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


def test_bench_searches_on_val(bench, made):
    recipe = made.short
    found = bench.hybrid(
        "r1-mini", "cifar10", recipe, proxies=["zen", "naswot", "macs"], budgets=3, where="macs < 1e8"
    )
    p = bench.pool("r1-mini", "cifar10", recipe, where="macs < 1e8")
    assert (
        found.chosen.split == "val"
        and found.best() == best_hybrids(p, ["zen", "naswot", "macs"], budgets=3).best()
    )
    assert (
        found.judge(bench.pool("r1-mini", "cifar10", recipe, split="test"))["shares"].tolist()
        == ["same runs"] * 3
    )
    assert found.no_score == {
        name: count for name in found.members if (count := int(np.isnan(p.score(name)).sum()))
    }


def test_degenerate_pools_are_defined():
    one = pool([0.5], [3], {"x": [1], "y": [-np.inf]})
    assert best_hybrids(one, list(one.scores)).values[1:].tolist() == [0, 0, 0]
    constant = pool([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], {"x": [7] * 4, "y": [2] * 4, "z": [-np.inf] * 4})
    random = metrics.mbr(np.zeros(4), constant.accuracy, constant.costs["macs"], spacing="quantile")
    for rule in RULES:
        found = best_hybrids(constant, list(constant.scores), rule=rule)
        np.testing.assert_allclose(found.values[1:], random)
        assert found.num_different == 1 and found.best().members == ("x",)
    lacking = pool([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], {"x": [7, np.nan, np.nan, 7]})
    found = best_hybrids(lacking, ["x"])
    assert (
        found.no_score == {"x": 2} and "x: 2 of 4 archs have no score and rank lowest." in found.table().notes
    )


@pytest.mark.parametrize(
    ("error", "call", "said"),
    [
        (UsageError, lambda p: best_hybrids(p, []), "members none; name one or more, each once"),
        (UsageError, lambda p: best_hybrids(p, ["p0", "p1", "p0"]), "members p0, p1, p0 with p0 twice"),
        (UsageError, lambda p: best_hybrids(p, costs=()), "no costs; name one or more"),
        (
            UsageError,
            lambda p: best_hybrids(p, costs=("macs", "params"), budgets=[5]),
            "limits of your own with 2 costs (macs, params)",
        ),
        (
            UsageError,
            lambda p: best_hybrids(p, budgets={"macs": 5}),
            "budgets {'macs': 5}; it is a number of limits",
        ),
        (UsageError, lambda p: best_hybrids(p, spacing="log"), "spacing 'log'; it is one of even, quantile"),
        (
            UsageError,
            lambda p: best_hybrids(p, normalise="none"),
            "normalise 'none'; it is one of total, pool",
        ),
        (UsageError, lambda p: best_hybrids(p, draws=-1), "draws -1; it is a whole number from 0"),
        (UsageError, lambda p: best_hybrids(p, draw_seed=-1), "draw_seed -1; it is a whole number from 0"),
        (
            UsageError,
            lambda p: best_hybrids(p, engine="gpu"),
            "engine 'gpu'; it is one of auto, numpy, numba",
        ),
        (
            UsageError,
            lambda p: best_hybrids(p, ["p0", "p1", "p2"]).best(4),
            "size 4; 3 members have subsets of 1 to 3",
        ),
        (
            UsageError,
            lambda p: best_hybrids(p, ["p0", "p1", "p2"]).best(place=8),
            "place 8; it is from 1 to 7, the number of subsets",
        ),
        (UsageError, lambda p: best_hybrids(p).table(top=0), "top 0; it is a whole number from 1"),
        (UsageError, lambda p: best_hybrids(p, ["p0"]).judge([]), "no pools to report on"),
        (UnknownNameError, lambda p: best_hybrids(p, ["p0", "p9"]), "no proxy named 'p9'; did you mean"),
        (UnknownNameError, lambda p: best_hybrids(p, costs="flops"), "no cost of made named 'flops'"),
        (
            UnknownNameError,
            lambda p: best_hybrids(p, rule="borda"),
            "no rule named 'borda'; Known: log_rank, majority, rank_sum",
        ),
        (UnknownNameError, lambda p: best_hybrids(p, ["p0"]).value(["p7"]), "no member named 'p7'"),
    ],
)
def test_bad_input_says_what_to_do(error, call, said):
    with pytest.raises(error, match=re.escape(said)):
        call(made_pool(np.random.default_rng(1), 20, 3, 9))


def test_too_much_to_search_says_how_to_search_less():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    many = replace(p, scores={f"p{i}": np.arange(20.0) for i in range(25)})
    with pytest.raises(
        UsageError, match=r"25 members have 2\^25 subsets; name at most 24 \(16,777,215 subsets\)"
    ):
        best_hybrids(many, list(many.scores))
    large = pool(np.arange(3000), np.arange(3000), {f"p{i}": np.arange(3000) for i in range(12)})
    with pytest.raises(UsageError, match=r"12 members compares 3,000 archs pairwise.*name fewer members"):
        best_hybrids(large, list(large.scores), "majority")


def test_a_cost_that_some_archs_lack_and_a_budget_below_all_say_what_to_do():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    lacking = replace(p, features={"s4_depth": np.array([math.nan] * 5 + [2.0] * 15)})
    with pytest.raises(UsageError, match=r'5 of 20 archs have no s4_depth; .* where="s4_depth > 0"'):
        best_hybrids(lacking, costs="s4_depth")
    said = (
        "1 of 1 budget admits no arch, .* macs <= -5; the cheapest arch, 2, has macs 0 .*; raise the budget"
    )
    with pytest.raises(NothingFoundError, match=said):
        best_hybrids(p, budgets=[-5])


def test_without_names_a_pool_of_too_many_proxies_takes_the_papers(tmp_path):
    rng = np.random.default_rng(5)
    few = made_pool(rng, 30, 3, 4)
    assert set(best_hybrids(few, draws=0).best(size=3).members) == set(few.scores)
    many = replace(few, scores={name: rng.normal(size=30) for name in PROXIES if name not in ("ntk", "macs")})
    found = best_hybrids(many, draws=0)
    members = set(found.best(size=PAPER.index("ntk")).members)
    there = {name for name in PAPER if name in many.scores or name in many.costs}
    assert members <= there and "ntk" not in there and len(found.values) == 1 << len(there)


def test_without_names_the_costs_are_searched_too_and_a_pool_of_neither_says_so():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    assert best_hybrids(p, draws=0).members == (*p.scores, "macs", "params")
    with pytest.raises(
        ValueError, match=r"made, .* has neither scores nor macs and params, so there is nothing to combine"
    ):
        best_hybrids(replace(p, scores={}, costs={"depth": p.costs["macs"]}))


def test_what_no_arch_has_a_score_of_is_in_no_hybrid():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    for lacking, why in (
        (replace(p, unscored={"ntk": "singular"}), r"ntk \(the first arch: singular\)"),
        (replace(p, scores={**p.scores, "ntk": np.full(20, math.nan)}), "ntk"),
    ):
        found = best_hybrids(lacking, draws=0)
        assert found.members == (*p.scores, "macs", "params")
        np.testing.assert_array_equal(found.values, best_hybrids(p, draws=0).values)
        assert any(
            re.match(
                f"0 of 20 archs have a score of {why}: its values are null. It is in no combination", one
            )
            for one in found.table().notes
        )
        for call in (lambda pool: best_hybrids(pool, ["p0", "ntk"]), Hybrid(("p0", "ntk")).mbr):
            with pytest.raises(
                NothingFoundError, match=f"no arch of made, .* has a score of {why}, so it picks nothing"
            ):
                call(lacking)
        elsewhere = replace(p, scores={**p.scores, "ntk": p.scores["p1"]})
        search = best_hybrids(elsewhere, ["p0", "ntk"], draws=0)
        judged = search.judge([elsewhere, lacking])
        for row in list(judged)[2:]:
            assert (row["mbr"] is None) == ("ntk" in row["members"]) and row["no_score"] == (
                20 if row["mbr"] is None else np.isnan(p.scores["p0"]).sum()
            )
        assert any(
            re.search(f"N = 20: 0 of 20 archs have a score of {why}: its values are null", note)
            for note in judged.notes
        )
        report = Hybrid(("p0", "ntk")).report([lacking])
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
        best_hybrids(p, list(p.scores), budgets=budgets, draws=3) for budgets in ([low, high], [high])
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
        lambda pool, costs, budgets: best_hybrids(pool, costs=costs, budgets=budgets),
    ):
        with pytest.raises(ValueError, match=r"limits of your own with 2 costs \(macs, params\)"):
            call(p, costs=("macs", "params"), budgets=[5])


def test_the_repr_of_a_search_is_its_best_of_every_size():
    p = made_pool(np.random.default_rng(2), 30, 3, 30)
    found = best_hybrids(p, list(p.scores), draws=2)
    lines = repr(found).splitlines()
    assert (
        lines[0] == "HybridSearch of 7 combinations of 3 members"
        and p.name in lines[1]
        and lines[-1].startswith("In-sample: ")
    )
    assert [line.split()[0] for line in lines[3:6]] == ["1", "2", "3"] and len(lines) == 7
    for size, line in enumerate(lines[3:6], 1):
        assert " + ".join(found.best(size).members) in line and f"{found.best(size).chosen.value:.4g}" in line


def test_the_repr_of_a_search_has_every_size():
    p = made_pool(np.random.default_rng(2), 10, 21, 3)
    lines = repr(best_hybrids(p, list(p.scores), draws=0, engine="numpy")).splitlines()
    assert [line.split()[0] for line in lines[3:-1]] == [str(size) for size in range(1, 22)]


def test_a_hybrid_names_the_seed_of_the_scores_and_the_condition_it_was_chosen_by():
    p = replace(made_pool(np.random.default_rng(1), 20, 3, 9), score_seed=2, where="macs < 9")
    assert str(best_hybrids(p, draws=0).chosen) == p.name and "std-16 seed 2, where macs < 9" in p.name


def test_judging_counts_the_archs_without_a_score():
    p = made_pool(np.random.default_rng(1), 20, 3, 9)
    lacking = replace(
        p, split="test", scores={**p.scores, "p0": np.where(np.arange(20) < 5, math.nan, p.scores["p0"])}
    )
    found = best_hybrids(p, ["p0"], draws=0).judge([p, lacking])
    assert found["no_score"].tolist() == [
        int(np.isnan(p.scores["p0"]).sum()),
        int(np.isnan(lacking.scores["p0"]).sum()),
    ]


@pytest.mark.parametrize("budgets", [2.5, "5", None, ["a"]])
def test_budgets_of_a_hybrid(budgets):
    with pytest.raises(ValueError, match=r"budgets .*; (it is a number of limits|give at least one limit)"):
        best_hybrids(made_pool(np.random.default_rng(1), 20, 3, 9), budgets=budgets)
