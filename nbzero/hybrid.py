"""Proxies combined by rank, and the search for good combinations: every subset of some proxies, judged by mBR.

A hybrid is chosen on one pool (val) and judged on others: the test split, other data sets, other spaces. Its report says what each pool shares
with the one it was chosen on. The votes of the WRCor paper, AZ-NAS's rank aggregate and regularised SWAP are here as plain functions too.

Scores are arrays in which higher is better (apply the registry's directions first): P proxies x A archs. Nothing here is stored in a release.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from nbzero import _subsets, metrics
from nbzero.constrained import Chain, chain_notes, chains_of, doubt_notes, mean_mbr, unscored_notes
from nbzero.errors import NothingFoundError, UsageError, count_of, unknown_name, whole
from nbzero.frame import Frame
from nbzero.pool import Pool

Floats = npt.NDArray[np.float64]
Rule = Literal["rank_sum", "log_rank", "majority"]
RULES: tuple[str, ...] = get_args(Rule)
LOG_UNIT = (
    2.0**-36
)  # logarithms of ranks are whole multiples of it, so that their sums are exact and do not depend on the order of the members
MAX_COMPARISONS = 10**10  # of two archs by one proxy, in a search by majority: about ten seconds

EXPERTS = {
    "zerocost": ("synflow", "jacob_cov", "snip"),
    "sjw": ("synflow", "jacob_cov", "wrcor"),
    "spw": ("synflow", "pnorm", "wrcor"),
}


def _members(members: Iterable[str]) -> tuple[str, ...]:
    names = (members,) if isinstance(members, str) else tuple(members)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise UsageError(
            f"members {', '.join(names) or 'none'}"
            + (f" with {', '.join(twice)} twice" if twice else "")
            + "; name one or more, each once"
        )
    return names


@dataclass(frozen=True)
class Chosen:
    """Where and how a hybrid was chosen.

    Attributes:
        space, dataset, recipe, protocol, seed, split: of the pool.
        arch_ids: the archs of the pool.
        costs, budgets, spacing, normalise: of the mBR by which it was chosen.
        value: that mBR.
        tried: combinations among which it is the best.
        source: the name of the pool, without N.
    """

    space: str
    dataset: str
    recipe: str
    protocol: str
    seed: int | str
    split: str
    arch_ids: frozenset[int] = field(repr=False)
    costs: tuple[str, ...]
    budgets: int | tuple[float, ...]
    spacing: str
    normalise: str
    value: float
    tried: int
    source: str = ""

    def __str__(self) -> str:
        """The pool's name, like "r1-mini, cifar10, cpu-16px-4, val, seed 0, std-16, N = 46"."""
        return f"{self.source}, N = {len(self.arch_ids):,}"

    def relation(self, pool: Pool) -> str:
        """What a pool shares with this one: "in-sample" (accuracies by which the hybrid was chosen), "same runs" (the other split of the same
        trained networks), "same archs" (trained otherwise, or on other data), "same space" or "other space"."""
        if pool.space != self.space:
            return "other space"
        if self.arch_ids.isdisjoint(pool.arch_ids.tolist()):
            return "same space"
        # A mean over seeds holds each of them; an imported recipe whose name ends in -mean is one.
        is_mean = "mean" in (pool.seed, self.seed) or pool.recipe != self.recipe
        recipes = {recipe.removesuffix("-mean") for recipe in (pool.recipe, self.recipe)}
        if pool.dataset != self.dataset or len(recipes) > 1 or not (is_mean or pool.seed == self.seed):
            return "same archs"
        return "in-sample" if pool.split == self.split else "same runs"


