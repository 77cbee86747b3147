"""When a job begins no more units: its time is over, or a signal asked it to end.

What runs is finished then, and the shard file is written with what there is. So ends `--time-limit`, and so
do SIGTERM, SIGHUP and SIGUSR1, one of which Slurm sends some time before it kills.

    SIGUSR1, SIGHUP     no more units are begun
    SIGTERM             the same; one that follows a signal ends the job at once, finished units are kept
    SIGINT (Ctrl-C)     ends the job at once
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from builders.work.rates import KEPT, Cost, Point, Rate, fit, keep
from builders.work.units import Unit
from nbzero.errors import OutputError, UsageError, quoted
from nbzero.proxies.workers import ASKING

SAME_S = 1.0  # a signal that comes again so soon is the same: a shell and its system both send one
LAST = 10  # groups of units whose times say how long the next will take
_PARTS_S = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_BARE = rf"(?P<seconds>{_NUMBER})s?"
_NAMED = "".join(rf"(?:(?P<{name}>{_NUMBER}){name[0]})?" for name in _PARTS_S)
_CLOCK = r"(?:(?P<days>\d{1,5})-)?(?:(?P<hours>\d{1,9}):)?(?P<minutes>\d{1,9}):(?P<seconds>\d{1,9})"


class Ended(KeyboardInterrupt):
    """A signal that ends the job, as Ctrl-C does.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Pace:
    """How long units take: what was known before, and what this run measures.

    Units that a worker computes together are a group. Its time is shared among them by their cost. It begins
    when the group is handed out, so an engine takes no more than it begins at once.

    Args:
        cost: of a unit.
        rate: what is known of the device; None: nothing.
        together: units that a worker computes at a time, each in a thread. Each takes that much longer than
            its share of the worker's time, which is what rates are of.
    """

    def __init__(self, cost: Cost, rate: Rate | None = None, together: int = 1) -> None:
        self.cost, self.together = cost, together
        self._rate = rate
        self._running: list[_Group] = []
        self._last: list[_Group] = []
        self._points: dict[str, list[Point]] = {}  # by device

    def begin(self, units: Sequence[Unit]) -> None:
        """A group of units is begun."""
        sizes = {unit: float(self.cost.macs_of(unit[1])) for unit in units}
        self._running.append(_Group(sizes, set(units), time.monotonic()))

    def ended(self, unit: Unit, device: str) -> None:
        """A unit is finished; with the last one of a group the time of the group is known."""
        for group in self._running:
            if unit in group.left:
                group.left.discard(unit)
                if not group.left:
                    self._running.remove(group)
                    group.seconds = time.monotonic() - group.began
                    self._last = [*self._last, group][-LAST:]
                    self._share(group, device)
                return

    def given_up(self, unit: Unit) -> None:
        """A unit came to nothing: how long that took says nothing."""
        self._running = [group for group in self._running if unit not in group.left]

    def seconds(self, units: Sequence[Unit]) -> float | None:
        """How long a group is expected to take; None where nothing is known.

        It is taken to be as slow as the slowest of the last ones.
        """
        rate = self._shape()
        if rate is None:
            return None
        median = self._median(rate, [float(self.cost.macs_of(arch)) for _, arch, _ in units])
        if not self._last:
            return rate.mean * median
        slowness = [group.seconds / self._median(rate, group.sizes.values()) for group in self._last]
        return max(slowness) * median

    def keep(self) -> None:
        """Add what was measured to the rates in the cache folder; said where they cannot be written."""
        more = {self.cost.key(device): points for device, points in self._points.items()}
        if not more:
            return
        try:
            keep(more)
        except OutputError as error:
            print(f"the times of this run are not kept for later plans: {error}", file=sys.stderr)

    def _shape(self) -> Rate | None:
        """How seconds grow with the size: what was known before, else what this run has measured."""
        if self._rate is not None or not self._points:
            return self._rate
        points = [point for of_device in self._points.values() for point in of_device]
        return fit(points[-KEPT:], "this run")

    def _median(self, rate: Rate, sizes: Iterable[float]) -> float:
        return self.together * self.cost.passes * sum(rate.median(macs) for macs in sizes)

    def _share(self, group: _Group, device: str) -> None:
        """Share the time of a group among its units, by their size."""
        total = sum(group.sizes.values())
        for macs in group.sizes.values():
            seconds = group.seconds * macs / total / self.cost.passes / self.together
            self._points.setdefault(device, []).append((macs, seconds))


