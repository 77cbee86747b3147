"""Transfer: does a ranking that holds in one pool hold in another? Of the proxies by a metric, and of the archs by their accuracy.

Pools differ in data set, recipe (fidelity), space or split, and may come from several releases: imported benchmarks beside ours. Each pool judges
the proxies that it has, costs included, by one metric of `nbzero.metrics`; for each pair of pools the two rankings of the proxies that both
have are compared. K proxies, R resamples.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbzero import metrics
from nbzero.bench import _split_column
from nbzero.constrained import seed_accuracies, unscored_notes
from nbzero.errors import NothingFoundError, UsageError, count_of, unknown_name
from nbzero.frame import Frame
from nbzero.pool import Pool, pool_of

if TYPE_CHECKING:
    from nbzero.bench import Bench, Seed, Split

Floats = npt.NDArray[np.float64]
CORRELATIONS: dict[str, Callable[..., float]] = {
    "kendall": metrics.kendall_tau,
    "spearman": metrics.spearman_rho,
    "pearson": metrics.pearson,
}
MBR = {"mbr": "even", "quantile_mbr": "quantile"}
DECIMALS = 12  # metrics that differ by less are equal to a ranking of proxies: sums in another order differ by some 1e-16
METRICS = (*CORRELATIONS, *(f"abs_{name}" for name in CORRELATIONS), *MBR)
FEW = 4  # rankings of fewer proxies agree or disagree by chance: three agree fully in 1 of 6 random orders
KEY = ("space", "dataset", "recipe", "split", "seed")


@dataclass(frozen=True)
class Transfer:
    """What carries over between pools.

    Attributes:
        metric: by which the proxies are ranked.
        pools: a row per pool: pool (its number, from 1, by which the other frames name it), space, dataset, recipe, protocol, split, seed, target
            (what its accuracy is), num_archs, num_proxies (ranked there), reason (why the metric is undefined for all; else null).
        pairs: a row per pair: a, b (numbers); pool_a, pool_b (names); across (what differs of space, dataset, recipe, split, seed and, where both
            have scores, protocol); shares ("same pool", "same runs": accuracies of the same trained networks, by another split or other scores, or
            as a mean over seeds (seed "mean", an imported recipe that ends in -mean) that holds those of the other pool, "same archs": trained
            otherwise or on other data, "same space", "other space"), shared_archs; shared_proxies (with a
            value in both), kendall (tau-b) and spearman of the two rankings, with resamples kendall_low, kendall_high and so on; best_a,
            best_b (of the shared ones; tied ones joined by " = "), best_a_rank_in_b, best_b_rank_in_a (1 = best of the shared, the
            mean over tied ones); meaningful (False with fewer than 4 shared); reason (why a value is null or not meaningful).
        proxies: a row per proxy: value_1, rank_1, missing_1 (archs without a score) and so on for each pool; mean_rank, worst_rank; mean_place,
            worst_place ((rank - 1) / (proxies ranked there - 1): 0 = best, 1 = last, so that pools with more proxies compare), over the
            num_pools that rank it. Ranks count from 1 among all proxies of the pool, ties share their mean.
        accuracy: a row per pair of one space: a, b, pool_a, pool_b, across, shared_archs; kendall and spearman between the archs' accuracies, with
            resamples also _low, _high; ceiling_a, ceiling_b (kendall of one seed's accuracy with another's in that pool, on the shared archs that
            two seeds have; of single seeds also where the pool has their means, which can agree better), ceiling_archs_a, ceiling_archs_b; reason.
        notes: what the reader must know of them all.
    """

    metric: str
    pools: Frame
    pairs: Frame
    proxies: Frame
    accuracy: Frame
    notes: tuple[str, ...]

    def between(self, a: int, b: int) -> dict[str, Any]:
        """The row of one pair, by the numbers of its pools in any order.

        Raises:
            UsageError: no such pair.
        """
        for row in self.pairs:
            if {row["a"], row["b"]} == {a, b}:
                return row
        raise UsageError(
            f"no pair {a!r}, {b!r}; the pools have the numbers 1 to {len(self.pools)}, and a pair is two of them"
        )

    def __repr__(self) -> str:
        short = [
            "a",
            "b",
            "across",
            "shares",
            "shared_proxies",
            *(name for name in self.pairs.columns if name.startswith(("kendall", "spearman"))),
        ]
        pools = Frame(
            {name: self.pools[name] for name in ("pool", *KEY, "num_archs", "num_proxies")}, "Pools"
        )
        pairs = Frame(
            {name: self.pairs[name] for name in (*short, "best_a", "best_b", "meaningful")}, self.pairs.title
        )
        return "\n".join([repr(pools), repr(pairs), *self.notes])


def transfer(
    pools: Iterable[Pool],
    metric: str = "kendall",
    proxies: Iterable[str] | None = None,
    costs: str | Iterable[str] = "macs",
    budgets: int = 5,
    normalise: str = "total",
    accuracies: Sequence[npt.ArrayLike | None] | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Transfer:
    """Whether each pool ranks the proxies, and the archs, as the others do.

    Args:
        pools: two or more (`pool_of`, `all_pools`), of any releases.
        metric: "kendall", "spearman" or "pearson" of score and accuracy, higher is better; "abs_kendall" and so on, their magnitudes; "mbr" or
            "quantile_mbr", with even or quantile limits, lower is better.
        proxies: proxies or costs to rank; None is every one that a pool has, and its costs.
        costs, budgets, normalise: of mBR; of several costs, the mean. A pool without one of them has no mBR.
        accuracies: for each pool None, or the (S, N) accuracies of several seeds in the order of its archs (`seed_accuracies`), for the ceilings.
        resamples, seed, level: of percentile intervals; 0 makes none. An arch comes Poisson(1) times into a resample, the same number in every pool
            of its space, so that pools that share archs are drawn together; the proxies are taken as given. Resamples on which a metric is
            undefined are left out. Resampling adds noise to both rankings, so an interval of their agreement lies low, and may end just above the
            value.

    A proxy that no arch of a pool has a score of has nulls there, and a note, as `nbzero.constrained` says.

    Raises:
        UnknownNameError: a metric, a proxy or a cost that no pool has.
        UsageError: fewer than two pools, raw signs in some and oriented ones in others, other accuracies or options.
    """
    listed = _checked(pools)
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    metrics.check_bootstrap(resamples, level, seed, least=0)
    if isinstance(budgets, bool) or not hasattr(budgets, "__index__") or budgets < 1:
        raise UsageError(
            f"budgets {budgets!r}; pools have their own costs, so it is a number of limits from 1"
        )
    if normalise not in metrics.NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(metrics.NORMALISATIONS)}")
    seeds = _seeds(listed, accuracies)
    everything = list(
        dict.fromkeys(name for pool in listed for name in (*pool.scores_and_costs, *pool.unscored))
    )
    names = (
        everything
        if proxies is None
        else list(dict.fromkeys([proxies] if isinstance(proxies, str) else proxies))
    )
    for name in names:
        if name not in everything:
            raise unknown_name("proxy in these pools", name, everything)
    if not names:
        raise UsageError("no proxies; name one or more, or None for all that the pools have")
    limited = [costs] if isinstance(costs, str) else list(dict.fromkeys(costs))
    known = {name for pool in listed for name in pool.costs}
    for name in limited if metric in MBR else ():
        if name not in known:
            raise unknown_name("cost in these pools", name, known)
    if not limited:
        raise UsageError("no costs; name one or more of macs, params, depth")

    judges = [_Judge(pool, names, metric, limited, int(budgets), normalise) for pool in listed]
    values = np.array([judge.values() for judge in judges])
    draws = [_copies(pool, resamples, seed) for pool in listed] if resamples else None
    drawn = (
        None
        if draws is None
        else [
            np.round([judge.values(copies) for copies in each], DECIMALS)
            for judge, each in zip(judges, draws, strict=True)
        ]
    )
    lower = metric in MBR
    keys = np.round(values if lower else -values, DECIMALS)
    ranked = np.array([_ranks(row) for row in keys])

    told = f"{metric} by {', '.join(limited)}, {count_of(budgets, 'limit')}" if lower else metric
    notes = _notes(listed, judges, told, resamples, level)
    pairs = _pairs_frame(listed, names, keys, judges, drawn, level, told)
    accuracy = _accuracy_frame(listed, seeds, draws, level)
    return Transfer(
        metric, _pools_frame(listed, values, judges), pairs, _proxies_frame(listed, names, values, ranked, judges, told), accuracy, tuple(notes)
    )  # fmt: skip


def all_pools(
    bench: Bench,
    split: Split = "val",
    spaces: Iterable[str] | None = None,
    proxies: Iterable[str] | None = None,
    seed: Seed = None,
) -> list[Pool]:
    """The pool of every space, data set and recipe of which a release has accuracies of that split; `measured` lists also those that it has not.

    Args:
        split: "val", or "test" for the final judgement; some imported tables give only one.
        spaces: names; None is all of the release.
        proxies, seed: as in `pool_of`.

    Raises:
        UnknownNameError: a space or proxy that does not exist.
        NothingFoundError: no accuracies of that split and seed at all.
    """
    chosen = bench.spaces if spaces is None else [spaces] if isinstance(spaces, str) else list(spaces)
    names = None if proxies is None else list(proxies)
    found = [
        pool_of(bench, *key, seed=seed, split=split, proxies=names)
        for key in runs_with(bench, chosen, split, seed)
    ]
    if not found:
        listed = (
            f"{row['space']} on {row['dataset']} with {row['recipe']}: {row['num_val']} val, {row['num_test']} test"
            for row in measured(bench)
        )
        there = "; ".join(listed)
        raise NothingFoundError(
            f"no {split} accuracies in {', '.join(chosen)} with seed {0 if seed is None else seed}; seed 0 has: {there or 'none'}"
        )
    return found


def runs_with(
    bench: Bench, spaces: Iterable[str], split: Split, seed: Seed = None
) -> list[tuple[str, str, str]]:
    """The spaces, data sets and recipes of which a release has accuracies of a split."""
    column = f"runs.{_split_column(split)}"
    tables = ((key, bench.table(key[0], [column], *key[1:], seed=seed)) for key in _runs(bench, spaces))
    return [key for key, table in tables if not np.isnan(np.asarray(table[column], np.float64)).all()]


def measured(bench: Bench) -> Frame:
    """What a release has runs of: columns space, dataset, recipe; num_val and num_test (archs with an accuracy of seed 0), seeds (text), metric."""
    rows = []
    for space, dataset, recipe in _runs(bench, bench.spaces):
        table = bench.table(space, ["runs.val_acc", "runs.test_acc"], dataset, recipe)
        counts = {
            f"num_{part}": int((~np.isnan(np.asarray(table[f"runs.{part}_acc"], np.float64))).sum())
            for part in ("val", "test")
        }
        seeds = ", ".join(map(str, bench.seeds(space, dataset, recipe)))
        rows.append(
            {
                "space": space,
                "dataset": dataset,
                "recipe": recipe,
                **counts,
                "seeds": seeds,
                "metric": bench._space(space).metric(dataset),
            }
        )
    head = ("space", "dataset", "recipe", "num_val", "num_test", "seeds", "metric")
    return Frame({name: [row[name] for row in rows] for name in head}, f"Runs of release {bench.version}")


def all_seed_accuracies(bench: Bench, pools: Iterable[Pool]) -> list[Floats | None]:
    """`constrained.seed_accuracies` of each pool of one release, for `transfer(accuracies=)`: None where no arch has two seeds."""
    return [seed_accuracies(bench, pool) for pool in pools]


def _runs(bench: Bench, spaces: Iterable[str]) -> list[tuple[str, str, str]]:
    return [
        (space, dataset, recipe)
        for space in spaces
        for dataset in bench.datasets(space)
        for recipe in bench.recipes(space, dataset)
    ]


class _Judge:
    """One pool's judgement of proxies by a metric.

    Attributes:
        reason: why the metric is undefined for all; "" where it is not.
        missing: (K,) archs without a score; -1 where the pool does not have the proxy.
        unscored: of the K, those that no arch has a score of.
    """

    def __init__(
        self,
        pool: Pool,
        names: Sequence[str],
        metric: str,
        costs: Sequence[str],
        budgets: int,
        normalise: str,
    ) -> None:
        stored = pool.scores_and_costs
        self.rows = [k for k, name in enumerate(names) if name in stored and name not in pool.without_scores]
        self.unscored = [name for name in names if name in pool.without_scores]
        missing = {
            **dict.fromkeys(self.unscored, len(pool)),
            **{name: int(np.isnan(values).sum()) for name, values in stored.items()},
        }
        self.missing = [missing.get(name, -1) for name in names]
        self.num, self.metric, self.budgets, self.normalise = len(names), metric, budgets, normalise
        self.accuracy = pool.accuracy
        scores = [stored[names[k]] for k in self.rows]
        lacking = [name for name in costs if name not in pool.costs] if metric in MBR else []
        self.reason = (
            f"{pool.space} has no {', '.join(lacking)}"
            if lacking
            else ""
            if scores
            else "none of the proxies has a score there"
        )
        self.costs = [] if lacking or metric not in MBR else [pool.costs[name] for name in costs]
        if metric in MBR:
            self.scores: Any = metrics.small_codes(np.array(scores)) if scores else np.empty((0, len(pool)))
        else:  # codes order as the scores do, NaN lowest, and are faster to sort; Pearson needs the numbers
            self.scores = (
                scores if metric.endswith("pearson") else [metrics.codes(values) for values in scores]
            )

    def values(self, copies: npt.NDArray[np.int64] | None = None) -> Floats:
        """(K,) the metric of each proxy on the pool, or on a resample with so many copies of each arch; NaN where it is undefined."""
        found = np.full(self.num, np.nan)
        rows = (
            np.arange(len(self.accuracy))
            if copies is None
            else np.repeat(np.arange(len(self.accuracy)), copies)
        )
        if self.reason or not len(rows):
            return found
        accuracy = self.accuracy[rows]
        if self.metric in MBR:
            table, parts = self.scores[:, rows], []
            for cost in self.costs:
                limits = metrics.budget_limits(cost[rows], self.budgets, MBR[self.metric])
                parts.append(
                    metrics.mean_rank(
                        metrics.picks(table, accuracy, *metrics.within(cost[rows], limits)),
                        len(rows),
                        self.normalise,
                    )
                )
            found[self.rows] = np.mean(parts, axis=0)
            return found
        judge = CORRELATIONS[self.metric.removeprefix("abs_")]
        found[self.rows] = [judge(values[rows], accuracy) for values in self.scores]
        return np.abs(found) if self.metric.startswith("abs_") else found


def _copies(pool: Pool, resamples: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """For each resample how often each arch of the pool is in it: Poisson(1), fixed by seed, space, resample and arch_id alone."""
    name, longest = zlib.crc32(pool.space.encode()), int(pool.arch_ids.max()) + 1
    return [
        np.random.default_rng([seed, name, r]).poisson(1.0, longest)[pool.arch_ids] for r in range(resamples)
    ]


def _agreement(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """(R,) Kendall's tau-b and Spearman's rho of each row of two (R, K) arrays; NaN where a row holds a NaN or is constant."""
    signs = [np.sign(values[:, :, None] - values[:, None, :]) for values in (a, b)]
    pairs: list[Floats] = [sign.reshape(len(sign), -1) for sign in signs]
    ranks: list[Floats] = [sign.sum(2) for sign in signs]  # twice a rank, less its mean
    found = []
    for first, second in (pairs, ranks):
        over = np.sqrt((first * first).sum(1) * (second * second).sum(1))
        with np.errstate(invalid="ignore"):
            found.append(np.asarray((first * second).sum(1) / np.where(over > 0, over, np.nan), np.float64))
    return found[0], found[1]


def _ranks(values: Floats) -> Floats:
    """Ranks from 1 for the lowest, ties their mean rank; NaN stays NaN."""
    ranked, there = np.full(len(values), np.nan), ~np.isnan(values)
    if there.any():
        ranked[there] = metrics.ranks(values[there])
    return ranked


def _pairs_frame(
    pools: list[Pool],
    names: list[str],
    keys: Floats,
    judges: list[_Judge],
    drawn: list[Floats] | None,
    level: float,
    told: str,
) -> Frame:
    """`keys` (pools, K) order the proxies from the best, NaN where there is no value; `drawn` (R, K) for each pool."""
    rows = []
    for a, b in itertools.combinations(range(len(pools)), 2):
        shared = np.flatnonzero(~np.isnan(keys[a]) & ~np.isnan(keys[b]))
        kendall, spearman = (
            float(found[0]) for found in _agreement(keys[a][None, shared], keys[b][None, shared])
        )
        scored = ("protocol",) if pools[a].scores and pools[b].scores else ()
        row = {
            **_between(pools, a, b, (*KEY, *scored)),
            "shared_proxies": len(shared),
            "kendall": kendall,
            "spearman": spearman,
        }
        if drawn is not None:
            for name, found in zip(
                ("kendall", "spearman"), _agreement(drawn[a][:, shared], drawn[b][:, shared]), strict=True
            ):
                row[f"{name}_low"], row[f"{name}_high"] = (
                    metrics.interval(found, level) if len(shared) > 1 else (math.nan, math.nan)
                )
        ranks = [_ranks(keys[one][shared]) for one in (a, b)]
        best = [np.flatnonzero(one == one.min()) if len(one) else np.empty(0, np.int64) for one in ranks]
        for one, top, other, elsewhere in (("a", best[0], "b", ranks[1]), ("b", best[1], "a", ranks[0])):
            row[f"best_{one}"] = " = ".join(names[k] for k in shared[top]) or None
            row[f"best_{one}_rank_in_{other}"] = float(elsewhere[top].mean()) if len(top) else math.nan
        row["meaningful"] = len(shared) >= FEW and not math.isnan(kendall)
        row["reason"] = _reason([judges[a].reason, judges[b].reason], len(shared), kendall)
        rows.append(row)
    return _frame(rows, f"Rankings of proxies by {told}")


def _reason(undefined: list[str], shared: int, kendall: float) -> str | None:
    there = [text for text in undefined if text]
    if there:
        return "; ".join(dict.fromkeys(there))
    if shared < 2:
        return f"{count_of(shared, 'proxy has', 'proxies have')} a value in both; a ranking needs two"
    if math.isnan(kendall):
        return "one of the pools ranks all shared proxies equal"
    return f"only {shared} proxies have a value in both: as many agree by chance" if shared < FEW else None


def _accuracy_frame(
    pools: list[Pool],
    seeds: list[Floats | None],
    draws: list[list[npt.NDArray[np.int64]]] | None,
    level: float,
) -> Frame:
    rows, apart = [], 0
    for a, b in itertools.combinations(range(len(pools)), 2):
        if pools[a].space != pools[b].space:
            apart += 1
            continue
        _, in_a, in_b = np.intersect1d(pools[a].arch_ids, pools[b].arch_ids, return_indices=True)
        first, second = pools[a].accuracy[in_a], pools[b].accuracy[in_b]
        row = {name: value for name, value in _between(pools, a, b, KEY).items() if name != "shares"}
        for name, judge in (("kendall", metrics.kendall_tau), ("spearman", metrics.spearman_rho)):
            row[name] = judge(first, second) if len(in_a) > 1 else math.nan
            if draws is not None:
                found = (
                    [_resampled(judge, first, second, copies[in_a]) for copies in draws[a]]
                    if len(in_a) > 1
                    else []
                )
                row[f"{name}_low"], row[f"{name}_high"] = metrics.interval(np.array(found), level)
        for part, one, shared in (("a", a, in_a), ("b", b, in_b)):
            row[f"ceiling_{part}"], row[f"ceiling_archs_{part}"] = _ceiling(seeds[one], shared)
        undefined = None if not math.isnan(row["kendall"]) else "all accuracies of one of the pools are equal"
        row["reason"] = (
            f"{count_of(len(in_a), 'arch is', 'archs are')} in both; a ranking needs two"
            if len(in_a) < 2
            else undefined
        )
        rows.append(row)
    notes = [f"Left out: {count_of(apart, 'pair')} of two spaces, which share no archs."] if apart else []
    if any(not math.isnan(row[f"ceiling_{part}"]) for row in rows for part in "ab"):
        notes.append(
            "Ceilings: how well one seed's accuracies rank another seed's; two rankings by single seeds can hardly agree better."
        )
    if rows:
        return _frame(rows, "Rankings of archs by accuracy", notes)
    head = (
        "a",
        "b",
        "pool_a",
        "pool_b",
        "across",
        "shared_archs",
        "kendall",
        "spearman",
        "ceiling_a",
        "ceiling_b",
        "reason",
    )
    return Frame({name: [] for name in head}, "Rankings of archs by accuracy", notes)


def _resampled(
    judge: Callable[..., float], first: Floats, second: Floats, copies: npt.NDArray[np.int64]
) -> float:
    return judge(np.repeat(first, copies), np.repeat(second, copies)) if copies.any() else math.nan


def _ceiling(accuracies: Floats | None, shared: npt.NDArray[np.int64]) -> tuple[float, int]:
    """Kendall between seeds on some archs, and how many of them have two seeds."""
    if accuracies is None or not len(shared):
        return math.nan, 0
    part = accuracies[:, shared]
    return metrics.noise_ceiling(metrics.kendall_tau, part), int(((~np.isnan(part)).sum(axis=0) > 1).sum())


def _between(pools: list[Pool], a: int, b: int, key: Sequence[str]) -> dict[str, Any]:
    one, other = pools[a], pools[b]
    differ = [name for name in key if getattr(one, name) != getattr(other, name)]
    shared = len(np.intersect1d(one.arch_ids, other.arch_ids)) if one.space == other.space else 0
    if "space" in differ:
        shares = "other space"
    elif not shared:
        shares = "same space"
    elif not differ:
        shares = "same pool"
    else:
        shares = "same runs" if _same_runs(one, other) else "same archs"
    across = " + ".join(differ) or "nothing"
    return {
        "a": a + 1,
        "b": b + 1,
        "pool_a": one.name,
        "pool_b": other.name,
        "across": across,
        "shares": shares,
        "shared_archs": shared,
    }


def _same_runs(one: Pool, other: Pool) -> bool:
    """Whether some trainings are behind the accuracies of both, as `hybrids.Chosen.relation` has it: of one data set and recipe, and of one seed or
    one of them a mean over seeds, which holds each."""
    recipes, seeds = {one.recipe, other.recipe}, {one.seed, other.seed}
    is_mean = "mean" in seeds or len(recipes) > 1  # of an imported benchmark: recipe and recipe-mean
    return (
        one.dataset == other.dataset
        and len({recipe.removesuffix("-mean") for recipe in recipes}) == 1
        and (is_mean or len(seeds) == 1)
    )


def _pools_frame(pools: list[Pool], values: Floats, judges: list[_Judge]) -> Frame:
    rows = [
        {
            "pool": i + 1, "space": pool.space, "dataset": pool.dataset, "recipe": pool.recipe, "protocol": pool.protocol, "split": pool.split,
            "seed": str(pool.seed), "target": pool.metric, "num_archs": len(pool), "num_proxies": int((~np.isnan(values[i])).sum()),
            "reason": judges[i].reason or None,
        }
        for i, pool in enumerate(pools)
    ]  # fmt: skip
    return _frame(rows, "Pools")


def _proxies_frame(
    pools: list[Pool], names: list[str], values: Floats, ranked: Floats, judges: list[_Judge], told: str
) -> Frame:
    sizes = (~np.isnan(values)).sum(axis=1)
    places = (ranked - 1) / np.where(sizes > 1, sizes - 1, np.nan)[:, None]
    columns: dict[str, Any] = {"proxy": names}
    for i in range(len(pools)):
        missing = [
            math.nan if judges[i].missing[k] < 0 else float(judges[i].missing[k]) for k in range(len(names))
        ]
        columns |= {f"value_{i + 1}": values[i], f"rank_{i + 1}": ranked[i], f"missing_{i + 1}": missing}
    for name, table in (("rank", ranked), ("place", places)):
        there = [column[~np.isnan(column)] for column in table.T]
        columns[f"mean_{name}"] = [float(one.mean()) if len(one) else math.nan for one in there]
        columns[f"worst_{name}"] = [float(one.max()) if len(one) else math.nan for one in there]
    columns["num_pools"] = (~np.isnan(ranked)).sum(axis=0)
    notes = [f"{i + 1}: {pool.name}." for i, pool in enumerate(pools)]
    if len(set(sizes[sizes > 0].tolist())) > 1:
        notes.append(
            "The pools rank different numbers of proxies: compare places (0 = best, 1 = last), not ranks, between them."
        )
    return Frame(columns, f"Proxies by {told}", notes).sorted("mean_place")


def _notes(pools: list[Pool], judges: list[_Judge], told: str, resamples: int, level: float) -> list[str]:
    notes = [
        f"Proxies are ranked by {told}; N of each pool is its num_archs, costs count as proxies by which larger networks are better."
    ]
    if resamples:
        notes.append(
            f"{level:.0%} intervals of {count_of(resamples, 'resample')} of the archs; the proxies are given, so few of them stay few."
        )
    test = [str(i + 1) for i, pool in enumerate(pools) if pool.split == "test"]
    if test:
        notes.append(
            f"On the test split, as asked: pools {', '.join(test)}. What is chosen by it, it no longer judges."
        )
    if len({pool.protocol for pool in pools if pool.scores}) > 1:
        listed = ", ".join(sorted({pool.protocol or "none" for pool in pools if pool.scores}))
        notes.append(
            f"Scores are of different protocols ({listed}): a proxy of one name may have been computed otherwise."
        )
    absent = sum(max(count, 0) for judge in judges for count in judge.missing)
    if absent:
        notes.append(
            f"Missing in all: {count_of(absent, 'score')} of these proxies; missing_1 and so on in .proxies count them by pool."
        )
    notes += [
        f"Pool {i + 1} ranks no proxies: {judge.reason}." for i, judge in enumerate(judges) if judge.reason
    ]
    notes += [
        f"Pool {i + 1}: {note}"
        for i, judge in enumerate(judges)
        for note in unscored_notes(pools[i], judge.unscored)
    ]
    if any(not one.oriented for one in pools):
        notes.append("Scores have their raw sign.")
    return notes


def _checked(pools: Iterable[Pool]) -> list[Pool]:
    listed: list[Any] = [pools] if isinstance(pools, Pool) else list(pools)
    strange = [type(one).__name__ for one in listed if not isinstance(one, Pool)]
    if strange:
        raise UsageError(
            f"pools hold {', '.join(sorted(set(strange)))}; each is a Pool, as pool_of and all_pools make them"
        )
    if len(listed) < 2:
        raise UsageError(
            f"{len(listed)} pools; transfer is between two or more: all_pools(bench), or pool_of for each"
        )
    if len({pool.oriented for pool in listed}) > 1:
        raise UsageError(
            "some pools have raw signs and others oriented ones; make all with the same `orient`"
        )
    return listed


def _seeds(pools: list[Pool], accuracies: Sequence[npt.ArrayLike | None] | None) -> list[Floats | None]:
    if accuracies is None:
        return [None] * len(pools)
    if len(accuracies) != len(pools):
        raise UsageError(
            f"accuracies of {len(accuracies)} pools; there are {len(pools)}, and each has an array or None"
        )
    made = [None if one is None else np.asarray(one, np.float64) for one in accuracies]
    for pool, one in zip(pools, made, strict=True):
        if one is not None and (one.ndim != 2 or len(one) < 2 or one.shape[1] != len(pool)):
            raise UsageError(
                f"accuracies of shape {one.shape} for {pool.name}; they are (S, {len(pool)}), a row for each of at least two seeds"
            )
    return made


def _frame(rows: list[dict[str, Any]], title: str, notes: Iterable[str] = ()) -> Frame:
    return Frame({name: [row[name] for row in rows] for name in rows[0]}, title, notes)
