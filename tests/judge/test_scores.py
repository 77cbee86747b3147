"""Scores of the reader's: every form alike, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbzero import Bench, judge, metrics
from nbzero.proxies.protocol import PROTOCOLS, protocol_batch, protocol_net
from nbzero.proxies.scored import OwnRow, OwnScores
from tests.judge.cases import SIX, row_of


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
    pool = bench.pool("r1-mini", "cifar10", made.short)
    assert row["kendall"] == metrics.kendall_tau(values[pool.arch_ids], pool.accuracy)


@pytest.mark.usefixtures("few_resamples")
def test_scores_come_as_tables_and_as_what_score_archs_gave(bench, made):
    space = bench.space("r1-mini")
    asked = ("r1-mini", "cifar10", made.short)
    values = np.random.default_rng(0).normal(size=(2, len(space)))
    mean = values.mean(axis=0)
    mean[5] = np.nan
    archs = list(space.members)
    table = pd.DataFrame({"arch": archs, "score": mean, "more": "x"})
    rows = [OwnRow(arch, seed, values[seed, at]) for at, arch in enumerate(archs) for seed in (0, 1)]
    rows[10] = OwnRow(archs[5], 0, None, "RuntimeError: no")
    own = OwnScores(rows, "mine 12345678", "r1-mini", "cifar10", "std-16")
    forms = [
        dict(zip(archs, mean, strict=True)),
        table,
        table.sample(frac=1, random_state=0),
        pl.DataFrame({"arch": archs, "score": mean}),
        own,
        own.frame,
        own.frame.to_pandas(),
        own.frame.to_polars(),
    ]
    reports = [bench.evaluate(form, *asked, name="mine") for form in forms]
    assert len({report.metrics.to_json() for report in reports}) == 1
    assert "It has no score for 1 of 59 archs, which rank last." in reports[1].sentences
    said = "It has no score for 1 of 59 archs, which rank last: 1 x seed 0: RuntimeError: no."
    assert said in reports[4].sentences
    lead = bench.mbr_lead("r1-mini", table, own, *asked[1:], resamples=5)
    assert lead.difference == 0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"arch": ["a"], "zen": [1.0]}, r"shape \(1, 2\) with columns arch, zen; a table of scores has"),
        ({"arch": ["arch0", "arch0"], "score": [1, 2]}, "table of scores has arch0 with seed 0 twice"),
        ({"arch": ["arch0"], "score": ["x"]}, "the score of arch0 is 'x'; it is a number"),
        ({"arch": ["arch0"], "score": [1], "seed": [0.5]}, "seed 0.5; it is a whole number from 0"),
        ({"arch": ["arch9"], "score": [1]}, "no members of made: 'arch9'"),
    ],
)
def test_tables_that_are_no_scores_are_explained(table, said):
    with pytest.raises(ValueError, match=said):
        judge.evaluate(SIX, pd.DataFrame(table))


def test_a_function_is_scored_on_the_archs_of_the_pool(bench, made, capsys):
    asked = ("r1-mini", "cifar10", made.short)
    pool = bench.pool(*asked)
    report = bench.evaluate(lambda arch: len(arch), *asked, name="length")
    assert report.pool.scores["length"].tolist() == [len(arch) for arch in pool.archs]
    assert report.pool.archs == pool.archs
    with pytest.raises(ValueError, match="a function beside scores of seed 'mean'; call"):
        bench.evaluate(lambda arch: 1, "r1-mini", "digits", made.short, seed="mean")
    with pytest.raises(ValueError, match=r"a score of yours \(59 x ZeroDivisionError: division by zero\)"):
        bench.evaluate(lambda arch: 1 / 0, *asked)


def test_a_function_of_networks_is_scored_by_the_protocol_and_the_seed_of_the_pool():
    """On the noise that needs no images, as the stored scores beside it would be."""
    members = Bench().space("r1-mini").members
    pool = Bench().pool("r1-mini", "cifar10", proxies=[], where="arch_id < 3")
    pool = replace(pool, protocol="std-16-noise", score_seed=1)
    images, labels = protocol_batch("r1-mini", "cifar10", 1, "std-16-noise")
    found = judge.evaluate(pool, lambda net, images, labels: net(images).sum() + labels.sum()).pool
    wanted = []
    for arch in members[:3]:
        net = protocol_net(arch, PROTOCOLS["std-16-noise"], 10, 1)
        wanted.append((net(images).sum() + labels.sum()).item())
    assert found.scores["yours"] == pytest.approx(wanted, rel=1e-5)


def test_the_data_set_may_be_left_out(bench, made):
    scores = {arch: len(arch) for arch in bench.space("r1-mini")}
    assert bench.datasets("r1-mini") == ["cifar10", "digits"]
    assert bench.evaluate(scores, "r1-mini").pool.dataset == "cifar10"
    rows = [OwnRow(arch, 0, float(score)) for arch, score in scores.items()]
    own = OwnScores(rows, dataset="digits", protocol="std-16")
    assert bench.evaluate(own, "r1-mini", recipe=made.short).pool.dataset == "digits"
    assert Bench().evaluate(own, "r1-mini").pool.dataset == "cifar10"


@pytest.mark.usefixtures("few_resamples")
def test_scores_of_some_archs_narrow_the_pool_for_all_proxies(bench, made):
    asked = ("r1-mini", "cifar10", made.short)
    pool = bench.pool(*asked)
    some = {arch: 1.0 * i for i, arch in enumerate(pool.members[:10])}
    some[pool.members[3]] = None  # named and absent: it failed, and ranks last
    report = bench.evaluate(some, *asked)
    part = pool.only(pool.arch_ids < 10)  # without arch 7, which diverged
    assert len(report.pool) == 9 and report.pool.archs == part.archs
    assert row_of(report.metrics, proxy="yours")["missing"] == 1
    said = "Narrowed to the 9 of 59 archs that the scores name, for all proxies alike."
    assert said in report.notes and said in repr(report)
    beside = [row for row in report.metrics if row["proxy"] != "yours"]
    wanted = {row["proxy"]: row for row in judge.correlations(part)}
    assert all(row["kendall"] == wanted[row["proxy"]]["kendall"] for row in beside)
    lead = bench.mbr_lead("r1-mini", some, "macs", *asked[1:], resamples=5)
    assert lead.num_archs == 9
    one, other = dict(list(some.items())[:6]), dict(list(some.items())[4:])
    assert judge.mbr_lead(pool, one, other, resamples=5).num_archs == 2


def test_foreign_and_double_scores_are_errors(bench, made):
    first, second = bench.space("r1-mini").members[:2]

    def evaluate(scores):
        return bench.evaluate(scores, "r1-mini", "cifar10", made.short)

    for scores, said in [
        (
            {first: 1, "r1-mini-what": 2, "x": 3},
            "2 of 3 scores are for archs that are no members of r1-mini: 'r1-mini-what', 'x'; members are "
            "like",
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
            r"scores of shape \(60,\) and type float64; an array holds one number for each of the 1000 "
            r"members",
        ),
        (["a"] * 1000, "an array holds one number for each"),
        (
            pd.DataFrame({"a": [1.0]}),
            r"scores of shape \(1, 1\) with columns a; a table of scores has the columns arch and score; a "
            "Series is indexed by arch",
        ),
        ({}, "none of the 59 archs of .* is named by the scores; give scores of measured archs"),
        ({bench.space("r1-mini").members[7]: 1.0}, "none of the 59 archs"),
    ]:
        with pytest.raises(ValueError, match=said):
            evaluate(scores)


def test_scores_that_cannot_be_told_apart_or_ranked_are_named():
    pool = Bench().pool("r1-mini", "cifar10", proxies=[])
    members = pool.members
    with pytest.raises(
        ValueError,
        match=r"4 of 5 whole numbers beyond 2\^53, like 1152921504606846980, are no longer different as "
        r"float64",
    ):
        judge.aligned(pool, {arch: 2**60 + i for i, arch in enumerate(members[:5])})
    with pytest.raises(ValueError, match="are no longer different as float64"):
        judge.aligned(pool, np.arange(len(members)) + 2**60)
    given = judge.aligned(pool, {members[0]: 2**60, members[1]: 2**61})
    assert given.values[:2].tolist() == [2.0**60, 2.0**61] and given.named.sum() == 2
    frame = judge.correlations(
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
        judge.mbr_table(SIX, [])
