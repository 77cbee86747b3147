"""How long proxies take: python -m tests.bench.bench_proxies [--quick]

Beside it stands code that computes one at a time.

The plain code follows the published ones: for every proxy a deep copy of the network, passes of its own,
stored activations, correlations by numpy in float64. One core, batch 64, 32 x 32; both sides in turn, medians
of the rounds; the scores of both are compared. Seconds are of the processes (CPU), one thread each, because a
shared machine makes the wall clock noisy; those of the whole suite's parts are of the clock.
"""

import copy
import functools
import gc
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbzero.networks.build import build_net
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.protocol import by_batch, mean_of_draws
from nbzero.proxies.score import COMPUTE, score
from nbzero.proxies.workers import tune_process
from nbzero.spaces.macro import CHOICES, Arch, Stage, macs, space
from nbzero.spaces.sed import sed_of_table, sed_reconstructed

NETS = {
    "11 M r1": "r1-s16-d1w32s2-d1w64s2-d1w128s2",
    "66 M r1": "r1-s32-d6w32s2-d5w48s2-d6w96s2-d1w192s1",
    "6 M mb": "mb-s16-d2w16s2-d3w24s2-d2w48s2",
}
# Convolutions a layer that our way of computing the ten proxies takes at least: three of the loss; zico's two
# halves, as many; for grasp's W^T H g four; for jacob_cov's input gradients one. Two bounds follow, which
# every line prints. By multiplications: the plain time over as many convolutions, padding not multiplied, and
# half of naswot's and wrcor's symmetric matrices, at the speed of this core's fastest large matrix product.
# It holds for every kernel that multiplies in float32 and saves no multiplications as Winograd's does; all
# else would have to take no time. By torch's passes: the plain time over as many convolutions at three a
# pass, the rest of a pass with them, the fastest of a few, in a memory layout. channels_last is faster, 1.07
# to 1.35 times, but torch's batch norm then adds up a channel's 10^5 numbers one by one in float32: means off
# by 1e-5, ReLUs that switch, and scores beyond the tolerance of the reference ones (jacob_cov 5e-4, fisher
# 7e-5).
LEAST_CONVOLUTIONS = 3 + 3 + 4 + 1
TEN = ("grad_norm", "snip", "plain", "fisher", "synflow", "jacob_cov", "grasp", "naswot", "wrcor", "zico")


def weights_of(net: nn.Module) -> list[nn.Parameter]:
    return [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def loss_gradients(net: nn.Module, x: Tensor, y: Tensor) -> list[nn.Parameter]:
    net.zero_grad()
    F.cross_entropy(net(x), y).backward()
    return weights_of(net)


def plain_grad_norm(net: nn.Module, x: Tensor, y: Tensor) -> float:
    return sum(w.grad.norm().item() for w in loss_gradients(net, x, y))


def plain_plain(net: nn.Module, x: Tensor, y: Tensor) -> float:
    return sum((w * w.grad).sum().item() for w in loss_gradients(net, x, y))


def plain_snip(net: nn.Module, x: Tensor, y: Tensor) -> float:
    return sum((w * w.grad).abs().sum().item() for w in loss_gradients(net, x, y))


def plain_fisher(net: nn.Module, x: Tensor, y: Tensor) -> float:
    outputs = []

    def keep(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs.append((layer.weight[0].numel(), output))

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(keep)
    loss_gradients(net, x, y)
    total = 0.0
    for num_weights, output in outputs:
        t = (
            (output.detach() * output.grad).flatten(2).sum(2)
            if output.ndim == 4
            else output.detach() * output.grad
        )
        total += num_weights * (t.square().mean(0) / 2).sum().item()
    return total


def plain_synflow(net: nn.Module, x: Tensor, y: Tensor) -> float:
    net = net.double()
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    for tensor in net.state_dict().values():
        tensor.abs_()
    net(torch.ones_like(x[:1]).double()).sum().backward()
    return sum((w * w.grad).abs().sum().item() for w in weights_of(net))


def plain_jacob_cov(net: nn.Module, x: Tensor, y: Tensor) -> float:
    x = x.clone().requires_grad_()
    net(x).sum().backward()
    values = np.linalg.eigvalsh(np.corrcoef(x.grad.flatten(1).numpy()))
    return -float(np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5)))


