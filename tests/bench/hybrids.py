"""How many combinations of proxies a second are judged: python -m tests.bench.hybrids

Made scores of 14,964 archs that correlate as proxies do. Five budgets of a skewed cost: even, and by
quantiles. The search is everything from the ranks on: the archs that may win, every subset's pick under every
budget, its mBR. Ranking the scores is timed beside it. The plain versions do a sample of subsets. Seconds are
of one thread's CPU, because others share the machine: the median of rounds.
"""

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd

from nbzero import metrics
from nbzero.judge import subsets
from nbzero.judge.hybrid_search import mbr_of_subsets

NUM_ARCHS, BUDGETS, ROUNDS = 14_964, 5, 31


def made_scores(num_proxies: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (P, N) of three common factors and noise, a cost and an accuracy of the same factors."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(3, NUM_ARCHS))
    weights = rng.uniform(0.2, 1, (num_proxies, 3))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    shared = rng.uniform(0.3, 0.95, (num_proxies, 1))
    scores = np.sqrt(shared) * (weights @ factors) + np.sqrt(1 - shared) * rng.normal(
        size=(num_proxies, NUM_ARCHS)
    )
    cost = np.exp(factors[0] + 0.5 * factors[1] + 0.4 * rng.normal(size=NUM_ARCHS))
    accuracy = np.array([0.6, 0.5, 0.4]) @ factors + 0.5 * rng.normal(size=NUM_ARCHS)
    return scores, np.minimum(cost, np.quantile(cost, 0.99)), accuracy


def took(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def by_pandas(frame: pd.DataFrame, names: list[str], limits: np.ndarray) -> float:
    """As one would write it: rank, add up, and for each budget filter, find the winner; then count."""
    total = frame[names].rank().sum(axis=1)
    ranks = []
    for limit in limits:
        inside = frame[frame.cost <= limit]
        scores = total[inside.index]
        tied = inside[scores == scores.max()]
        ranks.append(np.mean([(inside.accuracy > accuracy).sum() for accuracy in tied.accuracy]))
    return float(np.mean(ranks)) / len(frame)


def by_numpy(ranks: np.ndarray, chosen: list[int], pools: list[np.ndarray], true: list[np.ndarray]) -> float:
    """Ranks, pools and true ranks worked out before: a sum, a maximum and a mean for each budget."""
    total = 0.0
    scores = ranks[chosen].sum(0)
    for inside, rank in zip(pools, true, strict=True):
        here = scores[inside]
        total += rank[here == here.max()].mean()
    return total / len(pools) / ranks.shape[1]


def nothing(*_: object) -> None:
    """In place of the search, to time what comes before it."""


def search(engine: str, ranks: np.ndarray, pools: list[np.ndarray], accuracy: np.ndarray) -> np.ndarray:
    return mbr_of_subsets(subsets.picks(ranks, pools, engine), pools, accuracy, "total")


def print_engine(engine: str, ranks: np.ndarray, pools: list[np.ndarray], accuracy: np.ndarray) -> None:
    num_masks = 1 << len(ranks)
    whole = took(partial(search, engine, ranks, pools, accuracy))
    picking = took(partial(subsets.picks, ranks, pools, engine))
    with mock.patch.object(subsets.Search, "fill", nothing):
        fixed = took(partial(subsets.picks, ranks, pools, engine))
    print(f"  nbzero, {engine:24} {num_masks / whole:12,.0f} combinations/s", end=" ")
    print(f"({whole * 1e3:.1f} ms for all);", end="")
    print(f" {num_masks / (picking - fixed):,.0f} beyond the {fixed * 1e3:.1f} ms", end="")
    print(" that find which archs may win  (target 1,000,000)")


def measure(num_proxies: int, engines: list[str], spacing: str) -> None:
    scores, cost, accuracy = made_scores(num_proxies)
    ranking = took(partial(metrics.ranks, scores), 3)
    ranks = (2 * metrics.ranks(scores)).astype(np.int64)
    limits = metrics.budget_limits(cost, BUDGETS, spacing)
    pools = [cost <= limit for limit in limits]
    inside = [np.flatnonzero(pool) for pool in pools]
    true = [metrics.true_ranks(accuracy[pool]) for pool in inside]
    rho = np.corrcoef(ranks)[np.triu_indices(num_proxies, 1)]
    print(f"{num_proxies} proxies, {(1 << num_proxies) - 1:,} combinations, {spacing} limits", end="; ")
    print("rank correlations", end=" ")
    print(f"{rho.min():.2f} to {rho.max():.2f}, median {np.median(rho):.2f}", end="; ")
    print(f"ranking the scores {ranking * 1e3:.0f} ms")

    rng = np.random.default_rng(1)
    sample = [np.flatnonzero(rng.random(num_proxies) < 0.5).tolist() or [0] for _ in range(200)]
    names = [[f"p{p}" for p in chosen] for chosen in sample[:10]]
    frame = pd.DataFrame(scores.T, columns=[f"p{p}" for p in range(num_proxies)])
    frame = frame.assign(cost=cost, accuracy=accuracy)

    def pandas_sample() -> None:
        for one in names:
            by_pandas(frame, one, limits)

    def numpy_sample() -> None:
        for chosen in sample:
            by_numpy(ranks, chosen, inside, true)

    for name, work, count in (
        ("pandas, as one would write it", pandas_sample, len(names)),
        ("numpy, ranks taken once", numpy_sample, len(sample)),
    ):
        print(f"  {name:32} {count / took(work, 3):12,.0f} combinations/s (a sample of {count})")
    values = [search(engine, ranks, pools, accuracy) for engine in engines]  # numba compiles or loads here
    for engine in engines:
        print_engine(engine, ranks, pools, accuracy)
    for chosen in sample:
        mask = sum(1 << p for p in chosen)
        plain = by_numpy(ranks, chosen, inside, true)
        for found in values:
            assert abs(found[mask] - plain) < 1e-12
    for found in values:
        np.testing.assert_array_equal(found, values[0])


def main() -> None:
    engines = ["numpy"]
    if importlib.util.find_spec("numba"):
        engines.append("numba")
    for num_proxies in (12, 16, 20):
        for spacing in metrics.SPACINGS:
            measure(num_proxies, engines, spacing)


if __name__ == "__main__":
    main()
