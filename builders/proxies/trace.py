"""One hooked forward pass and its backward passes over a network, shared by every proxy that can read what they recorded.

Capital endings name a tensor's axes: B images, C classes or channels, U units of one activation layer. Hooks keep reductions (a B x B
count, a channel sum), not activations, so memory stays near that of a plain forward and backward.

A proxy declares with `reads` which recorded fields it needs, and `take_trace` records no others. A further recorded quantity is a field of
`Trace`, and the lines of `take_trace` that fill it where `needs` names it. A proxy that makes passes of its own declares that too, and is
lent the network through `as_found`.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from builders.proxies.curvature import Curvature, Passing
from nbzero.errors import ProxyError, UsageError

WEIGHTED = (
    nn.Conv2d,
    nn.Linear,
)  # the layers whose `weight` the proxies call weights: no batch norm, no bias
NO_ACTIVATION = "reads the units of modules named ReLU, ReLU6, LeakyReLU .., GELU and SiLU (functional ones are unseen), and none ran in this network"


@dataclass(slots=True)
class Trace:
    """What proxies read: what the caller gave, and the recorded fields.

    A recorded field that no requested proxy declared stays unset: reading it is an AttributeError.

    Attributes:
        net: the module, as the caller gave it.
        images: (B, channels, H, W), on the network's device and of its dtype; or (B, T) int64 tokens.
        labels: (B,) int64.
        seed: of everything random beyond the network's initialisation.
        blocks: the modules that proxies call blocks, in order, see `blocks_of`.
        failed: field name -> why it could not be recorded.
        num_skipped: correlation matrices left out, because an image's responses or gradients were all equal there.
        num_classes: outputs of the network; recorded with the losses and the input gradients.
        weights: the weights of the convolutions and linear layers, in module order; recorded with `weight_grads`.
        weight_grads: dL/dW of each, the shape of W; L the mean cross-entropy of the batch, train mode.
        curvature: sum over weights of W^T H g, H the Hessian of L, g = dL/dW.
        input_grads: (B, pixels), d sum(logits of all images) / d image n in row n.
        channel_saliency: (weights per channel, sum over its channels c of mean over images t_nc^2 / 2) per call of a convolution or linear
            layer, t_nc = sum over positions of output * dL/d output.
        agree_BB: (B, B) float64, on how many units of the activation modules images i and j are both on or both
            off; on means pre-activation > 0. The diagonal is the number of units, 0 where no such module ran.
        act_corr, grad_corr: (block or None, (B, B) float64) per call of an activation module: |Pearson correlation| between images of its
            pre-activations, and of dL/d(pre-activation); the index in `blocks` of the block that holds the module, or of the one that ran
            where several share it.
        patterns: per call of an activation module the distinct columns of the B x U on/off matrix: (words, distinct) int64, 16 images a word.
        block_cov: (C, C) float64 covariance of channels over images and positions, of each block's output that is a feature map.
        block_gains: largest singular value per pair of successive block outputs, last first, of the mean over positions of g_in g_out^T:
            g_out random signs, g_in what they become pulled back; None where g_in equals g_out.
    """

    net: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    blocks: tuple[nn.Module, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    num_skipped: int = 0
    num_classes: int = field(init=False)
    weights: list[nn.Parameter] = field(init=False)
    weight_grads: tuple[Tensor, ...] = field(init=False)
    curvature: float = field(init=False)
    input_grads: Tensor = field(init=False)
    channel_saliency: list[tuple[int, float]] = field(init=False)
    agree_BB: Tensor = field(init=False)
    act_corr: list[tuple[int | None, Tensor]] = field(init=False)
    grad_corr: list[tuple[int | None, Tensor]] = field(init=False)
    patterns: list[Tensor] = field(init=False)
    block_cov: list[Tensor] = field(init=False)
    block_gains: list[float | None] = field(init=False)


READS: dict[str, frozenset[str]] = {}  # proxy -> the recorded fields that it declared
OWN_PASS: set[str] = set()  # the proxies that declared passes of their own
FROM_LOSS = frozenset({"weight_grads", "curvature", "channel_saliency", "grad_corr"})
FROM_GRAPH = FROM_LOSS | {"input_grads", "block_gains"}


def reads(
    *fields: str, own_pass: bool = False
) -> Callable[[Callable[[Trace], float]], Callable[[Trace], float]]:
    """Declare which recorded fields a proxy needs, and whether it runs or changes the network itself."""

    def declare(function: Callable[[Trace], float]) -> Callable[[Trace], float]:
        READS[function.__name__] = frozenset(fields)
        if own_pass:
            OWN_PASS.add(function.__name__)
        return function

    return declare


def take_trace(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    seed: int,
    needs: frozenset[str],
    blocks: Sequence[nn.Module] | None = None,
) -> Trace:
    """One train-mode forward pass, and where gradients are needed one backward pass each of the loss, of the size of its gradient, of the sum
    of the logits, and of random signs at the blocks.

    Args:
        net: put back as found.
        images, labels: as in `Trace`.
        seed: as in `Trace`; dropout draws from it.
        needs: names of recorded fields. A field that cannot be recorded gets its reason in `failed` instead.
        blocks: see `blocks_of`.

    Raises:
        UsageError: the loss is needed and a label is not one of the network's classes.
    """
    trace = Trace(net, images.detach(), labels, seed, blocks_of(net, blocks))
    if not needs:
        return trace
    try:
        return _record(trace, needs, copies=False)
    except _Overwritten:
        return _record(Trace(net, trace.images, labels, seed, trace.blocks), needs, copies=True)


class _Overwritten(Exception):
    """The network changed in place an output that is still to be read."""


def _record(trace: Trace, needs: frozenset[str], copies: bool) -> Trace:
    """Fill the fields of a trace. Where `copies`, the network gets copies of the outputs that are kept, so that it cannot overwrite them."""
    net = trace.net
    # Fused attention cannot be differentiated twice.
    with as_found(net, trace.seed), sdpa_kernel(SDPBackend.MATH), ExitStack() as hooks:
        net.train()
        recorder = _Recorder(trace, needs, hooks, copies)
        if "curvature" in needs:
            hooks.enter_context(recorder.second_order.inside(net, recorder.keep))
        with torch.set_grad_enabled(bool(needs & FROM_GRAPH)):
            try:
                logits_BC = net(recorder.inputs.clone())  # a network may change its input in place
            except ProxyError as error:
                trace.failed.update(dict.fromkeys(needs, str(error)))
                return trace
            if isinstance(logits_BC, Tensor) and logits_BC.isnan().any():
                trace.failed.update(
                    dict.fromkeys(needs, "nan: the network's output on these images is not a number")
                )
                return trace
            recorder.finish(logits_BC)
    return trace


def is_activation(module: nn.Module) -> bool:
    """Whether it has units that are on where what enters them is > 0: GELU, SiLU, and every ReLU by its name (ReLU6, LeakyReLU, PReLU, ..)."""
    return isinstance(module, (nn.GELU, nn.SiLU)) or (
        "ReLU" in type(module).__name__ and not any(True for _ in module.children())
    )


def blocks_of(net: nn.Module, blocks: Sequence[nn.Module] | None) -> tuple[nn.Module, ...]:
    """The blocks given, else `net.blocks` (a list of modules), else the direct children."""
    if blocks is None:
        own = getattr(net, "blocks", None)
        blocks = list(own) if isinstance(own, (nn.ModuleList, nn.Sequential)) else list(net.children())
    return tuple(blocks)


class _Recorder:
    """The hooks of one trace while its passes run."""

    def __init__(self, trace: Trace, needs: frozenset[str], hooks: ExitStack, copies: bool) -> None:
        net = trace.net
        self.trace, self.needs, self.copies = trace, needs, copies
        self.kept: list[tuple[Tensor, int]] = []  # an output, and its version when it was given
        self.running: list[int] = []  # the blocks that run now, the innermost last
        self.awaited: dict[
            int, tuple[GradientEdge, Callable[[Tensor | None], None]]
        ] = {}  # gradients of the loss that have not come
        self.tensor_hooks: list[torch.utils.hooks.RemovableHandle] = []
        self.block_outputs: list[Tensor] = []
        self.second_order = Curvature()
        self.inputs = trace.images
        if needs & FROM_GRAPH:
            for parameter in net.parameters():
                parameter.requires_grad_(parameter.is_floating_point())
            if self.inputs.is_floating_point():
                self.inputs = self.inputs.detach().requires_grad_()
        batch = len(trace.images)
        for name, empty in (
            ("act_corr", []),
            ("grad_corr", []),
            ("patterns", []),
            ("channel_saliency", []),
            ("block_cov", []),
        ):
            if name in needs:
                setattr(trace, name, empty)
        if "agree_BB" in needs:
            trace.agree_BB = torch.zeros(batch, batch, dtype=torch.float64, device=trace.images.device)
        places: dict[nn.Module, list[int]] = {}  # a block may be there twice, and a module in several
        holding: dict[nn.Module, list[int]] = {}
        for i, block in enumerate(trace.blocks):
            places.setdefault(block, []).append(i)
        for block, numbers in places.items():
            if needs & {"act_corr", "grad_corr"}:
                self.follow(block, numbers, hooks)
            if needs & {"block_cov", "block_gains"}:
                hooks.enter_context(block.register_forward_hook(self.block))
            for module in block.modules():
                holding.setdefault(module, []).extend(numbers)
        for module in net.modules():
            # A pre-hook: what enters the activation, not what leaves it.
            if is_activation(module) and needs & {"agree_BB", "act_corr", "grad_corr", "patterns"}:
                hooks.enter_context(
                    module.register_forward_pre_hook(partial(self.activation, holding.get(module, [])))
                )
            if isinstance(module, WEIGHTED) and "channel_saliency" in needs:
                hooks.enter_context(module.register_forward_hook(self.weighted))
        hooks.callback(self.clear)

    def clear(self) -> None:
        """Let go of the graph: hooks on tensors refer to it."""
        self.drop_tensor_hooks()
        self.block_outputs, self.kept = [], []

    def follow(self, block: nn.Module, numbers: list[int], hooks: ExitStack) -> None:
        """Know when a block runs; the first call of one that is there twice is its first place."""
        calls = itertools.count()

        def end(*_: Any) -> None:
            self.running.pop()

        hooks.enter_context(
            block.register_forward_pre_hook(
                lambda *_: self.running.append(numbers[min(next(calls), len(numbers) - 1)])
            )
        )
        hooks.enter_context(block.register_forward_hook(end))

    def keep(self, output: Tensor) -> Tensor:
        """What a layer returns in place of an output that is read after the forward pass."""
        if self.copies:
            return output.clone()
        self.kept.append((output, output._version))
        return output

    def activation(self, holding: list[int], _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        trace, needs, pre = self.trace, self.needs, inputs[0]
        if len(pre) != len(trace.images):
            reason = f"an activation saw a batch of {len(pre)} where {len(trace.images)} images were given"
            trace.failed.update(
                dict.fromkeys(needs & {"agree_BB", "act_corr", "grad_corr", "patterns"}, reason)
            )
            return
        running = [i for i in self.running if i in holding] if len(holding) > 1 else holding
        at = (running or holding or [None])[-1]
        pre_BU = pre.detach().flatten(1)
        if needs & {"agree_BB", "patterns"}:
            # gt straight into float32 takes 2 ms where (pre > 0).float() takes 8, for 64 x 98,304.
            on_BU = torch.gt(pre_BU, 0, out=torch.empty_like(pre_BU, dtype=torch.float32))
            if "agree_BB" in needs:
                _agree(trace.agree_BB, on_BU)
            if "patterns" in needs:
                trace.patterns.append(_patterns(on_BU))
        if "act_corr" in needs:
            self.correlate(trace.act_corr, at, pre_BU)
        if "grad_corr" in needs and pre.requires_grad:
            self.await_gradient(
                pre,
                lambda grad: self.correlate(trace.grad_corr, at, None if grad is None else grad.flatten(1)),
            )

    def correlate(
        self, recorded: list[tuple[int | None, Tensor]], at: int | None, rows_BU: Tensor | None
    ) -> None:
        corr_BB = None if rows_BU is None else _correlation(rows_BU)
        if corr_BB is None:
            self.trace.num_skipped += 1
        else:
            recorded.append((at, corr_BB))

    def await_gradient(self, tensor: Tensor, record: Callable[[Tensor | None], None]) -> None:
        """Record dL/d tensor as it comes, or None where the loss does not depend on the tensor."""
        number = len(self.tensor_hooks)

        def come(grad: Tensor) -> None:
            if self.awaited.pop(number, None):
                record(grad.detach())

        self.awaited[number] = get_gradient_edge(tensor), record
        self.tensor_hooks.append(tensor.register_hook(come))

    def weighted(self, layer: nn.Module, _: tuple[Any, ...], output: Tensor) -> Tensor | None:
        def sum_channels(grad: Tensor | None) -> None:
            if grad is None:
                return
            product = output.detach() * grad
            if isinstance(layer, nn.Conv2d):
                product = product.flatten(2).sum(2)
            elif product.ndim > 2:
                product = product.flatten(1, -2).sum(1)
            total = product.double().square().sum().item() / (2 * len(product))
            self.trace.channel_saliency.append((layer.weight[0].numel(), total))

        self.await_gradient(output, sum_channels)
        return self.keep(output)

    def block(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> Tensor | None:
        if not isinstance(output, Tensor) or output.ndim not in (3, 4) or not output.is_floating_point():
            return None
        if "block_cov" in self.needs:
            self.trace.block_cov.append(_covariance(output.detach()))
        if "block_gains" not in self.needs:
            return None
        self.block_outputs.append(output)
        return self.keep(output)

    def finish(self, logits_BC: Tensor) -> None:
        """The backward passes; each is skipped, with its reason, where the network does not allow it."""
        trace, needs = self.trace, self.needs
        if any(output._version != version for output, version in self.kept):
            raise _Overwritten
        self.kept = []
        if needs & FROM_LOSS:
            try:
                self.from_loss(logits_BC)
            except ProxyError as error:
                trace.failed.update(dict.fromkeys(needs & FROM_LOSS, str(error)))
        self.second_order.passing = Passing.INPUTS
        for name, record in (("input_grads", self.from_logits), ("block_gains", self.from_blocks)):
            if name in needs:
                try:
                    setattr(trace, name, record(logits_BC))
                except ProxyError as error:
                    trace.failed[name] = str(error)

    def from_loss(self, logits_BC: Tensor) -> None:
        trace, needs = self.trace, self.needs
        loss = loss_of(logits_BC, trace.labels)
        trace.num_classes = logits_BC.shape[1]
        self.second_order.passing = Passing.LOSS
        grads: tuple[Tensor, ...] = ()
        try:
            trace.weights = weights_of(trace.net)
            grads = gradients(loss, trace.weights, keep_graph=True, to_differentiate="curvature" in needs)
        except ProxyError as error:
            trace.failed.update(dict.fromkeys(needs & {"weight_grads", "curvature"}, str(error)))
        if (
            self.awaited and loss.requires_grad
        ):  # not on the way to a weight, as an activation before the first layer
            torch.autograd.grad(
                loss, [edge for edge, _ in self.awaited.values()], retain_graph=True, allow_unused=True
            )
        for _, record in self.awaited.values():
            record(None)
        self.drop_tensor_hooks()
        trace.weight_grads = tuple(grad.detach() for grad in grads)
        if "curvature" not in needs or not grads:
            return
        size = torch.stack(
            [(grad * value).sum() for grad, value in zip(grads, trace.weight_grads, strict=True)]
        ).sum()
        self.second_order.passing = Passing.CURVATURE
        curved = gradients(size, trace.weights, keep_graph=True)
        rest = sum(
            (weight.detach() * h).sum(dtype=torch.float64).item()
            for weight, h in zip(trace.weights, curved, strict=True)
        )
        trace.curvature = self.second_order.total() + rest

    def drop_tensor_hooks(self) -> None:
        """After the backward pass of the loss: they are of no other."""
        for hook in self.tensor_hooks:
            hook.remove()
        self.tensor_hooks, self.awaited = [], {}

    def from_logits(self, logits_BC: Tensor) -> Tensor:
        self.trace.num_classes = check_logits(logits_BC, len(self.trace.images)).shape[1]
        return input_gradients(logits_BC.sum(), self.inputs).flatten(1)

    def from_blocks(self, _: Tensor) -> list[float | None]:
        draws = generator(self.trace.seed)
        return [
            _gain(f_in, f_out, draws)
            for f_in, f_out in zip(self.block_outputs[-2::-1], self.block_outputs[:0:-1], strict=True)
        ]


def _agree(agree_BB: Tensor, on_BU: Tensor) -> None:
    """Add one layer's agreements: with G the Gram of the 0/1 states, U - G_ii - G_jj + 2 G_ij."""
    both_BB = (on_BU @ on_BU.T).double()  # counts below 2**24: exact in float32, and so are 0 and 1 in TF32
    on_B = both_BB.diagonal()
    agree_BB += on_BU.shape[1] - on_B[:, None] - on_B[None, :] + 2 * both_BB


