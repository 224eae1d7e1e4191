"""Reading on and on from a far file: blocks that grow, as long as each read begins where the last ended."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import BinaryIO

from skyfs.abc.source import ByteSource, SourceFile

_FIRST_BYTES, _MOST_BYTES = 1 << 17, 1 << 24


class Ahead:
    """Fetches more than is asked for. Safe from several threads.

    Parameters
    ----------
    size
        Of the file.
    fetch
        Gives bytes of it.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size, self._fetch = size, fetch
        self._start, self._block = 0, b""
        self._next_bytes = _FIRST_BYTES
        self._lock = threading.Lock()

    def read(self, start: int, stop: int) -> bytes:
        """Give a range, and fetch what probably comes next with what is missing of it."""
        stop = min(stop, self._size)
        if stop <= start:
            return b""
        with self._lock:
            end = self._start + len(self._block)
            if not self._start <= start <= end:
                self._start, self._block, end = start, b"", start
                self._next_bytes = _FIRST_BYTES
            if stop > end:
                kept = self._block[start - self._start :]
                until = min(self._size, max(stop, end + self._next_bytes))
                self._start, self._block = start, kept + self._fetch(end, until)
                self._next_bytes = min(2 * self._next_bytes, _MOST_BYTES)
            return self._block[start - self._start : stop - self._start]


def reading_ahead(source: ByteSource, fetch: Callable[[int, int], bytes] | None = None) -> BinaryIO:
    """Give a buffered file that reads ahead, by ``fetch`` where that is not the source's own reading."""
    ahead = Ahead(source.size, fetch or source.read)
    return io.BufferedReader(SourceFile(source, ahead.read), _FIRST_BYTES)
