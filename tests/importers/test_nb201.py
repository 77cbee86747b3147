"""NAS-Bench-201: every number of a made source, what is refused, and the published numbers."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbzero import NothingFoundError, UnknownNameError
from nbzero.judge.pool import as_sample
from nbzero.release.record import ImportedRun
from nbzero.spaces.nb201 import CELL_OPERATIONS
from nbzero.spaces.published import IMPORTED
from tests.importers.made import BEST, NB201_NAMES, NUM, change, drop, imported, made_nb201, spearman

SPACE = "nb201"
NB, PROXY = "nasbench201", "nasbench201_proxies"


def test_nb201_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    b = imported(tmp_path, "nb201")
    assert (
        "left out nasbench201_proxies.nregions_cifar10: no count of linear_regions" in capsys.readouterr().out
    )
    rows = {row["arch_index"]: row for row in made_nb201()["nasbench201"]}
    proxies = made_nb201()["nasbench201_proxies"]
    assert b.datasets("nb201") == ["cifar10", "cifar100", "imagenet16-120"]
    assert b.recipes("nb201", "cifar10") == ["nb201-12", "nb201-200", "nb201-200-mean"] and b.recipes(
        "nb201", "cifar100"
    ) == [
        "nb201-12",
        "nb201-200-mean",
    ]
    for index, row in rows.items():
        r = b.query(row["arch"])
        assert r.arch_id == index
        for dataset, theirs in zip(b.datasets("nb201"), NB201_NAMES, strict=True):
            for (recipe, epochs), split in itertools.product(
                (("nb201-12", 12), ("nb201-200-mean", 200)), ("val", "test")
            ):
                assert r.accuracy(dataset, recipe, split) == pytest.approx(
                    row[f"{split}{epochs}_{theirs}"] / 100, abs=1e-12
                )
            assert {name: r.score(name, dataset) for name in ("synflow", "naswot")} == {
                n: proxies[index][f"{n}_{theirs}"] for n in ("synflow", "naswot")
            }
        seeds = row["test200_cifar10_seeds"]
        assert [r.accuracy("cifar10", "nb201-200", "test", seed) for seed in range(3)] == pytest.approx(
            [*(one / 100 for one in seeds), None, None][:3]
        )
        assert r.accuracy("cifar10", "nb201-200", "test", "mean") == pytest.approx(
            sum(seeds) / len(seeds) / 100
        )
        made = [r.run("cifar10", recipe) for recipe in ("nb201-12", "nb201-200", "nb201-200-mean")]
        assert all(
            isinstance(one, ImportedRun)
            and one.metric == "accuracy"
            and one.train_time_s is None
            and one.curve == ()
            for one in made
        )
        assert [one.averaged for one in made] == [
            "val: two runs; test: no",
            "no",
            "val: two runs; test: one to three runs",
        ]
        assert (
            r.run("cifar100", "nb201-12").averaged == "no"
            and r.run("cifar100", "nb201-200-mean").averaged == "test: one to three runs"
        )
    assert b.query(rows[3]["arch"]).score("naswot", "cifar10") == -np.inf
    odd = b.query(rows[4]["arch"])
    assert (
        odd.score("zen", "cifar10") is None
        and odd.score_reason("zen", "cifar10") == "it was not finite (the source has -1e8 in its place)"
    )
    assert (
        odd.score("snip", "cifar10") is None
        and odd.score_reason("snip", "cifar10") == "the source of nb201 gives no snip"
    )
    assert odd.accuracy("cifar10", "nb201-200") is None
    assert odd.accuracy_reason("cifar10", "nb201-200") == (
        "the source of nb201 gives no val accuracy with recipe nb201-200 on cifar10; "
        "split='test' is what there is"
    )
    scores = odd.scores("cifar10")
    assert (
        scores.protocol == "freerea-naslib"
        and scores.seconds["zen"] is None
        and list(scores.failures) == ["zen"]
    )


def test_tables_conditions_and_pools(tmp_path: Path) -> None:
    b = imported(tmp_path, "nb201")
    whole = b.table("nb201", dataset="cifar10", recipe="nb201-12")
    assert (
        whole.columns[:3] == ("arch_id", "arch", "iso_class")
        and whole.columns[-3:] == ("synflow", "naswot", "zen")
        and "snip" not in whole
    )
    assert whole.to_arrow().schema.field("edge_13").metadata[b"meaning"].startswith(b"0 none, 1 skip_connect")
    convs = b.table("nb201", where="edge_23 == 3 and params > 1e5")
    assert convs["arch"].tolist() == [
        arch for arch in b.space("nb201") if "nor_conv_3x3~2" in arch and b.query(arch).params > 1e5
    ]
    pool = b.pool("nb201", "cifar10", "nb201-12")
    assert (
        len(pool) == pool.num_members == NUM
        and set(pool.costs) == {"macs", "params"}
        and set(pool.scores) == {"synflow", "naswot", "zen"}
    )
    assert (
        list(pool.features) == [choice.column for choice in IMPORTED["nb201"].choices]
        and pool.metric == "accuracy"
    )
    assert (
        pool.protocol == "freerea-naslib"
        and np.isnan(pool.score("zen")).sum() == 1
        and pool.name.endswith("nb201-12, val, seed 0, freerea-naslib, N = 20")
    )
    assert not pool.unscored  # what its source does not give is not missing, unless it is asked for
    with pytest.raises(
        NothingFoundError,
        match=r"no arch of nb201, .* has a score of wrcor "
        r"\(the first arch: the source of nb201 gives no wrcor\)",
    ):
        b.mbr_lead("nb201", "wrcor", "macs", "cifar10", "nb201-12")
    np.testing.assert_array_equal(pool.score("params"), whole["params"])
    for sample in (as_sample(pool), b.sample("nb201", "cifar10", "nb201-12")):
        assert sample.categories == dict.fromkeys(pool.features, CELL_OPERATIONS)
    with pytest.raises(
        ValueError,
        match=r"no arch of nb201 has a val accuracy on cifar10 with recipe nb201-200; "
        r"20 archs have a test accuracy there: split='test'; ",
    ):
        b.pool("nb201", "cifar10", "nb201-200")
    assert len(b.pool("nb201", "cifar10", "nb201-200", split="test", seed=1)) == sum(
        i % 3 > 0 for i in range(NUM)
    )
    with pytest.raises(ValueError, match="needs the same seeds"):
        b.pool("nb201", "cifar10", "nb201-200", split="test", seed="mean")
    with pytest.raises(
        ValueError,
        match="runs of several recipes, which are never mixed; name one: nb201-12, nb201-200, nb201-200-mean",
    ):
        b.pool("nb201", "cifar10")
    with pytest.raises(
        UnknownNameError, match="no column named 'edge_31'; did you mean 'edge_23' or 'edge_13'"
    ):
        b.table("nb201", where="edge_31 == 3")
    with pytest.raises(UnknownNameError, match="no column named 'stem'"):
        b.table("nb201", ["stem"])


WRONG: list[tuple[Any, str]] = [
    (
        lambda f: drop(f, NB, "val200_cifar10"),
        "lacks the columns val200_cifar10; it is no nasbench201 table of nb201",
    ),
    (
        lambda f: drop(f, PROXY, "zen_cifar100"),
        "lacks the columns zen_cifar100; it is no nasbench201_proxies table of nb201",
    ),
    (lambda f: f[NB].pop(0), "nasbench201 has 19 archs of nb201, the whole table has 20"),
    (lambda f: f[NB].pop(7), "arch_index is not each of 0 to 18 once"),
    (lambda f: f[PROXY].pop(), "nasbench201_proxies: arch_index is not each of 0 to 19 once"),
    (
        lambda f: change(f, PROXY, 0, arch_index=1),
        "nasbench201_proxies: arch_index is not each of 0 to 19 once",
    ),
    (
        lambda f: change(f, NB, 0, arch=f[NB][1]["arch"], params_m=f[NB][1]["params_m"]),
        "more than once; a table has each arch once",
    ),
    (
        lambda f: change(f, NB, 19, arch="|none~0|"),
        "nasbench201: row 0: '|none~0|': an arch of nb201 (NAS-Bench-201) is like",
    ),
    (lambda f: change(f, NB, 19, arch=None), "nasbench201: row 0: None: an arch of nb201"),
    (
        lambda f: change(f, NB, 19, test12_cifar10=100.5),
        "test12_cifar10: 1 of 20 values outside [0, 100] percent, first 100.5",
    ),
    (
        lambda f: change(f, NB, 19, test200_cifar10_seeds=[-1.0]),
        "test200_cifar10_seeds: 1 of 20 values outside [0, 100] percent, first -1",
    ),
    (
        lambda f: change(f, NB, 17, test200_cifar10_seeds=[1.0, None]),
        "test200_cifar10_seeds has a null in row 2",
    ),
    (lambda f: change(f, NB, 19, val12_cifar100=None), "nasbench201: val12_cifar100 is null or NaN in row 0"),
    (lambda f: change(f, NB, 19, params_m=0.5), "has 500000 params, its definition gives"),
    (lambda f: change(f, NB, 19, iso_class=None), "iso_class: null where a value is required"),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
def test_a_wrong_file_is_refused_and_nothing_is_written(refused: Any, spoil: Any, said: str) -> None:
    assert said in refused(SPACE, spoil)


@pytest.mark.long
def test_published_numbers_of_nb201(real: Any) -> None:
    b = real("nb201")
    best = {"cifar10": 0.9437, "cifar100": 0.7351, "imagenet16-120": 0.4731}
    known = {  # Spearman with test200
        "cifar10": {"synflow": 0.769, "naswot": 0.793, "zen": 0.386, "params": 0.753},
        "cifar100": {"synflow": 0.761, "naswot": 0.808, "zen": 0.361, "params": 0.728},
        "imagenet16-120": {"synflow": 0.747, "naswot": 0.780, "zen": 0.399, "params": 0.691},
    }
    for dataset in best:
        pool = b.pool("nb201", dataset, "nb201-200-mean", split="test")
        assert len(pool) == 15_625 and round(float(pool.accuracy.max()), 4) == best[dataset]
        for proxy, rho in known[dataset].items():
            assert spearman(pool.score(proxy), pool.accuracy) == pytest.approx(rho, abs=1.1e-3), (
                dataset,
                proxy,
            )
    assert np.isneginf(pool.score("naswot")).sum() == 201 and np.isnan(pool.score("zen")).sum() == 341
    best_arch = b.query(BEST)
    assert (best_arch.arch_id, best_arch.macs, best_arch.params) == (6111, 153_272_960, 1_073_466)
    assert best_arch.accuracy("cifar10", "nb201-200-mean", "test") == pytest.approx(0.94373, abs=1e-5)
    assert len(b.space("nb201").neighbours(BEST)) == 24
    for dataset, num_test, num_val in (
        ("cifar10", 10_000, 50_000),
        ("cifar100", 5_000, 5_000),
        ("imagenet16-120", 3_000, 3_000),
    ):
        for column, count in (
            ("test_acc", num_test),
            ("val_acc", num_val),
        ):  # counts of images; val of cifar10 is a mean of two runs on 25,000
            images = b.table("nb201", [column], dataset, "nb201-12")[column] * count
            assert np.abs(images - np.round(images)).max() < 1e-3, (dataset, column)
