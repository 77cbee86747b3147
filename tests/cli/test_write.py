"""Files: exports, figures and reports."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from nbzero import Bench
from tests.cli.asking import SHORT, answer, ask

# Files


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_export_round_trips(release, bench, tmp_path):
    view = bench.table("r1-mini", None, "cifar10", "cpu-16px-4", where="depth > 6").to_arrow()
    args = ("--release", release, "export", "r1-mini", *SHORT, "--where", "depth > 6")
    done = ask(*args)
    assert (
        done.stderr
        == f"r1-mini, cifar10, cpu-16px-4, std-16, seed 0, where depth > 6, N = {view.num_rows}, release "
        f"0.2.0\n"
    )
    listed = read_csv(done.stdout)
    for got, row in zip(listed, view.to_pylist(), strict=True):
        for name, value in row.items():
            assert got[name] == ("" if value is None else str(value))
            assert value is None or type(value)(got[name]) == value
    for name in ("x.csv", "x.json", "x.parquet"):
        said = ask(*args, "--out", tmp_path / "new" / name)
        assert said.stdout == "" and said.stderr.endswith(
            f"release 0.2.0, written to {tmp_path / 'new' / name}\n"
        )
    assert (
        (tmp_path / "new/x.csv").read_text()
        == done.stdout
        == ask(*args, "--csv").stdout
        == ask(*args, "-f", "csv").stdout
    )
    assert pq.read_table(tmp_path / "new/x.parquet").equals(view)
    assert b"cpu-16px-4" in pq.read_schema(tmp_path / "new/x.parquet").metadata[b"nbzero.selected"]
    content = json.loads((tmp_path / "new/x.json").read_text())
    wanted = [
        {name: "-inf" if value == -np.inf else value for name, value in row.items()}
        for row in view.to_pylist()
    ]
    assert content["rows"] == wanted and "std-16" in content["title"] and content == answer(*args)
    assert any("-inf" in row.values() for row in wanted)


def test_export_columns_seed_and_protocol(release, bench, tmp_path):
    args = (
        "--release",
        release,
        "export",
        "r1-mini",
        "--columns",
        "arch,zen",
        "--columns",
        "runs.val_acc",
        *SHORT,
        "--seed",
        "1",
    )
    got = read_csv(ask(*args).stdout)
    view = bench.table("r1-mini", ["arch", "zen", "runs.val_acc"], "cifar10", "cpu-16px-4", seed=1)
    assert list(got[0]) == ["arch", "zen", "runs.val_acc"]
    assert [float(row["zen"] or "nan") for row in got] == pytest.approx(view["zen"].tolist(), nan_ok=True)
    other = read_csv(
        ask(
            "--release",
            release,
            "export",
            "r1-mini",
            "--columns",
            "zen",
            "-d",
            "cifar10",
            "--protocol",
            "std-32",
        ).stdout
    )
    assert sum(row["zen"] != "" for row in other) == 4
    bare = ask("--release", release, "export", "r1-mini", "--columns", "arch,macs")
    assert bare.stderr == "r1-mini, N = 1,000, release 0.2.0\n" and len(read_csv(bare.stdout)) == 1000
    piped = subprocess.run(
        [sys.executable, "-m", "nbzero", "export", "mb-mini", "-f", "parquet"],
        check=True,
        capture_output=True,
    ).stdout
    assert pq.read_table(io.BytesIO(piped)).num_rows == len(Bench().space("mb-mini"))
    (tmp_path / "file").write_text("")
    assert "cannot write" in ask("export", "r1-mini", "-o", tmp_path / "file/x.csv", status=2).stderr


def test_plot_writes_a_picture_and_lists_the_figures(release, tmp_path):
    from nbzero import plots

    assert [row["figure"] for row in answer("plot", "list")["rows"]] == list(plots.FIGURES)
    for name, head in (("x.png", b"\x89PNG"), ("x.svg", b"<?xml"), ("x.pdf", b"%PDF")):
        done = answer(
            "--release",
            release,
            "plot",
            "depth",
            "r1-mini",
            *SHORT,
            "-p",
            "zen",
            "-o",
            tmp_path / name,
            "--dpi",
            "30",
        )
        assert (tmp_path / name).read_bytes().startswith(head) and done["rows"] == [
            {"figure": "depth", "file": str(tmp_path / name)}
        ]
        assert "cpu-16px-4, val, seed 0" in done["title"]
    drawn = ("--release", release, "plot", "depth", "r1-mini", *SHORT, "-p", "zen", "--dpi", "30")
    ask(*drawn, "-o", tmp_path / "new" / "folder" / "x.png")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["x.png"]
    said = ask(*drawn, "-o", tmp_path / "x.svg" / "y.png", status=2).stderr
    assert said.startswith(f"nbzero: cannot write {tmp_path}/x.svg/y.png: ") and said.endswith(
        "then draw the figure again\n"
    )
    assert "did you mean" in ask("plot", "distribution", "r1-mini", status=2).stderr
    assert "needs a space" in ask("plot", "mbr", status=2).stderr
    assert "it ends in .png, .pdf or .svg" in ask("plot", "mbr", "r1-mini", "-o", "x.gif", status=2).stderr


def test_report_hands_the_release_the_folder_and_the_spaces_on(release, tmp_path, monkeypatch):
    called = []

    def write_report(bench, out_dir, *rest, **more):
        called.append((bench.sha256, out_dir, *rest, more))
        return out_dir / "index.html"

    monkeypatch.setattr("nbzero.pages.report.write_report", write_report)
    done = answer(
        "--release",
        release,
        "report",
        "--out",
        tmp_path,
        "--spaces",
        "r1-mini,mb-mini",
        "--split",
        "test",
        "--resamples",
        "0",
    )
    assert called == [(Bench(release).sha256, tmp_path, ["r1-mini", "mb-mini"], "test", {"resamples": 0})]
    assert done["rows"] == [{"file": str(tmp_path / "index.html")}]


def test_export_of_all_seeds_and_of_several_spaces(release, bench, tmp_path):
    args = ("--release", release, "export", "r1-mini", "mb-mini", *SHORT, "--columns", "arch,val_acc,curve")
    view = bench.table(
        ["r1-mini", "mb-mini"], ["arch", "val_acc", "curve"], "cifar10", "cpu-16px-4", seed="all"
    )
    done = ask(*args, "--seed", "all", "-o", tmp_path / "x.parquet")
    assert "r1-mini + mb-mini, cifar10, cpu-16px-4, seed all, N = 90, release 0.2.0" in done.stderr
    assert all(note in done.stderr for note in view.notes) and len(view.notes) == 2
    assert pq.read_table(tmp_path / "x.parquet").equals(view.to_arrow())
    assert answer(*args, "--seed", "all")["rows"] == view.to_arrow().to_pylist()
    for got, row in zip(read_csv(ask(*args, "--seed", "all").stdout), view, strict=True):
        assert (got["space"], int(got["seed"])) == (row["space"], row["seed"])
        assert json.loads(got["curve"]) == row["curve"]
    one = read_csv(ask(*args).stdout)
    assert (
        len(one) == 2000 and "seed" not in one[0] and {row["space"] for row in one} == {"r1-mini", "mb-mini"}
    )
    for more, status, said in (
        (("--seed", "all", "--where", "seed > 8"), 1, "no row of r1-mini, mb-mini meets 'seed > 8'; widen"),
        (("--where", "val_acc > 1"), 1, "no row of r1-mini, mb-mini meets 'val_acc > 1'"),
        (("--seed", "5"), 1, "no arch of r1-mini, mb-mini has runs or scores with seed 5 on cifar10"),
        (("--seed", "every"), 2, "'every'; it is a whole number from 0, or mean"),
        (("--where", "curve > 1"), 2, "is a list of numbers in each row"),
    ):
        assert said in ask(*args, *more, status=status).stderr, more
