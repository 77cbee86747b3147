"""The tables of papers, computed again: python -m builders.reproduce TABLE [TABLE ...] --benchmarks DIR

DIR is a release that `python -m builders.import_bench` made of the published benchmarks. Archs are drawn by
hash, so that a smaller number is a prefix of a larger one. Networks are scored with one seed, and the scores
are kept under --scores: a job that was stopped goes on where it was, and tables share what they have in
common. Scores that exist already are taken from --shards (what builders.score_shard wrote, or a release) and,
with --stored, from builders/reproductions/scores and the release that ships with nbzero, where protocol and
seed agree. --known-only computes nothing.

The rows are printed, and merged into --results by table, row and protocol: a row of more archs replaces one
of fewer. A release that has that file lists it anew by `builders.merge_shards --out DIR --release`.

A table may take hours on one core: start it with `nice`, and --archs for a part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from builders.reproductions import claims, nb101, searching, sed, swap, swap_cells, wrcor
from builders.reproductions.context import Context
from builders.reproductions.known import known_in
from builders.reproductions.results import Result, merge, read_results, said
from builders.work.command import parser_of, say_errors
from nbzero.bench import Bench
from nbzero.errors import NothingFoundError, UnknownNameError, whole
from nbzero.proxies.facts import proxy
from nbzero.release.manifest import embedded_folder

OF_PAPERS = (wrcor, nb101, sed, swap, swap_cells, searching, claims)
TABLES = {name: table for module in OF_PAPERS for name, table in module.TABLES.items()}
OF_MOST_ARCHS = {*wrcor.TABLES, "wrcor-9"}  # tables with rows of as many archs as their scores have
RESULTS = "data/reproductions/results.parquet"
SCORES = Path(__file__).parent / "reproductions" / "scores"  # what no release holds, as in --scores


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.epilog = "tables:\n" + "\n".join(f"    {name:12} {_meaning(name)}" for name in TABLES)
    parser.add_argument("tables", nargs="+", metavar="TABLE", help="all, or of those below")
    parser.add_argument("--benchmarks", required=True, help="release with the imported benchmarks")
    parser.add_argument(
        "--scores", default="reproductions", help="folder of the scores; default: %(default)s"
    )
    parser.add_argument("--results", default=RESULTS, help="default: %(default)s")
    parser.add_argument(
        "--archs", type=int, default=None, help="how many are drawn; default: the table's own"
    )
    parser.add_argument("--images", default=None, help="folder of images, or noise; default: NBZERO_IMAGES")
    parser.add_argument("--proxies", nargs="+", default=None, help="only rows of these; default: all")
    parser.add_argument(
        "--shards",
        nargs="+",
        default=[],
        metavar="PATH",
        help="shards, folders of them, or releases with scores",
    )
    parser.add_argument(
        "--stored",
        action="store_true",
        help="use the scores that are kept beside this job, and those that ship",
    )
    parser.add_argument("--known-only", action="store_true", help="compute no score that is missing")
    parser.add_argument("--workers", type=int, default=1, help="processes; default: %(default)s")
    given = parser.parse_args(argv)
    names = _asked(parser, given.tables)
    if given.archs is not None:
        whole("--archs", given.archs, 2)
    whole("--workers", given.workers, 1)
    results = Path(given.results)
    read_results(results)  # raises before the work, not after it
    context = _context(given)
    if "all" in given.tables and not nb101.is_there(context.benchmarks):
        names = [name for name in names if name not in nb101.TABLES]
        print(f"left out: {', '.join(nb101.TABLES)}, since the release of --benchmarks lacks nb101\n")
    torch.set_num_threads(1)
    for name in names:
        try:
            rows = _rows_of(name, context)
        except (NothingFoundError, UnknownNameError) as error:
            if "all" not in given.tables:
                raise
            print(f"left out: {name}, {error}\n", flush=True)
            continue
        merge(results, rows)
        print(f"{name}: {_meaning(name)}\n{said(rows)}\n", flush=True)


def _rows_of(name: str, context: Context) -> list[Result]:
    """The rows of a table.

    Where nothing is computed, and some scores are of fewer archs, each row of WRCor's tables on
    NAS-Bench-201 has as many archs as it can.
    """
    table = TABLES[name]
    if context.computes or name not in OF_MOST_ARCHS:
        return table(context)
    most: dict[tuple[str, str, str], Result] = {}
    fewest: int | None = 1
    while fewest is not None:
        counts: set[int] = set()
        try:
            rows = table(replace(context, fewest=fewest, counts=counts))
        except NothingFoundError:
            if not most:
                raise
            break
        for row in rows:
            key = (row.table, row.row, row.protocol)
            if key not in most or row.n >= most[key].n:
                most[key] = row
        fewest = min((num for num in counts if num > fewest), default=None)
    return list(most.values())


def _asked(parser: argparse.ArgumentParser, tables: Sequence[str]) -> list[str]:
    for name in tables:
        if name not in (*TABLES, "all"):
            parser.error(f"no table {name!r}; those are all, {', '.join(TABLES)}")
    return list(TABLES) if "all" in tables else list(dict.fromkeys(tables))


def _context(given: argparse.Namespace) -> Context:
    proxies = None
    if given.proxies is not None:
        proxies = tuple(proxy(name).name for name in given.proxies)
    places = list(given.shards)
    if given.stored:
        places.append(str(embedded_folder()))
    return Context(
        Bench(given.benchmarks),
        Path(given.scores),
        given.images,
        given.archs,
        given.workers,
        proxies,
        known_in(places),
        SCORES if given.stored else None,
        computes=not given.known_only,
    )


def _meaning(name: str) -> str:
    return (TABLES[name].__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
