"""How long a network takes: a rate for each device, space and kind of work.

A pass is one image through a training step, or one scored initialisation. It takes

    seconds = a + b * macs        macs: multiply-adds at the resolution of the recipe or protocol

where a and b, neither below 0, make the median of what was measured. How far single networks are from it is
part of a rate, and is never left out of what is said.

Every job adds what it measures to `rates.json` in the user's cache folder. `builders/rates.json` has the
rates of the released rows, for a device that has measured nothing yet. `python -m builders.fit_rates`
makes it. `python -m builders.plan` says what they are good for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from builders.work.lock import locked
from nbzero.files import cache_folder, write_cached
from nbzero.images.facts import dataset
from nbzero.search.clock import images_of
from nbzero.spaces.choices import Imported
from nbzero.spaces.macro import CHOICES, macs
from nbzero.spaces.published import IMPORTED
from train.recipe import Recipe

SHIPPED = Path(__file__).resolve().parents[1] / "rates.json"
NAME = "rates.json"
KEPT = 200  # newest measurements of a key
FEW = 6  # with fewer, or with networks all of one size, seconds are taken to grow with macs alone
WIDE = 2.0  # the largest network over the smallest, at least, for a fit of two numbers
OFFSETS = np.concatenate([[0.0], np.geomspace(1e3, 1e10, 281)])  # a / b, in multiply-adds

Point = tuple[float, float]  # macs, seconds of a pass


class Key(NamedTuple):
    """What a rate is of.

    Attributes:
        device: as the rows name it.
        what: "train 16px" or "score std-16".
    """

    device: str
    space: str
    what: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds of a pass by a network's size.

    Attributes:
        fixed_s, per_mac_s: a and b, for the median network.
        num: measurements.
        low, high: of ten networks one took less than `low` times the median, one more than `high` times.
        mean: the mean network over the median one: what a sum over many is to be multiplied by.
        smallest, largest: macs of the networks that were measured.
        origin: where the measurements come from, in words.
    """

    fixed_s: float
    per_mac_s: float
    num: int
    low: float
    high: float
    mean: float
    smallest: float
    largest: float
    origin: str

    def median(self, macs: float) -> float:
        """Seconds of a pass of the median network of this size."""
        return self.fixed_s + self.per_mac_s * macs

    def expected(self, macs: float) -> float:
        """Seconds of a pass, on average over networks of this size."""
        return self.mean * self.median(macs)


def fit(points: Sequence[Point], origin: str) -> Rate:
    """The rate with the least mean |log(measured / fitted)|.

    >>> rate = fit([(macs, 2.0 + 3e-6 * macs) for macs in range(10**6, 10**7, 10**6)], "made")
    >>> round(rate.fixed_s, 1), round(rate.per_mac_s, 7), round(rate.high, 1)
    (2.0, 3e-06, 1.0)
    """
    macs, seconds = np.array(points, float).T
    offsets = OFFSETS
    if len(points) < FEW or macs.max() < WIDE * macs.min():
        offsets = OFFSETS[:1]
    logs = np.log(seconds) - np.log(offsets[:, None] + macs)
    scales = np.median(logs, axis=1)
    best = int(np.abs(logs - scales[:, None]).mean(axis=1).argmin())
    per_mac_s = float(np.exp(scales[best]))
    ratios = seconds / (per_mac_s * (offsets[best] + macs))
    low, high = np.quantile(ratios, [0.1, 0.9])
    return Rate(
        fixed_s=float(f"{per_mac_s * offsets[best]:.4g}"),
        per_mac_s=float(f"{per_mac_s:.4g}"),
        num=len(points),
        low=round(float(low), 3),
        high=round(float(high), 3),
        mean=round(float(ratios.mean()), 3),
        smallest=float(macs.min()),
        largest=float(macs.max()),
        origin=origin,
    )


# What is known


def known(key: Key) -> Rate | None:
    """The best rate there is: measured here, else of released runs, else of a space of the same blocks."""
    own, shipped = measured(), released()
    found = _known(key, own, shipped)
    if found is not None:
        return found
    for other in _beside(key, [*own, *shipped]):
        found = _known(other, own, shipped)
        if found is not None:
            return dataclasses.replace(found, origin=f"{found.origin} of {other.space}")
    return None


