"""What simulated searches find, and how long they take: python -m tests.bench.searching

Random search and regularised evolution on three spaces, 20 seeds each, with a limit on macs and 3,600
simulated seconds. Printed are the mean and sd over seeds of the best accuracy at some simulated times. Beside
them stand the oracle, the best answer among all members within the limit, and the best prediction of all grid
points within it. Seconds of a search are of this process (CPU).
"""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero import Bench
from nbzero.search import Simulation
from nbzero.spaces.macro import CHOICES, MAX_STAGES, NUM_HALVINGS
from nbzero.spaces.points import points_of

SEEDS = 20
BUDGET_S = 3600
MAX_MACS = 5e6
WHERE = f"macs <= {MAX_MACS:g}"
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


def grid(space: str) -> Iterator[npt.NDArray[Any]]:
    """Every point of a space's grid as `space.encode` writes it, in parts of (N, 13)."""
    choices = CHOICES[space]
    for num_stages in (NUM_HALVINGS, MAX_STAGES):
        numbers = range(1, len(choices.widths) + 1)
        widths = np.array(list(itertools.combinations_with_replacement(numbers, num_stages)))
        depths = np.array(list(itertools.product(choices.depths, repeat=num_stages)))
        halving = itertools.combinations(range(num_stages), NUM_HALVINGS)
        for stem, halved in itertools.product(range(len(choices.stems)), list(halving)):
            part = np.zeros((len(widths) * len(depths), 1 + 3 * MAX_STAGES), np.int64)
            part[:, 0] = stem
            for s in range(num_stages):
                part[:, 1 + 3 * s] = np.tile(depths[:, s], len(widths))
                part[:, 2 + 3 * s] = np.repeat(widths[:, s], len(depths))
                part[:, 3 + 3 * s] = 2 if s in halved else 1
            yield part


def best_of_grid(bench: Bench, space: str) -> str:
    """The best prediction within the limit, in words."""
    surrogate = bench.surrogate(space, "cifar10", "cpu-16px-4")
    num_points, best, arch = 0, 0.0, ""
    for part in grid(space):
        macs, _ = points_of(space, part).costs()
        within = part[macs <= MAX_MACS]
        if not len(within):
            continue
        num_points += len(within)
        mean = surrogate.predict(within).mean
        if mean.max() > best:
            best = float(mean.max())
            arch = str(bench.space(space).decode(within[int(mean.argmax())]))
    return f"best prediction of {num_points:,} grid points: {best:.4f}, {arch}"


def main() -> None:
    bench = Bench()
    for space in ("r1-mini", "r2-mini", "mb-mini"):
        for search in (random_search, evolution):
            curves, queries, took, predicted = [], [], [], []
            for seed in range(SEEDS):
                started = time.process_time()
                s = bench.simulate(space, "cifar10", "cpu-16px-4", where=WHERE, budget_s=BUDGET_S)
                search(s, seed)
                took.append(time.process_time() - started)
                curves.append(s.accuracy_at(TIMES))
                history = s.history
                queries.append(len(history))
                predicted.append(np.mean(history["source"] == "predicted"))
            mean, sd = np.mean(curves, axis=0), np.std(curves, axis=0, ddof=1)
            reached = [f"{at} s {m:.4f} +- {d:.4f}" for at, m, d in zip(TIMES, mean, sd, strict=True)]
            told = f"{np.mean(queries):.0f} queries, {np.mean(predicted):.0%} predicted"
            told += f", {np.median(took):.2f} s of CPU"
            print(f"{space}, {WHERE}, {search.__name__}: {', '.join(reached)}; {told}")
        arch, accuracy = s.oracle()
        print(f"{space}, {WHERE}, oracle of {len(s.archs)} members: {accuracy:.4f}, {arch}")
        print(f"{space}, {WHERE}, {best_of_grid(bench, space)}")


if __name__ == "__main__":
    main()
