"""Figures: their artists carry the numbers of the tables, nothing runs off the edge, and what cannot be drawn says why."""

import math
import re
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from nbzero import Bench, plots
from nbzero.constrained import (
    CEILING,
    ORACLE,
    RANDOM,
    constrained,
    correlations,
    evaluate,
    mbr_table,
    seed_accuracies,
    with_tau_intervals,
)
from nbzero.errors import UnknownNameError, UsageError
from nbzero.factors import Sample, as_sample
from nbzero.frame import Frame
from nbzero.hybrid import HYBRIDS, Hybrid, best_hybrids
from nbzero.judge.factors import factors
from nbzero.pool import pool_of

PROXIES = ["zen", "snip", "synflow", "jacob_cov", "linear_regions"]
REFERENCES = (ORACLE, RANDOM, CEILING)


@pytest.fixture(scope="module")
def bench():
    return Bench()


@pytest.fixture(scope="module")
def pool(bench):
    return pool_of(bench, "r1-mini", "cifar10", proxies=PROXIES)


@pytest.fixture(scope="module")
def other(bench):
    return pool_of(bench, "r2-mini", "cifar10", proxies=PROXIES)


@pytest.fixture(scope="module")
def odd(pool):
    """The pool with every kind of score that breaks an axis."""
    rng, num = np.random.default_rng(0), len(pool)
    normal, wide, sign = rng.normal(size=num), 10 ** rng.uniform(0, 64, num), rng.choice([-1, 1], num)
    scores = {
        "minus_inf": np.where(rng.random(num) < 0.2, -np.inf, normal),
        "plus_inf": np.where(rng.random(num) < 0.2, np.inf, normal),
        "all_minus_inf": np.full(num, -np.inf),
        "none": np.full(num, np.nan),
        "half": np.where(np.arange(num) % 2, np.nan, normal),
        "wide": wide,
        "wide_signed": wide * sign,
        "wide_negative": -wide,
        "constant": np.ones(num),
        "nearly_constant": np.where(sign > 0, 1.0, 1 + 2**-52),
        "tiny": normal * 1e-8,
        "largest": np.full(num, 1.7e308) * sign,
        "smallest": normal * 1e-300,
        "$x_1$": normal,
    }
    return replace(pool, scores=scores)


