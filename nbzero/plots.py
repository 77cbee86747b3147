"""Figures: a table in, a figure out. What is drawn was computed by the module that made the table; here nothing is.

    mbr_bars        Frames of `mbr_table`                   how well each proxy picks
    distributions   Pools                                   accuracy against each cost, and how all are spread
    proxy_scatter   a Pool, a Frame of `correlations`       every proxy's score against accuracy
    limits          a Frame of `constrained`                accuracy and true rank of the picks under limits of one cost
    factor_radars   a Frame of `factors`                    what each proxy and the accuracy depend on
    best_archs      a Frame of `constrained`                the archs that the proxies pick, drawn stage by stage
    hybrid_curves   Frames of `HybridSearch`                the best combination of every size
    before_after    a Frame of `constrained`                proxies alone and combined

Every function returns a matplotlib Figure that no global state knows: `figure.savefig("mbr.png")`. `FIGURES` lists them by the number that they
have in the paper, each with a recipe from a Bench to the figure.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nbzero.bench import COSTS
from nbzero.constrained import CEILING, ORACLE, RANDOM, Report
from nbzero.errors import UnknownNameError, UsageError, needs, unknown_name
from nbzero.frame import Frame
from nbzero.metrics import is_rounding
from nbzero.pool import Floats, Pool

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbzero.bench import Bench, Seed, Split

# Okabe and Ito's colours, which people with any kind of colour blindness tell apart; lines differ by marker and dash too.
BLUE, ORANGE, GREEN, RED, SKY, PINK, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
CYCLE = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
MARKERS, DASHES = "osD^vP", ("-", "--", "-.", "-", "--", "-.")
GREY, PALE = "#767676", "#C8C8C8"
REFERENCES = (ORACLE, RANDOM, CEILING)
UNITS = {"macs": "multiply-adds", "params": "parameters", "depth": "blocks"}
SMALL, NORMAL, LARGE = 7, 8, 11  # points
SHOWN = 6  # proxies in colour among lines; the palette has no more
APART = 2.6  # points between lines that are drawn side by side
SKEWED = 30.0  # a cost is drawn on a logarithmic axis where its largest value is so many times its smallest


def mbr_bars(tables: Frame | Report | Sequence[Frame | Report], column: str = "mbr_union") -> Figure:
    """Mean best ranking of every proxy, a panel per table, sorted in each: the smallest, best, on top.

    Dashed lines are the random pick and, where archs were trained with two seeds, what one seed's accuracy reaches on another's; the oracle is 0.
    Whiskers are the bootstrap intervals that the table has. Costs and your own proxy have their own colours; bars of proxies that lack scores are
    hatched and say how many; a proxy without a value says so.

    Args:
        tables: Frames of `mbr_table`, or Reports.
        column: which mBR: mbr_macs, mbr_params, mbr_depth or mbr_union; with _pool each rank is over its own pool; a Report also has
            quantile_mbr_macs and so on.

    Raises:
        UnknownNameError: a table without that column.
        UsageError: no tables, or one without proxies.
        ImportError: matplotlib is not installed.
    """
    listed = [tables] if isinstance(tables, (Frame, Report)) else list(tables)
    if not listed:
        raise UsageError("no tables to draw; give Frames of mbr_table")
    ready = [_mbr_rows(table, column) for table in listed]
    tallest = max(int((~np.isin(rows["proxy"].astype(str), REFERENCES)).sum()) for rows in ready)
    figure = _figure(max(7.5, 5.6 * len(ready)), 2.5 + 0.19 * tallest)
    panels = figure.subplots(1, len(ready), squeeze=False)[0]
    for axes, source, rows in zip(panels, listed, ready, strict=True):
        _bars(axes, rows, column, source.name if isinstance(source, Report) else None, tallest)
    if len(ready) == 1:
        _titled(figure, ready[0].title, ready[0].notes)
    else:
        for axes, rows in zip(panels, ready, strict=True):
            axes.set_title(_wrapped(rows.title, 4.6, NORMAL), fontsize=NORMAL)
        _titled(
            figure,
            "Mean best ranking of every proxy",
            dict.fromkeys(note for rows in ready for note in rows.notes),
        )
    return figure


def _mbr_rows(source: Frame | Report, column: str) -> Frame:
    table = source.metrics if isinstance(source, Report) else source
    _needs(table, ("proxy", column), "mbr_bars", "mbr_table")
    if isinstance(source, Report) and source.intervals is not None:
        found = {row["proxy"]: row for row in source.intervals if row["metric"] == column}
        ends = {
            f"{column}_{end}": [found.get(name, {}).get(end) for name in table["proxy"].tolist()]
            for end in ("low", "high")
        }
        table = Frame({**{name: table[name] for name in table.columns}, **ends}, table.title, table.notes)
    rows = table.sorted(column)
    if not len(rows.only(~np.isin(rows["proxy"].astype(str), REFERENCES))):
        raise UsageError(f"no proxies to draw: {table.title or 'the table'} has {len(table)} rows")
    return rows


def _bars(axes: Axes, rows: Frame, column: str, own: str | None, num_places: int) -> None:
    from matplotlib.patches import Patch
    from matplotlib.patheffects import withStroke

    lines = {row["proxy"]: row[column] for row in rows if row["proxy"] in REFERENCES}
    shown = rows.only(~np.isin(rows["proxy"].astype(str), REFERENCES))
    names: list[str] = shown["proxy"].tolist()
    value = np.asarray(shown[column], np.float64)
    missing = shown["missing"].astype(int).tolist() if "missing" in shown else [0] * len(shown)
    colours = [RED if name == own else ORANGE if name in COSTS else BLUE for name in names]
    place = np.arange(len(names))
    bars = axes.barh(place, np.nan_to_num(value), color=colours, height=0.72, zorder=2)
    for bar, lacking in zip(bars, missing, strict=True):
        if lacking:
            bar.set_hatch("////")
            bar.set_edgecolor("white")
            bar.set_linewidth(0)
    ends = [f"{column}_low", f"{column}_high"]
    whiskers = all(end in shown for end in ends)
    if whiskers:
        low, high = (np.asarray(shown[end], np.float64) for end in ends)
        there = np.flatnonzero(~np.isnan(low + high))
        edge = [withStroke(linewidth=2.4, foreground="white")]  # seen on a dark bar too
        axes.hlines(
            place[there], low[there], high[there], color=BLACK, linewidth=0.9, zorder=3, path_effects=edge
        )
    for at in np.flatnonzero(np.isnan(value)).tolist():
        axes.annotate(
            "undefined", (0, at), (3, 0), textcoords="offset points", va="center", fontsize=SMALL, color=GREY
        )
    said = [
        _safe(name) + (f" ({lacking:,} without score)" if lacking else "")
        for name, lacking in zip(names, missing, strict=True)
    ]
    axes.set_yticks(place, said, fontsize=NORMAL)
    axes.set_ylim(num_places - 0.4, -0.6)
    axes.set_xlabel(
        f"mean best ranking, {_column_said(column)}\n0 picks the best arch every time"
        + ("; whiskers: bootstrap interval" if whiskers else "")
    )
    kinds = [(BLUE, "proxy"), (ORANGE, "cost, larger is better"), (RED, "yours")]
    handles: list[Any] = [Patch(color=colour, label=word) for colour, word in kinds if colour in colours]
    if any(missing):
        handles.append(
            Patch(facecolor=GREY, edgecolor="white", hatch="////", label="some archs have no score")
        )
    for name, colour, dash in ((RANDOM, BLACK, "--"), (CEILING, GREEN, "-.")):
        if name in lines and lines[name] is not None:
            word = "random pick" if name == RANDOM else "another seed (noise ceiling)"
            handles.append(
                axes.axvline(
                    lines[name],
                    color=colour,
                    linestyle=dash,
                    linewidth=1.3,
                    zorder=4,
                    label=f"{word}: {lines[name]:.3f}",
                )
            )
    axes.set_xlim(
        left=0
    )  # when all is drawn: it ends the automatic limits, and a line beyond the bars would not be seen
    _plain_axes(axes, "x")
    _legend_below(axes, 2, handles)


def distributions(pools: Pool | Sequence[Pool], costs: Iterable[str] | None = None) -> Figure:
    """Accuracy against each cost, with how accuracies and costs are spread along the edges. Several pools are drawn over each other.

    Args:
        costs: of macs, params and depth; None is every one that all pools have.

    Raises:
        UnknownNameError: a cost that a pool does not have.
        UsageError: no pools, no cost, or pools of different metrics.
        ImportError: matplotlib is not installed.
    """
    listed = [pools] if isinstance(pools, Pool) else list(pools)
    _pools_there(listed, "distributions")
    names = (
        [name for name in COSTS if all(name in pool.costs for pool in listed)]
        if costs is None
        else list(costs)
    )
    if not names:
        raise UsageError(
            f"no cost to draw accuracy against: {', '.join(pool.space for pool in listed)} share none of {', '.join(COSTS)}"
        )
    columns = {name: [pool.cost(name) for pool in listed] for name in names}
    figure = _figure(3.1 * len(names) + 1.6, 5.0)
    from matplotlib.ticker import MaxNLocator  # after the error that says what to install

    grid = figure.subplots(
        2,
        len(names) + 1,
        sharex="col",
        sharey="row",
        squeeze=False,
        gridspec_kw={"width_ratios": [3] * len(names) + [1], "height_ratios": [1, 3]},
    )
    grid[0, 0].yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    corner: Axes = grid[0, -1]
    corner.axis("off")
    for at, name in enumerate(names):
        above, below = grid[0, at], grid[1, at]
        log = _cost_axis(below, name, np.concatenate(columns[name]))
        bins = _bins(np.concatenate(columns[name]), log)
        for p, (pool, cost) in enumerate(zip(listed, columns[name], strict=True)):
            colour = CYCLE[p % len(CYCLE)]
            below.scatter(
                cost,
                pool.accuracy,
                **_dots(len(pool)),
                color=colour,
                marker=MARKERS[p % len(MARKERS)],
                label=_safe(pool.name),
            )
            above.hist(cost, bins, color=colour, alpha=0.55)
        _plain_axes(below, "both")
        _plain_axes(above, "y")
    side: Axes = grid[1, -1]
    side.xaxis.set_major_locator(MaxNLocator(2, integer=True, steps=[1, 2, 5, 10]))
    bins = _bins(np.concatenate([pool.accuracy for pool in listed]), False)
    for p, pool in enumerate(listed):
        side.hist(pool.accuracy, bins, orientation="horizontal", color=CYCLE[p % len(CYCLE)], alpha=0.55)
    grid[1, 0].set_ylabel(_metric_said(listed[0].metric))
    grid[0, 0].set_ylabel("archs")
    side.set_xlabel("archs")
    _plain_axes(side, "x")
    said = f"Costs and {listed[0].metric}"
    if len(listed) == 1:
        _titled(figure, f"{said}: {listed[0].name}")
    else:
        _legend_below(grid[1, 0], 1)
        _titled(figure, f"{said}: {', '.join(dict.fromkeys(pool.space for pool in listed))}")
    return figure


def proxy_scatter(
    pool: Pool, correlations: Frame | None = None, proxies: Iterable[str] | None = None
) -> Figure:
    """Every proxy's score against the accuracy, a panel each. Higher scores are better (unless the pool was made with the raw signs).

    Scores that span orders of magnitude have a logarithmic axis (with both signs, a symmetric one, linear around 0). Infinite scores are
    triangles on the panel's edge; how many archs have none, or an infinite one, is said above it.

    Args:
        correlations: `correlations` of the same pool, for Kendall's tau in the panels' titles, with its interval where the Frame has one, and
            for the order, best first.
        proxies: names of proxies or costs; None is all that the pool has.

    Raises:
        UnknownNameError: a proxy that the pool does not have, or a Frame without the column kendall.
        UsageError: a pool with neither scores nor costs.
        ImportError: matplotlib is not installed.
    """
    _pools_there([pool], "proxy_scatter")
    names = list(dict.fromkeys(pool.scores_and_costs if proxies is None else proxies))
    if not names:
        raise UsageError(f"no scores to draw: {pool.name} has neither scores nor costs")
    tau: dict[str, float | None] = {}
    ends: dict[str, str] = {}
    notes: list[str] = []
    of_intervals: list[str] = []
    if correlations is not None:
        _needs(correlations, ("proxy", "kendall"), "proxy_scatter", "correlations")
        tau = {row["proxy"]: row["kendall"] for row in correlations}
        if "kendall_low" in correlations and "kendall_high" in correlations:
            ends = {
                row["proxy"]: said
                for row in correlations
                if (said := _interval_said([row["kendall_low"], row["kendall_high"]]))
            }
            of_intervals = [note for note in correlations.notes if "resamples" in note] if ends else []
        names.sort(key=lambda name: (tau.get(name) is None, -(tau.get(name) or 0.0)))
        if tau.get(CEILING) is not None:
            notes.append(f"Noise ceiling: tau = {tau[CEILING]:.2f} between the accuracies of two seeds.")
    heads = {}
    for name in names:
        known_tau = (
            f"τ = {tau[name]:.2f}{ends.get(name, '')}"
            if tau.get(name) is not None
            else "τ undefined"
            if name in tau
            else ""
        )
        heads[name] = [_safe(name), *([known_tau] if known_tau else []), *_off_axis(pool.score(name))]
    tallest = max(map(len, heads.values()))
    across = min(len(names), 4 if len(names) <= 12 else 6)
    down = math.ceil(len(names) / across)
    figure = _figure(max(1.95 * across + 0.5, 5.0), (1.65 + 0.13 * tallest) * down + 1.1)
    grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        _scatter(axes, pool.score(name), pool.accuracy)
        axes.set_title("\n".join(heads[name]), fontsize=NORMAL)
    scales = {axes.get_xscale() for axes in grid[: len(names)]}
    for axes in grid[len(names) :]:
        axes.remove()
    figure.supylabel(_metric_said(pool.metric), fontsize=NORMAL)
    across_said = "Across: the score" + (", higher is better" if pool.oriented else " with its raw sign")
    if scales & {"log", "symlog"}:
        across_said += "; powers of ten are a logarithmic axis" + (
            ", around 0 a linear one" if "symlog" in scales else ""
        )
    notes.append(across_said + ".")
    if any(np.isinf(pool.score(name)).any() for name in names):
        notes.append("Red triangles at an edge: infinite scores.")
    if proxies is None:
        notes += [
            f"Not drawn, because no arch has a score of it: {pool.why_unscored(name)}."
            for name in pool.unscored
        ]
    if correlations is not None:
        notes.append("τ: Kendall's tau-b" + (", in brackets its bootstrap interval." if ends else "."))
    _titled(figure, f"Scores against {pool.metric}: {pool.name}", [" ".join(notes), *of_intervals])
    return figure


def _off_axis(scores: Floats) -> list[str]:
    """What the axis of a panel does not show of its scores, in words."""
    said = []
    finite, absent = scores[np.isfinite(scores)], int(np.isnan(scores).sum())
    largest = float(np.abs(finite).max()) if len(finite) else 0.0
    if is_rounding(finite):
        said.append("equal but for rounding")
    if len(finite) and not _drawable(finite):
        said.append(f"score / {largest:.3g}")
    said += [
        f"{int((scores == endless).sum()):,} {endless:+}"
        for endless in (-math.inf, math.inf)
        if (scores == endless).any()
    ]
    if absent:
        said.append("no arch has a score" if absent == len(scores) else f"{absent:,} without score")
    return ["; ".join(said)] if said else []


def _drawable(finite: Floats) -> bool:
    """Whether an axis can hold them: it overflows near the ends of float64."""
    largest = float(np.abs(finite).max())
    return not (largest > 1e290 or 0 < largest < 1e-290)


def _scatter(axes: Axes, scores: Floats, accuracy: Floats) -> None:
    finite = np.isfinite(scores)
    if finite.any():
        if not _drawable(scores[finite]):
            scores = scores / float(np.abs(scores[finite]).max())
        _score_axis(axes, scores[finite])
    else:
        axes.set_xticks([])
    axes.scatter(scores[finite], accuracy[finite], **_dots(len(scores)), color=BLUE)
    for endless, at, marker in ((-math.inf, 0.03, "<"), (math.inf, 0.97, ">")):
        there = scores == endless
        if there.any():
            axes.scatter(
                np.full(there.sum(), at), accuracy[there], transform=axes.get_yaxis_transform(), color=RED, marker=marker, s=9, linewidths=0,
            )  # fmt: skip
    _plain_axes(axes, "both")
    axes.tick_params(labelsize=6)


def limits(
    picks: Frame,
    cost: str = "macs",
    table: Frame | None = None,
    highlight: Iterable[str] | None = None,
    spacing: str = "even",
    metric: str = "accuracy",
) -> Figure:
    """What the proxies pick under each limit of one cost: accuracy and true rank as lines, and the ranks of all of them as a map.

    The highlighted proxies stand side by side at a limit, a few points apart, so that equal picks are all seen.

    Args:
        picks: of `constrained`, or a Report's picks; where the accuracies have bootstrap intervals, the highlighted proxies have whiskers.
        table: `mbr_table` of the same pool, for the mBR of the same cost, and its interval where the table has one, beside the map.
        highlight: up to six proxies in colour; None is those whose picks rank best on average. The others are grey lines.
        spacing: which limits of a Report's picks: "even" or "quantile".
        metric: what the accuracies are, for tasks of imported spaces that have another one (`Pool.metric`).

    Raises:
        UnknownNameError: a Frame without these columns, a cost without limits in it, a highlighted proxy that is not in it.
        UsageError: nothing picked under any limit, or more than six highlighted.
        ImportError: matplotlib is not installed.
    """
    part = _of_cost(picks, cost, "limits", spacing)
    lines, x, said, sizes = _lines(part)
    ranked = [name for name in _by_rank(lines) if name not in REFERENCES]
    chosen = _highlighted(highlight, ranked)
    mbr: dict[str, Any] = {}
    if table is not None:
        _needs(table, ("proxy", f"mbr_{cost}"), "limits", "mbr_table")
        ends = [f"mbr_{cost}_low", f"mbr_{cost}_high"]
        mbr = {
            row["proxy"]: _number(row[f"mbr_{cost}"])
            + _interval_said([row[end] for end in ends if end in table])
            for row in table
        }
    rows = [
        *(name for name in (ORACLE, *ranked, RANDOM) if name in lines),
        *([CEILING] if CEILING in mbr else []),
    ]
    figure = _figure(11.5, max(5.6, 2.2 + 0.185 * len(rows)))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    spec = left.get_subplotspec()
    assert spec is not None
    left.remove()
    inner = spec.subgridspec(2, 1)
    top = figure.add_subplot(inner[0])
    bottom = figure.add_subplot(inner[1], sharex=top)
    _limit_axis(bottom, cost, x, said)
    top.tick_params(labelbottom=False)
    share = {name: values["true_rank"] / sizes for name, values in lines.items()}
    _draw_lines(top, x, lines, "accuracy", np.ones(len(x)), chosen, ranked)
    _draw_lines(bottom, x, lines, "true_rank", sizes, chosen, ranked)
    top.set_ylabel(_metric_said(metric, "pick"))
    bottom.set_ylabel("true rank / archs within the limit")
    bottom.set_ylim(bottom=0)
    _legend_below(bottom)
    cells = np.array([share.get(name, np.full(len(x), np.nan)) for name in rows])
    image = right.imshow(np.ma.masked_invalid(cells), aspect="auto", cmap="cividis_r", vmin=0, vmax=1)
    for r, name in enumerate(rows):
        for b in range(len(x)):
            rank = lines[name]["true_rank"][b] if name in lines else math.nan
            text = (
                "-"
                if math.isnan(rank)
                else f"{rank:,.0f}"
                if rank == round(rank) or rank >= 100
                else f"{rank:.1f}"
            )
            dark = not math.isnan(cells[r, b]) and cells[r, b] > 0.55
            right.text(
                b, r, text, ha="center", va="center", fontsize=SMALL, color="white" if dark else "black"
            )
    shown = [_safe(name) + (f"   {mbr.get(name, '-')}" if mbr else "") for name in rows]
    right.set_yticks(range(len(rows)), shown, fontsize=SMALL)
    short = [
        _engineered(limit) if not math.isnan(limit) else "joint"
        for limit in part["limit"][: len(part) : len(lines)].tolist()
    ]
    right.set_xticks(
        range(len(x)),
        [f"{one}\nN = {size:,.0f}" for one, size in zip(short, np.nan_to_num(sizes), strict=True)],
        fontsize=SMALL,
    )
    right.set_xlabel(f"limit on {cost}, and archs within it", fontsize=NORMAL)
    right.set_title(
        "true rank of the pick (0 is best)" + (f"; beside the names: mBR by {cost}" if mbr else ""),
        fontsize=NORMAL,
    )
    bar = figure.colorbar(image, ax=right, fraction=0.05, aspect=max(30, 1.4 * len(rows)))
    bar.set_label("true rank / archs within the limit", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    _titled(
        figure,
        f"Under {_spacing_said(picks, spacing)}limits of {cost}. {picks.title}",
        _picks_notes(picks, table),
    )
    return figure


def _draw_lines(
    axes: Axes,
    x: Floats,
    lines: Mapping[str, Mapping[str, Floats]],
    key: str,
    per: Floats,
    chosen: Sequence[str],
    ranked: Sequence[str],
) -> None:
    """`key` of every line, over `per`: the chosen in colour, the others in grey, oracle and random pick dashed."""
    others = [name for name in ranked if name not in chosen]
    for at, name in enumerate(others):
        word = f"{len(others)} others" if len(others) > 1 else _safe(name)
        axes.plot(
            x,
            lines[name][key] / per,
            color=PALE,
            linewidth=0.8,
            marker=".",
            markersize=3,
            zorder=1,
            label="_" if at else word,
        )
    for at, name in enumerate(chosen):
        style: dict[str, Any] = {
            "color": CYCLE[at],
            "linestyle": DASHES[at],
            "marker": MARKERS[at],
            "markersize": 4,
            "linewidth": 1.4,
        }
        _beside(
            axes, x, lines[name], key, per, at - (len(chosen) - 1) / 2, zorder=3, label=_safe(name), **style
        )
    for name, colour, dash in ((ORACLE, BLACK, ":"), (RANDOM, GREY, "--")):
        if name in lines:
            word = "oracle: the best arch" if name == ORACLE else "random pick"
            alone = "_" if len(x) == 1 else ""  # one limit is no line
            axes.plot(
                x,
                lines[name][key] / per,
                color=colour,
                linestyle=dash,
                linewidth=1.6,
                marker=alone,
                markersize=14,
                zorder=2,
                label=word,
            )
    _plain_axes(axes, "both")


def _beside(
    axes: Axes, x: Floats, values: Mapping[str, Floats], key: str, per: Floats, place: float, **style: Any
) -> None:
    """One line, with whiskers where its accuracies have intervals, `place` steps to the right of where it is, so that equal lines do not hide each
    other's markers; what lies on the axis is drawn whole."""
    from matplotlib.transforms import ScaledTranslation

    whole: Any = axes.figure
    aside = ScaledTranslation(APART * place / 72, 0, whole.dpi_scale_trans)
    drawn: list[Any] = axes.plot(x, values[key] / per, clip_on=False, **style)
    if (
        key == "accuracy" and "accuracy_low" in values
    ):  # a resample has another number of archs within the limit: its ranks are no share of this one
        ends = (values["accuracy_low"], values["accuracy_high"])
        drawn.append(
            axes.vlines(
                x, *ends, color=style["color"], linewidth=0.8, alpha=0.6, zorder=style.get("zorder", 2)
            )
        )
    for one in drawn:
        one.set_transform(axes.transData + aside)


