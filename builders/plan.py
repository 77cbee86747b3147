"""What hours of a device are good for: python -m builders.plan --space r1 --recipe gpu-12 --hours 8

Says how many networks of the build order can be trained, which, how long they take and what that costs in
kWh. It ends with the command that trains them. Networks that the release in --base has are not counted.

How long a network takes follows from its multiply-adds, by what was measured on the device before. Every
train_shard adds to that. --measure trains a few networks of the space for some steps each, on made images,
which takes at most two minutes. --device may name any device that was measured, here or for the release.
--rate is for one that was not: seconds of a multiply-add of a pass, where a training image is one pass and an
evaluated image a third.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from builders.train_shard import ON_A_CARD
from builders.work.base import members_of_space, opened_base, runs_there
from builders.work.command import parser_of, say_errors
from builders.work.job import Job
from builders.work.limit import said_seconds
from builders.work.local import all_devices
from builders.work.origin import device_name
from builders.work.rates import Cost, Point, Rate, devices, keep, known, training_cost
from builders.work.units import Unit, planned_units
from nbzero.errors import NothingFoundError, UsageError, count_of, whole
from nbzero.images.facts import dataset
from nbzero.images.tensors import ImageData
from nbzero.proxies.workers import tune_process
from train import bfloat16
from train.measure import engine_seconds, loop_seconds, made_images
from train.recipe import RECIPES, Recipe, recipe

WATTS = {
    "cpu": 15.0,
    "cuda": 700.0,
}  # of a core under load, and of an H100 at its limit; neither was measured
MEASURE_S = 90.0  # a network is not begun after that; a step of the slowest ends before two minutes
MEASURED = (0, 7, 3, 5, 1, 6, 2, 4)  # order of eight sizes, so that few of them span the space too
MOST_STEPS = 24


class Device(NamedTuple):
    """What is planned for.

    Attributes:
        name: as rows name it.
        torch_name: where this machine has it; "" for one elsewhere.
    """

    name: str
    torch_name: str
    workers: int

    @property
    def watts(self) -> float:
        """What one worker of it draws, about."""
        return WATTS["cpu" if self.name.endswith("thread") else "cuda"]


def device_of(given: str, workers: int | None, has_rate: bool) -> Device:
    """The device of the arguments.

    Raises:
        UsageError: this machine does not have it, and nothing was measured of it.
    """
    if given in devices():
        return Device(given, "", workers or 1)
    try:
        there = all_devices(workers, given)
    except UsageError as error:
        if has_rate:
            return Device(given, "", workers or 1)
        elsewhere = ", ".join(repr(name) for name in devices())
        raise UsageError(f"{error}; of devices elsewhere {elsewhere} was measured, or give --rate") from error
    return Device(device_name(there[0]), there[0], len(there))


# What fits


class Plan(NamedTuple):
    """Units that fit, in build order, and how long one worker would take for them all."""

    units: list[Unit]
    seconds: float


def fitting(units: Iterable[Unit], cost: Cost, rate: Rate, seconds: float) -> Plan:
    """The first units that take so many seconds of one worker together."""
    chosen: list[Unit] = []
    total = 0.0
    for unit in units:
        more = cost.passes * rate.expected(cost.macs_of(unit[1]))
        if total + more > seconds:
            break
        chosen.append(unit)
        total += more
    return Plan(chosen, total)


def units_left(given: argparse.Namespace) -> tuple[list[Unit], int, str]:
    """The space's units that the base lacks, in build order; how many there are in all; the base in words."""
    members = members_of_space(given.space)
    units = planned_units(members, range(len(members)), sorted(set(given.seeds)), 0, 1)
    base = opened_base(given.base)
    if base is None:
        return units, len(units), "without a base"
    same_key = {"recipe": given.recipe}
    job = Job("runs", "plan", given.space, given.dataset, units, 0, 1, _not_run, {}, same_key)
    there = set(runs_there(base, job))
    return (
        [unit for unit in units if unit not in there],
        len(units),
        f"the others are in the base, data version {base.version}",
    )


