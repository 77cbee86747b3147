"""Archs as named decisions: there and back for every space, and what is no decision of one."""

import itertools

import numpy as np
import pytest

from nbzero import Arch, space
from nbzero.errors import UnknownNameError, UsageError
from nbzero.spaces import CHOICES, IMPORTED
from nbzero.spaces.choices import ImportedSpace
from nbzero.spaces.decisions import arch_of, decisions_of, values_of, vector_of
from tests.importers.made import some

NUMBERS = {"stem": 8, "kept_stage": 2, "s1_out": 4, "s2_out": 8, "s3_out": 12, "s4_out": 64}
NUMBERS |= {"s1_depth": 1, "s2_depth": 2, "s3_depth": 3, "s4_depth": 4}


def random_values(name, rng):
    return {one.name: one.options[rng.integers(len(one.options))] for one in decisions_of(name)}


@pytest.mark.parametrize("name", CHOICES)
def test_any_decisions_of_ours_make_an_arch_of_the_grid_and_come_back(name):
    rng = np.random.default_rng(0)
    num_stages = set()
    for _ in range(200):
        arch = Arch.parse(arch_of(name, random_values(name, rng)))
        num_stages.add(len(arch.stages))
        values = values_of(name, arch)
        assert arch_of(name, values) == str(arch)
        assert vector_of(name, values).tolist() == space(name).encode(arch).tolist()
    assert num_stages == {3, 4}


@pytest.mark.parametrize("name", sorted({"nb201", "nbmacro", "nats-sss", "transnas-micro", "darts"}))
def test_archs_of_published_spaces_come_back(name):
    encode = ImportedSpace(IMPORTED[name], ()).encode
    for arch in some(name):
        values = values_of(name, arch)
        assert arch_of(name, values) == arch
        assert vector_of(name, values).tolist() == encode(arch).tolist()


def test_every_arch_of_a_space_is_decided_once():
    every = itertools.product(*(one.options for one in decisions_of("transnas-micro")))
    names = [one.name for one in decisions_of("transnas-micro")]
    archs = {arch_of("transnas-micro", dict(zip(names, options, strict=True))) for options in every}
    assert len(archs) == 4_096


def test_widths_are_put_in_order_and_the_fourth_stage_does_not_count_where_there_is_none():
    assert arch_of("r1-mini", NUMBERS) == "r1-mini-s8-d1w4s2-d2w8s1-d3w12s2-d4w64s2"
    swapped = NUMBERS | {"s1_out": 64, "s4_out": 4}
    assert arch_of("r1-mini", swapped) == arch_of("r1-mini", NUMBERS)
    three = NUMBERS | {"kept_stage": 0, "s4_out": 4}
    assert arch_of("r1-mini", three) == "r1-mini-s8-d1w4s2-d2w8s2-d3w12s2"
    del three["s4_out"], three["s4_depth"]
    assert arch_of("r1-mini", three) == "r1-mini-s8-d1w4s2-d2w8s2-d3w12s2"
    assert set(values_of("r1-mini", "r1-mini-s8-d1w4s2-d2w8s2-d3w12s2")) == set(three)


def test_numpy_numbers_become_the_space_s_own():
    numbers = {name: np.int64(value) for name, value in NUMBERS.items()}
    assert arch_of("r1-mini", numbers) == arch_of("r1-mini", NUMBERS)


def test_modules_may_be_absent_at_the_end_alone():
    values = values_of("transnas-macro", "64-1234-basic")
    assert values["module_6"] == "no module"
    with pytest.raises(UsageError, match="make no arch of transnas-macro: what is absent is not the last"):
        arch_of("transnas-macro", values | {"module_6": "plain"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (NUMBERS | {"stem": 5}, "stem is 5; its options in r1-mini are 4, 8, 16"),
        (NUMBERS | {"s1_depth": True}, "s1_depth is True; its options in r1-mini are 1, 2, 3, 4"),
        (NUMBERS | {"s1_depth": [1]}, r"s1_depth is \[1\]"),
        ({"stem": 4, "kept_stage": 1}, "s1_out of r1-mini is not decided; its options are 4, 8"),
        ({}, "stem of r1-mini is not decided"),
    ],
)
def test_what_is_no_decision(values, message):
    with pytest.raises(UsageError, match=message):
        arch_of("r1-mini", values)


def test_names_that_do_not_exist():
    with pytest.raises(UnknownNameError, match="no decision of r1-mini named 's1_width'; did you mean"):
        arch_of("r1-mini", NUMBERS | {"s1_width": 4})
    for asked in (decisions_of, lambda name: arch_of(name, {}), lambda name: values_of(name, "x")):
        with pytest.raises(UnknownNameError, match="no space named 'nb2012'; did you mean 'nb201'"):
            asked("nb2012")


def test_an_arch_of_another_space():
    with pytest.raises(UsageError, match="is an arch of r1, not of r1-mini"):
        values_of("r1-mini", "r1-s16-d1w16s2-d1w16s2-d1w16s2")
    with pytest.raises(UsageError, match="an arch of nb201"):
        values_of("nb201", "02012100")
