"""Row filters of tables, as values; `parse` reads them from CFITSIO's language.

Reference: CFITSIO User's Guide, section "Row Filtering Specification". What is left out is refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from ..errors import BadArgument, Unsupported
from .quoting import shown

if TYPE_CHECKING:
    from lark import Lark

# An expression of this length is read in 20 ms on a 2-core machine.
_MAX_CHARACTERS = 8_000
# What walks an expression calls itself twice for each level, and Python stops at 1000.
_MAX_DEPTH = 100
_INT64 = 2**63

FUNCTIONS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("abs", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh"), (1,)
    ),
    **dict.fromkeys(("arcsin", "arccos", "arctan", "round", "floor", "ceil", "isnull", "strlen"), (1,)),
    **dict.fromkeys(("sum", "average", "median", "stddev", "nelem", "nvalid"), (1,)),
    **dict.fromkeys(("arctan2", "defnull", "setnull", "strstr"), (2,)),
    **dict.fromkeys(("near", "strmid"), (3,)),
    **dict.fromkeys(("box", "ellipse"), (7,)),
    "min": (1, 2),
    "max": (1, 2),
    "angsep": (4,),
    "circle": (5,),
}
"""How many arguments each function takes."""

_ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}
_REFUSED = {
    **dict.fromkeys(("gtifilter", "gtifind", "gtioverlap", "regfilter"), "it reads another table or file"),
    **dict.fromkeys(("random", "randomn", "randomp"), "it gives other rows each time"),
    **dict.fromkeys(("accum", "seqdiff"), "it depends on the rows before"),
    **dict.fromkeys(("axiselem", "elementnum", "naxis", "naxes", "array"), "it is about shapes of vectors"),
    **dict.fromkeys(("erf", "erfc", "gamma"), "it is not there"),
}
_WORDS = {
    ".or.": "||",
    ".and.": "&&",
    ".not.": "!",
    ".eq.": "==",
    ".ne.": "!=",
    ".lt.": "<",
    ".le.": "<=",
    ".gt.": ">",
    ".ge.": ">=",
    ".xor.": "^^",
    "=<": "<=",
    "=>": ">=",
    "^": "**",
}
_CONSTANTS = {"#pi": math.pi, "#e": math.e, "#deg": math.pi / 180}
_TODO = "such as [flux > 100 && isnull(mag)], with columns by name"


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text or a truth value; None is undefined."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name:
    """A column, or else a keyword; or a keyword alone. The case of letters does not count.

    ``bare`` names were written without ``$``: one of no column may be a bit mask, ``b01x1``.
    """

    name: str
    keyword: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """The number of the row, from 1."""


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or operator and its arguments.

    Besides `FUNCTIONS` and binary operators there are ``!``, ``neg``, ``(int)``, ``(float)``, ``between``,
    ``?`` and ``[]``.
    """

    function: str
    arguments: tuple[Expression, ...]


Expression = Constant | Name | Row | Apply


def parse(text: str) -> Expression:
    """Read a row filter of at most 8000 characters.

    Raises
    ------
    BadArgument
        When it is not of the language; the message tells where.
    Unsupported
        When it uses a function of CFITSIO that is left out.
    """
    if len(text) > _MAX_CHARACTERS:
        raise BadArgument("bad row filter", f"{len(text)} characters", f"at most {_MAX_CHARACTERS}")
    from lark.exceptions import UnexpectedInput, VisitError

    try:
        # The transformer leaves no tree.
        expression = cast("Expression", _parser().parse(text))
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", "") == "$END"
        raise _unexpected(text, None if ended else error.pos_in_stream) from None
    except VisitError as error:
        if isinstance(error.orig_exc, BadArgument | Unsupported):
            raise error.orig_exc from None
        raise
    return expression


def joined(expressions: Sequence[Expression]) -> Expression | None:
    """Demand all; None when there are none."""
    return _balanced("&&", expressions) if expressions else None


def names(expression: Expression) -> frozenset[str]:
    """Give the names of columns or keywords that an expression speaks of, in lower case."""
    return frozenset(
        one.name.lower() for one in _walk(expression) if isinstance(one, Name) and not one.keyword
    )


def conjuncts(expression: Expression | None) -> Iterator[Expression]:
    """Give the conditions that must all be true."""
    waiting = [] if expression is None else [expression]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Apply) and one.function == "&&":
            waiting += one.arguments
        else:
            yield one


def _walk(expression: Expression) -> Iterator[Expression]:
    waiting = [expression]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, Apply):
            waiting += one.arguments


