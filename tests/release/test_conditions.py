"""Conditions: random ones against a slow three-valued evaluator.

Then each part of the syntax, then what is refused.
"""

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nbzero.errors import UsageError, unknown_name
from nbzero.release.conditions import mask, names_in

NAN = float("nan")
COLUMNS: dict[str, Any] = {
    "macs": np.array([5, 7, 9, 5, 0, 1], np.int64),
    "val_acc": np.array([0.5, NAN, 0.25, -1.0, NAN, np.inf]),
    "s4_depth": np.array([1, NAN, 3, NAN, 2, 1], np.float32),
    "status": np.array(["ok", None, "diverged", "ok", None, ""], object),
}
NUM_ROWS = 6
NUMBERS = ("macs", "val_acc", "s4_depth", "scores.macs")
COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul}

Value = float | str | None
Rows = list[Any]  # a value, or True, False, None (unknown), per row
Part = tuple[str, Rows]  # the text, and what it is worth in each row


def column(name: str) -> Any:
    if name not in (*COLUMNS, "scores.macs"):
        raise unknown_name("column", name, COLUMNS)
    return COLUMNS[name.removeprefix("scores.")]


def rows_of(name: str) -> list[Value]:
    """A column's values, null as None."""
    return [None if value is None or value != value else value for value in column(name).tolist()]


def kept(text: str) -> list[int]:
    found = mask(text, column, NUM_ROWS)
    assert found.shape == (NUM_ROWS,) and found.dtype == bool
    return np.flatnonzero(found).tolist()


def known(left: Value, right: Value, apply: Callable[[Any, Any], Any]) -> Any:
    """SQL: whatever is done with null is null; NaN, as inf - inf, is null."""
    value = None if left is None or right is None else apply(left, right)
    return None if value is None or value != value else value


numbers = st.one_of(
    st.sampled_from(NUMBERS).map(lambda name: (name, rows_of(name))),
    st.one_of(st.integers(-9, 9), st.sampled_from((0.25, 0.5, 1e9))).map(lambda x: (repr(x), [x] * NUM_ROWS)),
)
texts = st.one_of(
    st.just(("status", rows_of("status"))),
    st.sampled_from(("ok", "diverged", "")).map(lambda text: (repr(text), [text] * NUM_ROWS)),
)


@st.composite
def sums(draw: st.DrawFn, inner: st.SearchStrategy[Part]) -> Part:
    (a, left), (b, right) = draw(inner), draw(inner)
    sign = draw(st.sampled_from(sorted(ARITHMETIC)))
    return f"({a} {sign} {b})", [known(x, y, ARITHMETIC[sign]) for x, y in zip(left, right, strict=True)]


@st.composite
def comparisons(draw: st.DrawFn) -> Part:
    """Of numbers, chained or not, of texts, or with None."""
    kind = draw(st.sampled_from(("numbers", "texts", "null")))
    if kind == "null":
        name = draw(st.sampled_from((*NUMBERS, "status")))
        wanted = draw(st.booleans())
        return f"{name} is {'' if wanted else 'not '}None", [
            (value is None) == wanted for value in rows_of(name)
        ]
    count = draw(st.integers(2, 3)) if kind == "numbers" else 2
    values = [
        draw(st.recursive(numbers, sums, max_leaves=3) if kind == "numbers" else texts) for _ in range(count)
    ]
    signs = [
        draw(st.sampled_from(sorted(COMPARE) if kind == "numbers" else ("==", "!="))) for _ in values[1:]
    ]
    text = values[0][0] + "".join(
        f" {sign} {value[0]}" for sign, value in zip(signs, values[1:], strict=True)
    )
    pairs = [
        [known(x, y, COMPARE[sign]) for x, y in zip(a[1], b[1], strict=True)]
        for sign, (a, b) in zip(signs, itertools.pairwise(values), strict=True)
    ]
    return text, [all_of(row) for row in zip(*pairs, strict=True)]


def all_of(parts: Any) -> bool | None:
    return False if False in parts else None if None in parts else True


def any_of(parts: Any) -> bool | None:
    return True if True in parts else None if None in parts else False


@st.composite
def joined(draw: st.DrawFn, inner: st.SearchStrategy[Part]) -> Part:
    word = draw(st.sampled_from(("and", "or", "not")))
    if word == "not":
        text, rows = draw(inner)
        return f"not ({text})", [None if value is None else not value for value in rows]
    parts = [draw(inner) for _ in range(draw(st.integers(2, 3)))]
    rows = zip(*(rows for _, rows in parts), strict=True)
    return f" {word} ".join(f"({text})" for text, _ in parts), [
        (all_of if word == "and" else any_of)(row) for row in rows
    ]


@given(st.recursive(comparisons(), joined, max_leaves=6))
def test_every_condition_keeps_the_rows_where_it_is_true(condition: Part) -> None:
    text, rows = condition
    assert kept(text) == [i for i, value in enumerate(rows) if value is True], text


