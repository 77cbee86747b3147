"""A torch network from an architecture string, with its initial weights."""

from __future__ import annotations

import hashlib
import importlib
import math
import operator

import torch
from torch import nn

from nbzero.errors import UsageError, check_known, quoted
from nbzero.networks.macro import Net
from nbzero.networks.network import Network
from nbzero.networks.published import NETWORKS, VARIANTS
from nbzero.spaces.macro import Arch, as_arch
from nbzero.spaces.published import IMPORTED, space_of


def seed_of(text: str) -> int:
    """The 63-bit seed that SHA-256 gives a text: of `"{arch}|{seed}"` for weights, others for the data order.

    >>> seed_of("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2|0")
    2487030805840891064
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def build_net(arch: str | Arch, num_classes: int = 10, seed: int = 0, variant: str | None = None) -> Network:
    """The network of `arch` with its initial weights, in train mode, float32, on the CPU.

        convolutions    Kaiming-normal, N(0, 2 / (C_out k^2)): fan-out, ReLU gain
                        (depthwise ones too, as torch.nn.init counts their fan-out)
        batch norm      gamma 1 and beta 0 everywhere
        classifier      PyTorch's default U(-1/sqrt(C), 1/sqrt(C)), bias too

    An arch of a published benchmark gives that benchmark's network. Its convolutions have PyTorch's default,
    U(-1/sqrt(n), 1/sqrt(n)) with n = (C_in / groups) k^2, as the authors of proxies score them. So do the
    linear layers, with n their inputs; embeddings are N(0, 1).

    The weights follow from SHA-256 of `"{arch}|{seed}"`. No global random state is read or moved.

    Args:
        arch: of our spaces or of a published benchmark.
        num_classes: of the classifier.
        seed: of the weights.
        variant: whose code is meant where it scores another network than the one that was trained. "swap":
            for an arch of darts a tiny network of one cell, for one of flexibert an encoder of hidden size
            256 and feed-forward width 1024 (`nbzero.networks.darts`, `nbzero.networks.flexibert`). None: the
            network that was trained.

    Raises:
        UnknownNameError: a variant that does not exist.
        UsageError: an arch that is malformed or out of its grid, or of a benchmark that has no networks here,
            a variant of another space, or fewer than 1 class.
        TypeError: a seed or number of classes that is no integer.
    """
    published = space_of(arch) if isinstance(arch, str) else None
    if published is None:
        arch = as_arch(arch)
    num_classes = operator.index(num_classes)
    seed = operator.index(seed)  # "arch|0.0" would be other weights than "arch|0"
    if variant is not None:
        _check_variant(variant, published, str(arch))
    if num_classes < 1:
        raise UsageError(f"num_classes is {num_classes!r}; at least 1")
    with torch.device("meta"):
        if isinstance(arch, Arch):
            net: Network = Net(arch, num_classes)
        else:
            net = _published_net(str(published), arch, num_classes, variant)
    net.to_empty(device="cpu")
    draws = torch.Generator().manual_seed(seed_of(f"{arch}|{seed}"))
    if published is None:
        _draw_weights(net, draws)
    else:
        _draw_default_weights(net, draws)
    return net


def _check_variant(variant: str, space: str | None, arch: str) -> None:
    check_known("variant", [variant], VARIANTS)
    if space not in VARIANTS[variant]:
        there = ", ".join(VARIANTS[variant])
        raise UsageError(f"variant {variant!r} of {quoted(arch)}; archs of {there} have it, others none")


def _published_net(space: str, arch: str, num_classes: int, variant: str | None) -> Network:
    values = IMPORTED[space].parse(arch)
    if space not in NETWORKS:
        raise UsageError(f"{space} has no networks here; those of {', '.join(NETWORKS)} can be built")
    makers = NETWORKS if variant is None else VARIANTS[variant]
    home, name = makers[space].split(":")
    net: Network = getattr(importlib.import_module(home), name)(values, num_classes)
    return net


def _draw_default_weights(net: nn.Module, draws: torch.Generator) -> None:
    """PyTorch's defaults, drawn from a generator."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = 1 / math.sqrt(module.weight[0].numel())
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=draws)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=draws)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            module.reset_parameters()


def _draw_weights(net: nn.Module, draws: torch.Generator) -> None:
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
