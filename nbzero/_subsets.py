"""Which arch every subset of some proxies picks when their ranks are added, for all subsets at once.

A subset is a mask: bit p is set where column p is in it. Capital endings name an array's axes: P columns, N archs, B limits, 2^P masks.

The masks form a tree, a few columns decided at each level. Of two archs at a node, let `behind` be how far a is behind w in the columns decided
and `gain` the most that a can win back in the open ones, the sum of its positive differences. Where gain < behind, a is strictly below w in every
subset under the node and is dropped; equal sums never drop an arch, so ties are exact. A dozen of 14,964 archs are left at most nodes,
and their remaining columns are added up by doubling a table. Two engines do that and give the same: numpy, and a loop that
numba compiles, which keeps the table in registers and the first-level cache.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
MAX_MEMBERS = 24  # 2^24 masks: 64 MB for every limit
TABLE = 1 << 18  # numbers in a table of sums; a quarter as many took up to 1.4 times as long
LEVEL_BITS = 6  # columns decided at a level by numpy, at most
TIED = -2  # a code that is still to be named
LOW_BITS = 10  # columns that numba leaves open after one level: tables of 4 KB; 8 took 1.4 times as long
WORTH_NUMBA = 18  # columns from which loading numba (0.5 s) pays
ENGINES = ("auto", "numpy", "numba")


@dataclass(frozen=True)
class Picks:
    """What every subset picks under every limit.

    Attributes:
        codes: (B, 2^P) int32: the position of the arch picked; from N on, N + the number of a tied set. Mask 0 picks nothing: -1.
        tied: for each limit, the tied sets as arrays of positions.
        num_archs: N.
    """

    codes: npt.NDArray[np.int32]
    tied: tuple[tuple[Ints, ...], ...]
    num_archs: int

    def worth(self, limit: int, worth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(2^P,) the worth of each subset's pick under a limit, from the (N,) worth of each arch: of several tied picks the mean; mask 0 NaN."""
        sets = [float(worth[archs].sum()) / len(archs) for archs in self.tied[limit]]
        table = np.concatenate([worth, np.array([*sets, np.nan])])
        return np.asarray(table[self.codes[limit]], np.float64)


def check_members(num_members: int) -> None:
    """ValueError where there are more members than a mask holds."""
    if num_members > MAX_MEMBERS:
        raise ValueError(f"{num_members} members have 2^{num_members} subsets; name at most {MAX_MEMBERS} ({(1 << MAX_MEMBERS) - 1:,} subsets)")


def picks(columns: Ints, pools: Sequence[npt.NDArray[np.bool_]], engine: str = "auto") -> Picks:
    """For each pool and each non-empty subset of the columns, the archs of the pool with the largest sum of the subset's columns.

    Args:
        columns: (P, N) whole numbers from 0 of which larger ones are better.
        pools: B masks (N,), none empty; equal ones are worked out once.
        engine: "numpy", "numba", or "auto": numba where it is installed and there are columns enough.

    Raises:
        ImportError: numba asked for and not installed.
        ValueError: more columns than MAX_MEMBERS, another engine, or numbers whose sums do not fit 63 bits beside the
            archs' positions.
    """
    num_columns, num_archs = columns.shape
    check_members(num_columns)
    if columns.max(initial=0) < 1 << 24:  # half the memory to read
        columns = columns.astype(np.int32)
    codes = np.empty((len(pools), 1 << num_columns), np.int32)
    tied: list[tuple[Ints, ...]] = []
    done: dict[bytes, int] = {}
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r}; it is one of {', '.join(ENGINES)}")
    numba = engine == "numba" or (engine == "auto" and num_columns >= WORTH_NUMBA and importlib.util.find_spec("numba") is not None)
    search = _Search(num_archs, _compiled() if numba else None)
    for limit, pool in enumerate(pools):
        same = done.setdefault(pool.tobytes(), limit)
        if same < limit:
            codes[limit] = codes[same]
            tied.append(tied[same])
        else:
            search.run(codes[limit], columns, pool)
            tied.append(tuple(np.array(archs, np.int64) for archs in search.sets))
    codes[:, 0] = -1
    return Picks(codes, tuple(tied), num_archs)


