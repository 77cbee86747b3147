"""Votes and aggregates of scores: properties, cases by hand, and what published code gives."""

import itertools
import json

import numpy as np
import pytest

from nbzero import metrics
from nbzero.judge import votes
from nbzero.proxies.facts import PROXIES
from tests.places import GOLDEN

needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the reference scores are not part of the repository"
)


@pytest.fixture
def scores():
    return np.random.default_rng(0).normal(size=(3, 40)).round(1)


def test_the_experts_are_proxies():
    assert {name for experts in votes.EXPERTS.values() for name in experts} <= PROXIES.keys()


def test_majority_is_antisymmetric_and_counts_strict_wins(scores):
    relation = votes.majority(scores)
    assert (relation == -relation.T).all() and (relation.diagonal() == 0).all()
    for a, b in itertools.combinations(range(10), 2):
        wins, losses = (scores[:, a] > scores[:, b]).sum(), (scores[:, a] < scores[:, b]).sum()
        assert relation[a, b] == int(wins >= 2) - int(losses >= 2)
    assert votes.majority([[1, 2], [1, 3]]).tolist() == [[0, -1], [1, 0]]
    assert votes.majority([[1, 2], [4, 3]]).tolist() == [[0, 0], [0, 0]]  # half is no majority
    assert votes.majority([[np.nan, -np.inf]]).tolist() == [[0, -1], [1, 0]]  # what is absent is lowest
    assert votes.majority([[np.nan, np.nan]]).tolist() == [[0, 0], [0, 0]]


def test_an_arch_without_scores_is_last():
    table = np.random.default_rng(0).normal(size=(3, 196))
    table[:, 95] = np.nan
    rest = np.delete(np.arange(196), 95)
    assert votes.vote_positions(table)[95] == 0
    assert votes.copeland(table)[95] == -195 < votes.copeland(table)[rest].min()
    assert votes.log_rank_sum(table)[95] < votes.log_rank_sum(table)[rest].min()
    assert votes.mean_zscore(table)[95] == votes.mean_minmax(table)[95] == -np.inf
    last = np.append(rest, 95)  # the last to arrive
    assert last[votes.running_best(table[:, last])] != 95
    assert votes.running_best(table[:, [95, 0]]) == 1


def test_absent_scores_rank_as_in_metrics(scores):
    scores[0, :5], scores[1, 3:8], scores[2, 7] = np.nan, -np.inf, np.nan
    as_ranks = metrics.ranks(scores)
    for vote in (votes.majority, votes.copeland, votes.vote_positions):
        np.testing.assert_array_equal(vote(scores), vote(as_ranks))
    assert votes.running_best(scores) == votes.running_best(as_ranks)


@pytest.mark.parametrize("soft", [votes.mean_zscore, votes.mean_minmax])
def test_soft_votes_scale_by_the_finite_scores(scores, soft):
    scores[0, 3], scores[1, 4], scores[2, 5] = np.nan, -np.inf, np.inf
    found = soft(scores)
    assert found[[3, 4, 5]].tolist() == [-np.inf, -np.inf, np.inf]
    alone = []
    for row in scores:
        of_row = np.full(40, np.nan)
        of_row[np.isfinite(row)] = soft(row[np.isfinite(row)][None])
        alone.append(of_row)
    rest = np.delete(np.arange(40), [3, 4, 5])
    np.testing.assert_allclose(found[rest], np.mean(alone, axis=0)[rest])
    np.testing.assert_allclose(
        soft([*scores, np.full(40, 0.1)])[rest], found[rest] * 3 / 4
    )  # a constant adds 0
    assert (soft([*scores, np.full(40, np.nan)]) == -np.inf).all()
    scores[:, 3] = [np.nan, np.inf, np.inf]
    assert soft(scores)[3] == -np.inf


def test_orders_do_not_depend_on_the_order_of_the_archs_nor_on_monotone_scales(scores):
    turned = np.random.default_rng(1).permutation(scores.shape[1])
    for aggregate in (votes.copeland, votes.log_rank_sum, votes.mean_zscore, votes.mean_minmax):
        np.testing.assert_allclose(aggregate(scores[:, turned]), aggregate(scores)[turned])
    for aggregate in (votes.copeland, votes.log_rank_sum):
        np.testing.assert_allclose(aggregate(np.exp(scores)), aggregate(scores))
    assert (votes.copeland(scores) == votes.majority(scores).sum(1)).all()


def test_log_rank_sum_by_hand():
    expected = np.log([1.5 / 4, 1.5 / 4, 3 / 4, 4 / 4])
    np.testing.assert_allclose(votes.log_rank_sum([[5, 5, 6, 7]]), expected)
    np.testing.assert_allclose(votes.log_rank_sum([[np.nan, -1, 0, 1]]), np.log(np.arange(1, 5) / 4))


def test_swap_regularised_prefers_the_size_asked_for():
    swap, params = np.array([100.0, 100.0, 100.0]), np.array([1000, 2000, 4000])
    np.testing.assert_allclose(
        votes.swap_regularised(swap, params, mu=2, sigma=4), 100 * np.exp([-1 / 4, 0, -1])
    )
    logs = votes.swap_regularised(swap, params, mu=2, sigma=1e-9, log=True)
    assert logs.argmax() == 1 and np.isfinite(logs).all()
    adaptive = votes.swap_regularised(swap, params)
    np.testing.assert_allclose(
        adaptive, votes.swap_regularised(swap, params, mu=7 / 3, sigma=np.var([1, 2, 4]))
    )
    with pytest.raises(ValueError, match=r"sigma is 0.0; it is above 0: give one"):
        votes.swap_regularised([1.0], [1000])


@needs_golden
@pytest.mark.parametrize("case", ["clean", "noisy_ties"])
def test_reference_votes(case):
    published = json.loads((GOLDEN / "golden.json").read_text())["votes"][case]
    for name, vote in published["votes"].items():
        assert set(votes.EXPERTS[name.lower()]) == set(vote["experts"])
        table = [published["scores"][expert] for expert in vote["experts"]]
        assert votes.vote_positions(table).tolist() == vote["rank_position"]
        assert votes.running_best(table) == vote["running_best_index"]
        assert votes.copeland(table).tolist() == vote["copeland"]
    four = [published["scores"][name] for name in ("synflow", "jacob_cov", "snip", "pnorm")]
    np.testing.assert_allclose(votes.log_rank_sum(four), published["log_rank_sum_synflow_jacob_snip_pnorm"])
    three = [published["scores"][name] for name in votes.EXPERTS["sjw"]]
    np.testing.assert_allclose(votes.mean_zscore(three), published["SJW_soft_zscore"], atol=1e-9)
    np.testing.assert_allclose(votes.mean_minmax(three), published["SJW_soft_minmax"], atol=1e-9)


@needs_golden
@pytest.mark.parametrize("case", ["r1_a", "mb_a", "plain_a"])
def test_reference_regularised_swap(case):
    values = json.loads((GOLDEN / "golden.json").read_text())["nets"][case]["values"]
    reference = values["swap_regularised"]
    params = reference["params_thousands"] * 1000
    score = votes.swap_regularised([values["swap"]["value"]], [params], reference["mu"], reference["sigma"])
    assert score[0] == pytest.approx(reference["value"], rel=2e-5)
