"""Which choices of an arch drive a proxy or the accuracy (XGBoost on the stage features), and what the archs that a proxy likes best look like.

Capital endings name an array's axes: N archs, F inputs (stage features, or choices of an imported space), C columns of the models (a categorical
input has one for each of its categories), Q quantities that are permuted, H held-out archs of a fold.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.bench import COSTS, _split_column
from nbzero.errors import NothingFoundError, UsageError, count_of, needs, unknown_name, whole
from nbzero.frame import Frame
from nbzero.metrics import is_rounding
from nbzero.pool import Floats, Pool, arch_features, other_split, seed_of_scores, why_no_scores
from nbzero.proxies.facts import PROXIES
from nbzero.spaces.published import categories_of

if TYPE_CHECKING:
    import xgboost

    from nbzero.bench import Bench, Seed, Split

Transform = Literal["rank", "raw"]
Bools = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]

ACCURACY = "accuracy"  # the target that is no proxy

# The model, changed only under another name. Trees of depth 4 with at least 3 archs a leaf predict held-out archs better than XGBoost's
# defaults where there are few (mean R^2 .73 against .64 over 29 columns of the mini spaces with N = 20 to 100, on which they were chosen from ten
# settings) and about as well at N = 14,964 (macs .984 against .993, params .995 against .998), in half the time.
MODEL = "hist-1"
PARAMETERS: Mapping[str, Any] = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "max_bin": 64,  # above the number of values that a stage feature takes, so no split is lost
    "max_depth": 4,
    "eta": 0.2,
    "min_child_weight": 3,
    "nthread": 1,
    "seed": 0,
}
ROUNDS = 60
FOLDS = 5
MIN_R2 = 0.5  # a model that leaves more than half of the variance unexplained is not to be read
PERMUTED_ROWS = 4096  # predictions per quantity: as many archs, or fewer archs several times


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


# Importances


def factors(
    source: Sample | Pool,
    targets: Iterable[str] | None = None,
    transform: Transform = "rank",
    min_r2: float = MIN_R2,
    shuffle_seed: int = 0,
) -> Frame:
    """How much each stage feature says about each target: one XGBoost model per target, on all archs of the source that have it.

    A row is a target and a factor. Beside every importance stands how well the model predicts archs that it has not seen.
    Stage features are numbers. The choices of an imported space (the operation on an edge, the kind of a module) are names, whose numbers have no
    order: the models see each as one column per category, 1 where the arch has it and 0 where not (one-hot; NaN in all where it lacks the
    module). Their importances are of the whole choice: gain is the sum over its columns (so more categories can mean more gain), and permutation
    exchanges all its columns together, among archs that have the module: whether there is one shows in gain alone.

        gain           mean loss reduction of the splits on this input, in shares of 1, as the paper. Of equal inputs (s2_in is s1_out) the first
                       that a tree meets gets all of it, so a feature's share can lie under another name; so can whether there is a fourth stage.
        gain_unique    the same of a model without the inputs that repeat another one (s1_in, s2_in, s3_in, s4_in)
        permutation    (mean (y - f(x_q))^2 - mean (y - f(x))^2) / var(y): what R^2 loses on held-out archs when quantity q is exchanged
                       between archs, all inputs that hold it together. A fourth stage's features are exchanged among archs that have one; the
                       factor `s4` exchanges the whole stage and whether there is one. Above 1 is possible.
        permutation_se standard error of that over the archs
        r2             1 - sum (y - f(x))^2 / sum (y - mean y)^2 over the held-out archs of 5 folds; at most 1, negative if worse than the mean
        rank_correlation   Spearman's rho between f(x) and y of the same held-out archs; NaN where f is constant
        r2_se          standard error of that over the archs, for given models: of few archs r2 says little
        fits           r2 >= min_r2; where it is False the importances describe no more than a model that does not fit
        same_as        the factor that an input repeats; it has no gain_unique and permutation of its own
        num_archs      archs that the model saw; num_absent had no score, num_infinite an infinite one that "raw" has to leave out
        reason         why there is no model (all numbers NaN); None where there is one

    Args:
        source: `sample_of(...)` for every arch that has a score, or a Pool.
        targets: proxies, "accuracy", costs; None is all that the source has.
        transform: what the model predicts. "rank" (default): (rank - 1/2) / N, ties their mean rank, so that a target means what a ranking by it
            means; synflow's 1e64 and -inf are then ranks like others. "raw": the score itself, as the paper, centred and scaled in
            float64 (gains in shares do not change by it); where a few archs hold all the variance, r2 says so.
        min_r2: below it a model is marked as not fitting.
        shuffle_seed: of folds and permutations. They follow from SHA-256 of seed and arch, so results do not depend on the order of the archs.

    A target's own noise (initialisation, training seed) bounds r2 from above; with few archs so does their number.

    Raises:
        UnknownNameError: a target that the source has not.
        UsageError: no archs, features or targets; another transform.
        ImportError: xgboost is not installed.

    Source: the factor analysis of NAS-Bench-Zero (Chen et al., OpenReview hP-SILoczR), which names XGBoost but no parameters: ours are `PARAMETERS`
        and `ROUNDS`. Permutation importance: Breiman, Machine Learning 45, 2001.
    """
    _import_xgboost()
    if transform not in ("rank", "raw"):
        raise UsageError(f"transform {transform!r}; it is 'rank' or 'raw'")
    whole("shuffle_seed", shuffle_seed)
    sample = as_sample(source)
    chosen = _chosen(sample, targets)
    if not sample.features:
        raise UsageError(f"{sample.name} has no stage features to explain anything by")
    order, arch_of_row = _shuffled(sample.archs, shuffle_seed)
    inputs = tuple(sample.features)
    table_NF = np.column_stack([np.asarray(sample.features[name], np.float32)[order] for name in inputs])
    copies = _copies(inputs, table_NF)
    encoding = _Encoding(inputs, tuple(name for name in inputs if name in sample.categories), table_NF)
    designs: dict[bytes, _Design] = {}
    rows: list[dict[str, Any]] = []
    for name, values in chosen.items():
        there, target_N, said = _target(values[order], transform)
        num_distinct = len(np.unique(arch_of_row[there]))
        reason = None
        if num_distinct < 2 * FOLDS:
            reason = f"{count_of(num_distinct, 'arch')} with a value, a model needs {2 * FOLDS}{_first_arch(sample, name)}"
        elif np.ptp(target_N) == 0:
            reason = "the same value for every arch"
        elif is_rounding(values):
            reason = "values that are equal but for rounding"
        numbers = dict(target=name, num_archs=len(target_N), **said, reason=reason)
        key = there.tobytes()
        if reason is None and key not in designs:
            designs[key] = _Design(encoding, table_NF[there], arch_of_row[there], copies, shuffle_seed)
        fitted = designs[key].fit(target_N) if reason is None else None
        rows += _rows(inputs, copies, _blocks(inputs, table_NF), fitted, numbers, min_r2)
    return Frame(
        _columns(rows),
        f"factors of {count_of(len(chosen), 'target')}: {sample.name}",
        _notes(rows, transform, min_r2, encoding),
    )


class _Encoding:
    """How inputs become the columns of the models: a categorical one as a column per category that some arch of the sample has, the others as
    they are.

    Attributes:
        inputs: their names, in order.
        categorical: names of the inputs that are encoded by category.
        input_of_column: (C,) the position of the input that each column is of.
    """

    def __init__(self, inputs: tuple[str, ...], categorical: tuple[str, ...], table_NF: Singles) -> None:
        self.inputs, self.categorical = inputs, categorical
        there = [
            values[~np.isnan(values)] if name in categorical else values[:0]
            for name, values in zip(inputs, table_NF.T, strict=True)
        ]
        columns = [np.unique(values) if len(values) else np.array([np.nan], np.float32) for values in there]
        self.input_of_column = np.repeat(np.arange(len(inputs)), [len(one) for one in columns])
        self._category = np.concatenate(columns)  # NaN for a column that is no category

    def encoded(self, table_NF: Singles) -> Singles:
        """(N, C) columns of the models for (N, F) inputs."""
        if not self.categorical:
            return table_NF
        table_NC: Singles = table_NF[:, self.input_of_column]
        is_category = ~np.isnan(self._category)
        part = table_NC[:, is_category]
        table_NC[:, is_category] = np.where(np.isnan(part), np.nan, part == self._category[is_category])
        return table_NC

    def summed(self, gain_C: Floats, columns: npt.NDArray[np.int64]) -> Floats:
        """(F,) the gains of some columns, added up by input."""
        gain_F: Floats = np.bincount(self.input_of_column[columns], gain_C, len(self.inputs)).astype(
            np.float64
        )
        return gain_F


class Fit(NamedTuple):
    """What one target's models gave; arrays by input, permutations by quantity."""

    gain_F: Floats
    gain_unique: Mapping[str, float]
    permutation: Mapping[str, tuple[float, float]]
    r2: float
    r2_se: float
    rank_correlation: float


