"""One shard of one job: computes what is missing of it, and leaves one finished file.

What computes is an engine: a function of one type, so that a cluster is another function and no other job.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders.work.claims import Todo, Work, tidy
from builders.work.limit import Deadline
from builders.work.lock import locked
from builders.work.rows import Folder, Format, Row, read_shard, to_h5, to_json, to_parquet
from builders.work.units import Unit, unit_name
from nbzero.errors import ReleaseError, count_of, quoted
from nbzero.progress import progress
from nbzero.release.schema import KEYS, Table, where_of

Compute = Callable[[Unit, Row | None], Row]
BYTES_PER_UNIT = 8192  # on disk: its small file, in blocks of 4 KiB, and its row of the finished file
ENCODE = {"parquet": to_parquet, "h5": to_h5}


@dataclass(frozen=True, slots=True)
class Job:
    """One shard of one job: which units, and what computes a unit.

    Attributes:
        table: the table its rows belong to.
        name: first part of its file names, the same for all shards of the job.
        space, dataset: written beside every row; None of a table that is of no data set.
        units: of this shard, in order.
        shard, num_shards: its number from 0, and how many there are.
        start: called once in every worker with (device, settings). It returns the function that computes a
            unit's row, from the unit and from the row that is there already, incomplete, or None.
        settings: what `start` needs; must pickle.
        same_key: the constant part of the rows' key, `{"recipe": ...}`, `{"protocol": ...}` or
            `{"setup": ...}`.
        device, workers: what is to compute, in the words of the command line; the engine says what they mean.
        together: units that a worker computes at a time, each in a thread; what `start` returns allows that.
        stands_for: the settings that the name in `same_key` stands for. All rows of an output share them.
        address, gpus_per_worker: of a cluster, in the same words.
    """

    table: Table
    name: str
    space: str
    dataset: str | None
    units: list[Unit]
    shard: int
    num_shards: int
    start: Callable[[str, Any], Compute]
    settings: Any
    same_key: dict[str, str]
    device: str = "auto"
    workers: int | None = None
    together: int = 1
    stands_for: Mapping[str, Any] = field(default_factory=dict)
    address: str | None = None
    gpus_per_worker: float | None = None

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.shard:04d}-of-{self.num_shards:04d}"

    @property
    def fixed(self) -> str | None:
        """`stands_for` as the files of the job have it."""
        return json.dumps(self.stands_for, sort_keys=True) if self.stands_for else None


# Called with a job, its output folder and what is to do. Malformed options are a UsageError of the call
# itself. The units and rows come as they finish, each written by `keep_unit` before. A unit is another
# process's to compute once the work was iterated past it.
Engine = Callable[[Job, str, Work], Iterator[tuple[Unit, Row]]]


def run_job(
    job: Job,
    out: str,
    engine: Engine,
    file_format: Format,
    is_complete: Callable[[Row], bool] = bool,
    deadline: Deadline | None = None,
) -> str:
    """Compute what is missing of a shard and leave one finished file.

    Several processes may do so at once, with the same units or others. On one host they share what both are
    to do. Whoever ends adds to the finished file what is there by then.

    Args:
        out: folder or fsspec URL.
        engine: what computes.
        is_complete: whether a row that is there already needs no more work.
        deadline: says when no more units are begun; None: all are.

    Returns:
        The finished file's name in `out`; "" where a deadline left no row to put into one.

    Raises:
        ReleaseError: a file there that cannot be read, or a worker that was killed. Everything finished is
            kept.
        OutputError: a folder or file that cannot be written, or a disk with too little space. Both are
            looked at before anything is computed.
        KeyboardInterrupt: after the workers were stopped.
    """
    folder = Folder(out)
    rows = _rows_there(folder, job)[0]
    deadline = deadline or Deadline()
    work = Work(folder, job.stem, _missing(job, rows, is_complete), is_complete, deadline)
    results = engine(job, out, work)
    folder.check_room(len(work) * BYTES_PER_UNIT)
    try:
        if deadline.allows(work.first):  # else no worker need start
            _compute(job, work, results)
    finally:
        work.close()
    deadline.not_begun = work.not_begun
    with _alone(folder, job):
        finished = _finish(folder, job, file_format)
    _say_elsewhere(job, work)
    return finished


def _compute(job: Job, work: Work, results: Iterator[tuple[Unit, Row]]) -> None:
    """Have an engine compute, and say how far it is."""
    total = len(set(job.units))
    with progress(job.stem, total, total - len(work)) as report:
        for unit, row in results:
            work.done(unit, row)
            report(_said(unit, row))


def _alone(folder: Folder, job: Job) -> contextlib.AbstractContextManager[None]:
    """No other process writes the shard's finished file meanwhile; at a URL nobody can be kept from it."""
    if not folder.local:
        return contextlib.nullcontext()
    return locked(Path(folder.path("")), wait_s=600, name=f".{job.stem}.lock")


def _finish(folder: Folder, job: Job, file_format: Format) -> str:
    """Put all rows that are there into one file, and remove what they were read from; "" of no rows."""
    rows, names = _rows_there(folder, job)
    finished = f"{job.stem}.{file_format}"
    if not rows:
        tidy(folder, job.stem)
        return ""
    ordered = [rows[place] for place in sorted(rows)]
    folder.write(finished, ENCODE[file_format](job.table, ordered, job.fixed))
    for name in names:
        if name != finished:
            folder.remove(name)
    tidy(folder, job.stem)
    return finished


