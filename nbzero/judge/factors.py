"""Factors: which choices of an arch drive a proxy or the accuracy, as XGBoost models of them say.

Capital endings name an array's axes:
    N   archs
    F   inputs: stage features, or choices of an imported space
    C   columns of the models; an input of categories has one for each of them
    Q   quantities that are exchanged between archs
    H   held-out archs of a fold
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from nbzero.errors import UsageError, count_of, needs, whole
from nbzero.frame import Frame
from nbzero.judge.designs import (
    Encoding,
    Floats,
    Ints,
    Singles,
    Target,
    Transform,
    chosen_targets,
    exchanged,
    first_arch_said,
    input_table,
    optional_stages,
    repeated_inputs,
    shuffled,
    sizes_said,
    target_of,
)
from nbzero.judge.pool import Pool, Sample, as_sample
from nbzero.metrics.arrays import is_rounding
from nbzero.metrics.correlations import spearman_rho
from nbzero.spaces.published import doubt_notes, doubtful_in

if TYPE_CHECKING:
    import xgboost

Row = dict[str, Any]

# The model, changed only under another name. Depth 4 with at least 3 archs a leaf was chosen from ten
# settings on 29 columns of the mini spaces. With N = 20 to 100 it predicts held-out archs better than
# XGBoost's defaults (mean R^2 .73 against .64). At N = 14,964 it does about as well (macs .984 against .993,
# params .995 against .998), in half the time.
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


def factors(
    source: Sample | Pool,
    targets: Iterable[str] | None = None,
    *,
    transform: Transform = "rank",
    min_r2: float = MIN_R2,
    shuffle_seed: int = 0,
) -> Frame:
    """How much each stage feature says about each target.

    There is one XGBoost model per target, on all archs of the source that have it. A row is a target and a
    factor. Beside every importance stands how well the model predicts archs that it has not seen.

    Stage features are numbers. The choices of an imported space (the operation on an edge, the kind of a
    module) are names, whose numbers have no order. The models see a choice as one column per category: 1
    where the arch has it, 0 where not, NaN in all where it lacks the module (one-hot). Importances are of the
    whole choice. Its gain is the sum over its columns, so more categories can mean more gain. Its permutation
    exchanges all its columns together, among archs that have the module. Whether there is one shows in gain
    alone.

        gain            Mean loss reduction of the splits on this input, in shares of 1, as the paper. Of
                        equal inputs (s2_in is s1_out) the first that a tree meets gets all of it. So the
                        share of a feature can lie under another name, and so can whether there is a fourth
                        stage.
        gain_unique     The same of a model without the inputs that repeat another one (s1_in to s4_in).
        permutation     (mean (y - f(x_q))^2 - mean (y - f(x))^2) / var(y): what R^2 loses on held-out archs
                        when quantity q is exchanged between archs, in all inputs that hold it. Features of a
                        fourth stage are exchanged among archs that have one. The factor `s4` exchanges the
                        whole stage and whether there is one. Above 1 is possible.
        permutation_se  Standard error of that over the archs.
        r2              1 - sum (y - f(x))^2 / sum (y - mean y)^2 over the held-out archs of 5 folds. At most
                        1, negative if worse than the mean.
        r2_se           Standard error of that over the archs, for given models. Of few archs r2 says little.
        rank_correlation  Spearman's rho of f(x) and y of the same held-out archs; NaN where f is constant.
        fits            r2 >= min_r2. Where it is False, do not read the importances.
        same_as         The factor that an input repeats; the input has no gain_unique and no permutation.
        num_archs       Archs that the model saw.
        num_absent      Archs without a value.
        num_infinite    Archs with an infinite value, which "raw" has to leave out.
        reason          Why there is no model, and all numbers are NaN; None where there is one.

    A target's own noise (initialisation, training seed) bounds r2 from above. So does a low number of archs.

    Args:
        source: `sample_of(...)` for every arch that has a score, or a Pool.
        targets: proxies, "accuracy", costs; None is all that the source has.
        transform: what the model predicts.
            "rank"  (rank - 1/2) / N, ties their mean rank: what a ranking by the target means. The 1e64 and
                    the -inf of synflow are ranks like others.
            "raw"   The score itself, as the paper, centred and scaled in float64, which changes no share of
                    gain. Where a few archs hold all the variance, r2 says so.
        min_r2: below it a model is marked as not fitting.
        shuffle_seed: of folds and permutations. They follow from SHA-256 of seed and arch, so results do not
            depend on the order of the archs.

    Raises:
        UnknownNameError: a target that the source has not.
        UsageError: no archs, features or targets; another transform.
        MissingPackageError: xgboost is not installed.

    Source: the factor analysis of NAS-Bench-Zero (Chen et al., OpenReview hP-SILoczR), which names XGBoost
        but no parameters: ours are `PARAMETERS` and `ROUNDS`. Permutation importance: Breiman, Machine
        Learning 45, 2001.
    """
    needs("factors", "xgboost")
    if transform not in get_args(Transform):
        raise UsageError(f"transform {transform!r}; it is 'rank' or 'raw'")
    whole("shuffle_seed", shuffle_seed)
    sample = as_sample(source)
    chosen = chosen_targets(sample, targets)
    if not sample.features:
        raise UsageError(f"{sample.name} has no stage features to explain anything by")

    order, arch_of_row = shuffled(sample.archs, shuffle_seed)
    inputs = tuple(sample.features)
    table_NF = input_table(sample)[order]
    repeated = repeated_inputs(inputs, table_NF)
    encoding = Encoding(inputs, [name for name in inputs if name in sample.categories], table_NF)
    factor_names = [*inputs, *optional_stages(inputs, table_NF)]
    designs: dict[bytes, _Design] = {}
    rows: list[Row] = []
    for name, values in chosen.items():
        target = target_of(values[order], transform)
        reason = _why_no_model(sample, name, values, target, arch_of_row)
        fit = NO_FIT
        if reason is None:
            there = target.there
            key = there.tobytes()
            if key not in designs:
                designs[key] = _Design(encoding, table_NF[there], arch_of_row[there], repeated, shuffle_seed)
            fit = designs[key].fit(target.values)
        rows += _rows(name, target, factor_names, repeated, fit, reason, min_r2)
    title = f"factors of {count_of(len(chosen), 'target')}: {sample.name}"
    notes = [*_notes(rows, transform, min_r2, encoding), *doubt_notes(sample.space, chosen, sample.dataset)]
    doubtful = doubtful_in(sample.space, chosen, sample.dataset)
    return Frame.of(rows, title, notes, texts=("same_as", "reason")).marking(doubtful)


class Fit(NamedTuple):
    """What the models of one target gave: gains by input, permutations and their errors by quantity."""

    gain: Mapping[str, float]
    gain_unique: Mapping[str, float]
    permutation: Mapping[str, tuple[float, float]]
    r2: float
    r2_se: float
    rank_correlation: float


NO_FIT = Fit({}, {}, {}, math.nan, math.nan, math.nan)


class _Design:
    """The inputs of some archs, made once for all targets that exactly these archs have.

    There are matrices of all archs, of the folds, and of archs with a quantity exchanged.
    """

    def __init__(
        self,
        encoding: Encoding,
        table_NF: Singles,
        arch_of_row: Ints,
        repeated: Mapping[str, str],
        shuffle_seed: int,
    ) -> None:
        inputs = encoding.inputs
        self.encoding, self.inputs = encoding, inputs
        self.table_NC = table_NC = encoding.encoded(table_NF)
        _, distinct = np.unique(arch_of_row, return_inverse=True)
        self.fold_N = distinct % FOLDS  # by arch, so that no arch is both learned and held out
        self.unique = [f for f, name in enumerate(inputs) if name not in repeated]
        self.columns = np.arange(table_NC.shape[1])
        self.unique_columns = np.flatnonzero(np.isin(encoding.input_of_column, self.unique))
        self.all = _matrix(table_NC)
        self.all_unique = _matrix(table_NC[:, self.unique_columns])
        self.training = [_matrix(table_NC[self.fold_N != k]) for k in range(FOLDS)]
        self.quantities = [*(inputs[f] for f in self.unique), *optional_stages(inputs, table_NF)]
        self.num_tested = min(len(table_NF), PERMUTED_ROWS)
        self.repeats = PERMUTED_ROWS // self.num_tested
        self.tested = [np.flatnonzero(self.fold_N[: self.num_tested] == k) for k in range(FOLDS)]
        self.exchanged = self._exchanged(
            table_NF, repeated, np.random.default_rng([shuffle_seed, len(table_NF)])
        )

    def _exchanged(
        self, table_NF: Singles, repeated: Mapping[str, str], rng: np.random.Generator
    ) -> list[Singles]:
        """For each fold (Q repeats H, C): its tested archs, with each quantity exchanged a few times."""
        stacks: list[list[Singles]] = [[] for _ in range(FOLDS)]
        for quantity in self.quantities:
            for _ in range(self.repeats):
                exchanged_NF = exchanged(self.inputs, table_NF, repeated, quantity, rng)
                for stack, rows in zip(stacks, self.tested, strict=True):
                    stack.append(self.encoding.encoded(exchanged_NF[rows]))
        return [np.concatenate(stack) for stack in stacks]

    def fit(self, target_N: Floats) -> Fit:
        gain_F = self._gain(self.all, target_N, self.columns)
        unique_F = self._gain(self.all_unique, target_N, self.unique_columns)
        predicted_N, lost_QN = self._held_out(target_N)
        variance = target_N.var()
        loss_Q = lost_QN.mean(1) / variance
        loss_se_Q = lost_QN.std(1, ddof=1) / variance / math.sqrt(self.num_tested)
        losses = zip(loss_Q.tolist(), loss_se_Q.tolist(), strict=True)

        error_N = (target_N - predicted_N) ** 2
        spread_N = (target_N - target_N.mean()) ** 2
        left = float(error_N.mean() / variance)
        r2_se = (error_N - left * spread_N).std(ddof=1) / variance / math.sqrt(len(target_N))
        return Fit(
            gain=dict(zip(self.inputs, gain_F.tolist(), strict=True)),
            gain_unique={self.inputs[f]: float(unique_F[f]) for f in self.unique},
            permutation=dict(zip(self.quantities, losses, strict=True)),
            r2=1 - left,
            r2_se=float(r2_se),
            rank_correlation=spearman_rho(predicted_N, target_N),
        )

    def _gain(self, matrix: xgboost.QuantileDMatrix, target_N: Floats, columns: Ints) -> Floats:
        """(F,) the gain of each input in a model of some columns."""
        gain_C = _gain(_trained(matrix, target_N), len(columns))
        return self.encoding.summed(gain_C, columns)

    def _held_out(self, target_N: Floats) -> tuple[Floats, Floats]:
        """What the models of the other folds say of each arch.

        Returns:
            (N,) their predictions, and (Q, tested archs) what each exchange adds to the squared error.
        """
        predicted_N = np.empty(len(target_N))
        lost_QN = np.empty((len(self.quantities), self.num_tested))
        for k, rows in enumerate(self.tested):
            held_out = self.fold_N == k
            model = _trained(self.training[k], target_N[~held_out])
            predicted_N[held_out] = model.inplace_predict(self.table_NC[held_out])
            again = np.asarray(model.inplace_predict(self.exchanged[k]), np.float64)
            again_QRH = again.reshape(len(self.quantities), self.repeats, len(rows))
            error_H = (target_N[rows] - predicted_N[rows]) ** 2
            lost_QN[:, rows] = ((target_N[rows] - again_QRH) ** 2 - error_H).mean(1)
        return predicted_N, lost_QN


def _matrix(table_NC: Singles) -> xgboost.QuantileDMatrix:
    made = needs("factors", "xgboost").QuantileDMatrix
    matrix: xgboost.QuantileDMatrix = made(table_NC, max_bin=PARAMETERS["max_bin"], nthread=1)
    return matrix


def _trained(matrix: xgboost.QuantileDMatrix, target_N: Floats) -> xgboost.Booster:
    matrix.set_label(target_N.astype(np.float32))
    model: xgboost.Booster = needs("factors", "xgboost").Booster(dict(PARAMETERS), [matrix])
    for number in range(ROUNDS):  # as xgboost.train, without its callbacks
        model.update(matrix, number)
    return model


def _gain(model: xgboost.Booster, num_columns: int) -> Floats:
    """(C,) mean gain of the splits on each column, in shares of their sum.

    It is XGBoost's `feature_importances_`, and 0 where a column is never split on.
    """
    gains: dict[str, Any] = dict(model.get_score(importance_type="gain"))
    gain_C = np.array([gains.get(f"f{c}", 0.0) for c in range(num_columns)])
    return gain_C / (gain_C.sum() or 1.0)


def _why_no_model(sample: Sample, name: str, values: Floats, target: Target, arch_of_row: Ints) -> str | None:
    """Why a target has no model; None where it has one."""
    num_distinct = len(np.unique(arch_of_row[target.there]))
    if num_distinct < 2 * FOLDS:
        there = f"{count_of(num_distinct, 'arch')} with a value, a model needs {2 * FOLDS}"
        return there + first_arch_said(sample, name)
    if np.ptp(target.values) == 0:
        return "the same value for every arch"
    if is_rounding(values):
        return "values that are equal but for rounding"
    return None


def _rows(
    name: str,
    target: Target,
    factor_names: Sequence[str],
    repeated: Mapping[str, str],
    fit: Fit,
    reason: str | None,
    min_r2: float,
) -> list[Row]:
    """The rows of one target: every input, then the stages that some archs lack."""
    rows = []
    for factor in factor_names:
        permutation, error = fit.permutation.get(factor, (math.nan, math.nan))
        row = {
            "target": name,
            "factor": factor,
            "same_as": repeated.get(factor),
            "gain": fit.gain.get(factor, math.nan),
            "gain_unique": fit.gain_unique.get(factor, math.nan),
            "permutation": permutation,
            "permutation_se": error,
            "r2": fit.r2,
            "r2_se": fit.r2_se,
            "rank_correlation": fit.rank_correlation,
            "fits": fit.r2 >= min_r2,
            "num_archs": len(target.values),
            "num_absent": target.num_absent,
            "num_infinite": target.num_infinite,
            "reason": reason,
        }
        rows.append(row)
    return rows


def _notes(rows: Sequence[Row], transform: Transform, min_r2: float, encoding: Encoding) -> list[str]:
    first = list({row["target"]: row for row in rows}.values())
    predicted = {"rank": "ranks of the targets", "raw": "raw targets"}[transform]
    notes = [
        f"{sizes_said([row['num_archs'] for row in first])}; {predicted}; model {MODEL}; "
        f"r2 and rank_correlation on held-out archs of {FOLDS} folds"
    ]
    if encoding.categorical:
        notes.append(
            f"{', '.join(encoding.categorical)}: categories without an order, one-hot in the models "
            f"(a column per category, {encoding.num_one_hot} in all); the gain of each is the sum over its "
            "columns, its permutation exchanges them together"
        )
    poor, none, infinite = [], [], []
    for row in first:
        target = row["target"]
        if row["reason"] is not None:
            none.append(f"{target} ({row['reason']})")
        elif not row["fits"]:
            poor.append(f"{target} ({row['r2']:.2f})")
        if row["num_infinite"]:
            infinite.append(f"{target} ({row['num_infinite']})")
    if poor:
        many = count_of(len(poor), "target")
        notes.append(
            f"Do not read the importances of {many} whose model does not fit (r2 < {min_r2:g}): "
            f"{', '.join(poor)}"
        )
    if none:
        notes.append(f"No model: {', '.join(none)}")
    if infinite:
        notes.append(f"Left out as infinite: {', '.join(infinite)}")
    return notes