def _not_run(device: str, settings: object) -> None:
    raise AssertionError("a plan computes nothing")


# Measuring


def measure(space: str, data_name: str, chosen: Recipe, device: str, cost: Cost) -> list[Point]:
    """Macs and seconds of a pass of up to eight networks of a space, from its smallest to its largest."""
    tune_process()
    by_size = sorted(members_of_space(space), key=cost.macs_of)
    places = np.linspace(0, len(by_size) - 1, len(MEASURED)).round().astype(int)
    side = chosen.resolution or dataset(data_name).resolution
    data = made_images(data_name, side, (MOST_STEPS + 1) * chosen.batch).to(device)
    started = time.perf_counter()
    points: list[Point] = []
    for number in MEASURED:
        spent = time.perf_counter() - started
        if spent > MEASURE_S:
            break
        arch = by_size[places[number]]
        each_s = (MEASURE_S - spent) / (len(MEASURED) - len(points))
        step_s = _step_seconds(arch, data, chosen, device, each_s)
        points.append((float(cost.macs_of(arch)), step_s / chosen.batch))
        print(
            f"{arch}: {cost.macs_of(arch) / 1e6:,.1f} M macs, {chosen.batch / step_s:,.0f} images/s",
            flush=True,
        )
    return points


def _step_seconds(arch: str, data: ImageData, chosen: Recipe, device: str, most_s: float) -> float:
    """Of one training step: by our loop, or on a card by our engine, where networks train side by side."""
    if device == "cpu":
        return loop_seconds(arch, data, chosen, most_s)
    return min(took for _, took in engine_seconds(arch, data, chosen, [ON_A_CARD], MOST_STEPS))


# What is said


def said_rate(rate: Rate, cost: Cost) -> str:
    """How long a network takes, where that comes from, and how far single networks are from it."""
    of_pass = f"({rate.fixed_s:.3g} s + {rate.per_mac_s:.3g} s x macs)"
    if not rate.num:
        return f"a network takes {cost.passes:,.0f} passes x {of_pass}, as given"
    taken = f"the median network takes {cost.passes:,.0f} passes x {of_pass}"
    spread = f"one of ten less than {rate.low:.2g} times that, one of ten more than {rate.high:.2g} times"
    return f"{taken}, the mean one {rate.mean:.3g} times that, {spread} ({rate.origin})"


def said_reach(rate: Rate, cost: Cost, units: Sequence[Unit]) -> str:
    """That networks are planned that are larger or smaller than all that were measured; else ""."""
    sizes = [cost.macs_of(arch) for _, arch, _ in units]
    if not rate.num or not sizes or (min(sizes) >= rate.smallest and max(sizes) <= rate.largest):
        return ""
    planned = f"{min(sizes) / 1e6:,.1f} to {max(sizes) / 1e6:,.1f} M macs are planned"
    there = f"{rate.smallest / 1e6:,.1f} to {rate.largest / 1e6:,.1f} M were measured"
    return f"{planned}, {there}: beyond, this is a guess"


def said_plan(given: argparse.Namespace, device: Device, plan: Plan, left: int) -> list[str]:
    """How many networks, which, how long, how many kWh, and the command."""
    of = count_of(device.workers, "worker")
    if not plan.units:
        return [f"{given.hours:g} h of {of} end no network"]
    hours = plan.seconds / device.workers / 3600
    watts = device.watts if given.watts is None else given.watts
    said = "not measured: --watts"
    if given.watts is not None:
        said = "as given"
    first, last = plan.units[0][0], plan.units[-1][0] + 1
    counted = count_of(len(plan.units), "run")
    if len(plan.units) == left:
        counted += ", which is all that is left"
    return [
        f"{given.hours:g} h of {of}: {counted}; archs {first}:{last}, in {said_seconds(hours * 3600)}",
        f"energy: {hours * device.workers * watts / 1000:.3g} kWh at {watts:g} W a worker ({said})",
        _command(given, f"{first}:{last}"),
    ]


