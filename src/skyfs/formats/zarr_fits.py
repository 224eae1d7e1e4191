"""The images of a FITS file as arrays of a Zarr group."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count, islice

import numpy as np
from astropy.io import fits

from skyfs.abc.source import ByteSource

from .fits_blocks import Tiles
from .fits_chunks import Plain, plain_pixels
from .fits_layout import Extent, extents
from .guards import Tolerance, reading
from .headers import header_to_dict
from .zarr_views import ArrayView, Index, Made, Rows, ViewContents

# What may be a name in Zarr, in a path and in a shell.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_AXES = ("x", "y")
_COMMENTARY = ("COMMENT", "HISTORY")


def view_fits(source: ByteSource) -> ViewContents:
    """Show a FITS file as a Zarr group with an array for each image; its attributes are the primary header.

    Raises
    ------
    BadContent
        When it is damaged.
    """
    return ViewContents(arrays_of(source), _group_attributes(source))


def arrays_of(source: ByteSource) -> dict[str, ArrayView]:
    """Give an array for each image HDU, in order: named by EXTNAME, with EXTVER where one name stands twice.

    Reads headers only.

    Raises
    ------
    BadContent
        When the file is damaged.
    """
    images = [extent for extent in extents(source) if min(extent.image_axes, default=0) > 0]
    readers = [Tiles(one) if one.compressed else plain_pixels(one) for one in images]
    names = _names([(one.index, reader.header) for one, reader in zip(images, readers, strict=True)])
    axes = _Axes()
    return {
        name: _view(extent, reader, axes) for name, extent, reader in zip(names, images, readers, strict=True)
    }


def _group_attributes(source: ByteSource) -> dict[str, object]:
    """Give the primary header as plain values."""
    first = next(islice(extents(source), 1))
    with Tolerance(), reading("FITS"):
        return attributes(fits.Header.fromstring(first.cards))


def attributes(header: fits.Header) -> dict[str, object]:
    """Give keywords with their values, and COMMENT and HISTORY as lists of lines."""
    found = header_to_dict(header)
    return found | {key: [str(line) for line in header[key]] for key in _COMMENTARY if key in header}


class _Axes:
    """Names of axes: x, y, axis3...; one of another length than an earlier one of its name has it added."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def of(self, shape: Sequence[int]) -> list[str]:
        """Name the axes of a shape, which is in numpy's order."""
        named = []
        for number, size in enumerate(reversed(shape)):
            name = _AXES[number] if number < len(_AXES) else f"axis{number + 1}"
            named.append(name if self._sizes.setdefault(name, size) == size else f"{name}_{size}")
        return named[::-1]


def _view(extent: Extent, reader: Plain | Tiles, axes: _Axes) -> ArrayView:
    shape = extent.image_axes[::-1]
    chunks, opener = _tiled(reader) if isinstance(reader, Tiles) else _contiguous(extent, reader)
    return ArrayView(shape, chunks, reader.dtype, opener, attributes(reader.header), axes.of(shape))


_Opener = Callable[[ByteSource, Index], ByteSource]


def _contiguous(extent: Extent, plain: Plain) -> tuple[Index, _Opener]:
    item_bytes = abs(int(plain.header["BITPIX"])) // 8
    rows = Rows.of(extent.data_start, item_bytes, extent.axes[::-1])
    return rows.chunks, rows.open if plain.raw else partial(_open_scaled, plain, rows)


def _open_scaled(plain: Plain, rows: Rows, source: ByteSource, index: Index) -> ByteSource:
    size = math.prod(rows.chunks) * plain.dtype.itemsize

    def make() -> bytes:
        raw = source.read(*rows.range_at(index))
        # What is missing at the end of a chunk is missing at the end of its bytes.
        return plain.decode(rows.shape_at(index), raw).tobytes().ljust(size, b"\0")

    return Made(source, size, make)


def _tiled(tiles: Tiles) -> tuple[Index, _Opener]:
    return tiles.block_shape, partial(_open_tile, tiles)


def _open_tile(tiles: Tiles, source: ByteSource, index: Index) -> ByteSource:
    def make() -> bytes:
        pixels = tiles.read(source, index)
        if pixels.shape == tiles.block_shape:
            return pixels.astype(tiles.dtype, copy=False).tobytes()
        padded = np.zeros(tiles.block_shape, tiles.dtype)
        padded[tuple(map(slice, pixels.shape))] = pixels
        return padded.tobytes()

    return Made(source, math.prod(tiles.block_shape) * tiles.dtype.itemsize, make)


def _names(headers: Sequence[tuple[int, Mapping[str, object]]]) -> Iterator[str]:
    """Name each image by the first of: EXTNAME alone in the file, EXTNAME_EXTVER, number of the HDU."""
    named = [str(header.get("EXTNAME", "")).strip() for _, header in headers]
    often = Counter(name.upper() for name in named)
    taken: set[str] = set()
    for name, (index, header) in zip(named, headers, strict=True):
        full = name if often[name.upper()] == 1 else f"{name}_{header.get('EXTVER', 1)}"
        wanted = [one for one in (full,) if name and _NAME.fullmatch(one) and one != "zarr.json"]
        others = (f"hdu_{index}" + "_" * more for more in count())
        found = next(one for one in chain(wanted, [str(index)], others) if one.upper() not in taken)
        taken.add(found.upper())
        yield found
