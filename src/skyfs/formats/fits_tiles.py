"""Tiles of compressed FITS images that do not tell when they were written."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from astropy.io import fits

from .buffer import Buffer
from .fits_layout import extents

_GZIP = b"\x1f\x8b\x08"
_TIME = slice(4, 8)
TILE_COLUMNS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")


def without_times(hdus: fits.HDUList) -> fits.HDUList:
    """Give the same list, compressed images as binary tables, with no time in its gzipped tiles.

    astropy stamps the current time into each (RFC 1952, MTIME), so that one image would have other bytes and
    another digest every second.
    """
    file = io.BytesIO()
    hdus.writeto(file, output_verify="fix+warn")
    data = bytearray(file.getvalue())
    for start in list(_tiles(bytes(data))):
        if data[start : start + len(_GZIP)] == _GZIP:
            data[start + _TIME.start : start + _TIME.stop] = bytes(_TIME.stop - _TIME.start)
    return fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=False, disable_image_compression=True)


def _tiles(data: bytes) -> Iterator[int]:
    """Give where each tile begins: descriptors in the rows hold its size, and its offset in the heap."""
    with fits.open(io.BytesIO(data), memmap=False, disable_image_compression=True) as hdus:
        for extent in extents(Buffer(data)):
            if not extent.compressed:
                continue
            header, columns = hdus[extent.index].header, hdus[extent.index].columns
            table_size = extent.axes[0] * extent.axes[1]
            layout = columns.dtype.newbyteorder(">")
            rows = np.frombuffer(data, layout, extent.axes[1], extent.data_start)
            heap = extent.data_start + header.get("THEAP", table_size)
            for name in TILE_COLUMNS:
                if name in columns.names:
                    yield from (heap + int(offset) for size, offset in rows[name] if size)
