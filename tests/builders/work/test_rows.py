"""Rows as files: they read back bit for bit and appear whole; what is damaged or foreign is named."""

import errno
import hashlib
import io
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.work.rows import Folder, default_format, read_shard, to_h5, to_json, to_parquet
from nbzero.errors import OutputError, ReleaseError
from nbzero.release.schema import DATA_VERSION, TABLES


@pytest.fixture
def rows(shard_row):
    diverged = {"status": "diverged", "val_acc": None, "test_acc": None, "train_loss": None, "curve": []}
    return [shard_row(), shard_row(2, seed=1), shard_row(3, **diverged)]


@pytest.mark.parametrize(("encode", "suffix"), [(to_parquet, ".parquet"), (to_h5, ".h5")])
def test_a_shard_reads_back_bit_for_bit(encode, suffix, rows):
    data = encode("runs", rows)
    shard = read_shard(data, f"x{suffix}")
    assert (shard.table, shard.data_version, shard.rows) == ("runs", DATA_VERSION, rows)
    assert encode("runs", rows) == data  # nothing of the clock in it
    assert read_shard(encode("runs", []), f"x{suffix}").rows == []


def score_row(shard_row):
    scores = {column.name: 1.5 for column in TABLES["scores"] if column.kind == "float64"}
    where = {name: shard_row()[name] for name in ("space", "dataset", "arch")}
    key = {"arch_id": 0, "protocol": "std-16", "seed": 0}
    made_by = {"device": "d", "software": "s", "builder_commit": "c"}
    return {**key, **made_by, "failures": None, **scores, **where}


def test_a_score_shard_keeps_nulls_infinities_and_reasons(shard_row):
    row = score_row(shard_row)
    odd = {"seed": 1, "naswot": float("-inf"), "zen": None, "failures": '{"zen": "why"}'}
    rows = [row, row | odd]
    for encode, name in ((to_parquet, "x.parquet"), (to_h5, "x.h5")):
        assert read_shard(encode("scores", rows), name).rows == rows
    assert [read_shard(to_json("scores", one), "x.json").rows[0] for one in rows] == rows


def changed_h5(data, change):
    """An HDF5 shard after `change(file)`, with a checksum that agrees and none of its rows."""
    h5py = pytest.importorskip("h5py")
    sink = io.BytesIO(data)
    with h5py.File(sink, "a") as file:
        file.attrs.pop("rows_sha256")
        change(file)
    body = sink.getvalue()[512:]
    return (b"nbzero shard sha256 " + hashlib.sha256(body).hexdigest().encode()).ljust(512, b"\0") + body


@pytest.mark.parametrize("name", ["x.h5", "x.json", "x.parquet"])
def test_a_score_column_that_was_named_later_is_null_in_an_older_shard(name, shard_row):
    row = score_row(shard_row)
    if name == "x.json":
        older = json.loads(to_json("scores", row))
        del older["row"]["zen"], older["rows_sha256"]
        data = json.dumps(older).encode()
    elif name == "x.parquet":
        sink = io.BytesIO()
        table = pq.ParquetFile(io.BytesIO(to_parquet("scores", [row]))).read().drop_columns("zen")
        said = {key: value for key, value in table.schema.metadata.items() if key != b"nbzero.rows_sha256"}
        pq.write_table(table.replace_schema_metadata(said), sink)
        data = sink.getvalue()
    else:
        data = changed_h5(to_h5("scores", [row]), lambda file: file.__delitem__("zen"))
    assert read_shard(data, name).rows == [row | {"zen": None}]


