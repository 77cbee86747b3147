"""Designs: quantities are exchanged whole, categories become columns, targets keep their order."""

import itertools

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings, strategies as st

from nbzero.judge.designs import (
    Encoding,
    exchanged,
    input_table,
    optional_stages,
    repeated_inputs,
    shuffled,
    target_of,
)
from nbzero.judge.factors import PARAMETERS, ROUNDS
from tests.judge.samples import first_of_r1


@pytest.fixture(scope="module")
def r1():
    return first_of_r1()


def test_permuting_one_of_two_equal_inputs_alone_would_hide_their_quantity(r1):
    """What grouping is for. Trees may use either for the quantity, and exchanging one alone loses less."""
    inputs, table = tuple(r1.features), input_table(r1)
    target = np.log2(r1.features["s1_out"])
    parameters = {**PARAMETERS, "colsample_bytree": 0.5}
    model = xgboost.train(parameters, xgboost.DMatrix(table, target, nthread=1), ROUNDS)
    both = exchanged(inputs, table, repeated_inputs(inputs, table), "s1_out", np.random.default_rng(0))
    changed = {
        inputs[f] for f in range(len(inputs)) if not np.array_equal(both[:, f], table[:, f], equal_nan=True)
    }
    assert changed == {"s1_out", "s2_in"}
    lost = {}
    for name in ("s1_out", "s2_in", "both"):
        one = both if name == "both" else table.copy()
        if name != "both":
            one[:, inputs.index(name)] = both[:, inputs.index(name)]
        lost[name] = float(((model.inplace_predict(one) - target) ** 2).mean())
    assert lost["both"] > 1.3 * max(lost["s1_out"], lost["s2_in"])


def test_an_exchanged_quantity_keeps_archs_whole(r1):
    inputs, table = tuple(r1.features), input_table(r1)
    repeated, rng = repeated_inputs(inputs, table), np.random.default_rng(1)
    quantities = [*(name for name in inputs if name not in repeated), *optional_stages(inputs, table)]
    assert repeated == {"s1_in": "stem", "s2_in": "s1_out", "s3_in": "s2_out", "s4_in": "s3_out"}
    assert quantities[-1] == "s4" and "s3" not in quantities
    for quantity in quantities:
        new = dict(zip(inputs, exchanged(inputs, table, repeated, quantity, rng).T, strict=True))
        assert (new["s1_in"] == new["stem"]).all()
        assert (new["s2_in"] == new["s1_out"]).all() and (new["s3_in"] == new["s2_out"]).all()
        missing = [np.isnan(new[f"s4_{part}"]) for part in ("in", "out", "depth", "stride")]
        assert all((one == missing[0]).all() for one in missing)
        assert (new["s4_in"] == new["s3_out"])[~missing[0]].all()
        assert (missing[0] == np.isnan(table[:, -1])).all() == (quantity != "s4")
        own = [quantity]
        if quantity == "s4":
            own = [name for name in inputs if name.startswith("s4_") and name != "s4_in"]
        for name in own:
            np.testing.assert_array_equal(np.sort(new[name]), np.sort(r1.features[name]))
        for name in set(inputs) - set(own) - set(repeated):
            np.testing.assert_array_equal(new[name], r1.features[name])


def test_a_stage_may_have_no_other_input_than_the_repeated_one():
    inputs, table = ("stem", "s1_in"), np.array([[1, 1], [2, np.nan], [3, 3], [4, 4]], np.float32)
    repeated = repeated_inputs(inputs, table)
    assert repeated == {"s1_in": "stem"}
    stem, s1_in = exchanged(inputs, table, repeated, "stem", np.random.default_rng(0)).T
    assert sorted(stem) == [1, 2, 3, 4] and (stem != table[:, 0]).any()
    np.testing.assert_array_equal(s1_in, np.where([False, True, False, False], np.nan, stem))


def test_the_order_is_of_seed_and_archs_alone(r1):
    order, number = shuffled(r1.archs, 0)
    assert sorted(order) == list(range(1500)) and (np.diff(number) > 0).all()
    turned, _ = shuffled(r1.archs[::-1], 0)
    np.testing.assert_array_equal(1499 - turned, order)
    assert (shuffled(r1.archs, 1)[0] != order).any()
    _, number = shuffled(["b", "a", "b"], 0)
    assert sorted(np.bincount(number)) == [1, 2]  # equal archs have one number


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(-3, 3).map(float), st.just(-np.inf), st.just(np.nan), st.just(1e64)),
        max_size=30,
    )
)
def test_rank_targets(values):
    values = np.array(values, float)
    there, target, num_absent, num_infinite = target_of(values, "rank")
    assert (num_absent, num_infinite) == (np.isnan(values).sum(), 0) and len(target) == there.sum()
    for (x, a), (y, b) in itertools.combinations(zip(values[there], target, strict=True), 2):
        assert (x > y) == (a > b) and (x < y) == (a < b)
    assert not len(target) or (target.mean() == pytest.approx(0.5) and 0 < target.min() <= target.max() < 1)


def test_one_hot_columns_by_hand():
    table = np.array([[3, 7, np.nan], [0, 8, 2], [3, 9, 1]], np.float32)
    encoding = Encoding(("edge", "width", "module"), ("edge", "module"), table)
    nan = np.nan
    columns = [[0, 1, 7, nan, nan], [1, 0, 8, 0, 1], [0, 1, 9, 1, 0]]
    np.testing.assert_array_equal(encoding.encoded(table), columns)
    np.testing.assert_array_equal(encoding.input_of_column, [0, 0, 1, 2, 2])
    assert encoding.num_one_hot == 4
    np.testing.assert_array_equal(encoding.encoded(table[:1]), columns[:1])  # of some archs: the same columns
    gains = encoding.summed(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 2, 4]))
    assert gains.tolist() == pytest.approx([0.3, 0.3, 0.4])
    plain = Encoding(("edge", "width", "module"), (), table)
    np.testing.assert_array_equal(plain.encoded(table), table)
    empty = Encoding(("edge",), ("edge",), np.full((2, 1), np.nan, np.float32))
    assert np.isnan(empty.encoded(np.full((2, 1), np.nan, np.float32))).all()
