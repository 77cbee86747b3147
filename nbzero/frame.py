"""Frame: the small named table that every evaluation returns."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from nbzero import rows
from nbzero.errors import unknown_name

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Frame:
    """Columns of equal length under a title, with notes on what the reader must know (N, what was left out, in-sample).

    Args:
        columns: name -> sequence; numbers and strings; NaN and None are absent values.
        title: one line: what was judged, on what.
        notes: sentences.

    Raises:
        ValueError: columns of different lengths, or none.

    >>> frame = Frame({"proxy": ["zen", "params"], "mbr": [0.02, 0.01]}, "mBR")
    >>> frame.sorted("mbr")["proxy"].tolist()
    ['params', 'zen']
    """

    def __init__(self, columns: Mapping[str, Iterable[Any]], title: str = "", notes: Iterable[str] = ()) -> None:
        self._columns = {name: _as_array(values) for name, values in columns.items()}
        lengths = {name: len(values) for name, values in self._columns.items()}
        if not lengths or len(set(lengths.values())) > 1:
            raise ValueError(f"columns of lengths {lengths}; give at least one, all of the same length")
        self.title, self.notes = title, tuple(notes)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        if column not in self._columns:
            raise unknown_name("column", column, self._columns)
        return self._columns[column]

    def __contains__(self, column: object) -> bool:
        return column in self._columns

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Rows as dicts of Python values; absent is None."""
        lists = [[_plain(value) for value in values.tolist()] for values in self._columns.values()]
        for row in zip(*lists, strict=True):
            yield dict(zip(self._columns, row, strict=True))

    def only(self, keep: npt.NDArray[Any]) -> Frame:
        """Some of the rows, by mask or by positions."""
        return Frame({name: values[keep] for name, values in self._columns.items()}, self.title, self.notes)

    def sorted(self, column: str, descending: bool = False) -> Frame:
        """The rows by one column, absent values last, equal ones in their order."""
        values = self[column]
        absent = np.array([_plain(value) is None for value in values.tolist()], dtype=bool)
        there = np.flatnonzero(~absent)
        order = sorted(there.tolist(), key=lambda row: values[row], reverse=descending)
        return self.only(np.array([*order, *np.flatnonzero(absent).tolist()], dtype=np.int64))

    def to_pandas(self) -> pd.DataFrame:
        """A pandas.DataFrame; ImportError without pandas (nbzero[analysis])."""
        frame: pd.DataFrame = library("pandas", "to_pandas").DataFrame(self._columns)
        return frame

    def to_arrow(self) -> pa.Table:
        """A pyarrow.Table with true nulls; ImportError without pyarrow."""
        pa = library("pyarrow", "to_arrow")
        return pa.table({name: pa.array([_plain(value) for value in values.tolist()]) for name, values in self._columns.items()})

    def to_polars(self) -> pl.DataFrame:
        """A polars.DataFrame, from `to_arrow`; ImportError without polars."""
        frame: pl.DataFrame = library("polars", "to_polars").DataFrame(self.to_arrow())
        return frame

    @overload
    def to_csv(self) -> str: ...
    @overload
    def to_csv(self, path: str | PathLike[str]) -> None: ...
    def to_csv(self, path: str | PathLike[str] | None = None) -> str | None:
        """Comma-separated text with a header line; absent is empty. With a path, a UTF-8 file of it, which appears whole or not at all.

        Raises:
            ReleaseError: the file cannot be written.
        """
        text = rows.csv_text(self.columns, self)
        if path is None:
            return text
        from nbzero.release import write_whole

        write_whole(Path(path), text.encode(), "write it again")
        return None

    def to_json(self) -> str:
        """{"title", "notes", "rows"}; absent is null, and infinities are the strings "inf" and "-inf", which JSON has no numbers for."""
        return rows.json_text(self.title, self.notes, self)

    def __repr__(self) -> str:
        """The table as text, numbers to four digits."""
        return rows.aligned_text(self.columns, self, self.title, self.notes)


INSTALL = {"pandas": "'nbzero[analysis]'", "polars": "polars", "pyarrow": "pyarrow"}


def library(name: str, asked_by: str) -> Any:
    """The module of that name in `INSTALL`; ImportError that says what to install where it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{asked_by} needs {name}, which cannot be imported ({error}): pip install {INSTALL[name]}") from error


def _as_array(values: Iterable[Any]) -> npt.NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    there = list(values)
    if all(isinstance(value, (bool, np.bool_)) for value in there) and there:
        return np.array(there, dtype=bool)
    if all(isinstance(value, (int, np.integer)) for value in there) and there:
        return np.array(there, dtype=np.int64)
    if all(value is None or isinstance(value, (int, float, np.number)) for value in there):
        return np.array([math.nan if value is None else float(value) for value in there], dtype=np.float64)
    array = np.empty(len(there), dtype=object)
    array[:] = there
    return array


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
