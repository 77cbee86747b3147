"""A job whose units take a moment: python -m tests.builders.work.quick OUT FIRST LAST FORMAT SECONDS.

No test itself. Two workers, which need no torch. What a row says follows from its arch alone, but for
train_time_s, which says when it was computed. So one that is computed again is told from one that was kept.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

from builders.work import local
from builders.work.command import say_errors
from builders.work.job import Compute, Job, run_job
from builders.work.limit import Deadline
from builders.work.rows import Row
from builders.work.units import Unit
from nbzero.spaces.macro import space
from tests.builders.made import row_in_shard
from tests.builders.work.gated import ENDS

STEM = "quick-0000-of-0001"


def no_torch() -> None:
    """In place of what prepares a process for torch."""


if __name__ in ("__main__", "__mp_main__"):  # as a job, and in its workers
    local.tune_process = no_torch
    local.all_devices = lambda workers, device: ["cpu"] * workers


def row_of(arch_id: int, arch: str) -> Row:
    """The whole row of an arch as it must be, but for train_time_s."""
    numbers = {"val_acc": (arch_id % 97) / 97, "train_loss": arch_id / 7}
    return row_in_shard(arch_id, arch=arch, device="cpu", **numbers)


def start(device: str, settings: dict[str, Any]) -> Compute:
    def compute(unit: Unit, there: Row | None) -> Row:
        time.sleep(settings["seconds"])
        row = row_of(unit[0], unit[1]) | {"train_time_s": float(time.monotonic_ns())}
        return {name: value for name, value in row.items() if name not in ENDS}

    return compute


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    out, first, last, file_format, seconds = argv or sys.argv[1:]
    members = space("r1-mini").members
    units = [(arch_id, members[arch_id], 0) for arch_id in range(int(first), int(last))]
    same_key = {"recipe": "cpu-16px-4"}
    settings = {"seconds": float(seconds)}
    job = Job("runs", "quick", "r1-mini", "digits", units, 0, 1, start, settings, same_key, "cpu", 2)
    deadline = Deadline()
    with deadline.heeding_signals():
        run_job(job, out, local.engine, file_format, deadline=deadline)


if __name__ == "__main__":
    sys.exit(main())
