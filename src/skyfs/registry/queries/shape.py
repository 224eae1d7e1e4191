"""The shape of an expression: what it is but for its values, so that its SQL is made once."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from ...model.query import (
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
from ...model.timespan import Timespan
from ..schema import MAX_NS, MIN_NS
from .names import nodes

# Fewer items of IN are bound one by one.
_MANY = 8
_NUMBER_KINDS = {bool: "bool", int: "int", float: "float", str: "string"}


@dataclass(frozen=True, slots=True)
class Many:
    """The items of a long IN, bound together."""

    kind: str
    items: tuple[int | float | str, ...]


def normal(expression: Expression) -> Expression:
    """Pack the items of long INs, and write patterns as SQL has them."""
    match expression:
        case Binary(_, left, right):
            return replace(expression, left=normal(left), right=normal(right))
        case Unary(_, operand):
            return replace(expression, operand=normal(operand))
        case IsNull(subject):
            return replace(expression, subject=normal(subject))
        case In(subject, items) if len(items) >= _MANY and (packed := _packed(items)) is not None:
            return replace(expression, subject=normal(subject), items=(packed,))
    return expression


def _packed(items: Sequence[Expression]) -> Expression | None:
    values = [item.value for item in items if isinstance(item, Literal)]
    kinds = {_NUMBER_KINDS.get(type(value)) for value in values}
    if len(values) != len(items) or len(kinds) != 1 or None in kinds:
        return None
    kind = kinds.pop()
    return Literal(Many(str(kind), tuple(values)), items[0].at)  # type: ignore[arg-type]


def kind_of(value: object) -> str:
    """Name the kind of a literal's value."""
    match value:
        case None:
            return "null"
        case bool() | int() | float() | str():
            return _NUMBER_KINDS[type(value)]
        case Time():
            return "time"
        case Timespan():
            return "timespan"
        case Shape():
            return "region"
        case UUID():
            return "uuid"
        case Many(kind, _):
            return f"many {kind}"
    raise TypeError(f"no literal: {value!r}")


def key(expression: Expression) -> Hashable:
    """Give what two expressions of one shape have in common; names keep their places for messages."""
    return tuple(_part(node) for node in nodes(expression))


def _part(node: Expression) -> Hashable:
    match node:
        case Literal(value):
            return kind_of(value)
        case Name(parts):
            return parts
        case Binary(operator) | Unary(operator):
            return operator
        case In(_, items, negated):
            return "IN", len(items), negated
        case IsNull(_, negated):
            return "NULL", negated
        case Call(function, arguments):
            return function, len(arguments)
        case Range(_, _, step):
            return "RANGE", step != 1
        case Pair():
            return "PAIR"
        case Bind():
            return "BIND", node.name


def slots(expression: Expression) -> Iterator[Expression]:
    """Give the nodes that hold values, in the order of their parameters."""
    return (node for node in nodes(expression) if isinstance(node, Literal | Range))


def parameters(expression: Expression) -> dict[str, object]:
    """Give the values to bind."""
    found: dict[str, object] = {}
    for index, node in enumerate(slots(expression)):
        found |= {f"v{index}{suffix}": value for suffix, value in _bound(node)}
    return found


def _bound(node: Expression) -> Iterator[tuple[str, object]]:
    if isinstance(node, Range):
        yield from (("", node.first), ("_last", node.last), ("_step", node.step))
        return
    found: object = node.value if isinstance(node, Literal) else None
    match found:
        case Timespan(begin, end):
            yield "", MIN_NS if begin is None else begin
            yield "_end", MAX_NS if end is None else end
        case Time(tai_ns):
            yield "", tai_ns
        case Shape(encoded):
            yield "", encoded
        case UUID() as uuid:
            yield "", uuid.bytes
        case Many(_, items):
            yield "", json.dumps(items)
        case _:
            yield "", found