@dataclass
class _Group:
    """Units that are computed together: their macs, those that are not finished, when they were begun."""

    sizes: dict[Unit, float]
    left: set[Unit]
    began: float
    seconds: float = 0.0


class Deadline:
    """Says whether a unit may still begin. Once one may not, none may: what is finished stays a prefix.

    Args:
        limit_s: seconds from now on; None: no limit.
        pace: how long units take; None: nothing is known, or asked.

    Attributes:
        why: why no more units are begun, in words; "" as long as they are.
        has_begun: whether any was.
        not_begun: how many were left when the job ended.
    """

    def __init__(self, limit_s: float | None = None, pace: Pace | None = None) -> None:
        self.limit_s, self.pace = limit_s, pace
        self.why = ""
        self.has_begun = False
        self.not_begun = 0
        self._end = math.inf if limit_s is None else time.monotonic() + limit_s
        self._signalled: dict[int, float] = {}  # when each signal came last

    def allows(self, units: Sequence[Unit]) -> bool:
        """Whether a group of units, computed together, is expected to end in time."""
        if not self.why and self.limit_s is not None:
            self.why = self._why_not(units, self.limit_s)
        return not self.why

    def begin(self, units: Sequence[Unit]) -> None:
        """A group of units is begun."""
        self.has_begun = True
        if self.pace is not None:
            self.pace.begin(units)

    def ended(self, unit: Unit, device: str) -> None:
        """A unit is finished, on a device as its row names it."""
        if self.pace is not None:
            self.pace.ended(unit, device)

    def given_up(self, unit: Unit) -> None:
        """A unit that was begun came to nothing."""
        if self.pace is not None:
            self.pace.given_up(unit)

    def _why_not(self, units: Sequence[Unit], limit_s: float) -> str:
        left = self._end - time.monotonic()
        if left <= 0:
            return f"the time limit of {said_seconds(limit_s)} is over"
        needed = None if self.pace is None else self.pace.seconds(units)
        if needed is None or needed <= left:
            return ""
        taken = f"the next would take about {said_seconds(needed)}"
        return f"{taken}, and {said_seconds(left)} are left of the time limit of {said_seconds(limit_s)}"

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """The signals that ask a job to end set `why` meanwhile; one that is ignored (nohup) stays so."""
        if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
            yield
            return
        before = {}
        for number in ASKING:
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, self._asked)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        is_same = now - self._signalled.get(number, -math.inf) < SAME_S
        is_first = not self._signalled
        self._signalled[number] = now
        if number == signal.SIGTERM and not is_first and not is_same:
            raise Ended(number)
        let_go_of_terminal()
        if not self.why:
            self.why = signal.Signals(number).name
            _say_at_once(f"{self.why}: no more is begun, what runs is finished first\n")


def let_go_of_terminal() -> None:
    """Where the terminal is gone, what is said from now on goes nowhere; else every line were an error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            number = stream.fileno()
            os.write(number, b"")
        except ValueError:  # no file is behind it
            continue
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


def _say_at_once(text: str) -> None:
    """On stderr past its buffer, which may be in use where a signal comes."""
    with contextlib.suppress(ValueError, OSError):  # nothing is behind it; the reader is gone
        os.write(sys.stderr.fileno(), text.encode())


# Durations


def parse_seconds(text: str) -> float:
    """A time in seconds; UsageError for what is none.

    >>> [parse_seconds(text) for text in ("90", "90s", "9m", "1h30m", "0:30:00", "1-12:00:00")]
    [90.0, 90.0, 540.0, 5400.0, 1800.0, 129600.0]
    """
    for pattern in (_BARE, _NAMED, _CLOCK):
        found = re.fullmatch(pattern, text)
        if found and text:
            parts = found.groupdict(default="0")
            return sum(float(part) * _PARTS_S[name] for name, part in parts.items())
    allowed = "like 90s, 9m, 1h30m, 2d or 0:30:00; a bare number is of seconds"
    raise UsageError(f"time limit {quoted(text)}; it is {allowed}")


def said_seconds(seconds: float) -> str:
    """A time in words.

    >>> [said_seconds(seconds) for seconds in (0.4, 12.3, 540, 5430, 7200, 200000)]
    ['0.4 s', '12 s', '9 min', '1 h 31 min', '2 h', '55 h']
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = math.ceil(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    if not minutes or hours >= 10:
        return f"{hours} h"
    return f"{hours} h {minutes} min"
