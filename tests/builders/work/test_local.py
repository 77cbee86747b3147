"""The engine of one machine: its workers end with their parent, and a job that was stopped goes on."""

import dataclasses
import os
import selectors
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builders.work.job import run_job
from builders.work.local import all_devices, engine
from nbzero.errors import ReleaseError, UsageError
from tests.builders.made import is_alive, wait_until
from tests.builders.work.gated import NUM_UNITS, gated_job
from tests.places import ROOT

STEM = "gated-0000-of-0001"


def test_devices_are_cores_or_cards():
    assert all_devices(3, "cpu") == ["cpu"] * 3
    assert len(all_devices(None, "cpu")) >= 1
    with pytest.raises(ValueError, match="this machine has cpu"):
        all_devices(None, "cuda:99")
    with pytest.raises(ValueError, match="workers is 0"):
        all_devices(0, "cpu")


def test_cards_are_shared_by_the_workers(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert all_devices(None, "auto") == ["cuda:0", "cuda:1"]
    assert all_devices(3, "cuda") == ["cuda:0", "cuda:1", "cuda:0"]
    assert all_devices(2, "cuda:1") == ["cuda:1", "cuda:1"]
    assert all_devices(1, "cpu") == ["cpu"]
    with pytest.raises(ValueError, match=r"device 'cuda:2'; this machine has cpu cuda:0 cuda:1$"):
        all_devices(None, "cuda:2")


def files_of(units: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in units.glob("*.json")}


IN_PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def begun_job(start_job, tmp_path, workers):
    """A job with two finished units, and one in hand of each worker; its output, its gates and the job."""
    out, gates = tmp_path / "out", tmp_path / "gates"
    gates.mkdir()
    for arch_id in (0, 1):
        (gates / f"open-{arch_id}").touch()
    job = start_job("tests.builders.work.gated", str(out), str(gates), str(workers))
    in_hand = [gates / f"began-{arch_id}" for arch_id in range(2, 2 + workers)]
    wait_until(lambda: all(unit.exists() for unit in in_hand))
    assert sorted(files_of(out / STEM)) == ["000000-0.json", "000001-0.json"]
    return out, gates, job


def send(job, how, to_group):
    if to_group:
        os.killpg(job.pid, how)
    else:
        job.send_signal(how)


def said_until(job, text):
    """What a job has said on stderr when it has said a text."""
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(job.stderr, selectors.EVENT_READ)
        while text.encode() not in said:
            assert selector.select(timeout=120), said
            more = os.read(job.stderr.fileno(), 65536)
            assert more, said
            said += more
    return said.decode()


@IN_PROC
@pytest.mark.parametrize(
    ("signals", "workers", "status"),
    [
        ([signal.SIGKILL], 2, -signal.SIGKILL),
        ([signal.SIGINT], 1, 130),
        ([signal.SIGUSR1, signal.SIGTERM], 2, 143),
        pytest.param([signal.SIGTERM, signal.SIGINT], 1, 130, marks=pytest.mark.long),
    ],
)
def test_a_job_that_is_stopped_leaves_no_worker_and_goes_on(
    signals, workers, status, start_job, rows_in, tmp_path
):
    out, gates, job = begun_job(start_job, tmp_path, workers)
    kept = files_of(out / STEM)
    *first, last = signals
    said = ""
    for how in first:
        send(job, how, to_group=True)
        said += said_until(job, f"{how.name}: no more is begun")
    send(job, last, to_group=last == signal.SIGINT)  # what a terminal does on Ctrl-C; else the parent alone
    wait_until(lambda: not is_alive(job.pid))
    said += job.communicate()[1]
    assert job.returncode == status, said
    if last != signal.SIGKILL:
        assert "interrupted; run the same command again" in said
        assert "Traceback" not in said and "leaked" not in said
    for arch_id in range(NUM_UNITS):
        (gates / f"open-{arch_id}").touch()  # an orphan would finish its unit now
    assert files_of(out / STEM) == kept and not list(out.glob("*.parquet"))
    goes_on(out, gates, rows_in, [0, 1], rows_of_units(out, rows_in))


def rows_of_units(out, rows_in):
    rows = []
    for path in sorted((out / STEM).glob("*.json")):
        rows += rows_in(path, whole=True)
    return rows


def goes_on(out, gates, rows_in, arch_ids, before):
    """The same job computes what is missing and nothing else."""
    assert [row["arch_id"] for row in before] == arch_ids
    name = run_job(gated_job(gates, workers=1), str(out), engine, "parquet")
    assert [path.name for path in out.iterdir()] == [name]
    after = rows_in(out / name, whole=True)
    assert [row["arch_id"] for row in after] == list(range(NUM_UNITS))
    assert after[: len(before)] == before, "a finished unit was computed again"


@IN_PROC
@pytest.mark.parametrize(
    ("how", "to_group"),
    [
        (signal.SIGTERM, False),
        (signal.SIGUSR1, True),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, True, marks=pytest.mark.long),
    ],
)
def test_a_job_that_is_asked_to_end_finishes_what_runs(how, to_group, start_job, rows_in, tmp_path):
    """Slurm signals the parent or all of a job; a terminal that closes, its whole group."""
    out, gates, job = begun_job(start_job, tmp_path, workers=1)
    send(job, how, to_group)
    said = said_until(job, f"{how.name}: no more is begun, what runs is finished first\n")
    (gates / "open-2").touch()
    said += job.communicate(timeout=120)[1]
    assert job.returncode == 0, said
    assert "Traceback" not in said and "leaked" not in said and "interrupted" not in said
    wait_until(lambda: not is_alive(job.pid))
    assert not (gates / "began-3").exists()
    assert [path.name for path in out.iterdir()] == [f"{STEM}.parquet"]
    (gates / "open-3").touch()
    goes_on(out, gates, rows_in, [0, 1, 2], rows_in(out / f"{STEM}.parquet", whole=True))


