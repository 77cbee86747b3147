"""Pages of the API: every public name of every package, from its docstring."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module

MOST = 200  # characters of a constant's value

PACKAGES = {
    "nbzero": "Opening a release, asking it, and the errors that everything raises.",
    "nbzero.judge": "Judging proxies: functions of a pool of measured networks.",
    "nbzero.metrics": "Metrics of a ranking, as functions of arrays.",
    "nbzero.search": "Strategies over any space, and searches by a simulated clock.",
    "nbzero.spaces": "Search spaces: members, moves, vectors, costs.",
    "nbzero.proxies": "Scores of networks. Needs the extra `torch`.",
    "nbzero.networks": "Networks of an arch. Needs the extra `torch`.",
    "nbzero.images": "Data sets and their splits. Needs the extra `torch`.",
    "nbzero.adapters": "For optuna, pymoo, syne-tune, ConfigSpace and scripts for NATS-Bench.",
    "nbzero.plots": "Figures. Needs the extra `plots`.",
    "nbzero.pages": "The report, one page that works offline.",
    "nbzero.release": "The files of a release, and their check.",
}


def file_of(package: str) -> str:
    """The page of a package.

    >>> file_of("nbzero.judge"), file_of("nbzero")
    ('judge.md', 'nbzero.md')
    """
    return f"{package.rpartition('.')[2]}.md"


def package_page(package: str) -> str:
    """Every public name of a package: functions and classes with their docstrings, then constants."""
    public = {name: getattr(import_module(package), name) for name in import_module(package).__all__}
    functions = [name for name, value in public.items() if inspect.isfunction(value)]
    classes = [name for name, value in public.items() if inspect.isclass(value)]
    lines = [f"# {package}", "", PACKAGES[package], ""]
    for name in [*functions, *classes]:
        lines += [f"::: {package}.{name}", ""]
    others = {name: value for name, value in public.items() if name not in (*functions, *classes)}
    constants = [f"- `{name}`: {_said(value)}" for name, value in others.items()]
    if constants:
        lines += ["## Constants", "", *constants, ""]
    return "\n".join(lines)


def _said(value: object) -> str:
    """A constant's value where it is short, else what it is."""
    text = repr(value)
    if len(text) <= MOST:
        return f"`{text}`"
    names = value if isinstance(value, Mapping) else ()
    return f"a {type(value).__name__} of " + ", ".join(f"`{name}`" for name in names) if names else text


def overview() -> str:
    """The page that lists the packages with their public names."""
    lines = ["# API", "", "Generated from the docstrings. Names that are not listed are not public.", ""]
    for package, said in PACKAGES.items():
        names = ", ".join(f"`{name}`" for name in import_module(package).__all__)
        lines += [f"## [{package}]({file_of(package)})", "", said, "", names, ""]
    return "\n".join(lines)
