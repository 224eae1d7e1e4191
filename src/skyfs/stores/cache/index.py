"""The index of the cache: sizes and order of use, in ``diskcache``, from which no pickle is ever loaded."""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import diskcache

from .layout import is_name

_RAW = 1  # diskcache's mode of values that are what they look like
_RECORD = struct.Struct("<qq")
_TOTAL, _BUILT = "total", "built"
_FORMAT = 1
_SETTINGS = {
    "eviction_policy": "none",  # what it would evict are rows, and each read would be a write
    "cull_limit": 0,
    "size_limit": 2**62,
    "statistics": 0,
    "tag_index": 0,
    "disk_min_file_size": 2**30,
    "sqlite_auto_vacuum": 0,
    "sqlite_cache_size": 2**10,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,  # a file that is truncated under a mapping kills the process
    "sqlite_synchronous": 1,
}
_KNOWN_SETTINGS = {*_SETTINGS, "disk_pickle_protocol", "count", "size", "hits", "misses"}
# Others (full, read-only, locked, no descriptor) pass without making the index anew.
_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}


class IndexDamaged(Exception):
    """The index is not what was written: it is made anew from the files."""


class IndexBusy(Exception):
    """The index cannot be used now: it is locked, read-only, or its disk is full."""


class PlainDisk(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
    """Integers, texts and bytes in rows, and nothing else: no pickle, no file, in neither direction.

    Any user who may write the index chooses what its rows say; a pickle there would run as whoever reads it.
    """

    def put(self, key: object) -> tuple[object, bool]:
        """Give the columns of a key."""
        _require_plain(key)
        return (sqlite3.Binary(key), True) if isinstance(key, bytes) else (key, True)

    def get(self, key: object, raw: object) -> object:
        """Give the key of columns."""
        if raw != 1:
            raise IndexDamaged("a key is a pickle")
        return _plain(key)

    def store(self, value: object, read: object, key: object = None) -> tuple[int, int, None, object]:  # noqa: ARG002 - diskcache's signature
        """Give the columns of a value."""
        _require_plain(value)
        return 0, _RAW, None, sqlite3.Binary(value) if isinstance(value, bytes) else value

    def fetch(self, mode: object, filename: object, value: object, read: object) -> object:  # noqa: ARG002 - diskcache's signature
        """Give the value of columns."""
        if mode != _RAW or filename is not None:
            raise IndexDamaged("a value is a pickle or a file")
        return _plain(value)

    def remove(self, file_path: object) -> None:
        """Remove nothing: no row has a file of ours, and what a forged one names is not ours to remove."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the index knows of an entry: bytes, and when it was used (seconds since 1970, coarse)."""

    size: int
    used_s: int


class Index:
    """Records in the order of use, with the sum of their sizes.

    A record that is written goes to the end, so the order of the rows is the order of use, and finding the
    oldest needs no sorting.

    Raises
    ------
    IndexDamaged, IndexBusy
        From every method.
    """

    def __init__(self, folder: str, *, mode: int, timeout_s: float) -> None:
        self._file = f"{folder}/cache.db"
        with _translated():
            _probe(self._file, timeout_s)
            self._cache = diskcache.Cache(folder, timeout=timeout_s, disk=PlainDisk, **_SETTINGS)
            self._inode = os.stat(self._file).st_ino
        if os.stat(self._file).st_mode & 0o777 != mode and os.stat(self._file).st_uid == os.geteuid():
            # SQLite gives its log the mode of the database, but what is open keeps the one it has.
            self._cache.close()
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self._file + end):
                    os.chmod(self._file + end, mode)

    def is_current(self) -> bool:
        """Tell whether this is still the file by that name: another process may have made it anew."""
        try:
            return os.stat(self._file).st_ino == self._inode
        except FileNotFoundError:
            return False

    def is_built(self) -> bool:
        """Tell whether it was made of the files."""
        with _translated():
            return bool(self._cache.get(_BUILT) == _FORMAT)

    def build(self, records: Iterable[tuple[str, Record]]) -> None:
        """Take records in, the least recently used first."""
        with _translated(), self._cache.transact():
            total = 0
            for name, record in records:
                self._cache.set(name, _RECORD.pack(record.size, record.used_s))
                total += record.size
            self._cache.set(_TOTAL, total)
            self._cache.set(_BUILT, _FORMAT)

    def add(self, sizes: Mapping[str, int], limit: int | None = None) -> bool:
        """Write records as used now; with ``limit`` only if all together stay within it, else False."""
        now = int(time.time())
        with _translated(), self._cache.transact():
            known = {name: self._size(name) for name in sizes}
            total = self._total() + sum(sizes.values()) - sum(size or 0 for size in known.values())
            if limit is not None and total > limit:
                return False
            for name, size in sizes.items():
                if limit is None and known[name] == size:
                    continue  # it was reserved a moment ago
                if known[name] is not None:
                    self._cache.delete(name)
                self._cache.set(name, _RECORD.pack(size, now))
            self._cache.set(_TOTAL, total)
        return True

    def remove(self, names: Iterable[str]) -> None:
        """Drop records; those that are not there are no error."""
        with _translated(), self._cache.transact():
            gone = 0
            for name in names:
                size = self._size(name)
                if size is not None:
                    gone += size
                    self._cache.delete(name)
            self._cache.set(_TOTAL, max(0, self._total() - gone))

    def touch(self, name: str) -> None:
        """Note that an entry is used now."""
        with _translated(), self._cache.transact():
            value = self._cache.pop(name)
            if value is not None:
                self._cache.set(name, _RECORD.pack(_record(value).size, int(time.time())))

    def total(self) -> int:
        """Give the sum of all sizes."""
        with _translated():
            return self._total()

    def oldest(self) -> Iterator[tuple[str, Record]]:
        """Give the records, the least recently used first."""
        with _translated():
            for name in self._cache:
                if name in (_TOTAL, _BUILT):
                    continue
                if not is_name(name):
                    raise IndexDamaged(f"a strange name: {name!r}")
                value = self._cache.get(name)
                if value is not None:
                    yield name, _record(value)

    def close(self) -> None:
        """Let go of this thread's connection."""
        self._cache.close()

    def _size(self, name: str) -> int | None:
        value = self._cache.get(name)
        return None if value is None else _record(value).size

    def _total(self) -> int:
        value = self._cache.get(_TOTAL)
        if not isinstance(value, int):
            raise IndexDamaged("there is no sum")
        return value


