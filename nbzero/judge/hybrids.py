"""Hybrids: proxies combined by their ranks, and what they are worth on pools.

A hybrid is chosen on one pool (val) and judged on others: the test split, other data sets, other spaces. Its
report says what each pool shares with the one that it was chosen on. `nbzero.judge.hybrid_search` chooses
hybrids. A release stores none of them.

Scores of a pool are oriented: higher is better. Capital endings name an array's axes: P members, N archs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from nbzero.errors import NothingFoundError, UsageError, count_of, unknown_name
from nbzero.frame import Frame
from nbzero.judge.budgets import Chain, chain_notes, chains_of, mean_mbr
from nbzero.judge.pool import PREDICTED, Pool
from nbzero.judge.rows import unscored_notes
from nbzero.judge.votes import EXPERTS, copeland
from nbzero.metrics.arrays import ranks
from nbzero.metrics.picks import NORMALISATIONS, given_limits, is_number_of_limits
from nbzero.release.latencies import is_latency
from nbzero.spaces.published import doubt_notes, doubtful_in
from nbzero.text import marked

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rule = Literal["rank_sum", "log_rank", "majority"]
RULES: tuple[str, ...] = get_args(Rule)
# Logarithms of ranks are whole multiples of it. So their sums are exact, in any order of the members.
LOG_UNIT = 2.0**-36


def member_names(members: str | Iterable[str]) -> tuple[str, ...]:
    """The members of a hybrid as a tuple; UsageError where there are none, or one of them twice."""
    if isinstance(members, str):
        members = [members]
    names = tuple(members)
    if not names:
        raise UsageError("members none; name one or more, each once")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"members {', '.join(names)} with {', '.join(twice)} twice; name one or more, each once"
        )
    return names


@dataclass(frozen=True)
class Criterion:
    """The mBR by which hybrids are chosen and judged.

    Attributes:
        costs: which are limited. Of several the mBR is the mean.
        budgets: a number of limits, or limits, ascending.
        spacing: of a number of limits.
        normalise: as in `metrics.mbr`.
    """

    costs: tuple[str, ...]
    budgets: int | tuple[float, ...]
    spacing: str
    normalise: str

    @classmethod
    def of(cls, costs: str | Iterable[str], budgets: Any, spacing: str, normalise: str) -> Criterion:
        """What a caller asked for, checked as far as it can be without a pool.

        Raises:
            UsageError: no costs, other budgets, limits with several costs, another `normalise`.
        """
        if isinstance(costs, str):
            costs = [costs]
        names = tuple(dict.fromkeys(costs))
        if not names:
            raise UsageError("no costs; name one or more of macs, params, depth")
        is_number = is_number_of_limits(budgets)
        if len(names) > 1 and not is_number:
            raise UsageError(
                f"limits of your own with {count_of(len(names), 'cost')} ({', '.join(names)});"
                " give a number of budgets, or one cost"
            )
        limits = int(budgets) if is_number else given_limits(budgets)
        if normalise not in NORMALISATIONS:
            raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(NORMALISATIONS)}")
        return cls(names, limits, spacing, normalise)

    def chains(self, pool: Pool) -> list[Chain]:
        """The nested pools within the budgets of each cost.

        Raises:
            UnknownNameError: a cost that the pool does not have.
            UsageError: a cost that some of its archs lack, another spacing.
        """
        for name in self.costs:
            absent = int(np.isnan(pool.cost(name)).sum())
            if absent:
                instead = f'a pool where="{name} > 0"'
                if is_latency(name):
                    instead = f"the archs that were timed: pool.only(pool.cost({name!r}) > 0)"
                raise UsageError(
                    f"{absent} of {len(pool)} archs have no {name}; hybrids need a cost that all have, "
                    f"or {instead}"
                )
        return chains_of(pool, self.costs, self.budgets, self.spacing)

    @property
    def even(self) -> Criterion | None:
        """The same under as many even limits, the paper's; None unless they are a number of quantiles."""
        if self.spacing != "quantile" or not isinstance(self.budgets, int):
            return None
        return replace(self, spacing="even")

    def by_column(self, pool: Pool) -> dict[str, list[Chain]]:
        """Column of a table -> the `chains` of its mBR: mbr, and even_mbr where there is an `even`."""
        found = {"mbr": self.chains(pool)}
        if self.even is not None:
            found["even_mbr"] = self.even.chains(pool)
        return found

    def __str__(self) -> str:
        """Like "mBR by macs, 5 even budgets, over the pool's N"."""
        if isinstance(self.budgets, int):
            budgets = count_of(self.budgets, f"{self.spacing} budget")
        else:
            limits = [f"{limit:g}" for limit in self.budgets]
            budgets = f"limits {', '.join(limits)}"
        over = "the pool's N" if self.normalise == "total" else "each limit's own N"
        return f"mBR by {', '.join(self.costs)}, {budgets}, over {over}"


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

    @property
    def criterion(self) -> Criterion:
        """The mBR by which it was chosen."""
        return Criterion(self.costs, self.budgets, self.spacing, self.normalise)

    def relation(self, pool: Pool) -> str:
        """What a pool shares with this one.

        in-sample     accuracies by which the hybrid was chosen
        same runs     the other split of the same trained networks
        same archs    archs, trained otherwise or on other data
        same space    no archs
        other space   nothing
        """
        if pool.space != self.space:
            return "other space"
        if self.arch_ids.isdisjoint(pool.arch_ids.tolist()):
            return "same space"
        if pool.dataset != self.dataset or not self._shares_runs(pool):
            return "same archs"
        if pool.split != self.split:
            return "same runs"
        return "in-sample"

    def _shares_runs(self, pool: Pool) -> bool:
        """Whether the accuracies on one data set come from the same trainings, or from some of them.

        A mean over seeds holds each of them, and predictions are made of all of them. An imported recipe
        whose name ends in -mean is such a mean.
        """
        if pool.recipe.removesuffix("-mean") != self.recipe.removesuffix("-mean"):
            return False
        seeds = {pool.seed, self.seed}
        return pool.recipe != self.recipe or len(seeds) == 1 or not seeds.isdisjoint(("mean", PREDICTED))

    def notes(self, pools: Iterable[Pool]) -> list[str]:
        """What the reader of results on some pools must know.

        Where the hybrid was chosen, and what these pools share with that.
        """
        tried = count_of(self.tried, "combination")
        notes = [f"Chosen on {self}, the best of {tried} there by {self.criterion}."]
        for pool in pools:
            shared = len(self.arch_ids.intersection(pool.arch_ids.tolist()))
            kind = self.relation(pool)
            if kind == "in-sample":
                notes.append(
                    f"In-sample: {pool.name}. The hybrid was chosen by {shared} of these accuracies,"
                    " so its mBR there is too good."
                )
            elif kind == "same runs":
                notes.append(
                    f"Same runs, other split: {pool.name}. {shared} of these networks chose the hybrid;"
                    " what their training owes to luck is shared."
                )
            elif kind == "same archs":
                notes.append(
                    f"Same archs: {pool.name}. {shared} of them chose the hybrid,"
                    " trained otherwise or on other data."
                )
        return notes


