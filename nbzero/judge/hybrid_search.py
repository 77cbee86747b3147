"""The search for good hybrids: every subset of some proxies, judged by mBR on one pool.

A subset is a mask: bit p is set where members[p] is in it. Capital endings name an array's axes: P members, N
archs, 2^P masks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, count_of, unknown_name, whole
from nbzero.frame import Frame
from nbzero.judge import subsets
from nbzero.judge.budgets import Chain, chain_notes
from nbzero.judge.hybrids import (
    PAPER,
    RULES,
    Chosen,
    Criterion,
    Hybrid,
    Rule,
    combined,
    doubtful_on,
    listed_pools,
    mbr_columns,
    mbr_within,
    member_names,
    pool_columns,
    pool_notes,
    rank_columns,
)
from nbzero.judge.pool import Pool
from nbzero.judge.rows import unscored_notes
from nbzero.judge.votes import copeland
from nbzero.metrics.arrays import codes
from nbzero.spaces.published import doubt_notes
from nbzero.text import marked

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MAX_COMPARISONS = 10**10  # of two archs by one proxy, in a search by majority: about ten seconds


@dataclass(frozen=True)
class HybridSearch:
    """Every subset of some proxies, judged on one pool. `best_hybrids` makes it.

    Attributes:
        members: (P,) the proxies searched.
        rule: how they were combined.
        chosen: the pool and the mBR; its `value` is that of the best subset of all.
        values: (2^P,) mBR by mask; mask 0 is NaN.
        num_different: subsets that pick different archs under some limit; the others only repeat them.
        chance: (P,) by size from 1: the best subset's mBR when the accuracies are dealt out to the archs at
            random. The median of the draws; NaN where there were none.
        chance_of_all: the same of the best of all subsets.
        no_score: archs of the pool without a score, by member, where there are any.
        not_searched: proxies of the pool that are no members because nobody named any and all were too many.
        left_out: notes on proxies that no arch has a score of, and on budgets below every arch.
        pool: what it was searched on.
    """

    members: tuple[str, ...]
    rule: Rule
    chosen: Chosen
    values: Floats
    num_different: int
    chance: Floats
    chance_of_all: float
    no_score: Mapping[str, int]
    not_searched: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    pool: Pool = field(kw_only=True, repr=False, compare=False)

    def best(self, size: int | None = None, place: int = 1) -> Hybrid:
        """The subset with the smallest mBR, of one size or of all; place 2 is the runner-up.

        Of equal values the smaller subset comes first, then the one whose last member is named first.

        Raises:
            UsageError: no such size or place.
        """
        if size is not None and not 1 <= size <= len(self.members):
            have = count_of(len(self.members), "member has", "members have")
            raise UsageError(f"size {size!r}; {have} subsets of 1 to {len(self.members)}")
        masks = self._masks(size)
        is_whole = hasattr(place, "__index__") and not isinstance(place, bool)
        if not is_whole or not 1 <= place <= len(masks):
            of_size = f" of {size}" if size else ""
            raise UsageError(f"place {place!r}; it is from 1 to {len(masks)}, the number of subsets{of_size}")
        mask = int(self._first(masks, place)[-1])
        chosen = replace(self.chosen, value=float(self.values[mask]), tried=len(masks))
        return Hybrid(self._names(mask), self.rule, chosen=chosen)

    def value(self, members: str | Iterable[str]) -> float:
        """The mBR of one subset on the pool of the search.

        Raises:
            UsageError: no members, one of them twice.
            UnknownNameError: one that was not searched.
        """
        mask = 0
        for name in member_names(members):
            if name not in self.members:
                raise unknown_name("member", name, self.members)
            mask |= 1 << self.members.index(name)
        return float(self.values[mask])

    def table(self, top: int = 3) -> Frame:
        """The best subsets of every size.

        Args:
            top: how many of each size.

        Returns:
            Columns size, place, members, mbr:
                even_mbr   mbr under as many even limits, the paper's; only beside a number of quantile limits
                equal      subsets of that size with the same mBR, itself included
                tried      subsets of that size
                chance     the best of them when the accuracies are dealt out at random
        """
        whole("top", top, least=1)
        rows: list[dict[str, Any]] = []
        for size in range(1, len(self.members) + 1):
            masks = self._masks(size)
            values = self.values[masks]
            for place, mask in enumerate(self._first(masks, top).tolist(), 1):
                rows.append(
                    {
                        "size": size,
                        "place": place,
                        "members": " + ".join(self._names(mask)),
                        "mbr": float(self.values[mask]),
                        **self._even_mbr(mask),
                        "equal": int((values == self.values[mask]).sum()),
                        "tried": len(masks),
                        "chance": float(self.chance[size - 1]),
                    }
                )
        title = f"Best hybrids by {self.rule} on {self.chosen}: {self.chosen.criterion}"
        return Frame.of(rows, title, self._notes()).marking(doubtful_on([self.pool], self.members))

    def judge(self, pools: Pool | Iterable[Pool]) -> Frame:
        """The best subset of each size, chosen here, on other pools by the same mBR.

        Beside it stands the best single proxy chosen here.

        Returns:
            A row for each pool and size:
                size, members, chosen_mbr   what was chosen, and its mBR here
                space, dataset, recipe, split, seed, num_archs   the pool
                shares        what it shares with this one (`Chosen.relation`)
                no_score      archs there that a member has no score of, which rank lowest
                mbr           there
                even_mbr      there, under as many even limits; only beside a number of quantile limits
                best_single   the mBR there of the single member that is best here
                random        a random pick's mBR there
            Members without any score there and budgets below every arch: as `nbzero.judge.budgets` says.

        Raises:
            UnknownNameError: a member or cost that a pool does not have.
            UsageError: no pools, a cost that some archs of one lack.
        """
        listed = listed_pools(pools)
        criterion = self.chosen.criterion
        best = [self.best(size) for size in range(1, len(self.members) + 1)]
        notes = [*self.chosen.notes(listed), *self._searched()]
        rows: list[dict[str, Any]] = []
        for pool in listed:
            limits = criterion.by_column(pool)
            notes += pool_notes(pool, self.members, limits["mbr"])
            scores = [one.scores_if_any(pool) for one in best]
            found = [mbr_columns(pool, one, limits, criterion.normalise) for one in scores]
            random = mbr_within(pool, np.zeros(len(pool)), limits["mbr"], criterion.normalise)
            for one, columns in zip(best, found, strict=True):
                rows.append(
                    {
                        "size": len(one.members),
                        "members": " + ".join(one.members),
                        "chosen_mbr": self.value(one.members),
                        **pool_columns(pool),
                        "shares": self.chosen.relation(pool),
                        "no_score": one.num_unscored(pool),
                        **columns,
                        "best_single": found[0]["mbr"],
                        "random": random,
                    }
                )
        title = f"Best hybrids by {self.rule} of {self.chosen}, judged elsewhere: {criterion}"
        notes += doubt_notes(self.pool.space, self.members, self.pool.dataset)
        doubtful = doubtful_on([self.pool, *listed], self.members)
        return Frame.of(rows, title, dict.fromkeys(notes)).marking(doubtful)

    def __repr__(self) -> str:
        """The best of every size."""
        best = self.table(1)
        columns = {name: best[name] for name in ("size", "members", "mbr", "equal", "chance")}
        combinations = count_of(len(self.values) - 1, "combination")
        lines = [
            f"HybridSearch of {combinations} of {count_of(len(self.members), 'member')}",
            Frame(columns, best.title, doubtful=best.doubtful).to_text(),
            *doubt_notes(self.pool.space, self.members, self.pool.dataset),
            "In-sample: chosen and judged by the same accuracies. What it is worth elsewhere: .judge(pools);"
            " more of each size: .table(), .best().",
        ]
        return "\n".join(lines)

    @functools.cached_property
    def _sizes(self) -> npt.NDArray[np.uint8]:
        """(2^P,) how many members each mask has."""
        return np.bitwise_count(np.arange(len(self.values)))

    def _masks(self, size: int | None) -> Ints:
        if size is None:
            return np.arange(1, len(self.values))
        return np.flatnonzero(self._sizes == size)

    def _first(self, masks: Ints, number: int) -> Ints:
        """The `number` of some masks that have the smallest values, in order; all where they are fewer."""
        number = min(number, len(masks))
        values = self.values[masks]
        # All within the number-th value, so that only these are sorted.
        near = masks[values <= np.partition(values, number - 1)[number - 1]]
        order = np.lexsort((near, self._sizes[near], self.values[near]))
        return np.asarray(near[order[:number]])

    def _names(self, mask: int) -> tuple[str, ...]:
        return tuple(name for p, name in enumerate(self.members) if mask >> p & 1)

    @functools.cached_property
    def _even_chains(self) -> list[Chain]:
        even = self.chosen.criterion.even
        if even is None:
            return []
        return even.chains(self.pool)

    @functools.cached_property
    def _rank_columns(self) -> Ints:
        return rank_columns(self.pool, self.members, self.rule)

    def _even_mbr(self, mask: int) -> dict[str, float]:
        """The column even_mbr of one subset, where there is one: worked out only for what is shown."""
        if not self._even_chains:
            return {}
        inside = np.flatnonzero(mask >> np.arange(len(self.members)) & 1)
        scores = combined(self._rank_columns[inside], self.rule)
        return {"even_mbr": mbr_within(self.pool, scores, self._even_chains, self.chosen.normalise)}

    def _notes(self) -> list[str]:
        tried = count_of(len(self.values) - 1, "combination was", "combinations were")
        notes = [
            f"{tried} tried on this pool; {self.num_different:,} of them differ in what they pick."
            " The best of many is in part luck: judge it on other pools (`judge`).",
            *self._searched(),
        ]
        if not math.isnan(self.chance_of_all):
            notes.append(
                "With the accuracies dealt out at random the best of them all reaches"
                f" {self.chance_of_all:.4g} (median of the draws)."
            )
        if self.chosen.split == "test":
            notes.append("Chosen on the test split, which then judges nothing.")
        num_archs = len(self.chosen.arch_ids)
        for name, count in self.no_score.items():
            notes.append(f"{name}: {count} of {num_archs} archs have no score and rank lowest.")
        return [*notes, *self.left_out]

    def _searched(self) -> list[str]:
        """The note on who was searched; where that was our choice, why, and how to have it otherwise."""
        doubtful = doubtful_on([self.pool], self.members)
        members = f"Searched: {marked(', '.join(self.members), doubtful)}"
        if not self.not_searched:
            return [f"{members}."]
        num_all = len(self.members) + len(self.not_searched)
        return [
            f"{members}: what the pool has of the NAS-Bench-Zero paper's nine proxies, and macs and params,"
            f" because {num_all} are too many for all subsets (at most {subsets.MAX_MEMBERS})."
            f" {len(self.not_searched)} were not searched; name others: proxies=[..], --proxies A,B."
        ]


def best_hybrids(
    pool: Pool,
    proxies: Iterable[str] | None = None,
    rule: Rule = "rank_sum",
    costs: str | Iterable[str] = "macs",
    budgets: int | Sequence[float] = 5,
    spacing: str = "quantile",
    *,
    normalise: str = "total",
    draws: int = 20,
    draw_seed: int = 0,
    engine: str = "auto",
) -> HybridSearch:
    """The mBR of every subset of some proxies on a pool, exactly.

    Args:
        pool: choose on val. It is remembered in every hybrid found.
        proxies: up to 24 proxies or costs, each once. None is every proxy of the pool, macs and params; where
            those are more than 24, `PAPER`'s. A proxy that no arch has a score of is left out then, with a
            note.
        rule: "rank_sum", "log_rank", or, for few members and archs, "majority".
        costs: macs, params, depth, latencies or stage features; of several the mean of their mBR.
        budgets, spacing, normalise: as `metrics.mbr`, but the spacing is "quantile" by default. Limits of
            your own go with one cost.
        draws: how often the accuracies are dealt out at random, to see what the best of so many combinations
            reaches by chance. 0 is never.
        draw_seed: of these draws.
        engine: "numpy", "numba" (the extra `nbzero[fast]`) or "auto", which takes numba where it is installed
            and worth loading. Both give the same.

    Raises:
        ImportError: numba asked for and not installed.
        UnknownNameError: a proxy or cost that the pool does not have; another rule.
        NothingFoundError: a proxy that was named and that no arch has a score of; all limits below every
            cost. Where only some limits are, they are left out, with a note.
        UsageError: no proxies, one of them twice, more than 24, a majority vote over too many; other budgets,
            spacing or normalise; limits with several costs; a cost that some archs lack.
    """
    not_searched: list[str] = []
    unscored: list[str] = []
    if proxies is None:
        proxies, not_searched = _default_members(pool)
        unscored = [f"{note} It is in no combination." for note in unscored_notes(pool, pool.without_scores)]
    names = member_names(proxies)
    subsets.check_members(len(names))
    criterion = Criterion.of(costs, budgets, spacing, normalise)
    if rule not in RULES:
        raise unknown_name("rule", rule, RULES)
    whole("draws", draws)
    whole("draw_seed", draw_seed)
    subsets.check_engine(engine)
    chains = criterion.chains(pool)
    limited = [chain.values <= limit for chain in chains for limit in chain.limits[chain.filled]]
    if not limited:
        raise NothingFoundError(
            f"{chains[0].empty} (of {pool.name}); raise the budget: there is none to choose a hybrid by"
        )
    columns = rank_columns(pool, names, rule)
    picks = _picks_by(rule, columns, limited, engine)
    values = mbr_of_subsets(picks, limited, pool.accuracy, normalise)
    chance, chance_of_all = _chance(picks, limited, pool.accuracy, normalise, draws, draw_seed)
    return HybridSearch(
        members=names,
        rule=rule,
        chosen=_chosen_on(pool, criterion, values),
        values=values,
        num_different=_num_different(picks),
        chance=chance,
        chance_of_all=chance_of_all,
        no_score=_num_unscored(pool, names),
        not_searched=tuple(not_searched),
        left_out=(*unscored, *doubt_notes(pool.space, names, pool.dataset), *chain_notes(chains)),
        pool=pool,
    )


def _default_members(pool: Pool) -> tuple[list[str], list[str]]:
    """The proxies to search where none were named, and those left out because all were too many."""
    known = [name for name in pool.scores_and_costs if name not in pool.without_scores]
    names = [name for name in known if name != "depth"]  # it ties nearly all archs
    if not names:
        raise NothingFoundError(
            f"{pool.name} has neither scores nor macs and params, so there is nothing to combine;"
            " name members, or another pool"
        )
    if len(names) <= subsets.MAX_MEMBERS or pool.scores.keys().isdisjoint(PAPER):
        return names, []
    searched = [name for name in PAPER if name in known]
    return searched, [name for name in known if name not in searched]


def _num_unscored(pool: Pool, names: Iterable[str]) -> dict[str, int]:
    """Member -> archs without a score, where there are any."""
    found = {}
    for name in names:
        absent = int(np.isnan(pool.score(name)).sum())
        if absent:
            found[name] = absent
    return found


def _chosen_on(pool: Pool, criterion: Criterion, values: Floats) -> Chosen:
    """What the best of all subsets, with these mBR (2^P,), was chosen by."""
    return Chosen(
        space=pool.space,
        dataset=pool.dataset,
        recipe=pool.recipe,
        protocol=pool.protocol,
        seed=pool.seed,
        split=pool.split,
        arch_ids=frozenset(pool.arch_ids.tolist()),
        costs=criterion.costs,
        budgets=criterion.budgets,
        spacing=criterion.spacing,
        normalise=criterion.normalise,
        value=float(np.nanmin(values)),
        tried=len(values) - 1,
        source=pool.source,
    )


def mbr_of_subsets(
    picks: subsets.Picks, limited: Sequence[Bools], accuracy: Floats, normalise: str
) -> Floats:
    """(2^P,) mBR of all subsets: the mean over the limits; mask 0 is NaN.

    Args:
        picks: what each subset picks under each limit.
        limited: for each limit the archs (N,) within it.
        accuracy: (N,).
        normalise: as in `metrics.mbr`.
    """
    picked = picks.picked
    # As `metrics.true_ranks`, of the archs picked alone. They are some tens, so nothing else is sorted.
    rivals = np.unique(accuracy[picked])
    beats, own = rivals.searchsorted(accuracy), rivals.searchsorted(accuracy[picked])
    worth = np.zeros(len(accuracy))
    total = np.zeros(picks.codes.shape[1])
    for limit, pool in enumerate(limited):
        size = int(pool.sum())
        over = size if normalise == "pool" else len(pool)
        inside = np.bincount(beats, weights=pool, minlength=len(rivals) + 1)
        worth[picked] = (size - np.cumsum(inside)[own]) / over
        total += picks.worth(limit, worth)
    return total / len(limited)


def _chance(
    picks: subsets.Picks, limited: Sequence[Bools], accuracy: Floats, normalise: str, draws: int, seed: int
) -> tuple[Floats, float]:
    """`HybridSearch.chance` and `chance_of_all`: what the best reach with accuracies dealt out at random."""
    sizes = np.bitwise_count(np.arange(picks.codes.shape[1]))
    num_members = int(sizes[-1])
    if not draws:
        return np.full(num_members, np.nan), math.nan
    rng = np.random.default_rng(seed)
    best = np.full((draws, num_members + 1), np.inf)
    for of_draw in best:
        values = mbr_of_subsets(picks, limited, rng.permutation(accuracy), normalise)
        np.minimum.at(of_draw, sizes[1:], values[1:])
    of_sizes = best[:, 1:]
    return np.median(of_sizes, axis=0), float(np.median(of_sizes.min(axis=1)))


def _num_different(picks: subsets.Picks) -> int:
    """How many subsets differ in what they pick."""
    same = np.zeros(picks.codes.shape[1] - 1, np.int64)
    for of_limit in picks.codes[:, 1:]:
        picked = codes(of_limit)  # numbered without gaps, so that the pairs are few numbers too
        same = codes(same * (int(picked.max()) + 1) + picked)
    return int(same.max()) + 1


def _picks_by(rule: Rule, columns: Ints, limited: Sequence[Bools], engine: str) -> subsets.Picks:
    if rule == "majority":
        return _majority_picks(columns, limited)
    return subsets.picks(columns, limited, engine)


def _majority_picks(columns: Ints, pools: Sequence[Bools]) -> subsets.Picks:
    """As `subsets.picks`, by Copeland's score over all archs, a subset at a time."""
    num_members, num_archs = columns.shape
    num_masks = 1 << num_members
    work = num_archs**2 * num_members * num_masks // 2
    if work > MAX_COMPARISONS:
        raise UsageError(
            f"a majority vote of all subsets of {num_members} members compares {num_archs:,} archs pairwise,"
            f" {work:.1g} comparisons of at most {MAX_COMPARISONS:.0g}; name fewer members,"
            " take a part of the pool, or search by rank_sum and judge by Hybrid(.., 'majority')"
        )
    found = np.full((len(pools), num_masks), -1, np.int32)
    tied: list[dict[tuple[int, ...], int]] = [{} for _ in pools]
    for mask in range(1, num_masks):
        inside = np.flatnonzero(mask >> np.arange(num_members) & 1)
        votes = copeland(columns[inside])
        for limit, pool in enumerate(pools):
            best = np.flatnonzero(pool & (votes == votes[pool].max()))
            if len(best) == 1:
                found[limit, mask] = best[0]
            else:
                sets = tied[limit]
                found[limit, mask] = num_archs + sets.setdefault(tuple(best.tolist()), len(sets))
    return subsets.Picks.of(found, tied, num_archs)
