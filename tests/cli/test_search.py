"""The command search: the API's answer, its files, and what it refuses."""

import importlib
import json
from contextlib import nullcontext

import pytest

from nbzero import Bench
from nbzero.proxies import workers
from nbzero.search import History, run, top_k
from tests.cli.asking import answer, ask

SMALL = ("search", "r1-mini", "--objective", "naswot", "-n", "60", "--budget", "macs=5e6,params=2e5")
BUDGET = {"macs": 5e6, "params": 2e5}


def test_every_evaluation_is_there_as_json_and_as_csv():
    bench = Bench()
    objective = bench.objective("r1-mini", "naswot", "cifar10")
    expected = run("r1-mini", objective, "swap_nas", 60, BUDGET, seed=2)
    found = answer(*SMALL, "--strategy", "swap_nas", "--search-seed", "2")
    assert [row["arch"] for row in found["rows"]] == expected.archs
    assert [row["score"] for row in found["rows"]] == expected.scores
    assert found["title"] == expected.title
    text = ask("--csv", *SMALL).stdout.splitlines()
    assert text[0] == "evaluation,arch,score,best_score,seconds,clock_s" and len(text) == 61


def test_the_table_has_the_archs_that_were_better_than_all_before():
    shown = ask(*SMALL, COLUMNS="200").stdout
    expected = run("r1-mini", Bench().objective("r1-mini", "naswot", "cifar10"), "evolution", 60, BUDGET)
    for arch in expected.improvements()["arch"]:
        assert arch in shown
    assert expected.best[0] in shown and "Ended: 60 evaluations." in shown


def test_top_k_of_a_guide_and_added_ranks():
    bench = Bench()
    found = answer("search", "r1-mini", "-o", "accuracy", "-n", "9", "--strategy", "top_k", "--guide", "macs")
    macs = top_k(bench.objective("r1-mini", "macs", "cifar10"))
    expected = run("r1-mini", bench.objective("r1-mini", "accuracy", "cifar10"), macs, 9)
    assert [row["arch"] for row in found["rows"]] == expected.archs
    added = answer("search", "r1-mini", "-o", "zen, macs", "-n", "5", "--strategy", "random")
    assert "for zen + macs, cifar10" in added["title"]


def test_the_same_command_goes_on_from_its_file_and_draws(tmp_path):
    path, picture = tmp_path / "h.json", tmp_path / "h.svg"
    ask(*SMALL, "--out", path)
    longer = answer(*SMALL[:4], "-n", "90", *SMALL[6:], "--out", path, "--plot", picture)
    assert len(History.load(path)) == 90 == len(longer["rows"])
    assert "<svg" in picture.read_text()
    other = ask(*SMALL[:4], "-n", "90", "--out", path, status=2)
    assert "a history of num_archs" in other.stderr
    assert len(json.loads(path.read_text())["archs"]) == 90


def test_a_picture_is_drawn_against_evaluations_or_the_clock(tmp_path):
    drawn = {}
    for by in ((), ("--by", "evaluations"), ("--by", "clock")):
        picture = tmp_path / "h.svg"
        ask(*SMALL, "--plot", picture, *by)
        drawn[by] = picture.read_text()
    for by, text in drawn.items():
        assert ("simulated clock (s)" in text) == ("clock" in by)


@pytest.mark.parametrize("space", ["mobilenetv2", "nb101", "flexibert"])
def test_a_space_that_no_table_has_can_be_searched_live(space):
    told = ask("search", space, "-o", "synflow", status=2).stderr
    assert "which this release lacks" in " ".join(told.split())
    assert "--live needs no table" in " ".join(told.split())


