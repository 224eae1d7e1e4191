"""A store far away: files below the URL of any fsspec filesystem."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Batch, Claims, Expected, Stat, Store
from skyfs.errors import ReadOnly, SkyfsError, StoreError
from skyfs.model.ranges import REMOTE, Cost

from . import remote_reading
from .ahead import reading_ahead
from .folders import Folders
from .journal import Journal
from .keys import QUARANTINE, check_key, check_prefix
from .many import all_or_raise
from .recovery import claims
from .remote_connection import Connection
from .remote_loop import each, run
from .remote_requests import Uploads

Done = Callable[[int], None]


class RemoteStore(Store):
    """Files below a URL; it fetches many keys at once (`skyfs.abc.store.FetchesMany`).

    Parameters
    ----------
    url
        ``s3://bucket/prefix``; read-only are ``http(s)://...``, ``zip://inside::URL`` and the URLs of all
        other fsspec filesystems.
    name
        Name of the store in messages.
    options
        Of the fsspec filesystem; never shown.
    folders
        A local folder, which need not exist, for what is being written: intents, and files before they are
        uploaded. None: the store is read-only. Nothing is made there before the first write.
    writable
        False: nothing is written; who writes is read from ``folders`` all the same.
    cost
        What reading costs, by which parts of files are planned.

    Notes
    -----
    Safe from several threads, and after fork. No request is made before the first read; nothing is tried
    again here. Keys must be encodable as UTF-8. Times of change of what skyfs wrote are kept beside the
    bytes; `scan` gives the server's own, which cost nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        options: Mapping[str, Any] | None = None,
        folders: Folders | None = None,
        cost: Cost = REMOTE,
        writable: bool = True,
    ) -> None:
        self.name = name
        self._cost = cost
        self._connection = Connection(url, options or {}, name)
        self.writable = writable and folders is not None and self._connection.conditional
        self._folders = folders
        self._journal: Journal | None = None

    def __repr__(self) -> str:
        return f"RemoteStore({self.name!r}, {self._connection.protocol}://...)"

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:
        size = self.stat(key).size if expected is None else expected.size
        self._check(key)
        return RemoteSource(self._connection, key, expected or Expected(size), self._cost)

    def stat(self, key: str) -> Stat:
        self._check(key)

        async def ask() -> Stat:
            with self._connection.asking("stat", key):
                return await self._connection.requests().stat(key)

        return run(ask())

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        check_prefix(prefix, self.name)
        pages = self._connection.requests().pages(prefix)

        async def turn() -> list[tuple[str, Stat]] | None:
            with self._connection.asking("scan of", prefix):
                return await anext(pages, None)

        try:
            while (page := run(turn())) is not None:
                yield from (one for one in page if self._is_key(one[0]))
        finally:
            run(cast("Any", pages).aclose())

    def begin(self) -> Batch:
        from .remote_batch import RemoteBatch

        if not self.writable or self._folders is None:
            raise _read_only(self.name)
        if self._journal is None or not self._journal.usable:
            self._journal = Journal(self._folders)
            weakref.finalize(self, self._journal.close)
        return RemoteBatch(self, self._connection, self._folders, self._journal)

    def recover(self, committed: Callable[[str], bool]) -> int:
        from .remote_recovery import recover

        if not self.writable or self._folders is None:
            return 0
        return recover(self._folders, self._connection, committed)

    @property
    def can_set_aside(self) -> bool:
        """See `skyfs.abc.store.SetsAside`."""
        return self._folders is not None and self._connection.conditional

    def claims(self) -> Claims:
        """See `skyfs.abc.store.SetsAside`."""
        return Claims() if self._folders is None else claims(self._folders)

    def identify(self, key: str) -> str:
        """See `skyfs.abc.store.SetsAside`."""
        self._check(key)
        with self._connection.asking("stat", key):
            requests = self._connection.requests()
            return run(requests.identify(key)) if isinstance(requests, Uploads) else ""

    def set_aside(self, key: str, identity: str, folder: str) -> str:
        """See `skyfs.abc.store.SetsAside`."""
        self._check(key)
        requests = self._connection.requests()
        if not self.writable or not isinstance(requests, Uploads):
            raise _read_only(self.name)
        with self._connection.asking("set aside", key):
            return run(requests.set_aside(key, identity, f"{QUARANTINE}/{folder}/{key}"))

    def close(self) -> None:
        """Close the connections and the journal; batches in flight are left to recovery."""
        if self._journal is not None:
            self._journal.close()
        self._connection.close()

    def read_many(self, items: Sequence[tuple[str, Expected | None]], done: Done) -> list[bytes | SkyfsError]:
        """See `skyfs.abc.store.FetchesMany`."""

        async def read(item: tuple[str, Expected | None]) -> bytes | SkyfsError:
            key, expected = item
            try:
                self._check(key)
                return await remote_reading.read(self._connection, key, None, expected, done)
            except SkyfsError as error:
                return error

        return run(each(read, items))

    def copy_many(
        self, items: Sequence[tuple[str, Expected | None, str]], done: Done
    ) -> list[SkyfsError | None]:
        """See `skyfs.abc.store.FetchesMany`."""

        async def copy(item: tuple[str, Expected | None, str]) -> SkyfsError | None:
            key, expected, target = item
            try:
                self._check(key)
                await remote_reading.copy(self._connection, key, expected, target, done)
            except SkyfsError as error:
                return error
            return None

        return run(each(copy, items))

    def _check(self, key: str) -> None:
        check_key(key, self.name)
        if not key.isascii() and not _is_text(key):
            raise StoreError(
                f"key {key!r} in store {self.name!r}", "it is no text", "choose an encodable name"
            )

    def _is_key(self, key: str) -> bool:
        """Tell whether a found name is a key: not a mark of a folder, nor what skyfs keeps for itself."""
        try:
            self._check(key)
        except StoreError:
            return False
        return True


