"""Files of scores: CSV, JSON or Parquet with an arch and a score a row."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbzero.errors import UsageError, count_of, unknown_name

if TYPE_CHECKING:
    from nbzero.proxies.scored import OwnScores

ABSENT = ("", "nan", "null", "none", "na", "n/a")


def read_scores(file: str, column: str | None) -> Mapping[str, float | None]:
    """arch -> score of a file; "-" is stdin.

    With a column seed an arch may have a row for each, and its score is their mean. What `nbzero score`
    writes says where the scores come from too, and why one is absent.

    Args:
        column: of the scores; None: score, else the only one beside arch.

    Raises:
        UsageError: naming what is wrong and where.
    """
    where = "stdin" if file == "-" else file
    if Path(file).suffix.lower() in (".parquet", ".pq"):
        columns, rows = _from_parquet(file)
    else:
        columns, rows = _from_text(_text(file, where), where)
    wanted = _score_column(columns, column, where)
    if "seed" in columns:
        return _with_seeds(rows, wanted, where)
    scores: dict[str, float | None] = {}
    for number, row in enumerate(rows, 1):
        arch = _arch(row, where, number)
        if arch in scores:
            raise UsageError(f"{where}: row {number} has {arch} again; give each arch one score")
        scores[arch] = _score(row.get(wanted), f"{where}: row {number}: {wanted}")
    return scores


def _with_seeds(rows: Sequence[Mapping[str, Any]], wanted: str, where: str) -> OwnScores:
    # Here: what only looks up imports no proxies.
    from nbzero.proxies.scored import SETTINGS, OwnRow, OwnScores, check_once

    own = []
    for number, row in enumerate(rows, 1):
        seed = str(row["seed"])
        if not seed.isdecimal():
            raise UsageError(f"{where}: row {number}: seed is {row['seed']!r}; it is a whole number from 0")
        score = _score(row.get(wanted), f"{where}: row {number}: {wanted}")
        own.append(OwnRow(_arch(row, where, number), int(seed), score, str(row.get("reason") or "")))
    check_once(own, where)
    settings = {}
    for name in SETTINGS:
        values = {str(row.get(name) or "") for row in rows}
        settings[name] = values.pop() if len(values) == 1 else ""
    return OwnScores(own, **settings)


def _arch(row: Mapping[str, Any], where: str, number: int) -> str:
    arch = row.get("arch")
    if not isinstance(arch, str) or not arch:
        raise UsageError(f"{where}: row {number} has arch {arch!r}; it is an arch string")
    return arch


def _score_column(columns: Sequence[str], given: str | None, where: str) -> str:
    """The column that holds the scores."""
    if "arch" not in columns:
        listed = ", ".join(map(str, columns)) or "none"
        raise UsageError(f"{where} has no column arch, only {listed}; give arch and score")
    others = [name for name in columns if name != "arch"]
    if given is not None:
        if given not in others:
            raise unknown_name("column", given, others)
        return given
    if "score" in others:
        return "score"
    if len(others) != 1:
        listed = ", ".join(map(str, others)) or "arch alone"
        raise UsageError(f"{where} has the columns {listed}; say which holds the scores: --column NAME")
    return others[0]


def _text(file: str, where: str) -> str:
    try:
        content = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _cannot_be_read(file, error) from None
    except UnicodeDecodeError as error:
        instead = "give CSV, JSON, or Parquet in a file that ends in .parquet"
        raise UsageError(f"{where} is no text in UTF-8 ({error.reason}); {instead}") from None
    if not content.strip():
        raise UsageError(f"{where} is empty; it has a score for each arch")
    return content


def _cannot_be_read(file: str, error: OSError) -> UsageError:
    """A file of scores that cannot be opened: which, why, and what it has to be."""
    csv_or_json = 'CSV with a line of the columns arch and score, JSON like {"ARCH": SCORE, ..}'
    allowed = f"a file of scores: {csv_or_json}, Parquet with the same columns, or - for stdin"
    return UsageError(f"{file!r} cannot be read ({error.strerror or error}); it is {allowed}")


def _from_parquet(file: str) -> tuple[list[str], list[dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(file, "rb") as opened:
            table = pq.read_table(opened, use_threads=False)
    except OSError as error:
        raise _cannot_be_read(file, error) from None
    except pa.ArrowException as error:
        raise UsageError(f"{file} is no Parquet file that can be read ({error})") from None
    return table.column_names, table.to_pylist()


def _from_text(content: str, where: str) -> tuple[list[str], list[dict[str, Any]]]:
    is_json = content.lstrip()[0] in "[{"
    return _from_json(content, where) if is_json else _from_csv(content, where)


def _from_csv(content: str, where: str) -> tuple[list[str], list[dict[str, Any]]]:
    first, *lines = csv.reader(content.splitlines())
    columns = [name.strip() for name in first]
    if len(columns) == 1:
        _check_commas(columns[0], where)
    rows = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if len(line) != len(columns):
            found = count_of(len(line), "value")
            wanted = f"{count_of(len(columns), 'column')} {', '.join(columns)}"
            raise UsageError(f"{where}: row {number} has {found} for the {wanted}")
        rows.append(dict(zip(columns, (value.strip() for value in line), strict=True)))
    return columns, rows


def _check_commas(first_line: str, where: str) -> None:
    for mark in (";", "\t"):
        if mark in first_line:
            between = f"its first line, {first_line!r}, has {mark!r} between its columns"
            raise UsageError(f"{where}: {between}; they are parted by commas, as in arch,score")


def _from_json(content: str, where: str) -> tuple[list[str], list[dict[str, Any]]]:
    try:
        read = json.loads(content)
    except ValueError as error:
        raise UsageError(f"{where} is no JSON ({error})") from None
    if isinstance(read, dict) and isinstance(read.get("rows"), list):
        read = read["rows"]
    if isinstance(read, dict):
        read = [{"arch": arch, "score": score} for arch, score in read.items()]
    if not all(isinstance(row, dict) for row in read):
        forms = '{"ARCH": SCORE, ..} nor [{"arch": .., "score": ..}, ..]'
        raise UsageError(f"{where} is neither {forms}")
    return _names_in(read), read


def _names_in(rows: Iterable[dict[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    return list(names)


def _score(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, str) and value.lower() in ABSENT):
        return None
    wrong = UsageError(f"{where} is {value!r}; it is a number, or empty where there is none")
    if isinstance(value, bool):
        raise wrong
    try:
        return float(value)
    except (TypeError, ValueError):
        raise wrong from None
