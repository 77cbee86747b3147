"""`python -m builders.reproduce` on a made benchmark of a few archs, with noise in place of images."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.reproduce import main
from builders.reproductions import scoring, wrcor
from builders.reproductions.results import Result, merge, paired_row, read_results, spearman_row
from builders.reproductions.scoring import Setting, counted, fill, scores_there
from builders.reproductions.sed import sed_of_darts, sed_of_micro
from nbzero import Bench
from nbzero.errors import OutputError, ReleaseError
from nbzero.images.facts import dataset
from nbzero.proxies.protocol import PROTOCOLS, noise_batch, protocol_net
from nbzero.proxies.score import score
from nbzero.spaces.darts import DARTS
from tests.importers.made import BEST, MADE, run, write

CHEAP = ("pnorm", "lyrdyniso")
ROW = Result("wrcor-2", "SNIP", 0.593, 0.6, 10, 1, 0.1, "std-32", "")


@pytest.fixture
def benchmarks(tmp_path: Path, few_archs: None) -> Path:
    """A release of NAS-Bench-201 with a few archs."""
    out = tmp_path / "benchmarks"
    assert run("nb201", write(tmp_path / "source", MADE["nb201"]()), out) in (0, None)
    return out


def reproduce(benchmarks: Path, *given: str) -> list[Result]:
    folder = benchmarks.parent
    places = ["--scores", str(folder / "scores"), "--results", str(folder / "results.parquet")]
    status = main([*given, "--benchmarks", str(benchmarks), *places])
    assert not status, "the command refused"
    return read_results(folder / "results.parquet")


def test_a_table(benchmarks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = reproduce(benchmarks, "wrcor-2", "--archs", "6", "--images", "noise", "--proxies", *CHEAP)
    by_row = {row.row: row for row in rows}
    assert set(by_row) == {"PNorm", "LyDynIso", "Params", "FLOPs", "ValAcc"}
    assert by_row["PNorm"].paper == 0.684
    assert by_row["PNorm"].n == 6
    bench = Bench(benchmarks)
    archs = bench.space("nb201").sample(6, 0)
    table = scores_there(next((benchmarks.parent / "scores").iterdir()))
    assert list(table) == archs
    frame = bench.table("nb201", ["arch", "val_acc"], dataset="cifar10", recipe="nb201-200-mean")
    accuracy_of = dict(zip(frame["arch"], frame["val_acc"], strict=True))
    scores = np.array([table[arch]["pnorm"] for arch in archs])
    accuracies = np.array([accuracy_of[arch] for arch in archs])
    rank_correlation = np.corrcoef(scores.argsort().argsort(), accuracies.argsort().argsort())[0, 1]
    assert by_row["PNorm"].ours == pytest.approx(rank_correlation)
    assert "PNorm" in capsys.readouterr().out


def test_more_archs_and_proxies_go_on(benchmarks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduce(benchmarks, "wrcor-2", "--archs", "3", "--images", "noise", "--proxies", "pnorm")
    computed = []
    of_one = scoring._scores_of

    def telling(setting: Setting, task: tuple[str, tuple[str, ...]]) -> dict[str, float | None]:
        computed.append(task)
        return of_one(setting, task)

    monkeypatch.setattr(scoring, "_scores_of", telling)
    reproduce(benchmarks, "wrcor-2", "--archs", "4", "--images", "noise", "--proxies", *CHEAP)
    archs = Bench(benchmarks).space("nb201").sample(4, 0)
    assert computed == [*((arch, ("lyrdyniso",)) for arch in archs[:3]), (archs[3], CHEAP)]


def test_sed_on_made_archs(benchmarks: Path) -> None:
    rows = reproduce(benchmarks, "sed")
    assert all("reconstruction" in row.note for row in rows)
    assert {row.table for row in rows} == {"sed"}


def test_the_reconstruction_of_sed_counts_the_convolutions_of_other_cells() -> None:
    assert sed_of_micro("64-41414-1_02_333") == 2 * (1 + 3 * 3)
    assert sed_of_micro("64-41414-0_02_333") == 1 + 3 * 3
    separable, dilated = 2 * (3 + 1) + 2 * (5 + 1), (3 + 1) + (5 + 1)
    assert sed_of_darts(DARTS.example) == 2 * (separable + dilated)
    assert sed_of_darts(DARTS.example.replace("skip_connect", "none")) == separable + dilated


def test_scores_are_those_of_the_protocol(tmp_path: Path) -> None:
    setting = Setting("nb201", "cifar10", "std-32", "noise", ("pnorm", *counted(["acor"])))
    found = fill(setting, [BEST], tmp_path)[BEST]
    protocol = PROTOCOLS["std-32-noise"]
    net = protocol_net(BEST, protocol, dataset("cifar10").num_classes, 0)
    batch = noise_batch(protocol, "cifar10", 0)
    assert found["pnorm"] == score(net, *batch, ["pnorm"])["pnorm"]
    assert found["acor:authors_counting"] == score(net, *batch, ["acor"], authors_counting=True)["acor"]


def test_a_cut_line_is_computed_again(tmp_path: Path) -> None:
    setting = Setting("nb201", "cifar10", "std-32", "noise", ("pnorm",))
    first = fill(setting, [BEST], tmp_path)
    path = setting.file(tmp_path)
    whole_file = path.read_bytes()
    path.write_bytes(whole_file[:-5])
    assert scores_there(path) == {}
    assert fill(setting, [BEST], tmp_path) == first
    assert path.read_bytes() == whole_file


@pytest.mark.parametrize(
    "line", ["{}", "[1]", "no json", '{"arch": "a", "scores": 3}', '{"arch": "a", "scores": {"snip": "1.0"}}']
)
def test_a_line_that_is_no_scores_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(json.dumps({"arch": "a", "scores": {"snip": 1.0}}) + f"\n{line}\n")
    with pytest.raises(ReleaseError, match="line 2 is no scores"):
        scores_there(path)


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda path: path.write_bytes(b"\xff\xfe\n")])
def test_what_is_no_file_of_scores_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "scores.jsonl"
    spoil(path)
    with pytest.raises(ReleaseError, match=r"scores.jsonl is no file of scores \(.*choose another --scores"):
        scores_there(path)


def test_scores_that_cannot_be_kept_are_not_computed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    setting = Setting("nb201", "cifar10", "std-32", "noise", ("pnorm",))
    with pytest.raises(OutputError, match=r"cannot write .*jsonl: .*choose another --scores"):
        fill(setting, [BEST], tmp_path / "file")


def test_results_are_looked_at_before_the_work(
    benchmarks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scoring, "_scores_of", lambda *_: pytest.fail("a score was computed"))
    kept = benchmarks.parent / "scores"
    given = ["wrcor-2", "--archs", "2", "--images", "noise", "--benchmarks", str(benchmarks)]
    assert main([*given, "--scores", str(kept), "--results", str(benchmarks)]) == 2
    assert "benchmarks cannot be read as results: Is a directory" in capsys.readouterr().err
    damaged = benchmarks.parent / "results.parquet"
    damaged.write_text("no parquet")
    assert main([*given, "--scores", str(kept), "--results", str(damaged)]) == 2
    assert "results.parquet cannot be read as results" in capsys.readouterr().err
    assert not kept.exists()


def test_merged_by_table_row_and_protocol(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    merge(path, [ROW, replace(ROW, protocol="std-32-n01")])
    merge(path, [replace(ROW, n=20), replace(ROW, row="Zen", ours=None)])
    rows = read_results(path)
    assert [(row.row, row.protocol, row.n) for row in rows] == [
        ("SNIP", "std-32", 20),
        ("SNIP", "std-32-n01", 10),
        ("Zen", "std-32", 10),
    ]
    assert pq.read_schema(path).names == [
        "table",
        "row",
        "paper",
        "ours",
        "n",
        "seeds",
        "se",
        "protocol",
        "note",
    ]


def test_another_file_in_place_of_results_is_left(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    pq.write_table(pa.table({"row": ["SNIP"]}), path)
    before = path.read_bytes()
    with pytest.raises(ReleaseError, match="has columns"):
        merge(path, [ROW])
    path.write_text("no parquet")
    with pytest.raises(ReleaseError, match="cannot be read"):
        merge(path, [ROW])
    assert len(before) > len(path.read_bytes())


def test_undefined_scores_are_left_out() -> None:
    accuracy = np.arange(10.0)
    scores = np.where(accuracy == 3, np.nan, -accuracy)
    row = spearman_row("wrcor-2", "SNIP", 0.9, scores, accuracy, "std-32")
    assert (row.ours, row.n) == (-1.0, 9)
    assert "1 without a score left out" in row.note
    none = spearman_row("wrcor-2", "SNIP", 0.9, np.full(3, np.nan), np.arange(3.0), "std-32")
    assert (none.ours, none.n, none.note) == (None, 0, "no scores")


def test_within_or_outside_of_the_papers_absolute_value() -> None:
    accuracy = np.arange(400.0)
    rows = [spearman_row("wrcor-2", "SNIP", paper, -accuracy, accuracy, "std-32") for paper in (0.98, 0.96)]
    assert [row.note for row in rows] == ["within 0.030", "outside 0.030"]


def test_a_paired_gain() -> None:
    rng = np.random.default_rng(0)
    accuracy = rng.normal(size=300)
    better, worse = accuracy + rng.normal(size=(2, 300)) * [[0.5], [2.0]]
    row = paired_row("wrcor-2", "gain", 0.0, better, worse, accuracy, "std-32")
    assert row.ours is not None
    assert row.ours > 0.2
    same = paired_row("wrcor-2", "gain", 0.0, better, better, accuracy, "std-32")
    assert (same.ours, same.se) == (0.0, 0.0)


def test_published_flops() -> None:
    arch = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    assert wrcor.published_flops(arch, 0) == 160_832 + 2 * 430_080 + 1_290_240


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["wrcor-99"], "no table 'wrcor-99'; those are all, wrcor-2"),
        (["sed", "--archs", "0"], "--archs"),
        (["sed", "--workers", "0"], "--workers"),
        (["sed", "--proxies", "snipp"], "snip"),
        (
            ["wrcor-2", "--proxies", "params"],
            "--proxies params: this table has none of them; its proxies are acor",
        ),
        (["dyniso", "--proxies", "snip", "zen"], "this table has none of them; its proxies are dyniso"),
        (["nbzero", "--proxies", "dyniso"], "this table has none of them; its proxies are acor"),
    ],
)
def test_refused(benchmarks: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str) -> None:
    try:
        status = main(
            [*given, "--benchmarks", str(benchmarks), "--results", str(benchmarks.parent / "r.parquet")]
        )
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (benchmarks.parent / "r.parquet").exists()
