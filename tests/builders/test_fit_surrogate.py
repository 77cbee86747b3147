"""Fitting surrogates: what is fitted, on which runs, and that a release has the whole of it or nothing."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from builders import fit_surrogate, merge_shards, verify as verify_job
from builders.fit_surrogate import fitted, trained_of
from builders.work.commit import commit_release
from nbzero import Bench, NothingFoundError, ReleaseError
from nbzero.release.manifest import Release
from nbzero.release.verify import verify
from nbzero.spaces.macro import Arch
from tests.conftest import as_tables, diverged_row, run_row
from tests.disk import contents, fill_disk

Row = dict[str, Any]
RUNS = ("runs", "r1-mini", "cifar10")
NOISE = 0.004
NUM = 26  # networks with a run that finished


def truth(arch_id: int) -> float:
    """A smooth accuracy of a network of r1-mini."""
    arch = Arch.parse(ARCHS[arch_id])
    return 0.2 + 0.02 * np.log(arch.macs) + 0.004 * arch.depth


def run_of(arch_id: int, seed: int = 0) -> Row:
    noise = NOISE * np.random.default_rng([arch_id, seed]).normal()
    return run_row(arch_id, seed=seed, val_acc=truth(arch_id) + noise)


ARCHS = Release.open().table("archs/r1-mini.parquet").column("arch").to_pylist()
ROWS = [
    *(run_of(arch_id) for arch_id in range(NUM)),
    *(run_of(arch_id, 1) for arch_id in range(12)),
    diverged_row(NUM),
    *(run_row(arch_id, "cpu-16px-12") for arch_id in range(5)),
]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """Of a forest a tenth: ten of them are most of a fit of so few runs."""
    whole = fit_surrogate.RIVALS["forest"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fit_surrogate.RIVALS, "forest", lambda: whole().set_params(n_estimators=50))
        yield


@pytest.fixture(scope="module")
def runs_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of r1-mini with runs, not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "release"
    commit_release(folder, as_tables({RUNS: ROWS}, ["r1-mini"]), "0.2.0")
    return folder


@pytest.fixture(scope="module")
def predicted(runs_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with what was fitted on them, not to be changed."""
    folder = tmp_path_factory.mktemp("fitted") / "release"
    assert fit_surrogate.main(["--release", str(runs_alone), "--out", str(folder)]) == 0
    return folder


def test_every_member_is_predicted_from_all_runs(predicted: Path) -> None:
    bench = Bench(predicted)
    assert bench.version == "0.2.0+yours.1"
    surrogate = bench.surrogate("r1-mini", "cifar10", "cpu-16px-4")
    assert (surrogate.num_archs, surrogate.num_runs, surrogate.version) == (NUM, NUM + 12, "0.2.0")
    table = bench.arrow("predictions", "r1-mini", "cifar10").to_pandas()
    assert table.arch.tolist() == ARCHS and set(table.recipe) == {"cpu-16px-4"}
    wanted = np.array([truth(arch_id) for arch_id in range(len(ARCHS))])
    assert np.sqrt(np.mean((table["mean"] - wanted) ** 2)) < 2 * NOISE
    assert np.mean(np.abs(table["mean"] - wanted) < 1.96 * table.sd_mean) > 0.8
    assert 0.5 * NOISE < surrogate.process.kernel.sd_noise < 2 * NOISE
    rows = bench.arrow("surrogates", "r1-mini", "cifar10").to_pandas()
    assert rows.num_seeds.tolist() == [2] * 12 + [1] * (NUM - 12)
    assert rows.val_acc[0] == np.mean([run_of(0)["val_acc"], run_of(0, 1)["val_acc"]])
    assert set(rows.fold) == set(range(10))


