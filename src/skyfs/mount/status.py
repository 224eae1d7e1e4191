"""What a mount tells of itself in ``/.repo/status.json``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from ..repository import Repository
from .operations import Operations
from .options import MountOptions

ON_STDERR = "standard error"


class MountStatus:
    """The state of one mount; what it gives is made anew each time.

    Parameters
    ----------
    folder, options
        Where and how it is mounted.
    log
        Where its messages go.
    """

    def __init__(self, repository: Repository, folder: str, options: MountOptions, log: str) -> None:
        self._repository = repository
        self._options = options
        self._watched: Operations | None = None
        self._told: dict[str, object] = {
            "folder": folder,
            "engine": "",
            "writable": options.writable,
            "replace": options.replace,
            "allow_other": options.allow_other,
            "collections": options.collections,
            "since": _utc(),
            "pid": os.getpid(),
            "log": log,
        }

    @property
    def is_serving(self) -> bool:
        """Whether it was mounted."""
        return bool(self._told["engine"])

    def watch(self, operations: Operations) -> None:
        """Tell of these operations too."""
        self._watched = operations

    def serve(self, engine: str) -> None:
        """Note that it is mounted, by an engine, and why by that one."""
        self._told |= {"engine": engine, "since": _utc()}

    def to_mapping(self) -> Mapping[str, object]:
        """Give what is known now."""
        told = dict(self._told)
        if self._watched is not None:
            told["open_files"] = self._watched.open_files
            told["requests"] = self._watched.requests.to_mapping()
            told["refusals"] = [one.to_mapping() for one in self._watched.refusals()]
        told["cache"] = _cache(self._repository)
        return {"mount": told}


def _cache(repository: Repository) -> Mapping[str, object] | None:
    """Give the state of the disk cache; None when no store is read through one."""
    from ..stores.cache import CachedStore, status

    cached = [store for store in repository.stores.values() if isinstance(store, CachedStore)]
    if not cached:
        return None
    found = status(cached[0].cache)
    return {
        "folder": found.folder,
        "quota": found.quota_bytes,
        "bytes": found.size_bytes,
        "entries": found.entries,
        "hits": sum(store.hits for store in cached),
        "misses": sum(store.misses for store in cached),
    }


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
