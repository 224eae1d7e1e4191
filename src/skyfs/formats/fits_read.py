"""Complete FITS bytes → HDUList, CCDData, Table, array."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .buffer import Buffer, open_whole
from .fits_layout import Extent, extents, main_image
from .images import hdu_to_array, image_unit, native

if TYPE_CHECKING:
    from astropy.nddata import CCDData
    from astropy.table import Table


def read_hdus(source: ByteSource) -> fits.HDUList:
    """Read all HDUs.

    The list keeps the whole file in memory, and decodes data when they are first touched: tables, plain and
    tile-compressed images that nobody touches are written again bit for bit. Images scaled by BSCALE are
    written as floating point of the same values (astropy's way).
    """
    return fits.open(io.BytesIO(source.read_all()), memmap=False, lazy_load_hdus=False)


def read_image(source: ByteSource) -> CCDData:
    """Read the first 2-d image, or else the first of any dimension, with what belongs to it."""
    from astropy.nddata import fits_ccddata_reader

    found = list(extents(source))
    main = main_image(found)
    refuse_double_solution(main)
    with open_whole(source) as file:
        header = fits.Header.fromstring(main.cards)
        # The reader knows extensions MASK, UNCERT and PSFIMAGE, as CCDData.to_hdu writes them.
        image = fits_ccddata_reader(file, hdu=main.index, unit=image_unit(header), memmap=False)
    if main.index > 0:
        image.header.extend(fits.Header.fromstring(found[0].cards), strip=True, unique=True)
    image.data = native(image.data)
    if image.uncertainty is not None:
        image.uncertainty.array = native(image.uncertainty.array)
    return image


def read_array(source: ByteSource) -> np.ndarray:
    """Read the pixels of the image that `read_image` takes."""
    main = main_image(list(extents(source)))
    with open_whole(source) as file, fits.open(file, memmap=False) as hdus:
        return native(hdus[main.index].data)


def read_table(source: ByteSource) -> Table:
    """Read the first table that is not a compressed image.

    NaN and empty text stay what they are; only integers equal to TNULL are masked.
    """
    for extent in extents(source):
        if extent.kind in ("BINTABLE", "TABLE") and not extent.compressed:
            with open_whole(source) as file:
                return _table(file, extent.index, astropy_native=b"TCTYP" in extent.cards)
    raise BadContent("no table in the FITS file", "it has images only", "read it as Hdus, Image or Array")


def hdu_to_image(hdu: fits.PrimaryHDU | fits.ImageHDU) -> CCDData:
    """Make an image of one image HDU."""
    return hdus_to_image(fits.HDUList([fits.PrimaryHDU(hdu_to_array(hdu), hdu.header.copy())]))


def hdus_to_image(hdus: fits.HDUList) -> CCDData:
    """Make an image of the first image HDU, with mask and uncertainty, as if read from a file."""
    file = io.BytesIO()
    hdus.writeto(file)
    return read_image(Buffer(file.getvalue()))


def hdus_to_table(hdus: fits.HDUList) -> Table:
    """Give the first table of an HDUList."""
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
            return _table(hdus, hdus.index_of(hdu))
    raise BadContent("no table among the HDUs", f"there are {len(hdus)} HDUs, none a table")


def _lazily(name: str) -> Callable[[ByteSource], object]:
    """Give a reader of `exposure_fits`, which imports astropy when it is imported itself."""

    def read(source: ByteSource) -> object:
        from . import exposure_fits

        found: object = getattr(exposure_fits, name)(source)
        return found

    return read


READERS: Mapping[str, Callable[[ByteSource], object]] = {
    "Hdus": read_hdus,
    "Image": read_image,
    "Table": read_table,
    "Array": read_array,
    "Exposure": _lazily("read_exposure"),
    "Mask": _lazily("read_mask"),
    "Header": _lazily("read_header"),
    "Wcs": _lazily("read_wcs"),
}


def refuse_double_solution(extent: Extent) -> None:
    """Refuse a header with both plate constants of the Digitized Sky Survey and distortion polynomials.

    wcslib overruns its buffers on it (astropy 8.0.2), which ends the process.
    """
    if b"AMDX1 " in extent.cards and b"CQDIS" in extent.cards:
        raise BadContent(
            f"the WCS of FITS HDU {extent.index} cannot be read",
            "it has plate constants (AMDX1) and distortion polynomials (CQDIS1) at once",
            "remove one of them, or read it as Hdus or Array",
        )


def _table(file: object, index: int, *, astropy_native: bool = False) -> Table:
    """Read one table; ``astropy_native`` makes `Time` of columns that are declared as times."""
    from astropy.table import Table

    # mask_invalid would turn every NaN and every empty text into a missing value.
    table = Table.read(
        file,
        format="fits",
        hdu=index,
        memmap=False,
        mask_invalid=False,
        unit_parse_strict="silent",
        astropy_native=astropy_native,
    )
    for key, value in table.meta.items():
        if isinstance(value, fits.card.Undefined):
            table.meta[key] = None
    for column in list(table.columns.values()):
        # FITS text is ASCII; what is not (binary blobs in character columns) stays bytes.
        if getattr(getattr(column, "dtype", None), "kind", "") == "S":
            _decode(table, column.info.name)
    return table


def _decode(table: Table, name: str) -> None:
    column = table[name]
    try:
        text = np.char.decode(np.asarray(column), "utf-8")
    except UnicodeDecodeError:
        return
    decoded = type(column)(text, name=name, copy=False)
    for attribute in ("unit", "format", "description", "meta"):
        setattr(decoded.info, attribute, getattr(column.info, attribute))
    if getattr(column, "mask", None) is not None:
        decoded.mask = column.mask
    table.replace_column(name, decoded)
