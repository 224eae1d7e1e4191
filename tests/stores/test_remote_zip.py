"""A store in a zip file: the read half of the suite, here and behind an HTTP server."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from skyfs.abc.store import Store
from skyfs.stores.remote import RemoteStore
from skyfs.testing.servers import HttpServer
from skyfs.testing.store_suite import ReadingSuite, Stock

from .remote import zip_file


class TestZip(ReadingSuite):
    refused = frozenset({"\udcff"})
    method = zipfile.ZIP_DEFLATED

    @pytest.fixture
    def stocked(self, tmp_path: Path) -> Stock:
        def stock(files: Mapping[str, bytes]) -> Store:
            zip_file(tmp_path / "files.zip", files, self.method)
            return RemoteStore(f"zip://::{tmp_path}/files.zip", name="zip")

        return stock


class TestZipStored(TestZip):
    method = zipfile.ZIP_STORED


class TestZipFarAway(ReadingSuite):
    refused = frozenset({"\udcff"})

    @pytest.fixture
    def stocked(self, http: HttpServer, tmp_path: Path) -> Stock:
        def stock(files: Mapping[str, bytes]) -> Store:
            name = f"{tmp_path.name}.zip"
            zip_file(http.root / name, {f"inside/{key}": data for key, data in files.items()} | {"out": b"x"})
            return RemoteStore(f"zip://inside::{http.url}/{name}", name="zip")

        return stock
