"""The simulated images: calibration frames, raws with realistic headers, processed images, coadds."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, VarianceUncertainty
from astropy.wcs import WCS
from numpy.typing import NDArray

from .cameras import SIDE, Camera, Detector, Filter, detector_wcs
from .schedule import Exposure, mjd, stamp
from .sky import Seen, Sky, render, see, widths
from .skymap import SCALE_ARCSEC, Patch

Image = NDArray[np.float32]
FLAT_LEVEL_ADU = 20_000.0
SATURATION_ADU = 60_000
MICROJANSKY_ZERO_POINT = 23.9
"""AB magnitude of a source of one microjansky (Oke & Gunn 1983)."""
COADD_DEPTH = 12
"""How many 30 second exposures a coadd is as deep as."""
_REACH = 12.0
"""Sources up to so many pixels off the edge still shine onto a detector."""


def bias(camera: Camera, detector: Detector, period: int, seed: int) -> Image:
    """Give the bias level in ADU, (SIDE, SIDE): an offset per period, and a structure of columns."""
    rng = np.random.default_rng([seed, 2, camera.id_max, detector.id, period])
    columns = rng.normal(0, 3.0, SIDE)
    ramp = 4.0 * np.exp(-np.arange(SIDE) / 20.0)
    level = 1000 + 40 * detector.id + 60 * period
    noise = rng.normal(0, 0.5, (SIDE, SIDE))
    return (level + columns[None, :] + ramp[:, None] + noise).astype(np.float32)


def flat(camera: Camera, detector: Detector, band: Filter, period: int, seed: int) -> Image:
    """Give the relative sensitivity, (SIDE, SIDE), near 1: vignetting, dust rings, pixel response."""
    rng = np.random.default_rng([seed, 3, camera.id_max, detector.id, ord(band.band), period])
    y, x = np.indices((SIDE, SIDE), dtype=np.float64)
    reach = np.hypot(x + detector.x0, y + detector.y0) / SIDE
    sensitivity = 1.02 - 0.06 * reach**2
    for center_x, center_y, radius in rng.uniform((0, 0, 8), (SIDE, SIDE, 20), (4, 3)):
        ring = np.hypot(x - center_x, y - center_y) - radius
        sensitivity -= 0.04 * np.exp(-0.5 * (ring / 3.0) ** 2)
    return (sensitivity + rng.normal(0, 0.004, (SIDE, SIDE))).astype(np.float32)


def wcs_of(exposure: Exposure, detector: Detector) -> WCS:
    """Give the WCS of a detector in an exposure of the sky."""
    pointing = exposure.pointing
    if pointing is None:
        raise ValueError(f"{exposure.obs_id} did not look at the sky")
    return detector_wcs(exposure.camera, detector, (pointing.ra, pointing.dec), pointing.angle)


def flux_adu(sky: Sky, seen: Seen, exposure: Exposure) -> NDArray[np.float64]:
    """Give the total ADU that each source leaves in an exposure."""
    magnitude = sky.magnitude[exposure.filter.band][seen.index]
    rate = 10 ** (-0.4 * (magnitude - exposure.camera.zero_point_mag))
    return np.asarray(rate * exposure.exposure_time_s)


def microjansky_per_adu(exposure: Exposure) -> float:
    """Give the factor from ADU of an exposure to microjansky."""
    zero_point = exposure.camera.zero_point_mag
    return float(10 ** (0.4 * (MICROJANSKY_ZERO_POINT - zero_point)) / exposure.exposure_time_s)


def raw(
    exposure: Exposure, detector: Detector, sky: Sky, master: tuple[Image, Image], seed: int
) -> NDArray[np.uint16]:
    """Read a detector out; ``master`` is the bias and the flat of the period. ADU, (SIDE, SIDE)."""
    camera = exposure.camera
    rng = np.random.default_rng([seed, 4, camera.id_max, exposure.id, detector.id])
    if exposure.pointing is None:
        light = np.full((SIDE, SIDE), FLAT_LEVEL_ADU)
    else:
        seen = see(sky, wcs_of(exposure, detector), _REACH)
        sigma = widths(sky, seen, exposure.seeing_arcsec, camera.pixel_scale_arcsec)
        light = render(seen, flux_adu(sky, seen, exposure), sigma)
        light += exposure.sky_adu_per_s * exposure.exposure_time_s
    electrons = rng.poisson(light * master[1] * camera.gain_e_per_adu)
    noise = rng.normal(0, camera.read_noise_e, (SIDE, SIDE))
    counts = master[0] + (electrons + noise) / camera.gain_e_per_adu
    return np.clip(np.rint(counts), 0, SATURATION_ADU).astype(np.uint16)


def raw_header(exposure: Exposure, detector: Detector | None) -> fits.Header:
    """Give the header of a raw; without a detector, that of a whole camera's file."""
    camera, system = exposure.camera, exposure.camera.time_system
    header = fits.Header()
    pointing = exposure.pointing
    if detector is not None and pointing is not None:
        header.update(wcs_of(exposure, detector).to_header())
        # to_header() gives MJDREF and LATPOLE, which say nothing here.
        for key in ("MJDREF", "LONPOLE", "LATPOLE"):
            header.remove(key, ignore_missing=True)
    cards: list[tuple[str, object, str]] = [
        ("TELESCOP", camera.telescope, "telescope"),
        ("INSTRUME", camera.name, "camera"),
        ("OBSID", exposure.obs_id, "name of the exposure"),
        ("EXPID", exposure.id, "number of the exposure"),
        ("GROUPID", exposure.group, "exposures taken together"),
        ("DAYOBS", exposure.day_obs, "night, from noon to noon TAI"),
        ("SEQNUM", exposure.seq_num, "counter within the night"),
        ("OBSTYPE", exposure.kind, "science or flat"),
        ("OBJECT", pointing.target if pointing else "dome screen", "target"),
        ("FILTER", exposure.filter.name, "physical filter"),
        ("EXPTIME", exposure.exposure_time_s, "[s] shutter open"),
        ("DARKTIME", exposure.exposure_time_s + 0.5, "[s] from reset to readout"),
        ("TIMESYS", system, "scale of all times here"),
        ("DATE-OBS", stamp(exposure.begin_ns, system), "begin"),
        ("DATE-END", stamp(exposure.end_ns, system), "end"),
        ("MJD-OBS", mjd(exposure.begin_ns, system), "[d] begin"),
        ("MJD-END", mjd(exposure.end_ns, system), "[d] end"),
    ]
    if pointing is not None:
        cards += [
            ("RA", pointing.ra, "[deg] boresight, ICRS"),
            ("DEC", pointing.dec, "[deg] boresight, ICRS"),
            ("ROTPA", pointing.angle, "[deg] north to east"),
            ("AZ", pointing.azimuth, "[deg] begin, north over east"),
            ("ZD", pointing.zenith_angle, "[deg] begin, zenith distance"),
            ("AIRMASS", round(pointing.airmass, 4), "begin"),
            ("SEEING", exposure.seeing_arcsec, "[arcsec] full width at half maximum"),
        ]
    if detector is not None:
        cards += [
            ("DETECTOR", detector.id, "number of the detector"),
            ("DETNAME", detector.full_name, "name of the detector"),
            ("GAIN", camera.gain_e_per_adu, "[electron/adu]"),
            ("RDNOISE", camera.read_noise_e, "[electron]"),
            ("SATURATE", SATURATION_ADU, "[adu]"),
            ("BUNIT", "adu", "unit of the pixels"),
        ]
    header.extend(cards, update=True)
    return header