def _patterns(on_BU: Tensor) -> Tensor:
    """The distinct columns of a 0/1 matrix, as (words, distinct) int64: 16 images a word, the first image the lowest bit."""
    words = []
    for part in on_BU.split(16):
        bit_B = 2 ** torch.arange(len(part), device=part.device, dtype=part.dtype)
        words.append((bit_B @ part).long())  # sums below 2**16: exact in float32 and, bit by bit, in TF32
    if len(words) == 1:
        seen = torch.zeros(1 << 16, dtype=torch.bool, device=on_BU.device)
        seen[words[0]] = True
        return seen.nonzero().T
    return torch.unique(torch.stack(words), dim=1)


def _correlation(rows_BU: Tensor) -> Tensor | None:
    """|Pearson correlation| of the rows, float64; None where a row is constant, so that it has none."""
    gram_BB = (rows_BU @ rows_BU.T).double()
    num_units = rows_BU.shape[1]
    mean_B = rows_BU.mean(1).double()
    cov_BB = gram_BB - num_units * mean_B[:, None] * mean_B[None, :]
    if (
        cov_BB.diagonal() > 1e-3 * gram_BB.diagonal()
    ).all():  # else the difference has lost its digits, or there is none
        corr_BB = _scaled(cov_BB)
        if (corr_BB > 0.999).sum() <= len(
            corr_BB
        ):  # else what is left of 1 - corr has: 1e-6 of a product in float32 moved wrcor by 1
            return corr_BB
    if (rows_BU.amax(1) == rows_BU.amin(1)).any():
        return None
    rows_BU = rows_BU.double()
    rows_BU = rows_BU - rows_BU.mean(1, keepdim=True)
    return _scaled(rows_BU @ rows_BU.T)


