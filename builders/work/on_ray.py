"""The engine of a Ray cluster: a worker for every core or card of its nodes.

    code      The checkout's packages are sent to every node. So a row is computed by the code that its commit
              names, whatever is installed there. Python, Ray and torch must be installed on every node.
    images    At the same path on every node.
    output    A folder or URL that every node reaches. A worker computes nothing where it does not find there
              what this process wrote.

A unit whose worker fails or dies is tried again, TRIES times in all. One whose node is lost is computed
again, however often that happens. Where a unit fails for good the others go on, and the job ends with its
reason. MAX_FAILED such units without a finished one in between end the job.

A unit that takes long is given to an idle worker too, once nothing else is left to hand out. Whichever ends
first is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import socket
import statistics
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import Any, NamedTuple

from builders.work.claims import Todo, Work
from builders.work.cluster import MAX_WORDS, Cluster, find_cluster, joined
from builders.work.job import Compute, Job, keep_unit
from builders.work.local import check_workers
from builders.work.repeats import differing
from builders.work.rows import Folder, Row, read_shard
from builders.work.units import Unit, unit_name
from nbzero.errors import NBZeroError, ReleaseError, UsageError, count_of
from nbzero.files import GO_ON
from nbzero.proxies.workers import tune_process

TRIES = 3  # of a unit whose worker fails or dies, and of workers that cannot start
MAX_FAILED = 3  # units that failed for good, one after the other
STRAGGLER_S = 60.0  # a unit that takes no longer is never given to a second worker
STRAGGLER = 2.0  # times the median of the finished units' seconds: what takes longer is given to a second one
POLL_S = 1.0  # between two looks at stragglers
SAID_S, WAIT_S = 30.0, 900.0  # without any worker: this is said, and the job ends
KEPT = "the row that was finished first is kept"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# What a worker is told: its job, the output folder, a file to look for there, and when a row is complete.
_Told = tuple[Job, str, str, Callable[[Row], bool]]


class Kept(NamedTuple):
    """What a worker says of a unit: its row, and the columns in which a second computation differs."""

    row: Row
    apart: list[str]


class Fault(NamedTuple):
    """What a worker says of an error that is none of ours."""

    said: str
    trace: str


def engine(job: Job, out: str, todo: Work) -> Iterator[tuple[Unit, Row]]:
    """Units and rows as they finish, of a worker for each core or each part of a card of a Ray cluster.

    The cluster is the one that the job or RAY_ADDRESS names, else one of this machine that ends with the job.

    Raises:
        UsageError: malformed options; a cluster that does not answer, or has no card.
        MissingPackageError: Ray is not installed.
        ReleaseError: units that failed again and again, or a cluster without room.
        NBZeroError: what a worker refuses to compute; those that compute finish their unit before.
    """
    check_workers(job.workers)
    _check_device(job)
    if len(todo) == 0:
        return iter(())
    cluster = find_cluster(job.address, job.workers)
    part = _part_of_card(job, cluster)
    size = job.workers or cluster.room(part)
    if size == 0:
        raise UsageError(
            f"the Ray cluster {cluster.address} has no room for a worker; name --workers to wait for it"
        )
    return _computed(job, out, todo, cluster, _Plan(part, min(size, len(todo))))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the workers of a job are.

    Attributes:
        part: of a card that each has; 0: none.
        size: how many there are at once.
    """

    part: float
    size: int


def _check_device(job: Job) -> None:
    if job.device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"device {job.device!r}; with --engine ray it is auto, cpu or cuda: Ray says which card a worker "
            "gets"
        )
    part = job.gpus_per_worker
    if part is not None and not 0.01 <= part <= 1:
        raise UsageError(f"gpus per worker is {part}; it is a part of a card, from 0.01 to 1")
    if part is not None and job.device == "cpu":
        raise UsageError(f"--gpus-per-worker {part} is given with --device cpu; it goes with auto or cuda")


def _part_of_card(job: Job, cluster: Cluster) -> float:
    """The part of a card that a worker gets; 0 where it computes on a processor.

    Raises:
        UsageError: cards are asked for and there is none.
    """
    if job.device == "cpu":
        return 0
    if cluster.has_card:
        return job.gpus_per_worker or 1
    if job.device == "cuda" or job.gpus_per_worker is not None:
        raise UsageError(f"device {job.device!r}; no node of the Ray cluster has a card")
    return 0


