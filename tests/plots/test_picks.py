"""Picks: lines and map are the rows of `constrained`, whiskers its intervals."""

from dataclasses import replace

import numpy as np
import pytest

from nbzero import plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.judge.evaluate import evaluate
from nbzero.judge.hybrids import Hybrid
from nbzero.judge.picks import constrained, mbr_table
from nbzero.judge.rows import CEILING, ORACLE, RANDOM
from tests.plots.looks import PROXIES, foot, labels, line, title, within


@pytest.fixture(scope="module", params=["macs", "params", "depth"])
def drawn(request, bench, pool, picks):
    """A cost, the figure of its limits, its rows of the picks, and the table beside the map."""
    cost = request.param
    table = mbr_table(pool)
    figure = plots.limits(picks, cost, table, highlight=["zen", "snip"])
    within(figure)
    return cost, figure, picks.only(picks["cost"] == cost), table


def test_limits_are_the_picks(drawn):
    _, figure, part, _ = drawn
    right, top, bottom = (axes for axes in figure.axes if axes.get_label() != "<colorbar>")
    words = {"zen": "zen", "snip": "snip", RANDOM: "random pick", ORACLE: "oracle: the best arch"}
    for name, word in words.items():
        rows = part.only(part["proxy"] == name)
        accuracies = np.column_stack([rows["limit"], rows["accuracy"]])
        ranks = np.column_stack([rows["limit"], rows["true_rank"] / rows["pool_size"]])
        np.testing.assert_array_equal(line(top, word).get_xydata(), accuracies)
        np.testing.assert_array_equal(line(bottom, word).get_xydata(), ranks)
    others = [one for one in top.lines if one.get_label() == "_" or "others" in one.get_label()]
    num_proxies = len(labels(right)) - 1  # and another seed, which has no line
    assert len(others) + len(words) == len(top.lines) == num_proxies


def test_the_map_is_the_ranks_with_the_mbr_beside_the_names(drawn):
    cost, figure, part, table = drawn
    right = figure.axes[0]
    names = [label.split(" ")[0] for label in labels(right)]
    assert names[0] == ORACLE and names[-2] == RANDOM
    assert " ".join(labels(right)[-1].split()[:2]) == CEILING
    mbr = {row["proxy"]: row[f"mbr_{cost}"] for row in table}
    cells = right.images[0].get_array()
    for at, name in enumerate(names[:-1]):
        rows = part.only(part["proxy"] == name)
        np.testing.assert_array_equal(cells[at], rows["true_rank"] / rows["pool_size"])
        assert float(labels(right)[at].split()[-1]) == pytest.approx(mbr[name], abs=6e-4)
    assert cells[-1].mask.all(), "no picks of another seed"
    words = [text.get_text() for text in right.texts]
    assert len(words) == len(names) * 5 and set(words[-5:]) == {"-"}


@pytest.fixture(scope="module")
def twins(pool):
    """Two proxies that pick the same archs, and another one."""
    scores = {"one": pool.scores["zen"], "two": pool.scores["zen"], "three": pool.scores["snip"]}
    return replace(pool, scores=scores, accuracies=None)


@pytest.fixture(scope="module")
def resampled(twins):
    return constrained(twins, "macs", resamples=20)


def test_whiskers_are_the_intervals_and_equal_picks_stand_side_by_side(twins, resampled):
    names = ("one", "two", "three")
    table = mbr_table(twins, "macs", resamples=20)
    figure = plots.limits(resampled, "macs", table, names)
    within(figure)
    right, top, bottom = figure.axes[:3]
    for whiskers, name in zip(top.collections, names, strict=True):
        rows = resampled.only(resampled["proxy"] == name)
        ends = [(segment[0][1], segment[1][1]) for segment in whiskers.get_segments()]
        np.testing.assert_array_equal(ends, np.column_stack([rows["accuracy_low"], rows["accuracy_high"]]))
    assert not bottom.collections, "ranks of other pools are no share of these"
    limit = [(resampled["limit"][0], 0.5)]
    for axes in (top, bottom):
        places = [line(axes, name).get_transform().transform(limit)[0][0] for name in names]
        assert places[1] - places[0] > 2 and places[2] - places[1] > 2, "pixels"
        assert abs(places[1] - axes.transData.transform(limit)[0][0]) < 1e-6
    shown = {" ".join(label.split()) for label in labels(right)}
    for row in table:
        interval = f"[{row['mbr_macs_low']:.2f}, {row['mbr_macs_high']:.2f}]"
        assert f"{row['proxy']} {row['mbr_macs']:.3f} {interval}" in shown
    assert "Whiskers: intervals of the accuracy" in foot(figure) and "20 resamples" in foot(figure)
    plain = plots.limits(constrained(twins, "macs"), "macs")
    assert not plain.axes[1].collections and "Whiskers" not in foot(plain)


def test_combined_and_alone_have_whiskers_of_the_accuracy(resampled):
    figure = plots.before_after(resampled, {"three": ["one", "two"]})
    within(figure)
    accuracy, rank = figure.axes
    assert len(accuracy.collections) == 3 and not rank.collections


def test_joint_limits_are_said_in_words(pool):
    joint = plots.limits(constrained(pool, None, {"macs": 2e7, "params": 2e5}), "macs and params")
    assert "params <= 200000" in joint.axes[2].get_xticklabels()[0].get_text().replace("\n", " ")
    within(joint)


