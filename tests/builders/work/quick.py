"""A job whose units take a moment: python -m tests.builders.work.quick OUT FIRST LAST FORMAT SECONDS.

No test itself. Two workers, which need no torch. What a row says follows from its arch alone, but for
train_time_s, which says when it was computed. So one that is computed again is told from one that was kept.

    --together N            units that a worker computes at a time
    --short-at ARCH_ID      there memory is short, unless --marker is a file already: it is made before
    --how memory | kill     the worker gets no more memory, or is killed as the system does then
    --marker FILE
"""

import argparse
import dataclasses
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builders.work import local
from builders.work.base import members_of_space
from builders.work.command import say_errors
from builders.work.job import Compute, Job, run_job
from builders.work.limit import Deadline
from builders.work.rows import Row
from builders.work.units import Unit
from tests.builders.made import row_in_shard
from tests.builders.work import store  # noqa: F401, jobs may write there
from tests.builders.work.gated import ENDS, without_torch

STEM = "quick-0000-of-0001"


if __name__ == "__main__":
    without_torch()


def row_of(arch_id: int, arch: str) -> Row:
    """The whole row of an arch as it must be, but for train_time_s."""
    numbers = {"val_acc": (arch_id % 97) / 97, "train_loss": arch_id / 7}
    return row_in_shard(arch_id, arch=arch, device="cpu", **numbers)


def start(device: str, settings: dict[str, Any]) -> Compute:
    def compute(unit: Unit, there: Row | None) -> Row:
        time.sleep(settings["seconds"])
        if unit[0] == settings["short_at"] and _is_first(settings["marker"]):
            _run_short(settings["how"])
        row = row_of(unit[0], unit[1]) | {"train_time_s": float(time.monotonic_ns())}
        return {name: value for name, value in row.items() if name not in ENDS}

    return compute


def _is_first(marker: str) -> bool:
    """Whether no process was here before."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _run_short(how: str) -> None:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 2**25  # room to say so
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    bytes(2**28)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("format", choices=("parquet", "h5"))
    parser.add_argument("seconds", type=float)
    parser.add_argument("--together", type=int, default=1)
    parser.add_argument("--short-at", type=int)
    parser.add_argument("--how", choices=("memory", "kill"))
    parser.add_argument("--marker")
    given = parser.parse_args(argv)
    members = members_of_space("r1-mini")
    units = [(arch_id, members[arch_id], 0) for arch_id in range(given.first, given.last)]
    same_key = {"recipe": "cpu-16px-4"}
    settings = {name: getattr(given, name) for name in ("seconds", "short_at", "how", "marker")}
    job = Job("runs", "quick", "r1-mini", "digits", units, 0, 1, start, settings, same_key, "cpu", 2)
    job = dataclasses.replace(job, together=given.together)
    deadline = Deadline()
    with deadline.heeding_signals():
        run_job(job, given.out, local.engine, given.format, deadline=deadline)


if __name__ == "__main__":
    sys.exit(main())
