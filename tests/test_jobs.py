"""The jobs as a user runs them, on real digits: shards, resuming after a kill, scores filled in later, what bad input says."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from builders import score_shard, train_shard
from builders.shards import (
    Folder,
    Job,
    all_devices,
    parse_range,
    parse_shard,
    planned_units,
    read_shard,
    to_h5,
    to_json,
    to_parquet,
    units_of_shard,
)
from nbzero.errors import OutputError, ReleaseError
from nbzero.release.schema import DATA_VERSION, TABLES
from tests.places import ROOT

TRAIN = ["--space", "r1-mini", "--dataset", "digits", "--recipe", "cpu-16px-4"]
SCORE = ["--space", "r1-mini", "--dataset", "digits"]
SHARD = "runs-r1-mini-digits-cpu-16px-4-0000-of-0001"
NOT_COMPARED = {c.name for columns in TABLES.values() for c in columns if not c.same}


def rows_in(path: Path) -> list[dict]:
    """The rows of a shard file, without what two honest repetitions may differ in."""
    return [
        {k: v for k, v in row.items() if k not in NOT_COMPARED}
        for row in read_shard(path.read_bytes(), str(path)).rows
    ]


def a_row(arch_id: int = 0, **changes: object) -> dict:
    row = {
        "arch_id": arch_id,
        "recipe": "cpu-16px-4",
        "seed": 0,
        "status": "ok",
        "val_acc": 0.1 + 0.2,  # no short decimal
        "test_acc": 1 / 3,
        "train_loss": 1.5,
        "curve": [0.125, 0.1 + 0.2],
        "train_time_s": 3.25,
        "device": "a card",
        "engine": "local",
        "software": "torch",
        "builder_commit": "abc",
        "space": "r1-mini",
        "dataset": "digits",
        "arch": "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2",
    }
    return row | changes


@given(st.integers(0, 200), st.integers(1, 30))
def test_shards_share_the_units_without_rest_or_overlap(num_units, num_shards):
    shards = [units_of_shard(num_units, s, num_shards) for s in range(num_shards)]
    assert sorted(unit for shard in shards for unit in shard) == list(range(num_units))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_units_are_the_first_of_the_build_order_with_all_their_seeds():
    members = [f"arch{i}" for i in range(5)]
    assert planned_units(members, parse_range("1:3"), (0, 1), 0, 1) == [
        (1, "arch1", 0),
        (1, "arch1", 1),
        (2, "arch2", 0),
        (2, "arch2", 1),
    ]
    with pytest.raises(ValueError, match="archs up to 6; the space has 5"):
        planned_units(members, parse_range("6"), (0,), 0, 1)


@pytest.mark.parametrize("text", ["3", "3/3", "4/3", "-1/3", "a/b", "1/0", ""])
def test_a_malformed_shard_is_refused(text):
    with pytest.raises(ValueError, match=r"it is like 3/40"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["0", "5:5", "7:3", "-4", "x", "1:2:3"])
def test_a_malformed_range_is_refused(text):
    with pytest.raises(ValueError, match="FIRST:LAST"):
        parse_range(text)


def test_devices_are_cores_or_cards():
    assert all_devices(3, "cpu") == ["cpu"] * 3
    assert len(all_devices(None, "cpu")) >= 1
    with pytest.raises(ValueError, match="this machine has cpu"):
        all_devices(None, "cuda:99")
    with pytest.raises(ValueError, match="workers is 0"):
        all_devices(0, "cpu")


# Files


ROWS = [
    a_row(),
    a_row(2, seed=1),
    a_row(3, status="diverged", val_acc=None, test_acc=None, train_loss=None, curve=[]),
]


@pytest.mark.parametrize(("encode", "suffix"), [(to_parquet, ".parquet"), (to_h5, ".h5")])
def test_a_shard_reads_back_bit_for_bit(encode, suffix):
    data = encode("runs", ROWS)
    shard = read_shard(data, f"x{suffix}")
    assert (shard.table, shard.data_version, shard.rows) == ("runs", DATA_VERSION, ROWS)
    assert encode("runs", ROWS) == data  # nothing of the clock in it
    assert read_shard(encode("runs", []), f"x{suffix}").rows == []


def test_a_score_shard_keeps_nulls_infinities_and_reasons():
    scores = {c.name: 1.5 for c in TABLES["scores"] if c.kind == "float64"}
    row = {
        "arch_id": 0,
        "protocol": "std-16",
        "seed": 0,
        "device": "d",
        "software": "s",
        "builder_commit": "c",
        "failures": None,
        **scores,
    }
    row |= {name: a_row()[name] for name in ("space", "dataset", "arch")}
    rows = [row, row | {"seed": 1, "naswot": float("-inf"), "zen": None, "failures": '{"zen": "why"}'}]
    for encode, name in ((to_parquet, "x.parquet"), (to_h5, "x.h5")):
        assert read_shard(encode("scores", rows), name).rows == rows
    assert [read_shard(to_json("scores", one), "x.json").rows[0] for one in rows] == rows


@pytest.mark.parametrize("suffix", [".parquet", ".h5", ".json"])
def test_a_truncated_or_corrupted_file_is_named(suffix):
    data = {
        ".parquet": lambda: to_parquet("runs", ROWS),
        ".h5": lambda: to_h5("runs", ROWS),
        ".json": lambda: to_json("runs", ROWS[0]),
    }[suffix]()
    for damaged in (data[: len(data) // 2], b"", b"\0" * 64):
        with pytest.raises(ReleaseError, match=rf"some/x\{suffix} is truncated or corrupted"):
            read_shard(damaged, f"some/x{suffix}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"val_acc": 94.1}, r"val_acc: 94.1 outside \[0, 1\] fraction in row 0"),
        ({"val_acc": None}, "status 'ok' but val_acc, test_acc, train_loss"),
        ({"status": "fine"}, "'fine' is none of ok, diverged"),
        ({"seed": -1}, "seed: -1 outside"),
        ({"seed": 1.5}, "seed: 1.5 is no int32"),
        ({"curve": [2.0]}, "curve: 2.0 outside"),
        ({"test_acc": float("nan")}, "test_acc: NaN; what is absent is null"),
        ({"arch": None}, "lacks one of space, dataset, arch"),
        ({"extra": 1}, r"unknown columns \['extra'\]"),
    ],
)
def test_a_row_with_a_wrong_value_is_refused(change, said):
    with pytest.raises(ReleaseError, match=said):
        read_shard(to_json("runs", a_row(**change)), "x.json")


def test_foreign_files_are_refused():
    with pytest.raises(ReleaseError, match=r"x\.csv is no shard"):
        read_shard(b"", "x.csv")
    other = json.loads(to_json("runs", a_row())) | {"schema_version": 99}
    with pytest.raises(ReleaseError, match="schema version 99"):
        read_shard(json.dumps(other).encode(), "x.json")
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    with pytest.raises(ReleaseError, match=r"x\.parquet is no shard of this project"):
        read_shard(sink.getvalue(), "x.parquet")


def test_a_folder_may_be_any_fsspec_url():
    folder = Folder("memory://a-test-of-folders")
    folder.write("one/x.json", b"1")
    folder.write("y.parquet.part", b"half")
    assert folder.names() == ["one/x.json"] and folder.read("one/x.json") == b"1"
    folder.remove("one")
    assert folder.names() == [] and folder.names("absent") == []


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = Folder(tmp_path)
    folder.write("x.json", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*x\.json: No space left on device; free space"):
        folder.write("x.json", b"new")
    assert (tmp_path / "x.json").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


# Whole jobs


def started(module: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    """Three archs with two seeds, in one go."""
    out = tmp_path_factory.mktemp("whole")
    assert (
        train_shard.main(
            [
                *TRAIN,
                "--archs",
                "3",
                "--seeds",
                "0",
                "1",
                "--workers",
                "2",
                "--device",
                "cpu",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    return out


def test_a_job_leaves_one_file_with_a_row_per_unit(uninterrupted):
    assert [path.name for path in uninterrupted.iterdir()] == [f"{SHARD}.parquet"]
    rows = read_shard((uninterrupted / f"{SHARD}.parquet").read_bytes(), SHARD + ".parquet").rows
    assert [(row["arch_id"], row["seed"]) for row in rows] == [(a, s) for a in range(3) for s in (0, 1)]
    assert all(row["status"] == "ok" and row["train_time_s"] > 0 and len(row["curve"]) == 4 for row in rows)
    assert all(
        row["device"] and row["software"].startswith("torch ") and len(row["builder_commit"]) >= 6
        for row in rows
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_job_stopped_at_any_moment_goes_on_and_ends_the_same(how, uninterrupted, tmp_path):
    out = tmp_path / "out"
    arguments = [*TRAIN, "--archs", "3", "--seeds", "0", "1", "--device", "cpu", "--out", str(out)]
    job = started("builders.train_shard", *arguments, "--workers", "1")
    units = out / SHARD
    wait_for(lambda: units.exists() and len(list(units.glob("*.json"))) >= 2)
    if how == signal.SIGKILL:
        job.kill()  # the parent alone: its worker must notice
    else:
        os.killpg(job.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    _, said = job.communicate(timeout=60)
    assert job.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), said
    if how == signal.SIGINT:
        assert "interrupted; run the same command again" in said and "Traceback" not in said
    time.sleep(2.5)  # a worker looks for its parent every second
    kept = {path.name: path.stat().st_mtime_ns for path in units.glob("*.json")}
    assert 2 <= len(kept) < 6 and not list(out.glob("*.parquet"))
    time.sleep(1.5)
    assert {path.name: path.stat().st_mtime_ns for path in units.glob("*.json")} == kept, (
        "an orphan goes on training"
    )
    before = {
        row["arch_id"] * 10 + row["seed"]: row["train_time_s"]
        for p in units.glob("*.json")
        for row in read_shard(p.read_bytes(), p.name).rows
    }

    assert train_shard.main([*arguments, "--workers", "1"]) == 0
    assert [path.name for path in out.iterdir()] == [f"{SHARD}.parquet"]
    assert rows_in(out / f"{SHARD}.parquet") == rows_in(uninterrupted / f"{SHARD}.parquet")
    after = read_shard((out / f"{SHARD}.parquet").read_bytes(), "x.parquet").rows
    times = {row["arch_id"] * 10 + row["seed"]: row["train_time_s"] for row in after}
    assert all(times[key] == value for key, value in before.items()), "a finished network was trained again"


def test_a_rerun_does_nothing_and_more_archs_add_to_it(uninterrupted, tmp_path, capsys):
    file = tmp_path / f"{SHARD}.parquet"
    file.write_bytes((uninterrupted / file.name).read_bytes())
    assert train_shard.main([*TRAIN, "--archs", "3", "--seeds", "0", "1", "--out", str(tmp_path)]) == 0
    assert file.read_bytes() == (uninterrupted / file.name).read_bytes()
    assert "seed" not in capsys.readouterr().err
    assert (
        train_shard.main(
            [
                *TRAIN,
                "--archs",
                "4",
                "--seeds",
                "0",
                "--workers",
                "1",
                "--format",
                "h5",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert [path.name for path in tmp_path.iterdir()] == [f"{SHARD}.h5"]
    rows = rows_in(tmp_path / f"{SHARD}.h5")
    assert len(rows) == 7 and rows[:6] == rows_in(uninterrupted / file.name) and rows[6]["arch_id"] == 3


def test_shards_of_two_jobs_are_the_units_of_one(uninterrupted, tmp_path):
    for shard in ("0/2", "1/2"):
        assert (
            train_shard.main(
                [
                    *TRAIN,
                    "--archs",
                    "2",
                    "--seeds",
                    "0",
                    "--shard",
                    shard,
                    "--workers",
                    "1",
                    "--out",
                    str(tmp_path),
                ]
            )
            == 0
        )
    rows = [row for path in sorted(tmp_path.iterdir()) for row in rows_in(path)]
    assert rows == [
        row for row in rows_in(uninterrupted / f"{SHARD}.parquet") if row["arch_id"] < 2 and row["seed"] == 0
    ]


def test_a_later_proxy_fills_only_what_is_missing(tmp_path):
    whole, later = tmp_path / "whole", tmp_path / "later"
    common = [*SCORE, "--archs", "2", "--seeds", "0", "1", "--workers", "1", "--format", "parquet"]
    name = "scores-r1-mini-digits-std-16-0000-of-0001.parquet"
    assert score_shard.main([*common, "--out", str(whole)]) == 0
    assert score_shard.main([*common, "--proxies", "synflow", "params", "--out", str(later)]) == 0
    first = read_shard((later / name).read_bytes(), name).rows
    assert all(
        row["synflow"] is not None and row["naswot"] is None and row["failures"] is None for row in first
    )
    assert score_shard.main([*common, "--out", str(later)]) == 0
    second = read_shard((later / name).read_bytes(), name).rows
    assert [row["synflow_s"] for row in second] == [row["synflow_s"] for row in first], (
        "synflow was computed again"
    )
    assert rows_in(later / name) == rows_in(whole / name)
    assert len({row["zen"] for row in second}) == 4 and all(row["trace_s"] > 0 for row in second)


@pytest.mark.parametrize(
    ("job", "changes", "said"),
    [
        (train_shard, {"--space": "r1-min"}, "no space named 'r1-min'; did you mean 'r1-mini'"),
        (train_shard, {"--dataset": "cifar-10"}, "no dataset named 'cifar-10'; did you mean 'cifar10'"),
        (train_shard, {"--recipe": "gpu12"}, "no recipe named 'gpu12'; did you mean 'gpu-12'"),
        (train_shard, {"--shard": "5/5"}, "shard '5/5'; it is like 3/40"),
        (train_shard, {"--archs": "1001"}, "archs up to 1001; the space has 1000"),
        (train_shard, {"--seeds": "-1"}, "seed -1; seeds are whole numbers from 0"),
        (train_shard, {"--device": "tpu"}, "device 'tpu'; this machine has cpu"),
        (train_shard, {"--dataset": "cifar10", "--images": "/nowhere"}, "/nowhere: does not exist"),
        (
            score_shard,
            {"--proxies": "zen_score"},
            "no proxy named 'zen_score'; did you mean 'zen_no_shortcut' or 'zen'",
        ),
        (score_shard, {"--protocol": "std16"}, "no protocol named 'std16'; did you mean 'std-16'"),
    ],
)
def test_bad_arguments_say_what_is_allowed(job, changes, said, tmp_path, capsys):
    given = (
        dict(zip(TRAIN[::2], TRAIN[1::2], strict=True))
        | {"--out": str(tmp_path / "out"), "--archs": "1"}
        | changes
    )
    if job is score_shard:
        del given["--recipe"]
    assert job.main([f"{name}={value}" for name, value in given.items()]) == 2
    assert f"error: {said}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_images_that_are_absent_or_damaged_stop_the_job_with_their_name(tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = [
        "--space",
        "r1-mini",
        "--dataset",
        "cifar10",
        "--recipe",
        "cpu-16px-4",
        "--archs",
        "1",
        "--workers",
        "1",
    ]
    assert train_shard.main([*arguments, "--images", str(empty), "--out", str(tmp_path / "out")]) == 2
    assert f"error: {empty}: no images of 'cifar10'" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert (
        train_shard.main([*TRAIN, "--archs", "1", "--workers", "1", "--out", str(tmp_path / "file" / "out")])
        == 2
    )
    assert (
        f"error: cannot make the folder {tmp_path}/file/out: Not a directory; name another --out"
        in capsys.readouterr().err
    )


def test_a_folder_with_rows_of_another_job_is_refused(tmp_path, capsys):
    (tmp_path / f"{SHARD}.parquet").write_bytes(to_parquet("runs", [a_row(recipe="gpu-12")]))
    assert train_shard.main([*TRAIN, "--archs", "1", "--out", str(tmp_path)]) == 2
    assert "not of ['r1-mini', 'digits', 'cpu-16px-4']; choose another folder" in capsys.readouterr().err


def test_a_damaged_shard_is_not_overwritten(tmp_path, capsys):
    damaged = to_parquet("runs", [a_row()])[:-20]
    (tmp_path / f"{SHARD}.parquet").write_bytes(damaged)
    assert train_shard.main([*TRAIN, "--archs", "1", "--out", str(tmp_path)]) == 2
    assert "truncated or corrupted" in capsys.readouterr().err
    assert (tmp_path / f"{SHARD}.parquet").read_bytes() == damaged


def test_a_job_describes_itself_by_its_shard():
    job = Job("runs", "runs-x", "r1-mini", "digits", [], 3, 40, train_shard.start, {}, {"recipe": "gpu-12"})
    assert job.stem == "runs-x-0003-of-0040"