def _picks_notes(picks: Frame, *others: Frame | None) -> list[str]:
    """Under figures of picks: what their whiskers are, and the notes of the tables, each once."""
    said = "Markers stand side by side at a limit, so that equal picks are all seen."
    if "accuracy_low" in picks:
        said += " Whiskers: bootstrap intervals of the accuracy."
    return list(
        dict.fromkeys(
            [said, *(note for frame in (picks, *others) if frame is not None for note in frame.notes)]
        )
    )


def _interval_said(ends: Sequence[float | None]) -> str:
    return f" [{ends[0]:.2f}, {ends[1]:.2f}]" if len(ends) == 2 and None not in ends else ""


def factor_radars(
    frame: Frame,
    importance: str = "permutation",
    targets: Iterable[str] | None = None,
    metric: str = "accuracy",
) -> Figure:
    """What each target depends on: a radar per target with a bar on the spoke of each stage feature, on its own scale, which its title says.

    Targets whose model does not fit are grey and hatched and say so: their importances mean nothing. Importances below 0 are drawn as 0; whiskers
    are the standard error of the permutation importance. Inputs that repeat another one have no spoke, except for gain, where they may hold it all.

    Args:
        frame: of `factors`.
        importance: "permutation", "gain" or "gain_unique".
        targets: of the frame; None is all, accuracy first.
        metric: what the accuracies are, as in `limits`.

    Raises:
        UnknownNameError: a Frame without these columns, another importance, a target that is not in it.
        UsageError: no targets, or no factors.
        ImportError: matplotlib is not installed.
    """
    if importance not in (kinds := ("permutation", "gain", "gain_unique")):
        raise unknown_name("importance", importance, kinds)
    _needs(
        frame,
        ("target", "factor", "same_as", importance, "r2", "fits", "num_archs", "reason"),
        "factor_radars",
        "factors",
    )
    known = list(dict.fromkeys(frame["target"].tolist()))
    names = sorted(known, key=lambda name: name != "accuracy") if targets is None else list(targets)
    for name in names:
        if name not in known:
            raise unknown_name("target", name, known)
    if not names:
        raise UsageError(f"no targets to draw of {frame.title or 'the frame'}")
    across = min(len(names), 3 if len(names) <= 6 else 5 if len(names) <= 20 else 6)
    down = math.ceil(len(names) / across)
    figure = _figure(max(2.55 * across + 0.3, 5.2), 2.55 * down + 0.9)
    grid = figure.subplots(down, across, squeeze=False, subplot_kw={"projection": "polar"}).ravel()
    for axes, name in zip(grid, names, strict=False):
        _radar(axes, frame.only(frame["target"] == name), importance, metric if name == "accuracy" else name)
    for axes in grid[len(names) :]:
        axes.remove()
    meaning = {
        "permutation": "R² lost on held-out archs when the factor is exchanged between archs",
        "gain": "mean gain of the splits, shares of 1",
        "gain_unique": "mean gain of the splits without repeated inputs, shares of 1",
    }[importance]
    notes = [
        "The outer ring is the importance in the title, the inner ring half of it. Black: the standard error of permutations."
    ]
    if importance != "permutation":
        notes = ["The outer ring is the importance in the title, the inner ring half of it."]
    if "s1_out" in frame["factor"].tolist():
        notes.append(
            "out, depth, stride: width, blocks and stride of a stage; s4: the whole fourth stage and whether there is one."
        )
    if not np.asarray(frame["fits"], bool).all():
        notes.append("Grey, hatched: do not read, the model does not fit.")
    _titled(figure, f"Importance by {importance} ({meaning}): {frame.title}", [" ".join(notes), *frame.notes])
    return figure


