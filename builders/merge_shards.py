"""Merge shards into a release.

    python -m builders.merge_shards SHARDS --out DIR                yours, 0.9.0+yours.1, then +yours.2 ..
    python -m builders.merge_shards SHARDS --out DIR --base none    of your rows alone
    python -m builders.merge_shards SHARDS --out data --release     the maintainers', 0.10.0

SHARDS are shard files, folders of them, or releases. A folder may be that of a job that still runs: its
finished units count. Without SHARDS the base is written anew, with columns that it lacks.

The rows are added to those of the base. That is DIR itself where DIR is a release, else --base, by default
the release that ships with nbzero. What comes of it is a derived release. Its version says whose it is
(--label), and its manifest names its parent. With --release (or --version) it goes on in the base's own line:
additions raise the minor number.

Where a key is there twice, times, device, software and commit are not compared. With equal values the first
stays, and scores that it lacks are filled in. Where another processor rounded otherwise than the base's did,
the base's values stay and the row is counted: scores within 1e-3 of their size, accuracies and losses within
3 standard deviations between seeds, as the base's own runs of that space, data set and recipe have it. With
other values nothing is merged, and the error names both.

Where rows of scores lack a proxy, as those of a job that was killed do, the command says how many and which.

Scores of networks of a published benchmark (score_shard --space nb201) bring its archs, the first ones of its
sample, with what its definition says of them. Its authors' accuracies are no part of such a release:
builders.import_bench joins them.

Where scores are added, all tables of scores of our spaces get the same columns: a table that is older than a
proxy has nulls.

Latencies are of one machine a setup. Where one is there twice the first stays: no two timings are equal.

Predictions are carried as they are, each with the data version of its runs. Where runs were added it says so:
builders.fit_surrogate fits them again. Those of a source are left out.

DIR is replaced at once or not at all. Where this was killed, the same command again finishes it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from builders.work.base import NO_BASE
from builders.work.command import parser_of, say_errors
from builders.work.commit import checked_path, commit_release, finish_commit, local_folder, others_in
from builders.work.lock import locked
from builders.work.repeats import SeedNoise, beyond_rounding, differing, filled, lacking, said_allowed
from builders.work.rows import Row, one_h5_reader
from builders.work.sources import Found, arch_at, archs_of, bare_rows, rows_of
from builders.work.versions import YOURS, Line, check_label, line_after
from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.release.derived import FIT, stale
from nbzero.release.latencies import check_setups
from nbzero.release.manifest import MANIFEST, Manifest, Release, Version, parse_version
from nbzero.release.places import lacks_places
from nbzero.release.sampled import is_sampled, sampled_archs, sampled_scores
from nbzero.release.schema import (
    DATA_VERSION,
    DERIVED,
    KEYS,
    PROTOCOLS,
    WHERE,
    Table,
    TableKey,
    arrow_schema,
)
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED, sample_order

if TYPE_CHECKING:
    import pyarrow as pa

# The merge


class _Kept(NamedTuple):
    """A row of the release to come: the file it is from, for errors, and the base's row of its key."""

    file: str
    row: Row
    base: Row | None = None


