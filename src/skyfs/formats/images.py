"""Images in memory: CCDData, HDUs and arrays made into one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData

from skyfs.errors import BadArgument

if TYPE_CHECKING:
    from astropy.nddata import NDUncertainty
    from astropy.units import UnitBase


def native(array: np.ndarray) -> np.ndarray:
    """Give the array in the machine's byte order, changed in place when it can be (it is ours)."""
    if array.dtype.isnative:
        return array
    if array.flags.writeable:
        return array.byteswap(inplace=True).view(array.dtype.newbyteorder())
    return array.astype(array.dtype.newbyteorder("="))


def image_unit(header: fits.Header) -> UnitBase | None:
    """Give the unit that astropy's reader would not find by itself; None when BUNIT says it well."""
    text = header.get("BUNIT")
    unit = exact_unit(header)
    known = isinstance(text, str) and text.strip() and not isinstance(unit, units.UnrecognizedUnit)
    return None if known else unit


def exact_unit(header: fits.Header) -> UnitBase:
    """Give the unit of an image.

    Images without BUNIT are in adu. A unit that astropy does not know is kept by its name.
    """
    text = header.get("BUNIT")
    if not isinstance(text, str):
        return units.adu
    text = text.strip()
    text = "adu" if text.lower() == "adu" else text
    return units.Unit(CCDData.known_invalid_fits_unit_strings.get(text, text), parse_strict="silent")


def array_to_image(array: np.ndarray) -> CCDData:
    """Make an image in adu of an array; a masked array gives its mask."""
    if array.dtype.kind not in "iufb" or array.ndim == 0:
        raise BadArgument(f"an array of {array.dtype} of shape {array.shape}", "is no image")
    mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    return CCDData(np.ma.getdata(array), unit="adu", mask=mask)


def image_to_array(image: CCDData) -> np.ndarray:
    """Give the pixels."""
    data: np.ndarray = image.data
    return data


def uncertainty_to_array(uncertainty: NDUncertainty) -> np.ndarray:
    """Give the values of an uncertainty, whatever its kind."""
    array: np.ndarray = uncertainty.array
    return array


def hdu_to_array(hdu: fits.PrimaryHDU | fits.ImageHDU) -> np.ndarray:
    """Give the pixels of one HDU."""
    if hdu.data is None:
        raise BadArgument(f"HDU {hdu.name!r}", "it has no data")
    data: np.ndarray = hdu.data
    return data


def hdus_to_array(hdus: fits.HDUList) -> np.ndarray:
    """Give the pixels of the first 2-d image, or else of the first of any dimension."""
    images: list[np.ndarray] = [hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None]
    for image in images:
        if image.ndim == 2:
            return image
    if not images:
        raise BadArgument("no image among the HDUs", f"there are {len(hdus)} HDUs, none with pixels")
    return images[0]