def _radar(axes: Any, rows: Frame, importance: str, said: str) -> None:
    kept = rows.only(np.array([importance == "gain" or row["same_as"] is None for row in rows]))
    kept = kept.only(
        np.array([importance == "permutation" or row["factor"] in _inputs(rows) for row in kept])
    )
    if not len(kept):
        raise UsageError(f"no factors of {rows['target'][0]} to draw")
    first = next(iter(rows))
    value = np.clip(np.nan_to_num(np.asarray(kept[importance], np.float64)), 0, None)
    fits = bool(first["fits"])
    colour = GREY if not fits else RED if first["target"] == "accuracy" else BLUE
    angle = np.linspace(0, 2 * math.pi, len(kept), endpoint=False)
    names: list[str] = kept["factor"].tolist()
    error = (
        np.nan_to_num(np.asarray(kept["permutation_se"], np.float64))
        if importance == "permutation"
        else np.zeros(len(kept))
    )
    high = float((value + error).max()) or 1.0
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, high)
    axes.set_yticks([high / 2], [])
    axes.set_xticks(angle, [])
    for at, name in zip(angle.tolist(), names, strict=True):
        across, up = math.sin(at), math.cos(at)
        place = {
            "ha": "center" if abs(across) < 0.1 else "left" if across > 0 else "right",
            "va": "center" if abs(up) < 0.9 else "bottom" if up > 0 else "top",
        }
        axes.text(at, high * 1.08, name, fontsize=6, **place)
    axes.spines["polar"].set_color(PALE)
    axes.grid(color=PALE, linewidth=0.5)
    head = _safe(said)
    if first["reason"] is not None:
        axes.set_yticks([])
        axes.text(
            0.5,
            0.5,
            textwrap.fill(f"no model: {first['reason']}", 18),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=SMALL,
        )
        axes.set_title(f"{head}\nN = {first['num_archs']:,}", fontsize=NORMAL, color=GREY, pad=16)
        return
    width = 2 * math.pi / len(kept) * 0.55
    axes.bar(
        angle,
        value,
        width,
        color=colour,
        alpha=0.8 if fits else 0.35,
        hatch=None if fits else "////",
        edgecolor="white",
        linewidth=0.3,
        zorder=1,
    )
    for at, middle, half in zip(angle.tolist(), value.tolist(), error.tolist(), strict=True):
        axes.plot([at, at], [max(middle - half, 0), middle + half], color=BLACK, linewidth=0.9, zorder=3)
    fit = f"R² = {first['r2']:.2f}" + ("" if fits else ", does not fit")
    scale = (
        f"outer ring {high:.2f}" if high >= 0.1 else f"outer ring {high:.2g}"
    )  # not on the ring, where it would lie over the names of the spokes
    axes.set_title(
        f"{head}\n{fit}, N = {first['num_archs']:,}\n{scale}",
        fontsize=NORMAL,
        color=GREY if not fits else BLACK,
        pad=16,
    )


