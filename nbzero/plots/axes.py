"""What the figures share: colours and sizes, an empty figure, its title and notes, axes and legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from nbzero.errors import UsageError, needs, quoted
from nbzero.metrics.arrays import Floats
from nbzero.plots.words import in_units, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours: people with any kind of colour blindness tell them apart.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, BLACK = "#56B4E9", "#CC79A7", "#000000"
GREY, PALE = "#767676", "#C8C8C8"
# Lines differ by marker and dash too.
CYCLE = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
MARKERS = "osD^vP"
DASHES = ("-", "--", "-.", "-", "--", "-.")
TOLD_APART = len(CYCLE)  # things in one panel; the palette has no more colours

SMALL, NORMAL, LARGE = 7, 8, 11  # points
SMALLEST, LARGEST = 2, 60  # inches
SKEWED = 30.0  # a cost whose largest value is so many times its smallest is drawn on a logarithmic axis


class Page(TypedDict, total=False):
    """How a figure lies on its page. Every figure takes these by name.

    Attributes:
        size: (width, height) in inches; None is what its content needs.
        notes: whether the notes stand at the foot, which say how to read it, on what it rests and which
            proxies are doubtful.
    """

    size: tuple[float, float] | None
    notes: bool


def new_figure(width: float, height: float, page: Page) -> Figure:
    """An empty figure, in inches, of the page's size where it has one. No pyplot, so nothing keeps it alive.

    Raises:
        MissingPackageError: matplotlib cannot be imported.
        UsageError: a size that is none.
        TypeError: a page has something else than size and notes.
    """
    needs("a figure", "matplotlib")
    from matplotlib.figure import Figure

    unknown = page.keys() - Page.__annotations__
    if unknown:
        raise TypeError(f"a figure takes no {', '.join(sorted(unknown))}")
    size = _checked_size(page.get("size")) or (width, height)
    return Figure(figsize=size, layout="constrained", dpi=110)


def _checked_size(size: Any) -> tuple[float, float] | None:
    if size is None:
        return None
    try:
        width, height = map(float, size)
    except (TypeError, ValueError):
        width = height = math.nan
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        allowed = f"width and height in inches, from {SMALLEST} to {LARGEST}, like (7, 4)"
        raise UsageError(f"size {quoted(size)}; it is {allowed}")
    return width, height


def panels(figure: Figure, number: int, across: int, **options: Any) -> list[Axes]:
    """So many axes in rows of `across`; what is left of the last row stays empty."""
    grid = figure.subplots(math.ceil(number / across), across, squeeze=False, **options).ravel()
    for axes in grid[number:]:
        axes.remove()
    return list(grid[:number])


def titled(figure: Figure, title: str, notes: Iterable[str], page: Page) -> None:
    """Title on top and notes at the foot, wrapped to the figure's width.

    The figure grows by what they take, where the page has no size of its own.
    """
    width, height = figure.get_size_inches()
    head = wrapped(title, width, LARGE)
    foot = ""
    if page.get("notes", True):
        foot = "\n".join(wrapped(note, width, SMALL) for note in notes if note)
    figure.suptitle(head, fontsize=LARGE)
    height += 0.18 * head.count("\n")
    if foot:
        figure.supxlabel(foot, x=0.01, ha="left", fontsize=SMALL, color=GREY)
        height += 0.12 * (foot.count("\n") + 1)
    if page.get("size") is None:
        figure.set_size_inches(width, height)


def look(number: int) -> dict[str, Any]:
    """Colour and marker of the thing of one number, from 0; they begin again after the last."""
    return {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)]}


def cost_axis(axes: Axes, cost: str, values: Floats) -> bool:
    """Label and scale of a cost; whether it is logarithmic."""
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = float(values.min()), float(values.max())
    are_whole = all(value.is_integer() for value in values.tolist())
    is_log = low > 0 and high / low > SKEWED
    if is_log:
        steps = (1.0, 3.0) if high / low < 1000 else (1.0,)
        axes.set_xlabel(f"{in_units(cost)}, log scale")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=9))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlabel(in_units(cost))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=are_whole, steps=[1, 2, 5, 10]))
    if high >= 1000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    return is_log


def plain_axes(axes: Axes, grid: str) -> None:
    """No upper and right edge, small numbers, and a pale grid of "x", "y" or "both"."""
    axes.grid(axis=grid, color="#E4E4E4", linewidth=0.6, zorder=0)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=SMALL)
    axes.xaxis.label.set_fontsize(NORMAL)
    axes.yaxis.label.set_fontsize(NORMAL)


def legend_below(axes: Axes, columns: int = 3, handles: Sequence[Any] | None = None) -> None:
    """A legend under the label of the x axis, whatever the height of the axes.

    Args:
        handles: what it explains; None is all that has a label in these axes.
    """
    from matplotlib.transforms import ScaledTranslation

    breaks = axes.get_xlabel().count("\n")
    breaks += max((label.get_text().count("\n") for label in axes.get_xticklabels()), default=0)
    down = ScaledTranslation(0, -(34 + 10 * breaks) / 72, axes.figure.dpi_scale_trans)
    explained = axes.get_legend_handles_labels()[0] if handles is None else handles
    axes.legend(
        handles=list(explained),
        fontsize=SMALL,
        ncols=columns,
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=axes.transAxes + down,
        borderaxespad=0,
    )
