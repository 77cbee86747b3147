"""Merge shards into a release.

    python -m builders.merge_shards SHARDS [SHARDS ...] --out DIR [--base RELEASE] [--version 0.2.0]

SHARDS are shard files, folders of them, or releases. A folder may be that of a job that still runs: its
finished units count. The rows are added to those of --base. Without it that is DIR itself where DIR is a
release, else the archs tables of the release that ships with nbzero.

Where a key is there twice, times, device, software and commit are not compared. With equal values the first
stays, and scores that it lacks are filled in. With other values nothing is merged, and the error names both.
Predictions are carried as they are, each with the data version of its runs. Where runs were added it says so:
builders.fit_surrogate fits them again. Those of a source are left out.

DIR is replaced at once or not at all. Where this was killed, the same command again finishes it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from builders.work.command import parser_of, say_errors
from builders.work.commit import checked_path, commit_release, finish_commit, local_folder, next_version
from builders.work.rows import WHERE, Folder, Row, read_shard
from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.proxies.facts import PROXIES
from nbzero.release.derived import FIT, stale
from nbzero.release.manifest import MANIFEST, Release, parse_version
from nbzero.release.schema import (
    DATA_VERSION,
    DERIVED,
    KEYS,
    LATER,
    TABLES,
    Table,
    TableKey,
    arrow_schema,
    check_rows,
)
from nbzero.spaces.published import IMPORTED

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


# The sources


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
        if kind == "archs" or kind in DERIVED:
            continue
        file = f"{path}/{checked_path(key)}"
        if ("archs", space, None) not in tables:
            raise ReleaseError(f"{file} has no archs table beside it; fetch the whole release anew")
        archs = _archs_of(tables, space)
        rows = table.to_pylist()
        check_rows(kind, rows, file, space)
        for row in rows:
            yield Found(key, release.manifest.data_version, file, row, _at(archs, row["arch_id"]))


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
            where = {column: row.pop(column) for column in WHERE}
            key: TableKey = (shard.table, where["space"], where["dataset"])
            yield Found(key, shard.data_version, file, row, where["arch"])


def _archs_of(tables: dict[TableKey, pa.Table], space: str) -> list[str]:
    archs: list[str] = tables["archs", space, None].column("arch").to_pylist()
    return archs


def _at(archs: Sequence[str], arch_id: int) -> str:
    return archs[arch_id] if arch_id < len(archs) else "no arch"


# Two rows of one key


def differing(table: Table, first: Row, second: Row) -> list[str]:
    """The columns that make two rows of one key contradict each other.

    Times, device, software and commit are left out. A score that one row lacks without a reason is no
    contradiction: it was asked for later.
    """
    found = []
    for column in TABLES[table]:
        compared = column.same and column.name not in LATER[table] and column.name != "failures"
        if compared and first[column.name] != second[column.name]:
            found.append(column.name)
    for column in sorted(TABLES[table], key=lambda column: column.name):
        if column.same and column.name in LATER[table] and _contradict(column.name, first, second):
            found.append(column.name)
    return found


def _contradict(proxy: str, first: Row, second: Row) -> bool:
    """Whether two rows have different scores, or one a score and the other a reason why there is none."""
    one, other = first.get(proxy), second.get(proxy)
    if one == other:
        return False
    if one is not None and other is not None:
        return True
    lacking = second if other is None else first
    return proxy in _failures(lacking)


def filled(table: Table, first: Row, second: Row) -> Row | None:
    """The first row with the scores, seconds and reasons that only the second has.

    It is None where the second has nothing more. Device, software and commit are those of the row with more
    scores.
    """
    more = {}
    for name in LATER[table]:
        if first.get(name) is None and second.get(name) is not None:
            more[name] = second[name]
    reasons = _failures(second) | _failures(first)
    if not more.keys() & PROXIES.keys() and reasons == _failures(first):
        return None
    larger = max(second, first, key=_num_scores)
    made = {}
    for column in TABLES[table]:
        if not column.same and column.name not in LATER[table]:
            made[column.name] = larger[column.name]
    failures = json.dumps(reasons, sort_keys=True) if reasons else None
    return first | more | made | {"failures": failures}


def _num_scores(row: Row) -> int:
    return sum(row.get(name) is not None for name in PROXIES)


def _failures(row: Row) -> dict[str, str]:
    failures: dict[str, str] = json.loads(row.get("failures") or "{}")
    return failures


# The merge


class _Merge:
    """The rows of a release while others are added; what is imported stays as it is and is not read.

    Attributes:
        rows: of every table by their key, each with the file it comes from, for errors.
        new: how many rows were added or filled.
        known: how many were there already.
    """

    def __init__(self, base: dict[TableKey, pa.Table]) -> None:
        self.rows: dict[TableKey, dict[tuple[Any, ...], tuple[str, Row]]] = {}
        self.archs: dict[str, list[str]] = {}
        self.new = self.known = 0
        for key, table in base.items():
            kind, space, _ = key
            if kind == "archs":
                self.archs[space] = _archs_of(base, space)
            elif space not in IMPORTED and kind not in DERIVED:
                file = f"{checked_path(key)} of the base release"
                rows = table.to_pylist()
                check_rows(kind, rows, file)
                self.rows[key] = {_identity(kind, row): (file, row) for row in rows}

    def add(self, found: Found) -> None:
        """Add a row, or fill with it the one that is there.

        Raises:
            ReleaseError: as `merged`.
        """
        kind, space, _ = found.key
        if found.key not in self.rows:
            self._check_table(found)
            self.rows[found.key] = {}
        rows = self.rows[found.key]
        arch = _at(self.archs[space], found.row["arch_id"])
        if found.arch != arch:
            raise ReleaseError(
                f"{found.file}: arch_id {found.row['arch_id']} is {found.arch}, "
                f"but the archs table of {space} has {arch} there; choose the --base it was made for"
            )
        identity = _identity(kind, found.row)
        if identity not in rows:
            rows[identity] = (found.file, found.row)
            self.new += 1
            return
        file, there = rows[identity]
        columns = differing(kind, there, found.row)
        if columns:
            raise _contradiction(found, file, there, columns)
        more = filled(kind, there, found.row)
        if more is None:
            self.known += 1
            return
        rows[identity] = (file, more)
        self.new += 1

    def _check_table(self, found: Found) -> None:
        """ReleaseError where the base release can have no table of the row's key."""
        kind, space, _ = found.key
        if kind in DERIVED:
            raise ReleaseError(
                f"{found.file}: {kind} are derived from runs and not merged; merge the runs, then {FIT}"
            )
        if space in IMPORTED:
            raise ReleaseError(
                f"{found.file}: {space} is imported and read-only, nothing is merged into it; "
                "run builders.import_bench with this --out"
            )
        if space not in self.archs:
            raise ReleaseError(
                f"{found.file}: rows of {space}, of which the base release has no archs table; "
                "choose another --base"
            )
        checked_path(found.key, found.file)


