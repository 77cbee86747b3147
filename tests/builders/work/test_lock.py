"""Locks: one process at a time, and none that died is ever in the way."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builders.work import lock
from builders.work.lock import NAME, locked
from nbzero.errors import OutputError
from tests.places import ROOT

HOLD = """
import sys, time
from pathlib import Path
from builders.work.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    made = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert made.stdout is not None and made.stdout.readline() == "held\n"
    return made


def test_the_second_waits_and_says_who_holds_it(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        said = f"is in use by process {other.pid} on .*; wait until that"
        with pytest.raises(OutputError, match=said), locked(tmp_path, wait_s=0.2):
            pytest.fail("two hold one lock")
        assert other.stdin is not None
        other.stdin.close()
        other.wait()
        with locked(tmp_path):
            assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    assert not (tmp_path / NAME).exists()


def test_a_lock_of_a_process_that_was_killed_is_taken(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (tmp_path / NAME).exists()
    with locked(tmp_path, wait_s=0):
        pass
    assert not (tmp_path / NAME).exists()


def test_the_process_that_holds_it_may_ask_again(tmp_path: Path) -> None:
    with locked(tmp_path / "new"), locked(tmp_path / "new", wait_s=0):
        assert (tmp_path / "new" / NAME).exists()
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    assert not (tmp_path / NAME).exists()


def test_where_there_are_no_locks_nothing_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", None)
    with holder(tmp_path) as other, locked(tmp_path, wait_s=0):
        assert other.poll() is None  # it holds the lock, and here nothing waits for it
        assert other.stdin is not None
        other.stdin.close()
        other.wait()


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = r"cannot write .*File exists; free space or choose another folder"
    with pytest.raises(OutputError, match=said), locked(tmp_path / "file"):
        pytest.fail("locked a file")
