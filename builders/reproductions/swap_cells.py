"""SWAP's Table IV on NAS-Bench-201 (Peng et al., arXiv:2605.07378): plain and regularised.

Regularised is times exp(-(P - mu)^2 / sigma), with P the params of a network. The paper gives no mu and sigma
for this space, and the result hangs on them. Two choices are here, neither made with an accuracy:

    the mean and the variance of P over all archs
    the largest P for both, with P in millions: the paper has mu = sigma in its searches

The second fits the paper's own table, in which params times this factor correlate as params do (.72, .73,
.69). So the factor grows with P, and mu is not below the largest P.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, joined, paired_row, spearman_row
from builders.reproductions.wrcor import accuracy, column
from nbzero.spaces.nb201 import NB201

Floats = npt.NDArray[np.float64]
TABLE, PROTOCOL = "swap-nb201", "std-32"
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
FIGURES = {
    "SWAP": (0.79, 0.81, 0.76),
    "SWAP, regularised": (0.88, 0.90, 0.87),
    "SWAP, regularised by the largest": (0.88, 0.90, 0.87),
    # The paper's table has the same for regularised params and FLOPs.
    "params": (0.72, 0.73, 0.69),
    "FLOPs": (0.69, 0.71, 0.67),
}
NUM_ARCHS = 1000
MILLION = 1e6
NOTE = "scores of CIFAR-10 images, mean of 8 draws of the weights, against the validation accuracy"
MEAN = f"{NOTE}; mu and sigma are the mean and variance of the params of all archs"
LARGEST = f"{NOTE}; mu and sigma are the params of the largest arch, in millions"


def log_regularised(scores: Floats, params: Floats, mu: float, sigma: float) -> Floats:
    """(N,) the logarithm of a regularised score, which orders archs alike and does not underflow.

    Args:
        scores: (N,) above 0: SWAP, params or FLOPs.
        params: (N,) of the same archs.
        mu: in the unit of `params`.
        sigma: in its square.
    """
    regularised: Floats = np.log(scores) - (params - mu) ** 2 / sigma
    return regularised


def cells(context: Context) -> list[Result]:
    """SWAP's Table IV on NAS-Bench-201, three data sets."""
    setting = context.setting(PROTOCOL, ["swap"])
    protocol = setting.settings.name
    scored = context.filled(setting, context.archs(SPACE, NUM_ARCHS))
    archs = list(scored)
    swap = column(scored, archs, "swap")
    params, macs = _costs(archs, "params"), _costs(archs, "macs")
    of_all = _costs(list(context.benchmarks.space(SPACE)), "params")
    by_mean = log_regularised(swap, params, of_all.mean(), of_all.var())
    largest = of_all.max() / MILLION
    by_largest = log_regularised(swap, params / MILLION, largest, largest)
    of_swap = (
        ("SWAP", swap, NOTE),
        ("SWAP, regularised", by_mean, MEAN),
        ("SWAP, regularised by the largest", by_largest, LARGEST),
    )
    of_costs = []
    for name, counts, note in (("params", params, ""), ("FLOPs", macs, "multiply-adds")):
        of_costs.append((name, counts, name, note))
        for ending, mu, sigma, said in (
            ("regularised", of_all.mean(), of_all.var(), MEAN),
            ("regularised by the largest", largest * MILLION, largest * MILLION**2, LARGEST),
        ):
            changed = log_regularised(counts, params, mu, sigma)
            of_costs.append((f"{name}, {ending}", changed, name, joined(note, said.partition("; ")[2])))
    rows = []
    for number, dataset in enumerate(DATASETS):
        values = accuracy(context, archs, dataset)
        for name, scores, note in of_swap:
            paper, row = FIGURES[name][number], f"{name}, {dataset}"
            rows.append(spearman_row(TABLE, row, paper, scores, values, protocol, note))
            gain, row = paper - FIGURES["params"][number], f"{name} - params, {dataset}"
            rows.append(paired_row(TABLE, row, round(gain, 2), scores, params, values, protocol))
        for name, counts, cost, note in of_costs:
            paper, row = FIGURES[cost][number], f"{name}, {dataset}"
            rows.append(spearman_row(TABLE, row, paper, counts, values, "counted", note))
    return rows


def _costs(archs: list[str], name: str) -> Floats:
    """(N,) params or macs of archs, by the definition."""
    return np.array([NB201.costs(NB201.parse(arch))[name] for arch in archs], np.float64)


TABLES = {TABLE: cells}
