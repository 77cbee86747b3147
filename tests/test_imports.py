"""Which way imports go, what importing nbzero costs, and that every public name is documented."""

import ast
import graphlib
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import nbzero
from tests.places import ROOT

FILES = sorted(path for top in ("nbzero", "train", "builders") for path in (ROOT / top).rglob("*.py"))
HEAVY = {"numpy", "torch", "pandas", "pyarrow", "scipy", "xgboost", "matplotlib", "fsspec", "polars", "h5py"}
TORCH = {"nbzero.networks", "nbzero.images", "nbzero.proxies", "train", "builders"}

# The floors of the house, from the ground: a file imports from its own floor or from below it.
FLOORS = (
    ("nbzero.errors", "nbzero.face", "nbzero.version"),
    ("nbzero.text",),
    ("nbzero.files", "nbzero.progress"),
    ("nbzero.frame",),
    ("nbzero.proxies.facts",),
    ("nbzero.spaces",),
    ("nbzero.metrics",),
    ("nbzero.release",),
    ("nbzero.surrogate",),
    ("nbzero.release.verify",),
    ("nbzero.networks", "nbzero.images"),
    ("nbzero.proxies",),
    ("nbzero.judge",),
    ("nbzero.search",),
    ("nbzero.bench",),
    ("nbzero",),
    ("nbzero.cite", "nbzero.plots", "nbzero.importers"),
    ("nbzero.pages", "nbzero.adapters"),
    ("nbzero.cli", "nbzero.__main__"),
    ("train",),
    ("builders",),
)
# Beside each other, of which none may use another.
APART = (
    ("nbzero.networks", {"nbzero.spaces", "nbzero.release", "nbzero.errors", "nbzero.face", "nbzero.files"}),
    ("nbzero.images", {"nbzero.spaces", "nbzero.release", "nbzero.errors", "nbzero.face", "nbzero.files"}),
    (
        "nbzero.importers",
        {"nbzero.spaces", "nbzero.release", "nbzero.errors", "nbzero.face", "nbzero.proxies.facts"},
    ),
)


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text())


def is_typing_only(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def imported(module: str, typing_too: bool) -> set[str]:
    """Dotted names of modules that a module imports, wherever it does."""
    names: set[str] = set()
    stack: list[ast.AST] = [tree_of(module)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and is_typing_only(node) and not typing_too:
            stack += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = within & MODULES.keys()
            names |= modules or {str(node.module)}
            if modules and modules != within:
                names.add(str(node.module))
        stack += ast.iter_child_nodes(node)
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def floor_of(name: str) -> int:
    """The floor of a module; of several prefixes the longest says."""
    found = [(len(one), floor) for floor, names in enumerate(FLOORS) for one in names if within(name, one)]
    assert found, f"{name} stands on no floor"
    return max(found)[1]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_go_down(name):
    path = MODULES[name]
    assert ast.get_docstring(tree_of(name)) or not path.read_text().strip(), "a module says what it is"
    face = path.name == "__init__.py" and name.startswith("nbzero.")
    ours = {one for one in imported(name, typing_too=False) if one in MODULES}
    above = {one for one in ours if floor_of(one) > floor_of(name)}
    assert not above, f"{name} imports upwards: {sorted(above)}"
    if face:
        assert ours == {"nbzero.face"}, f"the face of {name} imports {sorted(ours)}"
    for package, allowed in APART:
        if within(name, package):
            strangers = {one for one in ours if not any(within(one, there) for there in {package, *allowed})}
            assert not strangers, f"{name} imports {sorted(strangers)}"


def test_no_circle():
    graph = {}
    for name in MODULES:
        ours = imported(name, typing_too=False)
        graph[name] = {one for one in ours if one in MODULES and one != name}
    assert tuple(graphlib.TopologicalSorter(graph).static_order())


def test_torch_has_its_rooms():
    for name in MODULES:
        used = {one.split(".")[0] for one in imported(name, typing_too=True)}
        if "torch" in used:
            assert any(within(name, room) for room in TORCH) and name != "nbzero.proxies.facts", name


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh process has loaded after running some code."""
    whole = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", whole], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


PACKAGES = sorted(
    name for name, path in MODULES.items() if within(name, "nbzero") and path.name == "__init__.py"
)


def test_no_face_loads_anything_heavy():
    """All in one process: what none of them loads is not there at the end."""
    loaded = loaded_by("\n".join(f"import {name}; dir({name})" for name in PACKAGES))
    assert "nbzero" in loaded and not loaded & HEAVY


def test_importing_and_querying_loads_nothing_heavy():
    loaded = loaded_by(
        "import nbzero; b = nbzero.Bench(); r = b.query(('r1', 0));"
        "r.macs, r.accuracy('cifar10', 'cpu-16px-4'), r.score('zen', 'cifar10')"
    )
    assert "nbzero" in loaded and not loaded & HEAVY


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "nbzero.networks.build_net",
        "nbzero.images.load",
        "nbzero.proxies.score",
        "nbzero.proxies.PROTOCOLS",
        "nbzero.proxies.protocol_batch",
    ],
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
    assert said.endswith("pip install '.[torch]' in a checkout of nbzero\n")


def test_no_work_at_import():
    names = [name for name, path in MODULES.items() if path.name not in ("__init__.py", "__main__.py")]
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
