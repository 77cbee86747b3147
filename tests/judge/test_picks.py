"""Picks within budgets and their mBR.

First what holds for every pool, then the definitions by loops, then the made release.
"""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import Bench, judge, metrics
from nbzero.errors import NothingFoundError, UnknownNameError
from nbzero.judge import CEILING, ORACLE, RANDOM
from nbzero.spaces.published import doubts_of
from tests.judge.cases import ROWS, SIX, pool_from, row_of


@given(ROWS, st.integers(1, 4), st.sampled_from(["even", "quantile"]))
def test_tables_agree_with_the_metrics(rows, budgets, spacing):
    pool = pool_from(rows)
    table = judge.mbr_table(pool, budgets=budgets, spacing=spacing)
    picks = judge.constrained(pool, budgets=budgets, spacing=spacing)
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
    frame = judge.constrained(SIX, "macs", [3, 6])
    zen = [row for row in frame if row["proxy"] == "zen"]
    assert zen[0] == {
        "cost": "macs",
        "budget": 1,
        "limit": 3.0,
        "constraint": "macs <= 3",
        "proxy": "zen",
        "arch": "arch1",
        "accuracy": pytest.approx(0.3),
        "true_rank": 1.0,
        "num_tied": 2,
        "pool_size": 3,
        "best_arch": "arch2",
        "best_accuracy": 0.4,
    }
    assert zen[1]["true_rank"] == (4 + 2) / 2 and zen[1]["best_arch"] == "arch3"
    assert any(note.startswith("Archs without a score") and "zen 1 of 6" in note for note in frame.notes)
    assert judge.mbr(SIX, "zen", "macs", [3, 6]) == (1 + 3) / 2 / 6
    assert judge.mbr(SIX, "zen", "macs", [3, 6], normalise="pool") == (1 / 3 + 3 / 6) / 2
    assert judge.mbr(SIX, "params", ("macs", "params"), 2) == pytest.approx(
        np.mean(
            [
                metrics.mbr(SIX.costs["params"], SIX.accuracy, SIX.costs[cost], 2)
                for cost in ("macs", "params")
            ]
        )
    )


def test_intervals_are_those_of_the_metrics():
    table = judge.mbr_table(SIX, resamples=30, bootstrap_seed=5)
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
    frame = judge.correlations(SIX, resamples=30, bootstrap_seed=5)
    wanted = metrics.bootstrap(metrics.kendall_tau, SIX.scores["zen"], SIX.accuracy, resamples=30, seed=5)
    assert (
        row_of(frame, proxy="zen")["kendall_low"],
        row_of(frame, proxy="zen")["kendall_high"],
    ) == pytest.approx(wanted)
    for name, metric in (
        ("best_rank_at_k", metrics.best_rank_at_k),
        ("precision_at_top_k", metrics.precision_at_top_k),
    ):
        option = {"k": 2} if name == "best_rank_at_k" else {"fraction": 0.5}
        frame = judge.correlations(SIX, k=2, fraction=0.5, resamples=30, bootstrap_seed=5, level=0.5)
        wanted = metrics.bootstrap(
            metric, SIX.scores["zen"], SIX.accuracy, resamples=30, seed=5, level=0.5, **option
        )
        assert (
            row_of(frame, proxy="zen")[f"{name}_low"],
            row_of(frame, proxy="zen")[f"{name}_high"],
        ) == wanted


def test_intervals_of_both_normalisations_and_spacings():
    for spacing in metrics.SPACINGS:
        row = row_of(judge.mbr_table(SIX, resamples=30, spacing=spacing), proxy="zen")
        for suffix, normalise in (("", "total"), ("_pool", "pool")):
            options = {"normalise": normalise, "spacing": spacing}
            wanted = metrics.bootstrap(
                metrics.mbr, SIX.scores["zen"], SIX.accuracy, SIX.costs["macs"], resamples=30, **options
            )
            assert (row[f"mbr_macs{suffix}_low"], row[f"mbr_macs{suffix}_high"]) == pytest.approx(wanted)


def test_intervals_of_what_is_picked():
    frame = judge.constrained(SIX, "macs", 2, resamples=40, bootstrap_seed=3, level=0.8)
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
    row = row_of(judge.mbr_table(SIX, "macs", [0.5, 1, 6], resamples=50), proxy="zen")
    assert (row["mbr_macs_low"], row["mbr_macs_high"]) == metrics.interval(drawn[:, 0])


