"""Expressions evaluated one row at a time, with the three truth values of SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from skyfs.model.query import (
    Binary,
    Call,
    Expression,
    In,
    IsNull,
    Literal,
    Name,
    Pair,
    Range,
    Shape,
    Time,
    Unary,
)
from skyfs.model.region_overlap import overlaps

Values = Mapping[str, Any]
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def holds(node: Expression, row: Values) -> bool:
    """Tell whether a row is wanted."""
    return value(node, row) is True


def value(node: Expression, row: Values) -> Any:  # noqa: ANN401 - of any type
    """Give the value of an expression."""
    match node:
        case Literal(found):
            return (
                found.tai_ns
                if isinstance(found, Time)
                else found.encoded
                if isinstance(found, Shape)
                else found
            )
        case Name():
            return row[str(node)]
        case Binary("AND" | "OR" as word, left, right):
            return _both(word, value(left, row), value(right, row))
        case Binary("OVERLAPS", left, right):
            return _overlap(value(left, row), value(right, row))
        case Binary(sign, left, right):
            return _applied(sign, value(left, row), value(right, row))
        case Unary("NOT", operand):
            found = value(operand, row)
            return None if found is None else not found
        case Unary("-", operand):
            found = value(operand, row)
            return None if found is None else -found
        case Pair(begin, end):
            return (value(begin, row), value(end, row))
        case IsNull(subject, negated):
            return (value(subject, row) is None) != negated
        case In():
            return _in(node, row)
        case Call("GLOB", (subject, Literal(str() as pattern))):
            text = value(subject, row)
            return None if text is None else fnmatchcase(text, pattern.replace("[", "[[]"))
    raise AssertionError(node)


def _both(word: str, left: Any, right: Any) -> bool | None:  # noqa: ANN401 - truth values
    decisive = word == "OR"
    if decisive in (left, right):
        return decisive
    return None if None in (left, right) else not decisive


def _applied(sign: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - of any type
    if left is None or right is None:
        return None
    if sign == "/":
        return None if right == 0 else left / right
    if sign == "%":
        return None if right == 0 else abs(left) % abs(right) * (1 if left >= 0 else -1)
    return _OPERATORS[sign](left, right)


def _overlap(left: Any, right: Any) -> bool | None:  # noqa: ANN401 - of any type
    if left is None or right is None:
        return None
    if isinstance(left, bytes):
        return overlaps(left, right)
    a, b = ((one, one + 1) if isinstance(one, int) else one for one in (left, right))
    return (b[1] is None or a[0] is None or a[0] < b[1]) and (a[1] is None or b[0] is None or b[0] < a[1])


def _in(node: In, row: Values) -> bool | None:
    subject, found = value(node.subject, row), False
    if subject is None and node.items:
        return None
    for item in node.items:
        if isinstance(item, Range):
            found = found or (item.first <= subject <= item.last and (subject - item.first) % item.step == 0)
        elif isinstance(item, Pair):
            begin, end = value(item, row)
            found = found or ((begin is None or begin <= subject) and (end is None or subject < end))
        else:
            found = found or subject == value(item, row)
    return found != node.negated
