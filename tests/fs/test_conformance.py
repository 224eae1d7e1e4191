"""The shipped suite, for each way to open a repository."""

from __future__ import annotations

import fsspec
import pytest

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.filesystem_suite import FileSystemSuite


class TestOfAnOpenRepository(FileSystemSuite):
    def open_filesystem(self, repository: Repository) -> SkyFileSystem:
        return skyfs.filesystem(repository)


class TestOfAFolder(FileSystemSuite):
    def open_filesystem(self, repository: Repository) -> SkyFileSystem:
        fs: SkyFileSystem = fsspec.filesystem("skyfs", repo=repository.root)
        return fs


class TestOfAChainedUrl(FileSystemSuite):
    def open_filesystem(self, repository: Repository) -> SkyFileSystem:
        fs: SkyFileSystem = fsspec.url_to_fs(f"skyfs:///x::file://{repository.root}")[0]
        return fs


class TestOfANamedUrl(FileSystemSuite):
    prefix = "sky"

    @pytest.fixture(autouse=True)
    def index(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environment = monkeypatch

    def open_filesystem(self, repository: Repository) -> SkyFileSystem:
        index = repository.root.parent / "index.yaml"
        index.write_text(f"sky: {repository.root}\n")
        self.environment.setenv("SKYFS_INDEX", str(index))
        fs: SkyFileSystem = fsspec.url_to_fs("skyfs://sky/x")[0]
        return fs
