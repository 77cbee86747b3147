"""NAS-Bench-101's TFRecords: every number of made ones, and what is refused."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.import_bench import main
from nbzero import Bench
from nbzero.importers.nb101 import MAX_RECORD, NASLIB_OPERATIONS, arch_of_texts, fields_of, named_by_naslib
from nbzero.importers.official import masked_crc32c
from nbzero.importers.suite_zero import PROXIES
from nbzero.release.verify import verify
from nbzero.spaces.nb101 import cell_of, graph_hash
from tests.importers.made import NUM, run, some
from tests.importers.made_official import (
    crc32c,
    made_nb101,
    masked,
    metrics,
    module_row,
    record,
    some_cells,
    varint,
    write_records,
)

CELLS = some_cells(NUM)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_records(tmp_path / "any name", made_nb101(CELLS))


def refused(source: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run("nb101", source, out) == 2
    assert not out.exists()
    said = capsys.readouterr().err
    assert str(source) in said and len(said) < 2000
    return said


@pytest.mark.usefixtures("read_apart")
def test_every_number_of_a_file(tmp_path: Path) -> None:
    epochs = (4, 12, 36, 108)
    rows = made_nb101(CELLS, epochs)
    file = write_records(tmp_path / "nasbench_full.tfrecord", rows)
    assert run("nb101", file, tmp_path / "out") == 0
    verify(str(tmp_path / "out"))
    b = Bench(tmp_path / "out")
    assert list(b.space("nb101")) == sorted(CELLS)
    assert sorted(b.recipes("nb101", "cifar10")) == sorted(f"nb101-{of}" for of in epochs)
    for number, arch in enumerate(CELLS):
        r = b.query(arch)
        for of in epochs:
            wanted = {round(0.5 + number / 100 + repeat / 1000 + of / 10_000, 6) for repeat in range(3)}
            in_file = [row for row in rows if row[0] == graph_hash(cell_of(arch)) and row[1] == of]
            seen = []
            for seed in range(3):
                one = r.run("cifar10", f"nb101-{of}", seed)
                assert one is not None and one.train_time_s == 100.0 + number and one.curve == ()
                assert one.test_acc == pytest.approx(one.val_acc - 0.01, abs=1e-12)
                params = r.params
                assert (
                    in_file[seed][4]
                    == module_row(arch, of, metrics(of, params, one.val_acc, one.test_acc, one.train_time_s))[
                        4
                    ]
                )
                seen.append(one.val_acc)
            assert set(seen) == wanted
        assert r.run("cifar10", "nb101-108", 3) is None


def test_checksums_are_those_of_another_loop() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # as published
    rng = np.random.default_rng(0)
    for length in (0, 1, 7, 8, 100):
        data = rng.bytes(length)
        assert masked(data) == struct.pack("<I", masked_crc32c(data))


def test_scores_of_some_cells_join(file: Path, tmp_path: Path, capsys: Any) -> None:

    def key(matrix: Any, operations: Any) -> str:
        return str(
            (*(int(x) for row in matrix for x in row), *(NASLIB_OPERATIONS.index(o) for o in operations))
        )

    theirs = {"conv3x3": "conv3x3-bn-relu", "conv1x1": "conv1x1-bn-relu"}
    held: dict[str, Any] = {}
    for number, arch in enumerate(CELLS[:7]):
        cell = cell_of(arch)
        operations = ["input", *(theirs.get(name, name) for name in cell.operations), "output"]
        held[key(cell.matrix, operations)] = {
            **{proxy: {"score": number + 0.5, "time": 1.0} for proxy in PROXIES},
            "val_accuracy": 90.0 + number,
        }
    suite = tmp_path / "zc_nasbench101.json"
    suite.write_text(json.dumps({"cifar10": held}))
    out = str(tmp_path / "out")
    assert main(["nb101", "--source", str(suite), "--out", out]) == 2
    assert (
        "is no official file of nb101 with its archs; give nasbench_only108.tfrecord"
        in capsys.readouterr().err
    )
    assert main(["nb101", "--source", str(suite), str(file), "--out", out]) == 0
    verify(out)
    b = Bench(out)
    for number, arch in enumerate(CELLS):
        r = b.query(arch)
        assert r.score("zen", "cifar10") == (number + 0.5 if number < 7 else None)
        assert r.accuracy("cifar10", "suite-zero") == (
            pytest.approx(0.9 + number / 100) if number < 7 else None
        )
    held = {key: value | {"val_accuracy": 0.9} for key, value in held.items()}
    suite.write_text(json.dumps({"cifar10": held}))
    assert main(["nb101", "--source", str(suite), str(file), "--out", str(tmp_path / "x")]) == 2
    assert "val_accuracy is at most 0.9; it is in percent" in capsys.readouterr().err


def test_isomorphic_keys_are_the_cell_of_the_table(tmp_path: Path) -> None:
    first = arch_of_texts("0110000100010000", "input,conv3x3-bn-relu,conv1x1-bn-relu,output")
    second = arch_of_texts("0110000100010000", "input,conv1x1-bn-relu,conv3x3-bn-relu,output")
    assert first != second and graph_hash(cell_of(first)) == graph_hash(cell_of(second))
    values = [0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 3, 1]
    assert named_by_naslib(values) == first
    hashes = {graph_hash(cell_of(arch)): arch for arch in (*CELLS, second)}  # one of the same network
    cells = [second, *(arch for arch in hashes.values() if arch != second)][:NUM]
    file = write_records(tmp_path / "x.tfrecord", made_nb101(cells))
    held = {str(tuple(values)): {"zen": {"score": 2.5}, "val_accuracy": 90.0}}
    suite = tmp_path / "x.json"
    suite.write_text(json.dumps({"cifar10": held}))
    assert main(["nb101", "--source", str(file), str(suite), "--out", str(tmp_path / "out")]) == 0
    assert Bench(tmp_path / "out").query(second).score("zen", "cifar10") == 2.5


def rewritten(file: Path, spoil: Any) -> Path:
    rows = made_nb101(CELLS)
    file.write_bytes(b"".join(record(json.dumps(row).encode()) for row in spoil(rows) or rows))
    return file


def _row(**parts: Any) -> Any:
    places = {"name": 0, "epochs": 1, "matrix": 2, "operations": 3, "metrics": 4}

    def spoil(rows: Any) -> None:
        for part, value in parts.items():
            rows[5][places[part]] = value

    return spoil


def _other_params(rows: Any) -> None:
    for row in rows:
        if row[0] == rows[5][0]:
            row[4] = module_row(CELLS[0], 108, metrics(108, 12345, 0.5, 0.5))[4]


def _metrics_of(*arguments: Any) -> str:
    return str(module_row(CELLS[0], 108, metrics(*arguments))[4])


WRONG = [
    (lambda rows: [["a", 108]], "record 0 is none of NAS-Bench-101: it is no list of a hash, epochs"),
    (lambda rows: [{"a": 1}], "it is no list of a hash, epochs"),
    (_row(epochs=True), "it is no list of a hash, epochs"),
    (_row(epochs=200), "record 5 is none of NAS-Bench-101: it was trained for 200 epochs"),
    (_row(name="0" * 32), "the hash of its cell is not '0000"),
    (_row(name="1" * 32, matrix="01"), "'01' is no matrix of"),
    (
        _row(name="2" * 32, operations="input,sep_conv,output", matrix="010001000"),
        "an operation is 'sep_conv'",
    ),
    (_row(metrics="%%%"), "record 5 is none of NAS-Bench-101"),
    (_row(metrics=""), "it has 0 evaluations, not 3"),
    (_row(metrics=_metrics_of(36, 1, 0.5, 0.5)), "its last evaluation is of epoch 36, not 108"),
    (_row(metrics=_metrics_of(108, 1, 50.0, 0.5)), "it has the accuracies (50.0, 0.5)"),
    (_row(metrics=_metrics_of(108, 1, float("nan"), 0.5)), "it has the accuracies (nan, 0.5)"),
    (_row(metrics=_metrics_of(108, 1, 0.5, 0.5, float("inf"))), "and inf s"),
    (_other_params, "has 12345 params, its definition gives"),
    (
        lambda rows: [row for row in rows if row[0] != rows[0][0]],
        "has 19 archs of nb101, the whole table has 20",
    ),
    (lambda rows: rows * 4, "it is training 11 of"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_a_wrong_file_is_refused(file: Path, tmp_path: Path, spoil: Any, message: str, capsys: Any) -> None:
    assert message in refused(rewritten(file, spoil), tmp_path / "out", capsys)


def test_bytes_that_are_damaged_or_cut_off(file: Path, tmp_path: Path, capsys: Any) -> None:
    data, out = file.read_bytes(), tmp_path / "out"
    for cut in (len(data) - 1, len(data) - 4, len(data) // 2, 13):
        file.write_bytes(data[:cut])
        said = refused(file, out, capsys)
        assert "is cut off" in said
    for place in (20, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        said = refused(file, out, capsys)
        assert "does not match its checksum" in said or "is cut off" in said
    length = struct.pack("<Q", 2**40)
    file.write_bytes(length + masked(length) + b"x")
    assert f"record 0 has 1,099,511,627,776 bytes, none of NAS-Bench-101 more than {MAX_RECORD:,}" in refused(
        file, out, capsys
    )
    file.write_bytes(record(b"[" * 20_000))
    assert "record 0 is none of NAS-Bench-101" in refused(file, out, capsys)
    file.write_bytes(b"")
    assert "is no official file of nb101 with its archs" in refused(file, out, capsys)
    assert run("nb101", tmp_path / "absent", out) == 2
    assert "absent: there is no such file or folder; give nasbench_only108" in capsys.readouterr().err


def test_a_full_file_that_lacks_some_epochs(file: Path, tmp_path: Path, capsys: Any) -> None:
    rows = made_nb101(CELLS, (36, 108))
    rows = [row for row in rows if (row[0], row[1]) != (rows[0][0], 36)]
    assert "has no training for 36 epochs of" in refused(write_records(file, rows), tmp_path / "out", capsys)


def test_protocol_buffers_that_make_no_sense() -> None:
    assert list(fields_of(b"\x10" + varint(300) + b"\x22\x02ab\x0d\x01\x02\x03\x04")) == [
        (2, 300),
        (4, b"ab"),
        (1, b"\x01\x02\x03\x04"),
    ]
    for data, message in (
        (b"\x10", "cut off"),
        (b"\x10\x80", "cut off"),
        (b"\x0a\x05ab", "cut off"),
        (b"\x09\x00", "cut off"),
        (b"\x0b", "wire type 3"),
        (b"\x10" + b"\xff" * 11, "more than ten bytes"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "cut off"),
    ):
        with pytest.raises(ValueError, match=message):
            list(fields_of(data))


def test_files_of_other_benchmarks(file: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("nb201", file, tmp_path / "out") == 2
    assert (
        "is a TFRecord file, which is no file of nb201; official files of nb201: NATS-tss"
        in capsys.readouterr().err
    )
    assert len(some("nb201")) == NUM