def _inputs(rows: Frame) -> set[str]:
    """Factors that are inputs of the model: a whole stage is none, it has no gain."""
    return {
        row["factor"]
        for row in rows
        if row["gain"] is not None or "_" in row["factor"] or row["factor"] == "stem"
    }


def best_archs(picks: Frame, cost: str = "macs", budget: int | None = None, spacing: str = "even") -> Figure:
    """The archs that the proxies pick under one limit, a panel per arch, best first: a box per stage, as high as its width, as long as its depth.

    Proxies that pick the same arch share its panel. Where several archs tie as a proxy's best, the first is drawn and their number is said.

    Args:
        picks: of `constrained`, or a Report's picks.
        budget: number of the limit, from 1; None is the last, which admits every arch that has the cost unless you gave limits.
        spacing: which limits of a Report's picks: "even" or "quantile".

    Raises:
        UnknownNameError: a Frame without these columns, or a cost without limits in it.
        UsageError: no such limit, nothing picked under it, or archs of an imported space, which are no stages of blocks.
        ImportError: matplotlib is not installed.
    """
    from nbzero.spaces.macro import Arch
    from nbzero.spaces.published import space_of

    part = _of_cost(picks, cost, "best_archs", spacing)
    numbers = sorted(set(part["budget"].tolist()))
    budget = numbers[-1] if budget is None else budget
    if budget not in numbers:
        raise UsageError(f"budget {budget!r}; the picks have limits {numbers[0]} to {numbers[-1]} of {cost}")
    rows = [row for row in part.only(part["budget"] == budget) if row["arch"] is not None]
    if not rows:
        raise UsageError(f"nothing was picked under limit {budget} of {cost}: no arch is within it")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["true_rank"], row["proxy"] != ORACLE, row["proxy"])):
        groups.setdefault(row["arch"], []).append(row)
    groups = dict(
        sorted(groups.items(), key=lambda one: _own_row(one[1])["true_rank"])
    )  # by the rank that is said above each
    foreign = next((arch for arch in groups if space_of(arch) is not None), None)
    if foreign is not None:
        raise UsageError(
            f"{foreign!r} is an arch of {space_of(foreign)}, an imported space: it has no stages of blocks to draw"
        )
    archs = {text: Arch.parse(text) for text in groups}
    across = min(len(groups), 4)
    down = math.ceil(len(groups) / across)
    heads = [_picked_by(group) for group in groups.values()]
    tallest = [
        max(head.count("\n") for head in heads[row * across : (row + 1) * across]) + 1 for row in range(down)
    ]
    figure = _figure(max(2.9 * across, 5.5), sum(1.35 + 0.14 * lines for lines in tallest) + 1.1)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    widest = max(stage.width for arch in archs.values() for stage in arch.stages)
    longest = max(sum(stage.depth for stage in arch.stages) for arch in archs.values())
    length = 2.7 * 72 / (longest + 1.4)  # of a block, in points
    for axes, head, arch in zip(grid, heads, archs.values(), strict=False):
        _draw_arch(axes, arch, widest, length)
        axes.set_title(head, fontsize=SMALL, loc="left")
        axes.set_xlim(-1.2, longest + 0.2)
        axes.set_ylim(-0.72 * widest, 0.84 * widest)
    for axes in grid[len(groups) :]:
        axes.remove()
    limit = (
        rows[0]["constraint"]
        if math.isnan(rows[0]["limit"] or math.nan)
        else f"{cost} <= {_engineered(rows[0]['limit'])}"
    )
    notes = [
        "Length: blocks of a stage (d, below). Height: its output channels (above). Colours: stages 1 to 4. Black left edge: the stage halves the "
        "resolution. Grey: stem.",
        *picks.notes,
    ]
    _titled(figure, f"Picked where {limit} (N = {rows[0]['pool_size']:,}). {picks.title}", notes)
    return figure


