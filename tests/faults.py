"""Attacks on jobs, merges, files, imports, at random moments and places: python -m tests.faults --rounds 20

What must hold: a row that was finished is never gone (lost), a value never differs from what was computed
(wrong), nothing waits for ever (hung). An attack may end in an error that says what to do (refused), or with
the work done (finished). After each attack on a job or a merge the same command runs once more, undisturbed,
and must end with every row.

    tries      of one attack; --rounds of those on processes, ten times as many of those on files
    refused    the job, the merge or the reader ended with an error of ours, or by the signal
    finished   it ended well
    lost       rows that were finished and are gone, or were computed again
    wrong      values that are not those computed, and every error that is none of ours
    hung       processes that had not ended after LIMIT_S seconds, or were left behind
"""

from __future__ import annotations

import argparse
import bz2
import ctypes
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from builders import import_bench
from builders.work import h5
from builders.work.base import members_of_space
from builders.work.commit import commit_release
from builders.work.rows import Row, one_h5_reader, read_shard, to_h5, to_json, to_parquet
from nbzero import Bench
from nbzero.errors import NBZeroError, ReleaseError
from nbzero.proxies.workers import END, Hired, told
from nbzero.release.manifest import MANIFEST, Release
from nbzero.release.schema import arrow_schema
from nbzero.release.verify import verify
from tests import hostile_sources
from tests.builders.made import heed_hangups, is_alive
from tests.builders.work.quick import STEM, row_of
from tests.importers.made import MADE, few_expected, write
from tests.importers.made_each import MADE_OFFICIAL
from tests.places import ROOT

LIMIT_S = 60.0
FILES_PER_ROUND = 10  # tries of an attack on files for one of an attack on processes
MAX_SAID = 5000  # characters of an error
SLOW = ("train_time_s",)  # differs from one computation to the next
RUNS = "runs/r1-mini/digits.parquet"
Rng = np.random.Generator


class Result(NamedTuple):
    """What came of one try.

    Attributes:
        why: in words, where something is lost, wrong or hung.
    """

    is_finished: bool
    lost: int = 0
    wrong: int = 0
    hung: int = 0
    why: str = ""


# Rows


def expected(arch_ids: range) -> dict[int, Row]:
    members = members_of_space("r1-mini")
    return {arch_id: row_of(arch_id, members[arch_id]) for arch_id in arch_ids}


def without_times(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in SLOW}


def rows_in(out: Path) -> dict[int, Row]:
    """Every finished row of a job's folder, by arch_id."""
    found = {}
    for path in [*out.glob("*.parquet"), *out.glob("*.h5"), *out.glob(f"{STEM}/*.json")]:
        for row in read_shard(path.read_bytes(), str(path)).rows:
            found[row["arch_id"]] = row
    return found


def judged(is_finished: bool, before: dict[int, Row], after: dict[int, Row], needed: range) -> Result:
    """Compare what was finished before, and what is there after the same command ended well."""
    lost = [arch_id for arch_id in needed if arch_id not in after]
    for arch_id, row in before.items():
        if after.get(arch_id, row)["train_time_s"] != row["train_time_s"]:
            lost.append(arch_id)
    whole = expected(range(min(needed), max(*needed, *after, 0) + 1))
    wrong = []
    for arch_id, row in after.items():
        if without_times(row) != without_times(whole[arch_id]):
            wrong.append(arch_id)
    why = f"lost {lost}, wrong {wrong}" if lost or wrong else ""
    return Result(is_finished, len(lost), len(wrong), why=why)


# Processes


class Ran(NamedTuple):
    """How a process ended; its status is None where it hung."""

    status: int | None
    said: str


def begun(
    module: str,
    *arguments: str,
    limit_bytes: int | None = None,
    heeds_permissions: bool = False,
    **more: str,
) -> subprocess.Popen[str]:
    """A command as a process group of its own.

    Args:
        limit_bytes: of what a file may hold.
        heeds_permissions: also where it is root.
        more: environment variables.
    """

    def limit() -> None:
        heed_hangups()
        if heeds_permissions and os.geteuid() == 0:
            heed_permissions()
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=limit,
        env=os.environ | more,
    )


def heed_permissions() -> None:
    """In a process of root that is about to become a job: it may do what a file's owner may, no more."""
    drop = 24  # PR_CAPBSET_DROP
    libc = ctypes.CDLL(None, use_errno=True)
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.prctl(drop, right, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "this root may not give up its rights")


def ended(process: subprocess.Popen[str]) -> Ran:
    """Wait for a command and for all that it started; what is left is killed, and the status None."""
    said = ""
    with suppress(subprocess.TimeoutExpired):
        said, _ = process.communicate(timeout=LIMIT_S)
    end = time.monotonic() + LIMIT_S / 4
    while is_alive(process.pid) and time.monotonic() < end:
        time.sleep(0.02)
    if not is_alive(process.pid):
        return Ran(process.returncode, said)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return Ran(None, said)


