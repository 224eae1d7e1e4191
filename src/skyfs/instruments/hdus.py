"""Headers of a FITS file, whichever way it is packed, without its pixels."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..abc.source import ByteSource
from ..errors import UnknownFormat
from ..formats.buffer import Buffer
from ..formats.fits_layout import extents
from ..formats.guards import Tolerance, reading
from ..formats.headers import header_to_dict

if TYPE_CHECKING:
    from astropy.io import fits

_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}
EXTENSIONS = (".fits", ".fit", ".fits.fz", ".fits.gz", ".fits.bz2")


@dataclass(frozen=True, slots=True)
class Hdu:
    """One HDU.

    Attributes
    ----------
    axes
        NAXIS1, NAXIS2... of its image, also of a compressed one; empty when it has no pixels.
    """

    index: int
    header: fits.Header
    axes: tuple[int, ...]
    compressed: bool

    @property
    def name(self) -> str:
        """EXTNAME; of several the last, as some cameras write two and fpack puts its own first."""
        values = [
            str(card.value).strip() for card in self.header.cards if card.keyword == "EXTNAME" and card.value
        ]
        return values[-1] if values else ""


def read_hdus(source: ByteSource, extension: str) -> list[Hdu]:
    """Give the HDUs of a FITS file, each complete.

    Raises
    ------
    BadContent
        When the bytes are truncated, or no FITS file.
    UnknownFormat
        When the extension is not one of FITS.
    """
    from astropy.io import fits

    if extension not in EXTENSIONS:
        raise UnknownFormat(
            f"headers of a {extension!r} file", "it is no FITS file", f"one of {' '.join(EXTENSIONS)}"
        )
    with Tolerance(), reading("FITS"):
        unpack = _UNPACK.get(f".{extension.rpartition('.')[2]}")
        plain = source if unpack is None else Buffer(unpack(source.read_all()))
        return [
            Hdu(one.index, fits.Header.fromstring(one.cards), one.image_axes, one.compressed)
            for one in extents(plain)
        ]


def merged(hdus: Sequence[Hdu], hdu: Hdu) -> fits.Header:
    """Give the header of an HDU with what it inherits from the primary one."""
    if hdu.index == 0:
        return hdu.header
    header = hdus[0].header.copy(strip=True)
    header.extend(hdu.header.copy(strip=True), update=True, unique=True)
    return header


def plain(header: fits.Header) -> dict[str, object]:
    """Give keyword → value."""
    with Tolerance(), reading("FITS"):
        return header_to_dict(header)
