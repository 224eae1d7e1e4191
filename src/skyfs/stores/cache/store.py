"""A store whose bytes are kept in the disk cache: a store around a store."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Adoption, Batch, Content, Expected, Store
from skyfs.errors import SkyfsError, StoreError, WrongBytes
from skyfs.model.ranges import REMOTE, Cost

from ..keys import check_key
from ..wrapped import WrappedStore
from .bulk import Bulk
from .disk_cache import DiskCache
from .kept import KeptFile
from .layout import content_name, keyed_name
from .source import CachedSource, Far


class CachedStore(WrappedStore):
    """Reads through the cache, and writes past it.

    What the registry knows by digest is kept under the digest, whichever store or repository it came from,
    and a hit asks nobody. Without a digest it is kept under store, key, size and time of change, for which
    the store is asked once per opening, and only the size is verified when it comes.

    Parameters
    ----------
    store
        Where the bytes are.
    cache
        Where they are kept.
    identity
        What tells the store apart from all others that share the cache: its URL. Without one, what has no
        digest is not shared with others.
    cost
        What reading from the store costs, by which parts of files are planned.

    Attributes
    ----------
    hits, misses
        How many files that were opened, one by one, were here whole, and how many were not.
    """

    def __init__(self, store: Store, cache: DiskCache, *, identity: str = "", cost: Cost = REMOTE) -> None:
        super().__init__(store)
        self._cost, self._cache = cost, cache
        self._identity = identity or secrets.token_hex(16)
        self._bulk = Bulk(store, cache)
        # Without a lock, which a fork could leave locked: counts, not accounts.
        self.hits = self.misses = 0

    @property
    def cache(self) -> DiskCache:
        """Where the bytes are kept."""
        return self._cache

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        check_key(key, self.name)
        if expected is not None and expected.sha256 is not None:
            name = content_name(expected.sha256)
            found = self._find(name, expected.size, key)
            return found if found is not None else self._far(key, expected, lambda: name)
        if expected is not None:
            return self._far(key, expected, lambda: self._name_of(key, expected))
        state = self._store.stat(key)
        name = keyed_name(self._identity, key, state.size, state.mtime_ns)
        found = self._find(name, state.size, key)
        return found if found is not None else self._far_now(key, Expected(state.size), name)

    def begin(self) -> Batch:
        return _Batch(self._store.begin(), self.forget)

    def close(self) -> None:
        self._cache.close()
        super().close()

    def read_many(
        self, items: Sequence[tuple[str, Expected | None]], done: Callable[[int], None]
    ) -> list[bytes | SkyfsError]:
        """Give the whole bytes of many keys; those that are not here are fetched at once, and kept."""
        return self._bulk.read_many(items, done, self._read)

    def copy_many(
        self, items: Sequence[tuple[str, Expected | None, str]], done: Callable[[int], None]
    ) -> list[SkyfsError | None]:
        """Copy many keys to local files; those that are not here are fetched at once, and kept."""
        return self._bulk.copy_many(items, done, self.open)

    def pin(self, key: str, expected: Expected | None = None) -> str:
        """Bring a key here and keep it until it is unpinned; give the name of its content.

        Raises
        ------
        StoreError
            When it cannot be kept, as the quota or the folder does not allow it.
        """
        with self.open(key, expected) as source:
            local = source.whole() if isinstance(source, CachedSource) else source
            path = local.local_path if local is not None else None
            name = self._cache.pin(path) if path is not None else None
        if name is None:
            raise StoreError(
                f"pin {key!r} of store {self.name!r}",
                f"the cache {self._cache.layout.root!r} cannot hold its bytes",
                "unpin others, raise the quota, or see that the folder can be written",
            )
        return name

    def unpin(self, key: str, expected: Expected | None = None) -> bool:
        """Let a key be evicted again; False when it was not pinned."""
        if expected is not None and expected.sha256 is not None:
            return self._cache.unpin(content_name(expected.sha256))
        return self._cache.unpin(self._name_of(key, expected))

    def forget(self, key: str) -> None:
        """Forget what was kept of a key by its name; what is kept by its digest is right for ever."""
        self._cache.forget_key(self._identity, key)

    def _find(self, name: str, size: int, key: str) -> KeptFile | None:
        found = self._cache.find(name, size, key, self.name)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def _read(self, key: str, expected: Expected | None) -> bytes:
        with self.open(key, expected) as source:
            return source.read_all()

    def _name_of(self, key: str, expected: Expected | None) -> str:
        state = self._store.stat(key)
        if expected is not None and state.size != expected.size:
            raise WrongBytes(
                f"read {key!r} in store {self.name!r}",
                f"it has {state.size} bytes, {expected.size} are registered",
                "it was overwritten: restore it, or take it in again",
            )
        return keyed_name(self._identity, key, state.size, state.mtime_ns)

    def _far(self, key: str, expected: Expected, name: Callable[[], str]) -> CachedSource:
        far = Far(key, self.name, expected, name, lambda: self._store.open(key, expected), self._cost)
        return CachedSource(self._cache, far)

    def _far_now(self, key: str, expected: Expected, name: str) -> CachedSource:
        """Give a source whose store has opened it already: the key may be deleted while it is open."""
        remote = self._store.open(key, expected)
        return CachedSource(
            self._cache, Far(key, self.name, expected, lambda: name, lambda: remote, self._cost), remote
        )


class _Batch(Batch):
    """A batch of the store; keys that it writes or deletes are forgotten, though none is ever kept stale."""

    def __init__(self, batch: Batch, forget: Callable[[str], None]) -> None:
        self._batch, self._forget = batch, forget
        self._keys: list[str] = []

    def create(self, key: str) -> BinaryIO:
        self._keys.append(key)
        return self._batch.create(key)

    def adopt(self, key: str, path: str, how: Adoption) -> None:
        self._keys.append(key)
        self._batch.adopt(key, path, how)

    def delete(self, key: str) -> None:
        self._keys.append(key)
        self._batch.delete(key)

    def publish(self) -> Mapping[str, Content]:
        return self._batch.publish()

    def settle(self) -> None:
        self._batch.settle()
        for key in self._keys:
            self._forget(key)

    def undo(self) -> None:
        self._batch.undo()
