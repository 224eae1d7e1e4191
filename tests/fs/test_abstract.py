"""fsspec's own suite, on a RUN that registers types by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.tests import abstract

import skyfs
from skyfs.fs import SkyFileSystem


class Fixtures(abstract.AbstractFixtures):  # type: ignore[misc]
    replace = False

    @pytest.fixture
    def fs(self, tmp_path: Path) -> SkyFileSystem:
        repository = skyfs.create(tmp_path / "sky", options={"durability": "process"})
        return skyfs.filesystem(repository, replace=self.replace)

    @pytest.fixture
    def fs_path(self) -> str:
        return "/u/me/t"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestCopy(abstract.AbstractCopyTests, Fixtures):  # type: ignore[misc]
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):  # type: ignore[misc]
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):  # type: ignore[misc]
    # One of these tests puts the same files twice: fsspec's `put` overwrites when nothing else is said.
    replace = True


class TestPipe(abstract.AbstractPipeTests, Fixtures):  # type: ignore[misc]
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):  # type: ignore[misc]
    pass
