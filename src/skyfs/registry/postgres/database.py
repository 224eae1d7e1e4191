"""A registry in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psycopg
import sqlalchemy as sa
from psycopg import errors

from ...errors import BadArgument, BadDefinition, InDoubt, InvalidQuery, ReadOnly, StoreError
from ..database import Clash, Database, State
from ..session import Session
from .address import Address
from .functions import CHANGED
from .session import LANGUAGE, LOCK_TIMEOUT_MS, PostgresSession, connect, set_up

_SIZE = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = :id"
_INDEXES = """
SELECT indexrelid, relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_am ON pg_am.oid = relam WHERE amname = 'btree' AND indisvalid AND relnamespace = :id
"""
_INVALID = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = :id
"""
_FAILED_PAGES = (
    "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"
)
# Rows that were never counted are taken for 100 bytes each.
_ABOUT = """
SELECT pg_relation_size(oid) *
    CASE WHEN reltuples > 0 AND relpages > 0 THEN reltuples / relpages / 8192 ELSE 0.01 END
FROM pg_class WHERE relname = :name AND relnamespace = :id
"""


# Statements go from row to row along keys, table by table in the order that they have. The planner takes the
# rows of a new collection for few, whatever it knows of the table: what it would do with all of them costs
# what the collection holds.
_OTHER_WAYS = ("seqscan", "hashjoin", "mergejoin", "material")
_ALONG_THE_KEYS = {
    **{f"enable_{way}": "off" for way in _OTHER_WAYS},
    "join_collapse_limit": "1",
    "max_parallel_workers_per_gather": "0",
    # The cost of asking the client is no reason to compile a statement.
    "jit": "off",
}
_LONGEST_NAME = 63
_SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")


