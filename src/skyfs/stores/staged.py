"""Files on their way into a local store: digested while they are written or copied."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from skyfs.errors import StoreError

from .failure import failing

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_COPY_BYTES = 1 << 20  # larger blocks gain nothing: sha256 is the slowest part
_BUFFER_BYTES = 1 << 16  # below malloc's mmap threshold, so that a small file costs no system call for it


class StagedFile(io.RawIOBase):
    """A new file that keeps the sha256 of what is written in order from the start.

    Reading and writing are positional: a forked child that flushes or seeks its copy of this object
    cannot move the position of the parent's.

    Attributes
    ----------
    kept
        Set by who wants to sync it after it was closed: its descriptor stays open until `release`.
    """

    def __init__(self, path: str, mode: int, key: str, store: str, usable: Callable[[], None]) -> None:
        self._key, self._store, self._usable = key, store, usable
        self._digest = hashlib.sha256()
        self._digested = 0
        self._in_order = True
        self._position = 0
        self.failed: BaseException | None = None
        self.kept = False
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    def sha256(self, size: int) -> bytes | None:
        """Give the digest if all ``size`` bytes were written in order; None if they must be read again."""
        return self._digest.digest() if self._in_order and self._digested == size else None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Give the descriptor; what is written through it is digested by reading the file again."""
        self._require_open()
        self._in_order = False
        os.lseek(self._descriptor, self._position, os.SEEK_SET)
        return self._descriptor

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._require_open()
        base = 0 if whence == io.SEEK_SET else self._position
        if whence == io.SEEK_END:
            base = os.fstat(self._descriptor).st_size
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}, before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer from where the file stands."""
        self._require_open()
        with failing("read", self._key, self._store):
            count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def write(self, data: ReadableBuffer) -> int:
        """Write a buffer, and digest it where it follows what was written."""
        self._require_open()
        self._usable()
        data = memoryview(data).cast("B")[:_COPY_BYTES]  # digested while it is in the processor's cache
        try:
            with failing("write", self._key, self._store):
                count = os.pwrite(self._descriptor, data, self._position)
        except OSError as error:
            self.failed = error
            raise
        self._note(data, count)
        return count

    def truncate(self, size: int | None = None) -> int:
        self._require_open()
        self._usable()
        size = self._position if size is None else size
        with failing("truncate", self._key, self._store):
            os.ftruncate(self._descriptor, size)
        self._in_order = self._in_order and size == self._digested
        return size

    def close(self) -> None:
        if not self.kept:
            self.release()
        super().close()

    def release(self) -> None:
        """Close the descriptor, also of a file that is kept."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def state(self) -> os.stat_result:
        """Look at a file that is kept."""
        return os.fstat(self._descriptor)

    def sync(self) -> None:
        """Make a file that is kept durable."""
        os.fsync(self._descriptor)

    def __del__(self) -> None:
        self.kept = False
        super().__del__()
        self.release()

    def _note(self, data: memoryview, count: int) -> None:
        if self._position == self._digested:
            self._digest.update(data[:count])
            self._digested += count
        else:
            self._in_order = False
        self._position += count

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def buffered(raw: StagedFile) -> io.BufferedRandom:
    """Give the file that users write to."""
    return io.BufferedRandom(raw, _BUFFER_BYTES)


def digest_of(descriptor: int) -> bytes:
    """Read an open file from its start and give its sha256."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    digest, block = hashlib.sha256(), _block(descriptor)
    while count := os.readv(descriptor, [block]):
        digest.update(block[:count])
    return digest.digest()


def copy(source: int, target: int) -> tuple[int, bytes]:
    """Copy an open file, reading it once; give size and sha256 of what was copied."""
    digest, block = hashlib.sha256(), _block(source)
    total = 0
    while count := os.readv(source, [block]):
        digest.update(block[:count])
        _write_all(target, block[:count])
        total += count
    return total, digest.digest()


def _block(descriptor: int) -> memoryview:
    """Give room to read a file into: to make a large block takes longer than to read a small file."""
    return memoryview(bytearray(min(_COPY_BYTES, os.fstat(descriptor).st_size + 1)))


def _write_all(target: int, data: memoryview) -> None:
    while data:
        data = data[os.write(target, data) :]


def open_regular(path: str, asked: str) -> int:
    """Open a regular file for reading, never waiting for one that is none (a FIFO); the caller closes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        require_regular(os.fstat(descriptor), asked)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_regular(state: os.stat_result, asked: str) -> None:
    """Raise StoreError for folders, FIFOs, sockets and devices."""
    kind = _KINDS.get(state.st_mode & 0o170000)
    if kind:
        raise StoreError(asked, f"it is a {kind}", "only regular files can be stored")


_KINDS = {0o040000: "folder", 0o010000: "FIFO", 0o140000: "socket", 0o020000: "device", 0o060000: "device"}
