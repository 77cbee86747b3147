"""The paper's figures: each is drawn from the release by its recipe."""

import re
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure

from nbzero import Bench, plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.hybrids import HYBRIDS
from nbzero.judge.picks import constrained
from nbzero.plots.paper import Limits, picks_with_intervals
from tests.plots.looks import PROXIES, drawn, foot, legends_lie_clear, line, title, within

RECIPE = "cpu-16px-4"


@cache
def figure_of(bench: Bench, name: str, space: str, *proxies: str) -> Figure:
    """A figure of the release, drawn once for all tests; not to be changed."""
    return plots.drawing(name).make(bench, space, "cifar10", proxies=list(proxies or PROXIES))


def test_registry():
    assert [one.number for one in plots.FIGURES.values()] == list(range(1, 11))
    for name, one in plots.FIGURES.items():
        assert name == one.name and one.meaning and one.function.__doc__
    assert plots.drawing("mbr").function is plots.mbr_bars
    with pytest.raises(UnknownNameError, match="no figure named 'mbrs'; did you mean 'mbr'"):
        plots.drawing("mbrs")


@pytest.mark.parametrize("name", sorted(plots.FIGURES))
def test_every_recipe_draws_from_the_release(name, bench):
    before = set(sys.modules)
    proxies = ["jacob_cov"] if name == "factors" else []
    figure = figure_of(bench, name, "r1-mini", *proxies)
    assert isinstance(figure, Figure)
    above = " ".join([title(figure), *(axes.get_title() for axes in figure.axes)])
    for word in ("r1-mini", "cifar10", "val", "seed 0"):
        assert word in above
    within(figure)
    assert "N = " in " ".join(text.get_text() for text in drawn(figure))
    assert "matplotlib.pyplot" not in set(sys.modules) - before, "no global state"


NAMES = "|".join([*PROXIES, "macs", "params", "depth"])
COLOURED = ["2 others", *[NAMES] * 6, "oracle: the best arch", "random pick"]
LEGENDS = {
    "mbr": [
        [
            "proxy",
            "cost, larger is better",
            r"random pick: 0\.\d{3}",
            r"another seed \(noise ceiling\): 0\.\d{3}",
        ]
    ]
    * 2,
    "macs": [COLOURED],
    "depth": [COLOURED],
    "combined": [
        [*(f"{one} alone" for one in HYBRIDS[key].members), "combined", "oracle", "random pick"]
        for key in plots.NAMED
    ],
}
OF_THE_CHOICE = ["runners-up", r"best, where it was chosen \(in-sample\)", "best of as many by chance .*"]


@pytest.mark.parametrize("name", ["mbr", "macs", "depth", "hybrid", "combined"])
@pytest.mark.parametrize("space", ["r1-mini", pytest.param("mb-mini", marks=pytest.mark.long)])
def test_legends_lie_beside_what_is_drawn(name, space, bench):
    said = legends_lie_clear(figure_of(bench, name, space))
    elsewhere = [one for one in bench.spaces if one != space and RECIPE in bench.recipes(one, "cifar10")]
    judged = [rf"{one}, cifar10, {RECIPE}, val, seed 0, N = \d+ \(other space\)" for one in elsewhere]
    wanted = LEGENDS.get(name, [OF_THE_CHOICE, judged])
    assert len(said) == len(wanted)
    for words, patterns in zip(said, wanted, strict=True):
        plain = [word.replace("*", "") for word in words]
        assert all(map(re.fullmatch, patterns, plain)), words
        assert len(set(words)) == len(words) == len(patterns), words


MARKED = [
    pytest.param(name, marks=[] if name in ("mbr", "macs", "factors", "hybrid") else pytest.mark.long)
    for name in sorted(set(plots.FIGURES) - {"distributions"})
]


@pytest.mark.parametrize("name", MARKED)
def test_every_figure_marks_a_doubtful_proxy_and_says_why(name, bench):
    """The other one has costs alone. Hybrids of r1-mini are judged on mb-mini too, and marked for it."""
    proxies = ["jacob_cov"] if name == "factors" else []
    for space, number in (("mb-mini", 1), ("r1-mini", int(name == "hybrid"))):
        figure = figure_of(bench, name, space, *proxies)
        texts = [text.get_text() for text in drawn(figure) if text is not figure._supxlabel]
        named = [text for text in texts if "jacob_cov" in text]
        assert named and all(("jacob_cov*" in text) == (number == 1) for text in named), named
        assert foot(figure).count("* Doubtful in mb-mini: jacob_cov; the features end in") == number
        assert ("*" in "".join(texts)) == (number == 1)


