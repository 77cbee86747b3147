"""What proxies read of a network: the fields of a `Trace`, and how a proxy declares which it needs.

One hooked forward pass and its backward passes fill the fields that were declared, and no others
(`recorder`). All proxies that can read them share it. A further recorded quantity is a field here, and the
lines of the recorder that fill it. A proxy that makes passes of its own declares that too, and is lent the
network (`lend`).

Capital endings name a tensor's axes: B images, C classes or channels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor, nn

NO_ACTIVATION = (
    "reads the units of ReLU, ReLU6, LeakyReLU .., GELU and SiLU, modules or functions, "
    "and none ran on the images in this network"
)


@dataclass(slots=True)
class Trace:
    """What proxies read: what the caller gave, and the recorded fields.

    A recorded field that no requested proxy declared stays unset: reading it is an AttributeError.

    Attributes:
        net: the module, as the caller gave it; for a pass of a proxy's own what it was lent.
        images: (B, channels, H, W), on the network's device and of its dtype; or (B, T) int64 tokens.
        labels: (B,) int64.
        seed: of everything random beyond the network's initialisation.
        blocks: the modules that proxies call blocks, in order.
        authors_counting: containers named like activations count once more, as in `score`.
        lend: for a pass of a proxy's own, lends the network once more.
        failed: field name -> why it could not be recorded.
        num_skipped: correlation matrices left out: an image's responses or gradients were all equal there.
        num_classes: outputs of the network; recorded with the losses and the input gradients.
        weights: of the convolutions and linear layers, in module order; recorded with `weight_grads`.
        weight_grads: dL/dW of each, the shape of W. L is the mean cross-entropy of the batch, train mode.
        curvature: sum over weights of W^T H g, H the Hessian of L, g = dL/dW.
        input_grads: (B, pixels), d sum(logits of all images) / d image n in row n.
        channel_saliency: per call of a convolution or linear layer (weights per channel, sum over its
            channels c of mean over images t_nc^2 / 2), t_nc = sum over positions of output * dL/d output.
        agree_BB: (B, B) float64, on how many units of the activation modules images i and j are both on or
            both off. On means pre-activation > 0. The diagonal is the number of units, 0 where no such module
            ran.
        act_corr, grad_corr: per call of an activation module (block or None, (B, B) float64). The matrix is
            |Pearson correlation| between images of its pre-activations, or of dL/d(pre-activation). The block
            is the index in `blocks` of the one that holds the module, or that ran where several share it.
        patterns: per call of an activation module the distinct columns of the B x U on/off matrix, U its
            units:
            (words, distinct) int64, 16 images a word.
        block_cov: (C, C) float64 covariance of channels over images and positions, of each block's output
            that is a feature map.
        block_gains: per pair of successive block outputs, last first, the largest singular value of the mean
            over positions of g_in g_out^T. g_out are random signs, g_in what they become pulled back. None
            where g_in equals g_out.
    """

    net: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    blocks: tuple[nn.Module, ...] = ()
    authors_counting: bool = False
    lend: Callable[[], AbstractContextManager[nn.Module]] | None = None
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
BY_UNIT = frozenset({"agree_BB", "act_corr", "grad_corr"})  # recorded fields that activations add up to
OWN_PASS: set[str] = set()  # the proxies that declared passes of their own

_Function = TypeVar("_Function", bound=Callable[..., float])


def reads(*fields: str, own_pass: bool = False) -> Callable[[_Function], _Function]:
    """Declare which recorded fields a proxy needs, and whether it runs or changes the network itself."""

    def declare(function: _Function) -> _Function:
        READS[function.__name__] = frozenset(fields)
        if own_pass:
            OWN_PASS.add(function.__name__)
        return function

    return declare
