"""A store whose network is bad on purpose, and which counts what is asked of it.

::

    store = FaultyStore(MemoryStore("mem"), latency_s=0.05)
    store.fail("error", times=2)  # the next two requests
    store.fail("corrupt", key="a/k")  # every request for this key
    ...
    assert store.counts.requests == 1 and store.counts.bytes == 2880
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import BinaryIO, Literal

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Expected, Stat, Store
from skyfs.errors import NotFound, SkyfsError, StoreError, Transient, WrongBytes
from skyfs.model.ranges import REMOTE, Cost
from skyfs.stores.keys import check_key
from skyfs.stores.many import all_or_raise

Fault = Literal["error", "broken", "missing", "truncate", "corrupt"]
"""``error`` may pass (`Transient`), ``broken`` will not (`StoreError`); the last two give wrong bytes."""

_AT_ONCE = 64


@dataclass(slots=True)
class Counts:
    """What was asked of a store since the last `reset`.

    Attributes
    ----------
    requests, bytes
        Reads of whole files and of ranges, one by one or many at once, and the bytes that they gave.
    stats
        Questions for size and time, those that `Store.open` asks included.
    scans
        Listings.
    round_trips
        How often somebody waited: ranges or files that are asked for together count once.
    bulk_requests, bulk_bytes
        The part of ``requests`` and ``bytes`` that came through `read_many` or `copy_many` of the store.
    keys
        The key of each request, in order.
    """

    requests: int = 0
    bytes: int = 0
    stats: int = 0
    scans: int = 0
    round_trips: int = 0
    bulk_requests: int = 0
    bulk_bytes: int = 0
    keys: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Begin again at zero."""
        for one in fields(self):
            setattr(self, one.name, [] if one.name == "keys" else 0)


@dataclass(slots=True)
class _Plan:
    fault: Fault
    key: str | None
    times: int | None


class FaultyStore(Store):
    """A far store around a near one; it fetches many keys at once, whatever is inside.

    Parameters
    ----------
    store
        Where the bytes are.
    latency_s
        How long each round trip takes; what is asked for together waits together.
    bandwidth_bytes_s
        Of the whole connection; None: without limit.
    rates
        Probability of each fault, for every request.
    seed
        Of the random faults.
    checks
        Whether wrong size or digest is an error at `ByteSource.read_all` and in bulk, as the contract says.
        False is a store that lies, for tests of what is above it.
    """

    def __init__(
        self,
        store: Store,
        *,
        latency_s: float = 0.0,
        bandwidth_bytes_s: float | None = None,
        rates: Mapping[Fault, float] | None = None,
        seed: int = 0,
        checks: bool = True,
    ) -> None:
        self.name, self.writable = store.name, store.writable
        self.counts = Counts()
        self.latency_s, self.bandwidth_bytes_s = latency_s, bandwidth_bytes_s
        self.checks = checks
        self._store = store
        self._rates = dict(rates or {})
        self._random = random.Random(seed)  # noqa: S311 - test data
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()

    def fail(self, fault: Fault, *, key: str | None = None, times: int | None = None) -> None:
        """Let requests fail: those for ``key`` (None: any), the next ``times`` of them (None: for ever)."""
        with self._lock:
            self._plans.append(_Plan(fault, key, times))

    def heal(self) -> None:
        """Forget all faults, random ones too."""
        with self._lock:
            self._plans.clear()
            self._rates.clear()

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        check_key(key, self.name)
        return FaultySource(self, key, expected, self.stat(key).size if expected is None else expected.size)

    def stat(self, key: str) -> Stat:
        with self._lock:
            self.counts.stats += 1
        self._wait()
        self._raise(self._fault(key), f"stat {key!r} in store {self.name!r}")
        return self._store.stat(key)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        with self._lock:
            self.counts.scans += 1
        self._wait()
        yield from self._store.scan(prefix)

    def begin(self) -> Batch:
        return self._store.begin()

    def recover(self, committed: Callable[[str], bool]) -> int:
        return self._store.recover(committed)

    def close(self) -> None:
        self._store.close()

    def read_many(
        self, items: Sequence[tuple[str, Expected | None]], done: Callable[[int], None]
    ) -> list[bytes | SkyfsError]:
        """See `skyfs.abc.store.FetchesMany`."""

        def read(item: tuple[str, Expected | None]) -> bytes | SkyfsError:
            try:
                data = self.fetch(item[0], None, item[1], bulk=True)
            except SkyfsError as error:
                return error
            done(len(data))
            return data

        self._wait()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(read, items))

    def copy_many(
        self, items: Sequence[tuple[str, Expected | None, str]], done: Callable[[int], None]
    ) -> list[SkyfsError | None]:
        """See `skyfs.abc.store.FetchesMany`."""
        found = self.read_many([(key, expected) for key, expected, _ in items], done)
        for (_, _, target), data in zip(items, found, strict=True):
            if isinstance(data, bytes):
                Path(target).write_bytes(data)
        return [one if isinstance(one, SkyfsError) else None for one in found]

    def fetch(
        self,
        key: str,
        ends: tuple[int, int] | None,
        expected: Expected | None,
        *,
        bulk: bool = False,
        waits: bool = False,
    ) -> bytes:
        """Make one request: of a range, or of the whole, which is checked."""
        asked = f"read {key!r} in store {self.name!r}"
        if waits:
            self._wait()
        fault = self._fault(key)
        with self._lock:
            self.counts.requests += 1
            self.counts.bulk_requests += bulk
            self.counts.keys.append(key)
        self._raise(fault, asked)
        with self._store.open(key) as source:
            data = _spoilt(source.read_all() if ends is None else source.read(*ends), fault)
        if self.bandwidth_bytes_s:
            time.sleep(len(data) / self.bandwidth_bytes_s)
        with self._lock:
            self.counts.bytes += len(data)
            self.counts.bulk_bytes += bulk * len(data)
        if ends is None and expected is not None and self.checks:
            _require(data, expected, asked)
        return data

    def _fault(self, key: str) -> Fault | None:
        with self._lock:
            for plan in self._plans:
                if plan.key in (None, key) and plan.times != 0:
                    plan.times = None if plan.times is None else plan.times - 1
                    return plan.fault
            drawn = self._random.random() if self._rates else 1.0
            for fault, rate in self._rates.items():
                drawn -= rate
                if drawn < 0:
                    return fault
        return None

    def _wait(self) -> None:
        with self._lock:
            self.counts.round_trips += 1
        time.sleep(self.latency_s)

    @staticmethod
    def _raise(fault: Fault | None, asked: str) -> None:
        if fault == "error":
            raise Transient(asked, "the connection was reset, as a test wants it", "try again")
        if fault == "broken":
            raise StoreError(asked, "it is broken, as a test wants it")
        if fault == "missing":
            raise NotFound(asked, "no bytes lie under that key, as a test wants it")


