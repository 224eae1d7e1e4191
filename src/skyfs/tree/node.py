"""Nodes: the folders and files of the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from ..model.selectors import Selector
from ..reading.resolver import Named


class Content:
    """The bytes of a file that is no dataset, made when somebody first asks for them or their size.

    Parameters
    ----------
    make
        Gives the bytes, and when they were made (UTC nanoseconds since 1970).
    volatile
        Whether they are others each time the file is looked up: nobody may keep the node.
    """

    def __init__(self, make: Callable[[], tuple[bytes, int]], *, volatile: bool = False) -> None:
        self._make = make
        self.volatile = volatile
        self._made: tuple[bytes, int] | None = None

    @property
    def data(self) -> bytes:
        """The bytes; the same each time."""
        return self._all()[0]

    @property
    def mtime_ns(self) -> int:
        """When they were made."""
        return self._all()[1]

    def _all(self) -> tuple[bytes, int]:
        made = self._made
        if made is None:
            made = self._made = self._make()
        return made


class Listed(NamedTuple):
    """What a listing tells of a folder or file; the numbers are those of the `Node`.

    Of a file that is made when somebody asks for it (a component, ``/.records/visit.csv``) size and time are
    not known: the size is -1.
    """

    name: str
    is_dir: bool
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Node:
    """A folder or a file of the tree.

    Attributes
    ----------
    path
        The canonical path.
    is_dir
        Folder or file.
    stored_bytes
        The size of a dataset's file.
    stored_ns
        When that was made.
    named
        The dataset of a file.
    content
        The bytes of a file that is no dataset, such as ``/.repo/version``.
    inner
        The names inside of the dataset, when that is a folder and this lies in it.
    selectors
        The part of the dataset that the file is; empty for all of it.
    """

    path: str
    is_dir: bool
    stored_bytes: int = 0
    stored_ns: int = 0
    named: Named | None = None
    content: Content | None = None
    inner: tuple[str, ...] = ()
    selectors: tuple[Selector, ...] = ()

    @property
    def is_dataset(self) -> bool:
        """Whether it is a whole dataset: a file, or one that is shown as a folder."""
        return self.named is not None and not self.inner and not self.selectors

    @property
    def is_volatile(self) -> bool:
        """Whether the bytes are others each time it is looked up, as those of ``/.repo/status.json``."""
        return self.content is not None and self.content.volatile

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_dataset_folder(self) -> bool:
        """Whether it is a whole dataset that is shown as a folder."""
        return self.is_dir and self.is_dataset

    @property
    def size(self) -> int:
        """In bytes; 0 for folders."""
        return self.stored_bytes if self.content is None else len(self.content.data)

    @property
    def mtime_ns(self) -> int:
        """When the bytes were made."""
        return self.stored_ns if self.content is None else self.content.mtime_ns

    @property
    def inode(self) -> int:
        """A number that stays the same for this dataset or path, on every machine."""
        if self.named is None:
            return inode_of(self.path.encode("utf-8", "surrogateescape"))
        names = "/".join((self.path.split("/")[-1 - len(self.inner)], *self.inner))
        return inode_of(self.named.resolved.ref.id.bytes + names.encode())

    @property
    def listed(self) -> Listed:
        """What a listing tells of it."""
        made = self.content is not None or (self.named is not None and self.named.component is not None)
        size, mtime_ns = (-1, 0) if made else (self.stored_bytes, self.stored_ns)
        return Listed(self.name, self.is_dir, self.inode, size, mtime_ns)


def inode_of(identity: bytes) -> int:
    """Give the inode of a path; of a dataset, of its UUID followed by the name that it is listed by."""
    # 63 bits: some programs keep inodes in a signed number. 0 and 1 have a meaning of their own.
    return (int.from_bytes(blake2b(identity, digest_size=8).digest(), "big") >> 1) | 2
