"""Bytes that were made on the fly, kept for who asks again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from ..model.dataset import Resolved

if TYPE_CHECKING:
    from ..stores.cache import DiskCache

# A preview is some hundred kB; tables are asked for again within one session of work.
KEPT_BYTES = 64 * 2**20

Key = tuple[str, ...]


class Kept:
    """The latest made bytes, in memory, and on disk where there is a cache. Safe from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._disk: DiskCache | None = None
        self._settings = ""

    def use(self, disk: DiskCache, settings: str) -> None:
        """Keep on disk too; ``settings`` are those of the repository that decide how bytes are made."""
        self._disk, self._settings = disk, settings

    def made(self, resolved: Resolved, key: Key, make: Callable[[], bytes]) -> bytes:
        """Give what was made of a dataset under a key, or make it. Of a live query nothing is kept."""
        if not resolved.ref.type.immutable:
            return make()
        whole = (resolved.ref.id, key)
        with self._lock:
            data = self._kept.get(whole)
            if data is not None:
                self._kept.move_to_end(whole)
        if data is None:
            data = self._made(resolved, key, make)
            self._keep(whole, data)
        return data

    def _made(self, resolved: Resolved, key: Key, make: Callable[[], bytes]) -> bytes:
        digests = [place.sha256.hex() for place in resolved.locations if place.sha256 is not None]
        if self._disk is None or len(digests) < len(resolved.locations):
            return make()
        where = [(place.component, place.extension) for place in resolved.locations]
        text = repr((str(resolved.ref.id), key, digests, where, self._settings))

        def write(file: BinaryIO) -> None:
            file.write(make())

        with self._disk.derived(sha256(text.encode()).hexdigest(), write) as source:
            return source.read_all()

    def _keep(self, key: object, data: bytes) -> None:
        with self._lock:
            if key not in self._kept and len(data) <= KEPT_BYTES:
                self._kept[key] = data
                self._size += len(data)
            while self._size > KEPT_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1])
