"""What a base release has of a job's units, so that it is not computed again.

It is read from the release's index, for which pyarrow is not needed.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Sequence

from builders.work.job import Job
from builders.work.units import Unit
from nbzero.errors import ReleaseError
from nbzero.release.opened import Opened

NO_BASE = "none"  # in place of a base's folder or URL


@functools.cache
def members_of_space(name: str) -> tuple[str, ...]:
    """A space's members in build order, as the release that ships with nbzero has them.

    They are those of the definition (tested), which takes seconds to enumerate.

    Raises:
        UnknownNameError: no such space.
    """
    return tuple(Opened().space(name).archs)


def opened_base(given: str | None) -> Opened | None:
    """The release that a job is to add to.

    Args:
        given: a folder or URL; None is the release that ships with nbzero; NO_BASE is none.

    Raises:
        ReleaseError: no release there.
    """
    return None if given == NO_BASE else Opened(given)


def runs_there(base: Opened, job: Job) -> list[Unit]:
    """The units of a job of which the base has a run, or a latency; ReleaseError as `_rows_there`."""
    return [unit for unit, _ in _rows_there(base, job)]


def without_runs_there(job: Job, base: Opened | None) -> Job:
    """The job without the units that the base has, and a line for the user that says how many those are.

    Raises:
        ReleaseError: as `_rows_there`.
    """
    if base is None:
        return job
    there = set(runs_there(base, job))
    print(said_left(base, len(there), 0, job), flush=True)
    return dataclasses.replace(job, units=[unit for unit in job.units if unit not in there])


def scores_missing(base: Opened, job: Job, names: Sequence[str]) -> dict[Unit, list[str]]:
    """Of every unit of which the base has a row: the proxies that it lacks there.

    What has a score, or a reason why there is none, is not lacking.

    Raises:
        ReleaseError: as `_rows_there`.
    """
    found = {}
    table = f"{job.table}/{job.dataset}"
    for unit, row in _rows_there(base, job):
        opened = base.space(job.space)
        reasons = json.loads(opened.text(table, "failures", row) or "{}")
        missing = []
        for name in names:
            if math.isnan(opened.numbers(table, name)[row]) and name not in reasons:
                missing.append(name)
        found[unit] = missing
    return found


def said_left(base: Opened, there: int, partly: int, job: Job) -> str:
    """A line for the user: how many of a job's units the base has, and how many are left."""
    total = len(set(job.units))
    said = f"the base, data version {base.version} in {base.files.url}, has {there} of {total} units"
    if partly:
        said += f" and a part of {partly} more"
    if there == total:
        return f"{said}; nothing to compute (--base {NO_BASE} computes all)"
    return f"{said}; {total - there} to compute"


def _rows_there(base: Opened, job: Job) -> Iterator[tuple[Unit, int]]:
    """The units that the base has a row of, each with that row's place in its table.

    Raises:
        ReleaseError: an arch_id is another arch there.
    """
    if job.space not in base.spaces:
        return
    opened = base.space(job.space)
    groups = opened.groups(f"{job.table}/{job.dataset}" if job.dataset else job.table)
    (name,) = job.same_key.values()
    for unit in dict.fromkeys(job.units):
        arch_id, arch, seed = unit
        if opened.published is not None:  # an imported release numbers its archs otherwise
            arch_id = opened.ids.get(arch, -1)
        group = groups.get((name, seed))
        row = None if group is None or arch_id < 0 else group.row(arch_id)
        if row is None:
            continue
        if opened.archs[arch_id] != arch:
            raise ReleaseError(
                f"{base.files.url}: arch_id {arch_id} of {job.space} is {opened.archs[arch_id]}, here it is "
                f"{arch}; choose another --base, or --base {NO_BASE}"
            )
        yield unit, row
