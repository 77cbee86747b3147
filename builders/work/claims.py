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

from builders.work.limit import Deadline
from builders.work.rows import Folder, Row, read_shard
from builders.work.units import Unit, unit_name
from nbzero.errors import OutputError
from nbzero.files import GO_ON, host_name, make_folder

Todo = tuple[Unit, Row | None]  # a unit, and its row where there is one that is incomplete


class Work:
    """What is to do of a job: each unit that is handed out is claimed, and left out where another has it.

    A unit that another process has finished meanwhile is left out too. Once the deadline allows no more, the
    rest is not handed out.

    Args:
        folder: the job's output.
        stem: of the shard.
        todo: units, each with its row where there is an incomplete one.
        is_complete: whether a row needs no more work.
        deadline: says whether a unit may begin; None: all may.
    """

    def __init__(
        self,
        folder: Folder,
        stem: str,
        todo: Sequence[Todo],
        is_complete: Callable[[Row], bool],
        deadline: Deadline | None = None,
    ) -> None:
        self.folder, self.stem, self.todo, self.is_complete = folder, stem, todo, is_complete
        self.deadline = deadline or Deadline()
        self.elsewhere: dict[Unit, str] = {}
        self._own: dict[Unit, Path] = {}
        self._next = 0
        self._returned: list[Todo] = []

    def __len__(self) -> int:
        return len(self.todo)

    def __iter__(self) -> Iterator[Todo]:
        while group := self.take(1):
            yield group[0]

    def take(self, most: int) -> list[Todo]:
        """The next units, so many at most, that one worker computes together; [] where there are no more."""
        group: list[Todo] = []
        while self._returned and len(group) < most:
            units = [unit for unit, _ in [*group, self._returned[0]]]
            if not self.deadline.allows(units):
                break
            group.append(self._returned.pop(0))
        while len(group) < most and self._next < len(self.todo):
            unit, there = self.todo[self._next]
            if self._claim(unit):
                if not self.deadline.allows([*(other for other, _ in group), unit]):
                    self._give_back(unit)
                    break
                group.append((unit, there))
            self._next += 1
        if group:
            self.deadline.begin([unit for unit, _ in group])
        return group

    def put_back(self, todo: Todo) -> None:
        """A unit that was handed out and came to nothing is the next one in turn; it stays claimed."""
        self.deadline.given_up(todo[0])
        self._returned.append(todo)

    @property
    def first(self) -> list[Unit]:
        """The unit that is next in turn, whoever may hold it."""
        return [unit for unit, _ in self.todo[self._next :][:1]]

    @property
    def not_begun(self) -> int:
        """How many units were not handed out yet, to this process or another."""
        return len(self.todo) - self._next + len(self._returned)

    def done(self, unit: Unit, row: Row) -> None:
        """A unit is finished, and kept as a row: its claim is given back."""
        self.deadline.ended(unit, row["device"])
        self._give_back(unit)

    def close(self) -> None:
        """Give all claims back."""
        for unit in list(self._own):
            self._give_back(unit)

    def _claim(self, unit: Unit) -> bool:
        """Take a unit in hand; False where another process has it, or has finished it."""
        if not self.folder.local:
            return True
        path = Path(self.folder.path(f"{self.stem}/{unit_name(unit)}.claim"))
        holder = _claimed(path)
        if holder is not None:
            self.elsewhere[unit] = holder
            return False
        self._own[unit] = path
        if self._is_finished(unit):
            self._give_back(unit)
            return False
        return True

    def _give_back(self, unit: Unit) -> None:
        path = self._own.pop(unit, None)
        if path is not None:
            _remove(path)

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
