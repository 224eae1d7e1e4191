"""A source that counts what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence

from skyfs.abc.source import ByteSource
from skyfs.model.ranges import REMOTE, Cost


class CountingSource(ByteSource):
    """Bytes in memory, as far away as ``cost`` says.

    Attributes
    ----------
    trips
        Number of calls, each of which takes one latency when ranges are fetched concurrently.
    ranges
        All ranges that were read, in order.
    """

    def __init__(self, data: bytes, cost: Cost = REMOTE) -> None:
        self._data = data
        self._cost = cost
        self.trips = 0
        self.ranges: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    @property
    def cost(self) -> Cost:
        """What reading is said to cost."""
        return self._cost

    @property
    def fetched(self) -> int:
        """How many bytes were given."""
        return sum(min(stop, self.size) - start for start, stop in self.ranges)

    def read(self, start: int, stop: int) -> bytes:
        """Give a range."""
        return self.read_many([(start, stop)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Give several ranges in one trip."""
        self.trips += 1
        self.ranges += ranges
        return [self._data[start:stop] for start, stop in ranges]
