"""Connections to a PostgreSQL server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper, NumericLoader
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.engine import Connection

from ...errors import StoreError, VersionError
from ...model.batches import batches
from ..session import Session, Sink
from ..statement import Language, Rendered, Rows
from .address import Address
from .sphere import MOST_KNOWN, MOST_ROUNDS, Sphere, asks

_DIALECT = dialects.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
LANGUAGE = Language(_DIALECT, re.compile(r"\$(\d+)"), "$")
LOCK_TIMEOUT_MS = 60_000
OLDEST_SERVER = 140_000
_LOCK_CLASS = 0x736B7966
_ROWS_AT_ONCE = 20_000
# As many rows are copied rather than inserted.
_MANY = 20
# When as many rows, and that part of a table, are new, the planner should know.
_MANY_TO_KNOW, _GROWN = 100, 0.1
_INT64 = 2**63


def locking(schema_id: int) -> str:
    """Give the statement that takes the lock of who writes to a schema, until the end of the transaction."""
    # The lock has two signed numbers; those of schemas have no sign.
    number = schema_id - 2**32 if schema_id >= 2**31 else schema_id
    return f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, {number})"


class _NumberLoader(NumericLoader):
    """Gives integers and floats, not decimals."""

    def load(self, data: Any) -> Any:  # noqa: ANN401 - as the driver has it
        found = super().load(data)
        whole = int(found) if found.is_finite() and found == found.to_integral_value() else None
        return whole if whole is not None and -_INT64 <= whole < _INT64 else float(found)


class PostgresSession(Session):
    """One connection to a schema.

    Attributes
    ----------
    xid
        The number of the open transaction.
    """

    def __init__(self, connection: Connection, schema_id: int) -> None:
        super().__init__(connection)
        self._raw = driver(connection)
        self._cursor: psycopg.RawCursor[tuple[Any, ...]] = psycopg.RawCursor(self._raw)
        self._schema_id = schema_id
        self._sphere = Sphere(self._raw)
        self._is_outdated = False
        self.xid = 0

    @property
    def raw(self) -> Any:  # noqa: ANN401 - a DBAPI connection
        # SQLAlchemy's way to it fails when it is closed.
        return self._raw

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone."""
        return bool(self._raw.closed)

    @property
    def stale(self) -> bool:
        return self.is_lost or self._is_outdated or self._sphere.known > MOST_KNOWN

    def is_current(self, after: Exception | None = None) -> bool:
        # A table was dropped and made anew while a plan for the old one is kept.
        original = getattr(after, "orig", None) or after
        self._is_outdated |= isinstance(original, psycopg.errors.FeatureNotSupported)
        return not (self.is_lost or self._is_outdated)

    @property
    def in_transaction(self) -> bool:
        status = self._raw.info.transaction_status
        return status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def is_sound(self) -> bool:
        return self._raw.info.transaction_status == TransactionStatus.INTRANS

    def begin(self) -> None:
        try:
            self._cursor.execute(f"BEGIN; {locking(self._schema_id)}; SELECT pg_current_xact_id()::text")
        except psycopg.Error:
            if self.in_transaction:
                self._cursor.execute("ROLLBACK")
            raise
        while self._cursor.nextset():
            pass
        self.xid = self._number()

    def status(self, xid: int) -> str | None:
        """Tell what has become of a transaction; None when it is too long ago."""
        self._cursor.execute("SELECT pg_xact_status($1::text::xid8)", [str(xid)])
        ((found,),) = self._cursor.fetchall()
        return None if found is None else str(found)

    def command(self, text: str) -> None:
        self._cursor.execute(text)

    def select(self, rendered: Rendered, values: Sequence[object]) -> list[tuple[Any, ...]]:
        if not asks(rendered.text):
            return self._cursor.execute(rendered.text, values).fetchall()
        found: list[tuple[Any, ...]] = []

        def ask() -> None:
            found[:] = self._cursor.execute(rendered.text, values).fetchall()

        self._answering(ask)
        return found

    def pour(self, rendered: Rendered, values: Sequence[object], sink: Sink) -> None:
        pour = partial(self._pour, rendered, values, sink)
        if asks(rendered.text):
            self._answering(pour)
        else:
            pour()

    def _pour(self, rendered: Rendered, values: Sequence[object], sink: Sink) -> None:
        sink.clear()
        at_once = _ROWS_AT_ONCE if psycopg.capabilities.has_stream_chunked() else 1
        rows = self._cursor.stream(rendered.text, values, size=at_once)
        for some in batches(rows, _ROWS_AT_ONCE):
            sink.extend(some)

    def _answering(self, ask: Any) -> None:  # noqa: ANN401
        """Ask again and again, until all that the statement asks itself is answered."""
        self._sphere.prepare(in_transaction=self.in_transaction)
        for _ in range(MOST_ROUNDS):
            ask()
            if not self._sphere.answer():
                return
        raise StoreError("read the registry", f"no end of questions in {MOST_ROUNDS} rounds", "ask for less")

    def write_many(self, rendered: Rendered, rows: Rows) -> int:
        if rendered.into is not None and len(rows) >= _MANY:
            return self._copy(rendered.into, rendered.names, rows)
        # All of it or nothing, like a statement of SQLite: the transaction goes on after a row that clashes.
        cursor = psycopg.RawCursor(self._raw)
        try:
            with self._raw.pipeline():
                self._cursor.execute("SAVEPOINT rows")
                cursor.executemany(rendered.text, rows)
                self._cursor.execute("RELEASE rows")
        except psycopg.Error:
            self._take_back()
            raise
        return cursor.rowcount

    def _take_back(self) -> None:
        if self.in_transaction:
            self._cursor.execute("ROLLBACK TO rows; RELEASE rows")

    def _copy(self, table: str, columns: Sequence[str], rows: Rows) -> int:
        """Insert rows as a stream, which takes a fifth of the time."""
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        try:
            self._cursor.execute("SAVEPOINT rows")
            with self._cursor.copy(into) as copy:
                for row in rows:
                    copy.write_row(row)
            self._cursor.execute("RELEASE rows")
            self._learn(table, len(rows))
        except psycopg.Error:
            self._take_back()
            raise
        return len(rows)

    def _learn(self, table: str, more: int) -> None:
        """Have the planner know a table that has grown much; the server would do it, minutes later."""
        if more < _MANY_TO_KNOW:
            return
        name = sql.Identifier(table)
        self._cursor.execute(
            sql.SQL("SELECT reltuples FROM pg_class WHERE oid = {}::regclass").format(
                sql.Literal(name.as_string(self._raw))
            )
        )
        if more >= _GROWN * max(0, self._number()):
            self._cursor.execute(sql.SQL("ANALYZE {}").format(name))

    def version(self, rendered: Rendered) -> int:
        self._cursor.execute(rendered.text, rendered.values({}))
        return self._number()

    def _number(self) -> int:
        ((number,),) = self._cursor.fetchall()
        return int(number)

    def close(self) -> None:
        if self.is_lost:  # SQLAlchemy would end a transaction first
            self.connection.invalidate()
        super().close()


