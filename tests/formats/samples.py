"""Example objects, and what it means that two are the same."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
from typing import Any

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS

from skyfs.abc.source import ByteSource
from skyfs.formats import Formats
from skyfs.formats.exposure import Exposure, Mask


def small_table() -> Table:
    """A table of what every table format keeps: integers, floats, text, a unit."""
    table = Table({"id": np.array([1, 2, 3], "i8"), "flux": [1.5, -2.25, 1e300], "name": ["a", "bb", "c c"]})
    table["flux"].unit = "Jy"
    return table


def rich_table() -> Table:
    """A table with missing values, NaN, empty text, vectors and metadata."""
    table = small_table()
    table["missing"] = MaskedColumn(np.array([1, 2, 3], "i4"), mask=[False, True, False], unit="s")
    table["holes"] = MaskedColumn(["x", "", "z"], mask=[False, False, True])
    table["blank"] = ["", "b", ""]
    table["ratio"] = np.array([np.nan, 1.0, np.inf], "f4")
    table["flag"] = [True, False, True]
    table["cells"] = np.arange(12.0).reshape(3, 2, 2)
    table.meta = {"survey": "test", "nested": {"deep": [1, 2]}}
    table["id"].description = "a number"
    return table


def image() -> CCDData:
    """An image with mask, uncertainty, WCS and header."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [3.0, 2.0]
    wcs.wcs.cdelt = [-1e-4, 1e-4]
    pixels = np.arange(20, dtype="f4").reshape(4, 5)
    mask = pixels > 17
    found = CCDData(
        pixels, unit="electron", wcs=wcs, mask=mask, uncertainty=StdDevUncertainty(np.sqrt(pixels))
    )
    found.header["OBJECT"] = "M31"
    found.header["EXPTIME"] = 30.5
    return found


def hdus() -> fits.HDUList:
    """A primary HDU with data, an image, a table."""
    table = fits.BinTableHDU.from_columns(
        [fits.Column("x", "E", array=np.arange(5.0, dtype="f4"))], name="CAT"
    )
    scaled = fits.ImageHDU(np.array([[0, 40000], [65535, 7]], "u2"), name="SCI")
    return fits.HDUList([fits.PrimaryHDU(np.arange(6, dtype="i2").reshape(2, 3)), scaled, table])


def exposure() -> Exposure:
    """An exposure with everything."""
    pixels = np.arange(20, dtype="f4").reshape(4, 5)
    mask = Mask((np.arange(20, dtype="i4") % 8).reshape(4, 5), {"BAD": 0, "SAT": 1, "DETECTED": 2})
    extra = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(3.0))], name="EXTRA")
    wcs = image().wcs
    wcs.wcs.crval = [150.12345678901234, 2.345678901234567]
    return Exposure(
        pixels,
        mask,
        np.abs(pixels) + 0.5,
        np.ones((3, 3)) / 9,
        wcs,
        fits.Header(
            [("OBJECT", "M31", "what"), ("EXPTIME", 30.5), ("HISTORY", "made"), ("HISTORY", "twice")]
        ),
        units.nJy,
        fits.HDUList([extra]),
        {"IMAGE": fits.Header([("LTV1", -3.0)])},
    )


def same_table(left: Any, right: Any) -> bool:
    """Tell whether two tables have equal names, dtypes, units, values and missing values."""
    assert isinstance(left, Table)
    assert isinstance(right, Table)
    return left.colnames == right.colnames and all(same_column(left[n], right[n]) for n in left.colnames)


def same_column(left: Any, right: Any) -> bool:
    """Tell whether two columns are equal; what is missing has no value."""
    mask_left, mask_right = np.ma.getmaskarray(left), np.ma.getmaskarray(right)
    values_left, values_right = np.ma.getdata(left), np.ma.getdata(right)
    if values_left.dtype.newbyteorder("=") != values_right.dtype.newbyteorder("="):
        return False
    if str(left.unit) != str(right.unit) or not np.array_equal(mask_left, mask_right):
        return False
    shown = ~mask_left
    return bool(
        np.array_equal(values_left[shown], values_right[shown], equal_nan=values_left.dtype.kind in "fc")
    )


def same_array(left: Any, right: Any) -> bool:
    """Tell whether two arrays have equal dtype, shape and values; NaN equals NaN."""
    assert isinstance(left, np.ndarray)
    assert isinstance(right, np.ndarray)
    nan = left.dtype.kind in "fc"
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=nan)


def same_image(left: Any, right: Any) -> bool:
    """Tell whether two images have equal pixels, unit, mask, uncertainty, WCS and keywords of the sample."""
    assert isinstance(left, CCDData)
    assert isinstance(right, CCDData)
    keywords = all(left.header.get(key) == right.header.get(key) for key in ("OBJECT", "EXPTIME"))
    sky = left.wcs.pixel_to_world_values(1, 2), right.wcs.pixel_to_world_values(1, 2)
    return (
        keywords
        and left.unit == right.unit
        and same_array(left.data, right.data)
        and np.array_equal(left.mask, right.mask)
        and np.array_equal(left.uncertainty.array, right.uncertainty.array)
        and np.allclose(*sky)
    )


def same_hdus(left: Any, right: Any) -> bool:
    """Tell whether two HDULists have HDUs of the same name, dtype and data."""
    assert isinstance(left, fits.HDUList)
    assert isinstance(right, fits.HDUList)
    return len(left) == len(right) and all(_same_hdu(a, b) for a, b in zip(left, right, strict=True))


def _same_hdu(left: Any, right: Any) -> bool:
    if left.name != right.name or (left.data is None) != (right.data is None):
        return False
    return left.data is None or np.array_equal(np.asarray(left.data), np.asarray(right.data))


def dump(
    formats: Formats, value: object, extension: str, storage_class: str, type_name: str | None = None
) -> bytes:
    """Give the bytes that writing an object makes."""
    file = io.BytesIO()
    formats.write(value, file, extension, storage_class, type_name)
    return file.getvalue()


def load(
    formats: Formats, source: ByteSource, extension: str, storage_class: str, as_: type | str | None = None
) -> Any:
    """Read an object of whatever type."""
    return formats.read(source, extension, storage_class, as_)