def _picked_by(group: Sequence[dict[str, Any]]) -> str:
    names = [
        str(row["proxy"]) + (f" (1 of {row['num_tied']} tied)" if row["num_tied"] > 1 else "")
        for row in group
    ]
    own = _own_row(group)
    known = f"accuracy {own['accuracy']:.4f}, true rank {own['true_rank']:.4g}" + (
        ", means of the tied" if own["num_tied"] > 1 else ""
    )
    return _safe(textwrap.fill(", ".join(names), 44)) + f"\n{known}"


def _own_row(group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row whose accuracy and rank are the arch's own: of a proxy that it alone is best for; else the first."""
    return next((row for row in group if row["num_tied"] == 1), group[0])


def _draw_arch(axes: Axes, arch: Any, widest: float, length: float) -> None:
    """One arch; `length` is that of a block in points: a width whose number is longer than its stage stands upright."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((-0.6, -arch.stem / 2), 0.35, arch.stem, facecolor=PALE, edgecolor=BLACK, linewidth=0.5)
    )
    axes.text(-0.43, arch.stem / 2, f"{arch.stem}", ha="center", va="bottom", fontsize=6, color=GREY)
    start = 0
    for number, (depth, width, stride) in enumerate(arch.stages):
        colour = (BLUE, SKY, GREEN, ORANGE)[number]
        axes.add_patch(
            Rectangle((start, -width / 2), depth, width, facecolor=colour, edgecolor="white", linewidth=0.8)
        )
        if stride == 2:
            axes.add_patch(Rectangle((start, -width / 2), 0.13, width, facecolor=BLACK, linewidth=0))
        for block in range(1, depth):
            axes.plot([start + block] * 2, [-width / 2, width / 2], color="white", linewidth=0.5)
        upright = len(f"{width}") * 0.64 * 6 + 1 > depth * length
        axes.text(
            start + depth / 2,
            width / 2 + 0.02 * widest,
            f"{width}",
            ha="center",
            va="bottom",
            fontsize=6,
            rotation=90 if upright else 0,
        )
        axes.text(
            start + depth / 2, -width / 2 - 0.02 * widest, f"d{depth}", ha="center", va="top", fontsize=6
        )
        start += depth
    axes.axis("off")


def hybrid_curves(best: Frame, judged: Frame | None = None) -> Figure:
    """The best combination of every size: its mBR where it was chosen, what chance gives, what it reaches elsewhere, and who is in it.

    Args:
        best: `HybridSearch.table`.
        judged: `HybridSearch.judge` of the same search, on other pools; each pool's line says what it shares with the one of the choice.
            Dotted: the single member that was best where the choice was made; dashed: a random pick; both on that pool.

    Raises:
        UnknownNameError: Frames without these columns.
        UsageError: no combinations.
        ImportError: matplotlib is not installed.
    """
    _needs(
        best,
        ("size", "place", "members", "mbr", "equal", "tried", "chance"),
        "hybrid_curves",
        "HybridSearch.table",
    )
    first = best.only(best["place"] == 1)
    if not len(first):
        raise UsageError(f"no combinations to draw: {best.title or 'the table'} has {len(best)} rows")
    groups: dict[str, list[dict[str, Any]]] = {}
    if judged is not None:
        _needs(
            judged,
            ("size", "members", "space", "dataset", "shares", "mbr", "best_single", "random"),
            "hybrid_curves",
            "HybridSearch.judge",
        )
        for row in judged:
            said = ", ".join(
                [row["space"], row["dataset"], row["recipe"], row["split"], f"seed {row['seed']}"]
            )
            said += f", N = {row['num_archs']:,} ({row['shares']})"
            groups.setdefault(said, []).append(row)
    inside = [set(str(members).split(" + ")) for members in first["members"].tolist()]
    names = sorted(set.union(*inside), key=lambda name: (-sum(name in one for one in inside), name))
    panels = 2 if groups else 1
    figure = _figure(max(5.6 * panels, 7.0), 4.6 + 0.17 * len(names))
    ratios = {"height_ratios": [3.4, max(0.17 * len(names), 0.8)]}
    grid = figure.subplots(2, panels, squeeze=False, sharex=True, sharey="row", gridspec_kw=ratios)
    top: Axes = grid[0, 0]
    size = np.asarray(first["size"], np.float64)
    others = best.only(best["place"] > 1)
    if len(others):
        top.scatter(
            others["size"],
            others["mbr"],
            s=12,
            color=SKY,
            marker="x",
            label="runners-up",
            zorder=2,
            clip_on=False,
        )
    top.plot(
        size,
        first["mbr"],
        color=BLUE,
        marker="o",
        markersize=5,
        label="best, where it was chosen (in-sample)",
        zorder=3,
        clip_on=False,
    )
    if not np.isnan(np.asarray(first["chance"], np.float64)).all():
        top.plot(
            size,
            first["chance"],
            color=GREY,
            linestyle="--",
            label="best of as many by chance (accuracies dealt out at random)",
        )
    top.set_title("where it was chosen", fontsize=NORMAL)
    top.set_ylabel("mBR (0 is the oracle)")
    if groups:
        there: Axes = grid[0, 1]
        for at, (said, rows) in enumerate(groups.items()):
            colour = CYCLE[at % len(CYCLE)]
            x = [row["size"] for row in rows]
            style: dict[str, Any] = {
                "color": colour,
                "marker": MARKERS[at % len(MARKERS)],
                "markersize": 4,
                "clip_on": False,
            }
            there.plot(x, [row["mbr"] for row in rows], label=_safe(said), **style)
            there.plot(x, [row["best_single"] for row in rows], color=colour, linestyle=":", linewidth=1)
            there.plot(x, [row["random"] for row in rows], color=colour, linestyle="--", linewidth=0.8)
        there.set_title("judged elsewhere (dotted: best single member; dashed: random pick)", fontsize=NORMAL)
    for at in range(panels):
        _plain_axes(grid[0, at], "both")
        grid[0, at].tick_params(labelbottom=False)
        _members_map(grid[1, at], first, inside, names)
        _legend_below(grid[1, at], 1, grid[0, at].get_legend_handles_labels()[0])
    top.set_ylim(bottom=0)
    _titled(figure, best.title, dict.fromkeys([*best.notes, *(judged.notes if judged is not None else [])]))
    return figure


def _members_map(axes: Axes, first: Frame, inside: Sequence[set[str]], names: Sequence[str]) -> None:
    size = first["size"]
    for r, name in enumerate(names):
        there = [name in one for one in inside]
        axes.scatter(
            size, [r] * len(size), s=16, color=[BLUE if one else "#ECECEC" for one in there], linewidths=0
        )
    axes.set_yticks(range(len(names)), [_safe(name) for name in names], fontsize=SMALL)
    axes.set_ylim(len(names) - 0.4, -0.6)
    few = len(size) <= 12  # the numbers below are as wide as the columns are with more
    axes.set_xticks(
        size,
        [f"{one}\n{tried:,}" if few else f"{one}" for one, tried in zip(size, first["tried"], strict=True)],
        fontsize=SMALL,
    )
    axes.set_xlabel(
        "members of the combination"
        + (", and how many such were tried" if few else "")
        + "; dots: who is in it",
        fontsize=NORMAL,
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def before_after(
    picks: Frame,
    combined: Mapping[str, Sequence[str]],
    cost: str = "macs",
    spacing: str = "even",
    metric: str = "accuracy",
) -> Figure:
    """Proxies alone (before, hollow) and combined (after, solid) under limits of one cost: accuracy and true rank of the pick. A column each.

    Args:
        picks: `constrained` of a pool whose scores hold the combinations too; bootstrap intervals of the accuracies that it has are whiskers.
        combined: name of a combination in the picks -> its members, up to six.
        spacing, metric: as in `limits`.

    Raises:
        UnknownNameError: a Frame without these columns, a cost without limits in it, a name that is not in it.
        UsageError: no combinations, none or more than six members, or nothing picked under any limit.
        ImportError: matplotlib is not installed.
    """
    part = _of_cost(picks, cost, "before_after", spacing)
    lines, x, said, sizes = _lines(part)
    if not combined:
        raise UsageError("no combinations to draw; give their names in the picks, with the members of each")
    for name, members in combined.items():
        for one in (name, *members):
            if one not in lines:
                raise unknown_name("proxy", one, lines)
        if not 1 <= len(members) <= SHOWN:
            raise UsageError(
                f"{name} has {len(members)} members; {SHOWN} can be told apart, and one is needed"
            )
    every = list(dict.fromkeys(one for members in combined.values() for one in members))
    figure = _figure(max(4.3 * len(combined), 6.5), 6.4)
    grid = figure.subplots(2, len(combined), squeeze=False, sharex=True, sharey="row")
    for at, (name, members) in enumerate(combined.items()):
        for axes, key, per in ((grid[0, at], "accuracy", np.ones(len(x))), (grid[1, at], "true_rank", sizes)):
            for place, one in enumerate(members):
                m = (every if len(every) <= SHOWN else list(members)).index(
                    one
                )  # one colour in all columns, where there are enough
                style: dict[str, Any] = {
                    "color": CYCLE[m],
                    "linestyle": DASHES[m],
                    "marker": MARKERS[m],
                    "markerfacecolor": "white",
                }
                aside = place - len(members) / 2
                _beside(
                    axes,
                    x,
                    lines[one],
                    key,
                    per,
                    aside,
                    linewidth=1.1,
                    markersize=5,
                    label=f"{_safe(one)} alone",
                    **style,
                )
            style = {"color": BLACK, "linewidth": 2.2, "marker": "o", "markersize": 5, "zorder": 3}
            _beside(axes, x, lines[name], key, per, len(members) / 2, label="combined", **style)
            for one, colour, dash in ((ORACLE, BLACK, ":"), (RANDOM, GREY, "--")):
                if one in lines:
                    word = "oracle" if one == ORACLE else "random pick"
                    axes.plot(
                        x, lines[one][key] / per, color=colour, linestyle=dash, linewidth=1.2, label=word
                    )
            _plain_axes(axes, "both")
        _limit_axis(grid[1, at], cost, x, said)
        grid[0, at].tick_params(labelbottom=False)
        grid[0, at].set_title(_safe(textwrap.fill(name, 46)), fontsize=NORMAL)
        _legend_below(grid[1, at], 2)
    grid[0, 0].set_ylabel(_metric_said(metric, "pick"))
    grid[1, 0].set_ylabel("true rank / archs within the limit")
    grid[1, 0].set_ylim(bottom=0)
    _titled(
        figure,
        f"Alone and combined, under {_spacing_said(picks, spacing)}limits of {cost}. {picks.title}",
        _picks_notes(picks),
    )
    return figure


# From a Bench to a figure


@dataclass(frozen=True)
class Drawing:
    """One kind of figure.

    Attributes:
        name: in `FIGURES`.
        number: of the figure in the paper.
        function: draws it from tables.
        meaning: what it shows, in a line.
        draw: Bench and Pool on the caller's split to figure.
    """

    name: str
    number: int
    function: Callable[..., Figure]
    meaning: str
    draw: Callable[[Bench, Pool], Figure]

    def make(
        self,
        bench: Bench,
        space: str,
        dataset: str,
        recipe: str | None = None,
        split: Split = "val",
        proxies: Iterable[str] | None = None,
        protocol: str | None = None,
        seed: Seed = None,
        where: str | None = None,
        score_seed: Seed = None,
    ) -> Figure:
        """The figure of one space and data set; arguments and errors as `pool.pool_of`, and errors of the tables that it draws.

        Raises:
            UsageError: a figure that needs a cost or members that the pool does not have.
            ImportError: matplotlib, or for factors xgboost, is not installed.
        """
        from nbzero.pool import pool_of

        return self.draw(
            bench,
            pool_of(bench, space, dataset, recipe, protocol, seed, split, proxies, True, where, score_seed),
        )


def _cost_of(pool: Pool, cost: str | None = None) -> str:
    """The cost asked for, or the first that the pool has."""
    name = next(iter(pool.costs), None) if cost is None else cost
    if name not in pool.costs:
        asked = "a cost: macs, params or depth" if cost is None else cost
        raise UsageError(
            f"this figure needs {asked}, and {pool.space} has {', '.join(pool.costs) or 'none of macs, params and depth'}; draw another"
        )
    return str(name)


RESAMPLES = 200  # of the intervals in recipes
NAMED = ("zen_macs", "best_four")  # combinations drawn before and after


def _with_accuracy_intervals(pool: Pool, cost: str) -> Frame:
    """`constrained` under even limits, with intervals under these very limits, where a number of limits would be laid anew in each resample."""
    from nbzero.constrained import constrained

    limit = constrained(replace(pool, scores={}), cost)["limit"].tolist()
    return constrained(pool, cost, list(dict.fromkeys(limit)), resamples=RESAMPLES)


def _make_mbr(bench: Bench, pool: Pool) -> Figure:
    from nbzero.constrained import mbr_table, seed_accuracies

    _cost_of(pool)
    return mbr_bars(mbr_table(pool, accuracies=seed_accuracies(bench, pool), resamples=RESAMPLES))


def _make_distributions(bench: Bench, pool: Pool) -> Figure:
    return distributions(pool)


def _make_scatter(bench: Bench, pool: Pool) -> Figure:
    from nbzero.constrained import correlations, seed_accuracies, with_tau_intervals

    return proxy_scatter(
        pool, with_tau_intervals(pool, correlations(pool, accuracies=seed_accuracies(bench, pool)), RESAMPLES)
    )


def _make_limits(cost: str) -> Callable[[Bench, Pool], Figure]:
    def make(bench: Bench, pool: Pool) -> Figure:
        from nbzero.constrained import mbr_table, seed_accuracies

        picks = _with_accuracy_intervals(pool, _cost_of(pool, cost))
        return limits(
            picks,
            cost,
            mbr_table(pool, cost, accuracies=seed_accuracies(bench, pool), resamples=RESAMPLES),
            metric=pool.metric,
        )

    return make


def _make_factors(bench: Bench, pool: Pool) -> Figure:
    from nbzero.factors import ACCURACY, sample_of
    from nbzero.judge.factors import factors

    own: Any = {
        "recipe": pool.recipe,
        "protocol": pool.protocol or None,
        "seed": pool.seed,
        "split": pool.split,
        "score_seed": pool.score_seed,
    }
    sample = sample_of(
        bench, pool.space, pool.dataset, [ACCURACY, *pool.scores, *pool.unscored], where=pool.where, **own
    )
    return factor_radars(factors(sample), metric=pool.metric)


def _make_archs(bench: Bench, pool: Pool) -> Figure:
    from nbzero.constrained import constrained

    cost = _cost_of(pool)
    return best_archs(constrained(pool, cost), cost)


def _make_hybrid(bench: Bench, pool: Pool) -> Figure:
    """Chosen on val; judged on the other spaces that have the same runs and members and, where the caller typed split="test", on test. `where`
    holds in all of them; a space that lacks one of its columns or has no measured arch there is not judged on, and the notes say why."""
    from nbzero.hybrid import PAPER, best_hybrids
    from nbzero.pool import pool_of

    cost = _cost_of(pool)
    there = list(pool.scores_and_costs)
    members = (
        there
        if len(there) <= len(PAPER)
        else [name for name in there if name in PAPER] or there[: len(PAPER)]
    )
    stored = [name for name in members if name in pool.scores]
    where = pool.where
    own: Any = {
        "recipe": pool.recipe,
        "seed": pool.seed,
        "split": pool.split,
        "where": where,
        "score_seed": pool.score_seed,
    }
    chosen_on = pool
    if pool.split != "val":
        chosen_on = pool_of(
            bench,
            pool.space,
            pool.dataset,
            proxies=stored,
            protocol=pool.protocol or None,
            **own | {"split": "val"},
        )
    found = best_hybrids(chosen_on, members, costs=cost)
    others, notes = (
        [] if pool.split == "val" else [pool],
        [f"Here and elsewhere only archs where {where}."] if where else [],
    )
    for space in bench.spaces:
        if space == pool.space or pool.recipe not in bench.recipes(space, pool.dataset):
            continue
        protocol = pool.protocol if pool.protocol in bench.protocols(space, pool.dataset) else None
        try:
            other = pool_of(bench, space, pool.dataset, protocol=protocol, **own)
        except (UnknownNameError, ValueError) as error:
            notes.append(f"Not judged on {space}: {error}.")
            continue
        lacking = [name for name in members if name not in other.scores and name not in other.costs]
        lacking += [cost] if cost not in (*other.costs, *lacking) else []
        if lacking:
            notes.append(f"Not judged on {space}, which has no {', '.join(lacking)}.")
        else:
            others.append(other)
    best = found.table()
    best = Frame({name: best[name] for name in best.columns}, best.title, [*best.notes, *notes])
    return hybrid_curves(best, found.judge(others) if others else None)


def _make_before_after(bench: Bench, pool: Pool) -> Figure:
    from nbzero.hybrid import HYBRIDS

    cost = _cost_of(pool)
    there = pool.scores_and_costs
    hybrids = [
        hybrid
        for name, hybrid in HYBRIDS.items()
        if name in NAMED and all(member in there for member in hybrid.members)
    ]
    if not hybrids:
        needed = "; ".join(f"{name} needs {', '.join(HYBRIDS[name].members)}" for name in NAMED)
        raise UsageError(
            f"{pool.name} lacks members of every named combination: {needed}; draw your own with plots.before_after"
        )
    members = {member: there[member] for hybrid in hybrids for member in hybrid.members}
    scores = {**members, **{hybrid.name: hybrid.scores(pool) for hybrid in hybrids}}
    return before_after(
        _with_accuracy_intervals(replace(pool, scores=scores), cost),
        {hybrid.name: hybrid.members for hybrid in hybrids}, cost, metric=pool.metric,
    )  # fmt: skip


FIGURES: Mapping[str, Drawing] = {
    drawing.name: drawing
    for drawing in (
        Drawing("mbr", 1, mbr_bars, "mean best ranking of every proxy, with intervals", _make_mbr),
        Drawing(
            "distributions",
            2,
            distributions,
            "accuracy against each cost, and how they are spread",
            _make_distributions,
        ),
        Drawing("scatter", 3, proxy_scatter, "every proxy's score against accuracy", _make_scatter),
        Drawing(
            "macs",
            4,
            limits,
            "accuracy and true rank of the picks under limits of macs",
            _make_limits("macs"),
        ),
        Drawing(
            "params",
            5,
            limits,
            "accuracy and true rank of the picks under limits of params",
            _make_limits("params"),
        ),
        Drawing(
            "depth",
            6,
            limits,
            "accuracy and true rank of the picks under limits of depth",
            _make_limits("depth"),
        ),
        Drawing(
            "factors",
            7,
            factor_radars,
            "which stage features drive each proxy and the accuracy (needs xgboost)",
            _make_factors,
        ),
        Drawing("archs", 8, best_archs, "the arch that each proxy likes best, drawn", _make_archs),
        Drawing(
            "hybrid",
            9,
            hybrid_curves,
            "the best combination of every size, chosen on val, and judged elsewhere",
            _make_hybrid,
        ),
        Drawing("combined", 10, before_after, "proxies alone and combined under limits", _make_before_after),
    )
}


def drawing(name: str) -> Drawing:
    """A kind of figure by name; UnknownNameError with near matches for any other.

    >>> drawing("mbr").number
    1
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    return FIGURES[name]


# What the figures share


def _figure(width: float, height: float) -> Figure:
    """An empty figure in inches; no pyplot, so nothing keeps it alive."""
    needs("a figure", "matplotlib")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=110)


