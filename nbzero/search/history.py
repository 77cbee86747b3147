"""The history of a search: every arch that was asked for, and its score."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, count_of, quoted
from nbzero.files import write_whole
from nbzero.frame import Frame

FORMAT = "nbzero search 1"
SETTINGS = ("space", "num_archs", "budget", "objective", "strategy", "seed")


@dataclass
class History:
    """What a search asked for, in its order. `nbzero.search.run` makes it.

    Attributes:
        settings: space; num_archs of the table searched, None of a grid; budget; objective; strategy; seed.
        archs: that were asked for. An arch may come again.
        scores: of each, higher is better; None where an arch has no score. -inf and inf are numbers.
        seconds: that each was charged; None where that is not known. An arch that came before is charged 0.
        ended: why the search made no more evaluations.
    """

    settings: Mapping[str, Any]
    archs: list[str] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)
    ended: str = ""

    def __len__(self) -> int:
        return len(self.archs)

    def add(self, arch: str, score: float | None, seconds: float | None) -> None:
        """One more evaluation."""
        self.archs.append(arch)
        self.scores.append(score)
        self.seconds.append(seconds)

    @property
    def best(self) -> tuple[str, float] | None:
        """The arch with the highest score and that score, the first of equal ones; None without scores."""
        found: tuple[str, float] | None = None
        for arch, score in zip(self.archs, self.scores, strict=True):
            if score is not None and (found is None or score > found[1]):
                found = (arch, score)
        return found

    def best_so_far(self) -> npt.NDArray[np.float64]:
        """(N,) the highest score up to each evaluation; NaN before the first score."""
        scores = np.array(self.scores, np.float64)
        return np.fmax.accumulate(scores) if len(scores) else scores

    def picks(self) -> list[str | None]:
        """(N,) the arch that was best up to each evaluation, the first of equal ones."""
        found: list[str | None] = []
        best, pick = -math.inf, None
        for arch, score in zip(self.archs, self.scores, strict=True):
            if score is not None and (pick is None or score > best):
                best, pick = score, arch
            found.append(pick)
        return found

    def clock(self) -> npt.NDArray[np.float64]:
        """(N,) seconds after each evaluation; NaN from the first whose seconds are not known."""
        return np.cumsum(np.array(self.seconds, np.float64))

    @property
    def has_clock(self) -> bool:
        """Whether the seconds of every evaluation are known."""
        return None not in self.seconds

    @property
    def where(self) -> str:
        """What was searched, in words, like "r1-mini, 212 archs, macs <= 5000000"."""
        of = self.settings
        archs = "grid" if of["num_archs"] is None else count_of(of["num_archs"], "arch")
        limits = [f"{name} <= {limit:.10g}" for name, limit in of["budget"].items()]
        return ", ".join([of["space"], archs, *limits])

    @property
    def title(self) -> str:
        """The search in words."""
        of, num = self.settings, count_of(len(self), "evaluation")
        return f"Search of {self.where} for {of['objective']}: {of['strategy']}, seed {of['seed']}, {num}"

    def table(self) -> Frame:
        """A row per evaluation: evaluation (from 1), arch, score, best_score, seconds, clock_s.

        Notes say the best arch, and why the search ended.
        """
        columns: dict[str, Any] = {
            "evaluation": np.arange(1, len(self) + 1),
            "arch": np.array(self.archs, object),
            "score": np.array(self.scores, np.float64),
            "best_score": self.best_so_far(),
            "seconds": np.array(self.seconds, np.float64),
            "clock_s": self.clock(),
        }
        return Frame(columns, self.title, self.notes())

    def improvements(self) -> Frame:
        """The rows of `table` whose score is above all before."""
        best = self.best_so_far()
        best = np.append(-np.inf, np.where(np.isnan(best), -np.inf, best))
        return self.table().only(best[1:] > best[:-1])

    def notes(self) -> list[str]:
        """The best arch, archs without a score, and why the search ended, in words."""
        notes = []
        if self.best is not None:
            notes.append(f"Best: {self.best[0]}, {self.best[1]:.10g}.")
        absent = sum(score is None for score in self.scores)
        if absent:
            notes.append(f"{count_of(absent, 'evaluation')} without a score, which rank lowest.")
        if self.ended:
            notes.append(f"Ended: {self.ended}.")
        return notes

    def to_json(self) -> str:
        """The whole of it, as `load` reads it. Infinite scores are the strings "inf" and "-inf"."""
        scores = [_written(score) for score in self.scores]
        held = {"format": FORMAT, **self.settings, "archs": self.archs, "scores": scores}
        return json.dumps(held | {"seconds": self.seconds, "ended": self.ended}, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` into a file, which appears whole or not at all; OutputError where that fails."""
        write_whole(Path(path), self.to_json().encode(), "save it again")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """What `save` wrote.

        Raises:
            UsageError: no such file, or none of that form.
        """
        try:
            held = json.loads(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read as a history of a search: {error}") from error
        fault = _fault(held)
        if fault:
            raise UsageError(f"{path} is no history of a search: {fault}; `History.save` writes them")
        settings = {name: held[name] for name in SETTINGS}
        scores = [_read(score) for score in held["scores"]]
        return cls(settings, held["archs"], scores, held["seconds"], held["ended"])


def _written(score: float | None) -> float | str | None:
    if score is None or math.isfinite(score):
        return score
    return "inf" if score > 0 else "-inf"


def _read(score: float | str | None) -> float | None:
    return None if score is None else float(score)


def _fault(held: Any) -> str:
    """What is wrong with what a file holds, in words; "" where nothing is."""
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        return f'its format is not "{FORMAT}"'
    missing = {*SETTINGS, "archs", "scores", "seconds", "ended"} - held.keys()
    if missing:
        return f"it lacks {', '.join(sorted(missing))}"
    for name, is_right in _SETTINGS_ARE.items():
        if not is_right(held[name]):
            return f"its {name} is {quoted(held[name])}"
    columns = [held["archs"], held["scores"], held["seconds"]]
    if not all(isinstance(column, list) for column in columns) or len({*map(len, columns)}) != 1:
        return "archs, scores and seconds are not lists of one length"
    kinds: Sequence[tuple[str, Any]] = (("archs", _is_text), ("scores", _is_score), ("seconds", _is_time))
    for name, is_right in kinds:
        for place, value in enumerate(held[name]):
            if not is_right(value):
                return f"entry {place} of {name} is {quoted(value)}"
    return ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_limits(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_score(value: object) -> bool:
    return value in (None, "inf", "-inf") or _is_number(value)


def _is_time(value: object) -> bool:
    return value is None or _is_number(value)


def _is_number(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]


_SETTINGS_ARE: Mapping[str, Any] = {
    "space": _is_text,
    "num_archs": lambda value: value is None or _is_count(value),
    "budget": _is_limits,
    "objective": _is_text,
    "strategy": _is_text,
    "seed": _is_count,
    "ended": _is_text,
}
