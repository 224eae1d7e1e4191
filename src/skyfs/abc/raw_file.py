"""The part of a raw file that is the same whatever it reads: where it stands."""

from __future__ import annotations

import errno
import io


class RawFile(io.RawIOBase):
    """A seekable raw file of known size; who inherits says how bytes are read (``readinto``).

    Parameters
    ----------
    size
        In bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

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
