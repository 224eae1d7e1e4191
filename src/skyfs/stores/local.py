"""A store on a local disk, or on a network filesystem that is mounted like one."""

from __future__ import annotations

import errno
import os
import stat as modes
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO, Literal

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Claims, Expected, Stat, Store
from skyfs.errors import NotFound, ReadOnly, StoreError

from . import quarantine
from .failure import failing, translate
from .folders import Folders
from .journal import Journal
from .keys import PRIVATE, check_key, check_prefix
from .local_batch import LocalBatch
from .recovery import claims, recover
from .staged import require_regular

Durability = Literal["power", "process"]


class LocalStore(Store):
    """Files under one root folder, which must exist.

    Parameters
    ----------
    root
        The folder; ``/`` with ``writable=False`` serves files ingested in place, whose keys are their
        absolute paths without the leading slash.
    name
        Name of the store in messages.
    writable
        False refuses `begin`; such a store writes no byte anywhere.
    durability
        ``power``: what `Batch.publish` returned survives a power failure. ``process``: it survives the
        death of the process; nothing is synced.
    shared
        False: files are 0600 and folders 0700. True: the umask decides, as for any program's files.

    Notes
    -----
    Safe from several threads and processes, and after fork. `close` when done, so that the journal goes
    away at once and not when the object or the process ends.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        name: str,
        writable: bool = True,
        durability: Durability = "power",
        shared: bool = False,
    ) -> None:
        self.name = name
        self.writable = writable
        self._folders = Folders(os.fspath(root), shared=shared, durable=durability == "power")
        self._journal = self._new_journal()

    def open(self, key: str, expected: Expected | None = None) -> LocalSource:  # noqa: ARG002 - asked at once
        check_key(key, self.name)
        return LocalSource(self._folders.path(key), key, self.name)

    def stat(self, key: str) -> Stat:
        check_key(key, self.name)
        try:
            state = os.stat(self._folders.path(key))
        except OSError as error:
            raise _unreadable(error, "stat", key, self.name) from error
        _require_file(state, "stat", key, self.name)
        return _stat(state)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        folders = [check_prefix(prefix, self.name)]
        while folders:
            folder = folders.pop()
            with failing("scan of folder", folder, self.name):
                yield from self._scan_folder(folder, prefix, folders)

    def begin(self) -> Batch:
        if not self.writable:
            raise _read_only(self.name)
        if not self._journal.usable:
            self._journal = self._new_journal()
        return LocalBatch(self, self._folders, self._journal)

    def recover(self, committed: Callable[[str], bool]) -> int:
        if not self.writable:
            return 0
        with failing("recovery of", PRIVATE, self.name):
            return recover(self._folders, committed)

    @property
    def root(self) -> str:
        """The folder."""
        return self._folders.root or "/"

    @property
    def can_set_aside(self) -> bool:
        """See `skyfs.abc.store.SetsAside`."""
        return True

    def claims(self) -> Claims:
        """See `skyfs.abc.store.SetsAside`."""
        with failing("look for writers in", PRIVATE, self.name):
            return claims(self._folders)

    def identify(self, key: str) -> str:
        """See `skyfs.abc.store.SetsAside`."""
        check_key(key, self.name)
        with failing("stat", key, self.name):
            return quarantine.identify(self._folders, key)

    def set_aside(self, key: str, identity: str, folder: str) -> str:
        """See `skyfs.abc.store.SetsAside`."""
        check_key(key, self.name)
        if not self.writable:
            raise _read_only(self.name)
        with failing("set aside", key, self.name):
            return quarantine.set_aside(self._folders, key, identity, folder)

    def close(self) -> None:
        """Remove the journal; batches in flight are left to recovery. A later `begin` starts afresh."""
        self._journal.close()

    def _new_journal(self) -> Journal:
        journal = Journal(self._folders)
        weakref.finalize(self, journal.close)
        return journal

    def _scan_folder(self, folder: str, prefix: str, folders: list[str]) -> Iterator[tuple[str, Stat]]:
        """Give the files of one folder, and put its folders on the list."""
        try:
            entries = os.scandir(self._folders.path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                key = f"{folder}/{entry.name}" if folder else entry.name
                if key == PRIVATE:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if f"{key}/".startswith(prefix[: len(key) + 1]):
                        folders.append(key)
                elif key.startswith(prefix) and (state := _file_state(entry)):
                    yield key, _stat(state)


class LocalSource(ByteSource):
    """A local file, read by position on one descriptor.

    Attributes
    ----------
    stat
        What it was when it was opened.
    """

    def __init__(self, path: str, key: str, store: str) -> None:
        self._descriptor = -1
        self._path, self._key, self._store = path, key, store
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _unreadable(error, "open", key, store) from error
        state = os.fstat(self._descriptor)
        try:
            _require_file(state, "open", key, store)
        except OSError:
            self.close()
            raise
        self._size = state.st_size
        self.stat = _stat(state)

    @property
    def size(self) -> int:
        return self._size

    @property
    def local_path(self) -> str:
        return self._path

    def read(self, start: int, stop: int) -> bytes:
        if self._descriptor < 0:
            raise StoreError(self._asked(start, stop), "the source is closed", "open it again")
        if start < 0:
            raise StoreError(self._asked(start, stop), "the start is negative", "count from the first byte")
        wanted = min(stop, self._size) - start
        if wanted <= 0:
            return b""
        try:
            data = os.pread(self._descriptor, wanted, start)
        except OSError as error:
            raise translate(error, self._asked(start, stop)) from error
        return data if len(data) == wanted else self._read_on(data, start, wanted)

    def open(self) -> BinaryIO:
        if self._descriptor < 0:
            raise StoreError(self._asked(0, self._size), "the source is closed", "open it again")
        with failing("open", self._key, self._store):
            with suppress(FileNotFoundError):
                file = open(self._path, "rb")  # noqa: SIM115 - the caller closes it
                if os.path.samestat(os.fstat(file.fileno()), os.fstat(self._descriptor)):
                    return file
                file.close()
            # The name was deleted since; the bytes are still ours.
            return open(f"/proc/self/fd/{self._descriptor}", "rb")

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            text = f"unclosed {self._key!r} of store {self._store!r}"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
            self.close()

    def _read_on(self, data: bytes, start: int, wanted: int) -> bytes:
        """Read the rest: one call gives at most 2 GiB."""
        blocks = [data]
        while len(data) and (wanted - sum(map(len, blocks))):
            done = sum(map(len, blocks))
            with failing("read", self._key, self._store):
                data = os.pread(self._descriptor, wanted - done, start + done)
            blocks.append(data)
        whole = b"".join(blocks)
        if len(whole) < wanted:
            raise StoreError(
                self._asked(start, start + wanted),
                f"the file ends after {start + len(whole)} of {self._size} bytes: it was truncated in place",
                "restore it from another store",
            )
        return whole

    def _asked(self, start: int, stop: int) -> str:
        return f"read bytes {start} to {stop} of {self._key!r} in store {self._store!r}"


def _read_only(store: str) -> ReadOnly:
    return ReadOnly(f"write in store {store!r}", "it is read-only", "open it writable")


def _unreadable(error: OSError, verb: str, key: str, store: str) -> Exception:
    """Give NotFound for a name that is not there, or lies below a file."""
    if isinstance(error, NotADirectoryError):
        return NotFound(f"{verb} {key!r} in store {store!r}", "a folder of the key is a file")
    return translate(error, f"{verb} {key!r} in store {store!r}", missing=NotFound)


def _require_file(state: os.stat_result, verb: str, key: str, store: str) -> None:
    if modes.S_ISREG(state.st_mode):
        return
    asked = f"{verb} {key!r} in store {store!r}"
    if modes.S_ISDIR(state.st_mode):
        raise NotFound(asked, "it is a folder")
    require_regular(state, asked)


def _file_state(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Give the state of a regular file, links followed; None for others and for what just went away."""
    try:
        return entry.stat() if entry.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads to itself is no file
            return None
        raise


def _stat(state: os.stat_result) -> Stat:
    return Stat(state.st_size, state.st_mtime_ns, modes.S_IMODE(state.st_mode))
