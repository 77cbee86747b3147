"""Curves of searches: what they show, against a history of three lines, and what cannot be drawn."""

import numpy as np
import pytest

from nbzero.errors import UsageError
from nbzero.plots import search_curves
from nbzero.search import History, run
from tests.plots.looks import legends_lie_clear, line, title, within

SETTINGS = {"space": "r1-mini", "num_archs": 3, "budget": {}, "objective": "$made_1$", "strategy": "one"}


def made(scores, seconds=(1.0, 1.0, 2.0), seed=0, **changed):
    settings = SETTINGS | {"seed": seed} | changed
    return History(settings, ["a", "b", "c"], list(scores), list(seconds))


@pytest.fixture(scope="module")
def searches(bench):
    accuracy = bench.objective("r1-mini", "accuracy", "cifar10")
    found = []
    for strategy in ("random", "evolution"):
        found += [run("r1-mini", accuracy, strategy, 100, seed=seed) for seed in range(3)]
    return found


@pytest.mark.parametrize("by", ["evaluations", "clock"])
def test_a_figure_of_two_strategies_with_seeds(searches, by):
    figure = search_curves(searches, by)
    within(figure)
    (words,) = legends_lie_clear(figure)
    assert words == ["random (3 seeds)", "evolution (3 seeds)"]
    axes = figure.axes[0]
    drawn = line(axes, words[0])
    assert (np.diff(drawn.get_ydata()) >= 0).all()
    last = [history.best_so_far()[-1] for history in searches[:3]]
    if by == "evaluations":
        assert drawn.get_ydata()[-1] == np.median(last) and drawn.get_xdata()[-1] == 100
    assert "val accuracy" in title(figure)


def test_lines_begin_where_all_have_a_score_and_are_medians():
    one, other = made([None, 1.0, 3.0]), made([0.0, 5.0, 2.0], seed=1)
    axes = search_curves([one, other]).axes[0]
    drawn = line(axes, "one (2 seeds)")
    x, y = drawn.get_xdata(), drawn.get_ydata()
    assert x[0] == 2 and x[-1] == 3
    assert y[0] == 3.0 and y[-1] == 4.0  # medians of (1, 5) and (3, 5)


def test_by_the_clock():
    axes = search_curves(made([1.0, 2.0, 3.0]), "clock").axes[0]
    drawn = line(axes, "one")
    assert drawn.get_xdata()[0] == 1.0 and drawn.get_xdata()[-1] == 4.0
    assert drawn.get_ydata()[0] == 1.0 and drawn.get_ydata()[-1] == 3.0


@pytest.mark.parametrize(
    ("histories", "by", "said"),
    [
        ([], "evaluations", "no histories to draw"),
        ([3], "evaluations", "draws histories, not int"),
        ([made([None] * 3)], "evaluations", "nothing to draw: no score in Search of r1-mini"),
        ([made([1, 2, 3]), made([1, 2, 3], objective="x")], "evaluations", "histories of objective"),
        ([made([1, 2, 3]), made([1, 2, 3], budget={"macs": 1})], "evaluations", "histories of budget"),
        ([made([1, 2, 3], strategy=str(n)) for n in range(7)], "evaluations", "7 strategies in one figure"),
        ([made([1, 2, 3], seconds=(1.0, None, 1.0))], "clock", "seconds of Search of .* are not known"),
        ([made([1, 2, 3])], "time", "by 'time'; it is one of evaluations, clock"),
    ],
)
def test_what_cannot_be_drawn(histories, by, said):
    with pytest.raises(UsageError, match=said):
        search_curves(histories, by)
