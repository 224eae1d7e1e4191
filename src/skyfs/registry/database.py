"""The SQL database: whole transactions, fresh and harmless reads, one tree of errors."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import sqlalchemy as sa

from ..errors import BadArgument, NotFound, ReadOnly, SkyfsError, StoreError
from .connection import Session, open_memory, open_reader, open_writer
from .functions import raised
from .statement import AnyRow, Selection, Statement

# Rows of a batch are handed to the driver in pieces of this many, so that memory stays flat.
_CHUNK_ROWS = 20_000
# A reader without locks starts again when a writer came between; so many times in a row is no coincidence.
_MAX_ATTEMPTS = 100

Params = Mapping[str, object]
Committed = Callable[[Mapping[str, object]], None]
_T = TypeVar("_T")
_NO_PARAMS: Params = {}
# Connections of parent processes. Closing them in a child would drop the parent's locks.
_inherited: list[object] = []


class Sink(Protocol):
    """What takes rows."""

    def clear(self) -> None:
        """Forget all rows."""

    def extend(self, rows: Sequence[tuple[Any, ...]], /) -> None:
        """Take some more."""


class Database:
    """A SQLite database.

    Reading methods give all their rows at once, so that no idle cursor pins the write-ahead log. Safe from
    several threads, and after a fork (outside of a transaction).

    Parameters
    ----------
    path
        The database file.
    writable
        When False nothing is ever written, no ``-wal`` and no ``-shm`` file either.
    durability
        ``power``: a commit survives loss of power; ``process``: it survives the death of the process.
    in_memory
        Whether it lives in the memory of this process, while it is open; ``path`` is only its name then.
    """

    def __init__(
        self,
        path: Path,
        *,
        writable: bool,
        durability: str = "power",
        create: bool = False,
        in_memory: bool = False,
    ) -> None:
        if not create and not path.is_file():
            raise NotFound(f"no registry {str(path)!r}", todo="create a repository with: skyfs init DIR")
        self.path = path
        self.writable = writable
        self._durability = durability
        self._create = create
        self._in_memory = in_memory
        self._listeners: list[Committed] = []
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[Session] = deque()
        self._local = threading.local()
        self._writing = threading.Lock()

    # -- reading ---------------------------------------------------------------------------------------

    def read(self, statement: sa.Executable, params: Params = _NO_PARAMS) -> Sequence[AnyRow]:
        """Run a SELECT and give all its rows."""
        return self._read(lambda session: session.connection.execute(statement, params).all())

    def select(self, selection: Selection, params: Params = _NO_PARAMS) -> list[tuple[Any, ...]]:
        """Run a compiled SELECT and give all its rows."""
        values = selection.values(params)
        return self._read(lambda session: session.raw.execute(selection.text, values).fetchall())

    def stream(self, selection: Selection, params: Params, sink: Sink) -> None:
        """Run a compiled SELECT and hand its rows on, some at a time, without holding them.

        When a writer of a database that is read without locks came between, ``sink`` is cleared and all
        begins again.
        """
        values = selection.values(params)

        def pour(session: Session) -> None:
            sink.clear()
            cursor = session.raw.execute(selection.text, values)
            try:
                while rows := cursor.fetchmany(_CHUNK_ROWS):
                    sink.extend(rows)
            finally:
                cursor.close()

        self._read(pour)

    def version(self, statement: sa.Executable) -> int:
        """Give the number that ``statement`` selects; it is run only when something was committed since."""

        def seen(session: Session) -> int:
            state = session.state()
            if session.seen is None or session.seen[0] != state:
                session.seen = (state, int(session.connection.execute(statement).scalar_one()))
            return session.seen[1]

        return self._read(seen)

    @property
    def scratch(self) -> dict[str, object] | None:
        """A place for what is true only inside of this thread's transaction; None outside of one.

        A nested transaction that fails restores it; so its values must be replaced, never changed.
        """
        held = self._held()
        return None if held is None else held.scratch

    def size_bytes(self) -> int:
        """Give the size of the database, write-ahead log left out."""

        def size(session: Session) -> int:
            pages, each = (
                session.raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
            )
            return int(pages * each)

        return self._read(size)

    def _read(self, ask: Callable[[Session], _T]) -> _T:
        for _ in range(_MAX_ATTEMPTS):
            with self._session() as session:
                try:
                    answer = ask(session)
                except _FOREIGN as error:
                    if session.is_current():
                        self._fail("read", error)
                    continue
                if session.is_current():
                    return answer
        raise StoreError(f"read the registry {str(self.path)!r}", "it changes all the time", "try again")

    # -- writing ---------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body as one transaction: all of it or nothing.

        A nested one is all or nothing by itself, and is committed with the outermost.

        Raises
        ------
        ReadOnly
            When the registry was opened for reading, or its file cannot be written.
        StoreError
            When another process writes all the time, or the disk is full; nothing is changed then.
        """
        if not self.writable:
            raise ReadOnly(f"registry {str(self.path)!r}", "opened for reading", "open it with writable=True")
        held = self._held()
        if held is not None:
            with self._savepoint(held):
                yield
            return
        with self._session() as session, self._writing:
            try:
                self._run(session, "BEGIN IMMEDIATE")
                self._local.session = session
                yield
                self._check_open(session)
                self._run(session, "COMMIT")
            except BaseException:
                _roll_back(session)
                raise
            finally:
                self._local.session = None
                scratch, session.scratch = session.scratch, {}
        for listener in self._listeners:
            listener(scratch)

    @contextmanager
    def _savepoint(self, session: Session) -> Iterator[None]:
        # Outside of a transaction a savepoint would be one of its own.
        self._check_open(session)
        before = dict(session.scratch)
        self._run(session, "SAVEPOINT nested")
        try:
            yield
            self._check_open(session)
        except BaseException:
            session.scratch, session.seen = before, None
            # Some errors (a full disk) end the whole transaction.
            if session.raw.in_transaction:
                session.raw.execute("ROLLBACK TO nested")
                session.raw.execute("RELEASE nested")
            raise
        self._run(session, "RELEASE nested")

    def when_committed(self, listener: Committed) -> None:
        """Have ``listener`` called with the scratch of each transaction, once it is committed."""
        self._listeners.append(listener)

    def forget_version(self) -> None:
        """Have `version` read anew, inside of a transaction that has changed it."""
        self._writer().seen = None

    def write(self, statement: sa.Executable, params: Params = _NO_PARAMS) -> int:
        """Run an INSERT, UPDATE or DELETE inside of a transaction; give the number of rows it touched."""
        connection = self._writer().connection
        try:
            return connection.execute(statement, params).rowcount
        except _FOREIGN as error:
            self._fail("write to", error)

    def write_many(self, statement: Statement, rows: Sequence[tuple[object, ...]]) -> int:
        """Run a statement for each row, inside of a transaction; give the number of rows touched.

        A row that breaks a constraint raises the driver's IntegrityError; the caller knows what it means.
        """
        touched = 0
        for start in range(0, len(rows), _CHUNK_ROWS):
            some = rows[start : start + _CHUNK_ROWS]
            raw = self._writer().raw
            try:
                touched += raw.executemany(statement.text, some).rowcount
            except _FOREIGN as error:
                self._fail("write to", error)
        return touched

    def define(self, tables: Sequence[sa.Table]) -> None:
        """Create tables, with their indexes, inside of a transaction; those that exist are left."""
        for table in tables:
            connection = self._writer().connection
            try:
                table.create(connection, checkfirst=True)
            except _FOREIGN as error:
                self._fail("write to", error)

    def undefine(self, table: sa.Table) -> None:
        """Drop a table, inside of a transaction."""
        connection = self._writer().connection
        try:
            table.drop(connection)
        except _FOREIGN as error:
            self._fail("write to", error)

    def close(self) -> None:
        """Close the connections."""
        if self._pid == os.getpid():
            while self._idle:
                self._idle.pop().close()

    # -- connections -----------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Lend a connection: the transaction's, inside of one."""
        held = self._held()
        if held is not None:
            yield held
            return
        try:
            session = self._take()
        except _FOREIGN as error:
            self._fail("open", error)
        except FileNotFoundError:
            raise NotFound(f"no registry {str(self.path)!r}", "it is gone") from None
        try:
            yield session
        finally:
            if session.pid == os.getpid():
                self._idle.append(session)

    def _take(self) -> Session:
        try:
            while self._idle:
                session = self._idle.pop()
                # Whether it is current is asked after each read, which begins again with another one.
                if not session.stale:
                    return session
                session.close()
        except IndexError:  # another thread was faster
            pass
        return self._open()

    def _open(self) -> Session:
        if self._in_memory:
            return open_memory(self.path)
        if self.writable:
            return open_writer(self.path, durability=self._durability, create=self._create)
        return open_reader(self.path)

    def _held(self) -> Session | None:
        """Give the connection of this thread's transaction."""
        if self._pid != os.getpid():
            _inherited.append((self._idle, self._local))
            self._reset()
        held: Session | None = getattr(self._local, "session", None)
        return held

    def _writer(self) -> Session:
        held = self._held()
        if held is None:
            raise StoreError(f"write to the registry {str(self.path)!r}", "outside of a transaction")
        self._check_open(held)
        return held

    def _check_open(self, session: Session) -> None:
        # After some errors SQLite gives the transaction up by itself; what follows would be committed alone.
        if session.pid != os.getpid() or not session.raw.in_transaction:
            found = "the transaction is over: an error in it was passed by, or the process has forked"
            raise StoreError(f"write to the registry {str(self.path)!r}", found, "begin it again")

    def _run(self, session: Session, command: str) -> None:
        try:
            session.raw.execute(command)
        except _FOREIGN as error:
            self._fail(command, error)

    def _fail(self, what: str, error: Exception) -> NoReturn:
        """Raise our error for one of SQLite, SQLAlchemy or of binding values."""
        own = raised()
        if own is not None:
            raise own from None
        original = getattr(error, "orig", None) or error
        if isinstance(original, sqlite3.IntegrityError):
            raise original from None
        raise _translated(f"{what} the registry {str(self.path)!r}", original) from original


# Values that cannot be bound (numbers over 64 bits, text that is no UTF-8) come as errors of Python.
_FOREIGN = (sa.exc.DBAPIError, sqlite3.Error, OverflowError, UnicodeEncodeError)
_BUSY, _READONLY, _FULL = 5, 8, 13


def _translated(asked: str, error: Exception) -> SkyfsError:
    # SQLite's extended codes carry the primary one in their lowest byte.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, OverflowError | UnicodeEncodeError) or code == 0:
        return BadArgument(
            asked, f"a value cannot be stored: {error}", "text is UTF-8, numbers are of 64 bits"
        )
    if code == _READONLY:
        return ReadOnly(asked, str(error), "check the permissions of its file and folder")
    if code == _BUSY:
        return StoreError(asked, str(error), "another process is writing; try again")
    if code == _FULL:
        return StoreError(asked, str(error), "free the disk")
    return StoreError(asked, str(error), "try again, and check disk and file")


def _roll_back(session: Session) -> None:
    session.seen = None
    if session.pid == os.getpid() and session.raw.in_transaction:
        session.raw.rollback()
