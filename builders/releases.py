"""Reading all tables of a release, and replacing them so that a kill at any moment leaves the old release or the new one. No job itself.

Every new file is first written whole beside the old one as `<name>.part`; then `manifest.next.json` appears, which says what they are; only then
are they renamed, the manifest last. Whoever commits next finishes the renaming where there is a `manifest.next.json`, and where there is none
removes the parts of a commit that did not get so far.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.files import write_whole
from nbzero.release.index import build_index, index_path, sort_keys
from nbzero.release.manifest import MANIFEST, NEXT, File, Manifest, Release, parse_version
from nbzero.release.schema import Table, TableKey, parse_path, path_of, safe_path

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 8192


def checked_path(key: TableKey, where: str = "") -> str:
    """Where a table lies in a release; ReleaseError, naming the file `where`, for a space or dataset that is no plain name (a path, say)."""
    table, space, dataset = key
    for name in (space,) if dataset is None else (space, dataset):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            said = f"{where}: {table}" if where else table
            raise ReleaseError(
                f"{said} of {space!r} on {dataset!r}: {name!r} is no name of a space or data set (letters, digits, . _ -)"
            )
    return safe_path(path_of(table, space, dataset))


def parquet_bytes(table: pa.Table, kind: Table, space: str, dataset: str | None, version: str) -> bytes:
    """A released table: zstd, plain or dictionary encodings (every common reader has them), page index, what it is in the metadata."""
    import pyarrow.parquet as pq

    said = {"nbzero.space": space, "nbzero.data_version": version} | (
        {"nbzero.dataset": dataset} if dataset else {}
    )
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), **{k.encode(): v.encode() for k, v in said.items()}}
    )
    texts = [f.name for f in table.schema if str(f.type) == "string" and f.name != "arch"]
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=9,
        use_dictionary=texts or False,
        write_page_index=True,
        row_group_size=ROW_GROUP,
        data_page_version="1.0",
    )
    return sink.getvalue()


def commit_release(out: str | Path, tables: Mapping[TableKey, pa.Table], version: str) -> Manifest:
    """Make `out` a release of exactly these tables, each sorted, with an index per space. What is equal already is not written again.

    Raises:
        ReleaseError: the folder cannot be written, holds something that is no release, or a release with a table that would be lost or lose
            rows. The release that was there is untouched.
        UsageError: a version that is none, a URL, or runs or scores of a space without its archs table.
    """
    parse_version(version)
    if "://" in str(out):
        raise UsageError(f"{out} is a URL; a release is made in a local folder, and copied from there")
    folder = Path(out)
    finish_commit(folder)
    old = Release.open(folder).manifest.files if (folder / MANIFEST).exists() else {}
    written: dict[str, bytes] = {}
    files: dict[str, File] = {}
    by_space: dict[str, dict[str, Any]] = {}
    for key, table in sorted(tables.items(), key=lambda item: path_of(*item[0])):
        kind, space, dataset = key
        table = _as_made(table).sort_by([(name, "ascending") for name in sort_keys(kind)])
        path = checked_path(key)
        written[path] = parquet_bytes(table, kind, space, dataset, version)
        files[path] = _described(written[path], table.num_rows)
        by_space.setdefault(space, {})[f"{kind}/{dataset}" if dataset else kind] = table
    for path, file in old.items():
        if path.endswith(".parquet") and (path not in files or files[path].rows < file.rows):
            left = f"only {files[path].rows}" if path in files else "none"
            held = count_of(file.rows, "row")
            raise ReleaseError(
                f"{folder / path} has {held}, of which {left} would be left; released rows stay: choose another folder"
            )
    for space, named in by_space.items():
        if "archs" not in named:
            raise UsageError(
                f"{space} has {', '.join(named)} but no archs table; merge onto a release that has one"
            )
        sources = {
            path: file.sha256
            for path, file in files.items()
            if path.endswith(".parquet") and parse_path(path)[1] == space
        }
        written[index_path(space)] = build_index(space, named, sources)
    files |= {path: _described(data, 0) for path, data in written.items() if path not in files}
    manifest = Manifest(version, files)
    try:
        for path, data in written.items():
            if not _holds(folder / path, data):
                write_whole(folder / f"{path}.part", data)
        write_whole(folder / NEXT, manifest.to_json())
    finally:
        finish_commit(folder)
    return manifest


def _as_made(table: pa.Table) -> pa.Table:
    """The table as it was before it was written: a list's values, which Parquet names "element", are an Arrow list's "item" again, so that a
    table that is carried from release to release keeps its bytes."""
    import pyarrow as pa

    schema = table.schema
    for i, field in enumerate(schema):
        if pa.types.is_list(field.type):
            schema = schema.set(i, field.with_type(pa.list_(field.type.value_type)))
    return table.cast(schema)


def _described(data: bytes, rows: int) -> File:
    return File(len(data), rows, hashlib.sha256(data).hexdigest())


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def finish_commit(folder: Path) -> None:
    """Bring a folder in which a commit was cut off to the new release, where all its files had been written, else back to the old one.

    Raises:
        ReleaseError: a file cannot be renamed or removed, or a manifest.next.json that is none; nothing is lost, and it can be done again.
    """
    following = folder / NEXT
    try:
        if following.exists():
            manifest = Manifest.parse(following.read_bytes(), str(following))
            for path in manifest.files:
                part = folder / f"{path}.part"
                if part.exists():
                    os.replace(part, folder / path)
            os.replace(following, folder / MANIFEST)
        for pattern in (
            "archs/*.parquet.part*",
            "runs/*/*.parquet.part*",
            "scores/*/*.parquet.part*",
            "index/*.nbzidx.part*",
            "manifest*.part",
        ):
            for part in list(folder.glob(pattern)):
                part.unlink()
    except OSError as error:
        raise ReleaseError(
            f"cannot finish the merge in {folder}: {error}; make the folder writable and run the same command again: all is kept"
        ) from error
