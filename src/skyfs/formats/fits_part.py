"""One HDU of a FITS file that holds many datasets, as a file of its own: the primary HDU, then that one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, Unsupported, WrongBytes
from skyfs.model.dataset import Part
from skyfs.model.ranges import Cost

from .fits_layout import Extent, extents

if TYPE_CHECKING:
    from hashlib import _Hash

EXTENSIONS = (".fits", ".fit", ".fits.fz")
"""Those whose bytes are the HDUs themselves: a part is ranges of them."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundPart:
    """A part of a file: where it lies, the size of what is served, and its digest when it was read."""

    part: Part
    size: int
    sha256: bytes | None = None


class FitsPart(ByteSource):
    """The bytes of the primary HDU and of one other, read from the whole file; closes it with itself."""

    def __init__(self, whole: ByteSource, part: Part, size: int, sha256: bytes | None = None) -> None:
        self._whole = whole
        self._head, self._size, self._sha256 = part.head, size, sha256
        self._shift = part.start - part.head

    @property
    def cost(self) -> Cost:
        return self._whole.cost

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        """Give bytes ``start`` to ``stop`` (exclusive)."""
        return self.read_many([(start, stop)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Give several ranges, in order, by one call to the whole file."""
        stitched = [self._stitched(start, min(stop, self._size)) for start, stop in ranges]
        pieces = iter(self._whole.read_many([piece for some in stitched for piece in some]))
        return [b"".join([next(pieces) for _ in some]) for some in stitched]

    def read_all(self) -> bytes:
        """Give all bytes; those of a store with latency are compared with size and digest.

        Raises
        ------
        WrongBytes
            When they are others.
        """
        data = self.read(0, self._size)
        # The whole file's digest says nothing of a part, so that the store cannot do it.
        if self._whole.local_path is None:
            _require(data, self._size, self._sha256)
        return data

    def close(self) -> None:
        """Close the whole file."""
        self._whole.close()

    def _stitched(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Give the ranges of the whole file that make up a range of the part."""
        head, shift = self._head, self._shift
        pieces = [(start, min(stop, head)), (max(start, head) + shift, stop + shift)]
        return [(first, last) for first, last in pieces if first < last]


class FitsFile:
    """A FITS file in which parts are looked for: its headers are read once, when the first is."""

    def __init__(self, whole: ByteSource, extension: str) -> None:
        self._whole, self._extension = whole, extension
        self._extents: list[Extent] = []
        self._head: _Hash | None = None

    def find(self, hdu: int) -> FoundPart:
        """Find one HDU, and the size of the file of its own that it makes.

        Raises
        ------
        Unsupported
            When the file's format has no parts.
        BadContent
            When the file has no such HDU, or is damaged anywhere.
        """
        if not self._extents:
            require_parts(self._extension, f"HDU {hdu} of a file")
            self._extents = list(extents(self._whole))
        if not 1 <= hdu < len(self._extents):
            last = len(self._extents) - 1
            raise BadContent(f"HDU {hdu} of a FITS file", f"its last is {last}", "name another, from 1")
        first, found = self._extents[0], self._extents[hdu]
        # Padding after the last data unit may be missing.
        stop = min(found.end, self._whole.size)
        part = Part(hdu, first.end, found.start, self._whole.size)
        return FoundPart(part, first.end + stop - found.start)

    def measure(self, hdu: int) -> FoundPart:
        """Find one HDU and read it, for its digest; raises as `find`."""
        found = self.find(hdu)
        part = found.part
        if self._head is None:
            self._head = hashlib.sha256()
            self._digest(self._head, 0, part.head)
        digest = self._head.copy()
        self._digest(digest, part.start, part.start + found.size - part.head)
        return FoundPart(part, found.size, digest.digest())

    def source(self, found: FoundPart) -> FitsPart:
        """Give the bytes of a part as a file of its own; the whole file stays open when it is closed."""
        return FitsPart(_Kept(self._whole), found.part, found.size)

    def _digest(self, digest: _Hash, start: int, stop: int) -> None:
        for begin in range(start, stop, _CHUNK_BYTES):
            digest.update(self._whole.read(begin, min(begin + _CHUNK_BYTES, stop)))


class _Kept(ByteSource):
    """A source that is not closed by those that read a part of it."""

    def __init__(self, whole: ByteSource) -> None:
        self._whole = whole

    @property
    def size(self) -> int:
        return self._whole.size

    def read(self, start: int, stop: int) -> bytes:
        return self._whole.read(start, stop)


def require_parts(extension: str, asked: str) -> None:
    """Raise Unsupported unless the HDUs of such a file can be datasets of their own."""
    if extension not in EXTENSIONS:
        found = f"a {extension!r} file has no parts that can be read"
        todo = f"unpack it, or compress it with fpack: one of {' '.join(EXTENSIONS)}"
        raise Unsupported(asked, found, todo)


def open_part(whole: ByteSource, part: Part, size: int, sha256: bytes | None) -> ByteSource:
    """Give what a location names in an opened file, which is closed with it.

    Raises
    ------
    BadContent
        When the file is not what it was when it was taken in; it is closed then.
    """
    if whole.size != part.file_size:
        found = f"the file has {whole.size} bytes, it had {part.file_size} when it was taken in"
        whole.close()
        raise BadContent(f"HDU {part.hdu} of a FITS file", found, "put the file back, or take it in again")
    return FitsPart(whole, part, size, sha256) if part.hdu else whole


def _require(data: bytes, size: int, sha256: bytes | None) -> None:
    asked, todo = "read a dataset of a FITS file that holds many", "is the file damaged?"
    if len(data) != size:
        raise WrongBytes(asked, f"{len(data)} bytes came, not {size}", todo)
    found = hashlib.sha256(data).digest()
    if sha256 is not None and found != sha256:
        raise WrongBytes(asked, f"their digest is {found.hex()}, not {sha256.hex()}", todo)
