"""nbzero.spaces.mobilenetv2: Table 11's figures, costs layer by layer, drawing, mutation, what is no arch."""

import re
from collections import Counter

import numpy as np
import pytest

from nbzero.errors import NothingFoundError, UsageError
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.mobilenetv2 import (
    ALLOWED,
    MOBILENETV2,
    RE_SJW,
    STRIDES_AT,
    changes,
    design_of,
    layer_costs,
    layers_of,
    mutate,
    published_costs,
    random_arch,
    smallest,
)

TABLE_11 = [
    (2, 7, 2, 2, 32, 40),
    (2, 7, 2, 3, 32, 48),
    (6, 7, 1, 3, 64, 40),
    (6, 7, 2, 4, 88, 40),
    (6, 7, 1, 6, 104, 56),
    (6, 5, 2, 6, 152, 192),
    (6, 5, 1, 2, 240, 136),
]  # expansion, kernel, stride, layers, channels, bottleneck
SIDES = [112, 56, 28, 28, 14, 14, 7]  # the resolutions that the table has for the stages' inputs


def test_table_11():
    design = design_of(MOBILENETV2.parse(RE_SJW))
    assert (design.resolution, design.stem, design.head) == (224, 48, 1264)
    assert [tuple(stage) for stage in design.stages] == TABLE_11
    published = published_costs(RE_SJW)
    assert round(published["params"] / 1e6, 1) == 10.8 and round(published["flops"] / 1e6) == 592
    ours = layer_costs(MOBILENETV2.parse(RE_SJW))
    assert round(ours["params"] / 1e6, 1) == 10.8 and ours["depth"] == 26
    side = 112
    for stage, expected in zip(design.stages, SIDES, strict=True):
        assert side == expected
        side //= stage.stride


def test_without_squeeze_and_excitation_the_figures_are_not_those_of_the_paper():
    excite = 0
    for layer in layers_of(design_of(MOBILENETV2.parse(RE_SJW))):
        excite += 2 * layer.hidden * layer.squeezed + 2 * (layer.squeezed + layer.hidden)
    assert round((published_costs(RE_SJW)["params"] - excite) / 1e6, 1) == 5.5


