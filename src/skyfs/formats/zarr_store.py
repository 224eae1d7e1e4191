"""Contents as a store of zarr-python. This module imports zarr."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from skyfs.abc.contents import Contents
from skyfs.abc.source import ByteSource
from skyfs.errors import NotFound, ReadOnly


class ContentsStore(Store):
    """Reads keys as files inside of a dataset, in threads: several chunks are fetched at a time."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, contents: Contents, source: ByteSource) -> None:
        super().__init__(read_only=True)
        self._contents = contents
        self._source = source

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        try:
            data = await asyncio.to_thread(self._read, key, byte_range)
        except NotFound:
            return None
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        try:
            return not self._contents.entry(key).is_dir
        except NotFound:
            return False

    async def set(self, key: str, value: Buffer) -> None:  # noqa: ARG002 - zarr's signature
        raise _read_only(key)

    async def delete(self, key: str) -> None:
        raise _read_only(key)

    async def list(self) -> AsyncIterator[str]:
        for entry in self._contents.files():
            yield entry.path

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for entry in self._contents.files():
            if entry.path.startswith(prefix):
                yield entry.path

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for entry in self._contents.children(prefix.rstrip("/")):
            yield entry.name

    def _read(self, key: str, part: ByteRequest | None) -> bytes:
        if self._contents.entry(key).is_dir:
            raise NotFound(f"no file {key!r}")
        # The source is the caller's: what is opened here is not closed.
        file = self._contents.open(self._source, key)
        if isinstance(part, RangeByteRequest):
            return file.read(part.start, part.end)
        if isinstance(part, OffsetByteRequest):
            return file.read(part.offset, file.size)
        if isinstance(part, SuffixByteRequest):
            return file.read(max(file.size - part.suffix, 0), file.size)
        return file.read_all()


def _read_only(key: str) -> ReadOnly:
    return ReadOnly(f"write {key!r}", "a dataset does not change", "write another one")
