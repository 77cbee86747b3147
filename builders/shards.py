"""The units of a shard, and files that appear when they are finished. No job itself.

A job's output folder may be any fsspec URL. In it every finished unit (one training run, one scored initialisation) is a small JSON file
that appears whole or not at all, so a job that is killed at any moment loses at most the unit in hand. When all units of a shard are there,
they become one shard file (Parquet, or HDF5 where pyarrow is absent) and the small files go.

    {job}-{i}-of-{n}/{arch_id:06d}-{seed}.json      while it runs
    {job}-{i}-of-{n}.parquet | .h5                  when finished
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import io
import json
import multiprocessing
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nbzero.errors import NBZeroError, ReleaseError, UsageError
from nbzero.files import write_whole
from nbzero.release.schema import (
    DATA_VERSION,
    KEYS,
    LATER,
    SCHEMA_VERSION,
    TABLES,
    Table,
    arrow_schema,
    check_rows,
)

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

Row = dict[str, Any]
Format = Literal["parquet", "h5"]
WHERE = ("space", "dataset", "arch")  # what a shard says of a row beside the table's own columns


def units_of_shard(num_units: int, shard: int, num_shards: int) -> range:
    """The work units of one shard: every num_shards-th, starting at its own number.

    >>> [list(units_of_shard(num_units=9, shard=s, num_shards=4)) for s in range(4)]
    [[0, 4, 8], [1, 5], [2, 6], [3, 7]]
    """
    return range(shard, num_units, num_shards)


def parse_shard(text: str) -> tuple[int, int]:
    """`"3/40"` to (3, 40): shard 3, counted from 0, of 40; ValueError for anything else.

    >>> parse_shard("3/40")
    (3, 40)
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 0 <= int(match[1]) < int(match[2]):
        raise UsageError(
            f"shard {text!r}; it is like 3/40: the shard's number from 0, then how many there are"
        )
    return int(match[1]), int(match[2])


def parse_range(text: str) -> range:
    """`"100"` to the first 100, `"100:300"` to 100 .. 299; ValueError for anything else.

    >>> parse_range("100:300")
    range(100, 300)
    """
    match = re.fullmatch(r"(?:(\d+):)?(\d+)", text)
    if not match or int(match[1] or 0) >= int(match[2]):
        raise UsageError(
            f"archs {text!r}; it is a count of the build order's first archs, or FIRST:LAST (without LAST)"
        )
    return range(int(match[1] or 0), int(match[2]))


class Folder:
    """A folder of finished files, local or at any fsspec URL."""

    def __init__(self, url: str | Path) -> None:
        self.fs: AbstractFileSystem
        from fsspec.core import url_to_fs  # here: importing a benchmark needs none

        self.fs, self.root = url_to_fs(os.fspath(url))
        self.local = "file" in np.atleast_1d(self.fs.protocol)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def names(self, under: str = "") -> list[str]:
        """Every finished file below a sub-folder, relative to this folder, sorted; none where the sub-folder does not exist."""
        found = self.fs.find(self.path(under)) if self.fs.isdir(self.path(under)) else []
        start = len(self.path("").rstrip("/")) + 1
        return sorted(name[start:] for name in found if not name.endswith(".part"))

    def make(self) -> None:
        """Make the folder where it does not exist; ReleaseError where that cannot be."""
        try:
            self.fs.makedirs(self.root, exist_ok=True)
        except OSError as error:
            raise ReleaseError(
                f"cannot make the folder {self.root}: {error.strerror or error}; name another --out"
            ) from error

    def read(self, name: str) -> bytes:
        data: bytes = self.fs.cat_file(self.path(name))
        return data

    def write(self, name: str, data: bytes) -> None:
        """Make a file that appears whole or not at all.

        Raises:
            ReleaseError: the disk is full or the folder cannot be written; nothing of the file is left.
        """
        path = self.path(name)
        if self.local:
            write_whole(Path(path), data)
            return
        try:
            self.fs.pipe_file(path, data)
        except OSError as error:
            raise ReleaseError(
                f"cannot write {path}: {error}; run the same command again: what is finished is kept"
            ) from error

    def remove(self, name: str) -> None:
        if self.fs.exists(self.path(name)):
            self.fs.rm(self.path(name), recursive=True)


# Rows as files


def to_json(table: Table, row: Row) -> bytes:
    """One finished unit. Floats keep every bit (shortest representation that reads back the same)."""
    head = {"table": table, "schema_version": SCHEMA_VERSION, "data_version": DATA_VERSION}
    return (json.dumps(head | {"row": row}, allow_nan=True, sort_keys=True) + "\n").encode()


