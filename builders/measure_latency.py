"""Time networks: python -m builders.measure_latency --space r1-mini --archs 1000 --out SHARDS

Measures how long one pass of a batch takes, of `--archs` of the build order, on this machine. A network takes
turns with a reference network, so that machines compare: the row has the latencies of both. How it is timed
is said by `--setup`: cpu-1 (one thread, one image), cuda-1 or cuda-256 (a card, 1 or 256 images). A row's
setup is this name and the machine's, like cpu-1:amd-epyc-9b14.

One process computes, on one core, and no other of these jobs runs beside it. Nothing else should: the job
warns where the machine is in use. It may be stopped at any moment and goes on where it was. Time limits and
signals are as in train_shard. What the release in --base has is left out.

builders.merge_shards adds the rows to a release. The first row of a key stays, whatever is measured later.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from builders.work.base import opened_base, without_runs_there
from builders.work.command import (
    ENGINES,
    check_out,
    check_values,
    deadline_of,
    end,
    members_of,
    parser_of,
    say_errors,
    shared_arguments,
)
from builders.work.job import Compute, Job, run_job
from builders.work.limit import Deadline
from builders.work.local import all_devices
from builders.work.lock import locked
from builders.work.origin import builder_commit, device_name, software
from builders.work.rows import Row
from builders.work.timing import (
    SETUPS,
    images_of,
    machine_name,
    net_of,
    said_load,
    setup_name,
    stay_on_one_core,
    timed,
    watch_of,
)
from builders.work.units import Unit, parse_range, planned_units
from nbzero.errors import UsageError, check_known
from nbzero.files import cache_folder
from nbzero.release.latencies import OF_SETUP
from nbzero.spaces.macro import CHOICES

LOCK = ".measure_latency.lock"  # in the cache folder: one at a time on a machine


def start(device: str, settings: dict[str, Any]) -> Compute:
    """Keep to one core and build the reference; the function returned times one network.

    Args:
        settings: "setup" is a name of SETUPS; "builder_commit" goes into every row.
    """
    setup = SETUPS[settings["setup"]]
    stay_on_one_core()
    images, watch = images_of(setup, device), watch_of(device)
    reference = net_of(setup.reference, setup, device)
    fixed = {name: getattr(setup, name) for name in OF_SETUP}
    fixed |= {"device": device_name(device), "software": software()}
    fixed["builder_commit"] = settings["builder_commit"]

    def compute(unit: Unit, there: Row | None) -> Row:
        _, arch, _ = unit
        found = timed(net_of(arch, setup, device), reference, images, setup, watch)
        return fixed | {
            "latency_ms": found.median,
            "latency_q1_ms": found.q1,
            "latency_q3_ms": found.q3,
            "repeats": found.repeats,
            "reference_ms": found.reference,
        }

    return compute


@say_errors
def main(argv: Sequence[str] | None = None) -> int:
    parser = parser_of(__doc__)
    shared_arguments(parser)
    parser.add_argument("--setup", default="cpu-1", help=f"{', '.join(SETUPS)}; default: cpu-1")
    parser.add_argument(
        "--machine", default=None, metavar="NAME", help="short name; default: the processor's or card's model"
    )
    parser.add_argument("--device", default=None, help="cpu, cuda or cuda:N; default: that of --setup")
    given = parser.parse_args(argv)
    deadline = deadline_of(given)
    with deadline.heeding_signals():
        return _measure(given, deadline)


def _measure(given: argparse.Namespace, deadline: Deadline) -> int:
    job = _job(given)
    job = without_runs_there(job, opened_base(given.base))
    if not job.units:
        return 0
    with locked(cache_folder(), wait_s=0, name=LOCK):
        if said_load():
            print(said_load(), file=sys.stderr, flush=True)
        finished = run_job(job, given.out, ENGINES["local"], given.format, deadline=deadline)
    return end(given, job, deadline, finished, "timed network")


def _job(given: argparse.Namespace) -> Job:
    """The job of the arguments; every name is checked before anything is computed.

    Raises:
        UnknownNameError: another space or setup.
        UsageError: a device that is not the setup's or not there, a machine's name that is none.
    """
    check_known("space that is timed", [given.space], CHOICES)
    check_known("setup", [given.setup], SETUPS)
    check_out(given.out)
    setup = SETUPS[given.setup]
    device = given.device or setup.device
    if device.partition(":")[0] != setup.device:
        raise UsageError(
            f"--device {device} with --setup {given.setup}, which is of {setup.device}; name another setup"
        )
    (device,) = all_devices(1, device)
    on = device_name(device)
    name = setup_name(given.setup, machine_name(on) if given.machine is None else given.machine)
    members = members_of(given.space, None)
    archs = parse_range(given.archs) if given.archs else range(len(members))
    commit = builder_commit()
    check_values("latencies", {"setup": name, "device": on, "builder_commit": commit})
    return Job(
        table="latencies",
        name=f"latencies-{given.space}-{name.replace(':', '-')}",
        space=given.space,
        dataset=None,
        units=planned_units(members, archs, [0], 0, 1),
        shard=0,
        num_shards=1,
        start=start,
        settings={"setup": given.setup, "builder_commit": commit},
        same_key={"setup": name},
        device=device,
        workers=1,
        stands_for={**dataclasses.asdict(setup), "on": on},
    )


if __name__ == "__main__":
    sys.exit(main())
