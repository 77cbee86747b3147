"""Functions of one's own: where they are, of which kind and version, what their answers mean."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from nbzero.errors import UsageError
from nbzero.proxies.function import as_score, load_function, named_version, reads_network
from tests.proxies import functions


def of_default(net, images, labels, eps=0.1): ...
def of_any(*arguments): ...
def of_arch_with_more(arch, power=2, scale=1): ...
def of_two(net, images): ...
def of_none(): ...


def test_the_signature_says_the_kind():
    assert [reads_network(one) for one in (of_default, of_any, functions.naswot)] == [True] * 3
    of_arch = (of_arch_with_more, functions.length, functions.TWICE, functions.Weighted(2), len)
    assert [reads_network(one) for one in of_arch] == [False] * 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            of_two,
            r"function of_two\(net, images\); it is function\(net, images, labels\), or",
        ),
        (of_none, r"function of_none\(\); it is function"),
        (3, "function 3 of int; it is function"),
        (dict, "function <class 'dict'> has no signature to read; wrap it: function"),
    ],
)
def test_what_is_of_neither_kind_is_refused(given, said):
    with pytest.raises(UsageError, match=said):
        reads_network(given)


def test_functions_are_found_in_modules_and_in_files(tmp_path, monkeypatch):
    assert load_function("tests.proxies.functions:length") is functions.length
    (tmp_path / "helper_beside_it.py").write_text("FACTOR = 3\n")
    (tmp_path / "random.py").write_text(
        "from helper_beside_it import FACTOR\n\n\ndef mine(arch):\n    return FACTOR * len(arch)\n"
    )
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    path = tmp_path / "random.py"  # a file may be called as a module is
    assert load_function(f"{path}:mine")("abc") == 9
    assert load_function(f"{path}:mine") is load_function(f"{path}:mine")
    assert __import__("random").random() < 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("naswot", "function 'naswot'; it is like mymodule:my_proxy or my_proxy.py:my_proxy"),
        ("no_such_module:f", r"no_such_module cannot be imported \(ModuleNotFoundError: No module named"),
        ("no_such.py:f", r"no_such.py cannot be imported \(FileNotFoundError"),
        ("tests.proxies.functions:f", "functions has no f; functions there: length, drawn, scaled"),
    ],
)
def test_a_function_that_is_not_there_is_explained(given, said):
    with pytest.raises(UsageError, match=said):
        load_function(given)


def test_a_file_with_an_error_says_it_every_time(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "broken.py").write_text("def f(arch):\n    return 1\n\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"cannot be imported \(ZeroDivisionError: division by zero\)"):
            load_function(f"{tmp_path}/broken.py:f")


def test_a_file_that_lacks_a_package_says_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    monkeypatch.setitem(__import__("sys").modules, "xgboost", None)
    (tmp_path / "mine.py").write_text("import xgboost\n")
    with pytest.raises(UsageError, match=r"it needs pip install '.\[factors\]'"):
        load_function(f"{tmp_path}/mine.py:f")


def version_of(tmp_path, monkeypatch, text):
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    (folder / "mine.py").write_text(text)
    return named_version(load_function(f"{folder}/mine.py:f"))


def test_a_version_changes_with_the_code_and_not_with_comments(tmp_path, monkeypatch):
    texts = [
        "def f(arch):\n    return 1\n",
        "# more\n\ndef f(arch):\n    # why\n    return 1\n",
        "def f(arch):\n    return 2\n",
    ]
    first, commented, other = [version_of(tmp_path, monkeypatch, text) for text in texts]
    assert first == commented != other and first.startswith("f ") and len(first) == 10
    lambdas = [lambda arch: 1, lambda arch: 2]
    assert len({named_version(one) for one in lambdas}) == 2
    weighted = [named_version(functions.Weighted(weight)) for weight in (1, 1, 2)]
    assert weighted[0] == weighted[1] != weighted[2] and weighted[0].startswith("Weighted ")
    assert named_version(functions.TWICE) != named_version(functions.scaled)
    assert named_version(functions.TWICE).startswith("scaled ")
    assert named_version(len) == named_version(len) != named_version(abs)


@pytest.mark.parametrize(
    "value",
    [3, 3.0, np.float32(3), np.int64(3), np.array(3.0), np.array([[3.0]]), torch.tensor([3.0]), Fraction(3)],
    ids=repr,
)
def test_one_number_of_any_kind_is_a_score(value):
    assert as_score(value) == (3.0, "") and type(as_score(value)[0]) is float


def test_a_tensor_with_gradients_and_infinities_are_scores():
    assert as_score(torch.ones(1, requires_grad=True).sum()) == (1.0, "")
    assert as_score(-math.inf) == (-math.inf, "") and as_score(torch.tensor(math.inf)) == (math.inf, "")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "it returned None; does it end with `return SCORE`?"),
        (math.nan, "it returned nan"),
        (torch.tensor(math.nan), "it returned nan"),
        (True, "it returned True; a score is a number"),
        (np.bool_(True), "it returned True; a score is a number"),
        (torch.tensor(True), "it returned True; a score is a number"),
        (1 + 2j, "it returned (1+2j), a complex number, which has no order; return abs(..) or .real"),
        (torch.tensor(1j), "it returned 1j, a complex number"),
        (np.ones(3), "it returned a ndarray of shape (3,); return one number, such as its sum or mean"),
        (torch.ones(2, 2), "it returned a Tensor of shape (2, 2); return one number"),
        (np.ones(0), "it returned a ndarray of shape (0,)"),
        ([1.0], "it returned [1.0] of list; a score is one number"),
        ("3", "it returned '3' of str; a score is one number"),
        ({"score": 3}, "it returned {'score': 3} of dict"),
    ],
    ids=str,
)
def test_whatever_is_no_score_has_a_reason(value, said):
    score, reason = as_score(value)
    assert score is None and reason.startswith(said)


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("SCALE = 1", "SCALE = 5"),
        ("return n * SCALE", "return n * SCALE + 1"),
        ("WEIGHTS = (1, 2)", "WEIGHTS = (2, 1)"),
        ("return 3", "return 4"),
        ("power=2", "power=3"),
    ],
)
def test_a_version_changes_with_what_the_function_uses_of_its_module(tmp_path, monkeypatch, change, to):
    text = """
SCALE = 1
WEIGHTS = (1, 2)
UNUSED = 0

class Rule:
    def __call__(self):
        return 3

def helper(n, power=2):
    return n * SCALE

def f(arch):
    return helper(len(arch)) + sum(WEIGHTS) + Rule()()
"""
    before = version_of(tmp_path, monkeypatch, text)
    assert change in text and version_of(tmp_path, monkeypatch, text.replace(change, to)) != before
    assert version_of(tmp_path, monkeypatch, text.replace("UNUSED = 0", "UNUSED = 1  # new")) == before
