"""Rows as text: CSV, JSON, HTML and aligned columns. Imports nothing that is slow to import.

A row is a dict of Python values in which None is absent.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
WRAPPED = 24  # characters to which the widest column of words is wrapped at most
LEAST = 8  # characters that a column keeps in any case


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Comma-separated text with a header line; absent is empty.

    >>> csv_text(["proxy", "mbr"], [{"proxy": "zen", "mbr": None}])
    'proxy,mbr\\nzen,\\n'
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def json_text(
    title: str, notes: Iterable[str], rows: Iterable[Row], more: Mapping[str, Sequence[str]] | None = None
) -> str:
    """{"title", "notes", "rows"}, and the lists of `more`.

    Absent is null. Infinities, for which JSON has no numbers, are the strings "inf" and "-inf".

    >>> json_text("mBR", [], [{"proxy": "zen", "mbr": -math.inf}])
    '{"title": "mBR", "notes": [], "rows": [{"proxy": "zen", "mbr": "-inf"}]}'
    """
    listed = [{name: _for_json(value) for name, value in row.items()} for row in rows]
    content = {"title": title, "notes": list(notes), **(more or {}), "rows": listed}
    return json.dumps(content, allow_nan=False)


def _for_json(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value


def html_text(
    columns: Sequence[str],
    rows: Iterable[Row],
    title: str = "",
    notes: Iterable[str] = (),
    left_out: str = "",
) -> str:
    """A table element, as notebooks show it; what is absent is "-".

    >>> html_text(["proxy"], [{"proxy": "a<b"}])
    '<table><thead><tr><th>proxy</th></tr></thead><tbody><tr><td>a&lt;b</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = ""
    for row in rows:
        cells = "".join(f"<td>{html.escape(short(row[name]))}</td>" for name in columns)
        body += f"<tr>{cells}</tr>"
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    below = "".join(f"<p>{html.escape(note)}</p>" for note in (left_out, *notes) if note)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


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


def layout(
    cells: Mapping[str, Sequence[str]], width: float = math.inf, keys: int = 1, gap: int = 2
) -> Layout:
    """The layout of columns of text within `width` characters, with `gap` between two columns.

    A table that is too wide gets, one after the other until it fits:

        names in lines, broken before "_"
        no columns in which all rows are the same
        the widest column of words wrapped
        blocks of columns, each after the first `keys` columns and with at least one more

    >>> fitted = layout({"proxy": ["zen", "ntk"], "mbr_union": ["0.1", "0.2"], "missing": ["0", "0"]}, 14)
    >>> fitted.blocks, fitted.heads["mbr_union"], fitted.same
    ([['proxy', 'mbr_union']], ['mbr', '_union'], {'missing': '0'})
    """
    longest = {name: max(map(len, column), default=0) for name, column in cells.items()}
    heads = {name: [name] for name in cells}
    same: dict[str, str] = {}
    if _excess(widths_of(heads, longest), width, gap) > 0:
        heads = {name: _broken(name, longest[name]) for name in cells}
    if _excess(widths_of(heads, longest), width, gap) > 0:
        same = _same_columns(cells, keys)
        heads = {name: lines for name, lines in heads.items() if name not in same}
    widths = widths_of(heads, longest)
    excess = _excess(widths, width, gap)
    if excess > 0:
        _narrow_words(widths, cells, excess)
    names = list(heads)
    room = width - sum(widths[name] + gap for name in names[:keys])
    for name in names[keys:]:
        widths[name] = int(min(widths[name], max(room, LEAST)))
    return Layout(_blocks(names, widths, width, keys, gap), heads, widths, same)


def widths_of(heads: Mapping[str, Sequence[str]], longest: Mapping[str, int]) -> dict[str, int]:
    """Column -> the characters of its widest line, name or cell."""
    return {name: max(longest[name], *map(len, lines)) for name, lines in heads.items()}


