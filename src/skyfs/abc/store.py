"""Bytes by key: the contract that every store fulfils, and what it does not promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol, runtime_checkable

from skyfs.errors import SkyfsError

from .source import ByteSource


class Adoption(StrEnum):
    """How a store takes in a file that exists already."""

    COPY = "copy"
    MOVE = "move"
    LINK = "link"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Stat:
    """What a store knows of a key without reading it."""

    size: int
    mtime_ns: int
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Content:
    """What was written under a key: size in bytes, sha256 (absent when never read), time of change."""

    size: int
    sha256: bytes | None
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What the registry knows of the bytes under a key: size, and sha256 when they were ever read."""

    size: int
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What writers are about to do.

    Attributes
    ----------
    live
        Keys that writers who live are about to write or to delete.
    dead
        The same of writers who died, until `Store.recover` has decided about them.
    dead_writers
        How many of these have left something behind.
    """

    live: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    dead_writers: int = 0


class Batch(ABC):
    """Writes and deletions that take effect together.

    The order of calls is ``create``/``adopt``/``delete`` any number of times, ``publish``, then, when the
    registry has committed, ``settle``; or ``undo`` at any point before ``settle``. When the process dies
    anywhere between, `Store.recover` finishes it or undoes it. A batch belongs to one thread.
    """

    @abstractmethod
    def create(self, key: str) -> BinaryIO:
        """Give a seekable file, open for writing and reading, whose bytes will lie under ``key``.

        The caller closes it before `publish`. Nothing is visible under ``key`` yet.

        Raises
        ------
        Exists
            When bytes lie under that key, or this batch writes it already.
        StoreError
            When the store refuses (disk full, no permission).
        """

    @abstractmethod
    def adopt(self, key: str, path: str, how: Adoption) -> None:
        """Take the local file at ``path`` in under ``key``.

        ``MOVE`` takes the source away at `settle`, never earlier.

        Raises
        ------
        Exists, StoreError
            As `create`; also StoreError when ``path`` cannot be read or linked to.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete at `settle` what lies under ``key`` now; that it is gone by then, or newer, is no error."""

    @abstractmethod
    def publish(self) -> Mapping[str, Content]:
        """Make all created and adopted keys durable and readable; give what each holds.

        ``sha256`` is None for LINK and SYMLINK, whose bytes are not read.

        Raises
        ------
        Exists
            When another writer took one of the keys meanwhile; committed bytes are never touched.
        """

    @abstractmethod
    def settle(self) -> None:
        """Forget the intent, delete what `delete` named, drop moved sources. Called after the commit."""

    @abstractmethod
    def undo(self) -> None:
        """Take all back, as if the batch had never been."""


class Store(ABC):
    """Bytes by key.

    Keys are relative ``/``-paths without empty, ``.`` or ``..`` parts; a store refuses others with
    StoreError, so that nothing leaves its root. Bytes under a key never change: a key is created, read,
    deleted. Methods are safe from several threads and processes at once. Not promised: listing order,
    and that `scan` sees keys that others create meanwhile.
    """

    name: str
    writable: bool

    @abstractmethod
    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        """Open a key for reading.

        A store with latency asks nothing before the first read when it is told what to expect: errors come
        then. `ByteSource.read_all` of such a store raises StoreError when the bytes are not the expected
        ones; a store that keeps copies names them by the digest.

        Raises
        ------
        NotFound
            When nothing lies there.
        StoreError
            When it cannot be read.
        """

    @abstractmethod
    def stat(self, key: str) -> Stat:
        """Tell size and time of a key; raises as `open`."""

    @abstractmethod
    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """Give every key that begins with ``prefix``; what skyfs keeps for itself is left out."""

    @abstractmethod
    def begin(self) -> Batch:
        """Begin a batch of writes.

        Raises
        ------
        ReadOnly
            When the store cannot be written.
        """

    @abstractmethod
    def recover(self, committed: Callable[[str], bool]) -> int:
        """Finish or undo the batches of writers that died; give how many keys were undone.

        ``committed(key)`` tells whether the registry names the key: if so its bytes are kept, else they are
        removed if that batch made them. Batches of live writers, in this or another process, are left alone.
        Time is proportional to what was in flight.
        """

    def close(self) -> None:  # noqa: B027 - most stores hold nothing
        """Let go of what is open; a later call opens it again."""


@runtime_checkable
class FetchesMany(Protocol):
    """A store with latency, which fetches many keys at once over many connections."""

    def read_many(
        self, items: Sequence[tuple[str, Expected | None]], done: Callable[[int], None]
    ) -> list[bytes | SkyfsError]:
        """Give the whole bytes of many keys, in order; what fails, as an error in its place.

        ``done`` is called, from any thread, with the number of bytes that have come since the last call.
        """

    def copy_many(
        self, items: Sequence[tuple[str, Expected | None, str]], done: Callable[[int], None]
    ) -> list[SkyfsError | None]:
        """Copy many keys to local files, whose folders exist; give what failed, in order.

        A file is whole, or not there. Memory does not grow with the files' sizes. ``done`` as in `read_many`.
        """


@runtime_checkable
class SetsAside(Protocol):
    """A store whose files can be judged beside live writers, and moved out of the way instead of deleted."""

    @property
    def can_set_aside(self) -> bool:
        """Whether that is so for this one, when it is opened for writing."""

    def claims(self) -> Claims:
        """Tell what writers are about to do; writes nothing."""

    def identify(self, key: str) -> str:
        """Give a text that tells what lies under a key from all that was and will be; empty: nothing does."""

    def set_aside(self, key: str, identity: str, folder: str) -> str:
        """Move what lies under a key into a folder of the store's quarantine, if it is still the same.

        Gives where it is now; empty when it is not the same any more, and nothing was done.

        Raises
        ------
        ReadOnly
            When the store cannot be written.
        StoreError
            When it cannot be moved.
        """


@runtime_checkable
class Wraps(Protocol):
    """A store around another one."""

    @property
    def behind(self) -> Store:
        """The store behind; of several, the first."""
