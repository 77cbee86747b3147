"""Notebooks as pages: text as it is, code as code, and the outputs that are stored with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def page_of(path: Path) -> str:
    """A notebook as Markdown."""
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join(_cell(cell) for cell in cells) + "\n"


def code_of(path: Path) -> list[str]:
    """The code cells of a notebook, in order."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _cell(cell: dict[str, Any]) -> str:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return text
    parts = [f"```python\n{text}\n```"]
    printed = "".join("".join(output["text"]) for output in cell["outputs"] if "text" in output)
    if printed:
        parts.append(f"```text\n{printed.rstrip()}\n```")
    parts += [_output(output["data"]) for output in cell["outputs"] if "data" in output]
    return "\n\n".join(parts)


def _output(data: dict[str, Any]) -> str:
    """What a cell gave: a picture where there is one, else its text."""
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{"".join(data["image/png"]).strip()}" alt="figure">'
    text = "".join(data["text/plain"])
    return f"```text\n{text.rstrip()}\n```"
