"""Releases: what is read is what the manifest promises, what is merged is kept, and whatever is wrong is said with the file and the remedy."""

import errno
import functools
import hashlib
import http.server
import io
import itertools
import json
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import fastparquet
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders import enumerate_archs, merge_shards, verify
from builders.releases import commit_release, finish_commit
from builders.shards import to_h5, to_json, to_parquet
from nbzero import Bench, ReleaseError, files
from nbzero.errors import OutputError
from nbzero.files import write_whole
from nbzero.release.index import Index, build_index, index_path
from nbzero.release.manifest import MANIFEST, NEXT, Manifest, Release, parse_version
from nbzero.release.schema import KEYS, TABLES, check_rows, parse_path, path_of, safe_path

Row = dict[str, Any]
RUNS = ("runs", "r1-mini", "cifar10")
RUNS_FILE = "runs/r1-mini/cifar10.parquet"


@pytest.fixture
def copied(release: Path, tmp_path: Path) -> Path:
    """A copy of the made release, to be damaged."""
    shutil.copytree(release, tmp_path / "copied")
    return tmp_path / "copied"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def replace_file(folder: Path, name: str, data: bytes) -> None:
    """Put other bytes in a release with a manifest that agrees, as only a wrong builder could."""
    (folder / name).write_bytes(data)
    said = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_manifest(folder, lambda content: content["files"][name].update(said))


# What every reader of Parquet sees


