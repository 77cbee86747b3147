"""Regularised evolution."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from nbzero.errors import NothingFoundError, whole
from nbzero.search.sampling import Asking

if TYPE_CHECKING:
    import numpy as np

    from nbzero.search.ground import Ground


def check_moves(ground: Ground, strategy: str) -> None:
    """NothingFoundError for a table of one arch, among which a strategy cannot move."""
    if ground.archs is not None and len(ground.archs) == 1:
        alone = f"{ground.archs[0]} is the only arch of {ground.words}"
        raise NothingFoundError(f"{alone}, so {strategy} has no moves; search more archs, or a larger budget")


def evolution(
    ground: Ground, rng: np.random.Generator, *, population: int = 64, tournament: int = 10, batch: int = 1
) -> Asking:
    """Regularised evolution: the best of a few is mutated, its child joins, and the oldest dies.

    The first `population` archs are random. Each of the few is drawn from all that live, so that one may be
    drawn twice. Of equal ones the first drawn is the parent.

    Args:
        ground: where archs are drawn and mutated.
        rng: of all draws.
        population: archs that live.
        tournament: how many are drawn.
        batch: children that are asked for at once. All are of the same population; then all join.

    Raises:
        NothingFoundError: one arch, which has no moves.
        UsageError: a population, tournament or batch below 1.

    Source: Real et al., AAAI 2019, arXiv:1802.01548. The numbers are those of WRCor, arXiv:2507.08841.
    """
    check_moves(ground, "evolution")
    population, tournament = whole("population", population, 1), whole("tournament", tournament, 1)
    batch = whole("batch", batch, 1)
    alive: deque[tuple[float, str]] = deque(maxlen=population)

    def child() -> str:
        if len(alive) < population:
            return ground.random_arch(rng)
        drawn = [alive[place] for place in rng.integers(population, size=tournament).tolist()]
        _, parent = max(drawn, key=_score)
        return ground.mutate(parent, rng)

    while True:
        archs = tuple(child() for _ in range(batch))
        scores = yield archs
        alive.extend(zip(scores, archs, strict=True))


def _score(member: tuple[float, str]) -> float:
    return member[0]
