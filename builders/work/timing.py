"""How a network is timed: settings by their versioned names, and passes in turns with a reference's."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nbzero.errors import UsageError, quoted
from nbzero.networks.build import build_net
from nbzero.release.schema import is_name

REFERENCE = "r1-s32-d1w32s2-d2w32s2-d3w32s1-d4w192s2"  # of r1, 50 M macs
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
LOADED = 0.25  # of a machine's cores; a load average above this share spoils latencies
MACHINE = r"[A-Za-z0-9][A-Za-z0-9.-]*"  # no _, which joins the names of columns
# What the name of a processor says beside its model.
_NO_MODEL = r"\((r|tm)\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*|, \d+ threads?$"


@dataclass(frozen=True, slots=True)
class Setup:
    """Settings of a timing, by which its rows are named. A name keeps its settings.

    A network has its initial weights of seed 0 and is in eval mode, as PyTorch runs it without being
    compiled, without gradients. The images are noise. It is the network whose macs the archs table counts:
    of images of 32x32 pixels, with 100 classes.

    It takes turns with the reference, a few passes each. A turn's first pass finds the caches filled with the
    other network, so the median is of warm ones. Timing ends after `repeats` passes of the network, once both
    took `seconds` and the standard error of the median is `error` of it at most, or both took `most_s`:

        error of the median = 0.93 (q3 - q1) / sqrt(passes)

    Where q3 - q1 of one of the two is more than `spread` of its median, something else ran on the machine:
    both are timed anew, `tries` times at most. The timing of the least spread stays.

    Attributes:
        device: "cpu" or "cuda".
        batch_size: images of a pass.
        resolution: R, images are (batch_size, 3, R, R).
        threads: of torch, on the processor.
        memory_format: one of MEMORY_FORMATS.
        warm_up: passes of each network before any is timed.
        turn: passes of one network before the other's.
    """

    device: str
    batch_size: int
    resolution: int = 32
    num_classes: int = 100
    threads: int = 1
    dtype: str = "float32"
    memory_format: str = "contiguous"
    reference: str = REFERENCE
    warm_up: int = 10
    turn: int = 5
    repeats: int = 15
    seconds: float = 0.3
    error: float = 0.01
    most_s: float = 2.0
    spread: float = 0.25
    tries: int = 3


SETUPS = {
    "cpu-1": Setup("cpu", 1),
    "cuda-1": Setup("cuda", 1),
    "cuda-256": Setup("cuda", 256),
}
Watch = Callable[[nn.Module, Tensor], float]


class Timed(NamedTuple):
    """Milliseconds of passes: quartiles and number of the network's, the median of the reference's."""

    q1: float
    median: float
    q3: float
    repeats: int
    reference: float


def machine_name(device: str) -> str:
    """A short name of a processor or card, from what a row's `device` says of it.

    >>> machine_name("AMD EPYC 9B14 96-Core Processor, 1 thread"), machine_name("NVIDIA H100 80GB HBM3")
    ('amd-epyc-9b14', 'nvidia-h100-80gb-hbm3')
    """
    model = re.sub(_NO_MODEL, " ", device.lower())
    return "-".join(re.findall(r"[a-z0-9.]+", model))


def setup_name(setup: str, machine: str) -> str:
    """What rows name as their setup.

    Raises:
        UsageError: a machine's name that cannot be part of it.

    >>> setup_name("cpu-1", "amd-epyc-9b14")
    'cpu-1:amd-epyc-9b14'
    """
    name = f"{setup}:{machine}"
    if not re.fullmatch(MACHINE, machine) or not is_name(name):
        raise UsageError(
            f"machine {quoted(machine)}; it is a short name of letters, digits, . and -, like amd-epyc-9b14"
        )
    return name


def said_load() -> str:
    """A warning where others use the machine; "" where they do not, or no load is known."""
    if not hasattr(os, "getloadavg"):  # Windows
        return ""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= LOADED * cores:
        return ""
    return (
        f"warning: others use this machine, which spoils latencies: a load of {load:.2f} in the last minute "
        f"on {cores} cores; begin when it is below {LOADED * cores:.2f}"
    )


def stay_on_one_core() -> None:
    """Keep this process on the last core that it may use, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def net_of(arch: str, setup: Setup, device: str) -> nn.Module:
    """The network that is timed."""
    net = build_net(arch, setup.num_classes).eval()
    memory_format = MEMORY_FORMATS[setup.memory_format]
    return net.to(device, dtype=getattr(torch, setup.dtype), memory_format=memory_format)


def images_of(setup: Setup, device: str) -> Tensor:
    """(B, 3, R, R) noise."""
    shape = (setup.batch_size, 3, setup.resolution, setup.resolution)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    memory_format = MEMORY_FORMATS[setup.memory_format]
    return noise.to(device, dtype=getattr(torch, setup.dtype), memory_format=memory_format)


def watch_of(device: str) -> Watch:
    """What gives the milliseconds of one pass on a device."""
    return _on_card if device.startswith("cuda") else _on_processor


def _on_processor(net: nn.Module, images: Tensor) -> float:
    began = time.perf_counter()
    net(images)
    return (time.perf_counter() - began) * 1000


def _on_card(net: nn.Module, images: Tensor) -> float:
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    net(images)
    ended.record()
    ended.synchronize()
    return began.elapsed_time(ended)


@torch.inference_mode()
def timed(net: nn.Module, reference: nn.Module, images: Tensor, setup: Setup, watch: Watch) -> Timed:
    """Time a network in turns with the reference, as the setup says."""
    best, least = _timed_once(net, reference, images, setup, watch)
    for _ in range(setup.tries - 1):
        if least <= setup.spread:
            break
        found, spread = _timed_once(net, reference, images, setup, watch)
        if spread < least:
            best, least = found, spread
    return best


def _timed_once(
    net: nn.Module, reference: nn.Module, images: Tensor, setup: Setup, watch: Watch
) -> tuple[Timed, float]:
    """A timing, and the larger spread of the two: q3 - q1 as a share of the median."""
    own: list[float] = []
    other: list[float] = []
    for one in (net, reference):
        for _ in range(setup.warm_up):
            watch(one, images)
    while not _is_enough(own, other, setup):
        own += [watch(net, images) for _ in range(setup.turn)]
        other += [watch(reference, images) for _ in range(setup.turn)]
    q1, median, q3 = np.percentile(own, [25, 50, 75]).tolist()
    other_q1, other_median, other_q3 = np.percentile(other, [25, 50, 75]).tolist()
    spread = max((q3 - q1) / median, (other_q3 - other_q1) / other_median)
    return Timed(q1, median, q3, len(own), other_median), spread


def _is_enough(own: Sequence[float], other: Sequence[float], setup: Setup) -> bool:
    if len(own) < setup.repeats:
        return False
    seconds = (sum(own) + sum(other)) / 1000
    if seconds >= setup.most_s:
        return True
    q1, median, q3 = np.percentile(own, [25, 50, 75])
    error = 0.93 * (q3 - q1) / len(own) ** 0.5
    return seconds >= setup.seconds and bool(error <= setup.error * median)
