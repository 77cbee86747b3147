"""Archs of a published benchmark whose networks have scores of ours: the first of its sample."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders import merge_shards
from builders.work.base import opened_base, scores_missing
from builders.work.commit import commit_release
from builders.work.job import Job
from builders.work.rows import to_parquet
from nbzero import Bench, NotAMemberError, NothingFoundError, ReleaseError
from nbzero.release.held import summary
from nbzero.release.manifest import Release
from nbzero.release.sampled import is_sampled, sampled_archs, sampled_rows
from nbzero.release.verify import verify
from nbzero.spaces.published import IMPORTED, sample_order

Row = dict[str, Any]
ARCHS = sample_order("nb201")


@pytest.fixture
def shard(made: SimpleNamespace, tmp_path: Path) -> Callable[..., Path]:
    """Writes a shard of made scores of the first archs of a sample: shard(name, num_archs, space)."""

    def write(name: str, num_archs: int, space: str = "nb201", **changed: Any) -> Path:
        rows = []
        for arch_id, arch in enumerate(sample_order(space)[:num_archs]):
            where = {"space": space, "dataset": "cifar10", "arch": arch}
            rows.append(made.score_row(arch_id, "std-32") | where | changed)
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(to_parquet("scores", rows))
        return path

    return write


@pytest.fixture
def merged(shard: Any, small: Any, tmp_path: Path) -> Path:
    """A release of r1-mini to which scores of five archs of NAS-Bench-201 were merged."""
    first, base, out = shard("first", 5), small("base"), tmp_path / "out"
    assert merge_shards.main([str(first), "--base", str(base), "--out", str(out), "--release"]) == 0
    return out


@pytest.mark.parametrize("space", ["nb201", "nbmacro", "transnas-micro"])
def test_the_archs_of_a_sample_and_their_classes(space: str) -> None:
    rows = sampled_rows(space, 300)
    assert [row["arch"] for row in rows] == list(sample_order(space)[:300])
    assert [row["arch_id"] for row in rows] == list(range(300))
    assert is_sampled(space, [row["arch"] for row in rows])
    assert not is_sampled(space, [row["arch"] for row in rows[1:]])
    definition = IMPORTED[space]
    if definition.class_of is None:
        assert "iso_class" not in rows[0]
        return
    called = [definition.class_of(definition.parse(row["arch"])) for row in rows]
    pairs = set(zip(called, (row["iso_class"] for row in rows), strict=True))
    assert len(pairs) == len(set(called)) == max(row["iso_class"] for row in rows) + 1 < 300


def test_networks_of_benchmarks_are_counted_apart_from_ours(merged: Path, tmp_path: Path) -> None:
    said = summary(Bench(merged).release)
    of_benchmarks = "0 of 5 networks trained, 5 scored, 0 predicted."
    assert said.endswith(f" predicted. Of published benchmarks: {of_benchmarks}")
    assert " of 1,000 networks trained, " in said.partition("Of published")[0]
    tables = {("archs", "nb201", None): sampled_archs("nb201", 5)}
    commit_release(tmp_path / "alone", tables, "0.1.0")
    assert summary(Bench(tmp_path / "alone").release) == "0 of 5 networks trained, 0 scored, 0 predicted."


def test_scores_without_accuracies(merged: Path, made: SimpleNamespace) -> None:
    b = Bench(merged)
    assert "index/nb201.nbzidx: equals its 2 tables" in verify(str(merged))
    assert b.spaces == ("r1-mini", "nb201") and list(b.space("nb201")) == list(ARCHS[:5])
    record = b.query(ARCHS[3])
    expected = made.score_row(3, "std-32")
    assert record.score("wrcor", "cifar10") == expected["wrcor"]
    assert record.score("wrcor", "cifar10", "std-32") == expected["wrcor"]
    assert record.accuracy("cifar10") is None
    says = "no runs of nb201 on cifar10; the authors of NAS-Bench-201 publish them: .*import_bench nb201"
    assert re.search(says, str(record.accuracy_reason("cifar10")))
    with pytest.raises(NothingFoundError, match=r"no arch of nb201 has a val accuracy.*import_bench nb201"):
        b.pool("nb201", "cifar10")
    with pytest.raises(NotAMemberError, match=r"has 5 of the 15,625 archs of nb201, .*import_bench nb201"):
        b.query(ARCHS[7])
    assert (
        b.table("nb201", ["iso_class", "macs", "wrcor"], dataset="cifar10")["wrcor"][3] == expected["wrcor"]
    )


def test_more_scores_go_on_and_nothing_changes(merged: Path, shard: Any) -> None:
    before = Release.open(merged).tables()
    assert merge_shards.main([str(shard("more", 8)), "--out", str(merged), "--release"]) == 0
    after = Release.open(merged).tables()
    for kind, dataset in (("archs", None), ("scores", "cifar10")):
        key: Any = (kind, "nb201", dataset)
        assert after[key].num_rows == 8
        assert after[key].slice(0, 5).equals(before[key])
        assert after[key].schema.metadata[b"nbzero.benchmark"] == b"NAS-Bench-201"
    assert Bench(merged).version == "0.3.0"
    verify(str(merged))


def test_a_job_leaves_out_what_the_base_has(merged: Path, shard: Any) -> None:
    units = [(arch_id, ARCHS[arch_id], 0) for arch_id in (1, 4, 5)]
    job = Job("scores", "job", "nb201", "cifar10", units, 0, 1, lambda *_: None, {}, {"protocol": "std-32"})
    base = opened_base(str(merged))
    assert base is not None
    assert scores_missing(base, job, ["wrcor"]) == {units[0]: [], units[1]: []}


@pytest.mark.parametrize(
    ("space", "changed", "said"),
    [
        ("nb201", {"arch_id": 2}, f"arch_id 2 is {ARCHS[0]}, but the archs table of nb201 has {ARCHS[2]}"),
        ("nb201", {"protocol": "freerea-naslib"}, "nb201 is imported and read-only"),
    ],
)
def test_rows_that_are_not_ours(
    merged: Path, shard: Any, space: str, changed: Row, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert merge_shards.main([str(shard("wrong", 1, space, **changed)), "--out", str(merged)]) == 2
    assert said in capsys.readouterr().err
    assert Release.open(merged).table("archs/nb201.parquet").num_rows == 5


def test_a_space_that_is_not_enumerated(
    merged: Path, made: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = made.score_row(0, "std-32") | {
        "space": "darts",
        "dataset": "cifar10",
        "arch": IMPORTED["darts"].example,
    }
    path = tmp_path / "darts.parquet"
    path.write_bytes(to_parquet("scores", [row]))
    assert merge_shards.main([str(path), "--out", str(merged)]) == 2
    assert "no definition says which archs darts has" in capsys.readouterr().err


def test_verify_finds_another_order_and_other_costs(tmp_path: Path) -> None:
    table = sampled_archs("nb201", 4)
    key: Any = ("archs", "nb201", None)
    commit_release(tmp_path / "right", {key: table}, "0.1.0")
    verify(str(tmp_path / "right"))
    macs = table.column_names.index("macs")
    wrong = table.set_column(macs, table.schema.field("macs"), [[1, 2, 3, 4]])
    commit_release(tmp_path / "wrong", {key: wrong}, "0.1.0")
    with pytest.raises(ReleaseError, match="is not what its arch string says"):
        verify(str(tmp_path / "wrong"))
    commit_release(tmp_path / "short", {key: table.slice(1)}, "0.1.0")
    with pytest.raises(ReleaseError, match="has 3 different archs in 3 rows, not 15625"):
        verify(str(tmp_path / "short"))


def test_reasons_of_failed_scores_are_kept(merged: Path, shard: Any) -> None:
    failed = {"zico": None, "failures": json.dumps({"zico": "no gradient"})}
    assert merge_shards.main([str(shard("macro", 1, "nbmacro", **failed)), "--out", str(merged)]) == 0
    record = Bench(merged).query(sample_order("nbmacro")[0])
    assert record.score("zico", "cifar10") is None
    assert record.score_reason("zico", "cifar10") == "no gradient"
