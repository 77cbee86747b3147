"""How well each proxy orders a whole pool."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from nbzero import metrics
from nbzero.errors import UsageError, count_of
from nbzero.frame import Frame
from nbzero.judge.pool import Floats, Pool
from nbzero.judge.rows import (
    CEILING,
    NO_INTERVAL,
    RANDOM,
    Bootstrap,
    Entries,
    bootstrap_notes,
    bootstrap_of,
    ceiling_notes,
    low_high,
)

CORRELATIONS = ("kendall", "spearman", "pearson")
Judges = Mapping[str, Callable[..., float]]
Undefined = Literal["last", "omit"]


def correlations(
    pool: Pool,
    *,
    k: int | None = None,
    fraction: float = 0.05,
    resamples: int = 0,
    bootstrap_seed: int = 0,
    level: float = 0.95,
    undefined: Undefined = "last",
) -> Frame:
    """How well each proxy orders the whole pool.

    Args:
        k: of BR@K; None is 10, or N where there are fewer archs.
        fraction: of P@topK.
        resamples, bootstrap_seed, level: of bootstrap intervals of all five; 0 resamples makes none.
        undefined: what becomes of archs without a score. "last" ranks them below every number, tied. "omit"
            leaves them out, of each proxy its own, as the tables of many papers do: a proxy that fails on
            bad networks looks better so, or worse, and proxies are compared on different archs. -inf is a
            score.

    Returns:
        Columns proxy, kendall (tau-b), spearman, pearson, best_rank_at_k, precision_at_top_k, num (archs with
        a score, which Pearson's is of), missing (archs without one, which the others rank last unless they
        are omitted), infinite (scores that Pearson leaves out too); with resamples also kendall_low,
        kendall_high and so on. Null where a correlation is undefined: constant scores, fewer than two archs,
        or fewer than K where some are omitted. A proxy without any score has nulls in all.

    Raises:
        UsageError: k or fraction out of range, or another `undefined`.
    """
    is_omitting = omits(undefined)
    bootstrap = bootstrap_of(pool, resamples, bootstrap_seed, level)
    return correlations_frame(pool, Entries(pool, is_omitting), k, fraction, bootstrap, is_omitting)


def omits(undefined: Undefined) -> bool:
    """Whether archs without a score are left out; UsageError for another word."""
    allowed = get_args(Undefined)
    if undefined not in allowed:
        raise UsageError(f"undefined {undefined!r}; it is {' or '.join(map(repr, allowed))}")
    return undefined == "omit"


def judges_of(pool: Pool, k: int | None, fraction: float) -> dict[str, Callable[..., float]]:
    """The five metrics of an order, by column."""
    k = min(10, len(pool)) if k is None else k
    return {
        "kendall": metrics.kendall_tau,
        "spearman": metrics.spearman_rho,
        "pearson": metrics.pearson,
        "best_rank_at_k": partial(metrics.best_rank_at_k, k=k),
        "precision_at_top_k": partial(metrics.precision_at_top_k, fraction=fraction),
    }


def correlations_frame(
    pool: Pool,
    entries: Entries,
    k: int | None,
    fraction: float,
    bootstrap: Bootstrap | None = None,
    omit: bool = False,
) -> Frame:
    """The table of `correlations`."""
    k = min(10, len(pool)) if k is None else k
    judges = judges_of(pool, k, fraction)
    rows = [_row(entries, row, pool.accuracy, judges, omit) for row in range(len(entries.names))]
    # The expectation of a random order; of equal scores correlations are undefined.
    rows[entries.names.index(RANDOM)] |= dict.fromkeys(CORRELATIONS, 0.0)
    notes = [f"K = {k} for best_rank_at_k, the top {fraction:.3g} of the archs for precision_at_top_k."]
    if pool.accuracies is not None:
        rows.append(_ceiling_row(pool, pool.accuracies, judges, k))
        if math.isnan(rows[-1]["kendall"]):
            few = f"two seeds share fewer than K = {count_of(k, 'arch')}, or are constant there"
            notes.append(f"{CEILING}: null, because {few}.")
    frame = Frame.of(
        rows,
        f"Correlation with accuracy: {pool.name}",
        [*notes, *entries.notes, *ceiling_notes(pool), *bootstrap_notes(bootstrap)],
    ).marking(entries.doubtful)
    if bootstrap is None:
        return frame
    columns: dict[str, Any] = {name: frame[name] for name in frame.columns}
    for name, judge in judges.items():
        found = [NO_INTERVAL] * len(frame)
        for row, scores in enumerate(entries.scores[: entries.num_proxies]):
            if entries.unscored[row]:
                continue
            there = ~np.isnan(scores)
            if omit and not there.all():
                if not math.isnan(rows[row][name]):
                    found[row] = bootstrap.of(judge, scores[there], pool.only(there))
            else:
                found[row] = bootstrap.of(judge, scores, pool)
        columns |= low_high(name, found)
    return frame.with_columns(columns)


def _row(entries: Entries, row: int, accuracy: Floats, judges: Judges, omit: bool) -> dict[str, Any]:
    """One row of the table."""
    scores, missing = entries.scores[row], entries.missing[row]
    if omit and missing and not entries.unscored[row]:
        return {"proxy": entries.names[row]} | _row_of_scored(scores, accuracy, judges)
    found: dict[str, Any] = {"proxy": entries.names[row]}
    for name, judge in judges.items():
        if entries.unscored[row]:
            found[name] = math.nan
        elif missing or name == "pearson":
            found[name] = judge(scores, accuracy)
        else:  # codes are ranked alike, and sorted already
            found[name] = judge(entries.codes[row], entries.codes[-2])
    infinite = int(np.isinf(scores).sum())
    return found | {"num": len(scores) - missing, "missing": missing, "infinite": infinite}


def _row_of_scored(scores: Floats, accuracy: Floats, judges: Judges) -> dict[str, Any]:
    """A row of the archs that have a score; null where they are too few for the K of a metric."""
    there = ~np.isnan(scores)
    num, found = int(there.sum()), dict[str, Any]()
    for name, judge in judges.items():
        least = judge.keywords.get("k", 1) if isinstance(judge, partial) else 1
        found[name] = judge(scores[there], accuracy[there]) if num >= least else math.nan
    infinite = int(np.isinf(scores).sum())
    return found | {"num": num, "missing": len(scores) - num, "infinite": infinite}


def _ceiling_row(pool: Pool, accuracies: Floats, judges: Judges, k: int) -> dict[str, Any]:
    """What one seed's accuracy scores as a proxy for another's."""
    found: dict[str, Any] = {"proxy": CEILING}
    for name, judge in judges.items():
        found[name] = metrics.noise_ceiling(partial(_where_enough, judge, k), accuracies)
    shared = pool.num_shared
    return found | {"num": shared, "missing": len(pool) - shared, "infinite": 0}


def _where_enough(judge: Callable[..., float], k: int, one: Floats, other: Floats) -> float:
    """A metric of two seeds; nan where they share fewer than k archs."""
    return judge(one, other) if len(one) >= k else math.nan


def with_tau_intervals(pool: Pool, table: Frame, resamples: int) -> Frame:
    """A table of `correlations` of the pool with intervals of Kendall's tau alone, in a fifth of the time.

    They are 95 %, of the archs drawn again, as `correlations(pool, resamples=resamples)` has them: columns
    kendall_low and kendall_high. Null for the oracle, the random pick and another seed.
    """
    bootstrap = Bootstrap(resamples, 0, 0.95, pool.surrogate is not None)
    known = pool.scores_and_costs
    found = []
    for name in table["proxy"].tolist():
        interval = NO_INTERVAL
        if name in known:
            interval = bootstrap.of(metrics.kendall_tau, known[name], pool)
        found.append(interval)
    columns: dict[str, Any] = {}
    for name in table.columns:
        columns[name] = table[name]
        if name == "kendall":
            columns |= low_high(name, found)
    how = f"{bootstrap.of_what} (seed 0), percentiles"
    return table.with_columns(columns, f"95% intervals of kendall: {how}.")
