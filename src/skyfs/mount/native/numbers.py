"""Node numbers: what the kernel calls files and folders.

A number stands for a folder, a name in it and an inode, that is, for one content: a dataset that is put in
the place of another gets another number. The kernel forgets nothing until its memory is short, so all that
was ever listed is kept here, packed: some forty bytes each.
"""

from __future__ import annotations

import errno
import operator
import threading
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

from ..failures import Refusal
from .protocol import ROOT

# A number is the folder's and the index of the entry in its table.
_SHIFT = 32
_INDEX = (1 << _SHIFT) - 1
# Numbers of files that are being written; the rest is their token.
WRITTEN = 1 << 62
# So many names are found through a dict before they are sorted into the others.
_RECENT = 1024


class Table:
    """Names with their inodes, each with an index that stays."""

    __slots__ = ("_ends", "_inodes", "_names", "_order", "_recent")

    def __init__(self) -> None:
        self._names = bytearray()
        self._ends = array("I")
        self._inodes = array("Q")
        # Indexes in the order of their names; those that are only in `_recent` apart.
        self._order: Sequence[int] = range(0)
        self._recent: dict[bytes, int] = {}

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
        recent = self._recent.get(name, -1)
        index = self._known(self._find(name) if recent < 0 else recent, name, inode)
        self._tidy()
        return index

    def indexes(self, names: Sequence[bytes], inodes: Sequence[int]) -> Sequence[int]:
        """Give the indexes of entries, whose names are sorted."""
        if not self._ends and all(map(operator.lt, names, islice(names, 1, None))):
            self._fill(names, inodes)
        elif array("Q", inodes) != self._inodes or b"".join(names) != self._names:
            found = self._merged(names, inodes)
            self._tidy()
            return found
        return range(len(names))

    def _fill(self, names: Sequence[bytes], inodes: Sequence[int]) -> None:
        end = 0
        self._names += b"".join(names)
        self._ends.extend([end := end + len(name) for name in names])
        self._inodes.extend(inodes)
        self._order = range(len(names))

    def _merged(self, names: Sequence[bytes], inodes: Sequence[int]) -> Sequence[int]:
        """Go through these and those that are here side by side: searches take ten times as long."""
        found = array("I")
        order, recent = iter(self._order), self._recent
        index = next(order, -1)
        own = self.name(index) if index >= 0 else b""
        for name, inode in zip(names, inodes, strict=True):
            while index >= 0 and own < name:
                index = next(order, -1)
                own = self.name(index) if index >= 0 else b""
            known = recent.get(name, index if own == name else -1)
            found.append(self._known(known, name, inode))
        return found

    def _find(self, name: bytes) -> int:
        """Give the index of a name among the sorted; -1 when it is not there."""
        place = bisect_left(self._order, name, key=self.name)
        if place < len(self._order) and self.name(self._order[place]) == name:
            return self._order[place]
        return -1

    def _known(self, index: int, name: bytes, inode: int) -> int:
        """Give an index when its entry has this inode, else a new one."""
        if index >= 0 and self._inodes[index] == inode:
            return index
        index = len(self._ends)
        self._names += name
        self._ends.append(len(self._names))
        self._inodes.append(inode)
        self._recent[name] = index
        return index

    def _tidy(self) -> None:
        recent = self._recent
        if len(recent) > max(_RECENT, len(self._order) // 4):
            kept = [index for index in self._order if self.name(index) not in recent]
            self._order = array("I", sorted([*kept, *recent.values()], key=self.name))
            self._recent = {}


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
        self, parent: int, names: Sequence[bytes], inodes: Sequence[int]
    ) -> tuple[int, Sequence[int]]:
        """Give the number of a folder, and the indexes of its entries; they stay until `release`.

        An entry's number is ``number | index``. Those that get to the kernel must be `note`d.
        """
        with self._lock:
            folder = self._folder(parent)
            folder.count += 1
            return folder.index << _SHIFT, folder.table.indexes(names, inodes)

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
