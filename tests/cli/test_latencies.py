"""Latencies in the commands: looked up, counted, as a limit of a table, of a report, of a search."""

import json

import pytest

from nbzero import Bench
from nbzero.judge import mbr
from tests.cli.asking import ARCH, SHORT, answer, ask
from tests.timed import CARD, MINE


def test_query_shows_every_setup_and_why_one_is_lacking(timed_release):
    rows = [
        row for row in answer("--release", timed_release, "query", "r1-mini:40")["rows"] if row["setting"]
    ]
    timed = [row for row in rows if row["part"] == "latency"]
    values = {row["name"]: row["value"] for row in timed if row["setting"] == MINE}
    timing = Bench(timed_release).query(("r1-mini", 40)).timing()
    assert values["latency_ms"] == 1.4 and values["relative"] == timing.relative == 1.4 / 4
    assert values["device"] == timing.device and values["repeats"] == 40
    (lacking,) = [row for row in timed if row["setting"] == CARD]
    assert lacking["value"] is None and lacking["reason"] == f"this arch was not timed under {CARD}"
    printed = ask("--release", timed_release, "query", ARCH).stdout
    assert f"latency: {MINE}\n" in printed


def test_info_counts_latencies(timed_release):
    given = answer("--release", timed_release, "info")
    timed = [row for row in given["rows"] if row["kind"] == "latencies"]
    assert [(row["space"], row["dataset"], row["setting"], row["rows"]) for row in timed] == [
        ("r1-mini", None, MINE, 50),
        ("r1-mini", None, CARD, 30),
    ]
    assert any("80 latencies" in note for note in given["notes"])


@pytest.mark.parametrize("cost", ["latency", f"latency:{CARD}"])
def test_a_latency_is_a_limit_where_it_is_named(timed_release, cost):
    asked = ("--release", timed_release, "mbr", "r1-mini", *SHORT, "-p", "zen", "--cost", cost)
    pool = Bench(timed_release).pool("r1-mini", "cifar10", "cpu-16px-4", proxies=["zen"])
    rows = {row["proxy"]: row[f"mbr_{cost}"] for row in answer(*asked)["rows"]}
    assert rows["zen"] == pytest.approx(mbr(pool, "zen", cost))


def test_evaluate_takes_costs(timed_release):
    scores = json.dumps({arch: number for number, arch in enumerate(Bench().space("r1-mini").members[:40])})
    asked = ("--release", timed_release, "evaluate", "-", "r1-mini", *SHORT, "--cost", "latency,macs")
    given = answer(*asked, given=scores)
    assert {"mbr_latency", "mbr_macs"} <= set(given["rows"][0]) and "mbr_depth" not in given["rows"][0]
    assert any("limits on latency and macs" in note for note in given["notes"])


def test_search_keeps_a_limit_on_latency(timed_release):
    asked = ("--release", timed_release, "search", "r1-mini", "-o", "zen", "-n", "5")
    rows = answer(*asked, "--budget", f"latency:{MINE}=1.2,macs=2e7")["rows"]
    bench = Bench(timed_release)
    assert len(rows) == 5 and all(bench.query(row["arch"]).latency() <= 1.2 for row in rows)
