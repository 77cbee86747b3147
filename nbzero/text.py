"""Rows as text: CSV, JSON, HTML and aligned columns. Imports nothing that is slow to import.

A row is a dict of Python values in which None is absent.
"""

from __future__ import annotations

import csv
import html
import io
import itertools
import json
import math
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
# Behind the name of a proxy whose scores are not to be trusted (`nbzero.spaces.doubts_of`), wherever the name
# is printed or drawn. Data keep the plain name. A note that begins with it says why.
MARK = "*"
WRAPPED = 24  # characters to which the widest column of words is wrapped at most
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins with one is a formula to a spreadsheet
LEAST = 8  # characters that a column keeps in any case


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Comma-separated text with a header line; absent is empty.

    A text that a spreadsheet would take for a formula begins with an apostrophe, as spreadsheets have it.

    >>> csv_text(["proxy", "mbr"], [{"proxy": "zen", "mbr": None}])
    'proxy,mbr\\nzen,\\n'
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(_for_csv, rows))
    return out.getvalue()


def _for_csv(row: Row) -> dict[str, Any]:
    made = dict(row)
    for name, value in made.items():
        if isinstance(value, str) and value.startswith(FORMULA):
            made[name] = "'" + value
    return made


def json_text(
    title: str, notes: Iterable[str], rows: Iterable[Row], more: Mapping[str, Sequence[str]] | None = None
) -> str:
    """{"title", "notes", "rows"}, and the lists of `more`.

    Absent is null. Infinities, for which JSON has no numbers, are the strings "inf" and "-inf".

    >>> json_text("mBR", [], [{"proxy": "zen", "mbr": -math.inf}])
    '{"title": "mBR", "notes": [], "rows": [{"proxy": "zen", "mbr": "-inf"}]}'
    """
    content: dict[str, Any] = {"title": title, "notes": list(notes)}
    content.update(more or {})
    content["rows"] = list(map(_for_json, rows))
    return json.dumps(content, allow_nan=False)


def _for_json(row: Row) -> dict[str, Any]:
    made = dict(row)
    for name, value in made.items():
        if isinstance(value, float) and math.isinf(value):
            made[name] = str(value)
    return made


def marked(said: str, doubtful: Collection[str]) -> str:
    """A name, or a text of several, with MARK behind each that is doubtful.

    >>> marked("jacob_cov", ["jacob_cov"]), marked("majority(zen + jacob_cov)", ["jacob_cov"])
    ('jacob_cov*', 'majority(zen + jacob_cov*)')
    >>> marked("scores.jacob_cov", ["jacob_cov"]), marked("my_jacob_cov", ["jacob_cov"])
    ('scores.jacob_cov*', 'my_jacob_cov')
    """
    if not doubtful:
        return said
    parts = re.split(_BETWEEN_NAMES, said)
    for place, part in enumerate(parts):
        if part in doubtful:
            parts[place] = part + MARK
    return "".join(parts)


_BETWEEN_NAMES = r"( \+ | = |, |\.|\(|\))"  # in parentheses, so that splitting keeps what stands between


def marked_table(
    columns: Sequence[str], rows: Iterable[Row], doubtful: Collection[str]
) -> tuple[list[str], list[Row]]:
    """A table as it is printed: the columns and rows, names in both `marked`."""
    heads = [marked(name, doubtful) for name in columns]
    made: list[Row] = []
    for row in rows:
        cells = []
        for name in columns:
            value = row[name]
            cells.append(marked(value, doubtful) if isinstance(value, str) else value)
        made.append(dict(zip(heads, cells, strict=True)))
    return heads, made


def html_text(columns: Sequence[str], rows: Iterable[Row], title: str = "", notes: Iterable[str] = ()) -> str:
    """A table element, as notebooks show it, and a paragraph for each note. What is absent is "-".

    >>> html_text(["proxy"], [{"proxy": "a<b"}])
    '<table><thead><tr><th>proxy</th></tr></thead><tbody><tr><td>a&lt;b</td></tr></tbody></table>'
    """
    caption = _elements("caption", [title] if title else [])
    head = _elements("th", columns)
    body = ""
    for row in rows:
        cells = _elements("td", (short(row[name]) for name in columns))
        body += f"<tr>{cells}</tr>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return table + _elements("p", notes)


