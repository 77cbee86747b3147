"""The rows of a reproduction, and the file that they are merged into."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nbzero.errors import ReleaseError
from nbzero.files import write_whole
from nbzero.metrics.bootstrap import resampled
from nbzero.metrics.correlations import spearman_rho
from nbzero.release.reproductions import KEY, checked_results, results_schema

RESAMPLES = 400  # for a standard error


@dataclass(frozen=True)
class Result:
    """One number of a paper beside ours.

    Attributes:
        table: as it is named in `builders.reproduce`.
        paper, ours: None where there is none.
        n: archs, or whatever was counted.
        seeds: of the networks' weights.
        se: standard error of ours, of the archs drawn.
        protocol: how the networks were scored; "counted" where none was.
        note: what is to be said of it.
    """

    table: str
    row: str
    paper: float | None
    ours: float | None
    n: int
    seeds: int
    se: float | None
    protocol: str
    note: str = ""


def standard_error(metric: Callable[..., float], *arrays: npt.ArrayLike) -> float | None:
    """Of a metric when archs are drawn again; None where it is not defined."""
    values = resampled(metric, *arrays, resamples=RESAMPLES)
    there = values[~np.isnan(values)]
    return float(there.std(ddof=1)) if len(there) > 1 else None


def spearman_row(
    table: str,
    row: str,
    paper: float | None,
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    protocol: str,
    note: str = "",
    seeds: int = 1,
    absent: Literal["omit", "last"] = "omit",
) -> Result:
    """A Spearman correlation with accuracy beside the paper's absolute one, with the sign that was found.

    Args:
        absent: archs without a score (NaN) are left out, as the authors of WRCor and SWAP leave them, or rank
            below all others.
    """
    values, accuracy = np.asarray(scores, np.float64), np.asarray(accuracy, np.float64)
    there = ~np.isnan(values)
    num_absent = int((~there).sum())
    if absent == "omit":
        values, accuracy = values[there], accuracy[there]
    if len(values) < 2 or math.isnan(spearman_rho(values, accuracy)):
        why = "all scores are equal" if there.sum() > 1 else "no scores"
        return Result(table, row, paper, None, len(values), seeds, None, protocol, joined(note, why))
    ours = spearman_rho(values, accuracy)
    se = standard_error(spearman_rho, values, accuracy)
    if num_absent:
        placed = "left out" if absent == "omit" else "ranked last"
        note = joined(note, f"{num_absent} without a score {placed}")
    if paper is not None:
        note = joined(_said_place(paper, ours, se), note)
    return Result(table, row, paper, ours, len(values), seeds, se, protocol, note)


def joined(*parts: str) -> str:
    """The parts that say something."""
    return "; ".join(part for part in parts if part)


def _said_place(paper: float, ours: float, se: float | None) -> str:
    """Whether it is within max(0.03, 3 se) of the paper's absolute value."""
    apart = abs(abs(ours) - paper)
    said = "within" if apart <= room(se) else "outside"
    return f"{said} {room(se):.3f}"


def room(se: float | None) -> float:
    """How far from the paper's figure ours may lie: 0.03, or three standard errors where that is more."""
    return max(0.03, 3 * (se or 0.0))


def paired_row(
    table: str,
    row: str,
    paper: float | None,
    one: npt.ArrayLike,
    other: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    protocol: str,
) -> Result:
    """How much more one score's Spearman is than another's on the same archs, and its 95 % interval.

    Archs that lack one of the scores are left out.
    """
    one, other, accuracy = (np.asarray(values, np.float64) for values in (one, other, accuracy))
    there = ~np.isnan(one) & ~np.isnan(other)
    one, other, accuracy = one[there], other[there], accuracy[there]
    if len(one) < 2 or math.isnan(_gain(one, other, accuracy)):
        note = "a score is the same for all, or there are fewer than two archs"
        return Result(table, row, paper, None, len(one), 1, None, protocol, note)
    values = resampled(_gain, one, other, accuracy, resamples=1000)
    low, high = np.nanquantile(values, [0.025, 0.975])
    note = f"95 % interval of the paired difference {low:+.4f} to {high:+.4f}"
    left_out = int((~there).sum())
    if left_out:
        note = joined(note, f"{left_out} without one of the scores left out")
    ours = _gain(one, other, accuracy)
    return Result(table, row, paper, ours, len(one), 1, float(np.nanstd(values, ddof=1)), protocol, note)


def _gain(one: npt.ArrayLike, other: npt.ArrayLike, accuracy: npt.ArrayLike) -> float:
    return spearman_rho(one, accuracy) - spearman_rho(other, accuracy)


def read_results(path: Path) -> list[Result]:
    """The rows of a file; none where it is not there.

    Raises:
        ReleaseError: it is no such file.
    """
    if not path.exists():
        return []
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read as results: {error.strerror or error}") from error
    table = checked_results(data, str(path))
    return [Result(**row) for row in table.to_pylist()]


def merge(path: Path, rows: Iterable[Result]) -> list[Result]:
    """Write rows into the file; all that it has.

    Of two rows of the same table, row and protocol the one of more archs stays, of as many the new one.
    """
    merged = {_key(row): row for row in read_results(path)}
    for row in rows:
        there = merged.get(_key(row))
        if there is None or row.n >= there.n:
            merged[_key(row)] = row
    ordered = [merged[key] for key in sorted(merged)]
    table = pa.Table.from_pylist([asdict(row) for row in ordered], results_schema())
    made = io.BytesIO()
    pq.write_table(table, made, compression="zstd")
    write_whole(path, made.getvalue())
    return ordered


def _key(row: Result) -> tuple[str, ...]:
    return tuple(getattr(row, name) for name in KEY)


def said(rows: Sequence[Result]) -> str:
    """The rows as text."""
    lines = [f"{'row':26} {'paper':>8} {'ours':>8} {'se':>6} {'n':>6}  note"]
    for row in rows:
        number = partial(_number, width=8)
        lines.append(
            f"{row.row:26} {number(row.paper)} {number(row.ours)} {_number(row.se, 6)} {row.n:6,}  {row.note}"
        )
    return "\n".join(lines)


def _number(value: float | None, width: int) -> str:
    return "-".rjust(width) if value is None else f"{value:{width}.3f}"
