"""The leaderboard as a page: mean ranks, the critical-difference diagram, every pool's values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbzero
from nbzero.errors import UsageError
from nbzero.judge.board import Board
from nbzero.judge.board_rows import PROTOCOL
from nbzero.pages.page import bundler, table_content, target, write_page
from nbzero.proxies.facts import PROXIES
from nbzero.text import MARK, marked

NAME = "leaderboard"
HOW = (
    f"{PROTOCOL}: measured val accuracies and scores of seed 0; the test split is nowhere on this page.",
    "mbr: the mean over 5 quantile limits on each cost of the true rank of the pick, over N. 0 is best.",
    "mean_rank: over the pools, among the entries that all of them have. 1 is best.",
    "better_than, worse_than: entries whose mean rank is at least the critical difference away.",
    "mean_place, worst_place: of (rank - 1) / (entries - 1) in each pool that has the entry.",
    "An arch without a score ranks below every other one. missing counts them.",
    "random: what a random pick gets on average. another seed: one seed's accuracy as a proxy for another's, "
    "on the archs that two seeds share; beyond that no entry can be told from perfect.",
)


def write_leaderboard(board: Board, out_dir: str | os.PathLike[str], release: str = "") -> Path:
    """Write OUT_DIR/leaderboard.html, self-contained, and return its path; needs vl-convert-python.

    Args:
        board: of `judge.leaderboard`.
        out_dir: a folder, made where there is none. A leaderboard.html that this function wrote is replaced,
            whole or not at all.
        release: what the pools are from, in words.

    Raises:
        UsageError: something else than a board.
        OutputError: `out_dir` is a file, or holds a leaderboard.html that is none of ours, or cannot be
            written.
        MissingPackageError: vl-convert-python is not installed.
    """
    if not isinstance(board, Board):
        raise UsageError(f"write_leaderboard writes a Board of leaderboard, not {type(board).__name__}")
    path = target(Path(os.fspath(out_dir)), NAME)
    bundler()
    write_page(path, _content(board, release))
    return path


def _content(board: Board, release: str) -> dict[str, Any]:
    """Everything that the page shows."""
    meanings = {name: _meaning(name) for name in board.table["proxy"].tolist() if name in PROXIES}
    of = f" on {release}" if release else ""
    return {
        "about": f"By nbzero {nbzero.__version__}{of}. This page is one file and fetches nothing.",
        "board": table_content("board", board.table, [], "mean_rank", is_descending=False),
        "pools": _pools(board),
        "diagram": _diagram(board),
        "how": HOW,
        "doubtful": sorted(board.table.doubtful),
        "mark": MARK,
        "meanings": meanings,
    }


def _meaning(name: str) -> str:
    proxy = PROXIES[name]
    return f"{proxy.meaning}. Source: {proxy.source}."


def _pools(board: Board) -> list[dict[str, Any]]:
    """For each pool its name and the table of its values."""
    found = []
    columns = [name for name in board.values.columns if name != "pool"]
    for row, notes in zip(board.pools, board.pool_notes, strict=True):
        part = board.values.only(board.values["pool"] == row["pool"])
        kept = part.with_columns({name: part[name] for name in columns})
        said = [row[column] for column in ("space", "dataset", "recipe", "protocol")]
        name = f"{', '.join(filter(None, said))}: {row['num_archs']:,} archs"
        table = table_content("values", kept.with_notes(title=f"Values in {name}"), notes, "rank", False)
        found.append({"name": name, "table": table})
    return found


def _diagram(board: Board) -> dict[str, Any] | None:
    """Names as they are shown, kinds and mean ranks, and the cliques by their first and last entry."""
    found = board.comparison
    if found is None:
        return None
    num = len(found.mean_ranks)
    names = [marked(name, board.table.doubtful) for name in board.compared]
    return {
        "names": names,
        "kinds": board.table["kind"][:num].tolist(),
        "ranks": found.mean_ranks.tolist(),
        "cliques": [[clique[0], clique[-1]] for clique in found.cliques],
        "difference": found.critical_difference,
        "num_pools": found.num_pools,
    }
