"""Regret: by hand on four archs, and what cannot be judged."""

import numpy as np
import pytest

from nbzero.errors import UsageError
from nbzero.search import History, regret

SETTINGS = {"space": "r1", "num_archs": 4, "budget": {}, "objective": "o", "strategy": "s", "seed": 0}
TRUTH = {"a": 0.5, "b": 0.75, "c": 0.25, "d": 1.0}


def test_regret_is_of_the_arch_with_the_highest_score_so_far():
    history = History(SETTINGS, ["c", "a", "c", "b"], [None, 1.0, None, 0.5], [0.0] * 4)
    found = regret(history, TRUTH)
    assert np.isnan(found[0]) and found[1:].tolist() == [0.5, 0.5, 0.5]
    better = History(SETTINGS, ["a", "d"], [1.0, 2.0], [0.0] * 2)
    assert regret(better, TRUTH).tolist() == [0.5, 0.0]


def test_what_cannot_be_judged():
    history = History(SETTINGS, ["e"], [1.0], [0.0])
    with pytest.raises(UsageError, match="the search found 'e', of which there is no truth"):
        regret(history, TRUTH)
    with pytest.raises(UsageError, match="no truth to judge a search by"):
        regret(history, {})
