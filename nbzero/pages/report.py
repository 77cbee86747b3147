"""The report: choose space, recipe and proxy, move a budget, see the pick and its true rank.

The page carries the accuracies, costs and scores of its pools as exact float64, and the tables of
`nbzero.judge`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import nbzero
from nbzero.errors import whole
from nbzero.frame import Frame
from nbzero.judge.correlations import CORRELATIONS, correlations, with_tau_intervals
from nbzero.judge.picks import mbr_table
from nbzero.judge.pool import Pool
from nbzero.judge.rows import CEILING, ORACLE, RANDOM, Bootstrap
from nbzero.judge.verdict import verdicts_of
from nbzero.pages.page import Columns, table_content, write_page
from nbzero.pages.shared import (
    Found,
    asked_pools,
    doubtful_in_words,
    is_lower_better,
    latencies_once,
    noise_in_words,
    notes_of_all,
    protocol_in_words,
    proxy_in_words,
    sources_in_words,
    split_in_words,
)
from nbzero.plots.paper import RESAMPLES
from nbzero.plots.words import UNITS, metric_unit
from nbzero.release.latencies import LATENCY
from nbzero.spaces.published import IMPORTED, doubt_notes
from nbzero.text import MARK

if TYPE_CHECKING:
    from nbzero.bench import Bench
    from nbzero.release.opened import Split

NAME = "report"
_MBR_COLUMNS = (
    "mBR: the mean over the limits of the true rank of the pick, over all N archs, the letter of the paper; "
    "in the columns with _pool each rank over the number of archs within its own limit. 0 is best, {chance} "
    "(union) is what a random pick gets on average. union: over the limits of all costs."
)
_SPACINGS = {
    "quantile": "limits that admit equal shares of the archs",
    "even": "equal steps of the cost from its lowest to its highest, as in the paper",
}
_TRUE_RANK = (
    "True rank of an arch: how many of the archs within the limit are strictly more accurate, so 0 is best. "
    "Where several archs tie for the highest score, accuracy and rank are means over them."
)


def write_report(
    bench: Bench,
    out_dir: str | os.PathLike[str],
    spaces: Iterable[str] | None = None,
    split: Split = "val",
    budgets: int = 5,
    resamples: int = RESAMPLES,
) -> Path:
    """Write OUT_DIR/report.html, self-contained, and return its path; needs vl-convert-python.

    Every recipe of every data set of the spaces is a pool to choose (seed 0). The page has about 0.4 MB of
    chart library and 11 bytes for each number it holds, archs times proxies of a pool. Equal columns are in
    it once. Every table opens sorted by merit: by mBR (union), Kendall's tau, or the true rank of the picks.

    Args:
        out_dir: a folder, made where there is none. A report.html that this function wrote is replaced,
            whole or not at all.
        spaces: names; None is every space that has an accuracy of the split.
        split: "val", or "test" for the final judgement.
        budgets: limits per cost in the mBR tables; the slider has 100 whatever it is.
        resamples: of the 95 % bootstrap intervals of mBR (union) and Kendall's tau, which take seconds a
            pool; 0 makes none.

    Raises:
        UnknownNameError: a space that the release does not have.
        NothingFoundError: no accuracy of that split in the spaces, or neither scores nor costs to pick by.
        UsageError: no space named, another split, budgets below 1, resamples below 0.
        OutputError: `out_dir` is a file, or holds a report.html that is none of ours, or cannot be written.
        ReleaseError, MissingPackageError: as `asked_pools`.
    """
    budgets = whole("budgets", budgets, 1)
    resamples = whole("resamples", resamples)
    path, found = asked_pools(bench, out_dir, NAME, spaces, split)
    write_page(path, _content(bench, found, split, budgets, resamples))
    return path


def _content(bench: Bench, found: Found, split: Split, budgets: int, resamples: int) -> dict[str, Any]:
    """Everything that the page shows."""
    columns = Columns()
    pools = [_pool_content(bench, pool, columns, budgets, resamples) for pool in found.pools]
    of_all = notes_of_all(bench, found, split)
    proxies: dict[str, str] = {}
    for pool in pools:
        pool["notes"] += of_all
        for name in pool["scores"]:
            proxies[name] = proxy_in_words(name)
            if is_lower_better(name):
                proxies[name] += " Lower raw scores are better: the sign is turned here."
    units = dict(UNITS)
    for pool in pools:
        units |= dict.fromkeys(pool["latencies"], UNITS[LATENCY])
    release = f"data version {bench.version} (manifest {bench.sha256[:12]})"
    return {
        "about": f"A report of nbzero {nbzero.__version__} on {release}, {split} split. "
        "Higher scores are better throughout. This page is one file and fetches nothing.",
        "pools": pools,
        "columns": columns.all(),
        "proxies": proxies,
        "units": units,
        "oracle": ORACLE,
        "random": RANDOM,
        "mark": MARK,
    }


def _pool_content(bench: Bench, pool: Pool, columns: Columns, budgets: int, resamples: int) -> dict[str, Any]:
    costs = {name: values for name, values in pool.costs.items() if not np.isnan(values).all()}
    timed = latencies_once(pool.latency_costs)
    latencies = {name: values for name, values in timed.items() if not np.isnan(values).all()}
    mbr: dict[str, Frame] = {}
    if costs:
        for spacing in _SPACINGS:
            made = mbr_table(pool, costs, budgets, spacing, with_even=False, resamples=resamples)
            mbr[spacing] = _union_first(made)
    ordered = correlations(pool)
    if resamples:
        ordered = with_tau_intervals(pool, ordered, resamples)
    scores = pool.scores_and_costs
    ours = mbr.get("quantile")
    return {
        "space": pool.space,
        "dataset": pool.dataset,
        "recipe": pool.recipe,
        "metric": pool.metric,
        "metric_unit": metric_unit(pool.metric),
        "size": len(pool),
        "archs": columns.lines(pool.archs),
        "accuracy": columns.numbers(pool.accuracy),
        "costs": {name: columns.numbers(values) for name, values in costs.items()},
        "latencies": {name: columns.numbers(values) for name, values in latencies.items()},
        "scores": {name: columns.numbers(values) for name, values in scores.items()},
        "opens": _opens(pool, ours),
        "doubtful": doubtful_in_words(pool, scores),
        "doubts": doubt_notes(pool.space, scores, pool.dataset),
        "flipped": [name for name in scores if is_lower_better(name)],
        "tables": [*_mbr_tables(mbr, budgets), _correlations_table(ordered)],
        "notes": _notes(bench, pool, ours, ordered),
        "verdicts": _verdicts(pool, list(scores), ours, ordered, budgets, resamples),
    }


def _verdicts(
    pool: Pool, names: list[str], mbr: Frame | None, ordered: Frame, budgets: int, resamples: int
) -> dict[str, str]:
    """The verdict on each proxy and cost, which is of intervals; none without resamples."""
    if not resamples:
        return {}
    columns: dict[str, Any] = {name: ordered[name] for name in ordered.columns}
    if mbr is not None:
        columns |= {name: mbr[name] for name in mbr.columns}
    found = verdicts_of(pool, names, Frame(columns), budgets, Bootstrap(resamples, 0, 0.95))
    return {name: " ".join(sentences) for name, sentences in found.items()}


def _opens(pool: Pool, mbr: Frame | None) -> str | None:
    """The proxy that the page shows first.

    It is the stored one of the lowest mBR under quantile limits on macs, or on all costs of a pool without
    macs.
    """
    if mbr is None:
        return next(iter(pool.scores), None)
    column = "mbr_macs" if "mbr_macs" in mbr else "mbr_union"
    values = dict(zip(mbr["proxy"].tolist(), mbr[column].tolist(), strict=True))
    stored = [name for name in pool.scores if name not in pool.costs]
    return min(stored, key=values.__getitem__, default=None)


def _union_first(mbr: Frame) -> Frame:
    """`mbr_table` with mbr_union, by which the page sorts it, in front; no intervals of other columns."""
    first = [name for name in ("proxy", "mbr_union", "mbr_union_low", "mbr_union_high") if name in mbr]
    rest = [name for name in mbr.columns if name not in first and not name.endswith(("_low", "_high"))]
    return mbr.with_columns({name: mbr[name] for name in (*first, *rest)})


def _mbr_tables(mbr: dict[str, Frame], budgets: int) -> list[dict[str, Any]]:
    tables = []
    for spacing, frame in mbr.items():
        limits = f"{budgets} limits per cost: {_SPACINGS[spacing]}."
        chance = _value(frame, RANDOM, "mbr_union")
        notes = [limits, _MBR_COLUMNS.format(chance=f"{chance:.4f}")]
        tables.append(table_content(f"mbr-{spacing}", frame, notes, "mbr_union", is_descending=False))
    return tables


def _correlations_table(frame: Frame) -> dict[str, Any]:
    notes = ["Of the whole pool, without limits: 1 is a perfect order, 0 none."]
    return table_content("correlations", frame, notes, "kendall", is_descending=True)


def _value(frame: Frame, proxy: str, column: str) -> float:
    return float(frame[column][frame["proxy"].tolist().index(proxy)])


def _notes(bench: Bench, pool: Pool, mbr: Frame | None, ordered: Frame) -> list[str]:
    """What a number of this page rests on, in plain words."""
    measured = f"a {pool.split} {pool.metric} on {pool.dataset} with recipe {pool.recipe}, seed 0"
    notes = [
        f"N = {len(pool):,}: the archs of {pool.space} that have {measured}; the space has "
        f"{pool.num_members:,} archs. The fewer the archs, the more of any difference between proxies is "
        "chance.",
        f"The {pool.metric} is of the {pool.split} split{split_in_words(pool)} "
        f"Recipe {pool.recipe} is a frozen set of training settings; recipes are never mixed, and a cheap "
        "one may order archs otherwise than a long one.",
        f"Scores: {protocol_in_words(pool)}, seed 0. Those of proxies by which lower is better have their "
        "sign turned. An arch without a score ranks below every other one; minus infinity is a number.",
        _TRUE_RANK,
        *filter(None, [pool.cost_note(name) for name in latencies_once(pool.latency_costs)]),
        _noise_in_words(pool, mbr, ordered),
        *doubt_notes(pool.space, pool.scores, pool.dataset),
    ]
    if pool.space in IMPORTED:
        notes += sources_in_words(bench, pool)
    return notes


def _noise_in_words(pool: Pool, mbr: Frame | None, ordered: Frame) -> str:
    """How far the seeds of one arch lie apart, and what that makes of differences between proxies."""
    said = noise_in_words(pool)
    if pool.accuracies is None:
        return f"{said}, so nothing says which differences between proxies are chance."
    reached = []
    for name in CORRELATIONS:
        value = _value(ordered, CEILING, name)
        if not np.isnan(value):
            reached.append(f"{name} {value:.2f}")
    if mbr is not None:
        reached.append(f"mBR (union) {_value(mbr, CEILING, 'mbr_union'):.4f}")
    said += ". "
    if reached:
        gets = f"gets {', '.join(reached)} (row '{CEILING}')"
        said += f"One seed's {pool.metric} as a proxy for another's {gets}: "
    return said + (
        "above that no proxy can be told from perfect, and smaller differences than the noise mean nothing."
    )
