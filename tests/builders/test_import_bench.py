"""Importing as a user does it: spaces beside others in a release, and what nothing is written into."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from builders.import_bench import main
from builders.merge_shards import main as merge
from builders.work.commit import commit_release
from nbzero import Bench, NotAMemberError, ReleaseError, UnknownNameError
from nbzero.importers.published import IMPORTERS
from nbzero.release.manifest import Parent, Release, embedded_folder
from nbzero.release.verify import verify
from nbzero.spaces.published import IMPORTED
from tests.importers.made import BEST, MADE, NUM, change, imported, made_nbmacro, run, write
from tests.older import made_older

MACRO = "nasbench_macro"
pytestmark = pytest.mark.usefixtures("few_archs")


def test_spaces_are_added_to_a_release_and_the_same_again_changes_nothing(
    tmp_path: Path, small: Any, made: Any
) -> None:
    out = small("out", [made.run_row(0)], "0.1.0")
    for name in MADE:
        assert run(name, write(tmp_path / name, MADE[name]()), out) == 0
    b = Bench(out)
    assert (
        b.spaces == ("r1-mini", *sorted(MADE))
        and b.version == "0.7.0"
        and b.query(("r1-mini", 0)).accuracy("cifar10") is not None
    )
    for name in MADE:
        assert Bench(out).query(b.space(name)[0]).space == name  # no space is open yet: the string says which
    before = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    stamps = {path: path.stat().st_mtime_ns for path in before if path.name != "manifest.json"}
    assert run("nb201", tmp_path / "nb201", out) == 0
    assert {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()} == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    verify(str(out))


def test_a_merge_keeps_imported_tables_and_adds_nothing_to_them(
    tmp_path: Path, small: Any, made: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small("out", [made.run_row(0)], "0.1.0")
    assert run("nbmacro", write(tmp_path / "source", made_nbmacro()), out) == 0
    tables = {key: table for key, table in Release.open(out).tables().items() if key[1] == "nbmacro"}
    assert merge([str(small("more", [made.run_row(1)])), "--out", str(out)]) == 0
    after = Release.open(out).tables()
    assert all(
        after[key].equals(table) and b"nbzero.source" in after[key].schema.metadata
        for key, table in tables.items()
    )
    verify(str(out))
    assert run("nbmacro", tmp_path / "source", tmp_path / "other") == 0
    assert merge([str(tmp_path / "other"), "--out", str(out)]) == 2
    assert (
        "nbmacro is imported and read-only, nothing is merged into it; run builders.import_bench"
        in capsys.readouterr().err
    )


def test_an_import_into_a_derived_release_counts_on(
    tmp_path: Path, small: Any, made: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = small("base", [made.run_row(0)], "0.1.0"), tmp_path / "out"
    more = small("more", [made.run_row(1)])
    assert merge([str(more), "--base", str(base), "--out", str(out), "--label", "lab"]) == 0
    parent = Parent("0.1.0", Bench(base).sha256)
    source = write(tmp_path / "source", made_nbmacro())
    for _ in range(2):
        assert run("nbmacro", source, out) == 0
        manifest = Release.open(out).manifest
        assert (manifest.data_version, manifest.parent) == ("0.1.0+lab.2", parent)
    verify(str(out))


def test_an_older_import_gets_the_new_columns(tmp_path: Path) -> None:
    imported(tmp_path, "nbmacro")
    old = made_older(tmp_path / "out", tmp_path / "old")
    before = Release.open(tmp_path / "out").tables()
    assert run("nbmacro", tmp_path / "source", old) == 0
    verify(str(old))
    after = Release.open(old)
    assert after.manifest.data_version == "0.2.0"
    assert all(table.equals(before[key]) for key, table in after.tables().items())
    arch = after.table("runs/nbmacro/cifar10.parquet").to_pylist()[0]
    assert (arch["space"], arch["dataset"], arch["arch"]) == (
        "nbmacro",
        "cifar10",
        Bench(old).space("nbmacro")[0],
    )


def test_where_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "source", made_nbmacro())
    assert run("nbmacro", source, embedded_folder()) == 2
    assert (
        "is the release that ships with nbzero, of which third-party tables are no part"
        in capsys.readouterr().err
    )
    assert main(["nbmacro", "--source", str(source), "--out", "memory://x"]) == 2
    assert "is a URL; a release is made in a local folder" in capsys.readouterr().err
    assert run("nbmacro", source, tmp_path / "out") == 0
    manifest = (tmp_path / "out/manifest.json").read_bytes()
    files = made_nbmacro()
    change(
        files,
        MACRO,
        0,
        test_acc_0=files[MACRO][0]["test_acc_0"] + 0.01,
        mean_acc=files[MACRO][0]["mean_acc"] + 0.01 / 3,
    )
    assert run("nbmacro", write(tmp_path / "changed", files), tmp_path / "out") == 2
    assert (
        "has a runs table of nbmacro with other rows or columns; released rows stay"
        in capsys.readouterr().err
    )
    assert (tmp_path / "out/manifest.json").read_bytes() == manifest
    with pytest.raises(SystemExit):
        run("nb202", source, tmp_path / "out")


def test_archs_of_spaces_that_a_release_lacks_and_malformed_ones(tmp_path: Path, small: Any) -> None:
    bare = Bench(small("bare"))
    for space, definition in IMPORTED.items():
        todo = f"import_bench {space} --source" if space in IMPORTERS else "no table .*score_shard --members"
        lacks = (
            rf"looks like an arch of .*, which this release does not have \(its spaces: r1-mini\); .*{todo}"
        )
        with pytest.raises(UnknownNameError, match=lacks):
            bare.query(definition.example)
        lacks = f"no space named '{space}'; .*Known: r1-mini; {space} is a published space, .*{todo}"
        with pytest.raises(UnknownNameError, match=lacks):
            bare.space(space)
    b = imported(tmp_path, "nb201")
    with pytest.raises(ValueError, match=r"'\|none~0\|': an arch of nb201 \(NAS-Bench-201\) is like"):
        b.query("|none~0|")
    with pytest.raises(NotAMemberError, match="nearest are"):
        b.query(BEST)
    with pytest.raises(ValueError, match="'nb201': an arch begins with its space: no space named 'nb201'"):
        b.query("nb201")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda t: t.replace_schema_metadata({}),
            "archs/nbmacro.parquet: an imported table says where it is from, "
            "but its metadata lacks nbzero.source",
        ),
        (
            lambda t: t.set_column(
                t.column_names.index("macs"), t.schema.field("macs"), pa.array([5] * NUM, pa.int64())
            ),
            "is not what its arch string says",
        ),
        (
            lambda t: t.set_column(1, t.schema.field("arch"), pa.array(["x"] * NUM)),
            "has 1 different arch in 20 rows, not 20",
        ),
        (lambda t: t.slice(0, NUM - 1), "has 19 different archs in 19 rows, not 20"),
        (lambda t: t.drop_columns(["iso_class"]), "are not those of archs"),
    ],
)
def test_verify_finds_what_is_wrong_with_imported_archs(tmp_path: Path, spoil: Any, said: str) -> None:
    imported(tmp_path, "nbmacro")
    table = Release.open(tmp_path / "out").table("archs/nbmacro.parquet")
    commit_release(tmp_path / "wrong", {("archs", "nbmacro", None): spoil(table)}, "0.1.0")
    with pytest.raises(ReleaseError, match=re.escape(said)):
        verify(str(tmp_path / "wrong"))
