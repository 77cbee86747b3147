"""A function of one's own: where it is, of which kind and version, and what its answer means.

function(net, images, labels)    on a torch network of the protocol and its batch
function(arch)                   on the arch string alone
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import inspect
import math
import numbers
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from nbzero.errors import INSTALL, UsageError

Function = Callable[..., Any]
KINDS = "function(net, images, labels), or function(arch) of the arch string alone"


def load_function(text: str) -> Function:
    """The function that "mymodule:my_proxy" or "folder/my_proxy.py:my_proxy" names.

    Modules are looked for in the current folder too. A file's own folder is searched first for what it
    imports, as Python does for a script.

    Raises:
        UsageError: another form, a module or file that cannot be imported, or a name that it does not have.
    """
    where, colon, name = text.rpartition(":")
    if not colon or not where or not name:
        raise UsageError(f"function {text!r}; it is like mymodule:my_proxy or my_proxy.py:my_proxy")
    try:
        module = _module_of_file(Path(where)) if where.endswith(".py") else _module_named(where)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        advice = ""
        if isinstance(error, ModuleNotFoundError) and error.name in INSTALL:
            advice = f"; it needs pip install {INSTALL[error.name]}"
        raise UsageError(f"function {text!r}: {where} cannot be imported ({said}){advice}") from error
    if not hasattr(module, name):
        there = [one for one, value in vars(module).items() if inspect.isfunction(value)]
        listed = ", ".join(there) or "none"
        raise UsageError(f"function {text!r}: {where} has no {name}; functions there: {listed}")
    function: Function = getattr(module, name)
    return function


def _module_named(name: str) -> ModuleType:
    _search_first(Path.cwd())
    return importlib.import_module(name)


def _module_of_file(path: Path) -> ModuleType:
    """The module of a file, under a name that no other has."""
    path = path.resolve()
    name = f"nbzero_own_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    _search_first(path.parent)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # its name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _search_first(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def reads_network(function: Function) -> bool:
    """Whether a function is of (net, images, labels); else it is of the arch alone.

    Raises:
        UsageError: neither, or no function.

    >>> reads_network(lambda net, images, labels: 1.0), reads_network(lambda arch: 1.0)
    (True, False)
    """
    if not callable(function):
        raise UsageError(f"function {function!r} of {type(function).__name__}; it is {KINDS}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise UsageError(f"function {function!r} has no signature to read; wrap it: {KINDS}") from None
    first = next(iter(signature.parameters), "")
    if _takes(signature, 3) and first != "arch":
        return True
    if _takes(signature, 1):
        return False
    raise UsageError(f"function {name_of(function)}{signature}; it is {KINDS}")


def _takes(signature: inspect.Signature, number: int) -> bool:
    try:
        signature.bind(*range(number))
    except TypeError:
        return False
    return True


# Which version of a function made a score


def named_version(function: Function) -> str:
    """The name of a function, and eight digits of SHA-256 of its source, without comments.

    To its source belongs what it uses of its own module: functions, classes, numbers and texts, and what
    those use. A change of what it calls in other modules does not show.
    """
    said = "\n".join([_source_of(function), *_used(function, set())])
    return f"{name_of(function)} {hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _used(function: Any, seen: set[str]) -> list[str]:
    """The source of what a function uses of its own module, and what that uses; `seen` has their names."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type) or not inspect.isroutine(function):
        owner = function if isinstance(function, type) else type(function)
        methods = [value for value in vars(owner).values() if inspect.isfunction(value)]
        return [said for method in methods for said in _used(method, seen)]
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    known = inspect.getclosurevars(function) if inspect.isfunction(function) else None
    values = {} if known is None else {**known.globals, **known.nonlocals}
    said = [repr(getattr(function, "__defaults__", None))]
    for name in sorted(values):
        if name not in seen:
            seen.add(name)
            said += _told(name, values[name], function.__module__, seen)
    return said


def _told(name: str, value: Any, module: str, seen: set[str]) -> list[str]:
    """What a version says of one thing that a function uses."""
    if isinstance(value, (int, float, complex, str, bytes, tuple, frozenset, type(None))):
        return [f"{name} = {value!r}"]
    if getattr(value, "__module__", None) != module:
        return []
    if isinstance(value, type):
        return [_text_of(value), *_used(value, seen)]
    if callable(value):
        return [_source_of(value), *_used(value, seen)]
    return []


def _text_of(value: Any) -> str:
    """The source of a function or class without comments; its name where there is none to be had."""
    try:
        return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(value))))
    except (OSError, TypeError, SyntaxError):
        return str(getattr(value, "__qualname__", ""))


def name_of(function: Function) -> str:
    if isinstance(function, functools.partial):
        return name_of(function.func)
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def _source_of(function: Function) -> str:
    if isinstance(function, functools.partial):
        return f"{_source_of(function.func)} {function.args} {function.keywords}"
    if not inspect.isroutine(function):
        return f"{_source_of(type(function).__call__)} {vars(function)}"
    if function.__name__ != "<lambda>":
        try:
            return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))
        except (OSError, TypeError, SyntaxError):
            pass  # typed at a prompt, or compiled: its bytecode tells
    code = getattr(function, "__code__", None)
    return function.__name__ if code is None else _code_in_words(code)


def _code_in_words(code: CodeType) -> str:
    constants = []
    for value in code.co_consts:
        constants.append(_code_in_words(value) if isinstance(value, CodeType) else repr(value))
    return f"{code.co_code.hex()} {code.co_names} {constants}"


# What it gives


def as_score(value: Any) -> tuple[float | None, str]:
    """What a function gave as a float; or None, and why it is no score.

    >>> as_score(3)
    (3.0, '')
    >>> as_score(None)
    (None, 'it returned None; does it end with `return SCORE`?')
    """
    shape = getattr(value, "shape", None)
    if shape is not None and math.prod(shape) == 1 and hasattr(value, "item"):
        value = value.item()
    elif shape is not None:
        of = f"{type(value).__name__} of shape {tuple(shape)}"
        return None, f"it returned a {of}; return one number, such as its sum or mean"
    if value is None:
        return None, "it returned None; does it end with `return SCORE`?"
    if isinstance(value, bool):
        return None, f"it returned {value}; a score is a number: float(..) makes one of it"
    if isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real):
        return None, f"it returned {value}, a complex number, which has no order; return abs(..) or .real"
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        return None, f"it returned {value!r} of {type(value).__name__}; a score is one number"
    number = float(value)
    if math.isnan(number):
        return None, "it returned nan"
    return number, ""