def test_joint_budgets_have_intervals_too():
    table = judge.mbr_table(SIX, budgets={"macs": 4, "params": 1e9}, resamples=40)
    alone = judge.mbr_table(SIX, budgets={"macs": 4}, resamples=40)
    name = "mbr_macs and params"
    assert (row_of(table, proxy="zen")[f"{name}_low"], row_of(table, proxy="zen")[f"{name}_high"]) == (
        row_of(alone, proxy="zen")["mbr_macs_low"],
        row_of(alone, proxy="zen")["mbr_macs_high"],
    )
    frame = judge.constrained(SIX, budgets={"macs": 4})
    assert list(frame) == list(judge.constrained(SIX, "macs", [4]))
    assert judge.mbr(SIX, "zen", budgets={"macs": 4}) == judge.mbr(SIX, "zen", "macs", [4])


def test_tables_say_which_scores_are_doubtful_where():
    for pool in (SIX, replace(SIX, space="mb-mini", scores={**SIX.scores, "netsens": np.arange(6.0)})):
        doubts = doubts_of(pool.space)
        hybrids = judge.best_hybrids(pool, ["netsens" if doubts else "zen", "macs"], draws=2).table()
        for frame in (judge.correlations(pool), judge.mbr_table(pool), hybrids):
            said = [note for note in frame.notes if "Doubtful" in note]
            assert said == ([f"* Doubtful in mb-mini: netsens; {doubts['netsens']}."] if doubts else [])
    assert doubts_of("r1-mini") == {} and set(doubts_of("mb")) == {"jacob_cov", "epe_nas", "netsens"}


DOUBTFUL = replace(SIX, space="mb-mini", scores={**SIX.scores, "netsens": np.arange(6.0)})


def tables_of(pool):
    """Every table of judgements that names netsens."""
    report = judge.evaluate(pool, np.arange(6.0)[::-1], resamples=3)
    search = judge.best_hybrids(pool, ["netsens", "macs"], draws=0)
    moved = judge.transfer([pool, replace(SIX, scores=pool.scores)], proxies="netsens")
    return {
        "correlations": judge.correlations(pool, resamples=3),
        "mbr_table": judge.mbr_table(pool, resamples=3),
        "constrained": judge.constrained(pool, resamples=3),
        "metrics": report.metrics,
        "picks": report.picks,
        "intervals": report.intervals,
        "search": search.table(),
        "judged": search.judge([replace(SIX, scores=pool.scores)]),
        "hybrid": judge.Hybrid(("netsens", "zen")).report([pool]),
        "bias": judge.bias(pool, ["netsens", "macs"], min_top=2),
        "pairs": moved.pairs,
        "proxies": moved.proxies,
    }


@pytest.mark.parametrize("name", sorted(tables_of(DOUBTFUL)))
def test_a_doubtful_proxy_is_marked_where_it_is_printed_and_plain_in_the_data(name):
    table = tables_of(DOUBTFUL)[name]
    assert table.doubtful == {"netsens"}
    (note,) = [note for note in table.notes if "Doubtful" in note]
    assert note.startswith("* Doubtful in mb-mini: netsens; the features end in a batch norm")
    printed = table.to_text().removesuffix("\n".join(table.notes))
    assert "netsens*" in printed and not re.search(r"netsens(?!\*)", printed)
    assert "netsens*" in table._repr_html_()
    for plain in (table.to_csv(), str(list(table)), table.to_arrow().to_pylist().__str__()):
        assert "netsens" in plain and "netsens*" not in plain


def test_reprs_mark_a_doubtful_proxy_and_say_why():
    report = judge.evaluate(DOUBTFUL, np.arange(6.0)[::-1])
    search = judge.best_hybrids(DOUBTFUL, ["netsens", "macs"], draws=0)
    moved = judge.transfer([DOUBTFUL, SIX], proxies=["netsens", "macs"])
    for one in (report, search, moved):
        assert "* Doubtful in mb-mini: netsens" in repr(one)
    assert "netsens*" in repr(report) and "netsens*" in repr(search)
    assert judge.mbr_table(SIX).doubtful == set() and "*" not in repr(judge.mbr_table(SIX))


