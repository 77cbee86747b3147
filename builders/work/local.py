"""The engine of one machine: a process for every core or card."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, cast

from builders.work.claims import Work
from builders.work.job import Compute, Job, keep_unit, place_of, place_of_row
from builders.work.rows import Folder, Row
from builders.work.units import Unit
from nbzero.errors import NBZeroError, ReleaseError, UsageError, quoted
from nbzero.proxies.workers import (
    END,
    Hired,
    answer,
    begin_worker,
    interrupts_wait,
    leave_asking_to_parent,
    num_cores,
    told,
    tune_process,
)

MAX_WORKERS = 1000
# What errors say where memory is short: of torch, which has no type of its own on a CPU, and of threads.
NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "can't start new thread")
FEWER = "run the same command again to go on, with fewer --workers if memory is short"


def engine(job: Job, out: str, todo: Work) -> Iterator[tuple[Unit, Row]]:
    """Units and rows as they finish, of one worker for each of `all_devices`.

    Raises:
        UsageError: as `all_devices`.
        ReleaseError: a worker was killed, or could not start.
    """
    devices = all_devices(job.workers, job.device)
    return _computed(job, out, todo, devices[: math.ceil(len(todo) / job.together)])


def _computed(job: Job, out: str, todo: Work, devices: Sequence[str]) -> Iterator[tuple[Unit, Row]]:
    """A worker holds only the units that it computes and waits for the next, so a kill loses no queue."""
    left = iter(todo)
    mine = dataclasses.replace(job, units=[])  # a worker is told each of its units
    team: dict[Connection, Hired] = {}
    in_hand: dict[Connection, dict[tuple[int, int], Unit]] = {}
    starting: dict[Connection, tuple[Job, str, str]] = {}
    try:
        for device in devices:
            connection = _hire(job, team)
            starting[connection] = mine, out, device
        while team:
            for connection in cast("list[Connection]", wait(list(team))):
                said = _heard(job, team[connection])
                if connection in starting:
                    team[connection].tell(starting.pop(connection))
                    continue
                if isinstance(said, NBZeroError):
                    _let_finish(team, in_hand, connection)
                    raise said
                if connection in in_hand:
                    unit = in_hand[connection].pop(place_of_row(said))
                    yield unit, said
                busy = in_hand.setdefault(connection, {})
                for following in itertools.islice(left, job.together - len(busy)):
                    busy[place_of(following[0])] = following[0]
                    team[connection].tell(following)
                if not busy:
                    team.pop(connection).end()
    finally:
        for worker in team.values():
            worker.end()


def _hire(job: Job, team: dict[Connection, Hired]) -> Connection:
    """Start one more worker; ReleaseError where the system starts none."""
    try:
        with interrupts_wait():  # a worker that is started has none until it is ready for them
            worker = Hired(_work)
            team[worker.connection] = worker
    except OSError as error:
        raise ReleaseError(f"a worker of {job.stem} could not start: {error.strerror}; {FEWER}") from error
    return worker.connection


def _heard(job: Job, worker: Hired) -> Any:
    """What a worker says; ReleaseError where it is gone."""
    said = worker.hear()
    if said is END:
        raise ReleaseError(
            f"a worker of {job.stem} was killed (out of memory?), could not start or failed "
            f"(exit status {worker.status()}; what it said is on stderr); {FEWER}"
        )
    return said


def _let_finish(
    team: Mapping[Connection, Hired], in_hand: Mapping[Connection, Sized], failed: Connection
) -> None:
    """Wait until the workers have kept the other units that they have in hand."""
    for connection, units in in_hand.items():
        if connection not in team:
            continue
        for _ in range(len(units) - (connection == failed)):
            team[connection].hear()


# In a worker


def _work(connection: Connection) -> None:
    """Say that it is there, start, then compute and keep unit by unit what it is told."""
    leave_asking_to_parent()
    begin_worker()
    answer(connection, None)
    job, out, device = told(connection)
    try:
        tune_process()
        folder = Folder(out)
        compute = job.start(device, job.settings)
        answer(connection, None)
        if job.together > 1:
            _work_together(connection, job, folder, compute)
        while True:
            unit, there = told(connection)
            answer(connection, keep_unit(job, folder, unit, compute(unit, there)))
    except NBZeroError as error:
        answer(connection, error)
    except (MemoryError, RuntimeError) as error:
        answer(connection, _in_words(job, error))


def _in_words(job: Job, error: BaseException) -> ReleaseError:
    """The error of a worker that got no more memory; any other error is raised again."""
    said = str(error).partition("\n")[0] or type(error).__name__
    if not isinstance(error, MemoryError) and not any(words in said for words in NO_MEMORY):
        raise error
    return ReleaseError(f"a worker of {job.stem} got no more memory ({quoted(said)}); {FEWER}")


def _work_together(connection: Connection, job: Job, folder: Folder, compute: Compute) -> NoReturn:
    """Compute every unit in a thread of its own, as soon as it is told."""
    speaking = threading.Lock()

    def work(unit: Unit, there: Row | None) -> None:
        try:
            said = _kept(job, folder, unit, there, compute)
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # as an error ends a worker that computes one unit at a time
        with speaking:
            answer(connection, said)

    with ThreadPoolExecutor(job.together) as pool:
        while True:
            pool.submit(work, *told(connection))


def _kept(job: Job, folder: Folder, unit: Unit, there: Row | None, compute: Compute) -> Row | NBZeroError:
    """The row of a unit, or an error that another worker need not end for."""
    try:
        return keep_unit(job, folder, unit, compute(unit, there))
    except NBZeroError as error:
        return error
    except (MemoryError, RuntimeError) as error:
        return _in_words(job, error)


# What computes


def check_workers(workers: int | None) -> None:
    """UsageError for workers that are neither None nor 1 to MAX_WORKERS."""
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; at least 1")
    if workers is not None and workers > MAX_WORKERS:
        raise UsageError(f"workers is {quoted(workers)}; at most {MAX_WORKERS}")


def all_devices(workers: int | None, device: str) -> list[str]:
    """One entry per worker.

    Args:
        workers: how many; None: one for every device. More than the devices share them.
        device: "auto" is every CUDA card, else every core; else "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: a device that torch does not have here, or workers that are not 1 to MAX_WORKERS.
    """
    import torch

    check_workers(workers)
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
