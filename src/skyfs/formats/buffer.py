"""Bytes in memory, seen as a source; and sources, seen as files that libraries read fast."""

from __future__ import annotations

import io
from typing import BinaryIO

from skyfs.abc.source import ByteSource


class Buffer(ByteSource):
    """Bytes that are in memory already, such as a decompressed file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    def read(self, start: int, stop: int) -> bytes:
        """Give bytes ``start`` to ``stop`` (exclusive)."""
        return self._data[start:stop]

    def read_all(self) -> bytes:
        """Give all bytes, without a copy."""
        return self._data


def open_whole(source: ByteSource) -> BinaryIO:
    """Give a file over the whole source: the local one when there is one, else its bytes in memory.

    numpy and astropy read real files straight into arrays, and everything else through a copy. A local path
    may vanish (evicted, replaced by nothing): then the source, which still holds its bytes, is read.
    """
    if source.local_path is not None:
        try:
            return open(source.local_path, "rb")
        except FileNotFoundError:
            pass
    return io.BytesIO(source.read_all())