def plain(value: Any) -> Any:
    """A value as plain Python, the same whichever reader it comes from."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or value != value else value


def read_fastparquet(path: Path) -> dict[str, list[Any]]:
    with path.open("rb") as file:
        frame = fastparquet.ParquetFile(file).to_pandas()
    return {name: [plain(x) for x in frame[name]] for name in frame}


def read_duckdb(path: Path) -> dict[str, list[Any]]:
    with duckdb.connect() as connection:
        result = connection.execute("select * from read_parquet(?)", [str(path)])
        names, rows = [column[0] for column in result.description], result.fetchall()
    return {name: [plain(row[i]) for row in rows] for i, name in enumerate(names)}


READERS: dict[str, Callable[[Path], dict[str, list[Any]]]] = {
    "polars": lambda path: {c.name: [plain(x) for x in c.to_list()] for c in pl.read_parquet(path)},
    "fastparquet": read_fastparquet,
    "duckdb": read_duckdb,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["archs/r1-mini.parquet", RUNS_FILE, "scores/r1-mini/cifar10.parquet"])
def test_all_readers_see_the_same_rows(release: Path, reader: str, name: str) -> None:
    expected = pq.ParquetFile(release / name).read().to_pydict()
    assert READERS[reader](release / name) == expected


def test_the_files_hold_exactly_the_rows_they_were_made_from(release: Path, made: SimpleNamespace) -> None:
    for key, rows in made.rows.items():
        keys = KEYS[key[0]]
        stored = pq.ParquetFile(release / path_of(*key)).read().to_pylist()
        assert [tuple(row[k] for k in (*keys[1:], keys[0])) for row in stored] == sorted(
            tuple(row[k] for k in (*keys[1:], keys[0])) for row in rows
        )
        by_key = {tuple(row[k] for k in keys): row for row in rows}
        assert all(row == by_key[tuple(row[k] for k in keys)] for row in stored)


def test_encodings_page_index_and_metadata(release: Path) -> None:
    for path in sorted(release.rglob("*.parquet")):
        file = pq.ParquetFile(path)
        table = parse_path(path.relative_to(release).as_posix())[0]
        for g in range(file.metadata.num_row_groups):
            for i in range(file.metadata.num_columns):
                column = file.metadata.row_group(g).column(i)
                assert column.compression == "ZSTD"
                assert set(column.encodings) <= {"PLAIN", "RLE", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}, (
                    column.path_in_schema
                )
                assert column.has_column_index and column.has_offset_index
        for field, column in zip(file.schema_arrow, TABLES[table], strict=True):
            assert (
                field.metadata[b"unit"].decode() == column.unit
                and field.metadata[b"meaning"].decode() == column.meaning
            )
        said = file.schema_arrow.metadata
        assert (
            said[b"nbzero.data_version"] == b"0.2.0"
            and said[b"nbzero.table"].decode() == table
            and b"nbzero.space" in said
        )


def test_the_same_rows_make_the_same_bytes(release: Path, made: SimpleNamespace, tmp_path: Path) -> None:
    shuffled = {key: rows[::-1] for key, rows in reversed(made.rows.items())}
    commit_release(tmp_path, made.as_tables(shuffled), "0.2.0")
    assert contents(tmp_path) == contents(release)


# The manifest


def test_the_manifest_says_what_is_there(release: Path, bench: Bench) -> None:
    data = (release / MANIFEST).read_bytes()
    manifest = Manifest.parse(data, "it")
    assert manifest.to_json() == data and bench.sha256 == hashlib.sha256(data).hexdigest()
    assert set(manifest.files) == set(contents(release)) - {MANIFEST}
    for name, said in manifest.files.items():
        stored = (release / name).read_bytes()
        assert (said.bytes, said.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
        assert said.rows == (
            pq.ParquetFile(release / name).metadata.num_rows if name.endswith(".parquet") else 0
        )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is truncated or corrupted .* fetch the release anew"),
        (b'{"format": "nbzero rele', "is truncated or corrupted"),
        (b"\xff\xfe\x00", "is truncated or corrupted"),
        (b"[" * 100_000, "is truncated or corrupted"),
        (b"[1, 2]", "is no manifest of this project .* name a release directory"),
        (b'{"name": "a web app", "icons": []}', "is no manifest of this project"),
        (
            b'{"format": "nbzero release", "schema_version": 99, "data_version": "9.0.0", "files": {}}',
            "has schema version 99, this nbzero reads 1",
        ),
        (
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0", "files": {}}',
            "is malformed .*data version '1.0'; it is like",
        ),
        (
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0.0"}',
            "is malformed .KeyError: 'files'",
        ),
        (
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0.0", "files": []}',
            "is malformed",
        ),
        (
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0.0", "files": {"archs/r1.parquet": 5}}',
            "is malformed",
        ),
    ],
)
def test_damaged_and_foreign_manifests(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    with pytest.raises(ReleaseError, match=f"{tmp_path / MANIFEST} {said}"):
        Bench(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bytes", -1),
        ("bytes", "5"),
        ("bytes", 5.0),
        ("rows", True),
        ("sha256", "../../../x"),
        ("sha256", "A" * 64),
        ("sha256", 5),
    ],
)
def test_a_manifest_with_impossible_numbers(copied: Path, field: str, value: Any) -> None:
    edit_manifest(copied, lambda content: content["files"][RUNS_FILE].update({field: value}))
    with pytest.raises(ReleaseError, match=r"manifest.json is malformed .* fetch the release anew"):
        Bench(copied)


@pytest.mark.parametrize(
    "path",
    [
        "../x.parquet",
        "/etc/passwd",
        "archs/../../x.parquet",
        "a//b",
        "./archs/x.parquet",
        "C:/x",
        "a\\..\\b",
        "s3://b/x",
        "",
        "x\0y",
        "..",
    ],
)
def test_no_path_of_a_manifest_leaves_its_directory(copied: Path, path: str) -> None:
    with pytest.raises(ReleaseError, match="does not stay inside its directory"):
        safe_path(path)
    edit_manifest(copied, lambda content: content["files"].update({path: content["files"][RUNS_FILE]}))
    with pytest.raises(
        ReleaseError, match=r"manifest.json is malformed .*does not stay inside its directory"
    ):
        Bench(copied)


def test_paths_of_tables_and_back() -> None:
    for key in (("archs", "r1", None), ("runs", "r1-mini", "cifar10"), ("scores", "mb", "imagenet16-120")):
        assert parse_path(safe_path(path_of(*key))) == key
    for path in ("archs/r1/x.parquet", "runs/r1.parquet", "x.parquet", "archs/r1.csv"):
        with pytest.raises(ReleaseError, match=r"is no table of a release; tables are archs/SPACE\.parquet"):
            parse_path(path)


@pytest.mark.parametrize("text", ["1.2", "1.2.3.4", "v1.2.3", "1.2.x", "", None, 1.0])
def test_versions(text: Any) -> None:
    with pytest.raises(ValueError, match=r"it is like 1\.2\.3"):
        parse_version(text)


def test_no_release_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(
            ReleaseError,
            match=f"no release in {folder}: .*cannot be read .*name a directory, or a URL, with a manifest.json",
        ):
            Bench(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReleaseError, match="no release in"):
        Bench(tmp_path / "file")


# Checksums: nothing is read that is not what the manifest promises


def opened_and_read(folder: Path | str) -> Any:
    b = Bench(folder)
    return (
        b.query(("r1-mini", 0)).accuracy("digits"),
        b.arrow("archs", "r1-mini"),
        b.arrow(*RUNS),
        b.arrow("scores", "r1-mini", "cifar10"),
    )


@pytest.mark.parametrize(
    "name", ["archs/r1-mini.parquet", RUNS_FILE, "scores/r1-mini/cifar10.parquet", index_path("r1-mini")]
)
@pytest.mark.parametrize("damage", ["truncated", "emptied", "one bit", "longer", "missing", "a folder"])
def test_a_damaged_file_is_refused_by_name(copied: Path, name: str, damage: str) -> None:
    path, data = copied / name, (copied / name).read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {
                "truncated": data[: len(data) // 2],
                "emptied": b"",
                "one bit": bytes(flipped),
                "longer": data + b"\0",
            }[damage]
        )
    said = {
        "one bit": "does not have the checksum in its manifest",
        "missing": "cannot be read",
        "a folder": "cannot be read",
    }
    with pytest.raises(
        ReleaseError,
        match=f"{path} {said.get(damage, f'has .* bytes, its manifest says {len(data)}')}.*fetch",
    ):
        opened_and_read(copied)
    with pytest.raises(ReleaseError, match=str(path)):
        verify.verify(str(copied))


def test_a_file_that_is_not_asked_for_is_not_read(copied: Path) -> None:
    (copied / RUNS_FILE).write_bytes(b"")
    assert Bench(copied).query(("r1-mini", 0)).macs > 0 and Bench(copied).table(
        "r1-mini", ["val_acc"], "digits"
    )


@pytest.mark.parametrize("data", [b"PAR1", b"no parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_no_parquet_in_spite_of_the_right_checksum(copied: Path, data: bytes) -> None:
    replace_file(copied, RUNS_FILE, data)
    with pytest.raises(ReleaseError, match=f"{copied / RUNS_FILE} is no Parquet file that can be read"):
        Bench(copied).arrow(*RUNS)
    with pytest.raises(ReleaseError, match="is no Parquet file that can be read"):
        Release.open(copied).tables()


def test_nothing_is_unpickled(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", refuse)
    opened_and_read(copied)
    assert verify.verify(str(copied))


# The index


def without_index(folder: Path) -> Path:
    """The release as one without indexes."""
    shutil.rmtree(folder / "index")
    edit_manifest(
        folder,
        lambda content: content.update(
            files={k: v for k, v in content["files"].items() if not k.startswith("index/")}
        ),
    )
    return folder


def test_a_missing_index_is_rebuilt_into_the_cache(
    copied: Path, release: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = Bench(without_index(copied))
    before = contents(copied)
    for view in (b.table("r1-mini", None, "cifar10", "cpu-16px-4"), b.table("mb-mini", None, "cifar10")):
        same = Bench(release).table(view.space, None, "cifar10", view.recipe)
        assert all(
            view[name].tobytes() == same[name].tobytes()
            if view[name].dtype != object
            else (view[name] == same[name]).all()
            for name in view
        )
    assert contents(copied) == before
    assert sorted(contents(own_cache)) == [
        f"index/{b.sha256}/{space}.nbzidx" for space in ("mb-mini", "r1-mini")
    ]
    monkeypatch.setattr("nbzero.bench.build_index", None)
    assert Bench(copied).query(("r1-mini", 5)).accuracy("digits") is not None  # the second time it is there


def test_an_index_in_the_cache_that_cannot_be_written_or_read(copied: Path, own_cache: Path) -> None:
    b = Bench(without_index(copied))
    own_cache.write_text("")
    with pytest.raises(OutputError, match=f"cannot write {own_cache}.*NBZERO_CACHE"):
        b.query(("r1-mini", 0))
    own_cache.unlink()
    b.query(("r1-mini", 0))
    (path,) = own_cache.rglob("*.nbzidx")
    for data in (b"", b"garbage", path.read_bytes()[:100], path.read_bytes()[:8] + b"\xff" * 8, b"NBZIDX1\n"):
        path.write_bytes(data)
        with pytest.raises(
            ReleaseError, match=f"{path} is no index of this version .* remove it where it lies in the cache"
        ):
            Bench(copied).query(("r1-mini", 0))


def test_an_index_of_other_files_is_refused(copied: Path, small: Any, made: SimpleNamespace) -> None:
    other = small("other", [made.run_row(0)])
    replace_file(copied, index_path("r1-mini"), (other / index_path("r1-mini")).read_bytes())
    with pytest.raises(
        ReleaseError,
        match=r"index/r1-mini.nbzidx was made from other Parquet files .* run builders.merge_shards again",
    ):
        Bench(copied).query(("r1-mini", 0))
    with pytest.raises(ReleaseError, match="differs from the Parquet files it is derived from"):
        verify.verify(str(copied))


@pytest.mark.parametrize(
    "place",
    [
        {"dtype": "|O", "offset": 0, "count": 1},
        {"dtype": "nonsense", "offset": 0, "count": 1},
        {"dtype": "<M8[s]", "offset": 0, "count": 1},
        {"dtype": "<f8", "offset": 0, "count": -1},
        {"dtype": "<f8", "offset": -8, "count": 1},
        {"dtype": "<f8", "offset": 0, "count": 10**9},
        {"dtype": "<f8", "offset": 10**9, "count": 1},
        {"dtype": "<f8", "offset": "0", "count": 1},
        {"offset": 0, "count": 1},
        None,
    ],
)
def test_an_index_that_points_outside_itself(tmp_path: Path, place: Any) -> None:
    header = json.dumps(
        {
            "space": "x",
            "sources": {},
            "tables": {"archs": {"rows": 1, "groups": [], "columns": {"macs": place}}},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    (tmp_path / "x").write_bytes(b"NBZIDX1\n" + len(header).to_bytes(8, "little") + header)
    with pytest.raises(ReleaseError, match=f"{tmp_path / 'x'} is no index of this version"):
        Index(tmp_path / "x").numbers("archs", "macs")


def test_the_byte_layout_is_the_one_written_down(release: Path) -> None:
    """An index read by hand, from the module's description alone."""
    data = (release / index_path("r1-mini")).read_bytes()
    assert data[:8] == b"NBZIDX1\n"
    header = json.loads(data[16 : 16 + int.from_bytes(data[8:16], "little")])
    assert header["space"] == "r1-mini"
    assert header["sources"][RUNS_FILE] == hashlib.sha256((release / RUNS_FILE).read_bytes()).hexdigest()

    def array(place: Any) -> Any:
        assert place["offset"] % 64 == 0
        return np.frombuffer(data, place["dtype"], place["count"], place["offset"])

    for name, table in header["tables"].items():
        kind, _, dataset = name.partition("/")
        stored = pq.ParquetFile(release / path_of(kind, "r1-mini", dataset or None)).read()
        assert table["rows"] == stored.num_rows and set(table["columns"]) == set(stored.column_names)
        for column, place in table["columns"].items():
            if "bytes" in place:
                values = array(place["bytes"]).tobytes().decode().split("\n")
            elif "texts" in place:
                values = [place["texts"][code] if code >= 0 else None for code in array(place["codes"])]
            elif "ends" in place:
                ends = [0, *array(place["ends"])]
                values = [array(place["values"])[a:b].tolist() for a, b in itertools.pairwise(ends)]
            else:
                values = [plain(x) for x in array(place)]
            assert values == stored.column(column).to_pylist(), (name, column)
        for text, seed, first, after in table["groups"]:
            part = stored.slice(first, after - first).to_pylist()
            assert {(row[KEYS[kind][1]], row["seed"]) for row in part} == {(text, seed)}


