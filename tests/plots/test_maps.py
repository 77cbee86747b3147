"""The map of factors: a cell is an importance, the order is by likeness, what does not fit is set apart."""

import numpy as np
import pytest

from nbzero import plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.frame import Frame
from tests.plots.looks import foot, labels, title, within


def cells(axes):
    """(line, factor) -> what is written there."""
    factors = [label.get_text() for label in axes.get_xticklabels()]
    found = {}
    for text in axes.texts:
        x, y = text.get_position()
        if x == int(x):
            found[labels(axes)[int(y)], factors[int(x)]] = text.get_text()
    return found


@pytest.mark.parametrize("importance", ["permutation", "gain", "gain_unique"])
def test_cells_are_the_importances(frame, importance):
    figure = plots.factor_map(frame, importance)
    axes = figure.axes[0]
    within(figure)
    wanted = {}
    for row in frame:
        value = row[importance]
        is_drawn = importance == "gain" or row["same_as"] is None
        if row["reason"] is None and is_drawn and value is not None and value >= 0.05:
            wanted[row["target"], row["factor"]] = f"{value:.2f}"
    assert cells(axes) == wanted
    values = axes.images[0].get_array().filled(-1)
    at = labels(axes).index("macs")
    assert values[at].max() == max(row[importance] or 0 for row in frame if row["target"] == "macs")


def test_the_accuracy_is_on_top_and_what_does_not_fit_at_the_foot(frame):
    axes = plots.factor_map(frame).axes[0]
    assert labels(axes) == ["accuracy", "macs", "noise", "linear_regions"]
    fits = [not row.all() for row in np.ma.getmaskarray(axes.images[0].get_array())]
    assert fits == [True, True, False, False]
    said = [text.get_text() for text in axes.texts if text.get_position()[0] != int(text.get_position()[0])]
    assert said[0].startswith("R² 0.") and said[3] == "no model"


def test_more_like_the_accuracy_stands_higher(frame):
    """A target with the importances of the accuracy is next to it, whatever its place in the frame."""
    rows = list(frame)
    twin = [{**row, "target": "twin"} for row in rows if row["target"] == "accuracy"]
    both = Frame({name: [row[name] for row in [*rows, *twin]] for name in frame.columns})
    assert labels(plots.factor_map(both).axes[0])[:3] == ["accuracy", "twin", "macs"]


def test_notes_say_how_it_is_read(frame):
    figure = plots.factor_map(frame)
    assert "Grey: do not read" in foot(figure) and "s4: the whole fourth stage" in foot(figure)
    assert title(figure).startswith("Importance by permutation (R² lost ")
    only = plots.factor_map(frame, targets=["macs"])
    assert labels(only.axes[0]) == ["macs"] and "(cosine)" not in foot(only)


def test_a_map_that_cannot_be_drawn_says_why(frame, table):
    with pytest.raises(UnknownNameError, match="factor_map draws a Frame of factors"):
        plots.factor_map(table)
    with pytest.raises(UnknownNameError, match="no importance named 'gains'"):
        plots.factor_map(frame, "gains")
    with pytest.raises(UsageError, match="no targets to draw"):
        plots.factor_map(frame, targets=[])
