"""Runs and scores say where they belong: a join does not mix spaces, an older table gets it when written."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders import verify
from builders.work.commit import commit_release
from nbzero import Bench, ReleaseError, UnknownNameError
from nbzero.release.index import build_index
from nbzero.release.manifest import Release
from nbzero.release.places import check_places, lacks_places, placed
from nbzero.release.schema import WHERE, TableKey
from tests.older import made_older

RUNS: TableKey = ("runs", "r1-mini", "cifar10")
ARCHS = [f"arch{number}" for number in range(5)]


def test_every_row_says_its_space_dataset_and_arch(bench: Bench) -> None:
    for kind, space, dataset in (RUNS, ("scores", "r1-mini", "cifar10"), ("runs", "mb-mini", "cifar10")):
        table = bench.arrow(kind, space, dataset)
        assert set(table.column("space").to_pylist()) == {space}
        assert set(table.column("dataset").to_pylist()) == {dataset}
        archs = bench.space(space)
        assert table.column("arch").to_pylist() == [
            str(archs[i]) for i in table.column("arch_id").to_pylist()
        ]


def test_a_join_over_globs_does_not_mix_spaces(release: Path, made: SimpleNamespace) -> None:
    files = [str(release / f"{kind}/*/*.parquet") for kind in ("runs", "scores")]
    joined = "select count(*) from read_parquet(?) runs join read_parquet(?) scores using"
    which = "where recipe = ? and runs.seed = 0 and protocol = 'std-16' and scores.seed = 0"
    counts = []
    with duckdb.connect() as connection:
        for columns in ("space, dataset, arch", "arch_id"):
            counts += connection.execute(f"{joined} ({columns}) {which}", [*files, made.short]).fetchone()
    assert counts == [60, 100]  # by arch_id alone runs of mb-mini and of digits meet scores of r1-mini


def test_they_are_kept_by_dictionary(release: Path) -> None:
    for path in [*release.glob("runs/*/*.parquet"), *release.glob("scores/*/*.parquet")]:
        group = pq.ParquetFile(path).metadata.row_group(0)
        columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
        assert all(columns[name].has_dictionary_page for name in WHERE)


def test_a_table_for_reading_has_each_arch_once(bench: Bench) -> None:
    assert bench.table("r1-mini", None, "cifar10", "cpu-16px-4").columns.count("arch") == 1
    for name in ("runs.space", "runs.arch", "dataset"):  # a column `space` is that of the table
        with pytest.raises(UnknownNameError, match=rf"column '{name}' .*is not offered here; .*Bench\.arrow"):
            bench.table("r1-mini", [name], "cifar10", "cpu-16px-4")


def test_the_index_does_not_grow_by_them(bench: Bench) -> None:
    table = bench.arrow(*RUNS)
    without = table.drop_columns(list(WHERE))
    assert build_index("r1-mini", {"runs/cifar10": table}, {}) == build_index(
        "r1-mini", {"runs/cifar10": without}, {}
    )


def test_an_older_release_opens_is_verified_and_is_upgraded_when_it_is_written(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = made_older(release, tmp_path / "old")
    assert verify.main([str(old)]) == 0
    b, new = Bench(old), Bench(release)
    for kind, space, dataset in (RUNS, ("scores", "r1-mini", "cifar10")):
        assert b.arrow(kind, space, dataset).equals(new.arrow(kind, space, dataset).drop_columns(list(WHERE)))
        assert lacks_places((kind, space, dataset), b.arrow(kind, space, dataset))
        assert not lacks_places((kind, space, dataset), new.arrow(kind, space, dataset))
    assert b.query(("r1-mini", 5)).run("cifar10", "cpu-16px-4") == new.query(("r1-mini", 5)).run(
        "cifar10", "cpu-16px-4"
    )
    commit_release(tmp_path / "written", Release.open(old).tables(), "0.2.0")
    files = Release.open(release).manifest.files
    assert Release.open(tmp_path / "written").manifest.files == files


def runs(ids: list[int], **columns: Any) -> pa.Table:
    return pa.table({"arch_id": pa.array(ids, pa.int32()), **columns})


def test_what_they_say_is_checked_against_path_and_archs() -> None:
    key: TableKey = ("runs", "r1", "cifar10")
    table = placed(key, runs([0, 3]), ARCHS, "it")
    assert table.column_names == ["arch_id", "space", "dataset", "arch"]
    assert table.column("arch").to_pylist() == ["arch0", "arch3"]
    assert placed(key, table, ARCHS, "it").equals(table)
    check_places(key, runs([0, 3], arch=pa.array([None, "arch3"])), ARCHS, "it")
    for wrong, said in (
        (runs([0], space=["r2"]), "it: space is 'r2' in row 0, by its path it is 'r1'"),
        (runs([0], dataset=["digits"]), "it: dataset is 'digits' in row 0, by its path it is 'cifar10'"),
        (runs([0, 1], arch=["arch0", "arch2"]), "arch is 'arch2' in row 1, by the archs table it is 'arch1'"),
        (runs([5]), "it: arch_id 5, but r1 has 5 archs"),
    ):
        with pytest.raises(ReleaseError, match=said):
            placed(key, wrong, ARCHS, "it")
    archs = pa.table({"arch_id": [0], "arch": ["x"]})
    assert placed(("archs", "r1", None), archs, ARCHS, "it") is archs


def test_a_commit_refuses_rows_of_another_place(made: SimpleNamespace, tmp_path: Path) -> None:
    tables = made.as_tables({RUNS: [made.run_row(0)]}, ["r1-mini"])
    wrong = made.as_tables({RUNS: [made.run_row(0) | {"space": "mb-mini"}]}, ["r1-mini"])
    commit_release(tmp_path / "out", tables, "0.1.0")
    with pytest.raises(ReleaseError, match=r"runs/r1-mini/cifar10\.parquet: space is 'mb-mini' in row 0"):
        commit_release(tmp_path / "out", wrong, "0.2.0")
    assert Bench(tmp_path / "out").version == "0.1.0"
