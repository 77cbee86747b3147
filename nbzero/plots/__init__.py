"""Figures: a table in, a figure out. What is drawn was computed by the module that made the table.

    mbr_bars        Frames of `mbr_table`                   how well each proxy picks
    distributions   Pools                                   accuracy against each cost, and how all are spread
    proxy_scatter   a Pool, a Frame of `correlations`       every proxy's score against accuracy
    limits          a Frame of `constrained`                accuracy and true rank of the picks under limits
    factor_radars   a Frame of `factors`                    what each proxy and the accuracy depend on
    factor_map      a Frame of `factors`                    the same of many proxies, as a map
    best_archs      a Frame of `constrained`                the archs that the proxies pick, stage by stage
    critical_diagram  a Board of `leaderboard`              mean ranks, and which are not told apart
    hybrid_curves   Frames of `HybridSearch`                the best combination of every size
    search_curves   Histories of `nbzero.search.run`        the best score so far
    before_after    a Frame of `constrained`                proxies alone and combined

Every function returns a matplotlib Figure that no global state knows: `figure.savefig("mbr.pdf")`. All take
size=(width, height) in inches and notes=False.
`FIGURES` lists them by the number that they have in the paper, each with a recipe from a Bench to the figure.
"""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.plots.archs import best_archs as best_archs
    from nbzero.plots.axes import Page as Page
    from nbzero.plots.bars import mbr_bars as mbr_bars
    from nbzero.plots.critical import critical_diagram as critical_diagram
    from nbzero.plots.hybrids import hybrid_curves as hybrid_curves
    from nbzero.plots.maps import factor_map as factor_map
    from nbzero.plots.paper import (
        FIGURES as FIGURES,
        NAMED as NAMED,
        RESAMPLES as RESAMPLES,
        Drawing as Drawing,
        drawing as drawing,
    )
    from nbzero.plots.picks import before_after as before_after, limits as limits
    from nbzero.plots.radars import factor_radars as factor_radars
    from nbzero.plots.scatter import distributions as distributions, proxy_scatter as proxy_scatter
    from nbzero.plots.searches import search_curves as search_curves
    from nbzero.plots.words import UNITS as UNITS, metric_unit as metric_unit

__all__ = face(
    __name__,
    archs=("best_archs",),
    axes=("Page",),
    bars=("mbr_bars",),
    critical=("critical_diagram",),
    hybrids=("hybrid_curves",),
    maps=("factor_map",),
    paper=("FIGURES", "NAMED", "RESAMPLES", "Drawing", "drawing"),
    picks=("before_after", "limits"),
    radars=("factor_radars",),
    scatter=("distributions", "proxy_scatter"),
    searches=("search_curves",),
    words=("UNITS", "metric_unit"),
)
