"""The standard settings of a scoring, and all scores of one network under them.

A seed fixes the weights, the images and the noise. Images and noise are the same for all archs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nbzero.errors import ImagesError, UsageError, check_known, whole
from nbzero.images.facts import dataset
from nbzero.images.splits import scoring_labels
from nbzero.images.tensors import ImageData, load, normalise
from nbzero.networks.build import build_net, seed_of
from nbzero.networks.flexibert import VOCABULARY, draw_electra_weights
from nbzero.networks.published import NETWORKS, OF_TOKENS
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.lend import seeded_generators
from nbzero.proxies.passes import draw_gaussian_weights
from nbzero.proxies.score import Scores, score
from nbzero.release.schema import PASSES
from nbzero.spaces.published import PUBLISHED_PROTOCOL, standard_protocol

Row = dict[str, Any]

NOISE = "noise"  # in place of a folder of images
STANDARD_BATCH = 64  # of the proxies that read no other number of images
_NUM_CLASSES = 2  # of networks that read tokens


@dataclass(frozen=True, slots=True)
class Protocol:
    """The settings of a scoring, beside those that the registry has for each proxy (its images, its noise).

    Attributes:
        resolution: side of the images, box-downsampled from the data set's own where that is larger.
        num_images: class-balanced training images without augmentation, chosen by hash from the seed. Proxies
            that the registry gives fewer than 64 read that many of them, from the first on.
        init: own (that of `build_net`), uniform (PyTorch's default), normal (Kaiming normal: weights from
            N(0, 2 / fan-in)), n01 (N(0, 1) weights, biases 0) or electra (N(0, 0.02) weights and embeddings,
            biases 0).
        noise: N(0, 1) images instead, drawn from the seed; the labels stay.
    """

    name: str
    resolution: int
    num_images: int = STANDARD_BATCH
    init: Literal["own", "uniform", "normal", "n01", "electra"] = "own"
    noise: bool = False


@dataclass(frozen=True, slots=True)
class TokenProtocol(Protocol):
    """The settings of a scoring of networks that read tokens.

    Attributes:
        resolution: 0.
        num_images: sequences. Tokens are drawn uniformly from the seed, without the one that fills up; the
            classes are 0 and 1 in turn. They are the same for every task.
        tokens: of a sequence.
    """

    tokens: int = 128


def _protocols() -> dict[str, Protocol]:
    protocols = []
    for resolution in (32, 16):
        base = Protocol(f"std-{resolution}", resolution)
        protocols += [
            base,
            replace(base, name=f"{base.name}-b32", num_images=32),
            replace(base, name=f"{base.name}-b128", num_images=128),
            replace(base, name=f"{base.name}-uniform", init="uniform"),
            replace(base, name=f"{base.name}-normal", init="normal"),
            replace(base, name=f"{base.name}-n01", init="n01"),
            replace(base, name=f"{base.name}-noise", noise=True),
        ]
    protocols.append(TokenProtocol("tokens-16x128", 0, num_images=16, init="electra", tokens=128))
    return {protocol.name: protocol for protocol in protocols}


PROTOCOLS = _protocols()


def batch_of(protocol: Protocol, data: ImageData, seed: int) -> tuple[Tensor, Tensor]:
    """The images of one seed, normalised float32 (num_images, 3, R, R), and their int64 labels, on the CPU.

    Args:
        data: all training images at the protocol's resolution, on the CPU.
    """
    if protocol.noise:
        return noise_batch(protocol, data.dataset, seed)
    spec = dataset(data.dataset)
    pixels, labels = data.scoring_batch(protocol.num_images, seed)
    return normalise(pixels, spec.mean, spec.std), labels


def token_batch(protocol: TokenProtocol, seed: int) -> tuple[Tensor, Tensor]:
    """The int64 tokens of one seed, (num_images, tokens), and their int64 labels, on the CPU."""
    draws = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, VOCABULARY, (protocol.num_images, protocol.tokens), generator=draws)
    return tokens, torch.arange(protocol.num_images) % _NUM_CLASSES


def noise_batch(protocol: Protocol, name: str, seed: int) -> tuple[Tensor, Tensor]:
    """The N(0, 1) images of one seed and the labels of its batch, for a data set by name. Needs no images.

    Shapes and types as those of `batch_of`.
    """
    shape = (protocol.num_images, 3, protocol.resolution, protocol.resolution)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return images, torch.from_numpy(scoring_labels(name, protocol.num_images, seed))


def protocol_batch(
    space: str,
    dataset: str,
    seed: int = 0,
    protocol: str | None = None,
    images: str | Path | None = None,
) -> tuple[Tensor, Tensor]:
    """The batch that a protocol hands to every network of a space: `batch_of`, by names.

    Args:
        space: its standard protocol is meant where none is named (std-16 for mini spaces, else std-32).
        dataset: cifar10, cifar100, imagenet16-120 or digits; of networks that read tokens glue or a task.
        seed: fixes the images and the noise.
        protocol: one of `PROTOCOLS`.
        images: folder or file; None: where NBZERO_IMAGES says. "noise" is the protocol of the same name and
            `-noise`, and needs none.

    Returns:
        float32 (B, 3, R, R), normalised by the data set's mean and deviation, or int64 tokens (B, T); and
        int64 labels (B,), on the CPU.

    Raises:
        UnknownNameError: a data set or protocol that does not exist.
        UsageError: images="noise" of a protocol that has no such variant, another seed, a space without a
            protocol of ours, or images for networks that read tokens.
        ImagesError: images that are absent or damaged.
    """
    chosen = protocol_named(space, protocol, images)
    classes_of(chosen, dataset)  # raises for a data set that the space cannot have
    return protocol_batches(chosen, dataset, [whole("seed", seed)], images)[seed]


def protocol_batches(
    protocol: Protocol, dataset: str, seeds: Iterable[int], images: str | Path | None = None
) -> dict[int, tuple[Tensor, Tensor]]:
    """`protocol_batch` of several seeds, of images that are read once."""
    if isinstance(protocol, TokenProtocol):
        return {seed: token_batch(protocol, seed) for seed in seeds}
    if protocol.noise:
        return {seed: noise_batch(protocol, dataset, seed) for seed in seeds}
    try:
        data = load(dataset, images, protocol.resolution)
    except ImagesError as error:
        other = f"images='noise' needs none, and is a protocol of its own, {protocol.name}-noise"
        raise ImagesError(f"{error}. Or take noise: {other}") from error
    return {seed: batch_of(protocol, data, seed) for seed in seeds}


def protocol_named(space: str, name: str | None, images: str | Path | None = None) -> Protocol:
    """The protocol meant: the one named, else the space's standard one.

    With images="noise" it is the variant of it that draws noise.

    Raises:
        UnknownNameError: no protocol of that name.
        UsageError: no noise variant, a space that has no protocol of ours, or a protocol of images for
            networks that read tokens, or the other way round.
    """
    if images is not None and not isinstance(images, (str, os.PathLike)):
        allowed = f"a folder or file, None for NBZERO_IMAGES, or {NOISE!r}"
        raise UsageError(f"images is of type {type(images).__name__}; it is {allowed}")
    reads = "tokens" if space in OF_TOKENS else "images"
    if reads == "tokens" and images is not None:
        raise UsageError(
            f"images={str(images)!r}: networks of {space} read tokens, which are drawn; leave images out"
        )
    standard = standard_protocol(space)
    if space in NETWORKS and reads == "images":
        standard = PUBLISHED_PROTOCOL  # theirs is the one that imported scores were computed under
    name = name or standard
    if not name:
        raise UsageError(f"{space} has no standard protocol; name one of {', '.join(PROTOCOLS)}")
    check_known("protocol", [name], PROTOCOLS)
    protocol = PROTOCOLS[name]
    has = "tokens" if isinstance(protocol, TokenProtocol) else "images"
    if has != reads:
        raise UsageError(f"networks of {space} read {reads}, and {name} has {has}; take {standard}")
    if images != NOISE or protocol.noise:
        return protocol
    if f"{name}-noise" not in PROTOCOLS:
        there = ", ".join(one.name for one in PROTOCOLS.values() if one.noise)
        raise UsageError(f"images={NOISE!r} with protocol {name!r}; the protocols with noise are {there}")
    return PROTOCOLS[f"{name}-noise"]


def classes_of(protocol: Protocol, name: str) -> int:
    """How many outputs a network has under a protocol, for a data set by name.

    Raises:
        UnknownNameError: no data set of that name; of a protocol with tokens, no task of theirs.
    """
    if not isinstance(protocol, TokenProtocol):
        return dataset(name).num_classes
    check_known("dataset", [name], [*chain.from_iterable(OF_TOKENS.values())])
    return _NUM_CLASSES


def initialise(net: nn.Module, init: str, seed: int) -> None:
    """Redraw the weights of a network for a protocol whose `init` is not `own`."""
    draws = torch.Generator().manual_seed(seed)
    if init == "n01":
        draw_gaussian_weights(net, draws)
        return
    if init == "electra":
        draw_electra_weights(net, draws)
        return
    for module in net.modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        if init == "uniform":
            nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=draws)
        elif init == "normal":
            nn.init.kaiming_normal_(module.weight, generator=draws)


def protocol_net(arch: str, protocol: Protocol, num_classes: int, seed: int) -> nn.Module:
    """The network of one arch with the weights of a protocol and a seed: `build_net`, and `initialise`.

    In train mode, float32, on the CPU. UsageError for an arch that is malformed or out of its grid.
    """
    net: nn.Module = build_net(arch, num_classes, seed)
    initialise(net, protocol.init, seed_of(f"{arch}|{seed}|{protocol.init}"))
    return net


def by_batch(names: Iterable[str], num_images: int) -> dict[int, list[str]]:
    """Proxies by how many images they read.

    Those that read none, or the standard 64, go with the full batch of the protocol. Proxies with weights of
    their own (`weight_draws`) are left out.

    >>> by_batch(["naswot", "synflow", "ntk", "swap"], num_images=128)
    {128: ['naswot', 'synflow'], 16: ['ntk']}
    """
    sizes: dict[int, list[str]] = {}
    for name in names:
        row = PROXIES[name]
        if row.weight_draws:
            continue
        size = num_images if row.batch in (0, STANDARD_BATCH) else min(row.batch, num_images)
        sizes.setdefault(size, []).append(name)
    return sizes


def mean_of_draws(net: nn.Module, images: Tensor, labels: Tensor, name: str, seed: int) -> Scores:
    """A proxy's mean over draws of N(0, 1) weights (`weight_draws` of the registry).

    The network's weights are overwritten. Where one draw has no score, the mean has none, for the same
    reason.
    """
    draws, result = torch.Generator().manual_seed(seed), Scores()
    values: list[float] = []
    seconds: list[float] = []
    for draw in range(PROXIES[name].weight_draws):
        draw_gaussian_weights(net, draws)
        scores = score(net, images, labels, (name,), seed=draw)
        seconds.append(sum(scores.seconds.values()))
        value = scores[name]
        if value is None:
            result.reasons.setdefault(name, scores.reasons[name])
        else:
            values.append(value)
    result.seconds[name] = sum(seconds)
    result[name] = None if result.reasons else sum(values) / len(values)
    return result


def is_there(row: Row, name: str) -> bool:
    """Whether a row has a proxy's score, or the reason why it has none."""
    return row[name] is not None or name in json.loads(row["failures"] or "{}")


