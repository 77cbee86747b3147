"""The whole report of a proxy of the reader's, beside all stored ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nbzero import metrics
from nbzero.errors import UsageError, check_known, count_of, names as names_of
from nbzero.frame import Frame
from nbzero.judge.budgets import chains_of
from nbzero.judge.correlations import CORRELATIONS, Undefined, correlations_frame, judges_of, omits
from nbzero.judge.picks import judged_of, mbr_columns, picks_frame, spacings
from nbzero.judge.pool import Floats, Pool
from nbzero.judge.rows import Bootstrap, Entries, bootstrap_of
from nbzero.judge.scores import aligned, narrowed
from nbzero.judge.verdict import REFERENCES, UNION, UNKNOWN, Source, default_bootstrap, place_of, verdict_of
from nbzero.proxies.function import reads_network
from nbzero.proxies.own import score_archs
from nbzero.proxies.scored import OwnScores, counted_reasons
from nbzero.spaces.published import doubt_notes, space_with

SHORT = (
    "proxy",
    *CORRELATIONS,
    "best_rank_at_k",
    "precision_at_top_k",
    "mbr_union",
    "mbr_union_pool",
    "even_mbr_union",
    "missing",
)
FEW = 10  # other proxies in a report's repr


@dataclass(frozen=True)
class Report:
    """A proxy of the reader's beside all stored ones.

    Attributes:
        name: of the reader's proxy.
        pool: what it was judged on; its scores hold the reader's too, oriented.
        metrics: a row per proxy, the reader's first. The columns are those of `correlations`, then mbr_COST
            and mbr_union under quantile limits, and even_mbr_COST and even_mbr_union under the paper's even
            ones; each also with _pool.
        picks: `constrained` of every proxy under both, with a column spacing in front.
        intervals: with resamples, else None: proxy, metric, value, low, high; every metric of the reader's
            proxy, and every proxy's mBR.
        notes: what was left out or is missing.
        budgets, bootstrap: how many limits a cost has, and how intervals are made where they were asked for.
        source: what is known of the reader's scores beside their numbers.
    """

    name: str
    pool: Pool
    metrics: Frame
    picks: Frame
    intervals: Frame | None
    notes: tuple[str, ...]
    budgets: int = 5
    bootstrap: Bootstrap | None = None
    source: Source = UNKNOWN

    @property
    def by(self) -> str:
        """The metric that rows are sorted by: mbr_union, or kendall where there is no mBR."""
        return UNION if UNION in self.metrics else "kendall"

    @property
    def sorted(self) -> Frame:
        """The metrics, the best first."""
        return self.metrics.sorted(self.by, descending=self.by == "kendall")

    def place(self, metric: str = "mbr_union") -> tuple[int, int]:
        """The place of the reader's proxy by one metric, from 1, and how many have that metric.

        It stands among all proxies and costs.

        Equal ones share a place.

        Raises:
            UnknownNameError: no such column.
            UsageError: the metric is undefined for it.
        """
        return place_of(self.metrics, self.name, metric)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The verdict, a sentence each: `nbzero.judge.verdict.verdict_of`.

        Its intervals are those asked for, else 95 % ones of 1,000 resamples (200 from 2,000 archs on). It is
        made when it is first read.
        """
        bootstrap = self.bootstrap or default_bootstrap(self.pool)
        return verdict_of(self.pool, self.name, self.metrics, self.budgets, bootstrap, self.source)

    @property
    def verdict(self) -> str:
        """The sentences, one to a line."""
        return "\n".join(self.sentences)

    def __repr__(self) -> str:
        """The verdict, then the reader's proxy beside the best ten, the costs and the references."""
        ordered = self.sorted
        always = {self.name, *REFERENCES, *self.pool.costs}
        others = [name for name in ordered["proxy"] if name not in always]
        kept = always.union(others[:FEW])
        rows = ordered.only(np.array([name in kept for name in ordered["proxy"]]))
        shown = {name: rows[name] for name in SHORT if name in rows}
        title = f"{self.name}: {self.pool.name}"
        lines = [self.verdict, "", Frame(shown, title, doubtful=rows.doubtful).to_text()]
        more = "every column"
        if len(others) > FEW:
            more = count_of(len(others) - FEW, "more proxy", "more proxies")
        intervals = ".intervals is None: ask for resamples=1000"
        if self.intervals is not None:
            intervals = "bootstrap intervals in .intervals"
        lines.append(f"({more} in .metrics, what each picks under each limit in .picks, {intervals})")
        return "\n".join([*lines, *self.notes])


