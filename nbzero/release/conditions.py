"""Conditions on columns: `"macs < 1e8 and s1_depth >= 2"` to a boolean mask. Own evaluator over Python's parsed syntax, no eval.

Allowed: column names (also qualified, `scores.macs`), numbers, texts, + - * /, < <= > >= == !=, chained comparisons, `is None`, `is not None`,
and, or, not, parentheses. Null follows SQL's three values: a comparison with null is neither true nor false, and only what is true is kept.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbzero.errors import UsageError

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


class _Truth(NamedTuple):
    """Where a condition is true and where it is false; where neither, it is unknown."""

    true: Mask
    false: Mask


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
        column: gives a column's values by name, (num_rows,): numbers with NaN for null, or objects with None for null.

    Raises:
        UsageError: syntax that is not allowed, naming the part.
        UnknownNameError: as `column` raises it.
    """

    def truth(node: ast.expr) -> _Truth:
        if isinstance(node, ast.BoolOp):
            parts = [truth(value) for value in node.values]
            true, false = parts[0]
            for part in parts[1:]:
                if isinstance(node.op, ast.And):
                    true, false = true & part.true, false | part.false
                else:
                    true, false = true | part.true, false & part.false
            return _Truth(true, false)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = truth(node.operand)
            return _Truth(inner.false, inner.true)
        if isinstance(node, ast.Compare):
            true, false = np.ones(num_rows, bool), np.zeros(num_rows, bool)
            left = node.left
            for compare, right in zip(node.ops, node.comparators, strict=True):
                part = _compared(compare, left, right)
                true, false, left = true & part.true, false | part.false, right
            return _Truth(true, false)
        raise UsageError(f"{ast.unparse(node)!r} in {text!r} is no comparison; {_HELP}")

    def _compared(compare: ast.cmpop, left: ast.expr, right: ast.expr) -> _Truth:
        if isinstance(compare, (ast.Is, ast.IsNot)):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise UsageError(f"'is' in {text!r} goes with None only: 's4_depth is None'")
            null = _null(value(left))
            return _Truth(null, ~null) if isinstance(compare, ast.Is) else _Truth(~null, null)
        if type(compare) not in _COMPARE:
            raise UsageError(
                f"{ast.unparse(left)!r} in {text!r}: only < <= > >= == != and 'is None' compare; {_HELP}"
            )
        a, b = value(left), value(right)
        if _is_text(a) != _is_text(b) or (_is_text(a) and not isinstance(compare, (ast.Eq, ast.NotEq))):
            raise UsageError(
                f"{ast.unparse(left)!r} and {ast.unparse(right)!r} in {text!r}: numbers compare with numbers, texts by == and !="
            )
        known = ~(_null(a) | _null(b))
        with np.errstate(invalid="ignore"):
            holds = np.broadcast_to(np.asarray(_COMPARE[type(compare)](a, b), bool), (num_rows,))
        return _Truth(holds & known, ~holds & known)

    def value(node: ast.expr) -> Any:
        name = _name(node)
        if name is not None:
            return column(name)
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, (int, float, str))
            and not isinstance(node.value, bool)
        ):
            return node.value
        if isinstance(node, ast.Constant) and node.value is None:
            raise UsageError(
                f"{text!r} compares with None, which is never true; write 'is None' or 'is not None'"
            )
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -_number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            with np.errstate(divide="ignore", invalid="ignore"):
                return _ARITHMETIC[type(node.op)](_number(node.left), _number(node.right))
        raise UsageError(f"{ast.unparse(node)!r} in {text!r} is not allowed; {_HELP}")

    def _number(node: ast.expr) -> Any:
        found = value(node)
        if _is_text(found):
            raise UsageError(f"{ast.unparse(node)!r} in {text!r} is text, not a number")
        return np.asarray(found, np.float64)

    return truth(_parsed(text)).true


def _parsed(text: str) -> ast.expr:
    if not isinstance(text, str):
        raise UsageError(f"a condition is a text, not {type(text).__name__}; {_HELP}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(f"{text!r} cannot be read ({said}); {_HELP}") from error


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _is_text(values: Any) -> bool:
    return isinstance(values, str) or (isinstance(values, np.ndarray) and values.dtype == object)


def _null(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.dtype == object:
        return np.array([one is None for one in values], bool)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return np.isnan(values)
    return np.False_
