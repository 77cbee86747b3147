"""Radars: what each proxy and the accuracy depend on."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from nbzero.frame import Frame
from nbzero.judge.pool import ACCURACY
from nbzero.metrics.arrays import Floats
from nbzero.plots.axes import (
    BLACK,
    BLUE,
    GREY,
    NORMAL,
    PALE,
    RED,
    SMALL,
    Page,
    new_figure,
    panels,
    titled,
)
from nbzero.plots.importances import MEANINGS, STAGES_SAID, importances_of, targets_of
from nbzero.plots.words import named, safe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nbzero.text import Row


class _Spokes(NamedTuple):
    """The factors of one target. S spokes.

    Attributes:
        names: (S,) of the factors.
        angles: (S,) radians, clockwise from the top.
        values: (S,) importances, from 0.
        errors: (S,) their standard errors, 0 where there are none.
        outer: the largest value with its error, the outer ring.
    """

    names: list[str]
    angles: Floats
    values: Floats
    errors: Floats
    outer: float


def factor_radars(
    frame: Frame,
    importance: str = "permutation",
    targets: Iterable[str] | None = None,
    metric: str = "accuracy",
    **page: Unpack[Page],
) -> Figure:
    """What each target depends on: a radar per target with a bar on the spoke of each stage feature.

    Each has its own scale, which its title says. Targets whose model does not fit are grey and hatched and
    say so: their importances mean nothing. Importances below 0 are drawn as 0. Whiskers are the standard
    error of the permutation importance. Inputs that repeat another one have no spoke, except for gain,
    where they may hold it all.

    Args:
        frame: of `factors`.
        importance: "permutation", "gain" or "gain_unique".
        targets: of the frame; None is all, accuracy first.
        metric: what the accuracies are, as in `limits`.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a Frame without these columns, another importance, a target that is not in it.
        UsageError: no Frame, no targets, or no factors.
        MissingPackageError: matplotlib is not installed.
    """
    chosen = targets_of(frame, importance, targets, "factor_radars")
    across = _across(len(chosen))
    down = math.ceil(len(chosen) / across)
    figure = new_figure(max(2.55 * across + 0.3, 5.2), 2.55 * down + 0.9, page)
    grid = panels(figure, len(chosen), across, subplot_kw={"projection": "polar"})
    for axes, name in zip(grid, chosen, strict=True):
        head = safe(metric) if name == ACCURACY else named(name, frame.doubtful)
        _draw(axes, frame.only(frame["target"] == name), importance, head)
    title = f"Importance by {importance} ({MEANINGS[importance]}): {frame.title}"
    titled(figure, title, [_rings_said(frame, importance), *frame.notes], page)
    return figure


def _across(number: int) -> int:
    """How many radars stand side by side."""
    if number <= 6:
        return min(number, 3)
    if number <= 20:
        return 5
    return 6


def _rings_said(frame: Frame, importance: str) -> str:
    """How a radar is read."""
    said = "The outer ring is the importance in the title, the inner ring half of it."
    if importance == "permutation":
        said += " Black: the standard error of permutations."
    if "s1_out" in frame["factor"].tolist():
        said += f" {STAGES_SAID}"
    if not np.asarray(frame["fits"], bool).all():
        said += " Grey, hatched: do not read, the model does not fit."
    return said


def _draw(axes: Any, rows: Frame, importance: str, head: str) -> None:
    """The radar of one target."""
    spokes = _spokes(rows, importance)
    first = next(iter(rows))
    _draw_rings(axes, spokes)
    if first["reason"] is None:
        _draw_bars(axes, spokes, first)
        head += _fit_said(first, spokes.outer)
    else:
        axes.set_yticks([])
        why = textwrap.fill(f"no model: {first['reason']}", 18)
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", fontsize=SMALL)
        head += f"\nN = {first['num_archs']:,}"
    is_sound = first["reason"] is None and first["fits"]
    axes.set_title(head, fontsize=NORMAL, color=BLACK if is_sound else GREY, pad=16)


def _spokes(rows: Frame, importance: str) -> _Spokes:
    found = importances_of(rows, importance)
    angles = np.linspace(0, 2 * math.pi, len(found.names), endpoint=False)
    outer = float((found.values + found.errors).max()) or 1.0
    return _Spokes(found.names, angles, found.values, found.errors, outer)


def _draw_rings(axes: Any, spokes: _Spokes) -> None:
    """Two rings and the spokes with their names."""
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, spokes.outer)
    axes.set_yticks([spokes.outer / 2], [])
    axes.set_xticks(spokes.angles, [])
    for angle, name in zip(spokes.angles.tolist(), spokes.names, strict=True):
        axes.text(angle, spokes.outer * 1.08, name, fontsize=6, **_beside(angle))
    axes.spines["polar"].set_color(PALE)
    axes.grid(color=PALE, linewidth=0.5)


def _beside(angle: float) -> dict[str, str]:
    """How a name at the end of a spoke is aligned, so that it lies outside."""
    across, up = math.sin(angle), math.cos(angle)
    ha, va = "center", "center"
    if abs(across) >= 0.1:
        ha = "left" if across > 0 else "right"
    if abs(up) >= 0.9:
        va = "bottom" if up > 0 else "top"
    return {"ha": ha, "va": va}


def _draw_bars(axes: Any, spokes: _Spokes, row: Row) -> None:
    width = 2 * math.pi / len(spokes.names) * 0.55
    style: dict[str, Any] = {"color": BLUE, "alpha": 0.8}
    if row["target"] == ACCURACY:
        style["color"] = RED
    if not row["fits"]:
        style = {"color": GREY, "alpha": 0.35, "hatch": "////"}
    axes.bar(spokes.angles, spokes.values, width, edgecolor="white", linewidth=0.3, zorder=1, **style)
    for angle, middle, half in zip(spokes.angles, spokes.values, spokes.errors, strict=True):
        ends = [max(middle - half, 0), middle + half]
        axes.plot([angle, angle], ends, color=BLACK, linewidth=0.9, zorder=3)


def _fit_said(row: Row, outer: float) -> str:
    """Fit and scale: on the ring the scale would lie over the names of the spokes."""
    said = f"\nR² = {row['r2']:.2f}"
    if not row["fits"]:
        said += ", does not fit"
    said += f", N = {row['num_archs']:,}"
    if outer >= 0.1:
        return f"{said}\nouter ring {outer:.2f}"
    return f"{said}\nouter ring {outer:.2g}"
