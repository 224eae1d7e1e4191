"""Exposures: pixels with what belongs to them, as survey pipelines keep it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, VarianceUncertainty

from skyfs.errors import BadArgument

from .images import native
from .wcs_cards import own_cards, wcs_cards

if TYPE_CHECKING:
    from astropy.wcs import WCS

# Planes that say that a source was found, not that a pixel is bad.
_DETECTIONS = frozenset(("DETECTED", "DETECTED_NEGATIVE"))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """An integer for each pixel, whose bits have names.

    Attributes
    ----------
    array
        Integers of the image's shape.
    planes
        Name → number of the bit, from 0: ``{"BAD": 0, "SAT": 1}``.
    header
        Other cards of the mask's HDU.

    Raises
    ------
    BadArgument
        When the array is not of integers, or a bit does not fit them.
    """

    array: np.ndarray
    planes: Mapping[str, int] = field(default_factory=dict)
    header: fits.Header = field(default_factory=fits.Header)

    def __post_init__(self) -> None:
        if self.array.dtype.kind not in "iu":
            raise BadArgument(f"a mask of {self.array.dtype}", "its pixels hold bits", "give integers")
        last = self.array.dtype.itemsize * 8 - 1
        wrong = [name for name, bit in self.planes.items() if not 0 <= bit <= last]
        if wrong:
            raise BadArgument(f"mask planes {', '.join(wrong)}", f"{self.array.dtype} has bits 0 to {last}")

    def bits(self, *names: str) -> int:
        """Give the value of pixels in which just these planes are set.

        Raises
        ------
        BadArgument
            When there is no such plane.
        """
        unknown = sorted(set(names) - set(self.planes))
        if unknown:
            known = ", ".join(self.planes) or "none"
            raise BadArgument(f"mask plane {', '.join(unknown)}", "unknown", f"planes are: {known}")
        return sum({1 << self.planes[name] for name in names})

    def flagged(self, *names: str) -> np.ndarray:
        """Tell of each pixel whether any of these planes is set; any bit at all, when none is named."""
        if not names:
            return np.asarray(self.array != 0)
        # In unsigned numbers, because the highest bit of a signed one is its sign.
        unsigned = self.array.view(self.array.dtype.str.replace("i", "u"))
        return np.asarray(unsigned & unsigned.dtype.type(self.bits(*names)) != 0)

    def __getitem__(self, slices: Any) -> Mask:  # noqa: ANN401 - whatever numpy takes
        """Give a copy of part of the pixels, by numpy's indexing, with all planes and cards."""
        return replace(self, array=np.array(self.array[slices]))

    def __array__(
        self,
        dtype: np.dtype | None = None,
        copy: bool | None = None,  # noqa: FBT001 - numpy's protocol
    ) -> np.ndarray:
        return np.array(self.array, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        mine, theirs = (self.planes, self.header.tostring()), (other.planes, other.header.tostring())
        return mine == theirs and _same(self.array, other.array)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """An image with mask, variance, PSF, WCS, metadata, and whatever else its file had.

    Its attributes cannot be set; ``dataclasses.replace(exposure, variance=...)`` makes another. Two are equal
    when all pixels, cards and HDUs are.

    Attributes
    ----------
    image
        Pixels, of any number type; the type is kept in files.
    mask
        Integers with named bits, or None.
    variance
        Of each pixel, in ``unit`` squared, or None.
    psf
        Pixels of the point spread function, or None.
    wcs
        `astropy.wcs.WCS`, or None.
    header
        Metadata of the whole: cards of the primary HDU, neither structure nor WCS.
    unit
        Of the pixels; adu unless said otherwise.
    others
        HDUs that skyfs does not know, carried along unchanged; an HDUList without a primary HDU.
    headers
        Other cards of the HDUs ``IMAGE``, ``VARIANCE`` and ``PSF``, such as LTV1 and alternate WCSs.

    Raises
    ------
    BadArgument
        When mask or variance do not have the image's shape.

    Examples
    --------
    >>> import numpy as np
    >>> mask = Mask(np.array([[0, 2], [1, 3]]), {"BAD": 0, "SAT": 1})
    >>> exposure = Exposure(np.zeros((2, 2), "f4"), mask, np.ones((2, 2), "f4"))
    >>> exposure.mask.flagged("SAT").tolist()
    [[False, True], [False, True]]
    """

    image: np.ndarray
    mask: Mask | None = None
    variance: np.ndarray | None = None
    psf: np.ndarray | None = None
    wcs: WCS | None = None
    header: fits.Header = field(default_factory=fits.Header)
    unit: units.UnitBase = units.adu
    others: fits.HDUList = field(default_factory=fits.HDUList)
    headers: Mapping[str, fits.Header] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mask = None if self.mask is None else self.mask.array
        for name, array in (("mask", mask), ("variance", self.variance)):
            if array is not None and array.shape != self.image.shape:
                raise BadArgument(
                    f"an Exposure with {name} of shape {array.shape}", f"the image has {self.image.shape}"
                )

    def cards(self, name: str) -> fits.Header:
        """Give the other cards of ``IMAGE``, ``VARIANCE`` or ``PSF``; empty when there are none."""
        found = self.headers.get(name)
        return fits.Header() if found is None else found

    def to_ccddata(self) -> CCDData:
        """Give the same as `CCDData`.

        Masked are pixels with any plane but DETECTED and DETECTED_NEGATIVE. Names of planes and unknown HDUs
        are left behind.
        """
        mask = None
        if self.mask is not None:
            found = self.mask.bits(*(_DETECTIONS & set(self.mask.planes)))
            mask = (self.mask.array & ~self.mask.array.dtype.type(found)) != 0
        header = self.header.copy()
        header.extend(self.cards("IMAGE"), strip=True, unique=True)
        return CCDData(
            self.image,
            unit=self.unit,
            mask=mask,
            wcs=self.wcs,
            meta=header,
            uncertainty=None if self.variance is None else VarianceUncertainty(self.variance),
            psf=self.psf,
        )

    @classmethod
    def from_ccddata(cls, image: CCDData) -> Exposure:
        """Make one of a CCDData: masked pixels get plane BAD, an uncertainty becomes the variance."""
        mask = None
        if image.mask is not None:
            mask = Mask(np.broadcast_to(image.mask, image.shape).astype(np.int32), {"BAD": 0})
        variance = None
        if image.uncertainty is not None:
            variance = image.uncertainty.represent_as(VarianceUncertainty).array
        return cls(
            image.data,
            mask,
            variance,
            image.psf,
            image.wcs,
            own_cards(fits.Header(image.meta)),
            image.unit,
        )

    @classmethod
    def from_array(cls, image: np.ndarray) -> Exposure:
        """Make one of pixels in adu alone."""
        if image.dtype.kind not in "iuf" or image.ndim == 0:
            raise BadArgument(f"an array of {image.dtype} of shape {image.shape}", "is no image")
        if isinstance(image, np.ma.MaskedArray):
            return cls(image.data, Mask(np.ma.getmaskarray(image).astype(np.int32), {"BAD": 0}))
        return cls(image)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exposure):
            return NotImplemented
        return self._texts() == other._texts() and all(
            _same(mine, theirs)
            for mine, theirs in (
                (self.image, other.image),
                (self.variance, other.variance),
                (self.psf, other.psf),
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def _texts(self) -> tuple[object, ...]:
        """Give all that is compared as text or bytes."""
        cards = [self.header, *(self.cards(name) for name in ("IMAGE", "VARIANCE", "PSF"))]
        wcs = None if self.wcs is None else wcs_cards(self.wcs).tostring()
        file = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), *self.others]).writeto(file, output_verify="ignore")
        return self.mask, self.unit, wcs, [header.tostring() for header in cards], file.getvalue()


