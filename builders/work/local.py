"""The engine of one machine: a process for every core or card."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from builders.work.claims import Work
from builders.work.job import Job, keep_unit
from builders.work.rows import Folder, Row
from builders.work.units import Unit
from nbzero.errors import NBZeroError, ReleaseError, UsageError
from nbzero.proxies.workers import begin_worker, num_cores, tune_process


def engine(job: Job, out: str, todo: Work) -> Iterator[tuple[Unit, Row]]:
    """Units and rows as they finish, of one worker for each of `all_devices`.

    Raises:
        UsageError: as `all_devices`.
        ReleaseError: a worker was killed, or could not start.
    """
    devices = all_devices(job.workers, job.device)
    return _computed(job, out, todo, devices[: len(todo)])


def _computed(job: Job, out: str, todo: Work, devices: Sequence[str]) -> Iterator[tuple[Unit, Row]]:
    """Each worker holds one unit and waits for the next, so a kill loses no queue."""
    if not todo:
        return
    context = multiprocessing.get_context("spawn")
    places = context.SimpleQueue()
    for device in devices:
        places.put(device)
    workers = len(devices)
    left = iter(todo)
    running: dict[Future[Row], Unit] = {}
    with ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(job, out, places)
    ) as pool:
        try:
            while True:
                for unit, there in left:
                    with _interrupts_wait():  # a worker that is started has none until it is ready for them
                        running[pool.submit(_compute, unit, there)] = unit
                    if len(running) == workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            raise ReleaseError(
                f"a worker of {job.stem} was killed (out of memory?) or could not start; "
                "run the same command again to go on, with fewer --workers if memory is short"
            ) from error
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        finally:
            for future in running:
                future.cancel()


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C is told when this has ended; a process that is started meanwhile inherits that it waits."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In a worker

_worker: dict[str, Any] = {}


def _start_worker(job: Job, out: str, places: Any) -> None:
    begin_worker()
    tune_process()
    try:
        _worker.update(job=job, folder=Folder(out), compute=job.start(places.get(), job.settings))
    except NBZeroError as error:  # told by the first unit: a pool only says that its worker broke
        _worker["failed"] = error


def _compute(unit: Unit, there: Row | None) -> Row:
    if "failed" in _worker:
        raise _worker["failed"]
    row = _worker["compute"](unit, there)
    return keep_unit(_worker["job"], _worker["folder"], unit, row)


# What computes


def all_devices(workers: int | None, device: str) -> list[str]:
    """One entry per worker.

    Args:
        workers: how many; None: one for every device. More than the devices share them.
        device: "auto" is every CUDA card, else every core; else "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: a device that torch does not have here, or fewer than one worker.
    """
    import torch

    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; at least 1")
    cards = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if device == "auto":
        device = "cuda" if cards else "cpu"
    if device == "cpu":
        return ["cpu"] * (workers or num_cores())
    chosen = cards
    if device != "cuda":
        chosen = [card for card in cards if card == device]
    if not chosen:
        raise UsageError(f"device {device!r}; this machine has {' '.join(['cpu', *cards])}")
    return [chosen[number % len(chosen)] for number in range(workers or len(chosen))]
