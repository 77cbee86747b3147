"""Many grid points of one macro space at once, as arrays: choices and costs.

Strings are read several times faster than by `Arch.parse`, which words the errors. Capital endings name an
array's axes: N archs, S = 4 stages, of which the last is zeros where an arch has three.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, quoted, unknown_name
from nbzero.spaces.macro import (
    CHOICES,
    MAX_STAGES,
    NUM_CLASSES,
    NUM_HALVINGS,
    RESOLUTION,
    Arch,
    Choices,
    MacroSpace,
    arch_of,
    stage_costs,
)

Ints = npt.NDArray[np.int64]
NUM_NUMBERS = 1 + 3 * MAX_STAGES
_NO_STAGE = (0, 0, 0)


@dataclass(frozen=True)
class Points:
    """Grid points of one space.

    Attributes:
        space: its name.
        stem: (N,) channels.
        depth, width, stride: (N, S) blocks, channels, 1 or 2.
    """

    space: str
    stem: Ints
    depth: Ints
    width: Ints
    stride: Ints

    def __len__(self) -> int:
        return len(self.stem)

    def only(self, rows: slice) -> Points:
        """Some of them."""
        return Points(self.space, self.stem[rows], self.depth[rows], self.width[rows], self.stride[rows])

    def costs(self) -> tuple[Ints, Ints]:
        """(N,) macs and (N,) params at 3x32x32 with 100 classes, as in the tables."""
        macs, params = np.zeros((2, len(self)), np.int64)
        has_four = self.depth[:, -1] > 0
        for keep, num_stages in ((has_four, MAX_STAGES), (~has_four, MAX_STAGES - 1)):
            stages = []
            for s in range(num_stages):
                stages.append((self.depth[keep, s], self.width[keep, s], self.stride[keep, s]))
            family = CHOICES[self.space].family
            macs[keep], params[keep] = stage_costs(family, self.stem[keep], stages, RESOLUTION, NUM_CLASSES)
        return macs, params


def points_of(space: str, archs: Iterable[str | Arch] | npt.NDArray[np.integer[Any]]) -> Points:
    """Grid points, members or not.

    Args:
        space: one of the six macro spaces.
        archs: strings or Arch, or an integer array (N, 13) of what `MacroSpace.encode` gives for each.

    Raises:
        UnknownNameError: no such space.
        UsageError: one string instead of a list; the first arch that is malformed, out of the grid or of
            another space, as `Arch.parse` words it.
    """
    if space not in CHOICES:
        raise unknown_name("macro space", space, CHOICES)
    if isinstance(archs, (str, Arch)):
        raise UsageError(f"archs is {str(archs)!r}; it is a list of archs: [{str(archs)!r}]")
    if not isinstance(archs, Iterable):
        raise UsageError(f"archs is {quoted(archs)}; it is a list of archs, or an integer array (N, 13)")
    if isinstance(archs, np.ndarray) and archs.dtype.kind in "iu":
        return _decoded(CHOICES[space], archs)
    listed = list(archs)
    stems, stages = _codebook(CHOICES[space])
    codes = np.array(_codes_of(space, listed, stems, stages), np.int64).reshape(-1, 1 + MAX_STAGES)
    by_code = np.array([_NO_STAGE, *(key for key in stages if isinstance(key, tuple))])
    depth, width, stride = np.moveaxis(by_code[codes[:, 1:]], -1, 0)
    points = Points(space, codes[:, 0], depth, width, stride)
    for place in np.flatnonzero(~_in_grid(points)).tolist():
        arch_of(space, listed[place])  # raises, and says why
    return points


def _codebook(choices: Choices) -> tuple[dict[Any, int], dict[Any, int]]:
    """The stems by number and by how a string begins; the stages by (depth, width, stride) and by string.

    A stem's code is its width, a stage's its place among all, from 1.
    """
    stems: dict[Any, int] = {}
    for stem in choices.stems:
        stems[stem] = stems[f"{choices.name}-s{stem}"] = stem
    stages: dict[Any, int] = {}
    for code, (depth, width, stride) in enumerate(
        itertools.product(choices.depths, choices.widths, (1, 2)), start=1
    ):
        stages[depth, width, stride] = stages[f"d{depth}w{width}s{stride}"] = code
    return stems, stages


def _codes_of(
    space: str, archs: Sequence[Any], stems: Mapping[Any, int], stages: Mapping[Any, int]
) -> list[int]:
    """The codes of every arch, one list: its stem's, then those of four stages, 0 where there is none."""
    found: list[int] = []
    start = len(space) + 1
    for arch in archs:
        if isinstance(arch, Arch) and arch.space == space:
            head: Any = arch.stem
            parts: Any = arch.stages
        elif isinstance(arch, str):
            at = arch.find("-", start)
            head = arch[:at]
            parts = arch[at + 1 :].split("-")
        else:
            arch_of(space, arch)  # raises, and says why
        try:
            row = [stems[head], *[stages[part] for part in parts]]
        except KeyError:
            arch_of(space, arch)
            raise
        if len(row) == MAX_STAGES:
            row.append(0)
        elif len(row) != MAX_STAGES + 1:
            arch_of(space, arch)
        found += row
    return found


def _in_grid(points: Points) -> npt.NDArray[np.bool_]:
    """(N,) whether widths never decrease and exactly three stages halve the resolution."""
    there = points.depth > 0
    steps = np.diff(points.width, axis=1)
    grows = ((steps >= 0) | ~there[:, 1:]).all(axis=1)
    inside: npt.NDArray[np.bool_] = grows & ((points.stride == 2).sum(axis=1) == NUM_HALVINGS)
    return inside


def _decoded(choices: Choices, vectors: npt.NDArray[np.integer[Any]]) -> Points:
    """The points of encoded archs; UsageError as `MacroSpace.decode` for the first that is none."""
    if vectors.ndim != 2 or vectors.shape[1] != NUM_NUMBERS:
        wanted = f"they are (N, {NUM_NUMBERS}), a row of `encode` for each arch"
        raise UsageError(f"encoded archs of shape {vectors.shape}; {wanted}")
    stem, stages = vectors[:, 0], vectors[:, 1:]
    depth, width, stride = stages[:, 0::3], stages[:, 1::3], stages[:, 2::3]
    absent = (stages[:, -3:] == 0).all(axis=1)
    fits = (stem >= 0) & (stem < len(choices.stems))
    for values, most in ((depth, len(choices.depths)), (width, len(choices.widths)), (stride, 2)):
        inside = (values >= 1) & (values <= most)
        inside[:, -1] |= absent
        fits &= inside.all(axis=1)
    _refuse_first(choices, vectors, fits)
    points = Points(
        choices.name,
        np.asarray(choices.stems)[stem],
        np.asarray((0, *choices.depths))[depth],
        np.asarray((0, *choices.widths))[width],
        stride.astype(np.int64),
    )
    _refuse_first(choices, vectors, _in_grid(points))
    return points


def _refuse_first(choices: Choices, vectors: npt.NDArray[Any], fits: npt.NDArray[np.bool_]) -> None:
    for place in np.flatnonzero(~fits).tolist():
        MacroSpace(choices.name, ()).decode(vectors[place])  # raises, and says why
