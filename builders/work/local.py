"""The engine of one machine: a process for every core or card."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import platform
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from builders.work.claims import Work
from builders.work.job import Job, keep_unit
from builders.work.rows import Folder, Row
from builders.work.units import Unit
from nbzero.errors import NBZeroError, ReleaseError, UsageError


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
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker at once: its unit is the one in hand
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tune_process()
    try:
        _worker.update(job=job, folder=Folder(out), compute=job.start(places.get(), job.settings))
    except NBZeroError as error:  # told by the first unit: a pool only says that its worker broke
        _worker["failed"] = error


def _end_with_parent() -> None:
    """End this process when its parent is gone (kill -9), so that no orphan goes on computing."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _compute(unit: Unit, there: Row | None) -> Row:
    if "failed" in _worker:
        raise _worker["failed"]
    row = _worker["compute"](unit, there)
    return keep_unit(_worker["job"], _worker["folder"], unit, row)


def tune_process() -> None:
    """One thread, TF32 off, and a malloc that keeps its memory.

    With such a malloc oneDNN's 1x1 convolutions ran 1.7 to 2.3 times as fast.
    """
    import torch

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3
        libc = ctypes.CDLL(None)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 2**30)


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
        return ["cpu"] * (workers or _num_cores())
    chosen = cards
    if device != "cuda":
        chosen = [card for card in cards if card == device]
    if not chosen:
        raise UsageError(f"device {device!r}; this machine has {' '.join(['cpu', *cards])}")
    return [chosen[number % len(chosen)] for number in range(workers or len(chosen))]


def _num_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
