"""Check a release: every file against its manifest, the schema, the definitions of the spaces, and each other. Reads, and writes nothing.

Every file against the manifest; every table against the schema (columns, types, ranges, keys unique and sorted); every arch against the closed forms
and the build order, in an imported space against its definition; that imported tables name their source; every run and score against the
archs; every index against its Parquet files, value by value.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import Any

from nbzero.errors import ReleaseError, count_of
from nbzero.release.index import Index, build_index, index_path, sort_keys
from nbzero.release.manifest import MANIFEST, Release
from nbzero.release.schema import LATER, Table, archs_row, arrow_schema, check_rows, imported_row, path_of
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED


def verify(path_or_url: str | os.PathLike[str] | None = None) -> list[str]:
    """A line per file of a release in which everything holds.

    Raises:
        ReleaseError: naming the file and what is wrong with it.
    """
    release = Release.open(path_or_url)
    lines = []
    if release.folder is not None:
        _check_no_strangers(release)
    tables = release.tables()
    num_archs = {key[1]: table.num_rows for key, table in tables.items() if key[0] == "archs"}
    for (kind, space, dataset), table in tables.items():
        path = path_of(kind, space, dataset)
        if release.manifest.files[path].rows != table.num_rows:
            raise ReleaseError(
                f"{path} has {count_of(table.num_rows, 'row')}, its manifest says {release.manifest.files[path].rows}"
            )
        _check_schema(table, kind, path, space)
        rows = table.to_pylist()
        check_rows(kind, rows, path, space)
        keys = [tuple(row[name] for name in sort_keys(kind)) for row in rows]
        if any(a >= b for a, b in itertools.pairwise(keys)):
            raise ReleaseError(
                f"{path}: its keys ({', '.join(sort_keys(kind))}) are not sorted or not unique"
            )
        if space in IMPORTED:
            _check_source(table, path)
        if kind == "archs":
            (_check_imported_archs if space in IMPORTED else _check_archs)(rows, space, path)
        elif space not in num_archs or any(row["arch_id"] >= num_archs[space] for row in rows):
            raise ReleaseError(f"{path}: has an arch_id that archs/{space}.parquet lacks")
        lines.append(f"{path}: {count_of(table.num_rows, 'row')}")
    for space in num_archs:
        named = {f"{kind}/{ds}" if ds else kind: t for (kind, of, ds), t in tables.items() if of == space}
        sources = {
            path_of(kind, of, ds): release.manifest.files[path_of(kind, of, ds)].sha256
            for kind, of, ds in tables
            if of == space
        }
        if index_path(space) in release.manifest.files:
            opened = Index(release.path(index_path(space)))
            if opened.path.read_bytes() != build_index(space, named, sources):
                raise ReleaseError(
                    f"{index_path(space)} differs from the Parquet files it is derived from; run builders.merge_shards again"
                )
            lines.append(f"{index_path(space)}: equals its {count_of(len(named), 'table')}")
    return lines


def _check_no_strangers(release: Release) -> None:
    assert release.folder is not None
    known = {*release.manifest.files, MANIFEST}
    for folder in ("archs", "runs", "scores", "index"):
        for path in sorted((release.folder / folder).rglob("*")):
            name = path.relative_to(release.folder).as_posix()
            if path.is_file() and name not in known:
                raise ReleaseError(
                    f"{path} is not in the manifest; remove it, or run builders.merge_shards again if it was cut off"
                )


def _check_schema(table: Any, kind: Table, path: str, space: str) -> None:
    import pyarrow as pa

    lacking = LATER[kind] - set(table.schema.names)  # a release may be older than a proxy
    wanted = pa.schema([field for field in arrow_schema(kind, space) if field.name not in lacking])
    if not table.schema.equals(wanted, check_metadata=False):
        raise ReleaseError(
            f"{path}: columns {table.schema.names} with types {[str(t) for t in table.schema.types]} are not those of {kind}"
        )


def _check_archs(rows: list[dict[str, Any]], space: str, path: str) -> None:
    hashes = [hashlib.sha256(f"build:{row['arch']}".encode()).digest() for row in rows]
    if any(a >= b for a, b in itertools.pairwise(hashes)):
        raise ReleaseError(f"{path}: its archs are not in the build order")
    if space in CHOICES and len(rows) != CHOICES[space].num_members:
        raise ReleaseError(
            f"{path} has {count_of(len(rows), 'arch')}, the space has {CHOICES[space].num_members}"
        )
    for number, row in enumerate(rows):
        if row != archs_row(number, row["arch"]):
            raise ReleaseError(
                f"{path}: row {number} ({row['arch']}) is not what its arch string says: {row}"
            )


def _check_source(table: Any, path: str) -> None:
    said = table.schema.metadata or {}
    lacking = [
        key.decode()
        for key in (b"nbzero.source", b"nbzero.source_commit", b"nbzero.licence")
        if not said.get(key)
    ]
    if lacking:
        raise ReleaseError(
            f"{path}: an imported table says where it is from, but its metadata lacks {', '.join(lacking)}; import it anew"
        )


def _check_imported_archs(rows: list[dict[str, Any]], space: str, path: str) -> None:
    definition = IMPORTED[space]
    if len(rows) != definition.num_members or len({row["arch"] for row in rows}) != len(rows):
        different = count_of(len({row["arch"] for row in rows}), "different arch")
        raise ReleaseError(
            f"{path} has {different} in {count_of(len(rows), 'row')}, not {definition.num_members}"
        )
    for number, row in enumerate(rows):
        try:
            said = imported_row(space, number, row["arch"])
        except ValueError as error:
            raise ReleaseError(f"{path}: row {number}: {error}") from error
        if row != row | said:
            raise ReleaseError(
                f"{path}: row {number} ({row['arch']}) is not what its arch string says: {row}"
            )
