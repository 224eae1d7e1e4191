"""Query expressions as values.

``visit.exposure_time > 30 AND band IN ('g', 'r')`` is::

    Binary(
        "AND",
        Binary(">", Name(("visit", "exposure_time")), Literal(30)),
        In(Name(("band",)), (Literal("g"), Literal("r"))),
    )

``at`` is where the node stands in the text, for messages; equal expressions may stand in different places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf
from typing import TypeAlias
from uuid import UUID

from .timespan import Timespan


@dataclass(frozen=True, slots=True)
class Time:
    """A moment, in integer TAI nanoseconds."""

    tai_ns: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A region of the sphere, as ``lsst.sphgeom`` encodes it."""

    encoded: bytes


Plain: TypeAlias = int | float | str | bool | Time | Timespan | Shape | UUID
"""What a literal or a bound value is."""

Operator: TypeAlias = OneOf["OR", "AND", "OVERLAPS", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"]


def _at() -> int:
    return field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; None is ``NULL``, which stands only as an end of a timespan."""

    value: Plain | None
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name: ``visit``, ``visit.timespan.begin``, ``calexp.seeing``."""

    parts: tuple[str, ...]
    at: int = _at()

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Bind:
    """``:name``, replaced by a value before the expression is compiled."""

    name: str
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Call:
    """A function: ``GLOB(column, 'pattern')``, and where arguments are bound ``POINT(:ra, :dec)``."""

    function: str
    arguments: tuple[Expression, ...]
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Pair:
    """``(begin, end)``: a timespan whose ends are expressions."""

    begin: Expression
    end: Expression
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Unary:
    """``NOT x``, ``-x``, ``+x``."""

    operator: OneOf["NOT", "-", "+"]
    operand: Expression
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two expressions; ``at`` is where the operator stands."""

    operator: Operator
    left: Expression
    right: Expression
    at: int = _at()


@dataclass(frozen=True, slots=True)
class Range:
    """``first..last:step`` inside of IN; both ends belong to it."""

    first: int
    last: int
    step: int = 1
    at: int = _at()


@dataclass(frozen=True, slots=True)
class In:
    """``x IN (...)``: one of the items, in one of the ranges, or inside of a timespan."""

    subject: Expression
    items: tuple[Expression, ...]
    negated: bool = False
    at: int = _at()


@dataclass(frozen=True, slots=True)
class IsNull:
    """``x IS NULL``, ``x IS NOT NULL``."""

    subject: Expression
    negated: bool = False
    at: int = _at()


Expression: TypeAlias = Literal | Name | Bind | Call | Pair | Unary | Binary | Range | In | IsNull


@dataclass(frozen=True, slots=True)
class Order:
    """A column to sort by."""

    name: Name
    descending: bool = False
