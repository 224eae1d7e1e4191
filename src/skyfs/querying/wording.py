"""Expressions → text that a person reads."""

from __future__ import annotations

from ..model.query import (
    Binary,
    Bind,
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
from ..model.timespan import Timespan, format_time


def said(node: Expression) -> str:
    """Write an expression; long lists and regions are shortened."""
    match node:
        case Literal(value):
            return _value(value)
        case Name():
            return str(node)
        case Bind(name):
            return f":{name}"
        case Binary("AND" | "OR" as operator, left, right):
            return f"({said(left)} {operator} {said(right)})"
        case Binary(operator, left, right):
            return f"{said(left)} {operator} {said(right)}"
        case Unary(operator, operand):
            return f"{operator} {said(operand)}".replace("- ", "-")
        case Pair(begin, end):
            return f"({said(begin)}, {said(end)})"
        case Range(first, last, step):
            return f"{first}..{last}" + (f":{step}" if step != 1 else "")
        case In(subject, items, negated):
            listed = ", ".join(said(item) for item in items[:5]) + (", ..." if len(items) > 5 else "")
            return f"{said(subject)} {'NOT ' if negated else ''}IN ({listed})"
        case IsNull(subject, negated):
            return f"{said(subject)} IS {'NOT ' if negated else ''}NULL"
        case Call(function, arguments):
            return f"{function}({', '.join(said(argument) for argument in arguments)})"


def _value(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case Time(tai_ns):
            return f"T'{format_time(tai_ns)}'"
        case Timespan():
            return f"({value})"
        case Shape():
            return "the region"
        case int() | float():
            return str(value)
    items = getattr(value, "items", None)
    if isinstance(items, tuple):
        return ", ".join(_value(item) for item in items[:5]) + (", ..." if len(items) > 5 else "")
    return str(value)
