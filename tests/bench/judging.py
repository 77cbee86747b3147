"""How long judging proxies takes at the size of r1: python -m tests.bench.judging

Made numbers: 14,964 archs, as many proxies as the registry has, three costs. Beside each figure scipy or numpy the straightforward way. Seconds
are of this process (CPU), medians of a few rounds, because a shared machine makes the wall clock noisy.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from nbzero import PROXIES, constrained, metrics
from nbzero.pool import Pool

NUM_ARCHS = 14_964


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
    ids = np.arange(num_archs)
    return Pool(
        "made",
        "made",
        "made",
        "made",
        0,
        "val",
        ids,
        tuple(map(str, ids)),
        accuracy,
        costs,
        scores,
        {},
        num_archs,
    )


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """The median CPU time of some rounds, after one that is not counted."""
    took = []
    for _ in range(rounds + 1):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return statistics.median(took[1:])


def by_loop(pool: Pool) -> list[float]:
    """mBR of every proxy over three costs by masks, one proxy and limit at a time."""
    found = []
    for scores in pool.scores.values():
        ranks = []
        for cost in pool.costs.values():
            for limit in metrics.budget_limits(cost, spacing="even"):
                inside = cost <= limit
                ours, true = scores[inside], pool.accuracy[inside]
                ranks.append(
                    np.mean([(true > true[winner]).sum() for winner in np.flatnonzero(ours == ours.max())])
                )
        found.append(float(np.mean(ranks)) / len(pool))
    return found


def main() -> None:
    import scipy.stats

    pool = made_pool()
    table, costs = np.array(list(pool.scores.values())), tuple(pool.costs)
    mine = np.random.default_rng(1).normal(size=len(pool))

    def all_mbr() -> list[float]:
        rank = [
            metrics.picks(
                table, pool.accuracy, *metrics.within(cost, metrics.budget_limits(cost, spacing="even"))
            )
            for cost in pool.costs.values()
        ]
        return np.mean([metrics.mean_rank(part, len(pool)) for part in rank], axis=0).tolist()

    assert np.allclose(all_mbr(), by_loop(pool))
    print(f"{len(pool):,} archs, {len(table)} proxies, {len(costs)} costs, 5 budgets")
    ours, theirs = seconds(all_mbr, 15), seconds(lambda: by_loop(pool), 3)
    print(
        f"mBR of all proxies, budgets and costs    {ours * 1e3:8.1f} ms  (target 20 ms)   by masks {theirs * 1e3:.0f} ms, {theirs / ours:.1f} times"
    )
    ours, picks = seconds(lambda: constrained.mbr_table(pool)), seconds(lambda: constrained.constrained(pool))
    print(
        f"  the same as a table with references    {ours * 1e3:8.1f} ms;  every pick as a table {picks * 1e3:.1f} ms"
    )
    ours = seconds(lambda: [metrics.kendall_tau(row, pool.accuracy) for row in table[:30]])
    theirs = seconds(lambda: [scipy.stats.kendalltau(row, pool.accuracy) for row in table[:30]], 3)
    print(
        f"Kendall tau of 30 proxies                {ours * 1e3:8.1f} ms  (target 300 ms)  scipy {theirs * 1e3:.0f} ms, {theirs / ours:.1f} times"
    )
    ours = seconds(lambda: [metrics.spearman_rho(row, pool.accuracy) for row in table[:30]])
    theirs = seconds(lambda: [scipy.stats.spearmanr(row, pool.accuracy) for row in table[:30]], 3)
    print(
        f"Spearman rho of 30 proxies               {ours * 1e3:8.1f} ms                   scipy {theirs * 1e3:.0f} ms, {theirs / ours:.1f} times"
    )
    report = seconds(lambda: constrained.evaluate(pool, mine))
    print(f"report of a proxy of one's own           {report * 1e3:8.1f} ms  (target 200 ms)")
    cost = pool.costs["macs"]
    ours = seconds(lambda: metrics.bootstrap_mbr(table, pool.accuracy, cost, spacing="even"), 1)
    theirs = seconds(
        lambda: [
            metrics.bootstrap(metrics.mbr, row, pool.accuracy, cost, resamples=4, spacing="even")
            for row in table
        ],
        1,
    )
    theirs *= 1000 / 4
    print(
        f"bootstrap of mBR, 1,000 resamples        {ours:8.2f} s   (target 5 s)     metric by metric {theirs:.0f} s, {theirs / ours:.0f} times"
    )
    small = pool.only(np.arange(100))
    ours = seconds(lambda: constrained.correlations(small, resamples=1000), 3)
    judges = (
        metrics.kendall_tau,
        metrics.spearman_rho,
        metrics.pearson,
        partial(metrics.best_rank_at_k, k=10),
        partial(metrics.precision_at_top_k, fraction=0.05),
    )
    drawn = [np.random.default_rng(seed).integers(0, 100, 100) for seed in range(20)]
    theirs = seconds(
        lambda: [
            judge(row[rows], small.accuracy[rows])
            for judge in judges
            for row in small.scores.values()
            for rows in drawn
        ],
        1,
    )
    theirs *= 1000 / 20
    print(
        f"  of all five correlations, 100 archs    {ours:8.2f} s   (target 3 s)     metric by metric {theirs:.0f} s, {theirs / ours:.0f} times"
    )


if __name__ == "__main__":
    main()