def _elements(tag: str, texts: Iterable[str]) -> str:
    """Texts as HTML elements, escaped."""
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)


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
    heads = {name: [name] for name in cells}
    same: dict[str, str] = {}
    widths = _widths(heads, cells)
    if _excess(widths.values(), width, gap) > 0:
        for name, column in cells.items():
            heads[name] = _broken(name, _longest(column))
        widths = _widths(heads, cells)
    if _excess(widths.values(), width, gap) > 0:
        same = _same_columns(cells, keys)
        for name in same:
            del heads[name], widths[name]
    excess = _excess(widths.values(), width, gap)
    if excess > 0:
        _narrow_words(widths, cells, excess)
    names = list(heads)
    room = -_excess([widths[name] for name in names[:keys]], width, gap) - gap
    for name in names[keys:]:
        widths[name] = int(min(widths[name], max(room, LEAST)))
    return Layout(_blocks(names, widths, width, keys, gap), heads, widths, same)


def _longest(column: Iterable[str]) -> int:
    return max(map(len, column), default=0)


def _widths(heads: Mapping[str, Sequence[str]], cells: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Column -> the characters of its widest line, name or cell."""
    widths = {}
    for name, lines in heads.items():
        widths[name] = max(_longest(lines), _longest(cells[name]))
    return widths


def _excess(widths: Collection[int], width: float, gap: int) -> float:
    """Characters by which a table of columns so wide is too wide."""
    return sum(widths) + gap * (len(widths) - 1) - width


def _same_columns(cells: Mapping[str, Sequence[str]], keys: int) -> dict[str, str]:
    """Column -> its cell, of columns behind the keys in which all of several rows are the same."""
    same = {}
    for name, column in list(cells.items())[keys:]:
        if len(column) > 1 and len(set(column)) == 1:
            same[name] = column[0]
    return same


def _narrow_words(widths: dict[str, int], cells: Mapping[str, Sequence[str]], excess: float) -> None:
    """Take `excess` characters off the widest column of words, as far as it goes."""
    worded = [name for name in widths if " " in "".join(cells[name])]
    if worded:
        widest = max(worded, key=widths.__getitem__)
        least = min(WRAPPED, widths[widest])
        widths[widest] = max(least, widths[widest] - int(excess))


def _blocks(
    names: Sequence[str], widths: Mapping[str, int], width: float, keys: int, gap: int
) -> list[list[str]]:
    blocks = [[*names[:keys]]]
    for name in names[keys:]:
        wider = [widths[one] for one in (*blocks[-1], name)]
        if len(blocks[-1]) > keys and _excess(wider, width, gap) > 0:
            blocks.append([*names[:keys]])
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
    """The note on columns that are left out because all rows have the same in them; an empty list without."""
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
    cells = {}
    for name in columns:
        cells[name] = [printable(short(row[name])) for row in listed]
    fitted = layout(cells, width, keys)
    blocks = []
    for block in fitted.blocks:
        lines = _block_lines(block, fitted, cells, len(listed))
        blocks.append("\n".join(lines))
    above = _wrapped(printable(title), width) if title else []
    below = []
    for note in (*same_text(fitted.same), *notes):
        below += _wrapped(printable(note), width)
    return "\n".join([*above, "\n\n".join(blocks), *below])


def _block_lines(
    block: Sequence[str], fitted: Layout, cells: Mapping[str, Sequence[str]], num_rows: int
) -> list[str]:
    """The lines of one block of columns: their names, then the rows."""
    widths = [fitted.widths[name] for name in block]
    lines = _row_lines([fitted.heads[name] for name in block], widths)
    for row in range(num_rows):
        wrapped = [_wrapped(cells[name][row], fitted.widths[name]) for name in block]
        lines += _row_lines(wrapped, widths)
    return lines


def _row_lines(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """One row of cells that have several lines."""
    lines = []
    for parts in itertools.zip_longest(*cells, fillvalue=""):
        line = "  ".join(map(str.ljust, parts, widths))
        lines.append(line.rstrip())
    return lines


def _wrapped(text: str, width: float) -> list[str]:
    """A text in lines that are no wider than `width`, broken between words where that goes."""
    lines = []
    for part in text.split("\n"):
        if len(part) <= width:
            lines.append(part)
        else:
            lines += textwrap.wrap(part, int(width), break_on_hyphens=False)
    return lines


def printable(text: str) -> str:
    """A text for a terminal: control, escape and bidirectional characters as Python writes them.

    They could hide what stands there, or give the terminal commands. Line ends stay.

    >>> print(printable(f"zen{chr(27)}[2J{chr(0x202E)}"))
    zen\\x1b[2J\\u202e
    """
    if text.isprintable():
        return text
    shown = []
    for one in text:
        plain = one.isprintable() or one == "\n"
        shown.append(one if plain else one.encode("unicode_escape").decode())
    return "".join(shown)


def short(value: Any) -> str:
    """One value for a reader.

    A number has four digits. "-" is where there is none. A list's values come one after the other.
    """
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return " ".join(map(short, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
