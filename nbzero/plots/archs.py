"""Archs: what the proxies pick under one limit, drawn stage by stage."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from nbzero.errors import UsageError
from nbzero.frame import Frame
from nbzero.judge.rows import ORACLE
from nbzero.plots.axes import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    SKY,
    SMALL,
    Page,
    new_figure,
    panels,
    titled,
)
from nbzero.plots.picks import rows_of_cost
from nbzero.plots.words import engineered, named
from nbzero.spaces.macro import Arch
from nbzero.spaces.published import space_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbzero.text import Row

STAGES = (BLUE, SKY, GREEN, ORANGE)
TINY = 6  # points
MEANING = (
    "Length: blocks of a stage (d, below). Height: its output channels (above). Colours: stages 1 to 4. "
    "Black left edge: the stage halves the resolution. Grey: stem."
)


def best_archs(
    picks: Frame,
    cost: str = "macs",
    budget: int | None = None,
    spacing: str = "quantile",
    **page: Unpack[Page],
) -> Figure:
    """The archs that the proxies pick under one limit, a panel per arch, best first.

    A stage is a box, as high as its width and as long as its depth. Proxies that pick the same arch share
    its panel. Where several archs tie as a proxy's best, the first is drawn and their number is said.

    Args:
        picks: of `constrained`, or a Report's picks.
        budget: number of the limit, from 1. None is the last, which admits every arch that has the cost
            unless you gave limits.
        spacing: which limits of a Report's picks: "quantile" or "even".
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a Frame without these columns, or a cost without limits in it.
        UsageError: no Frame, no such limit, nothing picked under it, or archs of an imported space, which
            are no stages of blocks.
        MissingPackageError: matplotlib is not installed.
    """
    rows = _rows_of_budget(rows_of_cost(picks, cost, "best_archs", spacing), cost, budget)
    groups = _by_arch(rows)
    archs = _parsed(groups)
    heads = [_head(group, picks.doubtful) for group in groups.values()]
    across = min(len(groups), 4)
    figure = new_figure(max(2.9 * across, 5.5), _heights(heads, across) + 1.1, page)
    widest = max(stage.width for arch in archs for stage in arch.stages)
    longest = max(sum(stage.depth for stage in arch.stages) for arch in archs)
    block = 2.7 * 72 / (longest + 1.4)
    grid = panels(figure, len(groups), across, sharex=True, sharey=True)
    for axes, head, arch in zip(grid, heads, archs, strict=True):
        _draw_arch(axes, arch, widest, block)
        axes.set_title(head, fontsize=SMALL, loc="left")
        axes.set_xlim(-1.2, longest + 0.2)
        axes.set_ylim(-0.72 * widest, 0.84 * widest)
    first = rows[0]
    limit = first["constraint"]
    if first["limit"] is not None:
        limit = f"{cost} <= {engineered(first['limit'])}"
    title = f"Picked where {limit} (N = {first['pool_size']:,}). {picks.title}"
    titled(figure, title, [MEANING, *picks.notes], page)
    return figure


def _rows_of_budget(part: Frame, cost: str, budget: int | None) -> list[Row]:
    """The rows of one limit under which something was picked."""
    numbers = sorted(set(part["budget"].tolist()))
    chosen = numbers[-1] if budget is None else budget
    if chosen not in numbers:
        raise UsageError(f"budget {budget!r}; the picks have limits {numbers[0]} to {numbers[-1]} of {cost}")
    rows: list[Row] = [row for row in part.only(part["budget"] == chosen) if row["arch"] is not None]
    if not rows:
        raise UsageError(f"nothing was picked under limit {chosen} of {cost}: no arch is within it")
    return rows


def _by_arch(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Arch -> the rows that pick it, in the order of the rank that is said above each."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=_by_rank):
        groups.setdefault(row["arch"], []).append(row)
    return dict(sorted(groups.items(), key=lambda group: _own_row(group[1])["true_rank"]))


def _by_rank(row: Row) -> tuple[float, bool, str]:
    """Sorts by rank, of equal ones the oracle first."""
    return row["true_rank"], row["proxy"] != ORACLE, row["proxy"]


def _own_row(group: Sequence[Row]) -> Row:
    """The row whose numbers are the arch's own: of a proxy that it alone is best for, else the first."""
    for row in group:
        if row["num_tied"] == 1:
            return row
    return group[0]


def _parsed(groups: Mapping[str, Sequence[Row]]) -> list[Arch]:
    for arch in groups:
        space = space_of(arch)
        if space is not None:
            known = f"{arch!r} is an arch of {space}, an imported space"
            raise UsageError(f"{known}: it has no stages of blocks to draw")
    return [Arch.parse(arch) for arch in groups]


def _head(group: Sequence[Row], doubtful: Collection[str]) -> str:
    """Who picks an arch, and how good it is."""
    names = []
    for row in group:
        tied = f" (1 of {row['num_tied']} tied)" if row["num_tied"] > 1 else ""
        names.append(named(row["proxy"], doubtful) + tied)
    own = _own_row(group)
    known = f"accuracy {own['accuracy']:.4f}, true rank {own['true_rank']:.4g}"
    if own["num_tied"] > 1:
        known += ", means of the tied"
    return f"{textwrap.fill(', '.join(names), 44)}\n{known}"


def _heights(heads: Sequence[str], across: int) -> float:
    """Inches of all rows of panels, each as high as its tallest head needs."""
    inches = 0.0
    for start in range(0, len(heads), across):
        lines = 1 + max(head.count("\n") for head in heads[start : start + across])
        inches += 1.35 + 0.14 * lines
    return inches


def _draw_arch(axes: Axes, arch: Arch, widest: float, block: float) -> None:
    """One arch. `block` is the length of a block, in points."""
    stem = arch.stem
    _draw_box(axes, -0.6, 0.35, stem, facecolor=PALE, edgecolor=BLACK, linewidth=0.5)
    axes.text(-0.43, stem / 2, f"{stem}", ha="center", va="bottom", fontsize=TINY, color=GREY)
    start = 0
    for colour, (depth, width, stride) in zip(STAGES, arch.stages, strict=False):
        _draw_box(axes, start, depth, width, facecolor=colour, edgecolor="white", linewidth=0.8)
        if stride == 2:
            _draw_box(axes, start, 0.13, width, facecolor=BLACK, linewidth=0)
        for edge in range(start + 1, start + depth):
            axes.plot([edge, edge], [-width / 2, width / 2], color="white", linewidth=0.5)
        # A number that is longer than its stage stands upright.
        is_upright = len(f"{width}") * 0.64 * TINY + 1 > depth * block
        rotation = 90 if is_upright else 0
        middle, above, below = start + depth / 2, width / 2 + 0.02 * widest, -width / 2 - 0.02 * widest
        axes.text(middle, above, f"{width}", ha="center", va="bottom", fontsize=TINY, rotation=rotation)
        axes.text(middle, below, f"d{depth}", ha="center", va="top", fontsize=TINY)
        start += depth
    axes.axis("off")


def _draw_box(axes: Axes, left: float, length: float, height: float, **style: Any) -> None:
    """A rectangle around the middle line."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, -height / 2), length, height, **style))
