"""Constrained search and reports: what holds for every pool, then the definitions by loops, then the made release and cases by hand."""

import math
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from nbzero import Bench, constrained, metrics
from nbzero.constrained import CEILING, ORACLE, RANDOM
from nbzero.errors import NothingFoundError, UnknownNameError
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.pool import Pool, pool_of
from nbzero.spaces.macro import space
from nbzero.spaces.published import doubts_of

ROWS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 4), st.just(math.nan)),
        st.integers(0, 9),
        st.integers(1, 6),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=20,
)


def pool_from(rows, **changed):
    score, accuracy, macs, params = (np.array(column, float) for column in zip(*rows, strict=True))
    ids = np.arange(len(rows))
    pool = Pool("made", "digits", "short", "std", 0, "val", ids, tuple(f"arch{i}" for i in ids), accuracy / 10,
                {"macs": macs, "params": params}, {"zen": score}, {"width": np.where(ids % 3 == 0, np.nan, ids)}, len(rows))  # fmt: skip
    return replace(pool, **changed)


SIX = pool_from([(1, 3, 1, 6), (5, 2, 2, 5), (5, 4, 3, 4), (2, 9, 4, 3), (math.nan, 8, 5, 2), (4, 1, 6, 1)])


def row_of(frame, **wanted):
    found = [row for row in frame if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


@given(ROWS, st.integers(1, 4), st.sampled_from(["even", "quantile"]))
def test_tables_agree_with_the_metrics(rows, budgets, spacing):
    pool = pool_from(rows)
    table = constrained.mbr_table(pool, budgets=budgets, spacing=spacing)
    picks = constrained.constrained(pool, budgets=budgets, spacing=spacing)
    zen = {} if np.isnan(pool.scores["zen"]).all() else {"zen": pool.scores["zen"]}
    for name, scores in (
        zen | {"macs": pool.costs["macs"], RANDOM: np.zeros(len(pool)), ORACLE: pool.accuracy}
    ).items():
        row = row_of(table, proxy=name)
        for suffix, normalise in (("", "total"), ("_pool", "pool")):
            each = [
                metrics.mbr(scores, pool.accuracy, cost, budgets, normalise, spacing)
                for cost in pool.costs.values()
            ]
            assert [row[f"mbr_{cost}{suffix}"] for cost in pool.costs] == pytest.approx(each, abs=1e-12)
            assert row[f"mbr_union{suffix}"] == pytest.approx(np.mean(each), abs=1e-12)
        mine = [one for one in picks if one["proxy"] == name]
        assert np.mean([one["true_rank"] for one in mine]) / len(pool) == pytest.approx(
            row["mbr_union"], abs=1e-12
        )
        for one in mine:
            inside = pool.costs[one["cost"]] <= one["limit"]
            assert one["pool_size"] == inside.sum() and one["best_accuracy"] == pool.accuracy[inside].max()
            if name == RANDOM:
                assert (
                    one["arch"] is None
                    and one["accuracy"] == pytest.approx(pool.accuracy[inside].mean())
                    and one["num_tied"] == inside.sum()
                )
            else:
                assert inside[pool.archs.index(one["arch"])]
    assert row_of(table, proxy=ORACLE)["mbr_union"] == 0
    assert row_of(table, proxy="zen")["missing"] == np.isnan(pool.scores["zen"]).sum()


def test_picks_by_hand():
    frame = constrained.constrained(SIX, "macs", [3, 6])
    zen = [row for row in frame if row["proxy"] == "zen"]
    assert zen[0] == {
        "cost": "macs", "budget": 1, "limit": 3.0, "constraint": "macs <= 3", "proxy": "zen", "arch": "arch1", "accuracy": pytest.approx(0.3),
        "true_rank": 1.0, "num_tied": 2, "pool_size": 3, "best_arch": "arch2", "best_accuracy": 0.4,
    }  # fmt: skip
    assert zen[1]["true_rank"] == (4 + 2) / 2 and zen[1]["best_arch"] == "arch3"
    assert any(note.startswith("Archs without a score") and "zen 1 of 6" in note for note in frame.notes)
    assert constrained.mbr(SIX, "zen", "macs", [3, 6]) == (1 + 3) / 2 / 6
    assert constrained.mbr(SIX, "zen", "macs", [3, 6], normalise="pool") == (1 / 3 + 3 / 6) / 2
    assert constrained.mbr(SIX, "params", ("macs", "params"), 2) == pytest.approx(
        np.mean(
            [
                metrics.mbr(SIX.costs["params"], SIX.accuracy, SIX.costs[cost], 2)
                for cost in ("macs", "params")
            ]
        )
    )


def test_several_constraints_at_once():
    frame = constrained.constrained(SIX, budgets={"macs": 4, "params": 5})  # leaves archs 1, 2, 3
    row = row_of(frame, proxy="zen")
    assert (row["cost"], row["limit"], row["constraint"], row["pool_size"]) == (
        "macs and params",
        None,
        "macs <= 4 and params <= 5",
        3,
    )
    assert row["num_tied"] == 2 and row["true_rank"] == 1.5 and row["best_arch"] == "arch3"
    assert (
        row_of(constrained.mbr_table(SIX, budgets={"macs": 4, "params": 5}), proxy="zen")[
            "mbr_macs and params"
        ]
        == 1.5 / 6
    )


def test_a_budget_below_every_arch_is_a_row_without_a_pick():
    for budgets, costs, empty in (
        ([0.5, 6], "macs", "1 of 2 {}macs <= 0.5; the cheapest arch, arch0, has macs 1."),
        (
            {"macs": 1, "params": 1},
            None,
            "1 of 1 {}macs <= 1 and params <= 1; the cheapest arch by macs, arch0, has macs 1 and params 6, "
            "the cheapest arch by params, arch5, has macs 6 and params 1.",
        ),
        ({"macs": 0.25}, None, "1 of 1 {}macs <= 0.25; the cheapest arch, arch0, has macs 1."),
    ):
        words = empty.format(
            f"{'budgets admit' if empty.startswith('1 of 2') else 'budget admits'} no arch, so nothing is picked: "
        )
        frame = constrained.constrained(SIX, costs, budgets)
        row = row_of(frame, proxy="zen", budget=1)
        assert row["pool_size"] == row["num_tied"] == 0
        assert all(
            row[name] is None for name in ("arch", "accuracy", "true_rank", "best_arch", "best_accuracy")
        )
        assert words in frame.notes and words in constrained.mbr_table(SIX, costs, budgets).notes
        for call in (
            constrained.mbr,
            lambda *given, **options: constrained.mbr_lead(given[0], given[1], "macs", *given[2:]),
        ):
            with pytest.raises(
                NothingFoundError,
                match=f"^{re.escape(words[:-1])} .of made, .* N = 6.; raise the budget, or take a table",
            ):
                call(SIX, "zen", costs, budgets)
    assert row_of(constrained.mbr_table(SIX, "macs", [0.5, 6]), proxy="zen")["mbr_macs"] == 3 / 6
    nothing = row_of(constrained.mbr_table(SIX, "macs", [0.5]), proxy="zen")
    assert nothing["mbr_macs"] is None and nothing["mbr_union"] is None
    near = pool_from([(1, 3, 1158656, 6), (5, 2, 2000000, 5)])  # told to the last digit
    with pytest.raises(
        NothingFoundError, match="macs <= 1158655; the cheapest arch, arch0, has macs 1158656 "
    ):
        constrained.mbr(near, "zen", "macs", [1158655.0])


def test_a_feature_as_cost_leaves_out_archs_that_lack_it():
    frame = constrained.constrained(SIX, "width", 1)
    assert row_of(frame, proxy="zen")["pool_size"] == 4
    assert "2 of 6 archs have no width, and are within no limit on it." in frame.notes


def test_intervals_are_those_of_the_metrics():
    table = constrained.mbr_table(SIX, resamples=30, seed=5)
    row = row_of(table, proxy="zen")
    for cost in ("macs", "params"):
        wanted = metrics.bootstrap(
            metrics.mbr, SIX.scores["zen"], SIX.accuracy, SIX.costs[cost], resamples=30, seed=5
        )
        assert (row[f"mbr_{cost}_low"], row[f"mbr_{cost}_high"]) == pytest.approx(wanted)
    values = [
        metrics.resampled_mbr(SIX.scores["zen"], SIX.accuracy, cost, resamples=30, seed=5)[:, 0]
        for cost in SIX.costs.values()
    ]
    assert (row["mbr_union_low"], row["mbr_union_high"]) == pytest.approx(
        metrics.interval(np.mean(values, axis=0))
    )
    frame = constrained.correlations(SIX, resamples=30, seed=5)
    wanted = metrics.bootstrap(metrics.kendall_tau, SIX.scores["zen"], SIX.accuracy, resamples=30, seed=5)
    assert (
        row_of(frame, proxy="zen")["kendall_low"],
        row_of(frame, proxy="zen")["kendall_high"],
    ) == pytest.approx(wanted)
    for name, judge in (
        ("best_rank_at_k", metrics.best_rank_at_k),
        ("precision_at_top_k", metrics.precision_at_top_k),
    ):
        option = {"k": 2} if name == "best_rank_at_k" else {"fraction": 0.5}
        frame = constrained.correlations(SIX, 2, 0.5, resamples=30, seed=5, level=0.5)
        wanted = metrics.bootstrap(
            judge, SIX.scores["zen"], SIX.accuracy, resamples=30, seed=5, level=0.5, **option
        )
        assert (
            row_of(frame, proxy="zen")[f"{name}_low"],
            row_of(frame, proxy="zen")[f"{name}_high"],
        ) == wanted


def test_intervals_of_both_normalisations_and_spacings():
    for spacing in metrics.SPACINGS:
        row = row_of(constrained.mbr_table(SIX, resamples=30, spacing=spacing), proxy="zen")
        for suffix, normalise in (("", "total"), ("_pool", "pool")):
            options = {"normalise": normalise, "spacing": spacing}
            wanted = metrics.bootstrap(
                metrics.mbr, SIX.scores["zen"], SIX.accuracy, SIX.costs["macs"], resamples=30, **options
            )
            assert (row[f"mbr_macs{suffix}_low"], row[f"mbr_macs{suffix}_high"]) == pytest.approx(wanted)


def test_intervals_of_what_is_picked():
    frame = constrained.constrained(SIX, "macs", 2, resamples=40, seed=3, level=0.8)
    drawn = metrics.resampled_picks(
        SIX.scores["zen"], SIX.accuracy, SIX.costs["macs"], 2, resamples=40, seed=3
    )
    for budget in (1, 2):
        row = row_of(frame, proxy="zen", budget=budget)
        assert (row["accuracy_low"], row["accuracy_high"]) == metrics.interval(
            drawn.accuracy[:, 0, budget - 1], 0.8
        )
        assert (row["true_rank_low"], row["true_rank_high"]) == metrics.interval(
            drawn.rank[:, 0, budget - 1], 0.8
        )
    assert any("80% intervals: 40 resamples of the archs (seed 3)" in note for note in frame.notes)
    oracle = row_of(frame, proxy=ORACLE, budget=2)
    assert oracle["true_rank_low"] == oracle["true_rank_high"] == 0


def test_a_limit_that_a_resample_misses_leaves_that_resample_out():
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, 6, 6) for _ in range(50)]
    missing = sum(SIX.costs["macs"][rows].min() > 1 for rows in draws)
    assert 0 < missing < 50  # one arch has macs of 1
    drawn = metrics.resampled_mbr(SIX.scores["zen"], SIX.accuracy, SIX.costs["macs"], [1, 6], resamples=50)
    assert np.isnan(drawn[:, 0]).sum() == missing
    row = row_of(constrained.mbr_table(SIX, "macs", [0.5, 1, 6], resamples=50), proxy="zen")
    assert (row["mbr_macs_low"], row["mbr_macs_high"]) == metrics.interval(drawn[:, 0])


