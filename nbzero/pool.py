"""Pool: the measured archs of one space, data set, recipe and protocol as plain arrays, which is what every evaluation reads.

Capital endings name an array's axes: N archs of the pool, P proxies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import unknown_name
from nbzero.proxies import PROXIES

if TYPE_CHECKING:
    from nbzero.bench import Bench, Seed, Split

Floats = npt.NDArray[np.float64]
COSTS = ("macs", "params", "depth")


@dataclass(frozen=True)
class Pool:
    """Archs that have an accuracy, with their costs and scores.

    Attributes:
        space, dataset, recipe, protocol, seed, split: where accuracies and scores come from.
        arch_ids: (N,) ascending, so build order.
        archs: (N,) strings.
        accuracy: (N,) fractions, never NaN.
        costs: macs, params, depth -> (N,) float64, those that the space has.
        scores: proxy -> (N,) float64 in which higher is better (registry direction applied unless `oriented` is False); NaN where there is none.
        features: stage features of the space -> (N,) float64, NaN where there is no such stage.
        num_members: archs of the space, measured or not.
        metric: what `accuracy` is; only tasks of imported spaces have another one than accuracy, of which higher is better too.
    """

    space: str
    dataset: str
    recipe: str
    protocol: str
    seed: int | str
    split: str
    arch_ids: npt.NDArray[np.int64]
    archs: tuple[str, ...]
    accuracy: Floats
    costs: Mapping[str, Floats]
    scores: Mapping[str, Floats]
    features: Mapping[str, Floats] = field(default_factory=dict)
    num_members: int = 0
    oriented: bool = True
    metric: str = "accuracy"

    def __len__(self) -> int:
        return len(self.accuracy)

    @property
    def name(self) -> str:
        """What the pool is, in words for a title: "r1-mini, cifar10, cpu-16px-4, val, seed 0, N = 100"."""
        split = self.split if self.metric == "accuracy" else f"{self.split} {self.metric}"
        return f"{self.space}, {self.dataset}, {self.recipe}, {split}, seed {self.seed}, N = {len(self)}"

    def cost(self, name: str) -> Floats:
        """One cost column; UnknownNameError where the space has none of that name."""
        if name not in self.costs:
            raise unknown_name("cost", name, self.costs)
        return self.costs[name]

    def score(self, proxy: str) -> Floats:
        """One oriented score column; a cost's name gives that cost, as a proxy by which larger networks are better."""
        if proxy in self.scores:
            return self.scores[proxy]
        if proxy in self.costs:
            return self.costs[proxy]
        raise unknown_name("proxy", proxy, {**self.scores, **self.costs})

    def only(self, keep: npt.NDArray[Any]) -> Pool:
        """The pool of some of its archs, by mask or by positions."""
        ids = self.arch_ids[keep]
        archs = tuple(np.asarray(self.archs, dtype=object)[keep])
        columns = ({name: values[keep] for name, values in part.items()} for part in (self.costs, self.scores, self.features))
        costs, scores, features = columns
        return replace(self, arch_ids=ids, archs=archs, accuracy=self.accuracy[keep], costs=costs, scores=scores, features=features)


def pool_of(
    bench: Bench,
    space: str,
    dataset: str,
    recipe: str | None = None,
    protocol: str | None = None,
    seed: Seed = None,
    split: Split = "val",
    proxies: Iterable[str] | None = None,
    orient: bool = True,
    where: str | None = None,
) -> Pool:
    """The archs of a space that have an accuracy.

    Args:
        recipe, protocol, seed, where: as in `Bench.table`.
        split: "val", or "test" for the final judgement.
        proxies: names; None is every proxy of which at least one arch of the pool has a score.
        orient: multiply each proxy by its registry direction, so that higher is better; False leaves the raw sign.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol, proxy or column that does not exist.
        ValueError: no arch has an accuracy there; several recipes and none named; another split; a string for proxies.
    """
    from nbzero.bench import _split_column

    accuracy_column = _split_column(split)
    if isinstance(proxies, str):
        raise ValueError(f"proxies is {proxies!r}; it is a list of names: [{proxies!r}]")
    names = list(PROXIES) if proxies is None else list(dict.fromkeys(proxies))
    for name in names:
        if name not in PROXIES:
            raise unknown_name("proxy", name, PROXIES)
    archs = bench.table(space, where=where)
    made = bench.table(space, [f"runs.{accuracy_column}", *(f"scores.{name}" for name in names)], dataset, recipe, protocol, seed, where)
    accuracy = np.asarray(made[f"runs.{accuracy_column}"], np.float64)
    keep = ~np.isnan(accuracy)
    named = bench._named("runs", bench._space(space), dataset, recipe)
    if not keep.any():
        other = "test" if split == "val" else "val"
        there = bench.table(space, [f"runs.{other}_acc"], dataset, recipe, seed=seed, where=where)[f"runs.{other}_acc"]
        num_other = int((~np.isnan(there)).sum())
        raise ValueError(
            f"no arch of {space} has a {split} accuracy on {dataset}" + (f" with recipe {named}" if named else "")
            + (f" where {where}" if where else "") + (f"; {num_other} have a {other} accuracy there: split={other!r}" if num_other else "")
            + f"; measured are {_measured(bench, space)}"
        )  # fmt: skip
    ids = np.asarray(archs["arch_id"])[keep].astype(np.int64)
    columns = [name for name in archs.columns if name not in ("arch_id", "arch", "iso_class", *COSTS)]
    scores = {}
    for name in names:
        values = np.asarray(made[f"scores.{name}"], np.float64)[keep]
        if proxies is not None or not np.isnan(values).all():
            scores[name] = values * PROXIES[name].direction if orient else values
    return Pool(
        space, dataset, str(named), protocol or bench._named("scores", bench._space(space), dataset, protocol) or "", 0 if seed is None else seed,
        split, ids, tuple(np.asarray(archs["arch"], dtype=object)[keep]), accuracy[keep],
        {name: np.asarray(archs[name], np.float64)[keep] for name in COSTS if name in archs.columns},
        scores, {name: np.asarray(archs[name], np.float64)[keep] for name in columns}, len(bench.space(space)), orient,
        bench._space(space).metric(dataset),
    )  # fmt: skip


def _measured(bench: Bench, space: str) -> str:
    there = [f"{dataset} with {', '.join(bench.recipes(space, dataset))}" for dataset in bench.datasets(space) if bench.recipes(space, dataset)]
    return "; ".join(there) or f"no runs of {space} at all in this release"
