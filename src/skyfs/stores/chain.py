"""Several stores with the same keys, as one: a store and its mirrors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO, TypeVar

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Expected, Stat, Store
from skyfs.errors import NotFound, ReadOnly, SkyfsError, StoreError
from skyfs.model.ranges import Cost

from . import many
from .chain_batch import ChainBatch
from .checking import require_bytes, require_size
from .keys import check_key

Done = Callable[[int], None]
_T = TypeVar("_T")
_I = TypeVar("_I")
_log = logging.getLogger(__name__)


class ChainStore(Store):
    """A store around stores: reading tries one after another, writing goes to all that can be written.

    A store that fails, or gives bytes that are not the expected ones, is passed over with a warning in the
    log; one that lacks the key, silently. Safe from several threads.

    Parameters
    ----------
    stores
        In the order of reading; at least one.
    name
        Name in messages.
    """

    def __init__(self, stores: Sequence[Store], name: str) -> None:
        self.name = name
        self._stores = tuple(stores)
        self._writable = tuple(store for store in stores if store.writable)
        self.writable = bool(self._writable)

    @property
    def behind(self) -> Store:
        """See `skyfs.abc.store.Wraps`."""
        return self._stores[0]

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        check_key(key, self.name)
        return ChainSource(self._stores, key, expected)

    def stat(self, key: str) -> Stat:
        check_key(key, self.name)
        return first(self._stores, key, lambda store: store.stat(key))

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        given: set[str] = set()
        for store in self._stores:
            for key, stat in store.scan(prefix):
                if key not in given:
                    given.add(key)
                    yield key, stat

    def begin(self) -> Batch:
        if not self._writable:
            raise ReadOnly(
                f"write in store {self.name!r}", "all its stores are read-only", "open one writable"
            )
        batches = [store.begin() for store in self._writable]
        return batches[0] if len(batches) == 1 else ChainBatch(batches, self.name)

    def recover(self, committed: Callable[[str], bool]) -> int:
        return max((store.recover(committed) for store in self._writable), default=0)

    def close(self) -> None:
        with ExitStack() as stack:
            for store in self._stores:
                stack.callback(store.close)

    def read_many(self, items: Sequence[tuple[str, Expected | None]], done: Done) -> list[bytes | SkyfsError]:
        """See `skyfs.abc.store.FetchesMany`."""
        return self._each(items, lambda store, chosen: many.read_many(store, chosen, done))

    def copy_many(
        self, items: Sequence[tuple[str, Expected | None, str]], done: Done
    ) -> list[SkyfsError | None]:
        """See `skyfs.abc.store.FetchesMany`."""
        return self._each(items, lambda store, chosen: many.copy_many(store, chosen, done))

    def _each(self, items: Sequence[_I], work: Callable[[Store, Sequence[_I]], list[_T]]) -> list[_T]:
        results: dict[int, _T] = {}
        wanted = list(range(len(items)))
        for store in self._stores:
            if not wanted:
                break
            for number, result in zip(wanted, work(store, [items[one] for one in wanted]), strict=True):
                # That one lacks the key must not hide that another failed.
                if not (isinstance(result, NotFound) and isinstance(results.get(number), SkyfsError)):
                    results[number] = result
                if isinstance(result, SkyfsError):
                    note(result)
            wanted = [number for number in wanted if isinstance(results[number], SkyfsError)]
        return [results[number] for number in range(len(items))]


class ChainSource(ByteSource):
    """Bytes from the first store that gives them; those after it are asked when it fails later."""

    def __init__(self, stores: Sequence[Store], key: str, expected: Expected | None) -> None:
        self._stores, self._key, self._expected = stores, key, expected
        self._opened: dict[int, ByteSource] = {}
        self._closed = False
        self._size = self._do(lambda source, _: source.size)
        if expected is not None:
            self._size = expected.size

    @property
    def cost(self) -> Cost:
        return self._do(lambda source, _: source.cost)

    @property
    def size(self) -> int:
        return self._size

    @property
    def local_path(self) -> str | None:
        return self._do(lambda source, _: source.local_path)

    def read(self, start: int, stop: int) -> bytes:
        return self.read_many([(start, stop)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        if any(start < 0 for start, _ in ranges):
            raise StoreError(f"read {self._key!r}", "the start is negative", "count from the first byte")
        wanted = [max(0, min(stop, self._size) - start) for start, stop in ranges]

        def read(source: ByteSource, asked: str) -> list[bytes]:
            blocks = source.read_many(ranges)
            for block, size in zip(blocks, wanted, strict=True):
                require_size(len(block), size, None, None, asked)
            return blocks

        return self._do(read)

    def read_all(self) -> bytes:
        def read(source: ByteSource, asked: str) -> bytes:
            data = source.read_all()
            require_bytes(data, self._expected, asked)
            return data

        return self._do(read)

    def open(self) -> BinaryIO:
        self._require_open()
        return super().open()

    def close(self) -> None:
        self._closed = True
        opened, self._opened = self._opened, {}
        for source in opened.values():
            source.close()

    def _do(self, work: Callable[[ByteSource, str], _T]) -> _T:
        self._require_open()

        def ask(store: Store) -> _T:
            return work(self._source(store), f"read {self._key!r} in store {store.name!r}")

        return first(self._stores, self._key, ask)

    def _source(self, store: Store) -> ByteSource:
        number = id(store)
        if number not in self._opened:
            source = store.open(self._key, self._expected)
            if self._opened.setdefault(number, source) is not source:
                source.close()  # another thread was faster
        return self._opened[number]

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"read {self._key!r}", "the source is closed", "open it again")


def first(stores: Sequence[Store], key: str, work: Callable[[Store], _T]) -> _T:
    """Give what the first store gives; when none does, the error of the first that failed."""
    failure: SkyfsError | None = None
    for store in stores:
        try:
            return work(store)
        except SkyfsError as error:
            note(error)
            # That one lacks the key must not hide that another failed.
            if failure is None or (isinstance(failure, NotFound) and not isinstance(error, NotFound)):
                failure = error
    raise failure or NotFound(f"open {key!r}", "there is no store")


def note(error: SkyfsError) -> None:
    """Warn of a store that failed; that it lacks a key is no failure."""
    if not isinstance(error, NotFound):
        _log.warning("%s; the next store is tried", error)