def test_joint_budgets_have_intervals_too():
    table = constrained.mbr_table(SIX, budgets={"macs": 4, "params": 1e9}, resamples=40)
    alone = constrained.mbr_table(SIX, budgets={"macs": 4}, resamples=40)
    name = "mbr_macs and params"
    assert (row_of(table, proxy="zen")[f"{name}_low"], row_of(table, proxy="zen")[f"{name}_high"]) == (
        row_of(alone, proxy="zen")["mbr_macs_low"], row_of(alone, proxy="zen")["mbr_macs_high"]
    )  # fmt: skip
    frame = constrained.constrained(SIX, budgets={"macs": 4})
    assert list(frame) == list(constrained.constrained(SIX, "macs", [4]))
    assert constrained.mbr(SIX, "zen", budgets={"macs": 4}) == constrained.mbr(SIX, "zen", "macs", [4])


def test_tables_say_which_scores_are_doubtful_where():
    for pool in (SIX, replace(SIX, space="mb-mini", scores={**SIX.scores, "netsens": np.arange(6.0)})):
        doubts = doubts_of(pool.space)
        hybrids = best_hybrids(pool, ["netsens" if doubts else "zen", "macs"], draws=2).table()
        for frame in (constrained.correlations(pool), constrained.mbr_table(pool), hybrids):
            said = [note for note in frame.notes if note.startswith("Doubtful")]
            assert said == ([f"Doubtful in mb-mini: netsens; {doubts['netsens']}."] if doubts else [])
    assert doubts_of("r1-mini") == {} and set(doubts_of("mb")) == {"jacob_cov", "epe_nas", "netsens"}


