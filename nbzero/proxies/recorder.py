"""Fills a `Trace`: one hooked forward pass over a network, and its backward passes.

Hooks keep reductions (a B x B count, a channel sum), not activations. So memory stays near that of a plain
forward and backward pass.

Capital endings name a tensor's axes: B images, C classes or channels, U units of one activation layer, P
positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.hooks import RemovableHandle

from nbzero.errors import ProxyError
from nbzero.proxies.axes import FIRST, Axes, Layout, UnsureError, images_first, layouts_of
from nbzero.proxies.curvature import Curvature, Passing
from nbzero.proxies.lend import Lender
from nbzero.proxies.marks import mark, marked_images, marks_of
from nbzero.proxies.passes import (
    check_logits,
    exactly,
    generator,
    gradients,
    input_gradients,
    loss_of,
    reason_of,
    weights_of,
    wide,
)
from nbzero.proxies.trace import WORD, Trace, distinct_columns
from nbzero.proxies.watch import Watch

_ON_OFF = frozenset({"agree_BB", "patterns"})
_CORRELATIONS = frozenset({"act_corr", "grad_corr"})
_OF_ACTIVATIONS = _ON_OFF | _CORRELATIONS
_OF_BLOCKS = frozenset({"block_cov", "block_gains"})
_FROM_LOSS = frozenset({"weight_grads", "curvature", "channel_saliency", "grad_corr"})
_ALONG_LAYERS = frozenset({"curvature", "channel_saliency", "grad_corr"})
_RECOMPUTED = (
    "the network computes layers again in its backward pass, in a function of its own, where their gradients "
    "cannot be followed; torch.utils.checkpoint can"
)
_BY_IMAGE = _OF_ACTIVATIONS | {"channel_saliency"}
_FROM_GRAPH = _FROM_LOSS | {"input_grads", "block_gains"}
_LISTS = ("act_corr", "grad_corr", "patterns", "channel_saliency", "block_cov")


def take_trace(
    lender: Lender,
    images: Tensor,
    labels: Tensor,
    seed: int,
    needs: frozenset[str],
    blocks: Sequence[nn.Module] = (),
    authors_counting: bool = False,
) -> Trace:
    """One train-mode forward pass, and the backward passes that are needed.

    These are one each of the loss, of the size of its gradient, of the sum of the logits, and of random signs
    at the blocks. Where the operations do not tell which axis is the images, two passes over two and three
    images come before (`axes`).

    Args:
        lender: of the network.
        images, labels: as in `Trace`.
        seed: as in `Trace`; dropout draws from it.
        needs: names of recorded fields. A field that cannot be recorded gets its reason in `failed` instead.
        blocks: the modules that proxies call blocks.
        authors_counting: as in `Trace`; goes with the fields of `BY_UNIT` alone.

    Raises:
        UsageError: the loss is needed and a label is not one of the network's classes.
    """
    images = images.detach()
    copies, layouts = False, None
    failed: dict[str, str] = {}
    while True:
        trace = Trace(lender.net, images, labels, seed, tuple(blocks), authors_counting, failed=dict(failed))
        if not needs:
            return trace
        try:
            return _record(lender, trace, needs, copies, layouts)
        except _OverwrittenError:
            copies = True
        except UnsureError:
            try:
                layouts = _layouts(lender, trace, needs)
            except ProxyError as error:
                failed = dict.fromkeys(needs & _BY_IMAGE, str(error))
                needs -= _BY_IMAGE


def _layouts(lender: Lender, trace: Trace, needs: frozenset[str]) -> list[Layout | str]:
    """The layouts of what enters activations and leaves layers, in the order in which they run."""

    @contextmanager
    def lend() -> Iterator[nn.Module]:
        with lender.lend(trace.seed) as (net, _):
            yield net

    @contextmanager
    def listen(net: nn.Module, tell: Callable[[Tensor], None]) -> Iterator[None]:
        tell_unit: Any = (lambda _, pre: tell(pre)) if needs & _OF_ACTIVATIONS else None
        tell_weighted: Any = (lambda _, __, output: tell(output)) if "channel_saliency" in needs else None
        watch = Watch(net, tell_unit, tell_weighted)
        try:
            with watch:
                yield
        finally:
            watch.close()

    return layouts_of(lend, trace.images, listen)


class _OverwrittenError(Exception):
    """The network changed in place an output that is still to be read."""


def _record(
    lender: Lender, trace: Trace, needs: frozenset[str], copies: bool, layouts: list[Layout | str] | None
) -> Trace:
    """Fill the fields of a trace.

    Where `copies`, the network gets copies of the outputs that are kept, so that it cannot overwrite them.
    """
    # Fused attention cannot be differentiated twice.
    with (
        lender.lend(trace.seed, trace.blocks) as (net, blocks),
        sdpa_kernel(SDPBackend.MATH),
        ExitStack() as hooks,
    ):
        net.train()
        axes = Axes(len(trace.images), layouts)
        recorder = _Recorder(net, blocks, trace, needs, hooks, copies, axes)
        with torch.set_grad_enabled(bool(needs & _FROM_GRAPH)):
            images = marked_images(recorder.inputs)
            if "curvature" in needs and not torch.is_autocast_enabled(images.device.type):
                hooks.enter_context(recorder.second_order.inside(net, images, recorder.keep))
            try:
                with recorder.watch:
                    recorder.hook_outputs(hooks)
                    logits_BC = net(images)
            except ProxyError as error:
                recorder.fail(needs, str(error))
                return trace
            with exactly(trace.images.device.type):
                if isinstance(logits_BC, Tensor) and logits_BC.isnan().any():
                    recorder.fail(needs, "nan: the network's output on these images is not a number")
                    return trace
                recorder.finish(logits_BC)
    return trace


class _Recorder:
    """What one trace hears while its passes run."""

    def __init__(
        self,
        net: nn.Module,
        blocks: Sequence[nn.Module],
        trace: Trace,
        needs: frozenset[str],
        hooks: ExitStack,
        copies: bool,
        axes: Axes,
    ) -> None:
        self.net, self.blocks, self.axes = net, blocks, axes
        self.trace, self.needs, self.copies = trace, needs, copies
        self.inputs = trace.images
        self.second_order = Curvature()
        self.is_unsure = False
        self.kept: list[tuple[Tensor, int]] = []  # an output, and its version when it was given
        self.running: list[int] = []  # the blocks that run now, the innermost last
        self.block_outputs: list[tuple[Tensor, int]] = []  # with their channel axes
        # Gradients of the loss that have not come, and what records them.
        self.awaited: dict[int, tuple[GradientEdge, Callable[[Tensor | None], None]]] = {}
        self.tensor_hooks: list[RemovableHandle] = []
        if needs & _FROM_GRAPH:
            self.require_gradients()
        self.make_fields()
        tell_unit = self.activation if needs & _OF_ACTIVATIONS else None
        tell_weighted = self.weighted if "channel_saliency" in needs else None
        self.watch = Watch(net, tell_unit, tell_weighted)
        self.holding = self.hook_blocks(hooks)
        if trace.authors_counting:
            self.hook_containers(hooks)
        hooks.callback(self.clear)

    def require_gradients(self) -> None:
        for parameter in self.net.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        if self.inputs.is_floating_point():
            self.inputs = self.inputs.detach().requires_grad_()

    def make_fields(self) -> None:
        """Empty fields, for the hooks to fill."""
        trace = self.trace
        for name in self.needs.intersection(_LISTS):
            setattr(trace, name, [])
        if "agree_BB" in self.needs:
            shape = (len(trace.images), len(trace.images))
            trace.agree_BB = torch.zeros(shape, dtype=torch.float64, device=trace.images.device)

    def hook_blocks(self, hooks: ExitStack) -> dict[nn.Module, list[int]]:
        """Hook the blocks; return which blocks hold each module.

        A block may be there twice, and a module in several.
        """
        places: dict[nn.Module, list[int]] = {}
        holding: dict[nn.Module, list[int]] = {}
        for i, block in enumerate(self.blocks):
            places.setdefault(block, []).append(i)
        for block, numbers in places.items():
            if self.needs & (_CORRELATIONS | _OF_BLOCKS):
                self.follow(block, numbers, hooks)
            for module in block.modules():
                holding.setdefault(module, []).extend(numbers)
        return holding

    def hook_outputs(self, hooks: ExitStack) -> None:
        """Hook what blocks give, after the watch has its hooks: it marks what this reads."""
        if self.needs & _OF_BLOCKS:
            for block in dict.fromkeys(self.blocks):
                hooks.enter_context(block.register_forward_hook(self.block))

    def hook_containers(self, hooks: ExitStack) -> None:
        """Hook the modules with children that are named like an activation."""
        for module in self.net.modules():
            if module._modules and "ReLU" in type(module).__name__:
                hooks.enter_context(module.register_forward_pre_hook(self.container_begins))
                hooks.enter_context(module.register_forward_hook(self.container_ends))

    def container_begins(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """What enters a container counts as what enters an activation, the images first."""
        if inputs and isinstance(inputs[0], Tensor) and not self.watch.is_deaf:
            self.watch.unheard(self.responses, self.block_of(module), wide(inputs[0].detach()).flatten(1))

    def container_ends(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        """Of the gradients that count those of its last operation's first input: so torch's old hooks."""
        last = getattr(output, "grad_fn", None)
        if "grad_corr" not in self.needs or last is None or self.watch.is_deaf:
            return
        block = self.block_of(module)

        def come(of_inputs: tuple[Tensor | None, ...], _: Any) -> None:
            handle.remove()  # a second backward pass brings the gradients that were still awaited
            grad = of_inputs[0]
            self.correlate(self.trace.grad_corr, block, None if grad is None else wide(grad).flatten(1))

        handle = last.register_hook(come)
        self.tensor_hooks.append(handle)

    def clear(self) -> None:
        """Let go of the graph: hooks on tensors refer to it."""
        self.watch.close()
        self.drop_tensor_hooks()
        self.block_outputs, self.kept = [], []

    def fail(self, fields: frozenset[str], reason: str) -> None:
        """Say why these fields could not be recorded."""
        self.trace.failed.update(dict.fromkeys(fields, reason))

    def follow(self, block: nn.Module, numbers: list[int], hooks: ExitStack) -> None:
        """Know when a block runs; the first call of one that is there twice is its first place."""
        calls = itertools.count()

        def begin(*_: Any) -> None:
            if not self.watch.is_deaf:
                self.running.append(numbers[min(next(calls), len(numbers) - 1)])

        def end(*_: Any) -> None:
            if not self.watch.is_deaf:
                self.running.pop()

        hooks.enter_context(block.register_forward_pre_hook(begin))
        hooks.enter_context(block.register_forward_hook(end))

    def keep(self, output: Tensor) -> Tensor:
        """What a layer returns in place of an output that is read after the forward pass."""
        if self.copies:
            return mark(output.clone(), marks_of(output))
        self.kept.append((output, output._version))
        return output

    def layout(self, tensor: Tensor, fields: frozenset[str]) -> Layout | None:
        """The layout of what is read for these fields; None, with their reason, where it cannot be told."""
        try:
            return self.axes.next(tensor)
        except ProxyError as error:
            self.fail(self.needs & fields, str(error))
        except UnsureError:
            self.is_unsure = True  # should the network catch it
            raise
        return None

    def activation(self, module: nn.Module | None, pre: Tensor) -> None:
        trace, needs = self.trace, self.needs
        layout = self.layout(pre, _OF_ACTIVATIONS)
        if layout is None or layout.axis is None:  # what does not depend on the images tells nothing of them
            return
        pre_BU = images_first(wide(pre.detach()), layout, len(trace.images)).flatten(1)
        block = self.block_of(module)
        self.responses(block, pre_BU)
        if "grad_corr" in needs and pre.requires_grad:

            def come(grad: Tensor | None) -> None:
                if grad is not None:
                    grad = images_first(wide(grad), layout, len(trace.images)).flatten(1)
                self.correlate(trace.grad_corr, block, grad)

            self.await_gradient(pre, come)

    def responses(self, block: int | None, pre_BU: Tensor) -> None:
        """Record what enters an activation."""
        if self.needs & _ON_OFF:
            self.switched(pre_BU)
        if "act_corr" in self.needs:
            self.correlate(self.trace.act_corr, block, pre_BU)

    def switched(self, pre_BU: Tensor) -> None:
        # gt straight into float32 takes 2 ms where (pre > 0).float() takes 8, for 64 x 98,304.
        on_BU = torch.gt(pre_BU, 0, out=torch.empty_like(pre_BU, dtype=torch.float32))
        if "agree_BB" in self.needs:
            _agree(self.trace.agree_BB, on_BU)
        if "patterns" in self.needs:
            self.trace.patterns.append(_patterns(on_BU))

    def block_of(self, module: nn.Module | None) -> int | None:
        """The block of an activation; of several that hold it, or of a function, the innermost that runs."""
        if module is None:
            return self.running[-1] if self.running else None
        holding = self.holding.get(module, [])
        if len(holding) > 1:
            running = [i for i in self.running if i in holding]
            if running:
                return running[-1]
        return holding[-1] if holding else None

    def correlate(
        self, recorded: list[tuple[int | None, Tensor]], block: int | None, values: Tensor | None
    ) -> None:
        """Record the correlation of (B, ...) values; count it as skipped where there is none."""
        corr_BB = None if values is None else _correlation(values)
        if corr_BB is None:
            self.trace.num_skipped += 1
        else:
            recorded.append((block, corr_BB))

    def await_gradient(self, tensor: Tensor, record: Callable[[Tensor | None], None]) -> None:
        """Record dL/d tensor as it comes, or None where the loss does not depend on the tensor."""
        number = len(self.tensor_hooks)

        def come(grad: Tensor) -> None:
            if self.awaited.pop(number, None):
                record(grad.detach())

        self.awaited[number] = get_gradient_edge(tensor), record
        self.tensor_hooks.append(tensor.register_hook(come))

    def weighted(self, layer: nn.Module, weights: int, output: Tensor) -> Tensor | None:
        layout = self.layout(output, frozenset({"channel_saliency"}))
        if layout is None or not output.requires_grad:
            return None
        channel_axis = output.ndim - (3 if isinstance(layer, nn.Conv2d) else 1)

        def sum_channels(grad: Tensor | None) -> None:
            if grad is None:
                return
            product = wide(output.detach()) * wide(grad)
            product = _by_channel(product, layout, channel_axis, len(self.trace.images))
            total = product.double().square().sum().item() / (2 * len(product))
            self.trace.channel_saliency.append((weights, total))

        self.await_gradient(output, sum_channels)
        return self.keep(output)

    def block(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> Tensor | None:
        if not isinstance(output, Tensor) or output.ndim not in (3, 4) or not output.is_floating_point():
            return None
        if self.watch.is_deaf:
            return None
        channels = marks_of(output).channels
        if len(channels) != 1:
            reason = "which axis of a block's output is the channels cannot be told"
            self.fail(self.needs & _OF_BLOCKS, reason)
            return None
        (axis,) = channels
        if "block_cov" in self.needs:
            self.trace.block_cov.append(self.watch.unheard(_covariance, wide(output.detach()), axis))
        if "block_gains" not in self.needs:
            return None
        self.block_outputs.append((output, axis))
        return self.keep(output)

    def finish(self, logits_BC: Any) -> None:
        """The backward passes; each is skipped, with its reason, where the network does not allow it."""
        trace, needs = self.trace, self.needs
        if self.is_unsure:
            raise UnsureError
        for output, version in self.kept:
            if output._version != version:
                raise _OverwrittenError
        self.kept = []
        if needs & _FROM_LOSS:
            try:
                self.from_loss(logits_BC)
            except ProxyError as error:
                self.fail(needs & _FROM_LOSS, str(error))
        self.second_order.passing = Passing.INPUTS
        if "input_grads" in needs:
            try:
                trace.input_grads = self.from_logits(logits_BC)
            except ProxyError as error:
                trace.failed["input_grads"] = str(error)
        if "block_gains" in needs and "block_gains" not in trace.failed:
            try:
                trace.block_gains = self.from_blocks()
            except ProxyError as error:
                trace.failed["block_gains"] = str(error)

    def from_loss(self, logits_BC: Any) -> None:
        trace, needs = self.trace, self.needs
        loss = loss_of(logits_BC, trace.labels)
        trace.num_classes = logits_BC.shape[1]
        self.second_order.passing = Passing.LOSS
        grads: tuple[Tensor, ...] = ()
        try:
            trace.weights = weights_of(self.net)
            grads = gradients(loss, trace.weights, keep_graph=True, to_differentiate="curvature" in needs)
        except ProxyError as error:
            self.fail(needs & {"weight_grads", "curvature"}, str(error))
        self.take_the_rest(loss)
        trace.weight_grads = tuple(grad.detach() for grad in grads)
        if self.watch.is_recomputed:
            self.fail(needs & _ALONG_LAYERS, _RECOMPUTED)
        elif "curvature" in needs and grads:
            try:
                trace.curvature = self.curvature(grads)
            except RuntimeError as error:  # torch has no second derivative of something in the network
                self.fail(frozenset({"curvature"}), reason_of(error))

    def take_the_rest(self, loss: Tensor) -> None:
        """The awaited gradients that lie on no way to a weight, as of an activation before the first one."""
        if self.awaited and loss.requires_grad:
            self.second_order.passing = Passing.INPUTS
            edges = [edge for edge, _ in self.awaited.values()]
            torch.autograd.grad(loss, edges, retain_graph=True, allow_unused=True)
        for _, record in self.awaited.values():
            record(None)
        self.drop_tensor_hooks()

    def curvature(self, grads: tuple[Tensor, ...]) -> float:
        trace = self.trace
        pairs = zip(grads, trace.weight_grads, strict=True)
        products = [(wide(grad) * wide(value)).sum() for grad, value in pairs]
        size = torch.stack(products).sum()
        self.second_order.passing = Passing.CURVATURE
        curved = gradients(size, trace.weights, keep_graph=True)
        ends = zip(trace.weights, curved, strict=True)
        rest = [(wide(weight.detach()) * wide(h)).sum(dtype=torch.float64).item() for weight, h in ends]
        return self.second_order.total() + sum(rest)

    def drop_tensor_hooks(self) -> None:
        """After the backward pass of the loss: they are of no other."""
        for hook in self.tensor_hooks:
            hook.remove()
        self.tensor_hooks, self.awaited = [], {}

    def from_logits(self, logits_BC: Any) -> Tensor:
        logits_BC = check_logits(logits_BC, len(self.trace.images))
        self.trace.num_classes = logits_BC.shape[1]
        return input_gradients(logits_BC.sum(), self.inputs).flatten(1)

    def from_blocks(self) -> list[float | None]:
        draws = generator(self.trace.seed)
        pairs = list(itertools.pairwise(self.block_outputs))
        return [_gain(*before, *after, draws) for before, after in reversed(pairs)]


def _by_channel(product: Tensor, layout: Layout, channel_axis: int, num_images: int) -> Tensor:
    """Summed over positions: (images, channels). What does not depend on the images counts as one image."""
    if layout == FIRST and channel_axis == 1:
        return product.flatten(2).sum(2) if product.ndim > 2 else product
    if layout == FIRST and channel_axis == product.ndim - 1:
        return product.flatten(1, -2).sum(1)
    product = product.movedim(channel_axis, -1)
    if layout.axis is None:
        return product.flatten(0, -2).sum(0, keepdim=True)
    if layout.axis == channel_axis:
        raise ProxyError("the images of a layer lie where its channels do")
    axis = layout.axis - (layout.axis > channel_axis)
    rows = images_first(product, layout._replace(axis=axis), num_images)
    return rows.flatten(1, -2).sum(1) if rows.ndim > 2 else rows


def _agree(agree_BB: Tensor, on_BU: Tensor) -> None:
    """Add one layer's agreements: with G the Gram of the 0/1 states, U - G_ii - G_jj + 2 G_ij."""
    both_BB = (on_BU @ on_BU.T).double()  # counts below 2**24: exact in float32, and so are 0 and 1 in TF32
    on_B = both_BB.diagonal()
    agree_BB += on_BU.shape[1] - on_B[:, None] - on_B[None, :] + 2 * both_BB