def _scaled(cov_BB: Tensor) -> Tensor:
    scale_B = cov_BB.diagonal().rsqrt()
    return (cov_BB * scale_B[:, None] * scale_B[None, :]).abs().fill_diagonal_(1)


def generator(seed: int) -> torch.Generator:
    """Draws on the processor, the same for every device."""
    return torch.Generator("cpu").manual_seed(seed)


def normal(shape: Sequence[int], draws: torch.Generator, like: Tensor) -> Tensor:
    """N(0, 1) of a tensor's dtype and device; drawn in float32 on the processor, whatever torch's defaults are."""
    return torch.randn(*shape, generator=draws, dtype=torch.float32, device="cpu").to(like)


def as_positions(features: Tensor) -> Tensor:
    """(B, C, H, W) or (B, T, C) features as (C, positions)."""
    return features.transpose(0, 1).flatten(1) if features.ndim == 4 else features.flatten(0, 1).T


def _covariance(features: Tensor) -> Tensor:
    """(C, C) float64 covariance (not corrected for the mean's degree of freedom) of the channels over images and positions."""
    x_CP = as_positions(features)
    x_CP = x_CP - x_CP.mean(1, keepdim=True)
    return (x_CP @ x_CP.T).double() / x_CP.shape[1]


def _gain(f_in: Tensor, f_out: Tensor, draws: torch.Generator) -> float | None:
    signs = (
        torch.randint(0, 2, f_out.shape, generator=draws, dtype=torch.int8, device="cpu")
        .to(f_out.device, f_out.dtype)
        .mul_(2)
        .sub_(1)
    )
    if f_out is f_in:
        return None
    pulled = (
        torch.autograd.grad(f_out, f_in, signs, retain_graph=True, allow_unused=True)[0]
        if f_out.requires_grad and f_in.requires_grad
        else None
    )
    if pulled is None:
        raise ProxyError(
            "the output of a block does not depend on the block before it, so nothing can be pulled back"
        )
    if pulled.shape == signs.shape and torch.equal(pulled, signs):
        return None
    if pulled.ndim == signs.ndim == 4:
        step = pulled.shape[2] // signs.shape[2]
        if step > 1 and pulled.shape[2:] == tuple(step * side for side in signs.shape[2:]):
            pulled = F.pixel_unshuffle(pulled, step)
    in_CP, out_CP = as_positions(pulled), as_positions(signs)
    if in_CP.shape[1] != out_CP.shape[1]:
        raise ProxyError(
            f"blocks give {tuple(f_in.shape)} and then {tuple(f_out.shape)}: the sizes are no multiples of each other"
        )
    cross = ((in_CP @ out_CP.T) / out_CP.shape[1]).double()
    if not cross.isfinite().all():
        return math.nan
    small = cross @ cross.T if len(cross) < len(cross.T) else cross.T @ cross
    return torch.linalg.eigvalsh(small)[-1].clamp(min=0).sqrt().item()


