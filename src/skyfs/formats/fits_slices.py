"""Parts of images by numpy's indexing: what ``whole[slices]`` is, of the whole as `fits_read` gives it.

The part is written as a small FITS file in memory and read as any other, so that scaling, units, masks and
coordinates are those of the whole.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent, Unsupported

from .buffer import Buffer
from .fits_image_cut import ImagePixels
from .fits_layout import Extent, extents, main_image
from .fits_pieces import write_header, write_padding, write_primary
from .fits_read import read_array, read_image, refuse_double_solution
from .fits_wcs_cut import cut_header
from .fits_window import Window, slice_windows

if TYPE_CHECKING:
    from astropy.nddata import CCDData

# As CCDData.to_hdu names them. A slice of a CCDData has no PSF.
_ALONGSIDE = ("MASK", "UNCERT")


def slice_array(source: ByteSource, slices: object) -> np.ndarray:
    """Read a part of the array that `read_array` gives, by numpy's basic indexing."""
    found = list(extents(source))
    main = main_image(found)
    windows, index = _windows(main, slices)
    part: np.ndarray = read_array(_small_file(source, found[0], [main], windows))[index]
    return part


def slice_image(source: ByteSource, slices: object) -> CCDData:
    """Read a part of the image that `read_image` gives, by numpy's basic indexing.

    The coordinates of each pixel are those that it has in the whole; header keywords are those of the part.
    """
    found = list(extents(source))
    main = main_image(found)
    refuse_double_solution(main)
    windows, index = _windows(main, slices)
    alongside = [
        one for one in found if one.name in _ALONGSIDE and one.index != main.index and one.image_axes
    ]
    for one in alongside:
        if one.image_axes != main.image_axes:
            found_axes = f"{one.image_axes}, those of the image {main.image_axes}"
            raise BadContent(f"slices of HDU {one.index} {one.name}", f"its axes are {found_axes}")
    small = read_image(_small_file(source, found[0], [main, *alongside], windows))
    if small.wcs is not None and 0 in index:
        todo = "write y:y+1 instead of y, or read it as Array"
        raise BadArgument(f"slices={slices!r:.200}", "coordinates of an image cannot lose an axis", todo)
    return small if all(one == slice(None) for one in index) else small[index]


def _windows(main: Extent, slices: object) -> tuple[list[Window], tuple[slice | int, ...]]:
    """Give the windows to read (x first), and the index that makes of them what was asked for.

    Integers drop their axes only then; FITS has no images without pixels, so that at least one is read.
    """
    windows, dropped = slice_windows(slices, main.image_axes[::-1])
    index = tuple(
        0 if axis in dropped else slice(None) if window.count else slice(0, 0)
        for axis, window in enumerate(windows)
    )
    return [window if window.count else Window(0, 1) for window in reversed(windows)], index


def _small_file(
    source: ByteSource, primary: Extent, images: Sequence[Extent], windows: Sequence[Window]
) -> Buffer:
    """Write a file of what the windows take of images, the first of them the main one."""
    file = io.BytesIO()
    if images[0].index:
        write_primary(primary, file)
    for extent in images:
        image = ImagePixels(source, extent)
        header = image.header.copy()
        try:
            cut_header(header, windows)
        except Unsupported:
            # Nobody can read the coordinates of the whole either, without the tables.
            header = image.header
            for axis, window in enumerate(windows, 1):
                header[f"NAXIS{axis}"] = window.count
        write_header(header, file)
        size = file.write(image.read(windows).tobytes())
        write_padding(size, file)
    return Buffer(file.getvalue())


READERS: Mapping[str, Callable[[ByteSource, object], object]] = {"Image": slice_image, "Array": slice_array}
