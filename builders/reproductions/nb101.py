"""The tables of WRCor on NAS-Bench-101 (Jing et al., arXiv:2507.08841).

    wrcor-7     Spearman of proxies and votes with the val accuracy of 1,000 archs
    wrcor-8     random search, reinforcement learning and regularised evolution among them, by the val
                accuracy after 12 epochs, by WRCor, and by the votes ZeroCost and SJW

They need nb101 in the release, of which `builders.import_bench` reads the official file. The full one has the
trainings of 12 epochs, the other has none. A network has 128 to 512 channels, too many to score thousands of
them on a processor: the searches are among the archs that are scored, where the paper scores whatever is
asked for. DynIso, a backward pass for each class and image, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from builders.reproductions.context import Context
from builders.reproductions.results import Result, spearman_row
from builders.reproductions.scoring import Scored
from builders.reproductions.searching import Judged, ballots_of, searched, signals_of
from builders.reproductions.wrcor import all_names, rows_of
from nbzero.bench import Bench
from nbzero.errors import NothingFoundError, UsageError
from nbzero.spaces.nb101 import NB101

SPACE, DATASET = "nb101", "cifar10"
TRAINED, SHORT = "nb101-108", "nb101-12"
NUM_ARCHS = 1000

# Table 7's column of NAS-Bench-101.
CORRELATIONS: dict[str, float | None] = {
    "PNorm": 0.561,
    "PGNorm": 0.248,
    "SNIP": 0.157,
    "GraSP": 0.357,
    "SynFlow": 0.429,
    "Fisher": 0.281,
    "JacCor": 0.362,
    "EPE": 0.008,
    "Phi": 0.016,
    "Zen": 0.200,
    "BT": 0.054,
    "BndlEnt": 0.012,
    "LyDynIso": 0.486,
    "NetSens": 0.302,
    "NASWOT": 0.410,
    "ZiCo": None,
    "Params": 0.440,
    "FLOPs": 0.430,
    "ValAcc": 0.647,
    "ACor": 0.536,
    "RCor": 0.553,
    "WRCor": 0.534,
    "ZeroCost": 0.000,
    "SPW": 0.569,
    "SJW": 0.383,
}
# Table 8: val and test accuracy of what is found, percent.
FOUND = {
    "R-ValAcc": (93.92, 93.42),
    "RL-ValAcc": (94.23, 93.72),
    "RE-ValAcc": (94.28, 93.78),
    "R-WRCor": (93.82, 93.26),
    "RL-WRCor": (93.85, 93.36),
    "RE-WRCor": (93.48, 93.10),
    "R-ZeroCost": (89.00, 88.46),
    "RL-ZeroCost": (92.11, 91.37),
    "RE-ZeroCost": (85.15, 84.29),
    "R-SJW": (93.61, 93.10),
    "RL-SJW": (93.99, 93.47),
    "RE-SJW": (93.89, 93.15),
}
OPTIMUM = {"val": 95.06, "test": 94.32}
SPLITS = ("val", "test")
OF_SHORT = "one training of 12 epochs, where the paper does not say which"


def is_there(benchmarks: Bench) -> bool:
    """Whether a release has the archs and trainings that these tables are of."""
    return SPACE in benchmarks.spaces and TRAINED in benchmarks.recipes(SPACE, DATASET)


def _check_there(context: Context) -> None:
    if not is_there(context.benchmarks):
        raise UsageError(
            f"the tables wrcor-7 and wrcor-8 need {SPACE} with its trainings ({TRAINED}), which the release "
            f"of --benchmarks lacks; python -m builders.import_bench {SPACE} adds it from its official file"
        )


def table_7(context: Context) -> list[Result]:
    """Table 7: proxies and votes on NAS-Bench-101."""
    _check_there(context)
    scored, protocol = _scored(context)
    drawn = context.archs(SPACE, NUM_ARCHS)
    rows = []
    if scored:
        archs = list(scored)
        values = _accuracy(context, archs, TRAINED, "val")
        rows += rows_of("wrcor-7", CORRELATIONS, scored, archs, values, protocol)
    rows += _counts(context, drawn)
    if _has_short_runs(context):
        short, values = _accuracy(context, drawn, SHORT, "val", 0), _accuracy(context, drawn, TRAINED, "val")
        paper = CORRELATIONS["ValAcc"]
        rows.append(spearman_row("wrcor-7", "ValAcc", paper, short, values, "counted", OF_SHORT))
    return rows


def table_8(context: Context) -> list[Result]:
    """Table 8: searches on NAS-Bench-101."""
    _check_there(context)
    archs = list(context.benchmarks.space(SPACE))
    rows = []
    if _has_short_runs(context):
        signal = dict(zip(archs, _accuracy(context, archs, SHORT, "val", 0).tolist(), strict=True))
        rows += searched("wrcor-8", SPACE, "ValAcc", signal, _judged(context, archs), SHORT, OF_SHORT)
    for split in SPLITS:
        best = float(_accuracy(context, archs, TRAINED, split).max())
        row, note = f"Optimum, {split}", f"highest {split} accuracy, the mean of an arch's trainings"
        rows.append(Result("wrcor-8", row, OPTIMUM[split] / 100, best, len(archs), 1, None, "counted", note))
    scored, protocol = _scored(context)
    if not scored:
        return rows
    said = f"among {len(scored):,} archs that are drawn, where the paper scores what is asked for"
    for name, scores in signals_of(scored):
        judged, ballots = _judged(context, list(scored)), ballots_of(scored, name)
        rows += searched("wrcor-8", SPACE, name, scores, judged, protocol, said, ballots)
    return rows


def _scored(context: Context) -> tuple[Scored, str]:
    """The scores of the archs that are drawn, none where nothing is known and nothing computed."""
    setting = context.setting("std-32", all_names(), space=SPACE)
    try:
        found = context.filled(setting, context.archs(SPACE, NUM_ARCHS))
    except NothingFoundError:
        found = {}
    return found, setting.settings.name


def _judged(context: Context, archs: Sequence[str]) -> dict[str, Judged]:
    """By val and by test accuracy."""
    judged = {}
    for number, split in enumerate(SPLITS):
        values = _accuracy(context, archs, TRAINED, split).tolist()
        paper = {row: of_row[number] for row, of_row in FOUND.items()}
        judged[split] = Judged(dict(zip(archs, values, strict=True)), paper)
    return judged


def _counts(context: Context, archs: Sequence[str]) -> list[Result]:
    """Params and multiplications against the test accuracy, as in table 2."""
    values = _accuracy(context, archs, TRAINED, "test")
    costs = [NB101.costs(NB101.parse(arch)) for arch in archs]
    note = "against the test accuracy, as in table 2"
    rows = []
    for row, cost in (("Params", "params"), ("FLOPs", "macs")):
        column = [of_arch[cost] for of_arch in costs]
        rows.append(spearman_row("wrcor-7", row, CORRELATIONS[row], column, values, "counted", note))
    return rows


def _has_short_runs(context: Context) -> bool:
    return SHORT in context.benchmarks.recipes(SPACE, DATASET)


def _accuracy(
    context: Context, archs: Sequence[str], recipe: str, split: str, seed: int | None = None
) -> np.ndarray:
    """(N,) of archs: of one training, or the mean of all that an arch has."""
    columns = ["arch", f"{split}_acc"]
    seeds = "mean" if seed is None else seed
    frame = context.benchmarks.table(SPACE, columns, DATASET, recipe, seed=seeds)
    found = dict(zip(frame["arch"], frame[f"{split}_acc"].tolist(), strict=True))
    return np.array([found[arch] for arch in archs])


TABLES: dict[str, Callable[[Context], list[Result]]] = {"wrcor-7": table_7, "wrcor-8": table_8}
