"""What the cache gives: a local file that stays while it is read."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress

from skyfs.errors import NotFound

from ..local import LocalSource

TOUCH_S = 600
"""How coarse the order of use is: within this time a second use is not written anywhere."""


class KeptFile(LocalSource):
    """Content of the cache. A shared lock on its descriptor keeps eviction away while it is open.

    Whoever clears the cache may remove the name even so; the bytes can be read until it is closed.

    Raises
    ------
    NotFound
        When it is not there.
    """

    def __init__(self, path: str, key: str, store: str) -> None:
        # What LocalSource does, but for one look at the state, after the lock: a hit is to cost little more.
        self._descriptor = -1
        self._path, self._key, self._store = path, key, store
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"open {key!r} in store {store!r}", "it is not in the cache") from None
        # A filesystem without flock gives no protection from eviction; what is open can be read all the same.
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        state = os.fstat(self._descriptor)
        self._size, self.used_s = state.st_size, state.st_mtime
        if not state.st_nlink:
            self.close()
            raise NotFound(f"open {key!r} in store {store!r}", "it was evicted a moment ago")

    def is_stale(self) -> bool:
        """Tell whether the last use that is written down is long ago."""
        return abs(time.time() - self.used_s) > TOUCH_S

    def touch(self) -> None:
        """Write the use down: as time of change of the file, which any who may write it can do."""
        with suppress(OSError):
            os.utime(self._descriptor)


class UnkeptFile(LocalSource):
    """A file whose name is gone already; the bytes go when it is closed."""

    @property
    def local_path(self) -> None:  # type: ignore[override] # this one has none
        return None
