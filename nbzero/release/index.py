"""The memory-mappable copy of one space's tables that look-ups read.

It is derived from the Parquet files, which are the truth. Byte layout, little-endian throughout:

    0   8 bytes   magic b"NBZIDX1\\n"
    8   uint64    length H of the header
    16  H bytes   header, JSON in UTF-8
    then          arrays, each at an offset from the file's start that is a multiple of 64, zeros between

The header is

    {"space", "sources": {Parquet path: its SHA-256}, "tables": {name: {"rows", "groups", "columns"}}}

A table's name is "archs", "latencies", or "runs/{dataset}" and so on. Its rows are sorted by recipe, protocol
or setup, then seed, then arch_id. "groups" lists [recipe, protocol or setup, seed, first row, row after the
last] of each run of equal keys; the seed of what has none is 0. A column is one of

    {"dtype", "offset", "count"}              numbers, NaN for null; a nullable integer is stored as float32
    {"texts", "codes": {numbers}}             texts by position in a list; -1 for null
    {"packed": {numbers, uint8}, "codes"}     the same of many or long texts: their list as JSON by zlib,
                                              which opening the index leaves alone
    {"bytes": {numbers, uint8}}               texts that hardly repeat (arch): UTF-8 joined by newlines;
                                              of many rows also "starts" and "slots", as
                                              `nbzero.release.strings` says
    {"ends": {numbers}, "values": {numbers}}  lists: row i holds values[ends[i - 1] : ends[i]]

Codes take as few bytes as their texts allow. Columns of equal bytes share one array.
Of all but the archs it has no space, dataset and arch: the index is of one space, a table of one data set,
and the arch follows from arch_id.
"""

from __future__ import annotations

import itertools
import json
import mmap
import struct
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nbzero.errors import ReleaseError
from nbzero.release import strings
from nbzero.release.reading import open_regular
from nbzero.release.schema import KEYS, WHERE, Table
from nbzero.release.structure import CODES, check_header, checked_texts

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

MAGIC = b"NBZIDX1\n"
ALIGN = 64
LONG, LONGEST = 1 << 14, 1 << 28  # bytes of a column's distinct texts as JSON, between which they are packed
_DTYPES = {"int16": "<i2", "int32": "<i4", "int64": "<i8", "double": "<f8"}


def index_path(space: str) -> str:
    """Where a space's index lies in a release.

    >>> index_path("r1")
    'index/r1.nbzidx'
    """
    return f"index/{space}.nbzidx"


def sort_keys(table: Table) -> list[str]:
    """The order of a table's rows, in Parquet and index alike: recipe, protocol or setup, seed, arch_id."""
    return [*KEYS[table][1:], "arch_id"]


def build_index(space: str, tables: Mapping[str, pa.Table], sources: Mapping[str, str]) -> bytes:
    """The index of a space.

    Args:
        tables: by name ("archs", "runs/cifar10"), sorted as in the release.
        sources: SHA-256 of the Parquet file of each table, by its path in the release.
    """
    arrays = _Arrays()
    described = {}
    for name, table in tables.items():
        columns = {}
        for field in table.schema:
            if name == "archs" or field.name not in WHERE:
                columns[field.name] = _column(arrays, table, field)
        described[name] = {"rows": table.num_rows, "groups": groups_of(name, table), "columns": columns}
    header = {"space": space, "sources": dict(sources), "tables": described}
    return _with_header(header, b"".join(arrays.chunks))


