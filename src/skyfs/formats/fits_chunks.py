"""Pixels of a piece of a FITS image, as astropy gives them: a small FITS file is made around the piece.

So scaling, unsigned integers, BLANK and every way to compress tiles are astropy's, to the bit, and only the
bytes of the piece are read.
"""

from __future__ import annotations

import io
import math
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .fits_layout import BLOCK, Extent
from .guards import Tolerance, reading

if TYPE_CHECKING:
    import numpy as np
    from astropy.io import fits

_CARD = 80
_PRIMARY = b"".join(
    card.ljust(_CARD)
    for card in (
        b"SIMPLE  =                    T",
        b"BITPIX  =                    8",
        b"NAXIS   =                    0",
        b"EXTEND  =                    T",
        b"END",
    )
).ljust(BLOCK)
Index = tuple[int, ...]

_DESCRIPTOR = re.compile(r"\d*([PQ])([LXBIJKAEDCM])")
_ITEM_BYTES = dict(zip("LXBIJKAEDCM", (1, 1, 1, 2, 4, 8, 1, 4, 8, 8, 16), strict=True))
# Rows of the table of tiles are read some at a time, since neighbouring tiles are wanted one after the other.
_ROWS_BYTES = 4096
_MAX_BLOCKS = 256
_MAX_DITHER = 10_000
# astropy takes 5 ms to understand a table, however small: tiles that are rows of the image are read together.
_TOGETHER_BYTES = 1 << 17
# A tile is decoded in memory; a few bytes can say that it is of any size.
_MAX_DECODED = 2 << 30
# What says how tiles are encoded; headers have hundreds of cards besides.
_ENCODING = re.compile(
    rb"XTENSION|BITPIX|NAXIS|PCOUNT|GCOUNT|TFIELDS|TTYPE|TFORM|TDIM|TNULL|TSCAL|TZERO|Z|BSCALE|BZERO|BLANK"
)


@dataclass(frozen=True, slots=True)
class Plain:
    """How to decode pixels that lie in the file as they are.

    Attributes
    ----------
    cards
        The header.
    header
        The same, parsed.
    dtype
        Of decoded values, with byte order.
    raw
        Whether decoded values are the bytes in the file.
    """

    cards: bytes
    header: fits.Header
    dtype: np.dtype
    raw: bool

    def decode(self, shape: Sequence[int], data: bytes) -> np.ndarray:
        """Give the pixels of a piece, of a shape in numpy's order."""
        return _pixels(_with_axes(self.cards, shape), data)


def plain_pixels(extent: Extent) -> Plain:
    """Find out how to decode an uncompressed image."""
    from astropy.io import fits

    cards = _edited(extent.cards, {"PCOUNT": 0, "GCOUNT": 1} if extent.index else {})
    with Tolerance(), reading("FITS"):
        header = fits.Header.fromstring(extent.cards)
    one = [1] * len(extent.axes)
    item_bytes = abs(int(header["BITPIX"])) // 8
    dtype = _pixels(_with_axes(cards, one), bytes(item_bytes)).dtype
    unscaled = header.get("BSCALE", 1) == 1 and header.get("BZERO", 0) == 0
    raw = unscaled and (header["BITPIX"] < 0 or "BLANK" not in header)
    return Plain(cards, header, dtype, raw)


