"""The global generators of numpy and Python, lent."""

import random

import numpy as np

from nbzero.proxies.draws import seeded_draws


def test_draws_are_seeded_inside_and_put_back():
    random.seed(1)
    np.random.seed(1)
    wanted = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    drawn = []
    for _ in range(2):
        with seeded_draws(2**63 - 1):
            drawn.append((random.random(), np.random.random()))
    assert drawn[0] == drawn[1] and (random.random(), np.random.random()) == wanted
