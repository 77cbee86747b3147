"""Scores of many networks under one protocol, in a file of JSON lines that grows as they come.

A line has an arch and those scores that it adds. What is there is not computed again, so a job may be stopped
at any moment and asked for more proxies later.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from nbzero.errors import OutputError, ReleaseError
from nbzero.files import make_folder
from nbzero.images.facts import dataset as dataset_of
from nbzero.proxies.protocol import Protocol, protocol_batches, protocol_named, protocol_net, row_of_scores
from nbzero.proxies.score import score

AS_AUTHORS = "authors_counting"  # what the name of a score ends in that is counted so
Scored = dict[str, dict[str, float | None]]  # arch -> name -> score
Task = tuple[str, tuple[str, ...]]  # an arch, and the names of its scores that are missing
Compute = Callable[[Task], dict[str, float | None]]


@dataclass(frozen=True)
class Setting:
    """What a file of scores is of.

    Attributes:
        images: folder or file of the images, or "noise".
        proxies: names; those that end in ":authors_counting" are counted so.
    """

    space: str
    dataset: str
    protocol: str
    images: str | None
    proxies: tuple[str, ...]
    seed: int = 0

    def file(self, folder: Path) -> Path:
        """Where the scores are kept."""
        named = f"{self.space}-{self.dataset}-{self.settings.name}"
        return folder / f"{named}-seed{self.seed}.jsonl"

    @property
    def settings(self) -> Protocol:
        """The protocol, its variant with noise where noise is asked for; errors as `protocol_named`."""
        return protocol_named(self.space, self.protocol, self.images)


def counted(names: Iterable[str]) -> tuple[str, ...]:
    """The names of scores that are counted as the authors do."""
    return tuple(f"{name}:{AS_AUTHORS}" for name in names)


def scores_there(path: Path) -> Scored:
    """The scores of a file, none where it is not there. A last line that was cut off is left out.

    Raises:
        ReleaseError: another line that cannot be read, or no text file.
    """
    found: Scored = {}
    if not path.exists():
        return found
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"{path} is no file of scores ({error}); move it or choose another --scores"
        ) from error
    whole_lines = text[: text.rfind("\n") + 1]
    for number, line in enumerate(whole_lines.splitlines(), 1):
        try:
            row = json.loads(line)
            scores = row["scores"].items()
            found.setdefault(row["arch"], {}).update((name, _number(value)) for name, value in scores)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ReleaseError(f"{path}: line {number} is no scores; remove the line or the file") from None
    return found


def _number(value: Any) -> float | None:
    """A score of a line; TypeError for what is none."""
    if value is None or type(value) in (int, float):
        return value
    raise TypeError


def scorer(setting: Setting) -> Compute:
    """What computes the scores of a setting."""
    return partial(_scores_of, setting)


def fill(setting: Setting, archs: Sequence[str], folder: Path, workers: int = 1) -> Scored:
    """The scores of archs under a setting, as `grow`."""
    return grow(setting.file(folder), archs, setting.proxies, scorer(setting), workers)


def grow(
    path: Path,
    archs: Sequence[str],
    names: Sequence[str],
    compute: Compute,
    workers: int = 1,
    known: Scored | None = None,
) -> Scored:
    """The scores of archs, those that are missing computed in their order and added to the file.

    A score that is not defined is None.

    Args:
        names: of the scores wanted.
        compute: the scores of (arch, names that are missing). Workers have to be able to import it.
        known: scores of other places, which are not computed again and not added to the file.

    Raises:
        ReleaseError: as `scores_there`.
        OutputError: the file cannot be written.
    """
    found = joined_scores(known, scores_there(path))
    todo = []
    for arch in archs:
        missing = tuple(name for name in names if name not in found.get(arch, {}))
        if missing:
            todo.append((arch, missing))
    if todo:
        with _opened(path) as file:
            for arch, scores in _computed(compute, todo, workers):
                file.write(json.dumps({"arch": arch, "scores": scores}) + "\n")
                file.flush()
                found.setdefault(arch, {}).update(scores)
    return {arch: found[arch] for arch in archs}


def there_alone(
    path: Path,
    archs: Sequence[str],
    names: Sequence[str],
    known: Scored | None = None,
    fewest: int = 1,
    counts: set[int] | None = None,
) -> Scored:
    """The scores that a file has, and known ones of other places.

    Names that fewer archs have a score of are left out, and then archs that lack one of the others.

    Args:
        fewest: archs that a name has to have.
        counts: where it is told how many archs have a name that is not left out. Without it stderr says which
            names leave out archs.
    """
    found = joined_scores(known, scores_there(path))
    there = [arch for arch in archs if arch in found]
    of_name = {name: sum(name in found[arch] for arch in there) for name in names}
    kept = {name: num for name, num in of_name.items() if num >= fewest}
    scored = {}
    for arch in there:
        if kept and all(name in found[arch] for name in kept):
            scored[arch] = {name: found[arch][name] for name in kept}
    if counts is not None:
        counts.update(kept.values())
    elif len(scored) < len(there):
        _say_few(kept, len(scored), len(there))
    return scored


def _say_few(counts: Mapping[str, int], num_scored: int, num_there: int) -> None:
    """Why rows are of fewer archs than some of their scores."""
    few = [f"{name} {num:,}" for name, num in counts.items() if num < num_there]
    print(
        f"{num_scored:,} of {num_there:,} archs with scores have all that is asked; fewer have "
        f"{', '.join(few)}; --proxies names what is wanted, and leaving out --known-only computes the rest",
        file=sys.stderr,
    )


def joined_scores(known: Scored | None, there: Scored) -> Scored:
    """Scores of two places, by arch and name; the second where both have one."""
    found = {arch: dict(scores) for arch, scores in (known or {}).items()}
    for arch, scores in there.items():
        found.setdefault(arch, {}).update(scores)
    return found


def _opened(path: Path) -> IO[str]:
    """A file that lines are added to; OutputError where it cannot be written."""
    try:
        make_folder(path.parent)
        _end_cut_line(path)
        return open(path, "a", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose another --scores"
        ) from error


def _end_cut_line(path: Path) -> None:
    """Take away what a kill left of a line."""
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with open(path, "r+b") as file:
            file.truncate(end)


def _computed(
    compute: Compute, todo: Sequence[Task], workers: int
) -> Iterator[tuple[str, dict[str, float | None]]]:
    if workers == 1:
        for task in todo:
            yield task[0], compute(task)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for (arch, _), scores in zip(todo, pool.map(compute, todo), strict=True):
            yield arch, scores


@cache
def _batch(setting: Setting) -> tuple[Tensor, Tensor]:
    return protocol_batches(setting.settings, setting.dataset, [setting.seed], setting.images)[setting.seed]


def _scores_of(setting: Setting, task: Task) -> dict[str, float | None]:
    """The scores of one network by name."""
    arch, names = task
    protocol, num_classes = setting.settings, dataset_of(setting.dataset).num_classes
    batch = _batch(setting)
    as_ours = [name for name in names if not name.endswith(AS_AUTHORS)]
    row = row_of_scores(arch, setting.seed, protocol, batch, num_classes, as_ours)
    found = {name: row[name] for name in as_ours}
    as_theirs = [name.partition(":")[0] for name in names if name.endswith(AS_AUTHORS)]
    if as_theirs:
        net = protocol_net(arch, protocol, num_classes, setting.seed)
        scores = score(net, *batch, as_theirs, setting.seed, authors_counting=True)
        for name, value in scores.items():
            found[f"{name}:{AS_AUTHORS}"] = value
    return found
