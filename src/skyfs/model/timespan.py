"""Half-open intervals of time in integer TAI nanoseconds since 1970-01-01T00:00:00 TAI."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

from ..errors import BadArgument, BadPath

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_DAY = 86_400 * 10**9
_JD_EPOCH = 2440587.5
_COMPACT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d):?(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)


@runtime_checkable
class _AstropyTime(Protocol):
    """The part of `astropy.time.Time` that is used; its import takes 250 ms."""

    @property
    def tai(self) -> _AstropyTime: ...
    @property
    def jd1(self) -> float: ...
    @property
    def jd2(self) -> float: ...


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
    if time is None or (isinstance(time, int) and not isinstance(time, bool)):
        return time
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, datetime):
        return _from_datetime(time)
    if isinstance(time, _AstropyTime):
        tai = time.tai
        day = round(float(tai.jd1) - _JD_EPOCH)
        rest = (float(tai.jd1) - _JD_EPOCH - day) + float(tai.jd2)
        return day * _NS_PER_DAY + round(rest * _NS_PER_DAY)
    raise BadArgument(f"bad time {time!r}", type(time).__name__, "an astropy Time, datetime, ISO text or TAI ns")


def _from_datetime(time: datetime) -> int:
    if time.tzinfo is None:
        return (time.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
    from astropy.time import Time

    utc = to_tai_ns(Time(time.astimezone(UTC).replace(tzinfo=None), scale="utc"))
    return utc if utc is not None else 0


def parse_time(text: str) -> int:
    """Read ``20131101T000000`` or ``2013-11-01T00:00:00.123456789`` as TAI nanoseconds."""
    match = _COMPACT.fullmatch(text)
    if not match:
        raise BadArgument(f"bad time {text!r}", "not of the form", "20131101T000000 or 2013-11-01T00:00:00, TAI")
    try:
        moment = datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise BadArgument(f"bad time {text!r}", str(error)) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * 10**9 + int((match[7] or "0").ljust(9, "0"))


def format_time(tai_ns: int) -> str:
    """Write TAI nanoseconds as ``20131101T000000``, with a fraction only when there is one."""
    seconds, fraction = divmod(tai_ns, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%S").rjust(15, "0")
    return text + (f".{fraction:09d}".rstrip("0") if fraction else "")


@dataclass(frozen=True, slots=True)
class Timespan:
    """The times from ``begin_ns`` up to, not including, ``end_ns``; None is no bound on that side."""

    begin_ns: int | None = None
    end_ns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what holds no time."""
        if self.begin_ns is not None and self.end_ns is not None and self.begin_ns >= self.end_ns:
            raise BadArgument("bad timespan", f"begin {self.begin_ns} is not before end {self.end_ns}")

    @classmethod
    def of(cls, begin: object, end: object) -> Timespan:
        """Give the timespan between two times of any kind `to_tai_ns` takes."""
        return cls(to_tai_ns(begin), to_tai_ns(end))

    @classmethod
    def parse(cls, text: str) -> Timespan:
        """Read the value of a ``valid=`` key: ``20131101T000000--max``."""
        begin, dashes, end = text.partition("--")
        if not dashes:
            raise BadPath(f"bad timespan {text!r}", "no '--'", "valid=20131101T000000--20140101T000000, min, max")
        try:
            return cls(None if begin == "min" else parse_time(begin), None if end == "max" else parse_time(end))
        except BadArgument as error:
            raise BadPath(f"bad timespan {text!r}", str(error)) from None

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
        return self.overlaps(Timespan(tai_ns, tai_ns + 1))


ALWAYS = Timespan()