def drawn(figure):
    """The texts of the figure that are seen, after it was laid out, with warnings as errors."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def within(figure):
    """Everything drawn, texts and ticks too, lies inside the figure."""
    drawn(figure)
    box, (width, height) = figure.get_tightbbox(figure.canvas.get_renderer()), figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01, (
        box,
        width,
        height,
    )


def apart(labels, renderer):
    """No two of the labels lie over each other."""
    boxes = [label.get_window_extent(renderer) for label in labels if label.get_text()]
    for at, box in enumerate(boxes):
        for after in boxes[at + 1 :]:
            assert not (box.x0 < after.x1 and after.x0 < box.x1 and box.y0 < after.y1 and after.y0 < box.y1)


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def line(axes, label):
    return next(one for one in axes.lines if one.get_label() == label)


def test_registry():
    assert [one.number for one in plots.FIGURES.values()] == list(range(1, 11))
    assert all(
        name == one.name and one.meaning and one.function.__doc__ for name, one in plots.FIGURES.items()
    )
    assert plots.drawing("mbr").function is plots.mbr_bars
    with pytest.raises(UnknownNameError, match="no figure named 'mbrs'; did you mean 'mbr'"):
        plots.drawing("mbrs")


@pytest.mark.parametrize("name", sorted(plots.FIGURES))
def test_every_recipe_draws_from_the_release(name, bench):
    before = set(sys.modules)
    figure = plots.drawing(name).make(
        bench, "r1-mini", "cifar10", proxies=["zen"] if name == "factors" else PROXIES
    )
    assert isinstance(figure, Figure)
    assert (
        "r1-mini" in title(figure)
        and "cifar10" in title(figure)
        and "val" in title(figure)
        and "seed 0" in title(figure)
    )
    within(figure)
    assert "N = " in " ".join(text.get_text() for text in drawn(figure))
    assert "matplotlib.pyplot" not in set(sys.modules) - before, "no global state"


def test_bars_are_the_values_of_the_table(bench, pool):
    table = mbr_table(pool, accuracies=seed_accuracies(bench, pool), resamples=20)
    for column in ("mbr_union", "mbr_macs_pool"):
        figure = plots.mbr_bars(table, column)
        axes = figure.axes[0]
        value = {row["proxy"]: row[column] for row in table if row["proxy"] not in REFERENCES}
        found = dict(zip(labels(axes), (bar.get_width() for bar in axes.patches), strict=True))
        assert found == value and list(found.values()) == sorted(value.values())
        for name, word in ((RANDOM, "random pick"), (CEILING, "another seed")):
            (x,) = {row[column] for row in table if row["proxy"] == name}
            assert next(one for one in axes.lines if one.get_label().startswith(word)).get_xdata()[0] == x
        assert f"N = {len(pool)}" in title(figure)
        within(figure)
    (whiskers,) = plots.mbr_bars(table).axes[0].collections
    ends = [(segment[0][0], segment[1][0]) for segment in whiskers.get_segments()]
    rows = {row["proxy"]: row for row in table}
    assert ends == [
        (rows[name]["mbr_union_low"], rows[name]["mbr_union_high"])
        for name in labels(plots.mbr_bars(table).axes[0])
    ]
    assert not plots.mbr_bars(mbr_table(pool)).axes[0].collections, "no intervals, no whiskers"


def test_bars_of_a_report_and_of_two_tables(pool, other):
    scores = np.where(np.arange(len(pool)) % 3 == 0, np.nan, pool.scores["zen"])
    report = evaluate(pool, scores, "mine", resamples=20)
    axes = plots.mbr_bars(report, "mbr_macs").axes[0]
    lacking = int(np.isnan(scores).sum())
    (at,) = (number for number, label in enumerate(labels(axes)) if label.startswith("mine"))
    assert labels(axes)[at] == f"mine ({lacking} without score)" and axes.patches[at].get_hatch()
    low, high = next(
        (row["low"], row["high"])
        for row in report.intervals
        if (row["proxy"], row["metric"]) == ("mine", "mbr_macs")
    )
    segment = axes.collections[0].get_segments()[at]
    assert (segment[0][0], segment[1][0]) == (low, high)
    colours = {label: bar.get_facecolor() for label, bar in zip(labels(axes), axes.patches, strict=True)}
    assert len({colours[labels(axes)[at]], colours["zen"], colours["macs"]}) == 3
    assert "quantile" in plots.mbr_bars(report, "quantile_mbr_union_pool").axes[0].get_xlabel()
    figure = plots.mbr_bars([mbr_table(pool), mbr_table(other)])
    assert [
        f"N = {len(one)}" in axes.get_title() for axes, one in zip(figure.axes, (pool, other), strict=True)
    ] == [True, True]
    within(figure)


def test_distributions_hold_every_arch(pool, other):
    figure = plots.distributions([pool, other])
    within(figure)
    for axes in figure.axes:
        name = axes.get_xlabel().split(" ")[0]
        if name in pool.costs:
            for points, one in zip(axes.collections, (pool, other), strict=True):
                np.testing.assert_array_equal(
                    points.get_offsets(), np.column_stack([one.costs[name], one.accuracy])
                )
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes[:3]]
    assert counts == [len(pool) + len(other)] * 3
    assert sum(bar.get_width() for bar in figure.axes[-1].patches) == len(pool) + len(other)
    skewed = {axes.get_xlabel().split(" ")[0]: axes.get_xscale() for axes in figure.axes[4:7]}
    assert skewed["macs"] == "log" and skewed["depth"] == "linear"
    assert plots.distributions(pool, ["depth"]).axes[2].get_xlabel() == "depth (blocks)"


def test_an_axis_of_scores_that_span_tens_of_orders_spreads_them(pool):
    spread = 10.0 ** np.linspace(8, 66, len(pool))
    spread[:3] = 0.0
    (axes,) = plots.proxy_scatter(replace(pool, scores={"synflow": spread}), proxies=["synflow"]).axes
    places = axes.transData.transform(axes.collections[0].get_offsets())[:, 0]
    assert (
        axes.get_xscale() == "symlog" and np.ptp(np.sort(places)[len(places) // 2 :]) > 0.3 * axes.bbox.width
    )


def test_scatter_has_every_arch_and_tells_which_have_no_place(pool, odd):
    for one in (pool, odd):
        table = correlations(one)
        figure = plots.proxy_scatter(one, table)
        within(figure)
        assert f"N = {len(one)}" in title(figure)
        names = [*one.scores, *(name for name in one.costs if name not in one.scores)]
        panels = {axes.get_title().replace(r"\$", "$").split("\n")[0]: axes for axes in figure.axes}
        assert sorted(panels) == sorted(names)
        tau = {row["proxy"]: row["kendall"] for row in table}
        for name, axes in panels.items():
            scores = one.score(name)
            finite, *endless = axes.collections
            assert len(finite.get_offsets()) == np.isfinite(scores).sum()
            assert sum(len(points.get_offsets()) for points in endless) == np.isinf(scores).sum()
            _, shown, *said = axes.get_title().split("\n")
            said = "; ".join(said).split("; ")
            absent = int(np.isnan(scores).sum())
            counts = {
                "without score": absent if absent < len(scores) else 0,
                "-inf": (scores == -math.inf).sum(),
                "+inf": (scores == math.inf).sum(),
            }
            counted = [part for part in said if part.endswith(tuple(counts))]
            assert sorted(counted) == sorted(f"{number} {word}" for word, number in counts.items() if number)
            assert ("no arch has a score" in said) == (absent == len(scores))
            assert shown == ("τ undefined" if tau[name] is None else f"τ = {tau[name]:.2f}")
            if np.isfinite(scores).all() and np.abs(scores).max() < 1e200 and np.abs(scores).max() > 1e-200:
                np.testing.assert_array_equal(finite.get_offsets(), np.column_stack([scores, one.accuracy]))
        order = [tau[name] for name in panels]
        assert order == sorted(order, key=lambda value: (value is None, -(value or 0)))
    lacking = plots.proxy_scatter(replace(pool, unscored={"ntk": "singular"}))
    assert (
        "Not drawn, because no arch has a score of it: ntk (the first arch: singular)."
        in lacking.get_supxlabel().replace("\n", " ")
    )
    assert [name for name in panels if "equal but for rounding" in panels[name].get_title()] == [
        "nearly_constant"
    ]
    assert not [text for text in drawn(figure) if text.get_text().strip().startswith(("1e", "+"))], (
        "no factor of an axis looks like a title"
    )
    assert panels["wide"].get_xscale() == "log" and panels["wide_signed"].get_xscale() == "symlog"
    assert [axes.get_title() for axes in plots.proxy_scatter(pool, proxies=["snip", "macs"]).axes] == [
        "snip",
        "macs",
    ]


def test_every_figure_takes_odd_scores(odd):
    picks = constrained(odd, None, 4, "quantile")
    for figure in (
        plots.mbr_bars(mbr_table(odd)),
        plots.limits(picks, "params"),
        plots.best_archs(picks, "macs", 1),
        plots.before_after(picks, {"wide": ["none", "half"]}),
    ):
        within(figure)
    told = plots.mbr_bars(mbr_table(odd)).axes[0]
    assert f"none ({len(odd)} without score)" in labels(told) and "$x_1$" in [
        label.replace(r"\$", "$") for label in labels(told)
    ]


def test_forty_long_names_do_not_overlap(pool):
    rng = np.random.default_rng(0)
    many = replace(
        pool,
        scores={f"a_proxy_with_a_long_name_{number}": rng.normal(size=len(pool)) for number in range(44)},
    )
    for figure in (plots.mbr_bars(mbr_table(many)), plots.limits(constrained(many), "macs")):
        within(figure)
        axes = figure.axes[0] if len(figure.axes) == 1 else next(axes for axes in figure.axes if axes.images)
        assert len(labels(axes)) >= 47
        apart(axes.get_yticklabels(), figure.canvas.get_renderer())
        apart(axes.get_xticklabels(), figure.canvas.get_renderer())
    figure = plots.proxy_scatter(many, proxies=list(many.scores)[:13])
    within(figure)
    apart([axes.title for axes in figure.axes], figure.canvas.get_renderer())


def test_limits_are_the_picks(bench, pool):
    picks, table = constrained(pool), mbr_table(pool, accuracies=seed_accuracies(bench, pool))
    for cost in pool.costs:
        figure = plots.limits(picks, cost, table, highlight=["zen", "snip"])
        within(figure)
        right, top, bottom = (axes for axes in figure.axes if axes.get_label() != "<colorbar>")
        part = picks.only(picks["cost"] == cost)
        for name, word in (
            ("zen", "zen"),
            ("snip", "snip"),
            (RANDOM, "random pick"),
            (ORACLE, "oracle: the best arch"),
        ):
            rows = part.only(part["proxy"] == name)
            np.testing.assert_array_equal(
                line(top, word).get_xydata(), np.column_stack([rows["limit"], rows["accuracy"]])
            )
            np.testing.assert_array_equal(
                line(bottom, word).get_xydata(),
                np.column_stack([rows["limit"], rows["true_rank"] / rows["pool_size"]]),
            )
        names = [label.split(" ")[0] for label in labels(right)]
        assert (
            names[0] == ORACLE and names[-2] == RANDOM and " ".join(labels(right)[-1].split()[:2]) == CEILING
        )
        cells = right.images[0].get_array()
        for r, name in enumerate(names[:-1]):
            rows = part.only(part["proxy"] == name)
            np.testing.assert_array_equal(cells[r], rows["true_rank"] / rows["pool_size"])
            assert float(labels(right)[r].split()[-1]) == pytest.approx(
                next(row[f"mbr_{cost}"] for row in table if row["proxy"] == name), abs=6e-4
            )
        assert cells[-1].mask.all(), "no picks of another seed"
        words = [text.get_text() for text in right.texts]
        assert len(words) == len(names) * 5 and set(words[-5:]) == {"-"}
        others = [one for one in top.lines if one.get_label() == "_" or "others" in one.get_label()]
        assert len(others) + 4 == len(top.lines) == len(names) - 1


def test_whiskers_are_the_intervals_and_equal_picks_stand_side_by_side(pool):
    twins = replace(
        pool, scores={"one": pool.scores["zen"], "two": pool.scores["zen"], "three": pool.scores["snip"]}
    )
    picks, table = constrained(twins, "macs", resamples=20), mbr_table(twins, "macs", resamples=20)
    figure = plots.limits(picks, "macs", table, ["one", "two", "three"])
    within(figure)
    _, top, bottom = figure.axes[:3]
    for whiskers, name in zip(top.collections, ("one", "two", "three"), strict=True):
        rows = picks.only(picks["proxy"] == name)
        ends = [(segment[0][1], segment[1][1]) for segment in whiskers.get_segments()]
        np.testing.assert_array_equal(ends, np.column_stack([rows["accuracy_low"], rows["accuracy_high"]]))
    for axes in (top, bottom):
        places = [
            line(axes, name).get_transform().transform([(picks["limit"][0], 0.5)])[0][0]
            for name in ("one", "two", "three")
        ]
        assert places[1] - places[0] > 2 and places[2] - places[1] > 2, "pixels"
        assert abs(places[1] - axes.transData.transform([(picks["limit"][0], 0.5)])[0][0]) < 1e-6
    shown = {" ".join(label.split()) for label in labels(figure.axes[0])}
    for row in table:
        assert (
            f"{row['proxy']} {row['mbr_macs']:.3f} [{row['mbr_macs_low']:.2f}, {row['mbr_macs_high']:.2f}]"
            in shown
        )
    assert (
        "Whiskers: bootstrap intervals" in figure._supxlabel.get_text()
        and "20 resamples" in figure._supxlabel.get_text()
    )
    both = plots.before_after(picks, {"three": ["one", "two"]})
    within(both)
    assert len(both.axes[0].collections) == 3 and not both.axes[1].collections + bottom.collections, (
        "ranks of other pools are no share of these"
    )
    plain = plots.limits(constrained(twins, "macs"), "macs")
    assert not plain.axes[1].collections and "Whiskers" not in plain._supxlabel.get_text()


def test_tau_in_the_panels_has_its_interval(pool):
    whole, ours = correlations(pool, resamples=200), with_tau_intervals(pool, correlations(pool), 200)
    for name in ("proxy", "kendall", "kendall_low", "kendall_high"):
        assert ours[name].tolist() == whole[name].tolist() or np.array_equal(
            ours[name], whole[name], equal_nan=True
        )
    titles = {
        axes.get_title().split("\n")[0]: axes.get_title().split("\n")[1]
        for axes in plots.proxy_scatter(pool, ours).axes
    }
    for row in ours:
        if row["proxy"] in titles and row["kendall"] is not None:
            assert (
                titles[row["proxy"]]
                == f"τ = {row['kendall']:.2f} [{row['kendall_low']:.2f}, {row['kendall_high']:.2f}]"
            )
    assert titles["linear_regions"] == "τ undefined"


def legends_lie_clear(figure):
    """The words of each legend, none of which lies over an axes (lines, points and bars), a tick label, the label of an axis, or another legend."""
    drawn(figure)
    renderer = figure.canvas.get_renderer()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert legends
    others = [axes.patch for axes in figure.axes] + [
        label for axes in figure.axes for label in (axes.xaxis.label, *axes.get_xticklabels())
    ]
    others += [figure._supxlabel] if figure._supxlabel else []
    boxes = [one.get_window_extent(renderer) for one in others if not isinstance(one, Text) or one.get_text()]
    for at, legend in enumerate(legends):
        box = legend.get_window_extent(renderer)
        for other in [*boxes, *(one.get_window_extent(renderer) for one in legends[at + 1 :])]:
            assert not box.overlaps(other), (legend.get_texts()[0].get_text(), box, other)
    return [[text.get_text() for text in legend.get_texts()] for legend in legends]


@pytest.mark.parametrize("name", ["mbr", "macs", "depth", "hybrid", "combined"])
@pytest.mark.parametrize("space", ["r1-mini", "mb-mini"])
def test_legends_lie_beside_what_is_drawn(name, space, bench):
    said = legends_lie_clear(plots.drawing(name).make(bench, space, "cifar10", proxies=PROXIES))
    names, recipe = [*PROXIES, "macs", "params", "depth"], bench.recipes(space, "cifar10")[0]
    coloured = ["2 others", *["|".join(names)] * (len(names) - 2), "oracle: the best arch", "random pick"]
    elsewhere = [one for one in bench.spaces if one != space and recipe in bench.recipes(one, "cifar10")]
    wanted = {
        "mbr": [
            [
                "proxy",
                "cost, larger is better",
                r"random pick: 0\.\d{3}",
                r"another seed \(noise ceiling\): 0\.\d{3}",
            ]
        ],
        "macs": [coloured],
        "depth": [coloured],
        "hybrid": [
            ["runners-up", r"best, where it was chosen \(in-sample\)", "best of as many by chance .*"],
            [rf"{one}, cifar10, {recipe}, val, seed 0, N = \d+ \(other space\)" for one in elsewhere],
        ],
        "combined": [
            [*(f"{one} alone" for one in HYBRIDS[key].members), "combined", "oracle", "random pick"]
            for key in plots.NAMED
        ],
    }[name]
    assert len(said) == len(wanted)
    for words, patterns in zip(said, wanted, strict=True):
        assert all(map(re.fullmatch, patterns, words)) and len(set(words)) == len(words) == len(patterns), (
            words
        )


def test_legends_of_two_pools_lie_beside_what_is_drawn(pool, other):
    tables = [mbr_table(one) for one in (pool, other)]
    assert legends_lie_clear(plots.distributions([pool, other])) == [[pool.name, other.name]]
    random = [next(row["mbr_union"] for row in table if row["proxy"] == RANDOM) for table in tables]
    assert legends_lie_clear(plots.mbr_bars(tables)) == [
        ["proxy", "cost, larger is better", f"random pick: {value:.3f}"] for value in random
    ]


def test_ranks_begin_at_zero_and_a_point_there_is_whole(pool, other):
    found = best_hybrids(pool, ["zen", "snip", "macs"], draws=2)
    picks = constrained(pool, "macs")
    for axes in (
        *plots.hybrid_curves(found.table(), found.judge(other)).axes[:2],
        plots.limits(picks, "macs").axes[2],
        plots.before_after(picks, {"zen": ["snip", "macs"]}).axes[1],
    ):
        assert axes.get_ylim()[0] == 0 < axes.get_ylim()[1]
        lines = [one for one in axes.lines if one.get_marker() not in ("None", "", ".", "_")]
        assert lines and not any(one.get_clip_on() for one in lines)
        assert all((np.asarray(one.get_ydata()) <= axes.get_ylim()[1]).all() for one in axes.lines)


def test_lines_of_reference_are_seen_beyond_the_bars():
    table = Frame({"proxy": ["zen", RANDOM, CEILING], "mbr_union": [0.1, 0.4, 0.3]})
    axes = plots.mbr_bars(table).axes[0]
    assert axes.get_xlim()[0] == 0 and axes.get_xlim()[1] > 0.4


def test_the_intervals_of_a_recipe_are_under_its_limits(pool):
    given, laid = plots._with_accuracy_intervals(pool, "depth"), constrained(pool, "depth")
    for name in laid.columns:
        assert given[name].tolist() == laid[name].tolist() or np.array_equal(
            given[name], laid[name], equal_nan=True
        ), name
    again = constrained(pool, "depth", laid["limit"][:: len(laid) // 5].tolist(), resamples=200)
    np.testing.assert_array_equal(given["accuracy_low"], again["accuracy_low"])
    assert plots._with_accuracy_intervals(pool.only(np.arange(1)), "depth")["accuracy"].size


def test_whole_costs_have_whole_ticks(pool):
    two = replace(pool, costs={"depth": np.where(np.arange(len(pool)) % 2, 2.0, 4.0)})
    axes = plots.distributions(two).axes[2]
    assert [float(tick) for tick in axes.get_xticks() if 1 < tick < 5] == [2.0, 3.0, 4.0]
    few = plots.distributions(pool.only(np.arange(3)))
    assert all(
        float(tick).is_integer() for tick in (*few.axes[0].get_yticks(), *few.axes[-1].get_xticks())
    ), "numbers of archs"


def test_a_space_that_lacks_a_cost_is_named_once(bench, monkeypatch):
    import nbzero.pool

    def without_macs(bench, space, *rest, **more):
        pool = pool_of(bench, space, *rest, **more)
        kept = (
            pool.scores
            if space == "mb-mini"
            else {name: pool.scores[name] for name in pool.scores if name not in pool.costs}
        )
        return replace(pool, scores=kept, costs={"depth": pool.costs["depth"]})

    chosen = pool_of(bench, "r1-mini", "cifar10", proxies=["zen"])
    monkeypatch.setattr(nbzero.pool, "pool_of", without_macs)
    notes = " ".join(plots.drawing("hybrid").draw(bench, chosen)._supxlabel.get_text().split())
    assert "Not judged on r2-mini, which has no macs, params." in notes
    assert "Not judged on mb-mini, which has no macs." in notes, "a score called macs is no cost"


def test_limits_of_other_kinds(pool):
    joint = plots.limits(constrained(pool, None, {"macs": 2e7, "params": 2e5}), "macs and params")
    assert "params <= 200000" in joint.axes[2].get_xticklabels()[0].get_text().replace("\n", " ")
    within(joint)
    low = float(pool.costs["macs"].min())
    given = plots.limits(constrained(pool, "macs", [low / 10, low, 10 * low, 100 * low]), "macs")
    within(given)
    (map_,) = (axes for axes in given.axes if axes.images)
    assert map_.images[0].get_array()[:, 0].mask.all() and map_.get_xticklabels()[0].get_text().endswith(
        "N = 0"
    )
    report = evaluate(pool, pool.scores["zen"], "mine")
    for spacing in ("even", "quantile"):
        figure = plots.limits(report.picks, "depth", spacing=spacing)
        rows = report.picks.only(
            (report.picks["spacing"] == spacing)
            & (report.picks["cost"] == "depth")
            & (report.picks["proxy"] == ORACLE)
        )
        np.testing.assert_array_equal(
            line(figure.axes[1], "oracle: the best arch").get_xdata(), rows["limit"]
        )
        assert f"Under {spacing} limits of depth" in title(figure)


def test_radars_are_the_importances(pool):
    rng = np.random.default_rng(0)
    sample = as_sample(pool).with_target("noise", rng.normal(size=len(pool)))
    frame = factors(sample, ["macs", "noise", "linear_regions", "accuracy"])
    for importance in ("permutation", "gain", "gain_unique"):
        figure = plots.factor_radars(frame, importance)
        if importance == "permutation":
            within(figure)
        panels = {axes.get_title().split("\n")[0]: axes for axes in figure.axes}
        assert list(panels) == ["accuracy", "macs", "noise", "linear_regions"]
        for name in ("macs", "accuracy"):
            rows = {row["factor"]: row[importance] for row in frame if row["target"] == name}
            spokes = [text.get_text() for text in panels[name].texts]
            bars = [bar.get_height() for bar in panels[name].patches]
            assert dict(zip(spokes, bars, strict=True)) == {
                factor: max(rows[factor] or 0.0, 0.0) for factor in spokes
            }
            assert set(spokes) >= {factor for factor, value in rows.items() if value}
        first = {row["target"]: row for row in frame}
        assert f"R² = {first['macs']['r2']:.2f}, N = {len(pool)}" in panels["macs"].get_title()
        assert (
            "does not fit" in panels["noise"].get_title() and "does not fit" not in panels["macs"].get_title()
        )
        assert not panels["linear_regions"].patches and "no model: the same" in panels[
            "linear_regions"
        ].texts[-1].get_text().replace("\n", " ")
    assert [
        axes.get_title().split("\n")[0] for axes in plots.factor_radars(frame, targets=["noise"]).axes
    ] == ["noise"]


def test_what_is_written_on_a_radar_lies_apart(pool):
    figure = plots.factor_radars(factors(as_sample(pool), ["macs", "accuracy"]), metric="ssim")
    within(figure)
    frame = factors(as_sample(pool), ["macs", "accuracy"])
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == ["ssim", "macs"]
    for axes, target in zip(figure.axes, ("accuracy", "macs"), strict=True):
        assert not any(label.get_text() for label in (*axes.get_yticklabels(), *axes.get_xticklabels())), (
            "names and numbers are texts of their own"
        )
        apart([*axes.texts, axes.title], figure.canvas.get_renderer())
        ends = [
            row["permutation"] + row["permutation_se"]
            for row in frame
            if row["target"] == target and row["same_as"] is None
        ]
        assert axes.get_title().endswith(f"outer ring {max(ends):.2f}") and axes.get_ylim() == (
            0,
            pytest.approx(max(ends)),
        )
        assert list(axes.get_yticks()) == [pytest.approx(max(ends) / 2)]
    said = " ".join(figure._supxlabel.get_text().split())
    assert "inner ring half of it" in said and "s4: the whole fourth stage" in said


def test_archs_are_drawn_to_scale(bench, pool):
    picks = constrained(pool)
    for budget in (1, None):
        figure = plots.best_archs(picks, "macs", budget)
        within(figure)
        part = picks.only((picks["cost"] == "macs") & (picks["budget"] == (budget or 5)))
        picked = {}
        for row in part:
            picked.setdefault(row["arch"], set()).add(row["proxy"])
        picked.pop(None)  # the random pick
        assert len(figure.axes) == len(picked)
        shown, ranks = set(), []
        for axes in figure.axes:
            head = axes.get_title(loc="left")
            arch = next(
                one
                for one, names in picked.items()
                if {
                    name.strip().split(" ")[0]
                    for name in head.rpartition("\n")[0].replace("\n", " ").split(",")
                }
                == names
            )
            shown.add(arch)
            boxes = [
                patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_width() >= 1
            ]
            stages = [
                tuple(map(int, piece[1:].replace("w", " ").replace("s", " ").split()))
                for piece in arch.split("-")
                if piece.startswith("d")
            ]
            assert [(box.get_width(), box.get_height()) for box in boxes] == [
                (depth, width) for depth, width, _ in stages
            ]
            assert len(axes.patches) - len(boxes) - 1 == sum(stride == 2 for *_, stride in stages)
            accuracy = bench.query(arch).accuracy("cifar10")
            inside = pool.costs["macs"] <= part["limit"][0]
            said = head.rpartition("\n")[2]
            assert (
                said == f"accuracy {accuracy:.4f}, true rank {(pool.accuracy[inside] > accuracy).sum()}"
                or "means of the tied" in said
            )
            ranks.append(float(said.split("true rank ")[1].split(",")[0]))
        assert shown == set(picked) and ranks == sorted(ranks), "in the order of what is said above them"
        assert ORACLE in figure.axes[0].get_title(loc="left")


def test_the_widths_of_drawn_archs_lie_apart(other):
    figure = plots.best_archs(
        constrained(other.only(other.arch_ids < 30))
    )  # one of which has a last stage of one wide block
    within(figure)
    turned = 0
    for axes in figure.axes:
        apart(axes.texts, figure.canvas.get_renderer())
        turned += sum(text.get_rotation() == 90 for text in axes.texts)
        blocks = [
            patch.get_width()
            for patch in axes.patches
            if isinstance(patch, Rectangle) and patch.get_width() >= 1
        ]
        widths = [text for text in axes.texts[1:] if not text.get_text().startswith("d")]
        assert all(text.get_rotation() == 0 for text, depth in zip(widths, blocks, strict=True) if depth > 1)
    assert turned, "three digits over one block"


def test_archs_stand_in_the_order_of_the_rank_above_them(pool):
    """The first of the archs that tie for a constant score is the worst, and another proxy's pick: its own rank is said, not the mean of the tied."""
    some = replace(pool, accuracy=np.concatenate([[0.0], pool.accuracy[1:]]))
    order = np.argsort(-some.accuracy, kind="stable")
    picked = {
        "constant": np.ones(len(some)),
        "worst": np.arange(len(some)) == 0,
        "poor": np.arange(len(some)) == order[-3],
    }
    figure = plots.best_archs(
        constrained(replace(some, scores={name: np.asarray(one, float) for name, one in picked.items()}))
    )
    heads = [axes.get_title(loc="left") for axes in figure.axes]
    ranks = [float(head.split("true rank ")[1].split(",")[0]) for head in heads]
    assert (
        ranks == sorted(ranks)
        and ranks[-1] == len(some) - 1
        and "constant" in heads[-1]
        and "worst" in heads[-1]
    )


