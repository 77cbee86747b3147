"""Shards and jobs: rows as shards have them, jobs in this process, jobs in processes that can be killed."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from builders.work.claims import Work
from builders.work.command import ENGINES
from builders.work.job import Job, keep_unit
from builders.work.rows import Folder, Row, read_shard
from builders.work.units import Unit
from nbzero.release.schema import TABLES
from tests.builders.made import is_alive, row_in_shard, started

NOT_COMPARED = {column.name for columns in TABLES.values() for column in columns if not column.same}


@pytest.fixture(scope="session", autouse=True)
def cache_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What jobs measure here is no rate of this machine: it goes to a cache folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBZERO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shard_row() -> Callable[..., Row]:
    """Makes a row of a shard of runs: shard_row(arch_id, **changed)."""
    return row_in_shard


@pytest.fixture(scope="session")
def rows_in() -> Callable[..., list[Row]]:
    """Reads a shard file without what two honest repetitions may differ in; `whole=True`: with it."""

    def read(path: Path, whole: bool = False) -> list[Row]:
        rows = read_shard(path.read_bytes(), str(path)).rows
        if whole:
            return rows
        return [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in rows]

    return read


def engine_here(job: Job, out: str, todo: Work) -> Iterator[tuple[Unit, Row]]:
    """An engine that computes in this process: a worker takes seconds to start."""
    if not todo:
        return
    folder = Folder(out)
    compute = job.start("cpu", job.settings)
    for unit, there in todo:
        yield unit, keep_unit(job, folder, unit, compute(unit, there))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs compute in this process."""
    monkeypatch.setitem(ENGINES, "local", engine_here)


@pytest.fixture
def start_job() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts a job in a process of its own: start_job(module, *arguments). It does not outlive the test."""
    jobs: list[subprocess.Popen] = []

    def start(module: str, *arguments: str) -> subprocess.Popen:
        jobs.append(started(module, *arguments))
        return jobs[-1]

    yield start
    for job in jobs:
        if is_alive(job.pid):
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
        job.communicate()
