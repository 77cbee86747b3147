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
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from builders.proxies import COMPUTE, score
from builders.shards import Compute, Row, Unit, all_devices, device_name, run_job, say_errors, software
from builders.train_shard import arguments, job_of, said_where
from nbzero.errors import unknown_name
from nbzero.proxies import PROXIES, proxy
from nbzero.schema import PASSES, standard_protocol
from train import images
from train.augment import normalise
from train.networks import build_net


@dataclass(frozen=True, slots=True)
class Protocol:
    """The settings of a scoring, beside those that the registry has for each proxy (its images, its noise).

    Attributes:
        resolution: side of the images, box-downsampled from the data set's own where that is larger.
        num_images: class-balanced training images without augmentation, chosen by hash from the seed; proxies that read fewer read the first.
    """

    name: str
    resolution: int
    num_images: int = 64


PROTOCOLS = {protocol.name: protocol for protocol in (Protocol("std-32", 32), Protocol("std-16", 16))}


def start(device: str, settings: dict[str, Any]) -> Compute:
    """Load the images once; the function returned scores one unit and gives its row but for the key."""
    protocol = PROTOCOLS[settings["protocol"]]
    data = images.load(settings["dataset"], settings["images"], protocol.resolution)
    spec = images.dataset(settings["dataset"])
    asked = settings["proxies"]
    fixed = {"device": device_name(device), "software": software(), "builder_commit": settings["builder_commit"]}

    @functools.cache
    def batch_of(seed: int) -> tuple[Tensor, Tensor]:
        pixels, labels = data.scoring_batch(protocol.num_images, seed)
        return normalise(pixels, spec.mean, spec.std).to(device), labels.to(device)

    def compute(unit: Unit, there: Row | None) -> Row:
        _, arch, seed = unit
        batch, labels = batch_of(seed)
        net = build_net(arch, spec.num_classes, seed).to(device)
        row: Row = there or dict.fromkeys((*PROXIES, *(f"{name}_s" for name in PASSES), "failures"))
        failures = json.loads(row["failures"] or "{}")
        for size, names in by_batch([name for name in asked if not is_there(row, name)], protocol.num_images).items():
            scores = score(net, batch[:size], labels[:size], names, seed)
            row |= scores
            failures |= scores.reasons
            for name, seconds in scores.seconds.items():
                column = f"{PROXIES[name].timed_as if name in PROXIES else name}_s"
                row[column] = (row[column] or 0.0) + seconds
        return row | {"failures": json.dumps(failures, sort_keys=True) if failures else None} | fixed

    return compute


def by_batch(names: Sequence[str], num_images: int) -> dict[int, list[str]]:
    """Proxies by how many images they read; those that read none go with the full batch.

    >>> by_batch(["naswot", "synflow"], num_images=64)
    {64: ['naswot', 'synflow']}
    """
    sizes: dict[int, list[str]] = {}
    for name in names:
        sizes.setdefault(min(PROXIES[name].batch or num_images, num_images), []).append(name)
    return sizes


def is_there(row: Row, name: str) -> bool:
    """Whether a row has a proxy's score, or the reason why it has none."""
    return row[name] is not None or name in json.loads(row["failures"] or "{}")


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--protocol", default=None, help=f"{', '.join(PROTOCOLS)}; default: the space's standard one")
    parser.add_argument("--proxies", nargs="+", default=list(COMPUTE), help="default: all")
    given = parser.parse_args(argv)
    given.seeds = given.seeds or [0, 1, 2]
    given.protocol = given.protocol or standard_protocol(given.space)
    if given.protocol not in PROTOCOLS:
        raise unknown_name("protocol", given.protocol, PROTOCOLS)
    names = [proxy(name).name for name in dict.fromkeys(given.proxies)]
    job = job_of(given, "scores", "protocol", start, proxies=names)
    finished = run_job(job, given.out, all_devices(given.workers, given.device), given.format, lambda row: all(is_there(row, n) for n in names))
    print(f"{said_where(given.out, finished)}: {len(job.units)} scored initialisations of {job.space}")


if __name__ == "__main__":
    sys.exit(main())
