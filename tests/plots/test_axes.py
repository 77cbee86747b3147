"""What holds for all figures: nothing runs off the edge or lies over something else, whatever is drawn."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nbzero import plots
from nbzero.judge.correlations import correlations
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.judge.picks import constrained, mbr_table
from nbzero.judge.rows import RANDOM
from tests.plots.looks import apart, labels, legends_lie_clear, within


def test_every_figure_takes_odd_scores(odd):
    picks = constrained(odd, None, 4, "quantile")
    bars = plots.mbr_bars(mbr_table(odd))
    curves = plots.limits(picks, "params")
    archs = plots.best_archs(picks, "macs", 1)
    combined = plots.before_after(picks, {"wide": ["none", "half"]})
    for figure in (bars, curves, archs, combined):
        within(figure)
    names = [label.replace(r"\$", "$") for label in labels(bars.axes[0])]
    assert f"none ({len(odd)} without score)" in names and "$x_1$" in names


def test_forty_long_names_do_not_overlap(pool):
    rng = np.random.default_rng(0)
    scores = {f"a_proxy_with_a_long_name_{number}": rng.normal(size=len(pool)) for number in range(44)}
    many = replace(pool, scores=scores)
    bars, curves = plots.mbr_bars(mbr_table(many)), plots.limits(constrained(many), "macs")
    for figure, axes in ((bars, bars.axes[0]), (curves, next(axes for axes in curves.axes if axes.images))):
        within(figure)
        assert len(labels(axes)) >= 47
        apart(axes.get_yticklabels(), figure.canvas.get_renderer())
        apart(axes.get_xticklabels(), figure.canvas.get_renderer())
    scatter = plots.proxy_scatter(many, proxies=list(scores)[:13])
    within(scatter)
    apart([axes.title for axes in scatter.axes], scatter.canvas.get_renderer())


def test_legends_of_two_pools_lie_beside_what_is_drawn(pool, other):
    assert legends_lie_clear(plots.distributions([pool, other])) == [[pool.name, other.name]]
    without_seeds = [replace(one, accuracies=None) for one in (pool, other)]
    tables = [mbr_table(one) for one in without_seeds]
    random = [next(row["mbr_union"] for row in table if row["proxy"] == RANDOM) for table in tables]
    words = [["proxy", "cost, larger is better", f"random pick: {value:.3f}"] for value in random]
    assert legends_lie_clear(plots.mbr_bars(tables)) == words


def test_ranks_begin_at_zero_and_a_point_there_is_whole(pool, other, picks):
    found = best_hybrids(pool, ["zen", "snip", "macs"], draws=2)
    for axes in (
        *plots.hybrid_curves(found.table(), found.judge(other)).axes[:2],
        plots.limits(picks, "macs").axes[2],
        plots.before_after(picks, {"zen": ["snip", "macs"]}).axes[1],
    ):
        low, high = axes.get_ylim()
        assert low == 0 < high
        lines = [one for one in axes.lines if one.get_marker() not in ("None", "", ".", "_")]
        assert lines and not any(one.get_clip_on() for one in lines)
        assert all((np.asarray(one.get_ydata()) <= high).all() for one in axes.lines)


def test_without_matplotlib(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install '.\[plots\]'"):
        plots.mbr_bars(table)


def test_the_users_settings_stay(table):
    import matplotlib

    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(plots.mbr_bars(table)).draw()
    assert dict(matplotlib.rcParams) == before


def test_one_arch_in_scatter(one):
    one = replace(one, scores=dict(list(one.scores.items())[:6]))
    spread, scatter = plots.distributions(one), plots.proxy_scatter(one, correlations(one))
    for figure in (spread, scatter):
        within(figure)
    points = [points.get_offsets().tolist() for axes in spread.axes for points in axes.collections]
    assert points == [[[cost[0], one.accuracy[0]]] for cost in one.costs.values()]
    titles = [axes.get_title() for axes in scatter.axes]
    assert titles == [f"{name}\nτ undefined" for name in one.scores_and_costs]


def test_one_arch_is_always_the_pick(one):
    bars, curves = plots.mbr_bars(mbr_table(one)), plots.limits(constrained(one))
    for figure in (bars, curves):
        within(figure)
    widths = [bar.get_width() for bar in bars.axes[0].patches]
    assert widths == [0] * len(one.scores_and_costs), "whatever is picked is the best"
    (cells,) = (axes for axes in curves.axes if axes.images)
    assert {text.get_text() for text in cells.texts} == {"0"} and len(cells.texts) == 5 * len(labels(cells))
    assert {label.get_text().split("\n")[1] for label in cells.get_xticklabels()} == {"N = 1"}
