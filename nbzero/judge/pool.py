"""What evaluations read: a Pool, archs that have an accuracy; a Sample, archs with whatever each of them has.

Both are a Selection of archs of one space as plain arrays. Capital endings name an array's axes: N archs, S
seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self, TypedDict, get_args

import numpy as np
import numpy.typing as npt

from nbzero.errors import (
    NothingFoundError,
    UsageError,
    check_known,
    count_of,
    names as names_of,
    unknown_name,
)
from nbzero.proxies.facts import PROXIES
from nbzero.release import conditions
from nbzero.release.latencies import LATENCY, is_latency, latency_names, no_latency
from nbzero.release.opened import (
    COSTS,
    Accuracy,
    Group,
    Opened,
    OpenedSpace,
    Seed,
    Split,
    one_seed_or_mean,
    split_column,
)
from nbzero.release.record import Record
from nbzero.release.schema import columns_of
from nbzero.release.table import Wanted, none_meets, numbers_of, select
from nbzero.release.values import archs_column, latencies_of
from nbzero.spaces.published import categories_of
from nbzero.surrogate import Surrogate, predicted_column, surrogate_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Scores = Mapping[str, float] | npt.ArrayLike
ACCURACY = "accuracy"  # the target that is no proxy
PREDICTED = "predicted"  # the seed of a pool whose accuracies are predicted
PREDICTED_ACCURACY = "predicted accuracy"  # its metric


class Which(TypedDict, total=False):
    """Which archs, accuracies and scores an evaluation reads.

    Every evaluation of a `Bench` takes them beside space, dataset and recipe.

    Attributes:
        protocol: of the scores; None is the space's standard one; of a published space std-32 where there are
            scores by it, else that of the benchmark's own scores.
        seed: of the runs; None is 0. "mean" is over all seeds and needs the same ones for every arch.
        split: "val"; "test" is for the final judgement.
        where: only archs for which it holds, such as "macs < 1e8 and s1_depth >= 2". It may not choose by the
            test split in what is judged on val.
        score_seed: of the scores. None is the seed of the runs where there are scores with it, and else 0.
        accuracy: "measured"; or "predicted" by the surrogate of the release, for every arch that has scores.
            A prediction is of val, and of no seed. It is no measurement: every title says so.
    """

    protocol: str | None
    seed: Seed
    split: Split
    where: str | None
    score_seed: Seed
    accuracy: Accuracy


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Archs of one space: what a Pool and a Sample share.

    Attributes:
        space: its name.
        archs: (N,) strings.
        costs: macs, params, depth -> (N,) float64, those that the space has.
        features: stage features, or choices of an imported space -> (N,) float64, NaN where there is no such
            stage.
        categories: features whose numbers are names without an order -> the names, by number.
        unscored: proxies that no arch has a score of -> why, as the release says of the first arch.
        latencies: setup -> (N,) float64 milliseconds, NaN where an arch was not timed. They are limits where
            they are named, and no proxies.
        setup: the one that `latency` means where no setup is named; "" where it is none of these.
    """

    space: str
    archs: tuple[str, ...]
    costs: Mapping[str, Floats] = field(default_factory=dict)
    features: Mapping[str, Floats] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    latencies: Mapping[str, Floats] = field(default_factory=dict)
    setup: str = ""

    def __len__(self) -> int:
        return len(self.archs)

    def cost(self, name: str) -> Floats:
        """One cost column; a latency, like "latency" or "latency:cpu-1:mine"; a feature that is an amount.

        Raises:
            UnknownNameError: there is none of that name.
            NothingFoundError: no arch of the space was timed.
        """
        amounts = {
            feature: values for feature, values in self.features.items() if feature not in self.categories
        }
        known = {**amounts, **self.latency_costs, **self.costs}
        if name in known:
            return known[name]
        if is_latency(name):
            raise no_latency(self.space, name, self.latency_costs)
        raise unknown_name(f"cost of {self.space}", name, known)

    @property
    def latency_costs(self) -> dict[str, Floats]:
        """The latencies by their names as costs: latency, and latency:SETUP of each setup."""
        found = {}
        if self.setup in self.latencies:
            found[LATENCY] = self.latencies[self.setup]
        for setup, values in self.latencies.items():
            found[f"{LATENCY}:{setup}"] = values
        return found

    def cost_note(self, name: str) -> str:
        """Which setup is meant by latency; "" for other costs, which say it themselves."""
        if name != LATENCY:
            return ""
        return f"{LATENCY} is that of setup {self.setup}, in ms."

    def why_unscored(self, proxy: str) -> str:
        """The name of a proxy that no arch has a score of, and the reason where the release has one."""
        reason = self.unscored.get(proxy)
        return f"{proxy} (the first arch: {reason})" if reason else proxy

    def cheapest(self, costs: Iterable[str]) -> str:
        """In words, for each of some costs the arch that has the least of it, with all of them.

        That is what a budget that admits no arch is told.
        """
        columns = {name: self.cost(name) for name in costs}
        said = []
        for name, values in columns.items():
            if np.isnan(values).all():
                said.append(f"no arch has {name}")
                continue
            at = int(np.nanargmin(values))
            there = {
                other: float(column[at]) for other, column in columns.items() if not np.isnan(column[at])
            }
            amounts = " and ".join(f"{other} {amount:.10g}" for other, amount in there.items())
            by = f" by {name}" if len(columns) > 1 else ""
            said.append(f"the cheapest arch{by}, {self.archs[at]}, has {amounts}")
        return ", ".join(dict.fromkeys(said))


