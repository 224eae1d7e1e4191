"""The registry in SQLite keeps the promises of all registries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.registry.registry import Registry
from skyfs.testing.registry_suite import RegistrySuite, Reopen

from .conftest import copy_of_new


class TestSqlite(RegistrySuite):
    @pytest.fixture
    def registry(self, path: Path) -> Iterator[Registry]:
        registry = copy_of_new(path)
        yield registry
        registry.close()

    @pytest.fixture
    def reopen(self, path: Path, registry: Registry) -> Iterator[Reopen]:  # noqa: ARG002 - it must be there
        opened: list[Registry] = []

        def open_again(*, writable: bool) -> Registry:
            opened.append(Registry.open(path, writable=writable, durability="process"))
            return opened[-1]

        yield open_again
        for one in opened:
            one.close()
