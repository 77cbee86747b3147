"""SED on NAS-Bench-201 by a reconstruction (Wu et al., arXiv:2411.06236).

The paper's formula could not be recovered. This counts operations and was chosen among a few such counts to
meet what the paper tells of its results, so meeting these is no proof of anything:

    score = (number of 1x1 convolutions + 3 * number of 3x3 convolutions) * (1 + [there is a skip])
"""

from __future__ import annotations

import time

import numpy as np

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, spearman_row
from builders.reproductions.wrcor import TRAINED, accuracy
from nbzero.metrics.correlations import spearman_rho
from nbzero.spaces.nb201 import operations_of

TABLE, PROTOCOL = "sed", "counted"
# Dataset: the top pick's test accuracy and rank, and the Spearman of a value with its archs' lowest accuracy.
PUBLISHED = {
    "cifar10": (0.9436, 3, 0.89),
    "cifar100": (0.7351, 1, 0.85),
    "imagenet16-120": (0.4634, 24, 0.88),
}
SECONDS = 1.28e-4
_NOTE = "a reconstruction, not the published formula"


def reconstructed(arch: str) -> float:
    """The count of one cell."""
    operations = operations_of(arch)
    convolutions = operations.count("nor_conv_1x1") + 3 * operations.count("nor_conv_3x3")
    return float(convolutions * (1 + ("skip_connect" in operations)))


def sed(context: Context) -> list[Result]:
    """The published facts beside the reconstruction's, on all archs."""
    archs = list(context.benchmarks.space(SPACE))
    started = time.perf_counter()
    scores = np.array([reconstructed(arch) for arch in archs])
    seconds = (time.perf_counter() - started) / len(archs)
    rows = []
    for dataset, published in PUBLISHED.items():
        values = accuracy(context, archs, dataset, TRAINED, "test")
        rows += _of_dataset(dataset, published, scores, values)
    note = f"{_NOTE}; seconds on one core of this machine"
    rows.append(Result(TABLE, "seconds an arch", SECONDS, seconds, len(archs), 1, None, PROTOCOL, note))
    return rows


def _of_dataset(
    dataset: str, published: tuple[float, int, float], scores: np.ndarray, values: np.ndarray
) -> list[Result]:
    pick, place, lowest = published
    num = len(scores)
    tied = np.flatnonzero(scores == scores.max())
    best, mean = values[tied].max(), values[tied].mean()
    of_pick = int(np.argmin(abs(values[tied] - pick)))
    among = "is" if abs(values[tied][of_pick] - pick) < 6e-5 else "is not"
    note = f"{_NOTE}; mean of {len(tied)} that tie, best {best:.4f}, the published pick {among} among them"
    rows = [Result(TABLE, f"top pick, {dataset}", pick, float(mean), num, 1, None, PROTOCOL, note)]
    places = [float((values > value).sum() + 1) for value in values[tied]]
    note = f"{_NOTE}; mean rank of those that tie, {min(places):.0f} to {max(places):.0f}"
    rows.append(
        Result(
            TABLE, f"rank of the pick, {dataset}", place, float(np.mean(places)), num, 1, None, PROTOCOL, note
        )
    )
    levels = np.unique(scores)
    floor = [values[scores == level].min() for level in levels]
    rho = spearman_rho(levels, floor)
    note = f"{_NOTE}; over its {len(levels)} values"
    rows.append(
        Result(TABLE, f"lowest accuracy, {dataset}", lowest, rho, len(levels), 1, None, PROTOCOL, note)
    )
    rows.append(spearman_row(TABLE, f"Spearman, {dataset}", None, scores, values, PROTOCOL, _NOTE))
    return rows


TABLES = {TABLE: sed}
