"""Latencies in a release: written, verified, looked up, counted; what is wrong with them is said."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from builders.merge_shards import merged
from builders.work.commit import commit_release
from builders.work.rows import to_parquet
from builders.work.sources import rows_of
from nbzero import Bench
from nbzero.errors import ReleaseError, UnknownNameError, UsageError
from nbzero.release.held import held, summary
from nbzero.release.latencies import Timing
from nbzero.release.manifest import Release
from nbzero.release.values import latencies_of
from nbzero.release.verify import verify
from tests.timed import CARD, KEY, MINE, in_shard, latency_row, timed_rows


@pytest.fixture(scope="module")
def folder(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timed") / "release"
    commit_release(folder, made.as_tables({KEY: timed_rows()}), "0.3.0")
    return folder


@pytest.fixture(scope="module")
def timed(folder: Path) -> Bench:
    return Bench(folder)


def test_every_row_is_looked_up_as_it_was_written(timed: Bench) -> None:
    for row in timed_rows():
        record = timed.query(("r1-mini", row["arch_id"]))
        assert record.latency(row["setup"]) == row["latency_ms"]
        timing = record.timing(row["setup"])
        assert isinstance(timing, Timing) and timing.arch == record.arch
        assert {name: getattr(timing, name) for name in row if name != "arch_id"} == {
            name: value for name, value in row.items() if name != "arch_id"
        }
        assert timing.relative == row["latency_ms"] / row["reference_ms"]


def test_a_slow_moment_of_the_machine_cancels_out(made: SimpleNamespace, tmp_path: Path) -> None:
    """A setup's latencies are those at which its reference takes the median over its rows of all spaces."""
    took = [(0, 8.0), (1, 4.0), (2, 2.0)]
    rows = [latency_row(arch_id, reference_ms=reference) for arch_id, reference in took]
    rows.append(latency_row(2, CARD, reference_ms=50.0))
    others = [latency_row(0, reference_ms=4.0), latency_row(5, reference_ms=6.0)]
    tables = {KEY: rows, ("latencies", "mb-mini", None): others}
    commit_release(tmp_path / "release", made.as_tables(tables, ["r1-mini", "mb-mini"]), "0.3.0")
    verify(tmp_path / "release")
    b = Bench(tmp_path / "release")
    of_rows = [b.query(("r1-mini", arch_id)).latency(MINE) for arch_id in range(4)]
    assert of_rows == [1.0 * 4 / 8, 1.01 * 4 / 4, 1.02 * 4 / 2, None]  # the median of 2, 4, 4, 6, 8 is 4
    assert b.query(("mb-mini", 5)).latency() == pytest.approx(1.05 * 4 / 6)
    assert b.query(("r1-mini", 2)).latency(CARD) == 1.02  # alone, it is the usual one
    values = latencies_of(b.release, b.release.space("r1-mini"), MINE)
    assert values[:3].tolist() == of_rows[:3] and np.isnan(values[3:]).all()
    timing = b.query(("r1-mini", 0)).timing(MINE)
    assert timing is not None and (timing.latency_ms, timing.reference_ms) == (1.0, 8.0)


def test_the_setup_of_most_networks_is_meant_where_none_is_named(timed: Bench) -> None:
    assert timed.setups() == timed.setups("r1-mini") == [MINE, CARD] and timed.setups("r2-mini") == []
    record = timed.query(("r1-mini", 7))
    assert record.latency() == record.latency(MINE) == 1.07 != record.latency(CARD)
    assert timed.query(("r1-mini", 7)).timing() == record.timing(MINE)


def test_what_was_not_timed_is_none_with_a_reason(timed: Bench, bench: Bench) -> None:
    assert timed.query(("r1-mini", 0)).latency_reason() is None
    last = timed.query(("r1-mini", 40))
    assert last.latency(CARD) is None and last.timing(CARD) is None
    assert last.latency_reason(CARD) == f"this arch was not timed under {CARD}"
    for record in (timed.query(("r2-mini", 0)), bench.query(("r1-mini", 0))):
        assert record.latency() is None and record.timing() is None
        assert str(record.latency_reason()).startswith(f"the release has no latencies of {record.space}; ")
    with pytest.raises(UnknownNameError, match=f"no setup named 'cpu-1:nine'; did you mean '{MINE}'"):
        last.latency("cpu-1:nine")


