"""Transfer: what holds for all pools, the rankings by loops and scipy, the made release and cases by hand."""

import itertools
import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st

from nbzero import Bench, metrics
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.hybrids import Chosen
from nbzero.judge.transfer import FEW, METRICS, agreement, transfer
from tests.pools import make_pool

MEMBERS = tuple(f"arch{i}" for i in range(100))
NAMES = ("zen", "snip", "synflow", "naswot", "fisher")
CASES = st.tuples(st.integers(0, 10**6), st.integers(4, 15), st.sampled_from(METRICS))


def made(seed, num=12, space="made", names=NAMES, ids=None, **changed):
    """A pool whose scores follow the accuracy more or less, with ties, the same costs for the same archs."""
    rng = np.random.default_rng(seed)
    ids = np.arange(num) if ids is None else np.asarray(ids)
    accuracy = rng.integers(0, 30, len(ids)) / 30
    scores = {
        name: np.round(accuracy * 3 + rng.normal(0, 0.3 * (i + 1), len(ids)), 1)
        for i, name in enumerate(names)
    }
    costs = {"macs": 1.0 + ids, "params": 1.0 + (ids * 7) % 11}
    archs = tuple(f"arch{i}" for i in ids)
    pool = make_pool(accuracy, costs, scores, space=space, arch_ids=ids, archs=archs, members=MEMBERS)
    return replace(pool, **changed)


