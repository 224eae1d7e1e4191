"""Threads that read requests from the device and answer them."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable

from ..failures import Refusal
from .device import MAX_BYTES
from .protocol import IN_HEADER, INTERRUPT_IN, OPEN_IN, Opcode, Request, answer
from .requests import Parts, Requests

log = logging.getLogger("skyfs.mount")

# So many may wait for slow stores; then the next request waits too.
_MOST = 128
# So many wait for requests, more end.
_MOST_IDLE = 4
_BUFFER_BYTES = MAX_BYTES + 4096
# These may wait for a far store, and nothing is half done when nobody wants their answer any more.
_INTERRUPTIBLE = frozenset({
    Opcode.LOOKUP, Opcode.GETATTR, Opcode.READ, Opcode.OPENDIR, Opcode.READDIR,
    Opcode.READDIRPLUS, Opcode.GETXATTR, Opcode.LISTXATTR, Opcode.STATFS, Opcode.ACCESS,
})  # fmt: skip
_NAMES = {int(opcode): opcode.name.lower() for opcode in Opcode}
_QUIET = frozenset({Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT})


class Workers:
    """As many threads as there are requests that wait.

    Parameters
    ----------
    descriptor
        The device.
    count
        Called for each request, with its name.
    ended
        Called when it is unmounted.
    """

    def __init__(
        self, descriptor: int, requests: Requests, count: Callable[[str], None], ended: Callable[[], None]
    ) -> None:
        self._descriptor = descriptor
        self._requests = requests
        self._count = count
        self._ended = ended
        self._lock = threading.Lock()
        self._idle = 0
        self._all = 0
        # Requests that are being answered, by their number, and whether they can be interrupted. Whoever
        # takes one out answers it.
        self._waiting: dict[int, bool] = {}

    def start(self) -> None:
        """Begin with one thread."""
        with self._lock:
            self._spawn()

    def _spawn(self) -> None:
        self._all += 1
        self._idle += 1
        threading.Thread(target=self._work, name="skyfs-worker", daemon=True).start()

    def _work(self) -> None:
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        while True:
            length = self._read(buffer)
            if length < 0:
                self._ended()
                return
            if length >= IN_HEADER.size:
                request = Request(buffer[:length])
                self._note(request)
                self._serve(request)
            if not self._rest():
                return

    def _read(self, buffer: memoryview) -> int:
        """Wait for a request; give its length, 0 for none, -1 at the end."""
        try:
            return os.readv(self._descriptor, [buffer])
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EAGAIN, errno.EINTR):
                return 0  # it was taken back meanwhile
            if error.errno not in (errno.ENODEV, errno.ECONNABORTED, errno.EBADF):
                log.exception("cannot read requests")
            return -1

    def _note(self, request: Request) -> None:
        """Count it, and see to it that somebody waits for the next request."""
        self._count(_NAMES.get(request.opcode, "unknown"))
        with self._lock:
            self._idle -= 1
            if request.opcode not in _QUIET:
                self._waiting[request.unique] = _may_wait(request)
                if not self._idle and self._all < _MOST:
                    self._spawn()

    def _rest(self) -> bool:
        """Go back to waiting; False when enough others wait."""
        with self._lock:
            if self._idle >= _MOST_IDLE:
                self._all -= 1
                return False
            self._idle += 1
            return True

    def _serve(self, request: Request) -> None:
        if request.opcode == Opcode.INTERRUPT:
            self._interrupt(request)
            return
        parts = self._requests.handle(request)
        if not parts:
            return
        if self._waiting.pop(request.unique, None) is None or not self._write(parts):
            self._take_back(request)

    def _interrupt(self, request: Request) -> None:
        """Answer a request that somebody does not want to wait for any longer."""
        if len(request.body) < INTERRUPT_IN.size:
            return
        (unique,) = INTERRUPT_IN.unpack_from(request.body)
        may_wait = self._waiting.get(unique)
        if may_wait is None:
            # Another thread has read it, but not noted yet: the kernel says it once more. Or it is answered.
            self._write(answer(request.unique, error=errno.EAGAIN))
        elif may_wait and self._waiting.pop(unique, None) is not None:
            self._write(answer(unique, error=errno.EINTR))

    def _write(self, parts: Parts) -> bool:
        """Answer; False when the kernel does not want it any more."""
        try:
            os.writev(self._descriptor, parts)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV, errno.ECONNABORTED):
                log.exception("an answer of %d bytes was refused", sum(map(len, parts)))
            return False
        return True

    def _take_back(self, request: Request) -> None:
        if request.undo is not None:
            try:
                request.undo()
            except Refusal as refusal:
                log.info("request %d was interrupted, and not taken back: %s", request.opcode, refusal)


def _may_wait(request: Request) -> bool:
    """Tell whether a request can be interrupted; what writes is always brought to its end."""
    if request.opcode == Opcode.OPEN and len(request.body) >= OPEN_IN.size:
        return not OPEN_IN.unpack_from(request.body)[0] & (os.O_ACCMODE | os.O_TRUNC)
    return request.opcode in _INTERRUPTIBLE
