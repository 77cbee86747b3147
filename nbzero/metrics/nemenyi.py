"""Whether the mean ranks of several entries over several pools differ: Friedman's test, then Nemenyi's.

Capital letters name sizes: B pools (blocks), K entries. Needs scipy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, needs, whole
from nbzero.metrics.arrays import Floats, ranks

LEAST_ENTRIES, LEAST_POOLS = 3, 2


class Comparison(NamedTuple):
    """What Friedman's and Nemenyi's tests say of K entries on B pools.

    Attributes:
        mean_ranks: (K,) over the pools, 1 is best.
        num_pools: B.
        statistic, p_value: Friedman's chi-square, corrected for ties, with K - 1 degrees of freedom.
        critical_difference: Nemenyi's, of mean ranks.
        alpha: the level of both tests.
    """

    mean_ranks: Floats
    num_pools: int
    statistic: float
    p_value: float
    critical_difference: float
    alpha: float

    @property
    def is_settled(self) -> bool:
        """Whether Friedman's test finds any difference. Without one no two entries are told apart."""
        return self.p_value < self.alpha

    def better_than(self, entry: int) -> int:
        """How many entries one is significantly better than."""
        return self._count(self.mean_ranks - self.mean_ranks[entry])

    def worse_than(self, entry: int) -> int:
        """How many entries one is significantly worse than."""
        return self._count(self.mean_ranks[entry] - self.mean_ranks)

    def _count(self, behind: Floats) -> int:
        if not self.is_settled:
            return 0
        return int((behind >= self.critical_difference).sum())

    @property
    def cliques(self) -> list[list[int]]:
        """The largest groups of entries of which no two differ, by ascending mean rank; none of a single one.

        Groups overlap: that two entries are in no common group is what settles a difference.
        """
        order = np.argsort(self.mean_ranks, kind="stable")
        if not self.is_settled:
            return [order.tolist()]
        ordered = self.mean_ranks[order]
        found: list[list[int]] = []
        last_end = 0
        for start in range(len(order)):
            end = int(np.searchsorted(ordered, ordered[start] + self.critical_difference, side="left"))
            if end > last_end and end - start > 1:
                found.append(order[start:end].tolist())
            last_end = max(last_end, end)
        return found


def critical_difference(num_entries: int, num_pools: int, alpha: float = 0.05) -> float:
    """By how much two mean ranks must differ to differ significantly (Nemenyi).

        CD = q sqrt(K (K + 1) / (6 B)),   q = studentized range(1 - alpha; K, infinity) / sqrt 2

    Args:
        num_entries: K >= 2.
        num_pools: B >= 1.
        alpha: the chance, where all entries are equal, that any two of them are called different; in (0, 1).

    Returns:
        In ranks. It can be above K - 1: then no difference is significant.

    Raises:
        UsageError: another number or alpha.
        MissingPackageError: scipy is not installed.

    Source: Demsar, J. Mach. Learn. Res. 7 (2006), section 3.2.2.

    >>> round(critical_difference(num_entries=4, num_pools=14), 2)
    1.25
    """
    num_entries = whole("num_entries", num_entries, 2)
    num_pools = whole("num_pools", num_pools, 1)
    _check_alpha(alpha)
    stats = needs("a critical difference", "scipy.stats")
    q = stats.studentized_range.ppf(1 - alpha, num_entries, math.inf) / math.sqrt(2)
    return float(q * math.sqrt(num_entries * (num_entries + 1) / (6 * num_pools)))


def nemenyi(values: npt.ArrayLike, alpha: float = 0.05) -> Comparison:
    """Friedman's test of K entries on B pools, and Nemenyi's critical difference of their mean ranks.

    Both take the pools for independent of each other.

    Args:
        values: (B, K) higher is better, no NaN; ties within a pool share their mean rank. B >= 2, K >= 3.
        alpha: the level of both tests, in (0, 1).

    Raises:
        UsageError: another shape, NaN, another alpha.
        MissingPackageError: scipy is not installed.

    Source: Demsar, J. Mach. Learn. Res. 7 (2006), whose chi-square has no correction for ties.
    """
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or len(table) < LEAST_POOLS or table.shape[1] < LEAST_ENTRIES:
        allowed = f"(pools, entries), from {LEAST_POOLS} pools and {LEAST_ENTRIES} entries on"
        raise UsageError(f"values of shape {table.shape}; they are {allowed}")
    if np.isnan(table).any():
        absent = f"{int(np.isnan(table).sum())} of {table.size} values are NaN"
        raise UsageError(f"{absent}; leave out the entries or the pools that lack them")
    num_pools, num_entries = table.shape
    difference = critical_difference(num_entries, num_pools, alpha)
    places = ranks(-table)
    statistic, p_value = 0.0, 1.0
    if (places != places[:, :1]).any():
        stats = needs("Friedman's test", "scipy.stats")
        found = stats.friedmanchisquare(*places.T)
        statistic, p_value = float(found.statistic), float(found.pvalue)
    return Comparison(places.mean(axis=0), num_pools, statistic, p_value, difference, alpha)


def _check_alpha(alpha: float) -> None:
    if isinstance(alpha, (bool, str)) or not hasattr(alpha, "__float__") or not 0 < alpha < 1:
        raise UsageError(f"alpha {alpha!r}; it is between 0 and 1, like 0.05")
