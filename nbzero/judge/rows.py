"""The rows of every table of judgements, what is said of them, and how their intervals are made.

Beside the P proxies stand the costs, as proxies by which larger networks are better; `random`, the
expectation of a pick or an order at random; `oracle`, the accuracy itself; and, where archs were trained with
two seeds, `another seed`, the noise ceiling.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero import metrics
from nbzero.errors import count_of
from nbzero.judge.pool import Floats, Pool
from nbzero.spaces.published import doubt_notes, doubtful_in

RANDOM, ORACLE, CEILING = "random", "oracle", "another seed"
NO_INTERVAL = metrics.Interval(math.nan, math.nan)


class Entries:
    """The rows: proxies, costs, proxies without any score, then the oracle and the random pick.

    Attributes:
        names, scores: (P,) and (P, N).
        num_proxies: how many come before the oracle.
        missing: (P,) archs without a score.
        unscored: (P,) whether no arch has one.
        doubtful: names of those whose scores are not to be trusted here.
        notes: on what is missing or doubtful.
    """

    def __init__(self, pool: Pool, omit: bool = False) -> None:
        rows = pool.scores_and_costs
        for name in pool.unscored:
            rows.setdefault(name, np.full(len(pool), math.nan))
        self.num_proxies = len(rows)
        rows |= {ORACLE: pool.accuracy, RANDOM: np.zeros(len(pool))}
        self.names = list(rows)
        self.scores: Floats = np.array(list(rows.values()))
        self.missing: list[int] = np.isnan(self.scores).sum(axis=1).tolist()
        self.unscored = np.array(self.missing) == len(pool)
        self.doubtful = doubtful_in(pool.space, self.names, pool.dataset)
        self._accuracy = pool.accuracy
        of_proxies = dict(zip(self.names[: self.num_proxies], self.scores, strict=False))
        self.notes = score_notes(pool, of_proxies, omit)

    @cached_property
    def codes(self) -> npt.NDArray[Any]:
        """(P, N) `metrics.codes` of each row, sorted once for all rank metrics.

        The last but one are the accuracy's.
        """
        return metrics.small_codes(self.scores)

    @property
    def comparable(self) -> npt.NDArray[Any]:
        """(P, N) the scores, or their codes where these were made already.

        Both pick alike, and codes are read faster.
        """
        codes: npt.NDArray[Any] = self.__dict__.get("codes", self.scores)
        return codes

    @cached_property
    def accuracy_codes(self) -> npt.NDArray[np.int64]:
        """(N,) `metrics.codes` of the accuracies."""
        return metrics.codes(self._accuracy)


def score_notes(pool: Pool, rows: dict[str, Floats], omit: bool = False) -> list[str]:
    """On scores that are missing, infinite, constant, equal but for rounding or doubtful.

    Args:
        rows: of the proxies and costs.
    """
    num = len(pool)
    absent, endless, constant, rounding = [], [], [], []
    for name, scores in rows.items():
        missing, infinite = int(np.isnan(scores).sum()), int(np.isinf(scores).sum())
        if 0 < missing < num:
            absent.append(f"{name} {missing}")
        if infinite:
            endless.append(f"{name} {infinite}")
        if num > 1 and (scores == scores[0]).all():
            constant.append(name)
        if metrics.is_rounding(scores):
            rounding.append(name)
    left_out = "left out of Pearson's correlation"
    same = "The same score for every arch, so that it picks at random and its correlations are null"
    equal = "Equal but for rounding, so that what ranks them means nothing: the scores of"
    notes = []
    if absent:
        treated = "left out of the row" if omit else f"ranked last, and {left_out}"
        notes.append(f"Archs without a score, {treated}: {', '.join(absent)} of {num}.")
    if endless:
        notes.append(f"Infinite scores, ranked first or last, and {left_out}: {', '.join(endless)} of {num}.")
    if constant:
        notes.append(f"{same}: {', '.join(constant)}.")
    if rounding:
        notes.append(f"{equal} {', '.join(rounding)}.")
    notes += doubt_notes(pool.space, rows, pool.dataset)
    if not pool.scores and not pool.unscored:
        notes.append(f"No arch has a score of any proxy: only costs are listed ({pool.name}).")
    return notes + unscored_notes(pool, pool.without_scores)


def unscored_notes(pool: Pool, names: Iterable[str]) -> list[str]:
    """On proxies that no arch of a pool has a score of."""
    archs = count_of(len(pool), "arch has", "archs have")
    return [f"0 of {archs} a score of {pool.why_unscored(name)}: its values are null." for name in names]


def ceiling_notes(pool: Pool) -> list[str]:
    """On the row `another seed`, where there is one; where accuracies are predicted, on what these are."""
    if pool.surrogate is not None:
        return predicted_notes(pool)
    if pool.accuracies is None:
        return []
    archs = f"the {pool.num_shared} of {len(pool)} archs that two seeds share"
    return [f"{CEILING}: one seed's accuracy as a proxy for another's, on {archs}."]


def predicted_notes(pool: Pool) -> list[str]:
    """What predicted accuracies are, and how good; nothing where they are measured."""
    surrogate = pool.surrogate
    if surrogate is None:
        return []
    quality = surrogate.quality
    on = f"{count_of(surrogate.num_runs, 'run')} of {count_of(surrogate.num_archs, 'network')}"
    return [
        f"Accuracies are predicted, from {on} (data {surrogate.version}), and no measurements.",
        f"Networks that were left out of the fit are predicted with Kendall's tau {quality.tau:.2f} and rmse "
        f"{quality.rmse:.4f} to their runs.",
        f"A prediction has no seed, so there is no row '{CEILING}'. '{ORACLE}' picks by the predicted "
        "accuracy: its interval says what the uncertainty of predictions costs.",
    ]


class Bootstrap(NamedTuple):
    """How intervals are made: `metrics.bootstrap`'s options.

    Measured archs are drawn again. Predicted accuracies are drawn from the posterior of the surrogate, the
    archs stay.
    """

    resamples: int
    seed: int
    level: float
    is_predicted: bool = False

    def of(self, judge: Callable[..., float], scores: npt.ArrayLike, pool: Pool) -> metrics.Interval:
        """The interval of a metric of scores and accuracies."""
        if self.is_predicted:
            values = metrics.redrawn(judge, scores, pool.draws(self.resamples, self.seed))
            return metrics.interval(values, self.level)
        return metrics.bootstrap(
            judge, scores, pool.accuracy, resamples=self.resamples, seed=self.seed, level=self.level
        )

    @property
    def of_what(self) -> str:
        """What was drawn how often, in words."""
        if self.is_predicted:
            return f"{count_of(self.resamples, 'draw')} of the accuracies"
        return f"{count_of(self.resamples, 'resample')} of the archs"

    def intervals(self, values: Floats | None, num: int) -> list[metrics.Interval]:
        """One for each of the first rows' values (R, P), and none for the rest of `num`."""
        found = [] if values is None else [metrics.interval(column, self.level) for column in values.T]
        return found + [NO_INTERVAL] * (num - len(found))

    @property
    def note(self) -> str:
        """How they were made, in words."""
        if self.is_predicted:
            return (
                f"{self.level:.0%} intervals: {count_of(self.resamples, 'draw')} of the accuracies from the "
                f"posterior of the surrogate (seed {self.seed}), percentiles; the archs stay. A draw is less "
                "smooth than the prediction, so intervals are not centred on the value and need not hold it."
            )
        resamples = count_of(self.resamples, "resample")
        return (
            f"{self.level:.0%} intervals: {resamples} of the archs (seed {self.seed}), percentiles. A "
            f"resample "
            "often lacks the very arch that a proxy picks, so those of picks and mBR are not centred on the "
            "value and need not hold it; whether one proxy beats another: mbr_lead."
        )


def bootstrap_of(pool: Pool, resamples: int, seed: int, level: float) -> Bootstrap | None:
    """How the intervals of a pool are made; None for 0 resamples.

    Raises:
        UsageError: no number of resamples, another seed or level.
    """
    metrics.check_bootstrap(resamples, level, seed, least=0)
    if not resamples:
        return None
    return Bootstrap(resamples, seed, level, pool.surrogate is not None)


def bootstrap_notes(bootstrap: Bootstrap | None) -> list[str]:
    return [] if bootstrap is None else [bootstrap.note]


def low_high(name: str, intervals: Sequence[metrics.Interval]) -> dict[str, list[float]]:
    """The columns of a metric's intervals."""
    return {f"{name}_low": [one.low for one in intervals], f"{name}_high": [one.high for one in intervals]}
