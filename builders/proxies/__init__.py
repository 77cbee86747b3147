"""Training-free scores of one network: `score`, and the registry `COMPUTE` of the functions behind `nbzero.proxies`."""

import math
import time
from collections.abc import Iterable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from builders.proxies.activation import naswot, zen
from builders.proxies.count import depth, macs, params
from builders.proxies.saliency import grad_norm, snip, synflow
from builders.proxies.trace import OWN_PASS, READS, Trace, as_found, take_trace
from nbzero.errors import ProxyError
from nbzero.proxies import proxy

COMPUTE = {function.__name__: function for function in (params, macs, depth, grad_norm, snip, synflow, naswot, zen)}


class Scores(dict[str, float | None]):
    """Scores by proxy name, in the sign and scale of their definition; -inf is a number, nan and inf are never stored.

    Attributes:
        reasons: proxy -> why its score is None.
        seconds: proxy -> wall-clock seconds of its own function, and "trace" -> those of the pass that proxies share.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self.seconds: dict[str, float] = {}


def score(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    proxies: Iterable[str] = tuple(COMPUTE),
    seed: int = 0,
) -> Scores:
    """Score one network, with the weights it has, on the images given.

    A score does not depend on which others are asked for with it, nor on torch's global generators. Precision is that
    of the network and its device: on a GPU the caller turns TF32 off.

    Args:
        net: a classifier, (B, channels, H, W) images to (B, classes) logits, on one device. It may offer
            `features(images)` and `stage_of_block`. Weights, buffers, modes, hooks, requires_grad and .grad are left as
            found, also after an error.
        images: (B, channels, H, W), of the network's dtype, on its device; all are used.
        labels: (B,) int64, on the same device.
        proxies: names from `nbzero.proxies.PROXIES`.
        seed: of what is drawn here: the weights and noise of zen, dropout.

    Returns:
        A score per name, in the order asked for; None, with its reason, where a proxy is not defined for this network.

    Raises:
        UnknownNameError: no proxy has that name.
        ValueError: images or labels of another shape, dtype or device; or, where labels are read, one that is no class.
    """
    names = [proxy(name).name for name in proxies]
    _check(net, images, labels)
    scores = Scores()
    needs = frozenset[str]().union(*(READS[name] for name in names))
    started = _now(images)
    trace = take_trace(net, images, labels, seed, needs)
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
    return scores


def _compute(name: str, trace: Trace) -> float:
    """The score of one proxy; ProxyError where it is not defined."""
    for missing in READS[name] & trace.failed.keys():
        raise ProxyError(trace.failed[missing])
    with as_found(trace.net, trace.seed) if name in OWN_PASS else nullcontext():
        value = COMPUTE[name](trace)
    if math.isnan(value) or value == math.inf:
        raise ProxyError(f"{value}: {name} overflows, or the weights or images are not finite")
    return value


def _check(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images: shape {tuple(images.shape)}; give (B, channels, H, W) with at least one image")
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(f"labels: {tuple(labels.shape)} {labels.dtype}; give int64 ({len(images)},)")
    devices = {str(tensor.device) for tensor in (images, labels, *net.parameters(), *net.buffers())}
    if len(devices) > 1:
        raise ValueError(f"network, images and labels lie on {sorted(devices)}; move them to one device")
    dtypes = {parameter.dtype for parameter in net.parameters() if parameter.is_floating_point()}
    if not images.is_floating_point() or (dtypes and images.dtype not in dtypes):
        raise ValueError(f"images: {images.dtype}, network: {sorted(map(str, dtypes))}; convert one of them")


def _now(images: Tensor) -> float:
    """Seconds, with the device's queue empty."""
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return time.perf_counter()
