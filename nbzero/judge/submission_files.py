"""The files of a submission: submission.json, and the scores as `nbzero score` writes them.

Nothing in them is run. Every problem is found, not the first alone.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nbzero.errors import count_of, quoted
from nbzero.judge.board_rows import PROTOCOL, SWAP_REG
from nbzero.judge.hybrids import HYBRIDS
from nbzero.judge.pool import Pool
from nbzero.judge.rows import CEILING, ORACLE, RANDOM
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.scored import COLUMNS
from nbzero.release.opened import COSTS
from nbzero.spaces.published import IMPORTED

ABOUT = "submission.json"
FIELDS = ("name", "code", "authors", "machine", "seconds_per_network", "protocol")
OPTIONAL = ("direction",)
DIRECTIONS = {"higher": 1, "lower": -1}
MOST_BYTES = 64 * 2**20  # of one file
MOST_SHOWN = 3


class Problem(NamedTuple):
    """What is wrong with a submission: the file, and what to do."""

    file: str
    problem: str


class Scores(NamedTuple):
    """The scores of one space.

    Attributes:
        dataset, protocol: "" of a function of the arch alone, which has the same score on every data set.
        of_arch: arch -> score, None where it has none.
    """

    space: str
    dataset: str
    protocol: str
    of_arch: Mapping[str, float | None]

    def covers(self, pool: Pool) -> bool:
        """Whether they are scores on the data set and by the scoring protocol of a pool.

        Scores that came with an imported benchmark have a protocol of their own. There any is taken.
        """
        if self.space != pool.space or self.dataset not in ("", pool.dataset):
            return False
        return self.protocol in ("", pool.protocol) or pool.space in IMPORTED


# submission.json


def read_about(folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    file = str(folder / ABOUT)
    if not (folder / ABOUT).exists():
        return {}, [Problem(file, f"it is not there; it is JSON with the fields {', '.join(FIELDS)}")]
    text, problems = _text(folder / ABOUT)
    if problems:
        return {}, problems
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, [Problem(file, f"it is no JSON ({error})")]
    if not isinstance(about, dict):
        return {}, [Problem(file, f"it holds no object; it has the fields {', '.join(FIELDS)}")]
    missing = [name for name in FIELDS if name not in about]
    if missing:
        problems.append(Problem(file, f"it lacks {', '.join(missing)}"))
    unknown = [name for name in about if name not in (*FIELDS, *OPTIONAL)]
    if unknown:
        there = f"{', '.join(FIELDS)}, and may have {', '.join(OPTIONAL)}"
        listed = ", ".join(quoted(name, 40) for name in unknown[:MOST_SHOWN])
        problems.append(Problem(file, f"unknown fields {listed}; it has {there}"))
    for name, (is_right, allowed) in _RULES.items():
        if name in about and not is_right(about[name]):
            problems.append(Problem(file, f"{name} is {quoted(about[name], 80)}; {allowed}"))
    return about, problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_name(value: Any) -> bool:
    taken = (*PROXIES, *COSTS, *HYBRIDS, SWAP_REG, RANDOM, ORACLE, CEILING)
    return _is_text(value) and len(value) <= 40 and value not in taken


def _is_link(value: Any) -> bool:
    return _is_text(value) and value.startswith(("https://", "http://"))


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_time(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value > 0


_RULES = {
    "name": (_is_name, "it is a line of at most 40 characters, and no name that the board has already"),
    "code": (_is_link, "it is a link to the code, https://.."),
    "authors": (_are_names, 'it is a list of names, ["A. Author"]'),
    "machine": (_is_text, 'it is a line, like "1 core of an Intel Xeon, torch 2.11"'),
    "seconds_per_network": (_is_time, "it is a number above 0"),
    "protocol": (lambda value: value == PROTOCOL, f"it is {PROTOCOL!r}, of which this board is"),
    "direction": (lambda value: value in DIRECTIONS, f"it is one of {', '.join(DIRECTIONS)}"),
}


def _text(path: Path) -> tuple[str, list[Problem]]:
    file = str(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            return "", [Problem(file, f"it has more than {MOST_BYTES >> 20} MB")]
        return path.read_text(encoding="utf-8-sig"), []
    except OSError as error:
        return "", [Problem(file, f"it cannot be read ({error.strerror or error})")]
    except UnicodeDecodeError as error:
        return "", [Problem(file, f"it is no text in UTF-8 ({error.reason})")]


# The files of scores

Row = Mapping[str, str]


def read_scores(folder: Path) -> tuple[list[Scores], list[Problem]]:
    """The scores of all files, by space, data set and scoring protocol."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        return [], [Problem(str(folder), "it has no .csv file; nbzero score ... --out FILE.csv writes one")]
    problems: list[Problem] = []
    found: dict[tuple[str, str], Scores] = {}
    for path in files:
        rows, wrong = _rows(path)
        problems += wrong
        for key, own in _by_setting(rows).items():
            space, dataset, protocol = key
            scores, wrong = _of_setting(str(path), key, own)
            problems += wrong
            if (space, dataset) in found:
                again = f"{space} on {dataset or 'every data set'} stands elsewhere too, or by two protocols"
                problems.append(Problem(str(path), f"{again}; leave one"))
            found[space, dataset] = Scores(space, dataset, protocol, scores)
    return list(found.values()), problems