def test_correlations_count_what_they_leave_out():
    scores = {
        "zen": SIX.scores["zen"],
        "naswot": np.array([1, -np.inf, 2, 3, 4, 0.0]),
        "plain": np.ones(6),
        "ntk": np.full(6, np.nan),
    }
    scores["bndlent"] = 0.1 + np.arange(6) * 1e-17  # some of these sums differ in the last bit
    frame = constrained.correlations(replace(SIX, scores=scores), k=2, fraction=0.5)
    row = row_of(frame, proxy="zen")
    lowest = np.nan_to_num(scores["zen"], nan=-math.inf)
    assert row["kendall"] == metrics.kendall_tau(lowest, SIX.accuracy) and row[
        "spearman"
    ] == metrics.spearman_rho(lowest, SIX.accuracy)
    assert (
        row["pearson"] == metrics.pearson(scores["zen"], SIX.accuracy)
        and row["num"] == 5
        and row["missing"] == 1
    )
    assert any(
        note.endswith("ranked last, and left out of Pearson's correlation: zen 1 of 6.")
        for note in frame.notes
    )
    row = row_of(frame, proxy="naswot")
    assert row["infinite"] == 1 and row["pearson"] == metrics.pearson(scores["naswot"], SIX.accuracy)
    assert row["best_rank_at_k"] == metrics.best_rank_at_k(scores["naswot"], SIX.accuracy, 2)
    assert row["precision_at_top_k"] == metrics.precision_at_top_k(scores["naswot"], SIX.accuracy, 0.5)
    assert len(set(scores["bndlent"])) > 1
    assert [note for note in frame.notes if note.startswith("Equal but for rounding")] == [
        "Equal but for rounding, so that what ranks them means nothing: the scores of bndlent."
    ]
    for name in ("plain", "ntk"):
        assert all(row_of(frame, proxy=name)[one] is None for one in constrained.CORRELATIONS)
    assert (
        row_of(frame, proxy="ntk")["missing"] == 6
        and "0 of 6 archs have a score of ntk: its values are null." in frame.notes
    )
    random, oracle = row_of(frame, proxy=RANDOM), row_of(frame, proxy=ORACLE)
    assert (
        random["kendall"] == 0
        and random["precision_at_top_k"] == 0.5
        and oracle["kendall"] == oracle["precision_at_top_k"] == 1
    )
    assert constrained.correlations(SIX)["proxy"].tolist() == ["zen", "macs", "params", ORACLE, RANDOM]


