"""What was looked up lately, so that `ls -l` of a folder does not look up each entry."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..tree import Node

# The kernel keeps attributes for KERNEL_S, and this cache those it answers with for FRESH_S: what another
# process commits is seen within their sum, one second.
KERNEL_S = 0.5
FRESH_S = 0.5
# While the registry says that nothing was committed, nodes stay true. Not for ever: what a repository says of
# itself, such as the size of its configuration, is in no registry.
UNCHANGED_S = 30.0
# A node is about 1.5 kB.
KEPT_NODES = 65_536


@dataclass(slots=True)
class Entry:
    """A node, when it was read, and how the registry was then; what is worked out of it is kept too."""

    node: Node
    read_s: float
    stamp: object
    stat: Mapping[str, int] | None = None
    extended: Mapping[str, bytes] | None = None


class NodeCache:
    """Nodes by path. Safe from several threads.

    Parameters
    ----------
    clock
        Seconds of a monotonic clock.
    stamp
        Gives a value that differs after each commit to the registry; None when that is unknown.
    """

    def __init__(self, clock: Callable[[], float], stamp: Callable[[], object]) -> None:
        self._clock = clock
        self._stamp = stamp
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._cleared_s = float("-inf")
        self._lock = threading.Lock()

    def now(self) -> tuple[float, object]:
        """Give time and state; take them before the registry is read, and store what it said with them."""
        return self._clock(), self._stamp()

    def get(self, path: str) -> Entry | None:
        """Give what is still true of a path."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is None or not self._is_true(entry):
                return None
            self._entries.move_to_end(path)
            return entry

    def put(self, nodes: Iterable[tuple[str, Node]], now: tuple[float, object]) -> None:
        """Keep nodes by the paths they were asked by."""
        with self._lock:
            for path, node in nodes:
                self._entries[path] = Entry(node, *now)
                self._entries.move_to_end(path)
            while len(self._entries) > KEPT_NODES:
                self._entries.popitem(last=False)

    def drop(self, path: str) -> None:
        """Forget a path."""
        with self._lock:
            self._entries.pop(path, None)

    def clear(self) -> None:
        """Forget all, also what is being read at this moment."""
        with self._lock:
            self._entries.clear()
            self._cleared_s = self._clock()

    def _is_true(self, entry: Entry) -> bool:
        if entry.read_s <= self._cleared_s:
            return False
        age_s = self._clock() - entry.read_s
        if age_s < FRESH_S:
            return True
        return age_s < UNCHANGED_S and entry.stamp is not None and entry.stamp == self._stamp()
