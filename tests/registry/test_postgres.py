"""The registry in PostgreSQL keeps the promises of all registries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from skyfs.registry.postgres.place import PostgresSchema
from skyfs.registry.registry import Registry
from skyfs.testing.registry_suite import RegistrySuite, Reopen

from .conftest import create


class TestPostgres(RegistrySuite):
    @pytest.fixture
    def registry(self, place: PostgresSchema) -> Iterator[Registry]:
        registry = create(place)
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
