"""Training-free scores of one network: `score`, and `COMPUTE`, the functions behind the registry."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nbzero.errors import ProxyError, UsageError
from nbzero.proxies import activation, count, gradient, kernel, saliency
from nbzero.proxies.facts import PROXIES, proxy
from nbzero.proxies.lend import as_found
from nbzero.proxies.recorder import take_trace
from nbzero.proxies.trace import OWN_PASS, READS, Trace

FAMILIES = {
    "count": count,
    "saliency": saliency,
    "activation": activation,
    "gradient": gradient,
    "kernel": kernel,
}
COMPUTE: dict[str, Callable[[Trace], float]] = {
    name: getattr(FAMILIES[row.family], name) for name, row in PROXIES.items()
}


class Scores(dict[str, float | None]):
    """Scores by proxy name, in the sign and scale of their definition.

    -inf is a number; nan and inf are never stored.

    Attributes:
        reasons: proxy -> why its score is None.
        seconds: proxy -> wall-clock seconds of its own function; "trace" -> those of the pass that proxies
            share.
        num_skipped: correlation matrices that acor, gcor, rcor or wrcor left out, see acor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.num_skipped = 0


def score(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    proxies: Iterable[str] = tuple(COMPUTE),
    seed: int = 0,
    blocks: Sequence[nn.Module] | None = None,
) -> Scores:
    """Score one network, with the weights it has, on the images given.

    A score does not depend on which others are asked for with it, nor on the global generators of torch,
    numpy and Python. (Beside grasp, whose gradients torch takes by other formulas, those that read the loss
    differ by rounding, 1e-8, on layers like GELU and group norm.) Precision is that of the network and its
    device. On a GPU the caller turns TF32 off.

    Args:
        net: a classifier on one device, (B, channels, H, W) images or (B, T) tokens to (B, classes) logits.
            It may offer `features(images)`, `blocks` and `stage_of_block`. Weights, buffers, modes, hooks,
            requires_grad and .grad are left as found, also after an error.
        images: (B, channels, H, W), of the network's dtype, on its device. Or int64 tokens, (B, T). All are
            used.
        labels: (B,) int64, on the same device.
        proxies: names from `nbzero.proxies.PROXIES`.
        seed: of what is drawn here: the weights and noise of zen, the noise of phi and barlow_twins, the
            signs of az_trainability, dropout.
        blocks: submodules that wrcor, az_* and bndlent take for blocks, in order; default: `net.blocks`, else
            its direct children.

    Returns:
        A score per name, in the order asked for; None, with its reason, where a proxy is not defined for this
        network.

    Raises:
        UnknownNameError: no proxy has that name.
        UsageError: images or labels of another shape, dtype or device; lazy layers without weights; a block
            that is no part of the network; or, where labels are read, one that is no class.
    """
    names = [proxy(name).name for name in proxies]
    _check_batch(images, labels)
    _check_network(net, images, labels)
    _check_blocks(net, blocks or ())
    scores = Scores()
    # Inside inference mode nothing has a gradient, and its tensors (hence the copies) never do.
    with torch.inference_mode(False):
        _fill(scores, names, net, images.clone(), labels.clone(), seed, blocks)
    return scores


def _fill(
    scores: Scores,
    names: list[str],
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    seed: int,
    blocks: Sequence[nn.Module] | None,
) -> None:
    needs = frozenset[str]().union(*(READS[name] for name in names))
    started = _now(images)
    trace = take_trace(net, images, labels, seed, needs, blocks)
    if needs:
        scores.seconds["trace"] = _now(images) - started
    for name in names:
        started = _now(images)
        try:
            scores[name] = _compute(name, trace)
        except ProxyError as error:
            scores[name] = None
            scores.reasons[name] = str(error)
        scores.seconds[name] = _now(images) - started
    scores.num_skipped = trace.num_skipped


def _compute(name: str, trace: Trace) -> float:
    """The score of one proxy; ProxyError where it is not defined."""
    for missing in READS[name] & trace.failed.keys():
        raise ProxyError(trace.failed[missing])
    if name in OWN_PASS:
        images = trace.images.clone()  # a network may change its input in place
        own = Trace(trace.net, images, trace.labels, trace.seed, trace.blocks)
        with as_found(trace.net, trace.seed):
            value = COMPUTE[name](own)
    else:
        value = COMPUTE[name](trace)
    if math.isnan(value) or value == math.inf:
        raise ProxyError(f"{value}: {name} overflows, or the weights or images are not finite")
    return value


def _are_tokens(images: Tensor) -> bool:
    return images.ndim == 2 and images.dtype == torch.int64


def _check_batch(images: Tensor, labels: Tensor) -> None:
    if (images.ndim != 4 and not _are_tokens(images)) or len(images) == 0:
        raise UsageError(
            f"images: shape {tuple(images.shape)}; give (B, channels, H, W) with at least one image, "
            "or int64 tokens (B, T)"
        )
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise UsageError(f"labels: {tuple(labels.shape)} {labels.dtype}; give int64 ({len(images)},)")


def _check_network(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    if any(map(is_lazy, itertools.chain(net.parameters(), net.buffers()))):
        raise UsageError(
            "the network has lazy layers without weights yet; run it once on a batch before it is scored"
        )
    devices = {str(tensor.device) for tensor in (images, labels, *net.parameters(), *net.buffers())}
    if len(devices) > 1:
        raise UsageError(f"network, images and labels lie on {sorted(devices)}; move them to one device")
    if _are_tokens(images):
        return
    dtypes = {parameter.dtype for parameter in net.parameters() if parameter.is_floating_point()}
    is_other = bool(dtypes) and images.dtype not in dtypes
    if is_other or not images.is_floating_point():
        raise UsageError(f"images: {images.dtype}, network: {sorted(map(str, dtypes))}; convert one of them")


def _check_blocks(net: nn.Module, blocks: Sequence[nn.Module]) -> None:
    inside = {id(module) for module in net.modules()}
    for number, block in enumerate(blocks):
        if id(block) not in inside:
            raise UsageError(
                f"blocks: number {number} ({type(block).__name__}) is no submodule of the network; "
                "give modules of net"
            )


def _now(images: Tensor) -> float:
    """Seconds, with the device's queue empty."""
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return time.perf_counter()
