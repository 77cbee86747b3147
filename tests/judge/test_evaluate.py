"""Reports of a proxy of the reader's: their tables are those of the pool with it."""

import math
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from nbzero import Bench, judge, metrics
from nbzero.errors import NothingFoundError, UnknownNameError
from nbzero.judge import ORACLE, RANDOM
from tests.judge.cases import SIX, pool_from, row_of


def test_a_proxy_without_any_score_picks_nothing_anywhere():
    """As a column of NaN, or as one that was left out: the other rows are those of a pool without it."""
    without = replace(SIX, accuracies=np.array([SIX.accuracy, SIX.accuracy]))
    for pool, why in (
        (replace(without, scores={**without.scores, "ntk": np.full(6, np.nan)}), "ntk"),
        (replace(without, unscored={"ntk": "singular"}), "ntk (the first arch: singular)"),
    ):
        for table in (
            lambda pool: judge.mbr_table(pool, resamples=7),
            lambda pool: judge.correlations(pool, resamples=7),
            lambda pool: judge.constrained(pool, ["macs", "params"], 3, resamples=7),
            lambda pool: judge.evaluate(pool, np.arange(6.0), "mine", resamples=7).metrics,
            lambda pool: judge.evaluate(pool, np.arange(6.0), "mine", resamples=7).picks,
            lambda pool: judge.evaluate(pool, np.arange(6.0), "mine", resamples=7).intervals,
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
        report = judge.evaluate(pool, np.arange(6.0), "mine")
        assert report.place() == judge.evaluate(without, np.arange(6.0), "mine").place()
        for call in (
            judge.mbr,
            partial(judge.mbr_lead, other="macs"),
            partial(judge.mbr_lead, other="zen", costs="params"),
        ):
            with pytest.raises(
                NothingFoundError,
                match=f"no arch of made, .* has a score of {re.escape(why)}, so it picks nothing",
            ):
                call(pool, "ntk")
        with pytest.raises(ValueError, match="name 'ntk' is taken"):
            judge.evaluate(replace(pool, unscored={"ntk": ""}), np.arange(6.0), "ntk")
    bare = judge.mbr_table(replace(SIX, scores={}))
    assert any(
        note.startswith("No arch has a score of any proxy: only costs are listed") for note in bare.notes
    )


def test_the_repr_of_a_report_names_its_parts():
    mine = judge.evaluate(SIX, np.arange(6.0), "mine")
    assert (
        "in .metrics, what each picks under each limit in .picks, .intervals is None: ask for resamples=1000)"
        in repr(mine)
    )
    assert "in .picks, bootstrap intervals in .intervals)" in repr(
        judge.evaluate(SIX, np.arange(6.0), "mine", resamples=3)
    )


def test_report_of_ones_own_proxy_is_the_tables():
    mine = np.array([3, 1, math.nan, 9, 8, 2.0])
    report = judge.evaluate(SIX, mine, "mine", resamples=20)
    own = replace(SIX, scores={"mine": mine, **SIX.scores})
    assert report.metrics["proxy"][0] == "mine" and report.metrics["missing"][0] == 1
    for frame in (judge.correlations(own), judge.mbr_table(own)):
        for column in frame.columns:
            np.testing.assert_array_equal(report.metrics[column], frame[column])
    even = judge.mbr_table(own, spacing="even")
    for column in even.columns:
        if column.startswith("mbr_"):
            np.testing.assert_array_equal(report.metrics[f"even_{column}"], even[column])
    for spacing in metrics.SPACINGS:
        part = report.picks.only(report.picks["spacing"] == spacing)
        assert list(judge.constrained(own, spacing=spacing, resamples=20)) == [
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
        and repr(report).startswith(
            "mine is number 1 of 4 proxies and costs by mBR over limits on macs and params, N = 6.\n"
        )
    )
    assert report.place("kendall") == (1, 4)


def test_direction_turns_the_scores():
    mine = np.arange(6.0)
    up, down = judge.evaluate(SIX, mine, "mine"), judge.evaluate(SIX, -mine, "mine", direction=-1)
    assert up.metrics.to_csv() == down.metrics.to_csv()
    assert judge.evaluate(SIX, mine, "mine", direction=-1).metrics["kendall"][0] == -up.metrics["kendall"][0]


def test_one_arch_and_constant_scores_are_defined():
    one = pool_from([(3, 5, 2, 2)])
    report = judge.evaluate(one, [1.0])
    assert report.metrics["mbr_union"].tolist() == [0] * len(report.metrics) and math.isnan(
        report.metrics["kendall"][0]
    )
    constant = judge.evaluate(SIX, np.ones(6), "mine")
    row, random = row_of(constant.metrics, proxy="mine"), row_of(constant.metrics, proxy=RANDOM)
    assert row["kendall"] is None and row["mbr_union"] == pytest.approx(random["mbr_union"])
    with pytest.raises(ValueError, match="kendall of mine is undefined"):
        constant.place("kendall")
    without = judge.evaluate(replace(SIX, costs={}), np.arange(6))
    assert (
        "mbr_union" not in without.metrics
        and len(without.picks) == 0
        and "made has none of macs, params and depth" in repr(without)
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: judge.evaluate(SIX, [1.0]),
            r"scores of shape \(1,\) and type float64; an array holds one number for each of the 6 members",
        ),
        (
            lambda: judge.evaluate(SIX, [math.nan] * 6),
            "none of the 6 archs of made, digits, .*std, N = 6 has a score of yours",
        ),
        (lambda: judge.evaluate(SIX, np.ones(6), direction=0), "direction 0; it is 1 where higher"),
        (lambda: judge.evaluate(SIX, np.ones(6), "zen"), "name 'zen' is taken"),
        (
            lambda: judge.evaluate(SIX, np.ones(6), ""),
            "name ''; it is what the report's tables and figures call the proxy, like 'yours'",
        ),
        (lambda: judge.evaluate(SIX, np.ones(6), " "), "name ' '; it is what the report's tables"),
        (lambda: judge.evaluate(SIX, np.ones(6), None), "name None; it is what the report's tables"),
        (
            lambda: judge.constrained(SIX, "macs", {"macs": 1}),
            r"costs 'macs' beside joint budgets \{'macs': 1\}",
        ),
        (lambda: judge.constrained(SIX, None, {"macs": "1"}), "joint budgets .* are like"),
        (lambda: judge.constrained(SIX, None, {}), "joint budgets {}; they are like"),
        (
            lambda: judge.constrained(replace(SIX, costs={})),
            "no cost: made has none of macs, params and depth; name one of width",
        ),
        (lambda: judge.constrained(SIX.only(np.array([0, 3])), "width"), "no arch of the pool has width"),
        (lambda: judge.constrained(SIX, spacing="log"), "spacing 'log'"),
        (lambda: judge.correlations(SIX, k=7), "k 7; it is a whole number from 1 to the 6 archs"),
        (lambda: judge.correlations(SIX, fraction=2), "fraction 2; it is above 0"),
        (
            lambda: judge.mbr(replace(SIX, scores={"ntk": np.full(6, np.nan)}), "ntk"),
            "no arch of .* has a score of ntk, so it picks nothing",
        ),
    ],
)
def test_bad_input_says_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_embedded_release_has_a_whole_report():
    bench = Bench()
    scores = {arch: bench.query(arch).score("synflow", "cifar10") for arch in bench.space("r1-mini").members}
    report = bench.evaluate(scores, "r1-mini", "cifar10", "cpu-16px-4", name="copy")
    rows = {row["proxy"]: row for row in report.metrics}
    assert {k: v for k, v in rows["copy"].items() if k != "proxy"} == {
        k: v for k, v in rows["synflow"].items() if k != "proxy"
    }
    assert rows["macs"]["kendall"] > 0.3 and rows[ORACLE]["mbr_union"] == 0 < rows[RANDOM]["mbr_union"]


def test_a_report_has_a_number_of_budgets_and_scores_that_are_floats():
    with pytest.raises(
        ValueError,
        match=r"budgets {'macs': 4}; it is a number of limits from 1|budgets {'macs': 4}; a report has "
        r"limits on every cost",
    ):
        judge.evaluate(SIX, np.arange(6.0), budgets={"macs": 4})
    with pytest.raises(ValueError, match="is beyond what a float holds; give its logarithm"):
        judge.evaluate(SIX, {"arch0": 10**400})


def test_the_report_of_a_stored_proxy():
    named = next(iter(SIX.scores))
    report = judge.evaluate(SIX, named)
    assert report.name == named and report.verdict.startswith(f"{named} is number")
    assert report.metrics["proxy"][0] == named
    for row in judge.correlations(SIX):
        (same,) = (one for one in report.metrics if one["proxy"] == row["proxy"])
        assert {name: same[name] for name in row} == row
    with pytest.raises(UnknownNameError, match="no proxy named 'zenn'"):
        judge.evaluate(SIX, "zenn")
    with pytest.raises(NothingFoundError, match="has a score of ntk"):
        judge.evaluate(replace(SIX, unscored={"ntk": "singular"}), "ntk")