@IN_PROC
@pytest.mark.parametrize(
    "how",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.long),
    ],
)
def test_a_job_that_is_asked_to_end_while_its_workers_start_begins_nothing(how, start_job, tmp_path):
    """No moment of the start has a process that the signal kills, nor a unit that is begun after."""
    out, gates = tmp_path / "out", tmp_path / "gates"
    gates.mkdir()
    job = start_job("tests.builders.work.gated", str(out), str(gates), "2")
    wait_until(lambda: Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().count(" ") >= 2)
    os.killpg(job.pid, how)
    _, said = job.communicate(timeout=120)
    assert job.returncode == 0 and said == f"{how.name}: no more is begun, what runs is finished first\n"
    wait_until(lambda: not is_alive(job.pid))
    assert not list(gates.iterdir()) and not list(out.iterdir())


def test_an_error_at_the_start_of_a_worker_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"^nothing to compute with$"):
        run_job(gated_job(tmp_path, workers=1, refuse=True), str(tmp_path / "out"), engine, "parquet")


def test_units_together_begin_at_once_in_one_worker_and_end_in_any_order(tmp_path, rows_in):
    job = dataclasses.replace(gated_job(tmp_path, workers=1), together=3)
    out = tmp_path / "out"
    with ThreadPoolExecutor() as pool:
        done = pool.submit(run_job, job, str(out), engine, "parquet")
        try:
            wait_until(lambda: all((tmp_path / f"began-{arch_id}").exists() for arch_id in range(3)))
            assert not (tmp_path / "began-3").exists()
            (tmp_path / "open-2").touch()
            wait_until(lambda: (tmp_path / "began-3").exists())
            kept = out / "gated-0000-of-0001"
            assert [path.name for path in kept.glob("*.json")] == ["000002-0.json"]
        finally:
            for arch_id in range(NUM_UNITS):
                (tmp_path / f"open-{arch_id}").touch()
        name = done.result()
    assert [row["arch_id"] for row in rows_in(out / name)] == list(range(NUM_UNITS))


def test_an_error_of_one_unit_leaves_the_others_finished(tmp_path, rows_in):
    job = gated_job(tmp_path, workers=1, wrong=1)
    for arch_id in range(NUM_UNITS):
        (tmp_path / f"open-{arch_id}").touch()
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="unit 1 cannot be"):
        run_job(dataclasses.replace(job, together=4), str(out), engine, "parquet")
    kept = {path.name for path in (out / "gated-0000-of-0001").glob("*.json")}
    assert kept == {f"{arch_id:06d}-0.json" for arch_id in (0, 2, 3)}


NO_MEMORY = [
    (MemoryError(), "'MemoryError'"),
    (
        RuntimeError("DefaultCPUAllocator: can't allocate memory\nmore"),
        '"DefaultCPUAllocator: can.t allocate .*"',
    ),
]


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize(("error", "said"), NO_MEMORY)
def test_a_worker_that_gets_no_more_memory_says_so(error, said, together, tmp_path):
    job = dataclasses.replace(gated_job(tmp_path, workers=1, short=1, error=error), together=together)
    for arch_id in range(NUM_UNITS):
        (tmp_path / f"open-{arch_id}").touch()
    out = tmp_path / "out"
    with pytest.raises(
        ReleaseError, match=rf"^a worker of {STEM} got no more memory \({said}\); run the same"
    ):
        run_job(job, str(out), engine, "parquet")
    finished = [0] if together == 1 else [0, 2, 3]
    assert sorted(files_of(out / STEM)) == [f"{arch_id:06d}-0.json" for arch_id in finished]


@pytest.mark.parametrize("together", [1, 4])
def test_another_error_of_a_worker_is_not_taken_for_a_lack_of_memory(together, tmp_path, capfd):
    job = gated_job(tmp_path, workers=1, short=0, error=RuntimeError("a bug"))
    (tmp_path / "open-0").touch()
    with pytest.raises(
        ReleaseError, match=r"was killed .* or failed \(exit status 1; what it said is on stderr"
    ):
        run_job(dataclasses.replace(job, together=together), str(tmp_path / "out"), engine, "parquet")
    assert "RuntimeError: a bug" in capfd.readouterr().err


def test_a_worker_that_is_killed_is_told(tmp_path):
    with pytest.raises(ReleaseError, match=r"a worker of gated-0000-of-0001 was killed \(out of memory\?\)"):
        run_job(gated_job(tmp_path, workers=1, die=True), str(tmp_path / "out"), engine, "parquet")


DYING = ["start", "own", *(pytest.param(how, marks=pytest.mark.long) for how in ("told", "large"))]


@pytest.mark.parametrize("how", DYING)
def test_workers_that_die_while_they_start_end_in_an_error(how):
    """Whether they die before they have read what they are to do, or after; nothing waits for ever."""
    command = [sys.executable, "-m", "tests.builders.work.dying", how, "2", "2"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert len(said) == 2
    for line in said:
        assert "could not start" in line and "exit status -9" in line
