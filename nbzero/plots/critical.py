"""Critical-difference diagrams: mean ranks of a leaderboard, and which of them are not told apart.

The diagram of Demsar, JMLR 7 (2006), on its side, because it has names by the dozen: a row for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from nbzero.errors import UsageError
from nbzero.judge.board import Board
from nbzero.plots.axes import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    NORMAL,
    ORANGE,
    PALE,
    PINK,
    RED,
    SMALL,
    Page,
    legend_below,
    new_figure,
    plain_axes,
    titled,
)
from nbzero.plots.words import named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbzero.metrics.nemenyi import Comparison

KINDS = {"proxy": BLUE, "cost": ORANGE, "vote": PINK, "hybrid": GREEN, "submission": RED}
SCALE_AT = -1.1  # the critical difference, in rows above the first
GAP = 0.03  # between the bars of two cliques, of the width of the axes


def critical_diagram(board: Board, **page: Unpack[Page]) -> Figure:
    """The entries of a board by mean rank, the best on top.

    Each bar at the right joins entries that are not told apart. Two entries differ significantly where no bar
    joins both. Entries without a mean rank are not drawn.

    Args:
        board: of `judge.leaderboard`.
        page: size and notes, as `Page` says: size=(7, 8), notes=False.

    Raises:
        UsageError: something else than a board, or one of too few pools or entries to compare.
        MissingPackageError: matplotlib is not installed.
    """
    if not isinstance(board, Board):
        raise UsageError(f"critical_diagram draws a Board of leaderboard, not {type(board).__name__}")
    found = board.comparison
    if found is None:
        instead = "take more pools, or spaces that share proxies"
        raise UsageError(f"nothing was compared on {board.table.title}; {instead}")
    rows = board.table.only(np.arange(len(found.mean_ranks)))
    figure = new_figure(6.8, 1.6 + 0.165 * len(rows), page)
    axes = figure.subplots()
    _draw_ranks(axes, rows["proxy"].tolist(), rows["kind"].tolist(), found, board.table.doubtful)
    _draw_cliques(axes, found)
    legend_below(axes, columns=3)
    titled(figure, board.table.title, board.table.notes, page)
    return figure


def _draw_ranks(
    axes: Axes, names: list[str], kinds: list[str], found: Comparison, doubtful: frozenset[str]
) -> None:
    """A dot for each entry, with its name at the left."""
    num = len(names)
    place = np.arange(num)
    axes.hlines(place, 0, found.mean_ranks, color=PALE, linewidth=0.8, zorder=1)
    for kind, colour in KINDS.items():
        own = [at for at, one in enumerate(kinds) if one == kind]
        if own:
            style: Any = {"color": colour, "s": 20, "zorder": 3, "label": kind}
            axes.scatter(found.mean_ranks[own], own, **style)
    axes.set_yticks(place, [named(name, doubtful) for name in names])
    axes.set_ylim(num - 0.4, SCALE_AT - 1)
    axes.set_xlim(0, num + 1)
    axes.set_xlabel(f"mean rank over {found.num_pools} pools, 1 is best of {num}")
    plain_axes(axes, "x")
    axes.tick_params(axis="y", labelsize=NORMAL, length=0)


def _draw_cliques(axes: Axes, found: Comparison) -> None:
    """The critical difference, to scale, and a bar for each group of entries that are not told apart."""
    num = len(found.mean_ranks)
    right = num - found.critical_difference
    if right > 0:
        ends = {"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "color": BLACK, "linewidth": 1}
        axes.annotate("", (right, SCALE_AT), (num, SCALE_AT), arrowprops=ends)
    said = f"critical difference: {found.critical_difference:.1f}"
    axes.text(num, SCALE_AT - 0.3, said, ha="right", va="bottom", fontsize=SMALL)
    for number, clique in enumerate(found.cliques):
        x = 1.02 + GAP * number
        ends_at = (clique[0] - 0.3, clique[-1] + 0.3)
        style: Any = {"color": GREY, "linewidth": 2.2, "solid_capstyle": "butt", "clip_on": False}
        label = "not told apart" if number == 0 else None
        axes.plot([x, x], ends_at, transform=axes.get_yaxis_transform(), label=label, **style)