def test_hybrid_curves_are_the_search(pool, other):
    found = best_hybrids(pool, ["zen", "snip", "synflow", "jacob_cov"], draws=3)
    best, judged = found.table(), found.judge([pool, other])
    figure = plots.hybrid_curves(best, judged)
    within(figure)
    top, there, members, _ = figure.axes
    first = best.only(best["place"] == 1)
    np.testing.assert_array_equal(
        line(top, "best, where it was chosen (in-sample)").get_xydata(),
        np.column_stack([first["size"], first["mbr"]]),
    )
    chance = next(one for one in top.lines if "chance" in one.get_label())
    np.testing.assert_array_equal(chance.get_ydata(), first["chance"])
    for one, shares in ((pool, "in-sample"), (other, "other space")):
        rows = judged.only(judged["space"] == one.space)
        curve = next(curve for curve in there.lines if curve.get_label().startswith(one.space))
        np.testing.assert_array_equal(curve.get_ydata(), rows["mbr"])
        assert curve.get_label().endswith(f"N = {len(one)} ({shares})")
    inside = [set(names.split(" + ")) for names in first["members"]]
    for name, dots in zip(labels(members), members.collections, strict=True):
        solid = [tuple(colour) != tuple(dots.get_facecolors()[-1]) for colour in dots.get_facecolors()]
        assert [not one for one in solid] == [name in names for names in inside], (
            "the last, of all members, is always in"
        )
    assert f"N = {len(pool)}" in title(figure)
    alone = plots.hybrid_curves(found.table(1))
    within(alone)
    assert len(alone.axes) == 2