# The job


def _computed(job: Job, out: str, todo: Work, cluster: Cluster, plan: _Plan) -> Iterator[tuple[Unit, Row]]:
    folder = Folder(out)
    if folder.local:
        out = os.path.abspath(folder.path(""))  # a worker runs in another folder
    probe = f".{job.stem}-{uuid.uuid4().hex}.part"
    folder.write(probe, probe.encode())
    mine = dataclasses.replace(job, units=[], device="cuda:0" if plan.part else "cpu")  # is told each unit
    told = mine, out, probe, todo.is_complete
    nodes = count_of(len(cluster.nodes), "node")
    try:
        with joined(cluster) as ray, contextlib.closing(_Team(ray, told, plan, todo)) as team:
            team.say(f"{count_of(plan.size, 'worker')} on a Ray cluster ({cluster.address}) of {nodes}")
            yield from team.results()
    finally:
        folder.remove(probe)


@dataclass(eq=False, slots=True)
class _Member:
    """A worker, as this process sees it.

    Attributes:
        node: its name and number, once it has started.
        todo: what it has in hand; None while it starts or waits.
        began: when it was told that, of `time.monotonic`.
    """

    actor: Any
    node: tuple[str, str] | None = None
    todo: Todo | None = None
    began: float = 0.0


class _Team:
    """The workers of a job, and what each has in hand.

    Attributes:
        waiting: what is waited for: the start of a worker, or a unit's row.
        idle: workers that have nothing in hand.
        is_all_out: nothing is left to be handed out.
    """

    def __init__(self, ray: Any, told: _Told, plan: _Plan, work: Work) -> None:
        self.ray, self.told, self.plan, self.work = ray, told, plan, work
        self.stem = told[0].stem
        self.kind = ray.remote(num_cpus=1, num_gpus=plan.part, scheduling_strategy="SPREAD")(Worker)
        self.waiting: dict[futures.Future[Any], _Member] = {}
        self.idle: list[_Member] = []
        self.is_all_out = False
        self.done: set[Unit] = set()
        self.tries: Counter[Unit] = Counter()
        self.failed: dict[Unit, str] = {}
        self.failed_in_a_row = self.failed_starts = 0
        self.seconds: list[float] = []
        self.lonely_since: float | None = None
        self.is_lonely_said = False
        for _ in range(plan.size):
            self._hire()

    def results(self) -> Iterator[tuple[Unit, Row]]:
        """Units and rows as they finish."""
        while True:
            self._hand_out()
            if self._is_over():
                break
            # In Python's own words: what a signal raises would be lost in Ray's.
            heard, _ = futures.wait(self.waiting, POLL_S, return_when=futures.FIRST_COMPLETED)
            for call in heard:
                finished = self._heard(call)
                if finished is not None:
                    yield finished
            self._check_lonely()
        if self.failed:
            raise self._error_of_failed()

    def close(self) -> None:
        """End the workers. One that still computes a second copy of a unit must not keep it later."""
        members = [*self.idle, *self.waiting.values()]
        for member in members:
            self.ray.kill(member.actor)
        futures.wait([call for call, member in self.waiting.items() if member.node], timeout=10)

    def _is_over(self) -> bool:
        if self._in_hand():
            return False
        return self.failed_in_a_row >= MAX_FAILED or self.is_all_out

    def _in_hand(self) -> list[_Member]:
        """The workers whose unit is not there yet."""
        found = []
        for member in self.waiting.values():
            if member.todo is not None and member.todo[0] not in self.done:
                found.append(member)
        return found

    # Handing out

    def _hire(self) -> None:
        """Ask for one more worker; it begins when the cluster has room for it."""
        actor = self.kind.remote()
        self.waiting[actor.start.remote(*self.told).future()] = _Member(actor)

    def _hand_out(self) -> None:
        while self.idle and self.failed_in_a_row < MAX_FAILED:
            todo = self._next()
            if todo is None:
                return
            member = self.idle.pop()
            member.todo, member.began = todo, time.monotonic()
            self.waiting[member.actor.compute.remote(*todo).future()] = member

    def _next(self) -> Todo | None:
        """What an idle worker is to do: a unit that failed, else a new one, else a straggler's."""
        taken = self.work.take(1)
        if taken:
            return taken[0]
        self.is_all_out = True
        return self._straggler()

    def _straggler(self) -> Todo | None:
        """The unit that has been in hand longest, where that is long and only one worker has it."""
        if not self.seconds:
            return None
        members = self._in_hand()
        held = Counter(member.todo[0] for member in members if member.todo)
        alone = [member for member in members if member.todo and held[member.todo[0]] == 1]
        if not alone:
            return None
        oldest = min(alone, key=lambda member: member.began)
        limit = max(STRAGGLER_S, STRAGGLER * statistics.median(self.seconds))
        if time.monotonic() - oldest.began <= limit:
            return None
        return oldest.todo

    # Hearing

    def _heard(self, call: futures.Future[Any]) -> tuple[Unit, Row] | None:
        """What has come of one call; a unit that is finished."""
        member = self.waiting.pop(call)
        try:
            said = call.result()
        except self.ray.exceptions.RayError as error:
            self._lost(member, error)
            return None
        if isinstance(said, NBZeroError):
            self._let_finish()
            raise said
        if isinstance(said, Fault):
            self._replace(member, said)
            return None
        if member.todo is None:
            member.node = said
            self.failed_starts = 0
            self.idle.append(member)
            return None
        return self._finished(member, said)

    def _finished(self, member: _Member, said: Kept) -> tuple[Unit, Row] | None:
        assert member.todo is not None
        unit = member.todo[0]
        self.seconds.append(time.monotonic() - member.began)
        member.todo = None
        self.idle.append(member)
        if said.apart:
            self.say(f"{_named(unit)} was computed twice, with another {', '.join(said.apart)}; {KEPT}")
        if unit in self.done:
            return None
        self.done.add(unit)
        self.failed.pop(unit, None)
        self.failed_in_a_row = 0
        return unit, said.row

    def _lost(self, member: _Member, error: Exception) -> None:
        """A worker has died, with or without its node."""
        self.ray.kill(member.actor)
        reason = _words(error)
        if not self._is_node_lost(member, reason):
            self._replace(member, Fault(reason, ""))
            return
        self._hire()
        name = member.node[0] if member.node else "of a worker that was starting"
        self.say(f"node {name} was lost{self._put_back(member)}")

    def _is_node_lost(self, member: _Member, reason: str) -> bool:
        """Whether a worker died with its node; Ray may say so before it lists the node as dead."""
        if "node has died" in reason:
            return True
        if member.node is None:
            return False
        return not any(one["NodeID"] == member.node[1] and one["Alive"] for one in self.ray.nodes())

    def _put_back(self, member: _Member) -> str:
        """Have the unit of a worker that is gone computed once more; that, in words."""
        if member.todo is None or self._is_elsewhere(member.todo[0]):
            return ""
        self.work.put_back(member.todo)
        self.is_all_out = False
        return f"; {_named(member.todo[0])} is computed again"

    def _is_elsewhere(self, unit: Unit) -> bool:
        """Whether a unit is there, or another worker has it in hand."""
        return unit in self.done or any(one.todo and one.todo[0] == unit for one in self._in_hand())

    def _replace(self, member: _Member, fault: Fault) -> None:
        """Another worker in place of one that failed, whose device may be in disorder; its unit once more."""
        self.ray.kill(member.actor)
        self._hire()
        if member.todo is None:
            self._not_started(fault)
            return
        unit = member.todo[0]
        self.tries[unit] += 1
        which = f"{_named(unit)}, try {self.tries[unit]} of {TRIES}: {fault.said}"
        if self.tries[unit] < TRIES or self._is_elsewhere(unit):
            self.say(f"{which}{self._put_back(member)}")
            return
        self.say(f"{which}; the others go on\n{fault.trace}".rstrip())
        self.failed[unit] = fault.said
        self.failed_in_a_row += 1

    def _not_started(self, fault: Fault) -> None:
        self.failed_starts += 1
        self.say(f"a worker could not start: {fault.said}\n{fault.trace}".rstrip())
        if self.failed_starts >= TRIES:
            self._let_finish()
            raise ReleaseError(
                f"{TRIES} workers of {self.stem} could not start, the last one because of {fault.said}; "
                f"{GO_ON}"
            )

    def _let_finish(self) -> None:
        """Wait until each worker has kept the unit that it has in hand."""
        futures.wait([call for call, member in self.waiting.items() if member.todo is not None])

    def _check_lonely(self) -> None:
        """Say so where no worker has started for long, or none is left; in the end ReleaseError."""
        if self.idle or any(member.node for member in self.waiting.values()):
            self.lonely_since = None
            return
        now = time.monotonic()
        if self.lonely_since is None:
            self.lonely_since, self.is_lonely_said = now, False
        seconds = now - self.lonely_since
        if seconds < SAID_S or (self.is_lonely_said and seconds < WAIT_S):
            return
        free = self.ray.available_resources()
        need = "1 CPU" if not self.plan.part else f"1 CPU and {self.plan.part:g} GPU"
        has = f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU free"
        said = f"no worker has started for {seconds:.0f} s; each needs {need}, the cluster has {has}"
        if seconds >= WAIT_S:
            raise ReleaseError(f"{self.stem}: {said}; {GO_ON}")
        self.is_lonely_said = True
        self.say(said)

    # Words

    def say(self, said: str) -> None:
        print(f"{self.stem}: {said}", file=sys.stderr, flush=True)

    def _error_of_failed(self) -> ReleaseError:
        unit, reason = next(iter(self.failed.items()))
        counted = count_of(len(self.failed), "unit")
        return ReleaseError(
            f"{counted} of {self.stem} failed {TRIES} times, first {_named(unit)}: {reason}; {GO_ON}"
        )


