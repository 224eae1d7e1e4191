"""A store whose files are read through a cache: what its folder holds, and what was used when."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from skyfs.abc.store import Expected
from skyfs.stores.cache import CachedStore, DiskCache
from skyfs.stores.cache.layout import content_name
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import put


class Shop:
    """A store of files of 100 bytes each, named by a number, and caches of it in one folder."""

    def __init__(self, folder: Path) -> None:
        self.memory = MemoryStore("shop")
        self.folder = folder
        put(self.memory, {str(number): self.data(number) for number in range(40)})

    @staticmethod
    def data(number: int) -> bytes:
        return (b"%d " % number * 100)[:100]

    def expected(self, number: int) -> Expected:
        return Expected(100, hashlib.sha256(self.data(number)).digest())

    def path(self, number: int) -> Path:
        name = content_name(hashlib.sha256(self.data(number)).digest())
        return self.folder / "content" / name[1:3] / name

    def cache(self, quota_bytes: int = 1000) -> DiskCache:
        return DiskCache(self.folder, quota_bytes=quota_bytes)

    def store(self, cache: DiskCache | None = None) -> CachedStore:
        return CachedStore(self.memory, cache or self.cache())

    def read(self, *numbers: int, cache: DiskCache | None = None) -> None:
        """Read through the cache, and see that the bytes are right."""
        store = self.store(cache)
        for number in numbers:
            with store.open(str(number), self.expected(number)) as source:
                assert source.read_all() == self.data(number)

    def kept(self) -> set[int]:
        return {number for number in range(40) if self.path(number).exists()}

    def age(self, number: int, seconds: int) -> None:
        """Make a use a while ago."""
        state = self.path(number).stat()
        os.utime(self.path(number), ns=(state.st_atime_ns, state.st_mtime_ns - seconds * 10**9))


def write(file: BinaryIO, data: bytes) -> None:
    file.writelines(data[start : start + 10_000] for start in range(0, len(data), 10_000))
