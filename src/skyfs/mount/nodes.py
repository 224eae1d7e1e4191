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
        self._lock = threading.Lock()
        self._is_followed = False
        self._known: object = None

    def follow(self) -> None:
        """Take the state to be that of the last `look`; give nothing that is older, be it ever so fresh."""
        self._is_followed = True
        self.look()

    def look(self) -> bool:
        """Look at the state; tell whether it is another one than before, which it is when it is unknown."""
        found = self._stamp()
        before, self._known = self._known, object() if found is None else found
        return before != self._known

    def now(self) -> tuple[float, object]:
        """Give time and state; take them before the registry is read, and store what it said with them."""
        return self._clock(), self._known if self._is_followed else self._stamp()

    def get(self, path: str) -> Entry | None:
        """Give what is still true of a path."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is None or not self._is_true(entry):
                return None
            self._entries.move_to_end(path)
            return entry

    def put(self, nodes: Iterable[tuple[str, Node]], now: tuple[float, object]) -> None:
        """Keep nodes by the paths they were asked by, but those that are others each time."""
        with self._lock:
            for path, node in nodes:
                if node.is_volatile:
                    continue
                self._entries[path] = Entry(node, *now)
                self._entries.move_to_end(path)
            while len(self._entries) > KEPT_NODES:
                self._entries.popitem(last=False)

    def drop(self, path: str) -> None:
        """Forget a path."""
        with self._lock:
            self._entries.pop(path, None)

    def _is_true(self, entry: Entry) -> bool:
        age_s = self._clock() - entry.read_s
        if self._is_followed:
            return age_s < UNCHANGED_S and entry.stamp == self._known
        if age_s < FRESH_S:
            return True
        return age_s < UNCHANGED_S and entry.stamp is not None and entry.stamp == self._stamp()
