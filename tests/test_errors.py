"""The messages that are needed more than once: what holds, what is refused, and in which words."""

import inspect
import math
import sys

import numpy as np
import pytest

from nbzero import errors
from nbzero.errors import (
    MissingPackageError,
    NBZeroError,
    UnknownNameError,
    UsageError,
    check_known,
    count_of,
    names,
    needs,
    unknown_name,
    whole,
)

CLASSES = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if issubclass(thing, Exception)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_caught_as_ours_and_says_what_it_is(kind):
    assert issubclass(kind, NBZeroError)
    assert inspect.getdoc(kind) and kind.__name__.endswith("Error")
    assert str(kind("what to do")) == "what to do"


def test_a_missing_package_says_who_needs_it_and_what_brings_it(monkeypatch):
    assert needs("this test", "pandas") is sys.modules["pandas"]
    monkeypatch.setitem(sys.modules, "xgboost", None)
    install = r"pip install '.\[factors\]' in a checkout of nbzero"
    said = rf"^factors needs xgboost, which cannot be imported \(.*xgboost.*\): {install}$"
    with pytest.raises(MissingPackageError, match=said) as caught:
        needs("factors", "xgboost")
    assert isinstance(caught.value, ImportError) and isinstance(caught.value.__cause__, ImportError)


@pytest.mark.parametrize("value", [0, 1, 7, 2**70, np.int16(3), np.uint8(3), np.array(3)])
def test_whole_numbers_become_ints(value):
    assert whole("seed", value) == value and type(whole("seed", value)) is int


def test_the_bounds_of_a_whole_number_are_allowed():
    assert whole("k", 1, least=1) == 1 and whole("k", 5, most=5) == 5 and whole("k", -2, least=-2) == -2


@pytest.mark.parametrize("value", [-1, 1.0, "1", None, True, np.True_, math.nan, [1], np.array([1, 2])])
def test_what_is_no_whole_number_from_0(value):
    with pytest.raises(UsageError, match=r"^seed .*; it is a whole number from 0$"):
        whole("seed", value)


@pytest.mark.parametrize(
    ("value", "least", "most", "said"),
    [
        (0, 1, None, "k 0; it is a whole number from 1"),
        (6, 1, 5, "k 6; it is a whole number from 1 to 5"),
        (0, 1, 5, "k 0; it is a whole number from 1 to 5"),
        ("3", 1, 5, "k '3'; it is a whole number from 1 to 5"),
    ],
)
def test_a_whole_number_outside_its_bounds(value, least, most, said):
    with pytest.raises(UsageError) as caught:
        whole("k", value, least, most)
    assert str(caught.value) == said


def test_names_are_a_list_without_repeats():
    assert names("proxies", ("zen", "ntk", "zen")) == ["zen", "ntk"]
    assert names("proxies", (name for name in ("b", "a"))) == ["b", "a"]
    assert names("proxies", {"zen": 1}) == ["zen"]


def test_the_default_is_for_no_names_given_and_not_for_an_empty_list():
    assert names("costs", None, ("macs", "params", "macs")) == ["macs", "params"]
    assert names("costs", None) == [] and names("costs", [], ("macs",)) == []


def test_one_string_is_no_list_of_names():
    with pytest.raises(UsageError, match=r"^proxies is 'zen'; it is a list of names: \['zen'\]$"):
        names("proxies", "zen")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((1, "arch"), "1 arch"),
        ((0, "arch"), "0 archs"),
        ((1_000_000, "arch"), "1,000,000 archs"),
        ((2, "proxy", "proxies"), "2 proxies"),
        ((1, "proxy", "proxies"), "1 proxy"),
    ],
)
def test_a_count_in_words(given, said):
    assert count_of(*given) == said


def test_an_unknown_name_lists_near_ones_and_all():
    error = unknown_name("proxy", "zen_score", ["zico", "zen", "naswot"])
    assert isinstance(error, UnknownNameError) and isinstance(error, LookupError)
    assert str(error) == "no proxy named 'zen_score'; did you mean 'zen'? Known: naswot, zen, zico"
    several = str(unknown_name("column", "tau", {"tua": 1, "tau_b": 2, "n": 3}))
    assert several == "no column named 'tau'; did you mean 'tau_b' or 'tua'? Known: n, tau_b, tua"


@pytest.mark.parametrize("given", [5, None, ("a",)])
def test_an_unknown_name_may_be_no_text_and_nothing_may_be_known(given):
    assert str(unknown_name("space", given, [])) == f"no space named {given!r}; Known: none"


def test_the_first_name_that_is_unknown_is_named():
    check_known("proxy", ["zen", "ntk"], {"zen": 1, "ntk": 2})
    check_known("proxy", [], [])
    with pytest.raises(UnknownNameError, match="no proxy named 'ntc'; did you mean 'ntk'"):
        check_known("proxy", ["zen", "ntc", "zne"], ["zen", "ntk"])


def test_an_arch_that_is_no_member_names_members():
    assert errors.NotAMemberError("no member").nearest == ()
    assert errors.NotAMemberError("no member", ("a", "b")).nearest == ("a", "b")