class FaultySource(ByteSource):
    """Bytes over a bad network."""

    def __init__(self, store: FaultyStore, key: str, expected: Expected | None, size: int) -> None:
        self._store, self._key, self._expected, self._size = store, key, expected, size
        self._open = True

    @property
    def cost(self) -> Cost:
        return REMOTE

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        return self._read(start, stop, waits=True)

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return all_or_raise(self.try_many(ranges))

    def try_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes | SkyfsError]:
        """See `skyfs.stores.many.TriesRanges`."""
        self._store._wait()  # noqa: SLF001 - the same module
        results: list[bytes | SkyfsError] = []
        for start, stop in ranges:
            try:
                results.append(self._read(start, stop, waits=False))
            except SkyfsError as error:
                results.append(error)
        return results

    def read_all(self) -> bytes:
        self._require_open()
        return self._store.fetch(self._key, None, self._expected, waits=True)

    def open(self) -> BinaryIO:
        self._require_open()
        return super().open()

    def close(self) -> None:
        self._open = False

    def _read(self, start: int, stop: int, *, waits: bool) -> bytes:
        self._require_open()
        if start < 0:
            raise StoreError(f"read {self._key!r}", "the start is negative", "count from the first byte")
        stop = min(stop, self._size)
        if stop <= start:
            return b""
        return self._store.fetch(self._key, (start, stop), self._expected, waits=waits)

    def _require_open(self) -> None:
        if not self._open:
            raise StoreError(f"read {self._key!r}", "the source is closed", "open it again")


def _spoilt(data: bytes, fault: Fault | None) -> bytes:
    if fault == "truncate":
        return data[: len(data) // 2]
    if fault == "corrupt" and data:
        return bytes([data[0] ^ 0xFF]) + data[1:]
    return data


def _require(data: bytes, expected: Expected, asked: str) -> None:
    right = expected.sha256 is None or hashlib.sha256(data).digest() == expected.sha256
    if len(data) != expected.size or not right:
        raise WrongBytes(asked, f"{len(data)} bytes that are not the expected ones", "is it damaged?")
