"""The borders of regions, as corners on the sphere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from lsst import sphgeom
from numpy.typing import NDArray

from ..model.pixels import pixel_region, pixels
from ..model.region import decode

Floats = NDArray[np.float64]

_CIRCLE_CORNERS = 72
_STEP_DEG = 3.0
"""Parallels are followed in steps of this, or of a sixteenth of the box."""
_FINER = 2
"""A region that has no border of its own is shown by triangles, some hundred across all of it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The border of a region, or of a part of it.

    Attributes
    ----------
    region
        Whose border it is; it tells on which side of the border the poles are.
    corners
        Unit vectors, (n, 3): one for a point; none when the region is the whole sky.
    is_outside
        Whether the region is more than half of the sky: what is outside of a small border.
    """

    region: bytes
    corners: Floats
    is_outside: bool = False

    @property
    def is_whole_sky(self) -> bool:
        """Whether there is no border."""
        return not len(self.corners)


def outlines(encoded: bytes) -> list[Outline]:
    """Give the borders of the parts of a region; of an empty one none.

    Raises
    ------
    BadArgument
        When the bytes are no region.
    """
    return list(_outlines(decode(encoded), encoded))


def _outlines(region: sphgeom.Region, encoded: bytes) -> Iterator[Outline]:
    if isinstance(region, sphgeom.ConvexPolygon):
        yield Outline(encoded, _vectors(region.getVertices()))
    elif isinstance(region, sphgeom.UnionRegion):
        for part in region:
            yield from _outlines(part, bytes(part.encode()))
    elif isinstance(region, sphgeom.Circle | sphgeom.Box | sphgeom.Ellipse):
        yield from _of_curved(region, encoded)
    else:
        yield from _of_triangles(region, encoded)


def _of_curved(region: sphgeom.Circle | sphgeom.Box | sphgeom.Ellipse, encoded: bytes) -> Iterator[Outline]:
    if region.isEmpty():
        return
    if region.isFull():
        yield Outline(encoded, np.empty((0, 3)))
    elif isinstance(region, sphgeom.Circle):
        yield Outline(encoded, _circle(region), region.getOpeningAngle().asDegrees() > 90)
    elif isinstance(region, sphgeom.Box):
        yield Outline(encoded, _box(region))
    elif max(region.getAlpha().asDegrees(), region.getBeta().asDegrees()) < 89:
        yield Outline(encoded, _ellipse(region))
    else:
        yield from _of_triangles(region, encoded)


def _of_triangles(region: sphgeom.Region, encoded: bytes) -> Iterator[Outline]:
    """Show a region by the HTM triangles that it touches: an intersection has no border of its own."""
    radius = max(region.getBoundingCircle().getOpeningAngle().asDegrees(), 1e-5)
    level = max(0, min(20, math.ceil(math.log2(90 / radius)) + _FINER))
    name = f"htm{level}"
    for pixel in pixels(name, encoded):
        triangle = pixel_region(name, pixel)
        yield from _outlines(decode(triangle), triangle)


def _circle(circle: sphgeom.Circle) -> Floats:
    centre, radius = _vectors([circle.getCenter()])[0], circle.getOpeningAngle().asRadians()
    if radius == 0:
        return np.array([centre])
    east = np.cross([0.0, 0.0, 1.0] if abs(centre[2]) < 0.9 else [1.0, 0.0, 0.0], centre)
    east /= np.linalg.norm(east)
    turn = np.linspace(0, 2 * math.pi, _CIRCLE_CORNERS, endpoint=False)[:, None]
    border: Floats = np.cos(turn) * east + np.sin(turn) * np.cross(centre, east)
    return np.asarray(math.cos(radius) * centre + math.sin(radius) * border)


def _box(box: sphgeom.Box) -> Floats:
    west, width = box.getLon().getA().asDegrees(), box.getLon().getSize().asDegrees()
    width = 360.0 if box.getLon().isFull() else width
    south, north = box.getLat().getA().asDegrees(), box.getLat().getB().asDegrees()
    if not (width or north > south):
        return to_vectors(np.array([west]), np.array([south]))
    parallel = west + np.linspace(0, width, 1 + max(16, math.ceil(width / _STEP_DEG)))
    ra = np.concatenate([parallel, parallel[::-1]])
    return to_vectors(ra, np.repeat([south, north], len(parallel)))


def _ellipse(ellipse: sphgeom.Ellipse) -> Floats:
    matrix = ellipse.getTransformMatrix()
    axes = _vectors([matrix.getRow(row) for row in range(3)])
    turn = np.linspace(0, 2 * math.pi, _CIRCLE_CORNERS, endpoint=False)
    x = math.tan(ellipse.getAlpha().asRadians()) * np.cos(turn)
    y = math.tan(ellipse.getBeta().asRadians()) * np.sin(turn)
    corners: Floats = np.stack([x, y, np.ones_like(x)], axis=1) @ axes
    return np.asarray(corners / np.linalg.norm(corners, axis=1, keepdims=True))


def _vectors(points: list[sphgeom.Vector3d] | list[sphgeom.UnitVector3d]) -> Floats:
    return np.array([(point.x(), point.y(), point.z()) for point in points], np.float64)


def to_vectors(ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Give positions as unit vectors, (..., 3)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def to_degrees(vectors: Floats) -> tuple[Floats, Floats]:
    """Give right ascension, -180 to 180, and declination of vectors (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def has_north_pole(encoded: bytes) -> bool:
    """Tell whether a region holds the north pole."""
    return bool(decode(encoded).contains(sphgeom.UnitVector3d(0, 0, 1)))
