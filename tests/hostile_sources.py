"""Sources of published benchmarks that are spoilt, for the attacks on imports. No test itself."""

import csv
import json
import os
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Rng = np.random.Generator
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63 - 1,
    -1e8,
    float("nan"),
    float("inf"),
    -float("inf"),
    1e308,
    "",
    "x",
    "1",
    "(1, 2, 3, 4, 1, 1)",
    "(" + "1, " * 5000 + ")",
    "9" * 5000,
    "\x1b[2J\u202e",
    "a" * 1_000_000,
    b"\xff\xfe",
    [],
    [1.5, None],
    ["x"],
    [[1]],
    [{"operation": "SA"}],
    {"a": 1},
    Decimal("1.5"),
)
TYPES: tuple[pa.DataType, ...] = (
    pa.null(),
    pa.bool_(),
    pa.int8(),
    pa.uint64(),
    pa.float16(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.timestamp("us"),
    pa.decimal128(38, 10),
    pa.list_(pa.string()),
    pa.list_(pa.float64()),
    pa.struct([("a", pa.int64())]),
)


def spoilt(table: pa.Table, rng: Rng) -> pa.Table:
    """A table that is whole in itself and not what it should be: some values, a type, columns or rows."""
    return SPOIL[int(rng.integers(len(SPOIL)))](table, rng)


def _column(table: pa.Table, rng: Rng) -> int:
    return int(rng.integers(table.num_columns))


def _one_value(table: pa.Table, rng: Rng) -> pa.Table:
    """One value replaced by another, of the same type or, where that is none, all values with it."""
    at, row = _column(table, rng), int(rng.integers(table.num_rows))
    value = VALUES[int(rng.integers(len(VALUES)))]
    values = table.column(at).to_pylist()
    values[row] = value
    try:
        column = pa.array(values, table.schema.field(at).type)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        column = pa.array([value] * table.num_rows)
    return table.set_column(at, table.column_names[at], column)


def _other_type(table: pa.Table, rng: Rng) -> pa.Table:
    at = _column(table, rng)
    kind = TYPES[int(rng.integers(len(TYPES)))]
    try:
        column = table.column(at).cast(kind, safe=False)
    except pa.ArrowException:
        column = pa.nulls(table.num_rows, kind)
    return table.set_column(at, table.column_names[at], column)


def _without_a_column(table: pa.Table, rng: Rng) -> pa.Table:
    return table.remove_column(_column(table, rng))


def _twice_a_column(table: pa.Table, rng: Rng) -> pa.Table:
    at = _column(table, rng)
    return table.append_column(table.column_names[at], table.column(_column(table, rng)))


def _another_name(table: pa.Table, rng: Rng) -> pa.Table:
    names = list(table.column_names)
    names[_column(table, rng)] = ("", "x", "\x1b[2J", "a" * 100_000)[int(rng.integers(4))]
    return table.rename_columns(names)


def _columns_exchanged(table: pa.Table, rng: Rng) -> pa.Table:
    names = list(table.column_names)
    return table.rename_columns(rng.permutation(names).tolist())


def _other_rows(table: pa.Table, rng: Rng) -> pa.Table:
    how = int(rng.integers(5))
    if how == 0:
        return table.slice(0, 0)
    if how == 1:
        return table.slice(0, table.num_rows - 1)
    if how == 2:
        return pa.concat_tables([table, table])
    if how == 3:
        return table.take(np.zeros(200_000, np.int64))
    return table.take(rng.integers(table.num_rows, size=table.num_rows))


def _all_null(table: pa.Table, rng: Rng) -> pa.Table:
    at = _column(table, rng)
    field = table.schema.field(at)
    return table.set_column(at, field.name, pa.nulls(table.num_rows, field.type))


SPOIL: tuple[Callable[[pa.Table, Rng], pa.Table], ...] = (
    _one_value,
    _one_value,
    _one_value,
    _other_type,
    _other_type,
    _without_a_column,
    _twice_a_column,
    _another_name,
    _columns_exchanged,
    _other_rows,
    _all_null,
)


class _Runs:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mknod, (self.path,)


def no_parquet(path: Path, table: pa.Table, rng: Rng) -> None:
    """Put something else where a Parquet file should be.

    A pickle of it, when loaded, makes the file `ran` beside it.
    """
    rows = table.to_pylist()
    path.unlink()
    how = int(rng.integers(10))
    if how == 0:
        path.write_bytes(pickle.dumps(_Runs(str(path.with_name("ran")))))
    elif how == 1:
        path.write_text(json.dumps(rows))
    elif how == 2:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, table.column_names)
            writer.writeheader()
            writer.writerows(rows)
    elif how == 3:
        path.write_bytes((b"", b"PAR1", b"PAR1PAR1", b"PAR1" + bytes(100) + b"PAR1")[int(rng.integers(4))])
    elif how == 4:
        path.mkdir()
    elif how == 5:
        os.mkfifo(path)
    elif how == 6:
        path.symlink_to("/dev/zero")
    elif how == 7:
        path.symlink_to(path.name)
    elif how == 8:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        path.write_bytes(b"PAR1" + rng.bytes(200) + (2**31 - 1).to_bytes(4, "little") + b"PAR1")
