"""What simulated searches find, and how long they take: python -m tests.bench.searching

Random search and regularised evolution on three spaces, 20 seeds each, with a limit on macs and 3,600
simulated seconds. Printed are the mean and sd over seeds of the best accuracy at some simulated times, beside
the oracle: the best answer among all members within the limit. Seconds of a search are of this process (CPU).
"""

import time

import numpy as np

from nbzero import Bench
from nbzero.search import Simulation

SEEDS = 20
BUDGET_S = 3600
WHERE = "macs <= 5e6"
TIMES = (900, 1800, BUDGET_S)


def random_search(s: Simulation, seed: int) -> None:
    rng = np.random.default_rng(seed)
    while not s.done:
        s.train(s.random_arch(rng))


def evolution(s: Simulation, seed: int, population: int = 20, sample: int = 5) -> None:
    """Regularised evolution (Real et al., AAAI 2019): the best of a few is mutated, the oldest dies."""
    rng = np.random.default_rng(seed)
    alive: list[tuple[float, str]] = []
    while not s.done:
        if len(alive) < population:
            arch = s.random_arch(rng)
        else:
            drawn = [alive[i] for i in rng.integers(population, size=sample)]
            arch = s.mutate(max(drawn)[1], rng)
        accuracy = s.train(arch)
        if accuracy is not None:
            alive = [*alive, (accuracy, arch)][-population:]


def main() -> None:
    bench = Bench()
    for space in ("r1-mini", "r2-mini", "mb-mini"):
        for search in (random_search, evolution):
            curves, queries, took = [], [], []
            for seed in range(SEEDS):
                started = time.process_time()
                s = bench.simulate(space, "cifar10", "cpu-16px-4", where=WHERE, budget_s=BUDGET_S)
                search(s, seed)
                took.append(time.process_time() - started)
                curves.append(s.accuracy_at(TIMES))
                queries.append(len(s.history))
            mean, sd = np.mean(curves, axis=0), np.std(curves, axis=0, ddof=1)
            reached = [f"{at} s {m:.4f} +- {d:.4f}" for at, m, d in zip(TIMES, mean, sd, strict=True)]
            told = f"{np.mean(queries):.0f} queries, {np.median(took):.2f} s of CPU"
            print(f"{space}, {WHERE}, {search.__name__}: {', '.join(reached)}; {told}")
        arch, accuracy = s.oracle()
        print(f"{space}, {WHERE}, oracle of {len(s.archs)} members: {accuracy:.4f}, {arch}")


if __name__ == "__main__":
    main()
