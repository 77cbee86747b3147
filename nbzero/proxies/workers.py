"""Processes that compute: how one starts, and a team of them in which one that hangs or dies is replaced.

Nothing here imports torch but `tune_process`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from nbzero.errors import NBZeroError, UsageError

Task = tuple[str, int]  # an arch and a seed
UNGUARDED = 64  # exit status of a worker whose import of the script came to the call that had started it
# Signals that ask a command to end, and with Ctrl-C those that end one. Windows has not all of them.
ASKING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]
ENDING = [signal.SIGINT, *ASKING]
_CONTEXT = multiprocessing.get_context("spawn")


class Outcome(NamedTuple):
    """What came of one task: a score, or the reason why there is none; and wall-clock seconds."""

    score: float | None
    reason: str
    seconds: float


Compute = Callable[[str, int], Outcome]


def num_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def begin_worker() -> None:
    """What a worker does first: Ctrl-C ends it at once, and so does the end of its parent (kill -9)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # who starts a worker may have it wait with these until now
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def leave_asking_to_parent() -> None:
    """In a worker, first of all: signals that ask to end, and often reach a whole group, are its parent's."""
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Signals that end a command wait until this has ended, and in a process that starts meanwhile too.

    There they wait for `begin_worker`.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    with _handlers_wait():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            # multiprocessing starts it with the first process, and a SIGHUP to the whole group would end it.
            # When it has started, SIGINT and SIGTERM are let through again.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _handlers_wait() -> Iterator[None]:
    """Handlers of signals that end a command are called when this has ended.

    A signal that is blocked in this thread may come to another one, of numpy's. Python then calls the handler
    in this thread all the same.
    """
    came: list[int] = []

    def keep(number: int, frame: object) -> None:
        came.append(number)

    handlers = {}
    if threading.current_thread() is threading.main_thread():  # only that one may set handlers
        for number in ENDING:
            if callable(signal.getsignal(number)):
                handlers[number] = signal.signal(number, keep)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)


def told(connection: Connection) -> Any:
    """In a worker: what its parent says. Where the parent is gone the worker ends."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        raise SystemExit(1) from None


def answer(connection: Connection, what: Any) -> None:
    """In a worker: tell the parent something. Where the parent is gone the worker ends."""
    try:
        connection.send(what)
    except OSError:
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def tune_process() -> None:
    """One thread, TF32 off, a malloc that keeps its memory, and no search for garbage in what is there now.

    With such a malloc oneDNN's 1x1 convolutions ran 1.7 to 2.3 times as fast. A search through all of torch
    takes 0.1 s, every few networks.
    """
    import torch

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3
        libc = ctypes.CDLL(None)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 2**30)
    gc.collect()
    gc.freeze()


def main_is_a_file() -> bool:
    """Whether this process runs a script that a worker can import; a notebook or a prompt is none."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    return path is not None and os.path.exists(path)


@contextlib.contextmanager
def _only_main_that_is_there() -> Iterator[None]:
    """A script of standard input says that its file is `<stdin>`, which a worker would look for in vain."""
    main = sys.modules["__main__"]
    path = main.__dict__.get("__file__")
    if path is None or main_is_a_file():
        yield
        return
    del main.__dict__["__file__"]
    try:
        yield
    finally:
        main.__dict__["__file__"] = path


