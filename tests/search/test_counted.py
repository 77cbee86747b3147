"""What a budget leaves of a grid: every arch of it once, and the looks at many draws are those at one."""

import itertools
import math
from functools import cache

import numpy as np
import pytest

from nbzero.search.codes import PublishedCodes, codes_of
from nbzero.search.counted import Counted, are_cells, counted_cells, counted_macro, macro_costs
from nbzero.spaces.flexibert import FLEXIBERT
from nbzero.spaces.macro import CHOICES, grid_size
from nbzero.spaces.nb101 import MAX_VERTICES, NB101, PAIRS


@cache
def cells() -> Counted:
    return counted_cells({"params": math.inf})


def places_of(codes, numbers_ND):
    """The place of each arch among all combinations."""
    return np.ravel_multi_index(numbers_ND.T.astype(np.int64), codes.sizes)


@pytest.mark.parametrize("space", CHOICES)
def test_costs_of_many_draws_are_those_of_each(space):
    codes, rng = codes_of(space), np.random.default_rng(0)
    numbers_ND = rng.integers(codes.sizes, size=(400, len(codes.sizes)))
    costs, are_archs_N = macro_costs(space, numbers_ND)
    for place, numbers in enumerate(numbers_ND.tolist()):
        arch = codes.arch(numbers)
        assert (arch is not None) == are_archs_N[place]
        if arch is not None:
            assert codes.costs(arch) == {name: amounts[place] for name, amounts in costs.items()}


def test_a_grid_is_counted_whole():
    counted = counted_macro("mb-mini", {"params": math.inf})
    codes = codes_of("mb-mini")
    archs = {codes.arch(numbers) for numbers in counted.numbers_ND[::40].tolist()}
    assert None not in archs and len(archs) == len(counted.numbers_ND[::40])
    num_different = len(set(places_of(codes, counted.numbers_ND).tolist()))
    assert num_different == len(counted.numbers_ND) == counted.num_archs == grid_size("mb-mini")
    costs, _ = macro_costs("mb-mini", counted.numbers_ND)
    assert counted.least == {name: amounts.min() for name, amounts in costs.items()}
    within = counted_macro("mb-mini", {"params": 20_000, "depth": 6})
    fits_N = (costs["params"] <= 20_000) & (costs["depth"] <= 6)
    assert np.array_equal(within.numbers_ND, counted.numbers_ND[fits_N])


def test_cells_of_two_inner_vertices_are_counted_as_by_hand():
    codes = codes_of("nb101")
    expected = set()
    places = [place for place, pair in enumerate(PAIRS) if not {3, 4, 5}.intersection(pair)]
    for *operations, edges in itertools.product(range(4), range(4), itertools.product((0, 1), repeat=6)):
        numbers = [*operations, *[0] * (MAX_VERTICES - 4 + len(PAIRS))]
        for place, edge in zip(places, edges, strict=True):
            numbers[MAX_VERTICES - 2 + place] = edge
        expected.add(codes.arch(numbers))
    small_ND = cells().numbers_ND[~cells().numbers_ND[:, 2:5].any(axis=1)]
    assert {codes.arch(numbers) for numbers in small_ND.tolist()} == expected - {None}
    assert len(small_ND) == len(expected) - 1 == 97


def test_cells_are_counted_each_once_and_by_their_costs():
    codes = codes_of("nb101")
    places = places_of(codes, cells().numbers_ND)
    assert len(set(places.tolist())) == len(places) == cells().num_archs == 1_293_208
    within = set(places_of(codes, counted_cells({"params": 5e6, "macs": 7e8}).numbers_ND).tolist())
    seen = set()
    for numbers, place in zip(cells().numbers_ND[::2000].tolist(), places[::2000].tolist(), strict=True):
        costs = codes.costs(codes.arch(numbers))
        fits = costs["params"] <= 5e6 and costs["macs"] <= 7e8
        assert (place in within) == fits
        assert all(cells().least[name] <= amount for name, amount in costs.items())
        seen.add(fits)
    assert seen == {True, False}


@pytest.mark.parametrize(("definition", "look"), [(NB101, are_cells), (FLEXIBERT, None)])
def test_a_look_at_many_draws_sees_what_makes_an_arch(definition, look):
    """Of even draws, and of archs with some decisions changed."""
    codes, plain = codes_of(definition.name), PublishedCodes(definition)
    rng = np.random.default_rng(0)
    drawn_ND = rng.integers(codes.sizes, size=(2000, len(codes.sizes)))
    if look is not None:
        drawn_ND[:1000] = cells().numbers_ND[rng.integers(len(cells().numbers_ND), size=1000)]
        drawn_ND[:1000] = [codes.changed(numbers, rng) for numbers in drawn_ND[:1000].tolist()]
    are_archs = [plain.arch(numbers) is not None for numbers in drawn_ND.tolist()]
    assert codes.may_make(drawn_ND, {}).tolist() == are_archs and 40 < sum(are_archs) < 1960
