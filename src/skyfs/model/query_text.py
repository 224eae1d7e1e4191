"""Query expressions from text: the grammar in ``query.lark`` gives the values of `skyfs.model.query`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache, reduce
from importlib import resources
from typing import TYPE_CHECKING, Any

from ..errors import BadArgument, nearest
from . import query_time
from .query import (
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
    Time,
    Unary,
)
from .query_error import invalid, unexpected
from .quoting import shown

if TYPE_CHECKING:
    from lark import Lark

# Measured on a 2-core machine: 8 to 12 µs for each token, 0.1 ms for a time that astropy reads. Together
# they keep any refusal well below 0.1 s, and let an IN list of 2000 integers pass.
_MAX_CHARACTERS = 100_000
_MAX_TOKENS = 4_200
_TOKENS_OF_A_TIME = 25
# What walks an expression calls itself for each level, SQL compilers several times, and Python stops at 1000.
_MAX_DEPTH = 100
_MAX_RUN = 16

_INT64 = 2**63
_RANGE = re.compile(r"(-?\d+)\s*\.\.\s*(-?\d+)(?:\s*:\s*(\d+))?", re.ASCII)
_SURROGATE = re.compile(r"[\x00\ud800-\udfff]")

# How many arguments each function takes; None: an even number, from 6.
FUNCTIONS: dict[str, int | None] = {
    "POINT": 2,
    "CIRCLE": 3,
    "BOX": 4,
    "POLYGON": None,
    "REGION": 1,
    "GLOB": 2,
    "UUID": 1,
}


def parse(text: str) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text
        Such as ``visit.exposure_time > 30 AND band IN ('g', 'r')``; at most 100 000 characters, and
        4200 words and signs.

    Returns
    -------
    Expression
        Names and bound values are not looked up: see `skyfs.model.query_bind.prepare` for the latter.

    Raises
    ------
    InvalidQuery
        When it is not of the grammar; the message marks the place.
    """
    if not isinstance(text, str):
        raise invalid("", 0, f"an expression of type {type(text).__name__}", "give text")
    if len(text) > _MAX_CHARACTERS:
        raise invalid(text, _MAX_CHARACTERS, f"{len(text)} characters", "bind long lists: visit IN (:visits)")
    if bare := _SURROGATE.search(text):
        raise invalid(text, bare.start(), f"{bare.group()!r} is no character of a text")
    if not text.strip():
        raise invalid(text, 0, "no expression", "leave it out to select everything")
    try:
        expression = _parsed(text)
    except _Refused as refused:
        raise invalid(text, refused.at, refused.found, refused.todo) from None
    _check(expression, text)
    return expression


def combine(expressions: Sequence[Expression]) -> Expression | None:
    """Join expressions by AND; None when there are none."""
    return _joined([(expression, 0) for expression in expressions], "AND") if expressions else None


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = resources.files(__package__).joinpath("query.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Nodes(), maybe_placeholders=True)


def _parsed(text: str) -> Expression:
    from lark.exceptions import UnexpectedInput

    parser: Any = _parser().parse_interactive(text)
    opened: list[int] = []
    try:
        for token in _counted(parser.iter_parse(), text):
            if token.type in ("OPEN", "LPAR"):
                opened.append(token.start_pos)
            elif token.type == "RPAR" and opened:
                opened.pop()
        expression: Expression = parser.feed_eof()
    except UnexpectedInput as error:
        raise unexpected(
            text, _place(error, text), opened[-1] if opened else None, parser.accepts()
        ) from None
    return expression


def _place(error: Any, text: str) -> int:  # noqa: ANN401 - an error of lark, imported lazily
    token = getattr(error, "token", None)
    at: int = len(text) if token is not None and token.type == "$END" else error.pos_in_stream
    return at


def _counted(tokens: Iterator[Any], text: str) -> Iterator[Any]:
    count = 0
    for token in tokens:
        count += _TOKENS_OF_A_TIME if token.type == "TIME" else 1
        if count > _MAX_TOKENS:
            todo = "bind long lists and many times: visit IN (:visits)"
            raise invalid(text, token.start_pos, f"more than {_MAX_TOKENS} words and signs", todo)
        yield token


def _check(expression: Expression, text: str) -> None:
    """Refuse what is nested too deep, and integers that no registry can hold."""
    level, depth = [expression], 0
    while level:
        if depth == _MAX_DEPTH:
            found = f"nested more than {_MAX_DEPTH} levels deep"
            raise invalid(text, level[0].at, found, "write lists as x IN (...)")
        for node in level:
            if isinstance(node, Literal) and isinstance(node.value, int) and not fits(node.value):
                raise invalid(text, node.at, _TOO_BIG, _SMALLER)
        level = [child for node in level for child in inside(node)]
        depth += 1


def inside(node: Expression) -> tuple[Expression, ...]:
    """Give the expressions that an expression is made of."""
    if isinstance(node, Binary):
        return node.left, node.right
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Pair):
        return node.begin, node.end
    if isinstance(node, In):
        return node.subject, *node.items
    return (node.subject,) if isinstance(node, IsNull) else ()