def to_parquet(table: Table, rows: Sequence[Row]) -> bytes:
    """A shard as Parquet: the table's columns and `space`, `dataset`, `arch`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(table)
    schema = schema.with_metadata(schema.metadata | {"nbzero.data_version": DATA_VERSION})
    for name in WHERE:
        schema = schema.append(pa.field(name, pa.string(), nullable=False))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink, compression="zstd")
    return sink.getvalue()


def to_h5(table: Table, rows: Sequence[Row]) -> bytes:
    """A shard as HDF5, for machines without pyarrow: a data set per column; a null is NaN or, in `failures`, the empty string; a list
    column is `{name}/values` and `{name}/lengths`."""
    import h5py

    sink = io.BytesIO()
    with h5py.File(sink, "w") as file:
        file.attrs["table"], file.attrs["schema_version"], file.attrs["data_version"] = (
            table,
            SCHEMA_VERSION,
            DATA_VERSION,
        )
        for name, kind in [(c.name, c.kind) for c in TABLES[table]] + [(name, "string") for name in WHERE]:
            values = [row[name] for row in rows]
            if kind == "string":
                file.create_dataset(name, data=[value or "" for value in values], dtype=h5py.string_dtype())
            elif kind == "list<float64>":
                file[f"{name}/lengths"] = np.array([len(value) for value in values], np.int32)
                file[f"{name}/values"] = np.array([x for value in values for x in value], np.float64)
            else:
                file[name] = np.array([np.nan if value is None else value for value in values], kind)
    return sink.getvalue()


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows of one file, and what it says of itself."""

    table: Table
    data_version: str
    rows: list[Row]


def read_shard(data: bytes, name: str) -> Shard:
    """The rows of a unit (.json) or shard file (.parquet, .h5), every value checked; ReleaseError naming the file for any other bytes."""
    reader = {".json": _read_json, ".parquet": _read_parquet, ".h5": _read_h5}.get(Path(name).suffix)
    if reader is None:
        raise ReleaseError(f"{name} is no shard; shards are .parquet, .h5 or .json")
    shard = reader(data, name)
    for row in shard.rows:
        row.update((column, None) for column in LATER[shard.table] - row.keys())
    for number, row in enumerate(shard.rows):
        if any(not isinstance(row.get(column), str) for column in WHERE):
            raise ReleaseError(
                f"{name}: row {number} lacks one of {', '.join(WHERE)}; it is no shard of this project"
            )
    check_rows(
        shard.table,
        ({k: v for k, v in row.items() if k not in WHERE or k == "arch_id"} for row in shard.rows),
        name,
    )
    return shard


def _head(table: Any, schema_version: Any, data_version: Any, name: str) -> tuple[Table, str]:
    if table not in KEYS or not isinstance(data_version, str):
        raise ReleaseError(
            f"{name} is no shard of this project: it names no table; remove it or choose another folder"
        )
    if int(schema_version) != SCHEMA_VERSION:
        raise ReleaseError(
            f"{name} has schema version {int(schema_version)}, this code reads {SCHEMA_VERSION}; use the version that wrote it"
        )
    return table, data_version


def _damaged(name: str, error: Exception) -> ReleaseError:
    return ReleaseError(
        f"{name} is truncated or corrupted ({error}); remove it and run its job again: finished units are kept"
    )


