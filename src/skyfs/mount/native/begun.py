"""Datasets whose replacement was begun by an OPEN, until the kernel opens what takes their place.

A file that is being written is another node than the dataset at its path, whose readers go on. But the
kernel opens for writing what it knows by the name: the dataset. It is told that this is stale, looks the name
up once more, which gives the other node, and opens that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..caller import Caller
from ..handles import Handle

# The kernel comes back at once, or, when the program was killed just then, never.
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A file that is open for whoever comes back for it."""

    number: int
    handle: Handle
    path: str
    caller: Caller
    since_s: float


class AllBegun:
    """Those that nobody came back for yet. Safe from several threads.

    Parameters
    ----------
    clock
        Seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_token: dict[int, Begun] = {}
        self._lock = threading.Lock()

    def put(self, number: int, handle: Handle, path: str, caller: Caller) -> list[int]:
        """Keep an open file; give the numbers of those that nobody will come back for."""
        now_s = self._clock()
        with self._lock:
            late = [one for one in self._by_token.values() if now_s - one.since_s > _PATIENCE_S]
            for one in late:
                del self._by_token[one.handle.token]
            self._by_token[handle.token] = Begun(number, handle, path, caller, now_s)
        return [one.number for one in late]

    def token(self, path: str, caller: Caller) -> int:
        """Give the token of the file that a caller has begun at a path; 0 when there is none."""
        with self._lock:
            mine = (one for one in self._by_token.values() if (one.path, one.caller) == (path, caller))
            return next((one.handle.token for one in mine), 0)

    def take(self, token: int, caller: Caller) -> tuple[int, Handle] | None:
        """Give the file that a caller has begun, to whom it belongs from then on."""
        with self._lock:
            found = self._by_token.get(token)
            if found is None or found.caller != caller:
                return None
            del self._by_token[token]
            return found.number, found.handle
