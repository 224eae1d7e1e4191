"""How many requests of each kind were answered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Requests:
    """Counts requests by the name of the operation. Safe from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, operation: str) -> None:
        """Count one."""
        with self._lock:
            self._counts[operation] += 1

    def to_mapping(self) -> Mapping[str, int]:
        """Give the counts until now, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
