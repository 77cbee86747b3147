"""Frame: the small named table that every table and evaluation of nbzero is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from nbzero import text
from nbzero.errors import UsageError, count_of, needs, unknown_name
from nbzero.files import write_whole

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

WIDTH = 120  # characters of a line of a repr
SHOWN = 20  # rows of a frame's repr


class Frame:
    """Columns of equal length under a title, with notes on what the reader must know.

    Iteration gives rows. `frame["macs"]` is a numpy array. Of a table of archs it is read-only, and a view of
    the mapped file where no row was left out.

    Args:
        columns: name -> sequence of numbers or strings. NaN and None are absent values.
        title: one line: what was judged, on what.
        notes: sentences: N, what was left out, what is in-sample.
        arch_ids: (rows,) the place of each row in its space's build order, where the rows are archs.
        selected: where the rows come from, such as space, dataset, recipe, protocol and seed.
        schema: makes the schema of `to_arrow`; None infers one from the values.
        doubtful: names of proxies that are marked where the frame is printed or drawn (`text.MARK`).

    Raises:
        UsageError: columns of different lengths, or none.

    >>> frame = Frame({"proxy": ["zen", "params"], "mbr": [0.02, 0.01]}, "mBR")
    >>> frame.sorted("mbr")["proxy"].tolist()
    ['params', 'zen']
    """

    def __init__(
        self,
        columns: Mapping[str, Iterable[Any]],
        title: str = "",
        notes: Iterable[str] = (),
        *,
        arch_ids: npt.NDArray[Any] | None = None,
        selected: Mapping[str, Any] | None = None,
        schema: Callable[[], pa.Schema] | None = None,
        doubtful: Iterable[str] = (),
    ) -> None:
        self._columns: dict[str, npt.NDArray[Any]] = {}
        lengths = {}
        for name, values in columns.items():
            self._columns[name] = _as_array(values)
            lengths[name] = len(self._columns[name])
        if len(set(lengths.values())) != 1:
            raise UsageError(f"columns of lengths {lengths}; give at least one, all of the same length")
        self.title = title
        self.notes = tuple(notes)
        self.arch_ids = arch_ids
        self.selected = dict(selected or {})
        self.doubtful = frozenset(doubtful)
        self._schema = schema

    @classmethod
    def of(
        cls,
        rows: Iterable[text.Row],
        title: str = "",
        notes: Iterable[str] = (),
        columns: Sequence[str] = (),
        texts: Sequence[str] = (),
    ) -> Frame:
        """A frame of rows, in the columns of the first one; of no rows, in `columns`.

        The columns `texts` are text where every value is absent too, and then hold None, not NaN.
        """
        listed = list(rows)
        held: dict[str, list[Any]] = {name: [] for name in (listed[0] if listed else columns)}
        for row in listed:
            for name, values in held.items():
                values.append(row[name])
        made: dict[str, Iterable[Any]] = {}
        for name, values in held.items():
            made[name] = _as_objects(values) if name in texts else values
        return cls(made, title, notes)

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
        return self._rows(len(self))

    def _rows(self, number: int) -> Iterator[dict[str, Any]]:
        lists = [_plain_list(values[:number]) for values in self._columns.values()]
        for row in zip(*lists, strict=True):
            yield dict(zip(self._columns, row, strict=True))

    def only(self, keep: npt.NDArray[Any]) -> Frame:
        """Some of the rows, by mask or by positions."""
        columns = {name: values[keep] for name, values in self._columns.items()}
        ids = None if self.arch_ids is None else self.arch_ids[keep]
        return Frame(
            columns,
            self.title,
            self.notes,
            arch_ids=ids,
            selected=self.selected,
            schema=self._schema,
            doubtful=self.doubtful,
        )

    def sorted(self, column: str, descending: bool = False) -> Frame:
        """The rows by one column, absent values last, equal ones in their order."""
        values = _plain_list(self[column])
        there: list[int] = []
        absent: list[int] = []
        for row, value in enumerate(values):
            (absent if value is None else there).append(row)
        there.sort(key=values.__getitem__, reverse=descending)
        return self.only(np.array(there + absent, dtype=np.int64))

    def with_notes(self, *notes: str, title: str | None = None) -> Frame:
        """The same rows with more notes, or under another title."""
        return Frame(
            self._columns,
            self.title if title is None else title,
            [*self.notes, *notes],
            arch_ids=self.arch_ids,
            selected=self.selected,
            schema=self._schema,
            doubtful=self.doubtful,
        )

    def with_columns(self, columns: Mapping[str, Iterable[Any]], *notes: str) -> Frame:
        """Other columns under the same title, notes and marks, and with more notes."""
        return Frame(columns, self.title, [*self.notes, *notes], doubtful=self.doubtful)

    def marking(self, doubtful: Iterable[str]) -> Frame:
        """The same rows, in which these proxies too are marked."""
        marked = self.with_notes()
        marked.doubtful |= frozenset(doubtful)
        return marked

    def to_pandas(self) -> pd.DataFrame:
        """A pandas.DataFrame; what is absent is NaN or None. MissingPackageError without pandas.

        A cell of a list column, like curve, is a numpy array.
        """
        frame: pd.DataFrame = needs("to_pandas", "pandas").DataFrame(self._columns)
        return frame

    def to_arrow(self) -> pa.Table:
        """A pyarrow.Table with true nulls; of a table of archs also with types and units of the release.

        A list column, like curve, is one of lists here and in polars.
        """
        arrow = needs("to_arrow", "pyarrow")
        if self._schema is None:
            lists = [arrow.array(_plain_list(values)) for values in self._columns.values()]
            return arrow.table(lists, names=list(self._columns))
        schema = self._schema()
        arrays = [arrow.array(self[field.name], field.type, from_pandas=True) for field in schema]
        return arrow.Table.from_arrays(arrays, schema=schema)

    def to_polars(self) -> pl.DataFrame:
        """A polars.DataFrame, from `to_arrow`; MissingPackageError without polars."""
        frame: pl.DataFrame = needs("to_polars", "polars").DataFrame(self.to_arrow())
        return frame

    @overload
    def to_csv(self) -> str: ...
    @overload
    def to_csv(self, path: str | PathLike[str]) -> None: ...
    def to_csv(self, path: str | PathLike[str] | None = None) -> str | None:
        """Comma-separated text with a header line; absent is empty.

        CSV has no lists: a cell of a list column, like curve, is its numbers as JSON, "[0.31, 0.42]".

        With a path, a UTF-8 file of it, which appears whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        made = text.csv_text(self.columns, self)
        if path is None:
            return made
        write_whole(Path(path), made.encode(), "write it again")
        return None

    def to_json(self) -> str:
        """{"title", "notes", "rows"}; absent is null, and infinities are the strings "inf" and "-inf".

        A cell of a list column is an array of numbers.
        """
        return text.json_text(self.title, self.notes, self)

    def to_text(self, rows: int | None = None) -> str:
        """The table as aligned text, numbers to four digits.

        Args:
            rows: how many at most, from the first on; a note then says how many there are. None: all.
        """
        return self._text(len(self) if rows is None else rows)

    def _text(self, rows: int, width: float = math.inf) -> str:
        notes = self._notes_of(rows)
        columns, shown = text.marked_table(self.columns, self._rows(rows), self.doubtful)
        return text.aligned_text(columns, shown, self.title, notes, width)

    def __repr__(self) -> str:
        """`to_text` of at most 20 rows, in blocks of columns where they are wider than 120 characters."""
        return self._text(SHOWN, WIDTH)

    def _repr_html_(self) -> str:
        """The same as notebooks show it."""
        columns, shown = text.marked_table(self.columns, self._rows(SHOWN), self.doubtful)
        return text.html_text(columns, shown, self.title, self._notes_of(SHOWN))

    def _notes_of(self, shown: int) -> tuple[str, ...]:
        """The notes, first how many rows there are where not all are shown."""
        if shown >= len(self):
            return self.notes
        return (f"The first {shown} of {count_of(len(self), 'row')}.", *self.notes)


def _as_array(values: Iterable[Any]) -> npt.NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    there = list(values)
    if there and _all_are(there, (bool, np.bool_)):
        return np.array(there, dtype=bool)
    if there and _all_are(there, (int, np.integer)):
        return np.array(there, dtype=np.int64)
    if _all_are(there, (int, float, np.number, type(None))):
        return np.array(there, dtype=np.float64)  # None becomes NaN
    return _as_objects(there)


def _as_objects(values: Sequence[Any]) -> npt.NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):  # at once, lists of one length would become a second axis
        array[place] = value
    return array


def _all_are(values: Iterable[Any], kinds: tuple[type, ...]) -> bool:
    return all(isinstance(value, kinds) for value in values)


def _plain_list(values: npt.NDArray[Any]) -> list[Any]:
    """Python values, None for NaN, lists for arrays."""
    listed: list[Any] = values.tolist()
    if values.dtype.kind in "fO":
        for row, value in enumerate(listed):
            if isinstance(value, float) and math.isnan(value):
                listed[row] = None
            elif isinstance(value, np.ndarray):
                listed[row] = value.tolist()
    return listed
