"""Bytes of a file on disk or at a URL: never more than were asked for, never without end.

A file on disk  only a regular one. A pipe, a device or a folder is refused before it is read.
A URL           by fsspec. A server that sends nothing for STALL_S seconds is an error.
Both            at most `most` + 1 bytes: the one more shows that there are more than allowed.
"""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from nbzero.errors import ReleaseError

STALL_S = 30.0
CHUNK = 1 << 20


def open_regular(path: Path, advice: str = "fetch the release anew") -> BinaryIO:
    """A regular file, opened to be read.

    Args:
        advice: what to do where it is none.

    Raises:
        OSError: it cannot be opened.
        ReleaseError: it is no regular file.
    """
    # Without O_NONBLOCK the mere opening of a pipe waits until somebody writes into it.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ReleaseError(f"{path} is no regular file; {advice}")
    return open(number, "rb", buffering=0)


def pieces(file: BinaryIO, most: int) -> Iterator[bytes]:
    """What an opened file holds, piece by piece, at most `most` + 1 bytes of it."""
    left = most + 1
    while left > 0:
        piece = file.read(min(CHUNK, left))
        if not piece:
            return
        left -= len(piece)
        yield piece


def read_file(path: Path, most: int) -> bytes:
    """The bytes of a regular file, at most `most` + 1; errors as of `open_regular`."""
    with open_regular(path) as file:
        return b"".join(pieces(file, most))


def size_and_sha256(file: BinaryIO, most: int) -> tuple[int, str]:
    """Bytes, at most `most` + 1, and their SHA-256 in hex; the file is never whole in memory."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces(file, most):
        size += len(piece)
        digest.update(piece)
    return size, digest.hexdigest()


def joined(folder: str, name: str) -> str:
    """A file in a folder that is a path or URL: before what comes behind "::", or behind "?" of http.

    >>> joined("https://host/data/?token=5", "a/b"), joined("zip://::https://host/x.zip", "a/b")
    ('https://host/data/a/b?token=5', 'zip://a/b::https://host/x.zip')
    >>> joined("s3://bucket/data", "a/b"), joined("/data", "a/b")
    ('s3://bucket/data/a/b', '/data/a/b')
    """
    first, chain, rest = folder.partition("::")
    query = mark = ""
    if first.startswith(("http://", "https://")):
        first, mark, query = first.partition("?")
    if not first.endswith("://"):
        first = first.rstrip("/") + "/"
    return f"{first}{name}{mark}{query}{chain}{rest}"


def read_url(url: str, most: int) -> bytes:
    """The bytes at a URL, at most `most` + 1.

    Raises:
        ReleaseError: it cannot be fetched, fsspec is not there, or nothing came for STALL_S seconds.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ReleaseError(f"{url} is a URL, which needs fsspec: pip install fsspec") from error
    reading = _Reading(url, most, url_to_fs)
    # A thread of its own: some file systems wait for ever, and only a second thread can notice.
    threading.Thread(target=reading.run, daemon=True).start()
    return reading.result()


class _Reading:
    """One fetch. `run` reads in one thread, `result` waits in another."""

    def __init__(self, url: str, most: int, url_to_fs: Any) -> None:
        self.url, self.most, self.url_to_fs = url, most, url_to_fs
        self._pieces: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        self._is_given_up = threading.Event()

    def run(self) -> None:
        """Put what is read into the queue: pieces, then an empty one, or the error."""
        try:
            for piece in self._read():
                self._pieces.put(piece)
            self._pieces.put(b"")
        except BaseException as error:
            self._pieces.put(error)

    def _read(self) -> Iterator[bytes]:
        files, path = self.url_to_fs(self.url)
        left = self.most + 1
        with self._opened(files, path) as file:
            while left > 0 and not self._is_given_up.is_set():
                piece = file.read(min(CHUNK, left))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    def _opened(self, files: Any, path: str) -> Any:
        if not self.url.startswith(("http://", "https://")):
            return files.open(path, "rb")
        try:
            # Of block size 0 it is a stream. It asks for no ranges, which not every server knows.
            return files.open(path, "rb", block_size=0)
        except FileNotFoundError:
            # So fsspec calls every refusal. Asked for a byte it tells the server's own words.
            files.cat_file(path, 0, 1)
            raise

    def result(self) -> bytes:
        """What came, whole.

        Raises:
            ReleaseError: as `read_url`.
        """
        pieces: list[bytes] = []
        while True:
            try:
                piece = self._pieces.get(timeout=STALL_S)
            except queue.Empty:
                self._is_given_up.set()
                why = f"sent nothing for {STALL_S:.0f} seconds"
                raise ReleaseError(f"{self.url} {why}; check the address and the network") from None
            if isinstance(piece, _transport_errors()):
                why = f"cannot be fetched ({type(piece).__name__}: {piece})"
                raise ReleaseError(f"{self.url} {why}; check the address and the network") from piece
            if isinstance(piece, BaseException):
                raise piece
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)


# Errors of libraries that fsspec's file systems let through and that are no OSError.
_LET_THROUGH = {"aiohttp": "ClientError", "botocore.exceptions": "BotoCoreError", "gcsfs.retry": "HttpError"}


def _transport_errors() -> tuple[type[Exception], ...]:
    """What fsspec's file systems raise. A library that is not loaded raises nothing."""
    errors: list[type[Exception]] = [OSError, ValueError, ImportError]
    for module, name in _LET_THROUGH.items():
        if module in sys.modules:
            errors.append(getattr(sys.modules[module], name))
    return tuple(errors)
