"""What all importers share: files and folders, the source in every table, and that nothing is invented."""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nbzero.importers
from builders.import_bench import main
from nbzero import Bench, ReleaseError, UnknownNameError
from nbzero.importers.published import IMPORTERS
from nbzero.importers.source import MAX_ROWS, decimals, fractions, in_order
from nbzero.release.manifest import Release
from nbzero.release.schema import columns_of, imported_row
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.published import IMPORTED
from tests.importers.made import MADE, NUM, imported, made_flexibert, made_nb201, run, write
from tests.importers.test_suite_zero import made_transnas_suite, put as put_json
from tests.places import ROOT

NB = "nasbench201"


def test_a_value_out_of_its_range_is_said_with_the_file(tmp_path: Path, refused: Any) -> None:
    def spoil(files: dict[str, list[dict[str, Any]]]) -> None:
        for row in files["transnasbench101"]:
            if (row["space"], row["task"]) == ("micro", "room_layout"):
                row["val_accuracy"] = 0.5

    said = refused("transnas-micro", spoil)
    assert "runs of transnas-micro on room_layout: row 0: negative loss" in said
    assert str(tmp_path / "source" / "transnasbench101.parquet") in said


def test_a_value_out_of_its_range_is_said_with_the_official_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = made_transnas_suite("micro")
    first = next(iter(held["room_layout"].values()))
    first["val_accuracy"] = 0.5
    path = put_json(tmp_path / "suite.json", held)
    assert run("transnas-micro", path, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert f"error: {path}: runs of transnas-micro on room_layout: row" in said
    assert "negative loss is [0.5]" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", MADE)
def test_every_table_holds_names_its_source_and_invents_nothing(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    b = imported(tmp_path, name)
    assert b.spaces == (name,) and len(b.space(name)) == NUM and isinstance(b.space(name), ImportedSpace)
    for key, table in Release.open(tmp_path / "out").tables().items():
        said = table.schema.metadata
        for source in IMPORTERS[name].sources[key[0]]:
            assert (
                source.repository.encode() in said[b"nbzero.source"]
                and source.commit.encode() in said[b"nbzero.source_commit"]
            )
            assert f"{source.repository}: {source.licence}".encode() in said[b"nbzero.licence"]
        for made_by in {"device", "software", "builder_commit", "engine"} & set(table.column_names):
            assert set(table.column(made_by).to_pylist()) == {"not given by the source"}
        if key[0] == "runs":
            assert (
                table.column("train_loss").null_count == table.column("train_time_s").null_count == len(table)
            )
        for field, column in zip(
            table.schema, (c for c in columns_of(key[0], name) if c.name in table.column_names), strict=True
        ):
            assert field.name == column.name and field.metadata[b"meaning"]
    for arch_id, arch in enumerate(b.space(name)):
        r = b.query(arch)
        assert r == b.query((name, arch_id)) and r.arch == arch and r.arch_id == arch_id
        row = imported_row(name, arch_id, arch)
        assert {column: b.table(name)[column][arch_id] for column in row} == pytest.approx(
            {column: np.nan if value is None else value for column, value in row.items()}, nan_ok=True
        )
        for cost in ("macs", "params", "depth"):
            if cost in row:
                assert getattr(r, cost) == row[cost] and f"{cost}={row[cost]}" in repr(r)
            else:
                with pytest.raises(UnknownNameError, match=f"no cost of {name} named '{cost}'; Known: "):
                    getattr(r, cost)
                with pytest.raises(UnknownNameError, match=f"no cost of {name} named '{cost}'; Known: "):
                    b.table(name, where=f"{cost} < 5")
        with pytest.raises(
            UnknownNameError,
            match=f"an arch of {name} has no stages; its choices are columns of the archs table: ",
        ):
            _ = r.stages
    assert pickle.loads(pickle.dumps(r)) == r
    assert ("left out" in capsys.readouterr().out) == (name in ("nb201", "nbmacro", "flexibert"))


def test_sources_are_files_or_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "source", made_nb201())
    other = (source / f"{NB}.parquet").rename(tmp_path / "renamed.parquet")
    out = tmp_path / "out"

    def refused(*sources: Path) -> str:
        assert main(["nb201", "--source", *map(str, sources), "--out", str(out)]) == 2
        return capsys.readouterr().err

    assert "--source has no nasbench201 table of nb201 (nasbench201.parquet)" in refused(source)
    assert "are both a nasbench201 table of nb201; name one" in refused(other, other)
    (tmp_path / "empty").mkdir()
    assert "has no nasbench201.parquet or nasbench201_proxies.parquet; name the file itself" in refused(
        tmp_path / "empty"
    )
    assert "is no Parquet file that can be read" in refused(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    assert "is no Parquet file that can be read" in refused(tmp_path / "text.parquet")
    assert not out.exists()
    assert main(["nb201", "--source", str(other), "--out", str(out), "--scores", "none"]) == 0
    assert "no nasbench201_proxies.parquet: nb201 has no scores" in capsys.readouterr().out
    assert not Bench(out).pool("nb201", "cifar10", "nb201-12").scores
    assert (
        main(
            [
                "nb201",
                "--source",
                str(other),
                str(source),
                "--out",
                str(tmp_path / "both"),
                "--scores",
                "none",
            ]
        )
        == 0
    )
    assert Bench(tmp_path / "both").query(("nb201", 0)).score("zen", "cifar10") is not None


def test_what_is_no_regular_parquet_file_is_refused_and_never_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is named where the folder is given and where the file is."""
    folder = tmp_path / "source"
    folder.mkdir()
    file = folder / "darts_swap1000.parquet"
    kinds: dict[str, Callable[[], Any]] = {
        "pipe": lambda: os.mkfifo(file),
        "device": lambda: file.symlink_to("/dev/zero"),
        "loop": lambda: file.symlink_to(file.name),
        "pickle": lambda: file.write_bytes(pickle.dumps(ReleaseError("a pickle"))),
        "text": lambda: file.write_text("genotype,cifar10_acc\n"),
    }
    for kind, put in kinds.items():
        put()
        for source in (folder, file):
            assert main(["darts", "--source", str(source), "--out", str(tmp_path / "out")]) == 2, kind
            said = capsys.readouterr().err
            assert (f"{file} is no " in said and "regular file" in said) or "Parquet file" in said, (
                kind,
                said,
            )
        file.unlink()
    assert main(["darts", "--source", "x" * 5000, "--out", str(tmp_path / "out")]) == 2
    assert "is no Parquet file that can be read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_columns_of_other_types_are_refused_by_the_name_of_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "source").mkdir()
    file = tmp_path / "source" / "any_name.parquet"
    (rows,) = made_flexibert().values()
    whole = pa.Table.from_pylist(rows)
    num = whole.num_rows

    def refused(name: str, values: Any) -> str:
        table = whole.set_column(whole.column_names.index(name), name, values)
        pq.write_table(table, file)
        assert main(["flexibert", "--source", str(file), "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert str(file) in said and len(said) < 2000
        return said

    assert "cola is of type 'string'; it holds numbers" in refused("cola", pa.array(["1"] * num))
    assert "id is no column of whole numbers: Float value 0.5" in refused("id", pa.array([0.5] * num))
    assert "layers is of type 'bool'; it holds a list a row" in refused("layers", pa.array([True] * num))
    assert "cola is infinite in row 0" in refused("cola", pa.array([float("inf")] * num))
    long = pa.array([[{"operation": "x" * 100_000}]] * num)
    assert "are no list of layers with operation" in refused("layers", long)
    binary = pa.array([b"\xff"] * num)
    assert "hidden_size is of type 'binary'" in refused("hidden_size", binary)
    pq.write_table(whole.append_column("cola", whole.column("id")), file)
    assert main(["flexibert", "--source", str(file), "--out", str(tmp_path / "out")]) == 2
    assert f"{file} has 2 columns named 'cola'; a table has each once" in capsys.readouterr().err
    pq.write_table(whole.take([0] * (MAX_ROWS + 1)), file)
    assert main(["flexibert", "--source", str(file), "--out", str(tmp_path / "out")]) == 2
    assert f"{file} says that it has 262,145 rows and" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_every_other_error_names_the_files_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = made_nb201()
    files[NB][0]["test200_cifar10_seeds"] = [50.0] * 4
    source = write(tmp_path / "source", files)
    assert main(["nb201", "--source", str(source), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "test200_cifar10_seeds has 4 values in row 19; one to 3 seeds" in said
    assert f"(in {source}/{NB}.parquet, {source}/{NB}_proxies.parquet)" in said


def test_every_importer_has_a_space_and_every_table_a_source() -> None:
    assert IMPORTERS.keys() <= IMPORTED.keys()  # a space can have networks alone
    for name, importer in IMPORTERS.items():
        assert importer.space == name and (importer.files or importer.official) and importer.runs
        assert set(importer.optional) <= importer.files.keys()
        for kind, sources in importer.sources.items():
            assert sources, (name, kind)
            for source in sources:
                if importer.files:
                    assert re.search(r"\b[0-9a-f]{8,40}\b", source.commit), (name, kind)
                assert source.licence and source.commit, (name, kind)


def test_the_help_names_every_benchmark_with_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for name, importer in IMPORTERS.items():
        assert f"\n{name}\n" in said and importer.runs in said
        for file in importer.files:
            assert f"{file}.parquet" in said
        for kind in importer.official:
            for fact in (kind.name, kind.place, kind.licence, kind.becomes, kind.citation):
                assert fact in said, (name, fact)


def test_percentages_are_fractions_of_the_decimals_that_they_stand_for() -> None:
    assert decimals([85.41999816894531]).tolist() == [85.42]
    assert fractions([85.41999816894531, 0, 100], "here").tolist() == [0.8542, 0, 1]
    with pytest.raises(ReleaseError, match=r"^here: 2 of 3 values outside \[0, 100\] percent, first -1$"):
        fractions([-1, 50, np.nan], "here")


def test_rows_come_in_the_order_of_their_numbers() -> None:
    table = pa.table({"id": [2, 0, 1], "x": ["c", "a", "b"]})
    assert in_order(table, "id", "here").column("x").to_pylist() == ["a", "b", "c"]
    with pytest.raises(ReleaseError, match=r"^here: id is not each of 0 to 3 once$"):
        in_order(table, "id", "here", 4)
    for wrong in ([0, 0, 1], [1, 2, 3], [0, 1, None]):
        with pytest.raises(ReleaseError, match=r"^here: id is "):
            in_order(table.set_column(0, "id", pa.array(wrong)), "id", "here")


def test_the_face_loads_no_numpy() -> None:
    code = "import sys, nbzero.importers; print('numpy' in sys.modules, *nbzero.importers.__all__)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert said.stdout.split()[0] == "False" and "IMPORTERS" in said.stdout
    for name in nbzero.importers.__all__:
        assert getattr(nbzero.importers, name) is not None
