"""Published benchmarks as releases: python -m builders.import_bench NAME --source FILE [FILE ...] --out DIR

FILE is a Parquet file that is named below, or the folder with them. DIR becomes a release, or the release in
DIR gets the space beside what it has. A file that is not the whole table is refused, and nothing is written.
Third-party tables are not part of this project: a release made here is for its maker.

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

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from builders.work.command import parser_of, say_errors
from builders.work.commit import commit_release, finish_commit, local_folder, next_version
from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.importers.published import IMPORTERS
from nbzero.importers.source import read_sources, said_left_out, tables_of
from nbzero.proxies.facts import PROXIES
from nbzero.release.manifest import MANIFEST, Release, embedded_folder
from nbzero.release.schema import KEYS, TableKey
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa


def said_benchmarks() -> str:
    """What can be imported: files, recipes, protocol of the scores."""
    lines = []
    for name, importer in IMPORTERS.items():
        files = []
        for file in importer.files:
            optional = " (without it: no scores)" if file in importer.optional else ""
            files.append(f"{file}.parquet{optional}")
        scores = IMPORTED[name].protocol or "none"
        lines += [name, f"    files   {', '.join(files)}", f"    runs    {importer.runs}"]
        lines += [f"    scores  {scores}"]
    return "\n".join(lines)


def added(out: str, tables: dict[TableKey, pa.Table]) -> tuple[dict[TableKey, pa.Table], str | None, int]:
    """All tables that `out` shall have, the data version that it has, and how many rows are new.

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
    there: dict[TableKey, pa.Table] = {}
    old = None
    if (folder / MANIFEST).exists():
        release = Release.open(out)
        there = release.tables()
        old = release.manifest.data_version
    new = 0
    for key, table in tables.items():
        if key not in there:
            new += table.num_rows
        elif not there[key].equals(table):
            raise ReleaseError(
                f"{out} has a {key[0]} table of {key[1]} with other rows or columns; "
                "released rows stay: choose another folder"
            )
    return tables | there, old, new


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.epilog = f"What NAME can be:\n\n{said_benchmarks()}"
    parser.add_argument("name", choices=list(IMPORTERS), help="the imported space")
    parser.add_argument("--source", nargs="+", required=True, help="its files, or the folder with them")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument(
        "--version", default=None, help="data version of the result; default: the next that the rule allows"
    )
    given = parser.parse_args(argv)
    importer = IMPORTERS[given.name]
    files = read_sources(importer, given.source)
    tables = tables_of(importer, files)
    whole, old, new = added(given.out, tables)
    version = next_version(old, given.version, new)
    commit_release(given.out, whole, version)
    for key, table in tables.items():
        print(_said_table(key, table))
    for line in said_left_out(importer, files):
        print(line)
    for proxy, doubt in IMPORTED[given.name].doubts.items():
        print(f"DOUBTFUL {proxy} of {given.name}, imported as the source gives it: {doubt}")
    for absent in importer.optional:
        if absent not in files:
            print(f"no {absent}.parquet: {given.name} has no scores")
    print(f"{given.out}: data version {version}, {count_of(new, 'new row')}")


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
