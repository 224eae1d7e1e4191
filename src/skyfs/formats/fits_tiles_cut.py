"""Tile-compressed FITS images, of which only the tiles that a part touches are read and decompressed.

astropy decompresses them from a file that looks whole to it: it holds the rows and the heap bytes of those
tiles at their places, and nothing else (FITS standard 4.0, section 10).
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, Unsupported
from skyfs.model.ranges import Range

from .fits_layout import BLOCK, Extent
from .fits_tiles import TILE_COLUMNS
from .fits_window import Window
from .planned import read_planned

if TYPE_CHECKING:
    import numpy as np
    from astropy.io import fits

_EMPTY_PRIMARY = b"".join(
    f"{key:8}= {value:>20}".encode().ljust(80) for key, value in (("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0"))
)
_VARIABLE = re.compile(r"\d*[PQ]([A-Z])")
_ITEM_BYTES = {"B": 1, "L": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}
_KNOWN = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS")


class CompressedImage:
    """One compressed image of a source; attributes ``header`` (the image's) and ``shape`` (numpy's order)."""

    def __init__(self, extent: Extent) -> None:
        from astropy.io import fits

        self._extent = extent
        self._file = _SparseFile(extent)
        with fits.open(_SparseFile(extent), memmap=False, disable_image_compression=True) as hdus:
            table = hdus[1].header
            self._heap = int(table.get("THEAP", extent.axes[0] * extent.axes[1]))
            self._row = hdus[1].columns.dtype.newbyteorder(">")
            self._items = {
                column.name: _ITEM_BYTES[match[1]]
                for column in hdus[1].columns
                if column.name in TILE_COLUMNS and (match := _VARIABLE.match(column.format))
            }
        if table.get("ZCMPTYPE") not in _KNOWN:
            raise Unsupported(f"compressed image in HDU {extent.index}", f"ZCMPTYPE is {table.get('ZCMPTYPE')!r}")
        self._hdu = fits.open(self._file, memmap=False, do_not_scale_image_data=True)[1]
        self.header: fits.Header = self._hdu.header.copy()
        self.shape: tuple[int, ...] = tuple(self._hdu.shape)

    def read(self, source: ByteSource, windows: Sequence[Window]) -> np.ndarray:
        """Give the pixels of the windows (x first), integers as they are stored; two fetches."""
        import numpy as np

        tile_shape = self._hdu.tile_shape
        result = np.empty([window.count for window in reversed(windows)], self._hdu.section.dtype)
        if not result.size:
            return result
        blocks = [list(_blocks(*one)) for one in zip(reversed(windows), tile_shape, strict=True)]
        self._fetch(source, [sorted({n for block in axis for n in block.tiles}) for axis in blocks])
        # Tiles between those that are wanted are not there, so that each block of neighbours is taken by itself.
        for corner in product(*blocks):
            read = self._hdu.section[tuple(slice(one.part.low, one.part.high + 1) for one in corner)]
            place = tuple(slice(one.begin, one.begin + one.part.count) for one in corner)
            result[place] = read[tuple(one.part.within(one.part.low) for one in corner)]
        return result

    def _fetch(self, source: ByteSource, tiles: Sequence[Sequence[int]]) -> None:
        """Read the rows of the tiles, numbered on each axis, then what these rows point to."""
        import numpy as np

        counts = [-(-size // tile) for size, tile in zip(self.shape, self._hdu.tile_shape, strict=True)]
        rows = np.ravel_multi_index(np.meshgrid(*tiles, indexing="ij"), counts).ravel()
        if int(rows[-1]) >= self._extent.axes[1]:
            found = f"the image has {int(np.prod(counts))} tiles, the table {self._extent.axes[1]} rows"
            raise BadContent(f"FITS HDU {self._extent.index} is damaged", found)
        starts = (self._extent.data_start + rows * self._row.itemsize).tolist()
        found = self._read(source, [(start, start + self._row.itemsize) for start in starts])
        table = np.frombuffer(b"".join(found), self._row)
        self._read(source, [one for name, size in self._items.items() for one in self._heap_ranges(table[name], size)])

    def _heap_ranges(self, descriptors: np.ndarray, item_bytes: int) -> Iterator[Range]:
        """Give where in the source the tiles lie that descriptors (count, offset) point to."""
        heap, stop = self._extent.data_start + self._heap, self._extent.data_start + self._extent.data_size
        for count, offset in descriptors.tolist():
            start = heap + offset
            if count and not heap <= start <= start + count * item_bytes <= stop:
                raise BadContent(f"FITS HDU {self._extent.index} is damaged", "a tile lies outside of its data")
            if count:
                yield start, start + count * item_bytes

    def _read(self, source: ByteSource, ranges: Sequence[Range]) -> list[memoryview]:
        found = read_planned(source, ranges)
        self._file.fill(zip((start for start, _ in ranges), found, strict=True))
        return found


@dataclass(frozen=True, slots=True)
class _Block:
    """Pixels of one axis in tiles next to one another: where they go, what they are."""

    begin: int
    part: Window
    tiles: range


def _blocks(window: Window, tile: int) -> Iterator[_Block]:
    """Divide a window where it jumps over a tile."""
    begin, tiles = 0, [pixel // tile for pixel in window.pixels]
    for end in range(1, window.count + 1):
        if end == window.count or abs(tiles[end] - tiles[end - 1]) > 1:
            low, high = sorted((tiles[begin], tiles[end - 1]))
            yield _Block(begin, window.part(begin, end), range(low, high + 1))
            begin = end


class _SparseFile(io.RawIOBase):
    """An empty primary HDU and one compressed image; bytes that were not filled in are zero."""

    def __init__(self, extent: Extent) -> None:
        cards = extent.cards + b"END".ljust(80)
        self._head = (_EMPTY_PRIMARY + b"END").ljust(BLOCK) + cards.ljust(-(-len(cards) // BLOCK) * BLOCK)
        self._shift = len(self._head) - extent.data_start
        self._size = len(self._head) + -(-extent.data_size // BLOCK) * BLOCK
        self._pieces = [(0, memoryview(self._head))]
        self._position = 0

    def fill(self, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """Put bytes at places of the source."""
        self._pieces = sorted([*self._pieces, *((start + self._shift, data) for start, data in pieces)], key=_start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start, stop = self._position, min(self._position + len(buffer), self._size)
        count = max(stop - start, 0)
        buffer[:count] = bytes(count)
        # Pieces are disjoint, but for tiles that share their bytes: then each gives the same.
        index = max(bisect_right(self._pieces, start, key=_start) - 1, 0)
        for begin, data in self._pieces[index:]:
            if begin >= stop:
                break
            low, high = max(begin, start), min(begin + len(data), stop)
            if low < high:
                buffer[low - start : high - start] = data[low - begin : high - begin]
        self._position += count
        return count


def _start(piece: tuple[int, memoryview]) -> int:
    return piece[0]
