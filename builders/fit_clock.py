"""Measure and fit the modelled clock: python -m builders.fit_clock [--images PATH]

With images it measures how long one core takes to train, evaluate and score networks of all six spaces. The
rows go to `builders/clock.csv`. What is there is not measured again. From all rows it then fits the model of
`nbzero.search.clock`, and writes it with its errors to `nbzero/search/clock.json`. Without images it only
fits.

Measured is the CPU time of this process with one thread, so that other processes disturb it little. It may be
stopped at any moment: the same command goes on where it was.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from builders.work.base import members_of_space
from builders.work.command import parser_of, say_errors
from builders.work.local import tune_process
from builders.work.origin import builder_commit, device_name, software
from nbzero.errors import NothingFoundError
from nbzero.files import write_whole
from nbzero.images.tensors import ImageData, load
from nbzero.networks.build import build_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.protocol import PROTOCOLS, batch_of, row_of_scores
from nbzero.release.schema import PASSES
from nbzero.search import clock
from nbzero.spaces.macro import CHOICES, Arch, macs
from nbzero.spaces.published import standard_protocol
from train import loop
from train.recipe import Recipe, recipe

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "builders" / "clock.csv"
ORIGIN = ROOT / "builders" / "clock-origin.json"
DATASET, NUM_CLASSES = "cifar10", 10
RECIPE = "cpu-16px-4"  # an image costs as much in cpu-16px-12
FIELDS = ("space", "arch", "what", "seconds")
TRAINED, SCORED = 20, 5  # networks of a space
FIRST = 400  # of the build order, among which they are chosen
REPEATS = 3  # of each measurement; the least counts
SPENT_S = 0.35  # about so long one of them is
LONG_S = 1.0  # after so long it is not repeated again

Key = tuple[str, str, str]  # space, arch, what


# Measuring


def chosen(space: str, number: int) -> list[str]:
    """Members whose macs are spread evenly on a log scale, from the smallest to the largest."""
    left = {arch: math.log(macs(arch)) for arch in members_of_space(space)[:FIRST]}
    low, high = min(left.values()), max(left.values())
    picked = []
    for i in range(number):
        target = low + (high - low) * i / (number - 1)
        nearest = min(left, key=lambda arch: abs(left[arch] - target))
        picked.append(nearest)
        del left[nearest]
    return picked


def turns(number: int) -> Iterator[tuple[str, str]]:
    """So many networks of each space, small and large ones, the spaces in turn.

    So a slow hour of the machine meets all of them alike.
    """
    picked = {space: chosen(space, number) for space in CHOICES}
    for i in range(number):
        for space, archs in picked.items():
            yield space, archs[i * 7 % number]  # 7 is prime to both numbers


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least CPU time of some repetitions."""
    taken: list[float] = []
    while len(taken) < REPEATS and sum(taken) < LONG_S:
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def cut(data: ImageData, num_train: int, num_other: int) -> ImageData:
    """The first images of each split."""
    return dataclasses.replace(
        data,
        train_images=data.train_images[:num_train],
        train_labels=data.train_labels[:num_train],
        train_index=data.train_index[:num_train],
        val_images=data.val_images[:num_other],
        val_labels=data.val_labels[:num_other],
        test_images=data.test_images[:num_other],
        test_labels=data.test_labels[:num_other],
    )


def training_seconds(arch: str, data: ImageData, of: Recipe) -> dict[str, float]:
    """Seconds of one image, trained and evaluated, by the project's own loop.

    Two lengths of training are subtracted, so that what a run costs once is left out.
    """
    import torch

    one_epoch = dataclasses.replace(of, epochs=1)

    def train(steps: int) -> None:
        loop.train(arch, cut(data, steps * of.batch, 1), one_epoch, 0)

    train(2)  # the first of each shape prepares kernels
    short = cpu_seconds(partial(train, 1))
    there = len(data.train_labels) // of.batch
    more = min(max(2, math.ceil(SPENT_S / short)), there - 1)
    trained = (cpu_seconds(partial(train, 1 + more)) - short) / more / of.batch
    net = build_net(arch, NUM_CLASSES, 0).to(memory_format=torch.channels_last)
    some = cut(data, 1, loop.EVAL_BATCH)
    precision = of.precision[CHOICES[Arch.parse(arch).space].family]
    evaluate = partial(loop.accuracy, net, some.val_images, some.val_labels, some, precision)
    evaluate()
    return {"train": trained, "eval": cpu_seconds(evaluate) / loop.EVAL_BATCH}


def scoring_seconds(arch: str, protocol_name: str, data: ImageData) -> dict[str, float]:
    """Seconds of each pass on its own, with all proxies that it serves."""
    protocol = PROTOCOLS[protocol_name]
    batch = batch_of(protocol, data, 0)
    found = {}
    for made_by in PASSES:
        names = [name for name, row in PROXIES.items() if row.timed_as == made_by]
        found[made_by] = cpu_seconds(partial(row_of_scores, arch, 0, protocol, batch, NUM_CLASSES, names))
    return found


