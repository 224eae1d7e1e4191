"""FITS headers as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from .fits_layout import Extent, extents

if TYPE_CHECKING:
    from astropy.io import fits

    from skyfs.abc.source import ByteSource

_COMMENTARY = frozenset(("COMMENT", "HISTORY", "", "CONTINUE"))
# Keywords of the table that carries a compressed image: they say nothing about the image.
_CARRIER = ("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "TTYPE", "TFORM", "THEAP", "ZIMAGE")
_IMAGE_KEYS = ("ZBITPIX", "ZNAXIS", "ZSIMPLE", "ZEXTEND", "ZTENSION", "ZPCOUNT", "ZGCOUNT")


def main_header(source: ByteSource) -> dict[str, object]:
    """Give the primary header, merged with the first extension's when the primary has no data.

    Of keywords in both, the extension's value is given. Commentary and keywords without a value are left out.
    """
    first, *rest = islice(extents(source), 2)
    header = _plain(first)
    if first.data_size == 0 and rest:
        header.update(_uncompressed(_plain(rest[0])) if rest[0].compressed else _plain(rest[0]))
    return header


def header_to_dict(header: fits.Header) -> dict[str, object]:
    """Give keyword → value, without commentary and keywords without a value."""
    return {key: value for key, value, _ in _cards(header) if key not in _COMMENTARY and value is not None}


def all_cards(hdus: fits.HDUList) -> list[dict[str, object]]:
    """Give every card of every header, in order: objects of hdu, keyword, value (or None) and comment."""
    return [
        {"hdu": index, "keyword": key, "value": value, "comment": comment}
        for index, hdu in enumerate(hdus)
        for key, value, comment in _cards(hdu.header)
    ]


def _plain(extent: Extent) -> dict[str, object]:
    from astropy.io import fits

    return header_to_dict(fits.Header.fromstring(extent.cards))


def _uncompressed(header: dict[str, object]) -> dict[str, object]:
    """Give the header of the image that a compressed image's table holds."""
    image = {key: value for key, value in header.items() if not key.rstrip("0123456789").startswith(_CARRIER)}
    renamed = {key[1:]: value for key, value in header.items() if key.startswith(_IMAGE_KEYS)}
    return {**{k: v for k, v in image.items() if not k.startswith(_IMAGE_KEYS)}, **renamed}


def _cards(header: fits.Header) -> Iterator[tuple[str, object, str]]:
    """Give keyword, value and comment; a card that astropy cannot parse gives its text as comment."""
    from astropy.io import fits

    for card in header.cards:
        try:
            value = card.value
            yield (
                card.keyword,
                None if isinstance(value, fits.card.Undefined) else _scalar(value),
                card.comment,
            )
        except fits.VerifyError:
            yield card.keyword, None, _image(card)


def _image(card: fits.Card) -> str:
    """Give a card's text; empty when it goes on in cards that do not follow."""
    from astropy.io import fits

    try:
        return str(card.image).rstrip()
    except fits.VerifyError:
        return ""


def _scalar(value: object) -> str | int | float | bool:
    """Give a plain value; numbers that JSON has not (complex) become text."""
    return value if isinstance(value, str | int | float | bool) else str(value)
