"""Registries in SQLite files, and in schemas of PostgreSQL, for the tests of this folder."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from skyfs.registry.place import Place
from skyfs.registry.postgres.address import Address
from skyfs.registry.postgres.place import PostgresSchema
from skyfs.registry.registry import Registry
from skyfs.testing.postgres_server import PostgresServer, read_tables
from skyfs.testing.registry_rows import Row
from skyfs.testing.registry_sky import Sky, default_universe

Reopen = Callable[..., Registry]

universe = cache(default_universe)


def create(place: Path | Place) -> Registry:
    """Make a registry of the default universe."""
    return Registry.create(place, universe(), durability="process")


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


@dataclass(frozen=True)
class Spot:
    """Where a registry is that several processes open, and a folder for what they tell one another."""

    place: Path | Place
    folder: Path

    def open(self, *, writable: bool = True) -> Registry:
        """Open it."""
        return Registry.open(self.place, writable=writable, durability="process")

    def read(self, table: str) -> Sequence[Row]:
        """Read a table."""
        if isinstance(self.place, Path):
            return read_table(self.place, table)
        assert isinstance(self.place, PostgresSchema)
        return read_tables(self.place.address, table)[table]


_numbers = count()


@pytest.fixture
def place(postgres: PostgresServer) -> Iterator[PostgresSchema]:
    """A schema of its own, yet to be made."""
    place = PostgresSchema(Address.parse(postgres.url(), f"registry_{next(_numbers)}"))
    yield place
    place.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def spot(request: pytest.FixtureRequest, tmp_path: Path) -> Spot:
    """An empty registry in each kind of database."""
    if request.param == "sqlite":
        found = Spot(tmp_path / "registry.sqlite3", tmp_path)
        create(tmp_path / "registry.sqlite3").close()
        return found
    found = Spot(request.getfixturevalue("place"), tmp_path)
    create(found.place).close()
    return found


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
