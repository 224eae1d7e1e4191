"""Node numbers: what the kernel calls files and folders.

A number stands for a folder, a name in it and an inode, that is, for one content: a dataset that is put in
the place of another gets another number. The kernel forgets nothing until its memory is short, so all that
was ever listed is kept here, packed: some forty bytes each.
"""

from __future__ import annotations

import errno
import threading
from array import array
from collections.abc import Sequence
from itertools import chain

from ..failures import Refusal
from .protocol import ROOT

# A number is the folder's and the index of the entry in its table.
_SHIFT = 32
_INDEX = (1 << _SHIFT) - 1
# Numbers of files that are being written; the rest is their token.
WRITTEN = 1 << 62
# A hash table has at least so many places for each entry, and places for a few entries from the start.
_SPARE = 1.5
_FEW = 8


class Table:
    """Names with their inodes, each with an index that stays."""

    __slots__ = ("_ends", "_inodes", "_names", "_slots")

    def __init__(self) -> None:
        self._names: bytes | bytearray = bytearray()
        # Where each name ends in them.
        self._ends = array("I")
        self._inodes = array("Q")
        # A hash table by inode, of indexes from 1; made when an entry is first looked for.
        self._slots = array("I")

    def __len__(self) -> int:
        return len(self._ends)

    def name(self, index: int) -> bytes:
        """Give the name of an entry."""
        start = self._ends[index - 1] if index else 0
        return bytes(self._names[start : self._ends[index]])

    def inode(self, index: int) -> int:
        """Give the inode of an entry."""
        return self._inodes[index]

    def index(self, name: bytes, inode: int) -> int:
        """Give the index of an entry; a new one when there is none."""
        if len(self._slots) <= _SPARE * len(self._ends):
            self._spread()
        place = self._place(name, inode)
        if not self._slots[place]:
            self._append(name, inode)
            self._slots[place] = len(self._ends)
        return self._slots[place] - 1

    def indexes(self, names: bytes, ends: array[int], inodes: array[int]) -> Sequence[int]:
        """Give the indexes of all entries of a folder: their names, where each ends in them, and inodes.

        They are shared, not copied, until another entry is added; the latest of those that are equal.
        """
        if not self._ends or (inodes == self._inodes and names == self._names):
            self._names, self._ends, self._inodes = names, ends, inodes
            return range(len(ends))
        starts = chain((0,), ends)
        each = (names[start:end] for start, end in zip(starts, ends, strict=False))
        return array("I", map(self.index, each, inodes))

    def _append(self, name: bytes, inode: int) -> None:
        if not isinstance(self._names, bytearray):
            self._names = bytearray(self._names)
            self._ends, self._inodes = self._ends[:], self._inodes[:]
        self._names += name
        self._ends.append(len(self._names))
        self._inodes.append(inode)

    def _place(self, name: bytes, inode: int) -> int:
        """Give the place of an entry in the hash table, or the empty one where it belongs."""
        slots, last = self._slots, len(self._slots) - 1
        place = _hash(inode) & last
        while index := slots[place]:
            if self._inodes[index - 1] == inode and self.name(index - 1) == name:
                break
            place = (place + 1) & last
        return place

    def _spread(self) -> None:
        """Make the hash table anew, with room to grow."""
        last = (1 << int(_SPARE * (len(self._ends) + _FEW)).bit_length()) - 1
        slots = array("I", bytes((last + 1) * self._ends.itemsize))
        for index, inode in enumerate(self._inodes, 1):
            place = _hash(inode) & last
            while slots[place]:
                place = (place + 1) & last
            slots[place] = index
        self._slots = slots


def _hash(inode: int) -> int:
    # Inodes are a digest, the second bit of which is always set.
    return inode >> 2


class Folder:
    """A folder in which the kernel knows something.

    Attributes
    ----------
    node
        Its own number.
    path
        ``""`` for the root.
    count
        How often entries of it were given to the kernel, which will give back each.
    """

    __slots__ = ("count", "index", "node", "path", "table")

    def __init__(self, index: int, node: int, path: str) -> None:
        self.index = index
        self.node = node
        self.path = path
        self.count = 0
        self.table = Table()


class Numbers:
    """Gives and takes back node numbers of what is in the tree. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 1
        self._by_index: dict[int, Folder] = {}
        self._by_node: dict[int, Folder] = {}

    def __len__(self) -> int:
        """Count the entries that are kept."""
        with self._lock:
            return sum(len(folder.table) for folder in self._by_index.values())

    def path(self, node: int) -> str:
        """Give the path of a node.

        Raises
        ------
        Refusal
            ESTALE, when the number was never given, or was taken back.
        """
        with self._lock:
            return self._path(node) or "/"

    def inode(self, node: int) -> int | None:
        """Give the inode of a node; None for the root."""
        if node == ROOT:
            return None
        with self._lock:
            folder, index = self._place(node)
            return folder.table.inode(index)

    def below(self, node: int, name: str) -> str:
        """Give the path of a name in a folder."""
        with self._lock:
            return f"{self._path(node)}/{name}"

    def give(self, parent: int, name: str, inode: int) -> int:
        """Give the number of an entry, which the kernel will `forget`."""
        with self._lock:
            folder = self._folder(parent)
            folder.count += 1
            index = folder.table.index(_encoded(name), inode)
            return folder.index << _SHIFT | index

    def give_all(
        self, parent: int, names: bytes, ends: array[int], inodes: array[int]
    ) -> tuple[int, Sequence[int]]:
        """Give the number of a folder, and the indexes of its entries; they stay until it is forgotten once.

        An entry's number is ``number | index``. Those that get to the kernel must be `note`d.
        """
        with self._lock:
            folder = self._folder(parent)
            folder.count += 1
            return folder.index << _SHIFT, folder.table.indexes(names, ends, inodes)

    def note(self, number: int, count: int) -> None:
        """Note that entries of a folder got to the kernel."""
        with self._lock:
            folder = self._by_index.get(number >> _SHIFT)
            if folder is not None:
                folder.count += count

    def forget(self, node: int, count: int) -> None:
        """Take a number back, as often as it was given."""
        with self._lock:
            folder = self._by_index.get(node >> _SHIFT)
            if folder is None:
                return
            folder.count -= count
            if folder.count <= 0:
                del self._by_index[folder.index]
                del self._by_node[folder.node]

    def _folder(self, node: int) -> Folder:
        found = self._by_node.get(node)
        if found is None:
            found = Folder(self._next, node, self._path(node))
            self._next += 1
            self._by_node[node] = self._by_index[found.index] = found
        return found

    def _path(self, node: int) -> str:
        if node == ROOT:
            return ""
        known = self._by_node.get(node)
        if known is not None:
            return known.path
        folder, index = self._place(node)
        return f"{folder.path}/{folder.table.name(index).decode('utf-8', 'surrogateescape')}"

    def _place(self, node: int) -> tuple[Folder, int]:
        folder, index = self._by_index.get(node >> _SHIFT), node & _INDEX
        if folder is None or index >= len(folder.table):
            raise Refusal(errno.ESTALE)
        return folder, index


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
