"""Forking between the calls of a database's library, not within one.

SQLite's locks inside of a process stay as they are in a child: one that another thread holds at that moment
is held there for ever.
"""

from __future__ import annotations

import os
import threading

# A thread in a long transaction holds nothing most of the time: it is not waited for longer than that.
_PATIENCE_S = 0.5


class _Gate:
    """Counts the threads inside; while one forks, no other goes in."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: dict[int, int] = {}
        self._forking = 0

    def __enter__(self) -> None:
        own = threading.get_ident()
        with self._changed:
            # Who is inside already must come out again before anybody forks.
            while self._forking and own not in self._inside:
                self._changed.wait(_PATIENCE_S)
            self._inside[own] = self._inside.get(own, 0) + 1

    def __exit__(self, *exception: object) -> None:
        own = threading.get_ident()
        with self._changed:
            # None is left in a child that was forked from within.
            left = self._inside.pop(own, 1) - 1
            if left:
                self._inside[own] = left
            if self._forking:
                self._changed.notify_all()

    def close(self) -> None:
        own = threading.get_ident()
        # It is held while the process forks, lest another thread holds it for ever in the child.
        self._changed.acquire()
        self._forking += 1
        self._changed.wait_for(lambda: not self._inside.keys() - {own}, _PATIENCE_S)

    def open(self) -> None:
        self._forking -= 1
        self._changed.notify_all()
        self._changed.release()


passed = _Gate()
"""Wherever the library is called: ``with forking.passed:``."""
os.register_at_fork(before=passed.close, after_in_parent=passed.open, after_in_child=passed.__init__)  # type: ignore[misc]
