"""Where the rows of all tables but the archs belong: their columns space, dataset and arch.

They follow from a table's path and from the archs table. Whoever writes a release puts them in, whoever
verifies one checks them. A table that is older than these columns lacks them, and opens all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbzero.errors import ReleaseError, count_of
from nbzero.release.schema import TableKey, arrow_schema, where_of

if TYPE_CHECKING:
    import pyarrow as pa


def lacks_places(key: TableKey, table: pa.Table) -> bool:
    """Whether a table should say where its rows belong, and does not."""
    return not set(where_of(key[0])) <= set(table.column_names)


def placed(key: TableKey, table: pa.Table, archs: Sequence[str], path: str) -> pa.Table:
    """A table with its columns space, dataset and arch, in the schema's order; an archs table as it is.

    Args:
        archs: the arch strings of the space in build order.
        path: names the table.

    Raises:
        ReleaseError: as `check_places`.
    """
    import pyarrow as pa

    kind, space, _ = key
    if kind == "archs":
        return table
    check_places(key, table, archs, path)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    fields = []
    places = _places(key, table, archs, path)
    for field in arrow_schema(kind, space):
        if field.name in places:
            columns[field.name] = pa.array(places[field.name], pa.string())
            fields.append(field)
        elif field.name in table.column_names:
            columns[field.name] = table.column(field.name)
            fields.append(table.schema.field(field.name))
    for field in table.schema:  # what no schema knows is kept, for `verify` to refuse
        if field.name not in columns:
            columns[field.name] = table.column(field.name)
            fields.append(field)
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, table.schema.metadata))


def check_places(key: TableKey, table: pa.Table, archs: Sequence[str], path: str) -> None:
    """What a table says of where its rows belong is so. What it lacks or has null is not looked at.

    Raises:
        ReleaseError: the first row of another space, data set or arch, or an arch_id beyond the archs.
    """
    for name, wanted in _places(key, table, archs, path).items():
        if name in table.column_names:
            _check_place(name, table.column(name).to_pylist(), wanted, path)


def _check_place(name: str, said: Sequence[str | None], wanted: Sequence[str], path: str) -> None:
    by = "the archs table" if name == "arch" else "its path"
    for number, (one, right) in enumerate(zip(said, wanted, strict=True)):
        if one is not None and one != right:
            raise ReleaseError(
                f"{path}: {name} is {one!r} in row {number}, by {by} it is {right!r}; "
                "the file is of another place: fetch it anew"
            )


def _places(key: TableKey, table: pa.Table, archs: Sequence[str], path: str) -> dict[str, list[str]]:
    """What those of the three columns hold that the table has, (rows,) each."""
    kind, space, dataset = key
    ids: list[int] = table.column("arch_id").to_pylist()
    if ids and max(ids) >= len(archs):
        raise ReleaseError(f"{path}: arch_id {max(ids)}, but {space} has {count_of(len(archs), 'arch')}")
    columns = {
        "space": [space] * len(ids),
        "dataset": [str(dataset)] * len(ids),
        "arch": [archs[arch_id] for arch_id in ids],
    }
    return {name: columns[name] for name in where_of(kind)}
