"""Searches: the best score so far against evaluations, or against the simulated clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from nbzero.errors import UsageError, count_of, quoted
from nbzero.metrics.arrays import Floats
from nbzero.plots.axes import CYCLE, DASHES, TOLD_APART, Page, legend_below, new_figure, plain_axes, titled
from nbzero.plots.words import safe
from nbzero.search.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

By = Literal["evaluations", "clock"]
LABELS = {"evaluations": "evaluations", "clock": "simulated clock (s)"}
POINTS = 400  # of the x axis at which histories of one strategy are compared
BAND = (10, 90)  # percent


def search_curves(
    histories: History | Iterable[History], by: By = "evaluations", **page: Unpack[Page]
) -> Figure:
    """The best score so far of each strategy.

    Histories of one strategy with several seeds are one line, their median, with a band from the 10th to the
    90th percentile. A line begins where every seed has a score, and ends where the first seed ends.

    Args:
        histories: of one objective, space and budget.
        by: what the x axis is.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UsageError: no histories, several objectives or spaces, more strategies than can be told apart, no
            scores, or a clock that is not known.
        MissingPackageError: matplotlib cannot be imported.
    """
    if by not in LABELS:
        raise UsageError(f"by {quoted(by)}; it is one of {', '.join(LABELS)}")
    listed = [histories] if isinstance(histories, History) else list(histories)
    groups = _by_strategy(listed)
    figure = new_figure(5.2, 3.4, page)
    axes = figure.subplots()
    for number, (strategy, same) in enumerate(groups.items()):
        x, curves_SX = _on_one_axis(same, by)
        label = f"{strategy} ({count_of(len(same), 'seed')})" if len(same) > 1 else strategy
        style: Any = {"color": CYCLE[number], "linestyle": DASHES[number], "label": safe(label)}
        axes.plot(x, np.median(curves_SX, axis=0), **style)
        if len(same) > 1:
            low, high = np.percentile(curves_SX, BAND, axis=0)
            axes.fill_between(x, low, high, color=CYCLE[number], alpha=0.15, linewidth=0)
    axes.set_xlabel(LABELS[by])
    axes.set_ylabel("best score so far")
    plain_axes(axes, "both")
    legend_below(axes, columns=2)
    first = listed[0]
    several = any(len(same) > 1 for same in groups.values())
    note = f"Lines: median of the seeds; bands: {BAND[0]}th to {BAND[1]}th percentile." if several else ""
    titled(figure, f"{first.where}: {first.settings['objective']}", [note], page)
    return figure


def _by_strategy(histories: Sequence[History]) -> dict[str, list[History]]:
    if not histories:
        raise UsageError("no histories to draw; `nbzero.search.run` makes them")
    groups: dict[str, list[History]] = {}
    for history in histories:
        if not isinstance(history, History):
            raise UsageError(f"search_curves draws histories, not {type(history).__name__}")
        for name in ("space", "num_archs", "budget", "objective"):
            one, other = histories[0].settings[name], history.settings[name]
            if one != other:
                raise UsageError(
                    f"histories of {name} {quoted(one)} and {quoted(other)} in one figure; draw them apart"
                )
        if history.best is None:
            raise UsageError(f"nothing to draw: no score in {history.title}")
        groups.setdefault(history.settings["strategy"], []).append(history)
    if len(groups) > TOLD_APART:
        raise UsageError(f"{len(groups)} strategies in one figure; {TOLD_APART} can be told apart")
    return groups


def _on_one_axis(histories: Sequence[History], by: By) -> tuple[Floats, Floats]:
    """(X,) where curves are compared, and (S, X) the best score of each history there."""
    places = [_x_of(history, by) for history in histories]
    begin, end = 0.0, np.inf
    for history, x in zip(histories, places, strict=True):
        has_score = ~np.isnan(history.best_so_far())
        begin, end = max(begin, float(x[has_score][0])), min(end, float(x[-1]))
    grid = np.linspace(begin, max(begin, end), POINTS)
    curves = []
    for history, x in zip(histories, places, strict=True):
        curves.append(history.best_so_far()[np.searchsorted(x, grid, side="right") - 1])
    return grid, np.array(curves)


def _x_of(history: History, by: By) -> Floats:
    if by == "evaluations":
        return np.arange(1.0, len(history) + 1)
    clock = history.clock()
    if np.isnan(clock).any():
        raise UsageError(f"the seconds of {history.title} are not known; draw by='evaluations'")
    return clock
