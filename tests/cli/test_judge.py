"""Judging: the tables are the API's, and what is missing is said."""

import csv
import io
import json
import re

import pytest

from nbzero import Bench
from nbzero.judge.correlations import CORRELATIONS
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.judge.hybrids import PAPER, hybrid
from nbzero.proxies.facts import PROXIES
from tests.cli.asking import ARCH, FIRST, SHORT, answer, ask, mine
from tests.cli.cases import FRAMES


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


def num_trained(space):
    return len(Bench().pool(space, "cifar10"))


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
        r"nbzero: no arch meets 'depth > 99': of the ([\d,]+) archs of r1-mini.* none does( \(of all 1,000 "
        r"archs of r1-mini 0 do\))?; "
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
    num = num_trained("mb-mini")
    note = f"0 of {num} archs have a score of ntk (the first arch: {reason}): its values are null."
    for name, *more in (("mbr",), ("corr", "-p", "ntk"), ("constrained", "-p", "ntk", "--resamples", "5")):
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
    for args in (("factors", "mb-mini", "-t", "ntk,zen"), ("factors", "mb-mini", "-t", "ntk,zen", "--bias")):
        told = {row["reason"] for row in answer(*args)["rows"] if row["target"] == "ntk"}
        assert len(told) == 1 and reason in told.pop()


def test_a_search_says_whom_it_searched_and_how_to_search_others():
    done = answer("hybrid", "r1-mini")
    assert done["searched"] == list(PAPER)
    assert sorted(done["searched"] + done["not_searched"]) == sorted(PROXIES)
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


def test_evaluate_shows_what_the_report_shows_and_names_the_other_columns(release):
    args = ("--release", release, "evaluate", "-", "r1-mini", *SHORT)
    lines = ask(*args, given=mine()).stdout.splitlines()
    blank = lines.index("")
    assert lines[0].startswith("yours is number ") and lines[blank - 1].endswith("be told from perfect.")
    assert lines[blank + 2].split() == [
        "proxy",
        "kendall",
        "spearman",
        "pearson",
        "best",
        "precision",
        "mbr",
        "mbr",
        "even",
    ]
    assert sum(line.startswith("wrcor_by_stage ") for line in lines) == 1  # one block in a pipe
    (note,) = re.findall(r"Only in --csv and --json, which have all columns: ([^.]*)\.", " ".join(lines))
    shown = {
        "proxy",
        *CORRELATIONS,
        "best_rank_at_k",
        "precision_at_top_k",
        "mbr_union",
        "mbr_union_pool",
        "even_mbr_union",
    }
    columns = list(answer(*args, given=mine())["rows"][0])
    assert note.split(", ") == [column for column in columns if column not in shown] and len(
        note.split(", ")
    ) + len(shown) == len(columns)


def test_archs_without_a_score_are_left_out_where_that_is_asked(release, bench):
    args = ("--release", release, "corr", "r1-mini", *SHORT)
    rows = {}
    for how in ("last", "omit"):
        wanted = bench.correlations("r1-mini", *SHORT[1::2], undefined=how).sorted("kendall", descending=True)
        rows[how] = answer(*args, "--undefined", how)["rows"]
        assert rows[how] == json.loads(wanted.to_json())["rows"]
    assert rows["omit"] != rows["last"] == answer(*args)["rows"]


def test_evaluate_leaves_out_archs_without_a_score_where_that_is_asked():
    scores = {ARCH: None, **{arch: number for number, arch in enumerate(FIRST)}}
    args = ("evaluate", "-", "r1-mini", *SHORT)
    report = Bench().evaluate(scores, "r1-mini", *SHORT[1::2], undefined="omit")
    found = answer(*args, "--undefined", "omit", given=json.dumps(scores))
    assert found["rows"] == json.loads(report.sorted.to_json())["rows"]
    assert "1 arch without a score of yours left out" in " ".join(found["notes"])
    assert found["rows"] != answer(*args, given=json.dumps(scores))["rows"]


LONG = "r1-mini:cifar10:val:cpu-16px-12"


def test_a_pool_to_judge_on_keeps_the_protocol_asked_for(release):
    args = ("--release", release, "hybrid", "r1-mini", *SHORT, "-p", "zen", "--judge", LONG)
    (row,) = answer(*args)["rows"]
    assert row["num_archs"] == 4
    (row,) = answer(*args, "--protocol", "std-32")["rows"]
    assert row["num_archs"] == 1  # of the four archs, one is scored under std-32


def test_hybrid_searches_judges_and_reports(release, bench):
    args = ("--release", release, "hybrid", "r1-mini", *SHORT, "-b", "3")
    pool = bench.pool("r1-mini", "cifar10", "cpu-16px-4")
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
        bench.pool("r1-mini", "cifar10", "cpu-16px-4", split="test"),
        bench.pool("r1-mini", "cifar10", "cpu-16px-12"),
        bench.pool("r1-mini", "cifar10", "cpu-16px-12", split="test"),
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
        (("--judge", "mb-mini:cifar10:train"), "has split 'train'; it is val or test"),
        (("--judge", "a:b:c:d:e"), "it is test, or SPACE[:DATASET[:SPLIT[:RECIPE]]]"),
    ):
        assert said in ask(*args, *wrong, status=2).stderr


@pytest.mark.parametrize("command", ["mbr", "corr", "constrained"])
def test_predicted_accuracies_are_named_so(command):
    found = answer(command, "r2-mini", "-p", "zen", "--accuracy", "predicted")
    assert "val predicted accuracy, from 100 trained networks" in found["title"]
    assert "N = 1,000" in found["title"]


def test_predicted_accuracies_of_the_test_split_are_refused():
    said = ask("mbr", "r2-mini", "--accuracy", "predicted", "--split", "test", status=2).stderr
    assert "val alone is predicted" in said
    said = ask("factors", "r2-mini", "--accuracy", "predicted", "--seed", "1", status=2).stderr
    assert "a prediction is of the runs of every seed" in said


def test_what_was_chosen_by_predictions_is_judged_by_measured_networks():
    found = answer(
        *("hybrid", "r2-mini", "--accuracy", "predicted", "--name", "sjw", "--judge", "test"),
    )
    seeds = {(row["split"], row["seed"], row["num_archs"]) for row in found["rows"]}
    assert seeds == {("val", "predicted", 1000), ("test", "0", 100)}
