"""Row filters from text: anything gives an expression or a clear error, soon."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadArgument, Unsupported
from skyfs.model.row_filter import FUNCTIONS, Apply, Constant, Expression, Name, Row, conjuncts, names, parse

WORDS = [
    *(
        "flux",
        "$a b$",
        "#EXPTIME",
        "#row",
        "#null",
        "1",
        "2.5",
        "1e3",
        ".5",
        "1.",
        "0x1F",
        "b01x",
        "'a'",
        "T",
        "f",
    ),
    *(
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "^",
        "^^",
        "&",
        "|",
        "&&",
        "||",
        "!",
        ".and.",
        ".or.",
        ".not.",
        ".eq.",
        "~",
    ),
    *("==", "!=", "<", ">", "<=", "=<", "=", ":", "?", ",", "(", ")", "[", "]", "{", "}", "(int)", "(float)"),
    *(f"{name}(" for name in [*FUNCTIONS, "random", "gtifilter", "nope"]),
]


X = Name("x", bare=True)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("x[2]", Apply("[]", (X, Constant(2)))),
        ("x = 1:5", Apply("between", (X, Constant(1), Constant(5)))),
        ("(int) x", Apply("(int)", (X,))),
        ("(float) x", Apply("(float)", (X,))),
        ("(double) x", Apply("(float)", (X,))),
        ("-x", Apply("neg", (X,))),
        ("+x", Apply("+", (Constant(0), X))),
        ("'a b'", Constant("a b")),
        ("010", Constant(10)),
        ("0x1F", Constant(31)),
        ("0b11", Constant(3)),
        ("1d3", Constant(1000.0)),
        (str(2**63 - 1), Constant(2**63 - 1)),
        (str(2**63), Constant(2.0**63)),
    ],
)
def test_what_a_text_means(text: str, expression: Expression) -> None:
    assert parse(text) == expression
    assert type(getattr(parse(text), "value", None)) is type(getattr(expression, "value", None))


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_words_in_any_order_are_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except (BadArgument, Unsupported) as error:
        assert error.found or error.todo  # noqa: PT017 - either is fine
    else:
        assert isinstance(found, Expression)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except (BadArgument, Unsupported) as error:
        assert str(error)  # noqa: PT017 - either is fine


@pytest.mark.parametrize(
    "text",
    ["(" * 3900 + "a" + ")" * 3900, "!" * 7000 + "a", "a+" * 3999 + "a", "a[" * 2000 + "1" + "]" * 2000],
    ids=["parentheses", "negations", "sums", "elements"],
)
def test_deep_nesting_is_bounded(text: str) -> None:
    try:
        assert parse(text) == Name("a", bare=True)
    except BadArgument as error:
        assert "nested too deeply" in str(error)  # noqa: PT017 - parentheses alone are no depth


def test_length_is_bounded() -> None:
    with pytest.raises(BadArgument, match="9000 characters"):
        parse("a" * 9000)


def test_long_chains_are_no_depth() -> None:
    found = parse(" || ".join(f"a=={number}" for number in range(700)))
    assert isinstance(found, Apply)
    assert found.function == "||"


SAME = [
    ("a .eq. 1 .and. b .ne. 2", "a == 1 && b != 2"),
    ("a =< 1 || b => 2", "a <= 1 || b >= 2"),
    ("a > 1 && b > 2 || c > 3", "(a > 1 && b > 2) || c > 3"),
    ("!a == b", "(!a) == b"),
    ("-a ^ 2 > 1", "((-a) ** 2) > 1"),
    ("2 ** 3 ** 2 > 1", "2 ** (3 ** 2) > 1"),
    ("a - b - c > 1", "(a - b) - c > 1"),
    ("a - b % c > 1", "(a - b) % c > 1"),
    ("a + b * c > 1", "a + (b * c) > 1"),
    ("(INT) a + 1 > 2", "((int) a) + 1 > 2"),
    ("asin(a) > 1", "ARCSIN(a) > 1"),
    ("1.eq.a", "1 == a"),
    ("1.5.lt.a", "1.5 < a"),
    ('name == "M31"', "name == 'M31'"),
]


@pytest.mark.parametrize(("text", "other"), SAME)
def test_precedence_and_spellings(text: str, other: str) -> None:
    assert parse(text) == parse(other)


def test_constants() -> None:
    assert parse("#pi") == Constant(math.pi)
    assert parse("#ROW") == Row()
    assert parse("#null") == Constant(None)
    assert parse("1d2") == Constant(100.0)
    assert parse("99999999999999999999") == Constant(1e20)
    assert parse("#$MAX-PHA$") == Name("MAX-PHA", keyword=True)
    assert parse("$my col$") == Name("my col")


def test_what_an_expression_speaks_of() -> None:
    found = parse("a > 1 && (B == 2 || #C == 3) && d = 1:2")
    assert names(found) == {"a", "b", "d"}
    assert len(list(conjuncts(found))) == 3
