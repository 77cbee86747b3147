"""The leaderboard's page, looked at in a real browser without network; its numbers are those of the board."""

import pytest

from nbzero.errors import OutputError, UsageError
from nbzero.judge import leaderboard
from nbzero.pages import write_leaderboard
from tests.judge.boards import pool_of
from tests.pages.browser import Page
from tests.pages.content import content_of

pytest.importorskip("vl_convert", reason="needs vl-convert-python: pip install '.[report]'")
NAMES = ("zen", "naswot", "synflow", "jacob_cov", "snip")
CELLS = """[...document.querySelectorAll('#{} tbody tr')].map(
    (row) => [...row.children].map((cell) => cell.dataset.value))"""
CHOOSE = """(() => {{
    const box = document.getElementById('pool');
    box.selectedIndex = {};
    box.dispatchEvent(new Event('change'));
}})()"""
DRAWN = "leaderboard.chart.drawn.then(() => leaderboard.chart.shown.view.data('{}'))"


@pytest.fixture(scope="module")
def board():
    own = {4: {"names": (*NAMES, "ntk")}, 5: {"space": "mb-mini"}}
    return leaderboard(
        [pool_of(seed, **{"names": NAMES, **own.get(seed, {})}) for seed in range(9)], resamples=5
    )


@pytest.fixture(scope="module")
def path(board, tmp_path_factory):
    return write_leaderboard(board, tmp_path_factory.mktemp("leaderboard"), "release 9.9.9")


def cells_of(frame):
    """The cells as the page keeps them: text, "" where absent."""
    return [["" if cell is None else cell for cell in row.values()] for row in frame]


def same(shown, wanted):
    assert len(shown) == len(wanted)
    for row, values in zip(shown, wanted, strict=True):
        for cell, value in zip(row, values, strict=True):
            assert cell == value if isinstance(value, str) else float(cell) == value


def test_the_page_shows_the_board_and_every_pool(path, board, browser):
    page = Page(browser)
    page.open(path)
    same(page.run(CELLS.format("board")), cells_of(board.table))
    assert page.run("document.getElementById('title').textContent") == board.table.title
    notes = page.run("[...document.querySelectorAll('#board-notes li')].map((one) => one.textContent)")
    assert notes == list(board.table.notes)
    names = page.run("[...document.querySelectorAll('#board tbody th')].map((one) => one.textContent)")
    assert names == [name + "*" * (name in board.table.doubtful) for name in board.table["proxy"].tolist()]
    for number in (1, 6):
        page.run(CHOOSE.format(number - 1))
        part = board.values.only(board.values["pool"] == number)
        wanted = [row[1:] for row in cells_of(part)]
        shown = page.run(CELLS.format("values"))
        same(shown, wanted)
    dots = page.run(DRAWN.format("dots"))
    assert [dot["rank"] for dot in dots] == board.comparison.mean_ranks.tolist()
    bars = page.run(DRAWN.format("bars"))
    shown_names = [dot["name"] for dot in dots]
    ends = [[shown_names[clique[0]], shown_names[clique[-1]]] for clique in board.comparison.cliques]
    assert [[bar["name"], bar["last"]] for bar in bars] == ends
    assert page.complaints() == [] and page.requests() == [path.as_uri()]
    page.close()


def test_a_click_on_a_head_sorts_and_again_turns_with_absent_values_last(path, board, browser):
    page = Page(browser, width=390, dark=True)
    page.open(path)
    click = "document.querySelector('#board th[data-column=\"{}\"] button').click()"
    page.run(click.format("kendall"))
    at = board.table.columns.index("kendall")
    values = [float(row[at]) for row in page.run(CELLS.format("board"))]
    assert values == sorted(values)
    page.run(click.format("kendall"))
    assert [float(row[at]) for row in page.run(CELLS.format("board"))] == sorted(values, reverse=True)
    page.run(click.format("mean_rank"))
    page.run(click.format("mean_rank"))
    last = page.run(CELLS.format("board"))[-1]
    assert last[0] == "ntk" and last[2] == ""
    assert page.run("document.documentElement.scrollWidth") == 390 and page.complaints() == []
    page.close()


def test_without_a_comparison_there_is_no_diagram(board, tmp_path):
    alone = leaderboard([pool_of(0, names=NAMES)], resamples=0)
    content = content_of(write_leaderboard(alone, tmp_path))
    assert content["diagram"] is None and len(content["pools"]) == 1


def test_what_is_refused(board, tmp_path):
    with pytest.raises(UsageError, match="writes a Board of leaderboard, not Frame"):
        write_leaderboard(board.table, tmp_path)
    (tmp_path / "leaderboard.html").write_text("mine")
    with pytest.raises(OutputError, match=r"is there and no leaderboard of nbzero, so it is not replaced"):
        write_leaderboard(board, tmp_path)
    assert (tmp_path / "leaderboard.html").read_text() == "mine"