def test_the_table_is_verified_and_read_whole(folder: Path, timed: Bench) -> None:
    assert "latencies/r1-mini.parquet: 80 rows" in verify(folder)
    assert timed.arrow("latencies", "r1-mini").num_rows == 80
    with pytest.raises(UsageError, match="archs and latencies are of no data set"):
        timed.arrow("latencies", "r1-mini", "cifar10")
    stored = pq.ParquetFile(folder / "latencies/r1-mini.parquet").read()
    assert stored.column("space").unique().to_pylist() == ["r1-mini"] and "dataset" not in stored.column_names


def test_timed_networks_are_counted(timed: Bench) -> None:
    assert {(row.space, row.timed) for row in held(timed.release)} == {
        ("r1-mini", 50),
        ("r2-mini", 0),
        ("mb-mini", 0),
    }
    assert summary(timed.release).endswith(", 0 predicted, 50 timed.")


def test_another_machine_under_the_same_setup_is_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    rows = [latency_row(0), latency_row(1, device="another")]
    commit_release(tmp_path / "release", made.as_tables({KEY: rows}, ["r1-mini"]), "0.1.0")
    said = f"setup {MINE} has device 'that of {MINE}' of arch_id 0 and 'another' of arch_id 1; a setup is"
    with pytest.raises(ReleaseError, match=re.escape(said)):
        verify(tmp_path / "release")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"latency_q1_ms": 2.0}, "latency_ms 1.0 is not within its quartiles, 2.0 and 1.2"),
        ({"latency_ms": 0.0}, "latency_ms: 0.0 outside"),
        ({"setup": "a setup"}, "setup: 'a setup' is no name"),
    ],
)
def test_rows_that_cannot_be_are_refused(changed, said, made: SimpleNamespace, tmp_path: Path) -> None:
    rows = [latency_row(0, **changed)]
    commit_release(tmp_path / "release", made.as_tables({KEY: rows}, ["r1-mini"]), "0.1.0")
    with pytest.raises(ReleaseError, match=re.escape(said)):
        verify(tmp_path / "release")


# Merging


def shard(path: Path, rows: list[dict]) -> str:
    path.write_bytes(to_parquet("latencies", [in_shard(row) for row in rows]))
    return str(path)


def test_shards_are_merged_and_the_first_timing_stays(made: SimpleNamespace, tmp_path: Path) -> None:
    first = shard(tmp_path / "one.parquet", [latency_row(0), latency_row(1)])
    again = latency_row(1, latency_ms=1.1, software="made 2.0")
    second = shard(tmp_path / "two.parquet", [again, latency_row(2), latency_row(2, CARD)])
    merge = merged(made.as_tables({}, ["r1-mini"]), [first, second], "0.1.0")
    assert (merge.new, merge.known) == (4, 1)
    commit_release(tmp_path / "release", merge.tables(), "0.1.0")
    assert len(verify(tmp_path / "release")) == 3
    made_of = Bench(tmp_path / "release").arrow("latencies", "r1-mini").to_pylist()
    assert [(row["setup"], row["latency_ms"]) for row in made_of] == [
        (MINE, 1.0),
        (MINE, 1.01),
        (MINE, 1.02),
        (CARD, 1.02),
    ]
    onto = merged(Release.open(tmp_path / "release").tables(), [second], "0.1.0")
    assert (onto.new, onto.known) == (0, 3)
    listed = [found for found in rows_of(str(tmp_path / "release")) if found.key == KEY]
    assert len(listed) == 4


@pytest.mark.parametrize("arch_id", [0, 1])
def test_rows_of_two_machines_are_not_merged(arch_id, made: SimpleNamespace, tmp_path: Path) -> None:
    base = made.as_tables({KEY: [in_shard(latency_row(0))]}, ["r1-mini"])
    foreign = shard(tmp_path / "one.parquet", [latency_row(arch_id, device="another")])
    with pytest.raises(ReleaseError, match="a setup is of one machine and its settings"):
        merged(base, [foreign], "0.1.0").tables()
