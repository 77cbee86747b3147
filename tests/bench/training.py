"""Images trained on per second, one core, our loop beside the plain one: python -m tests.bench.training

The plain loop is float32, NCHW, no malloc settings and PyTorch's default SGD. Both take steps of 128 random
images of 32x32 in turn, in processes of their own that swap after every round, so that a drift of the machine
hits both; the ratio is that of each round, and its median is quoted.
"""

import statistics
import subprocess
import sys
import time

import torch
from torch import nn

from nbzero.networks.build import build_net
from nbzero.proxies.workers import tune_process
from nbzero.spaces.macro import CHOICES, Arch
from train.loop import autocast
from train.recipe import recipe

NETS = ("r1-s16-d1w32s2-d1w64s2-d1w128s2", "mb-s16-d2w16s2-d3w24s2-d2w48s2")  # 11.5 M and 6.1 M macs
ROUNDS, STEPS, BATCH = 9, 6, 128


def steps_per_second(arch: str, ours: bool) -> None:
    """Print images/s of each round; a round starts when a line comes in on standard input."""
    torch.set_num_threads(1)
    chosen = recipe("cpu-16px-4")
    if ours:
        tune_process()
    net = build_net(arch, 10, 0)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))
    if ours:
        net, images = (
            net.to(memory_format=torch.channels_last),
            images.contiguous(memory_format=torch.channels_last),
        )
    precision = chosen.precision[CHOICES[Arch.parse(arch).space].family] if ours else "float32"
    settings = {"momentum": chosen.momentum, "weight_decay": chosen.weight_decay, "nesterov": True}
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, **settings, **({"fused": True} if ours else {}))

    def step() -> None:
        with autocast(torch.device("cpu"), precision):
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


def main() -> None:
    for arch in NETS:
        code = "from tests.bench.training import steps_per_second; steps_per_second({!r}, {})"
        pair = [
            subprocess.Popen(
                [sys.executable, "-c", code.format(arch, ours)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for ours in (True, False)
        ]
        rates: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for process, found in zip(pair, rates, strict=True):
                process.stdin.write("go\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                found.append(float(process.stdout.readline()))  # type: ignore[union-attr]
        for process in pair:
            process.communicate()
        ratios = [a / b for a, b in zip(*rates, strict=True)]
        ours, plain = map(statistics.median, rates)
        print(
            f"{arch} ({Arch.parse(arch).macs / 1e6:.1f} M macs): ours {ours:,.0f} images/s, plain "
            f"{plain:,.0f} images/s",
            end="; ",
        )
        print(
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} over {ROUNDS} "
            f"rounds)"
        )


if __name__ == "__main__":
    main()
