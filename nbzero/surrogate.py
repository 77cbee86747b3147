"""The surrogate: the accuracy of every network of a macro space, predicted from those that were trained.

A Gaussian process over `features`, fitted by `builders.fit_surrogate` for each space, data set and recipe
with runs of at least MIN_ARCHS networks. Over these networks features are scaled to mean 0 and sd 1: z.

    run = centre + f(z) + g + noise
    f     Gaussian process, covariance sd_smooth^2 exp(-|z - z'|^2 / (2 length_scale^2))
    g     one draw a network, sd_arch: what it has of its own
    noise one draw a run, sd_noise

`mean` is the posterior mean of centre + f + g, the mean accuracy that a network would have over many seeds.
A network's k runs enter as their mean with the noise sd_noise / sqrt(k). `sd_mean` is the posterior sd.
`sd_run` is that of one training: sd_run^2 = sd_mean^2 + sd_noise^2. Accuracies are of the val split.

Where no network has two runs, sd_arch is 0 and sd_noise has both.

A prediction is no measurement. Capital endings name an array's axes: N archs, M fitted networks, F features.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nbzero.errors import NothingFoundError, UnknownNameError, UsageError, whole
from nbzero.release.derived import why_no_surrogate
from nbzero.release.opened import Opened, OpenedSpace
from nbzero.spaces.macro import CHOICES, MAX_STAGES, NUM_HALVINGS, Arch, arch_of

if TYPE_CHECKING:  # numpy takes longer to import than a query to answer
    import numpy as np
    import numpy.typing as npt

    from nbzero.spaces.points import Points

    Floats = npt.NDArray[np.float64]
    Archs = Iterable[str | Arch] | npt.NDArray[np.integer[Any]]

NORMAL_95 = 1.959963984540054  # the 95 % interval is mean +- so many sd
FEATURES = (
    *(f"s{s}_log2_width" for s in range(1, 5)),
    *(f"s{s}_depth" for s in range(1, 5)),
    *(f"s{s}_stride" for s in range(1, 5)),
    *("stem", "log_macs", "log_params", "depth", "log_macs_per_depth"),
    *(f"halved_{level}_depth" for level in range(4)),
    *(f"halved_{level}_log2_width" for level in range(4)),
)
PROCESS_COLUMNS = ("val_acc", "num_seeds")  # of a surrogates table, beside the kernel's
UNSEEN_COLUMNS = ("unseen_mean", "unseen_sd_mean", "unseen_sd_run")
SAME = 1e-6  # squared distance of one network to itself, but for rounding; of two at least 1e-2
ROWS = 512  # archs predicted at once
DRAWS = 64  # draws made at once
SUPPORT = 1024  # networks whose smooth parts are drawn jointly, without remainder
JITTER = 1e-9  # share of a variance added to a diagonal, so that it can be factored


def features(points: Points) -> Floats:
    """(N, F) what a surrogate knows of networks: FEATURES.

    Of each stage log2(1 + width), depth and stride, 0 where there is none. The stem. The natural logs of macs
    and params, at 3x32x32 with 100 classes. The depth. log(macs / depth). Of each resolution, by how often it
    was halved, the blocks and log2(1 + width) of the widest, 0 where there are none. A fourth stage shifts
    the others; at their resolution stages compare.
    """
    import numpy as np

    macs, params = points.costs()
    depth = points.depth.sum(axis=1)
    log_macs = np.log(macs)
    totals = (points.stem, log_macs, np.log(params), depth, log_macs - np.log(depth))
    stages = (np.log2(1 + points.width), points.depth, points.stride)
    level = (points.stride == 2).cumsum(axis=1)
    blocks, widths = np.zeros((2, len(points), NUM_HALVINGS + 1))
    rows = np.arange(len(points))
    for s in range(MAX_STAGES):  # at one resolution the last stage is the widest
        at = rows, level[:, s]
        blocks[at] += points.depth[:, s]
        widths[at] = np.maximum(widths[at], points.width[:, s])
    return np.column_stack([*stages, *totals, blocks, np.log2(1 + widths)]).astype(np.float64)


def features_of(arch: Arch) -> Floats:
    """(F,) the same of one network, as `features` gives them but for rounding.

    It is written in plain numbers: numpy takes a microsecond for each of its hundred operations on arrays of
    one.
    """
    import numpy as np

    depth = arch.depth
    log_macs = math.log(arch.macs)
    blocks, widest = [0] * (NUM_HALVINGS + 1), [0] * (NUM_HALVINGS + 1)
    level = 0
    for stage in arch.stages:
        level += stage.stride == 2
        blocks[level] += stage.depth
        widest[level] = max(widest[level], stage.width)
    absent = [0] * (MAX_STAGES - len(arch.stages))
    return np.array(
        [
            *[math.log2(1 + stage.width) for stage in arch.stages],
            *absent,
            *[stage.depth for stage in arch.stages],
            *absent,
            *[stage.stride for stage in arch.stages],
            *absent,
            *(arch.stem, log_macs, math.log(arch.params), depth, log_macs - math.log(depth)),
            *blocks,
            *[math.log2(1 + width) for width in widest],
        ],
        np.float64,
    )


@dataclass(frozen=True)
class Predicted:
    """What a surrogate says of some archs, in their order.

    Attributes:
        mean: (N,) the val accuracy that a network would have on average over seeds.
        sd_mean: (N,) how uncertain this mean is.
        sd_run: (N,) sd of one training around `mean`.
    """

    mean: Floats
    sd_mean: Floats
    sd_run: Floats

    def __len__(self) -> int:
        return len(self.mean)


class Kernel(NamedTuple):
    """The numbers of a surrogate's Gaussian process, as the module says; accuracies are fractions."""

    centre: float
    sd_smooth: float
    length_scale: float
    sd_arch: float
    sd_noise: float