@given(st.recursive(comparisons(), joined, max_leaves=6))
def test_a_condition_and_its_negation_share_no_row_and_miss_only_nulls(condition: Part) -> None:
    text, rows = condition
    both = [*kept(text), *kept(f"not ({text})")]
    assert sorted(both) == [i for i, value in enumerate(rows) if value is not None]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("macs == 5", [0, 3]),
        ("  macs == 5\n", [0, 3]),
        ("1 < macs <= 7", [0, 1, 3]),
        ("macs > 5 and s4_depth >= 2 or status == 'ok'", [0, 2, 3]),
        ("macs != 5", [1, 2, 4, 5]),
        ("val_acc < 1", [0, 2, 3]),
        ("not val_acc < 1", [5]),
        ("val_acc >= -1 or macs == 7", [0, 1, 2, 3, 5]),
        ("val_acc is None and not macs == 0", [1]),
        ("val_acc is not None", [0, 2, 3, 5]),
        ("macs / s4_depth > 4", [0]),
        ("1 / macs > 1", [4]),
        ("macs / macs == 1", [0, 1, 2, 3, 5]),
        ("-macs < -6", [1, 2]),
        ("status != 'ok'", [2, 5]),
        ("status is None", [1, 4]),
        ('status == ""', [5]),
        ("scores.macs == 9", [2]),
        ("macs < 99999999999999999999", [0, 1, 2, 3, 4, 5]),
        ("1 < 2", [0, 1, 2, 3, 4, 5]),
        ("2 < 1", []),
    ],
)
def test_known_conditions(text: str, rows: list[int]) -> None:
    assert kept(text) == rows


def test_no_rows() -> None:
    assert mask("macs < 1", lambda name: np.zeros(0), 0).tolist() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("macs <", "cannot be read"),
        ("macs = 5", "cannot be read"),
        ("macs < 1; import os", "cannot be read"),
        ("macs < \x00", "cannot be read"),
        ("(" * 9000 + "macs", "cannot be read"),
        ("macs", "'macs' in 'macs' is no comparison"),
        ("macs and val_acc < 1", "'macs' in"),
        ("macs < 5 & s4_depth > 1", "'5 & s4_depth'"),
        ("(macs < 5) & (s4_depth > 1)", "is no comparison"),
        ("macs < 10**9", r"'10 \*\* 9' in .* is not allowed"),
        ("__import__('os').system('id') == 0", "is not allowed"),
        ("(lambda: 1)() < 2", "is not allowed"),
        ("[x for x in macs] == 1", "is not allowed"),
        ("macs.__class__.__name__ == 'x'", "is not allowed"),
        ("macs[0] < 1", r"'macs\[0\]' in .* is not allowed"),
        ("f'{macs}' == 'x'", "is not allowed"),
        ("(macs := 1) < 2", "is not allowed"),
        ("1j == macs", "'1j' in"),
        ("True == macs", "'True' in"),
        ("macs in (1, 2)", "only < <= > >= == != and 'is None' compare"),
        ("macs is 5", "'is' in 'macs is 5' goes with None only"),
        ("val_acc == None", "never true; write 'is None'"),
        ("status < 'ok'", "numbers compare with numbers, texts by == and !="),
        ("status == 1", "numbers compare with numbers"),
        ("macs == 'ok'", "numbers compare with numbers"),
        ("macs + status == 1", "'status' in .* is text, not a number"),
        ("-status == 1", "is text, not a number"),
    ],
)
def test_what_is_no_condition_says_so(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mask(text, column, NUM_ROWS)


@pytest.mark.parametrize("given_", [None, 5, np.ones(3, bool), lambda row: True])
def test_a_condition_is_a_text(given_: Any) -> None:
    with pytest.raises(ValueError, match=r"a condition is a text, not .* conditions are like"):
        names_in(given_)


def test_a_condition_is_never_run() -> None:
    """Every name, also of a function, is only ever looked up as a column."""
    with pytest.raises(LookupError, match="no column named 'exit'"):
        mask("exit < 1", column, NUM_ROWS)


def test_names_in_order_without_repeats() -> None:
    assert names_in("macs < 1 and (scores.zen > macs or status == 'macs') and 1 < depth") == [
        "macs",
        "scores.zen",
        "status",
        "depth",
    ]
    assert names_in("1 < 2") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("macs < " + "-" * 900 + "1", "is nested more than 100 levels deep"),
        ("not " * 500 + "macs < 1", "is nested more than 100 levels deep"),
        ("macs < " + "+".join("1" * 300), "is nested more than 100 levels deep"),
        ("macs < " + "(" * 300 + "1" + ")" * 300, "cannot be read"),
        ("macs < 1 and " * 2000 + "macs < 1", "is longer than 10,000 characters"),
    ],
)
def test_deep_and_long_conditions_are_refused_in_few_words(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        mask(text, column, NUM_ROWS)
    assert len(str(caught.value)) < 500
    with pytest.raises(UsageError, match=message):
        names_in(text)


def test_many_joined_parts_are_not_deep():
    assert kept(" and ".join(["macs > 4"] * 500)) == [0, 1, 2, 3]