@pytest.mark.parametrize("seed", range(20))
def test_costs_layer_by_layer(seed):
    arch = random_arch(seed)
    values = MOBILENETV2.parse(arch)
    assert MOBILENETV2.text(values) == arch
    resolution, stem, *rest, head = [allowed[value] for allowed, value in zip(ALLOWED, values, strict=True)]
    macs = params = 0

    def conv(width, out, kernel, side, groups=1, bias=0):
        nonlocal macs, params
        macs += width // groups * out * kernel**2 * side**2
        params += width // groups * out * kernel**2 + (2 + bias) * out

    side = resolution // 2
    conv(3, stem, 3, side)
    width = stem
    for start in range(0, 42, 6):
        expansion, kernel, stride, layers, channels, bottleneck = rest[start : start + 6]
        hidden = expansion * bottleneck
        for number in range(layers):
            conv(width, hidden, 1, side)
            if number == 0:
                side //= stride
                conv(width, channels, 1, side, bias=1)
            conv(hidden, hidden, kernel, side, hidden)
            conv(hidden, hidden // 4, 1, 1)
            conv(hidden // 4, hidden, 1, 1)
            conv(hidden, channels, 1, side)
            width = channels
    assert side == resolution // 32
    conv(width, head, 1, side)
    macs, params = macs + head * 1000, params + head * 1000 + 1000
    costs = MOBILENETV2.costs(values)
    assert (costs["macs"], costs["params"], costs["depth"]) == (macs, params, sum(rest[3::6]))


def test_draws_repeat_and_use_all_of_every_choice():
    archs = [random_arch(seed) for seed in range(400)]
    assert archs[:20] == [random_arch(seed) for seed in range(20)] and len(set(archs)) == 400
    assert archs[0] == (
        "mbv2-r288-c16-e4k5s1l1c32b40-e4k7s2l2c48b24-e6k5s1l2c40b32-e4k5s2l4c88b32-e6k5s1l2c184b96-"
        "e1k7s2l6c160b160-e2k5s2l1c208b136-c840"
    )  # released draws never change
    drawn = np.array([MOBILENETV2.parse(arch) for arch in archs])
    for column, allowed in zip(drawn.T, ALLOWED, strict=True):
        seen = len(set(column.tolist()))
        assert seen > 0.7 * len(allowed) and column.max() < len(allowed)
    strides = drawn[:, 4:-1:6]
    assert (strides.sum(axis=1) == 4).all() and (abs(strides.mean(axis=0) - 4 / 7) < 0.1).all()


def test_a_limit_of_macs():
    for seed in range(20):
        assert layer_costs(MOBILENETV2.parse(random_arch(seed, 300e6)))["macs"] <= 300e6
    with pytest.raises(NothingFoundError, match="none of 10,000 archs of mobilenetv2 has at most 1000 macs"):
        random_arch(0, 1000)


@pytest.mark.parametrize("limit", [True, "600M", float("nan"), None])
def test_a_limit_that_is_no_number(limit):
    with pytest.raises(UsageError, match=r"max_macs is .*; it is a number of multiply-adds"):
        random_arch(0, limit)


def test_a_seed_is_a_whole_number_from_0():
    for seed in (-1, 0.5):
        with pytest.raises(UsageError, match=r"seed (-1|0.5); it is a whole number from 0"):
            random_arch(seed)


def test_a_mutation_changes_one_choice_or_two_strides():
    rng = np.random.default_rng(0)
    before = np.array(MOBILENETV2.parse(RE_SJW))
    changed = Counter()
    for _ in range(2000):
        after = np.array(MOBILENETV2.parse(mutate(RE_SJW, rng)))
        places = np.flatnonzero(before != after).tolist()
        if len(places) == 2:
            assert all(place % 6 == 4 for place in places)
        else:
            assert (len(places) == 1 and places[0] % 6 != 4) or places[0] in (0, 1, 44)
        changed.update(places)
    assert set(changed) == set(range(45))
    arch = RE_SJW
    for _ in range(200):
        arch = mutate(arch, rng)
    assert arch != RE_SJW


def test_no_arch_is_smaller_than_the_smallest():
    """More of a choice, or a stride of 2 in a later stage, is never less of a cost; so all lead to it."""
    assert layer_costs(smallest()) == {"macs": 13_666_624, "params": 257_688, "depth": 12}
    for start in [smallest(), *(MOBILENETV2.parse(random_arch(seed)) for seed in range(4))]:
        costs = layer_costs(start)
        for other in changes(start):
            place = next(place for place in range(len(ALLOWED)) if other[place] != start[place])
            is_more = other[place] > start[place]
            if place in STRIDES_AT:
                is_more = not is_more
            more, less = (layer_costs(other), costs) if is_more else (costs, layer_costs(other))
            assert all(more[name] >= less[name] for name in costs)
            assert is_more or start != smallest()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("r224", "r225", "is like 'mbv2-r224-c48"),
        ("-c1264", "-c1265", "is like 'mbv2-r224-c48"),
        ("e2k7s2l2c32b40", "e3k7s2l2c32b40", "is like 'mbv2-r224-c48"),
        ("e2k7s2l2c32b40-", "", "is like 'mbv2-r224-c48"),
        ("s2l2c32b40", "s1l2c32b40", "has 4 stages of stride 2, not 3"),
        ("s1l6c104", "s2l6c104", "has 4 stages of stride 2, not 5"),
    ],
)
def test_strings_of_no_arch(old, new, said):
    arch = RE_SJW.replace(old, new)
    assert arch != RE_SJW
    title = "an arch of mobilenetv2 (WRCor's MobileNetV2 space)"
    for function in (published_costs, lambda given: mutate(given, np.random.default_rng(0))):
        with pytest.raises(UsageError, match=re.escape(f"{arch!r}: {title} {said}")):
            function(arch)


def test_a_space_of_drawn_archs():
    archs = [random_arch(seed, 600e6) for seed in range(5)]
    space = ImportedSpace(MOBILENETV2, archs)
    assert space.encode(archs[3]).shape == (45,) and space.decode(space.encode(archs[3])) == archs[3]
    assert space.arch_id(archs[4]) == 4 and len(space.neighbours(archs[0], 3)) == 3
