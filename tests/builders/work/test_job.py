"""A job over one shard: what is there is not computed again, and nothing of another job is mixed in."""

import errno
import itertools
import json
import os
import shutil
import socket
import subprocess
import zipfile
from types import SimpleNamespace

import pytest

from builders.work.job import BYTES_PER_UNIT, Job, keep_unit, run_job
from builders.work.limit import Deadline
from builders.work.rows import Folder, read_shard, rows_sha256, to_h5, to_json, to_parquet
from nbzero.errors import OutputError, ReleaseError, UsageError
from nbzero.files import host_name
from nbzero.release.schema import DATA_VERSION
from tests.builders.conftest import engine_here
from tests.disk import PowerCut, contents, fill_disk

STEM = "runs-x-0003-of-0040"
UNITS = [(arch_id, f"arch{arch_id}", seed) for arch_id in range(2) for seed in (0, 1)]
OWN = ("arch_id", "seed", "arch", "space", "dataset", "recipe")


@pytest.fixture
def computed():
    """The units that were computed, in order."""
    return []


@pytest.fixture
def job(computed, shard_row):
    """A job whose rows say in `train_loss` how many units were computed before."""

    def start(device, settings):
        def compute(unit, there):
            computed.append((unit, there))
            row = shard_row(train_loss=float(len(computed)))
            return {name: value for name, value in row.items() if name not in OWN}

        return compute

    def make(units=UNITS, **changed):
        given = {
            **{"table": "runs", "name": "runs-x", "space": "r1-mini", "dataset": "digits"},
            **{"shard": 3, "num_shards": 40, "same_key": {"recipe": "gpu-12"}},
        }
        return Job(units=list(units), start=start, settings={}, **(given | changed))

    return make


def test_a_job_describes_itself_by_its_shard(job):
    assert job().stem == STEM


@pytest.mark.parametrize("file_format", ["parquet", "h5"])
def test_a_job_leaves_one_file_with_a_row_per_unit(file_format, job, rows_in, tmp_path, capsys):
    assert run_job(job(), str(tmp_path), engine_here, file_format) == f"{STEM}.{file_format}"
    assert [path.name for path in tmp_path.iterdir()] == [f"{STEM}.{file_format}"]
    rows = rows_in(tmp_path / f"{STEM}.{file_format}")
    assert [(row["arch_id"], row["arch"], row["seed"]) for row in rows] == UNITS
    assert {(row["space"], row["dataset"], row["recipe"]) for row in rows} == {
        ("r1-mini", "digits", "gpu-12")
    }
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4 and said[2].startswith(f"{STEM} 3/4 arch1 seed 0 val 0.3000, ")
    assert said[3].endswith(", 0 s left")


def test_a_rerun_computes_nothing_and_writes_the_same(job, computed, tmp_path, capsys):
    name = run_job(job(), str(tmp_path), engine_here, "parquet")
    before = (tmp_path / name).read_bytes()
    computed.clear()
    capsys.readouterr()
    assert run_job(job(), str(tmp_path), engine_here, "parquet") == name
    assert (tmp_path / name).read_bytes() == before and not computed
    assert capsys.readouterr().err == ""


def test_more_units_add_to_what_is_there_in_any_format(job, computed, rows_in, tmp_path):
    first = run_job(job(UNITS[:2]), str(tmp_path), engine_here, "parquet")
    there = rows_in(tmp_path / first, whole=True)
    computed.clear()
    name = run_job(job(UNITS[1:]), str(tmp_path), engine_here, "h5")
    assert [unit for unit, _ in computed] == UNITS[2:]
    assert [path.name for path in tmp_path.iterdir()] == [f"{STEM}.h5"]
    rows = rows_in(tmp_path / name, whole=True)
    assert rows[:2] == there and [(row["arch_id"], row["seed"]) for row in rows[2:]] == [(1, 0), (1, 1)]