@dataclass(frozen=True)
class Hybrid:
    """Proxies combined by their ranks.

    Attributes:
        members: proxies or costs (macs, params, depth: larger is better), each once.
        rule: "rank_sum" (Borda), "log_rank" (AZ-NAS) or "majority" (Copeland's wins minus losses by pairwise majority).
        source: the publication of a named hybrid (`HYBRIDS`).
        chosen: where a search chose it; None for one that was given.

    Raises:
        UsageError: no members, one of them twice.
        UnknownNameError: another rule.
    """

    members: tuple[str, ...]
    rule: Rule = "rank_sum"
    source: str = ""
    chosen: Chosen | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", _members(self.members))
        if self.rule not in RULES:
            raise unknown_name("rule", self.rule, RULES)

    @property
    def name(self) -> str:
        """Like "synflow + zen", or "log_rank(macs + zen)" of another rule than the rank sum."""
        joined = " + ".join(self.members)
        return joined if self.rule == "rank_sum" else f"{self.rule}({joined})"

    def scores(self, pool: Pool) -> Floats:
        """The hybrid's score of every arch of a pool (N,), higher is better. Ranks are taken over the whole pool; 1 = lowest, ties their mean rank,
        an absent score below every number.

            rank_sum   sum of the ranks
            log_rank   sum of log(rank / N), each logarithm rounded to 2^-36
            majority   archs that more than half of the members rank lower, minus those that more than half rank higher

        Raises:
            UnknownNameError: a member that the pool does not have.
            NothingFoundError: a member that no arch of the pool has a score of.
        """
        columns = _columns(pool, self.members, self.rule)
        if self.rule == "majority":
            return copeland(columns).astype(np.float64)
        if self.rule == "rank_sum":
            return np.asarray(columns.sum(0) / 2, np.float64)
        return np.asarray((columns - _log_ranks(np.array([2 * len(pool)]))).sum(0) * LOG_UNIT, np.float64)

    def mbr(
        self,
        pool: Pool,
        costs: str | Iterable[str] = "macs",
        budgets: int | Sequence[float] = 5,
        spacing: str = "even",
        normalise: str = "total",
    ) -> float:
        """`metrics.mbr` of the scores: the mean over the costs; NothingFoundError where a budget is below every arch."""
        chains = _chains(pool, _costs(costs, budgets), budgets, spacing)
        for chain in chains:
            if chain.empty:
                raise NothingFoundError(
                    f"{chain.empty} (of {pool.name}); raise the budget, or take `report`, which leaves it out with a note"
                )
        return _mbr_of(pool, self.scores(pool), chains, normalise)

    def report(
        self,
        pools: Pool | Iterable[Pool],
        costs: str | Iterable[str] = "macs",
        budgets: int | Sequence[float] = 5,
        spacing: str = "even",
        normalise: str = "total",
    ) -> Frame:
        """The hybrid on pools, beside its members alone, the costs and a random pick.

        Args:
            pools: one or several.
            costs: macs, params, depth or stage features; of several the mBR is the mean.

        Returns:
            Columns space, dataset, recipe, split, seed, num_archs; shares (what the pool shares with the one that the hybrid was chosen on:
            `Chosen.relation`, null for one that was given); proxy, kind (hybrid, member, cost or random), no_score (archs that a member has no
            score of), mbr, and accuracy, that of the pick among all archs of the pool (of tied ones the mean). Notes name the pool that it was
            chosen on, and mark what is in-sample. Members without any score and budgets below every arch: as `nbzero.constrained` says.

        Raises:
            UnknownNameError: a member or cost that a pool does not have.
            UsageError: no pools, other budgets, spacing or normalise, limits with several costs.
        """
        rows, left_out, names = [], [], _costs(costs, budgets)
        listed = _pools(pools)
        for pool in listed:
            chains = _chains(pool, names, budgets, spacing)
            left_out += _left_out(pool, self.members, chains)
            judged = [(self.name, "hybrid", _scores_if_any(self, pool))]
            alone = self.members if len(self.members) > 1 else ()
            judged += [
                (name, "member", None if name in pool.without_scores else pool.score(name)) for name in alone
            ]
            judged += [(name, "cost", pool.cost(name)) for name in names if name not in self.members]
            judged.append(("random pick", "random", np.zeros(len(pool))))
            for name, kind, scores in judged:
                lacking = (
                    _no_score(self, pool)
                    if kind == "hybrid"
                    else len(pool)
                    if scores is None
                    else int(np.isnan(scores).sum())
                )
                best = None if scores is None else metrics.codes(scores)
                rows.append({
                    **_where(pool), "shares": self.chosen.relation(pool) if self.chosen else None, "proxy": name, "kind": kind, "no_score": lacking,
                    "mbr": _mbr_of(pool, scores, chains, normalise),
                    "accuracy": math.nan if best is None else float(pool.accuracy[best == best.max()].mean()),
                })  # fmt: skip
        title = f"{self.name}: mBR by {', '.join(names)}, {_budgets_said(budgets, spacing)}, over {_over(normalise)}"
        return _frame(rows, title, [*_guard(self.chosen, listed), *left_out])


# The proxies that the NAS-Bench-Zero paper combines, and the costs.
PAPER = (
    "fisher",
    "grad_norm",
    "snip",
    "grasp",
    "jacob_cov",
    "plain",
    "synflow",
    "ntk",
    "zen",
    "macs",
    "params",
)

