"""From the bytes of a request to the bytes of its answer."""

from __future__ import annotations

import errno
import logging
import struct
from collections.abc import Callable, Mapping

from ..failures import Refusal
from ..operations import Operations
from .answers import Validities
from .backing import Backings
from .files import Files
from .folders import Folders
from .looking import Looking
from .nodes import Nodes
from .protocol import IN_HEADER, Opcode, Request, answer

log = logging.getLogger("skyfs.mount")

Parts = tuple[bytes | memoryview, ...]

_CHANGES = (
    Opcode.SETATTR, Opcode.SYMLINK, Opcode.MKNOD, Opcode.MKDIR, Opcode.UNLINK, Opcode.RMDIR, Opcode.RENAME,
    Opcode.RENAME2, Opcode.LINK, Opcode.WRITE, Opcode.SETXATTR, Opcode.REMOVEXATTR, Opcode.CREATE,
    Opcode.FALLOCATE,
)  # fmt: skip


class Requests:
    """Answers what the kernel asks. Safe from several threads.

    Whatever the bytes are, and whatever goes wrong inside, there is an answer with an errno.

    Attributes
    ----------
    nodes
        The nodes that the kernel knows.
    """

    def __init__(self, operations: Operations, backings: Backings, validities: Validities) -> None:
        self.nodes = Nodes(operations, validities)
        looking = Looking(operations, self.nodes)
        files = Files(operations, self.nodes, backings)
        folders = Folders(operations, self.nodes)
        self._silent = looking.silent
        refused: dict[int, Callable[[Request], bytes]] = dict.fromkeys(_CHANGES, _refuse)
        self._handlers: Mapping[int, Callable[[Request], bytes]] = {
            **refused,
            **looking.handlers,
            **files.handlers,
            **folders.handlers,
            Opcode.DESTROY: lambda _: b"",
        }

    def answer(self, message: bytes | memoryview) -> bytes:
        """Give the answer to one message, empty when there is to be none."""
        if len(message) < IN_HEADER.size:
            return b""
        return b"".join(self.handle(Request(memoryview(message))))

    def handle(self, request: Request) -> Parts:
        """Give the answer to a request in pieces; none when there is to be none."""
        silent = self._silent.get(request.opcode)
        if silent is not None:
            _attempt(silent, request)
            return ()
        handler = self._handlers.get(request.opcode, _unknown)
        body = _attempt(handler, request)
        return answer(request.unique, body) if isinstance(body, bytes) else answer(request.unique, error=body)


def _attempt(handler: Callable[[Request], bytes | None], request: Request) -> bytes | int:
    """Give the body of the answer, or an errno."""
    try:
        return handler(request) or b""
    except Refusal as refusal:
        return refusal.errno or errno.EIO
    except struct.error:
        return errno.EINVAL
    except Exception:
        log.exception("request %d of node %d failed", request.opcode, request.node)
        return errno.EIO


def _refuse(_: Request) -> bytes:
    raise Refusal(errno.EROFS)


def _unknown(_: Request) -> bytes:
    raise Refusal(errno.ENOSYS)