def _titled(figure: Figure, title: str, notes: Iterable[str] = ()) -> None:
    """Title on top and notes at the foot, wrapped to the figure's width; the figure grows by what they take."""
    width, height = figure.get_size_inches()
    head, foot = (
        _wrapped(title, width, LARGE),
        "\n".join(_wrapped(note, width, SMALL) for note in notes if note),
    )
    figure.suptitle(head, fontsize=LARGE)
    if foot:
        figure.supxlabel(foot, x=0.01, ha="left", fontsize=SMALL, color=GREY)
    figure.set_size_inches(
        width, height + 0.18 * head.count("\n") + (0.12 * (foot.count("\n") + 1) if foot else 0)
    )


def _wrapped(text: str, inches: float, points: float) -> str:
    """Lines that fit: a character of the default font is about 0.58 of its size wide."""
    whole = text.replace("N = ", "N\u00a0=\u00a0")  # no break inside
    return _safe(textwrap.fill(whole, max(20, int(inches * 72 / (0.58 * points)))).replace("\u00a0", " "))


def _safe(text: str) -> str:
    """Text in which a dollar is a dollar, not the beginning of a formula."""
    return str(text).replace("$", r"\$")


def _spacing_said(picks: Frame, spacing: str) -> str:
    """Only a Report's picks say how their limits were set."""
    return f"{spacing} " if "spacing" in picks else ""


