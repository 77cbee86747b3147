"""Regret: how much less accurate what a search found is than the best that it could find."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, quoted
from nbzero.search.history import History


def regret(history: History, truth: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """The regret after each evaluation.

        regret_n = max of truth - truth of the arch with the highest score among the first n

    Args:
        history: a search, for whatever score.
        truth: accuracy, or whatever is better where it is higher, of every arch that could be found: those
            within the budget of the search.

    Returns:
        (N,) in the units of `truth`; NaN before the first score.

    Raises:
        UsageError: no truth, or none of an arch that the search found.
    """
    if not truth:
        raise UsageError("no truth to judge a search by; give arch -> accuracy")
    best = max(truth.values())
    found = np.full(len(history), np.nan)
    for number, pick in enumerate(history.picks()):
        if pick is None:
            continue
        if pick not in truth:
            raise UsageError(f"the search found {quoted(pick)}, of which there is no truth")
        found[number] = best - truth[pick]
    return found
