"""Regions of the sphere, as the bytes that `lsst.sphgeom` encodes them to: ICRS, degrees, closed sets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import BadArgument
from .quoting import shown

if TYPE_CHECKING:
    from lsst.sphgeom import Region, UnitVector3d

_FLAT = 1e-14
"""Radians (2 nanoarcseconds): corners so near to an edge are on it, but for rounding."""
_ANTIPODAL = -1 + 1e-15
"""Cosine of half a turn, but for rounding."""


def point(ra_deg: float, dec_deg: float) -> bytes:
    """Give one position, as a circle of radius zero."""
    from lsst.sphgeom import Circle

    return bytes(Circle(_vector(ra_deg, dec_deg, "point")).encode())


def circle(ra_deg: float, dec_deg: float, radius_deg: float) -> bytes:
    """Give all positions up to a radius away; 180 degrees or more are the whole sphere."""
    from lsst.sphgeom import Angle, Circle

    centre = _vector(ra_deg, dec_deg, "circle")
    radius = _size(radius_deg, "circle", "radius")
    if radius >= 180:
        return bytes(Circle.full().encode())
    return bytes(Circle(centre, Angle.fromDegrees(radius)).encode())


def box(ra_deg: float, dec_deg: float, width_deg: float, height_deg: float) -> bytes:
    """Give the positions between two meridians and two parallels.

    The centre is given, and the full sizes in right ascension and declination: a width of 1 at declination
    60 is half a degree on the sky. Declinations are clipped at the poles; a width of 360 or more is all.
    """
    from lsst.sphgeom import Angle, Box, LonLat

    ra, dec = _position(ra_deg, dec_deg, "box")
    width, height = _size(width_deg, "box", "width"), _size(height_deg, "box", "height")
    # Larger half sizes change nothing, but overflow in sphgeom.
    half = (Angle.fromDegrees(min(width, 360.0) / 2), Angle.fromDegrees(min(height, 360.0) / 2))
    return bytes(Box(LonLat.fromDegrees(ra, dec), *half).encode())


def polygon(vertices: Iterable[tuple[float, float]]) -> bytes:
    """Give the convex polygon whose corners are (right ascension, declination), in either direction.

    Edges are great circles, the shorter way. Corners inside the hull of the others are refused.
    """
    from lsst.sphgeom import ConvexPolygon

    corners = [_vector(ra, dec, "polygon") for ra, dec in _pairs(vertices)]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if len(corners) < 3:
        raise BadArgument("a polygon", f"{len(corners)} corners", "give three or more")
    _require_convex(corners)
    try:
        return bytes(ConvexPolygon(corners).encode())
    except (ValueError, RuntimeError) as error:
        raise _no_hull(error) from None


def _pairs(vertices: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    try:
        return [(ra, dec) for ra, dec in vertices]
    except (TypeError, ValueError):
        raise BadArgument("a polygon", shown(vertices), "give pairs of (ra, dec)") from None


def _require_convex(corners: list[UnitVector3d]) -> None:
    """Refuse corners that are not, in their order, on the boundary of one convex polygon."""
    from lsst.sphgeom import UnitVector3d

    sides: set[bool] = set()
    for here, following in zip(corners, corners[1:] + corners[:1], strict=True):
        if here.dot(following) < _ANTIPODAL:
            raise BadArgument("a polygon", "two neighbouring corners are antipodes", "add one between them")
        if here == following:
            continue
        # All corners lie on one side of each edge, the same for all edges; some may be on it.
        normal = UnitVector3d(here.robustCross(following))
        heights = [normal.dot(other) for other in corners]
        sides |= {height > 0 for height in heights if abs(height) > _FLAT}
    if len(sides) > 1:
        raise BadArgument("a polygon", "it is not convex, or its edges cross", "split it into convex ones")


def _no_hull(error: Exception) -> BadArgument:
    todo = "give three or more different corners, inside one hemisphere and not on one great circle"
    return BadArgument("a polygon", str(error), todo)


def from_ivoa(text: str) -> bytes:
    """Read an IVOA POS: ``CIRCLE ra dec radius``, ``RANGE ra1 ra2 dec1 dec2``, ``POLYGON ra1 dec1 ...``.

    The RANGE goes eastwards from ra1 to ra2; ``-Inf`` and ``+Inf`` are no bound.
    """
    kind, numbers = _ivoa_words(text)
    if kind == "CIRCLE" and len(numbers) == 3:
        return circle(*numbers)
    if kind == "POLYGON" and len(numbers) % 2 == 0:
        return polygon(zip(numbers[::2], numbers[1::2], strict=True))
    if kind == "RANGE" and len(numbers) == 4:
        return _between(*numbers)
    raise BadArgument(
        f"region {shown(text)}", "not an IVOA POS value", "CIRCLE, RANGE or POLYGON and degrees"
    )


def _between(ra1: float, ra2: float, dec1: float, dec2: float) -> bytes:
    """Give what lies from one meridian eastwards to another; infinite numbers are no bound."""
    from lsst.sphgeom import Angle, AngleInterval, Box, NormalizedAngle, NormalizedAngleInterval

    if any(map(math.isnan, (ra1, ra2, dec1, dec2))) or dec1 > dec2 or dec1 > 90 or dec2 < -90:
        raise BadArgument(f"RANGE {ra1} {ra2} {dec1} {dec2}", "no range", "RANGE ra1 ra2 dec1 dec2")
    width = ra2 - ra1
    lon = NormalizedAngleInterval.full()
    if math.isfinite(width) and width < 360:
        west, east = (Angle.fromDegrees(math.fmod(ra, 360.0)) for ra in (ra1, ra2))
        lon = NormalizedAngleInterval(NormalizedAngle(west), NormalizedAngle(east))
    lat = AngleInterval.fromDegrees(max(dec1, -90.0), min(dec2, 90.0))
    return bytes(Box(lon, lat).encode())


def _ivoa_words(text: str) -> tuple[str, list[float]]:
    try:
        kind, *words = text.split()
        return kind, [float(word) for word in words]
    except (AttributeError, ValueError):
        raise BadArgument(
            f"region {shown(text)}", "not a kind and numbers", "CIRCLE, RANGE or POLYGON and degrees"
        ) from None


def encode(region: Region | bytes | bytearray | memoryview) -> bytes:
    """Give a region of `lsst.sphgeom`, or the bytes of one, as bytes.

    Raises
    ------
    BadArgument
        When it is neither.
    """
    if isinstance(region, bytes | bytearray | memoryview):
        decode(bytes(region))
        return bytes(region)
    from lsst.sphgeom import Region

    if isinstance(region, Region):
        return bytes(region.encode())
    raise BadArgument("a region", f"a {type(region).__name__}", "give a Region of lsst.sphgeom, or its bytes")


@lru_cache(maxsize=4096)
def decode(encoded: bytes) -> Region:
    """Give the region of `lsst.sphgeom` that bytes stand for.

    Raises
    ------
    BadArgument
        When they stand for none.
    """
    from lsst.sphgeom import Region

    try:
        return Region.decode(encoded)
    except (TypeError, ValueError, RuntimeError) as error:
        todo = "give what Region.encode() of lsst.sphgeom gives"
        raise BadArgument("a region", f"bytes that are none: {error}", todo) from None


def _position(ra_deg: float, dec_deg: float, kind: str) -> tuple[float, float]:
    ra, dec = _number(ra_deg, kind, "right ascension"), _number(dec_deg, kind, "declination")
    if not -90 <= dec <= 90:
        raise BadArgument(f"a {kind}", f"declination {dec_deg}", "between -90 and 90 degrees")
    return math.fmod(ra, 360.0), dec


def _vector(ra_deg: float, dec_deg: float, kind: str) -> UnitVector3d:
    from lsst.sphgeom import LonLat, UnitVector3d

    return UnitVector3d(LonLat.fromDegrees(*_position(ra_deg, dec_deg, kind)))


def _size(value: float, kind: str, name: str) -> float:
    size = _number(value, kind, name)
    if size < 0:
        raise BadArgument(f"a {kind}", f"{name} {value}", "zero or more degrees")
    return size


def _number(value: float, kind: str, name: str) -> float:
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise BadArgument(f"a {kind}", f"{name} {shown(value)}", "give a finite number of degrees")
    return number
