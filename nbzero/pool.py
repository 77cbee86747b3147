"""Pool: the measured archs of one space, data set, recipe and protocol as plain arrays, which is what every evaluation reads.

Capital endings name an array's axes: N archs of the pool, P proxies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nbzero.bench import COSTS, _split_column, one_seed, runs_there
from nbzero.errors import NothingFoundError, UsageError, count_of, unknown_name
from nbzero.proxies.facts import PROXIES
from nbzero.release import conditions
from nbzero.spaces.published import IMPORTED, categories_of

if TYPE_CHECKING:
    from nbzero.bench import Bench, Seed, Split
    from nbzero.table import TableView

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Archs that have an accuracy, with their costs and scores.

    Attributes:
        space, dataset, recipe, seed, split: where the accuracies come from.
        arch_ids: (N,) ascending, so build order.
        archs: (N,) strings.
        accuracy: (N,) fractions, never NaN.
        costs: macs, params, depth -> (N,) float64, those that the space has.
        scores: proxy -> (N,) float64 in which higher is better (registry direction applied unless `oriented` is False); NaN where there is none.
        features: stage features of the space -> (N,) float64, NaN where there is no such stage.
        num_members: archs of the space, measured or not.
        metric: what `accuracy` is; only tasks of imported spaces have another one than accuracy, of which higher is better too.
        protocol, score_seed: where the scores come from; a score_seed of None is the seed of the accuracies.
        where: the condition that all its archs meet.
        unscored: proxies that no arch of the pool has a score of, which are therefore not in `scores` -> why, as the release says of the first arch.

    Raises:
        UsageError: no archs, one of them twice, a column of another length, or an accuracy that is NaN.
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
    score_seed: int | str | None = None
    where: str | None = None
    unscored: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        num = len(self.accuracy)
        if not num:
            raise UsageError(
                f"a pool of {self.space} without archs; it has at least one that has an accuracy"
            )
        columns: dict[str, Sized] = {
            "arch_ids": self.arch_ids,
            "archs": self.archs,
            **self.costs,
            **self.scores,
            **self.features,
        }
        wrong = [f"{name} {len(values)}" for name, values in columns.items() if len(values) != num]
        if wrong:
            made = f"a pool of {count_of(num, 'accuracy', 'accuracies')}"
            raise UsageError(
                f"{made} with columns of other lengths: {', '.join(wrong)}; every column has an entry for each arch"
            )
        if np.isnan(self.accuracy).any():
            raise UsageError(
                f"{int(np.isnan(self.accuracy).sum())} of {num} accuracies are NaN; leave archs without an accuracy out of a pool"
            )
        for name, values in (("arch_id", self.arch_ids.tolist()), ("arch", self.archs)):
            if len(set(values)) < num:
                twice = next(value for value, count in Counter(values).items() if count > 1)
                many = count_of(num - len(set(values)), "arch of the pool is", "archs of the pool are")
                raise UsageError(f"{many} there twice, like {name} {twice!r}; each counts once in a ranking")

    def __len__(self) -> int:
        return len(self.accuracy)

    @property
    def name(self) -> str:
        """What the pool is, in words for a title: "r1-mini, cifar10, cpu-16px-4, val, seed 0, std-16, N = 100"; the seed of the scores after their
        protocol where it is another one, and the condition before N."""
        return f"{self.source}, N = {len(self):,}"

    @property
    def source(self) -> str:
        """The name without N."""
        split = self.split if self.metric == "accuracy" else f"{self.split} {self.metric}"
        parts = [self.space, self.dataset, self.recipe, split, f"seed {self.seed}"]
        if (self.scores or self.unscored) and self.protocol:
            parts.append(
                self.protocol
                if self.score_seed in (None, self.seed)
                else f"{self.protocol} seed {self.score_seed}"
            )
        return ", ".join([*parts, *([f"where {self.where}"] if self.where else [])])

    def cost(self, name: str) -> Floats:
        """One cost column, or a feature that is a number as one; UnknownNameError where the space has none of that name."""
        categories = categories_of(self.space)
        known = {
            **{column: values for column, values in self.features.items() if column not in categories},
            **self.costs,
        }
        if name not in known:
            raise unknown_name(f"cost of {self.space}", name, known)
        return known[name]

    def score(self, proxy: str) -> Floats:
        """One oriented score column; a cost's name gives that cost where no arch has a score of that name, as a proxy by which larger networks
        are better.

        Raises:
            NothingFoundError: a proxy that is `unscored`.
            UnknownNameError: another name that the pool does not have.
        """
        known = self.scores_and_costs
        if proxy not in known:
            self.check_scored([proxy])
            raise unknown_name("proxy", proxy, known)
        return known[proxy]

    @cached_property
    def without_scores(self) -> list[str]:
        """The proxies that no arch has a score of: those `unscored`, and columns of `scores` that are all NaN, as a part of a pool can have."""
        known = self.scores_and_costs
        return [
            name for name in {**known, **self.unscored} if name not in known or np.isnan(known[name]).all()
        ]

    def check_scored(self, proxies: Iterable[str]) -> None:
        """NothingFoundError where one of some proxies is among `without_scores`."""
        without = self.without_scores
        for name in proxies:
            if name in without:
                raise NothingFoundError(
                    f"no arch of {self.name} has a score of {self.why_unscored(name)}, so it picks nothing; name another proxy, or another pool"
                )

    def why_unscored(self, proxy: str) -> str:
        """The name of a proxy that no arch has a score of, and the reason where the release has one."""
        return proxy + (f" (the first arch: {self.unscored[proxy]})" if self.unscored.get(proxy) else "")

    def cheapest(self, costs: Iterable[str]) -> str:
        """In words, for each of some costs the arch that has the least of it, with all of them: what a budget that admits no arch is told."""
        columns = {name: self.cost(name) for name in costs}
        said = []
        for name, values in columns.items():
            if np.isnan(values).all():
                said.append(f"no arch has {name}")
                continue
            at = int(np.nanargmin(values))
            amounts = " and ".join(
                f"{other} {column[at]:.10g}" for other, column in columns.items() if not np.isnan(column[at])
            )
            said.append(
                f"the cheapest arch{f' by {name}' if len(columns) > 1 else ''}, {self.archs[at]}, has {amounts}"
            )
        return ", ".join(dict.fromkeys(said))

    @property
    def scores_and_costs(self) -> dict[str, Floats]:
        """The scores, and the costs as scores where there are none of that name."""
        costs = {
            name: values
            for name, values in self.costs.items()
            if name not in self.scores or np.isnan(self.scores[name]).all()
        }
        return {**self.scores, **costs}

    def only(self, keep: npt.NDArray[Any]) -> Pool:
        """The pool of some of its archs, by mask or by positions."""
        ids = self.arch_ids[keep]
        archs = tuple(np.asarray(self.archs, dtype=object)[keep])
        columns = (
            {name: values[keep] for name, values in part.items()}
            for part in (self.costs, self.scores, self.features)
        )
        costs, scores, features = columns
        return replace(
            self,
            arch_ids=ids,
            archs=archs,
            accuracy=self.accuracy[keep],
            costs=costs,
            scores=scores,
            features=features,
        )


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
    score_seed: Seed = None,
) -> Pool:
    """The archs of a space that have an accuracy.

    Args:
        recipe, protocol, where: as in `Bench.table`.
        seed: of the accuracies, as in `Bench.table`.
        split: "val", or "test" for the final judgement.
        proxies: names; None is every proxy that the release looked for on an arch of the pool; an empty list is the costs alone. Those of which no
            arch has a score are in `Pool.unscored`.
        orient: multiply each proxy by its registry direction, so that higher is better; False leaves the raw sign.
        score_seed: of the scores; None is the seed of the accuracies where there are scores with it, and else seed 0, as `Pool.name` then says.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol, proxy or column that does not exist.
        NothingFoundError: no arch has an accuracy there, or meets `where`; a score_seed without scores.
        UsageError: several recipes and none named; another split; a string for proxies; a condition that cannot be read.
    """
    from nbzero.table import none_meets, select

    accuracy_column = _split_column(split)
    if isinstance(proxies, str):
        raise UsageError(f"proxies is {proxies!r}; it is a list of names: [{proxies!r}]")
    if (
        where is not None
        and split == "val"
        and any(name.rpartition(".")[2] == "test_acc" for name in conditions.names_in(where))
    ):
        raise UsageError(
            f"where {where!r} chooses archs by the test split in a pool of val; choose by val_acc, or judge with split='test'"
        )
    names = list(PROXIES) if proxies is None else list(dict.fromkeys(proxies))
    for name in names:
        if name not in PROXIES:
            raise unknown_name("proxy", name, PROXIES)
    with_seed = seed_of_scores(bench, space, dataset, protocol, seed, score_seed)
    rows = select(
        bench, bench._space(space), ["arch_id"], dataset, recipe, protocol, seed, where, with_seed
    ).arch_ids
    accuracy = np.asarray(
        bench.table(space, [f"runs.{accuracy_column}"], dataset, recipe, seed=seed)[
            f"runs.{accuracy_column}"
        ],
        np.float64,
    )
    ids = rows[~np.isnan(accuracy[rows])].astype(np.int64)
    named = bench._named("runs", bench._space(space), dataset, recipe)
    there = np.flatnonzero(~np.isnan(accuracy))
    if where is not None and not len(ids) and len(there):
        counted = f"archs of {space} with a {split} accuracy on {dataset} (recipe {named}, seed {0 if seed is None else seed})"
        raise none_meets(bench, space, where, there, counted, dataset, recipe, protocol, seed, with_seed)
    if not len(ids):
        raise NothingFoundError(
            f"no arch of {space} has a {split} accuracy on {dataset}" + (f" with recipe {named}" if named else "")
            + (f" and seed {seed}, of seeds {', '.join(map(str, bench.seeds(space, dataset, named))) or 'none'}" if seed is not None else "")
            + other_split(bench, space, dataset, recipe, seed, split) + f"; {runs_there(bench, space)}"
        )  # fmt: skip
    archs = bench.table(space)
    made = bench.table(
        space, [f"scores.{name}" for name in names], dataset, protocol=protocol, seed=with_seed
    )
    columns_of_scores = {name: np.asarray(made[f"scores.{name}"], np.float64)[ids] for name in names}
    scores = {
        name: values * PROXIES[name].direction if orient else values
        for name, values in columns_of_scores.items()
        if not np.isnan(values).all()
    }
    absent = [
        name for name in names if name not in scores and (name not in COSTS or name not in archs.columns)
    ]
    unscored = why_no_scores(
        bench, space, dataset, protocol, with_seed, ids, absent, looked_for=proxies is None
    )
    run_seed = 0 if seed is None else seed
    return Pool(
        space, dataset, str(named), protocol or bench._named("scores", bench._space(space), dataset, protocol) or "", run_seed,
        split, ids, tuple(np.asarray(archs["arch"], dtype=object)[ids]), accuracy[ids],
        {name: np.asarray(archs[name], np.float64)[ids] for name in COSTS if name in archs.columns},
        scores, arch_features(archs, ids), len(bench.space(space)), orient,
        bench._space(space).metric(dataset), None if with_seed == run_seed else with_seed, where, unscored,
    )  # fmt: skip


def arch_features(archs: TableView, rows: npt.NDArray[Any]) -> dict[str, Floats]:
    """The stage features (of an imported space its choices) of some rows of an archs table, NaN where there is no such stage."""
    names = [name for name in archs.columns if name not in ("arch_id", "arch", "iso_class", *COSTS)]
    return {name: np.asarray(archs[name], np.float64)[rows] for name in names}


def other_split(bench: Bench, space: str, dataset: str, recipe: str | None, seed: Seed, split: Split) -> str:
    """What to add to the error that no arch has an accuracy of a split: how many have one of the other; "" where none has."""
    other = "test" if split == "val" else "val"
    column = f"runs.{other}_acc"
    num = int(
        (
            ~np.isnan(
                np.asarray(bench.table(space, [column], dataset, recipe, seed=seed)[column], np.float64)
            )
        ).sum()
    )
    return (
        f"; {count_of(num, 'arch has', 'archs have')} a {other} accuracy there: split={other!r}"
        if num
        else ""
    )


def seed_of_scores(
    bench: Bench, space: str, dataset: str, protocol: str | None, seed: Seed, given: Seed
) -> int | Literal["mean"]:
    """The seed of the scores that go with runs of a seed; see `pool_of`."""
    wanted = seed if given is None else given
    number: int | Literal["mean"] = "mean" if wanted == "mean" else one_seed(wanted)
    opened = bench._space(space)
    named = bench._named("scores", opened, dataset, protocol)
    there = opened.seeds("scores", dataset, named) if named else []
    if number == "mean" or number in there:
        return number
    if given is not None:
        listed = ", ".join(map(str, there)) or "none"
        raise NothingFoundError(
            f"score_seed {given!r}: the release has no scores of {space} on {dataset} with it; seeds with scores: {listed}"
        )
    return 0


def why_no_scores(
    bench: Bench,
    space: str,
    dataset: str,
    protocol: str | None,
    seed: int | Literal["mean"],
    ids: npt.NDArray[np.int64],
    names: list[str],
    looked_for: bool,
) -> dict[str, str]:
    """Proxies that none of some archs has a score of -> why, of the first of them that was scored.

    Args:
        names: the proxies.
        looked_for: only those that the release looked for: none where no arch was scored, and of an imported space those that its source gives.
    """
    if not names:
        return {}
    opened = bench._space(space)
    named = bench._named("scores", opened, dataset, protocol)
    groups = [
        group
        for (one, of_seed), group in opened.groups(f"scores/{dataset}").items()
        if one == named and seed in (of_seed, "mean")
    ]
    scored = next(
        (
            arch_id
            for arch_id in ids.tolist()
            if groups and all(group.row(arch_id) is not None for group in groups)
        ),
        None,
    )
    if looked_for and scored is None:
        return {}
    if looked_for and space in IMPORTED:
        names = [name for name in names if opened.has(f"scores/{dataset}", name)]
    record = bench.query((space, int(ids[0]) if scored is None else scored))
    return {
        name: record.score_reason(name, dataset, named, seed) or "it has no score with one of the seeds"
        for name in names
    }
