"""Replacing all tables of a release, so that a kill at any moment leaves the old release or the new one.

    1  every new file is written whole beside the old one, as `<name>.<its SHA-256>.part`
    2  `manifest.next.json` appears, which says what they are
    3  they are renamed, the manifest last; what they replace stays as `<name>.old` until then

One process at a time does so (`builders.work.lock`). Whoever commits next finishes what was cut off. With a
`manifest.next.json` and all that it names the renaming goes on. Where something of it is gone, the old files
are put back. Without one the parts of a commit that did not get so far are removed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from builders.work.lock import locked
from nbzero.errors import OutputError, ReleaseError, UsageError, count_of
from nbzero.files import rename, sync_file, sync_folder, write_whole
from nbzero.release.index import build_index, index_path, sort_keys
from nbzero.release.manifest import MANIFEST, NEXT, File, Manifest, Parent, Release, Version
from nbzero.release.places import placed
from nbzero.release.reading import open_regular, size_and_sha256
from nbzero.release.reproductions import RESULTS, checked_results
from nbzero.release.schema import Table, TableKey, path_of, safe_path

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 8192
LEFT = ("*/*.part", "*/*/*.part", "*/*.old", "*/*/*.old", "manifest*.part")


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


def commit_release(
    out: str | Path,
    tables: Mapping[TableKey, pa.Table],
    version: str,
    parent: Parent | None = None,
    *,
    read: str | None = None,
) -> Manifest:
    """Make `out` a release of exactly these tables, each sorted, with an index per space.

    Runs and scores get the columns space, dataset and arch. What is equal already is not written again.
    Results of reproductions that lie in the folder stay as they are and are listed.

    Args:
        parent: the release that this one is derived from.
        read: SHA-256 of the manifest of the release in `out` that the tables were made from.

    Raises:
        ReleaseError: the release in `out` is another one by now, or the folder holds something that is no
            release, or a release with a table that would be lost or lose rows. The release that was there is
            untouched.
        OutputError: the folder cannot be written. Here too the release is untouched.
        UsageError: a version that is none, a URL, or runs or scores of a space without its archs table.
    """
    Version.parse(version)
    folder = local_folder(out)
    with locked(folder):
        return _committed(folder, tables, version, parent, read)


def _committed(
    folder: Path,
    tables: Mapping[TableKey, pa.Table],
    version: str,
    parent: Parent | None,
    read: str | None,
) -> Manifest:
    finish_commit(folder)
    by_path = {checked_path(key): key for key in tables}
    _check_nothing_lost(folder, {path: tables[key].num_rows for path, key in by_path.items()})
    archs = _archs_of(tables)
    written: dict[str, bytes] = {}
    files: dict[str, File] = {}
    made: dict[str, dict[str, pa.Table]] = {}  # by space, then by the index's name
    sources: dict[str, dict[str, str]] = {}  # by space, then by path
    for path, (kind, space, dataset) in sorted(by_path.items()):
        key = by_path[path]
        table = _as_made(placed(key, tables[key], archs[space], path))
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
    manifest = Manifest(version, files, parent, others_in(folder))
    try:
        for path, data in written.items():
            if not _holds(folder / path, data):
                write_whole(folder / _part(path, files[path]), data)
        _check_same(folder, read)
        write_whole(folder / NEXT, manifest.to_json())
    finally:
        finish_commit(folder)
    return manifest


def others_in(folder: Path) -> dict[str, File]:
    """The files of a release's folder that stand beside its tables, as a manifest lists them.

    Raises:
        ReleaseError: results of reproductions that are none.
    """
    path = folder / RESULTS
    if not path.is_file():
        return {}
    data = path.read_bytes()
    return {RESULTS: _described(data, checked_results(data, str(path)).num_rows)}


def _check_same(folder: Path, read: str | None) -> None:
    """ReleaseError where a folder's release is another than the one that was read."""
    if read is not None and manifest_sha256(folder) != read:
        raise ReleaseError(
            f"the release in {folder} was replaced while this ran; nothing was changed, run this again"
        )


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


