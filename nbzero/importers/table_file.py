"""Official files that hold one table, as JSON or CSV: read as the Parquet file of the same numbers is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbzero.errors import ReleaseError
from nbzero.importers.official import Apart, Form, Official
from nbzero.importers.source import Kind, Rows, Source, of_kinds
from nbzero.release.reading import read_file

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, list[Any]]
MAX_BYTES = 64 << 20  # of a file: some fifty times as many as the largest has


@dataclass(frozen=True, slots=True)
class TableFile:
    """How a file becomes rows.

    Attributes:
        name: what the authors call it.
        table: the name of the table that it becomes.
        kinds: the columns of that table and what they hold.
        columns: makes the columns of the file's bytes. What it raises of LookupError, TypeError and
            ValueError says that the file is not as it should be.
        rows: makes the rows of the table; raises as `tables_of`.
    """

    name: str
    table: str
    kinds: Mapping[str, Kind]
    columns: Callable[[bytes], Columns]
    rows: Callable[[Mapping[str, pa.Table]], Rows]

    @property
    def advice(self) -> str:
        return f"fetch {self.name} anew"


def read_table_file(file: TableFile, path: Path, apart: Apart, archs: Sequence[str] | None) -> Rows:
    """Rows of a file.

    Raises:
        ReleaseError: what is not of the file's form, or as the rows of the table.
    """
    import pyarrow as pa

    data = read_file(path, MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise ReleaseError(f"{path} has more than {MAX_BYTES:,} bytes; it is no {file.name}")
    columns = apart(partial(columns_of_file, file))(data, str(path))
    try:
        table = pa.table(columns)
    except (pa.ArrowException, OverflowError) as error:
        said = f"has values of several types in a column ({str(error)[:200]})"
        raise ReleaseError(f"{path} {said}; {file.advice}") from error
    table = of_kinds(table, file.kinds, path)
    try:
        return file.rows({file.table: table})
    except ReleaseError as error:
        raise ReleaseError(f"{error} (in {path})") from error


def columns_of_file(file: TableFile, data: bytes, name: str) -> Columns:
    """The columns of a file; ReleaseError, which names the file and what is wrong."""
    try:
        return file.columns(data)
    except (LookupError, TypeError, ValueError, RecursionError, csv.Error) as error:
        said = f"{type(error).__name__}: {str(error)[:200]}"
        raise ReleaseError(f"{name} cannot be read as {file.name} ({said}); {file.advice}") from error


def json_once(data: bytes) -> Any:
    """What a JSON file holds; ValueError for a key that is there twice in one object."""
    return json.loads(data, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice in one object")
    return found


def csv_rows(data: bytes, num_fields: int) -> list[list[str]]:
    """The lines of a CSV file without a header; ValueError for one with another number of fields."""
    rows = []
    for number, fields in enumerate(csv.reader(io.StringIO(data.decode()), strict=True), start=1):
        if len(fields) != num_fields:
            raise ValueError(f"line {number} has {len(fields)} fields, not {num_fields}")
        rows.append(fields)
    return rows


def official_table(file: TableFile, source: Source, form: Form, citation: str, becomes: str) -> Official:
    """The kind of official file that a table's file is; arguments as of `Official`.

    Args:
        source: which has the file, on GitHub.
    """
    return Official(
        form=form,
        name=file.name,
        version=source.commit,
        repository=source.repository,
        place=source.place,
        licence=source.licence,
        citation=citation,
        becomes=becomes,
        read=partial(read_table_file, file),
    )
