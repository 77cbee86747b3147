"""W^T H g, the curvature that grasp reads, by a second backward pass.

Convolutions and batch norms have formulas of our own here. torch can differentiate its gradients too, by
general formulas: a loop over the groups of a depthwise convolution, a dozen temporary tensors for a batch
norm, and the whole of H g, of which only the product with W is asked for. Here a convolution takes four
convolutions in the second pass, not six. A batch norm takes one fused call and three reads. grasp alone takes
0.8 of the time on an r1 network of 11 or 66 M macs, and 0.6 on an mb network of 6 M. Every other operation,
and every layer that `inside` leaves alone, goes torch's way.

Tried and given up:

    finite differences along W     a weight before a batch norm only rescales its eps,
                                   but ReLU's kinks make the gradient jump
    leaving eps out                off by 1e-4 (r1) to 4e-2 (mb)

Names: x, w, y input, weight and output of a layer; an ending _bar is the gradient of the loss for it; u, v
are what the second pass brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable


class Passing(Enum):
    """Which backward pass runs."""

    LOSS = "of the loss, for the weights, to be differentiated: no gradient for the images"
    INPUTS = "for the images, blocks or activations: no weight gradients"
    CURVATURE = "of the size of the loss gradient: none for the images either"


class Curvature:
    """One network's second-order passes: which runs, and what the patched layers add up of W^T H g."""

    def __init__(self) -> None:
        self.passing = Passing.LOSS
        self.parts: list[Tensor] = []

    def add(self, a: Tensor, b: Tensor) -> None:
        """Add the inner product of two tensors of one shape, (B, ...)."""
        self.parts.append(torch.linalg.vecdot(a.flatten(1), b.flatten(1)).sum(dtype=torch.float64))

    def total(self) -> float:
        """The sum so far; 0.0 where no layer was patched."""
        return torch.stack(self.parts).sum().item() if self.parts else 0.0

    @contextmanager
    def inside(self, net: nn.Module, images: Tensor, keep: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Convolutions without bias and train-mode batch norms run with the formulas here.

        Only those that are torch's own classes. No weight lies behind `images`, what the network is given: a
        convolution of these has gradients for them in the pass for inputs alone. The backward passes read a
        convolution's output again: `keep` is given it, and what it returns goes on to the network.
        """
        patched = [module for module in net.modules() if _is_plain_conv(module) or _is_plain_norm(module)]
        try:
            for module in patched:
                if isinstance(module, nn.Conv2d):
                    vars(module)["forward"] = self._conv(module, images, keep)
                elif isinstance(module, nn.BatchNorm2d):
                    vars(module)["forward"] = _norm(module)
            yield
        finally:
            for module in patched:
                vars(module).pop("forward", None)

    def _conv(
        self, module: nn.Conv2d, images: Tensor, keep: Callable[[Tensor], Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """torch's own forward for what has no image axis."""
        how = (module.stride, module.padding, module.dilation, module.groups)
        source = images.grad_fn  # another once the network has changed them in place, by a weight maybe

        def forward(x: Tensor) -> Tensor:
            if x.ndim != 4:
                return nn.Conv2d.forward(module, x)
            is_first = x is images and x.grad_fn is source
            return keep(_Conv.apply(x, module.weight, how, is_first, self))

        return forward


def _norm(module: nn.BatchNorm2d) -> Callable[[Tensor], Tensor]:
    """torch's own forward where it refuses what it is given: no image axis, or one value a channel."""

    def forward(x: Tensor) -> Tensor:
        if x.ndim != 4 or len(x) * x[0, 0].numel() <= 1:
            return nn.BatchNorm2d.forward(module, x)
        return _Norm.apply(x, module.weight, module.bias, module.eps)

    return forward


def _is_plain_conv(module: nn.Module) -> bool:
    if type(module) is not nn.Conv2d or "forward" in vars(module) or module.bias is not None:
        return False
    pads_zeros = module.padding_mode == "zeros" and isinstance(module.padding, tuple)
    return pads_zeros and isinstance(module.weight, nn.Parameter) and _has_digits(module.weight)


def _is_plain_norm(module: nn.Module) -> bool:
    if type(module) is not nn.BatchNorm2d or "forward" in vars(module):
        return False
    return module.training and isinstance(module.weight, nn.Parameter) and _has_digits(module.weight)


def _has_digits(weight: Tensor) -> bool:
    return weight.dtype in (torch.float32, torch.float64)


def _convolve(x: Tensor, w: Tensor, how: tuple[Any, ...]) -> Tensor:
    return torch.conv2d(x, w, None, *how)


def _convolution_gradients(
    y_bar: Tensor, x: Tensor, w: Tensor, how: tuple[Any, ...], for_x: bool, for_w: bool
) -> tuple[Tensor | None, Tensor | None]:
    stride, padding, dilation, groups = how
    x_bar, w_bar, _ = torch.ops.aten.convolution_backward(
        y_bar, x, w, None, stride, padding, dilation, False, [0, 0], groups, [for_x, for_w, False]
    )
    return x_bar, w_bar


class _Conv(Function):
    """y = conv(x, w).

    In the curvature pass <w, what it would return for w> = <y, y_bar> is added up, and not returned.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, how: tuple[Any, ...], is_first: bool, passes: Curvature
    ) -> Tensor:
        y = _convolve(x, w, how)
        ctx.save_for_backward(x, w, y)
        ctx.how, ctx.is_first, ctx.passes = how, is_first, passes
        return y

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        x, w, y = ctx.saved_tensors
        passing = ctx.passes.passing
        for_x = ctx.needs_input_grad[0] and (passing is Passing.INPUTS or not ctx.is_first)
        if passing is Passing.LOSS:
            x_bar, w_bar = _ConvGradients.apply(y_bar, x, w, ctx.how, for_x, ctx.passes)
            return x_bar, w_bar, None, None, None
        if passing is Passing.CURVATURE:
            ctx.passes.add(y, y_bar)
        x_bar = None
        if for_x:
            x_bar, _ = _convolution_gradients(y_bar, x, w, ctx.how, True, False)
        return x_bar, None, None, None, None


class _ConvGradients(Function):
    """x_bar = conv^T(y_bar, w), w_bar = x correlated with y_bar.

    Of <u, x_bar> + <v, w_bar> the gradient for w is not returned. Its product with w, <conv(u, w), y_bar>, is
    added up.
    """

    @staticmethod
    def forward(
        ctx: Any, y_bar: Tensor, x: Tensor, w: Tensor, how: tuple[Any, ...], for_x: bool, passes: Curvature
    ) -> tuple[Tensor | None, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y_bar, x, w)
        ctx.how, ctx.for_x, ctx.passes = how, for_x, passes
        x_bar, w_bar = _convolution_gradients(y_bar, x, w, how, for_x, True)
        assert w_bar is not None
        return x_bar, w_bar

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor | None, v: Tensor | None) -> tuple[Tensor | None, ...]:
        y_bar, x, w = ctx.saved_tensors
        for_y_bar = for_x = None
        if u is not None:
            for_y_bar = _convolve(u, w, ctx.how)
            ctx.passes.add(for_y_bar, y_bar)
        if v is not None:
            through_v = _convolve(x, v, ctx.how)
            for_y_bar = through_v if for_y_bar is None else for_y_bar.add_(through_v)
            if ctx.for_x:
                for_x, _ = _convolution_gradients(y_bar, x, v, ctx.how, True, False)
        return for_y_bar, for_x, None, None, None, None


class _Norm(Function):
    """Batch norm over the batch's own mean and variance; running statistics are left alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
        y, mean, inverse_sd = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, gamma, mean, inverse_sd)
        return y

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x_bar, gamma_bar, beta_bar = _NormGradients.apply(y_bar, *ctx.saved_tensors)
        return x_bar, gamma_bar, beta_bar, None


