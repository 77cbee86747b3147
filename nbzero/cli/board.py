"""Commands of the leaderboard: leaderboard, submit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nbzero.bench import Bench
from nbzero.cli.frame import NOTHING, Answer, Call, Listing, Source, only
from nbzero.cli.options import command
from nbzero.cli.write import check_picture, write_picture
from nbzero.errors import count_of

if TYPE_CHECKING:
    from nbzero.judge.board import Board
    from nbzero.judge.submission_files import Problem

SHOWN = (
    *("proxy", "kind", "mean_rank", "better_than", "worse_than"),
    *("mean_place", "mbr", "kendall", "num_pools"),
)

By = Annotated[
    Literal["mbr", "kendall"],
    typer.Option("--by", help="What ranks are of; spaces without costs have kendall alone."),
]


@command("spaces")
def leaderboard(
    call: Call,
    spaces: list[str] | None,
    by: By = "mbr",
    submissions: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="DIR", help="A submission to rank with the rest; may be repeated."),
    ] = None,
    part: Annotated[
        Literal["board", "values", "pools"],
        typer.Option("--part", help="Which table: mean ranks, every pool's values, the pools."),
    ] = "board",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder for a page, leaderboard.html, that needs no network."
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Critical-difference diagram: .png, .pdf or .svg."),
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", min=0, metavar="N", help="Of the intervals; 0 makes none.")
    ] = 200,
) -> Answer:
    """Every proxy, vote and hybrid over every pool.

    By protocol board-1: mean ranks, and by Nemenyi's critical difference which of them differ.
    """
    if figure is not None:
        check_picture("--plot", figure)
    bench = call.bench
    board = bench.leaderboard(spaces, submissions or (), by=by, resamples=resamples)
    notes = _files(bench, board, out, figure)
    if part == "pools":
        return Answer(_of_release(bench, board.pools, notes))
    if part == "values":
        return Answer(_of_release(bench, board.values, notes), keys=2)
    whole = _of_release(bench, board.table, notes)
    return Answer(whole, [only(whole, *SHOWN)])


def _files(bench: Bench, board: "Board", out: Path | None, figure: Path | None) -> list[str]:
    """Write the page and the figure that were asked for; a note on each."""
    written = []
    if out is not None:
        from nbzero.pages.leaderboard import write_leaderboard

        written.append(write_leaderboard(board, out, f"release {bench.version} ({bench.sha256[:12]})"))
    if figure is not None:
        from nbzero.plots.critical import critical_diagram

        write_picture(critical_diagram(board), figure)
        written.append(figure)
    return [f"Written: {path}." for path in written]


def _of_release(bench: Bench, source: Source, notes: Sequence[str] = ()) -> Listing:
    said = [*source.notes, f"Release {bench.version}.", *notes]
    return Listing(source.columns, source, source.title, said, source.doubtful)


@command()
def submit(
    call: Call,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="With submission.json and .csv files.")],
    by: By = "mbr",
) -> Answer:
    """Check a submission to the leaderboard.

    And say where it would stand. Every problem is named. Nothing is sent anywhere.
    """
    from nbzero.judge.board import chosen_pools, leaderboard as judged
    from nbzero.judge.submission import check_submission

    bench = call.bench
    pools = bench.board_pools()
    on_board, _ = chosen_pools(pools, "kendall")  # those without costs too
    made, problems = check_submission(folder, on_board)
    if made is None:
        call.show(Answer(_problems(folder, problems)))
        raise typer.Exit(NOTHING)
    board = judged(pools, [made], by=by, resamples=0)
    return Answer(_of_release(bench, _standing(board, made.name, folder)))


def _problems(folder: Path, problems: "list[Problem]") -> Listing:
    rows = [problem._asdict() for problem in problems]
    title = f"{folder}: {count_of(len(problems), 'problem')}; nothing was ranked"
    return Listing(["file", "problem"], rows, title)


def _standing(board: "Board", name: str, folder: Path) -> Listing:
    """Where a submission stands in every pool of the board."""
    pools = {row["pool"]: row for row in board.pools}
    rows = []
    for row in board.values:
        if row["proxy"] == name:
            of = pools[row["pool"]]
            pool = {column: of[column] for column in ("space", "dataset", "recipe", "protocol", "num_archs")}
            rows.append({**pool, **{column: row[column] for column in ("rank", "mbr", "kendall", "missing")}})
    place, among = board.place(name)
    title = f"{name} would be number {place} of {among} on {board.table.title}"
    notes = [*board.table.notes, f"The whole board: nbzero leaderboard --with {folder}"]
    return Listing(list(rows[0]), rows, title, notes)