def by_loops(pool, name, metric):
    scores = pool.scores[name] if name in pool.scores else pool.costs[name]
    spacing = {"mbr": "quantile", "even_mbr": "even"}.get(metric)
    if spacing:
        return metrics.mbr(scores, pool.accuracy, pool.costs["macs"], 5, "total", spacing)
    if not metric.endswith("pearson"):
        scores = np.nan_to_num(scores, nan=-1e9)  # ranks below every number
    there = ~np.isnan(scores)
    judge = {
        "kendall": scipy.stats.kendalltau,
        "spearman": scipy.stats.spearmanr,
        "pearson": scipy.stats.pearsonr,
    }[metric.removeprefix("abs_")]
    if len(set(scores[there])) < 2 or len(set(pool.accuracy[there])) < 2:
        return math.nan
    value = judge(scores[there], pool.accuracy[there]).statistic
    return abs(value) if metric.startswith("abs_") else value


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_against_loops_and_scipy(case):
    seed, num, metric = case
    pools = [made(seed, num), made(seed + 1, num, "other"), made(seed + 2, num + 1, names=NAMES[:3])]
    pools[0].scores["zen"][0] = math.nan
    found = transfer(pools, metric)
    values = [{name: by_loops(pool, name, metric) for name in (*pool.scores, *pool.costs)} for pool in pools]
    rows = {row["proxy"]: row for row in found.proxies}
    sign = 1 if "mbr" in metric else -1
    for i, one in enumerate(values):
        there = {name: round(value, 9) for name, value in one.items() if not math.isnan(value)}
        ranks = dict(
            zip(there, scipy.stats.rankdata([sign * value for value in there.values()]), strict=True)
        )
        for name, row in rows.items():
            assert row[f"value_{i + 1}"] == (pytest.approx(there[name], abs=1e-8) if name in there else None)
            assert row[f"rank_{i + 1}"] == ranks.get(name)
        assert rows["zen"][f"missing_{i + 1}"] == (i == 0)
    for row in rows.values():
        ranks = [row[f"rank_{i}"] for i in (1, 2, 3) if row[f"rank_{i}"] is not None]
        places = [
            (row[f"rank_{i}"] - 1) / (found.pools["num_proxies"][i - 1] - 1)
            for i in (1, 2, 3)
            if row[f"rank_{i}"] is not None
        ]
        assert row["num_pools"] == len(ranks)
        if ranks:
            assert (row["mean_rank"], row["worst_rank"]) == (pytest.approx(np.mean(ranks)), max(ranks))
            assert (row["mean_place"], row["worst_place"]) == (
                pytest.approx(np.mean(places)),
                pytest.approx(max(places)),
            )
    assert [(row["a"], row["b"]) for row in found.pairs] == [(1, 2), (1, 3), (2, 3)]
    for row in found.pairs:
        a, b = (
            {name: round(value, 9) for name, value in values[row[part] - 1].items()} for part in ("a", "b")
        )
        shared = [name for name in a if name in b and not math.isnan(a[name]) and not math.isnan(b[name])]
        x, y = ([one[name] for name in shared] for one in (a, b))
        assert row["shared_proxies"] == len(shared)
        if len(set(x)) > 1 and len(set(y)) > 1:
            assert row["kendall"] == pytest.approx(scipy.stats.kendalltau(x, y).statistic)
            assert row["spearman"] == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
            assert row["meaningful"] == (len(shared) >= FEW)
            best = min if "mbr" in metric else max
            tops = [
                {name for name, value in zip(shared, one, strict=True) if value == best(one)}
                for one in (x, y)
            ]
            assert [set(row[f"best_{part}"].split(" = ")) for part in "ab"] == tops
            ranks = dict(zip(shared, scipy.stats.rankdata([sign * value for value in y]), strict=True))
            assert row["best_a_rank_in_b"] == pytest.approx(np.mean([ranks[name] for name in tops[0]]))
        else:
            assert (
                row["kendall"] is None and row["spearman"] is None and not row["meaningful"] and row["reason"]
            )


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_symmetric_and_blind_to_the_order_of_archs_and_pools(case):
    seed, num, metric = case
    a, b, c = made(seed, num), made(seed + 1, num, dataset="cifar10"), made(seed + 2, num, "other")
    found = transfer([a, b, c], metric, resamples=5, bootstrap_seed=seed)
    turned = transfer([c, b, a], metric, resamples=5, bootstrap_seed=seed)
    shuffled = [pool.only(np.random.default_rng(seed).permutation(len(pool))) for pool in (a, b, c)]
    mixed = transfer(shuffled, metric, resamples=5, bootstrap_seed=seed)
    numbers = (
        "shared_proxies",
        "shared_archs",
        "shares",
        "across",
        "kendall",
        "spearman",
        "kendall_low",
        "kendall_high",
        "spearman_low",
        "meaningful",
    )
    for i, j in itertools.combinations((1, 2, 3), 2):
        one = found.between(i, j)
        for other, swapped in ((turned.between(4 - i, 4 - j), True), (mixed.between(j, i), False)):
            assert [one[name] for name in numbers] == [
                pytest.approx(v, abs=1e-9) if isinstance(v, float) else v for v in (other[n] for n in numbers)
            ]
            there, here = ("b", "a") if swapped else ("a", "b")
            assert one["best_a"] == other[f"best_{there}"] and one["best_b"] == other[f"best_{here}"]
            assert one["best_a_rank_in_b"] == other[f"best_{there}_rank_in_{here}"]
    assert [row["kendall"] for row in mixed.accuracy] == pytest.approx(
        [row["kendall"] for row in found.accuracy]
    )
    assert [row["kendall_low"] for row in mixed.accuracy] == pytest.approx(
        [row["kendall_low"] for row in found.accuracy]
    )


@pytest.mark.parametrize("metric", METRICS)
def test_a_pool_agrees_with_itself_and_on_every_resample(metric):
    pool = made(3, 30)
    row = transfer([pool, pool], metric, resamples=20).between(2, 1)
    assert [
        row[name]
        for name in ("kendall", "spearman", "kendall_low", "kendall_high", "spearman_low", "spearman_high")
    ] == [1.0] * 6
    assert (row["across"], row["shares"], row["shared_archs"], row["shared_proxies"]) == (
        "nothing",
        "same pool",
        30,
        7,
    )
    assert row["best_a"] == row["best_b"] and row["best_a_rank_in_b"] == 1 + row["best_a"].count("=") / 2
    assert row["meaningful"] and row["reason"] is None


def test_reversed_proxies_disagree():
    pool = made(4, 30, costs={})
    other = replace(pool, space="other", accuracy=1 - pool.accuracy)
    for metric, wanted in (("kendall", -1.0), ("spearman", -1.0), ("abs_kendall", 1.0), ("abs_pearson", 1.0)):
        row = transfer([pool, other], metric).between(1, 2)
        assert row["kendall"] == pytest.approx(wanted) and row["spearman"] == pytest.approx(wanted)
    row = transfer([pool, other]).between(1, 2)
    assert row["best_a"] != row["best_b"] and row["best_a_rank_in_b"] == row["best_b_rank_in_a"] == len(NAMES)
    assert transfer([pool, other]).accuracy.columns and len(transfer([pool, other]).accuracy) == 0


