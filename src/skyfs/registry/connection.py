"""Connections to a SQLite file: one that writes, or one that leaves every byte as it is.

Reading in the ordinary way would make ``-wal`` and ``-shm`` files, or write into them. A reader takes
instead:

- ``mode=ro&readonly_shm=1`` while there is a write-ahead log with its index (``-shm``): locks, but no byte;
- ``immutable=1`` when there is no log: the file alone;
- no locks at all, with the index in memory, when there is a log without index: a writer died and somebody
  copied the file.

The last two see no locks of others. They are right as long as the files stay as they are;
`SqliteSession.is_current` tells, after each read.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .functions import define
from .session import Session, Sink
from .sharing import Key, key_of, sharing
from .statement import Rendered, Rows

BUSY_TIMEOUT_MS = 60_000
# Kernels before 6.13 stamp files with the time of the last tick, up to 10 ms ago: two changes within one tick
# look the same. A file is read without locks only when its last change is older than this.
_SETTLED_NS = 20 * 10**6
# Between two questions whether other writers are done; a put has the lock for a millisecond or two.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.02
_CACHE_KIB = 65_536
_ROWS_AT_ONCE = 20_000
# Of each of a reader's connections, one for each thread that asks. The system has the pages too: with 10^6
# datasets neither listings nor single lookups are faster by more.
_READER_CACHE_KIB = 16_384
_kept: list[object] = []


@dataclass(frozen=True, slots=True)
class Stamp:
    """How the files of a database look.

    Attributes
    ----------
    log
        Size and time of the write-ahead log; None when there is none, or nothing in it.
    indexed
        The inode of the log's index; 0 when there is none. Another one is that of other writers.
    """

    inode: int
    size: int
    mtime_ns: int
    log: tuple[int, int] | None
    indexed: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Look at the files."""
        found = os.stat(path)
        log = _size_and_time(f"{path}-wal")
        return cls(
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            log,
            0 if log is None else _inode(f"{path}-shm"),
        )


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None


