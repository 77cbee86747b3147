"""Archs: drawn to scale, in the order of the rank that is said above them."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from nbzero import plots
from nbzero.errors import UsageError
from nbzero.judge.picks import constrained
from nbzero.judge.rows import ORACLE
from nbzero.spaces.macro import Arch
from tests.plots.looks import apart, within


def heads_of(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def rank_of(head):
    return float(head.split("true rank ")[1].split(",")[0])


def names_of(head):
    """The proxies that a head names."""
    listed = head.rpartition("\n")[0].replace("\n", " ")
    return {name.strip().split(" ")[0] for name in listed.split(",")}


def stages_of(axes):
    """The boxes of stages: the stem and the edges of halving stages are thinner than a block."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_width() >= 1]


@pytest.mark.parametrize("budget", [1, None])
def test_archs_are_drawn_to_scale(bench, pool, picks, budget):
    figure = plots.best_archs(picks, "macs", budget)
    within(figure)
    part = picks.only((picks["cost"] == "macs") & (picks["budget"] == (budget or 5)))
    inside = pool.costs["macs"] <= part["limit"][0]
    proxies = {}
    for row in part:
        proxies.setdefault(row["arch"], set()).add(row["proxy"])
    del proxies[None]  # the random pick
    by_names = {frozenset(names): arch for arch, names in proxies.items()}
    shown = set()
    for axes, head in zip(figure.axes, heads_of(figure), strict=True):
        arch = by_names[frozenset(names_of(head))]
        shown.add(arch)
        boxes = stages_of(axes)
        stages = Arch.parse(arch).stages
        sizes = [(box.get_width(), box.get_height()) for box in boxes]
        assert sizes == [(stage.depth, stage.width) for stage in stages]
        assert len(axes.patches) - len(boxes) - 1 == sum(stage.stride == 2 for stage in stages)
        accuracy = bench.query(arch).accuracy("cifar10")
        said = f"accuracy {accuracy:.4f}, true rank {(pool.accuracy[inside] > accuracy).sum()}"
        assert head.rpartition("\n")[2] == said or "means of the tied" in head
    assert shown == set(proxies)
    ranks = [rank_of(head) for head in heads_of(figure)]
    assert ranks == sorted(ranks), "in the order of what is said above them"
    assert ORACLE in heads_of(figure)[0]


def test_the_widths_of_drawn_archs_lie_apart(other):
    # One of these has a last stage of one wide block.
    figure = plots.best_archs(constrained(other.only(other.arch_ids < 30)))
    within(figure)
    turned = 0
    for axes in figure.axes:
        apart(axes.texts, figure.canvas.get_renderer())
        turned += sum(text.get_rotation() == 90 for text in axes.texts)
        widths = [text for text in axes.texts[1:] if not text.get_text().startswith("d")]
        for text, box in zip(widths, stages_of(axes), strict=True):
            assert text.get_rotation() == 0 or box.get_width() == 1
    assert turned, "three digits over one block"


def test_archs_stand_in_the_order_of_the_rank_above_them(pool):
    """The first of the archs that tie for a constant score is the worst, and another proxy's pick.

    Its own rank is said, not the mean of the tied.
    """
    some = replace(pool, accuracy=np.concatenate([[0.0], pool.accuracy[1:]]))
    place, order = np.arange(len(some)), np.argsort(-some.accuracy, kind="stable")
    scores = {"constant": np.ones(len(some)), "worst": place == 0, "poor": place == order[-3]}
    scores = {name: np.asarray(one, float) for name, one in scores.items()}
    heads = heads_of(plots.best_archs(constrained(replace(some, scores=scores))))
    ranks = [rank_of(head) for head in heads]
    assert ranks == sorted(ranks) and ranks[-1] == len(some) - 1
    assert "constant" in heads[-1] and "worst" in heads[-1]


def test_archs_that_cannot_be_drawn_say_why(pool, picks):
    with pytest.raises(UsageError, match="budget 9; the picks have limits 1 to 5"):
        plots.best_archs(picks, budget=9)
    with pytest.raises(UsageError, match="nothing was picked under limit 1 of macs"):
        plots.best_archs(constrained(pool, "macs", [1.0, 1e9]), budget=1)
    foreign = replace(pool, archs=tuple(f"{number:08}" for number in range(len(pool))))
    with pytest.raises(UsageError, match="an arch of nbmacro, an imported space"):
        plots.best_archs(constrained(foreign))
