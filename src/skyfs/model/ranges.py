"""Byte ranges that are wanted, and which to fetch for them: neighbours in one request where that pays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Range = tuple[int, int]
"""First byte, and the one after the last."""

_SPARE = 8
"""One byte may be read for nothing with so many that are wanted."""
_FREE_BYTES = 1024
"""What a request over HTTP costs in headers alone: so much may be read for nothing in any case."""
_MAX_FETCHES = 1024
"""Beyond so many, time alone decides: each takes a store some 0.5 ms of processor time (moto, s3fs)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs to read from a source.

    Attributes
    ----------
    latency_s
        From asking to the first byte.
    bandwidth_bytes_s
        Of all connections together.
    connections
        How many ranges are fetched at once.
    """

    latency_s: float
    bandwidth_bytes_s: float
    connections: int = 1

    @property
    def far(self) -> bool:
        """Whether asking takes longer than what is done with the bytes: other machines, not disks."""
        return self.latency_s >= 1e-3

    @property
    def bytes_in_latency(self) -> int:
        """How many bytes come in the time that asking takes."""
        return int(self.latency_s * self.bandwidth_bytes_s)


LOCAL = Cost(latency_s=5e-6, bandwidth_bytes_s=2e9)
"""A local file whose pages are in memory: measured on a two-core virtual machine."""
REMOTE = Cost(latency_s=0.05, bandwidth_bytes_s=100e6, connections=64)
"""A store of objects in another building, as long as nobody has measured it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fetch, and where the wanted ranges are in it.

    Attributes
    ----------
    fetches
        Sorted, disjoint, not empty, each beginning and ending with a wanted byte.
    places
        For each wanted range, in the order given: number of the fetch, begin and end in it.
    """

    fetches: tuple[Range, ...]
    places: tuple[tuple[int, int, int], ...]

    def cut(self, fetched: Sequence[bytes]) -> list[memoryview]:
        """Give the wanted ranges out of what was fetched; shorter where the fetched bytes are."""
        views = [memoryview(data) for data in fetched]
        return [views[index][start:stop] if stop > start else _NOTHING for index, start, stop in self.places]


_NOTHING = memoryview(b"")


def plan(wanted: Sequence[Range], cost: Cost) -> Plan:
    """Decide what to fetch for the wanted ranges, which may be empty, overlap, and come in any order.

    A gap is read too when that takes no longer than asking again, smallest gaps first, as long as all of
    them are at most an eighth of what is wanted, and 1 KiB. When more than 1024 fetches would be left, more
    gaps are read: those which take less time than another request, its latency shared by all connections.
    """
    runs = joined({one for one in wanted if one[1] > one[0]})
    total = sum(stop - start for start, stop in runs)
    gaps = sorted((after[0] - before[1], index) for index, (before, after) in enumerate(pairwise(runs)))
    bridged: set[int] = set()
    budget = total // _SPARE + _FREE_BYTES
    for gap, index in gaps:
        if gap <= min(budget, cost.bytes_in_latency):
            budget -= gap
        elif len(runs) - len(bridged) <= _MAX_FETCHES or gap > cost.bytes_in_latency // cost.connections:
            break
        bridged.add(index)
    fetches = _bridge(runs, bridged)
    return Plan(fetches, tuple(_places(wanted, fetches)))


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Give ranges in order, those that overlap or touch as one."""
    runs: list[Range] = []
    for start, stop in sorted(ranges):
        if runs and start <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(stop, runs[-1][1]))
        else:
            runs.append((start, stop))
    return runs


def _bridge(runs: Sequence[Range], bridged: set[int]) -> tuple[Range, ...]:
    fetches: list[Range] = []
    for index, (start, stop) in enumerate(runs):
        if index - 1 in bridged:
            fetches[-1] = (fetches[-1][0], stop)
        else:
            fetches.append((start, stop))
    return tuple(fetches)


def _places(wanted: Sequence[Range], fetches: Sequence[Range]) -> list[tuple[int, int, int]]:
    """Find each wanted range in the fetches; an empty one is nowhere."""
    starts = [start for start, _ in fetches]
    places = []
    for start, stop in wanted:
        index = bisect_right(starts, start) - 1 if stop > start else 0
        begin = start - starts[index] if stop > start else 0
        places.append((index, begin, begin + max(stop - start, 0)))
    return places