def test_intervals_by_hand():
    """Percentiles over resamples in which arch i of a space comes as often in every pool."""
    a, b = made(5, 14), made(6, ids=range(4, 16), recipe="long")
    names = ("zen", "snip", "synflow", "fisher")
    found = transfer([a, b], "kendall", proxies=names, resamples=40, bootstrap_seed=7, level=0.8)
    row, ranked = found.between(1, 2), []
    draws = [np.random.default_rng([7, zlib.crc32(b"made"), r]).poisson(1.0, 16) for r in range(40)]
    copies = [[draw[pool.arch_ids] for draw in draws] for pool in (a, b)]
    accuracies = []
    for r in range(40):
        values = []
        for pool, each in zip((a, b), copies, strict=True):
            drawn = pool.accuracy.repeat(each[r])
            taus = [scipy.stats.kendalltau(pool.scores[name].repeat(each[r]), drawn) for name in names]
            values.append([tau.statistic for tau in taus])
        ranked.append(scipy.stats.kendalltau(*np.round(values, 12)).statistic)
        accuracies.append(
            scipy.stats.kendalltau(
                np.repeat(a.accuracy[4:], copies[0][r][4:]), np.repeat(b.accuracy[:10], copies[0][r][4:])
            ).statistic
        )
    assert (row["kendall_low"], row["kendall_high"]) == pytest.approx(
        tuple(np.nanquantile(ranked, [0.1, 0.9]))
    )
    one = next(iter(found.accuracy))
    assert (one["kendall_low"], one["kendall_high"]) == pytest.approx(
        tuple(np.nanquantile(accuracies, [0.1, 0.9]))
    )
    assert (
        one["kendall"] == pytest.approx(scipy.stats.kendalltau(a.accuracy[4:], b.accuracy[:10]).statistic)
        and one["shared_archs"] == 10
    )
    assert any(note.startswith("80% intervals of 40 resamples") for note in found.notes)
    assert "kendall_low" not in transfer([a, b]).pairs


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_agreement_is_taub_and_spearman(rows):
    a, b = (np.array([column], float) for column in zip(*rows, strict=True))
    kendall, spearman = agreement(a, b)
    assert kendall[0] == pytest.approx(metrics.kendall_tau(a[0], b[0]), nan_ok=True)
    assert spearman[0] == pytest.approx(metrics.spearman_rho(a[0], b[0]), nan_ok=True)


def test_agreement_is_undefined_where_a_value_is():
    kendall, spearman = agreement(
        np.array([[1.0, 2, math.nan], [1, 2, 3]]), np.array([[1.0, 2, 3], [3, 2, 1]])
    )
    assert np.isnan([kendall[0], spearman[0]]).all() and kendall[1] == spearman[1] == -1


def test_what_pools_share_is_marked():
    base = made(8, 10)
    others = {
        ("split", "same runs"): replace(base, split="test"),
        ("seed", "same archs"): replace(base, seed=1),
        ("recipe", "same archs"): made(9, 10, recipe="long"),
        ("dataset + split", "same archs"): made(9, 10, dataset="cifar10", split="test"),
        ("nothing", "same space"): made(9, ids=range(20, 30)),
        ("space", "other space"): made(9, 10, space="other"),
    }
    found = transfer([base, *others.values()])
    for i, ((across, shares), pool) in enumerate(others.items(), 2):
        row = found.between(1, i)
        shared = 10 if shares.startswith("same") and shares != "same space" else 0
        assert (row["across"], row["shares"], row["shared_archs"], row["pool_b"]) == (
            across,
            shares,
            shared,
            pool.name,
        )
    assert (
        "On the test split, as asked: pools 2, 5. What is chosen by it, it no longer judges." in found.notes
    )
    there = [row for row in found.accuracy if row["a"] == 1]
    assert [row["b"] for row in there] == [2, 3, 4, 5, 6] and there[0]["kendall"] == 1.0
    assert there[-1]["kendall"] is None and there[-1]["reason"] == "0 archs are in both; a ranking needs two"
    assert found.accuracy.notes == ("Left out: 6 pairs of two spaces, which share no archs.",)
    with pytest.raises(
        ValueError, match=r"no pair 1, 9; the pools have the numbers 1 to 7, and a pair is two of them"
    ):
        found.between(1, 9)
    assert "across" in repr(found) and "same runs" in repr(found)