class Tiles:
    """The tiles of one compressed image, in blocks: one tile, or some when they are small rows of the image.

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
        with Tolerance(), reading("FITS"):
            self._read_header(extent)
        self._rows_read: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def read(self, source: ByteSource, index: Sequence[int]) -> np.ndarray:
        """Decode a block, given its place; at the end of an axis it is smaller than others."""
        import numpy as np

        blocks = list(zip(self.shape, self.block_shape, index, strict=True))
        shape = [min(block, size - place * block) for size, block, place in blocks]
        corner = [
            place * block // tile for (_, block, place), tile in zip(blocks, self._tile_shape, strict=True)
        ]
        first = int(np.ravel_multi_index(corner, self._grid))
        count = math.prod(-(-size // tile) for size, tile in zip(shape, self._tile_shape, strict=True))
        rows = np.frombuffer(self._rows(source, first, count), self._layout, count).copy()
        ranges = _joined(self._relocate(rows))
        heap = b"".join(source.read_many(ranges))
        if len(heap) != sum(stop - start for start, stop in ranges):
            raise BadContent(f"FITS HDU {self._extent.index} is truncated", f"tile {first} is cut off")
        return _pixels(self._header_of(first, count, shape, len(heap)), rows.tobytes() + heap)

    def _read_header(self, extent: Extent) -> None:
        from astropy.io import fits

        table = fits.Header.fromstring(extent.cards)
        axes = extent.image_axes[::-1]
        default = [1] * (len(axes) - 1) + [axes[-1]]
        tiles = [int(table.get(f"ZTILE{len(axes) - n}", default[n])) for n in range(len(axes))]
        if any(tile < 1 for tile in tiles):
            raise BadContent(f"FITS HDU {extent.index} is damaged", f"its tiles are {tiles}")
        self.shape = axes
        self._tile_shape = tuple(map(min, tiles, axes))
        self._grid = tuple(-(-size // tile) for size, tile in zip(axes, self._tile_shape, strict=True))
        if math.prod(self._grid) != extent.axes[1]:
            found = f"it has {extent.axes[1]} tiles where {math.prod(self._grid)} should be"
            raise BadContent(f"FITS HDU {extent.index} is damaged", found)
        self._dither = int(table.get("ZDITHER0", 0)) if "ZQUANTIZ" in table else None
        self._heap = extent.data_start + int(table.get("THEAP", extent.axes[0] * extent.axes[1]))
        self._cards = _only(extent.cards, _ENCODING)
        self._read_columns(_edited(extent.cards, {"NAXIS2": 0, "PCOUNT": 0, "THEAP": 0}))
        self.block_shape = self._together()
        size = math.prod(self.block_shape) * self.dtype.itemsize
        if size > _MAX_DECODED:
            raise BadContent(f"FITS HDU {extent.index} is refused", f"each of its tiles has {size} bytes")

    def _together(self) -> Index:
        """Give the shape of a block: of tiles that are whole rows, so many as are decoded at once."""
        block = list(self._tile_shape)
        axis = max((n for n, tiles in enumerate(self._grid) if tiles > 1), default=len(block) - 1)
        if axis == len(block) - 1:
            return self._tile_shape
        tile_bytes = math.prod(block) * self.dtype.itemsize
        block[axis] = min(block[axis] * max(_TOGETHER_BYTES // tile_bytes, 1), self.shape[axis])
        return tuple(block)

    def _read_columns(self, cards: bytes) -> None:
        from astropy.io import fits

        with fits.open(io.BytesIO(_file(cards, b"")), memmap=False, disable_image_compression=True) as hdus:
            columns = hdus[1].columns
            self._layout = columns.dtype.newbyteorder(">")
            found = ((column.name, _DESCRIPTOR.match(str(column.format))) for column in columns)
            self._variable = {name: _ITEM_BYTES[match[2]] for name, match in found if match}
        with fits.open(io.BytesIO(_file(cards, b"")), memmap=False) as hdus:
            self.header: fits.Header = hdus[1].header
        if self._layout.itemsize != self._extent.axes[0]:
            said = f"NAXIS1 is {self._extent.axes[0]}, its columns have {self._layout.itemsize} bytes"
            raise BadContent(f"FITS HDU {self._extent.index} is damaged", said)
        image = _image_cards(self.header, len(self.shape))
        self.dtype = _pixels(image, bytes(abs(int(self.header["BITPIX"])) // 8)).dtype

    def _rows(self, source: ByteSource, first: int, count: int) -> bytes:
        """Read rows of the table, with some rows about them."""
        size = self._extent.axes[0]
        together = max(_ROWS_BYTES // size, 1)
        numbers = range(first // together, (first + count - 1) // together + 1)
        with self._lock:
            missing = [number for number in numbers if number not in self._rows_read]
            found = {number: self._rows_read[number] for number in numbers if number not in missing}
        for number in missing:
            start = self._extent.data_start + number * together * size
            stop = min(start + together * size, self._extent.data_start + self._extent.axes[1] * size)
            found[number] = source.read(start, stop)
        with self._lock:
            if len(self._rows_read) + len(missing) > _MAX_BLOCKS:
                self._rows_read.clear()
            self._rows_read.update(found)
        skipped = (first - numbers[0] * together) * size
        rows = b"".join(found[number] for number in numbers)[skipped : skipped + count * size]
        if len(rows) != count * size:
            raise BadContent(f"FITS HDU {self._extent.index} is truncated", f"no row of tile {first}")
        return rows

    def _relocate(self, rows: np.ndarray) -> Iterator[tuple[int, int]]:
        """Let the descriptors point into a heap that holds no more than theirs; give where that lies."""
        filled = 0
        end = self._extent.data_start + self._extent.data_size
        for row in rows:
            for name, item_bytes in self._variable.items():
                count, offset = map(int, row[name])
                start, stop = self._heap + offset, self._heap + offset + count * item_bytes
                if count < 0 or offset < 0 or stop > end:
                    found = f"a tile should lie at bytes {start} to {stop}"
                    raise BadContent(f"FITS HDU {self._extent.index} is damaged", found)
                row[name] = (count, filled if count else 0)
                filled += stop - start
                if count:
                    yield start, stop

    def _header_of(self, first: int, count: int, shape: Sequence[int], heap_bytes: int) -> bytes:
        """Give the header of a table with some rows, for an image of some tiles."""
        values = {"NAXIS2": count, "PCOUNT": heap_bytes, "THEAP": self._extent.axes[0] * count}
        for number, (size, tile) in enumerate(zip(shape[::-1], self._tile_shape[::-1], strict=True), 1):
            values |= {f"ZNAXIS{number}": size, f"ZTILE{number}": min(tile, size)}
        if self._dither is not None:
            # The sequence of random numbers begins anew after so many tiles, counted from the seed.
            values["ZDITHER0"] = (first + self._dither - 1) % _MAX_DITHER + 1
        return _edited(self._cards, values)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one of ranges that follow on one another, as tiles mostly do."""
    found: list[tuple[int, int]] = []
    for start, stop in ranges:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


