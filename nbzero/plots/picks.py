"""Picks under B limits of one cost: as lines, as a map, and of proxies alone and combined."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from nbzero.errors import UsageError, check_known, names
from nbzero.frame import Frame
from nbzero.judge.rows import CEILING, ORACLE, RANDOM
from nbzero.metrics.arrays import Floats
from nbzero.plots.axes import (
    BLACK,
    CYCLE,
    DASHES,
    GREY,
    MARKERS,
    NORMAL,
    PALE,
    SMALL,
    TOLD_APART,
    Page,
    cost_axis,
    legend_below,
    new_figure,
    plain_axes,
    titled,
)
from nbzero.plots.given import NOT_DRAWN, REFERENCES, check_frame
from nbzero.plots.words import engineered, in_units, interval_of, metric_of, named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

APART = 2.6  # points between lines that are drawn side by side
DRAWN = ("accuracy", "accuracy_low", "accuracy_high", "true_rank")
RANK = "true rank / archs within the limit"
COLUMNS = ("cost", "budget", "limit", "constraint", "proxy", "arch", "accuracy", "true_rank", "num_tied")


@dataclass(frozen=True)
class _Lines:
    """What every proxy picks under the limits of one cost.

    Attributes:
        values: proxy -> accuracy, the ends of its interval, where there are any, and true_rank -> (B,)
            float64, NaN where nothing is picked.
        limits: (B,) float64, NaN where a budget is joint.
        said: the limits in words where one is joint, else empty.
        x: (B,) where the limits are drawn.
        sizes: (B,) archs within each limit, NaN where there is none.
        doubtful: proxies that are marked.
    """

    values: Mapping[str, Mapping[str, Floats]]
    limits: Floats
    said: Sequence[str]
    x: Floats
    sizes: Floats
    doubtful: frozenset[str]

    def drawn(self, proxy: str, column: str) -> Floats:
        """(B,) its accuracies, or its true ranks as shares of the archs within each limit."""
        values = self.values[proxy][column]
        if column == "true_rank":
            return values / self.sizes
        return values

    @property
    def proxies(self) -> list[str]:
        return [name for name in self.values if name not in REFERENCES]

    def ranked(self) -> list[str]:
        """The proxies by the mean true rank of their picks, without the unscored."""
        unscored = self.unscored()
        return sorted((name for name in self.proxies if name not in unscored), key=self._mean_rank)

    def unscored(self) -> list[str]:
        """The proxies that pick nothing under any limit, because no arch has a score of them."""
        return [name for name in self.proxies if np.isnan(self.values[name]["true_rank"]).all()]

    def _mean_rank(self, proxy: str) -> float:
        return float(np.nanmean(self.values[proxy]["true_rank"]))


def limits(
    picks: Frame,
    cost: str = "macs",
    table: Frame | None = None,
    highlight: Iterable[str] | None = None,
    spacing: str = "quantile",
    metric: str = "accuracy",
    **page: Unpack[Page],
) -> Figure:
    """What the proxies pick under each limit of one cost.

    Accuracy and true rank as lines, and the ranks of all proxies as a map. The highlighted proxies stand
    side by side at a limit, a few points apart, so that equal picks are all seen. A proxy that no arch has a
    score of is neither a line nor a row; a note names it.

    Args:
        picks: of `constrained`, or a Report's picks. Where the accuracies have bootstrap intervals, the
            highlighted proxies have whiskers.
        table: `mbr_table` of the same pool, for the mBR of the same cost beside the map, with its interval
            where the table has one.
        highlight: up to six proxies in colour; None is those whose picks rank best on average. The others
            are grey lines.
        spacing: which limits of a Report's picks: "quantile" or "even".
        metric: what the accuracies are, for tasks of imported spaces that have another one (`Pool.metric`).
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a Frame without these columns, a cost without limits in it, a highlighted proxy
            that is not in it.
        UsageError: no Frame, nothing picked under any limit, more than six highlighted, or one that no arch
            has a score of.
        MissingPackageError: matplotlib is not installed.
    """
    lines = _lines_of(rows_of_cost(picks, cost, "limits", spacing))
    ranked, unscored = lines.ranked(), lines.unscored()
    chosen = _highlighted(highlight, lines)
    mbr = _mbr_said(table, cost)
    rows = [name for name in (ORACLE, *ranked, RANDOM) if name in lines.values]
    if CEILING in mbr:
        rows.append(CEILING)
    figure = new_figure(11.5, max(5.6, 2.2 + 0.185 * len(rows)), page)
    top, bottom, right = _layout(figure)
    _limit_axis(bottom, cost, lines)
    top.tick_params(labelbottom=False)
    for axes, column in ((top, "accuracy"), (bottom, "true_rank")):
        _draw_others(axes, lines, column, [name for name in ranked if name not in chosen])
        _draw_chosen(axes, lines, column, chosen)
        _draw_references(axes, lines, column)
        plain_axes(axes, "both")
    top.set_ylabel(metric_of(metric, "pick"))
    bottom.set_ylabel(RANK)
    bottom.set_ylim(bottom=0)
    legend_below(bottom)
    image = _draw_map(right, lines, rows)
    right.set_yticks(range(len(rows)), _rows_said(rows, mbr, lines.doubtful), fontsize=SMALL)
    right.set_xlabel(f"limit on {cost}, and archs within it", fontsize=NORMAL)
    head = "true rank of the pick (0 is best)"
    if mbr:
        head += f"; beside the names: mBR by {cost}"
    right.set_title(head, fontsize=NORMAL)
    bar = figure.colorbar(image, ax=right, fraction=0.05, aspect=max(30, 1.4 * len(rows)))
    bar.set_label(RANK, fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    notes = _notes(picks)
    if table is not None:
        notes += table.notes
    if unscored:
        notes.append(f"{NOT_DRAWN}: {', '.join(unscored)}.")
    titled(
        figure, f"Under {_limits_said(picks, spacing)} of {cost}. {picks.title}", dict.fromkeys(notes), page
    )
    return figure


def rows_of_cost(picks: Frame, cost: str, figure: str, spacing: str) -> Frame:
    """The rows of one cost, and of one spacing where there are several, for a figure.

    Raises:
        UnknownNameError: a Frame that lacks a column of `constrained`, or limits of that cost or spacing.
        UsageError: no Frame, or nothing is picked under any limit.
    """
    check_frame(picks, (*COLUMNS, "pool_size"), figure, "constrained")
    part = picks
    if "spacing" in picks:
        check_known("spacing", [spacing], dict.fromkeys(picks["spacing"].tolist()))
        part = picks.only(picks["spacing"] == spacing)
    check_known("cost", [cost], dict.fromkeys(part["cost"].tolist()))
    part = part.only(part["cost"] == cost)
    if not part["pool_size"].any():
        listed = "; ".join(dict.fromkeys(part["constraint"].tolist()))
        raise UsageError(f"nothing to draw: every limit on {cost} is below every arch ({listed})")
    return part


def _lines_of(part: Frame) -> _Lines:
    there = [column for column in DRAWN if column in part]
    values = {}
    for name in dict.fromkeys(part["proxy"].tolist()):
        rows = part.only(part["proxy"] == name)
        values[name] = {column: np.asarray(rows[column], np.float64) for column in there}
    # The limits are the same for all proxies.
    rows = part.only(part["proxy"] == part["proxy"][0])
    limits = np.asarray(rows["limit"], np.float64)
    sizes = np.asarray(rows["pool_size"], np.float64)
    sizes[sizes == 0] = np.nan
    if not np.isnan(limits).any():
        return _Lines(values, limits, [], limits, sizes, part.doubtful)
    numbers = np.asarray(rows["budget"], np.float64)
    return _Lines(values, limits, rows["constraint"].tolist(), numbers, sizes, part.doubtful)


def _highlighted(asked: Iterable[str] | None, lines: _Lines) -> list[str]:
    chosen = names("highlight", asked, lines.ranked()[:TOLD_APART])
    check_known("proxy", chosen, lines.proxies)
    unscored = [name for name in chosen if name in lines.unscored()]
    if unscored:
        raise UsageError(f"highlight {', '.join(unscored)}: no arch has a score of it; name others")
    if len(chosen) > TOLD_APART:
        many = f"{len(chosen)} proxies to highlight"
        raise UsageError(f"{many}; {TOLD_APART} colours can be told apart: name fewer")
    return chosen


def _mbr_said(table: Frame | None, cost: str) -> dict[str, str]:
    """Proxy -> its mBR by one cost, with its interval where the table has one."""
    if table is None:
        return {}
    column = f"mbr_{cost}"
    check_frame(table, ("proxy", column), "limits", "mbr_table")
    said = {}
    for row in table:
        value = "-" if row[column] is None else f"{row[column]:.3f}"
        said[row["proxy"]] = value + interval_of(row, column)
    return said


def _layout(figure: Figure) -> tuple[Axes, Axes, Axes]:
    """Two axes on the left, one over the other, with the same limits; and one on the right."""
    outer = figure.add_gridspec(1, 2, width_ratios=[1.25, 1])
    inner = outer[0].subgridspec(2, 1)
    right = figure.add_subplot(outer[1])
    top = figure.add_subplot(inner[0])
    bottom = figure.add_subplot(inner[1], sharex=top)
    return top, bottom, right


def _limit_axis(axes: Axes, cost: str, lines: _Lines) -> None:
    if lines.said:
        axes.set_xticks(lines.x, [textwrap.fill(one, 24) for one in lines.said], fontsize=SMALL)
    else:
        cost_axis(axes, cost, lines.x)
    axes.set_xlabel(f"limit on {in_units(cost)}")  # instead of the cost's own


def _draw_others(axes: Axes, lines: _Lines, column: str, others: Sequence[str]) -> None:
    """Grey lines, under one name in the legend."""
    style: dict[str, Any] = {"color": PALE, "linewidth": 0.8, "marker": ".", "markersize": 3, "zorder": 1}
    for at, name in enumerate(others):
        label = named(name, lines.doubtful) if len(others) == 1 else f"{len(others)} others"
        if at:
            label = "_"
        axes.plot(lines.x, lines.drawn(name, column), label=label, **style)


def _draw_chosen(axes: Axes, lines: _Lines, column: str, chosen: Sequence[str]) -> None:
    style: dict[str, Any] = {"linewidth": 1.4, "markersize": 4, "zorder": 3}
    for at, name in enumerate(chosen):
        place = at - (len(chosen) - 1) / 2
        style |= {"color": CYCLE[at], "linestyle": DASHES[at], "marker": MARKERS[at]}
        _draw_beside(axes, lines, name, column, place, label=named(name, lines.doubtful), **style)


def _draw_references(axes: Axes, lines: _Lines, column: str) -> None:
    marker = "_" if len(lines.x) == 1 else ""  # one limit is no line
    style: dict[str, Any] = {"linewidth": 1.6, "marker": marker, "markersize": 14, "zorder": 2}
    for name, label, colour, dash in (
        (ORACLE, "oracle: the best arch", BLACK, ":"),
        (RANDOM, "random pick", GREY, "--"),
    ):
        if name in lines.values:
            drawn = lines.drawn(name, column)
            axes.plot(lines.x, drawn, color=colour, linestyle=dash, label=label, **style)


def _draw_beside(
    axes: Axes, lines: _Lines, proxy: str, column: str, place: float, color: str, zorder: float, **style: Any
) -> None:
    """One line, with whiskers where its accuracies have intervals.

    It is drawn `place` steps to the right of where it is, so that equal lines do not hide each other's
    markers. What lies on the axis is drawn whole.
    """
    from matplotlib.transforms import ScaledTranslation

    whole: Any = axes.figure
    aside = ScaledTranslation(APART * place / 72, 0, whole.dpi_scale_trans)
    drawn: list[Any] = axes.plot(
        lines.x, lines.drawn(proxy, column), clip_on=False, color=color, zorder=zorder, **style
    )
    values = lines.values[proxy]
    # A resample has another number of archs within the limit: its ranks are no share of this one.
    if column == "accuracy" and "accuracy_low" in values:
        low, high = values["accuracy_low"], values["accuracy_high"]
        whiskers = axes.vlines(lines.x, low, high, color=color, linewidth=0.8, alpha=0.6, zorder=zorder)
        drawn.append(whiskers)
    for one in drawn:
        one.set_transform(axes.transData + aside)


def _draw_map(axes: Axes, lines: _Lines, rows: Sequence[str]) -> AxesImage:
    """The true ranks of `rows` under every limit: numbers on colours."""
    ranks = np.full((len(rows), len(lines.x)), np.nan)
    for row, name in enumerate(rows):
        if name in lines.values:
            ranks[row] = lines.values[name]["true_rank"]
    cells = ranks / lines.sizes
    image = axes.imshow(np.ma.masked_invalid(cells), aspect="auto", cmap="cividis_r", vmin=0, vmax=1)
    for (row, limit), rank in np.ndenumerate(ranks):
        colour = "white" if cells[row, limit] > 0.55 else "black"
        axes.text(limit, row, _rank_said(rank), ha="center", va="center", fontsize=SMALL, color=colour)
    said = []
    for one, size in zip(lines.limits.tolist(), np.nan_to_num(lines.sizes), strict=True):
        amount = "joint" if math.isnan(one) else engineered(one)
        said.append(f"{amount}\nN = {size:,.0f}")
    axes.set_xticks(range(len(said)), said, fontsize=SMALL)
    return image


def _rank_said(rank: float) -> str:
    if math.isnan(rank):
        return "-"
    if rank == round(rank) or rank >= 100:
        return f"{rank:,.0f}"
    return f"{rank:.1f}"


def _rows_said(rows: Sequence[str], mbr: Mapping[str, str], doubtful: Collection[str]) -> list[str]:
    if not mbr:
        return [named(name, doubtful) for name in rows]
    return [f"{named(name, doubtful)}   {mbr.get(name, '-')}" for name in rows]


def _limits_said(picks: Frame, spacing: str) -> str:
    """Only a Report's picks say how their limits were set."""
    if "spacing" in picks:
        return f"{spacing} limits"
    return "limits"


