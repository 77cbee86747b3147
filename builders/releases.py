"""Reading all tables of a release, and replacing them so that a kill at any moment leaves the old release or the new one. No job itself.

Every new file is first written whole beside the old one as `<name>.part`; then `manifest.next.json` appears, which says what they are; only then
are they renamed, the manifest last. Whoever finds a `manifest.next.json` finishes the renaming.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbzero.errors import ReleaseError
from nbzero.index import build_index, index_path, sort_keys
from nbzero.release import MANIFEST, File, Manifest, Release, parse_version, write_whole
from nbzero.schema import Table, parse_path, path_of

if TYPE_CHECKING:
    import pyarrow as pa

NEXT = "manifest.next.json"
TableKey = tuple[Table, str, str | None]  # table, space, dataset
ROW_GROUP = 8192


def read_tables(release: Release) -> dict[TableKey, pa.Table]:
    """Every Parquet table of a release, checked against its manifest; ReleaseError naming a file that is not what it should be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = {}
    for path in release.manifest.files:
        if path.endswith(".parquet"):
            local = release.path(path)
            try:
                tables[parse_path(path)] = pq.ParquetFile(local).read()
            except (pa.ArrowException, OSError) as error:
                raise ReleaseError(f"{local} is no Parquet file that can be read ({error}); fetch the release anew") from error
    return tables


def parquet_bytes(table: pa.Table, kind: Table, space: str, dataset: str | None, version: str) -> bytes:
    """A released table: zstd, plain or dictionary encodings (every common reader has them), page index, what it is in the metadata."""
    import pyarrow.parquet as pq

    said = {"nbzero.space": space, "nbzero.data_version": version} | ({"nbzero.dataset": dataset} if dataset else {})
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **{k.encode(): v.encode() for k, v in said.items()}})
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
        ReleaseError: the folder cannot be written; the release that was there is untouched.
        ValueError: a version that is none, or runs or scores of a space without its archs table.
    """
    parse_version(version)
    folder = Path(out)
    finish_commit(folder)
    old = Release.open(folder).manifest.files if (folder / MANIFEST).exists() else {}
    written: dict[str, bytes] = {}
    files: dict[str, File] = {}
    by_space: dict[str, dict[str, Any]] = {}
    for (kind, space, dataset), table in sorted(tables.items(), key=lambda item: path_of(*item[0])):
        table = table.sort_by([(key, "ascending") for key in sort_keys(kind)])
        path = path_of(kind, space, dataset)
        data = parquet_bytes(table, kind, space, dataset, version)
        written[path] = data
        files[path] = _described(data, table.num_rows)
        by_space.setdefault(space, {})[f"{kind}/{dataset}" if dataset else kind] = table
    for space, named in by_space.items():
        if "archs" not in named:
            raise ValueError(f"{space} has {', '.join(named)} but no archs table; merge onto a release that has one")
        sources = {path: file.sha256 for path, file in files.items() if path.endswith(".parquet") and parse_path(path)[1] == space}
        data = build_index(space, named, sources)
        written[index_path(space)] = data
        files |= {index_path(space): _described(data, 0)}
    manifest = Manifest(version, files)
    for path, data in written.items():
        if old.get(path) != files[path]:
            write_whole(folder / f"{path}.part", data)
    write_whole(folder / NEXT, manifest.to_json())
    finish_commit(folder)
    for path in old:
        if path not in files:
            (folder / path).unlink(missing_ok=True)
    return manifest


def _described(data: bytes, rows: int) -> File:
    return File(len(data), rows, hashlib.sha256(data).hexdigest())


def finish_commit(folder: Path) -> None:
    """Rename the files of a commit that was cut off after all of them had been written; nothing where there is none."""
    following = folder / NEXT
    if not following.exists():
        return
    manifest = Manifest.parse(following.read_bytes(), str(following))
    for path in manifest.files:
        part = folder / f"{path}.part"
        if part.exists():
            os.replace(part, folder / path)
    os.replace(following, folder / MANIFEST)
