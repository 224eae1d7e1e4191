"""A file made of a few pieces: what lies between them is zero."""

from __future__ import annotations

from collections.abc import Iterable

Piece = tuple[int, bytes | memoryview]


def fill(buffer: memoryview, start: int, size: int, pieces: Iterable[Piece]) -> int:
    """Fill a buffer with what a file of ``size`` bytes holds from ``start`` on; give how much that is.

    Pieces are given with their places; of those that overlap the last counts.
    """
    stop = min(start + len(buffer), size)
    count = max(stop - start, 0)
    buffer[:count] = bytes(count)
    for begin, data in pieces:
        low, high = max(begin, start), min(begin + len(data), stop)
        if low < high:
            buffer[low - start : high - start] = data[low - begin : high - begin]
    return count
