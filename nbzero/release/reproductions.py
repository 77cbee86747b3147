"""Tables of papers computed again: the file that lies beside a release's tables, and what its columns hold.

It is listed in the manifest and checked by `verify`, and is no table of archs, runs or scores. The rows are
made by `builders.reproduce`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nbzero.errors import ReleaseError
from nbzero.release.schema import Column, value_fault

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS = "reproductions/results.parquet"
COLUMNS = (
    Column("table", "string", "", "the paper's table, as builders.reproduce names it"),
    Column("row", "string", "", "the row of that table"),
    Column("paper", "float64", "", "what the paper gives; null for nothing", nullable=True),
    Column("ours", "float64", "", "what was computed; null where it is not defined", nullable=True),
    Column("n", "int32", "", "archs, or whatever was counted", 0),
    Column("seeds", "int32", "", "seeds of the networks' weights", 1),
    Column("se", "float64", "", "standard error of ours when archs are drawn again", 0, nullable=True),
    Column("protocol", "string", "", "how the networks were scored; counted where none was"),
    Column("note", "string", "", "what is to be said of it"),
)
KEY = ("table", "row", "protocol")


def results_schema() -> pa.Schema:
    """The Arrow schema of the file."""
    import pyarrow as pa

    types = {"string": pa.string(), "float64": pa.float64(), "int32": pa.int32()}
    fields = []
    for column in COLUMNS:
        said = {"unit": column.unit, "meaning": column.meaning}
        fields.append(pa.field(column.name, types[column.kind], nullable=column.nullable, metadata=said))
    return pa.schema(fields)


def checked_results(data: bytes, where: str) -> pa.Table:
    """The rows in the bytes of such a file.

    Raises:
        ReleaseError: it is no Parquet file with these columns, has a value that a column may not hold, or
            rows that are not sorted by KEY or there twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ReleaseError(f"{where} cannot be read as results: {error}") from error
    if not table.schema.equals(results_schema(), check_metadata=False):
        wanted = ", ".join(column.name for column in COLUMNS)
        raise ReleaseError(f"{where} has columns {table.schema.names}; those of results are {wanted}")
    rows = table.to_pylist()
    _check_values(rows, where)
    keys = [tuple(row[name] for name in KEY) for row in rows]
    if keys != sorted(set(keys)):
        raise ReleaseError(f"{where}: its rows are not sorted by {', '.join(KEY)}, or one is there twice")
    return table


def _check_values(rows: Iterable[Mapping[str, Any]], where: str) -> None:
    for number, row in enumerate(rows):
        for column in COLUMNS:
            fault = value_fault(column, row[column.name])
            if fault:
                raise ReleaseError(f"{where}: {column.name}: {fault} in row {number}")
