"""Hybrids: curves are the search, dots its members."""

import numpy as np
import pytest

from nbzero import plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.hybrid_search import best_hybrids
from tests.plots.looks import labels, line, title, within


@pytest.fixture(scope="module")
def found(pool):
    return best_hybrids(pool, ["zen", "snip", "synflow", "jacob_cov"], draws=3)


def test_hybrid_curves_are_the_search(pool, other, found):
    best, judged = found.table(), found.judge([pool, other])
    figure = plots.hybrid_curves(best, judged)
    within(figure)
    top, there, members, _ = figure.axes
    first = best.only(best["place"] == 1)
    chosen = line(top, "best, where it was chosen (in-sample)")
    np.testing.assert_array_equal(chosen.get_xydata(), np.column_stack([first["size"], first["mbr"]]))
    chance = next(one for one in top.lines if "chance" in one.get_label())
    np.testing.assert_array_equal(chance.get_ydata(), first["chance"])
    for one, shares in ((pool, "in-sample"), (other, "other space")):
        rows = judged.only(judged["space"] == one.space)
        curve = next(curve for curve in there.lines if curve.get_label().startswith(one.space))
        np.testing.assert_array_equal(curve.get_ydata(), rows["mbr"])
        assert curve.get_label().endswith(f"N = {len(one)} ({shares})")
    inside = [names.split(" + ") for names in first["members"]]
    for name, dots in zip(labels(members), members.collections, strict=True):
        colours = [tuple(colour) for colour in dots.get_facecolors()]
        # The last combination is of all members: its dot has the colour of one that is in it.
        assert [colour == colours[-1] for colour in colours] == [name in names for names in inside]
    assert f"N = {len(pool)}" in title(figure)


def test_a_search_that_was_not_judged_is_one_curve(found):
    alone = plots.hybrid_curves(found.table(1))
    within(alone)
    assert len(alone.axes) == 2


def test_searches_that_cannot_be_drawn_say_why(table, found):
    best = found.table()
    with pytest.raises(UnknownNameError, match=r"hybrid_curves draws a Frame of HybridSearch\.table"):
        plots.hybrid_curves(table)
    with pytest.raises(UnknownNameError, match=r"hybrid_curves draws a Frame of HybridSearch\.judge"):
        plots.hybrid_curves(best, table)
    with pytest.raises(UsageError, match="no combinations to draw: Best hybrids"):
        plots.hybrid_curves(best.only(best["place"] > 1))
