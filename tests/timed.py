"""Made latencies, which the fixture `timed_release` has beside the made rows. No test itself."""

from typing import Any

from builders.work.base import members_of_space
from nbzero.release.schema import TableKey

Row = dict[str, Any]
REFERENCE = "r1-s32-d1w32s2-d2w32s2-d3w32s1-d4w192s2"
MINE, CARD = "cpu-1:mine", "cuda-256:a-card"
KEY: TableKey = ("latencies", "r1-mini", None)


def latency_row(arch_id: int, setup: str = MINE, **changed: Any) -> Row:
    """A row of a latencies table: 1 ms for arch 0, 0.01 ms more for each after it."""
    median = 1 + arch_id / 100
    row: Row = {"arch_id": arch_id, "setup": setup, "latency_ms": median, "repeats": 40, "warm_up": 10}
    row |= {"latency_q1_ms": 0.9 * median, "latency_q3_ms": 1.2 * median, "reference": REFERENCE}
    row |= {"reference_ms": 4.0, "resolution": 32, "num_classes": 100, "batch_size": 1, "threads": 1}
    row |= {"dtype": "float32", "memory_format": "contiguous", "device": f"that of {setup}"}
    return row | {"software": "made 1.0", "builder_commit": "0" * 40, **changed}


def in_shard(row: Row) -> Row:
    """The row as a shard has it."""
    return row | {"space": "r1-mini", "arch": members_of_space("r1-mini")[row["arch_id"]]}


def timed_rows() -> list[Row]:
    """The first 50 archs on a processor, the first 30 on a card, where later ones are faster."""
    rows = [latency_row(arch_id) for arch_id in range(50)]
    for arch_id in range(30):
        times = {"latency_ms": 9 - arch_id / 10, "latency_q1_ms": 1.0, "latency_q3_ms": 10.0}
        rows.append(latency_row(arch_id, CARD, batch_size=256, **times))
    return rows
