"""Fit the surrogates of a release: python -m builders.fit_surrogate --release DIR --out DIR

For each space, data set and recipe with runs of at least 20 networks it fits the Gaussian process of
`nbzero.surrogate` on all runs, and predicts every member. The tables predictions/ and surrogates/ of --out
hold that. All other tables are those of --release, which may be the same folder; it is replaced at once or
not at all. Where runs were added, run it again.

Hyper-parameters are those of the largest marginal likelihood, found by scikit-learn from several starts: 15 s
of one core for 424 runs, and eight times as long for twice as many. OMP_NUM_THREADS=1 is faster than two. Ten
times a tenth of the networks is left out and predicted by what was fitted on the others, beside ridge
regression, a random forest and XGBoost on the same networks. The table surrogates/ has these too.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from builders.work.command import parser_of, say_errors
from builders.work.commit import commit_release, finish_commit, local_folder
from builders.work.lock import locked
from builders.work.versions import line_after
from nbzero.errors import NothingFoundError, count_of, needs
from nbzero.release.derived import MIN_ARCHS, finished
from nbzero.release.manifest import Release
from nbzero.release.opened import Opened, OpenedSpace
from nbzero.release.schema import DERIVED, Table, TableKey, arrow_schema
from nbzero.spaces.macro import CHOICES
from nbzero.spaces.points import points_of
from nbzero.surrogate import Kernel, Process, features, runs_of, standardisation

Floats = npt.NDArray[np.float64]
FOLDS = 10
STARTS = 2  # of the search for hyper-parameters, beside the first
SEED = 0
OWN_LENGTH = 1e-3  # a length scale so short that it joins only the runs of one network


class Trained(NamedTuple):
    """The networks of a space that were trained with a recipe.

    Attributes:
        arch_ids, archs: (M,) in build order.
        runs: (S, M) val accuracies by seed, NaN where there is none.
    """

    space: str
    arch_ids: npt.NDArray[np.int64]
    archs: npt.NDArray[Any]
    runs: Floats

    @property
    def accuracy(self) -> Floats:
        """(M,) mean over the runs of each."""
        return np.asarray(np.nanmean(self.runs, axis=0), np.float64)

    @property
    def num_seeds(self) -> npt.NDArray[np.int64]:
        """(M,) runs of each."""
        return np.asarray((~np.isnan(self.runs)).sum(axis=0), np.int64)

    def only(self, keep: npt.NDArray[Any]) -> Trained:
        return Trained(self.space, self.arch_ids[keep], self.archs[keep], self.runs[:, keep])


def trained_of(opened: OpenedSpace, dataset: str, recipe: str) -> Trained:
    """The networks with a run that finished."""
    seeds = opened.seeds("runs", dataset, recipe)
    runs = np.array([runs_of(opened, dataset, recipe, seed) for seed in seeds])
    ids = np.flatnonzero(~np.isnan(runs).all(axis=0))
    return Trained(opened.name, ids, np.array(opened.archs, object)[ids], runs[:, ids])


def fitted(trained: Trained, begin: Kernel | None = None) -> Process:
    """The Gaussian process with the hyper-parameters of the largest marginal likelihood of all runs.

    Args:
        begin: where the search for them starts; None: from several places.
    """
    raw = features(points_of(trained.space, trained.archs))
    mean, sd = standardisation(raw)
    seeds, places = np.nonzero(~np.isnan(trained.runs))
    runs = trained.runs[seeds, places]
    several = bool((trained.num_seeds > 1).any())
    kernel = _largest_likelihood(((raw - mean) / sd)[places], runs, several, begin)
    return Process(trained.space, kernel, trained.archs, trained.accuracy, trained.num_seeds)


def _largest_likelihood(scaled: Floats, runs: Floats, several: bool, begin: Kernel | None) -> Kernel:
    """The kernel's numbers.

    Args:
        scaled: (R, F) standardised features, a row for each run.
        runs: (R,) their accuracies.
        several: some network has several runs. Where none has, its own part cannot be told from the noise of
            a run: sd_arch is 0 and sd_noise has both.
    """
    process = needs("fitting a surrogate", "sklearn.gaussian_process")
    centre, spread = float(runs.mean()), float(runs.std())
    whole = _kernel(several)
    if begin is not None:
        whole = _begun(whole, begin, spread, several)
    starts = STARTS if begin is None else 0
    search = process.GaussianProcessRegressor(whole, n_restarts_optimizer=starts, random_state=SEED)
    with warnings.catch_warnings():
        # A number may lie at its bound, as that of what networks have of their own often does.
        warnings.simplefilter("ignore", needs("fitting a surrogate", "sklearn.exceptions").ConvergenceWarning)
        search.fit(scaled, (runs - centre) / spread)
    smooth_variance, length_scale, *own_variance, noise_variance = np.exp(search.kernel_.theta).tolist()
    numbers = {
        "centre": centre,
        "sd_smooth": spread * math.sqrt(smooth_variance),
        "length_scale": length_scale,
        "sd_arch": spread * math.sqrt(sum(own_variance)),
        "sd_noise": spread * math.sqrt(noise_variance),
    }
    # Six digits: more differ from machine to machine, and mean nothing.
    return Kernel(**{name: float(f"{number:.6g}") for name, number in numbers.items()})


def _kernel(several: bool) -> Any:
    """scikit-learn's kernel of runs that are scaled to sd 1."""
    kernels = needs("fitting a surrogate", "sklearn.gaussian_process.kernels")
    constant, rbf, white = kernels.ConstantKernel, kernels.RBF, kernels.WhiteKernel
    smooth = constant(1.0, (1e-2, 1e3)) * rbf(4.0, (0.3, 1e2))
    noise = white(0.1, (1e-4, 1e1))
    if not several:
        return smooth + noise
    return smooth + constant(0.1, (1e-4, 1e1)) * rbf(OWN_LENGTH, "fixed") + noise


