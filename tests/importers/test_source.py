"""What all importers share: files and folders, the source in every table, and that nothing is invented."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import nbzero.importers
from builders.import_bench import main
from nbzero import Bench, ReleaseError, UnknownNameError
from nbzero.importers.published import IMPORTERS
from nbzero.importers.source import decimals, fractions, in_order
from nbzero.release.manifest import Release
from nbzero.release.schema import columns_of, imported_row
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.published import IMPORTED
from tests.importers.made import NUM, imported, made_nb201, write
from tests.places import ROOT

NB = "nasbench201"


@pytest.mark.parametrize("name", IMPORTED)
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
    assert main(["nb201", "--source", str(other), "--out", str(out)]) == 0
    assert "no nasbench201_proxies.parquet: nb201 has no scores" in capsys.readouterr().out
    assert not Bench(out).pool("nb201", "cifar10", "nb201-12").scores
    assert main(["nb201", "--source", str(other), str(source), "--out", str(tmp_path / "both")]) == 0
    assert Bench(tmp_path / "both").query(("nb201", 0)).score("zen", "cifar10") is not None


def test_every_imported_space_has_an_importer_and_every_table_a_source() -> None:
    assert IMPORTERS.keys() == IMPORTED.keys()
    for name, importer in IMPORTERS.items():
        assert importer.space == name and importer.files and importer.runs
        assert set(importer.optional) <= importer.files.keys()
        for kind, sources in importer.sources.items():
            assert sources, (name, kind)
            for source in sources:
                assert source.licence and re.search(r"\b[0-9a-f]{8,40}\b", source.commit), (name, kind)


def test_the_help_names_every_benchmark_with_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for name, importer in IMPORTERS.items():
        assert f"\n{name}\n" in said and importer.runs in said
        for file in importer.files:
            assert f"{file}.parquet" in said


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
