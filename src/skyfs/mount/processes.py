"""Which processes have a file open, as far as ``/proc`` tells.

Only what the kernel answers at once is read here. ``maps``, ``stat`` and the like wait for a process that
executes a program, and that one waits, while it closes its descriptors, for the answer that is made here.
Mappings need not be known: the kernel refuses those that could change a file that is being written, since
it is opened with direct I/O.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress

# A process that is gone, or goes while it is looked at, has nothing open.
_GONE = (FileNotFoundError, ProcessLookupError, NotADirectoryError)
# Longer lines of descent are those of a loop of processes that come and go.
_MAX_DEPTH = 100
_BLOCK_BYTES = 1 << 14


class Processes:
    """Looks at processes. Threads are named by their numbers, processes by those of their first threads."""

    def __init__(self, proc: str | os.PathLike[str] = "/proc") -> None:
        self._proc = os.fspath(proc)

    def leader(self, pid: int) -> int:
        """Give the process that a thread belongs to; 0 when that cannot be told."""
        return self._status(pid, b"Tgid") if pid > 0 else 0

    def descends(self, pid: int, leaders: Collection[int]) -> bool:
        """Tell whether a thread is of one of these processes, or of one that descends from them."""
        own = self.leader(pid)
        for _ in range(_MAX_DEPTH):
            if own <= 1:
                break
            if own in leaders:
                return True
            own = self._status(own, b"PPid")
        return False

    def hold(self, leaders: Collection[int], inodes: Collection[int]) -> bool:
        """Tell whether these processes, or their descendants, have a file open.

        A file is known by its inodes. True also when it cannot be told.
        """
        if 0 in leaders or not self._tells_children():
            return True
        try:
            if not all(os.path.exists(f"{self._proc}/{one}") for one in leaders):
                return self.any_hold(inodes)  # children of a process that is gone are nobody's
            return any(self._holds(one, inodes) for one in self._families(leaders))
        except OSError:
            return True

    def any_hold(self, inodes: Collection[int]) -> bool:
        """Tell whether any process that may be looked into has a file open."""
        for name in os.listdir(self._proc):
            if name.isdecimal():
                with suppress(OSError):
                    if self._holds(int(name), inodes):
                        return True
        return False

    def _status(self, pid: int, field: bytes) -> int:
        with suppress(OSError):
            for line in _read(f"{self._proc}/{pid}/status").splitlines():
                name, _, value = line.partition(b":")
                if name == field:
                    return int(value)
        return 0

    def _tells_children(self) -> bool:
        """Tell whether this kernel lists the children of processes."""
        return os.path.exists(f"{self._proc}/thread-self/children")

    def _families(self, leaders: Collection[int]) -> Iterator[int]:
        """Give processes and all their descendants."""
        waiting, seen = list(leaders), set(leaders)
        while waiting:
            one = waiting.pop()
            yield one
            new = self._children(one) - seen
            seen |= new
            waiting += new

    def _children(self, leader: int) -> set[int]:
        found: set[int] = set()
        threads = f"{self._proc}/{leader}/task"
        with suppress(*_GONE):
            for thread in os.listdir(threads):
                with suppress(*_GONE):
                    found.update(map(int, _read(f"{threads}/{thread}/children").split()))
        return found

    def _holds(self, leader: int, inodes: Collection[int]) -> bool:
        own = f"{self._proc}/{leader}/fdinfo"
        with suppress(*_GONE):
            for number in os.listdir(own):
                with suppress(*_GONE):
                    if _inode(_read(f"{own}/{number}")) in inodes:
                        return True
        return False


def _read(path: str) -> bytes:
    """Read a file of the kernel's; this is done some ten times for each file that is closed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        blocks = [os.read(descriptor, _BLOCK_BYTES)]
        while blocks[-1]:
            blocks.append(os.read(descriptor, _BLOCK_BYTES))
        return b"".join(blocks)
    finally:
        os.close(descriptor)


def _inode(about: bytes) -> int:
    """Read the inode of a descriptor; kernels before 5.14 do not tell it."""
    for line in about.splitlines():
        if line.startswith(b"ino:"):
            return int(line[4:])
    raise OSError("this kernel does not tell the inodes of descriptors")
