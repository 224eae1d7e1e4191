"""Ranges of a file that is not whole here, in one file to which everybody appends.

The file is a row of records: magic, length, place in the content, CRC-32 of the data, CRC-32 of all that;
then the data. A record that ends beyond the file, or whose head is damaged, ends the row: a writer that died,
or that writes just now, left it. The next writer cuts it off. Records never overlap.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import zlib
from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from .layout import Layout

_HEAD = struct.Struct("<4sIQI")
_CRC = struct.Struct("<I")
_HEAD_BYTES = _HEAD.size + _CRC.size
_MAGIC = b"SkP1"
_DATA_MAX_BYTES = 1 << 20  # all of a record is read to verify a part of it

Range = tuple[int, int]


class _Piece(NamedTuple):
    start: int
    stop: int
    offset: int
    crc: int


class Parts:
    """The known ranges of one content. Safe from several threads; processes share the file.

    Parameters
    ----------
    layout, name
        Where the file is; ``name`` is that of the parts.
    """

    def __init__(self, layout: Layout, name: str) -> None:
        self._layout, self.name = layout, name
        self._path = layout.path(name)
        self._descriptor = -1
        self._pieces: list[_Piece] = []
        self._verified: set[int] = set()
        self._end = self._held = 0
        self._lock = threading.RLock()

    @property
    def held_bytes(self) -> int:
        """How many bytes of the content are known."""
        return self._held

    @property
    def file_bytes(self) -> int:
        """The size of the file, up to its last whole record."""
        return self._end

    def refresh(self) -> None:
        """Learn what others have appended."""
        with self._lock:
            if self._descriptor < 0 and not self._open_existing():
                return
            self._read_records()

    def missing(self, ranges: Sequence[Range]) -> list[Range]:
        """Give what of some ranges is not known: in order, without overlaps, each piece once."""
        with self._lock:
            found: list[Range] = []
            position = 0
            for start, stop in sorted(ranges):
                # Ranges that touch stay apart: whoever asked in pieces wants them fetched at once.
                found += self._holes(max(start, position), stop)
                position = max(position, stop)
            return found

    def read(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Give what is known of a range, as places and bytes, in order; what is damaged is forgotten."""
        with self._lock:
            found = []
            for piece in self._overlapping(start, stop):
                data = self._data(piece, max(start, piece.start), min(stop, piece.stop))
                if data is None:
                    self.discard()
                    return []
                found.append((max(start, piece.start), data))
            return found

    def append(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Write down what has come; what others wrote meanwhile is not written twice.

        Raises
        ------
        OSError
            When it cannot be written; the file is as before.
        """
        with self._lock:
            descriptor = self._open_to_append()
            try:
                self._read_records()
                if os.fstat(descriptor).st_size > self._end:
                    os.ftruncate(descriptor, self._end)
                for start, data in pieces:
                    self._append(descriptor, start, memoryview(data))
            except BaseException:
                with suppress(OSError):
                    os.ftruncate(descriptor, self._end)
                raise
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def discard(self) -> None:
        """Remove the file: the content is whole here now, or the file is damaged."""
        with self._lock:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self.close()

    def check(self) -> bool:
        """Read all records; False when one is damaged."""
        with self._lock:
            self.refresh()
            size = os.fstat(self._descriptor).st_size if self._descriptor >= 0 else 0
            whole = all(self._data(piece, piece.start, piece.stop) is not None for piece in self._pieces)
            return whole and size == self._end

    def close(self) -> None:
        """Let go of the file and of what is known of it."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            self._pieces, self._end, self._held = [], 0, 0
            self._verified.clear()
            if descriptor >= 0:
                os.close(descriptor)

    def _open_existing(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        return True

    def _open_to_append(self) -> int:
        """Give the locked file that has the name; one that was evicted meanwhile is left behind."""
        while True:
            if self._descriptor < 0:
                self._descriptor = self._layout.open_shared(self._path)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.fstat(self._descriptor).st_nlink:
                return self._descriptor
            self.close()

    def _read_records(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size < self._end:  # another's damage; what is known of the rest cannot be trusted
            self._pieces, self._end, self._held = [], 0, 0
            self._verified.clear()
        while self._end + _HEAD_BYTES <= size:
            piece = self._record(os.pread(self._descriptor, _HEAD_BYTES, self._end))
            if piece is None or piece.offset + piece.stop - piece.start > size:
                return
            if next(self._overlapping(piece.start, piece.stop), None) is None:
                insort(self._pieces, piece)
                self._held += piece.stop - piece.start
            self._end = piece.offset + piece.stop - piece.start

    def _record(self, head: bytes) -> _Piece | None:
        if len(head) < _HEAD_BYTES or zlib.crc32(head[: _HEAD.size]) != _CRC.unpack_from(head, _HEAD.size)[0]:
            return None
        magic, length, start, crc = _HEAD.unpack_from(head)
        if magic != _MAGIC or not 0 < length <= _DATA_MAX_BYTES:
            return None
        return _Piece(start, start + length, self._end + _HEAD_BYTES, crc)

    def _append(self, descriptor: int, start: int, data: memoryview) -> None:
        for begin, end in self._holes(start, start + len(data)):
            for first in range(begin, end, _DATA_MAX_BYTES):
                last = min(end, first + _DATA_MAX_BYTES)
                self._write(descriptor, first, data[first - start : last - start])

    def _write(self, descriptor: int, start: int, data: memoryview) -> None:
        crc = zlib.crc32(data)
        head = _HEAD.pack(_MAGIC, len(data), start, crc)
        record = memoryview(head + _CRC.pack(zlib.crc32(head)) + data)
        position = self._end
        while record:
            count = os.pwrite(descriptor, record, position)
            record, position = record[count:], position + count
        insort(self._pieces, _Piece(start, start + len(data), self._end + _HEAD_BYTES, crc))
        self._end = position
        self._held += len(data)

    def _overlapping(self, start: int, stop: int) -> Iterator[_Piece]:
        first = bisect_right(self._pieces, (start,)) - 1
        for index in range(max(0, first), len(self._pieces)):
            piece = self._pieces[index]
            if piece.start >= stop:
                return
            if piece.stop > start:
                yield piece

    def _holes(self, start: int, stop: int) -> list[Range]:
        holes = []
        for piece in self._overlapping(start, stop):
            if piece.start > start:
                holes.append((start, piece.start))
            start = max(start, piece.stop)
        return [*holes, (start, stop)] if start < stop else holes

    def _data(self, piece: _Piece, start: int, stop: int) -> bytes | None:
        """Read a part of a record, all of which is verified the first time."""
        if piece.offset not in self._verified:
            data = os.pread(self._descriptor, piece.stop - piece.start, piece.offset)
            if len(data) < piece.stop - piece.start or zlib.crc32(data) != piece.crc:
                return None
            self._verified.add(piece.offset)
            return data[start - piece.start : stop - piece.start]
        data = os.pread(self._descriptor, stop - start, piece.offset + start - piece.start)
        return data if len(data) == stop - start else None
