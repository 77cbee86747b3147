"""Submissions to the leaderboard: a small folder with scores of every arch of some pools.

    submission.json   name, code (a link), authors (a list), machine, seconds_per_network, protocol "board-1";
                      direction may be "lower" where lower scores are better
    NAME.csv          one or several, as `nbzero score --out` writes them

Nothing in it is run. Every problem is named at once, not the first alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbzero.errors import UsageError, count_of, quoted
from nbzero.judge.pool import Floats, Pool
from nbzero.judge.submission_files import (
    ABOUT,
    DIRECTIONS,
    Problem,
    Scores,
    read_about,
    read_scores,
    some_of,
)


@dataclass(frozen=True)
class Submission:
    """A submission without problems.

    Attributes:
        name, code, authors, machine, seconds_per_network: as its submission.json says.
        direction: 1 where higher scores are better, -1 where lower ones are.
        scores: of each space and data set.
    """

    name: str
    code: str
    authors: tuple[str, ...]
    machine: str
    seconds_per_network: float
    direction: int
    scores: tuple[Scores, ...]

    def covers(self, pool: Pool) -> bool:
        """Whether it has scores for a pool."""
        return any(one.covers(pool) for one in self.scores)

    def scores_on(self, pool: Pool) -> Floats:
        """(N,) of the archs of a pool that it covers, higher is better; NaN where there is none.

        UsageError where it does not name all of them.
        """
        scores = next(one for one in self.scores if one.covers(pool))
        for problem in _too_few(scores, pool):
            raise UsageError(f"{self.name}: {problem.problem}")
        values = np.array([scores.of_arch[arch] for arch in pool.archs], np.float64)  # None becomes NaN
        return values * self.direction


Given = Submission | str | os.PathLike[str]


def check_submission(
    folder: str | os.PathLike[str], pools: Sequence[Pool]
) -> tuple[Submission | None, list[Problem]]:
    """A submission, or every problem that it has.

    Args:
        pools: of the board, narrowed to the archs with scores.

    Returns:
        The submission and no problems, or None and at least one.
    """
    path = Path(folder)
    if not path.is_dir():
        return None, [
            Problem(str(path), f"it is no folder; a submission is one, with {ABOUT} and .csv files")
        ]
    about, problems = read_about(path)
    scores, wrong = read_scores(path)
    problems += wrong
    problems += _coverage(scores, pools)
    if problems:
        return None, problems
    made = Submission(
        name=about["name"],
        code=about["code"],
        authors=tuple(about["authors"]),
        machine=about["machine"],
        seconds_per_network=float(about["seconds_per_network"]),
        direction=DIRECTIONS[about.get("direction", "higher")],
        scores=tuple(scores),
    )
    return made, []


def read_submissions(given: Given | Iterable[Given], pools: Sequence[Pool]) -> list[Submission]:
    """Submissions from folders, one or several; those that were read already as they are.

    Raises:
        UsageError: with every problem of all of them; two of one name.
    """
    if isinstance(given, (str, os.PathLike, Submission)):
        given = [given]
    found, said = [], []
    for one in given:
        if isinstance(one, Submission):
            found.append(one)
            continue
        made, problems = check_submission(one, pools)
        said += [f"{problem.file}: {problem.problem}" for problem in problems]
        if made is not None:
            found.append(made)
    if said:
        raise UsageError("\n".join([f"{count_of(len(said), 'problem')} with submissions", *said]))
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two submissions are called {', '.join(twice)}; rename one")
    return found


# What they cover


def _coverage(scores: Sequence[Scores], pools: Sequence[Pool]) -> list[Problem]:
    """Unknown spaces and archs, other protocols than those of the pools, and archs that were left out."""
    problems = []
    of_space: dict[str, list[Pool]] = {}
    for pool in pools:
        of_space.setdefault(pool.space, []).append(pool)
    for one in scores:
        there = of_space.get(one.space)
        if there is None:
            listed = ", ".join(of_space)
            problems.append(Problem(one.space or "no space", f"no space of this board; it has {listed}"))
            continue
        members = set(there[0].members)
        strangers = [arch for arch in one.of_arch if arch not in members]
        if strangers:
            problems.append(Problem(one.space, f"{some_of(strangers)} for archs that are no members"))
        covered = [pool for pool in there if one.covers(pool)]
        if not covered:
            wanted = "; ".join(f"{pool.dataset} by {pool.protocol}" for pool in there)
            given = f"scores on {one.dataset} by {one.protocol or 'no protocol'}"
            problems.append(Problem(one.space, f"{given}, which no pool of the board has: {wanted}"))
        for pool in covered:
            problems += _too_few(one, pool)
    return problems


def _too_few(scores: Scores, pool: Pool) -> list[Problem]:
    """All entries of a board are ranked on the same archs, so none of them may be left out."""
    missing = [arch for arch in pool.archs if arch not in scores.of_arch]
    if not missing:
        return []
    named = f"{len(pool) - len(missing)} of the {len(pool)} archs of {pool.source}"
    first = int(pool.arch_ids.max()) + 1
    advice = f"nbzero score ... --archs {first} has all"
    return [Problem(pool.space, f"{named} are scored, and {quoted(missing[0], 100)} is not; {advice}")]