def row_of_scores(
    arch: str,
    seed: int,
    protocol: Protocol,
    batch: tuple[Tensor, Tensor],
    num_classes: int,
    names: Iterable[str],
    there: Row | None = None,
) -> Row:
    """The scores of one network at initialisation: a row of a scores table, but for its key and its origin.

    Args:
        seed: of the network's weights, and of what the proxies draw.
        batch: `batch_of` the protocol and the seed, on the device that computes.
        names: of the proxies.
        there: a row that has some of them. What it has is not computed again.

    Returns:
        Every proxy (None where it was not asked for or has no score), the seconds of every pass (`{pass}_s`)
        and `failures`, the reasons in JSON.
    """
    row: Row = dict.fromkeys((*PROXIES, *(f"{name}_s" for name in PASSES), "failures"))
    row |= there or {}
    failures: dict[str, str] = json.loads(row["failures"] or "{}")
    missing = [name for name in names if not is_there(row, name)]
    for scores in _all_scores(arch, seed, protocol, batch, num_classes, missing):
        row |= scores
        failures |= scores.reasons
        for name, seconds in scores.seconds.items():
            timed_as = PROXIES[name].timed_as if name in PROXIES else name
            row[f"{timed_as}_s"] = (row[f"{timed_as}_s"] or 0.0) + seconds
    row["failures"] = json.dumps(failures, sort_keys=True) if failures else None
    return row