def _column_said(column: str) -> str:
    words = column.removeprefix("quantile_").removeprefix("mbr_")
    over = (
        "ranks as fractions of their own pool" if words.endswith("_pool") else "ranks as fractions of all N"
    )
    cost = words.removesuffix("_pool")
    limited = "limits of all costs together" if cost == "union" else f"limits of {cost}"
    return ("quantile " if column.startswith("quantile_") else "") + f"{limited} ({over})"


def _metric_said(metric: str, of: str = "") -> str:
    unit = metric_unit(metric)
    return f"{metric} of the {of}\n({unit})" if of else f"{metric} ({unit})"


def metric_unit(metric: str) -> str:
    """What an axis says of a metric beside its name: only accuracies have a unit that all share."""
    return "fraction of images" if metric == "accuracy" else "higher is better"


def _needs(frame: Frame, columns: Iterable[str], figure: str, maker: str) -> None:
    if not isinstance(frame, Frame):
        raise UsageError(f"{figure} draws a Frame of {maker}, not {type(frame).__name__}")
    for column in columns:
        if column not in frame:
            error = unknown_name("column", column, frame.columns)
            raise type(error)(
                f"{figure} draws a Frame of {maker}, and this one ({frame.title or 'untitled'}) is another: {error}"
            )
    if not len(frame):
        raise UsageError(f"nothing to draw: {frame.title or 'the frame'} has no rows")


