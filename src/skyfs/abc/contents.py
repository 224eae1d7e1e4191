"""Files inside of a dataset: the contract for what is shown as a folder, though its bytes are one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from .source import ByteSource


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder inside: its names from the top, and the size of a file in bytes."""

    path: str
    size: int = 0
    is_dir: bool = False

    @property
    def name(self) -> str:
        """The last name."""
        return self.path.rpartition("/")[2]


class Contents(ABC):
    """What lies inside of one dataset, without its bytes: those are read from the source that is given.

    The source must hold the bytes that the contents were read from. Paths are names with single ``/``
    between them; ``""`` is the top. Safe from several threads.

    Attributes
    ----------
    held_bytes
        How many bytes of data it keeps in memory.
    """

    held_bytes: int = 0

    @abstractmethod
    def entry(self, path: str) -> Entry:
        """Tell what lies at a path.

        Raises
        ------
        NotFound
            When nothing does.
        """

    @abstractmethod
    def children(self, path: str) -> Iterator[Entry]:
        """Give what lies in a folder, in any order; nothing when it is none."""

    @abstractmethod
    def open(self, source: ByteSource, path: str) -> ByteSource:
        """Open a file inside; closing it closes ``source``. As much as possible is read only when asked for.

        Raises
        ------
        NotFound, IsDirectory
            When there is no such file.
        BadContent
            When the bytes are damaged; also while reading.
        """

    def files(self, path: str = "") -> Iterator[Entry]:
        """Give all files at or below a path."""
        found = self.entry(path)
        if not found.is_dir:
            yield found
            return
        for child in self.children(path):
            yield from self.files(child.path) if child.is_dir else (child,)