@dataclass(frozen=True)
class Hybrid:
    """Proxies combined by their ranks.

    Attributes:
        members: proxies or costs (macs, params, depth: larger is better), each once.
        rule: "rank_sum" (Borda), "log_rank" (AZ-NAS) or "majority" (Copeland's wins minus losses by pairwise
            majority).
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
        object.__setattr__(self, "members", member_names(self.members))
        if self.rule not in RULES:
            raise unknown_name("rule", self.rule, RULES)

    @property
    def name(self) -> str:
        """Like "synflow + zen", or "log_rank(macs + zen)" of another rule than the rank sum."""
        joined = " + ".join(self.members)
        if self.rule == "rank_sum":
            return joined
        return f"{self.rule}({joined})"

    def scores(self, pool: Pool) -> Floats:
        """The hybrid's score of every arch of a pool (N,), higher is better.

            rank_sum   sum of the ranks
            log_rank   sum of log(rank / N), each logarithm rounded to 2^-36
            majority   archs that over half of the members rank lower, minus those that over half rank higher

        Ranks are taken over the whole pool, 1 is the lowest. Ties have their mean rank. An absent score is
        below every number.

        Raises:
            UnknownNameError: a member that the pool does not have.
            NothingFoundError: a member that no arch of the pool has a score of.
        """
        return combined(rank_columns(pool, self.members, self.rule), self.rule)

    def scores_if_any(self, pool: Pool) -> Floats | None:
        """The scores; None where no arch of the pool has a score of one of the members."""
        if not set(self.members).isdisjoint(pool.without_scores):
            return None
        return self.scores(pool)

    def num_unscored(self, pool: Pool) -> int:
        """Archs of a pool that a member has no score of."""
        if not set(self.members).isdisjoint(pool.without_scores):
            return len(pool)
        absent_PN = np.isnan([pool.score(name) for name in self.members])
        return int(absent_PN.any(0).sum())

    def mbr(
        self,
        pool: Pool,
        costs: str | Iterable[str] = "macs",
        budgets: int | Sequence[float] = 5,
        spacing: str = "quantile",
        *,
        normalise: str = "total",
    ) -> float:
        """`metrics.mbr` of the scores: the mean over the costs. The spacing is "quantile" by default.

        Raises:
            NothingFoundError: a budget below every arch, or as `scores`.
            UnknownNameError, UsageError: as `scores` and `report`.
        """
        criterion = Criterion.of(costs, budgets, spacing, normalise)
        chains = criterion.chains(pool)
        for chain in chains:
            if chain.empty:
                raise NothingFoundError(
                    f"{chain.empty} (of {pool.name}); raise the budget, or take `report`,"
                    " which leaves it out with a note"
                )
        return mbr_within(pool, self.scores(pool), chains, normalise)

    def report(
        self,
        pools: Pool | Iterable[Pool],
        costs: str | Iterable[str] = "macs",
        budgets: int | Sequence[float] = 5,
        spacing: str = "quantile",
        *,
        normalise: str = "total",
    ) -> Frame:
        """The hybrid on pools, beside its members alone, the costs and a random pick.

        Args:
            pools: one or several.
            costs: macs, params, depth, latencies or stage features; of several the mBR is the mean.
            budgets, spacing, normalise: as `metrics.mbr`, but the spacing is "quantile" by default. Limits of
                your own go with one cost.

        Returns:
            A row for each pool and proxy:
                space, dataset, recipe, split, seed, num_archs   the pool
                shares     `Chosen.relation` to the pool of the choice; null of a hybrid that was given
                proxy      the hybrid, or what stands beside it
                kind       hybrid, member, cost or random
                no_score   archs that a member has no score of
                mbr        null where there are no scores, or no budget admits an arch
                even_mbr   mbr under as many even limits, the paper's; only beside a number of quantile limits
                accuracy   that of the pick among all archs of the pool, of tied ones the mean
            Notes name the pool that it was chosen on, and mark what is in-sample. Members without any score
            and budgets below every arch: as `nbzero.judge.budgets` says.

        Raises:
            UnknownNameError: a member or cost that a pool does not have.
            UsageError: no pools, other budgets, spacing or normalise, limits with several costs, a cost that
                some archs lack.
        """
        criterion = Criterion.of(costs, budgets, spacing, normalise)
        listed = listed_pools(pools)
        notes = ["Given, not chosen on any of these pools by nbzero."]
        if self.chosen is not None:
            notes = self.chosen.notes(listed)
        rows: list[dict[str, Any]] = []
        for pool in listed:
            limits = criterion.by_column(pool)
            rows += self._rows(pool, criterion, limits)
            notes += pool_notes(pool, self.members, limits["mbr"])
        doubtful = doubtful_on(listed, self.members)
        title = f"{marked(self.name, doubtful)}: {criterion}"
        return Frame.of(rows, title, dict.fromkeys(notes)).marking(doubtful)

    def _rows(
        self, pool: Pool, criterion: Criterion, limits: Mapping[str, Sequence[Chain]]
    ) -> list[dict[str, Any]]:
        """The rows of `report` on one pool."""
        judged = [(self.name, "hybrid", self.num_unscored(pool), self.scores_if_any(pool))]
        if len(self.members) > 1:
            for name in self.members:
                alone = Hybrid((name,))
                judged.append((name, "member", alone.num_unscored(pool), alone.scores_if_any(pool)))
        for name in criterion.costs:
            if name not in self.members:
                judged.append((name, "cost", 0, pool.cost(name)))
        judged.append(("random pick", "random", 0, np.zeros(len(pool))))
        shares = self.chosen.relation(pool) if self.chosen else None
        rows = []
        for name, kind, no_score, scores in judged:
            rows.append(
                {
                    **pool_columns(pool),
                    "shares": shares,
                    "proxy": name,
                    "kind": kind,
                    "no_score": no_score,
                    **mbr_columns(pool, scores, limits, criterion.normalise),
                    "accuracy": _accuracy_of_the_best(pool, scores),
                }
            )
        return rows


def rank_columns(pool: Pool, members: tuple[str, ...], rule: str) -> Ints:
    """`ranked_columns` of some members of a pool.

    Raises:
        UnknownNameError: a member that the pool does not have.
        NothingFoundError: a member that no arch of the pool has a score of.
    """
    pool.check_scored(members)
    return ranked_columns(np.array([pool.score(name) for name in members]), rule)


def ranked_columns(scores_PN: Floats, rule: str) -> Ints:
    """(P, N) what `combined` combines: ranks over all N archs as whole numbers.

    Ranks are doubled, because ties share their mean rank. Of rule "log_rank" they are the logarithms of that,
    in `LOG_UNIT`. An absent score (NaN) is below every number.
    """
    doubled_PN = (2 * ranks(scores_PN)).astype(np.int64)
    if rule == "log_rank":
        return _logarithms(doubled_PN)
    return doubled_PN


def combined(columns: Ints, rule: str) -> Floats:
    """(N,) the scores of `Hybrid.scores`, from the `rank_columns` (P, N) of the members."""
    if rule == "majority":
        return copeland(columns).astype(np.float64)
    if rule == "rank_sum":
        return np.asarray(columns.sum(0) / 2, np.float64)
    of_doubled_N = _logarithms(np.array([2 * columns.shape[1]]))
    return np.asarray((columns - of_doubled_N).sum(0) * LOG_UNIT, np.float64)


def _logarithms(numbers: Ints) -> Ints:
    return np.rint(np.log(numbers) / LOG_UNIT).astype(np.int64)


def mbr_within(pool: Pool, scores: Floats | None, chains: Sequence[Chain], normalise: str) -> float:
    """The mBR of scores (N,), the mean over the costs.

    NaN where there are no scores, or no budget admits an arch.
    """
    if scores is None:
        return math.nan
    of_costs = [float(mean_mbr(pool, scores[None], [chain], normalise)[0]) for chain in chains]
    return math.fsum(of_costs) / len(of_costs)


def mbr_columns(
    pool: Pool, scores: Floats | None, limits: Mapping[str, Sequence[Chain]], normalise: str
) -> dict[str, float]:
    """`mbr_within` the limits of each column, as `Criterion.by_column` has them."""
    return {column: mbr_within(pool, scores, chains, normalise) for column, chains in limits.items()}


def _accuracy_of_the_best(pool: Pool, scores: Floats | None) -> float:
    """The mean accuracy of the archs with the largest score; NaN where there are no scores."""
    if scores is None:
        return math.nan
    return float(pool.accuracy[scores == scores.max()].mean())


def pool_columns(pool: Pool) -> dict[str, Any]:
    """The columns of a table of several pools that say which one a row is of."""
    return {
        "space": pool.space,
        "dataset": pool.dataset,
        "recipe": pool.recipe,
        "split": pool.split,
        "seed": str(pool.seed),
        "num_archs": len(pool),
    }


def pool_notes(pool: Pool, members: Iterable[str], chains: Iterable[Chain]) -> list[str]:
    """Notes on members without any score and too small budgets, with the pool's name; on doubtful members."""
    names = list(members)
    unscored = [name for name in names if name in pool.without_scores]
    notes = [*unscored_notes(pool, unscored), *chain_notes(chains)]
    return [*(f"{pool.name}: {note}" for note in notes), *doubt_notes(pool.space, names, pool.dataset)]


def doubtful_on(pools: Iterable[Pool], members: Iterable[str]) -> list[str]:
    """The members that are doubtful in the space of one of the pools."""
    names = list(members)
    found: dict[str, None] = {}
    for pool in pools:
        found |= dict.fromkeys(doubtful_in(pool.space, names, pool.dataset))
    return list(found)


def listed_pools(pools: Pool | Iterable[Pool]) -> list[Pool]:
    """One or several pools as a list; UsageError where there are none."""
    if isinstance(pools, Pool):
        return [pools]
    listed = list(pools)
    if not listed:
        raise UsageError("no pools to report on; give one or more (`Bench.pool`)")
    return listed


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
