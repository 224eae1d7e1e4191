"""Errors in query expressions: one line that marks the place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import InvalidQuery
from .quoting import shown

# Together 60 characters: with the rest of the message it stays one line of a terminal or two.
_AROUND = 30

# What people write who know another language, and how it is written here; matched where parsing stopped.
_ADVICE = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), advice)
    for pattern, advice in (
        (r"!|~", "write != for inequality, NOT for negation"),
        (r"&", "write AND"),
        (r"\|", "write OR"),
        (r"[\"`\u2018\u2019\u201c\u201d]", "text stands in single quotes: 'r'; names stand bare"),
        (r"t?'[^']*(''[^']*)*\Z", "close the quote; a quote inside of text is written twice: ''"),
        (
            r"-?\d+(\.\d+)?\s*\.\.",
            "a range stands inside of IN: visit IN (1..5) or (1..9:2), with integer ends",
        ),
        (r"\d+([a-z_]|\.\d*\.)", "a name begins with a letter; numbers look like 12, 1.5 or 1e-3"),
        (r"null\b", "compare by IS NULL or IS NOT NULL; NULL itself is an open end: (NULL, T'2020-01-01')"),
        (r"like\b", "write GLOB(column, 'a*')"),
        (r"between\b", "write x IN (1..5), or x >= 1 AND x <= 5"),
        (r"[\[\]{}]", "a list stands in parentheses: band IN ('g', 'r')"),
        (r":", "a colon begins the name of a bound value: visit = :visit"),
        (r"\.", "names are joined by dots without blanks: visit.exposure_time"),
        (r";", "one expression; join several by AND"),
        (r"\^", "there are the operators + - * / %"),
    )
)
# Signs of two characters, of which the first is one of ours.
_PAIRS = {
    "==": "write = for equality",
    "<>": "write != for inequality",
    "=<": "write <=",
    "=>": "write >=",
    "//": "/ is true division; there is no integer division",
    "**": "there are the operators + - * / %",
}
_WORD = re.compile(r"\w{1,60}|.", re.DOTALL)


def invalid(text: str, at: int, found: str, todo: str = "") -> InvalidQuery:
    """Make the error for what stands at offset ``at`` of an expression; the caller raises it.

    Parameters
    ----------
    text
        The whole expression; at most 60 characters of it are shown.
    at
        Offset of the place, from 0; the message counts from 1.
    found
        What is wrong there.
    todo
        What to write instead.
    """
    at = min(max(at, 0), len(text))
    first, last = max(0, at - _AROUND), at + _AROUND
    # `repr` keeps line breaks and what a terminal cannot show out of the message.
    marked = repr(f"{text[first:at]}-->{text[at:last]}")
    excerpt = f"{'...' * (first > 0)}{marked}{'...' * (last < len(text))}"
    return InvalidQuery(f"invalid query at character {at + 1}, {excerpt}", found, todo)


def unexpected(text: str, at: int, opened: int | None, accepted: Iterable[str]) -> InvalidQuery:
    """Make the error for a place where the grammar ends: ``accepted`` are the terminals that could follow.

    ``opened`` is the offset of the innermost parenthesis that is open.
    """
    wanted = _wanted(frozenset(accepted))
    if at >= len(text):
        if opened is not None and wanted != _VALUE:
            return invalid(text, opened, "this parenthesis is not closed", "write ) where it ends")
        return invalid(text, at, "the text ends too early", wanted)
    word = _WORD.match(text, at)
    found = f"{shown(word.group() if word else text[at])} cannot stand here"
    return invalid(text, at, found, _advice(text, at, opened) or wanted)


def _advice(text: str, at: int, opened: int | None) -> str:
    if text[at] == ")" and opened is None:
        return "it closes no parenthesis"
    doubled = _PAIRS.get(text[max(at - 1, 0) : at + 1])
    return doubled or next((advice for pattern, advice in _ADVICE if pattern.match(text, at)), "")


_VALUE = "here belongs a name, number, 'text', T'time', :bound or (expression)"


def _wanted(accepted: frozenset[str]) -> str:
    return next((wanted for terminal, wanted in _WANTED if terminal in accepted), _CLOSE)


_CLOSE = "here belongs a comma or a closing parenthesis"
# By the first terminal that could follow.
_WANTED = (
    ("NAME", _VALUE),
    (
        "COMPARISON",
        "here belongs an operator: = != < <= > >= + - * / % OVERLAPS, [NOT] IN, IS [NOT] NULL, AND, OR",
    ),
    ("BIND", "here belongs a list: IN (1, 2, 5..9), or a bound one: IN :visits"),
    ("NULL", "write IS NULL or IS NOT NULL"),
    ("IN", "write x NOT IN (...); otherwise NOT stands before what it negates"),
    ("AND", "comparisons do not chain; join them by AND or OR"),
    ("OR", "here belongs AND or OR"),
)
