"""Readers and writers of one SQLite file within a process.

SQLite has one index of the write-ahead log for a file and process. When a reader that may write no byte
opened it, nobody in the process can write: so the first writer waits until the readers have closed it.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakSet

# A read takes milliseconds. Who reads within a read of the same thread holds the writer up, and goes on then.
_PATIENCE_S = 5.0

Key = tuple[int, int]


class Closes(Protocol):
    """What keeps connections that nobody uses at this moment."""

    def close(self) -> None:
        """Close them."""


class _Sharing:
    """What this process has open, by device and inode of the file."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers: Counter[Key] = Counter()
        self._writers: Counter[Key] = Counter()
        self._coming: Counter[Key] = Counter()
        self._keepers: WeakSet[Closes] = WeakSet()

    def keep(self, keeper: Closes) -> None:
        """Know of connections that can be closed when a writer comes."""
        with self._changed:
            self._keepers.add(keeper)

    def is_awaited(self, key: Key) -> bool:
        """Tell whether a writer waits until the file's readers are gone."""
        return self._coming[key] > 0

    @contextmanager
    def reader(self, key: Key) -> Iterator[None]:
        """Open a reader in the body; it counts until `closed`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._coming[key], _PATIENCE_S)
            self._readers[key] += 1
        with self._undone(self._readers, key):
            yield

    @contextmanager
    def writer(self, key: Key) -> Iterator[None]:
        """Open a writer in the body, when the readers are gone or one is open already."""
        with self._changed:
            self._coming[key] += 1
        try:
            self._wait(key)
            with self._undone(self._writers, key):
                self._writers[key] += 1
                yield
        finally:
            with self._changed:
                self._coming[key] -= 1
                self._changed.notify_all()

    def closed(self, key: Key, *, writer: bool) -> None:
        """Take note that a connection was closed."""
        with self._changed:
            (self._writers if writer else self._readers)[key] -= 1
            self._changed.notify_all()

    def _wait(self, key: Key) -> None:
        if self._writers[key] or not self._readers[key]:
            return
        for keeper in list(self._keepers):
            keeper.close()
        with self._changed:
            self._changed.wait_for(lambda: self._readers[key] <= 0, _PATIENCE_S)

    @contextmanager
    def _undone(self, counts: Counter[Key], key: Key) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with self._changed:
                counts[key] -= 1
                self._changed.notify_all()
            raise


sharing = _Sharing()
os.register_at_fork(after_in_child=lambda: _Sharing.__init__(sharing))


def key_of(path: str | os.PathLike[str]) -> Key:
    """Give what SQLite knows a file by; none that exists when there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
