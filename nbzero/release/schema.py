"""Every column of every table of a release: type, unit, range, meaning. The only place where columns are named.

    archs/{space}.parquet             one row per arch, key arch_id
    runs/{space}/{dataset}.parquet    one row per training run, key arch_id, recipe, seed
    scores/{space}/{dataset}.parquet  one row per scored initialisation, key arch_id, protocol, seed

A shard holds rows of a runs or scores table with the space, the data set and the arch string beside them, so that it can be read without
knowing where it came from. An imported space has its own archs columns, and two more columns in its runs (`columns_of`). Torch-free; pyarrow is
imported where a table is made.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from nbzero.errors import ReleaseError, unknown_name
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.choices import said_options
from nbzero.spaces.macro import MAX_STAGES, Arch
from nbzero.spaces.published import IMPORTED, doubts_of

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
DATA_VERSION = "0.1.0"

DATASETS = ("cifar10", "cifar100", "imagenet16-120", "digits")
RECIPES = ("paper-360", "gpu-12", "cpu-16px-4", "cpu-16px-12")
# std-32 and std-16 are the spaces' standard ones; the others differ from them in what their ending says (`builders.score_shard` has the settings).
PROTOCOLS = tuple(
    base + ending
    for base in ("std-32", "std-16")
    for ending in ("", "-b32", "-b128", "-uniform", "-n01", "-noise")
)
PASSES = tuple(dict.fromkeys(row.timed_as for row in PROXIES.values()))  # what the scoring job times
STATUSES = ("ok", "diverged")
# What val_acc and test_acc of an imported space hold, and its range; higher is better in all.
METRICS = {
    "accuracy": (0.0, 1.0),
    "pixel accuracy": (0.0, 1.0),
    "ssim": (-1.0, 1.0),
    "negative loss": (-math.inf, 0.0),
    "glue score": (-1.0, 1.0),
}

Kind = Literal["int16", "int32", "int64", "float64", "string", "list<float64>"]
Table = Literal["archs", "runs", "scores"]
TableKey = tuple[Table, str, str | None]  # table, space, dataset


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how it is stored, its unit, the values it may take (inclusive), whether it may be null, and what it means.

    `same` is False for what may differ between two honest repetitions (times, host, device, software, commit): merging ignores it.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    nullable: bool = False
    same: bool = True
    values: tuple[str, ...] = ()


def _archs() -> tuple[Column, ...]:
    columns = [
        Column("arch_id", "int32", "", "position in the space's build order, from 0", 0),
        Column("arch", "string", "", "canonical architecture string"),
        Column("stem", "int16", "channels", "output channels of the stem convolution", 1),
    ]
    for s in range(1, MAX_STAGES + 1):
        absent = s == MAX_STAGES
        note = "; null where there is no fourth stage" if absent else ""
        columns += [
            Column(f"s{s}_in", "int16", "channels", f"input channels of stage {s}{note}", 1, nullable=absent),
            Column(
                f"s{s}_out",
                "int16",
                "channels",
                f"output channels (width) of stage {s}{note}",
                1,
                nullable=absent,
            ),
            Column(f"s{s}_depth", "int16", "blocks", f"blocks of stage {s}{note}", 1, nullable=absent),
            Column(
                f"s{s}_stride", "int16", "", f"stride of stage {s}'s first block{note}", 1, 2, nullable=absent
            ),
        ]
    return (
        *columns,
        Column(
            "macs",
            "int64",
            "multiply-adds",
            "of convolutions and linear layers, one 3x32x32 image, 100 classes",
            1,
        ),
        Column("params", "int64", "numbers", "trainable numbers with 100 classes", 1),
        Column("depth", "int16", "blocks", "blocks summed over the stages", 1),
    )


_ARCH_ID = Column("arch_id", "int32", "", "the arch, as in archs/", 0)
_PROVENANCE = (
    Column("device", "string", "", "what it ran on", same=False),
    Column("software", "string", "", "versions of what computed it", same=False),
    Column("builder_commit", "string", "", "commit of this project's code that computed it", same=False),
)

_RUNS = (
    _ARCH_ID,
    Column("recipe", "string", "", "versioned name of the training settings"),
    Column("seed", "int32", "", "of the initial weights and of the batch stream", 0),
    Column(
        "status", "string", "", "ok, or diverged: the loss or a logit stopped being finite", values=STATUSES
    ),
    Column(
        "val_acc",
        "float64",
        "fraction",
        "val accuracy after the last epoch; null where diverged",
        0,
        1,
        nullable=True,
    ),
    Column(
        "test_acc",
        "float64",
        "fraction",
        "test accuracy after the last epoch; null where diverged",
        0,
        1,
        nullable=True,
    ),
    Column(
        "train_loss",
        "float64",
        "nats",
        "mean training loss of the last epoch; null where diverged",
        0,
        nullable=True,
    ),
    Column("curve", "list<float64>", "fraction", "val accuracy after each epoch that was finished", 0, 1),
    Column("train_time_s", "float64", "s", "wall time of training and evaluation", 0, same=False),
    _PROVENANCE[0],
    Column("engine", "string", "", "how the runs were spread over the machine", same=False),
    *_PROVENANCE[1:],
)


def _scores() -> tuple[Column, ...]:
    return (
        _ARCH_ID,
        Column("protocol", "string", "", "versioned name of the scoring settings"),
        Column("seed", "int32", "", "of the initial weights, the images and the noise", 0),
        *(Column(row.name, "float64", row.unit, row.meaning, nullable=True) for row in PROXIES.values()),
        *(
            Column(
                f"{name}_s",
                "float64",
                "s",
                f"wall time of the {name} pass and the proxies it serves",
                0,
                nullable=True,
                same=False,
            )
            for name in PASSES
        ),
        Column(
            "failures",
            "string",
            "",
            "JSON object of null scores and their reasons; null where none failed",
            nullable=True,
        ),
        *_PROVENANCE,
    )


TABLES: dict[Table, tuple[Column, ...]] = {"archs": _archs(), "runs": _RUNS, "scores": _scores()}
# Columns that a table or shard written before they were named may lack: the scores, and the seconds, of proxies that were added since.
LATER: dict[Table, frozenset[str]] = {
    table: frozenset(c.name for c in columns if table == "scores" and c.nullable and c.kind == "float64")
    for table, columns in TABLES.items()
}
KEYS: dict[Table, tuple[str, ...]] = {
    "archs": ("arch_id",),
    "runs": ("arch_id", "recipe", "seed"),
    "scores": ("arch_id", "protocol", "seed"),
}


@cache
def columns_of(table: Table, space: str | None = None) -> tuple[Column, ...]:
    """The columns of a table of one space: those of TABLES, and for an imported space what it has instead."""
    if space not in IMPORTED:
        return TABLES[table]
    return {"archs": _imported_archs, "runs": _imported_runs, "scores": _imported_scores}[table](space)


def _imported_archs(space: str) -> tuple[Column, ...]:
    definition = IMPORTED[space]
    columns = [
        Column(
            "arch_id",
            "int32",
            "",
            "official index where the benchmark has one, else position in the order of the strings, from 0",
            0,
        ),
        Column("arch", "string", "", f"architecture string of {definition.title}"),
    ]
    if definition.has_classes:
        columns.append(Column("iso_class", "int32", "", "archs with the same number are one network", 0))
    for choice in definition.choices:
        absent = choice.low == 0 and choice.options[0].startswith("no ")
        meaning = said_options(choice._replace(low=int(absent or choice.low))) + (
            "; null where there is none" if absent else ""
        )
        columns.append(
            Column(
                choice.column,
                "int16",
                "",
                meaning,
                int(absent or choice.low),
                len(choice.options) - 1,
                nullable=absent,
            )
        )
    costs = {
        "macs": Column(
            "macs", "int64", "multiply-adds", f"of convolutions and linear layers, {definition.costs_of}", 1
        ),
        "params": Column("params", "int64", "numbers", f"trainable numbers, {definition.costs_of}", 1),
        "depth": Column(
            "depth",
            "int16",
            "blocks",
            "residual blocks or encoder layers, layers that are an identity left out",
            0,
        ),
    }
    return (*columns, *(costs[name] for name in definition.costs(definition.parse(definition.example))))


def _imported_scores(space: str) -> tuple[Column, ...]:
    definition = IMPORTED[space]
    columns = []
    for c in TABLES["scores"]:
        unit, meaning = definition.scores_said.get(c.name, (c.unit, c.meaning))
        doubt = doubts_of(space).get(c.name)
        columns.append(replace(c, unit=unit, meaning=f"{meaning}; DOUBTFUL: {doubt}" if doubt else meaning))
    return tuple(columns)


def _imported_runs(space: str) -> tuple[Column, ...]:
    changed = {
        "status": {"meaning": "ok: the source gives a number", "values": STATUSES[:1]},
        "seed": {"meaning": "which of the runs that the source gives, from 0; 0 where it gives one number"},
        "val_acc": {
            "unit": "",
            "meaning": "of the column metric, on the source's validation split; null where it gives none",
            "low": -math.inf,
        },
        "test_acc": {
            "unit": "",
            "meaning": "of the column metric, on the source's test split; null where it gives none",
            "low": -math.inf,
        },
        "train_loss": {"meaning": "null: not imported"},
        "curve": {"meaning": "empty: not imported"},
        "train_time_s": {"meaning": "null: not imported", "nullable": True},
    }
    columns = tuple(replace(c, **changed.get(c.name, {})) for c in _RUNS)  # type: ignore[arg-type]
    return (
        *columns,
        Column(
            "metric", "string", "", "what val_acc and test_acc are; higher is better", values=tuple(METRICS)
        ),
        Column(
            "averaged",
            "string",
            "",
            "over which runs val_acc and test_acc are means; no where each is of a single run",
        ),
    )


def column(table: Table, name: str) -> Column:
    """One column; UnknownNameError with near matches for any other name."""
    for candidate in TABLES[table]:
        if candidate.name == name:
            return candidate
    raise unknown_name(f"column of {table}", name, (c.name for c in TABLES[table]))


def path_of(table: Table, space: str, dataset: str | None = None) -> str:
    """Where a table lies in a release.

    >>> path_of("runs", "r1-mini", "cifar10")
    'runs/r1-mini/cifar10.parquet'
    """
    return f"{table}/{space}.parquet" if table == "archs" else f"{table}/{space}/{dataset}.parquet"


def parse_path(path: str) -> tuple[Table, str, str | None]:
    """The inverse of `path_of`; ReleaseError for a path that is no table's."""
    match = re.fullmatch(r"(archs)/([^/]+)\.parquet|(runs|scores)/([^/]+)/([^/]+)\.parquet", path)
    if not match:
        raise ReleaseError(
            f"{path!r} is no table of a release; tables are archs/SPACE.parquet, runs|scores/SPACE/DATASET.parquet"
        )
    archs, space, table, data_space, dataset = match.groups()
    return ("archs", space, None) if archs else (table, data_space, dataset)  # type: ignore[return-value]