def plain_grasp(net: nn.Module, x: Tensor, y: Tensor) -> float:
    weights = weights_of(net)
    first = torch.autograd.grad(F.cross_entropy(net(x), y), weights)
    second = torch.autograd.grad(F.cross_entropy(net(x), y), weights, create_graph=True)
    sum((g * h).sum() for g, h in zip(first, second, strict=True)).backward()
    return -sum((w * w.grad).sum().item() for w in weights)


def plain_naswot(net: nn.Module, x: Tensor, y: Tensor) -> float:
    kernel = np.zeros((len(x), len(x)))

    def add(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        nonlocal kernel
        on = (inputs[0].flatten(1) > 0).float()
        kernel = kernel + (on @ on.T).numpy() + ((1 - on) @ (1 - on).T).numpy()

    net(x).sum().backward()  # the authors' code marks in it which layers take part
    for module in net.modules():
        if "ReLU" in type(module).__name__:
            module.register_forward_hook(add)
    net(x)
    return float(np.linalg.slogdet(kernel)[1])


def plain_wrcor(net: nn.Module, x: Tensor, y: Tensor) -> float:
    total = np.zeros((len(x), len(x)))

    def add(values: Tensor, weight: float) -> None:
        nonlocal total
        total = total + weight * np.abs(np.corrcoef(values.detach().flatten(1).numpy()))

    for number, block in enumerate(net.blocks):
        for module in block.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_hook(lambda _, inputs, __, w=2.0**number: add(inputs[0], w))
                module.register_full_backward_hook(lambda _, grads, __, w=2.0**number: add(grads[0], w))
    loss_gradients(net, x, y)
    return float(np.linalg.slogdet(total)[1])


def plain_zico(net: nn.Module, x: Tensor, y: Tensor) -> float:
    grads: list[list[np.ndarray]] = []
    for half_x, half_y in zip(x.chunk(2), y.chunk(2), strict=True):
        grads.append([w.grad.flatten().numpy().copy() for w in loss_gradients(net, half_x, half_y)])
    total = 0.0
    for pair in zip(*grads, strict=True):
        deviation, mean = np.std(pair, axis=0), np.mean(np.abs(pair), axis=0)
        total += math.log(np.sum(mean[deviation > 0] / deviation[deviation > 0]))
    return total


def plain_zen(net: nn.Module, x: Tensor, y: Tensor) -> float:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight)
    noise = torch.randn(16, *x.shape[1:])
    with torch.no_grad():
        change = (
            (net.features(noise) - net.features(noise + 0.01 * torch.randn_like(noise)))
            .abs()
            .sum((1, 2, 3))
            .mean()
        )
    return change.log().item() + sum(
        m.running_var.mean().sqrt().log().item() for m in net.modules() if isinstance(m, nn.BatchNorm2d)
    )


PLAIN: dict[str, Callable[[nn.Module, Tensor, Tensor], float]] = {
    name.removeprefix("plain_"): function
    for name, function in list(globals().items())
    if name.startswith("plain_")
}


def one_at_a_time(net: nn.Module, x: Tensor, y: Tensor, names: Sequence[str]) -> dict[str, float]:
    scores = {}
    for name in names:
        scores[name] = PLAIN[name](copy.deepcopy(net), x, y)
        gc.collect()
    return scores


def batch_of(num_images: int = 64) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.randn(num_images, 3, 8, 8, generator=draws), size=32, mode="bilinear")
    return smooth + 0.3 * torch.randn(num_images, 3, 32, 32, generator=draws), torch.arange(num_images) % 10


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def flops_per_second() -> float:
    """Of float32 matrix products of this process, the fastest of a few, by torch and by numpy.

    Their libraries differ on one processor.
    """
    a, b = torch.randn(2, 2048, 2048).unbind()
    x, y = a.numpy(), b.numpy()
    return 2 * 2048**3 / min(timed(work) for work in (lambda: a @ b, lambda: x @ y) for _ in range(5))