def _pixels(cards: bytes, data: bytes) -> np.ndarray:
    from astropy.io import fits

    with Tolerance(), reading("FITS"):
        with fits.open(io.BytesIO(_file(cards, data)), memmap=False) as hdus:
            found: np.ndarray = hdus[-1].data
        if found is None:
            raise BadContent("the FITS image cannot be read", "its header describes no pixels")
        return found


def _file(cards: bytes, data: bytes) -> bytes:
    head = (cards + b"END".ljust(_CARD)).ljust(-(-(len(cards) + _CARD) // BLOCK) * BLOCK)
    before = b"" if cards.startswith(b"SIMPLE") else _PRIMARY
    return before + head + data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")


def _with_axes(cards: bytes, shape: Sequence[int]) -> bytes:
    return _edited(cards, {f"NAXIS{n}": size for n, size in enumerate(reversed(shape), 1)})


def _edited(cards: bytes, values: Mapping[str, int]) -> bytes:
    """Give integer keywords other values, in their places; those that are not there come at the end."""
    left = dict(values)
    parts = []
    for start in range(0, len(cards), _CARD):
        card = cards[start : start + _CARD]
        key = card[:8].decode("latin-1").rstrip()
        if key in values and card[8:9] == b"=":
            # A keyword that stands twice stays once.
            parts.append(_card(key, left.pop(key)) if key in left else b"")
        else:
            parts.append(card)
    return b"".join(parts) + b"".join(_card(key, value) for key, value in left.items())


def _only(cards: bytes, wanted: re.Pattern[bytes]) -> bytes:
    """Give the cards whose keywords begin as wanted."""
    each = (cards[start : start + _CARD] for start in range(0, len(cards), _CARD))
    return b"".join(card for card in each if wanted.match(card) and card[8:9] == b"=")


def _card(key: str, value: int) -> bytes:
    return f"{key:<8}= {value:>20}".encode("ascii").ljust(_CARD)


def _image_cards(header: fits.Header, axes: int) -> bytes:
    """Give a header for one pixel that is scaled as the image is."""
    from astropy.io import fits

    kept = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", header["BITPIX"]), ("NAXIS", axes)])
    for number in range(1, axes + 1):
        kept[f"NAXIS{number}"] = 1
    kept["PCOUNT"], kept["GCOUNT"] = 0, 1
    for key in ("BSCALE", "BZERO", "BLANK"):
        if key in header:
            kept[key] = header[key]
    text: str = kept.tostring(endcard=False, padding=False)
    return text.encode("ascii")
