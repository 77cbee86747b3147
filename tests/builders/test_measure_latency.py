"""Timing networks as a user does: rows, resuming, wrong options. The numbers are of a made watch."""

import dataclasses
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from builders import measure_latency, merge_shards
from builders.work import timing
from builders.work.lock import locked
from builders.work.timing import SETUPS, Setup, timed
from nbzero import Bench
from nbzero.files import cache_folder
from nbzero.release.latencies import OF_SETUP

# Two of the smallest networks of the space.
GIVEN = ["--space", "r1-mini", "--archs", "444:446", "--base", "none", "--machine", "mine"]
NAME = "latencies-r1-mini-cpu-1-mine-0000-of-0001.parquet"
QUICK = Setup("cpu", 1, resolution=8, warm_up=1, turn=1, repeats=2, seconds=0.0, error=1e9)


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch, in_this_process: None) -> list[bool]:
    """Few passes of small images, in this process, which keeps its cores; marks where it would leave them."""
    marks: list[bool] = []
    monkeypatch.setitem(SETUPS, "cpu-1", QUICK)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(measure_latency, "stay_on_one_core", lambda: marks.append(True))
    return marks


def measure(*given: str) -> int:
    return measure_latency.main([*GIVEN, *given])


def test_every_network_gets_a_row(rows_in, small, pinned, tmp_path, capsys):
    assert measure("--out", str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{tmp_path}/{NAME}: 2 timed networks of r1-mini"
    rows = rows_in(tmp_path / NAME, whole=True)
    assert [row["arch_id"] for row in rows] == [444, 445]
    for row in rows:
        assert row["setup"] == "cpu-1:mine" and row["repeats"] == 2
        assert 0 < row["latency_q1_ms"] <= row["latency_ms"] <= row["latency_q3_ms"]
        assert row["reference_ms"] > row["latency_ms"]
        assert {name: row[name] for name in OF_SETUP} == {name: getattr(QUICK, name) for name in OF_SETUP}
    assert pinned == [True]

    release = small("release")
    assert merge_shards.main([str(tmp_path / NAME), "--out", str(release)]) == 0
    record, first = Bench(release).query(("r1-mini", 444)), rows[0]
    assert record.timing().latency_ms == first["latency_ms"]
    usual = np.median([row["reference_ms"] for row in rows])
    assert record.latency() == pytest.approx(first["latency_ms"] * usual / first["reference_ms"])
    given = ["--base", str(release), "--out", str(tmp_path / "none")]
    assert measure(*given) == 0 and not (tmp_path / "none").exists()
    assert "has 2 of 2 units; nothing to compute" in capsys.readouterr().out


def test_what_is_finished_is_not_timed_again(rows_in, tmp_path, monkeypatch):
    """The second network ends the job like a kill; the same command goes on with it."""
    build = timing.build_net

    def killed_at_the_second(arch, num_classes):
        if arch == Bench().query(("r1-mini", 445)).arch:
            raise KeyboardInterrupt
        return build(arch, num_classes)

    monkeypatch.setattr(timing, "build_net", killed_at_the_second)
    assert measure("--out", str(tmp_path)) == 130
    (unit,) = tmp_path.rglob("*.json")
    (first,) = rows_in(unit, whole=True)
    monkeypatch.setattr(timing, "build_net", build)
    assert measure("--out", str(tmp_path)) == 0
    rows = rows_in(tmp_path / NAME, whole=True)
    assert len(rows) == 2 and rows[0] == first and not list(tmp_path.rglob("*.json"))
    before = (tmp_path / NAME).read_bytes()
    assert measure("--out", str(tmp_path)) == 0 and (tmp_path / NAME).read_bytes() == before


def test_a_loaded_machine_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 0.0, 0.0))
    assert measure("--time-limit", "0s", "--out", str(tmp_path)) == 0
    said = capsys.readouterr()
    assert "warning: others use this machine" in said.err and "a load of 1.50" in said.err
    assert "0 of 2 timed networks of r1-mini; nothing was begun" in said.out


def test_another_of_these_jobs_is_not_joined(tmp_path, monkeypatch, capsys):
    with locked(cache_folder(), name=measure_latency.LOCK):
        monkeypatch.setattr("builders.work.lock._held", set())
        assert measure("--out", str(tmp_path)) == 2
    assert f"is in use by process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--space", "r1-min"], "no space that is timed named 'r1-min'; did you mean 'r1-mini'"),
        (["--space", "nb201"], "no space that is timed named 'nb201'"),
        (["--setup", "cpu-2"], "no setup named 'cpu-2'; did you mean 'cpu-1'"),
        (["--machine", "my machine"], "machine 'my machine'; it is a short name of letters"),
        (["--machine", "a:b"], "machine 'a:b'; it is a short name of letters"),
        (["--device", "cuda"], "--device cuda with --setup cpu-1, which is of cpu; name another setup"),
        (["--archs", "1001"], "archs up to 1001; the space has 1000"),
    ],
)
def test_what_cannot_be_timed_is_said(given, said, tmp_path, capsys):
    assert measure(*given, "--out", str(tmp_path / "out")) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a card")