def test_the_intervals_of_a_recipe_are_under_its_limits(pool, one):
    given, laid = picks_with_intervals(pool, "depth"), constrained(pool, "depth")
    for name in laid.columns:
        if laid[name].dtype == object:
            assert given[name].tolist() == laid[name].tolist(), name
        else:
            np.testing.assert_array_equal(given[name], laid[name], name)
    again = constrained(pool, "depth", laid["limit"][:: len(laid) // 5].tolist(), resamples=200)
    np.testing.assert_array_equal(given["accuracy_low"], again["accuracy_low"])
    assert picks_with_intervals(one, "depth")["accuracy"].size


def test_a_space_that_lacks_a_cost_is_named_once(bench, monkeypatch):
    whole = Bench.pool

    def without_macs(bench, space, *rest, **more):
        pool = whole(bench, space, *rest, **more)
        kept = {**pool.scores}
        if space == "mb-mini":
            kept["params"] = pool.costs["params"]
        return replace(pool, scores=kept, costs={"depth": pool.costs["depth"]})

    chosen = bench.pool("r1-mini", "cifar10", proxies=["zen"])
    monkeypatch.setattr(Bench, "pool", without_macs)
    notes = foot(plots.drawing("hybrid").draw(bench, chosen, Limits(), {}))
    assert "Not judged on r2-mini, which has no macs, params." in notes
    assert "Not judged on mb-mini, which has no macs." in notes, "it has a score called params"


def hybrid_of(bench, where, split="val"):
    """The legends and the notes of the hybrids of r1-mini under a condition."""
    make = plots.drawing("hybrid").make
    figure = make(bench, "r1-mini", "cifar10", RECIPE, split=split, proxies=["zen", "snip"], where=where)
    return " ".join(word for words in legends_lie_clear(figure) for word in words), foot(figure)


def test_a_condition_holds_in_every_space_of_the_hybrid_figure(bench):
    legends, notes = hybrid_of(bench, "macs < 3e6")
    num_archs = {}
    for name in ("r1-mini", "r2-mini", "mb-mini"):
        num_archs[name] = len(bench.pool(name, "cifar10", RECIPE, where="macs < 3e6"))
        assert num_archs[name] < len(bench.pool(name, "cifar10", RECIPE))
    for name in ("r2-mini", "mb-mini"):
        assert f"{name}, cifar10, {RECIPE}, val, seed 0, N = {num_archs[name]} (other space)" in legends
    assert "Here and elsewhere only archs where macs < 3e6." in notes
    assert f"seed 0, std-16, where macs < 3e6, N = {num_archs['r1-mini']}, the best of" in notes
    assert "Here and elsewhere" not in hybrid_of(bench, None)[1]


def test_a_condition_that_no_arch_of_a_space_meets_is_told(bench):
    legends, notes = hybrid_of(bench, "stem == 4", "test")  # no stem of the other spaces
    assert "other space" not in legends and f"r1-mini, cifar10, {RECIPE}, test" in legends
    for name in ("r2-mini", "mb-mini"):
        num = len(bench.pool(name, "cifar10", RECIPE, split="test"))
        archs = f"the {num} archs of {name} with a test accuracy on cifar10 (recipe {RECIPE}, seed 0)"
        assert f"Not judged on {name}: no arch meets 'stem == 4': of {archs} none does" in notes
    with pytest.raises(UnknownNameError, match="no column named 'edge_01'"):
        hybrid_of(bench, "edge_01 == 0")


def test_a_member_is_drawn_alone_by_the_scores_that_its_combination_ranks(bench, pool):
    """macs is a cost and, computed as a proxy, a score too."""
    turned = replace(pool, scores={**pool.scores, "macs": -pool.costs["macs"]})
    picks = constrained(turned, "macs")
    rows = picks.only(picks["proxy"] == "macs")
    alone = line(plots.drawing("combined").draw(bench, turned, Limits(), {}).axes[0], "macs alone")
    np.testing.assert_array_equal(alone.get_ydata(), rows["accuracy"])


@pytest.mark.parametrize(
    "name", ["mbr", "distributions", "macs", "params", "depth", "archs", "hybrid", "combined"]
)
def test_a_figure_that_needs_a_cost_says_so(name, bench, bare):
    with pytest.raises(UsageError, match="transnas-micro"):
        plots.drawing(name).draw(bench, bare, Limits(), {})


def test_a_figure_that_needs_members_says_so(bench, pool):
    lacks = "lacks members of every named combination: zen_macs needs zen, macs"
    with pytest.raises(UsageError, match=lacks):
        plots.drawing("combined").draw(bench, replace(pool, scores={}), Limits(), {})


def test_a_figure_of_predicted_accuracies_says_so():
    which = {"proxies": ["zen", "snip"], "accuracy": "predicted"}
    made = plots.FIGURES["macs"].make(Bench(), "r2-mini", "cifar10", **which)
    said = made.get_suptitle().replace("\n", " ")
    assert "val predicted accuracy, from 100 trained networks" in said
    assert any(axes.get_ylabel().startswith("predicted accuracy of the pick") for axes in made.axes)
    other = plots.FIGURES["hybrid"].make(Bench(), "r2-mini", "cifar10", **which)
    assert "predicted accuracy" in other.get_suptitle().replace("\n", " ")
