"""How many combinations of proxies a second are judged: python -m tests.bench.hybrids

Made scores of 14,964 archs that correlate as proxies do, five even budgets of a skewed cost. `search` is everything from the ranks on: the archs
that may win, every subset's pick under every budget, its mBR. Ranking the scores is timed beside it. The plain versions do a sample of subsets.
CPU seconds of one thread, so that a shared machine's other work counts less; the median of the rounds.
"""

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd

from nbzero import _subsets, hybrid, metrics

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
    """As one would write it: rank, add up, and for each budget filter, sort out the winner, count who is more accurate."""
    total = frame[names].rank().sum(axis=1)
    ranks = []
    for limit in limits:
        inside = frame[frame.cost <= limit]
        scores = total[inside.index]
        tied = inside[scores == scores.max()]
        ranks.append(np.mean([(inside.accuracy > accuracy).sum() for accuracy in tied.accuracy]))
    return float(np.mean(ranks)) / len(frame)


def by_numpy(ranks: np.ndarray, chosen: list[int], pools: list[np.ndarray], true: list[np.ndarray]) -> float:
    """Ranks taken once, pools and true ranks worked out before: a sum, a maximum and a mean for each budget."""
    total = 0.0
    scores = ranks[chosen].sum(0)
    for inside, rank in zip(pools, true, strict=True):
        here = scores[inside]
        total += rank[here == here.max()].mean()
    return total / len(pools) / ranks.shape[1]


def nothing(*_: object) -> None:
    """In place of the search, to time what comes before it."""


def main() -> None:
    engines = ["numpy", *(["numba"] if importlib.util.find_spec("numba") else [])]
    for num_proxies in (12, 16, 20):
        scores, cost, accuracy = made_scores(num_proxies)
        rank = took(lambda scores=scores: metrics.ranks(scores), 3)
        ranks = (2 * metrics.ranks(scores)).astype(np.int64)
        limits = metrics.budget_limits(cost, BUDGETS, "even")
        limited = [cost <= limit for limit in limits]
        inside = [np.flatnonzero(pool) for pool in limited]
        true = [metrics.true_ranks(accuracy[pool]) for pool in inside]
        rho = np.corrcoef(ranks)[np.triu_indices(num_proxies, 1)]
        print(
            f"{num_proxies} proxies, {(1 << num_proxies) - 1:,} combinations; rank correlations {rho.min():.2f} to {rho.max():.2f}, ",
            end="",
        )
        print(f"median {np.median(rho):.2f}; ranking the scores {rank * 1e3:.0f} ms")

        rng = np.random.default_rng(1)
        sample = [np.flatnonzero(rng.random(num_proxies) < 0.5).tolist() or [0] for _ in range(200)]
        frame = pd.DataFrame(scores.T, columns=[f"p{p}" for p in range(num_proxies)]).assign(
            cost=cost, accuracy=accuracy
        )
        plain = {
            "pandas, as one would write it": (
                took(
                    lambda f=frame, s=sample, x=limits: [
                        by_pandas(f, [f"p{p}" for p in c], x) for c in s[:10]
                    ],
                    3,
                ),
                10,
            ),
            "numpy, ranks taken once": (
                took(lambda r=ranks, s=sample, i=inside, t=true: [by_numpy(r, c, i, t) for c in s], 3),
                len(sample),
            ),
        }
        for name, (seconds, count) in plain.items():
            print(f"  {name:32} {count / seconds:12,.0f} combinations/s (a sample of {count})")
        values = {}
        for engine in engines:

            def search(
                engine: str = engine,
                ranks: np.ndarray = ranks,
                pools: list = limited,
                accuracy: np.ndarray = accuracy,
            ) -> np.ndarray:
                return hybrid._values(_subsets.picks(ranks, pools, engine), pools, accuracy, "total")

            values[engine] = search()  # numba's first call compiles or loads
            seconds, picking = (
                took(search),
                took(lambda e=engine, r=ranks, p=limited: _subsets.picks(r, p, e)),
            )
            with mock.patch.multiple(_subsets._Search, _descend=nothing, _by_loop=nothing):
                fixed = took(lambda e=engine, r=ranks, p=limited: _subsets.picks(r, p, e))
            print(
                f"  nbzero, {engine:24} {(1 << num_proxies) / seconds:12,.0f} combinations/s ({seconds * 1e3:.1f} ms for all);"
                f" {(1 << num_proxies) / (picking - fixed):,.0f} beyond the {fixed * 1e3:.1f} ms that find which archs may win  (target 1,000,000)"
            )
        for mask_of in sample:
            mask = sum(1 << p for p in mask_of)
            assert all(
                abs(found[mask] - by_numpy(ranks, mask_of, inside, true)) < 1e-12 for found in values.values()
            )
        if len(engines) == 2:
            np.testing.assert_array_equal(values["numpy"], values["numba"])


if __name__ == "__main__":
    main()
