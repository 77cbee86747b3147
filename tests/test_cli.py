"""The command nbzero: its tables are the API's, its exit status says what happened, and it imports no more than it needs."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from builders import import_bench
from builders.releases import commit_release
from nbzero import Bench, __main__, cite, cli, constrained, text as as_text
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.judge.hybrids import PAPER, hybrid
from nbzero.plots import FIGURES
from nbzero.pool import pool_of
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.published import IMPORTED

ARCH = "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2"
SHORT = ("--dataset", "cifar10", "--recipe", "cpu-16px-4")
COMMANDS = (
    *("info", "query", "top", "space", "mbr", "corr", "constrained", "hybrid", "factors", "evaluate"),
    *("plot", "report", "export", "verify", "cite"),
)


def ask(*args, status=0, given=None, **env):
    """What a command prints, in this process; the exit status has to be `status`."""
    done = CliRunner().invoke(
        cli.app, [str(arg) for arg in args], input=given, env={"NBZERO_RELEASE": None, "COLUMNS": None, **env}
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, (done.exit_code, done.output)
    return done


def answer(*args, **more):
    return json.loads(ask("--json", *args, **more).stdout)


def real(*args, given=None, **env):
    """A command in a process of its own."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NBZERO_RELEASE", "FORCE_COLOR", "COLUMNS", "NO_COLOR")
    }
    whole = [sys.executable, "-m", "nbzero", *map(str, args)]
    return subprocess.run(
        whole, check=False, capture_output=True, text=True, input=given, env={**clean, **env}
    )


# The frame of all commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_what_its_exit_status_means(name):
    said = " ".join(ask(name, "--help").stdout.split())
    assert (
        "Exit status: 0; 1 where a check failed" in said
        and "--release" in said
        and "--json" in said
        and "--csv" in said
    )
    assert all(
        re.search(r"\s{2,}\S", line) or len(line) > 25
        for line in ask(name, "--help").stdout.splitlines()
        if line.startswith("  --")
    )


def test_the_help_lists_exactly_these_commands():
    listed = ask("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == sorted(
        COMMANDS, key=COMMANDS.index
    ) and "..." not in listed
    assert ask("--version").stdout.startswith("nbzero ")


def test_global_options_stand_before_or_after_the_command_and_the_option_beats_the_environment(
    release, tmp_path
):
    wanted = answer("--release", release, "info")
    assert wanted["title"].startswith("Release 0.2.0")
    assert json.loads(ask("info", "--json", "--release", release).stdout) == wanted
    assert answer("info", NBZERO_RELEASE=str(release)) == wanted
    assert answer("--release", release, "info", NBZERO_RELEASE=str(tmp_path)) == wanted
    assert answer("info")["title"].startswith(f"Release {Bench().version}")
    for args in (("--json", "--csv", "info"), ("info", "--json", "--csv"), ("--json", "info", "--csv")):
        assert ask(*args, status=2).stderr == "nbzero: --json and --csv exclude each other; give one\n"


def test_csv_is_the_rows_alone_and_says_the_rest_on_stderr(release):
    done = ask("--release", release, "mbr", "r1-mini", *SHORT, "--csv")
    listed = list(csv.DictReader(io.StringIO(done.stdout)))
    whole = answer("--release", release, "mbr", "r1-mini", *SHORT)
    assert [row["proxy"] for row in listed] == [row["proxy"] for row in whole["rows"]]
    assert [float(row["mbr_union"]) for row in listed] == [row["mbr_union"] for row in whole["rows"]]
    assert done.stderr.splitlines() == [whole["title"], *whole["notes"]]