def test_what_was_left_out_was_not_seen(runs_alone: Path, predicted: Path) -> None:
    """What a process says that was fitted on the other folds, and no better than it should be."""
    opened = Bench(runs_alone).release.space("r1-mini")
    trained = trained_of(opened, "cifar10", "cpu-16px-4")
    rows = Bench(predicted).arrow("surrogates", "r1-mini", "cifar10").to_pandas()
    out = (rows.fold == 3).to_numpy()
    anew = fitted(trained.only(~out)).predict(trained.archs[out])
    np.testing.assert_allclose(rows.unseen_mean[out], anew.mean, atol=1e-3)
    assert (rows.unseen_sd_mean > 0).all() and (rows.unseen_sd_run > rows.unseen_sd_mean).all()
    seen = np.abs(rows.val_acc - Bench(predicted).surrogate(*RUNS[1:], "cpu-16px-4").predict(rows.arch).mean)
    assert seen.mean() < np.abs(rows.val_acc - rows.unseen_mean).mean()
    for rival in ("ridge", "forest", "xgboost"):
        assert np.corrcoef(rows[f"unseen_{rival}"], rows.val_acc)[0, 1] > 0.3


def test_one_run_each_leaves_no_part_of_a_network_s_own(runs_alone: Path) -> None:
    trained = trained_of(Bench(runs_alone).release.space("r1-mini"), "cifar10", "cpu-16px-4")
    first = trained._replace(runs=trained.runs[:1])
    kernel = fitted(first).kernel
    assert kernel.sd_arch == 0 and kernel.sd_noise > 0
    assert fitted(first).kernel == kernel  # the same each time


