"""Columns of a space as numpy arrays: of all archs, or at given rows of a table; null where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, count_of
from nbzero.release.opened import Group, Opened, OpenedSpace, Seed

NO_MEAN = ("status", "curve")  # columns that hold no number, or several


def archs_column(space: OpenedSpace, column: str) -> npt.NDArray[Any]:
    """A column of the archs table, over all archs."""
    if column == "arch":
        return np.array(space.archs, object)
    return np.asarray(space.numbers("archs", column))


def of_all_archs(
    space: OpenedSpace, kind: str, column: str, dataset: str, name: str | None, seed: Seed
) -> npt.NDArray[Any]:
    """One column of runs or scores over all archs of the space."""
    table = f"{kind}/{dataset}"
    groups = {one: group for (other, one), group in space.groups(table).items() if other == name}
    found = {one: group for one, group in groups.items() if seed in (one, "mean")}
    _check_same_archs(space.name, dataset, found)
    if column in NO_MEAN and len(found) > 1:
        raise UsageError(f"{column} has no mean; name a seed")
    parts = [_spread(space, table, column, group) for group in found.values()]
    if not parts:
        return at_rows(space, table, column, np.full(len(space.archs), -1))
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)


def latencies_of(release: Opened, space: OpenedSpace, setup: str) -> npt.NDArray[np.float64]:
    """(archs,) `Record.latency` of all archs of a space under a setup that it has; NaN where not timed."""
    group = space.groups("latencies")[setup, 0]
    taken, reference = (
        np.asarray(_spread(space, "latencies", column, group), np.float64)
        for column in ("latency_ms", "reference_ms")
    )
    return taken * (release.usual_reference_ms(setup) / reference)


def _check_same_archs(space: str, dataset: str, groups: dict[int, Group]) -> None:
    """UsageError where a mean would be over more seeds of some archs than of others."""
    ids = [group.ids.tobytes() for group in groups.values()]
    if any(one != ids[0] for one in ids):
        counts = ", ".join(
            f"seed {seed}: {count_of(group.num_rows, 'arch')}" for seed, group in groups.items()
        )
        same = f"seed='mean' needs the same seeds for every arch of {space} on {dataset}"
        raise UsageError(f"{same}, but there are {counts}; name one")


def _spread(space: OpenedSpace, table: str, column: str, group: Group) -> npt.NDArray[Any]:
    """A column of one group over all archs, null where an arch is not in it.

    No copy of numbers where all are.
    """
    if group.num_rows == len(space.archs) and column not in NO_MEAN:
        return np.asarray(space.numbers(table, column))[group.start : group.stop]
    rows = np.full(len(space.archs), -1)
    rows[np.asarray(group.ids)] = np.arange(group.start, group.stop)
    return at_rows(space, table, column, rows)


def at_rows(space: OpenedSpace, table: str, column: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """(R,) one column at some rows.

    Args:
        table: of the index, like "runs/cifar10".
        rows: (R,) rows of that table; -1 where there is none.

    Returns:
        Of numbers float64, NaN for null. Of status objects, str or None. Of curve objects, each a read-only
        float64 array of its own length, or None.
    """
    there = rows >= 0
    found = _nulls(column, len(rows))
    if not there.any():
        return found
    if column == "status":
        texts, codes = space.index.texts(table, column)
        codes_R = np.asarray(codes)[rows[there]]
        if not (codes_R.min() >= -1 and codes_R.max() < len(texts)):
            raise space.index.damaged(f"status of {table} has a code beyond its {len(texts)} texts")
        found[there] = np.array([*texts, None], object)[codes_R]
    elif column == "curve":
        ends, values = map(np.asarray, space.index.lists(table, column))
        starts = np.concatenate([[0], ends[:-1]])
        for place, row in zip(np.flatnonzero(there), rows[there], strict=True):
            found[place] = values[starts[row] : ends[row]]
    else:
        found[there] = np.asarray(space.numbers(table, column))[rows[there]]
    return found


def _nulls(column: str, num_rows: int) -> npt.NDArray[Any]:
    if column in NO_MEAN:
        return np.full(num_rows, None, object)
    return np.full(num_rows, np.nan)
