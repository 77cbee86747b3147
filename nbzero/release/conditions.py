"""Conditions on columns: `"macs < 1e8 and s1_depth >= 2"` to a boolean mask.

Own evaluator over Python's parsed syntax, no eval. Allowed are:

    column names    also qualified, `scores.macs`
    values          numbers and texts
    arithmetic      + - * /
    comparisons     < <= > >= == !=, also chained; `is None`, `is not None`
    logic           and, or, not, parentheses

Null follows SQL's three values. A comparison with null is neither true nor false, and only what is true is
kept.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError, quoted

Mask = npt.NDArray[np.bool_]
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_HELP = 'conditions are like "macs < 1e8 and s1_depth >= 2"'
MAX_LENGTH = 10_000  # characters
MAX_NESTED = 100  # levels


def names_in(text: str) -> list[str]:
    """The columns a condition reads, in order; UsageError where the text is no condition."""
    names: dict[str, None] = {}

    def visit(node: ast.AST) -> None:
        name = _name(node)
        if name is not None:
            names[name] = None
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(_parsed(text))
    return list(names)


def mask(text: str, column: Callable[[str], npt.NDArray[Any]], num_rows: int) -> Mask:
    """The rows (num_rows,) for which a condition holds.

    Args:
        text: the condition.
        column: gives a column's values by name, (num_rows,): numbers with NaN for null, or objects with None
            for null.

    Raises:
        UsageError: syntax that is not allowed, naming the part.
        UnknownNameError: as `column` raises it.
    """
    return _Evaluation(text, column, num_rows).truth(_parsed(text)).true


class _Truth(NamedTuple):
    """Where a condition is true and where it is false; where neither, it is unknown."""

    true: Mask
    false: Mask

    def both(self, other: "_Truth") -> "_Truth":
        return _Truth(self.true & other.true, self.false | other.false)

    def either(self, other: "_Truth") -> "_Truth":
        return _Truth(self.true | other.true, self.false & other.false)

    def negated(self) -> "_Truth":
        return _Truth(self.false, self.true)


class _Evaluation(NamedTuple):
    """One condition on the columns of one table; arguments as of `mask`."""

    text: str
    column: Callable[[str], npt.NDArray[Any]]
    num_rows: int

    def truth(self, node: ast.expr) -> _Truth:
        """What is worth true, false or null."""
        if isinstance(node, ast.BoolOp):
            return self._joined(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.truth(node.operand).negated()
        if isinstance(node, ast.Compare):
            return self._chained(node)
        raise UsageError(f"{ast.unparse(node)!r} in {quoted(self.text)} is no comparison; {_HELP}")

    def _joined(self, node: ast.BoolOp) -> _Truth:
        """Parts with `and` or `or` between them."""
        found, *parts = map(self.truth, node.values)
        for part in parts:
            found = found.both(part) if isinstance(node.op, ast.And) else found.either(part)
        return found

    def _chained(self, node: ast.Compare) -> _Truth:
        """One comparison or several: a < b < c is a < b and b < c."""
        values = [node.left, *node.comparators]
        found, *parts = map(self._compared, node.ops, values[:-1], values[1:])
        for part in parts:
            found = found.both(part)
        return found

    def _compared(self, compare: ast.cmpop, left: ast.expr, right: ast.expr) -> _Truth:
        if isinstance(compare, (ast.Is, ast.IsNot)):
            return self._is_null(compare, left, right)
        apply = _COMPARE.get(type(compare))
        if apply is None:
            allowed = "only < <= > >= == != and 'is None' compare"
            raise UsageError(f"{ast.unparse(left)!r} in {quoted(self.text)}: {allowed}; {_HELP}")
        a, b = self._value(left), self._value(right)
        if not _are_comparable(compare, a, b):
            both = f"{ast.unparse(left)!r} and {ast.unparse(right)!r} in {quoted(self.text)}"
            raise UsageError(f"{both}: numbers compare with numbers, texts by == and !=")
        known = ~(_null(a) | _null(b))
        with np.errstate(invalid="ignore"):
            holds = np.broadcast_to(np.asarray(apply(a, b), bool), (self.num_rows,))
        return _Truth(holds & known, ~holds & known)

    def _is_null(self, compare: ast.cmpop, left: ast.expr, right: ast.expr) -> _Truth:
        """Of `is None` and `is not None`."""
        if not _is_none(right):
            raise UsageError(f"'is' in {quoted(self.text)} goes with None only: 's4_depth is None'")
        null = np.zeros(self.num_rows, bool) | _null(self._value(left))
        truth = _Truth(null, ~null)
        return truth if isinstance(compare, ast.Is) else truth.negated()

    def _value(self, node: ast.expr) -> Any:
        """A column, a constant, or what is computed of them."""
        name = _name(node)
        if name is not None:
            return self.column(name)
        if _is_none(node):
            instead = "write 'is None' or 'is not None'"
            raise UsageError(f"{quoted(self.text)} compares with None, which is never true; {instead}")
        if isinstance(node, ast.Constant) and type(node.value) in (int, float, str):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            with np.errstate(divide="ignore", invalid="ignore"):
                return _ARITHMETIC[type(node.op)](self._number(node.left), self._number(node.right))
        raise UsageError(f"{ast.unparse(node)!r} in {quoted(self.text)} is not allowed; {_HELP}")

    def _number(self, node: ast.expr) -> Any:
        found = self._value(node)
        if _is_text(found):
            raise UsageError(f"{ast.unparse(node)!r} in {quoted(self.text)} is text, not a number")
        return np.asarray(found, np.float64)


def _parsed(text: str) -> ast.expr:
    if not isinstance(text, str):
        raise UsageError(f"a condition is a text, not {type(text).__name__}; {_HELP}")
    if len(text) > MAX_LENGTH:
        raise UsageError(f"{quoted(text)} is longer than {MAX_LENGTH:,} characters; {_HELP}")
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(f"{quoted(text)} cannot be read ({said}); {_HELP}") from error
    if _is_deeper(parsed, MAX_NESTED):
        raise UsageError(f"{quoted(text)} is nested more than {MAX_NESTED} levels deep; {_HELP}")
    return parsed


def _is_deeper(root: ast.AST, levels: int) -> bool:
    """Whether a tree has more levels than that; it does not recurse itself."""
    level = [root]
    for _ in range(levels):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


def _name(node: ast.AST) -> str | None:
    """The column that a node names, if it names one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(values: Any) -> bool:
    return isinstance(values, str) or (isinstance(values, np.ndarray) and values.dtype == object)


def _are_comparable(compare: ast.cmpop, a: Any, b: Any) -> bool:
    """Two numbers are; two texts only by == and !=."""
    if _is_text(a) != _is_text(b):
        return False
    return not _is_text(a) or isinstance(compare, (ast.Eq, ast.NotEq))


def _null(values: Any) -> Any:
    """Where values are null, or that none is."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        return np.array([one is None for one in values], bool)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return np.isnan(values)
    return np.False_
