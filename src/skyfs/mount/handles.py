"""Open files of a mount."""

from __future__ import annotations

import errno
import itertools
import threading
from collections import OrderedDict
from dataclasses import dataclass

from ..abc.source import ByteSource
from ..tree import Node
from .failures import Refusal
from .written import Written, WrittenSource

# Of so many paths it is known what the kernel was told and which content was opened last, in 400 bytes each.
# The kernel itself keeps what it was told for half a second.
KEPT_PATHS = 16_384

# What tells one content of a path from another: inode (of the dataset's UUID), size and mtime.
Identity = tuple[int, int, int]


def identity(node: Node) -> Identity:
    """Give what changes when a path gets another content."""
    return (node.inode, node.size, node.mtime_ns)


@dataclass(slots=True, eq=False)
class Handle:
    """One open file.

    Attributes
    ----------
    keep_cache
        Whether the pages that the kernel has of this path are of this content.
    direct
        Whether the kernel must keep no pages, because another content of this path is still open, or each
        opening gives another.
    superseded
        Whether the path has another content by now, which the kernel was told.
    written
        The file that is being written; None for what is in the tree.
    appends
        Whether all is written at the end.
    wrote
        Whether anything was written by it.
    """

    path: str
    node: Node
    source: ByteSource
    keep_cache: bool = False
    direct: bool = False
    superseded: bool = False
    written: Written | None = None
    appends: bool = False
    wrote: bool = False

    @property
    def token(self) -> int:
        """The number of the file that is being written; 0 for what is in the tree."""
        return 0 if self.written is None else self.written.token

    @property
    def descriptor(self) -> int | None:
        """A local file that may be read and written in its place; None when there is none."""
        return None if self.written is None else self.written.descriptor


class Handles:
    """Numbers for open files. Safe from several threads.

    Attributes
    ----------
    apart
        Whether the kernel tells contents of one path apart: then none supersedes another.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[int, Handle] = {}
        self._by_path: dict[str, list[Handle]] = {}
        self._last: OrderedDict[str, Identity] = OrderedDict()
        self._told: OrderedDict[str, Identity] = OrderedDict()
        self._lock = threading.Lock()
        self.apart = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, path: str, node: Node, source: ByteSource) -> tuple[int, Handle]:
        """Take an open source; it is closed at `remove`."""
        handle = Handle(path, node, source)
        own = identity(node)
        with self._lock:
            others = self._by_path.setdefault(path, [])
            mixed = not self.apart and any(identity(other.node) != own for other in others)
            handle.direct = node.is_volatile or mixed
            handle.keep_cache = not handle.direct and self._last.get(path) == own
            others.append(handle)
            if not handle.direct:
                _remember(self._last, path, own)
            number = next(self._numbers)
            self._open[number] = handle
        return number, handle

    def add_written(self, path: str, written: Written, *, direct: bool, appends: bool) -> tuple[int, Handle]:
        """Take a file that is being written; who asks for that counts its openers."""
        node = Node(path, is_dir=False)
        handle = Handle(path, node, WrittenSource(written), direct=direct, written=written, appends=appends)
        with self._lock:
            number = next(self._numbers)
            self._open[number] = handle
        return number, handle

    def get(self, number: int) -> Handle:
        """Give an open file; EBADF when there is none."""
        handle = self._open.get(number)
        if handle is None:
            raise Refusal(errno.EBADF)
        return handle

    def remove(self, number: int) -> Handle:
        """Close a file, and give what it was."""
        with self._lock:
            handle = self._open.pop(number, None)
            if handle is not None and handle.written is None:
                others = self._by_path[handle.path]
                others.remove(handle)
                if not others:
                    del self._by_path[handle.path]
        if handle is None:
            raise Refusal(errno.EBADF)
        handle.source.close()
        return handle

    def tell(self, path: str, own: Identity) -> None:
        """Note what the kernel is told of a file: those that were opened when it was another end there."""
        if self.apart:
            return
        with self._lock:
            _remember(self._told, path, own)
            for handle in self._by_path.get(path, ()):
                handle.superseded = identity(handle.node) != own

    def is_told(self, path: str, node: Node) -> bool:
        """Tell whether the kernel believes this of a path, as far as is known."""
        if self.apart:
            return True
        with self._lock:
            return node.is_volatile or self._told.get(path, identity(node)) == identity(node)

    def close(self) -> dict[int, Handle]:
        """Close all files, and give what they were."""
        return {number: self.remove(number) for number in list(self._open)}


def _remember(table: OrderedDict[str, Identity], path: str, own: Identity) -> None:
    table[path] = own
    table.move_to_end(path)
    while len(table) > KEPT_PATHS:
        table.popitem(last=False)