def _rows(path: Path) -> tuple[list[Row], list[Problem]]:
    text, problems = _text(path)
    if problems:
        return [], problems
    file = str(path)
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        rows = list(reader)
    except csv.Error as error:
        return [], [Problem(file, f"it is no CSV ({error}, line {reader.line_num})")]
    lacking = [name for name in COLUMNS if name not in columns]
    if lacking:
        wanted = f"it has those of nbzero score: {', '.join(COLUMNS)}"
        return [], [Problem(file, f"columns {', '.join(lacking)} are missing; {wanted}")]
    if not rows:
        return [], [Problem(file, "it has no rows; a score for each arch")]
    torn = [number for number, row in enumerate(rows, 1) if None in row or None in row.values()]
    if torn:
        said = f"{count_of(len(torn), 'row has', 'rows have')} another number of cells than the first line"
        return [], [Problem(file, f"{said}, first row {torn[0]}")]
    return list[Row](rows), []


def _by_setting(rows: Iterable[Row]) -> dict[tuple[str, str, str], list[Row]]:
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["space"], row["dataset"], row["protocol"]), []).append(row)
    return found


def _of_setting(
    file: str, key: tuple[str, str, str], rows: Sequence[Row]
) -> tuple[dict[str, float | None], list[Problem]]:
    """The score of every arch of one space, data set and protocol, and what is wrong with the rows."""
    scores: dict[str, float | None] = {}
    wrong: dict[str, list[str]] = {}
    for row in rows:
        arch = row["arch"]
        if arch in scores:
            wrong.setdefault("there twice; give each arch one row", []).append(arch)
        if row["seed"] != "0":
            wrong.setdefault(f"of another seed than 0; {PROTOCOL} is of seed 0", []).append(arch)
        try:
            scores[arch] = _number(row)
        except ValueError as error:
            scores[arch] = None
            wrong.setdefault(str(error), []).append(arch)
    of = ", ".join(filter(None, key))
    problems = []
    for what, archs in wrong.items():
        problems.append(Problem(file, f"{of}: {some_of(archs)} {what}"))
    return scores, problems


def _number(row: Row) -> float | None:
    text = row["score"].strip()
    if not text:
        if not row["reason"].strip():
            raise ValueError("without a score and without a reason; say why there is none in reason")
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError("whose score is no number; leave it empty and give a reason") from None
    if math.isnan(value):
        raise ValueError("whose score is NaN; leave it empty and give a reason")
    return value


def some_of(archs: Sequence[str]) -> str:
    listed = ", ".join(quoted(arch, 100) for arch in archs[:MOST_SHOWN])
    more = ", .." if len(archs) > MOST_SHOWN else ""
    return f"{count_of(len(archs), 'row')} ({listed}{more})"
