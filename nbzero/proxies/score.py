"""Training-free scores of one network: `score`, and `COMPUTE`, the functions behind the registry."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nbzero.errors import ProxyError, UsageError
from nbzero.proxies import activation, count, gradient, kernel, saliency
from nbzero.proxies.facts import PROXIES, proxy
from nbzero.proxies.lend import Lender, as_written
from nbzero.proxies.passes import exactly, reason_of
from nbzero.proxies.recorder import take_trace
from nbzero.proxies.trace import BY_UNIT, OWN_PASS, READS, Trace

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
    *,
    authors_counting: bool = False,
) -> Scores:
    """Score one network, with the weights it has, on the images given.

    A score does not depend on which others are asked for with it, nor on the global generators of torch,
    numpy and Python. (Beside grasp, whose gradients torch takes by other formulas, those that read the loss
    differ by rounding, 1e-8, on layers like GELU and group norm.) Precision is that of the network and its
    device. On a GPU the caller turns TF32 off.

    Args:
        net: a classifier on one device, (B, channels, H, W) images or (B, T) tokens to (B, classes) logits.
            It may offer `features(images)`, `blocks` and `stage_of_block`. It is left as found, also after an
            error: passes run on copies of it. A network of which no copy can be made (a part refuses, or
            holds a function that leads back to the network) is put back attribute by attribute. Of a
            compiled network what was compiled is scored; of a TorchScript one `params` alone.
        images: (B, channels, H, W), of the network's dtype, on its device. Or int64 tokens, (B, T). All are
            used.
        labels: (B,) int64, on the same device.
        proxies: names from `nbzero.proxies.PROXIES`.
        seed: of what is drawn here: the weights and noise of zen, the noise of phi and barlow_twins, the
            signs of az_trainability, dropout.
        blocks: submodules that wrcor, az_* and bndlent take for blocks, in order; default: `net.blocks`, else
            its direct children.
        authors_counting: count what the published code counts. It takes every module whose class is named
            like ReLU for an activation, a container like ReLUConvBN too. So what enters the container counts
            twice, and of its gradients that of its last operation's input. For naswot, linear_regions, acor,
            gcor, rcor and wrcor in all weightings; stored scores are without.

    Returns:
        A score per name, in the order asked for; None, with its reason, where a proxy is not defined for this
        network, or where the network or torch does not allow its passes. What the network raises on a plain
        forward pass, in the modes that it was given in, is raised.

    Raises:
        UnknownNameError: no proxy has that name.
        UsageError: images or labels of another shape, dtype or device; lazy layers without weights; a block
            that is no part of the network; where labels are read, one that is no class; or authors_counting
            with a proxy that counts no activations.
    """
    names = [proxy(name).name for name in proxies]
    if authors_counting:
        _check_counting(names)
    _check_batch(images, labels)
    _check_network(net, images, labels)
    _check_blocks(net, blocks or ())
    # Inside inference mode nothing has a gradient, and its tensors (hence the copies) never do.
    with torch.inference_mode(False):
        scoring = _Scoring(net, images.clone(), labels.clone(), seed, blocks, authors_counting)
        return scoring.of(names)


class _Scoring:
    """The scores of one network on one batch."""

    def __init__(
        self,
        net: nn.Module,
        images: Tensor,
        labels: Tensor,
        seed: int,
        blocks: Sequence[nn.Module] | None,
        authors_counting: bool,
    ) -> None:
        self.lender = Lender(net)
        self.authors_counting = authors_counting
        self.images, self.labels, self.seed = images, labels, seed
        self.blocks = _blocks_of(self.lender.net, blocks)
        self.scores = Scores()
        self.runs = False  # a plain forward pass went well
        self.is_traced = any(isinstance(module, torch.jit.ScriptModule) for module in net.modules())

    def of(self, names: list[str]) -> Scores:
        scores = self.scores
        needs = frozenset[str]().union(*(READS[name] for name in names))
        if self.is_traced:
            needs = frozenset()
        started = _now(self.images)
        trace = self.trace(needs)
        if needs:
            scores.seconds["trace"] = _now(self.images) - started
        for name in names:
            started = _now(self.images)
            try:
                scores[name] = self.compute(name, trace)
            except ProxyError as error:
                scores[name] = None
                scores.reasons[name] = str(error)
            scores.seconds[name] = _now(self.images) - started
        if trace is not None:
            scores.num_skipped = trace.num_skipped
        return scores

    def trace(self, needs: frozenset[str]) -> Trace | None:
        """The trace that proxies share; None where it cannot be taken for all of them at once."""
        try:
            return self.take(needs)
        except _NOT_THE_NETWORKS:
            raise
        except Exception:
            self.check_runs()
        return None

    def take(self, needs: frozenset[str]) -> Trace:
        """A trace with some fields."""
        batch = self.lender, self.images, self.labels
        return take_trace(*batch, self.seed, needs, self.blocks, self.authors_counting)

    def compute(self, name: str, trace: Trace | None) -> float:
        """The score of one proxy; ProxyError where it is not defined."""
        if self.is_traced and name != "params":
            raise ProxyError(
                f"{name} reads layers and operations, and those of a TorchScript module cannot be seen; "
                "score the network that it was made from"
            )
        try:
            if trace is None and READS[name]:  # alone, because what another needs cannot be recorded
                trace = self.take(READS[name])
            value = self.value(name, trace)
        except (ProxyError, *_NOT_THE_NETWORKS):
            raise
        except Exception as error:  # whatever the network, or torch for it, does not allow
            self.check_runs()
            raise ProxyError(reason_of(error)) from error
        if math.isnan(value) or value == math.inf:
            raise ProxyError(f"{value}: {name} overflows, or the weights or images are not finite")
        return value

    def value(self, name: str, trace: Trace | None) -> float:
        if trace is None:
            trace = Trace(self.lender.net, self.images, self.labels, self.seed, self.blocks)
        for missing in READS[name] & trace.failed.keys():
            raise ProxyError(trace.failed[missing])
        if name not in OWN_PASS:
            with exactly(self.images.device.type):
                return COMPUTE[name](trace)
        with self.lender.lend(self.seed, self.blocks) as (net, blocks):
            images = self.images.clone()  # a network may change its input in place
            own = Trace(net, images, self.labels, self.seed, tuple(blocks), lend=self.lend)
            return COMPUTE[name](own)

    @contextmanager
    def lend(self) -> Iterator[nn.Module]:
        with self.lender.lend(self.seed) as (net, _):
            yield net

    def check_runs(self) -> None:
        """Raise what the network raises on a plain forward pass, in the modes that it was given in."""
        if not self.runs:
            with self.lend() as net, torch.no_grad():
                net(self.images.clone())
            self.runs = True


# What says nothing of the network: wrong labels, and a machine that has not enough memory or fails.
_NOT_THE_NETWORKS = (UsageError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError)


def _check_counting(names: Sequence[str]) -> None:
    counting = [name for name, fields in READS.items() if fields and fields <= BY_UNIT]
    others = [name for name in names if name not in counting]
    if others:
        raise UsageError(
            f"authors_counting=True with {', '.join(others)}; it is a way to count activations, and goes "
            f"with {', '.join(counting)}: score the others in a call of their own"
        )


def _blocks_of(net: nn.Module, blocks: Sequence[nn.Module] | None) -> tuple[nn.Module, ...]:
    if blocks is None:
        own = getattr(net, "blocks", None)
        blocks = tuple(own) if isinstance(own, (nn.ModuleList, nn.Sequential)) else tuple(net.children())
    return tuple(as_written(block) for block in blocks)


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
    parameters, buffers = list(net.parameters()), list(net.buffers())
    if any(map(is_lazy, itertools.chain(parameters, buffers))):
        raise UsageError(
            "the network has lazy layers without weights yet; run it once on a batch before it is scored"
        )
    devices = {str(tensor.device) for tensor in (images, labels, *parameters, *buffers)}
    if len(devices) > 1:
        raise UsageError(f"network, images and labels lie on {sorted(devices)}; move them to one device")
    if _are_tokens(images):
        return
    dtypes = {parameter.dtype for parameter in parameters if parameter.is_floating_point()}
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
