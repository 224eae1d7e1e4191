"""Readable bytes of known size."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import BinaryIO, Self

from skyfs.abc.raw_file import RawFile
from skyfs.model.ranges import LOCAL, Cost


class ByteSource(ABC):
    """The bytes of one dataset, wherever they lie.

    Sources never change while they are open. Reading is safe from several threads at once.
    Whoever opened a source closes it (it is a context manager).
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Length in bytes."""

    @abstractmethod
    def read(self, start: int, stop: int) -> bytes:
        """Give bytes ``start`` to ``stop`` (exclusive), fewer only at the end of the source.

        Raises
        ------
        StoreError
            When the store cannot deliver them.
        """

    @property
    def local_path(self) -> str | None:
        """Path of a local file with exactly these bytes, when there is one."""
        return None

    @property
    def cost(self) -> Cost:
        """What reading costs, by which parts of files are planned; a source that is far away says so."""
        return LOCAL

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Give several ranges, in order; stores with latency fetch them concurrently."""
        return [self.read(start, stop) for start, stop in ranges]

    def read_all(self) -> bytes:
        """Give all bytes."""
        return self.read(0, self.size)

    def open(self) -> BinaryIO:
        """Give a seekable, buffered, read-only file; the caller closes it."""
        return io.BufferedReader(SourceFile(self), buffer_size=1 << 17)

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Let go of descriptors; the source cannot be read after."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class SourceFile(RawFile):
    """A raw file over a source; `read_all` gives what is read from the beginning to the end at once.

    Parameters
    ----------
    source
        What is read.
    read
        Gives other bytes of it, in place of `ByteSource.read`.
    """

    def __init__(self, source: ByteSource, read: Callable[[int, int], bytes] | None = None) -> None:
        super().__init__(source.size)
        self._source = source
        self._read = read or source.read

    def _bytes(self, start: int, stop: int) -> bytes:
        return self._read(start, stop)

    def readall(self) -> bytes:
        if self._position:
            return self.read()
        data = self._source.read_all()
        self._position = len(data)
        return data
