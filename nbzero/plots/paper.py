"""The figures of the paper: from a Bench to each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from nbzero.errors import NothingFoundError, UnknownNameError, UsageError, unknown_name
from nbzero.frame import Frame
from nbzero.judge.correlations import correlations, with_tau_intervals
from nbzero.judge.factors import factors
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.judge.hybrids import HYBRIDS, PAPER
from nbzero.judge.picks import constrained, mbr_table
from nbzero.judge.pool import ACCURACY, PREDICTED, Pool, Which
from nbzero.plots.archs import best_archs
from nbzero.plots.axes import Page
from nbzero.plots.bars import mbr_bars
from nbzero.plots.hybrids import hybrid_curves
from nbzero.plots.maps import factor_map
from nbzero.plots.picks import before_after, limits as under_limits
from nbzero.plots.radars import factor_radars
from nbzero.plots.scatter import distributions, proxy_scatter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nbzero.bench import Bench

RESAMPLES = 200  # of the intervals
MOST_RADARS = 10  # the accuracy and nine proxies, as in the paper
NAMED = ("zen_macs", "best_four")  # combinations drawn before and after


@dataclass(frozen=True)
class Limits:
    """The limits that a figure is drawn for, as in `constrained`.

    Attributes:
        costs: None is what the figure shows unless told.
        budgets: a number of limits, or the limits.
        spacing: "quantile" or "even"; None is quantile, of mbr both.
    """

    costs: str | tuple[str, ...] | None = None
    budgets: int | Sequence[float] = 5
    spacing: str | None = None

    def cost(self, pool: Pool) -> str:
        """The one cost of a figure that shows one: the first that the pool has, unless told.

        Raises:
            UsageError: several were given, or the pool has none.
            UnknownNameError: the pool does not have it.
        """
        given = (self.costs,) if isinstance(self.costs, str) else self.costs
        if given is None:
            return _any_cost(pool)
        if len(given) != 1:
            raise UsageError(f"cost {', '.join(given)}; this figure shows one")
        pool.cost(given[0])
        return given[0]

    @property
    def laid(self) -> dict[str, Any]:
        """budgets and spacing by name."""
        return {"budgets": self.budgets, "spacing": self.spacing or "quantile"}


LIMITS = ("cost", "budgets", "spacing")
LAID = ("budgets", "spacing")


@dataclass(frozen=True)
class Drawing:
    """One kind of figure.

    Attributes:
        name: in `FIGURES`.
        number: of the figure in the paper.
        function: draws it from tables.
        meaning: what it shows, in a line.
        draw: Bench, Pool on the caller's split, limits and page to figure.
        takes: which of LIMITS change it.
    """

    name: str
    number: int
    function: Callable[..., Figure]
    meaning: str
    draw: Callable[[Bench, Pool, Limits, Page], Figure]
    takes: tuple[str, ...] = LIMITS

    def make(
        self,
        bench: Bench,
        space: str,
        dataset: str,
        recipe: str | None = None,
        *,
        proxies: Iterable[str] | None = None,
        cost: str | Iterable[str] | None = None,
        budgets: int | Sequence[float] | None = None,
        spacing: str | None = None,
        size: tuple[float, float] | None = None,
        notes: bool = True,
        **which: Unpack[Which],
    ) -> Figure:
        """The figure of one space and data set.

        The other arguments and errors are those of `Bench.pool`.

        Args:
            cost: macs, params, depth, latency, latency:SETUP or a stage feature; several for mbr and
                distributions.
            budgets: a number of limits, or the limits; None is 5.
            spacing: of a number of limits, "quantile" or "even"; None is quantile, of mbr both side by side.
            size: (width, height) in inches; None is what the content needs.
            notes: whether the notes stand at the foot.

        Raises:
            UsageError: a figure that needs a cost or members that the pool does not have, or that an option
                does not change.
            MissingPackageError: matplotlib, or for factors xgboost, is not installed.
        """
        given = {"cost": cost, "budgets": budgets, "spacing": spacing}
        for name, value in given.items():
            if value is not None and name not in self.takes:
                there = ", ".join((*self.takes, "size", "notes"))
                raise UsageError(f"{name} does not change the figure {self.name}; what does is {there}")
        costs = cost if cost is None or isinstance(cost, str) else tuple(cost)
        limits = Limits(costs, 5 if budgets is None else budgets, spacing)
        pool = bench.pool(space, dataset, recipe, proxies=proxies, **which)
        return self.draw(bench, pool, limits, {"size": size, "notes": notes})


def drawing(name: str) -> Drawing:
    """A kind of figure by name; UnknownNameError with near matches for any other.

    >>> drawing("mbr").number
    1
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    return FIGURES[name]


