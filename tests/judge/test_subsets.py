"""What every subset picks: brute force mask by mask, and both engines alike."""

import sys

import numpy as np
import pytest

from nbzero.judge import subsets


def brute_picks(columns, inside):
    """The winners of every subset, mask by mask."""
    sums = [
        columns[[p for p in range(len(columns)) if mask >> p & 1]].sum(0)
        for mask in range(1, 1 << len(columns))
    ]
    return [frozenset(np.flatnonzero(inside & (row == row[inside].max())).tolist()) for row in sums]


def as_sets(found, limit):
    n, tied = found.num_archs, found.tied[limit]
    return [
        frozenset([code]) if code < n else frozenset(tied[code - n].tolist())
        for code in found.codes[limit, 1:].tolist()
    ]


@pytest.mark.parametrize("table", [1, 64, subsets.TABLE])
@pytest.mark.parametrize("levels", [2, 5, 1000, 10**10])
def test_picks_are_those_of_brute_force(monkeypatch, table, levels):
    monkeypatch.setattr(subsets, "TABLE", table)
    for seed in range(6):
        rng = np.random.default_rng([levels, seed])
        columns = rng.integers(0, levels, (int(rng.integers(1, 10)), int(rng.integers(1, 80))))
        if seed % 3 == 0:
            columns[0] = 1
        everyone = np.ones(columns.shape[1], bool)
        half = rng.random(columns.shape[1]) < 0.5
        half[0] = True
        pools = [half, everyone, half, ~half if not half.all() else everyone]
        found = subsets.picks(columns, pools, "numpy")
        assert (found.codes[:, 0] == -1).all()
        for limit, inside in enumerate(pools):
            assert as_sets(found, limit) == brute_picks(columns, inside)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_loop_for_numba_gives_the_same(monkeypatch, compiled):
    if compiled:
        pytest.importorskip("numba", reason="the compiled search needs numba (the extra nbzero[fast])")
    else:
        monkeypatch.setattr(
            subsets, "compiled_loop", lambda: subsets.fill_by_loop
        )  # the same source, interpreted
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shape = (int(rng.integers(11, 14)) if compiled else int(rng.integers(1, 7)), int(rng.integers(1, 60)))
        columns = rng.integers(0, [3, 50, 10**10][seed % 3], shape)
        pools = [rng.permutation(np.arange(shape[1])) <= shape[1] // 2, np.ones(shape[1], bool)]
        by_loop, by_numpy = subsets.picks(columns, pools, "numba"), subsets.picks(columns, pools, "numpy")
        for limit in range(2):
            assert as_sets(by_loop, limit) == as_sets(by_numpy, limit)
            worth = rng.random(shape[1])
            np.testing.assert_array_equal(by_loop.worth(limit, worth), by_numpy.worth(limit, worth))


@pytest.mark.parametrize("engine", subsets.ENGINES[1:])
@pytest.mark.parametrize("levels", [2, 12, 1000, 2**31, 2**51])
def test_limits_that_contain_each_other_pick_as_each_alone(monkeypatch, engine, levels):
    monkeypatch.setattr(subsets, "compiled_loop", lambda: subsets.fill_by_loop)
    for seed in range(6):
        rng = np.random.default_rng([levels, seed])
        monkeypatch.setattr(subsets, "TABLE", int(rng.choice([8, 64, 1 << 19])))
        columns = rng.integers(0, levels, (int(rng.integers(1, 8)), int(rng.integers(2, 60))))
        columns[:, rng.integers(columns.shape[1], size=3)] = columns[
            :, :1
        ]  # ties of archs that enter at different limits
        limits = np.sort(rng.integers(0, columns.shape[1], 6))
        cost = rng.permutation(columns.shape[1])
        columns[rng.integers(len(columns)), cost <= limits[rng.integers(3)]] = (
            1  # one that varies from a later limit on
        )
        pools = [cost <= limit for limit in limits]
        together = subsets.picks(columns, pools, engine)
        worth = rng.random(columns.shape[1])
        for limit, inside in enumerate(pools):
            assert as_sets(together, limit) == brute_picks(columns, inside)
            np.testing.assert_array_equal(
                together.worth(limit, worth), subsets.picks(columns, [inside], engine).worth(0, worth)
            )


@pytest.mark.parametrize("engine", subsets.ENGINES[1:])
def test_an_arch_is_only_dropped_by_one_that_entered_no_later(monkeypatch, engine):
    monkeypatch.setattr(subsets, "compiled_loop", lambda: subsets.fill_by_loop)
    columns = np.array(
        [[1, 2, 3, 3, 0], [1, 2, 3, 3, 9]]
    )  # each beats the one before; then one equal to the best, and one that is best alone
    found = subsets.picks(columns, [np.arange(5) <= limit for limit in range(5)], engine)
    picked = [as_sets(found, limit) for limit in range(5)]
    assert picked == [[{0}] * 3, [{1}] * 3, [{2}] * 3, [{2, 3}] * 3, [{2, 3}, {4}, {4}]]


@pytest.mark.parametrize("engine", subsets.ENGINES[1:])
def test_ties_are_exact_where_float64_is_not(monkeypatch, engine):
    monkeypatch.setattr(subsets, "compiled_loop", lambda: subsets.fill_by_loop)
    columns = np.array([[2**53, 2**53, 2**53 - 1, 0], [2**53, 2**53, 2**53, 0], [0, 0, 0, 1]])
    picked = [{0, 1}, {0, 1, 2}, {0, 1}, {3}, {0, 1}, {0, 1, 2}, {0, 1}]
    assert as_sets(subsets.picks(columns, [np.ones(4, bool)], engine), 0) == picked


def test_without_numba_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    subsets.compiled_loop.cache_clear()
    with pytest.raises(ImportError, match=r"engine 'numba' needs numba, .*: pip install '.\[fast\]'"):
        subsets.picks(np.arange(6).reshape(2, 3), [np.ones(3, bool)], "numba")
