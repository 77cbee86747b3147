"""What is said of a leaderboard: its title, what was compared and tested, what is doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbzero.errors import count_of
from nbzero.judge.board_rows import BUDGETS, PROTOCOL, By, Entry, Judged
from nbzero.judge.hybrids import doubtful_on
from nbzero.metrics.nemenyi import LEAST_ENTRIES, LEAST_POOLS, Comparison
from nbzero.spaces.published import doubt_notes

BEST = {"mbr": "0 is best", "kendall": "1 is best"}


def title_of(found: Sequence[Judged], by: By) -> str:
    sizes = [len(one.pool) for one in found]
    num = f"{min(sizes):,} to {max(sizes):,}" if min(sizes) < max(sizes) else f"{sizes[0]:,}"
    what = "mBR" if by == "mbr" else "Kendall's tau"
    return f"Leaderboard {PROTOCOL} by {what}: {count_of(len(found), 'pool')}, N = {num} archs, val, seed 0"


def notes_of(
    found: Sequence[Judged], by: By, num_compared: int, num_entries: int, comparison: Comparison | None
) -> list[str]:
    """On what is compared, and what the tests say."""
    limits = f"over {BUDGETS} quantile limits on each of macs, params and depth that a space has"
    notes = [f"mbr: {limits}, {BEST['mbr']}. kendall: {BEST['kendall']}. Both are means over num_pools."]
    if num_compared < num_entries:
        left = f"Of {num_entries} entries {num_compared} have a value in every pool, and so a mean rank"
        notes.append(f"{left}; the others stand below, by mean_place.")
    if comparison is None:
        least = f"{LEAST_POOLS} pools and {LEAST_ENTRIES} entries that all pools have"
        notes.append(f"Not tested: Friedman's test is of at least {least}. {_groups(found, by)}".strip())
        return notes
    compared = f"{num_compared} entries on {comparison.num_pools} pools"
    chance = f"chi-square {comparison.statistic:.1f}, p = {comparison.p_value:.2g}"
    notes.append(f"Friedman's test of {compared}: {chance}.")
    if not comparison.is_settled:
        notes.append(f"So at {comparison.alpha:g} no two entries are told apart.")
        return notes
    least = f"{comparison.critical_difference:.1f}"
    notes.append(
        f"Nemenyi: mean ranks that differ by less than {least} are not told apart at {comparison.alpha:g}."
    )
    notes.append("Both tests take pools for independent; those of one space are not: the evidence is weaker.")
    return notes


def _groups(found: Sequence[Judged], by: By) -> str:
    """Which spaces have boards of their own, where all together have none."""
    of_space: dict[str, list[set[str]]] = {}
    for one in found:
        names = {name for name in one.entries if one.has(name, by)}
        of_space.setdefault(one.pool.space, []).append(names)
    if len(of_space) < 2:
        return ""
    said = []
    for space, sets in of_space.items():
        shared = set.intersection(*sets)
        if len(sets) >= LEAST_POOLS and len(shared) >= LEAST_ENTRIES:
            said.append(f"{space} ({count_of(len(sets), 'pool')}, {len(shared)} entries)")
    return f"These have a board of their own: {', '.join(said)}." if said else ""


def doubtful_entries(found: Sequence[Judged], entries: Mapping[str, Entry]) -> list[str]:
    """The entries that are doubtful in some pool, or have a member that is."""
    members = {member for entry in entries.values() for member in entry.members}
    doubtful = set(doubtful_on([one.pool for one in found], sorted(members)))
    return [name for name, entry in entries.items() if not doubtful.isdisjoint(entry.members)]


def doubts_of(found: Sequence[Judged], doubtful: Sequence[str]) -> list[str]:
    """Why entries are marked."""
    notes: dict[str, None] = {}
    for one in found:
        notes |= dict.fromkeys(doubt_notes(one.pool.space, one.pool.scores, one.pool.dataset))
    made_of = []
    for one in found:
        made_of += [name for name in doubtful if name in one.entries and len(one.entries[name].members) > 1]
    if made_of:
        listed = ", ".join(dict.fromkeys(made_of))
        notes[f"Marked too, because a member is: {listed}."] = None
    return list(notes)