def _named(unit: Unit) -> str:
    _, arch, seed = unit
    return f"{arch} seed {seed}"


def _words(error: Exception) -> str:
    """Why Ray says that a worker is gone, without its fields and its advice."""
    said = []
    for line in _COLOUR.sub("", str(error)).splitlines():
        if line.strip() and not line.startswith("\t") and "died unexpectedly before" not in line:
            said.append(line.partition(" Some common causes")[0].strip())
    return " ".join(said)[:MAX_WORDS] or type(error).__name__


# In a worker


class Worker:
    """A process of the cluster that computes and keeps units. It returns errors, which Ray would wrap."""

    def begin(self, job: Job, out: str, probe: str, is_complete: Callable[[Row], bool]) -> None:
        """Get ready to compute.

        Raises:
            UsageError: the output folder lacks the file `probe`.
            Exception: of the job's `start`.
        """
        tune_process()
        self.job, self.folder, self.is_complete = job, Folder(out), is_complete
        if not self._sees(probe):
            raise UsageError(f"{out} is not the same folder on every node; name an --out that all reach")
        self.use(job.start(job.device, job.settings))

    def use(self, compute: Compute) -> None:
        """Compute units by this function."""
        self._compute = compute

    def start(
        self, job: Job, out: str, probe: str, is_complete: Callable[[Row], bool]
    ) -> tuple[str, str] | NBZeroError | Fault:
        """`begin`; the name and the number of the node."""
        import ray

        try:
            self.begin(job, out, probe, is_complete)
        except NBZeroError as error:
            return _from_here(error)
        except Exception as error:
            return _fault(error)
        return socket.gethostname(), ray.get_runtime_context().get_node_id()

    def compute(self, unit: Unit, there: Row | None) -> Kept | NBZeroError | Fault:
        """Compute and keep a unit, unless another worker has kept it by then."""
        try:
            kept = self._kept(unit)
            if kept is not None:
                return Kept(kept, [])
            row = self._compute(unit, there)
            kept = self._kept(unit)
            if kept is not None:
                return Kept(kept, differing(self.job.table, kept, kept | row))
            return Kept(keep_unit(self.job, self.folder, unit, row), [])
        except NBZeroError as error:
            return _from_here(error)
        except Exception as error:
            return _fault(error)

    def _sees(self, probe: str) -> bool:
        try:
            return self.folder.read(probe) == probe.encode()
        except OSError:
            return False

    def _kept(self, unit: Unit) -> Row | None:
        """The complete row of a unit that a worker has kept since the job began."""
        name = f"{self.job.stem}/{unit_name(unit)}.json"
        try:
            data = self.folder.read(name)
        except OSError:  # it is not there, or not to be read: then it is computed
            return None
        (row,) = read_shard(data, self.folder.path(name)).rows
        return row if self.is_complete(row) else None


def _from_here(error: NBZeroError) -> NBZeroError:
    """An error of ours that says at which node."""
    return type(error)(f"{error} (node {socket.gethostname()})")


def _fault(error: Exception) -> Fault:
    said = f"{type(error).__name__}: {error} (node {socket.gethostname()})"
    return Fault(said, "".join(traceback.format_exception(error)))
