"""The SQL database: one connection per thread, whole transactions, fresh and harmless reads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection, Row

from ..errors import NotFound, ReadOnly, StoreError

BUSY_TIMEOUT_MS = 60_000
# Rows of a batch are handed to the driver in pieces of this many, so that memory stays flat.
_CHUNK_ROWS = 20_000

Params = Mapping[str, object]
_Stamp = tuple[int, int, int, bool]
_NO_PARAMS: Params = {}


@dataclass(slots=True, eq=False)
class _Session:
    """One connection; one thread at a time has it."""

    connection: Connection
    # How the file looked when it was opened as immutable; None for an ordinary connection.
    stamp: _Stamp | None = None
    # The state of the database that `version` was read in, and what it said.
    seen: tuple[int, int] | None = None
    scratch: dict[str, object] = field(default_factory=dict)

    def close(self) -> None:
        self.connection.close()
        self.connection.engine.dispose()


class Database:
    """A SQLite database.

    Reading methods give all their rows at once, so that no idle cursor pins the write-ahead log. Safe from
    several threads, and after a fork.

    Parameters
    ----------
    path
        The database file.
    writable
        When False nothing is ever written, no ``-wal`` and no ``-shm`` file either.
    durability
        ``power``: a commit survives loss of power; ``process``: it survives the death of the process.
    """

    def __init__(self, path: Path, *, writable: bool, durability: str = "power", create: bool = False) -> None:
        if not create and not path.is_file():
            raise NotFound(f"no registry {str(path)!r}", todo="create a repository with: skyfs init DIR")
        self.path = path
        self.writable = writable
        self._durability = durability
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[_Session] = deque()
        self._local = threading.local()
        self._writing = threading.Lock()

    # -- reading ---------------------------------------------------------------------------------------

    def read(self, statement: sa.Executable, params: Params = _NO_PARAMS) -> Sequence[Row[Any]]:
        """Run a SELECT and give all its rows."""
        with self._session() as session:
            if session.stamp is None:
                return session.connection.execute(statement, params).all()
        return self._read_unlocked(statement, params)

    def version(self, statement: sa.Executable) -> int:
        """Give the number that ``statement`` selects; it is run only when something was committed since."""
        with self._session() as session:
            state = self._state(session)
            if session.seen is None or session.seen[0] != state:
                if session.stamp is not None:
                    return int(self._read_unlocked(statement, _NO_PARAMS)[0][0])
                session.seen = (state, int(session.connection.execute(statement).scalar_one()))
            return session.seen[1]

    @property
    def scratch(self) -> dict[str, object] | None:
        """A place for what is true only inside of this thread's transaction; None outside of one."""
        held: _Session | None = getattr(self._local, "session", None)
        return None if held is None or self._pid != os.getpid() else held.scratch

    def size_bytes(self) -> int:
        """Give the size of the database, write-ahead log left out."""
        with self._session() as session:
            raw = _raw(session.connection)
            pages, size = (raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
            return int(pages * size)

    # -- writing ---------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body as one transaction: all of it or nothing.

        A nested one is all or nothing by itself, and is committed with the outermost.
        """
        if not self.writable:
            raise ReadOnly(f"registry {str(self.path)!r}", "opened for reading", "open it with writable=True")
        if self.scratch is not None:
            with self._savepoint(self._local.session):
                yield
            return
        with self._session() as session, self._writing:
            _driver(session.connection, "BEGIN IMMEDIATE", self.path)
            self._local.session = session
            try:
                yield
                _driver(session.connection, "COMMIT", self.path)
            except BaseException:
                _raw(session.connection).rollback()
                raise
            finally:
                self._local.session = None
                session.seen = None
                session.scratch = {}

    @contextmanager
    def _savepoint(self, session: _Session) -> Iterator[None]:
        raw = _raw(session.connection)
        raw.execute("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            raw.execute("ROLLBACK TO nested")
            session.scratch.clear()
            raise
        finally:
            raw.execute("RELEASE nested")

    def write(self, statement: sa.Executable, params: Params = _NO_PARAMS) -> int:
        """Run an INSERT, UPDATE or DELETE inside of a transaction; give the number of rows it touched."""
        return self._writer().execute(statement, params).rowcount

    def write_many(self, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
        """Insert many rows inside of a transaction; ``columns`` stand in the order of the table's."""
        statement = str(table.insert().compile(dialect=_DIALECT, column_keys=list(columns)))
        for start in range(0, len(rows), _CHUNK_ROWS):
            self._writer().exec_driver_sql(statement, list(rows[start : start + _CHUNK_ROWS]))

    def define(self, tables: Sequence[sa.Table]) -> None:
        """Create tables, with their indexes, inside of a transaction; those that exist are left."""
        for table in tables:
            table.create(self._writer(), checkfirst=True)

    def close(self) -> None:
        """Close the connections."""
        if self._pid == os.getpid():
            while self._idle:
                self._idle.pop().close()

    # -- connections -----------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """Lend a connection: the transaction's, inside of one."""
        if self._pid != os.getpid():
            # The parent's connections are kept, unused: closing them here would drop its locks.
            self._inherited = (self._idle, self._local)
            self._reset()
        held: _Session | None = getattr(self._local, "session", None)
        if held is not None:
            yield held
            return
        try:
            session = self._idle.pop()
        except IndexError:
            session = self._connect()
        try:
            yield session
        finally:
            self._idle.append(session)

    def _writer(self) -> Connection:
        session: _Session = self._local.session
        return session.connection

    def _connect(self) -> _Session:
        stamp = None if self.writable else self._stamp()
        immutable = stamp is not None and not stamp[3]
        options = "mode=rwc" if self.writable else "mode=ro&immutable=1" if immutable else "mode=ro"
        engine = sa.create_engine(
            f"sqlite:///file:{quote(str(self.path.absolute()))}?{options}&uri=true",
            isolation_level="AUTOCOMMIT",
            poolclass=sa.pool.StaticPool,
            connect_args={"check_same_thread": False},
        )
        try:
            connection = engine.connect()
            self._set_up(connection)
        except sa.exc.DatabaseError as error:
            engine.dispose()
            raise StoreError(f"cannot open registry {str(self.path)!r}", str(error.orig)) from None
        return _Session(connection, stamp if immutable else None)

    def _set_up(self, connection: Connection) -> None:
        pragmas = [f"busy_timeout={BUSY_TIMEOUT_MS}", "cache_size=-65536", "mmap_size=1073741824", "temp_store=2"]
        if self.writable:
            pragmas += ["journal_mode=WAL", f"synchronous={'FULL' if self._durability == 'power' else 'NORMAL'}"]
        for pragma in pragmas:
            connection.exec_driver_sql(f"PRAGMA {pragma}")

    def _state(self, session: _Session) -> int:
        if session.stamp is not None:
            return hash(self._stamp())
        return int(_raw(session.connection).execute("PRAGMA data_version").fetchone()[0])

    # A reader that may write nothing opens the file as immutable, which takes no locks. It is safe as long as
    # the file does not change, so each read is checked by the file's stamp before and after, and done again
    # when a writer came between. While a writer has its log open, the ordinary way is taken.

    def _stamp(self) -> _Stamp:
        found = os.stat(self.path)
        wal = Path(f"{self.path}-wal")
        return (found.st_ino, found.st_size, found.st_mtime_ns, wal.exists() and wal.stat().st_size > 0)

    def _read_unlocked(self, statement: sa.Executable, params: Params) -> Sequence[Row[Any]]:
        while True:
            self._drop_outdated()
            with self._session() as session:
                try:
                    rows = session.connection.execute(statement, params).all()
                except sa.exc.DatabaseError:
                    if session.stamp is None or session.stamp == self._stamp():
                        raise
                    continue
                if session.stamp is None or session.stamp == self._stamp():
                    return rows

    def _drop_outdated(self) -> None:
        now = self._stamp()
        for session in list(self._idle):
            if session.stamp not in (None, now):
                with suppress(ValueError):
                    self._idle.remove(session)
                    session.close()


_DIALECT = sqlite.dialect(paramstyle="qmark")  # type: ignore[no-untyped-call]


def _raw(connection: Connection) -> Any:  # noqa: ANN401 - a DBAPI connection
    return connection.connection.dbapi_connection


def _driver(connection: Connection, command: str, path: Path) -> None:
    try:
        connection.exec_driver_sql(command)
    except sa.exc.OperationalError as error:
        raise StoreError(f"registry {str(path)!r}: {command}", str(error.orig), "free the disk, or try again") from None
