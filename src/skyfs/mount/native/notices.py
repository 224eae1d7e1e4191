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


class Renewal:
    """Begins an epoch when the repository was changed. Safe from several threads.

    Parameters
    ----------
    changed
        Tells whether it was, since the last call.
    begin
        Begins an epoch.
    """

    def __init__(self, changed: Callable[[], bool], begin: Callable[[], object]) -> None:
        self._changed = changed
        self._begin = begin
        self._lock = threading.Lock()

    def renew(self, moved: bool = False) -> None:  # noqa: FBT001, FBT002 - it is a callback
        """Come back when the kernel takes nothing for true that it was told before a change.

        ``moved``: whether there was one that the repository does not tell of.
        """
        with self._lock:
            try:
                is_new = self._changed()
            except Exception:
                log.exception("cannot tell whether the repository was changed")
                is_new = True
            if is_new or moved:
                self._begin()


class Watcher(threading.Thread):
    """Does something several times a second, which must not fail."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(name="skyfs-watcher", daemon=True)
        self._act = act
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(POLL_S):
            self._act()

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self.join()
