"""Transfer: does a ranking that holds in one pool hold in another?

Two rankings are compared: of the proxies by a metric, and of the archs by their accuracy. Pools differ in
data set, recipe (fidelity), space or split. They may come from several releases: imported benchmarks beside
ours. Each pool judges the proxies that it has, costs included, by one metric of `nbzero.metrics`. For each
pair of pools the two rankings of the proxies that both have are compared.

Capital letters name sizes: N archs of a pool, K proxies, R resamples, S seeds.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, check_known, count_of, unknown_name, whole
from nbzero.frame import Frame
from nbzero.judge.hybrids import doubtful_on
from nbzero.judge.pool import PREDICTED, Pool
from nbzero.judge.rows import unscored_notes
from nbzero.metrics.arrays import codes, ranks, small_codes
from nbzero.metrics.bootstrap import check_bootstrap, interval, noise_ceiling
from nbzero.metrics.correlations import kendall_tau, pearson, spearman_rho
from nbzero.metrics.picks import NORMALISATIONS, budget_limits, mean_rank, picks, within
from nbzero.spaces.published import doubt_notes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Row = dict[str, Any]

CORRELATIONS: dict[str, Callable[..., float]] = {
    "kendall": kendall_tau,
    "spearman": spearman_rho,
    "pearson": pearson,
}
MBR = {"mbr": "quantile", "even_mbr": "even"}  # metric -> the spacing of its limits
METRICS = (*CORRELATIONS, *(f"abs_{name}" for name in CORRELATIONS), *MBR)
# Metrics that differ by less are equal to a ranking of proxies. Sums in another order differ by some 1e-16.
DECIMALS = 12
# Rankings of fewer proxies agree or disagree by chance: three agree fully in 1 of 6 random orders.
FEW = 4
KEY = ("space", "dataset", "recipe", "split", "seed")


@dataclass(frozen=True)
class Transfer:
    """What carries over between pools.

    Attributes:
        metric: by which the proxies are ranked.
        pools: a row per pool.
            pool               Its number, from 1, by which the other frames name it.
            space, dataset, recipe, protocol, split, seed
            target             What its accuracy is.
            num_archs          N.
            num_proxies        Proxies that it ranks.
            reason             Why the metric is undefined for all; else null.
        pairs: a row per pair of pools.
            a, b               Their numbers.
            pool_a, pool_b     Their names.
            across             What differs of space, dataset, recipe, split, seed and, where both have
                               scores, protocol.
            shares             "same pool".
                               "same runs": accuracies of the same trained networks. The split or the scores
                               are other ones, or one pool is a mean over seeds that holds those of the other
                               (seed "mean", or an imported recipe that ends in -mean).
                               "same archs": trained otherwise or on other data.
                               "same space", "other space".
            shared_archs       Archs in both.
            shared_proxies     Proxies with a value in both.
            kendall, spearman  Tau-b and rho of the two rankings. With resamples also kendall_low,
                               kendall_high and so on.
            best_a, best_b     The best of the shared proxies. Tied ones are joined by " = ".
            best_a_rank_in_b, best_b_rank_in_a  1 is best of the shared; the mean over tied ones.
            meaningful         False with fewer than 4 shared proxies.
            reason             Why a value is null or not meaningful.
        proxies: a row per proxy. Ranks count from 1 among all proxies of the pool, and ties share their mean.
            value_1, rank_1, missing_1  In the first pool, and so on for each. missing: archs without a score.
            mean_rank, worst_rank       Over the pools that rank it.
            mean_place, worst_place     The same of (rank - 1) / (proxies ranked there - 1): 0 is best, 1 is
                               last. So pools with more proxies compare.
            num_pools          Pools that rank it.
        accuracy: a row per pair of pools of one space.
            a, b, pool_a, pool_b, across, shared_archs
            kendall, spearman  Between the accuracies of the shared archs. With resamples also _low, _high.
            ceiling_a, ceiling_b  Kendall of one seed's accuracy with another's (`Pool.accuracies`), on the
                               shared archs that two seeds have. It is of single seeds also where the pool has
                               their means, which can agree better. Null where no arch has two.
            ceiling_archs_a, ceiling_archs_b  How many archs these are.
            reason             Why a value is null.
        notes: what the reader must know of them all.
    """

    metric: str
    pools: Frame
    pairs: Frame
    proxies: Frame
    accuracy: Frame
    notes: tuple[str, ...]

    def between(self, a: int, b: int) -> Row:
        """The row of one pair, by the numbers of its pools in any order.

        Raises:
            UsageError: no such pair.
        """
        for row in self.pairs:
            if {row["a"], row["b"]} == {a, b}:
                return row
        raise UsageError(
            f"no pair {a!r}, {b!r}; the pools have the numbers 1 to {len(self.pools)}, "
            "and a pair is two of them"
        )

    def __repr__(self) -> str:
        agreement = [name for name in self.pairs.columns if name.startswith(("kendall", "spearman"))]
        before = ("a", "b", "across", "shares", "shared_proxies")
        after = ("best_a", "best_b", "meaningful")
        pools = _part(self.pools, ["pool", *KEY, "num_archs", "num_proxies"])
        pairs = _part(self.pairs, [*before, *agreement, *after])
        return "\n".join([repr(pools), repr(pairs), *self.notes])


def _part(frame: Frame, columns: Sequence[str]) -> Frame:
    """Some columns of a frame under its title, without its notes."""
    return Frame({name: frame[name] for name in columns}, frame.title, doubtful=frame.doubtful)


def transfer(
    pools: Iterable[Pool],
    metric: str = "kendall",
    *,
    proxies: Iterable[str] | None = None,
    costs: str | Iterable[str] = "macs",
    budgets: int = 5,
    normalise: str = "total",
    resamples: int = 0,
    bootstrap_seed: int = 0,
    level: float = 0.95,
) -> Transfer:
    """Whether each pool ranks the proxies, and the archs, as the others do.

    A proxy that no arch of a pool has a score of has nulls there, and a note, as `nbzero.constrained` says.

    Args:
        pools: two or more (`Bench.pool`, `Bench.pools`), of any releases.
        metric: what ranks the proxies.
            "kendall", "spearman", "pearson"   Of score and accuracy; higher is better.
            "abs_kendall" and so on            Their magnitudes.
            "mbr", "even_mbr"                  mBR of quantile limits, or of the paper's even ones; lower is
                                               better.
        proxies: proxies or costs to rank; None is every one that a pool has, and its costs.
        costs, budgets, normalise: of mBR; of several costs, the mean. A pool without one of them has no mBR.
        resamples: of percentile intervals; 0 makes none.
            An arch comes Poisson(1) times into a resample, the same number in every pool of its space. So
            pools that share archs are drawn together. Resample r of a space draws
            numpy.random.default_rng([bootstrap_seed, zlib.crc32(space), r]).poisson(1.0, ..), an entry per
            arch_id.
            The proxies are taken as given. Resamples on which a metric is undefined are left out.
            Resampling adds noise to both rankings. So an interval of their agreement lies low, and may end
            just above the value.
        bootstrap_seed, level: of these intervals.

    Raises:
        UnknownNameError: a metric, a proxy or a cost that no pool has.
        UsageError: fewer than two pools, raw signs in some and oriented ones in others, other options.
    """
    listed = _checked(pools)
    predicted = [pool.name for pool in listed if pool.surrogate is not None]
    if resamples and predicted:
        said = f"its intervals are of archs drawn again, which say nothing of predicted ones: {predicted[0]}"
        raise UsageError(f"resamples {resamples} with predicted accuracies; {said}; leave resamples out")
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    whole("bootstrap_seed", bootstrap_seed)
    check_bootstrap(resamples, level, bootstrap_seed, least=0)
    if isinstance(budgets, bool) or not hasattr(budgets, "__index__") or budgets < 1:
        raise UsageError(
            f"budgets {budgets!r}; pools have their own costs, so it is a number of limits from 1"
        )
    if normalise not in NORMALISATIONS:
        raise UsageError(f"normalise {normalise!r}; it is one of {', '.join(NORMALISATIONS)}")
    names = _proxy_names(listed, proxies)
    by = _Metric(metric, _cost_names(listed, metric, costs), int(budgets), normalise)

    judges = [_Judge(pool, names, by, resamples, bootstrap_seed) for pool in listed]
    return Transfer(
        metric,
        pools=_pools_frame(judges),
        pairs=_pairs_frame(judges, level),
        proxies=_proxies_frame(judges),
        accuracy=_accuracy_frame(judges, level),
        notes=(*_notes(listed, by, resamples, level), *_pool_notes(judges)),
    )


# Options


def _checked(pools: Iterable[Pool]) -> list[Pool]:
    listed: list[Any] = [pools] if isinstance(pools, Pool) else list(pools)
    strange = {type(one).__name__ for one in listed if not isinstance(one, Pool)}
    if strange:
        raise UsageError(
            f"pools hold {', '.join(sorted(strange))}; each is a Pool, as b.pool and b.pools make them"
        )
    if len(listed) < 2:
        raise UsageError(
            f"{len(listed)} pools; transfer is between two or more: b.pools(), or b.pool(..) for each"
        )
    if len({pool.oriented for pool in listed}) > 1:
        raise UsageError(
            "some pools have raw signs and others oriented ones; make all with the same `orient`"
        )
    return listed


def _listed(names: str | Iterable[str]) -> list[str]:
    if isinstance(names, str):
        return [names]
    return list(dict.fromkeys(names))


def _proxy_names(pools: list[Pool], proxies: Iterable[str] | None) -> list[str]:
    known: dict[str, None] = {}
    for pool in pools:
        known |= dict.fromkeys([*pool.scores_and_costs, *pool.unscored])
    if proxies is None:
        proxies = known
    names = _listed(proxies)
    check_known("proxy in these pools", names, known)
    if not names:
        raise UsageError("no proxies; name one or more, or None for all that the pools have")
    return names


def _cost_names(pools: list[Pool], metric: str, costs: str | Iterable[str]) -> list[str]:
    names = _listed(costs)
    known: set[str] = set()
    for pool in pools:
        known |= {**pool.costs, **pool.latency_costs}.keys()
    if metric in MBR:
        check_known("cost in these pools", names, known)
    if not names:
        raise UsageError("no costs; name one or more of macs, params, depth")
    return names


# Judging proxies


@dataclass(frozen=True)
class _Metric:
    """One of `METRICS`, with the costs and limits of mBR."""

    name: str
    costs: Sequence[str]
    budgets: int
    normalise: str

    @property
    def is_mbr(self) -> bool:
        return self.name in MBR

    @property
    def said(self) -> str:
        if not self.is_mbr:
            return self.name
        return f"{self.name} by {', '.join(self.costs)}, {count_of(self.budgets, 'limit')}"


class _Judge:
    """One pool's judgement of proxies by a metric.

    Attributes:
        pool: which judges.
        names: the K proxies.
        by: the metric.
        missing: (K,) archs without a score; NaN where the pool does not have the proxy.
        unscored: of the K, those that no arch has a score of.
        reason: why the metric is undefined for all; "" where it is not.
        values: (K,) the metric; NaN where it is undefined.
        keys: (K,) the values rounded, so that the lowest is the best.
        ranked: (K,) their ranks from 1; NaN where a value is.
        copies: for each resample (N,) how often each arch is in it.
        drawn: (R, K) the values on the resamples, rounded.
    """

    def __init__(
        self, pool: Pool, names: Sequence[str], by: _Metric, resamples: int, bootstrap_seed: int
    ) -> None:
        self.pool, self.names, self.by = pool, names, by
        stored = pool.scores_and_costs
        self.unscored = [name for name in names if name in pool.without_scores]
        self.missing = np.full(len(names), np.nan)
        self._rows: list[int] = []
        for k, name in enumerate(names):
            if name in self.unscored:
                self.missing[k] = len(pool)
            elif name in stored:
                self.missing[k] = np.isnan(stored[name]).sum()
                self._rows.append(k)
        self.reason = self._why_undefined()
        self._scores = self._fast([stored[names[k]] for k in self._rows])

        archs = np.arange(len(pool))
        self.values = self._judged(archs)
        self.keys = np.round(self.values, DECIMALS)
        if not by.is_mbr:
            self.keys = -self.keys
        self.ranked = _ranks(self.keys)
        self.copies = _copies(pool, resamples, bootstrap_seed)
        self.drawn = np.empty((resamples, len(names)))
        for r, times in enumerate(self.copies):
            self.drawn[r] = np.round(self._judged(np.repeat(archs, times)), DECIMALS)

    def _fast(self, scores: list[Floats]) -> Any:
        """The scores as the metric reads them fastest.

        Codes order as the scores do, NaN lowest, and are faster to sort. Pearson needs the numbers.
        """
        if not scores or self.by.name.endswith("pearson"):
            return scores
        if self.by.is_mbr:
            return small_codes(np.array(scores))
        return [codes(values) for values in scores]

    def _why_undefined(self) -> str:
        there = {**self.pool.latency_costs, **self.pool.costs}
        lacking = [name for name in self.by.costs if name not in there]
        if self.by.is_mbr and lacking:
            return f"{self.pool.space} has no {', '.join(lacking)}"
        partly = [name for name in self.by.costs if name in there and np.isnan(there[name]).any()]
        if self.by.is_mbr and partly:
            return f"some archs of {self.pool.space} have no {', '.join(partly)}"
        if not self._rows:
            return "none of the proxies has a score there"
        return ""

    def _judged(self, rows: Ints) -> Floats:
        """(K,) the metric of each proxy on some rows of the pool; NaN where it is undefined."""
        found = np.full(len(self.names), np.nan)
        if self.reason or not len(rows):
            return found
        if self.by.is_mbr:
            found[self._rows] = self._mbr(rows)
            return found
        judge = CORRELATIONS[self.by.name.removeprefix("abs_")]
        accuracy = self.pool.accuracy[rows]
        found[self._rows] = [judge(values[rows], accuracy) for values in self._scores]
        if self.by.name.startswith("abs_"):
            found = np.abs(found)
        return found

    def _mbr(self, rows: Ints) -> Floats:
        """mBR of the proxies that have scores, the mean over the costs."""
        table, accuracy = self._scores[:, rows], self.pool.accuracy[rows]
        of_costs = []
        for name in self.by.costs:
            cost = self.pool.cost(name)[rows]
            limits = budget_limits(cost, self.by.budgets, MBR[self.by.name])
            found = picks(table, accuracy, *within(cost, limits))
            of_costs.append(mean_rank(found, len(rows), self.by.normalise))
        return np.asarray(np.mean(of_costs, axis=0), np.float64)


def _copies(pool: Pool, resamples: int, bootstrap_seed: int) -> list[Ints]:
    """For each resample how often each arch of the pool is in it.

    Poisson(1), fixed by the seed, space, resample and arch_id alone.
    """
    space = zlib.crc32(pool.space.encode())
    longest = int(pool.arch_ids.max()) + 1
    copies = []
    for r in range(resamples):
        rng = np.random.default_rng([bootstrap_seed, space, r])
        copies.append(rng.poisson(1.0, longest)[pool.arch_ids])
    return copies


def _ranks(values: Floats) -> Floats:
    """Ranks from 1 for the lowest, ties their mean rank; NaN stays NaN."""
    ranked, there = np.full(len(values), np.nan), ~np.isnan(values)
    if there.any():
        ranked[there] = ranks(values[there])
    return ranked


def agreement(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """How well the rows of two (R, K) arrays rank K things alike.

    Returns:
        (R,) Kendall's tau-b and (R,) Spearman's rho; NaN where a row holds a NaN or is constant.
    """
    signs_a, signs_b = _signs(a), _signs(b)
    kendall = _cosine(signs_a.reshape(len(a), -1), signs_b.reshape(len(b), -1))
    # The sum over the others is twice a rank, less its mean.
    spearman = _cosine(signs_a.sum(2), signs_b.sum(2))
    return kendall, spearman


def _signs(values: Floats) -> Floats:
    """(R, K, K) the signs of all differences of (R, K) values."""
    return np.asarray(np.sign(values[:, :, None] - values[:, None, :]), np.float64)


def _cosine(a: Floats, b: Floats) -> Floats:
    """(R,) of the rows; NaN where one is zero."""
    scale = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    with np.errstate(invalid="ignore"):
        cosine: Floats = (a * b).sum(1) / np.where(scale > 0, scale, np.nan)
    return cosine


# Tables


def _pools_frame(judges: list[_Judge]) -> Frame:
    rows = []
    for number, judge in enumerate(judges, 1):
        pool = judge.pool
        row = {
            "pool": number,
            "space": pool.space,
            "dataset": pool.dataset,
            "recipe": pool.recipe,
            "protocol": pool.protocol,
            "split": pool.split,
            "seed": str(pool.seed),
            "target": pool.metric,
            "num_archs": len(pool),
            "num_proxies": _num_there(judge.values),
            "reason": judge.reason or None,
        }
        rows.append(row)
    return Frame.of(rows, "Pools")


def _num_there(values: Floats) -> int:
    return int((~np.isnan(values)).sum())


def _pairs_frame(judges: list[_Judge], level: float) -> Frame:
    rows = []
    for (a, one), (b, other) in _pairs(judges):
        key = [*KEY]
        if one.pool.scores and other.pool.scores:
            key.append("protocol")
        shared = np.flatnonzero(~np.isnan(one.keys) & ~np.isnan(other.keys))
        kendall, spearman = agreement(one.keys[None, shared], other.keys[None, shared])
        row = _between(a, one.pool, b, other.pool, key)
        row["shared_proxies"] = len(shared)
        row["kendall"] = float(kendall[0])
        row["spearman"] = float(spearman[0])
        if one.copies:
            row |= _agreement_intervals(one.drawn[:, shared], other.drawn[:, shared], level)
        names = [one.names[k] for k in shared.tolist()]
        row |= _best(names, _ranks(one.keys[shared]), _ranks(other.keys[shared]))
        row["meaningful"] = len(shared) >= FEW and not math.isnan(row["kendall"])
        row["reason"] = _reason([one.reason, other.reason], len(shared), row["kendall"])
        rows.append(row)
    frame = Frame.of(rows, f"Rankings of proxies by {judges[0].by.said}", _doubt_notes(judges))
    return frame.marking(_doubtful(judges))


def _pairs(judges: list[_Judge]) -> Iterator[tuple[tuple[int, _Judge], tuple[int, _Judge]]]:
    """Every two of the judges, with the numbers of their pools."""
    return itertools.combinations(enumerate(judges, 1), 2)


def _agreement_intervals(a: Floats, b: Floats, level: float) -> Row:
    """Of two pools' (R, K) keys of the proxies that they share."""
    row = {}
    for name, found in zip(("kendall", "spearman"), agreement(a, b), strict=True):
        low, high = math.nan, math.nan
        if a.shape[1] > 1:
            low, high = interval(found, level)
        row[f"{name}_low"], row[f"{name}_high"] = low, high
    return row


