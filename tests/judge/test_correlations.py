"""Correlations: what they count, what they leave out, and the noise ceiling."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nbzero import judge, metrics
from nbzero.errors import UsageError
from nbzero.judge import CEILING, ORACLE, RANDOM
from nbzero.judge.correlations import CORRELATIONS
from tests.judge.cases import SIX, pool_from, row_of


def test_correlations_count_what_they_leave_out():
    scores = {
        "zen": SIX.scores["zen"],
        "naswot": np.array([1, -np.inf, 2, 3, 4, 0.0]),
        "plain": np.ones(6),
        "ntk": np.full(6, np.nan),
    }
    scores["bndlent"] = 0.1 + np.arange(6) * 1e-17  # some of these sums differ in the last bit
    frame = judge.correlations(replace(SIX, scores=scores), k=2, fraction=0.5)
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
        assert all(row_of(frame, proxy=name)[one] is None for one in CORRELATIONS)
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
    assert judge.correlations(SIX)["proxy"].tolist() == ["zen", "macs", "params", ORACLE, RANDOM]


def test_the_noise_ceiling_is_one_seed_against_another():
    seeds = np.array([SIX.accuracy, [0.9, 0.1, 0.5, 0.2, math.nan, 0.3]])
    both = ~np.isnan(seeds[1])
    frame = judge.correlations(replace(SIX, accuracies=seeds), k=2)
    row = row_of(frame, proxy=CEILING)
    assert (
        row["kendall"] == metrics.noise_ceiling(metrics.kendall_tau, seeds)
        and row["num"] == 5
        and row["missing"] == 1
    )
    table = row_of(judge.mbr_table(replace(SIX, accuracies=seeds)), proxy=CEILING)
    pairs = [(seeds[0][both], seeds[1][both]), (seeds[1][both], seeds[0][both])]
    assert table["mbr_macs"] == pytest.approx(
        np.mean([metrics.mbr(x, y, SIX.costs["macs"][both]) for x, y in pairs])
    )
    assert any("on the 5 of 6 archs that two seeds share" in note for note in frame.notes)


def test_the_ceiling_of_seeds_that_few_archs_share():
    pool = pool_from([(i % 5, i, i + 1, i + 1) for i in range(14)])
    accuracies = np.full((3, 14), np.nan)
    accuracies[0, :8], accuracies[1], accuracies[2, 6:] = (
        pool.accuracy[:8],
        pool.accuracy,
        pool.accuracy[6:] + 0.01,
    )
    frame = judge.correlations(replace(pool, accuracies=accuracies), k=5)
    assert any(
        note.startswith("another seed: null, because two seeds share fewer than K = 5 archs")
        for note in frame.notes
    )
    row = row_of(frame, proxy=CEILING)
    assert row["best_rank_at_k"] is None and row["kendall"] is None  # two of the seeds share two archs
    both = row_of(judge.correlations(replace(pool, accuracies=accuracies[:2]), k=5), proxy=CEILING)
    assert both["best_rank_at_k"] == 0 and both["kendall"] == 1 and both["num"] == 8


def test_undefined_scores_may_be_omitted():
    there = ~np.isnan(SIX.scores["zen"])
    scores, accuracy = SIX.scores["zen"][there], SIX.accuracy[there]
    frame = judge.correlations(SIX, k=2, fraction=0.5, undefined="omit", resamples=50)
    row = row_of(frame, proxy="zen")
    assert row["kendall"] == metrics.kendall_tau(scores, accuracy)
    assert row["spearman"] == metrics.spearman_rho(scores, accuracy)
    assert row["best_rank_at_k"] == metrics.best_rank_at_k(scores, accuracy, 2)
    assert (row["num"], row["missing"]) == (5, 1)
    interval = metrics.bootstrap(metrics.spearman_rho, scores, accuracy, resamples=50)
    assert (row["spearman_low"], row["spearman_high"]) == interval
    assert "Archs without a score, left out of the row: zen 1 of 6." in frame.notes
    last = judge.correlations(SIX, k=2, fraction=0.5, resamples=50)
    assert row_of(last, proxy="zen")["kendall"] != row["kendall"]
    assert row_of(last, proxy="macs") == row_of(frame, proxy="macs")


def test_too_few_scored_archs_for_a_k_are_a_null():
    scores = {"zen": np.array([1, 2, 3, *[np.nan] * 3])}
    frame = judge.correlations(replace(SIX, scores=scores), k=4, undefined="omit")
    row = row_of(frame, proxy="zen")
    assert row["best_rank_at_k"] is None
    assert row["kendall"] == metrics.kendall_tau([1, 2, 3], SIX.accuracy[:3])


def test_omitting_in_a_report_narrows_the_pool_for_all_proxies():
    scores = np.array([1, 2, np.nan, 4, 5, 6.0])
    report = judge.evaluate(SIX, scores, undefined="omit", k=2)
    narrow = judge.evaluate(SIX.only(~np.isnan(scores)), scores[~np.isnan(scores)], k=2)
    assert list(report.metrics) == list(narrow.metrics)
    assert any("1 arch without a score of yours left out" in note for note in report.notes)


@pytest.mark.parametrize("word", ["first", None, "OMIT"])
def test_another_way_to_treat_undefined_scores_is_refused(word):
    with pytest.raises(UsageError, match="it is 'last' or 'omit'"):
        judge.correlations(SIX, undefined=word)
    with pytest.raises(UsageError, match="it is 'last' or 'omit'"):
        judge.evaluate(SIX, np.arange(6.0), undefined=word)
