"""Scatter: every arch a point. Accuracy against costs, and against scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from nbzero.errors import UsageError, names
from nbzero.frame import Frame
from nbzero.judge.pool import Pool
from nbzero.judge.rows import CEILING
from nbzero.metrics.arrays import Floats, is_rounding
from nbzero.plots.axes import (
    BLUE,
    NORMAL,
    RED,
    Page,
    cost_axis,
    legend_below,
    look,
    new_figure,
    panels,
    plain_axes,
    titled,
)
from nbzero.plots.given import NOT_DRAWN, as_list, check_frame, check_pools
from nbzero.plots.words import interval_of, metric_of, named, safe
from nbzero.release.opened import COSTS
from nbzero.spaces.published import doubt_notes, doubtful_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbzero.text import Row

DRAWABLE = (1e-290, 1e290)  # sizes that an axis can hold: it overflows near the ends of float64


def distributions(
    pools: Pool | Sequence[Pool], costs: Iterable[str] | None = None, **page: Unpack[Page]
) -> Figure:
    """Accuracy against each cost, with how accuracies and costs are spread along the edges.

    Several pools are drawn over each other.

    Args:
        costs: as in `judge.constrained`; None is every one of macs, params and depth that all pools have.
            Archs that lack a cost are not drawn.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a cost that a pool does not have.
        UsageError: no pools, no cost or one that no arch has, or pools of different metrics.
        MissingPackageError: matplotlib is not installed.
    """
    listed: list[Pool] = as_list(pools)
    check_pools(listed, "distributions")
    chosen = names("costs", costs, _shared_costs(listed))
    if not chosen:
        spaces = ", ".join(pool.space for pool in listed)
        raise UsageError(f"no cost to draw accuracy against: {spaces} share none of {', '.join(COSTS)}")
    columns = {}
    for name in chosen:
        columns[name] = [pool.cost(name) for pool in listed]
        if np.isnan(np.concatenate(columns[name])).all():
            raise UsageError(f"no arch to draw has {name}; name another cost, or another pool")
    figure = new_figure(3.1 * len(chosen) + 1.6, 5.0, page)
    grid = figure.subplots(
        2,
        len(chosen) + 1,
        sharex="col",
        sharey="row",
        squeeze=False,
        gridspec_kw={"width_ratios": [3] * len(chosen) + [1], "height_ratios": [1, 3]},
    )
    for at, name in enumerate(chosen):
        _draw_cost(grid[0, at], grid[1, at], name, columns[name], listed)
    grid[0, -1].axis("off")
    _draw_accuracies(grid[1, -1], listed)
    _count_axis(grid[0, 0].yaxis, 4)
    _count_axis(grid[1, -1].xaxis, 2)
    grid[1, 0].set_ylabel(metric_of(listed[0].metric))
    grid[0, 0].set_ylabel("archs")
    grid[1, -1].set_xlabel("archs")
    title = f"Costs and {listed[0].metric}"
    if len(listed) == 1:
        titled(figure, f"{title}: {listed[0].name}", [], page)
        return figure
    legend_below(grid[1, 0], 1)
    titled(figure, f"{title}: {', '.join(dict.fromkeys(pool.space for pool in listed))}", [], page)
    return figure


def _shared_costs(pools: Sequence[Pool]) -> list[str]:
    return [name for name in COSTS if all(name in pool.costs for pool in pools)]


def _draw_cost(above: Axes, below: Axes, name: str, columns: Sequence[Floats], pools: Sequence[Pool]) -> None:
    """Accuracy against one cost, and above it how the cost is spread; `columns` has the cost of each pool."""
    together = np.concatenate(columns)
    together = together[~np.isnan(together)]
    is_log = cost_axis(below, name, together)
    bins = _bins(together, is_log)
    for number, (pool, cost) in enumerate(zip(pools, columns, strict=True)):
        style = look(number)
        below.scatter(cost, pool.accuracy, **_dots(len(pool)), **style, label=safe(pool.name))
        above.hist(cost[~np.isnan(cost)], bins, color=style["color"], alpha=0.55)
    plain_axes(below, "both")
    plain_axes(above, "y")


def _draw_accuracies(axes: Axes, pools: Sequence[Pool]) -> None:
    """How the accuracies are spread, upright."""
    bins = _bins(np.concatenate([pool.accuracy for pool in pools]), False)
    for number, pool in enumerate(pools):
        colour = look(number)["color"]
        axes.hist(pool.accuracy, bins, orientation="horizontal", color=colour, alpha=0.55)
    plain_axes(axes, "x")


def _count_axis(axis: Any, ticks: int) -> None:
    """Whole numbers, about so many."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]))