def test_before_and_after_are_the_picks(pool):
    pair = Hybrid(("zen", "macs"))
    picks = constrained(replace(pool, scores={**pool.scores, pair.name: pair.scores(pool)}), "macs")
    figure = plots.before_after(picks, {pair.name: pair.members, "snip": ["synflow"]})
    within(figure)
    for name, word in (
        ("zen", "zen alone"),
        ("macs", "macs alone"),
        (pair.name, "combined"),
        (ORACLE, "oracle"),
        (RANDOM, "random pick"),
    ):
        rows = picks.only(picks["proxy"] == name)
        np.testing.assert_array_equal(
            line(figure.axes[0], word).get_xydata(), np.column_stack([rows["limit"], rows["accuracy"]])
        )
        np.testing.assert_array_equal(
            line(figure.axes[2], word).get_ydata(), rows["true_rank"] / rows["pool_size"]
        )
    assert [axes.get_title() for axes in figure.axes[:2]] == ["zen + macs", "snip"]


def test_a_member_is_drawn_alone_by_the_scores_that_its_combination_ranks(bench, pool):
    """macs is a cost and, computed as a proxy, a score too."""
    turned = replace(pool, scores={**pool.scores, "macs": -pool.costs["macs"]})
    picks = constrained(turned, "macs")
    rows = picks.only(picks["proxy"] == "macs")
    alone = line(plots.drawing("combined").draw(bench, turned).axes[0], "macs alone")
    np.testing.assert_array_equal(alone.get_ydata(), rows["accuracy"])


