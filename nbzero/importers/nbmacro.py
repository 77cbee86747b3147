"""NAS-Bench-Macro: test accuracies on CIFAR-10 of three seeds.

Its multiply-adds are what the source calls FLOPs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nbzero.errors import ReleaseError
from nbzero.importers.source import (
    Importer,
    Kind,
    Rows,
    Source,
    archs_rows,
    check_costs,
    checked_archs,
    column,
    fractions_of,
    runs_rows,
)
from nbzero.importers.table_file import Columns, TableFile, json_once, official_table
from nbzero.spaces.nbmacro import macro_class

if TYPE_CHECKING:
    import pyarrow as pa

SPACE = "nbmacro"
TABLE = "nasbench_macro"
ACCURACIES = ("test_acc_0", "test_acc_1", "test_acc_2")  # by seed

REPOSITORY = Source(
    "xiusu/NAS-Bench-Macro",
    "61a2bfc2ca0dce04d0997e6cf498047c27d6acf2",
    "nas-bench-macro_cifar10.json",
    "Apache-2.0",
    "test accuracies (the repository's training code keeps the best epoch's), params, multiply-adds",
)


def nbmacro_rows(files: Mapping[str, pa.Table]) -> Rows:
    """Rows of NAS-Bench-Macro; errors as `tables_of`."""
    table = files[TABLE].sort_by("arch")
    archs = table.column("arch").to_pylist()
    choices = checked_archs(archs, SPACE, TABLE)
    published = {"params": column(table, "params", TABLE), "macs": column(table, "flops", TABLE)}
    check_costs(archs, SPACE, published, TABLE)
    by_seed = [fractions_of(table, name, TABLE) for name in ACCURACIES]
    apart = np.abs(np.mean(by_seed, axis=0) - column(table, "mean_acc", TABLE) / 100)
    if apart.max() > 1e-5:
        row = int(apart.argmax())
        raise ReleaseError(
            f"{TABLE}: mean_acc is not the mean of the three accuracies in row {row} ({archs[row]})"
        )
    first: dict[str, int] = {}
    classes = [first.setdefault(macro_class(values), row) for row, values in enumerate(choices)]
    runs = []
    for seed, test in enumerate(by_seed):
        runs += runs_rows("macro-50", None, test, seed)
    return {
        ("archs", SPACE, None): archs_rows(SPACE, archs, classes),
        ("runs", SPACE, "cifar10"): runs,
    }


COLUMNS: dict[str, Kind] = {
    "arch": "text",
    **dict.fromkeys((*ACCURACIES, "mean_acc", "params", "flops"), "number"),
}


def _columns(data: bytes) -> Columns:
    """{arch: {"test_acc": [of each seed], "mean_acc": .., "std": .., "params": .., "flops": ..}}"""
    columns: Columns = {name: [] for name in COLUMNS}
    for arch, held in json_once(data).items():
        first, second, third = held["test_acc"]
        values = (arch, first, second, third, held["mean_acc"], held["params"], held["flops"])
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(value)
    return columns


OFFICIAL = official_table(
    TableFile(REPOSITORY.path, TABLE, COLUMNS, _columns, nbmacro_rows),
    REPOSITORY,
    form="json",
    citation="Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021, "
    "arXiv:2103.11922",
    becomes="runs macro-50 of each seed, test; params and FLOPs, which are multiply-adds, are checked",
)
NBMACRO = Importer(
    space=SPACE,
    sources={"archs": (REPOSITORY,), "runs": (REPOSITORY,)},
    files={TABLE: COLUMNS},
    rows=nbmacro_rows,
    runs="macro-50 (three seeds, test only)",
    left_out={
        "mean_acc": "follows from the three accuracies, against which it was checked",
        "std": "follows from the three accuracies",
    },
    official=(OFFICIAL,),
)