HYBRIDS: Mapping[str, Hybrid] = {
    "zerocost": Hybrid(EXPERTS["zerocost"], "majority", "Abdelfattah et al., ICLR 2021, arXiv:2101.08134"),
    "sjw": Hybrid(EXPERTS["sjw"], "majority", "Jing et al., arXiv:2507.08841"),
    "spw": Hybrid(EXPERTS["spw"], "majority", "Jing et al., arXiv:2507.08841"),
    "az_nas": Hybrid(
        ("az_expressivity", "az_progressivity", "az_trainability", "macs"),
        "log_rank",
        "Lee and Ham, CVPR 2024, arXiv:2403.19232",
    ),
    "zen_macs": Hybrid(
        ("zen", "macs"), "rank_sum", "zen_FLOPs of NAS-Bench-Zero, OpenReview hP-SILoczR, which names no rule"
    ),
    "best_four": Hybrid(
        ("jacob_cov", "zen", "snip", "synflow"),
        "rank_sum",
        "best four on R1 of NAS-Bench-Zero, OpenReview hP-SILoczR, which names no rule",
    ),
}


def hybrid(name: str) -> Hybrid:
    """A published hybrid by name; UnknownNameError with near matches for any other.

    >>> hybrid("sjw").name
    'majority(synflow + jacob_cov + wrcor)'
    """
    if name not in HYBRIDS:
        raise unknown_name("hybrid", name, HYBRIDS)
    return HYBRIDS[name]


