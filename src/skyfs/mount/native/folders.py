"""Requests about open folders."""

from __future__ import annotations

import errno
import itertools
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ...tree import Listed
from ..failures import Refusal
from ..listing import Listing
from ..operations import Operations
from . import answers
from .answers import Validities, Validity
from .nodes import Nodes
from .protocol import HANDLE_IN, OPEN_OUT, READ_IN, Opcode, Request

# The kernel looks up "." and ".." by itself, and shows the inodes that it has: nobody believes this one.
_DOT_INODE = 1
_DOTS = (b".", b"..")
_NOT_KNOWN = (0,) * 6
_NS = 1_000_000_000
_64_BITS = (1 << 64) - 1


class Shape:
    """What all entries of one kind have in common: mode, owner, and how long they are believed."""

    def __init__(self, found: Mapping[str, int], valid: Validity) -> None:
        self.mode = found["st_mode"]
        self.kind = stat.S_IFMT(self.mode) >> 12
        self._tail = answers.attr_fields(found)[10:]
        self._valid = (valid.name_s, valid.attr_s, valid.name_ns, valid.attr_ns)

    def record(self, number: int, name: bytes, position: int, inode: int, size: int, time_ns: int) -> bytes:
        """Give one entry of the answer to READDIRPLUS; with a size of -1, attributes are not known."""
        second, ns = divmod(time_ns, _NS)
        second &= _64_BITS
        head = (number, 0, *self._valid)
        if size < 0:
            head, size = _NOT_KNOWN, 0
        return answers.full_record(len(name)).pack(
            *head, inode, size, -(-size // 512), second, second, second, ns, ns, ns, self.mode, *self._tail,
            inode, position, len(name), self.kind, name,
        )  # fmt: skip


class Snapshot:
    """A folder's entries as they were when it was first read through this handle.

    Parameters
    ----------
    number, indexes
        ``number | index`` is the node number of an entry.
    shapes
        Of files, and of folders.
    """

    def __init__(
        self, listing: Listing, number: int, indexes: Sequence[int], shapes: tuple[Shape, Shape]
    ) -> None:
        self.number = number
        self._listing = listing
        self._indexes = indexes
        self._shapes = shapes

    def plain(self, offset: int, size: int) -> bytes:
        """Give entries from an offset on, as many as fit, without attributes."""
        return b"".join(_fitting(size, self._plain(offset)))

    def full(self, offset: int, size: int) -> tuple[bytes, int]:
        """Give entries with attributes, and how many of them the kernel will forget one day."""
        records = _fitting(size, self._full(offset))
        known = sum(not record.startswith(_ZERO) for record in records)
        return b"".join(records), known

    def _plain(self, offset: int) -> Iterator[bytes]:
        for position, name in enumerate(_DOTS[offset:], offset + 1):
            yield answers.plain_record(len(name)).pack(_DOT_INODE, position, len(name), _DIRECTORY, name)
        first = max(offset - len(_DOTS), 0)
        for position, row in enumerate(self._listing.rows(first), first + len(_DOTS) + 1):
            name, is_dir, inode, _, _ = row
            kind = self._shapes[is_dir].kind
            yield answers.plain_record(len(name)).pack(inode, position, len(name), kind, name)

    def _full(self, offset: int) -> Iterator[bytes]:
        shapes, number, indexes = self._shapes, self.number, self._indexes
        for position, name in enumerate(_DOTS[offset:], offset + 1):
            yield shapes[True].record(0, name, position, _DOT_INODE, -1, 0)
        first = max(offset - len(_DOTS), 0)
        for at, (name, is_dir, inode, size, time_ns) in enumerate(self._listing.rows(first), first):
            node = number | indexes[at]
            yield shapes[is_dir].record(node, name, at + len(_DOTS) + 1, inode, size, time_ns)


_DIRECTORY = stat.S_IFDIR >> 12
_ZERO = bytes(8)


class _Open:
    """An open folder."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.snapshot: Snapshot | None = None


class Folders:
    """Answers them. Each method takes a request and gives the body of the answer."""

    def __init__(self, operations: Operations, nodes: Nodes) -> None:
        self._operations = operations
        self._nodes = nodes
        self._shapes = _shapes(operations, nodes.validities)
        self._open: dict[int, _Open] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.handlers: Mapping[int, Callable[[Request], bytes]] = {
            Opcode.OPENDIR: self.open,
            Opcode.READDIR: self.read,
            Opcode.READDIRPLUS: self.read_full,
            Opcode.RELEASEDIR: self.release,
            Opcode.FSYNCDIR: self.sync,
        }

    def open(self, request: Request) -> bytes:
        """Answer OPENDIR: make a listing."""
        self._nodes.path(request.node)
        number = next(self._numbers)
        self._open[number] = _Open(request.node)
        request.undo = lambda: self._close(number)
        return OPEN_OUT.pack(number, 0, 0)

    def read(self, request: Request) -> bytes:
        """Answer READDIR: give entries."""
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        return self._snapshot(number, offset).plain(offset, size)

    def read_full(self, request: Request) -> bytes:
        """Answer READDIRPLUS: give entries with attributes."""
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        snapshot = self._snapshot(number, offset)
        data, count = snapshot.full(offset, size)
        self._nodes.numbers.note(snapshot.number, count)
        request.undo = lambda: self._nodes.numbers.forget(snapshot.number, count)
        return data

    def release(self, request: Request) -> bytes:
        """Answer RELEASEDIR: forget a listing."""
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._close(number)
        return b""

    def sync(self, request: Request) -> bytes:
        """Answer FSYNCDIR: nothing of a folder waits to be written."""
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._get(number)
        return b""

    def _get(self, number: int) -> _Open:
        found = self._open.get(number)
        if found is None:
            raise Refusal(errno.EBADF)
        return found

    def _close(self, number: int) -> None:
        found = self._open.pop(number, None)
        if found is None:
            raise Refusal(errno.EBADF)
        self._drop(found)

    def _snapshot(self, number: int, offset: int) -> Snapshot:
        """Give what a handle shows; whoever goes back to the start sees the folder as it is now."""
        handle = self._get(number)
        snapshot = handle.snapshot
        if snapshot is None or offset == 0:
            snapshot = self._taken(handle.node)
            self._drop(handle)
            handle.snapshot = snapshot
        return snapshot

    def _drop(self, handle: _Open) -> None:
        with self._lock:
            snapshot, handle.snapshot = handle.snapshot, None
        if snapshot is not None:
            self._nodes.numbers.forget(snapshot.number, 1)

    def _taken(self, node: int) -> Snapshot:
        listing = self._operations.listing(self._nodes.path(node))
        number, indexes = self._nodes.numbers.give_all(node, *listing.packed)
        return Snapshot(listing, number, indexes, self._shapes)


def _shapes(operations: Operations, validities: Validities) -> tuple[Shape, Shape]:
    file, folder = (operations.attributes(Listed("", is_dir, 0, 0, 0)) for is_dir in (False, True))
    return Shape(file, validities.content), Shape(folder, validities.folder)


def _fitting(size: int, records: Iterable[bytes]) -> list[bytes]:
    """Take as many records as fit."""
    taken: list[bytes] = []
    for record in records:
        size -= len(record)
        if size < 0:
            break
        taken.append(record)
    return taken