def test_the_bench_says_why_a_proxy_has_no_score():
    bench = Bench()
    why = re.escape(str(bench.query(("mb-mini", 0)).score_reason("ntk", "cifar10")))
    for call in (
        lambda: bench.mbr("mb-mini", "ntk", "cifar10"),
        lambda: bench.mbr_lead("mb-mini", "ntk", "macs", "cifar10"),
    ):
        with pytest.raises(
            NothingFoundError,
            match=rf"no arch of mb-mini, .*, N = \d+ has a score of ntk \(the first arch: {why}\), so it "
            rf"picks nothing",
        ):
            call()
    with pytest.raises(UnknownNameError, match="no proxy named 'nkt'; did you mean 'ntk'"):
        bench.mbr_lead("mb-mini", "nkt", "macs", "cifar10")


def test_costs_stand_in_for_scores_that_were_never_made():
    pool = replace(SIX, scores={"macs": np.full(6, np.nan)})
    assert judge.mbr(pool, "macs", "params") == metrics.mbr(
        SIX.costs["macs"], SIX.accuracy, SIX.costs["params"]
    )


# The made release: r1-mini on cifar10, 60 runs with seed 0 of which one diverged, 20 with seed 1.


def test_bench_methods_are_those_of_its_pool(bench, made):
    pool = bench.pool("r1-mini", "cifar10", made.short)
    where = ("r1-mini", "cifar10", made.short)
    assert bench.mbr("r1-mini", "zen", *where[1:]) == judge.mbr(pool, "zen")
    assert bench.mbr(
        "r1-mini",
        "ntk",
        *where[1:],
        orient=False,
        costs="depth",
        spacing="quantile",
        normalise="pool",
        budgets=3,
    ) == metrics.mbr(-pool.scores["ntk"], pool.accuracy, pool.costs["depth"], 3, "pool", "quantile")
    seeds = pool.accuracies
    assert seeds.shape == (2, 59) and (~np.isnan(seeds)).sum(axis=1).tolist() == [
        59,
        18,
    ]  # arch 7 has no seed 0, arch 3 no seed 1
    assert bench.mbr_table(*where).to_csv() == judge.mbr_table(pool).to_csv()
    assert bench.correlations(*where).to_csv() == judge.correlations(pool).to_csv()
    assert (
        bench.constrained(*where, costs="s1_depth").to_csv() == judge.constrained(pool, "s1_depth").to_csv()
    )
    naswot = row_of(bench.correlations(*where), proxy="naswot")
    assert (naswot["num"], naswot["missing"], naswot["infinite"]) == (58, 1, 1)
    few = bench.constrained(*where, proxies=["zen"], where="macs < 1e6", split="test")
    assert set(few["proxy"]) == {"zen", "macs", "params", "depth", RANDOM, ORACLE} and "test" in few.title
    assert CEILING not in bench.correlations("mb-mini", "cifar10")["proxy"]


@given(ROWS, st.sampled_from(["even", "quantile"]))
def test_a_lead_is_the_difference_of_two_mbrs_on_the_same_resamples(rows, spacing):
    pool = pool_from(rows, accuracy=np.arange(len(rows)) % 7 / 10)
    if np.isnan(pool.scores["zen"]).all():
        with pytest.raises(ValueError, match=r"no arch of made, .* has a score of zen"):
            judge.mbr_lead(pool, "zen", "params")
        return
    lead = judge.mbr_lead(pool, "zen", "params", spacing=spacing, resamples=20, bootstrap_seed=3)
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
    assert judge.mbr_lead(pool, "params", "zen", spacing=spacing, resamples=20, bootstrap_seed=3)[
        :3
    ] == pytest.approx((-lead[0], -lead[2], -lead[1]), abs=1e-12)
    assert judge.mbr_lead(pool, pool.scores["zen"], "zen", resamples=3) == (
        0,
        0,
        0,
        len(pool),
        pool.source,
    )
    assert repr(lead).endswith(f", num_archs={len(rows)}, pool={pool.source!r})")


