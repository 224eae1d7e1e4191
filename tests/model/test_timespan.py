"""Times and half-open timespans, in TAI nanoseconds."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import astropy.time
import numpy as np
import pandas as pd
import pytest
from astropy.time import Time, TimeDelta
from hypothesis import example, given
from hypothesis import strategies as st

from skyfs.errors import BadArgument, BadPath
from skyfs.model.paths import Address, parse
from skyfs.model.timespan import ALWAYS, Timespan, format_time, parse_time, to_tai_ns

FIRST_NS = -62_135_596_800 * 10**9  # 0001-01-01T00:00:00
LAST_NS = 253_402_300_800 * 10**9 - 1  # 9999-12-31T23:59:59.999999999
EPOCH = Time("1970-01-01T00:00:00", scale="tai")

SMALL = st.none() | st.integers(-6, 6)
NS = st.integers(-(2**63) + 1, 2**63 - 3)


def make(begin: int | None, end: int | None) -> Timespan | None:
    empty = begin is not None and end is not None and begin >= end
    return None if empty else Timespan(begin, end)


SPANS = st.tuples(SMALL, SMALL).map(lambda pair: make(*pair)).filter(lambda span: span is not None)


# -- text ----------------------------------------------------------------------------------------------


@given(st.integers(FIRST_NS, LAST_NS))
@example(FIRST_NS)
@example(LAST_NS)
@example(-1)
def test_texts_of_times_round_trip(tai_ns: int) -> None:
    text = format_time(tai_ns)
    assert parse_time(text) == tai_ns
    assert "." not in text or not text.endswith("0")
    assert text[8] == "T"
    assert len(text.partition(".")[0]) == 15


@pytest.mark.parametrize(
    ("text", "tai_ns", "canonical"),
    [
        ("19700101T000000", 0, "19700101T000000"),
        ("1970-01-01", 0, "19700101T000000"),
        ("1970-01-01 00:00:01", 10**9, "19700101T000001"),
        ("1970-01-01T00:00:00.5", 5 * 10**8, "19700101T000000.5"),
        ("19700101T000000.000000001", 1, "19700101T000000.000000001"),
        ("19691231T235959.999999999", -1, "19691231T235959.999999999"),
        ("20131101T000000", 1_383_264_000 * 10**9, "20131101T000000"),
        ("00010101", FIRST_NS, "00010101T000000"),
        ("09991231T000000", -30_610_310_400 * 10**9, "09991231T000000"),
        ("9999-12-31T23:59:59.999999999", LAST_NS, "99991231T235959.999999999"),
    ],
)
def test_times_in_texts(text: str, tai_ns: int, canonical: str) -> None:
    assert parse_time(text) == to_tai_ns(text) == tai_ns
    assert format_time(tai_ns) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "now",
            "min",
            "2013",
            "201311",
            "20131301",
            "20130230",
            "20131101T",
            "20131101T240000",
            "20131101T0000",
        ),
        *(
            "20131101T000060",
            "00000101",
            "-0010101",
            "20131101T000000Z",
            "20131101T000000+01",
            "20131101T000000.",
            " ",
        ),
        *("20131101T000000.1234567890", "٢٠١٣١١٠١", "20131101T000000\n", "120131101", "x" * 5_000),
    ],
)
def test_no_times(text: str) -> None:
    with pytest.raises(BadArgument, match="bad time") as caught:
        parse_time(text)
    assert len(str(caught.value)) < 500


def test_times_out_of_the_calendar_have_no_text() -> None:
    for tai_ns in (FIRST_NS - 1, LAST_NS + 1, 10**40):
        with pytest.raises(BadArgument, match="years 1 to 9999"):
            format_time(tai_ns)


@given(NS, NS)
def test_texts_of_timespans_round_trip(one: int, other: int) -> None:
    begin, end = sorted((one, other))
    for span in (Timespan(begin, end + 1), Timespan(begin, None), Timespan(None, end), ALWAYS):
        assert Timespan.parse(str(span)) == span
        address = Address(("c", "t"), (("valid", str(span)),), ".fits")
        assert str(address) == f"/c/t/valid={span}.fits"
        assert parse(str(address)) == address


def test_compact_texts() -> None:
    span = Timespan.of("2013-11-01", "2014-01-01T00:00:00")
    assert str(span) == "20131101T000000--20140101T000000"
    assert str(Timespan.parse("2013-11-01--2014-01-01 12:00:00")) == "20131101T000000--20140101T120000"
    assert (str(ALWAYS), Timespan.parse("min--max")) == ("min--max", ALWAYS)


@pytest.mark.parametrize(
    "text",
    [
        *("", "min", "20131101T000000", "max--min", "min--min", "max--max", "--", "min--", "--max", "a--b"),
        *(
            "20131101T000000-20140101T000000",
            "20140101T000000--20131101T000000",
            "20140101--20140101",
            "min--max--max",
        ),
        *("00010101--max", "min--99991231", "min-- max"),
    ],
)
def test_no_timespans(text: str) -> None:
    with pytest.raises(BadPath, match="bad timespan"):
        Timespan.parse(text)


# -- sets of moments -----------------------------------------------------------------------------------


@given(SPANS, SPANS)
def test_overlaps_when_some_moment_is_in_both(one: Timespan, other: Timespan) -> None:
    shared = any(one.contains(moment) and other.contains(moment) for moment in range(-9, 9))
    assert one.overlaps(other) == other.overlaps(one) == shared


def test_half_open() -> None:
    span = Timespan(10, 20)
    assert [span.contains(moment) for moment in (9, 10, 19, 20)] == [False, True, True, False]
    assert not span.overlaps(Timespan(20, 30))
    assert not span.overlaps(Timespan(None, 10))
    assert span.overlaps(Timespan(19, 20))
    assert ALWAYS.contains(-(10**30))
    assert Timespan(None, 10).contains(-(2**63))
    assert not Timespan(10, None).contains(9)


@pytest.mark.parametrize(("begin", "end"), [(1, 1), (2, 1), (2**62, -(2**62))])
def test_empty_and_reversed_timespans_are_refused(begin: int, end: int) -> None:
    with pytest.raises(BadArgument, match=f"begin {begin} is not before end {end}"):
        Timespan(begin, end)


@pytest.mark.parametrize("bound", [-(2**63), 2**63 - 1, 2**63, FIRST_NS, LAST_NS, 10**400])
def test_bounds_that_a_registry_cannot_hold_are_refused(bound: int) -> None:
    for bounds in ((bound, None), (None, bound)):
        with pytest.raises(BadArgument, match="out of range"):
            Timespan(*bounds)


# -- other kinds of times ------------------------------------------------------------------------------

YEARS = st.integers(parse_time("19720101"), parse_time("20250101"))


@pytest.mark.parametrize("scale", ["tai", "utc", "tt", "tdb", "tcg"])
@given(tai_ns=YEARS)
def test_astropy_times_are_exact(scale: str, tai_ns: int) -> None:
    days, rest = divmod(tai_ns, 86_400 * 10**9)
    time = EPOCH + TimeDelta(days, rest / (86_400 * 10**9), format="jd", scale="tai")
    found = to_tai_ns(getattr(time, scale))
    assert found is not None
    assert abs(found - tai_ns) <= 1
    # Back in astropy's own arithmetic.
    again = EPOCH + TimeDelta(found // 10**9, found % 10**9 / 1e9, format="sec", scale="tai")
    assert abs((again - time).to_value("sec")) <= 2e-9


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (Time("2013-11-01T00:00:00", scale="tai"), "20131101T000000"),
        (Time("2013-11-01T00:00:00", scale="utc"), "20131101T000035"),
        (Time("2016-12-31T23:59:60", scale="utc"), "20170101T000036"),
        (Time("2017-01-01T00:00:00", scale="utc"), "20170101T000037"),
        (Time("2013-11-01T00:00:32.184", scale="tt"), "20131101T000000"),
        (Time("2013-11-01T00:00:00.123456789", scale="tai"), "20131101T000000.123456789"),
        (Time(56597, 0.5, format="mjd", scale="tai"), "20131101T120000"),
        (Time(56597.25, format="mjd", scale="tai"), "20131101T060000"),
        (Time(0, format="unix_tai"), "19700101T000000"),
        (datetime(2013, 11, 1), "20131101T000000"),  # noqa: DTZ001 - naive is TAI
        (datetime(2013, 11, 1, microsecond=1), "20131101T000000.000001"),  # noqa: DTZ001
        (datetime(1, 1, 1), "00010101T000000"),  # noqa: DTZ001
        (datetime(2013, 11, 1, tzinfo=UTC), "20131101T000035"),
        (datetime(2013, 11, 1, 9, 0, 0, 5, tzinfo=timezone(timedelta(hours=9))), "20131101T000035.000005"),
        (pd.Timestamp("2013-11-01T00:00:00.123456789"), "20131101T000000.123456789"),
        (pd.Timestamp("2013-11-01T00:00:00.000000789Z"), "20131101T000035.000000789"),
        (np.int64(5), "19700101T000000.000000005"),
        (5, "19700101T000000.000000005"),
    ],
    ids=[f"{index}" for index in range(18)],
)
def test_times_of_other_kinds(time: object, text: str) -> None:
    found = to_tai_ns(time)
    assert found == parse_time(text)
    assert type(found) is int


def test_none_is_no_bound() -> None:
    assert to_tai_ns(None) is None
    assert Timespan.of(None, None) == ALWAYS


@given(st.datetimes(datetime(1972, 1, 1), datetime(2025, 1, 1)))  # noqa: DTZ001
def test_aware_datetimes_agree_with_astropy(moment: datetime) -> None:
    utc = moment.replace(tzinfo=UTC)
    assert to_tai_ns(utc) == to_tai_ns(Time(moment, scale="utc"))
    assert to_tai_ns(utc.astimezone(timezone(timedelta(hours=-7)))) == to_tai_ns(utc)
    naive = to_tai_ns(moment)
    assert naive is not None
    leap = (to_tai_ns(utc) or 0) - naive
    assert leap % 10**9 == 0
    assert 10 <= leap // 10**9 <= 37


NO_TIMES = [
    *(
        True,
        1.5,
        b"2013",
        [],
        np.float64(1),
        np.array([1, 2]),
        np.array(1.5),
        np.datetime64("2013-11-01"),
        object(),
    ),
    Time(["2013-11-01", "2013-11-02"], scale="tai"),
    Time("2013-11-01", scale="local"),
    Time(np.ma.masked_array([1.0], mask=[True]), format="mjd", scale="tai")[0],
    TimeDelta(1, format="sec"),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
]


@pytest.mark.parametrize("time", [pytest.param(time, id=f"{index}") for index, time in enumerate(NO_TIMES)])
def test_no_times_of_other_kinds(time: Any) -> None:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadArgument, match="bad time"):
            to_tai_ns(time)


def test_astropy_is_there() -> None:
    # The conversion looks for this name among the modules that are loaded.
    assert astropy.time.Time is Time
