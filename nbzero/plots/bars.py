"""Bars: how well each proxy picks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from nbzero.errors import UsageError
from nbzero.frame import Frame
from nbzero.judge.evaluate import Report
from nbzero.judge.rows import CEILING, RANDOM
from nbzero.metrics.arrays import Floats
from nbzero.plots.axes import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    NORMAL,
    ORANGE,
    RED,
    SMALL,
    Page,
    legend_below,
    new_figure,
    plain_axes,
    titled,
)
from nbzero.plots.given import REFERENCES, as_list, check_frame
from nbzero.plots.words import named, wrapped
from nbzero.release.opened import COSTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

HATCH = "////"


class _Panel(NamedTuple):
    """What one panel shows.

    Attributes:
        proxies: the rows of proxies, best first.
        references: name -> value of the rows that are no proxies.
        own: the reader's proxy, if any.
    """

    proxies: Frame
    references: dict[str, float | None]
    own: str | None


def mbr_bars(
    tables: Frame | Report | Sequence[Frame | Report], column: str = "mbr_union", **page: Unpack[Page]
) -> Figure:
    """Mean best ranking of every proxy, a panel per table, sorted in each: the smallest, best, on top.

    Dashed lines are the random pick and, where archs were trained with two seeds, what one seed's
    accuracy reaches on another's. The oracle is 0. Whiskers are the bootstrap intervals that the table
    has. Costs and your own proxy have their own colours. Bars of proxies that lack scores are hatched
    and say how many. A proxy without a value says so.

    Args:
        tables: Frames of `mbr_table`, or Reports.
        column: which mBR: mbr_macs, mbr_params, mbr_depth or mbr_union. With _pool each rank is over its
            own pool. Of the paper's even limits beside quantile ones it is even_mbr_macs and so on.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a table without that column.
        UsageError: no tables, one without proxies, or something else than a table.
        MissingPackageError: matplotlib is not installed.
    """
    listed = as_list(tables)
    if not listed:
        raise UsageError("no tables to draw; give Frames of mbr_table")
    ready = [_panel(table, column) for table in listed]
    places = max(len(panel.proxies) for panel in ready)
    figure = new_figure(max(7.5, 5.6 * len(ready)), 2.5 + 0.19 * places, page)
    grid = figure.subplots(1, len(ready), squeeze=False)[0]
    for axes, panel in zip(grid, ready, strict=True):
        _draw(axes, panel, column, places)
    if len(ready) == 1:
        titled(figure, ready[0].proxies.title, ready[0].proxies.notes, page)
        return figure
    notes: list[str] = []
    for axes, panel in zip(grid, ready, strict=True):
        axes.set_title(wrapped(panel.proxies.title, 4.6, NORMAL), fontsize=NORMAL)
        notes += panel.proxies.notes
    titled(figure, "Mean best ranking of every proxy", dict.fromkeys(notes), page)
    return figure


def _panel(source: Frame | Report, column: str) -> _Panel:
    own = None
    table = source
    if isinstance(source, Report):
        own = source.name
        table = source.metrics
    check_frame(table, ("proxy", column), "mbr_bars", "mbr_table")
    assert isinstance(table, Frame)
    if isinstance(source, Report) and source.intervals is not None:
        table = _with_intervals(table, source.intervals, column)
    rows = table.sorted(column)
    is_proxy = ~np.isin(rows["proxy"].astype(str), REFERENCES)
    if not is_proxy.any():
        raise UsageError(f"no proxies to draw: {table.title or 'the table'} has {len(table)} rows")
    references = {row["proxy"]: row[column] for row in rows.only(~is_proxy)}
    return _Panel(rows.only(is_proxy), references, own)


def _with_intervals(table: Frame, intervals: Frame, column: str) -> Frame:
    """The metrics of a Report, with the interval of one column as `mbr_table` has it."""
    found = {row["proxy"]: row for row in intervals if row["metric"] == column}
    columns: dict[str, Any] = {name: table[name] for name in table.columns}
    for end in ("low", "high"):
        columns[f"{column}_{end}"] = [found.get(name, {}).get(end) for name in table["proxy"].tolist()]
    return table.with_columns(columns)


def _draw(axes: Axes, panel: _Panel, column: str, places: int) -> None:
    """One panel; `places` is how many bars it has room for."""
    proxies = panel.proxies
    value = np.asarray(proxies[column], np.float64)
    missing = _missing(proxies)
    colours = [_colour(name, panel.own) for name in proxies["proxy"].tolist()]
    place = np.arange(len(proxies))
    bars = axes.barh(place, np.nan_to_num(value), color=colours, height=0.72, zorder=2)
    _hatch(bars, missing)
    has_whiskers = _draw_whiskers(axes, proxies, column)
    for at in np.flatnonzero(np.isnan(value)).tolist():
        axes.annotate(
            "undefined", (0, at), (3, 0), textcoords="offset points", va="center", fontsize=SMALL, color=GREY
        )
    axes.set_yticks(place, _names_said(proxies, missing), fontsize=NORMAL)
    axes.set_ylim(places - 0.4, -0.6)
    label = f"mean best ranking, {_column_said(column)}\n0 picks the best arch every time"
    if has_whiskers:
        label += "; whiskers: interval"
    axes.set_xlabel(label)
    handles = _kinds(colours, missing) + _draw_references(axes, panel.references)
    # When all is drawn: it ends the automatic limits, and a line beyond the bars would not be seen.
    axes.set_xlim(left=0)
    plain_axes(axes, "x")
    legend_below(axes, 2, handles)


def _missing(proxies: Frame) -> list[int]:
    """How many archs each proxy has no score of."""
    if "missing" not in proxies:
        return [0] * len(proxies)
    counts: list[int] = proxies["missing"].astype(int).tolist()
    return counts


def _colour(proxy: str, own: str | None) -> str:
    if proxy == own:
        return RED
    if proxy in COSTS:
        return ORANGE
    return BLUE


def _hatch(bars: BarContainer, missing: Sequence[int]) -> None:
    for bar, lacking in zip(bars, missing, strict=True):
        if lacking:
            bar.set_hatch(HATCH)
            bar.set_edgecolor("white")
            bar.set_linewidth(0)


def _draw_whiskers(axes: Axes, proxies: Frame, column: str) -> bool:
    """The intervals, with a white edge that is seen on a dark bar too; whether there are any."""
    from matplotlib.patheffects import withStroke

    if f"{column}_low" not in proxies or f"{column}_high" not in proxies:
        return False
    low: Floats = np.asarray(proxies[f"{column}_low"], np.float64)
    high: Floats = np.asarray(proxies[f"{column}_high"], np.float64)
    there = np.flatnonzero(~np.isnan(low + high))
    edge = [withStroke(linewidth=2.4, foreground="white")]
    axes.hlines(there, low[there], high[there], color=BLACK, linewidth=0.9, zorder=3, path_effects=edge)
    return True


def _names_said(proxies: Frame, missing: Sequence[int]) -> list[str]:
    said = []
    for name, lacking in zip(proxies["proxy"].tolist(), missing, strict=True):
        lacks = f" ({lacking:,} without score)" if lacking else ""
        said.append(named(name, proxies.doubtful) + lacks)
    return said


def _column_said(column: str) -> str:
    """Which limits and ranks a column of mBR is about.

    >>> _column_said("even_mbr_macs_pool")
    'even limits of macs (ranks as fractions of their own pool)'
    """
    spacing, _, words = column.rpartition("mbr_")
    ranks = "ranks as fractions of all N"
    if words.endswith("_pool"):
        ranks = "ranks as fractions of their own pool"
    cost = words.removesuffix("_pool")
    limited = f"limits of {cost}"
    if cost == "union":
        limited = "limits of all costs together"
    return f"{spacing.replace('_', ' ')}{limited} ({ranks})"


def _kinds(colours: Sequence[str], missing: Sequence[int]) -> list[Any]:
    """For the legend, the kinds of bars that there are."""
    from matplotlib.patches import Patch

    kinds = {BLUE: "proxy", ORANGE: "cost, larger is better", RED: "yours"}
    handles = [Patch(color=colour, label=word) for colour, word in kinds.items() if colour in colours]
    if any(missing):
        word = "some archs have no score"
        handles.append(Patch(facecolor=GREY, edgecolor="white", hatch=HATCH, label=word))
    return handles


def _draw_references(axes: Axes, references: dict[str, float | None]) -> list[Any]:
    """The lines of the random pick and of another seed, for the legend."""
    drawn = []
    for name, word, colour, dash in (
        (RANDOM, "random pick", BLACK, "--"),
        (CEILING, "another seed (noise ceiling)", GREEN, "-."),
    ):
        value = references.get(name)
        if value is not None:
            label = f"{word}: {value:.3f}"
            line = axes.axvline(value, color=colour, linestyle=dash, linewidth=1.3, zorder=4, label=label)
            drawn.append(line)
    return drawn