def _begun(whole: Any, begin: Kernel, spread: float, several: bool) -> Any:
    """The kernel with the numbers of another, inside its bounds."""
    own = [(begin.sd_arch / spread) ** 2] if several else []
    numbers = [(begin.sd_smooth / spread) ** 2, begin.length_scale, *own, (begin.sd_noise / spread) ** 2]
    low, high = whole.bounds.T
    return whole.clone_with_theta(np.clip(np.log(np.maximum(numbers, 1e-12)), low, high))


# What was not seen


def unseen_of(trained: Trained, folds: npt.NDArray[np.int64], begin: Kernel) -> dict[str, Floats]:
    """Columns unseen_*: each network as predicted by what was fitted on the other folds.

    Args:
        begin: the kernel of all, where the search of each fold starts: a matter of time alone.
    """
    num = len(trained.archs)
    found = {name: np.empty(num) for name in ("mean", "sd_mean", "sd_run", *RIVALS)}
    raw = features(points_of(trained.space, trained.archs))
    for fold in np.unique(folds):
        out = folds == fold
        rest = trained.only(~out)
        said = fitted(rest, begin).predict(trained.archs[out])
        found["mean"][out], found["sd_mean"][out], found["sd_run"][out] = said.mean, said.sd_mean, said.sd_run
        for name, make in RIVALS.items():
            model = make()
            mean, sd = standardisation(raw[~out])
            model.fit((raw[~out] - mean) / sd, rest.accuracy, sample_weight=rest.num_seeds)
            found[name][out] = model.predict((raw[out] - mean) / sd)
    return {f"unseen_{name}": values for name, values in found.items()}


def _ridge() -> Any:
    linear = needs("fitting a surrogate", "sklearn.linear_model")
    return linear.RidgeCV(alphas=np.logspace(-3, 3, 25))


def _forest() -> Any:
    ensemble = needs("fitting a surrogate", "sklearn.ensemble")
    return ensemble.RandomForestRegressor(n_estimators=500, random_state=SEED, n_jobs=1)


def _xgboost() -> Any:
    xgboost = needs("fitting a surrogate", "xgboost")
    return xgboost.XGBRegressor(
        n_estimators=300, max_depth=3, learning_rate=0.05, subsample=0.8, random_state=SEED, n_jobs=1
    )


RIVALS: dict[str, Callable[[], Any]] = {"ridge": _ridge, "forest": _forest, "xgboost": _xgboost}


# The tables


