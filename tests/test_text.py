"""Text: a layout shows every column and fits its width; CSV, JSON and HTML say what is absent."""

import csv
import io
import json
import math

import pytest
from hypothesis import given, strategies as st

from nbzero import text

WORD = st.text("ab_ 1-", max_size=30)
CELLS = st.dictionaries(
    st.text("ab_", min_size=1, max_size=20),
    st.lists(WORD, min_size=3, max_size=3),
    min_size=1,
    max_size=9,
)


def as_rows(cells):
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


@given(CELLS, st.integers(10, 120), st.integers(1, 2))
def test_a_layout_shows_every_column_once_and_is_no_wider_than_asked(cells, width, keys):
    found = text.layout(cells, width, keys)
    head = list(cells)[:keys]
    shown = list(head)
    for block in found.blocks:
        assert block[: len(head)] == head
        shown += block[len(head) :]
    assert shown == [name for name in cells if name not in found.same]
    for name, cell in found.same.items():
        assert set(cells[name]) == {cell}
    for name in found.widths:
        assert "".join(found.heads[name]) == name
    for block in found.blocks:
        wide = sum(found.widths[name] for name in block) + 2 * (len(block) - 1)
        assert wide <= width or len(block) <= keys + 1  # a key column that is too wide is not cut


@given(CELLS, st.integers(1, 2))
def test_without_a_width_all_columns_stand_side_by_side(cells, keys):
    unbounded = text.layout(cells, keys=keys)
    assert unbounded.blocks == [list(cells)] and unbounded.same == {}
    assert all(unbounded.heads[name] == [name] for name in cells)
    longest = max(max(map(len, [name, *column])) for name, column in cells.items())
    aligned = text.aligned_text(list(cells), as_rows(cells), width=(longest + 1) * len(cells) * 3)
    assert aligned.splitlines()[0].split() == list(cells)


def test_a_wide_table_is_fitted_in_steps():
    cells = {
        "proxy": ["zen", "ntk"],
        "best_rank_at_k": ["1", "2"],
        "said": ["one two three four five six seven", "-"],
        "seed": ["0", "0"],
    }
    assert text.layout(cells, 61).blocks == [["proxy", "best_rank_at_k", "said", "seed"]]
    broken = text.layout(cells, 60)
    assert broken.heads["best_rank_at_k"] == ["best", "_rank", "_at_k"]
    assert broken.same == {} and broken.widths["said"] == 33
    shared = text.layout(cells, 52)
    assert shared.same == {"seed": "0"} and shared.widths["said"] == 33 and len(shared.blocks) == 1
    wrapped = text.layout(cells, 45)
    assert wrapped.widths["said"] == 31 and len(wrapped.blocks) == 1
    blocks = text.layout(cells, 35)
    assert blocks.blocks == [["proxy", "best_rank_at_k"], ["proxy", "said"]]
    note = "a note that is somewhat too long for it"
    assert text.aligned_text(list(cells), as_rows(cells), "title", [note], width=35).splitlines() == [
        "title",
        "proxy  best",
        "       _rank",
        "       _at_k",
        "zen    1",
        "ntk    2",
        "",
        "proxy  said",
        "zen    one two three four five",
        "       six seven",
        "ntk    -",
        "The same in every row: seed = 0.",
        "a note that is somewhat too long",
        "for it",
    ]


def test_the_columns_of_a_single_row_are_all_shown():
    fitted = text.layout({"proxy": ["zen"], "mbr_union": ["0.1"], "missing": ["0"]}, 10)
    assert fitted.same == {}
    assert fitted.blocks == [["proxy", "mbr_union"], ["proxy", "missing"]]


@pytest.mark.parametrize("width", [10, math.inf])
def test_a_table_of_no_rows_is_its_header(width):
    assert text.aligned_text(["a", "b"], [], "title", ["note"], width).splitlines() == [
        "title",
        "a  b",
        "note",
    ]


def test_a_note_names_what_is_the_same_in_every_row():
    assert text.same_text({}) == []
    assert text.same_text({"seed": "0", "split": "val"}) == ["The same in every row: seed = 0, split = val."]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        (0.123456, "0.1235"),
        (1234567.0, "1.235e+06"),
        (-math.inf, "-inf"),
        (1234567, "1234567"),
        ("zen", "zen"),
        (True, "True"),
        ((0.5, None, "a"), "0.5 - a"),
        ([], ""),
    ],
)
def test_a_value_for_a_reader(value, said):
    assert text.short(value) == said


ROWS = [{"proxy": 'a<b>, "c"', "tau": None, "n": 3}, {"proxy": "zen", "tau": math.inf, "n": 2}]


def test_csv_quotes_what_it_must_and_leaves_absent_empty():
    assert text.csv_text(["proxy", "tau"], ROWS) == 'proxy,tau\n"a<b>, ""c""",\nzen,inf\n'
    assert text.csv_text(["proxy"], []) == "proxy\n"


def test_json_has_no_numbers_that_json_lacks():
    said = text.json_text("title", ("one",), ROWS, {"left_out": ["two"]})
    assert list(json.loads(said)) == ["title", "notes", "left_out", "rows"]
    assert json.loads(said)["rows"] == [ROWS[0], {"proxy": "zen", "tau": "inf", "n": 2}]
    assert ROWS[1]["tau"] == math.inf  # the rows that were given stay
    with pytest.raises(ValueError, match="not JSON compliant"):
        text.json_text("", [], [{"tau": math.nan}])


def test_html_is_escaped_and_has_caption_and_notes():
    said = text.html_text(["proxy", "n<"], [{"proxy": "a&b", "n<": None}], "<title>", ["one <note>", "two"])
    assert said == (
        "<table><caption>&lt;title&gt;</caption><thead><tr><th>proxy</th><th>n&lt;</th></tr></thead>"
        "<tbody><tr><td>a&amp;b</td><td>-</td></tr></tbody></table>"
        "<p>one &lt;note&gt;</p><p>two</p>"
    )


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-x", "@SUM(A1)", "\tx"])
def test_no_cell_of_csv_is_a_formula(cell):
    made = text.csv_text(["a", "b"], [{"a": cell, "b": -1.5}])
    assert list(csv.reader(io.StringIO(made, newline="")))[1] == ["'" + cell, "-1.5"]


@pytest.mark.parametrize("hidden", ["\x1b[31m", "\u202e", "\x07", "\u200b", "\x9b2J", "\u2028"])
def test_a_terminal_is_shown_no_control_characters(hidden):
    made = text.aligned_text(["proxy"], [{"proxy": f"zen{hidden}x"}], f"title{hidden}", [f"note{hidden}"])
    assert hidden not in made
    assert made.replace("\n", "").isprintable()
    assert "ntk\u00e9 \u2265" in text.aligned_text(["proxy"], [{"proxy": "ntk\u00e9 \u2265"}])
