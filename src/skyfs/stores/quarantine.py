"""What was found wrong in a local store, moved out of the way: nothing is ever deleted here."""

from __future__ import annotations

import os

from .folders import Folders
from .intent import Mark
from .keys import QUARANTINE, folder_of


def identify(folders: Folders, key: str) -> str:
    """Give what tells the file under a key from all others; empty when there is none."""
    state = folders.lstat(key)
    return "" if state is None else _identity(state)


def set_aside(folders: Folders, key: str, identity: str, folder: str) -> str:
    """Move a file into the quarantine if it is the one that is meant; give its path there, else nothing."""
    target = f"{QUARANTINE}/{folder}/{key}"
    made: set[str] = set()

    def move(into: int) -> bool:
        out_of = folders.enter(folder_of(key))
        try:
            return _move(key.rpartition("/")[2], out_of, into, identity)
        finally:
            os.close(out_of)

    if identify(folders, key) != identity:
        return ""
    moved = folders.within(folder_of(target), made, move)
    folders.sync(made | {folder_of(target)} | folders.prune([folder_of(key)]))
    if not moved:
        folders.prune([folder_of(target)])
    return folders.path(target) if moved else ""


def _move(name: str, out_of: int, into: int, identity: str) -> bool:
    try:
        os.rename(name, name, src_dir_fd=out_of, dst_dir_fd=into)
    except FileNotFoundError:
        return False
    if _identity(os.stat(name, dir_fd=into, follow_symlinks=False)) == identity:
        return True
    # Another file took the name just then: it goes back, unless a third one has taken its place.
    os.link(name, name, src_dir_fd=into, dst_dir_fd=out_of, follow_symlinks=False)
    os.unlink(name, dir_fd=into)
    return False


def _identity(state: os.stat_result) -> str:
    mark = Mark.of(state)
    return f"{mark.inode} {mark.size} {mark.mtime_ns}"
