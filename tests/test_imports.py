"""Which way imports go, what importing nbzero costs, and that every public name is documented."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import nbzero
from tests.places import ROOT

FILES = sorted(path for top in ("nbzero", "train", "builders") for path in (ROOT / top).rglob("*.py"))
ALLOWED = {"nbzero": {"nbzero"}, "train": {"nbzero", "train"}, "builders": {"nbzero", "train", "builders"}}
LEAVES = {
    "schema": {"errors", "imported", "proxies", "spaces"},
    "imported": {"errors", "spaces"},
    "spaces": {"errors"},
    "proxies": {"errors"},
    "errors": set(),
}
# Packages of nbzero that may import torch, and what of nbzero they may; their faces and facts do without torch.
WITH_TORCH = {
    "images": {"errors", "face", "images"},
    "networks": {"errors", "face", "networks", "spaces"},
    "proxies": {"errors", "face", "images", "networks", "proxies", "release", "spaces"},
}
HEAVY = {"numpy", "torch", "pandas", "pyarrow", "scipy", "xgboost", "matplotlib", "fsspec", "polars"}


def imported(tree: ast.AST) -> set[str]:
    """Dotted names that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(str(node.module))
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def may_import_torch(path: Path) -> bool:
    return path.parent.name in WITH_TORCH and path.stem not in ("__init__", "__main__", "facts")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path):
    tree = ast.parse(path.read_text())
    top = path.relative_to(ROOT).parts[0]
    ours = {name for name in imported(tree) if name.split(".")[0] in ALLOWED}
    assert {name.split(".")[0] for name in ours} <= ALLOWED[top]
    if top == "nbzero":
        if not may_import_torch(path):
            assert "torch" not in {name.split(".")[0] for name in imported(tree)}
        inside = {name.split(".")[1] for name in ours if "." in name}
        if path.parent.name in WITH_TORCH:
            assert inside <= WITH_TORCH[path.parent.name]
        if path.stem in LEAVES:
            assert inside <= LEAVES[path.stem] | {path.stem}
    assert ast.get_docstring(tree) or not path.read_text().strip(), "a module says what it is"


def test_importing_and_querying_loads_nothing_heavy():
    code = (
        "import sys, nbzero; b = nbzero.Bench(); r = b.query(('r1', 0)); r.macs, r.accuracy('cifar10'), r.score('zen', 'cifar10');"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()
    )
    assert "nbzero" in loaded and not loaded & HEAVY


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("name", [f"nbzero.{package}" for package in WITH_TORCH])
def test_the_faces_of_the_packages_with_torch_import_neither_torch_nor_numpy(name):
    facts = "dir(face), getattr(face, 'PROXIES', 0), getattr(face, 'DATASETS', 0)"
    names = "{name.split('.')[0] for name in sys.modules}"
    loaded = set(run(f"import sys, {name} as face; {facts}; print(*sorted({names}))").split())
    assert "nbzero" in loaded and not loaded & HEAVY


@pytest.mark.parametrize(
    "name",
    ["nbzero.networks.build_net", "nbzero.images.load", "nbzero.proxies.score", "nbzero.proxies.PROTOCOLS"],
)
def test_what_needs_torch_says_what_to_install(name):
    package, _, wanted = name.rpartition(".")
    code = f"""
import sys
sys.modules["torch"] = None  # as where it is not installed
from nbzero.errors import MissingPackageError
try:
    from {package} import {wanted}
except MissingPackageError as error:
    print(error)
"""
    said = run(code)
    assert said.startswith(f"{name} needs torch, which cannot be imported")
    assert said.endswith("pip install 'nbzero[torch]'\n")


def test_no_work_at_import():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in FILES
        if path.name not in ("__init__.py", "__main__.py")
    ]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == done.stderr == ""


@pytest.mark.parametrize("name", nbzero.__all__)
def test_every_public_name_is_documented(name):
    thing = getattr(nbzero, name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return
    assert inspect.getdoc(thing) and not inspect.getdoc(thing).startswith(f"{name}("), name
    for attribute, member in inspect.getmembers(thing, inspect.isfunction):
        if not attribute.startswith("_") and member.__qualname__.startswith(name):
            assert inspect.getdoc(member), f"{name}.{attribute}"


def test_all_is_sorted_and_typed():
    assert nbzero.__all__ == sorted(
        nbzero.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert (ROOT / "nbzero/py.typed").exists()
