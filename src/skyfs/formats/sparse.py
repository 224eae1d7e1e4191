"""A file of which some ranges were fetched before a library asks for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from skyfs.abc.raw_file import RawFile
from skyfs.abc.source import ByteSource
from skyfs.model.ranges import Range

from .planned import read_planned


class SparseFile(RawFile):
    """A seekable file over a source; ranges that were fetched together are answered from memory.

    Parameters
    ----------
    source
        What is read; the caller closes it.
    ranges
        What is fetched now.
    tail
        The last bytes of the source, which are there already.
    """

    def __init__(self, source: ByteSource, ranges: Sequence[Range], tail: bytes = b"") -> None:
        super().__init__(source.size)
        known = source.size - len(tail)
        wanted = sorted({one for one in ranges if one[0] < known})
        self._source = source
        self._starts = [start for start, _ in wanted]
        self._data: list[bytes | memoryview] = list(read_planned(source, wanted))
        self._tail_start, self._tail = known, tail

    def _bytes(self, start: int, stop: int) -> bytes:
        known = self._known(start, stop)
        return self._source.read(start, stop) if known is None else known

    def _known(self, start: int, stop: int) -> bytes | None:
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : stop - self._tail_start]
        index = bisect_right(self._starts, start) - 1
        if index < 0 or stop > self._starts[index] + len(self._data[index]):
            return None
        first = self._starts[index]
        return bytes(self._data[index][start - first : stop - first])
