"""Bytes that were made on the fly, kept for who asks again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

# A preview is some hundred kB; tables are asked for again within one session of work.
KEPT_BYTES = 64 * 2**20


class Kept:
    """The latest made bytes, in memory. Safe from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def made(self, key: Hashable | None, make: Callable[[], bytes]) -> bytes:
        """Give what was made under a key, or make it; None keeps nothing."""
        with self._lock:
            data = None if key is None else self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
        if data is None:
            data = make()
            if key is not None:
                self._keep(key, data)
        return data

    def _keep(self, key: Hashable, data: bytes) -> None:
        with self._lock:
            if key not in self._kept and len(data) <= KEPT_BYTES:
                self._kept[key] = data
                self._size += len(data)
            while self._size > KEPT_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1])
