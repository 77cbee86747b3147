"""Scores of ours beside an imported benchmark: joined by arch, with their own protocol and source."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from builders.import_bench import main
from builders.work.commit import commit_release
from nbzero import Bench
from nbzero.cite import imported as cited
from nbzero.importers.own_scores import own_scores
from nbzero.release.manifest import Release
from nbzero.release.sampled import sampled_archs, sampled_scores
from nbzero.release.verify import verify
from tests.importers.made import MADE, NUM, run, some, write

SCORED = 6  # archs that are in the made table, of eight that have scores
OTHERS = (
    "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|",
)


@pytest.fixture
def ours(made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A release with scores of eight archs, of which the made table of each benchmark has six."""
    tables: Any = {}
    for space, others in (("nb201", OTHERS), ("nbmacro", ("22222222", "11111111"))):
        drawn = (*some(space)[:SCORED], *others)
        assert not set(others) & set(some(space))
        monkeypatch.setattr("nbzero.release.sampled.sample_order", lambda _, drawn=drawn: drawn)
        rows = [made.score_row(arch_id, "std-32") for arch_id in range(len(drawn))]
        tables["archs", space, None] = sampled_archs(space, len(drawn))
        tables["scores", space, "cifar10"] = sampled_scores(space, rows)
    commit_release(tmp_path / "ours", tables, "0.4.0")
    return tmp_path / "ours"


@pytest.fixture
def joined(ours: Path, tmp_path: Path) -> Path:
    source, out = write(tmp_path / "source", MADE["nb201"]()), tmp_path / "out"
    assert run("nb201", source, out, "--scores", str(ours)) == 0
    return out


def test_scores_stand_beside_the_accuracies_by_arch(joined: Path, made: SimpleNamespace) -> None:
    verify(str(joined))
    b = Bench(joined)
    assert b.protocols("nb201", "cifar10") == ["freerea-naslib", "std-32"]
    assert b.protocols("nb201", "cifar100") == ["freerea-naslib"]
    for place, arch in enumerate(some("nb201")):
        record = b.query(arch)
        wanted = made.score_row(place, "std-32")["wrcor"] if place < SCORED else None
        assert record.score("wrcor", "cifar10") == wanted
        assert record.score("synflow", "cifar10", "freerea-naslib") is not None
    reason = b.query(some("nb201")[0]).score_reason("wrcor", "cifar10", "freerea-naslib")
    assert reason == "not given by the source"
    no_row = b.query(some("nb201")[SCORED]).score_reason("wrcor", "cifar10")
    assert no_row == "this arch has no scores on cifar10 with protocol std-32 and seed 0"


def test_a_pool_is_of_the_archs_that_have_both(joined: Path) -> None:
    b = Bench(joined)
    pool = b.pool("nb201", "cifar10", "nb201-200-mean")
    assert (len(pool), pool.protocol) == (SCORED, "std-32")
    assert set(pool.archs) == set(some("nb201")[:SCORED])
    assert not any(np.isnan(values).any() for values in pool.scores.values())
    assert len(b.pool("nb201", "cifar10", "nb201-200-mean", protocol="freerea-naslib")) == NUM
    assert len(b.pool("nb201", "cifar10", "nb201-200-mean", proxies=[])) == NUM
    assert len(b.pool("nb201", "cifar100", "nb201-200-mean")) == NUM
    report = b.evaluate(dict.fromkeys(pool.archs, 1.0), "nb201", "cifar10", "nb201-200-mean")
    assert len(report.pool) == SCORED and "wrcor" in report.metrics["proxy"]


def test_where_they_are_from_is_said(joined: Path, ours: Path) -> None:
    metadata = Release.open(joined).table("scores/nb201/cifar10.parquet").schema.metadata
    said = "nbzero@0.4.0:scores/nb201/cifar10.parquet (scores with protocol std-32)"
    assert said in metadata[b"nbzero.source"].decode()
    assert "nbzero: CC-BY-4.0" in metadata[b"nbzero.licence"].decode()
    (paper,) = cited(Bench(joined), ["nb201"])
    assert "scores with protocol std-32" in paper.note and "imported as nb201" in paper.note
    (paper,) = cited(Bench(ours), ["nb201"])
    assert "its networks scored as nb201" in paper.note


def test_joined_scores_can_be_joined_again(joined: Path, ours: Path) -> None:
    """They are taken by arch, whatever the numbering of the release that has them."""
    (again,) = own_scores(Release.open(joined), "nb201")
    (first,) = own_scores(Release.open(ours), "nb201")
    assert dict(again.rows) == dict(first.rows[:SCORED])


def test_by_default_the_scores_that_ship_are_joined(ours: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "source", MADE["nb201"]())
    assert main(["nb201", "--source", str(source), "--out", str(tmp_path / "out")]) in (0, None)
    b = Bench(tmp_path / "out")
    assert b.protocols("nb201", "cifar10") == ["freerea-naslib", "std-32"]
    ships = Bench()
    pool = b.pool("nb201", "cifar10", "nb201-200-mean")
    assert 0 < len(pool) < NUM and pool.protocol == "std-32"
    for arch in pool.archs:
        released = ships.query(arch).score("synflow", "cifar10", "std-32")
        assert released is not None and b.query(arch).score("synflow", "cifar10", "std-32") == released


def test_without_scores(ours: Path, small: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "source", MADE["nb201"]())
    assert run("nb201", source, tmp_path / "none", "--scores", "none") == 0
    assert Bench(tmp_path / "none").protocols("nb201", "cifar10") == ["freerea-naslib"]
    assert run("nb201", source, tmp_path / "other", "--scores", str(small("bare"))) == 2
    assert "has no scores of nb201 under a protocol of nbzero" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert run("nb201", source, tmp_path / "none", "--scores", str(ours)) == 2
    assert "or leave out scores of nbzero: --scores none" in capsys.readouterr().err


def test_a_benchmark_without_scores_of_its_own(ours: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "source", MADE["nbmacro"]())
    assert run("nbmacro", source, tmp_path / "out", "--scores", str(ours)) == 0
    verify(str(tmp_path / "out"))
    pool = Bench(tmp_path / "out").pool("nbmacro", "cifar10", split="test")
    assert set(pool.archs) == set(some("nbmacro")[:SCORED]) and pool.protocol == "std-32"
