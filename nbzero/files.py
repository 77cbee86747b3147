"""Files that appear whole or not at all, and the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from pathlib import Path

from nbzero.errors import OutputError

GO_ON = "run the same command again: what is finished is kept"


def write_whole(path: Path, data: bytes, advice: str = GO_ON) -> None:
    """Make a local file that appears whole or not at all.

    It is written as `<name>.<host>-<process>-<thread>.part`, flushed to the disk, then renamed. Its
    folder is flushed too.

    Args:
        advice: what to do where it cannot be written.

    Raises:
        OutputError: the disk is full or the folder cannot be written. Nothing of the file is left, and what
            was there before is untouched.
    """
    part = path.with_name(f"{path.name}.{host_name()}-{os.getpid()}-{threading.get_ident()}.part")
    try:
        make_folder(path.parent)
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename(part, path)
    except OSError as error:
        said = error.strerror or str(error)
        if error.filename not in (None, str(part)):
            said += f" ({error.filename})"
        raise OutputError(
            f"cannot write {path}: {said}; free space or choose another folder, then {advice}"
        ) from error
    finally:
        # It was renamed, or could not be made; the first error is the one to tell.
        with contextlib.suppress(OSError):
            part.unlink()


def host_name() -> str:
    """This machine as it stands in names of files: letters and digits of its name."""
    import socket  # here: who only reads needs none

    return re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:40]


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, so that they outlive a power cut; OSError where that cannot be."""
    new = []
    at = folder
    while not at.exists():
        new.append(at)
        at = at.parent
    folder.mkdir(parents=True, exist_ok=True)
    for one in new:
        sync_folder(one.parent)


def rename(old: Path, new: Path) -> None:
    """Rename a file within its folder, whatever has the new name, so that it outlives a power cut.

    What is in the file must have been flushed before (`sync_file`).
    """
    os.replace(old, new)
    sync_folder(new.parent)


def sync_file(path: Path) -> None:
    """Have what is in a file on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk, so that a rename outlives a power cut.

    Some file systems and Windows cannot do that; there it does nothing.
    """
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def cache_folder() -> Path:
    """Where fetched files and rebuilt indexes lie: NBZERO_CACHE, else nbzero in the user's cache folder."""
    given = os.environ.get("NBZERO_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbzero"


def write_cached(path: Path, data: bytes) -> None:
    """`write_whole` into the user's cache folder."""
    write_whole(path, data, "name it by NBZERO_CACHE")
