"""What killed processes leave behind: temporary files and lock files that nobody holds."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from .layout import Layout, is_name
from .locks import Locks

_OLD_S = 24 * 3600


def sweep(layout: Layout, locks: Locks) -> int:
    """Remove temporary files whose lock nobody holds, and lock files without an owner; give how many."""
    return sum(_drop(path) for path in _dead_files(layout, locks)) + _drop_locks(layout, locks)


def sweep_links(layout: Layout) -> int:
    """Remove links whose content was evicted, and parts and pins of nothing; give how many."""
    gone = [entry.path for _, entry in layout.names("links") if not os.path.exists(entry.path)]
    return sum(map(_drop, gone))


def _dead_files(layout: Layout, locks: Locks) -> list[str]:
    try:
        names = os.listdir(layout.incoming)
    except OSError:
        return []
    dead = []
    for file in names:
        name = file.partition(".")[0]
        path = f"{layout.incoming}/{file}"
        # What has no name of ours (another version's, say) is left alone until it is old.
        with suppress(OSError):
            if locks.is_free(name) if is_name(name) else _is_old(path):
                dead.append(path)
    return dead


def _drop_locks(layout: Layout, locks: Locks) -> int:
    gone = 0
    for name, _ in layout.names("locks"):
        with suppress(OSError):
            gone += locks.is_free(name)
    return gone


def _is_old(path: str) -> bool:
    return time.time() - os.stat(path, follow_symlinks=False).st_mtime > _OLD_S


def _drop(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