def _say_elsewhere(job: Job, work: Work) -> None:
    if work.elsewhere:
        others = ", ".join(sorted(set(work.elsewhere.values())))
        left = count_of(len(work.elsewhere), "unit")
        print(f"{job.stem}: {left} left to {others}, which had taken them", file=sys.stderr)


def keep_unit(job: Job, folder: Folder, unit: Unit, row: Row) -> Row:
    """Write what was computed of a unit as its small file; the row with its key and with where it belongs."""
    arch_id, arch, seed = unit
    key = {"arch_id": arch_id, **job.same_key}
    if "seed" in KEYS[job.table]:
        key["seed"] = seed
    where = {"space": job.space, "dataset": job.dataset, "arch": arch}
    whole = row | key | {name: where[name] for name in where_of(job.table)}
    folder.write(f"{job.stem}/{unit_name(unit)}.json", to_json(job.table, whole, job.fixed))
    return whole


def place_of(unit: Unit) -> tuple[int, int]:
    """What tells a unit of a shard from the others: arch_id and seed."""
    arch_id, _, seed = unit
    return arch_id, seed


def place_of_row(row: Row) -> tuple[int, int]:
    """The `place_of` the unit of a row; the seed of what has none is 0.

    >>> place_of_row({"arch_id": 7, "seed": 1}), place_of_row({"arch_id": 7})
    ((7, 1), (7, 0))
    """
    return row["arch_id"], row.get("seed", 0)


def _missing(job: Job, rows: dict[tuple[int, int], Row], is_complete: Callable[[Row], bool]) -> list[Todo]:
    """The units without a complete row, each once, with the row that is there."""
    todo = []
    for unit in dict.fromkeys(job.units):
        there = rows.get(place_of(unit))
        if there is None or not is_complete(there):
            todo.append((unit, there))
    return todo


def _finished_files(folder: Folder, job: Job) -> list[str]:
    """The shard's finished files of any format that are there."""
    names = [f"{job.stem}.{file_format}" for file_format in ENCODE]
    return [name for name in names if folder.fs.exists(folder.path(name))]


def _rows_there(folder: Folder, job: Job) -> tuple[dict[tuple[int, int], Row], list[str]]:
    """Finished rows of this shard by (arch_id, seed), and the files that they were read from.

    The small files, being newer, replace those of a finished file. Another process may put them into one
    meanwhile, and remove them after. So the finished files are read last, and where a file has gone all is
    read again.
    """
    while True:
        try:
            units = folder.names(job.stem)
            of_units = _rows_of(folder, job, units)
            finished = _finished_files(folder, job)
            return {**_rows_of(folder, job, finished), **of_units}, [*finished, *units]
        except FileNotFoundError:
            continue


def _rows_of(folder: Folder, job: Job, names: Sequence[str]) -> dict[tuple[int, int], Row]:
    """The rows of some files by (arch_id, seed), those of a later file in place of an earlier one's.

    Raises:
        FileNotFoundError: a file has gone since it was listed.
        ReleaseError: a file that cannot be read, or is of another job.
    """
    own = {"space": job.space, "dataset": job.dataset, **job.same_key}
    rows = {}
    for name in names:
        path = folder.path(name)
        shard = read_shard(_bytes_of(folder, name), path)
        _check_fixed(job, shard.settings, path)
        for row in shard.rows:
            found = {column: row.get(column) for column in own}
            if found != own:
                raise ReleaseError(
                    f"{path} holds a row of {list(found.values())}, not of {list(own.values())}; "
                    "choose another folder"
                )
            rows[place_of_row(row)] = row
    return rows


def _bytes_of(folder: Folder, name: str) -> bytes:
    """What a file holds.

    Raises:
        FileNotFoundError: it has gone.
        ReleaseError: it cannot be read.
    """
    try:
        return folder.read(name)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ReleaseError(
            f"cannot read {folder.path(name)}: {error.strerror or error}; make it readable, or remove it: "
            "what it holds is computed again then"
        ) from error


def _check_fixed(job: Job, there: str | None, path: str) -> None:
    """ReleaseError where a file is of the same recipe or protocol under other settings."""
    if there is None or job.fixed is None or there == job.fixed:
        return
    ((what, name),) = job.same_key.items()
    raise ReleaseError(
        f"{path} holds rows of {name} with other settings ({_differing(there, job.stands_for)}); a {what} "
        "keeps its settings: give the changed one a new name, or choose another folder"
    )


def _differing(there: str, here: Mapping[str, Any]) -> str:
    """In words which settings a file has, and which there are now."""
    try:
        before = dict(json.loads(there))
    except (ValueError, TypeError):
        return quoted(there)
    now = json.loads(json.dumps(here))
    said = []
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            said.append(f"{name} {quoted(before.get(name))} there, {quoted(now.get(name))} here")
    return ", ".join(said)


# What is said meanwhile


def _said(unit: Unit, row: Row) -> str:
    _, arch, seed = unit
    if "latency_ms" in row:
        return f"{arch} {row['latency_ms']:.3g} ms"
    if row.get("val_acc") is not None:
        return f"{arch} seed {seed} val {row['val_acc']:.4f}"
    return f"{arch} seed {seed} {row.get('status', 'scored')}"