class _NormGradients(Function):
    """x_bar = gamma / sd * P y_bar.

    P is the projection that takes out the mean and the part along the normalised x, channel by channel. With
    xh normalised x, a = mean(v xh), b = mean(y_bar xh), c = cov(v, y_bar), the gradients of <v, x_bar> are

        for y_bar    gamma / sd * P v
        for x        -gamma / sd^2 * ((c - 3 a b) xh + b (v - mean v) + a (y_bar - mean y_bar))

    Those for gamma, and of gamma_bar and beta_bar, are not asked for by anyone.
    """

    @staticmethod
    def forward(
        ctx: Any, y_bar: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, inverse_sd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        x_bar, gamma_bar, beta_bar = _norm_gradients(y_bar, x, gamma, mean, inverse_sd)
        ctx.save_for_backward(y_bar, x, gamma, mean, inverse_sd, gamma_bar, beta_bar)
        ctx.mark_non_differentiable(gamma_bar, beta_bar)
        return x_bar, gamma_bar, beta_bar

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor, _: Tensor, __: Tensor) -> tuple[Tensor | None, ...]:
        y_bar, x, gamma, mean, inverse_sd, gamma_bar, beta_bar = ctx.saved_tensors
        for_y_bar, sum_vx, sum_v = _norm_gradients(v, x, gamma, mean, inverse_sd)
        count = x.numel() // x.shape[1]
        a, b, mean_v, mean_y_bar = sum_vx / count, gamma_bar / count, sum_v / count, beta_bar / count
        c = (v * y_bar).sum((0, 2, 3)) / count - mean_v * mean_y_bar
        scale = -gamma * inverse_sd.square()
        of_x, of_v, of_y_bar = scale * inverse_sd * (c - 3 * a * b), scale * b, scale * a
        constant = -(of_x * mean + of_v * mean_v + of_y_bar * mean_y_bar)
        for_x = torch.addcmul(_channels(constant), x, _channels(of_x))
        for_x.addcmul_(v, _channels(of_v)).addcmul_(y_bar, _channels(of_y_bar))
        return for_y_bar, for_x, None, None, None


def _norm_gradients(
    y_bar: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, inverse_sd: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ops.aten.native_batch_norm_backward(
        y_bar, x, gamma, None, None, mean, inverse_sd, True, 0.0, [True, True, True]
    )


def _channels(values: Tensor) -> Tensor:
    return values[None, :, None, None]
