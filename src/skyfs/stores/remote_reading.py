"""Bytes of far stores: fetched, checked, and copied to local files; all in the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable

from skyfs.abc.store import Expected

from .arriving import arriving, write_all
from .checking import bounded, require_digest, require_size
from .remote_connection import Connection
from .remote_loop import each

Done = Callable[[int], None]
AT_ONCE_BYTES = 1 << 20
"""Up to this size, a file that is copied is held in memory and written at once."""
PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 8
_HASH_BYTES = 1 << 20


async def read(
    connection: Connection,
    key: str,
    ends: tuple[int, int] | None,
    expected: Expected | None,
    done: Done | None = None,
) -> bytes:
    """Make one request for these bytes, or for all, which are checked."""
    blocks: list[bytes] = []
    asked = f"read {key!r} in store {connection.name!r}"
    wanted = None if ends is None else ends[1] - ends[0]
    most = expected.size if wanted is None and expected is not None else wanted
    with connection.asking("read", key):
        total = await connection.requests().fetch(key, ends, bounded(blocks.append, most, asked))
    data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
    require_size(len(data), wanted, total, expected, asked)
    if ends is None and expected is not None and expected.sha256 is not None:
        require_digest(hashlib.sha256(data).digest(), expected.sha256, asked)
    if done is not None:
        done(len(data))
    return data


async def copy(connection: Connection, key: str, expected: Expected | None, target: str, done: Done) -> None:
    """Copy a key to a local file, which is whole or not there."""
    if expected is not None and expected.size <= AT_ONCE_BYTES:
        data = await read(connection, key, None, expected, done)
        with connection.asking(f"copy to {target!r}, of", key), arriving(target) as descriptor:
            write_all(descriptor, data, 0)
        return
    come = 0

    def count(number: int) -> None:
        nonlocal come
        come += number
        done(number)

    try:
        with connection.asking(f"copy to {target!r}, of", key), arriving(target) as descriptor:
            if expected is not None and expected.size > 2 * PART_BYTES:
                await _copy_parts(connection, key, expected, descriptor, count)
            else:
                await _copy_stream(connection, key, expected, descriptor, count)
    except BaseException:
        done(-come)
        raise


async def _copy_stream(
    connection: Connection, key: str, expected: Expected | None, descriptor: int, done: Done
) -> None:
    digest, position = hashlib.sha256(), 0

    def take(chunk: bytes) -> None:
        nonlocal position
        write_all(descriptor, chunk, position)
        position += len(chunk)
        digest.update(chunk)
        done(len(chunk))

    asked = f"read {key!r} in store {connection.name!r}"
    most = None if expected is None else expected.size
    total = await connection.requests().fetch(key, None, bounded(take, most, asked))
    require_size(position, None, total, expected, asked)
    if expected is not None and expected.sha256 is not None:
        require_digest(digest.digest(), expected.sha256, asked)


async def _copy_parts(
    connection: Connection, key: str, expected: Expected, descriptor: int, done: Done
) -> None:
    """Fetch the parts of a huge file at once; a thread digests those that have come, behind them."""
    starts = range(0, expected.size, PART_BYTES)
    arrived = {start: asyncio.get_running_loop().create_future() for start in starts}

    async def fetch(start: int) -> None:
        stop = min(start + PART_BYTES, expected.size)
        await _copy_part(connection, key, expected, (start, stop), descriptor, done)
        arrived[start].set_result(None)

    digesting = asyncio.create_task(_digest(arrived, descriptor, expected))
    try:
        await each(fetch, starts, _PARTS_AT_ONCE)
        found = await digesting
    finally:
        digesting.cancel()
    if expected.sha256 is not None:
        require_digest(found, expected.sha256, f"read {key!r} in store {connection.name!r}")


async def _copy_part(
    connection: Connection,
    key: str,
    expected: Expected,
    ends: tuple[int, int],
    descriptor: int,
    done: Done,
) -> None:
    position, stop = ends

    def take(chunk: bytes) -> None:
        nonlocal position
        # What a server sends beyond the part would spoil its neighbour.
        kept = chunk[: stop - position]
        write_all(descriptor, kept, position)
        position += len(kept)
        done(len(kept))

    total = await connection.requests().fetch(key, ends, take)
    asked = f"read bytes {ends[0]} to {stop} of {key!r} in store {connection.name!r}"
    require_size(position - ends[0], stop - ends[0], total, expected, asked)


async def _digest(arrived: dict[int, asyncio.Future[None]], descriptor: int, expected: Expected) -> bytes:
    digest = hashlib.sha256()
    for start, part in arrived.items():
        await part
        if expected.sha256 is not None:
            stop = min(start + PART_BYTES, expected.size)
            await asyncio.to_thread(_update, digest, descriptor, start, stop)
    return digest.digest()


def _update(digest: hashlib._Hash, descriptor: int, start: int, stop: int) -> None:
    for position in range(start, stop, _HASH_BYTES):
        digest.update(os.pread(descriptor, min(_HASH_BYTES, stop - position), position))