def test_live_scores_networks_of_the_grid(tmp_path):
    live = ("--live", "--images", "noise", "--workers", "1", "--batch", "2", "-b", "macs=1e6")
    scores = tmp_path / "scores.csv"
    found = answer("search", "r1-mini", "-o", "synflow", *live, "-n", "6", "--scores", scores)
    assert found["title"] == (
        "Search of r1-mini, grid, macs <= 1000000 for live synflow, cifar10, std-16-noise, seed 0: "
        "evolution(batch=2), seed 0, 6 evaluations"
    )
    archs = {row["arch"] for row in found["rows"]}
    assert len(scores.read_text().splitlines()) == 1 + len(archs)
    assert archs - set(Bench().space("r1-mini"))


@pytest.mark.parametrize(
    ("strategy", "given", "batch"),
    [("random", [], 3), ("swap_nas", [], 2), ("swap_nas_sized", ["--batch", "5"], 5)],
)
def test_live_asks_for_as_many_at_once_as_workers_have_to_do(strategy, given, batch, monkeypatch):
    monkeypatch.setattr(workers, "num_cores", lambda: 3)
    live_search = importlib.import_module("nbzero.search.live")  # the name alone is the function
    monkeypatch.setattr(live_search, "live", lambda *args, **settings: nullcontext(len))
    asked = ("search", "r1-mini", "-o", "synflow", "--live", "-n", "4", "--strategy", strategy, *given)
    assert f"{strategy}(batch={batch}), seed 0, 4 evaluations" in answer(*asked)["title"]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("-o", "naswot", "--budget", "macs=5"), 1, "none of 1,000 archs of r1-mini is within macs <= 5"),
        (("-o", "naswot", "--budget", "5e6"), 2, "--budget 5e6; it is a limit on each cost"),
        (("-o", "naswot", "--budget", "macs"), 2, "--budget macs; it is a limit on each cost"),
        (("-o", "naswot", "--budget", "macs=a"), 2, "--budget macs=a; it is a limit on each cost"),
        (("-o", "naswot", "--budget", "macs=inf"), 2, "budget macs inf; it is a positive, finite number"),
        (("-o", "naswot", "--strategy", "best"), 2, "no strategy named 'best'"),
        (("-o", "naswot", "--strategy", "topk"), 2, "did you mean 'top_k'"),
        (("-o", "naswot", "--strategy", "top_k"), 2, "--guide belongs to --strategy top_k"),
        (("-o", "naswot", "--guide", "macs"), 2, "--guide belongs to --strategy top_k"),
        (("-o", ","), 2, "',' names no objective"),
        (("-o", "naswoot"), 2, "did you mean 'naswot'"),
        (("-o", "naswot", "--plot", "a.gif"), 2, "--plot a.gif; it ends in .png, .pdf or .svg"),
        (("-o", "naswot", "--workers", "2"), 2, "--workers belongs to --live; give both or neither"),
        (("-o", "naswot", "--live", "--seed", "1"), 2, "--seed is of tables, and --live asks none"),
        (("-o", "naswot", "--live", "--split", "test"), 2, "--split is of tables"),
        (("-o", "naswot", "--live", "--guide", "macs"), 2, "--guide is of tables, and --live asks none"),
        (
            ("-o", "naswot", "--live", "--strategy", "top_k"),
            2,
            "--strategy top_k orders archs by what tables",
        ),
        (
            ("-o", "naswot", "--live", "--strategy", "top_k", "--guide", "macs"),
            2,
            "and --live asks none; give one of random, evolution",
        ),
        (("-o", "naswot", "--by", "clock"), 2, "--by clock belongs to --plot; give both or neither"),
        (
            ("-o", "macs", "--plot", "a.svg", "--by", "clock"),
            2,
            "no clock knows the seconds of macs in r1-mini",
        ),
        (("-o", "sjw", "--live"), 2, "no proxy named 'sjw'"),
        (("-o", "zen", "--live", "--strategy", "best"), 2, "no strategy named 'best'"),
        (("-o", "naswot", "-n", "0"), 2, "Input should be greater than or equal to 1"),
    ],
)
def test_wrong_usage(args, status, said):
    told = ask("search", "r1-mini", *args, status=status).stderr
    assert said in " ".join(told.split())