@dataclass(frozen=True, kw_only=True)
class Pool(Selection):
    """Archs that have an accuracy, with their costs and scores.

    A cost has one meaning: macs, params and depth as proxies are those of the archs table. `scores` has
    none of them.

    Attributes:
        dataset, recipe, seed, split: where the accuracies come from.
        protocol, score_seed: where the scores come from; a score_seed of None is the seed of the accuracies.
        arch_ids: (N,) ascending, so build order.
        accuracy: (N,) fractions, never NaN.
        scores: proxy -> (N,) float64 in which higher is better; NaN where there is none.
        accuracies: (S, N) with every seed that there are runs of, NaN where there is none, for the noise
            ceiling; None unless some arch has two.
        members: all arch strings of the space in build order, measured or not; empty where they are not
            known.
        oriented: each proxy's registry direction is applied; False leaves the raw signs.
        metric: what `accuracy` is. Only tasks of imported spaces have another one, of which higher is better
            too.
        where: the condition that all its archs meet.
        surrogate: what predicted the accuracies; None where they are measured.

    Raises:
        UsageError: no archs, one of them twice, a column of another length, or an accuracy that is NaN.
    """

    dataset: str
    recipe: str
    protocol: str
    seed: int | str
    split: str
    arch_ids: Ints
    accuracy: Floats
    scores: Mapping[str, Floats]
    accuracies: Floats | None = None
    members: Sequence[str] = field(default=(), repr=False)
    oriented: bool = True
    metric: str = "accuracy"
    score_seed: int | str | None = None
    where: str | None = None
    surrogate: Surrogate | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        num = len(self.accuracy)
        if not num:
            raise UsageError(
                f"a pool of {self.space} without archs; it has at least one that has an accuracy"
            )
        self._check_lengths(num)
        absent = int(np.isnan(self.accuracy).sum())
        if absent:
            what = f"{absent} of {num} accuracies are NaN"
            raise UsageError(f"{what}; leave archs without an accuracy out of a pool")
        for name, values in (("arch_id", self.arch_ids.tolist()), ("arch", self.archs)):
            if len(set(values)) < num:
                twice = next(value for value, count in Counter(values).items() if count > 1)
                many = count_of(num - len(set(values)), "arch of the pool is", "archs of the pool are")
                raise UsageError(f"{many} there twice, like {name} {twice!r}; each counts once in a ranking")

    def _check_lengths(self, num: int) -> None:
        columns: dict[str, Any] = {"arch_ids": self.arch_ids, "archs": self.archs}
        columns |= {**self.costs, **self.scores, **self.features, **self.latency_costs}
        wrong = [f"{name} {len(values)}" for name, values in columns.items() if len(values) != num]
        if wrong:
            made = f"a pool of {count_of(num, 'accuracy', 'accuracies')}"
            every = "every column has an entry for each arch"
            raise UsageError(f"{made} with columns of other lengths: {', '.join(wrong)}; {every}")
        seeds = self.accuracies
        if seeds is not None and (seeds.ndim != 2 or len(seeds) < 2 or seeds.shape[1] != num):
            allowed = f"they are (S, {num}), a row for each of at least two seeds"
            raise UsageError(f"accuracies of shape {seeds.shape} for a pool of {self.space}; {allowed}")

    @property
    def num_members(self) -> int:
        """Archs of the space, measured or not."""
        return len(self.members)

    @property
    def name(self) -> str:
        """What the pool is, in words for a title.

        Like "r1-mini, cifar10, cpu-16px-4, val, seed 0, std-16, N = 100".

        The seed of the scores stands after their protocol where it is another one; the condition stands
        before N.
        """
        return f"{self.source}, N = {len(self):,}"

    @property
    def source(self) -> str:
        """The name without N."""
        split = self.split if self.metric == "accuracy" else f"{self.split} {self.metric}"
        by = f"seed {self.seed}"
        if self.surrogate is not None:
            by = f"from {count_of(self.surrogate.num_archs, 'trained network')}"
        parts = [self.space, self.dataset, self.recipe, split, by]
        if (self.scores or self.unscored) and self.protocol:
            own_seed = self.score_seed not in (None, self.seed)
            parts.append(f"{self.protocol} seed {self.score_seed}" if own_seed else self.protocol)
        if self.where:
            parts.append(f"where {self.where}")
        return ", ".join(parts)

    @property
    def scores_and_costs(self) -> dict[str, Floats]:
        """The scores, then the costs as proxies by which larger networks are better."""
        scores = {name: values for name, values in self.scores.items() if name not in self.costs}
        return {**scores, **self.costs}

    def score(self, proxy: str) -> Floats:
        """One oriented score column, or a cost as one.

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
        """The proxies that no arch has a score of: the `unscored`, and columns that are all NaN."""
        known = self.scores_and_costs
        all_nan = [name for name, values in known.items() if np.isnan(values).all()]
        return [*all_nan, *(name for name in self.unscored if name not in known)]

    def check_scored(self, proxies: Iterable[str]) -> None:
        """NothingFoundError where one of some proxies is among `without_scores`."""
        without = self.without_scores
        for name in proxies:
            if name in without:
                lacking = f"no arch of {self.name} has a score of {self.why_unscored(name)}"
                raise NothingFoundError(
                    f"{lacking}, so it picks nothing; name another proxy, or another pool"
                )

    @property
    def num_shared(self) -> int:
        """Archs that at least two seeds have."""
        if self.accuracies is None:
            return 0
        return int(((~np.isnan(self.accuracies)).sum(axis=0) > 1).sum())

    def only(self, keep: npt.NDArray[Any]) -> Self:
        """The pool of some of its archs, by mask or by positions."""
        archs = np.asarray(self.archs, dtype=object)[keep]
        seeds = None if self.accuracies is None else self.accuracies[:, keep]
        return replace(
            self,
            arch_ids=self.arch_ids[keep],
            archs=tuple(archs),
            accuracy=self.accuracy[keep],
            accuracies=seeds,
            costs=_rows(self.costs, keep),
            scores=_rows(self.scores, keep),
            features=_rows(self.features, keep),
            latencies=_rows(self.latencies, keep),
        )

    def with_scores(self, scores: Mapping[str, Floats]) -> Self:
        """The pool with other scores."""
        return replace(self, scores=dict(scores))

    def draws(self, num: int, seed: int) -> Floats:
        """(num, N) draws of the accuracies from the posterior of the surrogate that predicted them.

        The last ones are kept: every row of a table is judged by the same.

        Raises:
            UsageError: measured accuracies.
        """
        if self.surrogate is None:
            raise UsageError(f"{self.name} is measured; draws are of a pool with accuracy='predicted'")
        if self._drawn.get("asked") != (num, seed):
            self._drawn.update(asked=(num, seed), draws=self.surrogate.draws(self.archs, num, seed))
        drawn: Floats = self._drawn["draws"]
        return drawn

    @cached_property
    def _drawn(self) -> dict[str, Any]:
        """What `draws` keeps."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Sample(Selection):
    """Archs with targets to explain. Unlike a Pool's, an arch may lack any of them, accuracy too.

    Attributes:
        name: what it is, in words for a title.
        targets: proxy, cost, or "accuracy" -> (N,) float64, higher is better (unless it was loaded with the
            raw sign); NaN where there is none.
        dataset: that scores and accuracies are of; "" where none is known.

    Raises:
        UsageError: categories of what is no feature, or a feature with a number that has no name.
    """

    name: str
    targets: Mapping[str, Floats]
    dataset: str = ""

    def __post_init__(self) -> None:
        for name, options in self.categories.items():
            if name not in self.features:
                there = ", ".join(self.features) or "none"
                raise UsageError(
                    f"categories of {name!r}, which is no feature of {self.name}; its features are {there}"
                )
            values = np.asarray(self.features[name], np.float64)
            wrong = values[~np.isnan(values) & ~np.isin(values, np.arange(len(options)))]
            if len(wrong):
                allowed = f"it is one of {len(options)} categories, 0 to {len(options) - 1}, or NaN"
                raise UsageError(f"{name} is {wrong[0]:g} in {self.name}; {allowed}")

    def with_target(self, name: str, scores: Scores) -> Self:
        """The sample with one more target, such as a proxy of your own.

        Args:
            scores: arch -> score, archs that are not named have none; or (N,) in the order of `archs`. Higher
                is better.

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
            wanted = f"give ({len(self)},), or a dict"
            archs = count_of(len(self), "arch")
            raise UsageError(f"scores of shape {values.shape} for {name!r} and {archs}: {wanted}")
        return replace(self, targets={**self.targets, name: values})


def as_sample(source: Sample | Pool) -> Sample:
    """`source` itself where it is a Sample; of a Pool its archs.

    Their targets are its scores and its accuracy.
    """
    if isinstance(source, Sample):
        return source
    absent = dict.fromkeys(source.unscored, np.full(len(source), np.nan))
    return Sample(
        space=source.space,
        dataset=source.dataset,
        name=source.source,
        archs=source.archs,
        costs=source.costs,
        features=source.features,
        categories=source.categories,
        unscored=source.unscored,
        latencies=source.latencies,
        setup=source.setup,
        targets={**source.scores, **absent, **source.costs, ACCURACY: source.accuracy},
    )


def pool_of(
    release: Opened,
    space: str,
    dataset: str,
    recipe: str | None = None,
    *,
    proxies: Iterable[str] | None = None,
    orient: bool = True,
    protocol: str | None = None,
    seed: Seed = None,
    split: Split = "val",
    where: str | None = None,
    score_seed: Seed = None,
    accuracy: Accuracy = "measured",
) -> Pool:
    """The archs of a space that have an accuracy and scores, which every evaluation is of.

    Where none is scored, or no proxy is asked for, they are those that have an accuracy.

    Args:
        recipe: may be left out where there is only one.
        proxies: names; None is every proxy that the release looked for on an arch of the pool. An empty list
            is the costs alone. Those of which no arch has a score are in `Pool.unscored`.
        orient: multiply each proxy by its registry direction, so that higher is better; False leaves the raw
            sign.
        protocol, seed, split, where, score_seed, accuracy: as in `Which`.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol, proxy or column that does not exist.
        NothingFoundError: no arch has an accuracy there, or meets `where`; a score_seed without scores; no
            surrogate to predict by.
        UsageError: no recipe where one has to be named; another split; a string for proxies; a condition that
            cannot be read; a seed or the test split of predicted accuracies.
    """
    column = split_column(split)
    names = names_of("proxies", proxies, PROXIES)
    check_known("proxy", names, PROXIES)
    _check_condition(where, split)
    surrogate = _surrogate_asked(release, space, dataset, recipe, split, seed, accuracy)
    loaded = _Loaded(release, space, Wanted(dataset, recipe, protocol, seed, score_seed), where, orient)
    of_seed: int | str
    if surrogate is None:
        values = loaded.numbers("runs", column)
        ids = loaded.rows[~np.isnan(values[loaded.rows])]
        if not len(ids):
            raise loaded.no_accuracy(split, np.flatnonzero(~np.isnan(values)))
        if names:
            ids = loaded.scored_among(ids)
        accuracies = loaded.accuracies(column, str(loaded.named("runs")), ids)
        of_seed, metric = loaded.seed, loaded.space.metric(dataset)
    else:
        values = predicted_column(loaded.space, dataset, surrogate.recipe)
        ids = loaded.scored_rows(needed=bool(names))
        accuracies = None
        of_seed, metric = PREDICTED, PREDICTED_ACCURACY
    scores = loaded.scores([name for name in names if name not in loaded.costs], ids)
    return Pool(
        space=space,
        archs=tuple(loaded.archs[ids]),
        costs=_rows(loaded.costs, ids),
        features=_rows(loaded.features, ids),
        categories=loaded.categories,
        unscored=loaded.why_no_scores(ids, _without(scores), looked_for=proxies is None),
        latencies=loaded.latencies(ids),
        setup=loaded.setup,
        dataset=dataset,
        recipe=str(loaded.named("runs")),
        protocol=protocol or loaded.named("scores") or "",
        seed=of_seed,
        split=split,
        arch_ids=ids,
        accuracy=values[ids],
        scores={name: values for name, values in scores.items() if not np.isnan(values).all()},
        accuracies=accuracies,
        members=loaded.space.archs,
        oriented=orient,
        metric=metric,
        score_seed=None if loaded.score_seed == loaded.seed else loaded.score_seed,
        where=where,
        surrogate=surrogate,
    )


def _surrogate_asked(
    release: Opened,
    space: str,
    dataset: str,
    recipe: str | None,
    split: Split,
    seed: Seed,
    accuracy: Accuracy,
) -> Surrogate | None:
    """What predicts the accuracies; None where measured ones are asked for.

    Raises:
        UsageError: another `accuracy`; a seed or the test split of predicted ones.
        NothingFoundError: no surrogate.
    """
    if accuracy not in get_args(Accuracy):
        raise UsageError(f"accuracy {accuracy!r}; it is {' or '.join(map(repr, get_args(Accuracy)))}")
    if accuracy == "measured":
        return None
    if split != "val":
        raise UsageError(
            f"split {split!r} with accuracy='predicted': val alone is predicted, and the final judgement is "
            "by measured networks; leave out one of them"
        )
    if seed is not None:
        raise UsageError(
            f"seed {seed!r} with accuracy='predicted': a prediction is of the runs of every seed; leave it "
            "out (score_seed is that of the scores)"
        )
    return surrogate_of(release, space, dataset, recipe)


def sample_of(
    release: Opened,
    space: str,
    dataset: str,
    recipe: str | None = None,
    *,
    targets: Iterable[str] | None = None,
    orient: bool = True,
    protocol: str | None = None,
    seed: Seed = None,
    split: Split = "val",
    where: str | None = None,
    score_seed: Seed = None,
    accuracy: Accuracy = "measured",
) -> Sample:
    """All archs of a space, with whatever scores and accuracy each of them has.

    Args:
        recipe: may be left out where there is only one.
        targets: proxies, costs, and "accuracy". None is all of which at least one arch has a value, and the
            proxies that the release looked for on an arch (`Sample.unscored` where none has one).
        orient: as in `pool_of`.
        protocol, seed, split, where, score_seed, accuracy: as in `Which`.

    Raises:
        UnknownNameError: a space, dataset, recipe, protocol, target or column that does not exist.
        NothingFoundError: no arch meets `where`, or no target has a value.
        UsageError: no recipe where one has to be named; another split.
    """
    column = split_column(split)
    names = names_of("targets", targets, [*PROXIES, *COSTS, ACCURACY])
    check_known("target", names, [*PROXIES, *COSTS, ACCURACY])
    surrogate = _surrogate_asked(release, space, dataset, recipe, split, seed, accuracy)
    loaded = _Loaded(release, space, Wanted(dataset, recipe, protocol, seed, score_seed), where, orient)
    ids = loaded.rows
    if not len(ids):
        raise none_meets(release, loaded.space, str(where), loaded.ids, f"archs of {space}", loaded.wanted)
    found = loaded.scores([name for name in names if name not in loaded.costs and name in PROXIES], ids)
    scored = bool(found)
    unscored = loaded.why_no_scores(ids, _without(found), looked_for=targets is None)
    if ACCURACY in names and surrogate is not None:
        found[ACCURACY] = predicted_column(loaded.space, dataset, surrogate.recipe)[ids]
    elif ACCURACY in names:
        found[ACCURACY] = loaded.numbers("runs", column)[ids]
    if targets is None:
        found = {name: one for name, one in found.items() if name in unscored or not np.isnan(one).all()}
        if not found:
            raise loaded.nothing_to_explain(split)
    costs = _rows(loaded.costs, ids)
    return Sample(
        space=space,
        dataset=dataset,
        name=loaded.title(split, ACCURACY in found, scored, surrogate),
        archs=tuple(loaded.archs[ids]),
        costs=costs,
        features=_rows(loaded.features, ids),
        categories=loaded.categories,
        unscored=unscored,
        latencies=loaded.latencies(ids),
        setup=loaded.setup,
        targets=found | {name: values for name, values in costs.items() if name in names},
    )


class _Loaded:
    """The columns of a space that pools and samples are made of, over all its archs.

    Attributes:
        rows: (rows,) the archs that meet the condition.
        archs: (archs,) strings.
        seed, score_seed: of the runs and the scores, as numbers or "mean".
        setup: of the latencies where none is named; "" where the space has none of it.
    """

    def __init__(self, release: Opened, space: str, wanted: Wanted, where: str | None, orient: bool) -> None:
        self.release, self.space, self.where, self.orient = release, release.space(space), where, orient
        self.seed = one_seed_or_mean(wanted.seed)
        self.score_seed = seed_of_scores(release, self.space, wanted)
        self.wanted = Wanted(wanted.dataset, wanted.recipe, wanted.protocol, wanted.seed, self.score_seed)
        met = select(release, self.space, ["arch_id"], self.wanted, where)
        self.rows = np.asarray(met.arch_ids, np.int64)
        self.archs = archs_column(self.space, "arch")
        self.ids = archs_column(self.space, "arch_id")
        self.costs = {name: self._of_archs(name) for name in COSTS if name in self.space.costs}
        self.features = {name: self._of_archs(name) for name in _feature_names(space)}
        self.categories = {
            name: options for name, options in categories_of(space).items() if name in self.features
        }

        self.setup = latency_names(release, self.space).get(LATENCY, "")

    def _of_archs(self, name: str) -> Floats:
        return np.asarray(archs_column(self.space, name), np.float64)

    def named(self, kind: Literal["runs", "scores"]) -> str | None:
        return self.release.named(kind, self.space, str(self.wanted.dataset), self.wanted.name_of(kind))

    def numbers(self, kind: Literal["runs", "scores"], column: str) -> Floats:
        return numbers_of(self.release, self.space, kind, column, self.wanted)

    def latencies(self, ids: Ints) -> dict[str, Floats]:
        """(rows,) of each setup, NaN where an arch was not timed."""
        return {setup: latencies_of(self.release, self.space, setup)[ids] for setup in self.space.setups}

    def scores(self, names: Iterable[str], ids: Ints) -> dict[str, Floats]:
        """(rows,) of each proxy, in the direction asked for."""
        found = {}
        for name in names:
            values = self.numbers("scores", name)[ids]
            found[name] = values * PROXIES[name].direction if self.orient else values
        return found

    def accuracies(self, column: str, recipe: str, ids: Ints) -> Floats | None:
        """(S, rows) with every seed; None unless some arch has two."""
        dataset = str(self.wanted.dataset)
        made = []
        for seed in self.space.seeds("runs", dataset, recipe):
            wanted = Wanted(dataset, recipe, seed=seed)
            made.append(numbers_of(self.release, self.space, "runs", column, wanted)[ids])
        table = np.array(made, np.float64)
        shared = len(made) > 1 and bool(((~np.isnan(table)).sum(axis=0) > 1).any())
        return table if shared else None

    def why_no_scores(self, ids: Ints, names: list[str], looked_for: bool) -> dict[str, str]:
        """Proxies that none of some archs has a score of -> why, of the first of them that was scored.

        Args:
            names: the proxies.
            looked_for: only those that the release looked for: none where no arch was scored, and of an
                imported space those that its source gives.
        """
        if not names:
            return {}
        dataset, protocol = str(self.wanted.dataset), self.named("scores")
        scored = self._first_scored(ids, dataset, protocol)
        if looked_for and scored is None:
            return {}
        if looked_for and self.space.published is not None:
            names = [name for name in names if self.space.has(f"scores/{dataset}", name)]
        record = Record(self.release, self.space, int(ids[0]) if scored is None else scored)
        reasons = {}
        for name in names:
            reason = record.score_reason(name, dataset, protocol, self.score_seed)
            reasons[name] = reason or "it has no score with one of the seeds"
        return reasons

    def _first_scored(self, ids: Ints, dataset: str, protocol: str | None) -> int | None:
        """The first arch that was scored with the seed, or with all seeds where their mean is meant."""
        groups = self._groups_of_scores(dataset, protocol)
        if not groups:
            return None
        for arch_id in ids.tolist():
            if all(group.row(arch_id) is not None for group in groups):
                return int(arch_id)
        return None

    def _groups_of_scores(self, dataset: str, protocol: str | None) -> list[Group]:
        """The rows of the seed of the scores; of every seed where their mean is meant."""
        groups = []
        for (name, seed), group in self.space.groups(f"scores/{dataset}").items():
            if name == protocol and self.score_seed in (seed, "mean"):
                groups.append(group)
        return groups

    def no_accuracy(self, split: Split, measured: Ints) -> NothingFoundError:
        """The error where no arch that meets the condition has an accuracy; `measured` have one."""
        space, dataset, named = self.space.name, self.wanted.dataset, self.named("runs")
        if self.where is not None and len(measured):
            of_runs = f"recipe {named}, seed {self.seed}"
            counted = f"archs of {space} with a {split} accuracy on {dataset} ({of_runs})"
            return none_meets(self.release, self.space, self.where, measured, counted, self.wanted)
        said = f"no arch of {space} has a {split} accuracy on {dataset}"
        if named:
            said += f" with recipe {named}"
        if self.wanted.seed is not None:
            there = ", ".join(map(str, self.space.seeds("runs", str(dataset), named))) or "none"
            said += f" and seed {self.wanted.seed}, of seeds {there}"
        return NothingFoundError(f"{said}{self.other_split(split)}; {self.release.runs_there(space)}")

    def nothing_to_explain(self, split: Split) -> NothingFoundError:
        """The error where no target has a value."""
        space = self.space.name
        there = ", ".join(self.space.datasets()) or "no data set"
        neither = f"the release has neither scores nor {split} accuracies of {space} on {self.wanted.dataset}"
        return NothingFoundError(f"{neither}{self.other_split(split)}; it has {there} of {space}")

    def other_split(self, split: Split) -> str:
        """What to add where no arch has an accuracy of a split: how many have one of the other.

        "" where none has.
        """
        other = "test" if split == "val" else "val"
        num = int((~np.isnan(self.numbers("runs", f"{other}_acc"))).sum())
        if not num:
            return ""
        return f"; {count_of(num, 'arch has', 'archs have')} a {other} accuracy there: split={other!r}"

    def scored_among(self, ids: Ints) -> Ints:
        """Those of some archs that were scored; all of them where none was.

        An arch that nobody scored is no arch that a proxy failed on, and would rank last as one.
        """
        groups = self._groups_of_scores(str(self.wanted.dataset), self.named("scores"))
        both = ids[self._are_in(groups)[ids]]
        return both if len(both) else ids

    def _are_in(self, groups: Iterable[Group]) -> npt.NDArray[np.bool_]:
        """(archs,) whether an arch has a row in one of some groups."""
        found = np.zeros(len(self.archs), bool)
        for group in groups:
            found[np.asarray(group.ids)] = True
        return found

    def scored_rows(self, needed: bool) -> Ints:
        """The rows of archs that have scores; all where none is needed, or none of the space has any."""
        dataset, protocol = str(self.wanted.dataset), self.named("scores")
        groups = self._groups_of_scores(dataset, protocol)
        if not needed or not groups:
            return self.rows
        scored = self._are_in(groups)
        ids = self.rows[scored[self.rows]]
        if len(ids):
            return ids
        counted = f"archs of {self.space.name} with scores on {dataset} ({protocol})"
        there = np.flatnonzero(scored)
        raise none_meets(self.release, self.space, str(self.where), there, counted, self.wanted)

    def title(self, split: Split, measured: bool, scored: bool, surrogate: Surrogate | None) -> str:
        """What a sample is, in words; whether accuracies and scores are in it."""
        parts = [self.space.name, str(self.wanted.dataset)]
        recipe = self.named("runs") if measured else None
        if recipe and surrogate is not None:
            of = count_of(surrogate.num_archs, "trained network")
            parts += [recipe, f"{split} {PREDICTED_ACCURACY}, from {of}"]
        elif recipe:
            parts += [recipe, split]
        if self.wanted.protocol:
            parts.append(self.wanted.protocol)
        parts.append(f"seed {self.seed}")
        if scored and self.score_seed != self.seed:
            parts.append(f"scores seed {self.score_seed}")
        if self.where:
            parts.append(f"where {self.where}")
        if not self.orient:
            parts.append("raw signs")
        return ", ".join(parts)


def seed_of_scores(release: Opened, space: OpenedSpace, wanted: Wanted) -> int | Literal["mean"]:
    """The seed of the scores that go with runs of a seed; see `Which`."""
    number = one_seed_or_mean(wanted.seed_of("scores"))
    named = release.named("scores", space, str(wanted.dataset), wanted.protocol)
    there = space.seeds("scores", str(wanted.dataset), named)
    if number == "mean" or number in there:
        return number
    if wanted.score_seed is not None:
        listed = ", ".join(map(str, there)) or "none"
        lacking = f"the release has no scores of {space.name} on {wanted.dataset} with it"
        raise NothingFoundError(f"score_seed {wanted.score_seed!r}: {lacking}; seeds with scores: {listed}")
    return 0


def _check_condition(where: str | None, split: Split) -> None:
    if where is None or split != "val":
        return
    if any(name.rpartition(".")[2] == "test_acc" for name in conditions.names_in(where)):
        instead = "choose by val_acc, or judge with split='test'"
        raise UsageError(f"where {where!r} chooses archs by the test split in a pool of val; {instead}")


def _feature_names(space: str) -> list[str]:
    """The stage features of a space; of an imported one its choices."""
    columns = [column.name for column in columns_of("archs", space)]
    return [name for name in columns if name not in ("arch_id", "arch", "iso_class", *COSTS)]


def _rows(columns: Mapping[str, Floats], keep: npt.NDArray[Any]) -> dict[str, Floats]:
    return {name: values[keep] for name, values in columns.items()}


def _without(columns: Mapping[str, Floats]) -> list[str]:
    """The columns that are all NaN."""
    return [name for name, values in columns.items() if np.isnan(values).all()]
