"""Strategies that draw: random search, and the best of a cheaper score first."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from nbzero.errors import UsageError, quoted, whole
from nbzero.proxies.function import name_of
from nbzero.search.asked import score_of

if TYPE_CHECKING:
    import numpy as np

    from nbzero.search.ground import Ground

# It yields an arch and is sent its score; or several at once, and is sent as many scores.
Asking = Generator[str | tuple[str, ...], Any, None]
Strategy = Callable[["Ground", "np.random.Generator"], Asking]
GRID_DRAWS = 10_000


def said_name(function: Callable[..., Any]) -> str:
    """The name of a strategy or an objective: its own, else the function's; of a partial with its numbers.

    >>> said_name(functools.partial(random, population=20))
    'random(population=20)'
    """
    if isinstance(function, functools.partial):
        given = [
            *map(repr, function.args),
            *(f"{name}={value!r}" for name, value in function.keywords.items()),
        ]
        return f"{name_of(function)}({', '.join(given)})"
    name = getattr(function, "name", None)
    return name if isinstance(name, str) else name_of(function)


def random(ground: Ground, rng: np.random.Generator, *, batch: int = 1) -> Asking:
    """Random search. On a table every arch comes once, in random order; on a grid an arch may come again.

    Args:
        ground: where archs are drawn.
        rng: of the draws.
        batch: archs that are asked for at once.

    Raises:
        UsageError: a batch below 1.
    """
    batch = whole("batch", batch, 1)
    if ground.archs is None:
        while True:
            yield tuple(ground.random_arch(rng) for _ in range(batch))
    order = rng.permutation(len(ground.archs)).tolist()
    for start in range(0, len(order), batch):
        yield tuple(ground.archs[place] for place in order[start : start + batch])


def top_k(guide: Callable[[str], float | None], draws: int = GRID_DRAWS) -> Strategy:
    """The archs that another score likes best, best first: train the k best of a proxy, say.

    Args:
        guide: what orders the archs, such as `Bench.objective`. An arch without a score is last, and so is
            one of NaN. Its time is not charged.
        draws: on a grid, how many archs are drawn and ordered. A table is ordered whole.

    Returns:
        The strategy. It ends when all archs that were ordered have come. Where the guide raises, or gives
        what is no number, that is a UsageError of the search.

    Raises:
        UsageError: a guide that is no function of an arch; draws below 1.
    """
    if not callable(guide):
        raise UsageError(f"guide is {quoted(guide)}; it is a function of an arch, like Bench().objective(..)")
    draws = whole("draws", draws, least=1)

    def best_first(ground: Ground, rng: np.random.Generator) -> Asking:
        archs = ground.archs
        if archs is None:
            archs = tuple(dict.fromkeys(ground.random_arch(rng) for _ in range(draws)))
        waiting = deque(sorted(archs, key=worth, reverse=True))
        while waiting:
            yield waiting.popleft()

    def worth(arch: str) -> float:
        score = score_of(guide, arch, f"guide {said_name(guide)}", arch, takes_nan=True)
        return float("-inf") if score is None else score

    best_first.__name__ = f"top_k({said_name(guide)})"
    return best_first