def test_shards_of_a_job_have_files_of_their_own(job, computed, tmp_path):
    run_job(job(UNITS[0::2], shard=0, num_shards=2), str(tmp_path), engine_here, "parquet")
    run_job(job(UNITS[1::2], shard=1, num_shards=2), str(tmp_path), engine_here, "parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "runs-x-0000-of-0002.parquet",
        "runs-x-0001-of-0002.parquet",
    ]
    assert sorted(unit for unit, _ in computed) == UNITS


def test_a_finished_unit_replaces_the_row_of_a_finished_file(job, shard_row, rows_in, tmp_path):
    own = {"recipe": "gpu-12", "arch": "arch0"}
    (tmp_path / f"{STEM}.parquet").write_bytes(to_parquet("runs", [shard_row(val_acc=0.25, **own)]))
    (tmp_path / STEM).mkdir()
    (tmp_path / STEM / "000000-0.json").write_bytes(to_json("runs", shard_row(val_acc=0.5, **own)))
    name = run_job(job(UNITS[:1]), str(tmp_path), engine_here, "parquet")
    assert [row["val_acc"] for row in rows_in(tmp_path / name)] == [0.5]
    assert not (tmp_path / STEM).exists()


def test_an_incomplete_row_is_computed_again_from_what_is_there(job, computed, tmp_path, rows_in):
    name = run_job(job(), str(tmp_path), engine_here, "parquet")
    there = rows_in(tmp_path / name, whole=True)[2]
    computed.clear()
    run_job(job(), str(tmp_path), engine_here, "parquet", lambda row: row["train_loss"] != 3.0)
    assert computed == [(UNITS[2], there)]


def test_a_unit_that_is_named_twice_is_computed_once(job, computed, tmp_path):
    run_job(job([*UNITS, UNITS[0]]), str(tmp_path), engine_here, "parquet")
    assert [unit for unit, _ in computed] == UNITS


def test_what_is_finished_is_kept_where_a_unit_fails(job, computed, tmp_path):
    def failing(job, out, todo):
        yield from engine_here(job, out, list(itertools.islice(todo, 2)))
        raise ReleaseError("a worker was killed")

    with pytest.raises(ReleaseError, match="a worker was killed"):
        run_job(job(), str(tmp_path), failing, "parquet")
    assert sorted(path.name for path in (tmp_path / STEM).iterdir()) == ["000000-0.json", "000000-1.json"]
    assert [path.name for path in tmp_path.iterdir()] == [STEM]
    computed.clear()
    run_job(job(), str(tmp_path), engine_here, "parquet")
    assert [unit for unit, _ in computed] == UNITS[2:]


def test_options_that_an_engine_refuses_leave_no_folder(job, tmp_path):
    def refusing(job, out, todo):
        raise UsageError("device 'tpu'")

    with pytest.raises(UsageError, match="device 'tpu'"):
        run_job(job(), str(tmp_path / "out"), refusing, "parquet")
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_written_is_named(job, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        OutputError, match=r"cannot make the folder .*/file/out: Not a directory; name another"
    ):
        run_job(job(), str(tmp_path / "file" / "out"), engine_here, "parquet")


def test_a_folder_that_is_taken_away_while_a_job_runs_is_told(job, tmp_path):
    """The error is the one that was raised, not one of giving the claims back."""

    def robbed(job, out, todo):
        for _ in todo:
            os.rename(tmp_path / STEM, tmp_path / "aside")
            (tmp_path / STEM).write_text("in the way")
            raise OutputError("cannot write the unit")
        yield from ()

    with pytest.raises(OutputError, match="cannot write the unit"):
        run_job(job(), str(tmp_path), robbed, "parquet")


