"""The cached store against a dict: whatever happens to the cache, the bytes are right, within the quota."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected
from skyfs.errors import StoreError
from skyfs.stores.cache import CachedStore, DiskCache, clear, status, verify
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import put

QUOTA_BYTES = 300_000
KEYS = st.integers(0, 5)
SIZES = st.sampled_from([0, 1, 1000, 65_536, 65_537, 90_000, 150_000, 310_000])
ENDS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=4)


class Cached(RuleBasedStateMachine):
    """Two users of one cache take turns; keys are deleted and written again with other bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="skyfs-test-")) / "cache"
        self.memory = MemoryStore("mem")
        self.stores = [self._store(), self._store()]
        self.bytes: dict[int, bytes] = {}
        self.held: list[tuple[ByteSource, bytes]] = []
        self.written = 0

    def _store(self) -> CachedStore:
        self.cache = DiskCache(self.folder, quota_bytes=QUOTA_BYTES)
        return CachedStore(self.memory, self.cache, identity="mem://")

    def _open(self, key: int, *, known: bool, who: int) -> ByteSource:
        data = self.bytes[key]
        expected = Expected(len(data), hashlib.sha256(data).digest()) if known else None
        return self.stores[who].open(str(key), expected)

    @rule(key=KEYS, size=SIZES, who=st.integers(0, 1))
    def write(self, key: int, size: int, who: int) -> None:
        if key in self.bytes:
            batch = self.stores[who].begin()
            batch.delete(str(key))
            batch.publish()
            batch.settle()
        self.written += 1
        self.bytes[key] = random.Random(self.written).randbytes(size)  # noqa: S311 - test data
        put(self.stores[who], {str(key): self.bytes[key]})

    @rule(key=KEYS, known=st.booleans(), who=st.integers(0, 1))
    def read_whole(self, key: int, who: int, *, known: bool) -> None:
        if key in self.bytes:
            with self._open(key, known=known, who=who) as source:
                assert source.read_all() == self.bytes[key]

    @rule(key=KEYS, ends=ENDS, known=st.booleans(), who=st.integers(0, 1))
    def read_ranges(self, key: int, ends: list[tuple[float, float]], who: int, *, known: bool) -> None:
        if key in self.bytes:
            size = len(self.bytes[key])
            ranges = [(int(start * size), int((start + length) * size)) for start, length in ends]
            with self._open(key, known=known, who=who) as source:
                assert source.read_many(ranges) == [self.bytes[key][start:stop] for start, stop in ranges]

    @rule(key=KEYS, block=st.sampled_from([1000, 70_000]), who=st.integers(0, 1))
    def read_on(self, key: int, block: int, who: int) -> None:
        if key in self.bytes:
            with self._open(key, known=True, who=who) as source, source.open() as file:
                assert b"".join(iter(lambda: file.read(block), b"")) == self.bytes[key]

    @rule(keys=st.lists(KEYS, max_size=8), who=st.integers(0, 1))
    def read_many(self, keys: list[int], who: int) -> None:
        wanted = [self.bytes[key] for key in keys if key in self.bytes]
        items = [
            (str(key), Expected(len(self.bytes[key]), hashlib.sha256(self.bytes[key]).digest()))
            for key in keys
            if key in self.bytes
        ]
        assert self.stores[who].read_many(items, lambda _: None) == wanted

    @rule(key=KEYS, who=st.integers(0, 1))
    def hold(self, key: int, who: int) -> None:
        if key in self.bytes and len(self.held) < 3:
            source = self._open(key, known=False, who=who)
            if self.bytes[key]:
                source.read(0, 1)
            self.held.append((source, self.bytes[key]))

    @rule()
    def read_held(self) -> None:
        while self.held:
            source, data = self.held.pop()
            with source:
                assert source.read(len(data) // 2, len(data)) == data[len(data) // 2 :]
                assert source.read_all() == data

    @rule(key=KEYS)
    def pin(self, key: int) -> None:
        if key in self.bytes:
            with suppress(StoreError):  # when others are pinned or in use, it may not fit
                self.stores[0].pin(str(key))

    @rule(pinned=st.booleans())
    def clear(self, *, pinned: bool) -> None:
        clear(self.cache, pinned=pinned)
        assert pinned is False or status(self.cache).size_bytes == 0

    @rule()
    def verify(self) -> None:
        assert verify(self.cache) == {}

    @rule(who=st.integers(0, 1))
    def another_process(self, who: int) -> None:
        self.stores[who].close()
        self.memory.close()
        self.stores[who] = self._store()

    @rule(how=st.sampled_from(["lost", "no-sum", "no-records"]))
    def harm_the_index(self, how: str) -> None:
        folder = self.folder / "index"
        if how == "lost":
            shutil.rmtree(folder, ignore_errors=True)
        elif (folder / "cache.db").exists():
            what = "key = 'total'" if how == "no-sum" else "key LIKE 'c%'"
            with closing(sqlite3.connect(folder / "cache.db")) as index:
                index.execute(f"UPDATE Cache SET mode = 4 WHERE {what}")  # noqa: S608 - one of two texts
                index.commit()

    @invariant()
    def within_the_quota(self) -> None:
        assert status(self.cache).size_bytes <= QUOTA_BYTES

    @invariant()
    def nothing_on_its_way(self) -> None:
        assert not list(self.folder.glob("incoming/*"))
        assert not list(self.folder.glob("locks/*/*"))

    def teardown(self) -> None:
        self.read_held()
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder.parent)


TestCached = Cached.TestCase
TestCached.settings = settings(max_examples=40, stateful_step_count=30)
