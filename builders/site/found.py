"""What the release says of every proxy: how it ranks and picks in each pool, and what its pass costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nbzero import Bench, judge
from nbzero.frame import Frame
from nbzero.judge.rows import CEILING, RANDOM
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.published import doubts_of

Bounds = tuple[float, float | None, float | None]  # a value and its interval, where there is one
REFERENCES = {"macs": "macs", "a random pick": RANDOM, "another seed": CEILING}


@dataclass(frozen=True)
class PoolFound:
    """One pool.

    Attributes:
        name: space, data set and recipe.
        num: networks that were trained and scored.
        tau: Kendall's tau with val accuracy, by proxy; none where it is null.
        mbr: mean best ranking over quantile limits on macs, params and depth, by proxy and reference.
        doubts: why scores of some proxies mean little there.
    """

    name: str
    space: str
    dataset: str
    num: int
    tau: dict[str, Bounds]
    mbr: dict[str, Bounds]
    doubts: Mapping[str, str]

    def place(self, proxy: str) -> int | None:
        """1 for the highest tau of the proxies in this pool; None for one without."""
        if proxy not in self.tau:
            return None
        better = [name for name in PROXIES if name in self.tau and self.tau[name][0] > self.tau[proxy][0]]
        return 1 + len(better)

    def reference(self, name: str) -> float | None:
        """The mBR of a reference: the random pick, another seed, or a cost."""
        found = self.mbr.get(name)
        return found[0] if found else None


def pools(bench: Bench, resamples: int) -> list[PoolFound]:
    """Every pool of the release with runs and scores, intervals from `resamples` draws of its archs."""
    found = []
    for space in bench.spaces:
        for dataset in bench.datasets(space):
            for recipe in bench.recipes(space, dataset):
                found.append(pool_found(bench, space, dataset, recipe, resamples))
    return found


def pool_found(bench: Bench, space: str, dataset: str, recipe: str, resamples: int) -> PoolFound:
    """What one pool says of every proxy."""
    pool = bench.pool(space, dataset, recipe)
    picks = judge.mbr_table(pool, resamples=resamples)
    ranks = judge.correlations(pool, resamples=resamples)
    return PoolFound(
        name=f"{space}, {dataset}, `{recipe}`",
        space=space,
        dataset=dataset,
        num=len(pool.archs),
        tau=_bounds(ranks, "kendall"),
        mbr=_bounds(picks, "mbr_union"),
        doubts=doubts_of(space, dataset),
    )


def _bounds(table: Frame, column: str) -> dict[str, Bounds]:
    found = {}
    for row in table:
        values = (row[column], row[f"{column}_low"], row[f"{column}_high"])
        if values[0] is not None:
            found[row["proxy"]] = values
    return found


def seconds(bench: Bench) -> dict[str, dict[str, float]]:
    """The median seconds of every pass with seed 0, by space and pass."""
    found: dict[str, dict[str, float]] = {}
    for space in bench.spaces:
        for dataset in bench.release.space(space).datasets("scores"):
            table = bench.arrow("scores", space, dataset).to_pandas().query("seed == 0")
            passes = {row.timed_as for row in PROXIES.values()}
            medians = {name: float(table[f"{name}_s"].median()) for name in passes}
            found[space] = {name: value for name, value in medians.items() if not np.isnan(value)}
    return found
