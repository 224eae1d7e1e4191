"""Regions of the sky as windows of an image: the smallest that hold every pixel which the region touches.

Positions go both ways. Border and inside of the region are laid onto pixels, where the solution can be
inverted; edges, a grid, and the frame around what was found so far are laid onto the sky, which always works,
also where the first fails: distortions far outside of the image, poles, a jump in longitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skyfs.errors import BadArgument
from skyfs.model.selectors import Box, Circle, Selector

from .fits_sky_shape import Shape, unit_vectors
from .fits_window import Window
from .wcs_cards import refuse_axes

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Pair = tuple[Numbers, Numbers]

_GRID = 65
_ROUND_TRIP_PIXELS = 0.01


def sky_windows(selector: Selector, header: fits.Header, axes: Sequence[int]) -> tuple[Window, ...]:
    """Give the windows (x first) of the bounding box of a circle or box, clipped to the image.

    Axes that are not on the sky are whole.

    Raises
    ------
    BadArgument
        When the image has no celestial coordinates, or does not touch the region.
    """
    if not isinstance(selector, Circle | Box):
        raise BadArgument(f"selector {selector}", "it is no region of the sky")
    image = _SkyImage(selector, header, axes)
    bounds = _bounds(image, Shape(selector))
    if bounds is None:
        (ra,), (dec,) = image.sky(*[_numbers([(size - 1) / 2]) for size in image.sizes])
        found = f"the image does not touch it: its middle is at ra {ra:.6f}, dec {dec:.6f}"
        raise BadArgument(f"selector {selector}", found, "give ra and dec in degrees, ICRS")
    windows = [Window(0, size) for size in axes]
    for axis, (low, high) in zip(image.axes, bounds, strict=True):
        windows[axis] = Window(low, high - low + 1)
    return tuple(windows)


class _SkyImage:
    """The two axes of an image that are on the sky; pixels are counted from 0."""

    def __init__(self, selector: Selector, header: fits.Header, axes: Sequence[int]) -> None:
        from astropy.wcs import WCS
        from astropy.wcs.utils import proj_plane_pixel_scales

        refuse_axes(header)
        whole = WCS(header)
        if not whole.has_celestial:
            raise BadArgument(
                f"selector {selector}", "the image has no celestial coordinates", "[1:500,1:500]"
            )
        self.axes = sorted((whole.wcs.lng, whole.wcs.lat))
        if self.axes[1] >= len(axes):
            raise BadArgument(f"selector {selector}", "the image has fewer axes than its coordinates")
        self.sizes = [axes[axis] for axis in self.axes]
        self._wcs = whole if whole.naxis == 2 else whole.celestial
        self._pixel_deg = float(min(proj_plane_pixel_scales(self._wcs)))

    def sky(self, x: Numbers, y: Numbers) -> Pair:
        """Give right ascension and declination (ICRS, degrees) of pixels; NaN where there is no sky."""
        return self._to_icrs(*self._native(x, y))

    def pixels(self, ra: Numbers, dec: Numbers) -> Pair:
        """Give the pixels of positions; those that cannot be found are left out."""
        world = self._from_icrs(ra, dec)
        with np.errstate(all="ignore"):
            x, y = self._wcs.all_world2pix(*self._ordered(*world), 0, quiet=True)
            chord = np.linalg.norm(unit_vectors(*self._native(x, y)) - unit_vectors(*world), axis=0)
            sure = chord < np.radians(self._pixel_deg * _ROUND_TRIP_PIXELS)
        return x[sure], y[sure]

    def _native(self, x: Numbers, y: Numbers) -> Pair:
        """Give longitude and latitude in the image's own frame."""
        with np.errstate(all="ignore"):
            return self._ordered(*self._wcs.all_pix2world(x, y, 0))

    def _ordered(self, first: Numbers, second: Numbers) -> Pair:
        """Exchange longitude and latitude where the image has them in the other order."""
        return (first, second) if self._wcs.wcs.lng == 0 else (second, first)

    @cached_property
    def _frame(self) -> object:
        """The celestial frame; None when it is ICRS."""
        from astropy.coordinates import ICRS, ITRS
        from astropy.wcs.utils import wcs_to_celestial_frame

        try:
            frame = wcs_to_celestial_frame(self._wcs)
        except ValueError:
            frame = ITRS()
        if isinstance(frame, ITRS):
            found = f"{' '.join(self._wcs.wcs.ctype)}, which are not on the sky"
            raise BadArgument("a region of the sky", f"the coordinates are {found}", "[1:500,1:500]")
        return None if isinstance(frame, ICRS) else frame

    def _to_icrs(self, longitude: Numbers, latitude: Numbers) -> Pair:
        from astropy.coordinates import SkyCoord

        if self._frame is None:
            return longitude, latitude
        found = SkyCoord(longitude, latitude, unit="deg", frame=self._frame).icrs
        return found.ra.deg, found.dec.deg

    def _from_icrs(self, ra: Numbers, dec: Numbers) -> Pair:
        from astropy.coordinates import SkyCoord

        if self._frame is None:
            return ra, dec
        found = SkyCoord(ra, dec, unit="deg", frame="icrs").transform_to(self._frame).spherical
        return found.lon.deg, found.lat.deg


def _bounds(image: _SkyImage, shape: Shape) -> list[tuple[int, int]] | None:
    """Give lowest and highest pixel on both axes; None when the image does not touch the shape."""
    x, y = image.pixels(*shape.samples())
    inside = (x >= -0.5) & (x <= image.sizes[0] - 0.5) & (y >= -0.5) & (y <= image.sizes[1] - 0.5)
    found = [np.rint(x[inside]), np.rint(y[inside])]
    for seen in (_grid(image.sizes), _frame_of([(0, size - 1) for size in image.sizes], image.sizes)):
        hits = shape.holds(*image.sky(*seen))
        found = [np.append(old, new[hits]) for old, new in zip(found, seen, strict=True)]
    while found[0].size:
        box = [
            (max(int(one.min()), 0), min(int(one.max()), size - 1))
            for one, size in zip(found, image.sizes, strict=True)
        ]
        around = _frame_of([(low - 1, high + 1) for low, high in box], image.sizes)
        hits = shape.holds(*image.sky(*around))
        if not hits.any():
            return box
        found = [np.append(edges, new[hits]) for edges, new in zip(box, around, strict=True)]
    return None


def _grid(sizes: Sequence[int]) -> Pair:
    """Give pixels spread over the image."""
    lines = [np.unique(np.rint(np.linspace(0, size - 1, _GRID))) for size in sizes]
    x, y = np.meshgrid(*lines)
    return x.ravel(), y.ravel()


def _frame_of(box: Sequence[tuple[int, int]], sizes: Sequence[int]) -> Pair:
    """Give the pixels on the four edges of a box, as far as they are in the image."""
    (left, right), (bottom, top) = box
    x, y = np.arange(left, right + 1.0), np.arange(bottom, top + 1.0)
    xs = np.concatenate([x, x, np.full(y.size, left), np.full(y.size, right)])
    ys = np.concatenate([np.full(x.size, bottom), np.full(x.size, top), y, y])
    inside = (xs >= 0) & (xs < sizes[0]) & (ys >= 0) & (ys < sizes[1])
    return xs[inside], ys[inside]


def _numbers(values: Sequence[float]) -> Numbers:
    return np.array(values, dtype=float)