def test_a_lead_of_what_is_not_there():
    with pytest.raises(UnknownNameError, match="no proxy named 'zne'; did you mean 'zen'"):
        judge.mbr_lead(SIX, "zne", "macs")
    with pytest.raises(
        ValueError, match=r"scores of shape \(2,\) and type float64; an array holds one number for each"
    ):
        judge.mbr_lead(SIX, [1.0, 2.0], "macs")
    with pytest.raises(UnknownNameError, match="no cost of made named 'mcas'"):
        judge.mbr_lead(SIX, "zen", "macs", costs="mcas")
    for level in (7, 0, "0.9"):
        with pytest.raises(ValueError, match=f"level {level!r}; it is between 0 and 1"):
            judge.mbr_lead(SIX, "zen", "macs", level=level)
    with pytest.raises(
        ValueError, match=r"joint budgets {'macs': '4'}; they are like {'macs': 1e8, 'params': 1e6}"
    ):
        judge.mbr_lead(SIX, "zen", "macs", budgets={"macs": "4"})
    with pytest.raises(ValueError, match=r"costs 'params' beside joint budgets"):
        judge.mbr_lead(SIX, "zen", "macs", "params", budgets={"macs": 4, "params": 5})


def test_a_lead_under_joint_budgets_and_by_a_feature_that_some_lack():
    for options in (
        {"budgets": {"macs": 4, "params": 5}},
        {"costs": "width", "budgets": 2},
        {"costs": ["macs", "params"]},
    ):
        lead = judge.mbr_lead(SIX, "zen", "macs", **options, resamples=30)
        assert lead.difference == pytest.approx(
            judge.mbr(SIX, "zen", **options) - judge.mbr(SIX, "macs", **options)
        )
        assert lead.low <= lead.high


def test_proxies_are_a_list_of_names():
    with pytest.raises(ValueError, match=r"proxies is 'zen'; it is a list of names: \['zen'\]"):
        Bench().mbr_table("r1-mini", "cifar10", proxies="zen")


def test_the_bench_gives_the_lead_of_its_pool():
    bench = Bench()
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4", where="arch_id < 40")
    asked = {"recipe": "cpu-16px-4", "spacing": "quantile", "resamples": 30, "where": "arch_id < 40"}
    assert bench.mbr_lead("r1-mini", "synflow", "macs", "cifar10", **asked) == judge.mbr_lead(
        pool, "synflow", "macs", spacing="quantile", resamples=30
    )
    scores = {arch: float(len(arch)) for arch in pool.archs}
    mine = judge.mbr_lead(
        pool, [scores[arch] for arch in pool.archs], "macs", spacing="quantile", resamples=30
    )
    assert bench.mbr_lead("r1-mini", scores, "macs", "cifar10", **asked)[:4] == mine[:4]


def test_the_bench_passes_on_how_intervals_are_made():
    bench, asked = Bench(), {"resamples": 20, "bootstrap_seed": 4, "level": 0.6}
    pool = bench.pool("r1-mini", "cifar10", proxies=["zen"])
    own = {"resamples": 20, "bootstrap_seed": 4, "level": 0.6}
    for made, wanted in (
        (bench.mbr_table("r1-mini", "cifar10", proxies=["zen"], **asked), judge.mbr_table(pool, **own)),
        (
            bench.correlations("r1-mini", "cifar10", proxies=["zen"], **asked),
            judge.correlations(pool, **own),
        ),
        (
            bench.constrained("r1-mini", "cifar10", proxies=["zen"], **asked),
            judge.constrained(pool, **own),
        ),
    ):
        assert [row for row in made if row["proxy"] == "zen"] == [
            row for row in wanted if row["proxy"] == "zen"
        ]
        assert any("60% intervals: 20 resamples of the archs (seed 4)" in note for note in made.notes)
    report = bench.evaluate(
        pool.scores["zen"].tolist() + [math.nan] * (1000 - len(pool)), "r1-mini", "cifar10", **asked
    )
    assert {"even_mbr_union_pool", "mbr_macs", "precision_at_top_k"} <= set(report.intervals["metric"])
    assert "true_rank_low" in report.picks and "60% intervals of 20 resamples" in report.intervals.title
    first, second = (
        bench.mbr_lead("r1-mini", "zen", "macs", "cifar10", resamples=20, bootstrap_seed=seed)
        for seed in (1, 2)
    )
    assert first.difference == second.difference and first[1:] != second[1:]
