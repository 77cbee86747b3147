"""Training as a user runs it, on real digits: shards, going on after a kill, a rerun."""

import dataclasses
import signal

import pytest

from builders import merge_shards, train_shard
from builders.work import limit, rates
from builders.work.base import members_of_space
from builders.work.command import ENGINES
from builders.work.origin import device_name
from builders.work.rates import Key
from nbzero import Bench
from nbzero.spaces.macro import macs
from tests.builders.conftest import engine_here
from tests.builders.made import wait_until
from tests.builders.work import few
from train import bfloat16
from train.recipe import RECIPES, recipe

# Two of the smallest networks of the space, and the next one.
FIRST, LAST = 443, 445
TRAIN = ["--space", "r1-mini", "--dataset", "digits", "--recipe", "cpu-16px-4", "--device", "cpu"]
TWO_SEEDS = [*TRAIN, "--archs", f"{FIRST}:{LAST}", "--seeds", "0", "1"]
SHARD = "runs-r1-mini-digits-cpu-16px-4-0000-of-0001"


@pytest.fixture(scope="module", autouse=True)
def few_images():
    """Of the digits a few hundred, in this process and in workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_shard, "load", few.load_few)
        patch.setattr(train_shard, "start", few.start)
        yield


@pytest.fixture(scope="module")
def uninterrupted(few_images, tmp_path_factory):
    """Two archs with two seeds, in one go, in this process."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "local", engine_here)
        assert train_shard.main([*TWO_SEEDS, "--out", str(out)]) == 0
    return out / f"{SHARD}.parquet"


def test_a_job_leaves_one_file_with_a_row_per_unit(uninterrupted, rows_in):
    assert [path.name for path in uninterrupted.parent.iterdir()] == [f"{SHARD}.parquet"]
    rows = rows_in(uninterrupted, whole=True)
    assert [(row["arch_id"], row["seed"]) for row in rows] == [
        (arch_id, seed) for arch_id in range(FIRST, LAST) for seed in (0, 1)
    ]
    assert len({row["train_loss"] for row in rows}) == 4
    for row in rows:
        assert row["status"] == "ok" and row["train_time_s"] > 0 and len(row["curve"]) == 4
        assert row["device"].endswith(", 1 thread") and row["software"].startswith("torch ")
        assert row["engine"] == "local" and len(row["builder_commit"]) >= 6


@pytest.mark.long
def test_two_workers_give_the_same_rows(uninterrupted, rows_in, tmp_path):
    assert train_shard.main([*TWO_SEEDS, "--workers", "2", "--out", str(tmp_path)]) == 0
    assert rows_in(tmp_path / uninterrupted.name) == rows_in(uninterrupted)


@pytest.mark.long
def test_networks_side_by_side_give_the_same_rows(uninterrupted, rows_in, tmp_path):
    assert train_shard.main([*TWO_SEEDS, "--workers", "1", "--together", "3", "--out", str(tmp_path)]) == 0
    assert rows_in(tmp_path / uninterrupted.name) == rows_in(uninterrupted)
    for row in rows_in(tmp_path / uninterrupted.name, whole=True):
        assert row["engine"] == "local, 3 together"


