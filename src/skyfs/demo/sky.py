"""The simulated sky: a catalogue of stars and galaxies, and what a detector sees of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from .cameras import SIDE

BOX = ((149.955, 150.096), (2.155, 2.245))
"""Right ascensions and declinations of the catalogue: all fields with their borders, ICRS degrees."""
SOURCES_PER_DEG2 = 75_000
BRIGHTEST, FAINTEST = 15.5, 22.5
"""In the r band, AB magnitudes."""
FWHM_PER_SIGMA = 2.3548200450309493
"""2 sqrt(2 ln 2): full width at half maximum of a Gaussian."""


@dataclass(frozen=True, slots=True)
class Sky:
    """A catalogue; all arrays have one entry per source, float64 but for ``id`` (int64)."""

    id: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    size_arcsec: NDArray[np.float64]
    """Gaussian sigma on the sky; 0 for a star."""
    magnitude: dict[str, NDArray[np.float64]]
    """AB magnitude per band."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The sources that a detector sees: index into the catalogue, 0-based pixel positions."""

    index: NDArray[np.intp]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def simulate_sky(seed: int) -> Sky:
    """Draw the catalogue: numbers grow tenfold in 3.3 magnitudes, one source in seven is a galaxy."""
    rng = np.random.default_rng([seed, 0])
    (west, east), (south, north) = BOX
    number = round((east - west) * (north - south) * SOURCES_PER_DEG2)
    slope = 0.3
    reach = 10 ** (slope * (FAINTEST - BRIGHTEST)) - 1
    r = BRIGHTEST + np.log10(1 + rng.uniform(size=number) * reach) / slope
    color = rng.uniform(0.1, 1.3, number)
    galaxy = rng.uniform(size=number) < 1 / 7
    return Sky(
        id=np.arange(1, number + 1, dtype=np.int64),
        ra=rng.uniform(west, east, number),
        dec=rng.uniform(south, north, number),
        size_arcsec=np.where(galaxy, rng.uniform(0.5, 2.5, number), 0.0),
        magnitude={"g": r + color, "r": r, "i": r - 0.5 * color},
    )


def see(sky: Sky, wcs: WCS, margin: float = 0.0) -> Seen:
    """Find the sources on a detector, or up to ``margin`` pixels off its edge (negative: inside it)."""
    x, y = wcs.all_world2pix(sky.ra, sky.dec, 0)
    low, high = -0.5 - margin, SIDE - 0.5 + margin
    inside = np.flatnonzero((x >= low) & (x < high) & (y >= low) & (y < high))
    return Seen(inside, x[inside], y[inside])


def render(seen: Seen, flux: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give an image, (SIDE, SIDE), of circular Gaussians of total ``flux`` and ``sigma`` in pixels."""
    pixels = np.arange(SIDE)
    along_x = np.exp(-0.5 * ((pixels - seen.x[:, None]) / sigma[:, None]) ** 2)
    along_y = np.exp(-0.5 * ((pixels - seen.y[:, None]) / sigma[:, None]) ** 2)
    peak = flux / (2 * np.pi * sigma**2)
    # Not `@`: BLAS adds in an order that depends on its number of threads, and files must not.
    return np.asarray(np.einsum("ny,nx->yx", peak[:, None] * along_y, along_x))


def widths(sky: Sky, seen: Seen, seeing_arcsec: float, pixel_scale_arcsec: float) -> NDArray[np.float64]:
    """Give the Gaussian sigma of each source in pixels: its own size and the seeing (a FWHM) together."""
    own = sky.size_arcsec[seen.index]
    return np.hypot(own, seeing_arcsec / FWHM_PER_SIGMA) / pixel_scale_arcsec
