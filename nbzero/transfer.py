"""The pools of a release that can be compared: of every space, data set and recipe with accuracies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nbzero.bench import _split_column
from nbzero.constrained import seed_accuracies
from nbzero.errors import NothingFoundError
from nbzero.frame import Frame
from nbzero.pool import Pool, pool_of

if TYPE_CHECKING:
    from nbzero.bench import Bench, Seed, Split

Floats = npt.NDArray[np.float64]


def all_pools(
    bench: Bench,
    split: Split = "val",
    spaces: Iterable[str] | None = None,
    proxies: Iterable[str] | None = None,
    seed: Seed = None,
) -> list[Pool]:
    """The pool of every space, data set and recipe of which a release has accuracies of that split; `measured` lists also those that it has not.

    Args:
        split: "val", or "test" for the final judgement; some imported tables give only one.
        spaces: names; None is all of the release.
        proxies, seed: as in `pool_of`.

    Raises:
        UnknownNameError: a space or proxy that does not exist.
        NothingFoundError: no accuracies of that split and seed at all.
    """
    chosen = bench.spaces if spaces is None else [spaces] if isinstance(spaces, str) else list(spaces)
    names = None if proxies is None else list(proxies)
    found = [
        pool_of(bench, *key, seed=seed, split=split, proxies=names)
        for key in runs_with(bench, chosen, split, seed)
    ]
    if not found:
        listed = (
            f"{row['space']} on {row['dataset']} with {row['recipe']}: {row['num_val']} val, {row['num_test']} test"
            for row in measured(bench)
        )
        there = "; ".join(listed)
        raise NothingFoundError(
            f"no {split} accuracies in {', '.join(chosen)} with seed {0 if seed is None else seed}; seed 0 has: {there or 'none'}"
        )
    return found


def runs_with(
    bench: Bench, spaces: Iterable[str], split: Split, seed: Seed = None
) -> list[tuple[str, str, str]]:
    """The spaces, data sets and recipes of which a release has accuracies of a split."""
    column = f"runs.{_split_column(split)}"
    tables = ((key, bench.table(key[0], [column], *key[1:], seed=seed)) for key in _runs(bench, spaces))
    return [key for key, table in tables if not np.isnan(np.asarray(table[column], np.float64)).all()]


def measured(bench: Bench) -> Frame:
    """What a release has runs of: columns space, dataset, recipe; num_val and num_test (archs with an accuracy of seed 0), seeds (text), metric."""
    rows = []
    for space, dataset, recipe in _runs(bench, bench.spaces):
        table = bench.table(space, ["runs.val_acc", "runs.test_acc"], dataset, recipe)
        counts = {
            f"num_{part}": int((~np.isnan(np.asarray(table[f"runs.{part}_acc"], np.float64))).sum())
            for part in ("val", "test")
        }
        seeds = ", ".join(map(str, bench.seeds(space, dataset, recipe)))
        rows.append(
            {
                "space": space,
                "dataset": dataset,
                "recipe": recipe,
                **counts,
                "seeds": seeds,
                "metric": bench._space(space).metric(dataset),
            }
        )
    head = ("space", "dataset", "recipe", "num_val", "num_test", "seeds", "metric")
    return Frame({name: [row[name] for row in rows] for name in head}, f"Runs of release {bench.version}")


def all_seed_accuracies(bench: Bench, pools: Iterable[Pool]) -> list[Floats | None]:
    """`constrained.seed_accuracies` of each pool of one release, for `transfer(accuracies=)`: None where no arch has two seeds."""
    return [seed_accuracies(bench, pool) for pool in pools]


def _runs(bench: Bench, spaces: Iterable[str]) -> list[tuple[str, str, str]]:
    return [
        (space, dataset, recipe)
        for space in spaces
        for dataset in bench.datasets(space)
        for recipe in bench.recipes(space, dataset)
    ]