class PostgresDatabase(Database):
    """A schema of a PostgreSQL database.

    One writer at a time has the schema's lock, so that a transaction knows all that is there; readers see
    what is committed, and wait for nobody.
    """

    language = LANGUAGE
    foreign = (sa.exc.DBAPIError, psycopg.Error, OverflowError, UnicodeEncodeError)
    max_attempts: ClassVar[int] = 3

    def __init__(self, address: Address, schema_id: int, *, writable: bool, durability: str) -> None:
        super().__init__(address.name, writable=writable)
        self._address = address
        self._schema_id = schema_id
        self._durability = durability

    def state(self) -> State:
        ((number, changed_ns),) = self.read(sa.text("SELECT number, changed_ns FROM skyfs_changes"))
        return State(number, changed_ns)

    def size_bytes(self) -> int:
        return int(self.read(sa.text(_SIZE), {"id": self._schema_id})[0][0] or 0)

    def damages(self) -> list[str]:
        where = {"id": self._schema_id}
        found = [f"index {row[0]} is not valid: REINDEX" for row in self.read(sa.text(_INVALID), where)]
        ((failed,),) = self.read(sa.text(_FAILED_PAGES))
        found += [f"{failed} pages of the database were read with a wrong checksum"] if failed else []
        # Indexes are compared with their tables where the server has been given what does so.
        if self.read(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")):
            found += [fault for row in self.read(sa.text(_INDEXES), where) if (fault := self._fault(*row))]
        return found

    def _fault(self, number: int, name: str) -> str:
        try:
            self.read(sa.text("SELECT bt_index_check(CAST(:id AS oid), true)"), {"id": number})
        except ReadOnly:
            return ""  # only its owner may ask
        except StoreError as error:
            return f"index {name}: {error.found}"
        return ""

    def about_rows(self, table: sa.Table) -> float:
        rows = self.read(sa.text(_ABOUT), {"name": table.name, "id": self._schema_id})
        return float(rows[0][0]) if rows else 0.0

    def is_none(self, error: StoreError) -> bool:
        return isinstance(error.__cause__, errors.UndefinedTable | errors.UndefinedColumn)

    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def copy_to(self, path: Path) -> bool:  # noqa: ARG002 - a server's files are its own
        """Tell that there is no file."""
        return False

    def define(self, tables: Sequence[sa.Table]) -> None:
        for table in tables:
            _check_names(table)
        super().define(tables)

    def _open(self) -> PostgresSession:
        connection = connect(self._address)
        session = PostgresSession(connection, self._schema_id)
        try:
            set_up(session.raw, self._settings())
        except BaseException:
            session.close()
            raise
        return session

    def _settings(self) -> dict[str, str]:
        settings = {
            "search_path": self._address.schema,
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "default_transaction_isolation": "read committed",
            "default_transaction_read_only": "off" if self.writable else "on",
            # A machine that is gone must not hold the lock for hours.
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
            "extra_float_digits": "1",
            **_ALONG_THE_KEYS,
        }
        if self._durability == "process":
            settings["synchronous_commit"] = "off"
        return settings

    def _commit(self, session: Session) -> None:
        try:
            session.command(f"{CHANGED}; COMMIT")
        except self.foreign as error:
            if not isinstance(session, PostgresSession) or not session.is_lost:
                self._fail("commit to", error)
            self._require_committed(session.xid, error)

    def await_dead(self) -> None:
        # The server goes on with a COMMIT whose sender is dead. It shows the rows, and frees the lock, when
        # it is done.
        if self._held() is None:
            with self._begun() as session:
                self._run(session, "ROLLBACK")

    def _require_committed(self, xid: int, lost: Exception) -> None:
        """Find out whether a transaction was committed whose connection was lost meanwhile."""
        asked, why = f"commit to the registry {self.name!r}", " ".join(str(lost).split())
        try:
            session = self._open()
            try:
                # Its lock is free as soon as it has ended.
                session.begin()
                status = session.status(xid)
            finally:
                session.close()
        except self.foreign:
            todo = "look whether it is there, when the server answers again"
            raise InDoubt(asked, f"the connection was lost before the server's answer: {why}", todo) from lost
        if status != "committed":
            raise StoreError(
                asked, f"the connection was lost, nothing is changed: {why}", "try again"
            ) from lost

    def _translated(self, asked: str, error: Exception) -> Exception:
        return translated(asked, error)


def _check_names(table: sa.Table) -> None:
    """Refuse names that the server would cut, or has for columns of its own."""
    names = [table.name, *table.c.keys(), *(str(index.name) for index in table.indexes)]
    for name in names:
        if name in _SYSTEM_COLUMNS or len(name.encode()) > _LONGEST_NAME:
            found = f"PostgreSQL has no room for the name {name!r}"
            todo = f"names have at most {_LONGEST_NAME} bytes, and none is {', '.join(_SYSTEM_COLUMNS)}"
            raise BadDefinition(f"make the table {table.name!r}", found, todo)


def translated(asked: str, error: Exception) -> Exception:
    """Give our error for one of the driver, or of the server."""
    text = " ".join(str(error).split())
    match error:
        case errors.IntegrityError():
            return Clash(text)
        case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction():
            return ReadOnly(asked, text, "ask the owner of the database for the right (GRANT)")
        case errors.InFailedSqlTransaction():
            found = "the transaction is over: an error in it was passed by"
            return StoreError(asked, found, "begin it again")
        case errors.LockNotAvailable():
            return StoreError(asked, text, "another process is writing; try again")
        case errors.DiskFull():
            return StoreError(asked, text, "free the server's disk")
        case errors.NumericValueOutOfRange() if not error.diag.context:  # in no value that was given
            return InvalidQuery("bad query", f"a number in it becomes too large: {text}", "take smaller ones")
        case psycopg.DataError() | OverflowError() | UnicodeEncodeError():
            todo = "text is UTF-8 without NUL, numbers are of 64 bits"
            return BadArgument(asked, f"a value cannot be stored: {text}", todo)
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate.startswith(("08", "57")):
            return StoreError(asked, text, "try again, and check server, network and user")
    return StoreError(asked, text, "try again, and look at the server's log")
