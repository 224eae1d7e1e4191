"""Requests that change names and attributes."""

from __future__ import annotations

import errno
import stat
import time
from collections.abc import Callable, Mapping

from ..failures import Refusal
from ..operations import Operations
from . import answers
from .answers import Validity
from .nodes import Nodes, token_of
from .protocol import (
    LINK_IN,
    MKDIR_IN,
    MKNOD_IN,
    RENAME2_IN,
    RENAME_IN,
    SETATTR_IN,
    XATTR_IN,
    Opcode,
    Request,
    Valid,
)

_NS = 1_000_000_000
_MOST_BYTES = (1 << 63) - 1


class Wanted:
    """What SETATTR wants: None, or -1 for an owner, leaves a thing as it is."""

    def __init__(self, request: Request) -> None:
        valid, number, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, uid, gid = (
            SETATTR_IN.unpack_from(request.body)
        )
        if valid & Valid.SIZE and size > _MOST_BYTES:
            raise Refusal(errno.EFBIG)
        self.opened = number if valid & Valid.FH else None
        self.size = size if valid & Valid.SIZE else None
        self.mode = stat.S_IMODE(mode) if valid & Valid.MODE else None
        self.owner = (uid if valid & Valid.UID else -1, gid if valid & Valid.GID else -1)
        self.times = (
            _time_ns(valid & Valid.ATIME, valid & Valid.ATIME_NOW, atime, atime_ns),
            _time_ns(valid & Valid.MTIME, valid & Valid.MTIME_NOW, mtime, mtime_ns),
        )


def _time_ns(is_wanted: int, is_now: int, seconds: int, ns: int) -> int | None:
    if not is_wanted:
        return None
    signed = seconds - (1 << 64) if seconds > _MOST_BYTES else seconds
    return time.time_ns() if is_now else signed * _NS + ns


class Changes:
    """Answers them. Each method takes a request and gives the body of the answer."""

    def __init__(self, operations: Operations, nodes: Nodes) -> None:
        self._operations = operations
        self._nodes = nodes
        self.handlers: Mapping[int, Callable[[Request], bytes]] = {
            Opcode.SETATTR: self.setattr,
            Opcode.MKNOD: self.mknod,
            Opcode.MKDIR: self.mkdir,
            Opcode.UNLINK: self.unlink,
            Opcode.RMDIR: self.rmdir,
            Opcode.RENAME: self.rename,
            Opcode.RENAME2: self.rename_with_flags,
            Opcode.LINK: self.link,
            Opcode.SYMLINK: self.symlink,
            Opcode.SETXATTR: self.setxattr,
            Opcode.REMOVEXATTR: self.removexattr,
        }

    # -- names -----------------------------------------------------------------------------------------

    def mknod(self, request: Request) -> bytes:
        """Answer MKNOD: make a file."""
        mode, _, umask, _ = MKNOD_IN.unpack_from(request.body)
        name = request.name(MKNOD_IN.size)
        path, caller = self._nodes.below(request.node, name), request.caller(umask)
        if not stat.S_ISREG(mode):
            self._operations.symlink(path)
        number, _ = self._operations.create(path, 0, mode, caller)
        self._operations.release(number)
        return self._entry(request, name)

    def mkdir(self, request: Request) -> bytes:
        """Answer MKDIR: make a folder."""
        mode, umask = MKDIR_IN.unpack_from(request.body)
        name = request.name(MKDIR_IN.size)
        self._operations.mkdir(self._nodes.below(request.node, name), mode, request.caller(umask))
        return self._entry(request, name)

    def unlink(self, request: Request) -> bytes:
        """Answer UNLINK: remove a file."""
        self._operations.unlink(self._nodes.below(request.node, request.name()))
        return b""

    def rmdir(self, request: Request) -> bytes:
        """Answer RMDIR: remove a folder."""
        self._operations.rmdir(self._nodes.below(request.node, request.name()))
        return b""

    def rename(self, request: Request) -> bytes:
        """Answer RENAME."""
        (folder,) = RENAME_IN.unpack_from(request.body)
        return self._rename(request, folder, 0, RENAME_IN.size)

    def rename_with_flags(self, request: Request) -> bytes:
        """Answer RENAME2: rename with flags."""
        folder, flags = RENAME2_IN.unpack_from(request.body)
        return self._rename(request, folder, flags, RENAME2_IN.size)

    def _rename(self, request: Request, folder: int, flags: int, start: int) -> bytes:
        old, new = request.names(start, 2)
        self._operations.rename(self._nodes.below(request.node, old), self._nodes.below(folder, new), flags)
        return b""

    def link(self, request: Request) -> bytes:
        """Answer LINK: make a hard link."""
        (node,) = LINK_IN.unpack_from(request.body)
        name = request.name(LINK_IN.size)
        self._operations.link(self._nodes.path(node), self._nodes.below(request.node, name))
        return self._entry(request, name)

    def symlink(self, request: Request) -> bytes:
        """Answer SYMLINK: make a symbolic link."""
        self._operations.symlink(self._nodes.below(request.node, request.name()))
        return b""

    def _entry(self, request: Request, name: str) -> bytes:
        node, entry = self._nodes.look_up(request.node, name, request.caller())
        request.undo = lambda: self._nodes.numbers.forget(node, 1)
        return entry

    # -- attributes ------------------------------------------------------------------------------------

    def setattr(self, request: Request) -> bytes:
        """Answer SETATTR: set size, times, permissions or owner."""
        wanted = Wanted(request)
        before = self._nodes.attributes(request.node)
        path = self._path(request.node, wanted.opened)
        if wanted.size is not None:
            self._operations.truncate(path, wanted.size, wanted.opened)
        if wanted.mode is not None:
            self._operations.chmod(path, wanted.mode, wanted.opened)
        if wanted.owner != (-1, -1):
            self._operations.chown(path, *wanted.owner, wanted.opened)
        if wanted.times != (None, None):
            self._operations.utimens(path, *wanted.times, wanted.opened)
        return answers.attr_out(*self._after(request.node, path, before))

    def _path(self, node: int, opened: int | None) -> str:
        """Give the path of a node; an open file may have none any more."""
        try:
            return self._nodes.path(node)
        except Refusal:
            if opened is None:
                raise
            return ""

    def _after(
        self, node: int, path: str, before: tuple[Mapping[str, int], Validity]
    ) -> tuple[Mapping[str, int], Validity]:
        """Give the attributes of a node that was changed.

        Those of a dataset that was replaced, by truncating it, stay what they were: it is another node now.
        """
        if token_of(node):
            return self._nodes.attributes(node)
        found = self._operations.getattr(path)
        same = self._nodes.is_same(node, path, found)
        return (found, self._nodes.validity(path, found["st_mode"])) if same else before

    def setxattr(self, request: Request) -> bytes:
        """Answer SETXATTR: set an extended attribute."""
        size, flags = XATTR_IN.unpack_from(request.body)
        (name,) = request.texts(XATTR_IN.size, 1)
        self._operations.setxattr(
            self._nodes.path(request.node), name, bytes(request.body[len(request.body) - size :]), flags
        )
        return b""

    def removexattr(self, request: Request) -> bytes:
        """Answer REMOVEXATTR: remove an extended attribute."""
        (name,) = request.texts(0, 1)
        self._operations.removexattr(self._nodes.path(request.node), name)
        return b""
