"""A store on S3: the suite, and what is peculiar to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.abc.store import Adoption, Store
from skyfs.testing.servers import S3Server
from skyfs.testing.store_suite import StoreSuite, held

from .remote import s3_store


def leftovers(folder: Path) -> list[Path]:
    """Give the files of a store's folder that hold something: none between batches."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if path.suffix == "" or path.read_bytes().strip(b"\0")]


class TestS3(StoreSuite):
    adoptions = frozenset({Adoption.COPY, Adoption.MOVE})
    outlives = False
    refused = frozenset({"\udcff"})
    scans_times = False

    @pytest.fixture
    def store(self, s3: S3Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
        if "newline" in request.node.name:
            pytest.skip("moto finds no route for a newline")
        self.folder = tmp_path / "writing"
        store = s3_store(s3, self.folder)
        yield store
        assert leftovers(self.folder) == []
        store.close()
        assert [path for path in self.folder.rglob("*") if path.is_file()] == []

    def footprint(self, store: Store) -> object:
        return held(store), leftovers(self.folder)