def _patterns(on_BU: Tensor) -> Tensor:
    """The distinct columns of a 0/1 matrix as (words, distinct) int64.

    16 images a word, the first the lowest bit.
    """
    words = []
    for part in on_BU.split(WORD):
        bit_B = 2 ** torch.arange(len(part), device=part.device, dtype=part.dtype)
        words.append((bit_B @ part).long())  # sums below 2**16: exact in float32 and, bit by bit, in TF32
    if len(words) > 1:
        return distinct_columns(torch.stack(words))
    seen = torch.zeros(1 << WORD, dtype=torch.bool, device=on_BU.device)
    seen[words[0]] = True
    return seen.nonzero().T


def _correlation(rows_BU: Tensor) -> Tensor | None:
    """|Pearson correlation| of the rows, float64; None where a row is constant, so that it has none.

    The quick way is by the Gram matrix in float32. It is left where the difference has lost its digits, and
    where 1 - corr has: there 1e-6 of a product moved wrcor by 1.
    """
    gram_BB = (rows_BU @ rows_BU.T).double()
    num_units = rows_BU.shape[1]
    mean_B = rows_BU.mean(1).double()
    cov_BB = gram_BB - num_units * mean_B[:, None] * mean_B[None, :]
    has_digits = cov_BB.diagonal() > 1e-3 * gram_BB.diagonal()
    if has_digits.all():
        corr_BB = _scaled(cov_BB)
        if (corr_BB > 0.999).sum() <= len(corr_BB):
            return corr_BB
    if (rows_BU.amax(1) == rows_BU.amin(1)).any():
        return None
    rows_BU = rows_BU.double()
    rows_BU = rows_BU - rows_BU.mean(1, keepdim=True)
    return _scaled(rows_BU @ rows_BU.T)


