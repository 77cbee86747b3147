"""Rows as text: CSV, JSON and aligned columns. A row is a dict of Python values in which None is absent; imports nothing that is slow to import."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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


def json_text(title: str, notes: Iterable[str], rows: Iterable[Row], more: Mapping[str, Sequence[str]] | None = None) -> str:
    """{"title", "notes", "rows"}, and the lists of `more`; absent is null, and infinities are the strings "inf" and "-inf", which JSON has no numbers
    for.

    >>> json_text("mBR", [], [{"proxy": "zen", "mbr": -math.inf}])
    '{"title": "mBR", "notes": [], "rows": [{"proxy": "zen", "mbr": "-inf"}]}'
    """
    said = [{name: str(value) if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()} for row in rows]
    return json.dumps({"title": title, "notes": list(notes), **(more or {}), "rows": said}, allow_nan=False)


@dataclass(frozen=True)
class Layout:
    """How a table fits a width.

    Attributes:
        blocks: the columns of each block, the key columns first.
        heads: column -> the lines of its name.
        widths: column -> its widest line, in characters; longer cells are wrapped.
        same: column -> the cell that all rows have, of columns that are in no block.
    """

    blocks: list[list[str]]
    heads: dict[str, list[str]]
    widths: dict[str, int]
    same: dict[str, str]


def layout(cells: Mapping[str, Sequence[str]], width: float = math.inf, keys: int = 1, gap: int = 2) -> Layout:
    """The layout of columns of text within `width` characters, with `gap` between two columns.

    A table that is too wide gets, one after the other until it fits: names in lines, broken before "_"; no columns in which all rows are the
    same; the widest column of words wrapped; blocks of columns, each after the first `keys` columns and with at least one more.

    >>> layout({"proxy": ["zen", "ntk"], "mbr_union": ["0.1", "0.2"], "missing": ["0", "0"]}, 14)
    Layout(blocks=[['proxy', 'mbr_union']], heads={'proxy': ['proxy'], 'mbr_union': ['mbr', '_union']}, widths={'proxy': 5, 'mbr_union': 6}, \
same={'missing': '0'})
    """
    columns = list(cells)
    cell_widths = {name: max(map(len, cells[name]), default=0) for name in columns}
    heads = {name: [name] for name in columns}
    widths = {name: max(len(name), cell_widths[name]) for name in columns}
    same: dict[str, str] = {}

    def excess() -> float:
        return sum(widths.values()) + gap * (len(widths) - 1) - width

    if excess() > 0:
        heads = {name: _broken(name, cell_widths[name]) for name in columns}
        widths = {name: max(cell_widths[name], *map(len, heads[name])) for name in columns}
    if excess() > 0:
        same = {name: cells[name][0] for name in columns[keys:] if len(cells[name]) > 1 and len(set(cells[name])) == 1}
        columns = [name for name in columns if name not in same]
        heads, widths = ({name: part[name] for name in columns} for part in (heads, widths))  # type: ignore[assignment]
    worded = [name for name in columns if any(" " in cell for cell in cells[name])]
    if excess() > 0 and worded:
        widest = max(worded, key=lambda name: widths[name])
        widths[widest] = max(min(24, widths[widest]), widths[widest] - int(excess()))
    head = columns[:keys]
    room = width - sum(widths[name] + gap for name in head)
    for name in columns[keys:]:
        widths[name] = int(min(widths[name], max(room, 8)))
    blocks = [[*head]]
    for name in columns[keys:]:
        if len(blocks[-1]) > keys and sum(widths[one] + gap for one in [*blocks[-1], name]) - gap > width:
            blocks.append([*head])
        blocks[-1].append(name)
    return Layout(blocks, heads, widths, same)


def _broken(name: str, width: int) -> list[str]:
    """A name in lines that are no wider than `width` or its longest part, broken before "_"."""
    parts = re.findall(r"_*[^_]+_*$|_*[^_]+", name) or [name]
    limit, lines = max(width, *map(len, parts)), [""]
    for part in parts:
        if len(lines[-1] + part) > limit:
            lines.append("")
        lines[-1] += part
    return lines


def same_text(same: Mapping[str, str]) -> list[str]:
    """The note on columns that a table leaves out because all its rows are the same; none where there are none."""
    return [f"The same in every row: {', '.join(f'{name} = {cell}' for name, cell in same.items())}."] if same else []


def aligned_text(
    columns: Sequence[str], rows: Iterable[Row], title: str = "", notes: Iterable[str] = (), width: float = math.inf, keys: int = 1
) -> str:
    """The title, the columns under their names, numbers to four digits, and the notes; where a width is given, fitted to it by `layout`.

    >>> print(aligned_text(["proxy", "mbr"], [{"proxy": "zen", "mbr": 0.123456}]))
    proxy  mbr
    zen    0.1235
    """
    listed = list(rows)
    cells = {name: [short(row[name]) for row in listed] for name in columns}
    fitted = layout(cells, width, keys)
    lines = []
    for number, block in enumerate(fitted.blocks):
        lines += [""] if number else []
        lines += _lines([fitted.heads[name] for name in block], [fitted.widths[name] for name in block])
        for row in range(len(listed)):
            lines += _lines([_wrapped(cells[name][row], fitted.widths[name]) for name in block], [fitted.widths[name] for name in block])
    around = [[title] if title else [], [*same_text(fitted.same), *notes]]
    before, after = ([line for text in part for line in _wrapped(text, width)] for part in around)
    return "\n".join([*before, *lines, *after])


def _lines(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """One row of cells that have several lines."""
    height = max(map(len, cells))
    filled = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return ["  ".join(cell[n].ljust(width) for cell, width in zip(filled, widths, strict=True)).rstrip() for n in range(height)]


def _wrapped(text: str, width: float) -> list[str]:
    parts = text.split("\n")
    return [line for part in parts for line in ([part] if len(part) <= width else textwrap.wrap(part, int(width), break_on_hyphens=False))]


def short(value: Any) -> str:
    """One value for a reader: a number to four digits, "-" where there is none, the values of a list one after the other."""
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return " ".join(map(short, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
