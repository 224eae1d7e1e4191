"""The store in memory."""

from __future__ import annotations

import pytest

from skyfs.abc.store import Adoption, Store
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import StoreSuite, held, put


class TestMemoryStore(StoreSuite):
    adoptions = frozenset({Adoption.COPY, Adoption.MOVE})

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore("mem")


def test_stores_are_apart() -> None:
    one, two = MemoryStore("one"), MemoryStore("two")
    put(one, {"k": b"x"})
    assert held(two) == {}
    one.close()
    assert held(one) == {"k": b"x"}
