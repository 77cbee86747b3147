"""What passes over a network have in common: its weights, its loss, gradients, features, and random draws.

B images, C classes or channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nbzero.errors import ProxyError, UsageError

# The layers whose `weight` the proxies call weights: no batch norm, no bias.
WEIGHTED = (nn.Conv2d, nn.Linear)
_LONGEST = 250  # characters of another's message that are told


def wide(tensor: Tensor) -> Tensor:
    """A tensor to compute with: float32 where its own numbers have fewer digits."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


def exactly(device: str) -> AbstractContextManager[Any]:
    """A context in which the caller's autocast changes nothing that is computed on this type of device."""
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


def reason_of(error: Exception) -> str:
    """What an error of torch or of the network says, in a line, as the reason of a score that is None."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"this network does not allow it: {said[:_LONGEST]}"


def generator(seed: int) -> torch.Generator:
    """Draws on the processor, the same for every device."""
    return torch.Generator("cpu").manual_seed(seed)


def normal(shape: Sequence[int], draws: torch.Generator, like: Tensor) -> Tensor:
    """N(0, 1) of a tensor's dtype and device.

    Drawn in float32 on the processor, whatever torch's defaults are.
    """
    return torch.randn(*shape, generator=draws, dtype=torch.float32, device="cpu").to(like)


def draw_gaussian_weights(net: nn.Module, draws: torch.Generator) -> None:
    """N(0, 1) weights of convolutions and linear layers, biases 0, batch norm's gamma 1 and beta 0."""
    for weight in weights_of(net):
        weight.data = normal(weight.shape, draws, weight)
    for module in net.modules():
        if isinstance(module, (*WEIGHTED, nn.BatchNorm2d)) and module.bias is not None:
            module.bias.data = torch.zeros_like(module.bias)
        if isinstance(module, nn.BatchNorm2d) and module.weight is not None:
            module.weight.data = torch.ones_like(module.weight)


def weights_of(net: nn.Module) -> list[nn.Parameter]:
    """The weights of every Conv2d and Linear, in module order, a shared one once.

    Raises:
        ProxyError: there is none, or one is computed from other parameters, as by weight norm.
    """
    weights: dict[int, nn.Parameter] = {}
    for name, module in net.named_modules():
        if not isinstance(module, WEIGHTED):
            continue
        if not isinstance(module.weight, nn.Parameter):
            raise ProxyError(
                f"the weight of {name!r} is computed from others; remove its parametrization first"
            )
        weights[id(module.weight)] = module.weight
    if not weights:
        raise ProxyError("the network has no Conv2d and no Linear layer, so no weights")
    return list(weights.values())


def check_logits(logits_BC: Any, num_images: int) -> Tensor:
    """The logits; ProxyError where the network returned something else."""
    given = type(logits_BC).__name__
    if isinstance(logits_BC, Tensor):
        if logits_BC.ndim == 2 and len(logits_BC) == num_images:
            return logits_BC
        given = f"shape {tuple(logits_BC.shape)}"
    raise ProxyError(f"the score needs logits of shape ({num_images}, classes); the network returned {given}")


def loss_of(logits_BC: Any, labels: Tensor) -> Tensor:
    """Mean cross-entropy.

    Raises:
        ProxyError: the network returned no logits.
        UsageError: a label is not one of its classes.
    """
    logits_BC = check_logits(logits_BC, len(labels))
    num_classes = logits_BC.shape[1]
    low, high = labels.min().item(), labels.max().item()
    if low < 0 or high >= num_classes:
        raise UsageError(
            f"labels: {low} to {high}, but the network's {num_classes} outputs allow 0 to "
            f"{num_classes - 1}; give it as many outputs as there are classes"
        )
    return F.cross_entropy(wide(logits_BC), labels)


def input_gradients(output: Tensor, inputs: Tensor) -> Tensor:
    """d output / d inputs; the graph is kept.

    Raises:
        ProxyError: tokens, or an output that does not depend on the images.
    """
    if not inputs.requires_grad:
        raise ProxyError("the gradient for the images needs images of numbers; tokens have none")
    grad = None
    if output.requires_grad:
        (grad,) = torch.autograd.grad(output, inputs, retain_graph=True, allow_unused=True)
    if grad is None:
        raise ProxyError(
            "the network's output has no gradient: it does not depend on the images, or was detached"
        )
    return grad


