"""FlexiBERT: every number of a made source, what is refused, and the published numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from nbzero.importers.flexibert import GLUE
from nbzero.spaces.published import IMPORTED
from tests.importers.made import NUM, change, imported, made_flexibert, some, spearman
from tests.places import DATA

SPACE = "flexibert"
BERT = "flexibert500"


def test_flexibert_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    b = imported(tmp_path, "flexibert")
    assert "left out flexibert500.train_time_s: the time of pre-training" in capsys.readouterr().out
    rows = made_flexibert()["flexibert500"][::-1]
    archs = some("flexibert")
    assert list(b.space("flexibert")) == sorted(archs) and b.datasets("flexibert") == sorted([*GLUE, "glue"])
    for number, row in enumerate(rows):
        r, seed = b.query(archs[number % NUM]), number // NUM
        for task in (*GLUE, "glue"):
            assert (
                r.accuracy(task, seed=seed) == pytest.approx(row[task] / 100)
                and r.run(task, seed=seed).metric == "glue score"
            )
        assert r.depth == len(row["layers"]) and (r.accuracy("glue", seed=1) is not None) == (
            number % NUM < 2
        )
    assert any(row["cola"] < 0 for row in rows)
    assert IMPORTED["flexibert"].parse("bert-h256-SA.WMA.h2.f1024x1-DSC.9.h4.f512x3") == (
        1,
        2,
        1,
        2,
        1,
        6,
        2,
        1,
        2,
        *[0] * 8,
    )
    assert IMPORTED["flexibert"].costs(
        IMPORTED["flexibert"].parse("bert-h128" + "-LT.DFT.h2.f512x1" * 4)
    ) == {"depth": 4}
    pool = b.pool("flexibert", "glue")
    assert pool.metric == "glue score" and set(pool.costs) == {"depth"}
    scores = dict(zip(pool.archs, pool.accuracy, strict=True))
    found = {row["proxy"]: row for row in b.evaluate(scores, "flexibert", "glue").metrics}
    assert (
        found["yours"]["mbr_union"] == 0
        and found["yours"]["kendall"] == 1
        and 0 <= b.mbr("flexibert", "depth", "glue", costs="depth") < 1
    )


WRONG: list[tuple[Any, str]] = [
    (lambda f: f[BERT].pop(), "flexibert500: id is not each of 0 to 20 once"),
    (
        lambda f: change(f, BERT, 0, glue=50.0),
        "flexibert500: glue is not the mean of the eight tasks in id 21",
    ),
    (lambda f: change(f, BERT, 0, hidden_size=64), "'bert-h64-SA.SDP"),
    (
        lambda f: change(f, BERT, 0, hidden_size=128),
        "flexibert500 has 21 archs of flexibert, the whole table has 20",
    ),
    (
        lambda f: change(f, BERT, 0, layers=[{"heads": 2}]),
        "'bert-h256-None.None.h2.fNonexNone': an arch of flexibert",
    ),
    (
        lambda f: [change(f, BERT, row, layers=[{"heads": 2}]) for row in range(22)],
        "layers [{'heads': 2}] are no list of layers with",
    ),
    (lambda f: change(f, BERT, 3, layers=None), "flexibert500: id 18: layers None are no list"),
    (
        lambda f: change(f, BERT, 0, **{task: 101.0 for task in (*GLUE, "glue")}),
        "val_acc: 1.01 outside [-inf, 1] in row 21",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
def test_a_wrong_file_is_refused_and_nothing_is_written(refused: Any, spoil: Any, said: str) -> None:
    assert said in refused(SPACE, spoil)


def test_published_numbers_of_flexibert(real: Any) -> None:
    b = real("flexibert")
    table = pq.read_table(DATA / "flexibert500.parquet").to_pylist()
    pool = b.pool("flexibert", "glue")
    assert len(pool) == 491
    assert pool.accuracy.max() == pytest.approx(0.7513) == max(row["glue"] for row in table) / 100
    assert spearman(pool.cost("depth"), pool.accuracy) == pytest.approx(0.834, abs=5e-4)
    twice = ~np.isnan(b.table("flexibert", ["runs.val_acc"], "glue", seed=1)["runs.val_acc"])
    assert twice.sum() == 9