def picks_with_intervals(
    pool: Pool, cost: str, budgets: int | Sequence[float] = 5, spacing: str = "quantile"
) -> Frame:
    """`constrained`, with intervals of the accuracies under these very limits.

    A number of limits would be laid anew in each resample.
    """
    laid = constrained(replace(pool, scores={}), cost, budgets, spacing)["limit"].tolist()
    return constrained(pool, cost, list(dict.fromkeys(laid)), resamples=RESAMPLES)


def _any_cost(pool: Pool) -> str:
    """The first cost that the pool has."""
    for cost in pool.costs:
        return cost
    raise _lacking("a cost: macs, params or depth", pool)


def _lacking(needed: str, pool: Pool) -> UsageError:
    there = ", ".join(pool.costs) or "none of macs, params and depth"
    return UsageError(f"this figure needs {needed}, and {pool.space} has {there}; draw another")


def _draw_mbr(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    _any_cost(pool)
    spacings = ("quantile", "even") if limits.spacing is None else (limits.spacing,)
    if not isinstance(limits.budgets, int):
        spacings = spacings[:1]  # given limits are not laid
    tables = []
    for spacing in spacings:
        table = mbr_table(pool, limits.costs, limits.budgets, spacing, with_even=False, resamples=RESAMPLES)
        tables.append(table)
    return mbr_bars(tables, **page)


def _draw_distributions(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    costs = [limits.costs] if isinstance(limits.costs, str) else limits.costs
    return distributions(pool, costs, **page)


def _draw_scatter(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    return proxy_scatter(pool, with_tau_intervals(pool, correlations(pool), RESAMPLES), **page)


def _draw_limits(bench: Bench, pool: Pool, limits: Limits, page: Page, cost: str) -> Figure:
    if cost not in pool.costs:
        raise _lacking(cost, pool)
    table = mbr_table(pool, cost, **limits.laid, with_even=False, resamples=RESAMPLES)
    picks = picks_with_intervals(pool, cost, **limits.laid)
    return under_limits(picks, cost, table, metric=pool.metric, **page)


def _draw_factors(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    """A radar for each of the accuracy and up to nine proxies, as the paper has; a map of more."""
    targets = [ACCURACY, *pool.scores, *pool.unscored]
    protocol = pool.protocol or None
    sample = bench.sample(pool.space, pool.dataset, targets=targets, protocol=protocol, **_choice(pool))
    draw = factor_radars if len(targets) <= MOST_RADARS else factor_map
    return draw(factors(sample), metric=pool.metric, **page)


def _draw_archs(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    cost = limits.cost(pool)
    return best_archs(constrained(pool, cost, **limits.laid), cost, **page)


def _draw_hybrid(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    """Chosen on val, and judged elsewhere.

    That is on the other spaces that have the same runs and members, and on test where the caller typed
    split="test". `where` holds in all of them.
    """
    cost = limits.cost(pool)
    members = _candidates(pool)
    chosen_on = pool
    judged_on: list[Pool] = []
    if pool.split != "val":
        stored = [name for name in members if name in pool.scores]
        protocol = pool.protocol or None
        val: Any = _choice(pool) | {"split": "val"}
        chosen_on = bench.pool(pool.space, pool.dataset, protocol=protocol, proxies=stored, **val)
        judged_on.append(pool)
    notes = []
    if pool.where:
        notes.append(f"Here and elsewhere only archs where {pool.where}.")
    found = best_hybrids(chosen_on, members, costs=cost, **limits.laid)
    for space in _spaces_with_the_runs(bench, pool):
        try:
            other = _same_elsewhere(bench, pool, space)
        except (UnknownNameError, NothingFoundError, UsageError) as error:
            notes.append(f"Not judged on {space}: {error}.")
            continue
        lacking = _lacked(other, members, cost)
        if lacking:
            notes.append(f"Not judged on {space}, which has no {', '.join(lacking)}.")
        else:
            judged_on.append(other)
    judged = found.judge(judged_on) if judged_on else None
    return hybrid_curves(found.table().with_notes(*notes), judged, **page)


def _choice(pool: Pool) -> dict[str, Any]:
    """What a pool was chosen by, for another one that is chosen alike."""
    choice: dict[str, Any] = {
        "recipe": pool.recipe,
        "seed": pool.seed,
        "split": pool.split,
        "where": pool.where,
        "score_seed": pool.score_seed,
    }
    if pool.surrogate is not None:
        choice |= {"seed": None, "accuracy": PREDICTED}
    return choice


def _candidates(pool: Pool) -> list[str]:
    """What combinations are made of: all of few scores and costs, of more those of the paper."""
    there = list(pool.scores_and_costs)
    if len(there) <= len(PAPER):
        return there
    return [name for name in there if name in PAPER] or there[: len(PAPER)]


def _spaces_with_the_runs(bench: Bench, pool: Pool) -> list[str]:
    """The other spaces that have runs of the same data set and recipe."""
    others = [space for space in bench.spaces if space != pool.space]
    return [space for space in others if pool.recipe in bench.recipes(space, pool.dataset)]


def _same_elsewhere(bench: Bench, pool: Pool, space: str) -> Pool:
    """A pool of another space, of the same runs, and of the same protocol where the space has it."""
    protocol = pool.protocol if pool.protocol in bench.protocols(space, pool.dataset) else None
    return bench.pool(space, pool.dataset, protocol=protocol, **_choice(pool))


def _lacked(pool: Pool, members: Iterable[str], cost: str) -> list[str]:
    """The members and the cost that a pool does not have."""
    lacking = [name for name in members if name not in pool.scores and name not in pool.costs]
    if cost not in {**pool.costs, **pool.latency_costs} and cost not in lacking:
        lacking.append(cost)
    return lacking


def _draw_before_after(bench: Bench, pool: Pool, limits: Limits, page: Page) -> Figure:
    cost = limits.cost(pool)
    there = pool.scores_and_costs
    named = [HYBRIDS[name] for name in NAMED]
    hybrids = [hybrid for hybrid in named if set(hybrid.members) <= set(there)]
    if not hybrids:
        needed = "; ".join(f"{name} needs {', '.join(HYBRIDS[name].members)}" for name in NAMED)
        lacks = f"{pool.name} lacks members of every named combination"
        raise UsageError(f"{lacks}: {needed}; draw your own with plots.before_after")
    scores = {member: there[member] for hybrid in hybrids for member in hybrid.members}
    for hybrid in hybrids:
        scores[hybrid.name] = hybrid.scores(pool)
    picks = picks_with_intervals(replace(pool, scores=scores), cost, **limits.laid)
    combined = {hybrid.name: hybrid.members for hybrid in hybrids}
    return before_after(picks, combined, cost, metric=pool.metric, **page)


_UNDER_LIMITS = "accuracy and true rank of the picks under limits of"
_DRAWINGS = (
    Drawing("mbr", 1, mbr_bars, "mean best ranking of every proxy, with intervals", _draw_mbr),
    Drawing(
        "distributions",
        2,
        distributions,
        "accuracy against each cost, and how they are spread",
        _draw_distributions,
        ("cost",),
    ),
    Drawing("scatter", 3, proxy_scatter, "every proxy's score against accuracy", _draw_scatter, ()),
    Drawing("macs", 4, under_limits, f"{_UNDER_LIMITS} macs", partial(_draw_limits, cost="macs"), LAID),
    Drawing("params", 5, under_limits, f"{_UNDER_LIMITS} params", partial(_draw_limits, cost="params"), LAID),
    Drawing("depth", 6, under_limits, f"{_UNDER_LIMITS} depth", partial(_draw_limits, cost="depth"), LAID),
    Drawing(
        "factors",
        7,
        factor_radars,
        "which stage features drive each proxy and the accuracy (needs xgboost)",
        _draw_factors,
        (),
    ),
    Drawing("archs", 8, best_archs, "the arch that each proxy likes best, drawn", _draw_archs),
    Drawing(
        "hybrid",
        9,
        hybrid_curves,
        "the best combination of every size, chosen on val, and judged elsewhere",
        _draw_hybrid,
    ),
    Drawing("combined", 10, before_after, "proxies alone and combined under limits", _draw_before_after),
)
FIGURES: Mapping[str, Drawing] = {one.name: one for one in _DRAWINGS}