def test_units_that_another_process_puts_into_the_finished_file_meanwhile_are_found(
    job, computed, tmp_path, monkeypatch
):
    """They are listed, then the other process finishes and removes them, then they are read."""
    first = job(UNITS[:2])
    for unit in UNITS[:2]:
        keep_unit(first, Folder(tmp_path), unit, first.start("", {})(unit, None))
    computed.clear()
    is_first = [True]

    def names(folder, under="", real=Folder.names):
        found = real(folder, under)
        if is_first and is_first.pop():
            run_job(first, str(tmp_path), engine_here, "h5")
        return found

    monkeypatch.setattr(Folder, "names", names)
    name = run_job(job(), str(tmp_path), engine_here, "parquet")
    assert [unit for unit, _ in computed] == UNITS[2:]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def refuse_to_compute(job, out, todo):
    for _ in todo:
        raise AssertionError("computed although nothing can be written")
    yield from ()


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(job, tmp_path, monkeypatch):
    fill_disk(monkeypatch, after=0)
    said = f"cannot write {tmp_path}.*No space left on device; free space"
    with pytest.raises(OutputError, match=said):
        run_job(job(), str(tmp_path), refuse_to_compute, "parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told_before_anything_is_computed(job, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=f"cannot write {tmp_path}.*Permission denied"):
        run_job(job(), str(tmp_path), refuse_to_compute, "parquet")


def test_too_little_space_is_told_before_anything_is_computed(job, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4 * BYTES_PER_UNIT - 1))
    out = tmp_path / "a" / "new folder"
    said = r"new folder has 0\.0 MB free, the job may need 0\.0; free space or name another --out"
    with pytest.raises(OutputError, match=said):
        run_job(job(), str(out), refuse_to_compute, "parquet")
    assert list(tmp_path.iterdir()) == []
    run_job(job(UNITS[:3]), str(out), engine_here, "parquet")


def test_a_place_that_can_only_be_read_is_told_before_anything_is_computed(job, tmp_path):
    with zipfile.ZipFile(tmp_path / "there.zip", "w") as file:
        file.writestr("x", "y")
    with pytest.raises(OutputError, match="name another --out"):
        run_job(job(), f"zip://out::{tmp_path}/there.zip", refuse_to_compute, "parquet")


def test_a_claim_that_cannot_be_written_is_an_error_of_ours(job, tmp_path):
    (tmp_path / STEM).write_text("in the way")
    with pytest.raises(OutputError, match=f"cannot write {tmp_path}/{STEM}/000000-0.claim: File exists"):
        run_job(job(), str(tmp_path), engine_here, "parquet")


@pytest.mark.parametrize("place", [f"{STEM}.parquet", f"{STEM}.h5", f"{STEM}/000000-0.json"])
@pytest.mark.parametrize("change", [{"recipe": "gpu-12"}, {"space": "r1"}, {"dataset": "cifar10"}])
def test_a_folder_with_rows_of_another_job_is_refused(place, change, job, shard_row, tmp_path):
    own = job(same_key={"recipe": "cpu-16px-4"})
    row = shard_row(**change)
    encode = {"parquet": to_parquet, "h5": to_h5, "json": lambda table, rows: to_json(table, rows[0])}
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode[path.suffix[1:]]("runs", [row]))
    said = rf"{place} holds a row of .*, not of \['r1-mini', 'digits', 'cpu-16px-4'\]; choose another folder"
    with pytest.raises(ReleaseError, match=said):
        run_job(own, str(tmp_path), engine_here, "parquet")


@pytest.mark.parametrize("file_format", ["parquet", "h5", "json"])
def test_a_recipe_keeps_its_settings_in_an_output_folder(file_format, job, tmp_path):
    first = job(UNITS[:2], stands_for={"lr": 0.1, "epochs": 4})
    if file_format == "json":
        keep_unit(first, Folder(tmp_path), UNITS[0], first.start("", {})(UNITS[0], None))
    else:
        run_job(first, str(tmp_path), engine_here, file_format)
    other = job(stands_for={"lr": 0.1, "epochs": 5, "crop": 2})
    said = r"rows of gpu-12 with other settings \(crop None there, 2 here, epochs 4 there, 5 here\); a recipe"
    with pytest.raises(ReleaseError, match=said):
        run_job(other, str(tmp_path), refuse_to_compute, "parquet")
    same = job(stands_for={"epochs": 4, "lr": 0.1})
    name = run_job(same, str(tmp_path), engine_here, "parquet")
    assert read_shard((tmp_path / name).read_bytes(), name).settings == '{"epochs": 4, "lr": 0.1}'


