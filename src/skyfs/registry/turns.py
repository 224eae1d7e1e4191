"""Writers of one SQLite file, in other processes too, take turns.

SQLite waits for its lock by sleeping longer and longer, up to 100 ms: who has just written comes back sooner
than who sleeps, again and again. Writers therefore wait in line for the folder's flock first, which the
kernel gives on as soon as it is free. It is for order alone: what keeps the file whole is SQLite's lock.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Whoever stands behind a long transaction, or a process that was stopped, leaves the line then, and waits as
# SQLite does.
_PATIENCE_S = 10.0
_open: set[int] = set()


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for this writer's turn, which lasts as long as the body."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # it may be entered, not read
        yield
        return
    _open.add(descriptor)
    try:
        _wait(descriptor)
        yield
    finally:
        # A forked child has closed it already.
        if descriptor in _open:
            _open.remove(descriptor)
            os.close(descriptor)


def _wait(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # A thread, because flock knows no time limit. One that gets the lock too late has the last reference
        # to the closed file, so that the lock goes at once.
        waiting = threading.Thread(target=_lock, args=(descriptor,), name="skyfs-turn", daemon=True)
        waiting.start()
        waiting.join(_PATIENCE_S)
    except OSError:  # a filesystem without such locks
        return


def _lock(descriptor: int) -> None:
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _close_all() -> None:
    """Let go, in a forked child, of what the parent holds: its lock must end with it."""
    while _open:
        os.close(_open.pop())


os.register_at_fork(after_in_child=_close_all)