def test_a_mean_over_seeds_holds_the_runs_of_each_whichever_pool_has_it():
    base = made(8, 10)
    others = [
        ("seed", "same runs", {"seed": "mean"}),
        ("split + seed", "same runs", {"seed": "mean", "split": "test"}),
        ("recipe", "same runs", {"recipe": "short-mean"}),
        ("recipe + seed", "same runs", {"recipe": "short-mean", "seed": 2}),
        ("seed", "same archs", {"seed": 2}),
        ("split + seed", "same archs", {"seed": 2, "split": "test"}),
        ("recipe + seed", "same archs", {"recipe": "long-mean", "seed": "mean"}),
        ("dataset + seed", "same archs", {"dataset": "cifar10", "seed": "mean"}),
        ("protocol", "same runs", {"protocol": "more"}),
        ("seed + protocol", "same archs", {"protocol": "more", "seed": 2}),
        ("nothing", "same pool", {"protocol": "more", "scores": {}}),  # costs alone are of no protocol
    ]
    for across, shares, change in others:
        pools = [base, replace(base, **change)]
        for one in (pools, pools[::-1]):
            row = transfer(one).between(1, 2)
            assert (row["across"], row["shares"]) == (across, shares), change
            # The guard of hybrids tells the two pools' accuracies apart alike.
            first = one[0]
            key = (first.space, first.dataset, first.recipe, first.protocol, first.seed, first.split)
            ids = frozenset(first.arch_ids.tolist())
            chosen = Chosen(*key, ids, ("macs",), 5, "even", "total", 0.1, 1)
            assert (shares == "same archs") == (chosen.relation(one[1]) == "same archs")
    assert [row["across"] for row in transfer([base, replace(base, protocol="more")]).accuracy] == [
        "nothing"
    ]  # accuracies have no protocol
    mean = replace(base, seed="mean")
    assert transfer([mean, mean]).between(1, 2)["shares"] == "same pool"


@pytest.mark.parametrize(
    ("names", "value", "reason"),
    [
        ((), None, "0 proxies have a value in both; a ranking needs two"),
        (NAMES[:1], None, "1 proxy has a value in both; a ranking needs two"),
        (NAMES[:3], 1.0, "only 3 proxies have a value in both: as many agree by chance"),
        (NAMES[:4], 1.0, None),
    ],
)
def test_few_shared_proxies(names, value, reason):
    pool = made(10, 40, costs={}, scores={})
    ranking = {
        name: pool.accuracy + np.random.default_rng(i).normal(0, 0.02 + i / 2, 40)
        for i, name in enumerate((*names, "swap"))
    }
    one, other = (
        replace(pool, scores=ranking),
        replace(
            pool, space="other", scores={**{name: ranking[name] for name in names}, "ntk": -pool.accuracy}
        ),
    )
    row = transfer([one, other]).between(1, 2)
    assert (row["kendall"], row["spearman"], row["reason"], row["shared_proxies"]) == (
        value,
        value,
        reason,
        len(names),
    )
    assert row["meaningful"] == (len(names) >= 4) and (row["best_a"] is None) == (not names)
    resampled = transfer([one, other], resamples=3).between(1, 2)
    assert (resampled["kendall_low"] is None) == (value is None)


