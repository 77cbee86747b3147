"""The Slurm array script, as far as it goes without Slurm: bash runs it with what Slurm would set."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from builders.work.rows import read_shard
from tests.builders.made import heed_hangups, is_alive, wait_until
from tests.places import ROOT

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
SCRIPT = ROOT / "builders" / "slurm_array.sh"
SHARD = "runs-r1-mini-digits-cpu-16px-4-0001-of-0002"
TRAIN = ["--space", "r1-mini", "--dataset", "digits", "--recipe", "cpu-16px-4", "--device", "cpu"]
TRAIN += ["--seeds", "0", "1", "--base", "none", "--workers", "1"]
TWO, MANY = ["--archs", "443:445"], ["--archs", "443:483"]
FEW = {"JOB": "tests.builders.work.few"}  # train_shard on a few images
TASK = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_JOB_ID": "77"}


@pytest.fixture
def task(tmp_path):
    """Starts a task of an array: task(arguments, **what Slurm sets)."""
    begun = []
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "scontrol").write_text(f'#!/bin/bash\necho "$@" > {tmp_path}/requeued\n')
    (tmp_path / "bin" / "scontrol").chmod(0o755)

    def start(*arguments: str, **given: str) -> subprocess.Popen:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        path = f"{tmp_path / 'bin'}:{kept['PATH']}"
        begun.append(
            subprocess.Popen(
                ["bash", str(SCRIPT), *arguments],
                env={**kept, "PATH": path, "PYTHON": sys.executable, "SLURM_SUBMIT_DIR": str(ROOT), **given},
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=heed_hangups,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        if is_alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.long
def test_a_task_computes_its_shard(task, tmp_path):
    end = str(int(time.time()) + 3600)
    job = task(*TRAIN, *TWO, "--out", str(tmp_path / "out"), SLURM_JOB_END_TIME=end, **TASK)
    out, said = job.communicate(timeout=300)
    assert job.returncode == 0, said
    assert out.endswith(f"{SHARD}.parquet: 2 runs of r1-mini\n")
    data = (tmp_path / "out" / f"{SHARD}.parquet").read_bytes()
    assert [(row["arch_id"], row["seed"]) for row in read_shard(data, "x.parquet").rows] == [
        (443, 1),
        (444, 1),
    ]
    assert not (tmp_path / "requeued").exists()


@pytest.mark.long  # a job that is asked to end by a signal, without the script: tests of builders.work.local
def test_slurms_signal_to_the_script_has_the_job_write_its_file(task, tmp_path):
    """It comes to the shell alone. The task goes back into the queue, as was asked for."""
    units = tmp_path / "out" / SHARD
    again = {"REQUEUES": "2", "SLURM_RESTART_COUNT": "1"}
    job = task(*TRAIN, *MANY, "--out", str(tmp_path / "out"), **TASK, **again, **FEW)
    wait_until(lambda: (units / "000443-1.claim").exists())
    os.kill(job.pid, signal.SIGUSR1)
    out, said = job.communicate(timeout=300)
    assert job.returncode == 0, said
    assert "SIGUSR1: no more is begun" in said and "leaked" not in said
    assert " of 40 runs of r1-mini; no more was begun (SIGUSR1); run the same command again to go on" in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{SHARD}.parquet"]
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"


def test_a_task_whose_time_is_nearly_over_begins_nothing(task, tmp_path):
    soon = {"SLURM_JOB_END_TIME": str(int(time.time()) + 30)}
    job = task(
        *TRAIN, *TWO, "--out", str(tmp_path / "out"), **TASK, **soon, REQUEUES="2", SLURM_RESTART_COUNT="2"
    )
    out, said = job.communicate(timeout=300)
    assert job.returncode == 0, said
    assert "0 of 2 runs of r1-mini; nothing was begun (the time limit of 0 s is over)" in out
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "requeued").exists(), "it was requeued as often as is allowed"


def test_the_status_of_a_job_that_failed_is_that_of_the_task(task, tmp_path):
    job = task(*TRAIN, *TWO, "--out", "nowhere", **TASK, JOB="builders.no_such_job")
    _, said = job.communicate(timeout=300)
    assert job.returncode == 1 and "No module named builders.no_such_job" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "submit it by sbatch --array=0-39"),
        ({**TASK, "SLURM_ARRAY_TASK_MIN": "1"}, "from 0 without gaps: --array=0-1"),
        ({**TASK, "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "4"}, "from 0 without gaps"),
    ],
)
def test_an_array_that_has_no_shards_is_refused(given, said, task):
    job = task(*TRAIN, *TWO, "--out", "nowhere", **given)
    assert said in job.communicate(timeout=60)[1] and job.returncode == 2
