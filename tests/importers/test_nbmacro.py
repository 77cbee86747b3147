"""NAS-Bench-Macro: every number of a made source, what is refused, and the published numbers."""

from pathlib import Path
from typing import Any

import pytest

from nbzero.spaces.nbmacro import macro_class
from nbzero.spaces.published import IMPORTED
from tests.importers.made import NUM, change, imported, made_nbmacro, spearman

SPACE = "nbmacro"
MACRO = "nasbench_macro"


def test_nbmacro_numbers(tmp_path: Path) -> None:
    b = imported(tmp_path, "nbmacro")
    rows = {row["arch"]: row for row in made_nbmacro()["nasbench_macro"]}
    assert list(b.space("nbmacro")) == sorted(rows)
    for arch, row in rows.items():
        r = b.query(arch)
        assert [r.accuracy("cifar10", split="test", seed=seed) for seed in range(3)] == pytest.approx(
            [row[f"test_acc_{seed}"] / 100 for seed in range(3)]
        )
        assert r.accuracy("cifar10", split="test", seed="mean") == pytest.approx(row["mean_acc"] / 100)
        assert (r.macs, r.params, r.depth) == (row["flops"], row["params"], 8 - arch.count("0"))
        assert (
            r.score("zen", "cifar10") is None
            and r.score_reason("zen", "cifar10") == "the release has no scores of nbmacro on cifar10"
        )
    pool = b.pool("nbmacro", "cifar10", split="test", seed="mean")
    assert (
        set(pool.costs) == {"macs", "params", "depth"}
        and not pool.scores
        and "iso_class" not in pool.features
    )
    assert pool.accuracy.tolist() == pytest.approx([rows[arch]["mean_acc"] / 100 for arch in pool.archs])
    classes = b.table("nbmacro", ["iso_class"])["iso_class"]
    of = [macro_class(IMPORTED["nbmacro"].parse(arch)) for arch in pool.archs]
    assert all((classes[i] == classes[j]) == (of[i] == of[j]) for i in range(NUM) for j in range(NUM))


WRONG: list[tuple[Any, str]] = [
    (lambda f: f[MACRO].append(f[MACRO][0]), "more than once; a table has each arch once"),
    (
        lambda f: change(f, MACRO, 0, arch="00000003"),
        "'00000003': an arch of nbmacro (NAS-Bench-Macro) is like '02012100'",
    ),
    (lambda f: change(f, MACRO, 0, flops=2 * f[MACRO][0]["flops"]), "macs, its definition gives"),
    (lambda f: change(f, MACRO, 0, mean_acc=1.0), "mean_acc is not the mean of the three accuracies in row"),
    (
        lambda f: change(f, MACRO, 0, test_acc_1=-0.5),
        "test_acc_1: 1 of 20 values outside [0, 100] percent, first -0.5",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
def test_a_wrong_file_is_refused_and_nothing_is_written(refused: Any, spoil: Any, said: str) -> None:
    assert said in refused(SPACE, spoil)


def test_published_numbers_of_nbmacro(real: Any) -> None:
    b = real("nbmacro")
    pool = b.pool("nbmacro", "cifar10", split="test", seed="mean")
    assert len(pool) == 6_561 and pool.accuracy.max() == pytest.approx(0.93127, abs=5e-6)
    at_best = {
        arch for arch, value in zip(pool.archs, pool.accuracy, strict=True) if value == pool.accuracy.max()
    }
    assert "22212220" in at_best
    assert spearman(pool.cost("macs"), pool.accuracy) == pytest.approx(0.748, abs=5e-4)
    assert spearman(pool.cost("params"), pool.accuracy) == pytest.approx(0.318, abs=5e-4)
    classes = b.table("nbmacro", ["iso_class"])["iso_class"]
    assert len(set(classes.tolist())) == 3_969
    spread = {number: set(pool.accuracy[classes == number]) for number in classes[:200]}
    assert all(len(values) == 1 for values in spread.values())  # one network, one training
