"""Seconds of a search of 1,000 evaluations: python -m tests.bench.search [RELEASE]

The median over seeds of the CPU time of this process, of every strategy with a stored score, a measured
accuracy, a prediction and a cost. RELEASE has imported benchmarks; without it ours alone are searched.
"""

import statistics
import sys
import time

from nbzero import Bench
from nbzero.search import STRATEGIES, Objective, run

EVALUATIONS, SEEDS = 1000, 5
OURS = [
    ("r1-mini", "naswot", "cifar10"),
    ("r1-mini", "accuracy", "cifar10"),
    ("r1-mini", "predicted", "cifar10"),
    ("mb", "predicted", "cifar10"),
    ("r1", "macs", "cifar10"),
]
PUBLISHED = [
    ("nb201", "synflow", "cifar10"),
    ("nbmacro", "macs", "cifar10"),
    ("transnas-micro", "synflow", "class_scene"),
]


def objectives() -> list[Objective]:
    ours = Bench()
    found = [ours.objective(*which, "cpu-16px-4") for which in OURS]
    if len(sys.argv) > 1:
        imported = Bench(sys.argv[1])
        found += [imported.objective(*which) for which in PUBLISHED]
    return found


def main() -> None:
    for objective in objectives():
        for name in STRATEGIES:
            if name == "swap_nas_sized" and objective.space == "transnas-micro":
                continue  # its definition fixes no params
            took = []
            for seed in range(SEEDS):
                started = time.process_time()
                history = run(objective.space, objective, name, EVALUATIONS, seed=seed)
                took.append(time.process_time() - started)
            print(
                f"{objective.space}, {objective.name}, {name}: {statistics.median(took):.3f} s, "
                f"{len(history)} evaluations of {len(set(history.archs))} archs"
            )


if __name__ == "__main__":
    main()
