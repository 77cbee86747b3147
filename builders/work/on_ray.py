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
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from builders.work.claims import Todo, Work
from builders.work.job import Job, keep_unit
from builders.work.local import check_workers
from builders.work.origin import CODE, ROOT
from builders.work.repeats import differing
from builders.work.rows import Folder, Row, read_shard
from builders.work.units import Unit, unit_name
from nbzero.errors import NBZeroError, ReleaseError, UsageError, count_of, needs
from nbzero.files import GO_ON
from nbzero.proxies.workers import num_cores, tune_process

TRIES = 3  # of a unit whose worker fails or dies, and of workers that cannot start
MAX_FAILED = 3  # units that failed for good, one after the other
ANSWER_S = 12  # until a cluster must have answered
STRAGGLER_S = 60.0  # a unit that takes no longer is never given to a second worker
STRAGGLER = 2.0  # times the median of the finished units' seconds: what takes longer is given to a second one
SAID_S, WAIT_S = 30.0, 900.0  # without any worker: this is said, and the job ends
STORE_BYTES = 100 * 2**20  # of a cluster of this machine; rows are small, and Ray takes no less than 75 MiB
RAY_ADDRESS = "RAY_ADDRESS"
MAX_WORDS = 300  # characters of what Ray says of a worker that died
KEPT = "the row that was finished first is kept"
LOCAL = "local"  # in place of an address: a cluster of this machine, whatever RAY_ADDRESS says


# What a worker is told: its job, the output folder, a file to look for there, and when a row is complete.
_Told = tuple[Job, str, str, Callable[[Row], bool]]


class Node(NamedTuple):
    """What a node of a cluster has."""

    cpus: int
    cards: int


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
    _check_device(job.device)
    _check_part(job.gpus_per_worker)
    if len(todo) == 0:
        return iter(())
    _quiet_ray()
    ray = needs("--engine ray", "ray")
    address = job.address or os.environ.get(RAY_ADDRESS) or LOCAL
    nodes = nodes_of(address, job)
    part = _part_of_card(job, nodes)
    size = job.workers or num_workers(nodes, part)
    if size == 0:
        raise UsageError(f"the Ray cluster {address} has no room for a worker; name --workers to wait for it")
    plan = _Plan(address, nodes, part, min(size, len(todo)))
    return _computed(ray, job, out, todo, plan)


# Options


def _check_device(device: str) -> None:
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"device {device!r}; with --engine ray it is auto, cpu or cuda: Ray says which card a worker gets"
        )


def _check_part(part: float | None) -> None:
    if part is not None and not 0.01 <= part <= 1:
        raise UsageError(f"gpus per worker is {part}; it is a part of a card, from 0.01 to 1")


def _part_of_card(job: Job, nodes: Sequence[Node]) -> float:
    """The part of a card that a worker gets; 0 where it computes on a processor.

    Raises:
        UsageError: cards are asked for and there is none, or the other way round.
    """
    wants_card = job.device == "cuda" or job.gpus_per_worker is not None
    if job.device == "cpu":
        if job.gpus_per_worker is not None:
            raise UsageError("--gpus-per-worker is given with --device cpu; it goes with auto or cuda")
        return 0
    if not any(node.cards for node in nodes):
        if wants_card:
            raise UsageError(f"device {job.device!r}; no node of the Ray cluster has a card")
        return 0
    return job.gpus_per_worker or 1


def num_workers(nodes: Sequence[Node], part: float) -> int:
    """How many workers the nodes have room for: one per core, or those that share the cards.

    >>> num_workers([Node(cpus=8, cards=1), Node(cpus=2, cards=2)], 0.25)
    6
    """
    total = 0
    for node in nodes:
        room = node.cpus
        if part:
            room = min(room, node.cards * int(1 / part + 1e-9))
        total += room
    return total


# The cluster


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the workers of a job are.

    Attributes:
        part: of a card that each has; 0: none.
        size: how many there are at once.
    """

    address: str
    nodes: list[Node]
    part: float
    size: int


def _quiet_ray() -> None:
    """Before Ray is imported: it reports its use to nobody, and takes the code that this job sends it.

    Below `ray job submit` other code was sent, which Ray would not let us replace.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"