def gradients(
    output: Tensor, weights: list[nn.Parameter], keep_graph: bool = False, to_differentiate: bool = False
) -> tuple[Tensor, ...]:
    """d output / dW for each weight, 0 for one that did not take part.

    A function of the network's own may call `backward` in its backward pass, so that parts of the gradients
    go to `.grad`. They are added.

    Args:
        weights: of a network that was lent; `.grad` is None afterwards.
        keep_graph: further backward passes of the same graph follow.
        to_differentiate: the gradients themselves will be differentiated.

    Raises:
        ProxyError: the output depends on none of them.
    """
    if not output.requires_grad:
        raise ProxyError("the network's output has no gradient: it depends on no weight, or was detached")
    _take_out(weights)
    grads = torch.autograd.grad(
        output, weights, materialize_grads=True, retain_graph=keep_graph, create_graph=to_differentiate
    )
    pairs = zip(grads, _take_out(weights), strict=True)
    return tuple(grad if other is None else grad + other for grad, other in pairs)


def _take_out(weights: list[nn.Parameter]) -> list[Tensor | None]:
    """The `.grad` of weights, which is None afterwards."""
    found = [weight.grad for weight in weights]
    for weight in weights:
        weight.grad = None
    return found


_POOLS = {F.adaptive_avg_pool2d, F.avg_pool2d}
_MEANS = {torch.mean, Tensor.mean}


class _Pooled(TorchFunctionMode):
    """Inside, keeps what entered the last global average pooling, of a module or functional.

    Such a pooling takes (B, C, H, W) to one value per image and channel. So does a mean over the positions of
    (B, H, W, C). A map of 1 x 1 may be pooled too. But the mean of what was pooled just before pools nothing.
    """

    features: Tensor | None = None
    _pooled: Tensor | None = None  # the last pooling's output, or an operation of it alone

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        given = args[0] if args else kwargs.get("input")
        if not isinstance(given, Tensor) or not isinstance(output, Tensor):
            return output
        if given is self._pooled:
            others = [value for value in (*args[1:], *kwargs.values()) if isinstance(value, Tensor)]
            if not others:
                self._pooled = output
        elif _pools_all(func, args, kwargs, given, output):
            self.features, self._pooled = given, output
        return output

    def forget(self, *_: Any) -> None:
        """As if nothing had been pooled so far."""
        self.features, self._pooled = None, None


def _pools_all(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], given: Tensor, output: Tensor
) -> bool:
    """Whether a call takes maps to one value per image and channel."""
    if given.ndim != 4 or (func not in _POOLS and func not in _MEANS):
        return False
    if output.shape[:2] == given.shape[:2] and output.numel() == given.shape[:2].numel():
        return True
    if func in _POOLS:
        return False
    axes = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
    return isinstance(axes, (tuple, list)) and sorted(axis % 4 for axis in axes) == [1, 2]


def features_of(net: nn.Module, images: Tensor) -> Tensor:
    """The tensor before global pooling.

    It is `net.features(images)` of a network that has such a method. Else it is what enters the last average
    pooling to one value a channel. A submodule of that name may end before the feature maps do: what is
    pooled after it goes before its own output.

    Raises:
        ProxyError: the network has neither.
    """
    features = getattr(net, "features", None)
    if callable(features) and not isinstance(features, nn.Module):
        return features(images)
    given: list[Any] = []
    with _Pooled() as pooled, ExitStack() as hooks:
        if isinstance(features, nn.Module):
            hooks.enter_context(features.register_forward_hook(pooled.forget))
            hooks.enter_context(features.register_forward_hook(lambda *call: given.append(call[2])))
        net(images)
    if pooled.features is None and given and isinstance(given[-1], Tensor):
        return given[-1]
    if pooled.features is None:
        raise ProxyError(
            "the network's features are not known: it has no features(images), "
            "and no average pooling of a feature map to 1 x 1"
        )
    return pooled.features
