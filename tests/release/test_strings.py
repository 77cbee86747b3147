"""nbzero.release.strings: a stored hash table finds what a dict finds; large files are checked once."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero import Bench
from nbzero.errors import NotAMemberError, ReleaseError
from nbzero.release import manifest, strings
from nbzero.release.index import Index, build_index, index_path
from nbzero.release.manifest import Release

NAME = index_path("r1-mini")


def made(texts: list[str]) -> tuple[strings.Strings, strings.Places]:
    lines = [text.encode("utf-8", "surrogatepass") for text in texts]
    joined = strings.Strings(memoryview(b"\n".join(lines)), memoryview(strings.starts_of(lines)))
    return joined, strings.Places(joined, memoryview(strings.slots_of(lines)))


@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=5), unique=True))
def test_strings_and_places_are_a_list_and_a_dict(texts: list[str]) -> None:
    if not texts:
        return
    joined, places = made(texts)
    assert list(joined) == texts and len(joined) == len(places) == len(texts)
    assert [joined[row] for row in range(len(texts))] == texts and joined[-1] == texts[-1]
    assert joined[1:3] == texts[1:3] and joined[::-2] == texts[::-2]
    assert [places.get(text) for text in texts] == list(range(len(texts)))
    for other in ("no such text", "\n", "", "\ud800"):
        assert places.get(other) == (texts.index(other) if other in texts else None)


def test_many_strings_share_slots() -> None:
    texts = [f"r1-s{number}" for number in range(20_000)]
    lines = [text.encode() for text in texts]
    slots = strings.slots_of(lines)
    assert len(slots) == 1 << 16 and sorted(slots[slots >= 0]) == list(range(20_000))
    assert np.array_equal(slots, strings.slots_of(lines))
    _, places = made(texts)
    assert all(places[text] == row for row, text in enumerate(texts))
    assert places.get("r1-s20000") is None
    with pytest.raises(KeyError):
        places["r1-s20000"]


@pytest.mark.parametrize("row", [20_000, -20_001])
def test_a_row_beyond_is_an_index_error(row: int) -> None:
    joined, _ = made(["a", "b"])
    with pytest.raises(IndexError):
        joined[row]


def test_a_slot_that_names_no_arch_is_an_error() -> None:
    joined, places = made(["a", "b"])
    hostile = strings.Places(joined, memoryview(np.full(len(places.slots), 7, np.int32)))
    with pytest.raises(ReleaseError, match="a slot names arch 7 of 2"):
        hostile.get("a")


@pytest.fixture
def large(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The made release with the index of a large table."""
    folder = tmp_path / "large"
    shutil.copytree(release, folder)
    monkeypatch.setattr(strings, "LARGE", 100)
    sources = Index(folder / NAME).sources
    files = Release.open(folder)
    tables = {path.removesuffix(".parquet"): files.table(path) for path in sources}
    named = {name.replace("/r1-mini", ""): table for name, table in tables.items()}
    data = build_index("r1-mini", named, sources)
    (folder / NAME).write_bytes(data)
    content = json.loads((folder / "manifest.json").read_text())
    content["files"][NAME].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def test_a_large_table_answers_the_same(large: Path, release: Path) -> None:
    b, other = Bench(large), Bench(release)
    assert isinstance(b.release.space("r1-mini").archs, strings.Strings)
    assert not isinstance(other.release.space("r1-mini").archs, strings.Strings)
    for arch_id in (0, 1, 500, 999):
        arch = other.query(("r1-mini", arch_id)).arch
        assert b.query(arch).arch_id == arch_id and b.query(("r1-mini", arch_id)).arch == arch
    assert list(b.space("r1-mini")) == list(other.space("r1-mini"))
    assert (
        b.table("r1-mini", columns=["arch", "macs"]).to_csv()
        == other.table("r1-mini", columns=["arch", "macs"]).to_csv()
    )
    with pytest.raises(NotAMemberError):
        b.query("r1-mini-s4-d1w4s2-d1w4s2-d1w4s2")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An entry for each file that is read whole; those of a byte and more count as large."""
    read: list[str] = []
    whole = manifest.size_and_sha256

    def counting(file: Any, most: int) -> Any:
        read.append("whole")
        return whole(file, most)

    monkeypatch.setattr(manifest, "size_and_sha256", counting)
    monkeypatch.setattr(manifest, "ONCE", 0)
    return read


def test_a_large_file_is_checked_once_and_anew_when_it_changes(
    large: Path, counted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBZERO_CACHE", str(tmp_path / "cache"))
    for _ in range(3):
        Bench(large).query(("r1-mini", 0))
    assert len(counted) == 1
    Release.open(large, anew=True).file(NAME).close()
    assert len(counted) == 2
    data = bytearray((large / NAME).read_bytes())
    data[-1] ^= 1
    (large / NAME).write_bytes(data)
    with pytest.raises(ReleaseError, match="does not have the checksum"):
        Bench(large).query(("r1-mini", 0))


def test_without_a_cache_a_large_file_is_checked_each_time(
    large: Path, counted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBZERO_CACHE", os.fspath(tmp_path / "file"))
    for _ in range(2):
        Bench(large).query(("r1-mini", 0))
    assert len(counted) == 2
