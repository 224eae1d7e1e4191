"""Pixels of a piece of an uncompressed FITS image, as astropy gives them from a small file around the piece.

So scaling, unsigned integers and BLANK are astropy's to the bit, and only the bytes of the piece are read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from skyfs.errors import BadContent

from .fits_layout import BLOCK, Extent
from .guards import Tolerance, reading

CARD = 80
EMPTY_PRIMARY = b"".join(
    card.ljust(CARD)
    for card in (
        b"SIMPLE  =                    T",
        b"BITPIX  =                    8",
        b"NAXIS   =                    0",
        b"EXTEND  =                    T",
        b"END",
    )
).ljust(BLOCK)


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
        return pixels_of(_with_axes(self.cards, shape), data)


def plain_pixels(extent: Extent) -> Plain:
    """Find out how to decode an uncompressed image."""
    cards = edited(extent.cards, {"PCOUNT": 0, "GCOUNT": 1} if extent.index else {})
    with Tolerance(), reading("FITS"):
        header = fits.Header.fromstring(extent.cards)
    one = [1] * len(extent.axes)
    item_bytes = abs(int(header["BITPIX"])) // 8
    dtype = pixels_of(_with_axes(cards, one), bytes(item_bytes)).dtype
    unscaled = header.get("BSCALE", 1) == 1 and header.get("BZERO", 0) == 0
    raw = unscaled and (header["BITPIX"] < 0 or "BLANK" not in header)
    return Plain(cards, header, dtype, raw)


def pixels_of(cards: bytes, data: bytes) -> np.ndarray:
    """Give the pixels of an image, of its header's cards and its data."""
    with Tolerance(), reading("FITS"):
        with fits.open(io.BytesIO(small_file(cards, data)), memmap=False) as hdus:
            found: np.ndarray = hdus[-1].data
        if found is None:
            raise BadContent("the FITS image cannot be read", "its header describes no pixels")
        return found


def small_file(cards: bytes, data: bytes) -> bytes:
    """Give a FITS file of one HDU, behind an empty primary one when it is an extension."""
    head = (cards + b"END".ljust(CARD)).ljust(-(-(len(cards) + CARD) // BLOCK) * BLOCK)
    before = b"" if cards.startswith(b"SIMPLE") else EMPTY_PRIMARY
    return before + head + data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")


def _with_axes(cards: bytes, shape: Sequence[int]) -> bytes:
    return edited(cards, {f"NAXIS{n}": size for n, size in enumerate(reversed(shape), 1)})


def edited(cards: bytes, values: Mapping[str, int]) -> bytes:
    """Give integer keywords other values, in their places; those that are not there come at the end."""
    left = dict(values)
    parts = []
    for start in range(0, len(cards), CARD):
        card = cards[start : start + CARD]
        key = card[:8].decode("latin-1").rstrip()
        if key in values and card[8:9] == b"=":
            # A keyword that stands twice stays once.
            parts.append(_card(key, left.pop(key)) if key in left else b"")
        else:
            parts.append(card)
    return b"".join(parts) + b"".join(_card(key, value) for key, value in left.items())


def _card(key: str, value: int) -> bytes:
    return f"{key:<8}= {value:>20}".encode("ascii").ljust(CARD)


def image_cards(header: fits.Header, axes: int) -> bytes:
    """Give a header for one pixel that is scaled as the image is."""
    kept = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", header["BITPIX"]), ("NAXIS", axes)])
    for number in range(1, axes + 1):
        kept[f"NAXIS{number}"] = 1
    kept["PCOUNT"], kept["GCOUNT"] = 0, 1
    for key in ("BSCALE", "BZERO", "BLANK"):
        if key in header:
            kept[key] = header[key]
    text: str = kept.tostring(endcard=False, padding=False)
    return text.encode("ascii")
