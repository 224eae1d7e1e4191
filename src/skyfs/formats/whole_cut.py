"""Sections of images in files whose format knows nothing of coordinates."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from skyfs.model.selectors import Section, Selector, parse_selectors

from .array_part import section_slices
from .buffer import Buffer
from .fits import Fits

if TYPE_CHECKING:
    from astropy.nddata import CCDData


def is_section(selectors: Sequence[Selector]) -> bool:
    """Tell whether pixels are meant, not rows and columns."""
    return any(isinstance(one, Section) for one in selectors)


def cut_image(
    read: Callable[[tuple[slice, ...]], CCDData],
    shape: tuple[int, ...],
    selectors: Sequence[Selector],
    extension: str,
) -> CCDData:
    """Give the section of an image whose parts ``read`` gives.

    Astropy moves the coordinates of every third pixel to the middle of three, and turns no axis round: of
    the box that the section lies in, steps and directions are left to what cuts FITS.

    Raises
    ------
    BadArgument
        When the section does not fit.
    Unsupported
        When it is no section.
    """
    slices = section_slices(selectors, shape, extension)
    taken = [range(*one.indices(size)) for one, size in zip(slices, shape, strict=True)]
    image = read(tuple(slice(min(one), max(one) + 1) for one in taken))
    return image if all(one.step == 1 for one in taken) else _stepped(image, [one.step for one in taken])


def _stepped(image: CCDData, steps: Sequence[int]) -> CCDData:
    from astropy.nddata import CCDData

    coordinates, image.wcs = image.wcs, None
    part = image[tuple(slice(None, None, step) for step in steps)]
    if coordinates is not None:
        axes = (f"{'-' * (step < 0)}*:{abs(step)}" for step in reversed(steps))
        whole, cut, fits = io.BytesIO(), io.BytesIO(), Fits()
        fits.write(CCDData(image.data, unit=image.unit, wcs=coordinates), whole, {})
        fits.cut(Buffer(whole.getvalue()), parse_selectors(f"[{','.join(axes)}]"), cut)
        part.wcs = cast("CCDData", fits.read(Buffer(cut.getvalue()), "Image")).wcs
    return part
