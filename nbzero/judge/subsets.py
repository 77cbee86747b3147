"""Which arch every subset of some proxies picks when their ranks are added, for all subsets at once.

A subset is a mask: bit p is set where column p is in it. Capital endings name an array's axes: P columns, N
archs, B limits, 2^P masks.

The masks form a tree. At each level a few columns are decided. Take two archs a and w at a node:

    behind   how far a is behind w in the columns decided
    gain     the most that a can win back in the open columns: the sum of its positive differences

Where gain < behind, a is strictly below w in every subset under the node, and is dropped. Equal sums never
drop an arch, so ties are exact. At most nodes some tens of 14,964 archs are left. Their remaining columns are
added up by doubling a table.

Limits whose pools contain each other share the tree. An arch enters at one of them, and only archs that
entered no later drop it. The maxima run on from limit to limit.

Two engines do that and give the same. One is numpy. The other is a loop that numba compiles, which keeps the
table in registers and the first-level cache.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, needs

Ints = npt.NDArray[np.int64]
MAX_MEMBERS = 24  # 2^24 masks: 64 MB for every limit
TABLE = 1 << 19  # numbers in a table of sums; a quarter as many took 1.5 times as long
LEVEL_BITS = 6  # columns decided at a level by numpy, at most
TIED = -2  # a code that is still to be named
# Columns that numba leaves open after one level, at most: tables of 4 KB. For 20, 8 took 1.4 times as long.
LOW_BITS = 10
WORTH_NUMBA = 21  # columns from which loading numba (0.5 s) pays
ENGINES = ("auto", "numpy", "numba")


@dataclass(frozen=True)
class Picks:
    """What every subset picks under every limit.

    Attributes:
        codes: (B, 2^P) int32: the position of the arch picked; from N on, N + the number of a tied set. Mask
            0 picks nothing and has -1.
        tied: for each limit, the tied sets as arrays of positions.
        num_archs: N.
    """

    codes: npt.NDArray[np.int32]
    tied: tuple[tuple[Ints, ...], ...]
    num_archs: int

    @classmethod
    def of(
        cls, codes: npt.NDArray[np.int32], sets: Iterable[Iterable[tuple[int, ...]]], num_archs: int
    ) -> Picks:
        """From the tied sets of each limit as tuples, in the order of their numbers."""
        tied = []
        for of_limit in sets:
            tied.append(tuple(np.array(archs, np.int64) for archs in of_limit))
        return cls(codes, tuple(tied), num_archs)

    @functools.cached_property
    def picked(self) -> Ints:
        """(K,) the positions of the archs that some subset picks under some limit, ascending."""
        most = max(map(len, self.tied))
        # By code; that of mask 0, -1, is the last place, which no code has.
        there = np.zeros(self.num_archs + most + 1, bool)
        for codes in self.codes:
            there[codes] = True
        for sets in self.tied:
            for archs in sets:
                there[archs] = True
        return np.flatnonzero(there[: self.num_archs])

    def worth(self, limit: int, worth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(2^P,) the worth of each subset's pick under a limit, from the worth (N,) of each arch.

        Of several tied picks it is the mean, of mask 0 NaN.
        """
        sets = [float(worth[archs].sum()) / len(archs) for archs in self.tied[limit]]
        table = np.concatenate([worth, np.array([*sets, np.nan])])
        return np.asarray(table[self.codes[limit]], np.float64)


def check_members(num_members: int) -> None:
    """UsageError where there are more members than a mask holds."""
    if num_members > MAX_MEMBERS:
        most = (1 << MAX_MEMBERS) - 1
        raise UsageError(
            f"{num_members} members have 2^{num_members} subsets;"
            f" name at most {MAX_MEMBERS} ({most:,} subsets)"
        )


def check_engine(engine: str) -> None:
    """UsageError where it is not one of `ENGINES`."""
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r}; it is one of {', '.join(ENGINES)}")


