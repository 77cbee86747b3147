"""One hooked forward and backward pass over a network, shared by every proxy that can read what it recorded.

Capital endings name a tensor's axes: B images, C classes, U units of one ReLU layer. Hooks keep reductions (a B x B
count), not activations, so memory stays near that of a plain forward and backward.

A proxy declares with `reads` which recorded fields it needs, and `take_trace` records no others. A further recorded
quantity is a field of `Trace`, and the lines of `take_trace` that fill it where `needs` names it. A proxy that makes
passes of its own declares that too, and is lent the network through `as_found`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nbzero.errors import ProxyError

WEIGHTED = (nn.Conv2d, nn.Linear)  # the layers whose `weight` the proxies call weights: no batch norm, no bias
RELUS = (nn.ReLU, nn.ReLU6)  # ReLU6 is no subclass of ReLU


@dataclass(slots=True)
class Trace:
    """What proxies read: what the caller gave, and the recorded fields.

    A recorded field that no requested proxy declared stays unset: reading it is an AttributeError.

    Attributes:
        net: the module, as the caller gave it.
        images: (B, channels, H, W), on the network's device and of its dtype.
        labels: (B,) int64.
        seed: of everything random beyond the network's initialisation.
        failed: field name -> why it could not be recorded.
        weights: the weights of the convolutions and linear layers, in module order; recorded with `weight_grads`.
        weight_grads: dL/dW of each, the shape of W; L the mean cross-entropy of the batch, train mode.
        agree_BB: (B, B) float64, on how many units of the ReLU and ReLU6 modules images i and j are both on or both
            off; on means pre-activation > 0. The diagonal is the number of units, 0 where no such module ran.
    """

    net: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    failed: dict[str, str] = field(default_factory=dict)
    weights: list[nn.Parameter] = field(init=False)
    weight_grads: tuple[Tensor, ...] = field(init=False)
    agree_BB: Tensor = field(init=False)


READS: dict[str, frozenset[str]] = {}  # proxy -> the recorded fields that it declared
OWN_PASS: set[str] = set()  # the proxies that declared passes of their own


def reads(*fields: str, own_pass: bool = False) -> Callable[[Callable[[Trace], float]], Callable[[Trace], float]]:
    """Declare which recorded fields a proxy needs, and whether it runs or changes the network itself."""

    def declare(function: Callable[[Trace], float]) -> Callable[[Trace], float]:
        READS[function.__name__] = frozenset(fields)
        if own_pass:
            OWN_PASS.add(function.__name__)
        return function

    return declare


def take_trace(net: nn.Module, images: Tensor, labels: Tensor, seed: int, needs: frozenset[str]) -> Trace:
    """One train-mode forward pass, and one backward pass where a gradient is needed.

    Args:
        net: put back as found.
        images, labels: as in `Trace`.
        seed: as in `Trace`; dropout draws from it.
        needs: names of recorded fields. A field that cannot be recorded gets its reason in `failed` instead.

    Raises:
        ValueError: the loss is needed and a label is not one of the network's classes.
    """
    trace = Trace(net, images.detach(), labels, seed)
    if not needs:
        return trace
    with as_found(net, seed), ExitStack() as hooks:
        net.train()
        if "agree_BB" in needs:
            trace.agree_BB = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)
            # A pre-hook, because an in-place ReLU overwrites its input.
            for module in net.modules():
                if isinstance(module, RELUS):
                    hooks.enter_context(module.register_forward_pre_hook(lambda _, pre: _agree(trace, *pre)))
        if "weight_grads" in needs:
            for parameter in net.parameters():
                parameter.requires_grad_(parameter.is_floating_point())
        with torch.set_grad_enabled("weight_grads" in needs):
            logits_BC = net(trace.images)
            if isinstance(logits_BC, Tensor) and logits_BC.isnan().any():
                trace.failed.update(dict.fromkeys(needs, "nan: the network's output on these images is not a number"))
            elif "weight_grads" in needs:
                try:
                    trace.weights = weights_of(net)
                    trace.weight_grads = gradients(_loss(logits_BC, labels), trace.weights)
                except ProxyError as error:
                    trace.failed["weight_grads"] = str(error)
    return trace


def _agree(trace: Trace, pre: Tensor) -> None:
    """Add one ReLU's agreements to `agree_BB`: with G the Gram of the 0/1 states, U - G_ii - G_jj + 2 G_ij."""
    if len(pre) != len(trace.images):
        trace.failed["agree_BB"] = f"a ReLU saw a batch of {len(pre)} where {len(trace.images)} images were given"
        return
    # gt straight into float32 takes 2 ms where (pre > 0).float() takes 8, for 64 x 98,304.
    on_BU = torch.gt(pre.detach(), 0, out=torch.empty_like(pre, dtype=torch.float32)).flatten(1)
    both_BB = (on_BU @ on_BU.T).double()  # counts below 2**24: exact in float32, and so are 0 and 1 in TF32
    on_B = both_BB.diagonal()
    trace.agree_BB += on_BU.shape[1] - on_B[:, None] - on_B[None, :] + 2 * both_BB


