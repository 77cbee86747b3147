"""Pages of proxies: every one has its section, and its numbers are those of the release."""

import re
from dataclasses import replace

import pytest

from builders.site import proxies
from builders.site.found import PoolFound, pool_found
from nbzero import Bench, judge
from nbzero.proxies.facts import PROXIES
from tests.places import ROOT

BENCH = Bench(ROOT / "data")
MADE = PoolFound(
    name="made, digits, `r`",
    space="mb",
    dataset="digits",
    num=9,
    tau={"zen": (0.5, 0.4, 0.6), "snip": (-0.3, -0.5, -0.1), "ntk": (0.1, -0.2, 0.3)},
    mbr={"zen": (0.1, None, None), "macs": (0.2, 0.1, 0.3), "linear_regions": (0.3, None, None)},
    doubts={"ntk": "it was made up", "netsens": "rounding"},
)
SECONDS = {"mb": {row.timed_as: 2.0 for row in PROXIES.values()}}


@pytest.fixture(scope="module")
def real() -> PoolFound:
    return pool_found(BENCH, "mb", "cifar10", "cpu-16px-4", resamples=10)


def section(page: str, name: str) -> str:
    return page.split(f"## {name} {{#")[1].split("\n## ")[0]


def test_every_proxy_has_a_section_with_docstring_cost_and_source():
    pages = {family: proxies.family_page(family, [MADE], SECONDS, 10) for family in proxies.FAMILIES}
    for row in PROXIES.values():
        text = section(pages[row.family], row.name)
        assert "::: nbzero.proxies." in text and "2 s" in text
    assert {row.family for row in PROXIES.values()} == set(proxies.FAMILIES)


def test_what_stands_out_is_said():
    assert proxies.remarks("zen", [MADE]) == []
    (wrong,) = proxies.remarks("snip", [MADE])
    assert wrong == "- It ranks the wrong way in mb: the interval of tau is below 0."
    assert proxies.remarks("ntk", [MADE]) == ["- Doubtful in mb on digits: it was made up."]
    assert "- Doubtful in mb: rounding." in proxies.remarks("netsens", [MADE])
    assert proxies.remarks("linear_regions", [MADE])[0].startswith("- No tau in mb:")


def test_of_several_pools_of_a_space_those_are_named_in_which_it_is_so():
    other = replace(
        MADE, name="mb, cifar10, `r`", dataset="cifar10", tau=MADE.tau | {"snip": (0.3, 0.1, 0.5)}
    )
    third = replace(MADE, name="r1, digits, `r`", space="r1")
    (wrong,) = proxies.remarks("snip", [MADE, other, third])
    assert wrong.startswith("- It ranks the wrong way in made, digits, `r`; r1: the interval")


def test_a_proxy_that_no_pool_has_says_so():
    page = proxies.family_page("kernel", [MADE], SECONDS, 10)
    assert "*Found:* nothing; no network with an accuracy in the release has a score of it." in section(
        page, "acor"
    )


def test_places_count_the_proxies_with_a_higher_tau():
    assert [MADE.place(name) for name in ("zen", "ntk", "snip", "macs")] == [1, 2, 3, None]


def test_the_numbers_are_those_of_the_release(real):
    pool = BENCH.pool("mb", "cifar10", "cpu-16px-4")
    taus = {row["proxy"]: row["kendall"] for row in judge.correlations(pool)}
    picks = {row["proxy"]: row["mbr_union"] for row in judge.mbr_table(pool)}
    page = proxies.family_page("activation", [real], SECONDS, 10)
    (row,) = re.findall(r"^\| mb, .*\|$", section(page, "swap"), re.MULTILINE)
    _, num, tau, _, mbr, beside = (cell.strip() for cell in row.strip("|").split("|"))
    assert int(num) == len(pool.archs)
    assert tau.startswith(f"{taus['swap']:.2f} (") and mbr.startswith(f"{picks['swap']:.2f} (")
    assert beside.split(", ")[0] == f"{picks['macs']:.2f}"
    assert f"| {taus['swap']:.2f} |" in proxies.overview([real])
    assert "\\*" in next(line for line in proxies.overview([real]).splitlines() if "[`jacob_cov`]" in line)
