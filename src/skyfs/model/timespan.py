"""Half-open intervals of time in integer TAI nanoseconds since 1970-01-01T00:00:00 TAI."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import BadArgument, BadPath
from .quoting import shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_DAY = 86_400 * 10**9
_JD_EPOCH = 2440587.5
_INT64 = 2**63
_COMPACT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d):?(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)


def to_tai_ns(time: object) -> int | None:
    """Turn a time into TAI nanoseconds; None stays None (no bound).

    Parameters
    ----------
    time
        An integer (already nanoseconds), a text in ISO 8601 (TAI), a `datetime` (naive: TAI; aware: UTC,
        converted with leap seconds), or an `astropy.time.Time` of any scale.

    Raises
    ------
    BadArgument
        For anything else.
    """
    if time is None:
        return None
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, datetime):
        return _from_datetime(time)
    # Who has a Time has loaded astropy; loading it only to ask would take 250 ms.
    astropy_time = sys.modules.get("astropy.time")
    if astropy_time is not None and isinstance(time, astropy_time.Time):
        return _from_astropy(time)
    if not isinstance(time, bool) and hasattr(time, "__index__"):
        try:
            return int(time.__index__())
        except TypeError:  # an array
            pass
    todo = "an astropy Time, datetime, ISO text or TAI ns"
    raise BadArgument(f"bad time {shown(time)}", type(time).__name__, todo)


def _from_astropy(time: Any) -> int:  # noqa: ANN401 - astropy has no types
    if not time.isscalar or time.masked:
        raise BadArgument(
            f"bad time {shown(time)}", "not one moment", "give a scalar Time that is not masked"
        )
    if time.scale == "local":
        raise BadArgument(f"bad time {shown(time)}", "the scale 'local'", "give a scale that is tied to TAI")
    tai = time.tai
    # Days first: a double of all nanoseconds would be good to some hundred of them.
    day = round(float(tai.jd1) - _JD_EPOCH)
    rest = (float(tai.jd1) - _JD_EPOCH - day) + float(tai.jd2)
    return day * _NS_PER_DAY + round(rest * _NS_PER_DAY)


def _from_datetime(time: datetime) -> int:
    # A pandas Timestamp is a datetime with nanoseconds besides.
    nanosecond = int(getattr(time, "nanosecond", 0))
    if time.tzinfo is None:
        naive = datetime(*time.timetuple()[:6], time.microsecond, tzinfo=UTC)
        return (naive - _EPOCH) // timedelta(microseconds=1) * 1000 + nanosecond
    from astropy.time import Time

    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        raise BadArgument(f"bad time {time}", "outside of the years 1 to 9999 in UTC") from None
    plain = datetime(*utc.timetuple()[:6], utc.microsecond, tzinfo=UTC)
    return _from_astropy(Time(plain, scale="utc")) + nanosecond


def parse_time(text: str) -> int:
    """Read ``20131101T000000`` or ``2013-11-01T00:00:00.123456789`` as TAI nanoseconds."""
    match = _COMPACT.fullmatch(text)
    if not match:
        raise BadArgument(
            f"bad time {shown(text)}", "not of the form", "20131101T000000 or 2013-11-01T00:00:00, TAI"
        )
    try:
        moment = datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise BadArgument(f"bad time {shown(text)}", str(error)) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * 10**9 + int((match[7] or "0").ljust(9, "0"))


def format_time(tai_ns: int) -> str:
    """Write TAI nanoseconds as ``20131101T000000``, with a fraction only when there is one."""
    seconds, fraction = divmod(tai_ns, 10**9)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise BadArgument(f"bad time {shown(tai_ns)} ns", "outside of the years 1 to 9999") from None
    # %Y of years below 1000 is not padded everywhere.
    text = f"{moment.year:04d}{moment:%m%dT%H%M%S}"
    return text + (f".{fraction:09d}".rstrip("0") if fraction else "")


@dataclass(frozen=True, slots=True)
class Timespan:
    """The times from ``begin_ns`` up to, not including, ``end_ns``; None is no bound on that side.

    Bounds are 64-bit integers (the years 1677 to 2262).

    Raises
    ------
    BadArgument
        When it holds no time, or a bound does not fit.
    """

    begin_ns: int | None = None
    end_ns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what holds no time, and what a registry cannot hold."""
        for bound in (self.begin_ns, self.end_ns):
            # The outermost integers stand for "no bound" in a registry.
            if bound is not None and not -_INT64 < bound < _INT64 - 1:
                todo = "between 1677-09-21 and 2262-04-11; None, in text min or max, is no bound"
                raise BadArgument("bad timespan", f"the bound {shown(bound)} ns is out of range", todo)
        if self.begin_ns is not None and self.end_ns is not None and self.begin_ns >= self.end_ns:
            raise BadArgument(
                "bad timespan", f"begin {self.begin_ns} is not before end {self.end_ns}", "[begin, end)"
            )

    @classmethod
    def of(cls, begin: object, end: object) -> Timespan:
        """Give the timespan between two times of any kind `to_tai_ns` takes."""
        return cls(to_tai_ns(begin), to_tai_ns(end))

    @classmethod
    def parse(cls, text: str) -> Timespan:
        """Read the value of a ``valid=`` key: ``20131101T000000--max``."""
        begin, dashes, end = text.partition("--")
        if not dashes:
            raise BadPath(
                f"bad timespan {shown(text)}", "no '--'", "valid=20131101T000000--20140101T000000, min, max"
            )
        try:
            return cls(
                None if begin == "min" else parse_time(begin), None if end == "max" else parse_time(end)
            )
        except BadArgument as error:
            raise BadPath(f"bad timespan {shown(text)}", str(error)) from None

    def __str__(self) -> str:
        """Write as the value of a ``valid=`` key."""
        begin = "min" if self.begin_ns is None else format_time(self.begin_ns)
        return f"{begin}--{'max' if self.end_ns is None else format_time(self.end_ns)}"

    def overlaps(self, other: Timespan) -> bool:
        """Tell whether both hold some moment in common."""
        return not (
            (self.end_ns is not None and other.begin_ns is not None and self.end_ns <= other.begin_ns)
            or (other.end_ns is not None and self.begin_ns is not None and other.end_ns <= self.begin_ns)
        )

    def contains(self, tai_ns: int) -> bool:
        """Tell whether a moment is inside."""
        return (self.begin_ns is None or self.begin_ns <= tai_ns) and (
            self.end_ns is None or tai_ns < self.end_ns
        )


ALWAYS = Timespan()