FRAMES = {
    "mbr": (
        ("mbr", "r1-mini", *SHORT, "-c", "macs,params", "-b", "3", "--spacing", "quantile", "-p", "zen,ntk", "-p", "synflow"),
        lambda b: b.mbr_table(
            "r1-mini", "cifar10", "cpu-16px-4", ["macs", "params"], 3, "quantile", proxies=["zen", "ntk", "synflow"]
        ).sorted("mbr_union"),
    ),
    "mbr, more options": (
        ("mbr", "r1-mini", *SHORT, "-b", "1e7,5e7", "-c", "macs", "--split", "test", "--raw-signs", "--where", "macs > 1e6", "--resamples", "20"),
        lambda b: b.mbr_table(
            "r1-mini", "cifar10", "cpu-16px-4", "macs", [1e7, 5e7], split="test", orient=False, where="macs > 1e6", resamples=20
        ).sorted("mbr_union"),
    ),
    "mbr, one limit on two costs": (
        ("mbr", "r1-mini", *SHORT, "-b", "macs=5e7,params=3e5"),
        lambda b: b.mbr_table("r1-mini", "cifar10", "cpu-16px-4", budgets={"macs": 5e7, "params": 3e5}).sorted("mbr_union"),
    ),
    "corr": (
        ("corr", "r1-mini", "-d", "digits", "-k", "3", "--fraction", "0.2", "--seed", "1", "--protocol", "std-16"),
        lambda b: b.correlations("r1-mini", "digits", k=3, fraction=0.2, seed=1, protocol="std-16").sorted("kendall", descending=True),
    ),
    "constrained": (
        ("constrained", "r1-mini", *SHORT, "-c", "depth", "-b", "2", "-p", "zen"),
        lambda b: b.constrained("r1-mini", "cifar10", "cpu-16px-4", "depth", 2, proxies=["zen"]),
    ),
    "constrained, with intervals": (
        ("constrained", "r1-mini", *SHORT, "-c", "depth", "-b", "2", "-p", "zen", "--resamples", "9", "--bootstrap-seed", "3", "--level", "0.8"),
        lambda b: b.constrained("r1-mini", "cifar10", "cpu-16px-4", "depth", 2, proxies=["zen"], resamples=9, bootstrap_seed=3, level=0.8),
    ),
    "corr, with intervals": (
        ("corr", "r1-mini", *SHORT, "-p", "zen", "--resamples", "9", "--bootstrap-seed", "3", "--level", "0.8", "--seed", "1", "--score-seed", "0"),
        lambda b: b.correlations(
            "r1-mini", "cifar10", "cpu-16px-4", proxies=["zen"], seed=1, resamples=9, bootstrap_seed=3, level=0.8, score_seed=0
        ).sorted("kendall", descending=True),
    ),
    "hybrid": (
        ("hybrid", "r1-mini", *SHORT, "-p", "zen,macs", "--draws", "3", "--draw-seed", "5", "--engine", "numpy", "--score-seed", "2", "--top", "1"),
        lambda b: b.hybrid(
            "r1-mini", "cifar10", ["zen", "macs"], recipe="cpu-16px-4", score_seed=2, draws=3, draw_seed=5, engine="numpy"
        ).table(1),
    ),
    "hybrid, all options left out": (
        ("hybrid", "r1-mini", *SHORT, "--split", "test", "--draws", "0"),
        lambda b: b.hybrid("r1-mini", "cifar10", recipe="cpu-16px-4", split="test", draws=0).table(),
    ),
    "factors, with the scores of another seed": (
        ("factors", "r1-mini", *SHORT, "-t", "zen,accuracy", "--score-seed", "2"),
        lambda b: b.factors("r1-mini", "cifar10", ["zen", "accuracy"], "cpu-16px-4", score_seed=2),
    ),
    "factors": (
        ("factors", "r1-mini", *SHORT, "-t", "zen,accuracy", "--transform", "raw"),
        lambda b: b.factors("r1-mini", "cifar10", ["zen", "accuracy"], "cpu-16px-4", transform="raw"),
    ),
    "bias": (
        ("factors", "r1-mini", *SHORT, "-t", "zen,accuracy", "--bias", "--top", "0.2"),
        lambda b: b.bias("r1-mini", "cifar10", ["zen", "accuracy"], "cpu-16px-4", top=0.2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_json_is_the_frame_of_the_api_and_says_recipe_protocol_seed_split_and_n(name, release, bench):
    args, of_api = FRAMES[name]
    got, wanted = answer("--release", release, *args), json.loads(of_api(bench).to_json())
    assert got["rows"] == wanted["rows"] and got["title"] == wanted["title"]
    assert got["notes"] == [*wanted["notes"], "Scores of protocol std-16; release 0.2.0."]
    assert (
        "cpu-16px-4" in got["title"]
        and "seed" in got["title"]
        and ("test" if "test" in args else "val") in got["title"]
    )
    assert "N = " in " ".join([got["title"], *got["notes"]])


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("mbr", "r1-mini", "-p", "zenn"), 2, "no proxy named 'zenn'; did you mean 'zen'?"),
        (("mbr", "r9"), 2, "no space named 'r9'"),
        (("mbr", "r1"), 1, "the release has no runs of r1; it has runs of"),
        (("mbr", "r1-mini", "-b", "x"), 2, "budgets 'x'; it is a number of limits (5) or limits (1e7,2e7), or one limit on several costs"),
        (("hybrid", "r1-mini", "-b", "macs=1"), 2, "budgets 'macs=1'; it is a number of limits (5) or limits (1e7,2e7)\n"),
        (("mbr", "r1-mini", "--dataset", "cifar11"), 2, "no dataset named 'cifar11'; did you mean"),
        (("query", ARCH + "x"), 2, "nbzero: "),
        (("query", "r1-mini:x"), 2, "it is an arch string, or SPACE:ARCH_ID like r1-mini:0"),
        (("query", "r1-mini:5000"), 1, "arch_id 5000; r1-mini has 0 to 999"),
        (("query", "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2"), 1, "is no member, so no table has it; nearest members: "),
        (("top", "r1-mini", "--where", "macs < 1"), 1, " archs of r1-mini with a value of val accuracy on cifar10 (seed 0) none does"),
        (("top", "mb-mini", "--by", "ntk"), 1, "no arch of mb-mini has a value of ntk on cifar10; the first arch: the tangent kernel is singular"),
        (("top", "r1-mini", "--by", "status"), 2, "status is a column of text; name one of numbers"),
        (("top", "r1-mini", "--where", "macs <"), 2, "s4_stride, macs, params, depth, status, val_acc, test_acc, train_loss, train_time_s and the"),
        (("mbr", "r1-mini", "--where", "macs"), 2, "'macs' in 'macs' is no comparison; conditions are like "),
        (("mbr", "r9", "--where", "macs"), 2, "no space named 'r9'"),
        (("top", "r1-mini", "--where", "mac < 1"), 2, "no column named 'mac'; did you mean 'macs' or 'meco' or 'arch'? Known: acor, arch, "),
        (("top", "r1-mini", "--seed", "7"), 1, "val accuracy on cifar10 with seed 7; the runs of cpu-16px-4 have seeds 0, 1, or mean\n"),
        (("top", "r1-mini", "--seed", "7", "--by", "zen"), 1, "of zen on cifar10 with seed 7; the scores of std-16 have seeds 0, 1, 2, or mean\n"),
        (("top", "r1", "--seed", "7", "--by", "zen"), 1, "of zen on cifar10 with seed 7; the scores of std-32 have seed 0, or mean\n"),
        (("mbr", "r1-mini", "--seed", "7"), 1, "no arch of r1-mini has a val accuracy on cifar10 with recipe cpu-16px-4 and seed 7, of seeds 0, 1"),
        (("mbr", "r1-mini", "--score-seed", "7"), 1, "no scores of r1-mini on cifar10 with it; seeds with scores: 0, 1, 2"),
        (("mbr", "r1-mini", "-p", ","), 2, "',' names nothing; give names with commas between them, or leave the option out"),
        (("mbr", "r1-mini", "-b", "macs=1e7,macs=2e7"), 2, "budgets 'macs=1e7,macs=2e7'; it is a number of limits (5) or limits"),
        (("hybrid", "r1-mini", "--draws", "0", "--draw-seed", "3"), 2, "--draw-seed is of --draws, of which there are none; leave one out"),
        (("mbr", "r1-mini", "--where", "test_acc > 0.3"), 2, "chooses archs by the test split in a pool of val; choose by val_acc"),
        (("corr", "r1-mini", "--level", "0.9"), 2, "--bootstrap-seed and --level are of intervals, which need --resamples N"),
        (("constrained", "r1-mini", "--bootstrap-seed", "1"), 2, "--bootstrap-seed and --level are of intervals"),
        (("mbr", "r1-mini", "--resamples", "3", "--level", "9"), 2, "level 9.0; it is between 0 and 1"),
        (("evaluate", "x.csv", "r1-mini", "--level", "0.9"), 2, "--resamples, --bootstrap-seed and --level go with --part intervals"),
        (("hybrid", "r1-mini", "--name", "sjw", "--draws", "0"), 2, "--draws goes with a search, --name reports a published hybrid"),
        (("export", "r1-mini", *SHORT, "--seed", "7"), 1, "no arch of r1-mini has runs or scores with seed 7 on cifar10; nothing was written"),
        (("mbr", "r1-mini", "--where", "macs <"), 2, "'macs <' cannot be read (invalid syntax); "),
        (("space", "r1-mini", "--seed", "1"), 2, "--seed goes with --sample; give both, or neither"),
        (("space", "r1-mini", "-k", "1"), 2, "-k goes with --neighbours; give both, or neither"),
        (("space", "r1-mini", "--sample", "1", "--neighbours", ARCH), 2, "--sample and --neighbours exclude each other"),
        (("factors", "r1-mini", "--top", "0.1"), 2, "--top goes with --bias; give both, or neither"),
        (("factors", "r1-mini", "--bias", "--transform", "raw"), 2, "--transform is of the models, which --bias does not make"),
        (("export", "r1-mini", "--where", "macs < 1"), 1, "no arch meets 'macs < 1': of the 1,000 archs of r1-mini none does; there macs"),
        (("mbr", "r1-mini", "--recipe", "paper-360"), 1, "no arch of r1-mini has a val accuracy on cifar10 with recipe paper-360; measured"),
        (("hybrid", "mb-mini", "-p", "ntk,zen"), 1, "has a score of ntk (the first arch: the tangent kernel is singular "),
        (("hybrid", "r1-mini", "-b", "1,2"), 1, "2 of 2 budgets admit no arch, so nothing is picked: macs <= 1; macs <= 2; the cheapest"),
        (("evaluate", "no-such.csv", "r1-mini"), 2, "'no-such.csv' cannot be read (No such file or directory); it is a file of scores: CSV with a "),
        (("evaluate", "no-such.parquet", "r1-mini"), 2, "'no-such.parquet' cannot be read (No such file or directory); it is a file of scores: "),
        (("evaluate", ".", "r1-mini"), 2, "'.' cannot be read (Is a directory); it is a file of scores: CSV with a line of the columns arch"),
        (("export", "r1-mini", "--csv", "-f", "json"), 2, "--csv and --format json say different things; leave one out"),
        (("export", "r1-mini", "-o", "x.xls"), 2, "no format named 'xls'; Known: csv, json, parquet"),
        (("cite", "-p", "zenn"), 2, "no proxy named 'zenn'"),
        (("info", "--release", "nowhere"), 2, "nowhere/manifest.json cannot be read (No such file or directory); name a directory, or a URL, with"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_on_stderr_and_an_exit_status(args, status, said):
    done = ask(*args, status=status)
    assert done.stdout == "" and said in done.stderr
    assert (
        done.stderr.startswith("nbzero: ") and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    )


def num_trained(space):
    return len(pool_of(Bench(), space, "cifar10"))


WITH_WHERE = (
    *(
        ("mbr",),
        ("corr",),
        ("constrained",),
        ("hybrid",),
        ("hybrid", "--name", "zerocost"),
        ("factors",),
        ("factors", "--bias"),
        ("top",),
    ),
    *(
        ("top", "--by", "zen"),
        ("export",),
        ("export", "--columns", "macs"),
        ("evaluate", "-"),
        ("plot", "mbr"),
        ("plot", "factors"),
    ),
)


@pytest.mark.parametrize("command", WITH_WHERE, ids=" ".join)
def test_a_condition_that_no_arch_meets_is_nothing_found_in_every_command(command, tmp_path):
    name, *more = command
    first = [more.pop(0)] if name in ("evaluate", "plot") else []
    out = ["--out", tmp_path / "x.png"] if name == "plot" else []
    done = ask(
        name,
        *first,
        "r1-mini",
        *more,
        "-d",
        "cifar10",
        "--where",
        "depth > 99",
        *out,
        given=f"arch,score\n{ARCH},1\n",
        status=1,
    )
    assert done.stdout == "" and not list(tmp_path.iterdir())
    found = re.fullmatch(
        r"nbzero: no arch meets 'depth > 99': of the ([\d,]+) archs of r1-mini.* none does( \(of all 1,000 archs of r1-mini 0 do\))?; "
        r"there depth is \d+ to \d+; widen the condition, or leave it out\n",
        done.stderr,
    )
    whole = name in ("factors", "export") or "zen" in command
    assert found and (int(found[1].replace(",", "")), found[2] is None) == (
        1000 if whole else num_trained("r1-mini"),
        whole,
    ), done.stderr


def test_a_condition_that_only_archs_without_runs_meet_says_how_many_do():
    num = num_trained("r1-mini")
    said = ask("mbr", "r1-mini", "--where", f"arch_id >= {num} and macs > 0", status=1).stderr
    counted = (
        f"of the {num} archs of r1-mini with a val accuracy on cifar10 (recipe cpu-16px-4, seed 0) none does"
    )
    assert (
        f"{counted} (of all 1,000 archs of r1-mini {1000 - num} do)" in said
        and f"there arch_id is 0 to {num - 1}, macs is " in said
    )
    both = ask(
        "hybrid", "r1-mini", "--judge", "mb-mini", "--where", "macs > 5e7", status=1
    ).stderr  # of the pool that is judged on
    assert "archs of mb-mini with a val accuracy on cifar10 (recipe cpu-16px-4, seed 0) none does" in both


def test_a_proxy_without_any_score_is_a_row_of_nulls_with_the_reason():
    reason = Bench().query(("mb-mini", 0)).score_reason("ntk", "cifar10")
    note = f"0 of {num_trained('mb-mini')} archs have a score of ntk (the first arch: {reason}): its values are null."
    for name in ("mbr", "corr", "constrained"):
        for more in ((), ("-p", "ntk"), ("--resamples", "5")):
            got = answer(name, "mb-mini", *more)
            rows_of = [row for row in got["rows"] if row["proxy"] == "ntk"]
            assert note in got["notes"] and rows_of
            values = [
                value
                for row in rows_of
                for column, value in row.items()
                if column.startswith(("mbr", "kendall", "best_rank", "true", "acc"))
            ]
            assert values and set(values) == {None}, values
            listed = list(csv.DictReader(io.StringIO(ask("--csv", name, "mb-mini", *more).stdout)))
            assert sum(row["proxy"] == "ntk" for row in listed) == len(rows_of)
    assert answer("corr", "mb-mini")["rows"][-1]["proxy"] == "ntk"  # absent values last
    found = answer("hybrid", "mb-mini")
    assert "ntk" not in found["searched"] and f"{note} It is in no combination." in found["notes"]
    for args in (("factors", "mb-mini"), ("factors", "mb-mini", "--bias")):
        told = {row["reason"] for row in answer(*args)["rows"] if row["target"] == "ntk"}
        assert len(told) == 1 and reason in told.pop()


def test_a_search_says_whom_it_searched_and_how_to_search_others():
    done = answer("hybrid", "r1-mini")
    assert done["searched"] == list(PAPER) and sorted(done["searched"] + done["not_searched"]) == sorted(
        PROXIES
    )
    note = next(note for note in done["notes"] if note.startswith("Searched: "))
    assert ", ".join(PAPER) in note and f"{len(PROXIES)} are too many for all subsets" in note
    assert f"{len(done['not_searched'])} were not searched; name others: proxies=[..], --proxies A,B." in note
    assert "Searched: fisher, grad_norm, snip" in " ".join(ask("hybrid", "r1-mini").stdout.split())
    named = answer("hybrid", "r1-mini", "-p", "zen,macs", "--judge", "test")
    assert (named["searched"], named["not_searched"]) == (
        ["zen", "macs"],
        [],
    ) and "Searched: zen, macs." in named["notes"]


def test_a_budget_below_every_arch_is_told_in_the_table_of_hybrids():
    for args in (("hybrid", "r1-mini", "-p", "zen,macs"), ("hybrid", "r1-mini", "--name", "zen_macs")):
        got = answer(*args, "-b", "1,1e9")
        whole = answer(*args, "-b", "1e9")
        assert [row["mbr"] for row in got["rows"]] == [row["mbr"] for row in whole["rows"]] and None not in [
            row["mbr"] for row in got["rows"]
        ]
        assert any(
            "1 of 2 budgets admit no arch, so nothing is picked: macs <= 1; the cheapest arch, r1-mini-"
            in note
            for note in got["notes"]
        )


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("mbr",),
        ("mbr", "r1-mini", "--split", "train"),
        ("top", "r1-mini", "--seed", "x"),
        ("query",),
    ],
)
def test_wrong_usage_ends_with_2(args):
    done = ask(*args, status=2)
    assert done.stdout == "" and "Usage: nbzero" in done.stderr and "Traceback" not in done.stderr


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(Bench, "datasets", lambda self, space: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        ask("info")


def test_a_missing_package_is_one_line_that_says_what_to_install(monkeypatch, release):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    done = ask("--release", release, "factors", "r1-mini", *SHORT, status=2)
    assert (
        done.stderr.startswith("nbzero: factors needs xgboost, which cannot be imported (")
        and "pip install 'nbzero[factors]'" in done.stderr
        and done.stderr.count("\n") == 1
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install pyarrow" in ask("--release", release, "export", "r1-mini", status=2).stderr


@pytest.mark.parametrize("absent", ["typer", "rich"])
def test_without_typer_or_rich_the_command_says_what_to_install(absent, monkeypatch, capsys):
    monkeypatch.setattr(
        __main__.importlib.util, "find_spec", lambda name: None if name == absent else object()
    )
    assert __main__.main() == 2
    assert (
        capsys.readouterr().err
        == f"nbzero: the command line needs {absent}, not installed here: pip install 'nbzero[cli]'\n"
    )


# Real processes


@pytest.mark.parametrize(
    ("args", "none_of"),
    [
        (("info",), {"numpy", "pyarrow", "pandas", "torch", "fsspec"}),
        (("query", "r1-mini:0"), {"numpy", "pyarrow", "pandas", "torch", "fsspec"}),
        (("cite",), {"numpy", "pyarrow", "pandas", "torch", "fsspec"}),
        (("mbr", "r1-mini"), {"pyarrow", "pandas", "torch", "matplotlib", "xgboost", "scipy"}),
        (("verify",), {"torch", "fsspec", "builders"}),
    ],
)
def test_a_command_imports_no_more_than_it_needs(args, none_of):
    code = (
        "import atexit, sys; from nbzero.__main__ import main; sys.argv[1:] = %r;"
        "atexit.register(lambda: print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)); sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % (list(args),)], check=True, capture_output=True, text=True
    )
    loaded = set(done.stderr.split())
    assert "nbzero" in loaded and not loaded & none_of and done.stdout


def test_real_exit_statuses(release, tmp_path):
    good = real("top", "r1-mini", *SHORT, "-n", "1", "--release", release)
    assert (good.returncode, good.stderr) == (0, "") and good.stdout.startswith(
        "Top 1 by accuracy: r1-mini, cifar10, cpu-16px-4, val, seed 0, N = 59"
    )
    wrong = real("mbr", "nothing")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    broken = shutil.copytree(release, tmp_path / "broken")
    path = broken / "runs/r1-mini/cifar10.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    failed = real("verify", broken)
    assert (
        failed.returncode == 1
        and failed.stdout == ""
        and failed.stderr.startswith("nbzero: verify: ")
        and "truncated" in failed.stderr
    )


@pytest.mark.parametrize(
    "args",
    [
        ("export", "r1"),
        ("--json", "space", "r1", "--sample", "5000"),
        ("space", "r1", "--sample", "5000", "--csv"),
    ],
)
def test_a_reader_that_stops_is_no_error(args):
    buffered = {
        name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"
    }  # with it Python drops the error of a short write
    asked = [sys.executable, "-m", "nbzero", *args]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as process:
        process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


TABLES = {
    "info": ("info",),
    "query": ("query", "r1-mini:2"),
    "top": ("top", "r1-mini", *SHORT),
    "space": ("space", "r1-mini"),
    "sample": ("space", "r1-mini", "--sample", "5"),
    "mbr": ("mbr", "r1-mini", *SHORT, "--resamples", "3"),
    "corr": ("corr", "r1-mini", *SHORT, "--resamples", "3"),
    "constrained": ("constrained", "r1-mini", *SHORT, "-b", "2"),
    "constrained, with intervals": ("constrained", "r1-mini", *SHORT, "-b", "2", "--resamples", "3"),
    "hybrid": ("hybrid", "r1-mini", *SHORT),
    "judged": (
        "hybrid",
        "r1-mini",
        *SHORT,
        "-p",
        "zen,macs,snip",
        "--judge",
        "test",
        "--judge",
        "r1-mini:cifar10:test:cpu-16px-12",
    ),
    "named": ("hybrid", "r1-mini", *SHORT, "--name", "zen_macs", "--judge", "test"),
    "factors": ("factors", "r1-mini", *SHORT, "-t", "zen,accuracy"),
    "bias": ("factors", "r1-mini", *SHORT, "-t", "zen,accuracy", "--bias"),
    "evaluate": ("evaluate", "-", "r1-mini", *SHORT),
    "picks": ("evaluate", "-", "r1-mini", *SHORT, "--part", "picks"),
    "intervals": ("evaluate", "-", "r1-mini", *SHORT, "--part", "intervals", "--resamples", "3"),
    "figures": ("plot", "list"),
}


def mine():
    return json.dumps({ARCH: 1, **dict.fromkeys(FIRST, 2)})


@pytest.mark.parametrize("name", TABLES)
def test_every_table_fits_a_terminal_and_a_pipe_and_says_what_it_leaves_out(name, release):
    args = ("--release", release, *TABLES[name])
    whole = answer(*args, given=mine())
    columns = list(whole["rows"][0])
    for width, env in (
        (80, {"FORCE_COLOR": "1", "COLUMNS": "80"}),
        (100, {"FORCE_COLOR": "1", "COLUMNS": "100"}),
        (100, {}),
        (90, {"COLUMNS": "90"}),
    ):
        done = ask(*args, given=mine(), **{"FORCE_COLOR": None, **env})
        lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()]
        text = re.sub(r"\s", "", "".join(lines))
        assert max(map(len, lines)) <= width
        missing = [
            column
            for column in columns
            if column not in text and any(part not in text for part in re.findall("_*[^_]+", column))
        ]
        assert missing == [] or name in ("query", "constrained", "constrained, with intervals", "picks"), (
            missing
        )
        said = re.search(r"Onlyin--csvand--json,whichhaveallcolumns:([^.]*)\.", text)
        left = said[1].split(",") if said else []
        assert set(left) <= set(columns)
        lost = {
            as_text.short(row[column])
            for row in whole["rows"]
            for column in columns
            if column not in (*left, "members", "value", "reason")
        }
        assert {cell for cell in lost if re.sub(r"\s", "", cell) not in text} == set(), lost
    assert next(csv.reader(io.StringIO(ask(*args, "--csv", given=mine()).stdout))) == columns


def test_evaluate_shows_what_the_report_shows_and_names_the_other_columns(release):
    args = ("--release", release, "evaluate", "-", "r1-mini", *SHORT)
    lines = ask(*args, given=mine()).stdout.splitlines()
    assert lines[1].split() == [
        "proxy",
        "kendall",
        "spearman",
        "pearson",
        "best",
        "precision",
        "mbr",
        "mbr",
        "quantile",
    ]
    assert sum(line.startswith("wrcor_by_stage ") for line in lines) == 1  # one block in a pipe
    (note,) = re.findall(r"Only in --csv and --json, which have all columns: ([^.]*)\.", " ".join(lines))
    shown = {
        "proxy",
        *constrained.CORRELATIONS,
        "best_rank_at_k",
        "precision_at_top_k",
        "mbr_union",
        "mbr_union_pool",
        "quantile_mbr_union",
    }
    columns = list(answer(*args, given=mine())["rows"][0])
    assert note.split(", ") == [column for column in columns if column not in shown] and len(
        note.split(", ")
    ) + len(shown) == len(columns)


def test_a_terminal_repeats_the_key_column_in_every_block(release):
    args = ("--release", release, "corr", "r1-mini", *SHORT, "--resamples", "3")
    drawn = real(*args, FORCE_COLOR="1", COLUMNS="80")
    assert drawn.returncode == 0 and "\x1b[" in drawn.stdout
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", drawn.stdout).splitlines()]
    assert sum(line.startswith("wrcor_by_stage ") for line in lines) == 3
    assert "\x1b" not in real(*args, COLUMNS="80").stdout
    quiet = real("--release", release, "info", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert not re.search(r"\x1b\[[0-9;]*3\dm", quiet)


WORD = st.text("ab_ 1-", max_size=30)


@given(
    st.dictionaries(
        st.text("ab_", min_size=1, max_size=20),
        st.lists(WORD, min_size=3, max_size=3),
        min_size=1,
        max_size=9,
    ),
    st.integers(10, 120),
    st.integers(1, 2),
)
def test_a_layout_shows_every_column_once_and_is_no_wider_than_asked(cells, width, keys):
    found = as_text.layout(cells, width, keys)
    head = [*cells][:keys]
    assert all(block[: len(head)] == head for block in found.blocks)
    assert [*head, *(name for block in found.blocks for name in block[len(head) :])] == [
        name for name in cells if name not in found.same
    ]
    assert all(set(cells[name]) == {cell} for name, cell in found.same.items())
    for name in found.widths:
        assert "".join(found.heads[name]) == name
    for block in found.blocks:
        wide = sum(found.widths[name] for name in block) + 2 * (len(block) - 1)
        assert wide <= width or len(block) <= keys + 1  # a key column that is too wide is not cut
    unbounded = as_text.layout(cells, keys=keys)
    assert (
        unbounded.blocks == [[*cells]]
        and unbounded.same == {}
        and all(unbounded.heads[name] == [name] for name in cells)
    )
    one_line = max(max(map(len, [name, *column])) for name, column in cells.items()) + 1
    aligned = as_text.aligned_text(
        [*cells],
        [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)],
        width=one_line * len(cells) * 3,
    )
    assert aligned.splitlines()[0].split() == [*cells]


def test_a_wide_table_is_fitted_in_steps():
    cells = {
        "proxy": ["zen", "ntk"],
        "best_rank_at_k": ["1", "2"],
        "said": ["one two three four five six seven", "-"],
        "seed": ["0", "0"],
    }
    assert as_text.layout(cells, 61).blocks == [["proxy", "best_rank_at_k", "said", "seed"]]
    broken = as_text.layout(cells, 60)
    assert (
        broken.heads["best_rank_at_k"] == ["best", "_rank", "_at_k"]
        and broken.same == {}
        and broken.widths["said"] == 33
    )
    shared = as_text.layout(cells, 52)
    assert shared.same == {"seed": "0"} and shared.widths["said"] == 33 and len(shared.blocks) == 1
    wrapped = as_text.layout(cells, 45)
    assert wrapped.widths["said"] == 31 and len(wrapped.blocks) == 1
    blocks = as_text.layout(cells, 35)
    assert blocks.blocks == [["proxy", "best_rank_at_k"], ["proxy", "said"]]
    listed = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    assert as_text.aligned_text([*cells], listed, "title", ["a note that is somewhat too long for it"], width=35).splitlines() == [
        "title", "proxy  best", "       _rank", "       _at_k", "zen    1", "ntk    2", "", "proxy  said", "zen    one two three four five",
        "       six seven", "ntk    -", "The same in every row: seed = 0.", "a note that is somewhat too long", "for it",
    ]  # fmt: skip


FIRST = tuple(Bench().space("r1-mini").members[1:40])


def test_completion_knows_spaces_datasets_proxies_and_archs(release):
    def complete(line, **env):
        words = line.split(" ")
        done = real(
            **{"_NBZERO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
            **env,
        )
        return done.stdout.split()

    script = real(**{"_NBZERO_COMPLETE": "source_bash"}).stdout
    assert "complete -o default -F _nbzero_completion nbzero" in script
    assert complete("nbzero mbr r1") == ["r1", "r1-mini"]
    assert complete(f"nbzero --release {release} mbr ") == ["r1-mini", "r2-mini", "mb-mini"]
    assert complete("nbzero mbr ", NBZERO_RELEASE=str(release)) == ["r1-mini", "r2-mini", "mb-mini"]
    assert complete(f"nbzero --release {release} mbr r1-mini --dataset ") == ["cifar10", "digits"]
    assert complete(f"nbzero --release {release} mbr r1-mini --recipe ") == ["cpu-16px-12", "cpu-16px-4"]
    assert complete("nbzero mbr r1-mini -p zen,wrcor_") == [
        f"zen,{name}" for name in PROXIES if name.startswith("wrcor_")
    ]
    prefix = "r1-mini-s4-d2w12"
    found = complete(f"nbzero query {prefix}")
    assert (
        ARCH in found
        and found == [arch for arch in Bench().space("r1-mini") if arch.startswith(prefix)][: cli.MANY]
    )
    assert complete("nbzero --release nowhere mbr ") == []
    assert complete("nbzero plot m") == [
        name for name in FIGURES if name.startswith("m")
    ] and "mbr" in complete("nbzero plot m")
    assert complete("nbzero plot l") == ["list"] and complete("nbzero plot mbr mb") == ["mb", "mb-mini"]
    assert complete(f"nbzero --release {release} hybrid r1-mini --judge ") == [
        "test",
        "r1-mini",
        "r2-mini",
        "mb-mini",
    ]
    assert complete("nbzero hybrid r1-mini --name z") == ["zerocost", "zen_macs"]


# Looking up


def test_info_counts_what_the_tables_hold(release, bench):
    listed = answer("--release", release, "info")["rows"]
    for row in listed:
        assert row["archs"] == len(bench.space(row["space"]))
        if row["kind"] is None:
            assert row["space"] == "r2-mini" and row["rows"] == 0
            continue
        key = "recipe" if row["kind"] == "runs" else "protocol"
        table = bench.arrow(row["kind"], row["space"], row["dataset"]).to_pandas()
        part = table[table[key] == row["recipe_or_protocol"]]
        assert row["rows"] == len(part) and row["archs_with"] == part["arch_id"].nunique()
        assert row["seeds"] == ", ".join(map(str, sorted(part["seed"].unique())))
    assert sum(row["rows"] for row in listed) == sum(
        bench.arrow(kind, space, dataset).num_rows
        for kind, space, dataset in bench._tables
        if kind != "archs"
    )


def query_rows(release, *args):
    return {
        (row["part"], row["dataset"], row["setting"], row["name"]): row
        for row in answer("--release", release, "query", *args)["rows"]
    }


def test_query_gives_everything_of_the_record(release, bench):
    record, found = bench.query(("r1-mini", 2)), query_rows(release, "r1-mini:2")
    assert found == query_rows(release, record.arch)
    for name in ("arch", "arch_id", "stem", "macs", "flops", "params", "depth"):
        assert found["arch", None, None, name]["value"] == getattr(record, name)
    assert ("arch", None, None, "s4_in") not in found and len(
        record.stages
    ) == 3  # absent stages are left out
    for dataset, recipe in (("cifar10", "cpu-16px-4"), ("cifar10", "cpu-16px-12"), ("digits", "cpu-16px-4")):
        run = record.run(dataset, recipe)
        assert found["run", dataset, recipe, "val_acc"]["value"] == record.accuracy(dataset, recipe)
        for name in (
            "status",
            "train_loss",
            "train_time_s",
            "device",
            "engine",
            "software",
            "builder_commit",
        ):
            assert found["run", dataset, recipe, name]["value"] == getattr(run, name)
        assert found["run", dataset, recipe, "curve"]["value"] == list(run.curve)
    stored = record.scores("cifar10")
    assert {name: found["score", "cifar10", "std-16", name]["value"] for name in PROXIES} == dict(
        stored.values
    )
    assert {name: found["seconds", "cifar10", "std-16", name]["value"] for name in stored.seconds} == dict(
        stored.seconds
    )
    assert ("score", "cifar10", "std-32", "zen") in found


def test_query_shows_one_split_and_says_why_a_value_is_null(release, bench):
    found = query_rows(release, "r1-mini:7", "--dataset", "cifar10")
    diverged = found["run", "cifar10", "cpu-16px-4", "val_acc"]
    assert (
        diverged["value"] is None
        and "diverged" in diverged["reason"]
        and not any(key[1] == "digits" or key[3] == "test_acc" for key in found)
    )
    absent = query_rows(
        release, "r1-mini:500", "--dataset", "cifar10", "--recipe", "cpu-16px-12", "--seed", "1"
    )
    assert absent["run", "cifar10", "cpu-16px-12", "val_acc"]["reason"] == bench.query(
        ("r1-mini", 500)
    ).accuracy_reason("cifar10", "cpu-16px-12", seed=1)
    assert "this arch has no scores" in absent["score", "cifar10", "std-16", "scores"]["reason"]
    failed = query_rows(release, "r1-mini:4", "-d", "cifar10", "--protocol", "std-16")[
        "score", "cifar10", "std-16", "naswot"
    ]
    assert failed["value"] is None and "no ReLU layer" in failed["reason"]
    infinite = query_rows(release, "r1-mini:8", "-d", "cifar10", "--protocol", "std-16")[
        "score", "cifar10", "std-16", "naswot"
    ]
    assert infinite["value"] == "-inf" and infinite["reason"] is None
    tested = query_rows(release, "r1-mini:2", "-d", "digits", "--split", "test")
    assert tested["run", "digits", "cpu-16px-4", "test_acc"]["value"] == bench.query(("r1-mini", 2)).accuracy(
        "digits", split="test"
    )
    mean = query_rows(release, "r1-mini:2", "-d", "digits", "--seed", "mean")
    assert mean["run", "digits", "cpu-16px-4", "val_acc"]["value"] == bench.query(("r1-mini", 2)).accuracy(
        "digits", seed="mean"
    )
    nothing = answer("query", "r1:0")
    assert nothing["notes"] == ["The release has no runs and no scores of r1."] or any(
        row["part"] == "run" for row in nothing["rows"]
    )
    text = ask("--release", release, "query", "r1-mini:7").stdout
    assert "run: cifar10, cpu-16px-4, seed 0" in text and "the run diverged" in text


@pytest.mark.parametrize(
    "by", ["accuracy", "zen", "ntk", "naswot", "macs", "s4_depth", "scores.macs", "train_loss"]
)
@pytest.mark.parametrize("end", [None, "--lowest", "--highest"])
def test_top_is_the_sorted_table(by, end, release, bench):
    column = {"accuracy": "runs.val_acc"}.get(by, by)
    view = bench.table("r1-mini", ["arch", column], "cifar10", "cpu-16px-4", where="depth > 6")
    values = np.asarray(view[column], np.float64)
    lowest = by == "ntk" if end is None else end == "--lowest"
    there = [(value if lowest else -value, row) for row, value in enumerate(values) if value == value]
    got = answer(
        "--release",
        release,
        "top",
        "r1-mini",
        "--by",
        by,
        "-n",
        "7",
        "--where",
        "depth > 6",
        *SHORT,
        *([end] if end else []),
    )
    assert [row["arch"] for row in got["rows"]] == [view["arch"][row] for _, row in sorted(there)[:7]]
    assert [row["place"] for row in got["rows"]] == [
        1 + sum(other < value for other, _ in there) for value, _ in sorted(there)[:7]
    ]
    assert got["title"].endswith(f"where depth > 6, N = {len(there)}") and got["notes"][0].startswith(
        "Lowest" if lowest else "Highest"
    )
    absent = len(values) - len(there)
    assert (f"Without {by}, and left out: {absent} of {len(values):,} archs." in got["notes"]) == bool(absent)


def test_top_says_what_is_tied_and_names_the_recipe(release):
    got = answer("--release", release, "top", "r1-mini", "--by", "s1_stride", "-n", "2")
    assert any(
        re.fullmatch(r"\d+ more archs have the last value shown; equal ones are in build order.", note)
        for note in got["notes"]
    )
    assert "accuracy" not in got["rows"][0]
    several = ask("--release", release, "top", "r1-mini", status=2).stderr
    assert (
        several == "nbzero: r1-mini has runs on several data sets; name one with --dataset: cifar10, digits\n"
    )
    assert "name one: " in ask("--release", release, "top", "r1-mini", "-d", "cifar10", status=2).stderr


def test_space_draws_and_finds_what_the_api_does(bench, release):
    space = bench.space("r1-mini")
    assert [
        row["arch"] for row in answer("space", "r1-mini", "--sample", "5", "--seed", "3")["rows"]
    ] == space.sample(5, 3)
    near = answer("space", "r1-mini", "--neighbours", ARCH, "-k", "3")["rows"]
    assert [row["arch"] for row in near] == space.neighbours(ARCH, 3)
    assert len(answer("space", "r1-mini", "--neighbours", ARCH)["rows"]) == 8
    assert all(
        row["macs"] == bench.query(row["arch"]).macs and space[row["arch_id"]] == row["arch"] for row in near
    )
    facts = {row["what"]: row["value"] for row in answer("--release", release, "space", "r1-mini")["rows"]}
    assert (
        facts["members"].startswith("1000,")
        and facts["stage widths"] == "4 8 12 16 24 32 48 64"
        and facts["data sets"] == "cifar10, digits"
    )


# One's own proxy


@pytest.fixture
def scores(bench):
    values = bench.table("r1-mini", ["arch", "zen"], "cifar10", where="depth > 5")
    return {
        arch: None if number % 7 == 3 or value != value else float(value)
        for number, (arch, value) in enumerate(zip(values["arch"], values["zen"], strict=True))
    }


@pytest.fixture
def files(scores, tmp_path):
    import pyarrow as pa

    listed = [{"arch": arch, "score": score} for arch, score in scores.items()]
    (tmp_path / "a.csv").write_text(as_text.csv_text(["arch", "score"], listed))
    (tmp_path / "b.csv").write_text(
        as_text.csv_text(
            ["other", "arch", "mine"],
            [{"other": 1, "arch": a, "mine": "NaN" if s is None else s} for a, s in scores.items()],
        )
    )
    (tmp_path / "c.json").write_text(json.dumps(scores))
    (tmp_path / "d.json").write_text(json.dumps(listed))
    (tmp_path / "e.json").write_text(as_text.json_text("", [], listed))
    pq.write_table(pa.Table.from_pylist(listed), tmp_path / "f.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["a.csv", "b.csv", "c.json", "d.json", "e.json", "f.parquet", "-"])
def test_evaluate_gives_the_report_of_the_api_for_every_kind_of_file(name, files, scores, release, bench):
    given = (files / "a.csv").read_text() if name == "-" else None
    file = name if name == "-" else files / name
    got = answer(
        "--release",
        release,
        "evaluate",
        file,
        "r1-mini",
        *SHORT,
        *(["--column", "mine"] if name == "b.csv" else []),
        given=given,
    )
    report = bench.evaluate(scores, "r1-mini", "cifar10", "cpu-16px-4")
    assert (
        got["rows"] == json.loads(report.metrics.sorted("mbr_union").to_json())["rows"]
        and got["title"] == report.metrics.title
    )
    there = sum(score is not None for score in scores.values())
    assert (
        got["notes"][0]
        == f"With a score: {there} of {len(scores):,} archs in {'stdin' if name == '-' else file}."
        and there < len(scores)
    )
    place, of = report.place("mbr_union")
    assert got["notes"][1] == f"yours is number {place} of {of} by mbr_union, higher scores are better."
    assert set(report.notes) <= set(got["notes"])


def test_the_options_of_evaluate(files, scores, release, bench):
    args = ("--release", release, "evaluate", files / "a.csv", "r1-mini", *SHORT)
    lower = bench.evaluate(
        scores, "r1-mini", "cifar10", "cpu-16px-4", "mine", -1, 4, 0.3, 2, "test", where="macs > 2e6"
    )
    options = (
        "--name",
        "mine",
        "--direction",
        "lower",
        "-k",
        "4",
        "--fraction",
        "0.3",
        "-b",
        "2",
        "--split",
        "test",
        "--where",
        "macs > 2e6",
    )
    assert answer(*args, *options)["rows"] == json.loads(lower.metrics.sorted("mbr_union").to_json())["rows"]
    assert answer(*args, *options, "--part", "picks")["rows"] == json.loads(lower.picks.to_json())["rows"]
    drawn = bench.evaluate(
        scores, "r1-mini", "cifar10", "cpu-16px-4", resamples=9, bootstrap_seed=2, level=0.7
    )
    interval = ("--part", "intervals", "--resamples", "9", "--bootstrap-seed", "2", "--level", "0.7")
    assert answer(*args, *interval)["rows"] == json.loads(drawn.intervals.to_json())["rows"]
    assert (
        "--resamples, --bootstrap-seed and --level go with --part intervals"
        in ask(*args, "--resamples", "9", status=2).stderr
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stdin is empty"),
        ("arch,score\n", "give scores of measured archs"),
        ("arch\n", "stdin has the columns arch alone; say which holds the scores"),
        ("name,score\nx,1\n", "stdin has no column arch, only name, score"),
        ("arch,a,b\nx,1,2\n", "stdin has the columns a, b; say which holds the scores: --column NAME"),
        (f"arch,score\n{ARCH},1\n{ARCH},2\n", f"stdin: row 2 has {ARCH} again; give each arch one score"),
        (
            f"arch,score\n{ARCH},good\n",
            "stdin: row 1: score is 'good'; it is a number, or empty where there is none",
        ),
        (f"arch,score\n{ARCH}\n", "stdin: row 1 has 1 value for the 2 columns arch, score"),
        (f"arch\n{ARCH},1\n", "stdin: row 1 has 2 values for the 1 column arch"),
        (
            f"arch;score\n{ARCH};0,5\n",
            "stdin: its first line, 'arch;score', has ';' between its columns; they are parted by commas, as in arch,score",
        ),
        (
            f"arch\tscore\n{ARCH}\t1\n",
            r"stdin: its first line, 'arch\tscore', has '\t' between its columns; they are parted by commas",
        ),
        (
            "arch,score\nr1-mini-nonsense,1\n",
            "1 of 1 score is for archs that are no members of r1-mini: 'r1-mini-nonsense'",
        ),
        ("{", "stdin is no JSON"),
        ("[1]", "stdin is neither"),
        ('[{"arch": 3, "score": 1}]', "stdin: row 1 has arch 3; it is an arch string"),
        (json.dumps({ARCH: [1]}), "stdin: row 1: score is [1]; it is a number"),
        (json.dumps({ARCH: True}), "stdin: row 1: score is True; it is a number"),
    ],
)
def test_a_file_of_scores_that_is_wrong_is_explained(text, said, release):
    done = ask("--release", release, "evaluate", "-", "r1-mini", *SHORT, given=text, status=2)
    assert said in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""


def test_a_file_that_is_no_text_or_no_parquet(tmp_path, release):
    for name, said in (
        ("a.csv", "is no text in UTF-8"),
        ("a.parquet", "is no Parquet file that can be read"),
    ):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00PAR")
        assert (
            said in ask("--release", release, "evaluate", tmp_path / name, "r1-mini", *SHORT, status=2).stderr
        )


# Files


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_export_round_trips(release, bench, tmp_path):
    view = bench.table("r1-mini", None, "cifar10", "cpu-16px-4", where="depth > 6").to_arrow()
    args = ("--release", release, "export", "r1-mini", *SHORT, "--where", "depth > 6")
    done = ask(*args)
    assert (
        done.stderr
        == f"r1-mini, cifar10, cpu-16px-4, std-16, seed 0, where depth > 6, N = {view.num_rows}, release 0.2.0\n"
    )
    listed = read_csv(done.stdout)
    for got, row in zip(listed, view.to_pylist(), strict=True):
        for name, value in row.items():
            assert got[name] == ("" if value is None else str(value))
            assert value is None or type(value)(got[name]) == value
    for name in ("x.csv", "x.json", "x.parquet"):
        said = ask(*args, "--out", tmp_path / "new" / name)
        assert said.stdout == "" and said.stderr.endswith(
            f"release 0.2.0, written to {tmp_path / 'new' / name}\n"
        )
    assert (
        (tmp_path / "new/x.csv").read_text()
        == done.stdout
        == ask(*args, "--csv").stdout
        == ask(*args, "-f", "csv").stdout
    )
    assert pq.read_table(tmp_path / "new/x.parquet").equals(view)
    assert b"cpu-16px-4" in pq.read_schema(tmp_path / "new/x.parquet").metadata[b"nbzero.selected"]
    content = json.loads((tmp_path / "new/x.json").read_text())
    wanted = [
        {name: "-inf" if value == -np.inf else value for name, value in row.items()}
        for row in view.to_pylist()
    ]
    assert content["rows"] == wanted and "std-16" in content["title"] and content == answer(*args)
    assert any("-inf" in row.values() for row in wanted)


def test_export_columns_seed_and_protocol(release, bench, tmp_path):
    args = (
        "--release",
        release,
        "export",
        "r1-mini",
        "--columns",
        "arch,zen",
        "--columns",
        "runs.val_acc",
        *SHORT,
        "--seed",
        "1",
    )
    got = read_csv(ask(*args).stdout)
    view = bench.table("r1-mini", ["arch", "zen", "runs.val_acc"], "cifar10", "cpu-16px-4", seed=1)
    assert list(got[0]) == ["arch", "zen", "runs.val_acc"]
    assert [float(row["zen"] or "nan") for row in got] == pytest.approx(view["zen"].tolist(), nan_ok=True)
    other = read_csv(
        ask(
            "--release",
            release,
            "export",
            "r1-mini",
            "--columns",
            "zen",
            "-d",
            "cifar10",
            "--protocol",
            "std-32",
        ).stdout
    )
    assert sum(row["zen"] != "" for row in other) == 4
    bare = ask("--release", release, "export", "r1-mini", "--columns", "arch,macs")
    assert bare.stderr == "r1-mini, N = 1,000, release 0.2.0\n" and len(read_csv(bare.stdout)) == 1000
    piped = subprocess.run(
        [sys.executable, "-m", "nbzero", "export", "mb-mini", "-f", "parquet"],
        check=True,
        capture_output=True,
    ).stdout
    assert pq.read_table(io.BytesIO(piped)).num_rows == len(Bench().space("mb-mini"))
    (tmp_path / "file").write_text("")
    assert "cannot write" in ask("export", "r1-mini", "-o", tmp_path / "file/x.csv", status=2).stderr


def test_plot_writes_a_picture_and_lists_the_figures(release, tmp_path):
    from nbzero import plots

    assert [row["figure"] for row in answer("plot", "list")["rows"]] == list(plots.FIGURES)
    for name, head in (("x.png", b"\x89PNG"), ("x.svg", b"<?xml"), ("x.pdf", b"%PDF")):
        done = answer(
            "--release",
            release,
            "plot",
            "distributions",
            "r1-mini",
            *SHORT,
            "-o",
            tmp_path / name,
            "--dpi",
            "30",
        )
        assert (tmp_path / name).read_bytes().startswith(head) and done["rows"] == [
            {"figure": "distributions", "file": str(tmp_path / name)}
        ]
        assert "cpu-16px-4, val, seed 0" in done["title"]
    drawn = ("--release", release, "plot", "distributions", "r1-mini", *SHORT)
    ask(*drawn, "-o", tmp_path / "new" / "folder" / "x.png")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["x.png"]
    said = ask(*drawn, "-o", tmp_path / "x.svg" / "y.png", status=2).stderr
    assert said.startswith(f"nbzero: cannot write {tmp_path}/x.svg/y.png: ") and said.endswith(
        "then draw the figure again\n"
    )
    assert "did you mean" in ask("plot", "distribution", "r1-mini", status=2).stderr
    assert "needs a space" in ask("plot", "mbr", status=2).stderr
    assert "it ends in .png, .pdf or .svg" in ask("plot", "mbr", "r1-mini", "-o", "x.gif", status=2).stderr


def test_a_pool_to_judge_on_keeps_the_protocol_asked_for(bench):
    own = pool_of(bench, "r1-mini", "cifar10", "cpu-16px-4")
    pools = [
        cli._pool_named(bench, "r1-mini:cifar10:val:cpu-16px-12", own, protocol, None, None, None)
        for protocol in (None, "std-32")
    ]
    assert [pool.protocol for pool in pools] == ["std-16", "std-32"]
    assert [int(np.isnan(pool.scores["zen"]).sum()) for pool in pools] == [
        0,
        3,
    ]  # of the four archs, one is scored under std-32


def test_hybrid_searches_judges_and_reports(release, bench):
    args = ("--release", release, "hybrid", "r1-mini", *SHORT, "-b", "3")
    pool = pool_of(bench, "r1-mini", "cifar10", "cpu-16px-4")
    search = best_hybrids(
        pool, ["zen", "snip", "macs"], "log_rank", ["macs", "params"], 3, "quantile", normalise="pool"
    )
    options = (
        "-p",
        "zen,snip,macs",
        "--rule",
        "log_rank",
        "-c",
        "macs,params",
        "--spacing",
        "quantile",
        "--normalise",
        "pool",
    )
    assert answer(*args, *options, "--top", "2")["rows"] == json.loads(search.table(2).to_json())["rows"]
    pools = [
        pool_of(bench, "r1-mini", "cifar10", "cpu-16px-4", split="test"),
        pool_of(bench, "r1-mini", "cifar10", "cpu-16px-12"),
        pool_of(bench, "r1-mini", "cifar10", "cpu-16px-12", split="test"),
    ]
    judged = answer(
        *args,
        *options,
        "--judge",
        "test",
        "--judge",
        "r1-mini:cifar10:val:cpu-16px-12",
        "--judge",
        "r1-mini:cifar10:test:cpu-16px-12",
    )
    wanted = json.loads(search.judge(pools).to_json())
    assert judged["rows"] == wanted["rows"] and set(wanted["notes"]) <= set(judged["notes"])
    named = answer(*args, "--name", "zen_macs", "--judge", "test")
    assert (
        named["rows"]
        == json.loads(hybrid("zen_macs").report([pool, pools[0]], ["macs"], 3).to_json())["rows"]
    )
    only = answer(*args, "-p", "depth,macs", "--judge", "mb-mini")["rows"]
    assert bench.recipes("mb-mini", "cifar10") == ["cpu-16px-4"] and {
        (row["space"], row["recipe"]) for row in only
    } == {("mb-mini", "cpu-16px-4")}
    paper = answer(*args)["rows"]
    assert max(row["size"] for row in paper) == 11
    for wrong, said in (
        (("--name", "sjw", "--rule", "majority"), "--rule goes with a search"),
        (("--judge", "test", "--top", "1"), "--top lists combinations"),
        (
            ("--judge", "r1-mini"),
            "r1-mini has runs on several data sets; name one with r1-mini:DATASET: cifar10, digits",
        ),
        (
            ("--judge", "r1-mini:cifar10"),
            "pool 'r1-mini:cifar10': r1-mini has runs of several recipes on cifar10, which are never mixed; name one: "
            "r1-mini:cifar10:val:cpu-16px-12 or r1-mini:cifar10:val:cpu-16px-4",
        ),
        (("--judge", "mb-mini:cifar10:train"), "has split 'train'; it is val or test"),
        (("--judge", "a:b:c:d:e"), "it is test, or SPACE[:DATASET[:SPLIT[:RECIPE]]]"),
    ):
        assert said in ask(*args, *wrong, status=2).stderr


def test_report_hands_the_release_the_folder_and_the_spaces_on(release, tmp_path, monkeypatch):
    called = []
    fake = types.ModuleType("nbzero.report")
    fake.write_report = lambda bench, out_dir, *rest, **more: (
        called.append((bench.sha256, out_dir, *rest, more)) or out_dir / "index.html"
    )
    monkeypatch.setitem(sys.modules, "nbzero.report", fake)
    monkeypatch.setattr("nbzero.report", fake, raising=False)
    done = answer(
        "--release",
        release,
        "report",
        "--out",
        tmp_path,
        "--spaces",
        "r1-mini,mb-mini",
        "--split",
        "test",
        "--resamples",
        "0",
    )
    assert called == [(Bench(release).sha256, tmp_path, ["r1-mini", "mb-mini"], "test", {"resamples": 0})]
    assert done["rows"] == [{"file": str(tmp_path / "index.html")}]


# The release itself


def test_verify_lists_every_file_and_a_damaged_one_ends_with_1(release, tmp_path):
    done = answer("--release", release, "verify")
    assert {row["file"] for row in done["rows"]} == set(Bench(release)._release.manifest.files) and done[
        "title"
    ].endswith("files hold")
    assert answer("verify", release) == done
    broken = shutil.copytree(release, tmp_path / "broken")
    path = broken / "scores/r1-mini/cifar10.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "corrupted" in ask("verify", broken, status=1).stderr
    assert ask("--release", broken, "verify", status=1).stdout == ""
    assert "no release in" in ask("verify", tmp_path / "nowhere", status=2).stderr


def test_every_source_of_the_registry_is_cited_as_it_says():
    for name, proxy in PROXIES.items():
        papers = cite.papers_of(name)
        assert len(papers) == sum(part != cite.OURS for part in proxy.source.split("; "))
        numbers = re.findall(r"arXiv:(\d{4}\.\d{5})", proxy.source)
        assert {paper.arxiv for paper in papers if paper.arxiv} == set(numbers)
        for paper, part in zip(
            papers, (part for part in proxy.source.split("; ") if part != cite.OURS), strict=True
        ):
            assert paper.author.split(",")[0] in part  # the first author
            year = re.search(r"\b(20\d\d)\b", part.split("arXiv")[0])
            assert not year or int(year[1]) == paper.year
    assert set(cite.papers()) == set(cite.PAPERS) and len({paper.key for paper in cite.PAPERS}) == len(
        cite.PAPERS
    )
    assert not any("doi" in paper.bibtex.lower() for paper in cite.PAPERS)


def test_cite_prints_bibtex_that_balances_and_names_the_release(release, bench):
    text = ask("--release", release, "cite").stdout
    assert (
        text.count("{") == text.count("}")
        and text.count("\n@") + text.startswith("@") == len(cite.PAPERS) + 2
    )
    assert f"Data version 0.2.0, manifest SHA-256 {bench.sha256}" in text
    some = answer("--release", release, "cite", "-p", "zen,zen_no_shortcut,params")["rows"]
    assert [(row["key"], row["proxies"]) for row in some] == [
        ("nbzero", ""),
        (cite.ORIGIN.key, ""),
        ("lin2021zennas", "zen, zen_no_shortcut"),
    ]


@pytest.fixture
def foreign(tmp_path):
    """A release of imported tables alone: two archs of nb201 with runs and scores, two of transnas-macro and of transnas-micro with runs."""
    runs = import_bench._runs_rows("made", np.array([0.5, 0.6]), np.array([0.4, 0.7]))
    archs = {
        "nb201": [IMPORTED["nb201"].example, IMPORTED["nb201"].example.replace("none", "skip_connect")],
        "transnas-macro": ["64-1234-basic", "64-1233-basic"],
        "transnas-micro": ["64-41414-1_02_333", "64-41414-1_02_332"],
    }
    tables = {}
    for space, named in archs.items():
        tables["archs", space, None] = import_bench._table(
            "archs", space, import_bench._archs_rows(space, named, [0, 1] if space == "nb201" else None)
        )
        tables["runs", space, "cifar10"] = import_bench._table("runs", space, runs)
    scores = import_bench._scores_rows(
        "nb201", {"synflow": np.array([1.0, 2.0]), "zen": np.array([1.0, np.nan])}
    )
    tables["scores", "nb201", "cifar10"] = import_bench._table("scores", "nb201", scores)
    commit_release(tmp_path / "foreign", tables, "0.1.0")
    return tmp_path / "foreign"


def test_an_imported_release_cites_its_benchmarks_with_repository_commit_and_licence(foreign, bench):
    listed = {row["key"]: row for row in answer("--release", foreign, "cite")["rows"]}
    assert list(listed) == [
        "nbzero",
        "dong2020nasbench201",
        "duan2021transnas",
        cite.ORIGIN.key,
        "tanaka2020synflow",
        "lin2021zennas",
    ]
    for kind, sources in import_bench.SOURCES["nb201"].items():
        for source in sources:
            for said in (
                f"{source.repository}@{source.commit}",
                f"{source.repository}: {source.licence}",
                cite._escaped(source.path),
            ):
                assert said in listed["dong2020nasbench201"]["bibtex"], (kind, said)
    (source,) = import_bench.SOURCES["transnas-macro"]["runs"]
    both = listed["duan2021transnas"]["bibtex"]
    assert (
        both.count(source.commit) == 2
        and "imported as transnas-macro: archs, runs: " in both
        and "imported as transnas-micro: archs, runs: " in both
    )
    assert (
        "All its tables are imported: NAS-Bench-201, TransNAS-Bench-101 macro, TransNAS-Bench-101 micro;"
        in listed["nbzero"]["bibtex"]
    )
    assert not any("," in one.title or ";" in one.title for one in IMPORTED.values()), (
        "lists of them have commas between"
    )
    text = ask("--release", foreign, "cite").stdout
    assert text.count("{") == text.count("}") and not re.search(
        r"(?<!\\)[&%$#_]", "".join(re.findall(r"note = {(.*)},", text))
    )
    assert "imported" not in ask("cite").stdout and set(cite.BENCHMARKS) == set(IMPORTED)
    assert (
        cite.BENCHMARKS["darts"].bibtex.startswith("@article{")
        and "journal = {IEEE Trans" in cite.BENCHMARKS["darts"].bibtex
    )
    asked = answer("--release", foreign, "cite", "-p", "naswot")["rows"]
    assert [row["key"] for row in asked][-1] == "mellor2021naswot" and "dong2020nasbench201" in [
        row["key"] for row in asked
    ]


def test_an_imported_table_that_says_no_source_is_an_error(foreign):
    opened = Bench(foreign)
    key = ("runs", "nb201", "cifar10")
    tables = {one: opened.arrow(*[one[0], one[1], one[2]]) for one in opened._tables if one != key}
    bare = opened.arrow(*key)
    metadata = {name: value for name, value in bare.schema.metadata.items() if name != b"nbzero.licence"}
    commit_release(foreign.parent / "bare", {**tables, key: bare.replace_schema_metadata(metadata)}, "0.1.0")
    said = ask("--release", foreign.parent / "bare", "cite", status=2).stderr
    assert (
        said
        == "nbzero: the runs table of nb201 has no nbzero.licence in its metadata; import it again with builders.import_bench\n"
    )