def test_what_is_undefined_or_missing_is_said_and_counted():
    a, b = made(11, 12), made(12, 12, "other", costs={})
    scores = {**a.scores, "ntk": np.full(12, np.nan), "meco": np.ones(12)}
    scores["fisher"] = np.where(np.arange(12) < 5, np.nan, scores["fisher"])
    a = replace(a, scores=scores)
    found = transfer([a, b, a], "mbr")
    assert found.between(1, 2)["kendall"] is None and found.between(1, 2)["reason"] == "other has no macs"
    assert found.pools["reason"].tolist() == [None, "other has no macs", None] and found.pools[
        "num_proxies"
    ].tolist() == [8, 0, 8]
    assert "Pool 2 ranks no proxies: other has no macs." in found.notes
    assert (
        f"Missing in all: {2 * (12 + 5)} scores of these proxies; "
        "missing_1 and so on in .proxies count them by pool." in found.notes
    )
    rows = {row["proxy"]: row for row in found.proxies}
    assert (
        rows["ntk"]["value_1"] is None
        and (rows["ntk"]["missing_1"], rows["ntk"]["missing_2"]) == (12, None)
        and rows["ntk"]["num_pools"] == 0
    )
    assert rows["fisher"]["missing_1"] == 5 and list(rows)[-1] == "ntk"  # absent values last
    constant = transfer([a, b], proxies=("meco", "zen")).between(1, 2)
    assert constant["shared_proxies"] == 1 and constant["kendall"] is None
    even = transfer(
        [made(1, 8, costs={}, scores={n: np.arange(8.0) for n in NAMES}), made(2, 8, "other")], proxies=NAMES
    ).between(1, 2)
    assert even["kendall"] is None and even["reason"] == "one of the pools ranks all shared proxies equal"
    assert (
        transfer([a, replace(b, protocol="more")])
        .notes[1]
        .startswith("Scores are of different protocols (more, std)")
    )
    assert (
        "Scores have their raw sign."
        in transfer([replace(a, oriented=False), replace(b, oriented=False)]).notes
    )


def test_ceilings_are_of_the_shared_archs():
    a, b = made(13, 12), made(14, ids=range(6, 18), dataset="cifar10")
    seeds = np.array([a.accuracy, np.random.default_rng(0).permutation(a.accuracy)])
    seeds[1, 10:] = math.nan
    found = transfer([replace(a, accuracies=seeds), b])
    row = next(iter(found.accuracy))
    assert (
        row["ceiling_a"] == pytest.approx(scipy.stats.kendalltau(seeds[0, 6:10], seeds[1, 6:10]).statistic)
        and row["ceiling_archs_a"] == 4
    )
    assert row["ceiling_b"] is None and row["ceiling_archs_b"] == 0
    assert found.accuracy.notes[0].startswith("Ceilings: how well one seed's accuracies rank another seed's")
    assert transfer([a, b]).accuracy.notes == ()
    for wrong in (seeds[:1], seeds[:, :11], seeds[0]):
        with pytest.raises(
            UsageError, match=r"accuracies of shape .* of made; they are \(S, 12\), a row for each"
        ):
            replace(a, accuracies=wrong)


def test_a_proxy_without_any_score_in_one_pool_is_null_there_with_a_note():
    pools = [Bench().pool(space, "cifar10") for space in ("r1-mini", "mb-mini")]
    found = transfer(pools)
    at = [pool.space for pool in pools].index("mb-mini") + 1
    row = next(row for row in found.proxies if row["proxy"] == "ntk")
    assert (row[f"value_{at}"], row[f"rank_{at}"], row[f"missing_{at}"], row["num_pools"]) == (
        None,
        None,
        len(pools[at - 1]),
        1,
    )
    assert any(
        note.startswith(
            f"Pool {at}: 0 of {len(pools[at - 1])} archs have a score of ntk (the first arch: the tangent "
        )
        for note in found.notes
    )
    assert row[f"value_{3 - at}"] == metrics.kendall_tau(pools[2 - at].scores["ntk"], pools[2 - at].accuracy)