def test_files_of_before_say_nothing_of_settings(job, computed, tmp_path):
    run_job(job(UNITS[:2]), str(tmp_path), engine_here, "parquet")
    computed.clear()
    run_job(job(stands_for={"lr": 0.1}), str(tmp_path), engine_here, "parquet")
    assert [unit for unit, _ in computed] == UNITS[2:]


@pytest.mark.parametrize("there", ["nonsense", "5", "[1]"])
def test_settings_that_are_none_are_other_ones(there, job, shard_row, tmp_path):
    own = {"recipe": "gpu-12", "arch": "arch0"}
    (tmp_path / f"{STEM}.parquet").write_bytes(to_parquet("runs", [shard_row(**own)], there))
    with pytest.raises(ReleaseError, match=r"rows of gpu-12 with other settings \('"):
        run_job(job(stands_for={"lr": 0.1}), str(tmp_path), refuse_to_compute, "parquet")


@pytest.mark.parametrize("place", [f"{STEM}.parquet", f"{STEM}/000000-0.json"])
def test_a_file_that_cannot_be_read_is_named_and_kept(place, job, shard_row, tmp_path, monkeypatch):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(to_json("runs", shard_row()))

    def read(folder, name):
        raise PermissionError(errno.EACCES, "Permission denied", name)

    monkeypatch.setattr(Folder, "read", read)
    said = f"cannot read {path}: Permission denied; make it readable, or remove it: what it holds is computed"
    with pytest.raises(ReleaseError, match=said):
        run_job(job(), str(tmp_path), refuse_to_compute, "parquet")
    assert path.exists()


def test_a_damaged_unit_is_named_and_kept(job, shard_row, tmp_path):
    path = tmp_path / STEM / "000000-0.json"
    path.parent.mkdir()
    path.write_bytes(to_json("runs", shard_row(recipe="gpu-12"))[:-9])
    with pytest.raises(
        ReleaseError, match=rf"{path} is truncated or corrupted .*; remove it and run its job"
    ):
        run_job(job(), str(tmp_path), refuse_to_compute, "parquet")
    assert path.exists()


def needless(job, out, todo):
    """An engine that must not start its workers."""
    raise AssertionError
    yield


def test_a_deadline_leaves_a_file_of_what_there_is(job, computed, rows_in, tmp_path):
    """And none where there is nothing; the claims are given back."""
    over = Deadline(0.0)
    assert run_job(job(), str(tmp_path), needless, "parquet", deadline=over) == ""
    assert over.not_begun == 4 and not over.has_begun and not computed
    assert list(tmp_path.iterdir()) == []

    after_two = Deadline()

    def until_two(job, out, todo):
        for result in engine_here(job, out, todo):
            after_two.why = "enough" if len(computed) == 2 else ""
            yield result

    name = run_job(job(), str(tmp_path), until_two, "parquet", deadline=after_two)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [row["arch_id"] for row in rows_in(tmp_path / name)] == [0, 0]
    assert after_two.not_begun == 2 and after_two.has_begun


def test_a_damaged_shard_is_not_overwritten(job, shard_row, tmp_path):
    damaged = to_parquet("runs", [shard_row()])[:-20]
    (tmp_path / f"{STEM}.parquet").write_bytes(damaged)
    with pytest.raises(ReleaseError, match="truncated or corrupted"):
        run_job(job(), str(tmp_path), engine_here, "parquet")
    assert (tmp_path / f"{STEM}.parquet").read_bytes() == damaged


def test_a_job_may_write_to_any_fsspec_url(job):
    name = run_job(job(), "memory://a-test-of-jobs", engine_here, "parquet")
    assert Folder("memory://a-test-of-jobs").names() == [name]