# All connections are of one engine: it keeps each statement that it has compiled, which takes milliseconds.
_opening = threading.local()


def _connect() -> psycopg.Connection[Any]:
    raw: psycopg.Connection[Any] = psycopg.connect(autocommit=True, **_opening.options)
    adapters = raw.adapters
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_loader("numeric", _NumberLoader)
    raw.prepared_max = 500
    return raw


_engine = sa.create_engine(
    "postgresql+psycopg://", creator=_connect, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT"
)


def connect(address: Address) -> Connection:
    """Connect to the server, whatever is there.

    Raises
    ------
    VersionError
        When the server is too old.
    StoreError
        When the database does not hold all texts.
    """
    _opening.options = address.options
    connection = _engine.connect()
    try:
        _check(address, driver(connection))
    except BaseException:
        connection.close()
        raise
    return connection


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Give the driver's connection behind one of SQLAlchemy's."""
    return cast("psycopg.Connection[Any]", connection.connection.dbapi_connection)


def _check(address: Address, raw: psycopg.Connection[Any]) -> None:
    asked = f"open the registry {address.name!r}"
    if raw.info.server_version < OLDEST_SERVER:
        found = f"the server is PostgreSQL {raw.info.server_version // 10_000}"
        raise VersionError(asked, found, f"{OLDEST_SERVER // 10_000} or newer is wanted")
    encoding = raw.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(asked, f"the database's encoding is {encoding}", "make one with ENCODING 'UTF8'")


def set_up(raw: psycopg.Connection[Any], settings: Mapping[str, str]) -> None:
    """Set what holds for one session."""
    calls = ", ".join("set_config(%s, %s, false)" for _ in settings)
    values: Iterable[str] = (text for pair in settings.items() for text in pair)
    raw.execute(f"SELECT {calls}", list(values))
