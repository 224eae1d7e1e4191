"""The simulated catalogues: the truth, and what would be measured on a processed image."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.table import Table
from astropy.wcs import WCS

from .cameras import SIDE
from .frames import SATURATION_ADU, flux_adu, microjansky_per_adu
from .schedule import Exposure
from .sky import Sky, see, widths

FLAG_EDGE = 1
FLAG_SATURATED = 2
_EDGE_PIXELS = 8.0
_LIMIT_SN = 5.0


def truth(sky: Sky) -> Table:
    """Give all sources of the sky: id, position, size, magnitude per band."""
    table = Table()
    table["id"] = sky.id
    table["ra"] = sky.ra * u.deg
    table["dec"] = sky.dec * u.deg
    table["size"] = sky.size_arcsec * u.arcsec
    for band, magnitude in sky.magnitude.items():
        table[f"mag_{band}"] = magnitude * u.mag
    return table


def sources(exposure: Exposure, detector: int, wcs: WCS, sky: Sky, seed: int) -> Table:
    """Give the sources of a visit's detector that stand out from the noise, brightest first.

    Positions are 0-based pixels and ICRS degrees, fluxes microjansky; ``flags`` has bit 1 for a source at the
    edge, 2 for a saturated one.
    """
    rng = np.random.default_rng([seed, 6, exposure.camera.id_max, exposure.id, detector])
    camera, scale = exposure.camera, microjansky_per_adu(exposure)
    seen = see(sky, wcs)
    sigma = widths(sky, seen, exposure.seeing_arcsec, camera.pixel_scale_arcsec)
    counts = flux_adu(sky, seen, exposure)
    background = exposure.sky_adu_per_s * exposure.exposure_time_s
    # Of a Gaussian the noise counts in 4 pi sigma^2 pixels (King 1983, PASP 95, 163).
    area = 4 * np.pi * sigma**2
    error = np.sqrt((counts + area * background) / camera.gain_e_per_adu)
    found = np.flatnonzero(counts > _LIMIT_SN * error)
    found = found[np.argsort(-counts[found], kind="stable")]
    counts, error, sigma = counts[found], error[found], sigma[found]
    jitter = (sigma * error / counts)[:, None] * rng.normal(size=(len(found), 2))
    x, y = seen.x[found] + jitter[:, 0], seen.y[found] + jitter[:, 1]
    ra, dec = wcs.all_pix2world(x, y, 0)
    measured = counts + error * rng.normal(size=len(found))
    table = Table(meta={"detector": detector, "visit": exposure.visit, "seeing": exposure.seeing_arcsec})
    table["id"] = (exposure.id * 100 + detector) * 10_000 + np.arange(len(found), dtype=np.int64)
    table["ra"], table["dec"] = ra * u.deg, dec * u.deg
    table["x"], table["y"] = x * u.pix, y * u.pix
    table["flux"] = (measured * scale * u.uJy).astype(np.float32)
    table["flux_err"] = (error * scale * u.uJy).astype(np.float32)
    saturated = counts / (2 * np.pi * sigma**2) + background > SATURATION_ADU
    near = np.minimum.reduce([x, y, SIDE - 1 - x, SIDE - 1 - y]) < _EDGE_PIXELS
    table["flags"] = (FLAG_EDGE * near + FLAG_SATURATED * saturated).astype(np.int32)
    return table