def test_what_cannot_be_drawn_says_why(bench, pool):
    picks, table = constrained(pool), mbr_table(pool)
    bare, macro = (
        replace(pool, costs={}, space="transnas-micro"),
        replace(pool, archs=tuple(f"{i:08}" for i in range(len(pool)))),
    )
    errors = [
        (lambda: plots.mbr_bars([]), ValueError, "no tables to draw"),
        (
            lambda: plots.mbr_bars(picks),
            UnknownNameError,
            "mbr_bars draws a Frame of mbr_table, and this one .Picks within.* is another: no column named 'mbr_union'",
        ),
        (lambda: plots.mbr_bars(table, "mbr_mac"), UnknownNameError, "did you mean 'mbr_macs'"),
        (
            lambda: plots.mbr_bars(table.only(np.zeros(len(table), bool))),
            ValueError,
            "nothing to draw: mBR, 5 even limits.* has no rows",
        ),
        (lambda: plots.mbr_bars(table.only(table["proxy"] == ORACLE)), ValueError, "no proxies to draw"),
        (lambda: plots.limits(pool), UsageError, "limits draws a Frame of constrained, not Pool"),
        (lambda: plots.distributions([]), ValueError, "no pools to draw"),
        (lambda: plots.distributions(pool, ["mac"]), UnknownNameError, "no cost of r1-mini named 'mac'"),
        (lambda: plots.distributions(bare), ValueError, "no cost to draw accuracy against: transnas-micro"),
        (
            lambda: plots.distributions([pool, replace(pool, metric="ssim")]),
            ValueError,
            "different metrics .accuracy, ssim.",
        ),
        (lambda: plots.proxy_scatter(replace(bare, scores={})), ValueError, "neither scores nor costs"),
        (lambda: plots.proxy_scatter(pool, proxies=["zem"]), UnknownNameError, "no proxy named 'zem'"),
        (
            lambda: plots.proxy_scatter(pool, table),
            UnknownNameError,
            "proxy_scatter draws a Frame of correlations",
        ),
        (lambda: plots.limits(picks, "mac"), UnknownNameError, "no cost named 'mac'"),
        (lambda: plots.limits(picks, "macs", highlight=["zem"]), UnknownNameError, "no proxy named 'zem'"),
        (
            lambda: plots.limits(picks, "macs", highlight=[*PROXIES, "macs", "params"]),
            ValueError,
            "7 proxies to highlight; 6",
        ),
        (
            lambda: plots.limits(constrained(pool, "macs", [1.0]), "macs"),
            ValueError,
            "every limit on macs is below every arch .macs <= 1.",
        ),
        (
            lambda: plots.limits(evaluate(pool, pool.accuracy).picks, spacing="evn"),
            UnknownNameError,
            "no spacing named 'evn'",
        ),
        (lambda: plots.best_archs(picks, budget=9), ValueError, "budget 9; the picks have limits 1 to 5"),
        (
            lambda: plots.best_archs(constrained(pool, "macs", [1.0, 1e9]), budget=1),
            ValueError,
            "nothing was picked under limit 1 of macs",
        ),
        (lambda: plots.best_archs(constrained(macro)), ValueError, "an arch of nbmacro, an imported space"),
        (
            lambda: plots.hybrid_curves(table),
            UnknownNameError,
            "hybrid_curves draws a Frame of HybridSearch.table",
        ),
        (lambda: plots.before_after(picks, {}), ValueError, "no combinations to draw"),
        (lambda: plots.before_after(picks, {"zen": ["zem"]}), UnknownNameError, "no proxy named 'zem'"),
        (lambda: plots.before_after(picks, {"zen": []}), ValueError, "zen has 0 members"),
        (lambda: plots.factor_radars(table), UnknownNameError, "factor_radars draws a Frame of factors"),
        (lambda: plots.factor_radars(table, "gains"), UnknownNameError, "no importance named 'gains'"),
    ]
    for call, kind, text in errors:
        with pytest.raises(kind, match=text):
            call()
    for name in ("mbr", "distributions", "macs", "params", "depth", "archs", "hybrid", "combined"):
        with pytest.raises(ValueError, match="transnas-micro"):
            plots.drawing(name).draw(bench, bare)
    with pytest.raises(
        ValueError, match="lacks members of every named combination: zen_macs needs zen, macs"
    ):
        plots.drawing("combined").draw(bench, replace(pool, scores={}))