def _best(names: list[str], ranks_a: Floats, ranks_b: Floats) -> Row:
    """The best of the shared proxies in each of two pools, and its rank in the other."""
    row: Row = {}
    for one, own, other, elsewhere in (("a", ranks_a, "b", ranks_b), ("b", ranks_b, "a", ranks_a)):
        best, rank = None, math.nan
        if names:
            top = np.flatnonzero(own == own.min())
            best = " = ".join(names[k] for k in top)
            rank = float(elsewhere[top].mean())
        row[f"best_{one}"] = best
        row[f"best_{one}_rank_in_{other}"] = rank
    return row


def _reason(undefined: list[str], shared: int, kendall: float) -> str | None:
    """Why the agreement of two pools is null or not meaningful."""
    there = "; ".join(dict.fromkeys(filter(None, undefined)))
    if there:
        return there
    if shared < 2:
        return f"{count_of(shared, 'proxy has', 'proxies have')} a value in both; a ranking needs two"
    if math.isnan(kendall):
        return "one of the pools ranks all shared proxies equal"
    if shared < FEW:
        return f"only {shared} proxies have a value in both: as many agree by chance"
    return None


def _proxies_frame(judges: list[_Judge]) -> Frame:
    columns: dict[str, Any] = {"proxy": judges[0].names}
    notes, places = [], []
    sizes = set()
    for number, judge in enumerate(judges, 1):
        columns[f"value_{number}"] = judge.values
        columns[f"rank_{number}"] = judge.ranked
        columns[f"missing_{number}"] = judge.missing
        notes.append(f"{number}: {judge.pool.name}.")
        size = _num_there(judge.values)
        last = math.nan
        if size > 1:
            last = size - 1
        places.append((judge.ranked - 1) / last)
        if size:
            sizes.add(size)
    ranked = np.array([judge.ranked for judge in judges])
    columns["mean_rank"], columns["worst_rank"] = _over_pools(ranked)
    columns["mean_place"], columns["worst_place"] = _over_pools(np.array(places))
    columns["num_pools"] = (~np.isnan(ranked)).sum(axis=0)
    if len(sizes) > 1:
        notes.append(
            "The pools rank different numbers of proxies: compare places (0 = best, 1 = last), not ranks, "
            "between them."
        )
    notes += _doubt_notes(judges)
    frame = Frame(columns, f"Proxies by {judges[0].by.said}", notes, doubtful=_doubtful(judges))
    return frame.sorted("mean_place")