def _loss(logits_BC: Tensor, labels: Tensor) -> Tensor:
    if not isinstance(logits_BC, Tensor) or logits_BC.ndim != 2 or len(logits_BC) != len(labels):
        given = f"shape {tuple(logits_BC.shape)}" if isinstance(logits_BC, Tensor) else type(logits_BC).__name__
        raise ProxyError(f"the loss needs logits of shape ({len(labels)}, classes); the network returned {given}")
    low, high = labels.min().item(), labels.max().item()
    if low < 0 or high >= logits_BC.shape[1]:
        raise ValueError(
            f"labels: {low} to {high}, but the network's {logits_BC.shape[1]} outputs allow 0 to "
            f"{logits_BC.shape[1] - 1}; give it as many outputs as there are classes"
        )
    return F.cross_entropy(logits_BC, labels)


def weights_of(net: nn.Module) -> list[nn.Parameter]:
    """The weights of every Conv2d and Linear, in module order, a shared one once.

    Raises:
        ProxyError: there is none, or one is computed from other parameters, as by weight norm.
    """
    weights: dict[int, nn.Parameter] = {}
    for name, module in net.named_modules():
        if isinstance(module, WEIGHTED):
            if not isinstance(module.weight, nn.Parameter):
                raise ProxyError(f"the weight of {name!r} is computed from others; remove its parametrization first")
            weights[id(module.weight)] = module.weight
    if not weights:
        raise ProxyError("the network has no Conv2d and no Linear layer, so no weights")
    return list(weights.values())


def gradients(output: Tensor, weights: list[nn.Parameter]) -> tuple[Tensor, ...]:
    """d output / dW for each weight, 0 for one that did not take part; `.grad` is not touched.

    Raises:
        ProxyError: the output depends on none of them.
    """
    if not output.requires_grad:
        raise ProxyError("the network's output has no gradient: it depends on no weight, or was detached")
    return torch.autograd.grad(output, weights, materialize_grads=True)


def features_of(net: nn.Module, images: Tensor) -> Tensor:
    """The tensor before global pooling: `net.features(images)`, else what enters the last AdaptiveAvgPool2d to 1 x 1.

    Raises:
        ProxyError: the network has neither.
    """
    if callable(getattr(net, "features", None)):
        return net.features(images)
    pooled: list[Tensor] = []
    with ExitStack() as hooks:
        for module in net.modules():
            if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
                hooks.enter_context(module.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0])))
        net(images)
    if not pooled:
        raise ProxyError("the network's features are not known: it has no features(images) and no AdaptiveAvgPool2d(1)")
    return pooled[-1]


@contextmanager
def as_found(net: nn.Module, seed: int) -> Iterator[None]:
    """Lend a network to one pass, and put it back afterwards, also after an error.

    Inside, buffers are copies, and the pass may set any parameter's `data` and `requires_grad` and any submodule's
    mode. torch's own generators, from which dropout draws, are seeded, and put back as well.
    """
    modes = [(module, module.training) for module in net.modules()]
    buffers = [(module, *item) for module in net.modules() for item in module.named_buffers(recurse=False)]
    parameters = [(parameter, parameter.data, parameter.requires_grad) for parameter in net.parameters()]
    devices = {parameter.device for parameter, _, _ in parameters}
    generators = [torch.default_generator]
    generators += [torch.cuda.default_generators[device.index] for device in devices if device.type == "cuda"]
    states = [(generator, generator.get_state()) for generator in generators]
    copies: dict[int, Tensor] = {}  # a buffer shared by two modules stays shared
    try:
        for module, name, buffer in buffers:
            setattr(module, name, copies.setdefault(id(buffer), buffer.clone()))
        for generator in generators:
            generator.manual_seed(seed)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module, name, buffer in buffers:
            setattr(module, name, buffer)
        for parameter, data, requires_grad in parameters:
            parameter.data = data
            parameter.requires_grad_(requires_grad)
        for generator, state in states:
            generator.set_state(state)


@contextmanager
def without_batch_norm(net: nn.Module) -> Iterator[None]:
    """Every batch norm is the identity inside."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    own = [vars(norm).get("forward") for norm in norms]  # a forward set on the instance itself
    try:
        for norm in norms:
            norm.forward = lambda x: x
        yield
    finally:
        for norm, forward in zip(norms, own, strict=True):
            del norm.forward
            if forward is not None:
                norm.forward = forward
