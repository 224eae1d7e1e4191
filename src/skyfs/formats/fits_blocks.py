"""Tiles of a compressed FITS image, of which only those wanted are read (FITS standard 4.0, section 10).

astropy decodes them, from a file that looks whole to it and holds nothing but these tiles. So every way to
compress, to dither and to scale is its own, to the bit.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from astropy.io import fits

from skyfs.abc.raw_file import RawFile
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent
from skyfs.model.ranges import joined

from .fits_chunks import edited, image_cards, pixels_of, small_file
from .fits_layout import Extent
from .guards import Tolerance, reading
from .pieced import bytes_between

_DESCRIPTOR = re.compile(r"\d*([PQ])([LXBIJKAEDCM])")
_ITEM_BYTES = dict(zip("LXBIJKAEDCM", (1, 1, 1, 2, 4, 8, 1, 4, 8, 8, 16), strict=True))
# Rows of the table of tiles are read some at a time, since neighbouring tiles are wanted one after the other.
_ROWS_BYTES = 4096
# Tiles that are rows of the image are small: some are read together.
_TOGETHER_BYTES = 1 << 17
# A tile is decoded in memory; a few bytes can say that it is of any size.
_MAX_DECODED = 2 << 30

Index = tuple[int, ...]


class Tiles:
    """The tiles of one compressed image, in blocks: one tile, or some when they are rows of the image.

    Safe from several threads.

    Attributes
    ----------
    header
        Of the image.
    shape, block_shape
        In numpy's order.
    dtype
        Of decoded values.
    """

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._lock = threading.Lock()
        with Tolerance(), reading("FITS"):
            self._read_header()
            self._read_columns()
        self.block_shape = self._together()
        size = math.prod(self.block_shape) * self.dtype.itemsize
        if size > _MAX_DECODED:
            raise self._damaged(f"each of its tiles has {size} bytes")

    def read(self, source: ByteSource, index: Sequence[int]) -> np.ndarray:
        """Decode a block, given its place; at the end of an axis it is smaller than others."""
        blocks = list(zip(self.shape, self.block_shape, index, strict=True))
        part = tuple(slice(place * block, min((place + 1) * block, size)) for size, block, place in blocks)
        tiles = list(zip(part, self._tile_shape, strict=True))
        first = int(np.ravel_multi_index([one.start // tile for one, tile in tiles], self._grid))
        count = math.prod(-(-(one.stop - one.start) // tile) for one, tile in tiles)
        rows = self._rows(source, first, count)
        ranges = joined(self._ranges(rows))
        found = source.read_many(ranges)
        if any(len(data) != stop - start for data, (start, stop) in zip(found, ranges, strict=True)):
            raise self._damaged(f"tile {first} is cut off")
        with self._lock, Tolerance(), reading("FITS"):
            self._file.fill((start, data) for (start, _), data in zip(ranges, found, strict=True))
            decoded: np.ndarray = self._hdu.section[part]
            return decoded

    def _read_header(self) -> None:
        table = fits.Header.fromstring(self._extent.cards)
        axes = self._extent.image_axes[::-1]
        default = [1] * (len(axes) - 1) + [axes[-1]]
        tiles = [int(table.get(f"ZTILE{len(axes) - n}", default[n])) for n in range(len(axes))]
        if any(tile < 1 for tile in tiles):
            raise self._damaged(f"its tiles are {tiles}")
        self.shape = axes
        self._tile_shape = tuple(map(min, tiles, axes))
        self._grid = tuple(-(-size // tile) for size, tile in zip(axes, self._tile_shape, strict=True))
        if math.prod(self._grid) != self._extent.axes[1]:
            raise self._damaged(
                f"it has {self._extent.axes[1]} tiles where {math.prod(self._grid)} should be"
            )
        self._heap = self._extent.data_start + int(
            table.get("THEAP", self._extent.axes[0] * self._extent.axes[1])
        )
        self._cards = edited(
            self._extent.cards, {f"ZTILE{n}": tile for n, tile in enumerate(self._tile_shape[::-1], 1)}
        )

    def _read_columns(self) -> None:
        layout = _SparseFile(self._cards, self._extent)
        with fits.open(layout, memmap=False, disable_image_compression=True) as hdus:
            columns = hdus[1].columns
            self._layout = columns.dtype.newbyteorder(">")
            found = ((column.name, _DESCRIPTOR.match(str(column.format))) for column in columns)
            self._variable = {name: _ITEM_BYTES[match[2]] for name, match in found if match}
        if self._layout.itemsize != self._extent.axes[0]:
            columns_size = self._layout.itemsize
            raise self._damaged(f"NAXIS1 is {self._extent.axes[0]}, its columns have {columns_size} bytes")
        self._file = _SparseFile(self._cards, self._extent)
        # Kept open: it costs 5 ms to understand a header, whatever little is decoded then.
        self._hdus = fits.open(self._file, memmap=False)
        self._hdu: Any = self._hdus[1]
        self.header: fits.Header = self._hdu.header
        # The rows, all zero as yet, are astropy's own; those that have been read are put in their places.
        self._table = np.asarray(self._hdu.compressed_data).view(np.ndarray)
        self._known = np.zeros(len(self._table), bool)
        image = image_cards(self.header, len(self.shape))
        self.dtype = pixels_of(image, bytes(abs(int(self.header["BITPIX"])) // 8)).dtype

    def _together(self) -> Index:
        """Give the shape of a block: of tiles that are whole rows, so many as are decoded at once."""
        block = list(self._tile_shape)
        axis = max((n for n, tiles in enumerate(self._grid) if tiles > 1), default=len(block) - 1)
        if axis == len(block) - 1:
            return self._tile_shape
        tile_bytes = math.prod(block) * self.dtype.itemsize
        block[axis] = min(block[axis] * max(_TOGETHER_BYTES // tile_bytes, 1), self.shape[axis])
        return tuple(block)

    def _rows(self, source: ByteSource, first: int, count: int) -> np.ndarray:
        """Give rows of the table; they are read once, with some rows about them."""
        size, total = self._extent.axes[:2]
        together = max(_ROWS_BYTES // size, 1)
        begin = first - first % together
        end = min(-(-(first + count) // together) * together, total)
        with self._lock:
            missing = np.flatnonzero(~self._known[begin:end])
        if len(missing):
            low, high = begin + int(missing[0]), begin + int(missing[-1]) + 1
            data = source.read(self._extent.data_start + low * size, self._extent.data_start + high * size)
            if len(data) != (high - low) * size:
                raise self._damaged(f"the row of tile {low} is cut off")
            with self._lock:
                self._table[low:high] = np.frombuffer(data, self._layout)
                self._known[low:high] = True
        return self._table[first : first + count]

    def _ranges(self, rows: np.ndarray) -> Iterator[tuple[int, int]]:
        """Give where the data lie that rows point to."""
        end = self._extent.data_start + self._extent.data_size
        for row in rows:
            for name, item_bytes in self._variable.items():
                count, offset = map(int, row[name])
                start, stop = self._heap + offset, self._heap + offset + count * item_bytes
                if count < 0 or offset < 0 or stop > end:
                    raise self._damaged(f"a tile should lie at bytes {start} to {stop}")
                if count:
                    yield start, stop

    def _damaged(self, found: str) -> BadContent:
        return BadContent(f"the compressed image in FITS HDU {self._extent.index} is damaged", found)


class _SparseFile(RawFile):
    """A FITS file of one extension, whose data are zero but for the pieces that were filled in last."""

    def __init__(self, cards: bytes, extent: Extent) -> None:
        self._head = small_file(cards, b"")
        self._shift = len(self._head) - extent.data_start
        super().__init__(extent.end + self._shift)
        self._pieces: list[tuple[int, bytes]] = []

    def fill(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Hold these bytes of the original, given with their places there, and no others."""
        self._pieces = [(start + self._shift, data) for start, data in pieces]

    def _bytes(self, start: int, stop: int) -> bytes:
        return bytes_between(start, stop, [(0, self._head), *self._pieces])
