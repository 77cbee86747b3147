"""Every figure takes a size and leaves its notes out; every recipe takes the limits that change it."""

import pytest

from nbzero import plots
from nbzero.errors import UsageError
from nbzero.judge.hybrid_search import best_hybrids
from tests.cli.asking import ask
from tests.plots.looks import foot, title

WHICH = ("r1-mini", "cifar10", "cpu-16px-4")


@pytest.fixture(scope="module")
def figures(pool, picks, table, frame):
    """name -> a function of the page that draws it."""
    best = best_hybrids(pool, ["zen", "snip", "macs"], draws=2).table()
    return {
        "mbr_bars": lambda **page: plots.mbr_bars(table, **page),
        "limits": lambda **page: plots.limits(picks, "macs", **page),
        "best_archs": lambda **page: plots.best_archs(picks, **page),
        "before_after": lambda **page: plots.before_after(picks, {"zen": ["snip", "macs"]}, **page),
        "hybrid_curves": lambda **page: plots.hybrid_curves(best, **page),
        "distributions": lambda **page: plots.distributions(pool, **page),
        "proxy_scatter": lambda **page: plots.proxy_scatter(pool, **page),
        "factor_radars": lambda **page: plots.factor_radars(frame, **page),
        "factor_map": lambda **page: plots.factor_map(frame, **page),
    }


def test_no_figure_is_left_out(figures):
    """All functions here that draw, but those of searches and boards, whose tests are their own."""
    named = {name for name in plots.__all__ if callable(getattr(plots, name)) and name[0].islower()}
    apart = {"critical_diagram", "drawing", "metric_unit", "search_curves"}
    assert figures.keys() == named - apart


def test_a_size_is_kept_and_notes_are_left_out(figures):
    for name, draw in figures.items():
        figure = draw(size=(9, 7.5), notes=False)
        assert tuple(figure.get_size_inches()) == (9, 7.5), name
        assert foot(figure) == "" and title(figure), name


def test_without_a_page_notes_are_there_and_make_room(figures):
    for name in figures.keys() - {"distributions"}:
        with_notes, without = figures[name](), figures[name](notes=False)
        assert foot(with_notes), name
        assert with_notes.get_size_inches()[1] > without.get_size_inches()[1], name


@pytest.mark.parametrize("size", [(1, 4), (7, 61), 7, "wide", (7, 4, 2), (float("nan"), 4)])
def test_what_is_no_size_is_refused(table, size):
    with pytest.raises(UsageError, match=r"size .*width and height in inches, from 2 to 60, like \(7, 4\)"):
        plots.mbr_bars(table, size=size)


def test_what_is_no_part_of_a_page_is_refused(table):
    with pytest.raises(TypeError, match="takes no title"):
        plots.mbr_bars(table, title="mine")


def test_limits_change_the_figures_that_take_them(bench):
    depth = plots.drawing("depth").make
    said = set()
    asked: list[dict] = [{}, {"budgets": 3}, {"budgets": [4, 8]}, {"spacing": "even"}]
    for limits in asked:
        figure = depth(bench, *WHICH, proxies=["zen"], **limits)
        right = next(axes for axes in figure.axes if axes.images)
        said.add(tuple(label.get_text() for label in right.get_xticklabels()))
    assert len(said) == len(asked), said
    archs = plots.drawing("archs").make
    assert "depth <= " in title(archs(bench, *WHICH, proxies=["zen"], cost="depth"))
    bars = plots.drawing("mbr").make
    assert len(bars(bench, *WHICH, proxies=["zen"]).axes) == 2
    assert len(bars(bench, *WHICH, proxies=["zen"], spacing="even").axes) == 1
    of_params = bars(bench, *WHICH, proxies=["zen"], spacing="even", cost="params")
    assert "params" in title(of_params) + foot(of_params) + of_params.axes[0].get_xlabel()


@pytest.mark.parametrize("name", sorted(plots.FIGURES))
def test_an_option_that_changes_nothing_is_refused(bench, name):
    drawing = plots.drawing(name)
    for option, value in {"cost": "depth", "budgets": 3, "spacing": "even"}.items():
        if option not in drawing.takes:
            with pytest.raises(UsageError, match=f"{option} does not change the figure {name}; what does is"):
                drawing.make(bench, *WHICH, **{option: value})


def test_the_command_takes_them_too(tmp_path):
    out = tmp_path / "bars.svg"
    asked = ("plot", "mbr", WHICH[0], "-p", "zen", "-c", "params", "-b", "3", "--spacing", "even")
    ask(*asked, "--size", "6,4", "--no-notes", "-o", out)
    assert 'width="432pt" height="288pt"' in out.read_text()
    for wrong, said in (("6", "size"), ("a,b", "--size"), ("1,4", "size")):
        assert said in ask(*asked, "--size", wrong, "-o", out, status=2).stderr