def _unexpected(text: str, at: int | None) -> BadArgument | Unsupported:
    if at is None or at < 0 or at >= len(text):
        return BadArgument(f"bad row filter {shown(text)}", "it ends too early", _TODO)
    if text[at] in "{}":
        found = "vectors and other rows in braces {} are left out"
        return Unsupported(f"row filter {shown(text)}", found, "write v[2] for one element")
    found = f"{shown(text[at : at + 20])} at character {at + 1} is not expected there"
    return BadArgument(f"bad row filter {shown(text)}", found, _TODO)


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = resources.files(__package__).joinpath("row_filter.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Nodes(), maybe_placeholders=False)


class _Nodes:
    """What each rule of the grammar makes. Depths are counted, so that nothing walks too deep later."""

    def start(self, parts: Sequence[Any]) -> Expression:
        found: Expression = parts[0]
        return found

    def choose(self, parts: Sequence[Any]) -> Expression:
        return _apply("?", *parts)

    def chain(self, parts: Sequence[Any]) -> Expression:
        return _balanced(_operator(parts[1]), parts[::2])

    def binary(self, parts: Sequence[Any]) -> Expression:
        left, operator, right = parts
        return _apply(_operator(operator), left, right)

    def between(self, parts: Sequence[Any]) -> Expression:
        return _apply("between", *parts)

    def unary(self, parts: Sequence[Any]) -> Expression:
        operator, operand = _operator(parts[0]), parts[1]
        if operator == "+":
            return _apply("+", Constant(0), operand)
        if operator.startswith("("):
            operator = "(int)" if "int" in operator else "(float)"
        return _apply("neg" if operator == "-" else operator, operand)

    def element(self, parts: Sequence[Any]) -> Expression:
        return _apply("[]", *parts)

    def call(self, parts: Sequence[Any]) -> Expression:
        name, *arguments = parts
        function = name[:-1].lower()
        function = _ALIASES.get(function, function)
        if function in _REFUSED:
            raise Unsupported(f"{function}() in a row filter", _REFUSED[function])
        if function not in FUNCTIONS:
            raise BadArgument(
                f"{function}() in a row filter", "unknown", f"there are {', '.join(sorted(FUNCTIONS))}"
            )
        if len(arguments) not in FUNCTIONS[function]:
            wanted = " or ".join(map(str, FUNCTIONS[function]))
            raise BadArgument(
                f"{function}() in a row filter", f"{len(arguments)} arguments", f"it takes {wanted}"
            )
        return _apply(function, *arguments)

    def integer(self, parts: Sequence[Any]) -> Expression:
        text = str(parts[0])
        value = int(text, 0) if text[:1] == "0" and text[1:2].isalpha() else int(text)
        return Constant(value if value < _INT64 else float(value))

    def number(self, parts: Sequence[Any]) -> Expression:
        return Constant(float(re.sub("[dD]", "e", parts[0])))

    def string(self, parts: Sequence[Any]) -> Expression:
        return Constant(str(parts[0])[1:-1])

    def truth(self, parts: Sequence[Any]) -> Expression:
        return Constant(str(parts[0]) in "tT")

    def name(self, parts: Sequence[Any]) -> Expression:
        return Name(str(parts[0]), bare=True)

    def quoted(self, parts: Sequence[Any]) -> Expression:
        return Name(str(parts[0])[1:-1])

    def hash(self, parts: Sequence[Any]) -> Expression:
        text = str(parts[0])
        lower = text.lower()
        if lower in _CONSTANTS:
            return Constant(_CONSTANTS[lower])
        if lower == "#row":
            return Row()
        if lower in ("#null", "#snull"):
            return Constant(None)
        return Name(text[1:].strip("$"), keyword=True)


def _operator(token: object) -> str:
    text = str(token).lower()
    return _WORDS.get(text, text)


def _apply(function: str, *arguments: Expression) -> Expression:
    made = Apply(function, arguments)
    if _depth(made) > _MAX_DEPTH:
        raise BadArgument("bad row filter", "it is nested too deeply", f"at most {_MAX_DEPTH} levels")
    return made


def _depth(expression: Expression) -> int:
    level: list[Expression] = [expression]
    depth = 0
    while level:
        level = [part for one in level if isinstance(one, Apply) for part in one.arguments]
        depth += 1
    return depth


def _balanced(function: str, operands: Sequence[Expression]) -> Expression:
    """Join many by halves, so that a long chain is not deep."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    return _apply(function, _balanced(function, operands[:middle]), _balanced(function, operands[middle:]))