def leave_if_starting() -> None:
    """End this process where it is a worker that still imports the script of its parent.

    An unguarded script calls again, in every worker, what started the workers.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(UNGUARDED)


END = object()  # in place of what a worker says: it is gone


class Hired:
    """A process at the other end of a pipe, whose death is noticed whenever it comes.

    It is started with the name of a function alone. What it is to do it is told when it has said that it is
    there. multiprocessing hands arguments through a pipe that the parent too holds open for reading. Where
    they are large, and the process dies before it has read them, the parent would wait for ever.

    Args:
        target: a function that can be imported. It is called with the other end of the pipe.

    Attributes:
        connection: to wait for; read it by `hear`.

    Raises:
        OSError: the system starts no more processes.
    """

    def __init__(self, target: Callable[[Connection], None]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=target, args=(theirs,))
        try:
            with _only_main_that_is_there():
                self.process.start()
        except OSError:
            self.connection.close()
            raise
        finally:
            theirs.close()  # so that the pipe ends with the process

    def tell(self, what: Any) -> None:
        """Send it something; to one that has died nothing is sent, and `hear` finds its end."""
        with contextlib.suppress(OSError):
            self.connection.send(what)

    def hear(self) -> Any:
        """What it says; END where it is gone."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return END

    def status(self) -> int | None:
        """Its exit status, once `hear` said that it is gone."""
        self.process.join()
        return self.process.exitcode

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def computed(
    start: Callable[[bytes], Compute],
    payload: bytes,
    tasks: Sequence[Task],
    workers: int,
    limit: float | None,
) -> Iterator[tuple[Task, Outcome]]:
    """Tasks and what came of them, as they finish.

    A worker whose task takes longer than the limit is killed, and one that dies is missed: the task has that
    as its reason, another worker takes the place, and the rest goes on. Close the iterator to end the
    workers early.

    Args:
        start: a function that can be imported. Called once in each worker, before any clock runs.
        payload: what it is called with.
        limit: seconds that a task may take; None: any number.

    Raises:
        UsageError: a worker that cannot start.
    """
    with Team(start, payload, workers, limit) as team:
        yield from team.outcomes(tasks)