@pytest.mark.parametrize("suffix", [".parquet", ".h5", ".json"])
def test_a_truncated_or_corrupted_file_is_named(suffix, rows):
    encode = {".parquet": to_parquet, ".h5": to_h5, ".json": lambda table, rows: to_json(table, rows[0])}
    data = encode[suffix]("runs", rows)
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
        ({"seed": 3_000_000_000}, r"seed: 3000000000 outside \[0, 2147483647\]"),
        ({"seed": 1.5}, "seed: 1.5 is no int32"),
        ({"curve": [2.0]}, "curve: 2.0 outside"),
        ({"test_acc": float("nan")}, "test_acc: NaN; what is absent is null"),
        ({"arch": None}, "lacks one of space, dataset, arch"),
        ({"extra": 1}, r"unknown columns \['extra'\]"),
    ],
)
def test_a_row_with_a_wrong_value_is_refused(change, said, shard_row):
    with pytest.raises(ReleaseError, match=said):
        read_shard(to_json("runs", shard_row(**change)), "x.json")


def test_foreign_files_are_refused(shard_row):
    with pytest.raises(ReleaseError, match=r"x\.csv is no shard"):
        read_shard(b"", "x.csv")
    there = json.loads(to_json("runs", shard_row()))
    for version in (99, "new"):
        other = json.dumps(there | {"schema_version": version}).encode()
        with pytest.raises(ReleaseError, match=f"schema version {version}, this code reads 1"):
            read_shard(other, "x.json")
    with pytest.raises(ReleaseError, match=r"x\.json is truncated or corrupted"):
        read_shard(json.dumps(there | {"row": [1]}).encode(), "x.json")
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    with pytest.raises(ReleaseError, match=r"x\.parquet is no shard of this project"):
        read_shard(sink.getvalue(), "x.parquet")


def test_columns_of_different_lengths_are_a_corrupted_file(rows):
    def shorten(file):
        del file["seed"]
        file["seed"] = [0]

    with pytest.raises(ReleaseError, match=r"x\.h5 is truncated or corrupted"):
        read_shard(changed_h5(to_h5("runs", rows), shorten), "x.h5")


@pytest.mark.parametrize("suffix", [".parquet", ".h5", ".json"])
def test_no_flipped_bit_gives_other_values(suffix, rows):
    encode = {".parquet": to_parquet, ".h5": to_h5, ".json": lambda table, rows: to_json(table, rows[0])}
    data = encode[suffix]("runs", rows)
    wanted = read_shard(data, f"x{suffix}").rows
    places = np.random.default_rng(0).integers(0, 8 * len(data), 150)
    num_refused = 0
    for place in places.tolist():
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        try:
            assert read_shard(bytes(flipped), f"x{suffix}").rows == wanted
        except ReleaseError:
            num_refused += 1
    assert num_refused > 75


def no_rows_read(file):
    """HDF5 data sets that a stranger's file may have in place of ours, by what they are."""
    import h5py

    def external(name):
        del file[name]
        file.create_dataset(name, (3,), "S300", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])

    def virtual(name):
        del file[name]
        layout = h5py.VirtualLayout(shape=(3,), dtype="S300")
        layout[:] = h5py.VirtualSource("/etc/other.h5", "secret", shape=(3,), dtype="S300")
        file.create_virtual_dataset(name, layout)

    def put(name, *args, **kwargs):
        del file[name]
        file.create_dataset(name, *args, **kwargs)

    def link(name, to):
        del file[name]
        file[name] = to

    return {
        "external": lambda: external("device"),
        "virtual": lambda: virtual("device"),
        "soft link": lambda: link("device", h5py.SoftLink("/software")),
        "external link": lambda: link("device", h5py.ExternalLink("/etc/other.h5", "secret")),
        "group": lambda: link("device", h5py.Empty("f")),
        "two axes": lambda: put("seed", data=np.zeros((3, 3), np.int32)),
        "text for numbers": lambda: put("seed", data=np.array([b"a", b"b", b"c"])),
        "compressed": lambda: put("seed", data=np.zeros(1 << 20, np.int32), compression="gzip"),
        "huge and never written": lambda: put("seed", (1 << 40,), np.int32, chunks=(1 << 20,)),
        "never written": lambda: put("seed", (1 << 20,), np.int32, chunks=(1 << 10,)),
        "negative lengths": lambda: put("curve/lengths", data=np.array([-1, 1, 4], np.int32)),
        "long lengths": lambda: put("curve/lengths", data=np.array([4, 4, 1 << 30], np.int32)),
        "attribute": lambda: file.attrs.__setitem__("table", np.zeros(3)),
    }


