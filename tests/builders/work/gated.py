"""A job whose units wait until they are allowed: python -m tests.builders.work.gated OUT GATES WORKERS.

No test itself. Signals end it as they end train_shard.
Of each of four units there is `GATES/began-{arch_id}` when a worker has it in hand. It is finished when
somebody makes `GATES/open-{arch_id}`. Its row says when it was finished.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from builders.work import local
from builders.work.command import say_errors
from builders.work.job import Compute, Job, run_job
from builders.work.limit import Deadline
from builders.work.rows import Row
from builders.work.units import Unit
from nbzero.errors import UsageError
from tests.builders.made import row_in_shard

NUM_UNITS = 4
ENDS = {"arch_id", "seed", "arch", "space", "dataset", "recipe"}  # what the job itself adds to a row


def without_torch() -> None:
    """Jobs of this process load no torch, which takes seconds: nothing that is computed here needs it."""
    local.tune_process = lambda: None
    local.all_devices = lambda workers, device: ["cpu"] * workers


# As a job, and in its workers. These import their parent's script before they know of a parent.
if __name__ == "__main__" or multiprocessing.current_process().name != "MainProcess":
    without_torch()


def start(device: str, settings: dict[str, Any]) -> Compute:
    """Wait at a unit's gate; a job with the setting "refuse" or "die" cannot start."""
    if settings.get("refuse"):
        raise UsageError("nothing to compute with")
    if settings.get("die"):
        os._exit(1)
    gates = Path(settings["gates"])

    def compute(unit: Unit, there: Row | None) -> Row:
        (gates / f"began-{unit[0]}").touch()
        while not (gates / f"open-{unit[0]}").exists():
            with suppress(KeyboardInterrupt):  # a long step of torch would not raise it either
                time.sleep(0.01)
        if unit[0] == settings.get("wrong"):
            raise UsageError(f"unit {unit[0]} cannot be")
        if unit[0] == settings.get("short"):
            raise settings["error"]
        row = row_in_shard(unit[0], train_time_s=float(time.monotonic_ns()), device=device)
        return {name: value for name, value in row.items() if name not in ENDS}

    return compute


def gated_job(gates: Path, workers: int, **settings: Any) -> Job:
    units = [(arch_id, f"arch{arch_id}", 0) for arch_id in range(NUM_UNITS)]
    settings["gates"] = str(gates)
    same_key = {"recipe": "cpu-16px-4"}
    return Job("runs", "gated", "r1-mini", "digits", units, 0, 1, start, settings, same_key, "cpu", workers)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    out, gates, workers = argv or sys.argv[1:]
    deadline = Deadline()
    with deadline.heeding_signals():
        run_job(gated_job(Path(gates), int(workers)), out, local.engine, "parquet", deadline=deadline)


if __name__ == "__main__":
    sys.exit(main())
