"""Bytes in memory, seen as a source; and sources, seen as files that libraries read fast."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from skyfs.abc.contents import Contents, Entry
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


class HeldContents(Contents):
    """Contents whose data are in memory, because the source had to be expanded or converted as a whole."""

    def __init__(self, contents: Contents, data: bytes) -> None:
        self._contents, self._buffer = contents, Buffer(data)
        self.held_bytes = len(data)

    def entry(self, path: str) -> Entry:
        return self._contents.entry(path)

    def children(self, path: str) -> Iterator[Entry]:
        return self._contents.children(path)

    def open(self, source: ByteSource, path: str) -> ByteSource:
        found = self._contents.open(self._buffer, path)
        source.close()
        return found


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
