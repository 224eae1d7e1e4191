"""Names and globs of types and collections → those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from glob import has_magic

from ..errors import NotFound, some_of
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
        some = matching(known.types, name) if has_magic(name) else [known.type(name).type.name]
        found |= dict.fromkeys(some)
    if not found:
        raise NotFound(f"no dataset type {names!r}", todo=some_of(known.types))
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
        if has_magic(name):
            found |= dict.fromkeys(matching(known.collections, name))
        else:
            found[known.collection(name).collection.name] = None
    return tuple(found)


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Give the names that match a glob, sorted."""
    return sorted(name for name in names if fnmatchcase(name, pattern))
