"""Budgets: the nested pools of archs within limits on a cost.

A budget can be too small for every arch. A proxy can lack all scores. Then nothing is picked.

    Tables      show nulls, and a note with the reason. The budget's rows have a pool_size of 0; means over
                budgets leave it out, and are null where none is left.
    Numbers     (mbr, mbr_lead, Hybrid.mbr) have no place for a note. They raise NothingFoundError.
    Searches    leave them out and say so. A search that is left with no budget raises NothingFoundError.

The functions of `nbzero.metrics` know neither names nor pools. A limit below every cost is an error there
too, and scores that are all NaN are a tie.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero import metrics
from nbzero.errors import NothingFoundError, UsageError, count_of
from nbzero.judge.pool import Floats, Ints, Pool

Budgets = int | Sequence[float] | Mapping[str, float]
MOST = 0.5  # a first limit that admits more of the pool than this is worth a note


@dataclass(frozen=True)
class Chain:
    """The nested pools of one cost: the b-th is the archs order[:sizes[b]], those of values <= limits[b].

    A size may be 0.

    Attributes:
        cost, constraints, limits: of each budget, as `constrained` shows them.
        values: (N,) NaN where an arch is within no limit. A joint budget has no one limit (NaN); its values
            are 0 within it, NaN elsewhere.
        order, sizes: (N,) and (B,).
        cheapest: which arch has the least of the cost, in words.
        laid: the number of limits and their spacing, which every resample lays anew; None for limits of the
            caller's.
        note: for the reader.
    """

    cost: str
    constraints: tuple[str, ...]
    limits: Floats
    values: Floats
    order: Ints
    sizes: Ints
    cheapest: str
    laid: tuple[int, str] | None = None
    note: str = ""

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """(B,) whether a budget admits an arch."""
        return self.sizes > 0

    @property
    def empty(self) -> str:
        """In words the budgets that admit no arch, and what the cheapest has; "" where there are none."""
        if self.filled.all():
            return ""
        named = []
        for limit, words, there in zip(
            self.limits.tolist(), self.constraints, self.filled.tolist(), strict=True
        ):
            if not there:
                named.append(words if math.isnan(limit) else f"{self.cost} <= {limit:.10g}")
        budgets = count_of(len(self.sizes), "budget admits", "budgets admit")
        return f"{len(named)} of {budgets} no arch, so nothing is picked: {'; '.join(named)}; {self.cheapest}"

    @property
    def crowded(self) -> str:
        """In words that the first of several limits admits more than half of the archs.

        "" where it does not.
        """
        first = int(self.sizes[0])
        if len(self.sizes) < 2 or first <= MOST * len(self.values):
            return ""
        limits = f"{len(self.sizes)} limits"
        if self.laid is not None:
            number, spacing = self.laid
            limits = f"{number} {spacing} limits"
        share = f"{first:,} of {len(self.values):,} archs"
        return f"The first of {limits} on {self.cost} admits {share}: the picks hardly differ."

    def resampled(self, pool: Pool, scores: Floats, resamples: int, seed: int) -> metrics.Resampled | None:
        """`metrics.resampled_picks` under the budgets that admit an arch; None where none does.

        Of predicted accuracies it is `metrics.redrawn_picks`.
        """
        if not self.filled.any():
            return None
        if pool.surrogate is not None:
            draws = pool.draws(resamples, seed)
            return metrics.redrawn_picks(scores, draws, self.order, self.sizes[self.filled])
        given: tuple[Any, str] = (np.nan_to_num(self.limits[self.filled]).tolist(), "even")
        budgets, spacing = given if self.laid is None else self.laid
        return metrics.resampled_picks(scores, pool.accuracy, self.values, budgets, spacing, resamples, seed)


def chains_of(
    pool: Pool, costs: str | Iterable[str] | None, budgets: Budgets, spacing: str = "quantile"
) -> list[Chain]:
    """The nested pools of each cost under its budgets; of a mapping of budgets one pool.

    Args:
        costs: macs, params, depth, a latency ("latency", or "latency:SETUP") or any stage feature, one or
            several. None is every one of the first three that the space has.
        budgets: how many limits for each cost, which `spacing` lays ("quantile" or "even"); the limits
            themselves; or a mapping, {"macs": 1e8, "params": 1e6}, which is one budget that holds all of them
            at once.

    Raises:
        UnknownNameError: a cost that the space does not have.
        NothingFoundError: a latency of a space of which none was measured.
        UsageError: no cost named where the space has none, costs beside a mapping, wrong `budgets` or
            `spacing`.
    """
    if isinstance(budgets, Mapping):
        return [_joint(pool, costs, budgets)]
    names = _cost_names(pool, costs)
    is_number = metrics.is_number_of_limits(budgets)
    if len(names) > 1 and not is_number:
        what = f"limits {budgets!r} on {', '.join(names)}"
        raise UsageError(f"{what}; limits are of one cost: name it, or give a number of budgets")
    laid = (int(budgets), spacing) if is_number else None  # type: ignore[arg-type]
    return [_chain(pool, name, budgets, spacing, laid) for name in names]


def _cost_names(pool: Pool, costs: str | Iterable[str] | None) -> list[str]:
    if isinstance(costs, str):
        return [costs]
    if costs is not None:
        names = list(dict.fromkeys(costs))
        if not names:
            there = ", ".join(pool.costs) or "the stage features"
            raise UsageError(f"no costs were named; name one or more of {there}, or leave costs out for all")
        return names
    if not pool.costs:
        usable = [name for name in pool.features if name not in pool.categories]
        instead = f"; name one of {', '.join(usable)}" if usable else ""
        raise UsageError(f"no cost: {pool.space} has none of macs, params and depth{instead}")
    return list(pool.costs)


def _chain(
    pool: Pool, name: str, budgets: int | Sequence[float], spacing: str, laid: tuple[int, str] | None
) -> Chain:
    values = pool.cost(name)
    lacking = int(np.isnan(values).sum())
    if lacking == len(values):
        raise UsageError(f"no arch of the pool has {name}; budgets need another cost")
    limits = metrics.budget_limits(values[~np.isnan(values)], budgets, spacing)
    order = np.argsort(values)  # numpy sorts NaN last
    sizes = np.searchsorted(values[order[: len(order) - lacking]], limits, side="right")
    constraints = tuple(f"{name} <= {limit:.6g}" for limit in limits)
    note = _note(pool, name, values)
    return Chain(name, constraints, limits, values, order, sizes, pool.cheapest([name]), laid, note)


def _joint(pool: Pool, costs: str | Iterable[str] | None, budgets: Mapping[str, float]) -> Chain:
    """The one pool of archs within all of several limits."""
    if costs is not None:
        given = f"costs {costs!r} beside joint budgets {dict(budgets)}"
        raise UsageError(f"{given}; the budgets name their costs, leave costs out")
    if not budgets or not all(map(_is_limit, budgets.values())):
        raise UsageError(f"joint budgets {dict(budgets)}; they are like {{'macs': 1e8, 'params': 1e6}}")
    if len(budgets) == 1:
        ((name, limit),) = budgets.items()
        return _chain(pool, name, [float(limit)], "even", None)
    inside = np.ones(len(pool), bool)
    notes = []
    for name, limit in budgets.items():
        values = pool.cost(name)
        inside &= values <= limit
        notes.append(_note(pool, name, values))
    words = " and ".join(f"{name} <= {limit:.6g}" for name, limit in budgets.items())
    return Chain(
        cost=" and ".join(budgets),
        constraints=(words,),
        limits=np.array([math.nan]),
        values=np.where(inside, 0.0, math.nan),
        order=np.concatenate([np.flatnonzero(inside), np.flatnonzero(~inside)]),
        sizes=np.array([int(inside.sum())]),
        cheapest=pool.cheapest(budgets),
        note=" ".join(filter(None, notes)),
    )


def _is_limit(value: Any) -> bool:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        return False
    return math.isfinite(value)


def _note(pool: Pool, name: str, values: Floats) -> str:
    """How many archs lack a cost, and which setup a latency is of; "" where there is nothing to say."""
    said = pool.cost_note(name)
    lacking = int(np.isnan(values).sum())
    if lacking:
        said += f" {lacking} of {len(values)} archs have no {name}, and are within no limit on it."
    return said.strip()


def filled_chains(
    pool: Pool, costs: str | Iterable[str] | None, budgets: Budgets, spacing: str = "quantile"
) -> list[Chain]:
    """`chains_of`, of macs where no costs are named; NothingFoundError where a budget admits no arch."""
    if costs is None and not isinstance(budgets, Mapping):
        costs = "macs"
    chains = chains_of(pool, costs, budgets, spacing)
    for chain in chains:
        if chain.empty:
            instead = "raise the budget, or take a table, which leaves it out with a note"
            raise NothingFoundError(f"{chain.empty} (of {pool.name}); {instead}")
    return chains


def mean_mbr(pool: Pool, scores: Floats, chains: Sequence[Chain], normalise: str = "total") -> Floats:
    """(P,) mBR of (P, N) scores: the mean over the chains of their means over the budgets that admit an arch.

    It is NaN where a chain has no such budget.
    """
    parts = []
    for chain in chains:
        if not chain.filled.any():
            return np.full(len(scores), math.nan)
        found = metrics.picks(scores, pool.accuracy, chain.order, chain.sizes[chain.filled])
        parts.append(metrics.mean_rank(found, len(pool), normalise))
    return np.asarray(np.mean(parts, axis=0), np.float64)


def chain_notes(chains: Iterable[Chain]) -> list[str]:
    """On archs without a cost, budgets that admit no arch, and first limits that admit most of the pool."""
    listed = list(chains)
    notes = [chain.note for chain in listed if chain.note]
    notes += [f"{chain.empty}." for chain in listed if chain.empty]
    notes += [chain.crowded for chain in listed if chain.crowded]
    return notes


def is_laid(budgets: Any) -> bool:
    """Whether budgets are a number of limits, which a spacing lays."""
    return not isinstance(budgets, Mapping) and metrics.is_number_of_limits(budgets)


def limits_in_words(budgets: Budgets, spacing: str) -> str:
    """Like "5 quantile limits"."""
    if isinstance(budgets, Mapping):
        return "joint limits"
    if metrics.is_number_of_limits(budgets):
        return count_of(int(budgets), f"{spacing} limit")  # type: ignore[arg-type]
    return count_of(len(budgets), "given limit")  # type: ignore[arg-type]
