"""Constrained search by score: what each proxy picks within a budget, how good that is, and a whole report for a proxy of the reader's.

Everything reads a `Pool` (N measured archs of one space) and returns a `Frame`. Beside the P proxies stand the costs, as proxies by which larger
networks are better; `random`, the expectation of a pick or an order at random; `oracle`, the accuracy itself; and, where archs were trained
with two seeds, `another seed`, the noise ceiling. The definitions are those of `nbzero.metrics`.

Two things pick nothing: a budget below every arch, and a proxy that no arch of the pool has a score of. The same rule holds for both, here, in
`nbzero.hybrid` and in `nbzero.judge.transfer`. A table lists them with nulls: the budget's rows have a pool_size of 0 and it is left out of means
over budgets, which are null where none is left; the proxy's row is null. A note names the budget, the cost and the cheapest arch, or the proxy and
why it has no score. A search for hybrids leaves them out, with the same note. What returns bare numbers (`mbr`, `mbr_lead`, `Hybrid.scores`,
`Hybrid.mbr`) has no place for a note and raises NothingFoundError, which says the same; so does a search that is left with no budget to choose by.
The functions of `nbzero.metrics` know neither names nor pools: a limit below every cost is an error there too, scores that are all NaN are a tie.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero import metrics
from nbzero.errors import NothingFoundError, UsageError, count_of
from nbzero.frame import Frame
from nbzero.pool import Pool
from nbzero.spaces.published import categories_of, doubts_of

if TYPE_CHECKING:
    from nbzero.bench import Bench
    from nbzero.spaces import Space

Floats = npt.NDArray[np.float64]
Budgets = int | Sequence[float] | Mapping[str, float]
_Picked = list[tuple["Chain", metrics.Picks | None]]
RANDOM, ORACLE, CEILING = "random", "oracle", "another seed"
CORRELATIONS = ("kendall", "spearman", "pearson")


@dataclass(frozen=True)
class Chain:
    """The nested pools of one cost: the b-th is the archs order[:sizes[b]], those of values <= limits[b], and a size may be 0.

    Attributes:
        cost, constraints, limits: of each budget, as `constrained` shows them.
        values: (N,) NaN where an arch is within no limit. A joint budget has no one limit (NaN); its values are 0 within it, NaN elsewhere.
        cheapest: which arch has the least of the cost, in words.
        laid: the number of limits and their spacing, which every resample lays anew; None for limits of the caller's.
        note: for the reader.
    """

    cost: str
    constraints: tuple[str, ...]
    limits: Floats
    values: Floats
    order: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    cheapest: str
    laid: tuple[int, str] | None = None
    note: str = ""

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        return self.sizes > 0

    @property
    def empty(self) -> str:
        """In words the budgets that admit no arch, and what the cheapest has; "" where there are none."""
        if self.filled.all():
            return ""
        pairs = zip(self.limits.tolist(), self.constraints, self.filled.tolist(), strict=True)
        named = [
            words if math.isnan(limit) else f"{self.cost} <= {limit:.10g}"
            for limit, words, there in pairs
            if not there
        ]
        none = f"{len(named)} of {count_of(len(self.sizes), 'budget admits', 'budgets admit')} no arch, so nothing is picked"
        return f"{none}: {'; '.join(named)}; {self.cheapest}"

    def resampled(
        self, scores: Floats, accuracy: Floats, resamples: int, seed: int
    ) -> metrics.Resampled | None:
        """Of the budgets that admit an arch; None where none does."""
        if not self.filled.any():
            return None
        budgets, spacing = self.laid or (np.nan_to_num(self.limits[self.filled]).tolist(), "even")
        return metrics.resampled_picks(scores, accuracy, self.values, budgets, spacing, resamples, seed)


def constrained(
    pool: Pool,
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "even",
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Frame:
    """What each proxy picks under each limit: a row per cost, budget and proxy, the random pick and the oracle included.

    Args:
        costs: macs, params, depth or any stage feature of the space, one or several; None is every one of the first three that it has.
        budgets: how many limits for each cost (`metrics.budget_limits`, with `spacing` "even" or "quantile"); the limits themselves; or a mapping,
            {"macs": 1e8, "params": 1e6}, which is one budget that holds all of them at once.
        resamples, seed, level: of bootstrap intervals; 0 resamples makes none. A number of budgets is laid anew in each resample.

    Returns:
        Columns cost, budget (from 1), limit, constraint (in words), proxy, arch (of tied winners the first in build order; null for the random
        pick), accuracy and true_rank (means over tied winners; 0 is best), num_tied, pool_size, best_arch, best_accuracy; with resamples also
        accuracy_low, accuracy_high, true_rank_low, true_rank_high. A budget below every arch and a proxy without any score have nulls and a note,
        as the module says. An arch that lacks the cost (a stage it does not have) is within no limit.

    Raises:
        UnknownNameError: a cost that the space does not have.
        UsageError: no cost named where the space has none, costs beside a mapping, wrong `budgets`, `spacing`, resamples or level.
    """
    entries, bootstrap = _Entries(pool), _bootstrap(resamples, seed, level)
    picked = _picked(pool, entries.scores, chains_of(pool, costs, budgets, spacing), entries.unscored)
    return _picks_frame(pool, entries, picked, bootstrap, _drawn(pool, entries, picked, bootstrap))


def _picks_frame(
    pool: Pool,
    entries: _Entries,
    picked: _Picked,
    bootstrap: _Bootstrap | None,
    drawn: list[metrics.Resampled | None],
) -> Frame:
    rows: list[dict[str, Any]] = []
    for chain, found in picked:
        there = np.flatnonzero(chain.filled)
        for b, (limit, constraint) in enumerate(zip(chain.limits.tolist(), chain.constraints, strict=True)):
            head = {"cost": chain.cost, "budget": b + 1, "limit": limit, "constraint": constraint}
            at = int(np.searchsorted(there, b))
            for p, name in enumerate(entries.names):
                if found is None or not chain.filled[b]:
                    empty = dict.fromkeys(("arch", "accuracy", "true_rank"))
                    rows.append(
                        {
                            **head,
                            "proxy": name,
                            **empty,
                            "num_tied": 0,
                            "pool_size": 0,
                            "best_arch": None,
                            "best_accuracy": None,
                        }
                    )
                    continue
                best = int(found.best[at])
                rows.append(
                    {
                        **head,
                        "proxy": name,
                        "arch": None
                        if name == RANDOM or entries.unscored[p]
                        else pool.archs[found.arch[p, at]],
                        "accuracy": float(found.accuracy[p, at]),
                        "true_rank": float(found.rank[p, at]),
                        "num_tied": int(found.num_tied[p, at]),
                        "pool_size": int(found.pool_size[at]),
                        "best_arch": pool.archs[best],
                        "best_accuracy": float(pool.accuracy[best]),
                    }
                )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if bootstrap is not None:
        for name, part in (("accuracy", "accuracy"), ("true_rank", "rank")):
            bounds: list[metrics.Interval] = []
            for (chain, _), resampled in zip(picked, drawn, strict=True):
                places = iter(range(int(chain.filled.sum())))
                for filled in chain.filled.tolist():
                    bounds += bootstrap.intervals(
                        getattr(resampled, part)[:, :, next(places)] if filled else None, len(entries.names)
                    )
            columns |= _low_high(name, bounds)
    notes = [*chain_notes(chain for chain, _ in picked), *entries.notes, *_bootstrap_notes(bootstrap)]
    return Frame(columns, f"Picks within budgets: {pool.name}", notes)


def mbr(
    pool: Pool,
    proxy: str,
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "even",
    normalise: str = "total",
) -> float:
    """`metrics.mbr` of one proxy or cost of a pool; of several costs, the mean over the union of their budgets.

    Args:
        costs, budgets, spacing: as in `constrained`, but no costs are macs; with a mapping of budgets leave costs out.
        normalise: as in `metrics.mbr`.

    Raises:
        UnknownNameError: a proxy or cost that the pool does not have.
        NothingFoundError: no arch has a score; a budget below every arch.
        UsageError: wrong `budgets`, `spacing` or `normalise`.
    """
    chains = _filled_chains(pool, costs, budgets, spacing)
    return float(mean_mbr(pool, _scores_of(pool, proxy)[None], chains, normalise)[0])


class Lead(NamedTuple):
    """How much lower one proxy's mBR is than another's: negative where the first picks better, with the interval of the difference.

    Attributes:
        difference, low, high: of mBR, and the ends of the interval.
        num_archs, pool: N, and `Pool.source`: what it was judged on.
    """

    difference: float
    low: float
    high: float
    num_archs: int
    pool: str


def mbr_lead(
    pool: Pool,
    one: str | npt.ArrayLike,
    other: str | npt.ArrayLike,
    cost: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "even",
    normalise: str = "total",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Lead:
    """mBR(one) - mBR(other), and its bootstrap interval over archs, both judged on the same resamples.

    The difference is settled where the interval does not hold 0. Two separate intervals overlap far more often, because what makes one
    resample hard is shared.

    Args:
        one, other: a proxy or cost of the pool, or (N,) scores of your own, as a hybrid's `scores(pool)`.
        cost, budgets, spacing: as in `mbr`.
        normalise: as in `metrics.mbr`.
        resamples, seed, level: as in `metrics.bootstrap`; resamples in which a limit admits no arch are left out.

    Raises:
        UnknownNameError: a proxy or cost that the pool does not have.
        NothingFoundError: a proxy that no arch has a score of, scores that are all NaN, a budget below every arch.
        UsageError: scores of another length, or wrong options.
    """
    metrics.check_bootstrap(resamples, level, seed)
    table = np.array([_scores_of(pool, one), _scores_of(pool, other)])
    chains = _filled_chains(pool, cost, budgets, spacing)
    values = mean_mbr(pool, table, chains, normalise)
    drawn = [chain.resampled(table, pool.accuracy, resamples, seed) for chain in chains]
    differences = np.mean([np.subtract(*part.mbr(normalise).T) for part in drawn if part is not None], axis=0)
    return Lead(float(values[0] - values[1]), *metrics.interval(differences, level), len(pool), pool.source)


def _filled_chains(
    pool: Pool, costs: str | Iterable[str] | None, budgets: Budgets, spacing: str
) -> list[Chain]:
    """Of macs where no costs are named; NothingFoundError where a budget admits no arch."""
    chains = chains_of(
        pool, "macs" if costs is None and not isinstance(budgets, Mapping) else costs, budgets, spacing
    )
    for chain in chains:
        if chain.empty:
            raise NothingFoundError(
                f"{chain.empty} (of {pool.name}); raise the budget, or take a table, which leaves it out with a note"
            )
    return chains


def mean_mbr(pool: Pool, scores: Floats, chains: Sequence[Chain], normalise: str) -> Floats:
    """(P,) mBR of (P, N) scores: the mean over the chains of their means over the budgets that admit an arch; NaN where one of them has none."""
    if not all(chain.filled.any() for chain in chains):
        return np.full(len(scores), math.nan)
    parts = [metrics.picks(scores, pool.accuracy, chain.order, chain.sizes[chain.filled]) for chain in chains]
    return np.asarray(
        np.mean([metrics.mean_rank(part, len(pool), normalise) for part in parts], axis=0), np.float64
    )


def _scores_of(pool: Pool, given: str | npt.ArrayLike) -> Floats:
    if isinstance(given, str):
        pool.check_scored([given])
        return pool.score(given)
    scores = np.asarray(given, np.float64)
    if scores.shape != (len(pool),):
        raise UsageError(
            f"scores of shape {scores.shape}; give one for each of the {len(pool)} archs of the pool, or a proxy's name"
        )
    if np.isnan(scores).all():
        raise NothingFoundError(
            f"no arch of {pool.name} has a score of yours, so it picks nothing; give scores of archs of the pool"
        )
    return scores


def mbr_table(
    pool: Pool,
    costs: str | Iterable[str] | None = None,
    budgets: Budgets = 5,
    spacing: str = "even",
    accuracies: npt.ArrayLike | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Frame:
    """mBR of every proxy for each cost, and over the union of all (cost, budget) pairs.

    Args:
        costs, budgets, spacing: as in `constrained`.
        accuracies: (S, N) of several seeds (`seed_accuracies`), for the row `another seed`, which is of the archs that two seeds share.
        resamples, seed, level: of bootstrap intervals; 0 resamples makes none. A number of budgets is laid anew in each resample; a resample in
            which a given limit admits no arch is left out.

    Returns:
        Columns proxy; mbr_COST and mbr_union, normalised by all N archs; the same with _pool, each rank over its own pool's size; with resamples
        mbr_COST_low, mbr_COST_high, mbr_COST_pool_low and so on; and missing, the archs of the pool without a score. Budgets below every arch and
        proxies without any score: as the module says.
    """
    entries, bootstrap = _Entries(pool), _bootstrap(resamples, seed, level)
    picked = _picked(pool, entries.scores, chains_of(pool, costs, budgets, spacing), entries.unscored)
    return _mbr_frame(
        pool,
        entries,
        picked,
        budgets,
        spacing,
        accuracies,
        bootstrap,
        _drawn(pool, entries, picked, bootstrap),
    )


def _mbr_frame(
    pool: Pool,
    entries: _Entries,
    picked: _Picked,
    budgets: Budgets,
    spacing: str,
    accuracies: npt.ArrayLike | None,
    bootstrap: _Bootstrap | None,
    drawn: list[metrics.Resampled | None],
) -> Frame:
    chains = [chain for chain, _ in picked]
    columns: dict[str, Any] = {
        "proxy": list(entries.names),
        **_mbr_columns(len(pool), len(entries.names), picked),
    }
    missing = [*entries.missing]
    if accuracies is not None:
        ceiling = _mbr_ceiling(pool, np.asarray(accuracies, np.float64), chains, budgets, spacing)
        columns = {
            name: [*values, CEILING if name == "proxy" else ceiling.get(name, math.nan)]
            for name, values in columns.items()
        }
        missing.append(len(pool) - _num_shared(accuracies))
    if bootstrap is not None:
        for suffix, normalise in (("", "total"), ("_pool", "pool")):
            of_chain = [None if part is None else part.mbr(normalise) for part in drawn]
            there = [values for values in of_chain if values is not None]
            union = np.mean(there, axis=0) if there else None
            for name, values in (
                *zip((chain.cost for chain in chains), of_chain, strict=True),
                ("union", union),
            ):
                columns |= _low_high(
                    f"mbr_{name}{suffix}", bootstrap.intervals(values, len(columns["proxy"]))
                )
    title = f"mBR, {_limits_in_words(budgets, spacing)}: {pool.name}"
    notes = [
        *chain_notes(chains),
        *entries.notes,
        *_ceiling_notes(pool, accuracies),
        *_bootstrap_notes(bootstrap),
    ]
    return Frame({**columns, "missing": missing}, title, notes)


def correlations(
    pool: Pool,
    k: int | None = None,
    fraction: float = 0.05,
    accuracies: npt.ArrayLike | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Frame:
    """How well each proxy orders the whole pool.

    Args:
        k: of BR@K; None is 10, or N where there are fewer archs.
        fraction: of P@topK.
        accuracies: as in `mbr_table`.
        resamples, seed, level: of bootstrap intervals of all five; 0 resamples makes none.

    Returns:
        Columns proxy, kendall (tau-b), spearman, pearson, best_rank_at_k, precision_at_top_k, num (archs with a score, which Pearson's is of),
        missing (archs without one, which the others rank last), infinite (scores that Pearson leaves out too); with resamples also
        kendall_low, kendall_high and so on. Null where a correlation is undefined: constant scores, fewer than two archs; a proxy without any score
        has nulls in all.

    Raises:
        UsageError: k or fraction out of range.
    """
    return _correlations_frame(
        pool, _Entries(pool), k, fraction, accuracies, _bootstrap(resamples, seed, level)
    )


def _correlations_frame(
    pool: Pool,
    entries: _Entries,
    k: int | None,
    fraction: float,
    accuracies: npt.ArrayLike | None,
    bootstrap: _Bootstrap | None = None,
) -> Frame:
    k = min(10, len(pool)) if k is None else k
    judges = _judges(k, fraction)
    rows = [_judged(entries, row, pool.accuracy, judges) for row in range(len(entries.names))]
    rows[entries.names.index(RANDOM)] |= dict.fromkeys(
        CORRELATIONS, 0.0
    )  # the expectation; of equal scores they are undefined
    names = list(entries.names)
    if accuracies is not None:
        shared = _num_shared(accuracies)
        of_pairs = {name: partial(_where_enough, judge, k) for name, judge in judges.items()}
        there = {name: metrics.noise_ceiling(judge, accuracies) for name, judge in of_pairs.items()}
        rows.append({**there, "num": shared, "missing": len(pool) - shared, "infinite": 0})
        names.append(CEILING)
    columns: dict[str, Any] = {"proxy": names, **{name: [row[name] for row in rows] for name in rows[0]}}
    if bootstrap is not None:
        for name, judge in judges.items():
            found = [
                _NO_INTERVAL if void else bootstrap.of(judge, scores, pool.accuracy)
                for scores, void in zip(
                    entries.scores[: entries.num_proxies], entries.unscored.tolist(), strict=False
                )
            ]
            columns |= _low_high(name, found + [_NO_INTERVAL] * (len(names) - len(found)))
    notes = [f"K = {k} for best_rank_at_k, the top {fraction:.3g} of the archs for precision_at_top_k."]
    if accuracies is not None and math.isnan(rows[-1]["kendall"]):
        notes.append(
            f"{CEILING}: null, because two seeds share fewer than K = {count_of(k, 'arch')}, or are constant there."
        )
    return Frame(
        columns,
        f"Correlation with accuracy: {pool.name}",
        [*notes, *entries.notes, *_ceiling_notes(pool, accuracies), *_bootstrap_notes(bootstrap)],
    )


def with_tau_intervals(pool: Pool, table: Frame, resamples: int) -> Frame:
    """A Frame of `correlations` of the pool with kendall_low and kendall_high as `correlations(pool, resamples=resamples)` has them, in a fifth of
    its time: intervals of Kendall's tau alone, 95 %, of the archs drawn again. Null for the oracle, the random pick and another seed."""
    bootstrap, known = _Bootstrap(resamples, 0, 0.95), pool.scores_and_costs
    found = [
        bootstrap.of(metrics.kendall_tau, known[name], pool.accuracy) if name in known else _NO_INTERVAL
        for name in table["proxy"].tolist()
    ]
    columns: dict[str, Any] = {}
    for name in table.columns:
        columns |= {name: table[name]} | (_low_high(name, found) if name == "kendall" else {})
    note = f"95% intervals of kendall: {count_of(resamples, 'resample')} of the archs (seed 0), percentiles."
    return Frame(columns, table.title, [*table.notes, note])


@dataclass(frozen=True)
class Report:
    """A proxy of the reader's beside all stored ones.

    Attributes:
        name: of the reader's proxy.
        pool: what it was judged on; its scores hold the reader's too, oriented.
        metrics: a row per proxy, the reader's first: the columns of `correlations`, then mbr_COST and mbr_union for even limits, and
            quantile_mbr_COST and quantile_mbr_union for limits that admit equal shares; each also with _pool.
        picks: `constrained` of every proxy, with a column spacing in front.
        intervals: with resamples, else None: proxy, metric, value, low, high; every metric of the reader's proxy, and every proxy's mBR.
        notes: what was left out or is missing.
    """

    name: str
    pool: Pool
    metrics: Frame
    picks: Frame
    intervals: Frame | None
    notes: tuple[str, ...]

    def place(self, metric: str = "mbr_union") -> tuple[int, int]:
        """The place of the reader's proxy among all proxies and costs that have one metric, from 1, and how many do; equal ones share a place.

        Raises:
            UnknownNameError: no such column.
            UsageError: the metric is undefined for it.
        """
        values = self.metrics[metric]
        rows = [
            row for row, name in enumerate(self.metrics["proxy"]) if name not in (RANDOM, ORACLE, CEILING)
        ]
        there = np.asarray([values[row] for row in rows], np.float64)
        there = -there if metric in (*CORRELATIONS, "precision_at_top_k") else there
        if np.isnan(there[0]):
            raise UsageError(f"{metric} of {self.name} is undefined, so it has no place")
        return int((there < there[0]).sum()) + 1, int((~np.isnan(there)).sum())

    def __repr__(self) -> str:
        """The reader's proxy beside the best ten, the costs and the references."""
        key = "mbr_union" if "mbr_union" in self.metrics else "kendall"
        shown = [name for name in ("proxy", *CORRELATIONS, "best_rank_at_k", "precision_at_top_k", "mbr_union", "mbr_union_pool",
                                   "quantile_mbr_union", "missing") if name in self.metrics]  # fmt: skip
        ordered = self.metrics.sorted(key, descending=key == "kendall")
        others = [
            row
            for row, name in enumerate(ordered["proxy"])
            if name not in (self.name, RANDOM, ORACLE, CEILING, *self.pool.costs)
        ]
        kept = {
            self.name,
            RANDOM,
            ORACLE,
            CEILING,
            *self.pool.costs,
            *(ordered["proxy"][row] for row in others[:10]),
        }
        rows = ordered.only(np.array([name in kept for name in ordered["proxy"]]))
        lines = [repr(Frame({name: rows[name] for name in shown}, f"{self.name}: {self.pool.name}"))]
        more = (
            count_of(len(others) - 10, "more proxy", "more proxies") if len(others) > 10 else "every column"
        )
        intervals = (
            "bootstrap intervals in .intervals"
            if self.intervals is not None
            else ".intervals is None: ask for resamples=1000"
        )
        lines.append(f"({more} in .metrics, what each picks under each limit in .picks, {intervals})")
        if not math.isnan(float(self.metrics[key][0])):
            lines.append("{} is number {} of {} by {}.".format(self.name, *self.place(key), key))
        return "\n".join([*lines, *self.notes])


def evaluate(
    pool: Pool,
    scores: npt.ArrayLike,
    name: str = "yours",
    direction: int = 1,
    k: int | None = None,
    fraction: float = 0.05,
    budgets: int = 5,
    accuracies: npt.ArrayLike | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Report:
    """The whole report of one proxy beside those of the pool.

    Args:
        scores: (N,) in the pool's order; NaN where there is none (`aligned` makes them).
        name: what to call it.
        direction: +1 where higher scores are better, -1 where lower ones are.
        k, fraction, accuracies: as in `correlations`.
        budgets: how many limits for each of macs, params and depth.
        resamples, seed, level: of bootstrap intervals.

    Raises:
        UsageError: no arch of the pool has a score, another length or direction, a name that is taken.
    """
    values = np.asarray(scores, np.float64)
    if values.shape != (len(pool),):
        raise UsageError(
            f"scores of shape {values.shape}; the pool has {count_of(len(pool), 'arch')}, and needs one each, NaN where there is none"
        )
    if direction not in (1, -1):
        raise UsageError(
            f"direction {direction!r}; it is 1 where higher scores are better, -1 where lower ones are"
        )
    if not isinstance(name, str) or not name.strip():
        raise UsageError(
            f"name {name!r}; it is what the report's tables and figures call the proxy, like 'yours'"
        )
    if name in (*pool.scores, *pool.unscored, *pool.costs, RANDOM, ORACLE, CEILING):
        raise UsageError(f"name {name!r} is taken by a row of the report; choose another")
    absent = int(np.isnan(values).sum())
    if absent == len(pool):
        raise UsageError(
            f"none of the {count_of(len(pool), 'arch')} of {pool.name} has a score of {name}; give scores of measured archs"
        )
    if not metrics.is_number_of_limits(budgets):
        raise UsageError(
            f"budgets {budgets!r}; a report has limits on every cost, so it is a number of them from 1"
        )
    own = replace(pool, scores={name: values * direction, **pool.scores})
    entries = _Entries(own)
    bootstrap = _bootstrap(resamples, seed, level)
    ordered = _correlations_frame(own, entries, k, fraction, accuracies)
    intervals: list[tuple[str, str, float, float, float]] = []
    if bootstrap is not None:
        for metric, judge in _judges(min(10, len(own)) if k is None else k, fraction).items():
            intervals.append(
                (
                    name,
                    metric,
                    float(ordered[metric][0]),
                    *bootstrap.of(judge, own.scores[name], own.accuracy),
                )
            )
    columns: dict[str, Any] = {column: ordered[column] for column in ordered.columns}
    notes, parts = [*ordered.notes], []
    for spacing, prefix in (("even", ""), ("quantile", "quantile_")) if own.costs else ():
        picked = _picked(own, entries.codes, chains_of(own, None, budgets, spacing), entries.unscored)
        drawn = _drawn(own, entries, picked, bootstrap)
        table = _mbr_frame(own, entries, picked, budgets, spacing, accuracies, bootstrap, drawn)
        judged = [
            column
            for column in table.columns
            if column not in ("proxy", "missing") and not column.endswith(("_low", "_high"))
        ]
        columns |= {f"{prefix}{column}": table[column] for column in judged}
        parts.append((spacing, _picks_frame(own, entries, picked, bootstrap, drawn)))
        for column in judged if bootstrap else ():
            parts_of = (table[column], table[f"{column}_low"], table[f"{column}_high"])
            for proxy, value, low, high in zip(table["proxy"], *parts_of, strict=True):
                intervals.append((str(proxy), f"{prefix}{column}", float(value), float(low), float(high)))
    if not parts:
        notes.append(f"{pool.space} has none of macs, params and depth, so there is no mBR.")
    picks = Frame(
        {"spacing": [spacing for spacing, part in parts for _ in range(len(part))]}
        | (
            {column: np.concatenate([part[column] for _, part in parts]) for column in parts[0][1].columns}
            if parts
            else {}
        ),
        f"Picks within budgets: {own.name}",
        dict.fromkeys(note for _, part in parts for note in part.notes),
    )
    found = None
    if bootstrap:
        head = ("proxy", "metric", "value", "low", "high")
        title = f"{level:.0%} intervals of {count_of(resamples, 'resample')} of the archs: {own.name}"
        found = Frame(
            dict(zip(head, map(list, zip(*intervals, strict=True)), strict=True)),
            title,
            _bootstrap_notes(bootstrap),
        )
    return Report(
        name,
        own,
        Frame(columns, f"{name} beside the stored proxies: {own.name}", notes),
        picks,
        found,
        tuple(notes),
    )


def aligned(space: Space, scores: Any) -> Floats:
    """A user's scores as (members,) float64 in build order, NaN where there is none.

    Args:
        scores: a mapping from arch (string or Arch) to a number, None or NaN; a pandas Series indexed by arch; or an array in build order with
            one entry for every member.

    Raises:
        UsageError: an arch that is no member, named; an arch twice; a score that is no number; whole numbers that differ, but not as float64; an
            array of another length.
    """
    if isinstance(scores, Mapping):
        keys, given = list(scores), list(scores.values())
    elif hasattr(scores, "index") and hasattr(scores, "to_numpy"):
        if scores.ndim != 1:
            raise UsageError(f"scores of shape {scores.shape}; they are one column: a Series indexed by arch")
        keys, given = list(scores.index), list(scores.to_numpy(object, na_value=None))
    else:
        array = np.asarray(scores)
        if array.dtype == object and array.ndim == 1:
            array = np.array(
                [
                    math.nan if value is None else _number(f"row {row}", value)
                    for row, value in enumerate(array.tolist())
                ]
            )
        if array.shape != (len(space),) or array.dtype.kind not in "fiu":
            raise UsageError(
                f"scores of shape {array.shape} and type {array.dtype}; an array holds one number for each of the {len(space)} members of "
                f"{space.name} in build order; scores of some archs go in a dict or Series by arch"
            )
        if array.dtype.kind in "iu":
            _still_differ(array.tolist())
        return array.astype(np.float64)
    places = {arch: place for place, arch in enumerate(space.members)}
    texts = [str(key) for key in keys]
    strangers = [text for text in texts if text not in places]
    if strangers:
        raise UsageError(
            f"{len(strangers)} of {count_of(len(texts), 'score is', 'scores are')} for archs that are no members of {space.name}: {_some(strangers)}"
            f"; members are like {space.members[0]!r}"
        )
    twice = [text for text, count in Counter(texts).items() if count > 1]
    if twice:
        raise UsageError(
            f"{count_of(len(twice), 'arch has', 'archs have')} more than one score: {_some(twice)}; give one each"
        )
    values = np.full(len(space), np.nan)
    for text, value in zip(texts, given, strict=True):
        values[places[text]] = _number(text, value)
    _still_differ(given)
    return values


def seed_accuracies(bench: Bench, pool: Pool) -> Floats | None:
    """(S, N) the accuracies of a pool's archs with every seed, NaN where there is none; None unless some arch has two."""
    seeds = bench.seeds(pool.space, pool.dataset, pool.recipe)
    column = f"runs.{pool.split}_acc"
    made = [
        bench.table(pool.space, [column], pool.dataset, pool.recipe, seed=one)[column][pool.arch_ids]
        for one in seeds
    ]
    return np.array(made, np.float64) if len(made) > 1 and _num_shared(made) else None


class _Bootstrap(NamedTuple):
    """How intervals are made: `metrics.bootstrap`'s options."""

    resamples: int
    seed: int
    level: float

    def of(self, judge: Callable[..., float], *arrays: npt.ArrayLike) -> metrics.Interval:
        return metrics.bootstrap(judge, *arrays, resamples=self.resamples, seed=self.seed, level=self.level)

    def intervals(self, values: Floats | None, num: int) -> list[metrics.Interval]:
        """One for each of the first rows' values (R, P), and none for the rest of `num`."""
        found = [] if values is None else [metrics.interval(column, self.level) for column in values.T]
        return found + [_NO_INTERVAL] * (num - len(found))


_NO_INTERVAL = metrics.Interval(math.nan, math.nan)


def _bootstrap(resamples: int, seed: int, level: float) -> _Bootstrap | None:
    """None for 0 resamples."""
    metrics.check_bootstrap(resamples, level, seed, least=0)
    return _Bootstrap(resamples, seed, level) if resamples else None


def _bootstrap_notes(bootstrap: _Bootstrap | None) -> list[str]:
    if bootstrap is None:
        return []
    return [
        f"{bootstrap.level:.0%} intervals: {count_of(bootstrap.resamples, 'resample')} of the archs (seed {bootstrap.seed}), percentiles. A resample "
        "often lacks the very arch that a proxy picks, so those of picks and mBR are not centred on the value and need not hold it; whether one "
        "proxy beats another: mbr_lead."
    ]


def _low_high(name: str, intervals: Sequence[metrics.Interval]) -> dict[str, list[float]]:
    return {f"{name}_low": [one.low for one in intervals], f"{name}_high": [one.high for one in intervals]}


def _drawn(
    pool: Pool, entries: _Entries, picked: _Picked, bootstrap: _Bootstrap | None
) -> list[metrics.Resampled | None]:
    """What the entries pick on resamples, chain by chain; nothing without bootstrap."""
    if bootstrap is None:
        return [None] * len(picked)
    drawn = [
        chain.resampled(entries.scores, pool.accuracy, bootstrap.resamples, bootstrap.seed)
        for chain, _ in picked
    ]
    for part in drawn:
        if part is not None:
            part.rank[:, entries.unscored] = part.accuracy[:, entries.unscored] = math.nan
    return drawn


class _Entries:
    """The rows of every table: the proxies, the costs that are not among them, proxies without any score, then the oracle and the random pick.

    Attributes:
        names, scores: (P,) and (P, N).
        num_proxies: how many come before the oracle.
        missing: (P,) archs without a score.
        unscored: (P,) whether no arch has one.
        notes: on what is missing.
        codes: (P, N) `metrics.codes` of each row, sorted once for all rank metrics; the last but one are the accuracy's.
    """

    def __init__(self, pool: Pool) -> None:
        known = pool.scores_and_costs
        absent = {name: np.full(len(pool), math.nan) for name in pool.unscored if name not in known}
        rows = {**known, **absent, ORACLE: pool.accuracy, RANDOM: np.zeros(len(pool))}
        self.names, self.scores = list(rows), np.array(list(rows.values()))
        self.num_proxies = len(rows) - 2
        self.missing: list[int] = np.isnan(self.scores).sum(axis=1).tolist()
        self.unscored = np.array(self.missing) == len(pool)
        self.notes = _score_notes(pool, self)

    @cached_property
    def codes(self) -> npt.NDArray[Any]:
        return metrics.small_codes(self.scores)


def _picked(
    pool: Pool,
    scores: npt.NDArray[Any],
    chains: Sequence[Chain],
    unscored: npt.NDArray[np.bool_] | None = None,
) -> _Picked:
    """Each cost's pools, and what the rows of `scores` (or of their codes) pick in those that are not empty; None where all are.

    `unscored` (P,) goes with the rows of `_Entries`: the rows that pick nothing, and the last row is of equal scores, which would make a tie of all
    archs; its means are counted without listing them.
    """
    code = metrics.codes(pool.accuracy)
    picked: _Picked = []
    for chain in chains:
        sizes = chain.sizes[chain.filled]
        if not len(sizes):
            picked.append((chain, None))
            continue
        found = metrics.picks(scores if unscored is None else scores[:-1], pool.accuracy, chain.order, sizes)
        if unscored is not None:
            ordered, accuracy = code[chain.order], np.cumsum(pool.accuracy[chain.order])[sizes - 1] / sizes
            counts = [np.bincount(ordered[:size]) for size in sizes]
            rank = [
                float((count * (size - np.cumsum(count))).sum() / size)
                for count, size in zip(counts, sizes.tolist(), strict=True)
            ]
            found = metrics.Picks(
                np.vstack([found.rank, rank]),
                np.vstack([found.accuracy, accuracy]),
                np.vstack([found.arch, np.full(len(sizes), chain.order[0])]),
                np.vstack([found.num_tied, sizes]),
                found.pool_size,
                found.best,
            )
            found.rank[unscored] = found.accuracy[unscored] = math.nan
            found.num_tied[unscored] = 0
        picked.append((chain, found))
    return picked


def chains_of(
    pool: Pool, costs: str | Iterable[str] | None, budgets: Budgets, spacing: str = "even"
) -> list[Chain]:
    """The nested pools of each cost under its budgets; of a mapping of budgets one pool. Errors as `constrained`."""
    if isinstance(budgets, Mapping):
        return [_joint(pool, costs, budgets)]
    names = (
        [costs]
        if isinstance(costs, str)
        else list(pool.costs)
        if costs is None
        else list(dict.fromkeys(costs))
    )
    if not names and costs is not None:
        raise UsageError(
            f"no costs were named; name one or more of {', '.join(pool.costs) or 'the stage features'}, or leave costs out for all"
        )
    if not names:
        usable = [name for name in pool.features if name not in categories_of(pool.space)]
        raise UsageError(
            f"no cost: {pool.space} has none of macs, params and depth"
            + (f"; name one of {', '.join(usable)}" if usable else "")
        )
    is_number = metrics.is_number_of_limits(budgets)
    if len(names) > 1 and not is_number:
        raise UsageError(
            f"limits {budgets!r} on {', '.join(names)}; limits are of one cost: name it, or give a number of budgets"
        )
    laid = (int(budgets), spacing) if is_number else None  # type: ignore[arg-type]
    chains = []
    for name in names:
        values = pool.cost(name)
        lacking = int(np.isnan(values).sum())
        if lacking == len(values):
            raise UsageError(f"no arch of the pool has {name}; budgets need another cost")
        limits = metrics.budget_limits(values[~np.isnan(values)], budgets, spacing)
        order = np.argsort(values)
        sizes = np.searchsorted(values[order[: len(order) - lacking]], limits, side="right")
        note = _no_cost_note(name, lacking, len(values)) if lacking else ""
        constraints = tuple(f"{name} <= {limit:.6g}" for limit in limits)
        chains.append(
            Chain(name, constraints, limits, values, order, sizes, pool.cheapest([name]), laid, note)
        )
    return chains


def _joint(pool: Pool, costs: str | Iterable[str] | None, budgets: Mapping[str, float]) -> Chain:
    if costs is not None:
        raise UsageError(
            f"costs {costs!r} beside joint budgets {dict(budgets)}; the budgets name their costs, leave costs out"
        )
    if not budgets or any(
        isinstance(limit, (bool, str)) or not hasattr(limit, "__float__") or not math.isfinite(limit)
        for limit in budgets.values()
    ):
        raise UsageError(f"joint budgets {dict(budgets)}; they are like {{'macs': 1e8, 'params': 1e6}}")
    if len(budgets) == 1:
        ((name, limit),) = budgets.items()
        return chains_of(pool, name, [float(limit)], "even")[0]
    values = {name: pool.cost(name) for name in budgets}
    inside = np.all([values[name] <= limit for name, limit in budgets.items()], axis=0)
    lacking = {name: int(np.isnan(column).sum()) for name, column in values.items()}
    note = " ".join(_no_cost_note(name, count, len(pool)) for name, count in lacking.items() if count)
    words = " and ".join(f"{name} <= {limit:.6g}" for name, limit in budgets.items())
    order = np.concatenate([np.flatnonzero(inside), np.flatnonzero(~inside)])
    within = np.where(inside, 0.0, math.nan)
    sizes, cheapest = np.array([int(inside.sum())]), pool.cheapest(budgets)
    return Chain(
        " and ".join(budgets), (words,), np.array([math.nan]), within, order, sizes, cheapest, note=note
    )


def _no_cost_note(name: str, lacking: int, num_archs: int) -> str:
    return f"{lacking} of {num_archs} archs have no {name}, and are within no limit on it."


def _mbr_columns(num_archs: int, num_rows: int, picked: _Picked) -> dict[str, list[float]]:
    """mBR of each row for each cost and their union, by both normalisations."""
    parts: dict[str, list[Floats]] = {"": [], "_pool": []}
    columns = {}
    for chain, found in picked:
        if found is not None:
            parts[""].append(found.rank / num_archs)
            parts["_pool"].append(found.rank / found.pool_size)
        for suffix, listed in parts.items():
            columns[f"mbr_{chain.cost}{suffix}"] = (
                [math.nan] * num_rows if found is None else listed[-1].mean(axis=1).tolist()
            )
    for suffix, listed in parts.items():
        columns[f"mbr_union{suffix}"] = (
            np.concatenate(listed, axis=1).mean(axis=1).tolist() if listed else [math.nan] * num_rows
        )
    return {
        name: columns[name]
        for suffix in parts
        for name in (*(f"mbr_{chain.cost}{suffix}" for chain, _ in picked), f"mbr_union{suffix}")
    }


def _mbr_ceiling(
    pool: Pool, accuracies: Floats, chains: Sequence[Chain], budgets: Budgets, spacing: str
) -> dict[str, float]:
    """The columns of `_mbr_columns` for one seed's accuracy as a proxy for another's, on the archs both have; the mean over pairs of seeds."""
    found = []
    for one in range(len(accuracies)):
        for other in range(len(accuracies)):
            both = ~np.isnan(accuracies[one]) & ~np.isnan(accuracies[other])
            if one == other or not both.any():
                continue
            part = replace(pool.only(both), accuracy=accuracies[other][both])
            names = None if isinstance(budgets, Mapping) else [chain.cost for chain in chains]
            picked = _picked(part, accuracies[one][both][None], chains_of(part, names, budgets, spacing))
            found.append(_mbr_columns(len(part), 1, picked))
    return {name: float(np.mean([one[name][0] for one in found])) for name in found[0]} if found else {}


def _judges(k: int, fraction: float) -> dict[str, Callable[..., float]]:
    return {
        "kendall": metrics.kendall_tau,
        "spearman": metrics.spearman_rho,
        "pearson": metrics.pearson,
        "best_rank_at_k": partial(metrics.best_rank_at_k, k=k),
        "precision_at_top_k": partial(metrics.precision_at_top_k, fraction=fraction),
    }


def _where_enough(judge: Callable[..., float], k: int, one: Floats, other: Floats) -> float:
    """A metric of two seeds; nan where they share fewer than k archs."""
    return judge(one, other) if len(one) >= k else math.nan


def _judged(
    entries: _Entries, row: int, accuracy: Floats, judges: Mapping[str, Callable[..., float]]
) -> dict[str, float]:
    scores, missing = entries.scores[row], entries.missing[row]
    raw = (scores, accuracy)
    ordered = raw if missing else (entries.codes[row], entries.codes[-2])
    found = {
        name: math.nan if entries.unscored[row] else judge(*(raw if name == "pearson" else ordered))
        for name, judge in judges.items()
    }
    return {
        **found,
        "num": len(scores) - missing,
        "missing": missing,
        "infinite": int(np.isinf(scores).sum()),
    }


def _num_shared(accuracies: Any) -> int:
    """Archs that at least two seeds have."""
    return int(((~np.isnan(np.asarray(accuracies, np.float64))).sum(axis=0) > 1).sum())


def chain_notes(chains: Iterable[Chain]) -> list[str]:
    """On archs without a cost, and on budgets that admit no arch."""
    chains = list(chains)
    return [
        *(chain.note for chain in chains if chain.note),
        *(f"{chain.empty}." for chain in chains if chain.empty),
    ]


def _score_notes(pool: Pool, entries: _Entries) -> list[str]:
    num = len(pool)
    rows = dict(zip(entries.names[: entries.num_proxies], entries.scores, strict=False))
    endless = {name: int(np.isinf(scores).sum()) for name, scores in rows.items()}
    listed = {
        f"Archs without a score, ranked last, and left out of Pearson's correlation: {{}} of {num}.": [
            f"{name} {count}" for name, count in zip(rows, entries.missing, strict=False) if 0 < count < num
        ],
        f"Infinite scores, ranked first or last, and left out of Pearson's correlation: {{}} of {num}.": [
            f"{name} {count}" for name, count in endless.items() if count
        ],
        "The same score for every arch, so that it picks at random and its correlations are null: {}.": [
            name for name, scores in rows.items() if num > 1 and (scores == scores[0]).all()
        ],
        "Equal but for rounding, so that what ranks them means nothing: the scores of {}.": [
            name for name, scores in rows.items() if metrics.is_rounding(scores)
        ],
    }
    notes = [note.format(", ".join(names)) for note, names in listed.items() if names]
    notes += doubt_notes(pool, entries.names)
    notes += (
        [f"No arch has a score of any proxy: only costs are listed ({pool.name})."]
        if not pool.scores and not pool.unscored
        else []
    )
    return notes + unscored_notes(pool, pool.without_scores)


def doubt_notes(pool: Pool, names: Iterable[str]) -> list[str]:
    """On proxies whose scores in a pool's space are not to be trusted."""
    doubts = doubts_of(pool.space)
    doubtful: dict[str, list[str]] = {}
    for name in names:
        if name in doubts:
            doubtful.setdefault(doubts[name], []).append(name)
    return [f"Doubtful in {pool.space}: {', '.join(those)}; {doubt}." for doubt, those in doubtful.items()]


def unscored_notes(pool: Pool, names: Iterable[str]) -> list[str]:
    """On proxies that no arch of a pool has a score of."""
    return [
        f"0 of {count_of(len(pool), 'arch has', 'archs have')} a score of {pool.why_unscored(name)}: its values are null."
        for name in names
    ]


def _ceiling_notes(pool: Pool, accuracies: npt.ArrayLike | None) -> list[str]:
    if accuracies is None:
        return []
    return [
        f"{CEILING}: one seed's accuracy as a proxy for another's, on the {_num_shared(accuracies)} of {len(pool)} archs that two seeds share."
    ]


def _limits_in_words(budgets: Budgets, spacing: str) -> str:
    if isinstance(budgets, Mapping):
        return "joint limits"
    if metrics.is_number_of_limits(budgets):
        return count_of(budgets, f"{spacing} limit")  # type: ignore[arg-type]
    return count_of(len(budgets), "given limit")  # type: ignore[arg-type]


def _some(texts: Sequence[str]) -> str:
    return ", ".join(map(repr, texts[:3])) + (", .." if len(texts) > 3 else "")


def _still_differ(given: Iterable[Any]) -> None:
    """UsageError where whole numbers that differ are one float64, which would tie archs that the scores tell apart."""
    large = {value for value in given if isinstance(value, (int, np.integer)) and abs(int(value)) > 1 << 53}
    lost = len(large) - len({float(value) for value in large})
    if lost:
        raise UsageError(
            f"{lost} of {len(large)} whole numbers beyond 2^53, like {max(large)}, are no longer different as float64, so they would tie; "
            "subtract what they share, or give their ranks"
        )


def _number(arch: str, value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, (str, bytes, bool, np.bool_)) or not hasattr(value, "__float__"):
        raise UsageError(
            f"the score of {arch} is {value!r}; it is a number, or None or NaN where there is none"
        )
    try:
        return float(value)
    except OverflowError:
        raise UsageError(
            f"the score of {arch} is beyond what a float holds; give its logarithm, which ranks alike"
        ) from None