class Team:
    """Processes that stay for several lists of tasks. It is a context, whose end ends them.

    A worker whose task takes longer than the limit is killed, and one that dies is missed: the task has that
    as its reason, another worker takes the place, and the rest goes on.

    Args:
        start, payload, workers, limit: as `computed`.
    """

    def __init__(
        self, start: Callable[[bytes], Compute], payload: bytes, workers: int, limit: float | None
    ) -> None:
        self._hiring = (start, payload, limit)
        self._most = workers
        self._there: dict[Connection, _Worker] = {}

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._there.values():
            worker.end()
        self._there.clear()

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Tasks and what came of them, as they finish.

        Workers are started as far as there are tasks for them; they wait for further lists.

        Raises:
            UsageError: a worker that cannot start.
        """
        left = list(reversed(tasks))
        missing = len(left)
        while missing:
            self._hand_out(left)
            for ended in _ended(self._there):
                missing -= 1
                yield ended

    def _hand_out(self, left: list[Task]) -> None:
        """Replace workers that are over, start those that are wanted, and give tasks to the idle."""
        for connection, worker in list(self._there.items()):
            if worker.is_over:
                del self._there[connection]
                worker.end()
        busy = sum(worker.has_task for worker in self._there.values())
        while len(self._there) < min(self._most, busy + len(left)):
            _hire(self._there, *self._hiring)
        for worker in self._there.values():
            if worker.is_idle and left:
                worker.give(left.pop())


_NEVER = float("inf")


def _ended(team: dict[Connection, _Worker]) -> list[tuple[Task, Outcome]]:
    """Wait until a worker says something, or one is too late; the tasks that ended so."""
    soonest = min(worker.deadline for worker in team.values())
    timeout = None
    if soonest != _NEVER:
        timeout = max(0.0, soonest - time.monotonic())
    ended = []
    ready = wait(list(team), timeout)
    for connection, worker in team.items():
        if connection in ready:
            ended.append(worker.hear())
    for worker in team.values():
        if worker.deadline <= time.monotonic():
            ended.append(worker.too_late())
    return [one for one in ended if one is not None]


def _hire(
    team: dict[Connection, _Worker], start: Callable[[bytes], Compute], payload: bytes, limit: float | None
) -> None:
    with interrupts_wait():
        worker = _Worker(start, payload, limit)
        team[worker.connection] = worker


class _Worker:
    """A process, and what is known of it here.

    Attributes:
        deadline: when its task has taken too long, of `time.monotonic`.
        is_idle: it has started, and waits for a task.
        is_over: it died, or was killed.
    """

    def __init__(self, start: Callable[[bytes], Compute], payload: bytes, limit: float | None) -> None:
        self.limit = limit
        self.deadline = _NEVER
        self.is_idle = self.is_over = False
        self._task: Task | None = None
        self._began = 0.0
        self._payload: tuple[Callable[[bytes], Compute], bytes] | None = (start, payload)
        self._hired = Hired(_work)
        self.connection = self._hired.connection

    @property
    def has_task(self) -> bool:
        return self._task is not None and not self.is_over

    def give(self, task: Task) -> None:
        """Hand it a task."""
        self._task, self.is_idle, self._began = task, False, time.monotonic()
        if self.limit is not None:
            self.deadline = self._began + self.limit
        self._hired.tell(task)

    def hear(self) -> tuple[Task, Outcome] | None:
        """What it says: that it is ready, or what came of its task.

        Raises:
            UsageError: it could not start.
        """
        said = self._hired.hear()
        if said is END:
            return self._died()
        if self._payload is not None:  # it is there, and waits for what it is to do
            self._hired.tell(self._payload)
            self._payload = None
            return None
        if isinstance(said, str):
            raise UsageError(said)
        self.is_idle, self.deadline = True, _NEVER
        if self._task is None:
            return None
        done, self._task = (self._task, said), None
        return done

    def too_late(self) -> tuple[Task, Outcome] | None:
        """Kill it where its task has taken too long; the task, and that as its reason."""
        if self._task is None or self.is_over:
            return None
        self._hired.process.kill()
        self.is_over, self.deadline = True, _NEVER
        reason = over_limit(self.limit or 0.0)
        return self._task, Outcome(None, reason, time.monotonic() - self._began)

    def _died(self) -> tuple[Task, Outcome]:
        status = self._hired.status()
        self.is_over, self.deadline = True, _NEVER
        if self._task is None:
            raise UsageError(_no_start(status))
        memory = " (killed: out of memory?)" if status == -9 else ""
        seconds = time.monotonic() - self._began
        return self._task, Outcome(None, f"{DIED} with exit status {status}{memory}", seconds)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._hired.end()


# Reasons that say nothing of the function's answer: a later call may find one.
DIED = "its worker ended"
_OVER = "over the limit of "


def over_limit(limit: float) -> str:
    """The reason of a task that took longer than a limit.

    >>> over_limit(30)
    'over the limit of 30 s per arch'
    """
    return f"{_OVER}{limit:g} s per arch"


def is_worth_another_try(reason: str, limit: float | None) -> bool:
    """Whether a task with this reason may have another end: its worker died, or the limit was lower.

    >>> [is_worth_another_try(over_limit(30), limit) for limit in (30, 60, None)]
    [False, True, True]
    """
    if reason.startswith(DIED):
        return True
    if not reason.startswith(_OVER):
        return False
    return limit is None or limit > float(reason.removeprefix(_OVER).partition(" ")[0])


def _no_start(status: int | None) -> str:
    if status == UNGUARDED:
        guard = 'under `if __name__ == "__main__":`, or call it with workers=1'
        return f"a worker imports your script, which started workers again; put what it calls {guard}"
    said = "it said why on stderr; workers=1 computes in this process"
    return f"a worker could not start (exit status {status}): {said}"


# In a worker


def _work(connection: Connection) -> None:
    begin_worker()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stdout is the caller's answer
    answer(connection, None)
    start, payload = told(connection)
    try:
        compute = start(payload)
    except NBZeroError as error:
        answer(connection, str(error))
        return
    answer(connection, None)
    while True:
        arch, seed = told(connection)
        answer(connection, compute(arch, seed))
