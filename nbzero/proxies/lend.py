"""Lending a network to a pass that may change it, and putting it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nbzero.errors import ProxyError
from nbzero.proxies.draws import seeded_draws


@contextmanager
def as_found(net: nn.Module, seed: int) -> Iterator[None]:
    """Lend a network to one pass, and put it back afterwards, also after an error.

    Inside:

        buffers         are copies
        activations     do not work in place
        parameters      may get another `data` and `requires_grad`
        modes           of any submodule may be set
        generators      of torch (from which dropout draws), numpy and Python are seeded, and put back
        batch norm      in train mode raises ProxyError where it sees one value per channel
    """
    with (
        _modes(net),
        _buffers(net),
        _parameters(net),
        seeded_generators(net, seed),
        _single_values_refused(net),
    ):
        yield


@contextmanager
def _modes(net: nn.Module) -> Iterator[None]:
    """Train or eval mode of every module; nothing works in place inside."""
    modes = [(module, module.training) for module in net.modules()]
    in_place: list[Any] = [module for module in net.modules() if getattr(module, "inplace", False) is True]
    try:
        for module in in_place:
            module.inplace = False
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module in in_place:
            module.inplace = True


@contextmanager
def _buffers(net: nn.Module) -> Iterator[None]:
    """Copies of the buffers inside; afterwards the buffers themselves, and none that was made since."""
    found = [(module, dict(module._buffers)) for module in net.modules()]
    copies: dict[int, Tensor] = {}  # a buffer shared by two modules stays shared
    try:
        for module, own in found:
            for name, buffer in own.items():
                if buffer is not None:
                    setattr(module, name, copies.setdefault(id(buffer), buffer.clone()))
        yield
    finally:
        for module, own in found:
            for name in module._buffers.keys() - own.keys():
                delattr(module, name)
            for name, buffer in own.items():
                setattr(module, name, buffer)


@contextmanager
def _parameters(net: nn.Module) -> Iterator[None]:
    found = [(parameter, parameter.data, parameter.requires_grad) for parameter in net.parameters()]
    try:
        yield
    finally:
        for parameter, data, requires_grad in found:
            parameter.data = data
            parameter.requires_grad_(requires_grad)


@contextmanager
def seeded_generators(net: nn.Module, seed: int) -> Iterator[None]:
    """The generators of torch, numpy and Python, seeded inside and put back."""
    generators = [torch.default_generator]
    for device in {parameter.device for parameter in net.parameters()}:
        if device.type == "cuda":
            generators.append(torch.cuda.default_generators[device.index])
    states = [generator.get_state() for generator in generators]
    try:
        for generator in generators:
            generator.manual_seed(seed)
        with seeded_draws(seed):
            yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@contextmanager
def _single_values_refused(net: nn.Module) -> Iterator[None]:
    with ExitStack() as hooks:
        for module in net.modules():
            if isinstance(module, _BatchNorm):
                hooks.enter_context(module.register_forward_pre_hook(_refuse_single_value))
        yield


def _refuse_single_value(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if norm.training and inputs[0].numel() == inputs[0].shape[1]:
        raise ProxyError(
            "a batch norm sees one pixel of one image, which has no variance; give more or larger images"
        )


@contextmanager
def without_batch_norm(net: nn.Module) -> Iterator[None]:
    """Every batch norm is the identity inside."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    own = [vars(norm).get("forward") for norm in norms]  # a forward set on the instance itself
    try:
        for norm in norms:
            vars(norm)["forward"] = _identity
        yield
    finally:
        for norm, forward in zip(norms, own, strict=True):
            del vars(norm)["forward"]
            if forward is not None:
                vars(norm)["forward"] = forward


def _identity(x: Tensor) -> Tensor:
    return x
