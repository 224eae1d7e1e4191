"""How long what was read stays true, and what was looked up lately: paths are asked for several times."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..tree import Node

# The kernel keeps attributes for KERNEL_S, and what is kept here answers for FRESH_S: what another process
# commits is seen within their sum, one second.
KERNEL_S = 0.5
FRESH_S = 0.5
# While the registry says that nothing was committed, it stays true. Not for ever: what a repository says of
# itself, such as the size of its configuration, is in no registry.
UNCHANGED_S = 30.0
# A node is about 1.5 kB. Those of a folder that was listed are not among them (`Listings`).
KEPT_NODES = 8_192


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was read, and how the registry was then."""

    read_s: float
    stamp: object


class Freshness:
    """Tells what is still true.

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
        self._is_followed = False
        self._known: object = None
        self._cleared_s = float("-inf")

    def follow(self) -> None:
        """Take the state to be that of the last `look`; give nothing that is older, be it ever so fresh."""
        self._is_followed = True
        self.look()

    def look(self) -> bool:
        """Look at the state; tell whether it is another one than before, which it is when it is unknown."""
        found = self._stamp()
        before, self._known = self._known, object() if found is None else found
        return before != self._known

    def now(self) -> Moment:
        """Give this moment; take it before the registry is read, and keep what it said with it."""
        return Moment(self._clock(), self._known if self._is_followed else self._stamp())

    def clear(self) -> None:
        """Take nothing for true any more that was read, or is being read at this moment."""
        self._cleared_s = self._clock()

    def is_true(self, moment: Moment) -> bool:
        """Tell whether what was read in a moment may be answered with."""
        if moment.read_s <= self._cleared_s:
            return False
        age_s = self._clock() - moment.read_s
        if self._is_followed:
            return age_s < UNCHANGED_S and moment.stamp == self._known
        if age_s < FRESH_S:
            return True
        return age_s < UNCHANGED_S and moment.stamp is not None and moment.stamp == self._stamp()


@dataclass(slots=True)
class Entry:
    """A node, and when it was read; what is worked out of it is kept too."""

    node: Node
    moment: Moment
    stat: Mapping[str, int] | None = None
    extended: Mapping[str, bytes] | None = None


class NodeCache:
    """Nodes by path, while they are true. Safe from several threads."""

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str) -> Entry | None:
        """Give what is still true of a path."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is None or not self._freshness.is_true(entry.moment):
                return None
            self._entries.move_to_end(path)
            return entry

    def put(self, path: str, node: Node, moment: Moment) -> Entry:
        """Keep a node by the path it was asked by, but one that is another each time."""
        entry = Entry(node, moment)
        if node.is_volatile:
            return entry
        with self._lock:
            self._entries[path] = entry
            self._entries.move_to_end(path)
            while len(self._entries) > KEPT_NODES:
                self._entries.popitem(last=False)
        return entry

    def drop(self, path: str) -> None:
        """Forget a path."""
        with self._lock:
            self._entries.pop(path, None)
