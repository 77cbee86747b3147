"""Shards share the units of a job without rest or overlap, and what names them is checked."""

import pytest
from hypothesis import given, strategies as st

from builders.work.units import parse_range, parse_shard, planned_units, units_of_shard


@given(st.integers(0, 200), st.integers(1, 30))
def test_shards_share_the_units_without_rest_or_overlap(num_units, num_shards):
    shards = [units_of_shard(num_units, shard, num_shards) for shard in range(num_shards)]
    assert sorted(unit for shard in shards for unit in shard) == list(range(num_units))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_units_are_the_first_of_the_build_order_with_all_their_seeds():
    members = [f"arch{number}" for number in range(5)]
    units = [(1, "arch1", 0), (1, "arch1", 1), (2, "arch2", 0), (2, "arch2", 1)]
    assert planned_units(members, parse_range("1:3"), (0, 1), 0, 1) == units
    assert planned_units(members, parse_range("1:3"), (0, 1), 1, 3) == units[1::3]
    renamed = planned_units(members, parse_range("1:3"), (0, 1), 0, 1, ids=[7, 30, 200, *range(300, 400)])
    assert renamed == [({1: 30, 2: 200}[arch_id], arch, seed) for arch_id, arch, seed in units]
    with pytest.raises(ValueError, match="archs up to 6; the space has 5"):
        planned_units(members, parse_range("6"), (0,), 0, 1)


@pytest.mark.parametrize("text", ["3", "3/3", "4/3", "-1/3", "a/b", "1/0", "", "1/" + "9" * 5000])
def test_a_malformed_shard_is_refused(text):
    with pytest.raises(ValueError, match=r"it is like 3/40"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["0", "5:5", "7:3", "-4", "x", "1:2:3", "9" * 5000])
def test_a_malformed_range_is_refused(text):
    with pytest.raises(ValueError, match="FIRST:LAST"):
        parse_range(text)
