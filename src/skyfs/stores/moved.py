"""Files that were registered where they lay, in a folder that lies elsewhere now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Expected, Stat, Store
from skyfs.errors import NotFound


class MovedStore(Store):
    """Looks for keys below one folder below another one first.

    Parameters
    ----------
    store
        What has the files.
    old, new
        The folder in the keys, and where it is now.
    """

    def __init__(self, store: Store, old: str, new: str) -> None:
        self._store = store
        self._old, self._new = f"{old}/", f"{new}/"
        self.name = store.name

    @property
    def writable(self) -> bool:  # type: ignore[override]
        """Whether the store behind can be written."""
        return self._store.writable

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        if key.startswith(self._old):
            try:
                return self._store.open(self._moved(key), expected)
            except NotFound:
                pass
        return self._store.open(key, expected)

    def stat(self, key: str) -> Stat:
        if key.startswith(self._old):
            try:
                return self._store.stat(self._moved(key))
            except NotFound:
                pass
        return self._store.stat(key)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        return self._store.scan(prefix)

    def begin(self) -> Batch:
        return self._store.begin()

    def recover(self, committed: Callable[[str], bool]) -> int:
        return self._store.recover(committed)

    def close(self) -> None:
        """Close the store behind."""
        self._store.close()

    def _moved(self, key: str) -> str:
        return self._new + key[len(self._old) :]
