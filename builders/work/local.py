"""The engine of one machine: a process for every core or card."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from builders.work.claims import Work
from builders.work.job import Job, keep_unit
from builders.work.rows import Folder, Row
from builders.work.units import Unit
from nbzero.errors import NBZeroError, ReleaseError, UsageError, quoted
from nbzero.proxies.workers import (
    END,
    Hired,
    answer,
    begin_worker,
    interrupts_wait,
    num_cores,
    told,
    tune_process,
)

MAX_WORKERS = 1000
FEWER = "run the same command again to go on, with fewer --workers if memory is short"


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
    left = iter(todo)
    mine = dataclasses.replace(job, units=[])  # a worker is told each of its units
    team: dict[Connection, Hired] = {}
    in_hand: dict[Connection, Unit] = {}
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
                    _let_finish(team, set(in_hand) - {connection})
                    raise said
                if connection in in_hand:
                    yield in_hand.pop(connection), said
                following = next(left, None)
                if following is None:
                    team.pop(connection).end()
                else:
                    in_hand[connection] = following[0]
                    team[connection].tell(following)
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


def _let_finish(team: Mapping[Connection, Hired], busy: Collection[Connection]) -> None:
    """Wait until each worker has kept the unit that it has in hand."""
    for connection in busy:
        team[connection].hear()


# In a worker


def _work(connection: Connection) -> None:
    """Say that it is there, start, then compute and keep unit by unit what it is told."""
    begin_worker()
    answer(connection, None)
    job, out, device = told(connection)
    try:
        tune_process()
        folder = Folder(out)
        compute = job.start(device, job.settings)
        answer(connection, None)
        while True:
            unit, there = told(connection)
            answer(connection, keep_unit(job, folder, unit, compute(unit, there)))
    except NBZeroError as error:
        answer(connection, error)


# What computes


def all_devices(workers: int | None, device: str) -> list[str]:
    """One entry per worker.

    Args:
        workers: how many; None: one for every device. More than the devices share them.
        device: "auto" is every CUDA card, else every core; else "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: a device that torch does not have here, or workers that are not 1 to MAX_WORKERS.
    """
    import torch

    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; at least 1")
    if workers is not None and workers > MAX_WORKERS:
        raise UsageError(f"workers is {quoted(workers)}; at most {MAX_WORKERS}")
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
