"""A store that is too far away to be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Expected, Stat, Store
from skyfs.errors import NotFound


class OfflineStore(Store):
    """Stands before a store that must not be read: every question is answered with NotFound, none is asked.

    Writing goes on as ever: who writes has decided to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = store.name

    @property
    def writable(self) -> bool:  # type: ignore[override]
        """Whether the store behind can be written."""
        return self._store.writable

    @property
    def behind(self) -> Store:
        """See `skyfs.abc.store.Wraps`."""
        return self._store

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:  # noqa: ARG002 - not asked
        raise self._missing("open", key)

    def stat(self, key: str) -> Stat:
        raise self._missing("stat", key)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        raise self._missing("scan of", prefix)

    def begin(self) -> Batch:
        return self._store.begin()

    def recover(self, committed: Callable[[str], bool]) -> int:
        return self._store.recover(committed)

    def close(self) -> None:
        """Close the store behind."""
        self._store.close()

    def _missing(self, verb: str, key: str) -> NotFound:
        asked = f"{verb} {key!r} in store {self.name!r}"
        found = "it is far away, and the repository is configured not to fetch: on_missing: fail"
        return NotFound(asked, found, "bring the data near first, or set on_missing: fetch")
