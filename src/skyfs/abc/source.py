"""Readable bytes of known size."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
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
        return io.BufferedReader(_SourceFile(self), buffer_size=1 << 17)

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Let go of descriptors; the source cannot be read after."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _SourceFile(RawFile):
    """A raw file over a source."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__(source.size)
        self._source = source

    def readall(self) -> bytes:
        """Read the rest at once: the base class would ask for 8 KiB at a time."""
        source, start = self._source, self._position
        data = source.read(start, source.size) if start else source.read_all()
        self._position += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.read(self._position, self._position + len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