class _Arrays:
    """The bytes of the arrays, one after the other; equal ones once."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self._places: dict[tuple[str, bytes], dict[str, Any]] = {}

    def put(self, values: npt.ArrayLike, dtype: str) -> dict[str, Any]:
        """Add an array; where it lies, counted from the first one."""
        import numpy as np

        array = np.ascontiguousarray(values, dtype=dtype)
        data = array.tobytes()
        key = dtype, sha256(data).digest()
        if key not in self._places:
            chunk = data + bytes(-len(data) % ALIGN)
            self._places[key] = {"dtype": dtype, "offset": self.size, "count": len(array)}
            self.chunks.append(chunk)
            self.size += len(chunk)
        return self._places[key]


def _column(arrays: _Arrays, table: pa.Table, field: pa.Field) -> dict[str, Any]:
    """Put one column among the arrays and describe it, as the module says."""
    import numpy as np

    values, kind = table.column(field.name), str(field.type)
    if field.name == "arch":
        lines = [text.encode() for text in values.to_pylist()]
        found = {"bytes": arrays.put(np.frombuffer(b"\n".join(lines), np.uint8), "<u1")}
        if len(lines) > strings.LARGE:
            found["starts"] = arrays.put(strings.starts_of(lines), "<i8")
            found["slots"] = arrays.put(strings.slots_of(lines), "<i4")
        return found
    if kind == "string":
        texts, codes = _coded(values.to_pylist())
        places = arrays.put(codes, _smallest(len(texts)))
        listed = json.dumps(texts).encode()
        if not LONG < len(listed) <= LONGEST:
            return {"texts": texts, "codes": places}
        packed = zlib.compress(listed, 9)
        return {"packed": arrays.put(np.frombuffer(packed, np.uint8), "<u1"), "codes": places}
    if kind.startswith("list"):
        lists = values.to_pylist()
        ends = np.cumsum(list(map(len, lists)), dtype=np.int64)
        joined = list(itertools.chain.from_iterable(lists))
        return {"ends": arrays.put(ends, "<i8"), "values": arrays.put(joined, "<f8")}
    if field.nullable and kind.startswith("int"):
        return arrays.put(values.to_numpy(), "<f4")
    return arrays.put(values.to_numpy(), _DTYPES[kind])


def _coded(listed: list[str | None]) -> tuple[list[str], list[int]]:
    """The distinct texts, sorted, and each text's position among them; -1 for null."""
    texts = sorted({text for text in listed if text is not None})
    places: dict[str | None, int] = {None: -1}
    for place, text in enumerate(texts):
        places[text] = place
    return texts, list(map(places.__getitem__, listed))


def _smallest(num_texts: int) -> str:
    """The type of the fewest bytes that has every code from -1 on."""
    if num_texts <= 1 << 7:
        return "<i1"
    return "<i2" if num_texts <= 1 << 15 else "<i4"


def groups_of(name: str, table: pa.Table) -> list[list[Any]]:
    """The header's "groups" of a table; none of archs."""
    kind: Any = name.split("/")[0]
    if kind == "archs":
        return []
    named = table.column(KEYS[kind][1]).to_pylist()
    seeds = table.column("seed").to_pylist() if "seed" in KEYS[kind] else [0] * len(named)
    groups: list[list[Any]] = []
    for row, key in enumerate(zip(named, seeds, strict=True)):
        if not groups or tuple(groups[-1][:2]) != key:
            groups.append([*key, row, row])
        groups[-1][3] = row + 1
    return groups


def _with_header(header: dict[str, Any], arrays: bytes) -> bytes:
    """The bytes of an index.

    Offsets in the header count from the first array while it is built. Here they come to count from the
    file's start.
    """
    length = len(json.dumps(header)) + 24 * str(header).count("'offset'")  # room for the larger offsets
    start = (16 + length + ALIGN - 1) // ALIGN * ALIGN
    text = json.dumps(_moved(header, start)).encode()
    return MAGIC + struct.pack("<Q", start - 16) + text.ljust(start - 16) + arrays


def _moved(node: Any, start: int) -> Any:
    """A header, or a part of it, with every offset larger by `start`."""
    if not isinstance(node, dict):
        return node
    moved = {}
    for key, value in node.items():
        moved[key] = value + start if key == "offset" else _moved(value, start)
    return moved


def _inflated(packed: memoryview) -> bytes:
    """What zlib packed; ValueError where it is too much or breaks off."""
    packer = zlib.decompressobj()
    found = packer.decompress(packed, LONGEST)
    if not packer.eof:
        raise ValueError(f"packed texts break off, or are more than {LONGEST} bytes")
    return found


