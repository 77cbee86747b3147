"""Published benchmarks as releases: python -m builders.import_bench NAME --source FILE [FILE ...] --out DIR

FILE is a Parquet file that is named below, or the folder with them, or a file as the benchmark's authors
publish it, also named below. Which it is, its content says. The Parquet files are packed from public
repositories, which are named with commit and licence. Several are joined, runs of one and scores of another.
DIR becomes a release, or the release in DIR gets the space beside what it has. Its version is then the next
minor one; a derived one counts on. A file that is not the whole table is refused, and nothing is written.
Third-party tables are not part of this project: a release made here is for its maker.

Official files are read in a process of their own, with limits of time and memory. Of a pickle only plain data
are taken: numbers, texts, lists, dicts. Any other class or function in it is refused by name, and nothing
runs.

Scores that the release in --scores has of its networks are joined, by default those that ship with nbzero:
their protocol is another than that of the scores of a source, and no row is mixed. --scores none leaves them
out.

Percentages become fractions. What val_acc and test_acc are is in the column `metric`; higher is better in
all. Over which runs they are means is in `averaged`. A recipe that ends in -mean has a mean of seeds where
another recipe has the seeds.

Nothing that the source does not give is filled in. A missing split, loss or time is null. Device and software
say so. NASLib's -1e8, which stands for a score that was not finite, is a null with that reason. Scores keep
the source's sign and scale. A column whose values are doubtful is imported. It says so in its meaning, in the
table's metadata (`nbzero.doubtful`) and when this job ends. macs and params are the published ones and are
counted again from the arch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from builders.work.apart import LIMIT_S, MAX_BYTES, Apart, Bounded
from builders.work.command import parser_of, say_errors
from builders.work.commit import commit_release, finish_commit, local_folder
from builders.work.lock import locked
from builders.work.versions import line_after
from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.importers.official import Parse
from nbzero.importers.own_scores import OwnScores, own_scores
from nbzero.importers.published import IMPORTERS
from nbzero.importers.source import read_sources, said_left_out, tables_of
from nbzero.progress import progress
from nbzero.proxies.facts import PROXIES
from nbzero.release.manifest import MANIFEST, Release, embedded_folder
from nbzero.release.places import lacks_places, placed
from nbzero.release.schema import KEYS, TableKey, path_of
from nbzero.spaces.published import IMPORTED
from nbzero.text import printable

if TYPE_CHECKING:
    import pyarrow as pa

NO_SCORES = "none"  # in place of a release
EVERY_S = 10.0  # between two lines of progress
OF_A_BYTE = 16  # bytes of memory for a byte of a pickle that is read at once; a made one took 5


def said_benchmarks() -> str:
    """What can be imported: files, recipes, protocol of the scores."""
    lines = []
    for name, importer in IMPORTERS.items():
        files = []
        for file in importer.files:
            optional = " (without it: no scores)" if file in importer.optional else ""
            files.append(f"{file}.parquet{optional}")
        scores = IMPORTED[name].protocol or "none"
        lines += [name, f"    files   {', '.join(files) or 'official ones'}"]
        for source in importer.packed:
            lines.append(f"        of {source.place}, commit {source.commit}; licence {source.licence}")
            lines.append(f"            {source.holds}")
        lines.append(f"    runs    {importer.runs}")
        lines += [f"    scores  {scores}"]
        for official in importer.official:
            lines.append(f"    {official.name}: {official.place}; licence {official.licence}")
            lines += [f"        becomes {official.becomes}", f"        cite    {official.citation}"]
    return "\n".join(lines)


class Added(NamedTuple):
    """A release with a space added.

    Attributes:
        tables: all that it shall have.
        base: what it was before; None where there was none.
        new_rows: how many are new.
        new_columns: whether tables of before lack columns that they get now.
    """

    tables: dict[TableKey, pa.Table]
    base: Release | None
    new_rows: int
    new_columns: bool


def added(out: str, tables: dict[TableKey, pa.Table]) -> Added:
    """The release in `out` with the tables of a space.

    Raises:
        UsageError: the release that ships with nbzero, or a URL.
        ReleaseError: it has one of the tables with other rows, or cannot be read.
    """
    folder = local_folder(out)
    if os.path.realpath(out) == os.path.realpath(embedded_folder()):
        raise UsageError(
            f"{out} is the release that ships with nbzero, of which third-party tables are no part; "
            "choose another folder"
        )
    finish_commit(folder)
    base = Release.open(out) if (folder / MANIFEST).exists() else None
    there = base.tables() if base else {}
    new_columns = any(lacks_places(key, table) for key, table in there.items())
    new = 0
    for key, table in tables.items():
        if key not in there:
            new += table.num_rows
            continue
        archs = tables["archs", key[1], None].column("arch").to_pylist()
        without = f", or leave out scores of nbzero: --scores {NO_SCORES}" if key[0] == "scores" else ""
        if not placed(key, there[key], archs, path_of(*key)).equals(table):
            raise ReleaseError(
                f"{out} has a {key[0]} table of {key[1]} with other rows or columns; "
                f"released rows stay: choose another folder{without}"
            )
    return Added(tables | there, base, new, new_columns)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.epilog = f"What NAME can be:\n\n{said_benchmarks()}"
    parser.add_argument("name", choices=list(IMPORTERS), help="the imported space")
    parser.add_argument("--source", nargs="+", required=True, help="its files, or the folder with them")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument(
        "--scores",
        default=None,
        metavar="RELEASE",
        help="folder or URL of a release whose scores of these networks are joined; default: the one that "
        f"ships with nbzero; {NO_SCORES}: none",
    )
    parser.add_argument(
        "--version", default=None, help="data version of the result; default: the next that the rule allows"
    )
    given = parser.parse_args(argv)
    importer = IMPORTERS[given.name]
    ours = _scores_of_ours(given.scores, given.name)
    files = read_sources(importer, given.source)
    with contextlib.ExitStack() as processes:

        def apart(parse: Parse, nbytes: int = 0) -> Parse:
            limit_s = LIMIT_S + nbytes / 1e6 if nbytes else None
            reader = Apart(
                Bounded(parse, MAX_BYTES + OF_A_BYTE * nbytes), "fetch the benchmark anew", limit_s
            )
            processes.callback(reader.end)
            num_files = IMPORTED[given.name].num_members + 1
            finished = processes.enter_context(progress("files", num_files, every=EVERY_S))

            def read(data: bytes, name: str) -> Any:
                parsed = reader(data, name)
                finished("read")
                return parsed

            return read

        tables = tables_of(importer, files, apart, ours)
    with locked(local_folder(given.out)):
        version, new_rows = _add(given, tables)
    for key, table in tables.items():
        print(_said_table(key, table))
    for line in said_left_out(importer, files):
        print(printable(line))
    for proxy, doubt in IMPORTED[given.name].doubts.items():
        print(f"DOUBTFUL {proxy} of {given.name}, imported as the source gives it: {doubt}")
    for absent in importer.optional:
        if absent not in files and not any(key[0] == "scores" for key in tables):
            print(f"no {absent}.parquet: {given.name} has no scores")
    print(f"{given.out}: data version {version}, {count_of(new_rows, 'new row')}")


def _scores_of_ours(given: str | None, space: str) -> list[OwnScores]:
    """The scores to join.

    Raises:
        ReleaseError: a release that was named and has none, or that cannot be read.
    """
    if given == NO_SCORES:
        return []
    release = Release.open(given)
    found = own_scores(release, space)
    if given is not None and not found:
        raise ReleaseError(
            f"{given} has no scores of {space} under a protocol of nbzero; "
            "name another release, or leave out --scores"
        )
    return found


def _add(given: argparse.Namespace, tables: dict[TableKey, pa.Table]) -> tuple[str, int]:
    """Commit the tables as the command line says; the data version and the new rows. The folder is locked."""
    whole = added(given.out, tables)
    is_derived = whole.base is not None and whole.base.manifest.parent is not None
    called = line_after(
        whole.base,
        in_place=True,
        goes_on=given.version is not None or not is_derived,
        asked=given.version,
        new_rows=whole.new_rows,
        new_columns=whole.new_columns,
    )
    read = whole.base.sha256 if whole.base else None
    commit_release(given.out, whole.tables, *called, read=read)
    return called.version, whole.new_rows


def _said_table(key: TableKey, table: pa.Table) -> str:
    """A table with its rows, its recipes or protocols, and its proxies."""
    kind, space, dataset = key
    rows = count_of(table.num_rows, "row")
    if kind == "archs":
        return f"{kind}/{space}: {rows}"
    held = ", ".join(sorted(set(table.column(KEYS[kind][1]).to_pylist())))
    proxies = [name for name in table.column_names if name in PROXIES]
    if proxies:
        held += f": {', '.join(proxies)}"
    return f"{kind}/{space}/{dataset}: {rows} ({held})"


if __name__ == "__main__":
    sys.exit(main())
