"""How long factor models take, in seconds of CPU time: python -m tests.bench.factors

15 targets on all 14,964 archs of r1, on one thread: for each a model of all inputs, one without the repeated
ones, five of the folds, and the permutations of every quantity on held-out archs. Beside it 15 plain models
of XGBoost's defaults, without any of that, and the bias report.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np


def main() -> None:
    import xgboost

    from nbzero import Bench
    from nbzero.judge.bias import bias
    from nbzero.judge.factors import factors

    sample = Bench().sample("r1", "cifar10", targets=["macs", "params", "depth"])
    rng = np.random.default_rng(0)
    costs = np.stack([np.log(values) for values in sample.costs.values()])
    for number in range(12):  # mixtures of the costs with noise: as hard to learn as a proxy
        mixed = rng.normal(size=3) @ ((costs - costs.mean(1, keepdims=True)) / costs.std(1, keepdims=True))
        sample = sample.with_target(f"mixed-{number}", mixed + 0.3 * rng.normal(size=len(sample)))
    table = np.column_stack(list(sample.features.values()))

    def plain() -> None:
        for target in sample.targets.values():
            xgboost.train(
                {"tree_method": "hist", "nthread": 1}, xgboost.QuantileDMatrix(table, target, nthread=1), 100
            )

    def exact() -> None:
        for target in sample.targets.values():
            xgboost.train(
                {"tree_method": "exact", "nthread": 1}, xgboost.DMatrix(table, target, nthread=1), 100
            )

    def seconds(call: Callable[[], object], rounds: int = 3) -> float:
        took = []
        for _ in range(rounds):
            start = time.process_time()
            call()
            took.append(time.process_time() - start)
        return statistics.median(took)

    ours, models, slow, report = (
        seconds(lambda: factors(sample)),
        seconds(plain),
        seconds(exact, 1),
        seconds(lambda: bias(sample)),
    )
    print(
        f"factors, {len(sample.targets)} targets x {len(sample):,} archs, 7 models each and permutations   "
        f"{ours:.2f} s  (target 8 s)"
    )
    print(
        f"one model of XGBoost's defaults each: hist {models:.2f} s, exact {slow:.2f} s; "
        f"per model ours takes {ours / models / 7:.2f} of hist"
    )
    print(f"bias report of the same                {report:.3f} s")


if __name__ == "__main__":
    main()
