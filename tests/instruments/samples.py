"""Headers of raws, and FITS files with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astro_metadata_translator.tests import read_test_file
from astropy.io import fits

Header = Mapping[str, Any]

# What the file at hand decides, and what only compressed images have.
_STRUCTURE = re.compile(
    r"SIMPLE|BITPIX|NAXIS\d*|EXTEND|XTENSION|PCOUNT|GCOUNT|TFIELDS|T(TYPE|FORM)\d+|BSCALE|BZERO|CHECKSUM|DATASUM"
    r"|ZIMAGE|ZTILE\d|ZCMPTYPE|ZNAME\d|ZVAL\d|ZNAXIS\d?|ZBITPIX|ZSIMPLE|ZEXTEND|ZTENSION|ZPCOUNT|ZGCOUNT"
    r"|ZHECKSUM|ZDATASUM|ZQUANTIZ|ZDITHER0|ZBLANK|COMMENT|HISTORY|END|"
)

_TAN = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRPIX1": 15.0,
    "CRPIX2": 20.0,
    "CUNIT1": "deg",
    "CUNIT2": "deg",
    "CD1_1": 0.0,
    "CD1_2": 7.3e-5,
    "CD2_1": 7.3e-5,
    "CD2_2": 0.0,
    "RADESYS": "ICRS",
}


def decam(**changes: object) -> dict[str, Any]:
    """Give the header of a DECam raw; names are in lower case, - is _."""
    header: dict[str, Any] = {
        "INSTRUME": "DECam",
        "EXPTIME": 200.0,
        "DARKTIME": 201.2,
        "OBSID": "ct4m20130901t060255",
        "DATE-OBS": "2013-09-01T06:02:55.753848",
        "TIMESYS": "UTC",
        "DTUTC": "2013-09-01T06:07:56",
        "EXPNUM": 229388,
        "OBJECT": "SN-S1",
        "OBSTYPE": "object",
        "PROPID": "2012B-0001",
        "FILTER": "z DECam SDSS c0004 9260.0 1520.0",
        "TELRA": "02:51:16.790",
        "TELDEC": "-00:00:05.699",
        "OBS-LONG": 70.81489,
        "OBS-LAT": -30.16606,
        "OBS-ELEV": 2215.0,
        "ZD": 50.46,
        "AZ": 61.24,
        "AIRMASS": 1.57,
        "CCDNUM": 25,
        "DETPOS": "S1",
        "CRVAL1": 42.82,
        "CRVAL2": -0.0016,
        **_TAN,
    }
    return header | {key.upper().replace("_", "-"): value for key, value in changes.items()}


def hsc(**changes: object) -> dict[str, Any]:
    """Give the header of an HSC raw."""
    header: dict[str, Any] = {
        "INSTRUME": "Hyper Suprime-Cam",
        "EXP-ID": "HSCA90402400",
        "FRAMEID": "HSCA90402450",
        "DATE-OBS": "2013-11-02",
        "UT-STR": "06:15:55.908",
        "UT-END": "06:16:27.928",
        "MJD": 56598.26,
        "MJD-STR": 56598.26106,
        "MJD-END": 56598.26143,
        "EXPTIME": 30.0,
        "OBJECT": "STRIPE82L",
        "PROP-ID": "o13015",
        "DATA-TYP": "OBJECT",
        "FILTER01": "HSC-I",
        "DET-ID": 50,
        "T_CCDSN": "120",
        "RA2000": "21:22:59.982",
        "DEC2000": "+00:30:00.07",
        "ALTITUDE": 63.04359233,
        "AZIMUTH": 226.68922661,
        "INST-PA": 0.0,
        "INR-STR": 0.0,
        "TIMESYS": "UTC",
        "CRVAL1": 320.75,
        "CRVAL2": 0.5,
        **_TAN,
    }
    return header | {key.upper().replace("_", "-"): value for key, value in changes.items()}


def megaprime(**changes: object) -> dict[str, Any]:
    """Give the header of a MegaPrime raw."""
    header: dict[str, Any] = {
        "INSTRUME": "MegaPrime",
        "EXPNUM": 1038843,
        "OBSID": "1038843",
        "EXTNAME": "ccd02",
        "DATE-OBS": "2008-11-01",
        "UTC-OBS": "14:33:32.40",
        "UTCEND": "14:44:01.96",
        "EXPTIME": 615.037,
        "DARKTIME": 615.0,
        "OBJECT": "w2.+2+2",
        "OBSTYPE": "OBJECT",
        "RUNID": "08BL05",
        "LONGITUD": -155.468876,
        "LATITUDE": 19.825252,
        "FILTER": "i.MP9702",
        "RA_DEG": 135.409417,
        "DEC_DEG": -2.4,
        "RADECSYS": "FK5",
        "EQUINOX": 2000.0,
        "TELALT": 52.02,
        "TELAZ": 122.34,
        "AIRMASS": 1.268,
        "CRVAL1": 135.409417,
        "CRVAL2": -2.4,
        **_TAN,
    }
    del header["RADESYS"]
    return header | {key.upper().replace("_", "-"): value for key, value in changes.items()}


MADE = {"decam": decam(), "hsc": hsc(), "megaprime": megaprime()}


def real_headers(shared_data: Path | None) -> dict[str, dict[str, Any]]:
    """Give the headers of the sample folder that are of single raws; where it is not, made ones."""
    if shared_data is None:
        return MADE
    found = {}
    for path in sorted((shared_data / "headers").glob("*.yaml")):
        # The first is no raw of one detector, the second of no instrument that ships.
        if "megaprime-calexp" not in path.name and "sdss" not in path.name:
            found[path.stem.removeprefix("fitsheader-")] = dict(read_test_file(str(path)))
    return found


def cards(header: Header) -> fits.Header:
    """Give a FITS header with what a file of any shape can have."""
    made = fits.Header()
    for key, value in header.items():
        if not _STRUCTURE.fullmatch(key) and len(key) <= 8 and isinstance(value, str | int | float | bool):
            made[key] = value
    return made


def pixels(shape: tuple[int, int] = (40, 30)) -> np.ndarray:
    """Give an image, y first."""
    return np.arange(shape[0] * shape[1], dtype="i2").reshape(shape)


def write(path: Path, header: Header, shape: tuple[int, int] = (40, 30)) -> Path:
    """Write an image with a header as the primary HDU."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(pixels(shape), cards(header)).writeto(path)
    return path