class Quality(NamedTuple):
    """How well networks are predicted that were left out of the fit, ten tenths in turn.

    Attributes:
        num_archs: networks.
        tau: Kendall's tau-b of predictions and seed 0's accuracies.
        rmse: of predictions and runs, every seed.
        coverage: share of the runs inside mean +- 1.96 sd_run.
    """

    num_archs: int
    tau: float
    rmse: float
    coverage: float


class Process:
    """A fitted Gaussian process: it predicts what any grid point would reach.

    Args:
        space: one of the six macro spaces.
        kernel: its numbers.
        archs: (M,) the networks that were trained.
        accuracy: (M,) mean accuracy of each.
        num_seeds: (M,) of how many runs.
    """

    def __init__(
        self, space: str, kernel: Kernel, archs: Archs, accuracy: npt.ArrayLike, num_seeds: npt.ArrayLike
    ) -> None:
        import numpy as np

        from nbzero.spaces.points import points_of

        self.space, self.kernel = space, kernel
        trained = features(points_of(space, archs))
        self._mean, self._sd = standardisation(trained)
        self._trained = self._scaled(trained)
        covariance = self._prior(self._trained, self._trained)
        self._noise = kernel.sd_noise / np.sqrt(np.asarray(num_seeds, np.float64))
        covariance[np.diag_indices_from(covariance)] += self._noise**2
        self._whiten: Floats = np.linalg.inv(np.linalg.cholesky(covariance))
        self._residual = np.asarray(accuracy, np.float64) - kernel.centre
        self._weights = self._whiten.T @ (self._whiten @ self._residual)

    def _scaled(self, raw: Floats) -> Floats:
        return (raw - self._mean) / self._sd

    def _prior(self, one: Floats, other: Floats) -> Floats:
        """(N, M) prior covariance of the mean accuracies of two lists of networks."""
        import numpy as np

        squared = _squared_distances(one, other)
        same = np.nonzero(squared < SAME)
        covariance = self._smooth(squared)
        covariance[same] += self.kernel.sd_arch**2
        return covariance

    def _smooth(self, squared: Floats) -> Floats:
        """Prior covariance of the smooth part at squared distances, in their place."""
        import numpy as np

        squared *= -0.5 / self.kernel.length_scale**2
        covariance: Floats = np.exp(squared, out=squared)
        covariance *= self.kernel.sd_smooth**2
        return covariance

    @property
    def _prior_variance(self) -> float:
        return self.kernel.sd_smooth**2 + self.kernel.sd_arch**2

    def predict(self, archs: Archs) -> Predicted:
        """What the networks would reach; see `Surrogate.predict`."""
        import numpy as np

        from nbzero.spaces.points import points_of

        points = points_of(self.space, archs)
        mean, variance = np.empty((2, len(points)))
        for start in range(0, len(points), ROWS):  # so few that all of a block stays in a core's cache
            rows = slice(start, start + ROWS)
            cross = self._prior(self._scaled(features(points.only(rows))), self._trained)
            mean[rows] = self.kernel.centre + cross @ self._weights
            white = cross @ self._whiten.T
            variance[rows] = self._prior_variance - np.einsum("nm,nm->n", white, white)
        variance = np.maximum(variance, 0.0)
        return Predicted(mean, np.sqrt(variance), np.sqrt(variance + self.kernel.sd_noise**2))

    def predict_one(self, arch: str | Arch) -> tuple[float, float, float]:
        """What one network would reach; see `Surrogate.predict_one`."""

        scaled = self._scaled(features_of(arch_of(self.space, arch)))
        squared = ((self._trained - scaled) ** 2).sum(axis=1)
        is_same = squared < SAME
        cross = self._smooth(squared)
        if is_same.any():
            cross[is_same] += self.kernel.sd_arch**2
        mean = self.kernel.centre + float(cross @ self._weights)
        white = self._whiten @ cross
        variance = max(self._prior_variance - float(white @ white), 0.0)
        return mean, math.sqrt(variance), math.sqrt(variance + self.kernel.sd_noise**2)

    def draws(self, archs: Archs, num: int, seed: int) -> Floats:
        """(num, N) draws of the posterior of the networks' mean accuracies; see `Surrogate.draws`.

        By Matheron's rule: a draw of the prior at all networks, moved by what the trained ones tell of it.
        """
        import numpy as np

        from nbzero.spaces.points import points_of

        num, seed = whole("num", num), whole("seed", seed)
        scaled = self._scaled(features(points_of(self.space, archs)))
        both = np.vstack([self._trained, scaled])
        # Rounded, because logarithms of one number may differ in their last bit.
        _, first, place = np.unique(both.round(9), axis=0, return_index=True, return_inverse=True)
        networks = both[first]
        trained, asked = np.split(place, [len(self._trained)])
        factor, rest = self._prior_factor(networks, trained)
        own = np.sqrt(self.kernel.sd_arch**2 + rest)
        moved = self._whiten.T @ (self._whiten @ self._prior(self._trained, scaled))
        rng = np.random.default_rng(seed)
        found = np.empty((num, len(scaled)))
        for start in range(0, num, DRAWS):
            prior = rng.standard_normal((DRAWS, factor.shape[1])) @ factor.T
            prior += own * rng.standard_normal(prior.shape)
            runs = prior[:, trained] + self._noise * rng.standard_normal((DRAWS, len(trained)))
            drawn = self.kernel.centre + prior[:, asked] + (self._residual - runs) @ moved
            found[start : start + DRAWS] = drawn[: num - start]
        return found

    def _prior_factor(self, networks: Floats, trained: npt.NDArray[Any]) -> tuple[Floats, Floats]:
        """(N, R) and (N,): the prior covariance of the smooth part is factor @ factor.T and a diagonal.

        Of up to SUPPORT networks the diagonal is 0. Of more it is what the trained ones and SUPPORT others
        leave open: 0.2 and 0.6 % of the posterior variance on average of all members of r1 and mb. It is
        drawn for each network alone.

        Args:
            trained: (M,) which of the networks were trained.
        """
        import numpy as np

        spread = np.linspace(0, len(networks) - 1, min(SUPPORT, len(networks))).astype(np.int64)
        support = networks[np.union1d(trained, spread)]
        variance = self.kernel.sd_smooth**2
        between = self._smooth(_squared_distances(support, support))
        between[np.diag_indices_from(between)] += JITTER * variance
        factor = self._smooth(_squared_distances(networks, support))
        factor = factor @ np.linalg.inv(np.linalg.cholesky(between)).T
        return factor, np.maximum(variance - np.einsum("nr,nr->n", factor, factor), 0.0)


