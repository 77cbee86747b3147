"""The clocks of a simulated search: how many seconds a training or a scoring is charged.

    modelled    what one core without other work would take, by the network's size
    recorded    what the release says that it took, on machines that had other work
    none        nothing: queries are counted, no time

The modelled clock answers for every arch of the six macro spaces, trained or not. Of one image it says

    seconds = sum over k of c_k x_k      x: the SIZES of the network,  c_k >= 0

with own numbers c for each block (r1, r2, mb), and for training, evaluating and every scoring pass. They are
fitted to CPU time that was measured on one core. They lie in `clock.json` with their errors and origin, and
`python -m builders.fit_clock` makes them. A training is

    epochs x train images x seconds of training  +  (epochs x val + test) images x seconds of evaluating

Loading the images and building the network are left out of it. A scoring pass is of one batch, and builds the
network.

The recorded clock charges an arch of which it has no time the median of what it has. So every query advances
either clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from nbzero.errors import NothingFoundError, UsageError
from nbzero.frame import Frame
from nbzero.images.facts import dataset as facts_of
from nbzero.release.opened import Kind, Opened, OpenedSpace
from nbzero.release.record import Record
from nbzero.spaces.macro import CHOICES, EXPANSION, KEPT_ARCHS, SQUEEZE, Arch, as_arch, macs, params

ClockName = Literal["modelled", "recorded", "none"]
CLOCKS: tuple[ClockName, ...] = ("modelled", "recorded", "none")
SIZES = ("macs", "values", "params", "layers", "one")
FITTED = Path(__file__).with_name("clock.json")


class Charge(NamedTuple):
    """Seconds that a query is charged.

    Attributes:
        by: "modelled"; "recorded"; "median" where nothing is recorded of it; "none".
    """

    seconds: float
    by: str


class Clock(Protocol):
    """What a search is charged by."""

    name: ClockName

    def training(self, arch: str, seed: int) -> Charge:
        """Of one training."""

    def scoring(self, arch: str, made_by: str, seed: int) -> Charge:
        """Of one pass: a name of `nbzero.release.schema.PASSES`."""


class _Work(NamedTuple):
    """What a training's time depends on beside the network: the numbers of `train.recipe`."""

    epochs: int
    batch: int
    train_images: int | None
    resolution: int


# Recipes whose image costs what was measured: one core, 16x16, batches of 128.
RECIPES = {"cpu-16px-4": _Work(4, 128, 25_000, 16), "cpu-16px-12": _Work(12, 128, None, 16)}
# Protocols whose batch costs what was measured, and the side of their images.
PROTOCOLS = {
    base + ending: int(base.removeprefix("std-"))
    for base in ("std-16", "std-32")
    for ending in ("", "-uniform", "-normal", "-n01", "-noise")
}


def is_modelled(space: str, recipe: str | None) -> bool:
    """Whether the modelled clock knows a space and recipe."""
    return space in CHOICES and recipe in RECIPES


def sizes(arch: Arch, resolution: int, num_classes: int) -> tuple[float, ...]:
    """The SIZES of a network, for one image of so many pixels a side.

    macs      multiply-adds
    values    numbers that the convolutions put out
    params    trainable numbers
    layers    convolutions
    one       1
    """
    values_of = _VALUES[CHOICES[arch.space].family]
    side, width = resolution, arch.stem
    values, layers = width * side * side, 1
    for depth, out, stride in arch.stages:
        entered = side * side
        side = (side + stride - 1) // stride
        left = side * side
        first = values_of(width, out, stride, entered, left)
        rest = values_of(out, out, 1, left, left)
        values += first[0] + (depth - 1) * rest[0]
        layers += first[1] + (depth - 1) * rest[1]
        width = out
    return (macs(arch, resolution, num_classes), values, params(arch, num_classes), layers, 1.0)


_sizes = lru_cache(maxsize=KEPT_ARCHS)(sizes)  # of one network for several passes


def _values_r1(width: int, out: int, stride: int, entered: int, left: int) -> tuple[int, int]:
    """(values, convolutions) of a block that is entered with so many pixels, and left with so many."""
    projected = int(stride != 1 or width != out)
    return (2 + projected) * out * left, 2 + projected


def _values_r2(width: int, out: int, stride: int, entered: int, left: int) -> tuple[int, int]:
    projected = int(stride != 1 or width != out)
    inner = out // SQUEEZE
    return inner * entered + inner * left + (1 + projected) * out * left, 3 + projected


def _values_mb(width: int, out: int, stride: int, entered: int, left: int) -> tuple[int, int]:
    hidden = EXPANSION * width
    return hidden * entered + (hidden + out) * left, 3


_VALUES: dict[str, Callable[[int, int, int, int, int], tuple[int, int]]] = {
    "r1": _values_r1,
    "r2": _values_r2,
    "mb": _values_mb,
}


@cache
def fitted() -> dict[str, Any]:
    """What `clock.json` holds.

    `made_by` says from where; `fits[what][block]` has coefficients by size, and num_archs, r2, median_error
    and max_error of networks left out of the fit, one at a time.
    """
    found: dict[str, Any] = json.loads(FITTED.read_text())
    return found


def quality() -> Frame:
    """How well the modelled clock fits: a row for each block, and training, evaluating or scoring pass.

    Columns what, block, num_archs; r2 (of log seconds), median_error and max_error (relative). All are of
    networks that were left out of the fit, one at a time.
    """
    rows = []
    for what, blocks in fitted()["fits"].items():
        for block, fit in blocks.items():
            row = {name: value for name, value in fit.items() if name != "coefficients"}
            rows.append({"what": what, "block": block, **row})
    made_by = fitted()["made_by"]
    note = ", ".join(f"{name}: {value}" for name, value in made_by.items())
    return Frame.of(rows, "The modelled clock: seconds of one core", [f"Measured: {note}."])


