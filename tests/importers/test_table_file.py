"""Official files of one table: the same release as of the Parquet file, and what is refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from nbzero.importers import table_file
from nbzero.importers.flexibert import LAYER_KEYS
from nbzero.importers.published import IMPORTERS
from nbzero.release.manifest import Release
from tests.importers.made import MADE, Row, run, write
from tests.places import DATA


def put_macro(path: Path, rows: list[Row]) -> Path:
    held = {}
    for row in rows:
        of_arch = {name: row[name] for name in ("mean_acc", "std", "params", "flops")}
        held[row["arch"]] = {"test_acc": [row[f"test_acc_{seed}"] for seed in range(3)], **of_arch}
    path.write_text(json.dumps(held))
    return path


def put_darts(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        lines = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        lines.writerows((row["genotype"], row["cifar10_acc"]) for row in rows)
    return path


def bert_of(row: Row) -> dict[str, Any]:
    layers = []
    for layer in row["layers"]:
        theirs = {LAYER_KEYS[ours]: value for ours, value in layer.items()}
        if layer["parameter"].isdigit():
            theirs["operation_parameter"] = int(layer["parameter"])
        layers.append(theirs)
    not_scores = {"id", "layers", "hidden_size", "train_time_s"}
    scores = {name: value for name, value in row.items() if name not in not_scores}
    overrides = {"hidden_size": row["hidden_size"], "nas_config": {"encoder_layers": layers}}
    return {
        "id": row["id"],
        "completed": True,
        "time_to_train": row["train_time_s"],
        "scores": scores,
        "hparams": {"learning_rate": 5e-4, "model_hparam_overrides": overrides},
    }


def put_bert(path: Path, rows: list[Row]) -> Path:
    path.write_text(json.dumps([bert_of(row) for row in rows]))
    return path


PUT: dict[str, Callable[[Path, list[Row]], Path]] = {
    "nbmacro": put_macro,
    "darts": put_darts,
    "flexibert": put_bert,
}


def rows_of(space: str) -> list[Row]:
    (rows,) = MADE[space]().values()
    return rows


def is_same(one: Path, other: Path) -> bool:
    """Whether two releases have the same rows."""
    tables, others = Release.open(one).tables(), Release.open(other).tables()
    return tables.keys() == others.keys() and all(tables[key].equals(others[key]) for key in tables)


@pytest.mark.usefixtures("read_apart")
@pytest.mark.parametrize("space", PUT)
def test_the_authors_file_gives_what_the_parquet_file_gives(tmp_path: Path, space: str) -> None:
    official = PUT[space](tmp_path / "any name", rows_of(space))
    tables = write(tmp_path / "tables", MADE[space]())
    assert run(space, official, tmp_path / "official") == 0
    assert run(space, tables, tmp_path / "plain") == 0
    assert is_same(tmp_path / "official", tmp_path / "plain")
    for table in Release.open(tmp_path / "official").tables().values():
        assert IMPORTERS[space].official[0].name.encode() in table.schema.metadata[b"nbzero.source"]


@pytest.mark.parametrize("space", PUT)
def test_so_do_the_published_numbers(tmp_path: Path, real: Any, space: str) -> None:
    (name,) = IMPORTERS[space].files
    real(space)  # skips where there are no published tables
    rows = pq.read_table(DATA / f"{name}.parquet").to_pylist()
    assert run(space, PUT[space](tmp_path / "file", rows), tmp_path / "official") == 0
    assert run(space, DATA, tmp_path / "plain") == 0
    assert is_same(tmp_path / "official", tmp_path / "plain")


def wrong(space: str, change: Callable[[Path], Any], said: str, name: str) -> Any:
    return pytest.param(space, change, said, id=f"{space}: {name}")


def spoil_json(spoil: Callable[[Any], Any]) -> Callable[[Path], None]:
    def spoilt(path: Path) -> None:
        held = json.loads(path.read_text())
        spoil(held)
        path.write_text(json.dumps(held))

    return spoilt


def first(held: Any) -> Any:
    return next(iter(held.values()))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def twice(path: Path) -> None:
    whole = path.read_text()
    path.write_text(f"{whole[:-1]}, {whole[1:]}")


def line(text: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(path.read_text() + text)


WRONG = [
    wrong("nbmacro", cut, "cannot be read as nas-bench-macro_cifar10.json (JSONDecodeError", "cut"),
    wrong("nbmacro", twice, "a key is there twice in one object", "keys twice"),
    wrong("nbmacro", lambda path: path.write_text('{"a":' * 9999), "RecursionError", "deep"),
    wrong("nbmacro", lambda path: path.write_bytes(b'{"\xff'), "UnicodeDecodeError", "no text"),
    wrong("nbmacro", spoil_json(lambda held: held.popitem()), "has 19 archs of nbmacro", "an arch less"),
    wrong("nbmacro", spoil_json(lambda held: first(held).pop("flops")), "KeyError: 'flops'", "a key less"),
    wrong(
        "nbmacro", spoil_json(lambda held: first(held)["test_acc"].pop()), "not enough values", "two seeds"
    ),
    wrong(
        "nbmacro",
        spoil_json(lambda held: first(held).update(params="many")),
        "values of several types in a column",
        "a text for a number",
    ),
    wrong(
        "nbmacro", spoil_json(lambda held: first(held).update(mean_acc=1)), "mean_acc is not the mean", "mean"
    ),
    wrong("nbmacro", spoil_json(lambda held: first(held).update(params=2**70)), "fetch", "a huge number"),
    wrong(
        "nbmacro",
        spoil_json(lambda held: first(held).update(mean_acc=None)),
        "mean_acc is null or NaN in row",
        "null",
    ),
    wrong("darts", cut, "DARTS_archs_CIFAR10.csv (", "cut"),
    wrong("darts", line('"Genotype()",90.0,1\n'), "line 21 has 3 fields, not 2", "three fields"),
    wrong("darts", line('"Genotype()",much\n'), "could not convert string to float: 'much'", "no number"),
    wrong("darts", line('"Genotype()",nan\n'), "row 0: ", "no arch"),
    wrong("flexibert", cut, "cannot be read as BERT_benchmark.json (JSONDecodeError", "cut"),
    wrong("flexibert", lambda path: path.write_text("[1, 2]"), "TypeError", "a list of numbers"),
    wrong("flexibert", spoil_json(lambda held: held.pop(3)), "id is not each of", "an encoder less"),
    wrong(
        "flexibert",
        spoil_json(lambda held: held[0]["scores"].update(glue=1.0)),
        "glue is not the mean of the eight tasks",
        "mean",
    ),
    wrong("flexibert", lambda path: path.write_text("{}"), "which is no file of flexibert", "another form"),
    wrong("nbmacro", lambda path: path.write_text("[]"), "which is no file of nbmacro", "another form"),
]


@pytest.mark.parametrize(("space", "change", "said"), WRONG)
def test_a_wrong_file_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], space: str, change: Callable[[Path], Any], said: str
) -> None:
    path = PUT[space](tmp_path / "file", rows_of(space))
    change(path)
    assert run(space, path, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert said in told and str(path) in told and not (tmp_path / "out").exists()


def test_a_file_that_is_far_too_large_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "MAX_BYTES", 100)
    path = put_macro(tmp_path / "file", rows_of("nbmacro"))
    assert run("nbmacro", path, tmp_path / "out") == 2
    assert "has more than 100 bytes; it is no nas-bench-macro_cifar10.json" in capsys.readouterr().err
