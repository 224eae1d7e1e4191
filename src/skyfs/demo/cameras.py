"""The two simulated cameras: detectors, filters, and where a detector looks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS

SIDE = 256
"""Width and height of every detector in pixels: small, so that a whole survey is made in seconds."""


@dataclass(frozen=True, slots=True)
class Detector:
    """One chip; ``x0, y0`` is its first pixel's place in the focal plane, in pixels from the boresight."""

    id: int
    full_name: str
    raft: str
    name_in_raft: str
    x0: float
    y0: float


@dataclass(frozen=True, slots=True)
class Filter:
    """A physical filter and the band it realises."""

    name: str
    band: str


@dataclass(frozen=True, slots=True)
class Camera:
    """An instrument. Times in its headers are in ``time_system`` (cameras differ in this)."""

    name: str
    telescope: str
    pixel_scale_arcsec: float
    gain_e_per_adu: float
    read_noise_e: float
    zero_point_mag: float
    """Magnitude of a source that gives one ADU per second."""
    time_system: str
    visit_system: int
    id_max: int
    filters: tuple[Filter, ...]
    detectors: tuple[Detector, ...]

    def filter(self, band: str) -> Filter:
        """Give the filter of a band."""
        return next(each for each in self.filters if each.band == band)


def _grid(*names: str) -> tuple[Detector, ...]:
    """Lay detectors out in rows of two around the boresight, in one raft."""
    columns, gap = 2, 12.0
    rows = len(names) // columns
    pitch = SIDE + gap
    left, bottom = (gap - columns * pitch) / 2, (gap - rows * pitch) / 2
    return tuple(
        Detector(n, f"R0_{name}", "R0", name, left + (n % columns) * pitch, bottom + (n // columns) * pitch)
        for n, name in enumerate(names)
    )


SKYCAM = Camera(
    name="SkyCam",
    telescope="Meridian 4.2m",
    pixel_scale_arcsec=0.4,
    gain_e_per_adu=2.0,
    read_noise_e=6.0,
    zero_point_mag=25.0,
    time_system="TAI",
    visit_system=0,
    id_max=10_000_000,
    filters=(Filter("g.SC03", "g"), Filter("r.SC02", "r"), Filter("i.SC01", "i")),
    detectors=_grid("S00", "S01", "S10", "S11"),
)
WIDECAM = Camera(
    name="WideCam",
    telescope="Cerro 1.5m",
    pixel_scale_arcsec=0.5,
    gain_e_per_adu=1.5,
    read_noise_e=8.0,
    zero_point_mag=24.2,
    time_system="UTC",
    visit_system=1,
    # Its exposures are numbered day_obs and five digits: more than 32 bits.
    id_max=10_000_000_000_000,
    filters=(Filter("r DECam-like 6200.0 1400.0", "r"), Filter("i DECam-like 7800.0 1500.0", "i")),
    detectors=_grid("W1", "W2"),
)
CAMERAS = (SKYCAM, WIDECAM)


def tangent_wcs(
    center: tuple[float, float], reference: tuple[float, float], scale: float, angle: float
) -> WCS:
    """Give a TAN projection of the sky, north up and east left when ``angle`` is 0.

    Parameters
    ----------
    center
        Right ascension and declination that is projected to ``reference``, ICRS degrees.
    reference
        CRPIX: FITS pixel coordinates (1-based, x first); it may lie outside of the image.
    scale
        Arcseconds per pixel.
    angle
        Rotation from north towards east in degrees.
    """
    wcs = WCS(naxis=2)
    turn, step = math.radians(angle), scale / 3600
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = center
    wcs.wcs.crpix = reference
    wcs.wcs.cd = step * np.array([[-math.cos(turn), math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs


def detector_wcs(camera: Camera, detector: Detector, boresight: tuple[float, float], angle: float) -> WCS:
    """Give the WCS of a detector for a pointing of the telescope."""
    reference = (0.5 - detector.x0, 0.5 - detector.y0)
    return tangent_wcs(boresight, reference, camera.pixel_scale_arcsec, angle)


def corners(wcs: WCS, width: int = SIDE, height: int = SIDE) -> list[tuple[float, float]]:
    """Give the sky positions (ICRS degrees) of an image's four outer corners."""
    x = np.array([-0.5, width - 0.5, width - 0.5, -0.5])
    y = np.array([-0.5, -0.5, height - 0.5, height - 0.5])
    ra, dec = wcs.all_pix2world(x, y, 0)
    return list(zip(ra.tolist(), dec.tolist(), strict=True))


def encoded_region(points: list[tuple[float, float]]) -> bytes:
    """Give the convex hull of sky positions (ICRS degrees) as an encoded `lsst.sphgeom.ConvexPolygon`."""
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    return bytes(ConvexPolygon([UnitVector3d(LonLat.fromDegrees(ra, dec)) for ra, dec in points]).encode())
