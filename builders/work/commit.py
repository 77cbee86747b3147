"""Replacing all tables of a release, so that a kill at any moment leaves the old release or the new one.

    1  every new file is written whole beside the old one, as `<name>.part`
    2  `manifest.next.json` appears, which says what they are
    3  they are renamed, the manifest last

Whoever commits next finishes what was cut off. With a `manifest.next.json` the renaming goes on. Without one
the parts of a commit that did not get so far are removed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbzero.errors import OutputError, ReleaseError, UsageError, count_of
from nbzero.files import write_whole
from nbzero.release.index import build_index, index_path, sort_keys
from nbzero.release.manifest import MANIFEST, NEXT, File, Manifest, Release, parse_version
from nbzero.release.schema import DATA_VERSION, Table, TableKey, path_of, safe_path

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 8192
PARTS = (
    "archs/*.parquet.part*",
    "runs/*/*.parquet.part*",
    "scores/*/*.parquet.part*",
    "predictions/*/*.parquet.part*",
    "surrogates/*/*.parquet.part*",
    "index/*.nbzidx.part*",
    "manifest*.part",
)


def next_version(old: str | None, asked: str | None, new_rows: int) -> str:
    """The data version of a release to which rows were added.

    It is as asked, where the rule allows it, else the least allowed. The rule: additions raise at least the
    minor number.

    Args:
        old: the version of what they were added to; None: of nothing.

    Raises:
        UsageError: a version that is none, or below the least.

    >>> next_version("0.1.0", None, new_rows=5)
    '0.2.0'
    """
    if asked is not None:
        parse_version(asked)
    if old is None:
        return asked or DATA_VERSION
    least = old
    if new_rows:
        major, minor, _ = parse_version(old)
        least = f"{major}.{minor + 1}.0"
    if asked is None:
        return least
    if parse_version(asked) < parse_version(least):
        new = count_of(new_rows, "row is", "rows are")
        raise UsageError(f"version {asked}; the base is {old} and {new} new, so it is at least {least}")
    return asked


def local_folder(out: str | Path) -> Path:
    """The folder of a release to make; UsageError for a URL."""
    if "://" in str(out):
        raise UsageError(f"{out} is a URL; a release is made in a local folder, and copied from there")
    return Path(out)


def checked_path(key: TableKey, where: str = "") -> str:
    """Where a table lies in a release.

    Args:
        where: the file that names the table.

    Raises:
        ReleaseError: a space or dataset that is no plain name (a path, say).
    """
    table, space, dataset = key
    names = [space] if dataset is None else [space, dataset]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            said = f"{where}: {table}" if where else table
            raise ReleaseError(
                f"{said} of {space!r} on {dataset!r}: {name!r} is no name of a space or data set "
                "(letters, digits, . _ -)"
            )
    return safe_path(path_of(table, space, dataset))


def parquet_bytes(table: pa.Table, kind: Table, space: str, dataset: str | None, version: str) -> bytes:
    """A released table.

    It is compressed by zstd, in plain or dictionary encodings, which every common reader has. It has a page
    index, and what it is in its metadata.
    """
    import pyarrow.parquet as pq

    said = {b"nbzero.space": space.encode(), b"nbzero.data_version": version.encode()}
    if dataset:
        said[b"nbzero.dataset"] = dataset.encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **said})
    texts = [field.name for field in table.schema if str(field.type) == "string"]
    if kind == "archs":
        texts.remove("arch")  # no two are equal
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
    """Make `out` a release of exactly these tables, each sorted, with an index per space.

    What is equal already is not written again.

    Raises:
        ReleaseError: the folder holds something that is no release, or a release with a table that would be
            lost or lose rows. The release that was there is untouched.
        OutputError: the folder cannot be written. Here too the release is untouched.
        UsageError: a version that is none, a URL, or runs or scores of a space without its archs table.
    """
    parse_version(version)
    folder = local_folder(out)
    finish_commit(folder)
    by_path = {checked_path(key): key for key in tables}
    _check_nothing_lost(folder, {path: tables[key].num_rows for path, key in by_path.items()})
    _check_archs(tables)
    written: dict[str, bytes] = {}
    files: dict[str, File] = {}
    made: dict[str, dict[str, pa.Table]] = {}  # by space, then by the index's name
    sources: dict[str, dict[str, str]] = {}  # by space, then by path
    for path, (kind, space, dataset) in sorted(by_path.items()):
        table = _as_made(tables[kind, space, dataset])
        table = table.sort_by([(name, "ascending") for name in sort_keys(kind)])
        written[path] = parquet_bytes(table, kind, space, dataset, version)
        files[path] = _described(written[path], table.num_rows)
        name = f"{kind}/{dataset}" if dataset else kind
        made.setdefault(space, {})[name] = table
        sources.setdefault(space, {})[path] = files[path].sha256
    for space, named in made.items():
        path = index_path(space)
        written[path] = build_index(space, named, sources[space])
        files[path] = _described(written[path], 0)
    manifest = Manifest(version, files)
    try:
        for path, data in written.items():
            if not _holds(folder / path, data):
                write_whole(folder / f"{path}.part", data)
        write_whole(folder / NEXT, manifest.to_json())
    finally:
        finish_commit(folder)
    return manifest


def _check_nothing_lost(folder: Path, num_rows: Mapping[str, int]) -> None:
    """ReleaseError where a table of the release in a folder would be lost or lose rows.

    Args:
        num_rows: of the tables to come, by path.
    """
    if not (folder / MANIFEST).exists():
        return
    for path, file in Release.open(folder).manifest.files.items():
        left = num_rows.get(path, 0)
        if path.endswith(".parquet") and (path not in num_rows or left < file.rows):
            kept = f"only {left}" if path in num_rows else "none"
            raise ReleaseError(
                f"{folder / path} has {count_of(file.rows, 'row')}, of which {kept} would be left; "
                "released rows stay: choose another folder"
            )


def _check_archs(tables: Mapping[TableKey, pa.Table]) -> None:
    """UsageError where a space has runs or scores and no archs table."""
    for _, space, _ in tables:
        if ("archs", space, None) not in tables:
            named = sorted(f"{kind}/{dataset}" for kind, of, dataset in tables if of == space)
            raise UsageError(
                f"{space} has {', '.join(named)} but no archs table; merge onto a release that has one"
            )


def _as_made(table: pa.Table) -> pa.Table:
    """The table as it was before it was written.

    Parquet names the values of a list "element"; here they are an Arrow list's "item" again. So a table that
    is carried from release to release keeps its bytes.
    """
    import pyarrow as pa

    schema = table.schema
    for number, field in enumerate(schema):
        if pa.types.is_list(field.type):
            schema = schema.set(number, field.with_type(pa.list_(field.type.value_type)))
    return table.cast(schema)


def _described(data: bytes, rows: int) -> File:
    return File(len(data), rows, hashlib.sha256(data).hexdigest())


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def finish_commit(folder: Path) -> None:
    """Finish in a folder what a commit that was cut off began.

    It becomes the new release, where all its files had been written, else the old one.

    Raises:
        OutputError: a file cannot be renamed or removed. Nothing is lost, and it can be done again.
        ReleaseError: a manifest.next.json that is none.
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
        for pattern in PARTS:
            for part in list(folder.glob(pattern)):
                part.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot finish the merge in {folder}: {error}; "
            "make the folder writable and run the same command again: all is kept"
        ) from error