def _doubtful(judges: Iterable[_Judge]) -> list[str]:
    """The proxies that are doubtful in the space of one of the pools."""
    found: dict[str, None] = {}
    for judge in judges:
        found |= dict.fromkeys(doubtful_on([judge.pool], judge.names))
    return list(found)


def _doubt_notes(judges: Iterable[_Judge]) -> list[str]:
    """A note for each space in which proxies are doubtful."""
    notes: dict[str, None] = {}
    for judge in judges:
        notes |= dict.fromkeys(doubt_notes(judge.pool.space, judge.names, judge.pool.dataset))
    return list(notes)


def _over_pools(table: Floats) -> tuple[list[float], list[float]]:
    """(K,) mean and worst over the pools that have a value, of (pools, K); NaN where none has."""
    means, worst = [], []
    for column in table.T:
        there = column[~np.isnan(column)]
        if not len(there):
            there = column
        means.append(float(there.mean()))
        worst.append(float(there.max()))
    return means, worst


def _accuracy_frame(judges: list[_Judge], level: float) -> Frame:
    rows: list[Row] = []
    apart = 0
    has_ceiling = False
    for (a, one), (b, other) in _pairs(judges):
        if one.pool.space != other.pool.space:
            apart += 1
            continue
        _, in_a, in_b = np.intersect1d(one.pool.arch_ids, other.pool.arch_ids, return_indices=True)
        row = _between(a, one.pool, b, other.pool, KEY)
        del row["shares"]
        copies = [times[in_a] for times in one.copies]
        row |= _accuracy_agreement(one.pool.accuracy[in_a], other.pool.accuracy[in_b], copies, level)
        row["ceiling_a"], row["ceiling_archs_a"] = _ceiling(one.pool, in_a)
        row["ceiling_b"], row["ceiling_archs_b"] = _ceiling(other.pool, in_b)
        has_ceiling |= not np.isnan([row["ceiling_a"], row["ceiling_b"]]).all()
        row["reason"] = _accuracy_reason(len(in_a), row["kendall"])
        rows.append(row)
    notes = []
    if apart:
        notes.append(f"Left out: {count_of(apart, 'pair')} of two spaces, which share no archs.")
    if has_ceiling:
        notes.append(
            "Ceilings: how well one seed's accuracies rank another seed's; two rankings by single seeds can "
            "hardly agree better."
        )
    head = (
        "a",
        "b",
        "pool_a",
        "pool_b",
        "across",
        "shared_archs",
        "kendall",
        "spearman",
        "ceiling_a",
        "ceiling_b",
        "reason",
    )
    return Frame.of(rows, "Rankings of archs by accuracy", notes, head)


