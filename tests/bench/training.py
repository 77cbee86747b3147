"""Training and scoring on one core, each beside its plain form: python -m tests.bench.training

    steps       images/s, ours beside the plain loop: float32, NCHW, no malloc settings, PyTorch's default SGD
    engine      networks/hour of `train.engine` with K = 1, 2, 4 beside `train.loop`, four networks a round
    drawing     the part of a training that draws its batches, which the engine does once for all networks
    processes   networks/hour of two processes, a core each, beside one
    scoring     archs/hour of all proxies by multiply-adds

What is compared takes turns, in processes of their own that swap after every round. So a drift of the machine
hits all of them. The ratio is that of each round, and its median is quoted. Images are made.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from nbzero.images.tensors import ImageData
from nbzero.networks.build import build_net
from nbzero.proxies.protocol import PROTOCOLS, noise_batch, row_of_scores
from nbzero.proxies.score import COMPUTE
from nbzero.proxies.workers import tune_process
from nbzero.spaces.macro import CHOICES, Arch, macs, space
from nbzero.spaces.published import standard_protocol
from train import loop
from train.engine import Engine
from train.recipe import recipe

NETS = ("r1-s16-d1w32s2-d1w64s2-d1w128s2", "mb-s16-d2w16s2-d3w24s2-d2w48s2")  # 11.5 M and 6.1 M macs
ROUNDS, STEPS, BATCH = 9, 6, 128
MINI = ("r1-mini", "r2-mini", "mb-mini")
RECIPE = "cpu-16px-4"
# A twentieth of the recipe's images and about so of those that it is evaluated on.
NUM_TRAIN, NUM_VAL, NUM_TEST = 1280, 250, 500
TOGETHER = (1, 2, 4)
NETWORKS, ENGINE_ROUNDS = 4, 5
SHARES = (0.05, 0.5, 0.95)  # of a space's archs that have fewer multiply-adds


# Processes that take turns


def started(call: str, core: int) -> subprocess.Popen[str]:
    """A process on a core of its own that calls a function of this module."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import time; from tests.bench import training; training.{call}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def answer_of(process: subprocess.Popen[str]) -> float:
    """What a process says of its round."""
    assert process.stdout is not None
    return float(process.stdout.readline())


def in_turn(calls: Mapping[str, str], rounds: int) -> dict[str, list[float]]:
    """What each call says of each round, one after the other on one core."""
    core = min(os.sched_getaffinity(0))
    team = {name: started(call, core) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, process in team.items():
            begin(process)
            found[name].append(answer_of(process))
    for process in team.values():
        process.communicate()
    return found


def said_ratio(ours: Sequence[float], plain: Sequence[float]) -> str:
    ratios = [one / other for one, other in zip(ours, plain, strict=True)]
    ends = f"{min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds"
    return f"ratio {statistics.median(ratios):.2f} ({ends})"


def said_macs(arch: str, resolution: int = 32) -> str:
    return f"{arch} ({macs(arch, resolution, 10) / 1e6:.1f} M macs)"


# Steps


def steps_per_second(arch: str, ours: bool) -> None:
    """Print images/s of each round; a round starts when a line comes in on standard input."""
    torch.set_num_threads(1)
    chosen = recipe(RECIPE)
    net = build_net(arch, 10, 0)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))
    precision = "float32"
    more = {}
    if ours:
        tune_process()
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
        precision = chosen.precision[CHOICES[Arch.parse(arch).space].family]
        more = {"fused": True}
    settings = {"momentum": chosen.momentum, "weight_decay": chosen.weight_decay, "nesterov": True}
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, **settings, **more)

    def step() -> None:
        with loop.autocast(torch.device("cpu"), precision):
            logits = net(images)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    for _ in range(3):
        step()
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        print(STEPS * BATCH / (time.perf_counter() - start), flush=True)


def print_steps() -> None:
    for arch in NETS:
        calls = {name: f"steps_per_second({arch!r}, {name == 'ours'})" for name in ("ours", "plain")}
        found = in_turn(calls, ROUNDS)
        rates = ", ".join(f"{name} {statistics.median(rate):,.0f} images/s" for name, rate in found.items())
        print(f"{said_macs(arch)}: {rates}; {said_ratio(found['ours'], found['plain'])}", flush=True)


# Whole trainings


