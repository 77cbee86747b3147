"""One process at a time on one folder.

The lock is `flock` on a file `.nbzero.lock` in the folder, which says who holds it. The system lets go of it
when its process ends, however it ends, so nothing that died is ever in the way. The file goes with the lock.

Some file systems, and Windows, have no such locks. There nothing is locked. Whoever replaces a release looks
at the manifest once more before (`builders.work.commit`), and fails loudly where it is another.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from nbzero.errors import OutputError
from nbzero.files import make_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".nbzero.lock"
WAIT_S = 10.0
_held: set[str] = set()


@contextlib.contextmanager
def locked(folder: Path, wait_s: float = WAIT_S, name: str = NAME) -> Iterator[None]:
    """Hold the lock of a folder, which is made where it is not there, and goes again where it stays empty.

    Where this process holds it already, nothing is done.

    Raises:
        OutputError: another process has held it for `wait_s` seconds, with its host and number; or the folder
            cannot be written.
    """
    path = Path(os.path.realpath(folder)) / name
    if str(path) in _held:
        yield
        return
    is_new = not path.parent.exists()
    number = _taken(path, wait_s)
    if number is not None:
        _held.add(str(path))
    try:
        yield
    finally:
        if number is not None:
            _held.discard(str(path))
            with contextlib.suppress(OSError):
                os.unlink(path)  # while it is held: who waits for it sees that the file has gone
            os.close(number)
            if is_new:
                with contextlib.suppress(OSError):  # something is in it
                    path.parent.rmdir()


def _taken(path: Path, wait_s: float) -> int | None:
    """The descriptor of the locked file; None where there are no locks."""
    deadline = time.monotonic() + wait_s
    while True:
        number = _opened(path)
        try:
            if fcntl is None:
                os.close(number)
                return None
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _said(path)
            os.close(number)
            if time.monotonic() > deadline:
                raise OutputError(
                    f"{path.parent} is in use by {holder}; wait until that has ended, then run this again"
                ) from None
            time.sleep(0.1)
            continue
        except OSError:
            os.close(number)
            return None
        if _is_at(number, path):
            os.truncate(number, 0)
            os.write(number, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
            return number
        os.close(number)  # of a file that another took away when it ended


def _opened(path: Path) -> int:
    try:
        make_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        said = error.strerror or str(error)
        raise OutputError(
            f"cannot write {path}: {said}; free space or choose another folder, then run this again"
        ) from error


def _is_at(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except OSError:
        return False


def _said(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        said = json.loads(path.read_text())
        return f"process {int(said['pid'])} on {str(said['host'])[:100]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
