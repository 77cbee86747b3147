"""What a folder holds, a disk that is full, and a process that is killed while it writes. No test itself."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from nbzero import files


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class FullDisk(io.FileIO):
    """A file on a disk that is full after half of what is written."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let `after` files be written, the next one not."""
    left = [after]

    def opened(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" not in mode:
            return open(path, mode, *args, **kwargs)
        left[0] -= 1
        return open(path, mode, *args, **kwargs) if left[0] >= 0 else FullDisk(path, "wb")

    monkeypatch.setattr(files, "open", opened, raising=False)


class Killed(BaseException):
    """Stands for kill -9: from then on nothing of the process happens, neither renaming nor cleaning up."""


class PowerCut:
    """Watches renames and new folders: `gone` are those that a power cut would undo now.

    A rename lasts once the file was flushed before it and its folder after it. A new folder lasts once the
    one above it was flushed.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._flushed: set[int] = set()
        self._left: list[Path] = []
        self.renamed: list[Path] = []
        fsync, mkdir = os.fsync, os.mkdir

        def flush(number: int) -> None:
            fsync(number)
            at = os.readlink(f"/proc/self/fd/{number}")
            self._flushed.add(os.fstat(number).st_ino)
            self._left = [path for path in self._left if str(path.parent.resolve()) != at]

        def rename(old: Any, new: Any, real: Any = os.rename) -> None:
            assert os.stat(old).st_ino in self._flushed, f"{old} was not flushed before it was renamed"
            real(old, new)
            self._left.append(Path(new))
            self.renamed.append(Path(new))

        def make(path: Any, *args: Any) -> None:
            mkdir(path, *args)
            self._left.append(Path(path))

        monkeypatch.setattr(os, "fsync", flush)
        monkeypatch.setattr(os, "replace", rename)
        monkeypatch.setattr(os, "rename", rename)  # pooch
        monkeypatch.setattr(os, "mkdir", make)

    @property
    def gone(self) -> list[Path]:
        return self._left


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die in place of the `number`-th rename; the files that were written stay as they are."""
    renamed = [0]

    def replace(source: Any, target: Any, real: Any = os.replace) -> None:
        renamed[0] += 1
        if renamed[0] > number:
            raise Killed
        real(source, target)

    def unlink(path: Path, missing_ok: bool = False, real: Any = Path.unlink) -> None:
        if renamed[0] > number:
            raise Killed
        real(path, missing_ok)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
