"""Nodes: the folders and files of the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from ..model.selectors import Selector
from ..resolving import Named


class Content:
    """The bytes of a file that is no dataset, made when somebody first asks for them or their size.

    Parameters
    ----------
    make
        Gives the bytes, and when they were made (UTC nanoseconds since 1970).
    """

    def __init__(self, make: Callable[[], tuple[bytes, int]]) -> None:
        self._make = make
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
        names = "/".join((self.path.split("/")[-1 - len(self.inner)], *self.inner))
        identity = (
            self.path.encode() if self.named is None else self.named.resolved.ref.id.bytes + names.encode()
        )
        # 63 bits: some programs keep inodes in a signed number. 0 and 1 have a meaning of their own.
        return (int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest(), "big") >> 1) | 2
