"""Whether a folder can be mounted at."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..config import Environment
from ..errors import Exists, NotAllowed, NotDirectory, NotFound
from ..repository import Repository
from ..storing import local_folder
from .table import find_mount, is_dead, place


def mount_point(folder: str | os.PathLike[str]) -> str:
    """Give the full path of a folder that can be mounted at.

    Raises
    ------
    Exists
        When a repository is mounted there, also one whose daemon is dead.
    NotFound, NotDirectory
        When it is no folder.
    """
    where = place(folder)
    if find_mount(where) is not None:
        found = "a repository is mounted there already"
        if is_dead(where):
            found = "a mount is there whose daemon is dead"
        raise Exists(f"mount at {where!r}", found, f"skyfs umount {where}")
    if not os.path.exists(where):
        raise NotFound(f"mount at {where!r}", "there is no such folder", f"mkdir {where}")
    if not os.path.isdir(where):
        raise NotDirectory(f"mount at {where!r}", "it is a file")
    return os.path.realpath(where)


def require_apart(repository: Repository, where: str) -> None:
    """Refuse a folder in which, or below which, the repository's own files lie.

    The daemon would wait for itself when it opens them.

    Raises
    ------
    NotAllowed
        Always then; the message names the folder of the repository.
    """
    for own in _own_folders(repository):
        inside = os.path.commonpath([where, own])
        if inside in (where, own):
            found = f"the repository keeps its files in {own!r}"
            todo = "mount at a folder that neither lies in it nor holds it"
            raise NotAllowed(f"mount {repository.name!r} at {where!r}", found, todo)


def _own_folders(repository: Repository) -> Iterator[str]:
    yield os.path.realpath(repository.root)
    for store in repository.config.stores:
        folder = local_folder(repository.root, store.url)
        if folder is not None:
            yield os.path.realpath(folder)
    cache = repository.config.cache.folder
    named = os.path.join(repository.root, os.path.expanduser(cache)) if cache else None
    yield os.path.realpath(named or Environment.current().cache_folder)