def _all_scores(
    arch: str,
    seed: int,
    protocol: Protocol,
    batch: tuple[Tensor, Tensor],
    num_classes: int,
    names: list[str],
) -> Iterator[Scores]:
    images, labels = batch
    net = protocol_net(arch, protocol, num_classes, seed).to(images.device)
    for size, some in by_batch(names, protocol.num_images).items():
        yield score(net, images[:size], labels[:size], some, seed)
    # Last, because the weights are overwritten.
    for name in names:
        if PROXIES[name].weight_draws:
            size = min(PROXIES[name].batch, protocol.num_images)
            yield mean_of_draws(net, images[:size], labels[:size], name, seed_of(f"{arch}|{seed}|{name}"))


def answer_of(
    function: Callable[[nn.Module, Tensor, Tensor], Any],
    arch: str,
    seed: int,
    protocol: Protocol,
    batch: tuple[Tensor, Tensor],
    num_classes: int,
) -> Any:
    """What a function of (net, images, labels) gives for one network at initialisation.

    The network is built anew, images and labels are copies, gradients are on, and the generators of torch,
    numpy and Python are seeded from arch and seed. They are put back. So whatever the function changes,
    another call does not see.
    """
    images, labels = batch
    net = protocol_net(arch, protocol, num_classes, seed)
    draws = seeded_generators(net, seed_of(f"{arch}|{seed}|own"))
    with torch.inference_mode(False), draws:  # which turns gradients on
        return function(net, images.clone(), labels.clone())
