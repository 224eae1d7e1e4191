"""The registry in SQLite keeps the promises of all registries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.model.collection import Collection, CollectionKind
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


_BEGIN = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


def _begin_elsewhere(path: Path) -> str:
    command = [sys.executable, "-c", _BEGIN, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_to_ask_for_the_state_leaves_the_locks(path: Path) -> None:
    """Closing a file drops the locks that the process has on it by other descriptors."""
    registry = copy_of_new(path)
    before = registry.state()
    with registry.transaction():
        registry.collections.create(Collection("u/new", CollectionKind.RUN))
        assert registry.state().token == before.token
        assert _begin_elsewhere(path) == "database is locked"
    assert registry.state().token != before.token
    assert _begin_elsewhere(path) == ""
    registry.close()
