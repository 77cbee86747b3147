"""Budgets: which archs are within which limits, and what is said where none is."""

import re

import numpy as np
import pytest

from nbzero import judge
from nbzero.errors import NothingFoundError, UnknownNameError
from tests.judge.cases import SIX, pool_from, row_of


def test_several_constraints_at_once():
    frame = judge.constrained(SIX, budgets={"macs": 4, "params": 5})  # leaves archs 1, 2, 3
    row = row_of(frame, proxy="zen")
    assert (row["cost"], row["limit"], row["constraint"], row["pool_size"]) == (
        "macs and params",
        None,
        "macs <= 4 and params <= 5",
        3,
    )
    assert row["num_tied"] == 2 and row["true_rank"] == 1.5 and row["best_arch"] == "arch3"
    assert (
        row_of(judge.mbr_table(SIX, budgets={"macs": 4, "params": 5}), proxy="zen")["mbr_macs and params"]
        == 1.5 / 6
    )


def test_a_budget_below_every_arch_is_a_row_without_a_pick():
    for budgets, costs, empty in (
        ([0.5, 6], "macs", "1 of 2 {}macs <= 0.5; the cheapest arch, arch0, has macs 1."),
        (
            {"macs": 1, "params": 1},
            None,
            "1 of 1 {}macs <= 1 and params <= 1; the cheapest arch by macs, arch0, has macs 1 and params 6, "
            "the cheapest arch by params, arch5, has macs 6 and params 1.",
        ),
        ({"macs": 0.25}, None, "1 of 1 {}macs <= 0.25; the cheapest arch, arch0, has macs 1."),
    ):
        words = empty.format(
            f"{'budgets admit' if empty.startswith('1 of 2') else 'budget admits'} no arch, so nothing is "
            f"picked: "
        )
        frame = judge.constrained(SIX, costs, budgets)
        row = row_of(frame, proxy="zen", budget=1)
        assert row["pool_size"] == row["num_tied"] == 0
        assert all(
            row[name] is None for name in ("arch", "accuracy", "true_rank", "best_arch", "best_accuracy")
        )
        assert words in frame.notes and words in judge.mbr_table(SIX, costs, budgets).notes
        for call in (
            judge.mbr,
            lambda *given, **options: judge.mbr_lead(given[0], given[1], "macs", *given[2:]),
        ):
            with pytest.raises(
                NothingFoundError,
                match=f"^{re.escape(words[:-1])} .of made, .* N = 6.; raise the budget, or take a table",
            ):
                call(SIX, "zen", costs, budgets)
    assert row_of(judge.mbr_table(SIX, "macs", [0.5, 6]), proxy="zen")["mbr_macs"] == 3 / 6
    nothing = row_of(judge.mbr_table(SIX, "macs", [0.5]), proxy="zen")
    assert nothing["mbr_macs"] is None and nothing["mbr_union"] is None
    near = pool_from([(1, 3, 1158656, 6), (5, 2, 2000000, 5)])  # told to the last digit
    with pytest.raises(
        NothingFoundError, match="macs <= 1158655; the cheapest arch, arch0, has macs 1158656 "
    ):
        judge.mbr(near, "zen", "macs", [1158655.0])


def test_a_feature_as_cost_leaves_out_archs_that_lack_it():
    frame = judge.constrained(SIX, "width", 1)
    assert row_of(frame, proxy="zen")["pool_size"] == 4
    assert "2 of 6 archs have no width, and are within no limit on it." in frame.notes


def test_unknown_costs_and_proxies_name_near_matches():
    with pytest.raises(UnknownNameError, match="no cost of made named 'mac'; did you mean 'macs'"):
        judge.constrained(SIX, "mac")
    with pytest.raises(UnknownNameError, match="no proxy named 'zne'; did you mean 'zen'"):
        judge.mbr(SIX, "zne")


def test_limits_of_ones_own_are_of_one_cost():
    with pytest.raises(ValueError, match=r"limits \[2, 3\] on macs, params; limits are of one cost"):
        judge.mbr_table(SIX, budgets=[2, 3])
    assert judge.mbr_table(SIX, "macs", budgets=[2, 3])["mbr_macs"].tolist()


def test_joint_budgets_say_who_lacks_a_cost():
    frame = judge.mbr_table(SIX, budgets={"macs": 6, "width": 9})
    assert "2 of 6 archs have no width, and are within no limit on it." in frame.notes


def test_an_array_of_limits_is_a_list_of_limits():
    limits = np.array([2.0, 6.0])
    assert judge.mbr(SIX, "zen", "macs", limits) == judge.mbr(SIX, "zen", "macs", [2, 6])
    assert judge.mbr_table(SIX, "macs", limits).title.startswith("mBR, 2 given limits")
