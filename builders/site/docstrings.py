"""Docstrings for the site, in the Markdown that griffe and zensical read.

Doctests become blocks of code, which Markdown would take for quotations. `Source:` becomes bold words, which
griffe would take for the title of a box.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

PROMPT = ">>> "
SOURCE = re.compile(r"^Source: ", re.MULTILINE)


def fenced(text: str) -> str:
    """A docstring whose doctests stand between fences; an example ends at the next empty line.

    >>> fenced("Adds.\\n\\n>>> 1 + 1\\n2\\n\\nMore.").splitlines()
    ['Adds.', '', '```pycon', '>>> 1 + 1', '2', '```', '', 'More.']
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


class Shown(griffe.Extension):
    """Changes every docstring that griffe reads."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = SOURCE.sub("**Source**: ", fenced(obj.docstring.value))
