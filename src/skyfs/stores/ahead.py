"""A file over a source far away, which reads ahead as long as it is read in order."""

from __future__ import annotations

import io
from typing import BinaryIO

from skyfs.abc.raw_file import RawFile
from skyfs.abc.source import ByteSource

_FIRST_BYTES, _LAST_BYTES = 1 << 17, 8 << 20


def reading_ahead(source: ByteSource) -> BinaryIO:
    """Give a buffered file whose requests grow from 128 KiB to 8 MiB while reading goes on in order."""
    return io.BufferedReader(_AheadFile(source), _FIRST_BYTES)


class _AheadFile(RawFile):
    """A raw file that keeps the last block it asked for."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__(source.size)
        self._source = source
        self._block, self._block_start = b"", 0
        self._next_bytes = _FIRST_BYTES

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start = self._position - self._block_start
        if not 0 <= start < len(self._block):
            self._ask(len(buffer))
            start = 0
        data = self._block[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _ask(self, wanted: int) -> None:
        in_order = bool(self._block) and self._position == self._block_start + len(self._block)
        self._next_bytes = min(2 * self._next_bytes, _LAST_BYTES) if in_order else _FIRST_BYTES
        stop = self._position + max(wanted, self._next_bytes)
        self._block = self._source.read(self._position, stop)
        self._block_start = self._position
