"""What the figures of factors share: which targets are drawn, and the importances of one target."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from nbzero.errors import UsageError, check_known, names
from nbzero.frame import Frame
from nbzero.judge.pool import ACCURACY
from nbzero.metrics.arrays import Floats
from nbzero.plots.given import check_frame
from nbzero.text import Row

MEANINGS = {
    "permutation": "R² lost on held-out archs when the factor is exchanged between archs",
    "gain": "mean gain of the splits, shares of 1",
    "gain_unique": "mean gain of the splits without repeated inputs, shares of 1",
}
COLUMNS = ("target", "factor", "same_as", "r2", "fits", "num_archs", "reason")
STAGES_SAID = (
    "out, depth, stride: width, blocks and stride of a stage; "
    "s4: the whole fourth stage and whether there is one."
)


class Importances(NamedTuple):
    """The importances of one target. F factors.

    Attributes:
        names: (F,) of the factors.
        values: (F,) from 0.
        errors: (F,) their standard errors, 0 where there are none.
    """

    names: list[str]
    values: Floats
    errors: Floats


def targets_of(frame: Frame, importance: str, targets: Iterable[str] | None, figure: str) -> list[str]:
    """The targets to draw; None is all, accuracy first.

    Raises:
        UnknownNameError: a Frame without the columns of `factors`, another importance, a target that is not
            in it.
        UsageError: no Frame, or no targets.
    """
    check_known("importance", [importance], MEANINGS)
    check_frame(frame, (*COLUMNS, importance), figure, "factors")
    known = sorted(dict.fromkeys(frame["target"].tolist()), key=_not_accuracy)
    chosen = names("targets", targets, known)
    check_known("target", chosen, known)
    if not chosen:
        raise UsageError(f"no targets to draw of {frame.title or 'the frame'}")
    return chosen


def _not_accuracy(target: str) -> bool:
    """Sorts the accuracy first."""
    return target != ACCURACY


def importances_of(rows: Frame, importance: str) -> Importances:
    """Those of the rows of one target; UsageError where there are none."""
    kept = [row for row in rows if _is_drawn(row, importance)]
    if not kept:
        raise UsageError(f"no factors of {rows['target'][0]} to draw")
    values = np.array([row[importance] or 0.0 for row in kept], np.float64).clip(0)
    errors = np.zeros(len(kept))
    if importance == "permutation":
        errors = np.array([row["permutation_se"] or 0.0 for row in kept], np.float64)
    return Importances([row["factor"] for row in kept], values, errors)


def _is_drawn(row: Row, importance: str) -> bool:
    """A repeated input is not, but for its gain; a whole stage is no input and has no gain."""
    if importance == "permutation":
        return row["same_as"] is None
    is_input = row["gain"] is not None or "_" in row["factor"] or row["factor"] == "stem"
    return is_input and (importance == "gain" or row["same_as"] is None)
