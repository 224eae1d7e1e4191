"""Who brings what: one lock file for each name, locked by flock, so that a lock dies with its owner."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import Self

from .layout import Layout

STALL_S = 60.0
_POLL_MIN_S, _POLL_MAX_S = 0.001, 0.05


class Held:
    """A lock that this thread holds; a context manager that lets go of it."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    def beat(self) -> None:
        """Show those who wait that there is progress."""
        with suppress(OSError):
            os.utime(self._descriptor)

    def release(self) -> None:
        """Remove the lock file and let go."""
        with suppress(OSError):
            os.unlink(self._path)
        # Said, not left to closing: a child that was forked meanwhile has the descriptor too.
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


class Locks:
    """The locks of one cache.

    Parameters
    ----------
    layout
        Where they lie.
    stall_s
        How long a waiter looks at an owner that makes no progress (stopped by Ctrl-Z, say) before it helps
        itself.
    """

    def __init__(self, layout: Layout, stall_s: float = STALL_S) -> None:
        self._layout = layout
        self._stall_s = stall_s

    def take(self, name: str) -> Held | None:
        """Take a lock; None when somebody has it."""
        path = self._layout.lock_path(name)
        while True:
            descriptor = self._layout.open_shared(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            if _is_at(descriptor, path):
                return Held(path, descriptor)
            os.close(descriptor)  # its last owner removed the file between our open and our lock

    def wait(self, name: str) -> Held | None:
        """Take a lock when it comes free; None when its owner stands still."""
        pause, seen, since = _POLL_MIN_S, 0, time.monotonic()
        while (held := self.take(name)) is None:
            beat = self._beat_of(name)
            if beat != seen:
                seen, since = beat, time.monotonic()
            elif time.monotonic() - since >= self._stall_s:
                return None
            time.sleep(pause)
            pause = min(2 * pause, _POLL_MAX_S)
        return held

    def is_free(self, name: str) -> bool:
        """Tell whether nobody brings a name now."""
        if not os.path.exists(self._layout.lock_path(name)):
            return True
        held = self.take(name)
        if held is not None:
            held.release()
        return held is not None

    def _beat_of(self, name: str) -> int:
        try:
            return os.stat(self._layout.lock_path(name)).st_mtime_ns
        except FileNotFoundError:
            return 0


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
