"""Files of scores: every kind alike, and what is wrong is explained."""

import json

import pytest

from tests.cli.asking import ARCH, SHORT, answer, ask


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
    here = "stdin" if name == "-" else file
    counted = f"With a score: {there} of {len(scores):,} archs in {here}, higher ones are better."
    told = len(report.sentences)
    assert tuple(got["notes"][:told]) == report.sentences and got["notes"][told] == counted
    assert there < len(scores)
    place, of = report.place("mbr_union")
    by = "mBR over limits on macs, params and depth"
    assert report.sentences[0].startswith(f"yours is number {place} of {of} proxies and costs by {by}, N = ")
    assert set(report.notes) <= set(got["notes"])


def test_the_options_of_evaluate(files, scores, release, bench):
    args = ("--release", release, "evaluate", files / "a.csv", "r1-mini", *SHORT)
    lower = bench.evaluate(
        scores,
        "r1-mini",
        "cifar10",
        "cpu-16px-4",
        name="mine",
        direction=-1,
        k=4,
        fraction=0.3,
        budgets=2,
        split="test",
        where="macs > 2e6",
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
            "stdin: its first line, 'arch;score', has ';' between its columns; they are parted by commas, "
            "as in arch,score",
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
