"""Files as a benchmark's authors publish them: which kind one is, by its content, and how it is read.

Each kind is read by a module of its own. What may loop or crash on bytes that a stranger made is called
through `Apart`, by which a job gives it a process of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from nbzero.errors import ReleaseError
from nbzero.release.reading import open_regular
from nbzero.release.schema import TableKey

Form = Literal["nats", "torch", "tfrecord", "json", "list", "csv", "bz2"]
Parse = Callable[[bytes, str], Any]
FIRST_BYTES: Mapping[bytes, Form] = {b"{": "json", b"[": "list", b'"': "csv"}
META = "meta.pickle.pbz2"
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled by protocol 2
SAID: Mapping[str, str] = {
    "nats": "a folder or tar of NATS-Bench",
    "torch": "a file of torch",
    "tfrecord": "a TFRecord file",
    "json": "a JSON file",
    "list": "a JSON file of a list",
    "csv": "a CSV file",
    "bz2": "a single bz2 file",
}


class Apart(Protocol):
    """Makes of a function of a file's bytes and name the same function, called apart."""

    def __call__(self, parse: Parse, nbytes: int = 0) -> Parse:
        """Args: nbytes: of the file, where the function reads it itself."""


def here(parse: Parse, nbytes: int = 0) -> Parse:
    """The function itself, for files that are trusted."""
    return parse


@dataclass(frozen=True, slots=True)
class Official:
    """A kind of file that a benchmark's authors publish.

    Attributes:
        form: how it is recognised.
        name: what the authors call it.
        version: which of their versions.
        repository: of the authors.
        place: where the file is to be had.
        licence: of the data.
        citation: of the paper.
        becomes: what of it becomes what in the release, and what is left out.
        read: its rows. It is given the file, `Apart`, and the archs in build order, None where no other file
            has given them.
        gives_archs: it has the archs in build order. Else it is given beside a file that has.
        first_keys: one of which a JSON file of this kind begins with; none: it may begin with any.
    """

    form: Form
    name: str
    version: str
    repository: str
    place: str
    licence: str
    citation: str
    becomes: str
    read: Callable[[Path, Apart, Sequence[str] | None], dict[TableKey, list[dict[str, Any]]]]
    gives_archs: bool = True
    first_keys: tuple[str, ...] = ()


def form_of(path: Path) -> Form | None:
    """Which kind of official file a path holds, by its content; None for any other, and for none.

    Raises:
        ReleaseError: something that is no regular file and no folder.
    """
    if os.path.isdir(path):
        return "nats" if os.path.lexists(path / META) else None
    try:
        with open_regular(path, "give a file") as file:
            head = file.read(512)
    except (OSError, ValueError):
        return None
    if head.startswith((b"PK\x03\x04", TORCH_LEGACY)):
        return "torch"
    if head.startswith(b"BZh"):
        return "bz2"
    if head[257:262] == b"ustar":
        return "nats"
    first = FIRST_BYTES.get(head.lstrip()[:1])
    if first:
        return first
    return "tfrecord" if is_tfrecord(head) else None


def _first_key(path: Path) -> str:
    """The first key of a JSON file; "" where there is none near its begin."""
    with open_regular(path, "give a file") as file:
        found = re.match(r'\s*\{\s*"([^"]{0,100})"', file.read(512).decode(errors="replace"))
    return found[1] if found else ""


def is_tfrecord(head: bytes) -> bool:
    """Whether the first 12 bytes are a length with its masked CRC-32C."""
    return len(head) >= 12 and int.from_bytes(head[8:12], "little") == masked_crc32c(head[:8])


def _crc_table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ (0x82F63B78 * (number & 1))
        table.append(number)
    return table


_CRC = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord: CRC-32C, rotated by 15 bits and shifted by a constant.

    >>> hex(masked_crc32c(b"123456789"))
    '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def official_of(path: Path, form: Form, kinds: Sequence[Official], space: str) -> Official:
    """The kind of a file among those of a space; ReleaseError where it is none of them."""
    for kind in kinds:
        if kind.form == form and (not kind.first_keys or _first_key(path) in kind.first_keys):
            return kind
    if form == "bz2":
        raise ReleaseError(
            f"{path} is a single bz2 file: all of a benchmark in one pickle, or one arch of it; give the "
            "archive whose name ends in -simple, as a tar or unpacked"
        )
    listed = "; ".join(kind.name for kind in kinds) or "none"
    raise ReleaseError(
        f"{path} is {SAID[form]}, which is no file of {space}; official files of {space}: {listed}"
    )