def _squared_distances(one: Floats, other: Floats) -> Floats:
    squared = one @ (-2 * other.T)
    squared += (one**2).sum(axis=1)[:, None]
    squared += (other**2).sum(axis=1)
    return squared


def process_of(space: str, archs: Archs, columns: Mapping[str, npt.ArrayLike]) -> Process:
    """The process of the rows that a surrogates table has for one recipe.

    Args:
        archs: (M,) of the rows.
        columns: the kernel's numbers and PROCESS_COLUMNS, (M,) each.
    """
    import numpy as np

    kernel = Kernel(*(float(np.asarray(columns[name])[0]) for name in Kernel._fields))
    return Process(space, kernel, archs, *(columns[name] for name in PROCESS_COLUMNS))


def standardisation(raw: Floats) -> tuple[Floats, Floats]:
    """(F,) mean and (F,) sd of features over the fitted networks; 1 for one that is the same in all."""
    import numpy as np

    sd = raw.std(axis=0)
    return raw.mean(axis=0), np.where(sd > 0, sd, 1.0)


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """The fitted surrogate of a space, data set and recipe, as a release has it.

    `Bench.surrogate` and `surrogate_of` give it.

    Attributes:
        space, dataset, recipe: what it predicts.
        num_archs, num_runs: networks it was fitted on, and runs of them (every seed that finished).
        version: data version of the release that had these runs.
        archs: (M,) these networks.
        val_acc: (M,) mean accuracy of their runs.
        unseen: (M,) what is predicted of each where its tenth of the networks is left out of the fit.
        quality: of these predictions.
        process: its Gaussian process.
    """

    space: str
    dataset: str
    recipe: str
    num_archs: int
    num_runs: int
    version: str
    archs: tuple[str, ...]
    val_acc: Floats
    unseen: Predicted
    quality: Quality
    process: Process

    def __repr__(self) -> str:
        of = f"{self.space!r}, {self.dataset!r}, {self.recipe!r}"
        on = f"num_archs={self.num_archs}, num_runs={self.num_runs}, version={self.version!r}"
        return f"Surrogate({of}, {on})"

    def predict(self, archs: Archs) -> Predicted:
        """What networks would reach.

        Args:
            archs: N grid points of the space, members or not: strings or Arch, or an integer array (N, 13), a
                row of `space.encode` for each.

        Raises:
            UsageError: one string instead of a list; the first arch that is malformed, out of the grid or of
                another space.
        """
        return self.process.predict(archs)

    def predict_one(self, arch: str | Arch) -> tuple[float, float, float]:
        """mean, sd_mean and sd_run of one network, as `predict` gives them but for rounding, only sooner.

        For a search, which asks for one after the other: 0.1 ms, where `predict` takes 1 ms for its first.

        Args:
            arch: a grid point of the space, member or not.

        Raises:
            UsageError: an arch that is malformed, out of the grid or of another space.
        """
        return self.process.predict_one(arch)

    def draws(self, archs: Archs, num: int, seed: int = 0) -> Floats:
        """(num, N) draws of the networks' mean accuracies, jointly over the networks, from the posterior.

        Differences between networks are more certain than each of them is: rank within a draw. The first
        draws of more are the draws of fewer.

        Args:
            archs: as in `predict`.
            num: how many draws.
            seed: of the draws.

        Raises:
            UsageError: as `predict`; a number that is none.
        """
        return self.process.draws(archs, num, seed)


