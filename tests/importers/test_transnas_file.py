"""TransNAS-Bench-101's own dict, in a file of torch and as JSON: every number, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.import_bench import main
from nbzero import Bench
from nbzero.importers.transnas import TASKS
from nbzero.importers.transnas_file import MAX_EPOCHS
from nbzero.release.verify import verify
from tests.importers.made import NUM, made_transnas, run, some
from tests.importers.made_official import write_legacy, write_zip
from tests.importers.test_nats import Runs
from tests.importers.test_suite_zero import made_transnas_suite, put

METRICS = {"ssim": "ssim", "accuracy": "top1", "negative loss": "neg_loss", "pixel accuracy": "acc"}


def made_database() -> dict[str, Any]:
    """The authors' dict, whose last val is the one of the made table."""
    rng = np.random.default_rng(20)
    data: dict[str, Any] = {"macro": {}, "micro": {}}
    for row in made_transnas()["transnasbench101"]:
        number = sum(row["task"] in of for of in data[row["space"]].values())
        arch = some(f"transnas-{row['space']}")[number]
        metric, in_percent = TASKS[row["task"]]
        scale = 0.5 if in_percent else 1.0
        last = row["val_accuracy"]
        metrics = {
            f"valid_{METRICS[metric]}": [last * scale, last * 0.99, last],
            f"test_{METRICS[metric]}": [last, last * 0.98],
            "train_loss": [2.5, float(rng.uniform(0.1, 1))],
            "time_elapsed": [1.0, 2.0],
        }
        of_task = {"encoder_str": arch, "total_epochs": 3, "model_info": {}, "metrics": metrics}
        data[row["space"]].setdefault(arch, {})[row["task"]] = of_task
    return {"metrics_dict": {}, "info_names": [], "task_list": list(TASKS), "data": data}


@pytest.mark.usefixtures("read_apart")
@pytest.mark.parametrize("kind", ["macro", "micro"])
@pytest.mark.parametrize("form", ["legacy", "zip", "json"])
def test_every_number_of_a_file(tmp_path: Path, kind: str, form: str) -> None:
    held, path, space = made_database(), tmp_path / "x", f"transnas-{kind}"
    {"legacy": write_legacy, "zip": write_zip, "json": put}[form](path, held)
    assert run(space, path, tmp_path / "out") == 0
    verify(str(tmp_path / "out"))
    b = Bench(tmp_path / "out")
    assert list(b.space(space)) == sorted(some(space)) and b.datasets(space) == sorted(TASKS)
    for arch in b.space(space):
        for task, (metric, in_percent) in TASKS.items():
            one = b.query(arch).run(task, "transnas")
            assert one is not None and one.metric == metric and one.averaged == "no"
            theirs = held["data"][kind][arch][task]["metrics"]
            scale = 100 if in_percent else 1
            assert one.val_acc == pytest.approx(theirs[f"valid_{METRICS[metric]}"][-1] / scale, rel=1e-6)
            assert one.test_acc == pytest.approx(theirs[f"test_{METRICS[metric]}"][-1] / scale, rel=1e-6)
            assert one.train_loss == theirs["train_loss"][-1] and one.train_time_s is None
            curve = [value / 100 for value in theirs[f"valid_{METRICS[metric]}"]] if in_percent else []
            assert one.curve == pytest.approx(curve, rel=1e-6)


def _of_first(change: Any) -> Any:
    def spoil(held: Any) -> None:
        of_arch = next(iter(held["data"]["micro"].values()))
        change(of_arch["jigsaw"]["metrics"], of_arch, held["data"]["micro"])

    return spoil


WRONG = [
    (lambda held: held.pop("data"), "has no archs under 'data', 'micro'"),
    (lambda held: held["data"].pop("micro"), "has no archs under 'data', 'micro'"),
    (lambda held: held["data"]["micro"].popitem(), f"has {NUM - 1} archs of transnas-micro"),
    (_of_first(lambda m, a, d: d.update(x={})), "'x': autoencoder has no dict of metrics"),
    (_of_first(lambda m, a, d: d.update({"64-1234-basic": a})), "an arch of transnas-micro"),
    (_of_first(lambda m, a, d: a.pop("jigsaw")), "jigsaw has no dict of metrics"),
    (_of_first(lambda m, a, d: m.pop("valid_top1")), "jigsaw: valid_top1 is no list of a number an epoch"),
    (_of_first(lambda m, a, d: m.update(test_top1=[])), "test_top1 is no list of a number an epoch"),
    (_of_first(lambda m, a, d: m.update(test_top1=[1.0] * (MAX_EPOCHS + 1))), "test_top1 is no list"),
    (_of_first(lambda m, a, d: m.update(test_top1=["1"])), "test_top1 has what is no finite number"),
    (_of_first(lambda m, a, d: m.update(test_top1=[float("nan")])), "test_top1 has what is no finite number"),
    (
        _of_first(lambda m, a, d: m.update(test_top1=[100.5])),
        "jigsaw: 1 of 20 values outside [0, 100] percent",
    ),
    (_of_first(lambda m, a, d: m.update(valid_top1=[-1.0, 5.0])), "1 of 2 values outside [0, 100] percent"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
@pytest.mark.parametrize("form", ["legacy", "json"])
def test_a_wrong_file_is_refused(tmp_path: Path, form: str, spoil: Any, message: str, capsys: Any) -> None:
    held, path = made_database(), tmp_path / "x"
    spoil(held)
    {"legacy": write_legacy, "json": put}[form](path, held)
    assert run("transnas-micro", path, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said and str(path) in said and len(said) < 2000
    assert not (tmp_path / "out").exists()


def test_foreign_classes_and_files_that_are_cut_off(tmp_path: Path, capsys: Any) -> None:
    path, held = tmp_path / "x", made_database()
    write_legacy(path, held | {"more": Runs(tmp_path / "ran")})
    assert run("transnas-micro", path, tmp_path / "out") == 2
    assert "its pickle has 'posix.mknod'" in capsys.readouterr().err and not (tmp_path / "ran").exists()
    put(path, held)
    path.write_bytes(path.read_bytes()[:-10])
    assert run("transnas-micro", path, tmp_path / "out") == 2
    assert "is no JSON that can be read" in capsys.readouterr().err


def test_the_kind_of_json_is_known_by_its_first_key(tmp_path: Path) -> None:
    database, suite = put(tmp_path / "a", made_database()), put(tmp_path / "b", made_transnas_suite("micro"))
    out = str(tmp_path / "out")
    assert main(["transnas-micro", "--source", str(suite), str(database), "--out", out]) == 0
    verify(out)
    assert Bench(out).recipes("transnas-micro", "jigsaw") == ["suite-zero", "transnas"]
