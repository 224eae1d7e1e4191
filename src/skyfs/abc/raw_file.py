"""A raw file over anything that gives the bytes between two places."""

from __future__ import annotations

import errno
import io
from abc import abstractmethod


class RawFile(io.RawIOBase):
    """A seekable raw file of known size; who inherits says what bytes lie where.

    Parameters
    ----------
    size
        In bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    @abstractmethod
    def _bytes(self, start: int, stop: int) -> bytes:
        """Give bytes ``start`` to ``stop`` (exclusive), which lie within the file."""

    def read(self, size: int | None = -1) -> bytes:
        """Give bytes from where the file stands; without a size, or with -1, the rest."""
        left = max(self._size - self._position, 0)
        stop = self._position + (left if size is None or size < 0 else min(size, left))
        data = self._bytes(self._position, stop)
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """Read the rest at once: the base class would ask for 8 KiB at a time."""
        return self.read()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer from where the file stands; give how much of it."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset
        if position < 0:
            raise OSError(errno.EINVAL, "seek before the start of the file")
        self._position = position
        return position
