"""Exposures in FITS files: a primary HDU of metadata, then IMAGE, MASK, VARIANCE, others, and PSF.

So the Rubin pipelines write them (afw), often tile-compressed, with archive tables behind, which their
primary HDU finds by number (AR_HDU): that is why unknown HDUs keep their places and the PSF comes last. The
header of the mask names its planes: ``MP_SAT = 1`` says that bit 1 means SAT.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .buffer import Buffer
from .exposure import Exposure, Mask, as_image
from .fits_layout import BLOCK, Extent, extents, main_image
from .images import exact_unit, native
from .wcs_cards import LOOKUP_TABLES, lookup_hdus, own_cards, wcs_cards, wcs_of

_PLANE = "MP_"
_NAMES = ("IMAGE", "MASK", "VARIANCE", "PSF")
# An extension alone is no file: this stands in front.
_STUB = fits.PrimaryHDU().header.tostring().encode("ascii")


def exposure_to_hdus(exposure: Exposure) -> fits.HDUList:
    """Give an exposure as HDUs."""
    header = exposure.header.copy()
    if "BUNIT" in header:
        header["BUNIT"] = exposure.unit.to_string()
    hdus = [fits.PrimaryHDU(header=header), _image_hdu(exposure, "IMAGE", exposure.image, exposure.unit)]
    if exposure.mask is not None:
        hdus.append(mask_hdu(exposure.mask, exposure.wcs))
    if exposure.variance is not None:
        hdus.append(_image_hdu(exposure, "VARIANCE", exposure.variance, exposure.unit**2))
    hdus.extend(exposure.others)
    if exposure.psf is not None:
        hdus.append(fits.ImageHDU(exposure.psf, exposure.cards("PSF").copy(), name="PSF"))
    if exposure.wcs is not None:
        hdus.extend(lookup_hdus(exposure.wcs))
    return fits.HDUList(hdus)


def mask_hdu(mask: Mask, wcs: WCS | None = None) -> fits.ImageHDU:
    """Give a mask as an extension."""
    header = mask.header.copy()
    if wcs is not None:
        header.extend(wcs_cards(wcs, header), unique=True)
    for name, bit in mask.planes.items():
        # Longer names than FITS has room for become HIERARCH cards, as afw writes them.
        key = f"{_PLANE}{name}"
        header[key if len(key) <= 8 else f"HIERARCH {key}"] = bit
    header["EXTTYPE"] = "MASK"
    return fits.ImageHDU(mask.array, header, name="MASK")


def mask_to_hdus(mask: Mask) -> fits.HDUList:
    """Give a mask as a file of its own."""
    return fits.HDUList([fits.PrimaryHDU(), mask_hdu(mask)])


def header_to_hdus(header: fits.Header) -> fits.HDUList:
    """Give metadata as a file of its own."""
    return fits.HDUList([fits.PrimaryHDU(header=own_cards(header, wcs=True, unit=True))])


def wcs_to_hdus(wcs: WCS) -> fits.HDUList:
    """Give a WCS as a file of its own: cards without pixels."""
    header = wcs_cards(wcs)
    if wcs.pixel_shape is not None:
        # Which pixels it is meant for; NAXISn would promise data.
        for axis, length in enumerate(wcs.pixel_shape, 1):
            header[f"ZNAXIS{axis}"] = length
    return fits.HDUList([fits.PrimaryHDU(header=header), *lookup_hdus(wcs)])


class ExposureFile:
    """The HDUs of an exposure's file. Headers are read at once, data when they are asked for."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._extents = list(extents(source))
        named: dict[str, Extent] = {}
        for extent in self._extents:
            named.setdefault(_name(extent), extent)
        self._image = named.get("IMAGE") or main_image(self._extents)
        self._named = {"IMAGE": self._image}
        for name in _NAMES[1:]:
            if name in named and named[name].image_axes:
                self._named[name] = named[name]

    def read(self) -> Exposure:
        """Read the whole."""
        arrays = {name: self._pixels(name) for name in self._named}
        return Exposure(
            arrays["IMAGE"][0],
            _mask(*arrays["MASK"]) if "MASK" in arrays else None,
            arrays["VARIANCE"][0] if "VARIANCE" in arrays else None,
            arrays["PSF"][0] if "PSF" in arrays else None,
            self._wcs,
            self._metadata,
            self._unit,
            fits.HDUList(self._others()),
            {name: self._own(name, header) for name, (_, header) in arrays.items() if name != "MASK"},
        )

    def component(self, name: str) -> object:
        """Read one component as `exposure.component_of` gives it; None when there is none."""
        readers: Mapping[str, Callable[[], object]] = {
            "image": lambda: self._as_image("IMAGE", self._unit, self._wcs),
            "mask": lambda: _mask(*self._pixels("MASK")) if "MASK" in self._named else None,
            "variance": lambda: self._as_image("VARIANCE", self._unit**2, self._wcs),
            "psf": lambda: self._as_image("PSF", units.dimensionless_unscaled, None),
            "wcs": lambda: self._wcs,
            "header": lambda: self._metadata,
            "others": self._others_with_primary,
        }
        if name not in readers:
            raise BadArgument(
                f"component {name!r} of Exposure", "unknown", f"components are: {', '.join(readers)}"
            )
        return readers[name]()

    def _as_image(self, name: str, unit: units.UnitBase, wcs: WCS | None) -> object:
        if name not in self._named:
            return None
        pixels, header = self._pixels(name)
        return as_image(pixels, unit, wcs, self._own(name, header))

    def _pixels(self, name: str) -> tuple[np.ndarray, fits.Header]:
        """Read one image."""
        with self._open([self._named[name]]) as hdus:
            hdu = hdus[0 if self._named[name].index == 0 else 1]
            return native(hdu.data), hdu.header

    def _own(self, name: str, header: fits.Header) -> fits.Header:
        # The cards of a primary image are the metadata of the whole.
        return fits.Header() if self._named[name].index == 0 else own_cards(header)

    @cached_property
    def _metadata(self) -> fits.Header:
        return own_cards(fits.Header.fromstring(self._extents[0].cards), unit=True)

    @cached_property
    def _image_header(self) -> fits.Header:
        header = fits.Header.fromstring(self._image.cards)
        # A compressed image is inside a table, whose axes are others.
        for axis, length in enumerate(self._image.image_axes, 1):
            header[f"NAXIS{axis}"] = length
        return header

    @cached_property
    def _unit(self) -> units.UnitBase:
        primary = fits.Header.fromstring(self._extents[0].cards)
        return exact_unit(self._image_header if "BUNIT" in self._image_header else primary)

    @cached_property
    def _wcs(self) -> WCS | None:
        tables = [extent for extent in self._extents if _name(extent) in LOOKUP_TABLES]
        if not tables:
            return wcs_of(self._image_header)
        with self._open(tables) as hdus:
            return wcs_of(self._image_header, hdus)

    def _others_with_primary(self) -> fits.HDUList | None:
        found = self._others()
        return fits.HDUList([fits.PrimaryHDU(), *found]) if found else None

    def _others(self) -> list[fits.hdu.base.ExtensionHDU]:
        """Read unknown HDUs; untouched, they are written again bit for bit."""
        known = {extent.index for extent in self._named.values()}
        unknown = [
            extent
            for extent in self._extents[1:]
            if extent.index not in known and _name(extent) not in LOOKUP_TABLES
        ]
        return list(self._open(unknown)[1:]) if unknown else []

    def _open(self, wanted: Iterable[Extent]) -> fits.HDUList:
        """Read some HDUs as a file of their own."""
        chosen = list(wanted)
        pieces = self._source.read_many([(e.start, e.data_start + e.data_size) for e in chosen])
        data = b"".join(piece.ljust(-(-len(piece) // BLOCK) * BLOCK, b"\0") for piece in pieces)
        data = data if chosen[0].index == 0 else _STUB + data
        return fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=False)


def read_exposure(source: ByteSource) -> Exposure:
    """Read an exposure; a file of another kind gives its first image, and MASK and VARIANCE if there are."""
    return ExposureFile(source).read()


def read_mask(source: ByteSource) -> Mask:
    """Read the extension MASK, or else the first image."""
    with fits.open(io.BytesIO(source.read_all()), memmap=False) as hdus:
        for hdu in sorted(hdus, key=lambda hdu: hdu.name != "MASK"):
            if hdu.is_image and hdu.data is not None:
                return _mask(native(hdu.data), hdu.header)
    raise BadContent("no mask in the FITS file", "none of its HDUs has an image")


def read_header(source: ByteSource) -> fits.Header:
    """Read the cards of the primary HDU, without those of the file's structure."""
    return own_cards(fits.Header.fromstring(next(extents(source)).cards), wcs=True, unit=True)


def read_wcs(source: ByteSource) -> WCS:
    """Read the WCS of a file that holds one, or that of its first image."""
    found = list(extents(source))
    primary = fits.Header.fromstring(found[0].cards)
    header = primary if "CTYPE1" in primary else fits.Header.fromstring(main_image(found).cards)
    tables = any(_name(extent) in LOOKUP_TABLES for extent in found)
    hdus = fits.open(io.BytesIO(source.read_all()), memmap=False) if tables else None
    wcs = wcs_of(header, hdus)
    if wcs is None:
        raise BadContent("no WCS in the FITS file", "its headers have no CTYPE1")
    if "ZNAXIS1" in header and "NAXIS1" not in header:
        wcs.pixel_shape = tuple(header[f"ZNAXIS{n}"] for n in range(1, wcs.naxis + 1))
    return wcs


def hdus_to_exposure(hdus: fits.HDUList) -> Exposure:
    """Make an exposure of HDUs, as if read from a file."""
    file = io.BytesIO()
    hdus.writeto(file)
    return read_exposure(Buffer(file.getvalue()))


def _image_hdu(exposure: Exposure, name: str, pixels: np.ndarray, unit: units.UnitBase) -> fits.ImageHDU:
    header = exposure.cards(name).copy()
    if exposure.wcs is not None:
        header.extend(wcs_cards(exposure.wcs, header), unique=True)
    header["BUNIT"] = unit.to_string()
    header["EXTTYPE"] = name
    return fits.ImageHDU(pixels, header, name=name)


def _mask(array: np.ndarray, header: fits.Header) -> Mask:
    if array.dtype.kind not in "iu":
        raise BadContent("cannot read the mask", f"its pixels are {array.dtype}", "they should be integers")
    planes = {key.removeprefix(_PLANE): bit for key, bit in header.items() if key.startswith(_PLANE)}
    wrong = {name: bit for name, bit in planes.items() if type(bit) is not int}
    if wrong:
        raise BadContent("cannot read the mask", f"its planes {wrong} are no numbers of bits")
    own = own_cards(header)
    for name in planes:
        del own[f"{_PLANE}{name}"]
    return Mask(array, planes, own)


def _name(extent: Extent) -> str:
    """Give EXTNAME; of the primary HDU it is none."""
    if extent.index == 0 or b"EXTNAME =" not in extent.cards:
        return ""
    return str(fits.Header.fromstring(extent.cards).get("EXTNAME", "")).strip().upper()
