"""Merge shards into a release: python -m builders.merge_shards SHARDS [SHARDS ...] --out DIR [--base RELEASE] [--version 0.2.0]

SHARDS are shard files, folders of them (also of a job that still runs: its finished units count), or releases. The rows are added to those of
--base (default: DIR itself where it is a release, else the archs tables of the release that ships with nbzero). The same key with equal
values (times, device, software and commit aside) keeps the first; scores that it lacks are
filled in; with other values nothing is merged and the error names both. DIR is
replaced at once or not at all; where this was killed, the same command again finishes it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from builders.releases import TableKey, checked_path, commit_release, finish_commit
from builders.shards import WHERE, Folder, Row, read_shard, say_errors
from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.proxies.facts import PROXIES
from nbzero.release.manifest import MANIFEST, Release, parse_version
from nbzero.release.schema import DATA_VERSION, KEYS, LATER, TABLES, Table, arrow_schema, check_rows
from nbzero.spaces.published import IMPORTED

Source = tuple[str, Row]  # the file a row comes from, for errors


def rows_of(path: str) -> Iterator[tuple[TableKey, str, str, Row, str]]:
    """(table key, data version, file, row, arch) of everything in a shard file, a folder of shards or a release.

    Raises:
        ReleaseError: nothing there, or a file that is no shard or is damaged.
    """
    if Folder(path).fs.exists(Folder(path).path(MANIFEST)):
        release = Release.open(path)
        tables = release.tables()
        for key, table in tables.items():
            if key[0] != "archs":
                file = f"{path}/{checked_path(key)}"
                if ("archs", key[1], None) not in tables:
                    raise ReleaseError(f"{file} has no archs table beside it; fetch the whole release anew")
                archs = tables["archs", key[1], None].column("arch").to_pylist()
                check_rows(key[0], rows := table.to_pylist(), file, key[1])
                for row in rows:
                    yield key, release.manifest.data_version, file, row, _at(archs, row["arch_id"])
        return
    folder = Folder(path)
    is_file = folder.fs.isfile(folder.root)
    names = (
        [""]
        if is_file
        else [name for name in folder.names() if Path(name).suffix in (".parquet", ".h5", ".json")]
    )
    if not names:
        raise ReleaseError(
            f"{path} holds no shards (.parquet, .h5, .json) and is no release; name what train_shard or score_shard wrote to"
        )
    for name in names:
        shard = read_shard(folder.read(name) if name else folder.fs.cat_file(folder.root), folder.path(name))
        for row in shard.rows:
            where = {column: row.pop(column) for column in WHERE}
            yield (
                (shard.table, where["space"], where["dataset"]),
                shard.data_version,
                folder.path(name),
                row,
                where["arch"],
            )


def differing(table: Table, first: Row, second: Row) -> list[str]:
    """The columns that make two rows of one key contradict each other; times, device, software and commit are left out.

    A score that one row has and the other neither has nor says why it lacks it is no contradiction: it was asked for later.
    """
    found = [
        c.name
        for c in TABLES[table]
        if c.same and c.name not in LATER[table] and c.name != "failures" and first[c.name] != second[c.name]
    ]
    for name in sorted(LATER[table] - {c.name for c in TABLES[table] if not c.same}):
        values = first.get(name), second.get(name)
        lacking = second if values[1] is None else first
        if values[0] != values[1] and (None not in values or name in _failures(lacking)):
            found.append(name)
    return found


def filled(table: Table, first: Row, second: Row) -> Row | None:
    """The first row with the scores, seconds and reasons that only the second has; None where it has nothing more.

    Device, software and commit are those of the row with more scores.
    """
    more = {
        name: second[name]
        for name in LATER[table]
        if first.get(name) is None and second.get(name) is not None
    }
    reasons = _failures(second) | _failures(first)
    if not more.keys() & PROXIES.keys() and reasons == _failures(first):
        return None
    larger = max(second, first, key=lambda row: sum(row.get(name) is not None for name in PROXIES))
    made = {c.name: larger[c.name] for c in TABLES[table] if not c.same and c.name not in LATER[table]}
    return first | more | made | {"failures": json.dumps(reasons, sort_keys=True) if reasons else None}


def _failures(row: Row) -> dict[str, str]:
    failures: dict[str, str] = json.loads(row.get("failures") or "{}")
    return failures


def merged(
    base: dict[TableKey, Any], sources: Sequence[str], version: str
) -> tuple[dict[TableKey, Any], int, int]:
    """The tables of a release with the rows of the sources added, how many rows are new or have new scores, and how many were there already.

    Raises:
        ReleaseError: sources of several data versions or of another major one, a row whose arch is not where the archs table has it, two
            rows of one key with different values, or a table that is not of this schema.
    """
    import pyarrow as pa

    major = parse_version(version)[0]
    first_version: tuple[str, str] | None = None  # and its file
    found: dict[TableKey, dict[tuple[Any, ...], Source]] = {}
    new = known = 0
    for key, table in base.items():
        if key[0] != "archs":
            if key[1] in IMPORTED:  # read-only: stays as it is
                continue
            check_rows(key[0], rows := table.to_pylist(), f"{checked_path(key)} of the base release")
            found[key] = {
                _key(key[0], row): (f"{checked_path(key)} of the base release", row) for row in rows
            }
    archs = {key[1]: table.column("arch").to_pylist() for key, table in base.items() if key[0] == "archs"}
    for source in sources:
        for key, data_version, file, row, arch in rows_of(source):
            first_version = first_version or (data_version, file)
            if data_version != first_version[0]:
                raise ReleaseError(
                    f"{first_version[1]} is of data version {first_version[0]} and {file} of {data_version}; nothing was merged: "
                    "merge one version at a time"
                )
            if not data_version.startswith(f"{major}."):
                raise ReleaseError(
                    f"{file} is of data version {data_version}, the release to make is {version}: values changed between them"
                )
            table, space, _ = key
            if space in IMPORTED:
                raise ReleaseError(
                    f"{file}: {space} is imported and read-only, nothing is merged into it; run builders.import_bench with this --out"
                )
            if key not in found:
                if space not in archs:
                    raise ReleaseError(
                        f"{file}: rows of {space}, of which the base release has no archs table; choose another --base"
                    )
                checked_path(key, file)
            there = _at(archs[space], row["arch_id"])
            if arch != there:
                raise ReleaseError(
                    f"{file}: arch_id {row['arch_id']} is {arch}, but the archs table of {space} has {there} there; choose the --base it was made for"
                )
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
                    f"({column}: {row.get(column)!r} and {first[1].get(column)!r}); nothing was merged: "
                    "find out which is right and leave the other out"
                )
            more = filled(table, rows[identity][1], row)
            if more is None:
                known += 1
                continue
            rows[identity] = (rows[identity][0], more)
            new += 1
    tables = {key: table for key, table in base.items() if key[0] == "archs" or key[1] in IMPORTED}
    for key, rows in found.items():
        tables[key] = pa.Table.from_pylist([row for _, row in rows.values()], arrow_schema(key[0]))
    return tables, new, known


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[table])


def _at(archs: Sequence[str], arch_id: int) -> str:
    return archs[arch_id] if arch_id < len(archs) else "no arch"


def base_tables(out: str, base: str | None) -> tuple[dict[TableKey, Any], str | None]:
    """The tables to add to and their data version; from the embedded release only the archs tables, and no version.

    Raises:
        UsageError: an `out` that is a URL, or a release beside another base.
        ReleaseError: as `Release.open`.
    """
    if "://" in out:
        raise UsageError(f"{out} is a URL; a release is made in a local folder, and copied from there")
    if (Path(out) / MANIFEST).exists():
        if base is not None and ("://" in base or os.path.realpath(base) != os.path.realpath(out)):
            raise UsageError(
                f"{out} is a release already, whose rows stay; leave out --base, or choose another folder"
            )
        base = out
    release = Release.open(base)
    tables = release.tables()
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
        raise UsageError(
            f"version {asked}; the base is {old} and {count_of(new_rows, 'row is', 'rows are')} new, so it is at least {least}"
        )
    return asked


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shards", nargs="+", help="shard files, folders of shards, or releases")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument("--base", default=None, help="release to add to")
    parser.add_argument(
        "--version", default=None, help="data version of the result; default: the next that the rule allows"
    )
    given = parser.parse_args(argv)
    if any(os.path.abspath(given.out) == os.path.abspath(path) for path in given.shards):
        raise UsageError(f"{given.out} is both --out and to be merged; choose another folder for the release")
    finish_commit(Path(given.out))
    base, old = base_tables(given.out, given.base)
    tables, new, known = merged(base, given.shards, given.version or old or DATA_VERSION)
    version = next_version(old, given.version, new)
    manifest = commit_release(given.out, tables, version)
    size = sum(file.bytes for file in manifest.files.values())
    done = f"{count_of(new, 'row')} added or filled, {known} there already, {count_of(len(manifest.files), 'file')}, {size / 1e6:.2f} MB"
    print(f"{given.out}: data version {version}, {done}")


if __name__ == "__main__":
    sys.exit(main())
