"""A tract as a grid of patches in a tangent-plane (TAN) projection.

Pixels are counted from the tract's lower left one, whose middle is (0, 0); x goes west and y north at the
tangent point, unless rotated. A patch has an inner part, which no other patch of the tract has, and a
border around it, clipped at the edge of the tract.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from lsst.sphgeom import ConvexPolygon, UnitVector3d
from numpy.typing import NDArray

from .definition import Patch, Tract

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GridSettings:
    """How tracts are divided, as configurations spell it."""

    pixel_scale_arcsec: float
    patch_inner: tuple[int, int]
    """Pixels along x and y."""
    patch_border: int
    tract_overlap_deg: float
    """The least by which a tract reaches over what it stands for."""
    rotation_deg: float

    def count(self, axis: int, half_size: float) -> int:
        """Give the patches along an axis (0 for x) that hold the tangent-plane positions ±half_size."""
        reach = half_size / math.radians(self.pixel_scale_arcsec / 3600)
        # Whole pixels: the one of the tangent point, and on both sides those that the edge is in.
        pixels = 2 * math.ceil(reach - 0.5) + 1
        return -(-pixels // self.patch_inner[axis])


@dataclass(frozen=True, slots=True)
class Grid:
    """The patches of a tract."""

    settings: GridSettings
    ra_deg: float
    dec_deg: float
    half_size: tuple[float, float]
    """Tangent-plane positions, x and y, that are to be inside on both sides of the tangent point."""

    @property
    def shape(self) -> tuple[int, int]:
        """Give the number of patches along x and y."""
        return self.settings.count(0, self.half_size[0]), self.settings.count(1, self.half_size[1])

    @property
    def pixels(self) -> tuple[int, int]:
        """Give the number of pixels along x and y."""
        (nx, ny), (width, height) = self.shape, self.settings.patch_inner
        return nx * width, ny * height

    @property
    def tangent_point(self) -> tuple[int, int]:
        """Give the pixel, counted from 0, in whose middle the tangent point is."""
        x, y = (self._low(axis) for axis in (0, 1))
        return -x, -y

    def _low(self, axis: int) -> int:
        """Give the first pixel, counted from the tangent point."""
        reach = self.half_size[axis] / math.radians(self.settings.pixel_scale_arcsec / 3600)
        needed = math.ceil(reach - 0.5)
        return -needed - (self.pixels[axis] - (2 * needed + 1)) // 2

    def to_sky(self, pixels: Floats) -> Floats:
        """Give unit vectors, (..., 3), of pixel positions, (..., 2), x first."""
        scale = math.radians(self.settings.pixel_scale_arcsec / 3600)
        plane = (pixels - np.array(self.tangent_point)) * scale
        centre, along_x, along_y = self._axes()
        sky = centre + plane[..., :1] * along_x + plane[..., 1:] * along_y
        return np.asarray(sky / np.linalg.norm(sky, axis=-1, keepdims=True))

    def to_plane(self, sky: Floats) -> Floats:
        """Give tangent-plane positions, (..., 2), of unit vectors, (..., 3), less than 90 degrees away."""
        centre, *axes = self._axes()
        return np.asarray(sky @ np.stack(axes, axis=1) / (sky @ centre)[..., None])

    def _axes(self) -> tuple[Floats, Floats, Floats]:
        """Give the tangent point and the directions of x and y, as unit vectors."""
        ra, dec = math.radians(self.ra_deg), math.radians(self.dec_deg)
        # The FITS standard turns the projection about the north pole: LONPOLE is 0 there, 180 elsewhere.
        turn = math.radians(self.settings.rotation_deg + (180 if self.dec_deg == 90 else 0))
        centre = np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
        west = np.array([math.sin(ra), -math.cos(ra), 0.0])
        north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
        along_x = west * math.cos(turn) + north * math.sin(turn)
        return centre, along_x, north * math.cos(turn) - west * math.sin(turn)

    def region(self) -> bytes:
        """Give the polygon of the outer corners."""
        width, height = self.pixels
        return _polygons(self.to_sky(_corners(np.array([[0, 0, width, height]]))))[0]

    def __iter__(self) -> Iterator[Patch]:
        """Give the patches row by row, from the lower left."""
        nx, ny = self.shape
        (width, height), border, size = self.settings.patch_inner, self.settings.patch_border, self.pixels
        x, y = np.tile(np.arange(nx), ny), np.repeat(np.arange(ny), nx)
        low = np.stack((x * width - border, y * height - border), axis=1)
        high = np.stack(((x + 1) * width + border, (y + 1) * height + border), axis=1)
        boxes = np.concatenate((np.maximum(low, 0), np.minimum(high, size)), axis=1)
        for number, region in enumerate(_polygons(self.to_sky(_corners(boxes)))):
            yield Patch(number, number % nx, number // nx, region)

    def tract(self, number: int) -> Tract:
        """Give the tract that this is the grid of."""
        return Tract(number, self.region(), self)


def _corners(boxes: NDArray[np.int_]) -> Floats:
    """Give the outer corners, (n, 4, 2), of boxes of pixels, (n, 4) with first x, first y, end x, end y."""
    x0, y0, x1, y1 = boxes.T - 0.5
    return np.stack([np.stack(corner, axis=1) for corner in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], axis=1)


def _polygons(corners: Floats) -> list[bytes]:
    return [
        bytes(ConvexPolygon([UnitVector3d(*map(float, corner)) for corner in four]).encode())
        for four in corners
    ]