class Index:
    """An opened index: every array is a read-only view of the mapped file.

    Args:
        path: of the file, for errors too.
        opened: the file itself, which is closed; None: it is opened by its path.
    """

    def __init__(self, path: Path | str, opened: BinaryIO | None = None) -> None:
        self.path = path
        with opened or open_regular(Path(path)) as file:
            try:
                self._map: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise self.damaged("it is empty") from error
        if self._map[: len(MAGIC)] != MAGIC:
            raise self.damaged("it does not begin with the index's magic bytes")
        try:
            (length,) = struct.unpack_from("<Q", self._map, len(MAGIC))
            header = json.loads(self._map[16 : 16 + length])
            check_header(header, len(self._map))
        except (struct.error, ValueError, RecursionError, OverflowError) as error:
            raise self.damaged(str(error)) from error
        self.space: str = header["space"]
        self.sources: dict[str, str] = header["sources"]
        self.tables: dict[str, dict[str, Any]] = header["tables"]
        self._unpacked: dict[tuple[str, str], list[str]] = {}

    def damaged(self, why: str) -> ReleaseError:
        """The error for an index that is not what this module says."""
        advice = "remove it where it lies in the cache, else run builders.merge_shards again"
        return ReleaseError(
            f"{self.path} is no index of this version ({why}); {advice} or fetch the release anew"
        )

    def _array(self, place: dict[str, Any]) -> memoryview:
        code: Any = CODES[place["dtype"]]
        start = place["offset"]
        end = start + place["count"] * struct.calcsize(code)
        numbers: memoryview = memoryview(self._map)[start:end].cast(code)
        return numbers

    def _described(self, table: str, column: str, form: str) -> dict[str, Any]:
        """What the header says of a column; `form` is a key that columns of its kind have."""
        described: dict[str, Any] = self.tables[table]["columns"].get(column, {})
        if form not in described:
            raise self.damaged(f"column {column} of {table} is absent or of another kind")
        return described

    def numbers(self, table: str, column: str) -> memoryview:
        """A number column, (rows,), no copy; `numpy.asarray` makes an array of it, also without one."""
        return self._array(self._described(table, column, "dtype"))

    def texts(self, table: str, column: str) -> tuple[list[str], memoryview]:
        """The distinct texts of a column and each row's position among them, -1 for null."""
        described = self._described(table, column, "codes")
        texts = described["texts"] if "texts" in described else self._unpack(table, column)
        return texts, self._array(described["codes"])

    def _unpack(self, table: str, column: str) -> list[str]:
        """The distinct texts of a column that has them packed; unpacked once."""
        if (table, column) not in self._unpacked:
            place = self._described(table, column, "packed")["packed"]
            try:
                texts = checked_texts(json.loads(_inflated(self._array(place))))
            except (zlib.error, ValueError, RecursionError) as error:
                raise self.damaged(f"column {column} of {table}: {error}") from error
            self._unpacked[table, column] = texts
        return self._unpacked[table, column]

    def lines(self, table: str, column: str) -> Sequence[str]:
        """A text column that hardly repeats, one string a row."""
        described = self._described(table, column, "bytes")
        if "starts" in described:
            return strings.Strings(self._array(described["bytes"]), self._array(described["starts"]))
        data = bytes(self._array(described["bytes"]))
        try:
            lines = data.decode().split("\n") if data else []
        except UnicodeDecodeError as error:
            raise self.damaged(f"column {column} of {table}: {error}") from error
        if len(lines) != self.tables[table]["rows"]:
            raise self.damaged(f"column {column} of {table} has {len(lines)} lines")
        return lines

    def places(self, table: str, column: str) -> Mapping[str, int] | strings.Places:
        """The row of each string of such a column."""
        lines = self.lines(table, column)
        described = self._described(table, column, "bytes")
        if isinstance(lines, strings.Strings):
            return strings.Places(lines, self._array(described["slots"]))
        found = {text: row for row, text in enumerate(lines)}
        if len(found) != len(lines):
            raise self.damaged(f"column {column} of {table} has a string twice")
        return found

    def text(self, table: str, column: str, row: int) -> str | None:
        """One row of a text column; None for null."""
        texts, codes = self.texts(table, column)
        code = codes[row]
        if code == -1:
            return None
        if not 0 <= code < len(texts):
            raise self.damaged(f"column {column} of {table} has no text {code}")
        return texts[code]

    def lists(self, table: str, column: str) -> tuple[memoryview, memoryview]:
        """A list column: where the values of each row end, and the values of all rows."""
        described = self._described(table, column, "ends")
        return self._array(described["ends"]), self._array(described["values"])

    def list_at(self, table: str, column: str, row: int) -> tuple[float, ...]:
        """One row of a list column."""
        ends, values = self.lists(table, column)
        start = ends[row - 1] if row else 0
        if not 0 <= start <= ends[row] <= len(values):
            raise self.damaged(f"column {column} of {table} ends at {ends[row]} in row {row}")
        return tuple(values[start : ends[row]].tolist())
