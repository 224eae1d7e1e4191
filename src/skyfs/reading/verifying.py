"""Bytes held against size and digest before anybody gets them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import ExitStack
from typing import IO

from ..abc.source import ByteSource
from ..abc.store import Expected
from ..formats.buffer import Buffer
from ..model.dataset import Location
from ..stores.checking import require_bytes, require_whole
from ..stores.failure import failing

HELD_BYTES = 64 << 20
"""Up to this size a file is in memory while it is checked, and read once."""

_CHUNK_BYTES = 1 << 22


def verified(source: ByteSource, place: Location) -> ByteSource:
    """Give the bytes of a place that was opened, when they are those that the registry knows.

    Small ones are in memory then, larger ones from far away in a temporary file, and a larger local file is
    itself: it was read once more. Without a digest only the size is known. The source is closed with what is
    given, or before.

    Raises
    ------
    WrongBytes
        When they are others.
    StoreError, NotFound
        When they cannot be read.
    """
    try:
        if source.size > HELD_BYTES:
            return _verified_large(source, place)
        data = source.read_all()
        require_bytes(data, *_expected(place))
    except BaseException:
        source.close()
        raise
    source.close()
    return Buffer(data)


def _verified_large(source: ByteSource, place: Location) -> ByteSource:
    if source.cost.far:
        return _spooled(source, place)
    if place.sha256 is not None:
        require_whole(*_copied(source, None), *_expected(place))
    return source


def _spooled(source: ByteSource, place: Location) -> ByteSource:
    with ExitStack() as stack, failing("keep, while it is checked,", place.key, place.store):
        file = stack.enter_context(tempfile.TemporaryFile(prefix="skyfs-"))
        require_whole(*_copied(source, file), *_expected(place))
        file.flush()
        stack.pop_all()
    source.close()
    return _Spooled(file, place.size)


def _copied(source: ByteSource, target: IO[bytes] | None) -> tuple[int, bytes]:
    """Read all bytes, in flat memory; give their number and digest."""
    digest, count = hashlib.sha256(), 0
    with source.open() as file:
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            count += len(data)
            if target is not None:
                target.write(data)
    return count, digest.digest()


def _expected(place: Location) -> tuple[Expected, str]:
    return Expected(place.size, place.sha256), f"read {place.key!r} in store {place.store!r}"


class _Spooled(ByteSource):
    """Bytes in a temporary file that has no name."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        wanted = min(stop, self._size) - start
        blocks = []
        while wanted > 0 and (data := os.pread(self._file.fileno(), wanted, start)):
            # One call gives at most 2 GiB.
            blocks.append(data)
            start, wanted = start + len(data), wanted - len(data)
        return b"".join(blocks)

    def close(self) -> None:
        self._file.close()