@dataclass(frozen=True)
class HybridSearch:
    """Every subset of some proxies, judged on one pool. `best_hybrids` makes it.

    Attributes:
        members: (P,) the proxies searched.
        rule: how they were combined.
        chosen: the pool and the mBR; its `value` is that of the best subset of all.
        values: (2^P,) mBR by mask; bit p is set where members[p] is in the subset; mask 0 is NaN.
        num_different: subsets that pick different archs under some limit; the others only repeat them.
        chance: (P,) by size from 1: the best subset's mBR when the accuracies are dealt out to the archs at random, median of the draws; NaN
            where there were none.
        chance_of_all: the same of the best of all subsets.
        no_score: archs of the pool without a score, by member, where there are any.
        not_searched: proxies of the pool that are no members because nobody named any and all were too many.
        left_out: notes on proxies that no arch has a score of, and on budgets below every arch.
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

    def best(self, size: int | None = None, place: int = 1) -> Hybrid:
        """The subset with the smallest mBR, of one size or of all; place 2 is the runner-up.

        Of equal values the smaller subset, then the one whose last member is named first comes first.

        Raises:
            UsageError: no such size or place.
        """
        if size is not None and not 1 <= size <= len(self.members):
            raise UsageError(
                f"size {size!r}; {count_of(len(self.members), 'member has', 'members have')} subsets of 1 to {len(self.members)}"
            )
        masks = self._masks(size)
        if isinstance(place, bool) or not hasattr(place, "__index__") or not 1 <= place <= len(masks):
            raise UsageError(
                f"place {place!r}; it is from 1 to {len(masks)}, the number of subsets"
                + (f" of {size}" if size else "")
            )
        order = np.lexsort((masks, self._sizes[masks], self.values[masks]))
        mask = int(masks[order[place - 1]])
        return Hybrid(
            self._names(mask),
            self.rule,
            chosen=replace(self.chosen, value=float(self.values[mask]), tried=len(masks)),
        )

    def value(self, members: Iterable[str]) -> float:
        """The mBR of one subset on the pool of the search."""
        mask = 0
        for name in _members(members):
            if name not in self.members:
                raise unknown_name("member", name, self.members)
            mask |= 1 << self.members.index(name)
        return float(self.values[mask])

    def table(self, top: int = 3) -> Frame:
        """The best subsets of every size.

        Args:
            top: how many of each size.

        Returns:
            Columns size, place, members, mbr; equal (subsets of that size with the same mBR, itself included), tried (subsets of that size),
            chance (the best of them when the accuracies are dealt out at random).
        """
        whole("top", top, least=1)
        rows: list[dict[str, Any]] = []
        for size in range(1, len(self.members) + 1):
            masks = self._masks(size)
            values = self.values[masks]
            last = np.partition(values, min(top, len(masks)) - 1)[min(top, len(masks)) - 1]
            near = masks[values <= last]
            for place, mask in enumerate(near[np.lexsort((near, self.values[near]))][:top].tolist(), 1):
                rows.append({
                    "size": size, "place": place, "members": " + ".join(self._names(mask)), "mbr": float(self.values[mask]),
                    "equal": int((values == self.values[mask]).sum()), "tried": len(masks), "chance": float(self.chance[size - 1]),
                })  # fmt: skip
        return _frame(
            rows, f"Best hybrids by {self.rule} on {self.chosen}: {_objective(self.chosen)}", self._notes()
        )

    def judge(self, pools: Pool | Iterable[Pool]) -> Frame:
        """The best subset of each size, chosen here, on other pools by the same mBR, beside the best single proxy chosen here.

        Returns:
            Columns size, members, chosen_mbr (here), space, dataset, recipe, split, seed, num_archs, shares (`Chosen.relation`), no_score (archs
            there that a member has no score of, which rank lowest), mbr, best_single
            (there, of the single member that is best here), random (a random pick's). Members without any score there and budgets below every
            arch: as `nbzero.constrained` says.

        Raises:
            UnknownNameError: a member or cost that a pool does not have.
            UsageError: no pools.
        """
        rows, left_out, chosen = [], [], self.chosen
        best = [self.best(size) for size in range(1, len(self.members) + 1)]
        listed = _pools(pools)
        for pool in listed:
            chains = _chains(pool, chosen.costs, chosen.budgets, chosen.spacing)
            left_out += _left_out(pool, self.members, chains)
            random = _mbr_of(pool, np.zeros(len(pool)), chains, chosen.normalise)
            single_there = _mbr_of(pool, _scores_if_any(best[0], pool), chains, chosen.normalise)
            for size, found in enumerate(best, 1):
                assert found.chosen is not None
                rows.append({
                    "size": size, "members": " + ".join(found.members), "chosen_mbr": found.chosen.value, **_where(pool),
                    "shares": chosen.relation(pool), "no_score": _no_score(found, pool),
                    "mbr": _mbr_of(pool, _scores_if_any(found, pool), chains, chosen.normalise), "best_single": single_there, "random": random,
                })  # fmt: skip
        title = f"Best hybrids by {self.rule} of {chosen}, judged elsewhere: {_objective(chosen)}"
        return _frame(rows, title, [*_guard(chosen, listed), *self._searched(), *left_out])

    def __repr__(self) -> str:
        """The best of every size."""
        best = self.table(1)
        frame = Frame(
            {name: best[name] for name in ("size", "members", "mbr", "equal", "chance")}, best.title
        )
        told = "In-sample: chosen and judged by the same accuracies. What it is worth elsewhere: .judge(pools); more of each size: .table(), .best()."
        searched = f"HybridSearch of {count_of(len(self.values) - 1, 'combination')} of {count_of(len(self.members), 'member')}"
        return "\n".join([searched, repr(frame), told])

    @functools.cached_property
    def _sizes(self) -> npt.NDArray[np.uint8]:
        return np.bitwise_count(np.arange(len(self.values)))

    def _masks(self, size: int | None) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self._sizes == size) if size is not None else np.arange(1, len(self.values))

    def _names(self, mask: int) -> tuple[str, ...]:
        return tuple(name for p, name in enumerate(self.members) if mask >> p & 1)

    def _notes(self) -> list[str]:
        notes = [
            f"{count_of(len(self.values) - 1, 'combination was', 'combinations were')} tried on this pool; {self.num_different:,} of them differ in "
            "what they pick."
            " The best of many is in part luck: judge it on other pools (`judge`).",
            *self._searched(),
        ]
        if not math.isnan(self.chance_of_all):
            notes.append(
                f"With the accuracies dealt out at random the best of them all reaches {self.chance_of_all:.4g} (median of the draws)."
            )
        if self.chosen.split == "test":
            notes.append("Chosen on the test split, which then judges nothing.")
        notes += [
            f"{name}: {count} of {len(self.chosen.arch_ids)} archs have no score and rank lowest."
            for name, count in self.no_score.items()
        ]
        return [*notes, *self.left_out]

    def _searched(self) -> list[str]:
        """The note on who was searched; where that was our choice, why, and how to have it otherwise."""
        members = f"Searched: {', '.join(self.members)}"
        if not self.not_searched:
            return [f"{members}."]
        num_all = len(self.members) + len(self.not_searched)
        return [
            f"{members}: what the pool has of the NAS-Bench-Zero paper's nine proxies, and macs and params, because {num_all} are too many for all"
            f" subsets (at most {_subsets.MAX_MEMBERS}). {len(self.not_searched)} were not searched; name others: proxies=[..], --proxies A,B."
        ]


def _default_members(pool: Pool) -> tuple[list[str], list[str]]:
    """The proxies to search where none were named, and those left out because all were too many."""
    known = [name for name in pool.scores_and_costs if name not in pool.without_scores]
    names = [
        name for name in known if name != "depth" or name in pool.scores
    ]  # depth as a cost ties nearly all archs
    if not names:
        raise NothingFoundError(
            f"{pool.name} has neither scores nor macs and params, so there is nothing to combine; name members, or another pool"
        )
    few = len(names) <= _subsets.MAX_MEMBERS or not pool.scores.keys() & set(PAPER)
    return (
        (names, [])
        if few
        else ([name for name in PAPER if name in known], [name for name in names if name not in PAPER])
    )


def best_hybrids(
    pool: Pool,
    proxies: Iterable[str] | None = None,
    rule: Rule = "rank_sum",
    costs: str | Iterable[str] = "macs",
    budgets: int | Sequence[float] = 5,
    spacing: str = "even",
    normalise: str = "total",
    draws: int = 20,
    seed: int = 0,
    engine: str = "auto",
) -> HybridSearch:
    """The mBR of every subset of some proxies on a pool, exactly.

    Args:
        pool: choose on val; it is remembered in every hybrid found.
        proxies: up to 24 proxies or costs, each once; None is every proxy of the pool, macs and params; where those are more than 24, `PAPER`'s. A
            proxy that no arch has a score of is left out then, with a note.
        rule: "rank_sum", "log_rank", or, for few members and archs, "majority".
        costs: macs, params, depth or stage features; of several the mean of their mBR.
        budgets, spacing, normalise: as `metrics.mbr`; limits of your own go with one cost.
        draws: how often the accuracies are dealt out at random to see what the best of so many combinations reaches by chance; 0: never.
        seed: of these draws.
        engine: "numpy", "numba" (the extra `nbzero[fast]`) or "auto", which takes numba where it is installed and worth loading. Same results.

    Raises:
        ImportError: numba asked for and not installed.
        UnknownNameError: a proxy or cost that the pool does not have; another rule.
        NothingFoundError: a proxy that was named and that no arch has a score of; all limits below every cost (some are left out, with a note).
        UsageError: no proxies, one of them twice, more than 24, a majority vote over too many; other budgets, spacing or
            normalise; limits with several costs.
    """
    default, not_searched = _default_members(pool) if proxies is None else ([], [])
    names = _members(default if proxies is None else proxies)
    cost_names = _costs(costs, budgets)
    if rule not in RULES:
        raise unknown_name("rule", rule, RULES)
    _subsets.check_members(len(names))
    if normalise not in metrics.NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(metrics.NORMALISATIONS)}")
    if engine not in _subsets.ENGINES:
        raise UsageError(f"engine {engine!r}; it is one of {', '.join(_subsets.ENGINES)}")
    whole("draws", draws)
    whole("seed", seed)
    columns = _columns(pool, names, rule)
    chains = _chains(pool, cost_names, budgets, spacing)
    limited = [chain.values <= limit for chain in chains for limit in chain.limits[chain.filled]]
    if not limited:
        raise NothingFoundError(
            f"{chains[0].empty} (of {pool.name}); raise the budget: there is none to choose a hybrid by"
        )
    found = (
        _majority_picks(columns, limited) if rule == "majority" else _subsets.picks(columns, limited, engine)
    )
    values = _values(found, limited, pool.accuracy, normalise)
    sizes = np.bitwise_count(np.arange(len(values)))
    chance = np.full((draws, len(names)), np.nan)
    rng = np.random.default_rng(seed)
    for draw in range(draws):
        dealt = _values(found, limited, rng.permutation(pool.accuracy), normalise)
        best = np.full(len(names) + 1, np.inf)
        np.minimum.at(best, sizes[1:], dealt[1:])
        chance[draw] = best[1:]
    chosen = Chosen(
        pool.space, pool.dataset, pool.recipe, pool.protocol, pool.seed, pool.split, frozenset(pool.arch_ids.tolist()), cost_names,
        _given(budgets), spacing, normalise, float(np.nanmin(values)), len(values) - 1, pool.source,
    )  # fmt: skip
    absent = {name: int(np.isnan(pool.score(name)).sum()) for name in names}
    unscored = (
        [f"{note} It is in no combination." for note in unscored_notes(pool, pool.without_scores)]
        if proxies is None
        else []
    )
    return HybridSearch(
        names, rule, chosen, values, _num_different(found), np.median(chance, axis=0) if draws else np.full(len(names), np.nan),
        float(np.median(chance.min(1))) if draws else math.nan,
        {name: count for name, count in absent.items() if count}, tuple(not_searched),
        (*unscored, *doubt_notes(pool, names), *chain_notes(chains)),
    )  # fmt: skip


def _values(
    found: _subsets.Picks, limited: list[npt.NDArray[np.bool_]], accuracy: Floats, normalise: str
) -> Floats:
    """(2^P,) mBR of all subsets: the mean over the limits."""
    num_archs, total = len(accuracy), np.zeros(found.codes.shape[1])
    picked = np.zeros(
        num_archs + 1 + max(map(len, found.tied)), bool
    )  # by code; that of mask 0, -1, is the last place, which no code has
    for codes in found.codes:
        picked[codes] = True
    for sets in found.tied:
        for archs in sets:
            picked[archs] = True
    chosen = np.flatnonzero(picked[:num_archs])
    rivals = np.unique(
        accuracy[chosen]
    )  # `metrics.true_ranks` of the archs picked alone: some tens, so that nothing else is sorted
    beats, own = rivals.searchsorted(accuracy), rivals.searchsorted(accuracy[chosen])
    worth = np.zeros(num_archs)
    for limit, pool in enumerate(limited):
        inside = np.bincount(beats, weights=pool, minlength=len(rivals) + 1)
        size = int(pool.sum())
        worth[chosen] = (size - np.cumsum(inside)[own]) / (size if normalise == "pool" else len(pool))
        total += found.worth(limit, worth)
    return total / len(limited)


def _num_different(found: _subsets.Picks) -> int:
    same = np.zeros(found.codes.shape[1] - 1, np.int64)
    for limit in found.codes[:, 1:]:
        picked = metrics.codes(limit)  # numbered without gaps, so that the pairs are few numbers too
        same = metrics.codes(same * (int(picked.max()) + 1) + picked)
    return int(same.max()) + 1


def _majority_picks(columns: npt.NDArray[np.int64], pools: list[npt.NDArray[np.bool_]]) -> _subsets.Picks:
    """As `_subsets.picks`, by Copeland's score over all archs, a subset at a time."""
    num_members, num_archs = columns.shape
    work = num_archs**2 * (num_members << max(num_members - 1, 0))
    if work > MAX_COMPARISONS:
        raise UsageError(
            f"a majority vote of all subsets of {num_members} members compares {num_archs:,} archs pairwise, {work:.1g} comparisons of at most"
            f" {MAX_COMPARISONS:.0g}; name fewer members, take a part of the pool, or search by rank_sum and judge by Hybrid(.., 'majority')"
        )
    codes, sets = (
        np.full((len(pools), 1 << num_members), -1, np.int32),
        [dict[tuple[int, ...], int]() for _ in pools],
    )
    for mask in range(1, 1 << num_members):
        votes = copeland(columns[[p for p in range(num_members) if mask >> p & 1]])
        for limit, pool in enumerate(pools):
            best = np.flatnonzero(pool & (votes == votes[pool].max()))
            codes[limit, mask] = (
                best[0]
                if len(best) == 1
                else num_archs + sets[limit].setdefault(tuple(best.tolist()), len(sets[limit]))
            )
    return _subsets.Picks(
        codes, tuple(tuple(np.array(archs, np.int64) for archs in one) for one in sets), num_archs
    )


def _columns(pool: Pool, members: tuple[str, ...], rule: str) -> npt.NDArray[np.int64]:
    """(P, N) ranks over the whole pool as whole numbers: doubled, because ties share their mean rank; or their logarithms in LOG_UNIT."""
    pool.check_scored(members)
    scores = [pool.score(name) for name in members]
    doubled = (2 * metrics.ranks(np.array(scores))).astype(np.int64)
    return _log_ranks(doubled) if rule == "log_rank" else doubled


def _log_ranks(doubled: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.rint(np.log(doubled) / LOG_UNIT).astype(np.int64)


def _mbr_of(pool: Pool, scores: Floats | None, chains: list[Chain], normalise: str) -> float:
    """The mean over the costs; NaN where there are no scores, or no budget admits an arch."""
    if scores is None:
        return math.nan
    return math.fsum(float(mean_mbr(pool, scores[None], [chain], normalise)[0]) for chain in chains) / len(
        chains
    )


def _unscored(members: tuple[str, ...], pool: Pool) -> list[str]:
    """Those that no arch of a pool has a score of."""
    return [name for name in members if name in pool.without_scores]


def _scores_if_any(one: Hybrid, pool: Pool) -> Floats | None:
    return None if _unscored(one.members, pool) else one.scores(pool)


def _no_score(one: Hybrid, pool: Pool) -> int:
    """Archs of a pool that a member has no score of."""
    return (
        len(pool)
        if _unscored(one.members, pool)
        else int(np.isnan([pool.score(name) for name in one.members]).any(0).sum())
    )


def _left_out(pool: Pool, members: tuple[str, ...], chains: list[Chain]) -> list[str]:
    """Notes on members without any score or with doubtful ones, and on budgets below every arch."""
    told = (
        *unscored_notes(pool, _unscored(members, pool)),
        *doubt_notes(pool, members),
        *chain_notes(chains),
    )
    return [f"{pool.name}: {note}" for note in told]


def _chains(pool: Pool, costs: tuple[str, ...], budgets: int | Sequence[float], spacing: str) -> list[Chain]:
    """The nested pools of costs that all archs have."""
    for name in costs:
        absent = int(np.isnan(pool.cost(name)).sum())
        if absent:
            raise UsageError(
                f'{absent} of {len(pool)} archs have no {name}; hybrids need a cost that all have, or a pool where="{name} > 0"'
            )
    return chains_of(pool, costs, _given(budgets), spacing)


def _given(budgets: int | Sequence[float]) -> int | tuple[float, ...]:
    """A number of limits, or limits; no joint budgets, which are of several costs."""
    return int(budgets) if metrics.is_number_of_limits(budgets) else metrics.given_limits(budgets)  # type: ignore[arg-type]


def _costs(costs: str | Iterable[str], budgets: int | Sequence[float]) -> tuple[str, ...]:
    names = (costs,) if isinstance(costs, str) else tuple(dict.fromkeys(costs))
    if not names:
        raise UsageError("no costs; name one or more of macs, params, depth")
    if len(names) > 1 and not metrics.is_number_of_limits(budgets):
        raise UsageError(
            f"limits of your own with {count_of(len(names), 'cost')} ({', '.join(names)}); give a number of budgets, or one cost"
        )
    return names


def _pools(pools: Pool | Iterable[Pool]) -> list[Pool]:
    listed = [pools] if isinstance(pools, Pool) else list(pools)
    if not listed:
        raise UsageError("no pools to report on; give one or more (`pool_of`)")
    return listed


def _where(pool: Pool) -> dict[str, Any]:
    return {
        "space": pool.space,
        "dataset": pool.dataset,
        "recipe": pool.recipe,
        "split": pool.split,
        "seed": str(pool.seed),
        "num_archs": len(pool),
    }


def _guard(chosen: Chosen | None, pools: list[Pool]) -> list[str]:
    """What the reader must know of where a hybrid was chosen."""
    if chosen is None:
        return ["Given, not chosen on any of these pools by nbzero."]
    notes = [
        f"Chosen on {chosen}, the best of {count_of(chosen.tried, 'combination')} there by {_objective(chosen)}."
    ]
    for pool in pools:
        shared = (
            len(chosen.arch_ids.intersection(pool.arch_ids.tolist())) if pool.space == chosen.space else 0
        )
        kind = chosen.relation(pool)
        if kind == "in-sample":
            notes.append(
                f"In-sample: {pool.name}. The hybrid was chosen by {shared} of these accuracies, so its mBR there is too good."
            )
        elif kind == "same runs":
            notes.append(
                f"Same runs, other split: {pool.name}. {shared} of these networks chose the hybrid; what their training owes to luck is shared."
            )
        elif kind == "same archs":
            notes.append(
                f"Same archs: {pool.name}. {shared} of them chose the hybrid, trained otherwise or on other data."
            )
    return notes


def _objective(chosen: Chosen) -> str:
    return f"mBR by {', '.join(chosen.costs)}, {_budgets_said(chosen.budgets, chosen.spacing)}, over {_over(chosen.normalise)}"


def _budgets_said(budgets: int | Sequence[float], spacing: str) -> str:
    if metrics.is_number_of_limits(budgets):
        return count_of(budgets, f"{spacing} budget")  # type: ignore[arg-type]
    return f"limits {', '.join(f'{limit:g}' for limit in budgets)}"  # type: ignore[union-attr]


def _over(normalise: str) -> str:
    return "the pool's N" if normalise == "total" else "each limit's own N"


def _frame(rows: list[dict[str, Any]], title: str, notes: Iterable[str]) -> Frame:
    return Frame({name: [row[name] for row in rows] for name in rows[0]}, title, notes)


def majority(scores: npt.ArrayLike, archs: slice = slice(None)) -> npt.NDArray[np.int8]:
    """Which of two archs more than half of the proxies score strictly higher.

    Args:
        scores: (P, A). A tie of one proxy, or a NaN, counts for nobody.
        archs: the rows wanted; all of them take A^2 bytes.

    Returns:
        int8 (rows, A): 1 where the row's arch beats the column's, -1 where it is beaten, 0 where neither has more than half. The relation
        need not be transitive.

    Source: Abdelfattah et al., ICLR 2021, arXiv:2101.08134; SJW and SPW of Jing et al., arXiv:2507.08841, see `EXPERTS`.
    """
    table = np.asarray(scores, np.float64)
    half = len(table) / 2
    first = table[:, archs]
    wins = (first[:, :, None] > table[:, None, :]).sum(0)
    losses = (first[:, :, None] < table[:, None, :]).sum(0)
    ahead: npt.NDArray[np.int8] = (wins > half).astype(np.int8) - (losses > half).astype(np.int8)
    return ahead


def copeland(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Wins minus losses of every arch against all others by `majority`: an order that does not depend on that of the rows.

    >>> copeland([[1, 2, 3], [1, 3, 2], [2, 1, 3]]).tolist()
    [-2, 0, 2]
    """
    table = np.asarray(scores, np.float64)
    blocks = [
        majority(table, slice(start, start + 512)).sum(1, dtype=np.int64)
        for start in range(0, table.shape[1], 512)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int64)


def vote_positions(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The published code's order: each arch's place, from the worst (0), when the archs are sorted by `majority`.

    Where the relation has cycles the places depend on the order of the archs (use that of `arch_id`); `copeland` does not.
    """
    table = np.asarray(scores, np.float64)
    rows = list(table.T)

    def compare(a: int, b: int) -> int:
        return _beats(rows[a], rows[b])

    order = sorted(range(len(rows)), key=functools.cmp_to_key(compare))
    positions = np.empty(len(order), np.int64)
    positions[order] = np.arange(len(order))
    return positions


def running_best(scores: npt.ArrayLike) -> int:
    """The arch that a search ends with which keeps the better of two, by `majority`, in order of arrival; the later where neither wins."""
    table = np.asarray(scores, np.float64)
    best = 0
    for arch in range(1, table.shape[1]):
        if _beats(table[:, arch], table[:, best]) >= 0:
            best = arch
    return best


def _beats(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> int:
    half = len(a) / 2
    return int((a > b).sum() > half) - int((a < b).sum() > half)


def mean_zscore(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean over proxies of (score - mean) / standard deviation over the archs; the WRCor authors' first soft vote."""
    table = np.asarray(scores, np.float64)
    mean: npt.NDArray[np.float64] = (
        (table - table.mean(1, keepdims=True)) / table.std(1, keepdims=True)
    ).mean(0)
    return mean


def mean_minmax(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean over proxies of (score - min) / (max - min) over the archs; the WRCor authors' second soft vote."""
    table = np.asarray(scores, np.float64)
    low, high = table.min(1, keepdims=True), table.max(1, keepdims=True)
    mean: npt.NDArray[np.float64] = ((table - low) / (high - low)).mean(0)
    return mean


def log_rank_sum(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Sum over proxies of log(rank / A), rank 1 = the worst, ties their mean rank (AZ-NAS; its four: az_* and macs).

    Source: Lee and Ham, CVPR 2024, arXiv:2403.19232.
    """
    table = np.asarray(scores, np.float64)
    total: npt.NDArray[np.float64] = np.log(metrics.ranks(table) / table.shape[1]).sum(0)
    return total


def swap_regularised(
    swap: npt.ArrayLike,
    params: npt.ArrayLike,
    mu: float | None = None,
    sigma: float | None = None,
    log: bool = False,
) -> npt.NDArray[Any]:
    """SWAP with a preference for a model size.

        score = swap * exp(-(P - mu)^2 / sigma),   P parameters in thousands; sigma, in thousands squared, is not squared

    Args:
        swap, params: (A,) stored scores; params in numbers.
        mu: thousands of parameters; default: the mean of P over the archs given.
        sigma: thousands of parameters squared; default: the variance of P over the archs given (the paper's standard deviation makes the
            score of most archs 0).
        log: the logarithm of the score instead, which never underflows; ranks are the same.

    Raises:
        UsageError: a sigma that is not positive, as of archs of one size.

    Source: Peng et al., ICLR 2024, arXiv:2403.04161.
    """
    thousands = np.asarray(params, np.float64) / 1000
    mu = float(thousands.mean()) if mu is None else mu
    sigma = float(thousands.var()) if sigma is None else sigma
    if not sigma > 0:
        raise UsageError(f"sigma is {sigma}; it is above 0: give one, or archs of more than one size")
    exponent = -((thousands - mu) ** 2) / sigma
    value = np.asarray(swap, np.float64)
    return np.log(value) + exponent if log else value * np.exp(exponent)
