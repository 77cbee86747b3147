"""Scores of a function of one's own: a row per arch and seed, and the CSV file that they grow in.

Imports nothing that is slow to import.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.errors import OutputError, UsageError, count_of
from nbzero.files import write_whole
from nbzero.text import csv_text

if TYPE_CHECKING:
    from nbzero.frame import Frame

SETTINGS = ("space", "dataset", "protocol", "function")
COLUMNS = ("arch", "seed", "score", "reason", "seconds", *SETTINGS)
_MOST = 3  # reasons told in a sentence


class OwnRow(NamedTuple):
    """One network with one seed: its score, or the reason why it has none; and wall-clock seconds."""

    arch: str
    seed: int
    score: float | None
    reason: str = ""
    seconds: float = math.nan


class OwnScores(Mapping[str, float | None]):
    """Scores of a function of one's own: arch -> its mean over the seeds, None where there is none.

    `Bench.evaluate` takes it as it is. A seed without a score leaves an arch without a mean, because a mean
    over fewer seeds would be another quantity. An arch of which rows of some seeds are not there yet is left
    out.

    Attributes:
        rows: one per arch and seed.
        seeds: of the rows.
        reasons: arch -> why it has no score.
        function: the name of the function, and what tells it from another version of it.
        space, dataset, protocol: of the scoring; "" where not known. A function of the arch alone has no
            data set and no protocol.
    """

    def __init__(
        self,
        rows: Iterable[OwnRow],
        function: str = "",
        space: str = "",
        dataset: str = "",
        protocol: str = "",
    ) -> None:
        self.rows = tuple(rows)
        self.function, self.space, self.dataset, self.protocol = function, space, dataset, protocol
        self.seeds = tuple(sorted({row.seed for row in self.rows}))
        self.reasons: dict[str, str] = {}
        self._means: dict[str, float | None] = {}
        of_arch: dict[str, list[OwnRow]] = {}
        for row in self.rows:
            of_arch.setdefault(row.arch, []).append(row)
        for arch, own in of_arch.items():
            if len(own) == len(self.seeds):
                self._add(arch, own)

    def _add(self, arch: str, rows: Sequence[OwnRow]) -> None:
        self._means[arch] = None
        total = 0.0
        for row in rows:
            if row.score is None:
                with_seed = f"seed {row.seed}: " if len(self.seeds) > 1 else ""
                self.reasons[arch] = f"{with_seed}{row.reason or 'no score'}"
                return
            total += row.score
        if math.isnan(total):
            self.reasons[arch] = "inf with one seed and -inf with another, which have no mean"
            return
        self._means[arch] = total / len(rows)

    def __getitem__(self, arch: str) -> float | None:
        return self._means[arch]

    def __iter__(self) -> Iterator[str]:
        return iter(self._means)

    def __len__(self) -> int:
        return len(self._means)

    @property
    def frame(self) -> Frame:
        """Every row as a table: `COLUMNS` without the function."""
        from nbzero.frame import Frame

        where = {"space": self.space, "dataset": self.dataset, "protocol": self.protocol}
        rows = [_as_dict(row, where) for row in self.rows]
        return Frame.of(rows, str(self), columns=COLUMNS[:-1])

    def __str__(self) -> str:
        """What was scored, and where it failed, in a line."""
        scored = len(self) - len(self.reasons)
        seeds = ", ".join(map(str, self.seeds)) or "none"
        parts = [self.function, self.space, self.dataset, self.protocol]
        if self.protocol:
            parts.append(f"seeds {seeds}")
        where = ", ".join(filter(None, parts))
        said = f"{scored} of {count_of(len(self), 'arch has', 'archs have')} a score"
        if where:
            said = f"{where}: {said}"
        if self.reasons:
            said += f"; {counted_reasons(self.reasons.values())}"
        return said

    def __repr__(self) -> str:
        return f"OwnScores({self})"


def counted_reasons(reasons: Iterable[str]) -> str:
    """The most frequent reasons with their numbers, in words.

    >>> counted_reasons(["it returned nan", "ValueError: odd", "it returned nan"])
    '2 x it returned nan, 1 x ValueError: odd'
    """
    counts = Counter(reasons)
    told = [f"{number} x {reason}" for reason, number in counts.most_common(_MOST)]
    if len(counts) > _MOST:
        told.append(f"{len(counts) - _MOST} other reasons")
    return ", ".join(told)


def _as_dict(row: OwnRow, settings: Mapping[str, str]) -> dict[str, Any]:
    return {**row._asdict(), **settings}


# The file


def rows_there(path: Path, settings: Mapping[str, str]) -> list[OwnRow]:
    """The rows of a file that scores with these settings grew in; none where it does not exist or is empty.

    A last line that was cut off by a kill is left out.

    Raises:
        UsageError: a file that is none of ours, or of other settings. It is untouched.
    """
    if path.suffix.lower() != ".csv":
        raise UsageError(f"out {str(path)!r}; it is a file that ends in .csv")
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; name another file") from error
    except UnicodeDecodeError:
        content = "no text\n"
    whole_lines = content[: content.rfind("\n") + 1]
    lines = list(csv.reader(io.StringIO(whole_lines)))
    if not content:
        return []
    if not lines or lines[0] != list(COLUMNS):
        own = "it is no file of scores of nbzero, and is left as it is"
        raise UsageError(f"{path} has other columns than {', '.join(COLUMNS)}: {own}; name another file")
    rows = []
    for number, line in enumerate(lines[1:], 1):
        rows.append(_row_of(line, settings, f"{path}: row {number}"))
    check_once(rows, str(path))
    return rows


def _row_of(line: Sequence[str], settings: Mapping[str, str], where: str) -> OwnRow:
    try:
        given = dict(zip(COLUMNS, line, strict=True))
        score = float(given["score"]) if given["score"] else None
        row = OwnRow(given["arch"], int(given["seed"]), score, given["reason"], float(given["seconds"]))
    except ValueError:
        raise UsageError(
            f"{where} cannot be read: {line}; mend or remove the file, or name another"
        ) from None
    for name, value in settings.items():
        if given[name] != value:
            others = f"it has scores of {name} {given[name]!r}, and these are of {value!r}"
            raise UsageError(f"{where}: {others}; the file is left as it is: name another, or remove it")
    return row


def check_once(rows: Iterable[OwnRow], where: str) -> None:
    """UsageError where an arch has two rows of one seed."""
    seen = set()
    for row in rows:
        if (row.arch, row.seed) in seen:
            raise UsageError(f"{where} has {row.arch} with seed {row.seed} twice; remove one of the rows")
        seen.add((row.arch, row.seed))


@contextmanager
def growing(
    path: Path, settings: Mapping[str, str], kept: Iterable[OwnRow]
) -> Iterator[Callable[[OwnRow], None]]:
    """A file with the rows kept, whole, to which each further row is added as it comes.

    A kill at any moment loses at most the row in work.

    Raises:
        OutputError: it cannot be written.
    """
    head = csv_text(COLUMNS, (_as_dict(row, settings) for row in kept))
    advice = "run the same again: the rows that are there are kept"
    write_whole(path, head.encode(), advice)
    with open(path, "ab", buffering=0) as file:

        def add(row: OwnRow) -> None:
            line = csv_text(COLUMNS, [_as_dict(row, settings)]).split("\n", 1)[1]
            try:
                file.write(line.encode())
            except OSError as error:
                said = f"cannot write {path}: {error.strerror or error}"
                raise OutputError(f"{said}; free space, then {advice}") from error

        yield add