def test_a_proxy_without_any_score_picks_nothing_anywhere():
    """As a column of NaN, or as one that was left out: the other rows are those of a pool without it."""
    without, seeds = replace(SIX, scores={"zen": SIX.scores["zen"]}), np.array([SIX.accuracy, SIX.accuracy])
    for pool, why in (
        (replace(without, scores={**without.scores, "ntk": np.full(6, np.nan)}), "ntk"),
        (replace(without, unscored={"ntk": "singular"}), "ntk (the first arch: singular)"),
    ):
        for table in (
            lambda pool: constrained.mbr_table(pool, resamples=7, accuracies=seeds),
            lambda pool: constrained.correlations(pool, resamples=7, accuracies=seeds),
            lambda pool: constrained.constrained(pool, ["macs", "params"], 3, resamples=7),
            lambda pool: constrained.evaluate(pool, np.arange(6.0), "mine", resamples=7).metrics,
            lambda pool: constrained.evaluate(pool, np.arange(6.0), "mine", resamples=7).picks,
            lambda pool: constrained.evaluate(pool, np.arange(6.0), "mine", resamples=7).intervals,
        ):
            frame, wanted = table(pool), table(without)
            assert [row for row in frame if row["proxy"] != "ntk"] == list(wanted)
            mine = [row for row in frame if row["proxy"] == "ntk"]
            same = (
                "proxy",
                "missing",
                "num",
                "infinite",
                "num_tied",
                "cost",
                "budget",
                "limit",
                "constraint",
                "pool_size",
                "spacing",
                "metric",
            )
            told = {
                value
                for row in mine
                for name, value in row.items()
                if name not in (*same, "best_arch", "best_accuracy")
            }
            assert (
                told == {None}
                and {row.get("missing", 6) for row in mine} == {6}
                and {row.get("num_tied", 0) for row in mine} == {0}
            )
            assert (
                frame.columns[-1] == "high"
                or f"0 of 6 archs have a score of {why}: its values are null." in frame.notes
            )
        report = constrained.evaluate(pool, np.arange(6.0), "mine")
        assert report.place() == constrained.evaluate(without, np.arange(6.0), "mine").place()
        for call in (
            constrained.mbr,
            partial(constrained.mbr_lead, other="macs"),
            partial(constrained.mbr_lead, other="zen", cost="params"),
        ):
            with pytest.raises(
                NothingFoundError,
                match=f"no arch of made, .* has a score of {re.escape(why)}, so it picks nothing",
            ):
                call(pool, "ntk")
        with pytest.raises(ValueError, match="name 'ntk' is taken"):
            constrained.evaluate(replace(pool, unscored={"ntk": ""}), np.arange(6.0), "ntk")
    bare = constrained.mbr_table(replace(SIX, scores={}))
    assert any(
        note.startswith("No arch has a score of any proxy: only costs are listed") for note in bare.notes
    )


def test_the_bench_says_why_a_proxy_has_no_score():
    bench = Bench()
    why = re.escape(str(bench.query(("mb-mini", 0)).score_reason("ntk", "cifar10")))
    for call in (
        lambda: bench.mbr("mb-mini", "ntk", "cifar10"),
        lambda: bench.mbr_lead("mb-mini", "ntk", "macs", "cifar10"),
    ):
        with pytest.raises(
            NothingFoundError,
            match=rf"no arch of mb-mini, .*, N = \d+ has a score of ntk \(the first arch: {why}\), so it picks nothing",
        ):
            call()
    with pytest.raises(UnknownNameError, match="no proxy named 'nkt'; did you mean 'ntk'"):
        bench.mbr_lead("mb-mini", "nkt", "macs", "cifar10")


def test_the_repr_of_a_report_names_its_parts():
    mine = constrained.evaluate(SIX, np.arange(6.0), "mine")
    assert (
        "in .metrics, what each picks under each limit in .picks, .intervals is None: ask for resamples=1000)"
        in repr(mine)
    )
    assert "in .picks, bootstrap intervals in .intervals)" in repr(
        constrained.evaluate(SIX, np.arange(6.0), "mine", resamples=3)
    )


def test_the_noise_ceiling_is_one_seed_against_another():
    seeds = np.array([SIX.accuracy, [0.9, 0.1, 0.5, 0.2, math.nan, 0.3]])
    both = ~np.isnan(seeds[1])
    frame = constrained.correlations(SIX, k=2, accuracies=seeds)
    row = row_of(frame, proxy=CEILING)
    assert (
        row["kendall"] == metrics.noise_ceiling(metrics.kendall_tau, seeds)
        and row["num"] == 5
        and row["missing"] == 1
    )
    table = row_of(constrained.mbr_table(SIX, accuracies=seeds), proxy=CEILING)
    pairs = [(seeds[0][both], seeds[1][both]), (seeds[1][both], seeds[0][both])]
    assert table["mbr_macs"] == pytest.approx(
        np.mean([metrics.mbr(x, y, SIX.costs["macs"][both]) for x, y in pairs])
    )
    assert any("on the 5 of 6 archs that two seeds share" in note for note in frame.notes)


