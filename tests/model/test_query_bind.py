"""Values that take the place of names, and calls that are folded."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time as AstropyTime
from lsst import sphgeom

from skyfs.errors import InvalidQuery
from skyfs.model import region
from skyfs.model.query import (
    Binary,
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
from skyfs.model.query_bind import prepare
from skyfs.model.query_text import parse
from skyfs.model.timespan import Timespan

V = Name(("v",))
# 2020-01-01T00:00:00 in UTC, and in TAI.
UTC_2020, TAI_2020 = 1_577_836_837_000_000_000, 1_577_836_800_000_000_000
ID = UUID("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")


def prepared(text: str, **values: object) -> Expression:
    return prepare(parse(text), values, text)


def refused(text: str, **values: object) -> str:
    with pytest.raises(InvalidQuery) as caught:
        prepared(text, **values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (5, 5),
        (-(2**63), -(2**63)),
        (2.5, 2.5),
        ("it's", "it's"),
        (True, True),
        (np.int32(5), 5),
        (np.uint64(5), 5),
        (np.float32(2.5), 2.5),
        (np.float64(3.5), 3.5),
        (np.bool_(True), True),  # noqa: FBT003 - the constructor of numpy
        (np.str_("g"), "g"),
        (np.array(5), 5),
        (ID, ID),
        (Timespan(1, 2), Timespan(1, 2)),
        (Time(7), Time(7)),
        (datetime(2020, 1, 1, tzinfo=UTC), Time(UTC_2020)),
        (datetime(2020, 1, 1), Time(TAI_2020)),  # noqa: DTZ001 - naive is TAI
        (pd.Timestamp("2020-01-01T00:00:00.000000001"), Time(TAI_2020 + 1)),
        (AstropyTime("2020-01-01T00:00:00", scale="utc"), Time(UTC_2020)),
        (AstropyTime("2020-01-01T00:00:00", scale="tai"), Time(TAI_2020)),
        (np.datetime64("2020-01-01T00:00:00.000000001"), Time(TAI_2020 + 1)),
        (np.datetime64("2020-01-01"), Time(TAI_2020)),
        (np.array("2020-01-01", "datetime64[D]"), Time(TAI_2020)),
        (SkyCoord(10, -20, unit="deg"), Shape(region.point(10, -20))),
        (sphgeom.LonLat.fromDegrees(10, -20), Shape(region.point(10, -20))),
        (sphgeom.Box.full(), Shape(sphgeom.Box.full().encode())),
        (Shape(b"x"), Shape(b"x")),
    ],
)
def test_one_value(value: object, plain: Any) -> None:  # noqa: ANN401 - any of them
    for text, expected in (
        ("v = :x", Binary("=", V, Literal(plain))),
        ("v IN (:x)", In(V, (Literal(plain),))),
        ("v IN :x", In(V, (Literal(plain),))),
        ("v NOT IN (:x, 1, 2)", In(V, (Literal(plain), Literal(1), Literal(2)), negated=True)),
    ):
        expression = prepared(text, x=value)
        assert expression == expected
        assert repr(expression) == repr(expected)


def test_coordinates_of_another_frame() -> None:
    position = SkyCoord(l=30 * u.deg, b=40 * u.deg, frame="galactic")
    expression = prepared("v OVERLAPS :x", x=position)
    icrs = position.icrs
    assert expression == Binary("OVERLAPS", V, Literal(Shape(region.point(icrs.ra.deg, icrs.dec.deg))))


@pytest.mark.parametrize(
    ("values", "items"),
    [
        ([1, 2], [1, 2]),
        ((1.5, "g"), [1.5, "g"]),
        ({7}, [7]),
        (frozenset({7}), [7]),
        ({7: "x"}.keys(), [7]),
        ([], []),
        (np.array([1, 2]), [1, 2]),
        (np.array([], int), []),
        (np.array(["g", "r"]), ["g", "r"]),
        (np.array([True, False]), [True, False]),
        ([np.int16(3), np.float32(0.5)], [3, 0.5]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series(["g", "r"]), ["g", "r"]),
        (np.array(["2020-01-01"], "datetime64[D]"), [Time(TAI_2020)]),
        (pd.Series([pd.Timestamp("2020-01-01")]), [Time(TAI_2020)]),
        # Two bound moments are moments; only two that are written are a timespan.
        (
            AstropyTime([58849, 58850], format="mjd", scale="tai"),
            [Time(TAI_2020), Time(TAI_2020 + 86400 * 10**9)],
        ),
        ([Time(1), Time(2)], [Time(1), Time(2)]),
        ([ID], [ID]),
    ],
)
def test_several_values(values: object, items: list[Any]) -> None:
    for text in ("v IN (:x)", "v IN :x", "v IN (x)"):
        expression = prepared(text, x=values)
        assert expression == In(V, tuple(map(Literal, items)))
        assert repr(expression) == repr(In(V, tuple(map(Literal, items))))
    assert prepared("v IN (0, :x, 1..2)", x=values) == In(V, (Literal(0), *map(Literal, items), Range(1, 2)))


@pytest.mark.parametrize(
    ("values", "items"),
    [
        (range(3), (Range(0, 2),)),
        (range(1, 10, 3), (Range(1, 7, 3),)),
        (range(10, 0, -3), (Range(1, 10, 3),)),
        (range(5, 6, 2**70), (Range(5, 5),)),
        (range(0), ()),
    ],
)
def test_ranges(values: range, items: tuple[Range, ...]) -> None:
    assert prepared("v IN :x", x=values) == In(V, items)
    for item in items:
        assert set(range(item.first, item.last + 1, item.step)) == set(values)


def test_a_long_list() -> None:
    expression = prepared("v IN :x", x=np.arange(100_000))
    assert isinstance(expression, In)
    assert expression.items == tuple(map(Literal, range(100_000)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "IS NULL"),
        (math.nan, "IS NULL"),
        (math.inf, "the value inf"),
        (np.float32("nan"), "the value nan"),
        (2**63, "more than 64 bits"),
        (np.uint64(2**63), "more than 64 bits"),
        ("a\0", "no character of a text"),
        ("\ud800", "no character of a text"),
        (b"g", "type bytes"),
        ({}, "type dict"),
        (object(), "type object"),
        (1j, "type complex"),
        (np.complex128(1), "type complex"),
        (np.longdouble(1), "type longdouble"),
        (np.timedelta64(1, "ns"), "type timedelta64"),
        (np.datetime64("NaT"), "no time"),
        (np.datetime64("9999-01-01"), "1677 to 2262"),
        (pd.NaT, "the time NaT"),
        (datetime(9999, 1, 1), "1677 to 2262"),  # noqa: DTZ001 - naive is TAI
        (SkyCoord([1, 2], [3, 4], unit="deg"), "several positions"),
    ],
)
def test_no_value(value: object, said: str) -> None:
    assert said in refused("v = :x", x=value)
    assert said in refused("v IN (:x)", x=value)
    message = refused("v IN (1, 2, :x)", x=[1, value])
    assert said in message
    assert message.startswith("invalid query at character 13, 'v IN (1, 2, -->:x)'")


@pytest.mark.parametrize("value", [[1], (1,), {1}, range(3), np.arange(3), AstropyTime(["2020-01-01"])])
def test_several_values_outside_of_in(value: object) -> None:
    assert refused("v = :x", x=value).startswith("invalid query at character 5, 'v = -->:x': ")


def test_lists_of_lists() -> None:
    assert "[1] is not one value" in refused("v IN :x", x=[[1]])
    assert "2 dimensions" in refused("v IN :x", x=np.zeros((2, 2)))
    assert "2 dimensions" in refused("v IN :x", x=AstropyTime([[58849.0]], format="mjd"))
    for values in (range(2**63, 2**63 + 2), range(2**63 - 1, 2**63 + 1), range(-(2**63) - 1, 0)):
        assert "more than 64 bits" in refused("v IN :x", x=values)


def test_a_name_without_a_value() -> None:
    message = refused("v = :visit_idd", visit_id=1, other=2)
    assert message.startswith("invalid query at character 5, 'v = -->:visit_idd'")
    assert "no value is bound to 'visit_idd' (did you mean visit_id?)" in message
    assert "(there are a, b)" in refused("v = :visit", b=1, a=2)
    assert "bind={'visit': ...}" in refused("v = :visit")


def test_values_that_are_not_used() -> None:
    assert prepared("v = 1", x=None) == Binary("=", V, Literal(1))


def test_bare_names() -> None:
    assert prepared("v = x", x=5) == Binary("=", V, Literal(5))
    assert prepare(parse("v = a.b"), {"a.b": 5}, "v = a.b") == Binary("=", V, Literal(5))
    # What is written with a colon leaves the column of that name alone.
    assert prepared("v = :v", v=5) == Binary("=", V, Literal(5))


def test_every_place_of_a_value() -> None:
    text = "NOT (-:a + v IN (v, :a) AND :a IS NULL OR (:a, :b) OVERLAPS (v, (:a, :b)))"
    five, six = Literal(5), Literal(6)
    pair = Pair(five, six)
    assert prepared(text, a=5, b=6) == Unary(
        "NOT",
        Binary(
            "OR",
            Binary("AND", In(Binary("+", Literal(-5), V), (V, five)), IsNull(five)),
            Binary("OVERLAPS", pair, Pair(V, pair)),
        ),
    )


def test_places_are_kept() -> None:
    expression = prepared("v IN :x AND POINT(:a, 2) OVERLAPS v", x=[1, 2], a=1)
    assert isinstance(expression, Binary)
    assert isinstance(expression.left, In)
    assert isinstance(expression.right, Binary)
    assert [item.at for item in expression.left.items] == [5, 5]
    assert [expression.at, expression.right.at, expression.right.left.at] == [8, 25, 12]


def test_ends_of_timespans() -> None:
    times = {"a": AstropyTime("2020-01-01", scale="utc"), "b": None}
    ends = (Literal(Time(UTC_2020)), Literal(None))
    assert prepared("v OVERLAPS (:a, :b)", **times) == Binary("OVERLAPS", V, Pair(*ends))
    assert prepared("v IN (:a, :b)", **times) == In(V, (Pair(*ends),))
    assert prepared("v IN (NULL, :a)", **times) == In(V, (Pair(*ends[::-1]),))
    assert prepared("v IN (:a, :a)", **times) == In(V, (Pair(ends[0], ends[0]),))
    assert prepared("v IN (:a, T'58849')", **times) == In(V, (Pair(ends[0], Literal(Time(TAI_2020))),))
    assert prepared("v IN (:a, :a, :a)", **times) == In(V, (ends[0],) * 3)
    assert "IS NULL OR" in refused("v IN (:b, 5)", b=None)


def test_signs_of_values() -> None:
    assert prepared("v = -:x", x=2.5) == Binary("=", V, Literal(-2.5))
    assert prepared("v = -:x", x="g") == Binary("=", V, Unary("-", Literal("g")))
    assert "more than 64 bits" in refused("v = -:x", x=-(2**63))


# ---------------------------------------------------------------------------------------------- calls
@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("POINT(10, -20)", region.point(10, -20)),
        ("point(:a, - - :b)", region.point(10, -20)),
        ("CIRCLE(10, -20.0, 3)", region.circle(10, -20, 3)),
        ("BOX(10, -20, 3, 4)", region.box(10, -20, 3, 4)),
        ("POLYGON(0, 0, :a, 0, 0, 10)", region.polygon([(0, 0), (10, 0), (0, 10)])),
        ("REGION('CIRCLE 10 -20 3')", region.circle(10, -20, 3)),
        ("REGION(:pos)", region.from_ivoa("RANGE 1 2 3 4")),
    ],
)
def test_shapes(text: str, encoded: bytes) -> None:
    expression = prepared(f"v OVERLAPS {text}", a=10, b=np.float64(-20), pos="RANGE 1 2 3 4")
    assert expression == Binary("OVERLAPS", V, Literal(Shape(encoded)))


def test_uuids() -> None:
    assert prepared(f"v = UUID('{ID}')") == Binary("=", V, Literal(ID))
    assert prepared(f"v IN (uuid('{ID.hex.upper()}'), 1)") == In(V, (Literal(ID), Literal(1)))
    assert prepared("v = UUID(:x)", x=ID) == Binary("=", V, Literal(ID))
    assert prepared("v = UUID(:x)", x=str(ID)) == Binary("=", V, Literal(ID))


def test_globs_stay() -> None:
    expected = Call("GLOB", (Name(("visit", "name")), Literal("a*")))
    assert prepared("glob(visit.name, 'a*')") == expected
    assert prepared("glob(visit.name, :x)", x="a*") == expected
    assert prepared("NOT glob(visit.name, x)", x="a*") == Unary("NOT", expected)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("v OVERLAPS POINT(10, 95)", 12, "declination 95.0"),
        ("v OVERLAPS CIRCLE(1, 2, -3)", 12, "radius -3.0"),
        ("v OVERLAPS POINT(10, v)", 22, "POINT of what is no number"),
        ("v OVERLAPS POINT('10', 2)", 18, "POINT of what is no number"),
        ("v OVERLAPS POINT(true, 2)", 18, "POINT of what is no number"),
        ("v OVERLAPS BOX(1, 2, 3, 4 + 5)", 27, "BOX of what is no number"),
        ("v OVERLAPS POLYGON(0,0, 10,0, 20,0)", 12, "a polygon"),
        (f"v OVERLAPS POLYGON({'0,' * 201}0)", 12, "too many corners"),
        (f"v OVERLAPS REGION('POLYGON {'0 ' * 202}')", 12, "too many corners"),
        ("v OVERLAPS REGION('SQUARE 1 2')", 12, "IVOA"),
        ("v OVERLAPS REGION('CIRCLE 1 100 2')", 12, "declination 100"),
        ("v OVERLAPS REGION(v)", 19, "REGION of what is no text"),
        ("v = UUID('123')", 10, "'123' is no UUID"),
        ("v = UUID(5)", 10, "UUID of what is no text"),
        ("GLOB('a', 'b')", 6, "GLOB of what is no name"),
        ("GLOB(v, w)", 9, "GLOB of what is no text"),
        ("GLOB(v, 5)", 9, "GLOB of what is no text"),
        ("v IN (1, POINT(0, 91))", 10, "declination 91"),
    ],
)
def test_wrong_arguments(text: str, at: int, said: str) -> None:
    message = refused(text)
    assert message.startswith(f"invalid query at character {at}, ")
    assert said in message


def test_corners_are_counted_over_the_expression() -> None:
    turns = [math.tau * corner / 60 for corner in range(60)]
    polygon = f"REGION('POLYGON {' '.join(f'{math.cos(turn)} {math.sin(turn)}' for turn in turns)}')"
    expression = prepared(f"v IN ({polygon}, {polygon})")
    assert isinstance(expression, In)
    assert len(expression.items) == 2
    assert "too many corners" in refused(f"v IN ({polygon}, {polygon}, {polygon})")
