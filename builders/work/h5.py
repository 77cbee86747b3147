"""Rows as HDF5, for machines without pyarrow, and the same back from a file that a stranger may have sent.

A data set per column. A null is NaN, and the empty string in a nullable text. A list column is
`{name}/values` and `{name}/lengths`. Texts have a fixed length, so that a file says how large it is. Numbers
and texts are stored plain in chunks with a Fletcher-32 sum each.

The first 512 bytes are a block that HDF5 leaves to its user. Ours begins

    nbzero shard sha256 <64 hex digits of all bytes behind the block>

so that a damaged file is known before the HDF5 library, which can loop on one, reads it.

HDF5 can point out of itself: to other files, to links, to bytes that its filters make many of. None of that
is ever in our files, and a file with any of it is refused before a value is read.

Whoever means harm can make the checksum agree. So files are read in a process of their own, with a limit of
time (`builders.work.rows`).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbzero.errors import UsageError, quoted
from nbzero.release.schema import Column

BLOCK = 512
HEAD = b"nbzero shard sha256 "
MAX_ROWS = 1 << 22


def pack(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], said: Mapping[str, str | int]
) -> bytes:
    """A file of rows.

    Args:
        said: its attributes.
    """
    import h5py

    sink = io.BytesIO()
    with h5py.File(sink, "w", userblock_size=BLOCK) as file:
        file.attrs.update(said)
        for column in columns:
            _put_column(file, column, [row[column.name] for row in rows])
    body = sink.getvalue()[BLOCK:]
    return (HEAD + hashlib.sha256(body).hexdigest().encode()).ljust(BLOCK, b"\0") + body


def _put_column(file: Any, column: Column, values: list[Any]) -> None:
    name = column.name
    if column.kind == "string":
        texts = [(value or "").encode() for value in values]
        length = max(map(len, texts), default=0) or 1
        _put(file, name, np.array(texts, f"S{length}"))
    elif column.kind == "list<float64>":
        _put(file, f"{name}/lengths", np.array([len(value) for value in values], np.int32))
        _put(file, f"{name}/values", np.array([number for value in values for number in value], np.float64))
    else:
        _put(file, name, np.array(values, column.kind))  # of None NaN


def _put(file: Any, name: str, values: Any) -> None:
    summed = len(values) > 0  # there are no chunks of nothing
    file.create_dataset(name, data=values, fletcher32=summed, chunks=values.shape if summed else None)


class Unpacked:
    """An opened file: its attributes, and its columns once they were checked. Use it in a `with`.

    Args:
        data: what passed `check_sum`.

    Raises:
        UsageError: whatever is not as `pack` writes it.
        OSError, ValueError, KeyError, RuntimeError: of h5py, for a file that it cannot read.
    """

    def __init__(self, data: bytes) -> None:
        import h5py

        self._size = len(data)
        self._file = h5py.File(io.BytesIO(data), "r")

    def __enter__(self) -> Unpacked:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def said(self, name: str) -> Any:
        """An attribute; None where there is none."""
        if name not in self._file.attrs:
            return None
        attribute = self._file.attrs.get_id(name)
        if attribute.shape != ():  # before any of it is read: it may say that it is huge
            raise UsageError(f"its attribute {name} is of shape {quoted(attribute.shape)}")
        value = self._file.attrs[name]
        return value.item() if isinstance(value, np.generic) else value

    def __contains__(self, column: str) -> bool:
        return column in self._file

    def column(self, column: Column) -> list[Any]:
        """The values of a column."""
        name = column.name
        if column.kind == "string":
            return self._texts(name, column.nullable)
        if column.kind == "list<float64>":
            return self._lists(name)
        numbers = self._values(name, "iuf")
        values = numbers.astype(object)
        values[np.isnan(numbers)] = None
        found: list[Any] = values.tolist()
        return found

    def _texts(self, name: str, nullable: bool) -> list[Any]:
        texts: list[Any] = []
        for value in self._values(name, "SO").tolist():
            text = value.decode() if isinstance(value, bytes) else str(value)
            texts.append(None if nullable and not text else text)
        return texts

    def _lists(self, name: str) -> list[Any]:
        lengths = self._values(f"{name}/lengths", "iu")
        values = self._values(f"{name}/values", "f")
        if np.any(lengths < 0) or lengths.sum() != len(values):
            raise UsageError(f"{name} has {len(values)} values for lengths of {lengths.sum()}")
        ends = np.cumsum(lengths)
        if len(ends) == 0:
            return []
        return [part.tolist() for part in np.split(values, ends[:-1])]

    def _values(self, name: str, kinds: str) -> Any:
        dataset = self._dataset(name)
        if dataset.ndim != 1 or dataset.dtype.kind not in kinds:
            raise UsageError(f"{name} is {dataset.dtype} of shape {quoted(dataset.shape)}")
        if len(dataset) > MAX_ROWS:
            raise UsageError(f"{name} has {len(dataset):,} values, more than {MAX_ROWS:,}")
        if dataset.dtype.kind == "O":
            return self._long_texts(dataset)
        # What lies in the file bounds what is read: no filter may make more of it, no chunk count twice.
        nbytes = len(dataset) * dataset.dtype.itemsize
        stored = dataset.id.get_storage_size()
        if not nbytes <= stored <= self._size:
            raise UsageError(f"{name} has {nbytes:,} bytes, of which {stored:,} are stored in the file")
        return dataset[:]

    def _long_texts(self, dataset: Any) -> Any:
        """Texts of any length, as files before this form had them, one by one: together no larger than it."""
        found, left = [], self._size
        for row in range(len(dataset)):
            value = dataset[row]
            left -= len(value)
            if left < 0:
                raise UsageError(f"{dataset.name} has more text than the file has bytes")
            found.append(value)
        return np.array(found, object)

    def _dataset(self, name: str) -> Any:
        """A data set that lies in this file."""
        import h5py

        at = self._file
        for part in name.split("/"):
            link = at.get(part, getlink=True) if isinstance(at, h5py.Group) else None
            if not isinstance(link, h5py.HardLink):
                raise UsageError(f"{name} is no data set of the file itself")
            at = at[part]
        if not isinstance(at, h5py.Dataset):
            raise UsageError(f"{name} is no data set")
        if at.external or at.is_virtual:
            raise UsageError(f"{name} has its values in other files")
        if at.compression or at.scaleoffset is not None or at.shuffle:
            raise UsageError(f"{name} is compressed")
        return at


def check_sum(data: bytes) -> None:
    """UsageError where the block's checksum is not that of the bytes; files of before have no block."""
    said = re.match(re.escape(HEAD) + rb"([0-9a-f]{64})\0", data)
    if said and hashlib.sha256(data[BLOCK:]).hexdigest().encode() != said[1]:
        raise UsageError("its bytes do not match its checksum")
    if not said and not data.startswith(b"\x89HDF"):
        raise UsageError("it does not begin as a shard does")
