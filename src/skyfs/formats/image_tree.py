"""Images and exposures ↔ nested mappings of text, numbers and arrays, which HDF5 and ASDF files hold.

Headers and WCSs are FITS cards, one a line: every program can read them, and nothing of them is lost.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDUncertainty,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import WCS

from skyfs.errors import BadArgument, BadContent

from .buffer import Buffer
from .exposure import Exposure, Mask, component_of
from .exposure_fits import read_wcs, wcs_to_hdus
from .guards import making
from .images import native
from .wcs_cards import lookup_hdus, own_cards, wcs_cards, wcs_of

KIND = "skyfs"
"""The key that says what a tree is: ``Image`` or ``Exposure``."""
PIXELS = {"Image": "data", "Exposure": "image"}
"""Where the pixels are in each kind of tree."""
BULK = frozenset(("image", "mask", "variance", "psf", "others"))
"""What of an exposure's tree is large, each read for its own component only."""
_OWN_CARDS = ("IMAGE", "VARIANCE", "PSF")
_UNCERTAINTIES: Mapping[str, type[NDUncertainty]] = {
    kind().uncertainty_type: kind
    for kind in (StdDevUncertainty, VarianceUncertainty, InverseVariance, UnknownUncertainty)
}


def image_to_tree(image: CCDData) -> dict[str, object]:
    """Give all of an image."""
    if image.flags is not None:
        raise BadArgument("a CCDData with flags", "files have no place for them", "put them into the mask")
    tree: dict[str, object] = {KIND: "Image", "data": np.asarray(image.data), "unit": image.unit.to_string()}
    if image.mask is not None:
        tree["mask"] = np.asarray(image.mask)
    if image.uncertainty is not None:
        found = image.uncertainty
        tree["uncertainty"] = {"type": found.uncertainty_type, "array": np.asarray(found.array)}
        if found.unit is not None:
            cast("dict[str, object]", tree["uncertainty"])["unit"] = found.unit.to_string()
    if image.psf is not None:
        tree["psf"] = np.asarray(image.psf)
    header = image.meta if isinstance(image.meta, fits.Header) else fits.Header(dict(image.meta))
    return {**tree, **_cards("header", own_cards(header)), **_wcs_tree(image.wcs)}


@making("an image")
def tree_to_image(tree: Mapping[str, Any]) -> CCDData:
    """Make the image that `image_to_tree` was given; of an array alone, one in adu."""
    uncertainty = tree.get("uncertainty")
    if uncertainty is not None:
        kind = _UNCERTAINTIES.get(_text(uncertainty, "type"))
        if kind is None:
            raise BadContent("cannot read the image", f"uncertainty of type {uncertainty.get('type')!r}")
        unit = _unit(uncertainty["unit"]) if "unit" in uncertainty else None
        uncertainty = kind(_array(uncertainty, "array"), unit=unit)
    return CCDData(
        _array(tree, "data"),
        unit=_unit(tree.get("unit", "adu")),
        mask=_array(tree, "mask") if "mask" in tree else None,
        uncertainty=uncertainty,
        psf=_array(tree, "psf") if "psf" in tree else None,
        meta=_header(tree, "header"),
        wcs=_wcs(tree),
    )


def exposure_to_tree(exposure: Exposure) -> dict[str, object]:
    """Give all of an exposure."""
    tree: dict[str, object] = {KIND: "Exposure", "image": exposure.image, "unit": exposure.unit.to_string()}
    if exposure.mask is not None:
        planes = {name: int(bit) for name, bit in exposure.mask.planes.items()}
        header = _cards("header", exposure.mask.header)
        tree["mask"] = {"array": exposure.mask.array, "planes": planes, **header}
    arrays = {"variance": exposure.variance, "psf": exposure.psf}
    tree |= {name: array for name, array in arrays.items() if array is not None}
    tree |= {**_cards("header", exposure.header), **_wcs_tree(exposure.wcs)}
    headers = {key: text for name in _OWN_CARDS for key, text in _cards(name, exposure.cards(name)).items()}
    if headers:
        tree["headers"] = headers
    if exposure.others:
        tree["others"] = _file(fits.HDUList([fits.PrimaryHDU(), *exposure.others]))
    return tree