def test_report_of_ones_own_proxy_is_the_tables():
    mine = np.array([3, 1, math.nan, 9, 8, 2.0])
    report = constrained.evaluate(SIX, mine, "mine", resamples=20)
    own = replace(SIX, scores={"mine": mine, **SIX.scores})
    assert report.metrics["proxy"][0] == "mine" and report.metrics["missing"][0] == 1
    for frame, prefix in (
        (constrained.correlations(own), ""),
        (constrained.mbr_table(own), ""),
        (constrained.mbr_table(own, spacing="quantile"), "quantile_"),
    ):
        for column in frame.columns:
            name = column if column in ("proxy", "missing") else prefix + column
            np.testing.assert_array_equal(report.metrics[name], frame[column])
    for spacing in metrics.SPACINGS:
        part = report.picks.only(report.picks["spacing"] == spacing)
        assert list(constrained.constrained(own, spacing=spacing, resamples=20)) == [
            {k: v for k, v in row.items() if k != "spacing"} for row in part
        ]
    assert row_of(report.intervals, proxy="mine", metric="kendall")["value"] == report.metrics["kendall"][0]
    wanted = metrics.bootstrap(metrics.kendall_tau, mine, SIX.accuracy, resamples=20)
    assert row_of(report.intervals, proxy="mine", metric="kendall")["low"] == wanted.low
    assert {row["proxy"] for row in report.intervals if row["metric"] == "mbr_union"} == {
        "mine",
        "zen",
        "macs",
        "params",
        ORACLE,
        RANDOM,
    }
    assert (
        "zen 1 of 6" in repr(report)
        and "mine 1" in repr(report)
        and "mine is number 1 of 4 by mbr_union." in repr(report)
    )
    assert report.place("kendall") == (1, 4)


def test_direction_turns_the_scores():
    mine = np.arange(6.0)
    up, down = constrained.evaluate(SIX, mine, "mine"), constrained.evaluate(SIX, -mine, "mine", direction=-1)
    assert up.metrics.to_csv() == down.metrics.to_csv()
    assert (
        constrained.evaluate(SIX, mine, "mine", direction=-1).metrics["kendall"][0]
        == -up.metrics["kendall"][0]
    )


def test_one_arch_and_constant_scores_are_defined():
    one = pool_from([(3, 5, 2, 2)])
    report = constrained.evaluate(one, [1.0])
    assert report.metrics["mbr_union"].tolist() == [0] * len(report.metrics) and math.isnan(
        report.metrics["kendall"][0]
    )
    constant = constrained.evaluate(SIX, np.ones(6), "mine")
    row, random = row_of(constant.metrics, proxy="mine"), row_of(constant.metrics, proxy=RANDOM)
    assert row["kendall"] is None and row["mbr_union"] == pytest.approx(random["mbr_union"])
    with pytest.raises(ValueError, match="kendall of mine is undefined"):
        constant.place("kendall")
    without = constrained.evaluate(replace(SIX, costs={}), np.arange(6))
    assert (
        "mbr_union" not in without.metrics
        and len(without.picks) == 0
        and "made has none of macs, params and depth" in repr(without)
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: constrained.evaluate(SIX, [1.0]), r"scores of shape \(1,\); the pool has 6 archs"),
        (lambda: constrained.evaluate(SIX, [math.nan] * 6), "none of the 6 archs of made, digits, .*std, N = 6 has a score of yours"),
        (lambda: constrained.evaluate(SIX, np.ones(6), direction=0), "direction 0; it is 1 where higher"),
        (lambda: constrained.evaluate(SIX, np.ones(6), "zen"), "name 'zen' is taken"),
        (lambda: constrained.evaluate(SIX, np.ones(6), ""), "name ''; it is what the report's tables and figures call the proxy, like 'yours'"),
        (lambda: constrained.evaluate(SIX, np.ones(6), " "), "name ' '; it is what the report's tables"),
        (lambda: constrained.evaluate(SIX, np.ones(6), None), "name None; it is what the report's tables"),
        (lambda: constrained.constrained(SIX, "macs", {"macs": 1}), r"costs 'macs' beside joint budgets \{'macs': 1\}"),
        (lambda: constrained.constrained(SIX, None, {"macs": "1"}), "joint budgets .* are like"),
        (lambda: constrained.constrained(SIX, None, {}), "joint budgets {}; they are like"),
        (lambda: constrained.constrained(replace(SIX, costs={})), "no cost: made has none of macs, params and depth; name one of width"),
        (lambda: constrained.constrained(SIX.only(np.array([0, 3])), "width"), "no arch of the pool has width"),
        (lambda: constrained.constrained(SIX, spacing="log"), "spacing 'log'"),
        (lambda: constrained.correlations(SIX, k=7), "k 7; it is a whole number from 1 to the 6 archs"),
        (lambda: constrained.correlations(SIX, fraction=2), "fraction 2; it is above 0"),
        (lambda: constrained.mbr(replace(SIX, scores={"ntk": np.full(6, np.nan)}), "ntk"), "no arch of .* has a score of ntk, so it picks nothing"),
    ],
)  # fmt: skip
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_unknown_costs_and_proxies_name_near_matches():
    with pytest.raises(UnknownNameError, match="no cost of made named 'mac'; did you mean 'macs'"):
        constrained.constrained(SIX, "mac")
    with pytest.raises(UnknownNameError, match="no proxy named 'zne'; did you mean 'zen'"):
        constrained.mbr(SIX, "zne")


