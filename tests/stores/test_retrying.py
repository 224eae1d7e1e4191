"""A store that tries again: the suite, and what it tries again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from skyfs.abc.store import Adoption, Expected, Store
from skyfs.errors import NotFound, StoreError, Transient, WrongBytes
from skyfs.stores.memory import MemoryStore
from skyfs.stores.retrying import Patience, RetryingStore
from skyfs.testing.faulty_store import Fault, FaultyStore
from skyfs.testing.store_suite import StoreSuite, put

DATA = b"0123456789" * 100
EXPECTED = Expected(len(DATA), hashlib.sha256(DATA).digest())


class TestRetrying(StoreSuite):
    adoptions = frozenset({Adoption.COPY, Adoption.MOVE})
    outlives = False

    @pytest.fixture
    def store(self) -> Store:
        """Give a store of which every fifth request fails."""
        faulty = FaultyStore(MemoryStore("mem"), rates={"error": 0.2}, seed=3)
        return RetryingStore(faulty, Patience(20, pause=lambda _: None))


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def faulty() -> FaultyStore:
    inner = MemoryStore("mem")
    put(inner, {"k": DATA, "l": DATA, "m": DATA})
    return FaultyStore(inner)


@pytest.fixture
def store(faulty: FaultyStore, pauses: list[float]) -> RetryingStore:
    return RetryingStore(faulty, Patience(4, 0.2, 0.7, pauses.append))


def test_what_passes_is_tried_again(store: RetryingStore, faulty: FaultyStore, pauses: list[float]) -> None:
    faulty.fail("error", times=3)
    with store.open("k", EXPECTED) as source:
        assert source.read(2, 5) == b"234"
        assert faulty.counts.requests == 4
        faulty.fail("error", times=1)
        assert source.read_all() == DATA
        faulty.fail("error", times=1)
        assert source.read_many([(0, 1), (1, 2)]) == [b"0", b"1"]
    faulty.fail("error", times=2)
    assert store.stat("k").size == len(DATA)
    assert [pause > 0 for pause in pauses] == [True] * 7
    for pause, longest in zip(pauses, (0.2, 0.4, 0.7, 0.2, 0.2, 0.2, 0.4), strict=True):
        assert longest / 2 <= pause <= longest


def test_pauses_are_not_alike(faulty: FaultyStore) -> None:
    pauses: list[float] = []
    store = RetryingStore(faulty, Patience(50, 1.0, 1.0, pauses.append))
    faulty.fail("error", times=40)
    store.stat("k")
    assert len(set(pauses)) == 40


def test_it_gives_up(store: RetryingStore, faulty: FaultyStore, pauses: list[float]) -> None:
    faulty.fail("error")
    with pytest.raises(Transient, match="'k'"):
        store.open("k", EXPECTED).read_all()
    assert faulty.counts.requests == 4
    assert len(pauses) == 3


@pytest.mark.parametrize(("fault", "kind"), [("missing", NotFound), ("broken", StoreError)])
def test_what_lasts_is_asked_once(
    store: RetryingStore, faulty: FaultyStore, pauses: list[float], fault: Fault, kind: type[Exception]
) -> None:
    faulty.fail(fault)
    with pytest.raises(kind):
        store.open("k", EXPECTED).read_all()
    with pytest.raises(kind):
        store.stat("k")
    (error,) = store.read_many([("k", EXPECTED)], lambda _: None)
    assert isinstance(error, kind)
    assert (faulty.counts.requests, faulty.counts.stats, pauses) == (2, 1, [])


@pytest.mark.parametrize("fault", ["truncate", "corrupt"])
def test_wrong_bytes_are_asked_for_twice(store: RetryingStore, faulty: FaultyStore, fault: Fault) -> None:
    faulty.fail(fault, times=1)
    assert store.open("k", EXPECTED).read_all() == DATA
    assert faulty.counts.requests == 2
    faulty.fail(fault)
    with pytest.raises(WrongBytes):
        store.open("k", EXPECTED).read_all()
    assert faulty.counts.requests == 4


def test_of_many_keys_only_what_failed_is_tried_again(
    store: RetryingStore, faulty: FaultyStore, tmp_path: Path
) -> None:
    faulty.fail("error", key="l", times=2)
    faulty.fail("missing", key="m")
    *fine, missing = store.read_many([("k", EXPECTED), ("l", EXPECTED), ("m", EXPECTED)], lambda _: None)
    assert fine == [DATA, DATA]
    assert isinstance(missing, NotFound)
    assert sorted(faulty.counts.keys) == ["k", "l", "l", "l", "m"]
    faulty.heal()
    faulty.counts.reset()
    faulty.fail("corrupt", key="k", times=1)
    names = ["k", "l", "m"]
    items = [(name, EXPECTED, str(tmp_path / name)) for name in names]
    assert store.copy_many(items, lambda _: None) == [None] * 3
    assert {(tmp_path / name).read_bytes() for name in names} == {DATA}
    assert sorted(faulty.counts.keys) == ["k", "k", "l", "m"]


def test_a_file_that_is_read_in_order_is_asked_for_in_growing_blocks() -> None:
    data = (bytes(range(251)) * 42_000)[: 10 << 20]
    inner = MemoryStore("mem")
    put(inner, {"k": data})
    faulty = FaultyStore(inner)
    with RetryingStore(faulty).open("k", Expected(len(data))) as source, source.open() as file:
        assert file.read(10) == data[:10]
        assert (faulty.counts.requests, faulty.counts.bytes) == (1, 128 << 10)
        file.seek(5 << 20)
        assert file.read(10) == data[5 << 20 : (5 << 20) + 10]
        assert (faulty.counts.requests, faulty.counts.bytes) == (2, 256 << 10)
        file.seek(0)
        faulty.counts.reset()
        blocks = []
        while block := file.read(100_000):
            blocks.append(block)
        assert b"".join(blocks) == data
        assert faulty.counts.requests <= 8
        assert faulty.counts.bytes == len(data)
