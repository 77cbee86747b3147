"""Frame: what goes in comes out, in every form, and absent stays absent."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from nbzero import Bench
from nbzero.errors import OutputError, UnknownNameError
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
    assert FRAME.to_pandas()["n"].tolist() == [3, 2, 1] and FRAME.to_pandas()["tau"].isna().tolist() == [
        False,
        True,
        False,
    ]
    assert FRAME.to_csv() == "proxy,tau,n\nzen,0.5,3\nntk,,2\nplain,-inf,1\n"
    said = json.loads(FRAME.to_json())
    assert (
        said["title"] == "Title"
        and said["notes"] == ["N = 3"]
        and [row["tau"] for row in said["rows"]] == [0.5, None, "-inf"]
    )


def test_a_csv_file_has_the_same_text(tmp_path):
    frame = Frame({"arch": ['naïve, "é"', None], "tau": [0.5, math.nan]})
    for path in (tmp_path / "a.csv", str(tmp_path / "b.csv")):
        Path(path).write_text("before")
        assert frame.to_csv(path) is None
        assert (
            Path(path).read_bytes().decode("utf-8") == frame.to_csv() == 'arch,tau\n"naïve, ""é""",0.5\n,\n'
        )
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


def test_rows_by_mask_and_what_is_refused():
    assert FRAME.only(np.array([True, False, True]))["n"].tolist() == [3, 1]
    with pytest.raises(UnknownNameError, match="no column named 'tua'; did you mean 'tau'"):
        FRAME["tua"]
    with pytest.raises(ValueError, match=r"columns of lengths \{'a': 1, 'b': 2\}"):
        Frame({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    ("method", "module", "install"),
    [
        ("to_pandas", "pandas", r"'nbzero\[analysis\]'"),
        ("to_polars", "polars", "polars"),
        ("to_arrow", "pyarrow", "pyarrow"),
        ("to_polars", "pyarrow", "pyarrow"),
    ],
)
def test_without_the_library_the_error_says_what_to_install(monkeypatch, method, module, install):
    tables = (FRAME, Bench().table("r1-mini", ["macs"]))
    monkeypatch.setitem(sys.modules, module, None)
    for table in tables:
        with pytest.raises(
            ImportError,
            match=rf"^to_\w+ needs {module}, which cannot be imported \(.*{module}.*\): pip install {install}$",
        ):
            getattr(table, method)()
    assert FRAME.to_csv() and FRAME.to_json() and repr(FRAME)  # need none of them
