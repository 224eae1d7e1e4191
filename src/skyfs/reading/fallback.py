"""The same bytes in several places: when one fails, the next is read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from ..abc.source import ByteSource
from ..errors import BadContent, NotFound, StoreError, Unsupported
from ..model.dataset import Location
from ..model.ranges import Cost
from .verifying import verified

_log = logging.getLogger("skyfs")
_T = TypeVar("_T")

FAILURES = (NotFound, StoreError, BadContent)
"""What a place raises that lacks the bytes, cannot be read, or holds others."""


class FallbackSource(ByteSource):
    """Reads from the first of several places that delivers; the others are opened when they are needed.

    Parameters
    ----------
    places
        Where the bytes lie: all have the same size and digest. The first that can be opened is taken.
    open_place
        Opens one.
    verify
        Whether the whole is held against the digest before anything of it is given.

    Raises
    ------
    NotFound, StoreError, BadContent
        When none can be opened; the message tells of each.
    """

    def __init__(
        self, places: Sequence[Location], open_place: Callable[[Location], ByteSource], *, verify: bool
    ) -> None:
        self._waiting = iter(places)
        self._open_place = open_place
        self._verify = verify
        self._failures: list[Exception] = []
        self._opened: list[ByteSource] = []
        self._lock = threading.Lock()
        self._source = self._next()
        self._size = self._source.size

    @property
    def cost(self) -> Cost:
        return self._source.cost

    @property
    def size(self) -> int:
        return self._size

    @property
    def local_path(self) -> str | None:
        return self._source.local_path

    def read(self, start: int, stop: int) -> bytes:
        return self._try(lambda source: source.read(start, stop))

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._try(lambda source: source.read_many(ranges))

    def read_all(self) -> bytes:
        return self._try(lambda source: source.read_all())

    def open(self) -> BinaryIO:
        # A local file is a real one, with a descriptor; it is not expected to fail halfway.
        return super().open() if self.local_path is None else self._source.open()

    def close(self) -> None:
        """Close all that were opened."""
        for source in self._opened:
            source.close()

    def _try(self, act: Callable[[ByteSource], _T]) -> _T:
        while True:
            source = self._source
            try:
                return act(source)
            except (NotFound, StoreError) as error:
                self._go_on(source, error)

    def _go_on(self, failed: ByteSource, error: Exception) -> None:
        """Take the next place, unless another thread has done so already."""
        with self._lock:
            if self._source is failed:
                self._failures.append(error)
                self._source = self._next()

    def _next(self) -> ByteSource:
        for place in self._waiting:
            try:
                source = self._open_place(place)
                source = verified(source, place) if self._verify else source
            except FAILURES as error:
                self._failures.append(error)
                continue
            self._opened.append(source)
            for failure in self._failures:
                _log.warning("%s; store %r is read instead", failure, place.store)
            self._failures.clear()
            return source
        if len(self._failures) == 1:
            raise self._failures[0]
        raise all_failed("no store delivers the bytes", self._failures)


def or_else(first: Callable[[], _T], second: Callable[[], _T] | None) -> _T:
    """Give what the first way gives, or, when it fails and there is one, the second.

    Raises
    ------
    NotFound, StoreError, BadContent
        When the only way fails, or both; the message tells of each.
    """
    try:
        return first()
    except FAILURES as error:
        if second is None:
            raise
        try:
            found = second()
        except (*FAILURES, Unsupported) as other:
            raise all_failed("no place delivers the bytes", [error, other]) from other
        _log.warning("%s; it is made of what lies in another place", error)
        return found


def all_failed(asked: str, failures: Sequence[Exception]) -> Exception:
    """Give what is to be raised when no place delivers: it tells of each."""
    kind = NotFound if all(isinstance(one, NotFound) for one in failures) else StoreError
    return kind(asked, "; ".join(map(str, failures)), "check the repository: skyfs check")


def same_bytes(places: Sequence[Location]) -> Iterator[list[Location]]:
    """Sort places, nearest first, into those that hold the same bytes: by format, size, digest and part."""
    groups: dict[object, list[Location]] = {}
    for place in places:
        hdu = None if place.part is None else place.part.hdu
        digest = place.sha256 if place.sha256 is not None else place
        groups.setdefault((place.component, place.extension, place.size, digest, hdu), []).append(place)
    yield from groups.values()