def test_a_condition_holds_in_every_space_of_the_hybrid_figure(bench):
    def drawn(where, split="val"):
        figure = plots.drawing("hybrid").make(
            bench, "r1-mini", "cifar10", "cpu-16px-4", split, ["zen", "snip"], where=where
        )
        legends = [
            text.get_text()
            for axes in figure.axes
            if axes.get_legend()
            for text in axes.get_legend().get_texts()
        ]
        return " ".join(legends), " ".join(figure._supxlabel.get_text().split())

    sizes = {
        name: len(pool_of(bench, name, "cifar10", "cpu-16px-4", where="macs < 3e6"))
        for name in ("r1-mini", "r2-mini", "mb-mini")
    }
    assert all(sizes[name] < len(pool_of(bench, name, "cifar10", "cpu-16px-4")) for name in sizes)
    legends, notes = drawn("macs < 3e6")
    for name in ("r2-mini", "mb-mini"):
        assert f"{name}, cifar10, cpu-16px-4, val, seed 0, N = {sizes[name]} (other space)" in legends
    assert (
        "Here and elsewhere only archs where macs < 3e6." in notes
        and f"seed 0, std-16, where macs < 3e6, N = {sizes['r1-mini']}, the best of" in notes
    )
    legends, notes = drawn("stem == 4", "test")  # no stem of the other spaces
    assert "other space" not in legends and "r1-mini, cifar10, cpu-16px-4, test" in legends
    for name in ("r2-mini", "mb-mini"):
        num = len(pool_of(bench, name, "cifar10", "cpu-16px-4", split="test"))
        said = f"of the {num} archs of {name} with a test accuracy on cifar10 (recipe cpu-16px-4, seed 0) none does"
        assert f"Not judged on {name}: no arch meets 'stem == 4': {said}" in notes
    assert "Here and elsewhere" not in drawn(None)[1]
    with pytest.raises(UnknownNameError, match="no column named 'edge_01'"):
        drawn("edge_01 == 0")


