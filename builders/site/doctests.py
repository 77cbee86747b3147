"""Docstrings for the site: their doctests as blocks of code, which Markdown would take for quotations."""

from __future__ import annotations

from typing import Any

import griffe

PROMPT = ">>> "


def fenced(text: str) -> str:
    """A docstring whose doctests stand between fences; an example ends at the next empty line.

    >>> print(fenced("Adds.\\n\\n>>> 1 + 1\\n2\\n\\nMore."))
    Adds.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    More.
    """
    lines: list[str] = []
    indent = ""
    inside = False
    for line in text.splitlines():
        if not inside and line.lstrip().startswith(PROMPT):
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{indent}```pycon")
            inside = True
        elif inside and not line.strip():
            lines.append(f"{indent}```")
            inside = False
        lines.append(line)
    if inside:
        lines.append(f"{indent}```")
    return "\n".join(lines)


class Doctests(griffe.Extension):
    """Fences the doctests of every docstring that griffe reads."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