def failed(ran: Ran) -> Result | None:
    """What is wrong with how a process ended: it hung, or its error is none of ours."""
    if ran.status is None:
        return Result(False, hung=1, why=f"hung: {ran.said[-300:]}")
    if "Traceback" in ran.said or ran.status == 1:
        return Result(False, wrong=1, why=f"status {ran.status}: {ran.said[-1500:]}")
    return None


def quick(out: Path | str, first: int = 0, last: int = 8, file_format: str = "parquet") -> list[str]:
    return ["tests.builders.work.quick", str(out), str(first), str(last), file_format, "0.02"]


def merge(shards: Path, out: Path) -> list[str]:
    return ["builders.merge_shards", str(shards), "--out", str(out), "--release"]


def again(
    command: Sequence[str], is_finished: bool, before: dict[int, Row], out: Path, needed: range
) -> Result:
    """The same job once more, undisturbed; what is lost or wrong then."""
    ran = ended(begun(*command))
    if ran.status != 0:
        return failed(ran) or Result(False, lost=len(before), why=f"cannot go on: {ran.said[-500:]}")
    return judged(is_finished, before, rows_in(out), needed)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a command has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found = []
    with suppress(OSError):
        for number in children.read_text().split():
            if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes():
                found.append(int(number))
    return found


def kill(process: subprocess.Popen[str], how: str, rng: Rng) -> None:
    with suppress(ProcessLookupError):
        if how == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif how == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        elif how == "worker":
            workers = workers_of(process)
            if workers:
                os.kill(int(rng.choice(workers)), signal.SIGKILL)
        else:
            process.send_signal(signal.Signals[how])


def strike(process: subprocess.Popen[str], units: Path, num_units: int, how: str, rng: Rng) -> None:
    """Send something of a job a signal, at a random moment or when a random number of units are there."""
    after_start = how == "worker" or rng.random() < 0.5
    while after_start and process.poll() is None and not workers_of(process):
        time.sleep(0.003)
    deadline = time.monotonic() + 4 * rng.random() ** 2
    wait_for_units(process, units, int(rng.integers(num_units + 1)), deadline)
    kill(process, how, rng)


def wait_for_units(process: subprocess.Popen[str], units: Path, number: int, deadline: float) -> None:
    """Wait until a job has finished so many units, or ended, or until the deadline; of 0, the last two."""
    while time.monotonic() < deadline and process.poll() is None:
        if number and len(list(units.glob("*.json"))) >= number:
            return
        time.sleep(0.003)


def job_killed(how: str, at_url: bool = False, together: int = 1) -> Callable[[Rng, Path], Result]:
    """A job of 2 workers, of which something gets a signal at a random moment.

    Args:
        at_url: whether its output is an object store's, so that there are neither claims nor locks.
        together: units of a worker; there are 4 times as many, and 4 more.
    """
    last = 4 + 4 * together

    def attack(rng: Rng, folder: Path) -> Result:
        out = f"store://{folder}" if at_url else folder
        command = quick(out, last=last, file_format=str(rng.choice(["parquet", "h5"])))
        command += ["--together", str(together)]
        process = begun(*command)
        strike(process, folder / STEM, last, how, rng)
        ran = ended(process)
        bad = failed(ran)
        if bad is not None and not (how == "Ctrl-C" and _came_before_the_job(ran, folder)):
            return bad
        return again(command, ran.status == 0, rows_in(folder), folder, range(last))

    return attack


def _came_before_the_job(ran: Ran, folder: Path) -> bool:
    """Ctrl-C came while Python itself or this test's module was loaded, which nobody can word."""
    return ran.said.rstrip().endswith("KeyboardInterrupt") and not any(folder.iterdir())


def two_jobs(rng: Rng, folder: Path) -> Result:
    """Two jobs on one shard, with other archs or the same; every second time one of them is killed."""
    first = int(rng.integers(9))
    one, other = quick(folder, 0, 8), quick(folder, first, first + 8)
    processes = [begun(*one)]
    time.sleep(rng.random() * 0.8)
    processes.append(begun(*other))
    is_killed = rng.random() < 0.5
    if is_killed:
        time.sleep(rng.random() * 2)
        kill(processes[int(rng.integers(2))], "group", rng)
    ran = [ended(process) for process in processes]
    for one_ran in ran:
        bad = failed(one_ran)
        if bad is not None:
            return bad
    before = rows_in(folder)
    is_finished = all(one_ran.status == 0 for one_ran in ran)
    if is_finished:  # nothing may be left to do
        return judged(True, {}, before, range(first + 8))
    result = again(one, False, before, folder, range(8))
    if result.why:
        return result
    return again(other, False, rows_in(folder), folder, range(first + 8))


