"""The global generators of numpy and Python, lent with a seed. Imports no torch."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

LOCK = threading.RLock()  # held while anything of the process is lent: one pass at a time


@contextmanager
def seeded_draws(seed: int) -> Iterator[None]:
    """The global generators of numpy and Python, seeded inside and put back; other threads wait."""
    with LOCK:
        of_python, of_numpy = random.getstate(), np.random.get_state()
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
