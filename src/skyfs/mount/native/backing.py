"""Files that the kernel reads by itself: passthrough (Linux 6.9, CAP_SYS_ADMIN)."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from struct import Struct

log = logging.getLogger("skyfs.mount")

# Calls of the device, 1: BACKING_OPEN with a fuse_backing_map (descriptor, flags, padding), 2: BACKING_CLOSE.
_MAP = Struct("=iIQ")
_ID = Struct("=I")
_BACKING_OPEN = 1 << 30 | _MAP.size << 16 | 229 << 8 | 1
_BACKING_CLOSE = 1 << 30 | _ID.size << 16 | 229 << 8 | 2


class Device:
    """The kernel's side: files that it is told of get a number, by which an answer to OPEN names them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, file: int) -> int:
        """Give the number of an open file; OSError when the kernel cannot read through it."""
        # Only for a buffer that could be changed is the kernel's answer given back.
        return int(fcntl.ioctl(self._descriptor, _BACKING_OPEN, bytearray(_MAP.pack(file, 0, 0))))

    def forget(self, number: int) -> None:
        """Give a number back."""
        fcntl.ioctl(self._descriptor, _BACKING_CLOSE, _ID.pack(number))


class _Opened:
    """How a node is open: by which number of the kernel (0: the daemon reads it), and how often."""

    __slots__ = ("count", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0


class Backings:
    """Which open files the kernel reads by itself. Safe from several threads.

    The kernel wants all opens of a node to go the same way.

    Parameters
    ----------
    device
        None: the daemon reads everything.
    """

    def __init__(self, device: Device | None) -> None:
        self._device = device
        self._nodes: dict[int, _Opened] = {}
        self._files: dict[int, int] = {}
        self._lock = threading.Lock()

    def open(self, node: int, file: int, path: str | None, size: int) -> int:
        """Give the kernel's number for the content of an open file of a node; 0: the daemon reads it."""
        descriptor = self._opened(path, size) if path is not None and node not in self._nodes else -1
        try:
            with self._lock:
                found = self._nodes.get(node)
                if found is None:
                    found = self._nodes[node] = _Opened(self._told(descriptor))
                found.count += 1
                self._files[file] = node
                return found.number
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def close(self, file: int) -> None:
        """Note that a file was closed."""
        with self._lock:
            node = self._files.pop(file, None)
            if node is None:
                return
            opened = self._nodes[node]
            opened.count -= 1
            if opened.count:
                return
            del self._nodes[node]
            if opened.number and self._device is not None:
                with suppress(OSError):  # the kernel forgets all when the mount ends
                    self._device.forget(opened.number)

    def _opened(self, path: str, size: int) -> int:
        """Open the local file; -1 when it is not what it was."""
        if self._device is None:
            return -1
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:  # removed since; who has it open reads on
            return -1
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode) and state.st_size == size:
            return descriptor
        os.close(descriptor)
        return -1

    def _told(self, descriptor: int) -> int:
        if descriptor < 0 or self._device is None:
            return 0
        try:
            return self._device.tell(descriptor)
        except OSError as error:
            log.debug("no passthrough: %s", error)
            return 0


def why_not(device: Device, sample: str) -> str:
    """Tell why the kernel cannot read files like a sample by itself; empty when it can."""
    return _attempt(lambda: _try(device, sample))


def _try(device: Device, sample: str) -> None:
    descriptor = os.open(sample, os.O_RDONLY | os.O_CLOEXEC)
    try:
        device.forget(device.tell(descriptor))
    finally:
        os.close(descriptor)


def _attempt(trial: Callable[[], None]) -> str:
    try:
        trial()
    except PermissionError:
        return "the daemon has no CAP_SYS_ADMIN"
    except OSError as error:
        return f"the kernel says {error.strerror!r}"
    return ""