def full_disk_of_a_job(rng: Rng, folder: Path) -> Result:
    """No file may be larger than a few bytes to a few kilobytes: units cannot be written, or the shard."""
    command = quick(folder, file_format=str(rng.choice(["parquet", "h5"])))
    ran = ended(begun(*command, limit_bytes=int(rng.integers(0, 9000))))
    return failed(ran) or again(command, ran.status == 0, rows_in(folder), folder, range(8))


def folder_taken_from_a_job(rng: Rng, folder: Path) -> Result:
    """While it runs its folder cannot be written: it is set aside, and a file is in its place."""
    command = quick(folder)
    process = begun(*command)
    units, aside = folder / STEM, folder.with_name("aside")
    deadline = time.monotonic() + 5 * rng.random()
    at_unit = int(rng.integers(1, 8))
    while time.monotonic() < deadline and len(list(units.glob("*.json"))) < at_unit:
        time.sleep(0.003)
    before = rows_in(folder)
    with suppress(OSError):
        os.rename(units, aside)
        units.write_text("in the way")
    ran = ended(process)
    if units.is_file():
        units.unlink()
    bad = failed(ran)
    if bad is not None:
        return bad
    if aside.exists():
        units.mkdir(exist_ok=True)
        for path in aside.iterdir():
            os.replace(path, units / path.name)
    return again(command, ran.status == 0, before | rows_in(folder), folder, range(8))


def permission_revoked(rng: Rng, folder: Path) -> Result:
    """While it runs its folder, that of its units or one unit cannot be written or read any more."""
    command = quick(folder)
    process = begun(*command, heeds_permissions=True)
    units = folder / STEM
    wait_for_units(process, units, int(rng.integers(1, 9)), time.monotonic() + LIMIT_S)
    places = [(folder, 0o500), (units, 0o500), (units, 0)]
    places += [(path, 0) for path in units.glob("*.json")][:3]
    place, mode = places[int(rng.integers(len(places)))]
    with suppress(FileNotFoundError):
        place.chmod(mode)
    ran = ended(process)
    for path in (folder, units, place):
        if path.exists():
            path.chmod(0o700)
    bad = failed(ran)
    return bad or again(command, ran.status == 0, rows_in(folder), folder, range(8))


def unit_damaged(rng: Rng, folder: Path) -> Result:
    """While it runs a bit of a unit flips or its end goes: the unit is named, and made anew once removed."""
    command = quick(folder)
    process = begun(*command)
    units = folder / STEM
    wait_for_units(process, units, int(rng.integers(1, 9)), time.monotonic() + LIMIT_S)
    path = units / f"{int(rng.integers(8)):06d}-0.json"
    other = folder.with_name(f"{folder.name}-damaged")
    with suppress(FileNotFoundError):
        data = path.read_bytes()
        changed = flipped(data, rng) if rng.random() < 0.7 else data[: int(rng.integers(len(data)))]
        other.write_bytes(changed)
        os.replace(other, path)
    ran = ended(process)
    is_finished = ran.status == 0
    bad = failed(ran)
    if bad is None and is_finished and path.exists():  # it came when the job had read all
        ran = ended(begun(*command))
        bad = failed(ran)
    if bad is not None:
        return bad
    if ran.status != 0:
        if str(path) not in ran.said:
            return Result(False, wrong=1, why=f"does not name {path}: {ran.said[-500:]}")
        path.unlink()
    return again(command, is_finished, rows_in(folder), folder, range(8))


def out_of_memory(how: str, together: int = 1) -> Callable[[Rng, Path], Result]:
    """One unit gets no more memory: its worker is told so, or the system kills it."""

    def attack(rng: Rng, folder: Path) -> Result:
        marker = folder.with_name(f"{folder.name}-marker")
        short_at = ["--short-at", str(rng.integers(8)), "--how", how, "--marker", str(marker)]
        command = [*quick(folder), "--together", str(together), *short_at]
        ran = ended(begun(*command))
        bad = failed(ran)
        if bad is not None:
            return bad
        if ran.status != 2 or "memory" not in ran.said:
            return Result(False, wrong=1, why=f"status {ran.status}: {ran.said[-500:]}")
        return again(command, False, rows_in(folder), folder, range(8))

    return attack


# Training

TRAINING = "runs-r1-mini-digits-cpu-16px-4-0000-of-0001"
DIFFERS = ("train_time_s", "engine", "device", "software", "builder_commit")
Key = tuple[int, int]


