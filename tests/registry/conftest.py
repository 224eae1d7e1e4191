"""Registries in SQLite files for the tests of this folder."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from skyfs.registry.registry import Registry
from skyfs.testing.registry_rows import Row
from skyfs.testing.registry_sky import Sky, default_universe

Reopen = Callable[..., Registry]

universe = cache(default_universe)


def create(path: Path) -> Registry:
    """Make a registry of the default universe."""
    return Registry.create(path, universe(), durability="process")


@cache
def _empty() -> bytes:
    """Give the file of a registry as it is created: to make its tables takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.sqlite3"
        create(path).close()
        return path.read_bytes()


def copy_of_new(path: Path) -> Registry:
    """Give a registry as `create` makes it, sooner."""
    path.write_bytes(_empty())
    return Registry.open(path, writable=True, durability="process")


def read_table(path: Path, table: str) -> Sequence[Row]:
    """Read a table through a connection of its own."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]  # noqa: S608 - our own names
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.sqlite3"


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    registry = copy_of_new(path)
    yield registry
    registry.close()


@pytest.fixture
def sky(registry: Registry) -> Sky:
    return Sky.fill(registry)


@pytest.fixture
def reopen(path: Path, registry: Registry) -> Iterator[Reopen]:  # noqa: ARG001 - it must be there
    opened: list[Registry] = []

    def open_again(*, writable: bool) -> Registry:
        opened.append(Registry.open(path, writable=writable, durability="process"))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()
