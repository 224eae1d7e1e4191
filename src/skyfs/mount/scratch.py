"""Scratch files of a mount: what programs write beside the file they mean."""

from __future__ import annotations

import os
import re
import tempfile

from ..model.paths import SERVICES
from .written import State, Written

# Hidden files, backups of editors, vim's trial file, and what `sed -i` writes.
_FILE = re.compile(r"\..*|.*~|#.*#|4913|sed[A-Za-z0-9]{6}", re.DOTALL)
_FOLDER = re.compile(r"\..*|.*~|#.*#", re.DOTALL)


def is_scratch(name: str, *, folder: bool = False) -> bool:
    """Tell whether a name is that of a scratch file, or folder."""
    return bool((_FOLDER if folder else _FILE).fullmatch(name)) and name not in SERVICES


class ScratchFile(Written):
    """A temporary file without a name, on local disk: it goes with the mount, however that ends."""

    def __init__(self, mode: int, uid: int, gid: int) -> None:
        super().__init__(mode, uid, gid)
        self._file = tempfile.TemporaryFile(prefix="skyfs-", buffering=0)  # noqa: SIM115 - closed by `close`

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file.fileno()

    @property
    def is_gone(self) -> bool:
        return self._file.closed

    def state(self) -> State:
        found = os.fstat(self.descriptor)
        return State(found.st_size, found.st_blocks, found.st_mtime_ns)

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def write(self, data: bytes | memoryview, offset: int | None) -> int:
        with self.lock:
            at = self.state().size if offset is None else offset
            rest = memoryview(data)
            while rest:
                done = os.pwrite(self.descriptor, rest, at)
                at, rest = at + done, rest[done:]
        return len(data)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.descriptor, size)

    def allocate(self, offset: int, length: int) -> None:
        os.posix_fallocate(self.descriptor, offset, length)

    def set_times(self, atime_ns: int | None, mtime_ns: int | None) -> None:
        found = os.fstat(self.descriptor)
        times = (
            found.st_atime_ns if atime_ns is None else atime_ns,
            found.st_mtime_ns if mtime_ns is None else mtime_ns,
        )
        os.utime(self.descriptor, ns=times)

    def let_go(self) -> None:
        """Let the bytes go when there is neither name nor opener."""
        with self.lock:
            if self.path is None and not self.opened:
                self._file.close()
