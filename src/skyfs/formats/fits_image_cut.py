"""Parts of images: sections of pixels, and bounding boxes of regions of the sky."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument
from skyfs.model.selectors import Section, Selector

from .fits_layout import Extent
from .fits_pieces import write_header, write_padding, write_primary
from .fits_pixels import in_batches, read_pixels
from .fits_read import refuse_double_solution
from .fits_sky import sky_windows
from .fits_tiles_cut import CompressedImage
from .fits_wcs_cut import cut_header, refuse_tables
from .fits_window import Window, section_windows


def cut_image(
    source: ByteSource, primary: Extent, extent: Extent, selectors: Sequence[Selector], file: BinaryIO
) -> None:
    """Write a section of one image; one that was compressed is not any more (as CFITSIO does)."""
    if not extent.image_axes:
        raise BadArgument(f"selector {selectors[0]}", f"HDU {extent.index} has no pixels")
    if len(selectors) > 1:
        raise BadArgument(f"selectors {' '.join(map(str, selectors))}", "two parts of one image", "name one")
    image = ImagePixels(source, extent)
    (selector,) = selectors
    if isinstance(selector, Section):
        windows = section_windows(selector, extent.image_axes)
    else:
        refuse_tables(image.header)
        refuse_double_solution(extent)
        windows = sky_windows(selector, image.header, extent.image_axes)
    header = image.header
    cut_header(header, windows)
    if extent.index:
        write_primary(primary, file)
    write_header(header, file)
    size = 0
    for pixels in image.batches(windows):
        data = pixels.tobytes()
        size += file.write(data)
    write_padding(size, file)


class ImagePixels:
    """The image of one HDU, compressed or not.

    Attributes
    ----------
    header
        Of the image, not of the table that holds a compressed one; a copy of its own.
    """

    def __init__(self, source: ByteSource, extent: Extent) -> None:
        self._source, self._extent = source, extent
        self._compressed = CompressedImage(extent) if extent.compressed else None
        if self._compressed is None:
            self.header: fits.Header = fits.Header.fromstring(extent.cards)
        else:
            self.header = self._compressed.header

    def read(self, windows: Sequence[Window]) -> np.ndarray:
        """Give the pixels of windows (x first) as they are stored, big-endian."""
        if self._compressed is None:
            return read_pixels(self._source, self._extent, windows)
        found = self._compressed.read(self._source, windows)
        return found.astype(found.dtype.newbyteorder(">"), copy=False)

    def batches(self, windows: Sequence[Window]) -> Iterator[np.ndarray]:
        """Give the pixels in parts that fit into memory."""
        for part in in_batches(windows, abs(self._extent.bitpix) // 8):
            yield self.read(part)