def _bins(values: Floats, is_log: bool) -> list[float]:
    """Edges of the bars of a histogram: 30 bars, or one for each of a few whole numbers."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [low - 0.5, high + 0.5]
    are_whole = bool((values == np.round(values)).all())
    if are_whole and high - low < 40:
        edges = np.arange(low - 0.5, high + 1)
    elif is_log:
        edges = np.geomspace(low, high, 31)
    else:
        edges = np.linspace(low, high, 31)
    listed: list[float] = edges.tolist()
    return listed


def _dots(number: int) -> dict[str, Any]:
    """Smaller and fainter the more there are. Many are drawn as pixels: a PDF of 15,000 stays small."""
    if number > 2000:
        return {"s": 2.0, "alpha": 0.3, "linewidths": 0, "rasterized": True}
    size = 14.0 if number <= 100 else 7.0
    return {"s": size, "alpha": 0.75, "linewidths": 0, "rasterized": False}


def proxy_scatter(
    pool: Pool,
    correlations: Frame | None = None,
    proxies: Iterable[str] | None = None,
    **page: Unpack[Page],
) -> Figure:
    """Every proxy's score against the accuracy, a panel each.

    Higher scores are better, unless the pool was made with the raw signs. Scores that span orders of
    magnitude have a logarithmic axis. With both signs it is a symmetric one, linear around 0. Infinite
    scores are triangles on the panel's edge. How many archs have none, or an infinite one, is said above it.

    Args:
        correlations: `correlations` of the same pool, for Kendall's tau in the panels' titles, with its
            interval where the Frame has one, and for the order, best first.
        proxies: names of proxies or costs; None is all that the pool has.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a proxy that the pool does not have, or a Frame without the column kendall.
        UsageError: no Pool, or one with neither scores nor costs.
        MissingPackageError: matplotlib is not installed.
    """
    check_pools([pool], "proxy_scatter")
    chosen = names("proxies", proxies, pool.scores_and_costs)
    if not chosen:
        raise UsageError(f"no scores to draw: {pool.name} has neither scores nor costs")
    judged: dict[str, Row] = {}
    if correlations is not None:
        check_frame(correlations, ("proxy", "kendall"), "proxy_scatter", "correlations")
        judged = {row["proxy"]: row for row in correlations}
        chosen.sort(key=lambda name: _by_tau(judged.get(name)))
    doubtful = doubtful_in(pool.space, chosen, pool.dataset)
    heads = [_head(named(name, doubtful), pool.score(name), judged.get(name)) for name in chosen]
    tallest = max(len(head) for head in heads)
    across = min(len(chosen), 4 if len(chosen) <= 12 else 6)
    down = math.ceil(len(chosen) / across)
    figure = new_figure(max(1.95 * across + 0.5, 5.0), (1.65 + 0.13 * tallest) * down + 1.1, page)
    grid = panels(figure, len(chosen), across, sharey=True)
    for axes, name, head in zip(grid, chosen, heads, strict=True):
        _draw_scores(axes, pool.score(name), pool.accuracy)
        axes.set_title("\n".join(head), fontsize=NORMAL)
    figure.supylabel(metric_of(pool.metric), fontsize=NORMAL)
    notes = [_tau_of_seeds(judged), _across_said(pool, grid), _infinite_said(pool, chosen)]
    if proxies is None:
        notes += [f"{NOT_DRAWN}: {pool.why_unscored(name)}." for name in pool.unscored]
    notes.append(_tau_said(judged))
    below = [" ".join(note for note in notes if note), *doubt_notes(pool.space, chosen, pool.dataset)]
    if correlations is not None and _has_intervals(judged):
        below += [note for note in correlations.notes if "resamples" in note]
    titled(figure, f"Scores against {pool.metric}: {pool.name}", below, page)
    return figure


def _by_tau(row: Row | None) -> tuple[bool, float]:
    """Sorts the highest tau first, and last the proxies without one."""
    if row is None or row["kendall"] is None:
        return True, 0.0
    return False, -row["kendall"]


def _head(said: str, scores: Floats, row: Row | None) -> list[str]:
    """Lines above a panel: the proxy as it is `said`, its tau if known, and what the axis does not show."""
    lines = [said]
    if row is not None and row["kendall"] is None:
        lines.append("τ undefined")
    elif row is not None:
        lines.append(f"τ = {row['kendall']:.2f}{interval_of(row, 'kendall')}")
    off_axis = _off_axis(scores)
    if off_axis:
        lines.append("; ".join(off_axis))
    return lines


def _off_axis(scores: Floats) -> list[str]:
    """What the axis of a panel does not show of its scores, in words."""
    said = []
    finite = scores[np.isfinite(scores)]
    if is_rounding(finite):
        said.append("equal but for rounding")
    if len(finite) and not _is_drawable(finite):
        said.append(f"score / {_largest(finite):.3g}")
    for endless in (-math.inf, math.inf):
        number = int((scores == endless).sum())
        if number:
            said.append(f"{number:,} {endless:+}")
    absent = int(np.isnan(scores).sum())
    if absent == len(scores):
        said.append("no arch has a score")
    elif absent:
        said.append(f"{absent:,} without score")
    return said


def _largest(finite: Floats) -> float:
    return float(np.abs(finite).max())


def _is_drawable(finite: Floats) -> bool:
    largest = _largest(finite)
    least, most = DRAWABLE
    return largest == 0 or least <= largest <= most


def _draw_scores(axes: Axes, scores: Floats, accuracy: Floats) -> None:
    finite = np.isfinite(scores)
    if finite.any():
        if not _is_drawable(scores[finite]):
            scores = scores / _largest(scores[finite])
        _score_axis(axes, scores[finite])
    else:
        axes.set_xticks([])
    axes.scatter(scores[finite], accuracy[finite], **_dots(len(scores)), color=BLUE)
    at_edge: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "color": RED, "s": 9, "linewidths": 0}
    for endless, place, marker in ((-math.inf, 0.03, "<"), (math.inf, 0.97, ">")):
        there = scores == endless
        if there.any():
            axes.scatter(np.full(there.sum(), place), accuracy[there], marker=marker, **at_edge)
    plain_axes(axes, "both")
    axes.tick_params(labelsize=6)


def _score_axis(axes: Axes, scores: Floats) -> None:
    """The scale of finite scores.

    Logarithmic where they are positive and span orders of magnitude, symmetric where most lie close together.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = float(scores.min()), float(scores.max())
    first, third = np.quantile(scores, (0.25, 0.75))
    are_crowded = third - first < 0.05 * (high - low)
    if low > 0 and high / low > 100:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif are_crowded and low < high:
        _symmetric_axis(axes, scores, low, high)
    else:
        _linear_axis(axes, max(abs(low), abs(high)))


