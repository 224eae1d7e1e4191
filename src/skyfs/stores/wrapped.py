"""A store around another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Expected, Stat, Store


class WrappedStore(Store):
    """Does what the store behind does; who inherits says what is otherwise."""

    def __init__(self, store: Store) -> None:
        self.name = store.name
        self._store = store

    @property
    def writable(self) -> bool:  # type: ignore[override]
        """Whether the store behind can be written."""
        return self._store.writable

    @property
    def behind(self) -> Store:
        """See `skyfs.abc.store.Wraps`."""
        return self._store

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        return self._store.open(key, expected)

    def stat(self, key: str) -> Stat:
        return self._store.stat(key)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        return self._store.scan(prefix)

    def begin(self) -> Batch:
        return self._store.begin()

    def recover(self, committed: Callable[[str], bool]) -> int:
        return self._store.recover(committed)

    def close(self) -> None:
        self._store.close()
