"""Pixels of the sphere that are dimension values: `htmN` and `healpixN`, as `lsst.sphgeom` numbers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from ..errors import BadArgument
from .quoting import shown
from .region import decode
from .region_overlap import overlaps

if TYPE_CHECKING:
    from lsst.sphgeom import Circle, HealpixPixelization, HtmPixelization, Region

_NAME = re.compile(r"(htm|healpix)(\d{1,2})", re.ASCII)
_FINEST = {"htm": 24, "healpix": 17}
_ROOTS = {"htm": range(8, 16), "healpix": range(12)}
_MARGIN = 1e-9
"""Radians: pixels hold their four parts but for rounding."""


def pixels(name: str, encoded: bytes, *, limit: int = 1_000_000) -> list[int]:
    """Give the pixels that have a point in common with a region, ascending.

    Parameters
    ----------
    name
        `htmN` with N up to 24, or `healpixN` (nside 2^N, nested) with N up to 17.
    encoded
        The region.
    limit
        The most pixels that are wanted.

    Raises
    ------
    BadArgument
        For another name, when the bytes are no region, or when there are more pixels than the limit.
    """
    kind, finest = _parse(name)
    too_many = BadArgument(f"pixels of {name}", f"the region has more than {limit}", "take coarser pixels")
    found: list[int] = []
    doubtful = list(_ROOTS[kind])
    for level in range(finest + 1):
        inside, doubtful = _sift(kind, level, doubtful, encoded)
        # A pixel holds four of the next level; those of a coarser level are all of its parts.
        shift = 2 * (finest - level)
        # Beside each pixel of a region stand some that are only near.
        if len(found) + (len(inside) << shift) > limit or len(doubtful) > 8 * limit + 64:
            raise too_many
        found += [part for pixel in inside for part in range(pixel << shift, (pixel + 1) << shift)]
        if level < finest:
            doubtful = [part for pixel in doubtful for part in range(4 * pixel, 4 * pixel + 4)]
    found += _touching(name, doubtful, encoded)
    if len(found) > limit:
        raise too_many
    return sorted(found)


def _sift(kind: str, level: int, candidates: list[int], encoded: bytes) -> tuple[list[int], list[int]]:
    """Part pixels into those inside the region, and those that may touch it; drop the rest."""
    from lsst.sphgeom import CONTAINS

    region = decode(encoded)
    near = partial(_may_touch, region, encoded)
    inside, doubtful = [], []
    for pixel, circle in zip(candidates, _circles(kind, level, candidates), strict=True):
        if region.relate(circle) & CONTAINS:
            inside.append(pixel)
        elif near(circle):
            doubtful.append(pixel)
    return inside, doubtful


def _may_touch(region: Region, encoded: bytes, circle: Circle) -> bool:
    from lsst.sphgeom import DISJOINT, Ellipse, IntersectionRegion

    if region.relate(circle) & DISJOINT:
        return False
    # Of these `lsst.sphgeom` knows the bounding circle only: of a long one, many pixels too many.
    return not isinstance(region, Ellipse | IntersectionRegion) or overlaps(circle.encode(), encoded)


def _circles(kind: str, level: int, numbers: list[int]) -> Iterator[Circle]:
    """Give a circle about each pixel, so wide that all its parts at all levels are inside."""
    from lsst.sphgeom import Angle, Circle, HtmPixelization, UnitVector3d

    if kind == "htm":
        for number in numbers:
            yield HtmPixelization.triangle(number).getBoundingCircle().dilatedBy(Angle(_MARGIN))
        return
    import hpgeom  # type: ignore[import-untyped]

    radius = Angle(hpgeom.max_pixel_radius(2**level, degrees=False) * 1.1)
    for x, y, z in zip(*hpgeom.pixel_to_vector(2**level, numbers), strict=True):
        yield Circle(UnitVector3d(x, y, z), radius)


def _touching(name: str, candidates: list[int], encoded: bytes) -> Iterator[int]:
    return (pixel for pixel in candidates if overlaps(pixel_region(name, pixel), encoded))


def pixel_region(name: str, pixel: int) -> bytes:
    """Give the region of a pixel; the curved edges of HEALPix are four great circles each.

    Raises
    ------
    BadArgument
        For another name, or a number that is no pixel of it.
    """
    pixelization = _pixelization(name)
    ((first, end),) = pixelization.universe()
    if type(pixel) is not int or not first <= pixel < end:
        raise BadArgument(f"pixel {shown(pixel)} of {name}", "there is none", f"{first} to {end - 1}")
    return bytes(pixelization.pixel(pixel).encode())


@lru_cache(maxsize=64)
def _pixelization(name: str) -> HtmPixelization | HealpixPixelization:
    from lsst.sphgeom import HealpixPixelization, HtmPixelization

    kind, level = _parse(name)
    return HtmPixelization(level) if kind == "htm" else HealpixPixelization(level)


def _parse(name: str) -> tuple[str, int]:
    match = _NAME.fullmatch(name)
    if not match or int(match[2]) > _FINEST[match[1]]:
        raise BadArgument(f"pixels {shown(name)}", "not known", "htm0 to htm24, healpix0 to healpix17")
    return match[1], int(match[2])