@making("an exposure")
def tree_to_exposure(tree: Mapping[str, Any]) -> Exposure:
    """Make the exposure that `exposure_to_tree` was given."""
    mask = None
    if "mask" in tree:
        planes = {str(name): int(bit) for name, bit in tree["mask"].get("planes", {}).items()}
        mask = Mask(_array(tree["mask"], "array"), planes, _header(tree["mask"], "header"))
    headers = tree.get("headers", {})
    return Exposure(
        _array(tree, "image"),
        mask,
        _array(tree, "variance") if "variance" in tree else None,
        _array(tree, "psf") if "psf" in tree else None,
        _wcs(tree),
        _header(tree, "header"),
        _unit(tree.get("unit", "adu")),
        _hdus(tree),
        {name: _header(headers, name) for name in headers},
    )


def part_of_tree(tree: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> object:
    """Give a component of the exposure in a tree of which little is read yet.

    Parameters
    ----------
    tree
        As `exposure_to_tree` made it; arrays may be anything that has a shape.
    name
        Of the component.
    read
        Makes values and arrays of what the tree holds.
    """
    # Cards and WCS are read as of a whole, whose pixels nobody looks at.
    pixels = np.broadcast_to(np.zeros((), "i1"), getattr(tree.get("image"), "shape", ()))
    wanted = {key: read(value) for key, value in tree.items() if key not in BULK or key == name}
    return component_of(tree_to_exposure({"image": pixels, **wanted}), name)


def _cards(key: str, header: fits.Header) -> dict[str, object]:
    return {key: header.tostring(sep="\n", endcard=False, padding=False)} if len(header) else {}


def _header(tree: Mapping[str, Any], key: str) -> fits.Header:
    return fits.Header.fromstring(_text(tree, key), sep="\n") if key in tree else fits.Header()


def _wcs_tree(wcs: WCS | None) -> dict[str, object]:
    if wcs is None:
        return {}
    if not isinstance(wcs, WCS):
        # A high-level WCS (gwcs, a sliced one) has no cards.
        raise BadArgument(f"a WCS of type {type(wcs).__name__}", "it has no FITS keywords", "leave it out")
    tree = _cards("wcs", wcs_cards(wcs))
    if wcs.pixel_shape is not None:
        tree["pixel_shape"] = [int(length) for length in wcs.pixel_shape]
    if lookup_hdus(wcs):
        tree["wcs_tables"] = _file(wcs_to_hdus(wcs))
    return tree


def _wcs(tree: Mapping[str, Any]) -> WCS | None:
    if "wcs_tables" in tree:
        return read_wcs(Buffer(_array(tree, "wcs_tables").tobytes()))
    if "wcs" not in tree:
        return None
    found = wcs_of(_header(tree, "wcs"))
    if found is not None and "pixel_shape" in tree:
        found.pixel_shape = tuple(int(length) for length in tree["pixel_shape"])
    return found


def _file(hdus: fits.HDUList) -> np.ndarray:
    """Give the bytes of a FITS file, as it is stored inside another."""
    file = io.BytesIO()
    hdus.writeto(file, output_verify="ignore")
    return np.frombuffer(file.getvalue(), np.uint8)


def _hdus(tree: Mapping[str, Any]) -> fits.HDUList:
    if "others" not in tree:
        return fits.HDUList()
    file = io.BytesIO(_array(tree, "others").tobytes())
    return fits.HDUList(fits.open(file, memmap=False, lazy_load_hdus=False)[1:])


def _unit(text: object) -> units.UnitBase:
    return units.Unit(str(text), parse_strict="silent")


def _array(tree: Mapping[str, Any], key: str) -> np.ndarray:
    found = tree.get(key)
    if not isinstance(found, np.ndarray):
        raise BadContent("cannot read the image", f"it has no array {key!r}")
    return native(found)


def _text(tree: Mapping[str, Any], key: str) -> str:
    found = tree.get(key)
    if not isinstance(found, str):
        raise BadContent("cannot read the image", f"{key!r} is no text")
    return found
