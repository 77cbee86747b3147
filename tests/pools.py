"""The one maker of pools for tests. No test itself."""

from typing import Any

import numpy as np

from nbzero.judge.pool import Pool


def make_pool(
    accuracy: Any, costs: Any = None, scores: Any = None, features: Any = None, **changed: Any
) -> Pool:
    """A pool of made archs, arch0 on, on the data set digits.

    Args:
        accuracy: (N,) numbers.
        costs, scores, features: name -> (N,) numbers.
        changed: other fields of the pool.
    """
    num = len(accuracy)
    archs = tuple(f"arch{i}" for i in range(num))
    fields: dict[str, Any] = {
        "space": "made",
        "dataset": "digits",
        "recipe": "short",
        "protocol": "std",
        "seed": 0,
        "split": "val",
        "arch_ids": np.arange(num),
        "archs": archs,
        "members": archs,
        "accuracy": np.asarray(accuracy, np.float64),
    }
    for name, columns in (("costs", costs), ("scores", scores), ("features", features)):
        fields[name] = {key: np.asarray(values, np.float64) for key, values in (columns or {}).items()}
    return Pool(**{**fields, **changed})
