"""Pickles of plain data from a stranger: numbers, texts, lists, tuples, dicts, sets, numpy's numbers.

A pickle names functions and calls them. Here it can name only what is in ALLOWED, and that is ours or a
built-in container: nothing of numpy, torch or a benchmark's code is imported or called. Any other name is
refused, before anything is called with it.

torch writes a dict as a pickle, in one of two ways:

    before torch 1.6    five pickles one after another: a number, a version, the system, the dict, storages
    since               a zip, in which NAME/data.pkl is the dict

Both are read here, without torch's classes. That is safer than `torch.load(weights_only=True)`, which has
them, and needs no torch.

A pickle may still ask for more memory than there is, or hash a tuple of tuples for years. Whoever reads one
does so in a process of its own (`builders.work.apart`).
"""

from __future__ import annotations

import bz2
import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from nbzero.errors import ReleaseError, count_of, quoted
from nbzero.importers.official import TORCH_LEGACY

MAX_BYTES = 32 << 20  # of a decompressed pickle of one arch: thirty times as many as one without weights has
# What the C unpickler raises for bytes that are no pickle, or one that makes no sense.
_FAULTS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
_FORMATS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "i2": "h", "u8": "Q", "u4": "I", "b1": "?"}


class _Foreign(Exception):
    """A name that no pickle of plain data has."""


class _DType:
    """Stands for numpy.dtype: the kind of a number and its byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.order = state[1]


class _Call:
    """A function that a pickle may call; its attributes are out of the pickle's reach."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a pickle changes a function")


def _dtype(code: Any, *_: Any) -> _DType:
    if not isinstance(code, str) or code not in _FORMATS:
        raise pickle.UnpicklingError(f"numpy.dtype of {quoted(str(code)[:100])}")
    return _DType(code)


def _scalar(dtype: Any, data: Any) -> float | int:
    """One number of numpy as one of Python."""
    if not isinstance(dtype, _DType) or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a numpy number without its kind and bytes")
    number: float | int = struct.unpack(dtype.order + _FORMATS[dtype.code], data)[0]
    return number


def _encoded(text: Any, coding: Any) -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or coding != "latin1":
        raise pickle.UnpicklingError("bytes in another coding than latin1")
    return text.encode("latin1")


ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": dict,
    "builtins.set": set,
    "__builtin__.set": set,
    "numpy.dtype": _Call(_dtype),
    "numpy.core.multiarray.scalar": _Call(_scalar),
    "numpy._core.multiarray.scalar": _Call(_scalar),
    "_codecs.encode": _Call(_encoded),
}


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in ALLOWED:
            raise _Foreign(full)
        return ALLOWED[full]

    def persistent_load(self, pid: Any) -> Any:
        raise _Foreign("a persistent id, as torch has for tensors")


def load_plain(file: BinaryIO, where: str, advice: str) -> Any:
    """The object of one pickle, from where a file stands.

    Args:
        where: names the file.
        advice: what to do where it is refused.

    Raises:
        ReleaseError: a name that is not in ALLOWED, or no pickle.
    """
    try:
        return _Plain(file).load()
    except _Foreign as error:
        raise ReleaseError(
            f"{where}: its pickle has {quoted(str(error))}, which no table of numbers needs; nothing of it "
            f"was run; {advice}"
        ) from error
    except _FAULTS as error:
        said = f"{type(error).__name__}: {str(error)[:200]}"
        raise ReleaseError(f"{where} is no whole pickle of plain data ({said}); {advice}") from error


def load_pbz2(data: bytes, where: str, advice: str) -> Any:
    """The object of a bz2-compressed pickle; errors as `load_plain`, and for one that is too large."""
    decompressor = bz2.BZ2Decompressor()
    try:
        plain = decompressor.decompress(data, MAX_BYTES + 1)
    except (OSError, ValueError, EOFError) as error:
        raise ReleaseError(f"{where} is not compressed by bz2 ({error}); {advice}") from error
    if len(plain) > MAX_BYTES:
        raise ReleaseError(
            f"{where} has more than {MAX_BYTES:,} bytes when decompressed, as one with trained weights; "
            f"{advice}"
        )
    if not decompressor.eof:
        raise ReleaseError(f"{where} is cut off: its bz2 stream has no end; {advice}")
    return load_plain(io.BytesIO(plain), where, advice)


def load_torch(file: BinaryIO, where: str, advice: str) -> Any:
    """The object of a file of torch; errors as `load_plain`, and for what torch does not write."""
    head = file.read(len(TORCH_LEGACY))
    file.seek(0)
    if head == TORCH_LEGACY:
        return _legacy(file, where, advice)
    try:
        return _zipped(file, where, advice)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        said = str(error)[:200]
        raise ReleaseError(f"{where} is no zip of torch that can be read ({said}); {advice}") from error


def _legacy(file: BinaryIO, where: str, advice: str) -> Any:
    parts = []
    for part in ("magic number", "version", "system", "object"):
        parts.append(load_plain(file, f"{where}: its {part}", advice))
    if parts[1] != 1001:
        raise ReleaseError(f"{where} is of another version of torch's format than 1001; {advice}")
    return parts[-1]


def _zipped(file: BinaryIO, where: str, advice: str) -> Any:
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as whole:
        found = []
        for info in whole.infolist():
            if info.filename.count("/") == 1 and info.filename.endswith("/data.pkl"):
                found.append(info)
        if len(found) != 1:
            said = count_of(len(found), "data.pkl")
            raise ReleaseError(f"{where} is a zip with {said}, not 1; {advice}")
        (info,) = found
        # torch compresses nothing: what lies in the file bounds what is read
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
            raise ReleaseError(f"{where}: {info.filename} is compressed; {advice}")
        with whole.open(info) as opened:
            return load_plain(cast("BinaryIO", opened), f"{where}: {info.filename}", advice)
