"""Units of work: one arch with one seed each, and which of them a shard has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nbzero.errors import UsageError, quoted

Unit = tuple[int, str, int]  # arch_id, arch, seed


def unit_name(unit: Unit) -> str:
    """What the file of a unit is called.

    >>> unit_name((5, "r1-s32-d2w64s2-d1w128s2-d2w256s2", 1))
    '000005-1'
    """
    arch_id, _, seed = unit
    return f"{arch_id:06d}-{seed}"


def units_of_shard(num_units: int, shard: int, num_shards: int) -> range:
    """The work units of one shard: every num_shards-th, starting at its own number.

    >>> [list(units_of_shard(num_units=9, shard=s, num_shards=4)) for s in range(4)]
    [[0, 4, 8], [1, 5], [2, 6], [3, 7]]
    """
    return range(shard, num_units, num_shards)


def parse_shard(text: str) -> tuple[int, int]:
    """`"3/40"` to (3, 40): shard 3, counted from 0, of 40; UsageError for anything else.

    >>> parse_shard("3/40")
    (3, 40)
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not match or int(match[1]) >= int(match[2]):
        raise UsageError(
            f"shard {quoted(text)}; it is like 3/40: the shard's number from 0, then how many there are"
        )
    return int(match[1]), int(match[2])


def parse_range(text: str) -> range:
    """`"100"` to the first 100, `"100:300"` to 100 .. 299; UsageError for anything else.

    >>> parse_range("100:300")
    range(100, 300)
    """
    match = re.fullmatch(r"(?:(\d{1,9}):)?(\d{1,9})", text)
    if not match or int(match[1] or 0) >= int(match[2]):
        raise UsageError(
            f"archs {quoted(text)}; it is a count of the build order's first archs, "
            "or FIRST:LAST (without LAST)"
        )
    return range(int(match[1] or 0), int(match[2]))


def planned_units(
    members: Sequence[str],
    archs: range,
    seeds: Iterable[int],
    shard: int,
    num_shards: int,
    ids: Sequence[int] | None = None,
) -> list[Unit]:
    """A shard's units: archs in build order, every arch with all seeds before the next.

    Args:
        archs: places among the members.
        ids: arch_id of each member; None: its place.

    Raises:
        UsageError: archs beyond the space's members.
    """
    if archs.stop > len(members):
        raise UsageError(f"archs up to {archs.stop}; the space has {len(members)}")
    ids = range(len(members)) if ids is None else ids
    units = [(ids[place], members[place], seed) for place in archs for seed in seeds]
    return [units[number] for number in units_of_shard(len(units), shard, num_shards)]
