"""What figures are given: whether it can be drawn, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbzero.errors import UnknownNameError, UsageError, unknown_name
from nbzero.frame import Frame
from nbzero.judge.evaluate import Report
from nbzero.judge.pool import Pool
from nbzero.judge.rows import CEILING, ORACLE, RANDOM

REFERENCES = (ORACLE, RANDOM, CEILING)  # rows of tables that are no proxies
NOT_DRAWN = "Not drawn, because no arch has a score of it"


def as_list(given: Any) -> list[Any]:
    """One table or pool, or several, as a list."""
    if isinstance(given, (Frame, Pool, Report)) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def check_frame(frame: object, columns: Iterable[str], figure: str, maker: str) -> None:
    """Raise unless a figure can be drawn of a frame.

    Args:
        columns: that the figure needs.
        figure: the function that draws it.
        maker: the function that makes such frames.

    Raises:
        UnknownNameError: a column that the frame does not have.
        UsageError: no Frame, or one without rows.
    """
    if not isinstance(frame, Frame):
        raise UsageError(f"{figure} draws a Frame of {maker}, not {type(frame).__name__}")
    for column in columns:
        if column not in frame:
            unknown = unknown_name("column", column, frame.columns)
            another = f"this one ({frame.title or 'untitled'}) is another"
            raise UnknownNameError(f"{figure} draws a Frame of {maker}, and {another}: {unknown}")
    if not len(frame):
        raise UsageError(f"nothing to draw: {frame.title or 'the frame'} has no rows")


def check_pools(pools: Iterable[object], figure: str) -> None:
    """UsageError unless there is a Pool, and all are Pools of one metric."""
    metrics = set()
    for pool in pools:
        if not isinstance(pool, Pool):
            raise UsageError(f"{figure} draws Pools (`Bench.pool`), not {type(pool).__name__}")
        metrics.add(pool.metric)
    if not metrics:
        raise UsageError(f"no pools to draw; {figure} takes one or more (`Bench.pool`)")
    if len(metrics) > 1:
        listed = ", ".join(sorted(metrics))
        raise UsageError(f"pools of different metrics ({listed}) in one figure; draw them apart")