def _notes(picks: Frame) -> list[str]:
    """What the whiskers are, and the notes of the picks."""
    said = "Markers stand side by side at a limit, so that equal picks are all seen."
    if "accuracy_low" in picks:
        said += " Whiskers: intervals of the accuracy."
    return [said, *picks.notes]


def before_after(
    picks: Frame,
    combined: Mapping[str, Sequence[str]],
    cost: str = "macs",
    spacing: str = "quantile",
    metric: str = "accuracy",
    **page: Unpack[Page],
) -> Figure:
    """Proxies alone (before, hollow) and combined (after, solid) under limits of one cost, a column each.

    Above the accuracy of the pick, below its true rank.

    Args:
        picks: `constrained` of a pool whose scores hold the combinations too. Whiskers are the bootstrap
            intervals of the accuracies that it has.
        combined: name of a combination in the picks -> its members, up to six.
        spacing, metric, page: as in `limits`.

    Raises:
        UnknownNameError: a Frame without these columns, a cost without limits in it, or an unknown name.
        UsageError: no combinations, none or more than six members, or nothing picked under any limit.
        MissingPackageError: matplotlib is not installed.
    """
    lines = _lines_of(rows_of_cost(picks, cost, "before_after", spacing))
    members = _members(combined, lines)
    every = list(dict.fromkeys(one for inside in members.values() for one in inside))
    figure = new_figure(max(4.3 * len(members), 6.5), 6.4, page)
    grid = figure.subplots(2, len(members), squeeze=False, sharex=True, sharey="row")
    for (top, bottom), (name, inside) in zip(grid.T, members.items(), strict=True):
        # One colour in all columns, where there are enough.
        coloured = every if len(every) <= TOLD_APART else inside
        for axes, column in ((top, "accuracy"), (bottom, "true_rank")):
            _draw_alone(axes, lines, column, inside, coloured)
            style: dict[str, Any] = {"color": BLACK, "linewidth": 2.2, "marker": "o", "markersize": 5}
            _draw_beside(axes, lines, name, column, len(inside) / 2, zorder=3, label="combined", **style)
            _draw_thin_references(axes, lines, column)
            plain_axes(axes, "both")
        _limit_axis(bottom, cost, lines)
        top.tick_params(labelbottom=False)
        top.set_title(textwrap.fill(named(name, lines.doubtful), 46), fontsize=NORMAL)
        legend_below(bottom, 2)
    grid[0, 0].set_ylabel(metric_of(metric, "pick"))
    grid[1, 0].set_ylabel(RANK)
    grid[1, 0].set_ylim(bottom=0)
    title = f"Alone and combined, under {_limits_said(picks, spacing)} of {cost}. {picks.title}"
    titled(figure, title, dict.fromkeys(_notes(picks)), page)
    return figure


