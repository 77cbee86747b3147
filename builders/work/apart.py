"""A function of a file's bytes, called in a process of its own.

A library that reads what a stranger sent may loop for ever, or crash. Here that costs one file: the process
is killed where a file takes too long, and the next file gets a new one.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from nbzero.errors import NBZeroError, ReleaseError
from nbzero.proxies.workers import (
    END,
    Hired,
    answer,
    begin_worker,
    interrupts_wait,
    leave_asking_to_parent,
    told,
)

LIMIT_S = 20.0  # seconds for a file, and one more for each megabyte; HDF5 takes 0.1 s for one
MAX_BYTES = 2 << 30  # of memory for what `Bounded` calls
ADVICE = "remove it and run its job again, or have it sent as Parquet"


class Bounded:
    """A function for `Apart` that gets only so much memory, where the system can limit it.

    Args:
        function: as of `Apart`.
        most: bytes of memory.

    Raises:
        ReleaseError: it needs more. Whatever the function raises is raised here.
    """

    def __init__(self, function: Callable[[bytes, str], Any], most: int = MAX_BYTES) -> None:
        self._function = function
        self._most = most

    def __call__(self, data: bytes, name: str) -> Any:
        with contextlib.suppress(ImportError):  # no limits on Windows
            import resource

            _, most = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (self._most, most))
        try:
            return self._function(data, name)
        except MemoryError as error:
            raise ReleaseError(f"{name} needs more than {self._most:,} bytes of memory to be read") from error


class Apart:
    """The function, and the process that calls it: started by the first call, ended by `end`.

    Args:
        function: one that can be imported, of a file's bytes and its name. What it returns must pickle.
        advice: what to do with a file that took too long or ended the process.
        limit_s: seconds for a file; None: LIMIT_S, and one more for each megabyte.

    Raises:
        ReleaseError: the call took too long, or the process crashed in it or could not start; it names the
            file. Whatever the function raises is raised here.
    """

    def __init__(
        self, function: Callable[[bytes, str], Any], advice: str = ADVICE, limit_s: float | None = None
    ) -> None:
        self._function = function
        self._advice = advice
        self._limit_s = limit_s
        self._hired: Hired | None = None

    def __call__(self, data: bytes, name: str) -> Any:
        try:
            hired = self._started(name)
            hired.tell((data, name))
            said = self._heard(hired, len(data), name)
        except BaseException:  # Ctrl-C too: its answer would be taken for that of the next file
            self.end()
            raise
        if isinstance(said, BaseException):
            raise said
        return said

    def end(self) -> None:
        """End the process, whatever it does; the next call starts another."""
        if self._hired is not None:
            self._hired.end()
            self._hired = None

    def _started(self, name: str) -> Hired:
        """The process; a new one where there is none, or somebody has killed it meanwhile."""
        if self._hired is not None and self._hired.process.is_alive():
            return self._hired
        self.end()
        try:
            with interrupts_wait():  # in a process that is started they wait until it is ready for them
                self._hired = Hired(_work)
        except OSError as error:
            raise ReleaseError(
                f"{name} is read in a process of its own, which could not start ({error.strerror}); "
                "close other programs and run this again"
            ) from error
        self._hired.tell(self._function)
        if self._hired.hear() is END or self._hired.hear() is END:  # it is there; it has loaded the function
            raise ReleaseError(
                f"{name} is read in a process of its own, which could not start "
                f"(exit status {self._hired.status()}; what it said is on stderr); run this again"
            )
        return self._hired

    def _heard(self, hired: Hired, nbytes: int, name: str) -> Any:
        limit = self._limit_s or LIMIT_S + nbytes / 1e6
        if not hired.connection.poll(limit):
            raise ReleaseError(f"{name} was not read within the limit of {limit:.3g} s; {self._advice}")
        said = hired.hear()
        if said is END:
            status = hired.status()
            memory = ": out of memory?" if status == -9 else ""
            raise ReleaseError(
                f"{name} ended the process that read it (exit status {status}{memory}); {self._advice}"
            )
        return said


# In the process


def _work(connection: Connection) -> None:
    leave_asking_to_parent()
    begin_worker()
    answer(connection, None)
    function = told(connection)
    answer(connection, None)
    while True:
        data, name = told(connection)
        answer(connection, _called(function, data, name))


def _called(function: Callable[[bytes, str], Any], data: bytes, name: str) -> Any:
    try:
        return function(data, name)
    except NBZeroError as error:
        return error
    except Exception as error:  # a bug of ours, to be seen as if it had happened here
        error.add_note(traceback.format_exc())
        return error
