"""How far a long piece of work is, on stderr."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def progress(name: str, total: int, done: int = 0, every: float = 0) -> Iterator[Callable[[str], None]]:
    """A rich bar with ETA on a terminal; elsewhere, or without rich, lines.

    The function that it gives is called as each unit is finished, with what is said of the unit.

    Args:
        total, done: units in all, and those that were there before.
        every: seconds between two lines at least, the last is always there; 0 is a line per unit.
    """
    if sys.stderr.isatty() and importlib.util.find_spec("rich"):
        with _bar() as bar:
            task = bar.add_task(name, total=total, completed=done)
            yield lambda said: bar.update(task, advance=1, description=f"{name} {said}")
        return
    started = shown = time.monotonic()
    computed = 0

    def line(said: str) -> None:
        nonlocal computed, shown
        computed += 1
        now = time.monotonic()
        if now - shown < every and done + computed < total:
            return
        shown = now
        left = (now - started) / computed * (total - done - computed)
        print(f"{name} {done + computed}/{total} {said}, {left:.0f} s left", file=sys.stderr, flush=True)

    yield line


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