def measured() -> dict[Key, float]:
    """What `clock.csv` holds: seconds of one image trained or evaluated, or of a pass over a batch."""
    if not MEASURED.exists():
        return {}
    with MEASURED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["space"], row["arch"], row["what"]): float(row["seconds"]) for row in rows}


def measure(images: str) -> None:
    """Add what is missing, network by network."""
    tune_process()
    there = measured()
    few = load(DATASET, images, 16, recipe(RECIPE).train_images)
    data = {f"std-{size}": load(DATASET, images, size) for size in (16, 32)}
    if not there:
        _add([FIELDS])
    for space, arch in turns(TRAINED):
        if (space, arch, "train") not in there:
            _keep(space, arch, training_seconds(arch, few, recipe(RECIPE)))
    for space, arch in turns(SCORED):
        if (space, arch, "trace") not in there:
            protocol = standard_protocol(space)
            _keep(space, arch, scoring_seconds(arch, protocol, data[protocol]))
    origin = {
        "device": device_name("cpu"),
        "software": software(),
        "commit": builder_commit(),
        "date": time.strftime("%Y-%m-%d"),
        "settings": f"{DATASET}, {RECIPE}; std-16 of the mini spaces, std-32 of the others",
    }
    write_whole(ORIGIN, (json.dumps(origin, indent=2) + "\n").encode())


def _keep(space: str, arch: str, seconds: dict[str, float]) -> None:
    _add((space, arch, what, f"{taken:.4g}") for what, taken in seconds.items())
    said = ", ".join(f"{what} {taken:.3g}" for what, taken in seconds.items())
    print(f"{arch}: {said} s", flush=True)


def _add(rows: Any) -> None:
    with MEASURED.open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


# Fitting


def fit(sizes_NK: npt.NDArray[np.float64], seconds_N: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(K,) the coefficients, none below 0, with the least sum of squared relative errors."""
    relative = sizes_NK / seconds_N[:, None]
    scale = relative.max(axis=0)
    found, _ = nnls(relative / scale, np.ones(len(seconds_N)))
    return np.asarray(found / scale)


def fit_of(sizes_NK: npt.NDArray[np.float64], seconds_N: npt.NDArray[np.float64]) -> dict[str, Any]:
    """A fit, with the errors for networks that are left out of it, one at a time."""
    number = len(seconds_N)
    predicted = np.empty(number)
    for i in range(number):
        others = np.arange(number) != i
        predicted[i] = sizes_NK[i] @ fit(sizes_NK[others], seconds_N[others])
    error = np.abs(predicted / seconds_N - 1)
    log_s, log_predicted = np.log(seconds_N), np.log(predicted)
    unexplained = ((log_predicted - log_s) ** 2).sum() / ((log_s - log_s.mean()) ** 2).sum()
    coefficients = fit(sizes_NK, seconds_N).tolist()
    return {
        "num_archs": number,
        "r2": round(1 - unexplained, 4),
        "median_error": round(float(np.median(error)), 4),
        "max_error": round(float(error.max()), 4),
        "coefficients": {name: float(f"{c:.6g}") for name, c in zip(clock.SIZES, coefficients, strict=True)},
    }


def fits(rows: dict[Key, float]) -> dict[str, dict[str, Any]]:
    """The fit of everything that is charged, by what it is and by block."""
    found: dict[str, dict[str, Any]] = {}
    for what in ("train", "eval", *PASSES):
        found[what] = {}
        for block in dict.fromkeys(choices.family for choices in CHOICES.values()):
            sizes, seconds = [], []
            for (space, arch, of), taken in rows.items():
                if of == what and CHOICES[space].family == block:
                    sizes.append(clock.sizes(Arch.parse(arch), resolution_of(what, space), NUM_CLASSES))
                    seconds.append(taken)
            found[what][block] = fit_of(np.array(sizes, float), np.array(seconds))
    return found


def resolution_of(what: str, space: str) -> int:
    """The side of the images that something was measured with."""
    if what in ("train", "eval"):
        return clock.RECIPES[RECIPE].resolution
    return clock.PROTOCOLS[standard_protocol(space)]


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--images", help="as of builders.train_shard; left out: only fit what was measured")
    given = parser.parse_args(argv)
    if given.images:
        measure(given.images)
    rows = measured()
    if not rows or not ORIGIN.exists():
        raise NothingFoundError(f"nothing is measured yet in {MEASURED}; run again with --images")
    made = {"made_by": json.loads(ORIGIN.read_text()), "fits": fits(rows)}
    write_whole(clock.FITTED, (json.dumps(made, indent=1) + "\n").encode())
    clock.fitted.cache_clear()
    print(clock.quality())


if __name__ == "__main__":
    sys.exit(main())
