"""The journal of a writing process: what its batches are about to do, readable after its death."""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from contextlib import suppress

from skyfs.errors import StoreError

from .folders import Folders
from .intent import Intent, end_line
from .keys import PRIVATE

JOURNALS = f"{PRIVATE}/journal"
STAGING = f"{PRIVATE}/staging"
SUFFIX = ".journal"

_ROOM_BYTES = 1 << 14
"""So much is written full of zeros at first: to sync what is written over it, nothing of the file's size and
place needs to be, which takes half as long (ext4)."""

_RETRIES = 1000  # recovery removes a new journal only when it comes between two system calls


class Journal:
    """One journal file and one staging folder, made at the first write; safe from several threads.

    The file is locked with flock as long as the process lives: who gets the lock knows that the writer
    died. A forked child shares the lock's file description, so it lets go of it at once and takes a new
    journal; batches that the parent began are the parent's.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._name = ""
        self._lock = threading.Lock()
        self._descriptor = -1
        self._end = 0
        self._last_batch = 0
        self._last_file = 0
        self._in_flight: set[int] = set()
        self.usable = True
        _journals.add(self)

    def new_file(self) -> str:
        """Give the key of a staging file that does not exist yet."""
        with self._lock:
            self._ensure_open()
            self._last_file += 1
            return f"{STAGING}/{self._name}/{self._last_file}"

    def append(self, intent: Intent) -> int:
        """Write an intent down, not yet durable; give the number of the batch."""
        with self._lock:
            self._ensure_open()
            self._last_batch += 1
            self._write(intent.line(self._last_batch))
            self._in_flight.add(self._last_batch)
            return self._last_batch

    def sync(self) -> None:
        """Make all that was appended durable."""
        if self._folders.durable:
            os.fdatasync(self._descriptor)

    def end(self, number: int) -> None:
        """Write down that a batch is over; with no other in flight, write zeros over all instead.

        A disk that is full or failing is no reason to fail: an intent without an end is looked at after
        our death, and nothing is left to do for it.
        """
        with self._lock:
            self.require_usable()
            self._in_flight.discard(number)
            with suppress(OSError):
                if self._in_flight:
                    self._write(end_line(number))
                else:
                    self._clear()

    def require_usable(self) -> None:
        """Raise StoreError when this journal was closed or belongs to the parent process."""
        if not self.usable:
            raise StoreError(
                f"a batch under {self._folders.root!r}",
                "its store was closed, or it was begun before a fork by the parent process",
                "begin a new batch",
            )

    def close(self) -> None:
        """Leave nothing behind; with batches in flight, leave all to recovery."""
        with self._lock:
            if self.usable and self._descriptor >= 0:
                with suppress(OSError):
                    if not self._in_flight:
                        self._remove()
                os.close(self._descriptor)
            self.usable = False
            self._descriptor = -1

    def abandon(self) -> None:
        """Let go in a forked child: the parent goes on."""
        self._lock = threading.Lock()  # another thread of the parent may hold the old one for ever
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self.usable = False
        self._descriptor = -1

    def _ensure_open(self) -> None:
        self.require_usable()
        if self._descriptor >= 0:
            return
        made: set[str] = set()
        try:
            descriptor = self._new_file(made)
            try:
                self._folders.within(f"{STAGING}/{self._name}", made, lambda _: None)
                self._folders.sync(made | {JOURNALS})
            except BaseException:
                os.close(descriptor)
                raise
        except BaseException:
            with suppress(OSError):
                self._remove()
            raise
        self._descriptor, self._end = descriptor, 0

    def _new_file(self, made: set[str]) -> int:
        """Make and lock a journal under a new name."""
        for _ in range(_RETRIES):
            self._name = f"{os.getpid()}-{os.urandom(8).hex()}"
            descriptor = self._folders.within(JOURNALS, made, self._create)
            try:
                if _locked(descriptor):
                    os.pwrite(descriptor, bytes(_ROOM_BYTES), 0)
                    return descriptor
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise StoreError(f"lock of a journal under {self._folders.root!r}", "others take it", "try again")

    def _create(self, folder: int) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(self._name + SUFFIX, flags, self._folders.file_mode, dir_fd=folder)

    def _write(self, line: bytes) -> None:
        # What a full disk cut short is written over by the next line.
        start, written = self._end, 0
        while written < len(line):
            written += os.pwrite(self._descriptor, line[written:], start + written)
        self._end = start + written

    def _clear(self) -> None:
        """Leave nothing but zeros, and no more of them than at first."""
        if self._end > _ROOM_BYTES:
            os.ftruncate(self._descriptor, _ROOM_BYTES)
        os.pwrite(self._descriptor, bytes(min(self._end, _ROOM_BYTES)), 0)
        self._end = 0

    def _remove(self) -> None:
        """Remove the staging folder, which is empty, then the file, last: it marks the folder as ours."""
        folders = self._folders
        with suppress(FileNotFoundError):
            os.rmdir(folders.path(f"{STAGING}/{self._name}"))
        with suppress(FileNotFoundError):
            os.unlink(folders.path(f"{JOURNALS}/{self._name}{SUFFIX}"))
        folders.prune([STAGING, JOURNALS])


def _locked(descriptor: int) -> bool:
    """Lock a new journal; False when recovery took it for a dead writer's before the lock was there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _abandon_all() -> None:
    for journal in list(_journals):
        journal.abandon()


os.register_at_fork(after_in_child=_abandon_all)
