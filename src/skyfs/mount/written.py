"""Files that are being written through a mount, which are no datasets, or none yet."""

from __future__ import annotations

import errno
import itertools
import secrets
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..abc.source import ByteSource
from .failures import Refusal

_tokens = itertools.count(1)


@dataclass(frozen=True, slots=True)
class State:
    """Of a file: its size in bytes, its blocks of 512 bytes on disk, and when it was changed last."""

    size: int
    blocks: int
    mtime_ns: int


class Written(ABC):
    """A file that is being written. Safe from several threads.

    Attributes
    ----------
    token
        A number that no other such file ever has.
    inode
        Its inode; by chance no other file on this machine has it, but the dataset that it is to replace.
    path
        Where it is; None when it was removed.
    mode, uid, gid
        Its permissions and owner.
    opened
        How often it is open.
    unflushed
        Numbers of those openers that have closed no descriptor since they wrote.
    """

    def __init__(self, mode: int, uid: int, gid: int) -> None:
        self.token = next(_tokens)
        self.inode = secrets.randbits(62) | 2
        self.path: str | None = None
        self.mode, self.uid, self.gid = mode & 0o7777, uid, gid
        self.opened = 0
        self.unflushed: set[int] = set()
        self.lock = threading.RLock()

    @property
    def descriptor(self) -> int | None:
        """The local file that holds the bytes; None when there is none that may be written to."""
        return None

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether nobody can reach it any more."""

    @abstractmethod
    def state(self) -> State:
        """Tell its size and time."""

    @abstractmethod
    def read(self, size: int, offset: int) -> bytes:
        """Give bytes; fewer only at the end."""

    @abstractmethod
    def write(self, data: bytes | memoryview, offset: int | None) -> int:
        """Write at an offset; None: at the end."""

    @abstractmethod
    def truncate(self, size: int) -> None:
        """Cut it, or make it longer with zeros."""

    @abstractmethod
    def set_times(self, atime_ns: int | None, mtime_ns: int | None) -> None:
        """Say when it was read and changed last; None leaves it."""

    def allocate(self, offset: int, length: int) -> None:  # noqa: ARG002 - not for all
        """Take the disk that a range needs, and make the file as long."""
        raise Refusal(errno.EOPNOTSUPP)  # the C library then writes zeros


class WrittenSource(ByteSource):
    """A file that is being written, as a source; closing it leaves the file."""

    def __init__(self, written: Written) -> None:
        self._written = written

    @property
    def size(self) -> int:
        return self._written.state().size

    def read(self, start: int, stop: int) -> bytes:
        return self._written.read(max(stop - start, 0), start)
