"""Pages that are files of the project: the card, the changelog and their like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PAGES = {
    "DATASET_CARD.md": "card.md",
    "DATASHEET.md": "datasheet.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}


def page_of(path: Path, pages: Mapping[str, str] = PAGES) -> str:
    """The text of a file as a page: without a header, and links to files that are no page as names.

    A generated part's markers are comments, which no reader sees.
    """
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(), flags=re.DOTALL)

    def linked(found: re.Match[str]) -> str:
        words, target = found.groups()
        if "://" in target or target.startswith("#"):
            return found[0]
        return f"[{words}]({pages[target]})" if target in pages else words

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", linked, text)
