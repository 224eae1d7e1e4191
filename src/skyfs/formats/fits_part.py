"""One HDU of a FITS file that holds many datasets, as a file of its own: the primary HDU, then that one."""

from __future__ import annotations

from itertools import islice

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, Unsupported

from .fits_layout import extents

EXTENSIONS = (".fits", ".fit", ".fits.fz")
"""Those whose bytes are the HDUs themselves: a part is ranges of them."""


class FitsPart(ByteSource):
    """The bytes of the primary HDU and of one other, read from the whole file; closes it with itself.

    Raises
    ------
    BadContent
        When the file has no such HDU, or is damaged.
    """

    def __init__(self, whole: ByteSource, index: int) -> None:
        self._whole = whole
        found = list(islice(extents(whole), index + 1))
        if index < 1 or len(found) <= index:
            raise BadContent(f"HDU {index} of a FITS file", "there is none", "the file was changed")
        first, last = found[0], found[index]
        # Padding after the last data unit may be missing.
        self._head = first.end
        self._start, self._stop = last.start, min(last.end, whole.size)

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


def part_of(whole: ByteSource, extension: str, index: int) -> FitsPart:
    """Give one HDU of a file as a file of its own.

    Raises
    ------
    Unsupported
        When the file's format has no parts.
    """
    if extension not in EXTENSIONS:
        found = f"a {extension!r} file has no parts that can be read"
        raise Unsupported(f"HDU {index} of a file", found, f"one of {' '.join(EXTENSIONS)}")
    return FitsPart(whole, index)