# URLs


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if "broken" in self.path:
            self.send_error(500)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def served(copied: Path) -> Iterator[SimpleNamespace]:
    """The copied release behind http, and what was asked of it."""
    asked: list[str] = []
    handler = type("Own", (Handler,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(copied))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", asked=asked, folder=copied)
    server.shutdown()
    thread.join()
    server.server_close()


def same_answers(b: Bench, other: Bench) -> None:
    for arch_id in (0, 4, 7, 999):
        r, s = b.query(("r1-mini", arch_id)), other.query(("r1-mini", arch_id))
        assert (
            r == s
            and r.run("cifar10", "cpu-16px-4") == s.run("cifar10", "cpu-16px-4")
            and r.scores("cifar10") == s.scores("cifar10")
        )
    assert (
        b.arrow(*RUNS).equals(other.arrow(*RUNS)) and b.sha256 == other.sha256 and b.version == other.version
    )


def test_a_release_at_a_url(served: SimpleNamespace, bench: Bench, own_cache: Path) -> None:
    b = Bench(served.url + "/")
    assert served.asked == ["/manifest.json"]
    b.query(("r1-mini", 0))
    assert served.asked[1:] == ["/index/r1-mini.nbzidx"]  # only what is needed
    same_answers(b, bench)
    asked = len(served.asked)
    same_answers(Bench(served.url), bench)
    assert served.asked[asked:] == ["/manifest.json"]  # the rest is in the cache
    assert all(
        hashlib.sha256(data).hexdigest() == path.split("/")[1]
        for path, data in contents(own_cache / "files").items()
        for path in ["x/" + path]
    )
    assert verify.verify(served.url) == verify.verify(str(served.folder))


def test_a_release_in_memory(release: Path, bench: Bench, own_cache: Path) -> None:
    memory = fsspec.filesystem("memory")
    for name, data in contents(release).items():
        memory.pipe_file(f"/nbzero-test/{name}", data)
    try:
        same_answers(Bench("memory://nbzero-test"), bench)
        assert "memory://nbzero-test" in repr(Bench("memory://nbzero-test"))
    finally:
        memory.rm("/nbzero-test", recursive=True)


def test_a_damaged_copy_in_the_cache_is_fetched_again(
    served: SimpleNamespace, bench: Bench, own_cache: Path
) -> None:
    Bench(served.url).query(("r1-mini", 0))
    (path,) = own_cache.rglob("*.nbzidx")
    for damage in (path.read_bytes()[:-1], b"", b"x" * path.stat().st_size):
        path.write_bytes(damage)
        same_answers(Bench(served.url), bench)
        assert path.read_bytes() != damage


def test_what_is_wrong_with_a_url(served: SimpleNamespace, own_cache: Path) -> None:
    with pytest.raises(
        ReleaseError,
        match=r"absent/manifest.json cannot be fetched .FileNotFoundError.*check the address and the network",
    ):
        Bench(served.url + "/absent")
    with pytest.raises(
        ReleaseError, match=r"broken/manifest.json cannot be fetched .ClientResponseError: 500"
    ):
        Bench(served.url + "/broken")
    with pytest.raises(
        ReleaseError, match=r"nosuch://x/manifest.json cannot be fetched .ValueError: Protocol not known"
    ):
        Bench("nosuch://x")
    (served.folder / index_path("r1-mini")).write_bytes(b"NBZIDX1\n")
    with pytest.raises(
        ReleaseError,
        match=rf"{served.url}/index/r1-mini.nbzidx has 8 bytes, its manifest says .*fetch it anew",
    ):
        Bench(served.url).query(("r1-mini", 0))
    (served.folder / MANIFEST).write_bytes(b"{")
    with pytest.raises(ReleaseError, match=rf"{served.url}/manifest.json is truncated or corrupted"):
        Bench(served.url)
    assert not own_cache.exists() or not contents(own_cache)


def test_nobody_listens(own_cache: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_port
    with pytest.raises(ReleaseError, match="cannot be fetched"):
        Bench(f"http://127.0.0.1:{port}")


# Writing: whole or not at all


class FullDisk(io.FileIO):
    """A file on a disk that is full after half of what is written."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let `after` files be written, the next one not."""
    left = [after]

    def opened(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" not in mode:
            return open(path, mode, *args, **kwargs)
        left[0] -= 1
        return open(path, mode, *args, **kwargs) if left[0] >= 0 else FullDisk(path, "wb")

    monkeypatch.setattr(files, "open", opened, raising=False)


def test_write_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "b"
    write_whole(path, b"old")
    write_whole(path, b"newer")
    assert contents(tmp_path) == {"a/b": b"newer"}
    fill_disk(monkeypatch, after=0)
    with pytest.raises(
        OutputError,
        match=f"cannot write {path}: No space left on device; free space or choose another folder",
    ):
        write_whole(path, b"newest")
    assert contents(tmp_path) == {"a/b": b"newer"}
    monkeypatch.undo()
    with pytest.raises(
        OutputError,
        match=f"cannot write {path / 'c'}: File exists .{path}.; free space or choose another folder",
    ):
        write_whole(path / "c", b"")
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"interrupted")
    assert contents(tmp_path) == {"a/b": b"newer"}


def test_two_threads_write_one_file(tmp_path: Path) -> None:
    failed = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_whole(tmp_path / "x", bytes([number]) * 1000)
        except OutputError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and list(contents(tmp_path)) == ["x"] and len(set((tmp_path / "x").read_bytes())) == 1


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
        OutputError, match=r"cannot write .*: Not a directory .*; free space or choose another folder"
    ):
        commit_release(tmp_path / "file" / "release", tables_of(made, 0), "0.1.0")
    with pytest.raises(OutputError, match="cannot write"):
        commit_release(tmp_path / "file", tables_of(made, 0), "0.1.0")
    assert contents(tmp_path) == {"file": b"kept"}


class Killed(BaseException):
    """Stands for kill -9: from then on nothing of the process happens, so neither renaming nor cleaning up."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die in place of the `number`-th rename; the files that were written stay as they are."""
    renamed = [0]

    def replace(source: Any, target: Any, real: Any = os.replace) -> None:
        renamed[0] += 1
        if renamed[0] > number:
            raise Killed
        real(source, target)

    def unlink(path: Path, missing_ok: bool = False, real: Any = Path.unlink) -> None:
        if renamed[0] > number:
            raise Killed
        real(path, missing_ok)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)


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
            assert (
                str(error)
                == f"{folder} is in the middle of a merge ({NEXT}); if none runs it was cut off: run the same merge again"
            )
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
    assert {f"{RUNS_FILE}.part", f"{index_path('r1-mini')}.part"} <= set(contents(tmp_path)) and not (
        tmp_path / NEXT
    ).exists()
    with pytest.raises(
        ReleaseError,
        match=r"\.part is not in the manifest; remove it, or run builders.merge_shards again if it was cut off",
    ):
        verify.verify(str(tmp_path))
    tables = tables_of(made, 3) | {
        ("runs", "mb-mini", "cifar10"): tables_of(made, 2, with_mb=True)["runs", "mb-mini", "cifar10"]
    }
    commit_release(tmp_path, tables, "0.1.0")
    assert verify.verify(str(tmp_path)) and Bench(tmp_path).arrow(*RUNS).num_rows == 3


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
        ReleaseError,
        match=r"cannot finish the merge in .*Permission denied.*run the same command again: all is kept",
    ):
        commit_release(tmp_path, tables_of(made, 5), "0.2.0")
    monkeypatch.undo()
    finish_commit(tmp_path)
    assert verify.verify(str(tmp_path)) and Bench(tmp_path).arrow(*RUNS).num_rows == 5


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


