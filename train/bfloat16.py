"""Processors without bfloat16 instructions: there a training in bfloat16 takes several times as long.

Of x86 processors those have them that say avx512_bf16 or amx_bf16. On others PyTorch computes the same
numbers by way of float32.
"""

from __future__ import annotations

import platform
import re
import statistics
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from nbzero.spaces.macro import CHOICES
from train.recipe import Precision, Recipe

INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
X86 = ("x86_64", "amd64", "i386", "i686")
MEASURED_S = 1.0
BATCH, WIDTH, SIDE = 32, 64, 16  # of the convolution that is measured


def said_without(space: str, recipe: Recipe, device: str, flags: Collection[str] | None = None) -> str | None:
    """A line for who trains on a processor that lacks these instructions; None where there is nothing to say.

    Args:
        space: whose blocks are trained, in the precision that the recipe has for them.
        device: "cpu", or a card.
        flags: what the processor says of itself; None: this one's.
    """
    family = CHOICES[space].family
    if device != "cpu" or recipe.precision[family] != "bfloat16":
        return None
    if not lacks_instructions(platform.machine(), own_flags() if flags is None else flags):
        return None
    lacking = f"this processor has no bfloat16 instructions ({' or '.join(INSTRUCTIONS)})"
    slower = f"a convolution takes {factor():.1f} times as long as in float32, measured just now"
    return (
        f"{lacking}, and {recipe.name} trains {space} in bfloat16: {slower}; expect its runs to take about "
        "so many times as long"
    )


def say(space: str, recipe: Recipe, device: str) -> None:
    """Print what `said_without` says, where it says anything."""
    said = said_without(space, recipe, device)
    if said is not None:
        print(said, flush=True)


def lacks_instructions(machine: str, flags: Collection[str]) -> bool:
    """Whether an x86 processor with these flags lacks them; of one without any flags nothing is known.

    >>> lacks_instructions("x86_64", ["avx2", "avx512f"]), lacks_instructions("x86_64", ["avx512_bf16"])
    (True, False)
    >>> lacks_instructions("aarch64", ["asimd"]), lacks_instructions("x86_64", [])
    (False, False)
    """
    return machine.lower() in X86 and bool(flags) and not set(INSTRUCTIONS) & set(flags)


def own_flags() -> list[str]:
    """What this processor says that it has; [] where that is not known."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^flags\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
        return found[1].split() if found else []
    if not hasattr(torch.cpu, "get_capabilities"):  # PyTorch of before
        return []
    return [name for name, is_there in torch.cpu.get_capabilities().items() if is_there is True]


def factor() -> float:
    """How many times as long a 3x3 convolution, forward and back, takes in bfloat16, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _factor()
    finally:
        torch.set_num_threads(threads)


def _factor() -> float:
    """By turns for about a second, so that what else the machine does hits both alike; the median of each."""
    steps: dict[Precision, Callable[[], None]] = {}
    for precision in ("float32", "bfloat16"):
        images = torch.randn(BATCH, WIDTH, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
        layer = nn.Conv2d(WIDTH, WIDTH, 3, padding=1).to(memory_format=torch.channels_last)
        steps[precision] = partial(_step, layer, images.requires_grad_(), precision)
    taken: dict[Precision, list[float]] = {precision: [] for precision in steps}
    for step in steps.values():
        step()  # the first of each prepares its kernels
    end = time.perf_counter() + MEASURED_S
    while time.perf_counter() < end or not taken["bfloat16"]:
        for precision, step in steps.items():
            started = time.perf_counter()
            step()
            taken[precision].append(time.perf_counter() - started)
    return statistics.median(taken["bfloat16"]) / statistics.median(taken["float32"])


def _step(layer: nn.Conv2d, images: Tensor, precision: Precision) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        left = layer(images)
    left.float().sum().backward()