def training(out: Path, together: int) -> list[str]:
    """A job of 2 small networks with 2 seeds, of which the second seed's begin with NaN."""
    job = "--space r1-mini --dataset digits --recipe cpu-16px-4 --archs 443:445 --seeds 0 1 --base none"
    workers = f"--device cpu --workers 2 --together {together} --format parquet --out {out}"
    return ["tests.builders.work.diverging", *job.split(), *workers.split()]


def trained_in(out: Path) -> dict[Key, Row]:
    found = {}
    for path in [*out.glob("*.parquet"), *out.glob(f"{TRAINING}/*.json")]:
        for row in read_shard(path.read_bytes(), str(path)).rows:
            found[row["arch_id"], row["seed"]] = row
    return found


def training_killed(rng: Rng, folder: Path) -> Result:
    """Networks that diverge, in a job that is killed: their rows are those of an undisturbed job."""
    cache = {"NBZERO_CACHE": str(folder.parent / "cache")}
    kept = folder.parent / "undisturbed"
    if not kept.exists() and ended(begun(*training(kept, 1), **cache)).status != 0:
        return Result(False, wrong=1, why="undisturbed it fails")
    command = training(folder, int(rng.integers(1, 3)))
    process = begun(*command, **cache)
    how = str(rng.choice(["group", "worker", "SIGTERM"]))
    while process.poll() is None and not workers_of(process):
        time.sleep(0.01)
    time.sleep(2 * rng.random())
    strike(process, folder / TRAINING, 4, how, rng)
    ran = ended(process)
    bad = failed(ran)
    if bad is not None:
        return bad
    before = trained_in(folder)
    ran_again = ended(begun(*command, **cache))
    if ran_again.status != 0:
        said = ran_again.said[-500:]
        return failed(ran_again) or Result(False, lost=len(before), why=f"cannot go on: {said}")
    return judged_training(ran.status == 0, before, trained_in(folder), trained_in(kept))


def judged_training(
    is_finished: bool, before: dict[Key, Row], after: dict[Key, Row], whole: dict[Key, Row]
) -> Result:
    """Compare what an undisturbed job gives with what is there, and that with what was finished before."""
    lost = [key for key in whole if key not in after]
    lost += [key for key, row in before.items() if after.get(key, row) != row]
    wrong = []
    for key, row in after.items():
        is_same = all(row[name] == value for name, value in whole[key].items() if name not in DIFFERS)
        if not is_same or (row["status"] == "diverged") != (key[1] == 1):
            wrong.append(key)
    why = f"lost {lost}, wrong {wrong}" if lost or wrong else ""
    return Result(is_finished, len(lost), len(wrong), why=why)


# Merges


def shard_of(arch_ids: range) -> bytes:
    rows = [row | {"train_time_s": float(arch_id)} for arch_id, row in expected(arch_ids).items()]
    return to_parquet("runs", rows)


def put_shard(folder: Path, name: str, arch_ids: range) -> Path:
    (folder / name).mkdir()
    (folder / name / "shard.parquet").write_bytes(shard_of(arch_ids))
    return folder / name


def made_release(folder: Path) -> None:
    """A release of r1-mini alone, with 4 runs."""
    import pyarrow as pa

    archs = Release.open().table("archs/r1-mini.parquet")
    rows = pa.Table.from_pylist(runs(range(4)), arrow_schema("runs"))
    tables = {("archs", "r1-mini", None): archs, ("runs", "r1-mini", "digits"): rows}
    commit_release(folder, tables, "0.1.0")


def runs(arch_ids: range) -> list[Row]:
    return read_shard(shard_of(arch_ids), "made.parquet").rows


def runs_in(release: Path) -> dict[int, Row]:
    table = Bench(release).arrow("runs", "r1-mini", "digits")
    return {row["arch_id"]: row for row in table.to_pylist()}


def judged_release(is_finished: bool, release: Path, needed: range) -> Result:
    """All rows must be there, and `verify` find nothing."""
    try:
        verify(str(release))
        found = runs_in(release)
    except NBZeroError as error:
        return Result(is_finished, lost=len(needed), why=f"the release cannot be read: {error}")
    whole = {row["arch_id"]: row for row in runs(range(24))}
    lost = [arch_id for arch_id in needed if arch_id not in found]
    wrong = [arch_id for arch_id, row in found.items() if row != whole[arch_id]]
    why = f"lost {lost}, wrong {wrong}" if lost or wrong else ""
    return Result(is_finished, len(lost), len(wrong), why=why)


