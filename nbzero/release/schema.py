"""Every column of every table of a release: type, unit, range, meaning.

It is the only place where columns are named.

    archs/{space}.parquet             one row per arch, key arch_id
    runs/{space}/{dataset}.parquet    one row per training run, key arch_id, recipe, seed
    scores/{space}/{dataset}.parquet  one row per scored initialisation, key arch_id, protocol, seed

    predictions/{space}/{dataset}.parquet  one row per member, key arch_id, recipe
    surrogates/{space}/{dataset}.parquet   one row per network that a surrogate was fitted on, the same key

    latencies/{space}.parquet         one row per network timed on a machine, key arch_id, setup

Predictions and surrogates are derived from the runs by `builders.fit_surrogate`, as the index is. A
prediction is no measurement.

Rows of all but the archs say where they belong: space, arch, and data set where they are of one. So a table
or a shard can be read without knowing where it came from, and a join over files of several spaces cannot mix
them. Runs and scores made before these columns existed lack them (`nbzero.release.places`). An imported space
has its own archs columns, and two more columns in its runs (`columns_of`). pyarrow is imported where a table
is made.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from nbzero.errors import ReleaseError, quoted, unknown_name
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.choices import Choice, said_options
from nbzero.spaces.macro import MAX_STAGES, Arch
from nbzero.spaces.published import IMPORTED, doubts_of

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
DATA_VERSION = "0.1.0"

DATASETS = ("cifar10", "cifar100", "imagenet16-120", "digits")
RECIPES = ("paper-360", "gpu-12", "cpu-16px-4", "cpu-16px-12")
# Of our own spaces, what is meant where there are several and none is named: what every space has first. So
# more data never change what a call means.
STANDARD_DATASET, STANDARD_RECIPE = "cifar10", "cpu-16px-4"
# std-32 and std-16 are the spaces' standard ones. The others differ from them in what their ending says
# (`nbzero.proxies.protocol` has the settings). tokens-16x128 is of networks that read tokens.
PROTOCOLS = (
    *(
        base + ending
        for base in ("std-32", "std-16")
        for ending in ("", "-b32", "-b128", "-uniform", "-normal", "-n01", "-noise")
    ),
    "tokens-16x128",
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

NAMES = ("recipe", "protocol", "setup")  # columns whose texts obey NAME_RULE
NAME_RULE = "a name has up to 100 letters, digits and _ . + : -, the first a letter or digit"
MAX_TEXT = 100_000  # characters of any other text; failures has a reason for every proxy

Kind = Literal["int16", "int32", "int64", "float64", "string", "list<float64>"]
Table = Literal["archs", "runs", "scores", "predictions", "surrogates", "latencies"]
TableKey = tuple[Table, str, str | None]  # table, space, dataset
_BITS: dict[str, int] = {"int16": 16, "int32": 32, "int64": 64}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        kind: how it is stored.
        unit: of its numbers; "" where they have none.
        meaning: what it says.
        low, high: the numbers that it may hold, inclusive.
        nullable: whether it may be null.
        same: whether two honest repetitions agree in it. Times, devices, software and commits need not.
            Merging ignores these.
        values: the strings that it may hold; () is any.
        bounds: the numbers that it may hold, inclusive, by its range and by how it is stored.
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
    bounds: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        if self.kind in _BITS:
            half = 2 ** (_BITS[self.kind] - 1)
            low, high = max(low, -half), min(high, half - 1)
        object.__setattr__(self, "bounds", (low, high))


def _archs() -> tuple[Column, ...]:
    columns = [
        Column("arch_id", "int32", "", "position in the space's build order, from 0", 0),
        Column("arch", "string", "", "canonical architecture string"),
        Column("stem", "int16", "channels", "output channels of the stem convolution", 1),
    ]
    for number in range(1, MAX_STAGES):
        columns += _stage(number)
    for last in _stage(MAX_STAGES):
        meaning = f"{last.meaning}; null where there is no fourth stage"
        columns.append(replace(last, meaning=meaning, nullable=True))
    counted = "of convolutions and linear layers, one 3x32x32 image, 100 classes"
    return (
        *columns,
        Column("macs", "int64", "multiply-adds", counted, 1),
        Column("params", "int64", "numbers", "trainable numbers with 100 classes", 1),
        Column("depth", "int16", "blocks", "blocks summed over the stages", 1),
    )


def _stage(s: int) -> list[Column]:
    return [
        Column(f"s{s}_in", "int16", "channels", f"input channels of stage {s}", 1),
        Column(f"s{s}_out", "int16", "channels", f"output channels (width) of stage {s}", 1),
        Column(f"s{s}_depth", "int16", "blocks", f"blocks of stage {s}", 1),
        Column(f"s{s}_stride", "int16", "", f"stride of stage {s}'s first block", 1, 2),
    ]


def _accuracy(split: str) -> Column:
    meaning = f"{split} accuracy after the last epoch; null where diverged"
    return Column(f"{split}_acc", "float64", "fraction", meaning, 0, 1, nullable=True)


_ARCH_ID = Column("arch_id", "int32", "", "the arch, as in archs/", 0)
_PLACE = (
    Column("space", "string", "", "search space of the arch"),
    Column("dataset", "string", "", "data set of the images"),
    Column("arch", "string", "", "canonical architecture string, as in archs/"),
)
WHERE = tuple(column.name for column in _PLACE)  # where a row of runs or scores belongs
_PROVENANCE = (
    Column("device", "string", "", "what it ran on", same=False),
    Column("software", "string", "", "versions of what computed it", same=False),
    Column("builder_commit", "string", "", "commit of this project's code that computed it", same=False),
)

_DIVERGED = "ok, or diverged: the loss or a logit stopped being finite"
_LOSS = "mean training loss of the last epoch; null where diverged"
_CURVE = "val accuracy after each epoch that was finished"
_RUNS = (
    _ARCH_ID,
    *_PLACE,
    Column("recipe", "string", "", "versioned name of the training settings"),
    Column("seed", "int32", "", "of the initial weights and of the batch stream", 0),
    Column("status", "string", "", _DIVERGED, values=STATUSES),
    _accuracy("val"),
    _accuracy("test"),
    Column("train_loss", "float64", "nats", _LOSS, 0, nullable=True),
    Column("curve", "list<float64>", "fraction", _CURVE, 0, 1),
    Column("train_time_s", "float64", "s", "wall time of training and evaluation", 0, same=False),
    _PROVENANCE[0],
    Column("engine", "string", "", "how the runs were spread over the machine", same=False),
    *_PROVENANCE[1:],
)


def _scores() -> tuple[Column, ...]:
    columns = [
        _ARCH_ID,
        *_PLACE,
        Column("protocol", "string", "", "versioned name of the scoring settings"),
        Column("seed", "int32", "", "of the initial weights, the images and the noise", 0),
    ]
    for row in PROXIES.values():
        columns.append(Column(row.name, "float64", row.unit, row.meaning, nullable=True))
    for name in PASSES:
        meaning = f"wall time of the {name} pass and the proxies it serves"
        columns.append(Column(f"{name}_s", "float64", "s", meaning, 0, nullable=True, same=False))
    failures = "JSON object of null scores and their reasons; null where none failed"
    return (*columns, Column("failures", "string", "", failures, nullable=True), *_PROVENANCE)


_RECIPE = Column("recipe", "string", "", "of the runs that the surrogate was fitted on")
_FITTED_ON = (
    Column("num_archs", "int32", "networks", "how many networks the surrogate was fitted on", 1),
    Column("num_runs", "int32", "runs", "how many runs of them, every seed that finished", 1),
    Column("version", "string", "", "data version of the release that had these runs"),
)
_SD_RUN = "sd of the val accuracy of one training around mean: noise of a run and sd_mean together"
_PREDICTIONS = (
    _ARCH_ID,
    *_PLACE,
    _RECIPE,
    Column("mean", "float64", "fraction", "predicted val accuracy, the mean of the posterior", -1, 2),
    Column("sd_mean", "float64", "fraction", "sd of the posterior of a network's mean val accuracy", 0),
    Column("sd_run", "float64", "fraction", _SD_RUN, 0),
    *_FITTED_ON,
)
_UNSEEN = "fitted without the networks of this fold"
_SURROGATES = (
    _ARCH_ID,
    *_PLACE,
    _RECIPE,
    Column("num_seeds", "int16", "runs", "runs of this network that finished", 1),
    Column("val_acc", "float64", "fraction", "mean val accuracy of these runs", 0, 1),
    Column("centre", "float64", "fraction", "what the prior predicts for every network", 0, 1),
    Column("sd_smooth", "float64", "fraction", "prior sd of the part that is smooth in the features", 0),
    Column("length_scale", "float64", "", "of the smooth part, in features of mean 0 and sd 1", 1e-6),
    Column("sd_arch", "float64", "fraction", "sd of what a network has of its own", 0),
    Column("sd_noise", "float64", "fraction", "sd between runs of one network", 1e-9),
    Column("fold", "int16", "", "which tenth of the networks was left out with this one", 0),
    Column("unseen_mean", "float64", "fraction", f"predicted val accuracy, {_UNSEEN}", -1, 2),
    Column("unseen_sd_mean", "float64", "fraction", f"its sd_mean, {_UNSEEN}", 0),
    Column("unseen_sd_run", "float64", "fraction", f"its sd_run, {_UNSEEN}", 0),
    Column("unseen_ridge", "float64", "fraction", f"what ridge regression predicts, {_UNSEEN}"),
    Column("unseen_forest", "float64", "fraction", f"what a random forest predicts, {_UNSEEN}"),
    Column("unseen_xgboost", "float64", "fraction", f"what XGBoost predicts, {_UNSEEN}"),
    *_FITTED_ON,
)


_TOOK = "ms that one pass of a batch took"
_MS = 1e-6  # ms; no pass is as short
_LATENCIES = (
    _ARCH_ID,
    _PLACE[0],
    _PLACE[2],
    Column("setup", "string", "", "versioned name of the settings, a colon, and the machine's name"),
    Column("latency_ms", "float64", "ms", f"median of the {_TOOK}", _MS, same=False),
    Column("latency_q1_ms", "float64", "ms", f"lower quartile of the {_TOOK}", _MS, same=False),
    Column("latency_q3_ms", "float64", "ms", f"upper quartile of the {_TOOK}", _MS, same=False),
    Column("repeats", "int32", "passes", "how many were timed", 1, same=False),
    Column("warm_up", "int32", "passes", "how many went before them", 0),
    Column("reference", "string", "", "arch that was timed in turns with it, so that machines compare"),
    Column("reference_ms", "float64", "ms", f"median of the {_TOOK} of the reference", _MS, same=False),
    Column("resolution", "int16", "pixels", "of the images, squares of this side", 1),
    Column("num_classes", "int32", "classes", "of the classifier", 1),
    Column("batch_size", "int32", "images", "of a pass", 1),
    Column("threads", "int16", "threads", "that torch used on the processor", 1),
    Column("dtype", "string", "", "type of the numbers"),
    Column("memory_format", "string", "", "how images and weights lay in memory"),
    replace(_PROVENANCE[0], same=True),  # a setup is of one machine
    *_PROVENANCE[1:],
)


def _added_since() -> frozenset[str]:
    scores = {c.name for c in TABLES["scores"] if c.nullable and c.kind == "float64"}
    return frozenset(scores.union(WHERE))


TABLES: dict[Table, tuple[Column, ...]] = {
    "archs": _archs(),
    "runs": _RUNS,
    "scores": _scores(),
    "predictions": _PREDICTIONS,
    "surrogates": _SURROGATES,
    "latencies": _LATENCIES,
}
WITHOUT_DATASET: tuple[Table, ...] = ("archs", "latencies")
DERIVED: tuple[Table, ...] = ("predictions", "surrogates")  # from the runs, by builders.fit_surrogate
# Columns that a table or shard may lack which is older than their names: scores and seconds of newer proxies,
# and a table, not a shard, those of WHERE.
LATER: dict[Table, frozenset[str]] = {
    "archs": frozenset(),
    "runs": frozenset(WHERE),
    "scores": _added_since(),
    "predictions": frozenset(),
    "surrogates": frozenset(),
    "latencies": frozenset(),
}
KEYS: dict[Table, tuple[str, ...]] = {
    "archs": ("arch_id",),
    "runs": ("arch_id", "recipe", "seed"),
    "scores": ("arch_id", "protocol", "seed"),
    "predictions": ("arch_id", "recipe"),
    "surrogates": ("arch_id", "recipe"),
    "latencies": ("arch_id", "setup"),
}


@cache
def columns_of(table: Table, space: str | None = None) -> tuple[Column, ...]:
    """The columns of a table of one space.

    They are those of TABLES, and for an imported space what it has instead.
    """
    made = {"archs": _imported_archs, "runs": _imported_runs, "scores": _imported_scores}
    if space not in IMPORTED or table not in made:
        return TABLES[table]
    return made[table](space)


@cache
def where_of(table: Table) -> tuple[str, ...]:
    """Those of WHERE that a table has beside its key; none of the archs.

    >>> where_of("runs"), where_of("latencies")
    (('space', 'dataset', 'arch'), ('space', 'arch'))
    """
    if table == "archs":
        return ()
    return tuple(column.name for column in TABLES[table] if column.name in WHERE)


_ORDER = "official index where the benchmark has one, else position in the order of the strings, from 0"


def _imported_archs(space: str) -> tuple[Column, ...]:
    definition = IMPORTED[space]
    columns = [
        Column("arch_id", "int32", "", _ORDER, 0),
        Column("arch", "string", "", f"architecture string of {definition.title}"),
    ]
    if definition.class_of:
        columns.append(Column("iso_class", "int32", "", "archs with the same number are one network", 0))
    columns += [_choice_column(choice) for choice in definition.choices]
    costs = _imported_costs(definition.costs_of)
    there = definition.costs(definition.parse(definition.example))
    return (*columns, *(costs[name] for name in there))


def _choice_column(choice: Choice) -> Column:
    """The column of one choice, by the number of its option; null in place of an option "no ..."."""
    high = len(choice.options) - 1
    if not _can_be_absent(choice):
        return Column(choice.column, "int16", "", said_options(choice), choice.low, high)
    meaning = f"{said_options(choice._replace(low=1))}; null where there is none"
    return Column(choice.column, "int16", "", meaning, 1, high, nullable=True)


def _can_be_absent(choice: Choice) -> bool:
    return choice.low == 0 and choice.options[0].startswith("no ")


def _imported_costs(of: str) -> dict[str, Column]:
    """The columns of costs, of which a space has some; `of` says for which network they are counted."""
    counted = f"of convolutions and linear layers, {of}"
    blocks = "residual blocks or encoder layers, layers that are an identity left out"
    return {
        "macs": Column("macs", "int64", "multiply-adds", counted, 1),
        "params": Column("params", "int64", "numbers", f"trainable numbers, {of}", 1),
        "depth": Column("depth", "int16", "blocks", blocks, 0),
    }


def _imported_scores(space: str) -> tuple[Column, ...]:
    definition = IMPORTED[space]
    doubts = doubts_of(space)
    columns = []
    for c in TABLES["scores"]:
        unit, meaning = definition.scores_said.get(c.name, (c.unit, c.meaning))
        if c.name in doubts:
            meaning = f"{meaning}; DOUBTFUL: {doubts[c.name]}"
        columns.append(replace(c, unit=unit, meaning=meaning))
    return tuple(columns)


def _imported_runs(space: str) -> tuple[Column, ...]:
    changed: dict[str, dict[str, Any]] = {
        "status": {"meaning": "ok: the source gives a number", "values": STATUSES[:1]},
        "seed": {"meaning": "which of the runs that the source gives, from 0; 0 where it gives one number"},
        "val_acc": _imported_accuracy("validation"),
        "test_acc": _imported_accuracy("test"),
        "train_loss": {"meaning": "training loss of the last epoch; null where the source gives none"},
        "curve": {"meaning": "val_acc after each epoch; empty where the source does not give them all"},
        "train_time_s": {"meaning": "training time that the source gives; null for none", "nullable": True},
    }
    columns = [replace(c, **changed.get(c.name, {})) for c in _RUNS]
    metric = "what val_acc and test_acc are; higher is better"
    averaged = "over which runs val_acc and test_acc are means; no where each is of a single run"
    return (
        *columns,
        Column("metric", "string", "", metric, values=tuple(METRICS)),
        Column("averaged", "string", "", averaged),
    )


def _imported_accuracy(split: str) -> dict[str, Any]:
    meaning = f"of the column metric, on the source's {split} split; null where it gives none"
    return {"unit": "", "meaning": meaning, "low": -math.inf}


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
    if table in WITHOUT_DATASET:
        return f"{table}/{space}.parquet"
    return f"{table}/{space}/{dataset}.parquet"


def parse_path(path: str) -> tuple[Table, str, str | None]:
    """The inverse of `path_of`; ReleaseError for a path that is no table's."""
    bare = "|".join(WITHOUT_DATASET)
    others = "|".join(name for name in TABLES if name not in WITHOUT_DATASET)
    match = re.fullmatch(rf"({bare})/([^/]+)\.parquet|({others})/([^/]+)/([^/]+)\.parquet", path)
    if not match:
        tables = f"tables are {bare}/SPACE.parquet, {others}/SPACE/DATASET.parquet"
        raise ReleaseError(f"{path!r} is no table of a release; {tables}")
    of_space, space, table, data_space, dataset = match.groups()
    if of_space:
        return of_space, space, None  # type: ignore[return-value]
    return table, data_space, dataset  # type: ignore[return-value]


