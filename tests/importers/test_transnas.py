"""TransNAS-Bench-101: every number of a made source, what is refused, what was published, what is doubted."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbzero import Bench
from nbzero.importers.transnas import TASKS
from nbzero.release.schema import METRICS
from nbzero.spaces.published import IMPORTED
from tests.importers.made import change, imported, made_transnas, some, spearman

TRANS = "transnasbench101"


@pytest.fixture(scope="module")
def published(real: Any) -> Bench:
    b: Bench = real("transnas-macro", "transnas-micro")
    return b


@pytest.mark.parametrize("space", ["macro", "micro"])
def test_transnas_numbers_and_metrics(tmp_path: Path, space: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"transnas-{space}"
    b = imported(tmp_path, name)
    assert b.datasets(name) == sorted(TASKS) and list(b.space(name)) == sorted(some(name))
    for task, (metric, percent) in TASKS.items():
        rows = [
            row for row in made_transnas()["transnasbench101"] if (row["space"], row["task"]) == (space, task)
        ]
        for row, arch in zip(rows, some(name), strict=True):
            r = b.query(arch)
            made = r.run(task)
            assert made.metric == metric and made.averaged == "no" and made.test_acc is None
            assert METRICS[metric][0] <= made.val_acc <= METRICS[metric][1]
            assert (
                r.accuracy(task)
                == made.val_acc
                == pytest.approx(row["val_accuracy"] / (100 if percent else 1), rel=1e-6)
            )
            assert (
                r.score("zen", task) == (None if row["zen"] == -1e8 else row["zen"])
                and r.score("synflow", task) == row["synflow"]
            )
            assert r.score("fisher", task) == row["fisher"] and (
                row["fisher"] or r.score_reason("fisher", task) == "not given by the source"
            )
        pool = b.pool(name, task)
        assert (
            pool.metric == metric
            and (f", val {metric}, " if metric != "accuracy" else ", val, ") in pool.name
        )
        with pytest.raises(
            ValueError,
            match=f"has a test accuracy on {task} with recipe transnas; "
            "20 archs have a val accuracy there: split='val'",
        ):
            b.pool(name, task, split="test")
    assert r.score_reason("synflow", "normal") == "the source of " + name + " gives no synflow"
    for field in (
        b.arrow("scores", name, "jigsaw").schema.field("epe_nas"),
        b.table(name, ["epe_nas"], "jigsaw").to_arrow().schema.field("epe_nas"),
    ):
        assert (
            b"DOUBTFUL: these values do not seem to belong to these archs" in field.metadata[b"meaning"]
        ) == (space == "macro")
    whole = b.arrow("scores", name, "jigsaw").schema.metadata
    assert whole.get(b"nbzero.doubtful", b"").startswith(
        b"epe_nas: these values" if space == "macro" else b""
    )
    assert (b"nbzero.doubtful" in whole) == (space == "macro")
    assert ("DOUBTFUL epe_nas of transnas-macro, imported as the source" in capsys.readouterr().out) == (
        space == "macro"
    )
    assert b"nbzero.doubtful" not in b.arrow("runs", name, "jigsaw").schema.metadata
    assert (
        b.arrow("scores", name, "jigsaw")
        .schema.field("synflow")
        .metadata[b"meaning"]
        .startswith(b"natural logarithm")
    )


WRONG: list[tuple[str, Any, str]] = [
    (
        "transnas-micro",
        lambda f: f[TRANS].pop(),
        "segmentsemantic has 19 archs of transnas-micro, the whole table has 20",
    ),
    (
        "transnas-micro",
        lambda f: change(f, TRANS, -1, arch="(1, 2, 3)"),
        "'(1, 2, 3)' is no arch of transnas-micro; it is a tuple like",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, arch="(1, 2, 3, 0, 1, 2)"),
        "'(1, 2, 3, 0, 1, 2)' is no arch of transnas-macro",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, arch="(4, 4, 4, 4, 4, 4)"),
        "class_object has other archs of transnas-macro than autoencoder",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, val_accuracy=1.5),
        "val_acc: 1.5 outside [-inf, 1] in row",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 0, val_accuracy=-1.5),
        "ssim is [-1.5]; one at least, in [-1, 1]",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 100, val_accuracy=0.5),
        "negative loss is [0.5]; one at least, in [-inf, 0]",
    ),
    (
        "transnas-macro",
        lambda f: change(f, TRANS, 30, val_accuracy=101.0),
        "class_object: val_accuracy: 1 of 20 values outside [0, 100] percent",
    ),
    (
        "transnas-macro",
        lambda f: [change(f, TRANS, row, task="jigsaw2") for row in range(20)],
        "its tasks of transnas-macro are class_object",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "said"), WRONG)
def test_a_wrong_file_is_refused_and_nothing_is_written(
    refused: Any, name: str, spoil: Any, said: str
) -> None:
    assert said in refused(name, spoil)


def test_published_numbers_of_transnas(published: Bench) -> None:
    best = {
        ("macro", "jigsaw"): 0.9702,
        ("macro", "normal"): 0.6435,
        ("micro", "class_scene"): 0.5494,
        ("micro", "jigsaw"): 0.9537,
    }
    for (space, task), value in {**best, ("micro", "autoencoder"): 0.5772}.items():
        pool = published.pool(f"transnas-{space}", task)
        assert len(pool) == {"macro": 3_256, "micro": 4_096}[space] and pool.accuracy.max() == pytest.approx(
            value, abs=5.1e-5
        ), (space, task)
    # Where no path of operations leads from the input to the output, no image is told from another: the
    # order of the edges is right.
    pool = published.pool("transnas-micro", "class_scene")
    cut = np.array([disconnected(IMPORTED["transnas-micro"].parse(arch)) for arch in pool.archs])
    assert (
        cut.sum() == 169
        and len(set(pool.accuracy[cut])) == 1
        and pool.accuracy[cut].max() < pool.accuracy[~cut].min()
    )
    np.testing.assert_array_equal(np.isnan(pool.score("zen")), cut)


def disconnected(values: tuple[int, ...]) -> bool:
    reached = {0}
    for value, (start, end) in zip(values, ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)), strict=True):
        if value and start in reached:
            reached.add(end)
    return 3 not in reached


def explained(ranks: Any, choices: Any) -> float:
    """R^2 of a linear model of the choices, one-hot."""
    columns = [(values == one).astype(float) for values in choices.T for one in np.unique(values)]
    table = np.column_stack([np.ones(len(ranks)), *columns])
    left = ranks - table @ np.linalg.lstsq(table, ranks, rcond=None)[0]
    return 1 - float(left @ left) / float(((ranks - ranks.mean()) ** 2).sum())


def test_what_is_doubted_of_transnas_macro(published: Bench) -> None:
    """The figures in `IMPORTED["transnas-macro"].doubts`."""
    stats = pytest.importorskip("scipy.stats")
    choices = np.array([IMPORTED["transnas-macro"].parse(arch) for arch in published.space("transnas-macro")])
    found: dict[str, list[float]] = {}
    for task in TASKS:
        table = published.table("transnas-macro", dataset=task)
        for proxy in ("zen", "synflow", "fisher", "epe_nas"):
            if proxy in table and not np.isnan(table[proxy]).any():
                found.setdefault(proxy, []).append(explained(stats.rankdata(table[proxy]), choices))
    assert {proxy: len(values) for proxy, values in found.items()} == {
        "zen": 7,
        "synflow": 4,
        "fisher": 2,
        "epe_nas": 4,
    }
    assert min(found["epe_nas"]) > 0.005 and max(found["epe_nas"]) < 0.085
    rest = [value for proxy in ("zen", "synflow", "fisher") for value in found[proxy]]
    assert min(rest) > 0.745 and max(rest) < 0.955
    for space, low, high in (("macro", -0.01, 0.10), ("micro", 0.525, 0.605)):
        tasks = ("class_object", "class_scene", "room_layout", *(["jigsaw"] if space == "macro" else []))
        columns = [
            published.table(f"transnas-{space}", ["scores.epe_nas"], task)["scores.epe_nas"] for task in tasks
        ]
        rhos = [
            spearman(np.nan_to_num(a, nan=-1e8), np.nan_to_num(b, nan=-1e8))
            for a, b in itertools.combinations(columns, 2)
        ]
        assert low <= min(rhos) and max(rhos) <= high, (space, rhos)
