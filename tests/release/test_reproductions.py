"""Results of reproductions: listed in the manifest, verified, and carried along as they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from builders import merge_shards
from builders.reproductions.results import Result, merge
from builders.work.commit import commit_release
from nbzero import Bench, ReleaseError
from nbzero.release.manifest import Release
from nbzero.release.reproductions import RESULTS, results_schema
from nbzero.release.verify import verify

ROW = Result("wrcor-2", "Zen", 0.257, -0.31, 231, 1, 0.07, "std-32")


@pytest.fixture
def release_with_results(small: Any) -> Path:
    out: Path = small("out")
    merge(out / RESULTS, [ROW, replace(ROW, row="ACor", paper=None)])
    commit_release(out, Release.open(out).tables(), "0.1.0")
    return out


def test_they_are_listed_and_verified(release_with_results: Path) -> None:
    assert f"{RESULTS}: 2 rows" in verify(str(release_with_results))
    others = Release.open(release_with_results).manifest.others
    assert others[RESULTS].bytes == (release_with_results / RESULTS).stat().st_size
    assert Bench(release_with_results).spaces == ("r1-mini",)


def test_other_results_are_found_and_raise_the_last_number(
    release_with_results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    merge(release_with_results / RESULTS, [replace(ROW, ours=0.9)])
    with pytest.raises(ReleaseError, match=f"{RESULTS} .*manifest"):
        verify(str(release_with_results))
    assert merge_shards.main(["--out", str(release_with_results), "--release"]) == 0
    assert "data version 0.1.1, 0 rows added" in capsys.readouterr().out
    verify(str(release_with_results))
    assert merge_shards.main(["--out", str(release_with_results), "--release"]) == 0
    assert Bench(release_with_results).version == "0.1.1"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows[::-1], "not sorted by table, row, protocol"),
        (lambda rows: [rows[0], rows[0]], "one is there twice"),
        (lambda rows: [rows[0] | {"n": -1}], "n: -1 outside"),
        (lambda rows: [rows[0] | {"ours": float("nan")}], "ours: NaN"),
    ],
)
def test_verify_finds_what_is_wrong_with_them(small: Any, spoil: Any, said: str) -> None:
    out: Path = small("out")
    merge(out / RESULTS, [ROW, replace(ROW, row="ACor")])
    rows = spoil(pq.read_table(out / RESULTS).to_pylist())
    pq.write_table(results_schema().empty_table().from_pylist(rows, results_schema()), out / RESULTS)
    with pytest.raises(ReleaseError, match=said):
        commit_release(out, Release.open(out).tables(), "0.1.0")


def test_a_file_that_is_none(small: Any) -> None:
    out: Path = small("out")
    (out / RESULTS).parent.mkdir()
    (out / RESULTS).write_bytes(b"no parquet")
    with pytest.raises(ReleaseError, match="cannot be read as results"):
        commit_release(out, Release.open(out).tables(), "0.1.0")