def _symmetric_axis(axes: Axes, scores: Floats, low: float, high: float) -> None:
    """Logarithmic to both sides of a linear part around 0, which holds a quarter of the scores."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    size = np.abs(scores[scores != 0])
    # Sums that cancel leave rounding; products of many factors span what they do.
    rounding = 1e-12 if low < 0 < high else 1e-100
    threshold = float(max(np.quantile(size, 0.25), size.max() * rounding))
    least, most = math.ceil(math.log10(threshold)), math.floor(math.log10(size.max()))
    axes.set_xscale("symlog", linthresh=threshold, linscale=max(1.0, 0.2 * (most - least)))
    powers = {most}
    if most - least > 1:
        powers.add((most + least) // 2)
    ticks = [0.0]
    for power in powers:
        ticks += [tick for tick in (-(10.0**power), 10.0**power) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _linear_axis(axes: Axes, largest: float) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(3))
    if largest >= 1000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    elif 0 < largest < 0.001:
        # No factor beside the axis, which looks like a title.
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def _tau_of_seeds(judged: Mapping[str, Row]) -> str:
    if CEILING not in judged or judged[CEILING]["kendall"] is None:
        return ""
    return f"Noise ceiling: tau = {judged[CEILING]['kendall']:.2f} between the accuracies of two seeds."


def _across_said(pool: Pool, grid: Sequence[Axes]) -> str:
    """What the horizontal axes are."""
    scales = {axes.get_xscale() for axes in grid}
    said = "Across: the score, higher is better"
    if not pool.oriented:
        said = "Across: the score with its raw sign"
    if scales & {"log", "symlog"}:
        said += "; powers of ten are a logarithmic axis"
    if "symlog" in scales:
        said += ", around 0 a linear one"
    return f"{said}."


def _infinite_said(pool: Pool, proxies: Iterable[str]) -> str:
    if any(np.isinf(pool.score(name)).any() for name in proxies):
        return "Red triangles at an edge: infinite scores."
    return ""


def _tau_said(judged: Mapping[str, Row]) -> str:
    if not judged:
        return ""
    if _has_intervals(judged):
        return "τ: Kendall's tau-b, in brackets its interval."
    return "τ: Kendall's tau-b."


def _has_intervals(judged: Mapping[str, Row]) -> bool:
    return any(interval_of(row, "kendall") for row in judged.values())