def two_merges(rng: Rng, folder: Path) -> Result:
    """Two merges into one release, started within half a second; one of them may be killed."""
    made_release(folder / "release")
    parts = [range(4, 10), range(8, 16)]
    commands = []
    for number, part in enumerate(parts):
        commands.append(merge(put_shard(folder, f"shard{number}", part), folder / "release"))
    processes = [begun(*commands[0])]
    time.sleep(rng.random() * 0.5)
    processes.append(begun(*commands[1]))
    if rng.random() < 0.3:
        time.sleep(rng.random() * 3)
        kill(processes[int(rng.integers(2))], "group", rng)
    ran = [ended(process) for process in processes]
    for one in ran:
        bad = failed(one)
        if bad is not None:
            return bad
    is_finished = all(one.status == 0 for one in ran)
    if not is_finished:
        for command, one in zip(commands, ran, strict=True):
            if one.status != 0 and ended(begun(*command)).status != 0:
                return Result(False, lost=1, why=f"cannot go on: {one.said[-500:]}")
    return judged_release(is_finished, folder / "release", range(16))


def merge_killed(rng: Rng, folder: Path) -> Result:
    """Killed at any moment: most often once the first part is written."""
    release = folder / "release"
    made_release(release)
    command = merge(put_shard(folder, "shard", range(4, 10)), release)
    process = begun(*command)
    if rng.random() < 0.8:
        deadline = time.monotonic() + LIMIT_S
        while process.poll() is None and time.monotonic() < deadline and not list(release.rglob("*.part")):
            time.sleep(0.0005)
        time.sleep(rng.random() * 0.08)
    else:
        time.sleep(rng.random() * 3)
    kill(process, "group", rng)
    return merged_again(command, ended(process), release)


def merged_again(command: list[str], ran: Ran, release: Path) -> Result:
    """A merge that was disturbed left the old release, the new one or a clear error; then all of the new."""
    bad = failed(ran)
    if bad is not None:
        return bad
    with suppress(ReleaseError):
        if set(runs_in(release)) not in (set(range(4)), set(range(10))):
            return Result(False, wrong=1, why="neither the old release nor the new one")
    ran_again = ended(begun(*command))
    if ran_again.status != 0:
        return Result(False, lost=4, why=f"cannot go on: {ran_again.said[-500:]}")
    return judged_release(ran.status == 0, release, range(10))


def full_disk_of_a_merge(rng: Rng, folder: Path) -> Result:
    """No file may be larger than some bytes to the largest of the release."""
    release = folder / "release"
    made_release(release)
    command = merge(put_shard(folder, "shard", range(4, 10)), release)
    largest = max(path.stat().st_size for path in release.rglob("*") if path.is_file())
    limit = int(np.exp(rng.uniform(0, np.log(1.1 * largest))))
    return merged_again(command, ended(begun(*command, limit_bytes=limit)), release)


# Files


def flipped(data: bytes, rng: Rng) -> bytes:
    """One bit of it the other way round."""
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]


def mutated(data: bytes, rng: Rng) -> bytes:
    """Some bytes changed, cut away or added: anywhere, or in the first or last of it, where headers are."""
    where = int(rng.integers(3))
    if where == 1:
        return _mutated(data[:1500], rng) + data[1500:]
    if where == 2:
        return data[:-1500] + _mutated(data[-1500:], rng)
    return _mutated(data, rng)


def _mutated(data: bytes, rng: Rng) -> bytes:
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            return data
        at = int(rng.integers(len(data)))
        length = int(rng.integers(1, 9))
        piece = (
            rng.bytes(length) if rng.random() < 0.7 else bytes([int(rng.choice([0, 1, 127, 255]))]) * length
        )
        how = int(rng.integers(10))
        if how < 7:
            data = data[:at] + piece + data[at + length :]
        elif how == 7:
            data = data[:at]
        elif how == 8:
            data = data[:at] + data[at + length :]
        else:
            data = data[:at] + piece + data[at:]
    return data


def raw(error: BaseException) -> Result:
    """An error that is none of ours."""
    return Result(False, wrong=1, why="".join(traceback.format_exception(error))[-1500:])


ENCODED: dict[str, Callable[[list[Row]], bytes]] = {
    ".parquet": lambda rows: to_parquet("runs", rows),
    ".h5": lambda rows: to_h5("runs", rows),
    ".json": lambda rows: to_json("runs", rows[0]),
}


def shard_flipped(suffix: str) -> Callable[[Rng, Path], Result]:
    def attack(rng: Rng, folder: Path) -> Result:
        rows = runs(range(1 if suffix == ".json" else 6))
        return read_back(flipped(ENCODED[suffix](rows), rng), suffix, rows)

    return attack


def read_back(data: bytes, suffix: str, rows: list[Row]) -> Result:
    try:
        found = read_shard(data, f"shard{suffix}").rows
    except NBZeroError:
        return Result(False)
    except Exception as error:
        return raw(error)
    return Result(True) if found == rows else Result(True, wrong=1, why="other values passed")


