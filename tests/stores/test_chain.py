"""Several stores as one: the suite, and which of them is asked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.abc.store import Adoption, Expected, Stat, Store
from skyfs.errors import Exists, NotFound, ReadOnly, StoreError
from skyfs.stores.chain import ChainStore
from skyfs.stores.local import LocalStore
from skyfs.stores.memory import MemoryStore
from skyfs.testing.faulty_store import Fault, FaultyStore
from skyfs.testing.store_suite import StoreSuite, held, put

DATA = b"0123456789" * 100
EXPECTED = Expected(len(DATA), hashlib.sha256(DATA).digest())


class TestTwoStores(StoreSuite):
    adoptions = frozenset({Adoption.COPY, Adoption.MOVE})

    @pytest.fixture
    def store(self) -> Store:
        self.both = MemoryStore("one"), MemoryStore("two")
        return ChainStore(self.both, "one")

    def footprint(self, store: Store) -> object:  # noqa: ARG002 - both are looked at
        first, second = map(held, self.both)
        assert first == second
        return first


class TestStoreWithMirror(StoreSuite):
    @pytest.fixture
    def store(self, root: Path) -> Store:
        mirror = LocalStore(root, name="mirror", writable=False)
        (root / "own").mkdir()
        return ChainStore([LocalStore(root / "own", name="own"), _Elsewhere(mirror)], "own")


class _Elsewhere(FaultyStore):
    """A mirror that has nothing, and cannot be written."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.fail("missing")

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # noqa: ARG002 - there is nothing
        return iter(())


def pair(**options: bool) -> tuple[FaultyStore, FaultyStore, ChainStore]:
    """Give two stores with one key, and the chain of both."""
    stores = []
    for name in ("first", "second"):
        inner = MemoryStore(name)
        put(inner, {"k": DATA})
        stores.append(FaultyStore(inner, **options))  # type: ignore[arg-type]
    return *stores, ChainStore(stores, "chain")  # type: ignore[return-value]


def test_only_the_first_is_asked() -> None:
    first, second, chain = pair()
    with chain.open("k", EXPECTED) as source:
        assert source.read_all() == DATA
        assert source.read_many([(0, 5), (10, 12)]) == [DATA[:5], DATA[10:12]]
    assert first.counts.requests == 3
    assert second.counts.requests == second.counts.stats == 0


@pytest.mark.parametrize("fault", ["error", "broken", "truncate", "corrupt"])
@pytest.mark.parametrize("checks", [True, False])
def test_the_next_is_asked_and_the_log_says_why(
    fault: Fault, caplog: pytest.LogCaptureFixture, *, checks: bool
) -> None:
    first, second, chain = pair(checks=checks)
    first.fail(fault)
    with caplog.at_level(logging.WARNING), chain.open("k", EXPECTED) as source:
        assert source.read_all() == DATA
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "'k'" in warning.getMessage()
    assert "'first'" in warning.getMessage()
    assert second.counts.requests == 1
    assert chain.read_many([("k", EXPECTED)], lambda _: None) == [DATA] or not checks


def test_a_missing_key_is_looked_for_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    first, _, chain = pair()
    first.fail("missing")
    with chain.open("k", EXPECTED) as source:
        assert source.read(0, 4) == b"0123"
    assert caplog.records == []
    assert chain.stat("k").size == len(DATA)


def test_a_store_that_fails_later() -> None:
    first, _, chain = pair()
    with chain.open("k", EXPECTED) as source:
        assert source.read(0, 4) == b"0123"
        first.fail("truncate")
        assert source.read(4, 8) == b"4567"
        assert source.read_many([(0, 2), (990, 2000)]) == [b"01", DATA[990:]]


def test_when_all_fail_the_failure_is_told() -> None:
    first, second, chain = pair()
    first.fail("broken")
    second.fail("missing")
    with pytest.raises(StoreError, match="'first'") as caught:
        chain.open("k", EXPECTED).read_all()
    assert not isinstance(caught.value, NotFound)
    (error,) = chain.read_many([("k", EXPECTED)], lambda _: None)
    assert type(error) is StoreError
    second.heal()
    second.fail("broken")
    first.heal()
    first.fail("missing")
    with pytest.raises(StoreError, match="'second'"):
        chain.stat("k")


def test_many_keys_ask_the_next_only_for_what_failed(tmp_path: Path) -> None:
    first, second, chain = pair()
    put(first._store, {"l": b"l"})  # noqa: SLF001 - behind the faults
    first.fail("corrupt", key="k")
    items = [
        ("k", EXPECTED, str(tmp_path / "k")),
        ("l", None, str(tmp_path / "l")),
        ("m", None, str(tmp_path / "m")),
    ]
    heard: list[int] = []
    *fine, missing = chain.copy_many(items, heard.append)
    assert fine == [None, None]
    assert isinstance(missing, NotFound)
    assert (tmp_path / "k").read_bytes() == DATA
    assert sum(heard) == len(DATA) + 1
    assert second.counts.keys == ["k", "m"]


def test_a_damaged_local_file_is_fetched_from_the_mirror(root: Path, tmp_path: Path) -> None:
    local = LocalStore(root, name="disk", durability="process")
    put(local, {"k": DATA})
    local.close()
    (root / "k").chmod(0o600)
    (root / "k").write_bytes(DATA[::-1])
    mirror = MemoryStore("mirror")
    put(mirror, {"k": DATA})
    chain = ChainStore([local, mirror], "chain")
    assert chain.read_many([("k", EXPECTED)], lambda _: None) == [DATA]
    assert chain.copy_many([("k", EXPECTED, str(tmp_path / "copy"))], lambda _: None) == [None]
    assert (tmp_path / "copy").read_bytes() == DATA
    with chain.open("k", EXPECTED) as source:
        assert source.read_all() == DATA


def test_no_store_can_be_written(root: Path) -> None:
    chain = ChainStore([LocalStore(root, name="disk", writable=False)], "chain")
    assert not chain.writable
    with pytest.raises(ReadOnly):
        chain.begin()


def test_what_one_store_refuses_none_has() -> None:
    one, two = MemoryStore("one"), MemoryStore("two")
    put(two, {"k": b"there"})
    batch = ChainStore([one, two], "chain").begin()
    with pytest.raises(Exists, match="'two'"):
        batch.create("k")
    with pytest.raises(StoreError, match="undo"):
        batch.publish()
    batch.undo()
    assert held(one) == {}
    racing = ChainStore([one, two], "chain").begin()
    racing.create("l").close()
    put(two, {"l": b"faster"})
    with pytest.raises(Exists):
        racing.publish()
    racing.undo()
    assert held(one) == {}
    assert held(two) == {"k": b"there", "l": b"faster"}
