"""CITATION.cff, in Citation File Format 1.2.0, and the date of a data version."""

from __future__ import annotations

import re

from nbzero.cite import ORIGIN, benchmark
from nbzero.errors import ReleaseError
from nbzero.release.manifest import Release

TEMPLATE = """\
# Written by python -m builders.card. `nbzero cite` gives BibTeX, of the proxies' papers too.
cff-version: 1.2.0
type: dataset
message: Please cite nbzero with its data version, and the papers of the proxies that you use (nbzero cite).
title: "{title}"
authors:
  - name: {authors}
version: "{version}"
date-released: "{date}"
license: CC-BY-4.0
identifiers:
  - type: other
    value: "sha256:{sha256}"
    description: SHA-256 of the release's manifest.json, which has those of all its files
keywords:
  - neural architecture search
  - zero-cost proxies
  - benchmark
references:
  - type: generic
    title: "{origin}"
    authors:
{people}
    year: {year}
    notes: "{note}"
"""


def citation(release: Release, changelog: str) -> str:
    """The text of CITATION.cff for a release.

    Raises:
        ReleaseError: the changelog does not date the release.
    """
    version = release.manifest.data_version
    paper = benchmark(version, release.sha256)
    people = []
    for person in ORIGIN.author.split(" and "):
        family, _, given = person.partition(", ")
        people.append(f"      - family-names: {family}\n        given-names: {given}")
    return TEMPLATE.format(
        title=paper.title,
        authors=paper.author.strip("{}"),
        version=version,
        date=published(changelog, version),
        sha256=release.sha256,
        origin=ORIGIN.title,
        people="\n".join(people),
        year=ORIGIN.year,
        note=ORIGIN.note,
    )


def published(changelog: str, version: str) -> str:
    """The date of a data version, by its heading in the changelog.

    >>> published("## 0.12.0 (2026-11-27)", "0.12.0")
    '2026-11-27'
    """
    found = re.search(rf"^## {re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)$", changelog, re.MULTILINE)
    if not found:
        raise ReleaseError(f"CHANGELOG.md has no heading '## {version} (YEAR-MONTH-DAY)'; add it")
    return found[1]