HOSTILE = (
    "external",
    "virtual",
    "soft link",
    "external link",
    "group",
    "two axes",
    "text for numbers",
    "compressed",
    "huge and never written",
    "never written",
    "negative lengths",
    "long lengths",
    "attribute",
)


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_hdf5_file_that_points_out_of_itself_or_blows_up_is_refused(kind, rows):
    data = changed_h5(to_h5("runs", rows), lambda file: no_rows_read(file)[kind]())
    with pytest.raises(ReleaseError, match=r"x\.h5 is (truncated or corrupted|no shard)") as caught:
        read_shard(data, "x.h5")
    assert "root:" not in str(caught.value) and len(str(caught.value)) < 600


def test_hdf5_texts_of_any_length_are_read_and_bounded(rows):
    h5py = pytest.importorskip("h5py")

    def long_texts(file):
        del file["device"]
        file.create_dataset("device", data=["cpu"] * 3, dtype=h5py.string_dtype())

    read = read_shard(changed_h5(to_h5("runs", rows), long_texts), "x.h5").rows
    assert [row["device"] for row in read] == ["cpu"] * 3


def test_an_hdf5_shard_of_before_the_checksum_is_read(rows):
    """Made as it was made before: texts of any length, nothing in front, no checksum of rows."""
    h5py = pytest.importorskip("h5py")
    sink = io.BytesIO()
    with h5py.File(sink, "w") as file:
        file.attrs.update({"table": "runs", "schema_version": 1, "data_version": DATA_VERSION})
        for column in TABLES["runs"]:
            values = [row[column.name] for row in rows]
            if column.kind == "string":
                file.create_dataset(column.name, data=values, dtype=h5py.string_dtype())
            elif column.kind == "list<float64>":
                file[f"{column.name}/lengths"] = np.array([len(value) for value in values], np.int32)
                file[f"{column.name}/values"] = np.array(
                    [number for value in values for number in value], np.float64
                )
            else:
                file[column.name] = np.array(values, column.kind)
    assert read_shard(sink.getvalue(), "x.h5").rows == rows


def test_a_folder_may_be_any_fsspec_url():
    folder = Folder("memory://a-test-of-folders")
    folder.make()
    folder.write("one/x.json", b"1")
    folder.write("y.parquet.part", b"half")
    assert not folder.local
    assert folder.names() == ["one/x.json"] and folder.read("one/x.json") == b"1"
    folder.remove("one")
    assert folder.names() == [] and folder.names("absent") == []


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    def scandir(path, real=os.scandir):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    (tmp_path / "closed").mkdir()
    (tmp_path / "x.json").touch()
    assert Folder(tmp_path).names() == ["x.json"]
    monkeypatch.setattr(os, "scandir", scandir)
    said = f"cannot read the folder {tmp_path}/closed: Permission denied; make it readable"
    for under in ("", "closed"):
        with pytest.raises(ReleaseError, match=said):
            Folder(tmp_path).names(under)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = Folder(tmp_path)
    folder.write("x.json", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*x\.json: No space left on device; free space"):
        folder.write("x.json", b"new")
    assert (tmp_path / "x.json").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_elsewhere_that_cannot_be_written_is_named(monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    folder = Folder("memory://refused")
    monkeypatch.setattr(type(folder.fs), "pipe_file", refused)
    with pytest.raises(
        OutputError,
        match=r"cannot write /refused/x: .*Permission denied; name another --out, or run the same",
    ):
        folder.write("x", b"")


def test_the_default_format_is_that_of_the_installed_packages():
    assert default_format() == "parquet"
