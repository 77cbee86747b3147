"""The frame of all commands: options, exit status, how tables fit, what is imported."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from nbzero import Bench, __main__, __version__, text as as_text
from tests.cli.asking import ARCH, COMMANDS, SHORT, answer, ask, mine, real

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


def test_version_is_that_of_the_code_and_that_of_the_data(release, bench):
    ours = f"nbzero {__version__}\ndata {Bench().version}, manifest {Bench().sha256[:12]}\n"
    assert ask("--version").stdout == ours
    other = f"nbzero {__version__}\ndata 0.2.0, manifest {bench.sha256[:12]}\n"
    assert ask("--release", release, "--version").stdout == other
    assert ask("--version", NBZERO_RELEASE=str(release)).stdout == other
    broken = ask("--release", "nowhere", "--version", status=2)
    assert broken.stdout == f"nbzero {__version__}\n" and "no release in" in broken.stderr


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


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("mbr", "r1-mini", "-p", "zenn"), 2, "no proxy named 'zenn'; did you mean 'zen' or 'zen_own'?"),
        (("mbr", "r9"), 2, "no space named 'r9'"),
        (("mbr", "r2", "-d", "cifar100"), 1, "no arch of r2 has a val accuracy on cifar100; measured are"),
        (
            ("mbr", "r1-mini", "-b", "x"),
            2,
            "budgets 'x'; it is a number of limits (5) or limits (1e7,2e7), or one limit on several costs",
        ),
        (
            ("hybrid", "r1-mini", "-b", "macs=1"),
            2,
            "budgets 'macs=1'; it is a number of limits (5) or limits (1e7,2e7)\n",
        ),
        (("mbr", "r1-mini", "--dataset", "cifar11"), 2, "no dataset named 'cifar11'; did you mean"),
        (("query", ARCH + "x"), 2, "nbzero: "),
        (("query", "r1-mini:x"), 2, "it is an arch string, or SPACE:ARCH_ID like r1-mini:0"),
        (("query", "r1-mini:5000"), 1, "arch_id 5000; r1-mini has 0 to 999"),
        (
            ("query", "r1-mini-s4-d1w4s2-d1w4s2-d1w4s2"),
            1,
            "is no member, so no table has it; nearest members: ",
        ),
        (
            ("top", "r1-mini", "--where", "macs < 1"),
            1,
            " archs of r1-mini with a value of val accuracy on cifar10 (seed 0) none does",
        ),
        (
            ("top", "mb-mini", "--by", "ntk"),
            1,
            "no arch of mb-mini has a value of ntk on cifar10; the first arch: the tangent kernel is "
            "singular",
        ),
        (("top", "r1-mini", "--by", "status"), 2, "status is a column of text; name one of numbers"),
        (
            ("top", "r1-mini", "--where", "macs <"),
            2,
            "s4_stride, macs, params, depth, status, val_acc, test_acc, train_loss, train_time_s and the",
        ),
        (("mbr", "r1-mini", "--where", "macs"), 2, "'macs' in 'macs' is no comparison; conditions are like "),
        (("mbr", "r9", "--where", "macs"), 2, "no space named 'r9'"),
        (
            ("top", "r1-mini", "--where", "mac < 1"),
            2,
            "no column named 'mac'; did you mean 'macs' or 'meco' or 'arch'? Known: acor, arch, ",
        ),
        (
            ("top", "r1-mini", "--seed", "7"),
            1,
            "val accuracy on cifar10 with seed 7; the runs of cpu-16px-4 have seeds 0, 1, or mean\n",
        ),
        (
            ("top", "r1-mini", "--seed", "7", "--by", "zen"),
            1,
            "of zen on cifar10 with seed 7; the scores of std-16 have seeds 0, 1, 2, or mean\n",
        ),
        (
            ("top", "r1", "--seed", "7", "--by", "zen"),
            1,
            "of zen on cifar10 with seed 7; the scores of std-32 have seed 0, or mean\n",
        ),
        (
            ("mbr", "r1-mini", "--seed", "7"),
            1,
            "no arch of r1-mini has a val accuracy on cifar10 with recipe cpu-16px-4 and seed 7, of seeds "
            "0, 1",
        ),
        (
            ("mbr", "r1-mini", "--score-seed", "7"),
            1,
            "no scores of r1-mini on cifar10 with it; seeds with scores: 0, 1, 2",
        ),
        (
            ("mbr", "r1-mini", "-p", ","),
            2,
            "',' names nothing; give names with commas between them, or leave the option out",
        ),
        (
            ("mbr", "r1-mini", "-b", "macs=1e7,macs=2e7"),
            2,
            "budgets 'macs=1e7,macs=2e7'; it is a number of limits (5) or limits",
        ),
        (
            ("hybrid", "r1-mini", "--draws", "0", "--draw-seed", "3"),
            2,
            "--draw-seed is of --draws, of which there are none; leave one out",
        ),
        (
            ("mbr", "r1-mini", "--where", "test_acc > 0.3"),
            2,
            "chooses archs by the test split in a pool of val; choose by val_acc",
        ),
        (
            ("corr", "r1-mini", "--level", "0.9"),
            2,
            "--bootstrap-seed and --level are of intervals, which need --resamples N",
        ),
        (
            ("constrained", "r1-mini", "--bootstrap-seed", "1"),
            2,
            "--bootstrap-seed and --level are of intervals",
        ),
        (("mbr", "r1-mini", "--resamples", "3", "--level", "9"), 2, "level 9.0; it is between 0 and 1"),
        (
            ("evaluate", "x.csv", "r1-mini", "--level", "0.9"),
            2,
            "--resamples, --bootstrap-seed and --level go with --part intervals",
        ),
        (
            ("hybrid", "r1-mini", "--name", "sjw", "--draws", "0"),
            2,
            "--draws goes with a search, --name reports a published hybrid",
        ),
        (
            ("export", "r1-mini", *SHORT, "--seed", "7"),
            1,
            "no arch of r1-mini has runs or scores with seed 7 on cifar10; nothing was written",
        ),
        (("mbr", "r1-mini", "--where", "macs <"), 2, "'macs <' cannot be read (invalid syntax); "),
        (("space", "r1-mini", "--seed", "1"), 2, "--seed goes with --sample; give both, or neither"),
        (("space", "r1-mini", "-k", "1"), 2, "-k goes with --neighbours; give both, or neither"),
        (
            ("space", "r1-mini", "--sample", "1", "--neighbours", ARCH),
            2,
            "--sample and --neighbours exclude each other",
        ),
        (("factors", "r1-mini", "--top", "0.1"), 2, "--top goes with --bias; give both, or neither"),
        (
            ("factors", "r1-mini", "--bias", "--transform", "raw"),
            2,
            "--transform is of the models, which --bias does not make",
        ),
        (
            ("export", "r1-mini", "--where", "macs < 1"),
            1,
            "no arch meets 'macs < 1': of the 1,000 archs of r1-mini none does; there macs",
        ),
        (
            ("mbr", "r1-mini", "--recipe", "paper-360"),
            1,
            "no arch of r1-mini has a val accuracy on cifar10 with recipe paper-360; measured",
        ),
        (
            ("hybrid", "mb-mini", "-p", "ntk,zen"),
            1,
            "has a score of ntk (the first arch: the tangent kernel is singular ",
        ),
        (
            ("hybrid", "r1-mini", "-b", "1,2"),
            1,
            "2 of 2 budgets admit no arch, so nothing is picked: macs <= 1; macs <= 2; the cheapest",
        ),
        (
            ("evaluate", "no-such.csv", "r1-mini"),
            2,
            "'no-such.csv' cannot be read (No such file or directory); it is a file of scores: CSV with a ",
        ),
        (
            ("evaluate", "no-such.parquet", "r1-mini"),
            2,
            "'no-such.parquet' cannot be read (No such file or directory); it is a file of scores: ",
        ),
        (
            ("evaluate", ".", "r1-mini"),
            2,
            "'.' cannot be read (Is a directory); it is a file of scores: CSV with a line of the columns "
            "arch",
        ),
        (
            ("export", "r1-mini", "--csv", "-f", "json"),
            2,
            "--csv and --format json say different things; leave one out",
        ),
        (("export", "r1-mini", "-o", "x.xls"), 2, "no format named 'xls'; Known: csv, json, parquet"),
        (("cite", "-p", "zenn"), 2, "no proxy named 'zenn'"),
        (
            ("info", "--release", "nowhere"),
            2,
            "nowhere/manifest.json cannot be read (No such file or directory); name a directory, or a URL, "
            "with",
        ),
    ],
)
def test_an_error_is_one_line_on_stderr_and_an_exit_status(args, status, said):
    done = ask(*args, status=status)
    assert done.stdout == "" and said in done.stderr
    assert (
        done.stderr.startswith("nbzero: ") and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
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
    monkeypatch.setattr(Bench, "spaces", property(lambda self: {}["bug"]))
    with pytest.raises(KeyError, match="bug"):
        ask("info")


def test_a_missing_package_is_one_line_that_says_what_to_install(monkeypatch, release):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    done = ask("--release", release, "factors", "r1-mini", *SHORT, status=2)
    assert (
        done.stderr.startswith("nbzero: factors needs xgboost, which cannot be imported (")
        and "pip install '.[factors]' in a checkout of nbzero" in done.stderr
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
    needed = f"nbzero: the command line needs {absent}, not installed here"
    assert capsys.readouterr().err == f"{needed}: pip install '.[cli]' in a checkout of nbzero\n"


# Real processes


@pytest.mark.parametrize(
    ("args", "none_of"),
    [
        (("info",), {"numpy", "pyarrow", "pandas", "torch", "fsspec"}),
        (("query", "r1-mini:0"), {"numpy", "pyarrow", "pandas", "torch", "fsspec"}),
        (("cite",), {"numpy", "pyarrow", "pandas", "torch", "fsspec"}),
        (("mbr", "r1-mini"), {"pyarrow", "pandas", "torch", "matplotlib", "xgboost", "scipy"}),
    ],
)
def test_a_command_imports_no_more_than_it_needs(args, none_of):
    assert not loaded_by(*args) & none_of


def test_verify_imports_no_more_than_it_needs(release):
    assert not loaded_by("verify", str(release)) & {"torch", "fsspec", "builders"}


def loaded_by(*args):
    """The top-level modules that a command loads."""
    code = (
        "import atexit, sys; from nbzero.__main__ import main; sys.argv[1:] = %r;"
        "atexit.register(lambda: print(*sorted({name.split('.')[0] for name in sys.modules}), "
        "file=sys.stderr)); sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % (list(args),)], check=True, capture_output=True, text=True
    )
    loaded = set(done.stderr.split())
    assert "nbzero" in loaded and done.stdout
    return loaded


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


# Terminals and pipes, with their width. Of every table one of each kind.
WIDTHS = (
    ((80, {"FORCE_COLOR": "1", "COLUMNS": "80"}), (100, {})),
    ((100, {"FORCE_COLOR": "1", "COLUMNS": "100"}), (90, {"COLUMNS": "90"})),
)
FITS = [
    pytest.param(name, widths, marks=[] if widths == WIDTHS[number % 2] else pytest.mark.long)
    for number, name in enumerate(TABLES)
    for widths in WIDTHS
]


@pytest.fixture
def computed_once(monkeypatch):
    """What a command asks of the bench is computed once in a test, which gives the same command again."""
    for name in ("correlations", "evaluate", "factors", "hybrid", "mbr_table", "constrained"):
        monkeypatch.setattr(Bench, name, first_answer_of(getattr(Bench, name)))


def first_answer_of(method):
    found = {}

    def ask_once(bench, *given, **more):
        key = repr((given, more))
        if key not in found:
            found[key] = method(bench, *given, **more)
        return found[key]

    return ask_once


@pytest.mark.usefixtures("computed_once")
@pytest.mark.parametrize(("name", "widths"), FITS)
def test_every_table_fits_a_terminal_and_a_pipe_and_says_what_it_leaves_out(name, widths, release):
    args = ("--release", release, *TABLES[name])
    whole = answer(*args, given=mine())
    columns = list(whole["rows"][0])
    for width, env in widths:
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


def test_a_terminal_repeats_the_key_column_in_every_block(release):
    args = ("--release", release, "corr", "r1-mini", *SHORT, "--resamples", "3")
    drawn = real(*args, FORCE_COLOR="1", COLUMNS="80")
    assert drawn.returncode == 0 and "\x1b[" in drawn.stdout
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", drawn.stdout).splitlines()]
    assert sum(line.startswith("wrcor_by_stage ") for line in lines) == 3
    assert "\x1b" not in real(*args, COLUMNS="80").stdout
    quiet = real("--release", release, "info", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert not re.search(r"\x1b\[[0-9;]*3\dm", quiet)


# Marks


@pytest.mark.parametrize(
    "args",
    [
        ("mbr", "mb-mini", "-p", "jacob_cov"),
        ("corr", "mb-mini", "-p", "jacob_cov"),
        ("constrained", "mb-mini", "-p", "jacob_cov"),
        ("hybrid", "mb-mini", "-p", "jacob_cov,macs", "--draws", "0"),
        ("hybrid", "mb-mini", "--name", "best_four"),
        ("factors", "mb-mini", "--targets", "jacob_cov", "--bias"),
        ("top", "mb-mini", "--by", "jacob_cov"),
        ("query", "mb-mini:0"),
    ],
    ids=lambda args: " ".join(args),
)
def test_a_doubtful_proxy_is_marked_in_tables_and_plain_in_data(args):
    printed = ask(*args).stdout
    assert "jacob_cov*" in printed and printed.count("* Doubtful in mb-mini: ") == 1
    said = answer(*args)
    assert sum(note.startswith("* Doubtful in mb-mini: ") for note in said["notes"]) == 1
    rows = json.dumps(said["rows"])
    assert "jacob_cov" in rows and "jacob_cov*" not in rows
    assert "jacob_cov*" not in ask("--csv", *args).stdout
    other = [arg.replace("mb-mini", "r2-mini") for arg in args]
    assert "*" not in ask(*other).stdout
