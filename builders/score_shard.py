"""Score one shard of a space: python -m builders.score_shard --space r1 --dataset cifar10 --shard 3/40 --out DIR

Computes every proxy (or those of --proxies) of `--archs` of the build order, for every one of `--seeds`, at initialisation, under the space's
standard protocol (or --protocol), one network at a time in one process per core or card. A seed fixes the weights, the images and the noise;
images and noise are the same for all archs. The job may be stopped at any moment and goes on where it was; a rerun with more proxies fills
only what is missing.
"""

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from builders.proxies import COMPUTE, Scores, score
from builders.proxies.activation import draw_gaussian_weights
from builders.work.command import ENGINES, arguments, job_of, said_where, say_errors
from builders.work.job import Compute, run_job
from builders.work.origin import device_name, software
from builders.work.rows import Row
from builders.work.units import Unit
from nbzero.errors import count_of, unknown_name
from nbzero.proxies.facts import PROXIES, proxy
from nbzero.release.schema import PASSES
from nbzero.spaces.published import standard_protocol
from train import images
from train.augment import normalise
from train.networks import build_net, seed_of


@dataclass(frozen=True, slots=True)
class Protocol:
    """The settings of a scoring, beside those that the registry has for each proxy (how many images of these it reads, its noise).

    Attributes:
        resolution: side of the images, box-downsampled from the data set's own where that is larger.
        num_images: class-balanced training images without augmentation, chosen by hash from the seed. Proxies that the registry gives fewer
            than 64 read that many of them, from the first on.
        init: own (that of `build_net`), uniform (PyTorch's default) or n01 (N(0, 1) weights, biases 0).
        noise: N(0, 1) images instead, drawn from the seed; the labels stay.
    """

    name: str
    resolution: int
    num_images: int = 64
    init: Literal["own", "uniform", "n01"] = "own"
    noise: bool = False


def _protocols() -> dict[str, Protocol]:
    protocols = []
    for resolution in (32, 16):
        base = Protocol(f"std-{resolution}", resolution)
        protocols += [
            base,
            replace(base, name=f"{base.name}-b32", num_images=32),
            replace(base, name=f"{base.name}-b128", num_images=128),
            replace(base, name=f"{base.name}-uniform", init="uniform"),
            replace(base, name=f"{base.name}-n01", init="n01"),
            replace(base, name=f"{base.name}-noise", noise=True),
        ]
    return {protocol.name: protocol for protocol in protocols}


PROTOCOLS = _protocols()


def start(device: str, settings: dict[str, Any]) -> Compute:
    """Load the images once; the function returned scores one unit and gives its row but for the key."""
    protocol = PROTOCOLS[settings["protocol"]]
    data = images.load(settings["dataset"], settings["images"], protocol.resolution)
    spec = images.dataset(settings["dataset"])
    asked = settings["proxies"]
    fixed = {
        "device": device_name(device),
        "software": software(),
        "builder_commit": settings["builder_commit"],
    }

    @functools.cache
    def batch_of(seed: int) -> tuple[Tensor, Tensor]:
        pixels, labels = data.scoring_batch(protocol.num_images, seed)
        batch = normalise(pixels, spec.mean, spec.std)
        if protocol.noise:
            batch = torch.randn(batch.shape, generator=torch.Generator().manual_seed(seed))
        return batch.to(device), labels.to(device)

    def compute(unit: Unit, there: Row | None) -> Row:
        _, arch, seed = unit
        batch, labels = batch_of(seed)
        net = build_net(arch, spec.num_classes, seed)
        initialise(net, protocol.init, seed_of(f"{arch}|{seed}|{protocol.init}"))
        net = net.to(device)
        row: Row = there or dict.fromkeys((*PROXIES, *(f"{name}_s" for name in PASSES), "failures"))
        failures = json.loads(row["failures"] or "{}")
        todo = [name for name in asked if not is_there(row, name)]
        done = [
            score(net, batch[:size], labels[:size], names, seed)
            for size, names in by_batch(todo, protocol.num_images).items()
        ]
        for name in todo:
            if PROXIES[name].weight_draws:
                size = min(PROXIES[name].batch, protocol.num_images)
                done.append(
                    mean_of_draws(net, batch[:size], labels[:size], name, seed_of(f"{arch}|{seed}|{name}"))
                )
        for scores in done:
            row |= scores
            failures |= scores.reasons
            for name, seconds in scores.seconds.items():
                column = f"{PROXIES[name].timed_as if name in PROXIES else name}_s"
                row[column] = (row[column] or 0.0) + seconds
        return row | {"failures": json.dumps(failures, sort_keys=True) if failures else None} | fixed

    return compute


def initialise(net: nn.Module, init: str, seed: int) -> None:
    """Redraw the weights of a network for a protocol whose `init` is not `own`."""
    draws = torch.Generator().manual_seed(seed)
    if init == "n01":
        draw_gaussian_weights(net, draws)
    elif init == "uniform":
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=draws)


def mean_of_draws(net: nn.Module, batch: Tensor, labels: Tensor, name: str, seed: int) -> Scores:
    """A proxy's mean over draws of N(0, 1) weights (`weight_draws` of the registry); the network's weights are overwritten."""
    draws, result = torch.Generator().manual_seed(seed), Scores()
    parts = []
    for draw in range(PROXIES[name].weight_draws):
        draw_gaussian_weights(net, draws)
        parts.append(score(net, batch, labels, (name,), seed=draw))
    result.seconds[name] = sum(sum(part.seconds.values()) for part in parts)
    values = [part[name] for part in parts]
    if any(value is None for value in values):
        result.reasons[name] = next(reason for part in parts for reason in part.reasons.values())
        result[name] = None
    else:
        result[name] = sum(values) / len(values)
    return result


def by_batch(names: Sequence[str], num_images: int) -> dict[int, list[str]]:
    """Proxies by how many images they read; those that read none, or the standard 64, go with the full batch of the protocol.

    Proxies with weights of their own (`weight_draws`) are left out.

    >>> by_batch(["naswot", "synflow", "ntk", "swap"], num_images=128)
    {128: ['naswot', 'synflow'], 16: ['ntk']}
    """
    sizes: dict[int, list[str]] = {}
    for name in names:
        row = PROXIES[name]
        if not row.weight_draws:
            sizes.setdefault(num_images if row.batch in (0, 64) else min(row.batch, num_images), []).append(
                name
            )
    return sizes


def is_there(row: Row, name: str) -> bool:
    """Whether a row has a proxy's score, or the reason why it has none."""
    return row[name] is not None or name in json.loads(row["failures"] or "{}")


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--protocol", default=None, help=f"{', '.join(PROTOCOLS)}; default: the space's standard one"
    )
    parser.add_argument("--proxies", nargs="+", default=list(COMPUTE), help="default: all")
    given = parser.parse_args(argv)
    given.seeds = given.seeds or [0, 1, 2]
    given.protocol = given.protocol or standard_protocol(given.space)
    if given.protocol not in PROTOCOLS:
        raise unknown_name("protocol", given.protocol, PROTOCOLS)
    names = [proxy(name).name for name in dict.fromkeys(given.proxies)]
    job = job_of(given, "scores", "protocol", start, proxies=names)
    finished = run_job(
        job,
        given.out,
        ENGINES[given.engine],
        given.format,
        lambda row: all(is_there(row, n) for n in names),
    )
    print(
        f"{said_where(given.out, finished)}: {count_of(len(job.units), 'scored initialisation')} of {job.space}"
    )


if __name__ == "__main__":
    sys.exit(main())
