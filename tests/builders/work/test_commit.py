"""Commits: killed at any moment the folder is the old release or the new one, and no released row is lost."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders import enumerate_archs
from builders.work.commit import checked_path, commit_release, finish_commit, manifest_sha256
from nbzero import Bench, ReleaseError
from nbzero.errors import OutputError
from nbzero.release.index import index_path
from nbzero.release.manifest import MANIFEST, NEXT
from nbzero.release.verify import verify
from tests.disk import Killed, PowerCut, contents, fill_disk, kill_at

RUNS = ("runs", "r1-mini", "cifar10")
RUNS_FILE = "runs/r1-mini/cifar10.parquet"


def tables_of(made: SimpleNamespace, num_runs: int, with_mb: bool = False) -> Any:
    rows = {RUNS: [made.run_row(i) for i in range(num_runs)]} if num_runs else {}
    if with_mb:
        rows["runs", "mb-mini", "cifar10"] = [made.run_row(i) for i in range(num_runs)]
    return made.as_tables(rows, ["r1-mini", "mb-mini"])


def test_a_full_disk_leaves_the_old_release(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    before = contents(tmp_path)
    for after in range(6):  # archs, runs and index of r1-mini, archs and index of mb-mini, the manifest
        fill_disk(monkeypatch, after)
        with pytest.raises(
            OutputError, match=f"cannot write {tmp_path}.*No space left on device; free space"
        ):
            commit_release(tmp_path, tables_of(made, 5), "0.2.0")
        monkeypatch.undo()
        assert contents(tmp_path) == before
    fill_disk(monkeypatch, after=6)
    assert commit_release(tmp_path, tables_of(made, 5), "0.2.0").files[RUNS_FILE].rows == 5


def test_a_folder_that_cannot_be_written(made: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(
        OutputError, match=r"cannot write .*: Not a directory; free space or choose another folder"
    ):
        commit_release(tmp_path / "file" / "release", tables_of(made, 0), "0.1.0")
    with pytest.raises(OutputError, match="cannot write"):
        commit_release(tmp_path / "file", tables_of(made, 0), "0.1.0")
    assert contents(tmp_path) == {"file": b"kept"}


def test_killed_at_any_moment_it_is_the_old_release_or_the_new_one(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same command again, or another one, ends as if nothing had happened."""
    commit_release(tmp_path / "old", tables_of(made, 3), "0.1.0")
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    commit_release(tmp_path / "new", tables_of(made, 5), "0.2.0")
    shutil.copytree(tmp_path / "old", tmp_path / "another")
    commit_release(tmp_path / "another", tables_of(made, 7, with_mb=True), "0.3.0")
    old, new, another = (contents(tmp_path / name) for name in ("old", "new", "another"))
    seen = set()
    for number in range(100):
        folder = tmp_path / "killed"
        shutil.copytree(tmp_path / "old", folder)
        kill_at(monkeypatch, number)
        try:
            commit_release(folder, tables_of(made, 5), "0.2.0")
            finished = True
        except Killed:
            finished = False
        monkeypatch.undo()
        try:
            rows = Bench(folder).arrow(*RUNS).num_rows
            assert {name: data for name, data in contents(folder).items() if not name.endswith(".part")} == {
                3: old,
                5: new,
            }[rows]
            seen.add(rows)
        except ReleaseError as error:
            said = f"{folder} is in the middle of a merge ({NEXT}); if none runs it was cut off: "
            assert str(error) == said + "run the same merge again"
            seen.add("between")
        shutil.copytree(folder, tmp_path / "again")
        finish_commit(tmp_path / "again")
        assert contents(tmp_path / "again") in (old, new)
        shutil.rmtree(tmp_path / "again")
        shutil.copytree(folder, tmp_path / "again")
        commit_release(folder, tables_of(made, 5), "0.2.0")
        assert contents(folder) == new
        commit_release(tmp_path / "again", tables_of(made, 7, with_mb=True), "0.3.0")
        assert contents(tmp_path / "again") == another
        shutil.rmtree(folder)
        shutil.rmtree(tmp_path / "again")
        if finished:
            break
    assert seen == {3, 5, "between"} and number == 12  # 5 parts, manifest.next.json, 5 files, the manifest


