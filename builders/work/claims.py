"""Units that a process has taken in hand, so that two that were given the same work share it.

A claim is a file `{arch_id:06d}-{seed}.claim` beside the units, with the host and number of its process. A
claim of a process that has ended is taken over. Those of another host say nothing here: whether that process
lives cannot be known, and a unit that is computed twice is no harm.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from builders.work.rows import Folder, Row, read_shard
from builders.work.units import Unit, unit_name
from nbzero.errors import OutputError
from nbzero.files import GO_ON, host_name, make_folder

Todo = tuple[Unit, Row | None]  # a unit, and its row where there is one that is incomplete


class Work:
    """What is to do of a job: as it is iterated each unit is claimed, and left out where another has it.

    A unit that another process has finished meanwhile is left out too.

    Args:
        folder: the job's output.
        stem: of the shard.
        todo: units, each with its row where there is an incomplete one.
        is_complete: whether a row needs no more work.
    """

    def __init__(
        self, folder: Folder, stem: str, todo: Sequence[Todo], is_complete: Callable[[Row], bool]
    ) -> None:
        self.folder, self.stem, self.todo, self.is_complete = folder, stem, todo, is_complete
        self.elsewhere: dict[Unit, str] = {}
        self._own: dict[Unit, Path] = {}

    def __len__(self) -> int:
        return len(self.todo)

    def __iter__(self) -> Iterator[Todo]:
        for unit, there in self.todo:
            if not self.folder.local:
                yield unit, there
                continue
            path = Path(self.folder.path(f"{self.stem}/{unit_name(unit)}.claim"))
            holder = _claimed(path)
            if holder is not None:
                self.elsewhere[unit] = holder
                continue
            self._own[unit] = path
            if self._is_finished(unit):
                self.done(unit)
            else:
                yield unit, there

    def done(self, unit: Unit) -> None:
        """Give a claim back."""
        path = self._own.pop(unit, None)
        if path is not None:
            _remove(path)

    def close(self) -> None:
        """Give all claims back."""
        for unit in list(self._own):
            self.done(unit)

    def _is_finished(self, unit: Unit) -> bool:
        name = f"{self.stem}/{unit_name(unit)}.json"
        try:
            data = self.folder.read(name)
        except OSError:  # it is not there, or not to be read: then it is computed
            return False
        return self.is_complete(read_shard(data, self.folder.path(name)).rows[0])


def _claimed(path: Path) -> str | None:
    """Claim a unit; None, or in words the living process on this host that has it."""
    own = f"{socket.gethostname()} {os.getpid()}"
    with contextlib.suppress(FileExistsError):
        _write_new(path, own)
        return None
    holder = _holder(path)
    if holder is not None:
        return f"process {holder}"
    _remove(path)
    with contextlib.suppress(FileExistsError):  # another took it over first: then two compute it
        _write_new(path, own)
    return None


def _holder(path: Path) -> int | None:
    """The living process on this host that a claim names."""
    try:
        host, said = path.read_text().split()
        number = int(said)
    except (OSError, ValueError):  # it has just gone, or was cut off while it was written
        return None
    if host == socket.gethostname() and is_alive(number):
        return number
    return None


def tidy(folder: Folder, stem: str) -> None:
    """Remove what processes left that have ended, and the folder of a shard's units where it is empty.

    They leave claims, and `.part` files where they were killed while they wrote one.
    """
    if not folder.local:
        return
    there = Path(folder.path(stem))
    for path in there.glob("*.claim"):
        if _holder(path) is None:
            _remove(path)
    for path in [*there.glob("*.part"), *there.parent.glob("*.part")]:
        if _is_left(path):
            _remove(path)
    with contextlib.suppress(OSError):  # another process has something there
        there.rmdir()


def _is_left(part: Path) -> bool:
    """Whether a `.part` file, as `nbzero.files` names it, is of a process of this host that has ended."""
    match = re.search(rf"\.{host_name()}-(\d+)(-\d+)?\.part$", part.name)
    return match is not None and not is_alive(int(match[1]))


def _write_new(path: Path, text: str) -> None:
    """Make a file.

    Raises:
        FileExistsError: there is one.
        OutputError: the disk is full or the folder cannot be written.
    """
    while True:
        try:
            make_folder(path.parent)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            return
        except FileExistsError:
            raise
        except FileNotFoundError:  # another process has just removed the folder, which was empty
            continue
        except OSError as error:
            raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}; free space, then {GO_ON}")


def _remove(path: Path) -> None:
    """Remove a claim; one that cannot be removed is nobody's once this process has ended."""
    with contextlib.suppress(OSError):
        path.unlink()


def is_alive(number: int) -> bool:
    """Whether a process of this host runs."""
    if number <= 0:
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