def _scaled(cov_BB: Tensor) -> Tensor:
    scale_B = cov_BB.diagonal().rsqrt()
    return (cov_BB * scale_B[:, None] * scale_B[None, :]).abs().fill_diagonal_(1)


def _as_positions(features: Tensor, channel_axis: int) -> Tensor:
    """(B, C, H, W) or (B, T, C) features, or with the channels elsewhere, as (C, positions)."""
    if features.ndim == 3 and channel_axis == -1:
        return features.flatten(0, 1).T
    return features.movedim(channel_axis, 0).flatten(1)


def _covariance(features: Tensor, channel_axis: int) -> Tensor:
    """(C, C) float64 covariance of the channels over images and positions, divided by their number."""
    x_CP = _as_positions(features, channel_axis)
    x_CP = x_CP - x_CP.mean(1, keepdim=True)
    return (x_CP @ x_CP.T).double() / x_CP.shape[1]


def _gain(f_in: Tensor, in_axis: int, f_out: Tensor, out_axis: int, draws: torch.Generator) -> float | None:
    """One of `Trace.block_gains`; each map comes with its channel axis.

    Raises:
        ProxyError: the later output does not depend on the earlier, or their sizes are no multiples.
    """
    signs = torch.randint(0, 2, f_out.shape, generator=draws, dtype=torch.int8, device="cpu")
    signs = signs.to(f_out.device, f_out.dtype).mul_(2).sub_(1)
    if f_out is f_in:
        return None
    pulled = _pulled_back(f_in, f_out, signs)
    if pulled.shape == signs.shape and torch.equal(pulled, signs):
        return None
    before, after = wide(_channels_second(pulled, in_axis)), wide(_channels_second(signs, out_axis))
    after_axis, before_axis = _axis_of(after, out_axis), _axis_of(before, in_axis)
    in_CP = _as_positions(_at_positions_of(after, before), before_axis)
    out_CP = _as_positions(after, after_axis)
    if in_CP.shape[1] != out_CP.shape[1]:
        raise ProxyError(
            f"blocks give {tuple(f_in.shape)} and then {tuple(f_out.shape)}: "
            "the sizes are no multiples of each other"
        )
    cross = ((in_CP @ out_CP.T) / out_CP.shape[1]).double()
    if not cross.isfinite().all():
        return math.nan
    small = cross @ cross.T if len(cross) < len(cross.T) else cross.T @ cross
    return torch.linalg.eigvalsh(small)[-1].clamp(min=0).sqrt().item()


def _channels_second(features: Tensor, channel_axis: int) -> Tensor:
    """Maps as (B, C, H, W); tokens as they are."""
    return features.movedim(channel_axis, 1) if features.ndim == 4 else features


def _axis_of(features: Tensor, channel_axis: int) -> int:
    return 1 if features.ndim == 4 else channel_axis


def _pulled_back(f_in: Tensor, f_out: Tensor, signs: Tensor) -> Tensor:
    pulled = None
    if f_out.requires_grad and f_in.requires_grad:
        (pulled,) = torch.autograd.grad(f_out, f_in, signs, retain_graph=True, allow_unused=True)
    if pulled is None:
        raise ProxyError(
            "the output of a block does not depend on the block before it, so nothing can be pulled back"
        )
    return pulled


def _at_positions_of(smaller: Tensor, features: Tensor) -> Tensor:
    """Feature maps pixel-unshuffled to a size of which theirs is a multiple; others as they are."""
    if features.ndim != 4 or smaller.ndim != 4:
        return features
    step = features.shape[2] // smaller.shape[2]
    if step > 1 and features.shape[2:] == tuple(step * side for side in smaller.shape[2:]):
        return F.pixel_unshuffle(features, step)
    return features
