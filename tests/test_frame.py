"""Frame: what goes in comes out, in every form, and absent stays absent."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nbzero import Bench
from nbzero.errors import MissingPackageError, OutputError, UnknownNameError, UsageError
from nbzero.frame import Frame

FRAME = Frame(
    {"proxy": ["zen", "ntk", "plain"], "tau": [0.5, None, -math.inf], "n": [3, 2, 1]}, "Title", ["N = 3"]
)


def test_every_form_has_the_same_rows():
    rows = list(FRAME)
    assert rows == [
        {"proxy": "zen", "tau": 0.5, "n": 3},
        {"proxy": "ntk", "tau": None, "n": 2},
        {"proxy": "plain", "tau": -math.inf, "n": 1},
    ]
    assert FRAME.to_arrow().to_pylist() == rows
    assert FRAME.to_polars().to_dicts() == rows
    assert FRAME.to_pandas()["n"].tolist() == [3, 2, 1]
    assert FRAME.to_pandas()["tau"].isna().tolist() == [False, True, False]
    assert FRAME.to_csv() == "proxy,tau,n\nzen,0.5,3\nntk,,2\nplain,-inf,1\n"
    said = json.loads(FRAME.to_json())
    assert said["title"] == "Title" and said["notes"] == ["N = 3"]
    assert [row["tau"] for row in said["rows"]] == [0.5, None, "-inf"]


def test_a_csv_file_has_the_same_text(tmp_path):
    frame = Frame({"arch": ['naïve, "é"', None], "tau": [0.5, math.nan]})
    for path in (tmp_path / "a.csv", str(tmp_path / "b.csv")):
        Path(path).write_text("before")
        assert frame.to_csv(path) is None
        written = Path(path).read_bytes().decode("utf-8")
        assert written == frame.to_csv() == 'arch,tau\n"naïve, ""é""",0.5\n,\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]
    with pytest.raises(OutputError, match=r"cannot write .*a\.csv.c\.csv: .*then write it again"):
        frame.to_csv(tmp_path / "a.csv" / "c.csv")


def test_sorted_puts_absent_last_and_keeps_the_order_of_equals():
    assert FRAME.sorted("tau")["proxy"].tolist() == ["plain", "zen", "ntk"]
    assert FRAME.sorted("tau", descending=True)["proxy"].tolist() == ["zen", "plain", "ntk"]
    assert Frame({"a": [1, 1, 0], "b": [1, 2, 3]}).sorted("a")["b"].tolist() == [3, 1, 2]


def test_text_has_title_header_rows_and_notes():
    assert repr(FRAME).splitlines() == [
        "Title",
        "proxy  tau   n",
        "zen    0.5   3",
        "ntk    -     2",
        "plain  -inf  1",
        "N = 3",
    ]


def test_a_frame_of_rows_has_the_columns_of_the_first():
    frame = Frame.of([{"a": 1, "b": None}, {"b": "x", "a": 2, "c": 3}], "Title", ["one"], columns=["z"])
    assert frame.columns == ("a", "b")
    assert list(frame) == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert (frame.title, frame.notes) == ("Title", ("one",))


def test_a_frame_of_no_rows_keeps_its_columns():
    frame = Frame.of([], "Title", ["none there"], columns=["proxy", "tau"])
    assert frame.columns == ("proxy", "tau") and len(frame) == 0 and list(frame) == []
    assert repr(frame).splitlines() == ["Title", "proxy  tau", "none there"]
    assert frame.to_csv() == "proxy,tau\n" and frame.sorted("tau").columns == frame.columns
    assert "<tbody></tbody>" in frame._repr_html_()
    with pytest.raises(UsageError, match="give at least one"):
        Frame.of([])


@pytest.mark.parametrize(
    ("values", "kind", "held"),
    [
        ([True, np.bool_(False)], "b", [True, False]),
        ([1, np.int32(2)], "i", [1, 2]),
        ([1, 2.5, None], "f", [1.0, 2.5, None]),
        ([None, None], "f", [None, None]),
        ([True, 2], "i", [1, 2]),
        (["a", None], "O", ["a", None]),
        (["a", math.nan], "O", ["a", None]),
        ([(1, 2), (3,)], "O", [(1, 2), (3,)]),
        ([], "f", []),
    ],
)
def test_values_are_stored_by_their_kind(values, kind, held):
    frame = Frame({"a": iter(values)})
    assert frame["a"].dtype.kind == kind
    assert [row["a"] for row in frame] == held


@pytest.mark.parametrize(("num", "shown"), [(20, 20), (21, 20), (1234, 20)])
def test_a_repr_shows_twenty_rows_and_says_how_many_there_are(num, shown):
    frame = Frame({"row": range(num)}, "Title", ["N is large."])
    lines = repr(frame).splitlines()
    assert lines[:2] == ["Title", "row"] and lines[-1] == "N is large."
    assert [int(line) for line in lines[2 : 2 + shown]] == list(range(shown))
    said = [] if num == shown else [f"The first 20 of {num:,} rows."]
    assert lines[2 + shown : -1] == said


def test_text_shows_all_rows_unless_asked_for_fewer():
    frame = Frame({"row": range(30)})
    assert frame.to_text().splitlines() == ["row", *map(str, range(30))]
    assert frame.to_text(2).splitlines() == ["row", "0", "1", "The first 2 of 30 rows."]
    assert frame.to_text(30) == frame.to_text(99) == frame.to_text()