def _probe(file: str, timeout_s: float) -> None:
    """Look at an index before diskcache does, which would wait a minute for a lock and obey any setting."""
    if not os.path.exists(file):
        return
    with closing(sqlite3.connect(file, timeout=timeout_s, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        settings = connection.execute("SELECT key FROM Settings").fetchall() if "Settings" in tables else []
        connection.execute("ROLLBACK")
    if any(key not in _KNOWN_SETTINGS for (key,) in settings):
        raise IndexDamaged("it has settings that are not ours")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except diskcache.Timeout as error:
        raise IndexBusy("it is locked, or cannot be written") from error
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
        raise (IndexDamaged if code in _DAMAGED else IndexBusy)(str(error)) from error
    except OSError as error:
        raise IndexBusy(str(error)) from error
    except (TypeError, ValueError, struct.error, AssertionError, OverflowError) as error:
        raise IndexDamaged(str(error)) from error


def _record(value: object) -> Record:
    if not isinstance(value, bytes):
        raise IndexDamaged("a record is no bytes")
    size, used_s = _RECORD.unpack(value)
    if size < 0:
        raise IndexDamaged("a record has a negative size")
    return Record(size, used_s)


def _require_plain(value: object) -> None:
    if type(value) not in (int, str, bytes):
        raise TypeError(f"the index holds integers, texts and bytes, not {type(value).__name__}")


def _plain(value: object) -> object:
    if isinstance(value, memoryview):
        return bytes(value)
    _require_plain(value)
    return value
