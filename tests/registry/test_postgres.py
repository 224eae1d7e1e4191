"""The registry in PostgreSQL keeps the promises of all registries."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from skyfs.registry.postgres.address import Address
from skyfs.registry.postgres.place import PostgresSchema
from skyfs.registry.registry import Registry
from skyfs.testing.postgres_server import PostgresServer
from skyfs.testing.registry_sky import default_universe
from skyfs.testing.registry_suite import RegistrySuite, Reopen

_numbers = count()


@pytest.fixture
def place(postgres: PostgresServer) -> Iterator[PostgresSchema]:
    """A schema of its own."""
    place = PostgresSchema(Address.parse(postgres.url(), f"registry_{next(_numbers)}"))
    yield place
    place.drop()


class TestPostgres(RegistrySuite):
    @pytest.fixture
    def registry(self, place: PostgresSchema) -> Iterator[Registry]:
        registry = Registry.create(place, default_universe(), durability="process")
        yield registry
        registry.close()

    @pytest.fixture
    def reopen(self, place: PostgresSchema, registry: Registry) -> Iterator[Reopen]:  # noqa: ARG002 - it must be there
        opened: list[Registry] = []

        def open_again(*, writable: bool) -> Registry:
            opened.append(Registry.open(place, writable=writable, durability="process"))
            return opened[-1]

        yield open_again
        for one in opened:
            one.close()
