"""Latencies: how long a network takes on a machine.

Each is of a setup, like "cpu-1:amd-epyc-9b14": the versioned name of the settings, and the machine's name.
Where none is named, the setup is meant under which the release timed most networks. Nothing here imports
numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nbzero.errors import NBZeroError, NothingFoundError, ReleaseError, unknown_name
from nbzero.release.opened import Opened, OpenedSpace
from nbzero.release.schema import TABLES

LATENCY = "latency"
TABLE: Literal["latencies"] = "latencies"
MEASURE = "python -m builders.measure_latency"
# The settings that a setup's name stands for. The machine is the other part of the name.
OF_SETUP = (
    *("warm_up", "reference", "resolution", "num_classes", "batch_size", "threads", "dtype"),
    "memory_format",
)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one network takes under one setup: a row of a latencies table.

    Units and meanings are in `nbzero.release.schema`.
    """

    arch: str
    setup: str
    latency_ms: float
    latency_q1_ms: float
    latency_q3_ms: float
    repeats: int
    warm_up: int
    reference: str
    reference_ms: float
    resolution: int
    num_classes: int
    batch_size: int
    threads: int
    dtype: str
    memory_format: str
    device: str
    software: str
    builder_commit: str

    @property
    def relative(self) -> float:
        """How many times as long it takes as the reference, which was timed in turns with it."""
        return self.latency_ms / self.reference_ms


def timing_of(space: OpenedSpace, arch_id: int, setup: str) -> Timing | None:
    """The row of one arch under a setup; None where there is none."""
    group = space.groups(TABLE).get((setup, 0))
    row = None if group is None else group.row(arch_id)
    if row is None:
        return None
    values: dict[str, Any] = {"arch": space.archs[arch_id], "setup": setup}
    for column in TABLES[TABLE]:
        if column.name in (*values, "arch_id", "space"):
            continue
        if column.kind == "string":
            values[column.name] = space.text(TABLE, column.name, row)
        else:
            values[column.name] = space.numbers(TABLE, column.name)[row]
    return Timing(**values)


def latency_names(release: Opened, space: OpenedSpace) -> dict[str, str]:
    """The names of a space's latencies as costs, each with its setup.

    They are latency, where the space has the setup that is meant by it, and latency:SETUP of each.
    """
    names = {}
    default = release.setup(None) if space.setups else None
    if default in space.setups:
        names[LATENCY] = str(default)
    for setup in space.setups:
        names[f"{LATENCY}:{setup}"] = setup
    return names


def is_latency(cost: str) -> bool:
    """Whether a cost is named as a latency.

    >>> is_latency("latency"), is_latency("latency:cpu-1:mine"), is_latency("macs")
    (True, True, False)
    """
    return cost == LATENCY or cost.startswith(f"{LATENCY}:")


def no_latency(space: str, name: str, known: Iterable[str]) -> NBZeroError:
    """The error for a latency that a space does not have; `known` are those it has."""
    there = list(known)
    if not there:
        return NothingFoundError(
            f"the release has no latencies of {space}; {MEASURE} --space {space} measures them"
        )
    if name == LATENCY:
        listed = ", ".join(there)
        return NothingFoundError(
            f"the release has no latencies of {space} under the setup that is meant where none is named; "
            f"name one of {listed}"
        )
    return unknown_name(f"cost of {space}", name, there)


def check_setups(rows: Iterable[Mapping[str, Any]], where: str) -> None:
    """All rows of a setup are of one machine and its settings.

    Args:
        where: names the table.

    Raises:
        ReleaseError: two rows of one setup that differ in one of OF_SETUP, or in their device.
    """
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        there = first.setdefault(row["setup"], row)
        for name in (*OF_SETUP, "device"):
            if row[name] != there[name]:
                first_has = f"{name} {there[name]!r} of arch_id {there['arch_id']}"
                has = f"{row[name]!r} of arch_id {row['arch_id']}"
                raise ReleaseError(
                    f"{where}: setup {row['setup']} has {first_has} and {has}; "
                    "a setup is of one machine and its settings: measure again under another --machine name"
                )
