"""FITS files written piece by piece: headers, and bytes taken over from another file."""

from __future__ import annotations

from typing import BinaryIO

from astropy.io import fits

from skyfs.abc.source import ByteSource

from .fits_layout import BLOCK, Extent

_CARD = 80
# Read at once of a large HDU, in ranges that a store with latency fetches concurrently.
_RANGE = 8 << 20
_RANGES = 8
_OF_DATA = (
    "BSCALE",
    "BZERO",
    "BLANK",
    "DATAMIN",
    "DATAMAX",
    "CHECKSUM",
    "DATASUM",
    "GROUPS",
    "PCOUNT",
    "GCOUNT",
)


def write_cards(cards: bytes, file: BinaryIO) -> None:
    """Write a header whose cards these are, without END."""
    header = cards + b"END".ljust(_CARD)
    file.write(header.ljust(-(-len(header) // BLOCK) * BLOCK))


def write_header(header: fits.Header, file: BinaryIO) -> None:
    """Write a header; cards that were not changed keep their bytes."""
    write_cards(header.tostring(sep="", endcard=False, padding=False).encode("ascii", "replace"), file)


def write_primary(primary: Extent, file: BinaryIO) -> None:
    """Write the header of a primary HDU, which has no data afterwards."""
    if not primary.axes:
        write_cards(primary.cards, file)
        return
    header = fits.Header.fromstring(primary.cards)
    for key in (*_OF_DATA, *(f"NAXIS{n}" for n in range(1, len(primary.axes) + 1))):
        header.remove(key, ignore_missing=True, remove_all=True)
    header["NAXIS"] = 0
    write_header(header, file)


def copy_hdu(source: ByteSource, extent: Extent, file: BinaryIO) -> None:
    """Copy an HDU as it is."""
    write_cards(extent.cards, file)
    stop = extent.data_start + extent.data_size
    starts = range(extent.data_start, stop, _RANGE)
    for batch in range(0, len(starts), _RANGES):
        ranges = [(start, min(start + _RANGE, stop)) for start in starts[batch : batch + _RANGES]]
        file.writelines(source.read_many(ranges))
    write_padding(extent.data_size, file)


def write_padding(size: int, file: BinaryIO, fill: bytes = b"\0") -> None:
    """Fill the block in which data of a size end."""
    file.write(fill * (-size % BLOCK))