def check_logits(logits_BC: Tensor, num_images: int) -> Tensor:
    """The logits; ProxyError where the network returned something else."""
    if not isinstance(logits_BC, Tensor) or logits_BC.ndim != 2 or len(logits_BC) != num_images:
        given = (
            f"shape {tuple(logits_BC.shape)}" if isinstance(logits_BC, Tensor) else type(logits_BC).__name__
        )
        raise ProxyError(
            f"the score needs logits of shape ({num_images}, classes); the network returned {given}"
        )
    return logits_BC


def loss_of(logits_BC: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy.

    Raises:
        ProxyError: the network returned no logits.
        UsageError: a label is not one of its classes.
    """
    check_logits(logits_BC, len(labels))
    low, high = labels.min().item(), labels.max().item()
    if low < 0 or high >= logits_BC.shape[1]:
        raise UsageError(
            f"labels: {low} to {high}, but the network's {logits_BC.shape[1]} outputs allow 0 to "
            f"{logits_BC.shape[1] - 1}; give it as many outputs as there are classes"
        )
    return F.cross_entropy(logits_BC, labels)


def input_gradients(output: Tensor, inputs: Tensor) -> Tensor:
    """d output / d inputs; the graph is kept.

    Raises:
        ProxyError: tokens, or an output that does not depend on the images.
    """
    if not inputs.requires_grad:
        raise ProxyError("the gradient for the images needs images of numbers; tokens have none")
    grad = (
        torch.autograd.grad(output, inputs, retain_graph=True, allow_unused=True)[0]
        if output.requires_grad
        else None
    )
    if grad is None:
        raise ProxyError(
            "the network's output has no gradient: it does not depend on the images, or was detached"
        )
    return grad


def weights_of(net: nn.Module) -> list[nn.Parameter]:
    """The weights of every Conv2d and Linear, in module order, a shared one once.

    Raises:
        ProxyError: there is none, or one is computed from other parameters, as by weight norm.
    """
    weights: dict[int, nn.Parameter] = {}
    for name, module in net.named_modules():
        if isinstance(module, WEIGHTED):
            if not isinstance(module.weight, nn.Parameter):
                raise ProxyError(
                    f"the weight of {name!r} is computed from others; remove its parametrization first"
                )
            weights[id(module.weight)] = module.weight
    if not weights:
        raise ProxyError("the network has no Conv2d and no Linear layer, so no weights")
    return list(weights.values())


def gradients(
    output: Tensor, weights: list[nn.Parameter], keep_graph: bool = False, to_differentiate: bool = False
) -> tuple[Tensor, ...]:
    """d output / dW for each weight, 0 for one that did not take part; `.grad` is not touched.

    Args:
        keep_graph: further backward passes of the same graph follow.
        to_differentiate: the gradients themselves will be differentiated.

    Raises:
        ProxyError: the output depends on none of them.
    """
    if not output.requires_grad:
        raise ProxyError("the network's output has no gradient: it depends on no weight, or was detached")
    return torch.autograd.grad(
        output, weights, materialize_grads=True, retain_graph=keep_graph, create_graph=to_differentiate
    )


_POOLS = {F.adaptive_avg_pool2d, F.avg_pool2d, torch.mean, Tensor.mean}


class _Pooled(TorchFunctionMode):
    """Inside, keeps what entered the last global average pooling, of a module or functional: (B, C, H, W) to a value per image and channel."""

    features: Tensor | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in _POOLS and isinstance(given := args[0] if args else None, Tensor) and given.ndim == 4:
            to_each_channel = (
                output.shape[:2] == given.shape[:2] and output.numel() == given.shape[:2].numel()
            )
            if to_each_channel and (
                self.features is None or output.numel() < given.numel()
            ):  # the mean of pooled features takes off two axes
                self.features = given
        return output


def features_of(net: nn.Module, images: Tensor) -> Tensor:
    """The tensor before global pooling: `net.features(images)`, else what enters the last average pooling to one value a channel.

    Raises:
        ProxyError: the network has neither.
    """
    if callable(getattr(net, "features", None)):
        return net.features(images)
    with _Pooled() as pooled:
        net(images)
    if pooled.features is None:
        raise ProxyError(
            "the network's features are not known: it has no features(images), and no average pooling of a feature map to 1 x 1"
        )
    return pooled.features


@contextmanager
def as_found(net: nn.Module, seed: int) -> Iterator[None]:
    """Lend a network to one pass, and put it back afterwards, also after an error.

    Inside, buffers are copies, no activation works in place, and the pass may set any parameter's `data` and `requires_grad` and any
    submodule's mode. The generators of torch, from which dropout draws, and those of numpy and Python are seeded, and put back. A batch norm in
    train mode that sees one value per channel raises ProxyError.
    """
    modes = [(module, module.training) for module in net.modules()]
    in_place = [module for module in net.modules() if getattr(module, "inplace", False) is True]
    buffers = [(module, dict(module._buffers)) for module in net.modules()]
    parameters = [(parameter, parameter.data, parameter.requires_grad) for parameter in net.parameters()]
    devices = {parameter.device for parameter, _, _ in parameters}
    generators = [torch.default_generator]
    generators += [torch.cuda.default_generators[device.index] for device in devices if device.type == "cuda"]
    states = [(generator, generator.get_state()) for generator in generators]
    others = random.getstate(), np.random.get_state()
    hooks = ExitStack()
    copies: dict[int, Tensor] = {}  # a buffer shared by two modules stays shared
    try:
        for module in in_place:
            module.inplace = False
        for module, own in buffers:
            for name, buffer in own.items():
                setattr(
                    module, name, None if buffer is None else copies.setdefault(id(buffer), buffer.clone())
                )
        for module in net.modules():
            if isinstance(module, _BatchNorm):
                hooks.enter_context(module.register_forward_pre_hook(_refuse_single_value))
        for generator in generators:
            generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        yield
    finally:
        hooks.close()
        for module, training in modes:
            module.training = training
        for module in in_place:
            module.inplace = True
        for module, own in buffers:
            for name in module._buffers.keys() - own.keys():
                delattr(module, name)
            for name, buffer in own.items():
                setattr(module, name, buffer)
        for parameter, data, requires_grad in parameters:
            parameter.data = data
            parameter.requires_grad_(requires_grad)
        for generator, state in states:
            generator.set_state(state)
        random.setstate(others[0])
        np.random.set_state(others[1])


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
            norm.forward = lambda x: x
        yield
    finally:
        for norm, forward in zip(norms, own, strict=True):
            del norm.forward
            if forward is not None:
                norm.forward = forward