@pytest.mark.parametrize("together", ["0", "33"])
def test_a_number_together_that_cannot_be(together, tmp_path, capsys):
    assert train_shard.main([*TWO_SEEDS, "--together", together, "--out", str(tmp_path / "out")]) == 2
    assert f"together {together}; it is a whole number from 1 to 32" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_job_that_is_killed_goes_on_and_ends_the_same(
    uninterrupted, start_job, in_this_process, rows_in, tmp_path
):
    """What its worker computed is to the bit what this process computes."""
    out = tmp_path / "out"
    job = start_job("tests.builders.work.few", *TWO_SEEDS, "--workers", "1", "--out", str(out))
    units = out / SHARD
    wait_until(lambda: len(list(units.glob("*.json"))) >= 1)
    job.kill()
    job.communicate()
    assert job.returncode == -signal.SIGKILL and not list(out.glob("*.parquet"))
    times = {}
    for path in units.glob("*.json"):
        (row,) = rows_in(path, whole=True)
        times[row["arch_id"], row["seed"]] = row["train_time_s"]

    assert train_shard.main([*TWO_SEEDS, "--out", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == [uninterrupted.name]
    assert rows_in(out / uninterrupted.name) == rows_in(uninterrupted)
    for row in rows_in(out / uninterrupted.name, whole=True):
        key = (row["arch_id"], row["seed"])
        assert times.get(key, row["train_time_s"]) == row["train_time_s"], "it was trained again"


def test_a_rerun_does_nothing_and_more_archs_add_to_it(
    uninterrupted, in_this_process, rows_in, tmp_path, capsys
):
    file = tmp_path / uninterrupted.name
    file.write_bytes(uninterrupted.read_bytes())
    assert train_shard.main([*TWO_SEEDS, "--out", str(tmp_path)]) == 0
    assert file.read_bytes() == uninterrupted.read_bytes()
    said = capsys.readouterr()
    base, done = said.out.splitlines()
    assert said.err == "" and done == f"{file}: 4 runs of r1-mini"
    assert base.startswith("the base, data version ") and base.endswith(", has 0 of 4 units; 4 to compute")
    more = [*TRAIN, "--archs", f"{FIRST}:{LAST + 1}", "--seeds", "0", "--format", "h5"]
    assert train_shard.main([*more, "--out", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{SHARD}.h5"]
    rows = rows_in(tmp_path / f"{SHARD}.h5")
    assert len(rows) == 5 and rows[:4] == rows_in(uninterrupted) and rows[4]["arch_id"] == LAST


def test_shards_of_two_jobs_are_the_units_of_one(uninterrupted, in_this_process, rows_in, tmp_path):
    one_seed = [*TRAIN, "--archs", f"{FIRST}:{LAST}", "--seeds", "1", "--out", str(tmp_path)]
    for shard in ("0/2", "1/2"):
        assert train_shard.main([*one_seed, "--shard", shard]) == 0
    rows = []
    for path in sorted(tmp_path.iterdir()):
        rows += rows_in(path)
    assert rows == [row for row in rows_in(uninterrupted) if row["seed"] == 1]


def test_a_time_limit_ends_a_job_with_what_there_is(
    uninterrupted, in_this_process, rows_in, tmp_path, capsys
):
    """Each unit takes five hours by the clock of limits; what was finished is not computed again."""
    now = [0.0]

    def slow(*given, train=train_shard.loop.train):
        now[0] += 5 * 3600
        return train(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit.time, "monotonic", lambda: now[0])
        patch.setattr(train_shard.loop, "train", slow)
        given = [*TWO_SEEDS, "--out", str(tmp_path), "--time-limit", "12h"]
        assert train_shard.main([*given, "--unfinished-status", "75"]) == 75
    done, _, why = capsys.readouterr().out.splitlines()[-1].partition("; ")
    assert done == f"{tmp_path}/{SHARD}.parquet: 2 of 4 runs of r1-mini"
    assert why.startswith("no more was begun (the next would take about ")
    assert why.endswith(", and 2 h are left of the time limit of 12 h); run the same command again to go on")
    assert [path.name for path in tmp_path.iterdir()] == [f"{SHARD}.parquet"]
    first = rows_in(tmp_path / f"{SHARD}.parquet", whole=True)
    assert train_shard.main([*TWO_SEEDS, "--out", str(tmp_path)]) == 0
    assert rows_in(tmp_path / f"{SHARD}.parquet") == rows_in(uninterrupted)
    assert rows_in(tmp_path / f"{SHARD}.parquet", whole=True)[: len(first)] == first


def test_a_limit_shorter_than_one_unit_begins_nothing(own_cache, in_this_process, tmp_path, capsys):
    """By what was measured of the device before."""
    rates.keep({Key(device_name("cpu"), "r1-mini", "train 16px"): [(1e5, 10.0)]})
    assert train_shard.main([*TWO_SEEDS, "--out", str(tmp_path / "out"), "--time-limit", "90s"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("0 of 4 runs of r1-mini; nothing was begun (the next would take about ")
    assert said.endswith(
        " are left of the time limit of 90 s); run the same command again to go on, with more time"
    )
    assert not list((tmp_path / "out").iterdir())


def test_a_run_adds_to_what_is_known_of_its_device(own_cache, in_this_process, rows_in, tmp_path):
    assert train_shard.main([*TWO_SEEDS, "--out", str(tmp_path)]) == 0
    ((key, points),) = rates.measured().items()
    assert key == (device_name("cpu"), "r1-mini", "train 16px")
    sizes = [
        macs(members_of_space("r1-mini")[arch_id], 16, 10) for arch_id in (FIRST, FIRST, LAST - 1, LAST - 1)
    ]
    assert [size for size, _ in points] == sizes
    passes = rates.training_cost("r1-mini", "digits", recipe("cpu-16px-4")).passes
    rows = rows_in(tmp_path / f"{SHARD}.parquet", whole=True)
    for (_, seconds), row in zip(points, rows, strict=True):
        assert seconds * passes >= row["train_time_s"]


def test_a_recipe_under_other_settings_is_not_mixed_in(
    uninterrupted, in_this_process, tmp_path, monkeypatch, capsys
):
    file = tmp_path / uninterrupted.name
    file.write_bytes(uninterrupted.read_bytes())
    changed = dataclasses.replace(RECIPES["cpu-16px-4"], lr=0.2, epochs=5)
    monkeypatch.setitem(RECIPES, "cpu-16px-4", changed)
    assert train_shard.main([*TWO_SEEDS, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert (
        f"error: {file} holds rows of cpu-16px-4 with other settings (epochs 4 there, 5 here, lr 0.1 there"
        in said
    )
    assert "a recipe keeps its settings: give the changed one a new name, or choose another folder" in said
    assert file.read_bytes() == uninterrupted.read_bytes()


def test_who_trains_without_bfloat16_instructions_is_told(in_this_process, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bfloat16.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(bfloat16, "own_flags", lambda: ["avx2"])
    monkeypatch.setattr(bfloat16, "factor", lambda: 5.0)
    monkeypatch.setattr(train_shard, "run_job", lambda *_, **__: "")
    assert train_shard.main([*TWO_SEEDS, "--out", str(tmp_path)]) == 0
    assert "this processor has no bfloat16 instructions" in capsys.readouterr().out.splitlines()[1]


def test_images_that_are_absent_stop_the_job_with_their_name(in_this_process, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    cifar10 = ["--dataset", "cifar10", "--images", str(empty)]
    one = [*TRAIN, "--archs", "1", "--base", "none"]
    given = [*one, "--out", str(tmp_path / "out"), *cifar10]
    assert train_shard.main(given) == 2
    assert f"error: {empty}: no images of 'cifar10'" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert train_shard.main([*TRAIN, "--archs", "1", "--out", str(tmp_path / "file" / "out")]) == 2
    said = f"error: cannot make the folder {tmp_path}/file/out: Not a directory; name another --out"
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def base(uninterrupted, tmp_path_factory):
    """A release with the runs of `uninterrupted` alone."""
    out = tmp_path_factory.mktemp("base") / "release"
    assert merge_shards.main([str(uninterrupted), "--out", str(out), "--base", "none"]) == 0
    return out


def test_what_the_base_has_is_left_out(base, uninterrupted, in_this_process, rows_in, tmp_path, capsys):
    given = [*TRAIN, "--archs", f"{FIRST}:{LAST + 1}", "--seeds", "0", "--base", str(base)]
    capsys.readouterr()
    assert train_shard.main([*given, "--out", str(tmp_path)]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert first == f"the base, data version 0.1.0 in {base}, has 2 of 3 units; 1 to compute"
    (row,) = rows_in(tmp_path / f"{SHARD}.parquet")
    assert (row["arch_id"], row["seed"]) == (LAST, 0)
    # Both together are what one job would have made.
    assert merge_shards.main([str(tmp_path), "--out", str(base)]) == 0
    assert Bench(base).arrow("runs", "r1-mini", "digits").num_rows == 5
    assert Bench(base).version == "0.1.0+yours.1"


def test_where_the_base_has_all_nothing_is_written(base, tmp_path, capsys):
    capsys.readouterr()
    out = tmp_path / "out"
    assert train_shard.main([*TWO_SEEDS, "--base", str(base), "--out", str(out)]) == 0
    assert "has 4 of 4 units; nothing to compute (--base none computes all)" in capsys.readouterr().out
    assert not out.exists()


def test_a_base_that_is_none_is_named(tmp_path, capsys):
    given = [*TWO_SEEDS, "--base", str(tmp_path / "absent"), "--out", str(tmp_path / "out")]
    assert train_shard.main(given) == 2
    assert f"error: no release in {tmp_path / 'absent'}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
