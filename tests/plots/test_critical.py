"""The critical-difference diagram: a dot for each mean rank, a bar for each clique."""

import numpy as np
import pytest

from nbzero.errors import UsageError
from nbzero.judge import leaderboard
from nbzero.plots import critical_diagram
from tests.judge.boards import pool_of
from tests.plots.looks import foot, labels, legends_lie_clear, title, within

NAMES = ("zen", "naswot", "synflow", "jacob_cov", "snip")
POOLS = [pool_of(seed, names=NAMES, space="mb-mini" if seed == 0 else f"space{seed}") for seed in range(9)]


@pytest.fixture(scope="module")
def board():
    return leaderboard(POOLS, resamples=0)


def test_dots_and_bars_are_the_mean_ranks_and_the_cliques(board):
    figure = critical_diagram(board)
    (axes,) = figure.axes
    within(figure)
    assert labels(axes) == [name + "*" * (name in board.table.doubtful) for name in board.compared]
    dots = sorted(map(tuple, np.concatenate([one.get_offsets() for one in axes.collections[1:]])))
    wanted = board.comparison.mean_ranks.tolist()
    assert dots == sorted(zip(wanted, range(len(wanted)), strict=True))
    bars = [tuple(np.round(line.get_ydata()).astype(int)) for line in axes.lines]
    assert bars == [(clique[0], clique[-1]) for clique in board.comparison.cliques] and len(bars) > 1
    said = [text.get_text() for text in axes.texts if text.get_text()]
    assert said == [f"critical difference: {board.comparison.critical_difference:.1f}"]
    assert legends_lie_clear(figure) == [["proxy", "cost", "vote", "hybrid", "not told apart"]]
    assert title(figure) == board.table.title and "Nemenyi" in foot(figure) and "Doubtful" in foot(figure)


def test_where_friedman_finds_no_difference_one_bar_joins_all():
    board = leaderboard(POOLS[:2], resamples=0)
    assert not board.comparison.is_settled
    (axes,) = critical_diagram(board, notes=False).axes
    assert len(axes.lines) == 1


def test_what_cannot_be_drawn(board):
    with pytest.raises(UsageError, match="draws a Board of leaderboard, not Frame"):
        critical_diagram(board.table)
    with pytest.raises(UsageError, match="nothing was compared on Leaderboard board-1 by mBR: 1 pool"):
        critical_diagram(leaderboard(POOLS[:1], resamples=0))
