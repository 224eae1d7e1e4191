"""What the kernel is told without asking: that names may have become untrue."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from .protocol import NOTIFY_INC_EPOCH, OUT_HEADER

log = logging.getLogger("skyfs.mount")

POLL_S = 0.25


class Epochs:
    """Makes all names that the kernel knows untrue at once (Linux 6.16)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.are_known = self.begin()

    def begin(self) -> bool:
        """Begin a new epoch; False when the kernel does not know of any."""
        try:
            os.write(self._descriptor, OUT_HEADER.pack(OUT_HEADER.size, NOTIFY_INC_EPOCH, 0))
        except OSError as error:
            log.debug("no epochs: %s", error)
            return False
        return True


class Watcher(threading.Thread):
    """Calls something when a repository was changed, by whomever.

    Parameters
    ----------
    changed
        Tells whether it was, since the last call.
    """

    def __init__(self, changed: Callable[[], bool], act: Callable[[], object]) -> None:
        super().__init__(name="skyfs-watcher", daemon=True)
        self._changed = changed
        self._act = act
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(POLL_S):
            try:
                if self._changed():
                    self._act()
            except Exception:
                log.exception("cannot tell whether the repository was changed")

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self.join()
