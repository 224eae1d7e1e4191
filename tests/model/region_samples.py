"""Random regions of all kinds, and points of their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from lsst.sphgeom import (
    Angle,
    Box,
    Circle,
    ConvexPolygon,
    Ellipse,
    IntersectionRegion,
    LonLat,
    Region,
    UnionRegion,
    UnitVector3d,
    Vector3d,
)
from numpy.typing import NDArray

Points = NDArray[np.float64]
PLACES = ([0, 0, 1], [0, 0, -1], [1, 0, 0], [-1, 0, 0], [0.6, 0.48, 0.64], [0.1, -0.1, -0.9])
"""Both poles, right ascensions 0 and 180, and two places without any property."""
SIMPLE = "cbpe"


def unit(vectors: Points) -> Points:
    """Give vectors, (..., 3), the length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def any_region(rng: np.random.Generator, place: Points, size: float, kinds: str) -> Region:
    """Draw a region near a place: c, b, p, e, u and i stand for the kinds; size in radians."""
    kind = rng.choice(list(kinds))
    if kind in "ui":
        parts = [any_region(rng, place, size, SIMPLE) for _ in range(2)]
        return UnionRegion(*parts) if kind == "u" else IntersectionRegion(*parts)
    middle = unit(place + size * rng.uniform() * unit(rng.normal(size=3)))
    centre, extent = UnitVector3d(*map(float, middle)), size * rng.uniform(0.1, 1)
    if kind == "c":
        return Circle(centre, Angle(extent))
    if kind == "b":
        wide = extent / max(float(np.hypot(*middle[:2])), 1e-3) * rng.uniform(0.05, 1)
        half = (Angle(min(wide, 3.14159)), Angle(extent * rng.uniform(0.05, 1)))
        return Box(LonLat(centre), *half)
    if kind == "e":
        axes = (Angle(min(extent, 1.5)), Angle(min(extent * rng.uniform(0.01, 1), 1.5)))
        ellipse = Ellipse(centre, *axes, Angle(rng.uniform(0, 7)))
        return ellipse if rng.uniform() < 0.85 else ellipse.complemented()
    corners = middle + min(size, 0.9) * rng.normal(size=(int(rng.integers(3, 7)), 3))
    corners -= 0.9 * (corners @ middle - 1)[:, None] * middle
    return ConvexPolygon([UnitVector3d(*map(float, corner)) for corner in unit(corners)])


def holds(region: Region, points: Points) -> NDArray[np.bool_]:
    """Tell of points, (n, 3), whether they are inside."""
    if isinstance(region, UnionRegion):
        return np.asarray(np.any([holds(part, points) for part in region], axis=0))
    if isinstance(region, IntersectionRegion):
        return np.asarray(np.all([holds(part, points) for part in region], axis=0))
    return np.asarray(region.contains(*np.ascontiguousarray(points.T)), np.bool_)


def edge(region: Region, number: int) -> Points:
    """Give points of the edge of a simple region, about (number, 3)."""
    if isinstance(region, Circle):
        return _conic(_array(region.getCenter()), region.getOpeningAngle().asRadians(), number)
    if isinstance(region, ConvexPolygon):
        corners = np.array([_array(corner) for corner in region.getVertices()])
        return np.concatenate(
            [
                _arc(*pair, number // len(corners))
                for pair in zip(corners, np.roll(corners, 1, 0), strict=True)
            ]
        )
    if isinstance(region, Box):
        return _box_edge(region, number // 4)
    assert isinstance(region, Ellipse)
    axes = np.array([_array(region.getTransformMatrix().getRow(row)) for row in range(3)])
    angle = np.linspace(0, 2 * np.pi, number)
    x, y = (np.tan(half.asRadians()) for half in (region.getAlpha(), region.getBeta()))
    sign = np.sign(np.cos(region.getAlpha().asRadians()))
    return unit(sign * np.stack((x * np.cos(angle), y * np.sin(angle), np.ones(number)), axis=1) @ axes)


def _conic(centre: Points, radius: float, number: int) -> Points:
    aside = unit(np.cross(centre, np.eye(3)[np.argmin(np.abs(centre))]))
    angle = np.linspace(0, 2 * np.pi, number)[:, None]
    around = np.cos(angle) * aside + np.sin(angle) * np.cross(centre, aside)
    return np.asarray(np.cos(radius) * centre + np.sin(radius) * around)


def _arc(start: Points, end: Points, number: int) -> Points:
    return unit(start + np.linspace(0, 1, number)[:, None] * (end - start))


def _box_edge(box: Box, number: int) -> Points:
    west, width = box.getLon().getA().asRadians(), box.getLon().getSize().asRadians()
    south, north = box.getLat().getA().asRadians(), box.getLat().getB().asRadians()
    ra, dec = west + np.linspace(0, width, number), np.linspace(south, north, number)
    sides: Sequence[tuple[Points, Points]] = [
        (ra, np.full(number, south)),
        (ra, np.full(number, north)),
        (np.full(number, west), dec),
        (np.full(number, west + width), dec),
    ]
    return np.concatenate([position(ra, dec) for ra, dec in sides])


def position(ra: Points, dec: Points) -> Points:
    """Give unit vectors, (n, 3), of angles in radians."""
    return np.stack((np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)), axis=1)


def _array(vector: UnitVector3d | Vector3d) -> Points:
    return np.array([vector.x(), vector.y(), vector.z()])
