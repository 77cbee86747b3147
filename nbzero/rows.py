"""Rows as text: CSV, JSON and aligned columns. A row is a dict of Python values in which None is absent; imports nothing that is slow to import."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Comma-separated text with a header line; absent is empty.

    >>> csv_text(["proxy", "mbr"], [{"proxy": "zen", "mbr": None}])
    'proxy,mbr\\nzen,\\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[name] for name in columns] for row in rows)
    return out.getvalue()


def json_text(title: str, notes: Iterable[str], rows: Iterable[Row]) -> str:
    """{"title", "notes", "rows"}; absent is null, and infinities are the strings "inf" and "-inf", which JSON has no numbers for.

    >>> json_text("mBR", [], [{"proxy": "zen", "mbr": -math.inf}])
    '{"title": "mBR", "notes": [], "rows": [{"proxy": "zen", "mbr": "-inf"}]}'
    """
    said = [{name: str(value) if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()} for row in rows]
    return json.dumps({"title": title, "notes": list(notes), "rows": said}, allow_nan=False)


def aligned_text(columns: Sequence[str], rows: Iterable[Row], title: str = "", notes: Iterable[str] = ()) -> str:
    """The title, the columns under their names, numbers to four digits, and the notes.

    >>> print(aligned_text(["proxy", "mbr"], [{"proxy": "zen", "mbr": 0.123456}]))
    proxy  mbr
    zen    0.1235
    """
    cells = [[*columns], *([short(row[name]) for name in columns] for row in rows)]
    widths = [max(len(row[c]) for row in cells) for c in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*([title] if title else []), *lines, *notes])


def short(value: Any) -> str:
    """One value for a reader: a number to four digits, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
