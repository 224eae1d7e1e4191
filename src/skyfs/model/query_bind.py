"""Bound values of query expressions, and calls that are known before anything is queried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from ..errors import BadArgument, InvalidQuery, nearest
from . import query_value
from .query import Binary as Operation
from .query import Bind, Call, Expression, In, IsNull, Literal, Name, Pair, Plain, Range, Shape, Unary
from .query_error import invalid
from .query_text import fits, inside, moments, signed
from .quoting import shown

# Whether a polygon is convex is seen from each pair of its corners; 10 000 pairs took 0.04 s on a 2-core
# machine. An expression may have one polygon of 100 corners, or 600 of four.
_MAX_PAIRS = 10_000


def prepare(expression: Expression, values: Mapping[str, object], text: str) -> Expression:
    """Put values in the place of names, and shapes and UUIDs in the place of calls.

    Parameters
    ----------
    expression
        What `skyfs.model.query_text.parse` made of ``text``.
    values
        What ``:name`` stands for: a number, text, bool, UUID, `Timespan`, time (`datetime` or
        `astropy.time.Time`), position (scalar `SkyCoord`) or region of `lsst.sphgeom`; inside of IN also a
        list, tuple, set, range or array of them. A value whose name is nowhere in the expression with a colon
        also takes the place of the bare name. Values that are not used are allowed.
    text
        For messages.

    Returns
    -------
    Expression
        Without `Bind`; its only calls are ``GLOB(name, 'pattern')``. An empty list gives an `In` without
        items.

    Raises
    ------
    InvalidQuery
        When a name has no value, a value cannot be compared with anything, or a call has wrong arguments.
    """
    return _Preparation(values, text, frozenset(_bound(expression))).expression(expression)


def _bound(expression: Expression) -> Iterable[str]:
    open_nodes = [expression]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, Bind):
            yield node.name
        open_nodes.extend(inside(node))


class _Preparation:
    """Prepares one expression."""

    def __init__(self, values: Mapping[str, object], text: str, bound: frozenset[str]) -> None:
        self._values, self._text = values, text
        # `visit = :visit` compares a column with a value, not a value with itself.
        self._bare = values.keys() - bound
        self._pairs = 0

    def expression(self, node: Expression) -> Expression:
        if isinstance(node, Operation):
            return replace(node, left=self.expression(node.left), right=self.expression(node.right))
        if isinstance(node, Unary):
            return self._unary(node)
        if isinstance(node, In):
            return self._membership(node)
        if isinstance(node, IsNull):
            return replace(node, subject=self.expression(node.subject))
        if isinstance(node, Pair):
            return replace(node, begin=self._end(node.begin), end=self._end(node.end))
        if isinstance(node, Call):
            return self._call(replace(node, arguments=tuple(map(self.expression, node.arguments))))
        return self._single(node) if self._is_bound(node) else node

    def _is_bound(self, node: Expression) -> bool:
        return isinstance(node, Bind) or (isinstance(node, Name) and str(node) in self._bare)

    def _value(self, node: Expression) -> object:
        name = node.name if isinstance(node, Bind) else str(node)
        if name not in self._values:
            todo = nearest(name, map(str, self._values)) or f"give it: bind={{{name!r}: ...}}"
            raise invalid(self._text, node.at, f"no value is bound to {shown(name)}", todo)
        return self._values[name]

    def _single(self, node: Expression) -> Literal:
        return Literal(self._plain(self._value(node), node.at), node.at)

    def _plain(self, value: object, at: int) -> Plain:
        try:
            return query_value.plain(value)
        except BadArgument as error:
            raise self._invalid(at, error) from None

    def _invalid(self, at: int, error: BadArgument) -> InvalidQuery:
        found = f"{error.asked}, {error.found}" if error.found else error.asked
        return invalid(self._text, at, found, error.todo)

    def _end(self, node: Expression) -> Expression:
        if self._is_bound(node) and self._value(node) is None:
            return Literal(None, node.at)
        return self.expression(node)

    def _unary(self, node: Unary) -> Expression:
        operand = self.expression(node.operand)
        if node.operator == "NOT":
            return replace(node, operand=operand)
        result = signed(node.operator, operand, node.at)
        if isinstance(result, Literal) and isinstance(result.value, int) and not fits(result.value):
            raise invalid(self._text, node.at, "an integer that needs more than 64 bits")
        return result

    def _membership(self, node: In) -> Expression:
        several = [self._several(item) for item in node.items]
        if all(values is None for values in several):
            items = moments(tuple(map(self._end if len(node.items) == 2 else self.expression, node.items)))
        else:
            # Moments of a bound list are moments: only two that are written are a timespan.
            written = zip(node.items, several, strict=True)
            items = tuple(item for place, values in written for item in self._items(place, values))
        self._refuse_null(items)
        return replace(node, subject=self.expression(node.subject), items=items)

    def _refuse_null(self, items: tuple[Expression, ...]) -> None:
        for item in items:
            if isinstance(item, Literal) and item.value is None:
                raise invalid(
                    self._text, item.at, "None is no item of a list", "write x IS NULL OR x IN (...)"
                )

    def _several(self, node: Expression) -> Iterable[object] | None:
        try:
            return query_value.several(self._value(node)) if self._is_bound(node) else None
        except BadArgument as error:
            raise self._invalid(node.at, error) from None

    def _items(self, node: Expression, values: Iterable[object] | None) -> Iterable[Expression]:
        if values is None:
            return (self.expression(node),)
        if isinstance(values, range):
            return self._range(values, node.at)
        return [Literal(self._plain(value, node.at), node.at) for value in values]

    def _range(self, values: range, at: int) -> tuple[Range, ...]:
        if not values:
            return ()
        first, last = sorted((values[0], values[-1]))
        if not (fits(first) and fits(last)):
            raise invalid(self._text, at, f"{shown(values)} has integers of more than 64 bits")
        # A step beyond the end, of a range of one, may have any size.
        return (Range(first, last, abs(values.step) if first < last else 1, at),)

    def _call(self, call: Call) -> Expression:
        if call.function == "GLOB":
            self._check_glob(call)
            return call
        try:
            return Literal(self._folded(call), call.at)
        except BadArgument as error:
            raise self._invalid(call.at, error) from None

    def _check_glob(self, call: Call) -> None:
        column, pattern = call.arguments
        if not isinstance(column, Name):
            raise invalid(self._text, column.at, "GLOB of what is no name", "write GLOB(column, 'a*')")
        self._text_of(pattern, "GLOB")

    def _folded(self, call: Call) -> Plain:
        if call.function == "UUID":
            return self._uuid(call.arguments[0])
        if call.function == "REGION":
            text = self._text_of(call.arguments[0], "REGION")
            self._count_corners(len(text.split()) // 2, call.at)
            return Shape(_region(text))
        self._count_corners(len(call.arguments) // 2, call.at)
        numbers = [self._number(argument, call.function) for argument in call.arguments]
        return Shape(_SHAPES[call.function](numbers))

    def _count_corners(self, corners: int, at: int) -> None:
        self._pairs += corners**2
        if self._pairs > _MAX_PAIRS:
            raise invalid(self._text, at, "too many corners of polygons", "bind regions of lsst.sphgeom")

    def _uuid(self, argument: Expression) -> UUID:
        if isinstance(argument, Literal) and isinstance(argument.value, UUID):
            return argument.value
        digits = self._text_of(argument, "UUID")
        try:
            return UUID(digits)
        except ValueError:
            todo = "write UUID('0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b')"
            raise invalid(self._text, argument.at, f"{shown(digits)} is no UUID", todo) from None

    def _text_of(self, argument: Expression, function: str) -> str:
        if isinstance(argument, Literal) and isinstance(argument.value, str):
            return argument.value
        raise invalid(self._text, argument.at, f"{function} of what is no text", "write it in single quotes")

    def _number(self, argument: Expression, function: str) -> float:
        if isinstance(argument, Literal) and type(argument.value) in (int, float):
            number: Any = argument.value
            return float(number)
        todo = "degrees are numbers or bound numbers, such as 214.5, -3 or :ra"
        raise invalid(self._text, argument.at, f"{function} of what is no number", todo)


def _region(text: str) -> bytes:
    from . import region

    return region.from_ivoa(text)


def _point(numbers: list[float]) -> bytes:
    from . import region

    return region.point(*numbers)


def _circle(numbers: list[float]) -> bytes:
    from . import region

    return region.circle(*numbers)


def _box(numbers: list[float]) -> bytes:
    from . import region

    return region.box(*numbers)


def _polygon(numbers: list[float]) -> bytes:
    from . import region

    return region.polygon(zip(numbers[::2], numbers[1::2], strict=True))


_SHAPES: dict[str, Callable[[list[float]], bytes]] = {
    "POINT": _point,
    "CIRCLE": _circle,
    "BOX": _box,
    "POLYGON": _polygon,
}