def test_a_metric_of_its_own_is_named(pool):
    figure = plots.limits(constrained(pool), metric="ssim")
    assert figure.axes[1].get_ylabel() == "ssim of the pick\n(higher is better)"
    assert "ssim" in title(plots.distributions(replace(pool, metric="ssim")))


def test_without_matplotlib(pool, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'nbzero\[plots\]'"):
        plots.mbr_bars(mbr_table(pool))


def test_the_users_settings_stay(pool):
    import matplotlib

    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(plots.mbr_bars(mbr_table(pool))).draw()
    assert dict(matplotlib.rcParams) == before


def test_one_arch(pool):
    one = pool.only(np.arange(1))
    spread, scatter = plots.distributions(one), plots.proxy_scatter(one, correlations(one))
    bars, curves = plots.mbr_bars(mbr_table(one)), plots.limits(constrained(one))
    for figure in (spread, scatter, bars, curves):
        within(figure)
    assert [points.get_offsets().tolist() for axes in spread.axes for points in axes.collections] == [
        [[cost[0], one.accuracy[0]]] for cost in one.costs.values()
    ]
    assert [axes.get_title() for axes in scatter.axes] == [
        f"{name}\nτ undefined" for name in one.scores_and_costs
    ]
    assert [bar.get_width() for bar in bars.axes[0].patches] == [0] * len(one.scores_and_costs), (
        "whatever is picked is the best"
    )
    (cells,) = (axes for axes in curves.axes if axes.images)
    assert {text.get_text() for text in cells.texts} == {"0"} and len(cells.texts) == 5 * len(labels(cells))
    assert {label.get_text().split("\n")[1] for label in cells.get_xticklabels()} == {"N = 1"}


def test_a_frame_without_notes_or_title_draws():
    table = Frame({"proxy": ["zen", "snip", "random"], "mbr_union": [0.1, None, 0.4]})
    figure = plots.mbr_bars(table)
    assert "undefined" in [text.get_text() for text in figure.axes[0].texts]
    within(figure)


def test_a_sample_without_repeats_draws():
    rng = np.random.default_rng(0)
    features = {
        "edge_01": rng.integers(0, 5, 60).astype(float),
        "edge_02": rng.integers(0, 5, 60).astype(float),
    }
    sample = Sample("made", tuple(map(str, range(60))), features, {}, {"zen": features["edge_01"] + 0.0})
    axes = plots.factor_radars(factors(sample), "gain").axes[0]
    assert [text.get_text() for text in axes.texts] == ["edge_01", "edge_02"] and axes.patches[
        0
    ].get_height() > 0.9
    assert "fourth stage" not in axes.figure._supxlabel.get_text(), "of what is drawn only"
