"""The leaderboard: ranks of pools as scipy's, values as the tables', and what is left out is said."""

import math

import numpy as np
import pytest
from scipy import stats

from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.judge import HYBRIDS, correlations, leaderboard, mbr_table
from nbzero.judge.rows import CEILING, RANDOM
from tests.judge.boards import pool_of, rows_of, written

POOLS = [pool_of(seed) for seed in range(5)]


def values_of(board, column, names):
    """(pools, entries) of one column of the values."""
    found = {(row["pool"], row["proxy"]): row[column] for row in board.values}
    return np.array([[found[pool, name] for name in names] for pool in range(1, len(board.pools) + 1)])


@pytest.mark.parametrize(("by", "sign"), [("mbr", 1), ("kendall", -1)])
def test_ranks_are_those_of_scipy_and_mean_ranks_their_means(by, sign):
    board = leaderboard(POOLS, by=by, resamples=0)
    names = board.compared
    assert set(names) == {"zen", "naswot", "synflow", "snip", "macs", "params", "zen_macs"}
    wanted = stats.rankdata(sign * values_of(board, by, names).round(12), axis=1)
    assert values_of(board, "rank", names).tolist() == wanted.tolist()
    assert board.table["mean_rank"] == pytest.approx(wanted.mean(axis=0))
    assert board.table["mean_rank"].tolist() == sorted(board.table["mean_rank"])
    assert board.comparison.mean_ranks == pytest.approx(wanted.mean(axis=0))
    assert board.place(names[0])[0] == 1 and board.place(names[-1]) == (7, 7)
    assert names[0] == "zen" and names[-1] != "naswot"


def test_values_are_those_of_the_tables():
    (pool,) = pools = [pool_of(0, accuracies=np.array([np.arange(24), np.arange(24)[::-1]]) / 24)]
    board = leaderboard(pools, resamples=10)
    rows = {row["proxy"]: row for row in board.values}
    hybrids = {"zen_macs": HYBRIDS["zen_macs"].scores(pool)}
    whole = pool.with_scores({**pool.scores, **hybrids})
    for row in mbr_table(whole, with_even=False, resamples=10):
        if row["proxy"] != "oracle":
            for own, theirs in (("mbr", "mbr_union"), ("mbr_low", "mbr_union_low"), ("mbr_macs", "mbr_macs")):
                assert rows[row["proxy"]][own] == row[theirs]
    for row in correlations(whole, resamples=10):
        if row["proxy"] in rows and row["proxy"] not in (RANDOM, CEILING):
            assert [rows[row["proxy"]][f"kendall{end}"] for end in ("", "_low", "_high")] == [
                row[f"kendall{end}"] for end in ("", "_low", "_high")
            ]
    assert rows[CEILING]["kendall"] == -1 and rows[CEILING]["num_archs"] == 24
    (of_pool,) = board.pools
    assert of_pool["ceiling_kendall"] == -1 and of_pool["random_mbr"] == rows[RANDOM]["mbr"]
    assert board.comparison is None and math.isnan(board.table["better_than"][0])


def test_an_arch_without_a_score_ranks_last_and_is_counted():
    pool = pool_of(0)
    zen = np.where(pool.accuracy > 0.8, np.nan, pool.accuracy)
    board = leaderboard([pool.with_scores({**pool.scores, "zen": zen})], resamples=0)
    lowest = leaderboard([pool.with_scores({**pool.scores, "zen": np.nan_to_num(zen, nan=-9)})], resamples=0)
    (row,) = [row for row in board.values if row["proxy"] == "zen"]
    (other,) = [row for row in lowest.values if row["proxy"] == "zen"]
    assert row["missing"] == 4 and (row["mbr"], row["kendall"]) == (other["mbr"], other["kendall"])


def test_entries_that_a_pool_lacks_stand_below_without_a_mean_rank():
    board = leaderboard([pool_of(0, names=("zen", "naswot", "ntk")), *POOLS[1:3]], resamples=0)
    assert set(board.compared) == {"zen", "naswot", "macs", "params", "zen_macs"}
    below = board.table["proxy"][len(board.compared) :].tolist()
    assert set(below) == {"ntk", "synflow", "snip"}
    assert np.isnan(board.table["mean_rank"][5:]).all()
    assert dict(zip(board.table["proxy"], board.table["num_pools"], strict=True))["ntk"] == 1
    assert any("Of 8 entries 5 have a value in every pool" in note for note in board.table.notes)
    with pytest.raises(NothingFoundError, match="ntk has no mean rank"):
        board.place("ntk")
    with pytest.raises(UnknownNameError, match="no entry named 'nobody'"):
        board.place("nobody")


