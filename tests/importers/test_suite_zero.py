"""NAS-Bench-Suite-Zero's files: every number of made ones, and what is refused."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.import_bench import main
from nbzero import Bench
from nbzero.importers import suite_zero
from nbzero.importers.nb201 import named_by_naslib
from nbzero.importers.suite_zero import PROXIES
from nbzero.importers.transnas import TASKS
from nbzero.release.verify import verify
from nbzero.spaces.published import IMPORTED
from tests.importers.made import made_nb201, made_transnas, run, some, write

THEIRS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
EDGES = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))


def key_of_nb201(arch: str) -> str:
    """NASLib's tuple of an arch: edges by the node that they leave, then by the one that they enter."""
    operations = {}
    for end, node in enumerate(arch.split("+"), start=2):
        for edge in node.strip("|").split("|"):
            operation, start = edge.split("~")
            operations[int(start) + 1, end] = THEIRS.index(operation)
    return str(tuple(operations[edge] for edge in EDGES))


def of_arch(number: int, val: float) -> dict[str, Any]:
    rng = np.random.default_rng([number, 3])
    held: dict[str, Any] = {"id": number}
    for proxy in (*PROXIES, "flops", "params"):
        held[proxy] = {"score": float(rng.normal()), "time": 0.5}
    return held | {"val_accuracy": val}


def made_nb201_suite() -> dict[str, Any]:
    made = {}
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        of_dataset = {}
        for number, arch in enumerate(some("nb201")[::-1]):
            of_dataset[key_of_nb201(arch)] = of_arch(number, 50.5 + number)
        made[dataset] = of_dataset
    return made


