"""Files that were registered where they lay, in a folder that lies elsewhere now."""

from __future__ import annotations

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected, Stat, Store
from skyfs.errors import NotFound

from .wrapped import WrappedStore


class MovedStore(WrappedStore):
    """Looks for keys below one folder below another one first.

    Parameters
    ----------
    store
        What has the files.
    old, new
        The folder in the keys, and where it is now.
    """

    def __init__(self, store: Store, old: str, new: str) -> None:
        super().__init__(store)
        self._old, self._new = f"{old}/", f"{new}/"

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

    def _moved(self, key: str) -> str:
        return self._new + key[len(self._old) :]
