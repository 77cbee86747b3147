"""Jobs for a Ray cluster: python -m tests.builders.work.clustered WHAT OUT GATES ADDRESS.

No test itself. When a worker takes a unit in hand, `GATES/began-{arch_id}` gets a line: the number of the
node, the process and its parent. A unit is finished when somebody makes `GATES/open-{arch_id}`.

    scores    4 networks of the digits, scored by two workers
    faults    units that fail, kill their worker or take long; their rows are made, not computed
    plain     of those one that is fine, and one that waits at its gate; one worker without a card
"""

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from builders.work import on_ray
from builders.work.base import members_of_space
from builders.work.command import say_errors
from builders.work.job import Compute, Job, run_job
from builders.work.rows import Row
from builders.work.units import Unit
from tests.builders.made import row_in_shard
from tests.builders.work.gated import ENDS


# Any process of this machine reaches it, and it is no local folder.
class Shared(DirFileSystem):
    protocol = "shared"

    def __init__(self, **options: Any) -> None:
        super().__init__("/", fs=LocalFileSystem(auto_mkdir=True), **options)


fsspec.register_implementation("shared", Shared, clobber=True)  # also where this is run, and imported

SCORED = range(443, 447)  # among the smallest networks of the space
FINE, TWICE, ALWAYS, DEADLY, LONG, LAST = range(6)


def begin(gates: Path, arch_id: int) -> int:
    """Say that a unit was begun; how often it was before."""
    import ray

    path = gates / f"began-{arch_id}"
    before = len(begun(gates, arch_id))
    with open(path, "a") as file:
        file.write(f"{ray.get_runtime_context().get_node_id()} {os.getpid()} {os.getppid()}\n")
    return before


def begun(gates: Path, arch_id: int) -> list[list[str]]:
    """Node, process and parent of every time that a unit was begun."""
    path = gates / f"began-{arch_id}"
    if not path.exists():
        return []
    return [line.split() for line in path.read_text().splitlines()]


def wait_at(gates: Path, arch_id: int) -> None:
    while not (gates / f"open-{arch_id}").exists():
        time.sleep(0.01)


def start_scores(device: str, settings: dict[str, Any]) -> Compute:
    """Real scores, each after its gate."""
    from builders import score_shard  # the other job needs no torch

    compute = score_shard.start(device, settings)
    gates = Path(settings["gates"])

    def gated(unit: Unit, there: Row | None) -> Row:
        begin(gates, unit[0])
        wait_at(gates, unit[0])
        return compute(unit, there)

    return gated


def start_faults(device: str, settings: dict[str, Any]) -> Compute:
    """Every unit has its own fault; its row says how often it was begun before."""
    gates = Path(settings["gates"])

    def faulty(unit: Unit, there: Row | None) -> Row:
        arch_id = unit[0]
        before = begin(gates, arch_id)
        if arch_id == ALWAYS or (arch_id == TWICE and before < 2):
            raise RuntimeError(f"no luck with {unit[1]}")
        if arch_id == DEADLY and before == 0:
            os._exit(1)
        if arch_id == LAST or (arch_id == LONG and before == 0):
            wait_at(gates, arch_id)
        row = row_in_shard(arch_id, train_loss=float(before), device=device)
        return {name: value for name, value in row.items() if name not in ENDS}

    return faulty


def no_torch() -> None:
    """In place of what prepares a process for torch."""


def leave_torch() -> None:
    on_ray.tune_process = no_torch


class NoTorch:
    """The process that unpickles it needs no torch."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return leave_torch, ()


def scores_job(gates: Path, address: str | None = None) -> Job:
    members = members_of_space("r1-mini")
    units = [(arch_id, members[arch_id], 0) for arch_id in SCORED]
    settings = {"protocol": "std-16", "dataset": "digits", "images": None, "builder_commit": "0" * 40}
    settings |= {"proxies": ["synflow", "naswot", "params"], "gates": str(gates)}
    same_key = {"protocol": "std-16"}
    made = Job("scores", "gated", "r1-mini", "digits", units, 0, 1, start_scores, settings, same_key)
    return dataclasses.replace(made, device="cpu", workers=2, address=address)


def faults_job(gates: Path, address: str) -> Job:
    units = [(arch_id, f"arch{arch_id}", 0) for arch_id in range(6)]
    settings = {"gates": str(gates), "first": NoTorch()}
    same_key = {"recipe": "cpu-16px-4"}
    made = Job("runs", "faulty", "r1-mini", "digits", units, 0, 1, start_faults, settings, same_key)
    return dataclasses.replace(made, address=address, gpus_per_worker=0.25)


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    from tests.builders.work import clustered  # workers find its functions there, and not in __main__

    what, out, gates, address = argv or sys.argv[1:]
    job = clustered.scores_job(Path(gates), address)
    if what != "scores":
        job = clustered.faults_job(Path(gates), address)
        on_ray.STRAGGLER_S = 1.0
    if what == "plain":
        units = [job.units[FINE], job.units[LAST]]
        job = dataclasses.replace(job, units=units, device="cpu", gpus_per_worker=None, workers=1)
    run_job(job, out, on_ray.engine, "parquet")


if __name__ == "__main__":
    sys.exit(main())