def test_costs_stand_in_for_scores_that_were_never_made():
    pool = replace(SIX, scores={"macs": np.full(6, np.nan)})
    assert constrained.mbr(pool, "macs", "params") == metrics.mbr(
        SIX.costs["macs"], SIX.accuracy, SIX.costs["params"]
    )


# The made release: r1-mini on cifar10, 60 runs with seed 0 of which one diverged, 20 with seed 1.


def test_bench_methods_are_those_of_its_pool(bench, made):
    pool = pool_of(bench, "r1-mini", "cifar10", made.short)
    where = ("r1-mini", "cifar10", made.short)
    assert bench.mbr("r1-mini", "zen", *where[1:]) == constrained.mbr(pool, "zen")
    assert bench.mbr(
        "r1-mini",
        "ntk",
        *where[1:],
        orient=False,
        cost="depth",
        spacing="quantile",
        normalise="pool",
        budgets=3,
    ) == metrics.mbr(-pool.scores["ntk"], pool.accuracy, pool.costs["depth"], 3, "pool", "quantile")
    seeds = constrained.seed_accuracies(bench, pool)
    assert seeds.shape == (2, 59) and (~np.isnan(seeds)).sum(axis=1).tolist() == [
        59,
        18,
    ]  # arch 7 has no seed 0, arch 3 no seed 1
    assert bench.mbr_table(*where).to_csv() == constrained.mbr_table(pool, accuracies=seeds).to_csv()
    assert bench.correlations(*where).to_csv() == constrained.correlations(pool, accuracies=seeds).to_csv()
    assert (
        bench.constrained(*where, costs="s1_depth").to_csv()
        == constrained.constrained(pool, "s1_depth").to_csv()
    )
    naswot = row_of(bench.correlations(*where), proxy="naswot")
    assert (naswot["num"], naswot["missing"], naswot["infinite"]) == (58, 1, 1)
    few = bench.constrained(*where, proxies=["zen"], where="macs < 1e6", split="test")
    assert set(few["proxy"]) == {"zen", "macs", "params", "depth", RANDOM, ORACLE} and "test" in few.title
    assert CEILING not in bench.correlations("mb-mini", "cifar10")["proxy"]


def test_scores_come_as_dict_series_or_array(bench, made):
    space = bench.space("r1-mini")
    values = np.random.default_rng(0).normal(size=len(space))
    values[5] = np.nan
    forms = [
        dict(zip(space.members, values, strict=True)),
        {
            bench.query(arch).arch: None if math.isnan(value) else value
            for arch, value in zip(space.members, values, strict=True)
        },
        pd.Series(values, index=list(space.members)),
        pd.Series(values, index=list(space.members)).astype("Float64").sample(frac=1, random_state=0),
        values,
        [None if math.isnan(value) else float(value) for value in values],
    ]
    reports = [bench.evaluate(form, "r1-mini", "cifar10", made.short, name="mine") for form in forms]
    assert len({report.metrics.to_json() for report in reports}) == 1
    row = row_of(reports[0].metrics, proxy="mine")
    assert row["missing"] == 1 and row["num"] == 58
    pool = pool_of(bench, "r1-mini", "cifar10", made.short)
    assert row["kendall"] == metrics.kendall_tau(values[pool.arch_ids], pool.accuracy)
    part = bench.evaluate(
        {arch: 1.0 * i for i, arch in enumerate(space.members[:10])}, "r1-mini", "cifar10", made.short
    )
    assert row_of(part.metrics, proxy="yours")["missing"] == 50 and "yours 50" in repr(part)


def test_foreign_and_double_scores_are_errors(bench, made):
    first, second = bench.space("r1-mini").members[:2]

    def evaluate(scores):
        return bench.evaluate(scores, "r1-mini", "cifar10", made.short)

    for scores, said in [
        (
            {first: 1, "r1-mini-what": 2, "x": 3},
            "2 of 3 scores are for archs that are no members of r1-mini: 'r1-mini-what', 'x'; members are like",
        ),
        (pd.Series([1.0, 2.0]), "2 of 2 scores are for archs that are no members of r1-mini: '0', '1'"),
        (
            pd.Series([1.0, 2.0, 3.0], index=[first, second, first]),
            f"1 arch has more than one score: '{first}'",
        ),
        ({first: "high"}, f"the score of {first} is 'high'; it is a number, or None or NaN"),
        ({first: True}, "is True; it is a number"),
        (
            np.ones(60),
            r"scores of shape \(60,\) and type float64; an array holds one number for each of the 1000 members",
        ),
        (["a"] * 1000, "an array holds one number for each"),
        (pd.DataFrame({"a": [1.0]}), r"scores of shape \(1, 1\); they are one column"),
        ({}, "none of the 59 archs of .* has a score of yours"),
        ({bench.space("r1-mini").members[7]: 1.0}, "none of the 59 archs"),
    ]:
        with pytest.raises(ValueError, match=said):
            evaluate(scores)


