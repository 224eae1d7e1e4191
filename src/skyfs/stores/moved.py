"""Files that were registered where they lay, in a folder that lies elsewhere now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected, Stat, Store
from skyfs.errors import NotFound

from .wrapped import WrappedStore

_T = TypeVar("_T")


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
        return self._ask(key, lambda one: self._store.open(one, expected))

    def stat(self, key: str) -> Stat:
        return self._ask(key, self._store.stat)

    def _ask(self, key: str, ask: Callable[[str], _T]) -> _T:
        if key.startswith(self._old):
            try:
                return ask(self._new + key[len(self._old) :])
            except NotFound:
                pass
        return ask(key)