def least_multiplications(net: nn.Module, x: Tensor) -> float:
    """Of the ten proxies: `LEAST_CONVOLUTIONS` of each layer, padding left out.

    And half of the three Gram matrices of each ReLU's units.
    """
    counts: list[float] = []

    def convolution(conv: nn.Conv2d, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        pixels = torch.ones_like(inputs[0][:1])
        once = F.conv2d(
            pixels, torch.ones_like(conv.weight), None, conv.stride, conv.padding, groups=conv.groups
        ).sum(dtype=torch.float64)
        counts.append(LEAST_CONVOLUTIONS * len(x) * once.item())

    def gram(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        counts.append(3 * inputs[0].numel() * (len(x) + 1) / 2)

    hooks = [
        m.register_forward_hook(convolution if isinstance(m, nn.Conv2d) else gram)
        for m in net.modules()
        if isinstance(m, nn.Conv2d | nn.ReLU)
    ]
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return sum(counts)


def run_rounds(arch: str, ours: bool) -> None:
    """Print the ten scores, then the seconds of each round.

    A round starts when a line comes in on standard input.
    """
    torch.set_num_threads(1)
    if ours:
        tune_process()
    x, y = batch_of()
    net = build_net(arch, 10, 0)

    def work() -> dict[str, float]:
        return {**score(net, x, y, TEN)} if ours else one_at_a_time(net, x, y, TEN)

    print(json.dumps(work()), flush=True)
    for _ in sys.stdin:
        print(timed(work), flush=True)


def ten_proxies(rounds: int) -> None:
    """Two processes that take turns: the suite as the job runs it, and the plain code.

    Our malloc settings made no difference to that one.
    """
    for label, arch in NETS.items():
        call = "from tests.bench.bench_proxies import run_rounds; run_rounds({!r}, {})"
        sides = [
            subprocess.Popen(
                [sys.executable, "-c", call.format(arch, ours)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for ours in (True, False)
        ]
        scores = [json.loads(side.stdout.readline()) for side in sides]  # type: ignore[union-attr]
        took: list[list[float]] = [[], []]
        for _ in range(rounds):
            for side, seconds in zip(sides, took, strict=True):
                side.stdin.write("go\n")  # type: ignore[union-attr]
                side.stdin.flush()  # type: ignore[union-attr]
                seconds.append(float(side.stdout.readline()))  # type: ignore[union-attr]
        for side in sides:
            side.communicate()
        worst = max(abs(scores[0][name] - scores[1][name]) / abs(scores[1][name]) for name in TEN)
        here, plain = map(statistics.median, took)
        x, y = batch_of()
        passes = []
        for layout in (torch.contiguous_format, torch.channels_last):
            net, images = build_net(arch, 10, 0).to(memory_format=layout), x.to(memory_format=layout)
            passes.append(min(one_pass(net, images, y) for _ in range(max(2 * rounds, 3))))
        by_passes = [f"{one:.2f} s {plain / (LEAST_CONVOLUTIONS / 3 * one):.1f}" for one in passes]
        multiplying = 2 * least_multiplications(build_net(arch, 10, 0), x) / flops_per_second()
        ratio = statistics.median(b / a for a, b in zip(*took, strict=True))
        print(
            f"ten proxies, {label:8} ({macs(arch) / 1e6:5.1f} M)  plain {plain:6.2f} s  here {here:5.2f} s  "
            f"ratio {ratio:4.1f}"
            f"  largest difference {worst:.0e}  bounds: by multiplications {plain / multiplying:.1f},"
            f" by torch's passes of {by_passes[0]}, with channels_last of {by_passes[1]}",
            flush=True,
        )


def one_pass(net: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Seconds of one forward and backward pass."""
    return timed(lambda: F.cross_entropy(net(images), labels).backward())


def one_gradient(output: torch.Tensor, weights: list[torch.nn.Parameter]) -> float:
    """Seconds of one backward pass of a graph that is kept."""
    return timed(lambda: torch.autograd.grad(output, weights, retain_graph=True))


def single_passes(rounds: int) -> None:
    x, y = batch_of()
    net = build_net(NETS["11 M r1"], 10, 0)
    ratios = [
        timed(lambda: one_at_a_time(build_net(NETS["11 M r1"], 10, 0), x, y, ("zen",)))
        / timed(lambda: score(net, x, y, ("zen",)))
        for _ in range(rounds)
    ]
    print(f"zen: ratio {statistics.median(ratios):.1f} over building the network anew")
    for arch in (NETS["11 M r1"], "r1-s16-d6w16s2-d1w16s1-d5w32s2-d1w48s2"):
        net = build_net(arch, 10, 0)
        for name, size in (("ntk", 16), ("dyniso", 8)):
            scored = functools.partial(score, net, x[:size], y[:size], (name,))
            took = min(timed(scored) for _ in range(rounds))
            logits = net.train()(x[:size])
            weights = list(net.parameters())
            once = min(one_gradient(logits[0].sum(), weights) for _ in range(2 * rounds))
            passes = f", of which {size} backward passes take {size * once:.2f} s" if name == "ntk" else ""
            print(f"{name} of {size} images, {macs(arch) / 1e6:.1f} M macs, {arch}: {took:.2f} s{passes}")


def whole_suite() -> None:
    x, y = batch_of()
    net = build_net(NETS["11 M r1"], 10, 0)

    def suite() -> dict[str, float]:
        seconds: dict[str, float] = {}
        for size, names in by_batch(list(COMPUTE), 64).items():
            for name, took in score(net, x[:size], y[:size], names).seconds.items():
                seconds[name] = seconds.get(name, 0.0) + took
        for name, row in PROXIES.items():
            if row.weight_draws:
                seconds |= mean_of_draws(copy.deepcopy(net), x[: row.batch], y[: row.batch], name, 0).seconds
        return seconds

    suite()
    start = time.process_time()
    seconds = suite()
    print(f"whole suite, 11 M r1: {time.process_time() - start:.2f} s")
    for name, took in sorted(seconds.items(), key=lambda item: -item[1]):
        if took >= 0.001:
            print(f"    {name:18} {took * 1000:7.1f} ms")
    large = min(space("r1").members[:3000], key=lambda arch: abs(macs(arch) - 285e6))
    net = build_net(large, 10, 0)
    suite()
    print(
        f"peak memory after the suite on {macs(large) / 1e6:.0f} M macs: "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB"
    )


def without_a_network() -> None:
    arch = Arch.parse(NETS["66 M r1"])
    rounds = 2000
    took = timed(lambda: [sed_reconstructed(arch) for _ in range(rounds)]) / rounds
    print(
        f"sed_reconstructed: {took * 1e6:.1f} us an arch, macs "
        f"{timed(lambda: [macs(arch) for _ in range(rounds)]) / rounds * 1e6:.1f} us"
    )
    columns = {"stem": np.full(200_000, 16)}
    for s in range(4):
        stage = Stage(3, CHOICES["r1"].widths[s], 2 if s else 1)
        columns |= {
            f"s{s + 1}_{part}": np.full(200_000, value)
            for part, value in zip(("depth", "out", "stride"), stage, strict=True)
        }
    print(f"sed_of_table: {0.2 / timed(lambda: sed_of_table('r1', columns)):.1f} M archs/s")


def main() -> None:
    torch.set_num_threads(1)
    tune_process()
    rounds = 1 if "--quick" in sys.argv else 5
    without_a_network()
    ten_proxies(rounds)
    single_passes(rounds)
    whole_suite()


if __name__ == "__main__":
    main()