def test_a_limit_below_every_arch_is_empty_in_the_map(pool):
    low = float(pool.costs["macs"].min())
    given = plots.limits(constrained(pool, "macs", [low / 10, low, 10 * low, 100 * low]), "macs")
    within(given)
    (right,) = (axes for axes in given.axes if axes.images)
    assert right.images[0].get_array()[:, 0].mask.all()
    assert right.get_xticklabels()[0].get_text().endswith("N = 0")


def test_a_proxy_without_any_score_is_no_row_and_a_note_names_it(pool):
    none, half = np.full(len(pool), np.nan), np.where(np.arange(len(pool)) % 2, np.nan, pool.scores["zen"])
    some = replace(pool, scores={"zen": pool.scores["zen"], "none": none, "half": half, "nil": none})
    figure = plots.limits(constrained(some, "macs"), "macs", mbr_table(some, "macs"))
    within(figure)
    right, top, bottom = figure.axes[:3]
    proxies = {"zen", "half", *pool.costs}
    shown = [label.split()[0] for label in labels(right)]
    assert set(shown) == {*proxies, ORACLE, RANDOM, CEILING.split()[0]}
    assert len(shown) == len(right.images[0].get_array())
    assert len(top.lines) == len(bottom.lines) == len(proxies) + 2
    assert "Not drawn, because no arch has a score of it: none, nil." in foot(figure)
    with pytest.raises(UsageError, match="highlight none: no arch has a score of it; name others"):
        plots.limits(constrained(some, "macs"), "macs", highlight=["zen", "none"])


@pytest.mark.parametrize("spacing", ["even", "quantile"])
def test_limits_of_a_report(pool, spacing):
    picks = evaluate(pool, pool.scores["zen"], "mine").picks
    figure = plots.limits(picks, "depth", spacing=spacing)
    is_drawn = (picks["spacing"] == spacing) & (picks["cost"] == "depth") & (picks["proxy"] == ORACLE)
    drawn = line(figure.axes[1], "oracle: the best arch")
    np.testing.assert_array_equal(drawn.get_xdata(), picks.only(is_drawn)["limit"])
    assert f"Under {spacing} limits of depth" in title(figure)


def test_a_metric_of_its_own_is_named(picks):
    figure = plots.limits(picks, metric="ssim")
    assert figure.axes[1].get_ylabel() == "ssim of the pick\n(higher is better)"


def test_before_and_after_are_the_picks(pool):
    pair = Hybrid(("zen", "macs"))
    scores = {**pool.scores, pair.name: pair.scores(pool)}
    picks = constrained(replace(pool, scores=scores), "macs")
    figure = plots.before_after(picks, {pair.name: pair.members, "snip": ["synflow"]})
    within(figure)
    accuracy, other, rank, _ = figure.axes
    words = {"zen": "zen alone", "macs": "macs alone", pair.name: "combined", ORACLE: "oracle"}
    words[RANDOM] = "random pick"
    for name, word in words.items():
        rows = picks.only(picks["proxy"] == name)
        accuracies = np.column_stack([rows["limit"], rows["accuracy"]])
        np.testing.assert_array_equal(line(accuracy, word).get_xydata(), accuracies)
        np.testing.assert_array_equal(line(rank, word).get_ydata(), rows["true_rank"] / rows["pool_size"])
    assert accuracy.get_title() == "zen + macs" and other.get_title() == "snip"


def test_picks_that_cannot_be_drawn_say_why(pool, picks):
    with pytest.raises(UsageError, match="limits draws a Frame of constrained, not Pool"):
        plots.limits(pool)
    with pytest.raises(UnknownNameError, match="no cost named 'mac'"):
        plots.limits(picks, "mac")
    with pytest.raises(UnknownNameError, match="limits draws a Frame of mbr_table"):
        plots.limits(picks, "macs", picks)
    with pytest.raises(UnknownNameError, match="no proxy named 'zem'"):
        plots.limits(picks, "macs", highlight=["zem"])
    with pytest.raises(UsageError, match="7 proxies to highlight; 6"):
        plots.limits(picks, "macs", highlight=[*PROXIES, "macs", "params"])
    with pytest.raises(UsageError, match="highlight is 'zen'; it is a list of names"):
        plots.limits(picks, "macs", highlight="zen")
    with pytest.raises(UsageError, match=r"every limit on macs is below every arch \(macs <= 1\)"):
        plots.limits(constrained(pool, "macs", [1.0]), "macs")
    with pytest.raises(UnknownNameError, match="no spacing named 'evn'"):
        plots.limits(evaluate(pool, pool.accuracy).picks, spacing="evn")


def test_combinations_that_cannot_be_drawn_say_why(picks):
    with pytest.raises(UsageError, match="no combinations to draw"):
        plots.before_after(picks, {})
    with pytest.raises(UsageError, match="combined is a list; it gives the members by the name"):
        plots.before_after(picks, ["zen"])
    with pytest.raises(UnknownNameError, match="no proxy named 'zem'"):
        plots.before_after(picks, {"zen": ["zem"]})
    with pytest.raises(UsageError, match="zen has 0 members"):
        plots.before_after(picks, {"zen": []})
    with pytest.raises(UsageError, match="zen has 7 members; 6 can be told apart"):
        plots.before_after(picks, {"zen": [*PROXIES, "macs", "params"]})
