"""Correlations: what they count, what they leave out, and the noise ceiling."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nbzero import judge, metrics
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
