"""nbzero.release.structure: whatever an index says, asking it answers or raises an error of ours."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nbzero import Bench
from nbzero.errors import NBZeroError, ReleaseError
from nbzero.release.index import Index, index_path
from nbzero.release.structure import check_header

NAME = index_path("r1-mini")
VALUES = st.sampled_from(
    [None, True, -1, 0, 1, 2.5, 1 << 70, "", "x", "archs", "<f8", [], [1], ["a"], {}, {"texts": [1]}, [[]]]
)


@pytest.fixture(scope="module")
def copied(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged") / "release"
    shutil.copytree(release, folder)
    return folder


@pytest.fixture(scope="module")
def sound(release: Path) -> bytes:
    return (release / NAME).read_bytes()


def put(folder: Path, data: bytes) -> None:
    """An index with a manifest that agrees."""
    (folder / NAME).write_bytes(data)
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    content["files"][NAME].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    manifest.write_text(json.dumps(content))


def ask_all(folder: Path) -> None:
    """Every kind of look-up, each of which answers or raises an error of ours."""
    for ask in (
        lambda b: b.query(("r1-mini", 7)).accuracy("cifar10", recipe="cpu-16px-4"),
        lambda b: b.query("r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2").score("zen", dataset="cifar10"),
        lambda b: b.query(("r1-mini", 3)).run("cifar10", recipe="cpu-16px-4"),
        lambda b: b.query(("r1-mini", 4)).scores("cifar10"),
        lambda b: b.table("r1-mini", dataset="cifar10", recipe="cpu-16px-4"),
        lambda b: b.measured(),
        lambda b: b.space("r1-mini").neighbours(b.space("r1-mini")[0]),
    ):
        try:
            ask(Bench(folder))
        except NBZeroError:
            continue


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[8:16], "little")
    return json.loads(data[16 : 16 + length]), data[16 + length :]


def with_header(header: Any, data: bytes) -> bytes:
    """The index with another header of the same length, so that every offset stays true."""
    length = int.from_bytes(data[8:16], "little")
    text = json.dumps(header).encode()[:length].ljust(length)
    return data[:16] + text + data[16 + length :]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(node, dict):
        for key, value in node.items():
            found += places(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node[:3]):
            found += places(value, (*path, number))
    return found


def changed(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = node.copy()
    copy[path[0]] = changed(node[path[0]], path[1:], value)
    return copy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), value=VALUES)
def test_any_header_answers_or_is_refused(copied: Path, sound: bytes, at: float, value: Any) -> None:
    header, _ = header_of(sound)
    listed = places(header)
    put(copied, with_header(changed(header, listed[int(at * len(listed))], value), sound))
    ask_all(copied)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), length=st.integers(1, 64))
def test_any_bytes_answer_or_are_refused(
    copied: Path, sound: bytes, at: float, byte: int, length: int
) -> None:
    start = int(at * len(sound))
    put(copied, sound[:start] + bytes([byte]) * length + sound[start + length :])
    ask_all(copied)


@pytest.mark.parametrize("length", [0, 7, 8, 15, 16, 100])
def test_an_index_cut_short_is_refused(tmp_path: Path, sound: bytes, length: int) -> None:
    (tmp_path / "index").write_bytes(sound[:length])
    with pytest.raises(ReleaseError, match="is no index of this version"):
        Index(tmp_path / "index")


def test_a_sound_header_is_one(sound: bytes) -> None:
    header, _ = header_of(sound)
    check_header(header, len(sound))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("tables", "archs", "rows"), 999, "has not its 999 rows"),
        (("tables", "runs/cifar10", "groups", 0, 2), 1, "a group .* after row 0"),
        (("tables", "runs/cifar10", "groups"), [["cpu-16px-4", 0, 0, 3]], "groups of 3 rows"),
        (("tables", "runs/cifar10", "columns", "arch_id"), {}, "numbers of type None"),
        (("tables", "archs", "columns", "arch"), {"dtype": "<f8", "offset": 64, "count": 1000}, "no strings"),
        (("tables", "archs", "columns", "macs", "count"), 1 << 40, "numbers of type '<i8' at"),
        (("sources", "archs/r1-mini.parquet"), 5, "the checksum of 'archs/r1-mini.parquet' is 5"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, sound: bytes, path: tuple[Any, ...], value: Any, said: str
) -> None:
    header, _ = header_of(sound)
    (tmp_path / "index").write_bytes(with_header(changed(header, path, value), sound))
    with pytest.raises(ReleaseError, match=said):
        Index(tmp_path / "index")


@pytest.mark.parametrize("name", ["", "a b", "\x1b[2Jzen", "../zen", "=zen", "\u202ezen", "z" * 101])
def test_names_that_a_release_brings_obey_a_rule(tmp_path: Path, sound: bytes, name: str) -> None:
    header, _ = header_of(sound)
    path = ("tables", "runs/cifar10", "groups", 0, 0)
    (tmp_path / "index").write_bytes(with_header(changed(header, path, name), sound))
    with pytest.raises(ReleaseError, match="is no name; a name has up to 100 letters") as caught:
        Index(tmp_path / "index")
    assert str(caught.value).isprintable()