def _read_json(data: bytes, name: str) -> Shard:
    try:
        content = json.loads(data)
        head = content["table"], content["schema_version"], content["data_version"]
        row = content["row"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(name, error) from error
    return Shard(*_head(*head, name), [row])


def _read_parquet(data: bytes, name: str) -> Shard:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from error
    said = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    head = _head(
        said.get("nbzero.table"), said.get("nbzero.schema_version", -1), said.get("nbzero.data_version"), name
    )
    return Shard(*head, table.to_pylist())


def _read_h5(data: bytes, name: str) -> Shard:
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            head = _head(
                file.attrs.get("table"),
                file.attrs.get("schema_version", -1),
                file.attrs.get("data_version"),
                name,
            )
            columns: dict[str, list[Any]] = {}
            for c in TABLES[head[0]]:
                if c.name in LATER[head[0]] - file.keys():
                    continue
                if c.kind == "string":
                    texts = file[c.name].asstr()[:].tolist()
                    columns[c.name] = [text or None for text in texts] if c.nullable else texts
                elif c.kind == "list<float64>":
                    ends = np.cumsum(file[f"{c.name}/lengths"][:])
                    columns[c.name] = (
                        [part.tolist() for part in np.split(file[f"{c.name}/values"][:], ends[:-1])]
                        if len(ends)
                        else []
                    )
                else:
                    numbers = file[c.name][:].tolist()
                    columns[c.name] = [None if number != number else number for number in numbers]
            for where in WHERE:
                columns[where] = file[where].asstr()[:].tolist()
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(name, error) from error
    return Shard(
        *head, [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    )


# A job over one shard

Unit = tuple[int, str, int]  # arch_id, arch, seed
Compute = Callable[[Unit, Row | None], Row]


@dataclass(frozen=True, slots=True)
class Job:
    """One shard of one job: which units, where to, and what computes a unit.

    Attributes:
        table: the table its rows belong to.
        name: first part of its file names, the same for all shards of the job.
        space, dataset: written beside every row.
        units: of this shard, in order.
        shard, num_shards: its number from 0, and how many there are.
        start: called once in every worker with (device, settings); returns the function that computes a unit's row from the unit
            and from the row that is there already, incomplete, or None.
        settings: what `start` needs; must pickle.
        same_key: the constant part of the rows' key, `{"recipe": ...}` or `{"protocol": ...}`.
    """

    table: Table
    name: str
    space: str
    dataset: str
    units: list[Unit]
    shard: int
    num_shards: int
    start: Callable[[str, Any], Compute]
    settings: Any
    same_key: dict[str, str]

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.shard:04d}-of-{self.num_shards:04d}"


def run_job(
    job: Job,
    out: str | Path,
    devices: Sequence[str],
    file_format: Format,
    is_complete: Callable[[Row], bool] = bool,
) -> str:
    """Compute what is missing of a shard, one process per device, and leave one finished file.

    Args:
        out: folder or fsspec URL.
        devices: one worker process for each, for instance ("cpu", "cpu").
        is_complete: whether a row that is there already needs no more work.

    Returns:
        The finished file's name in `out`.

    Raises:
        ReleaseError: a file there that cannot be read, a folder that cannot be written, a worker that was killed. Everything finished is kept.
        KeyboardInterrupt: after the workers were stopped.
    """
    folder = Folder(out)
    rows = _rows_there(folder, job)
    wanted = {(arch_id, seed): (arch_id, arch, seed) for arch_id, arch, seed in job.units}
    todo = [unit for key, unit in wanted.items() if key not in rows or not is_complete(rows[key])]
    folder.make()
    with _progress(job, total=len(wanted), done=len(wanted) - len(todo)) as report:
        for unit, row in _computed(
            job, out, devices, [(unit, rows.get((unit[0], unit[2]))) for unit in todo]
        ):
            rows[unit[0], unit[2]] = row
            report(unit, row)
    finished = f"{job.stem}.{file_format}"
    ordered = [rows[key] for key in sorted(rows)]
    encode = to_parquet if file_format == "parquet" else to_h5
    folder.write(finished, encode(job.table, ordered))
    for name in folder.names():
        if name in (f"{job.stem}.parquet", f"{job.stem}.h5") and name != finished:
            folder.remove(name)
    folder.remove(job.stem)
    return finished


def _rows_there(folder: Folder, job: Job) -> dict[tuple[int, int], Row]:
    """Finished rows of this shard by (arch_id, seed); the small files, being newer, replace those of a finished file."""
    files = [
        name for name in (f"{job.stem}.parquet", f"{job.stem}.h5") if folder.fs.exists(folder.path(name))
    ]
    rows = {}
    for name in files + folder.names(job.stem):
        for row in read_shard(folder.read(name), folder.path(name)).rows:
            own = {"space": job.space, "dataset": job.dataset} | job.same_key
            if any(row.get(column) != value for column, value in own.items()):
                raise ReleaseError(
                    f"{folder.path(name)} holds a row of {[row.get(c) for c in own]}, not of {list(own.values())}; choose another folder"
                )
            rows[row["arch_id"], row["seed"]] = row
    return rows


def _computed(
    job: Job, out: str | Path, devices: Sequence[str], todo: Sequence[tuple[Unit, Row | None]]
) -> Iterator[tuple[Unit, Row]]:
    """Units and rows as they finish. Each worker holds one unit and waits for the next, so a kill loses no queue."""
    if not todo:
        return
    context = multiprocessing.get_context("spawn")
    places = context.SimpleQueue()
    workers = min(len(devices), len(todo))
    for device in devices[:workers]:
        places.put(device)
    left = iter(todo)
    with ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(job, os.fspath(out), places)
    ) as pool:
        running: dict[Future[Row], Unit] = {}
        try:
            while True:
                for unit, there in left:
                    running[pool.submit(_compute, unit, there)] = unit
                    if len(running) == workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            raise ReleaseError(
                f"a worker of {job.stem} was killed (out of memory?) or could not start; run the same command again to go on, "
                "with fewer --workers if memory is short"
            ) from error
        finally:
            for future in running:
                future.cancel()


_worker: dict[str, Any] = {}


