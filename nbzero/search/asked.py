"""What a function of the reader, an objective or a guide, gives for an arch."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from nbzero.errors import UsageError, quoted


def score_of(
    function: Callable[[str], Any], arch: str, of: str, when: str, *, takes_nan: bool = False
) -> float | None:
    """The number that a function gives for an arch, or None.

    Args:
        of: what asks, in words, like "objective naswot".
        when: of which question, in words.
        takes_nan: NaN is None too, and not refused.

    Raises:
        UsageError: it raised something, or gave what is no number.
    """
    try:
        given = function(arch)
    except Exception as error:  # whatever the reader's function raises
        raise UsageError(f"{of} failed ({when}): {type(error).__name__}: {error}") from error
    if given is None:
        return None
    is_number = isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool)
    if is_number and takes_nan and math.isnan(given):
        return None
    number = math.nan
    if is_number:
        with suppress(OverflowError):  # a whole number that no float holds
            number = given if isinstance(given, float) else float(given)
    if math.isnan(number):
        allowed = "it gives a number, higher is better, or None where an arch has no score"
        raise UsageError(f"{of} gave {quoted(given)} ({when}); {allowed}")
    return number
