"""Scatter: every arch has its point, and what has no place on an axis is said."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nbzero import plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.correlations import correlations, with_tau_intervals
from tests.plots.looks import drawn, foot, heads, title, within


def test_distributions_hold_every_arch(pool, other):
    figure = plots.distributions([pool, other])
    within(figure)
    for axes in figure.axes:
        name = axes.get_xlabel().split(" ")[0]
        if name in pool.costs:
            for points, one in zip(axes.collections, (pool, other), strict=True):
                wanted = np.column_stack([one.costs[name], one.accuracy])
                np.testing.assert_array_equal(points.get_offsets(), wanted)
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes[:3]]
    assert counts == [len(pool) + len(other)] * 3
    assert sum(bar.get_width() for bar in figure.axes[-1].patches) == len(pool) + len(other)
    scales = {axes.get_xlabel().split(" ")[0]: axes.get_xscale() for axes in figure.axes[4:7]}
    assert scales["macs"] == "log" and scales["depth"] == "linear"
    assert plots.distributions(pool, ["depth"]).axes[2].get_xlabel() == "depth (blocks)"
    assert "ssim" in title(plots.distributions(replace(pool, metric="ssim")))


def test_whole_costs_have_whole_ticks(pool):
    two = replace(pool, costs={"depth": np.where(np.arange(len(pool)) % 2, 2.0, 4.0)})
    axes = plots.distributions(two).axes[2]
    assert [float(tick) for tick in axes.get_xticks() if 1 < tick < 5] == [2.0, 3.0, 4.0]
    few = plots.distributions(pool.only(np.arange(3)))
    numbers_of_archs = [*few.axes[0].get_yticks(), *few.axes[-1].get_xticks()]
    assert all(float(tick).is_integer() for tick in numbers_of_archs)


def test_an_axis_of_scores_that_span_tens_of_orders_spreads_them(pool):
    spread = 10.0 ** np.linspace(8, 66, len(pool))
    spread[:3] = 0.0
    (axes,) = plots.proxy_scatter(replace(pool, scores={"synflow": spread}), proxies=["synflow"]).axes
    places = np.sort(axes.transData.transform(axes.collections[0].get_offsets())[:, 0])
    assert axes.get_xscale() == "symlog"
    assert np.ptp(places[len(places) // 2 :]) > 0.3 * axes.bbox.width


@pytest.fixture(scope="module", params=["pool", "odd"])
def scattered(request):
    """A pool, its table of correlations, and the panels of its figure by proxy."""
    one = request.getfixturevalue(request.param)
    table = correlations(one)
    figure = plots.proxy_scatter(one, table)
    within(figure)
    assert f"N = {len(one)}" in title(figure)
    names = [head.replace(r"\$", "$") for head in heads(figure)]
    return one, table, dict(zip(names, figure.axes, strict=True))


def test_scatter_has_every_arch_and_tells_which_have_no_place(scattered):
    pool, _, panels = scattered
    assert sorted(panels) == sorted({*pool.scores, *pool.costs})
    for name, axes in panels.items():
        scores = pool.score(name)
        finite, *endless = axes.collections
        assert len(finite.get_offsets()) == np.isfinite(scores).sum()
        assert sum(len(points.get_offsets()) for points in endless) == np.isinf(scores).sum()
        said = "; ".join(axes.get_title().split("\n")[2:]).split("; ")
        absent = int(np.isnan(scores).sum())
        assert ("no arch has a score" in said) == (absent == len(scores))
        counts = {"-inf": (scores == -math.inf).sum(), "+inf": (scores == math.inf).sum()}
        counts["without score"] = absent if absent < len(scores) else 0
        for word, number in counts.items():
            wanted = [f"{number} {word}"] if number else []
            assert [part for part in said if part.endswith(word)] == wanted
        size = np.abs(scores).max()
        if np.isfinite(scores).all() and 1e-200 < size < 1e200:
            np.testing.assert_array_equal(finite.get_offsets(), np.column_stack([scores, pool.accuracy]))


def test_panels_say_tau_and_stand_in_its_order(scattered):
    _, table, panels = scattered
    tau = {row["proxy"]: row["kendall"] for row in table}
    for name, axes in panels.items():
        wanted = "τ undefined" if tau[name] is None else f"τ = {tau[name]:.2f}"
        assert axes.get_title().split("\n")[1] == wanted
    order = [tau[name] for name in panels]
    there = [value for value in order if value is not None]
    assert order == [*sorted(there, reverse=True), *[None] * (len(order) - len(there))]


def test_odd_scores_are_told_and_none_looks_like_a_title(odd):
    figure = plots.proxy_scatter(odd, correlations(odd))
    panels = dict(zip(heads(figure), figure.axes, strict=True))
    rounding = [name for name in panels if "equal but for rounding" in panels[name].get_title()]
    assert rounding == ["nearly_constant"]
    factors = [text for text in drawn(figure) if text.get_text().strip().startswith(("1e", "+"))]
    assert not factors, "no factor of an axis looks like a title"
    assert panels["wide"].get_xscale() == "log" and panels["wide_signed"].get_xscale() == "symlog"


def test_proxies_that_are_named_are_drawn_and_others_that_no_arch_has_are_told(pool):
    assert heads(plots.proxy_scatter(pool, proxies=["snip", "macs"])) == ["snip", "macs"]
    lacking = plots.proxy_scatter(replace(pool, unscored={"ntk": "singular"}))
    why = "Not drawn, because no arch has a score of it: ntk (the first arch: singular)."
    assert why in foot(lacking)


def test_tau_in_the_panels_has_its_interval(pool):
    whole, ours = correlations(pool, resamples=200), with_tau_intervals(pool, correlations(pool), 200)
    for name in ("kendall", "kendall_low", "kendall_high"):
        np.testing.assert_array_equal(ours[name], whole[name])
    assert ours["proxy"].tolist() == whole["proxy"].tolist()
    shown = dict(axes.get_title().split("\n")[:2] for axes in plots.proxy_scatter(pool, ours).axes)
    for row in ours:
        if row["proxy"] in shown and row["kendall"] is not None:
            ends = f"[{row['kendall_low']:.2f}, {row['kendall_high']:.2f}]"
            assert shown[row["proxy"]] == f"τ = {row['kendall']:.2f} {ends}"
    assert shown["linear_regions"] == "τ undefined"


def test_pools_that_cannot_be_drawn_say_why(pool, bare, table):
    with pytest.raises(UsageError, match="no pools to draw"):
        plots.distributions([])
    with pytest.raises(UnknownNameError, match="no cost of r1-mini named 'mac'"):
        plots.distributions(pool, ["mac"])
    with pytest.raises(UsageError, match="costs is 'macs'; it is a list of names"):
        plots.distributions(pool, "macs")
    with pytest.raises(UsageError, match="no cost to draw accuracy against: transnas-micro"):
        plots.distributions(bare)
    with pytest.raises(UsageError, match=r"different metrics \(accuracy, ssim\)"):
        plots.distributions([pool, replace(pool, metric="ssim")])
    with pytest.raises(UsageError, match="neither scores nor costs"):
        plots.proxy_scatter(replace(bare, scores={}))
    with pytest.raises(UnknownNameError, match="no proxy named 'zem'"):
        plots.proxy_scatter(pool, proxies=["zem"])
    with pytest.raises(UnknownNameError, match="proxy_scatter draws a Frame of correlations"):
        plots.proxy_scatter(pool, table)
    for draw in (plots.distributions, plots.proxy_scatter):
        with pytest.raises(UsageError, match=r"draws Pools .*, not Frame"):
            draw(table)
