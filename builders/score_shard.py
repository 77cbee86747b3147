"""Score a shard: python -m builders.score_shard --space r1 --dataset cifar10 --shard 3/40 --out DIR

Computes every proxy (or those of --proxies) of `--archs` of the build order, for every one of `--seeds`, at
initialisation, under the space's standard protocol (or --protocol), one network at a time in one process per
core or card. A seed fixes the weights, the images and the noise. Images and noise are the same for all archs.
The job may be stopped at any moment and goes on where it was. Time limits and signals are as in train_shard.
A rerun with more proxies fills only what is missing.

Scores that the release in --base has are left out, proxy by proxy: of a network that it has scored, only the
proxies that it lacks are computed. It is the release that ships with nbzero unless another is named, and
`--base none` computes all.

Spaces of published benchmarks that have networks here (nb201, nbmacro, ..) are scored too. The order of their
archs is that of the space's sample with seed 0, so the first N are a random sample, the same for everyone.
`--members FILE` names them where no definition enumerates them.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import sys
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from builders.work.base import opened_base, said_left, scores_missing
from builders.work.command import (
    ENGINES,
    arguments,
    deadline_of,
    end,
    job_of,
    members_of,
    pace_of,
    say_errors,
)
from builders.work.job import Compute, Job, run_job
from builders.work.limit import Deadline, Pace
from builders.work.origin import device_name, software
from builders.work.rates import scoring_cost
from builders.work.rows import Row
from builders.work.units import Unit
from nbzero.errors import UsageError, check_known
from nbzero.images.tensors import load
from nbzero.networks.published import NETWORKS
from nbzero.proxies.facts import proxy
from nbzero.proxies.protocol import (
    PROTOCOLS,
    TokenProtocol,
    batch_of,
    classes_of,
    is_there,
    protocol_named,
    row_of_scores,
    token_batch,
)
from nbzero.proxies.score import COMPUTE
from nbzero.release.opened import Opened
from nbzero.spaces.published import IMPORTED


def start(device: str, settings: dict[str, Any]) -> Compute:
    """Load the images once; the function returned scores one unit and gives its row but for the key.

    Args:
        settings: "proxies" are the names to compute; "of_unit" has the names of those units of which fewer
            are needed, where there are such.
    """
    protocol = PROTOCOLS[settings["protocol"]]
    num_classes = classes_of(protocol, settings["dataset"])
    if isinstance(protocol, TokenProtocol):
        drawn = functools.partial(token_batch, protocol)
    else:
        drawn = functools.partial(
            batch_of, protocol, load(settings["dataset"], settings["images"], protocol.resolution)
        )
    fixed = {
        "device": device_name(device),
        "software": software(),
        "builder_commit": settings["builder_commit"],
    }

    @functools.cache
    def batch(seed: int) -> tuple[Tensor, Tensor]:
        images, labels = drawn(seed)
        return images.to(device), labels.to(device)

    def compute(unit: Unit, there: Row | None) -> Row:
        _, arch, seed = unit
        names = settings.get("of_unit", {}).get(unit, settings["proxies"])
        row = row_of_scores(arch, seed, protocol, batch(seed), num_classes, names, there)
        return row | fixed

    return compute


def _without_base(job: Job, base: Opened | None, names: Sequence[str]) -> Job:
    """The job without what the base has, which is told to the user."""
    if base is None:
        return job
    of_unit = scores_missing(base, job, names)
    whole, partly = set(), {}
    for unit, missing in of_unit.items():
        if not missing:
            whole.add(unit)
        elif len(missing) < len(names):
            partly[unit] = missing
    print(said_left(base, len(whole), len(partly), job), flush=True)
    units = [unit for unit in job.units if unit not in whole]
    return dataclasses.replace(job, units=units, settings={**job.settings, "of_unit": partly})


@say_errors
def main(argv: Sequence[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument(
        "--protocol", default=None, help=f"{', '.join(PROTOCOLS)}; default: the space's standard one"
    )
    parser.add_argument("--proxies", nargs="+", default=list(COMPUTE), help="default: all")
    parser.add_argument(
        "--members", metavar="FILE", help="text file with an arch of a published space in every line"
    )
    given = parser.parse_args(argv)
    given.seeds = given.seeds or [0, 1, 2]
    deadline = deadline_of(given)
    with deadline.heeding_signals():
        return _score(given, deadline)


def _score(given: argparse.Namespace, deadline: Deadline) -> int:
    if given.space in IMPORTED:
        check_known("published space with networks", [given.space], NETWORKS)
        if given.members is None and IMPORTED[given.space].every is None:
            said = "its archs are not enumerated here; name them by --members FILE, an arch a line"
            raise UsageError(f"--space {given.space}: {said}")
    given.protocol = protocol_named(given.space, given.protocol, given.images).name
    names = [proxy(name).name for name in dict.fromkeys(given.proxies)]
    protocol = PROTOCOLS[given.protocol]
    stands_for = dataclasses.asdict(protocol)
    if given.members is not None:
        archs = "\n".join(members_of(given.space, given.members))
        stands_for["members"] = hashlib.sha256(archs.encode()).hexdigest()
    job = job_of(given, "scores", "protocol", start, stands_for, proxies=names)
    job = _without_base(job, opened_base(given.base), names)
    if not job.units:
        return 0
    of_unit = job.settings.get("of_unit", {})

    def is_done(row: Row) -> bool:
        needed = of_unit.get((row["arch_id"], row["arch"], row["seed"]), names)
        return all(is_there(row, name) for name in needed)

    cost = scoring_cost(job.space, job.dataset, protocol.name, protocol.resolution)
    takes_all = set(names) == set(COMPUTE) and not of_unit
    deadline.pace = pace_of(given, cost) if takes_all else Pace(cost)
    finished = run_job(job, given.out, ENGINES[given.engine], given.format, is_done, deadline)
    if takes_all:
        deadline.pace.keep()
    return end(given, job, deadline, finished, "scored initialisation")


if __name__ == "__main__":
    sys.exit(main())
