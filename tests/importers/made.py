"""Made sources with the real columns: a few archs of each imported space. No test itself.

The definitions have to be told to expect that many: `few_expected`, or the fixture `few_archs`.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from builders.import_bench import main
from nbzero import Bench
from nbzero.importers.flexibert import GLUE
from nbzero.importers.transnas import TASKS
from nbzero.release.verify import verify
from nbzero.spaces.published import IMPORTED

Row = dict[str, Any]
NB201_NAMES = ("cifar10", "cifar100", "ImageNet16-120")
NUM = 20  # archs of a made source
BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


@contextlib.contextmanager
def few_expected() -> Iterator[None]:
    """Meanwhile the definitions of imported spaces expect as many archs as made sources have."""
    whole = dict(IMPORTED)
    for name, definition in whole.items():
        IMPORTED[name] = dataclasses.replace(definition, num_members=NUM)
    try:
        yield
    finally:
        IMPORTED.update(whole)


def some(name: str) -> list[str]:
    """The first NUM archs of a space's grid in a shuffled order."""
    definition = IMPORTED[name]
    grid = itertools.product(
        *(
            range(max(choice.low, name in ("transnas-macro", "flexibert")), len(choice.options))
            for choice in definition.choices
        )
    )
    archs = [definition.text(values) for values in itertools.islice(grid, 0, 37 * NUM, 37)]
    return [archs[i] for i in np.random.default_rng(0).permutation(NUM)]


def made_nb201() -> dict[str, list[Row]]:
    rng = np.random.default_rng(1)
    rows, proxies = [], []
    for index, arch in enumerate(some("nb201")):
        row: Row = {
            "arch_index": index,
            "arch": arch,
            "iso_class": index // 2,
            "params_m": IMPORTED["nb201"].costs(IMPORTED["nb201"].parse(arch))["params"] / 1e6,
        }
        for epochs, split, name in itertools.product((200, 12), ("test", "val"), NB201_NAMES):
            row[f"{split}{epochs}_{name}"] = round(float(rng.uniform(10, 90)), 2)
        row["test200_cifar10_seeds"] = [round(float(rng.uniform(10, 90)), 2) for _ in range(1 + index % 3)]
        rows.append(row)
        proxy: Row = {"arch_index": index, "nregions_cifar10": 3.5}
        for name in NB201_NAMES:
            proxy |= {
                f"synflow_{name}": float(10 ** rng.uniform(0, 60)),
                f"naswot_{name}": float(rng.uniform(500, 800)),
                f"zen_{name}": float(rng.normal()),
            }
        proxies.append(proxy)
    proxies[3]["naswot_cifar10"], proxies[4]["zen_cifar10"] = -np.inf, -1e8
    return {"nasbench201": rows[::-1], "nasbench201_proxies": proxies}


def made_nbmacro() -> dict[str, list[Row]]:
    rng = np.random.default_rng(2)
    rows = []
    for arch in some("nbmacro"):
        runs = [round(float(rng.uniform(40, 93)), 2) for _ in range(3)]
        costs = IMPORTED["nbmacro"].costs(IMPORTED["nbmacro"].parse(arch))
        row = {
            "arch": arch,
            "mean_acc": sum(runs) / 3,
            "std": 0.1,
            "params": costs["params"],
            "flops": costs["macs"],
        }
        rows.append(row | {f"test_acc_{seed}": run for seed, run in enumerate(runs)})
    return {"nasbench_macro": rows}


def made_transnas() -> dict[str, list[Row]]:
    rng = np.random.default_rng(3)
    rows = []
    for space, (task, (metric, percent)) in itertools.product(("macro", "micro"), TASKS.items()):
        for number, arch in enumerate(some(f"transnas-{space}")):
            value = (
                float(rng.uniform(20, 90))
                if percent
                else -float(rng.uniform(0.5, 2))
                if metric == "negative loss"
                else float(rng.uniform(0, 0.7))
            )
            scores: Row = (
                dict.fromkeys(("synflow", "epe_nas", "fisher"))
                if metric == "ssim"
                else {"synflow": 60.5, "epe_nas": 3.0, "fisher": None}
            )
            if not number:
                scores["fisher"] = 0.25
            tuple_of = str(
                tuple(
                    value for value in IMPORTED[f"transnas-{space}"].parse(arch) if value or space == "micro"
                )
            )
            rows.append(
                {
                    "space": space,
                    "task": task,
                    "arch": tuple_of,
                    "val_accuracy": value,
                    "zen": -1e8 if number == 1 else 5.0,
                }
                | scores
            )
    return {"transnasbench101": rows}


def made_darts() -> dict[str, list[Row]]:
    rng = np.random.default_rng(4)
    return {
        "darts_swap1000": [
            {"genotype": arch, "cifar10_acc": round(float(rng.uniform(10, 87)), 2)} for arch in some("darts")
        ]
    }


def made_flexibert() -> dict[str, list[Row]]:
    """NUM encoders, the first two of them again at the end."""
    rng = np.random.default_rng(5)
    rows = []
    for number, arch in enumerate([*some("flexibert"), *some("flexibert")[:2]]):
        scores = {task: round(float(rng.uniform(-3 if task == "cola" else 20, 90)), 2) for task in GLUE}
        layers = []
        for layer in arch.split("-")[2:]:
            operation, parameter, heads, stacks = layer.split(".")
            width, times = stacks[1:].split("x")
            layers.append(
                {
                    "operation": operation,
                    "parameter": parameter,
                    "heads": int(heads[1:]),
                    "ff_dim": int(width),
                    "num_ff": int(times),
                }
            )
        row: Row = {
            "id": number,
            "hidden_size": int(arch.split("-")[1][1:]),
            "layers": layers,
            "train_time_s": 1.5,
        }
        rows.append(row | scores | {"glue": sum(scores.values()) / 8})
    return {"flexibert500": rows[::-1]}


MADE = {
    "darts": made_darts,
    "flexibert": made_flexibert,
    "nb201": made_nb201,
    "nbmacro": made_nbmacro,
    "transnas-macro": made_transnas,
    "transnas-micro": made_transnas,
}


def write(folder: Path, files: dict[str, list[Row]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def run(name: str, source: Path, out: Path, *more: str) -> int:
    """Import, without scores of ours unless they are named."""
    scores = [] if "--scores" in more else ["--scores", "none"]
    return main([name, "--source", str(source), "--out", str(out), *scores, *more])


def imported(tmp_path: Path, name: str) -> Bench:
    assert run(name, write(tmp_path / "source", MADE[name]()), tmp_path / "out") == 0
    verify(str(tmp_path / "out"))
    return Bench(tmp_path / "out")


def change(files: dict[str, list[Row]], file: str, row: int, **values: Any) -> None:
    files[file][row] |= values


def drop(files: dict[str, list[Row]], file: str, column: str) -> None:
    for row in files[file]:
        del row[column]


def spearman(x: Any, y: Any) -> float:
    """Spearman's rho, NaN the lowest."""
    from scipy import stats

    return float(stats.spearmanr(np.where(np.isnan(x), -np.inf, x), y).statistic)