def nodes_of(address: str, job: Job) -> list[Node]:
    """The living nodes of a cluster.

    Raises:
        UsageError: nothing answers within ANSWER_S seconds, or what answers is no cluster of this version.
    """
    if address == LOCAL:
        import torch

        return [Node(job.workers or num_cores(), torch.cuda.device_count())]
    if address != "auto":
        _check_port(address)
    # In a process of its own: Ray itself tries for minutes, and cannot be interrupted.
    command = [sys.executable, "-m", "builders.work.on_ray", address]
    try:
        asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ANSWER_S)
    except subprocess.TimeoutExpired:
        raise _no_cluster(address, f"no answer in {ANSWER_S} s") from None
    if asked.returncode != 0:
        raise _no_cluster(address, (asked.stderr.strip() or "no answer").splitlines()[-1])
    return [Node(*counts) for counts in json.loads(asked.stdout.splitlines()[-1])]


def _check_port(address: str) -> None:
    """UsageError where nobody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host or not 0 < int(port) < 65536:
        raise UsageError(
            f"Ray address {address!r}; it is HOST:PORT of the cluster's head, auto for a cluster that runs "
            f"on this machine, or {LOCAL} for one that ends with the job"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S / 3).close()
    except OSError as error:
        raise _no_cluster(address, error.strerror or str(error)) from error


def _no_cluster(address: str, reason: str) -> UsageError:
    return UsageError(
        f"no Ray cluster answers at {address} ({reason}); --address or {RAY_ADDRESS} is HOST:PORT of its "
        "head, and this command runs on one of its nodes"
    )


@contextlib.contextmanager
def _joined(ray: Any, plan: _Plan) -> Iterator[None]:
    """Be connected to the cluster. One of this machine is started, and ended."""
    options: dict[str, Any] = {}
    if plan.address == LOCAL:
        (node,) = plan.nodes
        options = {"num_cpus": node.cpus, "num_gpus": node.cards, "object_store_memory": STORE_BYTES}
        options["include_dashboard"] = False
    beside = sorted(path.name for path in ROOT.iterdir() if path.name not in CODE)
    sent = {"working_dir": str(ROOT), "excludes": [f"/{name}" for name in beside]}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(plan.address, runtime_env=sent, log_to_driver=False, logging_level="error", **options)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
        yield
    finally:
        ray.shutdown()


def _print_nodes(address: str) -> None:
    """In a process of its own: say what the nodes of a cluster have, as JSON."""
    _quiet_ray()
    ray = needs("--engine ray", "ray")
    ray.init(address, log_to_driver=False, logging_level="error")
    counts = []
    for node in ray.nodes():
        has = node["Resources"]
        if node["Alive"]:
            counts.append([int(has.get("CPU", 0)), int(has.get("GPU", 0))])
    print(json.dumps(counts))
    ray.shutdown()


# The job


def _computed(ray: Any, job: Job, out: str, todo: Work, plan: _Plan) -> Iterator[tuple[Unit, Row]]:
    folder = Folder(out)
    if folder.local:
        out = os.path.abspath(folder.path(""))  # a worker runs in another folder
    probe = f".{job.stem}-{uuid.uuid4().hex}.part"
    folder.write(probe, probe.encode())
    mine = dataclasses.replace(job, units=[], device="cuda:0" if plan.part else "cpu")  # is told each unit
    told = mine, out, probe, todo.is_complete
    try:
        with _joined(ray, plan), contextlib.closing(_Team(ray, told, plan)) as team:
            yield from team.results(todo)
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
        again: units that failed, to be tried before new ones.
    """

    def __init__(self, ray: Any, told: _Told, plan: _Plan) -> None:
        self.ray, self.told, self.plan = ray, told, plan
        self.stem = told[0].stem
        self.kind = ray.remote(num_cpus=1, num_gpus=plan.part)(Worker)
        self.waiting: dict[Any, _Member] = {}
        self.idle: list[_Member] = []
        self.again: list[Todo] = []
        self.is_all_out = False
        self.done: set[Unit] = set()
        self.tries: Counter[Unit] = Counter()
        self.failed: dict[Unit, str] = {}
        self.failed_in_a_row = self.failed_starts = 0
        self.seconds: list[float] = []
        self.lonely_since: float | None = None
        self.is_lonely_said = False
        counted = count_of(len(plan.nodes), "node")
        self._say(f"{count_of(plan.size, 'worker')} on a Ray cluster of {counted} ({plan.address})")
        for _ in range(plan.size):
            self._hire()

    def results(self, work: Work) -> Iterator[tuple[Unit, Row]]:
        """Units and rows as they finish."""
        left = iter(work)
        while True:
            self._hand_out(left)
            if self._is_over():
                break
            ready, _ = self.ray.wait(list(self.waiting), timeout=1.0)
            for reference in ready:
                finished = self._heard(reference)
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
        started = [reference for reference, member in self.waiting.items() if member.node]
        if started:
            self.ray.wait(started, num_returns=len(started), timeout=10)

    def _is_over(self) -> bool:
        if self._in_hand():
            return False
        return self.failed_in_a_row >= MAX_FAILED or (self.is_all_out and not self.again)

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
        self.waiting[actor.start.remote(*self.told)] = _Member(actor)

    def _hand_out(self, left: Iterator[Todo]) -> None:
        while self.idle and self.failed_in_a_row < MAX_FAILED:
            todo = self._next(left)
            if todo is None:
                return
            member = self.idle.pop()
            member.todo, member.began = todo, time.monotonic()
            self.waiting[member.actor.compute.remote(*todo)] = member

    def _next(self, left: Iterator[Todo]) -> Todo | None:
        """What an idle worker is to do: a unit that failed, else a new one, else a straggler's."""
        if self.again:
            return self.again.pop(0)
        if not self.is_all_out:
            todo = next(left, None)
            if todo is not None:
                return todo
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

    def _heard(self, reference: Any) -> tuple[Unit, Row] | None:
        """What has come of one call; a unit that is finished."""
        member = self.waiting.pop(reference)
        try:
            said = self.ray.get(reference)
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
            self._say(f"{_named(unit)} was computed twice, with another {', '.join(said.apart)}; {KEPT}")
        if unit in self.done:
            return None
        self.done.add(unit)
        self.failed.pop(unit, None)
        self.failed_in_a_row = 0
        return unit, said.row

    def _lost(self, member: _Member, error: Exception) -> None:
        """A worker has died, with or without its node."""
        self.ray.kill(member.actor)
        reason = _last_words(error)
        if not self._is_node_lost(member, reason):
            self._replace(member, Fault(reason, ""))
            return
        self._hire()
        name = member.node[0] if member.node else "of a worker that was starting"
        self._say(f"node {name} was lost{self._put_back(member)}")

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
        self.again.append(member.todo)
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
            self._say(f"{which}{self._put_back(member)}")
            return
        self._say(f"{which}; the others go on\n{fault.trace}".rstrip())
        self.failed[unit] = fault.said
        self.failed_in_a_row += 1

    def _not_started(self, fault: Fault) -> None:
        self.failed_starts += 1
        self._say(f"a worker could not start: {fault.said}\n{fault.trace}".rstrip())
        if self.failed_starts >= TRIES:
            self._let_finish()
            raise ReleaseError(
                f"{TRIES} workers of {self.stem} could not start, the last one because of {fault.said}; "
                f"{GO_ON}"
            )

    def _let_finish(self) -> None:
        """Wait until each worker has kept the unit that it has in hand."""
        busy = [reference for reference, member in self.waiting.items() if member.todo is not None]
        if busy:
            self.ray.wait(busy, num_returns=len(busy))

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
        self._say(said)

    # Words

    def _say(self, said: str) -> None:
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


def _last_words(error: Exception) -> str:
    """Why Ray says that a worker is gone, without its fields and its advice."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("\t")]
    said = lines[-1] if lines else type(error).__name__
    return said.partition(" Some common causes")[0][:MAX_WORDS]


# In a worker


class Worker:
    """A process of the cluster that computes and keeps units. It returns errors, which Ray would wrap."""

    def start(
        self, job: Job, out: str, probe: str, is_complete: Callable[[Row], bool]
    ) -> tuple[str, str] | NBZeroError | Fault:
        """Get ready to compute; the name and the number of its node."""
        import ray

        self.job, self.folder, self.is_complete = job, Folder(out), is_complete
        try:
            tune_process()
            self._check_folder(out, probe)
            self._compute = job.start(job.device, job.settings)
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

    def _check_folder(self, out: str, probe: str) -> None:
        with contextlib.suppress(OSError):
            if self.folder.read(probe) == probe.encode():
                return
        raise UsageError(f"{out} is not the same folder on every node; name an --out that all nodes reach")

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


if __name__ == "__main__":
    _print_nodes(sys.argv[1])
