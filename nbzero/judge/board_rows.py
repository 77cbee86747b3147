"""What every entry of a leaderboard gets on one pool: mBR, Kendall's tau, their intervals.

Entries are the proxies that the pool has scores of, its costs, the published votes and hybrids whose members
it has, and submissions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from nbzero.frame import Frame
from nbzero.judge.correlations import correlations, with_tau_intervals
from nbzero.judge.hybrids import HYBRIDS
from nbzero.judge.picks import mbr_table
from nbzero.judge.pool import Floats, Pool
from nbzero.judge.rows import CEILING, ORACLE
from nbzero.judge.votes import swap_regularised
from nbzero.release.opened import COSTS

PROTOCOL = "board-1"
BUDGETS = 5  # quantile limits of each cost
LEAST = 20  # archs with scores below which a pool is not on the board
SWAP_REG = "swap_reg"
By = Literal["mbr", "kendall"]
Kind = Literal["proxy", "cost", "vote", "hybrid", "submission"]


class Entry(NamedTuple):
    """One row of a board: its kind, and the proxies and costs that it is made of."""

    kind: Kind
    members: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """One pool of a board.

    Attributes:
        pool: with the scores of every entry.
        entries: name -> what it is; those that have a value.
        rows: name -> num_archs, missing, mbr, mbr_low, mbr_high, mbr_macs, mbr_params, mbr_depth, kendall,
            kendall_low, kendall_high; NaN where there is none. `random` and `another seed` too.
        notes: of the tables that they come from.
    """

    pool: Pool
    entries: Mapping[str, Entry]
    rows: Mapping[str, dict[str, Any]]
    notes: tuple[str, ...]

    def has(self, name: str, by: By) -> bool:
        """Whether an entry has a value of one metric."""
        return name in self.entries and not math.isnan(self.rows[name][by])

    def values(self, names: Sequence[str], by: By) -> Floats:
        """(K,) of some entries, in which higher is better; NaN where there is none."""
        sign = -1 if by == "mbr" else 1
        absent: dict[str, Any] = {by: math.nan}
        # Sums in another order differ by some 1e-16, and equal entries must tie.
        return np.round([sign * self.rows.get(name, absent)[by] for name in names], 12)


def scored_part(pool: Pool) -> Pool | None:
    """The archs of a pool that have a score of some proxy; None where they are too few for the board."""
    there = np.zeros(len(pool), bool)
    for scores in pool.scores.values():
        there |= ~np.isnan(scores)
    if there.sum() < LEAST:
        return None
    return pool if there.all() else pool.only(there)


def judged(pool: Pool, submitted: Mapping[str, Floats], resamples: int) -> Judged:
    """What every entry gets on a pool.

    Args:
        submitted: name -> (N,) oriented scores of submissions.
        resamples: of the 95 % percentile intervals, seed 0; 0 makes none.
    """
    entries = {name: Entry("proxy", (name,)) for name in pool.scores}
    entries |= {name: Entry("cost", (name,)) for name in pool.costs}
    combined = _combined(pool)
    for name in combined:
        entries[name] = _entry_of(name)
    entries |= {name: Entry("submission", ()) for name in submitted}
    whole = pool.with_scores({**pool.scores, **combined, **submitted})
    tables = _tables(whole, resamples)
    rows = _joined(whole, tables)
    kept = {name: entry for name, entry in entries.items() if _has_value(rows[name])}
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    return Judged(whole, kept, rows, tuple(notes))


def _combined(pool: Pool) -> dict[str, Floats]:
    """The scores of the published votes and hybrids whose members the pool has."""
    there = {name for name, scores in pool.scores_and_costs.items() if not np.isnan(scores).all()}
    found = {}
    for name, hybrid in HYBRIDS.items():
        if there.issuperset(hybrid.members):
            found[name] = hybrid.scores(pool)
    if there.issuperset(("swap", "params")) and np.ptp(pool.costs["params"]) > 0:
        found[SWAP_REG] = swap_regularised(pool.scores["swap"], pool.costs["params"])
    return found


def _entry_of(name: str) -> Entry:
    if name == SWAP_REG:
        return Entry("hybrid", ("swap", "params"))
    hybrid = HYBRIDS[name]
    kind: Kind = "vote" if hybrid.rule == "majority" else "hybrid"
    return Entry(kind, hybrid.members)


def costs_of(pool: Pool) -> list[str]:
    """The costs that some arch of the pool has."""
    return [name for name, values in pool.costs.items() if not np.isnan(values).all()]


def _tables(pool: Pool, resamples: int) -> list[Frame]:
    """The table of correlations and, where the pool has costs, that of mBR."""
    ordered = correlations(pool)
    if resamples:
        ordered = with_tau_intervals(pool, ordered, resamples)
    costs = costs_of(pool)
    if not costs:
        return [ordered]
    return [ordered, mbr_table(pool, costs, BUDGETS, with_even=False, resamples=resamples)]


def _joined(pool: Pool, tables: Iterable[Frame]) -> dict[str, dict[str, Any]]:
    """The rows of both tables by proxy, in the columns of `Judged.rows`."""
    wanted = {"missing": "missing", "kendall": "kendall", "mbr": "mbr_union"}
    wanted |= {f"mbr_{cost}": f"mbr_{cost}" for cost in COSTS}
    for name in ("kendall", "mbr"):
        for end in ("low", "high"):
            wanted[f"{name}_{end}"] = f"{wanted[name]}_{end}"
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        for row in table:
            if row["proxy"] == ORACLE:
                continue
            own = found.setdefault(row["proxy"], {"num_archs": len(pool)} | dict.fromkeys(wanted, math.nan))
            own |= {name: row[column] for name, column in wanted.items() if row.get(column) is not None}
    if CEILING in found:
        found[CEILING]["num_archs"] = pool.num_shared
    return found


def _has_value(row: Mapping[str, Any]) -> bool:
    return not (math.isnan(row["mbr"]) and math.isnan(row["kendall"]))
