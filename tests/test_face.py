"""Faces of packages: the names twice the same, each in its home, loaded when asked for and not before."""

import ast
import subprocess
import sys
from importlib import import_module

import pytest

from tests.places import ROOT


def calls_of_face(tree):
    """The calls `face(...)` of a module, wherever it has them."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "face"
    ]


def faces():
    """Package name -> its parsed __init__, of every package whose __init__ calls `face`."""
    found = {}
    for path in sorted((ROOT / "nbzero").rglob("__init__.py")):
        tree = ast.parse(path.read_text())
        if calls_of_face(tree):
            found[".".join(path.parent.relative_to(ROOT).parts)] = tree
    return found


FACES = faces()
each_face = pytest.mark.parametrize("package", FACES)


def called_with(package):
    """Module -> the names that the call of `face` lists for it."""
    (call,) = calls_of_face(FACES[package])
    assert [ast.unparse(argument) for argument in call.args] == ["__name__"]
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


def modules_that_share_a_name(package):
    """Module with the name of a public function -> the module that has the function."""
    called = called_with(package)
    shared = {}
    for home, names in called.items():
        shared |= {name: home for name in names if name in called}
    return shared


def typed(package):
    """Module -> the names that the TYPE_CHECKING block imports from it, as themselves."""
    found = {}
    for node in FACES[package].body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for imported in node.body:
                assert isinstance(imported, ast.ImportFrom) and imported.level == 0
                home, _, module = imported.module.rpartition(".")
                assert home == package, imported.module
                assert all(alias.asname == alias.name for alias in imported.names)
                found.setdefault(module, []).extend(alias.name for alias in imported.names)
    return found


def fresh(code):
    """What a new process prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_there_are_faces():
    assert {"nbzero.metrics", "nbzero.release", "nbzero.spaces"} <= set(FACES)


@each_face
def test_type_checkers_see_the_names_of_the_call_in_the_same_modules(package):
    called = {module: sorted(names) for module, names in called_with(package).items()}
    assert called == {module: sorted(names) for module, names in typed(package).items()}


@each_face
def test_every_name_is_listed_once_and_its_module_has_it(package):
    face = import_module(package)
    listed = [name for names in called_with(package).values() for name in names]
    assert sorted(listed) == face.__all__ and len(set(listed)) == len(listed)
    assert not [name for name in listed if name.startswith("_")]
    for module, names in called_with(package).items():
        # With from and a fresh import, because the face may have a function where the module would be.
        home = sys.modules.get(f"{package}.{module}") or import_module(f"{package}.{module}")
        for name in names:
            value = getattr(face, name)
            assert value is getattr(home, name)
            defined_in = getattr(value, "__module__", home.__name__)
            assert not defined_in.startswith("nbzero.") or defined_in == home.__name__, name


@each_face
def test_dir_lists_the_names_and_an_unknown_one_is_an_attribute_error(package):
    face = import_module(package)
    assert set(face.__all__) <= set(dir(face))
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'no_such_name'"):
        face.no_such_name  # noqa: B018


@each_face
def test_importing_a_module_leaves_a_function_of_its_name_on_the_face(package):
    for module, home in modules_that_share_a_name(package).items():
        code = f"""
import {package}.{module}
import {package} as face
first = face.{module}
import {package}.{module} as again
from {package}.{home} import {module} as there
import sys
print(callable(first), again is first, there is first, sys.modules["{package}.{module}"] is not first)
"""
        assert fresh(code) == ["True"] * 4


@each_face
def test_a_module_that_shares_no_name_is_reached_as_ever(package):
    for module in called_with(package):
        if module not in modules_that_share_a_name(package):
            loaded = import_module(f"{package}.{module}")
            assert getattr(import_module(package), module) is loaded


def test_some_functions_share_the_names_of_modules():
    assert modules_that_share_a_name("nbzero.metrics") == {
        "picks": "picks",
        "bootstrap": "bootstrap",
        "nemenyi": "nemenyi",
    }
    assert modules_that_share_a_name("nbzero.spaces") == {"space": "macro"}
