"""builders.reproductions.searching: the tables of searches on made benchmarks of a few archs."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from builders.reproduce import main
from builders.reproductions import searching
from builders.reproductions.results import read_results
from builders.reproductions.scoring import scores_there
from nbzero import Bench
from nbzero.judge.votes import copeland
from nbzero.spaces.mobilenetv2 import published_costs
from tests.importers.made import MADE, run, write


@pytest.fixture
def reproduce(tmp_path, few_archs):
    def reproduced(space, table, *given):
        benchmarks = tmp_path / "benchmarks"
        if not benchmarks.exists():
            assert run(space, write(tmp_path / "source", MADE[space]()), benchmarks) in (0, None)
        places = ["--scores", str(tmp_path / "scores"), "--results", str(tmp_path / "results.parquet")]
        assert not main([table, "--benchmarks", str(benchmarks), *places, "--images", "noise", *given])
        return Bench(benchmarks), {row.row: row for row in read_results(tmp_path / "results.parquet")}

    return reproduced


def test_searches_by_val_accuracy_are_judged_by_test_accuracy(reproduce):
    bench, rows = reproduce("nb201", "wrcor-9", "--known-only")
    assert len(rows) == 3 * (3 + 1)  # nothing is scored: val accuracy and the optimum
    for number, dataset in enumerate(searching.DATASETS):
        short = bench.table("nb201", ["arch", "val_acc"], dataset, "nb201-12")
        test = bench.table("nb201", ["arch", "test_acc"], dataset, "nb201-200-mean")
        of_best = test["test_acc"][int(np.argmax(short["val_acc"]))]
        for letter in ("R", "RL", "RE"):  # so few archs that all are found
            row = rows[f"{letter}-ValAcc, {dataset}"]
            assert row.ours == pytest.approx(of_best) and row.n == len(bench.space("nb201"))
            assert row.paper == pytest.approx(searching.PAPER[f"{letter}-ValAcc"][number] / 100)
        assert rows[f"Optimum, {dataset}"].ours == test["test_acc"].max()


def test_seconds_of_training_are_the_mean_of_what_the_file_tells(reproduce, monkeypatch):
    runs = [("nb201-12", 60.0), ("nb201-12", None), ("nb201-12", 100.0), ("nb201-200", 9e9)]
    told = pa.Table.from_pylist([{"recipe": recipe, "train_time_s": seconds} for recipe, seconds in runs])
    monkeypatch.setattr(searching, "_runs_of_cells", lambda _: told)
    _, rows = reproduce("nb201", "wrcor-9", "--known-only")
    row = rows["seconds an evaluation, ValAcc"]
    assert (row.ours, row.n, row.paper) == (80.0, 2, pytest.approx(105.992))


def test_one_network_of_a_class_is_scored_and_stands_for_it(reproduce, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "NUM_TIMED", 1)
    bench, rows = reproduce("nb201", "wrcor-9", "--archs", "2", "--proxies", "synflow", "jacob_cov", "snip")
    scored = scores_there(next((tmp_path / "scores").iterdir()))
    assert len(scored) == 2
    frame = bench.table("nb201", ["arch", "iso_class"])
    class_of = dict(zip(frame["arch"], frame["iso_class"].tolist(), strict=True))
    by_class = {class_of[arch]: scores for arch, scores in scored.items()}
    assert len(by_class) == 2
    archs = [arch for arch in bench.space("nb201") if class_of[arch] in by_class]
    columns = [
        [by_class[class_of[arch]][name] for arch in archs] for name in ("synflow", "jacob_cov", "snip")
    ]
    votes = copeland(np.array(columns, np.float64))
    test = bench.table("nb201", ["arch", "test_acc"], "cifar10", "nb201-200-mean")
    of = dict(zip(test["arch"], test["test_acc"], strict=True))
    winners = [of[arch] for arch, vote in zip(archs, votes, strict=True) if vote == votes.max()]
    for letter, how in {
        "R": "votes in pairs",
        "RL": "votes as Copeland scores",
        "RE": "votes in pairs",
    }.items():
        row = rows[f"{letter}-ZeroCost, cifar10"]
        assert min(winners) <= row.ours <= max(winners) and row.n == len(archs)
        assert row.note.endswith(f"; {how}")
    assert "scores of CIFAR-10 images" in rows["RE-ZeroCost, cifar100"].note
    seconds = rows["seconds an evaluation, ZeroCost"]
    assert (seconds.paper, seconds.n) == (5.474, 1) and seconds.ours > 0
    assert not any("WRCor" in name or "SJW" in name for name in rows)


def test_a_search_of_the_mobilenet_space_reports_what_it_found(reproduce, tmp_path):
    """By params, for which a network is built and none is run."""
    _, rows = reproduce("nb201", "wrcor-10", "--archs", "3", "--proxies", "params")
    arch = rows["RE-SJW, params (M)"].note.rpartition(": ")[2]
    costs = published_costs(arch)
    assert rows["RE-SJW, params (M)"].ours == pytest.approx(costs["params"] / 1e6)
    assert rows["RE-SJW, FLOPs (M)"].ours == pytest.approx(costs["flops"] / 1e6) and costs["flops"] < 650e6
    assert rows["RE-SJW, FLOPs (M)"].paper == 592 and rows["RE-SJW, FLOPs (M)"].n == 3


def test_swap_nas_on_trained_cells(reproduce, monkeypatch):
    monkeypatch.setattr(searching, "darts_scores", made_scores)
    bench, rows = reproduce("darts", "swap-nas")
    accuracy = bench.table("darts", ["arch", "val_acc"], "cifar10")
    values = dict(zip(accuracy["arch"], accuracy["val_acc"], strict=True))
    best = max(values, key=lambda arch: made_scores(None, 0, (arch, ["x"]))["x"])
    assert rows["swap_nas by SWAP"].ours == pytest.approx(values[best])
    assert rows["random by val accuracy"].ours == rows["best of the table"].ours == max(values.values())


def made_scores(images, seed, task):
    arch, names = task
    number = int(hashlib.sha256(arch.encode()).hexdigest()[:8], 16)
    return dict.fromkeys(names, float(number))
