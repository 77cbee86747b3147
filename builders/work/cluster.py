"""Ray clusters: which one a job uses, what its nodes have, and being connected to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from builders.work.origin import CODE, ROOT
from nbzero.errors import UsageError, needs
from nbzero.proxies.workers import num_cores

ASKED_BY = "--engine ray"
RAY_ADDRESS = "RAY_ADDRESS"
LOCAL = "local"  # in place of an address: a cluster of this machine, whatever RAY_ADDRESS says
ANSWER_S = 12  # until a cluster must have answered
STORE_BYTES = 100 * 2**20  # of a cluster of this machine; rows are small, and Ray takes no less than 75 MiB
MAX_WORDS = 300  # characters of what Ray says of an error


class Node(NamedTuple):
    """What a node of a cluster has."""

    cpus: int
    cards: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answers.

    Attributes:
        address: HOST:PORT of its head, "auto" or LOCAL.
        nodes: those that live.
    """

    address: str
    nodes: list[Node]

    @property
    def has_card(self) -> bool:
        return any(node.cards for node in self.nodes)

    def room(self, part: float) -> int:
        """How many workers it has room for: one per core, or those that share the cards.

        Args:
            part: of a card that a worker has; 0: none.

        >>> nodes = [Node(cpus=8, cards=1), Node(cpus=2, cards=2)]
        >>> Cluster("auto", nodes).room(0.25), Cluster("auto", nodes).room(0)
        (6, 10)
        """
        total = 0
        for node in self.nodes:
            workers = node.cpus
            if part:
                workers = min(workers, node.cards * int(1 / part + 1e-9))
            total += workers
        return total


def find_cluster(address: str | None, workers: int | None) -> Cluster:
    """The cluster at an address; None: that of RAY_ADDRESS, else one of this machine.

    Args:
        workers: how many a cluster of this machine is to have room for; None: one per core.

    Raises:
        UsageError: nothing answers within ANSWER_S seconds, or what answers is no cluster of this version.
        MissingPackageError: Ray is not installed.
    """
    _quiet_ray()
    needs(ASKED_BY, "ray")
    address = address or os.environ.get(RAY_ADDRESS) or LOCAL
    if address == LOCAL:
        import torch

        return Cluster(LOCAL, [Node(workers or num_cores(), torch.cuda.device_count())])
    if address != "auto":
        _check_port(address)
    # In a process of its own: Ray itself tries for minutes, and cannot be interrupted.
    command = [sys.executable, "-m", "builders.work.cluster", address]
    try:
        asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ANSWER_S)
    except subprocess.TimeoutExpired:
        raise _no_cluster(address, f"no answer in {ANSWER_S} s") from None
    if asked.returncode != 0:
        said = asked.stderr.strip() or "no answer"
        raise _no_cluster(address, said.splitlines()[-1])
    counts = json.loads(asked.stdout.splitlines()[-1])
    return Cluster(address, [Node(cpus, cards) for cpus, cards in counts])


def _quiet_ray() -> None:
    """Before Ray is imported: it reports its use to nobody, and takes the code that a job sends it.

    Below `ray job submit` other code was sent, which Ray would not let us replace.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"


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
        f"no Ray cluster answers at {address} ({reason[:MAX_WORDS]}); --address or {RAY_ADDRESS} is "
        "HOST:PORT of its head, and this command runs on one of its nodes"
    )


@contextlib.contextmanager
def joined(cluster: Cluster) -> Iterator[Any]:
    """Be connected to a cluster; Ray's module. A cluster of this machine is started, and ended.

    Its workers run this checkout's code, of which they are sent a copy.

    Raises:
        UsageError: it does not answer any more, or could not be started.
    """
    ray = needs(ASKED_BY, "ray")
    try:
        with _own_signals():
            _init(ray, cluster)
        yield ray
    finally:
        ray.shutdown()


def _init(ray: Any, cluster: Cluster) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if cluster.address == LOCAL:
        (node,) = cluster.nodes
        options |= {"num_cpus": node.cpus, "num_gpus": node.cards, "object_store_memory": STORE_BYTES}
        options["include_dashboard"] = False
    beside = sorted(path.name for path in ROOT.iterdir() if path.name not in CODE)
    sent = {"working_dir": str(ROOT), "excludes": [f"/{name}" for name in beside]}
    try:
        ray.init(cluster.address, runtime_env=sent, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise _no_cluster(cluster.address, _in_a_line(error)) from error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ctrl-C waits until this has ended: Ray would lose it. Ray's handler of SIGTERM goes again."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    except SystemExit:  # of Ray's handler of SIGTERM
        came.append(signal.SIGTERM)
    finally:
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
    if came:
        signal.raise_signal(came[-1])


# In a process of its own


def _print_nodes(address: str) -> None:
    """Say what the nodes of a cluster have, as JSON; or why it cannot be said."""
    _quiet_ray()
    ray = needs(ASKED_BY, "ray")
    try:
        ray.init(address, log_to_driver=False, logging_level="error")
    except Exception as error:  # its words are all that is asked for
        sys.exit(_in_a_line(error))
    counts = []
    for node in ray.nodes():
        has = node["Resources"]
        if node["Alive"]:
            counts.append([int(has.get("CPU", 0)), int(has.get("GPU", 0))])
    print(json.dumps(counts))
    ray.shutdown()


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


if __name__ == "__main__":
    _print_nodes(sys.argv[1])