def test_a_notebook_shows_the_same_escaped():
    rows = [{"proxy": f"<b>{row}</b>", "a&b": None} for row in range(25)]
    said = Frame.of(rows, "<i>Title</i>", ["a < b"])._repr_html_()
    assert said.startswith("<table><caption>&lt;i&gt;Title&lt;/i&gt;</caption>")
    assert said.count("<tr>") == 21 and "<th>a&amp;b</th>" in said
    assert "<td>&lt;b&gt;19&lt;/b&gt;</td><td>-</td>" in said and "20" not in re.findall(r"gt;(\d+)&lt", said)
    assert said.endswith("<p>The first 20 of 25 rows.</p><p>a &lt; b</p>")
    assert not {"b", "i"} & set(re.findall(r"<(\w+)", said))


def test_notes_are_added_and_the_title_changed_on_a_copy():
    noted = FRAME.with_notes("second", "third")
    assert noted.notes == ("N = 3", "second", "third") and noted.title == "Title"
    assert list(noted) == list(FRAME) and FRAME.notes == ("N = 3",)
    assert FRAME.with_notes(title="").title == "" and FRAME.with_notes(title="New").notes == FRAME.notes


def test_arch_ids_selection_and_schema_survive_with_the_rows():
    schema = pa.schema([pa.field("macs", pa.int32(), metadata={"unit": "multiply-adds"})])
    ids, selected = np.arange(10, 16), {"space": "r1-mini", "seed": 0}
    table = Frame({"macs": [5, 3, 9, 3, 7, 1]}, arch_ids=ids, selected=selected, schema=lambda: schema)
    some = table.only(np.array([4, 1, 3, 2]))
    assert some.arch_ids.tolist() == [14, 11, 13, 12] and some["macs"].tolist() == [7, 3, 3, 9]
    ordered = some.sorted("macs", descending=True).with_notes("by macs")
    assert ordered.arch_ids.tolist() == [12, 14, 11, 13]
    masked = ordered.only(ordered.arch_ids > 11)
    assert masked.arch_ids.tolist() == [12, 14, 13] and masked["macs"].tolist() == [9, 7, 3]
    for frame in (some, ordered, masked):
        assert frame.selected == selected
        assert frame.to_arrow().schema.equals(schema, check_metadata=True)
    assert FRAME.only(np.array([0])).arch_ids is None and FRAME.sorted("n").selected == {}


def test_rows_by_mask_and_what_is_refused():
    assert FRAME.only(np.array([True, False, True]))["n"].tolist() == [3, 1]
    assert "tau" in FRAME and "tua" not in FRAME
    with pytest.raises(UnknownNameError, match="no column named 'tua'; did you mean 'tau'"):
        FRAME["tua"]
    with pytest.raises(
        UsageError, match=r"columns of lengths \{'a': 1, 'b': 2\}; give at least one, all of the"
    ):
        Frame({"a": [1], "b": [1, 2]})
    with pytest.raises(UsageError, match=r"columns of lengths \{\}; give at least one"):
        Frame({})


@pytest.mark.parametrize(
    ("method", "module", "install"),
    [
        ("to_pandas", "pandas", r"'.\[analysis\]' in a checkout of nbzero"),
        ("to_polars", "polars", "polars"),
        ("to_arrow", "pyarrow", "pyarrow"),
        ("to_polars", "pyarrow", "pyarrow"),
    ],
)
def test_without_the_library_the_error_says_what_to_install(monkeypatch, method, module, install):
    tables = (FRAME, Bench().table("r1-mini", ["macs"]))
    monkeypatch.setitem(sys.modules, module, None)
    said = rf"^to_\w+ needs {module}, which cannot be imported \(.*{module}.*\): pip install {install}$"
    for table in tables:
        with pytest.raises(MissingPackageError, match=said):
            getattr(table, method)()
    assert FRAME.to_csv() and FRAME.to_json() and repr(FRAME)  # need none of them


# Marks


def test_a_doubtful_name_is_marked_as_text_and_plain_as_data():
    frame = Frame(
        {"proxy": ["zen", "ntk"], "best": ["ntk = zen", None], "scores.ntk": [1, 2]},
        "Title",
        doubtful=["ntk"],
    )
    assert repr(frame).splitlines() == [
        "Title",
        "proxy  best        scores.ntk*",
        "zen    ntk* = zen  1",
        "ntk*   -           2",
    ]
    assert "<td>ntk*</td>" in frame._repr_html_() and "<th>scores.ntk*</th>" in frame._repr_html_()
    assert frame.columns == ("proxy", "best", "scores.ntk") and frame["proxy"].tolist() == ["zen", "ntk"]
    for plain in (frame.to_csv(), frame.to_json(), str(frame.to_arrow()), str(frame.to_pandas())):
        assert "*" not in plain and "ntk" in plain


def test_what_is_made_of_a_frame_is_marked_alike():
    frame = Frame({"proxy": ["zen", "ntk"], "tau": [0.5, 0.1]}, "Title", ["N = 2"], doubtful=["ntk"])
    made = (frame.sorted("tau"), frame.only(np.array([1])), frame.with_notes("more"))
    for one in (*made, frame.with_columns({"proxy": frame["proxy"]})):
        assert "ntk*" in repr(one) and one.doubtful == {"ntk"} and one.notes[0] == "N = 2"
    more = frame.marking(["zen"])
    assert more.doubtful == {"ntk", "zen"} and frame.doubtful == {"ntk"}
    assert frame.with_columns({"a": [1]}, "and this").notes == ("N = 2", "and this")