def test_a_kept_unit_is_a_file_with_its_whole_row(job, tmp_path):
    row = keep_unit(job(), Folder(tmp_path), (5, "arch5", 1), {"val_acc": 0.5})
    key = {"arch_id": 5, "seed": 1, "arch": "arch5", "recipe": "gpu-12"}
    assert row == {"val_acc": 0.5, "space": "r1-mini", "dataset": "digits"} | key
    content = json.loads((tmp_path / STEM / "000005-1.json").read_text())
    assert content.pop("rows_sha256") == rows_sha256([row])
    assert content == {"table": "runs", "schema_version": 1, "data_version": DATA_VERSION, "row": row}


def claim(folder, unit, process):
    path = folder / STEM / f"{unit[0]:06d}-{unit[2]}.claim"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(process)
    return path


def test_what_a_killed_worker_had_half_written_goes_when_the_job_runs_again(job, tmp_path):
    """It is half a unit, half a finished file, and the probe of the folder."""
    with subprocess.Popen(["sleep", "60"]) as living, subprocess.Popen(["true"]) as dead:
        dead.wait()
        writers = [f"{host_name()}-{living.pid}", f"elsewhere-{dead.pid}", f"{host_name()}-{dead.pid}"]
        (tmp_path / STEM).mkdir()
        parts = []
        for writer in writers:
            names = (f"{STEM}/000000-0.json.{writer}-140", f"{STEM}.parquet.{writer}-140", f".{writer}")
            parts.append([f"{name}.part" for name in names])
        for name in itertools.chain(*parts):
            (tmp_path / name).write_bytes(b"half")
        finished = run_job(job(), str(tmp_path), engine_here, "parquet")
        living.kill()
    assert sorted(contents(tmp_path)) == sorted([finished, *parts[0], *parts[1]])


def test_a_job_outlives_a_power_cut(job, tmp_path, monkeypatch):
    power = PowerCut(monkeypatch)
    finished = run_job(job(), str(tmp_path / "new"), engine_here, "parquet")
    assert power.renamed[-1] == tmp_path / "new" / finished and power.gone == []


def test_what_another_living_process_has_claimed_is_left_to_it(job, computed, rows_in, tmp_path, capsys):
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            path = claim(tmp_path, UNITS[1], f"{socket.gethostname()} {other.pid}")
            name = run_job(job(), str(tmp_path), engine_here, "parquet")
            assert [unit for unit, _ in computed] == [UNITS[0], *UNITS[2:]] and path.exists()
            assert f"1 unit left to process {other.pid}, which had taken them" in capsys.readouterr().err
        finally:
            other.kill()
    assert run_job(job(), str(tmp_path), engine_here, "parquet") == name
    assert [row["arch_id"] for row in rows_in(tmp_path / name)] == [0, 0, 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("said", ["", "nonsense", "HOST 4194305", "another-host 1", "HOST 0"])
def test_a_claim_that_nobody_holds_is_taken_over(said, job, computed, tmp_path):
    claim(tmp_path, UNITS[1], said.replace("HOST", socket.gethostname()))
    name = run_job(job(), str(tmp_path), engine_here, "parquet")
    assert len(computed) == 4 and [path.name for path in tmp_path.iterdir()] == [name]


def test_what_another_process_finished_meanwhile_is_kept(job, computed, rows_in, tmp_path):
    """Two jobs on one shard with other archs: the one that ends last keeps what the first has finished."""

    def with_another_in_between(first, out, todo):
        run_job(job(UNITS[2:]), out, engine_here, "h5")
        yield from engine_here(first, out, todo)

    name = run_job(job(UNITS[:2]), str(tmp_path), with_another_in_between, "parquet")
    assert len(computed) == 4
    rows = rows_in(tmp_path / name)
    assert [(row["arch_id"], row["arch"], row["seed"]) for row in rows] == UNITS
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_unit_that_another_process_finished_meanwhile_is_not_computed_again(job, computed, tmp_path):
    def with_another_in_between(first, out, todo):
        keep_unit(job(), Folder(out), UNITS[0], {**job().start("", {})(UNITS[0], None)})
        computed.clear()
        yield from engine_here(first, out, todo)

    run_job(job(), str(tmp_path), with_another_in_between, "parquet")
    assert [unit for unit, _ in computed] == UNITS[1:]
