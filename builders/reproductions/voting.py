"""Searches by a vote as WRCor's authors run them: archs are compared in pairs, and have no number.

Of two archs the better one has more than half of the experts' higher scores; else neither is. A search keeps
the winner so far, which a later arch replaces where it is better. A tournament's parent is found likewise,
in the order in which archs were drawn. The relation can have cycles, so the last winner need not be above all
that came before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nbzero.search.ground import Ground
from nbzero.search.sampling import Strategy


class Ballot:
    """What some experts say of an arch: `one > other` where more than half of them score one higher.

    Args:
        scores: of each expert, higher is better. None is below every number, as in `nbzero.judge.votes`; else
            an arch without scores would never be beaten. What is equal in both counts for nobody.
    """

    def __init__(self, scores: Sequence[float | None]) -> None:
        self._scores = [-math.inf if score is None else score for score in scores]

    def __gt__(self, other: Ballot) -> bool:
        pairs = zip(self._scores, other._scores, strict=True)
        return sum(mine > theirs for mine, theirs in pairs) > len(self._scores) / 2


def found_by_vote(
    ground: Ground, ballots: Mapping[str, Ballot], strategy: Strategy, evaluations: int, seed: int
) -> str:
    """The winner of so many evaluations, of archs that a strategy asks for and compares by `>` alone.

    Fewer, where the strategy ends before.
    """
    asking, winner, number = strategy(ground, np.random.default_rng(seed)), "", 0
    wanted = next(asking)
    while True:
        archs = (wanted,) if isinstance(wanted, str) else wanted
        for arch in archs[: evaluations - number]:
            number += 1
            if not winner or ballots[arch] > ballots[winner]:
                winner = arch
        if number == evaluations:
            return winner
        told = tuple(ballots[arch] for arch in archs)
        try:
            wanted = asking.send(told[0] if isinstance(wanted, str) else told)
        except StopIteration:
            return winner
