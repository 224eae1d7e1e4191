"""Requests about open folders."""

from __future__ import annotations

import errno
import itertools
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ..failures import Refusal
from ..operations import Operations
from . import answers
from .nodes import Nodes, identity
from .protocol import HANDLE_IN, OPEN_OUT, READ_IN, Opcode, Request

# The kernel looks up "." and ".." by itself, and shows the inode that it has; nobody believes this one.
_DOT_INODE = 1
_DOTS = (b".", b"..")


class Entry:
    """One entry of a folder; without validity, its attributes are not known."""

    __slots__ = ("fields", "identity", "name", "valid")

    def __init__(
        self, name: bytes, fields: Sequence[int], identity: int, valid: answers.Validity | None
    ) -> None:
        self.name = name
        self.fields = fields
        self.identity = identity
        self.valid = valid


class Snapshot:
    """A folder's entries as they were when it was first read through this handle.

    Parameters
    ----------
    number
        ``number | index`` is the node number of an entry.
    """

    def __init__(self, number: int, indexes: Sequence[int], entries: Sequence[Entry]) -> None:
        self.number = number
        self._indexes = indexes
        self._entries = entries

    def plain(self, offset: int, size: int) -> bytes:
        """Give entries from an offset on, as many as fit, without attributes."""
        return _fill(size, map(self._plain, self._from(offset)))[0]

    def full(self, offset: int, size: int) -> tuple[bytes, int]:
        """Give entries with attributes, and how many of them the kernel will forget one day."""
        data, count = _fill(size, map(self._full, self._from(offset)))
        known = self._entries[max(offset - 2, 0) : max(offset + count - 2, 0)]
        return data, sum(entry.valid is not None for entry in known)

    def _from(self, offset: int) -> range:
        return range(offset, len(self._entries) + len(_DOTS))

    def _plain(self, position: int) -> bytes:
        if position < len(_DOTS):
            return answers.plain_record(_DOTS[position], _DOT_INODE, position + 1, stat.S_IFDIR)
        entry = self._entries[position - 2]
        return answers.plain_record(entry.name, entry.fields[0], position + 1, entry.fields[9])

    def _full(self, position: int) -> bytes:
        if position < len(_DOTS):
            return answers.full_record(_NO_HEAD, _DOT_FIELDS, _DOTS[position], position + 1)
        entry, number = self._entries[position - 2], self.number | self._indexes[position - 2]
        valid = entry.valid
        if valid is None:
            return answers.full_record(_NO_HEAD, entry.fields, entry.name, position + 1)
        head = (number, 0, valid.name_s, valid.attr_s, valid.name_ns, valid.attr_ns)
        return answers.full_record(head, entry.fields, entry.name, position + 1)


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
        self._nodes.path(request.node)
        number = next(self._numbers)
        self._open[number] = _Open(request.node)
        request.undo = lambda: self._close(number)
        return OPEN_OUT.pack(number, 0, 0)

    def read(self, request: Request) -> bytes:
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        return self._snapshot(number, offset).plain(offset, size)

    def read_full(self, request: Request) -> bytes:
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        snapshot = self._snapshot(number, offset)
        data, count = snapshot.full(offset, size)
        self._nodes.numbers.note(snapshot.number, count)
        request.undo = lambda: self._nodes.numbers.forget(snapshot.number, count)
        return data

    def release(self, request: Request) -> bytes:
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._close(number)
        return b""

    def sync(self, request: Request) -> bytes:
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
        entries = sorted(self._entries(self._nodes.path(node)), key=lambda entry: entry.name)
        names = [entry.name for entry in entries]
        number, indexes = self._nodes.numbers.give_all(node, names, [entry.identity for entry in entries])
        return Snapshot(number, indexes, entries)

    def _entries(self, folder: str) -> Iterator[Entry]:
        base = folder.rstrip("/")
        for name, kind in self._operations.readdir(folder):
            path, encoded = f"{base}/{name}", name.encode("utf-8", "surrogateescape")
            try:
                found = self._operations.getattr(path)
            except Refusal:  # looking it up by its name will say why
                fields = (kind["st_ino"], *(0,) * 8, kind["st_mode"], *(0,) * 6)
                yield Entry(encoded, fields, kind["st_ino"], None)
                continue
            valid = self._nodes.validity(path, found["st_mode"])
            yield Entry(encoded, answers.attr_fields(found), identity(path, found), valid)


_NO_HEAD = (0,) * 6
_DOT_FIELDS = (_DOT_INODE, *(0,) * 8, stat.S_IFDIR, *(0,) * 6)


def _fill(size: int, records: Iterable[bytes]) -> tuple[bytes, int]:
    """Join as many records as fit."""
    taken: list[bytes] = []
    for record in records:
        size -= len(record)
        if size < 0:
            break
        taken.append(record)
    return b"".join(taken), len(taken)