def mask_of_array(array: np.ndarray) -> Mask:
    """Make a mask without named planes; booleans get one, BAD."""
    if array.dtype.kind == "b":
        return Mask(array.astype(np.int32), {"BAD": 0})
    return Mask(array)


def mask_to_array(mask: Mask) -> np.ndarray:
    """Give the integers."""
    return mask.array


def exposure_to_array(exposure: Exposure) -> np.ndarray:
    """Give the pixels of the image."""
    return exposure.image


def component_of(exposure: Exposure, name: str) -> object:
    """Give a component as an object that stores well: images with unit and WCS; None when there is none."""
    if name == "image":
        return as_image(exposure.image, exposure.unit, exposure.wcs, exposure.cards("IMAGE"))
    if name == "variance" and exposure.variance is not None:
        unit = exposure.unit**2
        return as_image(exposure.variance, unit, exposure.wcs, exposure.cards("VARIANCE"))
    if name == "psf" and exposure.psf is not None:
        return as_image(exposure.psf, units.dimensionless_unscaled, None, exposure.cards("PSF"))
    if name == "others":
        return fits.HDUList([fits.PrimaryHDU(), *exposure.others]) if exposure.others else None
    return getattr(exposure, name)


def as_image(array: np.ndarray, unit: units.UnitBase, wcs: WCS | None, header: fits.Header) -> CCDData:
    """Give pixels as a CCDData of their own."""
    return CCDData(array, unit=unit, wcs=wcs, meta=header.copy())


def assemble(parts: Mapping[str, Any]) -> Exposure:
    """Put an exposure together from the components that `component_of` gave.

    Raises
    ------
    BadArgument
        When there is no image, or shapes differ.
    """
    if parts.get("image") is None:
        raise BadArgument("an Exposure without an image", todo="give at least the component image")
    images = {name: parts[name] for name in ("image", "variance", "psf") if parts.get(name) is not None}
    others = parts.get("others")
    header = parts.get("header")
    return Exposure(
        native(images["image"].data),
        parts.get("mask"),
        native(images["variance"].data) if "variance" in images else None,
        native(images["psf"].data) if "psf" in images else None,
        parts.get("wcs"),
        fits.Header() if header is None else own_cards(header, unit=True),
        images["image"].unit,
        fits.HDUList(others[1:] if others else []),
        {name.upper(): own_cards(fits.Header(image.meta)) for name, image in images.items()},
    )


def _same(left: np.ndarray | None, right: np.ndarray | None) -> bool:
    """Tell whether two arrays have equal types and values; NaN equals NaN."""
    if left is None or right is None:
        return left is right
    nan = left.dtype.kind in "fc"
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=nan)
