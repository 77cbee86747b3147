"""What a release holds of each space: how many of its networks are trained, scored, predicted and timed.

A network counts once, whatever number of seeds it has. Predictions are counted apart and never as trainings.
It reads the index alone, and imports no numpy.
"""

from __future__ import annotations

from typing import NamedTuple

from nbzero.errors import count_of
from nbzero.release.opened import Opened, OpenedSpace
from nbzero.spaces.published import IMPORTED


class Held(NamedTuple):
    """The networks of one space, for one data set and recipe.

    Attributes:
        networks: members of the space.
        dataset: None where the release has nothing measured of the space.
        recipe: None where nothing was trained on that data set.
        trained: networks with a run of that recipe, whether it diverged or not.
        scored: networks with scores on that data set, under any protocol.
        predicted: networks with a prediction for that recipe; None where the release has no predictions of
            the space on that data set.
        timed: networks with a latency, under any setup, whatever the data set.
    """

    space: str
    networks: int
    dataset: str | None
    recipe: str | None
    trained: int
    scored: int
    predicted: int | None
    timed: int = 0


def held(release: Opened) -> list[Held]:
    """A row for each data set and recipe of each space; one of zeros where there are none."""
    rows: list[Held] = []
    for name in release.spaces:
        space = release.space(name)
        datasets = space.datasets()
        if not datasets:
            rows.append(Held(name, len(space.archs), None, None, 0, 0, None, _num_timed(space)))
        for dataset in datasets:
            rows += _of_dataset(space, dataset)
    return rows


def _of_dataset(space: OpenedSpace, dataset: str) -> list[Held]:
    scored = len(_archs_with(space, f"scores/{dataset}"))
    recipes: list[str | None] = []
    for table in ("runs", "predictions"):
        recipes += [recipe for recipe, _ in space.groups(f"{table}/{dataset}")]
    rows = []
    for recipe in dict.fromkeys(recipes or [None]):
        trained = len(_archs_with(space, f"runs/{dataset}", recipe)) if recipe else 0
        predicted = None
        if space.groups(f"predictions/{dataset}"):
            predicted = len(_archs_with(space, f"predictions/{dataset}", recipe))
        counts = (trained, scored, predicted, _num_timed(space))
        rows.append(Held(space.name, len(space.archs), dataset, recipe, *counts))
    return rows


def _num_timed(space: OpenedSpace) -> int:
    return len(_archs_with(space, "latencies"))


def _archs_with(space: OpenedSpace, table: str, name: str | None = None) -> set[int]:
    """The arch_ids in a table; of one recipe, or of all."""
    found: set[int] = set()
    for (other, _), group in space.groups(table).items():
        if name in (None, other):
            found.update(group.ids)
    return found


def summary(release: Opened) -> str:
    """How many networks there are in all, and how many of them are trained, scored, predicted.

    Where some were timed, also how many. Networks, not runs: one with runs of several recipes or data sets
    counts once. Beside our own, those of published benchmarks are a sentence of their own.
    """
    ours = [name for name in release.spaces if name not in IMPORTED]
    published = [name for name in release.spaces if name in IMPORTED]
    if not ours or not published:
        return _counted(release, ours or published)
    of_benchmarks = _counted(release, published)
    return f"{_counted(release, ours)} Of published benchmarks: {of_benchmarks}"


def _counted(release: Opened, names: list[str]) -> str:
    """The sentence of some spaces."""
    total = timed = 0
    counts = dict.fromkeys(("runs", "scores", "predictions"), 0)
    for name in names:
        space = release.space(name)
        total += len(space.archs)
        timed += _num_timed(space)
        for table in counts:
            there: set[int] = set()
            for dataset in space.datasets():
                there |= _archs_with(space, f"{table}/{dataset}")
            counts[table] += len(there)
    trained, scored, predicted = counts.values()
    said = f"{trained:,} of {count_of(total, 'network')} trained, {scored:,} scored, {predicted:,} predicted"
    return f"{said}, {timed:,} timed." if timed else f"{said}."
