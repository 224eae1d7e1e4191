"""Requests about names and attributes."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping

from ..failures import Refusal
from ..operations import Operations
from . import answers
from .nodes import Nodes
from .protocol import (
    ACCESS_IN,
    BATCH_FORGET_IN,
    FORGET_IN,
    FORGET_ONE,
    GETATTR_FH,
    GETATTR_IN,
    STATFS_OUT,
    XATTR_IN,
    XATTR_OUT,
    Opcode,
    Request,
)


class Looking:
    """Answers them. Each method takes a request and gives the body of the answer."""

    def __init__(self, operations: Operations, nodes: Nodes) -> None:
        self._operations = operations
        self._nodes = nodes
        self.handlers: Mapping[int, Callable[[Request], bytes]] = {
            Opcode.LOOKUP: self.look_up,
            Opcode.GETATTR: self.getattr,
            Opcode.ACCESS: self.access,
            Opcode.STATFS: self.statfs,
            Opcode.GETXATTR: self.getxattr,
            Opcode.LISTXATTR: self.listxattr,
        }
        # The kernel does not wait for an answer to these.
        self.silent: Mapping[int, Callable[[Request], None]] = {
            Opcode.FORGET: self.forget,
            Opcode.BATCH_FORGET: self.batch_forget,
        }

    def look_up(self, request: Request) -> bytes:
        """Answer LOOKUP: give the node of a name in a folder."""
        try:
            node, entry = self._nodes.look_up(request.node, request.name(), request.caller())
        except Refusal as refusal:
            if refusal.errno == errno.ENOENT:
                return answers.ABSENT
            raise
        request.undo = lambda: self._nodes.numbers.forget(node, 1)
        return entry

    def forget(self, request: Request) -> None:
        """Take FORGET: the kernel knows a node no more."""
        (count,) = FORGET_IN.unpack_from(request.body)
        self._nodes.numbers.forget(request.node, count)

    def batch_forget(self, request: Request) -> None:
        """Take BATCH_FORGET: the kernel knows several nodes no more."""
        (count,) = BATCH_FORGET_IN.unpack_from(request.body)
        stop = BATCH_FORGET_IN.size + count * FORGET_ONE.size
        if stop > len(request.body):
            raise struct.error("shorter than it says")
        for node, given in FORGET_ONE.iter_unpack(request.body[BATCH_FORGET_IN.size : stop]):
            self._nodes.numbers.forget(node, given)

    def getattr(self, request: Request) -> bytes:
        """Answer GETATTR: give the attributes of a node."""
        flags, number = GETATTR_IN.unpack_from(request.body)
        if not flags & GETATTR_FH:
            return answers.attr_out(*self._nodes.attributes(request.node))
        found = self._operations.getattr("", number)
        return answers.attr_out(found, self._nodes.validities.changing)

    def access(self, request: Request) -> bytes:
        """Answer ACCESS: refuse what may not be done."""
        (mode,) = ACCESS_IN.unpack_from(request.body)
        self._operations.access(self._nodes.path(request.node), mode)
        return b""

    def statfs(self, request: Request) -> bytes:  # noqa: ARG002 - it is the same everywhere
        """Answer STATFS: give the state of the filesystem."""
        found = self._operations.statfs("/")
        names = ("blocks", "bfree", "bavail", "files", "ffree", "bsize", "namemax", "frsize")
        return STATFS_OUT.pack(*(found[f"f_{name}"] for name in names))

    def getxattr(self, request: Request) -> bytes:
        """Answer GETXATTR: give an extended attribute."""
        size, _ = XATTR_IN.unpack_from(request.body)
        (name,) = request.texts(XATTR_IN.size, 1)
        return _sized(self._operations.getxattr(self._nodes.path(request.node), name), size)

    def listxattr(self, request: Request) -> bytes:
        """Answer LISTXATTR: give the names of the extended attributes."""
        size, _ = XATTR_IN.unpack_from(request.body)
        names = self._operations.listxattr(self._nodes.path(request.node))
        return _sized(b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names), size)


def _sized(value: bytes, size: int) -> bytes:
    """Give a value, or, when the kernel asks with size 0, how long it is."""
    if size == 0:
        return XATTR_OUT.pack(len(value))
    if len(value) > size:
        raise Refusal(errno.ERANGE)
    return value
