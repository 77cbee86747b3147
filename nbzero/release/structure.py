"""The structure of an index's header, checked once when the index is opened.

After it every name, number of rows and place in the header is what `nbzero.release.index` says. What the
arrays hold is guarded by the manifest's checksum. The codes of texts and the ends of lists are checked where
they are read, because they are as many as the rows.
"""

from __future__ import annotations

import struct
from typing import Any

from nbzero.errors import UsageError, quoted
from nbzero.release.schema import KEYS, NAME_RULE, TABLES, WITHOUT_DATASET, is_name

# Of memoryview.cast.
CODES = {"<u1": "B", "<i1": "b", "<i2": "h", "<i4": "i", "<i8": "q", "<f4": "f", "<f8": "d"}


def check_header(header: Any, size: int) -> None:
    """UsageError saying what is wrong with the header of an index of `size` bytes."""
    _expect(header, dict, "the header")
    _expect(header.get("space"), str, "its space")
    for path, sha256 in _expect(header.get("sources"), dict, "its sources").items():
        _expect(sha256, str, f"the checksum of {quoted(path)}")
    tables = _expect(header.get("tables"), dict, "its tables")
    if "archs" not in tables:
        raise UsageError("it has no archs")
    for name, table in tables.items():
        _check_table(name, table, size)
    if "bytes" not in tables["archs"]["columns"].get("arch", {}):
        raise UsageError("its archs have no strings")


def checked_texts(texts: Any) -> list[str]:
    """The texts of a column; UsageError where they are no list of texts that can be shown."""
    for text in _expect(texts, list, "texts"):
        if not _expect(text, str, "a text").isprintable():
            raise UsageError(f"a text {quoted(text)} with characters that cannot be shown")
    return list(texts)


def check_place(place: Any, size: int) -> int:
    """The count of an array; UsageError where it does not lie within `size` bytes."""
    _expect(place, dict, "a place")
    dtype, offset, count = place.get("dtype"), place.get("offset"), place.get("count")
    if not isinstance(dtype, str) or dtype not in CODES:
        raise UsageError(f"numbers of type {quoted(dtype)}")
    if not (_is_whole(offset) and _is_whole(count)):
        raise UsageError(f"{quoted(count)} numbers at {quoted(offset)}")
    if offset + count * struct.calcsize(CODES[dtype]) > size:
        raise UsageError(f"{count} numbers of type {dtype!r} at {offset} in {size} bytes")
    return int(count)


def _check_table(name: str, table: Any, size: int) -> None:
    kind, _, dataset = name.partition("/")
    if kind not in TABLES or (kind in WITHOUT_DATASET) != (dataset == ""):
        raise UsageError(f"a table named {quoted(name)}")
    _expect(table, dict, name)
    rows = table.get("rows")
    if not _is_whole(rows):
        raise UsageError(f"{quoted(rows)} rows of {name}")
    columns = _expect(table.get("columns"), dict, f"the columns of {name}")
    for column, described in columns.items():
        _expect(described, dict, f"column {quoted(column)} of {name}")
        if _check_column(described, size) not in (rows, None):
            raise UsageError(f"column {quoted(column)} of {name} has not its {rows} rows")
    _check_groups(name, table.get("groups"), rows)
    if kind != "archs" and "dtype" not in columns.get("arch_id", {}):
        raise UsageError(f"{name} has no arch_id; its keys are {', '.join(KEYS['runs'])} or the like")


def _check_column(described: dict[str, Any], size: int) -> int | None:
    """How many rows a column has; None where only reading it would tell."""
    if "texts" in described:
        checked_texts(described["texts"])
        return check_place(described.get("codes"), size)
    if "packed" in described:
        check_place(described["packed"], size)
        return check_place(described.get("codes"), size)
    if "ends" in described:
        check_place(described.get("values"), size)
        return check_place(described["ends"], size)
    if "bytes" in described:
        check_place(described["bytes"], size)
        if "starts" not in described:
            return None
        slots = check_place(described.get("slots"), size)
        rows = check_place(described["starts"], size)
        if slots < 2 * rows or slots & (slots - 1):
            raise UsageError(f"{slots} slots of {rows} strings")
        return rows
    return check_place(described, size)


def _check_groups(name: str, groups: Any, rows: int) -> None:
    """They are [text, seed, first row, row after the last], one after the other over all rows."""
    at = 0
    seen = set()
    for group in _expect(groups, list, f"the groups of {name}"):
        if not isinstance(group, list) or len(group) != 4 or not isinstance(group[0], str):
            raise UsageError(f"a group {quoted(group)} of {name}")
        text, seed, first, after = group
        if not all(map(_is_whole, (seed, first, after))) or first != at or after <= first:
            raise UsageError(f"a group {quoted(group)} of {name}, after row {at}")
        if not is_name(text):
            raise UsageError(f"{quoted(text)} of {name} is no name; {NAME_RULE}")
        if (text, seed) in seen:
            raise UsageError(f"the group {quoted(group[:2])} of {name} twice")
        seen.add((text, seed))
        at = after
    if groups and at != rows:
        raise UsageError(f"groups of {at} rows in {name} of {rows}")


def _expect(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise UsageError(f"{what} is {quoted(value)}")
    return value


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0