class SqliteSession(Session):
    """One connection to a SQLite file.

    Attributes
    ----------
    stamp
        Of a reader: how the files looked when it was opened. None for a writer.
    key
        By which it shares the log's index with others of this process; None when it does not.
    """

    def __init__(
        self, path: Path, connection: Connection, stamp: Stamp | None = None, key: Key | None = None
    ) -> None:
        super().__init__(connection)
        self.path, self.stamp, self.key = path, stamp, key
        self._stale = False

    @property
    def stale(self) -> bool:
        """Whether its files were found changed, or a writer of this process waits for it to be closed."""
        waits = self.key is not None and self.stamp is not None and sharing.is_awaited(self.key)
        return self._stale or waits

    @property
    def has_locks(self) -> bool:
        """Whether SQLite's own locks guard its reads."""
        return self.stamp is None or self.stamp.indexed != 0

    def is_current(self, after: Exception | None = None) -> bool:  # noqa: ARG002 - it makes no difference here
        if self.stamp is None:
            return True
        try:
            now = Stamp.of(self.path)
        except FileNotFoundError:  # opening it again will say so
            self._stale = True
        else:
            same = now.indexed == self.stamp.indexed if self.stamp.indexed else now == self.stamp
            self._stale = not same
        return not self._stale

    @property
    def in_transaction(self) -> bool:
        # After some errors SQLite gives the transaction up by itself.
        return bool(self.raw.in_transaction)

    def begin(self) -> None:
        """Begin when no other writer has a transaction open; they are asked again and again.

        SQLite itself would sleep longer each time, up to 0.1 s: a writer who came first would get its turn
        last, and much later.
        """
        began_s = time.monotonic()
        self.raw.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    self.raw.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    waited_s = time.monotonic() - began_s
                    if (
                        error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY
                        or waited_s > BUSY_TIMEOUT_MS / 1000
                    ):
                        raise
                else:
                    return
                time.sleep(_pause_s(waited_s))
        finally:
            self.raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

    def command(self, text: str) -> None:
        self.raw.execute(text)

    def select(self, rendered: Rendered, values: Sequence[object]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.raw.execute(rendered.text, values).fetchall()
        return found

    def pour(self, rendered: Rendered, values: Sequence[object], sink: Sink) -> None:
        cursor = self.raw.execute(rendered.text, values)
        try:
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                sink.extend(rows)
        finally:
            cursor.close()

    def write_many(self, rendered: Rendered, rows: Rows) -> int:
        return int(self.raw.executemany(rendered.text, rows).rowcount)

    def version(self, rendered: Rendered) -> int:
        # This number changes when another connection commits.
        state = int(self.raw.execute("PRAGMA data_version").fetchone()[0]) if self.has_locks else 0
        if self.seen is None or self.seen[0] != state:
            row = self.raw.execute(rendered.text, rendered.values({})).fetchone()
            self.seen = (state, int(row[0]))
        return self.seen[1]

    def close(self) -> None:
        if self.stamp is not None and not self.has_locks and self.stamp.log is not None:
            # Closing any descriptor of a file drops the locks that this process has by others (POSIX), and
            # SQLite, which knows to wait, was told to take no locks here. The case is rare: it stays open.
            _kept.append(self)
            return
        super().close()
        if self.key is not None and self.pid == os.getpid():
            sharing.closed(self.key, writer=self.stamp is None)
            self.key = None


def _pause_s(waited_s: float) -> float:
    """Give how long to sleep until a lock is asked for again: some of the time that it took so far."""
    return min(max(_FIRST_PAUSE_S, waited_s / 20), _LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)  # noqa: S311


def open_writer(path: Path, *, durability: str, create: bool) -> SqliteSession:
    """Open a connection that writes; with ``create``, the file is made when it is new."""
    key = key_of(path)
    pragmas = ["journal_mode=WAL"] if create else []
    pragmas.append(f"synchronous={'FULL' if durability == 'power' else 'NORMAL'}")
    with sharing.writer(key):
        connection = _set_up(_connect(path, "mode=rwc" if create else "mode=rw"), pragmas)
        return SqliteSession(path, connection, key=key)


def open_memory(path: Path) -> SqliteSession:
    """Open a database in memory, which all connections of this process share by its name."""
    return SqliteSession(path, _set_up(_connect(path, "vfs=memdb"), []))


def open_reader(path: Path) -> SqliteSession:
    """Open a connection that writes nothing anywhere."""
    stamp = _settled(path)
    if stamp.log is not None and stamp.indexed:
        key = key_of(path)
        with sharing.reader(key):
            connection = _set_up(_connect(path, "mode=ro&readonly_shm=1"), [], _READER_CACHE_KIB)
            return SqliteSession(path, connection, stamp, key)
    options, pragmas = "mode=ro&vfs=unix-none", ["locking_mode=EXCLUSIVE"]
    if stamp.log is None:
        options, pragmas = "mode=ro&immutable=1", []
    return SqliteSession(path, _set_up(_connect(path, options), pragmas, _READER_CACHE_KIB), stamp)


def _settled(path: Path) -> Stamp:
    while True:
        stamp = Stamp.of(path)
        changed_ns = max(stamp.mtime_ns, stamp.log[1] if stamp.log else 0)
        # A time in the future is another machine's clock: waiting for it would not help.
        age_ns = time.time_ns() - changed_ns
        if stamp.indexed or not 0 <= age_ns < _SETTLED_NS:
            return stamp
        time.sleep((_SETTLED_NS - age_ns) / 10**9)


# All connections are of one engine: it keeps each statement that it has compiled, which takes milliseconds.
_opening = threading.local()


def _open_file() -> sqlite3.Connection:
    uri: str = _opening.uri
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


_engine = sa.create_engine(
    "sqlite://", creator=_open_file, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT"
)


def _connect(path: Path, options: str) -> Connection:
    _opening.uri = f"file:{quote(str(path.absolute()))}?{options}"
    return _engine.connect()


def _set_up(connection: Connection, pragmas: list[str], cache_kib: int = _CACHE_KIB) -> Connection:
    # The given ones first: the others open the log, and the way to lock must be known by then.
    more = [f"busy_timeout={BUSY_TIMEOUT_MS}", f"cache_size=-{cache_kib}", "temp_store=2"]
    try:
        for pragma in [*pragmas, *more]:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        define(cast("sqlite3.Connection", connection.connection.dbapi_connection))
    except BaseException:
        connection.close()
        raise
    return connection
