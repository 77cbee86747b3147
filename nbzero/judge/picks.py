"""Constrained search by score: what each proxy picks within a budget, and how good that is.

Everything reads a `Pool` of N measured archs of one space. The definitions are those of `nbzero.metrics`.
What an empty budget and a proxy without scores give is said in `nbzero.judge.budgets`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero import metrics
from nbzero.frame import Frame
from nbzero.judge.budgets import (
    Budgets,
    Chain,
    chain_notes,
    chains_of,
    filled_chains,
    is_laid,
    limits_in_words,
    mean_mbr,
)
from nbzero.judge.pool import Floats, Pool
from nbzero.judge.rows import (
    CEILING,
    RANDOM,
    Bootstrap,
    Entries,
    bootstrap_notes,
    bootstrap_of,
    ceiling_notes,
    low_high,
    predicted_notes,
)
from nbzero.judge.scores import narrowed, scores_of

PAPER = "even_"  # the prefix of what stands beside under the paper's even limits


class Judged(NamedTuple):
    """One cost's budgets, and what the rows pick under them.

    Attributes:
        chain: the budgets.
        found: (P, B') of the B' budgets that admit an arch; None where none does.
        drawn: the same on resamples; None without bootstrap.
    """

    chain: Chain
    found: metrics.Picks | None
    drawn: metrics.Resampled | None


def constrained(
    pool: Pool,
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "quantile",
    *,
    resamples: int = 0,
    bootstrap_seed: int = 0,
    level: float = 0.95,
) -> Frame:
    """What each proxy picks under each limit.

    A row per cost, budget and proxy, the random pick and the oracle included.

    Args:
        costs: macs, params, depth, a latency ("latency", or "latency:SETUP") or any stage feature of the
            space, one or several. None is every one of the first three that it has.
        budgets: how many limits for each cost; the limits themselves; or a mapping, {"macs": 1e8, "params":
            1e6}, which is one budget that holds all of them at once.
        spacing: of a number of limits: "quantile" (equal shares of the archs) or "even" (the paper's equal
            steps).
        resamples, bootstrap_seed, level: of bootstrap intervals; 0 resamples makes none. A number of budgets
            is laid anew in each resample.

    Returns:
        Columns cost, budget (from 1), limit, constraint (in words), proxy, arch (of tied winners the first in
        build order; null for the random pick), accuracy and true_rank (means over tied winners; 0 is best),
        num_tied, pool_size, best_arch, best_accuracy. With resamples also accuracy_low, accuracy_high,
        true_rank_low, true_rank_high. An arch that lacks the cost (a stage it does not have) is within no
        limit.

    Raises:
        UnknownNameError: a cost that the space does not have.
        UsageError: no cost named where the space has none, costs beside a mapping, wrong `budgets`,
            `spacing`, resamples or level.
    """
    bootstrap = bootstrap_of(pool, resamples, bootstrap_seed, level)
    entries = Entries(pool)
    judged = judged_of(pool, entries, chains_of(pool, costs, budgets, spacing), bootstrap)
    return picks_frame(pool, entries, judged, bootstrap)


def judged_of(
    pool: Pool, entries: Entries, chains: Sequence[Chain], bootstrap: Bootstrap | None
) -> list[Judged]:
    """What the rows of every table pick under each cost's budgets."""
    judged = []
    for chain in chains:
        found = _picked(pool, entries, chain) if chain.filled.any() else None
        drawn = None if bootstrap is None else _drawn(pool, entries, chain, bootstrap)
        judged.append(Judged(chain, found, drawn))
    return judged


def _picked(pool: Pool, entries: Entries, chain: Chain) -> metrics.Picks:
    """What the rows pick under the budgets that admit an arch; the rows without any score pick nothing.

    The last row is of equal scores, which would make a tie of all archs. Its means are counted without
    listing them.
    """
    sizes = chain.sizes[chain.filled]
    found = metrics.picks(entries.comparable[:-1], pool.accuracy, chain.order, sizes)
    rank, accuracy = _random_pick(pool, entries, chain, sizes)
    found = metrics.Picks(
        np.vstack([found.rank, rank]),
        np.vstack([found.accuracy, accuracy]),
        np.vstack([found.arch, np.full(len(sizes), chain.order[0])]),
        np.vstack([found.num_tied, sizes]),
        found.pool_size,
        found.best,
    )
    found.rank[entries.unscored] = found.accuracy[entries.unscored] = math.nan
    found.num_tied[entries.unscored] = 0
    return found


def _random_pick(
    pool: Pool, entries: Entries, chain: Chain, sizes: npt.NDArray[Any]
) -> tuple[list[float], Floats]:
    """(B,) mean true rank and mean accuracy of the archs within each limit."""
    ordered = entries.accuracy_codes[chain.order]
    ranks = []
    for size in sizes.tolist():
        count = np.bincount(ordered[:size])
        better = size - np.cumsum(count)
        ranks.append(float((count * better).sum() / size))
    accuracy: Floats = np.cumsum(pool.accuracy[chain.order])[sizes - 1] / sizes
    return ranks, accuracy


def _drawn(pool: Pool, entries: Entries, chain: Chain, bootstrap: Bootstrap) -> metrics.Resampled | None:
    """What the rows pick on resamples."""
    drawn = chain.resampled(pool, entries.scores, bootstrap.resamples, bootstrap.seed)
    if drawn is not None:
        drawn.rank[:, entries.unscored] = drawn.accuracy[:, entries.unscored] = math.nan
    return drawn


def picks_frame(pool: Pool, entries: Entries, judged: Sequence[Judged], bootstrap: Bootstrap | None) -> Frame:
    """The table of `constrained`."""
    rows: list[dict[str, Any]] = []
    for one in judged:
        rows += _pick_rows(pool, entries, one)
    notes = [*chain_notes(one.chain for one in judged), *entries.notes]
    notes += [*predicted_notes(pool), *bootstrap_notes(bootstrap)]
    frame = Frame.of(rows, f"Picks within budgets: {pool.name}", notes).marking(entries.doubtful)
    if bootstrap is None:
        return frame
    columns: dict[str, Any] = {name: frame[name] for name in frame.columns}
    for name, part in (("accuracy", "accuracy"), ("true_rank", "rank")):
        bounds: list[metrics.Interval] = []
        for one in judged:
            bounds += _pick_intervals(one, part, bootstrap, len(entries.names))
        columns |= low_high(name, bounds)
    return frame.with_columns(columns)


def _pick_rows(pool: Pool, entries: Entries, judged: Judged) -> Iterator[dict[str, Any]]:
    """A row per budget and proxy; nulls where a budget admits no arch."""
    chain, found = judged.chain, judged.found
    places = iter(range(len(chain.sizes)))
    for b, filled in enumerate(chain.filled.tolist()):
        head = {"cost": chain.cost, "budget": b + 1, "limit": float(chain.limits[b])}
        head["constraint"] = chain.constraints[b]
        if found is None or not filled:
            for name in entries.names:
                yield head | _NO_PICK | {"proxy": name}
            continue
        at = next(places)
        best = int(found.best[at])
        for p, name in enumerate(entries.names):
            nobody = name == RANDOM or entries.unscored[p]
            yield head | {
                "proxy": name,
                "arch": None if nobody else pool.archs[found.arch[p, at]],
                "accuracy": float(found.accuracy[p, at]),
                "true_rank": float(found.rank[p, at]),
                "num_tied": int(found.num_tied[p, at]),
                "pool_size": int(found.pool_size[at]),
                "best_arch": pool.archs[best],
                "best_accuracy": float(pool.accuracy[best]),
            }


_NO_PICK: dict[str, Any] = {
    "proxy": "",
    "arch": None,
    "accuracy": None,
    "true_rank": None,
    "num_tied": 0,
    "pool_size": 0,
    "best_arch": None,
    "best_accuracy": None,
}


def _pick_intervals(judged: Judged, part: str, bootstrap: Bootstrap, num_rows: int) -> list[metrics.Interval]:
    """The intervals of accuracy or rank, in the order of `_pick_rows`."""
    bounds: list[metrics.Interval] = []
    places = iter(range(len(judged.chain.sizes)))
    for filled in judged.chain.filled.tolist():
        values = getattr(judged.drawn, part)[:, :, next(places)] if filled else None
        bounds += bootstrap.intervals(values, num_rows)
    return bounds


def mbr(
    pool: Pool,
    proxy: str,
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "quantile",
    *,
    normalise: str = "total",
) -> float:
    """`metrics.mbr` of one proxy or cost of a pool.

    Of several costs it is the mean over the union of their budgets.

    Args:
        costs, budgets, spacing: as in `constrained`, but no costs are macs. With a mapping of budgets leave
            costs out.
        normalise: as in `metrics.mbr`.

    Raises:
        UnknownNameError: a proxy or cost that the pool does not have.
        NothingFoundError: no arch has a score; a budget below every arch.
        UsageError: wrong `budgets`, `spacing` or `normalise`.
    """
    chains = filled_chains(pool, costs, budgets, spacing)
    scores = scores_of(pool, proxy).values
    return float(mean_mbr(pool, scores[None], chains, normalise)[0])


class Lead(NamedTuple):
    """How much lower one proxy's mBR is than another's: negative where the first picks better.

    Attributes:
        difference, low, high: of mBR, and the ends of the interval of the difference.
        num_archs, pool: N, and `Pool.source`: what it was judged on.
    """

    difference: float
    low: float
    high: float
    num_archs: int
    pool: str


def mbr_lead(
    pool: Pool,
    one: str | npt.ArrayLike | Mapping[str, float],
    other: str | npt.ArrayLike | Mapping[str, float],
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "quantile",
    *,
    normalise: str = "total",
    resamples: int = 1000,
    bootstrap_seed: int = 0,
    level: float = 0.95,
) -> Lead:
    """mBR(one) - mBR(other), and its interval over resamples of the archs, the same for both.

    Of predicted accuracies it is over draws of these, and the archs stay.

    The difference is settled where the interval does not hold 0. Two separate intervals overlap far more
    often, because what makes one resample hard is shared.

    Args:
        one, other: a proxy or cost of the pool, or scores of your own: by arch, or (N,) as a hybrid's
            `scores(pool)`. Archs that they do not name narrow the pool for both.
        costs, budgets, spacing: as in `mbr`.
        normalise: as in `metrics.mbr`.
        resamples, bootstrap_seed, level: as in `metrics.bootstrap`; resamples in which a limit admits no arch
            are left out.

    Raises:
        UnknownNameError: a proxy or cost that the pool does not have.
        NothingFoundError: a proxy that no arch has a score of, scores that are all NaN, a budget below every
            arch.
        UsageError: scores of another length, or wrong options.
    """
    metrics.check_bootstrap(resamples, level, bootstrap_seed)
    pool, both, _ = narrowed(pool, scores_of(pool, one), scores_of(pool, other))
    chains = filled_chains(pool, costs, budgets, spacing)
    (lead,) = leads(pool, np.array(both), chains, Bootstrap(resamples, bootstrap_seed, level), normalise)
    return lead


def leads(
    pool: Pool, table: Floats, chains: Sequence[Chain], bootstrap: Bootstrap, normalise: str = "total"
) -> list[Lead]:
    """`mbr_lead` of every row of scores but the last over the last, all on the same resamples.

    Args:
        table: (P, N).
        chains: as of `filled_chains`.
    """
    values = mean_mbr(pool, table, chains, normalise)
    parts = []
    for chain in chains:
        drawn = chain.resampled(pool, table, bootstrap.resamples, bootstrap.seed)
        if drawn is not None:
            parts.append(drawn.mbr(normalise))
    means = np.mean(parts, axis=0)
    found = []
    for row in range(len(table) - 1):
        low, high = metrics.interval(means[:, row] - means[:, -1], bootstrap.level)
        found.append(Lead(float(values[row] - values[-1]), low, high, len(pool), pool.source))
    return found


def mbr_table(
    pool: Pool,
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "quantile",
    *,
    with_even: bool = True,
    resamples: int = 0,
    bootstrap_seed: int = 0,
    level: float = 0.95,
) -> Frame:
    """mBR of every proxy for each cost, and over the union of all (cost, budget) pairs.

    Args:
        costs, budgets, spacing: as in `constrained`.
        with_even: beside a number of quantile limits show the paper's even ones.
        resamples, bootstrap_seed, level: of bootstrap intervals; 0 resamples makes none. A number of budgets
            is laid anew in each resample; a resample in which a given limit admits no arch is left out.

    Returns:
        Columns proxy; mbr_COST and mbr_union, normalised by all N archs; the same with _pool, each rank over
        its own pool's size; with resamples mbr_COST_low, mbr_COST_high, mbr_COST_pool_low and so on. With
        `with_even` the same under as many even limits, the paper's: even_mbr_COST, even_mbr_union and so on.
        Last missing, the archs without a score.
    """
    bootstrap = bootstrap_of(pool, resamples, bootstrap_seed, level)
    entries = Entries(pool)
    columns: dict[str, Any] = {"proxy": [*entries.names, *ceiling_names(pool)]}
    notes: list[str] = []
    laid_as = spacings(budgets, spacing) if with_even else [(spacing, "")]
    for laid, prefix in laid_as:
        judged = judged_of(pool, entries, chains_of(pool, costs, budgets, laid), bootstrap)
        columns |= mbr_columns(pool, entries, judged, budgets, laid, bootstrap, prefix)
        notes += chain_notes(one.chain for one in judged)
    columns["missing"] = missing_of(pool, entries)
    title = f"mBR, {limits_in_words(budgets, spacing)}: {pool.name}"
    if f"{PAPER}mbr_union" in columns:
        notes.append(f"Columns that begin with {PAPER}: under as many even limits, which are the paper's.")
    return Frame(
        columns,
        title,
        [*dict.fromkeys(notes), *entries.notes, *ceiling_notes(pool), *bootstrap_notes(bootstrap)],
        doubtful=entries.doubtful,
    )


def spacings(budgets: Budgets, spacing: str) -> list[tuple[str, str]]:
    """The spacings of a table of mBR, each with the prefix of its columns.

    They are the one asked for, and the paper's beside it.
    """
    if spacing == "quantile" and is_laid(budgets):
        return [("quantile", ""), ("even", PAPER)]
    return [(spacing, "")]


def ceiling_names(pool: Pool) -> list[str]:
    """The name of the last row, where there is one."""
    return [] if pool.accuracies is None else [CEILING]


def missing_of(pool: Pool, entries: Entries) -> list[int]:
    """Archs without a score, of every row of a table."""
    if pool.accuracies is None:
        return entries.missing
    return [*entries.missing, len(pool) - pool.num_shared]


def mbr_columns(
    pool: Pool,
    entries: Entries,
    judged: Sequence[Judged],
    budgets: Budgets,
    spacing: str,
    bootstrap: Bootstrap | None,
    prefix: str = "",
) -> dict[str, Any]:
    """The columns of mBR of `mbr_table` under one spacing, the last row that of another seed."""
    columns = _means(len(pool), len(entries.names), judged)
    if pool.accuracies is not None:
        costs = None if isinstance(budgets, Mapping) else [one.chain.cost for one in judged]
        ceiling = _ceiling(pool, pool.accuracies, costs, budgets, spacing)
        for name, values in columns.items():
            values.append(ceiling.get(name, math.nan))
    if bootstrap is not None:
        columns |= _mbr_intervals(judged, bootstrap, len(entries.names) + len(ceiling_names(pool)))
    return {f"{prefix}{name}": values for name, values in columns.items()}


def _means(num_archs: int, num_rows: int, judged: Sequence[Judged]) -> dict[str, list[float]]:
    """mBR of each row for each cost and their union, by both normalisations."""
    columns: dict[str, list[float]] = {}
    for suffix in ("", "_pool"):
        parts: list[Floats] = []
        for one in judged:
            mean = [math.nan] * num_rows
            if one.found is not None:
                over = num_archs if suffix == "" else one.found.pool_size
                parts.append(one.found.rank / over)
                mean = parts[-1].mean(axis=1).tolist()
            columns[f"mbr_{one.chain.cost}{suffix}"] = mean
        union = np.concatenate(parts, axis=1).mean(axis=1).tolist() if parts else [math.nan] * num_rows
        columns[f"mbr_union{suffix}"] = union
    return columns


def _mbr_intervals(judged: Sequence[Judged], bootstrap: Bootstrap, num_rows: int) -> dict[str, list[float]]:
    """The columns of the intervals of `_means`."""
    columns: dict[str, list[float]] = {}
    for suffix, normalise in (("", "total"), ("_pool", "pool")):
        there = []
        for one in judged:
            values = None if one.drawn is None else one.drawn.mbr(normalise)
            if values is not None:
                there.append(values)
            intervals = bootstrap.intervals(values, num_rows)
            columns |= low_high(f"mbr_{one.chain.cost}{suffix}", intervals)
        union = np.mean(there, axis=0) if there else None
        columns |= low_high(f"mbr_union{suffix}", bootstrap.intervals(union, num_rows))
    return columns


def _ceiling(
    pool: Pool, accuracies: Floats, costs: list[str] | None, budgets: Budgets, spacing: str
) -> dict[str, float]:
    """The columns of `_means` for one seed's accuracy as a proxy for another's.

    They are means over pairs of seeds.
    """
    found: list[dict[str, list[float]]] = []
    for one, accuracy_one in enumerate(accuracies):
        for other, accuracy_other in enumerate(accuracies):
            both = ~np.isnan(accuracy_one) & ~np.isnan(accuracy_other)
            if one == other or not both.any():
                continue
            part = replace(pool.only(both), accuracy=accuracy_other[both])
            judged = []
            for chain in chains_of(part, costs, budgets, spacing):
                picks = None
                if chain.filled.any():
                    sizes = chain.sizes[chain.filled]
                    picks = metrics.picks(accuracy_one[both][None], part.accuracy, chain.order, sizes)
                judged.append(Judged(chain, picks, None))
            found.append(_means(len(part), 1, judged))
    if not found:
        return {}
    return {name: float(np.mean([columns[name][0] for columns in found])) for name in found[0]}