@pytest.fixture
def rough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of fewer folds from one start: a tenth of the time."""
    monkeypatch.setattr(fit_surrogate, "FOLDS", 2)
    monkeypatch.setattr(fit_surrogate, "STARTS", 0)


@pytest.mark.usefixtures("rough")
def test_in_place_a_plain_release_goes_on_and_again_is_the_same(runs_alone: Path, tmp_path: Path) -> None:
    """Runs keep every byte but that of their version; of the same runs all is the same, to the byte."""
    folder = tmp_path / "plain"
    shutil.copytree(runs_alone, folder)
    assert fit_surrogate.main(["--release", str(folder), "--out", str(folder)]) == 0
    old, new = Release.open(runs_alone), Release.open(folder)
    assert new.manifest.data_version == "0.3.0" and verify(str(folder))
    for name in ("archs/r1-mini.parquet", "runs/r1-mini/cifar10.parquet"):
        assert new.table(name).equals(old.table(name))
    before = contents(folder)
    assert fit_surrogate.main(["--release", str(folder), "--out", str(folder)]) == 0
    assert contents(folder) == before


@pytest.mark.usefixtures("rough")
def test_a_full_disk_leaves_the_old_release(
    runs_alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs_alone, tmp_path / "full")
    before = contents(tmp_path / "full")
    fill_disk(monkeypatch, after=1)
    assert fit_surrogate.main(["--release", str(tmp_path / "full"), "--out", str(tmp_path / "full")]) == 2
    assert "error: " in capsys.readouterr().err
    assert contents(tmp_path / "full") == before


def test_too_few_runs(small: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """19 networks, one of them with two runs, are too few."""
    rows = [*(run_of(arch_id) for arch_id in range(19)), run_of(0, 1), diverged_row(19)]
    folder = small("few", rows)
    assert fit_surrogate.main(["--release", str(folder), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert "20 runs of 19 networks, fewer than 20: none fitted" in said.out
    assert "has no recipe with runs of 20 networks" in said.err
    assert not (tmp_path / "out").exists()
    with pytest.raises(NothingFoundError, match="20 runs of 19 networks, and a surrogate needs runs of 20"):
        Bench(folder).surrogate("r1-mini", "cifar10")


def test_merging_runs_keeps_predictions_and_says_so(
    predicted: Path, small: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = small("more", [run_of(arch_id) for arch_id in range(40, 44)], "0.2.0")
    given = [str(more), "--base", str(predicted), "--out", str(tmp_path / "merged")]
    assert merge_shards.main(given) == 0
    said = capsys.readouterr().out
    assert "predictions of r1-mini on cifar10 with cpu-16px-4 are of 38 runs of data 0.2.0" in said
    assert "there are 42 runs of 30 networks now; fit them again" in said
    bench = Bench(tmp_path / "merged")
    assert bench.surrogate("r1-mini", "cifar10", "cpu-16px-4").num_runs == 38
    assert verify(str(tmp_path / "merged"))
    assert verify_job.main([str(tmp_path / "merged")]) == 0
    assert "are of 38 runs of data 0.2.0" in capsys.readouterr().out


def test_predictions_of_a_source_are_left_out(
    predicted: Path, runs_alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(predicted), "--base", str(runs_alone), "--out", str(tmp_path / "merged")]
    assert merge_shards.main(given) == 0
    assert "with cpu-16px-4 has 38 runs of 26 networks and no predictions yet" in capsys.readouterr().out
    assert not Bench(tmp_path / "merged").release.space("r1-mini").groups("predictions/cifar10")


def test_a_shard_of_predictions_is_refused(
    predicted: Path, runs_alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shards").mkdir()
    name = "predictions/r1-mini/cifar10.parquet"
    shutil.copyfile(predicted / name, tmp_path / "shards" / "a.parquet")
    given = [str(tmp_path / "shards"), "--base", str(runs_alone), "--out", str(tmp_path / "out")]
    assert merge_shards.main(given) == 2
    assert "error: " in capsys.readouterr().err and not (tmp_path / "out").exists()


def changed(table: pa.Table, name: str, row: int, value: Any) -> pa.Table:
    values = table.column(name).to_pylist()
    values[row] = value
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))


@pytest.mark.parametrize(
    "kind, name, value, said",
    [
        ("predictions", "mean", 0.9, "mean of r1-mini-.* off"),
        ("predictions", "sd_run", 0.5, "sd_run of r1-mini-.* off"),
        ("predictions", "num_runs", 7, "num_runs is not that of its surrogate"),
        ("predictions", "space", "r1", "space is 'r1' in row 3, by its path it is"),
        ("predictions", "arch", ARCHS[9], "arch is .* in row 3, by the archs table it is"),
        ("surrogates", "val_acc", 0.9, "val_acc of arch_id 3 is 0.9, its runs have a mean of"),
        ("surrogates", "num_seeds", 4, "its rows have"),
        ("surrogates", "sd_noise", 0.5, "several values of sd_noise"),
        ("surrogates", "unseen_mean", 3.0, "unseen_mean: 3.0 outside"),
    ],
)
def test_verify_finds_what_was_not_fitted(
    predicted: Path, tmp_path: Path, kind: Any, name: str, value: Any, said: str
) -> None:
    tables = Release.open(predicted).tables()
    key = (kind, "r1-mini", "cifar10")
    wrong = changed(tables[key], name, 3, value)
    with pytest.raises(ReleaseError, match=said):
        commit_release(tmp_path / "wrong", tables | {key: wrong}, "0.4.0")
        verify(str(tmp_path / "wrong"))


def test_predictions_without_their_surrogate_are_refused(predicted: Path, tmp_path: Path) -> None:
    tables = Release.open(predicted).tables()
    del tables["surrogates", "r1-mini", "cifar10"]
    commit_release(tmp_path / "half", tables, "0.4.0")
    with pytest.raises(ReleaseError, match="predictions and surrogates go together"):
        verify(str(tmp_path / "half"))


def test_the_manifest_names_the_tables(predicted: Path) -> None:
    files = json.loads((predicted / "manifest.json").read_text())["files"]
    assert files["predictions/r1-mini/cifar10.parquet"]["rows"] == 1000
    assert files["surrogates/r1-mini/cifar10.parquet"]["rows"] == NUM
