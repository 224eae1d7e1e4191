"""Requests about open files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping

from ..failures import Refusal
from ..handles import Handle
from ..operations import Operations
from .backing import Backings
from .nodes import Nodes, is_changing, stale_when_absent, token_of
from .protocol import (
    CREATE_IN,
    FALLOCATE_IN,
    HANDLE_IN,
    OPEN_IN,
    OPEN_OUT,
    READ_IN,
    WRITE_OUT,
    Opcode,
    Opened,
    Request,
)


class Files:
    """Answers them. Each method takes a request and gives the body of the answer."""

    def __init__(self, operations: Operations, nodes: Nodes, backings: Backings) -> None:
        self._operations = operations
        self._nodes = nodes
        self._backings = backings
        self.handlers: Mapping[int, Callable[[Request], bytes]] = {
            Opcode.OPEN: self.open,
            Opcode.CREATE: self.create,
            Opcode.READ: self.read,
            Opcode.WRITE: self.write,
            Opcode.FALLOCATE: self.allocate,
            Opcode.FLUSH: self.flush,
            Opcode.FSYNC: self.sync,
            Opcode.RELEASE: self.release,
        }

    # -- opening ---------------------------------------------------------------------------------------

    def open(self, request: Request) -> bytes:
        """Answer OPEN."""
        flags, _ = OPEN_IN.unpack_from(request.body)
        token = token_of(request.node)
        begun = self._nodes.begun.take(token, request.caller()) if token else None
        number, handle = begun or self._open(request, flags)
        if not token and handle.token:
            self._begin(request, number, handle)
            raise Refusal(errno.ESTALE)
        try:
            answer = self._opened(request.node, number, handle, is_reading=not flags & os.O_ACCMODE)
        except BaseException:
            self._operations.release(number)
            raise
        request.undo = lambda: self._release(number)
        return answer

    def create(self, request: Request) -> bytes:
        """Answer CREATE: make a file and open it."""
        flags, mode, umask, _ = CREATE_IN.unpack_from(request.body)
        path = self._nodes.below(request.node, request.name(CREATE_IN.size))
        number, handle = self._operations.create(path, flags, mode, request.caller(umask))
        try:
            _, entry = self._nodes.written(handle.token)
        except BaseException:
            self._operations.release(number)
            raise
        request.undo = lambda: self._release(number)
        return entry + _written(number, handle)

    def _open(self, request: Request, flags: int) -> tuple[int, Handle]:
        path = self._nodes.path(request.node)
        with stale_when_absent():
            number, handle = self._operations.open(path, flags, request.caller())
        try:
            self._require_same(request.node, path, handle)
        except BaseException:
            self._operations.release(number)
            raise
        return number, handle

    def _begin(self, request: Request, number: int, handle: Handle) -> None:
        """Let the kernel come back for what takes the place of the dataset that it asked for."""
        for late in self._nodes.begun.put(number, handle, handle.path, request.caller()):
            self._operations.release(late)

    def _require_same(self, node: int, path: str, handle: Handle) -> None:
        if handle.token:
            return
        if handle.node.is_dir:
            raise Refusal(errno.EISDIR)
        found = {
            "st_ino": handle.node.inode,
            "st_size": handle.node.size,
            "st_mtime": handle.node.mtime_ns,
        }
        self._nodes.require(node, path, found)

    def _opened(self, node: int, number: int, handle: Handle, *, is_reading: bool) -> bytes:
        """Choose how the kernel reads it: by itself, or asking and keeping pages, or asking each time."""
        if handle.token:
            return _written(number, handle)
        flags = Opened.NO_FLUSH if is_reading else 0
        if is_changing(handle.path):
            direct = handle.path.startswith("/.repo/")
            return OPEN_OUT.pack(number, flags | (Opened.DIRECT_IO if direct else 0), 0)
        backing = self._backings.open(node, number, handle.source.local_path, handle.node.size)
        flags |= Opened.PASSTHROUGH if backing else Opened.KEEP_CACHE
        return OPEN_OUT.pack(number, flags, backing)

    # -- bytes -----------------------------------------------------------------------------------------

    def read(self, request: Request) -> bytes:
        """Answer READ: give bytes of an open file."""
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        return self._operations.read(number, size, offset)

    def write(self, request: Request) -> bytes:
        """Answer WRITE: write to an open file."""
        number, offset, size, *_ = READ_IN.unpack_from(request.body)
        data = request.body[READ_IN.size : READ_IN.size + size]
        if len(data) != size or offset + size > _MOST_BYTES:
            raise Refusal(errno.EINVAL)
        return WRITE_OUT.pack(self._operations.write(number, data, offset))

    def allocate(self, request: Request) -> bytes:
        """Answer FALLOCATE: take the disk that a range of a file needs."""
        number, offset, length, mode = FALLOCATE_IN.unpack_from(request.body)
        if offset + length > _MOST_BYTES:
            raise Refusal(errno.EFBIG)
        self._operations.fallocate(number, mode, offset, length)
        return b""

    # -- closing ---------------------------------------------------------------------------------------

    def flush(self, request: Request) -> bytes:
        """Answer FLUSH: a descriptor of an open file was closed."""
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._operations.handles.get(number)
        self._operations.flush(number, request.caller())
        return b""

    def sync(self, request: Request) -> bytes:
        """Answer FSYNC: make what was written durable."""
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._operations.fsync(number)
        return b""

    def release(self, request: Request) -> bytes:
        """Answer RELEASE: the last descriptor of an open file was closed."""
        (number,) = HANDLE_IN.unpack_from(request.body)
        self._release(number)
        return b""

    def _release(self, number: int) -> None:
        self._backings.close(number)
        self._operations.release(number)


# Offsets and sizes of files are signed.
_MOST_BYTES = (1 << 63) - 1


def _written(number: int, handle: Handle) -> bytes:
    return OPEN_OUT.pack(number, Opened.DIRECT_IO if handle.direct else 0, 0)