def _archs_of(tables: Mapping[TableKey, pa.Table]) -> dict[str, list[str]]:
    """The arch strings of every space; UsageError where one has runs or scores and no archs table."""
    found: dict[str, list[str]] = {}
    for _, space, _ in tables:
        if ("archs", space, None) in tables:
            found[space] = tables["archs", space, None].column("arch").to_pylist()
        else:
            named = sorted(f"{kind}/{dataset}" for kind, of, dataset in tables if of == space)
            raise UsageError(
                f"{space} has {', '.join(named)} but no archs table; merge onto a release that has one"
            )
    return found


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


def _part(path: str, file: File) -> str:
    """What a file that is to come is called until it is renamed; by its content, whoever writes it."""
    return f"{path}.{file.sha256[:16]}.part"


def finish_commit(folder: Path) -> None:
    """Finish in a folder what a commit that was cut off began.

    It becomes the new release, where all its files are there and are what manifest.next.json says. Else it is
    the old one again.

    Raises:
        OutputError: a file cannot be renamed or removed. Nothing is lost, and it can be done again.
        ReleaseError: a manifest.next.json that is none, or files that are neither the old nor the new ones.
    """
    if not folder.is_dir():
        return
    following = folder / NEXT
    with locked(folder):
        try:
            if following.exists():
                manifest = Manifest.parse(following.read_bytes(), str(following))
                if all(_is_there(folder, path, file) for path, file in manifest.files.items()):
                    _install(folder, manifest)
                else:
                    _roll_back(folder, manifest)
            for pattern in LEFT:
                for left in list(folder.glob(pattern)):
                    left.unlink()
        except OSError as error:
            raise OutputError(
                f"cannot finish the merge in {folder}: {error}; "
                "make the folder writable and run the same command again: all is kept"
            ) from error


def _is(path: Path, file: File) -> bool:
    """Whether a file holds what a manifest says."""
    try:
        with open_regular(path) as opened:
            return size_and_sha256(opened, file.bytes) == (file.bytes, file.sha256)
    except (OSError, ReleaseError):
        return False


def _is_there(folder: Path, path: str, file: File) -> bool:
    return _is(folder / _part(path, file), file) or _is(folder / path, file)


def _install(folder: Path, manifest: Manifest) -> None:
    """Rename the parts; what they replace stays beside them until the manifest is renamed too."""
    for path, file in manifest.files.items():
        part, target = folder / _part(path, file), folder / path
        if not part.exists():
            continue
        old = folder / f"{path}.old"
        if target.exists() and not old.exists():
            _keep(target, old)
        rename(part, target)
    rename(folder / NEXT, folder / MANIFEST)


def _keep(target: Path, old: Path) -> None:
    try:
        os.link(target, old)
    except OSError:  # a file system without hard links
        shutil.copyfile(target, old)
        sync_file(old)


def _roll_back(folder: Path, following: Manifest) -> None:
    """The old release again, from what was kept of it.

    Raises:
        ReleaseError: a file of the old release is lost, which only somebody else can have removed.
    """
    there = folder / MANIFEST
    files = Manifest.parse(there.read_bytes(), str(there)).files if there.exists() else {}
    for path, file in files.items():
        old = folder / f"{path}.old"
        if not _is(folder / path, file) and _is(old, file):
            rename(old, folder / path)
    lost = [path for path, file in files.items() if not _is(folder / path, file)]
    if lost:
        raise ReleaseError(
            f"{folder} was left in the middle of a merge, and {', '.join(lost)} is neither of the old "
            f"release nor of the new one; restore it from a copy and remove {NEXT}, or remove the folder"
        )
    for path, file in following.files.items():
        if path not in files and _is(folder / path, file):
            (folder / path).unlink()
    (folder / NEXT).unlink()
    sync_folder(folder)


def manifest_sha256(folder: Path) -> str | None:
    """SHA-256 of the manifest in a folder; None where there is none."""
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return None
