"""Bars: they are the values of the table, and whiskers its intervals."""

import numpy as np
import pytest

from nbzero import plots
from nbzero.errors import UnknownNameError, UsageError
from nbzero.frame import Frame
from nbzero.judge.evaluate import evaluate
from nbzero.judge.picks import mbr_table
from nbzero.judge.rows import CEILING, ORACLE, RANDOM
from nbzero.plots.given import REFERENCES
from tests.plots.looks import labels, title, within


@pytest.fixture(scope="module")
def resampled(pool):
    return mbr_table(pool, resamples=20)


def ends_of(whiskers):
    return [(segment[0][0], segment[1][0]) for segment in whiskers.get_segments()]


@pytest.mark.parametrize("column", ["mbr_union", "mbr_macs_pool"])
def test_bars_are_the_values_of_the_table(pool, resampled, column):
    figure = plots.mbr_bars(resampled, column)
    axes = figure.axes[0]
    value = {row["proxy"]: row[column] for row in resampled}
    widths = [bar.get_width() for bar in axes.patches]
    found = dict(zip(labels(axes), widths, strict=True))
    assert found == {name: value[name] for name in value if name not in REFERENCES}
    assert widths == sorted(widths)
    for name, word in ((RANDOM, "random pick"), (CEILING, "another seed")):
        drawn = next(one for one in axes.lines if one.get_label().startswith(word))
        assert drawn.get_xdata()[0] == value[name]
    assert f"N = {len(pool)}" in title(figure)
    within(figure)


def test_whiskers_are_the_intervals_of_the_table(table, resampled):
    axes = plots.mbr_bars(resampled).axes[0]
    (whiskers,) = axes.collections
    ends = {row["proxy"]: (row["mbr_union_low"], row["mbr_union_high"]) for row in resampled}
    assert ends_of(whiskers) == [ends[name] for name in labels(axes)]
    assert not plots.mbr_bars(table).axes[0].collections, "no intervals, no whiskers"


def test_bars_of_a_report(pool):
    scores = np.where(np.arange(len(pool)) % 3 == 0, np.nan, pool.scores["zen"])
    report = evaluate(pool, scores, "mine", resamples=20)
    axes = plots.mbr_bars(report, "mbr_macs").axes[0]
    lacking = int(np.isnan(scores).sum())
    at = labels(axes).index(f"mine ({lacking} without score)")
    assert axes.patches[at].get_hatch()
    (interval,) = [row for row in report.intervals if (row["proxy"], row["metric"]) == ("mine", "mbr_macs")]
    assert ends_of(axes.collections[0])[at] == (interval["low"], interval["high"])
    colours = {label: bar.get_facecolor() for label, bar in zip(labels(axes), axes.patches, strict=True)}
    assert len({colours[labels(axes)[at]], colours["zen"], colours["macs"]}) == 3
    assert "even limits" in plots.mbr_bars(report, "even_mbr_union_pool").axes[0].get_xlabel()


def test_bars_of_two_tables(pool, other):
    figure = plots.mbr_bars([mbr_table(pool), mbr_table(other)])
    for axes, one in zip(figure.axes, (pool, other), strict=True):
        assert f"N = {len(one)}" in axes.get_title()
    within(figure)


def test_lines_of_reference_are_seen_beyond_the_bars():
    table = Frame({"proxy": ["zen", RANDOM, CEILING], "mbr_union": [0.1, 0.4, 0.3]})
    axes = plots.mbr_bars(table).axes[0]
    assert axes.get_xlim()[0] == 0 and axes.get_xlim()[1] > 0.4


def test_a_frame_without_notes_or_title_draws():
    table = Frame({"proxy": ["zen", "snip", "random"], "mbr_union": [0.1, None, 0.4]})
    figure = plots.mbr_bars(table)
    assert "undefined" in [text.get_text() for text in figure.axes[0].texts]
    within(figure)


def test_tables_that_cannot_be_drawn_say_why(picks, table):
    with pytest.raises(UsageError, match="no tables to draw"):
        plots.mbr_bars([])
    another = "this one .Picks within.* is another: no column named 'mbr_union'"
    with pytest.raises(UnknownNameError, match=f"mbr_bars draws a Frame of mbr_table, and {another}"):
        plots.mbr_bars(picks)
    with pytest.raises(UnknownNameError, match="did you mean 'mbr_macs'"):
        plots.mbr_bars(table, "mbr_mac")
    with pytest.raises(UsageError, match=r"nothing to draw: mBR, 5 quantile limits.* has no rows"):
        plots.mbr_bars(table.only(np.zeros(len(table), bool)))
    with pytest.raises(UsageError, match="no proxies to draw"):
        plots.mbr_bars(table.only(table["proxy"] == ORACLE))
    for wrong in (3, [table, "table"]):
        with pytest.raises(UsageError, match=r"mbr_bars draws a Frame of mbr_table, not (int|str)"):
            plots.mbr_bars(wrong)
