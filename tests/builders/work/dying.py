"""Workers that die while they start: python -m tests.builders.work.dying HOW TRIES WORKERS.

No test itself. Prints the error of every try; where one waits for ever nothing more is printed.

    start     it kills itself in the job's `start`
    told      while it reads what it is to do
    large     the same, with a megabyte still to come
    own       as large, a worker of a proxy of one's own
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from builders.work.job import Compute, run_job
from builders.work.local import engine
from nbzero.errors import NBZeroError
from nbzero.proxies.workers import computed
from tests.builders.work.gated import gated_job, without_torch

REST = bytes(1_000_000)


def kill_this() -> None:
    """What the kernel does to a process when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly:
    """Kills the process that unpickles it."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return kill_this, ()

    def __call__(self, payload: bytes) -> Any:
        raise AssertionError("it was to die before")


def start(device: str, settings: dict[str, Any]) -> Compute:
    kill_this()
    raise AssertionError("it was to die before")


def die(how: str, workers: int, out: Path) -> None:
    """Start workers that die; an error of ours."""
    if how == "own":
        list(computed(Deadly(), REST, [("a", seed) for seed in range(4)], workers, None))
    settings: dict[str, Any] = {}
    if how != "start":
        settings["first"] = Deadly()
    if how == "large":
        settings["rest"] = REST
    run_job(replace(gated_job(out, workers, **settings), start=start), str(out), engine, "parquet")


def main() -> None:
    without_torch()
    how, tries, workers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(int(tries)):
            try:
                die(how, int(workers), Path(folder))
            except NBZeroError as error:
                print(error, flush=True)


if __name__ == "__main__":
    main()