def _accuracy_agreement(one: Floats, other: Floats, copies: list[Ints], level: float) -> Row:
    """Kendall and Spearman of two pools' accuracies of the archs that they share.

    `copies` says for each resample how often each arch is in it; of no resamples there are no intervals.
    """
    enough = len(one) > 1
    row = {}
    for name in ("kendall", "spearman"):
        judge = CORRELATIONS[name]
        row[name] = math.nan
        if enough:
            row[name] = judge(one, other)
        if not copies:
            continue
        found = []
        for times in copies:
            if enough and times.any():
                found.append(judge(np.repeat(one, times), np.repeat(other, times)))
        row[f"{name}_low"], row[f"{name}_high"] = interval(np.array(found), level)
    return row


def _accuracy_reason(shared: int, kendall: float) -> str | None:
    if shared < 2:
        return f"{count_of(shared, 'arch is', 'archs are')} in both; a ranking needs two"
    if math.isnan(kendall):
        return "all accuracies of one of the pools are equal"
    return None


def _ceiling(pool: Pool, shared: Ints) -> tuple[float, int]:
    """Kendall between seeds on some archs of a pool, and how many of them have two seeds."""
    if pool.accuracies is None or not len(shared):
        return math.nan, 0
    part = pool.accuracies[:, shared]
    num_seeds = (~np.isnan(part)).sum(axis=0)
    return noise_ceiling(kendall_tau, part), int((num_seeds > 1).sum())