def _start_worker(job: Job, out: str, places: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker at once: its unit is the one in hand
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    tune_process()
    try:
        _worker.update(job=job, folder=Folder(out), compute=job.start(places.get(), job.settings))
    except NBZeroError as error:  # told by the first unit: a pool only says that its worker broke
        _worker["failed"] = error


def _end_with(parent: int) -> None:
    """End this process when its parent is gone (kill -9), so that no orphan goes on computing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _compute(unit: Unit, there: Row | None) -> Row:
    if "failed" in _worker:
        raise _worker["failed"]
    job: Job = _worker["job"]
    arch_id, arch, seed = unit
    row: Row = _worker["compute"](unit, there)
    row |= {
        "arch_id": arch_id,
        "seed": seed,
        "arch": arch,
        "space": job.space,
        "dataset": job.dataset,
    } | job.same_key
    _worker["folder"].write(f"{job.stem}/{arch_id:06d}-{seed}.json", to_json(job.table, row))
    return row


def tune_process() -> None:
    """One thread, TF32 off, and a malloc that keeps its memory: oneDNN's 1x1 convolutions ran 1.7 to 2.3 times as fast with it."""
    import torch

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3
        libc = ctypes.CDLL(None)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 2**30)


@contextlib.contextmanager
def _progress(job: Job, total: int, done: int) -> Iterator[Callable[[Unit, Row], None]]:
    """A rich bar with ETA on a terminal; elsewhere, or without rich, a line per unit."""
    if sys.stderr.isatty() and importlib.util.find_spec("rich"):
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(job.stem, total=total, completed=done)
            yield lambda unit, row: bar.update(task, advance=1, description=f"{job.stem} {_said(unit, row)}")
        return
    started = time.monotonic()
    count = 0

    def line(unit: Unit, row: Row) -> None:
        nonlocal count
        count += 1
        left = (time.monotonic() - started) / count * (total - done - count)
        print(
            f"{job.stem} {done + count}/{total} {_said(unit, row)}, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    yield line


def _said(unit: Unit, row: Row) -> str:
    said = f"{unit[1]} seed {unit[2]}"
    return (
        f"{said} val {row['val_acc']:.4f}"
        if row.get("val_acc") is not None
        else f"{said} {row.get('status', 'scored')}"
    )


# What every row says of where it comes from


def device_name(device: str) -> str:
    """What a row's `device` says: the card's name, or the processor's and that one thread ran."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.M) if cpuinfo.exists() else []
    return f"{names[0] if names else platform.processor() or platform.machine()}, 1 thread"


def software() -> str:
    """What a row's `software` says."""
    import torch

    return f"torch {torch.__version__}, numpy {np.__version__}, python {platform.python_version()}"


@functools.cache
def builder_commit() -> str:
    """The commit of the checkout that this file lies in, with "+changes" where tracked files differ from it; outside a checkout the
    installed version."""
    here = Path(__file__).resolve().parents[1]
    if (here / ".git").exists():
        git = ["git", "-C", str(here)]
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if commit:
            changed = subprocess.run(
                [*git, "status", "--porcelain", "-uno", "--", "nbzero", "train", "builders"],
                capture_output=True,
                text=True,
                check=False,
            )
            return commit + ("+changes" if changed.stdout.strip() else "")
    from importlib.metadata import version

    return f"nbzero {version('nbzero')}"


def all_devices(workers: int | None, device: str) -> list[str]:
    """One entry per worker: `device` "auto" is every CUDA card, else every core; `workers` limits or repeats them.

    Raises:
        UsageError: a device that torch does not have here, or fewer than one worker.
    """
    import torch

    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; at least 1")
    cards = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if device == "auto":
        device = "cuda" if cards else "cpu"
    if device == "cpu":
        return ["cpu"] * (
            workers or len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else workers or os.cpu_count() or 1
        )
    chosen = cards if device == "cuda" else [card for card in cards if card == device]
    if not chosen:
        raise UsageError(f"device {device!r}; this machine has cpu {' '.join(cards)}".rstrip())
    return [chosen[i % len(chosen)] for i in range(workers or len(chosen))]


def say_errors(main: Callable[[Sequence[str] | None], None]) -> Callable[..., int]:
    """A job's `main` that returns an exit status: 0, 2 after an error that it prints (what was given, what to do), 130 after Ctrl-C."""

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        try:
            main(argv)
        except NBZeroError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted; run the same command again to go on from here", file=sys.stderr)
            return 130
        return 0

    return wrapped


def default_format() -> Format:
    """Parquet where pyarrow is installed, else HDF5."""
    return "parquet" if importlib.util.find_spec("pyarrow") else "h5"


def planned_units(
    members: Sequence[str], archs: range, seeds: Iterable[int], shard: int, num_shards: int
) -> list[Unit]:
    """A shard's units, archs in build order and every arch with all seeds before the next.

    Raises:
        UsageError: archs beyond the space's members.
    """
    if archs.stop > len(members):
        raise UsageError(f"archs up to {archs.stop}; the space has {len(members)}")
    units = [(arch_id, members[arch_id], seed) for arch_id in archs for seed in seeds]
    return [units[i] for i in units_of_shard(len(units), shard, num_shards)]
