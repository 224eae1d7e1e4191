"""Query expressions from text: each production of the grammar, and each way to get it wrong."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import InvalidQuery
from skyfs.model.query import (
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
from skyfs.model.query_text import combine, parse

A, B, C, D = (Name((letter,)) for letter in "abcd")
ONE, TWO, THREE = Literal(1), Literal(2), Literal(3)
# 2020-01-01T00:00:00 in UTC, and in TAI.
UTC_2020, TAI_2020 = 1_577_836_837_000_000_000, 1_577_836_800_000_000_000


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("a", A),
        ("visit.exposure_time", Name(("visit", "exposure_time"))),
        ("calexp.timespan.begin", Name(("calexp", "timespan", "begin"))),
        ("_x9", Name(("_x9",))),
        ("Visit", Name(("Visit",))),
        ("android", Name(("android",))),
        ("visit.in", Name(("visit", "in"))),
        ("or.id", Name(("or", "id"))),
        ("t", Name(("t",))),
        ("1", ONE),
        ("007", Literal(7)),
        ("0" * 30 + "7", Literal(7)),
        ("1.", Literal(1.0)),
        (".5", Literal(0.5)),
        ("1.5e-3", Literal(1.5e-3)),
        ("1E3", Literal(1000.0)),
        ("-1", Literal(-1)),
        ("- 1", Literal(-1)),
        ("+1.5", Literal(1.5)),
        ("- -1", ONE),
        ("9223372036854775807", Literal(2**63 - 1)),
        ("-9223372036854775808", Literal(-(2**63))),
        ("'g'", Literal("g")),
        ("''", Literal("")),
        ("'it''s'", Literal("it's")),
        ("''''", Literal("'")),
        ("'a\nb -- AND é'", Literal("a\nb -- AND é")),
        ("true", Literal(value=True)),
        ("FALSE", Literal(value=False)),
        ("visit.true", Name(("visit", "true"))),
        (":ra", Bind("ra")),
        ("a = 1", Binary("=", A, ONE)),
        ("a != 1", Binary("!=", A, ONE)),
        ("a < 1", Binary("<", A, ONE)),
        ("a <= 1", Binary("<=", A, ONE)),
        ("a > 1", Binary(">", A, ONE)),
        ("a>=1", Binary(">=", A, ONE)),
        ("a overlaps b", Binary("OVERLAPS", A, B)),
        ("\ta\r\n=\f1 ", Binary("=", A, ONE)),
        ("a -1", Binary("-", A, ONE)),
        ("a - -1", Binary("-", A, Literal(-1))),
        ("-a", Unary("-", A)),
        ("+-a", Unary("+", Unary("-", A))),
        ("not a", Unary("NOT", A)),
        ("NOT Not a", Unary("NOT", Unary("NOT", A))),
        ("a is null", IsNull(A)),
        ("a IS NOT NULL", IsNull(A, negated=True)),
        ("a + b IS NULL", IsNull(Binary("+", A, B))),
        ("NOT a IS NULL", Unary("NOT", IsNull(A))),
        ("(a, b)", Pair(A, B)),
        ("(NULL, b)", Pair(Literal(None), B)),
        ("(a, null)", Pair(A, Literal(None))),
        ("((a, b), (c, d))", Pair(Pair(A, B), Pair(C, D))),
        ("a OVERLAPS (b + 1, :c)", Binary("OVERLAPS", A, Pair(Binary("+", B, ONE), Bind("c")))),
        ("point(1, -2.5)", Call("POINT", (ONE, Literal(-2.5)))),
        ("Circle(:ra, :dec, 1)", Call("CIRCLE", (Bind("ra"), Bind("dec"), ONE))),
        ("BOX(1, 2, 3, 1)", Call("BOX", (ONE, TWO, THREE, ONE))),
        ("POLYGON(1, 2, 3, 1, 2, 3)", Call("POLYGON", (ONE, TWO, THREE, ONE, TWO, THREE))),
        ("REGION('CIRCLE 1 2 3')", Call("REGION", (Literal("CIRCLE 1 2 3"),))),
        ("uuid('x')", Call("UUID", (Literal("x"),))),
        ("GLOB(a, 'x*')", Call("GLOB", (A, Literal("x*")))),
        ("point", Name(("point",))),
    ],
)
def test_expressions(text: str, expression: Expression) -> None:
    parsed = parse(text)
    assert parsed == expression
    # 1, 1.0 and True are equal, but not the same.
    assert repr(parsed) == repr(expression)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a IN (1)", (ONE,)),
        ("a in (1, 'g', b)", (ONE, Literal("g"), B)),
        ("a IN (-1, +2)", (Literal(-1), TWO)),
        ("a IN (1+2, (3))", (Binary("+", ONE, TWO), THREE)),
        ("a IN (1..5)", (Range(1, 5),)),
        ("a IN (-5 .. -1 : 2, 3)", (Range(-5, -1, 2), THREE)),
        ("a IN (5..5:9)", (Range(5, 5, 9),)),
        ("a IN (:b)", (Bind("b"),)),
        ("a IN :b", (Bind("b"),)),
        ("a IN (uuid('x'), UUID('y'))", (Call("UUID", (Literal("x"),)), Call("UUID", (Literal("y"),)))),
        ("a IN ((b, c))", (Pair(B, C),)),
        ("a IN (NULL, :b)", (Pair(Literal(None), Bind("b")),)),
        ("a IN (T'2020-01-01', null)", (Pair(Literal(Time(UTC_2020)), Literal(None)),)),
        (
            "a IN (T'2020-01-01/tai', T'2020-01-01')",
            (Pair(Literal(Time(TAI_2020)), Literal(Time(UTC_2020))),),
        ),
        ("a IN (T'2020-01-01', b)", (Literal(Time(UTC_2020)), B)),
    ],
)
def test_items_of_in(text: str, items: tuple[Expression, ...]) -> None:
    assert parse(text) == In(A, items)
    assert parse(text.replace("a IN", "a NOT IN").replace("a in", "a not in")) == In(A, items, negated=True)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a OR b AND c", "a OR (b AND c)"),
        ("a AND b OR c", "(a AND b) OR c"),
        ("a OR b OR c", "(a OR b) OR c"),
        ("a AND b AND c", "(a AND b) AND c"),
        ("NOT a AND b", "(NOT a) AND b"),
        ("NOT a = b", "NOT (a = b)"),
        ("NOT a IN (1) OR b", "(NOT (a IN (1))) OR b"),
        ("NOT a OVERLAPS b", "NOT (a OVERLAPS b)"),
        ("a = b + c", "a = (b + c)"),
        ("a + b OVERLAPS c", "(a + b) OVERLAPS c"),
        ("a + b IN (1)", "(a + b) IN (1)"),
        ("a - b - c", "(a - b) - c"),
        ("a - b + c", "(a - b) + c"),
        ("a / b * c % d", "((a / b) * c) % d"),
        ("a + b * c", "a + (b * c)"),
        ("a * b + c", "(a * b) + c"),
        ("-a * b", "(-a) * b"),
        ("a * -b", "a * (-b)"),
        ("- a + b", "(-a) + b"),
        ("(((a)))", "a"),
        ("a aNd b oR nOt c iN (1)", "a AND b OR NOT c IN (1)"),
    ],
)
def test_precedence(text: str, same: str) -> None:
    assert parse(text) == parse(same)


def test_associativity_is_to_the_left() -> None:
    assert parse("a OR b OR c") == Binary("OR", Binary("OR", A, B), C)
    assert parse("a - b - c") == Binary("-", Binary("-", A, B), C)


@pytest.mark.parametrize(
    ("literal", "tai_ns"),
    [
        ("2020-01-01", UTC_2020),
        ("2020-01-01 00:00", UTC_2020),
        ("2020-01-01 00:00:00", UTC_2020),
        ("2020-01-01T00:00:00", UTC_2020),
        ("2020-01-01t00:00:00/UTC", UTC_2020),
        ("2020-01-01T00:00:00+00:00", UTC_2020),
        ("2020-01-01T00:00:00.123456789", UTC_2020 + 123456789),
        ("isot/2020-01-01T00:00:00.000000001", UTC_2020 + 1),
        ("2020-01-01T00:00:00.123456789/tai", TAI_2020 + 123456789),
        ("iso/2020-01-01 00:00:00/TAI", TAI_2020),
        ("2020-01-01/tt", TAI_2020 - 32_184_000_000),
        ("2020:001", UTC_2020),
        ("2020:001:00:00:01", UTC_2020 + 10**9),
        ("fits/2020-01-01", UTC_2020),
        ("+02020-01-01", UTC_2020),
        ("58849", TAI_2020),
        ("58849.", TAI_2020),
        ("58849.5", TAI_2020 + 43_200 * 10**9),
        ("mjd/58849.0", TAI_2020),
        ("MJD/58849/utc", UTC_2020),
        ("jd/2458849.5", TAI_2020),
        ("unix/1577836800", UTC_2020),
        ("cxcsec/0", (883_612_800 * 1000 - 32_184) * 10**6),
        ("2016-12-31T23:59:60", 1_483_228_836_000_000_000),
    ],
)
def test_times(literal: str, tai_ns: int) -> None:
    assert parse(f"T'{literal}'") == Literal(Time(tai_ns))
    assert parse(f"a > t'{literal}'") == Binary(">", A, Literal(Time(tai_ns)))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a + b", [2]),
        ("  a = 1", [4]),
        ("a NOT IN (1)", [2]),
        ("a IS NULL", [2]),
        ("a AND b OR c", [8]),
        ("1 = (a, b)", [2]),
    ],
)
def test_operators_know_their_place(text: str, places: list[int]) -> None:
    assert [parse(text).at] == places


def test_every_part_knows_its_place() -> None:
    expression = parse("a IN (1..5, -3, :x) AND POINT(2, 3) OVERLAPS (NULL, T'58849')")
    assert isinstance(expression, Binary)
    left, right = expression.left, expression.right
    assert isinstance(left, In)
    assert isinstance(right, Binary)
    assert expression.at == 20
    assert [left.subject.at, left.at, *(item.at for item in left.items)] == [0, 2, 6, 12, 16]
    assert isinstance(right.right, Pair)
    assert [right.left.at, right.at, right.right.at] == [24, 36, 45]
    assert [right.right.begin.at, right.right.end.at] == [46, 52]


# Text with ! where the message must point, and what it must say.
MALFORMED = [
    ("!", "no expression (leave it out"),
    ("! \n ", "no expression"),
    ("a = !", "ends too early (here belongs a name"),
    ("a !b", "'b' cannot stand here (here belongs an operator"),
    ("a =!= 1", "write = for equality"),
    ("a <!> 1", "write != for inequality"),
    ("a /!/ 1", "true division"),
    ("a *!* 1", "+ - * / %"),
    ("a !& b", "write AND"),
    ("a !| b", "write OR"),
    ('a = !"g"', "single quotes"),
    ("a = !\N{LEFT SINGLE QUOTATION MARK}g\N{RIGHT SINGLE QUOTATION MARK}", "single quotes"),
    ("a = !'g", "close the quote"),
    ("a = !'g''", "close the quote"),
    ("a > T!'2020", "close the quote"),
    ("a !'g'", "here belongs an operator"),
    ("a = !1..5", "a range stands inside of IN"),
    ("a = !1 .. 5", "a range stands inside of IN"),
    ("!1..5 = a", "a range stands inside of IN"),
    ("a = !5x", "a name begins with a letter"),
    ("a = !1.2.3", "a name begins with a letter"),
    ("a = !NULL", "IS NULL"),
    ("!NULL IS NULL", "IS NULL"),
    ("a !LIKE 'x'", "GLOB(column, 'a*')"),
    ("a !between 1 and 2", "x >= 1 AND x <= 5"),
    ("a = ![1]", "a list stands in parentheses"),
    ("a = !:", "name of a bound value"),
    ("visit!. id = 1", "dots without blanks"),
    ("a = 1!;", "join several by AND"),
    ("a < 1 !< 2", "comparisons do not chain"),
    ("a = b !OVERLAPS c", "comparisons do not chain"),
    ("a = !NOT b", "'NOT' cannot stand here"),
    ("a IS !1", "write IS NULL or IS NOT NULL"),
    ("a NOT !1", "write x NOT IN"),
    ("a IN !1", "here belongs a list"),
    ("a IN !b", "here belongs a list"),
    ("a IN (!)", "here belongs a name"),
    ("a IN (1,!)", "here belongs a name"),
    ("a IN (!NULL)", "x IS NULL OR x IN"),
    ("a IN (1, !NULL)", "x IS NULL OR x IN"),
    ("a IN (1..2, !NULL)", "x IS NULL OR x IN"),
    ("a IN (:b, :c, !NULL)", "x IS NULL OR x IN"),
    ("a IN (!5..1)", "the range 5..1 holds nothing"),
    ("a IN (!1..5:0)", "the range 1..5:0 holds nothing"),
    ("a IN (!1..9223372036854775808)", "more than 64 bits"),
    ("a IN (!1.5..3)", "a range stands inside of IN"),
    ("!(a = 1", "this parenthesis is not closed"),
    ("(a OR !(b = 1", "this parenthesis is not closed"),
    ("!(a OR (b) = c", "this parenthesis is not closed"),
    ("(a) = 1!)", "it closes no parenthesis"),
    ("a = 1!)", "it closes no parenthesis"),
    ("(!)", "here belongs a name"),
    ("(a, b!, c)", "comma or a closing parenthesis"),
    ("a = !99999999999999999999", "more than 64 bits"),
    ("a = !9223372036854775808", "more than 64 bits"),
    ("a = !" + "1" * 5000, "more than 64 bits"),
    ("a = !1e999", "too large a number"),
    ("a = !\0", "no character of a text"),
    ("a = '!\ud800'", "no character of a text"),
    ("a = !é", "'é' cannot stand here"),
    ("a!\N{LATIN SMALL LETTER LONG S} = 1", "cannot stand here"),
    ("a !\N{NO-BREAK SPACE}", "'\\xa0' cannot stand here"),
    ("!POINTS(1, 2)", "no function 'POINTS' (did you mean POINT"),
    ("!sin(1) = 1", "no function 'sin' (there are BOX, CIRCLE"),
    ("!point() = a", "POINT with 0 arguments (it takes 2)"),
    ("!point(1) = a", "POINT with 1 arguments (it takes 2)"),
    ("!polygon(1,2,3,4) = a", "POLYGON with 4 arguments"),
    ("!polygon(1,2,3,4,5,6,7) = a", "POLYGON with 7 arguments"),
    ("a > !T''", "[format/]value[/scale]"),
    ("a > !T'yesterday'", "no known form of a time"),
    ("a > !T'2020-13-01'", "not of the format iso"),
    ("a > !T'2020-13-01/tai'", "month must be in 1..12"),
    ("a > !T'stardust/5'", "no format 'stardust'"),
    ("a > !T'58849/ut1'", "no scale 'ut1' (one of utc, tai"),
    ("a > !T'mjd/58849/here'", "no scale 'here'"),
    ("a > !T'mjd/58849/tai/x'", "[format/]value[/scale]"),
    ("a > !T'mjd/nan'", "not of the format mjd"),
    ("a > !T'mjd/1e300'", "bad time"),
    ("a > !T'datetime/2020-01-01'", "not of the format datetime"),
    ("a > !T'2500-01-01'", "outside of the years 1677 to 2262"),
]


@pytest.mark.parametrize(("marked", "said"), MALFORMED)
def test_malformed(marked: str, said: str) -> None:
    at = marked.index("!")
    text = marked.replace("!", "", 1)
    with pytest.raises(InvalidQuery) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f"invalid query at character {at + 1}, ")
    assert said in message
    assert "\n" not in message


def test_the_message_marks_the_place() -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse("visit = 3 AND bnad == 'g'")
    assert "character 21, \"visit = 3 AND bnad =-->= 'g'\": '=' cannot stand here" in str(caught.value)


def test_long_text_is_cut_around_the_place() -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse("visit = 1 OR " * 300 + "oops )" + " OR visit = 1" * 300)
    message = str(caught.value)
    assert "oops -->)" in message
    assert len(message) < 250
    assert message.count("...") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" " * 100_001, "100001 characters"),
        ("a IN (" + "1," * 2100 + "1)", "more than 4200 words and signs"),
        ("a = T'2020-01-01' OR " * 200 + "a", "more than 4200 words and signs"),
        ("(" * 4201, "more than 4200 words and signs"),
        ("NOT " * 101 + "a", "more than 100 levels"),
        ("a" + "+a" * 101, "more than 100 levels"),
        ("(a, " * 101 + "a" + ")" * 101, "more than 100 levels"),
    ],
)
def test_too_large(text: str, said: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse(text)
    assert said in str(caught.value)


def test_large_and_real() -> None:
    numbers = range(2000)
    assert parse(f"a IN ({','.join(map(str, numbers))})") == In(A, tuple(map(Literal, numbers)))
    assert parse("(" * 2000 + "a" + ")" * 2000) == A
    assert parse("-" * 90 + "a" + "+1" * 9) != A


def test_long_chains_are_shallow_and_keep_their_order() -> None:
    expression = parse(" OR ".join(f"(visit = {number} AND detector = 5)" for number in range(400)))
    found: list[object] = []
    open_nodes = [(expression, 1)]
    deepest = 0
    while open_nodes:
        node, level = open_nodes.pop()
        deepest = max(deepest, level)
        if isinstance(node, Binary):
            open_nodes += [(node.right, level + 1), (node.left, level + 1)]
            if node.left == Name(("visit",)):
                assert isinstance(node.right, Literal)
                found.append(node.right.value)
    assert found == list(range(400))
    assert deepest < 30


def test_text_of_another_type() -> None:
    with pytest.raises(InvalidQuery, match="type bytes"):
        parse(b"a = 1")  # type: ignore[arg-type]


def test_combine() -> None:
    assert combine([]) is None
    assert combine([A]) == A
    assert combine([A, Binary("OR", B, C), D]) == Binary("AND", Binary("AND", A, Binary("OR", B, C)), D)


# -------------------------------------------------------------------------------------------- round trip
WORDS = ("visit", "t", "point", "Isot", "nullable", "x_1", "inn")
names = st.builds(Name, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(tuple))
integers = st.integers(-(2**63), 2**63 - 1)
times = st.builds(Time, st.integers(-(2**62), 2**62))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
values = st.one_of(integers, st.floats(allow_nan=False, allow_infinity=False), texts, st.booleans(), times)
ranges = st.builds(
    lambda ends, step: Range(min(ends), max(ends), step), st.tuples(integers, integers), st.integers(1, 2**62)
)
leaves = st.one_of(names, st.builds(Literal, values), st.builds(Bind, st.sampled_from(WORDS)))
OPERATORS = ["OR", "AND", "OVERLAPS", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"]


def is_number(node: Expression) -> bool:
    return isinstance(node, Literal) and type(node.value) in (int, float)


def is_moment(node: Expression) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, Time)


def branches(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    end = children | st.just(Literal(None))
    items = st.lists(children | ranges, min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Binary, st.sampled_from(OPERATORS), children, children),
        # A sign of a number belongs to it, and two moments in a list are a timespan.
        st.builds(Unary, st.sampled_from(["-", "+"]), children.filter(lambda node: not is_number(node))),
        st.builds(Unary, st.just("NOT"), children),
        st.builds(Pair, end, end),
        st.builds(IsNull, children, st.booleans()),
        st.builds(
            In, children, items.filter(lambda i: not (len(i) == 2 and all(map(is_moment, i)))), st.booleans()
        ),
        st.builds(Call, st.just("BOX"), st.tuples(children, children, children, children)),
        st.builds(Call, st.just("GLOB"), st.tuples(children, children)),
    )


expressions = st.recursive(leaves, branches, max_leaves=12)


def rendered(node: Expression) -> str:
    """Write an expression with all its parentheses."""
    if isinstance(node, Name):
        return str(node)
    if isinstance(node, Bind):
        return f":{node.name}"
    if isinstance(node, Range):
        return f"{node.first}..{node.last}:{node.step}"
    if isinstance(node, Literal):
        return rendered_value(node.value)
    if isinstance(node, Unary):
        return f"({node.operator} {rendered(node.operand)})"
    if isinstance(node, Binary):
        return f"({rendered(node.left)} {node.operator} {rendered(node.right)})"
    if isinstance(node, Pair):
        return f"({rendered(node.begin)}, {rendered(node.end)})"
    if isinstance(node, IsNull):
        return f"({rendered(node.subject)} IS {'NOT ' * node.negated}NULL)"
    if isinstance(node, Call):
        return f"{node.function}({', '.join(map(rendered, node.arguments))})"
    return f"({rendered(node.subject)} {'NOT ' * node.negated}IN ({', '.join(map(rendered, node.items))}))"


def rendered_value(value: object) -> str:
    if isinstance(value, Time):
        seconds, nanoseconds = divmod(value.tai_ns, 10**9)
        days, second = divmod(seconds, 86400)
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{nanoseconds:09}"
        return f"T'{calendar_day(days)}T{clock}/tai'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else str(value)


def calendar_day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days)).isoformat()


@given(expressions)
def test_round_trip(expression: Expression) -> None:
    parsed = parse(rendered(expression))
    assert parsed == expression
    assert repr(parsed) == repr(expression)
