"""Hybrids, given or chosen: their scores by hand, what published rules give, and what their report says."""

import re
from dataclasses import replace

import numpy as np
import pytest

from nbzero import metrics
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.hybrid_search import best_hybrids
from nbzero.judge.hybrids import HYBRIDS, Hybrid, hybrid
from nbzero.judge.votes import EXPERTS, copeland, log_rank_sum
from nbzero.proxies.facts import PROXIES
from tests.judge.made_pools import made_pool, pool


def test_a_case_by_hand():
    # Archs by accuracy: a best, then b, c, d. x puts b first, y puts c first.
    # Together a leads with 3 + 3, before b with 4 + 1 and c with 1 + 4.
    p = pool([0.9, 0.8, 0.7, 0.6], [4, 3, 2, 1], {"x": [3, 4, 1, 2], "y": [3, 1, 4, 2]})
    found = best_hybrids(p, ["x", "y"], budgets=[2, 4])
    # Within 2 macs are c and d: x picks d (rank 1), y picks c (0), x + y picks c with 5 before d with 4.
    # Of all four the ranks are 1, 2 and 0.
    assert [found.value(members) for members in ("x", "y", ["x", "y"])] == [(1 + 1) / 8, (0 + 2) / 8, 0]
    assert Hybrid(("x", "y")).scores(p).tolist() == [6, 5, 5, 4]
    np.testing.assert_allclose(
        Hybrid(("x", "y"), "log_rank").scores(p), np.log(np.array([9, 4, 4, 4]) / 16), atol=1e-9
    )
    assert Hybrid(("x", "macs")).scores(p).tolist() == [
        7,
        7,
        3,
        3,
    ]  # a cost is a member like any other
    with_ties = pool([0.9, 0.8, 0.7], [1, 1, 1], {"x": [np.nan, -np.inf, 0], "y": [0, 0, 0]})
    assert Hybrid(("x", "y")).scores(with_ties).tolist() == [3, 4, 5]


def test_log_rank_is_az_nas_to_its_rounding():
    p = made_pool(np.random.default_rng(2), 50, 4, 30)
    finite = replace(
        p, scores={name: np.nan_to_num(row, nan=-1, neginf=-2) for name, row in p.scores.items()}
    )
    table = np.array(list(finite.scores.values()))
    np.testing.assert_allclose(
        Hybrid(tuple(p.scores), "log_rank").scores(finite), log_rank_sum(table), atol=1e-9
    )


def test_a_report_names_where_the_hybrid_was_chosen_and_marks_what_is_in_sample():
    rng = np.random.default_rng(4)
    chosen_on = made_pool(rng, 40, 4, 30)
    found = best_hybrids(chosen_on, list(chosen_on.scores)).best(2)
    others = {
        "in-sample": chosen_on.only(np.arange(10)),
        "same runs": replace(chosen_on, split="test"),
        "same archs": replace(chosen_on, dataset="digits"),
        "same space": replace(chosen_on, arch_ids=chosen_on.arch_ids + 40),
        "other space": replace(chosen_on, space="other"),
    }
    assert [found.chosen.relation(replace(chosen_on, seed=seed)) for seed in (0, 1, "mean")] == [
        "in-sample",
        "same archs",
        "in-sample",
    ]
    mean = replace(chosen_on, recipe=f"{chosen_on.recipe}-mean", seed=1)  # an imported mean over seeds
    assert (
        found.chosen.relation(mean) == "in-sample"
        and found.chosen.relation(replace(mean, split="test")) == "same runs"
    )
    assert replace(found.chosen, recipe=mean.recipe).relation(replace(chosen_on, seed=2)) == "in-sample"
    assert found.chosen.relation(replace(mean, recipe="other-mean")) == "same archs"
    report = found.report([chosen_on, *others.values()])
    kinds = report["kind"].tolist()
    assert kinds == ["hybrid", "member", "member", "cost", "random"] * 6
    assert report["shares"][::5].tolist() == ["in-sample", *others]
    assert report["mbr"][0] == pytest.approx(found.chosen.value) and found.chosen.tried == 6
    assert (
        "Chosen on made, cifar10, cpu-16px-4, val, seed 0, std-16, N = 40,"
        " the best of 6 combinations there by mBR by macs"
    ) in report.notes[0]
    marked = [note for note in report.notes if note.startswith("In-sample")]
    assert (
        len(marked) == 2
        and "N = 40. The hybrid was chosen by 40 of these" in marked[0]
        and "chosen by 10 of these" in marked[1]
    )
    assert [note.split(":")[0] for note in report.notes[3:]] == ["Same runs, other split", "Same archs"]
    absent = np.isnan([chosen_on.score(name) for name in found.members]).any(0).sum()
    assert report["no_score"][0] == absent > 0
    assert report["mbr"][4] == pytest.approx(
        metrics.mbr(np.zeros(40), chosen_on.accuracy, chosen_on.costs["macs"], spacing="quantile")
    )
    given = Hybrid(found.members).report(chosen_on)
    assert {row["shares"] for row in given} == {None} and "Given" in given.notes[0]


