"""A loopback server seen as if it were far away: each request takes a round trip more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 16


@contextmanager
def far_away(host: str, port: int, latency_s: float) -> Iterator[int]:
    """Give the port of a proxy that passes what clients send on after ``latency_s``; answers come at once.

    What is sent meanwhile waits the same time, not longer: connections do not slow each other down. Opening a
    connection takes no time.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(host, port)
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(_pass(reader, requests, latency_s), _pass(answers, writer, 0.0))

    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(_CHUNK):
            if latency_s:
                loop.call_later(latency_s, writer.write, data)
            else:
                writer.write(data)
        await asyncio.sleep(latency_s)
    finally:
        writer.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