def test_embedded_release_has_a_whole_report():
    bench = Bench()
    scores = {arch: bench.query(arch).score("synflow", "cifar10") for arch in bench.space("r1-mini").members}
    report = bench.evaluate(scores, "r1-mini", "cifar10", "cpu-16px-4", name="copy")
    rows = {row["proxy"]: row for row in report.metrics}
    assert {k: v for k, v in rows["copy"].items() if k != "proxy"} == {
        k: v for k, v in rows["synflow"].items() if k != "proxy"
    }
    assert rows["macs"]["kendall"] > 0.3 and rows[ORACLE]["mbr_union"] == 0 < rows[RANDOM]["mbr_union"]


@given(ROWS, st.sampled_from(["even", "quantile"]))
def test_a_lead_is_the_difference_of_two_mbrs_on_the_same_resamples(rows, spacing):
    pool = pool_from(rows, accuracy=np.arange(len(rows)) % 7 / 10)
    if np.isnan(pool.scores["zen"]).all():
        with pytest.raises(ValueError, match=r"no arch of made, .* has a score of zen"):
            constrained.mbr_lead(pool, "zen", "params")
        return
    lead = constrained.mbr_lead(pool, "zen", "params", spacing=spacing, resamples=20, seed=3)
    parts = [
        metrics.mbr(pool.score(name), pool.accuracy, pool.costs["macs"], spacing=spacing)
        for name in ("zen", "params")
    ]
    assert lead.difference == pytest.approx(parts[0] - parts[1], abs=1e-12)

    def difference(one, other, accuracy, cost):
        return metrics.mbr(one, accuracy, cost, spacing=spacing) - metrics.mbr(
            other, accuracy, cost, spacing=spacing
        )

    arrays = (pool.scores["zen"], pool.costs["params"], pool.accuracy, pool.costs["macs"])
    assert lead[1:3] == pytest.approx(metrics.bootstrap(difference, *arrays, resamples=20, seed=3), abs=1e-12)
    assert constrained.mbr_lead(pool, "params", "zen", spacing=spacing, resamples=20, seed=3)[
        :3
    ] == pytest.approx((-lead[0], -lead[2], -lead[1]), abs=1e-12)
    assert constrained.mbr_lead(pool, pool.scores["zen"], "zen", resamples=3) == (
        0,
        0,
        0,
        len(pool),
        pool.source,
    )
    assert repr(lead).endswith(f", num_archs={len(rows)}, pool={pool.source!r})")


def test_a_lead_of_what_is_not_there():
    with pytest.raises(UnknownNameError, match="no proxy named 'zne'; did you mean 'zen'"):
        constrained.mbr_lead(SIX, "zne", "macs")
    with pytest.raises(ValueError, match=r"scores of shape \(2,\); give one for each of the 6 archs"):
        constrained.mbr_lead(SIX, [1.0, 2.0], "macs")
    with pytest.raises(UnknownNameError, match="no cost of made named 'mcas'"):
        constrained.mbr_lead(SIX, "zen", "macs", cost="mcas")
    for level in (7, 0, "0.9"):
        with pytest.raises(ValueError, match=f"level {level!r}; it is between 0 and 1"):
            constrained.mbr_lead(SIX, "zen", "macs", level=level)
    with pytest.raises(
        ValueError, match=r"joint budgets {'macs': '4'}; they are like {'macs': 1e8, 'params': 1e6}"
    ):
        constrained.mbr_lead(SIX, "zen", "macs", budgets={"macs": "4"})
    with pytest.raises(ValueError, match=r"costs 'params' beside joint budgets"):
        constrained.mbr_lead(SIX, "zen", "macs", "params", budgets={"macs": 4, "params": 5})


def test_a_lead_under_joint_budgets_and_by_a_feature_that_some_lack():
    for options in (
        {"budgets": {"macs": 4, "params": 5}},
        {"cost": "width", "budgets": 2},
        {"cost": ["macs", "params"]},
    ):
        lead = constrained.mbr_lead(SIX, "zen", "macs", **options, resamples=30)
        named = {name.replace("cost", "costs"): value for name, value in options.items()}
        assert lead.difference == pytest.approx(
            constrained.mbr(SIX, "zen", **named) - constrained.mbr(SIX, "macs", **named)
        )
        assert lead.low <= lead.high


def test_proxies_are_a_list_of_names():
    with pytest.raises(ValueError, match=r"proxies is 'zen'; it is a list of names: \['zen'\]"):
        Bench().mbr_table("r1-mini", "cifar10", proxies="zen")


def test_the_bench_gives_the_lead_of_its_pool():
    bench = Bench()
    pool = pool_of(bench, "r1-mini", "cifar10", "cpu-16px-4", where="arch_id < 40")
    asked = {"recipe": "cpu-16px-4", "spacing": "quantile", "resamples": 30, "where": "arch_id < 40"}
    assert bench.mbr_lead("r1-mini", "synflow", "macs", "cifar10", **asked) == constrained.mbr_lead(
        pool, "synflow", "macs", spacing="quantile", resamples=30
    )
    scores = {arch: float(len(arch)) for arch in pool.archs}
    mine = constrained.mbr_lead(
        pool, [scores[arch] for arch in pool.archs], "macs", spacing="quantile", resamples=30
    )
    assert bench.mbr_lead("r1-mini", scores, "macs", "cifar10", **asked) == mine