def surrogate_of(release: Opened, space: str, dataset: str, recipe: str | None = None) -> Surrogate:
    """The surrogate that a release has of a space, data set and recipe; made once for each opened release.

    Args:
        recipe: None is the only one that has runs; of several in r1 to mb-mini it is cpu-16px-4.

    Raises:
        UnknownNameError: a space, dataset or recipe that does not exist, or a recipe without runs there.
        UsageError: an imported space, whose networks are all measured; no recipe where one has to be named.
        NothingFoundError: runs of fewer than MIN_ARCHS networks, or no surrogate was fitted on them.
    """
    opened = release.space(space)
    named = _recipe_of(release, opened, dataset, recipe)
    key = ("surrogate", dataset, named)
    if key not in opened.kept:
        opened.kept[key] = _read(opened, dataset, named)
    found: Surrogate = opened.kept[key]
    return found


def _recipe_of(release: Opened, opened: OpenedSpace, dataset: str, recipe: str | None) -> str:
    """The recipe meant, of which the release has a surrogate; errors as `surrogate_of`."""
    if opened.name not in CHOICES:
        raise UsageError(str(why_no_surrogate(release, opened, dataset, recipe)))
    named = release.named("runs", opened, dataset, recipe)
    there = opened.named("runs", dataset)
    if recipe is not None and there and recipe not in there:
        lacks = f"the release has no runs of {opened.name} on {dataset} with recipe {recipe!r}"
        raise UnknownNameError(f"{lacks}; it has {', '.join(there)}")
    absent = why_no_surrogate(release, opened, dataset, recipe)
    if absent is not None:
        raise NothingFoundError(absent)
    return str(named)


