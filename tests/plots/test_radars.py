"""Radars: their bars are the importances, and what is written on them lies apart."""

import numpy as np
import pytest

from nbzero import plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.factors import factors
from nbzero.judge.pool import as_sample
from tests.judge.samples import make_sample
from tests.plots.looks import apart, foot, heads, within


@pytest.mark.parametrize("importance", ["permutation", "gain", "gain_unique"])
def test_radars_are_the_importances(pool, frame, importance):
    figure = plots.factor_radars(frame, importance)
    if importance == "permutation":
        within(figure)
    panels = dict(zip(heads(figure), figure.axes, strict=True))
    assert list(panels) == ["accuracy", "macs", "noise", "linear_regions"]
    for name in ("macs", "accuracy"):
        rows = {row["factor"]: row[importance] for row in frame if row["target"] == name}
        spokes = [text.get_text() for text in panels[name].texts]
        bars = [bar.get_height() for bar in panels[name].patches]
        assert bars == [max(rows[factor] or 0.0, 0.0) for factor in spokes]
        assert set(spokes) >= {factor for factor, value in rows.items() if value}
    titles = {name: axes.get_title() for name, axes in panels.items()}
    first = next(row for row in frame if row["target"] == "macs")
    assert f"R² = {first['r2']:.2f}, N = {len(pool)}" in titles["macs"]
    assert "does not fit" in titles["noise"] and "does not fit" not in titles["macs"]
    constant = panels["linear_regions"]
    assert not constant.patches
    assert "no model: the same" in constant.texts[-1].get_text().replace("\n", " ")


def test_targets_that_are_named_are_drawn(frame):
    assert heads(plots.factor_radars(frame, targets=["noise"])) == ["noise"]


def test_what_is_written_on_a_radar_lies_apart(pool):
    frame = factors(as_sample(pool), ["macs", "accuracy"])
    figure = plots.factor_radars(frame, metric="ssim")
    within(figure)
    assert heads(figure) == ["ssim", "macs"]
    for axes, target in zip(figure.axes, ("accuracy", "macs"), strict=True):
        ticks = [*axes.get_yticklabels(), *axes.get_xticklabels()]
        assert not any(tick.get_text() for tick in ticks), "names and numbers are texts of their own"
        apart([*axes.texts, axes.title], figure.canvas.get_renderer())
        rows = [row for row in frame if row["target"] == target and row["same_as"] is None]
        outer = max(row["permutation"] + row["permutation_se"] for row in rows)
        assert axes.get_title().endswith(f"outer ring {outer:.2f}")
        assert axes.get_ylim() == (0, pytest.approx(outer))
        assert list(axes.get_yticks()) == [pytest.approx(outer / 2)]
    assert "inner ring half of it" in foot(figure) and "s4: the whole fourth stage" in foot(figure)


def test_a_sample_without_repeats_draws():
    rng = np.random.default_rng(0)
    features = {edge: rng.integers(0, 5, 60).astype(float) for edge in ("edge_01", "edge_02")}
    sample = make_sample("made", tuple(map(str, range(60))), features, {}, {"zen": features["edge_01"] + 0.0})
    axes = plots.factor_radars(factors(sample), "gain").axes[0]
    assert [text.get_text() for text in axes.texts] == ["edge_01", "edge_02"]
    assert axes.patches[0].get_height() > 0.9
    assert "fourth stage" not in foot(axes.figure), "of what is drawn only"


def test_factors_that_cannot_be_drawn_say_why(frame, table):
    with pytest.raises(UnknownNameError, match="factor_radars draws a Frame of factors"):
        plots.factor_radars(table)
    with pytest.raises(UnknownNameError, match="no importance named 'gains'"):
        plots.factor_radars(table, "gains")
    with pytest.raises(UnknownNameError, match="no target named 'noises'"):
        plots.factor_radars(frame, targets=["noises"])
    with pytest.raises(UsageError, match="no targets to draw of factors of 4 targets"):
        plots.factor_radars(frame, targets=[])
    with pytest.raises(UsageError, match="targets is 'noise'; it is a list of names"):
        plots.factor_radars(frame, targets="noise")