def test_the_bench_passes_on_how_intervals_are_made():
    bench, asked = Bench(), {"resamples": 20, "bootstrap_seed": 4, "level": 0.6}
    pool = pool_of(bench, "r1-mini", "cifar10", proxies=["zen"])
    own = {"resamples": 20, "seed": 4, "level": 0.6}
    for made, wanted in (
        (bench.mbr_table("r1-mini", "cifar10", proxies=["zen"], **asked), constrained.mbr_table(pool, **own)),
        (
            bench.correlations("r1-mini", "cifar10", proxies=["zen"], **asked),
            constrained.correlations(pool, **own),
        ),
        (
            bench.constrained("r1-mini", "cifar10", proxies=["zen"], **asked),
            constrained.constrained(pool, **own),
        ),
    ):
        assert [row for row in made if row["proxy"] == "zen"] == [
            row for row in wanted if row["proxy"] == "zen"
        ]
        assert any("60% intervals: 20 resamples of the archs (seed 4)" in note for note in made.notes)
    report = bench.evaluate(
        pool.scores["zen"].tolist() + [math.nan] * (1000 - len(pool)), "r1-mini", "cifar10", **asked
    )
    assert {"quantile_mbr_union_pool", "mbr_macs", "precision_at_top_k"} <= set(report.intervals["metric"])
    assert "true_rank_low" in report.picks and "60% intervals of 20 resamples" in report.intervals.title
    first, second = (
        bench.mbr_lead("r1-mini", "zen", "macs", "cifar10", resamples=20, bootstrap_seed=seed)
        for seed in (1, 2)
    )
    assert first.difference == second.difference and first[1:] != second[1:]


def test_scores_that_cannot_be_told_apart_or_ranked_are_named():
    members = space("r1-mini").members
    with pytest.raises(
        ValueError,
        match=r"4 of 5 whole numbers beyond 2\^53, like 1152921504606846980, are no longer different as float64",
    ):
        constrained.aligned(space("r1-mini"), {arch: 2**60 + i for i, arch in enumerate(members[:5])})
    with pytest.raises(ValueError, match="are no longer different as float64"):
        constrained.aligned(space("r1-mini"), np.arange(len(members)) + 2**60)
    assert constrained.aligned(space("r1-mini"), {members[0]: 2**60, members[1]: 2**61})[:2].tolist() == [
        2.0**60,
        2.0**61,
    ]
    frame = constrained.correlations(
        replace(SIX, scores={"zen": np.array([1, np.inf, 2, -np.inf, 3, 4]), "plain": np.ones(6)})
    )
    assert (
        "Infinite scores, ranked first or last, and left out of Pearson's correlation: zen 2 of 6."
        in frame.notes
    )
    assert (
        "The same score for every arch, so that it picks at random and its correlations are null: plain."
        in frame.notes
    )
    with pytest.raises(
        ValueError, match="no costs were named; name one or more of macs, params, or leave costs out for all"
    ):
        constrained.mbr_table(SIX, [])


def test_the_ceiling_of_seeds_that_few_archs_share():
    pool = pool_from([(i % 5, i, i + 1, i + 1) for i in range(14)])
    accuracies = np.full((3, 14), np.nan)
    accuracies[0, :8], accuracies[1], accuracies[2, 6:] = (
        pool.accuracy[:8],
        pool.accuracy,
        pool.accuracy[6:] + 0.01,
    )
    frame = constrained.correlations(pool, k=5, accuracies=accuracies)
    assert any(
        note.startswith("another seed: null, because two seeds share fewer than K = 5 archs")
        for note in frame.notes
    )
    row = row_of(frame, proxy=CEILING)
    assert row["best_rank_at_k"] is None and row["kendall"] is None  # two of the seeds share two archs
    both = row_of(constrained.correlations(pool, k=5, accuracies=accuracies[:2]), proxy=CEILING)
    assert both["best_rank_at_k"] == 0 and both["kendall"] == 1 and both["num"] == 8


def test_limits_of_ones_own_are_of_one_cost():
    with pytest.raises(ValueError, match=r"limits \[2, 3\] on macs, params; limits are of one cost"):
        constrained.mbr_table(SIX, budgets=[2, 3])
    assert constrained.mbr_table(SIX, "macs", budgets=[2, 3])["mbr_macs"].tolist()


def test_joint_budgets_say_who_lacks_a_cost():
    frame = constrained.mbr_table(SIX, budgets={"macs": 6, "width": 9})
    assert "2 of 6 archs have no width, and are within no limit on it." in frame.notes


def test_a_report_has_a_number_of_budgets_and_scores_that_are_floats():
    with pytest.raises(
        ValueError,
        match=r"budgets {'macs': 4}; it is a number of limits from 1|budgets {'macs': 4}; a report has limits on every cost",
    ):
        constrained.evaluate(SIX, np.arange(6.0), budgets={"macs": 4})
    with pytest.raises(ValueError, match="is beyond what a float holds; give its logarithm"):
        constrained.aligned(Bench().space("r1-mini"), {Bench().space("r1-mini")[0]: 10**400})


def test_an_array_of_limits_is_a_list_of_limits():
    limits = np.array([2.0, 6.0])
    assert constrained.mbr(SIX, "zen", "macs", limits) == constrained.mbr(SIX, "zen", "macs", [2, 6])
    assert constrained.mbr_table(SIX, "macs", limits).title.startswith("mBR, 2 given limits")
