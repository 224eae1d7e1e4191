"""A store that tries again what may pass."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Adoption, Batch, Content, Expected, Stat, Store
from skyfs.errors import SkyfsError, StoreError, Transient, WrongBytes
from skyfs.model.ranges import Cost

from . import many
from .ahead import reading_ahead
from .wrapped import WrappedStore

Done = Callable[[int], None]
_T = TypeVar("_T")
_I = TypeVar("_I")


@dataclass(slots=True)
class Patience:
    """How often to try again, and how long to wait before: twice as long each time, and by chance less.

    Attributes
    ----------
    attempts
        How many times something is tried in all; at least 1.
    first_pause_s, longest_pause_s
        Of the first pause, and of any; each is between half of that and the whole, so that those whom one
        failure hit together do not come back together.
    pause
        Waits so many seconds.
    """

    attempts: int = 5
    first_pause_s: float = 0.2
    longest_pause_s: float = 20.0
    pause: Callable[[float], object] = time.sleep
    _random: random.Random = field(default_factory=random.Random)

    def wait(self, failures: int) -> None:
        """Pause after so many failures."""
        longest = min(self.first_pause_s * 2 ** (failures - 1), self.longest_pause_s)
        self.pause(longest * (0.5 + 0.5 * self._random.random()))

    def again(self, error: SkyfsError, failures: int) -> bool:
        """Tell whether what failed so is worth another try: wrong bytes once, they may be of the way."""
        if failures >= self.attempts:
            return False
        return isinstance(error, Transient) or (isinstance(error, WrongBytes) and failures == 1)

    def insist(self, work: Callable[[], _T]) -> _T:
        """Do something until it succeeds, or fails for good."""
        failures = 0
        while True:
            try:
                return work()
            except StoreError as error:
                failures += 1
                if not self.again(error, failures):
                    raise
            self.wait(failures)

    def insist_on_each(self, items: Sequence[_I], work: Callable[[Sequence[_I]], list[_T]]) -> list[_T]:
        """Do something for all items at once, and again for those alone whose result is an error."""
        results = work(items)
        failures = 1
        while True:
            failed = [
                number
                for number, result in enumerate(results)
                if isinstance(result, SkyfsError) and self.again(result, failures)
            ]
            if not failed:
                return results
            self.wait(failures)
            for number, result in zip(failed, work([items[number] for number in failed]), strict=True):
                results[number] = result
            failures += 1


class RetryingStore(WrappedStore):
    """A store around a far one: Transient errors are tried again, wrong bytes once, others never.

    Of many keys only those that failed are asked for again. Safe from several threads.

    Parameters
    ----------
    store
        The far one.
    patience
        How often, and how long between.
    """

    def __init__(self, store: Store, patience: Patience | None = None) -> None:
        super().__init__(store)
        self._patience = patience or Patience()

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        source = self._patience.insist(lambda: self._store.open(key, expected))
        return RetryingSource(source, self._patience)

    def stat(self, key: str) -> Stat:
        return self._patience.insist(lambda: self._store.stat(key))

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """Give all keys; after a failure from the beginning, leaving out those that were given."""
        given: set[str] = set()
        failures = 0
        while True:
            try:
                for key, stat in self._store.scan(prefix):
                    if key not in given:
                        given.add(key)
                        yield key, stat
            except Transient as error:
                failures += 1
                if not self._patience.again(error, failures):
                    raise
            else:
                return
            self._patience.wait(failures)

    def begin(self) -> Batch:
        return RetryingBatch(self._store.begin(), self._patience)

    def recover(self, committed: Callable[[str], bool]) -> int:
        return self._patience.insist(lambda: self._store.recover(committed))

    def read_many(self, items: Sequence[tuple[str, Expected | None]], done: Done) -> list[bytes | SkyfsError]:
        """See `skyfs.abc.store.FetchesMany`."""
        return self._patience.insist_on_each(items, lambda chosen: many.read_many(self._store, chosen, done))

    def copy_many(
        self, items: Sequence[tuple[str, Expected | None, str]], done: Done
    ) -> list[SkyfsError | None]:
        """See `skyfs.abc.store.FetchesMany`."""
        return self._patience.insist_on_each(items, lambda chosen: many.copy_many(self._store, chosen, done))


class RetryingSource(ByteSource):
    """Bytes that are asked for again when that may help."""

    def __init__(self, source: ByteSource, patience: Patience) -> None:
        self._source, self._patience = source, patience

    @property
    def cost(self) -> Cost:
        return self._source.cost

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def local_path(self) -> str | None:
        return self._source.local_path

    def read(self, start: int, stop: int) -> bytes:
        return self._patience.insist(lambda: self._source.read(start, stop))

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        source = self._source
        if not isinstance(source, many.TriesRanges):
            return self._patience.insist(lambda: source.read_many(ranges))
        return many.all_or_raise(self._patience.insist_on_each(ranges, source.try_many))

    def read_all(self) -> bytes:
        return self._patience.insist(self._source.read_all)

    def open(self) -> BinaryIO:
        self._source.read(0, 0)  # says so when it is closed
        return reading_ahead(self)

    def close(self) -> None:
        self._source.close()


class RetryingBatch(Batch):
    """A batch whose steps are tried again; that of a far store goes on where it was."""

    def __init__(self, batch: Batch, patience: Patience) -> None:
        self._batch, self._patience = batch, patience

    def create(self, key: str) -> BinaryIO:
        return self._patience.insist(lambda: self._batch.create(key))

    def adopt(self, key: str, path: str, how: Adoption) -> None:
        self._patience.insist(lambda: self._batch.adopt(key, path, how))

    def delete(self, key: str) -> None:
        self._patience.insist(lambda: self._batch.delete(key))

    def publish(self) -> Mapping[str, Content]:
        return self._patience.insist(self._batch.publish)

    def settle(self) -> None:
        self._patience.insist(self._batch.settle)

    def undo(self) -> None:
        self._patience.insist(self._batch.undo)