class _Design:
    """The inputs of some archs, made once for all targets that exactly these archs have: matrices of all, of folds, and permuted ones."""

    def __init__(
        self,
        encoding: _Encoding,
        table_NF: Singles,
        arch_of_row: npt.NDArray[np.int64],
        copies: Mapping[str, str],
        seed: int,
    ) -> None:
        inputs = encoding.inputs
        self.encoding, self.inputs = encoding, inputs
        self.table_NC = table_NC = encoding.encoded(table_NF)
        _, distinct = np.unique(arch_of_row, return_inverse=True)
        self.fold_N = distinct % FOLDS  # by arch, so that no arch is both learned and held out
        self.unique = [f for f, name in enumerate(inputs) if name not in copies]
        self.unique_columns = np.flatnonzero(np.isin(encoding.input_of_column, self.unique))
        self.all = _matrix(table_NC)
        self.all_unique = _matrix(table_NC[:, self.unique_columns])
        self.training = [_matrix(table_NC[self.fold_N != k]) for k in range(FOLDS)]
        rng = np.random.default_rng([seed, len(table_NF)])
        self.quantities = [*(inputs[f] for f in self.unique), *_blocks(inputs, table_NF)]
        num_rows = min(len(table_NF), PERMUTED_ROWS)
        self.repeats = PERMUTED_ROWS // num_rows
        self.tested = [np.flatnonzero(self.fold_N[:num_rows] == k) for k in range(FOLDS)]
        self.num_tested = num_rows
        stacks: list[list[Singles]] = [[] for _ in range(FOLDS)]
        for name in self.quantities:
            for _ in range(self.repeats):
                permuted_NF = _permuted(inputs, table_NF, copies, name, rng)
                for k, rows in enumerate(self.tested):
                    stacks[k].append(encoding.encoded(permuted_NF[rows]))
        self.permuted = [np.concatenate(stack) for stack in stacks]

    def fit(self, target_N: Floats) -> Fit:
        columns = np.arange(self.table_NC.shape[1])
        gain_F = self.encoding.summed(_gain(_trained(self.all, target_N), len(columns)), columns)
        gain_U = self.encoding.summed(
            _gain(_trained(self.all_unique, target_N), len(self.unique_columns)), self.unique_columns
        )
        gain_unique = {self.inputs[f]: float(gain_U[f]) for f in self.unique}
        predicted_N = np.empty(len(target_N))
        lost_QN = np.empty((len(self.quantities), self.num_tested))
        for k, rows in enumerate(self.tested):
            held_out = self.fold_N == k
            model = _trained(self.training[k], target_N[~held_out])
            predicted_N[held_out] = model.inplace_predict(self.table_NC[held_out])
            again = np.asarray(model.inplace_predict(self.permuted[k]), np.float64).reshape(
                len(self.quantities), self.repeats, len(rows)
            )
            lost_QN[:, rows] = (
                (target_N[rows] - again) ** 2 - (target_N[rows] - predicted_N[rows]) ** 2
            ).mean(1)
        variance = target_N.var()
        mean_Q, error_Q = (
            lost_QN.mean(1) / variance,
            lost_QN.std(1, ddof=1) / variance / math.sqrt(self.num_tested),
        )
        pairs = zip(mean_Q.tolist(), error_Q.tolist(), strict=True)
        error_N, spread_N = (target_N - predicted_N) ** 2, (target_N - target_N.mean()) ** 2
        left = float(error_N.mean() / variance)
        r2_se = float((error_N - left * spread_N).std(ddof=1) / variance / math.sqrt(len(target_N)))
        return Fit(
            gain_F,
            gain_unique,
            dict(zip(self.quantities, pairs, strict=True)),
            1 - left,
            r2_se,
            _spearman(predicted_N, target_N),
        )