def hostile_shard(suffix: str) -> Callable[[Rng, Path], Result]:
    """Bytes changed on purpose, with a checksum that agrees where the file has one over its bytes."""

    def attack(rng: Rng, folder: Path) -> Result:
        rows = runs(range(1 if suffix == ".json" else 6))
        data = ENCODED[suffix](rows)
        if suffix == ".h5":
            body = mutated(data[h5.BLOCK :], rng)
            head = h5.HEAD + hashlib.sha256(body).hexdigest().encode()
            return read_back(head.ljust(h5.BLOCK, b"\0") + body, suffix, rows)
        return read_back(mutated(data, rng), suffix, rows)

    return attack


def strange_h5(rng: Rng, folder: Path) -> Result:
    """A file in which one column points out of it, has another shape, or is said to be huge."""
    import h5py

    secret = folder / "secret"
    secret.write_bytes(b"not for a release " * 100)
    data = to_h5("runs", runs(range(6)))
    sink = io.BytesIO(data)
    with h5py.File(sink, "r+") as file:
        names = [name for name in file if isinstance(file[name], h5py.Dataset)]
        name = str(rng.choice(names))
        dtype = file[name].dtype
        del file[name]
        how = int(rng.integers(8))
        if how == 0:
            stored = [(str(secret), 0, 6 * dtype.itemsize)]
            file.create_dataset(name, (6,), dtype, external=stored)
        elif how == 1:
            layout = h5py.VirtualLayout((6,), dtype)
            layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", (6,))
            file.create_virtual_dataset(name, layout)
        elif how == 2:
            file[name] = h5py.SoftLink("/seed")
        elif how == 3:
            file[name] = h5py.ExternalLink(str(folder / "other.h5"), "/x")
        elif how == 4:
            file.create_dataset(name, (int(rng.choice([10**9, 10**12, 5, 7])),), dtype, chunks=(5,))
        elif how == 5:
            file.create_dataset(name, (6, 2), dtype)
        elif how == 6:
            file.create_dataset(name, (10**6,), dtype, chunks=(10**5,), compression="gzip")
        else:
            file.create_group(name)
    body = sink.getvalue()[h5.BLOCK :]
    head = (h5.HEAD + hashlib.sha256(body).hexdigest().encode()).ljust(h5.BLOCK, b"\0")
    result = read_back(head + body, ".h5", runs(range(6)))
    if result.is_finished and not result.why:
        return Result(True, wrong=1, why=f"{name} passed, way {how}")
    return result


def asked(release: Path) -> Any:
    """Answers of every kind of look-up."""
    bench = Bench(release)
    query = bench.query(("r1-mini", 2))
    named = bench.query(members_of_space("r1-mini")[3])
    return (
        query.accuracy("digits", recipe="cpu-16px-4"),
        named.run("digits", recipe="cpu-16px-4"),
        repr(bench.measured()),
        runs_in(release),
    )


def checked(release: Path, sound: Any = None) -> Result:
    """Every look-up and `verify` answer, or end in an error of ours; what is answered is what was computed.

    Args:
        sound: the answers; None where a stranger may state any.
    """
    for check in (asked, lambda release: verify(str(release))):
        try:
            found = check(release)
        except NBZeroError:
            return Result(False)
        except Exception as error:
            return raw(error)
        if sound is not None and check is asked and found[:2] + found[3:] != sound[:2] + sound[3:]:
            return Result(True, wrong=1, why="other answers passed")
    return Result(True)


def _release(folder: Path) -> Path:
    """A copy of the made release, which each process makes once."""
    kept = folder.parent / "kept"
    if not kept.exists():
        made_release(kept)
    shutil.copytree(kept, folder / "release")
    return folder / "release"


def release_flipped(name: str) -> Callable[[Rng, Path], Result]:
    def attack(rng: Rng, folder: Path) -> Result:
        release = _release(folder)
        sound = asked(release)
        path = release / name
        path.write_bytes(flipped(path.read_bytes(), rng))
        return checked(release, sound)

    return attack


def hostile_release(name: str) -> Callable[[Rng, Path], Result]:
    """Bytes of a file changed on purpose, with a manifest that agrees."""

    def attack(rng: Rng, folder: Path) -> Result:
        release = _release(folder)
        path = release / name
        data = mutated(path.read_bytes(), rng)
        path.write_bytes(data)
        if name != MANIFEST:
            manifest = json.loads((release / MANIFEST).read_text())
            manifest["files"][name].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            (release / MANIFEST).write_text(json.dumps(manifest))
        return checked(release)

    return attack


