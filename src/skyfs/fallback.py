"""The same bytes in several places: when one fails, the next is read."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from .abc.source import ByteSource
from .errors import NotFound, StoreError
from .model.dataset import Location
from .model.ranges import Cost

_log = logging.getLogger("skyfs")
_T = TypeVar("_T")


class FallbackSource(ByteSource):
    """Reads from the first of several places that delivers; the others are opened when they are needed.

    Parameters
    ----------
    places
        Where the bytes lie: all have the same size and digest. The first that can be opened is taken.
    open_place
        Opens one.
    verify
        Whether the whole is held against the digest before anything of it is given, and no local path is,
        whose bytes nobody would check.

    Raises
    ------
    NotFound, StoreError
        When none can be opened; the message tells of each.
    """

    def __init__(
        self, places: Sequence[Location], open_place: Callable[[Location], ByteSource], *, verify: bool
    ) -> None:
        self._waiting = iter(places)
        self._open_place = open_place
        self._verify = verify
        self._verified: bytes | None = None
        self._failures: list[Exception] = []
        self._opened: list[ByteSource] = []
        self._lock = threading.Lock()
        self._place, self._source = self._next()
        self._size = self._source.size

    @property
    def place(self) -> Location:
        """The one that is read now."""
        return self._place

    @property
    def cost(self) -> Cost:
        return self._source.cost

    @property
    def size(self) -> int:
        return self._size

    @property
    def local_path(self) -> str | None:
        return None if self._verify else self._source.local_path

    def read(self, start: int, stop: int) -> bytes:
        if self._verify:
            return self.read_all()[start:stop]
        return self._try(lambda source, _: source.read(start, stop))

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        if self._verify:
            return [self.read(start, stop) for start, stop in ranges]
        return self._try(lambda source, _: source.read_many(ranges))

    def read_all(self) -> bytes:
        if not self._verify:
            return self._try(self._whole)
        if self._verified is None:
            self._verified = self._try(self._whole)
        return self._verified

    def open(self) -> BinaryIO:
        # A local file is a real one, with a descriptor; it is not expected to fail halfway.
        return super().open() if self.local_path is None else self._source.open()

    def close(self) -> None:
        """Close all that were opened."""
        for source in self._opened:
            source.close()

    def _whole(self, source: ByteSource, place: Location) -> bytes:
        data = source.read_all()
        if self._verify and place.sha256 is not None and hashlib.sha256(data).digest() != place.sha256:
            raise StoreError(
                f"read {place.key!r} in store {place.store!r}",
                f"its sha256 is not {place.sha256.hex()}: the bytes are damaged",
                "skyfs check --bytes",
            )
        return data

    def _try(self, act: Callable[[ByteSource, Location], _T]) -> _T:
        while True:
            source, place = self._source, self._place
            try:
                return act(source, place)
            except (NotFound, StoreError) as error:
                self._go_on(source, error)

    def _go_on(self, failed: ByteSource, error: Exception) -> None:
        """Take the next place, unless another thread has done so already."""
        with self._lock:
            if self._source is failed:
                self._failures.append(error)
                self._place, self._source = self._next()

    def _next(self) -> tuple[Location, ByteSource]:
        for place in self._waiting:
            try:
                source = self._open_place(place)
            except (NotFound, StoreError) as error:
                self._failures.append(error)
                continue
            self._opened.append(source)
            for failure in self._failures:
                _log.warning("%s; store %r is read instead", failure, place.store)
            self._failures.clear()
            return place, source
        raise _all_failed(self._failures)


def _all_failed(failures: Sequence[Exception]) -> NotFound | StoreError:
    if len(failures) == 1 and isinstance(failures[0], NotFound | StoreError):
        return failures[0]
    kind = NotFound if all(isinstance(one, NotFound) for one in failures) else StoreError
    return kind("no store delivers the bytes", "; ".join(map(str, failures)), "skyfs check")


def same_bytes(places: Sequence[Location]) -> Iterator[list[Location]]:
    """Sort places, nearest first, into those that hold the same bytes: by format, size, digest and part."""
    groups: dict[object, list[Location]] = {}
    for place in places:
        hdu = None if place.part is None else place.part.hdu
        digest = place.sha256 if place.sha256 is not None else place
        groups.setdefault((place.component, place.extension, place.size, digest, hdu), []).append(place)
    yield from groups.values()
