"""The exceptions of nbzero, and the messages that are needed more than once.

Every message says what was given, what is allowed and what to do. A command catches `NBZeroError` alone, so
that a bug of ours shows its traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import numbers
import operator
from collections.abc import Collection, Iterable
from typing import Any

_LONGEST = 100  # characters of a name for which near matches are sought


class NBZeroError(Exception):
    """Base of every exception that nbzero defines."""


class UsageError(NBZeroError, ValueError):
    """Malformed input: an option, a number or a string that is not what is allowed.

    Another input can be right.
    """


class UnknownNameError(NBZeroError, LookupError):
    """A space, dataset, recipe, protocol, proxy or column that does not exist.

    The message names near matches.
    """


class NotAMemberError(NBZeroError, LookupError):
    """An arch of the grid that is no member of its space, so no table has a row for it.

    Attributes:
        nearest: members near it.
    """

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class NoSuchArchIdError(NBZeroError, IndexError):
    """An arch_id beyond the archs of its space."""


class NothingFoundError(NBZeroError, ValueError):
    """A request that is well-formed, of names that exist, to which the release has nothing.

    No arch meets a condition or a budget; there are no runs, or no scores. Another release, split, seed or
    condition can have them. What is malformed is a `UsageError`.
    """


class ReleaseError(NBZeroError):
    """A release or shard that cannot be trusted: missing, truncated, corrupted, foreign or contradictory."""


class OutputError(NBZeroError):
    """A file or folder that cannot be written. What was there before is untouched."""


class ImagesError(NBZeroError):
    """Images that are absent, or have the wrong shape or checksum."""


class OutOfBudgetError(NBZeroError):
    """A query of a simulated search that is done: budget or queries are used up. Nothing was charged."""


class ProxyError(NBZeroError):
    """A score that cannot be computed for this network. The reason becomes the null's reason."""


class MissingPackageError(NBZeroError, ImportError):
    """A package that is needed here and cannot be imported. The message says what to install."""


# What brings a package that nbzero does not always need: an extra of nbzero, or pip's words.
EXTRAS = {
    "PIL": "torch",
    "h5py": "torch",
    "matplotlib": "plots",
    "mkdocstrings_handlers": "docs",
    "numba": "fast",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "pandas": "analysis",
    "pooch": "torch",
    "ray": "ray",
    "rich": "cli",
    "scipy": "analysis",
    "sklearn": "torch",
    "torch": "torch",
    "typer": "cli",
    "vl_convert": "report",
    "xgboost": "factors",
    "zensical": "docs",
}
INSTALL = {
    "ConfigSpace": "ConfigSpace",
    "fsspec": "fsspec",
    "optuna": "optuna",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "pymoo": "pymoo",
    "syne_tune": "--no-deps syne-tune, and pip install dill huggingface_hub pandas psutil scikit-learn tqdm",
    **{package: f"'.[{extra}]' in a checkout of nbzero" for package, extra in EXTRAS.items()},
}


def needs(asked_by: str, package: str) -> Any:
    """The module `package`: a package of `INSTALL`, or a module inside one.

    Args:
        asked_by: who needs it, in words.

    Raises:
        MissingPackageError: it cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        install = f"pip install {INSTALL[package.partition('.')[0]]}"
        raise MissingPackageError(
            f"{asked_by} needs {package}, which cannot be imported ({error}): {install}"
        ) from error


def whole(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """A whole number as an int.

    Raises:
        UsageError: no whole number, or one below `least` or above `most`.

    >>> whole("seed", 3)
    3
    """
    number = None
    if not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            number = operator.index(value)
    if number is not None and number >= least and (most is None or number <= most):
        return number
    upto = "" if most is None else f" to {most}"
    raise UsageError(f"{name} {value!r}; it is a whole number from {least}{upto}")


def is_number(value: object) -> bool:
    """Whether a value is a real number of Python or numpy; a truth value and NaN are none.

    >>> is_number(0.5), is_number(True), is_number("0.5"), is_number(float("nan"))
    (True, False, False, False)
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value


def names(what: str, given: Iterable[str] | None, default: Iterable[str] = ()) -> list[str]:
    """A list of names without repeats; the default where none was given.

    Args:
        what: what the argument is called.

    Raises:
        UsageError: one string, which is no list of names.

    >>> names("proxies", ["zen", "ntk", "zen"])
    ['zen', 'ntk']
    """
    if isinstance(given, str):
        raise UsageError(f"{what} is {given!r}; it is a list of names: [{given!r}]")
    return list(dict.fromkeys(default if given is None else given))


def count_of(number: int, one: str, many: str = "") -> str:
    """A number with what it counts, in words.

    Args:
        many: the word of several, where it is not `one` with an s.

    >>> count_of(1, "arch"), count_of(1024, "arch"), count_of(0, "proxy", "proxies")
    ('1 arch', '1,024 archs', '0 proxies')
    """
    if number == 1:
        return f"1 {one}"
    return f"{number:,} {many or one + 's'}"


def quoted(text: object, most: int = 200) -> str:
    """A value as Python writes it, for a message: the middle of a long one left out.

    >>> quoted("zen"), quoted("a" * 1000, most=10)
    ("'zen'", "'aaaa ... aaaa'")
    """
    shown = repr(text)
    if len(shown) <= most:
        return shown
    half = most // 2
    return f"{shown[:half]} ... {shown[-half:]}"


def unknown_name(kind: str, given: object, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that does not exist, with near matches and all that is known.

    >>> print(unknown_name("proxy", "zen_score", ["naswot", "zen", "zico"]))
    no proxy named 'zen_score'; did you mean 'zen'? Known: naswot, zen, zico
    """
    known = sorted(set(known))
    near = difflib.get_close_matches(str(given)[:_LONGEST], known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    listed = ", ".join(known) or "none"
    return UnknownNameError(f"no {kind} named {quoted(given)}; {hint}Known: {listed}")


def check_known(kind: str, given: Iterable[str], known: Collection[str]) -> None:
    """UnknownNameError for the first name that is not known."""
    for name in given:
        if name not in known:
            raise unknown_name(kind, name, known)
