"""builders.reproductions.nb101: WRCor's tables of NAS-Bench-101 on a made file of a few archs."""

import hashlib
from functools import partial

import numpy as np
import pytest

from builders import import_bench, reproduce as reproduce_job
from builders.reproduce import main
from builders.reproductions import context, nb101
from builders.reproductions.results import read_results
from nbzero import Bench
from nbzero.judge.votes import copeland
from nbzero.metrics import spearman_rho
from nbzero.spaces.nb101 import NB101
from tests.importers.made import MADE, NUM, run, write
from tests.importers.made_official import made_nb101, some_cells, write_records

EXPERTS = ("synflow", "jacob_cov", "snip")


@pytest.fixture
def reproduce(tmp_path, few_archs, monkeypatch):
    monkeypatch.setattr(import_bench, "Bounded", lambda parse, most: parse)  # in this process
    monkeypatch.setattr(context, "scorer", lambda setting: made_scores)

    def reproduced(epochs, table, *given):
        benchmarks = tmp_path / "benchmarks"
        if not benchmarks.exists():
            file = write_records(tmp_path / "nasbench_full.tfrecord", made_nb101(some_cells(NUM), epochs))
            assert run("nb101", file, benchmarks) == 0
        places = ["--scores", str(tmp_path / "scores"), "--results", str(tmp_path / "results.parquet")]
        assert not main([table, "--benchmarks", str(benchmarks), *places, "--images", "noise", *given])
        return Bench(benchmarks), {row.row: row for row in read_results(tmp_path / "results.parquet")}

    return reproduced


def made_scores(task):
    arch, names = task
    return {name: float(hashlib.sha256(f"{arch} {name}".encode()).digest()[0]) for name in names}


def accuracies(bench, recipe, split, seed):
    frame = bench.table("nb101", ["arch", f"{split}_acc"], "cifar10", recipe, seed=seed)
    return dict(zip(frame["arch"], frame[f"{split}_acc"].tolist(), strict=True))


def test_correlations_with_the_mean_val_accuracy(reproduce):
    bench, rows = reproduce((12, 108), "wrcor-7")
    val, test = (accuracies(bench, "nb101-108", split, "mean") for split in ("val", "test"))
    archs = list(val)
    for row, name in (("SNIP", "snip"), ("WRCor", "wrcor:authors_counting"), ("WRCor, nbzero", "wrcor")):
        scores = [made_scores((arch, [name]))[name] for arch in archs]
        assert rows[row].ours == pytest.approx(spearman_rho(scores, list(val.values())))
        assert rows[row].n == NUM
    assert (rows["SNIP"].paper, rows["WRCor, nbzero"].paper, rows["ZiCo"].paper) == (0.157, 0.534, None)
    costs = [NB101.costs(NB101.parse(arch))["macs"] for arch in archs]
    assert rows["FLOPs"].ours == pytest.approx(spearman_rho(costs, [test[arch] for arch in archs]))
    short = accuracies(bench, "nb101-12", "val", 0)
    of_short = spearman_rho([short[arch] for arch in archs], list(val.values()))
    assert rows["ValAcc"].ours == pytest.approx(of_short)
    assert {"ZeroCost", "SPW", "SJW"} <= rows.keys()


def test_searches_are_judged_by_both_accuracies(reproduce):
    bench, rows = reproduce((12, 108), "wrcor-8", "--proxies", *EXPERTS)
    judged = {split: accuracies(bench, "nb101-108", split, "mean") for split in ("val", "test")}
    archs = list(judged["val"])
    by_short = accuracies(bench, "nb101-12", "val", 0)
    best = max(archs, key=by_short.__getitem__)
    votes = copeland(np.array([[made_scores((arch, [name]))[name] for arch in archs] for name in EXPERTS]))
    voted = {arch for arch, vote in zip(archs, votes, strict=True) if vote == votes.max()}
    for split, of in judged.items():
        assert rows[f"Optimum, {split}"].ours == pytest.approx(max(of.values()))
        for letter in ("R", "RL", "RE"):  # so few archs that all are found
            assert rows[f"{letter}-ValAcc, {split}"].ours == pytest.approx(of[best])
            found = rows[f"{letter}-ZeroCost, {split}"].ours
            assert min(map(of.get, voted)) - 1e-9 <= found <= max(map(of.get, voted)) + 1e-9
    assert rows["RE-ZeroCost, val"].paper == pytest.approx(0.8515)
    assert rows["RE-ZeroCost, test"].paper == pytest.approx(0.8429)
    assert not any("WRCor" in row or "SJW" in row for row in rows)


def test_without_short_runs_and_scores_what_is_there_is_said(reproduce):
    _, rows = reproduce((108,), "wrcor-8", "--known-only")
    assert set(rows) == {"Optimum, val", "Optimum, test"}
    _, rows = reproduce((108,), "wrcor-7", "--known-only")
    assert set(rows) - {"Optimum, val", "Optimum, test"} == {"Params", "FLOPs"}


def test_a_release_without_nb101(tmp_path, few_archs, capsys, monkeypatch):
    benchmarks = tmp_path / "benchmarks"
    assert run("nb201", write(tmp_path / "source", MADE["nb201"]()), benchmarks) in (0, None)
    given = ["--benchmarks", str(benchmarks), "--images", "noise", "--results", str(tmp_path / "r.parquet")]
    for table in nb101.TABLES:
        assert main([table, *given]) == 2
        assert "need nb101 with its trainings (nb101-108)" in capsys.readouterr().err
    asked = []
    for name, table in reproduce_job.TABLES.items():
        made = partial(asked_for, asked, name)
        made.__doc__ = table.__doc__
        monkeypatch.setitem(reproduce_job.TABLES, name, made)
    assert not main(["all", *given])
    assert "left out: wrcor-7, wrcor-8" in capsys.readouterr().out
    assert "wrcor-2" in asked and not set(asked) & nb101.TABLES.keys()


def asked_for(asked, name, _):
    asked.append(name)
    return []
