"""The gallery: every kind of figure that nbzero draws, of the shipped release."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nbzero import Bench, judge, plots
from nbzero.plots import FIGURES

SPACE, DATASET, RECIPE = "r1-mini", "cifar10", "cpu-16px-4"
FEW = ("naswot", "swap", "zen", "synflow", "snip", "jacob_cov", "wrcor", "macs", "params")  # one panel each
OF_FEW = ("scatter", "factors")


def draw_front(bench: Bench, resamples: int, path: Path) -> None:
    """The picture of the front page: how well a few proxies pick."""
    pool = bench.pool(SPACE, DATASET, RECIPE, proxies=FEW)
    plots.mbr_bars(judge.mbr_table(pool, resamples=resamples)).savefig(path, dpi=110)


def draw(bench: Bench, names: Iterable[str], folder: Path) -> str:
    """Draw figures into a folder and return the page that shows them.

    Raises:
        UnknownNameError: a figure that `nbzero.plots.FIGURES` does not have.
    """
    lines = [
        "# Gallery",
        "",
        f"Every kind of figure, of {SPACE} on {DATASET} with `{RECIPE}`, data {bench.version}.",
        "With another ending of `--out` it is PDF or SVG.",
        "",
    ]
    for name in names:
        kind = FIGURES[name]
        proxies = FEW if name in OF_FEW else None
        kind.make(bench, SPACE, DATASET, RECIPE, proxies=proxies).savefig(folder / f"{name}.png", dpi=110)
        lines += [
            f"## {name}",
            "",
            f"{kind.meaning[0].upper()}{kind.meaning[1:]}. `nbzero plot {name} {SPACE} --out {name}.png`",
            "",
            f"[![{kind.meaning}]({folder.name}/{name}.png)]({folder.name}/{name}.png)",
            "",
        ]
    return "\n".join(lines)
