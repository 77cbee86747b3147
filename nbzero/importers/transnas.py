"""TransNAS-Bench-101: each of its seven tasks is a data set, with a metric of its own and up to four proxies.

The file's tuples become the authors' strings: (1, 2, 3, 4, 0, 0) is 64-1234-basic.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbzero.errors import ReleaseError, UsageError, quoted
from nbzero.importers.source import (
    Floats,
    Importer,
    Rows,
    Source,
    archs_rows,
    checked_archs,
    column,
    decimals,
    fractions_of,
    numbers,
    runs_rows,
    scores_rows,
)
from nbzero.importers.suite_zero import Suite, suite_zero
from nbzero.importers.transnas_file import Tasks, official_transnas
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "transnasbench101"
ACCURACY = "val_accuracy"
PROXIES = ("zen", "synflow", "epe_nas", "fisher")
# The tasks: their metric, and whether the source gives it in percent.
TASKS = {
    "autoencoder": ("ssim", False),
    "class_object": ("accuracy", True),
    "class_scene": ("accuracy", True),
    "jigsaw": ("accuracy", True),
    "normal": ("ssim", False),
    "room_layout": ("negative loss", False),
    "segmentsemantic": ("pixel accuracy", True),
}
OFFICIAL_METRICS = {"ssim": "ssim", "accuracy": "top1", "negative loss": "neg_loss", "pixel accuracy": "acc"}

NASLIB = Source(
    "automl/NASLib",
    "7a5496e2, eba9f980, 621f9d64, 3a28c7f1, a6d6be92, cd3c5096, 03e66446, 8ce835c8",
    "zips of TransNAS-Bench-101 results and zero-cost scores",
    "Apache-2.0",
    "val metric of the last epoch; zen, synflow (its logarithm), epe_nas, fisher",
)


def transnas_rows(space: str, files: Mapping[str, pa.Table]) -> Rows:
    """Rows of one of the two spaces of TransNAS-Bench-101; errors as `tables_of`."""
    tables = _by_task(space, files[TABLE])
    rows: Rows = {}
    archs: list[str] = []
    for task, (metric, in_percent) in TASKS.items():
        where = f"{TABLE}: {task}"
        named = [_named(space, text, where) for text in tables[task].column("arch").to_pylist()]
        checked_archs(named, space, where)
        order = sorted(range(len(named)), key=named.__getitem__)
        named.sort()
        if archs and named != archs:
            raise ReleaseError(f"{where} has other archs of {space} than {next(iter(TASKS))}")
        archs = named
        table = tables[task].take(order)
        val = _val_of(table, in_percent, where)
        rows["runs", space, task] = runs_rows("transnas", val, None, metric=metric)
        scores = {}
        for proxy in PROXIES:
            values = numbers(table, proxy)
            if not np.isnan(values).all():
                scores[proxy] = values
        rows["scores", space, task] = scores_rows(space, scores)
    return {("archs", space, None): archs_rows(space, archs), **rows}


def _by_task(space: str, whole: pa.Table) -> dict[str, pa.Table]:
    """The rows of a space by task; ReleaseError unless there are all tasks and no other."""
    import pyarrow.compute as pc

    of_space = whole.filter(pc.equal(whole.column("space"), space.removeprefix("transnas-")))
    tasks = sorted(map(str, set(of_space.column("task").to_pylist())))
    if tasks != sorted(TASKS):
        listed = ", ".join(tasks)[:500] or "none"
        raise ReleaseError(
            f"{TABLE}: its tasks of {space} are {listed}; the whole table has {', '.join(sorted(TASKS))}"
        )
    return {task: of_space.filter(pc.equal(of_space.column("task"), task)) for task in tasks}


def _val_of(table: pa.Table, in_percent: bool, where: str) -> Floats:
    if in_percent:
        return fractions_of(table, ACCURACY, where)
    return decimals(column(table, ACCURACY, where))


def named_by_naslib(space: str, values: Sequence[int]) -> str:
    """The authors' string of NASLib's numbers; an error for numbers of no arch.

    Those of a network of fewer modules are fewer, or padded with 0.
    """
    definition = IMPORTED[space]
    named = definition.text(values)
    if list(definition.parse(named))[: len(values)] != list(values):
        raise UsageError(f"{list(values)} has a 0 before its last module")
    return named


def _named(space: str, text: str, where: str) -> str:
    try:
        named = named_by_naslib(space, [int(part) for part in text.strip("()").split(",")])
    except (ValueError, IndexError, AttributeError) as error:
        raise ReleaseError(
            f"{where}: {quoted(text)} is no arch of {space}; it is a tuple like (1, 2, 3, 4, 1, 1)"
        ) from error
    return named


def _importer(space: str) -> Importer:
    _, kind = space.split("-")
    suite = Suite(
        space,
        f"zc_transbench101_{kind}.json",
        {task: (task, metric, in_percent) for task, (metric, in_percent) in TASKS.items()},
        functools.partial(named_by_naslib, space),
    )
    metrics = {}
    for task, (metric, in_percent) in TASKS.items():
        metrics[task] = (metric, in_percent, OFFICIAL_METRICS[metric])
    tasks = Tasks(space, kind, metrics)
    return Importer(
        space=space,
        sources={"archs": (NASLIB,), "runs": (NASLIB,), "scores": (NASLIB,)},
        files={
            TABLE: {
                **dict.fromkeys(("space", "task", "arch"), "text"),
                **dict.fromkeys((ACCURACY, *PROXIES), "number"),
            }
        },
        rows=functools.partial(transnas_rows, space),
        runs="transnas (val only)",
        official=(
            official_transnas(tasks, "torch"),
            official_transnas(tasks, "json"),
            suite_zero(suite, gives_archs=True),
        ),
    )


TRANSNAS_MACRO = _importer("transnas-macro")
TRANSNAS_MICRO = _importer("transnas-micro")