class Merge:
    """The rows of a release while others are added; tables that get none stay as they are and are not read.

    Attributes:
        new: how many rows were added or filled.
        known: how many were there already.
        rounded: how many differ from the base's by another processor's rounding; the base's values stay.
    """

    def __init__(self, base: dict[TableKey, pa.Table]) -> None:
        self.new = self.known = self.rounded = 0
        self._base = base
        self._rows: dict[TableKey, dict[tuple[Any, ...], _Kept]] = {}
        self._noise: dict[TableKey, SeedNoise] = {}
        self._scored: dict[TableKey, set[tuple[Any, ...]]] = {}  # the keys of rows of scores that were added
        self._archs: dict[str, list[str]] = {}
        for kind, space, _ in base:
            if kind == "archs":
                self._archs[space] = archs_of(base, space)
        self._num_sampled: dict[str, int] = {}  # archs of published spaces that get scores of ours

    def add(self, found: Found) -> None:
        """Add a row, or fill with it the one that is there.

        Raises:
            ReleaseError: as `merged`.
        """
        kind, space, _ = found.key
        rows = self._rows_of(found)
        if space in self._num_sampled:
            self._num_sampled[space] = max(self._num_sampled[space], found.row["arch_id"] + 1)
        arch = arch_at(self._archs[space], found.row["arch_id"])
        if found.arch != arch:
            raise ReleaseError(
                f"{found.file}: arch_id {found.row['arch_id']} is {found.arch}, "
                f"but the archs table of {space} has {arch} there; choose the --base it was made for"
            )
        identity = _identity(kind, found.row)
        if kind == "scores":
            self._scored.setdefault(found.key, set()).add(identity)
        there = rows.get(identity)
        if there is None:
            rows[identity] = _Kept(found.file, found.row)
            self.new += 1
            return
        if self._is_rounded(found, there):
            self.rounded += 1
        more = filled(kind, there.row, found.row)
        if more is None:
            self.known += 1
            return
        rows[identity] = there._replace(row=more)
        self.new += 1

    def tables(self) -> dict[TableKey, pa.Table]:
        """The tables of the release to come.

        Raises:
            ReleaseError: latencies of one setup that are of two machines.
        """
        import pyarrow as pa

        made = dict(self._base)
        for space, num_archs in self._num_sampled.items():
            made["archs", space, None] = sampled_archs(space, num_archs)
        for key, rows in self._rows.items():
            kind, space, _ = key
            listed = [kept.row for kept in rows.values()]
            if kind == "latencies":
                check_setups(listed, checked_path(key))
            if space in self._num_sampled:
                made[key] = sampled_scores(space, listed)
            else:
                made[key] = pa.Table.from_pylist(listed, arrow_schema(kind))
        if self._scored:
            for key in [key for key in made if key[0] == "scores" and key[1] in CHOICES]:
                made[key] = _with_all_proxies(made[key])
        return made

    def said_lacking(self) -> list[str]:
        """A line for each table of scores: how many of the rows that were added lack which proxies.

        There is none where they have a score or a reason of each. A job that was killed while it computed
        more proxies leaves such rows.
        """
        lines = []
        for key, added in self._scored.items():
            counts: Counter[str] = Counter()
            num_rows = 0
            for identity in added:
                names = lacking(self._rows[key][identity].row)
                counts.update(names)
                num_rows += bool(names)
            if num_rows:
                listed = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
                rows = f"{num_rows:,} of {count_of(len(added), 'row')} from SHARDS"
                advice = "builders.score_shard computes what is missing"
                lines.append(f"{checked_path(key)}: {rows} lack scores ({listed}); {advice}")
        return lines

    def _rows_of(self, found: Found) -> dict[tuple[Any, ...], _Kept]:
        """The rows of the table that a row belongs to; ReleaseError where the base can have no such table."""
        key = found.key
        if key not in self._rows:
            self._check_table(found)
            rows = {}
            if key in self._base:
                kind, space, _ = key
                file = f"{checked_path(key)} of the base release"
                listed = bare_rows(key, self._base[key], self._archs[space], file)
                rows = {_identity(kind, row): _Kept(file, row, row) for row in listed}
                self._noise[key] = SeedNoise(listed if kind == "runs" else ())
            self._rows[key] = rows
        return self._rows[key]

    def _check_table(self, found: Found) -> None:
        kind, space, _ = found.key
        if kind in DERIVED:
            raise ReleaseError(
                f"{found.file}: {kind} are derived from runs and not merged; merge the runs, then {FIT}"
            )
        if space in IMPORTED:
            self._open_sample(found)
        if space not in self._archs:
            raise ReleaseError(
                f"{found.file}: rows of {space}, of which the base release has no archs table; "
                "choose another --base"
            )
        checked_path(found.key, found.file)

    def _open_sample(self, found: Found) -> None:
        """Take scores of ours of a published space, for archs in the order of its sample.

        Raises:
            ReleaseError: other rows, a release that has the space imported, or a space of which no definition
                says which archs there are.
        """
        kind, space, _ = found.key
        if IMPORTED[space].every is None:
            raise ReleaseError(
                f"{found.file}: no definition says which archs {space} has, so its scores are of no release; "
                "evaluate them with Bench.evaluate"
            )
        there = self._archs.get(space, [])
        if kind != "scores" or found.row["protocol"] not in PROTOCOLS or not is_sampled(space, there):
            raise ReleaseError(
                f"{found.file}: {space} is imported and read-only, nothing is merged into it; "
                "run builders.import_bench with this --out (its --scores adds scores of ours)"
            )
        self._num_sampled.setdefault(space, len(there))
        self._archs[space] = list(sample_order(space))

    def _is_rounded(self, found: Found, there: _Kept) -> bool:
        """Whether a row has other values than the one that is there, which rounding explains.

        Raises:
            ReleaseError: values that nothing explains.
        """
        kind = found.key[0]
        columns = differing(kind, there.row, found.row)
        if not columns:
            return False
        allowed = ""
        if there.base is not None:
            noise = self._noise[found.key]
            columns = beyond_rounding(kind, there.base, found.row, columns, noise)
            if not columns:
                return True
            allowed = said_allowed(kind, there.base, columns[0], noise)
        raise _contradiction(found, there, columns, allowed)