def write_raw(path: Path, exposure: Exposure, detector: Detector, data: NDArray[np.uint16]) -> None:
    """Write one detector's raw."""
    fits.PrimaryHDU(data, raw_header(exposure, detector)).writeto(path)


def write_camera(path: Path, exposure: Exposure, data: list[NDArray[np.uint16]]) -> None:
    """Write a whole camera's raw: an empty primary HDU and one named extension per detector."""
    hdus = fits.HDUList([fits.PrimaryHDU(header=raw_header(exposure, None))])
    for detector, pixels in zip(exposure.camera.detectors, data, strict=True):
        hdus.append(fits.ImageHDU(pixels, raw_header(exposure, detector), name=detector.name_in_raft))
    hdus.writeto(path)


def write_calibration(
    path: Path, camera: Camera, detector: Detector, data: Image, band: Filter | None
) -> None:
    """Write a bias (no filter) or a flat, whose pixels have the mean FLATLVL."""
    header = fits.Header()
    header["INSTRUME"], header["DETECTOR"] = camera.name, detector.id
    header["OBSTYPE"] = "flat" if band else "bias"
    if band:
        header["FILTER"] = band.name
        header["FLATLVL"] = (FLAT_LEVEL_ADU, "[adu] where the sensitivity is 1")
        data = data * np.float32(FLAT_LEVEL_ADU)
    header["BUNIT"] = "adu"
    fits.PrimaryHDU(data, header).writeto(path)


