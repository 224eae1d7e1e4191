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
        folder: [entry.stat(follow_symlinks=False) for _, entry in cache.layout.names(folder)]
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

    Who reads one of them reads on.
    """
    if not cache.layout.exists():
        return 0, 0
    files = freed = 0
    if pinned:
        for _, entry in cache.layout.names("pins"):
            _remove(entry.path)
    for folder in ("content", "parts"):
        for name, entry in cache.layout.names(folder):
            size = entry.stat(follow_symlinks=False).st_size
            if not cache.layout.is_pinned(name) and _remove(entry.path):
                files, freed = files + 1, freed + size
    _tidy(cache)
    return files, freed


def verify(cache: DiskCache) -> dict[str, str]:
    """Read all files and compare them with their digests; what is damaged is removed.

    Gives the path of each damaged file with what was found.
    """
    if not cache.layout.exists():
        return {}
    damaged = {}
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
    for path in damaged:
        _remove(path)
    _tidy(cache)
    return damaged


def _tidy(cache: DiskCache) -> None:
    """Remove what leads nowhere, and count anew."""
    sweep(cache.layout, cache.locks)
    sweep_links(cache.layout)
    for name, entry in cache.layout.names("pins"):
        if not os.path.exists(cache.layout.path(name)):
            _remove(entry.path)
    try:
        cache.ledger.rebuild()
    except (IndexBusy, OSError) as error:
        cache.complain(error)


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