# Imports


def _changed(change: Callable[[bytes, Rng], bytes]) -> Callable[[Path, Rng], None]:
    def spoil(path: Path, rng: Rng) -> None:
        path.write_bytes(change(path.read_bytes(), rng))

    return spoil


def _as_other_table(path: Path, rng: Rng) -> None:
    pq.write_table(hostile_sources.spoilt(pq.ParquetFile(path).read(), rng), path)


def _as_other_kind(path: Path, rng: Rng) -> None:
    hostile_sources.no_parquet(path, pq.ParquetFile(path).read(), rng)


def _recompressed(change: Callable[[bytes, Rng], bytes]) -> Callable[[Path, Rng], None]:
    """Change what is compressed where a file is, else the file."""

    def spoil(path: Path, rng: Rng) -> None:
        data = path.read_bytes()
        if path.suffix == ".pbz2":
            path.write_bytes(bz2.compress(change(bz2.decompress(data), rng)))
        else:
            path.write_bytes(change(data, rng))

    return spoil


def a_table(rng: Rng, folder: Path) -> tuple[str, Path]:
    """A made source of tables: its space and its folder."""
    name = str(rng.choice(list(MADE)))
    return name, write(folder / "source", MADE[name]())


def an_official_file(rng: Rng, folder: Path) -> tuple[str, Path]:
    """A made official file or archive, with its space."""
    names = list(MADE_OFFICIAL)
    space, make = MADE_OFFICIAL[names[int(rng.integers(len(names)))]]
    return space, make(folder / "source")


def import_of(
    spoil: Callable[[Path, Rng], None], made: Callable[[Rng, Path], tuple[str, Path]] = a_table
) -> Callable[[Rng, Path], Result]:
    """An import of a made source of which one file is spoilt.

    It ends in an error that names the file, or in a release in which everything holds: a source has no
    checksums, so another number in its range is nothing that can be known.
    """

    def attack(rng: Rng, folder: Path) -> Result:
        name, files = made(rng, folder)
        path = files
        if files.is_dir():
            path = Path(str(rng.choice(sorted(map(str, files.iterdir())))))
        spoil(path, rng)
        said = io.StringIO()
        source = files
        if made is a_table and rng.random() < 0.5:
            source = path
        command = [name, "--source", str(source), "--out", str(folder / "out")]
        if made is an_official_file:
            path = source  # an archive may be named instead of the file in it
        with few_expected(), redirect_stdout(io.StringIO()), redirect_stderr(said):
            try:
                is_finished = import_bench.main(command) == 0
                if is_finished:
                    verify(str(folder / "out"))
            except Exception as error:
                return raw(error)
        if (path.parent / "ran").exists():
            return Result(is_finished, wrong=1, why="a pickle was loaded")
        if not is_finished and (str(path) not in said.getvalue() or (folder / "out").exists()):
            return Result(False, wrong=1, why=f"does not name {path.name}: {said.getvalue()[:1000]}")
        if len(said.getvalue()) > MAX_SAID:
            return Result(False, wrong=1, why=f"a message of {len(said.getvalue()):,} characters")
        return Result(is_finished)

    return attack