def picks(columns: Ints, pools: Sequence[npt.NDArray[np.bool_]], engine: str = "auto") -> Picks:
    """For each pool and each non-empty subset of the columns, the archs of the pool with the largest sum.

    The sum is that of the subset's columns.

    Args:
        columns: (P, N) whole numbers from 0 of which larger ones are better.
        pools: B masks (N,), none empty. Consecutive ones that contain each other, as ascending limits give,
            are worked out together.
        engine: "numpy", "numba", or "auto": numba where it is installed and there are columns enough.

    Raises:
        ImportError: numba asked for and not installed.
        UsageError: more columns than MAX_MEMBERS, another engine, or numbers whose sums do not fit 63 bits
            beside the archs' positions.
    """
    num_columns, num_archs = columns.shape
    check_members(num_columns)
    check_engine(engine)
    worth_it = num_columns >= WORTH_NUMBA and importlib.util.find_spec("numba") is not None
    compiled = compiled_loop() if engine == "numba" or (engine == "auto" and worth_it) else None
    if columns.max(initial=0) < 1 << 24:  # half the memory to read
        columns = columns.astype(np.int32)
    codes = np.empty((len(pools), 1 << num_columns), np.int32)
    sets: list[dict[tuple[int, ...], int]] = []
    for limits, varies in _chains(columns, pools):
        search = Search(columns, varies, pools[limits], compiled)
        search.fill(codes[limits])
        sets += search.sets
    codes[:, 0] = -1
    return Picks.of(codes, sets, num_archs)


def _chains(
    columns: npt.NDArray[np.signedinteger], pools: Sequence[npt.NDArray[np.bool_]]
) -> Iterator[tuple[slice, npt.NDArray[np.bool_]]]:
    """The limits in runs, each with the mask (P,) of the columns that vary.

    In a run every pool contains the one before, and the same columns vary.
    """
    start, varies = 0, np.zeros(0, bool)
    for limit, pool in enumerate(pools):
        nested = limit > start and not (pools[limit - 1] & ~pool).any()
        if nested and varies.all():
            continue
        here = ((columns != columns[:, pool.argmax(), None]) & pool).any(1)
        if limit and not (nested and np.array_equal(here, varies)):
            yield slice(start, limit), varies
            start = limit
        varies = here
    yield slice(start, len(pools)), varies


