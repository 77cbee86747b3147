"""Sample: archs of one space with their features, and targets that some of them may lack, as factors and bias read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nbzero.bench import COSTS, _split_column
from nbzero.errors import NothingFoundError, UsageError, count_of, unknown_name
from nbzero.pool import Floats, Pool, arch_features, other_split, seed_of_scores, why_no_scores
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.published import categories_of

if TYPE_CHECKING:
    from nbzero.bench import Bench, Seed, Split

ACCURACY = "accuracy"  # the target that is no proxy


@dataclass(frozen=True)
class Sample:
    """Archs of one space with their stage features and targets. Unlike a Pool's, an arch may lack any target, accuracy too.

    Attributes:
        name: what it is, in words for a title.
        archs: (N,) strings.
        features: stage features, or choices of an imported space -> (N,) float64, NaN where there is no such stage.
        costs: macs, params, depth -> (N,) float64, those that the space has.
        targets: proxy, or "accuracy" -> (N,) float64, higher is better (unless it was loaded with the raw sign); NaN where there is none.
        categories: features whose numbers are names without an order -> the names, by number. Stage features are none of them.
        unscored: proxies among the targets that no arch has a score of -> why, as the release says of the first arch.

    Raises:
        UsageError: categories of what is no feature, or a feature with a number that has no name.
    """

    name: str
    archs: tuple[str, ...]
    features: Mapping[str, Floats]
    costs: Mapping[str, Floats]
    targets: Mapping[str, Floats]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, options in self.categories.items():
            if name not in self.features:
                raise UsageError(
                    f"categories of {name!r}, which is no feature of {self.name}; its features are {', '.join(self.features) or 'none'}"
                )
            values = np.asarray(self.features[name], np.float64)
            wrong = values[~np.isnan(values) & ~np.isin(values, np.arange(len(options)))]
            if len(wrong):
                raise UsageError(
                    f"{name} is {wrong[0]:g} in {self.name}; it is one of {len(options)} categories, 0 to {len(options) - 1}, or NaN"
                )

    def __len__(self) -> int:
        return len(self.archs)

    def with_target(self, name: str, scores: Mapping[str, float] | npt.ArrayLike) -> Sample:
        """The sample with one more target, such as a proxy of your own.

        Args:
            scores: arch -> score, archs that are not named have none; or (N,) in the order of `archs`. Higher is better.

        Raises:
            UsageError: a name that is taken, archs that are not in the sample, or another number of scores.
        """
        if name in self.targets:
            raise UsageError(f"the sample already has a target {name!r}; give yours another name")
        if isinstance(scores, Mapping):
            foreign = sorted(set(scores) - set(self.archs))
            if foreign:
                given = f"{len(foreign)} of {count_of(len(scores), 'score is', 'scores are')}"
                raise UsageError(
                    f"{given} for archs not in {self.name}, first {foreign[0]!r}; leave them out"
                )
            values = np.array([scores.get(arch, np.nan) for arch in self.archs], np.float64)
        else:
            values = np.asarray(scores, np.float64)
            if values.shape != (len(self),):
                raise UsageError(
                    f"scores of shape {values.shape} for {name!r} and {count_of(len(self), 'arch')}: give ({len(self)},), or a dict"
                )
        return replace(self, targets={**self.targets, name: values})


def sample_of(
    bench: Bench,
    space: str,
    dataset: str,
    targets: Iterable[str] | None = None,
    recipe: str | None = None,
    protocol: str | None = None,
    seed: Seed = None,
    split: Split = "val",
    orient: bool = True,
    where: str | None = None,
    score_seed: Seed = None,
) -> Sample:
    """All archs of a space, with whatever scores and accuracy each of them has.

    Args:
        targets: proxies, and "accuracy"; None is all of which at least one arch has a value, and the proxies that the release looked for on an arch
            (`Sample.unscored` where none has one). macs, params and depth are the costs of the archs
            table, which every arch has, scored or not.
        recipe, protocol, seed, where: as in `Bench.table`.
        score_seed: of the scores, as in `pool.pool_of`.
        split: "val", or "test" for the final judgement.
        orient: multiply each proxy by its registry direction, so that higher is better; False leaves the raw sign.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol, target or column that does not exist.
        NothingFoundError: no arch meets `where`, or no target has a value.
        UsageError: several recipes and none named; another split.
    """
    from nbzero.table import none_meets, select

    accuracy = f"runs.{_split_column(split)}"
    if isinstance(targets, str):
        raise UsageError(f"targets is {targets!r}; it is a list of names: [{targets!r}]")
    known = dict.fromkeys([*PROXIES, *COSTS, ACCURACY])
    names = list(known) if targets is None else list(dict.fromkeys(targets))
    for name in names:
        if name not in known:
            raise unknown_name("target", name, known)
    with_seed = seed_of_scores(bench, space, dataset, protocol, seed, score_seed)
    rows = select(
        bench, bench._space(space), ["arch_id"], dataset, recipe, protocol, seed, where, with_seed
    ).arch_ids
    archs = bench.table(space)
    if where is not None and not len(rows):
        raise none_meets(
            bench,
            space,
            where,
            archs.arch_ids,
            f"archs of {space}",
            dataset,
            recipe,
            protocol,
            seed,
            with_seed,
        )
    costs = {name: np.asarray(archs[name], np.float64)[rows] for name in COSTS if name in archs.columns}
    scored = [name for name in names if name not in costs and name != ACCURACY]
    made = bench.table(
        space, [f"scores.{name}" for name in scored], dataset, protocol=protocol, seed=with_seed
    )
    columns = {name: np.asarray(made[f"scores.{name}"], np.float64)[rows] for name in scored}
    if ACCURACY in names:
        columns[ACCURACY] = np.asarray(
            bench.table(space, [accuracy], dataset, recipe, seed=seed)[accuracy], np.float64
        )[rows]
    absent = [name for name, values in columns.items() if np.isnan(values).all()]
    proxies, ids = [name for name in absent if name != ACCURACY], np.asarray(rows, np.int64)
    unscored = why_no_scores(
        bench, space, dataset, protocol, with_seed, ids, proxies, looked_for=targets is None
    )
    found = {
        name: values * PROXIES[name].direction if orient and name in PROXIES else values
        for name, values in columns.items()
        if targets is not None or name in unscored or name not in absent
    }
    if not found and targets is None:
        raise NothingFoundError(
            f"the release has neither scores nor {split} accuracies of {space} on {dataset}"
            + other_split(bench, space, dataset, recipe, seed, split)
            + f"; it has {', '.join(bench.datasets(space)) or 'no data set'} of {space}"
        )
    found |= {name: values for name, values in costs.items() if name in names}
    features = arch_features(archs, rows)
    named = bench._named("runs", bench._space(space), dataset, recipe) if ACCURACY in found else None
    run_seed = 0 if seed is None else seed
    said = [
        space,
        dataset,
        *([named, split] if named else []),
        *([protocol] if protocol else []),
        f"seed {run_seed}",
    ]
    said += [f"scores seed {with_seed}"] if scored and with_seed != run_seed else []
    said += ([f"where {where}"] if where else []) + ([] if orient else ["raw signs"])
    title = ", ".join(said)
    return Sample(
        title,
        tuple(np.asarray(archs["arch"], object)[rows].tolist()),
        features,
        costs,
        found,
        categories_of(space),
        unscored,
    )


def as_sample(source: Sample | Pool) -> Sample:
    """`source` itself where it is a Sample; a Pool's archs, features and scores, with its accuracy as the target "accuracy"."""
    if isinstance(source, Sample):
        return source
    categories = {
        column: options
        for column, options in categories_of(source.space).items()
        if column in source.features
    }
    absent = dict.fromkeys(source.unscored, np.full(len(source), np.nan))
    targets = {**source.scores, **absent, ACCURACY: source.accuracy}
    return Sample(
        source.source, source.archs, source.features, source.costs, targets, categories, source.unscored
    )
