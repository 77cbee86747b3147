"""What the card says to Hugging Face: its header, and the table of its configurations."""

from __future__ import annotations

from collections.abc import Sequence

from builders.work.groups import NUMBERS_OF_PAPERS, Group

HEADER = """\
pretty_name: nbzero
license: cc-by-4.0
task_categories:
  - tabular-regression
tags:
  - neural-architecture-search
  - zero-cost-proxies
  - benchmark
  - tabular
size_categories:
  - 10K<n<100K
configs:
"""
ROWS = {
    "archs": "an architecture, with its costs",
    "runs": "a training run",
    "scores": "a scored initialisation: every proxy of one network and seed",
    "predictions": "a predicted architecture; no measurement",
    "surrogates": "a network that a surrogate was fitted on",
    "latencies": "a network timed on a machine",
    NUMBERS_OF_PAPERS: "a number of a paper beside ours",
}


def header(found: Sequence[Group]) -> str:
    """The YAML between the card's first two lines of dashes; paths are those in the release's folder."""
    lines = [HEADER.rstrip()]
    for number, group in enumerate(found):
        lines.append(f"  - config_name: {group.name}")
        if number == 0:
            lines.append("    default: true")
        lines += ["    data_files:", "      - split: train", "        path:"]
        lines += [f"          - {file.path}" for file in group.files]
    return "\n".join(lines)


def configurations(found: Sequence[Group]) -> str:
    """A line of each configuration: what its rows are, how many there are, and their licence."""
    lines = ["| configuration | one row is | files | rows | licence |", "|---|---|---|---|---|"]
    for group in found:
        row = ROWS[group.table]
        lines.append(f"| `{group.name}` | {row} | {len(group.files)} | {group.rows:,} | {group.licence} |")
    return "\n".join(lines)
