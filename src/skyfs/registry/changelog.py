"""The files of the change log: blocks of lines, one for each transaction, appended right before its commit.

A block is a head, ``{"transaction": {"id", "at", "by", "lines", "bytes", "crc"}}``, and as many lines. What
tells a whole block from a torn one is the head: the number of bytes that follow, and their checksum. After a
commit that failed comes ``{"undone": id}``; ``{"closed": by}`` when a writer has closed the registry, and
therefore knows that its last block was committed.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ..errors import StoreError
from ..model.ids import new_ids
from ..model.manifest import write
from ..model.manifest_line import Header, UniverseLine

FOLDER = "manifests"
"""Of a repository: where its change log is."""
SUFFIX = ".jsonl"
# Power may be lost: what is in the registry is durable, of the log at most this much is missing then.
_LAZY_S = 1.0
_PIECE_BYTES = 2**20


class ChangeLog:
    """The log of this machine, to which all its processes append.

    Each machine has a file of its own: machines that share a folder over a network do not append to one
    file. Blocks are appended by who holds the write lock of the registry, so that they stand in the order of
    their commits.

    Parameters
    ----------
    folder
        Where the logs are; made when something is to be written.
    head
        Gives the lines that a new file begins with, so that each can be read alone; it is told whether
        the file tells of the registry from its first day.
    durable
        Whether what is appended is to survive the loss of power: at the latest when the log is closed.
    """

    def __init__(self, folder: Path, head: Callable[[bool], bytes], *, durable: bool) -> None:
        self.path = folder / f"{_host()}{SUFFIX}"
        self._name = str(self.path)
        self._head = head
        self._durable = durable
        self._writer = new_ids(1)[0].hex()
        self._pid = os.getpid()
        self._synced_s, self._owed = time.monotonic(), False
        self._undone: list[str] = []
        # Kept open, since opening and closing it takes as long as all the rest.
        self._file: int | None = None
        self._inode = 0

    def begin(self) -> None:
        """Make the file of a registry that is new: this log tells all that it will ever hold."""
        try:
            with self._current(whole=True):
                pass
        finally:
            self._close()

    def append(self, body: IO[bytes], size: int, lines: int) -> str:
        """Append a block: the first bytes of a file; give the transaction's id.

        Raises
        ------
        StoreError
            When it cannot be written; a torn block is left out by those who read the log.
        """
        self._renew()
        name = new_ids(1)[0].hex()
        with self._current() as file:
            self._write_undone(file)
            if size <= _PIECE_BYTES:
                body.seek(0)
                data = body.read(size)
                _write(file, self._block_head(name, lines, size, zlib.crc32(data)) + data)
            else:
                self._write_large(file, body, self._block_head(name, lines, size, _check(body, size)), size)
            self._owed = True
            if self._durable and time.monotonic() - self._synced_s > _LAZY_S:
                self._sync(file)
        return name

    def undo(self, name: str) -> None:
        """Say that a transaction whose block was appended was not committed.

        When that cannot be written now, it is with the next block.
        """
        self._undone.append(name)
        with suppress(StoreError), self._current() as file, _locked(file):
            self._write_undone(file)

    def sync(self) -> None:
        """Make durable what was appended, and say that all of it was committed."""
        if self._owed and self._pid == os.getpid():
            # On a full disk it stays in doubt whether the last change was committed: the files tell then.
            with suppress(StoreError), self._current() as file, _locked(file):
                _write(file, _line({"closed": self._writer}))
                if self._durable:
                    self._sync(file)
            self._owed = False
        self._close()

    def _write_large(self, file: int, body: IO[bytes], head: bytes, size: int) -> None:
        # Blocks are written under the registry's lock; what is said of them later is not.
        with _locked(file):
            _write(file, head)
            for piece in _pieces(body, size):
                _write(file, piece)

    def _block_head(self, name: str, lines: int, size: int, crc: int) -> bytes:
        who = f'"id":"{name}","at":{time.time_ns()},"by":"{self._writer}"'
        # As JSON's encoder would make it, in a tenth of the time.
        return f'\n{{"transaction":{{{who},"lines":{lines},"bytes":{size},"crc":{crc}}}}}\n'.encode()

    def _write_undone(self, file: int) -> None:
        while self._undone:
            _write(file, _line({"undone": self._undone[0]}))
            del self._undone[0]

    def _sync(self, file: int) -> None:
        os.fdatasync(file)
        self._synced_s = time.monotonic()

    def _renew(self) -> None:
        """Be another writer in the child of a fork: locks of the parent's descriptor would be its own too."""
        if self._pid != os.getpid():
            self._close()
            self._pid, self._writer, self._owed = os.getpid(), new_ids(1)[0].hex(), False

    @contextmanager
    def _current(self, *, whole: bool = False) -> Iterator[int]:
        """Give the file of this moment: a backup may have begun another one."""
        self._renew()
        try:
            yield self._same() or self._another(whole=whole)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            what = f"write to the change log {str(self.path)!r}"
            todo = "free the disk, or check the permissions of file and folder; nothing is changed"
            raise StoreError(what, error.strerror or str(error), todo) from error

    def _same(self) -> int | None:
        """Give the file that is open, when it is still the log."""
        if self._file is None:
            return None
        try:
            same = os.stat(self._name).st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            self._close()
        return self._file

    def _another(self, *, whole: bool) -> int:
        file = self._file = self._opened()
        found = os.fstat(file)
        self._inode = found.st_ino
        if found.st_size == 0:
            with _locked(file):
                _write(file, self._head(whole))
        return file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            file = os.open(self.path, flags & ~os.O_CREAT)
        except FileNotFoundError:
            mode = _make_folder(self.path.parent)
            file = os.open(self.path, flags, 0o600)
            # Whoever may write to the repository's folder may write to its log.
            os.fchmod(file, mode & 0o666)
        return file


@dataclass(frozen=True, slots=True)
class Logs:
    """Where the change logs of a repository are: in a folder of it.

    Attributes
    ----------
    folder
        Of the repository.
    repository
        Its name.
    """

    folder: Path
    repository: str

    def open(self, universe: Mapping[str, object], durability: str) -> ChangeLog:
        """Give the log of this machine; nothing is made before something is written."""

        def head(whole: bool) -> bytes:  # noqa: FBT001
            more = {"whole": True} if whole else {}
            first = Header(self.repository, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), more)
            return write(first) + write(UniverseLine(universe))

        return ChangeLog(self.folder / FOLDER, head, durable=durability == "power")


def _make_folder(folder: Path) -> int:
    """Make the folder with the rights of the one that it is in; give these."""
    mode = os.stat(folder.parent).st_mode & 0o7777
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
        os.chmod(folder, mode)
    return mode


@contextmanager
def _locked(file: int) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _line(value: object) -> bytes:
    # Newlines on both sides: what a full disk or a power failure tore spoils neither neighbour.
    return b"\n" + json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _pieces(body: IO[bytes], size: int) -> Iterator[bytes]:
    body.seek(0)
    while size > 0:
        piece = body.read(min(size, _PIECE_BYTES))
        size -= len(piece)
        yield piece


def _check(body: IO[bytes], size: int) -> int:
    crc = 0
    for piece in _pieces(body, size):
        crc = zlib.crc32(piece, crc)
    return crc


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", platform.node())[:64] or "host"
