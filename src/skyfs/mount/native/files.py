"""Requests about open files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping

from ..failures import Refusal
from ..handles import Handle
from ..operations import Operations
from .backing import Backings
from .nodes import Nodes, is_changing
from .protocol import HANDLE_IN, OPEN_IN, OPEN_OUT, READ_IN, Opcode, Opened, Request


class Files:
    """Answers them. Each method takes a request and gives the body of the answer."""

    def __init__(self, operations: Operations, nodes: Nodes, backings: Backings) -> None:
        self._operations = operations
        self._nodes = nodes
        self._backings = backings
        self.handlers: Mapping[int, Callable[[Request], bytes]] = {
            Opcode.OPEN: self.open,
            Opcode.READ: self.read,
            Opcode.RELEASE: self.release,
            Opcode.FLUSH: self.flush,
            Opcode.FSYNC: self.flush,
        }

    def open(self, request: Request) -> bytes:
        flags, _ = OPEN_IN.unpack_from(request.body)
        path = self._nodes.path(request.node)
        number, handle = self._operations.open(path, flags)
        try:
            self._require_same(request.node, path, handle)
            answer = self._opened(request.node, number, handle, is_reading=not flags & os.O_ACCMODE)
        except BaseException:
            self._operations.release(number)
            raise
        request.undo = lambda: self._release(number)
        return answer

    def read(self, request: Request) -> bytes:
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        return self._operations.read(number, size, offset)

    def release(self, request: Request) -> bytes:
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._release(number)
        return b""

    def flush(self, request: Request) -> bytes:
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._operations.handles.get(number)
        return b""

    def _release(self, number: int) -> None:
        self._backings.close(number)
        self._operations.release(number)

    def _require_same(self, node: int, path: str, handle: Handle) -> None:
        found = {
            "st_ino": handle.node.inode,
            "st_size": handle.node.size,
            "st_mtime": handle.node.mtime_ns,
        }
        if handle.node.is_dir:
            raise Refusal(errno.EISDIR)
        self._nodes.require(node, path, found)

    def _opened(self, node: int, number: int, handle: Handle, *, is_reading: bool) -> bytes:
        """Choose how the kernel reads it: by itself, or asking and keeping pages, or asking each time."""
        flags = Opened.NO_FLUSH if is_reading else 0
        if is_changing(handle.path):
            direct = handle.path.startswith("/.repo/")
            return OPEN_OUT.pack(number, flags | (Opened.DIRECT_IO if direct else 0), 0)
        backing = self._backings.open(node, number, handle.source.local_path, handle.node.size)
        flags |= Opened.PASSTHROUGH if backing else Opened.KEEP_CACHE
        return OPEN_OUT.pack(number, flags, backing)
