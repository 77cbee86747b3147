"""TransNAS-Bench-101 as its authors publish it: one dict in a file of torch, or the same dict as JSON.

{"data": {"macro" or "micro": {arch: {task: results}}}, ..}
results   {"metrics": {name: [number of an epoch, ..]}, ..}
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nbzero.errors import ReleaseError, quoted
from nbzero.importers.official import Apart, Form, Official
from nbzero.importers.pickles import load_torch
from nbzero.importers.source import (
    NOT_GIVEN,
    Floats,
    Row,
    Rows,
    archs_rows,
    checked_archs,
    decimals,
    fractions,
)
from nbzero.release.reading import open_regular, pieces

RECIPE = "transnas"
MAX_BYTES = 1 << 30  # of a file
MAX_EPOCHS = 1000
FIRST_KEYS = ("metrics_dict", "info_names", "task_list", "data")
BECOMES = (
    "runs transnas, val and test of the last epoch, train_loss where a task has it, and the curve of val "
    "where it is in percent; params, FLOPs, inference times and seconds are left out"
)
ADVICE = "fetch transnas-bench_v10141024.pth anew"


@dataclass(frozen=True, slots=True)
class Tasks:
    """What is read of a file.

    Attributes:
        kind: the space, as the file names it.
        metrics: task -> its metric here, whether that is in percent, and its name behind valid_ and test_.
    """

    space: str
    kind: str
    metrics: Mapping[str, tuple[str, bool, str]]


class OfTask(NamedTuple):
    """The metric of an arch on a task: val by epoch, test and training loss of the last; NaN for no loss."""

    val: Floats
    test: float
    train_loss: float


Found = dict[str, dict[str, OfTask]]  # by arch and task


def parsed_database(tasks: Tasks, data: bytes, name: str) -> Found:
    """What a file holds of one space. A file of torch is read here; of JSON the bytes are given.

    Raises:
        ReleaseError: what is not of the form above; it names the file and what is wrong.
    """
    if data:
        try:
            held = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ReleaseError(
                f"{name} is no JSON that can be read ({str(error)[:200]}); {ADVICE}"
            ) from error
    else:
        with open_regular(Path(name), ADVICE) as file:
            held = load_torch(file, name, ADVICE)
    of_spaces = held.get("data") if isinstance(held, dict) else None
    of_space = of_spaces.get(tasks.kind) if isinstance(of_spaces, dict) else None
    if not isinstance(of_space, dict):
        raise ReleaseError(f"{name} has no archs under 'data', '{tasks.kind}'; {ADVICE}")
    found: Found = {}
    for arch, of_arch in of_space.items():
        where = f"{name}: {quoted(arch) if isinstance(arch, str) else 'an arch'}"
        if not isinstance(arch, str) or not isinstance(of_arch, dict):
            raise ReleaseError(f"{where} has no dict of tasks; {ADVICE}")
        found[arch] = {}
        for task, (_, _, metric) in tasks.metrics.items():
            found[arch][task] = _of_task(of_arch.get(task), metric, f"{where}: {task}")
    return found


def _of_task(held: Any, metric: str, where: str) -> OfTask:
    metrics = held.get("metrics") if isinstance(held, dict) else None
    if not isinstance(metrics, dict):
        raise ReleaseError(f"{where} has no dict of metrics; {ADVICE}")
    val = _numbers(metrics, f"valid_{metric}", where)
    test = _numbers(metrics, f"test_{metric}", where)
    loss = np.nan
    if "train_loss" in metrics:
        loss = float(_numbers(metrics, "train_loss", where)[-1])
    return OfTask(val, float(test[-1]), loss)


def _numbers(metrics: dict[str, Any], name: str, where: str) -> Floats:
    held = metrics.get(name)
    if not isinstance(held, list) or not 1 <= len(held) <= MAX_EPOCHS:
        raise ReleaseError(f"{where}: {name} is no list of a number an epoch; {ADVICE}")
    if not all(type(number) in (int, float) and abs(number) < 2**63 for number in held):
        raise ReleaseError(f"{where}: {name} has what is no finite number; {ADVICE}")
    return np.array(held, np.float64)


# Rows


def read_database(tasks: Tasks, is_json: bool, path: Path, apart: Apart, archs: Sequence[str] | None) -> Rows:
    """Rows of a file; errors as `parsed_database`, and for archs that are missing or of another benchmark."""
    size = os.path.getsize(path)
    if size > MAX_BYTES:
        raise ReleaseError(f"{path} has {size:,} bytes, more than {MAX_BYTES:,}; {ADVICE}")
    data = b""
    if is_json:
        with open_regular(path, ADVICE) as file:
            data = b"".join(pieces(file, MAX_BYTES))
    found = apart(partial(parsed_database, tasks), size)(data, str(path))
    space = tasks.space
    checked_archs(list(found), space, str(path))
    named = sorted(found)
    rows: Rows = {("archs", space, None): archs_rows(space, named)}
    for task, (metric, in_percent, _) in tasks.metrics.items():
        of_task = [found[arch][task] for arch in named]
        scale: Callable[[Floats], Floats] = decimals
        if in_percent:
            scale = partial(fractions, where=f"{path}: {task}")
        val_N = scale(np.array([one.val[-1] for one in of_task]))
        test_N = scale(np.array([one.test for one in of_task]))
        of_dataset = []
        for arch_id, one in enumerate(of_task):
            curve = scale(one.val).tolist() if in_percent else []
            row = _row(arch_id, float(val_N[arch_id]), float(test_N[arch_id]), metric)
            row |= {"curve": curve, "train_loss": one.train_loss if one.train_loss >= 0 else None}
            of_dataset.append(row)
        rows["runs", space, task] = of_dataset
    return rows


def _row(arch_id: int, val: float, test: float, metric: str) -> Row:
    return {
        "arch_id": arch_id,
        "recipe": RECIPE,
        "seed": 0,
        "status": "ok",
        "val_acc": val,
        "test_acc": test,
        "train_time_s": None,
        "metric": metric,
        "averaged": "no",
        "device": NOT_GIVEN,
        "engine": NOT_GIVEN,
        "software": NOT_GIVEN,
        "builder_commit": NOT_GIVEN,
    }


def official_transnas(tasks: Tasks, form: Form) -> Official:
    """The kind of file that holds the authors' dict: their file of torch, or a JSON of it."""
    name = "transnas-bench_v10141024.pth"
    if form == "json":
        name = f"a JSON of the dict of {name}"
    return Official(
        form=form,
        name=name,
        version="v10141024",
        repository="yawen-d/TransNASBench",
        place="the Google Drive folder and VEGA, which github.com/yawen-d/TransNASBench links",
        licence="MIT",
        citation="Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871",
        becomes=BECOMES,
        read=partial(read_database, tasks, form == "json"),
        first_keys=FIRST_KEYS if form == "json" else (),
    )
