"""Activation checkpointing, off for the thread that scores.

It runs layers a second time in the backward pass, so that hooks would count them twice. With
use_reentrant=True its weights get gradients from `backward()` alone, and `torch.autograd.grad` finds none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch.utils.checkpoint as home

_scoring = threading.local()
# The two ways that `checkpoint` goes, as it looks them up at each call.
_REENTRANT = "CheckpointFunction"
_OTHER = "_checkpoint_without_reentrant_generator"


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """Checkpointed parts run plainly inside, in this thread alone.

    One thread at a time may be inside: the lock of `lend` sees to that.
    """
    found = {name: getattr(home, name) for name in (_REENTRANT, _OTHER)}
    was_scoring = getattr(_scoring, "now", False)
    if was_scoring:
        yield
        return
    try:
        _scoring.now = True
        setattr(home, _REENTRANT, _Reentrant(found[_REENTRANT]))
        setattr(home, _OTHER, _plainly_here(found[_OTHER]))
        yield
    finally:
        _scoring.now = False
        for name, value in found.items():
            setattr(home, name, value)


class _Reentrant:
    """In place of torch's function: it runs the part plainly in the thread that scores."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def apply(self, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        if getattr(_scoring, "now", False):
            return function(*args)
        return self._found.apply(function, preserve, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


def _plainly_here(found: Callable[..., Any]) -> Callable[..., Any]:
    def begin(*args: Any, **kwargs: Any) -> Any:
        if getattr(_scoring, "now", False):
            return _nothing()
        return found(*args, **kwargs)

    return begin


def _nothing() -> Iterator[None]:
    """Asked once before the part runs, and once after."""
    yield
