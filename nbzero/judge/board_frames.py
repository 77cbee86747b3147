"""The rows of a leaderboard's tables: by entry, by pool and entry, by pool."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbzero.judge.board_rows import By, Entry, Judged
from nbzero.judge.pool import Floats
from nbzero.judge.rows import CEILING, RANDOM
from nbzero.metrics.nemenyi import Comparison

_COLUMNS = (
    *("mbr", "mbr_low", "mbr_high", "mbr_macs", "mbr_params", "mbr_depth"),
    *("kendall", "kendall_low", "kendall_high", "num_archs", "missing"),
)


def entry_rows(
    found: Sequence[Judged],
    by: By,
    names: Sequence[str],
    entries: Mapping[str, Entry],
    mean_rank: Floats,
    places: Floats,
    comparison: Comparison | None,
) -> list[dict[str, Any]]:
    rows = []
    for at, name in enumerate(names):
        own = [one.rows[name] for one in found if one.has(name, by)]
        there = places[~np.isnan(places[:, at]), at]
        better, worse = _differing(comparison, at)
        rows.append(
            {
                "proxy": name,
                "kind": entries[name].kind,
                "mean_rank": float(mean_rank[at]),
                "better_than": better,
                "worse_than": worse,
                "mean_place": float(there.mean()),
                "worst_place": float(there.max()),
                "mbr": float(np.mean([row["mbr"] for row in own])),
                "kendall": float(np.mean([row["kendall"] for row in own])),
                "num_pools": len(there),
            }
        )
    return rows


def _differing(comparison: Comparison | None, at: int) -> tuple[float, float]:
    """How many entries one is significantly better and worse than; NaN where it was not compared."""
    if comparison is None or at >= len(comparison.mean_ranks):
        return math.nan, math.nan
    return comparison.better_than(at), comparison.worse_than(at)


def value_rows(
    found: Sequence[Judged], names: Sequence[str], rank: Floats, places: Floats
) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(found):
        order = np.argsort(places[number], kind="stable")
        for at in order.tolist():
            name = names[at]
            if name in one.entries:
                own = {"rank": float(rank[number, at]), "place": float(places[number, at])}
                rows.append(_value_row(number, name, one.entries[name].kind, own, one.rows[name]))
        for name in (RANDOM, CEILING):
            if name in one.rows:
                absent = {"rank": math.nan, "place": math.nan}
                rows.append(_value_row(number, name, "reference", absent, one.rows[name]))
    return rows


def _value_row(
    number: int, name: str, kind: str, own: Mapping[str, float], row: Mapping[str, Any]
) -> dict[str, Any]:
    values = {column: row[column] for column in _COLUMNS}
    return {"pool": number + 1, "proxy": name, "kind": kind, **own, **values}


def pool_rows(found: Sequence[Judged], by: By) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(found, 1):
        pool = one.pool
        absent = {"mbr": math.nan, "kendall": math.nan}
        ceiling = one.rows.get(CEILING, absent)
        rows.append(
            {
                "pool": number,
                "space": pool.space,
                "dataset": pool.dataset,
                "recipe": pool.recipe,
                "protocol": pool.protocol,
                "metric": pool.metric,
                "num_archs": len(pool),
                "num_entries": sum(one.has(name, by) for name in one.entries),
                "random_mbr": one.rows[RANDOM]["mbr"],
                "ceiling_mbr": ceiling["mbr"],
                "ceiling_kendall": ceiling["kendall"],
                "ceiling_archs": pool.num_shared,
            }
        )
    return rows