def made_images() -> ImageData:
    """Random images of 10 classes at the recipe's resolution."""
    size = recipe(RECIPE).resolution
    generator = torch.Generator().manual_seed(0)

    def some(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randint(0, 256, (number, 3, size, size), generator=generator, dtype=torch.uint8)
        return images, torch.randint(0, 10, (number,), generator=generator)

    train, train_labels = some(NUM_TRAIN)
    index = torch.arange(NUM_TRAIN)
    return ImageData("cifar10", size, train, train_labels, index, *some(NUM_VAL), *some(NUM_TEST))


def middle_of(name: str) -> str:
    """The arch of a space with the median multiply-adds."""
    members = sorted(space(name).members, key=macs)
    return members[len(members) // 2]


def networks_per_hour(arch: str, together: int, seconds: Callable[[], float] = time.perf_counter) -> None:
    """Print networks/hour of each round of four, in the engine or, of 0 together, one by one in the loop.

    An engine is new in every round, so that it draws its batches in every one.

    Args:
        seconds: the clock; `time.process_time` where what else runs on the core shall not count.
    """
    tune_process()
    data, chosen = made_images(), recipe(RECIPE)
    loop.train(arch, data, chosen, 0)
    for _ in sys.stdin:
        start = seconds()
        if together == 0:
            for _ in range(NETWORKS):
                loop.train(arch, data, chosen, 0)
        else:
            engine = Engine(data, chosen, "cpu", together)
            with ThreadPoolExecutor(together) as pool:
                list(pool.map(engine.train, [arch] * NETWORKS, [0] * NETWORKS))
        print(3600 * NETWORKS / (seconds() - start), flush=True)


def print_engine() -> None:
    """By the processor's time, all threads together: both are of one process on one core."""
    for name in MINI:
        arch = middle_of(name)
        calls = {"loop": f"networks_per_hour({arch!r}, 0, time.process_time)"}
        for together in TOGETHER:
            calls[f"engine, K = {together}"] = f"networks_per_hour({arch!r}, {together}, time.process_time)"
        found = in_turn(calls, ENGINE_ROUNDS)
        print(said_macs(arch, 16))
        for how, rates in found.items():
            said = f"  {how:14} {statistics.median(rates):8,.0f} networks/hour"
            print(f"{said}; {said_ratio(rates, found['loop'])}", flush=True)


def part_of_drawing(arch: str, part: str) -> None:
    """Print seconds of each round: of one whole training, of drawing its batches, of finishing them too."""
    tune_process()
    data, chosen = made_images(), recipe(RECIPE)
    num_batches = chosen.epochs * loop.steps_in(data, chosen)
    loop.train(arch, data, chosen, 0)
    for _ in sys.stdin:
        start = time.perf_counter()
        if part == "training":
            loop.train(arch, data, chosen, 0)
        else:
            stream = loop.drawn_stream(data, chosen, 0)
            if part == "drawn and finished":
                stream = loop.batch_stream(data, chosen, 0)
            for _ in range(num_batches):
                next(stream)
        print(time.perf_counter() - start, flush=True)


def print_drawing() -> None:
    parts = ("training", "drawn", "drawn and finished")
    for name in MINI:
        arch = middle_of(name)
        found = in_turn({part: f"part_of_drawing({arch!r}, {part!r})" for part in parts}, ENGINE_ROUNDS)
        shares = {}
        for part in parts[1:]:
            each = [one / whole for one, whole in zip(found[part], found["training"], strict=True)]
            shares[part] = statistics.median(each)
        said = ", ".join(f"{part} {share:.1%} of a training" for part, share in shares.items())
        best = 1 / (1 - shares["drawn"])
        print(
            f"{said_macs(arch, 16)}: batches {said}; drawn for ever more networks at once, {best:.3f} times"
        )


def print_processes() -> None:
    """Two processes, a core each, beside one of them alone."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("this process may use one core alone: two processes are not measured")
        return
    for name in MINI:
        arch = middle_of(name)
        pair = [started(f"networks_per_hour({arch!r}, 0)", core) for core in cores[:2]]
        alone, both = [], []
        for _ in range(ENGINE_ROUNDS):
            begin(pair[0])
            alone.append(answer_of(pair[0]))
            for process in pair:
                begin(process)
            both.append(sum(answer_of(process) for process in pair))
        for process in pair:
            process.communicate()
        rates = f"one {statistics.median(alone):,.0f}, two {statistics.median(both):,.0f} networks/hour"
        print(f"{said_macs(arch, 16)}: {rates}; {said_ratio(both, alone)}", flush=True)


# Scoring


def scoring(name: str) -> None:
    """Print, as JSON, arch and seconds of some archs of a space, from few multiply-adds to many."""
    tune_process()
    protocol = PROTOCOLS[f"{standard_protocol(name)}-noise"]
    batch = noise_batch(protocol, "cifar10", 0)
    members = sorted(space(name).members, key=macs)
    archs = [members[int(share * len(members))] for share in SHARES]
    for arch in [archs[0], *archs]:  # the first one warms up
        start = time.perf_counter()
        row_of_scores(arch, 0, protocol, batch, 10, list(COMPUTE), None)
        print(json.dumps([arch, time.perf_counter() - start]), flush=True)


def scored(name: str) -> Iterator[tuple[str, float]]:
    """Archs of a space and how many such are scored in an hour."""
    process = started(f"scoring({name!r})", min(os.sched_getaffinity(0)))
    said, _ = process.communicate()
    for line in said.splitlines()[1:]:
        arch, seconds = json.loads(line)
        yield arch, 3600 / seconds


def print_scoring() -> None:
    for name in ("r1-mini", "r1"):
        resolution = PROTOCOLS[standard_protocol(name)].resolution
        sizes, rates = [], []
        for arch, rate in scored(name):
            sizes.append(macs(arch, resolution, 10))
            rates.append(rate)
            print(f"{said_macs(arch, resolution)}: {rate:,.0f} archs/hour", flush=True)
        growth = np.polyfit([math.log(size) for size in sizes], [-math.log(rate) for rate in rates], 1)[0]
        print(f"  {name}: time grows as macs to the power of {growth:.2f}", flush=True)


def main() -> None:
    for title, measure in (
        ("steps", print_steps),
        ("engine", print_engine),
        ("drawing", print_drawing),
        ("processes", print_processes),
        ("scoring", print_scoring),
    ):
        print(f"-- {title}", flush=True)
        measure()


if __name__ == "__main__":
    main()
