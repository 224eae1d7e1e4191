"""The cached store: the suite of stores, over a cold cache and over one that is never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyfs.abc.store import Adoption, Store
from skyfs.stores.cache import CachedStore, DiskCache
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import StoreSuite


class TestCachedStore(StoreSuite):
    adoptions = frozenset({Adoption.COPY, Adoption.MOVE})

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return CachedStore(MemoryStore("mem"), DiskCache(tmp_path / "cache"), identity="mem://")


class TestTinyCache(TestCachedStore):
    """Nearly everything is evicted at once, or does not fit."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return CachedStore(MemoryStore("mem"), DiskCache(tmp_path / "cache", quota_bytes=100))


class TestUnusableCache(TestCachedStore):
    """The cache's folder is a file."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        (tmp_path / "file").touch()
        return CachedStore(MemoryStore("mem"), DiskCache(tmp_path / "file" / "cache"))
