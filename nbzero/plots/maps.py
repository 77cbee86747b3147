"""A map of what each proxy and the accuracy depend on: targets by factors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from nbzero.frame import Frame
from nbzero.judge.pool import ACCURACY
from nbzero.metrics.arrays import Floats
from nbzero.plots.axes import BLACK, GREY, NORMAL, PALE, SMALL, Page, new_figure, titled
from nbzero.plots.importances import MEANINGS, STAGES_SAID, importances_of, targets_of
from nbzero.plots.words import named, safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FULL = 1.0  # the importance of the darkest colour
WORTH_SAYING = 0.05  # a smaller importance has no number in its cell
DARK = 0.55  # from there numbers are white


class _Line(NamedTuple):
    """One target.

    Attributes:
        name: as it is written.
        values: factor -> importance; empty where there is no model.
        fits: whether its model fits.
        said: beside the line: R² and N, or why there is no model.
    """

    name: str
    values: dict[str, float]
    fits: bool
    said: str


def factor_map(
    frame: Frame,
    importance: str = "permutation",
    targets: Iterable[str] | None = None,
    metric: str = "accuracy",
    **page: Unpack[Page],
) -> Figure:
    """What each target depends on: a line per target, a column per stage feature, darker is more important.

    The accuracy is on top. Below it are the targets in the order of how much alike their importances are to
    those of the accuracy (cosine), then those whose model does not fit, in grey: their importances mean
    nothing. Importances below 0 are drawn as 0, above 1 as 1. Inputs that repeat another one have no column,
    except for gain, where they may hold it all.

    Args:
        frame: of `factors`.
        importance: "permutation", "gain" or "gain_unique".
        targets: of the frame; None is all.
        metric: what the accuracies are, as in `limits`.
        page: size and notes, as `Page` says: size=(7, 4), notes=False.

    Raises:
        UnknownNameError: a Frame without these columns, another importance, a target that is not in it.
        UsageError: no Frame, no targets, or no factors.
        MissingPackageError: matplotlib is not installed.
    """
    chosen = targets_of(frame, importance, targets, "factor_map")
    lines = [_line_of(frame, name, importance, metric) for name in chosen]
    factors = list(dict.fromkeys(factor for line in lines for factor in line.values))
    lines.sort(key=_order_beside(lines[0], factors, is_accuracy=chosen[0] == ACCURACY))
    figure = new_figure(2.6 + 0.52 * max(len(factors), 4), 2.1 + 0.2 * len(lines), page)
    axes = figure.subplots()
    _draw(axes, lines, factors)
    bar = figure.colorbar(axes.images[0], ax=axes, fraction=0.03, aspect=30, extend="max", pad=0.14)
    bar.set_label("importance", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    title = f"Importance by {importance} ({MEANINGS[importance]}): {frame.title}"
    titled(figure, title, [_said(frame, chosen), *frame.notes], page)
    return figure


def _line_of(frame: Frame, target: str, importance: str, metric: str) -> _Line:
    rows = frame.only(frame["target"] == target)
    first = next(iter(rows))
    name = safe(metric) if target == ACCURACY else named(target, frame.doubtful)
    if first["reason"] is not None:
        return _Line(name, {}, fits=False, said="no model")
    found = importances_of(rows, importance)
    values = dict(zip(found.names, found.values.tolist(), strict=True))
    return _Line(name, values, bool(first["fits"]), f"R² {first['r2']:.2f}, N {first['num_archs']:,}")


def _order_beside(first: _Line, factors: list[str], *, is_accuracy: bool) -> Any:
    """What lines are sorted by: those that fit by how much alike they are to the first, then the others."""
    wanted = _vector(first, factors)

    def place(line: _Line) -> tuple[bool, bool, float]:
        if not is_accuracy:
            return not line.fits, False, 0.0
        ours = _vector(line, factors)
        length = float(np.linalg.norm(wanted) * np.linalg.norm(ours)) or 1.0
        is_below = line is not first
        return is_below and not line.fits, is_below, -float(wanted @ ours) / length

    return place


def _vector(line: _Line, factors: list[str]) -> Floats:
    return np.array([line.values.get(factor, 0.0) for factor in factors])


def _draw(axes: Axes, lines: list[_Line], factors: list[str]) -> None:
    values = np.array([_vector(line, factors) for line in lines])
    is_read = np.array([[line.fits] * len(factors) for line in lines])
    style: dict[str, Any] = {"vmin": 0, "vmax": FULL, "aspect": "auto"}
    axes.imshow(np.ma.array(values, mask=~is_read), cmap="Blues", **style)
    axes.imshow(np.ma.array(values, mask=is_read), cmap="Greys", alpha=0.35, **style)
    for y, line in enumerate(lines):
        for x, factor in enumerate(factors):
            value = line.values.get(factor, 0.0)
            if value >= WORTH_SAYING:
                colour = "white" if line.fits and value > DARK else BLACK if line.fits else GREY
                axes.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour)
        axes.text(len(factors) - 0.4, y, line.said, va="center", fontsize=6, color=GREY)
    axes.set_xticks(range(len(factors)), factors, rotation=90, fontsize=SMALL)
    axes.set_yticks(range(len(lines)), [line.name for line in lines], fontsize=SMALL)
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_color(BLACK if line.fits else GREY)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(factors) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(lines) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _said(frame: Frame, chosen: list[str]) -> str:
    """How the map is read."""
    said = f"Numbers from {WORTH_SAYING:g}."
    if chosen[0] == ACCURACY and len(chosen) > 1:
        said += " In the order of how much alike the importances are to those on top (cosine)."
    if "s1_out" in frame["factor"].tolist():
        said += f" {STAGES_SAID}"
    if not np.asarray(frame["fits"], bool).all():
        said += " Grey: do not read, the model does not fit, or there is none."
    return said
