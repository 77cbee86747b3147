"""Titles and notes: lines that fit, about equally long, with every word in its place."""

import textwrap

import hypothesis.strategies as st
from hypothesis import given

from nbzero.plots.words import wrapped

TEXTS = st.lists(st.text("abc", min_size=1, max_size=9), max_size=40).map(" ".join)


def lines_of(text, width):
    """`wrapped` in lines of so many characters."""
    return wrapped(text, width * 0.58 / 72 * 1.0001, 1.0).split("\n")


@given(TEXTS, st.integers(20, 80))
def test_no_line_is_longer_and_there_are_no_more_lines(text, width):
    lines = lines_of(text, width)
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= width
    assert len(lines) == max(1, len(textwrap.wrap(text, width)))


@given(TEXTS, st.integers(20, 80))
def test_narrower_lines_would_be_more(text, width):
    lines = lines_of(text, width)
    longest = max(map(len, lines))
    assert longest < 2 or len(textwrap.wrap(text, longest - 1)) > len(lines)


def test_a_title_leaves_no_word_alone():
    text = "Alone and combined, under quantile limits of macs. Picks within budgets: r1-mini"
    assert min(map(len, lines_of(text, 77))) > 35