_TOO_BIG = "an integer that needs more than 64 bits"
_SMALLER = "the largest is 9223372036854775807; write 1e20 for a larger number"


def fits(number: int) -> bool:
    """Tell whether an integer has 64 bits."""
    return -_INT64 <= number < _INT64


def signed(operator: str, operand: Expression, at: int) -> Expression:
    """Give ``-x`` or ``+x``; a number with its sign is one literal."""
    if isinstance(operand, Literal) and type(operand.value) in (int, float):
        value: Any = operand.value
        return Literal(-value if operator == "-" else value, at)
    return Unary("-" if operator == "-" else "+", operand, at)


def moments(items: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """Read the two moments of ``time IN (t1, t2)`` as the timespan between them."""
    if len(items) == 2 and all(isinstance(item, Literal) and _is_end(item.value) for item in items):
        return (Pair(*items, at=items[0].at),)
    return items


def _is_end(value: object) -> bool:
    return value is None or isinstance(value, Time)


def _joined(terms: list[tuple[Expression, int]], operator: Any) -> Expression:  # noqa: ANN401 - OR or AND
    """Join terms, each with the place of the operator before it.

    From the left; longer ones by halves, so that hundreds of terms are not hundreds of levels.
    """
    if len(terms) > _MAX_RUN:
        middle = len(terms) // 2
        left, right = _joined(terms[:middle], operator), _joined(terms[middle:], operator)
        return Binary(operator, left, right, terms[middle][1])
    first, *others = terms
    return reduce(lambda left, term: Binary(operator, left, *term), others, first[0])


class _Refused(Exception):
    """What `_Nodes` finds wrong; the parser is shared, so that it does not know the text."""

    def __init__(self, at: int, found: str, todo: str = "") -> None:
        super().__init__(at, found, todo)
        self.at, self.found, self.todo = at, found, todo


class _Nodes:
    """Makes the values, a method for each rule of the grammar; `Any` is a token or the value of a rule."""

    def start(self, children: list[Any]) -> Expression:
        expression: Expression = children[0]
        return expression

    def chain(self, children: list[Any]) -> Expression:
        places = [0, *(token.start_pos for token in children[1::2])]
        return _joined(list(zip(children[::2], places, strict=True)), children[1].upper())

    def unary(self, children: list[Any]) -> Expression:
        token, operand = children
        if token.type == "NOT":
            return Unary("NOT", operand, token.start_pos)
        return signed(token, operand, token.start_pos)

    def binary(self, children: list[Any]) -> Expression:
        left, token, right = children
        return Binary(token.upper(), left, right, token.start_pos)

    def membership(self, children: list[Any]) -> Expression:
        subject, negation, token, items = children
        items = (items,) if isinstance(items, Bind) else items
        items = _without_null(items)
        return In(subject, items, negation is not None, (negation or token).start_pos)

    def items(self, children: list[Any]) -> tuple[Expression, ...]:
        return tuple(children)

    def is_null(self, children: list[Any]) -> Expression:
        subject, token, negation, _ = children
        return IsNull(subject, negation is not None, token.start_pos)

    def call(self, children: list[Any]) -> Expression:
        token, *arguments = children
        arguments = [argument for argument in arguments if argument is not None]
        _check_call(token, len(arguments))
        return Call(token.upper(), tuple(arguments), token.start_pos)

    def pair(self, children: list[Any]) -> Expression:
        token, begin, end = children
        return Pair(begin, end, token.start_pos)

    def range(self, children: list[Any]) -> Expression:
        token = children[0]
        parts: Any = _RANGE.fullmatch(token)
        first, last, step = (_integer(part or "1", token.start_pos) for part in parts.groups())
        if not all(map(fits, (first, last, step))):
            raise _Refused(token.start_pos, _TOO_BIG)
        if first > last or not step:
            raise _Refused(token.start_pos, f"the range {token} holds nothing", "write smaller..larger:step")
        return Range(first, last, step, token.start_pos)

    def number(self, children: list[Any]) -> Expression:
        token = children[0]
        if token.isdigit():
            return Literal(_integer(token, token.start_pos), token.start_pos)
        value = float(token)
        if not math.isfinite(value):
            raise _Refused(token.start_pos, f"{shown(str(token))} is too large a number")
        return Literal(value, token.start_pos)

    def string(self, children: list[Any]) -> Expression:
        token = children[0]
        return Literal(token[1:-1].replace("''", "'"), token.start_pos)

    def time(self, children: list[Any]) -> Expression:
        token = children[0]
        try:
            tai_ns = query_time.parse_literal(token[2:-1])
        except BadArgument as error:
            raise _Refused(token.start_pos, f"{error.asked}, {error.found}", error.todo) from None
        return Literal(Time(tai_ns), token.start_pos)

    def name(self, children: list[Any]) -> Expression:
        token = children[0]
        if token.lower() in ("true", "false"):
            return Literal(token.lower() == "true", token.start_pos)
        return Name(tuple(token.split(".")), token.start_pos)

    def bind(self, children: list[Any]) -> Expression:
        return Bind(str(children[0][1:]), children[0].start_pos)

    def null(self, children: list[Any]) -> Expression:
        return Literal(None, children[0].start_pos)


def _integer(digits: str, at: int) -> int:
    # Python refuses to read thousands of digits; 20 are enough to see that they are too many.
    if len(digits.lstrip("-0")) > 19:
        raise _Refused(at, _TOO_BIG, _SMALLER)
    return int(digits)


def _without_null(items: tuple[Expression, ...]) -> tuple[Expression, ...]:
    nulls = [item for item in items if isinstance(item, Literal) and item.value is None]
    ends = all(
        not isinstance(item, Literal | Range) or _is_end(getattr(item, "value", item)) for item in items
    )
    if not nulls:
        return moments(items)
    if len(items) == 2 and ends:
        return (Pair(*items, at=items[0].at),)
    raise _Refused(nulls[0].at, "NULL is no item of a list", "write x IS NULL OR x IN (...)")


def _check_call(token: Any, count: int) -> None:  # noqa: ANN401 - a token of lark, imported lazily
    function = token.upper()
    if function not in FUNCTIONS:
        raise _Refused(token.start_pos, f"no function {shown(str(token))}", nearest(function, FUNCTIONS))
    wanted = FUNCTIONS[function]
    if wanted is None and (count < 6 or count % 2):
        raise _Refused(
            token.start_pos,
            f"{function} with {count} arguments",
            "write ra1, dec1, ra2, dec2, ra3, dec3, ...",
        )
    if wanted is not None and count != wanted:
        raise _Refused(token.start_pos, f"{function} with {count} arguments", f"it takes {wanted}")
