"""The leaderboard: every proxy, vote and hybrid over every pool, by the one protocol `board-1`.

    accuracies  measured ones, val, seed 0; never the test split
    scores      of one scoring protocol each, seed 0; an arch without a score ranks below every other one
    a pool      a space, data set, recipe and scoring protocol with at least 20 archs that have both
    mBR         5 quantile limits on each of macs, params and depth that the space has; the mean over all
    tau         Kendall's tau-b with the accuracies of the pool
    intervals   95 %, percentiles, the archs of a pool drawn again (seed 0)
    rank        in each pool among the entries that every pool has; 1 is best, ties share their mean rank
    board       the mean of these ranks; Friedman's test, then Nemenyi's critical difference, both at 0.05

Entries that some pool lacks have no mean rank: they stand below, by their mean place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from nbzero.errors import NothingFoundError, UsageError, unknown_name, whole
from nbzero.frame import Frame
from nbzero.judge.board_frames import entry_rows, pool_rows, value_rows
from nbzero.judge.board_notes import doubtful_entries, doubts_of, notes_of, title_of
from nbzero.judge.board_rows import LEAST, PROTOCOL, By, Entry, Judged, judged, scored_part
from nbzero.judge.pool import Floats, Pool
from nbzero.judge.submission import Given, Submission, read_submissions
from nbzero.metrics.arrays import ranks
from nbzero.metrics.nemenyi import LEAST_ENTRIES, LEAST_POOLS, Comparison, nemenyi

RESAMPLES = 200
ALPHA = 0.05


@dataclass(frozen=True)
class Board:
    """A leaderboard.

    Attributes:
        by: what ranks are of, "mbr" or "kendall".
        table: a row per entry, the best first.
            proxy, kind          Kind is proxy, cost, vote, hybrid or submission.
            mean_rank            Over the pools, among the entries that all pools have; else null.
            better_than, worse_than  Entries from which it differs significantly; null without a mean rank,
                                 and where there are too few pools or entries to compare.
            mean_place, worst_place  Of (rank - 1) / (entries - 1) among all entries of a pool: 0 is best, 1
                                 is last. Over the pools that have it.
            mbr, kendall         Means over these pools.
            num_pools            How many these are.
        values: a row per pool and entry: pool (its number), proxy, kind, rank (among those with a mean rank),
            place, mbr, mbr_low, mbr_high, mbr_macs, mbr_params, mbr_depth, kendall, kendall_low,
            kendall_high, num_archs, missing (archs without a score). Then the rows `random` and, where two
            seeds exist, `another seed`, the noise ceiling on the num_archs that they share.
        pools: a row per pool: pool, space, dataset, recipe, protocol, metric, num_archs, num_entries,
            random_mbr, ceiling_mbr, ceiling_kendall, ceiling_archs.
        comparison: of the entries with a mean rank, in the order of the table; None where they or the pools
            are too few.
        pool_notes: for each pool what the reader must know of its rows.
    """

    by: By
    table: Frame
    values: Frame
    pools: Frame
    comparison: Comparison | None
    pool_notes: tuple[tuple[str, ...], ...]

    @property
    def compared(self) -> list[str]:
        """The entries that have a mean rank, the best first."""
        there = ~np.isnan(np.asarray(self.table["mean_rank"], np.float64))
        names: list[str] = self.table["proxy"][there].tolist()
        return names

    def place(self, name: str) -> tuple[int, int]:
        """The place of an entry by mean rank, from 1, and how many have one; equal ones share a place.

        Raises:
            UnknownNameError: no such entry.
            NothingFoundError: it has no mean rank.
        """
        names = self.table["proxy"].tolist()
        if name not in names:
            raise unknown_name("entry", name, names)
        if name not in self.compared:
            raise NothingFoundError(f"{name} has no mean rank, because some pool of the board lacks it")
        ordered = np.asarray(self.table["mean_rank"], np.float64)
        own = ordered[names.index(name)]
        return int((ordered < own).sum()) + 1, len(self.compared)

    def __repr__(self) -> str:
        return repr(self.table)


def leaderboard(
    pools: Iterable[Pool],
    submissions: Given | Iterable[Given] = (),
    *,
    by: By = "mbr",
    resamples: int = RESAMPLES,
) -> Board:
    """The leaderboard of some pools, by protocol `board-1`.

    Args:
        pools: as `Bench.leaderboard` makes them: measured, val, seed 0. Those of fewer than 20 archs with
            scores are left out with a note, by mBR also those of spaces without costs.
        submissions: folders, or what `check_submission` gave. The board is then of the pools that all of
            them cover.
        by: "mbr", or "kendall", which pools without costs have too.
        resamples: of the intervals; 0 makes none.

    Raises:
        NothingFoundError: no pool is left.
        UnknownNameError: another `by`.
        UsageError: pools that are not those of the protocol; submissions that are not as they should be, with
            every problem; other resamples.
        MissingPackageError: scipy is not installed.
    """
    if by not in get_args(By):
        raise unknown_name("ranking", by, get_args(By))
    resamples = whole("resamples", resamples)
    listed, notes = chosen_pools(list(pools), by)
    given = read_submissions(submissions, listed)
    if given:
        listed, left = _covered(listed, given)
        notes += left
    found = []
    for pool in listed:
        submitted = {one.name: one.scores_on(pool) for one in given}
        found.append(judged(pool, submitted, resamples))
    return _board(found, by, resamples, notes)


def chosen_pools(pools: list[Pool], by: By) -> tuple[list[Pool], list[str]]:
    """The pools that are on the board, narrowed to archs with scores, and notes on the others."""
    kept, few, without = [], [], []
    for pool in pools:
        _check_pool(pool)
        part = scored_part(pool)
        if part is None:
            few.append(pool.source)
        elif by == "mbr" and not part.costs:
            without.append(pool.source)
        else:
            kept.append(part)
    notes = []
    if few:
        notes.append(f"Not on the board, fewer than {LEAST} archs with scores: {'; '.join(few)}.")
    if without:
        costs = "the space has none of macs, params and depth"
        notes.append(f"Not on the board by mBR, because {costs}: {'; '.join(without)}.")
    if not kept:
        lacking = f"no pool has {LEAST} archs with a val accuracy and scores"
        raise NothingFoundError(" ".join([f"{lacking}, so there is no board.", *notes]))
    return kept, notes


def _check_pool(pool: Pool) -> None:
    """UsageError for a pool that is not of the protocol."""
    wrong = {
        "predicted accuracies": pool.surrogate is not None,
        f"split {pool.split}": pool.split != "val",
        f"seed {pool.seed}": pool.seed != 0,
        f"scores of seed {pool.score_seed}": pool.score_seed not in (None, 0),
        f"the condition {pool.where!r}": pool.where is not None,
        "raw signs": not pool.oriented,
    }
    has = [what for what, is_so in wrong.items() if is_so]
    if has:
        allowed = f"{PROTOCOL} is of measured val accuracies and scores of seed 0, of all archs, oriented"
        raise UsageError(f"{pool.name} has {', '.join(has)}; {allowed}: Bench.board_pools() makes such pools")


def _covered(pools: list[Pool], submissions: Sequence[Submission]) -> tuple[list[Pool], list[str]]:
    """The pools that every submission covers, and a note on those left out."""
    kept: list[Pool] = []
    left: list[Pool] = []
    for pool in pools:
        covered = all(one.covers(pool) for one in submissions)
        (kept if covered else left).append(pool)
    if not kept:
        names = ", ".join(one.name for one in submissions)
        raise NothingFoundError(f"no pool is covered by all of {names}; rank them one by one")
    if not left:
        return kept, []
    listed = "; ".join(pool.source for pool in left)
    return kept, [f"Left out, because not every submission covers them: {listed}."]


def _board(found: list[Judged], by: By, resamples: int, notes: list[str]) -> Board:
    entries: dict[str, Entry] = {}
    for one in found:
        entries |= one.entries
    names = [name for name in entries if any(one.has(name, by) for one in found)]
    values = np.array([one.values(names, by) for one in found])
    shared = np.flatnonzero(~np.isnan(values).any(axis=0))
    places = np.array([_places(row) for row in values])
    mean_rank = np.full(len(names), math.nan)
    rank = np.full(values.shape, math.nan)
    if len(shared) < LEAST_ENTRIES:
        shared = shared[:0]
    else:
        rank[:, shared] = ranks(-values[:, shared])
        mean_rank[shared] = rank[:, shared].mean(axis=0)
    # The best first; those without a mean rank behind, by their place. lexsort reads its last key first.
    order = np.lexsort((np.nanmean(places, axis=0), mean_rank))
    names = [names[at] for at in order]
    rank, places, mean_rank = rank[:, order], places[:, order], mean_rank[order]
    num_compared = len(shared)
    comparison = None
    if num_compared >= LEAST_ENTRIES and len(found) >= LEAST_POOLS:
        comparison = nemenyi(values[:, order[:num_compared]], ALPHA)
    doubtful = doubtful_entries(found, {name: entries[name] for name in names})
    said = [*notes_of(found, by, num_compared, len(names), comparison), *notes, *doubts_of(found, doubtful)]
    if resamples:
        said.append(f"Intervals of mBR and tau in each pool: 95 %, {resamples} resamples of the archs.")
    rows = entry_rows(found, by, names, entries, mean_rank, places, comparison)
    return Board(
        by,
        Frame.of(rows, title_of(found, by), said).marking(doubtful),
        Frame.of(value_rows(found, names, rank, places), f"By pool: {PROTOCOL}").marking(doubtful),
        Frame.of(pool_rows(found, by), f"Pools: {PROTOCOL}"),
        comparison,
        tuple(one.notes for one in found),
    )


def _places(values: Floats) -> Floats:
    """(K,) from 0 for the best to 1 for the last of those that have a value; NaN for the others."""
    found = np.full(len(values), math.nan)
    there = np.flatnonzero(~np.isnan(values))
    if len(there) > 1:
        found[there] = (ranks(-values[there]) - 1) / (len(there) - 1)
    else:
        found[there] = 0.0
    return found
