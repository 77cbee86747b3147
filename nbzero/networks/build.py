"""A torch network from an architecture string, with its initial weights."""

from __future__ import annotations

import hashlib
import math
import operator

import torch
from torch import nn

from nbzero.errors import UsageError
from nbzero.networks.macro import Net
from nbzero.spaces.macro import Arch, as_arch


def seed_of(text: str) -> int:
    """The 63-bit seed that SHA-256 gives a text: of `"{arch}|{seed}"` for weights, others for the data order.

    >>> seed_of("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2|0")
    2487030805840891064
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def build_net(arch: str | Arch, num_classes: int = 10, seed: int = 0) -> Net:
    """The network of `arch` with its initial weights, in train mode, float32, on the CPU.

        convolutions    Kaiming-normal, N(0, 2 / (C_out k^2)): fan-out, ReLU gain
                        (depthwise ones too, as torch.nn.init counts their fan-out)
        batch norm      gamma 1 and beta 0 everywhere
        classifier      PyTorch's default U(-1/sqrt(C), 1/sqrt(C)), bias too

    The weights follow from SHA-256 of `"{arch}|{seed}"`. No global random state is read or moved.

    Raises:
        UsageError: an arch that is malformed or out of its grid, or fewer than 1 class.
        TypeError: a seed or number of classes that is no integer.
    """
    arch = as_arch(arch)
    num_classes = operator.index(num_classes)
    seed = operator.index(seed)  # "arch|0.0" would be other weights than "arch|0"
    if num_classes < 1:
        raise UsageError(f"num_classes is {num_classes!r}; at least 1")
    with torch.device("meta"):
        net = Net(arch, num_classes)
    net.to_empty(device="cpu")
    _draw_weights(net, torch.Generator().manual_seed(seed_of(f"{arch}|{seed}")))
    return net


def _draw_weights(net: Net, draws: torch.Generator) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=draws)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            for parameter in (module.weight, module.bias):
                nn.init.uniform_(parameter, -bound, bound, generator=draws)