class Search:
    """Limits whose pools contain each other, together.

    An arch enters at one limit and stays. So one that enters no later may drop it for good.

    Attributes:
        sets: for each limit, numbers its tied sets in the order in which they are met.
        archs, entries: (K,) the archs that may win, and the limit at which each enters, ascending.
    """

    def __init__(
        self,
        columns: npt.NDArray[np.signedinteger],
        varies: npt.NDArray[np.bool_],
        pools: Sequence[npt.NDArray[np.bool_]],
        compiled: Callable[..., None] | None = None,
    ) -> None:
        self.num_archs, self.compiled, self.varies, self.pools = len(pools[0]), compiled, varies, pools
        self.sets: list[dict[tuple[int, ...], int]] = [{} for _ in pools]
        if not varies.all():
            columns = columns[varies]
        self.archs, self.entries = _entering(columns, pools)
        inside = columns.take(self.archs, axis=1)
        inside -= inside.min(1, keepdims=True)
        bits = max(len(self.archs) - 1, 1).bit_length()
        largest = (int(inside.max(1, initial=0).sum(dtype=np.int64)) + 1) << bits
        if largest >= 1 << 62:
            raise UsageError(
                f"{len(self.archs):,} archs with sums up to {largest >> bits:,} do not fit 63 bits;"
                " give fewer members"
            )
        inside = inside.astype(np.int32 if largest < 1 << 31 else np.int64)
        self.columns, self.last = inside << bits, inside.dtype.type((1 << bits) - 1)

    def fill(self, codes: npt.NDArray[np.int32]) -> None:
        """Fills `codes` (B, 2^P)."""
        every = bool(self.varies.all())
        found = codes if every else np.empty((len(codes), 1 << len(self.columns)), np.int32)
        if self.compiled:
            self._by_loop(self.compiled, found)
        else:
            self._descend(found, None, self.columns, np.arange(len(self.archs)))
        if not every:
            # A column that is the same for all archs decides nothing. Alone it leaves all of them tied.
            found[:, 0] = [self._code(limit, np.flatnonzero(pool)) for limit, pool in enumerate(self.pools)]
            short, bit = np.zeros(1, np.int64), 1
            for column_varies in self.varies:
                short = np.concatenate([short, short + bit * column_varies])
                bit <<= int(column_varies)
            codes[:] = found[:, short]

    def _descend(
        self,
        codes: npt.NDArray[np.int32],
        decided: npt.NDArray[np.signedinteger] | None,
        columns: npt.NDArray[np.signedinteger],
        here: Ints,
    ) -> None:
        """One node, with the archs at the places `here` (K,) left.

        Args:
            codes: what to fill.
            decided: (K,) sums of the columns decided; None where none of them is in the subset.
            columns: (open, K).
        """
        num_open, num_archs = columns.shape
        fits = max((TABLE // num_archs).bit_length() - 1, 0)  # open columns of which a table holds all sums
        if num_archs == 1:
            codes[:] = self.archs[here[0]]
        elif num_open <= fits or not num_open:
            start = np.zeros_like(columns, shape=num_archs) if decided is None else decided
            self._table(codes, start, columns, here, first=int(decided is None))
        else:
            stay = max(num_open - LEVEL_BITS, min(fits, num_open - 3), 0)
            low = columns[:stay]
            start = np.zeros_like(columns, shape=num_archs) if decided is None else decided
            sums = _all_sums(start, columns[stay:]).T.copy()
            alive = _can_win(sums, low, self.entries[here], self.last)
            for high in range(len(sums)):
                part = codes[:, high << stay : (high + 1) << stay]
                none = high == 0 and decided is None
                keep = _not_beaten(low, self.entries[here]) if none else np.flatnonzero(alive[high])
                self._descend(part, None if none else sums[high, keep], low.take(keep, axis=1), here[keep])

    def _table(
        self,
        codes: npt.NDArray[np.int32],
        decided: npt.NDArray[np.signedinteger],
        columns: npt.NDArray[np.signedinteger],
        here: Ints,
        first: int = 0,
    ) -> None:
        """All subsets of the open columns by adding them up.

        The low bits of a sum hold the arch's position, once upwards and once downwards. So the two maxima
        name the last and the first of the archs with the largest sum.
        """
        archs, entries = self.archs[here], self.entries[here]
        starts = _starts(entries)
        run = entries[starts].searchsorted(np.arange(len(codes)), "right") - 1  # of each limit the last one
        up = np.arange(len(archs), dtype=columns.dtype)
        sums = _all_sums(decided + up, columns)
        largest = _running_max(sums, starts)
        last_best = largest & self.last
        sums += (self.last - 2 * up)[:, None]
        first_best = self.last - (_running_max(sums, starts) & self.last)
        codes[:] = archs[last_best][run]
        unclear = first_best != last_best
        unclear[:, :first] = False
        limits, masks = np.nonzero(unclear[run])
        block = max(1, (1 << 22) // len(archs))
        for start in range(0, len(masks), block):
            limit, mask = limits[start : start + block], masks[start : start + block]
            winners = ((sums[:, mask] | self.last) == (largest[run[limit], mask] | self.last)).T & (
                entries <= limit[:, None]
            )
            codes[limit, mask] = self._codes(limit, winners, archs)

    def _by_loop(self, loop: Callable[..., None], codes: npt.NDArray[np.int32]) -> None:
        """All nodes by `fill_by_loop`, which leaves the ties to be named here."""
        columns = np.ascontiguousarray(self.columns)
        low = min(LOW_BITS, max(len(columns) - 4, len(columns) // 2))
        stops = self.entries.searchsorted(np.arange(len(codes)), "right")
        loop(
            codes,
            columns,
            self.archs,
            stops,
            low,
            self.last - 2 * np.arange(len(self.archs), dtype=columns.dtype),
            self.last,
        )
        codes[:, 0] = -1  # of no column, by which all archs tie: the callers name it
        plain = columns >> int(self.last).bit_length()
        if int(plain.max(1, initial=0).sum()) < 1 << 53:
            plain = plain.astype(np.float64)  # exact, and the product by BLAS
        limits, masks = np.nonzero(codes == TIED)
        block = max(1, (1 << 22) // len(self.archs))
        for start in range(0, len(masks), block):
            limit, mask = limits[start : start + block], masks[start : start + block]
            sums = (mask[:, None] >> np.arange(len(plain)) & 1).astype(plain.dtype) @ plain
            sums[self.entries > limit[:, None]] = -1
            codes[limit, mask] = self._codes(limit, sums == sums.max(1, keepdims=True), self.archs)

    def _codes(self, limits: Ints, winners: npt.NDArray[np.bool_], archs: Ints) -> list[int]:
        """The codes of tied sets, given as rows of `winners` (T, K)."""
        known: dict[tuple[int, bytes], int] = {}
        codes = []
        for limit, row, packed in zip(limits.tolist(), winners, np.packbits(winners, axis=1), strict=True):
            key = limit, packed.tobytes()
            if key not in known:
                known[key] = self._code(limit, archs[row])
            codes.append(known[key])
        return codes

    def _code(self, limit: int, archs: Ints) -> int:
        sets = self.sets[limit]
        return self.num_archs + sets.setdefault(tuple(sorted(archs.tolist())), len(sets))


def _starts(entries: Ints) -> Ints:
    """Where the runs of equal entries start."""
    new = np.ones(len(entries), bool)
    np.not_equal(entries[1:], entries[:-1], out=new[1:])
    return np.flatnonzero(new)


def _running_max(sums: npt.NDArray[np.signedinteger], starts: Ints) -> npt.NDArray[np.signedinteger]:
    """The largest sum among the archs up to the end of each run."""
    largest = np.empty_like(sums, shape=(len(starts), sums.shape[1]))
    for run, (start, stop) in enumerate(itertools.pairwise([*starts, len(sums)])):
        np.maximum.reduce(sums[start:stop], 0, out=largest[run])
        if run:
            np.maximum(largest[run], largest[run - 1], out=largest[run])
    return largest


def _all_sums(
    start: npt.NDArray[np.signedinteger], columns: npt.NDArray[np.signedinteger]
) -> npt.NDArray[np.signedinteger]:
    """(K, 2^columns): start (K,) plus every subset of the columns (columns, K)."""
    sums = np.empty((len(start), 1 << len(columns)), columns.dtype)
    sums[:, 0] = start
    for p, column in enumerate(columns):
        np.add(sums[:, : 1 << p], column[:, None], out=sums[:, 1 << p : 2 << p])
    return sums


def _can_win(
    sums: npt.NDArray[np.signedinteger], low: npt.NDArray[np.signedinteger], entries: Ints, last: Any
) -> npt.NDArray[np.bool_]:
    """(nodes, K): whether an arch may still reach the largest sum, by a subset of the open columns.

    It is compared with four of the archs of each node that enter no later: the best by the sums alone, with
        all open columns, and
    with every other one.

    Args:
        sums: (nodes, K); their low bits are free.
        low: (open, K); their low bits are free.
        entries: (K,).
        last: the mask of the low bits.
    """
    starts, place = _starts(entries), np.arange(len(entries), dtype=sums.dtype)
    run, ends = entries[starts].searchsorted(entries), np.append(starts[1:], len(entries)) - 1
    reached = [sums + (some.sum(0, dtype=sums.dtype) + place) for some in (low[:0], low, low[::2], low[1::2])]
    best = np.array([np.maximum.accumulate(one, 1)[:, ends] & last for one in reached])  # (4, nodes, runs)
    rivals, which = np.unique(best, return_inverse=True)
    gain = np.zeros((len(rivals), len(entries)), sums.dtype)
    for column in low:
        gain += np.maximum(column - column[rivals, None], 0)
    alive = np.ones(sums.shape, bool)
    for one, number in zip(best, which.reshape(best.shape), strict=True):
        alive &= sums + gain[number[:, run], place] >= np.take_along_axis(sums, one, 1)[:, run]
    return alive


def _entering(
    columns: npt.NDArray[np.signedinteger], pools: Sequence[npt.NDArray[np.bool_]]
) -> tuple[Ints, Ints]:
    """The archs (K,) of the last pool that `_not_beaten` leaves, and the limits at which they enter.

    The limits are ascending. The last pool contains the others.
    """
    inside = pools[-1]
    if len(columns):
        best = np.where(pools[0], columns.sum(0, dtype=columns.dtype), -1).argmax()
        inside = inside & (columns >= columns[:, best, None]).any(0)  # most go at once: fewer to sort
    archs = np.flatnonzero(inside)
    entries = len(pools) - np.sum([pool[archs] for pool in pools], axis=0)
    left = _not_beaten(columns.take(archs, axis=1), entries)
    return archs[left], entries[left]


def _not_beaten(columns: npt.NDArray[np.signedinteger], entries: Ints, rivals: int = 32) -> Ints:
    """The archs that none of a few others with large sums and no later entry beats strictly in every column.

    They are in the order of entry, of one entry the largest sum first.
    """
    if not len(columns):
        return np.argsort(entries, kind="stable")
    left = np.lexsort((-columns.sum(0, dtype=columns.dtype), entries))
    inside, entries = columns.take(left, axis=1), entries[left]
    for entry in range(entries[-1] + 1):
        start, stop = entries.searchsorted([entry, entry + 1])
        some = inside[:, start : min(stop, start + rivals), None]
        keep = np.flatnonzero((inside[:, None, start:] >= some).any(0).all(0)) + start
        keep = np.concatenate([np.arange(start), keep])
        inside, left, entries = inside.take(keep, axis=1), left[keep], entries[keep]
    return left


def fill_by_loop(
    codes: npt.NDArray[np.int32],
    columns: npt.NDArray[np.signedinteger],
    archs: Ints,
    stops: Ints,
    num_low: int,
    flip: npt.NDArray[np.signedinteger],
    last: Any,
) -> None:
    """The numpy engine's work as loops for numba: one level of nodes, `num_low` open columns.

    Args:
        codes: (B, 2^P), which it fills; TIED where archs tie.
        columns: (P, K), the low bits of each number free for the archs' positions.
        archs: (K,).
        stops: (B,) for each limit, how many of the archs it admits.
        flip: (K,) what turns a position counted upwards into one counted downwards.
        last: the mask of the low bits.
    """
    num_columns, num_archs = columns.shape
    width = 1 << num_low
    low = columns[:num_low].T.copy()
    sums = np.zeros(num_archs, columns.dtype)
    rest, every_other = sums.copy(), sums.copy()
    for p in range(num_low):
        rest += columns[p]
        if p % 2:
            every_other += columns[p]
    rivals, alive, ends = np.zeros(4, np.int64), np.zeros(num_archs, np.int64), np.zeros_like(stops)
    table, up, down = (
        np.zeros(width, columns.dtype),
        np.zeros(width, columns.dtype),
        np.zeros(width, columns.dtype),
    )
    for high in range(1 << (num_columns - num_low)):
        sums[:] = 0
        for p in range(num_low, num_columns):
            if high >> (p - num_low) & 1:
                sums += columns[p]
        rivals[:] = 0
        count, start = 0, 0
        for limit, stop in enumerate(stops):
            for a in range(start, stop):
                if sums[a] > sums[rivals[0]]:
                    rivals[0] = a
                if sums[a] + rest[a] > sums[rivals[1]] + rest[rivals[1]]:
                    rivals[1] = a
                if sums[a] + every_other[a] > sums[rivals[2]] + every_other[rivals[2]]:
                    rivals[2] = a
                if (
                    sums[a] + rest[a] - every_other[a]
                    > sums[rivals[3]] + rest[rivals[3]] - every_other[rivals[3]]
                ):
                    rivals[3] = a
            for a in range(start, stop):
                beaten = False
                for rival in rivals:
                    behind = sums[rival] - sums[a]
                    if behind > 0:
                        for p in range(num_low):
                            behind -= max(low[a, p] - low[rival, p], 0)
                        if behind > 0:
                            beaten = True
                            break
                if not beaten:
                    alive[count] = a
                    count += 1
            ends[limit] = count
            start = stop
        up[:] = -1
        down[:] = -1
        start = 0
        for limit, end in enumerate(ends):
            part = codes[limit, high << num_low : (high + 1) << num_low]
            if start and start == end:
                part[:] = codes[limit - 1, high << num_low : (high + 1) << num_low]
                continue
            for i in range(start, end):
                a = alive[i]
                table[0] = sums[a] + a
                for p in range(num_low):
                    for j in range(1 << p):
                        table[(1 << p) + j] = table[j] + low[a, p]
                for j in range(width):
                    up[j] = max(up[j], table[j])
                    down[j] = max(down[j], table[j] + flip[a])
            for j in range(width):
                best = up[j] & last
                part[j] = archs[best] if best == last - (down[j] & last) else TIED
            start = end


@functools.cache
def compiled_loop() -> Callable[..., None]:
    """`fill_by_loop`, compiled. The machine code is kept on disk, in numba's cache, for the next process.

    Raises:
        MissingPackageError: numba is not installed.
    """
    numba = needs("engine 'numba'", "numba")
    compiled: Callable[..., None] = numba.njit(cache=True, boundscheck=False)(fill_by_loop)
    return compiled
