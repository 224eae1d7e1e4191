"""Tracts about the pixels of HEALPix, nested."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from lsst.sphgeom import ConvexPolygon, HealpixPixelization, LonLat

from .definition import Summary, Tract, hash_of
from .grid import Floats, Grid, GridSettings

_SIDES = 24


@dataclass(frozen=True, slots=True)
class Healpix:
    """A tract for each HEALPix pixel, with the pixel's nested number.

    A tract is a grid in a tangent-plane projection about the pixel's middle, just large enough for the pixel
    and the overlap; so tracts overlap more at the corners, and a `rotation` of 45 makes them smaller.
    """

    name: str
    configuration: Mapping[str, object]
    settings: GridSettings
    order: int

    def tracts(self) -> Iterator[Tract]:
        """Give all tracts."""
        for number in range(12 * 4**self.order):
            yield self._grid(number).tract(number)

    def summary(self) -> Summary:
        """Give hash and sizes."""
        # Pixels repeat after a quarter of the sky, and north and south are mirror images.
        first_quarter = [face * 4**self.order + part for face in (0, 4, 8) for part in range(4**self.order)]
        shapes = [self._grid(number).shape for number in first_quarter]
        nx, ny = (max(shape[axis] for shape in shapes) for axis in (0, 1))
        return Summary(hash_of(self.configuration), 12 * 4**self.order, nx, ny)

    def _grid(self, number: int) -> Grid:
        pixel = HealpixPixelization(self.order).pixel(number)
        if not isinstance(pixel, ConvexPolygon):
            raise TypeError(f"a HEALPix pixel is a {type(pixel).__name__}")
        middle = LonLat(pixel.getCentroid())
        ra, dec = middle.getLon().asDegrees(), middle.getLat().asDegrees()
        vertices = np.array([(corner.x(), corner.y(), corner.z()) for corner in pixel.getVertices()])
        return Grid(self.settings, ra, dec, self._half_size(Grid(self.settings, ra, dec, (0, 0)), vertices))

    def _half_size(self, grid: Grid, vertices: Floats) -> tuple[float, float]:
        around = _around(vertices, math.radians(self.settings.tract_overlap_deg))
        x, y = np.abs(grid.to_plane(around)).max(axis=0)
        return float(x), float(y)


def _around(vertices: Floats, distance: float) -> Floats:
    """Give points about vertices, (n, 3), whose hull holds all that is up to a distance (radians) away."""
    axis = np.eye(3)[np.argmin(np.abs(vertices), axis=1)]
    east = np.cross(vertices, axis)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    north = np.cross(vertices, east)
    turn = np.arange(_SIDES) * 2 * np.pi / _SIDES
    # A polygon around a circle: its corners are a little farther away.
    radius = math.atan(math.tan(distance) / math.cos(math.pi / _SIDES))
    aside = np.cos(turn)[:, None, None] * east + np.sin(turn)[:, None, None] * north
    return np.asarray(math.cos(radius) * vertices + math.sin(radius) * aside).reshape(-1, 3)
