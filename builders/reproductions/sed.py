"""SED on cells by a reconstruction (Wu et al., arXiv:2411.06236).

The paper's formula could not be recovered. This counts operations and was chosen among a few such counts to
meet what the paper tells of its results on NAS-Bench-201, so meeting these is no proof of anything:

    score = (number of 1x1 convolutions + 3 * number of 3x3 convolutions) * (1 + [there is a skip])

Elsewhere a convolution counts the side of its kernel too. One of DARTS that is dilated has a depthwise and a
1x1 one, a separable one has both twice. `nbzero.spaces.sed.sed_of_cell` is the same for NAS-Bench-201. The
proxy `sed_reconstructed` is another form: a logarithm of a sum over a network's convolutions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from builders.reproductions.context import SPACE, Context
from builders.reproductions.results import Result, spearman_row
from builders.reproductions.wrcor import TRAINED, accuracy
from nbzero.metrics.correlations import spearman_rho
from nbzero.spaces.darts import DARTS, DARTS_OPERATIONS
from nbzero.spaces.sed import sed_of_cell
from nbzero.spaces.transnas import TRANSNAS_MICRO

TABLE, PROTOCOL = "sed", "counted"
# Dataset: the top pick's test accuracy and rank, and the Spearman of a value with its archs' lowest accuracy.
PUBLISHED = {
    "cifar10": (0.9436, 3, 0.89),
    "cifar100": (0.7351, 1, 0.85),
    "imagenet16-120": (0.4634, 24, 0.88),
}
SECONDS = 1.28e-4
DARTS_FIGURE = 0.61  # of 2,000 archs, their accuracies predicted by NAS-Bench-301
_NOTE = "a reconstruction, not the published formula"
_SIDES = {"skip": (), "conv 1x1": (1,), "conv 3x3": (3,), "none": ()}


def sed_of_micro(arch: str) -> float:
    """The count of a cell of TransNAS-Bench-101."""
    operations = [
        choice.options[value]
        for choice, value in zip(TRANSNAS_MICRO.choices, TRANSNAS_MICRO.parse(arch), strict=True)
    ]
    return _counted([side for name in operations for side in _SIDES[name]], "skip" in operations)


def sed_of_darts(arch: str) -> float:
    """The count of a cell of DARTS."""
    operations = [DARTS_OPERATIONS[value] for value in DARTS.parse(arch)[::2]]
    sides: list[int] = []
    for name in operations:
        if "conv" in name:
            repeats = 2 if name.startswith("sep") else 1
            sides += repeats * [int(name[-1]), 1]
    return _counted(sides, "skip_connect" in operations)


def _counted(sides: Sequence[int], has_skip: bool) -> float:
    return float(sum(sides) * (1 + has_skip))


def sed(context: Context) -> list[Result]:
    """The published facts beside the reconstruction's, on all archs; Spearman on TransNAS and DARTS."""
    archs = list(context.benchmarks.space(SPACE))
    started = time.perf_counter()
    scores = np.array([sed_of_cell(arch) for arch in archs])
    seconds = (time.perf_counter() - started) / len(archs)
    rows = []
    for dataset, published in PUBLISHED.items():
        values = accuracy(context, archs, dataset, TRAINED, "test")
        rows += _of_dataset(dataset, published, scores, values)
    note = f"{_NOTE}; seconds on one core of this machine"
    rows.append(Result(TABLE, "seconds an arch", SECONDS, seconds, len(archs), 1, None, PROTOCOL, note))
    return rows + _of_other_spaces(context)


def _of_other_spaces(context: Context) -> list[Result]:
    """Those that the release of the benchmarks has."""
    rows = []
    spaces = context.benchmarks.spaces
    if TRANSNAS_MICRO.name in spaces:
        for task in context.benchmarks.datasets(TRANSNAS_MICRO.name):
            rows.append(_spearman(context, TRANSNAS_MICRO.name, task, None, _NOTE))
    if DARTS.name in spaces:
        note = f"{_NOTE}; 1,000 trained cells, where the paper has 2,000 archs and predicted accuracies"
        rows.append(_spearman(context, DARTS.name, "cifar10", DARTS_FIGURE, note))
    return rows


def _spearman(context: Context, space: str, dataset: str, paper: float | None, note: str) -> Result:
    score = sed_of_darts if space == DARTS.name else sed_of_micro
    frame = context.benchmarks.table(space, ["arch", "val_acc"], dataset=dataset)
    scores = [score(arch) for arch in frame["arch"]]
    row = f"Spearman, {space}, {dataset}"
    return spearman_row(TABLE, row, paper, scores, frame["val_acc"], PROTOCOL, note)


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