def _known(key: Key, own: Mapping[Key, list[Point]], shipped: Mapping[Key, Rate]) -> Rate | None:
    points = own.get(key, [])
    if not points:
        return shipped.get(key)
    rate = fit(points, f"{len(points)} measured here")
    if key not in shipped or len(points) >= FEW:
        return rate
    # Too few to say how seconds grow: the growth is that of the released runs.
    there = shipped[key]
    ratio = float(np.median([seconds / there.median(macs) for macs, seconds in points]))
    return dataclasses.replace(
        there,
        fixed_s=there.fixed_s * ratio,
        per_mac_s=there.per_mac_s * ratio,
        origin=f"{there.origin}, scaled by {rate.origin}",
    )


def _beside(key: Key, there: Iterable[Key]) -> list[Key]:
    """The keys of other spaces with the same blocks, on the same device, for the same work."""
    found = []
    for other in dict.fromkeys(there):
        same_blocks = blocks_of(other.space) == blocks_of(key.space)
        if other.device == key.device and other.what == key.what and same_blocks:
            found.append(other)
    return found


def blocks_of(space: str) -> str:
    """What a space's networks are made of: spaces with the same blocks take the same time a multiply-add."""
    return CHOICES[space].family if space in CHOICES else space


def devices() -> list[str]:
    """Every device of which a rate is known."""
    return sorted({key.device for key in [*measured(), *released()]})


def released() -> dict[Key, Rate]:
    """The rates of the released runs."""
    found = {}
    for row in json.loads(SHIPPED.read_text())["rates"]:
        key = Key(row.pop("device"), row.pop("space"), row.pop("what"))
        found[key] = Rate(**row)
    return found


def measured() -> dict[Key, list[Point]]:
    """What was measured here before. A file that cannot be read is nobody's loss, so it counts as none."""
    found: dict[Key, list[Point]] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        for row in json.loads((cache_folder() / NAME).read_text())["measured"]:
            key = Key(str(row["device"]), str(row["space"]), str(row["what"]))
            points = [(float(macs), float(seconds)) for macs, seconds in row["points"]]
            if key.space in {*CHOICES, *IMPORTED} and points and min(map(min, points)) > 0:
                found[key] = points[-KEPT:]
    return found


def keep(more: Mapping[Key, Sequence[Point]]) -> None:
    """Add measurements to what is kept, the newest last.

    Raises:
        OutputError: the cache folder cannot be written.
    """
    folder = cache_folder()
    with locked(folder, name=f".{NAME}.lock"):
        found = measured()
        for key, points in more.items():
            found[key] = [*found.get(key, []), *points][-KEPT:]
        rows = [{**key._asdict(), "points": points} for key, points in found.items()]
        write_cached(folder / NAME, (json.dumps({"measured": rows}) + "\n").encode())


# What a job's units cost


@dataclass(frozen=True)
class Cost:
    """How much work a unit of a job is.

    Attributes:
        space, what: as in `Key`.
        passes: of a unit.
        macs_of: an arch's multiply-adds of one image.
    """

    space: str
    what: str
    passes: float
    macs_of: Callable[[str], int]

    def key(self, device: str) -> Key:
        return Key(device, self.space, self.what)


def training_cost(space: str, name: str, of: Recipe) -> Cost:
    """Of a training run on a data set: an image that is only evaluated is a third of a pass."""
    facts = dataset(name)
    resolution = of.resolution or facts.resolution
    trained, evaluated = images_of(of, facts.num_train, facts.num_test)
    macs_of = functools.partial(macs, resolution=resolution, num_classes=facts.num_classes)
    return Cost(space, f"train {resolution}px", trained + evaluated / 3, macs_of)


def scoring_cost(space: str, name: str, protocol: str, resolution: int) -> Cost:
    """Of a scored initialisation: all proxies of one network."""
    macs_of: Callable[[str], int]
    if space in IMPORTED:
        macs_of = functools.partial(_published_macs, IMPORTED[space])
    else:
        macs_of = functools.partial(macs, resolution=resolution, num_classes=dataset(name).num_classes)
    return Cost(space, f"score {protocol}", 1.0, macs_of)


def _published_macs(definition: Imported, arch: str) -> int:
    """As the definition counts them, which says how much work one is beside another.

    Where it counts none, all archs are taken for equal.
    """
    return definition.costs(definition.parse(arch)).get("macs", 1)