# Merging shards


def in_shard(rows: list[Row], space: str = "r1-mini", dataset: str = "cifar10") -> list[Row]:
    archs = Release.open().table(f"archs/{space}.parquet").column("arch").to_pylist()
    return [row | {"space": space, "dataset": dataset, "arch": archs[row["arch_id"]]} for row in rows]


ENCODE = {
    "parquet": to_parquet,
    "h5": to_h5,
    "json": lambda table, rows: to_json(table, rows[0]),
}


def write_shard(folder: Path, name: str, rows: list[Row], table: Any = "runs") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(ENCODE[name.rpartition(".")[2]](table, rows))
    return folder / name


@pytest.fixture
def merge(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the job; gives what it printed, after checking its exit status."""

    def run(*arguments: Any, fails: bool = False) -> str:
        status = merge_shards.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert status == (2 if fails else 0), said.err
        assert not fails or (said.err.startswith("error: ") and not said.out)
        return said.err if fails else said.out

    return run


def test_shards_of_all_formats_become_the_release_they_are_parts_of(
    release: Path, made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    """Units of a job that still runs, finished shards in both formats, and another release, in one merge onto the archs tables."""
    commit_release(tmp_path / "base", made.as_tables({}), "0.1.0")
    for (table, space, dataset), rows in made.rows.items():
        listed = in_shard(rows, space, dataset)
        folder = tmp_path / "shards" / table / f"{space}-{dataset}"
        write_shard(folder, "a-0000-of-0003.parquet", listed[0::3], table)
        write_shard(folder, "a-0001-of-0003.h5", listed[1::3], table)
        for row in listed[2::3][:15]:
            write_shard(
                folder / "a-0002-of-0003",
                f"{row['arch_id']:06d}-{row['seed']}-{row.get('recipe', 'x')}.json",
                [row],
                table,
            )
        write_shard(
            tmp_path / "rest", f"{table}-{space}-{dataset}.parquet", listed[2::3][15:] or listed[:1], table
        )
    (tmp_path / "shards" / "x.parquet.part").write_bytes(b"half")
    (tmp_path / "shards" / "notes.txt").write_text("mine")
    said = merge(
        tmp_path / "shards", tmp_path / "rest", "--base", tmp_path / "base", "--out", tmp_path / "out"
    )
    num_rows = sum(len(rows) for rows in made.rows.values())
    assert f"data version 0.2.0, {num_rows:,} rows added" in said
    assert contents(tmp_path / "out") == contents(release)
    said = merge(tmp_path / "shards", "--out", tmp_path / "out")
    assert "data version 0.2.0, 0 rows added" in said and contents(tmp_path / "out") == contents(release)
    said = merge(release, "--out", tmp_path / "out")
    assert f"0 rows added or filled, {num_rows} there already" in said and contents(
        tmp_path / "out"
    ) == contents(release)


def test_without_a_base_the_archs_of_the_embedded_release_are_it(
    made: SimpleNamespace, merge: Any, tmp_path: Path
) -> None:
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(3)]))
    said = merge(shard, "--out", tmp_path / "out")
    assert "data version 0.1.0, 1 row added or filled, 0 there already, 13 files" in said
    b = Bench(tmp_path / "out")
    assert len(b.spaces) == 6 and b.query(("r1-mini", 3)).run("cifar10").val_acc == made.run_row(3)["val_acc"]
    assert b.query(("r1-mini", 2)).accuracy("cifar10") is None


def test_a_release_is_added_to_and_its_version_follows_the_rule(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    out = small("out", [made.run_row(0)])
    first = contents(out)
    merge(
        write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1), made.run_row(0)])), "--out", out
    )
    assert Bench(out).version == "0.2.0" and Bench(out).arrow(*RUNS).num_rows == 2
    merge(
        write_shard(tmp_path / "s", "b.parquet", in_shard([made.run_row(2)])),
        "--out",
        out,
        "--version",
        "0.5.0",
    )
    assert Bench(out).version == "0.5.0" and Bench(out).arrow(*RUNS).num_rows == 3
    said = merge(
        write_shard(tmp_path / "s", "c.parquet", in_shard([made.run_row(4)])),
        "--out",
        out,
        "--version",
        "0.5.1",
        fails=True,
    )
    assert "version 0.5.1; the base is 0.5.0 and 1 row is new, so it is at least 0.6.0" in said
    said = merge(
        write_shard(tmp_path / "s", "c.parquet", in_shard([made.run_row(4)])),
        "--out",
        out,
        "--version",
        "six",
        fails=True,
    )
    assert "data version 'six'; it is like 1.2.3" in said
    assert Bench(out).version == "0.5.0"
    base = small("base", [made.run_row(0)])
    merge(tmp_path / "s" / "a.parquet", "--base", base, "--out", tmp_path / "new")
    assert Bench(tmp_path / "new").version == "0.2.0" and contents(base) == first


def test_repeated_rows_keep_the_first_and_its_times(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    one = made.run_row(1)
    again = one | {
        "train_time_s": 1.5,
        "device": "another",
        "engine": "ray",
        "software": "newer",
        "builder_commit": "f" * 40,
    }
    out = small("out", [made.run_row(0)])
    shards = [
        write_shard(tmp_path / "s", name, in_shard([row]))
        for name, row in (("a.parquet", one), ("b.h5", again))
    ]
    assert "1 row added or filled, 1 there already" in merge(*shards, "--out", out)
    assert Bench(out).arrow(*RUNS).to_pylist()[1] == one
    assert "0 rows added or filled, 1 there already" in merge(shards[1], "--out", out)
    assert Bench(out).arrow(*RUNS).to_pylist()[1] == one


@pytest.mark.parametrize(
    "change", [{"val_acc": 0.5}, {"test_acc": 0.5}, {"train_loss": 0.5}, {"curve": [0.5]}]
)
@pytest.mark.parametrize("where", ["two shards", "the base"])
def test_two_rows_of_one_key_with_different_values(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, change: Row, where: str
) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    arch_id = 1 if where == "two shards" else 0
    one, two = (
        write_shard(tmp_path / "s", name, in_shard([made.run_row(arch_id) | row]))
        for name, row in (("a.parquet", {}), ("b.h5", change))
    )
    (column,) = change
    said = merge(*([one, two] if where == "two shards" else [two]), "--out", out, fails=True)
    assert (
        str(two) in said
        and (str(one) if where == "two shards" else f"{RUNS_FILE} of the base release") in said
    )
    assert (
        f"{{'arch_id': {arch_id}, 'recipe': 'cpu-16px-4', 'seed': 0}}, with different {column} ({column}: {change[column]!r} and "
        in said
    )
    assert "nothing was merged: find out which is right and leave the other out" in said
    assert contents(out) == before


def test_a_score_that_one_shard_lacks_is_a_different_value(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    rows = [made.score_row(0), made.score_row(0, failed={"zen": "too small"})]
    shards = [
        write_shard(tmp_path / "s", f"{i}.parquet", in_shard([row]), "scores") for i, row in enumerate(rows)
    ]
    assert "with different zen (zen: None and " in merge(*shards, "--out", small("out"), fails=True)


def test_a_proxy_computed_later_is_filled_in(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    whole = made.score_row(0, failed={"snip": "why"})
    early = whole | {
        "zen": None,
        "zen_s": None,
        "snip": None,
        "failures": None,
        "builder_commit": "early",
        "grad_norm": None,
    }
    late = whole | {"synflow": None, "synflow_s": None, "builder_commit": "late"}
    for name, order in (("one", (early, late)), ("other", (late, early))):
        shards = [
            write_shard(tmp_path / name, f"{i}.parquet", in_shard([row]), "scores")
            for i, row in enumerate(order)
        ]
        out = small(f"out-{name}")
        assert "2 rows added or filled" in merge(*shards, "--out", out)
        (row,) = (row for row in Bench(out).arrow("scores", *RUNS[1:]).to_pylist() if row["arch_id"] == 0)
        assert row == whole | {"builder_commit": "late"}
        assert "0 rows added or filled, 1 there already" in merge(shards[0], "--out", out)
    contradicting = write_shard(tmp_path / "c", "c.parquet", in_shard([late | {"zen": 1.25}]), "scores")
    assert "with different zen (zen: 1.25 and " in merge(contradicting, "--out", out, fails=True)


def with_version(path: Path, version: str) -> Path:
    """A shard as another data version would have written it."""
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"data_version": version}))
        return path
    table = pq.ParquetFile(path).read()
    pq.write_table(
        table.replace_schema_metadata(table.schema.metadata | {b"nbzero.data_version": version.encode()}),
        path,
    )
    return path


def test_mixed_data_versions(made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    one = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    two = with_version(
        write_shard(tmp_path / "s", "b.parquet", in_shard([made.run_row(1) | {"val_acc": 0.5}])), "1.0.0"
    )
    said = merge(one, two, "--out", out, fails=True)
    assert (
        f"{one} is of data version 0.1.0 and {two} of 1.0.0; nothing was merged: merge one version at a time"
        in said
    )
    assert f"{two} is of data version 1.0.0, the release to make is 0.1.0" in merge(
        two, "--out", out, fails=True
    )
    three = with_version(write_shard(tmp_path / "s", "c.json", in_shard([made.run_row(1)])), "nonsense")
    assert f"{three} is of data version nonsense" in merge(three, "--out", out, fails=True)
    other = small("other", [made.run_row(5)], version="0.7.0")
    assert f"{one} is of data version 0.1.0 and {other}/{RUNS_FILE} of 0.7.0" in merge(
        one, other, "--out", out, fails=True
    )
    assert contents(out) == before


@pytest.mark.parametrize("kind", ["parquet", "h5", "json"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "garbage"])
def test_a_damaged_shard(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, kind: str, damage: str
) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    good = write_shard(tmp_path / "s", "good.parquet", in_shard([made.run_row(1)]))
    path = write_shard(tmp_path / "s", f"bad.{kind}", in_shard([made.run_row(2)]))
    data = path.read_bytes()
    path.write_bytes(
        {"truncated": data[: len(data) // 2], "emptied": b"", "garbage": b"\x00garbage" * 40}[damage]
    )
    said = merge(good, path, "--out", out, fails=True)
    assert f"{path} is truncated or corrupted" in said and "remove it and run its job again" in said
    assert contents(out) == before


def test_shards_that_do_not_fit(made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)

    def said_of(name: str, rows: list[Row]) -> str:
        path = write_shard(tmp_path / "s", name, rows)
        said = merge(path, "--out", out, fails=True)
        assert str(path) in said and contents(out) == before
        return said

    row = in_shard([made.run_row(1)])[0]
    assert "rows of r2-mini, of which the base release has no archs table; choose another --base" in said_of(
        "a.parquet", [row | {"space": "r2-mini"}]
    )
    wrong = in_shard([made.run_row(2)])[0]["arch"]
    assert f"arch_id 1 is {wrong}, but the archs table of r1-mini has {row['arch']} there" in said_of(
        "b.json", [row | {"arch": wrong}]
    )
    assert "arch_id 5000 is" in said_of("c.json", [row | {"arch_id": 5000}])
    assert "val_acc: 94.1 outside [0, 1] fraction" in said_of("d.json", [row | {"val_acc": 94.1}])
    for name in ("../../../escaped", "a/b", "", "/tmp", "a\\b", ".."):
        assert f"{name!r} is no name of a space or data set" in said_of("e.json", [row | {"dataset": name}])
    assert not list(tmp_path.parent.rglob("escaped*"))


def test_sources_and_folders_that_are_none(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path
) -> None:
    out = small("out", [made.run_row(0)])
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "absent", tmp_path / "empty"):
        assert f"{source} holds no shards (.parquet, .h5, .json) and is no release" in merge(
            source, "--out", out, fails=True
        )
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / MANIFEST).write_text('{"name": "app"}')
    assert "web/manifest.json is no manifest of this project" in merge(
        tmp_path / "web", "--out", out, fails=True
    )
    assert "web/manifest.json is no manifest of this project" in merge(
        shard, "--out", tmp_path / "web", fails=True
    )
    assert (tmp_path / "web" / MANIFEST).read_text() == '{"name": "app"}'
    base = small("base")
    assert "is a release already, whose rows stay; leave out --base" in merge(
        shard, "--out", out, "--base", base, fails=True
    )
    assert "is both --out and to be merged" in merge(tmp_path / "s", "--out", tmp_path / "s", fails=True)
    assert "is a URL; a release is made in a local folder" in merge(
        shard, "--out", "memory://x/y", fails=True
    )
    (tmp_path / "file").write_text("")
    assert "Not a directory" in merge(shard, "--base", base, "--out", tmp_path / "file" / "x", fails=True)
    assert "is a release already" in merge(shard, "--base", tmp_path / "absent", "--out", out, fails=True)
    assert f"no release in {tmp_path / 'absent'}" in merge(
        shard, "--base", tmp_path / "absent", "--out", tmp_path / "new", fails=True
    )
    merge(shard, "--base", out, "--out", out)  # the base that it has anyway
    assert Bench(out).arrow(*RUNS).num_rows == 2


def test_a_full_disk_in_a_merge(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = small("out", [made.run_row(0)])
    before = contents(out)
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    fill_disk(monkeypatch, after=2)
    said = merge(shard, "--out", out, fails=True)
    assert (
        f"cannot write {out}" in said
        and "No space left on device; free space or choose another folder, then run the same command again"
        in said
    )
    assert contents(out) == before
    monkeypatch.undo()
    merge(shard, "--out", out)
    assert Bench(out).arrow(*RUNS).num_rows == 2 and shard.exists()


def test_a_killed_merge_is_finished_by_the_same_command(
    made: SimpleNamespace, small: Any, merge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = write_shard(tmp_path / "s", "a.parquet", in_shard([made.run_row(1)]))
    for number in range(8):  # 3 parts, manifest.next.json, 3 files, the manifest
        out = small(f"out{number}", [made.run_row(0)])
        kill_at(monkeypatch, number)
        with pytest.raises(Killed):
            merge_shards.main([str(shard), "--out", str(out)])
        monkeypatch.undo()
        merge(shard, "--out", out)
        assert Bench(out).version == "0.2.0" and Bench(out).arrow(*RUNS).to_pylist() == [
            made.run_row(0),
            made.run_row(1),
        ]
        verify.verify(str(out))


# Verifying


def rewritten(folder: Path, name: str, change: Callable[[list[Row]], Any], space: str = "r1-mini") -> None:
    """Change rows of a table and let manifest and index follow, so that only the content is wrong."""
    table = pq.ParquetFile(folder / name).read()
    rows = table.to_pylist()
    rows = change(rows) or rows
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, table.schema), sink)
    replace_file(folder, name, sink.getvalue())
    edit_manifest(folder, lambda content: content["files"][name].update(rows=len(rows)))
    release = Release.open(folder)
    tables = {f"{k}/{ds}" if ds else k: t for (k, of, ds), t in release.tables().items() if of == space}
    sources = {
        path: file.sha256
        for path, file in release.manifest.files.items()
        if path.endswith(".parquet") and parse_path(path)[1] == space
    }
    replace_file(folder, index_path(space), build_index(space, tables, sources))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (RUNS_FILE, lambda rows: rows[5].update(val_acc=1.5), "val_acc: 1.5 outside"),
        (RUNS_FILE, lambda rows: rows[5].update(val_acc=math.nan), "val_acc: NaN; what is absent is null"),
        (
            RUNS_FILE,
            lambda rows: rows[5].update(val_acc=None),
            r"has status 'ok' but val_acc, test_acc, train_loss \[None, ",
        ),
        (
            RUNS_FILE,
            lambda rows: rows[5].update(status="diverged", train_loss=None),
            "has status 'diverged' but val_acc, test_acc, train_loss",
        ),
        (RUNS_FILE, lambda rows: rows[5].update(status="fine"), "status: 'fine' is none of ok, diverged"),
        (RUNS_FILE, lambda rows: rows[5].update(seed=-1), "seed: -1 outside"),
        (
            RUNS_FILE,
            lambda rows: rows[-1].update(arch_id=1000),
            "has an arch_id that archs/r1-mini.parquet lacks",
        ),
        (RUNS_FILE, lambda rows: rows[::-1], "are not sorted or not unique"),
        (RUNS_FILE, lambda rows: [rows[0], *rows], "are not sorted or not unique"),
        ("scores/r1-mini/cifar10.parquet", lambda rows: rows[0].update(zen=math.nan), "zen: NaN"),
        (
            "scores/r1-mini/cifar10.parquet",
            lambda rows: rows[0].update(failures="naswot failed"),
            "is no JSON object of null scores",
        ),
        (
            "scores/r1-mini/cifar10.parquet",
            lambda rows: rows[0].update(failures='{"zen": "x"}'),
            "is no JSON object of null scores",
        ),
        (
            "scores/r1-mini/cifar10.parquet",
            lambda rows: rows[0].update(failures='["zen"]'),
            "is no JSON object of null scores",
        ),
        (
            "archs/r1-mini.parquet",
            lambda rows: rows[3].update(macs=rows[3]["macs"] + 1),
            r"row 3 \(.*\) is not what its arch string says",
        ),
        ("archs/r1-mini.parquet", lambda rows: rows[3].update(s2_in=99), "is not what its arch string says"),
        (
            "archs/r1-mini.parquet",
            lambda rows: [rows[1] | {"arch_id": 0}, rows[0] | {"arch_id": 1}, *rows[2:]],
            "are not in the build order",
        ),
        ("archs/r1-mini.parquet", lambda rows: rows[:-1], "has 999 archs, the space has 1000"),
        ("archs/r1-mini.parquet", lambda rows: rows[1:], "not what its arch string says|999 archs"),
    ],
)
def test_verify_finds_wrong_content(copied: Path, name: str, change: Any, said: str) -> None:
    rewritten(copied, name, change)
    with pytest.raises(ReleaseError, match=f"{name}.*(?:{said})"):
        verify.verify(str(copied))


def test_verify_finds_wrong_columns_rows_and_strangers(
    copied: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(copied)]) == 0
    out = capsys.readouterr().out
    assert (
        "runs/r1-mini/cifar10.parquet: 84 rows\n" in out
        and "index/r1-mini.nbzidx: equals its 4 tables\n" in out
    )
    assert out.endswith(f"{copied}: data version 0.2.0, all 10 files hold\n")
    (copied / "runs" / "stranger.parquet").write_bytes(b"")
    assert verify.main([str(copied)]) == 2
    assert (
        f"error: {copied / 'runs' / 'stranger.parquet'} is not in the manifest; remove it"
        in capsys.readouterr().err
    )
    (copied / "runs" / "stranger.parquet").unlink()
    edit_manifest(copied, lambda content: content["files"][RUNS_FILE].update(rows=83))
    with pytest.raises(ReleaseError, match=f"{RUNS_FILE} has 84 rows, its manifest says 83"):
        verify.verify(str(copied))
    table = pq.ParquetFile(copied / RUNS_FILE).read()
    for other in (
        table.drop_columns(["curve"]),
        table.set_column(2, "seed", table.column("seed").cast(pa.int64())),
    ):
        sink = io.BytesIO()
        pq.write_table(other, sink)
        replace_file(copied, RUNS_FILE, sink.getvalue())
        edit_manifest(copied, lambda content: content["files"][RUNS_FILE].update(rows=84))
        with pytest.raises(ReleaseError, match=f"{RUNS_FILE}: columns .* are not those of runs"):
            verify.verify(str(copied))


def test_verify_says_that_a_merge_was_cut_off(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(copied / MANIFEST, copied / NEXT)
    assert verify.main([str(copied)]) == 2
    assert "is in the middle of a merge (manifest.next.json)" in capsys.readouterr().err


def test_rows_with_wrong_columns_or_types(made: SimpleNamespace) -> None:
    row = made.run_row(0)
    check_rows("runs", [row], "it")
    for changed, said in (
        (
            {k: v for k, v in row.items() if k != "curve"},
            r"it: row 0 has unknown columns \[\] and lacks \['curve'\]; it is no runs table",
        ),
        (row | {"extra": 1}, r"row 0 has unknown columns \['extra'\]"),
        (row | {"seed": "0"}, "seed: '0' is no int32 in row 0"),
        (row | {"seed": True}, "seed: True is no int32"),
        (row | {"device": 5}, "device: 5 is no text"),
        (row | {"recipe": None}, "recipe: null where a value is required"),
        (row | {"curve": [0.1, "x"]}, "curve: 'x' is no list<float64>"),
        (row | {"curve": [0.1, 2.0]}, r"curve: 2.0 outside \[0, 1\] fraction"),
    ):
        with pytest.raises(ReleaseError, match=said):
            check_rows("runs", [changed], "it")
