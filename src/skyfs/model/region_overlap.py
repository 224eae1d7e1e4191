"""Whether two regions of the sphere share a point: exact for every pair of kinds."""

from __future__ import annotations

from lsst.sphgeom import CONTAINS, DISJOINT, WITHIN, Circle, ConvexPolygon, Region

from .region import decode
from .region_meeting import meet
from .region_pieces import pieces


def overlaps(a: bytes, b: bytes) -> bool:
    """Tell whether two encoded regions have a point in common; regions are closed, so touching is enough.

    `lsst.sphgeom` decides polygons with polygons and circles (microseconds); where it only bounds the
    answer, or rounds by milliarcseconds, the edges are intersected here (some 0.1 ms).

    Raises
    ------
    BadArgument
        When one is no region.
    Unsupported
        When one is of a kind that `lsst.sphgeom` did not have when this was written.
    """
    one, two = decode(a), decode(b)
    if _without_boxes(one, two):
        relation = one.relate(two)
        if relation & DISJOINT:
            return False
        if relation & (CONTAINS | WITHIN) or _exact(one, two):
            return True
    return any(meet(first, second) for first in pieces(a) for second in pieces(b))


def _without_boxes(one: Region, two: Region) -> bool:
    """Tell whether what `lsst.sphgeom` says of two regions is true, even if it may say too little.

    Its boxes do not know that all longitudes meet at a pole.
    """
    return isinstance(one, Circle | ConvexPolygon) and isinstance(two, Circle | ConvexPolygon)


def _exact(one: Region, two: Region) -> bool:
    """Tell whether `lsst.sphgeom` relates two regions exactly.

    Its circles touch what is 12 milliarcseconds
    away when they are points; from a radius of two arcseconds on it is less than 0.03.
    """
    if isinstance(two, Circle):
        one, two = two, one
    if isinstance(one, Circle):
        return isinstance(two, ConvexPolygon) and one.getSquaredChordLength() > 1e-10
    return isinstance(one, ConvexPolygon) and isinstance(two, ConvexPolygon)
