"""What every page needs: one HTML file that holds its data, its charts and its code, and fetches nothing.

What the page NAME shows of itself is in NAME.html, beside this module, and goes into layout.html, which all
pages share. `CODE` and `STYLE` name the files of its code and its style. In the layout stand

    @@name@@      of the page, and @@title@@, its title
    @@main@@      NAME.html
    @@data@@      what the page shows, as JSON
    @@style@@     its style
    @@charts@@    Vega-Lite as vl-convert-python bundles it, compressed by gzip, as base64: half as large
    @@page@@      its code
    @@hashes@@    of the two scripts, for the content security policy: it lets the page run no other

A line says whose page it is, by which it is known again: a file of someone else's is not replaced.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import nbzero
from nbzero.errors import OutputError, needs
from nbzero.files import write_whole
from nbzero.frame import Frame
from nbzero.pages.packed import compressed

MARK = '<meta name="generator" content="nbzero {name}">'
TITLES = {
    "report": "nbzero report: what training-free proxies pick within a budget",
    "leaderboard": "nbzero leaderboard: training-free proxies over all pools",
    "explorer": "nbzero explorer: every network, its accuracy, costs and scores",
}
CODE = {
    "report": ("elements.js", "cells.js", "common.js", "tables.js", "report.js"),
    "leaderboard": ("elements.js", "cells.js", "leaderboard.js"),
    "explorer": (
        "elements.js",
        "cells.js",
        "common.js",
        "tables.js",
        "archs.js",
        "panel.js",
        "chart.js",
        "region.js",
        "judge.js",
        "own.js",
        "explorer.js",
    ),
}
STYLE = {
    "report": ("page.css",),
    "leaderboard": ("page.css", "leaderboard.css"),
    "explorer": ("page.css", "explorer.css"),
}
HEAD = 2000  # bytes of a page, within which its mark stands
LICENCE = """\
Charts: Vega {vega} with Vega-Lite and Vega-Embed {embed}, unchanged, as bundled by vl-convert-python
{convert} (BSD 3-Clause).

Vega, Vega-Lite, Vega-Embed and Vega-Tooltip: Copyright (c) 2015-2026, University of Washington Interactive
Data Lab and contributors. All rights reserved. BSD 3-Clause:
Redistribution and use in source and binary forms, with or without modification, are permitted provided that
the following conditions are met:
1. Redistributions of source code must retain the above copyright notice, this list of conditions and the
following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
following disclaimer in the documentation and/or other materials provided with the distribution.
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or
promote products derived from this software without specific prior written permission.
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED
WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A
PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY
DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR
OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH
DAMAGE.

Within the bundle: D3 modules, Copyright Mike Bostock; TopoJSON, Copyright Michael Bostock; semver, Copyright
Isaac Z. Schlueter and others (ISC: permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the copyright notice and this permission notice
appear in all copies; the software is provided "as is" and the author disclaims all warranties with regard to
it). fast-json-patch, Copyright Joachim Wester; json-stringify-pretty-compact, Copyright Simon Lydell (MIT:
permission is granted, free of charge, to deal in the software without restriction, subject to including the
copyright notice and this permission notice in all copies; provided "as is").

The page itself: nbzero {nbzero}, Apache-2.0. Tables of nbzero's own release: CC BY 4.0."""


def target(folder: Path, name: str) -> Path:
    """The file of a page in a folder: NAME.html. To be asked before anything is computed.

    Raises:
        OutputError: the folder is a file, or what has the name of the page is no such page.
    """
    path = folder / f"{name}.html"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder, in which {path.name} is written")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name another folder, in which {path.name} is written")
    if path.exists() and not _is_ours(path, name):
        foreign = f"{path} is there and no {name} of nbzero"
        raise OutputError(f"{foreign}, so it is not replaced; move it, or name another folder")
    return path


def _is_ours(path: Path, name: str) -> bool:
    with open(path, "rb") as file:
        return MARK.format(name=name).encode() in file.read(HEAD)