def _read(opened: OpenedSpace, dataset: str, recipe: str) -> Surrogate:
    """The surrogate in a release's index."""
    import numpy as np

    table = f"surrogates/{dataset}"
    group = opened.groups(table)[recipe, 0]
    columns = {}
    for name in (*Kernel._fields, *PROCESS_COLUMNS, *UNSEEN_COLUMNS):
        numbers = opened.numbers(table, name)
        columns[name] = np.array(numbers[group.start : group.stop], np.float64)
    archs = tuple(opened.archs[arch_id] for arch_id in group.ids)
    unseen = Predicted(*(columns[name] for name in UNSEEN_COLUMNS))
    return Surrogate(
        space=opened.name,
        dataset=dataset,
        recipe=recipe,
        num_archs=opened.numbers(table, "num_archs")[group.start],
        num_runs=opened.numbers(table, "num_runs")[group.start],
        version=str(opened.text(table, "version", group.start)),
        archs=archs,
        val_acc=columns["val_acc"],
        unseen=unseen,
        quality=_quality(opened, dataset, recipe, np.array(group.ids), unseen),
        process=process_of(opened.name, archs, columns),
    )


def _quality(
    opened: OpenedSpace, dataset: str, recipe: str, arch_ids: npt.NDArray[Any], unseen: Predicted
) -> Quality:
    """How well the left-out networks were predicted, by all runs that the release has of them."""
    import numpy as np

    from nbzero.metrics.correlations import kendall_tau

    runs = []
    for seed in opened.seeds("runs", dataset, recipe):
        runs.append(runs_of(opened, dataset, recipe, seed)[arch_ids])
    errors = np.array(runs) - unseen.mean
    there = ~np.isnan(errors)
    inside = np.abs(errors) <= NORMAL_95 * unseen.sd_run
    first = ~np.isnan(runs[0])
    return Quality(
        num_archs=len(arch_ids),
        tau=kendall_tau(unseen.mean[first], runs[0][first]),
        rmse=float(np.sqrt(np.mean(errors[there] ** 2))),
        coverage=float(inside[there].mean()),
    )


def runs_of(opened: OpenedSpace, dataset: str, recipe: str, seed: int) -> Floats:
    """(members,) val accuracies of the runs with a seed, NaN where there is none or it diverged."""
    import numpy as np

    found = np.full(len(opened.archs), np.nan)
    group = opened.groups(f"runs/{dataset}")[recipe, seed]
    found[np.asarray(group.ids)] = opened.numbers(f"runs/{dataset}", "val_acc")[group.start : group.stop]
    return found


def predicted_column(opened: OpenedSpace, dataset: str, recipe: str, name: str = "mean") -> Floats:
    """(members,) a column of the predictions of every member, as the release has it.

    Args:
        name: "mean", the predicted accuracy; "sd_mean" or "sd_run", how uncertain it is.
    """
    import numpy as np

    group = opened.groups(f"predictions/{dataset}")[recipe, 0]
    return np.array(opened.numbers(f"predictions/{dataset}", name)[group.start : group.stop])