def _members(combined: Mapping[str, Sequence[str]], lines: _Lines) -> dict[str, list[str]]:
    """Combination -> its members, once they are known to be there and not too many."""
    if not isinstance(combined, Mapping):
        kind = type(combined).__name__
        raise UsageError(f"combined is a {kind}; it gives the members by the name of each combination")
    if not combined:
        raise UsageError("no combinations to draw; give their names in the picks, with the members of each")
    members = {}
    for name, given in combined.items():
        inside = names(f"combined[{name!r}]", given)
        check_known("proxy", [name, *inside], lines.values)
        if not 1 <= len(inside) <= TOLD_APART:
            many = f"{name} has {len(inside)} members"
            raise UsageError(f"{many}; {TOLD_APART} can be told apart, and one is needed")
        members[name] = inside
    return members


def _draw_alone(
    axes: Axes, lines: _Lines, column: str, members: Sequence[str], coloured: Sequence[str]
) -> None:
    """Each of some proxies alone, in the colour of its place in `coloured`."""
    style: dict[str, Any] = {"markerfacecolor": "white", "linewidth": 1.1, "markersize": 5, "zorder": 2}
    for at, name in enumerate(members):
        number = coloured.index(name)
        style |= {"color": CYCLE[number], "linestyle": DASHES[number], "marker": MARKERS[number]}
        label = f"{named(name, lines.doubtful)} alone"
        _draw_beside(axes, lines, name, column, at - len(members) / 2, label=label, **style)


def _draw_thin_references(axes: Axes, lines: _Lines, column: str) -> None:
    for name, label, colour, dash in ((ORACLE, "oracle", BLACK, ":"), (RANDOM, "random pick", GREY, "--")):
        if name in lines.values:
            drawn = lines.drawn(name, column)
            axes.plot(lines.x, drawn, color=colour, linestyle=dash, linewidth=1.2, label=label)
