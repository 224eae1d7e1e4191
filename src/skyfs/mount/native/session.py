"""A mount of this engine, from INIT to its end."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from ...errors import StoreError
from ..operations import Operations
from ..serving import Serving
from .answers import Validities
from .backing import Backings, Device, why_not
from .device import MAX_BYTES, Mounted, open_mount
from .notices import Epochs, Renewal, Watcher
from .protocol import (
    INIT_FLAGS2,
    INIT_IN,
    INIT_OUT,
    MAJOR,
    MINOR,
    OLDEST_MINOR,
    Init,
    Opcode,
    Request,
    answer,
)
from .requests import Requests
from .workers import Workers

_FLAGS = (
    Init.ASYNC_READ | Init.ATOMIC_O_TRUNC | Init.BIG_WRITES | Init.DO_READDIRPLUS
    | Init.ASYNC_DIO | Init.PARALLEL_DIROPS | Init.MAX_PAGES | Init.EXT | Init.PASSTHROUGH
)  # fmt: skip
_32_BITS = (1 << 32) - 1
_PAGE_BYTES = 4096
# Read-ahead of so many requests is on its way at once: a far store answers many as fast as one.
_BACKGROUND = 64
_CONGESTED = 48
# Files may lie on a filesystem that lies on no other (not on overlayfs); one may be laid over this one.
_STACK_DEPTH = 1


@dataclass(frozen=True, slots=True)
class Abilities:
    """What is used of what the kernel offers; tests turn things off.

    Attributes
    ----------
    directly
        Mount by the system's call; None: when root.
    passthrough, epochs
        Use them when the kernel has them.
    """

    directly: bool | None = None
    passthrough: bool = True
    epochs: bool = True


ALL = Abilities()


def mount(serving: Serving, abilities: Abilities = ALL) -> Mounted:
    """Mount; nothing is answered until `serve`.

    Raises
    ------
    MissingPackage
        When there is no FUSE.
    StoreError
        When the kernel, or fusermount3, refuses.
    """
    return open_mount(serving, directly=abilities.directly)


def serve(operations: Operations, serving: Serving, mounted: Mounted, abilities: Abilities = ALL) -> None:
    """Serve until it is unmounted, or the process gets SIGTERM or SIGINT."""
    Session(operations, serving, mounted, abilities).run()


class _End:
    """What a signal may set in the thread that waits for it: an Event would need a lock that it may hold."""

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Let `wait` come back."""
        self._told.put(None)

    def wait(self) -> None:
        """Wait for the first `set`."""
        self._told.get()


class Session:
    """Serves one mount.

    Attributes
    ----------
    requests
        What answers, once it is served.
    """

    def __init__(
        self, operations: Operations, serving: Serving, mounted: Mounted, abilities: Abilities = ALL
    ) -> None:
        self._operations = operations
        self._serving = serving
        self._mounted = mounted
        self._abilities = abilities
        self._ended = _End()
        self.requests: Requests | None = None

    def run(self) -> None:
        """Serve until it is unmounted, or the process gets SIGTERM or SIGINT."""
        try:
            offered = self._begin()
            self._serve(offered)
        finally:
            self._mounted.take_away()
            self._operations.close()
        self._mounted.close()

    def stop(self) -> None:
        """Unmount, and let `run` come back."""
        self._ended.set()

    def _serve(self, offered: int) -> None:
        device = Device(self._mounted.descriptor)
        reason = self._why_no_passthrough(device, offered)
        epochs = Epochs(self._mounted.descriptor) if self._abilities.epochs else None
        has_epochs = epochs is not None and epochs.are_known
        self._operations.follow()
        renewal = Renewal(self._operations.look, epochs.begin if epochs is not None else bool)
        backings = Backings(None if reason else device)
        validities = Validities.of(epochs=has_epochs)
        requests = Requests(self._operations, backings, validities, renewal.renew)
        self.requests = requests
        workers = Workers(self._mounted.descriptor, requests, self._operations.requests.add, self._ended.set)
        watcher = Watcher(renewal.renew)
        watcher.start()
        with _signals(self._ended):
            workers.start()
            self._serving.ready(_text(reason, epochs=has_epochs))
            self._ended.wait()
        watcher.end()

    def _begin(self) -> int:
        """Answer INIT; give the flags that the kernel offers."""
        while True:
            try:
                data = os.read(self._mounted.descriptor, MAX_BYTES + _PAGE_BYTES)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                raise StoreError(f"mount at {self._serving.folder!r}", "it was unmounted at once") from None
            request = Request(memoryview(data))
            if request.opcode == Opcode.INIT:
                body, offered = _agree(request)
                os.write(self._mounted.descriptor, b"".join(answer(request.unique, body)))
                if offered is not None:
                    return offered

    def _why_no_passthrough(self, device: Device, offered: int) -> str:
        if not self._abilities.passthrough:
            return "it is turned off"
        if not offered & Init.PASSTHROUGH:
            return "the kernel is older than 6.9, or built without"
        return why_not(device, self._operations.sample)


def _agree(request: Request) -> tuple[bytes, int | None]:
    """Give the answer to INIT, and the kernel's flags; None when it will ask again in our version."""
    major, minor, read_ahead, flags = INIT_IN.unpack_from(request.body)
    if major > MAJOR:
        return INIT_OUT.pack(MAJOR, MINOR, *(0,) * 10), None
    if major < MAJOR or minor < OLDEST_MINOR:
        raise StoreError("mount", f"the kernel speaks FUSE {major}.{minor}", "Linux 4.18 is the oldest")
    if flags & Init.EXT:
        flags |= INIT_FLAGS2.unpack_from(request.body)[0] << 32
    use = flags & _FLAGS
    body = INIT_OUT.pack(
        MAJOR, min(minor, MINOR), read_ahead, use & _32_BITS, _BACKGROUND, _CONGESTED, MAX_BYTES, 1,
        MAX_BYTES // _PAGE_BYTES, 0, use >> 32, _STACK_DEPTH if use & Init.PASSTHROUGH else 0,
    )  # fmt: skip
    return body, flags


def _text(reason: str, *, epochs: bool) -> str:
    reading = f"no passthrough, because {reason}" if reason else "passthrough"
    return f"native: {reading}, {'epochs' if epochs else 'no epochs'}"


@contextmanager
def _signals(ended: _End) -> Iterator[None]:
    """End on SIGTERM and SIGINT, where this is the thread that gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(name, lambda *_: ended.set()) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