def test_a_doubtful_proxy_and_what_is_made_of_it_are_marked():
    names = ("jacob_cov", "synflow", "snip")
    board = leaderboard([pool_of(0, names=names, space="mb-mini"), pool_of(1, names=names)], resamples=0)
    assert board.table.doubtful == {"jacob_cov", "zerocost"}
    assert any(note.startswith("* Doubtful in mb-mini: jacob_cov") for note in board.table.notes)
    assert "Marked too, because a member is: zerocost." in board.table.notes


def test_pools_that_are_too_small_or_without_costs_are_left_out_and_named():
    small, bare = pool_of(7, num=19), pool_of(8, costs={})
    board = leaderboard([small, bare, *POOLS], resamples=0)
    notes = " ".join(board.table.notes)
    assert len(board.pools) == 5
    assert f"fewer than 20 archs with scores: {small.source}." in notes
    assert f"the space has none of macs, params and depth: {bare.source}." in notes
    by_tau = leaderboard([bare, *POOLS], by="kendall", resamples=0)
    assert len(by_tau.pools) == 6 and "macs" not in by_tau.compared
    with pytest.raises(NothingFoundError, match="no pool has 20 archs"):
        leaderboard([small])


def test_archs_without_any_score_are_not_of_the_pool():
    pool = pool_of(0, num=30)
    scored = np.arange(30) < 22
    part = pool.with_scores({name: np.where(scored, own, np.nan) for name, own in pool.scores.items()})
    board = leaderboard([part], resamples=0)
    assert board.values["num_archs"][0] == 22
    assert (
        board.values["mbr"].tolist() == leaderboard([pool.only(scored)], resamples=0).values["mbr"].tolist()
    )


def test_other_pools_than_those_of_the_protocol_are_refused():
    for changed, named in (
        ({"split": "test"}, "split test"),
        ({"seed": 1}, "seed 1"),
        ({"where": "macs > 1"}, "the condition 'macs > 1'"),
        ({"score_seed": 2}, "scores of seed 2"),
        ({"oriented": False}, "raw signs"),
    ):
        with pytest.raises(UsageError, match=f"has {named}; board-1 is of measured val"):
            leaderboard([pool_of(0, **changed)])
    with pytest.raises(UnknownNameError, match="no ranking named 'rank'"):
        leaderboard(POOLS, by="rank")


def test_a_submission_of_stored_scores_stands_where_these_stand(tmp_path):
    rows = [row for pool in POOLS for row in rows_of(pool, pool.scores["synflow"])]
    folder = written(tmp_path / "mine", rows)
    board = leaderboard(POOLS, [str(folder)], resamples=10)
    assert board.place("mine") == board.place("synflow")
    own, stored = [], []
    for row in board.values:
        if row["proxy"] in ("mine", "synflow"):
            (own if row.pop("proxy") == "mine" else stored).append(row)
            row.pop("kind")
    assert own == stored and len(own) == 5
    alone = leaderboard(POOLS, resamples=10)
    assert set(board.compared) == {"mine", *alone.compared}


def test_lower_scores_can_be_the_better_ones(tmp_path):
    rows = [row for pool in POOLS for row in rows_of(pool, -pool.scores["snip"])]
    board = leaderboard(POOLS, [str(written(tmp_path / "mine", rows, direction="lower"))], resamples=0)
    assert board.place("mine") == board.place("snip")


def test_a_board_with_a_submission_is_of_the_pools_that_it_covers(tmp_path):
    folder = written(tmp_path / "mine", [row for pool in POOLS[:3] for row in rows_of(pool, pool.accuracy)])
    board = leaderboard(POOLS, [str(folder)], resamples=0)
    assert board.pools["space"].tolist() == ["space0", "space1", "space2"] and board.place("mine")[0] == 1
    left = f"not every submission covers them: {POOLS[3].source}; {POOLS[4].source}."
    assert any(left in note for note in board.table.notes)
