"""Bias: what the archs look like that a proxy likes best, against all archs and the truly best ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nbzero.errors import UsageError, count_of
from nbzero.frame import Frame
from nbzero.judge.designs import (
    Floats,
    chosen_targets,
    first_arch_said,
    input_table,
    repeated_inputs,
    sizes_said,
)
from nbzero.judge.pool import ACCURACY, Pool, Sample, as_sample
from nbzero.spaces.published import doubt_notes, doubtful_in

Row = dict[str, Any]

AGAINST_POOL = (
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
AGAINST_BEST = ("best_mean", "best_difference", "best_difference_se")


def bias(
    source: Sample | Pool, targets: Iterable[str] | None = None, *, top: float = 0.05, min_top: int = 10
) -> Frame:
    """What the archs look like that each proxy likes best, against all archs and against the truly best ones.

    A row is a target and a property x of an arch:

        macro spaces    stem, stage widths (s1_out ..), depths and strides, number of stages.
        imported ones   each category of a choice ("edge_01 = skip_connect"). x is 1 for archs that have it
                        and 0 for others, so a mean is a share.
        all             macs, params, depth.

    The liked archs are the first max(min_top, ceil(top * N)) of the N that have the target. Archs tied at
    that limit share the places left over, as weights w in (0, 1], so the order of the archs does not matter.
    A fourth stage's properties are of the archs that have one.

        num_archs      N.
        num_absent     Archs without a score, which are in neither group. -inf is a score.
        num_top        Places.
        num_tied       Archs that share the last of them, 0 where none have to.
        mean, mean_se  m = sum w x / sum w of the liked archs, and its standard error.
        q25, median, q75   The smallest value that this share of the weight does not exceed.
        pool_mean, pool_median   Of all N.
        difference     (mean - pool_mean) / standard deviation of x over the N archs; NaN where that is 0.
        difference_se  Its standard error.
        num_both       Archs that have the target and an accuracy. The next three are of these, with the liked
                       ones chosen anew among them.
        best_mean      Of the archs of highest accuracy, as many.
        best_difference    (mean of the liked - best_mean) / standard deviation: above 0 where the proxy likes
                       more of it than is best.
        best_difference_se Its standard error.
        reason         Why there are no numbers, or none against the best; None where there are.

    Standard errors are linearised, for given limits: sqrt(sum (u_i - v_i)^2). Here u_i = w_i (x_i - m) /
    sum w is of one group, scaled by sqrt(n / (n - 1)) with n = (sum w)^2 / sum w^2. v_i is the same of the
    other group, or 0 for one group alone. So an arch in both counts once.

    Args:
        source: `sample_of(...)` for every arch that has a score, or a Pool.
        targets: proxies, "accuracy", costs; None is all that the source has.
        top: share of the archs, above 0 and at most 0.5.
        min_top: at least so many archs. A target that fewer than 2 min_top archs have gets a reason and no
            numbers.

    Raises:
        UnknownNameError: a target that the source has not.
        UsageError: no archs or targets, another top or min_top.
    """
    if isinstance(top, (bool, str)) or not hasattr(top, "__float__") or not 0 < top <= 0.5:
        raise UsageError(f"top is {top!r}; it is a share of the archs above 0 and at most 0.5")
    if isinstance(min_top, bool) or not hasattr(min_top, "__index__") or min_top < 2:
        raise UsageError(f"min_top is {min_top!r}; it is a number of archs, at least 2")
    sample = as_sample(source)
    chosen = chosen_targets(sample, targets)

    properties = _properties(sample)
    nowhere = np.full(len(sample), np.nan)
    accuracy = np.asarray(sample.targets.get(ACCURACY, nowhere), np.float64)
    rows: list[Row] = []
    sizes, unjudged = [], []
    for name, values in chosen.items():
        there = ~np.isnan(values)
        both = there & ~np.isnan(accuracy)
        num_archs, num_both = int(there.sum()), int(both.sum())
        reason = _too_few(sample, name, num_archs, num_both, min_top)
        liked = _first(values[there], top, min_top)
        liked_of_both = _first(values[both], top, min_top)
        best = _first(accuracy[both], top, min_top)
        counts = {"num_archs": num_archs, "num_absent": len(sample) - num_archs, "num_top": 0, "num_tied": 0}
        if liked is not None:
            counts["num_top"] = _num_places(num_archs, top, min_top)
            counts["num_tied"] = int(((liked > 0) & (liked < 1)).sum())
        for label, x in properties.items():
            row = {"target": name, "property": label, **counts, "num_both": num_both}
            row |= _against_pool(x[there], liked)
            row |= _against_best(x[both], liked_of_both, best)
            rows.append(row | {"reason": reason})
        sizes.append(num_archs)
        if reason:
            unjudged.append(f"{name} ({reason})")
    title = f"liked archs of {count_of(len(chosen), 'target')}: {sample.name}"
    notes = [f"{sizes_said(sizes)}; the top {top:.3g} of them, at least {min_top}"]
    if unjudged:
        notes.append(f"Without all numbers: {', '.join(unjudged)}")
    notes += doubt_notes(sample.space, chosen, sample.dataset)
    doubtful = doubtful_in(sample.space, chosen, sample.dataset)
    return Frame.of(rows, title, notes, texts=("reason",)).marking(doubtful)


def _too_few(sample: Sample, name: str, num_archs: int, num_both: int, min_top: int) -> str | None:
    """Why a target is not judged, or not against the best; None where it is."""
    needed = 2 * min_top
    if num_archs < needed:
        said = f"{count_of(num_archs, 'arch')} with a score, a top of {min_top} needs {needed}"
        return said + first_arch_said(sample, name)
    if num_both < needed:
        return f"{count_of(num_both, 'arch')} with an accuracy too, a best {min_top} needs {needed}"
    return None


def _properties(sample: Sample) -> dict[str, Floats]:
    """Property -> (N,) values, NaN for an arch that lacks the stage or module that it is of."""
    repeated = repeated_inputs(tuple(sample.features), input_table(sample))
    kept: dict[str, Floats] = {}
    for name, values in sample.features.items():
        column = np.asarray(values, np.float64)
        if name in sample.categories:
            kept |= _shares(name, column, sample.categories[name])
        elif name not in repeated:
            kept[name] = column
    widths = [name for name in kept if re.fullmatch(r"s\d+_out", name)]
    if widths:
        kept["num_stages"] = np.sum([~np.isnan(kept[name]) for name in widths], axis=0).astype(np.float64)
    for name, values in sample.costs.items():
        kept[name] = np.asarray(values, np.float64)
    return kept


def _shares(name: str, column: Floats, options: Iterable[str]) -> dict[str, Floats]:
    """For each category that some arch has: 1 where an arch has it, else 0; NaN where there is none."""
    absent = np.isnan(column)
    shares: dict[str, Floats] = {}
    for number, option in enumerate(options):
        has = column == number
        if has.any():
            shares[f"{name} = {option}"] = np.where(absent, np.nan, has)
    return shares


def _num_places(num_archs: int, top: float, min_top: int) -> int:
    share = round(top * num_archs, 9)  # 0.07 * 100 is 7.000000000000001
    return max(min_top, math.ceil(share))


def _first(values: Floats, top: float, min_top: int) -> Floats | None:
    """(N,) weights of the first archs; None where there are too few archs.

    1 for the archs above the limit, equal shares of the places left for those on it, 0 below.
    """
    num = len(values)
    if num < 2 * min_top:
        return None
    places = _num_places(num, top, min_top)
    limit = np.partition(values, num - places)[num - places]
    above, tied = values > limit, values == limit
    weights: Floats = above + tied * ((places - above.sum()) / tied.sum())
    return weights


def _against_pool(x: Floats, liked: Floats | None) -> Mapping[str, float]:
    """The columns `AGAINST_POOL`, of the archs that have x."""
    none = dict.fromkeys(AGAINST_POOL, math.nan)
    if liked is None:
        return none
    there = ~np.isnan(x)
    x, liked = x[there], liked[there]
    if not liked.any():
        return none
    everyone = np.ones(len(x))
    mean, share = _mean(x, liked)
    pool_mean, pool_share = _mean(x, everyone)
    deviation = float(x.std()) or math.nan
    return {
        "mean": mean,
        "mean_se": _norm(share),
        "q25": _quantile(x, liked, 0.25),
        "median": _quantile(x, liked, 0.5),
        "q75": _quantile(x, liked, 0.75),
        "pool_mean": pool_mean,
        "pool_median": _quantile(x, everyone, 0.5),
        "difference": (mean - pool_mean) / deviation,
        "difference_se": _norm(share - pool_share) / deviation,
    }


def _against_best(x: Floats, liked: Floats | None, best: Floats | None) -> Mapping[str, float]:
    """The columns `AGAINST_BEST`, of the archs that have x."""
    there = ~np.isnan(x)
    if liked is None or best is None or not there.any():
        return dict.fromkeys(AGAINST_BEST, math.nan)
    x = x[there]
    mean, share = _mean(x, liked[there])
    best_mean, best_share = _mean(x, best[there])
    deviation = float(x.std()) or math.nan
    return {
        "best_mean": best_mean,
        "best_difference": (mean - best_mean) / deviation,
        "best_difference_se": _norm(share - best_share) / deviation,
    }


def _mean(x: Floats, weight: Floats) -> tuple[float, Floats]:
    """The weighted mean, and each arch's share in its error."""
    total = weight.sum()
    if not total:
        return math.nan, np.full(len(x), np.nan)
    mean = float(weight @ x / total)
    size = float(total**2 / (weight @ weight))
    scale = math.nan
    if size > 1 + 1e-9:
        scale = math.sqrt(size / (size - 1))
    return mean, weight * (x - mean) / total * scale


def _norm(shares: Floats) -> float:
    return math.sqrt(float(shares @ shares))


def _quantile(x: Floats, weight: Floats, q: float) -> float:
    order = np.argsort(x, kind="stable")
    reached = np.cumsum(weight[order])
    return float(x[order][np.searchsorted(reached, q * reached[-1] * (1 - 1e-12))])
