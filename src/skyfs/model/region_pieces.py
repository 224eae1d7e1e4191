"""A region as a union of pieces, each the intersection of spherical caps and ellipses.

A circle is one cap, a convex polygon a hemisphere for each edge, a box two caps about the poles and two
hemispheres: whether two regions of any kinds overlap is whether such an intersection holds a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from lsst import sphgeom
from numpy.typing import NDArray

from ..errors import Unsupported
from .region import decode

Floats = NDArray[np.float64]
_MANY_PIECES = 10_000
_THIN = 1e-12
"""An ellipse is at least so wide (radians): one of no width at all has no finite quadratic form."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps of the sphere: the points up to a distance from a centre, or those from that distance on.

    A chord says a small radius to its last digit, where a cosine says half of them.
    """

    centre: Floats
    """Unit vectors, (n, 3)."""
    chord2: Floats
    """Squared straight distances from centre to edge, (n,), 0 to 4; a hemisphere has 2."""
    side: Floats
    """1 for what is near the centre, -1 for what is far from it, (n,)."""

    def __add__(self, other: Caps) -> Caps:
        """Give the caps of both."""
        pairs = ((self.centre, other.centre), (self.chord2, other.chord2), (self.side, other.side))
        return Caps(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True)
class Oval:
    """A spherical ellipse in its own axes: ``(x slope_x)² + (y slope_y)² <= z²`` and z >= 0."""

    axes: Floats
    """Its first axis, second axis and centre as unit vectors, (3, 3)."""
    slopes: Floats
    """Cotangents of the semi-axes and 1, (3,)."""
    side: float
    """1 for the ellipse, -1 for the rest of the sphere."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The points that are in all of some caps and ovals."""

    caps: Caps
    ovals: tuple[Oval, ...] = ()

    def __and__(self, other: Piece) -> Piece:
        """Give the points of both."""
        return Piece(self.caps + other.caps, self.ovals + other.ovals)


@lru_cache(maxsize=2048)
def pieces(encoded: bytes) -> tuple[Piece, ...]:
    """Give the pieces whose union is the region."""
    return tuple(_pieces(decode(encoded)))


def _pieces(region: sphgeom.Region) -> Sequence[Piece]:
    if isinstance(region, sphgeom.Circle):
        return _of_circle(region)
    if isinstance(region, sphgeom.ConvexPolygon):
        return [_of_polygon(region)]
    if isinstance(region, sphgeom.Box):
        return _of_box(region)
    if isinstance(region, sphgeom.Ellipse):
        return _of_ellipse(region)
    if isinstance(region, sphgeom.UnionRegion):
        return [piece for part in region for piece in _pieces(part)]
    if isinstance(region, sphgeom.IntersectionRegion):
        return _of_intersection([_pieces(part) for part in region])
    raise Unsupported("overlaps of regions", f"a {type(region).__name__}", "give a region of lsst.sphgeom")


def _of_intersection(parts: list[Sequence[Piece]]) -> Sequence[Piece]:
    if math.prod(map(len, parts)) > _MANY_PIECES:
        raise Unsupported("overlaps of regions", "an intersection of very many unions", "simplify it")
    whole = Piece(_caps())
    found = []
    for combination in product(*parts):
        piece = whole
        for part in combination:
            piece &= part
        found.append(piece)
    return found


def _caps(*rows: tuple[Floats, float, float]) -> Caps:
    """Make caps of (centre, squared chord, side)."""
    centre = np.array([row[0] for row in rows], np.float64).reshape(-1, 3)
    return Caps(centre, np.array([row[1] for row in rows]), np.array([row[2] for row in rows]))


def _of_circle(circle: sphgeom.Circle) -> Sequence[Piece]:
    if circle.isEmpty():
        return []
    if circle.isFull():
        return [Piece(_caps())]
    return [Piece(_caps((_array(circle.getCenter()), circle.getSquaredChordLength(), 1.0)))]


def _of_polygon(polygon: sphgeom.ConvexPolygon) -> Piece:
    corners = np.array([_array(vertex) for vertex in polygon.getVertices()])
    following = np.roll(corners, -1, axis=0)
    # The plain product of nearly equal vectors has lost half of its digits.
    normals = np.cross(corners + following, following - corners)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Piece(Caps(normals, np.full(len(normals), 2.0), np.ones(len(normals))))


def _of_box(box: sphgeom.Box) -> Sequence[Piece]:
    if box.isEmpty():
        return []
    parallels = Piece(_parallels(box.getLat().getA().asRadians(), box.getLat().getB().asRadians()))
    west, width = box.getLon().getA().asRadians(), box.getLon().getSize().asRadians()
    if box.getLon().isFull():
        return [parallels]
    if width <= math.pi:
        return [parallels & Piece(_wedge(west, width))]
    # Two hemispheres meet in half of the longitudes at most.
    return [parallels & Piece(_wedge(west + part * width / 2, width / 2)) for part in (0, 1)]


def _parallels(south: float, north: float) -> Caps:
    """Give what lies between two declinations (radians) as caps about the nearer poles."""
    rows = []
    for edge, inward in ((south, 1.0), (north, -1.0)):
        pole = 1.0 if edge >= 0 else -1.0
        chord = 2 * math.sin((math.pi / 2 - abs(edge)) / 2)
        if edge * inward > -math.pi / 2:
            rows.append((np.array([0.0, 0.0, pole]), chord**2, pole * inward))
    return _caps(*rows)


def _wedge(west: float, width: float) -> Caps:
    """Give what lies between two meridians, up to half of the sphere, as hemispheres."""
    east, middle = west + width, west + width / 2
    normals = [(-math.sin(west), math.cos(west)), (math.sin(east), -math.cos(east))]
    # A wedge of no width is a great circle but for this: half of it is on the other side of the sky.
    normals.append((math.cos(middle), math.sin(middle)))
    return _caps(*((np.array([x, y, 0.0]), 2.0, 1.0) for x, y in normals))


def _of_ellipse(ellipse: sphgeom.Ellipse) -> Sequence[Piece]:
    if ellipse.isEmpty():
        return []
    if ellipse.isFull():
        return [Piece(_caps())]
    alpha, beta = ellipse.getAlpha().asRadians(), ellipse.getBeta().asRadians()
    matrix = ellipse.getTransformMatrix()
    axes = np.array([_array(matrix.getRow(row)) for row in range(3)])
    if ellipse.isCircle() or ellipse.isGreatCircle():
        return [Piece(_caps((axes[2], (2 * math.sin(alpha / 2)) ** 2, 1.0)))]
    # The rest of an ellipse is an ellipse about the antipode of its centre.
    side = 1.0 if alpha < math.pi / 2 else -1.0
    halves = [max(angle if side > 0 else math.pi - angle, _THIN) for angle in (alpha, beta)]
    slopes = np.array([1 / math.tan(halves[0]), 1 / math.tan(halves[1]), 1.0])
    return [Piece(_caps(), (Oval(side * axes, slopes, side),))]


def _array(vector: sphgeom.Vector3d | sphgeom.UnitVector3d) -> Floats:
    return np.array([vector.x(), vector.y(), vector.z()])
