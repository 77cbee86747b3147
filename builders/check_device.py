"""Is this card right, and how fast is it: python -m builders.check_device cuda

Ten minutes of a card begin with this, and go on with what its last line says. It needs no images.

    agreement   training steps of a network of each family against the CPU, float32 and bfloat16; a replayed
                CUDA graph against the eager step; every proxy without draws of its own
    speed       images a second and networks an hour of the plain loop and of the engine with 1 to 16 networks
                together, for a small, a middle and a large network of each family

Prints Markdown. The exit status is 1 where something does not agree.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from builders.train_shard import CONNECTIONS
from builders.work.command import parser_of, say_errors
from builders.work.local import all_devices
from builders.work.origin import device_name, software
from nbzero.errors import NBZeroError
from nbzero.images.tensors import normalise
from nbzero.networks.build import build_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import COMPUTE, score
from nbzero.proxies.workers import tune_process
from nbzero.spaces.macro import Family, macs
from train.engine import EAGER_STEPS, Steps
from train.measure import engine_seconds, finish, loop_seconds, made_images, stream_of
from train.recipe import Precision, recipe
from train.shared_batches import SharedBatches

FAMILIES: tuple[Family, ...] = ("r1", "r2", "mb")
RECIPE = recipe("gpu-12")
STEPS_OF_RUN = 12 * (45_000 // 256)  # of gpu-12 on CIFAR-10
AGREEING_STEPS = 20
FLOAT32_LIMIT = 1e-3  # relative difference of the logits of two devices after one step in float32
LOSS_LIMIT = 1e-2  # of the mean loss of the first steps
# What is allowed of a proxy: ten times what the reference values differ by, which is 2e-5 unless said here.
PROXY_LIMIT = 2e-4
PROXY_IMAGES = 16
LOOP_S = 2.0  # seconds that a measurement of the plain loop may take
PROXY_LIMITS = {
    "gradsign": 4e-3,
    "grasp": 9e-4,
    "meco": 1e-3,
    "meco_leaf_modules": 1e-3,
    "ntk": 6e-3,
    "plain": 1e-3,
    "wrcor_expt2b": 1e-3,
    "wrcor_linear": 1e-3,
    "wrcor_quad": 1e-3,
    "zico": 0.2,
}


class Disagreement(Exception):
    """The device gives other numbers than the CPU."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured where.

    Attributes:
        archs: by family a small, a middle and a large one.
        resolution: pixels.
        together: numbers of networks side by side.
        steps: a measurement.
    """

    archs: dict[Family, tuple[str, str, str]]
    resolution: int
    together: tuple[int, ...]
    steps: int


CARD = Sizes(
    {  # 8, 50 and 150 M macs
        "r1": (
            "r1-s16-d5w16s2-d4w16s2-d5w16s2",
            "r1-s32-d1w32s2-d2w32s2-d3w32s1-d4w192s2",
            "r1-s16-d6w32s2-d2w32s1-d6w32s2-d6w256s2",
        ),
        "r2": (
            "r2-s64-d2w64s2-d1w64s2-d4w64s2",
            "r2-s64-d6w128s2-d1w128s1-d6w128s2-d4w256s2",
            "r2-s32-d2w256s2-d1w512s2-d4w1024s2",
        ),
        "mb": (
            "mb-s16-d2w8s1-d4w8s2-d4w16s2-d5w16s2",
            "mb-s16-d4w48s2-d2w48s2-d4w160s2",
            "mb-s32-d1w16s2-d4w192s2-d6w192s2",
        ),
    },
    resolution=32,
    together=(1, 2, 4, 8, 16),
    steps=40,
)
PROCESSOR = Sizes(
    {  # 1, 4 and 8 M macs
        "r1": (
            "r1-mini-s8-d1w4s2-d3w32s2-d2w32s2",
            "r1-mini-s16-d1w4s2-d3w32s2-d3w48s1-d4w64s2",
            "r1-mini-s16-d1w32s2-d4w32s1-d3w48s2-d1w64s2",
        ),
        "r2": (
            "r2-mini-s16-d1w16s2-d4w64s2-d4w64s1-d3w128s2",
            "r2-mini-s8-d2w64s2-d4w96s1-d1w96s2-d1w96s2",
            "r2-mini-s8-d4w48s1-d4w96s2-d1w256s2-d2w256s2",
        ),
        "mb": (
            "mb-mini-s16-d2w8s2-d1w12s1-d2w16s2-d2w24s2",
            "mb-mini-s16-d3w4s2-d4w48s2-d3w48s1-d2w48s2",
            "mb-mini-s8-d3w24s1-d2w32s2-d2w32s2-d1w48s2",
        ),
    },
    resolution=16,
    together=(1, 2, 4),
    steps=6,
)
AGREEING = PROCESSOR
AGREEING_RECIPE = dataclasses.replace(RECIPE, batch=32, epochs=1, warmup=1.0, lr=0.01)


# Agreement


def relative(found: Tensor, wanted: Tensor) -> float:
    """|found - wanted| / |wanted|."""
    wanted = wanted.double().cpu()
    return float((found.double().cpu() - wanted).norm() / wanted.norm())


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """What some training steps gave.

    Attributes:
        logits: of the val images after the first step, in training mode.
        loss: mean over all steps.
    """

    logits: Tensor
    loss: Tensor


def after_steps(arch: str, device: str, precision: Precision, graph: bool = False) -> Trained:
    """Train a network for some steps."""
    data = made_images("cifar10", AGREEING.resolution, AGREEING_STEPS * AGREEING_RECIPE.batch).to(device)
    images = normalise(data.val_images, (0.5,) * 3, (0.25,) * 3)
    net = build_net(arch).to(device, memory_format=torch.channels_last)
    batches = SharedBatches(data, AGREEING_RECIPE, 0, 0)
    steps = Steps(net, batches, precision)
    with torch.cuda.stream(stream_of(device)), batches.reader() as reader:
        reader.enter(0)
        steps.step()
        with torch.no_grad():
            logits = net(images.contiguous(memory_format=torch.channels_last))
        for number in range(1, AGREEING_STEPS):
            if graph and number == EAGER_STEPS:
                steps.capture()
            steps.step()
        finish(device)
    loss = steps.loss_sum.clone() / AGREEING_STEPS
    steps.close()
    return Trained(logits, loss)


@contextlib.contextmanager
def other_kernels() -> Iterator[None]:
    """The CPU computes without oneDNN: the same but for rounding."""
    was_enabled = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = was_enabled


def training_agrees(device: str, say: Callable[[str], None]) -> None:
    """Compare training with the CPU, and graphs with eager steps.

    At the start training is chaotic: what rounds otherwise goes other ways within a few steps. So the first
    step is held against FLOAT32_LIMIT. The rest is held against what the CPU's own rounding does: the same
    steps by other kernels (oneDNN off), or in another precision.

    Raises:
        Disagreement: the first step beyond FLOAT32_LIMIT and ten times the CPU's own rounding; or losses
            beyond LOSS_LIMIT and three times that.
    """
    wrong = []
    say("| relative difference | step 1: logits | CPU's own | 20 steps: loss | CPU's own | bf16 | graph |")
    say("|---|---|---|---|---|---|---|")
    for family in FAMILIES:
        arch = AGREEING.archs[family][0]
        on_cpu = after_steps(arch, "cpu", "float32")
        with other_kernels():
            other = after_steps(arch, "cpu", "float32")
        found = after_steps(arch, device, "float32")
        own_logits = relative(other.logits, on_cpu.logits)
        own_loss = relative(other.loss, on_cpu.loss)
        of_logits = relative(found.logits, on_cpu.logits)
        of_loss = relative(found.loss, on_cpu.loss)
        eager = after_steps(arch, device, "bfloat16")
        rounded = after_steps(arch, "cpu", "bfloat16")
        of_graph = 0.0
        if device != "cpu":
            of_graph = relative(after_steps(arch, device, "bfloat16", graph=True).loss, eager.loss)
        of_bf16 = relative(eager.loss, rounded.loss)
        cells = [of_logits, own_logits, of_loss, own_loss, of_bf16, of_graph]
        say(f"| {family} | {' | '.join(f'{cell:.1e}' for cell in cells)} |")
        agrees = of_logits <= max(FLOAT32_LIMIT, 10 * own_logits)
        agrees &= of_loss <= max(LOSS_LIMIT, 3 * own_loss)
        if not agrees or max(of_bf16, of_graph) > LOSS_LIMIT:
            wrong.append(family)
    if wrong:
        raise Disagreement(f"training of {', '.join(wrong)}")


def proxies_agree(device: str, say: Callable[[str], None]) -> None:
    """Compare every proxy that draws nothing with the CPU.

    Some are badly conditioned on some networks. So ten times what the CPU's own rounding does (oneDNN off) is
    allowed too.

    Raises:
        Disagreement: beyond its PROXY_LIMITS and that.
    """
    draws = torch.Generator().manual_seed(0)
    images = torch.randn((PROXY_IMAGES, 3, 16, 16), generator=draws)
    labels = torch.arange(PROXY_IMAGES) % 10
    names = [name for name in COMPUTE if not PROXIES[name].random]
    wrong = []
    for family in FAMILIES:
        net = build_net(AGREEING.archs[family][0])
        on_cpu = score(net, images, labels, names)
        with other_kernels():
            other = score(net, images, labels, names)
        found = score(net.to(device), images.to(device), labels.to(device), names)
        for name in names:
            wanted = on_cpu[name]
            limit = max(PROXY_LIMITS.get(name, PROXY_LIMIT), 10 * differs(name, other[name], wanted))
            if differs(name, found[name], wanted) > limit:
                wrong.append(f"{name} of {family}: {found[name]} for {wanted}")
    say(f"{len(names)} proxies of {len(FAMILIES)} networks: {len(wrong)} differ")
    if wrong:
        raise Disagreement(f"proxies: {'; '.join(wrong)}")


def differs(name: str, found: float | None, wanted: float | None) -> float:
    """The relative difference of a score; infinity where only one is there."""
    if found is None or wanted is None:
        return 0.0 if found is wanted else math.inf
    offset = PROXY_IMAGES if name == "jacob_cov" else 0  # it is minus the number of images, and a little more
    return abs(found - wanted) / max(abs(wanted + offset), sys.float_info.min)


# Speed


def product_rate(device: str) -> float:
    """Multiply-adds a second of a bfloat16 matrix product, random numbers."""
    size = 512 if device == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    for _ in range(3):
        a @ b
    finish(device)
    began = time.perf_counter()
    for _ in range(10):
        a @ b
    finish(device)
    return 10 * size**3 / (time.perf_counter() - began)


def speeds(device: str, sizes: Sizes, until: float, say: Callable[[str], None]) -> int:
    """Measure and say the table; the number together that was fastest for the middle networks."""
    rate = product_rate(device)
    say(f"bfloat16 matrix product: {2 * rate / 1e12:.3g} TFLOP/s")
    say("")
    header = "| network | M macs | loop, nets/h |"
    for together in sizes.together:
        header += f" {together} |"
    say(header + " images/s | of the product's rate | engine / loop |")
    say("|---" * (6 + len(sizes.together)) + "|")
    total: dict[int, float] = {}
    for number in range(3):
        for family in FAMILIES:
            if time.monotonic() > until:
                say(f"{family} {number + 1} and what follows: left out, the time was over")
                return best_of(total)
            arch = sizes.archs[family][number]
            cost = macs(arch, sizes.resolution)
            data = made_images("cifar10", sizes.resolution, sizes.steps * RECIPE.batch).to(device)
            of_loop = loop_seconds(arch, data, RECIPE, LOOP_S)
            of_engine = list(engine_seconds(arch, data, RECIPE, sizes.together, sizes.steps))
            best = min(seconds for _, seconds in of_engine)
            cells = [f"{3600 / seconds / STEPS_OF_RUN:.0f}" for _, seconds in of_engine]
            images = RECIPE.batch / best
            share = 3 * cost * images / rate
            row = f"| {arch} | {cost / 1e6:.0f} | {3600 / of_loop / STEPS_OF_RUN:.0f} | {' | '.join(cells)} |"
            say(f"{row} {images:.0f} | {share:.1%} | {of_loop / best:.1f} |")
            for together, seconds in of_engine:
                total[together] = total.get(together, 0.0) + seconds / best
    return best_of(total)


def best_of(total: dict[int, float]) -> int:
    """The number together that is nearest to the fastest, over all networks."""
    return min(total, key=lambda together: total[together], default=1)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("device", help="cuda, cuda:N or cpu")
    parser.add_argument("--seconds", type=float, default=90, help="no measurement begins after; default 90")
    parser.add_argument("--out", default=None, help="a file that the Markdown is also written to")
    given = parser.parse_args(argv)
    until = time.monotonic() + given.seconds
    os.environ.setdefault(CONNECTIONS, "32")
    device = all_devices(1, given.device)[0]
    tune_process()
    sizes = PROCESSOR if device == "cpu" else CARD
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say(f"## {device_name(device)}\n\n{software()}\n")
    wrong = []

    def check(part: Callable[[str, Callable[[str], None]], None]) -> None:
        try:
            part(device, say)
        except Disagreement as error:
            say(f"DIFFERS: {error}")
            wrong.append(str(error))
        say("")

    check(training_agrees)
    best = speeds(device, sizes, until, say)
    say("")
    check(proxies_agree)
    kind = "gpu-12" if device != "cpu" else "cpu-16px-4"
    say(
        f"next: python -m builders.train_shard --space r1 --dataset cifar10 --recipe {kind} --archs 60 "
        f"--device {device} --together {best} --out shards"
    )
    if given.out:
        Path(given.out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if wrong:
        raise NBZeroError(f"{device} does not agree with the CPU: {'; '.join(wrong)}; train nothing on it")


if __name__ == "__main__":
    sys.exit(main())