INDEX = "index/r1-mini.nbzidx"
ON_PROCESSES: dict[str, Callable[[Rng, Path], Result]] = {
    "job: its group killed (kill -9)": job_killed("group"),
    "job: its parent killed (kill -9)": job_killed("SIGKILL"),
    "job: one worker killed (kill -9)": job_killed("worker"),
    "job: SIGTERM": job_killed("SIGTERM"),
    "job: SIGHUP": job_killed("SIGHUP"),
    "job: SIGUSR1": job_killed("SIGUSR1"),
    "job: Ctrl-C": job_killed("Ctrl-C"),
    "job: two on one shard": two_jobs,
    "job: full disk": full_disk_of_a_job,
    "job: its folder taken away": folder_taken_from_a_job,
    "job: permission revoked": permission_revoked,
    "job: a unit damaged": unit_damaged,
    "job: memory refused": out_of_memory("memory"),
    "job: memory refused, 4 together": out_of_memory("memory", 4),
    "job: killed for its memory": out_of_memory("kill"),
    "job: NaN weights, killed": training_killed,
    "job: at a URL, its group killed": job_killed("group", at_url=True),
    "job: at a URL, its parent killed": job_killed("SIGKILL", at_url=True),
    "job: at a URL, one worker killed": job_killed("worker", at_url=True),
    "job: at a URL, SIGTERM": job_killed("SIGTERM", at_url=True),
    "job: at a URL, SIGHUP": job_killed("SIGHUP", at_url=True),
    "job: at a URL, SIGUSR1": job_killed("SIGUSR1", at_url=True),
    "job: at a URL, Ctrl-C": job_killed("Ctrl-C", at_url=True),
    "job: 4 together, its group killed": job_killed("group", together=4),
    "job: 4 together, its parent killed": job_killed("SIGKILL", together=4),
    "job: 4 together, one worker killed": job_killed("worker", together=4),
    "job: 4 together, SIGTERM": job_killed("SIGTERM", together=4),
    "job: 4 together, SIGUSR1": job_killed("SIGUSR1", together=4),
    "job: 4 together, Ctrl-C": job_killed("Ctrl-C", together=4),
    "merge: killed (kill -9)": merge_killed,
    "merge: two into one release": two_merges,
    "merge: full disk": full_disk_of_a_merge,
}
ON_FILES: dict[str, Callable[[Rng, Path], Result]] = {
    "shard: bit flip, Parquet": shard_flipped(".parquet"),
    "shard: bit flip, HDF5": shard_flipped(".h5"),
    "unit: bit flip": shard_flipped(".json"),
    "shard: hostile Parquet": hostile_shard(".parquet"),
    "shard: hostile HDF5": hostile_shard(".h5"),
    "shard: HDF5 that points elsewhere": strange_h5,
    "release: bit flip, Parquet": release_flipped(RUNS),
    "release: bit flip, index": release_flipped(INDEX),
    "release: bit flip, manifest": release_flipped(MANIFEST),
    "release: hostile Parquet": hostile_release(RUNS),
    "release: hostile index": hostile_release(INDEX),
    "release: hostile manifest": hostile_release(MANIFEST),
    "import: bit flip": import_of(_changed(flipped)),
    "import: hostile Parquet": import_of(_changed(mutated)),
    "import: other values, types, columns": import_of(_as_other_table),
    "import: a file of another kind": import_of(_as_other_kind),
    "import: bit flip, official": import_of(_recompressed(flipped), an_official_file),
    "import: hostile official file": import_of(_recompressed(mutated), an_official_file),
}
ATTACKS = ON_PROCESSES | ON_FILES


# All of it


def _attacker(connection: Connection) -> None:
    """In a process of its own, which may crash or hang: try after try, each told as it ends."""
    connection.send(None)
    name, seed, first, tries = told(connection)
    with tempfile.TemporaryDirectory() as folder, one_h5_reader():
        for number in range(first, tries):
            own = Path(folder) / str(number)
            own.mkdir()
            connection.send(one_try(name, rng_of(name, seed, number), own))
            shutil.rmtree(own)


def rng_of(name: str, seed: int, number: int) -> Rng:
    """The random numbers of one try of an attack."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def one_try(name: str, rng: Rng, folder: Path) -> Result:
    try:
        return ATTACKS[name](rng, folder)
    except Exception as error:
        return raw(error)


def attacked(name: str, seed: int, tries: int) -> list[Result]:
    """Every try of an attack; a process that crashes or hangs in one goes on with the next."""
    results: list[Result] = []
    while len(results) < tries:
        worker = Hired(_attacker)
        worker.hear()
        worker.tell((name, seed, len(results), tries))
        while len(results) < tries:
            if not worker.connection.poll(10 * LIMIT_S if name in ON_PROCESSES else LIMIT_S):
                results.append(Result(False, hung=1, why=f"try {len(results)} hung"))
                break
            said = worker.hear()
            if said is END:
                why = f"try {len(results)} ended its process, status {worker.status()}"
                results.append(Result(False, wrong=1, why=why))
                break
            results.append(said)
        worker.end()
    return results


HEAD = ("tries", "refused", "finished", "lost", "wrong", "hung")


def counted(results: Sequence[Result]) -> list[int]:
    finished = sum(result.is_finished for result in results)
    bad = [sum(getattr(result, name) for result in results) for name in ("lost", "wrong", "hung")]
    return [len(results), len(results) - finished, finished, *bad]


def line(name: str, cells: Sequence[object]) -> str:
    return f"{name:<36}" + "".join(f"{cell!s:>10}" for cell in cells)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="attacks whose name has this in it")
    given = parser.parse_args(argv)
    print(line("attack", HEAD), flush=True)
    total = np.zeros(len(HEAD), int)
    for name in ATTACKS:
        if given.only not in name:
            continue
        tries = given.rounds if name in ON_PROCESSES else given.rounds * FILES_PER_ROUND
        results = attacked(name, given.seed, tries)
        total += counted(results)
        print(line(name, counted(results)), flush=True)
        for result in results:
            if result.why:
                print(f"    {result.why}", file=sys.stderr, flush=True)
    print(line("all", total.tolist()), flush=True)
    return int(total[3:].any())


if __name__ == "__main__":
    sys.exit(main())
