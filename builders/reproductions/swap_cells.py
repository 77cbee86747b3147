"""SWAP's Table IV on NAS-Bench-201 (Peng et al., arXiv:2605.07378): plain and regularised.

Regularised is times exp(-(P - mu)^2 / sigma), with P the params of a network. The paper gives no mu and sigma
for this space. Here they are the mean and the variance of P over all archs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, paired_row, spearman_row
from builders.reproductions.wrcor import accuracy, column
from nbzero.spaces.nb201 import NB201

Floats = npt.NDArray[np.float64]
TABLE, PROTOCOL = "swap-nb201", "std-32"
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
FIGURES = {
    "SWAP": (0.79, 0.81, 0.76),
    "SWAP, regularised": (0.88, 0.90, 0.87),
    "params": (0.72, 0.73, 0.69),
    "FLOPs": (0.69, 0.71, 0.67),
}
NUM_ARCHS = 300
NOTE = "scores of CIFAR-10 images, mean of 8 draws of the weights, against the validation accuracy"


def log_regularised(swap: Floats, params: Floats, of_all: Floats) -> Floats:
    """(N,) the logarithm of regularised SWAP, which orders archs alike and does not underflow.

    Args:
        swap: (N,) counts.
        params: (N,) of the same archs.
        of_all: (M,) params of every arch of the space.
    """
    penalty = (params - of_all.mean()) ** 2 / of_all.var()
    regularised: Floats = np.log(swap) - penalty
    return regularised


def cells(context: Context) -> list[Result]:
    """SWAP's Table IV on NAS-Bench-201, three data sets."""
    setting = context.setting(PROTOCOL, ["swap"])
    scored = context.filled(setting, context.archs(SPACE, NUM_ARCHS))
    archs = list(scored)
    swap = column(scored, archs, "swap")
    params, macs = _costs(archs, "params"), _costs(archs, "macs")
    of_all = _costs(list(context.benchmarks.space(SPACE)), "params")
    regularised = log_regularised(swap, params, of_all)
    regular = f"{NOTE}; mu and sigma are the mean and variance of the params of all archs"
    rows = []
    for number, dataset in enumerate(DATASETS):
        values = accuracy(context, archs, dataset)
        for name, scores, protocol, note in (
            ("SWAP", swap, setting.settings.name, NOTE),
            ("SWAP, regularised", regularised, setting.settings.name, regular),
            ("params", params, "counted", ""),
            ("FLOPs", macs, "counted", "multiply-adds"),
        ):
            paper = FIGURES[name][number]
            rows.append(spearman_row(TABLE, f"{name}, {dataset}", paper, scores, values, protocol, note))
        for name, scores in (("SWAP", swap), ("SWAP, regularised", regularised)):
            gain = FIGURES[name][number] - FIGURES["params"][number]
            row, protocol = f"{name} - params, {dataset}", setting.settings.name
            rows.append(paired_row(TABLE, row, round(gain, 2), scores, params, values, protocol))
    return rows


def _costs(archs: list[str], name: str) -> Floats:
    """(N,) params or macs of archs, by the definition."""
    return np.array([NB201.costs(NB201.parse(arch))[name] for arch in archs], np.float64)


TABLES = {TABLE: cells}
