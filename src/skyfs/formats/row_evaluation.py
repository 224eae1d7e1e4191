"""Row filters evaluated with numpy. Nothing of the text is ever run as code."""

from __future__ import annotations

import numpy as np

from skyfs.errors import BadArgument
from skyfs.model.row_filter import Apply, Constant, Expression, Name, Row

from . import row_functions
from .row_values import Rows, Value, aligned, constant, nulls

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "~")
_APPROXIMATELY = 1e-7  # as CFITSIO's `~`
_BITS = frozenset("01xX")
_DIGITS = {"b": (1, 2), "o": (3, 8), "h": (4, 16)}


def select(expression: Expression, rows: Rows) -> np.ndarray:
    """Tell of each row whether the filter is true; where it is undefined it is not.

    Raises
    ------
    BadArgument
        When the filter names what the table has not, mixes kinds, or is no condition.
    """
    # Divisions by zero, overflows and the like are undefined values, or infinite ones, as in CFITSIO.
    with np.errstate(all="ignore"):
        found = _evaluate(expression, rows)
    if found.kind != "bool" or found.is_vector:
        of_each = "for each element of a vector" if found.kind == "bool" else f"it gives {found.said()}"
        raise BadArgument(
            "bad row filter", f"it is no condition: {of_each}", "write x > 0, or sum(v > 0) > 0"
        )
    chosen = found.data if found.null is None else found.data & ~found.null
    return np.broadcast_to(chosen, (rows.count,))


def _evaluate(expression: Expression, rows: Rows) -> Value:
    if isinstance(expression, Constant):
        found = constant(expression.value)
        if found is None:
            raise BadArgument("bad row filter", f"the constant {expression.value!r}")
        return found
    if isinstance(expression, Name):
        return _named(expression, rows)
    if isinstance(expression, Row):
        return Value("long", np.arange(rows.first, rows.first + rows.count, dtype=np.int64))
    return _applied(expression, [_evaluate(one, rows) for one in expression.arguments])


def _named(name: Name, rows: Rows) -> Value:
    found = None if name.keyword else rows.column(name.name)
    if found is None:
        found = rows.keyword(name.name)
    if found is None and name.bare:
        found = _mask(name.name)
    if found is None:
        what = "keyword" if name.keyword else "column or keyword"
        known = rows.columns()
        shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        raise BadArgument(f"{name.name!r} in a row filter", f"no such {what}", f"columns are: {shown}")
    return found


def _mask(text: str) -> Value | None:
    """Read ``b01x1``, ``o7x`` or ``hF0`` as bits; where there is an x, the bit does not matter."""
    letter, digits = text[0].lower(), text[1:].lower()
    if letter not in _DIGITS or not digits:
        return None
    width, base = _DIGITS[letter]
    try:
        bits = "".join("x" * width if one == "x" else f"{int(one, base):0{width}b}" for one in digits)
    except ValueError:
        return None
    data = np.array([[one == "1" for one in bits]])
    return Value("bits", data, np.array([[one == "x" for one in bits]]))


def _applied(expression: Apply, values: list[Value]) -> Value:
    function = expression.function
    if function in ("&&", "||"):
        return _logic(function, *values)
    if function == "!":
        return _not(*values)
    if function == "between":
        middle, low, high = values
        return _logic("&&", _compared("<=", low, middle), _compared("<=", middle, high))
    if function in _COMPARISONS:
        return _compared(function, *values)
    if function in row_functions.FUNCTIONS:
        return row_functions.FUNCTIONS[function](*values)
    return row_functions.arithmetic(function, *values)


def _logic(function: str, left: Value, right: Value) -> Value:
    """AND and OR of what may be undefined: TRUE || NULL is TRUE, FALSE && NULL is FALSE."""
    if left.kind != "bool" or right.kind != "bool":
        odd = left if left.kind != "bool" else right
        raise BadArgument(
            f"bad row filter: {function}", f"it joins conditions, not {odd.said()}", "write x != 0"
        )
    a, b = aligned(left, right)
    null = nulls(left, right)
    data = a & b if function == "&&" else a | b
    if null is None:
        return Value("bool", data)
    sides = [
        (one == (function == "||")) & ~_null_of(value, one)
        for one, value in zip((a, b), (left, right), strict=True)
    ]
    decided = sides[0] | sides[1]
    data = data & ~null | decided if function == "||" else data & ~decided
    return Value("bool", data, null & ~decided)


def _null_of(value: Value, like: np.ndarray) -> np.ndarray:
    null = np.zeros((), bool) if value.null is None else value.null
    return null[:, None] if null.ndim == 1 and like.ndim == 2 else null


def _not(value: Value) -> Value:
    if value.kind not in ("bool", "bits"):
        raise BadArgument("bad row filter: !", f"it negates a condition, not {value.said()}", "write x == 0")
    return Value(value.kind, ~value.data, value.null)


def _compared(operator: str, left: Value, right: Value) -> Value:
    kinds = {left.kind, right.kind}
    if kinds == {"bits"}:
        return _compared_bits(operator, left, right)
    same = kinds in ({"bool"}, {"text"}) or (left.is_number and right.is_number)
    if (
        not same
        or (operator == "~" and not left.is_number)
        or (kinds == {"bool"} and operator not in ("==", "!="))
    ):
        found = f"{left.said()} and {right.said()} are not compared by it"
        raise BadArgument(f"bad row filter: {operator}", found, "quote texts: name == 'M31'")
    a, b = aligned(left, right)
    if operator == "~":
        exact = a.dtype.kind == "i" and b.dtype.kind == "i"
        data = a == b if exact else abs(a - b) < _APPROXIMATELY
    else:
        data = _OPERATIONS[operator](a, b)
    return Value("bool", data, nulls(left, right))


def _compared_bits(operator: str, left: Value, right: Value) -> Value:
    """Compare bits aligned to the right, but for those marked x."""
    if operator not in ("==", "!="):
        raise BadArgument(
            f"bad row filter: {operator}", "bits are compared by == and != only", "flags == b01x"
        )
    a, b = row_functions.padded(left, right)
    free = np.zeros((1, a.shape[1]), bool)
    for value in (left, right):
        if value.null is not None:
            free = free | row_functions.to_width(value.null, a.shape[1])
    equal = ((a == b) | free).all(axis=1)
    return Value("bool", equal if operator == "==" else ~equal)


_OPERATIONS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
