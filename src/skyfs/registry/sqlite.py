"""A registry in a SQLite file, or in the memory of this process."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ..config.durable import sync_path
from ..errors import BadArgument, Exists, InDoubt, NotFound, ReadOnly, StoreError, Unsupported
from .connection import SqliteSession, open_memory, open_reader, open_writer
from .database import Clash, Database, State
from .functions import raised
from .network import network_filesystem
from .place import Place
from .session import Session
from .sharing import sharing
from .statement import Language

_TICK_NS = 50_000_000
_LOG_INDEX_BYTES = 48
_MOST_DAMAGES = 100
_indexes: dict[tuple[str, int], int] = {}
_BUSY, _READONLY, _FULL = 5, 8, 13
# No table "meta", damaged pages, another kind of file.
_SUFFIXES = ("", "-wal", "-shm")
_NO_REGISTRY = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SqliteDatabase(Database):
    """A SQLite database.

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
    network
        The filesystem of another machine that it lies on: it is read only while nobody writes.
    """

    language = Language(sqlite.dialect(paramstyle="numeric"), re.compile(r":(\d+)"), "?")
    # Values that cannot be bound (numbers over 64 bits, text that is no UTF-8) come as errors of Python.
    foreign = (sa.exc.DBAPIError, sqlite3.Error, OverflowError, UnicodeEncodeError)
    begin_reading = "BEGIN"
    # A reader without locks starts again when a writer came between; so often in a row is no coincidence.
    max_attempts: ClassVar[int] = 100

    def __init__(
        self,
        path: Path,
        *,
        writable: bool,
        durability: str = "power",
        create: bool = False,
        in_memory: bool = False,
        network: str = "",
    ) -> None:
        if not create and not path.is_file():
            raise NotFound(f"no registry {str(path)!r}", todo="make it anew: skyfs rebuild REPO")
        super().__init__(str(path), writable=writable)
        self.path = path
        self._durability = durability
        self._create = create
        self._in_memory = in_memory
        self._network = network
        self._inode = 0
        if not writable:
            sharing.keep(self)

    def state(self) -> State:
        found = [_look(path) for path in (self.name, f"{self.name}-wal")]
        changed_ns = max((one[2] for one in found if one is not None), default=0)
        # The log alone is not enough: it is synced after it was written, and readers see a commit after that.
        # Two changes within one tick of the kernel's clock leave the same times.
        token = (*found, _commits(f"{self.name}-shm"))
        return State(token, changed_ns, settled=not 0 <= time.time_ns() - changed_ns < _TICK_NS)

    def size_bytes(self) -> int:
        """Give the size of the database, write-ahead log left out."""
        pages, each = (self.read(sa.text(f"PRAGMA {name}"))[0][0] for name in ("page_count", "page_size"))
        return int(pages * each)

    def damages(self) -> list[str]:
        rows = self.read(sa.text(f"PRAGMA integrity_check({_MOST_DAMAGES})"))
        return [str(row[0]) for row in rows if row[0] != "ok"]

    def about_rows(self, table: sa.Table) -> float:
        # Rows are numbered as they come.
        rows = self.read(sa.select(sa.func.max(sa.literal_column("rowid"))).select_from(table))
        return float(rows[0][0] or 0)

    def copy_to(self, path: Path) -> bool:
        """Copy what a snapshot reads, page by page."""
        held = self._held()
        if held is None:
            raise StoreError(f"copy the registry {self.name!r}", "outside of a snapshot")
        target = sqlite3.connect(path)
        try:
            held.raw.backup(target)
            ((found,),) = target.execute("PRAGMA integrity_check(1)").fetchall()
        except sqlite3.Error as error:
            raise self._translated(f"copy the registry {self.name!r}", error) from error
        finally:
            target.close()
        if found != "ok":
            what = f"copy the registry {self.name!r}"
            raise StoreError(what, f"it is damaged: {found}", "make it anew: skyfs rebuild")
        return True

    def is_none(self, error: StoreError) -> bool:
        return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in _NO_REGISTRY

    def _commit(self, session: Session) -> None:
        if not self._in_memory:
            self._require_same()
        try:
            session.command("COMMIT")
        except self.foreign as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
                self._write_over(session, error)
            self._fail("COMMIT", error)

    def _require_same(self) -> None:
        """Refuse to write to a file that rebuild, restore or a person has put aside: nobody would see it."""
        asked, found = f"write to the registry {self.name!r}", "another one has taken its place"
        try:
            if os.stat(self.name).st_ino == self._inode:
                return
        except OSError as error:
            found = f"it is no longer there: {error.strerror}"
        raise StoreError(asked, found, "open the repository again; nothing is changed")

    def _write_over(self, session: Session, failed: Exception) -> None:
        """Make sure that a commit has failed for ever.

        When the log was written, and could not be synced, SQLite takes it back; but who opens the database
        after the death of all that have it open finds it whole, and takes it for committed. What is written
        next lies in the same place.
        """
        try:
            if session.in_transaction:
                session.command("ROLLBACK")
            session.begin()
            session.command("PRAGMA user_version=0")
            session.command("COMMIT")
        except self.foreign as error:
            found = f"the disk failed ({failed}), and what is in the log could not be written over ({error})"
            todo = "check the disk; open the repository again, and look whether it is there"
            raise InDoubt(f"commit to the registry {self.name!r}", found, todo) from failed

    def _open(self) -> SqliteSession:
        if self._in_memory:
            return open_memory(self.path)
        try:
            if self._network and os.path.exists(f"{self.path}-wal"):
                raise _refused("read", self.path, self._network)
            if self.writable:
                # Of all connections of a process the first one tells which file it is.
                self._inode = self._inode or os.stat(self.path).st_ino
                return open_writer(self.path, durability=self._durability, create=self._create)
            return open_reader(self.path)
        except FileNotFoundError:
            raise NotFound(f"no registry {self.name!r}", "it is gone") from None

    def _translated(self, asked: str, error: Exception) -> Exception:
        own = raised()
        if own is not None:
            return own
        if isinstance(error, sqlite3.IntegrityError):
            return Clash(str(error))
        # SQLite's extended codes carry the primary one in their lowest byte.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if isinstance(error, OverflowError | UnicodeEncodeError) or code == 0:
            return BadArgument(
                asked, f"a value cannot be stored: {error}", "text is UTF-8, numbers are of 64 bits"
            )
        if code == _READONLY or (code == sqlite3.SQLITE_CANTOPEN and not self._may_write()):
            todo = "check the permissions of its file and folder, or open it for reading"
            return ReadOnly(asked, str(error), todo)
        if code == _BUSY:
            return StoreError(asked, str(error), "another process is writing; try again")
        if code == _FULL:
            return StoreError(asked, str(error), "free the disk")
        return StoreError(asked, str(error), "try again, and check disk and file")

    def _may_write(self) -> bool:
        return all(os.access(path, os.W_OK) for path in (self.path, self.path.parent))


class SqliteFile:
    """Where the registry of a repository is: a file.

    Parameters
    ----------
    allow_network
        Whether it may be written on a filesystem of another machine, because one machine alone ever does.
    """

    def __init__(self, path: Path, *, allow_network: bool = False) -> None:
        self.path, self._allow_network = path, allow_network

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def create(self, *, durability: str) -> SqliteDatabase:
        """Make the file, so that of two processes that create the same registry one fails.

        Raises
        ------
        Unsupported
            When it would lie on a filesystem of another machine.
        """
        try:
            self._require_local(self.path.parent)
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            todo = "open the repository, or choose another place"
            raise Exists(f"registry {str(self.path)!r}", "it is there already", todo) from None
        except OSError as error:
            what = f"create the registry {str(self.path)!r}"
            raise StoreError(what, error.strerror or str(error)) from None
        return SqliteDatabase(self.path, writable=True, durability=durability, create=True)

    def open(self, *, writable: bool, durability: str) -> SqliteDatabase:
        """Open it; raises NotFound, and Unsupported as `create` does."""
        network = ""
        if self.path.is_file():
            network = self._require_local(self.path) if writable else self._network(self.path)
        return SqliteDatabase(self.path, writable=writable, durability=durability, network=network)

    def _network(self, path: Path) -> str:
        return "" if self._allow_network else network_filesystem(path)

    def _require_local(self, path: Path) -> str:
        network = self._network(path)
        if network:
            raise _refused("write", self.path, network)
        return network

    def drop(self) -> None:
        """Delete it."""
        for suffix in _SUFFIXES:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def beside(self, mark: str) -> SqliteFile:
        """Give a file in the same folder."""
        return SqliteFile(self.path.with_name(f"{self.path.name}.{mark}"), allow_network=self._allow_network)

    def take(self, new: Place, aside: Place) -> bool:
        """Put another file in its place; the old one is renamed, with its log."""
        if not isinstance(new, SqliteFile) or not isinstance(aside, SqliteFile):
            raise BadArgument("replace a registry", "a file takes the place of files only")
        was_there = self.path.exists()
        try:
            self._move(aside)
            new._move(self)  # noqa: SLF001 - its own class
            sync_path(self.path.parent)
        except OSError as error:
            what = f"put {str(new.path)!r} in the place of {str(self.path)!r}"
            raise StoreError(what, error.strerror or str(error), "look which of them are there") from None
        return was_there

    def _move(self, to: SqliteFile) -> None:
        # The log first: without it the file would be an older state.
        for suffix in reversed(_SUFFIXES):
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{suffix}", f"{to.path}{suffix}")


def _refused(verb: str, path: Path, network: str) -> Unsupported:
    """Tell what SQLite cannot do: its log needs memory that all writers share (sqlite.org/wal.html)."""
    found = f"it lies on a network filesystem ({network}), where SQLite's locks do not hold"
    todo = (
        "make the repository on a local disk (stores may lie anywhere), or with --registry postgresql://..."
    )
    if verb == "read":
        found, todo = f"somebody writes to it, and {found}", "read it when the writer has ended"
    else:
        todo += "; if one machine alone ever writes: allow_network_filesystem"
    return Unsupported(f"{verb} the registry {str(path)!r}", found, todo)


def _look(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _commits(path: str) -> bytes | None:
    """Give the header of SQLite's index of its log, by which readers see commits (walformat.html, 2.1).

    A descriptor is never closed: all locks that SQLite has on the file in this process would go with it.
    """
    found = _look(path)
    if found is None:
        return None
    kept = _indexes.get((path, found[0]))
    if kept is None:
        try:
            kept = _indexes.setdefault((path, found[0]), os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None
    return os.pread(kept, _LOG_INDEX_BYTES, 0)


def in_memory() -> SqliteDatabase:
    """Make a database in the memory of this process."""
    return SqliteDatabase(Path(f"/skyfs-{uuid4().hex}"), writable=True, create=True, in_memory=True)
