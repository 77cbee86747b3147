"""Live search: a proxy computed on the spot, on all cores, and kept in a file.

A network is built, scored and thrown away when a strategy asks for its arch, a member or not. Scores are kept
in a CSV file by arch, as they come. A search that was killed is run again with the same arguments: its
strategy draws the same archs, and what the file has is not computed again. Strategies that ask for several
archs at once (`batch`) use as many cores.

torch is imported by the workers; with one worker, by this process.
"""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from nbzero.errors import UsageError, check_known, is_number, needs, quoted, whole
from nbzero.proxies.facts import PROXIES
from nbzero.proxies.scored import OwnRow, growing, rows_there
from nbzero.proxies.workers import (
    Outcome,
    Task,
    Team,
    is_worth_another_try,
    leave_if_starting,
    num_cores,
)
from nbzero.search.objective import Objective
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.published import IMPORTED
from nbzero.version import __version__


@contextmanager
def live(
    space: str,
    proxy: str,
    dataset: str,
    *,
    protocol: str | None = None,
    score_seed: int = 0,
    images: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    per_arch: float | None = None,
) -> Iterator[Objective]:
    """An objective that scores networks when it is asked. Workers end with the context.

        with live("r1", "naswot", "cifar10", out="naswot.csv") as objective:
            history = run("r1", objective, partial(evolution, batch=4), budget={"macs": 1e8})

    A script needs `if __name__ == "__main__":` round it, because workers import it. The scores are those that
    a release would have, by the same protocol. An arch that the proxy gives no score is None; its reason is
    in the file.

    Args:
        space: ours, or a published one whose networks can be built.
        proxy: of the registry, also macs and params. Its direction is applied: higher is better.
        dataset, protocol, images: as in `nbzero.proxies.protocol_batch`.
        score_seed: of the weights and the images.
        out: a CSV file, a row per arch, that grows as scores come.
        workers: processes with one torch thread each; None: one per core. 1 computes in this process, unless
            there is a limit.
        per_arch: seconds that one arch may take; over it, it has no score.

    Raises:
        UnknownNameError: a space, proxy, data set or protocol that does not exist.
        UsageError: workers below 1; a limit that is no positive number; a file of other settings, which is
            untouched; a script without its `__main__` guard.
        ImagesError: images that are absent. The message says how to get them.
        MissingPackageError: torch cannot be imported.
        OutputError: a file that cannot be written.
    """
    leave_if_starting()
    check_known("space", [space], [*CHOICES, *IMPORTED])
    check_known("proxy", [proxy], PROXIES)
    workers = num_cores() if workers is None else whole("workers", workers, 1)
    if per_arch is not None and not (is_number(per_arch) and 0 < per_arch < math.inf):
        allowed = "it is a positive number of seconds, or None for no limit"
        raise UsageError(f"per_arch {quoted(per_arch)}; {allowed}")
    needs("a live search", "torch")
    from nbzero.proxies.alone import setting_of, start

    setting = setting_of(space, proxy, dataset, protocol, whole("score_seed", score_seed), images)
    said = {"space": space, "dataset": dataset, "protocol": setting.protocol}
    settings = said | {"function": f"{proxy} of nbzero {__version__}"}
    rows = [] if out is None else rows_there(Path(out), settings)
    kept = [row for row in rows if not is_worth_another_try(row.reason, per_arch)]
    file: Any = nullcontext(lambda row: None)
    if out is not None:
        file = growing(Path(out), settings, kept)
    team: Any = _Alone(setting)
    if workers > 1 or per_arch is not None:
        team = Team(start, pickle.dumps(setting), workers, per_arch)
    with file as keep, team as there:
        scoring = _Scoring(setting, there, keep, kept)
        name = f"live {proxy}, {dataset}, {setting.protocol}, seed {score_seed}"
        yield Objective(name, space, "live score", None, scoring.score, scoring.seconds, scoring.scores)


class _Scoring:
    """Scores by arch: those of the file, and those computed since."""

    def __init__(self, setting: Any, team: Any, keep: Any, kept: Sequence[OwnRow]) -> None:
        self._seed, self._direction = setting.seed, PROXIES[setting.proxy].direction
        self._team, self._keep = team, keep
        self._rows = {row.arch: row for row in kept if row.seed == setting.seed}

    def score(self, arch: str) -> float | None:
        """The score of one arch; higher is better."""
        return self.scores([arch])[0]

    def scores(self, archs: Sequence[str]) -> list[float | None]:
        """The scores of several archs, computed at once where they are not there."""
        todo = [(arch, self._seed) for arch in dict.fromkeys(archs) if arch not in self._rows]
        for (arch, seed), outcome in self._team.outcomes(todo):
            row = OwnRow(arch, seed, *outcome)
            self._rows[arch] = row
            self._keep(row)
        return [self._directed(self._rows[arch].score) for arch in archs]

    def seconds(self, arch: str) -> float:
        """Seconds that the scoring of an arch took, its network's building included."""
        return self._rows[arch].seconds

    def _directed(self, score: float | None) -> float | None:
        return None if score is None else score * self._direction


class _Alone:
    """A team of this process."""

    def __init__(self, setting: Any) -> None:
        self._setting = setting

    def __enter__(self) -> _Alone:
        from nbzero.proxies.alone import computing

        self._compute = computing(self._setting)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        for task in tasks:
            yield task, self._compute(*task)
