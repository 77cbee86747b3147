"""Rows as files that appear when they are finished.

A job's output folder may be any fsspec URL. Every finished unit in it is a small JSON file: one training
run, one scored initialisation, or one timed network. It appears whole or not at all. So a job that is killed
at any moment loses at most the unit in hand. When all units of a shard are there, they become one shard file,
and the small files go. It is Parquet, or HDF5 where pyarrow is absent.

    {job}-{i}-of-{n}/{arch_id:06d}-{seed}.json      while it runs
    {job}-{i}-of-{n}.parquet | .h5                  when finished
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from builders.work import h5
from builders.work.apart import Apart
from nbzero.errors import OutputError, ReleaseError, UsageError
from nbzero.files import GO_ON, host_name, make_folder, write_whole
from nbzero.release.schema import (
    DATA_VERSION,
    KEYS,
    LATER,
    SCHEMA_VERSION,
    TABLES,
    Table,
    arrow_schema,
    check_rows,
    where_of,
)

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

Row = dict[str, Any]
Format = Literal["parquet", "h5"]
SUM = "rows_sha256"  # in every file: of its rows, as they are read
SETTINGS = "settings"  # in a file of a job: what its recipe's or protocol's name stood for, as JSON


class Folder:
    """A folder of finished files, local or at any fsspec URL."""

    def __init__(self, url: str | Path) -> None:
        # Here: importing a benchmark needs no fsspec.
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        self.fs: AbstractFileSystem
        self.fs, self.root = url_to_fs(os.fspath(url))
        self.local = isinstance(self.fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """A file of the folder as its file system knows it; of "" the folder itself."""
        return f"{self.root}/{name}" if name else self.root

    def names(self, under: str = "") -> list[str]:
        """Every finished file below a sub-folder, relative to this folder, sorted.

        There is none where the sub-folder does not exist.

        Raises:
            FileNotFoundError: a folder has gone meanwhile.
            ReleaseError: one that cannot be read.
        """
        if not self.fs.isdir(self.path(under)):
            return []
        start = len(self.root.rstrip("/")) + 1
        found = [name[start:] for name in self._find(self.path(under))]
        return sorted(name for name in found if not name.endswith((".part", ".claim", ".lock")))

    def _find(self, path: str) -> list[str]:
        """Every file below a folder."""
        if not self.local:
            return list(self.fs.find(path))

        def refuse(error: OSError) -> None:  # fsspec would take a sub-folder that cannot be read for empty
            if isinstance(error, FileNotFoundError):
                raise error
            said = f"cannot read the folder {error.filename}: {error.strerror}; make it readable"
            raise ReleaseError(said) from error

        found = []
        for folder, _, files in os.walk(path, onerror=refuse):
            found += [f"{folder}/{name}" for name in files]
        return found

    def make(self) -> None:
        """Make the folder where it does not exist; OutputError where that cannot be."""
        try:
            if self.local:
                make_folder(Path(self.root))
            else:
                self.fs.makedirs(self.root, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {self.root}: {error.strerror or error}; name another --out"
            ) from error

    def check_room(self, nbytes: int) -> None:
        """Nothing is left of the try.

        Raises:
            OutputError: nothing can be written to the folder, or its disk has less than so many bytes free.
        """
        if self.local:
            self._check_free(nbytes)
        self.make()
        probe = f".{host_name()}-{os.getpid()}.part"
        self.write(probe, bytes(1))
        self.remove(probe)

    def _check_free(self, nbytes: int) -> None:
        there = Path(self.root)
        while not there.exists() and there != there.parent:
            there = there.parent
        free = shutil.disk_usage(there).free
        if free < nbytes:
            raise OutputError(
                f"{self.root} has {free / 1e6:,.1f} MB free, the job may need {nbytes / 1e6:,.1f}; "
                "free space or name another --out"
            )

    def read(self, name: str) -> bytes:
        data: bytes = self.fs.cat_file(self.path(name))
        return data

    def write(self, name: str, data: bytes) -> None:
        """Make a file that appears whole or not at all.

        Raises:
            OutputError: the disk is full or the folder cannot be written; nothing of the file is left.
        """
        path = self.path(name)
        if self.local:
            write_whole(Path(path), data)
            return
        try:
            self.fs.pipe_file(path, data)
        except (OSError, ValueError, NotImplementedError) as error:  # some can only be read
            said = str(error) or "it can only be read"
            raise OutputError(f"cannot write {path}: {said}; name another --out, or {GO_ON}") from error

    def remove(self, name: str) -> None:
        """Remove a file or a whole sub-folder, where there is one."""
        if self.fs.exists(self.path(name)):
            self.fs.rm(self.path(name), recursive=True)


def default_format() -> Format:
    """Parquet where pyarrow is installed, else HDF5."""
    return "parquet" if importlib.util.find_spec("pyarrow") else "h5"


# Writing


def to_json(table: Table, row: Row, settings: str | None = None) -> bytes:
    """One finished unit. Floats keep every bit: they are the shortest text that reads back the same."""
    content: dict[str, Any] = {
        "table": table,
        "schema_version": SCHEMA_VERSION,
        "data_version": DATA_VERSION,
        "row": row,
        SUM: rows_sha256([row]),
    }
    if settings is not None:
        content[SETTINGS] = settings
    return (json.dumps(content, allow_nan=True, sort_keys=True) + "\n").encode()


def to_parquet(table: Table, rows: Sequence[Row], settings: str | None = None) -> bytes:
    """A shard as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(table)
    said = {"nbzero.data_version": DATA_VERSION, f"nbzero.{SUM}": rows_sha256(rows)}
    if settings is not None:
        said[f"nbzero.{SETTINGS}"] = settings
    schema = schema.with_metadata(schema.metadata | said)
    sink = io.BytesIO()
    made = pa.Table.from_pylist(list(rows), schema)
    pq.write_table(made, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def to_h5(table: Table, rows: Sequence[Row], settings: str | None = None) -> bytes:
    """A shard as HDF5, for machines without pyarrow; its form is `builders.work.h5`'s."""
    said = {"table": table, "schema_version": SCHEMA_VERSION, "data_version": DATA_VERSION}
    if settings is not None:
        said[SETTINGS] = settings
    return h5.pack(TABLES[table], rows, {**said, SUM: rows_sha256(rows)})


def rows_sha256(rows: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of rows in hex: of one line of JSON a row, its columns in the order of their names."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


# Reading


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows of one file, and what it says of itself.

    Attributes:
        sha256: of the rows; None in a file of before there was one.
        settings: what its recipe's or protocol's name stood for, as JSON; None in a file of before.
    """

    table: Table
    data_version: str
    rows: list[Row]
    sha256: str | None = None
    settings: str | None = None


def read_shard(data: bytes, name: str) -> Shard:
    """The rows of a unit (.json) or shard file (.parquet, .h5), every value checked.

    Raises:
        ReleaseError: any other bytes; it names the file.
    """
    readers = {".json": _read_json, ".parquet": _read_parquet, ".h5": _read_h5}
    reader = readers.get(Path(name).suffix)
    if reader is None:
        raise ReleaseError(f"{name} is no shard; shards are .parquet, .h5 or .json")
    shard = reader(data, name)
    if shard.sha256 is not None and shard.sha256 != rows_sha256(shard.rows):
        raise _damaged(name, UsageError("its rows do not match their checksum"))
    for number, row in enumerate(shard.rows):
        where = where_of(shard.table)
        if not all(isinstance(row.get(column), str) for column in where):
            raise ReleaseError(
                f"{name}: row {number} lacks one of {', '.join(where)}; it is no shard of this project"
            )
        for column in LATER[shard.table] - row.keys():
            row[column] = None
    check_rows(shard.table, shard.rows, name)
    return shard


def _checked_head(table: Any, schema_version: Any, data_version: Any, name: str) -> tuple[Table, str]:
    """What a file says of itself: its table and data version.

    Raises:
        ReleaseError: it is no shard of this schema.
    """
    if table not in KEYS or not isinstance(data_version, str):
        raise ReleaseError(
            f"{name} is no shard of this project: it names no table; remove it or choose another folder"
        )
    if str(schema_version) != str(SCHEMA_VERSION):
        raise ReleaseError(
            f"{name} has schema version {schema_version}, this code reads {SCHEMA_VERSION}; "
            "use the version that wrote it"
        )
    return table, data_version


def _damaged(name: str, error: Exception) -> ReleaseError:
    return ReleaseError(
        f"{name} is truncated or corrupted ({error}); "
        "remove it and run its job again: finished units are kept"
    )


def _read_json(data: bytes, name: str) -> Shard:
    try:
        content = json.loads(data)
        head = content["table"], content["schema_version"], content["data_version"]
        row = dict(content["row"])
        said = content.get(SUM)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(name, error) from error
    table, version = _checked_head(*head, name)
    return Shard(table, version, [row], said, content.get(SETTINGS))


def _read_parquet(data: bytes, name: str) -> Shard:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True).read()
        said = {key.decode(): value.decode() for key, value in (content.schema.metadata or {}).items()}
        rows = content.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(name, error) from error
    table, version = _checked_head(
        said.get("nbzero.table"), said.get("nbzero.schema_version"), said.get("nbzero.data_version"), name
    )
    return Shard(table, version, rows, said.get(f"nbzero.{SUM}"), said.get(f"nbzero.{SETTINGS}"))


def _read_h5(data: bytes, name: str) -> Shard:
    try:
        h5.check_sum(data)
    except UsageError as error:
        raise _damaged(name, error) from error
    with one_h5_reader() as read:
        return cast(Shard, read(data, name))


_h5_reader: Apart | None = None


@contextlib.contextmanager
def one_h5_reader() -> Iterator[Apart]:
    """What reads HDF5 shards: a process of its own, since some bytes make the HDF5 library loop or crash.

    The first such shard starts it. It stays for all files until the outermost of these blocks ends.
    """
    global _h5_reader
    if _h5_reader is not None:
        yield _h5_reader
        return
    _h5_reader = Apart(parsed_h5)
    try:
        yield _h5_reader
    finally:
        reader, _h5_reader = _h5_reader, None
        reader.end()


def parsed_h5(data: bytes, name: str) -> Shard:
    """The rows of an HDF5 shard, before their values are checked; called in a process of its own."""
    try:
        with h5.Unpacked(data) as file:
            table, version = _checked_head(
                file.said("table"), file.said("schema_version"), file.said("data_version"), name
            )
            said, settings = file.said(SUM), file.said(SETTINGS)
            columns = {}
            for column in TABLES[table]:
                if column.name in file or column.name not in LATER[table]:
                    columns[column.name] = file.column(column)
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise _damaged(name, error) from error
    return Shard(table, version, rows, said, settings)