def test_a_card_that_is_not_there_is_said(tmp_path, capsys):
    assert measure("--setup", "cuda-256", "--out", str(tmp_path)) == 2
    assert "device 'cuda'; this machine has cpu" in capsys.readouterr().err


def test_a_setup_with_other_settings_is_not_mixed_in(tmp_path, monkeypatch, capsys):
    assert measure("--archs", "444:445", "--out", str(tmp_path)) == 0
    monkeypatch.setitem(SETUPS, "cpu-1", Setup("cpu", 1, resolution=16, warm_up=1, turn=1, repeats=2))
    assert measure("--out", str(tmp_path)) == 2
    assert "of cpu-1:mine with other settings (error" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_a_process_stays_on_one_core():
    cores = os.sched_getaffinity(0)
    try:
        timing.stay_on_one_core()
        assert os.sched_getaffinity(0) == {max(cores)}
    finally:
        os.sched_setaffinity(0, cores)


# When a timing ends, with times that are made


def with_times(setup: Setup, own: list[float], other: list[float]) -> tuple[timing.Timed, SimpleNamespace]:
    """Time two networks whose passes take these times, over and over, after the warm-up."""
    calls = SimpleNamespace(net=0, reference=0)
    times = {"net": own, "reference": other}

    def watch(net, images):
        number = getattr(calls, net) - setup.warm_up
        setattr(calls, net, getattr(calls, net) + 1)
        return 1e6 if number < 0 else times[net][number % len(times[net])]

    return timed("net", "reference", None, setup, watch), calls


def test_quartiles_are_of_the_passes_after_the_warm_up():
    setup = Setup("cpu", 1, warm_up=3, turn=5, repeats=15, seconds=0.0, error=1.0, spread=9.0)
    found, calls = with_times(setup, [1.0, 2.0, 3.0, 4.0, 10.0], [5.0, 6.0, 8.0])
    assert found == (2.0, 3.0, 4.0, 15, 6.0)
    assert (calls.net, calls.reference) == (18, 18)


def test_a_timing_ends_when_its_median_is_known_or_its_time_is_over():
    steady, _ = with_times(Setup("cpu", 1), [1.0], [4.0])
    assert steady.repeats == 60  # 0.3 s of both
    noisy, _ = with_times(Setup("cpu", 1, spread=1.0), [0.8, 0.8, 1.2, 1.2, 1.0], [4.0])
    error = 0.93 * 0.4 / np.sqrt(noisy.repeats)
    assert noisy.repeats == 400 and error > 0.01  # 2 s of both are over before its error is small
    wide, _ = with_times(Setup("cpu", 1, most_s=100.0, spread=1.0), [0.8, 0.8, 1.2, 1.2, 1.0], [4.0])
    assert wide.repeats == 1385 and 0.93 * 0.4 / np.sqrt(wide.repeats) <= 0.01
    slow, _ = with_times(Setup("cpu", 1), [300.0], [4.0])
    assert slow.repeats == 15


def test_a_timing_that_was_disturbed_is_repeated_and_the_steadiest_stays():
    setup = Setup("cpu", 1, warm_up=0, turn=1, repeats=4, seconds=0.0, error=1.0)
    disturbed, worse, calm = [1.0, 1.0, 3.0, 3.0], [2.0, 2.0, 9.0, 9.0], [1.0, 1.0, 1.0, 1.0]
    found, calls = with_times(setup, [*disturbed, *calm, *worse], [5.0])
    assert (found.median, calls.net, calls.reference) == (1.0, 8, 8)
    found, calls = with_times(setup, [*worse, *disturbed, *worse, *calm], [5.0])
    assert (found.q1, found.median, found.q3, calls.net) == (1.0, 2.0, 3.0, 12)  # three times at most
    found, calls = with_times(setup, calm, [*disturbed, *calm])  # the reference too
    assert (found.reference, calls.net) == (1.0, 8)
    once = dataclasses.replace(setup, tries=1)
    assert with_times(once, [*worse, *calm], [5.0])[1].net == 4
