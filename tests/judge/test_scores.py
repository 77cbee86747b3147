"""Scores of the reader's: every form alike, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbzero import Bench, judge, metrics
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
