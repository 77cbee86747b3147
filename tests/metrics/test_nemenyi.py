"""Friedman and Nemenyi: the published example and table, ranks as scipy's, cliques by their definition."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nbzero.errors import UsageError
from nbzero.metrics import critical_difference, nemenyi

# AUC of four variants of C4.5 on 14 data sets: table 6 of Demsar, JMLR 7 (2006). Two values of the last row
# but one are printed as equal, 0.975, and ranked second and third: here the former is a digit larger.
DEMSAR = (
    (0.763, 0.768, 0.771, 0.798),
    (0.599, 0.591, 0.590, 0.569),
    (0.954, 0.971, 0.968, 0.967),
    (0.628, 0.661, 0.654, 0.657),
    (0.882, 0.888, 0.886, 0.898),
    (0.936, 0.931, 0.916, 0.931),
    (0.661, 0.668, 0.609, 0.685),
    (0.583, 0.583, 0.563, 0.625),
    (0.775, 0.838, 0.866, 0.875),
    (1.000, 1.000, 1.000, 1.000),
    (0.940, 0.962, 0.965, 0.962),
    (0.619, 0.666, 0.614, 0.669),
    (0.972, 0.981, 0.9751, 0.975),
    (0.957, 0.978, 0.946, 0.970),
)


def made(seed, num_pools=6, num_entries=9, levels=5):
    rng = np.random.default_rng(seed)
    return rng.integers(0, levels, (num_pools, num_entries)) + 1.2 * np.arange(num_entries)


@pytest.mark.parametrize("seed", range(5))
def test_mean_ranks_are_those_of_scipy_the_highest_value_first(seed):
    values = made(seed)
    found = nemenyi(values)
    assert found.mean_ranks.tolist() == stats.rankdata(-values, axis=1).mean(axis=0).tolist()
    assert (found.statistic, found.p_value) == pytest.approx(tuple(stats.friedmanchisquare(*values.T)))


@pytest.mark.parametrize("seed", range(5))
def test_cliques_hold_every_pair_that_does_not_differ_and_no_other(seed):
    found = nemenyi(made(seed))
    assert found.is_settled
    together = set()
    for clique in found.cliques:
        assert len(clique) > 1
        together |= {frozenset(pair) for pair in itertools.combinations(clique, 2)}
    alike = set()
    for a, b in itertools.combinations(range(9), 2):
        if abs(found.mean_ranks[a] - found.mean_ranks[b]) < found.critical_difference:
            alike.add(frozenset((a, b)))
    assert together == alike and 0 < len(alike) < 36
    for one, other in itertools.permutations(map(set, found.cliques), 2):
        assert not one <= other
    for entry in range(9):
        differing = 8 - sum(entry in pair for pair in alike)
        assert found.better_than(entry) + found.worse_than(entry) == differing


def test_the_example_of_demsar():
    found = nemenyi(DEMSAR)
    assert found.mean_ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.01)
    squares = float((found.mean_ranks**2).sum())
    assert 12 * 14 / (4 * 5) * (squares - 4 * 5**2 / 4) == pytest.approx(9.28, abs=0.01)
    # At 0.05 no two differ; at 0.10 the two m variants are better than plain C4.5, as the paper says.
    assert found.cliques == [[3, 1, 2, 0]]
    assert nemenyi(DEMSAR, alpha=0.10).cliques == [[3, 1, 2], [2, 0]]


@pytest.mark.parametrize(
    ("num_entries", "q"),
    [
        (2, 1.960),
        (3, 2.343),
        (4, 2.569),
        (5, 2.728),
        (6, 2.850),
        (7, 2.949),
        (8, 3.031),
        (9, 3.102),
        (10, 3.164),
    ],
)
def test_the_published_table_of_critical_values(num_entries, q):
    found = critical_difference(num_entries, num_pools=1) / math.sqrt(num_entries * (num_entries + 1) / 6)
    assert found == pytest.approx(q, abs=1e-3)  # it cuts digits off


def test_without_a_difference_by_friedman_all_are_one_clique():
    equal = nemenyi(np.ones((3, 4)))
    assert (equal.statistic, equal.p_value, equal.cliques) == (0, 1, [[0, 1, 2, 3]])
    turning = nemenyi([[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    assert not turning.is_settled and turning.cliques == [[0, 1, 2]]
    assert turning.better_than(0) == turning.worse_than(0) == 0


def test_what_is_refused():
    with pytest.raises(UsageError, match=r"shape \(1, 4\); they are \(pools, entries\), from 2 pools"):
        nemenyi(np.ones((1, 4)))
    with pytest.raises(UsageError, match="1 of 6 values are NaN; leave out the entries"):
        nemenyi([[1, 2, 3], [1, 2, math.nan]])
    with pytest.raises(UsageError, match="alpha 5; it is between 0 and 1"):
        nemenyi(DEMSAR, alpha=5)
    with pytest.raises(UsageError, match="num_entries 1; it is a whole number from 2"):
        critical_difference(1, 3)