def write_page(path: Path, content: Mapping[str, Any]) -> None:
    """Write a page, whole or not at all.

    Args:
        path: from `target`.
        content: as in `page_text`.

    Raises:
        OutputError: it cannot be written.
        MissingPackageError: vl-convert-python is not installed.
    """
    write_whole(path, page_text(path.stem, content).encode(), f"write the {path.stem} again")


def page_text(name: str, content: Mapping[str, Any]) -> str:
    """The HTML of a page.

    Args:
        name: of the page.
        content: what it shows, to be written as JSON; `licence` is added.

    Raises:
        MissingPackageError: vl-convert-python is not installed.
    """
    code = _beside(*CODE[name])
    charts = _charts()
    parts = {
        "name": name,
        "title": TITLES[name],
        "main": _beside(f"{name}.html"),
        "hashes": f"{_hash(charts)} {_hash(code)}",
        "data": _data({**content, "licence": _licence()}),
        "style": _beside(*STYLE[name]),
        "charts": _packed_charts(),
        "page": code,
    }
    return re.sub("@@([a-z]+)@@", lambda found: parts[found[1]], _beside("layout.html"))


def _beside(*names: str) -> str:
    """The text of files beside this module, one after the other."""
    here = Path(__file__).resolve().parent
    return "\n".join((here / name).read_text("utf-8") for name in names)


def _hash(script: str) -> str:
    """A script as the content security policy names it."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _data(content: Mapping[str, Any]) -> str:
    """JSON that holds no "</script>", which would end it."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _licence() -> str:
    """What the page is made of, and under which licences."""
    charts = bundler()
    return LICENCE.format(
        vega=charts.get_vega_version(),
        embed=charts.get_vega_embed_version(),
        convert=version("vl-convert-python"),
        nbzero=nbzero.__version__,
    )


@cache
def _charts() -> str:
    """The chart library as one script that defines vegaEmbed, and says so; bundling takes seconds."""
    bundle: str = bundler().javascript_bundle(
        "window.vegaEmbed = vegaEmbed; dispatchEvent(new Event('charts'));"
    )
    return bundle.replace("</script", "<\\/script")


@cache
def _packed_charts() -> str:
    return compressed(_charts().encode())


def bundler() -> Any:
    """The module vl_convert, which bundles the charts; to be asked before anything is computed.

    Raises:
        MissingPackageError: it cannot be imported.
    """
    return needs("a page with charts", "vl_convert")


def table_content(
    name: str, frame: Frame, notes: Sequence[str], by: str, is_descending: bool
) -> dict[str, Any]:
    """A Frame as the page reads it, and the column by which it is sorted at first.

    Infinities are the strings that `Frame.to_json` makes of them.
    """
    rows = json.loads(frame.to_json())["rows"]
    return {
        "id": name,
        "title": frame.title,
        "notes": [*notes, *frame.notes],
        "columns": list(frame.columns),
        "numeric": [frame[column].dtype.kind in "fiub" for column in frame.columns],
        "rows": [list(row.values()) for row in rows],
        "sort": {"column": by, "descending": is_descending},
    }


class Columns:
    """The columns of numbers and of lines that a page refers to by their places; equal ones are kept once.

    >>> columns = Columns()
    >>> columns.lines(["zen", "ntk"]), columns.numbers([0.5]), columns.lines(["zen", "ntk"])
    (0, 1, 0)
    >>> columns.all()
    ['zen\\nntk', 'AAAAAAAA4D8=']
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def numbers(self, values: npt.ArrayLike) -> int:
        """The place of numbers, exact: base64 of little-endian float64."""
        return self._place(base64.b64encode(np.asarray(values, "<f8").tobytes()).decode())

    def lines(self, texts: Iterable[str]) -> int:
        """The place of texts without line breaks."""
        return self._place("\n".join(texts))

    def _place(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))

    def all(self) -> list[str]:
        return list(self._places)