def tables_of(opened: OpenedSpace, dataset: str, recipe: str, version: str) -> dict[Table, dict[str, Any]]:
    """The columns of both tables for one recipe.

    Args:
        version: data version of the release that has the runs.
    """
    trained = trained_of(opened, dataset, recipe)
    process = fitted(trained)
    folds = np.arange(len(trained.archs)) % FOLDS
    num_runs = int(trained.num_seeds.sum())
    fitted_on = {"num_archs": len(trained.archs), "num_runs": num_runs, "version": version}
    same = {"space": opened.name, "dataset": dataset, "recipe": recipe, **fitted_on}
    known = {"arch": trained.archs, "arch_id": trained.arch_ids, "num_seeds": trained.num_seeds}
    known |= {"val_acc": trained.accuracy, "fold": folds, **unseen_of(trained, folds, process.kernel)}
    said = process.predict(opened.archs)
    members = {"arch": opened.archs, "arch_id": np.arange(len(opened.archs))}
    members |= {"mean": said.mean, "sd_mean": said.sd_mean, "sd_run": said.sd_run}
    return {"predictions": members | same, "surrogates": known | same | process.kernel._asdict()}


def as_table(kind: Table, parts: Sequence[dict[str, Any]]) -> Any:
    """The Arrow table of some recipes' columns; a single value stands for a whole column."""
    import pyarrow as pa

    schema = arrow_schema(kind)
    made = []
    for part in parts:
        num = len(part["arch"])
        columns = {}
        for field in schema:
            values = part[field.name]
            columns[field.name] = [values] * num if np.ndim(values) == 0 else values
        made.append(pa.table(columns, schema))
    return pa.concat_tables(made)


def fit(release: Release) -> dict[TableKey, Any]:
    """Both tables of every space and data set that has enough runs; prints a line for each recipe."""
    opened = Opened(release.url)
    version = release.manifest.data_version
    made: dict[TableKey, list[dict[str, Any]]] = {}
    for space, dataset, recipe in opened.runs([name for name in opened.spaces if name in CHOICES]):
        of = f"{space}, {dataset}, {recipe}"
        num_runs, num_archs = finished(opened.space(space), dataset, recipe)
        has = f"{count_of(num_runs, 'run')} of {count_of(num_archs, 'network')}"
        if num_archs < MIN_ARCHS:
            print(f"{of}: {has}, fewer than {MIN_ARCHS}: none fitted")
            continue
        parts = tables_of(opened.space(space), dataset, recipe, version)
        for kind, part in parts.items():
            made.setdefault((kind, space, dataset), []).append(part)
        print(f"{of}: fitted on {has}")
    return {key: as_table(key[0], parts) for key, parts in made.items()}


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--release", required=True, help="the release whose runs it is fitted on")
    parser.add_argument("--out", required=True, help="folder of the release to make; may be the same")
    parser.add_argument("--version", default=None, help="data version of the result; default: the next")
    given = parser.parse_args(argv)
    with locked(local_folder(given.out)):
        print(_fitted_into(given))


def _fitted_into(given: argparse.Namespace) -> str:
    """Fit as the command line says; what was made, in a line. The folder is locked."""
    finish_commit(local_folder(given.out))
    release = Release.open(given.release)
    there = release.tables()
    tables = {key: table for key, table in there.items() if key[0] not in DERIVED}
    made = fit(release)
    if not made:
        raise NothingFoundError(f"{given.release} has no recipe with runs of {MIN_ARCHS} networks")
    new_rows = 0
    for key, table in made.items():
        if key not in there or not _same(there[key], table):
            new_rows += table.num_rows
    in_place = release.folder is not None and os.path.realpath(release.folder) == os.path.realpath(given.out)
    is_plain = in_place and release.manifest.parent is None
    goes_on = given.version is not None or is_plain
    line = line_after(release, in_place=in_place, goes_on=goes_on, asked=given.version, new_rows=new_rows)
    read = release.sha256 if in_place else None
    if not new_rows:
        made = {key: table for key, table in there.items() if key[0] in DERIVED}
    manifest = commit_release(given.out, tables | made, *line, read=read)
    size = sum(file.bytes for file in manifest.files.values()) / 1e6
    return f"{given.out}: data version {line.version}, {count_of(new_rows, 'row')} derived, {size:.2f} MB"


def _same(there: Any, made: Any) -> bool:
    """Whether a table is the one that is there already, but for the data version that it was made of."""
    keys = [("recipe", "ascending"), ("arch_id", "ascending")]
    one, other = (table.drop_columns("version").sort_by(keys) for table in (there, made))
    return bool(one.cast(other.schema).equals(other))


if __name__ == "__main__":
    sys.exit(main())
