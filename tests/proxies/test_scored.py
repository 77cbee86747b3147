"""Scores of one's own: means over seeds, and the file that they grow in."""

import csv
import math

import pandas as pd
import pytest

from nbzero.errors import OutputError, UsageError
from nbzero.proxies.scored import COLUMNS, OwnRow, OwnScores, check_once, counted_reasons, growing, rows_there

SETTINGS = {"space": "r1-mini", "dataset": "digits", "protocol": "std-16", "function": "f 12345678"}
ROWS = [
    OwnRow("a", 0, 0.1 + 0.2, "", 0.5),
    OwnRow("a", 1, 0.1, "", 0.25),
    OwnRow("b", 0, None, 'ValueError: "x", y', 0.1),
    OwnRow("b", 1, 2.0, "", 0.1),
    OwnRow("c", 0, -math.inf, "", 0.1),
    OwnRow("c", 1, 1.0, "", 0.1),
    OwnRow("d", 0, -math.inf, "", 0.1),
    OwnRow("d", 1, math.inf, "", 0.1),
    OwnRow("e", 0, 5.0, "", 0.1),
]


def test_scores_are_means_over_all_seeds_or_none():
    scores = OwnScores(ROWS, **SETTINGS)
    assert dict(scores) == {"a": (0.1 + 0.2 + 0.1) / 2, "b": None, "c": -math.inf, "d": None}
    assert scores.seeds == (0, 1) and "e" not in scores, "an arch without all seeds is not scored yet"
    assert scores.reasons == {
        "b": 'seed 0: ValueError: "x", y',
        "d": "inf with one seed and -inf with another, which have no mean",
    }
    assert str(scores).startswith(
        "f 12345678, r1-mini, digits, std-16, seeds 0, 1: 2 of 4 archs have a score; "
    )
    assert repr(scores) == f"OwnScores({scores})"
    one = OwnScores([OwnRow("a", 0, 0.1 + 0.2), OwnRow("b", 0, None, "why")])
    assert one["a"] == 0.1 + 0.2 and one.reasons == {"b": "why"}
    assert str(one) == "1 of 2 archs have a score; 1 x why"


def test_the_frame_has_every_row_with_what_joins_it_to_other_tables():
    frame = OwnScores(ROWS, **SETTINGS).frame
    assert frame.columns == COLUMNS[:-1] and len(frame) == len(ROWS)
    assert set(frame["space"]) == {"r1-mini"} and set(frame["protocol"]) == {"std-16"}
    assert [row["score"] for row in frame][:3] == [0.1 + 0.2, 0.1, None]
    assert len(OwnScores([]).frame) == 0


def test_reasons_are_counted():
    assert counted_reasons(["x", "y", "x"]) == "2 x x, 1 x y"
    assert counted_reasons("abcde") == "1 x a, 1 x b, 1 x c, 2 other reasons"


def test_a_file_grows_and_reads_back_what_was_written(tmp_path):
    path = tmp_path / "new" / "scores.csv"
    assert rows_there(path, SETTINGS) == []
    with growing(path, SETTINGS, []) as add:
        assert rows_there(path, SETTINGS) == []
        for number, row in enumerate(ROWS, 1):
            add(row)
            assert rows_there(path, SETTINGS) == ROWS[:number], "what is finished is in the file at once"
    frame = pd.read_csv(path)
    assert tuple(frame.columns) == COLUMNS and frame["score"].tolist()[0] == 0.1 + 0.2
    assert frame["score"].isna().sum() == 1 and frame["score"].min() == -math.inf
    with growing(path, SETTINGS, ROWS[:2]) as add:
        add(ROWS[4])
    assert rows_there(path, SETTINGS) == [*ROWS[:2], ROWS[4]]


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    path = tmp_path / "scores.csv"
    with growing(path, SETTINGS, ROWS) as _:
        pass
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        path.write_bytes(whole[:cut])
        assert rows_there(path, SETTINGS) == ROWS[:-1]
    path.write_bytes(b"")
    assert rows_there(path, SETTINGS) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_a_file_of_other_settings_is_refused_and_left_as_it_is(name, tmp_path):
    path = tmp_path / "scores.csv"
    with growing(path, SETTINGS | {name: "other"}, ROWS):
        pass
    before = path.read_bytes()
    said = f"row 1: it has scores of {name} 'other', and these are of '{SETTINGS[name]}'; the file is left as"
    with pytest.raises(UsageError, match=said):
        rows_there(path, SETTINGS)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"arch,score\nx,1\n", "has other columns than arch, seed, score"),
        (b"my notes", "has other columns than arch, seed, score"),
        (b"\xff\xfe\x00", "has other columns than arch, seed, score"),
        (",".join(COLUMNS).encode() + b"\na,0,high,,1,,,,\n", "row 1 cannot be read"),
        (",".join(COLUMNS).encode() + b"\na,0\n", "row 1 cannot be read"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_left_as_it_is(content, said, tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        rows_there(path, SETTINGS)
    assert path.read_bytes() == content


def test_a_row_that_is_there_twice_is_named(tmp_path):
    with pytest.raises(UsageError, match="the table has a with seed 0 twice; remove one of the rows"):
        check_once([ROWS[0], ROWS[1], ROWS[0]], "the table")
    path = tmp_path / "scores.csv"
    with growing(path, SETTINGS, [ROWS[0], ROWS[0]]):
        pass
    with pytest.raises(UsageError, match=r"scores.csv has a with seed 0 twice"):
        rows_there(path, SETTINGS)


def test_a_place_that_cannot_be_written_is_said_before_anything_is_computed(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), growing(tmp_path / "file/x.csv", SETTINGS, []):
        raise AssertionError("nothing may be computed")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*folder.csv"):
        rows_there(tmp_path / "folder.csv", SETTINGS)
    with pytest.raises(UsageError, match=r"out '.*scores.parquet'; it is a file that ends in .csv"):
        rows_there(tmp_path / "scores.parquet", SETTINGS)


def test_every_value_of_a_row_survives_the_file(tmp_path):
    path = tmp_path / "scores.csv"
    odd = OwnRow("|nor_conv_3x3~0|+|a,b|", 7, 1e-308, "a 'quote', a \"mark\"; ümlaut", 3.0)
    with growing(path, SETTINGS, [odd]) as add:
        add(odd._replace(seed=8))
    assert rows_there(path, SETTINGS) == [odd, odd._replace(seed=8)]
    assert len(list(csv.reader(path.read_text().splitlines()))) == 3
