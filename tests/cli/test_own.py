"""The command score: a file that evaluate and pandas read, and what is wrong is explained in a line."""

import json
import sys

import pandas as pd
import pytest

from nbzero import Bench
from nbzero.proxies.own import score_archs
from nbzero.proxies.scored import COLUMNS
from tests.cli.asking import SHORT, answer, ask, real
from tests.proxies import functions

MEMBERS = Bench().space("r1-mini").members
LENGTH = ("score", "tests.proxies.functions:length", "r1-mini", "--workers", "1")


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    """What commands add to the path of imports goes again."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_file_of_scores_goes_from_score_to_evaluate_and_pandas(tmp_path, release, bench):
    out = tmp_path / "scores.csv"
    done = ask("--release", release, *LENGTH, "--archs", "60", "--out", out)
    assert done.stdout.splitlines()[0].endswith("r1-mini: 60 of 60 archs have a score")
    assert f"nbzero evaluate {out} r1-mini" in " ".join(done.stdout.split())
    frame = pd.read_csv(out)
    assert tuple(frame.columns) == COLUMNS
    assert dict(zip(frame["arch"], frame["score"], strict=True)) == {a: len(a) for a in MEMBERS[:60]}
    got = answer("--release", release, "evaluate", out, "r1-mini", *SHORT)
    scores = score_archs(functions.length, bench.space("r1-mini"), range(60), workers=1, show_progress=False)
    report = bench.evaluate(scores, "r1-mini", *SHORT[1::2])
    assert got["rows"] == json.loads(report.sorted.to_json())["rows"]
    assert got["notes"][: len(report.sentences)] == list(report.sentences)


def test_evaluate_says_why_scores_are_absent_and_of_what_protocol_they_are(tmp_path, release):
    out = tmp_path / "scores.csv"
    raising = (
        "score",
        "tests.proxies.functions:odd_ones_raise",
        "r1-mini",
        "--archs",
        "60",
        "--workers",
        "1",
    )
    done = ask("--release", release, *raising, "-o", out)
    assert "ValueError: odd: " in done.stdout
    lines = out.read_text().replace(",r1-mini,,,", ",r1-mini,cifar10,std-16-noise,")
    out.write_text(lines)
    said = " ".join(ask("--release", release, "evaluate", out, "r1-mini", *SHORT[2:]).stdout.split())
    assert said.startswith("yours is number ")
    assert "protocol std-16-noise, not std-16." in said and "which rank last: " in said
    assert "x ValueError: odd: " in said


def test_evaluate_takes_the_mean_over_the_seeds_of_a_file(tmp_path, release, bench):
    rows = [f"{arch},{seed},{len(arch) + seed}" for arch in MEMBERS[:30] for seed in (0, 1)]
    (tmp_path / "a.csv").write_text("\n".join(["arch,seed,score", *rows]))
    got = answer("--release", release, "evaluate", tmp_path / "a.csv", "r1-mini", *SHORT)
    means = {arch: len(arch) + 0.5 for arch in MEMBERS[:30]}
    wanted = bench.evaluate(means, "r1-mini", *SHORT[1::2])
    assert got["rows"] == json.loads(wanted.sorted.to_json())["rows"]
    for text, said in (
        (f"arch,seed,score\n{MEMBERS[0]},x,1\n", "stdin: row 1: seed is 'x'; it is a whole number from 0"),
        (f"arch,seed,score\n{MEMBERS[0]},0,1\n{MEMBERS[0]},0,2\n", "with seed 0 twice; remove one"),
    ):
        done = ask("--release", release, "evaluate", "-", "r1-mini", *SHORT, given=text, status=2)
        assert said in done.stderr


def test_without_a_file_every_score_is_printed(release):
    rows = answer("--release", release, *LENGTH, "--archs", "2:4")["rows"]
    assert [(row["arch"], row["score"]) for row in rows] == [(arch, len(arch)) for arch in MEMBERS[2:4]]
    some = ",".join(MEMBERS[:2])
    assert [row["arch"] for row in answer(*LENGTH, "--archs", some)["rows"]] == list(MEMBERS[:2])
    assert len(answer(*LENGTH, "--archs", "all")["rows"]) == 1000


def test_a_function_of_networks_in_a_file_with_every_option(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def mine(net, images, labels):\n"
        "    print('not part of the answer')\n"
        "    return net(images).sum() + labels[0]\n"
    )
    options = ("--archs", "444:445", "--dataset", "digits", "--seeds", "0,1", "--workers", "1")
    more = ("--protocol", "std-16-b32", "--per-arch", "5m", "--out", "s.csv")
    done = real("score", f"{tmp_path}/mine.py:mine", "r1-mini", *options, *more[:-1], tmp_path / "s.csv")
    assert done.returncode == 0, done.stderr
    assert "not part of the answer" not in done.stdout and "not part of the answer" in done.stderr
    frame = pd.read_csv(tmp_path / "s.csv")
    assert len(frame) == 2 and set(frame["protocol"]) == {"std-16-b32"} and set(frame["seed"]) == {0, 1}
    noise = ("score", f"{tmp_path}/mine.py:mine", "r1-mini", "--archs", "444:445", "--images", "noise")
    (row,) = answer(*noise, "--workers", "1")["rows"]
    assert row["protocol"] == "std-16-noise" and row["dataset"] == "cifar10"


def test_an_interrupted_run_says_how_it_goes_on(tmp_path):
    out = tmp_path / "scores.csv"
    given = ("score", "tests.proxies.functions:interrupts_on_long_names", "r1-mini", "--workers", "1")
    done = ask(*given, "--archs", "1:200", "--out", out, status=130)
    assert done.stderr == f"nbzero: interrupted; the same command goes on from {out}\n" and not done.stdout
    assert [line.split(",")[0] for line in out.read_text().splitlines()[1:]] == list(MEMBERS[1:3])
    assert "with --out FILE.csv the same command goes on" in ask(*given, status=130).stderr


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("naswot", "r1-mini"), 2, "function 'naswot'; it is like mymodule:my_proxy or my_proxy.py:my_proxy"),
        (("no.py:f", "r1-mini"), 2, "no.py cannot be imported (FileNotFoundError"),
        ((LENGTH[1], "r9"), 2, "no space named 'r9'"),
        ((LENGTH[1], "r1-mini", "--archs", "0:1001"), 2, "arch_id 1000; r1-mini has 0 to 999"),
        ((LENGTH[1], "r1-mini", "--archs", "5:3"), 2, "archs without any"),
        ((LENGTH[1], "r1-mini", "--archs", "what"), 2, "'what'"),
        (
            (LENGTH[1], "r1-mini", "--archs", "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2-d4w4s1"),
            1,
            "is in the grid of r1-mini but is no member",
        ),
        (
            (LENGTH[1], "r1-mini", "--seeds", "0,x"),
            2,
            "--seeds '0,x'; they are whole numbers from 0",
        ),
        ((LENGTH[1], "r1-mini", "--seeds", "9" * 5000), 2, "they are whole numbers from 0, like 0,1,2"),
        ((LENGTH[1], "r1-mini", "--per-arch", "soon"), 2, "per_arch 'soon'; it is a time above 0"),
        ((LENGTH[1], "r1-mini", "--out", "scores.parquet"), 2, "it is a file that ends in .csv"),
        (
            ("tests.proxies.functions:naswot", "r1-mini", "--images", "/no/such/folder"),
            2,
            "does not exist; the given path must be a folder",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(options, status, said):
    done = ask("score", *options, status=status)
    assert said in done.stderr and done.stdout == "" and done.stderr.count("\n") == 1