def evaluate(
    pool: Pool,
    scores: Any,
    name: str = "yours",
    *,
    direction: int = 1,
    k: int | None = None,
    fraction: float = 0.05,
    costs: str | Iterable[str] | None = None,
    budgets: int = 5,
    resamples: int = 0,
    bootstrap_seed: int = 0,
    level: float = 0.95,
    undefined: Undefined = "last",
) -> Report:
    """The whole report of one proxy beside those of the pool.

    Args:
        scores: by arch, a dict, a pandas Series, or what `score_archs` gave; a table with columns arch and
            score (and seed, over which the mean is taken); an array with one for every arch of the pool, or
            for every member of the space in build order; or the name of a stored proxy, whose report it then
            is; or a function, which `score_archs` then scores on
            the archs of the pool, by its protocol and with its seed. NaN and None where there is none: those
            rank last. Archs that a dict, Series or table does not name were not scored; the pool is narrowed
            to those named, for all proxies alike.
        name: what to call it; a stored proxy keeps its own.
        direction: +1 where higher scores are better, -1 where lower ones are.
        k, fraction: of BR@K and P@topK, as in `correlations`.
        costs: which have limits, as in `constrained`; None is macs, params and depth.
        budgets: how many limits for each of them.
        resamples, bootstrap_seed, level: of bootstrap intervals.
        undefined: "last", or "omit", which narrows the pool to the archs that have a score of `name`, for all
            proxies alike.

    Raises:
        UnknownNameError: a cost that the pool does not have.
        NothingFoundError: the scores name no arch of the pool; a latency that was not measured.
        UsageError: scores of archs that are no members, twice of one arch, all absent, or of another length;
            another direction; a name that is taken; and of a function what `score_archs` raises.
    """
    if direction not in (1, -1):
        raise UsageError(
            f"direction {direction!r}; it is 1 where higher scores are better, -1 where lower ones are"
        )
    if isinstance(scores, str):
        pool, scores, name = _stored(pool, scores)
    _check_name(pool, name)
    is_omitting = omits(undefined)
    if not metrics.is_number_of_limits(budgets):
        number = "it is a number of them from 1"
        raise UsageError(f"budgets {budgets!r}; a report has limits on every cost, so {number}")
    bootstrap = bootstrap_of(pool, resamples, bootstrap_seed, level)
    if callable(scores):
        scores = _scored(pool, scores)
    source = UNKNOWN
    if isinstance(scores, OwnScores):
        source = Source(reasons=scores.reasons, dataset=scores.dataset, protocol=scores.protocol)
    pool, (values,), notes = narrowed(pool, aligned(pool, scores))
    if np.isnan(values).all():
        none = f"none of the {count_of(len(pool), 'arch')} of {pool.name} has a score of {name}"
        why = f" ({counted_reasons(source.reasons.values())})" if source.reasons else ""
        raise UsageError(f"{none}{why}; give scores of measured archs")
    if is_omitting:
        pool, values, omitted = _without_undefined(pool, values, name)
        notes = [*notes, *omitted]
    own = pool.with_scores({name: values * direction, **pool.scores})
    return _report(own, name, k, fraction, _limited(own, costs), budgets, bootstrap, notes, source)


def _limited(pool: Pool, costs: str | Iterable[str] | None) -> list[str]:
    """The costs that have limits in a report; none where the pool has no cost and none was named.

    Raises:
        UsageError: an empty list.
    """
    if costs is None:
        return list(pool.costs)
    named = [costs] if isinstance(costs, str) else names_of("costs", costs)
    if not named:
        raise UsageError("costs is an empty list; name one or more, or leave it out for macs, params, depth")
    return named


def _stored(pool: Pool, proxy: str) -> tuple[Pool, Floats, str]:
    """The pool without one of its proxies, that one's scores, and its name.

    Raises:
        UnknownNameError: no proxy of the pool.
        NothingFoundError: a proxy that no arch has a score of.
    """
    pool.check_scored([proxy])
    check_known("proxy", [proxy], pool.scores)
    others = {name: values for name, values in pool.scores.items() if name != proxy}
    return pool.with_scores(others), pool.scores[proxy], proxy


def _without_undefined(pool: Pool, values: Floats, name: str) -> tuple[Pool, Floats, list[str]]:
    """The archs that have a score, their scores, and what to say of the others."""
    there = ~np.isnan(values)
    num = int((~there).sum())
    if not num:
        return pool, values, []
    said = f"{count_of(num, 'arch')} without a score of {name} left out, for all proxies (undefined='omit')."
    return pool.only(there), values[there], [said]


