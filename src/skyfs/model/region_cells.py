"""Cells of the sphere that find candidates for an overlap by equality alone.

Cells are trixels of the Hierarchical Triangular Mesh: eight at level 0, each divided into four at the next.
At level L their numbers are 8 x 4^L up to twice that, so no two levels share one, and the cell above a
cell is its number without the last two bits.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from .region import decode

if TYPE_CHECKING:
    from lsst.sphgeom import ConvexPolygon, HtmPixelization, RangeSet, Region

LEVELS = (2, 6, 8)
"""Cells of some 20, 1.4 and 0.35 degrees: of a survey, of a field of view, of a detector or patch."""
_MOST_CELLS = {8: 8, 6: 32}
_WIDEST_RADIUS_DEG = {8: 1.5, 6: 12.0}
"""Rounder regions need more cells than that for certain; longer ones may not, but are rare."""
_MARGIN = 1e-9
"""Radians (0.2 milliarcseconds): regions that touch at the edge of a cell share one in spite of rounding."""


def covering(encoded: bytes) -> list[tuple[int, int]]:
    """Give the cells of a region as (cell, own), for an index.

    The own cells (1) cover the region, all at one level: the finest at which few are enough. The others (0)
    are those above them at the coarser levels. Two regions that overlap have a cell in common that is an
    own cell of at least one.

    Raises
    ------
    BadArgument
        When the bytes are no region.
    """
    region = decode(encoded)
    level, own = _own_cells(region)
    above = {cell >> 2 * (level - coarse) for coarse in LEVELS if coarse < level for cell in own}
    return [(cell, 1) for cell in own] + [(cell, 0) for cell in sorted(above)]


def _own_cells(region: Region) -> tuple[int, list[int]]:
    wide = widened(region)
    radius_deg = math.degrees(wide.getBoundingCircle().getOpeningAngle().asRadians())
    for level, most in _MOST_CELLS.items():
        if radius_deg <= _WIDEST_RADIUS_DEG[level]:
            cells = _mesh(level).envelope(wide)
            if cells.cardinality() <= most:
                return level, _members(cells)
    return LEVELS[0], _members(_mesh(LEVELS[0]).envelope(wide))


@lru_cache(maxsize=len(LEVELS))
def _mesh(level: int) -> HtmPixelization:
    from lsst.sphgeom import HtmPixelization

    return HtmPixelization(level)


def _members(cells: RangeSet) -> list[int]:
    return [cell for begin, end in cells for cell in range(begin, end)]


def widened(region: Region) -> Region:
    """Give a region that holds all that is up to the margin away."""
    from lsst.sphgeom import Angle, Box, Circle, ConvexPolygon, IntersectionRegion, UnionRegion

    if isinstance(region, Box | Circle):
        return region.dilatedBy(Angle(_MARGIN))
    if isinstance(region, ConvexPolygon):
        return _widened_polygon(region)
    if isinstance(region, UnionRegion):
        return UnionRegion(*map(widened, region))
    if isinstance(region, IntersectionRegion):
        return IntersectionRegion(*map(widened, region))
    return region.getBoundingCircle().dilatedBy(Angle(_MARGIN))


def _widened_polygon(polygon: ConvexPolygon) -> Region:
    """Give the hull of the corners of a small tetrahedron about each corner."""
    from lsst.sphgeom import Angle, ConvexPolygon, UnitVector3d

    size = 3 * _MARGIN
    corners = [
        UnitVector3d(corner.x() + x * size, corner.y() + y * size, corner.z() + z * size)
        for corner in polygon.getVertices()
        for x, y, z in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    ]
    try:
        return ConvexPolygon(corners)
    except ValueError:
        # Widened, it is more than a hemisphere.
        return polygon.getBoundingCircle().dilatedBy(Angle(_MARGIN))