def test_what_a_killed_commit_left_does_not_get_into_another(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of r1-mini's tables was left; a commit that changes only mb-mini must not take it."""
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    kill_at(monkeypatch, 2)
    with pytest.raises(Killed):
        commit_release(tmp_path, tables_of(made, 5), "0.1.0")
    monkeypatch.undo()
    left = [name for name in contents(tmp_path) if name.endswith(".part")]
    assert any(name.startswith(RUNS_FILE) for name in left)
    assert any(name.startswith(index_path("r1-mini")) for name in left)
    assert not (tmp_path / NEXT).exists()
    said = r"\.part are not in the manifest; remove them, or run builders\.merge_shards again if"
    with pytest.raises(ReleaseError, match=said):
        verify(str(tmp_path))
    tables = tables_of(made, 3) | {
        ("runs", "mb-mini", "cifar10"): tables_of(made, 2, with_mb=True)["runs", "mb-mini", "cifar10"]
    }
    commit_release(tmp_path, tables, "0.1.0")
    assert verify(str(tmp_path)) and Bench(tmp_path).arrow(*RUNS).num_rows == 3


def test_a_rename_that_fails_says_so_and_can_be_finished(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    count = [0]

    def replace(source: Any, target: Any, real: Any = os.replace) -> None:
        count[0] += 1
        if count[0] == 8:
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(
        OutputError,
        match=r"cannot finish the merge in .*Permission denied.*run the same command again: all is kept",
    ):
        commit_release(tmp_path, tables_of(made, 5), "0.2.0")
    monkeypatch.undo()
    finish_commit(tmp_path)
    assert verify(str(tmp_path)) and Bench(tmp_path).arrow(*RUNS).num_rows == 5


LOST = ["one part", *(pytest.param(what, marks=pytest.mark.long) for what in ("all parts", "a changed part"))]


@pytest.mark.parametrize("lost", LOST)
def test_a_commit_whose_parts_are_gone_is_taken_back(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Killed at each rename, then somebody tidies up; the same command ends as if nothing had happened."""
    commit_release(tmp_path / "old", tables_of(made, 3), "0.1.0")
    old = contents(tmp_path / "old")
    seen = set()
    for number in range(6, 12):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "old", folder)
        kill_at(monkeypatch, number)
        with pytest.raises(Killed):
            commit_release(folder, tables_of(made, 5), "0.2.0")
        monkeypatch.undo()
        parts = sorted(folder.rglob("*.part"))
        for part in parts if lost == "all parts" else parts[:1]:
            if lost == "a changed part":
                part.write_bytes(part.read_bytes()[:-1] + b"?")
            else:
                part.unlink()
        finish_commit(folder)
        seen.add(contents(folder) == old)
        assert verify(str(folder)) and Bench(folder).arrow(*RUNS).num_rows == (3 if parts else 5)
        commit_release(folder, tables_of(made, 5), "0.2.0")
        assert Bench(folder).arrow(*RUNS).num_rows == 5
    assert True in seen


def test_a_commit_outlives_a_power_cut_and_so_does_one_that_is_taken_back(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "release"
    power = PowerCut(monkeypatch)
    commit_release(folder, tables_of(made, 3), "0.1.0")
    assert folder / "manifest.json" in power.renamed and power.gone == []
    old = contents(folder)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, 9)
        with pytest.raises(Killed):
            commit_release(folder, tables_of(made, 5), "0.2.0")
    for part in folder.rglob("*.part"):
        part.unlink()
    num_renamed = len(power.renamed)
    finish_commit(folder)
    assert contents(folder) == old
    assert len(power.renamed) > num_renamed and power.gone == []


def test_a_commit_that_cannot_be_taken_back_says_what_is_lost(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    kill_at(monkeypatch, 8)
    with pytest.raises(Killed):
        commit_release(tmp_path, tables_of(made, 5), "0.2.0")
    monkeypatch.undo()
    for path in [*tmp_path.rglob("*.part"), *tmp_path.rglob("*.old")]:
        path.unlink()
    with pytest.raises(ReleaseError, match=r"is neither of the old release nor of the new one; restore it"):
        finish_commit(tmp_path)


def test_a_release_that_was_replaced_meanwhile_is_not_replaced(made: SimpleNamespace, tmp_path: Path) -> None:
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    read = manifest_sha256(tmp_path)
    commit_release(tmp_path, tables_of(made, 4), "0.2.0", read=read)
    before = contents(tmp_path)
    with pytest.raises(
        ReleaseError, match="was replaced while this ran; nothing was changed, run this again"
    ):
        commit_release(tmp_path, tables_of(made, 5), "0.3.0", read=read)
    assert contents(tmp_path) == before


def test_what_is_equal_is_not_written_again_and_what_is_damaged_is(
    made: SimpleNamespace, tmp_path: Path
) -> None:
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    before, times = (
        contents(tmp_path),
        {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.name != MANIFEST},
    )
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    assert contents(tmp_path) == before and {path: path.stat().st_mtime_ns for path in times} == times
    (tmp_path / index_path("r1-mini")).unlink()
    (tmp_path / index_path("mb-mini")).write_bytes(b"x")
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    assert contents(tmp_path) == before


def test_a_commit_never_takes_rows_away(
    made: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_release(tmp_path, tables_of(made, 3), "0.1.0")
    before = contents(tmp_path)
    with pytest.raises(
        ReleaseError,
        match=f"{tmp_path / RUNS_FILE} has 3 rows, of which only 2 would be left; released rows stay",
    ):
        commit_release(tmp_path, tables_of(made, 2), "0.2.0")
    with pytest.raises(ReleaseError, match=r"has 3 rows, of which none would be left"):
        commit_release(tmp_path, tables_of(made, 0), "0.2.0")
    assert contents(tmp_path) == before
    with pytest.raises(ReleaseError, match="is no manifest of this project"):
        (tmp_path / "web").mkdir()
        (tmp_path / "web" / MANIFEST).write_text("{}")
        commit_release(tmp_path / "web", tables_of(made, 0), "0.1.0")
    with pytest.raises(ValueError, match="but no archs table"):
        commit_release(tmp_path / "x", {RUNS: tables_of(made, 2)[RUNS]}, "0.1.0")
    with pytest.raises(ValueError, match="is a URL; a release is made in a local folder"):
        commit_release("s3://bucket/x", tables_of(made, 0), "0.1.0")
    assert enumerate_archs.main(["--out", str(tmp_path), "--space", "r1-mini"]) == 2
    assert "released rows stay: choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "a/b", "", "/tmp", "a\\b", "..", "-a"])
def test_a_name_that_is_a_path_is_refused(name: str) -> None:
    assert checked_path(("runs", "a.B-1_2", "c")) == "runs/a.B-1_2/c.parquet"
    for key in (("archs", name, None), ("runs", name, "cifar10"), ("runs", "r1", name)):
        with pytest.raises(
            ReleaseError, match=r"^here: (archs|runs) of .* is no name of a space or data set"
        ):
            checked_path(key, "here")
