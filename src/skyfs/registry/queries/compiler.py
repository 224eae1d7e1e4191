"""Expressions → SQL. Values are bound, never written into the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ...errors import InvalidQuery
from ...model.query import Binary, Call, Expression, In, IsNull, Literal, Name, Pair, Range, Time, Unary
from ..constructs import ITEMS, TEXT, Arithmetic, Glob, Quotient, Remainder
from ..schema import MAX_NS, MIN_NS
from .names import Vocabulary
from .shape import kind_of, slots

_Column = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Term:
    """A typed SQL expression; of a timespan, ``sql`` is its begin; of a captured value, its number.

    Attributes
    ----------
    other
        The end of a timespan, the text of a captured value.
    """

    kind: str
    sql: _Column
    other: _Column | None = None

    def as_(self, kind: str) -> Term:
        """Give a captured value as a number or a text."""
        if self.kind != "captured" or self.other is None:
            return self
        return Term("string", self.other) if kind == "string" else Term("float", self.sql)


Find = Callable[[Name], Term]
Fail = Callable[[Expression, str, str], InvalidQuery]

_NUMBERS = ("int", "float")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ARITHMETIC = ("+", "-", "*", "/", "%")
_BOUND: Mapping[str, Callable[[], sa.types.TypeEngine[Any]]] = {
    "int": sa.BigInteger,
    "float": sa.Float,
    "string": lambda: TEXT,
    "time": sa.BigInteger,
    "timespan": sa.BigInteger,
}


class Compiler:
    """Turns one expression into SQL.

    Parameters
    ----------
    find
        Gives the SQL of a name.
    fail
        Gives an error that points at a node.
    prefix
        Of the names of bound parameters.
    """

    def __init__(self, expression: Expression, find: Find, fail: Fail, prefix: str = "") -> None:
        self._expression = expression
        self._find = find
        self._fail = fail
        self._slots = {id(node): f"{prefix}v{index}" for index, node in enumerate(slots(expression))}

    def condition(self) -> sa.ColumnElement[bool]:
        """Give the whole expression as a condition.

        Raises
        ------
        InvalidQuery
            When it is no condition, or kinds do not go together.
        """
        return self.boolean(self._expression)

    def boolean(self, node: Expression) -> sa.ColumnElement[bool]:
        """Give a node as a condition."""
        match node:
            case Binary("AND", left, right):
                return sa.and_(self.boolean(left), self.boolean(right))
            case Binary("OR", left, right):
                return sa.or_(self.boolean(left), self.boolean(right))
            case Unary("NOT", operand):
                return sa.not_(self.boolean(operand))
            case Binary("OVERLAPS", left, right):
                return self._overlaps(node, left, right)
            case Binary(operator, left, right) if operator in _COMPARE:
                return self._comparison(node, operator, left, right)
            case In():
                return self._in(node)
            case IsNull(subject, negated):
                return self._is_null(subject, negated=negated)
            case Call("GLOB", arguments):
                return self._glob(node, arguments)
        term = self.term(node)
        if term.kind == "captured":
            return term.sql != 0
        if term.kind != "bool":
            raise self._fail(
                node, f"this is {_article(term.kind)}, no condition", "compare it with something"
            )
        # A bare column would be read as text by some databases.
        return term.sql == sa.true()

    def term(self, node: Expression) -> Term:
        """Give a node as a value."""
        match node:
            case Name():
                return self._find(node)
            case Literal():
                return self._literal(node)
            case Pair():
                return self._pair(node)
            case Unary("-" | "+" as sign, operand):
                value = self._number(operand)
                return Term(value.kind, -value.sql if sign == "-" else value.sql)
            case Binary(operator, left, right) if operator in _ARITHMETIC:
                return self._arithmetic(operator, left, right)
        raise self._fail(node, "a condition where a value is wanted", "put a column, a number or a text here")

    # -- values ----------------------------------------------------------------------------------------

    def _literal(self, node: Literal) -> Term:
        kind, name = kind_of(node.value), self._slots[id(node)]
        if kind == "null":
            raise self._fail(node, "NULL is no value to compare with", "write IS NULL or IS NOT NULL")
        bound = sa.bindparam(name, type_=_BOUND.get(kind, sa.types.NullType)())
        if kind == "timespan":
            return Term(kind, bound, sa.bindparam(f"{name}_end", type_=sa.BigInteger()))
        return Term(kind, bound)

    def _pair(self, node: Pair) -> Term:
        ends = [
            sa.literal_column(str(open_end)) if _is_null(end) else self._time(end).sql
            for end, open_end in ((node.begin, MIN_NS), (node.end, MAX_NS))
        ]
        match node.begin, node.end:
            case Literal(Time(begin)), Literal(Time(end)) if begin >= end:
                raise self._fail(node, "the timespan begins after its end", "write (begin, end)")
        return Term("timespan", ends[0], ends[1])

    def _time(self, node: Expression) -> Term:
        term = self.term(node)
        if term.kind != "time":
            raise self._fail(
                node, f"{_article(term.kind)} where a time is wanted", "write T'2024-01-31T00:00:00'"
            )
        return term

    def _number(self, node: Expression) -> Term:
        term = self.term(node).as_("float")
        if term.kind not in _NUMBERS:
            raise self._fail(
                node, f"{_article(term.kind)} where a number is wanted", "only numbers have arithmetic"
            )
        return term

    def _arithmetic(self, operator: str, left: Expression, right: Expression) -> Term:
        a, b = self._number(left), self._number(right)
        whole = operator != "/" and a.kind == b.kind == "int"
        # Half of the numbers of SQL are integers in disguise: a float column may hold 2.0 as 2.
        match operator:
            case "/":
                found: _Column = Quotient(a.sql, b.sql)
            case "%":
                found = Remainder(a.sql, b.sql)
            case _:
                found = Arithmetic(operator, a.sql, b.sql, whole=whole)
        return Term("int" if whole else "float", found)

    # -- conditions ------------------------------------------------------------------------------------

    def _comparison(
        self, node: Expression, operator: str, left: Expression, right: Expression
    ) -> sa.ColumnElement[bool]:
        a, b = self._pair_of(node, left, right)
        if a.kind == "timespan":
            return self._compare_spans(node, operator, a, b)
        if operator not in ("=", "!=") and a.kind in ("bool", "uuid", "bytes", "region"):
            raise self._fail(node, f"{_article(a.kind)} has no order", "use = or !=")
        return _boolean(_COMPARE[operator](a.sql, b.sql))

    def _pair_of(self, node: Expression, left: Expression, right: Expression) -> tuple[Term, Term]:
        """Give two values that can be compared."""
        a, b = self.term(left), self.term(right)
        a, b = a.as_(b.kind), b.as_(a.kind)
        if a.kind != b.kind and not (a.kind in _NUMBERS and b.kind in _NUMBERS):
            raise self._fail(
                node, f"{_article(a.kind)} and {_article(b.kind)} cannot be compared", _advice(a, b)
            )
        return a, b

    def _compare_spans(self, node: Expression, operator: str, a: Term, b: Term) -> sa.ColumnElement[bool]:
        same = sa.and_(a.sql == b.sql, _end(a) == _end(b))
        match operator:
            case "=":
                return same
            case "!=":
                return sa.not_(same)
            case "<":
                return _boolean(_end(a) <= b.sql)
            case ">":
                return _boolean(a.sql >= _end(b))
        raise self._fail(node, f"timespans have no {operator}", "use <, >, =, != or OVERLAPS")

    def _overlaps(self, node: Expression, left: Expression, right: Expression) -> sa.ColumnElement[bool]:
        a, b = self.term(left), self.term(right)
        kinds = {a.kind, b.kind}
        if kinds == {"region"}:
            return sa.func.skyfs_overlaps(a.sql, b.sql) == sa.true()
        if kinds <= {"time", "timespan"} and "timespan" in kinds:
            a, b = _as_span(a), _as_span(b)
            return sa.and_(a.sql < _end(b), b.sql < _end(a))
        found = f"{_article(a.kind)} and {_article(b.kind)} cannot overlap"
        raise self._fail(node, found, "OVERLAPS stands between two regions, or between timespans and times")

    def _is_null(self, subject: Expression, *, negated: bool) -> sa.ColumnElement[bool]:
        term = self.term(subject)
        if term.kind == "captured" and term.other is not None:
            absent = sa.and_(term.sql.is_(None), term.other.is_(None))
            return sa.not_(absent) if negated else absent
        return term.sql.is_not(None) if negated else term.sql.is_(None)

    def _glob(self, node: Expression, arguments: tuple[Expression, ...]) -> sa.ColumnElement[bool]:
        if (
            len(arguments) != 2
            or not isinstance(arguments[1], Literal)
            or not isinstance(arguments[1].value, str)
        ):
            raise self._fail(node, "GLOB takes a column and a pattern", "GLOB(visit.target_name, 'A*')")
        column = self.term(arguments[0]).as_("string")
        if column.kind != "string":
            raise self._fail(
                arguments[0], f"{_article(column.kind)} where a text is wanted", "GLOB matches texts"
            )
        return _boolean(Glob(column.sql, self.term(arguments[1]).sql))

    # -- IN --------------------------------------------------------------------------------------------

    def _in(self, node: In) -> sa.ColumnElement[bool]:
        subject = self.term(node.subject)
        if not node.items:  # a bound list may be empty
            return sa.true() if node.negated else sa.false()
        if subject.kind == "time":
            inside = self._within_time(node, subject)
        else:
            inside = sa.or_(*(self._is_item(node, subject, item) for item in node.items))
        return sa.not_(inside) if node.negated else inside

    def _within_time(self, node: In, subject: Term) -> sa.ColumnElement[bool]:
        """Tell whether a time is one of some times, or inside of one of some timespans."""
        found = []
        for where in node.items:
            item = self.term(where)
            if item.kind not in ("time", "timespan"):
                raise self._fail(where, f"{_article(item.kind)} among times", "give times, or (begin, end)")
            inside = sa.and_(subject.sql >= item.sql, subject.sql < _end(item))
            found.append(subject.sql == item.sql if item.kind == "time" else inside)
        return sa.or_(*found)

    def _is_item(self, node: In, subject: Term, item: Expression) -> sa.ColumnElement[bool]:
        if isinstance(item, Range):
            return self._in_range(subject.as_("float"), item)
        if isinstance(item, Name) and self._find(item).kind == "timespan":
            return self._overlaps(item, node.subject, item)
        value = self.term(item)
        kind = value.kind.removeprefix("many ")
        own = subject.as_(kind)
        if own.kind != kind and not (own.kind in _NUMBERS and kind in _NUMBERS):
            raise self._fail(
                item, f"{_article(kind)} cannot be one of {own.kind} values", _advice(own, value)
            )
        if value.kind.startswith("many "):
            items = ITEMS[kind](value.sql).table_valued("value")
            return own.sql.in_(sa.select(items.c.value))
        return _boolean(own.sql == value.sql)

    def _in_range(self, subject: Term, item: Range) -> sa.ColumnElement[bool]:
        if subject.kind not in _NUMBERS:
            raise self._fail(item, f"{_article(subject.kind)} cannot be in a range of integers", "give texts")
        name = self._slots[id(item)]
        first, last, step = (
            sa.bindparam(f"{name}{end}", type_=sa.BigInteger()) for end in ("", "_last", "_step")
        )
        inside = sa.and_(subject.sql >= first, subject.sql <= last)
        if item.step == 1:
            return inside
        steps = Remainder(Arithmetic("-", subject.sql, first, whole=subject.kind == "int"), step)
        return sa.and_(inside, steps == sa.literal_column("0"))


def check(condition: Expression, vocabulary: Vocabulary) -> None:
    """Check that names mean something and kinds go together.

    Raises
    ------
    InvalidQuery
        When they do not.
    """

    def find(name: Name) -> Term:
        kind = vocabulary.meaning(name).kind
        other: _Column | None = sa.column("other") if kind in ("timespan", "captured") else None
        return Term(kind, sa.column("value"), other)

    Compiler(condition, find, vocabulary.error).condition()


def _boolean(condition: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 - operators of columns are not typed
    return condition  # type: ignore[no-any-return]


def _end(span: Term) -> _Column:
    return span.sql if span.other is None else span.other


def _as_span(term: Term) -> Term:
    if term.kind == "timespan":
        return term
    return Term("timespan", term.sql, Arithmetic("+", term.sql, sa.literal_column("1"), whole=True))


def _is_null(node: Expression) -> bool:
    return isinstance(node, Literal) and node.value is None


def _article(kind: str) -> str:
    words = {
        "int": "an integer",
        "float": "a number",
        "string": "a text",
        "bool": "a truth value",
        "uuid": "a UUID",
    }
    return words.get(kind, f"a {kind}")


def _advice(a: Term, b: Term) -> str:
    kinds = {a.kind, b.kind}
    if "time" in kinds or "timespan" in kinds:
        return "times are written T'2024-01-31T00:00:00', timespans compared by OVERLAPS"
    if "string" in kinds and kinds & {*_NUMBERS}:
        return "texts stand in quotes, numbers do not"
    return "compare values of one kind"
