"""How far stores are asked: the contract of requests, and those of any fsspec filesystem."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from skyfs.abc.store import Stat

from .keys import folder_of
from .remote_loop import AT_ONCE

CHUNK_BYTES = 1 << 20
Take = Callable[[bytes], object]


class Requests(ABC):
    """The requests of one store, all made in the event loop. Foreign errors leave them as they are."""

    @abstractmethod
    async def stat(self, key: str) -> Stat:
        """Ask for size and time, in one request."""

    @abstractmethod
    async def fetch(self, key: str, ends: tuple[int, int] | None, take: Take) -> int | None:
        """Ask for these bytes (None: all) in one request, and hand them over in order as they come.

        Returns the size of the whole, when the server tells it. Fewer bytes than asked for is no error here.
        """

    @abstractmethod
    def pages(self, prefix: str) -> AsyncIterator[list[tuple[str, Stat]]]:
        """Give all keys that begin with the prefix, some at a time."""

    async def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes on their way: a local file, open for reading by position, and what is to be kept beside them.

    Attributes
    ----------
    token
        By which the object is known as this very upload's.
    """

    descriptor: int
    size: int
    mtime_ns: int
    token: str


class Uploads(Requests):
    """The requests of a store that can be written."""

    @abstractmethod
    async def upload(self, key: str, upload: Upload, gate: asyncio.Semaphore) -> None:
        """Put an object where none is, whole or not at all; a foreign error of status 412 when one is there.

        ``gate`` bounds how many large buffers are in memory.
        """

    @abstractmethod
    async def identify(self, key: str) -> str:
        """Give a text that tells this object from all that were and will be there; empty: there is none.

        It begins with the token of its upload and a space.
        """

    @abstractmethod
    async def remove(self, key: str, identity: str) -> None:
        """Delete a key if that very object lies there."""

    @abstractmethod
    async def set_aside(self, key: str, identity: str, target: str) -> str:
        """Move that very object to another key; give where it is now, or nothing when it is another one."""

    @abstractmethod
    async def abort(self, key: str) -> None:
        """Throw away what unfinished uploads left at the server."""


class FsspecRequests(Requests):
    """Any filesystem of fsspec, read in threads."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        from fsspec.core import url_to_fs

        self._fs: Any
        self._fs, root = url_to_fs(url, **options)
        self._root = root.rstrip("/")
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="skyfs-fsspec")

    async def stat(self, key: str) -> Stat:
        return _stat(await self._do(self._fs.info, self._path(key)), key)

    async def fetch(self, key: str, ends: tuple[int, int] | None, take: Take) -> int | None:
        if self._fs.async_impl:
            start, stop = ends if ends is not None else (None, None)
            take(await self._do(self._fs.cat_file, self._path(key), start, stop))
        else:
            await self._do(self._stream, self._path(key), ends, take)
        return None

    async def pages(self, prefix: str) -> AsyncIterator[list[tuple[str, Stat]]]:
        folder = folder_of(prefix)
        found = await self._do(self._find, self._path(folder) if folder else self._root)
        skip = len(self._root) + 1 if self._root else 0
        keys = ((path[skip:], info) for path, info in found.items() if info["type"] == "file")
        yield [(key, _stat(info, key)) for key, info in keys if key.startswith(prefix)]

    async def close(self) -> None:
        fs, self._fs = self._fs, None
        close = getattr(fs, "close", None)
        if callable(close):
            await self._do(close)
        self._pool.shutdown(wait=False)

    async def _do(self, act: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - of fsspec
        return await asyncio.get_running_loop().run_in_executor(self._pool, act, *arguments)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if self._root else key

    def _find(self, folder: str) -> Mapping[str, Mapping[str, Any]]:
        try:
            return dict(self._fs.find(folder, detail=True))
        except FileNotFoundError:
            return {}

    def _stream(self, path: str, ends: tuple[int, int] | None, take: Take) -> None:
        with self._fs.open(path, "rb") as file:
            start, stop = ends if ends is not None else (0, None)
            file.seek(start)
            while stop is None or start < stop:
                data = file.read(CHUNK_BYTES if stop is None else min(CHUNK_BYTES, stop - start))
                if not data:
                    break
                start += len(data)
                take(data)


def _stat(info: Mapping[str, Any], key: str) -> Stat:
    if info["type"] != "file":
        raise FileNotFoundError(key)
    return Stat(int(info["size"]), _mtime_ns(info))


def _mtime_ns(info: Mapping[str, Any]) -> int:
    """Give the time of change, which filesystems tell under different names; 0 when they do not."""
    for name in ("mtime", "LastModified", "last_modified", "modified", "updated", "created", "date_time"):
        found = info.get(name)
        if isinstance(found, tuple):
            found = datetime(*found[:6]).replace(tzinfo=UTC)  # noqa: DTZ001 - zip files know no zones
        if isinstance(found, datetime):
            return int(found.timestamp() * 1e9)
        if isinstance(found, int | float):
            return int(found * 1e9)
    return 0