def safe_path(path: str) -> str:
    """`path` itself where it stays inside the directory it is joined to; ReleaseError for absolute paths, "..", drives, backslashes."""
    parts = path.split("/")
    if (
        not path
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in path
        or ":" in path
        or "\0" in path
    ):
        raise ReleaseError(
            f"the path {path!r} does not stay inside its directory; do not use this file, fetch it anew"
        )
    return path


def arrow_schema(table: Table, space: str | None = None) -> pa.Schema:
    """The Arrow schema of a table (of an imported space, where it is named), with unit and meaning in each field's metadata and the
    schema's version in its own."""
    import pyarrow as pa

    types = {
        "int16": pa.int16(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "string": pa.string(),
        "list<float64>": pa.list_(pa.float64()),
    }
    fields = [
        pa.field(c.name, types[c.kind], nullable=c.nullable, metadata={"unit": c.unit, "meaning": c.meaning})
        for c in columns_of(table, space)
    ]
    return pa.schema(
        fields,
        metadata={
            "nbzero.table": table,
            "nbzero.schema_version": str(SCHEMA_VERSION),
            "key": " ".join(KEYS[table]),
        },
    )


def archs_row(arch_id: int, text: str) -> dict[str, Any]:
    """The row that the archs table of one of our spaces has for an arch.

    >>> archs_row(0, "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2")["s2_in"]
    12
    """
    arch = Arch.parse(text)
    row: dict[str, Any] = {"arch_id": arch_id, "arch": text, "stem": arch.stem}
    width = arch.stem
    for s in range(MAX_STAGES):
        stage = arch.stages[s] if s < len(arch.stages) else None
        values = (width, stage.width, stage.depth, stage.stride) if stage else (None,) * 4
        row |= {
            f"s{s + 1}_{name}": value
            for name, value in zip(("in", "out", "depth", "stride"), values, strict=True)
        }
        width = stage.width if stage else width
    return row | {"macs": arch.macs, "params": arch.params, "depth": arch.depth}


def imported_row(space: str, arch_id: int, text: str) -> dict[str, Any]:
    """What an arch string of an imported space fixes of its row of the archs table.

    >>> imported_row("transnas-macro", 0, "64-1234-basic")["module_4"]
    4
    """
    definition = IMPORTED[space]
    values = definition.parse(text)
    choices = {
        choice.column: value if value or not choice.options[0].startswith("no ") else None
        for choice, value in zip(definition.choices, values, strict=True)
    }
    return {"arch_id": arch_id, "arch": text} | choices | definition.costs(values)


def check_rows(table: Table, rows: Iterable[Mapping[str, Any]], where: str, space: str | None = None) -> None:
    """Raise ReleaseError unless every row has the table's columns (it may lack those of LATER) with allowed types and values; `where` names
    the file, `space` the space where it may be an imported one."""
    columns = columns_of(table, space)
    names = {c.name for c in columns}
    for number, row in enumerate(rows):
        extra, missing = sorted(row.keys() - names), sorted(names - row.keys() - LATER[table])
        if extra or missing:
            raise ReleaseError(
                f"{where}: row {number} has unknown columns {extra} and lacks {missing}; it is no {table} table of this schema"
            )
        for c in columns:
            value = row.get(c.name)
            fault = None if value is None and c.nullable else _value_fault(c, value)
            if fault:
                raise ReleaseError(f"{where}: {c.name}: {fault} in row {number}")
        if table == "runs" and space in IMPORTED:
            _check_imported_run(row, f"{where}: row {number}")
            continue
        results = [row[name] for name in ("val_acc", "test_acc", "train_loss")] if table == "runs" else []
        if any((result is None) == (row["status"] == "ok") for result in results):
            raise ReleaseError(
                f"{where}: row {number} has status {row['status']!r} but val_acc, test_acc, train_loss {results}"
            )
        if table == "scores" and row["failures"] is not None and not _are_failures(row):
            raise ReleaseError(
                f"{where}: row {number}: failures {row['failures']!r} is no JSON object of null scores and their reasons"
            )


def _check_imported_run(row: Mapping[str, Any], where: str) -> None:
    low, high = METRICS[row["metric"]]
    there = [row[name] for name in ("val_acc", "test_acc") if row[name] is not None]
    if not there or any(not low <= value <= high for value in there):
        raise ReleaseError(
            f"{where}: {row['metric']} is {there or 'null on both splits'}; one at least, in [{low:g}, {high:g}]"
        )


def _are_failures(row: Mapping[str, Any]) -> bool:
    try:
        reasons = json.loads(row["failures"])
    except ValueError:
        return False
    return isinstance(reasons, dict) and all(
        name in PROXIES and row[name] is None and isinstance(reason, str) for name, reason in reasons.items()
    )


def _value_fault(c: Column, value: Any) -> str | None:
    """What is wrong with one value of a column, in words, or None."""
    if value is None:
        return None if c.nullable else "null where a value is required"
    if c.kind == "string":
        if not isinstance(value, str):
            return f"{value!r} is no text"
        return f"{value!r} is none of {', '.join(c.values)}" if c.values and value not in c.values else None
    numbers = value if c.kind == "list<float64>" else [value]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(
            number, int if c.kind.startswith("int") else (int, float)
        ):
            return f"{number!r} is no {c.kind}"
        if math.isnan(number):
            return "NaN; what is absent is null"
        if not c.low <= number <= c.high:
            return f"{number!r} outside [{c.low:g}, {c.high:g}] {c.unit}".rstrip()
    return None