def safe_path(path: str) -> str:
    """`path` itself where it stays inside the directory it is joined to.

    Raises:
        ReleaseError: it is absolute, or has "..", a drive, a backslash.
    """
    is_strange = any(letter in path for letter in ("\\", ":", "\0"))
    if is_strange or not {"", ".", ".."}.isdisjoint(path.split("/")):
        leaves = f"the path {path!r} does not stay inside its directory"
        raise ReleaseError(f"{leaves}; do not use this file, fetch it anew")
    return path


def arrow_schema(table: Table, space: str | None = None) -> pa.Schema:
    """The Arrow schema of a table; `space` says which, where it may be an imported one.

    The metadata of each field are its unit and meaning, those of the schema its table, version and key.
    """
    import pyarrow as pa

    types = {
        "int16": pa.int16(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "string": pa.string(),
        "list<float64>": pa.list_(pa.float64()),
    }
    fields = []
    for c in columns_of(table, space):
        said = {"unit": c.unit, "meaning": c.meaning}
        fields.append(pa.field(c.name, types[c.kind], nullable=c.nullable, metadata=said))
    whole = {
        "nbzero.table": table,
        "nbzero.schema_version": str(SCHEMA_VERSION),
        "key": " ".join(KEYS[table]),
    }
    return pa.schema(fields, metadata=whole)


def archs_row(arch_id: int, text: str) -> dict[str, Any]:
    """The row that the archs table of one of our spaces has for an arch.

    >>> archs_row(0, "r1-mini-s4-d2w12s2-d1w24s1-d2w32s2-d4w48s2")["s2_in"]
    12
    """
    arch = Arch.parse(text)
    row: dict[str, Any] = {"arch_id": arch_id, "arch": text, "stem": arch.stem}
    width = arch.stem
    for number, stage in enumerate(arch.stages, 1):
        values = (width, stage.width, stage.depth, stage.stride)
        row |= _stage_values(number, values)
        width = stage.width
    for number in range(len(arch.stages) + 1, MAX_STAGES + 1):
        row |= _stage_values(number, (None,) * 4)
    return row | {"macs": arch.macs, "params": arch.params, "depth": arch.depth}


def _stage_values(number: int, values: Iterable[int | None]) -> dict[str, int | None]:
    names = [f"s{number}_{name}" for name in ("in", "out", "depth", "stride")]
    return dict(zip(names, values, strict=True))


def imported_row(space: str, arch_id: int, text: str) -> dict[str, Any]:
    """What an arch string of an imported space fixes of its row of the archs table.

    >>> imported_row("transnas-macro", 0, "64-1234-basic")["module_4"]
    4
    """
    definition = IMPORTED[space]
    values = definition.parse(text)
    row: dict[str, Any] = {"arch_id": arch_id, "arch": text}
    for choice, value in zip(definition.choices, values, strict=True):
        is_absent = value == 0 and choice.options[0].startswith("no ")
        row[choice.column] = None if is_absent else value
    return row | definition.costs(values)


def check_rows(table: Table, rows: Iterable[Mapping[str, Any]], where: str, space: str | None = None) -> None:
    """Every row has the table's columns, with allowed types and values. It may lack those of LATER.

    Args:
        where: names the file.
        space: where it may be an imported one.

    Raises:
        ReleaseError: the first row and column that are wrong, and what is wrong.
    """
    columns = columns_of(table, space)
    names = {c.name for c in columns}
    for number, row in enumerate(rows):
        _check_names(table, row, names, f"{where}: row {number}")
        for c in columns:
            fault = value_fault(c, row[c.name]) if c.name in row else None
            if fault:
                raise ReleaseError(f"{where}: {c.name}: {fault} in row {number}")
        at = f"{where}: row {number}"
        if table == "scores":
            _check_failures(row, at)
        elif table == "runs" and space in IMPORTED:
            _check_imported_run(row, at)
        elif table == "runs":
            _check_run(row, at)
        elif table == "latencies":
            _check_latency(row, at)


def _check_names(table: Table, row: Mapping[str, Any], names: set[str], at: str) -> None:
    extra, missing = sorted(row.keys() - names), sorted(names - row.keys() - LATER[table])
    if extra or missing:
        raise ReleaseError(
            f"{at} has unknown columns {extra} and lacks {missing}; it is no {table} table of this schema"
        )


def _check_run(row: Mapping[str, Any], at: str) -> None:
    """A run that diverged has no results, any other has all."""
    results = [row[name] for name in ("val_acc", "test_acc", "train_loss")]
    is_ok = row["status"] == "ok"
    if any((result is None) == is_ok for result in results):
        raise ReleaseError(f"{at} has status {row['status']!r} but val_acc, test_acc, train_loss {results}")


def _check_imported_run(row: Mapping[str, Any], at: str) -> None:
    low, high = METRICS[row["metric"]]
    there = [row[name] for name in ("val_acc", "test_acc") if row[name] is not None]
    if not there or not low <= min(there) <= max(there) <= high:
        found = there or "null on both splits"
        raise ReleaseError(f"{at}: {row['metric']} is {found}; one at least, in [{low:g}, {high:g}]")


def _check_latency(row: Mapping[str, Any], at: str) -> None:
    """The median lies between the quartiles."""
    first, median, third = (row[name] for name in ("latency_q1_ms", "latency_ms", "latency_q3_ms"))
    if not first <= median <= third:
        raise ReleaseError(f"{at}: latency_ms {median} is not within its quartiles, {first} and {third}")


def _check_failures(row: Mapping[str, Any], at: str) -> None:
    said = row["failures"]
    if said is None:
        return
    try:
        reasons = json.loads(said)
    except ValueError:
        reasons = None
    if not isinstance(reasons, dict) or not all(_is_failure(row, *one) for one in reasons.items()):
        raise ReleaseError(f"{at}: failures {said!r} is no JSON object of null scores and their reasons")


def _is_failure(row: Mapping[str, Any], name: str, reason: Any) -> bool:
    return name in PROXIES and row[name] is None and isinstance(reason, str)


def value_fault(c: Column, value: Any) -> str | None:
    """What is wrong with one value of a column, in words, or None."""
    if value is None:
        return None if c.nullable else "null where a value is required"
    if c.kind == "string":
        return _text_fault(c, value)
    numbers = value if c.kind == "list<float64>" else [value]
    for number in numbers:
        fault = _number_fault(c, number)
        if fault:
            return fault
    return None


def _text_fault(c: Column, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{value!r} is no text"
    if c.values and value not in c.values:
        return f"{value!r} is none of {', '.join(c.values)}"
    if c.name in NAMES and not is_name(value):
        return f"{quoted(value)} is no name; {NAME_RULE}"
    if not value.isprintable() or len(value) > MAX_TEXT:
        return f"{quoted(value)} is no text of up to {MAX_TEXT:,} printable characters"
    return None


def is_name(text: str) -> bool:
    """Whether a recipe, protocol or setup may be named so."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+:-]{0,99}", text) is not None


def _number_fault(c: Column, number: Any) -> str | None:
    allowed = int if c.kind.startswith("int") else (int, float)
    if isinstance(number, bool) or not isinstance(number, allowed):
        return f"{number!r} is no {c.kind}"
    if math.isnan(number):
        return "NaN; what is absent is null"
    low, high = c.bounds
    if not low <= number <= high:
        return f"{quoted(number)} outside [{low:.10g}, {high:.10g}] {c.unit}".rstrip()
    return None
