"""A store in the memory of one process: for elided types and for tests."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Adoption, Batch, Content, Expected, Stat, Store
from skyfs.errors import Exists, NotFound, StoreError

from .failure import failing
from .folders import drop_source
from .intent import Mark
from .keys import check_key, check_prefix
from .staged import open_regular


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    data: bytes
    mtime_ns: int

    def stat(self) -> Stat:
        return Stat(len(self.data), self.mtime_ns)

    def content(self) -> Content:
        return Content(len(self.data), hashlib.sha256(self.data).digest(), self.mtime_ns)


class MemoryStore(Store):
    """Bytes in a dict; safe from several threads. A forked child has a copy of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.writable = True
        self._items: dict[str, _Item] = {}
        self._lock = threading.Lock()

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:  # noqa: ARG002 - asked at once
        return MemorySource(self._item(key).data, key, self.name)

    def stat(self, key: str) -> Stat:
        return self._item(key).stat()

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        check_prefix(prefix, self.name)
        with self._lock:
            found = [(key, item.stat()) for key, item in self._items.items() if key.startswith(prefix)]
        yield from found

    def begin(self) -> Batch:
        return MemoryBatch(self)

    def recover(self, committed: Callable[[str], bool]) -> int:  # noqa: ARG002 - the contract's signature
        """Give 0: what a dead process held in memory died with it."""
        return 0

    def close(self) -> None:
        """Do nothing: the bytes live as long as the store."""

    def insert(self, items: Mapping[str, _Item]) -> None:
        """Put all items in, or raise Exists."""
        with self._lock:
            for key in items:
                if key in self._items:
                    raise _taken(key, self.name, "bytes lie under that key")
            self._items.update(items)

    def remove(self, items: Mapping[str, _Item]) -> None:
        """Take these very items out; others that have come under their keys stay."""
        with self._lock:
            for key, item in items.items():
                if self._items.get(key) is item:
                    del self._items[key]

    def peek(self, key: str) -> _Item | None:
        """Give what lies under a key."""
        check_key(key, self.name)
        return self._items.get(key)

    def _item(self, key: str) -> _Item:
        item = self.peek(key)
        if item is None:
            raise NotFound(f"open {key!r} in store {self.name!r}", "no bytes lie under that key")
        return item


class MemorySource(ByteSource):
    """Bytes in memory."""

    def __init__(self, data: bytes, key: str, store: str) -> None:
        self._data: bytes | None = data
        self._size = len(data)
        self._key, self._store = key, store

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        if start < 0:
            raise StoreError(self._asked(), "the start is negative", "count from the first byte")
        return self._open_data()[start : max(start, stop)]

    def open(self) -> BinaryIO:
        return io.BufferedReader(io.BytesIO(self._open_data()))

    def close(self) -> None:
        self._data = None

    def _open_data(self) -> bytes:
        if self._data is None:
            raise StoreError(self._asked(), "the source is closed", "open it again")
        return self._data

    def _asked(self) -> str:
        return f"read {self._key!r} in store {self._store!r}"


class _File(io.BytesIO):
    """A file that keeps its bytes when it is closed, and grows by truncation as files on disk do."""

    kept: bytes | None = None

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        position = self.tell()
        missing = size - self.seek(0, io.SEEK_END)
        self.write(bytes(max(0, missing)))
        self.seek(position)
        return super().truncate(size)

    def close(self) -> None:
        if not self.closed:
            self.kept = self.getvalue()
        super().close()


class MemoryBatch(Batch):
    """A batch of a memory store. LINK and SYMLINK are refused: bytes in memory are copies."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._files: dict[str, _File] = {}
        self._adopted: dict[str, _Item] = {}
        self._sources: list[tuple[str, Mark]] = []
        self._deletions: dict[str, _Item] = {}
        self._published: dict[str, _Item] = {}
        self._state = "filling"

    def create(self, key: str) -> BinaryIO:
        self._require_free(key)
        file = self._files[key] = _File()
        return file

    def adopt(self, key: str, path: str, how: Adoption) -> None:
        self._require_free(key)
        asked = f"adoption of {path!r} by {how.value} as {key!r} in store {self._store.name!r}"
        if how in (Adoption.LINK, Adoption.SYMLINK):
            raise StoreError(asked, "a store in memory cannot hold links", "adopt by copy or move")
        if "\0" in path:
            raise StoreError(asked, "the path has a NUL character", "give the path of a file")
        real = os.path.realpath(path)
        with failing(f"adoption of {path!r} as", key, self._store.name):
            item, mark = _read(real, asked)
        self._adopted[key] = item
        if how is Adoption.MOVE:
            self._sources.append((real, mark))

    def delete(self, key: str) -> None:
        self._require("filling")
        item = self._store.peek(key)
        if item is not None:
            self._deletions[key] = item

    def publish(self) -> Mapping[str, Content]:
        self._require("filling")
        now_ns = time.time_ns()
        for file in self._files.values():
            file.close()
        created = {key: _Item(file.kept or b"", now_ns) for key, file in self._files.items()}
        items = {**created, **self._adopted}
        self._state = "failed"
        self._store.insert(items)
        self._state, self._published = "published", items
        return {key: item.content() for key, item in items.items()}

    def settle(self) -> None:
        if self._state != "settling":
            self._require("published")
        self._state = "settling"
        self._store.remove(self._deletions)
        for path, mark in self._sources:
            with failing("removal of moved", path, self._store.name):
                drop_source(path, mark)
        self._state = "over"

    def undo(self) -> None:
        if self._state == "over":
            return
        if self._state == "settling":
            self._require("published")
        for file in self._files.values():
            file.close()
        self._store.remove(self._published)
        self._state = "over"

    def _require(self, state: str) -> None:
        if self._state != state:
            raise StoreError(
                f"batch of store {self._store.name!r}",
                f"it is {self._state}, not {state}",
                "the order is create, adopt, delete; publish; settle, or undo before it",
            )

    def _require_free(self, key: str) -> None:
        self._require("filling")
        check_key(key, self._store.name)
        if key in self._files or key in self._adopted:
            raise _taken(key, self._store.name, "this batch writes it already")
        if self._store.peek(key) is not None:
            raise _taken(key, self._store.name, "bytes lie under that key")


def _read(path: str, asked: str) -> tuple[_Item, Mark]:
    descriptor = open_regular(path, asked)
    with open(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        data = file.read()
        after = Mark(before.st_ino, len(data), os.fstat(descriptor).st_mtime_ns)
    if Mark.of(before) != after:
        raise StoreError(asked, "it changed while it was read", "adopt it when its writer has finished")
    return _Item(data, before.st_mtime_ns), after


def _taken(key: str, store: str, found: str) -> Exists:
    return Exists(f"write {key!r} in store {store!r}", found, "delete it first, or use another key")