def _with_all_proxies(scores: pa.Table) -> pa.Table:
    """A table of scores with a column for every proxy; null where the table is older than the proxy.

    So all tables of scores of a release have the same columns, and are read as one.
    """
    import pyarrow as pa

    schema = arrow_schema("scores")
    if scores.schema.names == schema.names:
        return scores
    columns = []
    for field in schema:
        is_there = field.name in scores.schema.names
        columns.append(scores[field.name] if is_there else pa.nulls(len(scores), field.type))
    return pa.table(columns, schema=schema)


def _identity(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[table])


def _contradiction(found: Found, there: _Kept, columns: Sequence[str], allowed: str) -> ReleaseError:
    """The error of two rows of one key.

    Args:
        columns: in which they contradict each other.
        allowed: by how much they may differ, in words.
    """
    kind, space, _ = found.key
    identity = {column: there.row[column] for column in KEYS[kind]}
    column = columns[0]
    values = f"{found.row.get(column)!r} and {there.row.get(column)!r}"
    because = f"; {allowed}" if allowed else ""
    advice = "find out which is right and leave the other out"
    if there.base is not None:
        advice += (
            f", as train_shard and score_shard do of what their --base has, or merge with --base {NO_BASE}"
        )
    return ReleaseError(
        f"{found.file} and {there.file} both have {found.arch}, {space} {identity}, "
        f"with different {', '.join(columns)} ({column}: {values}{because}); nothing was merged: {advice}"
    )


def merged(base: dict[TableKey, pa.Table], sources: Sequence[str], version: str) -> Merge:
    """The rows of the sources added to the tables of a release.

    Args:
        version: of the release to come, or of its base.

    Raises:
        ReleaseError: sources of several data versions or of another major one, a row whose arch is not where
            the archs table has it, two rows of one key with different values, or a table that is not of this
            schema.
    """
    merge = Merge(base)
    first: Found | None = None
    for source in sources:
        for found in rows_of(source):
            if first is None:
                first = found
                _check_major(first, version)
            _check_same_version(first, found)
            merge.add(found)
    return merge


def _check_major(first: Found, version: str) -> None:
    major = Version.parse(version).plain[0]
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


class Base(NamedTuple):
    """What is added to.

    Attributes:
        tables: those of `release`. Where that is None: the archs tables of our spaces.
        in_place: whether the release to make replaces it.
    """

    tables: dict[TableKey, pa.Table]
    release: Release | None
    in_place: bool = False

    @property
    def version(self) -> str:
        """Its data version; where it is no release, that of a new one."""
        return DATA_VERSION if self.release is None else self.release.manifest.data_version


