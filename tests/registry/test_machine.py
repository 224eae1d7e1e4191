"""The registry in each kind of database against a model of dicts, in random order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings

from skyfs.registry.postgres.address import Address
from skyfs.registry.postgres.place import PostgresSchema
from skyfs.registry.registry import Registry
from skyfs.testing.postgres_server import PostgresServer, read_tables
from skyfs.testing.registry_machine import RegistryMachine
from skyfs.testing.registry_rows import Row
from skyfs.testing.registry_sky import Sky

from .conftest import create, read_table


@cache
def _filled() -> bytes:
    """Give the file of a filled registry: to make one takes longer than all that a machine does with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.sqlite3"
        Sky.fill(create(path)).registry.close()
        return path.read_bytes()


class Machine(RegistryMachine):
    def make(self) -> Registry:
        self.folder = Path(tempfile.mkdtemp(prefix="skyfs-registry-"))
        path = self.folder / "registry.sqlite3"
        path.write_bytes(_filled())
        return Registry.open(path, writable=True, durability="process")

    def read(self, table: str) -> Sequence[Row]:
        return read_table(self.folder / "registry.sqlite3", table)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder, ignore_errors=True)


class _PostgresMachine(RegistryMachine):
    server: ClassVar[PostgresServer]
    numbers = count()

    def make(self) -> Registry:
        address = Address.parse(self.server.url(), f"machine_{next(self.numbers)}")
        self.place = PostgresSchema(address)
        return Sky.fill(create(self.place)).registry

    def read(self, table: str) -> Sequence[Row]:
        return read_tables(self.place.address, table)[table]

    def teardown(self) -> None:
        super().teardown()
        self.place.drop()


@pytest.fixture
def server_of_machine(postgres: PostgresServer) -> None:
    _PostgresMachine.server = postgres


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=30, stateful_step_count=25)


TestPostgresMachine = pytest.mark.usefixtures("server_of_machine")(_PostgresMachine.TestCase)
# A registry is made for each example.
TestPostgresMachine.settings = settings(max_examples=6, stateful_step_count=25)
