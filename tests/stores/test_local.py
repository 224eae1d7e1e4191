"""The store on a local disk: the suite, in each durability and sharing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.abc.store import Store
from skyfs.stores.local import LocalStore
from skyfs.testing.store_suite import StoreSuite, held


def tree(root: Path) -> dict[str, bytes | None]:
    """Give all that lies under a root, folders too, but not the private folder of a live store."""
    paths = (path for path in root.rglob("*") if path.relative_to(root).parts[0] != ".skyfs")
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in paths}


def leftovers(root: Path) -> list[Path]:
    """Give the private files of a store that hold something: none between batches."""
    files = [path for path in (root / ".skyfs").rglob("*") if path.is_file()]
    return [path for path in files if path.parent.name != "journal" or path.read_bytes().strip(b"\0")]


class LocalSuite(StoreSuite):
    def build(self, root: Path) -> LocalStore:
        return LocalStore(root, name="disk")

    @pytest.fixture
    def store(self, root: Path) -> Iterator[Store]:
        store = self.build(root)
        yield store
        in_flight = leftovers(root)
        store.close()
        assert in_flight == []
        assert not (root / ".skyfs").exists()

    @pytest.fixture(autouse=True)
    def remember(self, root: Path) -> None:
        self.root = root

    def footprint(self, store: Store) -> object:
        return held(store), tree(self.root), leftovers(self.root)


class TestLocalStore(LocalSuite):
    pass


class TestWithoutPowerSafety(LocalSuite):
    def build(self, root: Path) -> LocalStore:
        return LocalStore(root, name="disk", durability="process")


class TestShared(LocalSuite):
    def build(self, root: Path) -> LocalStore:
        return LocalStore(root, name="disk", shared=True)
