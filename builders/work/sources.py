"""Where the rows of a merge come from: shard files, folders of them, releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from builders.work.commit import checked_path
from builders.work.rows import Folder, Row, read_shard
from nbzero.errors import ReleaseError
from nbzero.release.manifest import MANIFEST, Release
from nbzero.release.places import check_places
from nbzero.release.schema import TableKey, check_rows, where_of

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".h5", ".json")


class Found(NamedTuple):
    """A row of a source: its table, the file it lies in, and that file's data version."""

    key: TableKey
    data_version: str
    file: str
    row: Row
    arch: str


def rows_of(path: str) -> Iterator[Found]:
    """Everything in a shard file, a folder of shards or a release.

    Raises:
        ReleaseError: nothing there, or a file that is no shard or is damaged.
    """
    folder = Folder(path)
    if folder.fs.exists(folder.path(MANIFEST)):
        return _rows_of_release(path)
    return _rows_of_shards(path, folder)


def _rows_of_release(path: str) -> Iterator[Found]:
    release = Release.open(path)
    tables = release.tables()
    for key, table in tables.items():
        kind, space, _ = key
        if kind not in ("runs", "scores", "latencies"):
            continue
        file = f"{path}/{checked_path(key)}"
        if ("archs", space, None) not in tables:
            raise ReleaseError(f"{file} has no archs table beside it; fetch the whole release anew")
        archs = archs_of(tables, space)
        for row in bare_rows(key, table, archs, file):
            yield Found(key, release.manifest.data_version, file, row, arch_at(archs, row["arch_id"]))


def _rows_of_shards(path: str, folder: Folder) -> Iterator[Found]:
    names = [name for name in folder.names() if Path(name).suffix in SUFFIXES]
    if folder.fs.isfile(folder.root):
        names = [""]
    if not names:
        raise ReleaseError(
            f"{path} holds no shards ({', '.join(SUFFIXES)}) and is no release; "
            "name what train_shard or score_shard wrote to"
        )
    for name in names:
        file = folder.path(name)
        shard = read_shard(folder.read(name), file)
        for row in shard.rows:
            where = {column: row.pop(column) for column in where_of(shard.table)}
            key: TableKey = (shard.table, where["space"], where.get("dataset"))
            yield Found(key, shard.data_version, file, row, where["arch"])


def bare_rows(key: TableKey, table: pa.Table, archs: Sequence[str], file: str) -> list[Row]:
    """The checked rows of a table of a release, without space, dataset and arch."""
    kind, space, _ = key
    rows: list[Row] = table.to_pylist()
    check_rows(kind, rows, file, space)
    check_places(key, table, archs, file)
    for row in rows:
        for column in where_of(kind):
            row.pop(column, None)
    return rows


def archs_of(tables: dict[TableKey, pa.Table], space: str) -> list[str]:
    archs: list[str] = tables["archs", space, None].column("arch").to_pylist()
    return archs


def arch_at(archs: Sequence[str], arch_id: int) -> str:
    return archs[arch_id] if arch_id < len(archs) else "no arch"
