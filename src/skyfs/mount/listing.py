"""Folders as the kernel lists them: packed, some fifty bytes and the name for each entry."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import lt

from ..tree import Listed
from .nodes import Freshness, Moment

# Listings of so many bytes are kept, and the latest whatever its size: 10^6 entries are about 60 MB.
KEPT_BYTES = 16 << 20
_BATCH = 4096
# Names of scratch files may be any bytes.
_ENCODING = ("utf-8", "surrogateescape")


class Listing:
    """What a folder holds, in the order it was given; it never changes.

    Parameters
    ----------
    entries
        With names that differ.
    """

    __slots__ = ("_ends", "_inodes", "_kinds", "_names", "_next", "_order", "_sizes", "_times")

    def __init__(self, entries: Iterable[Listed]) -> None:
        names, kinds = bytearray(), bytearray()
        # Where each name ends in them.
        self._ends = array("I")
        self._inodes, self._sizes, self._times = array("Q"), array("q"), array("q")
        each, last, ascending = iter(entries), b"", True
        while some := list(islice(each, _BATCH)):
            texts, some_kinds, inodes, sizes, times = zip(*some, strict=True)
            encoded = [text.encode(*_ENCODING) for text in texts]
            ascending = ascending and all(map(lt, [last, *encoded], encoded))
            last = encoded[-1]
            self._ends.extend(islice(accumulate(map(len, encoded), initial=len(names)), 1, None))
            names += b"".join(encoded)
            kinds += bytes(some_kinds)
            self._inodes.extend(inodes)
            self._sizes.extend(sizes)
            self._times.extend(times)
        self._names, self._kinds = bytes(names), bytes(kinds)
        # Numbers of entries by name; when that is another order, made when a name is first looked for.
        self._order: Sequence[int] | None = range(len(self)) if ascending else None
        self._next = 0

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Listed]:
        return map(self.entry, range(len(self)))

    @property
    def nbytes(self) -> int:
        """How much memory it takes, about."""
        each = self._ends.itemsize + 1 + 3 * self._inodes.itemsize + self._ends.itemsize
        return len(self._names) + each * len(self)

    @property
    def packed(self) -> tuple[bytes, array[int], array[int]]:
        """The names one after another, where each ends, and the inodes; not to be changed."""
        return self._names, self._ends, self._inodes

    def rows(self, start: int) -> Iterator[tuple[bytes, int, int, int, int]]:
        """Give name, whether it is a folder, inode, size and time of the entries from a number on."""
        if start >= len(self):
            return
        names, begin = self._names, self._ends[start - 1] if start else 0
        columns = (self._ends, self._kinds, self._inodes, self._sizes, self._times)
        for end, *row in zip(*(islice(column, start, None) for column in columns), strict=True):
            yield names[begin:end], *row
            begin = end

    def entry(self, index: int) -> Listed:
        """Give an entry by its number, from 0."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        name = self._name(index).decode(*_ENCODING)
        kind = bool(self._kinds[index])
        return Listed(name, kind, self._inodes[index], self._sizes[index], self._times[index])

    def find(self, name: str) -> Listed | None:
        """Give an entry by its name; None when there is none."""
        try:
            wanted = name.encode(*_ENCODING)
        except UnicodeEncodeError:
            return None  # the kernel has no such name either
        # Programs ask for one after the other, in the order they were given (5 µs less each, of 10^4).
        index = self._next
        if index == len(self) or self._name(index) != wanted:
            order = self._sorted()
            place = bisect_left(order, wanted, key=self._name)
            if place == len(order) or self._name(order[place]) != wanted:
                return None
            index = order[place]
        self._next = index + 1
        return self.entry(index)

    def _name(self, index: int) -> bytes:
        start = self._ends[index - 1] if index else 0
        return self._names[start : self._ends[index]]

    def _sorted(self) -> Sequence[int]:
        order = self._order
        if order is None:
            order = self._order = array("I", sorted(range(len(self)), key=self._name))
        return order


class Listings:
    """Listings by path, while they are true. Safe from several threads."""

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._kept: OrderedDict[str, tuple[Listing, Moment]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> Listing | None:
        """Give what is still true of a folder."""
        with self._lock:
            found = self._kept.get(path)
            if found is None:
                return None
            listing, moment = found
            if not self._freshness.is_true(moment):
                self._drop(path)
                return None
            self._kept.move_to_end(path)
            return listing

    def put(self, path: str, listing: Listing, moment: Moment) -> None:
        """Keep a listing by the path it was asked by."""
        with self._lock:
            self._drop(path)
            self._kept[path] = (listing, moment)
            self._bytes += _weight(path, listing)
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def drop(self, path: str) -> None:
        """Forget a folder."""
        with self._lock:
            self._drop(path)

    def _drop(self, path: str) -> None:
        found = self._kept.pop(path, None)
        if found is not None:
            self._bytes -= _weight(path, found[0])


def _weight(path: str, listing: Listing) -> int:
    # The objects that one is made of are as large as ten entries.
    return listing.nbytes + len(path) + 1000
