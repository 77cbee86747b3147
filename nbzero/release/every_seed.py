"""A row per arch and seed: how runs and scores of several seeds stand in one table.

Runs and scores have seeds of their own. They join by arch and seed, as a full outer join does:

    a row       each arch and seed of which there is a run or a score
    null        what that arch and seed has none of
    no row      archs that have neither; a note counts them

Only the tables that a column is of count: seeds of scores make no rows where no column is a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import count_of
from nbzero.release.opened import Kind, OpenedSpace
from nbzero.release.values import at_rows

_SEEDS = 1 << 32  # a key is arch_id * _SEEDS + seed; both are int32 in the schema


class EverySeed:
    """The rows of one space, by arch_id and then by seed.

    Args:
        chosen: the recipe of runs and the protocol of scores, of the tables that count; None where the
            release has none of the space.

    Attributes:
        ids, seeds: (R,) arch_id and seed of each row.
        notes: how many archs have no row.
    """

    def __init__(self, space: OpenedSpace, dataset: str, chosen: Mapping[str, str | None]) -> None:
        self._space, self._dataset = space, dataset
        found = {}
        for kind, name in chosen.items():
            found[kind] = _keys_of(space, f"{kind}/{dataset}", name)
        keys = np.unique(np.concatenate([of_kind for of_kind, _ in found.values()]))
        self._rows: dict[str, npt.NDArray[np.int64]] = {}
        for kind, (of_kind, rows) in found.items():
            spread = np.full(len(keys), -1)
            spread[np.searchsorted(keys, of_kind)] = rows
            self._rows[kind] = spread
        self.ids = (keys // _SEEDS).astype(np.int32)
        self.seeds = (keys % _SEEDS).astype(np.int32)
        self.notes = _notes(space, len(np.unique(self.ids)), list(found))

    def of_archs(self, column: str) -> npt.NDArray[Any]:
        """A column of the archs table."""
        if column == "arch":
            return np.array(self._space.archs, object)[self.ids]
        return np.asarray(self._space.numbers("archs", column))[self.ids]

    def measured(self, kind: Kind, column: str) -> npt.NDArray[Any]:
        """A column of runs or scores."""
        return at_rows(self._space, f"{kind}/{self._dataset}", column, self._rows[kind])


def _keys_of(
    space: OpenedSpace, table: str, name: str | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The key of every row of one recipe or protocol, and where the row is in its table."""
    keys, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for (other, seed), group in space.groups(table).items():
        if other == name:
            keys.append(np.asarray(group.ids, np.int64) * _SEEDS + seed)
            rows.append(np.arange(group.start, group.stop))
    return np.concatenate(keys), np.concatenate(rows)


def _notes(space: OpenedSpace, num_there: int, kinds: list[str]) -> list[str]:
    without = len(space.archs) - num_there
    if not without:
        return []
    archs = f"{without:,} of {count_of(len(space.archs), 'arch')}"
    return [f"No row: {archs}, which have no {' and no '.join(kinds)} here."]
