"""The sky in the plane: all of it by Mollweide, a field by its tangent plane. East is left."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .flattening import flatten
from .outlines import Floats, Outline, to_degrees, to_vectors

FIELD_DEG = 35.0
"""What lies within so much of its centre is shown in its tangent plane, which stretches it by 1.5 at most."""


class Projection(ABC):
    """Positions → points of a plane, x to the right and y up."""

    @abstractmethod
    def project(self, ra_deg: Floats, dec_deg: Floats) -> Floats:
        """Give the points of positions, (n, 2); NaN for what cannot be shown."""

    @abstractmethod
    def place(self, outlines: Sequence[Outline]) -> list[list[Floats]]:
        """Give the closed paths of each outline: its region is what is in an odd number of them."""


@dataclass(frozen=True)
class Mollweide(Projection):
    """The whole sky, equal in area, as an ellipse: x from -2 to 2, y from -1 to 1.

    The equations are those of Snyder, Map Projections: A Working Manual (1987), p. 251.
    """

    centre_deg: float = 180.0

    def project(self, ra_deg: Floats, dec_deg: Floats) -> Floats:
        """Give the points of positions; the cut is on the meridian opposite to the centre."""
        return _mollweide((ra_deg - self.centre_deg + 180) % 360 - 180, dec_deg)

    def place(self, outlines: Sequence[Outline]) -> list[list[Floats]]:
        """Give the closed paths of each outline."""
        paths = flatten(outlines, self.centre_deg)
        points = [path for some in paths for path in some]
        if not points:
            return paths
        plane = np.concatenate(points)
        parts = iter(
            np.split(_mollweide(plane[:, 0], plane[:, 1]), np.cumsum([len(one) for one in points])[:-1])
        )
        return [[next(parts) for _ in some] for some in paths]


@dataclass(frozen=True)
class Tangent(Projection):
    """A field, in degrees from its centre: great circles are straight lines."""

    ra_deg: float
    dec_deg: float

    def project(self, ra_deg: Floats, dec_deg: Floats) -> Floats:
        """Give the points of positions; NaN for the other half of the sky."""
        return self._project(to_vectors(ra_deg, dec_deg))

    def place(self, outlines: Sequence[Outline]) -> list[list[Floats]]:
        """Give the closed path of each outline."""
        if not outlines:
            return []
        corners = self._project(np.concatenate([one.corners for one in outlines]))
        ends = np.cumsum([len(one.corners) for one in outlines])[:-1]
        return [[path] for path in np.split(corners, ends)]

    def _project(self, vectors: Floats) -> Floats:
        ra, dec = math.radians(self.ra_deg), math.radians(self.dec_deg)
        centre = to_vectors(np.array(self.ra_deg), np.array(self.dec_deg))
        east = np.array([-math.sin(ra), math.cos(ra), 0.0])
        north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
        depth = vectors @ centre
        depth = np.where(depth > 0.01, depth, np.nan)
        return np.asarray(
            np.degrees(np.stack([-(vectors @ east) / depth, (vectors @ north) / depth], axis=-1))
        )


def projection_for(outlines: Sequence[Outline]) -> Projection:
    """Choose how to show regions: the tangent plane of a field when all of them lie in one."""
    corners = [one.corners for one in outlines]
    if not corners or any(one.is_whole_sky or one.is_outside for one in outlines):
        return Mollweide()
    # Each region counts as much, however many corners it has.
    centre = np.sum([some.mean(axis=0) for some in corners], axis=0)
    length = float(np.linalg.norm(centre))
    if length < 1e-3 * len(corners):
        return Mollweide()
    centre /= length
    if min(float((some @ centre).min()) for some in corners) < math.cos(math.radians(FIELD_DEG)):
        return Mollweide()
    ra, dec = to_degrees(centre)
    return Tangent(float(ra) % 360, float(dec))


def _mollweide(lon_deg: Floats, lat_deg: Floats) -> Floats:
    lat = np.radians(lat_deg)
    # Newton's method for 2θ + sin 2θ = π sin(latitude) is slow near the poles, where θ is the pole's.
    theta = 2 * np.arcsin(np.clip(2 * lat / math.pi, -1, 1))
    target = math.pi * np.sin(lat)
    for _ in range(30):
        slope = 1 + np.cos(theta)
        change = np.where(
            slope > 1e-12, (theta + np.sin(theta) - target) / np.where(slope > 1e-12, slope, 1), 0
        )
        theta -= change
        if np.abs(change).max(initial=0.0) < 1e-9:
            break
    return np.stack([-lon_deg / 90 * np.cos(theta / 2), np.sin(theta / 2)], axis=-1)