def _identity(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[table])


def _contradiction(found: Found, file: str, there: Row, columns: Sequence[str]) -> ReleaseError:
    kind, space, _ = found.key
    identity = {column: there[column] for column in KEYS[kind]}
    column = columns[0]
    values = f"{found.row.get(column)!r} and {there.get(column)!r}"
    return ReleaseError(
        f"{found.file} and {file} both have {space} {identity}, "
        f"with different {', '.join(columns)} ({column}: {values}); nothing was merged: "
        "find out which is right and leave the other out"
    )


def merged(
    base: dict[TableKey, pa.Table], sources: Sequence[str], version: str
) -> tuple[dict[TableKey, pa.Table], int, int]:
    """The tables of a release with the rows of the sources added.

    Returns:
        The tables, how many rows are new or have new scores, and how many were there already.

    Raises:
        ReleaseError: sources of several data versions or of another major one, a row whose arch is not where
            the archs table has it, two rows of one key with different values, or a table that is not of this
            schema.
    """
    import pyarrow as pa

    major = parse_version(version)[0]
    merge = _Merge(base)
    first: Found | None = None
    for source in sources:
        for found in rows_of(source):
            if first is None:
                first = found
                _check_major(first, major, version)
            _check_same_version(first, found)
            merge.add(found)
    tables = {}
    for key, table in base.items():
        if key not in merge.rows:
            tables[key] = table
    for key, rows in merge.rows.items():
        tables[key] = pa.Table.from_pylist([row for _, row in rows.values()], arrow_schema(key[0]))
    return tables, merge.new, merge.known


def _check_major(first: Found, major: int, version: str) -> None:
    if not first.data_version.startswith(f"{major}."):
        raise ReleaseError(
            f"{first.file} is of data version {first.data_version}, the release to make is {version}: "
            "values changed between them"
        )


def _check_same_version(first: Found, found: Found) -> None:
    if found.data_version != first.data_version:
        raise ReleaseError(
            f"{first.file} is of data version {first.data_version} and {found.file} of {found.data_version}; "
            "nothing was merged: merge one version at a time"
        )


def base_tables(out: str, base: str | None) -> tuple[dict[TableKey, pa.Table], str | None]:
    """The tables to add to and their data version.

    From the embedded release they are only the archs tables, without a version.

    Raises:
        UsageError: an `out` that is a URL, or a release beside another base.
        ReleaseError: as `Release.open`.
    """
    if (local_folder(out) / MANIFEST).exists():
        if base is not None and not _same_folder(base, out):
            raise UsageError(
                f"{out} is a release already, whose rows stay; leave out --base, or choose another folder"
            )
        base = out
    release = Release.open(base)
    tables = release.tables()
    if base is None:
        return {key: table for key, table in tables.items() if key[0] == "archs"}, None
    return tables, release.manifest.data_version


def _same_folder(base: str, out: str) -> bool:
    return "://" not in base and os.path.realpath(base) == os.path.realpath(out)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("shards", nargs="+", help="shard files, folders of shards, or releases")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument("--base", default=None, help="release to add to")
    parser.add_argument(
        "--version", default=None, help="data version of the result; default: the next that the rule allows"
    )
    given = parser.parse_args(argv)
    for path in given.shards:
        if os.path.abspath(given.out) == os.path.abspath(path):
            raise UsageError(
                f"{given.out} is both --out and to be merged; choose another folder for the release"
            )
    finish_commit(local_folder(given.out))
    base, old = base_tables(given.out, given.base)
    tables, new, known = merged(base, given.shards, given.version or old or DATA_VERSION)
    version = next_version(old, given.version, new)
    manifest = commit_release(given.out, tables, version)
    size = sum(file.bytes for file in manifest.files.values()) / 1e6
    added = f"{count_of(new, 'row')} added or filled, {known} there already"
    files = count_of(len(manifest.files), "file")
    print(f"{given.out}: data version {version}, {added}, {files}, {size:.2f} MB")
    for line in stale(tables):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