def _import_xgboost() -> ModuleType:
    xgboost: ModuleType = needs("factors", "xgboost")
    return xgboost


def _matrix(table_NF: Singles) -> xgboost.QuantileDMatrix:
    matrix: xgboost.QuantileDMatrix = _import_xgboost().QuantileDMatrix(
        table_NF, max_bin=PARAMETERS["max_bin"], nthread=1
    )
    return matrix


def _trained(matrix: xgboost.QuantileDMatrix, target: Floats) -> xgboost.Booster:
    matrix.set_label(target.astype(np.float32))
    model: xgboost.Booster = _import_xgboost().Booster(dict(PARAMETERS), [matrix])
    for number in range(ROUNDS):  # as xgboost.train, without its callbacks
        model.update(matrix, number)
    return model


def _gain(model: xgboost.Booster, num_inputs: int) -> Floats:
    """Mean gain of the splits on each input, in shares of their sum, as XGBoost's `feature_importances_`; 0 where it is never split on."""
    gains: dict[str, Any] = dict(model.get_score(importance_type="gain"))
    gain_F = np.array([gains.get(f"f{f}", 0.0) for f in range(num_inputs)])
    return gain_F / (gain_F.sum() or 1.0)


def _chosen(sample: Sample, targets: Iterable[str] | None) -> dict[str, Floats]:
    if isinstance(targets, str):
        raise UsageError(f"targets is {targets!r}; it is a list of names: [{targets!r}]")
    known = {**sample.costs, **sample.targets}
    names = list(sample.targets) if targets is None else list(dict.fromkeys(targets))
    for name in names:
        if name not in known:
            raise unknown_name("target", name, known)
    if not names or not len(sample):
        asked = count_of(len(names), "target was", "targets were")
        raise UsageError(
            f"{sample.name} has {count_of(len(sample), 'arch')} and {asked} asked for; give at least one of each"
        )
    return {name: np.asarray(known[name], np.float64) for name in names}


