"""The commands of the leaderboard: the tables are the API's, and a submission is checked and placed."""

import csv
import io
import json

import pytest

from nbzero import Bench
from tests.cli.asking import answer, ask
from tests.judge.boards import rows_of, written

LEFT_OUT = "fewer than 20 archs with scores: r1-mini, cifar10, cpu-16px-12, val, seed 0, std-16"


@pytest.fixture(scope="module")
def board(bench):
    return bench.leaderboard(resamples=10)


@pytest.fixture
def folder(bench, tmp_path):
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4")
    return written(tmp_path / "mine", rows_of(pool, pool.scores["zen"]))


@pytest.mark.parametrize("part", ["board", "values", "pools"])
def test_json_is_the_frame_of_the_api(part, release, board):
    got = answer("--release", release, "leaderboard", "--resamples", 10, "--part", part)
    frame = board.table if part == "board" else getattr(board, part)
    wanted = json.loads(frame.to_json())
    assert got["rows"] == wanted["rows"] and got["title"] == wanted["title"]
    assert got["notes"] == [*wanted["notes"], "Release 0.2.0."]


def test_the_table_and_csv(release, board):
    said = ask("--release", release, "leaderboard", "--resamples", 0, "--spaces", "r1-mini").stdout
    assert said.startswith("Leaderboard board-1 by mBR: 1 pool, N = 59 archs, val, seed 0\n")
    assert LEFT_OUT in " ".join(said.split()) and "worst_place" in said.splitlines()[-1]
    done = ask("--release", release, "--csv", "leaderboard", "--resamples", 0)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["proxy"] for row in rows] == board.table["proxy"].tolist()
    assert ask("--release", release, "leaderboard", "--spaces", "r9", status=2).stderr.startswith(
        "nbzero: no space named 'r9'"
    )
    assert (
        "no pool has 20 archs"
        in ask("--release", release, "leaderboard", "--spaces", "mb-mini", status=1).stderr
    )


def test_a_submission_is_checked_and_placed(release, folder, board):
    got = answer("--release", release, "submit", folder)
    place, of = board.place("zen")
    assert got["title"].startswith(f"mine would be number {place} of {of + 1} on Leaderboard board-1")
    (row,) = got["rows"]
    stored = next(row for row in board.values if row["proxy"] == "zen")
    assert all(row[name] == stored[name] for name in ("mbr", "kendall", "missing", "num_archs"))
    listed = answer("--release", release, "leaderboard", "--resamples", 0, "--with", folder)["rows"]
    (own,) = [one for one in listed if one["kind"] == "submission"]
    assert own["proxy"] == "mine" and own["mean_rank"] == row["rank"]


def test_a_board_of_some_spaces_takes_a_submission_of_more(tmp_path):
    pools = Bench().board_pools(["r1", "r2-mini"])
    rows = rows_of(pools[0], pools[0].scores["zen"]) + rows_of(pools[-1], pools[-1].scores["zen"])
    folder = written(tmp_path / "mine", rows)
    listed = answer("leaderboard", "--resamples", 0, "--spaces", "r1", "--with", folder)
    assert listed["title"].startswith("Leaderboard board-1 by mBR: 2 pools, N = 60 archs")
    ranks = {row["proxy"]: row["mean_rank"] for row in listed["rows"]}
    assert ranks["mine"] == ranks["zen"]


def test_problems_end_with_1_and_are_listed(release, folder):
    (folder / "submission.json").write_text("{}")
    (folder / "more.csv").write_text("arch,score\n")
    got = answer("--release", release, "submit", folder, status=1)
    assert got["title"] == f"{folder}: 2 problems; nothing was ranked"
    assert got["rows"][0]["problem"].startswith("it lacks name, code, authors")
    failed = ask("--release", release, "leaderboard", "--with", folder, status=2)
    assert failed.stdout == "" and "2 problems with submissions" in failed.stderr


def test_page_and_figure(bench, release, tmp_path):
    pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")
    args = ("--release", release, "leaderboard", "--resamples", 0)
    done = ask(*args, "--plot", tmp_path / "x.gif", status=2)
    assert "x.gif; it ends in .png, .pdf or .svg" in done.stderr and not list(tmp_path.iterdir())
    done = ask(*args, "--plot", tmp_path / "x.svg", status=2)  # one pool alone
    assert "nothing was compared on Leaderboard" in done.stderr and not list(tmp_path.iterdir())
    got = answer(*args, "--out", tmp_path)
    page = tmp_path / "leaderboard.html"
    assert (
        got["notes"][-1] == f"Written: {page}." and f"release 0.2.0 ({bench.sha256[:12]})" in page.read_text()
    )


def test_the_figure_of_several_pools(tmp_path):
    figure = tmp_path / "x.svg"
    ask("leaderboard", "--resamples", 0, "--spaces", "r1,r2-mini", "--plot", figure)
    assert figure.read_bytes().startswith(b"<?xml")
