"""A row as a shard has it, and jobs in processes of their own. No test itself."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.places import ROOT

Row = dict[str, Any]


def row_in_shard(arch_id: int = 0, **changed: object) -> Row:
    row = {
        "arch_id": arch_id,
        "recipe": "cpu-16px-4",
        "seed": 0,
        "status": "ok",
        "val_acc": 0.1 + 0.2,  # no short decimal
        "test_acc": 1 / 3,
        "train_loss": 1.5,
        "curve": [0.125, 0.1 + 0.2],
        "train_time_s": 3.25,
        "device": "a card",
        "engine": "local",
        "software": "torch",
        "builder_commit": "abc",
        "space": "r1-mini",
        "dataset": "digits",
        "arch": "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2",
    }
    return row | changed


def heed_hangups() -> None:
    """In a process that is about to become a job: SIGHUP ends it, also where nohup runs the tests."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def started(module: str, *arguments: str) -> subprocess.Popen:
    """A job as a shell starts it: it and its workers are a process group of their own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_hangups,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_alive(group: int) -> bool:
    """Whether a process of the group is left. One that is dead and only waits to be asked is none."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if int(of_group) == group and state != "Z":
            return True
    return False
