"""One HDU of a FITS file that holds many datasets, as a file of its own: the primary HDU, then that one."""

from __future__ import annotations

from itertools import islice

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, Unsupported
from skyfs.model.dataset import Part

from .fits_layout import extents

EXTENSIONS = (".fits", ".fit", ".fits.fz")
"""Those whose bytes are the HDUs themselves: a part is ranges of them."""


class FitsPart(ByteSource):
    """The bytes of the primary HDU and of one other, read from the whole file; closes it with itself."""

    def __init__(self, whole: ByteSource, part: Part, size: int) -> None:
        self._whole = whole
        self._head, self._start = part.head, part.start
        self._stop = part.start + size - part.head

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._head + self._stop - self._start

    def read(self, start: int, stop: int) -> bytes:
        """Give bytes ``start`` to ``stop`` (exclusive)."""
        stop = min(stop, self.size)
        if stop <= start:
            return b""
        head = self._whole.read(start, min(stop, self._head)) if start < self._head else b""
        if stop <= self._head:
            return head
        shift = self._start - self._head
        return head + self._whole.read(max(start, self._head) + shift, stop + shift)

    def close(self) -> None:
        """Close the whole file."""
        self._whole.close()


def find_part(whole: ByteSource, extension: str, hdu: int) -> tuple[Part, int]:
    """Find one HDU of a file, and the size of the file of its own that it makes.

    Raises
    ------
    Unsupported
        When the file's format has no parts.
    BadContent
        When the file has no such HDU, or is damaged.
    """
    if extension not in EXTENSIONS:
        found = f"a {extension!r} file has no parts that can be read"
        raise Unsupported(f"HDU {hdu} of a file", found, f"one of {' '.join(EXTENSIONS)}")
    found_extents = list(islice(extents(whole), hdu + 1))
    if hdu < 1 or len(found_extents) <= hdu:
        raise BadContent(f"HDU {hdu} of a FITS file", "there is none", "the file was changed")
    first, last = found_extents[0], found_extents[hdu]
    # Padding after the last data unit may be missing.
    return Part(hdu, first.end, last.start), first.end + min(last.end, whole.size) - last.start