def _pools_there(pools: Sequence[Pool], figure: str) -> None:
    if not pools:
        raise UsageError(f"no pools to draw; {figure} takes one or more (nbzero.pool.pool_of)")
    metrics = sorted({pool.metric for pool in pools})
    if len(metrics) > 1:
        raise UsageError(f"pools of different metrics ({', '.join(metrics)}) in one figure; draw them apart")


def _of_cost(picks: Frame, cost: str, figure: str, spacing: str) -> Frame:
    columns = (
        "cost",
        "budget",
        "limit",
        "constraint",
        "proxy",
        "arch",
        "accuracy",
        "true_rank",
        "num_tied",
        "pool_size",
    )
    _needs(picks, columns, figure, "constrained")
    part = picks
    if "spacing" in picks:
        if spacing not in (known := list(dict.fromkeys(picks["spacing"].tolist()))):
            raise unknown_name("spacing", spacing, known)
        part = picks.only(picks["spacing"] == spacing)
    if cost not in (known := list(dict.fromkeys(part["cost"].tolist()))):
        raise unknown_name("cost", cost, known)
    part = part.only(part["cost"] == cost)
    if not part["pool_size"].any():
        raise UsageError(
            f"nothing to draw: every limit on {cost} is below every arch ({'; '.join(dict.fromkeys(part['constraint'].tolist()))})"
        )
    return part


def _lines(part: Frame) -> tuple[dict[str, dict[str, Floats]], Floats, list[str], Floats]:
    """Proxy -> its accuracies and true ranks by limit, with the ends of their intervals if there are any; where the limits are drawn; what they
    are; how many archs are within each (NaN if none)."""
    names = list(dict.fromkeys(part["proxy"].tolist()))
    keys = [
        f"{key}{end}"
        for key in ("accuracy", "true_rank")
        for end in ("", "_low", "_high")
        if f"{key}{end}" in part
    ]
    lines = {}
    for name in names:
        rows = part.only(part["proxy"] == name)
        lines[name] = {key: np.asarray(rows[key], np.float64) for key in keys}
    one = part.only(part["proxy"] == names[0])
    limit, sizes = np.asarray(one["limit"], np.float64), np.asarray(one["pool_size"], np.float64)
    x = np.asarray(one["budget"], np.float64) if np.isnan(limit).any() else limit
    return lines, x, [] if x is limit else one["constraint"].tolist(), np.where(sizes > 0, sizes, np.nan)


def _by_rank(lines: Mapping[str, Mapping[str, Floats]]) -> list[str]:
    """The names by the mean true rank of their picks; last those that pick nothing."""
    ranks = {name: values["true_rank"][~np.isnan(values["true_rank"])] for name, values in lines.items()}
    return sorted(lines, key=lambda name: float(ranks[name].mean()) if len(ranks[name]) else math.inf)


def _highlighted(asked: Iterable[str] | None, ranked: Sequence[str]) -> list[str]:
    names = list(ranked[:SHOWN]) if asked is None else list(dict.fromkeys(asked))
    for name in names:
        if name not in ranked:
            raise unknown_name("proxy", name, ranked)
    if len(names) > SHOWN:
        raise UsageError(f"{len(names)} proxies to highlight; {SHOWN} colours can be told apart: name fewer")
    return names


def _limit_axis(axes: Axes, cost: str, x: Floats, said: Sequence[str]) -> None:
    if said:
        axes.set_xticks(x, [textwrap.fill(one, 24) for one in said], fontsize=SMALL)
    else:
        _cost_axis(axes, cost, x)
    axes.set_xlabel(f"limit on {_in_units(cost)}")  # instead of the cost's own


def _in_units(cost: str) -> str:
    return f"{cost} ({UNITS[cost]})" if cost in UNITS else cost


def _cost_axis(axes: Axes, cost: str, values: Floats) -> bool:
    """Label and scale of a cost; whether it is logarithmic."""
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = float(values.min()), float(values.max())
    log = low > 0 and high / low > SKEWED
    axes.set_xlabel(_in_units(cost) + (", log scale" if log else ""))
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if high / low < 1000 else (1.0,), numticks=9))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    if high >= 1000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    return log


def _score_axis(axes: Axes, scores: Floats) -> None:
    """The scale of finite scores: logarithmic where they are positive and span orders of magnitude, symmetric where most lie close together."""
    from matplotlib.ticker import (
        EngFormatter,
        FixedLocator,
        FuncFormatter,
        LogLocator,
        MaxNLocator,
        NullFormatter,
        NullLocator,
    )

    low, high = float(scores.min()), float(scores.max())
    first, third = np.quantile(scores, (0.25, 0.75))
    crowded = third - first < 0.05 * (high - low)
    if low > 0 and high / low > 100:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
    elif crowded and low < high:
        size = np.abs(scores[scores != 0])
        rounding = (
            1e-12 if low < 0 < high else 1e-100
        )  # sums that cancel leave rounding; products of many factors span what they do
        threshold = float(max(np.quantile(size, 0.25), size.max() * rounding))
        least, most = math.ceil(math.log10(threshold)), math.floor(math.log10(size.max()))
        axes.set_xscale("symlog", linthresh=threshold, linscale=max(1.0, 0.2 * (most - least)))
        steps = sorted({most, (most + least) // 2} if most - least > 1 else {most})
        ticks = [sign * 10.0**step for sign in (-1, 1) for step in steps if low <= sign * 10.0**step <= high]
        axes.xaxis.set_major_locator(FixedLocator(sorted([0.0, *ticks])))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(3))
        largest = max(abs(low), abs(high))
        if largest >= 1000:
            axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        elif 0 < largest < 0.001:
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda value, _: f"{value:.3g}")
            )  # no factor apart, which looks like a title
        return
    axes.xaxis.set_minor_formatter(NullFormatter())


def _bins(values: Floats, log: bool) -> list[float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [low - 0.5, high + 0.5]
    if (values == np.round(values)).all() and high - low < 40:
        return [float(edge) for edge in np.arange(low - 0.5, high + 1)]
    return [float(edge) for edge in (np.geomspace(low, high, 31) if log else np.linspace(low, high, 31))]


def _dots(num: int) -> dict[str, Any]:
    """Smaller and fainter the more there are; drawn as pixels, so that a PDF of 15,000 stays small."""
    size = 14.0 if num <= 100 else 7.0 if num <= 2000 else 2.0
    return {"s": size, "alpha": 0.75 if num <= 2000 else 0.3, "linewidths": 0, "rasterized": num > 2000}


def _plain_axes(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, color="#E4E4E4", linewidth=0.6, zorder=0)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=SMALL)
    axes.xaxis.label.set_fontsize(NORMAL)
    axes.yaxis.label.set_fontsize(NORMAL)


def _legend_below(axes: Axes, columns: int = 3, handles: Sequence[Any] | None = None) -> None:
    """A legend under the label of the axis, whatever the height of the axes."""
    from matplotlib.transforms import ScaledTranslation

    lines = max(
        [label.get_text().count("\n") for label in axes.get_xticklabels()], default=0
    ) + axes.get_xlabel().count("\n")
    down = ScaledTranslation(0, -(34 + 10 * lines) / 72, axes.figure.dpi_scale_trans)
    place: dict[str, Any] = {
        "loc": "upper left",
        "bbox_to_anchor": (0, 0),
        "bbox_transform": axes.transAxes + down,
        "borderaxespad": 0,
    }
    axes.legend(
        handles=axes.get_legend_handles_labels()[0] if handles is None else list(handles),
        fontsize=SMALL,
        ncols=columns,
        frameon=False,
        **place,
    )


def _engineered(value: float) -> str:
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep=" ", places=1)(value) if abs(value) >= 1000 else f"{value:g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