def test_a_report_has_even_limits_beside_quantile_ones():
    p = made_pool(np.random.default_rng(4), 40, 3, 30)
    one = Hybrid(("p0", "p1"))
    report, even = one.report(p), one.report(p, spacing="even")
    np.testing.assert_array_equal(report["even_mbr"], even["mbr"])
    assert report["mbr"][0] == one.mbr(p) != report["even_mbr"][0] == one.mbr(p, spacing="even")
    assert "even_mbr" not in even and "even_mbr" not in one.report(p, budgets=[10, 20])
    assert "5 quantile budgets" in report.title and "5 even budgets" in even.title


def test_named_hybrids_use_proxies_that_exist(bench, made):
    assert {name for one in HYBRIDS.values() for name in one.members} <= PROXIES.keys()
    p = bench.pool("r1-mini", "cifar10", made.short)
    for name in HYBRIDS:
        one = hybrid(name)
        assert one.source and one.chosen is None and one.scores(p).shape == (len(p),)
    np.testing.assert_array_equal(
        hybrid("sjw").scores(p), copeland([p.score(name) for name in EXPERTS["sjw"]])
    )
    with pytest.raises(UnknownNameError, match="no hybrid named 'sjv'; did you mean 'sjw'"):
        hybrid("sjv")


@pytest.mark.parametrize(
    ("error", "call", "said"),
    [
        (
            UsageError,
            lambda p: Hybrid(("p0", "p0")),
            "members p0, p0 with p0 twice; name one or more, each once",
        ),
        (UsageError, lambda p: Hybrid(()), "members none; name one or more, each once"),
        (UnknownNameError, lambda p: Hybrid(("p0",), "mean"), "no rule named 'mean'"),
        (UnknownNameError, lambda p: Hybrid(("zen",)).scores(p), "no proxy named 'zen'"),
        (UnknownNameError, lambda p: Hybrid(("p0",)).mbr(p, "flops"), "no cost of made named 'flops'"),
        (UsageError, lambda p: Hybrid(("p0",)).mbr(p, ()), "no costs; name one or more"),
        (
            UsageError,
            lambda p: Hybrid(("p0",)).mbr(p, budgets={"macs": 5}),
            "budgets {'macs': 5}; it is a number of limits from 1, or a list",
        ),
        (
            UsageError,
            lambda p: Hybrid(("p0",)).report(p, budgets={"macs": 5}),
            "budgets {'macs': 5}; it is a number of limits from 1, or a list",
        ),
        (
            UsageError,
            lambda p: Hybrid(("p0",)).report(p, spacing="log"),
            "spacing 'log'; it is one of even, quantile",
        ),
        (
            UsageError,
            lambda p: Hybrid(("p0",)).report(p, normalise="none"),
            "normalise 'none'; it is one of total, pool",
        ),
        (UsageError, lambda p: Hybrid(("p0",)).report([]), "no pools to report on"),
    ],
)
def test_bad_input_says_what_to_do(error, call, said):
    with pytest.raises(error, match=re.escape(said)):
        call(made_pool(np.random.default_rng(1), 20, 3, 9))
