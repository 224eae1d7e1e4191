"""The event loop in which far stores ask: one thread in each process, begun at the first question."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")
_A = TypeVar("_A")

AT_ONCE = 64
"""How many questions of one call are on their way at once."""


class Closing(Protocol):
    """What holds connections."""

    async def close(self) -> None:
        """Let go of them."""


_state_lock = threading.Lock()
_open: weakref.WeakSet[Closing] = weakref.WeakSet()
_closing: set[asyncio.Task[None]] = set()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_STOP_S = 5.0
_of_parents: list[object] = []
"""What a forked child inherits and must never end: its sockets and its epoll set are the parent's too."""


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end; safe from several threads, but not from the loop's own."""
    future = asyncio.run_coroutine_threadsafe(work, loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()  # an interrupt (Ctrl-C) ends the work too
        raise


def loop() -> asyncio.AbstractEventLoop:
    """Give the loop of this process."""
    global _loop, _thread  # noqa: PLW0603 - one loop for each process
    with _state_lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="skyfs-stores", daemon=True)
            _thread.start()
        return _loop


def close_later(found: Closing) -> None:
    """Close something in the loop, without waiting: destructors may run in any thread, the loop's too."""
    if _loop is not None and _loop.is_running():
        _loop.call_soon_threadsafe(_close_soon, found)


def close_at_end(found: Closing) -> None:
    """Close something before the loop ends with the process."""
    _open.add(found)


def leave_to_parent(inherited: object) -> None:
    """Keep what a forked child found, so that its destructors never run there."""
    _of_parents.append(inherited)


async def each(
    work: Callable[[_A], Coroutine[Any, Any, _T]], items: Iterable[_A], at_once: int = AT_ONCE
) -> list[_T]:
    """Do something for all items, some at a time, in order; the first error ends all."""
    numbered = list(enumerate(items))
    waiting = iter(numbered)
    results: dict[int, _T] = {}

    async def take() -> None:
        for number, item in waiting:
            results[number] = await work(item)

    tasks = [asyncio.create_task(take()) for _ in numbered[:at_once]]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[number] for number in range(len(results))]


def _close_soon(found: Closing) -> None:
    task = asyncio.get_running_loop().create_task(found.close())
    _closing.add(task)  # else it may be collected before it ends
    task.add_done_callback(_closing.discard)


async def _close_all() -> None:
    await asyncio.gather(*_closing, *(found.close() for found in list(_open)), return_exceptions=True)


def _stop() -> None:
    if _loop is None or _thread is None:
        return
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_close_all(), _loop).result(_STOP_S)
    _loop.call_soon_threadsafe(_loop.stop)
    _thread.join(_STOP_S)
    if not _thread.is_alive():
        _loop.close()


def _begin_afresh() -> None:
    global _loop, _thread, _state_lock
    _of_parents.append((_loop, _thread, list(_open), list(_closing)))
    _open.clear()
    _closing.clear()
    _loop, _thread, _state_lock = None, None, threading.Lock()


atexit.register(_stop)
os.register_at_fork(after_in_child=_begin_afresh)