def _between(a: int, one: Pool, b: int, other: Pool, key: Sequence[str]) -> Row:
    """What two pools are to each other; `key` names what can differ."""
    differ = [name for name in key if getattr(one, name) != getattr(other, name)]
    shared = 0
    if one.space == other.space:
        shared = len(np.intersect1d(one.arch_ids, other.arch_ids))
    return {
        "a": a,
        "b": b,
        "pool_a": one.name,
        "pool_b": other.name,
        "across": " + ".join(differ) or "nothing",
        "shares": _shares(one, other, differ, shared),
        "shared_archs": shared,
    }


def _shares(one: Pool, other: Pool, differ: list[str], shared_archs: int) -> str:
    if "space" in differ:
        return "other space"
    if not shared_archs:
        return "same space"
    if not differ:
        return "same pool"
    if _same_runs(one, other):
        return "same runs"
    return "same archs"


def _same_runs(one: Pool, other: Pool) -> bool:
    """Whether some trainings are behind the accuracies of both, as `hybrid.Chosen.relation` has it.

    They are of one data set and recipe. They are of one seed too, or one of them is a mean over seeds, which
    holds each, or predicted from all of them.
    """
    recipes, seeds = {one.recipe, other.recipe}, {one.seed, other.seed}
    several = not seeds.isdisjoint(("mean", PREDICTED))
    is_mean = several or len(recipes) > 1  # of an imported benchmark: recipe and recipe-mean
    same_recipe = one.recipe.removesuffix("-mean") == other.recipe.removesuffix("-mean")
    return one.dataset == other.dataset and same_recipe and (is_mean or len(seeds) == 1)


