"""DARTS: accuracies on CIFAR-10 of the 1,000 cells that SWAP's authors trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nbzero.importers.source import (
    Importer,
    Kind,
    Rows,
    Source,
    archs_rows,
    checked_archs,
    fractions_of,
    runs_rows,
)
from nbzero.importers.table_file import Columns, TableFile, csv_rows, official_table

if TYPE_CHECKING:
    import pyarrow as pa

SPACE = "darts"
TABLE = "darts_swap1000"

SWAP = Source(
    "pym1024/SWAP_Universal",
    "13b65704296e941cd8bf9a5c4d82f329fb472c21",
    "datasets/DARTS_archs_CIFAR10.csv",
    "AFL-3.0",
    "accuracies after 200 epochs, which its code calls valid_acc; "
    "in all, the normal and the reduction cell are the same",
)


def darts_rows(files: Mapping[str, pa.Table]) -> Rows:
    """Rows of the 1,000 DARTS cells; errors as `tables_of`."""
    table = files[TABLE].sort_by("genotype")
    archs = table.column("genotype").to_pylist()
    checked_archs(archs, SPACE, TABLE)
    # float32 products of count / 10,000 and 100, some one unit off the nearest: 10.219999 is 10.22
    val = np.round(fractions_of(table, "cifar10_acc", TABLE), 6)
    return {
        ("archs", SPACE, None): archs_rows(SPACE, archs),
        ("runs", SPACE, "cifar10"): runs_rows("darts-200", val, None),
    }


COLUMNS: dict[str, Kind] = {"genotype": "text", "cifar10_acc": "number"}


def _columns(data: bytes) -> Columns:
    """Lines of a genotype and its accuracy, without a header."""
    rows = csv_rows(data, num_fields=2)
    return {
        "genotype": [genotype for genotype, _ in rows],
        "cifar10_acc": [float(accuracy) for _, accuracy in rows],
    }


OFFICIAL = official_table(
    TableFile("DARTS_archs_CIFAR10.csv", TABLE, COLUMNS, _columns, darts_rows),
    SWAP,
    form="csv",
    citation="Peng et al., SWAP-NAS, ICLR 2024, arXiv:2403.04161",
    becomes="runs darts-200, val on cifar10",
)
DARTS = Importer(
    space=SPACE,
    sources={"archs": (SWAP,), "runs": (SWAP,)},
    files={TABLE: COLUMNS},
    rows=darts_rows,
    runs="darts-200 (val only)",
    official=(OFFICIAL,),
)
