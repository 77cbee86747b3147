"""What an index holds, beside the tables that it was made of.

Values are compared, not bytes: an index of an older version lies otherwise in its file, and zlib's own
versions pack texts differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nbzero.release.index import Index, groups_of
from nbzero.release.schema import WHERE

if TYPE_CHECKING:
    import pyarrow as pa


def first_difference(index: Index, tables: Mapping[str, pa.Table], sources: Mapping[str, str]) -> str | None:
    """In words, the first thing that an index has otherwise; None where it has all and nothing else.

    Args:
        tables, sources: as `build_index` takes them.

    Raises:
        ReleaseError: the index is damaged.
    """
    if index.sources != dict(sources):
        return "it was made from other Parquet files than its release has"
    if sorted(index.tables) != sorted(tables):
        return f"it has the tables {', '.join(index.tables)}, the release has {', '.join(tables)}"
    for name, table in tables.items():
        described = index.tables[name]
        kept = [column for column in table.column_names if name == "archs" or column not in WHERE]
        if sorted(described["columns"]) != sorted(kept):
            return f"{name} has the columns {', '.join(described['columns'])}, not {', '.join(kept)}"
        if described["groups"] != groups_of(name, table):
            return f"{name} has the groups {described['groups']}"
        for column in kept:
            if not _same(index, name, column, table):
                return f"{name}.{column} has other values"
    return None


def _same(index: Index, name: str, column: str, table: pa.Table) -> bool:
    """Whether a column of the index has the table's values."""
    described, wanted = index.tables[name]["columns"][column], table.column(column)
    if "bytes" in described:
        listed = wanted.to_pylist()
        places = index.places(name, column)
        found = list(map(places.get, listed)) == list(range(len(listed)))
        return found and list(index.lines(name, column)) == listed
    if "codes" in described:
        texts = [index.text(name, column, row) for row in range(len(wanted))]
        return bool(texts == wanted.to_pylist())
    if "ends" in described:
        lists = [list(index.list_at(name, column, row)) for row in range(len(wanted))]
        return bool(lists == wanted.to_pylist())
    stored = np.asarray(index.numbers(name, column))
    return bool(np.array_equal(stored, wanted.to_numpy(), equal_nan=True))
