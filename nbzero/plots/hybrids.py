"""Hybrids: the best combination of every size, where it was chosen and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from nbzero.errors import UsageError
from nbzero.frame import Frame
from nbzero.plots.axes import (
    BLUE,
    GREY,
    NORMAL,
    SKY,
    SMALL,
    Page,
    legend_below,
    look,
    new_figure,
    plain_axes,
    titled,
)
from nbzero.plots.given import check_frame
from nbzero.plots.words import named, safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbzero.text import Row

BEST = ("size", "place", "members", "mbr", "equal", "tried", "chance")
JUDGED = ("size", "members", "space", "dataset", "shares", "mbr", "best_single", "random")
ABSENT = "#ECECEC"  # the dot of a member that is not in it


def hybrid_curves(best: Frame, judged: Frame | None = None, **page: Unpack[Page]) -> Figure:
    """The best combination of every size.

    Its mBR where it was chosen, what chance gives, what it reaches elsewhere, and who is in it.

    Args:
        best: `HybridSearch.table`.
        judged: `HybridSearch.judge` of the same search, on other pools. Each pool's line says what it shares
            with the one of the choice. Dotted: the single member that was best where the choice was made.
            Dashed: a random pick. Both on that pool.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: Frames without these columns.
        UsageError: no Frame, or no combinations.
        MissingPackageError: matplotlib is not installed.
    """
    check_frame(best, BEST, "hybrid_curves", "HybridSearch.table")
    first = best.only(best["place"] == 1)
    if not len(first):
        raise UsageError(f"no combinations to draw: {best.title or 'the table'} has {len(best)} rows")
    notes = [*best.notes]
    pools: dict[str, Frame] = {}
    doubtful = best.doubtful
    if judged is not None:
        check_frame(judged, JUDGED, "hybrid_curves", "HybridSearch.judge")
        notes += judged.notes
        doubtful |= judged.doubtful
        pools = _by_pool(judged)
    inside = [str(members).split(" + ") for members in first["members"].tolist()]
    names = _by_use(inside)
    across = 2 if pools else 1
    figure = new_figure(max(5.6 * across, 7.0), 4.6 + 0.17 * len(names), page)
    ratios = {"height_ratios": [3.4, max(0.17 * len(names), 0.8)]}
    grid = figure.subplots(2, across, squeeze=False, sharex=True, sharey="row", gridspec_kw=ratios)
    _draw_choice(grid[0, 0], first, best.only(best["place"] > 1))
    if pools:
        _draw_elsewhere(grid[0, 1], pools)
    for above, below in grid.T:
        plain_axes(above, "both")
        above.tick_params(labelbottom=False)
        _draw_members(below, first, inside, {name: named(name, doubtful) for name in names})
        legend_below(below, 1, above.get_legend_handles_labels()[0])
    grid[0, 0].set_ylim(bottom=0)
    titled(figure, best.title, dict.fromkeys(notes), page)
    return figure


def _by_pool(judged: Frame) -> dict[str, Frame]:
    """The rows of every pool, by its name."""
    said = [_pool_said(row) for row in judged]
    return {pool: judged.only(np.array(said) == pool) for pool in dict.fromkeys(said)}


def _pool_said(row: Row) -> str:
    """The pool that a row was judged on, in words."""
    place = [row["space"], row["dataset"], row["recipe"], row["split"], f"seed {row['seed']}"]
    return f"{', '.join(place)}, N = {row['num_archs']:,} ({row['shares']})"


def _by_use(inside: Sequence[Sequence[str]]) -> list[str]:
    """The members of some combinations, first those that are in most of them."""
    together = [name for members in inside for name in members]
    return sorted(set(together), key=lambda name: (-together.count(name), name))


def _draw_choice(axes: Axes, first: Frame, others: Frame) -> None:
    """Where it was chosen: the best of every size, and the `others` after it."""
    if len(others):
        axes.scatter(
            others["size"],
            others["mbr"],
            s=12,
            color=SKY,
            marker="x",
            label="runners-up",
            zorder=2,
            clip_on=False,
        )
    size = np.asarray(first["size"], np.float64)
    axes.plot(
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
        label = "best of as many by chance (accuracies dealt out at random)"
        axes.plot(size, first["chance"], color=GREY, linestyle="--", label=label)
    axes.set_title("where it was chosen", fontsize=NORMAL)
    axes.set_ylabel("mBR (0 is the oracle)")


def _draw_elsewhere(axes: Axes, pools: dict[str, Frame]) -> None:
    """What the best of every size reaches on other pools, beside a single member and a random pick."""
    for number, (label, rows) in enumerate(pools.items()):
        style: dict[str, Any] = look(number)
        colour = style["color"]
        size = rows["size"]
        axes.plot(size, rows["mbr"], label=safe(label), markersize=4, clip_on=False, **style)
        axes.plot(size, rows["best_single"], color=colour, linestyle=":", linewidth=1)
        axes.plot(size, rows["random"], color=colour, linestyle="--", linewidth=0.8)
    axes.set_title("judged elsewhere (dotted: best single member; dashed: random pick)", fontsize=NORMAL)


def _draw_members(axes: Axes, first: Frame, inside: Sequence[Sequence[str]], names: dict[str, str]) -> None:
    """A row of dots for every member: in which combinations it is. `names` says how each is written."""
    size = first["size"]
    for place, name in enumerate(names):
        is_in = [name in members for members in inside]
        colours = np.where(is_in, BLUE, ABSENT)
        axes.scatter(size, [place] * len(size), s=16, color=colours, linewidths=0)
    axes.set_yticks(range(len(names)), list(names.values()), fontsize=SMALL)
    axes.set_ylim(len(names) - 0.4, -0.6)
    said = [str(one) for one in size]
    label = "members of the combination; dots: who is in it"
    # With more sizes the numbers of those tried are wider than the columns.
    if len(size) <= 12:
        said = [f"{one}\n{tried:,}" for one, tried in zip(size, first["tried"], strict=True)]
        label = "members of the combination, and how many such were tried; dots: who is in it"
    axes.set_xticks(size, said, fontsize=SMALL)
    axes.set_xlabel(label, fontsize=NORMAL)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
