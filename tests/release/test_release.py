"""Releases: what is read is what the manifest promises.

Whatever is wrong is said with the file and the remedy.
"""

import functools
import hashlib
import http.server
import io
import itertools
import json
import math
import os
import shutil
import tarfile
import threading
import zlib
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

from builders import verify
from builders.work.commit import commit_release
from nbzero import Bench, ReleaseError
from nbzero.errors import OutputError, UsageError
from nbzero.files import write_whole
from nbzero.release import index
from nbzero.release.index import Index, build_index, index_path
from nbzero.release.manifest import MANIFEST, NEXT, Manifest, Parent, Release, Version, parse_version
from nbzero.release.schema import KEYS, TABLES, WHERE, check_rows, parse_path, path_of, safe_path
from tests.disk import PowerCut, contents, fill_disk

Row = dict[str, Any]
RUNS = ("runs", "r1-mini", "cifar10")
RUNS_FILE = "runs/r1-mini/cifar10.parquet"


@pytest.fixture
def copied(release: Path, tmp_path: Path) -> Path:
    """A copy of the made release, to be damaged."""
    shutil.copytree(release, tmp_path / "copied")
    return tmp_path / "copied"


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
        for row in stored:
            where = {} if key[0] == "archs" else {name: row[name] for name in WHERE}
            assert row == by_key[tuple(row[k] for k in keys)] | where


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
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0.0", "files": '
            b'{"archs/r1.parquet": 5}}',
            "is malformed",
        ),
        (
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0.0+x.1", "files": {}}',
            "is malformed .*data version 1.0.0.x.1 is of a derived release, and no parent is named",
        ),
        (
            b'{"format": "nbzero release", "schema_version": 1, "data_version": "1.0.0+X.1", "files": {}}',
            "is malformed .*it is like 1.2.3, a derived release's like 1.2.3.yours.1",
        ),
    ],
)
def test_damaged_and_foreign_manifests(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    with pytest.raises(ReleaseError, match=f"{tmp_path / MANIFEST} {said}"):
        Bench(tmp_path)


@pytest.mark.parametrize(
    ("parent", "said"),
    [
        ({"data_version": "0.1.0", "sha256": "a" * 64}, "is derived from another than its parent 0.1.0"),
        ({"data_version": "six", "sha256": "a" * 64}, "data version 'six'; it is like 1.2.3"),
        ({"data_version": "0.2.0", "sha256": "A" * 64}, "it is 64 hex digits"),
        ({"data_version": "0.2.0", "sha256": None}, "sha256 None; it is 64 hex digits"),
        ({"data_version": "0.2.0"}, "KeyError: 'sha256'"),
        ("0.2.0", "TypeError"),
        (None, "TypeError"),
    ],
)
def test_a_manifest_with_an_impossible_parent(copied: Path, parent: Any, said: str) -> None:
    edit_manifest(copied, lambda content: content.update(data_version="0.2.0+x.1", parent=parent))
    with pytest.raises(ReleaseError, match=f"manifest.json is malformed .*{said}.* fetch the release anew"):
        Bench(copied)
    with pytest.raises(ReleaseError, match=said):
        verify.verify(str(copied))


def test_a_derived_release_says_so_and_holds(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent = {"data_version": "0.2.0", "sha256": "a" * 64}
    edit_manifest(copied, lambda content: content.update(data_version="0.2.0+x.1", parent=parent))
    manifest = Release.open(copied).manifest
    assert manifest.parent == Parent(**parent)
    assert Manifest.parse(manifest.to_json(), "it") == manifest
    assert Bench(copied).version == "0.2.0+x.1"
    assert verify.main([str(copied)]) == 0
    derived = f"data version 0.2.0+x.1, derived from 0.2.0 (manifest SHA-256 {'a' * 64}), all 10 files hold"
    assert derived in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.2.3", Version((1, 2, 3))), ("10.0.1+lab2.12", Version((10, 0, 1), "lab2", 12))],
)
def test_parts_of_a_version(text: str, version: Version) -> None:
    assert Version.parse(text) == version and str(version) == text


@pytest.mark.parametrize(
    "text", ["1.2.3+", "1.2.3+x", "1.2.3+x.0", "1.2.3+x.01", "1.2.3+1.1", "1.2+x.1", None]
)
def test_what_is_no_version(text: Any) -> None:
    with pytest.raises(UsageError, match=r"data version .*; it is like 1\.2\.3"):
        Version.parse(text)


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
        with pytest.raises(
            ReleaseError, match=r"is no table of a release; tables are archs\|latencies/SPACE\.parquet"
        ):
            parse_path(path)


@pytest.mark.parametrize("text", ["1.2", "1.2.3.4", "v1.2.3", "1.2.x", "", None, 1.0])
def test_versions(text: Any) -> None:
    with pytest.raises(ValueError, match=r"it is like 1\.2\.3"):
        parse_version(text)


def test_no_release_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(
            ReleaseError,
            match=f"no release in {folder}: .*cannot be read .*name a directory, or a URL, with a "
            f"manifest.json",
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
        "a folder": "is no regular file",
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


def test_a_release_that_is_replaced_while_it_is_open_is_never_mixed(
    made: SimpleNamespace, small: Any, tmp_path: Path
) -> None:
    """What was opened goes on to answer, and what was not is an error that says so."""
    folder = tmp_path / "release"
    shutil.copytree(small("before", [made.run_row(0)], "0.1.0"), folder)
    b = Bench(folder)
    assert b.query(("r1-mini", 0)).accuracy("cifar10") == made.run_row(0)["val_acc"]
    commit_release(folder, made.as_tables({RUNS: [made.run_row(i) for i in range(3)]}, ["r1-mini"]), "0.2.0")
    assert b.query(("r1-mini", 0)).accuracy("cifar10") == made.run_row(0)["val_acc"]
    assert b.query(("r1-mini", 1)).accuracy("cifar10") is None
    with pytest.raises(ReleaseError, match="was replaced since it was opened; open it again"):
        b.arrow(*RUNS)
    late = Bench(folder)
    commit_release(folder, made.as_tables({RUNS: [made.run_row(i) for i in range(4)]}, ["r1-mini"]), "0.3.0")
    with pytest.raises(ReleaseError, match="was replaced since it was opened; open it again"):
        late.query(("r1-mini", 0))


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
        same = Bench(release).table(view.selected["space"], None, "cifar10", view.selected["recipe"])
        assert all(
            view[name].tobytes() == same[name].tobytes()
            if view[name].dtype != object
            else (view[name] == same[name]).all()
            for name in view.columns
        )
    assert contents(copied) == before
    assert sorted(contents(own_cache)) == [
        f"index/{b.sha256}/{space}.nbzidx" for space in ("mb-mini", "r1-mini")
    ]
    monkeypatch.setattr("nbzero.release.opened.build_index", None)
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


@pytest.mark.parametrize("long", [0, index.LONG])
def test_the_byte_layout_is_the_one_written_down(
    copied: Path, monkeypatch: pytest.MonkeyPatch, long: int
) -> None:
    """An index read by hand, from the module's description alone."""
    monkeypatch.setattr(index, "LONG", long)
    release = copied
    rewritten(release, RUNS_FILE, lambda rows: rows)
    data = (release / index_path("r1-mini")).read_bytes()
    assert (b'"packed"' in data) == (long == 0)
    assert data[:8] == b"NBZIDX1\n"
    header = json.loads(data[16 : 16 + int.from_bytes(data[8:16], "little")])
    assert header["space"] == "r1-mini"
    assert header["sources"][RUNS_FILE] == hashlib.sha256((release / RUNS_FILE).read_bytes()).hexdigest()

    def unpacked(packed: Any) -> Any:
        return json.loads(zlib.decompress(packed.tobytes()))

    def array(place: Any) -> Any:
        assert place["offset"] % 64 == 0
        return np.frombuffer(data, place["dtype"], place["count"], place["offset"])

    for name, table in header["tables"].items():
        kind, _, dataset = name.partition("/")
        stored = pq.ParquetFile(release / path_of(kind, "r1-mini", dataset or None)).read()
        left_out = set() if kind == "archs" else set(WHERE)
        assert table["rows"] == stored.num_rows
        assert set(table["columns"]) == set(stored.column_names) - left_out
        for column, place in table["columns"].items():
            if "bytes" in place:
                values = array(place["bytes"]).tobytes().decode().split("\n")
            elif "codes" in place:
                texts = place["texts"] if "texts" in place else unpacked(array(place["packed"]))
                values = [texts[code] if code >= 0 else None for code in array(place["codes"])]
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


@pytest.mark.parametrize("kind", ["zip", "tar", "zip within a folder", "zip over http", "query"])
def test_a_release_at_a_chained_url_or_one_with_a_query(
    served: SimpleNamespace, bench: Bench, own_cache: Path, release: Path, tmp_path: Path, kind: str
) -> None:
    root = release.parent if kind == "zip within a folder" else release
    made = shutil.make_archive(str(tmp_path / "made"), "zip", root)
    with tarfile.open(tmp_path / "made.tar", "w") as tar:
        for path in release.iterdir():
            tar.add(path, path.name)
    shutil.copy(made, served.folder / "made.zip")
    url = {
        "zip": f"zip://::file://{made}",
        "tar": f"tar://::file://{tmp_path}/made.tar",
        "zip within a folder": f"zip://{release.name}::file://{made}",
        "zip over http": f"zip://::simplecache::{served.url}/made.zip",
        "query": f"{served.url}/?token=5",
    }[kind]
    same_answers(Bench(url), bench)


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


def test_what_is_written_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    power = PowerCut(monkeypatch)
    write_whole(tmp_path / "new" / "folders" / "file", b"data")
    assert power.renamed == [tmp_path / "new" / "folders" / "file"] and power.gone == []


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
        (RUNS_FILE, lambda rows: rows[5].update(space="mb-mini"), "space is 'mb-mini' in row 5, by its path"),
        (
            RUNS_FILE,
            lambda rows: rows[5].update(dataset="digits"),
            "dataset is 'digits' in row 5, by its path",
        ),
        (
            "scores/r1-mini/cifar10.parquet",
            lambda rows: rows[5].update(arch=rows[6]["arch"]),
            "arch is 'r1-mini-.*' in row 5, by the archs table it is 'r1-mini-",
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
    (copied / "predictions" / "r1-mini").mkdir(parents=True)
    (copied / "predictions" / "r1-mini" / "digits.parquet").symlink_to("/nowhere")
    (copied / "index" / "more").symlink_to("/")
    os.mkfifo(copied / "surrogates")  # a folder of a release that is none
    assert verify.main([str(copied)]) == 2
    said = capsys.readouterr().err
    places = ("index/more", "predictions/r1-mini/digits.parquet", "runs/stranger.parquet", "surrogates")
    assert ", ".join(f"{copied}/{place}" for place in places) + " are not in the manifest; remove" in said
    for place in places:
        (copied / place).unlink()
    (copied / "notes").mkdir()
    for number in range(101):
        (copied / "notes" / f"{number:03}.txt").write_text("")
    (copied / ".git").mkdir()
    (copied / ".git" / "HEAD").write_text("")
    assert verify.main([str(copied)]) == 0
    *_, noted, said = capsys.readouterr().out.splitlines()
    assert noted.startswith("not in the manifest, so no part of the release and not checked: notes/000.txt, ")
    assert noted.endswith(", notes/099.txt and 1 more") and said.endswith("all 10 files hold")
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


def test_verify_refuses_a_file_that_is_of_no_space(copied: Path) -> None:
    data = (copied / index_path("r1-mini")).read_bytes()
    said = {"bytes": len(data), "rows": 0, "sha256": hashlib.sha256(data).hexdigest()}
    (copied / index_path("r1")).write_bytes(data)
    edit_manifest(copied, lambda content: content["files"].update({index_path("r1"): said}))
    with pytest.raises(ReleaseError, match=r"index/r1.nbzidx is neither a table nor the index of a space"):
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
        (row | {"recipe": "=cmd|' /C calc'!A1"}, "recipe: .* is no name; a name has up to 100 letters"),
        (row | {"device": "card\x1b[2J"}, "device: .* is no text of up to 100,000 printable characters"),
        (row | {"curve": [0.1, "x"]}, "curve: 'x' is no list<float64>"),
        (row | {"curve": [0.1, 2.0]}, r"curve: 2.0 outside \[0, 1\] fraction"),
    ):
        with pytest.raises(ReleaseError, match=said):
            check_rows("runs", [changed], "it")
