"""builders.reproductions.claims: NAS-Bench-Zero's claims, on archs whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from builders.reproductions.claims import (
    Judged,
    best_hybrids,
    carried_over,
    of_space,
    share_of_worse,
    transferred,
)

NUM = 60


def judged(name="cells", **more):
    """Accuracy rises with the number of an arch, macs fall with it."""
    rng = np.random.default_rng(7)
    number = np.arange(NUM, dtype=np.float64)
    scores = {
        "right": number,
        "wrong": -number,
        "noise": rng.normal(size=NUM),
        "equal": np.ones(NUM),
        "few": np.where(number < NUM // 2, number, np.nan),
        **more,
        "macs": NUM - number,
        "params": rng.normal(size=NUM),
    }
    return Judged(name, number / NUM, scores, ("macs", "params"), "std-32")


def rows_of(results):
    return {result.row: result for result in results}


def test_what_orders_nothing_or_few_archs_is_in_no_claim():
    assert judged().proxies == ["right", "wrong", "noise"]
    assert judged().ordering == ["right", "wrong", "noise", "macs", "params"]


def test_every_score_has_a_correlation_and_an_mbr_with_an_interval():
    rows = rows_of(of_space(judged()))
    assert rows["cells, right"].ours == pytest.approx(1)
    assert rows["cells, wrong"].ours == pytest.approx(-1)
    assert rows["cells, equal"].ours is None
    assert rows["cells, equal"].note == "all scores are equal"
    assert rows["cells, few"].n == NUM
    assert rows["cells, few"].note == f"{NUM // 2} without a score ranked last"
    assert rows["cells, mBR of right"].ours == 0
    assert "95 % interval +0.000 to +0.000" in rows["cells, mBR of right"].note
    assert rows["cells, mBR of wrong"].se > 0


def test_claim_2_counts_the_pairs_in_the_wrong_order():
    scores = judged()
    names = ["right", "wrong", "noise"]
    better = {"right": 0.0, "noise": 0.5, "wrong": 1.0}
    assert share_of_worse(scores, names, better) == (0, 3)
    assert share_of_worse(scores, names, {name: -value for name, value in better.items()}) == (1, 3)
    assert share_of_worse(scores, names, better | {"noise": 0.0}) == (0, 2)
    share, pairs = share_of_worse(scores, ["right"], better)
    assert np.isnan(share)
    assert pairs == 0


def test_claim_3_names_the_best_proxy_and_its_gain_over_costs():
    row = rows_of(of_space(judged()))["cells, claim 3"]
    params = judged().correlations(["params"])[0]
    assert row.ours == pytest.approx(1 - params)
    assert "best proxy, right," in row.note


def test_claim_1_is_1_for_the_same_space_and_minus_1_for_the_opposite_one():
    cells = judged()
    (row,) = carried_over(cells, replace(cells, name="same"))
    assert (row.row, row.ours) == ("cells to same, claim 1", pytest.approx(1))
    opposite = replace(cells, name="opposite", accuracy=-cells.accuracy)
    (row,) = carried_over(cells, opposite)
    assert row.ours == pytest.approx(-1)
    assert "of 5 proxies and costs" in row.note


def test_two_orders_of_three_are_not_compared():
    few = judged()
    scores = {name: few.scores[name] for name in ("right", "macs", "params")}
    assert carried_over(few, replace(few, scores=scores)) == []
    assert best_hybrids(replace(few, scores=scores)) == {}
    assert transferred(few, few, {}) == []


def test_hybrids_are_the_best_on_cells_and_judged_elsewhere():
    number = np.arange(NUM)
    halves = {"odd": number * (number % 2), "even": number * (1 - number % 2)}
    cells = judged(**halves)
    without = {name: values for name, values in cells.scores.items() if name != "right"}
    cells = replace(cells, scores=without)
    chosen = best_hybrids(cells)
    pairs = [(one, two) for one in cells.ordering for two in cells.ordering if one != two]
    assert cells.mbr(chosen["pair"]) == min(map(cells.mbr, pairs))
    assert cells.mbr(chosen["single"]) == min(cells.mbr([name]) for name in cells.ordering)
    assert set(chosen["pair"]) < set(chosen["four"])
    rows = rows_of(transferred(cells, replace(cells, name="same"), chosen))
    for called, size in (("pair", 2), ("four", 4)):
        gain = cells.mbr(chosen[called]) - cells.mbr(chosen["single"])
        assert rows[f"cells to same, hybrid of {size}"].ours == pytest.approx(gain)
    lacking = {name: values for name, values in cells.scores.items() if name not in chosen["pair"]}
    assert transferred(cells, replace(cells, scores=lacking), chosen) == []
