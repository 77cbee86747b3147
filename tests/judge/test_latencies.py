"""Latencies as limits: pools, tables, reports, hybrids, transfer and searches."""

from pathlib import Path

import numpy as np
import pytest

from nbzero import Bench, judge
from nbzero.errors import NothingFoundError, UnknownNameError, UsageError
from nbzero.judge.pool import Pool
from nbzero.search import run
from tests.pools import make_pool
from tests.timed import CARD, MINE

NOTE = f"latency is that of setup {MINE}, in ms."


@pytest.fixture(scope="module")
def timed(timed_release: Path) -> Bench:
    return Bench(timed_release)


@pytest.fixture(scope="module")
def pool(timed: Bench) -> Pool:
    return timed.pool("r1-mini", "cifar10", "cpu-16px-4", proxies=["zen", "naswot"])


def by_hand(pool: Pool, proxy: str, limits: list[float], latencies: np.ndarray) -> float:
    """mBR of a proxy under limits, from its definition."""
    ranks = []
    for limit in limits:
        inside = np.flatnonzero(latencies <= limit)
        pick = inside[np.nanargmax(pool.scores[proxy][inside])]
        ranks.append((pool.accuracy[inside] > pool.accuracy[pick]).sum())
    return float(np.mean(ranks)) / len(pool)


def test_mbr_under_limits_on_latency_is_that_of_its_definition(timed: Bench, pool: Pool) -> None:
    limits = [1.05, 1.2, 1.4]
    for name, setup in (("latency", None), (f"latency:{MINE}", MINE), (f"latency:{CARD}", CARD)):
        there = [timed.query(arch).latency(setup) for arch in pool.archs]
        latencies = np.array(there, np.float64)
        assert np.array_equal(pool.cost(name), latencies, equal_nan=True)
        asked = limits if setup != CARD else [7.0, 8.0, 9.0]
        expected = by_hand(pool, "zen", asked, latencies)
        assert judge.mbr(pool, "zen", name, asked) == pytest.approx(expected)
        assert timed.mbr("r1-mini", "zen", "cifar10", "cpu-16px-4", costs=name, budgets=asked) == (
            pytest.approx(expected)
        )


def test_tables_name_the_setup_and_what_was_not_timed(pool: Pool) -> None:
    lacking = int(np.isnan(pool.cost("latency")).sum())
    assert 0 < lacking < len(pool)
    without = f"{NOTE} {lacking} of {len(pool)} archs have no latency, and are within no limit on it."
    for table in (judge.mbr_table(pool, "latency"), judge.constrained(pool, ["macs", "latency"])):
        assert without in table.notes
    assert set(judge.constrained(pool, "latency")["constraint"].tolist()) == {
        f"latency <= {limit:.6g}" for limit in np.sort(pool.cost("latency"))[[9, 19, 29, 39, 48]]
    }


def test_latencies_change_nothing_where_they_are_not_named(timed: Bench, bench: Bench, pool: Pool) -> None:
    assert set(pool.costs) == {"macs", "params", "depth"} and "latency" not in pool.scores_and_costs
    before = bench.pool("r1-mini", "cifar10", "cpu-16px-4", proxies=["zen", "naswot"])
    assert judge.mbr_table(pool).to_text() == judge.mbr_table(before).to_text()


def test_a_report_can_be_under_limits_on_latency_alone(timed: Bench, pool: Pool) -> None:
    report = judge.evaluate(pool, pool.costs["depth"], costs="latency")
    columns = [name for name in report.metrics.columns if name.startswith("mbr_")]
    assert columns == ["mbr_latency", "mbr_union", "mbr_latency_pool", "mbr_union_pool"]
    table = judge.mbr_table(pool, "latency")
    for name in ("zen", "naswot", "macs"):
        row, other = (next(one for one in of if one["proxy"] == name) for of in (report.metrics, table))
        assert row["mbr_latency"] == other["mbr_latency"]
    assert NOTE in report.notes and "by mBR over limits on latency, N = " in report.verdict
    assert "that of macs" in report.verdict
    again = timed.evaluate("zen", "r1-mini", "cifar10", "cpu-16px-4", costs=["latency", "macs"])
    assert {"mbr_latency", "mbr_macs"} <= set(again.metrics.columns)
    with pytest.raises(UsageError, match="costs is an empty list"):
        judge.evaluate(pool, "zen", costs=[])


def test_hybrids_and_transfer_take_archs_that_were_all_timed(pool: Pool) -> None:
    with pytest.raises(UsageError, match=r"a cost that all have, or .*pool.cost\('latency'\) > 0"):
        judge.best_hybrids(pool, costs="latency")
    whole = pool.only(pool.cost("latency") > 0)
    assert len(whole) == 49 and not np.isnan(whole.cost("latency")).any()
    assert judge.best_hybrids(whole, ["zen", "naswot"], costs="latency", draws=0).table()["mbr"].min() >= 0
    found = judge.transfer([whole, pool], metric="mbr", costs="latency", resamples=0)
    assert found.pools["reason"].tolist() == [None, "some archs of r1-mini have no latency"]


def test_a_pool_that_was_not_timed_says_what_measures_it(timed: Bench, pool: Pool) -> None:
    other = timed.pool("mb-mini", "cifar10", proxies=[])
    with pytest.raises(NothingFoundError, match=r"no latencies of mb-mini; python -m builders"):
        judge.mbr_table(other, "latency")
    with pytest.raises(UnknownNameError, match=f"did you mean 'latency:{MINE}'"):
        pool.cost("latency:cpu-1:mice")
    elsewhere = make_pool([0.5, 0.6], latencies={"cpu-1:other": np.ones(2)})
    with pytest.raises(NothingFoundError, match="where none is named; name one of latency:cpu-1:other"):
        elsewhere.cost("latency")


# Searches


@pytest.mark.parametrize("name", ["latency", f"latency:{MINE}"])
def test_a_search_keeps_within_a_limit_on_latency(timed: Bench, name: str) -> None:
    objective = timed.objective("r1-mini", "zen", "cifar10")
    history = run("r1-mini", objective, "random", 10, budget={name: 1.2, "macs": 1e7}, seed=0)
    assert len(history) == 10 and history.settings["budget"] == {f"latency:{MINE}": 1.2, "macs": 1e7}
    for arch in history.archs:
        record = timed.query(arch)
        assert record.latency() is not None and record.latency() <= 1.2 and record.macs <= 1e7


def test_a_search_of_predictions_keeps_to_what_was_timed(timed: Bench) -> None:
    objective = timed.objective("r1-mini", "macs", "cifar10")
    assert objective.archs is None
    history = run("r1-mini", objective, "random", 60, budget={"latency": 2.0, f"latency:{CARD}": 8.95})
    ids = {timed.query(arch).arch_id for arch in history.archs}
    assert ids <= set(range(1, 30)) and len(ids) > 10


def test_a_limit_on_latency_that_nothing_meets_is_said(timed: Bench) -> None:
    objective = timed.objective("r1-mini", "zen", "cifar10")
    with pytest.raises(NothingFoundError, match=rf"the least there is: latency:{MINE} 1.0"):
        run("r1-mini", objective, budget={"latency": 0.5})
    with pytest.raises(NothingFoundError, match="no latencies of mb-mini"):
        run("mb-mini", timed.objective("mb-mini", "macs", "cifar10"), budget={"latency": 0.5})
    with pytest.raises(UnknownNameError, match="no cost of r1-mini that a budget may limit named 'latency'"):
        run("r1-mini", len, budget={"latency": 0.5})