class _Search:
    """One limit after the other.

    Attributes:
        sets: numbers the tied sets of the limit in the order in which they are met.
        pool, varies, left: of the limit before: its mask, the columns that are not the same for all its archs, the archs that none beats in
            all of these. Where the next pool contains it, an arch beaten there is beaten here.
    """

    def __init__(self, num_archs: int, compiled: Callable[..., None] | None = None) -> None:
        self.num_archs, self.compiled = num_archs, compiled
        self.pool, self.left = np.zeros(num_archs, bool), np.zeros(0, np.int64)
        self.varies = np.zeros(0, bool)

    def run(self, codes: npt.NDArray[np.int32], columns: npt.NDArray[np.signedinteger], pool: npt.NDArray[np.bool_]) -> None:
        """Fills `codes` (2^P,) for `columns` (P, N) under one limit."""
        self.sets: dict[tuple[int, ...], int] = {}
        archs = np.flatnonzero(pool)
        inside = columns.take(archs, axis=1)
        varies = (inside != inside[:, :1]).any(1)
        if np.array_equal(varies, self.varies) and not (self.pool & ~pool).any():
            archs = np.concatenate([self.left, np.flatnonzero(pool & ~self.pool)])
        archs = _not_beaten(columns[varies], archs)
        self.pool, self.varies, self.left = pool, varies, archs
        inside = columns[varies].take(np.sort(archs), axis=1)
        archs = np.sort(archs)
        inside = inside - inside.min(1, keepdims=True)
        bits = max(len(archs) - 1, 1).bit_length()
        largest = int(inside.max(1, initial=0).sum(dtype=np.int64) + 1) << bits
        if largest >= 1 << 62:
            raise ValueError(f"{len(archs):,} archs with sums up to {largest >> bits:,} do not fit 63 bits; give fewer members")
        inside = inside.astype(np.int32 if largest < 1 << 30 else np.int64) << bits
        self.last = inside.dtype.type((1 << bits) - 1)
        found = codes if varies.all() else np.empty(1 << len(inside), np.int32)
        if self.compiled:
            self._by_loop(self.compiled, found, inside, archs)
        else:
            self._descend(found, None, inside, archs)
        if not varies.all():  # a column that is the same for all archs decides nothing: alone it leaves all of them tied
            found[0] = self._code(np.flatnonzero(pool))
            short, bit = np.zeros(1, np.int64), 1
            for column_varies in varies:
                short = np.concatenate([short, short + bit * column_varies])
                bit <<= int(column_varies)
            codes[:] = found[short]

    def _descend(self, codes: npt.NDArray[np.int32], decided: npt.NDArray[np.signedinteger] | None, columns: npt.NDArray[np.signedinteger],
                 archs: Ints) -> None:  # fmt: skip
        """One node: `decided` (K,) sums of the columns decided, None where none of them is in the subset; `columns` (open, K)."""
        num_open, num_archs = columns.shape
        fits = max((TABLE // num_archs).bit_length() - 1, 0)  # open columns of which a table holds all sums
        if num_archs == 1:
            codes[:] = archs[0]
        elif num_open <= fits or not num_open:
            self._table(codes, np.zeros_like(columns, shape=num_archs) if decided is None else decided, columns, archs, first=int(decided is None))
        else:
            stay = max(num_open - LEVEL_BITS, min(fits, num_open - 3), 0)
            low, start = columns[:stay], np.zeros_like(columns, shape=num_archs) if decided is None else decided
            sums = _all_sums(start, columns[stay:]).T.copy()
            alive = _can_win(sums, low)
            for high in range(len(sums)):
                part = codes[high << stay : (high + 1) << stay]
                if high == 0 and decided is None:
                    self._descend(part, None, low, archs)
                else:
                    keep = np.flatnonzero(alive[high])
                    self._descend(part, sums[high, keep], low[:, keep], archs[keep])

    def _table(self, codes: npt.NDArray[np.int32], decided: npt.NDArray[np.signedinteger], columns: npt.NDArray[np.signedinteger], archs: Ints,
               first: int = 0) -> None:  # fmt: skip
        """All subsets of the open columns by adding them up. The low bits of a sum hold the arch's position: once upwards and once downwards, so
        that the two maxima name the last and the first of the archs with the largest sum."""
        up = np.arange(len(archs), dtype=columns.dtype)
        sums = _all_sums(decided + up, columns)
        largest = sums.max(0)
        last_best = largest & self.last
        sums += (self.last - 2 * up)[:, None]
        first_best = self.last - (sums.max(0) & self.last)
        codes[:] = archs[last_best]
        tied = first + np.flatnonzero((first_best != last_best)[first:])
        if len(tied):
            winners = ((sums[:, tied] | self.last) == (largest[tied] | self.last)).T
            if len(tied) < 16:
                codes[tied] = [self._code(archs[row]) for row in winners]
            else:
                packed, which = np.unique(np.packbits(winners, axis=1), axis=0, return_inverse=True)
                each = [self._code(archs[row]) for row in np.unpackbits(packed, axis=1, count=len(archs)).astype(bool)]
                codes[tied] = np.array(each, np.int32)[which]

    def _by_loop(self, loop: Callable[..., None], codes: npt.NDArray[np.int32], columns: npt.NDArray[np.signedinteger], archs: Ints) -> None:
        """All nodes by `_loop`, which leaves the ties to be named here."""
        low = LOW_BITS if len(columns) > LOW_BITS else len(columns) // 2
        loop(codes, np.ascontiguousarray(columns), archs, low, self.last - 2 * np.arange(len(archs), dtype=columns.dtype), self.last)
        tied = np.flatnonzero(codes == TIED)
        block = max(1, (1 << 22) // len(archs))
        for start in range(0, len(tied), block):
            some = tied[start : start + block]
            sums = (some[:, None] >> np.arange(len(columns)) & 1).astype(columns.dtype) @ columns
            codes[some] = [self._code(archs[row]) for row in sums == sums.max(1, keepdims=True)]

    def _code(self, archs: Ints) -> int:
        return self.num_archs + self.sets.setdefault(tuple(archs.tolist()), len(self.sets))


def _all_sums(start: npt.NDArray[np.signedinteger], columns: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.signedinteger]:
    """(K, 2^columns): start (K,) plus every subset of the columns (columns, K)."""
    sums = np.empty((len(start), 1 << len(columns)), columns.dtype)
    sums[:, 0] = start
    for p, column in enumerate(columns):
        np.add(sums[:, : 1 << p], column[:, None], out=sums[:, 1 << p : 2 << p])
    return sums


def _can_win(sums: npt.NDArray[np.signedinteger], low: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.bool_]:
    """(nodes, K): whether an arch with these sums (nodes, K) may still reach the largest one by a subset of the open columns (open, K).

    Compared with four archs of each node: the best by the sums alone, with all open columns, and with every other one of them.
    """
    alive = np.ones(sums.shape, bool)
    nodes = np.arange(len(sums))
    for some in (low[:0], low, low[::2], low[1::2]):
        best = (sums + some.sum(0, dtype=sums.dtype)).argmax(1)
        rivals, which = np.unique(best, return_inverse=True)
        gain = np.zeros((len(rivals), sums.shape[1]), sums.dtype)
        for column in low:
            gain += np.maximum(column - column[rivals, None], 0)
        alive &= sums + gain[which] >= sums[nodes, best][:, None]
    return alive


def _not_beaten(columns: npt.NDArray[np.signedinteger], archs: Ints, rivals: int = 24) -> Ints:
    """Of the archs, those that none of a few others with large sums beats strictly in every column; the ones with the largest sums first."""
    if not len(columns):
        return archs
    inside = columns.take(archs, axis=1)
    keep = np.flatnonzero((inside >= inside[:, inside.sum(0).argmax(), None]).any(0))  # most go at once: fewer to sort
    keep = keep[np.argsort(-inside[:, keep].sum(0), kind="stable")]
    inside, archs = inside[:, keep], archs[keep]
    for rival in range(rivals):
        if rival >= len(archs):
            break
        keep = np.flatnonzero((inside >= inside[:, rival, None]).any(0))
        inside, archs = inside[:, keep], archs[keep]
    return archs


def _loop(
    codes: npt.NDArray[np.int32],
    columns: npt.NDArray[np.signedinteger],
    archs: Ints,
    num_low: int,
    flip: npt.NDArray[np.signedinteger],
    last: Any,
) -> None:
    """What `_Search._descend` does, as loops for numba: one level of nodes, `num_low` open columns. Fills `codes` (2^P,), TIED where archs tie.

    Args:
        columns: (P, K), the low bits of each number free for the archs' positions.
        archs: (K,).
        flip: (K,) what turns a position counted upwards into one counted downwards.
        last: the mask of the low bits.
    """
    num_columns, num_archs = columns.shape
    width = 1 << num_low
    low = columns[:num_low].T.copy()
    rest, every_other, sums = np.zeros_like(columns[0]), np.zeros_like(columns[0]), np.zeros_like(columns[0])
    for p in range(num_low):
        rest += columns[p]
        if p % 2:
            every_other += columns[p]
    rivals, alive = np.zeros(4, np.int64), np.zeros(num_archs, np.int64)
    table, up, down = np.zeros(width, columns.dtype), np.zeros(width, columns.dtype), np.zeros(width, columns.dtype)
    for high in range(1 << (num_columns - num_low)):
        sums[:] = 0
        for p in range(num_low, num_columns):
            if high >> (p - num_low) & 1:
                sums += columns[p]
        rivals[:] = 0
        for a in range(1, num_archs):
            if sums[a] > sums[rivals[0]]:
                rivals[0] = a
            if sums[a] + rest[a] > sums[rivals[1]] + rest[rivals[1]]:
                rivals[1] = a
            if sums[a] + every_other[a] > sums[rivals[2]] + every_other[rivals[2]]:
                rivals[2] = a
            if sums[a] + rest[a] - every_other[a] > sums[rivals[3]] + rest[rivals[3]] - every_other[rivals[3]]:
                rivals[3] = a
        count = 0
        for a in range(num_archs):
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
        part = codes[high << num_low : (high + 1) << num_low]
        if count == 1:
            part[:] = archs[alive[0]]
            continue
        up[:] = -1
        down[:] = -1
        for i in range(count):
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


@functools.cache
def _compiled() -> Callable[..., None]:
    """`_loop`, compiled; the machine code is kept on disk, in numba's cache, for the next process."""
    try:
        import numba
    except ImportError as error:
        raise ImportError("engine 'numba' needs numba: pip install 'nbzero[fast]'") from error
    compiled: Callable[..., None] = numba.njit(cache=True, boundscheck=False)(_loop)
    return compiled
