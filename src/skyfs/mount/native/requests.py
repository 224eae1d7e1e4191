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
from .changes import Changes
from .files import Files
from .folders import Folders
from .looking import Looking
from .nodes import Nodes
from .protocol import IN_HEADER, Opcode, Request, answer

log = logging.getLogger("skyfs.mount")

Parts = tuple[bytes | memoryview, ...]

# Of what these do, the kernel knows only a part by itself.
_CHANGING = frozenset({
    Opcode.SETATTR, Opcode.MKNOD, Opcode.UNLINK, Opcode.RMDIR, Opcode.LINK, Opcode.FLUSH, Opcode.RELEASE,
    Opcode.RENAME, Opcode.RENAME2,
})  # fmt: skip
_MOVING = frozenset({Opcode.RENAME, Opcode.RENAME2})


class Requests:
    """Answers what the kernel asks. Safe from several threads.

    Whatever the bytes are, and whatever goes wrong inside, there is an answer with an errno.

    Parameters
    ----------
    renew
        Called before the answer to what may have changed something, with whether names moved.

    Attributes
    ----------
    nodes
        The nodes that the kernel knows.
    """

    def __init__(
        self,
        operations: Operations,
        backings: Backings,
        validities: Validities,
        renew: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self.nodes = Nodes(operations, validities)
        self._renew = renew if operations.writable else None
        looking = Looking(operations, self.nodes)
        files = Files(operations, self.nodes, backings)
        folders = Folders(operations, self.nodes)
        self._silent = looking.silent
        changes = Changes(operations, self.nodes)
        self._handlers: Mapping[int, Callable[[Request], bytes]] = {
            **looking.handlers,
            **changes.handlers,
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
        if self._renew is not None and request.opcode in _CHANGING:
            self._renew(request.opcode in _MOVING)
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


def _unknown(_: Request) -> bytes:
    raise Refusal(errno.ENOSYS)