class RemoteSource(ByteSource):
    """Bytes far away, asked for when they are read."""

    def __init__(self, connection: Connection, key: str, expected: Expected, cost: Cost) -> None:
        self._connection, self._key, self._expected = connection, key, expected
        self._cost = cost
        self._closed = False

    @property
    def cost(self) -> Cost:
        return self._cost

    @property
    def size(self) -> int:
        return self._expected.size

    def read(self, start: int, stop: int) -> bytes:
        """Give bytes of one request."""
        return self.read_many([(start, stop)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Give several ranges, each of one request, many on their way at once."""
        return all_or_raise(self.try_many(ranges))

    def try_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes | SkyfsError]:
        """See `skyfs.stores.many.TriesRanges`."""
        return run(each(self._try, [self._clipped(*ends) for ends in ranges]))

    def read_all(self) -> bytes:
        """Give all bytes of one request; raises WrongBytes when they are not the expected ones."""
        self._require_open()
        return run(remote_reading.read(self._connection, self._key, None, self._expected))

    def open(self) -> BinaryIO:
        self._require_open()
        return reading_ahead(self)

    def close(self) -> None:
        self._closed = True

    async def _try(self, ends: tuple[int, int]) -> bytes | SkyfsError:
        if ends[0] == ends[1]:
            return b""
        try:
            return await remote_reading.read(self._connection, self._key, ends, self._expected)
        except SkyfsError as error:
            return error

    def _clipped(self, start: int, stop: int) -> tuple[int, int]:
        self._require_open()
        if start < 0:
            raise StoreError(self._asked(), "the start is negative", "count from the first byte")
        stop = min(stop, self.size)
        return (start, stop) if start < stop else (0, 0)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(self._asked(), "the source is closed", "open it again")

    def _asked(self) -> str:
        return f"read {self._key!r} in store {self._connection.name!r}"


def _read_only(store: str) -> ReadOnly:
    return ReadOnly(f"write in store {store!r}", "it is read-only", "name a store that can be written")


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