def base_of(out: str, given: str | None) -> Base:
    """What is added to: the release in `out`, else the one given, else the one that ships with nbzero.

    Args:
        given: a folder or URL; NO_BASE is none.

    Raises:
        UsageError: an `out` that is a URL, or a release beside another base.
        ReleaseError: as `Release.open`.
    """
    if (local_folder(out) / MANIFEST).exists():
        if given is not None and not _same_folder(given, out):
            raise UsageError(
                f"{out} is a release already, whose rows stay; leave out --base, or choose another folder"
            )
        release = Release.open(out)
        return Base(release.tables(), release, in_place=True)
    if given == NO_BASE:
        shipped = Release.open().tables()
        return Base({("archs", space, None): shipped["archs", space, None] for space in CHOICES}, None)
    release = Release.open(given)
    return Base(release.tables(), release)


def _same_folder(base: str, out: str) -> bool:
    return "://" not in base and os.path.realpath(base) == os.path.realpath(out)


# The command


def _check_options(given: argparse.Namespace) -> None:
    """UsageError where the command line contradicts itself."""
    for path in given.shards:
        if os.path.abspath(given.out) == os.path.abspath(path):
            raise UsageError(
                f"{given.out} is both --out and to be merged; choose another folder for the release"
            )
    if given.version is not None:
        parse_version(given.version)
    if given.label is None:
        return
    check_label(given.label)
    plain = {
        "--release": given.release,
        "--version": given.version,
        f"--base {NO_BASE}": given.base == NO_BASE,
    }
    for option, is_given in plain.items():
        if is_given:
            raise UsageError(
                f"--label {given.label} with {option}: the label is of a derived release; leave one out"
            )


def _said(out: str, line: Line, merge: Merge, num_older: int, manifest: Manifest) -> str:
    """What was made, in a line."""
    derived = f" (derived from {line.parent.data_version})" if line.parent else ""
    parts = [f"{out}: data version {line.version}{derived}"]
    parts.append(f"{count_of(merge.new, 'row')} added or filled, {merge.known} there already")
    if merge.rounded:
        differ = count_of(merge.rounded, "row differs", "rows differ")
        parts.append(f"{differ} by another processor's rounding and stay as the base has them")
    if num_older:
        parts.append(f"{count_of(num_older, 'table')} got the columns {' '.join(WHERE)}")
    size = sum(file.bytes for file in manifest.files.values()) / 1e6
    parts.append(f"{count_of(len(manifest.files), 'file')}, {size:.2f} MB")
    return ", ".join(parts)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("shards", nargs="*", help="shard files, folders of shards, or releases")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument(
        "--base",
        default=None,
        help="release to add to, folder or URL; default: --out where it is a release, else the one that "
        f"ships with nbzero; {NO_BASE}: a new release of these rows alone",
    )
    parser.add_argument(
        "--label",
        default=None,
        help="whose derived release it is, like mylab in 0.9.0+mylab.1; "
        f"default: that of the base, else {YOURS}",
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help="no derived release: the next plain version of the base's own line. For who maintains that",
    )
    parser.add_argument(
        "--version", default=None, help="the same with this plain version, where the rule allows it"
    )
    given = parser.parse_args(argv)
    _check_options(given)
    with locked(local_folder(given.out)), one_h5_reader():
        print(_merged_into(given))


def _has_new_others(out: str, base: Base) -> bool:
    """Whether the folder has other files beside the tables than the manifest of its release lists."""
    return base.release is not None and base.in_place and others_in(Path(out)) != base.release.manifest.others


def _merged_into(given: argparse.Namespace) -> str:
    """Merge as the command line says; what was made, and what is to do next. The folder is locked."""
    finish_commit(local_folder(given.out))
    base = base_of(given.out, given.base)
    merge = merged(base.tables, given.shards, given.version or base.version)
    num_older = sum(lacks_places(key, table) for key, table in base.tables.items())
    line = line_after(
        base.release,
        in_place=base.in_place,
        goes_on=given.release or given.version is not None,
        asked=given.version,
        label=given.label,
        new_rows=merge.new,
        new_columns=num_older > 0,
        new_others=_has_new_others(given.out, base),
    )
    read = base.release.sha256 if base.release and base.in_place else None
    tables = merge.tables()
    manifest = commit_release(given.out, tables, *line, read=read)
    said = _said(given.out, line, merge, num_older, manifest)
    return "\n".join([said, *merge.said_lacking(), *stale(tables)])


if __name__ == "__main__":
    sys.exit(main())