def test_a_made_release(bench):
    table = bench.measured()
    rows = {(row["space"], row["dataset"], row["recipe"]): row for row in table}
    assert (
        rows["r1-mini", "cifar10", "cpu-16px-4"]["num_val"] == 59
        and rows["r1-mini", "cifar10", "cpu-16px-4"]["seeds"] == "0, 1"
    )
    assert len(rows) == 4 and rows["r1-mini", "digits", "cpu-16px-4"]["num_test"] == 30
    pools = bench.pools()
    assert {(pool.space, pool.dataset, pool.recipe): len(pool) for pool in pools} == {
        key: row["num_val"] for key, row in rows.items()
    }
    assert [pool.seed for pool in bench.pools(seed=1)] == [1, 1] and {
        pool.split for pool in bench.pools(split="test")
    } == {"test"}
    assert [pool.space for pool in bench.pools(spaces="mb-mini")] == ["mb-mini"]
    assert all(
        (*pool.scores, *pool.unscored) == ("zen",)
        for pool in bench.pools(spaces=["r1-mini"], proxies=["zen"])
    )
    short = bench.pool("r1-mini", "cifar10", "cpu-16px-4")
    digits = bench.pool("r1-mini", "digits")
    assert (short.accuracies[0] == short.accuracy).all() and digits.accuracies.shape == (2, 30)
    assert bench.pools(spaces="mb-mini")[0].accuracies is None
    found = transfer([short, digits])
    row = next(iter(found.accuracy))
    assert row["ceiling_b"] == pytest.approx(
        metrics.noise_ceiling(
            metrics.kendall_tau, digits.accuracies[:, np.isin(digits.arch_ids, short.arch_ids)]
        )
    )
    both, in_a, in_b = np.intersect1d(short.arch_ids, digits.arch_ids, return_indices=True)
    assert row["shared_archs"] == len(both) and row["kendall"] == metrics.kendall_tau(
        short.accuracy[in_a], digits.accuracy[in_b]
    )
    with pytest.raises(
        ValueError,
        match=r"no val accuracies in mb-mini with seed 5; seed 0 has: r1-mini on cifar10 with cpu-16px-12",
    ):
        bench.pools(spaces=["mb-mini"], seed=5)


def test_a_task_whose_metric_is_no_accuracy_ranks_too():
    a = made(15, 12)
    loss = replace(a, dataset="room_layout", accuracy=a.accuracy - 2, metric="negative loss")
    found = transfer([a, loss], "mbr")
    assert found.between(1, 2)["kendall"] == 1 and found.pools["target"].tolist() == [
        "accuracy",
        "negative loss",
    ]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"pools": []},
            ValueError,
            r"0 pools; transfer is between two or more: b\.pools\(\), or b\.pool\(\.\.\) for each",
        ),
        ({"pools": [made(0)]}, ValueError, "1 pools; transfer is between two or more"),
        ({"pools": made(0)}, ValueError, "1 pools; transfer is between two or more"),
        ({"pools": [made(0), "r1"]}, ValueError, "pools hold str; each is a Pool"),
        (
            {"pools": [made(0), made(1, oriented=False)]},
            ValueError,
            "some pools have raw signs and others oriented ones",
        ),
        ({"metric": "tau"}, UnknownNameError, "no metric named 'tau'; Known: abs_kendall, abs_pearson"),
        ({"metric": "quantile_mbr"}, UnknownNameError, "no metric named 'quantile_mbr'"),
        ({"metric": "kendal"}, UnknownNameError, "no metric named 'kendal'; did you mean 'kendall'"),
        ({"proxies": ["zenn"]}, UnknownNameError, "no proxy in these pools named 'zenn'; did you mean 'zen'"),
        ({"proxies": []}, ValueError, "no proxies; name one or more, or None for all that the pools have"),
        (
            {"metric": "mbr", "costs": "depth"},
            UnknownNameError,
            "no cost in these pools named 'depth'; Known: macs, params",
        ),
        ({"costs": []}, ValueError, "no costs; name one or more of macs, params, depth"),
        (
            {"budgets": [1e6]},
            ValueError,
            r"budgets \[1000000.0\]; pools have their own costs, so it is a number of limits from 1",
        ),
        ({"budgets": 0}, ValueError, "budgets 0; pools have their own costs"),
        ({"normalise": "n"}, ValueError, "normalise 'n'; it is one of total, pool"),
        ({"resamples": -1}, ValueError, "resamples -1; it is a whole number from 0"),
        ({"bootstrap_seed": -1}, ValueError, "bootstrap_seed -1; it is a whole number from 0"),
        ({"level": 95}, ValueError, "level 95; it is between 0 and 1"),
    ],
)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        transfer(**{"pools": [made(0), made(1)], **change})
