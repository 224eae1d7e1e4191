"""A file that lies far away, read through the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected
from skyfs.errors import StoreError, WrongBytes
from skyfs.model.ranges import LOCAL, REMOTE, Cost

from ..ahead import Ahead, reading_ahead
from ..checking import require_bytes
from .disk_cache import DiskCache
from .kept import KeptFile
from .layout import parts_name
from .parts import Parts, Range

SMALL_BYTES = 1 << 16
"""Up to this size a file is fetched whole whatever is asked of it: the request costs more than the bytes."""

STREAM_WHOLE_BYTES = 1 << 22
"""Up to this size a file that is opened to be read on and on is fetched whole."""

_NEARLY = 10  # a file of which less than a tenth is missing is completed...
_NEARLY_BYTES = 1 << 24  # ...and when it is large, only when no more than this is missing
_SEQUENTIAL_BYTES = 1 << 18  # reads from here on that follow one another are somebody's copying
# How a large file is fetched: in flat memory, several pieces at once; smaller ones of what is read ahead.
_GROUP_BYTES, _PIECE_BYTES, _BLOCK_PIECE_BYTES = 1 << 25, 1 << 23, 1 << 21


@dataclass(frozen=True, slots=True)
class Far:
    """What the cache needs to know of a file far away.

    Attributes
    ----------
    key, store
        For messages.
    expected
        Its size, and its digest when that is known.
    name
        Gives its name in the cache; raises as `Store.stat` when it has to ask for that.
    open
        Opens it where it is.
    cost
        What reading it there costs.
    """

    key: str
    store: str
    expected: Expected
    name: Callable[[], str]
    open: Callable[[], ByteSource]
    cost: Cost = REMOTE

    @property
    def named(self) -> tuple[str, str]:
        """Key and store, for messages."""
        return self.key, self.store


class CachedSource(ByteSource):
    """Fetches what is read, keeps it, and becomes the local file when all of it is here.

    Nothing is asked before the first read. Ranges are fetched exactly as asked for, unless the file is small
    or nearly all here.
    """

    def __init__(self, cache: DiskCache, far: Far, remote: ByteSource | None = None) -> None:
        self._cache, self._far = cache, far
        self._size = far.expected.size
        self._remote = remote
        self._local: KeptFile | None = None
        self._parts: Parts | None = None
        self._name: str | None = None
        self._whole_refused = False
        self._closed = False
        self._follows = 0
        self._ahead = Ahead(self._size, self._read_block)
        self._lock = threading.RLock()

    @property
    def cost(self) -> Cost:
        return LOCAL if self._local is not None else self._far.cost

    @property
    def size(self) -> int:
        return self._size

    @property
    def local_path(self) -> str | None:
        return self._local.local_path if self._local is not None else None

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self._size)
        self._require_open()
        if start < 0:
            raise StoreError(self._asked(), "the start is negative", "count from the first byte")
        if stop <= start:
            return b""
        sequential, self._follows = start == self._follows and start > 0, stop
        if sequential and stop - start >= _SEQUENTIAL_BYTES and self._local is None:
            return self._ahead.read(start, stop)
        return self._read_ranges([(start, stop)])[0]

    def read_many(self, ranges: Sequence[Range]) -> list[bytes]:
        self._require_open()
        if any(start < 0 for start, _ in ranges):
            raise StoreError(self._asked(), "the start is negative", "count from the first byte")
        return self._read_ranges([(start, max(start, min(stop, self._size))) for start, stop in ranges])

    def read_all(self) -> bytes:
        self._require_open()
        local = self.whole()
        if local is not None:
            return local.read_all()
        data = self._open_remote().read_all()
        require_bytes(data, self._far.expected, self._asked())
        return data

    def open(self) -> BinaryIO:
        self._require_open()
        local = self.whole() if self._size <= STREAM_WHOLE_BYTES else self._local
        if local is not None:
            return local.open()
        return reading_ahead(self, self._read_block)

    def whole(self) -> KeptFile | None:
        """Bring all of it here, verified; None when the cache cannot hold it.

        Raises
        ------
        StoreError
            When it cannot be fetched; WrongBytes when it is not what was expected.
        """
        with self._lock:
            if self._local is None and not self._whole_refused:
                self._local = self._fill()
                self._whole_refused = self._local is None
                if self._local is not None:
                    self._forget_parts()
            return self._local

    def close(self) -> None:
        self._closed = True
        for held in (self._remote, self._local, self._parts):
            if held is not None:
                held.close()
        self._remote = self._local = self._parts = None

    def _read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        self._require_open()
        local = self._local or self._whole_if_nearly(ranges)
        if local is not None:
            return local.read_many(ranges)
        with self._lock:
            parts = self._known()
            missing = parts.missing(ranges)
        fetched = self._from_far(missing)
        if len(ranges) == 1 and ranges == missing:
            found = [fetched[0][1]]
        else:
            found = [self._assemble(parts, fetched, start, stop) for start, stop in ranges]
        self._keep(parts, fetched)
        return found

    def _read_block(self, start: int, stop: int) -> bytes:
        return b"".join(self._read_ranges(_in_steps(start, stop, _BLOCK_PIECE_BYTES)))

    def _whole_if_nearly(self, ranges: Sequence[Range]) -> KeptFile | None:
        """Complete the file when there is little left to fetch after these ranges."""
        if self._whole_refused or not any(stop > start for start, stop in ranges):
            return None
        if self._size <= SMALL_BYTES:
            return self.whole()
        with self._lock:
            parts = self._known()
            left = self._size - parts.held_bytes - sum(stop - start for start, stop in parts.missing(ranges))
        return self.whole() if left <= min(self._size // _NEARLY, _NEARLY_BYTES) else None

    def _fill(self) -> KeptFile | None:
        name, expected = self._named(), self._far.expected
        try:
            return self._cache.fill(name, expected, self._fetch, *self._far.named)
        except WrongBytes:
            if not self._known().held_bytes:
                raise
        # Ranges are not verified when they come. Without them it is seen who is wrong, they or the store.
        self._forget_parts()
        return self._cache.fill(name, expected, self._fetch, *self._far.named)

    def _fetch(self, write: Callable[[bytes], None]) -> None:
        """Give all bytes, those that are here as parts from there."""
        parts = self._known()
        if not parts.held_bytes and self._size <= _GROUP_BYTES:
            write(self._open_remote().read_all())
            return
        for begin in range(0, self._size, _GROUP_BYTES):
            end = min(self._size, begin + _GROUP_BYTES)
            ranges = _in_steps(begin, end, _PIECE_BYTES)
            fetched = self._from_far(parts.missing(ranges))
            for start, stop in ranges:
                write(self._assemble(parts, fetched, start, stop))

    def _from_far(self, ranges: Sequence[Range]) -> list[tuple[int, bytes]]:
        """Fetch ranges, all at once."""
        if not ranges:
            return []
        remote = self._open_remote()
        found = remote.read_many(ranges) if len(ranges) > 1 else [remote.read(*ranges[0])]
        for (start, stop), data in zip(ranges, found, strict=True):
            self._require_length(len(data), stop - start)
        return [(start, data) for (start, _), data in zip(ranges, found, strict=True)]

    def _assemble(self, parts: Parts, fetched: Sequence[tuple[int, bytes]], start: int, stop: int) -> bytes:
        """Put a range together of what has come now and what was here; what is damaged here is fetched."""
        pieces = [
            (max(start, place), data[max(0, start - place) : stop - place])
            for place, data in fetched
            if place < stop and place + len(data) > start
        ]
        pieces += parts.read(start, stop)
        pieces.sort(key=lambda piece: piece[0])
        whole = b"".join(data for _, data in pieces)
        return whole if len(whole) == stop - start else self._from_far([(start, stop)])[0][1]

    def _keep(self, parts: Parts, fetched: Sequence[tuple[int, bytes]]) -> None:
        """Write down what has come; that it cannot be is no error of reading."""
        if not fetched or self._whole_refused:
            return
        try:
            parts.append(fetched, lambda size: self._cache.ledger.reserve({parts.name: size}))
        except OSError as error:
            self._cache.complain(error)

    def _known(self) -> Parts:
        with self._lock:
            if self._parts is None:
                self._cache.sweep_once()
                self._parts = Parts(self._cache.layout, parts_name(self._named()))
            self._parts.refresh()
            return self._parts

    def _forget_parts(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None and parts.held_bytes:
            parts.discard()
            self._cache.ledger.forget([parts.name])

    def _named(self) -> str:
        if self._name is None:
            self._name = self._far.name()
        return self._name

    def _open_remote(self) -> ByteSource:
        with self._lock:
            self._require_open()
            if self._remote is None:
                self._remote = self._far.open()
            return self._remote

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(self._asked(), "the source is closed", "open it again")

    def _require_length(self, found: int, wanted: int) -> None:
        if found != wanted:
            text = f"{found} bytes came where {wanted} are registered"
            raise WrongBytes(self._asked(), text, "the store's copy is cut short: restore it from another")

    def _asked(self) -> str:
        return f"read {self._far.key!r} in store {self._far.store!r}"


def _in_steps(start: int, stop: int, step: int) -> list[Range]:
    return [(place, min(stop, place + step)) for place in range(start, stop, step)]