class ModelledClock:
    """Seconds of one core without other work, the same for all seeds.

    Args:
        space, dataset, recipe, protocol: of what is trained and scored.

    Raises:
        UsageError: a space, recipe or protocol that it was not fitted for.
    """

    name: ClockName = "modelled"

    def __init__(self, space: str, dataset: str, recipe: str, protocol: str | None) -> None:
        if not is_modelled(space, recipe):
            raise UsageError(
                f"no modelled clock for {space} with recipe {recipe}: it was fitted for "
                f"{', '.join(CHOICES)} with {', '.join(RECIPES)}; take clock='recorded' where the release "
                "has times, or clock='none' and max_queries"
            )
        if protocol not in PROTOCOLS:
            raise UsageError(
                f"no modelled clock for protocol {protocol}: it was fitted for {', '.join(PROTOCOLS)}; take "
                "clock='recorded'"
            )
        self._block = CHOICES[space].family
        self._facts = facts_of(dataset)
        self._work = RECIPES[recipe]
        self._scored_at = PROTOCOLS[protocol]
        self._known: dict[tuple[str, str], float] = {}

    def training(self, arch: str, seed: int) -> Charge:
        train_images, eval_images = images_of(self._work, self._facts.num_train, self._facts.num_test)
        trained = self._seconds("train", arch, self._work.resolution)
        evaluated = self._seconds("eval", arch, self._work.resolution)
        return Charge(train_images * trained + eval_images * evaluated, self.name)

    def scoring(self, arch: str, made_by: str, seed: int) -> Charge:
        return Charge(self._seconds(made_by, arch, self._scored_at), self.name)

    def _seconds(self, what: str, arch: str, resolution: int) -> float:
        key = (what, arch)
        if key not in self._known:
            coefficients = fitted()["fits"][what][self._block]["coefficients"]
            x = _sizes(as_arch(arch), resolution, self._facts.num_classes)
            terms = (coefficients[name] * size for name, size in zip(SIZES, x, strict=True))
            self._known[key] = sum(terms)
        return self._known[key]


def images_of(work: _Work, num_train: int, num_test: int) -> tuple[int, int]:
    """How many images a training passes forward and back, and how many forward alone.

    Args:
        num_train, num_test: official images of the data set. A tenth of the former is val.

    >>> images_of(RECIPES["cpu-16px-4"], num_train=50_000, num_test=10_000)
    (99840, 30000)
    """
    num_val = num_train // 10
    there = num_train - num_val
    used = there if work.train_images is None else min(work.train_images, there)
    whole_batches = used - used % work.batch
    return work.epochs * whole_batches, work.epochs * num_val + num_test


class RecordedClock:
    """What the release says that a training or a pass took.

    Where it does not say, as of an arch that was not trained, it is the median of what it says of others.

    Raises:
        NothingFoundError: the release has no time of any training.
    """

    name: ClockName = "recorded"

    def __init__(
        self, release: Opened, opened: OpenedSpace, dataset: str, recipe: str, protocol: str | None
    ) -> None:
        self._release, self._opened = release, opened
        self._dataset, self._recipe, self._protocol = dataset, recipe, protocol
        self._medians: dict[tuple[Kind, str], float] = {}
        self._median("runs", "train_time_s", recipe)

    def training(self, arch: str, seed: int) -> Charge:
        run = None
        record = self._record(arch)
        if record is not None:
            run = record.run(self._dataset, self._recipe, seed)
        if run is not None and run.train_time_s is not None:
            return Charge(run.train_time_s, self.name)
        return Charge(self._median("runs", "train_time_s", self._recipe), "median")

    def scoring(self, arch: str, made_by: str, seed: int) -> Charge:
        scores = None
        record = self._record(arch)
        if record is not None:
            scores = record.scores(self._dataset, self._protocol, seed)
        seconds = scores.seconds.get(made_by) if scores else None
        if seconds is not None:
            return Charge(seconds, self.name)
        return Charge(self._median("scores", f"{made_by}_s", self._protocol), "median")

    def _record(self, arch: str) -> Record | None:
        arch_id = self._opened.ids.get(arch)
        return None if arch_id is None else Record(self._release, self._opened, arch_id)

    def _median(self, kind: Kind, column: str, name: str | None) -> float:
        """Of all archs and seeds of a recipe or protocol."""
        key = (kind, column)
        if key not in self._medians:
            table = f"{kind}/{self._dataset}"
            there = [np.empty(0)]
            for (other, _), group in self._opened.groups(table).items():
                if other == name:
                    values = np.asarray(self._opened.numbers(table, column), np.float64)
                    there.append(values[group.start : group.stop])
            known = np.concatenate(there)
            known = known[~np.isnan(known)]
            if not len(known):
                raise NothingFoundError(
                    f"the release has no {column} of {self._opened.name} on {self._dataset} with {name}, so "
                    "clock='recorded' has nothing to charge; take another clock, or clock='none' and "
                    "max_queries"
                )
            self._medians[key] = float(np.median(known))
        return self._medians[key]


class NoClock:
    """No time: every query is charged 0 seconds."""

    name: ClockName = "none"

    def training(self, arch: str, seed: int) -> Charge:
        return Charge(0.0, self.name)

    def scoring(self, arch: str, made_by: str, seed: int) -> Charge:
        return Charge(0.0, self.name)
