"""Tile-compressed FITS images, of which only the tiles that a part touches are read and decompressed.

astropy decompresses them from a file that looks whole to it: it holds the rows and the heap bytes of those
tiles at their places, and nothing else (FITS standard 4.0, section 10).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from astropy.io import fits

from skyfs.abc.raw_file import RawFile
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, Unsupported
from skyfs.model.ranges import Range

from .fits_layout import BLOCK, Extent
from .fits_tiles import TILE_COLUMNS
from .fits_window import Window
from .pieced import bytes_between
from .planned import read_planned

_EMPTY_PRIMARY = b"".join(
    f"{key:8}= {value:>20}".encode().ljust(80)
    for key, value in (("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0"), ("EXTEND", "T"))
)
_VARIABLE = re.compile(r"\d*[PQ]([A-Z])")
# Rows are some bytes each: a request takes longer than reading so many, and a cache keeps them.
_TABLE_BLOCK = 1024
# And all of them, when they are no more than this share of the tiles wanted.
_TABLE_SHARE = 0.5
_ITEM_BYTES = {"B": 1, "L": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}
_KNOWN = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS")


class CompressedImage:
    """One compressed image of a source; attributes ``header`` (the image's) and ``shape`` (numpy's order)."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        with fits.open(_SparseFile(extent), memmap=False, disable_image_compression=True) as hdus:
            table, columns = hdus[1].header, hdus[1].columns
        if table.get("ZCMPTYPE") not in _KNOWN:
            found = f"ZCMPTYPE is {table.get('ZCMPTYPE')!r}"
            raise Unsupported(f"compressed image in HDU {extent.index}", found, f"one of {', '.join(_KNOWN)}")
        self._heap = int(table.get("THEAP", extent.axes[0] * extent.axes[1]))
        self._row = columns.dtype.newbyteorder(">")
        self._items = {
            column.name: _ITEM_BYTES[match[1]]
            for column in columns
            if column.name in TILE_COLUMNS and (match := _VARIABLE.match(column.format))
        }
        hdu = _open(_SparseFile(extent))
        self.header: fits.Header = _as_extension(hdu.header.copy())
        self.shape: tuple[int, ...] = tuple(hdu.shape)
        self._tile: tuple[int, ...] = tuple(hdu.tile_shape)

    def read(self, source: ByteSource, windows: Sequence[Window]) -> np.ndarray:
        """Give the pixels of the windows (x first), integers as they are stored; two fetches."""
        blocks = [list(_blocks(*one)) for one in zip(reversed(windows), self._tile, strict=True)]
        # astropy keeps the table once it has seen it, so that each reading has a file of its own.
        hdu = _open(self._fetch(source, [sorted({n for one in axis for n in one.tiles}) for axis in blocks]))
        result = np.empty([window.count for window in reversed(windows)], hdu.section.dtype)
        # Tiles between those wanted are not there, so that each block of neighbours is taken by itself.
        for corner in product(*blocks):
            read = hdu.section[tuple(slice(one.part.low, one.part.high + 1) for one in corner)]
            place = tuple(slice(one.begin, one.begin + one.part.count) for one in corner)
            result[place] = read[tuple(one.part.within(one.part.low) for one in corner)]
        return result

    def _fetch(self, source: ByteSource, tiles: Sequence[Sequence[int]]) -> _SparseFile:
        """Read the rows of the tiles, numbered on each axis, then what these rows point to."""
        counts = [-(-size // tile) for size, tile in zip(self.shape, self._tile, strict=True)]
        rows = np.ravel_multi_index(np.meshgrid(*tiles, indexing="ij"), counts).ravel()
        if int(rows[-1]) >= self._extent.axes[1]:
            found = f"the image has {int(np.prod(counts))} tiles, the table {self._extent.axes[1]} rows"
            raise BadContent(f"FITS HDU {self._extent.index} is damaged", found)
        file = _SparseFile(self._extent)
        table = np.frombuffer(self._read_rows(file, source, rows), self._row)
        ranges = [one for name, size in self._items.items() for one in self._heap_ranges(table[name], size)]
        file.read_from(source, ranges)
        return file

    def _read_rows(self, file: _SparseFile, source: ByteSource, rows: np.ndarray) -> bytes:
        """Read the blocks of the table in which these rows are: neighbours ask for the same ones again.

        All of it where that adds little to what the tiles take: what is cut next finds it in the cache then.
        """
        start, size = self._extent.data_start, self._row.itemsize
        if source.cost.far and size * self._extent.axes[1] <= self._expected_bytes(len(rows)) * _TABLE_SHARE:
            file.read_from(source, [(start, start + size * self._extent.axes[1])])
            return b"".join(file.bytes_at(start + row * size, size) for row in rows.tolist())
        first, last = rows * size // _TABLE_BLOCK, (rows * size + size - 1) // _TABLE_BLOCK
        stop = start + size * self._extent.axes[1]
        begins = [start + _TABLE_BLOCK * block for block in sorted({*first.tolist(), *last.tolist()})]
        file.read_from(source, [(begin, min(begin + _TABLE_BLOCK, stop)) for begin in begins])
        return b"".join(file.bytes_at(start + row * size, size) for row in rows.tolist())

    def _expected_bytes(self, tiles: int) -> float:
        """Give what so many tiles take, as far as the header tells."""
        heap = self._extent.data_size - self._heap
        return tiles * heap / max(self._extent.axes[1], 1)

    def _heap_ranges(self, descriptors: np.ndarray, item_bytes: int) -> Iterator[Range]:
        """Give where in the source the tiles lie that descriptors (count, offset) point to."""
        heap, stop = self._extent.data_start + self._heap, self._extent.data_start + self._extent.data_size
        for count, offset in descriptors.tolist():
            start = heap + offset
            if count and not heap <= start <= start + count * item_bytes <= stop:
                raise BadContent(
                    f"FITS HDU {self._extent.index} is damaged", "a tile lies outside of its data"
                )
            if count:
                yield start, start + count * item_bytes


def _open(file: _SparseFile) -> fits.CompImageHDU:
    file.seek(0)
    return fits.open(file, memmap=False, do_not_scale_image_data=True)[1]


def _as_extension(header: fits.Header) -> fits.Header:
    """Make the header of an image that was a primary one when it was compressed that of an extension."""
    if "SIMPLE" in header:
        for key in ("SIMPLE", "EXTEND"):
            header.remove(key, ignore_missing=True)
        header.insert(0, ("XTENSION", "IMAGE", "Image extension"))
        header.set("PCOUNT", 0, "number of parameters", after=f"NAXIS{header['NAXIS']}")
        header.set("GCOUNT", 1, "number of groups", after="PCOUNT")
    return header


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


class _SparseFile(RawFile):
    """An empty primary HDU and one compressed image; bytes that were not filled in are zero."""

    def __init__(self, extent: Extent) -> None:
        cards = extent.cards + b"END".ljust(80)
        self._head = (_EMPTY_PRIMARY + b"END").ljust(BLOCK) + cards.ljust(-(-len(cards) // BLOCK) * BLOCK)
        self._shift = len(self._head) - extent.data_start
        super().__init__(len(self._head) + -(-extent.data_size // BLOCK) * BLOCK)
        self._pieces = [(0, memoryview(self._head))]

    def read_from(self, source: ByteSource, ranges: Sequence[Range]) -> None:
        """Fill ranges of the source in."""
        found = read_planned(source, ranges)
        placed = [(start + self._shift, data) for (start, _), data in zip(ranges, found, strict=True)]
        self._pieces = sorted([*self._pieces, *placed], key=_start)

    def bytes_at(self, start: int, size: int) -> bytes:
        """Give bytes at a place of the source."""
        self.seek(start + self._shift)
        return self.read(size) or b""

    def _bytes(self, start: int, stop: int) -> bytes:
        # Pieces are disjoint, but for tiles that share their bytes: then each gives the same.
        first = max(bisect_right(self._pieces, start, key=_start) - 1, 0)
        last = bisect_left(self._pieces, stop, key=_start)
        return bytes_between(start, stop, self._pieces[first:last])


def _start(piece: tuple[int, memoryview]) -> int:
    return piece[0]
