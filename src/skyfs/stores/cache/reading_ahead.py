"""Reading on and on from a far file: blocks that grow, as long as each read begins where the last ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from skyfs.abc.raw_file import RawFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Range = tuple[int, int]

_FIRST_BYTES = 1 << 17
_MOST_BYTES = 1 << 24
_AT_ONCE_BYTES = 1 << 21  # a block is fetched in pieces of this size, over several connections


class Ahead:
    """Fetches more than is asked for. Safe from several threads.

    Parameters
    ----------
    size
        Of the file.
    fetch
        Gives the bytes of several ranges.
    """

    def __init__(self, size: int, fetch: Callable[[Sequence[Range]], list[bytes]]) -> None:
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
                self._start, self._block = start, kept + self._get(end, until)
                self._next_bytes = min(2 * self._next_bytes, _MOST_BYTES)
            return self._block[start - self._start : stop - self._start]

    def _get(self, start: int, stop: int) -> bytes:
        places = range(start, stop, _AT_ONCE_BYTES)
        return b"".join(self._fetch([(place, min(stop, place + _AT_ONCE_BYTES)) for place in places]))


class AheadFile(RawFile):
    """A raw file that reads ahead; the whole is asked for when the rest of it is wanted from the start.

    Parameters
    ----------
    ahead
        Gives the bytes.
    size
        Of the file.
    read_all
        Gives all of it.
    """

    def __init__(self, ahead: Ahead, size: int, read_all: Callable[[], bytes]) -> None:
        super().__init__(size)
        self._ahead, self._read_all = ahead, read_all

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer from where the file stands, and fetch more than that."""
        view = memoryview(buffer).cast("B")
        data = self._ahead.read(self._position, self._position + len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        position, self._position = self._position, max(self._position, self._size)
        if position == 0:
            return self._read_all()
        return self._ahead.read(position, self._size)