def made_transnas_suite(space: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for row in made_transnas()["transnasbench101"]:
        if row["space"] == space:
            of_task = made.setdefault(row["task"], {})
            of_task[row["arch"]] = of_arch(len(of_task), row["val_accuracy"])
    return made


def put(path: Path, held: Any) -> Path:
    path.write_text(json.dumps(held))
    return path


def test_keys_of_nb201_are_all_archs_once() -> None:
    archs = set()
    for values in itertools.product(range(5), repeat=6):
        arch = named_by_naslib(values)
        assert key_of_nb201(arch) == str(values)
        archs.add(arch)
    assert len(archs) == 15_625 and all(IMPORTED["nb201"].parse(arch) for arch in archs)


def test_scores_join_a_table(tmp_path: Path) -> None:
    tables = write(tmp_path / "tables", made_nb201())
    suite = put(tmp_path / "any.json", made_nb201_suite())
    out = tmp_path / "out"
    assert main(["nb201", "--source", str(suite), str(tables), "--out", str(out), "--scores", "none"]) == 0
    verify(str(out))
    b = Bench(out)
    held = made_nb201_suite()
    for arch in some("nb201"):
        r = b.query(arch)
        theirs = held["cifar100"][key_of_nb201(arch)]
        scores = r.scores("cifar100", "suite-zero")
        assert scores is not None and scores.seconds["zen"] is None
        for name, ours in PROXIES.items():
            assert scores.values[ours] == theirs[name]["score"]
        assert r.accuracy("cifar100", "suite-zero") == pytest.approx(theirs["val_accuracy"] / 100)
        made_run = r.run("cifar100", "suite-zero")
        assert made_run is not None and made_run.averaged == "the source does not say"
    first = b.query(("nb201", 0))
    row = made_nb201()["nasbench201_proxies"][0]
    assert first.score("naswot", "cifar10") == row["naswot_cifar10"]  # of the space's own protocol
    assert first.score("snip", "cifar10") is None
    assert first.score_reason("snip", "cifar10") == "not given by the source"


@pytest.mark.usefixtures("read_apart")
@pytest.mark.parametrize("kind", ["macro", "micro"])
def test_a_file_of_transnas_is_a_release(tmp_path: Path, kind: str) -> None:
    held = made_transnas_suite(kind)
    space = f"transnas-{kind}"
    assert run(space, put(tmp_path / "x.json", held), tmp_path / "out") == 0
    verify(str(tmp_path / "out"))
    b = Bench(tmp_path / "out")
    assert list(b.space(space)) == sorted(some(space)) and b.datasets(space) == sorted(TASKS)
    for task, (_, in_percent) in TASKS.items():
        for number, arch in enumerate(some(space)):
            (key, theirs) = list(held[task].items())[number]
            r = b.query(arch)
            scale = 100 if in_percent else 1
            val = r.accuracy(task, "suite-zero")
            assert val == pytest.approx(theirs["val_accuracy"] / scale, rel=1e-6), key
            assert r.score("fisher", task, "suite-zero") == theirs["fisher"]["score"]


def test_absent_and_infinite_scores_are_null_with_a_reason(tmp_path: Path) -> None:
    held = made_transnas_suite("micro")
    first, second, third = list(held["jigsaw"])[:3]
    held["jigsaw"][first]["zen"] = {"score": -1e8, "time": 1}
    held["jigsaw"][second]["zen"] = {"score": float("nan")}
    held["jigsaw"][third]["nwot"] = float("-inf")
    for of_task in held.values():
        for one in of_task.values():
            del one["grasp"]
    assert run("transnas-micro", put(tmp_path / "x.json", held), tmp_path / "out") == 0
    b = Bench(tmp_path / "out")
    archs = some("transnas-micro")
    reasons = [b.query(arch).score_reason("zen", "jigsaw", "suite-zero") for arch in archs[:2]]
    assert reasons == ["it was not finite (the source has -1e8 in its place)", "not given by the source"]
    assert b.query(archs[2]).score("naswot", "jigsaw", "suite-zero") == -np.inf
    assert b.query(archs[2]).score("grasp", "jigsaw", "suite-zero") is None


def _with_key(key: str) -> Any:
    def spoil(held: Any) -> None:
        of_arch = held["jigsaw"]
        of_arch[key] = of_arch.pop(next(iter(of_arch)))

    return spoil


def _with_value(name: str, value: Any) -> Any:
    def spoil(held: Any) -> None:
        next(iter(held["jigsaw"].values()))[name] = value

    return spoil


def _without_proxies(held: Any) -> None:
    for one in held["jigsaw"].values():
        for proxy in PROXIES:
            del one[proxy]


WRONG = [
    (lambda held: held.pop("jigsaw"), "and lacks jigsaw; it is no zc_transbench101_micro.json"),
    (lambda held: held.update(jigsaw=[]), "jigsaw is no object of archs"),
    (lambda held: held["jigsaw"].popitem(), "jigsaw has 19 archs of transnas-micro, the whole table has 20"),
    (_with_key("(1, 2, 3)"), "'(1, 2, 3)' is no arch of transnas-micro"),
    (_with_key("(9, 9, 9, 9, 9, 9)"), "'(9, 9, 9, 9, 9, 9)' is no arch of transnas-micro"),
    (_with_key("__import__('os')"), "is no arch of transnas-micro: a key is a tuple of numbers"),
    (_with_key("(" + "1, " * 5000 + ")"), "is no arch of transnas-micro: a key is a tuple of numbers"),
    (_with_key("(3,3,3,3,3,3)"), "jigsaw: '64-41414-3_33_333' is no arch of the table of transnas-micro"),
    (_with_value("val_accuracy", None), "val_accuracy is absent for 1 archs"),
    (
        _with_value("val_accuracy", 100.5),
        "val_accuracy: 1 of 20 values outside [0, 100] percent, first 100.5",
    ),
    (_with_value("val_accuracy", "50"), "val_accuracy is str, not a number"),
    (_with_value("zen", {"score": [1]}), "zen is list, not a number"),
    (_with_value("zen", {"score": 10**400}), "zen is int, not a number"),
    (_with_value("zen", {"score": True}), "zen is bool, not a number"),
    (_without_proxies, "jigsaw has none of the proxies epe_nas"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_a_wrong_file_is_refused(
    tmp_path: Path, spoil: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = made_transnas_suite("micro")
    spoil(held)
    path = put(tmp_path / "x.json", held)
    assert run("transnas-micro", path, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said and str(path) in said and len(said) < 3000
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"jigsaw": ', "is no JSON that can be read"),
        (b'{"a": {"(1,)": ' + b'{"a":' * 100_000, "is no JSON that can be read"),
        (b'{"jigsaw": 1, "jigsaw": 2}', "a key is there twice in one object"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is no JSON that can be read"),
        (b'{"\xff": 1}', "is no JSON that can be read"),
        (b"{}", "and lacks autoencoder"),
    ],
)
def test_what_is_no_such_json(tmp_path: Path, data: bytes, message: str, capsys: Any) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    assert run("transnas-micro", path, tmp_path / "out") == 2
    assert message in capsys.readouterr().err


def test_files_that_do_not_fit(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    suite = put(tmp_path / "x.json", made_nb201_suite())
    assert run("nb201", suite, out) == 2  # it has no official index of the archs
    assert "--source has no nasbench201 table of nb201" in capsys.readouterr().err
    assert run("transnas-micro", suite, out) == 2
    assert "has the data sets cifar10, cifar100, ImageNet16-120, and lacks" in capsys.readouterr().err
    assert run("darts", suite, out) == 2
    assert (
        "is a JSON file, which is no file of darts; official files of darts: DARTS_archs_CIFAR10.csv"
        in capsys.readouterr().err
    )
    monkeypatch.setattr(suite_zero, "MAX_BYTES", 1000)
    assert run("transnas-micro", suite, out) == 2
    assert "has more than 1,000 bytes; it is no zc_transbench101_micro.json" in capsys.readouterr().err
    assert not out.exists()
