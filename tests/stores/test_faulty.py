"""The store with a bad network: what other tests count on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from skyfs.abc.store import Adoption, Expected, FetchesMany, Store
from skyfs.errors import NotFound, StoreError, Transient, WrongBytes
from skyfs.stores.memory import MemoryStore
from skyfs.testing.faulty_store import Fault, FaultyStore
from skyfs.testing.store_suite import StoreSuite, put

DATA = b"0123456789" * 100
EXPECTED = Expected(len(DATA), hashlib.sha256(DATA).digest())


class TestFaultyStore(StoreSuite):
    adoptions = frozenset({Adoption.COPY, Adoption.MOVE})
    outlives = False

    @pytest.fixture
    def store(self) -> Store:
        return FaultyStore(MemoryStore("mem"))


@pytest.fixture
def store() -> FaultyStore:
    inner = MemoryStore("mem")
    put(inner, {"k": DATA, "l": DATA})
    return FaultyStore(inner)


def test_what_is_asked_is_counted(store: FaultyStore) -> None:
    with store.open("k", EXPECTED) as source:
        assert (store.counts.requests, store.counts.stats, store.counts.round_trips) == (0, 0, 0)
        source.read(5, 15)
        source.read_many([(0, 1), (990, 5000)])
        assert source.read_all() == DATA
    store.open("l").close()
    assert (store.counts.requests, store.counts.bytes) == (4, 10 + 1 + 10 + 1000)
    assert (store.counts.stats, store.counts.round_trips, store.counts.bulk_requests) == (1, 4, 0)
    assert store.counts.keys == ["k"] * 4
    store.counts.reset()
    assert (store.counts.requests, store.counts.keys) == (0, [])


def test_many_keys_are_one_round_trip(store: FaultyStore, tmp_path: Path) -> None:
    assert isinstance(store, FetchesMany)
    heard: list[int] = []
    data, error = store.read_many([("k", EXPECTED), ("nothing", None)], heard.append)
    assert data == DATA
    assert isinstance(error, NotFound)
    assert store.copy_many([("l", None, str(tmp_path / "l"))], heard.append) == [None]
    assert (tmp_path / "l").read_bytes() == DATA
    assert (store.counts.bulk_requests, store.counts.bulk_bytes, store.counts.round_trips) == (3, 2000, 2)
    assert sum(heard) == 2000


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("error", Transient),
        ("broken", StoreError),
        ("missing", NotFound),
        ("truncate", WrongBytes),
        ("corrupt", WrongBytes),
    ],
)
def test_faults_come_as_planned(store: FaultyStore, fault: Fault, kind: type[Exception]) -> None:
    store.fail(fault, key="k", times=2)
    assert store.open("l", EXPECTED).read_all() == DATA
    for _ in range(2):
        with pytest.raises(kind) as caught:
            store.open("k", EXPECTED).read_all()
        assert caught.type is kind
    assert store.open("k", EXPECTED).read_all() == DATA
    store.fail(fault)
    assert isinstance(store.read_many([("l", EXPECTED)], lambda _: None)[0], kind)
    store.heal()
    assert store.read_many([("l", EXPECTED)], lambda _: None) == [DATA]


def test_a_store_that_lies() -> None:
    inner = MemoryStore("mem")
    put(inner, {"k": DATA})
    store = FaultyStore(inner, checks=False)
    store.fail("truncate", times=1)
    assert store.open("k", EXPECTED).read_all() == DATA[:500]
    store.fail("corrupt", times=1)
    assert store.open("k", EXPECTED).read(0, 2) == b"\xcf1"


def test_random_faults_come_again_with_the_same_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        inner = MemoryStore("mem")
        put(inner, {"k": DATA})
        store = FaultyStore(inner, rates={"error": 0.5}, seed=seed)
        items = [("k", EXPECTED)]
        return [isinstance(store.read_many(items, lambda _: None)[0], Transient) for _ in range(30)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 5 < sum(pattern(1)) < 25


def test_latency_is_waited_for_once_per_round_trip(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    store.latency_s, store.bandwidth_bytes_s = 0.05, 1e6
    store.open("k", EXPECTED).read_many([(0, 100), (200, 300)])
    assert slept == [0.05, 1e-4, 1e-4]
