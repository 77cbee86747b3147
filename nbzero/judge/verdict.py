"""The verdict on one proxy of a pool, in plain sentences: what a report opens with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nbzero import metrics
from nbzero.errors import UsageError, count_of
from nbzero.frame import Frame
from nbzero.judge.budgets import filled_chains
from nbzero.judge.correlations import CORRELATIONS
from nbzero.judge.picks import Lead, leads
from nbzero.judge.pool import Pool
from nbzero.judge.rows import CEILING, ORACLE, RANDOM, Bootstrap
from nbzero.proxies.scored import counted_reasons

REFERENCES = (RANDOM, ORACLE, CEILING)
UNION = "mbr_union"
FEW = 20  # archs below which a verdict says that they are too few
MANY = 2_000  # archs from which on intervals are of fewer resamples, because each takes longer


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is known of the reader's scores beside their numbers.

    Attributes:
        reasons: arch -> why it has no score.
        dataset, protocol: under which they were made; "" where not known or where they have none.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    dataset: str = ""
    protocol: str = ""


UNKNOWN = Source()


def place_of(table: Frame, name: str, metric: str) -> tuple[int, int]:
    """The place of a row among all proxies and costs by one metric, from 1, and how many have the metric.

    Equal ones share a place.

    Raises:
        UnknownNameError: no such column.
        UsageError: the metric is undefined for it.
    """
    values = np.asarray(table[metric], np.float64)
    if metric in (*CORRELATIONS, "precision_at_top_k"):
        values = -values
    own = values[_row(table, name)]
    if np.isnan(own):
        raise UsageError(f"{metric} of {name} is undefined, so it has no place")
    kept = np.array([proxy not in REFERENCES for proxy in table["proxy"]])
    there = values[kept & ~np.isnan(values)]
    return int((there < own).sum()) + 1, len(there)


def default_bootstrap(pool: Pool) -> Bootstrap:
    """The intervals of a verdict where none were asked for."""
    resamples = 1000 if len(pool) <= MANY else 200
    return Bootstrap(resamples, seed=0, level=0.95, is_predicted=pool.surrogate is not None)


def verdict_of(
    pool: Pool, name: str, table: Frame, budgets: int, bootstrap: Bootstrap, source: Source = UNKNOWN
) -> tuple[str, ...]:
    """What a reader wants to know first of one proxy.

        its place among all proxies and costs, and N
        how its mBR differs from that of macs, and whether that is settled
        its Kendall tau
        where it has no score, and why
        what seed noise allows

    Args:
        pool: with the proxy's scores.
        table: a row per proxy with kendall and, where there are costs, mbr_COST of each cost that has limits,
            and mbr_union; with kendall_low and kendall_high where these are made already.
        budgets: limits of each cost.
        bootstrap: of the intervals.
        source: of the proxy's scores.
    """
    return verdicts_of(pool, [name], table, budgets, bootstrap, source)[name]


def verdicts_of(
    pool: Pool,
    names: Sequence[str],
    table: Frame,
    budgets: int,
    bootstrap: Bootstrap,
    source: Source = UNKNOWN,
) -> dict[str, tuple[str, ...]]:
    """`verdict_of` of several proxies or costs, all on the same resamples."""
    limited = _limited(table)
    costs = [cost for cost in pool.costs if limited and not np.isnan(pool.costs[cost]).all()]
    beside = {name: _reference(name, costs) for name in names}
    found = _leads_over(pool, beside, limited, budgets, bootstrap)
    verdicts = {}
    for name in names:
        verdicts[name] = (
            *_predicted(pool),
            *_place(pool, name, table),
            *_other_source(pool, source),
            *_lead(pool, found.get(name), name, beside[name], table, bootstrap),
            *_tau(pool, name, beside[name], table, bootstrap),
            _failures(pool, name, source),
            *_few(pool),
            _noise(pool, table),
        )
    return verdicts


def _limited(table: Frame) -> list[str]:
    """The costs that have limits in a table of mBR."""
    ends = ("_union", "_pool", "_low", "_high")
    mbr = [column for column in table.columns if column.startswith("mbr_") and not column.endswith(ends)]
    return [column.removeprefix("mbr_") for column in mbr]


def _leads_over(
    pool: Pool, beside: Mapping[str, str], limited: list[str], budgets: int, bootstrap: Bootstrap
) -> dict[str, Lead]:
    """The lead of each proxy that has scores over the cost beside it, by mBR over limits on some costs."""
    found: dict[str, Lead] = {}
    if not limited:
        return found
    chains = filled_chains(pool, limited, budgets, "quantile")
    for other in dict.fromkeys(filter(None, beside.values())):
        rows = {}
        for name, its in beside.items():
            if its == other and not np.isnan(pool.score(name)).all():
                rows[name] = pool.score(name)
        table = np.array([*rows.values(), pool.score(other)])
        found |= dict(zip(rows, leads(pool, table, chains, bootstrap), strict=True))
    return found


def _row(table: Frame, name: str) -> int:
    row: int = table["proxy"].tolist().index(name)
    return row


def _value(table: Frame, name: str, column: str) -> float:
    """A cell; NaN where there is no such row or column."""
    if column not in table or name not in table["proxy"].tolist():
        return math.nan
    return float(table[column][_row(table, name)])


def _reference(name: str, costs: list[str]) -> str:
    """The cost to compare with: macs, else the first other one; "" where there is none."""
    others = [cost for cost in costs if cost != name]
    if "macs" in others:
        return "macs"
    return next(iter(others), "")


def _place(pool: Pool, name: str, table: Frame) -> list[str]:
    by, called = "kendall", "Kendall's tau"
    if UNION in table:
        *costs, last = _limited(table)
        on = f"{', '.join(costs)} and {last}" if costs else last
        by, called = UNION, f"mBR over limits on {on}"
    if math.isnan(_value(table, name, by)):
        return [f"{name} has no place by {called}, which is undefined for it, N = {len(pool):,}."]
    place, of = place_of(table, name, by)
    return [f"{name} is number {place} of {of} proxies and costs by {called}, N = {len(pool):,}."]


def _other_source(pool: Pool, source: Source) -> list[str]:
    """On scores that were made under another protocol or on other images than those beside them."""
    said = []
    for what, own, theirs in (
        ("protocol", source.protocol, pool.protocol),
        ("data set", source.dataset, pool.dataset),
    ):
        if own and own != theirs:
            said.append(f"{what} {own}, not {theirs or 'none'}")
    if not said:
        return []
    return [f"Its scores are of another kind than those it is compared with: {'; '.join(said)}."]


def _predicted(pool: Pool) -> list[str]:
    """On a pool whose accuracies were not measured."""
    if pool.surrogate is None:
        return []
    trained = count_of(pool.surrogate.num_archs, "trained network")
    return [f"All of this is by predicted accuracies, of a surrogate of {trained}: no measurement."]


def _lead(
    pool: Pool, lead: Lead | None, name: str, beside: str, table: Frame, bootstrap: Bootstrap
) -> list[str]:
    if lead is None:
        return []
    interval = f"{bootstrap.level:.0%} interval, {lead.low:+.3f} to {lead.high:+.3f}"
    own, other = _value(table, name, UNION), _value(table, beside, UNION)
    both = f"Its mBR is {own:.3f}, that of {beside} {other:.3f}"
    if pool.surrogate is not None:
        drawn = f"In {bootstrap.level:.0%} of the draws of the accuracies"
        said = f"{drawn} the difference is {lead.low:+.3f} to {lead.high:+.3f}"
        return [f"{both}. {said}; that it holds must be measured."]
    if lead.low <= 0 <= lead.high:
        return [f"{both}; the difference is not settled: its {interval}, holds 0."]
    which = "better" if lead.high < 0 else "worse"
    return [f"{both}; the difference is settled: it picks {which} than {beside} ({interval})."]


def _few(pool: Pool) -> list[str]:
    if len(pool) >= FEW:
        return []
    return [f"{count_of(len(pool), 'arch')} are too few to tell one proxy from another."]


def _tau(pool: Pool, name: str, beside: str, table: Frame, bootstrap: Bootstrap) -> list[str]:
    tau = _value(table, name, "kendall")
    if math.isnan(tau):
        return ["Its Kendall tau is undefined, as of equal scores or of one arch."]
    low, high = _value(table, name, "kendall_low"), _value(table, name, "kendall_high")
    if math.isnan(low):
        low, high = bootstrap.of(metrics.kendall_tau, pool.score(name), pool)
    said = f"Its Kendall tau is {tau:.3f} ({bootstrap.level:.0%} interval, {low:.3f} to {high:.3f})"
    if beside:
        said += f", that of {beside} {_value(table, beside, 'kendall'):.3f}"
    return [f"{said}."]


def _failures(pool: Pool, name: str, source: Source) -> str:
    scores = pool.score(name)
    absent = np.flatnonzero(np.isnan(scores))
    archs = count_of(len(pool), "arch")
    infinite = int(np.isinf(scores).sum())
    more = ""
    if infinite:
        more = f"; infinite scores: {infinite}"
    if not len(absent):
        return f"It has a score for all {archs}{more}."
    said = f"It has no score for {len(absent)} of {archs}, which rank last{more}"
    told = [source.reasons[pool.archs[at]] for at in absent if pool.archs[at] in source.reasons]
    if not told:
        return f"{said}."
    return f"{said}: {counted_reasons(told)}."


def _noise(pool: Pool, table: Frame) -> str:
    if pool.surrogate is not None:
        return (
            "Seed noise is no part of predictions; the measured pool has another seed's accuracy beside it."
        )
    if pool.accuracies is None:
        return "Seed noise is unknown: no arch was trained with two seeds."
    reached = []
    for column, called in ((UNION, "mBR"), ("kendall", "Kendall tau")):
        value = _value(table, CEILING, column)
        if not math.isnan(value):
            reached.append(f"{called} {value:.3f}")
    if not reached:
        return "Seed noise is unknown: too few archs were trained with two seeds."
    allows = f"{' and '.join(reached)} on the {count_of(pool.num_shared, 'arch')} that two seeds share"
    beyond = "beyond that no proxy can be told from perfect"
    return f"Seed noise: another seed's {pool.metric} as a proxy has {allows}; {beyond}."
