"""HDUList, CCDData, Table, array → FITS bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from astropy.io import fits

from skyfs.errors import BadArgument

from .fits_tiles import without_times
from .guards import refuse_options, refuse_value
from .masks import with_masks
from .wcs_cards import drop_plate_constants

if TYPE_CHECKING:
    from astropy.nddata import CCDData
    from astropy.table import Column, Table

_COMPRESSIONS = ("auto", "none", "RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1")
_TILING = ("tile_shape", "quantize_level", "quantize_method", "dither_seed", "hcomp_scale", "hcomp_smooth")
_SEED_OF_DATA = -1
_QUANTIZE = {"none": -1, "no_dither": -1, "dither_1": 1, "dither_2": 2}


def parse_options(options: Mapping[str, object]) -> Mapping[str, object]:
    """Check writer options.

    Raises
    ------
    BadArgument
        When one is unknown or has an impossible value.
    """
    refuse_options("FITS", options, ("compression", *_TILING, "checksum"))
    compression = options.get("compression", "none")
    if compression not in _COMPRESSIONS:
        raise BadArgument(f"option compression={compression!r}", todo=f"one of {', '.join(_COMPRESSIONS)}")
    if compression == "none" and (idle := sorted(set(options) & set(_TILING))):
        raise BadArgument(f"option {', '.join(idle)}", "the image is not compressed", "give compression too")
    method = options.get("quantize_method")
    if isinstance(method, str) and method not in _QUANTIZE:
        raise BadArgument(f"option quantize_method={method!r}", todo=f"one of {', '.join(_QUANTIZE)}")
    return options


def write_hdus(value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
    """Write an object of one of the storage classes of FITS."""
    hdus = _to_hdus(value)
    if options.get("compression", "none") != "none":
        hdus = without_times(_compress(hdus, options))
    hdus.writeto(_Sink(file), checksum=bool(options.get("checksum", False)), output_verify="fix+warn")


class _Sink:
    """A file that can only be written.

    astropy looks at names, modes and types of the files it gets, and refuses or closes some; of this one it
    can know nothing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._written += memoryview(data).nbytes
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._written


def _to_hdus(value: object) -> fits.HDUList:
    from astropy.nddata import CCDData
    from astropy.table import Table
    from astropy.wcs import WCS

    from . import exposure_fits
    from .exposure import Exposure, Mask

    # One for each storage class of FITS.
    makers: tuple[tuple[type, Callable[[Any], fits.HDUList]], ...] = (
        (fits.HDUList, lambda hdus: hdus),
        (CCDData, image_to_hdus),
        (Table, table_to_hdus),
        (np.ndarray, array_to_hdus),
        (Exposure, exposure_fits.exposure_to_hdus),
        (Mask, exposure_fits.mask_to_hdus),
        (fits.Header, exposure_fits.header_to_hdus),
        (WCS, exposure_fits.wcs_to_hdus),
    )
    for kind, make in makers:
        if isinstance(value, kind):
            return make(value)
    accepted = "HDUList, CCDData, Table, numpy array, Exposure, Mask, Header or WCS"
    raise refuse_value("FITS", value, accepted)


def hdu_to_hdus(hdu: fits.PrimaryHDU | fits.ImageHDU | fits.BinTableHDU) -> fits.HDUList:
    """Put one HDU into a list, after an empty primary HDU when it is an extension."""
    return fits.HDUList([hdu]) if isinstance(hdu, fits.PrimaryHDU) else fits.HDUList([fits.PrimaryHDU(), hdu])


def image_to_hdus(image: CCDData) -> fits.HDUList:
    """Write pixels, header and WCS to the primary HDU; mask, uncertainty and PSF to extensions."""
    if image.flags is not None:
        raise BadArgument("a CCDData with flags", "FITS has no place for them", "put them into the mask")
    if image.data.dtype.kind == "b":
        raise BadArgument("a CCDData of booleans", "FITS has no boolean images", "use uint8")
    hdus = image.to_hdu()
    if "CQDIS1" in hdus[0].header:
        drop_plate_constants(hdus[0].header)
    # to_hdu leaves BUNIT out of dimensionless images, which would come back in adu.
    hdus[0].header["BUNIT"] = image.unit.to_string()
    return hdus


def table_to_hdus(table: Table) -> fits.HDUList:
    """Write a table to the first extension."""
    file = io.BytesIO()
    # Only Table.write encodes times and coordinates; table_to_hdu refuses them.
    with_masks(table, "fits", _needs_mask).write(file, format="fits")
    return fits.open(io.BytesIO(file.getvalue()), memmap=False, lazy_load_hdus=False)


def _needs_mask(column: Column) -> bool:
    """Tell whether missing values would be lost: FITS marks integers (TNULL) and floats (NaN) only."""
    mask = getattr(column, "mask", None)
    return mask is not None and column.dtype.kind in "USb" and bool(mask.any())


def array_to_hdus(array: np.ndarray) -> fits.HDUList:
    """Write an array to the primary HDU."""
    if isinstance(array, np.ma.MaskedArray):
        raise BadArgument("a masked array", "FITS images have no masks", "make it a CCDData, or fill it")
    if array.dtype.names is not None:
        raise BadArgument("a structured array", "it is a table", "use storage class Table")
    sizes = {"i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (4, 8)}
    if array.ndim == 0 or array.size == 0 or array.dtype.itemsize not in sizes.get(array.dtype.kind, ()):
        raise BadArgument(
            f"an array of shape {array.shape} and type {array.dtype}",
            "is no FITS image",
            "use integers, float32 or float64, and at least one element",
        )
    return fits.HDUList([fits.PrimaryHDU(np.asarray(array))])


def _compress(hdus: fits.HDUList, options: Mapping[str, object]) -> fits.HDUList:
    """Give a list whose images are tile-compressed; a primary image becomes the first extension."""
    packed = [fits.PrimaryHDU()]
    for index, hdu in enumerate(hdus):
        if isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU) and _is_image(hdu):
            packed.append(_compressed(hdu, options))
        elif index == 0:
            packed[0] = hdu
        else:
            packed.append(hdu)
    return fits.HDUList(packed)


def _is_image(hdu: fits.PrimaryHDU | fits.ImageHDU) -> bool:
    return hdu.data is not None and hdu.data.size > 0 and type(hdu).__name__ != "GroupsHDU"


def _compressed(hdu: fits.PrimaryHDU | fits.ImageHDU, options: Mapping[str, object]) -> fits.CompImageHDU:
    chosen = {key: options[key] for key in _TILING if key in options}
    kind = options["compression"]
    if kind == "auto":
        # RICE works on integers up to 32 bit. For floating point it would have to quantize, which loses bits.
        kind = "RICE_1" if hdu.data.dtype.kind in "iu" and hdu.data.dtype.itemsize <= 4 else "GZIP_2"
    if hdu.data.dtype.kind == "f":
        chosen.setdefault("quantize_level", 0.0)
        # Dithering starts from the clock otherwise.
        chosen.setdefault("dither_seed", _SEED_OF_DATA)
    if isinstance(chosen.get("quantize_method"), str):
        chosen["quantize_method"] = _QUANTIZE[str(chosen["quantize_method"])]
    return fits.CompImageHDU(
        hdu.data, hdu.header.copy(), name=hdu.name or None, compression_type=kind, **chosen
    )
