"""Names and globs of types and collections → those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import filter as matching

from ..errors import NotFound
from ..registry.catalogue import Snapshot


def types_named(known: Snapshot, names: str | Iterable[str]) -> tuple[str, ...]:
    """Give the names of types, sorted within each glob, each once.

    Raises
    ------
    NotFound
        When there is none of that name, or a glob matches none.
    """
    found: dict[str, None] = {}
    for name in [names] if isinstance(names, str) else names:
        some = matching(sorted(known.types), name) if _is_glob(name) else [known.type(name).type.name]
        found |= dict.fromkeys(some)
    if not found:
        todo = f"there are {', '.join(sorted(known.types)[:20])}"
        raise NotFound(f"no dataset type {names!r}", todo=todo)
    return tuple(found)


def collections_named(known: Snapshot, names: Iterable[str]) -> tuple[str, ...]:
    """Give the names of collections, in order of search, each once; a glob may match none.

    Raises
    ------
    NotFound
        When there is none of that name.
    """
    found: dict[str, None] = {}
    for name in names:
        if _is_glob(name):
            found |= dict.fromkeys(matching(sorted(known.collections), name))
        else:
            found[known.collection(name).collection.name] = None
    return tuple(found)


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")
