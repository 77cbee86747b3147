"""The verdict: plain sentences, each of which is true of the tables."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nbzero import Bench, judge, metrics
from nbzero.errors import UnknownNameError
from nbzero.judge.rows import Bootstrap
from nbzero.judge.verdict import REFERENCES, default_bootstrap, place_of
from nbzero.proxies.scored import OwnRow, OwnScores
from tests.judge.cases import SIX, row_of
from tests.pools import make_pool

MINI = Bench().pool("r1-mini", "cifar10", proxies=["naswot", "zen"])


MBR = "mBR over limits on macs, params and depth"


def sentence(report, start):
    (found,) = [one for one in report.sentences if one.startswith(start)]
    return found


def test_a_report_opens_with_its_verdict():
    report = judge.evaluate(MINI, MINI.scores["naswot"], "mine", resamples=50, bootstrap_seed=3, level=0.8)
    told = ["mine is number", "Its mBR is", "Its Kendall tau is", "It has a score for", "Seed noise:"]
    assert [one[: len(start)] for one, start in zip(report.sentences, told, strict=True)] == told
    assert report.verdict == "\n".join(report.sentences)
    assert repr(report).startswith(f"{report.verdict}\n\nmine: r1-mini, cifar10, ")
    place, of = report.place()
    assert (
        report.sentences[0] == f"mine is number {place} of {of} proxies and costs by {MBR}, N = {len(MINI)}."
    )
    assert of == 6  # mine, naswot, zen and three costs
    lead = judge.mbr_lead(
        report.pool, "mine", "macs", list(MINI.costs), resamples=50, bootstrap_seed=3, level=0.8
    )
    own, macs = (row_of(report.metrics, proxy=name) for name in ("mine", "macs"))
    assert lead.difference == pytest.approx(own["mbr_union"] - macs["mbr_union"])
    interval = f"80% interval, {lead.low:+.3f} to {lead.high:+.3f}"
    beside = f"Its mBR is {own['mbr_union']:.3f}, that of macs {macs['mbr_union']:.3f}; the difference is"
    assert sentence(report, "Its mBR").startswith(beside) and interval in sentence(report, "Its mBR")
    low, high = metrics.bootstrap(
        metrics.kendall_tau, MINI.scores["naswot"], MINI.accuracy, resamples=50, seed=3, level=0.8
    )
    tau = f"Its Kendall tau is {own['kendall']:.3f} (80% interval, {low:.3f} to {high:.3f})"
    assert sentence(report, "Its Kendall") == f"{tau}, that of macs {macs['kendall']:.3f}."
    noise = row_of(report.metrics, proxy="another seed")
    reached = f"mBR {noise['mbr_union']:.3f} and Kendall tau {noise['kendall']:.3f}"
    assert f"as a proxy has {reached} on the {len(MINI)} archs" in sentence(report, "Seed noise")


def settled_pool():
    """Macs order the archs the wrong way round, depth and params as they are."""
    quality = np.arange(60.0)
    return make_pool(quality / 100, {"macs": -quality, "params": np.arange(60) % 7.0})


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (np.arange(60.0), "the difference is settled: it picks better than macs (95% interval, -"),
        (-np.arange(60.0), "the difference is not settled: its 95% interval, +0.000 to +0.000, holds 0."),
    ],
)
def test_a_difference_is_settled_where_its_interval_does_not_hold_0(scores, said):
    report = judge.evaluate(settled_pool(), scores)
    assert said in sentence(report, "Its mBR")


def test_a_settled_difference_can_be_for_the_worse():
    pool = settled_pool()
    turned = replace(pool, costs={**pool.costs, "macs": -pool.costs["macs"]})
    report = judge.evaluate(turned, -np.arange(60.0))
    assert "settled: it picks worse than macs" in sentence(report, "Its mBR")


@pytest.mark.usefixtures("few_resamples")
def test_failures_are_counted_with_their_reasons():
    rows = [OwnRow(arch, 0, float(at)) for at, arch in enumerate(SIX.archs)]
    rows[1] = OwnRow(SIX.archs[1], 0, None, "ValueError: no")
    rows[2] = OwnRow(SIX.archs[2], 0, None, "it returned nan")
    rows[3] = OwnRow(SIX.archs[3], 0, math.inf)
    report = judge.evaluate(SIX, OwnScores(rows))
    assert sentence(report, "It has") == (
        "It has no score for 2 of 6 archs, which rank last; infinite scores: 1: "
        "1 x ValueError: no, 1 x it returned nan."
    )
    plain = judge.evaluate(SIX, {row.arch: row.score for row in rows})
    assert sentence(plain, "It has").startswith(
        "It has no score for 2 of 6 archs, which rank last; infinite scores: 1."
    )
    whole = judge.evaluate(SIX, np.arange(6.0))
    assert sentence(whole, "It has") == "It has a score for all 6 archs."


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"protocol": "std-noise"}, "protocol std-noise, not std"),
        ({"dataset": "cifar10"}, "data set cifar10, not digits"),
        (
            {"protocol": "std-noise", "dataset": "cifar10"},
            "protocol std-noise, not std; data set cifar10, not digits",
        ),
    ],
)
def test_scores_of_another_protocol_are_never_compared_without_saying_so(source, said):
    rows = [OwnRow(arch, 0, float(at)) for at, arch in enumerate(SIX.archs)]
    report = judge.evaluate(SIX, OwnScores(rows, **source))
    assert report.sentences[1] == f"Its scores are of another kind than those it is compared with: {said}."
    same = judge.evaluate(SIX, OwnScores(rows, protocol="std", dataset="digits"))
    assert not [one for one in same.sentences if "another kind" in one]


@pytest.mark.usefixtures("few_resamples")
def test_what_is_undefined_is_said():
    constant = judge.evaluate(SIX, np.ones(6))
    assert "Its Kendall tau is undefined, as of equal scores or of one arch." in constant.sentences
    one = judge.evaluate(SIX.only(np.array([0])), [1.0])
    assert (
        one.sentences[0]
        == "yours is number 1 of 4 proxies and costs by mBR over limits on macs and params, N = 1."
    )
    assert "not settled" in sentence(one, "Its mBR")
    costless = judge.evaluate(replace(SIX, costs={}), np.arange(6.0))
    assert costless.sentences[0] == "yours is number 1 of 2 proxies and costs by Kendall's tau, N = 6."
    assert not [said for said in costless.sentences if "mBR" in said]
    without = judge.evaluate(replace(SIX, costs={}), np.ones(6))
    assert without.sentences[0] == "yours has no place by Kendall's tau, which is undefined for it, N = 6."
    assert "Seed noise is unknown: no arch was trained with two seeds." in one.sentences
    few = np.full((2, 6), np.nan)
    few[0] = SIX.accuracy
    few[1, 0] = SIX.accuracy[0]
    shared = judge.evaluate(replace(SIX, costs={}, accuracies=few), np.arange(6.0))
    assert "Seed noise is unknown: too few archs were trained with two seeds." in shared.sentences


def test_a_pool_without_macs_is_compared_with_its_first_cost():
    pool = replace(SIX, costs={"params": SIX.costs["params"]})
    assert "that of params" in sentence(judge.evaluate(pool, np.arange(6.0)), "Its mBR")


def test_places_are_among_proxies_and_costs_and_equal_ones_share_one():
    table = judge.evaluate(SIX, SIX.scores["zen"], "mine").metrics
    assert place_of(table, "mine", "kendall") == place_of(table, "zen", "kendall")
    everyone = [name for name in table["proxy"] if name not in REFERENCES]
    best = min(everyone, key=lambda name: row_of(table, proxy=name)["mbr_union"])
    assert place_of(table, best, "mbr_union") == (1, 4)
    with pytest.raises(UnknownNameError, match="no column named 'zen'"):
        place_of(table, "mine", "zen")


def test_large_pools_have_fewer_resamples():
    assert default_bootstrap(SIX) == Bootstrap(1000, 0, 0.95)
    large = make_pool(np.arange(2001.0) / 3000)
    assert default_bootstrap(large).resamples == 200


@pytest.mark.usefixtures("few_resamples")
def test_a_verdict_of_few_archs_says_that_they_are_few():
    few = judge.evaluate(MINI.only(np.arange(5)), MINI.scores["zen"][:5], "mine")
    assert "5 archs are too few to tell one proxy from another." in few.sentences
    assert not any("too few" in one for one in judge.evaluate(MINI, MINI.scores["zen"], "mine").sentences)


def test_a_verdict_by_predictions_says_so_and_settles_nothing():
    pool = Bench().pool("r1-mini", "cifar10", proxies=["naswot"], accuracy="predicted")
    report = judge.evaluate(pool, pool.costs["depth"], "mine")
    assert report.sentences[0].startswith("All of this is by predicted accuracies, of a surrogate of 212")
    assert "that it holds must be measured" in report.verdict and "settled" not in report.verdict
    assert report.sentences[-1].startswith("Seed noise is no part of predictions")
