"""A file made of a few pieces: what lies between them is zero."""

from __future__ import annotations

from collections.abc import Iterable

Piece = tuple[int, bytes | memoryview]


def bytes_between(start: int, stop: int, pieces: Iterable[Piece]) -> bytes:
    """Give what a file holds from ``start`` to ``stop``; of pieces that overlap the last counts."""
    found = bytearray(stop - start)
    for begin, data in pieces:
        low, high = max(begin, start), min(begin + len(data), stop)
        if low < high:
            found[low - start : high - start] = data[low - begin : high - begin]
    return bytes(found)
