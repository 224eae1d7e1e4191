"""Circles and boxes on the sphere as many positions, and which positions they hold (ICRS, degrees)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skyfs.model.selectors import Box, Circle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Pair = tuple[Numbers, Numbers]

_BORDER = 4096
"""On a circle of 2000 pixels radius what bulges out between two of them is a thousandth of a pixel."""
_INSIDE = 17


class Shape:
    """A circle, or a box between two meridians and two parallels, as in queries."""

    def __init__(self, selector: Circle | Box) -> None:
        self._selector = selector

    def holds(self, ra: Numbers, dec: Numbers) -> NDArray[np.bool_]:
        """Tell which positions are inside or on the border."""
        one = self._selector
        with np.errstate(invalid="ignore"):
            if isinstance(one, Circle):
                centre = unit_vectors(np.array([one.ra_deg]), np.array([one.dec_deg]))
                # The chord is exact for small circles, where a cosine is not.
                chord = np.linalg.norm(unit_vectors(ra, dec) - centre, axis=0)
                return np.asarray(chord <= 2 * np.sin(np.radians(min(one.radius_deg, 180.0)) / 2))
            east = np.abs((ra - one.ra_deg + 180) % 360 - 180)
            return np.asarray((east <= one.width_deg / 2) & (np.abs(dec - one.dec_deg) <= one.height_deg / 2))

    def samples(self) -> Pair:
        """Give positions on the border, close together, and inside, far apart."""
        return (
            self._circle(self._selector) if isinstance(self._selector, Circle) else self._box(self._selector)
        )

    @staticmethod
    def _circle(one: Circle) -> Pair:
        angles = np.linspace(0, 2 * np.pi, _BORDER, endpoint=False)
        radii = np.radians(min(one.radius_deg, 180.0)) * np.linspace(1, 0, _INSIDE)
        # Around the pole, then turned to where the centre is.
        theta = np.concatenate([np.full(_BORDER, radii[0]), np.repeat(radii[1:], _BORDER // 64)])
        phi = np.concatenate([angles, np.tile(angles[::64], _INSIDE - 1)])
        ra, dec = np.radians([one.ra_deg, one.dec_deg])
        south, east = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)
        outward = south * np.sin(dec) + np.cos(theta) * np.cos(dec)
        north = -south * np.cos(dec) + np.cos(theta) * np.sin(dec)
        found_ra = ra + np.arctan2(east, outward)
        return np.degrees(found_ra) % 360, np.degrees(np.arctan2(north, np.hypot(east, outward)))

    @staticmethod
    def _box(one: Box) -> Pair:
        side = np.linspace(-0.5, 0.5, _BORDER // 4)
        inside = np.linspace(-0.5, 0.5, _INSIDE)
        ends = np.repeat([-0.5, 0.5], side.size)
        east, north = (each.ravel() for each in np.meshgrid(inside, inside))
        ra = one.ra_deg + one.width_deg * np.concatenate([np.tile(side, 2), ends, east])
        dec = one.dec_deg + one.height_deg * np.concatenate([ends, np.tile(side, 2), north])
        return ra % 360, np.clip(dec, -90, 90)


def unit_vectors(longitude: Numbers, latitude: Numbers) -> Numbers:
    """Give x, y, z of positions in degrees."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