def _scored(pool: Pool, function: Any) -> OwnScores:
    """The scores of a function on the archs of a pool, as those beside them were made."""
    seed = pool.seed if pool.score_seed is None else pool.score_seed
    if pool.surrogate is not None and pool.score_seed is None:
        seed = 0  # whose scores stand beside predicted accuracies
    if isinstance(seed, str):
        raise UsageError(
            f"a function beside scores of seed {seed!r}; call nbzero.proxies.score_archs with the seeds meant"
        )
    space = space_with(pool.space, pool.members)
    protocol = pool.protocol or None
    if not reads_network(function):
        protocol = None
    return score_archs(function, space, pool.archs, pool.dataset, protocol, seeds=(seed,))


def _check_name(pool: Pool, name: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise UsageError(
            f"name {name!r}; it is what the report's tables and figures call the proxy, like 'yours'"
        )
    if name in (*pool.scores, *pool.unscored, *pool.costs, *REFERENCES):
        raise UsageError(f"name {name!r} is taken by a row of the report; choose another")


def _report(
    own: Pool,
    name: str,
    k: int | None,
    fraction: float,
    costs: list[str],
    budgets: int,
    bootstrap: Bootstrap | None,
    notes: list[str],
    source: Source,
) -> Report:
    entries = Entries(own)
    ordered = correlations_frame(own, entries, k, fraction)
    columns: dict[str, Any] = {column: ordered[column] for column in ordered.columns}
    intervals: list[dict[str, Any]] = []
    if bootstrap is not None:
        intervals += _own_intervals(own, name, ordered, judges_of(own, k, fraction), bootstrap)
    parts = []
    for spacing, prefix in spacings(budgets, "quantile") if costs else []:
        judged = judged_of(own, entries, chains_of(own, costs, budgets, spacing), bootstrap)
        mbr = mbr_columns(own, entries, judged, budgets, spacing, bootstrap, prefix)
        ends = ("_low", "_high")
        columns |= {column: values for column, values in mbr.items() if not column.endswith(ends)}
        parts.append((spacing, picks_frame(own, entries, judged, bootstrap)))
        if bootstrap is not None:
            intervals += _mbr_intervals(columns["proxy"].tolist(), mbr)
    notes = [*notes, *ordered.notes, *filter(None, map(own.cost_note, costs))]
    if not parts:
        notes.append(f"{own.space} has none of macs, params and depth, so there is no mBR.")
    found = None
    if bootstrap is not None:
        of_what = f"{bootstrap.level:.0%} intervals of {bootstrap.of_what}: {own.name}"
        found = Frame.of(intervals, of_what, [bootstrap.note])
        doubts = doubt_notes(own.space, entries.names, own.dataset)
        found = found.with_notes(*doubts).marking(entries.doubtful)
    title = f"{name} beside the stored proxies: {own.name}"
    table = Frame(columns, title, notes, doubtful=entries.doubtful)
    picks = _both_picks(own, parts)
    return Report(name, own, table, picks, found, tuple(notes), budgets, bootstrap, source)


def _own_intervals(
    own: Pool, name: str, ordered: Frame, judges: dict[str, Any], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    """The intervals of the reader's correlations."""
    rows = []
    for metric, judge in judges.items():
        low, high = bootstrap.of(judge, own.scores[name], own)
        value = float(ordered[metric][0])
        rows.append({"proxy": name, "metric": metric, "value": value, "low": low, "high": high})
    return rows


def _mbr_intervals(names: list[str], mbr: dict[str, Any]) -> list[dict[str, Any]]:
    """The intervals of every row's mBR."""
    rows = []
    for metric, values in mbr.items():
        if f"{metric}_low" not in mbr:
            continue
        for proxy, value, low, high in zip(
            names, values, mbr[f"{metric}_low"], mbr[f"{metric}_high"], strict=True
        ):
            rows.append({"proxy": proxy, "metric": metric, "value": value, "low": low, "high": high})
    return rows


def _both_picks(own: Pool, parts: list[tuple[str, Frame]]) -> Frame:
    """The picks under both spacings, one after the other."""
    title = f"Picks within budgets: {own.name}"
    if not parts:
        return Frame({"spacing": []}, title)
    columns: dict[str, Any] = {"spacing": []}
    for spacing, part in parts:
        columns["spacing"] += [spacing] * len(part)
    first = parts[0][1]
    for column in first.columns:
        columns[column] = np.concatenate([part[column] for _, part in parts])
    notes = dict.fromkeys(note for _, part in parts for note in part.notes)
    return Frame(columns, title, notes, doubtful=first.doubtful)
