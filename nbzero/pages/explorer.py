"""The explorer: every arch of a space as a point, accuracy over any cost or score.

The page carries what the release has of every arch: costs, raw scores, val accuracies, curves, predictions.
It judges scores of the reader's as `nbzero.judge.evaluate` does, on the pool of measured archs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import nbzero
from nbzero.judge.pool import ACCURACY, Pool, Sample
from nbzero.pages.packed import Packed
from nbzero.pages.page import write_page
from nbzero.pages.shared import (
    Found,
    asked_pools,
    doubtful_in_words,
    is_lower_better,
    latencies_once,
    latency_in_words,
    noise_in_words,
    notes_of_all,
    protocol_in_words,
    proxy_in_words,
    sources_in_words,
    split_in_words,
)
from nbzero.plots.words import UNITS, metric_unit
from nbzero.release.latencies import LATENCY
from nbzero.release.opened import COSTS, split_column
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED, doubt_notes
from nbzero.surrogate import predicted_column
from nbzero.text import MARK

if TYPE_CHECKING:
    from nbzero.bench import Bench
    from nbzero.release.opened import Split

NAME = "explorer"
SCALE = 100_000  # curves and predictions are rounded to whole numbers of 1 / SCALE
_PREDICTED = (
    "Predicted: by a Gaussian process fitted on {num_runs} runs of {num_archs} networks (data {version}). A "
    "prediction is no measurement: it has another shape and colour, and nothing is judged by it."
)


def write_explorer(
    bench: Bench,
    out_dir: str | os.PathLike[str],
    spaces: Iterable[str] | None = None,
    split: Split = "val",
) -> Path:
    """Write OUT_DIR/explorer.html, self-contained, and return its path; needs vl-convert-python.

    Every recipe of every data set of the spaces can be chosen (seed 0). The page has about 0.4 MB of chart
    library; of the shipped release it has less than 3 MB in all. Scores and accuracies are exact; curves and
    predictions are rounded to 0.00001.

    Args:
        out_dir: a folder, made where there is none. An explorer.html that this function wrote is replaced,
            whole or not at all.
        spaces: names; None is every space that has an accuracy of the split.
        split: "val", or "test" for the final judgement, without predictions, which are of val.

    Raises:
        UnknownNameError: a space that the release does not have.
        NothingFoundError: no accuracy of that split in the spaces, or neither scores nor costs.
        UsageError: no space named, another split.
        OutputError: `out_dir` is a file, holds an explorer.html that is none of ours, or cannot be written.
        ReleaseError, MissingPackageError: as `asked_pools`.
    """
    path, found = asked_pools(bench, out_dir, NAME, spaces, split)
    write_page(path, _content(bench, found, split))
    return path


def _content(bench: Bench, found: Found, split: Split) -> dict[str, Any]:
    """Everything that the page shows."""
    packed = Packed()
    pools = [_pool_content(bench, pool, packed) for pool in found.pools]
    of_all = notes_of_all(bench, found, split)
    proxies: dict[str, str] = {}
    units = dict(UNITS)
    for pool in pools:
        pool["notes"] += of_all
        for name in pool["scores"]:
            proxies[name] = proxy_in_words(name)
        for name in pool["latencies"]:
            proxies[name] = latency_in_words(name)
            units[name] = UNITS[LATENCY]
    release = f"data version {bench.version} (manifest {bench.sha256[:12]})"
    return {
        "about": f"An explorer of nbzero {nbzero.__version__} on {release}, {split} split. This page is one "
        "file and fetches nothing. What you drop on it stays in it.",
        "pools": pools,
        "packed": packed.all(),
        "scale": SCALE,
        "proxies": proxies,
        "units": units,
        "mark": MARK,
    }


def _pool_content(bench: Bench, pool: Pool, packed: Packed) -> dict[str, Any]:
    """One space, data set and recipe: all archs of the space, and which of them are the pool."""
    sample: Sample = bench.sample(pool.space, pool.dataset, pool.recipe, orient=False, split=_split(pool))
    latencies = latencies_once(sample.latency_costs)
    scores = {}
    for name, values in {**sample.targets, **sample.costs}.items():
        if name != ACCURACY and name not in sample.unscored:
            scores[name] = packed.numbers(values)
    return {
        "space": pool.space,
        "dataset": pool.dataset,
        "recipe": pool.recipe,
        "split": pool.split,
        "metric": pool.metric,
        "metric_unit": metric_unit(pool.metric),
        "protocol": pool.protocol,
        "size": len(sample),
        "num_measured": len(pool),
        "archs": packed.lines(sample.archs),
        "costs": {name: scores[name] for name in COSTS if name in sample.costs},
        "latencies": {name: packed.numbers(values) for name, values in latencies.items()},
        "scores": scores,
        "lower": [name for name in scores if is_lower_better(name)],
        "has_stages": pool.space in CHOICES,
        "choices": _choices(sample, packed) if pool.space in IMPORTED else {},
        "accuracy": packed.numbers(sample.targets[ACCURACY]),
        "judged": packed.numbers(pool.arch_ids),
        "predicted": _predictions(bench, pool, packed),
        "runs": _runs(bench, pool, packed),
        "doubtful": doubtful_in_words(pool, scores),
        "doubts": doubt_notes(pool.space, scores, pool.dataset),
        "notes": _notes(bench, pool, sample),
    }


def _split(pool: Pool) -> Split:
    return "test" if pool.split == "test" else "val"


def _choices(sample: Sample, packed: Packed) -> dict[str, Any]:
    """What an arch of a published space chooses: numbers, and the names of those that have names."""
    found = {}
    for name, values in sample.features.items():
        options = list(sample.categories.get(name, ()))
        found[name] = {"numbers": packed.numbers(values), "options": options}
    return found


def _predictions(bench: Bench, pool: Pool, packed: Packed) -> dict[str, Any] | None:
    """The predictions of every arch, and what they were fitted on; None where there are none."""
    opened = bench.release.space(pool.space)
    if pool.split != "val" or pool.recipe not in opened.named("surrogates", pool.dataset):
        return None
    found: dict[str, Any] = {}
    for name in ("mean", "sd_mean", "sd_run"):
        values = predicted_column(opened, pool.dataset, pool.recipe, name)
        found[name] = packed.numbers(_rounded(values))
    surrogate = bench.surrogate(pool.space, pool.dataset, pool.recipe)
    fitted = {"num_archs": surrogate.num_archs, "num_runs": surrogate.num_runs, "version": surrogate.version}
    return found | {"words": _PREDICTED.format(**fitted)}


def _runs(bench: Bench, pool: Pool, packed: Packed) -> dict[str, tuple[int, int]]:
    """Every run of every seed: its arch, seed, accuracy, epochs, and all curves joined."""
    column = split_column(pool.split)
    table = bench.table(pool.space, ["arch", "seed", column, "curve"], pool.dataset, pool.recipe, seed="all")
    curves = [np.zeros(0) if curve is None else np.asarray(curve, float) for curve in table["curve"]]
    return {
        "arch": packed.numbers(np.asarray(table.arch_ids)),
        "seed": packed.numbers(table["seed"]),
        "accuracy": packed.numbers(table[column]),
        "epochs": packed.numbers([len(curve) for curve in curves]),
        "curves": packed.numbers(_rounded(np.concatenate([np.zeros(0), *curves]))),
    }


def _rounded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.round(np.asarray(values, np.float64) * SCALE)


def _notes(bench: Bench, pool: Pool, sample: Sample) -> list[str]:
    """What a point of this page rests on, in plain words."""
    measured = f"a {pool.split} {pool.metric} on {pool.dataset} with recipe {pool.recipe}, seed 0"
    notes = [
        f"N = {len(pool):,} measured: archs of {pool.space} that have {measured}; the space has "
        f"{pool.num_members:,} archs.",
        f"The {pool.metric} is of the {pool.split} split{split_in_words(pool)}",
        f"{noise_in_words(pool)}. A difference below the noise means nothing.",
        f"Scores: {protocol_in_words(pool)}, seed 0, as computed, signs untouched. The rank of an arch is "
        "how many archs of the space with a score have a better one; 0 is best.",
        *filter(None, [sample.cost_note(name) for name in latencies_once(sample.latency_costs)]),
        *doubt_notes(pool.space, pool.scores, pool.dataset),
    ]
    if sample.unscored:
        lacking = "; ".join(map(sample.why_unscored, sample.unscored))
        notes.append(f"Not on the axis, because no arch of the space has a score: {lacking}.")
    if pool.space in IMPORTED:
        notes += sources_in_words(bench, pool)
    return notes