def _shuffled(archs: tuple[str, ...], seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows in an order that only the seed and the archs decide, and a number for each row in that order, equal for equal archs."""
    digests = [hashlib.sha256(f"{seed}:{arch}".encode()).digest() for arch in archs]
    numbers = {digest: number for number, digest in enumerate(sorted(set(digests)))}
    number_N = np.array([numbers[digest] for digest in digests], np.int64)
    order = np.argsort(number_N, kind="stable")
    return order, number_N[order]


def _target(values: Floats, transform: Transform) -> tuple[Bools, Floats, dict[str, int]]:
    """Which archs have a value to learn, what the model is to predict for them, and how many were left out."""
    absent, infinite = np.isnan(values), np.isinf(values)
    if transform == "rank":
        there = ~absent
        _, inverse, counts = np.unique(values[there], return_inverse=True, return_counts=True)
        target: Floats = ((np.cumsum(counts) - counts / 2)[inverse]) / max(len(inverse), 1)
        return there, target, {"num_absent": int(absent.sum()), "num_infinite": 0}
    there = ~absent & ~infinite
    target = values[there]
    if len(target) and np.ptp(target) > 0:
        target = target / np.abs(target).max()  # first, or the square of 1e200 overflows
        target = target - target.mean()
        target = target / (target.std() or 1.0)
    return there, target, {"num_absent": int(absent.sum()), "num_infinite": int(infinite.sum())}


def _copies(inputs: tuple[str, ...], table_NF: Singles) -> dict[str, str]:
    """Inputs that repeat another one by definition: a stage's s{k}_in is s{k-1}_out, the first's is the stem."""
    columns = dict(zip(inputs, table_NF.T, strict=True))
    copies = {}
    for name in inputs:
        match = re.fullmatch(r"s(\d+)_in", name)
        source = "" if not match else "stem" if match[1] == "1" else f"s{int(match[1]) - 1}_out"
        if source in columns and (np.isnan(columns[name]) | (columns[name] == columns[source])).all():
            copies[name] = source
    return copies


def _blocks(inputs: tuple[str, ...], table_NF: Singles) -> dict[str, list[int]]:
    """Stages that some archs lack -> their inputs."""
    blocks: dict[str, list[int]] = {}
    for f, name in enumerate(inputs):
        match = re.fullmatch(r"(s\d+)_\w+", name)
        if match and np.isnan(table_NF[:, f]).any():
            blocks.setdefault(match[1], []).append(f)
    return blocks


def _permuted(
    inputs: tuple[str, ...],
    table_NF: Singles,
    copies: Mapping[str, str],
    quantity: str,
    rng: np.random.Generator,
) -> Singles:
    """The inputs with one quantity exchanged between archs, in every input that holds it."""
    permuted = table_NF.copy()
    if quantity in inputs:
        f = inputs.index(quantity)
        there = np.flatnonzero(~np.isnan(table_NF[:, f]))
        permuted[there, f] = table_NF[rng.permutation(there), f]
    else:
        own = [f for f in _blocks(inputs, table_NF)[quantity] if inputs[f] not in copies]
        permuted[:, own] = table_NF[rng.permutation(len(table_NF))][:, own]
    for copy, source in copies.items():
        stage = next(
            f for f, name in enumerate(inputs) if name.startswith(copy.removesuffix("in")) and name != copy
        )
        permuted[:, inputs.index(copy)] = np.where(
            np.isnan(permuted[:, stage]), np.nan, permuted[:, inputs.index(source)]
        )
    return permuted


def _spearman(x: Floats, y: Floats) -> float:
    x, y = (_target(values, "rank")[1] for values in (x, y))
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale else math.nan


def _rows(
    inputs: tuple[str, ...],
    copies: Mapping[str, str],
    blocks: Mapping[str, Any],
    fit: Fit | None,
    numbers: dict[str, Any],
    min_r2: float,
) -> list[dict[str, Any]]:
    """One target's rows of the Frame: every input, then the stages that some archs lack."""
    gain = dict(zip(inputs, fit.gain_F.tolist(), strict=True)) if fit else {}
    rows = []
    for name in (*inputs, *blocks):
        permutation, error = fit.permutation.get(name, (math.nan, math.nan)) if fit else (math.nan, math.nan)
        rows.append(
            {
                "target": numbers["target"],
                "factor": name,
                "same_as": copies.get(name),
                "gain": gain.get(name, math.nan),
                "gain_unique": fit.gain_unique.get(name, math.nan) if fit else math.nan,
                "permutation": permutation,
                "permutation_se": error,
                "r2": fit.r2 if fit else math.nan,
                "r2_se": fit.r2_se if fit else math.nan,
                "rank_correlation": fit.rank_correlation if fit else math.nan,
                "fits": fit is not None and fit.r2 >= min_r2,
                **{
                    column: numbers[column]
                    for column in ("num_archs", "num_absent", "num_infinite", "reason")
                },
            }
        )
    return rows


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns of rows; text columns stay text where every value is absent."""
    columns: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in ("same_as", "reason"):
            columns[name] = np.empty(len(values), object)
            columns[name][:] = values
        else:
            columns[name] = values
    return columns


def _notes(rows: list[dict[str, Any]], transform: Transform, min_r2: float, encoding: _Encoding) -> list[str]:
    first = list({row["target"]: row for row in rows}.values())
    sizes = [row["num_archs"] for row in first]
    notes = [
        f"N = {_range(sizes)} archs by target; {'ranks of the' if transform == 'rank' else 'raw'} targets; model {MODEL}; "
        f"r2 and rank_correlation on held-out archs of {FOLDS} folds",
    ]
    if encoding.categorical:
        notes.append(
            f"{', '.join(encoding.categorical)}: categories without an order, one-hot in the models (a column per category, "
            f"{int(np.isin(encoding.inputs, encoding.categorical)[encoding.input_of_column].sum())} in all); the gain of each is the sum over its "
            "columns, its permutation exchanges them together"
        )
    poor = [
        f"{row['target']} ({row['r2']:.2f})" for row in first if row["reason"] is None and not row["fits"]
    ]
    if poor:
        notes.append(
            f"Do not read the importances of {count_of(len(poor), 'target')} whose model does not fit (r2 < {min_r2:g}): {', '.join(poor)}"
        )
    none = [f"{row['target']} ({row['reason']})" for row in first if row["reason"] is not None]
    if none:
        notes.append(f"No model: {', '.join(none)}")
    infinite = [f"{row['target']} ({row['num_infinite']})" for row in first if row["num_infinite"]]
    if infinite:
        notes.append(f"Left out as infinite: {', '.join(infinite)}")
    return notes


def _range(sizes: list[int]) -> str:
    return f"{sizes[0]:,}" if len(set(sizes)) == 1 else f"{min(sizes):,} to {max(sizes):,}"


# Bias


def bias(
    source: Sample | Pool, targets: Iterable[str] | None = None, top: float = 0.05, min_top: int = 10
) -> Frame:
    """What the archs look like that each proxy likes best, against all archs and against the truly best ones.

    A row is a target and a property: stem, stage widths (s1_out ..), depths and strides, number of stages, macs, params, depth; of an imported
    space's choices each category ("edge_01 = skip_connect": x is 1 for archs that have it, 0 for others, so a mean is a share). The liked archs
    are the first max(min_top, ceil(top * N)) of the N that have the target; archs tied at that limit share the places left over, as
    weights w in (0, 1], so the order of the archs does not matter. A fourth stage's properties are of the archs that have one.

        num_archs      N; num_absent archs had no score and are in neither group; -inf is a score
        num_top        places; num_tied: archs that share the last of them, 0 where none have to
        mean, mean_se  m = sum w x / sum w of the liked archs, and its standard error
        q25, median, q75   the smallest value that this share of the weight does not exceed
        pool_mean, pool_median   of all N
        difference     (mean - pool_mean) / standard deviation of x over the N archs; NaN where that is 0
        difference_se  its standard error
        num_both       archs that have the target and an accuracy; the next three are of these, the liked ones chosen anew among them
        best_mean      of the archs of highest accuracy, as many
        best_difference    (mean of the liked - best_mean) / standard deviation: above 0 where the proxy likes more of it than is best
        best_difference_se
        reason         why there are no numbers, or none against the best; None where there are

    Standard errors are linearised, for given limits: sqrt(sum (u_i - v_i)^2), u_i = w_i (x_i - m) / sum w of one group and v_i of the other
    (0 for one group alone), so an arch in both counts once; u is scaled by sqrt(n / (n - 1)), n = (sum w)^2 / sum w^2.

    Args:
        targets: proxies, "accuracy", costs; None is all that the source has.
        top: share of the archs, above 0 and at most 0.5.
        min_top: at least so many archs; a target that fewer than 2 min_top archs have gets a reason and no numbers.

    Raises:
        UnknownNameError: a target that the source has not.
        UsageError: no archs or targets, another top or min_top.
    """
    if isinstance(top, (bool, str)) or not hasattr(top, "__float__") or not 0 < top <= 0.5:
        raise UsageError(f"top is {top!r}; it is a share of the archs above 0 and at most 0.5")
    if isinstance(min_top, bool) or not hasattr(min_top, "__index__") or min_top < 2:
        raise UsageError(f"min_top is {min_top!r}; it is a number of archs, at least 2")
    sample = as_sample(source)
    chosen = _chosen(sample, targets)
    properties = _properties(sample)
    accuracy = np.asarray(sample.targets.get(ACCURACY, np.full(len(sample), np.nan)), np.float64)
    rows: list[dict[str, Any]] = []
    for name, values in chosen.items():
        there = ~np.isnan(values)
        both = there & ~np.isnan(accuracy)
        num_archs, num_both = int(there.sum()), int(both.sum())
        counts = {"num_archs": num_archs, "num_absent": len(sample) - num_archs}
        enough, enough_both = num_archs >= 2 * min_top, num_both >= 2 * min_top
        size = _places(num_archs, top, min_top)
        weight = _weights(values[there], size) if enough else None
        pair = (
            [_weights(column[both], _places(num_both, top, min_top)) for column in (values, accuracy)]
            if enough_both
            else None
        )
        reason = (
            f"{count_of(num_archs, 'arch')} with a score, a top of {min_top} needs {2 * min_top}{_first_arch(sample, name)}"
            if not enough
            else None
        )
        if enough and not enough_both:
            reason = (
                f"{count_of(num_both, 'arch')} with an accuracy too, a best {min_top} needs {2 * min_top}"
            )
        counts["num_top"] = size if enough else 0
        counts["num_tied"] = 0 if weight is None else int(((weight > 0) & (weight < 1)).sum())
        for label, column in properties.items():
            row = {"target": name, "property": label, **counts, "num_both": num_both}
            rows.append(
                row
                | _against_pool(column[there], weight)
                | _against_best(column[both], pair)
                | {"reason": reason}
            )
    sizes: list[int] = [row["num_archs"] for row in rows]
    notes = [f"N = {_range(sizes)} archs by target; the top {top:.3g} of them, at least {min_top}"]
    if any(row["reason"] for row in rows):
        short = {row["target"]: row["reason"] for row in rows if row["reason"]}
        notes.append(
            "Without all numbers: " + ", ".join(f"{name} ({reason})" for name, reason in short.items())
        )
    return Frame(_columns(rows), f"liked archs of {count_of(len(chosen), 'target')}: {sample.name}", notes)


def _first_arch(sample: Sample, name: str) -> str:
    """What the release says of the first arch, of a target that none has a score of."""
    return f"; the first arch: {sample.unscored[name]}" if sample.unscored.get(name) else ""


def _properties(sample: Sample) -> dict[str, Floats]:
    inputs = tuple(sample.features)
    columns = {name: np.asarray(values, np.float64) for name, values in sample.features.items()}
    table = (
        np.column_stack([values.astype(np.float32) for values in columns.values()])
        if inputs
        else np.zeros((len(sample), 0), np.float32)
    )
    copies = _copies(inputs, table)
    kept: dict[str, Floats] = {}
    for name, values in columns.items():
        there = ~np.isnan(values)
        for number, option in enumerate(sample.categories.get(name, ())):
            if (values == number).any():
                kept[f"{name} = {option}"] = np.where(there, values == number, np.nan)
        if name not in sample.categories and name not in copies:
            kept[name] = values
    widths = [name for name in kept if re.fullmatch(r"s\d+_out", name)]
    if widths:
        kept["num_stages"] = np.sum([~np.isnan(kept[name]) for name in widths], axis=0).astype(np.float64)
    return {**kept, **{name: np.asarray(values, np.float64) for name, values in sample.costs.items()}}


def _places(num_archs: int, top: float, min_top: int) -> int:
    return max(min_top, math.ceil(round(top * num_archs, 9)))  # rounded: 0.07 * 100 is 7.000000000000001


def _weights(values: Floats, size: int) -> Floats:
    """1 for the archs above the limit of the first `size`, equal shares of the places left for those on it, 0 below."""
    limit = np.partition(values, len(values) - size)[len(values) - size]
    above, tied = values > limit, values == limit
    weights: Floats = above + tied * ((size - above.sum()) / tied.sum())
    return weights


def _group(x: Floats, weight: Floats) -> tuple[float, Floats]:
    """The weighted mean, and each arch's share in its error."""
    total = weight.sum()
    if not total:
        return math.nan, np.full(len(x), np.nan)
    mean = float(weight @ x / total)
    size = float(total**2 / (weight @ weight))
    scale = math.sqrt(size / (size - 1)) if size > 1 + 1e-9 else math.nan
    return mean, weight * (x - mean) / total * scale


def _against_pool(x: Floats, weight: Floats | None) -> dict[str, float]:
    names = (
        "mean",
        "mean_se",
        "q25",
        "median",
        "q75",
        "pool_mean",
        "pool_median",
        "difference",
        "difference_se",
    )
    if weight is None:
        return dict.fromkeys(names, math.nan)
    x, weight = x[~np.isnan(x)], weight[~np.isnan(x)]
    if not weight.any():
        return dict.fromkeys(names, math.nan)
    (mean, share), (pool_mean, pool_share) = _group(x, weight), _group(x, np.ones(len(x)))
    deviation = float(x.std()) or math.nan
    quartiles = [_quantile(x, weight, q) for q in (0.25, 0.5, 0.75)]
    numbers = [mean, _norm(share), *quartiles, pool_mean, _quantile(x, np.ones(len(x)), 0.5)]
    return dict(
        zip(
            names,
            [*numbers, (mean - pool_mean) / deviation, _norm(share - pool_share) / deviation],
            strict=True,
        )
    )


def _against_best(x: Floats, pair: list[Floats] | None) -> dict[str, float]:
    names = ("best_mean", "best_difference", "best_difference_se")
    if pair is None:
        return dict.fromkeys(names, math.nan)
    there = ~np.isnan(x)
    (mean, share), (best_mean, best_share) = (_group(x[there], weight[there]) for weight in pair)
    deviation = (float(x[there].std()) if there.any() else 0.0) or math.nan
    return dict(
        zip(
            names,
            [best_mean, (mean - best_mean) / deviation, _norm(share - best_share) / deviation],
            strict=True,
        )
    )


def _norm(shares: Floats) -> float:
    return math.sqrt(float(shares @ shares))


def _quantile(x: Floats, weight: Floats, q: float) -> float:
    order = np.argsort(x, kind="stable")
    reached = np.cumsum(weight[order])
    return float(x[order][np.searchsorted(reached, q * reached[-1] * (1 - 1e-12))])