# Notes


def _notes(pools: list[Pool], by: _Metric, resamples: int, level: float) -> list[str]:
    notes = [
        f"Proxies are ranked by {by.said}; N of each pool is its num_archs, costs count as proxies by which "
        "larger networks are better."
    ]
    if resamples:
        notes.append(
            f"{level:.0%} intervals of {count_of(resamples, 'resample')} of the archs; "
            "the proxies are given, so few of them stay few."
        )
    test, protocols = [], set()
    for number, pool in enumerate(pools, 1):
        if pool.split == "test":
            test.append(str(number))
        if pool.scores:
            protocols.add(pool.protocol or "none")
    if test:
        notes.append(
            f"On the test split, as asked: pools {', '.join(test)}. "
            "What is chosen by it, it no longer judges."
        )
    if len(protocols) > 1:
        notes.append(
            f"Scores are of different protocols ({', '.join(sorted(protocols))}): "
            "a proxy of one name may have been computed otherwise."
        )
    return notes


def _pool_notes(judges: list[_Judge]) -> Iterator[str]:
    """On what the pools lack."""
    absent = int(np.nansum([judge.missing for judge in judges]))
    if absent:
        yield (
            f"Missing in all: {count_of(absent, 'score')} of these proxies; missing_1 and so on in .proxies "
            "count them by pool."
        )
    for number, judge in enumerate(judges, 1):
        if judge.reason:
            yield f"Pool {number} ranks no proxies: {judge.reason}."
    for number, judge in enumerate(judges, 1):
        for note in unscored_notes(judge.pool, judge.unscored):
            yield f"Pool {number}: {note}"
    yield from _doubt_notes(judges)
    if any(not judge.pool.oriented for judge in judges):
        yield "Scores have their raw sign."
