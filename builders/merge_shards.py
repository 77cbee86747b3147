"""Merge shards into a release: python -m builders.merge_shards SHARDS [SHARDS ...] --out DIR [--base RELEASE] [--version 0.2.0]

SHARDS are shard files, folders of them (also of a job that still runs: its finished units count), or releases. The rows are added to those of
--base (default: DIR itself where it is a release, else the archs tables of the release that ships with nbzero). The same key with equal
values (times, host, device and commit aside) keeps the first; with other values nothing is merged and the error names both. DIR is replaced
at once or not at all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from builders.releases import TableKey, commit_release, finish_commit, read_tables
from builders.shards import WHERE, Folder, Row, read_shard, say_errors
from nbzero.errors import ReleaseError
from nbzero.release import MANIFEST, Release, parse_version
from nbzero.schema import DATA_VERSION, KEYS, TABLES, Table, arrow_schema, check_rows

Source = tuple[str, Row]  # the file a row comes from, for errors


def rows_of(path: str) -> Iterator[tuple[TableKey, str, str, Row, str | None]]:
    """(table key, data version, file, row, arch) of everything in a shard file, a folder of shards or a release.

    Raises:
        ReleaseError: nothing there, or a file that is no shard or is damaged.
    """
    if Folder(path).fs.exists(Folder(path).path(MANIFEST)):
        release = Release.open(path)
        for key, table in read_tables(release).items():
            if key[0] != "archs":
                for row in table.to_pylist():
                    yield key, release.manifest.data_version, f"{path}/{key[0]}", row, None
        return
    folder = Folder(path)
    is_file = folder.fs.isfile(folder.root)
    names = [""] if is_file else [name for name in folder.names() if Path(name).suffix in (".parquet", ".h5", ".json")]
    if not names:
        raise ReleaseError(f"{path} holds no shards (.parquet, .h5, .json) and is no release; name what train_shard or score_shard wrote to")
    for name in names:
        shard = read_shard(folder.read(name) if name else folder.fs.cat_file(folder.root), folder.path(name))
        for row in shard.rows:
            where = {column: row.pop(column) for column in WHERE}
            yield (shard.table, where["space"], where["dataset"]), shard.data_version, folder.path(name), row, where["arch"]


def differing(table: Table, first: Row, second: Row) -> list[str]:
    """The columns that make two rows of one key contradict each other; times, host, device and commit are left out."""
    return [c.name for c in TABLES[table] if c.same and first[c.name] != second[c.name]]


def merged(base: dict[TableKey, Any], sources: Sequence[str], version: str) -> tuple[dict[TableKey, Any], int, int]:
    """The tables of a release with the rows of the sources added, how many rows are new, and how many were there already.

    Raises:
        ReleaseError: sources of several data versions or of another major one, a row whose arch is not where the archs table has it, or two
            rows of one key with different values.
    """
    import pyarrow as pa

    versions: dict[str, str] = {}
    found: dict[TableKey, dict[tuple[Any, ...], Source]] = {}
    new = known = 0
    for key, table in base.items():
        if key[0] != "archs":
            found[key] = {_key(key[0], row): ("the base release", row) for row in table.to_pylist()}
    archs = {key[1]: table.column("arch").to_pylist() for key, table in base.items() if key[0] == "archs"}
    for source in sources:
        for key, data_version, file, row, arch in rows_of(source):
            versions.setdefault(data_version, file)
            table, space, _ = key
            if space not in archs:
                raise ReleaseError(f"{file}: rows of {space}, of which the base release has no archs table; choose another --base")
            if row["arch_id"] >= len(archs[space]) or (arch is not None and archs[space][row["arch_id"]] != arch):
                raise ReleaseError(f"{file}: arch_id {row['arch_id']} is {arch}, which is not what the archs table of {space} has there")
            rows = found.setdefault(key, {})
            identity = _key(table, row)
            if identity not in rows:
                rows[identity] = (file, row)
                new += 1
                continue
            columns = differing(table, rows[identity][1], row)
            if columns:
                first, column = rows[identity], columns[0]
                said = dict(zip(KEYS[table], identity, strict=True))
                raise ReleaseError(
                    f"{file} and {first[0]} both have {space} {said}, with different {', '.join(columns)} "
                    f"({column}: {row[column]!r} and {first[1][column]!r}); nothing was merged: find out which is right and leave the other out"
                )
            known += 1
    _check_versions(versions, version)
    tables = {key: table for key, table in base.items() if key[0] == "archs"}
    for key, rows in found.items():
        listed = [row for _, row in rows.values()]
        check_rows(key[0], listed, f"{key[0]} of {key[1]} on {key[2]}")
        tables[key] = pa.Table.from_pylist(listed, arrow_schema(key[0]))
    return tables, new, known


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[table])


def _check_versions(versions: dict[str, str], version: str) -> None:
    if len(versions) > 1:
        said = "; ".join(f"{data_version} in {file}" for data_version, file in sorted(versions.items()))
        raise ReleaseError(f"the sources are of several data versions ({said}); merge one version at a time")
    for data_version, file in versions.items():
        if parse_version(data_version)[0] != parse_version(version)[0]:
            raise ReleaseError(f"{file} is of data version {data_version}, the release to make is {version}: values changed between them")


def base_tables(out: str, base: str | None) -> tuple[dict[TableKey, Any], str | None]:
    """The tables to add to and their data version; from the embedded release only the archs tables, and no version."""
    if base is None and (Path(out) / MANIFEST).exists():
        base = out
    release = Release.open(base)
    tables = read_tables(release)
    if base is None:
        return {key: table for key, table in tables.items() if key[0] == "archs"}, None
    return tables, release.manifest.data_version


def next_version(old: str | None, asked: str | None, new_rows: int) -> str:
    """The data version of the result: as asked, where the rule allows it (additions raise at least the minor number), else the least allowed.

    >>> next_version("0.1.0", None, new_rows=5)
    '0.2.0'
    """
    if asked is not None:
        parse_version(asked)
    if old is None:
        return asked or DATA_VERSION
    major, minor, _ = parse_version(old)
    least = f"{major}.{minor + 1}.0" if new_rows else old
    if asked is None:
        return least
    if parse_version(asked) < parse_version(least):
        raise ValueError(f"version {asked}; the base is {old} and {new_rows} rows are new, so it is at least {least}")
    return asked


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", help="shard files, folders of shards, or releases")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument("--base", default=None, help="release to add to")
    parser.add_argument("--version", default=None, help="data version of the result; default: the next that the rule allows")
    given = parser.parse_args(argv)
    finish_commit(Path(given.out))
    base, old = base_tables(given.out, given.base)
    tables, new, known = merged(base, given.shards, given.version or old or DATA_VERSION)
    version = next_version(old, given.version, new)
    manifest = commit_release(given.out, tables, version)
    size = sum(file.bytes for file in manifest.files.values())
    print(f"{given.out}: data version {version}, {new} rows added, {known} there already, {len(manifest.files)} files, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
