"""A file over a source far away, which reads ahead as long as it is read in order."""

from __future__ import annotations

import io
from typing import BinaryIO

from skyfs.abc.source import ByteSource

_FIRST_BYTES, _LAST_BYTES = 1 << 17, 8 << 20


def reading_ahead(source: ByteSource) -> BinaryIO:
    """Give a buffered file whose requests grow from 128 KiB to 8 MiB while reading goes on in order."""
    return io.BufferedReader(_AheadFile(source), _FIRST_BYTES)


class _AheadFile(io.RawIOBase):
    """A raw file that keeps the last block it asked for."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._position = 0
        self._block, self._block_start = b"", 0
        self._next_bytes = _FIRST_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError(22, "seek before the start of the file")
        self._position = base + offset
        return self._position

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