def _command(given: argparse.Namespace, archs: str) -> str:
    """What trains the planned networks."""
    seeds = [str(seed) for seed in sorted(set(given.seeds))]
    words = ["python", "-m", "builders.train_shard", "--space", given.space, "--dataset", given.dataset]
    words += ["--recipe", given.recipe, "--archs", archs, "--seeds", *seeds]
    words += ["--time-limit", f"{given.hours:g}h"]
    if given.base is not None:
        words += ["--base", given.base]
    return f"{shlex.join(words)} --out SHARDS"


def options() -> argparse.ArgumentParser:
    parser = parser_of(__doc__)
    parser.add_argument("--space", required=True, help="for instance r1")
    parser.add_argument("--recipe", required=True, help=", ".join(RECIPES))
    parser.add_argument("--dataset", default="cifar10", help="default: cifar10")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument("--hours", type=float, default=1.0, help="default: 1")
    parser.add_argument("--base", default=None, help="as of train_shard")
    parser.add_argument(
        "--device", default="auto", help="as of train_shard, or the name of one measured before"
    )
    parser.add_argument("--workers", type=int, default=None, help="as of train_shard")
    parser.add_argument("--rate", type=float, default=None, help="seconds of a multiply-add")
    parser.add_argument(
        "--watts",
        type=float,
        default=None,
        help=f"of a worker; default: {WATTS['cpu']:g} a core, {WATTS['cuda']:g} a card",
    )
    parser.add_argument("--measure", action="store_true", help="measure the device first")
    return parser


def check(given: argparse.Namespace) -> None:
    """UsageError for a number that is none to plan with."""
    for name in ("hours", "rate", "watts"):
        value = getattr(given, name)
        if value is not None and not 0 < value < 1e9:
            raise UsageError(f"--{name} is {value}; a number above 0")
    if given.measure and given.rate is not None:
        raise UsageError("--measure and --rate are two answers to one question; give one of them")
    for seed in given.seeds:
        whole("seed", seed)


def rate_of(given: argparse.Namespace, device: Device, cost: Cost) -> Rate:
    """The rate to plan with; NothingFoundError where there is none."""
    if given.rate is not None:
        return Rate(0.0, given.rate, 0, 1.0, 1.0, 1.0, 0.0, 0.0, "given")
    rate = known(cost.key(device.name))
    if rate is None:
        raise NothingFoundError(
            f"nothing was measured of {cost.what} in {cost.space} on {device.name}; measure it by --measure, "
            "or give --rate"
        )
    return rate


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    given = options().parse_args(argv)
    check(given)
    chosen = recipe(given.recipe)
    left, total, of = units_left(given)
    cost = training_cost(given.space, given.dataset, chosen)
    device = device_of(given.device, given.workers, given.rate is not None)
    if device.torch_name:
        bfloat16.say(given.space, chosen, device.torch_name)
    if given.measure:
        if not device.torch_name:
            raise UsageError(f"--measure needs the device at hand, and {given.device!r} is elsewhere")
        points = measure(given.space, given.dataset, chosen, device.torch_name, cost)
        keep({cost.key(device.name): points})
    rate = rate_of(given, device, cost)
    print(
        f"{given.space} on {given.dataset}, {chosen.name}: {len(left):,} of {total:,} runs are to do ({of})"
    )
    if not left:
        return
    print(f"{device.name}: {said_rate(rate, cost)}")
    plan = fitting(left, cost, rate, given.hours * 3600 * device.workers)
    for line in [said_reach(rate, cost, plan.units), *said_plan(given, device, plan, len(left))]:
        if line:
            print(line)


if __name__ == "__main__":
    sys.exit(main())