def _excess(widths: Mapping[str, int], width: float, gap: int) -> float:
    """Characters by which a table of these columns is too wide."""
    return sum(widths.values()) + gap * (len(widths) - 1) - width


def _same_columns(cells: Mapping[str, Sequence[str]], keys: int) -> dict[str, str]:
    """Column -> its cell, of columns behind the keys in which all of several rows are the same."""
    same = {}
    for name, column in list(cells.items())[keys:]:
        if len(column) > 1 and len(set(column)) == 1:
            same[name] = column[0]
    return same


def _narrow_words(widths: dict[str, int], cells: Mapping[str, Sequence[str]], excess: float) -> None:
    """Take `excess` characters off the widest column of words, as far as it goes."""
    worded = [name for name in widths if any(" " in cell for cell in cells[name])]
    if worded:
        widest = max(worded, key=lambda name: widths[name])
        widths[widest] = max(min(WRAPPED, widths[widest]), widths[widest] - int(excess))


def _blocks(
    names: Sequence[str], widths: Mapping[str, int], width: float, keys: int, gap: int
) -> list[list[str]]:
    head = [*names[:keys]]
    blocks = [[*head]]
    for name in names[keys:]:
        wider = {one: widths[one] for one in (*blocks[-1], name)}
        if len(blocks[-1]) > keys and _excess(wider, width, gap) > 0:
            blocks.append([*head])
        blocks[-1].append(name)
    return blocks


def _broken(name: str, width: int) -> list[str]:
    """A name in lines that are no wider than `width` or its longest part, broken before "_"."""
    parts = re.findall(r"_*[^_]+_*$|_*[^_]+", name) or [name]
    limit = max(width, *map(len, parts))
    lines = [""]
    for part in parts:
        if len(lines[-1] + part) > limit:
            lines.append("")
        lines[-1] += part
    return lines


def same_text(same: Mapping[str, str]) -> list[str]:
    """The note on columns that a table leaves out because all its rows are the same; none where there are none."""
    if not same:
        return []
    pairs = ", ".join(f"{name} = {cell}" for name, cell in same.items())
    return [f"The same in every row: {pairs}."]


def aligned_text(
    columns: Sequence[str],
    rows: Iterable[Row],
    title: str = "",
    notes: Iterable[str] = (),
    width: float = math.inf,
    keys: int = 1,
) -> str:
    """The title, the columns under their names, and the notes. Numbers have four digits.

    Where a width is given, the table is fitted to it by `layout`.

    >>> print(aligned_text(["proxy", "mbr"], [{"proxy": "zen", "mbr": 0.123456}]))
    proxy  mbr
    zen    0.1235
    """
    listed = list(rows)
    cells = {name: [short(row[name]) for row in listed] for name in columns}
    fitted = layout(cells, width, keys)
    lines = [] if not title else _wrapped(title, width)
    for number, block in enumerate(fitted.blocks):
        if number:
            lines.append("")
        widths = [fitted.widths[name] for name in block]
        lines += _lines([fitted.heads[name] for name in block], widths)
        for row in range(len(listed)):
            lines += _lines([_wrapped(cells[name][row], fitted.widths[name]) for name in block], widths)
    for note in (*same_text(fitted.same), *notes):
        lines += _wrapped(note, width)
    return "\n".join(lines)


def _lines(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """One row of cells that have several lines."""
    lines = []
    for number in range(max(map(len, cells))):
        line = ""
        for cell, width in zip(cells, widths, strict=True):
            part = cell[number] if number < len(cell) else ""
            line += part.ljust(width) + "  "
        lines.append(line.rstrip())
    return lines


def _wrapped(text: str, width: float) -> list[str]:
    lines = []
    for part in text.split("\n"):
        lines += [part] if len(part) <= width else textwrap.wrap(part, int(width), break_on_hyphens=False)
    return lines


def short(value: Any) -> str:
    """One value for a reader: a number to four digits, "-" where there is none, a list's values one after the other."""
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return " ".join(map(short, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
