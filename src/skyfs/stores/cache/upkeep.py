"""What operators ask of a cache: what is in it, that it be emptied, that it be checked."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass

from .disk_cache import DiskCache
from .index import IndexBusy
from .parts import Parts
from .sweeping import sweep, sweep_links


@dataclass(frozen=True, slots=True)
class Status:
    """What a cache holds.

    Attributes
    ----------
    folder, quota_bytes
        Where it is, and how much it may hold.
    size_bytes
        Of all files.
    entries, pinned, parts
        Whole files; those of them that are never evicted; files of which ranges are here.
    oldest_s
        The use that is longest ago, in seconds since 1970, coarse; None when it is empty.
    """

    folder: str
    quota_bytes: int
    size_bytes: int = 0
    entries: int = 0
    pinned: int = 0
    parts: int = 0
    oldest_s: float | None = None


def status(cache: DiskCache) -> Status:
    """Look at all files; nothing is written."""
    states = {
        folder: [state for _, entry in cache.layout.names(folder) if (state := _state(entry)) is not None]
        for folder in ("content", "parts")
    }
    every = [*states["content"], *states["parts"]]
    return Status(
        cache.layout.root,
        cache.ledger.quota_bytes,
        sum(state.st_size for state in every),
        len(states["content"]),
        sum(1 for _ in cache.layout.names("pins")),
        len(states["parts"]),
        min((state.st_mtime for state in every), default=None),
    )


def clear(cache: DiskCache, *, pinned: bool = False) -> tuple[int, int]:
    """Remove all that is kept, with ``pinned`` what is pinned too; give how many files and bytes went.

    What somebody reads at the moment stays, as its path is in use and its space would not be free; it is
    evicted later, as anything else.
    """
    if not cache.layout.exists():
        return 0, 0
    gone, freed = [], 0
    if pinned:
        for _, entry in cache.layout.names("pins"):
            _remove(entry.path)
    for folder in ("content", "parts"):
        for name, entry in cache.layout.names(folder):
            state = _state(entry)
            if state is not None and cache.ledger.remove(name):
                gone.append(name)
                freed += state.st_size
    cache.ledger.forget(gone)
    _tidy(cache)
    return len(gone), freed


def verify(cache: DiskCache) -> dict[str, str]:
    """Read all files and compare them with their digests; what is damaged is removed.

    Gives the path of each damaged file with what was found.
    """
    damaged = damages(cache)
    if not cache.layout.exists():
        return damaged
    for path in damaged:
        _remove(path)
    _tidy(cache)
    try:
        cache.ledger.rebuild()
    except (IndexBusy, OSError) as error:
        cache.complain(error)
    return damaged


def damages(cache: DiskCache) -> dict[str, str]:
    """Do the same, but remove nothing."""
    if not cache.layout.exists():
        return {}
    damaged: dict[str, str] = {}
    for name, entry in cache.layout.names("content"):
        with suppress(FileNotFoundError), open(entry.path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if f"c{digest}" != name:
                damaged[entry.path] = f"its sha256 is {digest}"
    for name, entry in cache.layout.names("parts"):
        parts = Parts(cache.layout, name)
        if not parts.check():
            damaged[entry.path] = "a record is cut short or damaged"
        parts.close()
    return damaged


def _tidy(cache: DiskCache) -> None:
    """Remove what leads nowhere."""
    sweep(cache.layout, cache.locks)
    sweep_links(cache.layout)
    for name, entry in cache.layout.names("pins"):
        if not os.path.exists(cache.layout.path(name)):
            _remove(entry.path)


def _state(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Give the state of a file; None when another process has evicted it meanwhile."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
