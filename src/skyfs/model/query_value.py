"""Python objects as values of query expressions."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any
from uuid import UUID

from ..errors import BadArgument
from .query import Plain, Shape, Time
from .quoting import shown
from .timespan import Timespan, to_tai_ns

_INT64 = 2**63
# Of datetime64, in seconds: beyond it, nanoseconds of 64 bits wrap around silently.
_MOST_SECONDS = 9_223_372_036
_NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")
_KINDS = "a number, text, bool, time, UUID, Timespan, position or region"


def plain(value: object) -> Plain:
    """Give one value as expressions hold it.

    Raises
    ------
    BadArgument
        When it is not one value, or of a kind that nothing can be compared with.
    """
    # First what long lists are made of.
    if isinstance(value, str):
        return _text(str(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(int(value))
    if isinstance(value, float):
        return _finite(float(value))
    if isinstance(value, bool | UUID | Timespan | Time | Shape):
        return value
    if isinstance(value, datetime):
        return _moment(value)
    return _foreign(value)


def several(value: object) -> Iterable[object] | None:
    """Give the items of what stands for several values, a range as it is; None for what is one value.

    Raises
    ------
    BadArgument
        When it has more than one dimension.
    """
    if isinstance(value, str | bytes | bytearray | memoryview):
        return None
    if isinstance(value, Sequence | AbstractSet):
        return value
    if _is(value, "astropy.time", "Time"):
        times: Any = value
        return None if times.isscalar else _flat(times, list(times))
    array: Any = value
    if not (hasattr(array, "tolist") and hasattr(array, "dtype")) or not getattr(array, "ndim", 0):
        return None
    # `tolist` of datetime64 gives integers or datetimes, as its unit is.
    return _flat(array, list(array) if getattr(array.dtype, "kind", "") == "M" else array.tolist())


def _flat(array: Any, items: list[Any]) -> list[Any]:  # noqa: ANN401 - of numpy, astropy, pandas
    if array.ndim > 1:
        raise BadArgument(f"an array of {array.ndim} dimensions", "", "give a list or an array of one")
    return items


def _integer(value: int) -> int:
    if not -_INT64 <= value < _INT64:
        raise BadArgument("an integer that needs more than 64 bits", "", "the largest is 9223372036854775807")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise BadArgument(
            f"the value {value}", "no comparison with it holds", "use IS NULL for what is missing"
        )
    return value


def _text(value: str) -> str:
    if bare := _NO_TEXT.search(value):
        raise BadArgument(f"the value {shown(value)}", f"{bare.group()!r} is no character of a text")
    return value


def _moment(value: object) -> Time:
    try:
        tai_ns = to_tai_ns(value)
    except (ValueError, OverflowError) as error:  # BadArgument too, and the errors of NaT
        raise BadArgument(f"the time {shown(value)}", str(error)) from None
    if tai_ns is None or not -_INT64 < tai_ns < _INT64 - 1:
        raise BadArgument(f"the time {shown(value)}", "outside of the years 1677 to 2262")
    return Time(tai_ns)


def _foreign(value: Any) -> Plain:  # noqa: ANN401 - of numpy, astropy, sphgeom, which have few types
    """Take the values of packages that are loaded only when somebody has such a value."""
    if _is(value, "numpy", "datetime64"):
        return _datetime64(value)
    if _is(value, "numpy", "generic") or (_is(value, "numpy", "ndarray") and value.ndim == 0):
        return _numpy(value)
    if _is(value, "astropy.time", "Time"):
        return _moment(value)
    if _is(value, "astropy.coordinates", "SkyCoord"):
        return _position(value)
    if _is(value, "lsst.sphgeom", "LonLat"):
        from . import region

        return Shape(region.point(value.getLon().asDegrees(), value.getLat().asDegrees()))
    if _is(value, "lsst.sphgeom", "Region"):
        from . import region

        return Shape(region.encode(value))
    raise _refused(value)


def _refused(value: object) -> BadArgument:
    if value is None:
        return BadArgument("None is compared with nothing", "", "write IS NULL or IS NOT NULL")
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
        return BadArgument(f"{shown(value)} is not one value", "", "several stand in IN: visit IN (:visits)")
    return BadArgument(f"a value of type {type(value).__name__}", "", f"bind {_KINDS}")


def _is(value: object, module: str, kind: str) -> bool:
    # Who has the value has loaded the module; loading it only to ask would take some 100 ms.
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, kind, ()))


def _numpy(value: Any) -> Plain:  # noqa: ANN401 - a scalar of numpy
    if getattr(value.dtype, "kind", "") == "M":
        return _datetime64(value[()])
    item = value.item()
    # Kinds without a Python type (longdouble) give themselves; durations would become integers.
    if _is(item, "numpy", "generic") or value.dtype.kind == "m":
        raise _refused(value)
    return plain(item)


def _datetime64(value: Any) -> Time:  # noqa: ANN401 - a scalar of numpy
    seconds = value.astype("datetime64[s]").astype(int)
    # NaT is the smallest integer.
    if abs(int(seconds)) >= _MOST_SECONDS:
        raise BadArgument(f"the time {value}", "no time, or outside of the years 1677 to 2262")
    return _moment(int(value.astype("datetime64[ns]").astype(int)))


def _position(coordinates: Any) -> Shape:  # noqa: ANN401 - astropy has no types
    from . import region

    if not coordinates.isscalar:
        raise BadArgument("a SkyCoord of several positions", "", "give one position")
    icrs = coordinates.icrs
    return Shape(region.point(float(icrs.ra.deg), float(icrs.dec.deg)))
