"""Moves of a search: a random arch, a mutation, a crossover.

`GridMoves` goes wherever a network can be predicted. `TableMoves` stays among archs that a table has. Every
draw comes from the generator that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbzero.errors import NothingFoundError, UsageError, quoted
from nbzero.release import conditions
from nbzero.release.opened import OpenedSpace
from nbzero.release.schema import archs_row, imported_row
from nbzero.release.table import resolved
from nbzero.release.values import archs_column
from nbzero.spaces.macro import MAX_MACS, MAX_PARAMS, NEAR, Arch, Stage, as_arch
from nbzero.spaces.published import IMPORTED, space_with

if TYPE_CHECKING:
    import numpy.typing as npt

TRIES = 100  # mixes of two parents, before one of them is taken as it is


class Condition:
    """A condition on the columns of an archs table, like "macs < 5e6 and s1_depth >= 2", or none.

    Args:
        space: whose archs it is asked of.
        where: the condition; None is met by all.

    Attributes:
        members: (members,) bool, which of them meet it.

    Raises:
        UsageError: text that is no condition, or a column of runs or scores.
        UnknownNameError: a column that does not exist.
    """

    def __init__(self, space: OpenedSpace, where: str | None) -> None:
        self.where = where
        self._space = space
        self._met: dict[str, bool] = {}
        for name in [] if where is None else conditions.names_in(where):
            table, _ = resolved(name, space.name)
            if table != "archs":
                raise UsageError(f"column {name!r} in {where!r} is of {table}; a search is limited by archs")
        self.members = self._mask(lambda name: archs_column(space, name), len(space.archs))

    def is_met(self, arch: str) -> bool:
        """Whether an arch meets it, a member or not. Of no member the arch_id is null."""
        if self.where is None:
            return True
        arch_id = self._space.ids.get(arch)
        if arch_id is not None:
            return bool(self.members[arch_id])
        if arch not in self._met:
            row = self._row(arch)
            self._met[arch] = bool(self._mask(lambda name: _column_of(row[name]), 1)[0])
        return self._met[arch]

    def _mask(self, column: Callable[[str], npt.NDArray[Any]], number: int) -> npt.NDArray[np.bool_]:
        if self.where is None:
            return np.ones(number, bool)
        return conditions.mask(self.where, lambda name: column(name.removeprefix("archs.")), number)

    def _row(self, arch: str) -> dict[str, Any]:
        """The row that an archs table would have of an arch that is no member."""
        name = self._space.name
        row = imported_row(name, 0, arch) if name in IMPORTED else archs_row(0, arch)
        return row | {"arch_id": None}


def _column_of(value: Any) -> npt.NDArray[Any]:
    """A column of one row."""
    if isinstance(value, str):
        return np.array([value], object)
    return np.array([np.nan if value is None else value], np.float64)


class GridMoves:
    """Moves in the whole grid of a macro space, within its limits of macs and params and a condition.

    Args:
        archs: the members that meet the condition.
        condition: that every arch meets which is moved to.
    """

    def __init__(self, archs: Sequence[str], condition: Condition) -> None:
        self.archs = archs
        self._condition = condition

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """One of the archs one choice away (`Arch.edits`), drawn evenly among those that are allowed.

        Raises:
            NothingFoundError: none is allowed.
        """
        edits = as_arch(arch).edits()
        for position in rng.permutation(len(edits)).tolist():
            if self._is_allowed(edits[position]):
                return str(edits[position])
        none = f"none of the {len(edits)} archs one choice away from {arch} is within the limits"
        raise NothingFoundError(f"{none} of the space and of where={self._condition.where!r}")

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """A mix of two archs: strides of one, the depth and width of each stage of either, widths sorted.

        Where 100 mixes are not allowed it is one of the two.
        """
        parents = (as_arch(a), as_arch(b))
        for _ in range(TRIES):
            mixed = _mixed(parents, rng)
            if self._is_allowed(mixed):
                return str(mixed)
        return (a, b)[int(rng.integers(2))]

    def _is_allowed(self, arch: Arch) -> bool:
        return arch.macs <= MAX_MACS and arch.params <= MAX_PARAMS and self._condition.is_met(str(arch))


def check_generator(rng: object) -> None:
    """UsageError for what is no numpy generator, like a seed."""
    if not isinstance(rng, np.random.Generator):
        raise UsageError(f"rng is {quoted(rng)}; it is a generator, like np.random.default_rng(0)")


def _mixed(parents: tuple[Arch, Arch], rng: np.random.Generator) -> Arch:
    """Each choice from one of two archs. What one of them lacks of a stage is the other's."""
    stem = parents[int(rng.integers(2))].stem
    shape = parents[int(rng.integers(2))].stages
    depths, widths = [], []
    for s in range(len(shape)):
        having = [parent.stages[s] for parent in parents if s < len(parent.stages)]
        depths.append(having[int(rng.integers(len(having)))].depth)
        widths.append(having[int(rng.integers(len(having)))].width)
    choices = zip(depths, sorted(widths), shape, strict=True)
    stages = tuple(Stage(depth, width, like.stride) for depth, width, like in choices)
    return Arch(parents[0].space, stem, stages)


class TableMoves:
    """Moves among some archs of a space, such as those that were trained.

    Args:
        space: its name.
        archs: at least one of its members.
    """

    def __init__(self, space: str, archs: Sequence[str]) -> None:
        self.archs = archs
        self._space = space_with(space, archs)
        self._is_imported = space in IMPORTED

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """One of the 8 nearest, or in a published space of all that differ in one choice.

        Raises:
            NothingFoundError: there is no other arch.
        """
        near = self._space.neighbours(arch) if self._is_imported else []
        near = near or self.nearest(arch, NEAR)
        if not near:
            raise NothingFoundError(f"{arch} is the only arch to search among; nothing is near it")
        return near[int(rng.integers(len(near)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """The one nearest to a mix of two archs, as `Space.crossover`."""
        return self._space.crossover(a, b, rng)

    def nearest(self, arch: str, number: int) -> list[str]:
        """Up to so many, nearest first, the arch itself left out."""
        if len(self.archs) == 1:
            return [other for other in self.archs if other != arch]
        return self._space.neighbours(arch, min(number, len(self.archs) - 1))
