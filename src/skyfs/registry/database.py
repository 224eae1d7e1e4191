"""The SQL database: whole transactions, fresh and harmless reads, one tree of errors."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar

import sqlalchemy as sa

from ..errors import InDoubt, ReadOnly, SkyfsError, StoreError
from ..model.batches import batches
from . import forking
from .session import Session, Sink
from .statement import AnyRow, Language, Selection, Statement

# Rows of a batch are handed to the driver in pieces of this many, so that memory stays flat.
_CHUNK_ROWS = 20_000

Params = Mapping[str, object]
Committed = Callable[[Mapping[str, object]], None]
_T = TypeVar("_T")
# So many values are bound in one statement.
_VALUES_PER_READ = 500
_NO_PARAMS: Params = {}
# Connections of parent processes. Closing them in a child would drop the parent's locks, or end its session.
_inherited: list[object] = []


@dataclass(frozen=True, slots=True)
class State:
    """Which state a registry is in.

    Attributes
    ----------
    token
        Two states with the same one are the same, when they are settled.
    changed_ns
        When it came about, in nanoseconds since 1970.
    settled
        False when what is committed next may leave the token as it is.
    """

    token: object
    changed_ns: int
    settled: bool = True


class Watcher(Protocol):
    """What is told of each transaction, with its scratch."""

    def committing(self, scratch: dict[str, object]) -> None:
        """Be told right before the commit; an error ends the transaction."""

    def failed(self, scratch: Mapping[str, object]) -> None:
        """Be told that it was not committed."""

    def ended(self) -> None:
        """Be told that it is over."""

    def close(self) -> None:
        """Be told that the database is closed."""


class Clash(Exception):
    """A row breaks a constraint; the caller knows what it means."""


class Database(ABC):
    """A database with one registry.

    Reading methods give all their rows at once, so that no idle cursor holds what others need. Safe from
    several threads, and after a fork (outside of a transaction).

    Attributes
    ----------
    name
        By which messages name it: no credentials are in it.
    writable
        When False nothing is ever written.
    """

    language: ClassVar[Language]
    foreign: ClassVar[tuple[type[Exception], ...]]
    """Errors of the driver, of SQLAlchemy and of binding values."""
    begin_reading: ClassVar[str]
    """Begins a transaction that reads one state."""
    max_attempts: ClassVar[int]
    """So many times a read begins again when its session was found stale."""

    def __init__(self, name: str, *, writable: bool) -> None:
        self.name = name
        self.writable = writable
        self._listeners: list[Committed] = []
        self._watchers: list[Watcher] = []
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[Session] = deque()
        self._local = threading.local()
        self._writing = threading.Lock()

    # -- what each kind of database knows --------------------------------------------------------------

    @abstractmethod
    def _open(self) -> Session:
        """Connect."""

    @abstractmethod
    def _translated(self, asked: str, error: Exception) -> Exception:
        """Give our error, or `Clash`, for a foreign one."""

    @abstractmethod
    def is_none(self, error: StoreError) -> bool:
        """Tell whether an error of the first read says that there is no registry, or a damaged one."""

    @abstractmethod
    def state(self) -> State:
        """Tell which state is committed."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Give the size of the registry."""

    @abstractmethod
    def damages(self) -> list[str]:
        """Give what the database finds wrong with its own files and indexes; at most a hundred faults."""

    @abstractmethod
    def about_rows(self, table: sa.Table) -> float:
        """Tell about how many rows a table has, without counting them."""

    # -- reading ---------------------------------------------------------------------------------------

    def read(self, statement: sa.Executable, params: Params = _NO_PARAMS) -> Sequence[AnyRow]:
        """Run a SELECT and give all its rows."""
        return self._read(lambda session: session.connection.execute(statement, params).all())

    def read_among(
        self,
        statement: sa.Executable,
        values: Iterable[object],
        params: Params = _NO_PARAMS,
        at_once: int = _VALUES_PER_READ,
    ) -> Iterator[AnyRow]:
        """Run a SELECT with a condition of `statement.among` for all of these values, some at a time."""
        for some in batches(values, at_once):
            yield from self.read(statement, {**params, "among": some})

    def select(self, selection: Selection, params: Params = _NO_PARAMS) -> list[tuple[Any, ...]]:
        """Run a compiled SELECT and give all its rows."""
        rendered = selection.rendered(self.language)
        values = rendered.values(params)
        return self._read(lambda session: session.select(rendered, values))

    def stream(self, selection: Selection, params: Params, sink: Sink) -> None:
        """Run a compiled SELECT and hand its rows on, some at a time, without holding them.

        ``sink`` is cleared whenever all begins again.
        """
        rendered = selection.rendered(self.language)
        values = rendered.values(params)

        def pour(session: Session) -> None:
            sink.clear()
            session.pour(rendered, values, sink)

        self._read(pour)

    def version(self, selection: Selection) -> int:
        """Give the number that ``selection`` gives; it may be run only when something was committed since."""
        rendered = selection.rendered(self.language)
        return self._read(lambda session: session.version(rendered))

    @property
    def scratch(self) -> dict[str, object] | None:
        """A place for what is true only inside of this thread's transaction; None outside of one.

        A nested transaction that fails restores it; so its values must be replaced, never changed.
        """
        held = self._held()
        return None if held is None else held.scratch

    @contextmanager
    def snapshot(self, cut: Callable[[], None] | None = None) -> Iterator[None]:
        """Have this thread read one state in the body, whatever others commit; it cannot write there.

        ``cut`` is called at that state, while nobody writes.
        """
        with self._session() as session:
            if cut is None:
                self._pin(session)
            else:
                with self.transaction():
                    cut()
                    self._pin(session)
            self._local.session, self._local.is_reading = session, True
            try:
                yield
            finally:
                self._local.session, self._local.is_reading = None, False
                session.scratch = {}
                _roll_back(session)

    def _pin(self, session: Session) -> None:
        self._run(session, self.begin_reading)
        try:
            # The state is that of the first read.
            session.connection.execute(sa.text("SELECT count(*) FROM meta")).all()
        except self.foreign as error:
            self._fail("read", error)

    @abstractmethod
    def copy_to(self, path: Path) -> bool:
        """Copy the state that a snapshot reads into a new file, where a registry is one; else tell False."""

    def _read(self, ask: Callable[[Session], _T]) -> _T:
        held = self._held()
        if held is not None:
            return self._read_inside(held, ask)
        for _ in range(self.max_attempts):
            with forking.passed:
                session = self._lent()
                try:
                    answer = ask(session)
                    if session.is_current():
                        return answer
                except self.foreign as error:
                    if session.is_current(error):
                        self._fail("read", error)
                finally:
                    self._take_back(session)
        raise StoreError(f"read the registry {self.name!r}", "it changes all the time", "try again")

    def _read_inside(self, session: Session, ask: Callable[[Session], _T]) -> _T:
        """Read what the open transaction sees."""
        try:
            return ask(session)
        except self.foreign as error:
            session.is_current(error)
            self._fail("read", error)

    # -- writing ---------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body as one transaction: all of it or nothing.

        A nested one is all or nothing by itself, and is committed with the outermost.

        Raises
        ------
        ReadOnly
            When the registry was opened for reading, or cannot be written.
        StoreError
            When another process writes all the time, or the disk is full; nothing is changed then.
        """
        if not self.writable:
            raise ReadOnly(f"registry {self.name!r}", "opened for reading", "open it with writable=True")
        held = self._held()
        if held is not None:
            self._refuse_reading()
            with self._savepoint(held):
                yield
            return
        with self._writing, self._begun() as session:
            try:
                self._local.session = session
                yield
                self._check_open(session)
                for watcher in self._watchers:
                    watcher.committing(session.scratch)
                self._commit(session)
            except BaseException as error:
                open_still = session.in_transaction
                _roll_back(session)
                # What interrupts the process may come when the commit is over.
                if open_still or (isinstance(error, SkyfsError) and not isinstance(error, InDoubt)):
                    self._tell_failed(session.scratch)
                raise
            finally:
                self._local.session = None
                scratch, session.scratch = session.scratch, {}
                for watcher in self._watchers:
                    watcher.ended()
        for listener in self._listeners:
            listener(scratch)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Run the body as a part of this thread's transaction, or, outside of one, as one of its own.

        Less than a nested one, and cheaper: who is within a transaction must let all of it fail when the
        body fails.
        """
        held = self._held()
        if held is None:
            with self.transaction():
                yield
        else:
            self._check_open(held)
            yield

    @contextmanager
    def _begun(self) -> Iterator[Session]:
        """Lend a connection with an open transaction."""
        for _ in range(self.max_attempts):
            with self._session() as session:
                try:
                    session.begin()
                except self.foreign as error:
                    if session.is_current(error):
                        self._fail("begin to write to", error)
                    continue
                yield session
                return
        raise StoreError(
            f"write to the registry {self.name!r}", "the connection is lost each time", "try again"
        )

    def await_dead(self) -> None:  # noqa: B027 - what a process has locked in a file is free when it is dead
        """Wait until what processes that are dead by now had asked of the database is done."""

    def _tell_failed(self, scratch: Mapping[str, object]) -> None:
        for watcher in self._watchers:
            watcher.failed(scratch)

    def _commit(self, session: Session) -> None:
        self._run(session, "COMMIT")

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
            if session.in_transaction:
                session.command("ROLLBACK TO nested")
                session.command("RELEASE nested")
            raise
        self._run(session, "RELEASE nested")

    def when_committed(self, listener: Committed) -> None:
        """Have ``listener`` called with the scratch of each transaction, once it is committed."""
        self._listeners.append(listener)

    def watch(self, watcher: Watcher) -> None:
        """Have ``watcher`` told of each transaction."""
        self._watchers.append(watcher)

    def forget_version(self) -> None:
        """Have `version` read anew, inside of a transaction that has changed it."""
        self._writer().seen = None

    def write(self, statement: sa.Executable, params: Params = _NO_PARAMS) -> int:
        """Run an INSERT, UPDATE or DELETE inside of a transaction; give the number of rows it touched."""
        connection = self._writer().connection
        try:
            return connection.execute(statement, params).rowcount
        except self.foreign as error:
            self._fail("write to", error)

    def write_many(self, statement: Statement, rows: Sequence[tuple[object, ...]]) -> int:
        """Run a statement for each row, inside of a transaction; give the number of rows touched.

        A row that breaks a constraint raises `Clash`; some of the rows may be there then.
        """
        rendered, touched = statement.rendered(self.language), 0
        for start in range(0, len(rows), _CHUNK_ROWS):
            session = self._writer()
            try:
                touched += session.write_many(rendered, rows[start : start + _CHUNK_ROWS])
            except self.foreign as error:
                self._fail("write to", error)
        return touched

    def run_all(self, statements: Sequence[str]) -> None:
        """Run statements without parameters, inside of a transaction."""
        for statement in statements:
            try:
                self._writer().command(statement)
            except self.foreign as error:
                self._fail("write to", error)

    def define(self, tables: Sequence[sa.Table]) -> None:
        """Create tables, with their indexes, inside of a transaction; those that exist are left."""
        for table in tables:
            connection = self._writer().connection
            try:
                table.create(connection, checkfirst=True)
            except self.foreign as error:
                self._fail("write to", error)

    def undefine(self, table: sa.Table) -> None:
        """Drop a table, inside of a transaction."""
        connection = self._writer().connection
        try:
            table.drop(connection)
        except self.foreign as error:
            self._fail("write to", error)

    def close(self) -> None:
        """Close the connections."""
        if self._pid == os.getpid():
            for watcher in self._watchers:
                watcher.close()
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
        with forking.passed:
            session = self._lent()
            try:
                yield session
            finally:
                self._take_back(session)

    def _lent(self) -> Session:
        try:
            return self._take()
        except self.foreign as error:
            self._fail("open", error)

    def _take_back(self, session: Session) -> None:
        if session.pid != os.getpid():
            return
        if session.stale:
            session.close()
        else:
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

    def _held(self) -> Session | None:
        """Give the connection of this thread's transaction."""
        if self._pid != os.getpid():
            _inherited.append((self._idle, self._local))
            self._reset()
        held: Session | None = getattr(self._local, "session", None)
        return held

    def _refuse_reading(self) -> None:
        if getattr(self._local, "is_reading", False):
            raise ReadOnly(f"registry {self.name!r}", "one state of it is being read", "write afterwards")

    def _writer(self) -> Session:
        held = self._held()
        if held is None:
            raise StoreError(f"write to the registry {self.name!r}", "outside of a transaction")
        self._refuse_reading()
        self._check_open(held)
        return held

    def _check_open(self, session: Session) -> None:
        # What follows an error that ended the transaction would be committed alone.
        if session.pid != os.getpid() or not session.is_sound:
            found = "the transaction is over: an error in it was passed by, or the process has forked"
            raise StoreError(f"write to the registry {self.name!r}", found, "begin it again")

    def _run(self, session: Session, command: str) -> None:
        try:
            session.command(command)
        except self.foreign as error:
            self._fail(command, error)

    def _fail(self, what: str, error: Exception) -> NoReturn:
        """Raise our error for a foreign one."""
        original = getattr(error, "orig", None) or error
        found = self._translated(f"{what} the registry {self.name!r}", original)
        raise found from (original if isinstance(found, StoreError) else None)


def _roll_back(session: Session) -> None:
    session.seen = None
    if session.pid == os.getpid() and session.in_transaction:
        session.command("ROLLBACK")
