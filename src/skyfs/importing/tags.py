"""Values that exports write with a tag of their own."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from ..errors import BadArgument
from ..model.quoting import shown
from ..model.timespan import Timespan, parse_time, to_tai_ns

_REGIONS = ("Box", "Circle", "ConvexPolygon", "Ellipse", "IntersectionRegion", "UnionRegion")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of an export, in TAI nanoseconds; no number, so that no integer column takes it."""

    tai_ns: int


def span(begin: object, end: object) -> Timespan:
    """Give the timespan between two times of an export; None is no bound.

    Times without a tag are UTC. A moment lasts a nanosecond: so the butler takes observations of no length.

    Raises
    ------
    BadArgument
        When one is no time, or the end comes before the begin.
    """
    first, last = _bound(begin), _bound(end)
    return Timespan(first, last + 1 if last is not None and first == last else last)


def _bound(time: object) -> int | None:
    if time is None:
        return None
    if isinstance(time, Moment):
        return time.tai_ns
    if isinstance(time, datetime):
        return to_tai_ns(time if time.tzinfo else time.replace(tzinfo=UTC))
    raise BadArgument(f"bad time {shown(time)}", type(time).__name__, "!butler_time/tai/iso, or none")


def _moment(text: str) -> Moment:
    return Moment(parse_time(text))


def _timespan(given: Mapping[str, object]) -> Timespan:
    if set(given) != {"begin", "end"}:
        raise BadArgument(f"a timespan of {', '.join(given) or 'nothing'}", todo="give begin and end")
    return span(given["begin"], given["end"])


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise BadArgument("bad base64", str(error)) from None


def _region(name: str, given: Mapping[str, object]) -> bytes:
    """Give the bytes of a region that sphgeom can read."""
    from lsst import sphgeom

    encoded = given.get("encoded")
    if not isinstance(encoded, str):
        raise BadArgument("a region", "no encoded bytes", "encoded: HEX")
    data = bytes.fromhex(encoded)
    try:
        found = type(sphgeom.Region.decode(data)).__name__
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadArgument("a region", str(error)) from None
    if found != name:
        raise BadArgument("a region", f"the bytes are a {found}")
    return data


SCALAR_TAGS: Mapping[str, Callable[[str], object]] = {
    "!uuid": UUID,
    "!butler_time/tai/iso": _moment,
    "tag:yaml.org,2002:binary": _binary,
}

MAPPING_TAGS: Mapping[str, Callable[[Mapping[str, object]], object]] = {
    "!lsst.daf.butler.Timespan": _timespan,
    **{f"lsst.sphgeom.{name}": partial(_region, name) for name in _REGIONS},
}