def reduce(
    exposures: list[Exposure], raws: list[NDArray[np.uint16]], master: tuple[Image, Image]
) -> tuple[Image, Image]:
    """Give image and variance of a visit's detector in microjansky: calibrated, sky taken off, averaged."""
    images, variances = [], []
    for exposure, counts in zip(exposures, raws, strict=True):
        camera, scale = exposure.camera, microjansky_per_adu(exposure)
        light = (counts - master[0]) / master[1]
        read = (camera.read_noise_e / camera.gain_e_per_adu) ** 2
        variance = np.maximum(light, 0) / camera.gain_e_per_adu / master[1] + read / master[1] ** 2
        images.append((light - np.median(light)) * scale)
        variances.append(variance * scale**2)
    number = len(images)
    return np.mean(images, axis=0).astype(np.float32), (np.mean(variances, axis=0) / number).astype(
        np.float32
    )


def ccd(image: Image, variance: Image, wcs: WCS, mask: NDArray[np.bool_], meta: dict[str, object]) -> CCDData:
    """Put a processed image together, in microjansky."""
    return CCDData(
        image,
        unit=u.uJy,
        uncertainty=VarianceUncertainty(variance),
        mask=mask,
        wcs=wcs,
        meta=fits.Header(meta),
    )


def coadd(patch: Patch, band: str, sky: Sky, seed: int) -> CCDData:
    """Give a deep image of a patch in microjansky, as if averaged from `COADD_DEPTH` exposures."""
    rng = np.random.default_rng([seed, 5, patch.tract, patch.id])
    wcs, seeing = patch.wcs(), 1.2
    seen = see(sky, wcs, _REACH)
    flux = 10 ** (0.4 * (MICROJANSKY_ZERO_POINT - sky.magnitude[band][seen.index]))
    light = render(seen, flux, widths(sky, seen, seeing, SCALE_ARCSEC))
    # SkyCam's scale: 330 ADU of sky and the source's own light, in electrons, averaged.
    scale = 10 ** (0.4 * (MICROJANSKY_ZERO_POINT - 25.0)) / 30.0
    variance = (scale**2 * 330.0 + np.maximum(light, 0) * scale) / 2.0 / COADD_DEPTH
    image = light + rng.normal(0, np.sqrt(variance))
    meta: dict[str, object] = {
        "TRACT": patch.tract,
        "PATCH": patch.id,
        "BAND": band,
        "SEEING": seeing,
        "NINPUTS": COADD_DEPTH,
    }
    blank = np.zeros(image.shape, dtype=bool)
    return ccd(image.astype(np.float32), variance.astype(np.float32), wcs, blank, meta)
