"""How long judging proxies takes at the size of r1: python -m tests.bench.judging

Made numbers: 14,964 archs, as many proxies as the registry has, three costs. Beside each figure stands scipy,
or numpy the straightforward way. Seconds are of this process (CPU), because others share the machine: the
median of rounds.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from nbzero import PROXIES, judge, metrics
from nbzero.judge.pool import Pool
from tests.pools import make_pool

NUM_ARCHS = 14_964
DRAWS = 20  # resamples that are judged metric by metric


def made_pool(num_archs: int = NUM_ARCHS, num_proxies: int = len(PROXIES), seed: int = 0) -> Pool:
    """A pool of made numbers: scores with noise around the accuracy, costs as skewed as real ones."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=num_archs)
    accuracy = np.round(0.6 + 0.05 * quality + rng.normal(0, 0.01, num_archs), 4)
    costs = {
        "macs": np.round(np.exp(17 + quality + rng.normal(size=num_archs))),
        "params": np.round(np.exp(13 + rng.normal(size=num_archs))),
    }
    costs["depth"] = rng.integers(5, 25, num_archs).astype(float)
    scores = {f"proxy{i}": quality + rng.normal(0, 2, num_archs) for i in range(num_proxies)}
    return make_pool(accuracy, costs, scores)


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """The median CPU time of some rounds, after one that is not counted."""
    took = []
    for _ in range(rounds + 1):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return statistics.median(took[1:])


def by_masks(pool: Pool, spacing: str) -> list[float]:
    """mBR of every proxy over three costs by masks, one proxy and limit at a time."""
    found = []
    for scores in pool.scores.values():
        ranks = []
        for cost in pool.costs.values():
            for limit in metrics.budget_limits(cost, spacing=spacing):
                inside = cost <= limit
                ours, true = scores[inside], pool.accuracy[inside]
                winners = np.flatnonzero(ours == ours.max())
                ranks.append(np.mean([(true > true[winner]).sum() for winner in winners]))
        found.append(float(np.mean(ranks)) / len(pool))
    return found


def by_picks(pool: Pool, spacing: str) -> list[float]:
    """The same by `metrics.picks`, all proxies at once."""
    table = np.array(list(pool.scores.values()))
    parts = []
    for cost in pool.costs.values():
        order, sizes = metrics.within(cost, metrics.budget_limits(cost, spacing=spacing))
        parts.append(metrics.mean_rank(metrics.picks(table, pool.accuracy, order, sizes), len(pool)))
    means: list[float] = np.mean(parts, axis=0).tolist()
    return means


def report(what: str, ours: float, aim: str = "", other: str = "", theirs: float = 0.0) -> None:
    """One line: our time, what it aims at, and how many times as long the other way takes."""
    aimed = f"(target {aim})" if aim else ""
    line = f"{what:40} {ours * 1e3:10.1f} ms  {aimed:16}"
    if other:
        line += f" {other} {theirs * 1e3:,.0f} ms, {theirs / ours:.1f} times"
    print(line.rstrip())


def time_mbr(pool: Pool) -> None:
    for spacing in metrics.SPACINGS:
        assert np.allclose(by_picks(pool, spacing), by_masks(pool, spacing))
        ours = seconds(partial(by_picks, pool, spacing), 15)
        slow = seconds(partial(by_masks, pool, spacing), 3)
        report(f"mBR of all proxies, {spacing} limits", ours, "20 ms", "by masks", slow)
    report("  as a table with references", seconds(partial(judge.mbr_table, pool)))
    report("  every pick as a table", seconds(partial(judge.constrained, pool)))


def time_correlations(pool: Pool) -> None:
    import scipy.stats

    table = list(pool.scores.values())[:30]
    pairs = (
        ("Kendall tau of 30 proxies", "300 ms", metrics.kendall_tau, scipy.stats.kendalltau),
        ("Spearman rho of 30 proxies", "", metrics.spearman_rho, scipy.stats.spearmanr),
    )
    for what, aim, ours, theirs in pairs:
        own = seconds(lambda one=ours: [one(row, pool.accuracy) for row in table])
        other = seconds(lambda one=theirs: [one(row, pool.accuracy) for row in table], 3)
        report(what, own, aim, "scipy", other)


def time_evaluate(pool: Pool) -> None:
    mine = np.random.default_rng(1).normal(size=len(pool))
    report("report of a proxy of one's own", seconds(partial(judge.evaluate, pool, mine)), "200 ms")


def time_bootstrap(pool: Pool) -> None:
    table, cost = np.array(list(pool.scores.values())), pool.costs["macs"]
    ours = seconds(partial(metrics.bootstrap_mbr, table, pool.accuracy, cost), 1)

    def one_by_one() -> None:
        for row in table:
            metrics.bootstrap(metrics.mbr, row, pool.accuracy, cost, resamples=4)

    theirs = seconds(one_by_one, 1) * 1000 / 4
    report("bootstrap of mBR, 1,000 resamples", ours, "5,000 ms", "metric by metric", theirs)


def time_intervals(pool: Pool) -> None:
    """The intervals of all five correlations on 100 archs."""
    small = pool.only(np.arange(100))
    ours = seconds(partial(judge.correlations, small, resamples=1000), 3)
    judges = (
        metrics.kendall_tau,
        metrics.spearman_rho,
        metrics.pearson,
        partial(metrics.best_rank_at_k, k=10),
        partial(metrics.precision_at_top_k, fraction=0.05),
    )
    drawn = [np.random.default_rng(seed).integers(0, 100, 100) for seed in range(DRAWS)]

    def one_by_one() -> None:
        for one in judges:
            for scores in small.scores.values():
                for rows in drawn:
                    one(scores[rows], small.accuracy[rows])

    theirs = seconds(one_by_one, 1) * 1000 / DRAWS
    report("  of all five correlations, 100 archs", ours, "3,000 ms", "metric by metric", theirs)


def main() -> None:
    pool = made_pool()
    print(f"{len(pool):,} archs, {len(pool.scores)} proxies, {len(pool.costs)} costs, 5 budgets")
    for measure in (time_mbr, time_correlations, time_evaluate, time_bootstrap, time_intervals):
        measure(pool)


if __name__ == "__main__":
    main()
