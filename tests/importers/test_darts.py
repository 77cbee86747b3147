"""DARTS: every number of a made source, what is refused, and the published numbers."""

from pathlib import Path
from typing import Any

import pytest

from nbzero.spaces.published import IMPORTED
from tests.importers.made import change, imported, made_darts

SPACE = "darts"
DARTS = "darts_swap1000"


def test_darts_numbers(tmp_path: Path) -> None:
    b = imported(tmp_path, "darts")
    rows = {row["genotype"]: row["cifar10_acc"] for row in made_darts()["darts_swap1000"]}
    assert list(b.space("darts")) == sorted(rows) and b.recipes("darts", "cifar10") == ["darts-200"]
    for arch, accuracy in rows.items():
        assert (
            b.query(arch).accuracy("cifar10") == pytest.approx(accuracy / 100)
            and b.query(arch).accuracy("cifar10", split="test") is None
        )
    values = IMPORTED["darts"].parse(IMPORTED["darts"].example)
    assert values == (4, 0, 7, 1, 3, 0, 1, 2, 5, 1, 0, 3, 6, 4, 2, 0)
    edges = "('sep_conv_3x3', 0), ('dil_conv_5x5', 1), ('skip_connect', 0), ('max_pool_3x3', 2), "
    assert IMPORTED["darts"].example.startswith(f"Genotype(normal=[{edges}")
    pool = b.pool("darts", "cifar10")
    assert (
        not pool.costs
        and not pool.scores
        and b.correlations("darts", "cifar10")["proxy"].tolist() == ["oracle", "random"]
    )
    report = b.evaluate(dict(zip(pool.archs, pool.accuracy, strict=True)), "darts", "cifar10")
    assert "darts has none of macs, params and depth, so there is no mBR." in report.notes
    assert {row["proxy"]: row["kendall"] for row in report.metrics}["yours"] == 1.0


WRONG: list[tuple[Any, str]] = [
    (lambda f: f[DARTS].pop(), "darts_swap1000 has 19 archs of darts, the whole table has 20"),
    (
        lambda f: change(f, DARTS, 0, cifar10_acc=101.0),
        "cifar10_acc: 1 of 20 values outside [0, 100] percent, first 101",
    ),
    (
        lambda f: change(
            f,
            DARTS,
            0,
            genotype=f[DARTS][0]["genotype"].replace("reduce=[('none', 0)", "reduce=[('none', 1)"),
        ),
        "an arch of darts (DARTS) is like",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
def test_a_wrong_file_is_refused_and_nothing_is_written(refused: Any, spoil: Any, said: str) -> None:
    assert said in refused(SPACE, spoil)


def test_published_numbers_of_darts(real: Any) -> None:
    pool = real("darts").pool("darts", "cifar10")
    assert len(pool) == 1_000
    assert (pool.accuracy.min(), pool.accuracy.max()) == (0.1022, 0.8661)
    assert (pool.accuracy < 0.6).sum() == 2
