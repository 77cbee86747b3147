"""builders.reproductions.tables: the README's tables say what the results have, and which lie apart."""

import re
from dataclasses import replace

import pytest

from builders.card import ROOT, SPACES_OF_CLAIMS, reproduced
from builders.reproductions import tables
from builders.reproductions.results import Result, read_results
from nbzero.errors import ReleaseError
from nbzero.release.reproductions import RESULTS

SHIPS = ROOT / "data" / RESULTS
ROW = Result("wrcor-2", "SNIP", 0.593, 0.563, 1000, 1, 0.025, "std-32", "within 0.075")


@pytest.fixture
def ships():
    """The rows that ship, by table, row and protocol."""
    return tables.results_by_key(read_results(SHIPS))


def _line_of(text, start):
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.strip("|").split("|")]


def _changed(ships, **values):
    return {**ships, ("wrcor-2", "SNIP", "std-32"): replace(ROW, **values)}


def test_a_row_is_said_with_its_figures(ships):
    cells = _line_of(tables.of_wrcor(_changed(ships)), "| SNIP |")
    assert cells == ["SNIP", ".593", ".563", ".025", "1,000"]


@pytest.mark.parametrize(
    ("ours", "se", "is_bold"),
    [
        (0.57, 0.001, False),  # within 0.03
        (0.56, 0.001, True),
        (0.4, 0.07, False),  # within three standard errors
        (0.38, 0.07, True),
        (-0.593, 0.9, True),  # the paper's size, and negative
        (0.6, None, False),
    ],
)
def test_what_lies_apart_is_bold(ships, ours, se, is_bold):
    assert tables.is_apart(replace(ROW, ours=ours, se=se)) == is_bold
    cells = _line_of(tables.of_wrcor(_changed(ships, ours=ours, se=se)), "| SNIP |")
    assert cells[2].startswith("**") == is_bold


def test_what_has_no_figure_is_a_dash_and_not_apart(ships):
    cells = _line_of(tables.of_wrcor(_changed(ships, ours=None, se=None)), "| SNIP |")
    assert cells[1:4] == [".593", "-", "-"]
    assert not tables.is_apart(replace(ROW, paper=None))


def test_rows_of_one_line_say_what_they_share_once(ships):
    paths = [("wrcor-6", name, "std-32-normal") for name in ("PNorm", "PGNorm", "SNIP", "Fisher")]
    same = {key: replace(ships[key], se=0.0512, n=1234) for key in paths}
    cells = _line_of(tables.of_others({**ships, **same}), "| WRCor 6")
    assert cells[1] == "PNorm, PGNorm, SNIP, Fisher" and cells[4:] == [".05", "1,234"]
    other = {**same, paths[1]: replace(same[paths[1]], se=0.2, n=7)}
    cells = _line_of(tables.of_others({**ships, **other}), "| WRCor 6")
    assert cells[4:] == [".05, .20, .05, .05", "1,234, 7, 1,234, 1,234"]


def test_a_difference_has_its_interval(ships):
    key = ("wrcor-noise", "noise - images", "std-32-noise")
    note = "95 % interval of the paired difference -0.0500 to +0.0100; 3 left out"
    changed = {**ships, key: replace(ships[key], ours=-0.02, note=note)}
    assert _line_of(tables.of_others(changed), "|  | noise")[3] == "-.020 (95 %: -.050 to .010)"


def test_a_search_has_the_sd_of_its_runs(ships):
    key = ("wrcor-9", "R-ValAcc, cifar10", "nb201-12")
    changed = {**ships, key: replace(ships[key], paper=0.9404, ours=0.93, se=0.01, seeds=4)}
    assert _line_of(tables.of_searches(changed, ["ValAcc"]), "| random")[1:3] == ["94.04", "93.0 ± 2.0"]


def test_claims_are_of_the_spaces_asked_for(ships):
    lines = tables.of_claims(ships, SPACES_OF_CLAIMS).splitlines()
    assert len(lines) == 2 + len(tables.CLAIMS)
    cells = _line_of(lines[4], "| 3")
    row = ships["nbzero", "r1-mini, claim 3", "std-16"]
    cell = cells[1 + SPACES_OF_CLAIMS.index("r1-mini")]
    assert cell.startswith(f"{row.ours:+.2f}".replace("0.", ".")) and cell.endswith("`")
    assert _line_of(lines[2], "| 1")[1] == ""  # of nb201 with itself
    share = _line_of(lines[3], "| 2")[1]
    assert re.fullmatch(r"\d+ % \(\d+ % to \d+ %\)", share)


@pytest.mark.parametrize("table", ["wrcor-2", "swap-darts", "wrcor-9"])
def test_a_row_that_is_lacking_is_named(ships, table):
    key = next(key for key in ships if key[0] == table and not key[1].startswith(("16", "32", "64", "R-")))
    less = {name: row for name, row in ships.items() if name != key}
    with pytest.raises(ReleaseError, match=re.escape(f"no row {key[1]!r}") + ".*builders.reproduce"):
        tables.of_wrcor(less)
        tables.of_others(less)
        tables.of_searches(less, ["ValAcc"])
        tables.of_searches(less, ["WRCor", "ZeroCost", "SJW"])


def test_claims_of_a_space_without_rows_are_refused(ships):
    with pytest.raises(ReleaseError, match=r"no claims of r9; .*builders\.reproduce nbzero"):
        tables.of_claims(ships, ["nb201", "r9"])


def test_the_readme_has_every_part():
    readme = (ROOT / "README.md").read_text()
    for name, text in reproduced(ROOT / "data").items():
        assert f"<!-- {name} -->\n{text}\n<!-- /{name} -->" in readme
        assert not re.search(r"nan|None", text), name
